"""A response of ordered categories: its levels, and the number of each row's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, DataError, DataWarning, listing, warn
from ..formula.spelling import unquoted
from ..frames.columns import Column, Columns, Labels
from ..frames.levels import label_numbers, recode
from .response import Response, response_values

#: Numbers with more values than this, and more than half as many as rows, are measurements.
MOST_NUMBERS = 20
SHOWN = 6


def ordered_response(
    spec: Response, columns: Columns, unused: Mapping[str, list[Any]], levels: Any = None
) -> Response:
    """The response with its categories from the lowest to the highest.

    `levels` gives their order; without it that of an ordered categorical, of numbers or booleans.
    `unused` are levels of columns that have no row.
    """
    if spec.kind != "column":
        raise DataError(
            f"the response {spec.text} is made of two columns; one of ordered categories is "
            "needed: a row for each observation, with weights= for repeated ones"
        )
    labels = _labels(spec, columns)
    known = labels.levels if levels is None else _given(spec, labels, levels)
    if levels is None:
        _check_order(spec, labels)
    lost = unused.get(unquoted(spec.parts[0].text), [])
    if known is labels.levels and not lost and len(known) > 1 and labels.used() is labels:
        return spec._replace(levels=known)
    occurring = set(labels.used().levels.tolist())
    texts = {str(level) for level in occurring}
    used = [level for level in known.tolist() if level in occurring or str(level) in texts]
    empty = [level for level in [*known.tolist(), *lost] if level not in used]
    if len(used) < 2:
        raise DataError(
            f"the response {spec.text!r} has one category only in the rows used, "
            f"{listing(map(repr, used))}: there is nothing to model"
        )
    if empty:
        warn(
            f"the categories {listing(map(repr, empty))} of {spec.text} have no row: no threshold "
            "beside them can be estimated, and they are left out, as in R",
            DataWarning,
        )
    return spec._replace(levels=np.array(used, dtype=known.dtype))


def category_codes(spec: Response, columns: Columns) -> np.ndarray:
    """The number of each row's category, (n,) floats."""
    assert spec.levels is not None
    codes, unknown = recode(_labels(spec, columns), spec.levels)
    if (codes < 0).any():
        raise DataError(
            f"the response {spec.text} has values that are none of its categories, "
            f"{listing(map(repr, spec.levels.tolist()))}: {listing(map(repr, unknown.tolist()))}"
        )
    return codes.astype(np.float64)


def response_of(
    spec: Response, columns: Columns, linear: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Values of the left side and trials: see `response_values`; of categories their numbers."""
    if spec.levels is not None:
        return category_codes(spec, columns), None
    return response_values(spec, columns, linear)


def _labels(spec: Response, columns: Columns) -> Labels:
    """The response as labels."""
    part = spec.parts[0]
    column: Column | None = columns.values.get(unquoted(part.text))
    if column is None:
        value = part.value(columns, strict=False)
        if isinstance(value, pd.Series):
            value = value.array
        if isinstance(value, pd.Categorical):
            return Labels(value.codes, np.asarray(value.categories), bool(value.ordered))
        column = np.asarray(value)
        if column.shape != (columns.n,) or column.dtype.kind not in "biuf":
            raise DataError(
                f"{part.text!r} does not give one category for each row; give the column itself, "
                "with levels= for their order"
            )
    return column if isinstance(column, Labels) else label_numbers(column)


def _check_order(spec: Response, labels: Labels) -> None:
    shown = listing(map(repr, labels.levels.tolist()), SHOWN)
    if labels.levels.dtype.kind not in "biuf":
        if labels.ordered or labels.arranged or _numeric_texts(labels.levels):
            return
        raise DataError(
            f"the categories of {spec.text}, {shown}, have no order: give it as "
            f"levels={labels.levels.tolist()[:SHOWN]!r}, the lowest first, or make the column an "
            "ordered categorical: pandas.Categorical(column, categories, ordered=True)"
        )
    count = len(labels.levels)
    if count > MOST_NUMBERS and 2 * count > len(labels):
        raise DataError(
            f"the response {spec.text!r} has {count} distinct values in {len(labels)} rows: these "
            "are measurements rather than categories. Use fit() for a linear model, or cut them "
            "into classes: pandas.cut(column, bins)"
        )


def _numeric_texts(levels: np.ndarray) -> bool:
    """Whether texts are numbers that stand in their order."""
    try:
        numbers = np.array([float(level) for level in levels.tolist()])
    except (TypeError, ValueError):
        return False
    return bool((np.diff(numbers) > 0.0).all())


def _given(spec: Response, labels: Labels, levels: Any) -> np.ndarray:
    """The levels that a call gives, as the column has them."""
    if isinstance(levels, str) or np.ndim(levels) != 1:
        raise ArgumentError(
            f"levels must list the categories from the lowest to the highest, got {levels!r}"
        )
    wanted = list(levels)
    by_text = {str(level): level for level in labels.levels.tolist()}
    wanted = [by_text.get(str(level), level) for level in wanted]
    if len(set(map(str, wanted))) < len(wanted):
        raise ArgumentError(f"levels={list(levels)!r} names a category twice")
    lacking = [v for v in labels.used().levels.tolist() if str(v) not in set(map(str, wanted))]
    if lacking:
        raise ArgumentError(
            f"levels={list(levels)!r} lacks {listing(map(repr, lacking))}, which {spec.text} has; "
            "name all of them, or leave rows out with subset="
        )
    out = np.empty(
        len(wanted), dtype=labels.levels.dtype if labels.levels.dtype.kind != "U" else object
    )
    try:
        out[:] = wanted
    except (TypeError, ValueError):
        out = np.array(wanted, dtype=object)
    return out
