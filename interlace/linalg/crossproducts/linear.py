"""Cross-products of a linear model: the one pass over its rows.

Linear models need nothing else of the data (Bates et al. 2015, section 3.4).  The fixed-effects
columns are centred and orthonormalised and the response replaced by its residual on them before
any product is formed, so that large means and scales cannot cancel digits; the columns of Z are
scaled to unit root mean square, which makes theta comparable between covariates, and those of an
unstructured term made orthogonal, so that it does not matter where a covariate has its zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from ..kernels import _crossprod
from ..wide import WIDE
from .blocks import ZCross, pair_patterns, zero_blocks
from .standardise import Standardisation, orthogonaliser, standard_columns, standardise

# Numbers that are kept from one response to the next, at most.
MOST_KEPT = 1_000_000
# Rows of a dense Z that are held at once.
ROWS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class LinearRows:
    """The rows of a linear model as arrays.

    Attributes
    ----------
    y : ndarray, shape (n,)
        Response less the offset.
    X : ndarray, shape (n, p)
    intercept : int or None
        Column of X.
    root : ndarray, shape (n,) or (0,)
        Roots of the prior weights; empty for none.
    log_weights : float
        Sum of the logarithms of the prior weights.
    codes : tuple of int32 ndarray, shape (n,)
        Level of each grouping factor, that with most levels first.
    n_levels : tuple of int
    Z : tuple of ndarray, shape (n, k_b)
        Covariates of each grouping factor.
    free : tuple of sequences of slice
        Columns of each Z that may be replaced by combinations with the columns after them.
    """

    y: np.ndarray
    X: np.ndarray
    intercept: int | None
    root: np.ndarray
    log_weights: float
    codes: tuple[np.ndarray, ...]
    n_levels: tuple[int, ...]
    Z: tuple[np.ndarray, ...]
    free: tuple[Sequence[slice], ...]

    def weighted(self, values: np.ndarray) -> np.ndarray:
        """``values`` (n,) times the roots of the weights."""
        return values * self.root if self.root.size else values

    def of(self, rows: np.ndarray) -> LinearRows:
        """Some of the rows, all levels kept though they may have none; ``rows`` picks them."""
        root = self.root[rows] if self.root.size else self.root
        return replace(
            self,
            y=self.y[rows],
            X=self.X[rows],
            root=root,
            log_weights=2.0 * float(np.log(root).sum()),
            codes=tuple(np.ascontiguousarray(codes[rows]) for codes in self.codes),
            Z=tuple(Z[rows] for Z in self.Z),
        )


@dataclass(frozen=True, eq=False)
class LevelRoots:
    """The rows of each level of the one grouping factor, as Z_l = Q_l R_l and b_l = Q_l'[X y].

    What T changes of V is Z_l'Z_l alone, so that V^{-1} needs no more of the data than these and
    [X y]'(I - QQ')[X y], which does not depend on T: a large variance between levels takes no
    digits from what is within them.

    Attributes
    ----------
    R : ndarray, shape (l, k, k)
        Upper triangular.
    b : ndarray, shape (l, k, p + 1)
    within : ndarray, shape (p + 1, p + 1)
        [X y]'(I - QQ')[X y].
    """

    R: np.ndarray
    b: np.ndarray
    within: np.ndarray


class Turned(NamedTuple):
    """What `LevelRoots` of any response have in common: rotations, and the columns turned by them.

    ``turns`` (n, k, 2) are cosines and sines, ``within`` (n, p) what they leave of X, ``levels``
    and ``ZXy`` have zeros for the response.
    """

    turns: np.ndarray
    within: np.ndarray
    levels: LevelRoots
    ZXy: np.ndarray


class TurnedResponses(NamedTuple):
    """What a search reads of m responses beside the columns.

    ``gamma`` (m, p) are the coefficients of the standardised columns taken from them, by least
    squares, and of what is left ``effects`` (m, q) Z'y, ``within`` (m, p) X'y and ``squares`` (m,)
    y'y. With one grouping factor these are (m, l, k) Q_l'y and what that leaves of the others.
    ``total`` (m,) are the sums of squares before, ``rest`` (m,) those without the columns alone.
    """

    gamma: np.ndarray
    effects: np.ndarray
    within: np.ndarray
    squares: np.ndarray
    total: np.ndarray
    rest: np.ndarray


@dataclass(eq=False)
class CrossProducts:
    """The cross-products and row sums that a linear mixed model is fitted from.

    Attributes
    ----------
    rows : LinearRows
        Of another response, perhaps.
    response : ndarray, shape (n,)
        y less the offset.
    z : ZCross
        Z'WZ of the standardised columns of Z.
    ZXy : list of ndarray, shape (l_b, k_b, p + 1)
        Z_b'[X y] for each grouping factor, the response last.
    XyXy : ndarray, shape (p + 1, p + 1)
        [X y]'[X y].
    z_roots : list of ndarray, shape (k_b, k_b)
        Lower triangular R with Z = (standardised Z) R; see :func:`effect_root`.
    standardisation : Standardisation
    levels : LevelRoots or None
        With one grouping factor.
    """

    rows: LinearRows = field(repr=False)
    response: np.ndarray = field(repr=False)
    z: ZCross
    ZXy: list[np.ndarray]
    XyXy: np.ndarray
    z_roots: list[np.ndarray]
    standardisation: Standardisation
    levels: LevelRoots | None = None
    _columns: np.ndarray | None = field(default=None, repr=False)
    _turned: Turned | None = field(default=None, repr=False)

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.rows.X.shape[0]

    @property
    def p(self) -> int:
        """Number of fixed-effects columns."""
        return self.rows.X.shape[1]

    @property
    def columns(self) -> np.ndarray:
        """The standardised columns of X, (n, p), times the roots of the weights."""
        if self._columns is None:
            parts = standard_columns(self.rows.X, self.rows.root, self.standardisation)
            self._columns = np.concatenate([c for _, c in parts])
        return self._columns

    @property
    def log_weights(self) -> float:
        """Sum of the logarithms of the prior weights."""
        return self.rows.log_weights

    @property
    def rounding(self) -> float:
        """The sum of squares that rounding may leave beyond that of single rows."""
        return 0.0

    @property
    def total(self) -> float:
        """The weighted sum of squares of the response before anything is taken from it."""
        y = self.rows.weighted(self.response)
        return float(y @ y)

    def with_response(self, y: np.ndarray, gamma: np.ndarray | None = None) -> CrossProducts:
        """The same model for another response less the offset: only what holds y is made anew.

        ``gamma`` (p,) are the coefficients of the standardised columns to take from it, by default
        those of least squares.
        """
        columns, std = self.columns, self.standardisation
        response = self.rows.weighted(y)
        if gamma is None:
            gamma = columns.T @ response
        residual = response - columns @ gamma
        other = object.__new__(CrossProducts)
        other.__dict__.update(self.__dict__, response=y)
        other.standardisation = replace(std, gamma=gamma)
        other.XyXy = XyXy = self.XyXy.copy()
        p = len(gamma)
        XyXy[p, :p] = XyXy[:p, p] = residual @ columns
        XyXy[p, p] = residual @ residual
        if self.levels is not None:
            other.levels, other.ZXy = self._rotated(residual)
            return other
        other.ZXy = [zxy.copy() for zxy in self.ZXy]
        for zxy, sums in zip(other.ZXy, self.effect_sums(residual[:, None]), strict=True):
            zxy[:, :, p] = sums[:, :, 0]
        return other

    def _standard_effects(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Codes of each grouping factor, and `standard_rows` of its Z."""
        for codes, Z, root in zip(self.rows.codes, self.rows.Z, self.z_roots, strict=True):
            yield codes, *standard_rows(Z, root)

    def unexplained(self, beta: np.ndarray, b: Sequence[np.ndarray]) -> np.ndarray:
        """The response less X beta and Z b, both of the standardised columns, (n,)."""
        out = self.columns @ beta
        if self.rows.root.size:
            out /= self.rows.root
        for (codes, Z, scale), effects in zip(self._standard_effects(), b, strict=True):
            out += np.einsum("ij,ij->i", Z, (effects / scale)[codes])
        return self.response - out

    def residuals(self, V: Sequence[np.ndarray]) -> np.ndarray:
        """[X y] - Z V, (n, p + 1), for effects V (l_b, k_b, p + 1) of the standardised Z."""
        response = self.rows.weighted(self.response)
        gamma = self.standardisation.gamma
        Xy = np.column_stack([self.columns, response - self.columns @ gamma])
        for (codes, Z, scale), effects in zip(self._standard_effects(), V, strict=True):
            for j, s in enumerate(scale):
                Xy -= self.rows.weighted(Z[:, j] / s)[:, None] * effects[codes, j]
        return Xy

    def effect_sums(self, E: np.ndarray) -> list[np.ndarray]:
        """Z_b'W^{1/2}E of rows E (n, r) for the standardised columns of Z, (l_b, k_b, r)."""
        out = []
        for (codes, Z, scale), levels in zip(
            self._standard_effects(), self.z.n_levels, strict=True
        ):
            sums = np.empty((levels, scale.size, E.shape[1]))
            for j in range(E.shape[1]):
                column = np.zeros(sums.shape[:2])
                residual = np.ascontiguousarray(E[:, j])
                _crossprod.accumulate_response(codes, Z, self.rows.root, residual, column)
                np.divide(column, scale, out=sums[:, :, j])
            out.append(sums)
        return out

    def effects_root(self) -> np.ndarray:
        """R with R'R = Z'WZ of the standardised columns, made without squares, (q, q)."""
        q, n = self.z.q, self.n
        out = np.zeros((0, q))
        effects = list(self._standard_effects())
        for start in range(0, n, ROWS_AT_ONCE):
            rows = slice(start, min(start + ROWS_AT_ONCE, n))
            block = np.zeros((rows.stop - start, q))
            for (codes, Z, scale), offset in zip(effects, self.z.offsets[:-1], strict=True):
                for j, s in enumerate(scale):
                    at = offset + codes[rows] * scale.size + j
                    block[np.arange(len(block)), at] = Z[rows, j] / s
            if self.rows.root.size:
                block *= self.rows.root[rows, None]
            out = np.linalg.qr(np.concatenate([out, block]))[1]
        return np.concatenate([out, np.zeros((q - len(out), q))])

    def enlarged(self, by: Sequence[np.ndarray]) -> CrossProducts:
        """The same with the standardised columns of each grouping factor multiplied, (k_b,)."""
        diagonal = [A * (s[:, None] * s) for A, s in zip(self.z.diagonal, by, strict=True)]
        pairs = {
            (b, c): replace(pair, values=pair.values * (by[b][:, None] * by[c]))
            for (b, c), pair in self.z.pairs.items()
        }
        levels = self.levels
        if levels is not None:
            levels = replace(levels, R=levels.R * by[0])
        return replace(
            self,
            z=ZCross(self.z.n_levels, self.z.widths, tuple(diagonal), pairs),
            ZXy=[zxy * s[:, None] for zxy, s in zip(self.ZXy, by, strict=True)],
            z_roots=[r / s[:, None] for r, s in zip(self.z_roots, by, strict=True)],
            levels=levels,
            _turned=None,
        )

    def without(self, gone: np.ndarray) -> CrossProducts:
        """The cross-products without some rows, (r,) positions, in the same coordinates.

        Levels that lose all rows stay, with nothing of the data.
        """
        kept = np.ones(self.n, dtype=bool)
        kept[gone] = False
        Xy = self._xy(gone)
        XyXy = self.XyXy - Xy.T @ Xy
        diagonal, ZXy, pairs, levels = self._sums_without(gone, kept, Xy)
        return replace(
            self,
            rows=self.rows.of(kept),
            response=self.response[kept],
            z=ZCross(self.z.n_levels, self.z.widths, diagonal, pairs),
            ZXy=ZXy,
            XyXy=XyXy,
            levels=levels,
            _columns=None,
            _turned=None,
        )

    def _xy(self, rows: np.ndarray) -> np.ndarray:
        """The standardised [X y] of some rows, times the roots of the weights, (r, p + 1)."""
        columns = self.columns[rows]
        response = self.rows.weighted(self.response)[rows]
        return np.column_stack([columns, response - columns @ self.standardisation.gamma])

    def _sums_without(self, gone: np.ndarray, kept: np.ndarray, Xy: np.ndarray) -> tuple:
        """Z'WZ, Z'[X y] and the roots of the levels, without the rows that are gone."""
        if self.levels is not None:
            levels, A, zxy = self._levels_without(gone, kept)
            return (A,), [zxy], {}, levels
        patterns = {key: (pair.indptr, pair.indices) for key, pair in self.z.pairs.items()}
        z = zero_blocks(self.z.n_levels, self.z.widths, patterns)
        lost = [np.zeros_like(zxy) for zxy in self.ZXy]
        Z = [
            standard_rows(Z[gone], root) for Z, root in zip(self.rows.Z, self.z_roots, strict=True)
        ]
        divided = [np.ascontiguousarray(rows / scale) for rows, scale in Z]
        root = self.rows.root[gone] if self.rows.root.size else self.rows.root
        codes = [codes[gone] for codes in self.rows.codes]
        many_factor_sums([RowBlock(codes, divided, root, Xy)], z, lost)
        diagonal = tuple(A - B for A, B in zip(self.z.diagonal, z.diagonal, strict=True))
        pairs = {
            key: replace(pair, values=pair.values - z.pairs[key].values)
            for key, pair in self.z.pairs.items()
        }
        return diagonal, [a - b for a, b in zip(self.ZXy, lost, strict=True)], pairs, None

    def _levels_without(
        self, gone: np.ndarray, kept: np.ndarray
    ) -> tuple[LevelRoots, np.ndarray, np.ndarray]:
        """Roots of the levels of the one grouping factor, those that lose rows turned anew."""
        assert self.levels is not None
        touched = np.zeros(self.z.n_levels[0], dtype=bool)
        touched[self.rows.codes[0][gone]] = True
        near = np.flatnonzero(touched[self.rows.codes[0]])
        old, new = self._roots_of(near), self._roots_of(near[kept[near]])
        R, b = self.levels.R.copy(), self.levels.b.copy()
        R[touched], b[touched] = new.R[touched], new.b[touched]
        A, ZXy = np.empty(R.shape), np.empty(b.shape)
        _crossprod.gram(R, b, A, ZXy)
        within = self.levels.within - old.within + new.within
        return LevelRoots(R, b, within), A, ZXy

    def _roots_of(self, rows: np.ndarray) -> LevelRoots:
        """Roots of the levels from some rows alone."""
        Z, scale = standard_rows(self.rows.Z[0][rows], self.z_roots[0])
        root = self.rows.root[rows] if self.rows.root.size else self.rows.root
        R, b = np.zeros(self.z.diagonal[0].shape), np.zeros(self.ZXy[0].shape)
        Xy = np.ascontiguousarray(self._xy(rows))
        codes = np.ascontiguousarray(self.rows.codes[0][rows])
        _crossprod.rotate(codes, np.ascontiguousarray(Z / scale), root, Xy, R, b)
        return LevelRoots(R, b, Xy.T @ Xy)

    def _rotated(self, y: np.ndarray) -> tuple[LevelRoots, list[np.ndarray]]:
        """Roots of the levels, and Z'[X y], for another response (n,), which is overwritten."""
        turns, X, levels, ZXy = self.turned
        b, ZXy, within = levels.b.copy(), ZXy.copy(), levels.within.copy()
        _crossprod.turn(self.rows.codes[0], turns, y, b[:, :, -1])
        ZXy[:, :, -1] = (b[:, None, :, -1] @ levels.R)[:, 0]
        within[-1, :-1] = within[:-1, -1] = y @ X
        within[-1, -1] = y @ y
        return LevelRoots(levels.R, b, within), [ZXy]

    def turned_responses(self, Y: np.ndarray) -> TurnedResponses:
        """Many responses less the offset, (m, n), as the sums of a search have them."""
        Y = Y * self.rows.root if self.rows.root.size else Y
        gamma = Y @ self.columns
        residual = np.ascontiguousarray(Y - gamma @ self.columns.T)
        total, rest = np.einsum("mn,mn->m", Y, Y), np.einsum("mn,mn->m", residual, residual)
        if self.levels is None:
            effects = [sums.reshape(-1, len(Y)) for sums in self.effect_sums(residual.T)]
            Zy = np.concatenate(effects).T
            return TurnedResponses(gamma, Zy, residual @ self.columns, rest, total, rest)
        turns, X, *_ = self.turned
        b = np.zeros((len(Y), *self.levels.R.shape[:2]))
        _crossprod.turn_each(self.rows.codes[0], turns, residual, b)
        squares = np.einsum("mn,mn->m", residual, residual)
        return TurnedResponses(gamma, b, residual @ X, squares, total, rest)

    @property
    def turned(self) -> Turned:
        """The rotations of the rows, with all that they make of the columns alone."""
        if self._turned is not None:
            return self._turned
        assert self.levels is not None
        R, b = np.zeros(self.levels.R.shape), np.zeros(self.levels.b.shape)
        codes, Z, scale = next(self._standard_effects())
        turns = np.zeros((*Z.shape, 2))
        turns[:, :, 0] = 1.0
        columns = np.column_stack([self.columns, np.zeros(self.n)])
        _crossprod.rotate(codes, Z, self.rows.root, columns, R, b, turns)
        R /= scale
        A, ZXy = np.empty(R.shape), np.empty(b.shape)
        _crossprod.gram(R, b, A, ZXy)
        within = np.ascontiguousarray(columns[:, :-1])
        out = Turned(turns, within, LevelRoots(R, b, columns.T @ columns), ZXy)
        if out.turns.size + within.size <= MOST_KEPT:
            self._turned = out
        return out


