"""Functions of fitted models, by R's names: `update`, `anova`, `VarCorr`, `isSingular`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ..calls import checked
from ..covariance.structures import SINGULAR_TOLERANCE
from ..errors import ArgumentError, ArgumentTypeError, brief
from ..inference.update import again
from ..results.base import ModelResult
from ..results.lmm import LMMResult
from ..results.mixed import MixedResult
from .arguments import check_result
from .linear import fit

if TYPE_CHECKING:
    from ..diagnostics.all_fit import AllFit

_Result = TypeVar("_Result", bound=ModelResult)


@checked
def update(
    result: _Result, formula: str | None = None, data: Any = None, **changes: Any
) -> _Result:
    """Fit again with some arguments changed.

    Parameters
    ----------
    result : LMMResult, GLMMResult or GLMResult
        A fit made in this process. One that does not hold its data, from a pickle, a refit or
        :func:`interlace.modular.result`, needs ``formula``, ``data``
        and the other arguments of its call.
    formula : str, optional
        A new formula; a ``.`` stands for the old left side or the old fixed part, as in R:
        ``". ~ . - Days"``, ``"log(.) ~ .:z + (1 | h)"``.
    data : data frame, optional
        New data.
    **changes
        Other arguments of the function that made it: :func:`fit`, :func:`glmer` or :func:`glm`.
        A ``theta0`` of the old call is kept where the new model has the same covariance
        parameters, and dropped where it has others.

    Returns
    -------
    LMMResult, GLMMResult or GLMResult

    Raises
    ------
    ArgumentError
        If the result does not hold how it was made.
    FormulaError
        If the formula cannot be read, or takes away a term that is not there.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.update(m, ". ~ . - Days", method="ML").formula
    'Reaction ~ 1 + (Days | Subject)'
    """
    check_result(result, "update")
    if formula is not None and not isinstance(formula, str):
        raise ArgumentTypeError(
            f"formula must be a text such as '. ~ . - x', got {brief(formula)}; give new data as "
            "data="
        )
    if result.call is None and (formula is None or data is None):
        raise ArgumentError(
            "result does not hold its data (it was unpickled, refitted or made by "
            "modular.result()); pass formula=, data= and the other arguments of its call"
        )
    return again(result, _maker(result), formula, data, changes)


def _maker(result: Any) -> Callable[..., Any]:
    """The function that makes results of this kind."""
    if result._doors is not None:
        return result._doors.mixed
    if isinstance(result, LMMResult) or "family" not in (result.call or {"family": None}):
        return fit
    from .generalised import glmer
    from .glm import glm

    return glmer if isinstance(result, MixedResult) else glm


@checked
def anova(*models: Any, **arguments: Any):
    """Compare models by likelihood ratio, or test the terms of one.

    Parameters
    ----------
    *models : LMMResult, GLMMResult or GLMResult
        One: tests of its terms (F, or Wald's chi-square without a residual variance). Several:
        likelihood-ratio tests, REML fits refitted by ML. A list of them will do, or a dict, whose
        keys are the labels of the rows.
    **arguments
        Of the first model's own ``anova``: ``type``, ``refit``, ``names``.

    Returns
    -------
    DataFrame

    Raises
    ------
    ArgumentTypeError
        If anything but a fitted model is given.

    Examples
    --------
    >>> import interlace as il
    >>> sleep = il.load_dataset("sleepstudy")
    >>> full = il.fit("Reaction ~ Days + (Days | Subject)", sleep)
    >>> none = il.fit("Reaction ~ 1 + (Days | Subject)", sleep)
    >>> il.anova({"no slope": none, "slope": full})["Chisq"].round(3).to_dict()
    {'no slope': nan, 'slope': 23.537}
    """
    if len(models) == 1 and isinstance(models[0], Mapping):
        if arguments.get("names") is not None:
            raise ArgumentError("names= and the keys of models both name the rows: leave one out")
        if len(models[0]) > 1:
            arguments["names"] = [str(name) for name in models[0]]
        models = tuple(models[0].values())
    elif len(models) == 1 and isinstance(models[0], (list, tuple)):
        models = tuple(models[0])
    for model in models or (None,):
        if not isinstance(model, ModelResult):
            raise ArgumentTypeError(
                "anova takes fitted models, il.anova(m1, m2), a list or a dict of them; got "
                f"{brief(model)}"
            )
    return models[0].anova(*models[1:], **arguments)


@checked
def LRT(large: Any, small: Any, refit: bool = True):  # noqa: N802
    """Likelihood-ratio test of one model within another, also for variances on their boundary.

    Parameters
    ----------
    large, small : LMMResult, GLMMResult or GLMResult
        In any order: the one with more parameters is the larger.
    refit : bool, default True
        Refit REML fits by maximum likelihood. False compares REML criteria, which is allowed
        where the fixed parts are the same, as for variances.

    Returns
    -------
    DataFrame
        As ``anova(large, small)``, and ``Pr(boundary)``: where the models differ by the random
        effects of one variable, the value tested is on the boundary, and half of the statistics
        have one degree of freedom less (Stram and Lee 1994). NaN elsewhere; `pb_modcomp` simulates
        the distribution of any comparison.

    Examples
    --------
    >>> import interlace as il
    >>> sleep = il.load_dataset("sleepstudy")
    >>> m = il.fit("Reaction ~ Days + (Days || Subject)", sleep)
    >>> small = il.fit("Reaction ~ Days + (0 + Days | Subject)", sleep)
    >>> table = il.LRT(m, small, refit=False)
    >>> bool(table["Pr(boundary)"].iloc[1] == 0.5 * table["Pr(>Chisq)"].iloc[1])
    True
    """
    for model in (large, small):
        if not isinstance(model, ModelResult):
            raise ArgumentTypeError(f"LRT takes two fitted models, got {brief(model)}")
    from ..inference.deletion import boundary_test

    return boundary_test(large.fit, small.fit, refit)


@checked
def all_fit(formula: Any, data: Any = None, *args: Any, **arguments: Any) -> AllFit:
    """Fit a model by every optimiser and from other starts, as lme4's ``allFit``.

    Parameters
    ----------
    formula : LMMResult, GLMMResult or str
        A fit; or a formula, fitted first.
    data : data frame, optional
        With a formula.
    *args, **arguments
        With a formula: further arguments of :func:`fit`, or with ``family=`` of :func:`glmer`.

    Returns
    -------
    AllFit

    Raises
    ------
    ArgumentTypeError
        If what is given is neither a fit with random effects nor a formula.

    Examples
    --------
    >>> import interlace as il
    >>> searches = il.all_fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> all(searches.converged.values())
    True
    """
    if isinstance(formula, str):
        from .generalised import glmer

        door: Callable[..., Any] = glmer if "family" in arguments else fit
        return door(formula, data, *args, **arguments).all_fit()
    _check_mixed(formula, "all_fit")
    if data is not None or args or arguments:
        raise ArgumentError("all_fit takes data and other arguments with a formula only")
    return formula.all_fit()


allFit = all_fit  # noqa: N816


@checked
def isSingular(result: MixedResult, tol: float = SINGULAR_TOLERANCE) -> bool:  # noqa: N802
    """Tell whether a fit lies on the boundary: a zero variance or a perfect correlation.

    Parameters
    ----------
    result : LMMResult or GLMMResult
    tol : float, default 1e-4
        A diagonal entry of a relative template below it counts as zero (lme4), covariates
        standardised.

    Returns
    -------
    bool

    Examples
    --------
    >>> import interlace as il
    >>> il.isSingular(il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff2")))
    True
    """
    _check_mixed(result, "isSingular")
    if tol < 0.0:
        raise ArgumentError(f"tol must not be negative, got {tol:g}")
    return any(result.fit.covariance.singular(result.fit.theta_standard, tol))


def _check_mixed(result: Any, function: str) -> None:
    if not isinstance(result, MixedResult):
        raise ArgumentTypeError(
            f"{function} takes a fit with random effects, of fit() or glmer(); got {brief(result)}"
        )


@checked
def VarCorr(result: MixedResult, r_names: bool = False, se: bool = False):  # noqa: N802
    """Variances and correlations: :meth:`LMMResult.VarCorr` under lme4's name.

    Parameters
    ----------
    result : LMMResult or GLMMResult
    r_names : bool, default False
        R's names of effects.
    se : bool, default False
        Add standard errors by the delta method.

    Returns
    -------
    DataFrame
        ``group, term1, term2, variance, sd_or_corr``.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> il.VarCorr(m)["sd_or_corr"].round(3).tolist()
    [42.001, 49.51]
    """
    _check_mixed(result, "VarCorr")
    return result.VarCorr(r_names=r_names, se=se)
