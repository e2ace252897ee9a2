"""`GLMMFit`: the frozen record of a fitted generalised linear mixed model."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from time import perf_counter
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from ..covariance import CovarianceModel
from ..design.design import Design
from ..errors import NumericalError
from ..families import Family
from ..linalg.factor.base import Factor
from ..linalg.factor.choose import OPEN, choose_factor
from ..linalg.threads import blas_threads, one_thread
from ..objective.generalised.joint_modes import JointModeObjective
from ..objective.generalised.laplace import LaplaceObjective
from ..objective.generalised.problem import Problem
from ..objective.generalised.restricted import RestrictedLaplace, RestrictedProblem
from ..objective.generalised.series_laplace import SeriesLaplace
from ..objective.linear.of_design import SERIES
from ..objective.linear.series_design import (
    SeriesLayout,
    check_dense,
    series_layout,
    series_term,
    with_effects,
)
from ..objective.theta_scale import ThetaScale
from ..optimize import Optimum, minimise, minimise_from, stage
from .base import BaseMixedFit, closed, others
from .density import first_density, problem_of, with_parameters
from .glmm_estimates import GLMMEstimates, estimates
from .observations import Observations, observe
from .predictors_fit import PredictorsFit
from .separation import explained
from .verdicts import mixed_verdict

# Of central differences of modes in standardised theta: modes are good to 1e-10.
MODE_STEP = 1e-4
# Halvings of a start that has means out of range.
MAX_HALVINGS = 12
# Effects of a series times columns of other random effects: numbers that are held and gone over.
MOST_COLUMNS = 50_000_000
# Entries of X, 160 MB, above which a result lets go of what a search needs, some numbers a row:
# what asks for it makes it again in a fraction of the time of the fit.
MOST_HELD = 20_000_000
# Mean square, in standard errors, of how far coefficients without random effects are from those of
# a model whose refits they may start. Measured over 40 draws from each of five fits: below it a
# refit takes 15 to 30 % fewer evaluations, at 14 (overdispersed counts) 25 % more.
NEAR = 1.0

#: theta, beta and zeta to start from, None for the objective's own.
Start: TypeAlias = tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]


@dataclass(frozen=True, eq=False)
class GLMMFit(PredictorsFit, BaseMixedFit):
    """A fitted generalised linear mixed model: nAGQ is 0, 1 (Laplace) or nodes of quadrature.

    With several linear predictors X, beta, eta and all that goes with them are those of the mean;
    `part` has the same of another one.
    """

    design: Design
    covariance: CovarianceModel
    family: Family
    observations: Observations
    nAGQ: int
    expected: bool
    optimum: Optimum
    seconds: dict[str, float]
    optimizer: str
    backend: str
    scale: ThetaScale
    method: str = "ML"
    _objective: LaplaceObjective | JointModeObjective | None = field(default=None, repr=False)

    linear: ClassVar[Literal[False]] = False
    df_method = "normal"
    re_scale = 1.0

    def __getstate__(self) -> dict:
        derived = ("_shared", "first_estimates", "fixed_part", "random_part", "b", "mu", "eta")
        state = {k: v for k, v in self.__dict__.items() if k not in derived}
        return {**state, "solution": self.solution, "_objective": None}

    @property
    def theta_names(self) -> list[str]:
        return self.covariance.theta_names

    @cached_property
    def first_estimates(self) -> tuple[np.ndarray, np.ndarray]:
        """Where a search without a start begins: see `_first_estimates`."""
        objective = self.objective
        assert isinstance(objective, LaplaceObjective)
        return _first_estimates(objective)

    def as_ml(self) -> GLMMFit:
        if not self.is_reml:
            return self
        return fit_glmm(
            self.design, self.family, self.observations, optimizer=self.optimizer,
            backend=self.backend,
        )  # fmt: skip

    def without(self, gone: np.ndarray) -> GLMMFit:
        """The fit without some of its rows, started at the old estimates."""
        design = self.design.of(others(self.n, gone))
        observations = observe(design, self.family, varying=True)
        with explained(design, self.family, observations):
            with one_thread(design.size):
                objective = make_objective(
                    design, CovarianceModel.of(design), self.family, observations, self.nAGQ,
                    self.expected, self.backend, self.method,
                )  # fmt: skip
            start = _warm(self)
            return _fitted(design, observations, objective, self.optimizer, start, {}, type(self))

    @property
    def objective(self) -> LaplaceObjective | JointModeObjective:
        """The objective, a new one each time: no two users see each other's numbers."""
        return self._shared.fresh()

    @cached_property
    def _shared(self) -> LaplaceObjective | JointModeObjective:
        """The objective whose patterns others share; made from the design after unpickling."""
        if self._objective is not None:
            return self._objective
        return make_objective(
            self.design, self.covariance, self.family, self.observations, self.nAGQ,
            self.expected, self.backend, self.method,
        )  # fmt: skip

    @cached_property
    def solution(self) -> GLMMEstimates:
        """All estimates at the optimum, made when first asked for."""
        objective = self.objective
        with blas_threads(objective.modes.dense_columns, self.design.size):
            return closed(estimates(objective, self.optimum))

    def factor_at_optimum(self) -> Factor:
        """The factorisation of M = Lambda'Z'WZ Lambda + I at theta, W the working weights."""
        objective, x = self._with_all_coefficients()
        problem, scale = objective.problem, objective.scale
        if isinstance(objective, SeriesLaplace):
            check_dense([len(f.levels) for f in self.design.factors], self.covariance.widths)
            problem = problem_of(self.design, self.family, self.observations)
            scale = ThetaScale(self.covariance, problem.z_roots)
            x = scale.x(self.theta)
        factor = choose_factor(problem.Z.set_weights(self._weights_of(problem)))
        factor.refactor(scale.templates(x[: self.covariance.n_theta]))
        return factor

    def _weights_of(self, problem: Problem) -> np.ndarray:
        """Working weights in the order of a problem's rows."""
        weights, order = self.solution.weight, problem.order
        if weights is None:
            weights = self.working_weights
        return weights if order is None else np.ascontiguousarray(weights[..., order])

    def series_effects(self) -> Any:
        objective = self.objective
        if not isinstance(objective, SeriesLaplace):
            return None
        return objective.conditional(self.x, self._weights_of(objective.problem))

    def _with_all_coefficients(self) -> tuple[Any, np.ndarray]:
        """The objective of which all coefficients are parameters, and its x at the optimum."""
        objective: Any = self.objective
        if not self.is_reml:
            return objective, self.x
        objective = make_objective(
            self.design, self.covariance, self.family, self.observations, self.nAGQ,
            self.expected, self.backend,
        )  # fmt: skip
        gamma = objective.problem.gamma(self.solution.beta)
        return objective, np.concatenate([objective.scale.x(self.theta), gamma])

    def mode_slopes(self) -> list[np.ndarray]:
        """Derivatives of the modes b in theta at given coefficients, (n_theta, l_b, k_b) each."""
        objective, x = self._with_all_coefficients()
        return mode_differences(objective, x, objective.scale.jacobian())

    def cond_cov(self, b: int) -> np.ndarray:
        """Covariances of the modes given theta, beta and zeta, (l_b, k_b, k_b)."""
        if self.solution.cov_modes:
            return self.solution.cov_modes[b]
        T = self.T[b]
        return T @ self.factor_at_optimum().inverse_blocks(b) @ T.T

    def cond_variances(self, b: int) -> np.ndarray:
        """Variances of the modes given theta, beta and zeta, (l_b, k_b)."""
        effects = self.series_effects()
        return super().cond_variances(b) if effects is None else effects.effect_variances(b)


