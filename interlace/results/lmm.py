"""The result of a linear mixed model."""

from __future__ import annotations

import pandas as pd

from ..calls import checked_methods
from ..inference.components import part_of
from ..models.lmm import LMMFit, refit_lmm
from ..tables.names import named_matrix
from .mixed import MixedResult


@checked_methods
class LMMResult(MixedResult):
    """A fitted linear mixed model.

    Parameters
    ----------
    fit : LMMFit
        The frozen record, from which everything is computed when asked for.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (1 + Days | Subject)", il.load_dataset("sleepstudy"))
    >>> m.fe_bse.round(4).to_dict()
    {'Intercept': 6.8246, 'Days': 1.5458}
    >>> m.VarCorr().round(3)["sd_or_corr"].tolist()
    [24.74, 5.922, 0.066, 25.592]
    """

    fit: LMMFit
    _refit = staticmethod(refit_lmm)

    @property
    def fe_df(self) -> pd.Series:
        """Satterthwaite's degrees of freedom of the coefficients, (p,)."""
        return self._table["df"].copy()

    df = fe_df

    def vcov(
        self, correlation: bool = False, *, component: str | None = None, ddf: str | None = None
    ) -> pd.DataFrame:
        """Covariance matrix of the coefficients.

        Parameters
        ----------
        correlation : bool, default False
            Correlations instead.
        component : str, optional
            A linear model has one linear predictor, ``"cond"``.
        ddf : {"Satterthwaite", "Kenward-Roger"}, optional
            With Kenward and Roger's the matrix adjusted for the estimation of the variances, as
            pbkrtest's ``vcovAdj``; default: the matrix given the variances.

        Returns
        -------
        DataFrame, shape (p, p)

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
        >>> m.vcov(ddf="Kenward-Roger").shape
        (3, 3)
        """
        from ..inference.wald import covariance_for, method_of

        if ddf is None:
            return super().vcov(correlation, component=component)
        part = part_of(self.fit, component)
        adjusted = covariance_for(part, method_of(part, ddf, "ddf"))
        return named_matrix(adjusted, part.design.x_names, correlation)

    def cov_params(self, *, ddf: str | None = None) -> pd.DataFrame:
        """Covariance matrix of the coefficients, under statsmodels' name.

        Parameters
        ----------
        ddf : {"Satterthwaite", "Kenward-Roger"}, optional
            As for ``vcov``.

        Returns
        -------
        DataFrame, shape (p, p)
        """
        return self.vcov(ddf=ddf)

    @property
    def correlation_params(self) -> pd.Series:
        """Parameters of the correlation of residuals, by name; empty without ``correlation=``."""
        from ..inference.residual_covariance import parameters_of_kind

        return parameters_of_kind(self.fit, "correlation")

    @property
    def variance_params(self) -> pd.Series:
        """Parameters of the variance of residuals, by name; empty without ``variance=``."""
        from ..inference.residual_covariance import parameters_of_kind

        return parameters_of_kind(self.fit, "variance")

    @property
    def reml_criterion(self) -> float:
        """REML criterion at the optimum; NaN for an ML fit."""
        return self.fit.criterion if self.fit.is_reml else float("nan")

    def refit_ml(self) -> LMMResult:
        """The maximum-likelihood fit of the same model (itself if it is one)."""
        return LMMResult(self.fit.as_ml()) if self.fit.is_reml else self
