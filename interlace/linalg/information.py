"""The inverse of an information matrix, where the data determine it."""

from __future__ import annotations

from math import e, isfinite, prod
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from .triangular import solve_triangle

__all__ = [
    "Information",
    "covariance_of",
    "determined_root",
    "floored_inverse",
    "inverse_where_determined",
    "least_eigenvalue",
    "side_by_side",
    "variance_of",
]

# Eigenvalues below this share of the largest (after scaling to unit diagonal) carry no information.
INFORMATION_SHARE = 1e-10
# A parameter's share in a direction, relative to its size, that is rounding.
NEGLIGIBLE_SHARE = 1e-5


class Information(NamedTuple):
    """What a covariance matrix is the inverse of, for those who may not ask for it.

    Attributes
    ----------
    curvature : (n, n) ndarray
        Of the deviance.
    natural : (m, n) ndarray
        From the parameters of the curvature to those of the covariance matrix.
    """

    curvature: np.ndarray
    natural: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """The covariance matrix, (m, m): twice the inverse where the data determine it."""
        return 2.0 * inverse_where_determined(self.curvature, self.natural)


def inverse_where_determined(
    H: np.ndarray, A: np.ndarray | None = None, share: float = INFORMATION_SHARE
) -> np.ndarray:
    """A H^{-1} A' on the directions that a symmetric H (n, n) determines, for A (m, n), else I.

    Lost are eigenvalues below ``share`` of the largest, after scaling to unit diagonal. A parameter
    with a share in a lost direction (on a boundary, at infinity, not identified) has an infinite
    variance and no covariances (nan).

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.linalg.information import inverse_where_determined
    >>> inverse_where_determined(np.diag([4.0, 0.0]))
    array([[0.25,  nan],
           [ nan,  inf]])
    """
    half, lost = _determined(H, A, share)
    out = half @ half.T
    if lost.size:
        out[lost] = out[:, lost] = np.nan
        out[lost, lost] = np.inf
    return out


def determined_root(
    H: np.ndarray, A: np.ndarray | None = None, share: float = INFORMATION_SHARE
) -> np.ndarray:
    """Some (m, r) matrix R with RR' = A H^+ A', the lost directions left out."""
    return _determined(H, A, share)[0]


def _determined(H: np.ndarray, A: np.ndarray | None, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Root of the inverse on the determined directions, and the parameters that are not."""
    if not isfinite(np.vdot(H, H)) and not np.isfinite(H).all():
        H = np.zeros_like(H)
    size = np.abs(H.diagonal())
    scale = 1.0 / np.sqrt(np.where(size > np.finfo(float).tiny, size, 1.0))
    B = np.diag(scale) if A is None else A * scale
    scaled = H * scale[:, None] * scale
    R, failed = lapack.dpotrf(scaled, clean=0) if H.size else (scaled, 1)
    if not failed and least_eigenvalue(R) > share * len(H):
        return solve_triangle(R, B.T, transposed=True).T, np.empty(0, dtype=np.intp)
    values, vectors = np.linalg.eigh(scaled)
    keep = values > share * max(float(values.max(initial=0.0)), np.finfo(float).tiny)
    rows = np.linalg.norm(B, axis=1, keepdims=True)
    reached = np.abs(B @ vectors[:, ~keep]) > NEGLIGIBLE_SHARE * rows
    return B @ (vectors[:, keep] / np.sqrt(values[keep])), np.flatnonzero(reached.any(axis=1))


def least_eigenvalue(R: np.ndarray) -> float:
    """A bound that no eigenvalue of R'R is below, for a Cholesky factor R of unit diagonal R'R.

    Eigenvalues of sum n and least one m have at most the product m (n / (n - 1))^(n - 1) < m e.
    """
    return prod(R.diagonal().tolist()) ** 2 / e


def floored_inverse(H: np.ndarray, floor: float) -> np.ndarray:
    """H^+ over the eigenvalues above a floor, after scaling to unit diagonal."""
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diagonal(H)), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(H * scale[:, None] * scale)
    keep = values > floor
    half = vectors[:, keep] / np.sqrt(values[keep])
    return (half @ half.T) * scale[:, None] * scale


def side_by_side(*blocks: np.ndarray) -> np.ndarray:
    """The block diagonal matrix of square blocks (SciPy's takes 0.1 ms)."""
    size = sum(map(len, blocks))
    out, start = np.zeros((size, size)), 0
    for block in blocks:
        end = start + len(block)
        out[start:end, start:end] = block
        start = end
    return out


def covariance_of(L: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """L cov L' for L (r, n), with what is not finite kept to the rows that it reaches."""
    if np.isfinite(cov).all():
        return L @ cov @ L.T
    lost = ~np.isfinite(np.diagonal(cov))
    out = L @ np.where(lost[:, None] | lost, 0.0, cov) @ L.T
    reached = np.flatnonzero((L[:, lost] != 0.0).any(axis=1))
    out[reached] = out[:, reached] = np.nan
    out[reached, reached] = np.inf
    return out


def variance_of(L: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """The diagonal of `covariance_of`, (r,)."""
    lost = ~np.isfinite(np.diagonal(cov))
    if not lost.any():
        return np.sum((L @ cov) * L, axis=1)
    known = np.where(lost[:, None] | lost, 0.0, cov)
    return np.where((L[:, lost] != 0.0).any(axis=1), np.inf, np.sum((L @ known) * L, axis=1))
