"""Memory that a worker of Dask has freed, kept for its next array."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

__all__ = ["freed_memory_kept"]

# What mallopt() calls the bytes above which freed memory goes back to the system, and those above
# which an array has pages of its own (malloc.h of glibc).
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
# Meanwhile: some arrays of a piece, the largest number that glibc allows.
KEPT, LARGE = 2**27, 2**25
# Unless it is told otherwise.
USUAL_LARGE = 2**17


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep memory that is freed inside the block where the process was told to give it back.

    Dask starts its workers with ``MALLOC_TRIM_THRESHOLD_``: every array of some rows would come
    from the system page by page, which takes a quarter of the time of an evaluation. Where nothing
    was told, or more than this, or the C library is not glibc, nothing is done.
    """
    before = os.environ.get("MALLOC_TRIM_THRESHOLD_", "")
    option = _mallopt()
    if option is None or not before.isdecimal() or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        yield
        return
    option(TRIM_THRESHOLD, KEPT)
    option(MMAP_THRESHOLD, LARGE)
    try:
        yield
    finally:
        option(TRIM_THRESHOLD, min(int(before), KEPT))
        option(MMAP_THRESHOLD, USUAL_LARGE)


@cache
def _mallopt() -> Callable[[int, int], int] | None:
    """glibc's mallopt(), None elsewhere."""
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018
        option = library.mallopt
    except (AttributeError, OSError, TypeError):
        return None
    option.argtypes, option.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    return option
