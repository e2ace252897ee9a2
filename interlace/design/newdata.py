"""The design of a fitted model on new data: same transforms, contrasts and levels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..calls import number
from ..errors import ArgumentError, DataError, listing, suggestion
from ..formula.spelling import unquoted
from ..frames.checks import check_finite, row_labels
from ..frames.columns import Column, Columns, Labels
from ..frames.levels import label_numbers, recode
from ..frames.read import data_columns, read
from .codings import unseen_level
from .expressions import Resolved, UserNames
from .grouping import Grouping
from .indicators import IndexedColumns, LevelColumns
from .known import KnownGrouping
from .model_matrix import MatrixRecipe
from .ordered import response_of
from .positions import PositionRecipe
from .predictor import MEAN
from .response import Response
from .vectors import per_row_argument

NEW_LEVELS = ("error", "population")


class NewPredictor(NamedTuple):
    """X (r, p), NaN in rows with a missing value, and offset (r,) or None of one predictor."""

    X: np.ndarray
    offset: np.ndarray | None


@dataclass(frozen=True, eq=False)
class NewDesign:
    """A design on new data.

    Attributes
    ----------
    predictors : dict of str -> NewPredictor
        Those that were asked for; ``"mean"`` answers X and offset.
    index : pandas.Index
    factors : tuple of (codes, Z)
        In the order of ``Design.factors``; codes are -1 for levels that the fit does not know.
        For factors that were not asked for, all codes are -1, and Z is zero unless it was.
        Columns of predictors that were not asked for are zero.
    unseen : dict of str -> tuple
        By grouping factor: the labels that the fit does not know.
    y : (r,) float64 ndarray or None
        The response, when asked for.
    rest : dict of int -> (r, k) ndarray
        By grouping factor with a known covariance: covariates times the root of the variance of
        each row's level given the levels with rows.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace.design.build import build
    >>> design = build("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> design.on({"Days": [3.0], "Subject": [308]}).X
    array([[1., 3.]])
    """

    predictors: Mapping[str, NewPredictor]
    index: pd.Index
    factors: tuple[tuple[np.ndarray, np.ndarray], ...]
    unseen: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    y: np.ndarray | None = None
    rest: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def X(self) -> np.ndarray:  # noqa: N802
        """Fixed-effects model matrix of the mean, (r, p); NaN in rows with a missing value."""
        return self.predictors[MEAN].X

    @property
    def offset(self) -> np.ndarray | None:
        """Offset of the mean, (r,)."""
        return self.predictors[MEAN].offset


class FixedSide(NamedTuple):
    """Fixed part of one predictor: how to make its matrix, whose columns `kept` are X, its offsets.

    `variables` are the columns of data that the matrix needs, `offsets` expressions.
    """

    recipe: MatrixRecipe
    kept: np.ndarray
    variables: tuple[str, ...]
    offsets: tuple[Resolved, ...]

    def matrix(self, columns: Columns) -> np.ndarray:
        """X of new data, (r, p)."""
        X = self.recipe.matrix(columns)
        return X if len(self.kept) == X.shape[1] else np.ascontiguousarray(X[:, self.kept])


class RandomSide(NamedTuple):
    """Left side of one random term: how to make its columns, and their place."""

    recipe: Any
    variables: tuple[str, ...]
    factor: int
    columns: slice
    predictor: str


@dataclass(frozen=True, eq=False)
class NewDataRecipe:
    """All that a design keeps for new data.

    Attributes
    ----------
    fixed : dict of str -> FixedSide
        By predictor.
    sides : tuple of RandomSide
        By random term.
    groupings : tuple of Grouping
        By grouping factor.
    offset_column : str or None
        Column that the argument `offset` named, which is of the mean.
    offset_given : bool
        Whether there was an argument `offset`.
    response : Response
    levels : dict of str -> Labels or None
        By column: a factor's levels (no rows), None for numbers.
    logical : frozenset of str
        Boolean columns: factors of two levels in a model matrix, numbers in expressions.
    context : UserNames
        The user's names that the formulas use.
    linear : bool
    """

    fixed: dict[str, FixedSide]
    sides: tuple[RandomSide, ...]
    groupings: tuple[Grouping, ...]
    offset_column: str | None
    offset_given: bool
    response: Response
    levels: dict[str, Labels | None]
    logical: frozenset[str]
    context: UserNames
    linear: bool

    @property
    def response_levels(self) -> np.ndarray | None:
        """Levels of a response that is a factor, or of ordered categories, else None."""
        if self.response.levels is not None:
            return self.response.levels
        labels = self.levels.get(unquoted(self.response.parts[0].text))
        return None if labels is None else labels.levels

    def coded_columns(self) -> dict[str, list[Any]]:
        """Columns that the fixed parts make factors of, as ``factor(x)`` does: their levels."""
        out: dict[str, list[Any]] = {}
        for side in self.fixed.values():
            out.update(side.recipe.coded_columns())
        return out

    def variables(self) -> list[str]:
        """Columns of the data that the formulas use, those of the response aside."""
        names = self._covariates(self.fixed, range(len(self.groupings)), False)
        return list(
            dict.fromkeys([*names, *(n for grouping in self.groupings for n in grouping.columns)])
        )

    def on_new_data(
        self,
        newdata: Any,
        widths: tuple[int, ...],
        new_levels: str = "error",
        factors: Collection[int] | None = None,
        offset: Any = None,
        response: bool = False,
        spread: Collection[int] = (),
        predictors: Collection[str] | None = None,
    ) -> NewDesign:
        """See :meth:`interlace.design.design.Design.on`; `widths` are those of the factors' Z."""
        if new_levels not in NEW_LEVELS:
            raise ArgumentError(
                f"new_levels must be one of {listing(NEW_LEVELS)}, got {new_levels!r}"
            )
        names = self._predictors(predictors)
        sides = [side for side in self.sides if side.predictor in names]
        needed = range(len(self.groupings)) if factors is None else sorted(factors)
        needed = [b for b in needed if any(side.factor == b for side in sides)]
        spread = {*needed, *spread}
        covariates = self._covariates(names, spread, response)
        named = [b for b in spread if b in needed or self._has_labels(b, newdata)]
        labels = [name for b in named for name in self.groupings[b].columns]
        extra = self._offset_columns(newdata, offset) if MEAN in names else []
        new_columns = _read_new(newdata, [*covariates, *labels, *extra], labels)
        columns = self.recoded(new_columns, covariates)
        fixed = {name: self.fixed[name].matrix(columns) for name in names}
        blocks, unseen, rest = [], {}, {}
        for b, grouping in enumerate(self.groupings):
            codes = np.full(columns.n, -1, dtype=np.int32)
            if b in named:
                codes, new, missing = grouping.codes(new_columns)
            if b in needed:
                if new:
                    unseen[grouping.label] = new
                if (new or missing) and new_levels == "error":
                    raise _unknown_levels(grouping.label, new)
            own = [side for side in sides if side.factor == b and b in spread]
            if isinstance(grouping, KnownGrouping):
                Z = _effect_columns(own, columns, grouping.width)
                Z, rest[b] = grouping.expanded(codes, Z)
                codes = np.minimum(codes, 0 if b in needed else -1)
            else:
                Z = _effect_columns(own, columns, widths[b])
            blocks.append((codes, Z))
        y = response_of(self.response, columns, False)[0] if response else None
        made_new = {
            name: NewPredictor(X, self.offset_of(name, columns, new_columns, offset))
            for name, X in fixed.items()
        }
        return NewDesign(made_new, columns.index, tuple(blocks), unseen, y, rest)

    def _has_labels(self, b: int, newdata: Any) -> bool:
        """Whether data say which levels with variances of their own the rows are of."""
        grouping = self.groupings[b]
        if not isinstance(grouping, KnownGrouping):
            return False
        return set(grouping.columns) <= set(data_columns(newdata))

    def columns_of(
        self, newdata: Any, covariates: Collection[str], labels: Collection[str]
    ) -> tuple[Columns, Columns]:
        """Columns of new data in the levels of the fit, and as they are."""
        given = _read_new(newdata, [*covariates, *labels], [*labels])
        return self.recoded(given, covariates), given

    def whole(self, newdata: Any, predictor: str) -> np.ndarray:
        """The model matrix of one predictor with the columns that X leaves out, (r, all)."""
        side = self.fixed[predictor]
        columns = self.recoded(_read_new(newdata, list(side.variables), []), side.variables)
        return side.recipe.matrix(columns)

    def _predictors(self, asked: Collection[str] | None) -> list[str]:
        """Names of the predictors asked for, in their order."""
        unknown = [name for name in asked or () if name not in self.fixed]
        if unknown:
            raise ArgumentError(
                f"predictors names {unknown[0]!r}; those of the design: {listing(self.fixed)}"
            )
        return [name for name in self.fixed if asked is None or name in asked]

    def _offset_columns(self, newdata: Any, offset: Any) -> list[str]:
        """Columns that hold an offset: the one given, else that of the fit."""
        if offset is not None:
            return [offset] if isinstance(offset, str) else []
        if self.offset_column is None:
            return []
        if self.offset_column not in data_columns(newdata):
            raise DataError(
                f"newdata lacks the column {self.offset_column!r}, the offset of the fit; add "
                "it, or give offset= for the rows of newdata (offset=0 leaves it out)"
            )
        return [self.offset_column]

    def _covariates(
        self, predictors: Collection[str], wanted: Collection[int], response: bool
    ) -> list[str]:
        fixed = [self.fixed[name] for name in predictors]
        names = [name for side in fixed for name in side.variables]
        names += [
            name
            for side in self.sides
            if side.factor in wanted and side.predictor in predictors
            for name in side.variables
        ]
        names += [name for side in fixed for piece in side.offsets for name in piece.variables]
        if response:
            names += self.response.variables
        return list(dict.fromkeys(names))

    def recoded(self, given: Columns, names: Iterable[str]) -> Columns:
        """Factors in the levels of the fit, numbers as float64 with NaN for missing."""
        values: dict[str, Column] = {}
        for name in names:
            column, known = given.values[name], self.levels[name]
            missing = given.missing.get(name)
            if known is None:
                if isinstance(column, Labels):
                    if missing is None or not missing.all():
                        raise DataError(
                            f"column {name!r} of newdata is not numeric but has the values "
                            f"{listing(map(repr, column.levels[:5]))}; it was numeric in the fit"
                        )
                    column = np.full(len(column), np.nan)
                elif missing is not None:
                    column = np.where(missing, np.nan, column)
                if name in self.logical and column.dtype.kind != "b":
                    odd = ~(np.isin(column, (0, 1)) | np.isnan(column))
                    if odd.any():
                        raise DataError(
                            f"column {name!r} of newdata has the value {column[odd][0]:g}, in "
                            f"row(s) {row_labels(given.index, odd)}; it was boolean in the fit"
                        )
                values[name] = column
                continue
            labels = column if isinstance(column, Labels) else label_numbers(column)
            if missing is not None:
                labels = Labels(np.where(missing, -1, labels.codes), labels.levels)
            codes, unseen = recode(labels, known.levels)
            if len(unseen):
                raise DataError(unseen_level(name, unseen, known.levels))
            values[name] = Labels(codes, known.levels, known.ordered)
        out = Columns(values, given.index)
        check_finite(out)
        return out

    def offset_of(
        self, predictor: str, columns: Columns, given: Columns, argument: Any
    ) -> np.ndarray | None:
        total = None
        for side in self.fixed[predictor].offsets:
            own = np.asarray(side.value(columns), dtype=np.float64)
            own = np.full(columns.n, own) if own.ndim == 0 else own
            gone = side.missing(columns)
            own = own if gone is None else np.where(gone, np.nan, own)
            total = own + (0.0 if total is None else total)
        if predictor != MEAN:
            return total
        column = argument if isinstance(argument, str) else None
        if argument is None:
            if self.offset_given and self.offset_column is None:
                raise ArgumentError(
                    "the model was fitted with an offset given as an array, which newdata does "
                    "not have; give offset= for the rows of newdata"
                )
            column = self.offset_column
        if column is not None:
            part = given.values[column]
            if isinstance(part, Labels):
                raise DataError(f"the offset column {column!r} of newdata is not numeric")
            part = np.asarray(part, dtype=np.float64)
        elif argument is not None:
            part = (
                np.full(columns.n, number("offset", argument))
                if isinstance(argument, int | float | np.number)
                else per_row_argument(argument, "offset", columns.index)
            )
            if np.isinf(part).any():
                raise ArgumentError("offset is infinite in rows of newdata; give finite numbers")
        else:
            return total
        return part if total is None else total + part


def _effect_columns(sides: list[RandomSide], columns: Columns, width: int) -> Any:
    """Z of the terms of one grouping factor, (r, k), zero where a term is not asked for."""
    series = [side for side in sides if isinstance(side.recipe, (LevelColumns, PositionRecipe))]
    if len(series) != 1:
        Z = np.zeros((columns.n, width))
        for side in sides:
            Z[:, side.columns] = side.recipe.matrix(columns)
        return Z
    run = series[0].columns
    rest = np.zeros((columns.n, width - run.stop + run.start))
    for side in sides:
        if side is not series[0]:
            at = side.columns.start - (run.stop - run.start) * (side.columns.start >= run.stop)
            own = side.recipe.matrix(columns)
            rest[:, at : at + own.shape[1]] = own
    return IndexedColumns(series[0].recipe.indexed(columns).place, run, rest)


def _read_new(newdata: Any, names: list[str], labels: list[str]) -> Columns:
    available = data_columns(newdata)
    absent = [name for name in dict.fromkeys(names) if name not in available]
    if absent:
        raise DataError(
            f"newdata lacks the column(s) {listing(map(repr, absent))}."
            f"{suggestion(absent[0], available)} It has {listing(available)}"
        )
    every = list(dict.fromkeys(names))
    if every:
        return read(newdata, every, labels)
    first = list(available)[:1]
    return Columns({}, read(newdata, first).index)


def _unknown_levels(label: str, unseen: tuple[Any, ...]) -> DataError:
    what = f"levels that the fit does not know: {listing(map(repr, unseen))}"
    return DataError(
        f"grouping factor {label!r} of newdata has {what if unseen else 'missing labels'}; "
        "new_levels='population' predicts such rows without its random effects"
    )
