"""The front door: formula and data in, result out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, Literal, TypeVar

import numpy as np

from ..calls import checked
from ..covariance import CovarianceModel
from ..covariance.structures import SINGULAR_TOLERANCE
from ..design.design import build
from ..design.expressions import caller_names, names_of
from ..errors import ArgumentError, ArgumentTypeError, brief, warn_if_not_converged
from ..formula.parser import Formula, parse
from ..formula.updating import stands_for_old, updated
from ..models.lmm import fit_design
from ..results.base import ModelResult
from ..results.lmm import LMMResult
from ..results.mixed import MixedResult

_Result = TypeVar("_Result")


@checked
def fit(
    formula: str,
    data: Any,
    groups: str | Sequence[str] | None = None,
    random: str | Sequence[str] | None = None,
    *,
    method: Literal["REML", "ML"] | None = None,
    REML: bool | None = None,
    weights: Any = None,
    offset: Any = None,
    optimizer: Literal["newton", "lbfgsb", "bobyqa"] = "newton",
    theta0: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    subset: Any = None,
    na_action: Literal["omit", "exclude", "raise"] = "omit",
    backend: Literal["auto", "blocked", "nested", "schur", "cholmod", "superlu"] = "auto",
) -> LMMResult:
    """Fit a linear mixed model by REML or maximum likelihood.

    Parameters
    ----------
    formula : str
        lme4's grammar: ``"y ~ x + (1 + x | g)"``; the random part may be given apart.
    data : data frame
        pandas, Polars (lazy too), PyArrow, anything narwhals reads, or a dict of columns.
    groups : str or sequence of str, optional
        Grouping columns, each with a random intercept.
    random : str or sequence of str, optional
        Random-effect terms such as ``"(1 + x | g)"``; wins over ``groups``.
    method : {"REML", "ML"}, default "REML"
        Criterion.
    REML : bool, optional
        lme4's way to say the same: False is ``method="ML"``.
    weights : array, Series or column name, shape (n,), optional
        Prior weights, Var(y_i) = sigma^2 / w_i; all positive.
    offset : array, Series or column name, shape (n,), optional
        Known part of the linear predictor, added to any ``offset()`` in the formula.
    optimizer : {"newton", "lbfgsb", "bobyqa"}, default "newton"
        Trust-region Newton and L-BFGS-B use exact gradients; BOBYQA none, as lme4.
    theta0 : array, shape (n_theta,), optional
        Start for theta, on lme4's scale and in its order.
    contrasts : dict of column to contrast, optional
        ``"treatment"``, ``"sum"``, ``"helmert"``, ``"poly"``, ``"SAS"``, ``"diff"``, a matrix, or
        a formulaic contrast object.
    subset : array of bool or str, optional
        Rows to use.
    na_action : {"omit", "exclude", "raise"}, default "omit"
        What happens to rows with missing values: dropped (a warning counts them), dropped but
        padded in fitted values and residuals, or an error.
    backend : {"auto", "blocked", "nested", "schur", "cholmod", "superlu"}, default "auto"
        How M = Lambda'Z'WZ Lambda + I is factorised; ``"auto"`` chooses by predicted fill.

    Returns
    -------
    LMMResult
        Always with a verdict on its convergence, ``result.convergence``.

    Raises
    ------
    FormulaError
        If the formula cannot be read.
    DataError
        If columns or values do not suit the model.
    ArgumentError
        If another argument does not.

    Warns
    -----
    ConvergenceWarning
        If no optimum was found, or the data do not determine the variance parameters.
    DataWarning
        If rows or columns were dropped.

    References
    ----------
    Bates, Mächler, Bolker and Walker (2015), Fitting Linear Mixed-Effects Models Using lme4,
    Journal of Statistical Software 67(1).

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> m.fe_params.round(3).to_dict()
    {'Intercept': 251.405, 'Days': 10.467}
    >>> round(m.reml_criterion, 3)
    1743.628
    """
    criterion = _criterion(method, REML)
    clock = perf_counter()
    design = build(
        formula,
        data,
        groups=groups,
        random=random,
        weights=weights,
        offset=offset,
        contrasts=contrasts,
        subset=subset,
        na_action=na_action,
        context=caller_names(),
    )
    seconds = {"design": perf_counter() - clock}
    fitted = fit_design(
        design,
        reml=criterion == "REML",
        optimizer=optimizer,
        theta0=start_of(theta0, design),
        backend=None if backend == "auto" else backend,
        seconds=seconds,
    )
    warn_if_not_converged(fitted.optimum)
    result = LMMResult(fitted)
    result.call = {
        "formula": formula,
        "data": data,
        "groups": groups,
        "random": random,
        "method": criterion,
        "weights": weights,
        "offset": offset,
        "optimizer": optimizer,
        "contrasts": contrasts,
        "subset": subset,
        "na_action": na_action,
        "backend": backend,
    }
    return result


@checked
def update(
    result: _Result, formula: str | None = None, data: Any = None, **changes: Any
) -> _Result:
    """Fit again with some arguments changed.

    Parameters
    ----------
    result : LMMResult, GLMMResult or GLMResult
        A fit made in this process (a pickle does not keep the data: pass ``data`` then).
    formula : str, optional
        A new formula; a ``.`` stands for the old left side or the old fixed part, as in R:
        ``". ~ . - Days"``, ``"log(.) ~ .:z + (1 | h)"``.
    data : data frame, optional
        New data.
    **changes
        Other arguments of the function that made it: :func:`fit`, :func:`glmer` or :func:`glm`.

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
    if not isinstance(result, ModelResult):
        raise ArgumentTypeError(
            f"update takes a fitted model first, of fit(), glmer() or glm(); got {brief(result)}"
        )
    if formula is not None and not isinstance(formula, str):
        raise ArgumentTypeError(
            f"formula must be a text such as '. ~ . - x', got {brief(formula)}; new data are data="
        )
    call = result.call
    if call is None and (formula is None or data is None):
        raise ArgumentError(
            "result does not hold its data (it was unpickled or refitted); pass formula= and data="
        )
    arguments = dict(call or {})
    design = result.fit.design
    if formula is not None:
        arguments |= _new_formula(formula, design.formula, arguments, changes)
    if data is not None:
        arguments["data"] = data
    if "REML" in changes and "method" not in changes:
        arguments.pop("method", None)
    with names_of(design.replay.context if design.replay else {}):
        return _maker(result)(**{**arguments, **changes})


