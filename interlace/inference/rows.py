"""The rows of a fit as a data frame: the variables of its formula as they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, InterlaceError
from ..spelling import unquoted

if TYPE_CHECKING:
    from ..design import Design, NewDesign

# Entries of a model matrix made twice from the same columns agree to rounding; data that were
# changed since the fit do not.
SAME_COLUMN = 1e-8


def rows_of_data(design: Design, data: Any = None, source: Any = None) -> pd.DataFrame:
    """The rows of the fit in a data frame.

    Parameters
    ----------
    design : Design
    data : data frame, optional
        The data of the fit, all of whose columns are wanted.
    source : data frame, optional
        The data of the fit, if they are still known: without ``data``, the response and the
        variables of the formula are taken from there.

    Returns
    -------
    DataFrame, n rows
        Without data and source, or with a source that has changed since the fit: response, columns
        of X and grouping factors.

    Raises
    ------
    ArgumentError
        If rows of the fit are not in ``data``.
    """
    if data is not None:
        return _rows_of(data, design)
    found = None if source is None else _variables(design, source)
    return _columns_of(design) if found is None else found


def _columns_of(design: Design) -> pd.DataFrame:
    columns = {design.response_name: design.y}
    for name, values in zip(design.x_names, design.X.T, strict=True):
        if name != "Intercept":
            columns[name] = values
    for factor in design.factors:
        columns[factor.name] = np.asarray(factor.levels)[factor.codes]
    return pd.DataFrame(columns, index=design.index)


def _variables(design: Design, source: Any) -> pd.DataFrame | None:
    """The variables of the formula, None if the source does not have them as the fit did."""
    replay = design.replay
    if replay is None:
        return None
    names = list(replay.fixed_variables)
    names += [name for side in replay.sides for name in side.variables]
    names += [name for piece in replay.offsets for name in piece.variables]
    names += [name for group in replay.grouping_variables for name in group]
    response = list(replay.response_variables)
    try:
        frame = _rows_of(source, design, list(dict.fromkeys([*response, *names])))
        again = design.on(frame, offset=0.0, response=True)
    except (InterlaceError, KeyError):
        return None
    if not _same(design, again) or again.y is None:
        return None
    first = unquoted(design.response_name)
    made = pd.Series(design.y, frame.index, name=first)
    if not np.array_equal(again.y, design.y):  # refitted: the source has another response
        frame = frame[[name for name in frame if name in names and name != first]]
        return pd.concat([made, frame], axis=1)
    return frame if first in response else pd.concat([made, frame], axis=1)


def _same(design: Design, again: NewDesign) -> bool:
    """Whether a design made again has the columns and groups of the first."""
    bound = SAME_COLUMN * np.abs(design.X).max(axis=0, initial=0.0)
    return bool((np.abs(again.X - design.X) <= bound).all()) and all(
        np.array_equal(codes, factor.codes)
        for (codes, _), factor in zip(again.factors, design.factors, strict=True)
    )


def _rows_of(data: Any, design: Design, names: list[str] | None = None) -> pd.DataFrame:
    import narwhals.stable.v2 as nw

    if isinstance(data, pd.DataFrame):
        frame = data if names is None else data[names]
    elif isinstance(data, Mapping):
        frame = pd.DataFrame({name: data[name] for name in (data if names is None else names)})
    else:
        lazy = nw.from_native(data).lazy()
        frame = (lazy if names is None else lazy.select(names)).collect("pandas").to_native()
    positions = np.arange(len(frame)) if design.rows is None else design.rows
    fits = positions.size == design.y.size and positions.max(initial=-1) < len(frame)
    if not fits or not frame.index[positions].equals(design.index):
        raise ArgumentError(
            f"data has {len(frame)} rows, whose index does not match that of the {design.y.size} "
            "rows of the fit; pass the frame that was fitted"
        )
    return frame.iloc[positions]