def mode_differences(objective: Any, x: np.ndarray, natural: np.ndarray) -> list[np.ndarray]:
    """Derivatives of the modes b at x, (P, l_b, k_b) each, by central differences.

    They are in the first P parameters as ``natural`` (P, P) takes those of the search to them.
    """
    scale = objective.scale
    m, to_x = objective.covariance.n_theta, np.linalg.inv(natural)

    def modes(x: np.ndarray) -> list[np.ndarray]:
        u = objective.last_point(x).u
        T = scale.natural(scale.templates(x[:m]))
        return [own @ t.T for own, t in zip(objective.spherical(u, x[:m]), T, strict=True)]

    slopes: list[list[np.ndarray]] = [[] for _ in modes(x)]  # where the next searches start
    for step in MODE_STEP * np.eye(len(natural), x.size):
        ends = zip(modes(x + step), modes(x - step), strict=True)
        for out, (up, down) in zip(slopes, ends, strict=True):
            out.append((up - down) / (2.0 * MODE_STEP))
    return [np.einsum("ij,ilk->jlk", to_x, np.array(own)) for own in slopes]


def make_objective(
    design: Design,
    covariance: CovarianceModel,
    family: Family,
    observations: Observations,
    nAGQ: int,
    expected: bool,
    backend: str | None,
    method: str = "ML",
    workers: Any = None,
) -> LaplaceObjective | JointModeObjective:
    """The criterion that ``nAGQ`` and ``method`` ask for, its pieces with workers if given."""
    if method == "REML":
        density, eta = first_density(design, family, observations)
        restricted = RestrictedProblem.of(design, density, eta)
        return RestrictedLaplace(restricted, covariance, expected, backend)
    whole = nAGQ == 1 and workers is None
    layout = series_of(design, covariance, backend) if whole else None
    if layout is not None:
        problem = problem_of(with_effects(design, layout), family, observations)
        levels = [len(factor.levels) for factor in design.factors]
        return SeriesLaplace(problem, covariance, expected, layout, levels)
    problem = problem_of(design, family, observations)
    if workers is not None:
        from ..objective.partitioned.objective import PartitionedObjective
        from ..objective.partitioned.pieces import Approximation

        approximation = Approximation(covariance, expected, nAGQ, backend)
        return PartitionedObjective(problem, approximation, workers)
    if nAGQ == 0:
        return JointModeObjective(problem, covariance, expected, backend)
    if nAGQ == 1:
        return LaplaceObjective(problem, covariance, expected, backend)
    from ..objective.generalised.quadrature import QuadratureObjective

    return QuadratureObjective(problem, covariance, expected, nAGQ, backend)


