"""The interface of all results: names that users expect, over functions of a fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..errors import ArgumentError, ArgumentTypeError, DataError, brief, suggestion
from ..inference.components import part_of
from ..inference.criteria import aic, bic
from ..other_names import attribute_hint
from ..tables.maketables import Maketables
from ..tables.names import named_matrix
from .diagnosis import Diagnosis
from .refitting import Refitting
from .testing import Testing

# What no fit needs is imported by the method that does: a fresh process starts sooner.
if TYPE_CHECKING:
    from ..diagnostics.convergence import Convergence
    from ..inference.profile.profile import Profile
    from ..models.kinds import AnyFit
    from ..plots.accessor import ModelPlots
    from ..tables.summary.text import Summary

#: Of what a pickled result holds; raised when records of earlier versions need other treatment.
PICKLE_LAYOUT = 1

#: What the classes of results are about that have names others lack.
KINDS = {"MixedResult": "random effects", "GeneralisedResult": "a family and a link"}


@checked_methods
class ModelResult(Refitting, Testing, Diagnosis, Maketables, ABC):
    """A fitted model with coefficients, whatever else it has.

    Parameters
    ----------
    fit : LMMFit, GLMMFit, GLMFit or RegressionFit
        The frozen record, from which everything is computed when asked for.
    """

    fit: AnyFit

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

    # -- pictures --------------------------------------------------------------------------------

    @property
    def plot(self) -> ModelPlots:
        """Pictures with matplotlib: ``m.plot()`` a panel, ``m.plot.qq()``, … one of them."""
        from ..plots.accessor import ModelPlots

        return ModelPlots(self.fit, self._data)

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
