"""The result of a generalised linear model without random effects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from . import diagnostics, tables
from .errors import ArgumentError, ArgumentTypeError
from .fit_glm import GLMFit
from .inference import glm, wald

# What no fit needs is imported by the method that does: a fresh process starts sooner.
if TYPE_CHECKING:
    from . import show
    from .predict import Prediction


class GLMResult(tables.Maketables):
    """A fitted generalised linear model.

    Everything is computed when asked for; ``fit`` is the record it is computed from.

    Parameters
    ----------
    fit : GLMFit
        The frozen record.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace.api_glm import glm
    >>> formula = "cbind(incidence, size - incidence) ~ period"
    >>> m = glm(formula, il.load_dataset("cbpp"), family="binomial")
    >>> m.params.round(3).to_dict()
    {'Intercept': -1.269, 'period[T.2]': -1.171, 'period[T.3]': -1.301, 'period[T.4]': -1.782}
    >>> round(m.deviance, 3), m.df_resid
    (114.102, 52)
    """

    fit: GLMFit

    #: Arguments of the call that made the fit, data included; not kept in a pickle.
    call: dict[str, Any] | None = None

    def __init__(self, fit: GLMFit) -> None:
        self.fit = fit

    def __getstate__(self) -> dict[str, Any]:
        return {"fit": self.fit}

    def __copy__(self) -> GLMResult:
        other = GLMResult(self.fit)
        other.call = self.call
        return other

    # -- coefficients ----------------------------------------------------------------------------

    def _series(self, values: Any, name: str) -> pd.Series:
        return pd.Series(np.array(values), index=list(self.fit.design.x_names), name=name)

    @cached_property
    def _table(self) -> pd.DataFrame:
        return wald.t_table(self.fit)

    @property
    def params(self) -> pd.Series:
        """Coefficients, (p,)."""
        return self._series(self.fit.beta, "estimate")

    @property
    def bse(self) -> pd.Series:
        """Standard errors of the coefficients, (p,), from the expected information."""
        return self._series(np.sqrt(np.diagonal(self.fit.cov_beta)), "std_error")

    @property
    def zvalues(self) -> pd.Series:
        """Coefficients over standard errors, (p,)."""
        return self._table["statistic"].copy()

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values, (p,): of t where a dispersion is estimated, else of z."""
        return self._table["p_value"].copy()

    fe_params = params
    fe_bse = bse
    tvalues = zvalues

    def vcov(self, correlation: bool = False) -> pd.DataFrame:
        """Covariance matrix of the coefficients, dispersion times (X'WX)^{-1}.

        Parameters
        ----------
        correlation : bool, default False
            Correlations instead.

        Returns
        -------
        DataFrame, shape (p, p)
        """
        return tables.named_matrix(self.fit.cov_beta, self.fit.design.x_names, correlation)

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of the coefficients, under statsmodels' name."""
        return self.vcov()

    def conf_int(
        self, level: float = 0.95, *, alpha: float | None = None, df_method: str | None = None
    ) -> pd.DataFrame:
        """Wald intervals of the coefficients.

        Parameters
        ----------
        level : float, default 0.95
        alpha : float, optional
            One minus the level, as statsmodels asks for it.
        df_method : {"residual", "normal"}, optional
            Quantile of t with the residual degrees of freedom, or of the normal distribution as
            R's ``confint.default``. Default: as the p-values.

        Returns
        -------
        DataFrame
            Columns ``lower, upper``.
        """
        level = level if alpha is None else 1.0 - alpha
        table = wald.add_intervals(wald.t_table(self.fit, df_method=df_method), level)
        return pd.DataFrame({"lower": table["conf_low"], "upper": table["conf_high"]})

    # -- the fit ---------------------------------------------------------------------------------

    @property
    def llf(self) -> float:
        """Log-likelihood, as R's ``logLik``."""
        return self.fit.llf

    @property
    def aic(self) -> float:
        """AIC."""
        return tables.aic(self.fit)

    @property
    def bic(self) -> float:
        """BIC with log(nobs)."""
        return tables.bic(self.fit)

    @property
    def deviance(self) -> float:
        """Residual deviance: twice the distance in log-likelihood to a perfect fit, unscaled."""
        return self.fit.deviance

    @property
    def null_deviance(self) -> float:
        """Deviance of the model with intercept and offset alone."""
        return self.fit.null_deviance

    @property
    def pearson_chi2(self) -> float:
        """Pearson's X^2."""
        return float(np.sum(diagnostics.residual_array(self.fit, "pearson") ** 2))

    @property
    def df_null(self) -> int:
        """Residual degrees of freedom of the null model."""
        return self.fit.df_null

    @property
    def df_resid(self) -> int:
        """Rows less coefficients."""
        return self.fit.df_resid

    @property
    def df_model(self) -> int:
        """Coefficients besides the intercept."""
        return self.fit.df_null - self.fit.df_resid

    @property
    def nparams(self) -> int:
        """Estimated parameters, R's df of the log-likelihood."""
        return self.fit.n_parameters

    @property
    def dispersion(self) -> float:
        """Dispersion, Pearson's X^2 over its degrees of freedom where it is free."""
        return self.fit.dispersion

    @property
    def scale(self) -> float:
        """Dispersion, under statsmodels' name."""
        return self.fit.dispersion

    @property
    def disp_params(self) -> pd.Series:
        """Estimated parameters of the family, (m,): theta, or one over the dispersion."""
        return pd.Series(np.exp(self.fit.zeta), list(self.fit.family.parameters), name="estimate")

    @property
    def disp_bse(self) -> pd.Series:
        """Standard errors of their logarithms, (m,): of theta as MASS, else NaN."""
        names = list(self.fit.family.parameters)
        return pd.Series(np.array(self.fit.se_zeta), names, name="std_error")

    @property
    def nobs(self) -> int:
        """Rows used."""
        return self.fit.n

    @property
    def converged(self) -> bool:
        """A maximum was found."""
        return self.fit.converged

    @property
    def convergence(self) -> diagnostics.Convergence:
        """The verdict in words and what it rests on."""
        return glm.convergence(self.fit)

    @property
    def infinite(self) -> dict[str, int]:
        """Coefficients without a finite estimate: 1 rises without bound, -1 falls, 0 neither."""
        return dict(self.fit.separated.infinite) if self.fit.separated is not None else {}

    @property
    def method(self) -> str:
        """``"ML"``."""
        return self.fit.method

    @property
    def formula(self) -> str:
        """The formula."""
        return self.fit.design.formula.text

    @property
    def family(self) -> str:
        """Name of the family; the object itself is ``fit.family``."""
        return self.fit.family.name

    @property
    def link(self) -> str:
        """Name of the link; the object itself is ``fit.family.link``."""
        return self.fit.family.link.name

    # -- values ----------------------------------------------------------------------------------

    def _by_row(self, values: np.ndarray, name: str) -> pd.Series:
        return self.fit.design.pad(values).rename(name)

    @property
    def fittedvalues(self) -> pd.Series:
        """Fitted means, (n,)."""
        return self._by_row(self.fit.mu, "fitted")

    @property
    def linear_predictor(self) -> pd.Series:
        """X beta plus the offset, (n,)."""
        return self._by_row(self.fit.eta, "linear_predictor")

    @property
    def resid(self) -> pd.Series:
        """Response less fitted means, (n,)."""
        return self.residuals("response")

    def residuals(self, type: str = "deviance") -> pd.Series:
        """Residuals.

        Parameters
        ----------
        type : {"deviance", "response", "pearson", "working"}, default "deviance"
            As R's ``residuals.glm``.

        Returns
        -------
        Series, shape (n,)

        Raises
        ------
        ArgumentError
            If the type is not known.
        """
        return self._by_row(diagnostics.residual_array(self.fit, type), "resid")

    def hatvalues(self) -> pd.Series:
        """Leverage of each row, (n,); their sum is the number of coefficients."""
        return self._by_row(self.fit.hat, "hat")

    def cooks_distance(self) -> pd.Series:
        """Cook's distance of each row, (n,), as R's ``cooks.distance.glm``."""
        return self._by_row(glm.cooks_distance(self.fit), "cooksd")

    def weights(self, type: str = "prior") -> pd.Series:
        """Weights of the rows.

        Parameters
        ----------
        type : {"prior", "working"}, default "prior"
            Those of the call, times the trials of a binomial response; or those of the last
            weighted least squares problem.

        Returns
        -------
        Series, shape (n,)
        """
        return self._by_row(diagnostics.weight_array(self.fit, type), "weights")

    def predict(
        self, newdata: Any = None, type: str = "response", offset: Any = None, se: bool = False
    ) -> pd.Series | pd.DataFrame:
        """Predicted means or linear predictors.

        Parameters
        ----------
        newdata : data frame, optional
            Default: the rows of the fit.
        type : {"response", "link"}
            Means, or linear predictors.
        offset : array, shape (r,), or float, optional
            In place of the fit's ``offset=`` argument.
        se : bool, default False
            With standard errors, as R's ``se.fit``: a DataFrame ``prediction, se``.

        Returns
        -------
        Series, shape (r,), or DataFrame

        Raises
        ------
        DataError
            If columns are missing or levels unknown.
        ArgumentError
            If another argument is not one of those above.

        Examples
        --------
        >>> import interlace as il
        >>> from interlace.api_glm import glm
        >>> formula = "cbind(incidence, size - incidence) ~ period"
        >>> m = glm(formula, il.load_dataset("cbpp"), family="binomial")
        >>> m.predict({"period": [1, 2]}).round(4).tolist()
        [0.2194, 0.0802]
        """
        from . import predict

        return predict.predict(cast(Any, self.fit), newdata, type, False, "error", offset, se)

    def get_prediction(self, newdata: Any = None, offset: Any = None) -> Prediction:
        """Predictions with standard errors; ``summary_frame(alpha)`` tabulates the intervals.

        Parameters
        ----------
        newdata, offset
            As for ``predict``.

        Returns
        -------
        Prediction
        """
        return glm.get_prediction(self.fit, newdata, offset)

    def simulate(
        self, nsim: int = 1, seed: int | np.random.Generator | None = None
    ) -> pd.DataFrame:
        """Draw responses from the fitted model.

        Parameters
        ----------
        nsim : int, default 1
        seed : int or numpy Generator, optional

        Returns
        -------
        DataFrame, shape (n, nsim)
            Proportions for ``cbind()`` and ``successes / trials``, else responses.
        """
        from . import simulate

        return simulate.simulate(cast(Any, self.fit), nsim, seed)

    # -- tests -----------------------------------------------------------------------------------

    def anova(
        self, *others: GLMResult, test: str | None = None, names: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Analysis of deviance: this model against others that are nested in it or contain it.

        Parameters
        ----------
        *others : GLMResult
            Models of the same rows.
        test : {"LRT", "Chisq", "F"}, optional
            Default: F where a dispersion is estimated.
        names : sequence of str, optional
            Row labels; default: the formulas.

        Returns
        -------
        DataFrame
            R's columns: ``Resid. Df, Resid. Dev, Df, Deviance`` and ``Pr(>Chi)``, or
            ``F, Pr(>F)``.

        Examples
        --------
        >>> import interlace as il
        >>> from interlace.api_glm import glm
        >>> cbpp = il.load_dataset("cbpp")
        >>> none = glm("cbind(incidence, size - incidence) ~ 1", cbpp, family="binomial")
        >>> full = glm("cbind(incidence, size - incidence) ~ period", cbpp, family="binomial")
        >>> none.anova(full)["Deviance"].iloc[1].round(3)
        np.float64(40.716)
        """
        for other in others:
            if not isinstance(other, GLMResult):
                raise ArgumentTypeError(f"anova compares fitted glms, got {other!r}")
        if not others:
            raise ArgumentError(
                "anova() of a glm compares models: give the smaller or larger ones as arguments"
            )
        from .inference.deviance import analysis_of_deviance

        return analysis_of_deviance([m.fit for m in (self, *others)], names, test)

    def t_test(self, hypothesis: Any, level: float = 0.95) -> pd.DataFrame:
        """t or z test of each row of a linear hypothesis.

        Parameters
        ----------
        hypothesis : str, sequence of str, dict or array
            ``"x"``, ``"x = 10"``, ``["a", "b - c = 1"]``, ``{"x": 10}`` or a matrix of
            contrasts (r, p).
        level : float, default 0.95

        Returns
        -------
        DataFrame
            ``estimate, std_error, df, statistic, p_value, conf_low, conf_high``.
        """
        return wald.t_test(self.fit, hypothesis, level)

    def wald_test(self, hypothesis: Any, test: str | None = None) -> wald.WaldTest:
        """Joint test of a linear hypothesis.

        Parameters
        ----------
        hypothesis : str, sequence of str, dict or array
            As for ``t_test``.
        test : {"Chisq", "F"}, optional
            Default: chi-squared.

        Returns
        -------
        WaldTest
        """
        return wald.wald_test(self.fit, hypothesis, test)

    # -- tables and text -------------------------------------------------------------------------

    def tidy(
        self,
        *,
        conf_int: bool = False,
        conf_level: float = 0.95,
        exponentiate: bool = False,
        r_names: bool = False,
    ) -> pd.DataFrame:
        """One row per coefficient, with broom's columns.

        Parameters
        ----------
        conf_int : bool, default False
        conf_level : float, default 0.95
        exponentiate : bool, default False
            Exponentials of estimates and intervals, standard errors by the delta method.
        r_names : bool, default False
            R's names of coefficients.

        Returns
        -------
        DataFrame
            ``term, estimate, std_error, statistic, p_value[, conf_low, conf_high]``.
        """
        table = wald.add_intervals(self._table, conf_level) if conf_int else self._table
        table = tables._exponentiated(table) if exponentiate else table
        table = table.drop(columns="df")
        table.insert(0, "term", tables.names_as(table.index, r_names))
        return table.reset_index(drop=True)

    def glance(self) -> pd.DataFrame:
        """One row with broom's columns.

        Returns
        -------
        DataFrame
            ``null_deviance, df_null, log_lik, aic, bic, deviance, df_residual, nobs``.
        """
        row = {
            "null_deviance": self.null_deviance,
            "df_null": self.df_null,
            "log_lik": self.llf,
            "aic": self.aic,
            "bic": self.bic,
            "deviance": self.deviance,
            "df_residual": self.df_resid,
            "nobs": self.nobs,
        }
        return pd.DataFrame([row])

    def augment(
        self,
        data: Any = None,
        type_predict: str = "link",
        type_residuals: str = "deviance",
    ) -> pd.DataFrame:
        """The rows with ``.fitted, .resid, .hat, .cooksd, .std_resid``, as broom has them.

        Parameters
        ----------
        data : data frame, optional
            That of the fit, whose columns then come first.
        type_predict : {"link", "response"}, default "link"
            What ``.fitted`` holds.
        type_residuals : {"deviance", "pearson"}, default "deviance"
            What ``.resid`` holds.

        Returns
        -------
        DataFrame
        """
        return glm.augment(self.fit, data, type_predict, type_residuals)

    def summary(self, r_names: bool = False) -> show.Summary:
        """The summary in the order R users know; prints itself.

        Parameters
        ----------
        r_names : bool, default False
            R's names of coefficients.

        Returns
        -------
        Summary
        """
        from .inference.glm_summary import summarise

        return summarise(self.fit, self._table, r_names)

    def __repr__(self) -> str:
        from .inference.glm_summary import short

        return short(self.fit)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return ["N", "ll", "aic"]
