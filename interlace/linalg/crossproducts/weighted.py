"""Z for weights that change: Z'WZ in place, and the other passes over the rows.

A generalised model asks for all of these at every inner step. The pattern, and the place of every
row in it, are found once; no weighted copy of X or Z is ever made. Throughout, Z stands for the
covariates divided by their scales, so that T is comparable between them. An object has work space
of its own: not for several threads at once, each of which takes a `fresh` one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from itertools import accumulate

import numpy as np

from ..factor.base import as_templates
from ..kernels import _centred, _weighted
from ..wide import WIDE, product
from .blocks import ZCross, pair_patterns, zero_blocks

_EMPTY = np.empty(0)


class WeightedZ:
    """Z of some grouping factors, its pattern fixed once, and Z'WZ for weights that change.

    Parameters
    ----------
    factors : sequence
        With level ``codes``, ``levels`` and covariates ``Z`` each; that with most levels first.
    scale : list of (k_b,) float64 arrays, optional
        What each column of Z is divided by; default its root mean square, 1 for a column of zeros.

    Attributes
    ----------
    n, q : int
        Rows, and columns of Z.
    n_levels, widths : tuple of int
        Levels and covariates of each grouping factor.
    offsets : (B + 1,) int64 array
        Where each factor begins among the q columns, level-major within a factor.
    cross : ZCross
        Z'WZ of the last weights; of weights of 1 before any are set. `set_weights` overwrites its
        arrays in place, so a `Factor` that was given them must be refactored before it is asked
        anything else.
    """

    _cross: ZCross | None

    def __init__(self, factors: Sequence, scale: Sequence[np.ndarray] | None = None) -> None:
        self._codes = [np.ascontiguousarray(f.codes, dtype=np.int32) for f in factors]
        self._Z = [f.Z for f in factors]
        self.n = len(self._codes[0])
        self.n_levels = tuple(len(f.levels) for f in factors)
        self.widths = tuple(Z.shape[1] for Z in self._Z)
        if scale is None:
            scale = [root_mean_squares(Z) for Z in self._Z]
        patterns = pair_patterns(self._codes, self.n_levels)
        self._places = {pair: np.empty(self.n, dtype=np.int32) for pair in patterns}
        for (b, c), place in self._places.items():
            _weighted.places(self._codes[b], self._codes[c], *patterns[b, c], place)
        sizes = (levels * width for levels, width in zip(self.n_levels, self.widths))
        self.offsets = np.array([*accumulate(sizes, initial=0)], dtype=np.int64)
        self.q = int(self.offsets[-1])
        self._patterns = patterns
        self._renew(scale)

    @property
    def cross(self) -> ZCross:
        """Z'WZ of the last weights, or of weights of one."""
        return self.set_weights(self._ones()) if self._cross is None else self._cross

    def _blocks(self) -> ZCross:
        """The arrays that Z'WZ is written to, made when they are first wanted."""
        if self._cross is None:
            self._cross = zero_blocks(self.n_levels, self.widths, self._patterns)
        return self._cross

    def _ones(self) -> np.ndarray:
        """Weights of one."""
        return np.ones(self.n)

    def fresh(self, scale: Sequence[np.ndarray] | None = None) -> WeightedZ:
        """The same rows, with other scales if given, and own work space; `set_weights` follows."""
        other = copy(self)
        other._renew(self.scale if scale is None else scale)
        return other

    def _renew(self, scale: Sequence[np.ndarray]) -> None:
        """Allocate the arrays that depend on scales or are written to."""
        self.scale = [np.ascontiguousarray(s, dtype=np.float64) for s in scale]
        self._inverse = [1.0 / s for s in self.scale]
        self._cross = None
        self._wide = {b: Z * self._inverse[b] for b, Z in enumerate(self._Z) if self._is_wide(b)}
        self._effects = [np.empty(sizes) for sizes in zip(self.n_levels, self.widths)]
        self._work = np.empty(2 * max(self.widths))

    def set_weights(self, w: np.ndarray) -> ZCross:
        """Z' diag(w) Z for w (n,), which may be negative in places: `cross`, overwritten."""
        cross, Z, inverse = self._blocks(), self._Z, self._inverse
        for b, A in enumerate(cross.diagonal):
            if self._is_wide(b):
                Zb = self._wide[b]
                A[0] = (Zb * w[:, None]).T @ Zb
                continue
            _weighted.diagonal(self._codes[b], Z[b], inverse[b], w, A)
        for (b, c), place in self._places.items():
            values = cross.pairs[b, c].values
            _weighted.pair(place, Z[b], Z[c], inverse[b], inverse[c], w, values)
        return cross

    def _is_wide(self, b: int) -> bool:
        """Whether all rows share one group of many columns."""
        return self.n_levels[b] == 1 and self.widths[b] > WIDE

    def times(
        self,
        T: Sequence[np.ndarray],
        u: np.ndarray,
        out: np.ndarray | None = None,
        add: bool = False,
    ) -> np.ndarray:
        """Z Λ u, Λ = blockdiag(I ⊗ T_b), for u (q,); written to ``out`` (n,) if given, or added."""
        out = np.empty(self.n) if out is None else out
        for b, t in enumerate(as_templates(T)):
            effects = self._effects[b]
            own = u[self.offsets[b] : self.offsets[b + 1]].reshape(effects.shape)
            _weighted.level_effects(t, self._inverse[b], own, effects)
            _weighted.gather(self._codes[b], self._Z[b], effects, add or b > 0, out)
        return out

    def transposed(self, s: np.ndarray) -> np.ndarray:
        """Z's (q,) for s (n,), or Z'S (q, r) for S (n, r)."""
        if s.ndim == 2:
            return self._scatter_columns(_EMPTY, s)
        out = np.empty(self.q)
        for b, own in enumerate(self._split(out)):
            _weighted.scatter(self._codes[b], self._Z[b], self._inverse[b], s, own)
        return out

    def transposed_weighted_X(
        self, w: np.ndarray, X: np.ndarray, mean: np.ndarray | None = None
    ) -> np.ndarray:
        """Z' diag(w) X, (q, p), without a weighted copy of X; of X less its ``mean`` if given."""
        if mean is None:
            return self._scatter_columns(w, X)
        out = np.empty((self.q, X.shape[1]))
        for b, own in self._columns(out):
            _centred.by_level(self._codes[b], self._Z[b], self._inverse[b], w, X, mean, own)
        return out

    def _scatter_columns(self, w: np.ndarray, S: np.ndarray) -> np.ndarray:
        r = S.shape[1]
        out = np.empty((self.q, r))
        if r == 0:
            return out
        S = np.ascontiguousarray(S)
        for b, own in self._columns(out):
            _weighted.scatter_columns(self._codes[b], self._Z[b], self._inverse[b], w, S, own)
        return out

    def _columns(self, out: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Each factor's rows of (q, r) as (l_b, k_b, r)."""
        for b, (levels, k) in enumerate(zip(self.n_levels, self.widths, strict=True)):
            yield b, out[self.offsets[b] : self.offsets[b + 1]].reshape(levels, k, -1)

    def quadratic(
        self,
        T: Sequence[np.ndarray],
        blocks: Sequence[np.ndarray],
        pairs: Mapping[tuple[int, int], np.ndarray],
    ) -> np.ndarray:
        """h_i = [Z Λ S Λ' Z']_ii, (n,), for a symmetric S given where levels share a row.

        ``blocks`` and ``pairs`` are those of S as `Factor.inverse_blocks` and `inverse_pairs` give.
        """
        h, T, inverse, work = np.empty(self.n), as_templates(T), self._inverse, self._work
        for b, S in enumerate(blocks):
            if self._is_wide(b):
                own = product(self._wide[b], T[b])
                part = np.einsum("ij,ij->i", own @ S[0], own)
                h = h + part if b else part
                continue
            args = (self._codes[b], self._Z[b], inverse[b], T[b], S)
            _weighted.quadratic(*args, b > 0, h, work)
        for (b, c), place in self._places.items():
            _weighted.quadratic_pair(
                place, self._Z[b], self._Z[c], inverse[b], inverse[c], T[b], T[c], pairs[b, c], h,
                work,
            )  # fmt: skip
        return h

    def _split(self, x: np.ndarray) -> list[np.ndarray]:
        """Views (l_b, k_b) of x (q,)."""
        parts = zip(self.n_levels, self.widths, self.offsets, self.offsets[1:])
        return [x[i:j].reshape(levels, k) for levels, k, i, j in parts]


def times_templates(Z: WeightedZ | ZCross, T: Sequence[np.ndarray], R: np.ndarray) -> np.ndarray:
    """Lambda' R for R (q,) or (q, r), with Z's columns scaled."""
    out = np.empty_like(R)
    for b, (t, ell) in enumerate(zip(T, Z.n_levels, strict=True)):
        rows = slice(Z.offsets[b], Z.offsets[b + 1])
        k = len(t)
        if k == 1:
            np.multiply(R[rows], t[0, 0], out=out[rows])
        else:
            block = R[rows].reshape(ell, k, -1)
            out[rows] = np.matmul(t.T, block).reshape(R[rows].shape)
    return out


def root_mean_squares(Z: np.ndarray) -> np.ndarray:
    """Root mean square of each column of Z, (k,); 1 for a zero column."""
    if Z.strides == (0, 0):  # a column of ones, stored as one number
        return np.ones(Z.shape[1])
    mean_square = np.einsum("ij,ij->j", Z, Z) / len(Z)
    return np.sqrt(np.where(mean_square > 0.0, mean_square, 1.0))
