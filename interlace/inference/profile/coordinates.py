"""Coordinates of a likelihood, the first of which is the parameter that is profiled.

y are a likelihood's own parameters. In ``flat`` ones the covariance parameters are theta, on the
scale of the data; `y = M flat`, linear. With the rows t_i of a term's template T and sigma the
residual standard deviation (1 where there is none):

    sd_i        t_i = (sd / sigma) u,   u a unit vector
    cor_ij      t_j = r_j^2 u_j,   t_i = r_i^2 (sin(angle) u_j + cos(angle) q),   u_j and q unit
                vectors, q orthogonal to u_j,   the correlation being sin(angle)

in both of which the rest of theta is free. Unit vectors are geodesics from those of the estimates,
so that nothing has a bound but the parameter itself: a standard deviation of zero and a correlation
of one are points like others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

__all__ = ["Bounded", "Coordinates", "Correlation", "Deviation", "Linear", "geodesic"]

# Steps of complex differences: the derivative of an analytic function without subtraction.
COMPLEX_STEP = 1e-30
# A square below which sin(r) / r is its series.
NEAR = 1e-6


class Coordinates(ABC):
    """phi (n,) <-> y (n,); phi[0] is the parameter that is profiled.

    Attributes
    ----------
    start : ndarray, shape (n,)
        phi of the estimates.
    lower, upper : float
        Bounds of phi[0].
    """

    start: np.ndarray
    lower = -np.inf
    upper = np.inf

    @abstractmethod
    def y(self, phi: np.ndarray) -> np.ndarray:
        """The likelihood's parameters, (n,)."""

    @abstractmethod
    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        """d y / d phi, (n, n)."""


class Linear(Coordinates):
    """y = base + A phi.

    The parameter is ``a'y[at]``; the rest of y[at] is in coordinates orthogonal to a.
    """

    def __init__(self, y: np.ndarray, at: slice, a: np.ndarray) -> None:
        n, places = y.size, np.arange(y.size)[at]
        others = np.delete(np.arange(n), places)
        size = float(a @ a)
        rest = np.linalg.qr(a[:, None], mode="complete")[0][:, 1:]
        self._A = np.zeros((n, n))
        self._A[places, 0] = a / size
        self._A[np.ix_(places, np.arange(1, places.size))] = rest
        self._A[others, np.arange(places.size, n)] = 1.0
        self.start = np.zeros(n)
        self.start[0] = float(a @ y[at])
        self.start[1 : places.size] = rest.T @ y[at]
        self.start[places.size :] = y[others]

    def y(self, phi: np.ndarray) -> np.ndarray:
        return self._A @ phi

    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        return self._A


class Bounded(Linear):
    """One of y itself, between bounds: an angle, a logarithm."""

    def __init__(self, y: np.ndarray, place: int, lower: float, upper: float) -> None:
        super().__init__(y, slice(place, place + 1), np.ones(1))
        self.lower, self.upper = lower, upper


class _Curved(Coordinates):
    """Some of flat are functions of the first coordinates, the others are the last ones.

    ``own`` are the places of these in flat, as many as the coordinates that they are functions of.
    """

    def __init__(self, flat: np.ndarray, own: np.ndarray, M: np.ndarray, inner: np.ndarray) -> None:
        self.own, self.M = own, M
        self.others = np.delete(np.arange(flat.size), own)
        self.start = np.concatenate([inner, flat[self.others]])

    @abstractmethod
    def curve(self, inner: np.ndarray) -> np.ndarray:
        """flat[own] from the first coordinates, for complex numbers too."""

    def y(self, phi: np.ndarray) -> np.ndarray:
        m = self.own.size
        flat = np.empty(phi.size)
        flat[self.own], flat[self.others] = self.curve(phi[:m]), phi[m:]
        return self.M @ flat

    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        m = self.own.size
        J = np.zeros((phi.size, phi.size))
        J[self.others, np.arange(m, phi.size)] = 1.0
        for j in range(m):
            moved = phi[:m].astype(complex)
            moved[j] += 1j * COMPLEX_STEP
            J[self.own, j] = self.curve(moved).imag / COMPLEX_STEP
        return self.M @ J


