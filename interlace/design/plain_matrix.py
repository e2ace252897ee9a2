"""Matrices of columns and elementwise expressions, filled in directly, and again on new data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from formulaic.materializers.types import FactorValues

from ..errors import DataError, listing
from ..formula.spelling import shown, unmarked
from ..frames.columns import Columns, Labels, as_float, repeated
from .codings import Coding
from .evaluation import Values, expression_of, value_of
from .expressions import elementwise

__all__ = ["BasisFields", "PlainMatrix", "computed_values", "kind_of"]

# Rows filled at a time: all columns of these are in the cache together.
CHUNK_ROWS = 8192


class BasisFields(NamedTuple):
    """Names of the columns of a basis such as ``poly(x, 2)``; the places of those kept beside 1."""

    names: tuple[str, ...]
    reduced: tuple[int, ...]

    @classmethod
    def of(cls, text: str, made: Any) -> BasisFields:
        """Those of what the function of a basis gave."""
        data = made.__formulaic_metadata__
        plain = getattr(made, "__wrapped__", made)
        fields = data.column_names or (tuple(plain) if isinstance(plain, dict) else ())
        fields = fields or range(np.shape(plain)[1])
        kept = list(range(len(fields)))
        if data.spans_intercept and data.drop_field is not None:
            kept = [i for i, name in enumerate(fields) if name != data.drop_field]
        return cls(tuple(shown(f"{text}[{name}]") for name in fields), tuple(kept))

    def stand_in(self, n: int) -> FactorValues:
        """Something that formulaic takes for the basis."""
        dropped = [i for i in range(len(self.names)) if i not in self.reduced]
        return FactorValues(
            {i: np.zeros(n) for i in range(len(self.names))},
            kind="numerical",
            spans_intercept=bool(dropped),
            drop_field=dropped[0] if dropped else None,
            format="{name}[{field}]",
        )

    def width(self, reduced: bool) -> int:
        """Number of columns."""
        return len(self.reduced if reduced else self.names)


class _Block(NamedTuple):
    """One product: its columns and scale; factors with several columns, or codings and numbers."""

    columns: slice
    scale: float
    factors: tuple[tuple[str, bool], ...]
    coded: list[tuple[str, np.ndarray]]
    numeric: list[str]


@dataclass(frozen=True, eq=False)
class PlainMatrix:
    """A matrix of bare columns and their products.

    Attributes
    ----------
    names : tuple of str
        Names of the columns.
    products : tuple
        Per scoped term of formulaic: scale, and (variable, reduced) of its factors.
    codings : dict of str -> Coding
        By factor; booleans are factors, also those that an expression gives.
    calls : tuple of (str, tuple of str)
        Elementwise expressions among the factors of `products`, and the columns they use.
    logicals : frozenset of str
        Columns and expressions that are booleans.
    state : dict
        What the expressions keep of all rows of the fit, where an engine was asked for it.
    bases : dict of str -> BasisFields
        Expressions of several columns.
    """

    names: tuple[str, ...]
    products: tuple[tuple[float, tuple[tuple[str, bool], ...]], ...]
    codings: dict[str, Coding]
    calls: tuple[tuple[str, tuple[str, ...]], ...] = ()
    logicals: frozenset[str] = frozenset()
    state: dict[str, Any] = field(default_factory=dict)
    bases: dict[str, BasisFields] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_blocks"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # fits stored before there were these two have neither
        self.__dict__.update({"state": {}, "bases": {}, **state})

    def coded_columns(self) -> dict[str, list[Any]]:
        """None: its factors are columns as they stand."""
        return {}

    def matrix(self, columns: Columns) -> np.ndarray:
        """The (n, p) float64 matrix, C-contiguous; NaN where a value is missing.

        A sole intercept is a read-only broadcast of 1.0.
        """
        if self.names == ("Intercept",):
            return repeated(1.0, columns.n, 1)
        computed = computed_values(self.calls, columns, self.state)
        if computed is None:
            raise DataError(
                f"the term(s) {listing(call for call, _ in self.calls)} cannot be computed on "
                "newdata as they were on the data of the fit"
            )

        def value(variable: str) -> Any:
            known = computed.get(variable)
            return columns.values[unmarked(variable)] if known is None else known

        X = np.empty((columns.n, len(self.names)))
        blocks = []
        for own, scale, factors, by_coding, numeric in self._blocks:
            if factors:
                X[:, own] = scale * self._by_columns(value, factors)
                continue
            coded_by = [(_codes(value(v)), coding) for v, coding in by_coding]
            blocks.append((own, scale, coded_by, [np.asarray(value(v)) for v in numeric]))
        for start in range(0, columns.n, CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            for own, scale, coded_by, numbers in blocks:
                _fill(X[rows, own], scale, [(c[rows], C) for c, C in coded_by], numbers, rows)
        return X

    @cached_property
    def _blocks(self) -> list[_Block]:
        """The products with their columns."""
        out, at = [], 0
        for scale, factors in self.products:
            width = math.prod([self.width(v, reduced) for v, reduced in factors])
            own, at = slice(at, at + width), at + width
            if any(v in self.bases for v, _ in factors):
                out.append(_Block(own, scale, factors, [], []))
                continue
            coded = [(v, self._coding(v, reduced)) for v, reduced in factors if v in self.codings]
            numeric = [v for v, _ in factors if v not in self.codings]
            out.append(_Block(own, scale, (), coded, numeric))
        return out

    def _by_columns(
        self, value: Callable[[str], Any], factors: Iterable[tuple[str, bool]]
    ) -> np.ndarray:
        """The product of factors of which some have several columns; the first varies fastest."""
        out: np.ndarray | None = None
        for variable, reduced in factors:
            own = value(variable)
            if variable in self.codings:
                codes, coding = _codes(own), self._coding(variable, reduced)
                own = np.where(codes[:, None] < 0, np.nan, coding[codes])
            elif variable in self.bases:
                own = own[:, list(self.bases[variable].reduced)] if reduced else own
            else:
                own = np.asarray(own)[:, None]
            out = own if out is None else (own[:, :, None] * out[:, None, :]).reshape(len(own), -1)
        assert out is not None
        return out

    def split(self) -> tuple[PlainMatrix, np.ndarray]:
        """The same with the columns of bases as variables of their own, and the place of each."""
        if not self.bases:
            return self, np.arange(len(self.names))
        products, order, at = [], [np.zeros(0, dtype=np.intp)], 0
        for scale, factors in self.products:
            widths = [self.width(v, reduced) for v, reduced in factors]
            places = at + np.arange(math.prod(widths)).reshape(widths[::-1])
            at += math.prod(widths)
            axes = [range(w) if v in self.bases else [None] for (v, _), w in zip(factors, widths)]
            for fields in itertools.product(*axes):
                own = tuple(
                    (v, reduced) if i is None else (self._field(v, reduced, i), False)
                    for (v, reduced), i in zip(factors, fields)
                )
                chosen = tuple(slice(None) if i is None else i for i in fields[::-1])
                products.append((scale, own))
                order.append(np.ravel(places[chosen]))
        places = np.concatenate(order)
        names = tuple(self.names[i] for i in places)
        alone = replace(self, names=names, products=tuple(products), calls=(), bases={}, state={})
        return alone, places

    def _field(self, variable: str, reduced: bool, i: int) -> str:
        basis = self.bases[variable]
        return basis.names[basis.reduced[i] if reduced else i]

    def width(self, variable: str, reduced: bool) -> int:
        """Number of columns that code a variable in a product."""
        if variable in self.bases:
            return self.bases[variable].width(reduced)
        coding = self.codings.get(variable)
        return 1 if coding is None else (coding.reduced if reduced else coding.full).shape[1]

    def coding(self, product: Iterable[tuple[str, bool]]) -> PlainMatrix:
        """What codes the factors of a product, without its numbers."""
        factors = tuple((v, reduced) for v, reduced in product if v in self.codings)
        width = math.prod(self.width(v, reduced) for v, reduced in factors)
        return replace(self, names=("",) * width, products=((1.0, factors),), calls=())

    def _coding(self, variable: str, reduced: bool) -> np.ndarray:
        coding = self.codings[variable]
        return coding.reduced if reduced else coding.full


def _codes(column: Any) -> np.ndarray:
    """Levels of the rows in a factor, or in a column of booleans; -1 for a missing value."""
    if isinstance(column, Labels):
        return column.codes
    return np.where(np.isnan(column), -1, column != 0)


def _fill(
    block: np.ndarray,
    scale: float,
    coded_by: Sequence[tuple[np.ndarray, np.ndarray]],
    numeric: Sequence[np.ndarray],
    rows: slice,
) -> None:
    """Columns of some rows: a product of codings and of numbers of all rows."""
    more = numeric
    if not coded_by and numeric:
        np.multiply(numeric[0][rows, None], scale, out=block)
        more = numeric[1:]
    else:
        block[:] = _cells(coded_by) if coded_by else scale
        if coded_by and scale != 1:
            block *= scale
    for column in more:
        block *= column[rows, None]


def _cells(coded_by: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The product of codings, given with the codes of the rows; NaN where one is missing."""
    # The first factor varies fastest, as in R.
    codes, coding = coded_by[-1]
    if len(coded_by) > 1:
        codes = codes.astype(np.intp)  # combinations of levels may be many
    for more_codes, more in reversed(coded_by[:-1]):
        coding = (coding[:, None, :, None] * more[None, :, None, :]).reshape(
            len(coding) * len(more), -1
        )
        codes = np.where((codes < 0) | (more_codes < 0), -1, codes * len(more) + more_codes)
    out = coding[codes]
    missing = codes < 0
    if np.count_nonzero(missing):
        out[missing] = np.nan
    return out


