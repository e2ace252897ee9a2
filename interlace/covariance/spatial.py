"""Structures of effects at positions: correlations that fall with the distance between them.

The correlation at a distance d is f(d / range), with one standard deviation for all effects; theta
are the standard deviation, the logarithm of the range and, of Matern's, that of the smoothness.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from .pattern import Slopes
from .patterned import Correlations, FromCorrelations
from .readings import Natural, exponential
from .series import range_boundary

__all__ = ["Exponential", "Gaussian", "Matern", "Positional"]

# Steps of the smoothness' logarithm, in differences of fourth order: good to 1e-11.
SMOOTHNESS_STEP = 2e-3
# Between these multiples of a range the correlation is not 1 or 0 to rounding.
SHORTEST, LONGEST = 1e-4, 700.0
# Logarithms of the smoothness between which Matern's correlation is computed: from one that falls
# at once to one that is as good as Gaussian.
ROUGHEST, SMOOTHEST = -3.0, 3.0


class Positional(FromCorrelations):
    """Correlations by distance between positions.

    Parameters
    ----------
    positions : ndarray, shape (k, dimensions)
        Of the columns of the term.
    """

    homogeneous = True
    n_pattern = 1
    effects = "positions"

    def __init__(self, positions: np.ndarray) -> None:
        super().__init__(len(positions))
        apart = positions[:, None, :] - positions[None, :, :]
        distances = np.sqrt((apart**2).sum(axis=-1))
        between = distances[np.triu_indices(self.k, 1)]
        # each distance once, and which of them each pair has
        self._each, place = np.unique(distances, return_inverse=True)
        self._place = place.reshape(distances.shape)
        # the shortest and the longest distance between two positions
        self._ends = np.array([between.min(initial=np.inf), between.max(initial=0.0)])
        self._typical = float(np.median(between)) if between.size else 1.0

    @abstractmethod
    def fading(self, u: np.ndarray, pattern: np.ndarray) -> Slopes:
        """f at u = d / range, with its derivatives in u."""

    def pattern_start(self) -> np.ndarray:
        start = np.zeros(self.n_pattern)
        start[0] = np.log(0.5 * self._typical)
        return start

    def pattern_names(self) -> list[str]:
        return ["log_range", "log_smoothness"][: self.n_pattern]

    def naturals(self) -> Sequence[Natural | None]:
        return [exponential("range"), exponential("smoothness")][: self.n_pattern]

    def pattern_boundary(self, pattern: np.ndarray, tolerance: float) -> str:
        ends = self._scaled(self._ends, pattern[0])
        return range_boundary(self.name, *self.fading(ends, pattern).value)

    def reduced(self, pattern: np.ndarray) -> np.ndarray:
        return pattern

    @staticmethod
    def _scaled(distances: np.ndarray, log_range: float) -> np.ndarray:
        """Distances in units of the range."""
        with np.errstate(over="ignore"):
            return np.minimum(distances * np.exp(-log_range), LONGEST)

    def _summed(self, weights: np.ndarray) -> np.ndarray:
        """Sums of weights (k, k) by distance."""
        return np.bincount(self._place.ravel(), weights=weights.ravel(), minlength=self._each.size)

    def _faded(self, pattern: np.ndarray) -> tuple[Slopes, np.ndarray]:
        """f at each distance, and these in units of the range."""
        u = self._scaled(self._each, pattern[0])
        return self.fading(u, pattern), u

    def correlations(self, pattern: np.ndarray) -> Correlations:
        f, u = self._faded(pattern)
        return Correlations(f.value[self._place], (-u * f.first)[self._place][None])

    def bent_correlations(self, pattern: np.ndarray, weights: np.ndarray) -> np.ndarray:
        f, u = self._faded(pattern)
        return np.array([[self._summed(weights) @ (u * (f.first + u * f.second))]])


class Exponential(Positional):
    """A correlation of exp(-d / range).

    Parameters
    ----------
    positions : ndarray, shape (k, dimensions)

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.spatial import Exponential
    >>> T = Exponential(np.array([[0.0], [1.0], [3.0]])).template([1.0, np.log(2.0)])
    >>> (T @ T.T).round(4)
    array([[1.    , 0.6065, 0.2231],
           [0.6065, 1.    , 0.3679],
           [0.2231, 0.3679, 1.    ]])
    """

    name = "exp"

    def fading(self, u: np.ndarray, pattern: np.ndarray) -> Slopes:
        f = np.exp(-u)
        return Slopes(f, -f, f)


class Gaussian(Positional):
    """A correlation of exp(-(d / range)^2)."""

    name = "gau"

    def fading(self, u: np.ndarray, pattern: np.ndarray) -> Slopes:
        f = np.exp(-u * u)
        return Slopes(f, -2.0 * u * f, (4.0 * u * u - 2.0) * f)


class Matern(Positional):
    """Matern's correlation 2^(1 - s) / Gamma(s) u^s K_s(u), u = d / range, of smoothness s."""

    name = "mat"
    n_pattern = 2

    def fading(self, u: np.ndarray, pattern: np.ndarray) -> Slopes:
        from scipy.special import gammaln, kv

        s = float(np.exp(np.clip(pattern[1], ROUGHEST, SMOOTHEST)))
        near = np.maximum(u, SHORTEST)
        with np.errstate(all="ignore"):
            c = np.exp((1.0 - s) * np.log(2.0) - gammaln(s) + s * np.log(near))
            K, before = kv(s, near), kv(s - 1.0, near)
            f, first = c * K, -c * before
            # K_{s-2} = K_s - 2 (s - 1) / u K_{s-1}
            second = -c * ((2.0 * s - 1.0) / near * before - K)
        # below the shortest distance f is 1 but for a power of u
        at = u < SHORTEST
        return Slopes(
            np.where(at, 1.0 - (1.0 - f) * (u / SHORTEST) ** min(2.0 * s, 2.0), f),
            np.where(at, 0.0, first),
            np.where(at, 0.0, second),
        )

    def pattern_boundary(self, pattern: np.ndarray, tolerance: float) -> str:
        own = super().pattern_boundary(pattern, tolerance)
        if own or ROUGHEST < pattern[1] < SMOOTHEST:
            return own
        where = f"the smoothness of the {self.name}() effects by {{group}} is estimated beyond"
        if pattern[1] >= SMOOTHEST:
            return f"{where} {np.exp(SMOOTHEST):.2g}, where they are as good as those of gau()"
        return f"{where} {np.exp(ROUGHEST):.2g}, as independent effects beside one of the level"

    #: The last pattern and f near it: Bessel functions take most of the time of a fit.
    _near: tuple[bytes, list[tuple[Slopes, np.ndarray, float, float]]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_near": None}

    def _faded(self, pattern: np.ndarray) -> tuple[Slopes, np.ndarray]:
        return self._by_smoothness(pattern)[2][:2]

    def _by_smoothness(self, pattern: np.ndarray) -> list[tuple[Slopes, np.ndarray, float, float]]:
        """f at five smoothnesses, the third its own, with weights of its first two differences."""
        near, key = self._near, np.asarray(pattern).tobytes()
        if near is None or near[0] != key:
            self._near = near = key, self._differences(pattern)
        return near[1]

    def _differences(self, pattern: np.ndarray) -> list[tuple[Slopes, np.ndarray, float, float]]:
        u, h = self._scaled(self._each, pattern[0]), SMOOTHNESS_STEP
        out = []
        for step, first, second in (
            (-2.0, 1.0 / 12.0, -1.0 / 12.0), (-1.0, -2.0 / 3.0, 4.0 / 3.0),
            (0.0, 0.0, -2.5), (1.0, 2.0 / 3.0, 4.0 / 3.0), (2.0, -1.0 / 12.0, -1.0 / 12.0),
        ):  # fmt: skip
            moved = pattern + np.array([0.0, step * h])
            out.append((self.fading(u, moved), u, first / h, second / h**2))
        return out

    def correlations(self, pattern: np.ndarray) -> Correlations:
        R, slopes = super().correlations(pattern)
        in_s = np.zeros(self._each.size)
        for f, _, first, _ in self._by_smoothness(pattern):
            in_s += first * f.value
        return Correlations(R, np.concatenate([slopes, in_s[self._place][None]]))

    def bent_correlations(self, pattern: np.ndarray, weights: np.ndarray) -> np.ndarray:
        near, weights = self._by_smoothness(pattern), self._summed(weights)
        out = np.empty((2, 2))
        f, u = near[2][:2]  # in the middle
        out[0, 0] = weights @ (u * (f.first + u * f.second))
        both = sum(first * np.vdot(weights, -u * f.first) for f, u, first, _ in near)
        out[0, 1] = out[1, 0] = both
        out[1, 1] = sum(second * np.vdot(weights, f.value) for f, _, _, second in near)
        return out
