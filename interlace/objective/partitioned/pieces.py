"""The rows of a generalised model in pieces that share no random effect.

Where all grouping factors are nested in one, its levels are independent given the parameters: the
criterion is a sum over them. A piece has some of these levels with all their rows. Pieces depend on
the rows alone, never on the number of workers: sums over them in their order are always the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from ...covariance import CovarianceModel
from ...errors import ArgumentError, listing
from ..generalised.laplace import LaplaceObjective
from ..generalised.problem import Problem
from ..generalised.quadrature import QuadratureObjective

__all__ = ["Approximation", "Piece", "Place", "outermost", "split"]

# Rows of a piece: few enough for the cache, and so many that the interpreter's part of the work,
# which threads cannot share, is small.
PIECE_ROWS = 50_000
# Pieces of few rows, so that several workers have something to do, and of many: each has its cost.
FEWEST, MOST = 8, 64


class Approximation(NamedTuple):
    """How the random effects are integrated out."""

    covariance: CovarianceModel
    expected: bool
    nodes: int
    backend: str | None

    def of(self, problem: Problem) -> LaplaceObjective:
        """The criterion of some rows."""
        if self.nodes == 1:
            return LaplaceObjective(problem, self.covariance, self.expected, self.backend)
        return QuadratureObjective(
            problem, self.covariance, self.expected, self.nodes, self.backend
        )


@dataclass(eq=False)
class Piece:
    """Some rows, all that a worker needs of them.

    ``problem`` has no Z yet, ``scale`` are the scales of its columns.
    """

    problem: Problem
    scale: list[np.ndarray]
    approximation: Approximation

    def objective(self) -> LaplaceObjective:
        """Their criterion, made where it is used."""
        problem = self.problem
        problem.Z = problem._weighted_rows(self.scale)
        return self.approximation.of(problem)

    def __getstate__(self) -> dict[str, Any]:
        # columns of one number are sent as that
        problem = self.problem.__dict__
        factors = [replace(f, Z=_brief(f.Z)) for f in problem["factors"]]
        sent = {**problem, "factors": factors, "offset": _brief(problem["offset"])}
        return {**self.__dict__, "problem": (type(self.problem), sent)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        kind, sent = state["problem"]
        factors = [replace(f, Z=_whole(f.Z)) for f in sent["factors"]]
        problem = object.__new__(kind)
        problem.__dict__.update(sent, factors=factors, offset=_whole(sent["offset"]))
        self.__dict__.update(state, problem=problem)


class _Constant(NamedTuple):
    """An array of one number, as it is sent."""

    value: float
    shape: tuple[int, ...]


def _brief(values: np.ndarray) -> Any:
    same = values.size and not any(values.strides)
    return _Constant(float(values.flat[0]), values.shape) if same else values


def _whole(values: Any) -> np.ndarray:
    return np.broadcast_to(*values) if isinstance(values, _Constant) else values


class Levels(NamedTuple):
    """Where the effects of all levels are in u."""

    n_levels: tuple[int, ...]
    widths: tuple[int, ...]

    @classmethod
    def of(cls, factors: Sequence[Any], widths: Sequence[int]) -> Levels:
        """Those of grouping factors with so many effects a level."""
        return cls(tuple(len(factor.levels) for factor in factors), tuple(widths))

    @property
    def offsets(self) -> np.ndarray:
        """Where each factor begins, and the end."""
        sizes = (n * k for n, k in zip(self.n_levels, self.widths, strict=True))
        return np.array([*accumulate(sizes, initial=0)])

    @property
    def q(self) -> int:
        """Random effects."""
        return int(self.offsets[-1])


class Place(NamedTuple):
    """Where a piece's rows, random effects and levels are among all, and words for it."""

    rows: slice | np.ndarray  # in the order of the problem
    effects: np.ndarray  # positions in u
    levels: list[np.ndarray]  # of each grouping factor
    words: str


