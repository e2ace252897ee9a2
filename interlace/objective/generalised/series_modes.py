"""Conditional modes of a model with a long series, in time that grows with its length.

The effects of the series at its observed times are D a, a ~ N(0, R) a Markov chain; with the
random effects b_2 = T u_2 of other terms, A = Z blockdiag(D, T) and (a, u_2) the modes solve

    A's = (k, u_2),   a = R k,

and k is what is searched for: neither R nor D need have an inverse. With g = A's - (k, u_2), w_o
the observed information and H as in :mod:`..linear.series_factor` a Newton step is

    (da, du_2) = H^{-1}g,   (dk, du_2) = g - A'W_o A (da, du_2),   |u|^2 = k'a + |u_2|^2.

With v = H^{-1}A'c and m = c - w_o (A v), so that v = (R D Z_1'm, T'Z_2'm), the derivative in a
parameter j of the covariance G = D R D of the series is

    tr(V^{-1} Z_1 G_j Z_1') + (m - s)'Z_1 G_j Z_1's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...covariance.chains import Chains
from ...linalg.crossproducts.weighted import WeightedZ, times_templates
from ...linalg.kernels import _bands
from ..linear.series_factor import SeriesFactor
from .density import ConditionalDensity
from .modes import PenalisedIRLS

__all__ = ["SeriesModes"]

_ONE = np.ones((1, 1))


class SeriesModes(PenalisedIRLS):
    """Modes (k, u_2) by damped Newton, k of the effects of a series.

    These are the first grouping factor of Z, in the order of ``chains``. In place of templates all
    methods take theta of the series followed by the templates of the other grouping factors.
    """

    by_level = False

    def __init__(
        self, Z: WeightedZ, density: ConditionalDensity, expected: bool, chains: Chains
    ) -> None:
        self.Z, self.density, self.chains = Z, density, chains
        self.expected = expected and not density.canonical
        newton = SeriesFactor(Z.cross, chains)
        self._newton: Any = newton
        self._final: Any = newton.fresh() if self.expected else newton
        self.dense_columns, self.backend = newton.dense_columns, newton.name
        n = chains.column.size
        self._n, self._none, self._unit = n, np.zeros(n), np.ones(n)

    # -- the covariance of the effects -----------------------------------------------------------

    def chained(self, theta: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """R k and L'k for k (n_1,) or (n_1, m)."""
        columns = k.reshape(self._n, -1)
        X, K = np.array(columns, order="C"), np.empty(columns.shape)
        if columns.size:
            r = self.chains.steps(theta).r
            _bands.smooth(self._none, r, self._unit, self._unit, X, K)
        return X.reshape(k.shape), K.reshape(k.shape)

    def primal(self, T: Sequence[np.ndarray], u: np.ndarray) -> np.ndarray:
        """(a, u_2) of (k, u_2)."""
        return np.concatenate([self.chained(T[0], u[: self._n])[0], u[self._n :]])

    def spread(self, T: Sequence[np.ndarray], v: np.ndarray) -> np.ndarray:
        """The effects (D a, T u_2) of (a, u_2), (q,) or (q, m)."""
        return self._by_factor(T, [t.T for t in T[1:]], v)

    def pulled(self, T: Sequence[np.ndarray], R: np.ndarray) -> np.ndarray:
        """A's for Z's, (q,) or (q, m)."""
        return self._by_factor(T, T[1:], R)

    def _by_factor(
        self, T: Sequence[np.ndarray], tail: Sequence[np.ndarray], R: np.ndarray
    ) -> np.ndarray:
        out = times_templates(self.Z, [_ONE, *tail], R)
        scale = self.chains.scales(T[0])
        out[: self._n] *= scale if R.ndim == 1 else scale[:, None]
        return out

    def covariance_times(self, T: Sequence[np.ndarray], q: np.ndarray) -> np.ndarray:
        """Lambda Lambda'q, (q,)."""
        return self.spread(T, self.primal(T, self.pulled(T, q)))

    def rows_of(self, effects: np.ndarray) -> np.ndarray:
        """Z times effects (q,)."""
        return self.Z.times([np.eye(k) for k in self.Z.widths], effects)

    # -- what the search asks for ----------------------------------------------------------------

    def _effects(self, T: Sequence[np.ndarray], u: np.ndarray) -> tuple[np.ndarray, float]:
        primal = self.primal(T, u)
        return self._moved_rows(T, primal), float(primal @ u)

    def _pulled(self, T: Sequence[np.ndarray], R: np.ndarray) -> np.ndarray:
        return self.pulled(T, R)

    def _moved_rows(self, T: Sequence[np.ndarray], v: np.ndarray) -> np.ndarray:
        own = v.copy()
        own[: self._n] *= self.chains.scales(T[0])
        return self.Z.times([_ONE, *T[1:]], own)

    def _newton_step(
        self, g: np.ndarray, weight: np.ndarray, T: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, float]:
        primal = self._newton.solve(g)
        change = self.density.moved_scores(weight, self._moved_rows(T, primal))
        return g - self.pulled(T, self.Z.transposed(change)), float(g @ primal)

    def _refactor(self, factor: Any, w: np.ndarray, T: Sequence[np.ndarray]) -> None:
        factor.set_cross(self.Z.set_weights(w))
        factor.refactor(T[0], T[1:])

    def _row_variances(self, T: Sequence[np.ndarray]) -> np.ndarray:
        blocks, pairs = self._final.inverse()
        scale = self.chains.scales(T[0])
        blocks[0] = blocks[0] * (scale**2)[:, None, None]
        for key, pair in self.Z.cross.pairs.items():
            if not key[0]:
                each = np.repeat(scale, np.diff(pair.indptr))
                pairs[key] = np.ascontiguousarray(pairs[key] * each[:, None, None])
        return self.Z.quadratic([_ONE, *T[1:]], blocks, pairs)

    def _template_gradient(self, T, u, v, Zs, t) -> list[np.ndarray]:
        Z, n, final = self.Z, self._n, self._final
        Zt = Z.transposed(t)
        S = None if final.tail is None else final.tail_blocks()
        out = [final.slopes(S) + self._series_gradient(T[0], u[:n], v[:n], Zs[:n], Zt[:n])]
        for b, template in enumerate(T[1:], 1):
            out.append(self._entry_gradient(b, template, final.information(b - 1), u, v, Zs, Zt))
        return out

    def _series_gradient(self, theta, k, a_v, q, Zt) -> np.ndarray:
        """(m - s)'Z_1 G_j Z_1's; k, a of s and those of v, m = t + 2 s."""
        steps, beyond = self.chains.steps(theta), Zt + q
        x = steps.scale * (beyond + q) - k
        (a, a_x), (kappa, kappa_x) = (part.T for part in self.chained(theta, np.array([k, x]).T))
        scale = self.chains.by_scale(beyond * a + q * (a_v - a))
        both = kappa_x[1:] * a[:-1] + a_x[:-1] * kappa[1:]
        return np.append(scale, steps.v_slope @ (kappa * kappa_x) + steps.r_slope[1:] @ both)

    # -- elsewhere -------------------------------------------------------------------------------

    def information(self, b: int) -> np.ndarray:
        return self._final.information(b - 1)

    def inverse_blocks(self, b: int) -> np.ndarray:
        return self._final.inverse()[0][b]

    def random_part(self, T: Sequence[np.ndarray], u: np.ndarray) -> np.ndarray:
        return self._effects(T, u)[0]

    def blocks_of(self, w: np.ndarray, T: Sequence[np.ndarray]) -> list[np.ndarray]:
        factor = self._newton.fresh()
        self._refactor(factor, w, T)
        return factor.inverse()[0]
