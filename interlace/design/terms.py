"""The factors and covariates of each fixed-effects term, recorded when X is made.

Tests of terms and marginal means need the cells of a design whatever contrasts coded them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ..frames.columns import Labels, read_only

#: Variables of a product of codings, each with the number of columns that code it.
Block = Sequence[tuple[str, int]]


@dataclass(frozen=True, eq=False)
class FixedTerm:
    """A term of the fixed part.

    Attributes
    ----------
    name : str
    factors, covariates : tuple of str
        Its categorical and its numeric variables.
    components : (width,) int ndarray
        By column of X that belongs to the term: the column of the product of the covariates that
        it has, multiplied by the coding of some cell.
    """

    name: str
    factors: tuple[str, ...]
    covariates: tuple[str, ...]
    components: np.ndarray

    @property
    def variables(self) -> frozenset[str]:
        """Factors and covariates."""
        return frozenset(self.factors + self.covariates)


@dataclass(frozen=True, eq=False)
class FixedTerms:
    """The terms of a fixed part in the order of their columns, and its factors by name."""

    terms: tuple[FixedTerm, ...]
    factors: Mapping[str, Labels]

    @property
    def slices(self) -> tuple[tuple[str, slice], ...]:
        """Each term with its columns of X."""
        ends = np.cumsum([len(term.components) for term in self.terms]).tolist()
        starts = [0, *ends][:-1]
        return tuple((t.name, slice(*at)) for t, *at in zip(self.terms, starts, ends, strict=True))

    def keep(self, kept: np.ndarray) -> FixedTerms:
        """The terms of an X with only the columns at the positions `kept`."""
        terms = []
        for term, (_, at) in zip(self.terms, self.slices, strict=True):
            own = kept[(kept >= at.start) & (kept < at.stop)] - at.start
            terms.append(FixedTerm(term.name, term.factors, term.covariates, term.components[own]))
        return FixedTerms(tuple(terms), self.factors)

    def without(self, name: str) -> FixedTerms:
        """The terms but for one that has no columns."""
        return FixedTerms(tuple(t for t in self.terms if t.name != name), self.factors)

    def codings(self, X: np.ndarray) -> list[TermCoding]:
        """The terms that have columns, row by row."""
        return [
            TermCoding(
                term.name,
                term.factors,
                frozenset(term.covariates),
                tuple(self.factors[name].codes for name in term.factors),
                tuple(len(self.factors[name].levels) for name in term.factors),
                self._values(X, term.covariates),
            )
            for term in self.terms
            if len(term.components)
        ]

    def _values(self, X: np.ndarray, covariates: tuple[str, ...]) -> np.ndarray:
        """Product of covariates, (n, c): from a term without factors, or summed over cells."""
        if not covariates:
            return np.ones((len(X), 1))
        candidates = [
            (len(term.factors), term.name, at, term.components)
            for term, (_, at) in zip(self.terms, self.slices, strict=True)
            if set(term.covariates) == set(covariates) and len(term.components)
        ]
        _, _, at, components = min(candidates, key=lambda candidate: candidate[:2])
        return np.column_stack(
            [X[:, at][:, components == which].sum(axis=1) for which in np.unique(components)]
        )


@dataclass(frozen=True, eq=False)
class TermCoding:
    """A fixed-effects term as factors times covariates, row by row.

    Attributes
    ----------
    name : str
    factors : tuple of str
        Categorical variables.
    covariates : frozenset of str
        Numeric variables.
    codes : tuple of ndarray, shape (n,)
        Level of each factor.
    n_levels : tuple of int
    values : ndarray, shape (n, c)
        Product of the covariates; ones without any.
    """

    name: str
    factors: tuple[str, ...]
    covariates: frozenset[str]
    codes: tuple[np.ndarray, ...]
    n_levels: tuple[int, ...]
    values: np.ndarray

    def contains(self, other: TermCoding) -> bool:
        """Same covariates, and all of the other's factors and more."""
        return self.covariates == other.covariates and set(self.factors) > set(other.factors)


def fixed_term(
    name: str, variables: Iterable[str], blocks: Iterable[Block], factors: Container[str]
) -> FixedTerm:
    """Record a term from its products of codings, whose first variable varies fastest."""
    variables = tuple(variables)
    covariates = tuple(v for v in variables if v not in factors)
    parts = [_components(block, covariates) for block in blocks]
    return FixedTerm(
        name,
        tuple(v for v in variables if v in factors),
        covariates,
        read_only(
            parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype=np.intp), *parts])
        ),
    )


def _components(block: Block, covariates: tuple[str, ...]) -> np.ndarray:
    shape = tuple(width for _, width in block)
    if not any(variable in covariates for variable, _ in block):
        return np.zeros(prod(shape), dtype=np.intp)
    if len(block) == 1:
        return np.arange(shape[0], dtype=np.intp)
    places = np.unravel_index(np.arange(prod(shape)), shape, order="F")
    out = np.zeros(prod(shape), dtype=np.intp)
    for (variable, width), place in zip(block, places, strict=True):
        if variable in covariates:
            out = out * width + place
    return out
