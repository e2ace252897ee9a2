"""`LMMFit`: the frozen record of a fitted model, which everything after fitting reads."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache, cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import numpy as np

from ..covariance import CovarianceModel
from ..design.design import Design
from ..linalg.threads import blas_threads, one_thread
from ..linalg.wide import product
from ..objective import LMMObjective, Solution
from ..objective.linear.exact import ExactFit
from ..objective.linear.of_design import linear_objective
from ..objective.theta_scale import ThetaScale
from ..optimize import Optimum, minimise, stage
from .base import BaseMixedFit, closed, others

if TYPE_CHECKING:
    from ..families.base import Family
    from ..objective.linear.marginal import Marginal
    from .observations import Observations

_Fit = TypeVar("_Fit", bound="LMMFit")


# An exact Hessian takes about as long as ten evaluations, and saves one in every deletion.
WORTH_A_HESSIAN = 20


@dataclass(frozen=True, eq=False)
class LMMFit(BaseMixedFit):
    """A fitted linear mixed model."""

    design: Design
    covariance: CovarianceModel
    method: str
    optimum: Optimum
    seconds: dict[str, float]
    optimizer: str
    backend: str
    scale: ThetaScale
    _objective: LMMObjective | None = field(default=None, repr=False)
    #: What inference has worked out at the optimum and may ask for again, by name.
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)

    linear: ClassVar[Literal[True]] = True
    df_method = "satterthwaite"
    nAGQ = None
    expected = True

    def __getstate__(self) -> dict:
        derived = ("_shared", "fixed_part", "random_part", "b", "observations")
        state = {k: v for k, v in self.__dict__.items() if k not in derived}
        return {**state, "solution": self.solution, "_objective": None, "memo": {}}

    @cached_property
    def solution(self) -> Solution:
        """All estimates at the optimum, made when first asked for."""
        objective = self.objective
        with _threads(self.design, objective):
            return closed(objective.solution(self.x))

    @property
    def objective(self) -> LMMObjective:
        """The objective, a new one each time: no two users see each other's numbers."""
        return self._shared.fresh()

    @cached_property
    def _shared(self) -> LMMObjective:
        """The objective whose patterns others share; made from the design after unpickling."""
        if self._objective is not None:
            return self._objective
        objective = linear_objective(self.design, self.covariance, self.is_reml, self.backend)
        if self.scale.units is not None:
            objective.enlarge(self.scale.units)
        return objective

    @property
    def cov_beta(self) -> np.ndarray:
        """Their covariance matrix, (p, p)."""
        return self.solution.cov_beta

    @property
    def sigma(self) -> float:
        """Residual standard deviation."""
        return self.solution.sigma

    @property
    def family(self) -> Family:
        """The Gaussian family with the identity link."""
        return _gaussian()

    @property
    def zeta(self) -> np.ndarray:
        """Logarithm of the precision 1 / sigma^2, (1,)."""
        with np.errstate(divide="ignore"):
            return np.array([-2.0 * np.log(self.sigma)])

    @property
    def re_scale(self) -> float:
        """sigma: random effects are in units of it."""
        return self.sigma

    @property
    def deviance(self) -> float:
        """-2 log-likelihood; of a REML fit at its theta, with beta and sigma profiled out."""
        if not self.is_reml:
            return self.criterion
        return self.objective.as_ml().evaluate(self.x, order=0).value

    @property
    def dispersion(self) -> float:
        """Residual variance."""
        return self.sigma**2

    @property
    def eta(self) -> np.ndarray:
        """X beta plus the offset and Z b, (n,)."""
        return self.fixed_part + self.random_part

    @property
    def mu(self) -> np.ndarray:
        """The means are the linear predictor, (n,)."""
        return self.eta

    @cached_property
    def observations(self) -> Observations:
        """The response with its prior weights, in the form that families take."""
        from .observations import Observations

        ones, weights = np.ones(self.n), self.design.weights
        weights = ones if weights is None else weights
        return closed(Observations(self.design.y, weights, ones, weights))

    @property
    def response_moments(self) -> tuple[float, float, float]:
        """Rows, weighted mean of the response less its offset, and its root mean square."""
        y, w = self.design.y, self.observations.weights
        y = y if self.design.offset is None else y - self.design.offset
        total = float(w.sum())
        return float(self.n), float(w @ y) / total, (float(w @ (y * y)) / total) ** 0.5

    @property
    def working_weights(self) -> np.ndarray:
        """Prior weights, (n,): information of the rows times sigma^2."""
        return self.observations.weights

    def noise(self, draws: np.ndarray) -> np.ndarray:
        """Residuals (m, n) of independent standard normal ones."""
        return self.sigma * (draws / np.sqrt(self.observations.weights))

    def normalised(self) -> np.ndarray:
        """The residuals as they would be standard normal and independent, (n,)."""
        root = np.sqrt(self.observations.weights) / (self.sigma or np.nan)
        return (self.design.y - self.mu) * root

    def factor_at_optimum(self) -> Marginal:
        """The factorisation of M = Lambda'Z'WZ Lambda + I at theta, W the prior weights."""
        return self.objective.marginal_at(self.x)

    def cond_cov(self, b: int) -> np.ndarray:
        """Covariances of the modes given theta and sigma, (l_b, k_b, k_b)."""
        T = self.T[b]
        return self.re_scale**2 * product(
            product(T, self.factor_at_optimum().inverse_blocks(b)), T.T
        )

    def cond_variances(self, b: int) -> np.ndarray:
        """Variances of the modes given theta and sigma, (l_b, k_b)."""
        own = self.objective.effect_variances(self.x, b)
        return super().cond_variances(b) if own is None else self.sigma**2 * own

    def without(self, gone: np.ndarray) -> LMMFit:
        """The fit without some of its rows: their part taken from the cross-products."""
        with _threads(self.design, self._shared):
            objective = self._shared.without(gone)
        objective.hessian_excess = self.memo.get("hessian excess")
        design = self.design.of(others(self.n, gone), all_levels=True)
        return fit_objective(design, objective, self.optimizer, self.warm, {}, type(self))

    def prepare_deletions(self, count: int) -> None:
        """Before so many calls of `without`: what the searches start from, if it is worth it."""
        if count < WORTH_A_HESSIAN or self.warm is None or "hessian excess" in self.memo:
            return
        objective = self.objective
        if not objective.curvature_is_cheap:
            return
        with _threads(self.design, objective):
            here = objective.evaluate(self.x)
            excess = None if here.exact else objective.hessian(self.x) - here.curvature
        self.memo["hessian excess"] = excess

    def as_ml(self) -> LMMFit:
        """The fit by maximum likelihood, warm-started (itself if it is one)."""
        if not self.is_reml:
            return self
        objective = self._shared.as_ml()
        return fit_objective(self.design, objective, self.optimizer, self.warm, {}, type(self))

    @property
    def warm(self) -> np.ndarray | None:
        """x to start a refit from; from a boundary the gradient does not lead away."""
        x = self.optimum.x
        return x if self.scale.inside(x) else None

    def refitted(self, y: np.ndarray) -> LMMFit:
        """The same model for another checked response, (n,), warm-started."""
        design = self.design.with_response(y)
        y = design.y if design.offset is None else design.y - design.offset
        with _threads(design, self._shared):
            objective = self._shared.with_response(y)
        return fit_objective(design, objective, self.optimizer, self.warm, {}, type(self))


