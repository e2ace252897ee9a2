"""The fixed-effects columns, centred and orthonormalised: units and large means cannot hurt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
from scipy.linalg import lapack

from ..kernels import _crossprod
from ..row_threads import PIECE_ROWS, over_rows

# Rows standardised at a time: their (rows, p + 1) copy stays in the second-level cache.
CHUNK_ROWS = 8192
# Below this smallest pivot of the scaled Gram matrix a Cholesky factor has lost half its digits,
# and the columns are orthonormalised by a QR decomposition of X itself.
GRAM_PIVOT_FLOOR = 1e-6
# Products of entries of X up to which compiled loops are done before the first call of BLAS is.
FEW_PRODUCTS = 20_000
# Above it covariates of a random-effects term are left as they are: T is found as easily.
GRAM_PIVOT_ENOUGH = 0.1
# A column of which no more than this share is left after the ones before it is one of them.
DEPENDENT = 1e-10


@dataclass(frozen=True, eq=False)
class Standardisation:
    """The standardised columns ``sqrt(w) [ (X - mean) R^{-1},  y - (X - mean) R^{-1} gamma ]``.

    With ``beta_std`` the coefficients of the first p, ``beta = back @ (beta_std + gamma)``.

    Attributes
    ----------
    mean : ndarray, shape (p,)
        What is subtracted from each column; zero without an intercept, and for it.
    R_inverse : ndarray, shape (p, p)
        Upper triangular; ``sqrt(w) (X - mean) R^{-1}`` has orthonormal columns.
    back : ndarray, shape (p, p)
        From standardised to original coefficients.
    logdet : float
        log|det back|.
    gamma : ndarray, shape (p,)
        Least-squares coefficients of y on the standardised columns.
    """

    mean: np.ndarray
    R_inverse: np.ndarray
    back: np.ndarray
    logdet: float
    gamma: np.ndarray

    @classmethod
    def of(
        cls, mean: np.ndarray, R_inverse: np.ndarray, gamma: np.ndarray, intercept: int | None
    ) -> Standardisation:
        """With the way back, in which the ``intercept`` takes what was subtracted."""
        back = R_inverse.copy()
        if intercept is not None:
            back[intercept] -= mean @ R_inverse
        logdet = float(np.add.reduce(np.log(np.abs(R_inverse.diagonal()))))
        return cls(mean, R_inverse, back, logdet, gamma)

    def enlarged(self, factor: float) -> Standardisation:
        """With standardised columns that are ``factor`` times as large."""
        R_inverse, back = self.R_inverse * factor, self.back * factor
        return Standardisation(self.mean, R_inverse, back, self.logdet, self.gamma)


def standardise(
    X: np.ndarray, intercept: int | None, root: np.ndarray, y: np.ndarray
) -> Standardisation:
    """Centres and an orthonormalising transformation of X (n, p), of full column rank.

    The ``intercept`` column of ones stays one; without it nothing is centred. ``root`` (n,) are the
    roots of weights, or empty for none; y (n,) is projected on the columns.
    """
    if len(X) * X.shape[1] ** 2 <= FEW_PRODUCTS:
        few = _of_few(X, intercept, root, y)
        if few is not None:
            return few
    mean = _centres(X, intercept, root)
    if len(X) <= PIECE_ROWS:
        gram, moment = _moments(X, root, y, mean, slice(None))
    else:
        sums = over_rows(lambda piece: _moments(X, root, y, mean, piece), len(X))
        gram, moment = (np.sum(parts, axis=0) for parts in zip(*sums, strict=True))
    R_inverse = orthonormaliser(X, root, mean, gram)
    return Standardisation.of(mean, R_inverse, R_inverse.T @ moment, intercept)


def _of_few(
    X: np.ndarray, intercept: int | None, root: np.ndarray, y: np.ndarray
) -> Standardisation | None:
    """`standardise` in one compiled pass; None where the columns need a QR decomposition."""
    p = X.shape[1]
    mean, gamma, R_inverse, back = np.empty(p), np.empty(p), np.empty((p, p)), np.empty((p, p))
    at = -1 if intercept is None else intercept
    made = R_inverse, back, gamma
    logdet = _crossprod.standardise(X, at, root, y, GRAM_PIVOT_FLOOR, mean, *made)
    return None if isnan(logdet) else Standardisation(mean, R_inverse, back, logdet, gamma)


def _moments(
    X: np.ndarray, root: np.ndarray, y: np.ndarray, mean: np.ndarray, piece: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Products of the centred columns of some rows with each other, and with y."""
    gram: Any = 0.0
    moment: Any = 0.0
    own, y = (root[piece] if root.size else root), y[piece]
    for rows, columns in _centred_chunks(X[piece], own, mean):
        gram = gram + columns.T @ columns
        moment = moment + columns.T @ (y[rows] * own[rows] if own.size else y[rows])
    return gram, moment


