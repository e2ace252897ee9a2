"""Functions that a formula may call: formulaic's transforms, and those people bring from R.

A transform whose result depends on the data (knots, levels) keeps what it needs in the state that
formulaic hands it, so that new data are transformed as the training data were.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from formulaic.materializers.types import FactorValues
from formulaic.transforms import TRANSFORMS
from formulaic.utils.stateful_transforms import stateful_transform

from ..errors import DataError
from ..frames.columns import Labels
from ..frames.levels import level_texts
from .bases import bs, cc, cr, ns, poly
from .codings import categorical, coded, contrasts_of, level_printed_as

# --- factors --------------------------------------------------------------------------------


@stateful_transform
def factor(data: Any, levels: Any = None, ordered: bool = False, _state: dict = {}) -> FactorValues:  # noqa: B006
    """R's ``factor(x)``: numbers (or anything else) as levels, sorted."""
    values = categorical(data, levels if levels is not None else None)
    if ordered:
        values = values.cat.as_ordered()
    return coded(values)


def ordered(data: Any, levels: Any = None) -> FactorValues:
    """R's ``ordered(x)``: levels with an order, coded by orthogonal polynomials."""
    return coded(categorical(data, levels).cat.as_ordered())


def C(data: Any, contrasts: Any = None, *, levels: Any = None) -> FactorValues:  # noqa: N802
    """formulaic's ``C()``; the coding may also be a name, ``C(f, "sum")``."""
    coding = None if contrasts is None else contrasts_of(contrasts, "C()")
    return coded(categorical(data, levels), coding)


def relevel(data: Any, ref: Any) -> FactorValues:
    """R's ``relevel(f, ref="b")``: that level first."""
    values = categorical(data)
    ref = level_printed_as(ref, list(values.cat.categories), "relevel()")
    rest = [item for item in values.cat.categories if item != ref]
    return coded(values.cat.set_categories([ref, *rest], ordered=False))


def dummy(data: Any, levels: Any = None) -> FactorValues:
    """lme4's ``dummy(f, levels)``: indicators of some levels (by default all but the first)."""
    values = categorical(data)
    known = list(values.cat.categories)
    chosen = known[1:] if levels is None else [levels] if np.ndim(levels) == 0 else list(levels)
    chosen = [level_printed_as(item, known, "dummy()") for item in chosen]
    columns = {str(item): (values == item).to_numpy(dtype=np.float64) for item in chosen}
    return FactorValues(columns, kind="numerical", spans_intercept=False, format="{name}[{field}]")


def labels_from(value: Any) -> Labels:
    """The value of a grouping expression as labels."""
    values = categorical(value).array
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


def numeric(x: Any) -> np.ndarray:
    """R's ``as.numeric(x)``, of anything but a factor."""
    if isinstance(getattr(x, "dtype", None), pd.CategoricalDtype):
        raise DataError(
            f"as.numeric() and as.integer() of a factor, {getattr(x, 'name', None) or 'x'}, are "
            "the places of its levels in R, not the numbers that these show; of the numbers write "
            "as.numeric(as.character(x)), or make it a column"
        )
    return np.asarray(x, dtype=np.float64)


def _integer(x: Any) -> np.ndarray:
    return np.trunc(numeric(x))


def _character(x: Any) -> np.ndarray:
    values = categorical(x)
    return np.array(level_texts(np.asarray(values.cat.categories)), dtype=object)[values.cat.codes]


#: Names that a formula sees besides the columns of the data.
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
    "numeric": numeric,
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
