"""Known covariance matrices that users name in formulas, and what is refused of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.linalg as sla
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from ..errors import ArgumentError, ArgumentTypeError, DataError, brief, listing
from ..formula.formula import MatrixSpec

__all__ = ["NamedMatrix", "named_matrix"]

# Differences from symmetry below this, relative to the largest entry, are rounding.
ASYMMETRY = 1e-8
# A squared pivot of a correlation matrix this near zero is zero to rounding.
SINGULAR = 1e-10
# Eigenvalues of a correlation matrix, and shares of variances, below minus this are negative.
NEGATIVE = 1e-8
# Columns of an inverse made at once.
AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class NamedMatrix:
    """A covariance matrix of labelled levels, or its inverse.

    Attributes
    ----------
    spec : MatrixSpec
        The name, and whether the values are those of the inverse.
    labels : (q,) ndarray
    values : (q, q) ndarray or sparse array
    """

    spec: MatrixSpec
    labels: np.ndarray
    values: Any

    @property
    def name(self) -> str:
        """How messages name it."""
        return f"the matrix {self.spec.name}"

    @property
    def inverted(self) -> bool:
        """Whether it is the inverse of the covariance matrix."""
        return self.spec.argument == "precision"

    def root(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """R (q, r) and the rest (q,) of A = RR' + rest, exact in the rows and columns ``at``.

        R has as many columns as these are, or fewer where A has a lower rank.
        """
        columns = self._columns(at)
        diagonal = self._diagonal
        if not (diagonal > 0.0).all():
            level = self.labels[np.argmin(diagonal)]
            raise DataError(
                f"{self.name} has the variance {diagonal.min():g} for the level {level!r}; "
                "variances are positive"
            )
        own, size = columns[at], np.sqrt(diagonal[at])
        R = own / size[:, None] / size
        L = _cholesky(R)
        if L is not None:
            root = sla.solve_triangular(L, (columns / size).T, lower=True, check_finite=False).T
        else:
            values, vectors = np.linalg.eigh(R)
            if values[0] < -NEGATIVE * len(R):
                raise DataError(self._indefinite(values[0]))
            kept = values > SINGULAR * len(R)
            root = (columns / size) @ (vectors[:, kept] / np.sqrt(values[kept]))
        rest = diagonal - np.einsum("ij,ij->i", root, root)
        rest[at] = 0.0
        if (rest < -NEGATIVE * len(R) * diagonal).any():
            raise DataError(self._indefinite(float((rest / diagonal).min())))
        return np.ascontiguousarray(root), np.maximum(rest, 0.0)

    def _columns(self, at: np.ndarray) -> np.ndarray:
        """Some columns of A, (q, len(at))."""
        if not self.inverted:
            columns = self.values[:, at]
            return np.asarray(columns.toarray() if sp.issparse(columns) else columns, dtype=float)
        return self._solved(at)

    def _solved(self, at: np.ndarray) -> np.ndarray:
        out = np.zeros((len(self.labels), at.size))
        out[at, np.arange(at.size)] = 1.0
        return self._solve(out)

    @cached_property
    def _diagonal(self) -> np.ndarray:
        """The diagonal of A, (q,)."""
        if not self.inverted:
            return np.asarray(self.values.diagonal(), dtype=float)
        out = np.empty(len(self.labels))
        for start in range(0, out.size, AT_ONCE):
            at = np.arange(start, min(start + AT_ONCE, out.size))
            out[at] = self._solved(at)[at, np.arange(at.size)]
        return out

    @cached_property
    def _solve(self) -> Any:
        """Q^{-1} times a matrix."""
        if sp.issparse(self.values):
            Q, options = sp.csc_array(self.values), {"SymmetricMode": True}
            try:
                factor = splu(Q, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
            except RuntimeError:  # exactly singular
                raise DataError(self._no_precision()) from None
            pivots = factor.U.diagonal()
            if not (pivots > SINGULAR * np.abs(Q.diagonal()).max()).all():
                raise DataError(self._no_precision())
            return factor.solve
        scale = np.sqrt(np.maximum(np.diagonal(self.values), np.finfo(float).tiny))
        L = _cholesky(self.values / scale[:, None] / scale)
        if L is None:
            raise DataError(self._no_precision())
        return lambda B: sla.cho_solve((L, True), B / scale[:, None]) / scale[:, None]

    def _no_precision(self) -> str:
        return (
            f"{self.name} is not positive definite, and precision={self.spec.name} is the inverse "
            "of a covariance matrix. An intrinsic one (ICAR), whose rows add up to zero, has none: "
            f"add a small number to its diagonal, or give its generalised inverse as cov="
        )

    def _indefinite(self, lowest: float) -> str:
        return (
            f"{self.name} is the covariance matrix of nothing: scaled to correlations it has the "
            f"eigenvalue {lowest:.3g}, and none may be negative. Rounded entries, or values of "
            "each pair made apart, do this; take the nearest positive definite matrix"
        )


def _cholesky(R: np.ndarray) -> np.ndarray | None:
    """The lower root of a correlation matrix, or None where it is singular to rounding."""
    L, info = sla.lapack.dpotrf(R, lower=1, clean=1)
    return None if info or np.diagonal(L).min() ** 2 < SINGULAR else L


def named_matrix(spec: MatrixSpec, term: str, names: Mapping[str, Any]) -> NamedMatrix:
    """The matrix that a term names, among a user's names; checked."""
    if spec.name not in names:
        raise DataError(
            f"the random term {term} names the matrix {spec.name}, which is no variable here; give "
            f"matrices={{{spec.name!r}: matrix}}, a DataFrame with the levels as index and columns"
        )
    return checked_matrix(spec, names[spec.name])


