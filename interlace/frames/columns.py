"""Columns of data in one common form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

_NO_CODES = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, eq=False)
class Labels:
    """A categorical column.

    Attributes
    ----------
    codes : (n,) integer ndarray
        Positions in `levels`; -1 for missing.
    levels : (l,) ndarray
        Distinct values in their order.
    ordered : bool
        Whether the order of the levels means something (a pandas ordered categorical).
    arranged : bool
        Whether the levels were put in their order by whoever made the column (a Polars Enum).
    """

    codes: np.ndarray
    levels: np.ndarray
    ordered: bool = False
    arranged: bool = False

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Labels:
        return Labels(self.codes[rows], self.levels, self.ordered, self.arranged)

    def occurring(self) -> np.ndarray:
        """Whether each level occurs, and at the end, whether a missing value does, (l + 1,)."""
        out = np.zeros(len(self.levels) + 1, dtype=bool)
        out[self.codes] = True  # -1 is the last place
        return out

    def without_rows(self) -> Labels:
        """The levels alone."""
        return Labels(_NO_CODES, self.levels, self.ordered, self.arranged)

    def used(self) -> Labels:
        """Without the levels that do not occur."""
        keep = self.occurring()[:-1]
        if keep.all():
            return self
        new = np.cumsum(keep) - 1
        codes = np.where(self.codes < 0, -1, new[self.codes]).astype(np.int32)
        return Labels(codes, self.levels[keep], self.ordered, self.arranged)

    def categorical(self) -> pd.Categorical:
        """The column as pandas has it."""
        return pd.Categorical.from_codes(
            self.codes, categories=pd.Index(self.levels), ordered=self.ordered
        )


Column = np.ndarray | Labels


@dataclass(frozen=True, eq=False)
class Columns:
    """The needed columns of a data frame.

    Attributes
    ----------
    values : dict of str -> numeric ndarray or Labels
        Each of length `n`.
    index : pandas.Index
        Row labels: the frame's own in pandas, 0, 1, ... elsewhere.
    missing : dict of str -> (n,) bool ndarray
        For the columns that have missing values: where.
    complete : frozenset of str
        Columns of which it is known that all values are there and finite, and all levels occur.
    """

    values: dict[str, Column]
    index: pd.Index
    missing: dict[str, np.ndarray] = field(default_factory=dict)
    complete: frozenset[str] = frozenset()

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.index)

    def take(self, rows: np.ndarray) -> Columns:
        """The rows at the positions `rows`, missing values among them forgotten."""
        return Columns({k: v[rows] for k, v in self.values.items()}, self.index[rows])

    def pandas(self, names: Iterable[str]) -> pd.DataFrame:
        """The named columns as a pandas frame with float64, boolean and categorical columns."""
        return pd.DataFrame(
            {name: _pandas_values(self.values[name]) for name in names}, index=self.index
        )


def _pandas_values(column: Column) -> Any:
    if isinstance(column, Labels):
        return column.categorical()
    return column if column.dtype.kind == "b" else as_float(column)


def as_float(column: np.ndarray) -> np.ndarray:
    """A numeric column as float64, without a copy where it is that already."""
    return np.ascontiguousarray(column, dtype=np.float64)


def read_only(array: np.ndarray) -> np.ndarray:
    """The array itself, closed to writers."""
    array.flags.writeable = False
    return array


def repeated(value: float, *shape: int) -> np.ndarray:
    """A read-only array of one number, which is held once (`np.broadcast_to` takes longer)."""
    one = read_only(np.array(value, dtype=np.float64))
    return np.ndarray(shape, np.float64, one, strides=(0,) * len(shape))


def plainly_finite(values: np.ndarray) -> bool:
    """Whether sums in one pass without a temporary show that all values are finite.

    The sum of squares of numbers beyond 1e154 shows nothing.
    """
    if values.dtype.char == "d":
        return isfinite(np.vdot(values, values))  # warns of nothing
    with np.errstate(all="ignore"):
        return isfinite(np.add.reduce(values, axis=None))
