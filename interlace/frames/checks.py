"""Errors of columns and rows, and how these are named in messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ..errors import DataError, first_line, listing, suggestion
from .columns import Columns, Labels, plainly_finite

#: Row labels shown in a message about faulty values.
ROWS_SHOWN = 5


def unknown_column(
    name: str, available: Iterable[str], where: str, in_session: bool = False
) -> DataError:
    """The error for a name that is no column, with the nearest one that is."""
    names = [str(item) for item in available]
    hint = suggestion(name, names)
    if name in getattr(available, "index_names", ()):
        hint = " It is a level of the index: data.reset_index() makes it a column."
    elif where == "offset" and name.endswith(")"):
        hint = f" An expression of columns stands in the formula: + offset({name})."
    elif where == "subset" and not hint:
        hint = f" A text has quotes: '{name}'."
    elif in_session:
        hint = " It is a variable of the session: add it to data as a column."
    elif not hint and (whole := name.partition(".")[0]) != name and whole in names:
        hint = f" What is computed from the column {whole!r} goes into I(), or is a column."
    return DataError(
        f"{where} names {name!r}, which is no column of data.{hint} Available: {listing(names)}"
    )


def columns_of(frame: Any) -> dict[str, Any]:
    """narwhals' types of the columns of a frame by name; in our words if its engine has none."""
    try:
        return dict(frame.collect_schema())
    except Exception as error:  # an engine's own: of what no row is needed to see
        raise DataError(
            f"{frame.implementation.value} cannot say which columns data has: {first_line(error)}"
        ) from error


def row_labels(index: pd.Index, mask: np.ndarray) -> str:
    """The first labels of the rows where `mask` holds."""
    rows = np.flatnonzero(mask)
    return listing(list(index[rows[:ROWS_SHOWN]]) + ["…"] * (len(rows) > ROWS_SHOWN))


def check_finite(columns: Columns) -> None:
    """Refuse infinite values."""
    for name, column in columns.values.items():
        if name in columns.complete or isinstance(column, Labels) or column.dtype.kind != "f":
            continue
        if plainly_finite(column):
            continue
        infinite = np.isinf(column)
        if infinite.any():
            raise DataError(
                f"column {name!r} has {infinite.sum()} infinite value(s), in row(s) "
                f"{row_labels(columns.index, infinite)}; set them to missing or drop the rows"
            )
