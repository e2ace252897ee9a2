"""From an executor of the user's to workers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from threading import current_thread
from typing import Any

from ...errors import ArgumentError, ArgumentTypeError, brief
from ...linalg.row_threads import row_threads
from .workers import ThreadWorkers, Workers

__all__ = ["check_engine", "engine", "parts_of", "wake"]

ENGINES = (
    "a pool of concurrent.futures, a Dask Client, joblib.Parallel, or None for threads of this "
    "process"
)


def check_engine(executor: Any, partitions: int | None, nAGQ: int) -> None:  # noqa: N803
    """Refuse what is no executor, numbers of partitions that are none, and what is no sum."""
    if nAGQ == 0:
        raise ArgumentError(
            "executor= and partitions= are for nAGQ=1 (Laplace's approximation) or more: with "
            "nAGQ=0 the coefficients are found with the random effects of all rows together"
        )
    if partitions is not None and partitions < 1:
        raise ArgumentError(f"partitions={partitions} is out of range: it must be 1 or more")
    if executor is None or _is_joblib(executor):
        return
    if not _is_dask(executor) and not callable(getattr(executor, "submit", None)):
        raise ArgumentTypeError(f"executor must be {ENGINES}; got {brief(executor)}")
    if _is_closed(executor):
        raise ArgumentError(
            f"executor is a {type(executor).__name__} that was closed and takes no more work; fit "
            "inside its with block, or make a new one"
        )


def _is_closed(executor: Any) -> bool:
    """Whether a pool was shut down, or a Dask client closed."""
    if _is_dask(executor):
        client = getattr(executor, "_client", executor)
        return getattr(client, "status", "") in ("closing", "closed")
    # threads, processes, loky
    flags = [getattr(executor, name, None) for name in ("_shutdown", "_shutdown_thread")]
    flags.append(getattr(getattr(executor, "_flags", None), "shutdown", None))
    return any(flag is True for flag in flags)


def wake(executor: Any) -> None:
    """Have workers of a cluster import the package while rows are looked at here."""
    if _is_dask(executor):
        from .dask import client_of, wake_all

        wake_all(client_of(executor))


def _module(executor: Any) -> str:
    return type(executor).__module__.partition(".")[0]


def _is_dask(executor: Any) -> bool:
    return _module(executor) == "distributed" and hasattr(executor, "submit")


def _is_joblib(executor: Any) -> bool:
    return _module(executor) == "joblib" and callable(executor)


@contextmanager
def engine(executor: Any, partitions: int | None) -> Iterator[Workers | None]:
    """Workers for the block, by default as many parts as the executor has; None if none are asked.

    What is still done here uses as many threads.
    """
    if executor is None and partitions is None:
        yield None
        return
    with ExitStack() as stack:
        if isinstance(executor, ThreadPoolExecutor) and not _is_within(executor):
            pool: Any = executor
            workers: Workers = ThreadWorkers(pool)
        else:
            count = partitions or workers_of(executor)
            threads = count if executor is None else min(count, os.cpu_count() or 1)
            pool = ThreadPoolExecutor(threads, "interlace")
            stack.enter_context(pool)
            here = executor is None or isinstance(executor, ThreadPoolExecutor)
            workers = ThreadWorkers(pool) if here else _elsewhere(executor, count)
        stack.callback(workers.close)
        stack.enter_context(row_threads(pool))
        yield workers


def _is_within(pool: ThreadPoolExecutor) -> bool:
    """Whether this is a task of the pool, which may have no other thread to do what is asked."""
    # a thread is at work before it is among those of its pool: `submit` adds it, under this lock
    with getattr(pool, "_shutdown_lock", nullcontext()):
        return current_thread() in getattr(pool, "_threads", ())


def parts_of(executor: Any, partitions: int | None) -> int:
    """Parts that rows are read in, by default one for each worker."""
    return partitions or (1 if executor is None else workers_of(executor))


def workers_of(executor: Any) -> int:
    """Tasks that an executor does at a time."""
    if _is_dask(executor):
        from .dask import client_of

        return max(sum(client_of(executor).nthreads().values()), 1)
    if _is_joblib(executor):
        from joblib import effective_n_jobs

        return int(effective_n_jobs(executor.n_jobs))
    return int(getattr(executor, "_max_workers", None) or os.cpu_count() or 1)


def _elsewhere(executor: Any, count: int) -> Workers:
    if _is_dask(executor):
        from .dask import DaskWorkers, client_of

        return DaskWorkers(client_of(executor), count)
    from .pools import JoblibWorkers, PoolWorkers

    return (JoblibWorkers if _is_joblib(executor) else PoolWorkers)(executor, count)
