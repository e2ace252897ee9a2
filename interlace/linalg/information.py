"""The inverse of an information matrix, where the data determine it."""

from __future__ import annotations

import numpy as np

__all__ = ["inverse_where_determined"]

# Eigenvalues below this share of the largest (after scaling to unit diagonal) carry no information.
INFORMATION_SHARE = 1e-10
# A parameter's share in a direction, relative to its size, that is rounding.
NEGLIGIBLE_SHARE = 1e-5


def inverse_where_determined(
    H: np.ndarray, A: np.ndarray | None = None, share: float = INFORMATION_SHARE
) -> np.ndarray:
    """A H^{-1} A' on the directions that H determines; lost directions have infinite variance.

    Parameters
    ----------
    H : ndarray, shape (n, n)
        Symmetric.
    A : ndarray, shape (m, n), optional
        From the parameters of H to those wanted; default the same.
    share : float
        Eigenvalues below this share of the largest, after scaling to unit diagonal, are lost.

    Returns
    -------
    ndarray, shape (m, m)
        A parameter with a share in a direction of no or negative curvature (on a boundary, at
        infinity, not identified) has an infinite variance and no covariances (nan).

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.linalg.information import inverse_where_determined
    >>> inverse_where_determined(np.diag([4.0, 0.0]))
    array([[0.25,  nan],
           [ nan,  inf]])
    """
    size = np.abs(np.diagonal(H))
    if not np.isfinite(H).all():
        return np.full((len(H) if A is None else len(A),) * 2, np.nan)
    scale = 1.0 / np.sqrt(np.where(size > np.finfo(float).tiny, size, 1.0))
    values, vectors = np.linalg.eigh(H * scale[:, None] * scale)
    B = np.diag(scale) if A is None else A * scale
    keep = values > share * max(float(values.max(initial=0.0)), np.finfo(float).tiny)
    half = B @ (vectors[:, keep] / np.sqrt(values[keep]))
    out = half @ half.T
    rows = np.linalg.norm(B, axis=1, keepdims=True)
    reached = np.abs(B @ vectors[:, ~keep]) > NEGLIGIBLE_SHARE * rows
    lost = np.flatnonzero(reached.any(axis=1))
    out[lost] = out[:, lost] = np.nan
    out[lost, lost] = np.inf
    return out
