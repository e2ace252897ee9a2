"""Fixed effects alone: iteratively reweighted least squares (McCullagh and Nelder 1989, 2.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import fsum, isfinite
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import lapack

from ...errors import NumericalError
from ...linalg.crossproducts.fixed import CentredColumns, FixedColumns, FixedPart
from ...linalg.kernels import _rows
from ...linalg.row_threads import PIECE_ROWS, over_rows
from .density import ConditionalDensity, FamilyDensity, Kernel, RowSums
from .newton import damped_step

_EMPTY = np.empty(0)

MAX_ITERATIONS = 100
MAX_HALVINGS = 30
# Newton decrement, relative to the log-likelihood, at which the estimates have all their digits.
DECREMENT = 1e-18
# Rows times the square of columns up to which calls cost more than what BLAS saves.
FEW_PRODUCTS = 50_000
# A ridge, relative to the mean information, when information vanishes (separated data).
RIDGE = 1e-10
# How far from the border of its range a predictor to begin with must be.
MARGIN = 1e-6


@dataclass(frozen=True)
class IRLS:
    """The fit of a generalised linear model at given zeta."""

    beta: np.ndarray  # (p,)
    eta: np.ndarray  # (n,): offset included
    information: np.ndarray  # (p, p): X'WX at beta
    weight: np.ndarray  # (n,): W; empty where rows are many
    total: float  # sum of the parts of the log-densities that depend on eta
    iterations: int
    converged: bool

    def without(self, columns: slice) -> IRLS:
        """The record without the coefficients of some columns."""
        information = np.delete(np.delete(self.information, columns, 0), columns, 1)
        return replace(self, beta=np.delete(self.beta, columns), information=information)


def irls(
    density: FamilyDensity,
    X: np.ndarray | FixedColumns | CentredColumns,
    offset: np.ndarray | None,
    zeta: np.ndarray,
    eta: np.ndarray,
    *,
    decrement: float = DECREMENT,
    max_iterations: int = MAX_ITERATIONS,
    ahead: bool = False,
) -> IRLS:
    """Maximise the log-likelihood in beta, zeta held fixed, by Fisher scoring with step halving.

    The search begins at predictors ``eta`` (n,) within the range of the link and stops at a Newton
    decrement relative to the log-likelihood; X (n, p) has full column rank. ``ahead`` takes the
    last step too, whose decrement that is, and evaluates nothing after it.
    """
    base = np.broadcast_to(0.0, density.n) if offset is None else offset
    fixed = FixedColumns(X) if isinstance(X, np.ndarray) else X
    few = isinstance(fixed, FixedColumns) and 0 < fixed.size * fixed.p <= FEW_PRODUCTS
    if few and type(density.kernel) is Kernel:
        plain = _compiled(density, fixed.dense(), base, zeta, eta, decrement, max_iterations, ahead)
        if plain is not None:
            return plain

    def at(beta: np.ndarray) -> _State:
        return _state(density, fixed, base, zeta, beta)

    def moved(start: _State, move: np.ndarray) -> _State:
        return at(start.beta + move)

    def record(iterations: int, converged: bool) -> IRLS:
        eta = here.eta if here.eta.size else fixed.predicted(here.beta, base)
        return IRLS(
            here.beta, eta, here.information, here.weight, here.value, iterations, converged
        )

    here = _feasible(density, fixed, base, zeta, eta, at)
    for iteration in range(max_iterations + 1):
        gradient, step = here.gradient, _solve(here.information, here.gradient)
        if not _finite(step):
            return record(iteration, False)
        if iteration and gradient @ step <= decrement * max(1.0, abs(here.value)):
            if ahead:
                beta = here.beta + step
                here = here._replace(beta=beta, eta=fixed.predicted(beta, base))
            return record(iteration, True)
        if iteration == max_iterations:
            break
        there = damped_step(here, step, moved, False, MAX_HALVINGS)
        if there is None:
            return record(iteration + 1, False)
        here = there
    return record(max_iterations, False)


def _compiled(
    density: Any,
    X: np.ndarray,
    base: np.ndarray,
    zeta: np.ndarray,
    eta: np.ndarray,
    decrement: float,
    iterations: int,
    ahead: bool,
) -> IRLS | None:
    """The same without the interpreter, or None where that does not know what to do."""
    n, p = X.shape
    beta, information, rows = np.empty(p), np.empty((p, p)), np.empty((2, n))
    done = _rows.scoring(
        density.kernel_at(zeta).weighted(), density.parameter(zeta), np.ascontiguousarray(X),
        np.ascontiguousarray(base), np.ascontiguousarray(eta), decrement, iterations,
        MAX_HALVINGS, ahead, beta, rows[0], rows[1], information,
    )  # fmt: skip
    return None if done is None else IRLS(beta, rows[0], information, rows[1], *done)


class _State(NamedTuple):
    """Coefficients (p,) and sums over the rows; of few rows predictors and weights too, (n,)."""

    beta: np.ndarray
    value: float
    gradient: np.ndarray
    information: np.ndarray
    eta: np.ndarray
    weight: np.ndarray


def _state(
    density: FamilyDensity,
    fixed: FixedPart,
    base: np.ndarray,
    zeta: np.ndarray,
    beta: np.ndarray,
) -> _State:
    """The point beta; of many rows nothing is held but the sums over them."""
    if density.n <= PIECE_ROWS:
        eta = fixed.predicted(beta, base)
        rows = density.rows(eta, zeta, True, order=0)
        information = fixed.gram(rows.weight)
        return _State(beta, rows.total, fixed.summed(rows.score), information, eta, rows.weight)

    def sums(at: slice) -> tuple[float, np.ndarray, np.ndarray]:
        own = fixed.part(at)
        eta = own.times(beta)
        eta += base[at]
        rows = density.rows_at(at, eta, zeta)
        return rows.total, own.transposed(rows.score), own.gram(rows.weight)

    totals, gradients, grams = zip(*over_rows(sums, density.n), strict=True)
    gradient, information = np.sum(gradients, axis=0), np.sum(grams, axis=0)
    return _State(beta, fsum(totals), gradient, information, _EMPTY, _EMPTY)


class FixedState(NamedTuple):
    """Coefficients (p,), their predictors, (n,) or (K, n), and rows."""

    beta: np.ndarray
    eta: np.ndarray
    rows: RowSums

    @property
    def value(self) -> float:
        """Log-likelihood, as far as it depends on beta."""
        return self.rows.total


def _feasible(density: FamilyDensity, fixed, base, zeta, eta, at) -> _State:
    """Coefficients with every mean in its range.

    Those of a regression of the working response, or as much of them as the range allows; where
    that is nothing, those whose predictors are farthest from the border of the range.
    """

    def sums(at: slice) -> tuple[np.ndarray, np.ndarray]:
        rows, own = density.rows_at(at, eta[at], zeta), fixed.part(at)
        working = rows.weight * (eta[at] - base[at]) + rows.score
        return own.transposed(working), own.gram(rows.weight)

    moments, grams = zip(*over_rows(sums, density.n), strict=True)
    regression = _solve(np.sum(grams, axis=0), np.sum(moments, axis=0))
    if not _finite(regression):
        regression = np.nan_to_num(regression)
    there = at(regression)
    if isfinite(there.value):
        return there
    X, level = fixed.dense(), np.full(density.n, float(np.median(eta)))
    constant = np.linalg.lstsq(X, level - base, rcond=None)[0]
    share = 1.0
    for _ in range(MAX_HALVINGS):
        for origin in (np.zeros_like(regression), constant):
            there = at(np.nan_to_num(origin + share * (regression - origin)))
            if np.isfinite(there.value):
                return there
        share *= 0.5
    inside = _inside(density, X, base)
    if inside is not None:
        there = at(inside)
        if np.isfinite(there.value):
            return there
    raise NumericalError(_INFEASIBLE)


def _inside(density: ConditionalDensity, X: np.ndarray, base: np.ndarray) -> np.ndarray | None:
    """Coefficients whose predictors are as far from the border of their range as can be.

    max t subject to low + t <= base + X beta <= high - t.
    """
    from scipy.optimize import linprog

    low, high = density.interval
    n, p = X.shape
    if not p or not (np.isfinite(low) or np.isfinite(high)):
        return None
    rows, limits = [], []
    if np.isfinite(low):
        rows.append(np.column_stack([-X, np.ones(n)]))
        limits.append(base - low)
    if np.isfinite(high):
        rows.append(np.column_stack([X, np.ones(n)]))
        limits.append(high - base)
    cost = np.zeros(p + 1)
    cost[-1] = -1.0
    bounds = [(None, None)] * p + [(0.0, 1.0)]
    solution = linprog(cost, np.concatenate(rows), np.concatenate(limits), bounds=bounds).x
    return None if solution is None or solution[-1] < MARGIN else solution[:-1]


_INFEASIBLE = (
    "no coefficients were found for which every mean is within its range and within the numbers "
    "of a computer: check offset and predictors for extreme values, or take a link whose inverse "
    "cannot leave the range (log, logit)"
)


def _finite(values: np.ndarray) -> bool:
    return isfinite(np.vdot(values, values)) or bool(np.isfinite(values).all())


def _solve(information: np.ndarray, r: np.ndarray) -> np.ndarray:
    if not r.size:
        return r
    A = information
    for _ in range(3):
        factor, info = lapack.dpotrf(A, lower=0)
        if not info:
            return lapack.dpotrs(factor, r)[0]
        scale = float(np.trace(information)) / len(r)
        A = A + max(RIDGE * scale, 1e-300) * np.eye(len(r))
    return np.linalg.lstsq(information, r, rcond=None)[0]
