"""Many replicates in chunks, each chunk with its own stream of random numbers.

Chunks do not depend on how many workers there are, nor on how many replicates are asked for: the
first hundred of a thousand are those of a hundred.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic
from typing import Any, Protocol

import numpy as np

from ...errors import ArgumentError, brief
from ..simulate import generator

__all__ = ["Outcome", "Source", "checked_count", "counts", "replicates"]

# Replicates that share a stream, fewer where so many numbers would be drawn at once.
CHUNK = 50
MOST_AT_ONCE = 5_000_000
# Without being asked a bar is shown, on a terminal, for what takes longer than these seconds.
LONG = 3.0
WIDTH = 30
MOST_WORKERS = 256


@dataclass(frozen=True)
class Outcome:
    """One replicate: its numbers, None if it failed, the verdict, and why it failed."""

    values: np.ndarray | None
    verdict: str = "converged"
    reason: str = ""


class Source(Protocol):
    """Draws and refits; one for each thread."""

    #: Numbers drawn for a replicate.
    size: int

    def outcomes(self, rng: np.random.Generator, drawn: int, count: int) -> list[Outcome]:
        """The first ``count`` of ``drawn`` replicates."""


def replicates(
    make: Callable[[], Source],
    n: int,
    seed: Any,
    workers: int | None = None,
    progress: bool | None = None,
    title: str = "",
) -> list[Outcome]:
    """n replicates of what a source draws, the same for any number of workers.

    Workers are threads: compiled kernels run at the same time, functions of a user need not be
    pickled.
    """
    rng = generator(seed)
    workers = checked_workers(workers)
    first = make()
    chunk = max(min(CHUNK, MOST_AT_ONCE // max(first.size, 1)), 1)
    seeds = _children(rng, seed, -(-n // chunk))
    jobs = [(s, min(chunk, n - i * chunk)) for i, s in enumerate(seeds)]
    sources: SimpleQueue[Source] = SimpleQueue()
    for i in range(min(workers, len(jobs))):
        sources.put(make() if i else first)

    def work(job: tuple[np.random.SeedSequence, int]) -> list[Outcome]:
        source = sources.get()
        try:
            return source.outcomes(np.random.default_rng(job[0]), chunk, job[1])
        finally:
            sources.put(source)

    bar = _Bar(n, progress, title)
    out: list[Outcome] = []
    for part in mapped(work, jobs, workers):
        out += part
        bar.show(len(out))
    bar.close()
    return out


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


def counts(outcomes: Sequence[Outcome]) -> tuple[dict[str, int], dict[str, int]]:
    """How often refits failed, by reason, and how often each verdict was given to others."""
    failures = Counter(o.reason for o in outcomes if o.values is None)
    verdicts = Counter(o.verdict for o in outcomes if o.values is not None)
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
