"""The logarithm of the probability of an interval, with derivatives, exact in both tails.

l(x) = log(F(a + x) - F(b + x)) with a > b, for the distribution functions F that are inverse links.
Differences of F are made of quantities without cancellation: products for the logistic and the
extreme-value distributions, the angle between two directions for Cauchy's, and for the normal one
the smaller tails, or a series about the middle where the interval is narrow.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np

from .links.base import Link

Array: TypeAlias = np.ndarray

# As in linalg/kernels/density.pxi.
NARROW = 0.01
LOG_ROOT_TAU = 0.5 * float(np.log(2.0 * np.pi))
FINITE_EXP = 700.0


class Interval(NamedTuple):
    """l and its derivatives: d1, d2, d3 in x; v, v1, v2 those of l, d1 and d2 in a.

    What they are in b follows: a change of a and b by the same is one of x.
    """

    value: Array
    d1: Array
    d2: Array
    d3: Array
    v: Array
    v1: Array
    v2: Array


def log_interval(link: Link, a: Array, b: Array) -> Interval:
    """l at x = 0; a may be infinite, b minus infinite."""
    a, b = np.broadcast_arrays(np.asarray(a, dtype=float), np.asarray(b, dtype=float))
    top, bottom = np.isposinf(a), np.isneginf(b)
    inside = ~top & ~bottom
    out = np.zeros((7, *a.shape))
    with np.errstate(all="ignore"):
        if inside.any():
            out[:, inside] = INTERVALS[link.name](a[inside], b[inside])
        if (only := bottom & ~top).any():
            p = np.array(link.log_probabilities(a[only])[:4])
            out[:, only] = [*p, *p[1:]]
        if (only := top & ~bottom).any():
            out[:4, only] = link.log_probabilities(b[only])[4:]
    return Interval(*out)


def _logistic(a: Array, b: Array) -> tuple[Array, ...]:
    """F(a) (1 - F(b)) (1 - exp(b - a))."""
    e, f = np.exp(-np.abs(a)), np.exp(-np.abs(b))
    value = np.minimum(a, 0.0) - np.maximum(b, 0.0) - np.log1p(e) - np.log1p(f)
    p, q = np.where(a < 0.0, e, 1.0) / (1.0 + e), np.where(a < 0.0, 1.0, e) / (1.0 + e)
    s, t = np.where(b < 0.0, f, 1.0) / (1.0 + f), np.where(b < 0.0, 1.0, f) / (1.0 + f)
    v1, v2 = -p * q, -p * q * (q - p)
    gap = np.log(-np.expm1(b - a))
    return value + gap, q - s, v1 - s * t, v2 - s * t * (t - s), q + 1.0 / np.expm1(a - b), v1, v2


def _exponential(a: Array, b: Array) -> tuple[Array, ...]:
    """F(z) = 1 - exp(-exp(z)): -exp(b) + log(1 - exp(-exp(b + c))), c = log(exp(a - b) - 1)."""
    h, e, k = _tail(b, a - b)
    return (
        h[0] - e, h[1] - e, h[2] - e, h[3] - e,
        (1.0 + k) * h[1], (1.0 + k) * h[2], (1.0 + k) * h[3],
    )  # fmt: skip


def _reversed(a: Array, b: Array) -> tuple[Array, ...]:
    """F(z) = exp(-exp(-z)), which is 1 less that of -z."""
    h, e, k = _tail(-a, a - b)
    return (
        h[0] - e, e - h[1], h[2] - e, e - h[3], e + k * h[1], -e - k * h[2], e + k * h[3],
    )  # fmt: skip


def _tail(lower: Array, d: Array) -> tuple[tuple[Array, ...], Array, Array]:
    from .links.probability import Cloglog

    h = Cloglog().log_probabilities(lower + d + np.log(-np.expm1(-d)))
    return h[:4], np.exp(np.minimum(lower, FINITE_EXP)), 1.0 / np.expm1(d)


def _normal(a: Array, b: Array) -> tuple[Array, ...]:
    from scipy.special import log_ndtr

    narrow = (a - b) * (1.0 + 0.5 * np.abs(a + b)) < NARROW
    right = a + b > 0.0
    high, low = log_ndtr(np.where(right, -b, a)), log_ndtr(np.where(right, -a, b))
    value = high + np.log(-np.expm1(low - high))
    A = np.exp(-0.5 * a * a - LOG_ROOT_TAU - value)
    B = np.exp(-0.5 * b * b - LOG_ROOT_TAU - value)
    wide = _by_densities(
        value, A, -a * A, (a * a - 1.0) * A,
        A - B, b * B - a * A, (a * a - 1.0) * A - (b * b - 1.0) * B,
    )  # fmt: skip
    if not narrow.any():
        return wide
    return tuple(np.where(narrow, n, w) for n, w in zip(_narrow(a, b), wide, strict=True))


def _narrow(a: Array, b: Array) -> tuple[Array, ...]:
    """phi(m) d (1 + He2(m) d^2 / 24 + He4(m) d^4 / 1920) with d = a - b about the middle m."""
    d, m = a - b, 0.5 * (a + b)
    r, t, m2 = d**2 / 24.0, d**4 / 1920.0, m * m
    He2, He4 = m2 - 1.0, (m2 - 6.0) * m2 + 3.0
    g = 1.0 + He2 * r + He4 * t
    k1 = (2.0 * m * r + (4.0 * m2 - 12.0) * m * t) / g
    k2 = (2.0 * r + (12.0 * m2 - 12.0) * t) / g
    k3 = 24.0 * m * t / g
    gd = (2.0 * He2 * r + 4.0 * He4 * t) / (d * g)
    gd1 = (4.0 * m * r + 4.0 * (4.0 * m2 - 12.0) * m * t) / (d * g) - k1 * gd
    gd2 = (4.0 * r + 4.0 * (12.0 * m2 - 12.0) * t) / (d * g) - k2 * gd
    d1, d2 = k1 - m, k2 - k1 * k1 - 1.0
    d3 = k3 - 3.0 * k1 * k2 + 2.0 * k1**3
    value = -0.5 * m2 - LOG_ROOT_TAU + np.log(d * g)
    v, v1 = 0.5 * d1 + 1.0 / d + gd, 0.5 * d2 + gd1
    return value, d1, d2, d3, v, v1, 0.5 * d3 + gd2 - 2.0 * k1 * gd1


def _cauchy(a: Array, b: Array) -> tuple[Array, ...]:
    d, S, T, ab = a - b, 1.0 + a * a, 1.0 + b * b, a * b
    p = np.arctan2(d, 1.0 + ab)
    r, A = d / (p * S * T), 1.0 / (S * p)
    return _by_densities(
        np.log(p / np.pi), A, -2.0 * a * A / S, (6.0 * a * a - 2.0) * A / (S * S), -r * (a + b),
        -2.0 * r * (1.0 - 2.0 * ab - ab * (a * a + ab + b * b)) / (S * T),
        -r * (a + b) * (6.0 * (S + T) / (S * T) - 8.0 * (S / T + T / S + 1.0) / (S * T)),
    )  # fmt: skip


def _by_densities(
    value: Array, A0: Array, A1: Array, A2: Array, e1: Array, e2: Array, e3: Array
) -> tuple[Array, ...]:
    """From f and its derivatives at a, and what these are more than at b, all over F(a) - F(b)."""
    v1 = A1 - e1 * A0
    d3 = e3 - 3.0 * e1 * e2 + 2.0 * e1**3
    return value, e1, e2 - e1 * e1, d3, A0, v1, A2 - e2 * A0 - 2.0 * e1 * v1


INTERVALS = {
    "logit": _logistic,
    "probit": _normal,
    "cloglog": _exponential,
    "loglog": _reversed,
    "cauchit": _cauchy,
}
