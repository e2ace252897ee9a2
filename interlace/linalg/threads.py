"""How many threads BLAS may use during a fit.

A fit calls BLAS thousands of times on small matrices. A second thread then costs more than it
brings, and on a busy machine each wait for it can take milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, TypeVar

__all__ = ["blas_threads", "held"]

# OpenBLAS stays on one thread by itself up to about this many columns (dpotrf, dpotri, dsyrk took
# the same time with 1 and 2 threads allowed): nothing to hold back.
UNTHREADED = 64
# From this many columns on two threads gain clearly. Measured at 1128 columns: dpotrf 12.2 -> 8.4
# ms, dpotri 26 -> 13 ms on an idle machine, but the whole fit up to 7 times slower on a busy one.
# At twice the columns the work is 8 times as much and the waits are not.
THREADED = 2000

_Method = TypeVar("_Method", bound=Callable)

_nothing = nullcontext()
_controller: Any = None


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
    global _controller
    if _controller is None:
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError:
            return _nothing
        _controller = ThreadpoolController()
    return _controller.limit(limits=1, user_api="blas")


def held(method: _Method) -> _Method:
    """Let a method of something with ``dense_columns`` run under `blas_threads`."""

    @wraps(method)
    def inside(self, *arguments):
        with blas_threads(self.dense_columns):
            return method(self, *arguments)

    return inside  # type: ignore[return-value]
