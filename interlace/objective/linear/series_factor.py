"""Factors of V for one long series beside other random effects: one pass over their times.

The effects of the series at their n_1 observed times are D a, a a chain with the correlation matrix
R = L diag(v) L' (:mod:`interlace.covariance.chains`); Z_1 has one of them for each row, and
A = Z_1'WZ_1 is diagonal. The other random effects, Z_2 with templates T, are the tail. With
P = R^{-1} + D A D and, for columns F,

    X = P^{-1} D Z_1'WF,   G = Z_1'WF - A D X,   K = L'D G                       (n_1, r)
    V_1 = W^{-1} + Z_1 D R D Z_1',   log|V_1 W| = log|RP|
    F'V_1^{-1}F = F'WF - (D Z_1'WF)'X,   M_2 = T'Z_2'V_1^{-1}Z_2 T + I

X is what a Kalman smoother gives; neither R^{-1} nor D^{-1} is needed, and standard deviations of
zero or correlations of one are ordinary. The posterior precision of (a, u_2) is

    H = [P, D Z_1'WZ_2 T; ., T'Z_2'WZ_2 T + I],   log|H| = log|RP| + log|M_2| - log|R|
    cov(a) = P^{-1} + X_2 S X_2',   cov(a, b_2) = -X_2 S,   S = T M_2^{-1} T'

with X_2 the columns of X for F = Z_2.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Self

import numpy as np
from scipy.linalg import block_diag

from ...covariance.chains import Bridge, Chains
from ...errors import NumericalError
from ...linalg.crossproducts.blocks import ZCross
from ...linalg.crossproducts.weighted import times_templates
from ...linalg.factor.choose import choose_factor
from ...linalg.kernels import _bands
from .series_tail import Tail

__all__ = ["SeriesFactor"]

# Columns from which on products of all rows are left to BLAS.
FEW_COLUMNS = 16


class SeriesFactor:
    """V_1 and M_2 at some theta of the series and templates of the tail.

    ``whole`` is Z'WZ with the effects of the series, in the order of ``chains``, as its first
    grouping factor; their column of Z is multiplied by ``root``. `refactor` first; the rest refers
    to its parameters. One user in one thread; ``fresh`` makes another.
    """

    name = "series"
    dense_columns = 0

    def __init__(self, whole: ZCross, chains: Chains, root: float = 1.0) -> None:
        self.chains, self._root = chains, root
        self.tail = Tail(whole, chains.starts) if len(whole.widths) > 1 else None
        self._factor = None if self.tail is None else choose_factor(self.tail.z)
        self.set_cross(whole)

    def fresh(self) -> Self:
        """Another one of the same patterns; `set_cross` must follow where the values may change."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        if self._factor is not None:
            other.tail = copy(self.tail)
            other._factor = self._factor.fresh()
        return other

    def set_cross(self, whole: ZCross) -> None:
        """Take new values of Z'WZ; `refactor` must follow."""
        self._A = whole.diagonal[0][:, 0, 0] * self._root**2
        self._F = np.zeros((self._A.size, 0))
        if self.tail is not None:
            self.tail.read(whole)
            self._F = np.ascontiguousarray(self.tail.columns * self._root)

    def refactor(self, theta: np.ndarray, T: Sequence[np.ndarray]) -> None:
        """Factorise at theta of the series and templates of the tail.

        Raises
        ------
        NumericalError
            If a precision is not positive definite.
        """
        DF = self._filtered(theta)
        if self.tail is None:
            return
        self._T = self.tail.templates(T)
        self._refactor_tail(self._products(DF))

    def _filtered(self, theta: np.ndarray) -> np.ndarray:
        """D Z_1'WF, with X and K of it."""
        self.steps = steps = self.chains.steps(theta)
        self._h = self._A * steps.scale**2
        self._p, self._f = np.empty(self._h.size), np.empty(self._h.size)
        self.logdet = _bands.filter(self._h, steps.r, steps.v, self._p, self._f)
        if not np.isfinite(self.logdet):
            raise NumericalError(
                "the precision of the series is not positive definite at these covariance "
                "parameters; start nearer to a standard deviation of 1"
            )
        DF = self._F * steps.scale[:, None]
        self._X, self._K = self._smoothed(DF)
        return DF

    def _smoothed(self, F: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """P^{-1}F and L'(F - D A D P^{-1}F) for F (n_1, m)."""
        X, K = F.copy(), np.empty_like(F)
        if F.shape[1]:
            _bands.smooth(self._h, self.steps.r, self._p, self._f, X, K)
        return X, K

    def _products(self, DF: np.ndarray) -> np.ndarray:
        """(D Z_1'WF)'X of each group, (g, r, r)."""
        assert self.tail is not None
        if not self.tail.nested:
            return (DF.T @ self._X)[None]
        products = np.empty((len(self.tail.starts) - 1, DF.shape[1], DF.shape[1]))
        _bands.products(self.tail.starts, DF, self._X, products)
        return products

    def _refactor_tail(self, products: np.ndarray) -> ZCross:
        """M_2 for ``products`` of the columns of the tail; Z_2'V_1^{-1}Z_2."""
        assert self.tail is not None and self._factor is not None
        z = self.tail.less(products)
        self._factor.set_cross(z)
        self._factor.refactor(self._T)
        self.logdet += self._factor.logdet
        return z

    def solve(self, R: np.ndarray) -> np.ndarray:
        """H^{-1}R, of (a, u_2), for R (q,) or (q, m)."""
        columns = R.reshape(len(R), -1)
        n = self._A.size
        own = self._smoothed(columns[:n])[0]
        if self.tail is None:
            return own.reshape(R.shape)
        assert self._factor is not None
        z, T = self.tail.z, self._T
        taken = self.tail.sums(self._group_products(columns[:n]))
        tail = self._factor.solve(columns[n:] - times_templates(z, T, taken))
        own -= self._of_groups(self._X, self.tail.met(times_templates(z, [t.T for t in T], tail)))
        return np.concatenate([own, tail]).reshape(R.shape)

    def _group_products(self, R: np.ndarray) -> np.ndarray:
        """X'R of each group, (g, r, m), for R (n_1, m)."""
        assert self.tail is not None
        if len(self.tail.starts) == 2:
            return (self._X.T @ R)[None]
        products = self._X[:, :, None] * R[:, None, :]
        return np.add.reduceat(products, self.tail.starts[:-1], axis=0)

    def _of_groups(self, rows: np.ndarray, blocks: np.ndarray) -> np.ndarray:
        """Rows (n_1, r) times the block (g, r, m) of their group, (n_1, m)."""
        if len(blocks) == 1:
            return rows @ blocks[0]
        assert self.tail is not None
        each = np.repeat(blocks, np.diff(self.tail.starts), axis=0)
        return np.einsum("ij,ijk->ik", rows, each)

    def inverse(self) -> tuple[list[np.ndarray], dict[tuple[int, int], np.ndarray]]:
        """Covariances (a, u_2) as `Factor.inverse_blocks` and `inverse_pairs` have them."""
        states, tail = self._spread()[1], self.tail
        if tail is None:
            return [states[:, None, None]], {}
        assert self._factor is not None
        if tail.nested:
            blocks = [self._factor.inverse_blocks(b) for b in range(len(self._T))]
            later = self._factor.inverse_pairs() if tail.z.pairs else {}
            inner = tail.met_blocks(blocks, later)
        else:
            inner = self._factor.inverse_blocks(0)
            blocks, later = tail.cut(inner[0])
        left = block_diag(*self._T) @ inner  # T M_2^{-1} of the levels that a group meets
        beside = self._of_groups(self._X, left)
        states = states + np.einsum("ij,ij->i", beside @ block_diag(*self._T).T, self._X)
        pairs = {(b + 1, c + 1): values for (b, c), values in later.items()}
        for b, values in enumerate(tail.beside(-beside)):
            pairs[0, b + 1] = values
        return [states[:, None, None], *blocks], pairs

    def information(self, b: int) -> np.ndarray:
        """sum_l Z_l'V^{-1}Z_l of factor b of the tail, (k, k)."""
        assert self.tail is not None and self._factor is not None
        if self.tail.nested:
            return self._factor.information(b)
        whole, own, k = self._factor.information(0), self.tail.slices[b], self.tail.widths[b]
        return np.einsum("lalb->ab", whole[own, own].reshape(-1, k, self.tail.n_levels[b], k))

    def slopes(self, omega: np.ndarray | None) -> np.ndarray:
        """tr(V_1^{-1}V_j) - tr(omega F'V_1^{-1}V_jV_1^{-1}F) of the parameters of the series."""
        steps = self.steps
        innovations, states, between = self._spread()
        states = self._A * steps.scale * states
        if omega is not None:
            of_k, of_x, of_both = self._contracted(omega)
            innovations, states, between = innovations - of_k, states - of_x, between - of_both
        chain = steps.v_slope @ innovations + 2.0 * steps.r_slope @ between
        return np.append(self.chains.by_scale(2.0 * states), chain)

    def chain_variances(self, bridge: Bridge) -> np.ndarray:
        """Variances of a given the tail, relative to the residual one, (m,)."""
        steps, n = self.steps, self._A.size
        innovations, states, _ = self._spread()
        beside = np.zeros(n)  # with the effect before
        filtered = self._p[:-1] * self._f[:-1]
        beside[1:] = steps.r[1:] * filtered * (1.0 - self._p[1:] * innovations[1:])
        before, after, left, right, v = bridge
        apart = np.where(after > before, beside[after], 0.0)
        squares = left**2 * states[before] + right**2 * states[after]
        return squares + 2.0 * left * right * apart + v

    def _spread(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(L'EL)_ii, (P^{-1})_ii and (L'ER)_{i,i-1} of the effects, (n_1,) each."""
        innovations, states, between = (np.empty(self._A.size) for _ in range(3))
        _bands.spread(self._h, self.steps.r, self._p, self._f, innovations, states, between)
        return innovations, states, between

    def through_tail(self) -> np.ndarray:
        """The rows of P^{-1} D Z_1'Z_2 for the levels that a series meets, (n_1, r)."""
        return self._X[:, : 0 if self.tail is None else self.tail.columns.shape[1]]

    def tail_blocks(self) -> np.ndarray:
        """S of the levels of the tail that each group meets, (g, r, r)."""
        assert self.tail is not None and self._factor is not None
        pairs = self._factor.inverse_pairs() if self.tail.z.pairs else {}
        blocks = [self._factor.inverse_blocks(b) for b in range(len(self._T))]
        inner, T = self.tail.met_blocks(blocks, pairs), block_diag(*self._T)
        return T @ inner @ T.T

    def level_blocks(self, b: int) -> np.ndarray:
        """S of each level of factor b of the tail, (l_b, k_b, k_b)."""
        assert self.tail is not None and self._factor is not None
        if self.tail.nested:
            return self._T[b] @ self._factor.inverse_blocks(b) @ self._T[b].T
        own, k = self.tail.slices[b], self.tail.widths[b]
        whole = self.tail_blocks()[0][own, own].reshape(-1, k, self.tail.n_levels[b], k)
        return np.einsum("lalb->lab", whole)

    def tail_solve(self, w: np.ndarray) -> np.ndarray:
        """w'Sw of columns w (q, m), (m,)."""
        assert self.tail is not None and self._factor is not None
        star = times_templates(self.tail.z, self._T, w)
        return np.einsum("qm,qm->m", star, self._factor.solve(star))

    @property
    def _G(self) -> np.ndarray:
        """Z_1'V_1^{-1}F, (n_1, r)."""
        return self._F - (self._A * self.steps.scale)[:, None] * self._X

    def _contracted(self, omega: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """k'Wk, x'Wg and k_i'Wx_{i-1} of the effects, (n_1,) each."""
        X, K, G = self._X, self._K, self._G
        if len(omega) == 1 and X.shape[1] > FEW_COLUMNS:
            WK, between = K @ omega[0], np.zeros(len(X))
            np.einsum("ij,ij->i", WK[1:], X[:-1], out=between[1:])
            of_x = np.einsum("ij,ij->i", X @ omega[0], G)
            return np.einsum("ij,ij->i", WK, K), of_x, between
        starts = np.array([0, len(X)]) if self.tail is None else self.tail.starts
        of_k, of_x, between = (np.empty(len(X)) for _ in range(3))
        _bands.contract(starts, X, K, G, np.ascontiguousarray(omega), of_k, of_x, between)
        return of_k, of_x, between
