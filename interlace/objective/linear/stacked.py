"""Effects of any number of grouping factors, stacked: rows (q, r), factor by factor.

Variances of random effects may be so large beside the residual one that subtractions would lose
digits. With A = Z'WZ, G = Z'V^{-1}Z = A - A Lambda M^{-1} Lambda'A and B = Z'V^{-1}[X y] are of the
order of T^{-2} where T is large, and what is subtracted is not. Nothing is subtracted in
Lambda'G = M^{-1}Lambda'A, Lambda'G Lambda = I - M^{-1} and Lambda'B = U = M^{-1}Lambda'Z'[X y], nor
in [X y]'V^{-1}[X y] = E'E + U'U, with the residuals E = [X y] - Z Lambda U of the rows themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Literal

import numpy as np

from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.threads import single_threaded
from ...linalg.wide import WIDE, product
from .marginal import Marginal

# The least eigenvalue of T'AT, A the mean over levels, from which on a factor counts as large: a
# subtraction loses this much of a sum, and the squares of y beside those of its residual.
LARGE = 1e5


class StackedMarginal(Marginal):
    """The part that is the same however M is factorised; `update` sets T, ``_large``, ``_B``."""

    T: Sequence[np.ndarray]
    _B: np.ndarray  # Z'V^{-1}[X y], (q, m)
    _large: list[int]  # `large_factors` of T

    def __init__(self, cross: CrossProducts) -> None:
        self.cross = cross
        offsets = cross.z.offsets
        self.slices = [slice(a, b) for a, b in zip(offsets[:-1], offsets[1:], strict=True)]

    @cached_property
    def _typical(self) -> list[np.ndarray]:
        """The mean over levels of each factor's blocks of Z'WZ, (k_b, k_b)."""
        return [A.mean(axis=0) for A in self.cross.z.diagonal]

    def _blocks(self, R: np.ndarray, b: int) -> np.ndarray:
        """Rows of factor b as (l_b, k_b, r)."""
        return R[self.slices[b]].reshape(-1, self.cross.z.widths[b], R.shape[1])

    def _left(self, R: np.ndarray, order: Literal["K", "F"] = "K") -> np.ndarray:
        """Lambda'R, (q, r)."""
        return self._scaled([t.T for t in self.T], R, order)

    def _effects(self, U: np.ndarray) -> np.ndarray:
        """Lambda U, (q, r)."""
        return self._scaled(self.T, U)

    def _scaled(
        self, factors: Sequence[np.ndarray], R: np.ndarray, order: Literal["K", "F"] = "K"
    ) -> np.ndarray:
        out = np.empty_like(R, order=order)
        for b, (t, s) in enumerate(zip(factors, self.slices, strict=True)):
            if t.size == 1:
                np.multiply(R[s], t[0, 0], out=out[s])
            else:
                out[s] = product(t, self._blocks(R, b)).reshape(-1, R.shape[1])
        return out

    def large_factors(self, T: Sequence[np.ndarray]) -> list[int]:
        """Grouping factors whose effects are large in every direction."""
        out = []
        for b, (t, A) in enumerate(zip(T, self._typical, strict=True)):
            diagonal = t.diagonal() ** 2 * A.diagonal()  # no eigenvalue is below the least
            if min(diagonal.tolist()) > LARGE and np.linalg.eigvalsh(t.T @ A @ t)[0] > LARGE:
                out.append(b)
        return out

    def _without_subtraction(self, U: np.ndarray) -> np.ndarray:
        """[X y]'V^{-1}[X y] from U = Lambda'B, (q, m), and B of the large factors."""
        for b in self._large:
            B = np.linalg.solve(self.T[b].T, self._blocks(U, b))
            self._B[self.slices[b]] = B.reshape(-1, U.shape[1])
        V = self._effects(U)
        E = self.cross.residuals([self._blocks(V, b) for b in range(len(self.T))])
        return E.T @ E + U.T @ U

    def _inner_products(self, h: np.ndarray, Ah: np.ndarray) -> np.ndarray:
        """h'Gh, (r, r), without loss, for h (q, r), each column in the rows of one factor."""
        Y = self._left(Ah)
        first = h.T @ Ah
        sign = -np.ones(h.shape[1])
        for b in self._large:
            s = self.slices[b]
            mine = np.flatnonzero(h[s].any(axis=0))
            inverse = np.zeros((h.shape[0], mine.size))
            blocks = self._blocks(h, b)[:, :, mine]
            inverse[s] = np.linalg.solve(self.T[b], blocks).reshape(-1, mine.size)
            Y[:, mine] = inverse
            first[mine] = first[:, mine] = 0.0
            first[np.ix_(mine, mine)] = inverse.T @ inverse
            sign[mine] = 1.0
        out = first - (sign[:, None] * sign) * (Y.T @ self.solve(Y))
        return 0.5 * (out + out.T)

    def projected(self, b: int) -> np.ndarray:
        return self._blocks(self._B, b)

    @single_threaded
    def _traces(self, G: np.ndarray, D: Sequence[np.ndarray], C: np.ndarray | None) -> np.ndarray:
        """`traces` for Z'V^{-1}Z = G."""
        if C is not None:
            BX = self._B[:, : C.shape[0]]
            explained = BX @ C @ BX.T
            G = np.subtract(G, explained, out=explained)
        return dense_traces(G, D, self.slices, self.cross.z.widths)


