"""Values as levels and codes: texts, categories, numbers, and codes in given levels."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from .columns import Column, Labels, read_only
from .identity import ByIdentity

#: A time with its distance from Greenwich, as pandas prints it.
_WITH_ZONE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d")


def text_labels(values: Any) -> Labels:
    """Factorise with sorted levels."""
    values = values.astype(object) if isinstance(values, np.ndarray) else values
    codes, levels = pd.factorize(values)
    return sorted_labels(codes, np.asarray(levels, dtype=object))


def sorted_labels(codes: np.ndarray, levels: np.ndarray) -> Labels:
    """Codes of distinct values in any order as labels in sorted order; -1 stays -1."""
    order = np.argsort(levels)
    rank = np.full(len(levels) + 1, -1, dtype=np.int32)
    rank[order] = np.arange(len(levels), dtype=np.int32)
    return Labels(rank[codes], levels[order])


def category_labels(values: Any) -> Labels:
    """A pandas categorical as labels, in its own order."""
    dtype = values.dtype
    return Labels(values.codes, _levels_of(dtype.categories), bool(dtype.ordered))


def _levels(categories: pd.Index) -> np.ndarray:
    """Categories as an array that nobody writes to: numbers, or texts."""
    if not isinstance(categories.dtype, pd.StringDtype):
        levels = np.asarray(categories)
        if levels.dtype.kind in "biuf":
            return levels
        categories = categories.astype(str)
    return read_only(np.array(categories, dtype=object))


#: By the index of the categories, which pandas never changes in place.
_levels_of = ByIdentity(_levels)


def label_numbers(values: np.ndarray) -> Labels:
    """A numeric column as labels in numeric order; NaN is missing."""
    if values.dtype.kind == "b":
        return Labels(values.astype(np.int32), np.array([False, True]))
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = values == np.floor(values)
        if whole.all():
            # A column of integers with gaps arrives as floats; its labels are the integers.
            limit = np.iinfo(np.int64).max
            if np.abs(values).max(initial=0) < limit:
                values = values.astype(np.int64)
    elif len(values):
        low, high = int(values.min()), int(values.max())
        if high - low < 4 * len(values):
            # Compact integers: a table look-up, no hashing, no sort. Small types would overflow.
            shifted = (values.astype(np.int64) if values.dtype.itemsize < 8 else values) - low
            present = np.zeros(high - low + 1, dtype=bool)
            present[shifted] = True
            rank = np.cumsum(present, dtype=np.int32) - 1
            kind = np.uint64 if low > np.iinfo(np.int64).max - len(present) else np.int64
            levels = np.flatnonzero(present).astype(kind) + kind(low)
            return Labels(rank[shifted].astype(np.int32, copy=False), levels)
    codes, levels = pd.factorize(values)
    return sorted_labels(codes, np.asarray(levels))


def level_texts(levels: np.ndarray) -> np.ndarray:
    """Labels as text, whole numbers without a decimal point."""
    if levels.dtype.kind in "iu":
        return levels.astype(np.str_)
    if levels.dtype.kind == "f":
        return np.array([f"{level:.15g}" for level in levels], dtype=np.str_)
    return np.array([str(level) for level in levels.tolist()], dtype=np.str_)


def _places(own: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where values are among the known, -1 for nowhere, and one -1 more at the end."""
    position = {level: i for i, level in enumerate(known.tolist())}
    return np.array([position.get(level, -1) for level in own.tolist()] + [-1])


def _moments(texts: np.ndarray) -> np.ndarray | None:
    """Moments of texts that are times with their zones, all different; None of other texts."""
    if not len(texts) or not all(map(_WITH_ZONE.fullmatch, map(str, texts.tolist()))):
        return None
    moments = pd.to_datetime(texts, utc=True, format="ISO8601")
    return moments.to_numpy() if moments.is_unique else None


def whole_codes(values: np.ndarray, levels: np.ndarray) -> np.ndarray | None:
    """Codes (n,) int32 of whole numbers in levels that are such, from a table of the range.

    None where these are not whole numbers, too far apart, or not all of the values.
    """
    if values.dtype.kind not in "iu" or levels.dtype.kind not in "iu":
        return None
    if not len(values) or not len(levels):
        return None
    low, high = int(levels.min()), int(levels.max())
    if high - low >= 4 * len(values) or max(abs(low), abs(high)) > np.iinfo(np.int64).max:
        return None
    if int(values.min()) < low or int(values.max()) > high:
        return None
    table = np.full(high - low + 1, -1, dtype=np.int32)
    table[levels.astype(np.int64) - low] = np.arange(len(levels), dtype=np.int32)
    codes = table[values.astype(np.int64, copy=False) - low]
    return None if codes.min() < 0 else codes


def recode(column: Column, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes (n,) of a column in given levels, -1 for none, and the values that are not among them.

    Text and numbers are matched as they print, as in R: 308 is "308". Times that have a zone are
    matched as moments where they do not print alike: engines have zones of their own.
    """
    labels = column if isinstance(column, Labels) else label_numbers(column)
    if labels.levels is levels:
        return labels.codes.astype(np.int32), levels[:0]
    labels = labels.used()
    known, own = levels, labels.levels
    if (known.dtype.kind == "O") != (own.dtype.kind == "O"):
        known, own = level_texts(known), level_texts(own)
    places = _places(own, known)
    if known.dtype.kind == "O" and places[:-1].min(initial=0) < 0:
        moments = _moments(known), _moments(own)
        if moments[0] is not None and moments[1] is not None:
            places = _places(moments[1], moments[0])
    return places[labels.codes].astype(np.int32), labels.levels[places[:-1] < 0]