class Deviation(_Curved):
    """The standard deviation of one effect: row (r,) of theta, with log sigma if there is one."""

    lower = 0.0

    def __init__(
        self, flat: np.ndarray, row: np.ndarray, log_sigma: int | None, M: np.ndarray
    ) -> None:
        t, k = flat[row], row.size
        length = float(np.sqrt(t @ t))
        self.unit, self.basis = _frame(t)
        self.scaled = log_sigma is not None
        sigma = [] if log_sigma is None else [flat[log_sigma]]
        inner = np.concatenate([[length * np.exp(sum(sigma))], np.zeros(k - 1), sigma])
        own = row if log_sigma is None else np.append(row, log_sigma)
        super().__init__(flat, own, M, inner)

    def curve(self, inner: np.ndarray) -> np.ndarray:
        k = self.unit.size
        direction = geodesic(inner[1:k], self.unit, self.basis)
        if not self.scaled:
            return inner[0] * direction
        return np.append(inner[0] * np.exp(-inner[k]) * direction, inner[k])


class Correlation(_Curved):
    """The angle whose sine is the correlation of two effects, rows (i + 1,) and (j + 1,), i > j."""

    lower, upper = -0.5 * np.pi, 0.5 * np.pi

    def __init__(
        self, flat: np.ndarray, row: np.ndarray, earlier: np.ndarray, M: np.ndarray
    ) -> None:
        t, before = flat[row], flat[earlier]
        self.lengths = np.sqrt(t @ t), np.sqrt(before @ before)
        self.first, self.turned = _frame(before)
        self.across = _frame(self._padded(self.first, t.size))[1]  # orthogonal to the earlier row
        rest = self.across.T @ t
        self.unit, self.basis = _frame(rest)
        angle = np.arctan2(t[: before.size] @ self.first, np.sqrt(rest @ rest))
        inner = np.concatenate([[angle, 1.0, 1.0], np.zeros(row.size + earlier.size - 3)])
        super().__init__(flat, np.concatenate([row, earlier]), M, inner)

    @staticmethod
    def _padded(u: np.ndarray, size: int) -> np.ndarray:
        return np.concatenate([u, np.zeros(size - u.size, dtype=u.dtype)])

    def curve(self, inner: np.ndarray) -> np.ndarray:
        own = 3 + self.basis.shape[1]
        first = geodesic(inner[own:], self.first, self.turned)
        along = self._padded(first, len(self.across))
        free = self.across @ geodesic(inner[3:own], self.unit, self.basis)
        free = free - np.sum(free * along) * along
        free = free / np.sqrt(np.sum(free * free))
        row = np.sin(inner[0]) * along + np.cos(inner[0]) * free
        length, earlier = self.lengths
        return np.concatenate([length * inner[1] ** 2 * row, earlier * inner[2] ** 2 * first])


def geodesic(w: np.ndarray, unit: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """cos(r) unit + sin(r) / r (basis w), r = |w|: a unit vector, for complex w too."""
    if not w.size:
        return unit.astype(w.dtype)
    square = np.sum(w * w)
    if abs(square) < NEAR:
        cos = 1.0 - square / 2.0 * (1.0 - square / 12.0)
        sinc = 1.0 - square / 6.0 * (1.0 - square / 20.0)
    else:
        r = np.sqrt(square)
        cos, sinc = np.cos(r), np.sin(r) / r
    return cos * unit + sinc * (basis @ w)


def _frame(t: np.ndarray) -> tuple[np.ndarray, Any]:
    """The direction of t (k,), of its last entry where it is zero, and an orthonormal rest."""
    length = float(np.sqrt(t @ t))
    unit = t / length if length > 0.0 else np.eye(t.size)[-1]
    basis = np.linalg.qr(unit[:, None], mode="complete")[0][:, 1:]
    return unit, basis