def orthogonaliser(Z: np.ndarray, root: np.ndarray) -> np.ndarray | None:
    """Unit upper triangular R (k, k) with the columns of sqrt(w) Z R^{-1} orthogonal.

    None if there is no need, or no such thing: the columns are linearly dependent. ``root`` (n,)
    are the roots of weights, or empty for none.
    """
    weighted = Z * root[:, None] if root.size else Z
    gram = weighted.T @ weighted
    norms = np.sqrt(gram.diagonal())
    if not norms.all():
        return None
    R, info = lapack.dpotrf(gram / (norms[:, None] * norms), lower=0, clean=1)
    least = 0.0 if info else min(R.diagonal().tolist()) ** 2
    if least > GRAM_PIVOT_ENOUGH:
        return None
    if least < GRAM_PIVOT_FLOOR:
        R = np.linalg.qr(weighted / norms, mode="r")
        if len(R) < len(norms) or np.abs(np.diagonal(R)).min() < DEPENDENT:
            return None
    return R / R.diagonal()[:, None] * (norms / norms[:, None])


def standard_columns(
    X: np.ndarray, root: np.ndarray, std: Standardisation
) -> Iterator[tuple[slice, np.ndarray]]:
    """Chunks of rows and their standardised columns, times the roots of the weights."""
    for rows, columns in _centred_chunks(X, root, std.mean):
        yield rows, columns @ std.R_inverse


def standardised(X: np.ndarray, std: Standardisation, order: np.ndarray | None) -> np.ndarray:
    """The standardised columns of all rows, in another order if one is given, (n, p)."""
    if len(X) <= CHUNK_ROWS:
        return ((X if order is None else X[order]) - std.mean) @ std.R_inverse
    out = np.empty(X.shape)

    def fill(piece: slice) -> None:
        for rows in chunks(piece):
            chosen = X[rows] if order is None else X[order[rows]]
            np.matmul(chosen - std.mean, std.R_inverse, out=out[rows])

    over_rows(fill, len(X))
    return out


def chunks(piece: slice) -> Iterator[slice]:
    """A piece of the rows, a chunk at a time."""
    for start in range(piece.start, piece.stop, CHUNK_ROWS):
        yield slice(start, min(start + CHUNK_ROWS, piece.stop))


def intercept_column(names: Sequence[str]) -> int | None:
    """Index of the intercept among the columns of X, or None."""
    return list(names).index("Intercept") if "Intercept" in names else None


def _centres(X: np.ndarray, intercept: int | None, root: np.ndarray) -> np.ndarray:
    mean = np.zeros(X.shape[1])
    if intercept is None:
        return mean
    if root.size == 0:
        mean = np.add.reduce(X, axis=0) / X.shape[0]
    else:
        mean = (root * root) @ X / (root @ root)
    mean[intercept] = 0.0
    return mean


def _centred_chunks(
    X: np.ndarray, root: np.ndarray, mean: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    for rows in chunks(slice(0, X.shape[0])):
        columns = X[rows] - mean
        if root.size:
            columns *= root[rows, None]
        yield rows, columns


def orthonormaliser(
    X: np.ndarray, root: np.ndarray, mean: np.ndarray, gram: np.ndarray
) -> np.ndarray:
    """R^{-1}, upper triangular, that makes the columns sqrt(w) (X - mean) orthonormal."""
    p = gram.shape[0]
    if p == 0:
        return gram
    norms = np.sqrt(gram.diagonal())
    R, info = lapack.dpotrf(gram / (norms[:, None] * norms), lower=0, clean=1)
    if info or min(R.diagonal().tolist()) ** 2 < GRAM_PIVOT_FLOOR:
        whole = np.concatenate([c for _, c in _centred_chunks(X, root, mean)])
        R = np.linalg.qr(whole / norms, mode="r")
    inverse, _ = lapack.dtrtri(R)
    return inverse / norms[:, None]
