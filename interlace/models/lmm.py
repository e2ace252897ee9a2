"""`LMMFit`: the frozen record of a fitted model, which everything after fitting reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np

from ..covariance import CovarianceModel
from ..design.design import Design
from ..frames.read import read_only
from ..linalg.crossproducts.linear import CrossProducts, cross_products
from ..linalg.threads import blas_threads, one_thread
from ..objective import LMMObjective, Solution
from ..objective.linear.exact import ExactFit
from ..objective.theta_scale import ThetaScale
from ..optimize import Optimum, minimise


def closed(record: Any) -> Any:
    """A record whose arrays, alone or in tuples, nobody can write to any more."""
    for value in vars(record).values():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, np.ndarray):
                read_only(part)
    return record


class BaseFit(ABC):
    """What every fitted mixed model can be asked, whatever its likelihood.

    Attributes
    ----------
    design : Design
        Data and names.
    covariance : CovarianceModel
        theta <-> templates.
    optimum : Optimum
        What the optimiser did, with the certificate.
    """

    design: Design
    covariance: CovarianceModel
    method: str
    optimum: Optimum
    seconds: dict[str, float]
    optimizer: str
    backend: str
    scale: ThetaScale

    @property
    @abstractmethod
    def theta(self) -> np.ndarray:
        """Relative covariance parameters, lme4's order and scale, (n_theta,)."""

    @property
    @abstractmethod
    def T(self) -> tuple[np.ndarray, ...]:
        """Template of each grouping factor, (k_b, k_b)."""

    @property
    @abstractmethod
    def beta(self) -> np.ndarray:
        """Fixed-effects coefficients, (p,)."""

    @property
    @abstractmethod
    def cov_beta(self) -> np.ndarray:
        """Their covariance matrix, (p, p)."""

    @property
    @abstractmethod
    def sigma(self) -> float:
        """Residual standard deviation, or what takes its place."""

    @property
    def re_scale(self) -> float:
        """Standard deviations of random effects are this times those of T T'."""
        return self.sigma

    @property
    @abstractmethod
    def u(self) -> tuple[np.ndarray, ...]:
        """Spherical conditional modes, (l_b, k_b) per grouping factor."""

    @property
    def criterion(self) -> float:
        """-2 log-likelihood (ML) or REML criterion."""
        return self.optimum.value

    @property
    def is_reml(self) -> bool:
        """Fitted by REML."""
        return self.method == "REML"

    @property
    def n(self) -> int:
        """Rows used."""
        return self.design.X.shape[0]

    @property
    def p(self) -> int:
        """Fixed-effects coefficients."""
        return self.design.X.shape[1]

    @property
    def n_parameters(self) -> int:
        """Estimated parameters: coefficients, theta and sigma (lme4's df)."""
        return self.p + self.theta.size + 1

    @property
    def llf(self) -> float:
        """Log-likelihood, or the restricted one (-criterion / 2)."""
        return -0.5 * self.criterion

    @property
    def x(self) -> np.ndarray:
        """The parameters as the objective takes them."""
        return self.optimum.x

    @cached_property
    def b(self) -> tuple[np.ndarray, ...]:
        """Conditional modes, (l_b, k_b) per grouping factor."""
        return tuple(read_only(u @ T.T) for u, T in zip(self.u, self.T, strict=True))

    @cached_property
    def fixed_part(self) -> np.ndarray:
        """X beta plus the offset, (n,)."""
        eta = self.design.X @ self.beta
        return read_only(eta if self.design.offset is None else eta + self.design.offset)

    @cached_property
    def random_part(self) -> np.ndarray:
        """Z b, (n,)."""
        out = np.zeros(self.n)
        for factor, b in zip(self.design.factors, self.b, strict=True):
            if factor.intercept_only:
                out += b[:, 0][factor.codes]
            else:
                out += np.einsum("ij,ij->i", factor.Z, b[factor.codes])
        return read_only(out)

    @property
    def theta_standard(self) -> np.ndarray:
        """theta for standardised covariates, in the unit of the predictors, (n_theta,).

        What is zero is judged on it, so that units of covariates do not matter.
        """
        return self.scale.standard(self.x[: self.covariance.n_theta])

    @property
    def fitted(self) -> np.ndarray:
        """Fitted means, random effects included, (n,)."""
        return self.fixed_part + self.random_part


