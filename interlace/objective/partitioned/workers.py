"""Who works on the pieces: threads of this process. Pools of processes and Dask are beside this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from ...errors import WorkerError
from ...linalg.row_threads import ended
from .pieces import Piece
from .questions import Part, Question, Start

__all__ = ["PartWorkers", "Reading", "Rows", "ThreadWorkers", "Workers", "in_parts"]


class Workers(ABC):
    """Workers that hold pieces and answer questions about them."""

    #: Whether a piece may be asked of another worker each time: then the modes that a search starts
    #: at are sent along, so that the answer is the same whoever gives it.
    forget = False

    @abstractmethod
    def take(self, pieces: Sequence[Piece], words: Sequence[str]) -> None:
        """Take the pieces, which ``words`` say in messages, for all questions to come."""

    @abstractmethod
    def ask(self, question: Question, starts: Sequence[Start | None]) -> list[Any]:
        """The answers of all pieces, in order, with the modes that each starts at."""

    @abstractmethod
    def read(self, readings: Sequence[Reading], words: Sequence[str]) -> list[Any]:
        """Have rows read, a part each, which ``words`` say in messages; what is seen of each."""

    @abstractmethod
    def prepare(self, how: Any) -> None:
        """Have the rows that were read made pieces, for all questions to come."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the pieces."""


class Rows(Protocol):
    """The rows of a part, where they were read."""

    def seen(self) -> Any:
        """What others need to know of them."""

    def pieces(self, how: Any) -> list[Piece]:
        """Their pieces."""


class Reading(Protocol):
    """How the rows of a part are read; it can be sent.

    ``travels`` says whether another process can read them, ``n_pieces`` how many there are of them.
    """

    @property
    def travels(self) -> bool: ...
    @property
    def n_pieces(self) -> int: ...

    def rows(self) -> Rows:
        """Read them."""


class ThreadWorkers(Workers):
    """Threads of this process: a piece is a part, so that none waits for another."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._parts: list[Part] = []
        self._rows: list[Any] = []

    def take(self, pieces: Sequence[Piece], words: Sequence[str]) -> None:
        self._parts = [Part([piece]) for piece in pieces]

    def read(self, readings: Sequence[Reading], words: Sequence[str]) -> list[Any]:
        self._rows = ended([self._pool.submit(reading.rows) for reading in readings])
        return ended([self._pool.submit(rows.seen) for rows in self._rows])

    def prepare(self, how: Any) -> None:
        made = ended([self._pool.submit(rows.pieces, how) for rows in self._rows])
        self._rows = []
        self.take([piece for pieces in made for piece in pieces], [])

    def ask(self, question: Question, starts: Sequence[Start | None]) -> list[Any]:
        submit = self._pool.submit
        pairs = zip(self._parts, starts, strict=True)
        answers = ended([submit(part.ask, question, [start]) for part, start in pairs])
        return [answer for own in answers for answer in own]

    def close(self) -> None:
        self._parts, self._rows = [], []


class PartWorkers(Workers):
    """Workers elsewhere, for a part of the pieces each: at most ``count`` of them."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._parts: list[slice] = []
        self._words: Sequence[str] = []

    def take(self, pieces: Sequence[Piece], words: Sequence[str]) -> None:
        self._parts = in_parts([piece.problem.density.n for piece in pieces], self._count)
        self._words = words

    def _read_apart(self, readings: Sequence[Reading], words: Sequence[str]) -> None:
        """Parts that were cut already."""
        sizes = [reading.n_pieces for reading in readings]
        ends = np.cumsum([0, *sizes]).tolist()
        self._parts = [slice(*at) for at in pairwise(ends)]
        self._words = [own for own, n in zip(words, sizes, strict=True) for _ in range(n)]

    def gone(self, part: int, error: BaseException) -> WorkerError:
        """The error of a part that no worker answers for."""
        words = list(dict.fromkeys(self._words[self._parts[part]]))
        return WorkerError(
            f"the worker of partition {part + 1} of {len(self._parts)} ({words[0]}"
            f"{'' if len(words) == 1 else f', …, {words[-1]}'}) is gone: {type(error).__name__}"
            f"{f' ({error})' if str(error) else ''}. Nothing was fitted. As a rule the system ends "
            "a worker for want of memory: fit with fewer workers at a time, or more memory for each"
        )


def in_parts(rows: Sequence[int], count: int) -> list[slice]:
    """At most ``count`` parts of neighbouring pieces with so many ``rows``, about alike."""
    count = min(count, len(rows))
    ends: list[int] = []
    total, before = sum(rows), 0
    for i, size in enumerate(rows):
        before += size
        share = len(ends) + 1
        # the others need a piece each
        if before * count >= share * total or len(rows) - i - 1 == count - share:
            ends.append(i + 1)
    return [slice(a, b) for a, b in zip([0, *ends], ends, strict=False) if b > a]