def series_of(
    design: Design, covariance: CovarianceModel, backend: str | None
) -> SeriesLayout | None:
    """The series that is taken time by time, or none."""
    if backend not in (*OPEN, SERIES):
        return None
    term = series_term(design, covariance)
    if term is None:
        return None
    layout = series_layout(design, covariance, term)
    others = sum(len(design.factors[b].levels) * own.size for b, own in layout.places)
    return layout if layout.n_effects * others <= MOST_COLUMNS else None


def fit_glmm(
    design: Design,
    family: Family,
    observations: Observations,
    *,
    nAGQ: int = 1,
    expected: bool | None = None,
    optimizer: str = "newton",
    theta0: Any = None,
    backend: str | None = None,
    method: str = "ML",
    seconds: dict[str, float] | None = None,
    kind: type[GLMMFit] = GLMMFit,
    executor: Any = None,
    partitions: int | None = None,
) -> GLMMFit:
    """Fit a generalised linear mixed model to a design, with the verdict on separation.

    nAGQ is 0 (coefficients inside penalised IRLS), 1 (Laplace) or the nodes of adaptive quadrature;
    `expected` asks for expected instead of observed information in the determinant (default: the
    family's), theta0 is a start, `backend` forces a factorisation, `seconds` are stages timed so
    far, `kind` is that of the record; `executor` has the workers and `partitions` is their number.
    """
    seconds = dict(seconds or {})
    clock = perf_counter()
    stage("first estimates")
    design = with_parameters(design, family)
    if expected is None:
        expected = family.expected_by_default
    covariance = CovarianceModel.of(design)
    theta = covariance.given_start(theta0)
    with explained(design, family, observations), _workers(executor, partitions, design) as workers:
        with one_thread(design.size):
            objective = make_objective(
                design, covariance, family, observations, nAGQ, expected, backend, method, workers
            )
        seconds["first estimates"] = perf_counter() - clock
        start = (theta, None, None)
        return _fitted(design, observations, objective, optimizer, start, seconds, kind)


