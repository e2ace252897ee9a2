"""The rows of a fit as a data frame: the variables of its formula as they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..design.rank import SAME_COLUMN
from ..errors import ArgumentError, ArgumentTypeError, InterlaceError, brief, listing
from ..formula.spelling import unquoted
from ..frames.read import frame_of, with_text_names

if TYPE_CHECKING:
    from ..design.design import Design
    from ..design.newdata import NewDesign


def rows_of_data(
    design: Design, data: Any = None, source: Any = None, own_response: bool = False
) -> pd.DataFrame:
    """The rows of the fit in a data frame, those of ``data`` where they are given.

    Else the response and the variables of the formula, from ``source``, the data of the fit if they
    are still known; without it, or if it has changed since the fit: response, columns of X and
    grouping factors. ``own_response``: the response of the fit is that of its data; of a refit it
    is another. Rows of the fit that ``data`` lacks or has with other values are refused.
    """
    if data is not None:
        frame = _rows_of(data, design)
        _check_values(design, frame, own_response)
        return frame
    variables = None if source is None else _variables(design, source)
    return _columns_of(design) if variables is None else variables


def all_rows_of_data(
    design: Design, data: Any = None, source: Any = None, own_response: bool = False
) -> pd.DataFrame:
    """As :func:`rows_of_data`, with the rows that were not used under ``"exclude"``.

    A column has their values where it is one of the data, and is missing there otherwise.
    """
    frame = rows_of_data(design, data, source, own_response)
    whole = _frame(source if data is None else data)
    padded = design.pad_rows(frame)
    if design.full_rows is None or whole is None:
        return padded
    own = design.rows_in(whole)
    same = [name for name in frame if name in whole and whole[name].iloc[own].equals(frame[name])]
    return padded.assign(**{str(name): whole[name].iloc[design.full_rows] for name in same})


def _columns_of(design: Design) -> pd.DataFrame:
    columns = {design.response_name: design.y}
    for name, values in zip(design.x_names, design.X.T, strict=True):
        if name != "Intercept":
            columns[name] = values
    for factor in design.factors:
        columns[factor.name] = np.asarray(factor.labels)[factor.label_codes]
    return pd.DataFrame(columns, index=design.index)


def _check_values(design: Design, frame: pd.DataFrame, own_response: bool) -> None:
    """Refuse rows with the labels of the fit but other values, where they have its variables."""
    names, response = design.variables(), design.response_variables
    if not set(names) <= set(frame):
        return
    with_response = own_response and bool(response) and set(response) <= set(frame)
    needed = list(dict.fromkeys([*names, *(response if with_response else [])]))
    try:
        again = design.on(frame[needed], offset=0.0, response=with_response)
    except InterlaceError as error:
        raise ArgumentError(f"data are not those of the fit: {error}") from None
    bad = [
        name
        for j, name in enumerate(design.x_names)
        if not _same_column(again.X[:, j], design.X[:, j])
    ]
    bad += [
        factor.name
        for (codes, _), factor in zip(again.factors, design.factors, strict=True)
        if not np.array_equal(codes, factor.codes)
    ]
    if with_response and again.y is not None and not _same_column(again.y, design.y):
        bad.insert(0, design.response_name)
    if bad:
        raise ArgumentError(
            f"data has the row labels of the fit but other values of {listing(bad)}: its rows are "
            "in another order, or it was changed. Pass the frame that was fitted; predict(newdata) "
            "is for others"
        )


def _same_column(a: np.ndarray, b: np.ndarray) -> bool:
    with np.errstate(invalid="ignore"):
        return bool((np.abs(a - b) <= SAME_COLUMN * np.abs(b).max(initial=0.0)).all())


def _variables(design: Design, source: Any) -> pd.DataFrame | None:
    """The variables of the formula, None if the source does not have them as the fit did."""
    names, response = design.variables(), design.response_variables
    try:
        frame = _rows_of(source, design, list(dict.fromkeys([*response, *names])))
        again = design.on(frame, offset=0.0, response=True)
    except (InterlaceError, KeyError):
        return None
    if not _same(design, again) or again.y is None:
        return None
    first = unquoted(design.response_name)
    response_values = pd.Series(design.y, frame.index, name=first)
    if not np.array_equal(again.y, design.y):  # refitted: the source has another response
        frame = frame[[name for name in frame if name in names and name != first]]
        return pd.concat([response_values, frame], axis=1)
    return frame if first in response else pd.concat([response_values, frame], axis=1)


def _same(design: Design, again: NewDesign) -> bool:
    """Whether a design made again has the columns and groups of the first."""
    bound = SAME_COLUMN * np.abs(design.X).max(axis=0, initial=0.0)
    return bool((np.abs(again.X - design.X) <= bound).all()) and all(
        np.array_equal(codes, factor.codes)
        for (codes, _), factor in zip(again.factors, design.factors, strict=True)
    )


def _frame(data: Any, names: list[str] | None = None) -> pd.DataFrame | None:
    """Columns of data, by default all; None if they are no data."""
    if isinstance(data, Mapping):
        try:
            return pd.DataFrame({name: data[name] for name in (data if names is None else names)})
        except ValueError as error:
            raise ArgumentError(f"data is a dict that makes no data frame: {error}") from None
    whole = frame_of(data)
    return whole if whole is None or names is None else with_text_names(whole)[names]


def _rows_of(data: Any, design: Design, names: list[str] | None = None) -> pd.DataFrame:
    frame = _frame(data, names)
    if frame is None:
        raise ArgumentTypeError(f"data must be the data frame that was fitted, got {brief(data)}")
    positions = design.rows_in(frame)
    if positions is None:
        raise ArgumentError(
            f"data has {len(frame)} rows, whose index does not match that of the {design.y.size} "
            "rows of the fit; pass the frame that was fitted"
        )
    return frame.iloc[positions]