class RowBlock(NamedTuple):
    """Some of the rows, all that the sums need of them."""

    codes: Sequence[np.ndarray]  # level of each grouping factor, (r,)
    Z: Sequence[np.ndarray]  # (r, k_b)
    root: np.ndarray  # roots of weights, (r,), or empty for none
    Xy: np.ndarray  # [X y] standardised, times the roots of the weights, (r, p + 1)


def cross_products(rows: LinearRows) -> CrossProducts:
    """All cross-products of the rows of a linear model."""
    n, p = rows.X.shape
    std = standardise(rows.X, rows.intercept, rows.root, rows.y)
    roots = [effect_root(Z, free, rows.root) for Z, free in zip(rows.Z, rows.free, strict=True)]
    z = zero_blocks(
        rows.n_levels, tuple(Z.shape[1] for Z in rows.Z), pair_patterns(rows.codes, rows.n_levels)
    )
    ZXy = [np.zeros((levels, k, p + 1)) for levels, k in zip(z.n_levels, z.widths, strict=True)]
    blocks = _row_blocks(rows, std, roots)
    if len(ZXy) == 1 and z.widths[0] <= WIDE:
        XyXy, levels = one_factor_sums(blocks, z.diagonal[0], ZXy[0])
    else:
        XyXy, levels = many_factor_sums(blocks, z, ZXy), None
    scales = to_unit_mean_square(z, ZXy, n)
    if levels is not None:
        np.divide(levels.R, scales[0], out=levels.R)
    roots = [scale[:, None] * R for scale, R in zip(scales, roots, strict=True)]
    return CrossProducts(rows, rows.y, z, ZXy, XyXy, roots, std, levels)


