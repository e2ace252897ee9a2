"""Cross-products of a design: the one pass over its rows.

Linear models need nothing else of the data (Bates et al. 2015, section 3.4).  The fixed-effects
columns are centred and orthonormalised and the response replaced by its residual on them before
any product is formed, so that large means and scales cannot cancel digits; the columns of Z are
scaled to unit root mean square, which makes theta comparable between covariates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from .kernels import _crossprod
from .pattern import PairBlocks, ZCross
from .standard import Standardisation, intercept_column, standard_columns, standardise

# A table of levels by levels up to this size is scanned faster than rows are sorted.
DENSE_PAIRS = 100_000

_EMPTY = np.empty(0)


@dataclass(eq=False)
class CrossProducts:
    """Everything a linear mixed model needs of its data.

    Attributes
    ----------
    z : ZCross
        Z'WZ with every column of Z divided by its scale.
    ZW : list of ndarray, shape (l_b, k_b, p + 1)
        Z_b' W for each grouping factor, the response last.
    WW : ndarray, shape (p + 1, p + 1)
        W'W.
    z_scale : list of ndarray, shape (k_b,)
        Root mean square of each column of Z.
    standardisation : Standardisation
    n, p : int
        Rows and fixed-effects columns.
    log_weights : float
        Sum of log prior weights.
    """

    z: ZCross
    ZW: list[np.ndarray]
    WW: np.ndarray
    z_scale: list[np.ndarray]
    standardisation: Standardisation
    n: int
    p: int
    log_weights: float
    design: Any = field(repr=False)  # whose rows these are (of another response, perhaps)
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

    def with_response(self, y: np.ndarray) -> CrossProducts:
        """The same model for another response: only what holds y is made anew.

        Parameters
        ----------
        y : ndarray, shape (n,)
            The response less the offset.
        """
        root = _root_weights(self.design)
        columns = self.columns
        response = y if root is _EMPTY else y * root
        gamma = columns.T @ response
        residual = response - columns @ gamma
        p = self.p
        WW = self.WW.copy()
        WW[p, :p] = WW[:p, p] = residual @ columns
        WW[p, p] = residual @ residual
        ZW = []
        for factor, scale, old in zip(self.design.factors, self.z_scale, self.ZW, strict=True):
            column = np.zeros(old.shape[:2])
            _crossprod.accumulate_response(factor.codes, factor.Z, root, residual, column)
            new = old.copy()
            np.divide(column, scale, out=new[:, :, p])
            ZW.append(new)
        old_std = self.standardisation
        std = Standardisation(old_std.mean, old_std.P, old_std.back, old_std.logdet, gamma)
        return CrossProducts(
            self.z, ZW, WW, self.z_scale, std, self.n, p, self.log_weights, self.design, columns
        )


def cross_products(design) -> CrossProducts:
    """All cross-products of a :class:`~interlace.design.Design`.

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
    X, intercept = design.X, intercept_column(design.x_names)
    std = standardise(X, intercept, root, y)
    WW = np.zeros((p + 1, p + 1))
    sizes = [(len(f.levels), f.Z.shape[1]) for f in design.factors]
    A = [np.zeros((levels, k, k)) for levels, k in sizes]
    ZW = [np.zeros((levels, k, p + 1)) for levels, k in sizes]
    whole = None
    for rows, columns in standard_columns(X, root, std):
        response = y[rows] if root is _EMPTY else y[rows] * root[rows]
        W = np.empty((columns.shape[0], p + 1))
        W[:, :p] = columns
        np.subtract(response, columns @ std.gamma, out=W[:, p])
        WW += W.T @ W
        weights = root if root is _EMPTY else root[rows]
        for factor, a, b in zip(design.factors, A, ZW, strict=True):
            _crossprod.accumulate(factor.codes[rows], factor.Z[rows], weights, W, a, b)
        if columns.shape[0] == n:
            whole = columns
    z_scale = []
    for a, b in zip(A, ZW, strict=True):
        k = a.shape[1]
        if k > 1:
            upper = np.triu_indices(k, 1)
            a[:, upper[0], upper[1]] = a[:, upper[1], upper[0]]
        mean_square = np.diagonal(a, axis1=1, axis2=2).sum(axis=0) / n
        scale = np.sqrt(np.where(mean_square > 0.0, mean_square, 1.0))
        a /= scale[:, None] * scale
        b /= scale[:, None]
        z_scale.append(scale)
    pairs = _pairs(design, root, z_scale)
    z = ZCross(tuple(s[0] for s in sizes), tuple(s[1] for s in sizes), tuple(A), pairs)
    log_weights = 0.0 if design.weights is None else float(np.log(design.weights).sum())
    return CrossProducts(z, ZW, WW, z_scale, std, n, p, log_weights, design, whole)


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


def _pairs(design, root: np.ndarray, scale: list[np.ndarray]) -> dict[tuple[int, int], PairBlocks]:
    pairs = {}
    factors = design.factors
    for b in range(len(factors)):
        for c in range(b + 1, len(factors)):
            fb, fc = factors[b], factors[c]
            indptr, indices = pair_pattern(fb.codes, fc.codes, len(fb.levels), len(fc.levels))
            values = np.zeros((indices.size, fb.Z.shape[1], fc.Z.shape[1]))
            _crossprod.accumulate_pairs(
                fb.codes, fc.codes, fb.Z, fc.Z, root, indptr, indices, values
            )
            values /= scale[b][:, None] * scale[c]
            pairs[b, c] = PairBlocks(indptr, indices, values)
    return pairs
