"""The interface of all results: names that users expect, over functions of a fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    DataError,
    brief,
    suggestion,
    warn_if_not_converged,
)
from ..inference.components import (
    dispersion_coefficients,
    own_errors,
    own_parameters,
    part_of,
    parts,
)
from ..inference.criteria import aic, bic
from ..other_names import attribute_hint
from ..tables.maketables import Maketables
from ..tables.names import named_matrix
from .diagnosis import Diagnosis

# What no fit needs is imported by the method that does: a fresh process starts sooner.
if TYPE_CHECKING:
    from ..diagnostics.convergence import Convergence
    from ..diagnostics.cross_validation import CVResult
    from ..diagnostics.diagnosis import FitDiagnosis
    from ..inference.marginal_means import MarginalMeans
    from ..inference.profile.profile import Profile
    from ..inference.resampling.bootstrap import Bootstrap
    from ..inference.step import Step
    from ..inference.update import Doors
    from ..inference.wald import WaldTest
    from ..models.kinds import AnyFit, GeneralisedFit
    from ..plots.accessor import ModelPlots
    from ..tables.summary.text import Summary

#: Of what a pickled result holds; raised when records of earlier versions need other treatment.
PICKLE_LAYOUT = 1

#: What the classes of results are about that have names others lack.
KINDS = {"MixedResult": "random effects", "GeneralisedResult": "a family and a link"}


@checked_methods
class ModelResult(Diagnosis, Maketables, ABC):
    """A fitted model with coefficients, whatever else it has.

    Parameters
    ----------
    fit : LMMFit, GLMMFit, GLMFit or RegressionFit
        The frozen record, from which everything is computed when asked for.
    """

    fit: AnyFit
    #: Arguments of the call that made the fit, data included; not kept in a pickle.
    call: dict[str, Any] | None = None
    #: The functions that fit it again with another formula; None where there is no call.
    _doors: Doors | None = None
    #: The data of the model that this one was refitted from.
    _refitted_data: Any = None
    #: Fits the same model to another response.
    _refit: Callable[[Any, np.ndarray], Any]

    def __init__(self, fit: Any) -> None:
        self.fit = fit

    def __getstate__(self) -> dict[str, Any]:
        return {"fit": self.fit, "layout": PICKLE_LAYOUT}

    def __setstate__(self, state: dict[str, Any]) -> None:
        layout = state.pop("layout", 1)
        if layout > PICKLE_LAYOUT:
            raise DataError(
                f"the pickle was written by a later version of interlace (its layout is {layout}, "
                f"this version reads up to {PICKLE_LAYOUT}): load it with that version"
            )
        self.__dict__.update(state)

    def __copy__(self) -> Self:
        other = type(self)(self.fit)
        other.call, other._doors = self.call, self._doors
        other._refitted_data = self._refitted_data
        return other

    def __getattr__(self, name: str) -> Any:
        """Called for what is not there: says what serves instead."""
        if name in dir(type(self)):  # a property that failed: its own error
            return object.__getattribute__(self, name)
        hint = "" if name.startswith("_") else self._missing(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    @classmethod
    def _missing(cls, name: str) -> str:
        if hint := attribute_hint(name):
            return f": {hint}"
        for other in ModelResult.__subclasses__():
            if not issubclass(cls, other) and hasattr(other, name):
                return f": {name!r} is of results with {KINDS[other.__name__]}"
        near = suggestion(name, [n for n in dir(cls) if not n.startswith("_")])
        return f".{near}" if near else ""

    @property
    def _data(self) -> Any:
        """The data of the fit, None if they are not known any more."""
        return self._refitted_data if self.call is None else self.call.get("data")

    # -- coefficients ----------------------------------------------------------------------------

    def _series(self, values: Any, name: str) -> pd.Series:
        return pd.Series(np.array(values), index=list(self.fit.design.x_names), name=name)

    @cached_property
    def _table(self) -> pd.DataFrame:
        from ..inference.wald import t_table

        return t_table(self.fit)

    @property
    def fe_params(self) -> pd.Series:
        """Coefficients, the fixed effects of a mixed model, (p,)."""
        return self._series(self.fit.beta, "estimate")

    @property
    def fe_bse(self) -> pd.Series:
        """Standard errors of the coefficients, (p,): roots of the diagonal of ``vcov()``."""
        return self._series(np.sqrt(np.diagonal(self.fit.cov_beta)), "std_error")

    @property
    def fe_tvalues(self) -> pd.Series:
        """Coefficients over standard errors, (p,)."""
        return self._table["statistic"].copy()

    @property
    def fe_pvalues(self) -> pd.Series:
        """Two-sided p-values, (p,), from the distribution that ``summary()`` names."""
        return self._table["p_value"].copy()

    @property
    def fe_conf_int(self) -> pd.DataFrame:
        """95 % intervals of the coefficients: columns ``lower, upper``."""
        return self.conf_int()

    @property
    def fe_cov(self) -> pd.DataFrame:
        """Covariance matrix of the coefficients, (p, p)."""
        return self.vcov()

    params = fe_params
    bse = fe_bse
    tvalues = fe_tvalues
    pvalues = fe_pvalues

    def vcov(self, correlation: bool = False, *, component: str | None = None) -> pd.DataFrame:
        """Covariance matrix of the coefficients.

        Parameters
        ----------
        correlation : bool, default False
            Correlations instead.
        component : str, optional
            Linear predictor: ``"cond"``, that of the mean (default), or another of a model that has
            several, such as ``"zi"`` or ``"disp"``.

        Returns
        -------
        DataFrame, shape (p, p)
        """
        part = part_of(self.fit, component)
        return named_matrix(part.cov_beta, part.design.x_names, correlation)

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of the coefficients, under statsmodels' name."""
        return self.vcov()

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
        """Confidence intervals, of the coefficients unless others are asked for.

        Parameters
        ----------
        level : float, default 0.95
        method : {"wald", "profile", "boot"}, default "wald"
            Estimates less and plus quantiles of their standard errors; where the profile
            likelihood falls below what a test at that level accepts (by maximum likelihood, also
            for a fit by REML); or the parametric bootstrap: these two of all parameters, unless
            `parm` says which.
        parm : str or sequence of str, optional
            Parameters by name, as ``confint`` has them or R's, or R's words for groups of them:
            ``"theta_"`` for standard deviations and correlations of random effects and sigma,
            ``"beta_"`` for the coefficients. Wald's intervals of standard deviations are made on
            the scale of their logarithms, of correlations on that of Fisher's z.
        alpha : float, optional
            One minus the level, as statsmodels asks for it.
        df_method : {"satterthwaite", "kenward-roger", "residual", "normal"}, optional
            Degrees of freedom of the t quantile for coefficients, the first two for linear mixed
            models only;
            Kenward and Roger's come with their own standard errors; ``"normal"`` is R's
            ``method = "Wald"``. Default, as for the p-values: Satterthwaite's for linear mixed
            models, residual ones for a generalised linear model with an estimated dispersion,
            normal for others.
        component : str, optional
            Linear predictor: ``"cond"``, that of the mean (default), or another of a model that has
            several, such as ``"zi"`` or ``"disp"``.
        nsim : int, default 500
            Bootstrap replicates.
        seed : int or numpy Generator, optional
            Of the bootstrap.
        boot_type : {"percentile", "basic", "normal", "bca"}, default "percentile"
            Of bootstrap intervals; R's ``"perc"`` and ``"norm"`` do too.

        Returns
        -------
        DataFrame
            Columns ``lower, upper``; ``attrs["notes"]`` of profile intervals says which limits are
            at a bound or infinite, and why; of bootstrap ones how many refits failed.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> m.conf_int().loc["Days"].round(3).tolist()
        [7.206, 13.729]
        >>> m.conf_int(method="profile", parm="Days").loc["Days"].round(3).tolist()
        [7.359, 13.576]
        """
        from ..inference.intervals import coefficient_table, intervals

        level = level_of(level, alpha)
        if method == "wald" and parm is None:
            same = df_method is None and component is None
            table = self._table if same else None
            return coefficient_table(self.fit, level, df_method, component, table)
        options = self._boot_options(method, nsim, seed, boot_type)
        return intervals(
            self.fit, method, level, parm, component, df_method=df_method, options=options
        )

    def _boot_options(self, method: str, nsim: int, seed: Any, boot_type: str) -> dict[str, Any]:
        """Arguments of the bootstrap's intervals, none of other methods'."""
        if method != "boot":
            return {}
        return {"draw": lambda: self.bootstrap(nsim, seed=seed), "type": boot_type}

    def confint(
        self,
        parm: Any = None,
        level: float = 0.95,
        method: Literal["profile", "Wald", "boot"] = "profile",
        *,
        r_names: bool = True,
        component: str | None = None,
        nsim: int = 500,
        seed: int | np.random.Generator | None = None,
        boot_type: Literal["percentile", "basic", "normal", "bca", "perc", "norm"] = "percentile",
    ) -> pd.DataFrame:
        """Intervals of all parameters, as R's ``confint``.

        Parameters
        ----------
        parm : str or sequence, optional
            Parameters by their names or R's, or R's words for groups of them,
            ``"theta_"`` and ``"beta_"``. Default: all.
        level : float, default 0.95
        method : {"profile", "Wald", "boot"}
            Profile likelihood; the parametric bootstrap; or estimates with normal quantiles, also
            of variance parameters, where lme4 has none: by logarithms of standard deviations,
            Fisher's z of correlations and the links of the family's parameters.
        r_names : bool, default True
            Rows named ``.sig01, …, .sigma, (Intercept), …`` as in lme4; otherwise
            ``sd_(Intercept)|Subject, cor_Days.(Intercept)|Subject, …, sigma, Intercept, …``.
        component : str, optional
            As for ``conf_int``: the coefficients of one linear predictor.
        nsim, seed, boot_type
            Of the bootstrap, as for ``conf_int``.

        Returns
        -------
        DataFrame
            Columns ``lower, upper``.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> m.confint(".sig01").round(2).loc[".sig01"].tolist()
        [14.38, 37.72]
        >>> m.confint(method="Wald", parm="theta_", r_names=False).index[1]
        'cor_Days.(Intercept)|Subject'
        """
        from ..inference.intervals import intervals

        kind = method.lower()
        options = self._boot_options(kind, nsim, seed, boot_type)
        return intervals(self.fit, kind, level, parm, component, r_names, options=options)

    def profile(
        self, parm: Any = None, *, alphamax: float = 0.01, spacing: float | None = None
    ) -> Profile:
        """Profile likelihoods: all other parameters at their best for each value of one.

        Of the likelihood itself also for a fit by REML, as in lme4.

        Parameters
        ----------
        parm : str or sequence, optional
            As for ``confint``. Default: all parameters.
        alphamax : float, default 0.01
            Profiles go as far as a joint interval of level one minus it needs.
        spacing : float, optional
            Between the points, in units of zeta. Default: an eighth of the way to the end.

        Returns
        -------
        Profile
            With ``conf_int(level)``, ``frame()``, ``density()``, ``zeta(parm, values)``, ….

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
        >>> p = m.profile()
        >>> p.conf_int(r_names=True).round(2).loc[".sig01"].tolist()
        [12.2, 84.06]
        """
        from ..inference.profile.profile import profile

        return profile(self.fit, parm, alphamax, spacing)

    # -- the fit ---------------------------------------------------------------------------------

    @property
    def llf(self) -> float:
        """Log-likelihood; the restricted one for a REML fit, as lme4's ``logLik``."""
        return float(self.fit.llf)

    @property
    def llf_restricted(self) -> float | None:
        """The restricted log-likelihood of a REML fit; None for others."""
        return self.llf if self.method == "REML" else None

    @property
    def df_method(self) -> str:
        """Degrees of freedom of tests and intervals, unless others are asked for."""
        return self.fit.df_method

    @property
    def aic(self) -> float:
        """AIC; of the REML criterion for a REML fit, as in lme4."""
        return aic(self.fit)

    @property
    def bic(self) -> float:
        """BIC with log(nobs); of the REML criterion for a REML fit, as in lme4."""
        return bic(self.fit)

    @property
    def nobs(self) -> int:
        """Rows used."""
        return self.fit.n

    @property
    def n_missing(self) -> int:
        """Rows dropped for missing values."""
        return self.fit.design.n_missing

    @property
    def missing_by(self) -> dict[str, int]:
        """Column -> missing values in it, of those that had any."""
        return dict(self.fit.design.missing_by)

    @property
    def dropped_columns(self) -> tuple[str, ...]:
        """Columns of X left out because they depend on earlier ones."""
        return tuple(str(name) for name in self.fit.design.dropped_columns)

    @property
    def nparams(self) -> int:
        """Estimated parameters, coefficients, theta and the family's: R's df of logLik."""
        return self.fit.n_parameters

    @property
    def method(self) -> str:
        """``"REML"`` or ``"ML"``."""
        return self.fit.method

    @property
    def family(self) -> str:
        """Name of the family; the object itself is ``fit.family``."""
        return self.fit.family.name

    @property
    def sigma(self) -> float:
        """Residual standard deviation; of a generalised model the root of the dispersion."""
        return self.fit.sigma

    @property
    def scale(self) -> float:
        """Residual variance; of a generalised model the dispersion. statsmodels' name."""
        return self.fit.dispersion

    @property
    def formula(self) -> str:
        """The formula, with its random terms."""
        return self.fit.design.formula.text

    @property
    def converged(self) -> bool:
        """An optimum was found, inside or on the boundary."""
        return self.fit.converged

    @property
    def convergence(self) -> Convergence:
        """The verdict in words and what it rests on."""
        from ..diagnostics.convergence import convergence

        return convergence(self.fit)

    # -- values ----------------------------------------------------------------------------------

    def _by_row(self, values: np.ndarray, name: str) -> pd.Series:
        return self.fit.design.pad(values).rename(name)

    @property
    def fittedvalues(self) -> pd.Series:
        """Fitted values, with the random effects, on the scale of the response, (n,)."""
        return self._by_row(self.fit.fitted, "fitted")

    @property
    def linear_predictor(self) -> pd.Series:
        """X beta + offset, and Z b of a mixed model, (n,)."""
        return self._by_row(self.fit.fixed_part + self.fit.random_part, "linear_predictor")

    @property
    def resid(self) -> pd.Series:
        """Residuals of R's default type, as ``residuals()``, (n,)."""
        return self.residuals()

    def residuals(
        self,
        type: Literal["response", "pearson", "deviance", "working", "normalized", "normalised"]
        | None = None,
        scaled: bool = False,
    ) -> pd.Series:
        """Residuals.

        Parameters
        ----------
        type : {"response", "pearson", "deviance", "working", "normalized"}, optional
            Default, as in R: response for linear models and for families that have no deviance,
            deviance for others. ``"normalized"`` ones, of linear models, are independent and of
            variance one where ``correlation=`` and ``variance=`` are right, as nlme's.
        scaled : bool, default False
            Divide by the root of the dispersion, sigma in a linear model. Pearson's are divided
            by it in any case where it has a formula and differs between rows, or with
            ``correlation=`` or ``variance=``, as nlme's.

        Returns
        -------
        Series, shape (n,)

        Raises
        ------
        ArgumentError
            If the type is not known, or the family has no deviance.
        """
        from ..diagnostics.residuals import default_type, residual_array

        kind = default_type(self.fit) if type is None else type
        return self._by_row(residual_array(self.fit, kind, scaled), "resid")

    def weights(self, type: Literal["prior", "working"] = "prior") -> pd.Series:
        """Weights of the rows, as R's ``weights(m, type)``.

        Parameters
        ----------
        type : {"prior", "working"}, default "prior"
            The ``weights=`` of the fit, times the trials of a binomial response; or the weights
            of the least-squares problem that the fit solves, which are the same for a linear
            model.

        Returns
        -------
        Series, shape (n,)
        """
        from ..diagnostics.residuals import weight_array

        return self._by_row(weight_array(self.fit, type), "weights")

    def update(self, formula: str | None = None, data: Any = None, **changes: Any) -> Any:
        """Fit again with some arguments changed, as :func:`interlace.update` does.

        Parameters
        ----------
        formula : str, optional
            A new formula; a ``.`` stands for that side of the old one: ``". ~ . - Days"``.
        data : data frame, optional
            New data.
        **changes
            Other arguments of the function that made this fit.

        Returns
        -------
        LMMResult, GLMMResult or GLMResult

        Raises
        ------
        ArgumentError
            If the result does not hold its data, as one from a pickle.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> m.update(". ~ . - Days", REML=False).formula
        'Reaction ~ 1 + (Days | Subject)'
        """
        from ..inference.update import again, check_call

        check_call(self, "update")
        assert self._doors is not None
        return again(self, self._doors.mixed, formula, data, changes)

    def refit(self, new_y: Any) -> Self:
        """The same model for another response on the same rows, warm-started.

        Parameters
        ----------
        new_y : array, Series or data frame, shape (n,), (n, 1) or (n, 2)
            Row by row as the rows of the fit: what has row labels must have theirs, or 0, 1, ….
            With ``na_action="exclude"`` all rows of the data will do too. For a binomial
            response: proportions, booleans, the two levels of the factor that the fit had, or
            successes and failures side by side, with the trials of the fit.

        Returns
        -------
        LMMResult, GLMMResult or GLMResult

        Raises
        ------
        ArgumentError
            If length, labels or a value are wrong.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
        >>> m.refit(m.simulate(seed=1)["sim_1"]).converged
        True
        """
        from ..models.new_response import checked_response

        fitted = type(self)._refit(self.fit, checked_response(self.fit, new_y))
        warn_if_not_converged(fitted)
        return self._wrap(fitted)

    def refit_many(
        self, new_y: Any, *, workers: int | None = None, progress: bool | None = None
    ) -> pd.DataFrame:
        """The same model for many other responses on the same rows: a row of estimates for each.

        The numbers are those of ``refit`` one by one. Models with one grouping factor, linear
        ones and those with Laplace's approximation for binomial, count and gamma responses, are
        searched in compiled code.

        Parameters
        ----------
        new_y : array or data frame, shape (n, nsim)
            Responses in columns, each as ``refit`` takes it: ``m.simulate(nsim)`` for example. Of
            successes and failures an array of shape (n, 2, nsim).
        workers : int, optional
            Threads that refit; the numbers are the same for any of them. Default: one.
        progress : bool, optional
            A bar on the standard error stream. Default: on a terminal, for what takes long.

        Returns
        -------
        DataFrame
            One row a response: all coefficients, standard deviations and correlations of random
            effects, sigma or the parameters of the family, named as in ``m.bootstrap().frame``;
            ``llf``, the log-likelihood, or the restricted one; ``converged``; ``verdict``, which is
            ``"failed"`` with NaN in the numbers for a response that ``refit`` refuses; ``reason``,
            why.

        Raises
        ------
        ArgumentError
            If the rows are not those of the fit.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> estimates = m.refit_many(m.simulate(100, seed=1))
        >>> estimates.shape
        (100, 10)
        >>> bool(estimates["converged"].all())
        True
        """
        from ..inference.resampling.many import refit_many

        return refit_many(self.fit, type(self)._refit, new_y, workers, progress)

    def simulate_refit(
        self,
        nsim: int = 1000,
        *,
        use_u: bool | None = None,
        seed: int | np.random.Generator | None = None,
        workers: int | None = None,
        progress: bool | None = None,
    ) -> pd.DataFrame:
        """Draw responses from the fit and fit the model to each: a row of estimates for each.

        Responses are those of ``bootstrap``, which has the same estimates with intervals and more.

        Parameters
        ----------
        nsim : int, default 1000
            Responses drawn.
        use_u : bool, optional
            Keep the random effects at their conditional modes. Default: draw them anew.
        seed : int or numpy Generator, optional
        workers : int, optional
            Threads that refit; the numbers are the same for any of them. Default: one.
        progress : bool, optional
            A bar on the standard error stream. Default: on a terminal, for what takes long.

        Returns
        -------
        DataFrame
            As of ``refit_many``.

        Raises
        ------
        ArgumentError
            If an argument is wrong, or there is nothing to draw.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> estimates = m.simulate_refit(200, seed=1)
        >>> estimates["verdict"].value_counts().to_dict()
        {'converged': 198, 'singular': 2}
        """
        from ..inference.resampling.many import simulate_refit

        run = seed, workers, progress
        return simulate_refit(self.fit, type(self)._refit, nsim, use_u, *run)

    # -- resampling ------------------------------------------------------------------------------

    def _wrap(self, fit: Any) -> Self:
        """The result of a refit."""
        other = type(self)(fit)
        other._refitted_data = self._data
        return other

    def cross_val(
        self,
        by: Any = "row",
        k: int | None = None,
        scoring: Any = "rmse",
        *,
        stratify: Any = None,
        seed: Any = 0,
        workers: int | None = None,
        return_models: bool = False,
    ) -> CVResult:
        """Predict rows by fits that have not seen them, and score the predictions.

        Each fold is left out in turn, the model refitted from the estimates of all rows, and the
        rows left out are predicted by their means; for levels of grouping factors that the refit
        does not know these are averaged over the random effects, as by
        ``predict(marginal=True)``. Knots and centres that a formula computes from the data are
        those of the fit.

        Parameters
        ----------
        by : str, sequence of str or array, default "row"
            Folds of single rows, or of whole groups: a grouping factor of the model, a column of
            the data, several of these, or a value for each row.
        k : int, optional
            Number of folds; default: 10 of rows, one for each group.
        scoring : str, callable or sequence of these, default "rmse"
            ``"rmse"``, ``"mae"``, ``"r2"``; ``"log_score"``, the mean log predictive density, with
            the uncertainty of the means and the variance of the random effects of new levels;
            ``"brier"``, of binomial responses; a function of observed and predicted values.
        stratify : str or array, optional
            With folds of rows: a grouping factor, a column or values whose kinds are spread evenly
            over the folds.
        seed : int, Generator or None, default 0
            Of the order in which rows or groups are dealt to the folds.
        workers : int, optional
            Threads; the results do not depend on their number.
        return_models : bool, default False
            With ``fold_results`` that hold the model of each fold.

        Returns
        -------
        CVResult
            ``scores`` by fold, ``mean``, ``std``, ``pooled`` over all rows, ``predictions`` row by
            row; with the log score ``elpd``, ``elpd_se`` and ``compare(other)``.

        Raises
        ------
        ArgumentError
            If there are too few rows or groups for the folds, or a scoring is not known or not
            defined for the family.

        Warns
        -----
        DataWarning
            If a fold holds all rows that determine a coefficient: its rows are not predicted.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> cv = m.cross_val("Subject", scoring=["rmse", "log_score"])
        >>> round(cv.elpd, 1), round(cv.elpd_se, 1)
        (-953.8, 22.6)
        """
        from ..diagnostics.cross_validation import cross_validation

        arguments = by, k, scoring, stratify, seed, workers
        wrapped = self._wrap if return_models else None
        return cross_validation(self.fit, *arguments, self._data, wrapped)

    def bootstrap(
        self,
        n: int = 1000,
        func: Callable[[Any], Any] | None = None,
        *,
        method: Literal["parametric", "semiparametric"] = "parametric",
        use_u: bool | None = None,
        seed: int | np.random.Generator | None = None,
        workers: int | None = None,
        progress: bool | None = None,
    ) -> Bootstrap:
        """Draw responses from the fit, fit the model to each, and keep what is asked for.

        Parameters
        ----------
        n : int, default 1000
            Replicates.
        func : callable, optional
            Takes a result, gives a number, an array, a Series or a dict of numbers. Default: all
            coefficients, standard deviations and correlations of random effects, sigma or the
            parameters of the family; of linear mixed models no rows are then drawn, only the sums
            that the fit needs of them.
        method : {"parametric", "semiparametric"}, default "parametric"
            Draw responses from the model; or add residuals, drawn with replacement, to the fitted
            values, for Gaussian models.
        use_u : bool, optional
            Keep the random effects at their conditional modes. Default: draw them anew, but for
            the semiparametric bootstrap, which keeps them.
        seed : int or numpy Generator, optional
        workers : int, optional
            Threads that refit; the numbers are the same for any of them. Default: one.
        progress : bool, optional
            A bar on the standard error stream. Default: on a terminal, for what takes long.

        Returns
        -------
        Bootstrap
            ``frame`` of replicates, ``bias``, ``se``, ``conf_int(method, level)``, failures.

        Raises
        ------
        ArgumentError
            If an argument is wrong, or there is nothing to draw.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
        >>> b = m.bootstrap(300, seed=1)
        >>> b.frame.columns.tolist()
        ['Intercept', 'sd_(Intercept)|Batch', 'sigma']
        >>> b.n_failed
        0
        """
        from ..inference.resampling.bootstrap import bootstrap

        return bootstrap(
            self.fit, type(self)._refit, self._wrap, n, func, method, use_u, seed, workers, progress
        )

    def bootMer(  # noqa: N802
        self,
        statistic: Callable[[Any], Any] | None = None,
        B: int = 500,  # noqa: N803
        seed: int | np.random.Generator | None = None,
        show_progress: bool = False,
    ) -> Bootstrap:
        """``bootstrap`` under lme4's name; :func:`interlace.bootMer` takes R's arguments too.

        Parameters
        ----------
        statistic : callable, optional
            As ``func`` of ``bootstrap``.
        B : int, default 500
            Replicates.
        seed : int or numpy Generator, optional
        show_progress : bool, default False

        Returns
        -------
        Bootstrap
        """
        return self.bootstrap(B, statistic, seed=seed, progress=show_progress)

    def bootstrap_se(
        self,
        statistic: str | Callable[[np.ndarray], float] = "median",
        n_bootstrap: int = 1000,
        resample_level: Literal["group", "observation"] = "group",
        seed: int | np.random.Generator | None = None,
    ) -> float:
        """Standard error of a statistic of the response itself, whatever the model.

        As R's ``boot`` with groups or rows drawn with replacement; ``bootstrap`` is for estimates.

        Parameters
        ----------
        statistic : {"median", "mean"} or callable, default "median"
            A function takes the responses of a sample, and gives a number.
        n_bootstrap : int, default 1000
            Samples.
        resample_level : {"group", "observation"}, default "group"
            Draw levels of the outermost grouping factor, with all of their rows, or rows.
        seed : int or numpy Generator, optional

        Returns
        -------
        float

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> groups = m.bootstrap_se(seed=1)
        >>> groups > m.bootstrap_se(resample_level="observation", seed=1)
        True
        """
        from ..inference.resampling.response import response_error

        return response_error(self.fit, statistic, n_bootstrap, resample_level, seed)

    # -- tests -----------------------------------------------------------------------------------

    def _compared(
        self, others: Sequence[Any], names: Sequence[str] | None, refit: bool
    ) -> pd.DataFrame:
        """Likelihood-ratio tests against fitted models of whatever kind."""
        for other in others:
            if not isinstance(other, ModelResult):
                raise ArgumentTypeError(f"anova compares fitted models, got {brief(other)}")
        from ..inference.lrt import likelihood_ratio

        return likelihood_ratio([m.fit for m in (self, *others)], names, refit)

    def t_test(
        self,
        hypothesis: Any,
        level: float = 0.95,
        df_method: str | None = None,
        component: str | None = None,
    ) -> pd.DataFrame:
        """t test of each row of a linear hypothesis; z test with infinite degrees of freedom.

        Parameters
        ----------
        hypothesis : str, sequence, dict, Series, data frame or array
            ``"Days"``, ``"Days = 10"``, ``"a = b = 0"``, ``"a; b - c = 1"``, ``{"Days": 10}``,
            ``{"label": "a - b"}``, weights with the names of coefficients as labels, or a matrix
            of contrasts (r, p). Names are those printed, or R's; names with ``:`` or brackets need
            no quotes.
        level : float, default 0.95
        df_method : {"satterthwaite", "kenward-roger", "residual", "normal"}, optional
            Default: as for ``conf_int``.
        component : str, optional
            As for ``conf_int``: whose coefficients the hypothesis is about.

        Returns
        -------
        DataFrame
            ``estimate, std_error, df, statistic, p_value, conf_low, conf_high``.

        Raises
        ------
        ArgumentError
            If the hypothesis cannot be read; the message points at the place.
        """
        from ..inference.wald import t_test

        return t_test(self._tested(component), hypothesis, level, df_method)

    def _tested(self, component: str | None) -> Any:
        """The fit whose coefficients hypotheses are about."""
        return part_of(self.fit, component)

    def wald_test(
        self,
        hypothesis: Any,
        test: Literal["F", "Chisq"] | None = None,
        component: str | None = None,
        df_method: str | None = None,
    ) -> WaldTest:
        """Joint test of a linear hypothesis.

        Parameters
        ----------
        hypothesis : str, sequence, dict, Series, data frame or array
            As for ``t_test``.
        test : {"F", "Chisq"}, optional
            Default: F where ``t_test`` makes t tests, chi-squared where it makes z tests.
        component, df_method : str, optional
            As for ``t_test``.

        Returns
        -------
        WaldTest
        """
        from ..inference.wald import wald_test

        return wald_test(self._tested(component), hypothesis, test, df_method)

    def f_test(
        self, hypothesis: Any, component: str | None = None, df_method: str | None = None
    ) -> WaldTest:
        """Joint F test of a linear hypothesis, under statsmodels' name.

        Parameters
        ----------
        hypothesis : str, sequence, dict, Series, data frame or array
            As for ``t_test``.
        component, df_method : str, optional
            As for ``t_test``.

        Returns
        -------
        WaldTest
        """
        return self.wald_test(hypothesis, "F", component, df_method)

    def emmeans(
        self,
        specs: str | Sequence[str],
        by: str | Sequence[str] | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        weights: str = "equal",
        type: Literal["link", "response"] = "link",
        ddf: str | None = None,
        level: float = 0.95,
        component: str | None = None,
        offset: Any = None,
        regrid: bool = False,
        bias_adjust: bool = False,
        sigma: float | None = None,
    ) -> MarginalMeans:
        """Estimated marginal means, as R's emmeans: predictions on a grid, averaged.

        The grid has all levels of the factors of the fixed part and the mean of each numeric
        variable (both values of one that has two); random effects are zero. A factor whose levels
        are each with one level of another is nested in it: its means are made and compared within
        that level, and it has equal weight whatever the number of levels in it.

        Parameters
        ----------
        specs : str or sequence of str
            Variables whose means are wanted: ``"f"``, ``["f", "g"]``, ``"f * g"``, ``"f | g"``.
        by : str or sequence of str, optional
            Variables within whose levels the means are compared.
        at : dict of str to value, sequence or callable, optional
            Values in the grid in place of the default ones, or a function of the column that gives
            them, such as ``numpy.median``.
        weights : {"equal", "proportional", "outer", "cells", "flat"}, default "equal"
            Of the levels averaged over: the same; as often as their combinations occur in the
            data, weighted by prior weights; as if factors were independent; as often as they occur
            in the cell; the same for those that occur in it.
        type : {"link", "response"}, default "link"
            Scale of the table: the linear predictor, or the response, averaged before it is
            transformed; standard errors by the delta method. Differences become ratios under log
            and logit.
        ddf : {"Satterthwaite", "Kenward-Roger"}, optional
            Degrees of freedom of a linear mixed model, as for ``summary``.
        level : float, default 0.95
        component : str, optional
            As for ``conf_int``; ``"response"``: the mean of the response that all linear
            predictors make, with zeros from ``ziformula`` among them.
        offset : float, optional
            The offset in the grid, in place of that at its mean.
        regrid : bool, default False
            Average responses instead of linear predictors; contrasts are differences of these.
        bias_adjust : bool, default False
            Means of the response over random effects and, of a logarithm, over residuals: to second
            order in their standard deviation ``sigma``, as emmeans's ``bias.adjust``.
        sigma : float, optional
            Default: the root of the sum of the variances of the random intercepts, and of the
            residual of a linear model.

        Returns
        -------
        MarginalMeans
            With ``to_frame()``, ``contrast(method, adjust)``, ``pairs(adjust)``, ``cld()``,
            ``test()``, ``conf_int()`` and ``regrid()``. Where the data do not determine a mean it
            is missing.

        Raises
        ------
        ArgumentError
            If a variable is none of the fixed part's, or a value is none of its levels.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
        >>> m.emmeans("Machine").pairs().to_frame()["estimate"].round(3).tolist()
        [-7.967, -13.917, -5.95]
        """
        from ..inference.bias import checked_sigma
        from ..inference.marginal_means import marginal_means

        whole = component == "response"
        part = self.fit if whole else part_of(self.fit, component)
        return marginal_means(
            part, self._data, specs, by, at, weights, type, ddf, level, offset=offset,
            regrid=regrid or whole, whole=whole and self.fit.several,
            sigma=checked_sigma(part, sigma, bias_adjust),
        )  # fmt: skip

    def emtrends(
        self,
        specs: str | Sequence[str],
        var: str,
        by: str | Sequence[str] | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        weights: str = "equal",
        ddf: str | None = None,
        level: float = 0.95,
        component: str | None = None,
    ) -> MarginalMeans:
        """Slopes of the linear predictor in a numeric variable, averaged as ``emmeans`` does.

        Parameters
        ----------
        specs : str or sequence of str
            As for ``emmeans``.
        var : str
            The numeric variable.
        by, at, weights, ddf, level, component
            As for ``emmeans``.

        Returns
        -------
        MarginalMeans
            Whose ``emmean`` are the slopes.

        Raises
        ------
        ArgumentError
            If ``var`` is no numeric variable of the fixed part.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("distance ~ age * Sex + (1 | Subject)", il.load_dataset("Orthodont"))
        >>> m.emtrends("Sex", "age").to_frame()["emmean"].round(4).tolist()
        [0.7844, 0.4795]
        """
        from ..inference.marginal_means import marginal_means

        part = part_of(self.fit, component)
        return marginal_means(
            part, self._data, specs, by, at, weights, "link", ddf, level, trend=var
        )

    # -- pictures --------------------------------------------------------------------------------

    @property
    def plot(self) -> ModelPlots:
        """Pictures with matplotlib: ``m.plot()`` a panel, ``m.plot.qq()``, … one of them."""
        from ..plots.accessor import ModelPlots

        return ModelPlots(self.fit, self._data)

    # -- diagnosis -------------------------------------------------------------------------------

    def diagnose(self, *, tests: bool = True) -> FitDiagnosis:
        """Everything that is wrong with the fit, and the model to try instead.

        Random effects without variance, as the combination of effects that has none; coefficients
        without a finite estimate, with the direction in which the likelihood rises for ever;
        columns left out; a search or an approximation that failed. Each with a reduced formula and
        its likelihood-ratio test, corrected where a variance is on its boundary.

        Parameters
        ----------
        tests : bool, default True
            Fit the reduced models; False names them only.

        Returns
        -------
        FitDiagnosis
            ``healthy``, ``findings``, and ``evidence``: what has been looked at; ``to_frame()``.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff2"))
        >>> m.diagnose().to_frame().loc[0, ["problem", "formula"]].tolist()
        ['singular', 'Yield ~ 1']
        """
        from ..diagnostics.diagnosis import diagnose

        return diagnose(self, tests)

    # -- reduction -------------------------------------------------------------------------------

    def drop1(
        self, *, test: Literal["Chisq", "F"] = "Chisq", ddf: str | None = None
    ) -> pd.DataFrame:
        """Tests of the fixed terms that no other term contains, as R's ``drop1``.

        Parameters
        ----------
        test : {"Chisq", "F"}, default "Chisq"
            Likelihood-ratio tests by maximum likelihood; or, for linear models, F tests of the
            terms' own coefficients, for which nothing is fitted.
        ddf : {"Satterthwaite", "Kenward-Roger"}, optional
            Of the F tests of a linear mixed model; default: Satterthwaite's.

        Returns
        -------
        DataFrame
            One row a term. With ``"Chisq"`` a first row ``<none>``, and columns ``npar, AIC, LRT,
            Pr(Chi)``, npar being the number of parameters that the term has; with ``"F"`` ``Sum
            Sq, Mean Sq, NumDF, DenDF, F value, Pr(>F)``.

        Raises
        ------
        ArgumentError
            If the result does not hold its data, or a term may not be dropped alone.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> m.drop1()["LRT"].round(3).tolist()
        [nan, 23.537]
        """
        from ..inference.deletion import without_terms

        return without_terms(self, test, ddf)

    def step(
        self,
        *,
        alpha_random: float = 0.1,
        alpha_fixed: float = 0.05,
        reduce_random: bool = True,
        reduce_fixed: bool = True,
        keep: str | Sequence[str] | None = None,
        ddf: str | None = None,
        criterion: Literal["test", "AIC"] = "test",
    ) -> Step:
        """Leave out terms one by one, random ones first, as lmerTest's ``step``.

        The p-values of what is left are those of terms that were chosen for being large: they say
        too much, as after any selection.

        Parameters
        ----------
        alpha_random, alpha_fixed : float, default 0.1 and 0.05
            The term with the largest p-value goes while that is above: random terms by ``ranova``
            (``Pr(>Chisq)``, as in R), then fixed ones by the F tests of ``drop1``, or by
            likelihood ratio where there are none.
        reduce_random, reduce_fixed : bool, default True
            False leaves these terms as they are.
        keep : str or sequence of str, optional
            Terms that stay whatever their tests say.
        ddf : {"Satterthwaite", "Kenward-Roger"}, optional
            Of the F tests of a linear mixed model; default: Satterthwaite's.
        criterion : {"test", "AIC"}, default "test"
            With ``"AIC"`` the term goes whose absence has the lowest AIC, while it is lower than
            that of the model; the levels are not used then.

        Returns
        -------
        Step
            With ``random`` and ``fixed``, the tables, and ``model``.

        Raises
        ------
        ArgumentError
            If the result does not hold its data, or a term to keep is none of the model's.

        Examples
        --------
        >>> import interlace as il
        >>> formula = "distance ~ age * Sex + (age | Subject)"
        >>> m = il.fit(formula, il.load_dataset("Orthodont"))
        >>> m.step().random["Eliminated"].tolist()
        [<NA>, 1, 0]
        """
        from ..inference.step import step

        alpha, reduce = (alpha_random, alpha_fixed), (reduce_random, reduce_fixed)
        return step(self, alpha, reduce, keep, ddf, criterion)

    def joint_tests(
        self,
        by: str | Sequence[str] | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        weights: str = "equal",
        ddf: str | None = None,
        component: str | None = None,
    ) -> pd.DataFrame:
        """F tests of the terms by their marginal means, as emmeans's ``joint_tests``.

        With all combinations of levels in the data they are tests of type III, of covariates at
        their means; with ``by`` those of the terms within each level.

        Parameters
        ----------
        by : str or sequence of str, optional
            Variables within whose levels to test.
        at, weights, ddf, component
            As for ``emmeans``.

        Returns
        -------
        DataFrame
            ``term``, variables of ``by``, ``df_num, df_denom, statistic, p_value``. Combinations
            that the data do not determine are left out of a term.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
        >>> m.joint_tests()["statistic"].round(2).tolist()
        [87.8]
        """
        from ..inference.joint_tests import joint_tests

        part = part_of(self.fit, component)
        return joint_tests(part, self._data, by, at, weights, ddf)

    # -- tables and text -------------------------------------------------------------------------

    def _tidy(self, effects: str | Sequence[str], *shown: Any) -> pd.DataFrame:
        from ..tables.tidy import tidy

        return tidy(self.fit, effects, lambda: self._table, *shown)

    def _glance(self) -> pd.DataFrame:
        from ..tables.tidy import glance

        return glance(self.fit)

    def to_r(self, data: str = "data") -> str:
        """The call of R that fits this model: of lme4, glmmTMB, nlme, ordinal, MASS or stats.

        Parameters
        ----------
        data : str, default "data"
            What the data are called in R.

        Returns
        -------
        str
            :func:`from_r` reads it back.

        Raises
        ------
        ArgumentError
            If no function of R that is known here has the model, or an argument of the call, such
            as an array of weights, has no name in R.

        Examples
        --------
        >>> import interlace as il
        >>> sleep = il.load_dataset("sleepstudy")
        >>> il.fit("Reaction ~ Days", sleep, random="(Days | Subject)", method="ML").to_r("sleep")
        'lmer(Reaction ~ Days + (Days | Subject), data = sleep, REML = FALSE)'
        """
        from ..inference.update import check_call
        from ..tables.r_call import r_call

        if not isinstance(data, str):
            raise ArgumentTypeError(f"data is the name of the data in R, got {brief(data)}")
        check_call(self, "to_r()")
        return r_call(self.fit, self.call or {}, data)

    def to_dict(self) -> dict[str, Any]:
        """Estimates and what they rest on, as plain numbers and texts that JSON can hold."""
        from ..tables.export import as_dict

        return as_dict(self.fit)

    def to_json(self, path: Any = None) -> str | None:
        """The fitted model as a document in JSON, which :func:`from_json` reads.

        It has a number of its format, the versions of the packages, the estimates as plain numbers
        and texts, for any program (as ``to_dict()``), and the record of the fit with the rows of
        its model matrices, its response and how new data are coded: contrasts, levels, knots and
        coefficients of bases. Nothing in it is run when it is read, unlike what is in a pickle. The
        data frame itself is not in it.

        Parameters
        ----------
        path : str or path, optional
            Of the file to write.

        Returns
        -------
        str, or None with a path

        Raises
        ------
        ArgumentError
            If the formula calls functions of the user's own, or the family is one.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> again = il.from_json(m.to_json())
        >>> new = {"Days": [10.0], "Subject": ["308"]}
        >>> bool(again.predict(new)[0] == m.predict(new)[0])
        True
        """
        from ..tables.stored.document import to_json

        return to_json(self.fit, type(self).__name__, path)

    @abstractmethod
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

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def level_of(level: float, alpha: float | None) -> float:
    """The level that is asked for, by itself or as one minus alpha."""
    if alpha is None:
        return level
    if level != 0.95:
        raise ArgumentError(f"level={level:g} and alpha={alpha:g} are both given; drop one")
    return 1.0 - alpha


def check_no_type(type: str | int | None) -> None:
    """Refuse a type of tests of terms where models are compared."""
    if type is not None:
        raise ArgumentError(
            f"type={type!r} is for the tests of one model's terms; leave it out to compare models"
        )


def check_no_ddf(ddf: str | None) -> None:
    """Refuse degrees of freedom of F tests where models are compared by likelihood ratio."""
    if ddf is not None:
        raise ArgumentError(
            f"ddf={brief(ddf)} is for the tests of one model's terms; leave it out to compare "
            "models"
        )


def check_no_component(component: str | None) -> None:
    """Refuse a component where models are compared."""
    if component is not None:
        raise ArgumentError(
            f"component={brief(component)} is for the tests of one model's terms; leave it out to "
            "compare models"
        )


def check_one_model(names: Sequence[str] | None) -> None:
    """Refuse names of models where there is only one."""
    if names is not None:
        raise ArgumentError(
            "names= labels the models of a comparison, and there is only one; give the others first"
        )


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
