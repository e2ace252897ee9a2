"""Derivatives of the templates T_b in the parameters x of a search.

Of each parameter i there is one matrix dT_i, in the template of one grouping factor. A criterion
with derivatives P_b in the templates, and the curvature 2 tr(dT_i'N_b dT_j) in them, has

    gradient   <P_b, dT_i>
    curvature  2 tr(dT_i'N_b dT_j) + <P_b, d2T_ij>

and a covariance T T' changes by D_i = dT_i T' + T dT_i'. Where parameters are entries of T the dT_i
are units, and nothing of this is multiplied out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from ..covariance import CovarianceModel, CovarianceTerm
from ..linalg.wide import product

__all__ = ["Directions", "EntryDirections", "PatternDirections"]


class Directions(ABC):
    """The dT_i at one x.

    Parameters
    ----------
    factor : ndarray of int, shape (n,)
        Grouping factor of each parameter.
    n_factors : int
    """

    def __init__(self, factor: np.ndarray, n_factors: int) -> None:
        self.factor = factor
        #: The places of each grouping factor's parameters in x.
        self.places = [np.flatnonzero(factor == b) for b in range(n_factors)]
        places = np.concatenate(self.places)
        # from parameters sorted by factor to the order of x
        self._order = None if (places == np.arange(places.size)).all() else np.argsort(places)

    def in_order(self, values: np.ndarray) -> np.ndarray:
        """Values (n, …) of parameters sorted by factor in the order of x."""
        return values if self._order is None else values[self._order]

    def matrix_in_order(self, matrix: np.ndarray) -> np.ndarray:
        """A matrix (n, n) over parameters sorted by factor in the order of x."""
        return matrix if self._order is None else matrix[self._order[:, None], self._order]

    @abstractmethod
    def gradient(self, P: Sequence[np.ndarray]) -> np.ndarray:
        """<P_b, dT_i>, (n,), of derivatives P_b (k_b, k_b) in the templates."""

    @abstractmethod
    def curvature(self, N: Sequence[np.ndarray], P: Sequence[np.ndarray]) -> np.ndarray:
        """2 tr(dT_i'N_b dT_j) + <P_b, d2T_ij>, (n, n)."""

    @abstractmethod
    def changes(self, T: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The D_i at templates T, (n_b, k_b, k_b) for each grouping factor."""

    @abstractmethod
    def matrices(self) -> Iterator[tuple[int, np.ndarray]]:
        """Grouping factor and dT_i (k_b, k_b) of each parameter, in the order of x."""


class EntryDirections(Directions):
    """Parameters that are entries of the templates."""

    def __init__(self, covariance: CovarianceModel) -> None:
        super().__init__(covariance.factor, len(covariance.widths))
        self.covariance = covariance

    def gradient(self, P: Sequence[np.ndarray]) -> np.ndarray:
        return reached_entries(self.covariance, P)

    def curvature(self, N: Sequence[np.ndarray], P: Sequence[np.ndarray]) -> np.ndarray:
        cov = self.covariance
        out = np.zeros((cov.factor.size, cov.factor.size))
        for b, at in enumerate(cov.entries_of):
            i, j = cov.row[at], cov.col[at]
            # entries (i, j), (i', j) of one column j have N_b[i, i']
            out[at[:, None], at] = 2.0 * N[b][i[:, None], i] * (j[:, None] == j)
        return out

    def changes(self, T: Sequence[np.ndarray]) -> list[np.ndarray]:
        out = []
        cov = self.covariance
        for b, entries in enumerate(cov.entries_of):
            i, j = cov.row[entries], cov.col[entries]
            D = np.zeros((entries.size, *T[b].shape))
            D[np.arange(entries.size), i] = T[b].T[j]
            out.append(D + D.transpose(0, 2, 1))
        return out

    def matrices(self) -> Iterator[tuple[int, np.ndarray]]:
        cov = self.covariance
        for b, i, j in zip(cov.factor, cov.row, cov.col, strict=True):
            unit = np.zeros((cov.widths[b],) * 2)
            unit[i, j] = 1.0
            yield int(b), unit


class PatternDirections(Directions):
    """Parameters of any structures at x, rows of the templates multiplied by ``rows`` (k_b,)."""

    def __init__(
        self, covariance: CovarianceModel, x: np.ndarray, rows: Sequence[np.ndarray]
    ) -> None:
        super().__init__(covariance.theta_factor, len(covariance.widths))
        self.covariance, self.x, self.rows = covariance, x, rows
        self._dT = [
            np.zeros((places.size, k, k))
            for places, k in zip(self.places, covariance.widths, strict=True)
        ]
        for term, own, (i, j) in self._terms():
            b, s = term.factor, term.structure
            first = int(np.searchsorted(self.places[b], own.start))
            here = np.arange(first, first + s.n_theta)
            J = s.jacobian(x[own]) * rows[b][i, None]
            self._dT[b][here[:, None], i, j] = J.T

    def _terms(self) -> Iterator[tuple[CovarianceTerm, slice, tuple[np.ndarray, np.ndarray]]]:
        """Each term, its places in x and the entries of its factor's template."""
        cov = self.covariance
        return zip(cov.terms, cov.theta_slices, cov.entries, strict=True)

    def gradient(self, P: Sequence[np.ndarray]) -> np.ndarray:
        parts = zip(self._dT, P, strict=False)
        return self.in_order(np.concatenate([np.tensordot(dT, p, axes=2) for dT, p in parts]))

    def curvature(self, N: Sequence[np.ndarray], P: Sequence[np.ndarray]) -> np.ndarray:
        out = np.zeros((self.x.size, self.x.size))
        for dT, n, places in zip(self._dT, N, self.places, strict=False):
            count = len(dT)
            products = dT.reshape(count, -1) @ product(n, dT).reshape(count, -1).T
            out[places[:, None], places] = products + products.T
        for term, own, (i, j) in self._terms():
            if not term.structure.identity:
                weights = P[term.factor][i, j] * self.rows[term.factor][i]
                out[own, own] += term.structure.second(self.x[own], weights)
        return out

    def changes(self, T: Sequence[np.ndarray]) -> list[np.ndarray]:
        halves = [product(dT, t.T) for dT, t in zip(self._dT, T, strict=False)]
        return [half + half.transpose(0, 2, 1) for half in halves]

    def matrices(self) -> Iterator[tuple[int, np.ndarray]]:
        for place, b in enumerate(self.factor):
            yield int(b), self._dT[b][np.searchsorted(self.places[b], place)]


def reached_entries(cov: CovarianceModel, templates: Sequence[np.ndarray]) -> np.ndarray:
    """The entries of matrices (k_b, k_b) that theta reaches in templates, in its order."""
    out = np.empty(cov.factor.size)
    for b, at in enumerate(cov.entries_of):
        out[at] = templates[b][cov.row[at], cov.col[at]]
    return out
