"""The result of a generalised linear mixed model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import tables
from .fit_glmm import GLMMFit, refit_glmm
from .mixed_result import MixedResult


class GLMMResult(MixedResult):
    """A fitted generalised linear mixed model.

    Everything is computed when asked for; ``fit`` is the record it is computed from.

    Parameters
    ----------
    fit : GLMMFit
        The frozen record.

    Examples
    --------
    >>> import interlace as il
    >>> formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    >>> m = il.glmer(formula, il.load_dataset("cbpp"), family="binomial")
    >>> m.fe_params.round(3).to_dict()
    {'Intercept': -1.399, 'period[T.2]': -0.992, 'period[T.3]': -1.129, 'period[T.4]': -1.58}
    >>> m.VarCorr()["sd_or_corr"].round(3).tolist()
    [0.642]
    >>> m.tidy(exponentiate=True).loc[1, ["estimate", "p_value"]].astype(float).round(4).tolist()
    [0.3707, 0.0012]
    """

    fit: GLMMFit
    _anova_type = "II"
    _residual_type = "deviance"
    _refit = staticmethod(refit_glmm)

    # -- inference -------------------------------------------------------------------------------

    @property
    def fe_zvalues(self) -> pd.Series:
        """Coefficients over standard errors, (p,): normal under the hypothesis of zero."""
        return self.fe_tvalues

    zvalues = fe_zvalues

    def vcov(self, correlation: bool = False, full: bool = False) -> pd.DataFrame:
        """Covariance matrix of the estimates, from the exact Hessian over all parameters.

        Parameters
        ----------
        correlation : bool, default False
            Correlations instead.
        full : bool, default False
            Of all parameters: theta, coefficients, and logarithms of the family's parameters. A
            direction that the data do not determine, as on a boundary, has no variance here.

        Returns
        -------
        DataFrame, shape (p, p) or (m, m)

        Examples
        --------
        >>> import interlace as il
        >>> formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
        >>> m = il.glmer(formula, il.load_dataset("cbpp"), family="binomial")
        >>> m.vcov(full=True).shape
        (5, 5)
        """
        if not full:
            return super().vcov(correlation)
        return tables.named_matrix(self.fit.cov_all, self.fit.parameter_names, correlation)

    # -- the distribution ------------------------------------------------------------------------

    @property
    def family(self) -> str:
        """Name of the family; the object itself is ``fit.family``."""
        return self.fit.family.name

    @property
    def link(self) -> str:
        """Name of the link; the object itself is ``fit.family.link``."""
        return self.fit.family.link.name

    @property
    def nAGQ(self) -> int:
        """Quadrature nodes for each random effect: 1 is Laplace's approximation."""
        return self.fit.nAGQ

    @property
    def dispersion(self) -> float:
        """phi in Var(y) = phi V(mu) / weights: 1 for binomial, Poisson and negative binomial."""
        return self.fit.dispersion

    @property
    def scale(self) -> float:
        """The dispersion, under statsmodels' name."""
        return self.fit.dispersion

    @property
    def sigma(self) -> float:
        """The root of the dispersion: sigma of a Gaussian, coefficient of variation of a Gamma."""
        return self.fit.sigma

    @property
    def disp_params(self) -> pd.Series:
        """Estimated parameters of the family, (m,), all of them precisions.

        ``theta`` of the negative binomial, ``shape`` of Gamma, ``lambda`` of the inverse Gaussian
        and ``precision`` (1 / sigma^2) of the Gaussian family.
        """
        return pd.Series(np.exp(self.fit.zeta), list(self.fit.family.parameters), name="estimate")

    @property
    def disp_bse(self) -> pd.Series:
        """Standard errors of the logarithms of ``disp_params``, (m,)."""
        m = len(self.fit.zeta)
        variance = np.diagonal(self.fit.cov_all)[-m:] if m else np.zeros(0)
        names = list(self.fit.family.parameters)
        return pd.Series(np.sqrt(variance), names, name="std_error")
