"""Many replicates in chunks, each chunk with its own stream of random numbers.

Chunks do not depend on how many workers there are, nor on how many replicates are asked for: the
first hundred of a thousand are those of a hundred.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from time import monotonic
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...errors import ArgumentError, brief
from ..simulate import generator

__all__ = [
    "FAILED",
    "Outcomes",
    "Source",
    "by_threads",
    "checked_count",
    "chunk_of",
    "counts",
    "replicates",
]

#: The verdict on a response that the model could not be fitted to.
FAILED = "failed"

# Replicates that share a stream, fewer where so many numbers would be drawn at once.
CHUNK = 50
MOST_AT_ONCE = 5_000_000
# Without being asked a bar is shown, on a terminal, for what takes longer than these seconds.
LONG = 3.0
WIDTH = 30
MOST_WORKERS = 256


class Outcomes(NamedTuple):
    """Replicates: their numbers (m, k), NaN where they failed, verdicts, and why they failed.

    A replicate that did not fail has an empty reason.
    """

    values: np.ndarray
    verdicts: list[str]
    reasons: list[str]

    @classmethod
    def joined(cls, parts: Sequence[Outcomes]) -> Outcomes:
        """One after the other."""
        values = np.concatenate([part.values for part in parts])
        verdicts, reasons = ([v for part in parts for v in part[j]] for j in (1, 2))
        return cls(values, verdicts, reasons)

    @classmethod
    def spread(cls, m: int, places: np.ndarray, own: Outcomes, reasons: list[str]) -> Outcomes:
        """Those at some of m places, the others failed for the ``reasons`` (m,)."""
        values = np.full((m, own.values.shape[1]), np.nan)
        values[places] = own.values
        out = cls(values, [FAILED] * m, list(reasons))
        for i, verdict, reason in zip(places.tolist(), own.verdicts, own.reasons, strict=True):
            out.verdicts[i], out.reasons[i] = verdict, reason
        return out


class Source(Protocol):
    """Draws and refits; one for each thread."""

    #: Numbers drawn for a replicate.
    size: int

    def outcomes(self, rng: np.random.Generator, drawn: int, count: int) -> Outcomes:
        """The first ``count`` of ``drawn`` replicates."""


def replicates(
    make: Callable[[], Source],
    n: int,
    seed: Any,
    workers: int | None = None,
    progress: bool | None = None,
    title: str = "",
) -> Outcomes:
    """n replicates of what a source draws, the same for any number of workers."""
    rng = generator(seed)
    workers = checked_workers(workers)
    first = make()
    chunk = chunk_of(first.size)
    seeds = _children(rng, seed, -(-n // chunk))
    jobs = [(s, min(chunk, n - i * chunk)) for i, s in enumerate(seeds)]

    def work(source: Source, job: tuple[np.random.SeedSequence, int]) -> Outcomes:
        return source.outcomes(np.random.default_rng(job[0]), chunk, job[1])

    return by_threads(make, first, work, jobs, workers, (n, progress, title))


def chunk_of(size: int) -> int:
    """Replicates at once, of so many numbers each."""
    return max(min(CHUNK, MOST_AT_ONCE // max(size, 1)), 1)


def by_threads(
    make: Callable[[], Any],
    first: Any,
    work: Callable[[Any, Any], Outcomes],
    jobs: Sequence[Any],
    workers: int,
    shown: tuple[int, bool | None, str],
) -> Outcomes:
    """What ``work`` makes of each job with an object that one thread at a time has.

    Workers are threads: compiled kernels run at the same time, functions of a user need not be
    pickled. ``first`` is one of the objects; ``shown`` are the number of replicates, whether a bar
    is wanted, and its title.
    """
    own: SimpleQueue[Any] = SimpleQueue()
    for i in range(min(workers, len(jobs))):
        own.put(make() if i else first)

    def one(job: Any) -> Outcomes:
        taken = own.get()
        try:
            return work(taken, job)
        finally:
            own.put(taken)

    bar = _Bar(*shown)
    parts, done = [], 0
    for part in mapped(one, jobs, workers):
        parts.append(part)
        done += len(part.values)
        bar.show(done)
    bar.close()
    return Outcomes.joined(parts)


def mapped(work: Callable, jobs: Sequence, workers: int) -> Iterator[Any]:
    """What ``work`` makes of each job, in their order, by so many threads."""
    if workers == 1 or len(jobs) == 1:
        yield from map(work, jobs)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(work, jobs)
    finally:  # after an interrupt what has not begun is left
        pool.shutdown(cancel_futures=True)


def _children(rng: np.random.Generator, seed: Any, count: int) -> list[np.random.SeedSequence]:
    """Seeds of chunks; of a generator given by the user they take numbers, so that it moves on."""
    if isinstance(seed, np.random.Generator):
        return np.random.SeedSequence(rng.integers(2**63, size=2).tolist()).spawn(count)
    return rng.bit_generator.seed_seq.spawn(count)  # type: ignore[attr-defined]


#: A double of each is 8 GB.
MOST_REPLICATES = 10**9


def checked_count(name: str, n: int) -> int:
    """A number of replicates, at least 1."""
    if n < 1:
        raise ArgumentError(f"{name} must be a positive whole number, got {n}")
    if n > MOST_REPLICATES:
        raise ArgumentError(f"{name} must be at most {MOST_REPLICATES:,}, got {brief(n)}")
    return int(n)


def checked_workers(workers: int | None) -> int:
    """A number of threads, 1 by default."""
    if workers is None:
        return 1
    if not 1 <= workers <= MOST_WORKERS:
        raise ArgumentError(
            f"workers must be a whole number from 1 to {MOST_WORKERS}, the threads that refit; "
            f"got {workers}"
        )
    return int(workers)


def counts(outcomes: Outcomes) -> tuple[dict[str, int], dict[str, int]]:
    """How often refits failed, by reason, and how often each verdict was given to others."""
    failures = Counter(reason for reason in outcomes.reasons if reason)
    good = zip(outcomes.verdicts, outcomes.reasons, strict=True)
    verdicts = Counter(verdict for verdict, reason in good if not reason)
    return dict(failures.most_common()), dict(verdicts.most_common())


class _Bar:
    """A bar on the standard error stream, one line that is written anew."""

    def __init__(self, n: int, wanted: bool | None, title: str) -> None:
        self._n, self._title, self._began = n, title, monotonic()
        terminal = bool(getattr(sys.stderr, "isatty", bool)())
        self._wanted = terminal if wanted is None else wanted
        self._patient = wanted is None
        self._shown = 0.0

    def show(self, done: int) -> None:
        now = monotonic()
        left = (now - self._began) / done * (self._n - done)
        first = not self._shown
        if not self._wanted or (self._patient and first and now - self._began + left < LONG):
            return
        if first or now - self._shown > 0.1 or done == self._n:
            self._shown = now
            full = WIDTH * done // self._n
            bar = "#" * full + "." * (WIDTH - full)
            text = f"\r{self._title} [{bar}] {done}/{self._n}, {left:.0f} s left "
            print(text, end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._shown:
            print(file=sys.stderr)
