"""The interface of results of mixed models: names that users expect, over functions of a fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..errors import ArgumentError
from ..inference.components import part_of
from ..lookups import ByGroup
from .base import ModelResult
from .testing import check_no_component, check_no_ddf, check_no_type, check_one_model

# What no fit needs is imported by the method that does: a fresh process starts sooner.
if TYPE_CHECKING:
    from ..diagnostics.all_fit import AllFit
    from ..diagnostics.laplace_error import LaplaceError
    from ..inference.prediction import Prediction
    from ..models.kinds import MixedFit
    from ..plots.accessor import MixedPlots
    from ..tables.summary.text import Summary


@checked_methods
class MixedResult(ModelResult):
    """A fitted mixed model, linear or generalised.

    Parameters
    ----------
    fit : LMMFit or GLMMFit
        The frozen record, from which everything is computed when asked for.
    """

    fit: MixedFit
    #: What ``anova()`` gives without being told: R's default.
    _anova_type = "III"

    # -- random effects and variances ------------------------------------------------------------

    @property
    def random_effects(self) -> dict[str, pd.DataFrame]:
        """Conditional modes: grouping factor -> DataFrame (levels x terms).

        Those of other linear predictors than the mean's have its name in front.
        """
        from ..tables.random_effects import random_effects

        return random_effects(self.fit)

    @property
    def random_effects_se(self) -> dict[str, pd.DataFrame]:
        """Conditional standard deviations of the modes, shaped as ``random_effects``."""
        from ..tables.random_effects import random_effects_se

        return random_effects_se(self.fit)

    def random_effects_ci(self, level: float = 0.95) -> dict[str, pd.DataFrame]:
        """Normal intervals of the modes by their conditional standard deviations.

        Parameters
        ----------
        level : float, default 0.95

        Returns
        -------
        dict of str to DataFrame
            Grouping factor -> levels by ``lower, upper`` of one effect, by ``(effect, lower)``,
            ``(effect, upper)``, … of several.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
        >>> m.random_effects_ci()["Batch"].round(1).loc["A"].tolist()
        [-56.0, 20.8]
        """
        from ..tables.random_effects import random_effects_intervals

        return random_effects_intervals(self.fit, level)

    def ranef(self, cond_sd: bool = False, r_names: bool = False) -> Any:
        """Conditional modes of the random effects.

        Parameters
        ----------
        cond_sd : bool, default False
            A tidy frame with conditional standard deviations, as R's
            ``as.data.frame(ranef(m))``, instead of ``random_effects``.
        r_names : bool, default False
            R's names of the terms, in the tidy frame.

        Returns
        -------
        dict of DataFrame, or DataFrame
            ``group, level, term, value, cond_sd``, after ``component`` where the model has several.
        """
        from ..tables.random_effects import ranef

        return ranef(self.fit, True, r_names) if cond_sd else self.random_effects

    def coef(self) -> dict[str, pd.DataFrame]:
        """Coefficients of each level, fixed plus random: grouping factor -> DataFrame.

        Those of other linear predictors than the mean's, where they have random effects of the
        factor, have the predictor's name in front: ``"zi.Intercept"``.
        """
        from ..tables.random_effects import coef

        return coef(self.fit)

    @property
    def variance_components(self) -> dict[str, float | pd.DataFrame]:
        """Grouping factor -> variance (one effect) or covariance DataFrame (several)."""
        from ..tables.random_effects import variance_components

        return variance_components(self.fit)

    def VarCorr(self, r_names: bool = False, se: bool = False) -> pd.DataFrame:
        """Variances and covariances; with the residual variance where the family is Gaussian.

        Parameters
        ----------
        r_names : bool, default False
        se : bool, default False
            Add standard errors of ``sd_or_corr`` by the delta method. Intervals are better than
            these: ``conf_int(parm="theta_", method="profile")``.

        Returns
        -------
        DataFrame
            ``group, term1, term2, variance, sd_or_corr`` in the order of lme4's
            ``as.data.frame(VarCorr(m))``; with ``component`` (``"cond"``, ``"zi"``, ``"disp"``, …)
            first where the model has several. A covariance structure has its standard deviations,
            one of all effects under its own name, and rows of its parameters: ``term2`` is
            ``"rho"``, ``"range"`` or ``"smoothness"``.
        """
        from ..tables.random_effects import varcorr

        return varcorr(self.fit, r_names, se)

    def rePCA(self) -> pd.DataFrame:
        """Principal components of the random effects' covariances: what the data support."""
        from ..tables.random_effects import principal_components

        return principal_components(self.fit)

    @property
    def theta(self) -> pd.Series:
        """Relative covariance parameters in lme4's order, (n_theta,)."""
        return pd.Series(self.fit.theta.copy(), index=self.fit.covariance.theta_names, name="theta")

    # -- the fit ---------------------------------------------------------------------------------

    @property
    def deviance(self) -> float:
        """lme4's ``deviance()``.

        Of a linear model -2 log-likelihood, for a REML fit at its theta (``REML = FALSE``); of a
        generalised one the sum of squared deviance residuals, given the random effects, or -2
        log-likelihood where the family has no deviance of single observations.
        """
        return self.fit.deviance

    @property
    def ngroups(self) -> dict[str, int]:
        """Grouping factor -> number of levels."""
        return ByGroup(((f.name, f.n_labels) for f in self.fit.design.factors), "m.ngroups")

    @property
    def df_model(self) -> int:
        """Estimated parameters, as ``nparams``; of a ``glm`` the name means another number."""
        return self.nparams

    @property
    def df_resid(self) -> int:
        """Rows less estimated parameters, as lme4's ``df.residual``."""
        return self.fit.n - self.fit.n_parameters

    @property
    def is_singular(self) -> bool:
        """A covariance matrix of random effects has lost rank."""
        return self.fit.optimum.singular

    @property
    def boundary_flags(self) -> dict[str, bool]:
        """Random-effect term -> whether its covariance matrix has lost rank."""
        covariance = self.fit.covariance
        flags = covariance.singular(self.fit.theta_standard)
        return dict(zip(covariance.term_labels, flags, strict=True))

    # -- values ----------------------------------------------------------------------------------

    def r2(
        self,
        approximation: Literal["lognormal", "delta", "trigamma", "theoretical"] | None = None,
    ) -> pd.Series:
        """Nakagawa's R^2: the shares of variance of fixed, and of fixed and random effects.

        On the scale of the linear predictor, with the variance that the family has there.

        Parameters
        ----------
        approximation : {"lognormal", "delta", "trigamma", "theoretical"}, optional
            How that variance is found: by default from the latent variable for a binomial response
            (``"theoretical"``), the lognormal one under the log link, else the delta method.

        Returns
        -------
        Series
            ``marginal, conditional``.

        Raises
        ------
        ArgumentError
            If the approximation is not for the family, or zeros have a model of their own.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> m.r2().round(3).to_dict()
        {'marginal': 0.279, 'conditional': 0.799}
        """
        from ..diagnostics.variance_shares import r2

        return r2(self.fit, approximation)

    def icc(
        self,
        by_group: bool = False,
        approximation: Literal["lognormal", "delta", "trigamma", "theoretical"] | None = None,
    ) -> pd.Series:
        """Intraclass correlation: the share of variance between groups.

        Parameters
        ----------
        by_group : bool, default False
            The share of each grouping factor instead of that of all.
        approximation : {"lognormal", "delta", "trigamma", "theoretical"}, optional
            As for ``r2``.

        Returns
        -------
        Series
            ``adjusted``, of what the fixed effects leave, and ``conditional``, of all; or the
            adjusted one of each factor.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> m.icc().round(3).to_dict()
        {'adjusted': 0.722, 'conditional': 0.521}
        """
        from ..diagnostics.variance_shares import icc

        return icc(self.fit, by_group, approximation)

    def level_residuals(
        self, level: int | str = 1, standardize: Any = False, include_ls: bool = True
    ) -> pd.DataFrame:
        """Residuals of rows, or of the groups of a factor, as HLMdiag's ``hlm_resid``.

        Of linear mixed models.

        Parameters
        ----------
        level : 1 or str, default 1
            Rows, or the name of a grouping factor.
        standardize : bool or "semi", default False
            Divided by their standard deviations; marginal ones made uncorrelated by a Cholesky
            factor. ``"semi"``: of least squares alone, divided by sqrt(1 - leverage).
        include_ls : bool, default True
            With those of least squares in each group apart.

        Returns
        -------
        DataFrame
            Of rows ``.resid, .fitted`` (conditional), ``.ls.resid, .ls.fitted`` (least squares in
            the groups of the finest factor) and ``.mar.resid, .mar.fitted`` (marginal); of groups
            ``.ranef.<effect>``, the conditional modes, and ``.ls.<effect>``, coefficients of least
            squares less their mean. Standardised ones are ``.std.resid``, ``.std.ls.resid``,
            ``.semi.ls.resid``, ``.chol.mar.resid``, ``.std.ranef.…`` and ``.std.ls.…``.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> m.level_residuals("Subject").round(2).loc["308"].tolist()
        [2.26, 9.2, -7.21, 11.3]
        """
        from ..diagnostics.level_residuals import level_residuals

        return level_residuals(self.fit, level, standardize, include_ls)

    def dfbeta(self, by: Any = None, exact: bool = False) -> pd.DataFrame:
        """Coefficients without each row or group less those with it, as lme4's ``dfbeta``.

        Parameters
        ----------
        by, exact
            As for ``influence``.

        Returns
        -------
        DataFrame, shape (g, p)
        """
        return self.influence(by, exact).dfbeta

    def dfbetas(self, by: Any = None, exact: bool = False) -> pd.DataFrame:
        """The same in standard errors of the estimates without it, as lme4's ``dfbetas``.

        Parameters
        ----------
        by, exact
            As for ``influence``.

        Returns
        -------
        DataFrame, shape (g, p)
        """
        return self.influence(by, exact).dfbetas

    def predict(
        self,
        newdata: Any = None,
        type: Literal[
            "response", "link", "conditional", "zprob", "zlink", "disp", "latent"
        ] = "response",
        include_re: Any = True,
        new_levels: Literal["error", "population"] = "error",
        offset: Any = None,
        se: bool = False,
        component: str | None = None,
        marginal: bool = False,
        forecast: bool = False,
    ) -> Any:
        """Predicted values.

        Parameters
        ----------
        newdata : data frame, optional
            Default: the rows of the fit.
        type : {"response", "link", "conditional", "zprob", "zlink", "disp", "latent"}
            Means, or the linear predictor; the same for a linear model. As in glmmTMB also the
            mean of what is no structural zero, the probability of a structural zero (with extra
            zeros the response is (1 - zprob) times conditional) and its logit, and the dispersion
            as R's ``sigma`` has it: the standard deviation of a Gaussian, the coefficient of
            variation of a Gamma, of others the parameter itself (``theta``, ``phi``, ...). Of beta
            families with zeros and ones ``"zprob"`` is the probability of a zero and
            ``"conditional"`` the mean of what lies between. ``"latent"`` are the random effects
            themselves, those of ``ranef(cond_sd=True)``, which need no `newdata`.
        include_re : bool, str or sequence of str, default True
            All random effects (R's ``re.form = NULL``), none (``NA``), or those of the grouping
            factors or terms named, such as ``"Subject"`` or ``"(1 | Subject)"``.
        new_levels : {"error", "population"}, default "error"
            What an unseen level of a grouping factor is: an error, or a level without random
            effect.
        offset : array, shape (r,), or float, optional
            In place of the fit's ``offset=`` argument.
        se : bool, default False
            With standard errors; see ``get_prediction`` for what they are.
        component : str, optional
            With ``type="link"``: which linear predictor, ``"cond"`` (default), ``"zi"``,
            ``"disp"``, ….
        marginal : bool, default False
            Average over the random effects that do not enter, by quadrature, in place of setting
            them to zero: the mean of the population, not that of a typical level. None enter
            unless ``include_re`` or ``new_levels`` says which. The same in a linear model.
        forecast : bool, default False
            Of models with ``correlation=``: new rows of known groups with what the residuals of
            their rows tell of them, the expectation of the response given all that was observed.
            By default, as nlme's, the mean given the random effects. A row at the time of one of
            the fit is that row, and its forecast what was observed; with times by the order of the
            rows, as in ``"ar1(1 | g)"``, new rows follow those of the fit.

        Returns
        -------
        Series, shape (r,)
            With ``se=True`` a DataFrame ``prediction, se``. Of ``"latent"`` one row for each random
            effect, by component (of models with several), group, level and term.

        Raises
        ------
        DataError
            If columns are missing or levels unknown.
        ArgumentError
            If another argument is not one of those above.

        Examples
        --------
        >>> import interlace as il
        >>> sleep = il.load_dataset("sleepstudy")
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", sleep)
        >>> m.predict(sleep.head(2)).round(3).tolist()
        [253.664, 273.33]
        >>> m.predict(sleep.head(2), include_re=False).round(3).tolist()
        [251.405, 261.872]
        >>> g = il.glmer("use ~ age + (1 | district)", il.load_dataset("Contraception"), "binomial")
        >>> new = {"age": [0.0]}
        >>> g.predict(new, include_re=False).round(4).tolist()
        [0.3682]
        >>> g.predict(new, marginal=True).round(4).tolist()
        [0.3751]
        """
        if type == "latent":
            if newdata is not None or component is not None:
                raise ArgumentError(
                    "type='latent' predicts the random effects themselves, all of them: leave out "
                    "newdata= and component="
                )
            from ..tables.random_effects import latent

            return latent(self.fit, se)
        from ..inference.prediction import predict

        how = new_levels, offset, se, component, marginal, forecast
        return predict(self.fit, newdata, type, include_re, *how)

    def get_prediction(
        self,
        newdata: Any = None,
        include_re: Any = True,
        new_levels: Literal["error", "population"] = "error",
        offset: Any = None,
        new_level_variance: bool = False,
        type: Literal["response", "link", "conditional", "zprob", "zlink", "disp"] = "response",
        component: str | None = None,
        marginal: bool = False,
        interval: Literal["confidence", "prediction"] = "confidence",
        trials: Any = None,
        *,
        theta_error: Literal["none", "delta", "corrected"] | None = None,
        forecast: bool = False,
    ) -> Prediction:
        """Predictions with standard errors; ``summary_frame(alpha)`` has the intervals.

        Intervals of the mean and, of linear models or with ``interval="prediction"``, intervals for
        a new observation, ``obs_ci``: of a level that is not known, or left out, they have the
        variance of its random effects. Standard errors are from the joint covariance of
        coefficients and random effects given the covariance parameters, as lme4's. Of models with
        several linear predictors, and of families that lme4 has not, they have the uncertainty of
        the covariance parameters too, as glmmTMB's, by the delta method on all parameters. Without
        random effects (``include_re=False``) the two are the same.

        Parameters
        ----------
        newdata, include_re, new_levels, offset
            As for ``predict``.
        new_level_variance : bool, default False
            Whether the mean of a level that is not known, or left out by ``include_re``, is that
            of a level drawn at random, with the variance of the random effects in its standard
            error, and not that of a level whose random effects are zero, as lme4's.
        type, component
            As for ``predict``. Intervals are made on the scale of the link of what is predicted:
            that of the mean, the logit of a probability, the logarithm of a dispersion.
        marginal : bool, default False
            As for ``predict``; standard errors have the uncertainty of the covariance parameters.
        interval : {"confidence", "prediction"}, default "confidence"
            With ``"prediction"`` generalised models have ``obs_ci`` too, made of quantiles of the
            family's distribution, mixed over the linear predictors as they are estimated and over
            the random effects that are not known: whole numbers for counts, proportions for
            binomial responses. Nothing is drawn.
        trials : int, array, shape (r,), or str, optional
            With ``interval="prediction"`` of a binomial family: trials of the new observations, or
            a column of `newdata` that has them; default 1, and those of the fit for its own rows.
        theta_error : {"none", "delta", "corrected"}, optional
            How much of the uncertainty of the covariance parameters is in standard errors beside
            known random effects: nothing, as in lme4's; its share by the delta method, as in
            glmmTMB's; of linear models twice that share, which also makes up for the rest being
            estimated too small. Default: nothing in those of means, twice in ``obs_ci`` of linear
            models, whose intervals then cover what they say; models with several linear
            predictors always have it by the delta method.
        forecast : bool, default False
            As for ``predict``. ``obs_ci`` then has the variance that the residuals of known rows
            leave, and ``mean`` is its centre.

        Returns
        -------
        Prediction
            Its ``notes``, also in ``summary_frame().attrs``, say what is in the intervals.

        References
        ----------
        Kackar and Harville (1984), Approximations for standard errors of estimators of fixed and
        random effects in mixed linear models, JASA 79, 853-862; Prasad and Rao (1990), The
        estimation of the mean squared error of small-area estimators, JASA 85, 163-171.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> frame = m.get_prediction({"Days": [5.0]}, include_re=False).summary_frame()
        >>> frame.round(1)["obs_ci_lower"].tolist()  # of a subject that is not one of the 18
        [201.9]
        >>> formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
        >>> g = il.glmer(formula, il.load_dataset("cbpp"), family="binomial")
        >>> how = {"include_re": False, "interval": "prediction", "trials": 10}
        >>> frame = g.get_prediction({"period": [1, 2]}, **how).summary_frame()
        >>> frame["obs_ci_upper"].tolist()  # of 10 animals of another herd
        [0.6, 0.4]
        """
        from ..inference.prediction import get_prediction

        levels = new_levels, offset, new_level_variance
        of = type, component, marginal
        return get_prediction(
            self.fit, newdata, include_re, *levels, *of, interval, trials, theta_error, forecast
        )

    def simulate(
        self,
        nsim: int = 1,
        seed: int | np.random.Generator | None = None,
        use_u: bool = False,
        params: Any = None,
    ) -> pd.DataFrame:
        """Draw responses from the fitted model, in the form that ``refit`` takes.

        Parameters
        ----------
        nsim : int, default 1
        seed : int or numpy Generator, optional
        use_u : bool, default False
            Keep the random effects at their conditional modes instead of drawing them.
        params : dict or Series, optional
            Parameters in place of the estimates, lme4's ``newparams``: ``beta``, ``theta`` and
            ``sigma``, or by the names that ``m.bootstrap().frame`` has, as for
            :func:`interlace.power`. Those not named keep their estimates.

        Returns
        -------
        DataFrame, shape (n, nsim)

        Raises
        ------
        ArgumentError
            If a parameter is not one of the model's, or outside its range.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
        >>> m.simulate(2, seed=1, params={"beta": [1500.0], "sigma": 20.0}).shape
        (30, 2)
        """
        from ..inference.simulate import simulate

        return simulate(self.fit, nsim, seed, use_u, params)

    # -- pictures --------------------------------------------------------------------------------

    @property
    def plot(self) -> MixedPlots:
        """Pictures with matplotlib: ``m.plot()`` a panel, ``m.plot.qq()``, … one of them."""
        from ..plots.accessor import MixedPlots

        return MixedPlots(self.fit, self._data)

    # -- diagnosis -------------------------------------------------------------------------------

    def all_fit(self) -> AllFit:
        """The same model by every optimiser and from other starts, as lme4's ``allFit``.

        By trust-region Newton, L-BFGS-B and BOBYQA, and by Newton from small and from large
        variances: where the answers agree the optimum is no accident of a search.

        Returns
        -------
        AllFit
            With ``to_frame()``: verdicts, log-likelihoods, fixed effects, theta and times side by
            side; ``message``, the largest differences in words; ``results``, the fits.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
        >>> m.all_fit().llf.round(3).unique().tolist()
        [-159.827]
        """
        from ..diagnostics.all_fit import all_fit

        return all_fit(self.fit, type(self))

    def laplace_error(
        self,
        n: int = 2000,
        *,
        seed: int | np.random.Generator | None = None,
        method: Literal["auto", "quadrature", "importance"] = "auto",
    ) -> LaplaceError:
        """How far the log-likelihood is from the integral that it approximates.

        With one grouping factor of up to four effects by adaptive quadrature with growing numbers
        of nodes, else by draws of the random effects around their modes (importance sampling), for
        each part of the factors' graph by itself, with a standard error. From the gradient of the
        integral follows how far the estimates are from the maximum of the likelihood itself.

        Parameters
        ----------
        n : int, default 2000
            Draws, where they are needed; the standard error falls with their root.
        seed : int or numpy Generator, optional
            Of the draws.
        method : {"auto", "quadrature", "importance"}, default "auto"

        Returns
        -------
        LaplaceError

        Raises
        ------
        ArgumentError
            If the model is linear, whose likelihood is exact, the fit is by REML, or so many random
            effects share rows that they cannot be drawn.

        References
        ----------
        Geweke (1989), Bayesian inference in econometric models using Monte Carlo integration,
        Econometrica 57, 1317-1339.

        Examples
        --------
        >>> import interlace as il
        >>> formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
        >>> m = il.glmer(formula, il.load_dataset("cbpp"), family="binomial")
        >>> m.laplace_error().shifts["in_std_errors"].round(2).tolist()
        [0.03, -0.0, 0.0, 0.0, 0.0]
        """
        from ..diagnostics.laplace_error import laplace_error

        return laplace_error(self.fit, n, seed, method)

    # -- tests -----------------------------------------------------------------------------------

    def anova(
        self,
        *others: Any,
        type: Literal["I", "II", "III", 1, 2, 3] | None = None,
        refit: bool = True,
        names: Sequence[str] | None = None,
        component: str | None = None,
        ddf: str | None = None,
    ) -> pd.DataFrame:
        """Tests of the fixed-effects terms, or likelihood-ratio tests against other models.

        Parameters
        ----------
        *others : LMMResult, GLMMResult or GLMResult
            Models of the same response, in any order; without any, the terms of this model are
            tested.
        type : {"III", "II", "I"} or {3, 2, 1}, optional
            Default: III for linear models, as lmerTest; II for others, as car's ``Anova``.
        refit : bool, default True
            Refit REML fits by maximum likelihood before comparing, as lme4.
        names : sequence of str, optional
            Row labels of a comparison; default: the formulas.
        component : str, optional
            Without others: whose terms are tested, those of ``"cond"``, the mean (default), or of
            another linear predictor of the model, such as ``"zi"``.
        ddf : {"Satterthwaite", "Kenward-Roger"}, optional
            Without others, of a linear mixed model: denominator degrees of freedom, with Kenward
            and Roger's their scaled F of adjusted variances; default: Satterthwaite's.

        Returns
        -------
        DataFrame
            By term: ``Sum Sq, Mean Sq, NumDF, DenDF, F value, Pr(>F)`` for linear models,
            ``Chisq, Df, Pr(>Chisq)`` (Wald) for others. By model: ``Df, AIC, BIC, logLik,
            deviance, Chisq, Chi Df, Pr(>Chisq)``; ``attrs["notes"]``, printed above the table,
            names the models that were refitted.

        Notes
        -----
        Tests of type III do not depend on the coding of factors: each term is tested as R's
        ``Anova(type = 3)`` tests it under contrasts that sum to zero, and covariates at zero.
        """
        if not others:
            check_one_model(names)
            from ..inference.anova import anova_table

            part = part_of(self.fit, component)
            return anova_table(part, self._anova_type if type is None else type, ddf=ddf)
        check_no_type(type)
        check_no_ddf(ddf)
        check_no_component(component)
        return self._compared(others, names, refit)

    def ranova(self, *, reduce_terms: bool = True) -> pd.DataFrame:
        """Likelihood-ratio tests of the random terms, as lmerTest's ``ranova``.

        Parameters
        ----------
        reduce_terms : bool, default True
            Take one variable at a time out of a term with several effects, ``(Days | Subject)`` to
            ``(1 | Subject)``; False takes out the whole term.

        Returns
        -------
        DataFrame
            One row ``<none>`` and one a deletion: ``npar, logLik, AIC, LRT, Df, Pr(>Chisq)``, and
            ``Pr(boundary)``: the variance tested lies on its boundary, where the statistic is a
            mixture of chi-squared distributions with Df - 1 and Df degrees of freedom in equal
            parts when one effect is removed (Stram and Lee 1994), and the p-value of chi-squared
            too large. REML fits are compared by REML. With several linear predictors the terms are
            those of the mean.

        Raises
        ------
        ArgumentError
            If the result does not hold its data.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> m.ranova()["LRT"].round(3).tolist()
        [nan, 42.837]
        """
        from ..inference.deletion import without_random

        return without_random(self, reduce_terms)

    # -- tables and text -------------------------------------------------------------------------

    def tidy(
        self,
        effects: str | Sequence[str] = ("fixed", "ran_pars"),
        *,
        conf_int: bool = False,
        conf_level: float = 0.95,
        exponentiate: bool = False,
        r_names: bool = False,
        component: str | None = None,
    ) -> pd.DataFrame:
        """One row per parameter, with broom.mixed's columns.

        Parameters
        ----------
        effects : {"fixed", "ran_pars", "ran_vals", "ran_coefs"} or sequence of them
            Coefficients; standard deviations and correlations; conditional modes; coefficients
            of each level.
        conf_int : bool, default False
        conf_level : float, default 0.95
        exponentiate : bool, default False
            exp() of coefficients and their intervals, standard errors by the delta method: odds
            ratios, rate ratios. For the links log, logit and cloglog, and linear models of a
            logarithm.
        r_names : bool, default False
            R's names of coefficients.
        component : str, optional
            Rows of one component alone: ``"cond"``, ``"zi"``, ``"disp"``, …; default all.

        Returns
        -------
        DataFrame
            ``effect, component, group, level, term, estimate, std_error, statistic, df, p_value,
            conf_low, conf_high``, as far as one of the effects has them; ``df`` for linear models,
            ``component`` for models with several. With ``"ran_pars"`` also parameters of the
            family that are one number, such as ``theta`` of a negative binomial model.
        """
        return self._tidy(effects, conf_int, conf_level, exponentiate, r_names, component)

    def glance(self) -> pd.DataFrame:
        """One row: ``nobs, sigma, log_lik, aic, bic, reml_crit | deviance, df_residual``.

        Returns
        -------
        DataFrame
            With the columns ``theta`` of a negative binomial model and ``dispersion`` of a
            generalised one that estimates it, or the parameters of its family.
        """
        return self._glance()

    def augment(self, data: Any = None, influence: bool = True) -> pd.DataFrame:
        """The rows with broom.mixed's columns ``.fitted, .resid, .hat, .cooksd, .fixed``.

        Parameters
        ----------
        data : data frame, optional
            That of the fit, all of whose columns then come first; refused where the variables of
            the formula have other values. Default: the response and the
            variables of the formula; of a result from a pickle, the columns of the model matrix.
        influence : bool, default True
            With ``.hat`` and ``.cooksd``, which take time with several grouping factors; not
            of models with several components, which have none.

        Returns
        -------
        DataFrame
            For a generalised model ``.fitted`` and ``.fixed`` are linear predictors, ``.resid``
            deviance residuals (of the response where the family has no deviance), and ``.mu``
            the fitted means.
        """
        from ..tables.augment import augment

        return augment(self.fit, data, influence, self._data, self.call is not None)

    def summary(
        self, r_names: bool = False, correlation: bool = True, *, ddf: str | None = None
    ) -> Summary:
        """The summary in the order R users know; prints itself.

        Parameters
        ----------
        r_names : bool, default False
            R's names of coefficients.
        correlation : bool, default True
            Correlations of the fixed effects, for at most 20 coefficients.
        ddf : {"Satterthwaite", "Kenward-Roger"}, optional
            Degrees of freedom of a linear mixed model's t tests, with Kenward and Roger's their
            standard errors as well; default: Satterthwaite's.

        Returns
        -------
        Summary
        """
        from ..inference.wald import method_of, t_table
        from ..tables.summary.mixed import summarise

        method = method_of(self.fit, ddf, "ddf")
        table = self._table if ddf is None else t_table(self.fit, df_method=method)
        return summarise(self.fit, table, r_names, correlation, method)

    def __repr__(self) -> str:
        from ..tables.summary.mixed import repr_text

        return repr_text(self.fit)
