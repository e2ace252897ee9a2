"""A design one of whose terms is a series, as the series' effects beside a tail of other terms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...covariance import CovarianceModel
from ...covariance.chains import Chains
from ...design.design import Design, GroupingFactor
from ...design.indicators import IndexedColumns
from ...errors import NumericalError
from ...linalg.crossproducts.linear import CrossProducts, cross_products
from .design_products import free_columns, linear_rows

__all__ = [
    "SeriesLayout",
    "SeriesParts",
    "SeriesPlaces",
    "check_dense",
    "series_layout",
    "series_parts",
    "series_term",
    "with_effects",
]

# Levels times the cube of their effects: beyond it the same model with dense templates takes long.
MOST_WORK = 2_000_000_000
# A table of all pairs of level and time is looked up if it has so many entries for each row.
TABLE_SHARE = 8


@dataclass(frozen=True, eq=False)
class SeriesPlaces(ABC):
    """The effects of the series at their observed times, and where the tail is.

    Attributes
    ----------
    term : int
        The series among the terms of the model.
    chains : Chains
    tail : CovarianceModel or None
        The other terms.
    places : list of (factor, columns)
        For each grouping factor of the tail the one of the design and its columns there.
    """

    term: int
    chains: Chains
    tail: CovarianceModel | None
    places: list[tuple[int, np.ndarray]]

    @property
    def n_effects(self) -> int:
        """Number of effects at observed times."""
        return self.chains.column.size

    @property
    @abstractmethod
    def rows(self) -> np.ndarray:
        """Rows of each effect, or their weights, (n_1,)."""

    @property
    def shares(self) -> np.ndarray:
        """Root mean square of the indicator of each time, (k,)."""
        counts = np.bincount(self.chains.column, self.rows, self.chains.structure.k)
        return np.sqrt(counts / counts.sum())

    def by_factor(
        self,
        covariance: CovarianceModel,
        n_levels: Sequence[int],
        series: np.ndarray,
        tail: Sequence[np.ndarray],
    ) -> list[np.ndarray]:
        """Effects of the grouping factors of a design, (l_b, k_b, ...) each.

        Of the series at all times, (l, k, ...), and of each grouping factor of the tail.
        """
        term, more = covariance.terms[self.term], series.shape[2:]
        out = [np.zeros((n, k, *more)) for n, k in zip(n_levels, covariance.widths, strict=True)]
        out[term.factor][:, term.columns] = series
        for (b, own), effects in zip(self.places, tail, strict=True):
            out[b][:, own] = effects
        return out


@dataclass(frozen=True, eq=False)
class SeriesParts(SeriesPlaces):
    """The effects of the series and the tail in sums over the rows.

    Attributes
    ----------
    cross : CrossProducts
        Of the effects as the first grouping factor and of the tail.
    """

    cross: CrossProducts

    @property
    def rows(self) -> np.ndarray:
        return self.cross.z.diagonal[0][:, 0, 0] * float(self.cross.z_roots[0][0, 0]) ** 2


@dataclass(frozen=True, eq=False)
class SeriesLayout(SeriesPlaces):
    """The effects of the series at their observed times as levels of a grouping factor.

    Attributes
    ----------
    codes : (n,) int32 ndarray
        The effect of each row.
    """

    codes: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        return np.bincount(self.codes, minlength=self.n_effects)


def series_term(design, covariance: CovarianceModel) -> int | None:
    """The term that is a series, where it is the only one and each row has one of its times."""
    places = [i for i, t in enumerate(covariance.terms) if t.structure.chain is not None]
    if len(places) != 1:
        return None
    term = covariance.terms[places[0]]
    columns = design.factors[term.factor].Z[:, term.columns]
    return places[0] if isinstance(columns, IndexedColumns) else None


def series_layout(design, covariance: CovarianceModel, at: int) -> SeriesLayout:
    """The effects and the tail of a design whose term ``at`` is a series."""
    term = covariance.terms[at]
    factor, structure = design.factors[term.factor], term.structure
    effects, codes = _effects(factor.codes, factor.Z[:, term.columns].place, structure.k)
    level, of = np.divmod(effects, structure.k)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(level)) + 1, [level.size]])
    chains = Chains(structure, of, starts.astype(np.int64))
    places = _tail_places(covariance, at)
    return SeriesLayout(at, chains, _tail_model(covariance, at, places), places, codes)


def series_parts(design, covariance: CovarianceModel, at: int) -> SeriesParts:
    """The parts of a design whose term ``at`` is a series."""
    layout = series_layout(design, covariance, at)
    codes, places = layout.codes, layout.places
    rows = linear_rows(design, dense=False)
    free = [free_columns(design, b) for b in range(len(design.factors))]
    rows = replace(
        rows,
        codes=(codes, *(rows.codes[b] for b, _ in places)),
        n_levels=(layout.n_effects, *(rows.n_levels[b] for b, _ in places)),
        Z=(
            np.broadcast_to(np.float64(1.0), (codes.size, 1)),
            *(np.ascontiguousarray(design.factors[b].Z[:, own]) for b, own in places),
        ),
        free=((), *(_moved(free[b], own) for b, own in places)),
    )
    cross = cross_products(rows)
    return SeriesParts(at, layout.chains, layout.tail, places, cross)


def with_effects(design: Design, layout: SeriesLayout) -> Design:
    """The design with the effects of the series as levels of its first grouping factor."""
    series = design.terms[layout.term]
    old = design.factors[series.factor]
    one = np.broadcast_to(np.float64(1.0), (layout.codes.size, 1))
    of = old.predictor[series.columns][:1]
    factors = [GroupingFactor(old.name, np.arange(layout.n_effects), layout.codes, one, of)]
    terms = [replace(series, factor=0, columns=slice(0, 1), names=series.names[:1], structure="us")]
    for b, own in layout.places:
        factor = design.factors[b]
        if own.size < factor.Z.shape[1]:
            Z = np.ascontiguousarray(factor.Z[:, own])
            factor = replace(factor, Z=Z, predictor=factor.predictor[own])
        here = [t for i, t in enumerate(design.terms) if t.factor == b and i != layout.term]
        moved = [replace(t, columns=_moved([t.columns], own)[0]) for t in here]
        terms += [replace(t, factor=len(factors)) for t in moved]
        factors.append(factor)
    return replace(design, factors=tuple(factors), terms=tuple(terms))


def check_dense(n_levels: Sequence[int], widths: Sequence[int]) -> None:
    """Refuse the dense templates of series that are too long for them."""
    if sum(n * k**3 for n, k in zip(n_levels, widths, strict=True)) > MOST_WORK:
        raise NumericalError(
            f"this needs the covariances of all {max(widths)} times of a series with each other, "
            "in each of its groups, which takes too long and too much memory. Tests, intervals, "
            "predictions with standard errors, conditional modes with theirs, simulations and "
            "refits do without; for the rest fit fewer times"
        )


def _effects(codes: np.ndarray, column: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of level and time that occur, as level k + time, and which of them each row has."""
    key = codes.astype(np.int64) * k + column
    size = (int(codes.max()) + 1) * k
    if size > TABLE_SHARE * key.size:
        effects, of = np.unique(key, return_inverse=True)
        return effects, of.astype(np.int32)
    present = np.zeros(size, dtype=bool)
    present[key] = True
    return np.flatnonzero(present), (np.cumsum(present, dtype=np.int32) - 1)[key]


def _tail_places(covariance: CovarianceModel, at: int) -> list[tuple[int, np.ndarray]]:
    """Grouping factors with columns that are not the series', and these columns."""
    series = covariance.terms[at]
    out = []
    for b, k in enumerate(covariance.widths):
        own = np.arange(k)
        own = np.delete(own, series.columns) if b == series.factor else own
        if own.size:
            out.append((b, own))
    return out


def _moved(columns: list[slice], own: np.ndarray) -> list[slice]:
    """Slices of the columns of a factor as slices among some of them."""
    place = {int(j): i for i, j in enumerate(own)}
    return [slice(place[s.start], place[s.start] + s.stop - s.start) for s in columns]


def _tail_model(
    covariance: CovarianceModel, at: int, places: list[tuple[int, np.ndarray]]
) -> CovarianceModel | None:
    if not places:
        return None
    new = {b: i for i, (b, _) in enumerate(places)}
    terms = [
        replace(t, factor=new[t.factor], columns=_moved([t.columns], places[new[t.factor]][1])[0])
        for i, t in enumerate(covariance.terms)
        if i != at
    ]
    names = [covariance.group_names[b] for b, _ in places]
    return CovarianceModel(terms, [own.size for _, own in places], names)
