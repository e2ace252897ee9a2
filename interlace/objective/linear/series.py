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
from typing import Self

import numpy as np

from ...covariance.chains import Chains
from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.crossproducts.weighted import times_templates
from ...linalg.threads import single_threaded
from .marginal import outer_sums
from .series_factor import SeriesFactor

__all__ = ["SeriesMarginal"]


class SeriesMarginal(SeriesFactor):
    """The products with V^{-1} at some theta of the series and templates of the tail.

    ``update`` first; the rest refers to its parameters. One user in one thread; ``fresh`` makes
    another. The effects of the series are the first grouping factor of ``cross``, in the order of
    ``chains``.
    """

    backend = "series"

    def __init__(self, cross: CrossProducts, chains: Chains) -> None:
        self.cross = cross
        super().__init__(cross.z, chains, float(cross.z_roots[0][0, 0]))
        self._set_response()

    def __reduce__(self) -> tuple:
        return type(self), (self.cross, self.chains)

    def _set_response(self) -> None:
        parts = [self.cross.ZXy[0][:, 0, :] * self._root]
        if self.tail is not None:
            parts.insert(0, self.tail.columns * self._root)
        self._F = np.ascontiguousarray(np.concatenate(parts, axis=1))
        later = [zxy.reshape(-1, zxy.shape[2]) for zxy in self.cross.ZXy[1:]]
        self._ZXy = np.concatenate(later) if later else np.zeros((0, self.cross.p + 1))

    def with_cross(self, cross: CrossProducts) -> Self:
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
        DF, tail, m = self._filtered(theta), self.tail, self.cross.p + 1
        if tail is None:
            self._W = np.eye(m)[None]
            corner = self.cross.XyXy - DF.T @ self._X
            return self.logdet, 0.5 * (corner + corner.T)
        self._T, factor, products = tail.templates(T), self._factor, self._products(DF)
        assert factor is not None
        z = self._refactor_tail(products)
        ZXy = self._ZXy - tail.sums(products[:, :-m, -m:])
        R = times_templates(z, self._T, ZXy)
        U = factor.solve(R)
        self._V = times_templates(z, [t.T for t in self._T], U)  # Lambda U
        self._B = ZXy - z.matrix() @ self._V
        W = tail.met(-self._V)
        self._W = np.concatenate([W, np.broadcast_to(np.eye(m), (len(W), m, m))], axis=1)
        corner = self.cross.XyXy - products[:, -m:, -m:].sum(axis=0) - R.T @ U
        return self.logdet, 0.5 * (corner + corner.T)

    def level_sums(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        """sum_l Z_l'V^{-1}Z_l (k, k) and sum_l B_l (x) B_l of factor b of the tail."""
        return self.information(b), outer_sums(self.projected(b))

    def projected(self, b: int) -> np.ndarray:
        """Z_b'V^{-1}[X y] of factor b of the tail, (l_b, k_b, m)."""
        assert self.tail is not None
        return self._B[self.tail.slices[b]].reshape(-1, self.tail.widths[b], self._B.shape[1])

    def modes(self, c: np.ndarray) -> np.ndarray:
        """R D Z_1'V^{-1}[X y]c, (n_1,): the modes of a for the residual of coefficients."""
        return self._of_rows(self._X) @ c

    def _of_rows(self, rows: np.ndarray) -> np.ndarray:
        """Rows (n_1, r) of F combined to those of [X y] less the tail's effects, (n_1, m)."""
        return self._of_groups(rows, self._W)

    def fixed_modes(self) -> tuple[np.ndarray, np.ndarray]:
        """What a (n_1, m) and the effects of the tail (q, m) are for [X y] in place of y."""
        return self._of_rows(self._X), getattr(self, "_V", np.zeros((0, self.cross.p + 1)))

    @single_threaded
    def gradient(self, Q: np.ndarray) -> np.ndarray:
        """tr(V^{-1}V_j) - tr(Q [X y]'V^{-1}V_jV^{-1}[X y]) of the parameters of the series."""
        return self.slopes(self._omega(Q))

    def _omega(self, Q: np.ndarray) -> np.ndarray:
        """S of the levels that each group meets, plus WQW', (g, r, r)."""
        omega = self._W @ Q @ self._W.transpose(0, 2, 1)
        if self.tail is not None:
            S = self.tail_blocks()
            omega[:, : S.shape[1], : S.shape[1]] += S
        return omega

    def moments(self) -> np.ndarray:
        """[X y]'V^{-1}V_jV^{-1}[X y] of the parameters of the series, (n_theta, m, m)."""
        steps = self.steps
        X, K, G = (self._of_rows(rows) for rows in (self._X, self._K, self._G))
        side = K[1:].T @ (steps.r_slope[1:, None] * X[:-1])
        chain = K.T @ (steps.v_slope[:, None] * K) + side + side.T
        scale = np.array([[self.chains.by_scale(g * x) for x in X.T] for g in G.T])
        scale = scale.transpose(2, 0, 1)
        return np.concatenate([scale + scale.transpose(0, 2, 1), chain[None]])
