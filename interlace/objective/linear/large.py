"""Variances of random effects so large beside the residual one that subtractions would lose digits.

G = Z'V^{-1}Z = A - A Lambda M^{-1} Lambda'A, A = Z'WZ, and P = Z'V^{-1}W are of the order of T^{-2}
where T is large, and what is subtracted is not. They come without from Lambda'G = M^{-1}Lambda'A,
Lambda'G Lambda = I - M^{-1} and Lambda'P = U = M^{-1}Lambda'Z'W; and W'V^{-1}W = E'E + U'U, with
the residuals E = W - Z Lambda U of the rows themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...linalg.crossproducts.blocks import ZCross

__all__ = ["inner_products", "large_factors", "projections", "typical_blocks"]

# The least eigenvalue of T'AT, A the mean over levels, from which on a factor counts as large: a
# subtraction loses this much of a sum, and the squares of y beside those of its residual.
LARGE = 1e5


def typical_blocks(z: ZCross) -> list[np.ndarray]:
    """The mean over levels of each factor's blocks of Z'WZ, (k_b, k_b)."""
    return [A.mean(axis=0) for A in z.diagonal]


def large_factors(T: Sequence[np.ndarray], blocks: Sequence[np.ndarray]) -> list[int]:
    """Grouping factors whose effects are large in every direction."""
    out = []
    for b, (t, A) in enumerate(zip(T, blocks, strict=True)):
        diagonal = np.diagonal(t) ** 2 * np.diagonal(A)  # no eigenvalue is below the least of these
        if diagonal.min() > LARGE and np.linalg.eigvalsh(t.T @ A @ t)[0] > LARGE:
            out.append(b)
    return out


def projections(U: np.ndarray, T: np.ndarray) -> np.ndarray:
    """T^{-T}U for the levels of one factor, (l k, m)."""
    k = len(T)
    return np.linalg.solve(T.T, U.reshape(-1, k, U.shape[1])).reshape(U.shape)


def inner_products(
    T: Sequence[np.ndarray],
    slices: Sequence[slice],
    large: Sequence[int],
    h: np.ndarray,
    Ah: np.ndarray,
    scaled: Callable[[np.ndarray], np.ndarray],
    solve: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """h'Gh without loss, each column of h in the rows of one factor.

    Parameters
    ----------
    T, slices : sequences of ndarray and of slice
        Templates and rows of each factor.
    large : sequence of int
        Factors to treat as such.
    h, Ah : ndarray, shape (q, r)
    scaled, solve : callable
        Lambda'R and M^{-1}R of an (q, r) array R.

    Returns
    -------
    ndarray, shape (r, r)
    """
    Y = scaled(Ah)
    first = h.T @ Ah
    sign = -np.ones(h.shape[1])
    for b in large:
        s, k = slices[b], len(T[b])
        mine = np.flatnonzero(h[s].any(axis=0))
        inverse = np.zeros((h.shape[0], mine.size))
        blocks = h[s][:, mine].reshape(-1, k, mine.size)
        inverse[s] = np.linalg.solve(T[b], blocks).reshape(-1, mine.size)
        Y[:, mine] = inverse
        first[mine] = first[:, mine] = 0.0
        first[np.ix_(mine, mine)] = inverse.T @ inverse
        sign[mine] = 1.0
    out = first - (sign[:, None] * sign) * (Y.T @ solve(Y))
    return 0.5 * (out + out.T)
