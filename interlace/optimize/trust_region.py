"""Trust-region Newton on an unconstrained vector, sure of itself at saddles and flat boundaries."""

from __future__ import annotations

from math import inf, isfinite

import numpy as np

from ..errors import NumericalError
from ..linalg.kernels import _trust
from ..objective.base import Evaluation, Objective
from .curvature import SUSPECT_SHARE

# First radius, in units of standardised parameters: theta is mostly between 0 and 3.
FIRST_RADIUS = 1.0
LARGEST_RADIUS = 1e4
# Stop when the step ahead promises less than this. It is still taken, which leaves about the
# square of the promise where the curvature is the Hessian, and a tenth of it elsewhere.
PROMISE_EXACT = 1e-7
PROMISE_TOLERANCE = 1e-10
# A curvature below this share of the largest counts as flat.
FLAT_SHARE = 1e-10
# Share of a curvature that the last step may leave unknown: more is computed anew at its end.
BENT_SHARE = 2e-3
# No curvature changes by that share along a shorter step: at worst it is the square of a parameter,
# and what is nearer to zero than 1e-5 is put on it (`SNAP_TOLERANCE`).
STRAIGHT = 1e-8
# The criterion's rounding error, relative: log|M| and the residual sum are sums of n terms; and how
# many times that a difference of two values may be.
VALUE_NOISE = 1e-12
NOISE_OF_DIFFERENCE = 4.0
MAX_ITERATIONS = 200

Log = list[tuple[np.ndarray, float]]  # accepted points and their values
Run = tuple[np.ndarray, Evaluation, Log]  # the last point, and what holds there


def newton(objective: Objective, x: np.ndarray, max_evaluations: int | None = None) -> Run:
    """Minimise with exact gradients and curvature; the log holds the accepted points.

    Negative eigenvalues of the curvature are reflected. Where the gradient has no component
    along a direction of negative curvature (a variance at zero that ought not to be there:
    the criterion is even in its standard deviation) the step leaves along it.
    """
    here = objective.evaluate(x)
    log = [(x, here.value)]
    radius = FIRST_RADIUS
    before: tuple[np.ndarray, float] | None = None
    for _ in range(max_evaluations or MAX_ITERATIONS):
        step, promise, length, polish, share = trust_step(here.gradient, here.curvature, radius)
        if promise <= (PROMISE_EXACT if here.exact else PROMISE_TOLERANCE):
            anew = share < SUSPECT_SHARE or (here.exact and _bends(before, here, promise, length))
            return _polish(objective, x, here, polish, anew, log)
        there = try_evaluate(objective, x + step)
        gain = -inf if there is None else here.value - there.value
        ratio = gain_ratio(gain, promise, here, there)
        radius = next_radius(radius, ratio, length)
        if there is not None and ratio > 1e-4:
            before = here.curvature, promise
            x, here = x + step, there
            log.append((x, here.value))
        elif length < 1e-12:
            break
    return x, here, log


def _bends(
    before: tuple[np.ndarray, float] | None, here: Evaluation, promise: float, length: float
) -> bool:
    """Whether the curvature will change in the last step, by what it did in the one before.

    Where a curvature is small, near a variance of zero, a step of 1e-4 of a standard error may be
    as long as the parameter: then the curvature changes with its square. Steps are as long as the
    roots of what they promise.
    """
    if length < STRAIGHT:
        return False
    if before is None:
        return True
    H, promised = before
    allowed = BENT_SHARE * (promised / promise) ** 0.5 if promise > 0.0 else inf
    return _trust.differ(here.curvature, H, allowed)


def _polish(
    objective: Objective,
    x: np.ndarray,
    here: Evaluation,
    step: np.ndarray,
    anew: bool,
    log: Log,
) -> Run:
    """Take the last Newton step, too short to be worth new derivatives.

    Gradient and curvature stay those of the point before it: the certificate then vouches for
    no more than what was computed. They are computed anew where the curvature is nearly flat, since
    off the optimum a gradient hides how flat it is, and where it changes on the way.
    """
    final = objective.snap(x + step)
    there = try_evaluate(objective, final, order=2 if anew else 0)
    if there is None or there.value > here.value + value_noise(here.value):
        return x, here, log
    log.append((final, there.value))
    return final, there if anew else here._replace(value=there.value), log


def value_noise(value: float) -> float:
    """Rounding of a criterion of this size, as far as comparisons go."""
    return NOISE_OF_DIFFERENCE * VALUE_NOISE * max(1.0, abs(value))


def gain_ratio(gain: float, promise: float, here: Evaluation, there: Evaluation | None) -> float:
    """Gain over promise; by the gradients where the values can no longer tell."""
    if there is None:
        return -inf
    if promise < value_noise(here.value) and abs(gain) <= value_noise(here.value):
        smaller = np.linalg.norm(there.gradient) < np.linalg.norm(here.gradient)
        return 1.0 if smaller else -1.0
    return gain / promise


def next_radius(radius: float, ratio: float, length: float) -> float:
    """The radius after a step of this length and ratio of gain to promise."""
    if ratio < 0.25:
        return 0.25 * length
    if ratio > 0.75 and length > 0.9 * radius:
        return min(3.0 * radius, LARGEST_RADIUS)
    return radius


def try_evaluate(objective: Objective, x: np.ndarray, order: int = 2) -> Evaluation | None:
    """The evaluation, or None where there is no finite value."""
    try:
        there = objective.evaluate(x, order)
    except NumericalError:
        return None
    return there if isfinite(there.value) else None


def trust_step(
    g: np.ndarray, H: np.ndarray, radius: float
) -> tuple[np.ndarray, float, float, np.ndarray, float]:
    """The step within ``radius`` that the reflected quadratic model likes best.

    With it the decrease that the model promises, the length of the step, the Newton step without
    the radius, and the lowest eigenvalue of H over the largest in absolute value, which may be
    larger than what is returned where that is no less than `SUSPECT_SHARE`.
    """
    n = g.size
    step, free = np.empty(n), np.empty(n)
    if not n:
        return step, 0.0, 0.0, free, 1.0
    work = np.empty((4, 3 * n))
    promise, length, lowest, top = _trust.trust_step(
        g, H.copy(), radius, FLAT_SHARE, step, free, work
    )
    if promise != promise:
        raise NumericalError("the curvature of the criterion is not finite; try another theta0")
    return step, promise, length, free, lowest / top
