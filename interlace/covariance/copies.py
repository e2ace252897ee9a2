"""Effects that stand beside each other several times, independent, with one covariance."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .readings import Reading
from .structures import Structure

__all__ = ["Copies"]


class Copies(Structure):
    """T = I x T_1, T_1 the template of one structure; the effects of a copy stand together.

    Parameters
    ----------
    of : Structure
        Of the effects of one copy, with all parameters.
    count : int
        Number of copies.
    """

    def __init__(self, of: Structure, count: int) -> None:
        self.of, self.count = of, count
        self.name, self.correlated = of.name, of.correlated
        self.k, self.n_theta = of.k * count, of.n_theta

    @cached_property
    def deviations(self) -> np.ndarray:  # type: ignore[override]
        """The standard deviation of each row: those of one copy, or its effects."""
        own = np.arange(self.of.k) if self.of.deviations is None else self.of.deviations
        return np.tile(own, self.count)

    @property
    def scaled_with(self) -> np.ndarray:
        if self.of.deviations is not None:
            return self.of.scaled_with
        return self.of.rows

    @cached_property
    def rows(self) -> np.ndarray:  # type: ignore[override]
        return self._placed(self.of.rows)

    @cached_property
    def cols(self) -> np.ndarray:  # type: ignore[override]
        return self._placed(self.of.cols)

    def _placed(self, own: np.ndarray) -> np.ndarray:
        return (self.of.k * np.arange(self.count)[:, None] + own).ravel()

    @property
    def one_signed(self) -> np.ndarray:
        return self.of.one_signed

    def values(self, theta: np.ndarray) -> np.ndarray:
        return np.tile(self.of.values(theta), self.count)

    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        return np.tile(self.of.jacobian(theta), (self.count, 1))

    def second(self, theta: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return self.of.second(theta, weights.reshape(self.count, -1).sum(axis=0))

    def start(self) -> np.ndarray:
        return self.of.start()

    def started(self, sd: np.ndarray) -> np.ndarray:
        return self.of.started(np.sqrt((sd * sd).reshape(self.count, -1).mean(axis=0)))

    def lower_bounds(self) -> np.ndarray:
        return self.of.lower_bounds()

    def theta_names(self, names: tuple[str, ...]) -> list[str]:
        return self.of.theta_names(names)

    def canonical(self, theta: np.ndarray) -> np.ndarray:
        return self.of.canonical(theta)

    def snapped(self, theta: np.ndarray, tolerance: float) -> np.ndarray:
        return self.of.snapped(theta, tolerance)

    def boundary(
        self, theta: np.ndarray, shown: np.ndarray, names: tuple[str, ...], tolerance: float
    ) -> str:
        return self.of.boundary(theta, shown, names, tolerance)

    def readings(self, names: tuple[str, ...]) -> list[Reading]:
        return self.of.readings(names)

    def read(self, theta: np.ndarray) -> np.ndarray:
        return self.of.read(theta)

    def of_readings(self, values: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return self.of.of_readings(values, theta)

    def places(self, row: int) -> np.ndarray:
        return self.of.places(row)

    @property
    def one(self) -> Structure:
        return self.of