def _row_blocks(
    rows: LinearRows, std: Standardisation, roots: Sequence[np.ndarray]
) -> Iterator[RowBlock]:
    """The rows chunk by chunk, their columns standardised but for the scales of Z."""
    p = rows.X.shape[1]
    for chunk, columns in standard_columns(rows.X, rows.root, std):
        root = rows.root[chunk] if rows.root.size else rows.root
        Xy = np.empty((columns.shape[0], p + 1))
        Xy[:, :p] = columns
        response = rows.y[chunk] * root if root.size else rows.y[chunk]
        np.subtract(response, columns @ std.gamma, out=Xy[:, p])
        Z = [standard_rows(Z[chunk], R)[0] for Z, R in zip(rows.Z, roots, strict=True)]
        yield RowBlock([codes[chunk] for codes in rows.codes], Z, root, Xy)


def one_factor_sums(
    blocks: Iterable[RowBlock], A: np.ndarray, ZXy: np.ndarray
) -> tuple[np.ndarray, LevelRoots]:
    """[X y]'[X y] and the roots of the levels; Z'WZ and Z'[X y] go to A and ZXy."""
    m = ZXy.shape[2]
    levels = LevelRoots(np.zeros_like(A), np.zeros_like(ZXy), np.zeros((m, m)))
    for block in blocks:
        _crossprod.rotate(
            block.codes[0], block.Z[0], block.root, block.Xy, levels.R, levels.b
        )  # leaves in Xy what is within the levels
        np.add(levels.within, block.Xy.T @ block.Xy, out=levels.within)
    _crossprod.gram(levels.R, levels.b, A, ZXy)
    between = levels.b.reshape(-1, m)
    return levels.within + between.T @ between, levels


