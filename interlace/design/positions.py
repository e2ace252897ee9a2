"""Effects at times or places: one column of Z for each position that occurs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..covariance.names import STRUCTURES
from ..errors import DataError
from ..formula.spelling import unquoted
from ..formula.terms import lhs_terms
from ..frames.columns import Columns, Labels
from ..frames.levels import label_numbers
from .indicators import IndexedColumns, LevelColumns
from .model_matrix import MatrixRecipe
from .terms import FixedTerms

__all__ = ["PositionRecipe", "levelled", "positioned"]

#: A column of which a formula makes a factor.
AS_FACTOR = re.compile(r"(?:factor|C)\(([^(),=]+)\)")
#: Positions so near to each other, relative, are one.
SAME = 1e-9
# A covariance matrix of more positions is too large to be of use.
MOST_POSITIONS = 2000


@dataclass(frozen=True, eq=False)
class PositionRecipe:
    """How to make the columns of effects at positions again.

    Attributes
    ----------
    coordinates : MatrixRecipe
        Makes the coordinates, (n, dimensions).
    positions : (k, dimensions) ndarray
        Those of the columns, in order.
    names : tuple of str
        ``"week[3]"``, ``"(x, y)[1, 2.5]"``.
    text : str
        The random term.
    """

    coordinates: MatrixRecipe
    positions: np.ndarray
    names: tuple[str, ...]
    text: str

    def matrix(self, columns: Columns) -> np.ndarray:
        """The columns of Z for rows of data, (n, k); NaN where a coordinate is missing."""
        return np.asarray(self.indexed(columns))

    def indexed(self, columns: Columns) -> IndexedColumns:
        """The same, held as places."""
        at = self.coordinates.matrix(columns)
        missing = np.isnan(at).any(axis=1)
        place = _places(self.positions, np.where(missing[:, None], self.positions[0], at))
        unknown = np.flatnonzero(place < 0)
        if unknown.size:
            value = ", ".join(f"{v:g}" for v in at[unknown[0]])
            raise DataError(
                f"the random term {self.text} has no effect at the position {value}, which is "
                f"not among the {len(self.positions)} of the fit. include_re=False predicts such "
                "rows without random effects, a list of the other terms without this one"
            )
        return IndexedColumns.of(np.where(missing, -1, place), len(self.positions))


def positioned(
    structure: str, text: str, Z: np.ndarray, recipe: MatrixRecipe, terms: FixedTerms
) -> tuple[Any, Any, np.ndarray | None]:
    """Columns of a random term, how to make them again, and their positions if it has any.

    ``Z`` has the columns of the left side as they are: coordinates of positions, a numeric time, or
    the levels of a factor, which are equally spaced.
    """
    kind = STRUCTURES[structure].effects
    if kind == "columns":
        return Z, recipe, None
    factors = [term for term in terms.terms if term.factors]
    if kind == "times" and len(factors) == len(terms.terms) == 1 and not factors[0].covariates:
        _check_several(structure, text, recipe.names)
        return _as_indexed(Z), recipe, None
    if factors or "Intercept" in recipe.names:
        raise DataError(_wanted(structure, text))
    if kind == "times":
        if Z.shape[1] != 1:
            raise DataError(_wanted(structure, text))
        if STRUCTURES[structure].whole_times and not (np.round(Z) == Z).all():
            raise DataError(
                f"the random term {text} has times that are no whole numbers; {structure}() "
                "counts steps between them. Write ou() for a correlation that fades in "
                "continuous time"
            )
    positions = np.unique(Z)[:, None] if Z.shape[1] == 1 else np.unique(Z, axis=0)
    _check_positions(structure, text, positions)
    label = recipe.names[0] if Z.shape[1] == 1 else f"({', '.join(recipe.names)})"
    names = tuple(f"{label}[{', '.join(f'{v:g}' for v in at)}]" for at in positions)
    if len(set(names)) < len(names):
        names = tuple(f"{label}[{', '.join(map(repr, at.tolist()))}]" for at in positions)
    made = PositionRecipe(recipe, positions, names, text)
    columns = IndexedColumns.of(_places(positions, Z), len(positions))
    return columns if kind == "times" else np.asarray(columns), made, positions


def levelled(structure: str, text: str, lhs: str, columns: Columns) -> LevelColumns | None:
    """How to make the columns of effects at the levels of one column of data, where they are that.

    Their matrix is then not made: it may have thousands of columns.
    """
    if STRUCTURES[structure].effects != "times":
        return None
    terms = lhs_terms(lhs)
    if len(terms) != 1:
        return None
    as_factor = AS_FACTOR.fullmatch(terms[0])
    variable = unquoted(as_factor[1] if as_factor else terms[0])
    column = columns.values.get(variable)
    if column is None or not (as_factor or isinstance(column, Labels)):
        return None
    labels = column if isinstance(column, Labels) else label_numbers(column)
    recipe = LevelColumns(terms[0], variable, labels.used().levels)
    _check_several(structure, text, recipe.names)
    return recipe


def _as_indexed(Z: np.ndarray) -> Any:
    """Z as places, where it is the indicators of levels and not some contrasts of them."""
    place = np.argmax(Z, axis=1)
    indicators = (np.count_nonzero(Z, axis=1) == 1) & (Z[np.arange(len(Z)), place] == 1.0)
    return IndexedColumns.of(place, Z.shape[1]) if indicators.all() else Z


def _wanted(structure: str, text: str) -> str:
    if STRUCTURES[structure].effects == "times":
        return (
            f"the random term {text} needs effects at times: {structure}(0 + time | g), where time "
            "is a factor, whose levels are equally spaced in their order, or one column of "
            f"{'whole ' if STRUCTURES[structure].whole_times else ''}numbers"
        )
    return (
        f"the random term {text} needs effects at positions: {structure}(0 + x + y | g) with one "
        "numeric column for each coordinate"
    )


def _check_several(structure: str, text: str, names: Sequence[str]) -> None:
    if len(names) < 2:
        raise DataError(
            f"the random term {text} has one time or position only, {names[0]!r}: there is no "
            "correlation to estimate. Write (1 | g)"
        )


def _check_positions(structure: str, text: str, positions: np.ndarray) -> None:
    _check_several(structure, text, [", ".join(f"{v:g}" for v in at) for at in positions[:2]])
    if len(positions) > MOST_POSITIONS and STRUCTURES[structure].effects == "positions":
        raise DataError(
            f"the random term {text} has {len(positions)} positions, and the covariance matrix of "
            f"their effects one row for each; at most {MOST_POSITIONS} are allowed. Round the "
            "coordinates to a coarser grid"
        )


def _places(positions: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The place of each row of ``at`` among sorted positions, -1 where it is none of them."""
    if at.shape[1] == 1:
        return _places_on_a_line(positions[:, 0], at[:, 0])
    known, inverse = np.unique(at, axis=0, return_inverse=True)
    out = np.full(len(known), -1)
    size = SAME * np.maximum(np.abs(positions).max(axis=0, initial=0.0), np.finfo(float).tiny)
    for i, one in enumerate(known):
        near = np.flatnonzero((np.abs(positions - one) <= size).all(axis=1))
        if near.size:
            out[i] = near[0]
    return out[inverse.ravel()]


def _places_on_a_line(positions: np.ndarray, at: np.ndarray) -> np.ndarray:
    after = np.minimum(np.searchsorted(positions, at), len(positions) - 1)
    before = np.maximum(after - 1, 0)
    place = np.where(at - positions[before] < positions[after] - at, before, after)
    size = SAME * max(float(np.abs(positions).max()), np.finfo(float).tiny)
    return np.where(np.abs(positions[place] - at) <= size, place, -1)
