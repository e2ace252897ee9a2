"""Columns of many rows that are held once, in the order in which they were last needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias
from weakref import ref

import numpy as np

from ..frames.columns import read_only

__all__ = ["Held", "HeldColumns"]

# Numbers, 2 MB, below which a copy in another order is nothing.
FEW = 250_000


#: Rows of a matrix (n, p) by their positions.
Gather: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]


class HeldColumns:
    """A matrix (n, p), which is one array at a time.

    A fit of a model with one grouping factor works on rows sorted by level. Sorted they are what
    is held from then on; in their own order they are made again for who asks, and last as long as
    he needs them. Threads may ask at once: what is held changes in one assignment.

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

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": None}

    @property
    def rows(self) -> np.ndarray:
        """The matrix in the order of its rows; read-only where it had to be made."""
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
        values, own = self._held
        if own is not None and (own is order or np.array_equal(own, order)):
            return values
        values = self.rows[order] if gather is None else gather(self.rows, order)
        if values.size >= FEW:
            self._held = values, order
        return values


class Held:
    """The field of a record whose matrix is held by `HeldColumns`, under the name ``columns``."""

    def __get__(self, record: Any, kind: type) -> Any:
        return self if record is None else record.__dict__["columns"].rows

    def __set__(self, record: Any, values: np.ndarray) -> None:
        record.__dict__["columns"] = HeldColumns(values)