def computed_values(
    calls: tuple[tuple[str, tuple[str, ...]], ...],
    columns: Columns,
    state: dict[str, Any] | None = None,
) -> dict[str, np.ndarray] | None:
    """Values of the expressions; None when one of them needs formulaic."""
    out = {}
    for expression, names in calls:
        values = {}
        for name in names:
            column = columns.values[name]
            if isinstance(column, Labels):
                return None
            values[name] = column if column.dtype.kind == "b" else as_float(column)
        value = elementwise(expression, values, {})
        if value is None and state:
            value = _with_state(expression, values, state)
        if value is None:
            return None
        # A comparison with NaN is False; of a missing value nothing is known.
        for column in values.values():
            if column.dtype.kind == "f" and np.isnan(np.add.reduce(column)):
                gone = np.isnan(column)
                value = np.where(gone[:, None] if value.ndim == 2 else gone, np.nan, value)
        out[expression] = value
    return out


def _with_state(
    expression: str, values: Mapping[str, np.ndarray], state: dict[str, Any]
) -> np.ndarray:
    """An expression with what it kept of the rows of the fit: a column, or those of a basis."""
    n = len(next(iter(values.values()), ()))
    series = {name: pd.Series(column) for name, column in values.items()}
    value = value_of(expression_of(expression), Values(series, {}, state, n, False))
    value = value.__wrapped__ if isinstance(value, FactorValues) else value
    if isinstance(value, dict):
        value = np.stack([np.asarray(column) for column in value.values()], axis=1)
    return np.asarray(value)


def kind_of(column: Any) -> str:
    """Kind of a column in a model matrix: "factor", "logical" or "number"."""
    if isinstance(column, Labels):
        return "factor"
    return "logical" if column.dtype.kind == "b" else "number"
