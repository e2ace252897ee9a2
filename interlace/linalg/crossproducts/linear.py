"""Cross-products of a design: the one pass over its rows.

Linear models need nothing else of the data (Bates et al. 2015, section 3.4).  The fixed-effects
columns are centred and orthonormalised and the response replaced by its residual on them before
any product is formed, so that large means and scales cannot cancel digits; the columns of Z are
scaled to unit root mean square, which makes theta comparable between covariates, and those of an
unstructured term made orthogonal, so that it does not matter where a covariate has its zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

from ..kernels import _crossprod
from .blocks import PairBlocks, ZCross
from .standardise import (
    Standardisation,
    intercept_column,
    orthogonaliser,
    standard_columns,
    standardise,
)

# A table of levels by levels up to this size is scanned faster than rows are sorted.
DENSE_PAIRS = 100_000
# Rows of a dense Z that are held at once.
ROWS_AT_ONCE = 4096

_EMPTY = np.empty(0)


@dataclass(frozen=True, eq=False)
class LevelRoots:
    """The rows [Z W] of each level of the one grouping factor, as Z_l = Q_l R_l and b_l = Q_l'W.

    What T changes of V is Z_l'Z_l alone, so that V^{-1} needs no more of the data than these and
    W'(I - QQ')W, which does not depend on T: a large variance between levels takes no digits from
    what is within them.

    Attributes
    ----------
    R : ndarray, shape (l, k, k)
        Upper triangular.
    b : ndarray, shape (l, k, p + 1)
    within : ndarray, shape (p + 1, p + 1)
        W'(I - QQ')W.
    """

    R: np.ndarray
    b: np.ndarray
    within: np.ndarray


@dataclass(eq=False)
class CrossProducts:
    """Everything a linear mixed model needs of its data.

    Attributes
    ----------
    z : ZCross
        Z'WZ of the standardised columns of Z.
    ZW : list of ndarray, shape (l_b, k_b, p + 1)
        Z_b' W for each grouping factor, the response last.
    WW : ndarray, shape (p + 1, p + 1)
        W'W.
    z_roots : list of ndarray, shape (k_b, k_b)
        Lower triangular R with Z = (standardised Z) R; see :func:`effect_root`.
    standardisation : Standardisation
    n, p : int
        Rows and fixed-effects columns.
    log_weights : float
        Sum of log prior weights.
    response : ndarray, shape (n,)
        y less the offset.
    levels : LevelRoots or None
        With one grouping factor.
    """

    z: ZCross
    ZW: list[np.ndarray]
    WW: np.ndarray
    z_roots: list[np.ndarray]
    standardisation: Standardisation
    n: int
    p: int
    log_weights: float
    design: Any = field(repr=False)  # whose rows these are (of another response, perhaps)
    response: np.ndarray = field(repr=False)
    levels: LevelRoots | None = None
    _columns: np.ndarray | None = field(default=None, repr=False)

    @property
    def columns(self) -> np.ndarray:
        """The standardised columns of X, (n, p), times the root of the weights."""
        if self._columns is None:
            parts = standard_columns(
                self.design.X, _root_weights(self.design), self.standardisation
            )
            self._columns = np.concatenate([c for _, c in parts])
        return self._columns

    @property
    def total(self) -> float:
        """The weighted sum of squares of the response before anything is taken from it."""
        root = _root_weights(self.design)
        y = self.response if root is _EMPTY else self.response * root
        return float(y @ y)

    def with_response(self, y: np.ndarray, gamma: np.ndarray | None = None) -> CrossProducts:
        """The same model for another response: only what holds y is made anew.

        Parameters
        ----------
        y : ndarray, shape (n,)
            The response less the offset.
        gamma : ndarray, shape (p,), optional
            Coefficients of the standardised columns to take from it; default least squares.
        """
        root = _root_weights(self.design)
        columns = self.columns
        response = y if root is _EMPTY else y * root
        if gamma is None:
            gamma = columns.T @ response
        residual = response - columns @ gamma
        p = self.p
        WW = self.WW.copy()
        WW[p, :p] = WW[:p, p] = residual @ columns
        WW[p, p] = residual @ residual
        ZW: list[np.ndarray] = []
        levels = None
        if self.levels is not None:
            W = np.column_stack([columns, residual])
            levels, ZW = self._rotated(W, root)
        else:
            for factor, r, old in zip(self.design.factors, self.z_roots, self.ZW, strict=True):
                column = np.zeros(old.shape[:2])
                Z, scale = standard_rows(factor.Z, r)
                _crossprod.accumulate_response(factor.codes, Z, root, residual, column)
                new = old.copy()
                np.divide(column, scale, out=new[:, :, p])
                ZW.append(new)
        other = copy(self)
        other.standardisation = replace(self.standardisation, gamma=gamma)
        other.ZW, other.WW, other.response, other.levels = ZW, WW, y, levels
        return other

    def unexplained(self, beta: np.ndarray, b: Sequence[np.ndarray]) -> np.ndarray:
        """The response less X beta and Z b, both of the standardised columns, (n,)."""
        root = _root_weights(self.design)
        out = self.columns @ beta
        if root is not _EMPTY:
            out /= root
        for factor, r, effects in zip(self.design.factors, self.z_roots, b, strict=True):
            Z, scale = standard_rows(factor.Z, r)
            out += np.einsum("ij,ij->i", Z, (effects / scale)[factor.codes])
        return self.response - out

    def residuals(self, V: Sequence[np.ndarray]) -> np.ndarray:
        """W - Z V for effects V (l_b, k_b, p + 1) of the standardised columns of Z, (n, p + 1)."""
        root = _root_weights(self.design)
        response = self.response if root is _EMPTY else self.response * root
        gamma = self.standardisation.gamma
        W = np.column_stack([self.columns, response - self.columns @ gamma])
        for factor, r, effects in zip(self.design.factors, self.z_roots, V, strict=True):
            Z, scale = standard_rows(factor.Z, r)
            for j, s in enumerate(scale):
                column = Z[:, j] / s if root is _EMPTY else Z[:, j] / s * root
                W -= column[:, None] * effects[factor.codes, j]
        return W

    def effect_sums(self, E: np.ndarray) -> np.ndarray:
        """Z'W^{1/2}E of rows E (n, r) for the standardised columns of Z, (q, r)."""
        root = _root_weights(self.design)
        out = []
        for factor, r in zip(self.design.factors, self.z_roots, strict=True):
            Z, scale = standard_rows(factor.Z, r)
            levels, k = len(factor.levels), len(scale)
            sums = np.empty((levels, k, E.shape[1]))
            for j, column in enumerate(E.T):
                s = np.zeros((levels, k))
                _crossprod.accumulate_response(
                    factor.codes, Z, root, np.ascontiguousarray(column), s
                )
                sums[:, :, j] = s / scale
            out.append(sums.reshape(levels * k, -1))
        return np.concatenate(out)

    def effects_root(self) -> np.ndarray:
        """R with R'R = Z'WZ of the standardised columns, made without squares, (q, q)."""
        root, q = _root_weights(self.design), self.z.q
        offsets = self.z.offsets
        out = np.zeros((0, q))
        for start in range(0, self.n, ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            count = len(self.response[rows])
            block = np.zeros((count, q))
            for factor, r, offset in zip(self.design.factors, self.z_roots, offsets[:-1]):
                Z, scale = standard_rows(factor.Z[rows], r)
                for j, s in enumerate(scale):
                    at = offset + factor.codes[rows] * len(scale) + j
                    block[np.arange(count), at] = Z[:, j] / s
            if root is not _EMPTY:
                block *= root[rows, None]
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
            ZW=[zw * s[:, None] for zw, s in zip(self.ZW, by, strict=True)],
            z_roots=[r / s[:, None] for r, s in zip(self.z_roots, by, strict=True)],
            levels=levels,
        )

    def _rotated(self, W: np.ndarray, root: np.ndarray) -> tuple[LevelRoots, list[np.ndarray]]:
        """Roots of the levels, and Z'W, for other columns W (n, p + 1), which are overwritten."""
        assert self.levels is not None
        factor = self.design.factors[0]
        R, b = np.zeros_like(self.levels.R), np.zeros_like(self.levels.b)
        Z, scale = standard_rows(factor.Z, self.z_roots[0])
        _crossprod.rotate(factor.codes, Z, root, W, R, b)
        R /= scale
        A, ZW = np.empty_like(R), np.empty_like(b)
        _crossprod.gram(R, b, A, ZW)
        return LevelRoots(R, b, W.T @ W), [ZW]


