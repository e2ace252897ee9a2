"""Minimise over all coordinates but the first, which is held: the points of a profile."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import NumericalError
from ..objective.base import Evaluation
from .quasi import updated
from .trust_region import gain_ratio, next_radius, trust_step, try_evaluate

# The step ahead is foreseen where it promises less than this, and not taken: what the curvature
# does not know of it is a small share of that.
PROMISE = 1e-6
# Coordinates are in standard errors.
FIRST_RADIUS = 2.0
MAX_EVALUATIONS = 200
SHORTEST = 1e-10


def minimise_rest(
    objective: Any, w: np.ndarray, B: np.ndarray
) -> tuple[np.ndarray, Evaluation, np.ndarray] | None:
    """The minimum over w[1:] from w with a model B (n, n) of the curvature, and a better model.

    Symmetric rank-one updates of exact gradients, in a trust region; value and gradient are those
    that B foresees after the last step. None where there is no value.
    """
    here = try_evaluate(objective, w, 1)
    if here is None:
        return None
    radius = FIRST_RADIUS
    for _ in range(MAX_EVALUATIONS):
        try:
            step, promise, length, _, _ = trust_step(here.gradient[1:], B[1:, 1:], radius)
        except NumericalError:
            return None
        if promise <= PROMISE or length < SHORTEST:
            gradient = here.gradient + B[:, 1:] @ step
            last = here._replace(value=here.value - promise, gradient=gradient)
            return w + np.concatenate([[0.0], step]), last, B
        move = np.concatenate([[0.0], step])
        there = try_evaluate(objective, w + move, 1)
        gain = -np.inf if there is None else here.value - there.value
        ratio = gain_ratio(gain, promise, here, there)
        if there is not None:
            B = updated(B, move, there.gradient - here.gradient)
        radius = next_radius(radius, ratio, length)
        if there is not None and ratio > 1e-4:
            w, here = w + move, there
    return None
