"""theta of a model with a long series as the optimisers see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...covariance import CovarianceModel
from ..theta_scale import CHANGE_STEP, SNAP_TOLERANCE, ThetaScale
from .series_design import SeriesPlaces

__all__ = ["Place", "SeriesScale"]

Place = tuple[np.ndarray, list[np.ndarray]]  # theta of the series, templates of the tail


class SeriesScale(ThetaScale):
    """theta <-> x: parameters of the series as they are, the others as for a model without it.

    ``parts`` say which are which, ``z_roots`` are those of the tail's grouping factors; standard
    deviations of the series are multiplied by ``size``.
    """

    def __init__(
        self,
        covariance: CovarianceModel,
        parts: SeriesPlaces,
        z_roots: Sequence[np.ndarray],
        size: float = 1.0,
    ) -> None:
        self.covariance, self.units = covariance, None
        self.series = covariance.theta_slices[parts.term]
        self.rest = np.delete(np.arange(covariance.n_theta), self.series)
        self.tail = None if parts.tail is None else ThetaScale(parts.tail, z_roots)
        self._structure, self._chains = parts.chains.structure, parts.chains
        self._term, self._places, self._shares = parts.term, parts.places, parts.shares
        self._size = np.append(np.full(self._chains.n_theta - 1, size), 1.0)

    def _with(self, x: np.ndarray, change: Callable[[ThetaScale, np.ndarray], Any]) -> np.ndarray:
        """x with the parameters of the tail changed."""
        out = np.array(x, dtype=float)
        if self.tail is not None:
            out[self.rest] = change(self.tail, out[self.rest])
        return out

    def theta(self, x: np.ndarray) -> np.ndarray:
        out = self._with(x, ThetaScale.theta)
        out[self.series] /= self._size
        return out

    def x(self, theta: np.ndarray) -> np.ndarray:
        out = self._with(theta, ThetaScale.x)
        out[self.series] *= self._size
        return out

    def standard(self, x: np.ndarray) -> np.ndarray:
        return self._with(x, ThetaScale.standard)

    def canonical(self, x: np.ndarray) -> np.ndarray:
        out = self._with(x, ThetaScale.canonical)
        out[self.series] = self._structure.canonical(out[self.series])
        return x if np.array_equal(out, x) else out

    def snap(self, x: np.ndarray) -> np.ndarray:
        out = self.covariance.snapped(x, SNAP_TOLERANCE)
        return x if np.array_equal(out, x) else out

    def place(self, x: np.ndarray) -> Place:
        """theta of the series and templates of the tail."""
        tail = [] if self.tail is None else self.tail.templates(x[self.rest])
        return x[self.series], tail

    def templates(self, x: np.ndarray) -> list[np.ndarray]:
        cov, theta = self.covariance, self.theta(x)
        out = [np.zeros((k, k)) for k in cov.widths]
        for term, own in zip(cov.terms, cov.theta_slices, strict=True):
            out[term.factor][term.columns, term.columns] = term.structure.template(theta[own])
        return out

    def sizes(self, x: np.ndarray) -> list[np.ndarray]:
        cov = self.covariance
        term = cov.terms[self._term]
        out = [np.zeros(k) for k in cov.widths]
        out[term.factor][term.columns] = x[self.series][:-1] * self._shares
        if self.tail is not None:
            for (b, own), sizes in zip(self._places, self.tail.sizes(x[self.rest]), strict=True):
                out[b][own] = sizes
        return out

    def natural(self, templates: Any) -> tuple[np.ndarray, ...]:
        return tuple(templates)

    def start(self, variances: np.ndarray) -> np.ndarray:
        out = np.array(self.covariance.start())
        own = self._structure.start()
        own[:-1] = np.sqrt(variances[0])
        out[self.series] = own
        if self.tail is not None:
            width = sum(self.tail.covariance.widths)
            out[self.rest] = self.tail.start(variances[1 : 1 + width])
        return out

    def null_directions(self, x: np.ndarray) -> list[str]:
        return self.covariance.null_directions(self.standard(x))

    def changes(self, x: np.ndarray, directions: np.ndarray) -> np.ndarray:
        tail = directions[self.rest]
        if self.tail is None:
            other = np.zeros((0, directions.shape[1]))
        else:
            other = self.tail.changes(x[self.rest], tail)
        step = CHANGE_STEP * directions[self.series]
        here, lags = x[self.series], self._chains.lags
        ends = [lags(here + d) - lags(here - d) for d in step.T]
        own = np.array(ends).T.reshape(-1, directions.shape[1]) / (2.0 * CHANGE_STEP)
        return np.concatenate([own, other])
