"""Limits on the threads of BLAS during a fit.

A fit calls BLAS thousands of times on small matrices. A second thread then costs more than it
brings, and on a busy machine each wait for it can take milliseconds.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from threading import RLock, Thread, get_ident
from typing import Any, TypeVar

__all__ = ["blas_threads", "single_threaded", "one_thread"]

# Below this many columns OpenBLAS does not thread by itself: nothing to hold back. (On a busy
# machine fits with 30 dense columns took 30 ms instead of 1.5 with two threads allowed.)
UNTHREADED = 16
# From this many columns on two threads gain clearly. Measured at 1128 columns: dpotrf 12.2 -> 8.4
# ms, dpotri 26 -> 13 ms on an idle machine, but the whole fit up to 7 times slower on a busy one.
# At twice the columns the work is 8 times as much and the waits are not.
THREADED = 2000

# ... and products with fewer entries than this.
UNTHREADED_ENTRIES = 10_000

_Method = TypeVar("_Method", bound=Callable)

_nothing = nullcontext()


def blas_threads(dense_columns: int, entries: int = 0) -> AbstractContextManager:
    """Hold BLAS to one thread inside the block, unless a dense matrix of so many columns gains.

    ``entries`` are those of the tallest matrix that is multiplied. The limit is that of the whole
    process; without threadpoolctl there is none (set ``OPENBLAS_NUM_THREADS`` instead).
    """
    if dense_columns >= THREADED:
        return _nothing
    return _hold if dense_columns > UNTHREADED or entries > UNTHREADED_ENTRIES else _nothing


def one_thread(entries: int) -> AbstractContextManager:
    """Hold BLAS to one thread for products of a tall matrix of so many entries, chunk by chunk."""
    return _hold if entries > UNTHREADED_ENTRIES else _nothing


class _Hold:
    """Holds BLAS to one thread while any thread is inside.

    A limit is the process's or, with some libraries, that of the thread that sets it. The former is
    set at the first entry of any thread and taken back at the last exit; the latter by each thread.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._depths: Counter[int] = Counter()  # entries less exits, by thread
        self._libraries: list[Any] | None = None
        self._own: dict[int, bool] = {}  # whether a library's limits are those of threads
        # what the number of threads was; for the process's limits the key is 0
        self._before: dict[int, list[tuple[Any, int]]] = {}
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._lock.acquire,
                after_in_parent=self._lock.release,
                after_in_child=self._in_child,
            )

    def __enter__(self) -> None:
        with self._lock:
            thread = get_ident()
            self._depths[thread] += 1
            if self._depths[thread] == 1:
                self._hold(thread)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            thread = get_ident()
            self._depths[thread] -= 1
            if not self._depths[thread]:
                del self._depths[thread]
                self._let_go(thread)
            if not self._depths:
                self._let_go(0)

    def _hold(self, thread: int) -> None:
        for library in self._found():
            before = library.num_threads
            if before is not None and before > 1:
                _set(library, 1)
                own = self._is_own(library)
                self._before.setdefault(thread if own else 0, []).append((library, before))

    def _let_go(self, key: int) -> None:
        for library, before in self._before.pop(key, []):
            _set(library, before)

    def _found(self) -> list[Any]:
        if self._libraries is None:
            try:
                from threadpoolctl import ThreadpoolController
            except ImportError:
                self._libraries = []
            else:
                self._libraries = ThreadpoolController().select(user_api="blas").lib_controllers
        return self._libraries

    def _is_own(self, library: Any) -> bool:
        """Whether another thread does not see the limit of 1 that this one has just set."""
        known = self._own.get(id(library))
        if known is None:
            counts: list[int] = []
            other = Thread(target=lambda: counts.append(library.num_threads))
            other.start()
            other.join()
            known = self._own[id(library)] = counts[0] != 1
        return known

    def _in_child(self) -> None:
        """After a fork, with the lock held: only the thread that forked is still inside."""
        thread = get_ident()
        self._depths = Counter({t: d for t, d in self._depths.items() if t == thread})
        if not self._depths:
            self._let_go(0)
        self._before = {key: self._before[key] for key in (0, thread) if key in self._before}
        self._lock.release()


def _set(library: Any, threads: int) -> None:
    """Set from any thread: threadpoolctl 3.8 heeds only the first that asked, until reset."""
    listen = getattr(library, "clear_controlling_thread", None)
    if listen is not None:
        listen(force=True)
    library.set_num_threads(threads)
    if listen is not None:
        listen(force=True)


_hold = _Hold()


def single_threaded(method: _Method) -> _Method:
    """Let a method of something with ``dense_columns`` run under `blas_threads`."""

    @wraps(method)
    def inside(self, *arguments):
        with blas_threads(self.dense_columns):
            return method(self, *arguments)

    return inside  # type: ignore[return-value]
