"""Results of models with a family and a link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..inference.components import (
    dispersion_coefficients,
    own_errors,
    own_parameters,
    part_of,
    parts,
)
from ..tables.names import named_matrix
from .base import ModelResult

if TYPE_CHECKING:
    from ..models.kinds import GeneralisedFit


@checked_methods
class GeneralisedResult(ModelResult):
    """A fitted model with a family and a link.

    Parameters
    ----------
    fit : GLMMFit, GLMFit or RegressionFit
        The frozen record, from which everything is computed when asked for.
    """

    fit: GeneralisedFit

    @property
    def fe_zvalues(self) -> pd.Series:
        """Coefficients over standard errors, (p,): normal under the hypothesis of zero."""
        return self.fe_tvalues

    zvalues = fe_zvalues

    @property
    def link(self) -> str:
        """Name of the link; the object itself is ``fit.family.link``."""
        return self.fit.family.link.name

    @property
    def dispersion(self) -> float:
        """phi in Var(y) = phi V(mu) / weights: 1 where a family has none, NaN if rows differ."""
        return self.fit.dispersion

    @property
    def family_params(self) -> pd.Series:
        """Estimated parameters of the family that are one number, by name.

        Themselves, not on the scale of a link: ``theta`` of the negative binomial, ``phi`` of its
        other form, ``shape`` of Gamma, ``lambda`` of the inverse Gaussian, ``precision`` of the
        Gaussian (1 / sigma^2) and beta families, ``zi`` the probability of a structural zero, …
        A parameter that has a formula is not among them: see `params_of`.
        """
        return pd.Series(own_parameters(self.fit), dtype=float, name="estimate")

    @property
    def family_bse(self) -> pd.Series:
        """Standard errors of ``family_params``, by the delta method.

        NaN for the dispersions of models that iteratively reweighted least squares fits.
        """
        return pd.Series(own_errors(self.fit), dtype=float, name="std_error")

    @property
    def disp_params(self) -> pd.Series:
        """Coefficients of the dispersion where it has a formula, else ``family_params``.

        Without a formula they are ``theta`` of the negative binomial, ``shape`` of Gamma,
        ``lambda`` of the inverse Gaussian, ``precision`` (1 / sigma^2) of the Gaussian family, ….
        With one they are on the scale of its link, the logarithm of the same parameter; of a
        Gaussian the logarithm of sigma, as glmmTMB's since 1.1.9.
        """
        return pd.Series(dispersion_coefficients(self.fit)[0], dtype=float, name="estimate")

    @property
    def disp_bse(self) -> pd.Series:
        """Standard errors of ``disp_params``; without a formula those of their logarithms."""
        return pd.Series(dispersion_coefficients(self.fit)[1], dtype=float, name="std_error")

    # -- linear predictors beside the mean's -----------------------------------------------------

    def vcov(
        self, correlation: bool = False, full: bool = False, *, component: str | None = None
    ) -> pd.DataFrame:
        """Covariance matrix of the estimates.

        From the exact Hessian over all parameters; of models that iteratively reweighted least
        squares fits from the expected information.

        Parameters
        ----------
        correlation : bool, default False
            Correlations instead.
        full : bool, default False
            Of all parameters: theta, coefficients, and logarithms of the family's parameters; of
            models with several linear predictors the coefficients of all, with the predictor's
            name in front: ``"zi~mined"``. A direction that the data do not determine, as on a
            boundary, has no variance here.
        component : str, optional
            Linear predictor: ``"cond"``, that of the mean (default), or another of a model that has
            several, such as ``"zi"`` or ``"disp"``.

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
            return super().vcov(correlation, component=component)
        return named_matrix(self.fit.cov_all, self.fit.parameter_names, correlation)

    def params_of(self, component: str) -> pd.Series:
        """Coefficients of one linear predictor.

        Parameters
        ----------
        component : str
            ``"cond"``, that of the mean, or one that the model has besides: ``"zi"``, ``"disp"``,
            ``"shape"``, ``"zoi"``, ``"coi"``. On the scale of the link of what it models: the logit
            of a probability, mostly the logarithm of a dispersion.

        Returns
        -------
        Series

        Raises
        ------
        ArgumentError
            If the model has no such linear predictor.

        Examples
        --------
        >>> import interlace as il
        >>> formula = "count ~ mined + (1 | site)"
        >>> data = il.load_dataset("Salamanders")
        >>> m = il.glmer(formula, data, "poisson", ziformula="~ mined")
        >>> m.params_of("zi").round(2).to_dict()
        {'Intercept': 1.14, 'mined[T.no]': -1.74}
        """
        part = part_of(self.fit, component)
        return pd.Series(part.beta.copy(), list(part.design.x_names), name="estimate")

    def bse_of(self, component: str) -> pd.Series:
        """Standard errors of ``params_of``.

        Parameters
        ----------
        component : str

        Returns
        -------
        Series
        """
        part = part_of(self.fit, component)
        errors = np.sqrt(np.diagonal(part.cov_beta))
        return pd.Series(errors, list(part.design.x_names), name="std_error")

    @property
    def components(self) -> tuple[str, ...]:
        """Linear predictors with coefficients of their own, ``"cond"`` (the mean's) first."""
        return tuple(parts(self.fit))

    @property
    def zi_params(self) -> pd.Series:
        """Coefficients of the logit of the probability of a structural zero; empty without."""
        return self.params_of("zi") if "zi" in self.components else _nothing("estimate")

    @property
    def zi_bse(self) -> pd.Series:
        """Standard errors of ``zi_params``."""
        return self.bse_of("zi") if "zi" in self.components else _nothing("std_error")


def _nothing(name: str) -> pd.Series:
    return pd.Series([], index=[], dtype=float, name=name)
