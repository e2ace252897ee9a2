"""Codings of factors: contrast matrices, and the encoders that formulaic is handed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from formulaic.materializers.types import FactorValues
from formulaic.transforms import ContrastsRegistry, encode_contrasts
from formulaic.transforms.contrasts import Contrasts, CustomContrasts
from formulaic.utils.sentinels import UNSET

from ..errors import (
    ArgumentError,
    DataError,
    listing,
    suggestion,
)
from ..formula.terms import CACHE_SIZE
from ..frames.columns import Labels
from ..frames.levels import label_numbers

#: Names of the codings of a factor, as in ``contrasts={"f": "sum"}``.
CONTRASTS = ("treatment", "sum", "helmert", "poly", "SAS", "diff")


#: Levels that a factor in a model matrix may have: the dense matrix of more would fill the memory
#: before any check of its rank could speak.
MOST_LEVELS = 5_000


def contrasts_of(value: Any, argument: str = "contrasts") -> Any:
    """A coding given by name (with or without ``contr.``), as matrix, or as formulaic's object."""
    if isinstance(value, str):
        name = value.removeprefix("contr.")
        if name not in CONTRASTS:
            raise ArgumentError(
                f"{argument} names {value!r}; known codings: {listing(CONTRASTS)}."
                f"{suggestion(name, CONTRASTS)} A matrix (levels x columns) works too"
            )
        value = getattr(ContrastsRegistry, name)
    if isinstance(value, np.ndarray | list | tuple):
        return _coding_matrix(value, argument)
    return value() if isinstance(value, type) else value


def _coding_matrix(value: Any, argument: str) -> np.ndarray:
    """Numbers by level and column; one column may be given as a plain sequence."""
    try:
        matrix = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"{argument} must be the name of a coding or numbers, got {value!r:.80}"
        ) from None
    if not np.isfinite(matrix).all():
        raise ArgumentError(f"{argument} must have finite numbers, got {value!r:.80}")
    return matrix[:, None] if matrix.ndim == 1 else matrix


def check_levels(count: int, name: str, levels: Iterable) -> None:
    """Refuse a factor of the fixed part that has one level, or far too many."""
    if count > MOST_LEVELS:
        raise DataError(
            f"column {name!r} has {count} different values, and as a factor each would have its "
            f"own coefficient; convert it to numbers, or let it group: (1 | {name})"
        )
    if count < 2:
        raise DataError(
            f"factor {name!r} has only one level, {listing(map(repr, levels))}, in the rows used; "
            "it cannot have a coefficient: leave it out of the formula"
        )


def unseen_level(name: str, unseen: Iterable, known: Iterable) -> str:
    """Text of the error for a level of a fixed factor that the model has no coefficient for."""
    return (
        f"column {name!r} of newdata has level(s) {listing(map(repr, unseen))} that were not in "
        f"the data of the fit; levels with coefficients: {listing(map(repr, known))}"
    )


def categorical(data: Any, levels: Iterable | None = None) -> pd.Series:
    """Values as a pandas categorical, whole floats as integers, in our order of levels."""
    values = data.__wrapped__ if isinstance(data, FactorValues) else data
    index = values.index if isinstance(values, pd.Series) else None
    name = values.name if isinstance(values, pd.Series) else None
    values = values.array if isinstance(values, pd.Series) else values
    if not isinstance(values, pd.Categorical):
        plain = np.asarray(values)
        if plain.dtype.kind in "biuf":
            values = label_numbers(plain).categorical()
        else:
            values = pd.Categorical(plain.astype(object))
    if levels is not None:
        levels = list(levels)
        extra = [item for item in values.categories if item not in levels]
        if extra:
            raise DataError(
                f"factor levels {listing(levels)} leave out the value(s) {listing(extra)} "
                "found in the data"
            )
        values = values.set_categories(levels)
    return pd.Series(values, index=index, name=name)


def level_printed_as(item: Any, known: list, where: str) -> Any:
    """The level that is `item`, or is printed as it is: R's levels are texts."""
    named = known if item in known else [level for level in known if str(level) == str(item)]
    if not named:
        raise DataError(f"{where}: {item!r} is no level; levels: {listing(known)}")
    return item if item in known else named[0]


def codes_of(data: Any) -> Labels:
    """The levels, those that occur, and codes of a categorical factor of formulaic."""
    values = categorical(data).array.remove_unused_categories()
    return Labels(values.codes.astype(np.int32), np.asarray(values.categories))


