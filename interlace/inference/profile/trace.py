"""The profile of one parameter: points, splines of zeta both ways, limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .parameters import Parameter
from .target import Scale

__all__ = ["Trace"]

# Halvings that bring a coordinate within rounding of where the spline has a value.
HALVINGS = 60
# Relative error of a coordinate made from a value.
ROUNDING = 8.0 * np.finfo(float).eps


@dataclass(frozen=True, eq=False)
class Trace:
    """The profile of one parameter.

    Attributes
    ----------
    parameter : Parameter
    scale : Scale
        From its coordinate to its values.
    at, zeta, slope : ndarray, shape (m,)
        Coordinate, increasing, zeta there and its derivative in the coordinate.
    others : ndarray, shape (m, n_parameters)
        Values of all parameters.
    ends : tuple of str
        Why it goes no further down, and up: "" for the cutoff, "bound", "level" or "short".
    """

    parameter: Parameter
    scale: Scale
    at: np.ndarray
    zeta: np.ndarray
    slope: np.ndarray
    others: np.ndarray
    ends: tuple[str, str]

    @property
    def values(self) -> np.ndarray:
        """The parameter at the points, (m,)."""
        return self.scale.value(self.at)

    def zeta_at(self, values: Any) -> np.ndarray:
        """zeta at values of the parameter; NaN beyond the points."""
        return self.spline(self.scale.coordinate(values))[0]

    def value_at(self, zeta: Any) -> np.ndarray:
        """Values of the parameter at which zeta is what is given; NaN beyond the points."""
        return self.scale.value(self._inverse(np.asarray(zeta, dtype=float)))

    def limits(self, wanted: float) -> tuple[float, float]:
        """The values at which zeta is minus and plus ``wanted``, or what is there instead."""
        out = [self._limit(side, sign, wanted) for side, sign in ((0, -1.0), (-1, 1.0))]
        return min(out), max(out)

    def _limit(self, side: int, sign: float, wanted: float) -> float:
        end = self.ends[side]
        if self.zeta.size and sign * self.zeta[side] >= wanted:
            return float(self.value_at(sign * wanted))
        if end == "bound":
            return float(self.scale.value(self.at[side]))
        return float(self.scale.value(sign * np.inf)) if end == "level" else np.nan

    def spline(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """zeta by Hermite's cubics in the coordinate, and its derivative."""
        at = np.asarray(at, dtype=float)
        if self.at.size < 2:
            return np.full(at.shape, np.nan), np.full(at.shape, np.nan)
        k = np.clip(np.searchsorted(self.at, at) - 1, 0, self.at.size - 2)
        width = self.at[k + 1] - self.at[k]
        t = (at - self.at[k]) / width
        rise = self.zeta[k + 1] - self.zeta[k]
        a, b = self.slope[k] * width - rise, rise - self.slope[k + 1] * width
        value = self.zeta[k] + t * rise + t * (1.0 - t) * (a * (1.0 - t) + b * t)
        bend = (1.0 - 2.0 * t) * (a * (1.0 - t) + b * t) + t * (1.0 - t) * (b - a)
        # the first and the last point, whose coordinates may have gone through values and back
        near = ROUNDING * np.abs(self.at).max()
        inside = (at >= self.at[0] - near) & (at <= self.at[-1] + near)
        return np.where(inside, value, np.nan), np.where(inside, (rise + bend) / width, np.nan)

    def _inverse(self, zeta: np.ndarray) -> np.ndarray:
        """Coordinates from zeta, by halving: the same spline whichever way it is read."""
        if self.at.size < 2:
            return np.full(zeta.shape, np.nan)
        rising = np.maximum.accumulate(self.zeta)
        k = np.clip(np.searchsorted(rising, zeta) - 1, 0, self.at.size - 2)
        low, high = self.at[k].copy(), self.at[k + 1].copy()
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            below = self.spline(middle)[0] < zeta
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        inside = (zeta >= self.zeta[0]) & (zeta <= rising[-1])
        return np.where(inside, 0.5 * (low + high), np.nan)