def cross_products(design) -> CrossProducts:
    """All cross-products of a :class:`~interlace.design.design.Design`.

    Parameters
    ----------
    design : Design
        Checked rows and columns.

    Returns
    -------
    CrossProducts
    """
    n, p = design.X.shape
    y = response_less_offset(design)
    root = _root_weights(design)
    factors = design.factors
    X, intercept = design.X, intercept_column(design.x_names)
    std = standardise(X, intercept, root, y)
    z_roots = [effect_root(design, b, root) for b in range(len(factors))]
    WW = np.zeros((p + 1, p + 1))
    sizes = [(len(f.levels), f.Z.shape[1]) for f in factors]
    A = [np.zeros((levels, k, k)) for levels, k in sizes]
    ZW = [np.zeros((levels, k, p + 1)) for levels, k in sizes]
    pairs = _pattern_of_pairs(factors)
    whole = None
    for rows, columns in standard_columns(X, root, std):
        response = y[rows] if root is _EMPTY else y[rows] * root[rows]
        W = np.empty((columns.shape[0], p + 1))
        W[:, :p] = columns
        np.subtract(response, columns @ std.gamma, out=W[:, p])
        weights = root if root is _EMPTY else root[rows]
        codes = [f.codes[rows] for f in factors]
        Z = [standard_rows(f.Z[rows], r)[0] for f, r in zip(factors, z_roots, strict=True)]
        if len(factors) == 1:
            _crossprod.rotate(codes[0], Z[0], weights, W, A[0], ZW[0])
        else:
            for parts in zip(codes, Z, A, ZW, strict=True):
                _crossprod.accumulate(parts[0], parts[1], weights, W, parts[2], parts[3])
            for (b, c), pair in pairs.items():
                _crossprod.accumulate_pairs(
                    codes[b], codes[c], Z[b], Z[c], weights, pair.indptr, pair.indices, pair.values
                )
        WW += W.T @ W
        if columns.shape[0] == n:
            whole = columns
    levels = None
    if len(factors) == 1:
        levels = LevelRoots(A[0], ZW[0], WW)
        A, ZW = [np.empty_like(A[0])], [np.empty_like(ZW[0])]
        _crossprod.gram(levels.R, levels.b, A[0], ZW[0])
        flat = levels.b.reshape(-1, p + 1)
        WW = WW + flat.T @ flat
    for b, (a, zw) in enumerate(zip(A, ZW, strict=True)):
        k = a.shape[1]
        if k > 1 and levels is None:
            upper = np.triu_indices(k, 1)
            a[:, upper[0], upper[1]] = a[:, upper[1], upper[0]]
        mean_square = np.diagonal(a, axis1=1, axis2=2).sum(axis=0) / n
        scale = np.sqrt(np.where(mean_square > 0.0, mean_square, 1.0))
        a /= scale[:, None] * scale
        zw /= scale[:, None]
        if levels is not None:
            np.divide(levels.R, scale, out=levels.R)
        for (c, d), pair in pairs.items():
            if c == b:
                np.divide(pair.values, scale[:, None], out=pair.values)
            if d == b:
                np.divide(pair.values, scale, out=pair.values)
        z_roots[b] = scale[:, None] * z_roots[b]
    z = ZCross(tuple(s[0] for s in sizes), tuple(s[1] for s in sizes), tuple(A), pairs)
    log_weights = 0.0 if design.weights is None else float(np.log(design.weights).sum())
    return CrossProducts(z, ZW, WW, z_roots, std, n, p, log_weights, design, y, levels, whole)


