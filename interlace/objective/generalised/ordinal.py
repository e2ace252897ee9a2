"""Ordered categories: the density of rows between thresholds, and what goes with it.

A row in category j has l = log(F(a) - F(b)), a = (u - eta) / sigma, b = (v - eta) / sigma, with the
thresholds u = alpha_j and v = alpha_{j-1}, infinite beyond the ends. It touches two thresholds,
whatever their number: derivatives are taken in u, v and log sigma, and `collapse` sums them for the
parameters. A shift of u and v is one of -eta, so that those in v follow.

Parameters zeta: those of the thresholds, a matrix G with alpha(x) = L G x where these have
covariates x of their own (partial proportional odds); then the coefficients of log sigma.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import lapack

from ...design.predictor import MEAN
from ...families.ordinal import Ordinal
from ...linalg.crossproducts.fixed import FixedColumns, FixedPart, weighted_gram
from ...linalg.information import side_by_side
from ...linalg.kernels import _rows
from .compiled import regression_kernel
from .density import FamilyDensity, Kernel, RowSums
from .irls import IRLS
from .newton import damped_newton
from .problem import START_DECREMENT, Problem

__all__ = ["OrdinalDensity", "OrdinalLikelihood", "OrdinalProblem"]

_EMPTY, _ORIGIN = np.empty(0), np.zeros(1)
_BELOW, _ABOVE = np.array([-np.inf]), np.array([np.inf])
# Newton steps of the fit without random effects, and the least curvature in them, relative.
FIRST_STEPS = 50
# So near to them the last step, which is taken too, leaves the square of what it promises.
NEAR = START_DECREMENT**0.5
LEAST_CURVATURE = 1e-8


class _AtZeta(NamedTuple):
    """Thresholds at one zeta, their slopes, and those of each row's category."""

    key: bytes
    alpha: np.ndarray
    jacobian: np.ndarray
    upper: np.ndarray
    lower: np.ndarray


