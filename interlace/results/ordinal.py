"""Results of models of ordered categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..design.predictor import ALL
from ..errors import ArgumentError
from ..inference.components import part_of
from ..models.ordinal import OrdinalFit, OrdinalMixedFit, refit_ordinal, refit_ordinal_mixed
from ..tables.names import named_matrix
from .base import level_of
from .generalised import GeneralisedResult
from .mixed import MixedResult
from .testing import check_no_component, check_no_type, check_one_model

# What no fit needs is imported by the method that does: a fresh process starts sooner.
if TYPE_CHECKING:
    from ..inference.marginal_means import MarginalMeans
    from ..inference.ordinal_prediction import OrdinalPrediction
    from ..tables.summary.text import Summary


@checked_methods
class OrdinalResult(GeneralisedResult):
    """What results of ordered categories share: thresholds, probabilities, categories.

    Parameters
    ----------
    fit : OrdinalFit or OrdinalMixedFit
        The frozen record, from which everything is computed when asked for.
    """

    fit: Any

    # -- coefficients ----------------------------------------------------------------------------

    def _of_all(self, values: np.ndarray, name: str) -> pd.Series:
        return pd.Series(np.array(values), index=list(self.fit.reported.names), name=name)

    @property
    def params(self) -> pd.Series:
        """Coefficients in R's order: of the thresholds, of the location, of the scale."""
        return self._of_all(self.fit.reported.values, "estimate")

    @property
    def bse(self) -> pd.Series:
        """Standard errors of ``params``."""
        return self._of_all(np.sqrt(np.diagonal(self.fit.cov_reported)), "std_error")

    @property
    def tvalues(self) -> pd.Series:
        """``params`` over ``bse``."""
        return self._all_tests["statistic"].copy()

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values of ``params``, from the normal distribution."""
        return self._all_tests["p_value"].copy()

    zvalues = tvalues

    @property
    def _all_tests(self) -> pd.DataFrame:
        from ..inference.tails import t_pvalue

        estimate, error = self.params, self.bse
        with np.errstate(divide="ignore", invalid="ignore"):
            z = estimate / error
        return pd.DataFrame(
            {
                "estimate": estimate,
                "std_error": error,
                "df": np.inf,
                "statistic": z,
                "p_value": t_pvalue(z.to_numpy(), np.full(len(z), np.inf)),
            }
        )

    @property
    def thresholds(self) -> pd.Series | pd.DataFrame:
        """Thresholds, (J - 1,), by the categories between which they are: ``"1|2"``.

        With ``nominal`` a frame, a row for each column that they depend on.
        """
        return self._by_threshold(self.fit.alpha.copy(), "threshold")

    @property
    def threshold_bse(self) -> pd.Series | pd.DataFrame:
        """Standard errors of ``thresholds``, by the delta method."""
        fit = self.fit
        J = np.zeros((fit.alpha.size, len(fit.cov_coefficients)))
        J[:, fit.location.size :] = fit.alpha_jacobian
        errors = np.sqrt(np.einsum("ij,jk,ik->i", J, fit.cov_coefficients, J))
        return self._by_threshold(errors.reshape(fit.alpha.shape), "std_error")

    def _by_threshold(self, values: np.ndarray, name: str) -> pd.Series | pd.DataFrame:
        columns, names = list(self.fit.nominal_names), self.fit.family.threshold_names
        if len(columns) == 1:
            return pd.Series(values[0], names, name=name)
        return pd.DataFrame(values, columns, names)

    @property
    def scale_params(self) -> pd.Series:
        """Coefficients of log sigma; empty without ``scale``."""
        return pd.Series(self.fit.delta.copy(), list(self.fit.scale_names), name="estimate")

    @property
    def levels(self) -> list[Any]:
        """The categories from the lowest to the highest."""
        return self.fit.levels.tolist()

    @property
    def threshold(self) -> str:
        """Structure of the thresholds: ``"flexible"``, …."""
        return self.fit.family.threshold

    def vcov(
        self, correlation: bool = False, full: bool = True, *, component: str | None = None
    ) -> pd.DataFrame:
        """Covariance matrix of the estimates, from the exact Hessian over all parameters.

        Parameters
        ----------
        correlation : bool, default False
            Correlations instead.
        full : bool, default True
            Of all ``params``; of the coefficients of the location alone with False.
        component : str, optional
            Coefficients of one component: ``"cond"``, the location, ``"threshold"`` or
            ``"scale"``.

        Returns
        -------
        DataFrame
        """
        if full and component is None:
            return named_matrix(self.fit.cov_reported, self.fit.reported.names, correlation)
        part = part_of(self.fit, component)
        return named_matrix(part.cov_beta, part.design.x_names, correlation)

    def conf_int(
        self,
        level: float = 0.95,
        *,
        method: Literal["wald", "profile", "boot"] = "wald",
        parm: Any = None,
        alpha: float | None = None,
        df_method: str | None = None,
        component: str | None = None,
        nsim: int = 500,
        seed: int | np.random.Generator | None = None,
        boot_type: Literal["percentile", "basic", "normal", "bca", "perc", "norm"] = "percentile",
    ) -> pd.DataFrame:
        """Confidence intervals, of all ``params`` unless others are asked for.

        Parameters
        ----------
        level, method, parm, alpha, df_method, nsim, seed, boot_type
            As for the results of :func:`glmer`.
        component : str, optional
            Coefficients of one component: ``"cond"``, the location, ``"threshold"`` or
            ``"scale"``.

        Returns
        -------
        DataFrame
            Columns ``lower, upper``.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.clm("rating ~ temp + contact", il.load_dataset("wine"))
        >>> m.conf_int().loc["1|2"].round(3).tolist()
        [-2.358, -0.331]
        """
        level = level_of(level, alpha)
        if method == "wald" and parm is None and component is None and df_method is None:
            from ..inference.wald import add_intervals

            table = add_intervals(self._all_tests, level)
            return pd.DataFrame({"lower": table["conf_low"], "upper": table["conf_high"]})
        from ..inference.intervals import intervals

        options = self._boot_options(method, nsim, seed, boot_type)
        return intervals(
            self.fit, method, level, parm, component, df_method=df_method, options=options
        )

    def _tested(self, component: str | None) -> Any:
        """All of ``params`` unless one component is named."""
        return self.fit.part(ALL) if component is None else part_of(self.fit, component)

    # -- values ----------------------------------------------------------------------------------

    @property
    def fittedvalues(self) -> pd.Series:
        """Fitted probabilities of the categories that were observed, as R's ``fitted``, (n,)."""
        from ..inference.ordinal import observed_probabilities

        return self._by_row(observed_probabilities(self.fit), "fitted")

    def residuals(  # type: ignore[override]
        self,
        type: Literal["probability", "surrogate", "quantile"] = "probability",
        seed: int | np.random.Generator | None = 1,
    ) -> pd.Series:
        """Residuals of ordered categories.

        Parameters
        ----------
        type : {"probability", "surrogate", "quantile"}, default "probability"
            P(Y < y) - P(Y > y) (Li and Shepherd); the latent variable, drawn within its category,
            less its expectation (Liu and Zhang); the same as a normal quantile (Dunn and Smyth).
        seed : int or numpy Generator, default 1
            Of the draws.

        Returns
        -------
        Series, shape (n,)

        Examples
        --------
        >>> import interlace as il
        >>> m = il.clm("rating ~ temp + contact", il.load_dataset("wine"))
        >>> m.residuals().head(3).round(3).tolist()
        [-0.016, 0.747, 0.305]
        """
        from ..diagnostics.ordinal_residuals import ordinal_residuals

        return self._by_row(ordinal_residuals(self.fit, type, seed), "resid")

    def predict(
        self,
        newdata: Any = None,
        type: Literal[
            "prob",
            "class",
            "cum.prob",
            "linear.predictor",
            "mean.class",
            "link",
            "response",
            "probs",
            "cum_prob",
            "linear_predictor",
            "mean_class",
            "latent",
        ] = "prob",
        include_re: Any = True,
        new_levels: Literal["error", "population"] = "error",
        offset: Any = None,
        se: bool = False,
        interval: bool = False,
        level: float = 0.95,
        marginal: bool = False,
    ) -> Any:
        """Probabilities of the categories, and what is made of them.

        Parameters
        ----------
        newdata : data frame, optional
            Default: the rows of the fit.
        type : {"prob", "class", "cum.prob", "linear.predictor", "mean.class", "link", …}
            ``"prob"``, the probability of each category; ``"class"``, the most probable one;
            ``"cum.prob"``, P(y <= j); ``"linear.predictor"``, (alpha_j - eta) / sigma;
            ``"mean.class"``, the expected number of the category, from 1 on; ``"link"``, eta. The
            others are other spellings of these.
        include_re, new_levels, offset
            As for the results of :func:`glmer`.
        se : bool, default False
            With standard errors, by the delta method on all parameters.
        interval : bool, default False
            With limits, of probabilities those of their logits, as in R.
        level : float, default 0.95
            Of the limits.
        marginal : bool, default False
            Average over the random effects that do not enter, in place of setting them to zero:
            none enter unless ``include_re`` or ``new_levels`` says which.

        Returns
        -------
        DataFrame or Series
            A column for each category (threshold); with ``se`` or ``interval`` these stand below
            ``prediction``, ``se``, ``lower`` and ``upper``.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.clmm("rating ~ temp + (1 | judge)", il.load_dataset("wine"))
        >>> new = {"temp": ["cold", "warm"]}
        >>> m.predict(new, include_re=False).round(3).loc[1].to_dict()
        {'1': 0.008, '2': 0.099, '3': 0.436, '4': 0.316, '5': 0.141}
        >>> m.predict(new, type="class", include_re=False).tolist()
        ['2', '3']
        """
        from ..inference.ordinal import predict

        return predict(
            self.fit, newdata, type, include_re, new_levels, offset, se, interval, level, marginal
        )

    def get_prediction(
        self,
        newdata: Any = None,
        type: Literal[
            "prob",
            "cum.prob",
            "linear.predictor",
            "mean.class",
            "link",
            "response",
            "probs",
            "cum_prob",
            "linear_predictor",
            "mean_class",
            "latent",
            "class",
        ] = "prob",
        include_re: Any = True,
        new_levels: Literal["error", "population"] = "error",
        offset: Any = None,
        marginal: bool = False,
    ) -> OrdinalPrediction:
        """Predictions with their standard errors and intervals.

        Parameters
        ----------
        newdata, type, include_re, new_levels, offset, marginal
            As for ``predict``; of the most probable category, ``type="class"``, there are none.

        Returns
        -------
        OrdinalPrediction
            With ``summary_frame()``: ``mean, mean_se, mean_ci_lower, mean_ci_upper``, each with a
            column for each category below it.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.clm("rating ~ temp", il.load_dataset("wine"))
        >>> m.get_prediction({"temp": ["cold"]}).summary_frame()["mean"].round(3).loc[0].tolist()
        [0.126, 0.481, 0.312, 0.059, 0.021]
        """
        from ..inference.ordinal_prediction import get_prediction

        asked = newdata, type, include_re, new_levels, offset, marginal
        return get_prediction(self.fit, *asked)

    def emmeans(  # type: ignore[override]
        self,
        specs: str | Sequence[str],
        by: str | Sequence[str] | None = None,
        *,
        mode: Literal[
            "latent", "mean.class", "prob", "cum.prob", "exc.prob", "linear.predictor"
        ] = "latent",
        at: Mapping[str, Any] | None = None,
        weights: str = "equal",
        level: float = 0.95,
        offset: Any = None,
    ) -> MarginalMeans:
        """Estimated marginal means, as R's emmeans has them of ordered categories.

        Parameters
        ----------
        specs, by, at, weights, level, offset
            As for the results of :func:`fit`; the response, or ``"cut"``, is a variable too where
            the mode has a value for each category or threshold.
        mode : {"latent", "mean.class", "prob", "cum.prob", "exc.prob", "linear.predictor"}
            Of the latent variable, from the mean of the thresholds; the expected number of the
            category; probabilities of the categories; P(y <= j); P(y > j); (alpha_j - eta) / sigma.

        Returns
        -------
        MarginalMeans
            Averaged on the scale of the mode; contrasts are differences there.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.clm("rating ~ temp + contact", il.load_dataset("wine"))
        >>> m.emmeans("temp", mode="mean.class").to_frame()["response"].round(2).tolist()
        [2.36, 3.48]
        """
        from ..inference.ordinal_means import ordinal_means

        return ordinal_means(self.fit, self._data, specs, by, mode, at, weights, level, offset)

    def nominal_test(self) -> pd.DataFrame:
        """Likelihood-ratio tests of proportional odds, term by term, as R's ``nominal_test``.

        Returns
        -------
        DataFrame
            A row for each term of the location, given a coefficient for each threshold: ``Df,
            logLik, AIC, LRT, Pr(>Chi)``; missing for terms that others contain.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.clm("rating ~ temp + contact", il.load_dataset("wine"))
        >>> m.nominal_test()["LRT"].round(3).tolist()
        [nan, 3.175, 0.567]
        """
        from ..inference.ordinal_tests import nominal_test

        return nominal_test(self)

    def scale_test(self) -> pd.DataFrame:
        """Likelihood-ratio tests of equal scales, term by term, as R's ``scale_test``.

        Returns
        -------
        DataFrame
            A row for each term, in log sigma as well: as that of ``nominal_test``.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.clm("rating ~ temp + contact", il.load_dataset("wine"))
        >>> m.scale_test()["LRT"].round(3).tolist()
        [nan, 0.105, 0.273]
        """
        from ..inference.ordinal_tests import scale_test

        return scale_test(self)

    def _simulated(
        self, nsim: int, seed: Any, use_u: bool = False, params: Any = None
    ) -> pd.DataFrame:
        from ..inference.ordinal import categories
        from ..inference.simulate import simulate

        drawn = simulate(self.fit, nsim, seed, use_u, params)
        return drawn.apply(
            lambda own: pd.Series(categories(self.fit, own.fillna(-1).astype(int)), own.index)
        )

    def augment(self, data: Any = None) -> pd.DataFrame:
        """The rows with what the model says of them.

        Parameters
        ----------
        data : data frame, optional
            That of the fit, all of whose columns then come first. Default: the response and the
            variables of the formula.

        Returns
        -------
        DataFrame
            ``.fitted``, the probability of the category observed, ``.class``, the most probable
            one, ``.resid`` (probability residuals), ``.eta`` and, with random effects, ``.fixed``.
        """
        from ..tables.augment import augment_ordinal

        return augment_ordinal(self.fit, data, self._data, self.call is not None)

    # -- tables and text -------------------------------------------------------------------------

    def summary(self, r_names: bool = False) -> Summary:
        """The summary in the order R users know; prints itself.

        Parameters
        ----------
        r_names : bool, default False
            R's names of coefficients.

        Returns
        -------
        Summary
        """
        from ..tables.summary.ordinal import summarise_ordinal

        return summarise_ordinal(self.fit, self._all_tests, r_names)

    def __repr__(self) -> str:
        from ..tables.summary.ordinal import ordinal_text

        return ordinal_text(self.fit)


