"""Formula and rows that workers read in parts -> `PartedDesign`.

First come small queries: rows and missing values; levels of factors; levels of the grouping factors
with their rows. A sample of whole levels, read here, says how columns are made, so that all parts
make the same ones. `PartRecipe` makes them where the rows are.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..covariance.names import STRUCTURES
from ..errors import ArgumentError, DataError, FormulaError
from ..formula.spelling import quoted
from ..frames.columns import Columns, Labels
from ..frames.levels import level_texts, recode
from ..frames.parts import PartOfRows, part_of, scanned
from ..frames.read import read
from .build import (
    FactorParts,
    Matrices,
    check_columns,
    check_groups,
    in_order,
    kept_columns,
    new_data_recipe,
    total_offset,
)
from .design import Design, GroupingFactor, RandomTerm
from .expressions import Resolved
from .formulaic_matrix import FormulaicMatrix
from .grouping import Grouping, grouping
from .indicators import beside
from .lazy_frame import LazyModelFrame
from .model_matrix import MatrixRecipe, model_matrix, terms_on
from .newdata import FixedSide, NewDataRecipe, RandomSide
from .plain_matrix import PlainMatrix
from .positions import positioned
from .predictor import MEAN, LinearPredictor
from .pushed import kind_of_type, pushed
from .response import numeric, response_values
from .rowless import RowlessDesign
from .terms import FixedTerms

__all__ = [
    "LevelTable",
    "PartRecipe",
    "PartedDesign",
    "PartedFrame",
    "Sampled",
    "parted_frame",
    "sampled_of",
]

#: Rows of the sample, and the runs of levels that it is made of. All rows if there are no more.
SAMPLE_ROWS, SAMPLE_RUNS = 100_000, 16
_ROWS = "_rows_of_level"


@dataclass(frozen=True, eq=False)
class PartedDesign(RowlessDesign):
    """A design whose rows workers read, and hold while the model is fitted.

    Attributes
    ----------
    roots : dict of str -> (r, p) ndarray
        By predictor R with R'R = X'X, of all columns, those left out too.
    column_sums : dict of str -> (p,) ndarray
        Sums of the columns of X.
    z_roots : list of (r, k) ndarray
        The same of Z, by grouping factor.
    """

    roots: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    column_sums: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    z_roots: list[np.ndarray] = field(default_factory=list, repr=False)

    whereabouts = "left its rows with workers, which let them go when it was done"

    @property
    def whole_root(self) -> np.ndarray:
        return self.roots[self.current]

    @property
    def information_root(self) -> np.ndarray:
        assert self.recipe is not None
        return self.whole_root[:, self.recipe.fixed[self.current].kept]

    @property
    def column_sizes(self) -> np.ndarray:
        R = self.information_root
        return np.sqrt((R * R).sum(axis=0) / self.n_rows)


class LevelTable:
    """Levels of all grouping factors that occur together, with their numbers of rows.

    Attributes
    ----------
    rows : (t,) int ndarray
    groups : dict of str -> (Grouping, (t,) codes)
    """

    def __init__(self, frame: PartedFrame) -> None:
        import narwhals.stable.v2 as nw

        pieces = [piece for group in frame.groups.values() for piece in group]
        keys = list(dict.fromkeys(name for piece in pieces for name in piece.variables))
        self.columns = frame.lazy.sums(
            {name: nw.col(name) for name in keys}, keys, {_ROWS: nw.lit(1)}, frame.group_only
        )
        counts = self.columns.values.pop(_ROWS)
        assert isinstance(counts, np.ndarray)
        self.rows = counts.astype(np.int64)
        self.groups = {
            label: grouping(label, own, self.columns) for label, own in frame.groups.items()
        }
        for made, _ in self.groups.values():
            check_groups(made, frame.n, False, False)

    def factors(self, labels: Sequence[str]) -> list[GroupingFactor]:
        """Grouping factors of which the rows of this table are the rows."""
        none = np.broadcast_to(1.0, (len(self.rows), 1))
        return [
            GroupingFactor(made.label, made.levels, codes, none)
            for made, codes in (self.groups[label] for label in labels)
        ]

    def sizes(self, label: str) -> np.ndarray:
        """Rows of each level of a grouping factor, (l,)."""
        made, codes = self.groups[label]
        return np.bincount(codes, weights=self.rows, minlength=len(made.cells)).astype(int)

    def condition(self, frame: PartedFrame, label: str, chosen: np.ndarray) -> Any:
        """An expression that is true of the rows of some levels, (l,) booleans, and of few others.

        It is a range of the first variable where that has an order that engines know; None where
        nothing is known.
        """
        made, codes = self.groups[label]
        name = made.variables[0].text
        kind = kind_of_type(frame.lazy.schema[name]) if name in frame.lazy.schema else ""
        if kind not in ("number", "text"):
            return None
        import narwhals.stable.v2 as nw

        levels = made.levels_of[0]
        own = np.unique(made.cells[np.unique(codes[chosen[codes]]), 0])
        value = nw.col(name)
        if kind == "text":
            value, levels = pushed(quoted(name), frame.lazy.schema).value, level_texts(levels)
            if not (levels[:-1] < levels[1:]).all():  # in an order of their own
                return value.is_in(levels[own].tolist())
        ends = levels[own[[0, -1]]].tolist()
        if kind == "number" and ends[1] > np.iinfo(np.int64).max:  # no literal of all engines
            return None
        return (value >= ends[0]) & (value <= ends[1])


class PartedFrame(LazyModelFrame):
    """A `ModelFrame` whose rows are read in parts: ``columns`` are those of a sample.

    Attributes
    ----------
    table : LevelTable
    ranges : dict
        Mean, standard deviation, least and largest value of each numeric column.
    given : Columns
        The sample as it was read.
    """

    def _read(self, data: Any, weights: Any, offset: Any, subset: Any) -> None:
        self.lazy = data
        self.weight_column = self._column_name(weights, "weights")
        self.offset_column = self._column_name(offset, "offset")
        self._check_arguments(subset)
        if subset is not None:
            self.lazy = self._subset_of(data, subset)
        self.kinds = {name: self._kind(name) for name in self.used}
        extra = [n for n in (self.weight_column, self.offset_column) if n is not None]
        self.every = list(dict.fromkeys([*self.used, *extra]))
        self._observe_rows()
        self.text_levels = {
            name: self._observed(name)
            for name, kind in self.kinds.items()
            if kind == "text" and name not in self.group_only
        }
        self.table = LevelTable(self)
        self.unused, self.weights, self.offset = {}, None, None
        levels = {name: self.text_levels.get(name, np.empty(0)) for name in self.used}
        self.columns = Columns(levels, pd.RangeIndex(0))

    def _check_arguments(self, subset: Any) -> None:
        if subset is not None and not isinstance(subset, str):
            super()._check_arguments(subset)
        if self.matrices:
            raise FormulaError(
                "known covariances of levels tie levels of different parts together; collect the "
                "rows that fit into memory and give these as data",
                self.formula.text,
            )

    def _observe_rows(self) -> None:
        """One query: rows, missing values, moments and extremes."""
        import narwhals.stable.v2 as nw

        numbers = [n for n in self.every if kind_of_type(self.lazy.schema[n]) == "number"]
        values = {f"column {i}": nw.col(n).cast(nw.Float64()) for i, n in enumerate(numbers)}
        asked = dict.fromkeys(values, ("mean", "std", "min", "max"))
        totals = self._count_rows(values, asked)
        self.ranges = {
            name: tuple(totals[f"column {i}"].values()) for i, name in enumerate(numbers)
        }
        for name, (_, _, low, high) in self.ranges.items():
            if not np.isfinite([low, high]).all():
                raise DataError(
                    f"column {name!r} has infinite values; set them to missing or drop the rows"
                )
        if self.weight_column is not None and not self.ranges[self.weight_column][2] > 0.0:
            low, high = self.ranges[self.weight_column][2:]
            raise ArgumentError(
                f"weights must be positive; they are from {low:g} to {high:g}. Leave out rows of "
                "weight zero with subset="
            )

    def _observed(self, name: str) -> Labels:
        """Levels of a factor in the rows used."""
        import narwhals.stable.v2 as nw

        found = self.lazy.sums({name: nw.col(name)}, [name], {_ROWS: nw.lit(1)}).values[name]
        assert isinstance(found, Labels)
        return found.used()

    def rows_of(self, condition: Any = None, names: Sequence[str] | None = None) -> PartOfRows:
        """The rows for which an expression is true, or all, to be collected somewhere."""
        rows = self.lazy if condition is None else self.lazy.where(condition)
        return part_of(rows.frame.select(*(names or self.every)), rows.engine)

    def take_sample(self, label: str) -> None:
        """Read a sample of whole levels of the outermost grouping factor."""
        condition = None
        if self.n > SAMPLE_ROWS:
            chosen = _runs_of_levels(self.table.sizes(label))
            runs = [self.table.condition(self, label, own) for own in chosen]
            known = [run for run in runs if run is not None]
            condition = reduce(operator.or_, known) if known else None
        self.is_whole = condition is None
        self.use(read(self.rows_of(condition).collect(), self.every, self.group_only))

    def use(self, given: Columns) -> None:
        """Take rows as those of the sample."""
        self.given = given
        self.columns = self._in_all_levels(given, self.used)
        self.weights = self._vector(self.weight_column, "weights", given)
        self.offset = self._vector(self.offset_column, "offset", given)

    def whole(self, names: Sequence[str]) -> Columns:
        """All rows of a few columns, for terms that are made of all rows."""
        rows = self.rows_of(names=names or self.every[:1]).collect()
        given = read(rows, list(names or self.every[:1]))
        return self._in_all_levels(given, list(given.values))

    def _in_all_levels(self, given: Columns, names: Sequence[str]) -> Columns:
        """Some columns, factors with the levels of all rows."""
        values = {name: given.values[name] for name in names}
        for name in self.text_levels.keys() & values.keys():
            labels = self.text_levels[name]
            codes, _ = recode(given.values[name], labels.levels)
            values[name] = Labels(codes, labels.levels, labels.ordered, labels.arranged)
        return Columns(values, given.index)


def _runs_of_levels(sizes: np.ndarray) -> list[np.ndarray]:
    """Runs of neighbouring levels with as many rows as a sample has, (l,) booleans each."""
    before = np.cumsum(sizes) - sizes
    total, own = float(sizes.sum()), SAMPLE_ROWS / SAMPLE_RUNS
    starts = np.arange(SAMPLE_RUNS) * (total / SAMPLE_RUNS)
    runs = [(before >= start) & (before < start + own) for start in starts]
    return [run for run in runs if run.any()]


class _MatricesOfParts(Matrices):
    """Matrices of the sample, made as all rows say."""

    _frame: PartedFrame

    def of(self, side: Resolved) -> tuple[np.ndarray, MatrixRecipe, FixedTerms]:
        frame = self._frame
        X, recipe, terms = super().of(side)
        if isinstance(recipe, PlainMatrix) or frame.is_whole:
            return X, recipe, terms
        key = ("all rows", side.text)
        if key not in self._made:
            columns = frame.whole(side.variables)
            arguments = side.text, columns, side.variables, frame.contrasts, side.context
            recipe = model_matrix(*arguments)[1]
            assert isinstance(recipe, FormulaicMatrix)
            self._made[key] = recipe.matrix(frame.columns), recipe, recipe.terms(frame.columns)
        return self._made[key]


@dataclass(frozen=True, eq=False)
class PartRecipe:
    """How a design is made of the rows of a part, with all columns of X; it can be sent.

    Attributes
    ----------
    new : NewDataRecipe
    terms : tuple of RandomTerm
    owners : list of (k,) ndarray
        By grouping factor: predictors of the columns of Z.
    names, group_only : list of str
        Columns that are read, and those that are labels alone.
    weights : str or None
    predictors : dict of str -> LinearPredictor
        Without rows.
    """

    new: NewDataRecipe
    terms: tuple[RandomTerm, ...]
    owners: list[np.ndarray]
    names: list[str]
    group_only: list[str]
    weights: str | None
    predictors: dict[str, LinearPredictor]
    formula: Any
    response_name: str

    def given(self, rows: Any) -> Columns:
        """The columns of an eager frame."""
        return read(rows, self.names, self.group_only)

    def design(self, given: Columns, outer: np.ndarray | None = None) -> Design:
        """The design of some rows, whose factors have the levels of all.

        ``outer`` are codes of the last factor, (n,), where they are known.
        """
        new = self.new
        covariates = [n for n in self.names if n in new.levels and n not in self.group_only]
        columns = new.recoded(given, covariates)
        y, trials = response_values(new.response, columns, False)
        weights = None if self.weights is None else np.asarray(given.values[self.weights], float)
        predictors = {
            name: self._predictor(name, side, columns, given) for name, side in new.fixed.items()
        }
        return Design(
            y=y,
            trials=trials,
            weights=weights,
            predictors=predictors,
            factors=tuple(self._factors(columns, given, outer)),
            terms=self.terms,
            formula=self.formula,
            response_name=self.response_name,
            index=given.index,
        )

    def _predictor(
        self, name: str, side: FixedSide, columns: Columns, given: Columns
    ) -> LinearPredictor:
        X = side.recipe.matrix(columns)
        check_columns(X, side.recipe.names, columns)
        offset = self.new.offset_of(name, columns, given, None)
        if offset is not None:
            offset = numeric("offset", offset, columns)
        return replace(self.predictors[name], X=X, offset=offset)

    def _factors(
        self, columns: Columns, given: Columns, outer: np.ndarray | None
    ) -> Iterator[GroupingFactor]:
        last = len(self.new.groupings) - 1
        for b, made in enumerate(self.new.groupings):
            codes = outer if b == last else None
            if codes is None:
                codes, unseen, missing = made.codes(given)
                if unseen or missing:
                    raise DataError(f"levels of {made.label!r} have changed while they were read")
            own = [s.recipe.matrix(columns) for s in self.new.sides if s.factor == b]
            yield GroupingFactor(made.label, made.levels, codes, beside(own), self.owners[b])


class Sampled(NamedTuple):
    """What a sample says of all rows: how to make a design of any, and names of columns."""

    frame: PartedFrame
    recipe: PartRecipe
    labels: list[str]  # of grouping factors, in their order

    def design(self, kept: Mapping[str, np.ndarray], dropped: Mapping[str, Any]) -> Design:
        """The design of the sample with the columns that are kept."""
        whole = self.recipe.design(self.frame.given)
        whole = whole.changed(
            predictors={
                name: replace(own, terms=self._terms(name))
                for name, own in whole.predictors.items()
            },
            factors=_that_occur(whole.factors),
        )
        return with_kept(whole, kept, dropped)

    def _terms(self, name: str) -> FixedTerms:
        """The terms of a predictor on the rows of the sample."""
        side, recipe = self.frame.predictors[name].fixed, self.recipe.new.fixed[name].recipe
        columns = self.frame.columns
        if isinstance(recipe, FormulaicMatrix):
            return recipe.terms(columns)
        return terms_on(side.text, side.variables, columns, recipe, columns)

    def rowless(
        self,
        like: Design,
        kept: Mapping[str, np.ndarray],
        roots: Mapping[str, np.ndarray],
        rows: np.ndarray,
    ) -> PartedDesign:
        """The design of all rows, of which a few at positions ``rows`` of the sample are there."""
        frame, recipe = self.frame, self.recipe
        new = recipe.new
        fixed = {name: side._replace(kept=kept[name]) for name, side in new.fixed.items()}
        predictors = {
            name: replace(
                own,
                X=np.ascontiguousarray(own.X[rows]),
                offset=None if own.offset is None else np.empty(0),
                terms=_terms_at(own.terms, rows),
            )
            for name, own in like.predictors.items()
        }
        return PartedDesign(
            y=None,  # type: ignore[arg-type]
            trials=None,
            weights=None if frame.weights is None else np.empty(0),
            predictors=predictors,
            factors=tuple(
                GroupingFactor(
                    made.label, made.levels, np.empty(0, np.int32), np.empty((0, len(own))), own
                )
                for made, own in zip(new.groupings, recipe.owners, strict=True)
            ),
            terms=recipe.terms,
            formula=frame.formula,
            response_name=frame.response.text,
            index=None,
            na_action=frame.na_action,
            n_missing=frame.n_missing,
            missing_by=frame.missing_by,
            recipe=replace(new, fixed=fixed),
            n_rows=frame.n,
            engine=frame.lazy.engine,
            ranges=frame.ranges,
            roots=dict(roots),
        )


def _terms_at(terms: FixedTerms, rows: np.ndarray) -> FixedTerms:
    return FixedTerms(terms.terms, {name: own[rows] for name, own in terms.factors.items()})


def with_kept(design: Design, kept: Mapping[str, np.ndarray], dropped: Mapping[str, Any]) -> Design:
    """A design with some of the columns of X."""
    predictors = {}
    for name, own in design.predictors.items():
        if len(kept[name]) < own.X.shape[1]:
            own = replace(
                own,
                X=np.ascontiguousarray(own.X[:, kept[name]]),
                names=tuple(own.names[j] for j in kept[name]),
                terms=own.terms.keep(kept[name]),
                dropped=tuple(dropped[name]),
            )
        elif name == MEAN:
            own = replace(own, X=np.ascontiguousarray(own.X))
        predictors[name] = own
    return replace(design, predictors=predictors)


def _that_occur(factors: Sequence[GroupingFactor]) -> tuple[GroupingFactor, ...]:
    """Factors with the levels that occur."""
    return tuple(factor.of(np.ones(len(factor.codes), dtype=bool), False) for factor in factors)


def columns_kept(
    roots: Mapping[str, np.ndarray], names: Mapping[str, Sequence[str]]
) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]]]:
    """By predictor: the columns of X that all rows keep, and names of those dropped."""
    from .predictor import argument_of

    kept, dropped = {}, {}
    for name, R in roots.items():
        where = "" if name == MEAN else f" of {argument_of(name)}"
        kept[name], dropped[name] = kept_columns(R, names[name], where)
    return kept, dropped


def sampled_of(frame: PartedFrame) -> Sampled:
    """Terms, matrices and grouping factors of a frame whose sample was taken."""
    matrices = _MatricesOfParts(frame)
    predictors, sides = {}, []
    for name, part in frame.predictors.items():
        X, recipe, terms = matrices.of(part.fixed)
        total_offset(frame, name)  # what is no number is refused before anything is sent
        everything = np.arange(len(recipe.names))
        sides.append(FixedSide(recipe, everything, part.fixed.variables, part.offsets))
        predictors[name] = LinearPredictor(
            X=np.empty((0, X.shape[1])), names=tuple(recipe.names), terms=terms,
            formula=part.formula,
        )  # fmt: skip
    terms_of, random, owners, labels = _random(frame, matrices)
    groupings = tuple(frame.table.groups[label][0] for label in labels)
    new = new_data_recipe(frame, sides, random, groupings, linear=False)
    of_parts = PartRecipe(
        new,
        terms_of,
        owners,
        frame.every,
        frame.group_only,
        frame.weight_column,
        predictors,
        frame.formula,
        frame.response.text,
    )
    return Sampled(frame, of_parts, labels)


def _random(
    frame: PartedFrame, matrices: _MatricesOfParts
) -> tuple[tuple[RandomTerm, ...], tuple[RandomSide, ...], list[np.ndarray], list[str]]:
    """Random terms, how their columns are made, whose they are, and labels of the factors."""
    groups: dict[str, tuple[Grouping, np.ndarray]] = frame.table.groups
    sizes = {label: len(made.cells) for label, (made, _) in groups.items()}
    ordered = in_order(frame, sizes)
    labels = list(dict.fromkeys(spec.factor for _, spec, _ in ordered))
    labels.sort(key=lambda label: -sizes[label])
    parts = {label: FactorParts(None, [], [], []) for label in labels}
    index = {name: k for k, name in enumerate(frame.predictors)}
    terms, sides = [], []
    for name, spec, side in ordered:
        if STRUCTURES[spec.structure].patterned:
            raise FormulaError(
                f"{spec.text}: the structure {spec.structure!r} has times or places of all rows; "
                "collect the rows that fit into memory and give these as data",
                frame.formula.text,
            )
        Z, recipe, positions = positioned(spec.structure, spec.text, *matrices.of(side))
        own, at = parts[spec.factor].add(Z, index[name])
        factor = labels.index(spec.factor)
        terms.append(
            RandomTerm(
                *(factor, at, recipe.names, spec.structure, spec.text, name, positions, spec.rank)
            )
        )
        sides.append(RandomSide(recipe, side.variables, factor, own, name))
    owners = [np.array(parts[label].owners, dtype=np.int8) for label in labels]
    return tuple(terms), tuple(sides), owners, labels


def joined(parts: Sequence[Columns]) -> Columns:
    """Rows of several frames below each other; labels by their values."""
    values: dict[str, Any] = {}
    for name, first in parts[0].values.items():
        own: list[Any] = [part.values[name] for part in parts]
        if not isinstance(first, Labels):
            values[name] = np.concatenate(own)
            continue
        levels = first.levels
        for labels in own[1:]:
            new = recode(labels, levels)[1]
            levels = np.concatenate([levels, new]) if len(new) else levels
        codes = np.concatenate([recode(labels, levels)[0] for labels in own])
        values[name] = Labels(codes, levels, first.ordered, first.arranged)
    return Columns(values, pd.RangeIndex(sum(part.n for part in parts)))


def parted_frame(formula: Any, data: Any, **arguments: Any) -> PartedFrame:
    """The frame of a formula and rows in parts, all queries made; arguments as those of `build`."""
    return PartedFrame.of(formula, scanned(data), linear=False, **arguments)