def coded(data: Any, contrasts: Any = None, name: str | None = None) -> FactorValues:
    """A categorical column with its coding, for formulaic.

    Ordered factors are coded by orthogonal polynomials unless `contrasts` says otherwise, as in R.
    Values that were not among the levels of the training data are an error.
    """
    name = name or getattr(data, "name", None)
    if contrasts is None and isinstance(getattr(data, "dtype", None), pd.CategoricalDtype):
        contrasts = ContrastsRegistry.poly() if data.dtype.ordered else None

    def encoder(
        values: Any, reduced_rank: bool, drop_rows: Any, encoder_state: dict, model_spec: Any
    ) -> FactorValues:
        values = categorical(values)
        known = encoder_state.get("categories")
        if known is None:
            values = values.cat.remove_unused_categories()
            check_levels(len(values.cat.categories), name or "a factor", values.cat.categories)
            if isinstance(contrasts, np.ndarray) and len(contrasts) != len(values.cat.categories):
                raise DataError(
                    f"the coding of {name or 'a factor'!r} has {len(contrasts)} row(s) for "
                    f"{len(values.cat.categories)} levels; give one number per level"
                )
        else:
            unseen = [
                item
                for item in values.cat.remove_unused_categories().cat.categories
                if item not in known
            ]
            if unseen:
                raise DataError(unseen_level(name or "a factor of the formula", unseen, known))
        return encode_contrasts(
            values,
            contrasts=_based(contrasts, known or list(values.cat.categories), name),
            reduced_rank=reduced_rank,
            _state=encoder_state,
            _spec=model_spec,
        )

    return FactorValues(data, kind="categorical", spans_intercept=True, encoder=encoder)


def _based(contrasts: Any, levels: list, name: str | None) -> Any:
    """Treatment contrasts whose reference, which may be written as it is printed, is a level."""
    if not isinstance(contrasts, ContrastsRegistry.treatment) or contrasts.base is UNSET:
        return contrasts
    base = level_printed_as(contrasts.base, levels, f"the coding of {name or 'a factor'}")
    return type(contrasts)(base)


def logical(data: Any) -> FactorValues:
    """Booleans for formulaic: a factor of two levels, whose contrast has the name of the column."""

    def encoder(
        values: Any, reduced_rank: bool, drop_rows: Any, encoder_state: dict, model_spec: Any
    ) -> FactorValues:
        values = values.__wrapped__ if isinstance(values, FactorValues) else values
        encoder_state["logical"] = True
        true = np.asarray(values).astype(np.float64)
        columns = {"True": true} if reduced_rank else {"False": 1.0 - true, "True": true}
        return FactorValues(
            columns,
            kind="categorical",
            spans_intercept=not reduced_rank,
            format="{name}" if reduced_rank else "{name}[{field}]",
            encoded=True,
        )

    return FactorValues(data, kind="categorical", spans_intercept=True, encoder=encoder)


def is_logical(values: Any) -> bool:
    """Whether a call gave booleans, one per row."""
    return getattr(getattr(values, "dtype", None), "kind", "") == "b" and np.ndim(values) == 1


def is_text(values: Any) -> bool:
    """Whether a call gave strings, which are then the levels of a factor as in R."""
    if not isinstance(values, np.ndarray | pd.Series) or np.ndim(values) != 1:
        return False
    if isinstance(values.dtype, pd.StringDtype):
        return True
    kind = getattr(values.dtype, "kind", "")
    return kind == "U" or (kind == "O" and all(isinstance(value, str) for value in values))


# --- matrices -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Coding:
    """Coding of one factor: rows of the matrices are its levels."""

    full: np.ndarray
    reduced: np.ndarray
    full_names: tuple[str, ...]
    reduced_names: tuple[str, ...]


def coding_of(name: str, column: Labels, contrasts: Any = None) -> Coding:
    """Coding matrices of a factor: treatment, polynomial when ordered, or as given."""
    levels = column.levels
    check_levels(len(levels), name, levels)
    full = np.eye(len(levels))
    full_names = tuple(f"{name}[{level}]" for level in levels)
    if contrasts is None and not column.ordered:
        return Coding(
            full, full[:, 1:], full_names, tuple(f"{name}[T.{level}]" for level in levels[1:])
        )
    key = tuple(levels.tolist())
    matrix, fields, shape = (
        _polynomials(key) if contrasts is None else _contrast_matrix(contrasts, key)
    )
    reduced_names = tuple(shape.format(name=name, field=field) for field in fields)
    return Coding(full, matrix, full_names, reduced_names)


def logical_coding(name: str) -> Coding:
    """Coding of booleans: where there is an intercept the indicator of truth."""
    full = np.eye(2)
    return Coding(full, full[:, 1:], (f"{name}[False]", f"{name}[True]"), (name,))


def _contrast_matrix(contrasts: Any, levels: tuple) -> tuple[np.ndarray, tuple[str, ...], str]:
    """Matrix (levels x columns), names of its columns, and the format of a coefficient's name."""
    if not isinstance(contrasts, Contrasts):
        contrasts = CustomContrasts(contrasts)
    matrix = np.asarray(contrasts.get_coding_matrix(levels, reduced_rank=True), dtype=np.float64)
    fields = tuple(str(f) for f in contrasts.get_coding_column_names(levels, reduced_rank=True))
    return matrix, fields, contrasts.get_factor_format(levels, reduced_rank=True)


@lru_cache(maxsize=CACHE_SIZE)
def _polynomials(levels: tuple) -> tuple[np.ndarray, tuple[str, ...], str]:
    return _contrast_matrix(ContrastsRegistry.poly(), levels)
