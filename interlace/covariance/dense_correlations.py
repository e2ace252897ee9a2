"""Correlations within groups that have no inverse root of their own: a Cholesky factor of each.

Groups at the same times share it; those of one size are factorised together.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from ..errors import NumericalError
from .correlations import START, Correlation, Groups, Root

__all__ = ["DenseCorrelation", "Exponential", "GaussianDecay", "Unstructured"]

# A start: a nugget of 0.1.
NUGGET = 1.0 / 3.0
# ... and of four fifths.
MOSTLY_NUGGET = 2.0
# A nugget as near as this to an end of its range is at it, a logarithm of a range this far away.
NUGGET_AT_END = 1e-8
FURTHEST_RANGE = 12.0


class _Bucket(NamedTuple):
    """Groups of one size m."""

    rows: np.ndarray  # (g, m)
    pattern: np.ndarray  # (g,): which of the patterns each has
    times: np.ndarray  # (u, m, d): distinct patterns
    order: np.ndarray  # (g,): groups by pattern
    starts: np.ndarray  # (u,): the first of each in that order


class _DenseRoot(Root):
    def __init__(
        self, buckets: list[_Bucket], matrices: list[tuple[np.ndarray, np.ndarray]]
    ) -> None:
        self._buckets = buckets
        self._W, self._L, self._dW = [], [], []
        m = matrices[0][1].shape[0]
        self.logdet, self.logdet_slopes = 0.0, np.zeros(m)
        for bucket, (C, dC) in zip(buckets, matrices, strict=True):
            try:
                L = np.linalg.cholesky(C)
            except np.linalg.LinAlgError:
                raise NumericalError(
                    "the residual correlations are not positive definite"
                ) from None
            W = np.linalg.inv(L)
            inner = W @ dC @ W.swapaxes(-1, -2)  # (m, u, k, k)
            half = np.tril(inner, -1)
            k = np.arange(C.shape[-1])
            half[..., k, k] = 0.5 * inner[..., k, k]
            counts = np.bincount(bucket.pattern, minlength=len(C))
            self.logdet += 2.0 * float(counts @ np.log(L[:, k, k]).sum(axis=1))
            self.logdet_slopes += np.einsum("mukk,u->m", inner, counts)
            self._W.append(W)
            self._L.append(L)
            self._dW.append(-half @ W)

    def _apply(self, matrices: list[np.ndarray], D: np.ndarray) -> np.ndarray:
        out = np.empty(D.shape)
        for bucket, A in zip(self._buckets, matrices, strict=True):
            out[bucket.rows] = A[bucket.pattern] @ D[bucket.rows]
        return out

    def whiten(self, D: np.ndarray) -> np.ndarray:
        return self._apply(self._W, D)

    def transposed(self, D: np.ndarray) -> np.ndarray:
        return self._apply([W.swapaxes(1, 2) for W in self._W], D)

    def slopes(self, D: np.ndarray) -> list[np.ndarray]:
        m = self.logdet_slopes.size
        return [self._apply([dW[j] for dW in self._dW], D) for j in range(m)]

    def colour(self, D: np.ndarray) -> np.ndarray:
        return self._apply(self._L, D)

    def inner(self, D: np.ndarray, G: np.ndarray) -> np.ndarray:
        out = np.zeros(self.logdet_slopes.size)
        for bucket, dW in zip(self._buckets, self._dW, strict=True):
            products = G[bucket.rows] @ D[bucket.rows].swapaxes(1, 2)  # (g, k, k)
            sums = np.add.reduceat(products[bucket.order], bucket.starts)
            out += np.tensordot(dW, sums, 3)
        return out


class DenseCorrelation(Correlation):
    """A structure that gives the matrix of any times, and its derivatives."""

    def __init__(self, groups: Groups, names: Sequence[str] = ()) -> None:
        super().__init__(groups, names)
        self._buckets = []
        for size in np.unique(groups.sizes):
            own = groups.starts[groups.sizes == size]
            rows = own[:, None] + np.arange(size)
            times = groups.times[rows]
            flat = times.reshape(len(rows), -1)
            keys, pattern = np.unique(flat, axis=0, return_inverse=True)
            pattern = pattern.ravel()
            order = np.argsort(pattern, kind="stable")
            first = np.searchsorted(pattern[order], np.arange(len(keys)))
            distinct = keys.reshape(len(keys), int(size), -1)
            self._buckets.append(_Bucket(rows, pattern, distinct, order, first))

    @abstractmethod
    def matrices(self, x: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """C (u, k, k) of the times (u, k, d), and its derivatives (m, u, k, k)."""

    def at(self, x: np.ndarray) -> Root:
        return _DenseRoot(self._buckets, [self.matrices(x, b.times) for b in self._buckets])


class Unstructured(DenseCorrelation):
    """Any correlations of the levels of time (nlme's corSymm).

    C = A A' with rows of A of length one: those of a unit lower triangular matrix, whose entries
    below the diagonal are x, divided by their lengths.

    Parameters
    ----------
    groups : Groups
        Times are whole numbers in [0, number of levels).
    names : sequence of str
        Of the levels.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.correlations import Groups
    >>> from interlace.covariance.dense_correlations import Unstructured
    >>> rows = Groups(np.array([0]), np.array([2]), np.array([[0.0], [1.0]]))
    >>> Unstructured(rows, ["a", "b"]).natural(np.array([1.0])).round(4)
    array([0.7071])
    """

    name = "us"
    nlme = "corSymm"
    levels = True

    def __init__(self, groups: Groups, names: Sequence[str] = ()) -> None:
        super().__init__(groups, names)
        k = len(names)
        rows, cols = np.tril_indices(k, -1)
        self._rows, self._cols = rows, cols
        self.n_parameters = rows.size
        self.parameters = tuple(
            f"cor_{names[i]}.{names[j]}" for i, j in zip(rows.tolist(), cols.tolist())
        )
        self.bounds = ((-1.0, 1.0),) * rows.size

    def start(self) -> np.ndarray:
        return self.x_of(np.full(self.n_parameters, START))

    def strong_start(self) -> np.ndarray:
        return self.x_of(np.full(self.n_parameters, 0.6))

    def _all(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The matrix of all levels, (k, k), and its derivatives (m, k, k)."""
        k = len(self.names)
        A = np.eye(k)
        A[self._rows, self._cols] = x
        length = np.sqrt((A * A).sum(axis=1))
        U = A / length[:, None]
        dU = np.zeros((x.size, k, k))
        at = np.arange(x.size)
        # d(a / |a|) = (da - u u'da) / |a|
        dU[at, self._rows] = -U[self._rows] * U[self._rows, self._cols][:, None]
        dU[at, self._rows, self._cols] += 1.0
        dU[at, self._rows] /= length[self._rows][:, None]
        half = dU @ U.T
        return U @ U.T, half + half.swapaxes(1, 2)

    def natural(self, x: np.ndarray) -> np.ndarray:
        return self._all(x)[0][self._rows, self._cols]

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        return self._all(x)[1][:, self._rows, self._cols].T

    def x_of(self, natural: np.ndarray) -> np.ndarray:
        C = np.eye(len(self.names))
        C[self._rows, self._cols] = C[self._cols, self._rows] = natural
        L = np.linalg.cholesky(C)
        return (L / np.diagonal(L)[:, None])[self._rows, self._cols]

    def matrices(self, x: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        C, dC = self._all(x)
        at = times[:, :, 0].astype(int)
        i, j = at[:, :, None], at[:, None, :]
        return C[i, j], dC[:, i, j]

    def between(self, x: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return self._all(x)[0][left[:, 0].astype(int), right[:, 0].astype(int)]


class _Decay(DenseCorrelation):
    """Correlations that decay with the Euclidean distance over a range.

    With a ``nugget`` those of different rows are 1 - nugget times that. x are the logarithm of the
    range and the root of nugget / (1 - nugget), in which none is a point as others are.
    """

    spatial = True
    kept = ("_unit",)
    options: ClassVar[Mapping[str, type]] = {"nugget": bool}

    def __init__(self, groups: Groups, names: Sequence[str] = (), nugget: bool = False) -> None:
        super().__init__(groups, names)
        spread = np.sqrt(np.sum(np.ptp(groups.times, axis=0) ** 2)) if groups.n else 0.0
        self._unit = float(spread) / max(float(np.mean(groups.sizes)), 1.0) or 1.0
        self.nugget, self.n_parameters = nugget, 1 + nugget
        self.parameters = ("range", "nugget")[: 1 + nugget]
        self.bounds = ((0.0, np.inf), (0.0, 1.0))[: 1 + nugget]

    def start(self) -> np.ndarray:
        return np.array([0.0, NUGGET])[: self.n_parameters]

    def strong_start(self) -> np.ndarray:
        return np.array([2.0, NUGGET])[: self.n_parameters]

    def far_start(self) -> np.ndarray | None:
        # a little of the variance with a long range, which random effects of the group are not
        return np.array([2.0, MOSTLY_NUGGET]) if self.nugget else None

    def _share(self, x: np.ndarray) -> float:
        """One less the nugget."""
        return float(1.0 / (1.0 + x[1] ** 2)) if self.nugget else 1.0

    def _share_slope(self, x: np.ndarray) -> float:
        return -2.0 * float(x[1]) * self._share(x) ** 2 if self.nugget else 0.0

    def natural(self, x: np.ndarray) -> np.ndarray:
        return np.array([np.exp(x[0]) * self._unit, 1.0 - self._share(x)])[: x.size]

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        return np.diag([np.exp(x[0]) * self._unit, -self._share_slope(x)][: x.size])

    def x_of(self, natural: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            own = [np.log(natural[0] / self._unit)]
            return np.array([*own, *(np.sqrt(v / (1.0 - v)) for v in natural[1:])])

    @abstractmethod
    def decay(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The correlation at u ranges, and its derivative in log u."""

    def matrices(self, x: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        difference = times[:, :, None] - times[:, None]
        distance = np.sqrt(np.sum(difference**2, axis=-1))
        C, slope = self.decay(distance / self.natural(x)[0])
        if not self.nugget:
            return C, -slope[None]
        share = self._share(x)
        apart = C * (1.0 - np.eye(C.shape[-1]))
        own = np.stack([-share * slope, self._share_slope(x) * apart])
        return np.eye(C.shape[-1]) + share * apart, own

    def between(self, x: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        distance = np.sqrt(np.sum((left - right) ** 2, axis=1))
        return self._share(x) * self.decay(distance / self.natural(x)[0])[0]

    def at_end(self, x: np.ndarray) -> str:
        of = f"of the residual correlation {self.name} is at"
        if abs(x[0]) >= FURTHEST_RANGE:
            return f"the range {of} {'infinity' if x[0] > 0.0 else '0'}"
        share = self._share(x)
        if self.nugget and min(share, 1.0 - share) < NUGGET_AT_END:
            return f"the nugget {of} {round(1.0 - share):d}"
        return ""


class Exponential(_Decay):
    """exp(-distance / range) (nlme's corExp).

    Parameters
    ----------
    groups : Groups

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.correlations import Groups
    >>> from interlace.covariance.dense_correlations import Exponential
    >>> rows = Groups(np.array([0]), np.array([2]), np.array([[0.0], [1.0]]))
    >>> exp = Exponential(rows)
    >>> exp.between(exp.x_of(np.array([2.0])), rows.times[:1], rows.times[1:]).round(4)
    array([0.6065])
    """

    name = "exp"
    nlme = "corExp"

    def decay(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value = np.exp(-u)
        return value, -u * value


class GaussianDecay(_Decay):
    """exp(-(distance / range)^2) (nlme's corGaus).

    Parameters
    ----------
    groups : Groups

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.correlations import Groups
    >>> from interlace.covariance.dense_correlations import GaussianDecay
    >>> rows = Groups(np.array([0]), np.array([2]), np.array([[0.0], [1.0]]))
    >>> gau = GaussianDecay(rows)
    >>> gau.between(gau.x_of(np.array([1.0])), rows.times[:1], rows.times[1:]).round(4)
    array([0.3679])
    """

    name = "gau"
    nlme = "corGaus"

    def decay(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value = np.exp(-(u**2))
        return value, -2.0 * u**2 * value
