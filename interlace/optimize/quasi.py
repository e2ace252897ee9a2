"""Quasi-Newton in a trust region: a model curvature at the start, exact gradients from then on."""

from __future__ import annotations

from math import isfinite, sqrt

import numpy as np

from ..errors import NumericalError
from ..objective.base import Approach, Evaluation, Objective
from .curvature import final_hessian
from .trust_region import (
    FIRST_RADIUS,
    LARGEST_RADIUS,
    Log,
    Run,
    gain_ratio,
    next_radius,
    trust_step,
    try_evaluate,
    value_noise,
)

# The exact Hessian is formed where the step ahead promises less than this, a few 1e-5 standard
# errors: the Hessian of there is that of the optimum to as many digits.
PROMISE = 1e-9
# What the Hessian itself may promise to be the end all the same: its step leaves the square of it.
LAST_PROMISE = 1e-8
# After a step that promised more than this the model curvature of the new point knows more than
# updates of the old one; where it does not (it is a model), updates take over.
REFRESH = 1.0
MAX_REFRESHED = 4
MAX_ITERATIONS = 500
MAX_HESSIANS = 6
# A trust region this small means that the curvature is wrong: the Hessian is formed.
SHORTEST = 1e-9
# A symmetric rank-one update whose denominator is below this share of its factors is skipped.
SKIP_SHARE = 1e-8


def quasi_newton(objective: Objective, x: np.ndarray, max_evaluations: int | None = None) -> Run:
    """Minimise with exact gradients, symmetric rank-one updates and a last exact Hessian.

    Rank-one updates (Conn, Gould and Toint 1991) converge to the Hessian itself, negative
    curvature included, which a trust region can use; where there is no Hessian theirs is returned.
    """
    here = objective.evaluate(x, 2)
    B = here.curvature
    log = [(x, here.value)]
    radius, hessians, refreshed, saddle, done = FIRST_RADIUS, 0, 0, False, 0
    while done < (max_evaluations or MAX_ITERATIONS):
        done += 1
        if not saddle:
            start = Approach(x, here, B, radius, refreshed)
            at, ended, taken = _taken_at_once(objective, start, log)
            x, here, B, radius, refreshed = at
            done += taken
            if ended:
                return x, here, log
        step, promise, length, _, _ = trust_step(here.gradient, B, radius)
        if promise <= PROMISE or length < SHORTEST:
            H, hessians = final_hessian(objective, x), hessians + 1
            if H is None:
                return x, here._replace(curvature=B), log
            B = H
            _, promise, _, last, lowest = trust_step(here.gradient, B, LARGEST_RADIUS)
            if promise <= LAST_PROMISE or hessians == MAX_HESSIANS:
                x, here = _polished(objective, x, here, last, log)
                promise = trust_step(here.gradient, B, LARGEST_RADIUS)[1]
                if promise <= LAST_PROMISE or hessians == MAX_HESSIANS:
                    return x, here._replace(curvature=B, exact=True), log
            radius, saddle = FIRST_RADIUS, lowest < 0.0
            continue
        there = try_evaluate(objective, x + step, 1)
        gain = -np.inf if there is None else here.value - there.value
        ratio = gain_ratio(gain, promise, here, there)
        # past the far side of a hill a secant would forget the way down
        if there is not None and (ratio > 1e-4 or not saddle):
            B = updated(B, step, there.gradient - here.gradient)
        radius = next_radius(radius, ratio, length)
        if there is not None and ratio > 1e-4:
            x, here, saddle = x + step, there, False
            if promise > REFRESH and refreshed < MAX_REFRESHED:
                again = try_evaluate(objective, x, 2)
                B, refreshed = B if again is None else again.curvature, refreshed + 1
            log.append((x, here.value))
    return x, _with_hessian(here, B, final_hessian(objective, x)), log


def _with_hessian(here: Evaluation, B: np.ndarray, H: np.ndarray | None) -> Evaluation:
    """With the Hessian for curvature, or with the model of it where there is none."""
    return here._replace(curvature=B) if H is None else here._replace(curvature=H, exact=True)


def _taken_at_once(objective: Objective, at: Approach, log: Log) -> tuple[Approach, bool, int]:
    """Where the steps of `quasi_newton` lead that the objective takes at once; if to its end.

    Last comes for how many evaluations that was.
    """
    stretch = objective.steps_from(at, PROMISE, LAST_PROMISE)
    if stretch is None:
        return at, False, 0
    stopped = stretch.stopped
    # where there is no value the step is a shorter one: it is taken by itself
    if stopped is not None and not isinstance(stopped, NumericalError):
        raise stopped
    log += stretch.log
    return stretch.end, stretch.ended, stretch.evaluations


def _polished(
    objective: Objective, x: np.ndarray, here: Evaluation, step: np.ndarray, log: Log
) -> tuple[np.ndarray, Evaluation]:
    """After the last Newton step, if it does not raise the criterion."""
    for final in (objective.snap(x + step), objective.snap(x)):
        there = try_evaluate(objective, final, 1)
        if there is not None and there.value <= here.value + value_noise(here.value):
            log.append((final, there.value))
            return final, there
    return x, here


def updated(B: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """B (n, n) with B step = change (of the gradient), by a symmetric rank-one update."""
    with np.errstate(over="ignore", invalid="ignore"):  # a gradient past a pole of the criterion
        missing = change - B @ step
        denominator, size = float(missing @ step), float(missing @ missing)
        if not abs(denominator) > SKIP_SHARE * sqrt(size * float(step @ step)):
            return B
        better = B + missing[:, None] * (missing / denominator)
    return better if isfinite(size / denominator) else B
