"""V^{-1} of a linear model with long series: one pass over their times, whatever their length.

The effects of the series at their n_1 observed times are D a, a a chain with the correlation matrix
R = L diag(v) L' (:mod:`interlace.covariance.chains`); Z_1 has one of them for each row, and
A = Z_1'WZ_1 is diagonal. The other random effects, Z_2 with templates T, are the tail. With
F = [Z_2 X y], P = R^{-1} + D A D and

    X = P^{-1} D Z_1'F,   G = Z_1'F - A D X,   K = L'D G                         (n_1, r)
    V_1 = I + Z_1 D R D Z_1',   log|V_1| = log|RP|
    F'V_1^{-1}F = F'F - (D Z_1'F)'X

the tail sees a model of its own in which V_1 stands for I, and an existing factorisation serves
it: U = M_2^{-1}T'Z_2'V_1^{-1}[X y]. X is what a Kalman smoother gives; neither R^{-1} nor D^{-1} is
needed, and standard deviations of zero or correlations of one are ordinary.

Derivatives, of a parameter j of r and v (V_j = Z_1 D R_j D Z_1') and of one of D (D_j = dD), are
sums over effects i. With E = D Z_1'V_1^{-1}Z_1 D,

    F'V_1^{-1}V_jV_1^{-1}F = sum dv_i k_i k_i' + dr_i (k_i x_{i-1}' + x_{i-1} k_i')
    tr(V_1^{-1}V_j)        = sum dv_i (L'EL)_ii + 2 dr_i (L'ER)_{i,i-1}
    of D: sum dD_i (g_i x_i' + x_i g_i')   and   sum 2 dD_i D_i A_i (P^{-1})_ii

All of V differs from V_1 by the tail: with S = T M_2^{-1} T' and W = [-T U; I],

    tr(V^{-1}V_j) = tr(V_1^{-1}V_j) - tr(S Z_2'V_1^{-1}V_jV_1^{-1}Z_2)
    [X y]'V^{-1} = W'F'V_1^{-1}

The blocks of S and W that a series needs are those of the levels of the tail that it meets.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from scipy.linalg import block_diag

from ...covariance.chains import Bridge, Chains
from ...errors import NumericalError
from ...linalg.crossproducts.blocks import PairBlocks, ZCross
from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.factor.choose import choose_factor
from ...linalg.kernels import _bands
from ...linalg.threads import single_threaded
from .marginal import outer_sums

__all__ = ["SeriesMarginal", "Tail"]


# Columns from which on products of all rows are left to BLAS.
FEW_COLUMNS = 16


class Tail:
    """The other random effects: which of their levels each series meets.

    Where every series lies in one level of each of them the blocks of Z_2'V_1^{-1}Z_2 are those of
    Z_2'WZ_2. Otherwise all of them are taken as one level with all columns.

    Attributes
    ----------
    starts : (g + 1,) int64 ndarray
        Where the groups of effects begin that meet the same levels: series, or one for all.
    levels : list of (g,) int ndarray
        Level of each factor of ``z`` that a group meets.
    z : ZCross
        Z_2'WZ_2 by these levels.
    columns : (n_1, r) ndarray
        Z_1'WZ_2 of the levels that an effect's group meets.
    """

    def __init__(self, cross: CrossProducts, starts: np.ndarray, root: float) -> None:
        whole = cross.z
        self.n_levels, self.widths = whole.n_levels[1:], whole.widths[1:]
        sizes = [levels * k for levels, k in zip(self.n_levels, self.widths, strict=True)]
        ends = list(accumulate(sizes, initial=0))
        self.slices = [slice(*at) for at in zip(ends[:-1], ends[1:], strict=True)]
        pairs = [whole.pairs[0, b] for b in range(1, len(whole.widths))]
        levels = [_level_of_each(pair, starts) for pair in pairs]
        self.nested = all(of is not None for of in levels)
        later = {(b - 1, c - 1): pair for (b, c), pair in whole.pairs.items() if b}
        z = ZCross(self.n_levels, self.widths, whole.diagonal[1:], later)
        if self.nested:
            self.starts = starts
            self.levels = [of for of in levels if of is not None]
            self.z = z
            parts = [pair.values[:, 0, :] for pair in pairs]
        else:
            self.starts = np.array([0, starts[-1]])
            self.levels = [np.zeros(1, dtype=np.intp)]
            self.z = ZCross((1,), (ends[-1],), (z.matrix().toarray()[None],), {})
            parts = [_spread(pair, n) for pair, n in zip(pairs, sizes, strict=True)]
        self.columns = np.concatenate(parts, axis=1) * root
        self.places = {
            key: _places(pair, self.levels[key[0]], self.levels[key[1]])
            for key, pair in self.z.pairs.items()
        }
        starts_of = list(accumulate(self.z.widths, initial=0))
        self.own = [slice(*at) for at in zip(starts_of[:-1], starts_of[1:], strict=True)]

    def templates(self, T: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The templates of the factors of ``z``."""
        if self.nested:
            return list(T)
        return [block_diag(*(t for t, n in zip(T, self.n_levels, strict=True) for _ in range(n)))]

    def less(self, products: np.ndarray) -> ZCross:
        """``z`` less the products (g, r, r) of the groups."""
        diagonal = []
        for A, of, own in zip(self.z.diagonal, self.levels, self.own, strict=True):
            A = A.copy()
            np.subtract.at(A, of, products[:, own, own])
            diagonal.append(A)
        pairs = {}
        for (b, c), pair in self.z.pairs.items():
            values = pair.values.copy()
            np.subtract.at(values, self.places[b, c], products[:, self.own[b], self.own[c]])
            pairs[b, c] = PairBlocks(pair.indptr, pair.indices, values)
        return ZCross(self.z.n_levels, self.z.widths, tuple(diagonal), pairs)

    def sums(self, products: np.ndarray) -> np.ndarray:
        """Products (g, r, m) of the groups added up by level, stacked, (q, m)."""
        out = []
        for n, k, of, own in zip(
            self.z.n_levels, self.z.widths, self.levels, self.own, strict=True
        ):
            total = np.zeros((n, k, products.shape[2]))
            np.add.at(total, of, products[:, own])
            out.append(total.reshape(n * k, -1))
        return np.concatenate(out) if out else np.zeros((0, products.shape[2]))

    def met(self, stacked: np.ndarray) -> np.ndarray:
        """Rows (q, m) of the levels that each group meets, (g, r, m)."""
        out, offsets = [], self.z.offsets
        for b, (n, k, of) in enumerate(zip(self.z.n_levels, self.z.widths, self.levels)):
            out.append(stacked[offsets[b] : offsets[b + 1]].reshape(n, k, -1)[of])
        if not out:
            return np.zeros((len(self.starts) - 1, 0, stacked.shape[1]))
        return np.concatenate(out, axis=1)

    def met_blocks(
        self, diagonal: Sequence[np.ndarray], pairs: dict[tuple[int, int], np.ndarray]
    ) -> np.ndarray:
        """Blocks of a matrix on the pattern of ``z`` for the levels of each group, (g, r, r)."""
        r = sum(self.z.widths)
        out = np.empty((len(self.starts) - 1, r, r))
        for block, of, own in zip(diagonal, self.levels, self.own, strict=True):
            out[:, own, own] = block[of]
        for (b, c), block in pairs.items():
            values = block[self.places[b, c]]
            out[:, self.own[b], self.own[c]] = values
            out[:, self.own[c], self.own[b]] = values.transpose(0, 2, 1)
        return out