def effect_root(design, b: int, root: np.ndarray) -> np.ndarray:
    """Unit lower triangular R with Z = (new Z) R.

    The columns of an unstructured term are made orthogonal, the last one first: their covariance
    T T' becomes R T (R T)' with R T lower triangular again, the same model in coordinates that do
    not depend on where a covariate has its zero. Other structures are not free to do so.

    Parameters
    ----------
    design : Design
    b : int
        Grouping factor.
    root : ndarray, shape (n,) or (0,)
        Roots of weights; empty for none.

    Returns
    -------
    ndarray, shape (k_b, k_b)
    """
    Z = design.factors[b].Z
    R = np.eye(Z.shape[1])
    for term in design.terms:
        k = len(term.names)
        if term.factor == b and term.structure == "us" and k > 1:
            back = orthogonaliser(Z[:, term.columns][:, ::-1], root)
            if back is not None:
                R[term.columns, term.columns] = back[::-1, ::-1]
    return R


def standard_rows(Z: np.ndarray, R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of Z R^{-1}, but for the scales, (k,), that their columns are still to be divided by."""
    scale = np.diagonal(R)
    if np.count_nonzero(R) == np.count_nonzero(scale):
        return Z, scale
    inverse = lapack.dtrtri(R, lower=1)[0]
    return Z @ inverse, np.ones(len(R))


def response_less_offset(design) -> np.ndarray:
    """y, less the offset if there is one, (n,)."""
    return design.y if design.offset is None else design.y - design.offset


def _root_weights(design) -> np.ndarray:
    return _EMPTY if design.weights is None else np.sqrt(design.weights)


def pair_pattern(
    codes_b: np.ndarray, codes_c: np.ndarray, levels_b: int, levels_c: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of levels that share a row, as sorted compressed rows."""
    if levels_b * levels_c <= DENSE_PAIRS:
        seen = np.zeros((levels_b, levels_c), dtype=bool)
        seen[codes_b, codes_c] = True
        indptr = np.zeros(levels_b + 1, dtype=np.int64)
        np.cumsum(seen.sum(axis=1), out=indptr[1:])
        return indptr, seen.nonzero()[1].astype(np.int32)
    ones = np.ones(codes_b.size, dtype=np.int8)
    pattern = sp.coo_array((ones, (codes_b, codes_c)), shape=(levels_b, levels_c)).tocsr()
    pattern.sort_indices()
    return pattern.indptr.astype(np.int64), pattern.indices.astype(np.int32)


def _pattern_of_pairs(factors) -> dict[tuple[int, int], PairBlocks]:
    """Zeros for each pair of grouping factors, on the pattern of the levels seen together."""
    pairs = {}
    for b, fb in enumerate(factors):
        for c in range(b + 1, len(factors)):
            fc = factors[c]
            indptr, indices = pair_pattern(fb.codes, fc.codes, len(fb.levels), len(fc.levels))
            values = np.zeros((indices.size, fb.Z.shape[1], fc.Z.shape[1]))
            pairs[b, c] = PairBlocks(indptr, indices, values)
    return pairs
