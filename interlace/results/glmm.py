"""The result of a generalised linear mixed model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..models.glmm import GLMMFit, refit_glmm
from ..tables.names import named_matrix
from .base import GeneralisedResult
from .mixed import MixedResult


@checked_methods
class GLMMResult(GeneralisedResult, MixedResult):
    """A fitted generalised linear mixed model.

    Parameters
    ----------
    fit : GLMMFit
        The frozen record, from which everything is computed when asked for.

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
    _refit = staticmethod(refit_glmm)

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
        return named_matrix(self.fit.cov_all, self.fit.parameter_names, correlation)

    @property
    def nAGQ(self) -> int:
        """Quadrature nodes for each random effect: 1 is Laplace's approximation."""
        return self.fit.nAGQ

    @property
    def disp_bse(self) -> pd.Series:
        """Standard errors of the logarithms of ``disp_params``, (m,)."""
        variances = np.diagonal(self.fit.cov_all)
        first = len(variances) - len(self.fit.zeta)
        return self._by_parameter(np.sqrt(variances[first:]), "std_error")
