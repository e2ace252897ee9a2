"""Text of a right side + columns -> model matrix, and the same again on new data.

Two ways, one result.  Terms made of columns and of elementwise expressions of numbers (numbers,
factors, ``log(x)``, products of them) are filled in directly: formulaic decides once per formula,
on two rows, which factors are coded in full and which in contrasts, and that answer is kept.
Everything else goes through formulaic itself.  Names
of columns are formulaic's in both.
"""

from __future__ import annotations

import itertools
import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from formulaic import ModelSpec
from formulaic.errors import FormulaicError
from formulaic.materializers import PandasMaterializer
from formulaic.materializers.types import FactorValues
from interface_meta import override

from ..errors import DataError, FormulaError, InterlaceError, MissingDependencyError, listing
from ..formula.spelling import marked, shown, unmarked, unquoted
from ..formula.terms import CACHE_SIZE, formulaic_terms, reading
from ..frames.columns import Column, Columns, Labels, as_float, read_only
from ..frames.levels import label_numbers
from .codings import (
    Coding,
    check_levels,
    coded,
    codes_of,
    coding_of,
    is_logical,
    is_text,
    logical,
    logical_coding,
)
from .evaluation import Values, expression_of, value_of
from .expressions import UserNames, elementwise, names_in, reason
from .terms import FixedTerm, FixedTerms, fixed_term

# Levels of a factor above which its coding is not kept: that of 32 levels takes 8 kB.
MOST_KEPT = 32
# Rows filled at a time: all columns of these are in the cache together.
CHUNK_ROWS = 8192

