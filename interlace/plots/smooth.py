"""Cleveland's lowess, the smooth line through a cloud of points.

Cleveland (1979), as R's ``lowess``: local lines with tricube weights over a share ``f`` of the
points, ``iterations`` times with bisquare weights of the residuals; evaluated at points at least
``delta`` apart, linear between them.
"""

from __future__ import annotations

import numpy as np

SHARE = 2.0 / 3.0
ITERATIONS = 3
# R's: a hundredth of the range between two evaluations.
DELTA = 0.01
# Weights within this share of the window's half-width are one, beyond the second zero (R's).
NEAR, FAR = 0.001, 0.999
# Residuals this small beside their mean are a perfect fit (R's).
PERFECT = 1e-7
# A window narrower than this share of the range has no slope (R's).
NARROW = 0.001


def lowess(
    x: np.ndarray, y: np.ndarray, f: float = SHARE, iterations: int = ITERATIONS
) -> tuple[np.ndarray, np.ndarray]:
    """The x of the evaluations, increasing, and the smooth there."""
    order = np.argsort(x, kind="stable")
    x, y = np.asarray(x, dtype=float)[order], np.asarray(y, dtype=float)[order]
    n = x.size
    width = min(max(int(f * n + 1e-7), 2), n)
    at = _places(x, DELTA * (x[-1] - x[0]))
    windows = [_window(x, x[i], width) for i in at]
    weights = np.ones(n)
    for step in range(iterations + 1):
        fitted = np.array(
            [_local(x, y, weights, x[i], *own) for i, own in zip(at, windows, strict=True)]
        )
        known = np.isfinite(fitted)
        if step == iterations or known.sum() < 2:
            break
        rest = np.abs(y - np.interp(x, x[at][known], fitted[known]))
        scale = 6.0 * float(np.median(rest))
        if scale < PERFECT * float(rest.mean()) or scale == 0.0:
            break
        inside = np.where(rest > FAR * scale, 0.0, (1.0 - (rest / scale) ** 2) ** 2)
        weights = np.where(rest <= NEAR * scale, 1.0, inside)
    return x[at][known], fitted[known]


def _places(x: np.ndarray, delta: float) -> np.ndarray:
    """Positions of the evaluations: the last point within delta of each one before, at least."""
    places = [0]
    while x[places[-1]] < x[-1]:
        last = x[places[-1]]
        beyond = int(np.searchsorted(x, last + delta, side="right"))
        after = int(np.searchsorted(x, last, side="right"))
        places.append(min(max(after, beyond - 1), x.size - 1))
    return np.array(places)


def _window(x: np.ndarray, at: float, width: int) -> tuple[int, int, float]:
    """First and last of the ``width`` nearest points, as a slice, and the half-width."""
    # x[left + width] - at >= at - x[left] where the window stands right: monotone in left.
    low, high = 0, x.size - width
    while low < high:
        middle = (low + high) // 2
        if at - x[middle] > x[middle + width] - at:
            low = middle + 1
        else:
            high = middle
    half = max(at - x[low], x[low + width - 1] - at)
    first = max(low, int(np.searchsorted(x, at - FAR * half, side="left")))
    last = int(np.searchsorted(x, at + FAR * half, side="right"))
    return first, last, half


def _local(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, at: float, first: int, last: int, half: float
) -> float:
    """The line of weighted least squares in a window, at its middle; NaN without weights."""
    xs, ys = x[first:last], y[first:last]
    distance = np.abs(xs - at)
    w = weights[first:last].copy()
    if half > 0.0:
        w *= np.where(distance <= NEAR * half, 1.0, (1.0 - (distance / half) ** 3) ** 3)
    total = w.sum()
    if total <= 0.0:
        return np.nan
    w /= total
    mean = float(w @ xs)
    squares = float(w @ (xs - mean) ** 2)
    if np.sqrt(squares) > NARROW * (x[-1] - x[0]):
        w *= 1.0 + (at - mean) * (xs - mean) / squares
    return float(w @ ys)