@checked_methods
class CLMResult(OrdinalResult):
    """A fitted cumulative link model.

    Parameters
    ----------
    fit : OrdinalFit
        The frozen record, from which everything is computed when asked for.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.clm("rating ~ temp + contact", il.load_dataset("wine"))
    >>> m.thresholds.round(3).tolist(), round(m.llf, 4)
    ([-1.344, 1.251, 3.467, 5.006], -86.4919)
    """

    fit: OrdinalFit
    _refit = staticmethod(refit_ordinal)

    @property
    def df_resid(self) -> int:
        """Rows less estimated parameters."""
        return self.fit.df_resid

    @property
    def df_model(self) -> int:
        """Coefficients besides the thresholds."""
        return self.fit.n_parameters - self.fit.n_thresholds

    @property
    def deviance(self) -> float:
        """-2 log-likelihood."""
        return self.fit.deviance

    @property
    def null_deviance(self) -> float:
        """-2 log-likelihood of the model with thresholds, and the offset, alone."""
        return self.fit.null_deviance

    @property
    def infinite(self) -> dict[str, int]:
        """Coefficients without a finite estimate: 1 rises without bound, -1 falls."""
        return self.fit.infinite

    def simulate(
        self,
        nsim: int = 1,
        seed: int | np.random.Generator | None = None,
        params: Any = None,
    ) -> pd.DataFrame:
        """Draw categories from the fitted model.

        Parameters
        ----------
        nsim : int, default 1
        seed : int or numpy Generator, optional
        params : dict or Series, optional
            Parameters in place of the estimates, as for the results of :func:`glm`.

        Returns
        -------
        DataFrame, shape (n, nsim)
            Ordered categoricals, in the form that ``refit`` takes.
        """
        return self._simulated(nsim, seed, params=params)

    def anova(
        self,
        *others: Any,
        type: Literal["I", "II", "III", 1, 2, 3] | None = None,
        refit: bool = True,
        names: Sequence[str] | None = None,
        component: str | None = None,
    ) -> pd.DataFrame:
        """Wald tests of the terms, or likelihood-ratio tests against other models.

        Parameters
        ----------
        *others : CLMResult or CLMMResult
            Models of the same rows; without any the terms of this model are tested.
        type : {"II", "III", "I"} or {2, 3, 1}, optional
            Of the tests of terms. Default: II.
        refit : bool, default True
            There are no REML fits to refit here.
        names : sequence of str, optional
            Row labels; default: the formulas.
        component : str, optional
            Without others: whose terms are tested, those of the location (``"cond"``, default) or
            of ``"scale"``.

        Returns
        -------
        DataFrame
            Of terms ``Chisq, Df, Pr(>Chisq)``; of models ``Df, AIC, BIC, logLik, deviance, Chisq,
            Chi Df, Pr(>Chisq)``.
        """
        if others:
            check_no_type(type)
            check_no_component(component)
            return self._compared(others, names, refit)
        check_one_model(names)
        return _terms(self.fit, "II" if type is None else type, component)

    def tidy(
        self,
        effects: str | Sequence[str] = "fixed",
        *,
        conf_int: bool = False,
        conf_level: float = 0.95,
        exponentiate: bool = False,
        r_names: bool = False,
        component: str | None = None,
    ) -> pd.DataFrame:
        """One row per coefficient, with broom's columns.

        Parameters
        ----------
        effects : "fixed"
            As for mixed models; there are no others here.
        conf_int, conf_level, exponentiate, r_names
            As for the results of :func:`glm`.
        component : str, optional
            Rows of one component alone: ``"cond"``, ``"threshold"``, ``"scale"``; default all.

        Returns
        -------
        DataFrame
            ``component, term, estimate, std_error, statistic, p_value[, conf_low, conf_high]``.
        """
        return self._tidy(effects, conf_int, conf_level, exponentiate, r_names, component)

    def glance(self) -> pd.DataFrame:
        """One row with broom's columns.

        Returns
        -------
        DataFrame
            ``null_deviance, df_null, log_lik, aic, bic, deviance, df_residual, nobs``.
        """
        return self._glance()