def outermost(factors: Sequence[Any]) -> int:
    """The grouping factor, by number, that all are nested in.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    last = len(factors) - 1
    outer = factors[last]
    for factor in factors:
        if factor.known is not None:
            raise ArgumentError(
                f"executor= and partitions= need levels that are independent of each other; those "
                f"of {factor.name!r} have a known covariance. Leave both arguments out"
            )
    for factor in factors[:last]:
        owner = np.empty(len(factor.levels), dtype=np.intp)
        owner[factor.codes] = outer.codes
        if (owner[factor.codes] != outer.codes).any():
            raise ArgumentError(
                "executor= and partitions= need grouping factors that are all nested in one, so "
                f"that its levels share no random effect; here levels of {factor.name!r} are in "
                f"several of {outer.name!r}. Leave both arguments out, or one of these factors"
            )
    return last


def split(problem: Problem, approximation: Approximation) -> tuple[list[Piece], list[Place]]:
    """The pieces of a problem, and where they are in it."""
    factors = problem.factors
    outer = factors[outermost(factors)]
    ell = len(outer.levels)
    of_level = pieces_of_levels(np.bincount(outer.codes, minlength=ell))
    return split_at(problem, approximation, of_level[outer.codes], outer)


def pieces_of_levels(sizes: np.ndarray) -> np.ndarray:
    """The piece of each level of the outermost factor, (l,), by numbers of rows: neighbours."""
    n, before = int(sizes.sum()), np.cumsum(sizes) - sizes
    count = min(max(n // PIECE_ROWS, FEWEST), MOST, len(sizes))
    return np.unique(before * count // n, return_inverse=True)[1]


def split_at(
    problem: Problem, approximation: Approximation, of_row: np.ndarray, outer: Any
) -> tuple[list[Piece], list[Place]]:
    """The pieces that rows (n,) are in; ``outer`` is the outermost factor."""
    factors = problem.factors
    is_sorted = len(factors) == 1 and bool((of_row[1:] >= of_row[:-1]).all())
    rows = _rows_of_pieces(of_row, is_sorted)
    whole = Levels.of(factors, [factor.Z.shape[1] for factor in factors])
    own = [levels_of_pieces(factor, of_row, len(rows)) for factor in factors]
    pieces, places = [], []
    for i, at in enumerate(rows):
        levels = [levels[i] for levels, _ in own]
        parts = [
            replace(f, codes=place[f.codes[at]], Z=f.Z[at], levels=np.arange(of.size))
            for f, of, (_, place) in zip(factors, levels, own, strict=True)
        ]
        pieces.append(Piece(problem.part(at, parts), problem.z_scale, approximation))
        words = words_of(outer, levels[-1])
        places.append(Place(at, effects_of(whole, levels), levels, words))
    return pieces, places


def words_of(outer: Any, levels: np.ndarray) -> str:
    """Words for some levels of the outermost factor."""
    ends = outer.levels[levels[[0, -1]]].tolist()
    return f"{outer.name} {listing(map(repr, ends))}".replace(", ", " to ")


def _rows_of_pieces(of_row: np.ndarray, is_sorted: bool) -> list[Any]:
    """Rows of each piece: slices where they are side by side."""
    ends = np.cumsum(np.bincount(of_row)).tolist()
    bounds = zip([0, *ends], ends, strict=False)
    if is_sorted:
        return [slice(start, stop) for start, stop in bounds]
    order = np.argsort(of_row, kind="stable")
    return [order[start:stop] for start, stop in bounds]


def levels_of_pieces(
    factor: Any, of_row: np.ndarray, count: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Levels of a factor in each piece, and the place of every level among those of its own."""
    of_level = np.empty(len(factor.levels), dtype=np.intp)
    of_level[factor.codes] = of_row
    order = np.argsort(of_level, kind="stable")
    sizes = np.bincount(of_level, minlength=count)
    starts = np.cumsum(sizes) - sizes
    place = np.empty(order.size, dtype=np.int32)
    place[order] = np.arange(order.size) - np.repeat(starts, sizes)
    return np.split(order, starts[1:]), place


def effects_of(whole: Levels, levels: Sequence[np.ndarray]) -> np.ndarray:
    """Positions in u of the effects of some levels of each factor, in their order."""
    parts = zip(levels, whole.offsets[:-1].tolist(), whole.widths, strict=True)
    return np.concatenate(
        [(start + own[:, None] * k + np.arange(k)).ravel() for own, start, k in parts]
    )
