"""The criterion of a generalised model as a sum over pieces of the rows.

Given the parameters the levels of the outermost grouping factor are independent, and so are the
pieces: values, gradients, the curvatures that steer a search and the differences that make the last
Hessian are sums over them, taken in the order of the pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import Any, Self, TypeVar, cast

import numpy as np

from ...errors import NumericalError
from ...linalg.crossproducts.weighted import WeightedZ
from ..base import Evaluation
from ..generalised.base import GeneralisedObjective
from ..generalised.laplace import LaplaceObjective, TangentModes, shortened
from ..generalised.modes import Modes, Point
from ..generalised.problem import Problem
from .pieces import Approximation, split
from .questions import (
    At,
    Evaluated,
    Failure,
    Kind,
    OtherModes,
    PointAt,
    Predicts,
    Question,
    Slopes,
    Start,
    Tangents,
)
from .workers import Workers

__all__ = ["PartitionedObjective"]

_EMPTY: np.ndarray = np.empty(0)
ELSEWHERE = "modes and what solves for them are with the workers"
_Answer = TypeVar("_Answer")


class PartitionedObjective(LaplaceObjective):
    """`LaplaceObjective`, or that of quadrature, whose pieces are with workers.

    The problem of all rows stays here, for first estimates and verdicts; no modes do.
    """

    def __init__(self, problem: Problem, approximation: Approximation, workers: Workers) -> None:
        GeneralisedObjective.__init__(
            self, problem, approximation.covariance, approximation.expected, problem.fixed.p
        )
        self.nodes = approximation.nodes
        pieces, self._places = split(problem, approximation)
        self._workers = workers
        workers.take(pieces, [place.words for place in self._places])
        self._begin()
        self.modes = GatheredModes(problem.Z, problem.density, *self._ask(Kind())[0])

    def _begin(self, at: LaplaceObjective | None = None) -> None:
        self.hold(np.zeros(self.problem.Z.q) if at is None else at._u)
        self._eta0 = None

    _anew = True  # what was computed last is not to be used
    _last = None  # nor is it here: no steps are taken at once

    def hold(self, u: np.ndarray) -> None:
        self._u, self._anew, self._lowest = u, True, np.inf

    def release(self) -> None:
        """Let the workers go."""
        self._workers.close()

    @property
    def _sends_modes(self) -> bool:
        """Whether questions say where searches for modes start: where it matters for the answer."""
        return self._workers.forget or not self.problem.density.log_concave

    def _ask(self, question: Question) -> list[Any]:
        """The answers of all pieces, in their order."""
        starts: list[Start | None] = [None] * len(self._places)
        if self._sends_modes:
            anew = self._anew or self._workers.forget
            starts = [Start(self._u[place.effects], anew) for place in self._places]
        answers = self._workers.ask(question, starts)
        self._anew = False
        failures = [answer for answer in answers if isinstance(answer, Failure)]
        if failures:
            raise NumericalError(failures[0].words)
        return answers

    # -- the criterion ----------------------------------------------------------------------

    def evaluate(self, x: np.ndarray, order: int = 2) -> Evaluation:
        x = self.checked_x(x, self.layout.size, order).copy()
        answers: list[Evaluated] = self._ask(At(x, order, self._sends_modes))
        value = fsum(answer.value for answer in answers)
        if self._sends_modes and (self.problem.density.log_concave or value <= self._lowest):
            self._lowest = value
            self._u = self._gathered([answer.u for answer in answers])
        return Evaluation(
            value,
            np.sum([answer.gradient for answer in answers], axis=0),
            np.sum([answer.curvature for answer in answers], axis=0),
        )

    @property
    def _effects(self) -> int:
        """Random effects of all levels."""
        return self.problem.Z.q

    def _gathered(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """Modes of all pieces, (q,)."""
        u = np.empty(self._effects)
        for place, own in zip(self._places, parts, strict=True):
            u[place.effects] = own
        return u

    def hessian(self, x: np.ndarray) -> np.ndarray:
        B = np.sum(self._ask(Tangents(x)), axis=0)
        steps = self.steps(TangentModes(_EMPTY, _EMPTY, B))
        return shortened(lambda steps: np.sum(self._ask(Slopes(x, steps)), axis=0), steps)

    # -- rows and levels --------------------------------------------------------------------

    def point(self, x: np.ndarray, order: int = 1) -> Point:
        """What the record of a fit wants of the modes at x, gathered; no derivatives."""
        answers, problem = self._ask(PointAt(x)), self.problem
        eta = np.empty(problem.offset.shape)
        weight = np.empty((*answers[0].weight.shape[:-1], problem.density.n))
        blocks = [
            np.empty((levels, k, k))
            for levels, k in zip(problem.Z.n_levels, problem.Z.widths, strict=True)
        ]
        for place, answer in zip(self._places, answers, strict=True):
            eta[..., place.rows], weight[..., place.rows] = answer.eta, answer.weight
            for out, levels, own in zip(blocks, place.levels, answer.blocks, strict=True):
                out[levels] = own
        u = self._gathered([answer.u for answer in answers])
        cast("GatheredModes", self.modes).blocks = blocks
        value = fsum(answer.value for answer in answers)
        return Point(
            -0.5 * value, 0.0, 0.0, 0.0, u, eta, _EMPTY, weight, weight, _EMPTY, [], _EMPTY,
            no_solver,
        )  # fmt: skip

    def last_point(self, x: np.ndarray) -> Point:
        return self.point(x)

    def _other_modes(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        answers = self._ask(OtherModes(x))
        u = self._gathered([own for own, _, _ in answers])
        better = None
        if any(other is not None for _, other, _ in answers):
            better = self._gathered([own if other is None else other for own, other, _ in answers])
        sole = len(self.problem.factors) == 1
        doubtful = [
            place.levels[0][own] if sole else own
            for place, (_, _, own) in zip(self._places, answers, strict=True)
        ]
        return u, better, np.concatenate(doubtful)

    def predicts(self, x: np.ndarray) -> tuple[bool, bool]:
        answers = self._ask(Predicts(x))
        return all(own for own, _ in answers), all(own for _, own in answers)

    def _with(self, problem: Problem) -> Self:
        other = super()._with(problem)
        other._anew = True
        return other


class GatheredModes(Modes):
    """What is asked of modes that are elsewhere."""

    is_here = False

    def __init__(self, Z: WeightedZ, density: Any, backend: str, dense_columns: int) -> None:
        self.Z, self.density = Z, density
        self.backend, self.dense_columns = backend, dense_columns
        self.blocks: list[np.ndarray] = []

    def fresh(self, Z: WeightedZ, density: Any) -> GatheredModes:
        return GatheredModes(Z, density, self.backend, self.dense_columns)

    def inverse_blocks(self, b: int) -> np.ndarray:
        return self.blocks[b]

    def find(self, T, eta0, zeta, u, order=1, frozen=False) -> Point:
        raise RuntimeError(ELSEWHERE)

    def information(self, b: int) -> np.ndarray:
        raise RuntimeError(ELSEWHERE)


def no_solver(R: np.ndarray) -> np.ndarray:
    """In place of what solves for modes."""
    raise RuntimeError(ELSEWHERE)
