"""Cross-products of a linear model from sums that something else made of its rows.

What `linear` does row by row is done here in the coordinates of the elements: every standardised
column is a combination of these, and its products are theirs. There are no rows to go back to, so
another centre of the response is taken by algebra of the sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import lapack

from ...design.gram_roots import gram_roots
from ...errors import NumericalError
from .blocks import PairBlocks, ZCross
from .linear import CrossProducts, LevelRoots, effect_root, to_unit_mean_square
from .standardise import Standardisation, orthonormaliser

__all__ = ["SummedProducts", "summed_products"]

EMPTY = np.empty(0)
#: Levels whose sums are transformed at once.
LEVELS_AT_ONCE = 16_384
#: Of sums of squares so many last digits are rounding.
LAST_DIGITS = 64.0 * float(np.finfo(float).eps)


class Without(NamedTuple):
    """The response without X gamma and Z b of the standardised columns, as what is taken away."""

    gamma: np.ndarray
    b: Sequence[np.ndarray]


@dataclass(eq=False)
class SummedProducts(CrossProducts):
    """Cross-products without rows: ``rows`` and ``response`` are None.

    Attributes
    ----------
    n_rows : int
    log_of_weights : float
    square : float
        Weighted sum of squares of the response.
    rounded_of : float
        The same of the response as the sums have it: about its mean, where there is an intercept.
    """

    n_rows: int = 0
    log_of_weights: float = 0.0
    square: float = 0.0
    rounded_of: float = 0.0

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.n_rows

    @property
    def p(self) -> int:
        """Number of fixed-effects columns."""
        return self.XyXy.shape[0] - 1

    @property
    def log_weights(self) -> float:
        """Sum of the logarithms of the prior weights."""
        return self.log_of_weights

    @property
    def total(self) -> float:
        """The weighted sum of squares of the response before anything is taken from it."""
        return self.square

    @property
    def rounding(self) -> float:
        """The sum of squares of the response that rounding may leave."""
        return LAST_DIGITS * self.rounded_of

    @property
    def columns(self) -> np.ndarray:
        """Refuse: there are none."""
        raise _no_rows()

    def with_response(self, y: Any, gamma: np.ndarray | None = None) -> SummedProducts:
        """The same response with other coefficients taken from it, or one that is `Without`."""
        if y is None:
            b = [np.zeros(zxy.shape[:2]) for zxy in self.ZXy]
            y = Without(np.zeros(self.p), b)
        if not isinstance(y, Without):
            raise _no_rows()
        p, std = self.p, self.standardisation
        XX, Xr = self.XyXy[:p, :p], self.XyXy[:p, p]
        ZZb = self._ZZ_times(y.b)
        XZb = sum((np.einsum("lkp,lk->p", z[:, :, :p], b) for z, b in zip(self.ZXy, y.b)))
        Xy = Xr + XX @ (std.gamma - y.gamma) - XZb
        if gamma is None:
            gamma = np.linalg.solve(XX, Xy) if p else np.zeros(0)
        d = gamma - std.gamma + y.gamma  # r becomes r - X d - Z b
        rZb = sum(float(np.sum(z[:, :, p] * b)) for z, b in zip(self.ZXy, y.b))
        bZZb = sum(float(np.sum(a * b)) for a, b in zip(ZZb, y.b))
        square = self.XyXy[p, p] + d @ XX @ d + bZZb
        square += -2.0 * float(Xr @ d) - 2.0 * rZb + 2.0 * float(d @ XZb)
        XyXy = self.XyXy.copy()
        XyXy[p, :p] = XyXy[:p, p] = Xr - XX @ d - XZb
        XyXy[p, p] = max(square, 0.0)
        ZXy = [zxy.copy() for zxy in self.ZXy]
        for new, zxy, taken in zip(ZXy, self.ZXy, ZZb, strict=True):
            new[:, :, p] -= zxy[:, :, :p] @ d + taken
        return replace(
            self,
            ZXy=ZXy,
            XyXy=XyXy,
            standardisation=replace(std, gamma=gamma),
            levels=None if self.levels is None else _levels_without(self.levels, d, y.b[0]),
            square=XyXy[p, p] + 2.0 * float(gamma @ XyXy[:p, p]) + float(gamma @ XX @ gamma),
        )

    def _ZZ_times(self, b: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Z'WZ b factor by factor, (l_b, k_b)."""
        if len(b) == 1:
            return [np.einsum("lij,lj->li", self.z.diagonal[0], b[0])]
        flat = self.z.matrix() @ np.concatenate([own.ravel() for own in b])
        ends = self.z.offsets
        return [flat[i:j].reshape(own.shape) for own, i, j in zip(b, ends, ends[1:])]

    def unexplained(self, beta: np.ndarray, b: Sequence[np.ndarray]) -> Any:
        """The response less X beta and Z b, for `with_response`."""
        return Without(beta, b)

    def residuals(self, V: Sequence[np.ndarray]) -> np.ndarray:
        """Refuse: of several very large variances sums do not have the digits."""
        raise NumericalError(
            "two variances of random effects or more are so large beside the residual variance "
            "that sums of products do not have the digits to tell them apart; collect the rows "
            "and give these as data"
        )

    def effects_root(self) -> np.ndarray:
        """R with R'R = Z'WZ of the standardised columns, (q, q)."""
        values, vectors = np.linalg.eigh(self.z.matrix().toarray())
        return np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T

    def without(self, gone: np.ndarray) -> CrossProducts:
        """Refuse: there are no rows to leave out."""
        raise _no_rows()


