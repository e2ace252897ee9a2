"""The result of a generalised linear model without random effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..diagnostics.residuals import residual_array
from ..errors import ArgumentError
from ..inference.components import part_of
from ..models.glm import GLMFit, refit_glm
from ..models.regression import RegressionFit, refit_regression
from .generalised import GeneralisedResult
from .testing import check_no_component, check_no_type, check_one_model

# What no fit needs is imported by the method that does: a fresh process starts sooner.
if TYPE_CHECKING:
    from ..inference.prediction import Prediction
    from ..tables.summary.text import Summary


def _refit(fit: GLMFit | RegressionFit, y: np.ndarray) -> GLMFit | RegressionFit:
    return refit_glm(fit, y) if fit.irls else refit_regression(fit, y)


@checked_methods
class GLMResult(GeneralisedResult):
    """A fitted generalised linear model.

    Of models that iteratively reweighted least squares fits the covariance matrix is that of the
    expected information, dispersion times (X'WX)^{-1}, and a dispersion is Pearson's X^2 over its
    degrees of freedom, as R's ``glm`` has them. Models by maximum likelihood, those with several
    linear predictors or a family with parameters of its own, have the inverse of the observed
    information over all parameters, as glmmTMB's.

    Parameters
    ----------
    fit : GLMFit or RegressionFit
        The frozen record, from which everything is computed when asked for; the latter of models
        by maximum likelihood.

    Examples
    --------
    >>> import interlace as il
    >>> formula = "cbind(incidence, size - incidence) ~ period"
    >>> m = il.glm(formula, il.load_dataset("cbpp"), family="binomial")
    >>> m.params.round(3).to_dict()
    {'Intercept': -1.269, 'period[T.2]': -1.171, 'period[T.3]': -1.301, 'period[T.4]': -1.782}
    >>> round(m.deviance, 3), m.df_resid
    (114.102, 52)
    """

    fit: GLMFit | RegressionFit
    _refit = staticmethod(_refit)

    # -- the fit ---------------------------------------------------------------------------------

    @property
    def deviance(self) -> float:
        """Residual deviance: twice the distance in log-likelihood to a perfect fit, unscaled.

        -2 log-likelihood where the family has no perfect fit to compare with (`residuals` are not
        of type deviance there): differences between models are what they are elsewhere.
        """
        return self.fit.deviance

    @property
    def null_deviance(self) -> float:
        """Deviance of the model whose mean has an intercept, and the offset, alone."""
        return self.fit.null_deviance

    def dfbeta(self) -> pd.DataFrame:
        """Coefficients less those without each row, as R's ``dfbeta`` of a ``glm``, (n, p).

        In one step, and of the sign that R gives them; ``influence()`` has the opposite.
        """
        return self._deleted("dfbeta")

    def dfbetas(self) -> pd.DataFrame:
        """The same in standard errors, with sigma without the row, as R's ``dfbetas``, (n, p)."""
        return self._deleted("dfbetas")

    def _deleted(self, name: str) -> pd.DataFrame:
        from ..diagnostics.glm_influence import glm_deletion

        values = getattr(glm_deletion(self.fit), name)
        return pd.DataFrame(values, self.fit.design.index, list(self.fit.design.x_names))

    @property
    def pearson_chi2(self) -> float:
        """Pearson's X^2."""
        return float(np.sum(residual_array(self.fit, "pearson") ** 2))

    @property
    def df_null(self) -> int:
        """Residual degrees of freedom of the null model."""
        return self.fit.df_null

    @property
    def df_resid(self) -> int:
        """Rows less coefficients, as R's ``glm``; by maximum likelihood less all parameters."""
        return self.fit.df_resid

    @property
    def df_model(self) -> int:
        """Coefficients besides the intercept, as in statsmodels; ``nparams`` has all parameters."""
        return self.fit.df_null - self.fit.df_resid

    @property
    def infinite(self) -> dict[str, int]:
        """Coefficients without a finite estimate: 1 rises without bound, -1 falls, 0 either."""
        return self.fit.infinite

    # -- values ----------------------------------------------------------------------------------

    def predict(
        self,
        newdata: Any = None,
        type: Literal["response", "link", "conditional", "zprob", "zlink", "disp"] = "response",
        offset: Any = None,
        se: bool = False,
        component: str | None = None,
    ) -> pd.Series | pd.DataFrame:
        """Predicted means, linear predictors, or other quantities.

        Parameters
        ----------
        newdata : data frame, optional
            Default: the rows of the fit.
        type : {"response", "link", "conditional", "zprob", "zlink", "disp"}
            Means, or linear predictors; the others as for a mixed model's ``predict``.
        offset : array, shape (r,), or float, optional
            In place of the fit's ``offset=`` argument.
        se : bool, default False
            With standard errors, as R's ``se.fit``: a DataFrame ``prediction, se``.
        component : str, optional
            With ``type="link"``: which linear predictor, ``"cond"`` (default), ``"zi"``,
            ``"disp"``, ….

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
        >>> formula = "cbind(incidence, size - incidence) ~ period"
        >>> m = il.glm(formula, il.load_dataset("cbpp"), family="binomial")
        >>> m.predict({"period": [1, 2]}).round(4).tolist()
        [0.2194, 0.0802]
        """
        from ..inference.prediction import predict

        return predict(self.fit, newdata, type, False, "error", offset, se, component)

    def get_prediction(
        self,
        newdata: Any = None,
        offset: Any = None,
        type: Literal["response", "link", "conditional", "zprob", "zlink", "disp"] = "response",
        component: str | None = None,
        interval: Literal["confidence", "prediction"] = "confidence",
        trials: Any = None,
    ) -> Prediction:
        """Predictions with standard errors; ``summary_frame(alpha)`` tabulates the intervals.

        Parameters
        ----------
        newdata, offset, type, component
            As for ``predict``. Intervals are made on the scale of the link of what is predicted.
        interval : {"confidence", "prediction"}, default "confidence"
            With ``"prediction"`` the table has ``obs_ci``, where a new observation may lie, too: of
            Gaussian responses R's, of others from quantiles of the family's distribution, mixed
            over the uncertainty of the linear predictors.
        trials : int, array, shape (r,), or str, optional
            With ``interval="prediction"`` of a binomial family: trials of the new observations, or
            a column of `newdata` that has them; default 1, and those of the fit for its own rows.

        Returns
        -------
        Prediction
        """
        from ..inference.prediction import get_prediction

        arguments = {"offset": offset, "type": type, "component": component}
        arguments |= {"interval": interval, "trials": trials}
        return get_prediction(self.fit, newdata, False, **arguments)

    def simulate(
        self,
        nsim: int = 1,
        seed: int | np.random.Generator | None = None,
        params: Any = None,
    ) -> pd.DataFrame:
        """Draw responses from the fitted model.

        Parameters
        ----------
        nsim : int, default 1
        seed : int or numpy Generator, optional
        params : dict or Series, optional
            Parameters in place of the estimates, lme4's ``newparams``: ``beta`` and
            ``sigma``, or by the names that ``m.bootstrap().frame`` has, as for
            :func:`interlace.power`. Those not named keep their estimates.

        Returns
        -------
        DataFrame, shape (n, nsim)
            Proportions for ``cbind()`` and ``successes / trials``, else responses.
        """
        from ..inference.simulate import simulate

        return simulate(self.fit, nsim, seed, params=params)

    # -- tests -----------------------------------------------------------------------------------

    def anova(
        self,
        *others: Any,
        test: Literal["LRT", "Chisq", "F"] | None = None,
        type: Literal["I", "II", "III", 1, 2, 3] | None = None,
        refit: bool = True,
        names: Sequence[str] | None = None,
        component: str | None = None,
    ) -> pd.DataFrame:
        """Analysis of deviance against other models, or tests of this model's terms.

        Parameters
        ----------
        *others : GLMResult, LMMResult or GLMMResult
            Models of the same rows, nested in this one or containing it. With a mixed model,
            another family or a model by maximum likelihood among them: likelihood-ratio tests.
            Without any the terms of this model are tested.
        test : {"LRT", "Chisq", "F"}, optional
            Default: F where a dispersion is estimated, chi-squared elsewhere.
        type : {"III", "II", "I"} or {3, 2, 1}, optional
            Of the tests of terms, which are Wald's, as car's ``Anova(m, test = "Wald")``. Default:
            II. Tests of type III do not depend on the coding of factors.
        refit : bool, default True
            Refit REML fits among the others by maximum likelihood first.
        names : sequence of str, optional
            Row labels; default: the formulas.
        component : str, optional
            Without others: whose terms are tested, those of ``"cond"``, the mean (default), or of
            another linear predictor of the model, such as ``"zi"``.

        Returns
        -------
        DataFrame
            R's columns: ``Resid. Df, Resid. Dev, Df, Deviance`` and ``Pr(>Chi)``, or
            ``F, Pr(>F)``. Of likelihood-ratio tests ``Df, AIC, BIC, logLik, deviance, Chisq,
            Chi Df, Pr(>Chisq)``, whichever model comes first. Of terms ``Chisq, Df, Pr(>Chisq)``,
            or ``NumDF, DenDF, F value, Pr(>F)``.

        Examples
        --------
        >>> import interlace as il
        >>> cbpp = il.load_dataset("cbpp")
        >>> none = il.glm("cbind(incidence, size - incidence) ~ 1", cbpp, family="binomial")
        >>> full = il.glm("cbind(incidence, size - incidence) ~ period", cbpp, family="binomial")
        >>> none.anova(full)["Deviance"].iloc[1].round(3)
        np.float64(40.716)
        """
        if not others:
            if test == "LRT":
                raise ArgumentError(
                    "test='LRT' compares models: give the smaller ones as arguments. Without "
                    "them the tests of terms are Wald's, 'F' or 'Chisq'"
                )
            check_one_model(names)
            from ..inference.anova import anova_table
            from ..inference.glm_anova import check_dispersion

            check_dispersion(self.fit, test)
            part = part_of(self.fit, component)
            return anova_table(part, "II" if type is None else type, test)
        check_no_type(type)
        check_no_component(component)
        from ..inference.comparison import same_distribution

        family = self.fit.family
        if not self.fit.irls or not all(
            isinstance(other, GLMResult)
            and other.fit.irls
            and same_distribution(family, other.fit.family)
            for other in others
        ):
            if test not in (None, "LRT", "Chisq"):
                raise ArgumentError(
                    f"test={test!r} is for glms of one family alone: against a mixed model, "
                    "another family or a model by maximum likelihood the test is 'LRT'"
                )
            return self._compared(others, names, refit)
        from ..inference.glm_anova import analysis_of_deviance

        return analysis_of_deviance([m.fit for m in (self, *others)], names, test)

    # -- tables and text -------------------------------------------------------------------------

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
        conf_int : bool, default False
        conf_level : float, default 0.95
        exponentiate : bool, default False
            Exponentials of estimates and intervals, standard errors by the delta method, for the
            links log, logit and cloglog.
        r_names : bool, default False
            R's names of coefficients.
        component : str, optional
            Rows of one component alone: ``"cond"``, ``"zi"``, ``"disp"``, …; default all.

        Returns
        -------
        DataFrame
            ``term, estimate, std_error, statistic, p_value[, conf_low, conf_high]``, after
            ``component`` of models with several.
        """
        return self._tidy(effects, conf_int, conf_level, exponentiate, r_names, component)

    def glance(self) -> pd.DataFrame:
        """One row with broom's columns.

        Returns
        -------
        DataFrame
            ``null_deviance, df_null, log_lik, aic, bic, deviance, df_residual, nobs``, and the
            ``theta`` or ``dispersion`` that was estimated, or the parameters of the family.
        """
        return self._glance()

    def augment(
        self,
        data: Any = None,
        type_predict: Literal["link", "response"] = "link",
        type_residuals: Literal["deviance", "pearson", "response"] | None = None,
    ) -> pd.DataFrame:
        """The rows with ``.fitted, .resid, .hat, .cooksd, .std_resid``, as broom has them.

        Parameters
        ----------
        data : data frame, optional
            That of the fit, all of whose columns then come first; refused where the variables of
            the formula have other values. Default: the response and the
            variables of the formula; of a result from a pickle, the columns of the model matrix.
        type_predict : {"link", "response"}, default "link"
            What ``.fitted`` holds.
        type_residuals : {"deviance", "pearson", "response"}, optional
            What ``.resid`` holds; default: deviance, or response where the family has no deviance.

        Returns
        -------
        DataFrame
            Models with several components have no ``.hat``, nor what is made of it.
        """
        from ..tables.augment import augment_glm

        return augment_glm(
            self.fit, data, type_predict, type_residuals, self._data, self.call is not None
        )

    def summary(self, r_names: bool = False) -> Summary:
        from ..tables.summary.glm import summarise

        return summarise(self.fit, self._table, r_names)

    def __repr__(self) -> str:
        from ..tables.summary.glm import repr_text

        return repr_text(self.fit)

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return ["N", "ll", "aic"]