def many_factor_sums(
    blocks: Iterable[RowBlock], z: ZCross, ZXy: Sequence[np.ndarray]
) -> np.ndarray:
    """[X y]'[X y]; Z'WZ and Z'[X y] are added to z and ZXy."""
    XyXy = np.zeros((ZXy[0].shape[2],) * 2)
    for block in blocks:
        codes, Z, root, Xy = block
        for own in zip(codes, Z, z.diagonal, ZXy, strict=True):
            if own[1].shape[1] > WIDE and len(own[2]) == 1:
                columns = own[1] * root[:, None] if root.size else own[1]
                own[2][0] += columns.T @ columns
                own[3][0] += columns.T @ Xy
                continue
            _crossprod.accumulate(own[0], own[1], root, Xy, own[2], own[3])
        for (b, c), pair in z.pairs.items():
            _crossprod.accumulate_pairs(
                codes[b], codes[c], Z[b], Z[c], root, pair.indptr, pair.indices, pair.values
            )
        XyXy += Xy.T @ Xy
    for A in z.diagonal:  # their lower triangles are filled
        if A.shape[1] > 1:
            upper = np.triu_indices(A.shape[1], 1)
            A[:, upper[0], upper[1]] = A[:, upper[1], upper[0]]
    return XyXy


def to_unit_mean_square(z: ZCross, ZXy: Sequence[np.ndarray], n: int) -> list[np.ndarray]:
    """Divide by the root mean square of each column of Z, 1 for a zero one, and give these."""
    scales = []
    for A, zxy in zip(z.diagonal, ZXy, strict=True):
        scales.append(scale := np.empty(A.shape[1]))
        _crossprod.to_unit(A, zxy, n, scale)
    for (b, c), pair in z.pairs.items():
        _crossprod.divide_pairs(pair.values, scales[b], scales[c])
    return scales


def effect_root(Z: np.ndarray, free: Sequence[slice], root: np.ndarray) -> np.ndarray:
    """Unit lower triangular R (k, k) with Z = (new Z) R; ``root`` (n,), or empty, of the weights.

    The ``free`` columns are made orthogonal, the last one first: their covariance T T' becomes
    R T (R T)' with R T lower triangular again, the same model in coordinates that do not depend on
    where a covariate has its zero.
    """
    R = np.eye(Z.shape[1])
    for columns in free:
        back = orthogonaliser(Z[:, columns][:, ::-1], root)
        if back is not None:
            R[columns, columns] = back[::-1, ::-1]
    return R


def standard_rows(Z: np.ndarray, R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of Z R^{-1}, but for the scales, (k,), that their columns are still to be divided by."""
    scale = R.diagonal()
    if len(R) == 1 or np.count_nonzero(R) == np.count_nonzero(scale):
        return Z, scale
    inverse = lapack.dtrtri(R, lower=1)[0]
    return Z @ inverse, np.ones(len(R))