def checked_matrix(spec: MatrixSpec, value: Any) -> NamedMatrix:
    """A user's matrix with its labels; refused where it cannot be a covariance matrix."""
    values, labels = _parts(spec, value)
    labels = _labels_of(spec, labels)
    shape = getattr(values, "shape", ())
    if shape != (len(labels), len(labels)):
        raise ArgumentError(
            f"{spec.text}: a known matrix has a row and a column for each of its {len(labels)} "
            f"labels, got shape {shape}"
        )
    if not sp.issparse(values):
        try:
            values = np.asarray(values, dtype=float)
        except (TypeError, ValueError):
            raise ArgumentTypeError(
                f"{spec.text}: a known matrix is of numbers, got {brief(value)}"
            ) from None
    entries = values.data if sp.issparse(values) else values
    if not np.isfinite(entries).all():
        raise DataError(f"{spec.text}: the matrix {spec.name} has missing or infinite entries")
    _check_symmetric(spec, values, labels)
    return NamedMatrix(spec, labels, values)


def _parts(spec: MatrixSpec, value: Any) -> tuple[Any, Any]:
    """Values and labels of what a user gives as a matrix."""
    if isinstance(value, pd.DataFrame):
        if list(value.columns) != list(value.index):
            if set(value.columns) != set(value.index):
                odd = [name for name in value.columns if name not in set(value.index)]
                raise DataError(
                    f"{spec.text}: index and columns of {spec.name} are the same levels, but "
                    f"{listing(map(repr, odd or value.index))} stand in one only"
                )
            if value.columns.is_unique and value.index.is_unique:
                value = value[value.index]
        return value.to_numpy(), value.index
    if isinstance(value, tuple) and len(value) == 2:
        values, labels = value
        if sp.issparse(values):
            return sp.csc_array(values), labels
        return values, labels
    raise ArgumentTypeError(
        f"{spec.text}: {spec.name} must say which level each row is of: a pandas DataFrame with "
        "the levels as index and columns, or a pair (matrix, levels) of an array or a scipy sparse "
        f"matrix and its levels; got {brief(value)}"
    )


def _labels_of(spec: MatrixSpec, labels: Any) -> np.ndarray:
    index = pd.Index(labels)
    if not index.is_unique:
        twice = index[index.duplicated()].unique().tolist()
        raise DataError(
            f"{spec.text}: the levels {listing(map(repr, twice))} stand twice in {spec.name}"
        )
    if index.hasnans:
        raise DataError(f"{spec.text}: a label of {spec.name} is missing")
    own = np.asarray(index)
    return own if own.dtype.kind in "iufb" else own.astype(object)


def _check_symmetric(spec: MatrixSpec, values: Any, labels: np.ndarray) -> None:
    difference = abs(values - values.T)
    if difference.max() > ASYMMETRY * abs(values).max():
        i, j = divmod(int(difference.argmax()), len(labels))
        raise DataError(
            f"{spec.text}: {spec.name} is not symmetric: {values[i, j]:g} for "
            f"({labels[i]!r}, {labels[j]!r}) and {values[j, i]:g} the other way round. A triangle "
            "alone is completed by A + A.T - np.diag(np.diag(A))"
        )