@dataclass(frozen=True, eq=False)
class LMMFit(BaseFit):
    """A fitted linear mixed model.

    Attributes
    ----------
    design : Design
        Data and names.
    covariance : CovarianceModel
        theta <-> templates.
    method : {"REML", "ML"}
    optimum : Optimum
        What the optimiser did, with the certificate.
    seconds : dict
        Wall time by stage.
    optimizer, backend : str
    scale : ThetaScale
        theta <-> ``optimum.x``.
    """

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

    def __getstate__(self) -> dict:
        derived = ("_shared", "fixed_part", "random_part", "b")
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
        """What the objectives of this fit share; rebuilt from the design after unpickling."""
        if self._objective is not None:
            return self._objective
        backend = None if self.backend == "blocked" else self.backend
        cross = cross_products(self.design)
        objective = LMMObjective(cross, self.covariance, self.is_reml, backend)
        if self.scale.units is not None:
            objective.enlarge(self.scale.units)
        return objective

    @property
    def theta(self) -> np.ndarray:
        """Relative covariance parameters, lme4's order and scale, (n_theta,)."""
        return self.scale.theta(self.optimum.x)

    @property
    def T(self) -> tuple[np.ndarray, ...]:
        """Template of each grouping factor, (k_b, k_b)."""
        return self.solution.T

    @property
    def beta(self) -> np.ndarray:
        """Fixed-effects coefficients, (p,)."""
        return self.solution.beta

    @property
    def cov_beta(self) -> np.ndarray:
        """Their covariance matrix, (p, p)."""
        return self.solution.cov_beta

    @property
    def sigma(self) -> float:
        """Residual standard deviation."""
        return self.solution.sigma

    @property
    def u(self) -> tuple[np.ndarray, ...]:
        """Spherical conditional modes, (l_b, k_b) per grouping factor."""
        return self.solution.u


def fit_lmm(
    design: Design,
    *,
    reml: bool,
    optimizer: str = "newton",
    theta0: np.ndarray | None = None,
    backend: str | None = None,
    cross: CrossProducts | None = None,
    seconds: dict[str, float] | None = None,
) -> LMMFit:
    """Fit a linear mixed model to a design.

    Parameters
    ----------
    design : Design
    reml : bool
    optimizer : {"newton", "lbfgsb", "bobyqa"}
    theta0 : ndarray, optional
        Start; default: every template the identity on standardised covariates.
    backend : str, optional
        Forces a factorisation back end.
    cross : CrossProducts, optional
        Of this design, if made already.
    seconds : dict, optional
        Stages timed so far.

    Returns
    -------
    LMMFit
    """
    seconds = dict(seconds or {})
    clock = perf_counter()
    covariance = CovarianceModel.of(design)
    if cross is None:
        with one_thread(design.X.size):
            cross = cross_products(design)
    objective = LMMObjective(cross, covariance, reml, backend)
    seconds["cross-products"] = perf_counter() - clock
    start = None if theta0 is None else objective.x_in_units(theta0)
    return fit_objective(design, objective, optimizer, start, seconds)


def _threads(design: Design, objective: LMMObjective) -> AbstractContextManager:
    """The same threads of BLAS from the rows to the estimates, hence the same roundings."""
    return blas_threads(objective.marginal.dense_columns, design.X.size)


def fit_objective(
    design: Design,
    objective: LMMObjective,
    optimizer: str,
    start: np.ndarray | None,
    seconds: dict[str, float],
) -> LMMFit:
    """Minimise an objective from x and make the record."""
    clock = perf_counter()
    solution = None
    with _threads(design, objective):
        try:
            optimum = minimise(objective, optimizer, start)
        except ExactFit as found:
            x, solution = objective.without_residual(found.x)
            optimum = _unbounded(objective, optimizer, x)
    objective.release()
    seconds["optimise"] = perf_counter() - clock
    fit = LMMFit(
        design=design,
        covariance=objective.covariance,
        method="REML" if objective.reml else "ML",
        optimum=closed(optimum),
        seconds=seconds,
        optimizer=optimizer,
        backend=objective.marginal.backend,
        scale=objective.scale,
        _objective=objective,
    )
    if solution is not None:
        fit.__dict__["solution"] = closed(solution)
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


def refit_response(fit: LMMFit, y: np.ndarray) -> LMMFit:
    """The same model for another response, warm-started.

    Parameters
    ----------
    fit : LMMFit
    y : ndarray, shape (n,)
        Checked response.

    Returns
    -------
    LMMFit
    """
    design = copy(fit.design)
    object.__setattr__(design, "y", y)  # a new object, not the frozen one
    with _threads(design, fit._shared):
        objective = fit._shared.with_response(y if design.offset is None else y - design.offset)
    return fit_objective(design, objective, fit.optimizer, _warm(fit), {})


def _warm(fit: LMMFit) -> np.ndarray | None:
    """x to start a refit from; from a boundary the gradient does not lead away."""
    x = fit.optimum.x
    return None if (fit.scale.clean(x) == 0.0).any() else x


def refit_ml(fit: LMMFit) -> LMMFit:
    """The ML fit of a model fitted by REML (itself if it is one), warm-started."""
    if not fit.is_reml:
        return fit
    objective = fit._shared.as_ml()
    return fit_objective(fit.design, objective, fit.optimizer, _warm(fit), {})
