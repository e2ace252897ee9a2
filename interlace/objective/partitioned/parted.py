"""The criterion of a generalised model whose rows workers read, and hold alone.

The problem here is that of a sample: it says in which coordinates the search goes, and where it
begins. Levels are known, and where their effects are among all; rows are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import Any

import numpy as np

from ...errors import NumericalError
from ..generalised.base import SAME_VALUE, SEVERAL_MINIMA, GeneralisedObjective
from ..generalised.breakdown import ModeSearch, information_words
from ..generalised.modes import Point
from ..generalised.problem import Problem
from .objective import ELSEWHERE, GatheredModes, PartitionedObjective, no_solver
from .pieces import Approximation, Levels, Place, effects_of, levels_of_pieces, words_of
from .questions import Kind, LeastInformation, LevelsAt
from .workers import Workers

__all__ = ["PartedObjective", "places_of"]

_EMPTY: np.ndarray = np.empty(0)
# First estimates are good enough when the criterion falls by less than this share in a step.
SETTLED = 1e-6
MAX_STEPS, MAX_HALVINGS = 6, 8


def places_of(factors: Sequence[Any], of_row: np.ndarray, levels: Levels) -> list[Place]:
    """Places of the pieces that the rows of a table of levels are in; of rows nothing."""
    count = int(of_row.max()) + 1
    own = [levels_of_pieces(factor, of_row, count)[0] for factor in factors]
    out = []
    for i in range(count):
        mine = [parts[i] for parts in own]
        words = words_of(factors[-1], mine[-1])
        out.append(Place(slice(0, 0), effects_of(levels, mine), mine, words))
    return out


class PartedObjective(PartitionedObjective):
    """`PartitionedObjective` of rows that are with workers alone."""

    def __init__(
        self,
        sample: Problem,
        approximation: Approximation,
        workers: Workers,
        places: list[Place],
        factors: Sequence[Any],
        n: int,
        is_whole: bool,
    ) -> None:
        GeneralisedObjective.__init__(
            self, sample, approximation.covariance, approximation.expected, sample.fixed.p
        )
        self.nodes = approximation.nodes
        self._places, self._workers, self._n = places, workers, n
        self._first = GeneralisedObjective.start(self)
        self._levels, self._is_whole = Levels.of(factors, sample.Z.widths), is_whole
        self._factors = factors
        self._begin()
        self.modes = GatheredModes(sample.Z, sample.density, *self._ask(Kind())[0])

    @property
    def _effects(self) -> int:
        return self._levels.q

    def _begin(self, at: Any = None) -> None:
        self.hold(np.zeros(self._levels.q) if at is None else at._u)
        self._eta0 = None

    @property
    def _is_small(self) -> bool:
        return self._n < SEVERAL_MINIMA and super()._is_small

    @property
    def _n_levels(self) -> tuple[int, ...]:
        return self._levels.n_levels

    def spherical(self, u: np.ndarray, theta: np.ndarray) -> list[np.ndarray]:
        parts = zip(self._levels.offsets, self._levels.widths, self._n_levels, strict=False)
        return [u[start : start + n * k].reshape(n, k) for start, k, n in parts]

    # -- where the search begins --------------------------------------------------------------

    def start(self) -> np.ndarray:
        """Moments of the sample; coefficients, without random effects, are those of all rows."""
        x = self._first.copy()
        return x if self._is_whole else self._without_effects(x)

    def _without_effects(self, x: np.ndarray) -> np.ndarray:
        """Newton steps for all but theta, which is zero, from the estimates of a sample."""
        at = x.copy()
        at[self.at.theta] = 0.0
        rest = np.r_[self.at.beta, self.at.zeta]
        try:
            here = self.evaluate(at, 2)
            for _ in range(MAX_STEPS):
                H = here.curvature[np.ix_(rest, rest)]
                step = -np.linalg.lstsq(H, here.gradient[rest], rcond=1e-12)[0]
                promised = -0.5 * float(here.gradient[rest] @ step)
                if 0.0 <= promised <= self._enough * max(1.0, abs(here.value)):
                    at[rest] += step
                    break
                there = self._lower(at, rest, step, here.value)
                if there is None:
                    break
                gain = here.value - there[1].value
                at, here = there
                if gain <= SETTLED * max(1.0, abs(here.value)):
                    break
        except NumericalError:
            return x
        x[rest] = at[rest]
        self.hold(np.zeros(self._levels.q))
        return x

    @property
    def _enough(self) -> float:
        """The share of the criterion that a last step may promise.

        Newton's steps leave the square of it where the criterion is convex.
        """
        convex = self.problem.density.canonical and not self.problem.density.n_zeta
        return SETTLED**0.5 if convex else SETTLED

    def _lower(self, at: np.ndarray, rest: np.ndarray, step: np.ndarray, value: float) -> Any:
        """A point along a step with a lower criterion, and what is there; None if there is none."""
        for halving in range(MAX_HALVINGS):
            other = at.copy()
            other[rest] += 0.5**halving * step
            try:
                there = self.evaluate(other, 2)
            except NumericalError:
                continue
            if there.value < value:
                return other, there
        return None

    # -- levels ---------------------------------------------------------------------------------

    def point(self, x: np.ndarray, order: int = 1) -> Point:
        """Modes at x with diagonal blocks of their covariances, gathered."""
        answers = self._ask(LevelsAt(x))
        shape = zip(self._levels.n_levels, self._levels.widths, strict=True)
        blocks = [np.empty((levels, k, k)) for levels, k in shape]
        for place, answer in zip(self._places, answers, strict=True):
            for out, levels, own in zip(blocks, place.levels, answer.blocks, strict=True):
                out[levels] = own
        u = self._gathered([answer.u for answer in answers])
        self.modes.blocks = blocks  # type: ignore[attr-defined]
        value = fsum(answer.value for answer in answers)
        return Point(
            -0.5 * value, 0.0, 0.0, 0.0, u, _EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY, [], _EMPTY,
            no_solver,
        )  # fmt: skip

    def ask_each(self, question: Any) -> list[Any]:
        """What each piece answers to another question."""
        return self._ask(question)

    def modes_at(self, x):
        raise RuntimeError(ELSEWHERE)

    held_at = modes_at

    def doubts(self, x: np.ndarray, value: float) -> list[str]:
        if self.problem.density.log_concave:
            return []
        try:
            words = self._little_information(x)
            u, _, second = self._other_modes(x)
            self.hold(u)
            again = self.evaluate(x, 0).value
        except NumericalError:
            return []
        depends = abs(again - value) > SAME_VALUE * (1.0 + abs(value))
        search = ModeSearch(self.problem, self.modes)
        return words or search.words(second, depends, self.nodes)

    def _little_information(self, x: np.ndarray) -> list[str]:
        """The defect of the information of the modes at x, in words; empty if there is none."""
        answers = self._ask(LeastInformation(x))
        at = min(range(len(answers)), key=lambda i: answers[i][0])
        least, where = answers[at]
        named = ""
        if where is not None:
            level = self._places[at].levels[where.factor][where.level]
            factor = self._factors[where.factor]
            named = f"level {str(factor.levels[level])!r} of {factor.name}"
        return information_words(least, named, self.expected, self.problem, self.nodes)
