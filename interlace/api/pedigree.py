"""Additive relationships of a pedigree as a known matrix: `relationship`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..calls import checked
from ..errors import ArgumentError, DataError, TooLargeError, brief, listing
from ..frames.checks import unknown_column
from ..frames.columns import Labels
from ..frames.levels import label_numbers, level_texts
from ..frames.read import data_columns, read
from ..linalg.pedigree import (
    generations,
    inbreeding,
    inverse_relationships,
    mendelian_variances,
    relationships,
)

__all__ = ["relationship"]

COLUMNS = ("id", "sire", "dam")
# What stands for an unknown parent beside missing values, as in files of animal breeders.
UNKNOWN = ("0", "")
# Animals of a dense matrix: 3.2 GB.
MOST_DENSE = 20_000
# A Mendelian variance this near zero is zero to rounding.
NOTHING = 1e-12


@checked
def relationship(
    id: Any, sire: Any = "sire", dam: Any = "dam", data: Any = None, inverse: bool = False
) -> Any:
    """Additive relationships of a pedigree, for ``cov=`` or ``precision=`` in formulas.

    ``A[i, j]`` is twice the probability that alleles of i and j that are drawn at random are
    copies of one of an ancestor, so that effects of genes that add up have the covariance σ²A;
    ``A[i, i]`` is 1 plus the inbreeding of i (Henderson 1976).

    Parameters
    ----------
    id, sire, dam : column, or str
        The animals, each once and in any order, and their parents; a parent that is no animal of
        ``id`` has unknown parents. Unknown are None, NaN, 0 and empty texts. Arrays, lists and
        columns of any frame, or names of columns of ``data``.
    data : data frame, optional
        With the columns. ``relationship(pedigree)`` takes those named id, sire and dam.
    inverse : bool, default False
        The inverse of A as a sparse matrix, by Henderson's rules, in which an animal has entries
        with its parents and mates alone. A itself is dense, for at most 20,000 animals.

    Returns
    -------
    DataFrame, shape (n, n)
        A, with the animals as index and columns: those of ``id``, then parents not among them.
        With ``inverse`` a pair: a sparse array in scipy's CSC format, (n, n), and the animals (n,).

    Raises
    ------
    DataError
        If an animal is listed twice or is its own ancestor, or if, for the inverse, A has none.
    TooLargeError
        If A has more than 20,000 rows.

    Notes
    -----
    A parent of both sexes and selfing, where sire and dam are one, are taken as they are, as plants
    have them.

    References
    ----------
    Henderson, C. R. (1976). A simple method for computing the inverse of a numerator relationship
    matrix used in prediction of breeding values. Biometrics 32, 69-83.
    Quaas, R. L. (1976). Computing the diagonal elements and inverse of a large numerator
    relationship matrix. Biometrics 32, 949-953.

    Examples
    --------
    >>> import interlace as il
    >>> il.relationship(["a", "b", "c", "d"], [None, None, "a", "a"], [None, None, "b", "c"])
          a     b     c     d
    a  1.00  0.00  0.50  0.75
    b  0.00  1.00  0.50  0.25
    c  0.50  0.50  1.00  0.75
    d  0.75  0.25  0.75  1.25
    >>> Q, animals = il.relationship([1, 2, 3], [0, 0, 1], [0, 0, 2], inverse=True)
    >>> Q.toarray()
    array([[ 1.5,  0.5, -1. ],
           [ 0.5,  1.5, -1. ],
           [-1. , -1. ,  2. ]])
    """
    own = _pedigree(*_columns(id, sire, dam, data))
    in_order, rest = generations(own.sire, own.dam)
    if rest.size:
        raise DataError(_own_ancestor(own, rest))
    if inverse:
        D = mendelian_variances(own.sire, own.dam, inbreeding(own.sire, own.dam, in_order))
        if (D < NOTHING).any():
            child = own.labels.tolist()[int(np.argmin(D))]
            raise DataError(
                f"A has no inverse: the parents of {child!r} are wholly inbred, so that nothing of "
                "it is its own. Give A itself as cov=, which may be singular"
            )
        return inverse_relationships(own.sire, own.dam, D), own.labels
    if own.labels.size > MOST_DENSE:
        raise TooLargeError(
            f"A of {own.labels.size} animals is a dense matrix of "
            f"{8e-9 * own.labels.size**2:.0f} GB; inverse=True gives its inverse, which is sparse, "
            "for precision="
        )
    A = relationships(own.sire, own.dam, in_order)
    return pd.DataFrame(A, index=own.labels, columns=own.labels)


class _Pedigree(NamedTuple):
    """Animals (n,), and the places of their parents among them, -1 for an unknown one."""

    labels: np.ndarray
    sire: np.ndarray
    dam: np.ndarray


def _columns(id: Any, sire: Any, dam: Any, data: Any) -> tuple[Labels, ...]:
    """The three columns, each as codes of its levels."""
    if data is None and (isinstance(id, Mapping) or hasattr(id, "columns")):
        id, data = "id", id
    own: dict[str, Any] = dict(zip(COLUMNS, (id, sire, dam), strict=True))
    if data is not None:
        names = list(own.values())
        if odd := [value for value in names if not isinstance(value, str)]:
            raise ArgumentError(
                f"with data= id, sire and dam are names of its columns, got {brief(odd[0])}"
            )
        available = data_columns(data)
        for argument, name in own.items():
            if name not in available:
                raise unknown_column(name, available, f"{argument}={name!r}")
    else:
        for argument, value in own.items():
            if isinstance(value, str):
                raise ArgumentError(
                    f"{argument}={value!r} is the name of a column: give data= too, or the column"
                )
        names, data = list(COLUMNS), own
    values = read(data, names, names).values
    return tuple(
        column if isinstance(column, Labels) else label_numbers(column)
        for column in (values[name] for name in names)
    )


def _pedigree(id: Labels, sire: Labels, dam: Labels) -> _Pedigree:
    """Animals and parents in numbers, parents that are no animals added at the end."""
    texts = level_texts(id.levels)
    if (id.codes < 0).any():
        raise DataError(f"id is missing in row {int(np.argmax(id.codes < 0))}")
    if odd := [text for text in texts.tolist() if text in UNKNOWN]:
        raise DataError(f"id has {odd[0]!r}, which stands for an unknown parent; rename the animal")
    counts = np.bincount(id.codes, minlength=len(texts))
    if (counts > 1).any():
        twice = listing(map(repr, id.levels[counts > 1].tolist()))
        raise DataError(
            f"the animal(s) {twice} stand in several rows of the pedigree, which has one for each"
        )
    place = dict(zip(texts[id.codes].tolist(), range(len(id)), strict=True))
    labels = id.levels[id.codes].tolist()
    parents = []
    for column in (sire, dam):
        at = [-1] * (len(column.levels) + 1)
        used = np.unique(column.codes[column.codes >= 0])
        names = level_texts(column.levels)
        for level in used.tolist():
            text = str(names[level])
            if text not in UNKNOWN:
                if text not in place:
                    place[text] = len(labels)
                    labels.append(_like(column.levels[level], text, id.levels))
                at[level] = place[text]
        parents.append(np.array(at)[column.codes])
    founders = np.full(len(labels) - len(id), -1)
    return _Pedigree(_labels(labels), *(np.append(own, founders) for own in parents))


def _like(level: Any, text: str, levels: np.ndarray) -> Any:
    """A parent's label as those of the animals are: a number, or a text."""
    if levels.dtype.kind == "O":
        return text
    value = getattr(level, "item", lambda: level)()
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _labels(labels: list[Any]) -> np.ndarray:
    """Labels as an array of integers, or of objects."""
    if all(isinstance(label, int) for label in labels):
        return np.array(labels, dtype=np.int64)
    out = np.empty(len(labels), dtype=object)
    out[:] = labels
    return out


def _own_ancestor(own: _Pedigree, rest: np.ndarray) -> str:
    """Which animal is its own ancestor, among those without a generation."""
    left = np.zeros(own.labels.size + 1, dtype=bool)
    left[rest] = True
    seen: dict[int, int] = {}
    at = int(rest[0])
    while at not in seen:  # up through parents that are left, until one comes again
        seen[at] = len(seen)
        at = int(own.sire[at] if left[own.sire[at]] else own.dam[at])
    labels = own.labels.tolist()
    circle = [labels[i] for i, since in seen.items() if since >= seen[at]]
    if len(circle) == 1:
        return f"the animal {circle[0]!r} is its own parent"
    return (
        f"the animal {circle[0]!r} is its own ancestor: each of {listing(map(repr, circle))} is a "
        "child of the next one, the last of the first"
    )
