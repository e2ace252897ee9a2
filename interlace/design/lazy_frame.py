"""What formulas mean of a lazy frame: rows used, centred covariates, cells of the factors of X."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from functools import reduce
from typing import Any, Self

import numpy as np
import pandas as pd

from ..errors import ArgumentError, ArgumentTypeError, DataError, FormulaError, listing
from ..frames.checks import unknown_column
from ..frames.columns import Column, Columns, Labels
from ..frames.lazy import LazyRows
from ..frames.read import data_columns
from .expressions import Resolved, names_in
from .formulas import formulas_of
from .learned import Learned
from .model_frame import ModelFrame
from .model_matrix import calls_of, learned_matrix, model_matrix
from .plain_matrix import PlainMatrix
from .predictor import MEAN
from .products import Products
from .pushed import Pushed, kind_of_type, pushed

#: Numbers on which formulas are read: they serve logarithms, roots and comparisons alike.
EXAMPLE = np.array([0.5, 2.0])


class LazyModelFrame(ModelFrame):
    """A `ModelFrame` of which the engine keeps the rows.

    Attributes
    ----------
    columns : Columns
        Columns of the formulas with the levels that factors have; numbers stand for any.
    lazy : LazyRows
        The rows used.
    learned : Learned
        What expressions keep of all rows.
    products : Products
    n : int
        Rows used.
    log_weights : float
        Sum of the logarithms of the weights.
    """

    lazy: LazyRows

    @classmethod
    def of(
        cls,
        formula: Any,
        data: Any,
        *,
        linear: bool,
        groups: Any = None,
        random: Any = None,
        weights: Any = None,
        offset: Any = None,
        contrasts: Any = None,
        subset: Any = None,
        na_action: str = "omit",
        context: Mapping[str, Any] | None = None,
        others: Any = None,
    ) -> Self:
        """The frame of a formula and lazy rows, all queries made; arguments as those of `build`."""
        names = data_columns(data)
        return cls(
            formulas_of(formula, others, names, groups, random, linear, True),
            LazyRows(data),
            names,
            weights=weights,
            offset=offset,
            contrasts=contrasts,
            subset=subset,
            na_action=na_action,
            context=context or {},
        )

    def _read(self, data: Any, weights: Any, offset: Any, subset: Any) -> None:
        self.lazy = data
        self.weight_column = self._column_name(weights, "weights")
        self.offset_column = self._column_name(offset, "offset")
        self.weights = None if weights is None else np.empty(0)
        self.offset = None if offset is None else np.empty(0)
        self._check_arguments(subset)
        if subset is not None:
            self.lazy = self._subset_of(data, subset)
        self.kinds = {name: self._kind(name) for name in self.used}
        part = self.predictors[MEAN]
        self.learned = self._learned()
        recipes = [self.recipe(side, self._example(), {}) for side in self._sides()]
        plain = [*part.fixed.variables, *(n for side in part.offsets for n in side.variables)]
        plain += [] if self.offset_column is None else [self.offset_column]
        self.products = Products(
            data,
            recipes,
            (self.response.text, self.response_expression()),
            self.weight_expression(),
            [n for n in dict.fromkeys(plain) if kind_of_type(data.schema[n]) == "number"],
            self.learned,
        )
        self._take_moments()
        self.products.observe_cells(self.lazy)
        self.columns = self._with_levels()
        self.unused = {}

    # -- what is refused ----------------------------------------------------------------------

    def _column_name(self, value: Any, argument: str) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise ArgumentTypeError(
                f"{argument} of a lazy frame is the name of one of its columns, got "
                f"{type(value).__name__}; add it to the frame as a column"
            )
        if value not in self.names:
            raise unknown_column(value, self.names, argument)
        return value

    def _subset_of(self, rows: LazyRows, subset: str) -> LazyRows:
        """The rows for which a comparison is true."""
        chosen = self._chosen(subset, rows.schema)
        if chosen.kind != "logical":
            raise ArgumentError(f"subset={subset!r} is no comparison; write 'Days > 2'")
        gone = [self._is_missing(name) for name in self._subset_names(subset)]
        return rows.where(chosen.value & ~reduce(operator.or_, gone))

    def _chosen(self, subset: str, schema: Mapping[str, Any]) -> Pushed:
        """The condition for rows."""
        learned = Learned(schema)
        learned.read(subset)
        if learned:
            raise ArgumentError(
                f"subset={subset!r} looks at all rows, which engines do not do while they filter; "
                "filter the lazy frame itself, or compute the number first"
            )
        return pushed(subset, schema)

    def _check_arguments(self, subset: Any) -> None:
        if subset is not None and not isinstance(subset, str):
            raise ArgumentTypeError(
                "subset of a lazy frame is a comparison such as 'Days > 2', got "
                f"{type(subset).__name__}; or filter the frame itself"
            )
        if self.response.kind != "column":
            raise DataError(
                f"the response {self.response.text!r} of a linear mixed model is one number a "
                "row; write cbind() and k / n for glmer()"
            )
        for side in self._sides():
            if side.context:
                raise DataError(
                    f"{side.text!r} uses {listing(side.context)} of the session, which is not "
                    "where the data are; make the value a column of the lazy frame, or collect it"
                )

    def _kind(self, name: str) -> str:
        kind = kind_of_type(self.lazy.schema[name])
        if kind == "other" and name not in self.group_only:
            dtype = self.lazy.schema[name]
            if dtype.is_temporal():
                raise DataError(
                    f"column {name!r} holds dates or times ({dtype}), which are not numbers; make "
                    "it a number of days or years in the lazy frame first, or text for a factor"
                )
            raise DataError(
                f"column {name!r} is of type {dtype}; a model needs numbers, "
                "booleans, strings or categories"
            )
        return kind

    def _sides(self) -> list[Resolved]:
        part = self.predictors[MEAN]
        return [part.fixed, *part.sides]

    # -- formulas -----------------------------------------------------------------------------

    def recipe(self, side: Resolved, columns: Columns, contrasts: Mapping[str, Any]) -> PlainMatrix:
        """How the matrix of a right side is made; refused is what is not elementwise."""
        if any(map(self._is_of_text, calls_of(side.text))):
            raise _beyond_engines(side.text)
        if self.learned:
            learned = self.learned
            return learned_matrix(
                side.text, columns, side.variables, contrasts, learned.state, learned.bases
            )
        recipe = model_matrix(side.text, columns, side.variables, contrasts, {})[1]
        if not isinstance(recipe, PlainMatrix):
            raise _beyond_engines(side.text)
        return recipe

    def _is_of_text(self, expression: str) -> bool:
        """Whether an expression has labels, which two rows of an example need not all have."""
        if any(self.kinds.get(name.name) == "text" for name in names_in(expression)):
            return True
        try:
            return pushed(expression, self.lazy.schema, self.learned.state).kind == "text"
        except FormulaError:
            return False

    def _example(self) -> Columns:
        values: dict[str, Column] = {}
        for name, kind in self.kinds.items():
            values[name] = EXAMPLE
            if kind == "text":
                values[name] = Labels(np.arange(2), np.array(["a", "b"], dtype=object))
            elif kind == "logical":
                values[name] = np.array([False, True])
        return Columns(values, pd.RangeIndex(2))

    def _with_levels(self) -> Columns:
        """Columns of the formulas, factors with the levels observed."""
        example, levels = self._example(), self.products.levels
        n = max([2, *(len(own.levels) for own in levels.values() if isinstance(own, Labels))])
        values: dict[str, Column] = {}
        for name, column in example.values.items():
            own = levels.get(name)
            if isinstance(own, Labels):
                codes = np.arange(n) % len(own.levels)
                values[name] = Labels(codes, own.levels, own.ordered, own.arranged)
            else:
                values[name] = column[np.arange(n) % 2]
        return Columns(values, pd.RangeIndex(n))

    # -- rows ---------------------------------------------------------------------------------

    def response_expression(self) -> Any:
        """The response less the offset."""
        state = self.learned.state
        y = pushed(self.response.parts[0].text, self.lazy.schema, state)
        if y.kind == "text":
            raise DataError(
                f"the response {self.response.text!r} is not numeric; convert it in the frame"
            )
        value = y.number()
        for side in self.predictors[MEAN].offsets:
            value = value - pushed(side.text, self.lazy.schema, state).number()
        if self.offset_column is not None:
            value = value - pushed(self.offset_column, self.lazy.schema).number()
        return value

    def weight_expression(self) -> Any:
        """The weight of a row, or None."""
        if self.weight_column is None:
            return None
        return pushed(self.weight_column, self.lazy.schema).number()

    def _missing(self) -> dict[str, Any]:
        """Whether a column that is used is missing, by name."""
        extra = [n for n in (self.weight_column, self.offset_column) if n is not None]
        out = {}
        for name in dict.fromkeys([*self.used, *extra]):
            out[name if name in self.used else f"{name}="] = self._is_missing(name)
        return out

    def _is_missing(self, name: str) -> Any:
        return self.lazy.missing(name)

    def _learned(self) -> Learned:
        """What expressions keep of all rows, by queries before all others."""
        learned = Learned(self.lazy.schema)
        part = self.predictors[MEAN]
        parts = [*self.response.parts, *part.offsets]
        expressions = [text for side in self._sides() for text in calls_of(side.text)]
        for text in [*expressions, *(own.text for own in parts)]:
            learned.read(text)
        if learned:
            self._count_rows({}, {})
            learned.learn(self.lazy)
            for own in parts:
                own.state.update(learned.state, fitted=True)
        return learned

    def _take_moments(self) -> None:
        """Moments and extremes, and rows if they have not been counted."""
        import narwhals.stable.v2 as nw

        values, moments = self.products.moments_asked()
        weight = self.weight_expression()
        if weight is not None:
            values["weights"], moments["weights"] = weight, ("min", "max")
            values["log weights"] = nw.when(weight > 0.0).then(weight).log()
            moments["log weights"] = ("sum",)
        if self.learned:
            totals = self.lazy.totals(values, moments)
        else:
            totals = self._count_rows(values, moments)
        self.products.take_moments(totals)
        self.log_weights = 0.0
        if weight is not None:
            self._check_weights(totals["weights"])
            self.log_weights = totals["log weights"]["sum"]

    def _count_rows(
        self, values: Mapping[str, Any], moments: Mapping[str, tuple[str, ...]]
    ) -> dict[str, dict[Any, float]]:
        """One query: rows and missing values, and what is asked of the others, which are left."""
        import narwhals.stable.v2 as nw

        missing = self._missing()
        gone = reduce(operator.or_, missing.values())
        columns = {f"missing {i}": own.cast(nw.Int64()) for i, own in enumerate(missing.values())}
        columns |= {"rows": nw.lit(1), "gone": gone.cast(nw.Int64())}
        asked: dict[str, tuple[str, ...]] = dict.fromkeys(columns, ("count",))
        totals = self.lazy.totals({**columns, **values}, {**asked, **moments}, ~gone)
        counts = {name: _count(totals[f"missing {i}"]) for i, name in enumerate(missing)}
        self.missing_by = {name: count for name, count in counts.items() if count}
        self.n_missing, rows = _count(totals["gone"]), _count(totals["rows"])
        self.n = rows - self.n_missing
        self.rows = self.full_index = self.kept = self.full_rows = None
        if not rows:
            raise DataError("data has no rows, or subset= selects none")
        self._report_missing(self.n)
        self.lazy.n = self.n
        if self.n_missing:
            self.lazy = self.lazy.where(~gone)
        return totals

    def _check_weights(self, ends: Mapping[str, float]) -> None:
        if not ends["min"] > 0.0 or not np.isfinite(ends["max"]):
            raise ArgumentError(
                f"weights must be positive and finite; they are from {ends['min']:g} to "
                f"{ends['max']:g}. Leave out rows of weight zero with subset="
            )


def _beyond_engines(text: str) -> DataError:
    return DataError(
        f"{text!r} has a term that is made of text, or of a function that engines do not have. "
        "Make it a column of the lazy frame first (text is a factor as it is: in place of "
        "C() or factor() of numbers cast them to text; its contrasts are the argument "
        "contrasts=), or collect the rows that fit into memory and give these as data"
    )


def _count(total: Mapping[str, float]) -> int:
    """A number of rows, 0 where there is none to count."""
    value = total["count"]
    return 0 if np.isnan(value) else int(value)
