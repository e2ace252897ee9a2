"""Columns of many rows that are held once, in the order in which they were last needed."""

from __future__ import annotations

from collections.abc import Callable
from sys import getrefcount
from threading import RLock
from typing import Any, TypeAlias
from weakref import ref

import numpy as np

from ..frames.columns import read_only

__all__ = ["Held", "HeldColumns"]

# Numbers, 2 MB, below which a copy in another order is nothing.
FEW = 250_000


#: Rows of a matrix (n, p) by their positions, a permutation if it may be overwritten (the last).
Gather: TypeAlias = Callable[[np.ndarray, np.ndarray, bool], np.ndarray]


def _references() -> int:
    """What `getrefcount` says of an array that a record holds, and the function that asks."""
    held = np.empty(0), None
    values, _ = held
    return getrefcount(values)


ALONE = _references()


class HeldColumns:
    """A matrix (n, p), which is one array at a time.

    A fit of a model with one grouping factor works on rows sorted by level. Sorted they are what
    is held from then on; in their own order they are made again for who asks, and last as long as
    he needs them. Threads may ask at once. An array that nobody else has is put in order where it
    is, if the function that takes its rows does so: wide ones are not there twice.

    Examples
    --------
    >>> import numpy as np
    >>> held = HeldColumns(np.array([[1.0], [2.0], [3.0]]))
    >>> held.in_order(np.array([2, 0, 1])).ravel().tolist(), held.rows.ravel().tolist()
    ([3.0, 1.0, 2.0], [1.0, 2.0, 3.0])
    """

    def __init__(self, values: np.ndarray) -> None:
        self.shape = values.shape
        self._held: tuple[np.ndarray, np.ndarray | None] = values, None
        self._made: ref[np.ndarray] | None = None
        self._lock = RLock()

    def __getstate__(self) -> dict[str, Any]:
        return {"shape": self.shape, "_held": self._held}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _made=None, _lock=RLock())

    @property
    def rows(self) -> np.ndarray:
        """The matrix in the order of its rows; read-only where it had to be made."""
        with self._lock:
            values, order = self._held
            if order is None:
                return values
            made = None if self._made is None else self._made()
            if made is None:
                place = np.empty_like(order)
                place[order] = np.arange(len(order), dtype=order.dtype)
                made = read_only(values[place])
                self._made = ref(made)
            return made

    def in_order(
        self,
        order: np.ndarray,
        gather: Gather | None = None,
    ) -> np.ndarray:
        """The matrix with its rows in another order, (n,); of many rows it is held in that one.

        ``gather`` takes the rows of a matrix, by threads where there are some.
        """
        with self._lock:
            values, own = self._held
            if own is not None and (own is order or np.array_equal(own, order)):
                return values
            spare = own is None and values.base is None and values.size >= FEW
            spare = spare and getrefcount(values) == ALONE
            if own is not None:
                values = self.rows
            values = values[order] if gather is None else gather(values, order, spare)
            if values.size >= FEW:
                self._held = values, order
            return values


class Held:
    """The field of a record whose matrix is held by `HeldColumns`, under the name ``columns``."""

    def __get__(self, record: Any, kind: type) -> Any:
        return self if record is None else record.__dict__["columns"].rows

    def __set__(self, record: Any, values: np.ndarray) -> None:
        record.__dict__["columns"] = HeldColumns(values)