def _workers(executor: Any, partitions: int | None, design: Design) -> Any:
    """Workers, if they are asked for, in a context."""
    if executor is None and partitions is None:
        return nullcontext()
    from ..objective.partitioned.engines import engine
    from ..objective.partitioned.pieces import outermost

    outermost(design.factors)
    return engine(executor, partitions)


def _fitted(
    design: Design,
    observations: Observations,
    objective: LaplaceObjective | JointModeObjective,
    optimizer: str,
    start: Start,
    seconds: dict[str, float],
    kind: type[GLMMFit] = GLMMFit,
) -> GLMMFit:
    """Minimise an objective and make the record, with its verdict."""
    clock = perf_counter()
    with blas_threads(objective.modes.dense_columns, design.size):
        optimum = search(objective, optimizer, *start)
        fit = fit_at(design, observations, objective, optimum, seconds, kind)
    if not objective.modes.is_here or design.size > MOST_HELD:
        # its verdict is known, and another objective is made when one is wanted
        fit = _changed(fit, optimum=optimum.at_rest(), _objective=None)
    objective.release()
    seconds["optimise"] = perf_counter() - clock
    fit = with_verdict(fit)
    if design.size > MOST_HELD:
        fit.__dict__.pop("mu", None)
    return fit


def _changed(fit: GLMMFit, **fields: Any) -> GLMMFit:
    """The fit with other fields and the same estimates."""
    other = replace(fit, **fields)
    if "solution" in fit.__dict__:
        other.__dict__["solution"] = fit.solution
    return other


def search(
    objective: LaplaceObjective | JointModeObjective,
    optimizer: str = "newton",
    theta: np.ndarray | None = None,
    beta: np.ndarray | None = None,
    zeta: np.ndarray | None = None,
) -> Optimum:
    """The optimum from the objective's own start, but for what is given."""
    x = _start(objective, theta, beta, zeta)
    if (
        optimizer == "bobyqa"
        and isinstance(objective, LaplaceObjective)
        and not isinstance(objective, SeriesLaplace)
        and not objective.restricted
        and objective.modes.is_here
    ):
        x = _first_stage(objective, x)
    return minimise(objective, optimizer, x)


def fields_at(
    design: Design, observations: Any, objective: Any, optimum: Optimum, seconds: dict[str, float]
) -> dict[str, Any]:
    """What every record of an optimum has, by the names of its fields."""
    return {
        "design": design,
        "covariance": objective.covariance,
        "family": objective.problem.density.family,
        "observations": observations,
        "nAGQ": objective.nodes,
        "expected": objective.expected,
        "optimum": closed(optimum),
        "seconds": seconds,
        "optimizer": optimum.optimizer,
        "backend": objective.modes.backend,
        "scale": objective.scale,
        "method": "REML" if objective.restricted else "ML",
    }


def fit_at(
    design: Design,
    observations: Observations,
    objective: LaplaceObjective | JointModeObjective,
    optimum: Optimum,
    seconds: dict[str, float],
    kind: type[GLMMFit] = GLMMFit,
) -> GLMMFit:
    """The record of an optimum."""
    fields = fields_at(design, observations, objective, optimum, seconds)
    fit = kind(**fields, _objective=objective)
    with suppress(NumericalError):  # while the objective holds the modes of the optimum
        fit.__dict__["solution"] = closed(estimates(objective, optimum))
    return fit


def _start(objective, theta, beta, zeta) -> np.ndarray:
    """The objective's own start, but for what is given."""
    x, at = _place(objective, theta, beta, zeta), objective.at
    for _ in range(MAX_HALVINGS):
        try:
            objective.evaluate(x, 1)
            break
        except NumericalError:  # a mean out of its range: nearer to no random effects
            x[at.theta] *= 0.5
    return x


def _place(objective, theta, beta, zeta) -> np.ndarray:
    """x of what is given, with what is not from the objective's own start."""
    at = objective.at
    if theta is None or beta is None or zeta is None:
        x = objective.start()
    else:
        x = np.empty(objective.layout.size)
    if theta is not None:
        x[at.theta] = objective.scale.x(theta)
    if beta is not None and isinstance(objective, LaplaceObjective):
        x[at.beta] = objective.problem.gamma(beta)
    if zeta is not None:
        x[at.zeta] = zeta if beta is None else objective.problem.searched(beta, zeta)
    return x


