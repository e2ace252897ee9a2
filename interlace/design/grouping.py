"""Grouping factors: columns -> level codes, and the same again on new data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..frames.columns import Column, Columns, Labels, as_float
from ..frames.levels import label_numbers, level_texts, recode
from .expressions import evaluate, names_in
from .functions import labels_from

#: A table of all combinations is used up to this many entries, or four times the rows.
TABLE_SIZE = 65_536


@dataclass(frozen=True, eq=False)
class Grouping:
    """One grouping factor, possibly an interaction of several variables.

    Attributes
    ----------
    label : str
        R's: ``"Subject"``, ``"cask:batch"``.
    variables : tuple of str
        Columns, or expressions of columns.
    levels_of : tuple of ndarray
        Levels of each variable.
    cells : (l, m) int ndarray
        Level of each variable in each level of the factor; rows in lexicographic order, the first
        variable slowest, as R orders the levels of ``a:b``.  Observed combinations only.
    states : tuple of dict
        What the expressions keep for new data.
    """

    label: str
    variables: tuple[str, ...]
    levels_of: tuple[np.ndarray, ...]
    cells: np.ndarray
    states: tuple[dict, ...]

    @property
    def levels(self) -> np.ndarray:
        """Labels, (l,): the values themselves for one variable, ``"1:a"`` for an interaction."""
        if len(self.variables) == 1:
            return self.levels_of[0]
        return self._joined([texts[self.cells[:, j]] for j, texts in enumerate(self._texts())])

    def _texts(self) -> list[np.ndarray]:
        return [level_texts(levels) for levels in self.levels_of]

    @staticmethod
    def _joined(texts: list[np.ndarray]) -> np.ndarray:
        out = texts[0]
        for text in texts[1:]:
            out = np.strings.add(np.strings.add(out, ":"), text)
        return out

    def codes(
        self, columns: Columns, context: Mapping[str, Any]
    ) -> tuple[np.ndarray, tuple[Any, ...], bool]:
        """Codes (n,) of the rows of new data, -1 for a level unknown to the fit or a missing label.

        With them the distinct unknown labels, and whether a label is missing.
        """
        given = [
            _labels(variable, columns, context, state)
            for variable, state in zip(self.variables, self.states)
        ]
        missing = np.zeros(columns.n, dtype=bool)
        for labels in given:
            missing |= labels.codes < 0
        dims = tuple(max(len(levels), 1) for levels in self.levels_of)
        key = np.zeros(columns.n, dtype=np.int64)
        known = ~missing
        for labels, levels, size in zip(given, self.levels_of, dims):
            found = recode(labels, levels)[0]
            known &= found >= 0
            key = key * size + np.where(found < 0, 0, found)
        of_cells = np.ravel_multi_index(tuple(self.cells.T), dims) if len(self.cells) else key[:0]
        at = np.searchsorted(of_cells, key)
        at = np.minimum(at, len(of_cells) - 1)
        codes = np.where(known & (of_cells[at] == key), at, -1).astype(np.int32)
        return codes, self._unseen(given, (codes < 0) & ~missing), bool(missing.any())

    def _unseen(self, given: list[Labels], rows: np.ndarray) -> tuple[Any, ...]:
        if not rows.any():
            return ()
        if len(given) == 1:
            return tuple(given[0][rows].used().levels.tolist())
        texts = [level_texts(labels.levels)[labels.codes[rows]] for labels in given]
        return tuple(dict.fromkeys(self._joined(texts).tolist()))


def grouping(
    label: str, variables: tuple[str, ...], columns: Columns, context: Mapping[str, Any]
) -> tuple[Grouping, np.ndarray]:
    """Make a grouping factor.

    Parameters
    ----------
    label : str
        R's label of it.
    variables : tuple of str
        Names of columns, or expressions, whose observed combinations are the levels.
    columns : Columns
        Rows without missing values.
    context : mapping
        The user's names, for expressions.

    Returns
    -------
    grouping : Grouping
    codes : (n,) int32 ndarray
        In [0, l); every level occurs.
    """
    states: tuple[dict, ...] = tuple({} for _ in variables)
    given = [
        _labels(variable, columns, context, state).used()
        for variable, state in zip(variables, states)
    ]
    codes = given[0].codes
    cells = np.arange(len(given[0].levels))[:, None]
    for labels in given[1:]:
        codes, pairs = _combine(codes, len(cells), labels.codes, len(labels.levels))
        cells = np.concatenate([cells[pairs[:, 0]], pairs[:, 1:]], axis=1)
    made = Grouping(label, variables, tuple(labels.levels for labels in given), cells, states)
    return made, np.ascontiguousarray(codes, dtype=np.int32)


def _combine(
    first: np.ndarray, n_first: int, second: np.ndarray, n_second: int
) -> tuple[np.ndarray, np.ndarray]:
    """Codes of the observed pairs, and the pairs, (l, 2)."""
    key = first.astype(np.int64) * n_second + second
    size = n_first * n_second
    if size <= max(4 * len(key), TABLE_SIZE):
        present = np.zeros(size, dtype=bool)
        present[key] = True
        found = np.flatnonzero(present)
        codes = (np.cumsum(present, dtype=np.int32) - 1)[key]
    else:
        found, codes = np.unique(key, return_inverse=True)
    return codes, np.stack(np.divmod(found, n_second), axis=1)


def _labels(variable: str, columns: Columns, context: Mapping[str, Any], state: dict) -> Labels:
    column: Column | None = columns.values.get(variable)
    if column is None:
        made = labels_from(
            evaluate(variable, columns.n, columns_used_by(columns, variable), context, state)
        )
        gone = missing_rows(columns, variable)
        if gone is not None:
            made = Labels(np.where(gone, -1, made.codes), made.levels, made.ordered)
        return made
    labels = column if isinstance(column, Labels) else label_numbers(column)
    missing = columns.missing.get(variable)
    if missing is not None:
        codes = np.where(missing, -1, labels.codes)
        labels = Labels(codes, labels.levels, labels.ordered)
    return labels


def missing_rows(columns: Columns, expression: str) -> np.ndarray | None:
    """Rows where a column of the expression is missing, whose value means nothing; None if none."""
    gone = np.zeros(columns.n, dtype=bool)
    for name in {found.name for found in names_in(expression)} & columns.values.keys():
        column = columns.values[name]
        if name in columns.missing:
            gone |= columns.missing[name]
        elif isinstance(column, Labels):
            gone |= column.codes < 0
        elif column.dtype.kind == "f":
            gone |= np.isnan(column)
    return gone if gone.any() else None


def columns_used_by(columns: Columns, expression: str) -> dict[str, Any]:
    """The columns an expression uses, as it sees them: float64 or boolean arrays, categoricals."""
    out: dict[str, Any] = {}
    for name in {found.name for found in names_in(expression)} & columns.values.keys():
        column = columns.values[name]
        if isinstance(column, Labels):
            out[name] = column.categorical()
        else:
            out[name] = column if column.dtype.kind == "b" else as_float(column)
    return out
