"""Functions of fits that draw and refit, by the names they have in R."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..calls import checked
from ..errors import ArgumentError, brief
from ..inference.resampling.bootstrap import Bootstrap
from .arguments import check_result

if TYPE_CHECKING:
    import pandas as pd

    from ..inference.resampling.comparison import SimulatedComparison
    from ..inference.resampling.power import Power

__all__ = ["bootMer", "pb_modcomp", "power", "simulate"]


@checked
def bootMer(  # noqa: N802
    result: Any,
    statistic: Callable[[Any], Any] | None = None,
    B: int = 500,  # noqa: N803
    seed: int | np.random.Generator | None = None,
    show_progress: bool = False,
    *,
    FUN: Callable[[Any], Any] | None = None,  # noqa: N803
    nsim: int | None = None,
    use_u: bool | None = None,
    re_form: Any = False,
    type: Literal["parametric", "semiparametric"] = "parametric",
    workers: int | None = None,
) -> Bootstrap:
    """Bootstrap a fit: :meth:`LMMResult.bootstrap` with the arguments of lme4's ``bootMer``.

    Parameters
    ----------
    result : LMMResult, GLMMResult or GLMResult
    statistic : callable, optional
        Takes a result, gives numbers; default: all parameters.
    B : int, default 500
        Replicates.
    seed : int or numpy Generator, optional
    show_progress : bool, default False
    FUN, nsim : optional
        ``statistic`` and ``B`` under R's names.
    use_u : bool, optional
        Keep the random effects at their modes.
    re_form : {False, None}, default False
        R's other way to say the same: ``None`` (R's ``NULL``) keeps them, ``False`` (R's ``NA``)
        draws them anew.
    type : {"parametric", "semiparametric"}, default "parametric"
    workers : int, optional
        Threads that refit.

    Returns
    -------
    Bootstrap

    Raises
    ------
    ArgumentError
        If an argument is wrong, or given twice.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> b = il.bootMer(m, lambda m: m.sigma, nsim=100, seed=1)
    >>> b.ci("perc").shape
    (1, 2)
    """
    check_result(result, "bootMer")
    if FUN is not None:
        if statistic is not None:
            raise ArgumentError("statistic and FUN= are both given; drop one")
        statistic = FUN
    if re_form is not False and not (isinstance(re_form, float) and np.isnan(re_form)):
        if re_form is not None and re_form is not True:
            raise ArgumentError(
                f"re_form={brief(re_form)}: all random effects are kept (None) or all are drawn "
                "anew (False)"
            )
        if use_u is False:
            raise ArgumentError(f"use_u=False and re_form={re_form} say opposite things")
        use_u = True
    return result.bootstrap(
        B if nsim is None else nsim, statistic, method=type, use_u=use_u, seed=seed,
        workers=workers, progress=show_progress,
    )  # fmt: skip


@checked
def simulate(
    model: Any,
    nsim: int = 1,
    seed: int | np.random.Generator | None = None,
    use_u: bool = False,
    params: Any = None,
    *,
    data: Any = None,
    family: Any = None,
    newparams: Any = None,
    weights: Any = None,
    offset: Any = None,
    ziformula: str | None = None,
    dispformula: str | None = None,
) -> pd.DataFrame:
    """Draw responses from a fit, or from a formula and given parameters, as lme4's ``simulate``.

    Parameters
    ----------
    model : LMMResult, GLMMResult, GLMResult or str
        A fit; or a formula, ``"~ x + (1 | g)"``, with ``data`` and all parameters: nothing is
        fitted to real responses, and none are needed.
    nsim : int, default 1
    seed : int or numpy Generator, optional
    use_u : bool, default False
        Keep the random effects at their modes.
    params : dict or Series, optional
        Parameters in place of the estimates: ``beta`` (a dict or Series by name, or all in their
        order), ``theta`` and ``sigma`` as in lme4, ``VarCorr`` (variances or covariance matrices by
        grouping factor) in place of ``theta``, or single ones by the names that
        ``m.bootstrap().frame`` has.
    data : data frame, optional
        With a formula: the rows. A response in it is not looked at.
    family : str or Family, optional
        With a formula; default: the normal, with the identity link.
    newparams : optional
        ``params`` under R's name.
    weights, offset, ziformula, dispformula : optional
        With a formula: as for ``il.fit`` and ``il.glmer``.

    Returns
    -------
    DataFrame, (n, nsim)

    Raises
    ------
    ArgumentError
        If a parameter is not one of the model's or outside its range; with a formula, if one is
        lacking.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> il.simulate(m, 2, seed=1).shape
    (30, 2)
    >>> plan = {"x": [0, 1] * 20, "g": [i // 4 for i in range(40)]}
    >>> truth = {"beta": {"Intercept": 10, "x": 2}, "VarCorr": {"g": 4.0}, "sigma": 1.0}
    >>> il.simulate("~ x + (1 | g)", 3, seed=1, params=truth, data=plan).shape
    (40, 3)
    """
    if newparams is not None:
        if params is not None:
            raise ArgumentError("params and newparams= are both given; drop one")
        params = newparams
    from .planned import model_of

    others = weights, offset, ziformula, dispformula
    result = model_of("simulate", model, data, family, params, others)
    if result.fit.T:
        return result.simulate(nsim, seed, use_u, params=params)
    return result.simulate(nsim, seed, params=params)


@checked
def pb_modcomp(
    large: Any,
    small: Any,
    nsim: int = 1000,
    *,
    seed: int | np.random.Generator | None = None,
    workers: int | None = None,
    progress: bool | None = None,
) -> SimulatedComparison:
    """Compare nested models by likelihood ratio with a simulated distribution.

    As pbkrtest's ``PBmodcomp``: responses are drawn from the smaller model and both are fitted to
    each, by maximum likelihood. Right where chi-squared is not: few groups, variances of zero.

    Parameters
    ----------
    large : LMMResult, GLMMResult or GLMResult
    small : result or str
        A model within it, fitted to the same rows, or its formula: ``". ~ . - Days"``.
    nsim : int, default 1000
        Responses drawn.
    seed : int or numpy Generator, optional
    workers : int, optional
        Threads that refit; the numbers are the same for any of them.
    progress : bool, optional
        A bar on the standard error stream. Default: on a terminal, for what takes long.

    Returns
    -------
    SimulatedComparison
        ``table`` with the tests ``LRT, PBtest, Gamma, Bartlett, F``. Unlike pbkrtest's ``PBtest``
        counts draws of zero, which are half of all where a variance is tested.

    Raises
    ------
    ArgumentError
        If the models are not nested, or not of the same response.

    Examples
    --------
    >>> import interlace as il
    >>> sleep = il.load_dataset("sleepstudy")
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", sleep)
    >>> il.pb_modcomp(m, ". ~ . - Days", nsim=200, seed=1).table.index.tolist()
    ['LRT', 'PBtest', 'Gamma', 'Bartlett', 'F']
    """
    check_result(large, "pb_modcomp")
    if not isinstance(small, str):
        check_result(small, "pb_modcomp")
    from ..inference.resampling.comparison import pb_modcomp

    return pb_modcomp(large, small, nsim, seed, workers, progress)


@checked
def power(
    model: Any,
    test: Any = None,
    nsim: int = 1000,
    *,
    along: str | None = None,
    within: str | Sequence[str] | None = None,
    sizes: int | Sequence[int] | None = None,
    params: Any = None,
    data: Any = None,
    family: Any = None,
    method: str | None = None,
    alpha: float = 0.05,
    level: float = 0.95,
    interval: Literal["clopper-pearson", "wilson"] = "clopper-pearson",
    seed: int | np.random.Generator | None = None,
    workers: int | None = None,
    progress: bool | None = None,
    weights: Any = None,
    offset: Any = None,
    ziformula: str | None = None,
    dispformula: str | None = None,
) -> Power:
    """Power of a test by simulation: draw responses, fit the model to each, test, count.

    Parameters
    ----------
    model : LMMResult, GLMMResult, GLMResult or str
        A fit to a pilot study: its estimates, or ``params`` in their place, are the assumed truth.
        Or a formula, ``"~ x + (1 | g)"``, with the rows of the planned study and all parameters.
    test : str, hypothesis, result or callable, optional
        A coefficient (t or z test), a term of several coefficients (F or chi-squared), a
        hypothesis as for ``t_test``; a smaller fitted model (likelihood ratio); a function of a
        result that gives a p-value. Default: the only term that there is.
    nsim : int, default 1000
        Responses drawn at each size.
    along : str, optional
        A grouping factor, with as many levels as ``sizes`` say: copies of those of the data in
        their order, with the levels nested within them. Or a numeric variable, with so many values.
    within : str or sequence of str, optional
        Columns, or ``"Subject + Days"``: ``sizes`` are numbers of rows in each combination of
        their values.
    sizes : int or sequence of int, optional
        Default: what the data have.
    params : dict or Series, optional
        Parameters in place of the estimates, by the names that ``m.bootstrap().frame`` has:
        ``{"Days": 5.0, "sd_(Intercept)|Subject": 30.0, "sigma": 20.0}``; or several together, as
        for :func:`interlace.simulate`: ``{"beta": {…}, "VarCorr": {"Subject": 900.0}}``.
    data : data frame, optional
        With a formula: the rows of the planned study.
    family : str or Family, optional
        With a formula; default: the normal.
    method : str, optional
        Degrees of freedom, ``"satterthwaite"`` (default of linear mixed models),
        ``"kenward-roger"``, ``"residual"`` or ``"normal"``; or ``"lrt"``, a likelihood-ratio test
        with the term left out.
    alpha : float, default 0.05
        Tests with a smaller p-value are significant.
    level : float, default 0.95
        Of the intervals of the power.
    interval : {"clopper-pearson", "wilson"}, default "clopper-pearson"
    seed : int or numpy Generator, optional
        Each size begins with it anew.
    workers : int, optional
        Threads that refit; the numbers are the same for any of them.
    progress : bool, optional
        A bar on the standard error stream. Default: on a terminal, for what takes long.
    weights, offset, ziformula, dispformula : optional
        With a formula: as for ``il.fit`` and ``il.glmer``.

    Returns
    -------
    Power
        With ``frame``, a row for each size; its type M and S errors say how far significant
        estimates are from the truth.

    Raises
    ------
    ArgumentError
        If a name is not known, or the result does not hold its data where they are extended.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> p = il.power(m, "Days", 200, along="Subject", sizes=[6, 18], params={"Days": 5}, seed=1)
    >>> p.frame["power"].is_monotonic_increasing
    True
    >>> plan = {"x": [0, 1] * 60, "g": [i // 6 for i in range(120)]}
    >>> truth = {"beta": [10.0, 1.0], "VarCorr": {"g": 4.0}, "sigma": 2.0}
    >>> p = il.power("~ x + (1 | g)", "x", 200, data=plan, params=truth, seed=1)
    >>> bool(0.6 < p.power < 0.9)
    True
    """
    from ..inference.resampling.power import power
    from .planned import model_of

    others = weights, offset, ziformula, dispformula
    result = model_of("power", model, data, family, params, others)
    options, run = (alpha, level, interval), (seed, workers, progress)
    return power(result, test, nsim, along, within, sizes, params, method, options, run)
