"""Grouping factors: columns -> level codes, and the same again on new data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..frames.columns import Column, Columns, Labels
from ..frames.levels import label_numbers, level_texts, recode, whole_codes
from .expressions import Resolved
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
    variables : tuple of Resolved
        Columns, or expressions of columns.
    levels_of : tuple of ndarray
        Levels of each variable.
    cells : (l, m) int ndarray
        Level of each variable in each level of the factor; rows in lexicographic order, the first
        variable slowest, as R orders the levels of ``a:b``.  Observed combinations only.
    """

    label: str
    variables: tuple[Resolved, ...]
    levels_of: tuple[np.ndarray, ...]
    cells: np.ndarray

    @property
    def columns(self) -> list[str]:
        """Columns of the data that it needs."""
        return [name for variable in self.variables for name in variable.variables]

    @property
    def levels(self) -> np.ndarray:
        """Labels, (l,): the values themselves for one variable, ``"1:a"`` for an interaction."""
        if len(self.variables) == 1:
            return self.levels_of[0]
        return self._joined([texts[self.cells[:, j]] for j, texts in enumerate(self._texts())])

    def of(self, kept: np.ndarray) -> Grouping:
        """The factor with some of its levels, by their places in order."""
        if len(self.variables) == 1:
            cells = np.arange(len(kept))[:, None]
            return replace(self, levels_of=(self.levels_of[0][kept],), cells=cells)
        return replace(self, cells=self.cells[kept])

    def _texts(self) -> list[np.ndarray]:
        return [level_texts(levels) for levels in self.levels_of]

    @staticmethod
    def _joined(texts: list[np.ndarray]) -> np.ndarray:
        out = texts[0]
        for text in texts[1:]:
            out = np.strings.add(np.strings.add(out, ":"), text)
        return out

    def codes(self, columns: Columns) -> tuple[np.ndarray, tuple[Any, ...], bool]:
        """Codes (n,) of the rows of new data, -1 for a level unknown to the fit or a missing label.

        With them the distinct unknown labels, and whether a label is missing.
        """
        known_codes = self._plain_codes(columns)
        if known_codes is not None:
            return known_codes, (), False
        labels_of = [labels_in(variable, columns) for variable in self.variables]
        missing = np.zeros(columns.n, dtype=bool)
        for labels in labels_of:
            missing |= labels.codes < 0
        dims = tuple(max(len(levels), 1) for levels in self.levels_of)
        key = np.zeros(columns.n, dtype=np.int64)
        known = ~missing
        for labels, levels, size in zip(labels_of, self.levels_of, dims):
            level = recode(labels, levels)[0]
            known &= level >= 0
            key = key * size + np.where(level < 0, 0, level)
        of_cells = np.ravel_multi_index(tuple(self.cells.T), dims) if len(self.cells) else key[:0]
        at = np.searchsorted(of_cells, key)
        at = np.minimum(at, len(of_cells) - 1)
        codes = np.where(known & (of_cells[at] == key), at, -1).astype(np.int32)
        return codes, self._unseen(labels_of, (codes < 0) & ~missing), bool(missing.any())

    def _plain_codes(self, columns: Columns) -> np.ndarray | None:
        """Codes where the factor is a column of whole numbers that are all known, else None."""
        name = self.variables[0].text
        column = columns.values.get(name)
        if len(self.variables) > 1 or not isinstance(column, np.ndarray) or name in columns.missing:
            return None
        return whole_codes(column, self.levels_of[0])

    def _unseen(self, given: list[Labels], rows: np.ndarray) -> tuple[Any, ...]:
        if not rows.any():
            return ()
        if len(given) == 1:
            return tuple(given[0][rows].used().levels.tolist())
        texts = [level_texts(labels.levels)[labels.codes[rows]] for labels in given]
        return tuple(dict.fromkeys(self._joined(texts).tolist()))


def grouping(
    label: str, variables: Sequence[Resolved], columns: Columns
) -> tuple[Grouping, np.ndarray]:
    """A grouping factor, whose levels are the observed combinations of its variables.

    With it the codes of the rows, (n,) int32 in [0, l); every level occurs. The columns have no
    missing values.
    """
    variable_labels = [labels_in(variable, columns) for variable in variables]
    for i, variable in enumerate(variables):
        if variable.text not in columns.complete:
            variable_labels[i] = variable_labels[i].used()
    codes = variable_labels[0].codes
    cells = np.arange(len(variable_labels[0].levels))[:, None]
    for labels in variable_labels[1:]:
        codes, pairs = _combine(codes, len(cells), labels.codes, len(labels.levels))
        cells = np.concatenate([cells[pairs[:, 0]], pairs[:, 1:]], axis=1)
    levels = tuple(labels.levels for labels in variable_labels)
    factor = Grouping(label, tuple(variables), levels, cells)
    return factor, np.ascontiguousarray(codes, dtype=np.int32)


def _combine(
    first: np.ndarray, n_first: int, second: np.ndarray, n_second: int
) -> tuple[np.ndarray, np.ndarray]:
    """Codes of the observed pairs, and the pairs, (l, 2)."""
    key = first.astype(np.int64) * n_second + second
    size = n_first * n_second
    if size <= max(4 * len(key), TABLE_SIZE):
        present = np.zeros(size, dtype=bool)
        present[key] = True
        pairs = np.flatnonzero(present)
        codes = (np.cumsum(present, dtype=np.int32) - 1)[key]
    else:
        pairs, codes = np.unique(key, return_inverse=True)
    return codes, np.stack(np.divmod(pairs, n_second), axis=1)


def labels_in(variable: Resolved, columns: Columns) -> Labels:
    """The labels of a variable of a grouping factor in columns of data."""
    column: Column | None = columns.values.get(variable.text)
    if column is None:
        computed = labels_from(variable.value(columns))
        gone = variable.missing(columns)
        if gone is not None:
            computed = Labels(np.where(gone, -1, computed.codes), computed.levels, computed.ordered)
        return computed
    labels = column if isinstance(column, Labels) else label_numbers(column)
    missing = columns.missing.get(variable.text)
    if missing is not None:
        codes = np.where(missing, -1, labels.codes)
        labels = Labels(codes, labels.levels, labels.ordered)
    return labels