def _level_of_each(pair: PairBlocks, starts: np.ndarray) -> np.ndarray | None:
    """The one level that each series meets, (g,), or None."""
    if len(pair.indices) != len(pair.indptr) - 1:
        return None
    first = pair.indices[starts[:-1]]
    return first if np.array_equal(np.repeat(first, np.diff(starts)), pair.indices) else None


def _spread(pair: PairBlocks, size: int) -> np.ndarray:
    """Z_1'WZ_b as a dense matrix, (n_1, size)."""
    k = pair.values.shape[2]
    out = np.zeros((len(pair.indptr) - 1, size // k, k))
    out[pair.rows, pair.indices] = pair.values[:, 0]
    return out.reshape(len(out), size)


def _places(pair: PairBlocks, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Which block of a pair of factors the levels of each group have."""
    n = int(pair.indices.max(initial=0)) + 1
    return np.searchsorted(pair.rows * n + pair.indices, left.astype(np.int64) * n + right)


class SeriesMarginal:
    """The products with V^{-1} at some theta of the series and templates of the tail.

    ``update`` first; the rest refers to its parameters. One user in one thread; ``fresh`` makes
    another. The effects of the series are the first grouping factor of ``cross``, in the order of
    ``chains``.
    """

    backend = "series"
    dense_columns = 0

    def __init__(self, cross: CrossProducts, chains: Chains) -> None:
        self.cross, self.chains = cross, chains
        self._root = float(cross.z_roots[0][0, 0])
        self._A = cross.z.diagonal[0][:, 0, 0] * self._root**2
        self.tail = Tail(cross, chains.starts, self._root) if len(cross.ZXy) > 1 else None
        self._factor = None if self.tail is None else choose_factor(self.tail.z)
        self._set_response()

    def __reduce__(self) -> tuple:
        return type(self), (self.cross, self.chains)

    def _set_response(self) -> None:
        parts = [self.cross.ZXy[0][:, 0, :] * self._root]
        if self.tail is not None:
            parts.insert(0, self.tail.columns)
        self._F = np.ascontiguousarray(np.concatenate(parts, axis=1))
        later = [zxy.reshape(-1, zxy.shape[2]) for zxy in self.cross.ZXy[1:]]
        self._ZXy = np.concatenate(later) if later else np.zeros((0, self.cross.p + 1))

    def fresh(self) -> SeriesMarginal:
        """Another one of the same data; ``update`` must follow."""
        other = object.__new__(SeriesMarginal)
        other.__dict__.update(self.__dict__)
        if self._factor is not None:
            other._factor = self._factor.fresh()
        return other

    def with_cross(self, cross: CrossProducts) -> SeriesMarginal:
        """``fresh`` for another response."""
        other = self.fresh()
        other.cross = cross
        other._set_response()
        return other

    def renewed(self, cross: CrossProducts) -> SeriesMarginal:
        """``fresh`` for other values of the same rows."""
        return SeriesMarginal(cross, self.chains)

    def reread(self) -> None:
        """Copy again what is kept of the response's sums in ``cross``."""
        self._set_response()

    # -- at some parameters -----------------------------------------------------------------

    @single_threaded
    def update(self, theta: np.ndarray, T: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        """log|V| and [X y]'V^{-1}[X y] (m, m)."""
        self.steps = steps = self.chains.steps(theta)
        self._h = self._A * steps.scale**2
        self._p, self._f = np.empty(self._h.size), np.empty(self._h.size)
        logdet = _bands.filter(self._h, steps.r, steps.v, self._p, self._f)
        if not np.isfinite(logdet):
            raise NumericalError(
                "the precision of the series is not positive definite at these covariance "
                "parameters; start nearer to a standard deviation of 1"
            )
        DF = self._F * steps.scale[:, None]
        self._X, self._K = DF.copy(), np.empty_like(DF)
        _bands.smooth(self._h, steps.r, self._p, self._f, self._X, self._K)
        if self.tail is None:
            self._W = np.eye(DF.shape[1])[None]
            corner = self.cross.XyXy - DF.T @ self._X
            return logdet, 0.5 * (corner + corner.T)
        return self._with_tail(self.tail, DF, T, logdet)

    def _with_tail(
        self, tail: Tail, DF: np.ndarray, T: Sequence[np.ndarray], logdet: float
    ) -> tuple[float, np.ndarray]:
        m, factor = self.cross.p + 1, self._factor
        assert factor is not None
        if tail.nested:
            products = np.empty((len(tail.starts) - 1, DF.shape[1], DF.shape[1]))
            _bands.products(tail.starts, DF, self._X, products)
        else:
            products = (DF.T @ self._X)[None]
        z, ZXy = tail.less(products), self._ZXy - tail.sums(products[:, :-m, -m:])
        self._T = tail.templates(T)
        factor.set_cross(z)
        factor.refactor(self._T)
        R = _by_level(ZXy, z, [t.T for t in self._T])
        U = factor.solve(R)
        self._V = _by_level(U, z, self._T)  # Lambda U
        self._B = ZXy - z.matrix() @ self._V
        W = tail.met(-self._V)
        self._W = np.concatenate([W, np.broadcast_to(np.eye(m), (len(W), m, m))], axis=1)
        corner = self.cross.XyXy - products[:, -m:, -m:].sum(axis=0) - R.T @ U
        return logdet + factor.logdet, 0.5 * (corner + corner.T)

    def level_sums(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        """sum_l Z_l'V^{-1}Z_l (k, k) and sum_l B_l (x) B_l of factor b of the tail."""
        tail, factor = self.tail, self._factor
        assert tail is not None and factor is not None
        k = tail.widths[b]
        if tail.nested:
            G = factor.information(b)
        else:
            whole, own = factor.information(0), tail.slices[b]
            G = np.einsum("lalb->ab", whole[own, own].reshape(-1, k, tail.n_levels[b], k))
        return G, outer_sums(self.projected(b))

    def projected(self, b: int) -> np.ndarray:
        """Z_b'V^{-1}[X y] of factor b of the tail, (l_b, k_b, m)."""
        assert self.tail is not None
        return self._B[self.tail.slices[b]].reshape(-1, self.tail.widths[b], self._B.shape[1])

    def modes(self, c: np.ndarray) -> np.ndarray:
        """R D Z_1'V^{-1}[X y]c, (n_1,): the modes of a for the residual of coefficients."""
        return self._of_rows(self._X) @ c

    def _of_rows(self, rows: np.ndarray) -> np.ndarray:
        """Rows (n_1, r) of F combined to those of [X y] less the tail's effects, (n_1, m)."""
        if len(self._W) == 1:
            return rows @ self._W[0]
        assert self.tail is not None
        W = np.repeat(self._W, np.diff(self.tail.starts), axis=0)
        return np.einsum("ij,ijk->ik", rows, W)

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
        return self._X[:, : self._X.shape[1] - self.cross.p - 1]

    def fixed_modes(self) -> tuple[np.ndarray, np.ndarray]:
        """What a (n_1, m) and the effects of the tail (q, m) are for [X y] in place of y."""
        return self._of_rows(self._X), getattr(self, "_V", np.zeros((0, self.cross.p + 1)))

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
        star = _by_level(w, self.tail.z, [t.T for t in self._T])
        return np.einsum("qm,qm->m", star, self._factor.solve(star))

    @property
    def _G(self) -> np.ndarray:
        """Z_1'V_1^{-1}F, (n_1, r)."""
        return self._F - (self._A * self.steps.scale)[:, None] * self._X

    @single_threaded
    def gradient(self, Q: np.ndarray) -> np.ndarray:
        """tr(V^{-1}V_j) - tr(Q [X y]'V^{-1}V_jV^{-1}[X y]) of the parameters of the series."""
        steps, A = self.steps, self._A
        innovations, states, between = self._spread()
        of_k, of_x, of_both = self._contracted(self._omega(Q))
        scale = self.chains.by_scale(2.0 * (A * steps.scale * states - of_x))
        chain = steps.v_slope @ (innovations - of_k) + 2.0 * steps.r_slope @ (between - of_both)
        return np.append(scale, chain)

    def _omega(self, Q: np.ndarray) -> np.ndarray:
        """S of the levels that each group meets, plus WQW', (g, r, r)."""
        omega = self._W @ Q @ self._W.transpose(0, 2, 1)
        if self.tail is not None:
            S = self.tail_blocks()
            omega[:, : S.shape[1], : S.shape[1]] += S
        return omega

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

    def moments(self) -> np.ndarray:
        """[X y]'V^{-1}V_jV^{-1}[X y] of the parameters of the series, (n_theta, m, m)."""
        steps = self.steps
        X, K, G = (self._of_rows(rows) for rows in (self._X, self._K, self._G))
        side = K[1:].T @ (steps.r_slope[1:, None] * X[:-1])
        chain = K.T @ (steps.v_slope[:, None] * K) + side + side.T
        scale = np.array([[self.chains.by_scale(g * x) for x in X.T] for g in G.T])
        scale = scale.transpose(2, 0, 1)
        return np.concatenate([scale + scale.transpose(0, 2, 1), chain[None]])


def _by_level(rows: np.ndarray, z: ZCross, T: Sequence[np.ndarray]) -> np.ndarray:
    """Each level's rows of (q, m) multiplied by the template of its factor."""
    out = np.empty_like(rows)
    for b, t in enumerate(T):
        own = slice(z.offsets[b], z.offsets[b + 1])
        out[own] = (t @ rows[own].reshape(-1, len(t), rows.shape[1])).reshape(-1, rows.shape[1])
    return out
