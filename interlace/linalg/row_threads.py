"""Work on many rows, piece by piece, with threads where these have been asked for.

The pieces, and the order in which what they give is put together, are the same whatever the number
of threads: so are the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import numpy as np

from .kernels import _centred
from .threads import one_thread

__all__ = [
    "PIECE_ROWS",
    "ended",
    "gathered",
    "gathered_rows",
    "over_rows",
    "row_threads",
    "transposed_product",
]

#: Rows of a piece: a multiple of those that are standardised at a time.
PIECE_ROWS = 65536
#: Numbers, 80 MB, and columns of a matrix whose rows change places one after the other, which takes
#: longer than to copy them: in narrower ones the copy is gone before a fit takes most memory.
MANY, WIDE = 10_000_000, 8

_Answer = TypeVar("_Answer")
_pool: ContextVar[Executor | None] = ContextVar("pool", default=None)


@contextmanager
def row_threads(pool: Executor | None) -> Iterator[None]:
    """Let `over_rows` use the threads of a pool inside the block."""
    token = _pool.set(pool)
    try:
        yield
    finally:
        _pool.reset(token)


def over_rows(function: Callable[[slice], _Answer], n: int) -> list[_Answer]:
    """What a function gives for each piece of n rows, in their order."""
    pieces = [slice(i, min(i + PIECE_ROWS, n)) for i in range(0, n, PIECE_ROWS)] or [slice(0, 0)]
    pool = _pool.get()
    if pool is None or len(pieces) == 1:
        return [function(piece) for piece in pieces]

    def alone(piece: slice) -> _Answer:
        with one_thread(PIECE_ROWS):
            return function(piece)

    return ended([pool.submit(alone, piece) for piece in pieces])


def ended(futures: list[Future]) -> list:
    """Results of all futures, in order; none is left running, whatever goes wrong."""
    try:
        return [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()
        wait(futures)


def gathered(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Row values, (n,), in another order."""
    out = np.empty(len(order), dtype=values.dtype)

    def fill(piece: slice) -> None:
        np.take(values, order[piece], out=out[piece], mode="clip")

    over_rows(fill, len(order))
    return out


def gathered_rows(values: np.ndarray, order: np.ndarray, spare: bool = False) -> np.ndarray:
    """The same for a matrix, (n, p); where it is wide it is reordered itself if it is to spare."""
    if spare and _large(values) and order.dtype == np.int32:
        writeable, values.flags.writeable = values.flags.writeable, True
        _centred.reorder(values, order)
        values.flags.writeable = writeable
        return values
    out = np.empty((len(order), values.shape[1]), dtype=values.dtype)

    def fill(piece: slice) -> None:
        np.take(values, order[piece], axis=0, out=out[piece], mode="clip")

    over_rows(fill, len(order))
    return out


def _large(values: np.ndarray) -> bool:
    """Whether a copy of a matrix would be much beside what else a fit takes."""
    rows = values.dtype == np.float64 and values.flags.c_contiguous
    return rows and values.size >= MANY and values.shape[1] >= WIDE


def transposed_product(X: np.ndarray, r: np.ndarray) -> np.ndarray:
    """X'r, (p,), for X (n, p) and r (n,)."""
    return np.sum(over_rows(lambda piece: X[piece].T @ r[piece], len(X)), axis=0)
