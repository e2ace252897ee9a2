"""Which factors and covariates each fixed-effects term is made of, row by row.

Tests of terms need the cells of a design whatever contrasts coded them. They are read off the
columns of X: a factor's rows take as many distinct values as it has levels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..formula.tokens import split_outside


@dataclass(frozen=True, eq=False)
class TermCoding:
    """A fixed-effects term as factors times covariates.

    Attributes
    ----------
    name : str
    factors : tuple of str
        Categorical variables.
    covariates : frozenset of str
        Numeric variables.
    codes : tuple of ndarray, shape (n,)
        Level of each factor; 0 is the reference level under treatment contrasts.
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


def split_interaction(name: str) -> list[str]:
    """The variables of ``a:b``: split at colons outside brackets and quotes.

    Parameters
    ----------
    name : str

    Returns
    -------
    list of str

    Examples
    --------
    >>> from interlace.inference.coding import split_interaction
    >>> split_interaction("a[T.x:y]:poly(z, 2)[1]")
    ['a[T.x:y]', 'poly(z, 2)[1]']
    """
    return split_outside(name, ":")


def decode(design) -> list[TermCoding]:
    """The terms of the fixed part, the intercept included.

    Parameters
    ----------
    design : Design

    Returns
    -------
    list of TermCoding

    Raises
    ------
    ArgumentError
        If a factor's levels cannot be told from the columns of X.
    """
    return _Decoder(design).terms()


class _Decoder:
    """Reads X: variables of each term, their kinds, levels and values."""

    def __init__(self, design) -> None:
        self.X = design.X
        self.recipe = design.recipe
        self.names = design.x_names
        fixed = getattr(self.recipe, "fixed", None)
        self.logicals: frozenset[str] = getattr(fixed, "logicals", frozenset())
        self.slices = {n: s for n, s in design.x_terms if s.stop > s.start}
        self.variables = {n: [] if n == "Intercept" else split_interaction(n) for n in self.slices}
        self.n = design.X.shape[0]
        every = dict.fromkeys(v for vs in self.variables.values() for v in vs)
        self.levels: dict[str, tuple[np.ndarray, int]] = {}
        for variable in every:
            found = self._levels_of(variable)
            if found is not None:
                self.levels[variable] = found

    def terms(self) -> list[TermCoding]:
        out = []
        for name, variables in self.variables.items():
            factors = tuple(v for v in variables if v in self.levels)
            covariates = frozenset(v for v in variables if v not in self.levels)
            codes = tuple(self.levels[v][0] for v in factors)
            counts = tuple(self.levels[v][1] for v in factors)
            values = self._values(covariates)
            out.append(TermCoding(name, factors, covariates, codes, counts, values))
        return out

    def _label(self, column: int, variable: str) -> str | None:
        """What follows the variable in its part of a column's name."""
        for part in split_interaction(self.names[column]):
            if part == variable:
                return ""
            if part.startswith(variable + "[") and part.endswith("]"):
                return part[len(variable) :]
        return None

    def _levels_of(self, variable: str) -> tuple[np.ndarray, int] | None:
        """Codes and number of levels, or None for a covariate."""
        if variable in self.slices:
            where = self.slices[variable]
            columns = self.X[:, where]
            if variable in self.logicals and columns.shape[1] == 1:
                return columns[:, 0].astype(int), 2
            labels = [self._label(j, variable) for j in range(len(self.names))[where]]
            if not all(labels):
                return None
            distinct, codes = np.unique(columns, axis=0, return_inverse=True)
            # A contrast matrix of k levels has k distinct rows in k - 1 columns (k without an
            # intercept); a basis of a covariate has as many as there are values.
            if len(distinct) > columns.shape[1] + 1 or _is_basis(variable, labels):
                return None
            return self._rank(variable, distinct)[codes.ravel()], len(distinct)
        found = dict.fromkeys(
            label
            for name, variables in self.variables.items()
            if variable in variables
            for j in range(len(self.names))[self.slices[name]]
            if (label := self._label(j, variable)) is not None
        )
        if not all(found) or _is_basis(variable, list(found)):
            return None
        return self._from_indicators(variable, list(found))

    def _rank(self, variable: str, distinct: np.ndarray) -> np.ndarray:
        """Order of the factor's levels, from the distinct rows that code them."""
        matrix = self._contrasts(variable, distinct.shape[1])
        if matrix is not None:
            place = [np.abs(matrix - row).max(axis=1).argmin() for row in distinct]
            return np.argsort(np.argsort(place))
        first = np.flatnonzero(~distinct.any(axis=1))
        rank = np.arange(len(distinct))
        return (rank - first[0]) % len(distinct) if first.size else rank

    def _contrasts(self, variable: str, width: int) -> np.ndarray | None:
        """The contrast matrix, a row per level in order, where the design still has it."""
        codings = getattr(getattr(self.recipe, "fixed", None), "codings", {})
        if variable not in codings:
            return None
        coding = codings[variable]
        found = [m for m in (coding.reduced, coding.full) if m is not None and m.shape[1] == width]
        return found[0] if found else None

    def _from_indicators(self, variable: str, labels: list[str]) -> tuple[np.ndarray, int]:
        codes = np.full(self.n, -1)
        for code, label in enumerate(labels):
            columns = [j for j in range(len(self.names)) if self._label(j, variable) == label]
            inside = np.any(self.X[:, columns] != 0.0, axis=1)
            if np.any(codes[inside] >= 0):
                raise ArgumentError(
                    f"the levels of {variable!r} cannot be told from the model matrix: it has no "
                    "main effect and is not coded by indicators. Add the main effect, or use "
                    "type='I' or t_test()"
                )
            codes[inside] = code
        if np.any(codes < 0):
            return codes + 1, len(labels) + 1
        return codes, len(labels)

    def _values(self, covariates: frozenset[str]) -> np.ndarray:
        """Product of covariates, (n, c): from a term without factors, or summed over cells."""
        if not covariates:
            return np.ones((self.n, 1))
        candidates = [
            (sum(v in self.levels for v in variables), name)
            for name, variables in self.variables.items()
            if covariates == {v for v in variables if v not in self.levels}
        ]
        name = min(candidates)[1]
        sums: dict[tuple, np.ndarray] = {}
        for j in range(len(self.names))[self.slices[name]]:
            key = tuple(self._label(j, v) for v in sorted(covariates))
            sums[key] = sums.get(key, 0.0) + self.X[:, j]
        return np.column_stack(list(sums.values()))


def _is_basis(variable: str, labels: Sequence[str | None]) -> bool:
    """Numbered columns of a function other than those that make factors: poly, bs and the like."""
    call = re.match(r"([A-Za-z_][\w.]*)\s*\(", variable)
    makes_factor = call is None or call[1] in ("C", "factor", "as.factor")
    numbered = all(label and re.fullmatch(r"\[\d+\]", label) for label in labels)
    return numbered and not makes_factor
