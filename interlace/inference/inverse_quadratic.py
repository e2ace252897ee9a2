"""z'M^{-1}z of rows: what a row's own random effects add to the variance of its prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..linalg.crossproducts.blocks import PairBlocks
from ..linalg.factor.base import Factor
from ..objective.linear.marginal import Marginal

# Right-hand sides of one solve: (q, CHUNK) doubles stay within some tens of MB.
CHUNK = 512

#: Codes (r,), -1 for a level that the fit does not know, and Lambda'z (r, k_b) of one factor.
Star = tuple[np.ndarray, np.ndarray]


def inverse_quadratic(factor: Marginal | Factor, stars: Sequence[Star]) -> np.ndarray:
    """z*'M^{-1}z* of each row, (r,), from (codes, z*) of each grouping factor.

    Only entries of M^{-1} at levels that meet in a row enter. Those that met in a row of the fit
    are in the selected inverse; rows that bring levels together for the first time are solved for.
    """
    out = np.zeros(len(stars[0][0]))
    for b, (codes, star) in enumerate(stars):
        if star.any():
            at = np.flatnonzero(codes >= 0)
            blocks = factor.inverse_blocks(b)
            out[at] += _products(star[at], blocks, codes[at], star[at])
    fresh = np.zeros(out.size, dtype=bool)
    used = [b for b, (_, star) in enumerate(stars) if star.any()]
    if len(used) > 1:
        values = factor.inverse_pairs()
        for i, b in enumerate(used):
            for c in used[i + 1 :]:
                place = _places(factor.pattern.pairs[b, c], stars[b][0], stars[c][0])
                at = np.flatnonzero(place >= 0)
                out[at] += 2.0 * _products(
                    stars[b][1][at], values[b, c], place[at], stars[c][1][at]
                )
                fresh |= place == -1
    if fresh.any():
        out[fresh] = _by_solving(factor, [(codes[fresh], star[fresh]) for codes, star in stars])
    return out


def _products(
    left: np.ndarray, blocks: np.ndarray, places: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """left'B right of each row with its own block B."""
    if blocks.shape[1:] == (1, 1):
        return left[:, 0] * blocks[:, 0, 0][places] * right[:, 0]
    return np.einsum("ri,rij,rj->r", left, blocks[places], right)


def _places(pair: PairBlocks, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Block of each row's pair of levels; -1 if it has none, -2 if a level is unknown."""
    stride = max(int(right.max(initial=0)), int(pair.indices.max(initial=0))) + 1
    keys = pair.rows * stride + pair.indices
    entries = left.astype(np.int64) * stride + right
    place = np.minimum(np.searchsorted(keys, entries), len(keys) - 1)
    place[keys[place] != entries] = -1
    place[(left < 0) | (right < 0)] = -2
    return place


def _by_solving(factor: Marginal | Factor, stars: Sequence[Star]) -> np.ndarray:
    """z*'M^{-1}z* of each row, (r,), by one solve for each distinct row."""
    table = np.concatenate(
        [np.column_stack([codes, np.where(codes[:, None] >= 0, s, 0.0)]) for codes, s in stars],
        axis=1,
    )
    distinct, inverse = np.unique(table, axis=0, return_inverse=True)
    offsets = factor.pattern.offsets
    out = np.empty(len(distinct))
    for first in range(0, len(distinct), CHUNK):
        chunk = distinct[first : first + CHUNK]
        R = np.zeros((int(offsets[-1]), len(chunk)))
        position = 0
        for (_, star), start in zip(stars, offsets, strict=False):
            k = star.shape[1]
            codes = chunk[:, position].astype(np.int64)
            at = np.flatnonzero(codes >= 0)
            for j in range(k):
                R[start + codes[at] * k + j, at] = chunk[at, position + 1 + j]
            position += 1 + k
        out[first : first + CHUNK] = np.einsum("qr,qr->r", R, factor.solve(R))
    return out[inverse.ravel()]