@cache
def _gaussian() -> Family:
    """A linear fit does not pay for the import of families."""
    from ..families.gaussian import Gaussian

    return Gaussian()


def fit_lmm(
    design: Design,
    *,
    reml: bool,
    optimizer: str = "newton",
    theta0: Any = None,
    backend: str | None = None,
    seconds: dict[str, float] | None = None,
) -> LMMFit:
    """Fit a linear mixed model to a design.

    theta0 is a start on the scale of `LMMFit.theta`, `backend` forces a factorisation and `seconds`
    are the stages timed so far.
    """
    seconds = dict(seconds or {})
    clock = perf_counter()
    stage("cross-products")
    covariance = CovarianceModel.of(design)
    theta = covariance.given_start(theta0)
    with one_thread(design.size):
        objective = linear_objective(design, covariance, reml, backend)
    seconds["cross-products"] = perf_counter() - clock
    start = None if theta is None else objective.x_in_units(theta)
    return fit_objective(design, objective, optimizer, start, seconds, LMMFit)


def _threads(design: Design, objective: LMMObjective) -> AbstractContextManager:
    """The same threads of BLAS from the rows to the estimates, hence the same roundings."""
    return blas_threads(objective.marginal.dense_columns, design.size)


def fit_objective(
    design: Design,
    objective: LMMObjective,
    optimizer: str,
    start: np.ndarray | None,
    seconds: dict[str, float],
    kind: type[_Fit],
) -> _Fit:
    """Minimise an objective from x and make the record."""
    clock = perf_counter()
    with _threads(design, objective):
        optimum = search(objective, optimizer, start)
    objective.release()
    seconds["optimise"] = perf_counter() - clock
    return fit_at(design, objective, optimum, seconds, kind)


def search(
    objective: LMMObjective, optimizer: str = "newton", start: np.ndarray | None = None
) -> Optimum:
    """The optimum from a start x; without a residual that of the likelihood is at infinity."""
    try:
        return minimise(objective, optimizer, start)
    except ExactFit as exact:
        return _unbounded(objective, optimizer, objective.without_residual(exact.x)[0])


def fit_at(
    design: Design,
    objective: LMMObjective,
    optimum: Optimum,
    seconds: dict[str, float],
    kind: type[_Fit],
) -> _Fit:
    """The record of an optimum."""
    fit = kind(
        design=design,
        covariance=objective.covariance,
        method="REML" if objective.reml else "ML",
        optimum=closed(optimum),
        seconds=seconds,
        optimizer=optimum.optimizer,
        backend=objective.marginal.backend,
        scale=objective.scale,
        _objective=objective,
    )
    if optimum.value == -np.inf:
        fit.__dict__["solution"] = closed(objective.fresh().without_residual(optimum.x)[1])
    return fit


def _unbounded(objective: LMMObjective, optimizer: str, x: np.ndarray) -> Optimum:
    """The record of a likelihood without a maximum, as was noticed at x."""
    nothing = np.zeros(x.size)
    return Optimum(
        x=x,
        value=-np.inf,
        gradient=nothing,
        curvature=np.diag(nothing),
        evaluations=1,
        optimizer=optimizer,
        log=(),
        parameters=objective.parameters,
        _objective=objective,
    )


def refit_lmm(fit: LMMFit, y: np.ndarray) -> LMMFit:
    """The same model for another checked response, (n,), warm-started."""
    return fit.refitted(y)
