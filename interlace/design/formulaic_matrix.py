"""Matrices that formulaic makes, and how it reads formulas."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from formulaic import ModelSpec
from formulaic.errors import FormulaicError
from formulaic.materializers import PandasMaterializer
from formulaic.materializers.types import FactorValues
from interface_meta import override

from ..errors import DataError, FormulaError, InterlaceError, MissingDependencyError, listing
from ..formula.spelling import marked, shown, unmarked, unquoted
from ..formula.terms import CACHE_SIZE, reading
from ..frames.columns import Columns, Labels
from .codings import check_levels, coded, codes_of, is_logical, is_text, logical
from .evaluation import Values, expression_of, value_of
from .expressions import UserNames, reason
from .plain_matrix import BasisFields, kind_of
from .terms import FixedTerms, fixed_term

__all__ = ["FormulaicMatrix", "read_structure", "through_formulaic"]

#: A column that a call makes a factor, by its name or Q('its name').
_MADE_FACTOR = re.compile(
    r"(?:C|factor|ordered)\(\s*(?:(`[^`]+`|[\w.]+)|Q\(['\"](.+?)['\"]\))\s*(?:,.*)?\)", re.DOTALL
)


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


def through_formulaic(
    text: str,
    columns: Columns,
    variables: tuple[str, ...],
    contrasts: Mapping[str, Any],
    context: Mapping[str, Any],
) -> tuple[np.ndarray, FormulaicMatrix, FixedTerms]:
    """X of a right side by formulaic, how to make it on new data, and its terms."""
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


def read_structure(
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
