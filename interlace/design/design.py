"""The design of a model: everything the numerics see of formula and data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from ..formula.formula import Formula
from .held import Gather
from .indicators import IndexedColumns
from .newdata import NewDataRecipe, NewDesign
from .predictor import MEAN, LinearPredictor
from .terms import FixedTerms

if TYPE_CHECKING:
    from .known import KnownLevels
    from .residual import ResidualDesign

NO_PREDICTORS = np.empty(0, dtype=np.int8)


@dataclass(frozen=True, eq=False)
class GroupingFactor:
    """A grouping factor with the covariates of all random terms on it.

    Attributes
    ----------
    name : str
        R's label: ``"Subject"``, ``"cask:batch"``.
    levels : (l,) ndarray
        Labels: the values of the column, or texts ``"1:a"`` for an interaction.
    codes : (n,) int32 ndarray
        Level of each row, in [0, l); every level occurs.
    Z : (n, k) float64 ndarray
        Covariates of the terms side by side.  For a sole intercept a read-only broadcast of 1.0,
        for the times of a series
        :class:`~interlace.design.indicators.IndexedColumns`.
    predictor : (k,) int8 ndarray
        Which of the design's predictors each column of Z belongs to; by default the first.
    known : KnownLevels or None
        Levels that have a known covariance.  The factor has one level then, for all of them, with
        the columns that :mod:`interlace.design.known` makes of them.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace.design.build import build
    >>> design = build("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> design.factors[0].name, len(design.factors[0].levels), design.factors[0].Z.shape
    ('Subject', 18, (180, 2))
    """

    name: str
    levels: np.ndarray
    codes: np.ndarray
    Z: np.ndarray
    predictor: np.ndarray = field(default_factory=lambda: NO_PREDICTORS)
    known: KnownLevels | None = None

    def __post_init__(self) -> None:
        if self.predictor is NO_PREDICTORS:
            first = np.zeros(self.Z.shape[1], dtype=np.int8)
            object.__setattr__(self, "predictor", first)

    @property
    def labels(self) -> np.ndarray:
        """Labels of the levels as users have them, without rows too where they are known."""
        return self.levels if self.known is None else self.known.labels

    @property
    def label_codes(self) -> np.ndarray:
        """Which of the labels each row has, (n,)."""
        return self.codes if self.known is None else self.known.codes

    @property
    def n_labels(self) -> int:
        """How many of the labels have rows."""
        return len(self.levels) if self.known is None else len(np.unique(self.known.codes))

    @property
    def intercept_only(self) -> bool:
        """Whether Z is a sole intercept, stored as one number."""
        return self.Z.strides == (0, 0)

    def of(self, kept: np.ndarray, all_levels: bool) -> GroupingFactor:
        """The factor in some of its rows, (n,) booleans, with the levels that occur, or all."""
        codes = self.codes[kept]
        occurs = np.ones(len(self.levels), dtype=bool)
        if not all_levels:
            occurs[:] = False
            occurs[codes] = True
            codes = (np.cumsum(occurs, dtype=codes.dtype) - 1)[codes]
        return replace(
            self,
            levels=self.levels[occurs],
            codes=codes,
            Z=_rows_of(self.Z, kept),
            known=None if self.known is None else self.known.of(kept),
        )


def _rows_of(values: Any, kept: np.ndarray) -> Any:
    """Some rows, of ones stored as one number without storing them."""
    if isinstance(values, IndexedColumns):
        return values[kept]
    if values.strides == (0, 0):
        return np.broadcast_to(values[:1], (int(kept.sum()), values.shape[1]))
    return np.ascontiguousarray(values[kept])


@dataclass(frozen=True)
class RandomTerm:
    """One random-effect term.

    Attributes
    ----------
    factor : int
        Index of its grouping factor in ``Design.factors``.
    columns : slice
        Its columns of that factor's Z.
    names : tuple of str
        Names of these columns: ``("Intercept", "Days")``.
    structure : str
        Name of its covariance structure: ``"us"``, ``"diag"``, ``"ar1"``, ….
    text : str
        ``"(1 + Days | Subject)"``.
    predictor : str
        Name of the linear predictor that it belongs to.
    positions : (k, dimensions) ndarray or None
        Of effects at times that are numbers or at places.
    rank : int or None
        Of a structure that has one.
    copies : int
        How often its effects stand beside each other, independent: more than once where the levels
        have a known covariance.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace.design.build import build
    >>> design = build("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> design.terms[0].names
    ('Intercept', 'Days')
    """

    factor: int
    columns: slice
    names: tuple[str, ...]
    structure: str
    text: str
    predictor: str = MEAN
    positions: np.ndarray | None = None
    rank: int | None = None
    copies: int = 1

    @property
    def component(self) -> str:
        """The predictor where it has to be said: empty for that of the mean."""
        return "" if self.predictor == MEAN else self.predictor


@dataclass(frozen=True, eq=False)
class Design:
    """Everything the numerics see of formula and data.

    Attributes
    ----------
    y : (n,) float64 ndarray
        Response.
    trials : (n,) float64 ndarray or None
        Denominators of a response ``cbind(k, n - k)`` or ``k / n``.
    weights : (n,) float64 ndarray or None
    predictors : dict of str -> LinearPredictor
        By name, in their order, the mean's first; the `current` one answers X, x_names, x_terms,
        dropped_columns and offset of the design.
    factors : tuple of GroupingFactor
        One per distinct grouping factor, decreasing number of levels.
    terms : tuple of RandomTerm
        By predictor, then in lme4's order; theta follows it.
    formula : Formula
        That of the mean; random terms given as arguments included.
    response_name : str
    index : pandas.Index
        Labels of the rows used.
    rows : (n,) int ndarray or None
        Positions of the rows used, among the rows of `data`; None when all are.
    na_action : str
    n_missing : int
        Rows dropped for missing values.
    missing_by : dict of str -> int
        Missing values by column, in the rows of the subset.
    full_index : pandas.Index or None
        Under ``na_action="exclude"``, when rows were dropped: labels of all rows of the subset.
    kept : (n,) int ndarray or None
        Then: positions of the rows used among these.
    full_rows : int ndarray or None
        Then: positions of all rows of the subset in the data.
    recipe : NewDataRecipe or None
        State for :meth:`on`.
    residual : ResidualDesign or None
        Times, groups and covariates of the covariance of the residuals, where it is none of
        independent ones.
    current : str
        Name of a predictor; that of the mean, which every model has.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace.design.build import build
    >>> design = build("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> design.X.shape, design.x_names
    ((180, 2), ('Intercept', 'Days'))
    """

    # values
    y: np.ndarray
    trials: np.ndarray | None
    weights: np.ndarray | None
    predictors: Mapping[str, LinearPredictor]
    factors: tuple[GroupingFactor, ...]
    terms: tuple[RandomTerm, ...]
    # names
    formula: Formula
    response_name: str
    # rows
    index: pd.Index
    rows: np.ndarray | None = None
    na_action: str = "omit"
    n_missing: int = 0
    missing_by: dict[str, int] = field(default_factory=dict)
    full_index: pd.Index | None = None
    kept: np.ndarray | None = None
    full_rows: np.ndarray | None = None
    # state
    recipe: NewDataRecipe | None = field(default=None, repr=False)
    residual: ResidualDesign | None = None
    current: str = MEAN

    def with_response(self, y: np.ndarray) -> Design:
        """The same design with another response, (n,)."""
        return self.changed(y=np.ascontiguousarray(y, dtype=np.float64))

    def changed(self, **fields: Any) -> Self:
        """The same design with other fields."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, **fields)
        return other

    def of(self, kept: np.ndarray, all_levels: bool = False) -> Design:
        """The design of some of its rows, (n,) booleans, with the levels that occur, or all."""

        def some(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[kept]

        predictors = {
            name: replace(own, X=_rows_of(own.X, kept), offset=some(own.offset))
            for name, own in self.predictors.items()
        }
        rows = np.flatnonzero(kept) if self.rows is None else self.rows[kept]
        factors = tuple(factor.of(kept, all_levels) for factor in self.factors)
        return replace(
            self,
            y=self.y[kept],
            trials=some(self.trials),
            weights=some(self.weights),
            predictors=predictors,
            factors=factors,
            recipe=self._recipe_of(factors, kept),
            index=self.index[kept],
            residual=None if self.residual is None else self.residual.of(kept),
            rows=rows,
            full_index=None,
            kept=None,
            full_rows=None,
        )

    def _recipe_of(
        self, factors: Sequence[GroupingFactor], kept: np.ndarray
    ) -> NewDataRecipe | None:
        """The recipe, which knows the levels that are left alone."""
        lost = [len(b.levels) < len(a.levels) for a, b in zip(self.factors, factors, strict=True)]
        if self.recipe is None or not any(lost):
            return self.recipe
        groupings = [
            grouping.of(np.unique(own.codes[kept])) if gone else grouping
            for grouping, own, gone in zip(self.recipe.groupings, self.factors, lost, strict=True)
        ]
        return replace(self.recipe, groupings=tuple(groupings))

    @property
    def mean(self) -> LinearPredictor:
        """The predictor of the mean."""
        return self.predictors[MEAN]

    @property
    def _current(self) -> LinearPredictor:
        return self.predictors[self.current]

    @property
    def X(self) -> np.ndarray:  # noqa: N802
        """Fixed-effects model matrix of the predictor, (n, p), C-contiguous, of full rank."""
        return self._current.X

    @property
    def shape(self) -> tuple[int, int]:
        """That of X, (n, p), which need not be made for it."""
        return self._current.shape

    def X_in(self, order: np.ndarray, gather: Gather | None = None) -> np.ndarray:  # noqa: N802
        """X with its rows in another order, (n,): see `LinearPredictor.X_in`."""
        return self._current.X_in(order, gather)

    @property
    def size(self) -> int:
        """Numbers in X."""
        n, p = self.shape
        return n * p

    @property
    def information_root(self) -> np.ndarray:
        """Some R (r, p) with R'R = X'X, X itself where its rows are there."""
        return self.X

    @property
    def column_sizes(self) -> np.ndarray:
        """Root mean squares of the columns of X, (p,)."""
        return np.sqrt((self.X**2).mean(axis=0))

    @property
    def x_names(self) -> tuple[str, ...]:
        """Names of the columns of X (formulaic's)."""
        return self._current.names

    @property
    def x_terms(self) -> tuple[tuple[str, slice], ...]:
        """Fixed term -> its columns of X (an empty slice where all of them were dropped)."""
        return self.fixed_terms.slices

    @property
    def fixed_terms(self) -> FixedTerms:
        """The terms of X, with factors and covariates."""
        return self._current.terms

    @property
    def dropped_columns(self) -> tuple[str, ...]:
        """Columns of X left out because they depend on earlier ones."""
        return self._current.dropped

    @property
    def offset(self) -> np.ndarray | None:
        """Offset of the predictor, (n,)."""
        return self._current.offset

    def rows_in(self, frame: pd.DataFrame) -> np.ndarray | None:
        """Positions of the rows used in the data; None of a frame whose rows are others."""
        positions = np.arange(len(frame)) if self.rows is None else self.rows
        fits = positions.size == self.y.size and positions.max(initial=-1) < len(frame)
        return positions if fits and frame.index[positions].equals(self.index) else None

    def pad(self, values: np.ndarray) -> pd.Series:
        """Values of the rows used as a Series; with NaN elsewhere under ``"exclude"``."""
        series = pd.Series(np.array(values), index=self.index)
        if self.full_index is None:
            return series
        full = np.full(len(self.full_index), np.nan)
        full[self.kept] = values
        return pd.Series(full, index=self.full_index)

    def pad_rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table of the rows used; with missing rows for others under ``"exclude"``."""
        if self.full_index is None:
            return table
        place = np.full(len(self.full_index), -1)
        place[self.kept] = np.arange(len(table))
        truth = {name: "boolean" for name in table if table[name].dtype == bool}
        padded = table.astype(truth).reset_index(drop=True).reindex(place)
        return padded.set_axis(self.full_index)

    @property
    def response_levels(self) -> np.ndarray | None:
        """Levels of a response that is a factor, else None."""
        return None if self.recipe is None else self.recipe.response_levels

    @property
    def user_names(self) -> Mapping[str, Any]:
        """The caller's own names that the formulas use."""
        return {} if self.recipe is None else self.recipe.context

    @property
    def response_variables(self) -> tuple[str, ...]:
        """Columns of the data that the response uses."""
        return () if self.recipe is None else self.recipe.response.variables

    def variables(self) -> list[str]:
        """Columns of the data that the formulas use, those of the response aside."""
        return [] if self.recipe is None else self.recipe.variables()

    def on(
        self,
        newdata: Any,
        *,
        new_levels: str = "error",
        factors: Collection[int] | None = None,
        offset: Any = None,
        response: bool = False,
        spread: Collection[int] = (),
        predictors: Collection[str] | None = None,
    ) -> NewDesign:
        """The design on new data: same transforms, contrasts and levels.

        Needed are only the columns of the ``predictors`` by name, and grouping ``factors`` by
        index, that are asked for (default all). Levels that the fit does not know, or missing ones,
        are an error or, with ``new_levels="population"``, the code -1. ``offset``, one number, (r,)
        or a column, stands for the one given to the fit as an argument, of the mean; those in
        formulas are computed. ``response`` makes y too, ``spread`` Z of factors whose levels are
        not needed.

        Examples
        --------
        >>> import interlace as il
        >>> from interlace.design.build import build
        >>> design = build("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> design.on({"Days": [3.0, 4.0]}, factors=()).X
        array([[1., 3.],
               [1., 4.]])
        """
        if self.recipe is None:
            raise ArgumentError("this design was made from arrays; it has no formula to repeat")
        widths = tuple(factor.Z.shape[1] for factor in self.factors)
        return self.recipe.on_new_data(
            newdata, widths, new_levels, factors, offset, response, spread, predictors
        )
