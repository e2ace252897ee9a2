"""The result of a generalised linear mixed model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..inference.components import part_of, parts
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

    def vcov(
        self, correlation: bool = False, full: bool = False, *, component: str | None = None
    ) -> pd.DataFrame:
        """Covariance matrix of the estimates, from the exact Hessian over all parameters.

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

    @property
    def nAGQ(self) -> int:
        """Quadrature nodes for each random effect: 1 is Laplace's approximation."""
        return self.fit.nAGQ

    # -- linear predictors beside the mean's -----------------------------------------------------

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

    def random_effects_of(self, component: str) -> dict[str, pd.DataFrame]:
        """Conditional modes of one linear predictor: grouping factor -> DataFrame.

        Parameters
        ----------
        component : str
            As for ``params_of``.

        Returns
        -------
        dict of DataFrame
            Levels by terms; empty if the predictor has no random effects.
        """
        from ..tables.random_effects import random_effects_of

        return random_effects_of(part_of(self.fit, component))

    @property
    def disp_random_effects(self) -> dict[str, pd.DataFrame]:
        """``random_effects_of("disp")``; empty where the dispersion has none."""
        return self.random_effects_of("disp") if "disp" in self.components else {}

    @property
    def disp_variance_components(self) -> dict[str, float | pd.DataFrame]:
        """Variances and covariances of the dispersion's random effects, by grouping factor."""
        from ..tables.random_effects import variance_components_of

        if "disp" not in self.components:
            return {}
        return variance_components_of(part_of(self.fit, "disp"))

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
