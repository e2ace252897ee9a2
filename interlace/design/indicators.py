"""Columns of Z of which each row has a 1 in one and 0 in the others, held as the place of the 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..errors import DataError, NumericalError
from ..formula.spelling import shown
from ..frames.columns import Columns, Labels
from .codings import unseen_level

__all__ = [
    "IndexedColumns",
    "LevelColumns",
    "beside",
    "row_products",
    "row_scaled",
    "row_spread",
]

# Numbers of a dense Z, 2 GB of them.
MOST_DENSE = 250_000_000


class IndexedColumns(NDArrayOperatorsMixin):
    """A matrix (n, k) some of whose columns are the indicators of a time or a level.

    It is read as an array; what has no shorter way makes the dense matrix of it.

    Parameters
    ----------
    place : (n,) int ndarray
        Which of the indicators is 1; -1 for missing ones.
    run : slice
        The places of the indicators among the columns.
    rest : (n, k - width) ndarray
        The other columns.
    value : (n,) ndarray, optional
        What stands in place of each 1.
    """

    ndim = 2
    dtype = np.dtype(np.float64)

    def __init__(
        self,
        place: np.ndarray,
        run: slice,
        rest: np.ndarray | None = None,
        value: np.ndarray | None = None,
    ) -> None:
        self.place, self.run, self.value = place, run, value
        self.rest = np.empty((place.size, 0)) if rest is None else rest
        self.shape = place.size, run.stop - run.start + self.rest.shape[1]
        self.strides = 8 * self.shape[1], 8

    @classmethod
    def of(cls, place: np.ndarray, k: int) -> IndexedColumns:
        """k indicators and nothing else."""
        return cls(place.astype(np.int32), slice(0, k))

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def others(self) -> np.ndarray:
        """Places of the other columns."""
        return np.delete(np.arange(self.shape[1]), self.run)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        del copy
        n, k = self.shape
        if n * k > MOST_DENSE:
            raise NumericalError(
                f"this needs all {k} columns of the times of a series for {n} rows at once, which "
                "do not fit into memory; do it for fewer rows"
            )
        out = np.zeros(self.shape, dtype=np.float64)
        out[np.arange(n), self.run.start + self.place] = 1.0 if self.value is None else self.value
        out[self.place < 0, self.run] = np.nan
        out[:, self.others] = self.rest
        return out if dtype is None else out.astype(dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        if ufunc is np.multiply and method == "__call__" and not named:
            (other,) = [x for x in inputs if x is not self] or [self]
            if isinstance(other, np.ndarray):
                return self._multiplied(other)
        dense = [np.asarray(x) if isinstance(x, IndexedColumns) else x for x in inputs]
        return getattr(ufunc, method)(*dense, **named)

    def _multiplied(self, by: np.ndarray) -> IndexedColumns:
        by = np.broadcast_to(by, self.shape)
        value = by[np.arange(len(self)), self.run.start + np.maximum(self.place, 0)]
        value = np.asarray(value if self.value is None else value * self.value, dtype=np.float64)
        return IndexedColumns(self.place, self.run, self.rest * by[:, self.others], value)

    def _values_of(self, rows: Any) -> np.ndarray | None:
        return None if self.value is None else self.value[rows]

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, tuple):
            value = self._values_of(key)
            return IndexedColumns(self.place[key], self.run, self.rest[key], value)
        rows, columns = key
        chosen = np.arange(self.shape[1])[columns]
        if chosen.ndim:
            own = np.flatnonzero((chosen >= self.run.start) & (chosen < self.run.stop))
            if not own.size:
                return self.rest[rows][..., np.searchsorted(self.others, chosen)]
            width = self.run.stop - self.run.start
            whole = np.arange(self.run.start, self.run.stop)
            if own.size == width and np.array_equal(chosen[own[0] : own[0] + width], whole):
                run = slice(int(own[0]), int(own[0]) + width)
                rest = np.searchsorted(self.others, np.delete(chosen, run))
                value = self._values_of(rows)
                return IndexedColumns(self.place[rows], run, self.rest[rows][:, rest], value)
        elif self.run.start <= chosen < self.run.stop:
            place = self.place[rows]
            here = place == chosen - self.run.start
            value = self._values_of(rows)
            return np.where(place < 0, np.nan, here if value is None else here * value)
        return np.asarray(self)[key]


def beside(blocks: Sequence[Any]) -> Any:
    """Blocks of columns as one matrix, (n, k), indexed if one of them is."""
    if len(blocks) == 1:
        return blocks[0]
    indexed = [i for i, block in enumerate(blocks) if isinstance(block, IndexedColumns)]
    if len(indexed) != 1:
        return np.concatenate([np.asarray(block) for block in blocks], axis=1)
    (at,) = indexed
    start = sum(block.shape[1] for block in blocks[:at])
    run = slice(start + blocks[at].run.start, start + blocks[at].run.stop)
    rest = [block.rest if i == at else block for i, block in enumerate(blocks)]
    return IndexedColumns(blocks[at].place, run, np.concatenate(rest, axis=1), blocks[at].value)


def row_products(Z: Any, codes: np.ndarray, b: np.ndarray) -> np.ndarray:
    """z'b of each row's own level, (n,), for b (l, k)."""
    if not isinstance(Z, IndexedColumns):
        return np.einsum("ij,ij->i", Z, b[codes])
    missing = Z.place < 0
    out = b[codes, Z.run.start + np.where(missing, 0, Z.place)]
    if Z.value is not None:
        out = out * Z.value
    if missing.any():
        out[missing] = np.nan
    if Z.rest.shape[1]:
        out = out + np.einsum("ij,ij->i", Z.rest, b[:, Z.others][codes])
    return out


@dataclass(frozen=True, eq=False)
class LevelColumns:
    """How to make the indicators of the levels of a column again.

    Attributes
    ----------
    text : str
        The column as the formula has it: ``"time"``, ``"factor(time)"``.
    variable : str
        The column.
    levels : (k,) ndarray
    """

    text: str
    variable: str
    levels: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """``"time[3]"``."""
        label = shown(self.text)
        return tuple(f"{label}[{level}]" for level in self.levels)

    def indexed(self, columns: Columns) -> IndexedColumns:
        """The columns of Z for rows of data, (n, k)."""
        column = columns.values[self.variable]
        if isinstance(column, Labels):
            codes = column.codes
        else:
            missing = np.isnan(column) if column.dtype.kind == "f" else np.zeros(len(column), bool)
            codes = np.minimum(np.searchsorted(self.levels, column), len(self.levels) - 1)
            unknown = ~missing & (self.levels[codes] != column)
            if unknown.any():
                unseen = np.unique(column[unknown]).tolist()
                raise DataError(unseen_level(self.text, unseen, self.levels.tolist()))
            codes = np.where(missing, -1, codes)
        return IndexedColumns.of(codes, len(self.levels))

    def matrix(self, columns: Columns) -> np.ndarray:
        """The same as a dense matrix."""
        return np.asarray(self.indexed(columns))


def row_spread(Z: Any, T: np.ndarray) -> np.ndarray:
    """z'TT'z of each row, (n,)."""
    if not isinstance(Z, IndexedColumns):
        return np.sum((Z @ T) ** 2, axis=1)
    at, others = Z.run.start + np.maximum(Z.place, 0), Z.others
    value = np.ones(len(Z)) if Z.value is None else Z.value
    out = value**2 * np.einsum("ij,ij->i", T, T)[at]
    if Z.rest.shape[1]:
        S = T @ T[others].T
        both = 2.0 * value[:, None] * S[at] + Z.rest @ S[others]
        out = out + np.einsum("ij,ij->i", Z.rest, both)
    return np.where(Z.place < 0, np.nan, out)


def row_scaled(Z: Any, sizes: np.ndarray, of: np.ndarray) -> Any:
    """Z with each column multiplied by its row of sizes, sizes (K, n) and of (k,)."""
    if not isinstance(Z, IndexedColumns):
        return Z * sizes[of].T
    value = sizes[of[Z.run.start]]
    value = value if Z.value is None else value * Z.value
    return IndexedColumns(Z.place, Z.run, Z.rest * sizes[of[Z.others]].T, value)
