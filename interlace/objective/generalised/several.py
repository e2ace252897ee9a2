"""Densities with several linear predictors, and the rows and first estimates of their models.

eta is (K, n): the predictor of the mean, then those of the family's parameters, each with fixed
effects and, through the columns of Z that are its own, random effects. A parameter that is one
number is a predictor with a column of ones. Of each row l has the scores s (K,) and the observed
information W = -d2 l / d eta d eta', K x K and packed; with A_i (K, q) the rows of A = Z Lambda,

    H = M = sum_i A_i'W_i A_i + I,   H_i = A_i M^{-1} A_i',
    c_a = sum_bc (dW_bc / d eta_a) [H_i]_bc,   v = M^{-1} A'c,   t = -2 s + c - W (A v),

which is `laplace` with K x K matrices in place of numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import block_diag, lapack

from ...families import Family
from ...linalg.crossproducts.fixed import PredictorColumns, packed_product
from ...linalg.crossproducts.predictors import PredictorZ, place, unpacked
from ...linalg.crossproducts.standardise import (
    Standardisation,
    intercept_column,
    standardise,
    standardised,
)
from ...linalg.crossproducts.weighted import root_mean_squares
from .density import ConditionalDensity, RowSums
from .irls import IRLS, FixedState
from .newton import damped_newton
from .problem import START_DECREMENT, Problem

__all__ = ["SeveralDensity", "SeveralProblem"]

_EMPTY = np.empty(0)
_NO_EXTRA = np.empty((0, 3, 0))
# Linear predictors that the compiled rows have at most.
MOST_COMPILED = 3
# Newton steps of the first estimates: more lead on to where effects that are random, and missing
# there, are made up for by a dispersion or by zeros.
FIRST_STEPS = 3
# Added to an information that is singular, as a share of its mean.
RIDGE = 1e-8
# Eigenvalues of a row's information are raised to this share of the largest.
LEAST_SHARE = 1e-8


class SeveralDensity(ConditionalDensity):
    """A family of K linear predictors and the observations.

    ``y``, ``weights`` and ``trials``, (n,), are as in `Observations`. The information is observed.
    """

    n_extra = n_zeta = 0
    canonical = False
    several = True

    def __init__(
        self, family: Family, y: np.ndarray, weights: np.ndarray, trials: np.ndarray
    ) -> None:
        self.family = family
        self.y, self.weights, self.trials = (
            np.ascontiguousarray(v, dtype=np.float64) for v in (y, weights, trials)
        )
        self.n, self.K = self.y.size, 1 + len(family.parameters)
        self.scale_free = family.link.scale_free
        kind = family.kernel_kind()
        self.kernel = None if kind is None or self.K > MOST_COMPILED else tuple(kind)

    def take(self, rows: slice | np.ndarray) -> SeveralDensity:
        return SeveralDensity(self.family, self.y[rows], self.weights[rows], self.trials[rows])

    def rows(self, eta: np.ndarray, zeta: np.ndarray, expected: bool, order: int = 1) -> RowSums:
        """As of the base; ``expected`` is the observed information with nothing negative in it."""
        value, score, information = self.family.derivatives(
            eta, self.y, self.weights, self.trials, 2
        )
        assert score is not None
        assert information is not None
        total = float(value.sum())
        rows = RowSums(total, score, information, information, _EMPTY, _NO_EXTRA)
        return rows._replace(weight=self.definite(rows)) if expected else rows

    def values(self, eta: np.ndarray, zeta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, score, _ = self.family.derivatives(eta, self.y, self.weights, self.trials, 1)
        assert score is not None
        return value, score

    def constant(self, zeta: np.ndarray) -> tuple[float, np.ndarray]:
        return 0.0, _EMPTY

    def start(self, eta: np.ndarray, zeta: np.ndarray) -> np.ndarray:
        return _EMPTY

    def infinite(self, zeta: np.ndarray, information: np.ndarray) -> list[str]:
        unit = self.family.parameter_unit(self.y, self.weights)
        said = self.family.infinite(zeta, unit, information)
        return [] if said is None else [said]

    def level(self, zeta: np.ndarray) -> np.ndarray:
        return np.repeat(self.centre(), self.n, axis=1)

    def centre(self) -> np.ndarray:
        """Predictors of the mean response and of parameters by moments there, (K, 1)."""
        mean = np.full(self.n, np.average(self.y, weights=self.weights))
        zeta = self.family.start_zeta(self.y, mean, self.weights, self.trials)
        return np.array([self.family.linear_predictor(mean[:1], zeta)[0], *zeta])[:, None]

    def bent(self, eta: np.ndarray, rows: RowSums, h: np.ndarray) -> np.ndarray:
        return self.family.contracted(eta, self.y, self.weights, self.trials, h)

    def moved_scores(
        self, weight: np.ndarray, change: np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        return packed_product(weight, change)

    def definite(self, rows: RowSums) -> np.ndarray:
        W = rows.observed
        bad = ~_positive(W)
        if not bad.any():
            return W
        if self.K == 2:
            out = W.copy()
            out[:, bad] = _absolute(W[:, bad])
            return out
        values, vectors = np.linalg.eigh(unpacked(W[:, bad]))
        size = np.abs(values)
        values = np.maximum(size, LEAST_SHARE * size.max(axis=1, keepdims=True))
        row, column = np.tril_indices(self.K)
        out = W.copy()
        out[:, bad] = ((vectors * values[:, None, :]) @ vectors.transpose(0, 2, 1))[
            :, row, column
        ].T
        return out


def _absolute(W: np.ndarray) -> np.ndarray:
    """|W| = (W'W)^(1/2) of packed 2 x 2 matrices, (3, n)."""
    a, b, c = W
    det = np.abs(a * c - b * b)
    square = a * a + b * b + det, b * (a + c), b * b + c * c + det
    root = np.sqrt(np.maximum(a * a + 2.0 * b * b + c * c + 2.0 * det, np.finfo(float).tiny))
    return np.array(square) / root


def _positive(W: np.ndarray) -> np.ndarray:
    """Which packed matrices (P, n) have no negative eigenvalue, by leading minors, (n,)."""
    if len(W) == 3:
        return (W[0] >= 0.0) & (W[0] * W[2] >= W[1] * W[1])
    if len(W) == 6:  # no minor below zero, and none of the other two of size 2
        a, b, c, d, e, f = W
        minors = a * c - b * b, a * f - d * d, c * f - e * e
        whole = f * minors[0] - e * (a * e - b * d) + d * (b * e - c * d)
        return np.min([a, c, f, *minors, whole], axis=0) >= 0.0
    return np.linalg.eigvalsh(unpacked(W))[:, 0] >= 0.0


class SeveralProblem(Problem):
    """Rows, columns and first estimates of a model with several linear predictors.

    The design's predictors are the density's, in order.
    """

    density: SeveralDensity
    fixed: PredictorColumns

    def _weighted_rows(self, scale: list[np.ndarray]) -> PredictorZ:
        return PredictorZ(self.factors, [f.predictor for f in self.factors], self.density.K, scale)

    def _set_response(self, density: Any, eta: np.ndarray | None) -> list[np.ndarray]:
        assert eta is not None
        design, order = self.design, self.order
        self.zeta, self._variances = _EMPTY, None
        centre = np.repeat(np.median(eta, axis=1)[:, None], density.n, axis=1)
        own = np.abs(density.rows(centre, self.zeta, False, order=0).observed)
        parts, blocks, self.units = [], [], np.ones(density.K)
        for k, predictor in enumerate(design.predictors.values()):
            root = np.sqrt(np.maximum(own[place(k, k)], 1e-300))
            eta[k] = centre[k] if k else eta[k]
            part = standardise(predictor.X, intercept_column(predictor.names), root, eta[k])
            total = float(root @ root)
            if k == 0 and not density.scale_free:
                self.units[0] = np.sqrt(density.n / total)
            factor = self.units[k] * np.sqrt(total)
            parts.append(part.enlarged(factor))
            blocks.append(predictor.X if order is None else predictor.X[order])
        self.back, self._standards = block_diag(*[part.back for part in parts]), parts
        offsets = [p.offset for p in design.predictors.values()]
        if order is not None:
            offsets = [None if own is None else own[order] for own in offsets]
        self.offset = self._offsets(offsets, density.n)
        self.density = density if order is None else density.take(order)
        self.fixed = self._fixed(blocks, parts)
        self.glm = self._first_fit(eta if order is None else eta[:, order])
        scale = [root_mean_squares(f.Z) / self.units[f.predictor] for f in self.factors]
        self.z_roots = [s[:, None] * R for s, R in zip(scale, self._roots, strict=True)]
        self.z_scale = scale
        return scale

    @staticmethod
    def _fixed(matrices: list[np.ndarray], standards: list[Standardisation]) -> PredictorColumns:
        own = zip(matrices, standards, strict=True)
        return PredictorColumns([standardised(X, std, None) for X, std in own])

    @staticmethod
    def _offsets(offsets: list[np.ndarray | None], n: int) -> np.ndarray:
        if all(offset is None for offset in offsets):
            return np.broadcast_to(0.0, (len(offsets), n))
        return np.stack([np.zeros(n) if offset is None else offset for offset in offsets])

    @property
    def slices(self) -> dict[str, slice]:
        return dict(zip(self.design.predictors, self.fixed.slices, strict=True))

    @property
    def signed(self) -> slice | None:
        names = list(self.design.predictors)
        k = names.index("shape") if "shape" in names else 0
        linear = k > 0 and self.density.family.parameter_links[k - 1].linear
        return self.fixed.slices[k] if linear else None

    def parameters(self, eta: np.ndarray, gamma: np.ndarray, zeta: np.ndarray) -> np.ndarray:
        others = eta[1:]
        one_number = (others == others[:, :1]).all()
        return others[:, 0].copy() if one_number else others.copy()

    def numbers(self, gamma: np.ndarray, zeta: np.ndarray) -> tuple[dict[int, int], np.ndarray]:
        beta, out = self.beta(gamma), {}
        values = (self.offset + self.fixed.times(gamma))[1:].mean(axis=1)
        moved = {int(k) for f in self.factors for k in f.predictor}
        parts = zip(self.design.predictors.values(), self.fixed.slices, strict=True)
        for k, (predictor, at) in enumerate(parts):
            if k and k not in moved and predictor.is_constant:
                out[at.start] = k - 1
                values[k - 1] = beta[at.start]
        return out, values

    def _first_fit(self, eta: np.ndarray) -> IRLS:
        """The fit without random effects, as far as its likelihood has a maximum near the data."""
        density, fixed, offset, zeta = self.density, self.fixed, self.offset, self.zeta
        latest: list[FixedState] = []

        def at(gamma: np.ndarray) -> FixedState:
            eta = offset + fixed.times(gamma)
            return FixedState(gamma, eta, density.rows(eta, zeta, False, order=0))

        def step_from(here: FixedState) -> _Step:
            latest[:] = [here]
            g, weight = fixed.transposed(here.rows.score), here.rows.observed
            factor, info = lapack.dpotrf(fixed.gram(weight), lower=1)
            if info:
                H = fixed.gram(density.definite(here.rows))
                H[np.diag_indices(len(H))] += RIDGE * np.trace(H) / len(H)
                factor, _ = lapack.dpotrf(H, lower=1)
            move = lapack.dpotrs(factor, g, lower=1)[0]
            return _Step(move, float(g @ move), not info)

        parts = zip(fixed.blocks, eta, offset, strict=True)
        gamma = [np.linalg.lstsq(X, own - base, rcond=None)[0] for X, own, base in parts]
        with np.errstate(over="ignore", invalid="ignore"):
            damped_newton(
                at(np.concatenate(gamma)),
                step_from,
                lambda here, move: at(here.beta + move),
                START_DECREMENT,
                FIRST_STEPS,
            )
        last = latest[0]
        information = fixed.gram(last.rows.observed)
        return IRLS(last.beta, last.eta, information, _EMPTY, last.value, 0, True)


class _Step(NamedTuple):
    """A Newton step, its decrement, and whether the information in it is that of the point."""

    move: np.ndarray
    decrement: float
    definite: bool