def _new_formula(
    formula: str, old: Formula, arguments: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """The formula with its dots filled; random terms given apart become part of it."""
    made: dict[str, Any] = {}
    if stands_for_old(formula):
        if "groups" in changes or "random" in changes:
            written = parse(arguments["formula"]).written if "formula" in arguments else ()
            old = replace(old, written=written)
        else:
            made = {name: None for name in ("groups", "random") if name in arguments}
    return {**made, "formula": updated(formula, old)}


def _maker(result: Any) -> Callable[..., Any]:
    """The function that makes results of this kind."""
    if isinstance(result, LMMResult):
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
        likelihood-ratio tests, REML fits refitted by ML.
    **arguments
        Of the first model's own ``anova``: ``type``, ``refit``, ``names``.

    Returns
    -------
    DataFrame

    Raises
    ------
    ArgumentTypeError
        If something else than a fitted model is given.

    Examples
    --------
    >>> import interlace as il
    >>> sleep = il.load_dataset("sleepstudy")
    >>> full = il.fit("Reaction ~ Days + (Days | Subject)", sleep)
    >>> none = il.fit("Reaction ~ 1 + (Days | Subject)", sleep)
    >>> il.anova(none, full)["Chisq"].iloc[1].round(3)
    np.float64(23.537)
    """
    for model in models or (None,):
        if not isinstance(model, ModelResult):
            listed = isinstance(model, (list, tuple))
            hint = "; write them one after the other, il.anova(m1, m2)" if listed else ""
            raise ArgumentTypeError(f"anova takes fitted models, got {brief(model)}{hint}")
    return models[0].anova(*models[1:], **arguments)


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
def VarCorr(result: MixedResult, r_names: bool = False):  # noqa: N802
    """Variances and correlations: :meth:`LMMResult.VarCorr` under lme4's name.

    Parameters
    ----------
    result : LMMResult or GLMMResult
    r_names : bool, default False
        R's names of effects.

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
    return result.VarCorr(r_names=r_names)


@checked
def lmer(formula: str, data: Any, REML: bool | None = None, **arguments: Any) -> LMMResult:
    """Fit a linear mixed model: :func:`fit` under lme4's name.

    Parameters
    ----------
    formula : str
        lme4's grammar.
    data : data frame
        As for :func:`fit`.
    REML : bool, optional
        lme4's way to ask for ``method="REML"`` (default) or ``"ML"``.
    **arguments
        As for :func:`fit`.

    Returns
    -------
    LMMResult

    Raises
    ------
    ArgumentError
        As :func:`fit`; also if ``REML`` and ``method`` contradict each other.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.lmer("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"), REML=False)
    >>> round(m.llf, 4)
    -163.6635
    """
    return fit(formula, data, REML=REML, **arguments)


def _criterion(method: str | None, REML: bool | None) -> str:
    """The criterion that two arguments for it mean."""
    if REML is None:
        return method or "REML"
    meant = "REML" if REML else "ML"
    if method not in (None, meant):
        raise ArgumentError(
            f"REML={REML} and method={method!r} contradict each other: REML={REML} means "
            f"method={meant!r}; give one of them"
        )
    return meant


def start_of(theta0: Any, design) -> np.ndarray | None:
    """theta0 as an array, checked against the design."""
    if theta0 is None:
        return None
    names = CovarianceModel.of(design).theta_names
    try:
        theta = np.asarray(theta0, dtype=float)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            f"theta0 must be a sequence of {len(names)} numbers, got {brief(theta0)}"
        ) from None
    if theta.shape != (len(names),):
        raise ArgumentError(
            f"theta0 has shape {theta.shape} but the model has {len(names)} covariance "
            f"parameters: {', '.join(names)}"
        )
    if not np.all(np.isfinite(theta)):
        raise ArgumentError(f"theta0 must be finite, got {theta.tolist()}")
    return theta