class OrdinalDensity(FamilyDensity):
    """The density of ordered categories.

    Parameters
    ----------
    family : Ordinal
    y, weights, trials : ndarray, shape (n,)
        As in `FamilyDensity`: numbers of categories.
    nominal : ndarray, shape (n, a), or None
        Covariates of the thresholds, the intercept among them.
    scale : ndarray, shape (n, r), or None
        Covariates of log sigma, without intercept.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import Ordinal
    >>> from interlace.objective.generalised.ordinal import OrdinalDensity
    >>> family, one = Ordinal(list("abc")), np.ones(3)
    >>> density = OrdinalDensity(family, np.array([0.0, 1, 2]), one, one)
    >>> density.rows(np.zeros(3), np.array([0.0, 0.0]), False).score.round(3).tolist()
    [-0.5, 0.231, 0.731]
    """

    family: Ordinal
    by_row = True

    def __init__(
        self,
        family: Ordinal,
        y: np.ndarray,
        weights: np.ndarray,
        trials: np.ndarray,
        nominal: np.ndarray | None = None,
        scale: np.ndarray | None = None,
        offset: np.ndarray | None = None,
    ) -> None:
        self.nominal, self.scale, self.scale_offset = nominal, scale, offset
        super().__init__(family, y, weights, trials)
        self.codes = self.y.astype(np.intp)
        self.size = family.thresholds.size
        count = family.thresholds.count
        self.n_thresholds = count * (1 if nominal is None else nominal.shape[1])
        self.n_zeta = self.n_thresholds + (0 if scale is None else scale.shape[1])
        self.scaled = scale is not None or offset is not None
        self.n_extra = 3 if self.scaled else 2
        self.zeta_limit = np.inf
        self._linear = family.thresholds.linear
        self._inner = (self.codes > 0) & (self.codes < self.size)
        self._has_gap = family.link.name == "logit"
        self._known: _AtZeta | None = None
        self._last_constant: tuple[bytes, tuple[float, np.ndarray]] | None = None
        self._inner_weights = np.bincount(self.codes, self.weights, self.size + 1)[1:-1]

    def _compiled(self) -> Kernel | None:
        self._base = super()._compiled()
        return None if self.scale is not None or self.scale_offset is not None else self._base

    def take(self, rows: slice | np.ndarray) -> OrdinalDensity:
        def some(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[rows]

        own = some(self.nominal), some(self.scale), some(self.scale_offset)
        return OrdinalDensity(
            self.family, self.y[rows], self.weights[rows], self.trials[rows], *own
        )

    def parameter(self, zeta: np.ndarray) -> float:
        return 1.0

    @property
    def fixed_parameter(self) -> float:
        return 1.0

    def own_kernel(self) -> Kernel | None:
        assert self._base is not None
        return self._base._replace(y=np.empty(self.n), log_y=np.empty(self.n))

    def compiled_thresholds(self) -> tuple | None:
        if self.nominal is not None or self.scaled:
            return None
        own = self.family.thresholds
        return (
            np.asarray(self.codes, np.int64), np.ascontiguousarray(own.basis),
            own.logs.view(np.uint8), self._inner_weights, self._has_gap,
        )  # fmt: skip

    def infinite(self, zeta: np.ndarray, information: np.ndarray) -> list[str]:
        return []

    # -- thresholds -------------------------------------------------------------------------

    @property
    def located(self) -> np.ndarray:
        """The change of zeta that moves all thresholds by one, (n_zeta,); zeros if none does."""
        own, out = self.family.thresholds, np.zeros(self.n_zeta)
        if not own.logs[0]:
            out[0] = 1.0
            if self.nominal is not None:  # the intercept comes first
                out[: own.count] = own.reported[:, 0]
        return out

    def thresholds(self, zeta: np.ndarray) -> np.ndarray:
        """alpha: (size,), or (a, size) of the coefficients of the thresholds' covariates."""
        return self._at(zeta).alpha

    def _jacobian(self, zeta: np.ndarray) -> np.ndarray:
        """Derivatives of the thresholds in their parameters, (size, m), at covariates of one."""
        return self._at(zeta).jacobian

    def limits(self, zeta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Upper and lower threshold of the category of each row."""
        at = self._at(zeta)
        return at.upper, at.lower

    def _at(self, zeta: np.ndarray) -> _AtZeta:
        """What depends on zeta alone; asked for many times at one zeta."""
        key, known = zeta.tobytes(), self._known
        if known is not None and known.key == key:
            return known
        own, codes = zeta[: self.n_thresholds], self.codes
        if self.nominal is None:
            alpha, J = self.family.thresholds.with_slopes(own)
            every = np.concatenate([_BELOW, alpha, _ABOVE])
            upper, lower = every[codes + 1], every[codes]
        else:
            J = self._linear
            alpha = own.reshape(self.nominal.shape[1], -1) @ J.T
            ends = np.zeros((len(alpha), 1))
            every = np.concatenate([ends, alpha, ends], axis=1)
            upper, lower = (
                np.einsum("na,an->n", self.nominal, every[:, at]) for at in (codes + 1, codes)
            )
            upper[codes == self.size], lower[codes == 0] = np.inf, -np.inf
        # in one piece: other threads may ask the same density
        self._known = known = _AtZeta(key, alpha, J, upper, lower)
        return known

    def log_scale(self, zeta: np.ndarray) -> np.ndarray:
        """log sigma of each row, (n,)."""
        out = np.zeros(self.n) if self.scale_offset is None else self.scale_offset
        return out if self.scale is None else out + self.scale @ zeta[self.n_thresholds :]

    def kernel_at(self, zeta: np.ndarray) -> Kernel:
        upper, lower = self.limits(zeta)
        assert self._base is not None
        return self._base._replace(y=upper, log_y=lower)

    # -- derivatives ------------------------------------------------------------------------

    def rows(self, eta: np.ndarray, zeta: np.ndarray, expected: bool, order: int = 1) -> RowSums:
        n, kernel = self.n, self.kernel_at(zeta)
        if self.scaled:
            with np.errstate(over="ignore"):
                tau = np.exp(-self.log_scale(zeta))
            kernel = kernel._replace(y=kernel.y * tau, log_y=kernel.log_y * tau)
            eta = eta * tau
        buffer = np.empty((4 if order else 3, n))
        slope = buffer[3] if order else _EMPTY
        own = np.empty((3, n if order else 0))
        total = _rows.rows(kernel, 1.0, expected, eta, *buffer[:3], slope, own)
        score, weight, observed = buffer[:3]
        if not order:
            if self.scaled:
                score, weight, observed = score * tau, weight * tau**2, observed * tau**2
            return RowSums(total, score, weight, observed, slope, own[None, :, :0])
        lower = -np.array([score, -observed, slope]) - own
        extra = np.stack([own, lower])
        if not self.scaled:
            return RowSums(total, score, weight, observed, slope, extra)
        parts = np.array([score, -observed, slope]), own, lower
        values = eta, _finite(kernel.y), _finite(kernel.log_y)
        moved = -sum(v * part for v, part in zip(values, parts, strict=True))
        scale = np.stack([moved[0], tau * (moved[1] - score), tau**2 * (moved[2] - 2.0 * weight)])
        powers = np.array([tau, tau**2, tau**3])
        extra = np.concatenate([extra * powers, scale[None]])
        return RowSums(
            total, score * tau, weight * tau**2, observed * tau**2, slope * tau**3, extra
        )

    def values(self, eta: np.ndarray, zeta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kernel, out = self.kernel_at(zeta), np.empty((2, self.n))
        tau = 1.0
        if self.scaled:
            tau = np.exp(-self.log_scale(zeta))
            kernel = kernel._replace(y=kernel.y * tau, log_y=kernel.log_y * tau)
        _rows.values(kernel, 1.0, eta * tau, out[0], out[1])
        return out[0], out[1] * tau

    def _gap(self, zeta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log(1 - exp(-d)) of the distances d between thresholds of the rows, and its slope."""
        upper, lower = self.limits(zeta)
        d = upper - lower
        if self.scaled:
            d = d * np.exp(-self.log_scale(zeta))
        with np.errstate(all="ignore"):
            value, slope = np.log(-np.expm1(-d)), 1.0 / np.expm1(d)
        inner, w = self._inner, self.weights
        return np.where(inner, w * value, 0.0), np.where(inner, w * slope, 0.0)

    def _of_distances(self, zeta: np.ndarray) -> tuple[float, np.ndarray]:
        """`constant` of thresholds that are the same in all rows."""
        d = np.diff(self.thresholds(zeta))
        with np.errstate(all="ignore"):
            value = float(self._inner_weights @ np.log(-np.expm1(-d)))
            slope = self._inner_weights / np.expm1(d)
        if np.isnan(value):
            return -np.inf, np.zeros(self.n_zeta)
        sums = np.zeros(self.size)
        sums[1:] += slope
        sums[:-1] -= slope
        return value, self._jacobian(zeta).T @ sums

    def constant(self, zeta: np.ndarray) -> tuple[float, np.ndarray]:
        if not self._has_gap:
            return 0.0, np.zeros(self.n_zeta)
        if self.nominal is None and not self.scaled:
            key, known = zeta.tobytes(), self._last_constant
            if known is None or known[0] != key:
                self._last_constant = known = key, self._of_distances(zeta)
            return known[1]
        value, slope = self._gap(zeta)
        parts = [slope, -slope]
        if self.scaled:
            tau = np.exp(-self.log_scale(zeta))
            upper, lower = (_finite(v) for v in self.limits(zeta))
            parts = [slope * tau, -slope * tau, -slope * tau * (upper - lower)]
        total = float(value.sum())
        if np.isnan(total):  # thresholds out of order
            return -np.inf, np.zeros(self.n_zeta)
        return total, self.collapse(np.array(parts), zeta)

    # -- parameters -------------------------------------------------------------------------

    def _by_threshold(self, upper: np.ndarray, lower: np.ndarray, x: Any = 1.0) -> np.ndarray:
        """Sums over the rows above and below each threshold, (size,)."""
        count = self.size + 1
        out = np.bincount(self.codes, upper * x, count)[:-1]
        return out + np.bincount(self.codes, lower * x, count)[1:]

    def collapse(self, rows: np.ndarray, zeta: np.ndarray) -> np.ndarray:
        if self.nominal is None:
            out = self._jacobian(zeta).T @ self._by_threshold(rows[0], rows[1])
        else:
            sums = [self._by_threshold(rows[0], rows[1], x) for x in self.nominal.T]
            out = (np.array(sums) @ self._linear).ravel()
        return out if self.scale is None else np.concatenate([out, rows[2] @ self.scale])

    def _spread(self, zeta: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """(m, n): what `collapse` sums, for derivatives (n,) in the thresholds of the rows."""
        J = self._jacobian(zeta)
        ends = np.zeros((1, J.shape[1]))
        every = np.concatenate([ends, J, ends]).T
        own = every[:, self.codes + 1] * upper + every[:, self.codes] * lower
        if self.nominal is None:
            return own
        return (self.nominal.T[:, None] * own).reshape(-1, self.n)

    def score_changes(self, rows: RowSums, zeta: np.ndarray) -> np.ndarray:
        out = self._spread(zeta, rows.extra[0, 1], rows.extra[1, 1])
        if self.scale is None:
            return out
        return np.concatenate([out, self.scale.T * rows.extra[2, 1]])

    def curvature(self, eta: np.ndarray, zeta: np.ndarray, rows: RowSums) -> np.ndarray:
        """Second derivatives of the log-likelihood in zeta, at given predictors, (m, m)."""
        upper, lower = rows.extra[0, 0], rows.extra[1, 0]
        if self._has_gap:
            _, slope = self._gap(zeta)
            tau = np.exp(-self.log_scale(zeta)) if self.scaled else 1.0
            upper, lower = upper + slope * tau, lower - slope * tau
        # F(a) - F(b) has no mixed derivative
        both = -upper * lower / self.weights
        uu, ll = -rows.extra[0, 1] - both, -rows.extra[1, 1] - both
        m = self.n_thresholds
        out = np.zeros((self.n_zeta, self.n_zeta))
        J = self._jacobian(zeta)
        covariates = np.ones((1, self.n)) if self.nominal is None else self.nominal.T
        count, a = J.shape[1], len(covariates)
        for i in range(a):
            for k in range(i + 1):
                x = covariates[i] * covariates[k]
                block = J.T @ self._tridiagonal(uu, ll, both, x) @ J
                at = slice(i * count, (i + 1) * count), slice(k * count, (k + 1) * count)
                out[at] = block
                out[at[1], at[0]] = block.T
        if self.nominal is None:
            slope_alpha = self._by_threshold(upper, lower)
            out[np.arange(m), np.arange(m)] += self.family.thresholds.bend(zeta[:m], slope_alpha)
        if self.scale is not None:
            self._scale_curvature(out, eta, zeta, rows, (upper, lower, uu, ll, both))
        return out

    def _tridiagonal(self, uu, ll, both, x) -> np.ndarray:
        sums = np.diag(self._by_threshold(uu, ll, x))
        beside = np.bincount(self.codes, both * x, self.size + 1)[1:-1]
        j = np.arange(self.size - 1)
        sums[j, j + 1] = sums[j + 1, j] = beside
        return sums

    def _scale_curvature(self, out, eta, zeta, rows: RowSums, known) -> None:
        assert self.scale is not None
        upper, lower, uu, ll, both = known
        m, (u, v) = self.n_thresholds, (_finite(x) for x in self.limits(zeta))
        in_eta = -(rows.score - eta * rows.observed + u * rows.extra[0, 1] + v * rows.extra[1, 1])
        in_u = -(upper + eta * rows.extra[0, 1] + u * uu + v * both)
        in_v = -(lower + eta * rows.extra[1, 1] + u * both + v * ll)
        cross = self._spread(zeta, in_u, in_v) @ self.scale
        out[:m, m:], out[m:, :m] = cross, cross.T
        own = -(eta * in_eta + u * in_u + v * in_v)
        out[m:, m:] = weighted_gram(self.scale, own)

    # -- where searches begin ---------------------------------------------------------------

    def level(self, zeta: np.ndarray) -> np.ndarray:
        return np.zeros(self.n)

    def start(self, eta: np.ndarray, zeta: np.ndarray) -> np.ndarray:
        own = self.family.start_zeta(self.y, self.y, self.weights)
        if self.nominal is not None:
            first = np.zeros((self.nominal.shape[1], own.size))
            thresholds = self.family.thresholds
            first[0] = thresholds.reported @ thresholds.parts(own)
            own = first.ravel()
        return np.concatenate([own, np.zeros(self.n_zeta - own.size)])


def _finite(values: np.ndarray) -> np.ndarray:
    """Thresholds, zero where there is none."""
    return np.where(np.isfinite(values), values, 0.0)


class _State(NamedTuple):
    """Coefficients and parameters without random effects; rows where no kernel has them."""

    x: np.ndarray
    value: float
    eta: np.ndarray = _EMPTY
    rows: RowSums = RowSums(0.0, *[_EMPTY] * 5)


class _Step(NamedTuple):
    move: np.ndarray
    decrement: float
    definite: bool


class OrdinalProblem(Problem):
    """Rows, columns and first estimates of a model of ordered categories.

    Searches have the columns of X centred, and thresholds less what that takes from the predictor:
    a covariate far from zero would otherwise move with them.

    Attributes
    ----------
    centre : ndarray, shape (p,)
        What is subtracted from the columns of X; zeros where thresholds have no common location.
    """

    density: OrdinalDensity
    centre: np.ndarray

    @classmethod
    def of(cls, design, density, eta: np.ndarray | None):
        mean = design.mean
        centre = np.zeros(mean.X.shape[1])
        if density.located.any():
            centre = mean.X.sum(axis=0) / max(len(mean.X), 1)
            moved = replace(mean, X=mean.X - centre)
            design = design.changed(predictors={**design.predictors, MEAN: moved})
        problem = super().of(design, density, eta)
        problem.centre = centre
        return problem

    def natural(self, n_zeta: int) -> np.ndarray:
        out = side_by_side(self.back, np.eye(n_zeta))
        p = len(self.back)
        out[p:, :p] = np.outer(self.density.located, self.centre @ self.back)
        return out

    def natural_eta(self, eta: np.ndarray, gamma: np.ndarray) -> np.ndarray:
        return eta + self.centre @ self.beta(gamma)

    def searched(self, beta: np.ndarray, zeta: np.ndarray) -> np.ndarray:
        return zeta - self.density.located * (self.centre @ beta)

    def parameters(self, eta: np.ndarray, gamma: np.ndarray, zeta: np.ndarray) -> np.ndarray:
        return zeta + self.density.located * (self.centre @ self.beta(gamma))

    def numbers(self, gamma: np.ndarray, zeta: np.ndarray) -> tuple[dict[int, int], np.ndarray]:
        return {}, zeta

    def _first_estimates(self, eta: np.ndarray) -> IRLS:
        """The fit without random effects by Newton's method for all parameters at once."""
        density, fixed, offset = self.density, self.fixed, self.offset
        p, at = fixed.p, OrdinalLikelihood(density, fixed, offset)
        zeta = self.zeta + density.located * float(np.mean(offset))
        start = at(np.concatenate([np.zeros(p), zeta]))
        ended = damped_newton(
            start, at.step_from, lambda here, move: at(here.x + move), NEAR, FIRST_STEPS
        )
        x = start.x
        if ended is not None:
            here, step = ended
            x = here.x + step.move
        self.zeta = x[p:]
        # nothing reads information and weights of these
        return IRLS(x[:p], fixed.predicted(x[:p], offset), _EMPTY, _EMPTY, start.value, 0, True)


class OrdinalLikelihood:
    """The log-likelihood over (gamma, zeta) without random effects, with its derivatives."""

    def __init__(self, density: OrdinalDensity, fixed: FixedPart, offset: np.ndarray) -> None:
        self.density, self.fixed, self.offset = density, fixed, offset
        self._kernel = None
        if isinstance(fixed, FixedColumns):  # else rows are many
            self._kernel = regression_kernel(density, fixed.X, offset)

    def __call__(self, x: np.ndarray) -> _State:
        """The point x; minus infinity is no value."""
        if self._kernel is not None:
            known = self._kernel.evaluate(x, _ORIGIN, False, 1) is not None
            value = -0.5 * self._kernel.value if known else -np.inf
            return _State(x, value if np.isfinite(value) else -np.inf)
        density, p = self.density, self.fixed.p
        eta = self.fixed.predicted(x[:p], self.offset)
        with np.errstate(all="ignore"):  # a step too far has no value
            rows = density.rows(eta, x[p:], False)
            value = rows.total + density.constant(x[p:])[0]
        return _State(x, value if np.isfinite(value) else -np.inf, eta, rows)

    def slopes(self, here: _State, hessian: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and Hessian at the point that was asked for last."""
        if self._kernel is None:
            return self._by_rows(here.x, here.eta, here.rows)
        H = self._kernel.curvature() if hessian else _EMPTY
        return -0.5 * self._kernel.gradient, -0.5 * H

    def step_from(self, here: _State) -> _Step:
        """Newton's step, with absolute eigenvalues where the Hessian is not negative definite."""
        g, H = self.slopes(here)
        factor, info = lapack.dpotrf(-H, lower=1)
        if info:
            values, vectors = np.linalg.eigh(-H)
            size = np.maximum(np.abs(values), LEAST_CURVATURE * np.abs(values).max())
            move = vectors @ ((vectors.T @ g) / size)
        else:
            move = lapack.dpotrs(factor, g, lower=1)[0]
        return _Step(move, float(g @ move), not info)

    def _by_rows(
        self, x: np.ndarray, eta: np.ndarray, rows: RowSums
    ) -> tuple[np.ndarray, np.ndarray]:
        density, fixed = self.density, self.fixed
        p = fixed.p
        zeta = x[p:]
        _, slope = density.constant(zeta)
        own = density.collapse(rows.extra[:, 0], zeta) + slope
        g = np.concatenate([fixed.summed(rows.score), own])
        H = np.empty((x.size, x.size))
        H[:p, :p] = -fixed.gram(rows.observed)
        H[p:, :p] = fixed.transposed_each(density.score_changes(rows, zeta))
        H[:p, p:] = H[p:, :p].T
        H[p:, p:] = density.curvature(eta, zeta, rows)
        return g, H
