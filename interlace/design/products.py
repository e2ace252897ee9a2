"""Covariates as an engine multiplies them, and the cells of factors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pandas as pd

from ..errors import DataError
from ..formula.spelling import quoted, unmarked
from ..frames.columns import Column, Columns, Labels
from ..frames.lazy import LazyRows
from .learned import Learned
from .plain_matrix import PlainMatrix
from .pushed import pushed
from .response import check_size, not_finite

#: The text of the response less its offset, among moments.
RESPONSE = "response less offset"


class Products:
    """Covariates as the engine multiplies them, and the cells of factors.

    An atom is a product of numeric variables, by its index: 0 is 1, the last one the response.
    Factors are variables, or comparisons, that formulas code.

    Attributes
    ----------
    moments : list of (float, float)
        Mean and standard deviation of each atom, (0, 1) of the first.
    columns_seen : dict
        Mean, standard deviation, least and largest value of each numeric column of the fixed part.
    levels : dict
        Of each factor by the text of its variable: `Labels`, or None of what is true or false.
    codes : (cells, factors) ndarray
        Level of each factor in each observed cell of all.
    of_X : list of int
        Atoms of the fixed part, and the response.
    free : str
        What names of columns made here begin with, and none of the data.
    grams : (cells, a, a) ndarray
        Sums of their products in each cell.
    plain_grams : (cells, a, a) ndarray
        The same without weights.
    """

    def __init__(
        self,
        lazy: LazyRows,
        recipes: Sequence[PlainMatrix],
        response: tuple[str, Any],
        weight: Any,
        plain: Sequence[str],
        learned: Learned,
    ) -> None:
        schema, self.free = lazy.schema, lazy.free
        factors: dict[str, None] = {}
        atoms: dict[tuple[str, ...], None] = {(): None}
        numbers: dict[str, None] = {}
        for i, recipe in enumerate(recipes):
            for _, product in recipe.split()[0].products:
                own = [v for v, _ in product if v not in recipe.codings]
                factors.update(dict.fromkeys(v for v, _ in product if v in recipe.codings))
                atoms[tuple(sorted(own))] = None
                if not i:
                    numbers.update(dict.fromkeys(own))
        self.schema, self.weight, self.plain = schema, weight, plain
        self.factors, self.numbers = list(factors), list(numbers)
        self._atoms = list(atoms)
        self.response, self.response_text = len(self._atoms), response[0]
        variables = {v for atom in self._atoms for v in atom}
        self._state, known = learned.state, learned.columns()
        self.values = {
            v: known[v] if v in known else pushed(unmarked(v), schema, self._state).number()
            for v in variables
        }
        self._raw = [*(self._product(atom) for atom in self._atoms), response[1]]
        self._of_fixed = recipes[0]
        self.levels: dict[str, Any] = {}
        self._cells: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}

    def _product(self, atom: tuple[str, ...]) -> Any:
        out = None
        for variable in atom:
            out = self.values[variable] if out is None else out * self.values[variable]
        return out

    def parts(
        self, recipe: PlainMatrix, product: Sequence[tuple[str, bool]]
    ) -> tuple[tuple[int, ...], int]:
        """Indices of the factors of a product, and of the atom that its numbers are."""
        own = tuple(self.factors.index(v) for v, _ in product if v in recipe.codings)
        numbers = sorted(v for v, _ in product if v not in recipe.codings)
        return own, self._atoms.index(tuple(numbers))

    # -- moments ------------------------------------------------------------------------------

    def moments_asked(self) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
        """Columns by text, and which of their moments are needed, for `take_moments`."""
        columns: dict[str, Any] = {}
        asked: dict[str, tuple[str, ...]] = {}

        def ask(text: str, value: Any, *ways: str) -> None:
            columns[text] = value
            asked[text] = tuple(dict.fromkeys([*asked.get(text, ()), *ways]))

        for text, value in zip(self._texts, self._raw[1:], strict=True):
            ask(text, value, "mean", "std")
        ask(RESPONSE, self._raw[-1], "min", "max")
        for name in self.plain:
            value = pushed(quoted(name), self.schema).number()
            ask(f"value of {name}", value, "mean", "std", "min", "max")
        for variable in self.numbers:
            ask(f"value of {unmarked(variable)}", self.values[variable], "min", "max")
        return columns, asked

    @property
    def _texts(self) -> list[str]:
        """What each atom is, but the first: the same words as of a column that it is."""
        atoms = [" times ".join(map(unmarked, atom)) for atom in self._atoms[1:]]
        return [*(f"value of {text}" for text in atoms), RESPONSE]

    def take_moments(self, totals: Mapping[str, Mapping[str, float]]) -> None:
        """Keep the moments asked for, if they are numbers."""
        self.moments = [(0.0, 1.0)]
        for text, atom in zip(self._texts, [*self._atoms[1:], (self.response_text,)], strict=True):
            mean, sd = totals[text]["mean"], totals[text]["std"]
            if not np.isfinite(mean) or np.isinf(sd):
                shown = ":".join(map(unmarked, atom))
                raise DataError(not_finite(shown))
            self.moments.append((mean, sd if sd > 0.0 else 1.0))
        self.columns_seen = {
            name: tuple(totals[f"value of {name}"][way] for way in ("mean", "std", "min", "max"))
            for name in self.plain
        }
        self.ranges = {
            variable: tuple(totals[f"value of {unmarked(variable)}"][way] for way in ("min", "max"))
            for variable in self.numbers
        }
        ends = totals[RESPONSE]
        if ends["min"] == ends["max"]:
            raise DataError(
                f"the response {self.response_text!r} is constant ({ends['min']:g}) in the rows "
                "used; there is nothing to model"
            )
        check_size(np.array([ends["min"], ends["max"]]), f"the response {self.response_text!r}")

    # -- queries ------------------------------------------------------------------------------

    def _centred(self, i: int) -> Any:
        mean, sd = self.moments[i]
        return (self._raw[i] - mean) * (1.0 / sd)

    def first(self, keys: Sequence[str] = ()) -> dict[str, Any]:
        """Columns that an engine makes once: keys, factors, weight, centred and scaled atoms."""
        import narwhals.stable.v2 as nw

        out = {name: nw.col(name) for name in keys}
        out |= {f"{self.free}f{i}": self._factor(i) for i in range(len(self.factors))}
        out |= {f"{self.free}x{i}": self._centred(i) for i in range(1, len(self._raw))}
        return out if self.weight is None else {**out, f"{self.free}w": self.weight}

    def product(self, i: int, j: int, weighted: bool = True) -> Any:
        """The product of two centred and scaled atoms, times the weight where there is one."""
        import narwhals.stable.v2 as nw

        out = nw.col(f"{self.free}w") if weighted and self.weight is not None else None
        for k in (i, j):
            if k:
                own = nw.col(f"{self.free}x{k}")
                out = own if out is None else out * own
        return nw.lit(1.0) if out is None else out

    def _factor(self, factor: int) -> Any:
        """The expression of a factor."""
        import narwhals.stable.v2 as nw

        text = unmarked(self.factors[factor])
        if text in self.schema:
            return nw.col(text)
        return pushed(text, self.schema, self._state).value

    def observe_cells(self, lazy: LazyRows) -> None:
        """Sums of all products by cell of all factors, and the levels of these."""
        fixed = self._of_fixed
        of_fixed = {self.parts(fixed, product)[1] for _, product in fixed.split()[0].products}
        own = sorted(of_fixed | {0, self.response})
        pairs = list(combinations_with_replacement(own, 2))
        keys = [f"{self.free}f{i}" for i in range(len(self.factors))]
        asked = {f"{self.free}{i}_{j}": self.product(i, j) for i, j in pairs}
        if self.weight is not None:
            asked |= {f"{self.free}p{i}_{j}": self.product(i, j, False) for i, j in pairs}
        table = lazy.sums(self.first(), keys, asked)
        codes = [self._levels_in(table.values[name], i) for i, name in enumerate(keys)]
        self.codes = np.stack(codes, axis=1) if codes else np.zeros((table.n, 0), dtype=np.int64)
        self.of_X = own
        self.grams = self.plain_grams = self._grams(table, pairs, "")
        if self.weight is not None:
            self.plain_grams = self._grams(table, pairs, "p")

    def _grams(self, table: Columns, pairs: Sequence[tuple[int, int]], kind: str) -> np.ndarray:
        """Sums of products of atoms in each cell, (cells, a, a)."""
        own = self.of_X
        grams = np.empty((table.n, len(own), len(own)))
        for i, j in pairs:
            a, b = own.index(i), own.index(j)
            values = np.asarray(table.values[f"{self.free}{kind}{i}_{j}"])
            grams[:, a, b] = grams[:, b, a] = values
        return grams

    def _levels_in(self, column: Column, factor: int) -> np.ndarray:
        """Codes of a factor's column, whose levels are kept."""
        labels = column.used() if isinstance(column, Labels) else None
        self.levels[self.factors[factor]] = labels
        self.levels[unmarked(self.factors[factor])] = labels
        return np.asarray(column if labels is None else labels.codes).astype(np.int64)

    def codes_in(self, column: Column, factor: int) -> np.ndarray:
        """Codes of a factor's column in another table."""
        labels = self.levels[self.factors[factor]]
        if labels is None:
            return np.asarray(column).astype(np.int64)
        assert isinstance(column, Labels)
        place = {level: i for i, level in enumerate(labels.levels.tolist())}
        return np.array([place[level] for level in column.levels.tolist()])[column.codes]

    # -- cells --------------------------------------------------------------------------------

    def cells(self, own: tuple[int, ...]) -> np.ndarray:
        """Observed cells of some factors, (cells, factors)."""
        return self._observed(own)[0]

    def cell_of(self, own: tuple[int, ...]) -> np.ndarray:
        """The cell of some factors that each cell of all is in."""
        return self._observed(own)[1]

    def _observed(self, own: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        if own not in self._cells:
            if own:
                cells, at = np.unique(self.codes[:, list(own)], axis=0, return_inverse=True)
            else:
                cells, at = np.zeros((1, 0), np.int64), np.zeros(len(self.codes), np.int64)
            self._cells[own] = cells, at.ravel()
        return self._cells[own]

    def columns(self, cells: np.ndarray, own: Collection[int]) -> dict[str, Column]:
        """Columns of factors in given cells, by name."""
        out: dict[str, Column] = {}
        for at, i in enumerate(own):
            name = unmarked(self.factors[i])
            labels, codes = self.levels[name], cells[:, at]
            if labels is None:
                out[name] = codes == 1
            else:
                out[name] = Labels(codes, labels.levels, labels.ordered)
        return out

    def coded(self, recipe: PlainMatrix, product: Any, own: tuple[int, ...]) -> np.ndarray:
        """Coding of the factors of a product in their cells, (cells, columns)."""
        cells = self.cells(own)
        columns = Columns(self.columns(cells, own), pd.RangeIndex(len(cells)))
        return recipe.coding(product).matrix(columns)

    def prototypes(self) -> Columns:
        """Rows of each cell, with covariates within their ranges, that span what the data span."""
        draws = len(self.numbers) + 2
        at = np.repeat(np.arange(len(self.codes)), draws)
        columns = self.columns(self.codes[at], range(len(self.factors)))
        rng = np.random.default_rng(1)
        for variable, (low, high) in self.ranges.items():
            columns[unmarked(variable)] = low + (high - low) * rng.random(len(at))
        return Columns(columns, pd.RangeIndex(len(at)))