_ONE = read_only(np.ones(1))


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
            return np.ndarray((columns.n, 1), np.float64, _ONE, strides=(0, 0))
        computed = _computed(self.calls, columns, self.state)
        if computed is None:
            raise DataError(
                f"the term(s) {listing(call for call, _ in self.calls)} cannot be computed on "
                "newdata as they were on the data of the fit"
            )

        def value(variable: str) -> Any:
            known = computed.get(variable)
            return columns.values[unmarked(variable)] if known is None else known

        X = np.empty((columns.n, len(self.names)))
        blocks, at = [], 0
        for scale, factors in self.products:
            if any(v in self.bases for v, _ in factors):
                made = self._by_columns(value, factors)
                X[:, at : at + made.shape[1]] = scale * made
                at += made.shape[1]
                continue
            numeric = [np.asarray(value(v)) for v, _ in factors if v not in self.codings]
            coded_by = [
                self._coded(value(v), v, reduced) for v, reduced in factors if v in self.codings
            ]
            width = math.prod([c.shape[1] for _, c in coded_by])
            blocks.append((slice(at, at + width), scale, coded_by, numeric))
            at += width
        for start in range(0, columns.n, CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            for own, scale, coded_by, numeric in blocks:
                _fill(X[rows, own], scale, [(c[rows], C) for c, C in coded_by], numeric, rows)
        return X

    def _by_columns(
        self, value: Callable[[str], Any], factors: Iterable[tuple[str, bool]]
    ) -> np.ndarray:
        """The product of factors of which some have several columns; the first varies fastest."""
        out: np.ndarray | None = None
        for variable, reduced in factors:
            own = value(variable)
            if variable in self.codings:
                codes, coding = self._coded(own, variable, reduced)
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

    def _coded(self, column: Any, variable: str, reduced: bool) -> tuple[np.ndarray, np.ndarray]:
        coding = self.codings[variable]
        if isinstance(column, Labels):
            codes = column.codes.astype(np.intp)
        else:
            codes = np.where(np.isnan(column), -1, column != 0).astype(np.intp)
        return codes, coding.reduced if reduced else coding.full


#: A column that a call makes a factor, by its name or Q('its name').
_MADE_FACTOR = re.compile(
    r"(?:C|factor|ordered)\(\s*(?:(`[^`]+`|[\w.]+)|Q\(['\"](.+?)['\"]\))\s*(?:,.*)?\)", re.DOTALL
)


def _fill(
    block: np.ndarray,
    scale: float,
    coded_by: Sequence[tuple[np.ndarray, np.ndarray]],
    numeric: Sequence[np.ndarray],
    rows: slice,
) -> None:
    """Columns of some rows: a product of codings and of numbers of all rows."""
    block[:] = _cells(coded_by) if coded_by else scale
    if coded_by and scale != 1:
        block *= scale
    for column in numeric:
        block *= column[rows, None]


def _cells(coded_by: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The product of codings, given with the codes of the rows; NaN where one is missing."""
    # The first factor varies fastest, as in R.
    codes, coding = coded_by[-1]
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


@dataclass(frozen=True, eq=False)
class FormulaicMatrix:
    """A matrix that formulaic makes.

    Attributes
    ----------
    names : tuple of str
        Names of the columns.
    spec : formulaic.ModelSpec
        State of the transforms and codings.
    variables : tuple of str
        Columns of the data that it needs.
    contrasts : dict
        Codings given as an argument.
    context : UserNames
        The user's own functions and values that the formula uses.
    logicals : frozenset of str
        Columns and expressions that were boolean in the fit; new data may have 0 and 1.
    """

    names: tuple[str, ...]
    spec: ModelSpec
    variables: tuple[str, ...]
    contrasts: dict[str, Any]
    context: UserNames
    logicals: frozenset[str] = frozenset()

    def matrix(self, columns: Columns) -> np.ndarray:
        """The (n, p) float64 matrix, C-contiguous; NaN where a value is missing."""
        mask = np.zeros(columns.n, dtype=bool)
        for name in self.variables:
            column = columns.values[name]
            if isinstance(column, Labels):
                mask |= column.codes < 0
            elif column.dtype.kind == "f":
                mask |= np.isnan(column)
        if not mask.any():
            return self._evaluate(columns)
        X = np.full((columns.n, len(self.names)), np.nan)
        if not mask.all():
            X[~mask] = self._evaluate(columns.take(np.flatnonzero(~mask)))
        return X

    def coded_columns(self) -> dict[str, list[Any]]:
        """Columns that ``C()``, ``factor()`` or ``ordered()`` make factors of: their levels."""
        out = {}
        for expression, (_, state) in self.spec.encoder_state.items():
            made = _MADE_FACTOR.fullmatch(shown(str(expression)))
            if made is not None and "categories" in state:
                out[unquoted(made[1] or made[2])] = list(state["categories"])
        return {name: levels for name, levels in out.items() if name in self.variables}

    def _evaluate(self, columns: Columns) -> np.ndarray:
        return self._materialised(columns)[0]

    def terms(self, columns: Columns) -> FixedTerms:
        """The record of its terms on other rows, none with a missing value."""
        matrix = self._materialised(columns)
        return matrix[2].terms(matrix[1])

    def _materialised(self, columns: Columns) -> tuple[np.ndarray, ModelSpec, _Materializer]:
        frame = _marked_frame(columns, self.variables)
        for name in self.logicals.intersection(self.variables):
            frame[marked(name)] = frame[marked(name)].astype(bool)
        return _materialise(self.spec, frame, self.contrasts, self.context)


MatrixRecipe = PlainMatrix | FormulaicMatrix


def model_matrix(
    text: str,
    columns: Columns,
    variables: tuple[str, ...],
    contrasts: Mapping[str, Any],
    context: Mapping[str, Any],
) -> tuple[np.ndarray, MatrixRecipe, FixedTerms]:
    """X (n, p), C-contiguous, of a right side, how to make it on new data, and its terms.

    ``columns`` have no missing values and no unused levels, ``variables`` are those that the text
    uses; ``contrasts`` are formulaic's objects or matrices by factor, ``context`` the user's names.
    """
    calls = _calls(text, variables)
    if calls and (context or _computed(calls, columns) is None):
        return _through_formulaic(text, columns, variables, contrasts, context)
    kinds = tuple((name, *_described(columns.values[name])) for name in variables)
    if all(_is_kept(*kind) and kind[0] not in contrasts for kind in kinds):
        recipe, terms = _known_recipe(text, kinds, calls)
    else:
        recipe, terms = _plain_recipe(text, kinds, calls, columns.values, contrasts)
    return recipe.matrix(columns), recipe, FixedTerms(terms, _factors(recipe, columns))


def learned_matrix(
    text: str,
    columns: Columns,
    variables: tuple[str, ...],
    contrasts: Mapping[str, Any],
    state: dict[str, Any],
    bases: Mapping[str, BasisFields],
) -> PlainMatrix:
    """How X is made where an engine was asked for what expressions keep of all rows."""
    kinds = tuple((name, *_described(columns.values[name])) for name in variables)
    calls = _calls(text, variables)
    own = {name: bases[name] for name, _ in calls if name in bases}
    recipe, _ = _plain_recipe(text, kinds, calls, columns.values, contrasts, own)
    return replace(recipe, state=state)


def _described(column: Column) -> tuple:
    """All that a recipe depends on of a column: its kind, and the levels of a factor."""
    if isinstance(column, Labels):
        return "factor", column.ordered, tuple([f"{level}" for level in column.levels])
    return (kind_of(column),)


def _is_kept(name: str, kind: str, ordered: bool = False, levels: tuple[str, ...] = ()) -> bool:
    """Whether the recipe for a column of this kind is kept; factors of one level are refused."""
    return kind != "factor" or 1 < len(levels) <= MOST_KEPT


@lru_cache(maxsize=CACHE_SIZE)
def _known_recipe(text: str, kinds: tuple, calls: tuple) -> tuple[PlainMatrix, tuple]:
    """`_plain_recipe` of factors that are coded as is usual, found again by their levels."""
    columns: dict[str, Column] = {}
    for name, kind, *of_factor in kinds:
        if kind == "factor":
            ordered, levels = of_factor
            none = np.empty(0, dtype=np.int32)
            columns[name] = Labels(none, np.array(levels, dtype=object), ordered)
    return _plain_recipe(text, kinds, calls, columns, {})


def _plain_recipe(
    text: str,
    kinds: tuple,
    calls: tuple,
    labels: Mapping[str, Column],
    contrasts: Mapping[str, Any],
    bases: Mapping[str, BasisFields] | None = None,
) -> tuple[PlainMatrix, tuple[FixedTerm, ...]]:
    """How the matrix of columns of some kinds is made, and its terms.

    ``labels`` are the factors by name.
    """
    named = tuple((marked(name), kind) for name, kind, *_ in kinds)
    bases = dict(bases or {})
    structure, logicals = _read_structure(text, named, bases)
    codings = {name: logical_coding(shown(name)) for name in logicals}
    for name, kind, *_ in kinds:
        if kind == "factor":
            column = labels[name]
            assert isinstance(column, Labels)
            codings[marked(name)] = coding_of(shown(marked(name)), column, contrasts.get(name))
    scoped = [factors for _, _, products in structure for _, factors in products]
    recipe = PlainMatrix(
        names=tuple(name for factors in scoped for name in _product_names(factors, codings, bases)),
        products=tuple(product for _, _, products in structure for product in products),
        codings=codings,
        calls=calls,
        logicals=frozenset(shown(name) for name in logicals),
        bases=bases,
    )
    return recipe, _terms(structure, recipe)


def terms_on(
    text: str, variables: tuple[str, ...], like: Columns, recipe: PlainMatrix, columns: Columns
) -> FixedTerms:
    """The terms of a right side, read on columns of the kinds of others, on rows of its own."""
    kinds = tuple((marked(name), kind_of(like.values[name])) for name in variables)
    return FixedTerms(
        _terms(_read_structure(text, kinds, recipe.bases)[0], recipe), _factors(recipe, columns)
    )


def _terms(structure: tuple, recipe: PlainMatrix) -> tuple[FixedTerm, ...]:
    return tuple(
        fixed_term(
            name,
            variables,
            [[(v, recipe.width(v, reduced)) for v, reduced in product] for _, product in products],
            recipe.codings,
        )
        for name, variables, products in structure
    )


def _factors(recipe: PlainMatrix, columns: Columns) -> dict[str, Labels]:
    """The levels of the rows in the factors of a matrix."""
    computed = _computed(recipe.calls, columns, recipe.state) or {}
    factors = {}
    for name in recipe.codings:
        column = computed[name] if name in computed else columns.values[unmarked(name)]
        labels = column if isinstance(column, Labels) else label_numbers(column != 0)
        factors[name] = Labels(labels.codes.astype(np.int32), labels.levels, labels.ordered)
    return factors


@lru_cache(maxsize=CACHE_SIZE)
def _calls(text: str, variables: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Expressions among the factors of a formula, each with the columns it uses."""
    return tuple(
        (text, tuple({name.name for name in names_in(text)} & set(variables)))
        for text in calls_of(text)
    )


def calls_of(text: str) -> list[str]:
    """Expressions among the factors of a right side."""
    expressions = dict.fromkeys(
        factor.expr
        for term in formulaic_terms(text)
        for factor in term.factors
        if factor.eval_method.value == "python"
    )
    return list(expressions)


def _computed(
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


def _product_names(
    factors: tuple[tuple[str, bool], ...],
    codings: Mapping[str, Coding],
    bases: Mapping[str, BasisFields],
) -> list[str]:
    if not factors:
        return ["Intercept"]
    fields: list[tuple[str, ...]] = []
    for name, reduced in factors:
        coding = codings.get(name)
        if name in bases:
            own = bases[name]
            fields.append(tuple(own.names[i] for i in own.reduced) if reduced else own.names)
        elif coding is None:
            fields.append((shown(name),))
        else:
            fields.append(coding.reduced_names if reduced else coding.full_names)
    return [":".join(reversed(product)) for product in itertools.product(*reversed(fields))]


def _fresh(text: str) -> ModelSpec:
    """A specification without state: formulaic writes levels and knots into the one it is given."""
    return ModelSpec(formula=reading(text).formula, output="numpy", na_action="ignore")


@lru_cache(maxsize=CACHE_SIZE)
def _structure(text: str, kinds: tuple[tuple[str, str], ...]) -> tuple[tuple, tuple[str, ...]]:
    """Formulaic's reading of a formula of columns and elementwise expressions.

    Per term: its name, its variables, and its products as (scale, ((variable, coded in contrasts),
    ...)).  Then the variables and expressions that are booleans.
    """
    return _made_structure(text, kinds, {})


def _read_structure(
    text: str, kinds: tuple[tuple[str, str], ...], bases: Mapping[str, BasisFields]
) -> tuple[tuple, tuple[str, ...]]:
    """The same where some expressions are bases, whose columns are known."""
    if not bases:
        return _structure(text, kinds)
    return _made_structure(text, kinds, bases)


def _made_structure(
    text: str, kinds: tuple[tuple[str, str], ...], bases: Mapping[str, BasisFields]
) -> tuple[tuple, tuple[str, ...]]:
    frame = pd.DataFrame({name: _EXAMPLES[kind] for name, kind in kinds}, index=range(2))
    spec = _materialise(_fresh(text), frame, {}, {}, bases=bases)[1]
    factors = {name for name, kind in kinds if kind == "factor"}
    logicals = tuple(
        expr
        for expr, (kind, _) in spec.encoder_state.items()
        if kind.value == "categorical" and expr not in factors
    )
    products = tuple(
        (
            _term_name(row),
            _variables(row),
            tuple(
                (
                    float(scoped.scale),
                    tuple((str(f.factor.expr), bool(f.reduced)) for f in scoped.factors),
                )
                for scoped in row.scoped_terms
            ),
        )
        for row in spec.structure
    )
    return products, logicals


def _term_name(row: Any) -> str:
    return "Intercept" if str(row.term) == "1" else shown(str(row.term))


def _variables(row: Any) -> tuple[str, ...]:
    """Texts of the factors of a term, the intercept and scales aside."""
    return tuple(f.expr for f in row.term.factors if f.eval_method.value != "literal")


#: Two rows of each kind of column.
_EXAMPLES: dict[str, Any] = {
    "factor": pd.Categorical(["a", "b"]),
    "logical": np.array([False, True]),
    "number": np.array([0.0, 1.0]),
}


def kind_of(column: Any) -> str:
    """Kind of a column in a model matrix: "factor", "logical" or "number"."""
    if isinstance(column, Labels):
        return "factor"
    return "logical" if column.dtype.kind == "b" else "number"


# --- formulaic ------------------------------------------------------------------------------


class _Materializer(PandasMaterializer):
    """formulaic's, with our coding (or the user's) of bare factors, and of calls that give text."""

    given: Mapping[str, Any] = {}
    fitting = False
    bases: Mapping[str, BasisFields] = {}

    def __init__(self, *args: Any, **named: Any):
        super().__init__(*args, **named)
        self.widths: dict[tuple[str, bool], int] = {}  # columns by factor, reduced or not

    @override
    def _lookup(self, name: str) -> tuple[Any, set]:
        values, variables = super()._lookup(name)
        if isinstance(getattr(values, "dtype", None), pd.CategoricalDtype):
            name = unmarked(name)
            return coded(values, self.given.get(name), name), variables
        return (logical(values) if is_logical(values) else values), variables

    @override
    def _encode_evaled_factor(
        self, factor: Any, spec: ModelSpec, drop_rows: Any, reduced_rank: bool = False
    ) -> dict[str, Any]:
        encoded = super()._encode_evaled_factor(factor, spec, drop_rows, reduced_rank)
        self.widths[factor.expr, reduced_rank] = len(encoded)
        return encoded

    def terms(self, spec: ModelSpec) -> FixedTerms:
        """The record of the terms of a matrix just made."""
        factors = {
            expr: codes_of(evaluated.values)
            for expr, evaluated in self.factor_cache.items()
            if evaluated.metadata.kind.value == "categorical"
        }
        terms = []
        for row in spec.structure:
            blocks = [
                [
                    (f.factor.expr, self.widths[f.factor.expr, bool(f.reduced)])
                    for f in scoped.factors
                ]
                for scoped in row.scoped_terms
            ]
            terms.append(fixed_term(_term_name(row), _variables(row), blocks, factors))
        return FixedTerms(tuple(terms), factors)

    @override
    def _evaluate(self, expr: str, metadata: Any, spec: ModelSpec) -> tuple[Any, set]:
        if expr in self.bases:
            return self.bases[expr].stand_in(len(self.data)), set()
        expression = expression_of(expr)
        columns = {unmarked(name): self.data_context[name] for name in self.data_context}
        n = len(self.data)
        values = value_of(
            expression, Values(columns, self.context, spec.transform_state, n, self.fitting)
        )
        _check_rows(expr, values, n)
        # what C() or factor() made already has its coding
        if not isinstance(values, FactorValues) and is_text(values):
            return coded(values, None, expr), set()
        return (logical(values) if is_logical(values) else values), set()


def _check_rows(expr: str, values: Any, n: int) -> None:
    """Refuse a term that is not one row per row."""
    plain = values.__wrapped__ if isinstance(values, FactorValues) else values
    if isinstance(plain, dict):
        plain = next(iter(plain.values()), None)
    if not np.ndim(plain) and not hasattr(plain, "shape"):
        plain = np.asarray(plain)
    if not np.ndim(plain):
        raise DataError(
            f"{shown(expr)!r} is a single value, not one per row; it may be part of a term, as in "
            "I(x - mean(x))"
        )
    if np.shape(plain)[0] != n:
        raise DataError(f"{shown(expr)!r} gives {np.shape(plain)[0]} values for {n} rows")


def _materialise(
    spec: ModelSpec,
    frame: pd.DataFrame,
    contrasts: Mapping[str, Any],
    context: Mapping[str, Any],
    fitting: bool = False,
    bases: Mapping[str, BasisFields] | None = None,
) -> tuple[np.ndarray, ModelSpec, _Materializer]:
    materializer = _Materializer(frame, context=context)
    materializer.bases = bases or {}
    materializer.given, materializer.fitting = contrasts, fitting
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            matrix = materializer.get_model_matrix(spec)
    except InterlaceError as error:
        raise error from None
    except FormulaicError as error:
        cause = error.__cause__
        raise (cause if isinstance(cause, InterlaceError) else _failed(error)) from None
    except (ValueError, TypeError, ArithmeticError, KeyError, IndexError) as error:
        raise _failed(error) from None
    X = np.asarray(matrix)
    if X.dtype.kind not in "biuf":
        raise DataError(
            f"the columns {listing(matrix.model_spec.column_names)} are not all numbers (they are "
            f"of type {X.dtype}); make the columns of data numbers or factors first"
        )
    return np.ascontiguousarray(X, dtype=np.float64), matrix.model_spec, materializer


def _failed(error: Exception) -> InterlaceError:
    text = str(error)
    start, end = text.find("`") + 1, text.find("`. [")
    if isinstance(error.__cause__, ImportError):
        return MissingDependencyError(f"the formula needs a package: {reason(error)}")
    if end > start > 0:
        term = text[start:end]
        return DataError(f"the term {shown(term)!r} cannot be computed: {reason(error)}")
    return FormulaError(f"the model matrix cannot be built: {reason(error)}")


def _marked_frame(columns: Columns, variables: tuple[str, ...]) -> pd.DataFrame:
    frame = columns.pandas(variables)
    frame.columns = pd.Index([marked(name) for name in variables], dtype=object)
    return frame


def _through_formulaic(
    text: str,
    columns: Columns,
    variables: tuple[str, ...],
    contrasts: Mapping[str, Any],
    context: Mapping[str, Any],
) -> tuple[np.ndarray, FormulaicMatrix, FixedTerms]:
    frame = _marked_frame(columns, variables)
    for name in variables:
        column = columns.values[name]
        if isinstance(column, Labels):
            check_levels(len(column.levels), name, column.levels)
    X, spec, materializer = _materialise(_fresh(text), frame, contrasts, context, fitting=True)
    recipe = FormulaicMatrix(
        names=tuple(shown(name) for name in spec.column_names),
        spec=spec,
        variables=variables,
        contrasts={name: contrasts[name] for name in variables if name in contrasts},
        context=UserNames(context),
        logicals=frozenset(
            [name for name in variables if kind_of(columns.values[name]) == "logical"]
            + [shown(expr) for expr, (_, state) in spec.encoder_state.items() if "logical" in state]
        ),
    )
    return X, recipe, materializer.terms(spec)
