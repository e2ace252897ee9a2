"""The four steps of a mixed model one by one: design, objective, optimum, result.

`fit` and `glmer` take them at once. Here each can be looked at, repeated, or replaced: lme4's
``lFormula``, ``mkLmerDevfun``, ``optimizeLmer`` and ``mkMerMod``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from .api.design_and_result import design_of
from .calls import checked
from .covariance import CovarianceModel
from .design.design import Design
from .design.predictor import ARGUMENTS
from .errors import ArgumentError, ArgumentTypeError, brief, warn_if_not_converged
from .linalg.threads import blas_threads, one_thread
from .models import lmm
from .objective import LMMObjective, Objective
from .objective.linear.of_design import linear_objective
from .optimize import Optimum
from .results.lmm import LMMResult
from .results.mixed import MixedResult

__all__ = ["design", "minimise", "objective", "result"]


@checked
def design(
    formula: str,
    data: Any,
    family: Any = None,
    *,
    groups: str | Sequence[str] | None = None,
    random: str | Sequence[str] | None = None,
    weights: Any = None,
    offset: Any = None,
    dispformula: str | None = None,
    ziformula: str | None = None,
    shapeformula: str | None = None,
    zoiformula: str | None = None,
    coiformula: str | None = None,
    contrasts: Mapping[str, Any] | None = None,
    subset: Any = None,
    na_action: Literal["omit", "exclude", "raise"] = "omit",
    matrices: Mapping[str, Any] | None = None,
) -> Design:
    """Make the design of a mixed model from a formula and a data frame: lme4's ``lFormula``.

    Parameters
    ----------
    formula : str
        lme4's grammar.
    data : data frame
        As for :func:`interlace.fit`.
    family : str or family, optional
        Of a generalised model: its responses may be factors, booleans or successes / trials.
        Default: a linear model, whose response is numbers.
    groups, random, weights, offset, contrasts, subset, na_action, matrices
        As for :func:`interlace.fit`.
    dispformula, ziformula, shapeformula, zoiformula, coiformula : str, optional
        Formulas of the family's parameters, as for :func:`interlace.glmer`; they need a family.

    Returns
    -------
    Design
        Response ``y`` (n,), ``X`` (n, p) with ``x_names``, and ``factors`` with the level of each
        row, ``codes`` (n,), and the columns ``Z`` (n, k) of their random effects. With several
        linear predictors X is the mean's, and ``predictors`` has that of each.

    Raises
    ------
    FormulaError, DataError, ArgumentError
        As :func:`interlace.fit`.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace import modular
    >>> d = modular.design("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> d.X.shape, d.factors[0].Z.shape, len(d.factors[0].levels)
    ((180, 2), (180, 2), 18)
    """
    call = dict(locals())
    if family is None:
        _check_no_formulas(call)
        return design_of(call, linear=True, mixed=True)[0]
    from .families import resolve
    from .models.density import with_parameters
    from .models.predictors import predictors_of

    resolved, formulas = predictors_of(resolve(family), call)
    complete = design_of(call, linear=False, mixed=True, others=formulas)[0]
    complete = with_parameters(complete, resolved)
    _observed(complete, resolved)  # a response that the family does not allow is refused here
    return complete


def _check_no_formulas(call: Mapping[str, Any]) -> None:
    """Refuse formulas of parameters where no family says which it has."""
    arguments = [name for name in ARGUMENTS.values() if call.get(name) is not None]
    if arguments:
        raise ArgumentError(
            f"{arguments[0]}={call[arguments[0]]!r} needs the family whose parameter it models: "
            "family='gaussian' for a model that is linear otherwise"
        )


@checked
def objective(
    design: Design,
    family: Any = None,
    *,
    REML: bool | None = None,
    nAGQ: int = 1,
    laplace: Literal["expected", "observed"] | None = None,
    backend: Literal["auto", "blocked", "nested", "schur", "cholmod", "superlu"] = "auto",
) -> Objective:
    """Make the criterion of a design, with its derivatives: lme4's ``mkLmerDevfun``.

    Parameters
    ----------
    design : Design
        From :func:`design`.
    family : str or family, optional
        That of the design; default: a linear model.
    REML : bool, optional
        The REML criterion of a linear model (default) instead of -2 log-likelihood.
    nAGQ : int, default 1
        Approximation of a generalised model, as for :func:`interlace.glmer`.
    laplace : {"expected", "observed"}, optional
        Information in the determinant, as for :func:`interlace.glmer`.
    backend : {"auto", "blocked", "nested", "schur", "cholmod", "superlu"}, default "auto"
        How M = Lambda'Z'WZ Lambda + I is factorised.

    Returns
    -------
    Objective
        ``evaluate(x)`` gives value, gradient (m,) and curvature (m, m). x (m,) holds theta for
        standardised covariates and, of a generalised model, coefficients of standardised columns
        and the family's own parameters. It belongs to one user in one thread; ``fresh()`` makes
        another.

    Raises
    ------
    ArgumentError
        If the arguments do not suit the design.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace import modular
    >>> d = modular.design("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> criterion = modular.objective(d, REML=False)
    >>> round(criterion.evaluate(criterion.x([0.75])).value, 3)
    327.327
    """
    covariance = CovarianceModel.of(_a(Design, "design", design))
    criterion: Objective
    if family is None:
        if design.recipe is not None and not design.recipe.linear:
            raise ArgumentError("design is for a generalised model; give its family=")
        if nAGQ != 1 or laplace is not None:
            raise ArgumentError("nAGQ= and laplace= are for generalised models; give family=")
        with one_thread(design.size):
            criterion = linear_objective(design, covariance, REML is not False, backend)
        criterion.start()  # takes units for very large variances: x means the same from here on
    else:
        if REML is not None:
            raise ArgumentError(
                f"REML={REML} is for linear models; generalised ones are fitted by maximum "
                "likelihood. Leave it out"
            )
        criterion = _generalised(design, covariance, family, nAGQ, laplace, backend)
    criterion.design = design
    return criterion


def _generalised(
    design: Design,
    covariance: CovarianceModel,
    family: Any,
    nAGQ: int,
    laplace: str | None,
    backend: str,
) -> Objective:
    from .models.glmm import make_objective
    from .models.predictors import check_approximation
    from .objective.generalised.quadrature import check_nodes

    resolved, observations = _observed(design, family)
    check_approximation(nAGQ, laplace, design)
    if nAGQ != 0:
        check_nodes(nAGQ, design)
    expected = resolved.expected_by_default if laplace is None else laplace == "expected"
    with one_thread(design.size):
        return make_objective(design, covariance, resolved, observations, nAGQ, expected, backend)


@checked
def minimise(
    objective: Objective,
    optimizer: Literal["newton", "lbfgsb", "bobyqa"] = "newton",
    theta0: Any = None,
) -> Optimum:
    """Minimise a criterion: lme4's ``optimizeLmer`` and ``optimizeGlmer``.

    Parameters
    ----------
    objective : Objective
        From :func:`objective`.
    optimizer : {"newton", "lbfgsb", "bobyqa"}, default "newton"
        As for :func:`interlace.fit`.
    theta0 : sequence of float, shape (n_theta,), optional
        Where to start, lme4's theta; default: the objective's own start.

    Returns
    -------
    Optimum
        Parameters ``x``, ``value``, ``gradient``, ``curvature``, and a ``verdict`` with its
        ``message``.

    Raises
    ------
    ArgumentError
        If theta0 does not suit the model.
    NumericalError
        If no parameters are found for which the criterion can be computed.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace import modular
    >>> d = modular.design("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> modular.minimise(modular.objective(d)).verdict
    'converged'
    """
    criterion = _a(Objective, "objective", objective)
    theta = criterion.covariance.given_start(theta0)
    if isinstance(criterion, LMMObjective):
        start = criterion.start() if theta is None else criterion.x(theta)
        with blas_threads(criterion.marginal.dense_columns, criterion.cross.n):
            return lmm.search(criterion, optimizer, start)
    from .models import glmm

    with blas_threads(criterion.modes.dense_columns, criterion.problem.fixed.size):
        return glmm.search(criterion, optimizer, theta)


@checked
def result(design: Design, objective: Objective, optimum: Optimum) -> MixedResult:
    """Make the result of an optimum: lme4's ``mkMerMod``.

    Parameters
    ----------
    design : Design
        From :func:`design`.
    objective : Objective
        From :func:`objective`, of this design.
    optimum : Optimum
        From :func:`minimise`, of this objective.

    Returns
    -------
    LMMResult or GLMMResult
        What :func:`interlace.fit` and :func:`interlace.glmer` return.

    Raises
    ------
    ArgumentError
        If the three do not belong together.

    Warns
    -----
    ConvergenceWarning
        If the optimum is none.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace import modular
    >>> d = modular.design("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> criterion = modular.objective(d)
    >>> m = modular.result(d, criterion, modular.minimise(criterion))
    >>> round(m.reml_criterion, 4)
    319.6543
    """
    design, optimum = _a(Design, "design", design), _a(Optimum, "optimum", optimum)
    criterion = _a(Objective, "objective", objective)
    if criterion.covariance.theta_names != CovarianceModel.of(design).theta_names:
        raise ArgumentError("objective was made from another design: their random effects differ")
    own_design = criterion.design
    if not (own_design is None or own_design is design or _equal(own_design, design)):
        raise ArgumentError("objective was made from another design: their rows or columns differ")
    if optimum._objective is not None and optimum._objective is not criterion:
        raise ArgumentError(
            "optimum belongs to another objective; minimise(objective) finds its own"
        )
    own = criterion.fresh()  # the result's numbers are not those of the next evaluation
    fitted: MixedResult
    if isinstance(own, LMMObjective):
        fitted = LMMResult(lmm.fit_at(design, own, optimum, {}, lmm.LMMFit))
    else:
        from .models import glmm
        from .results.glmm import GLMMResult

        observations = _observed(design, own.problem.density.family)[1]
        fit = glmm.fit_at(design, observations, own, optimum, {})
        fitted = GLMMResult(glmm.with_verdict(fit))
    warn_if_not_converged(fitted.fit)
    return fitted


def _a(kind: type, name: str, value: Any) -> Any:
    """The value, which must be of a kind that these functions return."""
    if isinstance(value, kind):
        return value
    maker = "minimise" if kind is Optimum else name
    raise ArgumentTypeError(f"{name} must be what modular.{maker}() returns, got {brief(value)}")


def _equal(one: Design, other: Design) -> bool:
    """Whether two designs are of the same columns and rows."""

    def parts(d: Design) -> list[Any]:
        factors = [part for f in d.factors for part in (f.codes, f.Z)]
        return [d.y, d.X, d.x_names, d.weights, d.offset, d.trials, *factors]

    return all(map(np.array_equal, parts(one), parts(other)))


def _observed(design: Design, family: Any) -> tuple[Any, Any]:
    """The family, with what the design has formulas of, and the response as it takes it."""
    from .families import resolve
    from .models.observations import observe
    from .models.predictors import family_of

    resolved = family_of(resolve(family), design)
    return resolved, observe(design, resolved, varying=True)
