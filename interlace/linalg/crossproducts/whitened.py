"""Cross-products of rows whose residuals are correlated or of unequal variance.

With R = W^{-1}W^{-T} the rows W[y X Z] are those of a model with independent residuals, and all of
its cross-products are theirs. They are made anew for each W; what does not depend on it, the
standardisation of X and Z and the pairs of levels that meet, is made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import lapack

from .blocks import pair_patterns, zero_blocks
from .linear import (
    CrossProducts,
    LinearRows,
    RowBlock,
    effect_root,
    many_factor_sums,
    one_factor_sums,
)
from .standardise import Standardisation, standardise, standardised

__all__ = ["RowsToWhiten", "rows_to_whiten", "whitened_products"]

EMPTY = np.empty(0)


@dataclass(frozen=True, eq=False)
class RowsToWhiten:
    """Rows sorted as W takes them, [e X Z] side by side and standardised.

    Attributes
    ----------
    columns : ndarray, shape (n, 1 + p + K)
        The residual of y, less the offset, on X, then X and all Z, times the roots of the prior
        weights.
    std : Standardisation
        Of X; gamma are the coefficients of that residual.
    widths : tuple of int
        Columns of each Z.
    codes : tuple of int32 ndarray, shape (n,)
    n_levels : tuple of int
    patterns : dict
        Of pairs of levels, see `pair_patterns`.
    z_roots : list of ndarray, shape (k_b, k_b)
        Z = (standardised Z) R.
    log_weights : float
    root : ndarray, shape (n,) or (0,)
        Roots of the prior weights.
    order : ndarray of int, shape (n,), or None
        Row of the data of each of these rows; None where they are in its order.
    """

    columns: np.ndarray
    std: Standardisation
    widths: tuple[int, ...]
    codes: tuple[np.ndarray, ...]
    n_levels: tuple[int, ...]
    patterns: dict
    z_roots: list[np.ndarray]
    log_weights: float
    root: np.ndarray
    order: np.ndarray | None

    @property
    def p(self) -> int:
        """Columns of X."""
        return self.std.gamma.size

    def sorted(self, values: np.ndarray) -> np.ndarray:
        """Values of the data's rows in the order of these."""
        return values if self.order is None else values[self.order]

    def with_response(self, y: np.ndarray) -> RowsToWhiten:
        """The same rows with another response less the offset, (n,) as in the data."""
        y = self.sorted(y)
        if self.root.size:
            y = y * self.root
        columns = self.columns.copy()
        X = columns[:, 1 : 1 + self.p]
        gamma = X.T @ y
        columns[:, 0] = y - X @ gamma
        return replace(self, columns=columns, std=replace(self.std, gamma=gamma))

    def recentred(self, gamma: np.ndarray) -> RowsToWhiten:
        """The same rows with other coefficients taken from the response, (p,)."""
        columns = self.columns.copy()
        columns[:, 0] -= columns[:, 1 : 1 + self.p] @ (gamma - self.std.gamma)
        return replace(self, columns=columns, std=replace(self.std, gamma=gamma))

    def enlarged(self, by: Sequence[np.ndarray]) -> RowsToWhiten:
        """The same with the columns of each Z multiplied, (k_b,)."""
        columns = self.columns.copy()
        columns[:, 1 + self.p :] *= np.concatenate(by)
        roots = [R / s[:, None] for R, s in zip(self.z_roots, by, strict=True)]
        return replace(self, columns=columns, z_roots=roots)

    def effects(self, D: np.ndarray) -> list[np.ndarray]:
        """Each Z (n, k_b) of columns side by side."""
        out, start = [], 1 + self.p
        for k in self.widths:
            out.append(D[:, start : start + k])
            start += k
        return out


def rows_to_whiten(rows: LinearRows, order: np.ndarray | None) -> RowsToWhiten:
    """The rows of a linear model in another order, their columns standardised."""
    std = standardise(rows.X, rows.intercept, rows.root, rows.y)
    X = standardised(rows.X, std, None)
    roots = [_unit_root(Z, free, rows.root) for Z, free in zip(rows.Z, rows.free, strict=True)]
    Z = [z @ lapack.dtrtri(R, lower=1)[0] for z, R in zip(rows.Z, roots, strict=True)]
    columns = np.column_stack([rows.y - X @ std.gamma, X, *Z])
    root, codes = rows.root, rows.codes
    if root.size:
        columns *= root[:, None]
    if order is not None:
        columns, codes = columns[order], tuple(c[order] for c in codes)
        root = root[order] if root.size else root
    return RowsToWhiten(
        columns=np.ascontiguousarray(columns),
        std=std,
        widths=tuple(z.shape[1] for z in Z),
        codes=codes,
        n_levels=rows.n_levels,
        patterns=pair_patterns(codes, rows.n_levels) if len(codes) > 1 else {},
        z_roots=roots,
        log_weights=rows.log_weights,
        root=root,
        order=order,
    )


def _unit_root(Z: np.ndarray, free: Sequence[slice], root: np.ndarray) -> np.ndarray:
    """R (k, k), lower triangular, with Z R^{-1} orthogonal and of unit root mean square."""
    R = effect_root(Z, free, root)
    standard = Z @ lapack.dtrtri(R, lower=1)[0]
    if root.size:
        standard = standard * root[:, None]
    square = np.mean(standard * standard, axis=0)
    return np.sqrt(np.where(square > 0.0, square, 1.0))[:, None] * R


def whitened_products(rows: RowsToWhiten, D: np.ndarray, logdet: float) -> CrossProducts:
    """The cross-products of the whitened columns D = W [e X Z], with logdet = -2 log|W|."""
    p, std = rows.p, rows.std
    X = np.ascontiguousarray(D[:, 1 : 1 + p])
    y = D[:, 0] + X @ std.gamma
    Xy = np.empty((len(y), p + 1))
    Xy[:, :p], Xy[:, p] = X, D[:, 0]
    Z = [np.ascontiguousarray(z) for z in rows.effects(D)]
    z = zero_blocks(rows.n_levels, rows.widths, rows.patterns)
    ZXy = [np.zeros((levels, k, p + 1)) for levels, k in zip(z.n_levels, z.widths)]
    blocks, levels = [RowBlock(rows.codes, Z, EMPTY, Xy)], None
    if len(Z) == 1:
        XyXy, levels = one_factor_sums(blocks, z.diagonal[0], ZXy[0])
    elif Z:
        XyXy = many_factor_sums(blocks, z, ZXy)
    else:
        XyXy = Xy.T @ Xy
    linear = LinearRows(
        y, X, None, EMPTY, rows.log_weights - logdet, rows.codes, rows.n_levels, tuple(Z), ()
    )
    eyes = [np.eye(k) for k in rows.widths]
    return CrossProducts(linear, y, z, ZXy, XyXy, eyes, std, levels, _columns=X)
