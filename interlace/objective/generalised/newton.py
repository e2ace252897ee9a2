"""Damped Newton for the maxima inside a criterion: modes, coefficients, or both together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np

__all__ = ["damped_newton", "damped_step"]

# A decrement below this that no longer falls is rounding.
ROUNDING = 1e-16
# A step of a decrement below this is not asked whether it gains: rounding of eta hides as much in
# the values of large counts.
TRUSTED = 1e-9
# What a value may fall by, relative, and be as good as the one before.
VALUE_NOISE = 1e-13
# Where a likelihood falls exponentially Newton's steps have length one.
MAX_STEPS = 500
# Where the information is not positive definite and steps promise less than this, relative, they
# lead to no maximum.
ENDS = 1e-8
MAX_HALVINGS = 40
# A decrement that stays the same to this share for so many steps does so for ever: they are halved
# to nothing, as at the end of a range of means.
SAME_SHARE, MAX_SAME = 1e-3, 20


class _State(Protocol):
    """A point of the search with what was computed there."""

    @property
    def value(self) -> float: ...


class _Step(Protocol):
    """A Newton step, its decrement, and whether the information in it is that of the point."""

    @property
    def move(self) -> np.ndarray: ...
    @property
    def decrement(self) -> float: ...
    @property
    def definite(self) -> bool: ...


S = TypeVar("S", bound=_State)
N = TypeVar("N", bound=_Step)


def damped_newton(
    here: S,
    step_from: Callable[[S], N],
    moved: Callable[[S, np.ndarray], S],
    tolerance: float,
    steps: int = MAX_STEPS,
) -> tuple[S, N] | None:
    """The maximum from ``here`` and the step ahead of it, or None if there is none within reach.

    ``step_from(state)`` is the Newton step there, ``moved(state, move)`` the state after a move;
    ``tolerance`` is that of the decrement, relative to the value.
    """
    before, same = np.inf, 0
    for _ in range(steps):
        step = step_from(here)
        small = step.decrement / (1.0 + abs(here.value))
        same = same + 1 if abs(small - before) <= SAME_SHARE * small else 0
        stalled = small < ROUNDING and small > 0.25 * before
        if step.definite and (small < tolerance or stalled):
            return here, step
        if same == MAX_SAME or (not step.definite and small < ENDS):
            return None
        before = small
        there = damped_step(here, step.move, moved, step.definite and small < TRUSTED)
        if there is None:
            return None
        here = there
    return None


def damped_step(
    here: S,
    move: np.ndarray,
    moved: Callable[[S, np.ndarray], S],
    trusted: bool = False,
    halvings: int = MAX_HALVINGS,
) -> S | None:
    """The state after a move, halved until the value does not fall; None if it always does.

    A ``trusted`` move need only lead to a finite value.
    """
    least = here.value - VALUE_NOISE * abs(here.value)
    for _ in range(halvings):
        there = moved(here, move)
        if there.value >= least or (trusted and np.isfinite(there.value)):
            return there
        move = 0.5 * move
    return None