def _first_stage(objective: LaplaceObjective, x: np.ndarray) -> np.ndarray:
    """lme4's first stage: theta with the coefficients inside penalised IRLS."""
    joint = JointModeObjective(
        objective.problem, objective.covariance, objective.expected, objective.modes.backend
    )
    at, inner = objective.at, joint.at
    try:
        optimum = minimise_from(joint, "bobyqa", np.concatenate([x[at.theta], x[at.zeta]]))
        gamma = joint.point(optimum.x, 0).gamma
        there = np.concatenate([optimum.x[inner.theta], gamma, optimum.x[inner.zeta]])
        objective.evaluate(there, 0)
    except NumericalError:
        return x
    return there


def refit_glmm(fit: GLMMFit, y: np.ndarray) -> GLMMFit:
    """The same model for another response, (n,), started at the old estimates.

    y are numbers, or proportions where there are trials.
    """
    design = fit.design.with_response(y)
    observations = observe(design, fit.family, varying=True)
    shared = fit._shared
    with explained(design, fit.family, observations):
        with blas_threads(shared.modes.dense_columns, design.size):
            objective = shared.with_response(*first_density(design, fit.family, observations))
            start = _nearest(fit, objective)
        return _fitted(design, observations, objective, fit.optimizer, start, {}, type(fit))


def _nearest(fit: GLMMFit, objective: LaplaceObjective | JointModeObjective) -> Start:
    """The old estimates, or these as the new response moves them if that is lower."""
    old = _warm(fit)
    known = fit.several or fit.ordered  # parameters that the first estimates do not move
    if not fit.p or known or not isinstance(objective, LaplaceObjective):
        return old
    first_sd, first_beta = fit.first_estimates
    with np.errstate(all="ignore"):
        distance = np.mean((first_beta - fit.beta) ** 2 / np.diagonal(fit.cov_beta))
    if not distance < NEAR:
        return old
    sd, beta = _first_estimates(objective)
    starts = [old, _moved(fit, sd / first_sd, beta - first_beta)]
    values = []
    for start in starts:
        try:
            values.append(objective.evaluate(_place(objective, *start), 0).value)
        except NumericalError:
            values.append(np.inf)
    objective.hold(np.zeros(objective.problem.Z.q))
    return starts[int(np.argmin(values))]


def _moved(fit: GLMMFit, ratios: np.ndarray, change: np.ndarray) -> Start:
    """The estimates moved as first estimates move from the old response to a new one.

    A fit without random effects follows the response as the model does where its coefficients are
    about as far from those of the model as these are uncertain; ``change``, (p,), is theirs.
    ``ratios``, (k_1 + k_2 + ...,), are those of standard deviations by moments.
    """
    theta, _, zeta = _warm(fit)
    cov = fit.covariance
    if theta is not None and cov.identity:
        offsets = np.cumsum([0, *cov.widths])
        theta = theta * ratios[offsets[cov.factor] + cov.row]
    return theta, fit.solution.beta + change, zeta


def _first_estimates(objective: LaplaceObjective) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations by moments (k_1 + k_2 + ...,), and beta without random effects, (p,)."""
    x = objective.start()
    scale = objective.scale
    templates = scale.natural(scale.templates(x[objective.at.theta]))
    sd = np.concatenate([np.sqrt((T * T).sum(axis=1)) for T in templates])
    return sd, objective.problem.beta(x[objective.at.beta])


def _warm(fit: GLMMFit) -> Start:
    """theta, beta and zeta to start from; from a boundary the gradient does not lead away."""
    zeta = None if fit.several else fit.zeta
    return fit.theta if fit.theta.all() else None, fit.solution.beta, zeta


def with_verdict(fit: GLMMFit) -> GLMMFit:
    """The fit, its verdict changed where that of gradient and curvature does not know better."""
    verdict, message = mixed_verdict(fit)
    return _changed(fit, optimum=fit.optimum.judged(verdict, message)) if message else fit
