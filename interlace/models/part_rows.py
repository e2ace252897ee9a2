"""The rows of one part of a generalised model, with the worker that reads and holds them.

Read, they say what others need to know of them (`Seen`); with what all have agreed upon (`How`)
they become pieces of the criterion, and at the optimum they say what is left (`Told`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import Any, NamedTuple

import numpy as np

from ..design.design import Design
from ..design.parted import PartRecipe, with_kept
from ..errors import DataError
from ..families import Family
from ..frames.columns import Columns
from ..frames.parts import PartOfRows
from ..linalg.row_threads import transposed_product
from ..linalg.tall import root_of_rows, spanning_rows
from ..objective.generalised.breakdown import predicts
from ..objective.partitioned.pieces import Approximation, Piece, split_at
from ..objective.partitioned.questions import Question, Search
from .base import weighted_sums
from .density import density_of, with_parameters
from .observations import ResponseFacts, observe_part
from .verdicts import Agreement, variances_may_end

__all__ = ["How", "PartRows", "Reading", "Seen", "Told", "ToldAt"]


class How(NamedTuple):
    """How pieces are made of rows: what all of them have agreed upon."""

    kept: dict[str, np.ndarray]
    dropped: dict[str, tuple[str, ...]]
    facts: ResponseFacts
    family: Family
    coordinates: Any  # the problem of a sample, without rows
    approximation: Approximation


class Seen(NamedTuple):
    """What others need to know of the rows of a part."""

    roots: dict[str, np.ndarray]  # R of all columns of X, by predictor
    sums: dict[str, np.ndarray]  # sums of these columns
    z_roots: list[np.ndarray]  # R of Z, by grouping factor
    spanning: Columns  # rows that span what all span
    facts: ResponseFacts
    agreements: list[list[Agreement]]  # by grouping factor and column of Z; empty if no matter


@dataclass(eq=False)
class PartRows:
    """The rows of a part, with all columns of X."""

    design: Design
    spanning: Columns
    of_row: np.ndarray
    family: Family

    def _agreements(self) -> list[list[Agreement]]:
        """What levels show of binomial rows."""
        design = self.design
        if not variances_may_end(self.family):
            return []
        trials = next((w for w in (design.trials, design.weights) if w is not None), None)
        trials = np.ones(len(design.y)) if trials is None else trials
        return [
            [Agreement.of(f, j, design.y, trials) for j in range(f.Z.shape[1])]
            for f in design.factors
        ]

    def seen(self) -> Seen:
        """What others need to know of them."""
        design = self.design
        return Seen(
            {name: root_of_rows(own.X) for name, own in design.predictors.items()},
            {
                name: transposed_product(own.X, np.ones(len(own.X)))
                for name, own in design.predictors.items()
            },
            [root_of_rows(np.asarray(f.Z)) for f in design.factors],
            self.spanning,
            ResponseFacts.of(design),
            self._agreements(),
        )

    def pieces(self, how: How) -> list[Piece]:
        """Their pieces, in the coordinates of all."""
        design = with_kept(self.design, how.kept, how.dropped)
        every = np.ones(len(self.of_row), dtype=bool)
        design = replace(design, factors=tuple(f.of(every, False) for f in design.factors))
        observations = observe_part(design, how.family, how.facts)
        design = with_parameters(design, how.family)
        density = density_of(design, how.family, observations)
        problem = how.coordinates.of_rows(design, density)
        outer = design.factors[-1]
        return split_at(problem, how.approximation, self.of_row - self.of_row.min(), outer)[0]


@dataclass(eq=False)
class Reading:
    """How the rows of a part are read.

    Attributes
    ----------
    source : PartOfRows
    recipe : PartRecipe
    family : Family
    first : int
        The first of its levels of the outermost grouping factor.
    of_level : (m,) int ndarray
        Pieces of its levels, one after another.
    n : int
        Rows that it should have.
    words : str
    """

    source: PartOfRows
    recipe: PartRecipe
    family: Family
    first: int
    of_level: np.ndarray
    n: int
    words: str

    @property
    def travels(self) -> bool:
        """Whether another process can read them."""
        return self.source.travels

    @property
    def n_pieces(self) -> int:
        """Pieces that they make."""
        return int(self.of_level[-1] - self.of_level[0]) + 1

    def rows(self) -> PartRows:
        """Read them."""
        given = self.recipe.given(self.source.collect())
        groupings = self.recipe.new.groupings
        codes = groupings[-1].codes(given)[0]
        at = self._chosen(codes, len(groupings) == 1)
        if at is not None:
            given, codes = given.take(at), codes[at]
        level = codes - self.first
        design = self.recipe.design(given, codes)
        few = [spanning_rows(np.asarray(own.X)) for own in design.predictors.values()]
        spanning = given.take(np.unique(np.concatenate(few)))
        return PartRows(design, spanning, self.of_level[level], self.family)

    def _chosen(self, codes: np.ndarray, beside: bool) -> np.ndarray | None:
        """Positions of the part's rows among those read, of a level ``beside`` each other or not.

        None if they are those read.
        """
        own = (codes >= self.first) & (codes < self.first + len(self.of_level))
        found = int(np.count_nonzero(own))
        if found != self.n:
            raise DataError(
                f"{self.words}: {found} rows were read where {self.n} had been counted; "
                "the data changed in between, or their engine orders labels in a way of its own"
            )
        at = None if found == len(codes) else np.flatnonzero(own)
        level = codes if at is None else codes[at]
        if not beside or (level[1:] >= level[:-1]).all():
            return at
        order = np.argsort(level, kind="stable")
        return order if at is None else at[order]


class Told(NamedTuple):
    """What some rows say at the optimum.

    The least and largest mean, whether each is its response, the deviance, and sums of weights,
    responses and their squares.
    """

    low: float
    high: float
    predicted: bool
    deviance: float
    sums: tuple[float, float, float]

    @classmethod
    def joined(cls, parts: Sequence[Told]) -> Told:
        """What all rows say."""
        return cls(
            min(part.low for part in parts),
            max(part.high for part in parts),
            all(part.predicted for part in parts),
            fsum(part.deviance for part in parts),
            tuple(map(fsum, zip(*(part.sums for part in parts), strict=True))),  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class ToldAt(Question):
    """What rows say at x."""

    x: np.ndarray

    def __call__(self, search: Search) -> Told:
        objective = search.objective
        density: Any = objective.problem.density
        family, eta = density.family, np.atleast_2d(objective.last_point(self.x).eta)
        zeta = eta[1:] if len(eta) > 1 else objective.split(self.x)[2]
        mu = family.mean(eta[0], zeta)
        deviance = 0.0
        if family.has_deviance:
            deviance = float(family.deviance(density.y, mu, density.weights, zeta).sum())
        return Told(
            float(mu.min()),
            float(mu.max()),
            predicts(mu, density.y),
            deviance,
            weighted_sums(density.y, density.weights),
        )
