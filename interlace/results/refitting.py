"""What results have of fits made again: of other responses, resamples, parts of the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..errors import warn_if_not_converged

# What no fit needs is imported by the method that does: a fresh process starts sooner.
if TYPE_CHECKING:
    from ..diagnostics.cross_validation import CVResult
    from ..inference.resampling.bootstrap import Bootstrap
    from ..inference.update import Doors
    from ..models.kinds import AnyFit


@checked_methods
class Refitting:
    """Fits of the same model again, whatever its kind."""

    fit: AnyFit
    #: Arguments of the call that made the fit, data included; not kept in a pickle.
    call: dict[str, Any] | None = None
    #: The functions that fit it again with another formula; None where there is no call.
    _doors: Doors | None = None
    #: The data of the model that this one was refitted from.
    _refitted_data: Any = None
    #: Fits the same model to another response.
    _refit: Callable[[Any, np.ndarray], Any]

    if TYPE_CHECKING:

        def __init__(self, fit: Any) -> None: ...
        @property
        def _data(self) -> Any: ...

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