def _no_rows() -> NumericalError:
    return NumericalError(
        "this fit has the sums of its data and not their rows, which this needs; fit the rows "
        "that go into memory"
    )


def _levels_without(levels: LevelRoots, d: np.ndarray, effects: np.ndarray) -> LevelRoots:
    """Roots of the levels when X d and Z b have been taken from the response."""
    b, within, p = levels.b.copy(), levels.within.copy(), len(d)
    b[:, :, p] -= b[:, :, :p] @ d + np.einsum("lij,lj->li", levels.R, effects)
    less = within[:, :p] @ d
    within[:, p] -= less
    within[p, :] = within[:, p]
    within[p, p] = levels.within[p, p] - 2.0 * less[p] + d @ levels.within[:p, :p] @ d
    return LevelRoots(levels.R, b, within)


def summed_products(
    sums: Any, intercept: int | None, free: Sequence[Sequence[slice]]
) -> SummedProducts:
    """All cross-products of a model from its :class:`~interlace.design.summed.Sums`.

    ``intercept`` is its column of X, ``free`` as in :class:`LinearRows`.
    """
    std, making, XyXy = _standard_columns(sums, intercept)
    roots, diagonal, ZXy = [], [], []
    changes = []
    for own, slices in zip(sums.factors, free, strict=True):
        R = _effect_root(own.own, own.columns, slices)
        change = own.columns @ lapack.dtrtri(R, lower=1)[0]
        roots.append(R)
        changes.append(change)
        diagonal.append(_transformed(change, own.own, change))
        ZXy.append(_transformed(change, own.with_all, making))
    pairs = {
        (b, c): PairBlocks(
            pair.indptr, pair.indices, _transformed(changes[b], pair.values, changes[c])
        )
        for (b, c), pair in sums.pairs.items()
    }
    n_levels, widths = tuple(len(A) for A in diagonal), tuple(A.shape[1] for A in diagonal)
    z = ZCross(n_levels, widths, tuple(diagonal), pairs)
    scales = to_unit_mean_square(z, ZXy, sums.n)
    roots = [scale[:, None] * R for scale, R in zip(scales, roots, strict=True)]
    levels = _level_roots(z, ZXy[0], XyXy) if len(ZXy) == 1 else None
    return SummedProducts(
        rows=None,  # type: ignore[arg-type]
        response=None,  # type: ignore[arg-type]
        z=z,
        ZXy=ZXy,
        XyXy=XyXy,
        z_roots=roots,
        standardisation=std,
        levels=levels,
        n_rows=sums.n,
        log_of_weights=sums.log_weights,
        square=float(sums.y @ sums.y),
        rounded_of=_about_mean(sums) if intercept is not None else float(sums.y @ sums.y),
    )


def _about_mean(sums: Any) -> float:
    """The weighted sum of squares of the response about its mean."""
    mean = float(sums.ones @ sums.y) / float(sums.ones @ sums.ones)
    centred = sums.y - mean * sums.ones
    return float(centred @ centred)


def _standard_columns(
    sums: Any, intercept: int | None
) -> tuple[Standardisation, np.ndarray, np.ndarray]:
    """The standardisation, what makes the standardised [X y] of the elements, and their products.

    As `standardise`, on the few rows that stand for the data's.
    """
    X, ones, y = sums.X, sums.ones, sums.y
    p = X.shape[1]
    mean = np.zeros(p)
    if intercept is not None:
        mean = (ones @ X) / (ones @ ones)
        mean[intercept] = 0.0
    centred = X - ones[:, None] * mean
    R_inverse = orthonormaliser(centred, EMPTY, np.zeros(p), centred.T @ centred)
    columns = centred @ R_inverse
    gamma = columns.T @ y
    residual = y - columns @ gamma
    making = sums.elements.copy()
    making[0, :p] -= mean
    making[:, :p] = making[:, :p] @ R_inverse
    making[:, p] -= making[:, :p] @ gamma
    Xy = np.column_stack([columns, residual])
    return Standardisation.of(mean, R_inverse, gamma, intercept), making, Xy.T @ Xy


def _effect_root(own: np.ndarray, columns: np.ndarray, free: Sequence[slice]) -> np.ndarray:
    """`effect_root` of the few rows that stand for those of Z."""
    total = own.sum(axis=0)[None]
    rows = gram_roots(total, np.empty((1, len(columns), 0)))[0] @ columns
    return effect_root(rows, free, EMPTY)


def _transformed(left: np.ndarray, sums: np.ndarray, right: np.ndarray) -> np.ndarray:
    """L'S R for each S of sums, without copies of all of them."""
    out = np.empty((len(sums), left.shape[1], right.shape[1]))
    for start in range(0, len(sums), LEVELS_AT_ONCE):
        some = slice(start, start + LEVELS_AT_ONCE)
        np.matmul(left.T, sums[some] @ right, out=out[some])
    return out


def _level_roots(z: ZCross, ZXy: np.ndarray, XyXy: np.ndarray) -> LevelRoots:
    """Roots of the levels of the one grouping factor."""
    b = ZXy.copy()
    R = gram_roots(z.diagonal[0], b)
    between = b.reshape(-1, b.shape[2])
    within = XyXy - between.T @ between
    return LevelRoots(R, b, within)
