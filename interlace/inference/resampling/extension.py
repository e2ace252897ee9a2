"""A model on more or fewer groups, or rows within them, than its data have.

Rows are copied in their order, again and again: new levels of a grouping factor are copies of those
there are, and so are the levels of other factors that are nested within it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...errors import ArgumentError, ArgumentTypeError, listing, suggestion
from ...frames.read import whole_frame
from ..update import again, by_row, check_call, quiet

__all__ = ["extended", "sizes_of"]


def sizes_of(result: Any, along: str | None, within: Any) -> int:
    """Levels of the variable along which a model is extended, or rows in a cell of ``within``."""
    data = _data(result)
    if along is not None:
        return int(data[_known(data, along, "along")].nunique())
    cells = data.groupby(_cells(data, within), observed=True, sort=False).size()
    return int(cells.max())


def extended(result: Any, along: str | None, within: Any, size: int) -> Any:
    """The result of the same model fitted to ``size`` levels, or so many rows in each cell.

    Its estimates are of no use: responses are copies.
    """
    data = _data(result)
    if along is not None:
        data, rows = _along(result, data, _known(data, along, "along"), size)
    else:
        data, rows = _within(data, _cells(data, within), size)
    with quiet():
        new = again(result, result._doors.mixed, data=data, changes=by_row(result, rows))
    _check_columns(result, new, size)
    return new


def _data(result: Any) -> pd.DataFrame:
    """The rows of the fit, all columns of its data."""
    check_call(result, "power")
    frame = whole_frame(result.call["data"])
    if frame is None:
        raise ArgumentTypeError("along= and within= need a data frame")
    rows = result.fit.design.rows_in(frame)
    if rows is None:
        raise ArgumentError(
            "the data have changed since the fit, and along= and within= copy their rows; fit again"
        )
    return frame.iloc[rows].reset_index(drop=True)


def _known(data: pd.DataFrame, name: str, argument: str) -> str:
    if name not in data:
        near = suggestion(str(name), list(data.columns))
        raise ArgumentError(f"{argument}={name!r} is no column of the data.{near}")
    return name


def _cells(data: pd.DataFrame, within: Any) -> list[str]:
    """Columns whose combinations are cells: a list, or a text with ``+`` or ``:``."""
    if isinstance(within, str):
        for sign in "*:":
            within = within.replace(sign, "+")
        within = [part.strip() for part in within.split("+")]
    return [_known(data, name, "within") for name in within]


def _along(
    result: Any, data: pd.DataFrame, along: str, size: int
) -> tuple[pd.DataFrame, np.ndarray]:
    levels = list(data[along].unique())
    if along not in {name for f in result.fit.design.factors for name in f.name.split(":")}:
        return _values(data, along, size)
    codes = pd.Index(levels).get_indexer(pd.Index(data[along]))
    of_level = [np.flatnonzero(codes == i) for i in range(len(levels))]
    rows, copies = [], []
    for i in range(size):
        own = of_level[i % len(levels)]
        rows.append(own)
        copies.append(np.full(own.size, i // len(levels)))
    at, copy = np.concatenate(rows), np.concatenate(copies)
    new = data.iloc[at].reset_index(drop=True)
    for name in _nested(result, data, along):
        new[name] = _labels(new[name], copy)
    return new, at


def _nested(result: Any, data: pd.DataFrame, along: str) -> list[str]:
    """The variable and the other grouping variables each of whose levels is in one of its own."""
    names = {name for f in result.fit.design.factors for name in f.name.split(":")}
    out = [along]
    for name in sorted(names - {along}):
        if name in data and (data.groupby(name, observed=True)[along].nunique() == 1).all():
            fixed = result.fit.design.recipe
            side = fixed.fixed.get("mean") if fixed is not None else None
            # a variable of the fixed part keeps its levels: a treatment of whole groups
            if side is None or name not in side.variables:
                out.append(name)
    return out


def _labels(values: pd.Series, copy: np.ndarray) -> list[Any]:
    """Labels with the number of the copy behind them, none behind the first."""
    pairs = zip(values.astype(object), copy, strict=True)
    return [f"{value}" if not c else f"{value} ({c + 1})" for value, c in pairs]


def _values(data: pd.DataFrame, along: str, size: int) -> tuple[pd.DataFrame, np.ndarray]:
    """A numeric variable with more or fewer values, evenly on: each is a copy of the last one."""
    values = np.sort(data[along].unique())
    if not np.issubdtype(values.dtype, np.number):
        raise ArgumentError(
            f"along={along!r} is neither a grouping factor of the model nor a number; extend along "
            "a grouping factor, or within cells: within="
        )
    step = float(np.diff(values).mean()) if values.size > 1 else 1.0
    rows, blocks = [], []
    for i in range(size):
        here = values[min(i, values.size - 1)]
        own = np.flatnonzero(data[along] == here)
        rows.append(own)
        value = here if i < values.size else values[-1] + step * (i - values.size + 1)
        blocks.append(np.full(own.size, value))
    at = np.concatenate(rows)
    new = data.iloc[at].reset_index(drop=True)
    new[along] = np.concatenate(blocks)
    return new, at


def _within(data: pd.DataFrame, cells: list[str], size: int) -> tuple[pd.DataFrame, np.ndarray]:
    """The first rows of each cell, copied again and again where there are fewer."""
    groups = data.groupby(cells, observed=True, sort=False).indices.values()
    at = np.concatenate([np.resize(np.sort(own), size) for own in groups])
    return data.iloc[at].reset_index(drop=True), at


def _check_columns(result: Any, new: Any, size: int) -> None:
    """Refuse sizes at which the model has other coefficients."""
    for name, own in result.fit.design.predictors.items():
        there = new.fit.design.predictors[name].names
        changed = [n for n in (*own.names, *there) if (n in own.names) != (n in there)]
        if changed:
            raise ArgumentError(
                f"at size {size} the model has other coefficients, {listing(map(repr, changed))} "
                "come or go: the rows there have not the same levels of a factor. Take another "
                "size, or extend by another variable"
            )
