"""Dask's workers: each holds its part of the pieces, with all that searches leave in them.

What is sent to a worker stays there as an object, and questions go where it is. When a worker dies
its part is sent again to one that lives, and the question is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any

from ...errors import ArgumentError
from ...linalg.threads import one_thread
from .freed_memory import freed_memory_kept
from .pieces import Piece
from .questions import MANY, Part, Question, Start
from .workers import PartWorkers, Reading, Rows

__all__ = ["DaskWorkers", "client_of", "wake_all"]

# Seconds between looks at which workers live while answers are awaited, and for a new worker.
POLL = 1.0
NEW_WORKER = 60.0
# Deaths of workers that one question survives.
RETRIES = 3


def client_of(executor: Any) -> Any:
    """The client of what Dask has as an executor."""
    client = getattr(executor, "_client", executor)
    if getattr(client, "asynchronous", False):
        raise ArgumentError(
            "executor is an asynchronous Dask Client, whose answers cannot be waited for here; "
            "take Client(..., asynchronous=False)"
        )
    return client


def awake() -> bool:
    """Nothing: a worker that does it has imported the package."""
    return True


def wake_all(client: Any) -> None:
    """Have all workers import the package, without waiting for them."""
    from distributed import fire_and_forget

    for worker in client.nthreads():
        # by another if this one dies: the scheduler keeps no task that nobody can do
        task = client.submit(awake, workers=[worker], allow_other_workers=True, pure=False)
        fire_and_forget(task)


def ask_part(part: Part, question: Question, starts: Sequence[Start | None]) -> list[Any]:
    """The answers of a part, where it is."""
    with freed_memory_kept():
        return part.ask(question, starts)


def is_there(part: Part) -> bool:
    """Wait for a part to be made."""
    return True


def rows_there(reading: Reading) -> Rows:
    """The rows of a part, read by a worker that keeps them."""
    with one_thread(MANY), freed_memory_kept():
        return reading.rows()


def seen_there(rows: Rows) -> Any:
    """What is seen of them."""
    with one_thread(MANY), freed_memory_kept():
        return rows.seen()


def part_there(rows: Rows, how: Any) -> Part:
    """The part that they make."""
    with one_thread(MANY), freed_memory_kept():
        return Part(rows.pieces(how))


class DaskWorkers(PartWorkers):
    """Parts on the workers of a cluster."""

    def __init__(self, client: Any, count: int) -> None:
        super().__init__(count)
        self._client = client
        self._homes: list[str] = []
        self._held: list[Any] = []
        self._readings: Sequence[Reading] = []
        self._pieces: Sequence[Piece] = []
        self._how: Any = None

    def take(self, pieces: Sequence[Piece], words: Sequence[str]) -> None:
        super().take(pieces, words)
        self._pieces = pieces
        self._begin()
        self._send(range(len(self._parts)), {})

    def _begin(self) -> None:
        self._homes = [""] * len(self._parts)
        self._held = [None] * len(self._parts)

    def read(self, readings: Sequence[Reading], words: Sequence[str]) -> list[Any]:
        self._read_apart(readings, words)
        self._readings = readings
        self._begin()
        self._send(range(len(self._parts)), {})
        return self._each(lambda i: (seen_there, self._held[i]))

    def prepare(self, how: Any) -> None:
        self._how = how
        rows = list(self._held)
        for i, own in enumerate(rows):
            self._held[i] = self._made(own, self._homes[i])
        del own, rows  # the cluster lets go of rows that nobody here holds
        self._each(lambda i: (is_there, self._held[i]))

    def _each(self, task: Callable[[int], tuple[Any, ...]]) -> list[Any]:
        """What a task gives for each part, done where the part is, and again if that dies."""
        answers: dict[int, Any] = {}
        missing = list(range(len(self._parts)))
        lost: dict[int, BaseException] = {}
        for _ in range(1 + RETRIES):
            if lost:
                self._send(missing, lost)
            lost = self._done(missing, task, answers)
            missing = sorted(lost)
            if not missing:
                return [answers[i] for i in range(len(self._parts))]
        raise self.gone(missing[0], lost[missing[0]])

    def _send(self, parts: Sequence[int], why: dict[int, BaseException]) -> None:
        """Parts to workers that live, in turn."""
        client = self._client
        try:
            client.wait_for_workers(1, timeout=NEW_WORKER)
            living = sorted(client.nthreads())
            for i in parts:
                self._homes[i] = living[i % len(living)]
                self._held[i] = self._put(i, self._homes[i])
        except (OSError, TimeoutError) as error:
            raise self.gone(parts[0], why.get(parts[0], error)) from error

    def _put(self, i: int, home: str) -> Any:
        """What a worker holds of a part: its pieces, or rows that it reads."""
        client = self._client
        if not self._readings:
            part = Part(self._pieces[self._parts[i]])
            return client.scatter([part], workers=[home], direct=True, hash=False)[0]
        reading = self._readings[i]
        if not reading.travels:  # read here, and sent
            rows = client.scatter([reading.rows()], workers=[home], direct=True, hash=False)[0]
        else:
            rows = client.submit(rows_there, reading, workers=[home], pure=False)
        return rows if self._how is None else self._made(rows, home)

    def _made(self, rows: Any, home: str) -> Any:
        """The part that the rows of a worker make there."""
        return self._client.submit(part_there, rows, self._how, workers=[home], pure=False)

    def ask(self, question: Question, starts: Sequence[Start | None]) -> list[Any]:
        answers = self._each(
            lambda i: (ask_part, self._held[i], question, list(starts[self._parts[i]]))
        )
        return [answer for own in answers for answer in own]

    def _done(
        self, parts: Sequence[int], task: Callable[[int], tuple[Any, ...]], answers: dict[int, Any]
    ) -> dict[int, BaseException]:
        """Put the answers of some parts among all; why there is none, of those that are lost."""
        client = self._client
        futures = {}
        try:
            for i in parts:
                futures[i] = client.submit(*task(i), workers=[self._homes[i]], pure=False)
            self._wait(futures)
            return _gathered(client, futures, answers)
        except BaseException:
            client.cancel(list(futures.values()))
            raise

    def _wait(self, futures: dict[int, Any]) -> None:
        """Until all are done, or their workers dead."""
        from distributed import wait

        awaited = list(futures.values())
        while awaited:
            try:
                wait(awaited, timeout=POLL)
                return
            except (TimeoutError, CancelledError):
                living = set(self._client.nthreads())
            awaited = [
                future
                for i, future in futures.items()
                if not future.done() and self._homes[i] in living
            ]

    def close(self) -> None:
        self._held, self._pieces, self._readings, self._how = [], [], [], None


def _gathered(
    client: Any, futures: dict[int, Any], answers: dict[int, Any]
) -> dict[int, BaseException]:
    """Answers of those that are done; of the others why they are lost."""
    from distributed import KilledWorker

    deaths = (KilledWorker, CancelledError, OSError)
    done = {i: future for i, future in futures.items() if future.status in ("finished", "error")}
    lost: dict[int, BaseException] = {
        i: RuntimeError("its worker died") for i in futures if i not in done
    }
    try:
        # from the workers themselves, all at a time
        answers.update(zip(done, client.gather(list(done.values()), direct=True), strict=True))
    except deaths:
        for i, future in done.items():
            try:
                answers[i] = future.result()
            except deaths as error:
                lost[i] = error
    return lost
