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
from formulaic.utils.stateful_transforms import stateful_transform

from .errors import ArgumentError, DataError, listing, suggestion
from .frame import Labels, label_numbers

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
    return value() if isinstance(value, type) else value


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
            contrasts=contrasts,
            reduced_rank=reduced_rank,
            _state=encoder_state,
            _spec=model_spec,
        )

    return FactorValues(data, kind="categorical", spans_intercept=True, encoder=encoder)


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
    if ref not in values.cat.categories:
        raise DataError(f"relevel(): {ref!r} is no level; levels: {listing(values.cat.categories)}")
    rest = [item for item in values.cat.categories if item != ref]
    return coded(values.cat.set_categories([ref, *rest], ordered=False))


def dummy(data: Any, levels: Any = None) -> FactorValues:
    """lme4's ``dummy(f, levels)``: indicators of some levels (by default all but the first)."""
    values = _categorical(data)
    known = list(values.cat.categories)
    chosen = known[1:] if levels is None else [levels] if isinstance(levels, str) else list(levels)
    for item in chosen:
        if item not in known:
            raise DataError(f"dummy(): {item!r} is no level; levels: {listing(known)}")
    columns = {str(item): (values == item).to_numpy(dtype=np.float64) for item in chosen}
    return FactorValues(columns, kind="numerical", spans_intercept=False, format="{name}[{field}]")


def labels_from(value: Any) -> Labels:
    """The value of a grouping expression as labels."""
    values = _categorical(value).array
    return Labels(values.codes, np.asarray(values.categories), bool(values.ordered))


# --- splines --------------------------------------------------------------------------------


@stateful_transform
def ns(
    x: Any,
    df: int | None = None,
    knots: Any = None,
    intercept: bool = False,
    Boundary_knots: Any = None,  # noqa: N803
    _state: dict = {},  # noqa: B006
) -> FactorValues:
    """Natural cubic spline, the basis of R's ``splines::ns``.

    The cubic B-spline basis on the knots is projected on the null space of its second derivatives
    at the boundary knots; beyond these it continues in a straight line.
    """
    x = np.asarray(x, dtype=np.float64)
    if not _state:
        seen = x[~np.isnan(x)]
        if Boundary_knots is None:
            boundary = (float(seen.min()), float(seen.max()))
        else:
            boundary = (float(min(Boundary_knots)), float(max(Boundary_knots)))
        if knots is None:
            inner = 0 if df is None else int(df) - 1 - int(intercept)
            if inner < 0:
                raise ArgumentError(f"ns(): df must be at least {1 + int(intercept)}, got {df}")
            within = seen[(seen >= boundary[0]) & (seen <= boundary[1])]
            knots = np.quantile(within, np.linspace(0, 1, inner + 2)[1:-1])
        knots = np.atleast_1d(np.asarray(knots, dtype=np.float64))
        if boundary[0] >= boundary[1]:
            raise DataError("ns(): the values are all equal")
        _state["boundary"], _state["knots"] = boundary, np.sort(knots)
    low, high = _state["boundary"]
    t = np.concatenate([[low] * 4, _state["knots"], [high] * 4])
    first = 0 if intercept else 1
    curvature = _bspline(t, np.array([low, high]), 2)[:, first:]
    complement = np.linalg.qr(curvature.T, mode="complete")[0][:, 2:]
    basis = np.empty((len(x), len(t) - 4))
    inside = (x >= low) & (x <= high)
    basis[inside] = _bspline(t, x[inside], 0)
    for outside, pivot in ((x < low, low), (x > high, high)):
        if outside.any():
            end = np.array([pivot])
            line = (x[outside] - pivot)[:, None] * _bspline(t, end, 1)
            basis[outside] = _bspline(t, end, 0) + line
    basis[np.isnan(x)] = np.nan
    columns = basis[:, first:] @ complement
    return FactorValues(
        {i + 1: columns[:, i] for i in range(columns.shape[1])},
        kind="numerical",
        spans_intercept=False,
        format="{name}[{field}]",
    )


def _bspline(t: np.ndarray, x: np.ndarray, derivative: int) -> np.ndarray:
    from scipy.interpolate import BSpline

    return BSpline(t, np.eye(len(t) - 4), 3)(x, nu=derivative)


#: What a formula sees besides the columns of the data.
CONTEXT: dict[str, Any] = {
    **TRANSFORMS,
    "C": C,
    "factor": factor,
    "ordered": ordered,
    "relevel": relevel,
    "dummy": dummy,
    "ns": ns,
    "numeric": lambda x: np.asarray(x, dtype=np.float64),
    "ifelse": np.where,
    "pmin": np.minimum,
    "pmax": np.maximum,
    "ceiling": np.ceil,
    "c": lambda *values: np.array(values),
    "TRUE": True,
    "FALSE": False,
    "pi": np.pi,
    **{
        name: getattr(np, name)
        for name in ("sqrt", "log1p", "expm1", "sin", "cos", "tan", "tanh", "floor", "sign")
    },
}
