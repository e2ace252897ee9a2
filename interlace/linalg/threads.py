"""How many threads BLAS may use during a fit.

A fit calls BLAS thousands of times on small matrices. A second thread then costs more than it
brings, and on a busy machine each wait for it can take milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, TypeVar

__all__ = ["blas_threads", "held", "one_thread"]

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


def blas_threads(dense_columns: int) -> AbstractContextManager:
    """Hold BLAS to one thread inside the block, unless the dense part gains from more.

    The limit is that of the whole process while the block runs. Without threadpoolctl nothing is
    held back (set ``OPENBLAS_NUM_THREADS`` instead).

    Parameters
    ----------
    dense_columns : int
        Columns of the largest matrix factorised as dense, `Factor.dense_columns`.

    Returns
    -------
    context manager

    Examples
    --------
    >>> from interlace.linalg.threads import blas_threads
    >>> with blas_threads(24):
    ...     pass
    """
    if dense_columns <= UNTHREADED or dense_columns >= THREADED:
        return _nothing
    return _hold


def one_thread(entries: int) -> AbstractContextManager:
    """Hold BLAS to one thread for products of a tall matrix, chunk by chunk.

    Parameters
    ----------
    entries : int
        Of the matrix; small ones are not threaded anyway.
    """
    return _hold if entries > UNTHREADED_ENTRIES else _nothing


class _Hold:
    """Holds BLAS to one thread; free to enter again inside itself."""

    def __init__(self) -> None:
        self._depth = 0
        self._controller: Any = None
        self._limit: Any = None

    def __enter__(self) -> None:
        if self._depth == 0:
            self._limit = self._limited()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0 and self._limit is not None:
            self._limit.restore_original_limits()

    def _limited(self) -> Any:
        if self._controller is None:
            try:
                from threadpoolctl import ThreadpoolController
            except ImportError:
                return None
            self._controller = ThreadpoolController()
        return self._controller.limit(limits=1, user_api="blas")


_hold = _Hold()


def held(method: _Method) -> _Method:
    """Let a method of something with ``dense_columns`` run under `blas_threads`."""

    @wraps(method)
    def inside(self, *arguments):
        with blas_threads(self.dense_columns):
            return method(self, *arguments)

    return inside  # type: ignore[return-value]