@checked_methods
class CLMMResult(OrdinalResult, MixedResult):  # type: ignore[misc]
    """A fitted cumulative link mixed model.

    Parameters
    ----------
    fit : OrdinalMixedFit
        The frozen record, from which everything is computed when asked for.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.clmm("rating ~ temp + contact + (1 | judge)", il.load_dataset("wine"))
    >>> m.VarCorr()["sd_or_corr"].round(3).tolist(), m.thresholds.round(2).tolist()
    ([1.131], [-1.62, 1.51, 4.23, 6.09])
    """

    fit: OrdinalMixedFit
    _anova_type = "II"
    _refit = staticmethod(refit_ordinal_mixed)

    @property
    def nAGQ(self) -> int:
        """Quadrature nodes for each random effect: 1 is Laplace's approximation."""
        return self.fit.nAGQ

    def simulate(
        self,
        nsim: int = 1,
        seed: int | np.random.Generator | None = None,
        use_u: bool = False,
        params: Any = None,
    ) -> pd.DataFrame:
        """Draw categories from the fitted model.

        Parameters
        ----------
        nsim : int, default 1
        seed : int or numpy Generator, optional
        use_u : bool, default False
            Keep the random effects at their conditional modes instead of drawing them.
        params : dict or Series, optional
            Parameters in place of the estimates, as for the results of :func:`glmer`.

        Returns
        -------
        DataFrame, shape (n, nsim)
            Ordered categoricals, in the form that ``refit`` takes.
        """
        return self._simulated(nsim, seed, use_u, params)


def _terms(fit: Any, type: Any, component: str | None) -> pd.DataFrame:
    from ..design.predictor import THRESHOLD
    from ..inference.anova import anova_table

    part = part_of(fit, component)
    if part.design.current == THRESHOLD:
        raise ArgumentError(
            "thresholds are no term to be tested; terms of nominal are by anova() of two models, "
            "with and without it"
        )
    return anova_table(part, type)
