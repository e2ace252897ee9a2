"""What a formula may call: formulaic's transforms, and the functions people bring from R.

A transform whose result depends on the data (knots, levels) keeps what it needs in the state that
formulaic hands it, so that new data are transformed as the training data were.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from formulaic.materializers.types import FactorValues
from formulaic.transforms import TRANSFORMS, ContrastsRegistry, encode_contrasts
from formulaic.utils.sentinels import UNSET
from formulaic.utils.stateful_transforms import stateful_transform

from ..errors import ArgumentError, DataError, listing, suggestion
from ..frames.read import Labels, label_numbers, level_texts
from .splines import bs, cc, cr, ns, poly

#: Names of the codings of a factor, as in ``contrasts={"f": "sum"}``.
CONTRASTS = ("treatment", "sum", "helmert", "poly", "SAS", "diff")

#: Levels that a factor in a model matrix may have: the dense matrix of more would fill the memory
#: before any check of its rank could speak.
MOST_LEVELS = 5_000


# --- factors --------------------------------------------------------------------------------


def contrasts_of(value: Any, argument: str = "contrasts") -> Any:
    """A coding given by name (with or without ``contr.``), as matrix, or as formulaic's object.

    Raises
    ------
    ArgumentError
        If the name is unknown.
    """
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


def _categorical(data: Any, levels: Iterable | None = None) -> pd.Series:
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
        values = _categorical(values)
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
    base = _level(contrasts.base, levels, f"the coding of {name or 'a factor'}")
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


@stateful_transform
def factor(data: Any, levels: Any = None, ordered: bool = False, _state: dict = {}) -> FactorValues:  # noqa: B006
    """R's ``factor(x)``: numbers (or anything else) as levels, sorted."""
    values = _categorical(data, levels if levels is not None else None)
    if ordered:
        values = values.cat.as_ordered()
    return coded(values)


def ordered(data: Any, levels: Any = None) -> FactorValues:
    """R's ``ordered(x)``: levels with an order, coded by orthogonal polynomials."""
    return coded(_categorical(data, levels).cat.as_ordered())


def C(data: Any, contrasts: Any = None, *, levels: Any = None) -> FactorValues:  # noqa: N802
    """formulaic's ``C()``; the coding may also be a name, ``C(f, "sum")``."""
    coding = None if contrasts is None else contrasts_of(contrasts, "C()")
    return coded(_categorical(data, levels), coding)


def relevel(data: Any, ref: Any) -> FactorValues:
    """R's ``relevel(f, ref="b")``: that level first."""
    values = _categorical(data)
    ref = _level(ref, list(values.cat.categories), "relevel()")
    rest = [item for item in values.cat.categories if item != ref]
    return coded(values.cat.set_categories([ref, *rest], ordered=False))


def _level(item: Any, known: list, where: str) -> Any:
    """The level that is `item`, or is printed as it is: R's levels are texts."""
    named = known if item in known else [level for level in known if str(level) == str(item)]
    if not named:
        raise DataError(f"{where}: {item!r} is no level; levels: {listing(known)}")
    return item if item in known else named[0]


def dummy(data: Any, levels: Any = None) -> FactorValues:
    """lme4's ``dummy(f, levels)``: indicators of some levels (by default all but the first)."""
    values = _categorical(data)
    known = list(values.cat.categories)
    chosen = known[1:] if levels is None else [levels] if np.ndim(levels) == 0 else list(levels)
    chosen = [_level(item, known, "dummy()") for item in chosen]
    columns = {str(item): (values == item).to_numpy(dtype=np.float64) for item in chosen}
    return FactorValues(columns, kind="numerical", spans_intercept=False, format="{name}[{field}]")


def labels_from(value: Any) -> Labels:
    """The value of a grouping expression as labels."""
    values = _categorical(value).array
    return Labels(values.codes, np.asarray(values.categories), bool(values.ordered))


# --- single numbers -------------------------------------------------------------------------


def _together(values: tuple) -> np.ndarray:
    """All arguments in one vector, as R's ``max(x, 5)`` takes them."""
    return np.concatenate([np.ravel(np.asarray(value)) for value in values])


def quantile(x: Any, probs: Any = (0.0, 0.25, 0.5, 0.75, 1.0)) -> Any:
    """R's ``quantile(x, probs)``, type 7."""
    return np.quantile(np.asarray(x, dtype=np.float64), np.asarray(probs, dtype=np.float64))


#: Functions that look at all rows: what they give is kept, see :mod:`interlace.design.evaluation`.
AGGREGATES: dict[str, Any] = {
    "mean": lambda x: np.mean(np.asarray(x, dtype=np.float64)),
    "median": lambda x: np.median(np.asarray(x, dtype=np.float64)),
    "sd": lambda x: np.std(np.asarray(x, dtype=np.float64), ddof=1),
    "var": lambda x: np.var(np.asarray(x, dtype=np.float64), ddof=1),
    "min": lambda *x: np.min(_together(x)),
    "max": lambda *x: np.max(_together(x)),
    "sum": lambda *x: np.sum(_together(x)),
    "prod": lambda *x: np.prod(_together(x)),
    "range": lambda *x: np.array([np.min(_together(x)), np.max(_together(x))]),
    "quantile": quantile,
    "length": len,
}

#: Functions of the package that work row by row and keep nothing for new data.
ROWWISE = frozenset(
    "log log2 log10 log1p exp exp2 exp10 expm1 sqrt sin cos tan tanh floor ceiling sign I ifelse "
    "pmin pmax numeric integer abs round".split()
)

#: Functions of the package that take booleans and factors as they are; the others take numbers.
TAKES_LABELS = frozenset(
    "C factor ordered relevel dummy hashed I ifelse c character numeric integer logical "
    "length".split()
)


def log(x: Any, base: Any = None) -> Any:
    """R's ``log(x, base)``."""
    return np.log(x) if base is None else np.log(x) / np.log(base)


def _integer(x: Any) -> np.ndarray:
    return np.trunc(np.asarray(x, dtype=np.float64))


def _character(x: Any) -> np.ndarray:
    values = _categorical(x)
    return np.array(level_texts(np.asarray(values.cat.categories)), dtype=object)[values.cat.codes]


#: What a formula sees besides the columns of the data.
CONTEXT: dict[str, Any] = {
    **{name: value for name, value in TRANSFORMS.items() if name not in ("lag", "Q")},
    **AGGREGATES,
    "C": C,
    "factor": factor,
    "ordered": ordered,
    "relevel": relevel,
    "dummy": dummy,
    "ns": ns,
    "bs": bs,
    "cr": cr,
    "cs": cr,
    "cc": cc,
    "poly": poly,
    "log": log,
    "exp10": lambda x: np.power(10.0, x),
    "numeric": lambda x: np.asarray(x, dtype=np.float64),
    "integer": _integer,
    "character": _character,
    "logical": lambda x: np.asarray(x).astype(bool),
    "ifelse": np.where,
    "pmin": np.minimum,
    "pmax": np.maximum,
    "ceiling": np.ceil,
    "round": np.round,
    "c": lambda *values: np.array(values),
    "TRUE": True,
    "FALSE": False,
    "NULL": None,
    "pi": np.pi,
    **{
        name: getattr(np, name)
        for name in (
            "sqrt",
            "log1p",
            "expm1",
            "sin",
            "cos",
            "tan",
            "tanh",
            "floor",
            "sign",
            "abs",
        )
    },
}
