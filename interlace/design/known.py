"""Grouping factors whose levels have a known covariance: pedigrees, phylogenies, places.

With effects b of the levels, b ~ N(0, A x Sigma), and a root A = R R' they are b = R v with
independent rows v ~ N(0, Sigma). One group has all of v as its effects, and a row of its Z is that
of R for its level, times the covariates. R has a column for each level with rows: of the others,
b given those has the variance that their ``rest`` multiplies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DataError, listing
from ..frames.columns import Columns, Labels
from ..frames.levels import label_numbers, level_texts, recode, text_labels
from .grouping import Grouping, labels_in

if TYPE_CHECKING:
    from .matrices import NamedMatrix

__all__ = ["KnownGrouping", "KnownLevels", "known_levels"]

# Levels with rows, each a column of a dense Z; more would take minutes.
MOST_LEVELS = 3000


@dataclass(frozen=True, eq=False)
class KnownLevels:
    """Levels with a known covariance A.

    Attributes
    ----------
    text : str
        What the formula says of it: ``"cov=A"``.
    labels : (q,) ndarray
        Its levels, in the order of A, those without rows included.
    root : (q, r) float64 ndarray
        R, r the number of levels with rows, or fewer where A has a lower rank.
    rest : (q,) float64 ndarray
        Variances of the levels given those with rows; 0 for these.
    codes : (n,) int32 ndarray
        The level of each row.
    """

    text: str
    labels: np.ndarray
    root: np.ndarray
    rest: np.ndarray
    codes: np.ndarray

    @property
    def rank(self) -> int:
        """Number of columns of R."""
        return self.root.shape[1]

    def of(self, kept: np.ndarray) -> KnownLevels:
        """The same for some rows, (n,) booleans."""
        return replace(self, codes=self.codes[kept])


@dataclass(frozen=True, eq=False)
class KnownGrouping(Grouping):
    """A grouping factor with a known covariance, of which all levels of A are known.

    Attributes
    ----------
    known : KnownLevels
        Without rows.
    blocks : tuple of slice
        The covariates of each of its terms, among those of all.
    """

    known: KnownLevels
    blocks: tuple[slice, ...]

    @property
    def levels(self) -> np.ndarray:
        return self.known.labels

    def codes(self, columns: Columns) -> tuple[np.ndarray, tuple[Any, ...], bool]:
        labels_of = [labels_in(variable, columns) for variable in self.variables]
        missing = np.logical_or.reduce([labels.codes < 0 for labels in labels_of])
        labels = labels_of[0]
        if len(labels_of) > 1:
            texts = [level_texts(own.levels)[own.codes] for own in labels_of]
            labels = text_labels(self._joined(texts))
        codes, _ = recode(labels, self.known.labels)
        codes = np.where(missing, -1, codes).astype(np.int32)
        return codes, self._unseen(labels_of, (codes < 0) & ~missing), bool(missing.any())

    @property
    def width(self) -> int:
        """How many covariates its terms have."""
        return sum(block.stop - block.start for block in self.blocks)

    def expanded(self, codes: np.ndarray, Z: np.ndarray) -> KnownRows:
        """Rows of new data in the columns of v, and their rest.

        ``codes`` (r,) are those of the levels, ``Z`` (r, k) the covariates. An unknown level has
        the mean variance of the levels.
        """
        known, place = self.known, np.where(codes < 0, 0, codes)
        mean = float((np.einsum("ij,ij->i", known.root, known.root) + known.rest).mean())
        root = known.root[place]
        root[codes < 0] = 0.0
        root[codes < 0, 0] = np.sqrt(mean)
        parts = [spread(root, Z[:, block]) for block in self.blocks]
        rest = np.where(codes < 0, 0.0, known.rest[place])
        Zv = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        return KnownRows(Zv, Z * np.sqrt(rest)[:, None])


class KnownRows(NamedTuple):
    """Rows of new data: Z (r, rank k), and covariates times the root of the rest (r, k)."""

    Z: np.ndarray
    rest: np.ndarray


def spread(root: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Rows of R times each covariate, (n, r k), those of one column of R together."""
    return (root[:, :, None] * Z[:, None, :]).reshape(len(Z), -1)


def known_levels(
    grouped: Grouping, codes: np.ndarray, matrix: NamedMatrix, within: Columns
) -> KnownLevels:
    """The levels of a grouping factor in a known matrix, checked."""
    term = f"(1 | {grouped.label}, {matrix.spec.text})"
    _check_within(term, matrix.spec.within, within)
    places, absent = recode(Labels(np.arange(len(grouped.levels)), grouped.levels), matrix.labels)
    if len(absent):
        raise DataError(_absent(grouped.label, absent, matrix))
    if len(places) > MOST_LEVELS:
        raise DataError(
            f"the random term {term} has {len(places)} levels with rows, whose covariance matrix "
            f"is dense here; at most {MOST_LEVELS} are allowed"
        )
    root, rest = matrix.root(places)
    if len(codes) == len(places) == root.shape[1] and _all_alike(root[places]):
        raise DataError(
            f"{matrix.name} is a multiple of the identity for the levels of {grouped.label}, which "
            "have a row each: the variance cannot be told from the residual variance"
        )
    return KnownLevels(matrix.spec.text, matrix.labels, root, rest, places[codes])


def _all_alike(root: np.ndarray) -> bool:
    """Whether independent levels have one variance."""
    return bool(np.array_equal(root, root[0, 0] * np.eye(len(root))))


def _check_within(term: str, within: str, columns: Columns) -> None:
    """Refuse several groups of ``propto(0 + g | group, A)``."""
    column = columns.values.get(within)
    if column is None:
        return
    labels = column if isinstance(column, Labels) else label_numbers(column)
    if len(labels.used().levels) > 1:
        raise DataError(
            f"propto() has one group right of its bar, as in propto(0 + g | 1, A), and {within} "
            f"has {len(labels.used().levels)} levels; effects with a known matrix that are shared "
            f"by all rows are {term}"
        )


def _absent(label: str, absent: np.ndarray, matrix: NamedMatrix) -> str:
    levels = listing(map(repr, absent.tolist()))
    text = f"{matrix.name} has no row for {levels}, level(s) of {label} in the rows used; "
    if np.array_equal(matrix.labels, np.arange(len(matrix.labels))):
        return text + (
            "its rows are labelled 0, 1, …: give it labels, pd.DataFrame(A, index=levels, "
            "columns=levels)"
        )
    shown = listing(map(repr, matrix.labels.tolist()))
    return text + f"its levels are {shown}. Leave such rows out with subset="
