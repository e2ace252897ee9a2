"""The front doors of models of ordered categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..calls import checked
from ..errors import ArgumentError, listing
from ..inference.update import Doors
from ..optimize import watched
from .design_and_result import design_of, result_of
from .engine import taken_out

# Models of other kinds do not pay for these.
if TYPE_CHECKING:
    from ..design.design import Design
    from ..families.ordinal import Ordinal
    from ..results.ordinal import CLMMResult, CLMResult


@checked
def clm(
    formula: str,
    data: Any,
    link: Any = "logit",
    threshold: Literal["flexible", "symmetric", "symmetric2", "equidistant"] = "flexible",
    nominal: str | None = None,
    scale: str | None = None,
    *,
    levels: Any = None,
    weights: Any = None,
    offset: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    subset: Any = None,
    na_action: Literal["omit", "exclude", "raise"] = "omit",
) -> CLMResult:
    """Fit a cumulative link model of ordered categories, as R's ``ordinal::clm``.

    P(y <= j) = F((alpha_j - eta) / sigma), with thresholds alpha_j that increase and a linear
    predictor eta without intercept: proportional odds where the link is logit.

    Parameters
    ----------
    formula : str
        ``"rating ~ temp + contact"``.
    data : data frame
        As for :func:`glm`.
    link : str or Link, default "logit"
        ``"logit"``, ``"probit"``, ``"cloglog"``, ``"loglog"`` or ``"cauchit"``.
    threshold : {"flexible", "symmetric", "symmetric2", "equidistant"}, default "flexible"
        Thresholds of any distances, symmetric about their centre, symmetric about zero, or of
        equal distances.
    nominal : str, optional
        One-sided formula, ``"~ contact"``, of terms that have a coefficient for each threshold in
        place of one for all: partial proportional odds.
    scale : str, optional
        One-sided formula of log sigma, which is 0 without.
    levels : sequence, optional
        The categories from the lowest to the highest, where the column has no order of its own.
    weights : array, Series or column name, shape (n,), optional
        What multiplies the log-likelihood of each row, such as how often it was observed.
    offset : array, Series or column name, shape (n,), optional
        Known part of eta, added to any ``offset()`` in the formula.
    contrasts, subset, na_action
        As for :func:`glm`.

    Returns
    -------
    CLMResult
        Always with a verdict on its convergence, ``result.convergence``.

    Raises
    ------
    FormulaError
        If a formula cannot be read or has random terms.
    DataError
        If the response has no order or one category only, or other columns do not suit the model.
    ArgumentError
        If another argument does not.

    Warns
    -----
    ConvergenceWarning
        If the likelihood has no maximum, or none was found.
    DataWarning
        If rows, columns or categories were dropped.

    References
    ----------
    McCullagh (1980), Regression models for ordinal data, Journal of the Royal Statistical Society
    B 42, 109-142.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.clm("rating ~ temp + contact", il.load_dataset("wine"))
    >>> m.params.round(4).to_dict()
    {'1|2': -1.3444, '2|3': 1.2508, '3|4': 3.4669, '4|5': 5.0064, 'temp[T.warm]': 2.5031, \
'contact[T.yes]': 1.5278}
    >>> m.predict({"temp": ["warm"], "contact": ["no"]}).round(3).iloc[0].tolist()
    [0.021, 0.201, 0.502, 0.2, 0.076]
    """
    call = dict(locals())

    from ..models.ordinal import fit_ordinal
    from ..results.ordinal import CLMResult

    design, family, observations, seconds = _prepared(call, mixed=False)
    fitted = fit_ordinal(design, family, observations, seconds=seconds)
    return result_of(CLMResult, fitted, call, Doors(clm, clm))


@checked
@watched
def clmm(
    formula: str,
    data: Any,
    groups: str | Sequence[str] | None = None,
    random: str | Sequence[str] | None = None,
    link: Any = "logit",
    optimizer: Literal["newton", "lbfgsb", "bobyqa"] = "newton",
    theta0: Any = None,
    nAGQ: int = 1,
    threshold: Literal["flexible", "symmetric", "symmetric2", "equidistant"] = "flexible",
    nominal: str | None = None,
    scale: str | None = None,
    *,
    levels: Any = None,
    weights: Any = None,
    offset: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    subset: Any = None,
    na_action: Literal["omit", "exclude", "raise"] = "omit",
    backend: Literal["auto", "blocked", "nested", "schur", "cholmod", "superlu"] = "auto",
    executor: Any = None,
    partitions: int | None = None,
    matrices: Mapping[str, Any] | None = None,
    progress: bool | Literal["auto"] = "auto",
) -> CLMMResult:
    """Fit a cumulative link mixed model of ordered categories, as R's ``ordinal::clmm``.

    P(y <= j) = F((alpha_j - eta) / sigma) with random effects in eta, by maximum likelihood.

    Parameters
    ----------
    formula : str
        lme4's grammar: ``"rating ~ temp + contact + (1 | judge)"``; the random part may be given
        apart.
    data : data frame
        As for :func:`glmer`.
    groups, random, optimizer, theta0, backend, executor, partitions, matrices, progress
        As for :func:`glmer`.
    nAGQ : int, default 1
        1: Laplace's approximation, with observed information. More: nodes per dimension of adaptive
        Gauss-Hermite quadrature, for one grouping factor with at most 3 effects.
    link, threshold, nominal, scale, levels, weights, offset, contrasts, subset, na_action
        As for :func:`clm`; random effects are in eta alone.

    Returns
    -------
    CLMMResult
        Always with a verdict on its convergence, ``result.convergence``.

    Raises
    ------
    FormulaError
        If a formula cannot be read or has no random term.
    DataError
        If the response has no order or one category only, or other columns do not suit the model.
    ArgumentError
        If another argument does not.
    NumericalError
        If no parameters are found for which the model can be computed.

    Warns
    -----
    ConvergenceWarning
        If no optimum was found, or the data do not determine the parameters.
    DataWarning
        If rows, columns or categories were dropped.

    References
    ----------
    Christensen (2018), Cumulative link models for ordinal regression with the R package ordinal.
    Tutz and Hennevogl (1996), Random effects in ordinal regression models, Computational Statistics
    & Data Analysis 22, 537-557.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.clmm("rating ~ temp + contact + (1 | judge)", il.load_dataset("wine"))
    >>> m.fe_params.round(3).to_dict()
    {'temp[T.warm]': 3.063, 'contact[T.yes]': 1.835}
    >>> round(m.llf, 4)
    -81.5654
    """
    call = dict(locals())
    engine = taken_out(call, nAGQ)

    from ..models.ordinal import fit_ordinal_mixed
    from ..objective.generalised.quadrature import check_nAGQ, check_nodes
    from ..results.ordinal import CLMMResult

    check_nAGQ(nAGQ)
    if nAGQ == 0:
        raise ArgumentError(
            "nAGQ=0 is not available for ordered categories, whose thresholds it cannot "
            "estimate; take nAGQ=1 (Laplace's approximation), which is as fast here"
        )
    design, family, observations, seconds = _prepared(call, mixed=True)
    if nAGQ > 1:
        check_nodes(nAGQ, design)
    fitted = fit_ordinal_mixed(
        design,
        family,
        observations,
        nAGQ=nAGQ,
        expected=False,
        optimizer=optimizer,
        theta0=theta0,
        backend=backend,
        seconds=seconds,
        **engine,
    )
    return result_of(CLMMResult, fitted, call, Doors(clmm, clm))


def _prepared(call: dict[str, Any], mixed: bool) -> tuple[Design, Ordinal, Any, dict]:
    """The design of a call, the family of its categories, and the response."""
    from ..design.predictor import NOMINAL, SCALE
    from ..families.ordinal import Ordinal
    from ..models.observations import observe

    # an unknown link is refused before anything is read
    link = call["link"]
    if not isinstance(link, str) or link not in Ordinal.links:
        Ordinal([0, 1], link=link)
    others = {name: call[name] for name in (NOMINAL, SCALE) if call[name] is not None}
    how = {"linear": False, "mixed": mixed, "ordered": True, "levels": call["levels"]}
    design, seconds = design_of(call, others=others or None, **how)
    terms = [term.text for term in design.terms if term.component]
    if terms:
        raise ArgumentError(
            f"thresholds and scale have no random effects, but there is {listing(terms)}; random "
            "terms go into formula"
        )
    levels: Any = design.response_levels
    family = Ordinal(levels, call["link"], call["threshold"])
    _check_twice(design)
    return design, family, observe(design, family), seconds


def _check_twice(design: Design) -> None:
    """Refuse columns of the location that thresholds have already."""
    import numpy as np

    from ..design.predictor import NOMINAL
    from ..design.rank import independent_columns

    own = design.predictors.get(NOMINAL)
    if own is None:
        return
    both = np.column_stack([own.X, design.X])
    kept = independent_columns(both)
    k = own.X.shape[1]
    twice = [name for j, name in enumerate(design.x_names) if k + j not in kept]
    if twice:
        raise ArgumentError(
            f"{listing(twice)} stand in formula and in nominal, which has a coefficient of them "
            "for each threshold already; leave them out of formula"
        )
