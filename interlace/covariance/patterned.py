"""Structures with a correlation, or one for each distance, of effects in an order or in none.

Where the correlation matrix R comes first, C is its Cholesky factor, and with Phi(A) the lower
triangle of A, its diagonal halved,

    dC = C Phi(C^{-1} dR C^{-T}),   <W, d2C_ij> = <P, d2R_ij - dC_i dC_j' - dC_j dC_i'>,
    P = C^{-T} Phi(C'W) C^{-1}
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import lapack

from ..errors import ArgumentError
from .pattern import OneParameter, Patterned, Slopes, Unit
from .readings import Natural, sine
from .series import AR1
from .structures import ROUNDING

__all__ = [
    "CompoundSymmetry",
    "HeterogeneousAR1",
    "HomogeneousCompoundSymmetry",
    "HomogeneousDiagonal",
    "HomogeneousToeplitz",
    "Toeplitz",
]

# A share of independence in correlation matrices, which may be singular to rounding: their factors
# then have derivatives everywhere. It changes a log-likelihood by some 1e-9.
INDEPENDENT = 1e-10


class HomogeneousDiagonal(Patterned):
    """Independent effects of one variance."""

    name = "homdiag"
    homogeneous = True
    correlated = False
    patterned = False

    def __init__(self, k: int) -> None:
        super().__init__(k)
        self.rows = self.cols = np.arange(k)

    def unit(self, pattern: np.ndarray) -> Unit:
        return Unit(np.ones(self.k), np.zeros((self.k, 0)))

    def bent(self, pattern: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.zeros((0, 0))


# -- one angle ----------------------------------------------------------------------------------


class CompoundSymmetry(OneParameter):
    """One correlation for all pairs, from -1 / (k - 1) to 1; standard deviations of their own.

    rho = 1 - h (1 - sin a) with h = (1 + 1 / (k - 1)) / 2. With d_j = 1 + j rho,
    C[j, j] = sqrt((1 - rho) d_j / d_{j-1}) and C[i, j] = rho sqrt((1 - rho) / (d_j d_{j-1})).

    Parameters
    ----------
    k : int
        Number of columns of the term.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.patterned import CompoundSymmetry
    >>> T = CompoundSymmetry(2).template([1.0, 2.0, np.arcsin(0.5)])
    >>> (T @ T.T).round(12)
    array([[1., 1.],
           [1., 4.]])
    """

    name = "cs"

    def __init__(self, k: int) -> None:
        self.n_pattern = 1 if k > 1 else 0
        super().__init__(k)

    def naturals(self) -> Sequence[Natural | None]:
        return [sine("rho", -1.0 / (self.k - 1))] if self.n_pattern else []

    def unit(self, pattern: np.ndarray) -> Unit:
        if self.n_pattern:
            return super().unit(pattern)
        return Unit(np.ones(1), np.zeros((1, 0)))

    def entries(self, parameter: float) -> Slopes:
        k, angle = self.k, parameter
        h = 0.5 * (1.0 + 1.0 / (k - 1))
        sin, cos = np.sin(angle), np.cos(angle)
        rho = Slopes(np.array(1.0 - h * (1.0 - sin)), np.array(h * cos), np.array(-h * sin))
        # sqrt(1 - rho) and sqrt(1 + (k - 1) rho) are a sine and a cosine of half an angle
        turn = 0.25 * np.pi - 0.5 * angle
        root = _sine(np.sqrt(2.0 * h), turn)
        last = _sine(np.sqrt(2.0 * h * (k - 1)), 0.5 * np.pi - turn, slope=0.5)
        j = np.arange(k, dtype=float)
        d = Slopes(1.0 + j * rho.value, j * rho.first, j * rho.second)
        roots = _power(Slopes(*(own[:-1] for own in d)), 0.5)
        roots = Slopes(*(np.append(a, b) for a, b in zip(roots, last, strict=True)))
        before = _power(Slopes(*(own[:-1] for own in d)), -0.5)  # of d_{j-1}, j = 1, …
        step = _product(root, before)
        on = _product(step, Slopes(*(own[1:] for own in roots)))
        # below the diagonal of the last column there is nothing
        below = _power(Slopes(*(own[1:-1] for own in d)), -0.5)
        inner = _product(_product(Slopes(*(own[:-1] for own in step)), rho), below)
        return self._placed(rho, on, inner)

    def _placed(self, rho: Slopes, on: Slopes, inner: Slopes) -> Slopes:
        """The first column, the diagonal of the others and what is below it, at the entries."""
        first, diagonal = self.cols == 0, self.rows == self.cols
        out = []
        for order in range(3):
            own = np.empty(self.rows.size)
            own[first] = rho[order]
            own[first & diagonal] = 1.0 if order == 0 else 0.0
            at = ~first & diagonal
            own[at] = on[order][self.cols[at] - 1]
            at = ~first & ~diagonal
            own[at] = inner[order][self.cols[at] - 1]
            out.append(own)
        return Slopes(*out)


class HomogeneousCompoundSymmetry(CompoundSymmetry):
    """One correlation for all pairs and one standard deviation."""

    name = "homcs"
    homogeneous = True


class HeterogeneousAR1(OneParameter):
    """Autoregression of first order, each time with a standard deviation of its own."""

    name = "hetar1"
    effects = "times"

    def __init__(self, k: int, times: np.ndarray | None = None) -> None:
        super().__init__(k)
        self._chain = AR1(k, times)

    @property
    def chain(self) -> AR1:
        return self._chain

    def naturals(self) -> Sequence[Natural | None]:
        return [sine("rho")]

    def entries(self, parameter: float) -> Slopes:
        return self._chain.entries(parameter)

    def far_ends(self) -> tuple[float, ...]:
        return self._chain.far_ends()


def _sine(factor: float, at: float, slope: float = -0.5) -> Slopes:
    """factor sin(at), where ``at`` changes with ``slope``."""
    sin, cos = factor * np.sin(at), factor * np.cos(at)
    return Slopes(np.array(sin), np.array(slope * cos), np.array(-slope * slope * sin))


def _product(a: Slopes, b: Slopes) -> Slopes:
    return Slopes(
        a.value * b.value,
        a.first * b.value + a.value * b.first,
        a.second * b.value + 2.0 * a.first * b.first + a.value * b.second,
    )


def _power(a: Slopes, power: float) -> Slopes:
    own = a.value**power
    by = power * own / a.value
    return Slopes(own, by * a.first, by * (a.second + (power - 1.0) * a.first**2 / a.value))


# -- correlation matrices -----------------------------------------------------------------------


class Correlations(NamedTuple):
    """R (k, k) and its derivatives (q, k, k)."""

    R: np.ndarray
    slopes: np.ndarray


class FromCorrelations(Patterned):
    """A pattern that says the correlation matrix."""

    @abstractmethod
    def correlations(self, pattern: np.ndarray) -> Correlations:
        """R and its derivatives."""

    @abstractmethod
    def bent_correlations(self, pattern: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """sum of weights (k, k) times d^2 R, (q, q)."""

    #: The last pattern and its factor: values and derivatives are asked for one by one.
    _last: tuple[bytes, tuple[np.ndarray, np.ndarray, np.ndarray]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    def _factor(self, pattern: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """C, its inverse and dC (q, k, k)."""
        last, key = self._last, np.asarray(pattern).tobytes()
        if last is None or last[0] != key:
            self._last = last = key, self._factorised(pattern)
        return last[1]

    def _factorised(self, pattern: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        R, slopes = self.correlations(pattern)
        R, slopes = (1.0 - INDEPENDENT) * R, (1.0 - INDEPENDENT) * slopes
        R[np.diag_indices(self.k)] = 1.0
        C = np.linalg.cholesky(R)
        inverse = lapack.dtrtri(C, lower=1)[0]
        return C, inverse, C @ _half_lower(inverse @ slopes @ inverse.T)

    def unit(self, pattern: np.ndarray) -> Unit:
        C, _, dC = self._factor(pattern)
        return Unit(C[self.rows, self.cols], dC[:, self.rows, self.cols].T)

    def bent(self, pattern: np.ndarray, weights: np.ndarray) -> np.ndarray:
        C, inverse, dC = self._factor(pattern)
        W = np.zeros((self.k, self.k))
        W[self.rows, self.cols] = weights
        P = inverse.T @ _half_lower(C.T @ W) @ inverse
        P = P + P.T
        q = len(dC)
        squares = (P @ dC).reshape(q, -1) @ dC.reshape(q, -1).T
        own = self.bent_correlations(pattern, 0.5 * P)
        return (1.0 - INDEPENDENT) * own - squares


def _half_lower(A: np.ndarray) -> np.ndarray:
    """Lower triangles with their diagonals halved."""
    out = np.tril(A)
    diagonal = np.arange(A.shape[-1])
    out[..., diagonal, diagonal] *= 0.5
    return out


class Toeplitz(FromCorrelations):
    """A correlation for each distance between effects in their order; own standard deviations.

    The parameters are angles whose sines are partial correlations, given the effects between: any
    of them make a correlation matrix (Durbin and Levinson's recursion), and every one has some.

    Parameters
    ----------
    k : int
        Number of columns of the term.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.patterned import Toeplitz
    >>> T = Toeplitz(3).template([1.0, 1.0, 1.0, np.arcsin(0.5), np.arcsin(-0.2)])
    >>> (T @ T.T).round(6)
    array([[1. , 0.5, 0.1],
           [0.5, 1. , 0.5],
           [0.1, 0.5, 1. ]])
    """

    name = "toep"

    def __init__(self, k: int) -> None:
        self.n_pattern = k - 1
        super().__init__(k)
        self._lag = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))

    def naturals(self) -> Sequence[Natural | None]:
        # the first partial correlation is one, the others are none
        return [sine("rho1"), *[None] * (self.n_pattern - 1)] if self.n_pattern else []

    def words(self) -> list[str]:
        return [f"rho{lag}" for lag in range(1, self.k)]

    def pattern_read(self, pattern: np.ndarray) -> np.ndarray:
        return _levinson(pattern, 0)[0][1:]

    def pattern_of(self, values: np.ndarray) -> np.ndarray:
        rho, partial = np.append(1.0, values), np.zeros(0)
        a = np.zeros(0)  # coefficients of the predictor from the last n effects
        for n in range(1, self.k):
            left = 1.0 - a @ rho[1:n]
            gamma = (rho[n] - a @ rho[n - 1 : 0 : -1]) / left if left > 0.0 else 0.0
            if abs(gamma) > 1.0 + ROUNDING:
                raise ArgumentError(
                    "no distribution has these correlations of {names}: their matrix is not "
                    "positive definite"
                )
            a = np.append(a - gamma * a[::-1], gamma)
            partial = np.append(partial, gamma)
        return np.arcsin(np.clip(partial, -1.0, 1.0))

    def pattern_boundary(self, pattern: np.ndarray, tolerance: float) -> str:
        rank = 1 + int((np.abs(np.cos(pattern)) >= tolerance).cumprod().sum())
        if rank == self.k:
            return ""
        return (
            f"the covariance matrix of the {self.name}() effects by {{group}} has rank {rank} of "
            f"{self.k}: some effects are perfectly correlated"
        )

    def correlations(self, pattern: np.ndarray) -> Correlations:
        rho, first = _levinson(pattern, 1)[:2]
        return Correlations(rho[self._lag], first.T[:, self._lag])

    def bent_correlations(self, pattern: np.ndarray, weights: np.ndarray) -> np.ndarray:
        by_lag = np.bincount(self._lag.ravel(), weights=weights.ravel())
        return np.tensordot(by_lag, _levinson(pattern, 2)[2], axes=1)


class HomogeneousToeplitz(Toeplitz):
    """A correlation for each distance between effects, and one standard deviation."""

    name = "homtoep"
    homogeneous = True


def _levinson(angles: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlations by lag from angles of partial ones, (q + 1,), (q + 1, q), (q + 1, q, q).

    With gamma = sin(angle), rho_n = gamma_n v + sum_j a_j rho_{n-j}, after which
    a_j - gamma_n a_{n-j} replaces a_j, with a_n = gamma_n, and v (1 - gamma_n^2) replaces v.
    """
    q = angles.size
    shapes = [(q + 1, *(q,) * d) for d in range(order + 1)]
    kind = angles.dtype
    rho, a = (_Jets([np.zeros(s, dtype=kind) for s in shapes]) for _ in range(2))
    rho.parts[0][0] = 1.0
    v = _Jets([np.ones(1), *(np.zeros((1, *s[1:])) for s in shapes[1:])])
    for n in range(1, q + 1):
        gamma = _angle(angles[n - 1], n - 1, q, order)
        new = gamma.times(v).plus(a.at(slice(1, n)).times(rho.at(slice(n - 1, 0, -1))).total())
        rho.put(slice(n, n + 1), new)
        moved = gamma.times(a.at(slice(n - 1, 0, -1)))
        a.put(slice(1, n), a.at(slice(1, n)).plus(moved, -1.0))
        a.put(slice(n, n + 1), gamma)
        v = v.plus(gamma.times(gamma).times(v), -1.0)
    empty = np.zeros(0)
    return tuple([*rho.parts, empty, empty][:3])  # type: ignore[return-value]


class _Jets(NamedTuple):
    """Values (m,) with derivatives (m, q) and (m, q, q), as far as they are wanted."""

    parts: list[np.ndarray]

    def at(self, where: slice) -> _Jets:
        return _Jets([part[where] for part in self.parts])

    def put(self, where: slice, other: _Jets) -> None:
        for part, values in zip(self.parts, other.parts, strict=True):
            part[where] = values

    def total(self) -> _Jets:
        return _Jets([part.sum(axis=0, keepdims=True) for part in self.parts])

    def plus(self, other: _Jets, factor: float = 1.0) -> _Jets:
        return _Jets([a + factor * b for a, b in zip(self.parts, other.parts, strict=True)])

    def times(self, other: _Jets) -> _Jets:
        a, b = self.parts, other.parts
        out = [a[0] * b[0]]
        if len(a) > 1:
            out.append(a[1] * b[0][:, None] + a[0][:, None] * b[1])
        if len(a) > 2:
            cross = a[1][:, :, None] * b[1][:, None, :]
            both = a[2] * b[0][:, None, None] + a[0][:, None, None] * b[2]
            out.append(both + cross + cross.transpose(0, 2, 1))
        return _Jets(out)


def _angle(angle: Any, place: int, q: int, order: int) -> _Jets:
    """The sine of one of q angles."""
    parts = [np.array([np.sin(angle)])]
    if order:
        parts.append(np.zeros((1, q)))
        parts[1][0, place] = np.cos(angle)
    if order > 1:
        parts.append(np.zeros((1, q, q)))
        parts[2][0, place, place] = -np.sin(angle)
    return _Jets(parts)
