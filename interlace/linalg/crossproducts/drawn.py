"""Responses drawn from a linear model as the sums that its fit needs, none of their rows made.

With columns [Z X] times the roots of the weights, y less X beta is Z b + e, e ~ N(0, sigma^2 I). Of
e the criterion knows g = [Z X]'e and e'e alone. For G = [Z X]'[Z X] of rank r, with z ~ N(0, I_r),

    g = sigma G^{1/2} z,     e'e = sigma^2 (z'z + chi^2_{n - r})

jointly: z are the coordinates of e in the space of the columns, and what is left of e is orthogonal
to them. With one grouping factor Z_l = Q_l R_l and Q_l'e = sigma z_l, and G^{1/2} is needed of what
X has within the levels alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from ...errors import NumericalError
from .linear import CrossProducts, LevelRoots

__all__ = ["DrawnSums", "drawn_sums", "with_own_response"]

# Columns of [Z X] up to which a dense root of G is made, and how many entries of it a row may cost:
# products with it then take no longer than rows would.
MOST_COLUMNS = 1000
ENTRIES_PER_ROW = 20
FEW_ENTRIES = 40_000
# Eigenvalues below this share of the largest, times the number of columns, are rounding.
NOTHING = 1e-15


class _WithoutRows(CrossProducts):
    """Cross-products of a response of which there are no rows."""

    def with_response(self, y: np.ndarray, gamma: np.ndarray | None = None) -> NoReturn:
        raise NumericalError(
            "a drawn response is explained nearly without a residual; refit draws of m.simulate()"
        )

    unexplained = residuals = with_response  # type: ignore[assignment]


def with_own_response(cross: CrossProducts, gamma: np.ndarray) -> CrossProducts:
    """The same cross-products; what holds the response is their own, to be written to.

    ``gamma`` (p,) are the coefficients of the standardised columns that are taken from it.
    """
    kind = _WithoutRows if type(cross) is CrossProducts else type(cross)
    own = kind.__new__(kind)
    own.__dict__.update(cross.__dict__)
    own.standardisation = replace(cross.standardisation, gamma=gamma)
    own.ZXy = [zxy.copy() for zxy in cross.ZXy]
    own.XyXy = cross.XyXy.copy()
    levels = cross.levels
    if levels is not None:
        own.levels = LevelRoots(levels.R, levels.b.copy(), levels.within.copy())
    return own


class DrawnSums(ABC):
    """Sums of many drawn responses; those of one of them are in ``cross``, its arrays its own.

    ``gamma`` (p,) are coefficients of the standardised columns: those of the model drawn from.
    """

    cross: CrossProducts

    def __init__(self, cross: CrossProducts, gamma: np.ndarray) -> None:
        self.cross = with_own_response(cross, gamma)

    @abstractmethod
    def draw(
        self, rng: np.random.Generator, m: int, sigma: float, b: Sequence[np.ndarray]
    ) -> tuple[Any, ...]:
        """Sums of m responses for effects b (m, l_b, k_b) of the standardised columns of Z."""

    @abstractmethod
    def load(self, drawn: tuple[Any, ...], i: int) -> None:
        """Put the sums of response i into ``cross``."""

    def _corner(self, Xy: np.ndarray, yy: float) -> None:
        corner, p = self.cross.XyXy, Xy.size
        corner[p, :p] = corner[:p, p] = Xy
        corner[p, p] = yy


class _OneFactor(DrawnSums):
    """Of one grouping factor: the roots of its levels, and what is within them."""

    def __init__(self, cross: CrossProducts, gamma: np.ndarray) -> None:
        super().__init__(cross, gamma)
        levels = self.cross.levels
        assert levels is not None
        self._levels = levels
        # a level of few rows has no rotation for some columns of Z
        self._turned = (np.einsum("lkk->lk", levels.R) != 0.0).astype(float)
        p = cross.p
        self._root, self._rank = _root(levels.within[:p, :p])
        self._left = cross.n - int(self._turned.sum()) - self._rank

    def draw(self, rng, m, sigma, b):
        R, p = self._levels.R, self.cross.p
        z = rng.standard_normal((m, *self._turned.shape))
        levels = np.einsum("lac,mlc->mla", R, b[0]) + sigma * self._turned * z
        within = rng.standard_normal((m, self._rank))
        rest = _chi_squared(rng, self._left, m)
        ee = sigma**2 * (np.sum(within * within, axis=1) + rest)
        Xe = sigma * within @ self._root.T
        Zy = np.einsum("lca,mlc->mla", R, levels)
        Xy = Xe + np.einsum("lap,mla->mp", self._levels.b[:, :, :p], levels)
        return levels, Xe, ee, Zy, Xy, ee + np.einsum("mla,mla->m", levels, levels)

    def load(self, drawn, i):
        levels, Xe, ee, Zy, Xy, yy = drawn
        own, within, p = self._levels, self._levels.within, Xe.shape[1]
        own.b[:, :, p] = levels[i]
        within[p, :p] = within[:p, p] = Xe[i]
        within[p, p] = ee[i]
        self.cross.ZXy[0][:, :, p] = Zy[i]
        self._corner(Xy[i], yy[i])


class _Dense(DrawnSums):
    """Of any grouping factors, by a dense root of G."""

    def __init__(self, cross: CrossProducts, gamma: np.ndarray) -> None:
        super().__init__(cross, gamma)
        p, q = cross.p, cross.z.q
        self._A = cross.z.matrix()
        self._ZX = np.concatenate([zxy[:, :, :p].reshape(-1, p) for zxy in cross.ZXy])
        G = np.empty((q + p, q + p))
        G[:q, :q] = self._A.toarray()
        G[:q, q:], G[q:, :q] = self._ZX, self._ZX.T
        G[q:, q:] = cross.XyXy[:p, :p]
        self._root, self._rank = _root(G)
        self._left = cross.n - self._rank

    def draw(self, rng, m, sigma, b):
        q, root = len(self._ZX), self._root
        flat = np.concatenate([effects.reshape(m, -1) for effects in b], axis=1)
        z = rng.standard_normal((m, self._rank))
        Ze = sigma * z @ root[:q].T
        Zb = (self._A @ flat.T).T
        Xy = sigma * z @ root[q:].T + flat @ self._ZX
        ee = sigma**2 * (np.sum(z * z, axis=1) + _chi_squared(rng, self._left, m))
        yy = ee + np.einsum("mq,mq->m", flat, Zb + 2.0 * Ze)
        return Ze + Zb, Xy, yy

    def load(self, drawn, i):
        Zy, Xy, yy = drawn
        offsets = self.cross.z.offsets
        for b, zxy in enumerate(self.cross.ZXy):
            zxy[:, :, Xy.shape[1]] = Zy[i, offsets[b] : offsets[b + 1]].reshape(zxy.shape[:2])
        self._corner(Xy[i], yy[i])


def drawn_sums(cross: CrossProducts, gamma: np.ndarray) -> DrawnSums | None:
    """Where sums are drawn faster than rows: the object that does it."""
    if cross.levels is not None:
        return _OneFactor(cross, gamma)
    columns = cross.z.q + cross.p
    if columns <= MOST_COLUMNS and columns**2 <= max(ENTRIES_PER_ROW * cross.n, FEW_ENTRIES):
        return _Dense(cross, gamma)
    return None


def _root(G: np.ndarray) -> tuple[np.ndarray, int]:
    """G^{1/2}, (s, r), and the rank r."""
    values, vectors = np.linalg.eigh(G)
    keep = values > NOTHING * len(G) * max(1.0, values.max(initial=0.0))
    return vectors[:, keep] * np.sqrt(values[keep]), int(keep.sum())


def _chi_squared(rng: np.random.Generator, df: int, m: int) -> np.ndarray:
    return rng.chisquare(df, m) if df > 0 else np.zeros(m)