def stacked_products(cross: CrossProducts) -> np.ndarray:
    """Z'[X y], (q, m)."""
    return np.concatenate([zxy.reshape(-1, zxy.shape[2]) for zxy in cross.ZXy])


def dense_traces(
    G: np.ndarray, D: Sequence[np.ndarray], slices: Sequence[slice], widths: Sequence[int]
) -> np.ndarray:
    """tr(G D_i G D_j) for a dense symmetric G = Z'QZ and block-diagonal D."""
    stops = list(accumulate(map(len, D), initial=0))
    out = np.empty((stops[-1], stops[-1]))
    for b, (sb, kb) in enumerate(zip(slices, widths, strict=True)):
        for c, (sc, kc) in enumerate(zip(slices, widths, strict=True)):
            block = G[sb, sc]
            if kb == kc == 1:
                out[stops[b], stops[c]] = D[b][0, 0, 0] * D[c][0, 0, 0] * np.vdot(block, block)
                continue
            if max(kb, kc) > WIDE:
                out[stops[b] : stops[b + 1], stops[c] : stops[c + 1]] = _wide_traces(
                    block, D[b], D[c]
                )
                continue
            levels = block.reshape(-1, kb, block.shape[1] // kc, kc)
            pair = levels.transpose(0, 2, 1, 3).reshape(-1, kb * kc)
            gram = (pair.T @ pair).reshape(kb, kc, kb, kc)
            # sum D_i[a, b] G[b, c] D_j[c, d] G[a, d]
            X = gram.transpose(2, 0, 1, 3).reshape(kb * kb, kc * kc)
            left, right = D[b].reshape(len(D[b]), -1), D[c].reshape(len(D[c]), -1)
            out[stops[b] : stops[b + 1], stops[c] : stops[c + 1]] = left @ X @ right.T
    return out


def _wide_traces(G: np.ndarray, D: np.ndarray, E: np.ndarray) -> np.ndarray:
    """tr(D_i G E_j G'), D_i and E_j standing for each level of theirs."""
    k, m = D.shape[1], E.shape[1]
    left = [product(d, G.reshape(-1, k, G.shape[1])).ravel() for d in D]
    rows = G.reshape(-1, m)
    right = [product(rows, e).ravel() for e in E]
    return np.array(left) @ np.array(right).T


def spread(D: Sequence[np.ndarray], g: np.ndarray, slices: Sequence[slice]) -> np.ndarray:
    """h (q, n_entries) with h_i = D_i g, zero outside the entry's own grouping factor."""
    stops = list(accumulate(map(len, D), initial=0))
    h = np.zeros((g.size, stops[-1]))
    for b, (d, s) in enumerate(zip(D, slices, strict=True)):
        k = d.shape[1]
        block = g[s].reshape(-1, k)
        h[s, stops[b] : stops[b + 1]] = (block @ d).transpose(1, 2, 0).reshape(-1, len(d))
    return h
