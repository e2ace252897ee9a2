"""Arguments with one value per row of data: weights, offset, subset."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, ArgumentTypeError, brief, listing
from ..frames.checks import row_labels
from ..frames.columns import Columns, plainly_finite
from .expressions import Resolved


def per_row_argument(value: Any, argument: str, index: pd.Index) -> np.ndarray:
    """An argument with one number per row of the data, as float64; NaN is missing."""
    if callable(value):  # a method of the frame that has a column's name
        raise ArgumentTypeError(
            f"{argument} must be numbers or the name of a column, got the function "
            f"{getattr(value, '__name__', brief(value))}(); a column of that name is data['…']"
        )
    _check_index(value, argument, index)
    array = as_array(value)
    if array.dtype == object and not array.size and not hasattr(value, "__len__"):
        raise ArgumentTypeError(  # an expression of an engine, which has no values yet
            f"{argument} must be numbers or the name of a column, got "
            f"{type(value).__name__} of {type(value).__module__.partition('.')[0]}"
        )
    try:
        if isinstance(value, pd.Series) and array.dtype.kind != "c":
            array = value.to_numpy(dtype=float, na_value=np.nan)
        if array.dtype.kind == "c":
            raise TypeError
        array = array.astype(np.float64, copy=False)
    except (TypeError, ValueError):
        first = array.ravel()[:3].tolist()
        description = f"{type(value).__name__} with {brief(first)}" if first else brief(value)
        raise ArgumentTypeError(
            f"{argument} must be numbers or the name of a column, got {description}"
        ) from None
    _check_length(array, argument, len(index))
    return np.ascontiguousarray(array)


def as_array(value: Any) -> np.ndarray:
    """A value as an array; one without entries if NumPy sees no shape in it."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):  # rows of unequal length
        return np.empty(0, dtype=object)
    return array if array.ndim else np.empty(0, dtype=object) if array.dtype.kind == "O" else array


def _check_index(value: Any, argument: str, index: pd.Index) -> None:
    if not isinstance(value, pd.Series) or len(value) != len(index):
        return
    if other_labels(value.index, index):
        raise ArgumentError(
            f"{argument} is a Series whose row labels differ from those of data; reindex it to "
            f"the rows of data, or pass {argument}.to_numpy() to match by position"
        )


def other_labels(index: pd.Index, known: pd.Index) -> str:
    """The way row labels differ from as many known ones: "order", "rows", or empty for none.

    Labels 0, 1, … are those of what never had any: they go with all others but the same labels in
    another order.
    """
    if index.equals(known):
        return ""
    unique = index.is_unique and known.is_unique
    if unique and (known.get_indexer(index) >= 0).all():
        return "order"
    plain = isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1
    return "" if plain else "rows"


def _check_length(array: np.ndarray, argument: str, n: int) -> None:
    if array.ndim != 1:
        raise ArgumentError(
            f"{argument} must have one value per row of data ({n}), got "
            f"{'a single number' if array.ndim == 0 else f'an array of shape {array.shape}'}"
        )
    if len(array) != n:
        raise ArgumentError(
            f"{argument} has {len(array)} values but data has {n} rows; give one per row, "
            "before rows are dropped"
        )


def check_weights(weights: np.ndarray, index: pd.Index) -> None:
    """Refuse weights that are not positive and finite."""
    if np.minimum.reduce(weights, initial=1.0) > 0.0 and plainly_finite(weights):
        return
    bad = ~(np.isfinite(weights) & (weights > 0))
    if bad.any():
        raise ArgumentError(
            f"weights must be positive and finite; row(s) {row_labels(index, bad)} have "
            f"{listing(f'{w:g}' for w in weights[bad][:5])}. Leave out rows of weight zero with "
            "subset="
        )


def subset_rows(subset: Any, columns: Columns) -> np.ndarray:
    """Mask (n,) of a subset: an array or a column of booleans, or a comparison as a text."""
    if isinstance(subset, str):
        mask = _query(subset, columns)
    else:
        _check_index(subset, "subset", columns.index)
        mask = as_array(subset)
        if mask.dtype.kind == "O":
            missing = np.asarray(pd.isna(mask))
            if missing.any():
                raise ArgumentError(
                    f"subset is missing in {missing.sum()} row(s), which are neither in nor out; "
                    "fill them, as in subset.fillna(False)"
                )
        if mask.dtype.kind == "O" and all(isinstance(m, bool | np.bool_) for m in mask.ravel()):
            mask = mask.astype(bool)
        if mask.dtype.kind != "b":
            raise ArgumentTypeError(
                "subset must be booleans, one per row of data, or an expression such as "
                f"'Days > 2'; got {type(subset).__name__} of {mask.dtype}"
            )
        _check_length(mask, "subset", columns.n)
    if not mask.any():
        raise ArgumentError(f"subset selects none of the {columns.n} rows of data")
    return mask


def _query(expression: str, columns: Columns) -> np.ndarray:
    column, resolved = columns.values.get(expression), Resolved(expression, ())
    if isinstance(column, np.ndarray):
        value: Any = column
        missing = columns.missing.get(expression)
        if missing is not None:
            raise ArgumentError(
                f"the column {expression!r} of subset= is missing in {missing.sum()} row(s), which "
                "are neither in nor out; fill them first"
            )
    else:
        value = resolved.value(columns, strict=False)
    mask = np.asarray(value)
    if mask.shape != (columns.n,) or mask.dtype.kind != "b":
        raise ArgumentError(
            f"subset={expression!r} does not give one truth value per row; write a comparison "
            "such as 'Days > 2'"
        )
    gone = resolved.missing(columns)
    return mask if gone is None else mask & ~gone
