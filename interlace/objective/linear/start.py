"""Starts of optimisers: variance components from second moments.

Minimum norm quadratic unbiased estimation with weights taken at zero variances, MINQUE(0)
(Rao 1971; Searle, Casella and McCulloch 1992, section 11.3): every quadratic form
y'Q Z_c Z_c'Q y and the residual sum of squares is set equal to its expectation, Q being the
projection off X.  All traces are sums of squares of the cross-products.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import isfinite

import numpy as np
from scipy.linalg import lapack

from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.wide import WIDE
from .deviance import Deviance
from .exact import degrees_of_freedom, least_squares, roughly_unexplained

# Relative standard deviations to start from are held within these: at zero the criterion is
# flat, and beyond ten the data say little more than "large".
SMALLEST_START = 0.1
LARGEST_START = 10.0
# Share of the variance that random effects explain by the moments from which on these are doubted:
# each grouping factor's residual variance has an error in proportion to the other variances.
DOUBTFUL = 0.8
# Where X and Z leave less than this share of the residual of X alone, the search begins with
# variances as large as the data say.
DOMINATED = 1e-3
# A share this small of the information on a factor is no more than rounding beside another one.
SPANNED = 1e-8
TINY = float(np.finfo(float).tiny)
# Pivots of moments of unit diagonal that are larger leave half of their digits.
FAR_FROM_SINGULAR = 1e-4
# Numbers of Z'X that are put side by side at once for pairs of levels: 0.5 MB, as caches have.
GATHERED = 65_536


def start_deviations(deviance: Deviance, smallest: float) -> list[np.ndarray]:
    """Relative standard deviation of each column of Z to start from, (k_b,).

    Those of the moments, or larger ones where the residual sum of squares of X and Z, above
    ``smallest``, says that the residual variance is far below the others.
    """
    moments = deviance.marginal.moments()
    sd = moment_start(deviance.cross, moments=moments)
    if sd is not None and _explained(sd) < DOUBTFUL:
        return sd
    beyond = _beyond_moments(deviance, smallest)
    if beyond is not None:
        return beyond
    return sd or [np.ones(k) for k in deviance.cross.z.widths]


def _explained(sd: list[np.ndarray]) -> float:
    """Sum of the shares of grouping factors in the variance, each beside the rest alone."""
    squares = [float(s.max()) ** 2 for s in sd]
    return sum(square / (1.0 + square) for square in squares)


def _beyond_moments(deviance: Deviance, smallest: float) -> list[np.ndarray] | None:
    """Standard deviations far above the residual one, of which moments know little, or None."""
    cross, marginal = deviance.cross, deviance.marginal
    left = degrees_of_freedom(cross)
    least = DOMINATED * float(cross.XyXy[-1, -1])
    if left <= 0 or roughly_unexplained(marginal) >= least:
        return None
    residual = least_squares(cross, marginal.fresh()).residual
    if not smallest < residual < least:
        return None
    sd = moment_start(cross, residual / left)
    return None if sd is None else _beside_the_largest(deviance, sd, residual / left)


def _beside_the_largest(
    deviance: Deviance, sd: list[np.ndarray], variance: float
) -> list[np.ndarray]:
    """Standard deviations again, all but the largest given this one.

    Where others are zero g_l = Z_l'V^{-1}(y - X beta) has variance sigma^2 (G_l + s^2 G_l^2);
    smaller ones are lost in the errors of plain moments. Those of a factor whose columns the
    largest one spans (nested ones) can only be seen beside it.
    """
    top = max(float(s.max()) for s in sd)
    profile = deviance.profile([np.diag(s * (s == top)) for s in sd])
    out = []
    for b, s in enumerate(sd):
        G = np.diagonal(deviance.marginal.level_sums(b)[0])
        g = deviance.marginal.projected(b) @ profile.c
        square = np.sum(g * g, axis=0) / variance
        ratio = np.maximum(square - G, 0.0) * len(g) / np.maximum(G * G, np.finfo(float).tiny)
        spanned = np.einsum("lkk->k", deviance.cross.z.diagonal[b]) * SPANNED > G
        out.append(np.where((s == top) | spanned, s, np.maximum(ratio**0.5, SMALLEST_START)))
    return out


def moment_start(
    cross: CrossProducts,
    residual: float | None = None,
    moments: tuple[np.ndarray, np.ndarray] | None = None,
) -> list[np.ndarray] | None:
    """Relative standard deviation of each standardised column of Z, (k_b,); None if inadmissible.

    A residual variance from elsewhere sets the scale whatever it is: the moments know that of much
    larger variances to few digits, if any. ``moments`` are the `second_moments`, where known.
    """
    S, v = moments or second_moments(cross)
    S[-1, -1] = cross.n - cross.p
    v[-1] = cross.XyXy[-1, -1]
    solution = _solved(S, v, cross.z.widths)
    if residual is not None:
        solution[-1] = residual
    if not (isfinite(solution.sum()) and solution[-1] > 0.0):
        return None
    with np.errstate(over="ignore"):  # of nothing that is left but rounding
        ratio = np.maximum(solution[:-1] / solution[-1], 0.0) ** 0.5
    ratio = np.maximum(ratio, SMALLEST_START)
    if residual is None:
        ratio = np.minimum(ratio, LARGEST_START)
    return [ratio[a:b] for a, b in pairwise(accumulate(cross.z.widths, initial=0))]


def second_moments(cross: CrossProducts) -> tuple[np.ndarray, np.ndarray]:
    """tr(QZ_aZ_a'QZ_cZ_c') and y'QZ_aZ_a'Qy of columns a, c of Z, Q = I - XX'.

    Their last entries, (n + 1, n + 1) and (n + 1,), are for the residual: tr(QZ_aZ_a'), and of it
    alone there is nothing yet.
    """
    z, p = cross.z, cross.p
    widths = z.widths
    stops = list(accumulate(widths, initial=0))
    n_components = stops[-1]
    S = np.zeros((n_components + 1, n_components + 1))
    v = np.zeros(n_components + 1)
    ZX = [block[:, :, :p] for block in cross.ZXy]
    for b, (A, block) in enumerate(zip(z.diagonal, ZX, strict=True)):
        sb = slice(stops[b], stops[b + 1])
        within = block @ block.transpose(0, 2, 1)
        # Columns of one level meet in A; those of different levels only through X.
        S[sb, sb] = (A * A - 2.0 * A * within).sum(axis=0) + _gram_squares(block, block)
        S[sb, -1] = S[-1, sb] = (A - within).sum(axis=0).diagonal()
        v[sb] = (cross.ZXy[b][:, :, p] ** 2).sum(axis=0)
    for (b, c), pair in z.pairs.items():
        sb, sc = slice(stops[b], stops[b + 1]), slice(stops[c], stops[c + 1])
        both = _gram_squares(ZX[b], ZX[c])
        rows, step = pair.rows, max(GATHERED // max(p * (widths[b] + widths[c]), 1), 1)
        for start in range(0, len(rows), step):
            some = slice(start, start + step)
            left, right = ZX[b][rows[some]], ZX[c][pair.indices[some]]
            A, through = pair.values[some], np.einsum("lai,lci->lac", left, right)
            both += (A * A - 2.0 * A * through).sum(axis=0)
        S[sb, sc], S[sc, sb] = both, both.T
    return S, v


def _solved(S: np.ndarray, v: np.ndarray, widths: Sequence[int]) -> np.ndarray:
    """The variances of the columns, and that of the residual last; one for all of a wide group."""
    wide = max(widths) > WIDE
    if wide:
        own = [np.arange(k) == 0 if k > WIDE else np.ones(k, dtype=bool) for k in widths]
        first = np.concatenate([*own, [True]])
        at = np.flatnonzero(first)
        S, v = np.add.reduceat(np.add.reduceat(S, at, axis=0), at, axis=1), np.add.reduceat(v, at)
    scale = 1.0 / np.sqrt(np.maximum(S.diagonal(), TINY))
    scaled, right = S * scale[:, None] * scale, v * scale
    root, failed = lapack.dpotrf(scaled, clean=0)
    if not failed and min(root.diagonal().tolist()) > FAR_FROM_SINGULAR:
        solution = scale * lapack.dpotrs(root, right)[0]
    else:
        solution = scale * np.linalg.lstsq(scaled, right, rcond=1e-10)[0]
    return solution[np.cumsum(first) - 1] if wide else solution


def _gram_squares(ZXb: np.ndarray, ZXc: np.ndarray) -> np.ndarray:
    """|X'Z_b Z_c'X|^2 for each pair of columns, (k_b, k_c), from Z'X (l, k, p) of both."""
    left = _grams(ZXb)
    right = left if ZXc is ZXb else _grams(ZXc)
    return left @ right.T


def _grams(ZX: np.ndarray) -> np.ndarray:
    """X'Z_a Z_a'X of each column a of Z, (k, p p), from Z'X (l, k, p)."""
    grams = ZX.transpose(1, 2, 0) @ ZX.transpose(1, 0, 2)
    return grams.reshape(len(grams), -1)
