"""What a worker is asked of its pieces, and how it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from ...errors import NumericalError
from ...linalg.threads import one_thread
from ..generalised.breakdown import least_information
from ..generalised.laplace import TangentModes
from ..generalised.modes import Point
from .pieces import Piece

__all__ = [
    "At",
    "AtPoint",
    "Evaluated",
    "Failure",
    "Kind",
    "LeastInformation",
    "LevelsAt",
    "OtherModes",
    "Part",
    "PointAt",
    "Predicts",
    "Question",
    "Slopes",
    "Start",
    "Tangents",
]

_EMPTY = np.empty(0)
# Entries of a matrix that is as large as any.
MANY = 10**9


class Start(NamedTuple):
    """Where a search for modes starts, and whether what was computed before is to be left."""

    u: np.ndarray
    anew: bool


class Failure(NamedTuple):
    """Why there is no answer."""

    words: str


class Search:
    """A piece in the hands of a worker: its criterion with what was computed last."""

    def __init__(self, piece: Piece) -> None:
        self.objective = piece.objective()
        self.tangents: tuple[np.ndarray, TangentModes] | None = None
        if not self.objective.problem.density.log_concave:
            # whether a point is where the next search starts is for the sum of all to say
            self.objective._lowest = -np.inf

    def answer(self, question: Question, start: Start | None) -> Any:
        """The answer, or why there is none."""
        if start is not None:
            self.objective.start_at(start.u, start.anew)
        try:
            return question(self)
        except NumericalError as error:
            return Failure(str(error))


class Part:
    """The pieces of one worker."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces, self._lock = pieces, Lock()
        self._searches: list[Search] | None = None

    def __reduce__(self) -> Any:
        # what searches have left can be made again
        return Part, (self._pieces,)

    def ask(self, question: Question, starts: Sequence[Start | None]) -> list[Any]:
        """The answers of all pieces."""
        with self._lock, one_thread(MANY):
            if self._searches is None:
                self._searches = [Search(piece) for piece in self._pieces]
            pairs = zip(self._searches, starts, strict=True)
            return [search.answer(question, start) for search, start in pairs]


class Question(ABC):
    """What can be asked of a piece."""

    @abstractmethod
    def __call__(self, search: Search) -> Any:
        """The answer."""


class Evaluated(NamedTuple):
    """A criterion's value, gradient and curvature, and modes if they are wanted."""

    value: float
    gradient: np.ndarray
    curvature: np.ndarray
    u: np.ndarray


@dataclass(frozen=True)
class At(Question):
    """The criterion at x."""

    x: np.ndarray
    order: int
    with_modes: bool

    def __call__(self, search: Search) -> Evaluated:
        objective = search.objective
        e = objective.evaluate(self.x, min(self.order, 1))
        u = objective.point(self.x, 0).u.copy() if self.with_modes else _EMPTY
        curvature = objective.evaluate(self.x, 2).curvature if self.order == 2 else e.curvature
        return Evaluated(e.value, e.gradient, curvature, u)


@dataclass(frozen=True)
class Tangents(Question):
    """Curvature of the working model at x, after which `Slopes` can be asked."""

    x: np.ndarray

    def __call__(self, search: Search) -> np.ndarray:
        tangents = search.objective.tangent_modes(self.x)
        search.tangents = self.x, tangents
        return tangents.curvature


@dataclass(frozen=True)
class Slopes(Question):
    """The Hessian at x by differences of gradients over given steps."""

    x: np.ndarray
    steps: np.ndarray

    def __call__(self, search: Search) -> np.ndarray:
        known = search.tangents
        if known is None or (known[0] != self.x).any():  # asked of another worker
            Tangents(self.x)(search)
            known = search.tangents
        assert known is not None
        return search.objective.differenced(self.x, known[1], self.steps)


def _point_and_blocks(search: Search, x: np.ndarray) -> tuple[Point, list[np.ndarray]]:
    """The point at x, and the diagonal blocks of M^{-1} there by grouping factor."""
    objective = search.objective
    point = objective.point(x)
    count = len(objective.problem.factors)
    return point, [objective.modes.inverse_blocks(b) for b in range(count)]


class AtPoint(NamedTuple):
    """Modes, predictors and information of the rows, and diagonal blocks of M^{-1}."""

    value: float
    u: np.ndarray
    eta: np.ndarray
    weight: np.ndarray
    blocks: list[np.ndarray]


@dataclass(frozen=True)
class PointAt(Question):
    """Everything at x that has a place in rows or levels."""

    x: np.ndarray

    def __call__(self, search: Search) -> AtPoint:
        # what is in them is put in its place, or sent, before the next question
        point, blocks = _point_and_blocks(search, self.x)
        return AtPoint(point.value, point.u, point.eta, point.weight, blocks)


class AtLevels(NamedTuple):
    """Modes, and diagonal blocks of M^{-1}."""

    value: float
    u: np.ndarray
    blocks: list[np.ndarray]


@dataclass(frozen=True)
class LevelsAt(Question):
    """Everything at x that has a place in levels."""

    x: np.ndarray

    def __call__(self, search: Search) -> AtLevels:
        point, blocks = _point_and_blocks(search, self.x)
        return AtLevels(point.value, point.u.copy(), blocks)


@dataclass(frozen=True)
class LeastInformation(Question):
    """The least share of the information expected that a level has at x, and which."""

    x: np.ndarray

    def __call__(self, search: Search) -> Any:
        objective = search.objective
        T, eta0, zeta, u = objective.modes_at(self.x)
        eta = eta0 + objective.modes.random_part(T, u)
        return least_information(objective.problem, objective.modes, T, eta, zeta)


@dataclass(frozen=True)
class OtherModes(Question):
    """Modes at x, better ones if there are any, and levels whose modes are in doubt."""

    x: np.ndarray

    def __call__(self, search: Search) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        return search.objective._other_modes(self.x)


@dataclass(frozen=True)
class Predicts(Question):
    """Whether the mean of every row is its response at x, and whether it is without effects."""

    x: np.ndarray

    def __call__(self, search: Search) -> tuple[bool, bool]:
        search.objective.last_point(self.x)
        return search.objective.predicts(self.x)


@dataclass(frozen=True)
class Kind(Question):
    """The back end, and the columns of its dense part."""

    def __call__(self, search: Search) -> tuple[str, int]:
        modes = search.objective.modes
        return modes.backend, modes.dense_columns
