"""The result of a generalised linear mixed model."""

from __future__ import annotations

import pandas as pd

from ..calls import checked_methods
from ..inference.components import part_of
from ..models.glmm import GLMMFit, refit_glmm
from .generalised import GeneralisedResult
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

    @property
    def nAGQ(self) -> int:
        """Quadrature nodes for each random effect: 1 is Laplace's approximation."""
        return self.fit.nAGQ

    # -- linear predictors beside the mean's -----------------------------------------------------

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
