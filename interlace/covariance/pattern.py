"""Standard deviations and a pattern of correlations: T = diag(sd) C.

C is lower triangular with C C' the correlation matrix, a function of a few parameters on unbounded
scales. theta are the standard deviations, one that all effects share or one for each, then those
parameters.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .readings import Natural, Reading
from .structures import Structure

__all__ = ["OneParameter", "Patterned", "Slopes", "Unit"]

# Correlations that differ by less lead to the same minimum.
FAR = 0.3
# What all of several standard deviations are at the start of another search, of the least.
LEVEL = 2.5


class Slopes(NamedTuple):
    """Values of a function of one parameter, with its first two derivatives."""

    value: np.ndarray
    first: np.ndarray
    second: np.ndarray


class Unit(NamedTuple):
    """Entries of C, (m,), and their derivatives in the q parameters of the pattern, (m, q)."""

    values: np.ndarray
    slopes: np.ndarray


class Patterned(Structure):
    """Standard deviations, and correlations with ``n_pattern`` parameters.

    Parameters
    ----------
    k : int
        Number of columns of the term.
    """

    n_pattern = 0
    #: Whether all effects have one standard deviation.
    homogeneous = False

    def __init__(self, k: int) -> None:
        self.k = k
        self.deviations = np.zeros(k, dtype=np.intp) if self.homogeneous else np.arange(k)
        self.n_sd = 1 if self.homogeneous else k
        self.n_theta = self.n_sd + self.n_pattern

    @cached_property
    def rows(self) -> np.ndarray:  # type: ignore[override]
        return np.triu_indices(self.k)[1]

    @cached_property
    def cols(self) -> np.ndarray:  # type: ignore[override]
        return np.triu_indices(self.k)[0]

    @abstractmethod
    def unit(self, pattern: np.ndarray) -> Unit:
        """C and its derivatives."""

    @abstractmethod
    def bent(self, pattern: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """sum_e weights_e d^2 C_e, (q, q)."""

    @property
    def one_signed(self) -> np.ndarray:
        # one for all multiplies T as a whole, and effects without a pattern are independent
        return np.arange(self.n_sd if self.n_sd > 1 and self.n_pattern else 0)

    @property
    def _of_entries(self) -> np.ndarray:
        """The place in theta of each entry's standard deviation."""
        assert self.deviations is not None
        return self.deviations[self.rows]

    def values(self, theta: np.ndarray) -> np.ndarray:
        return theta[self._of_entries] * self.unit(theta[self.n_sd :]).values

    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        values, slopes = self.unit(theta[self.n_sd :])
        J = np.zeros((self.rows.size, self.n_theta))
        J[np.arange(self.rows.size), self._of_entries] = values
        J[:, self.n_sd :] = theta[self._of_entries, None] * slopes
        return J

    def second(self, theta: np.ndarray, weights: np.ndarray) -> np.ndarray:
        pattern, m = theta[self.n_sd :], self.n_sd
        out = np.zeros((self.n_theta, self.n_theta))
        if not pattern.size:
            return out
        slopes = weights[:, None] * self.unit(pattern).slopes
        for j, own in enumerate(slopes.T, m):
            out[:m, j] = out[j, :m] = np.bincount(self._of_entries, weights=own, minlength=m)
        out[m:, m:] = self.bent(pattern, weights * theta[self._of_entries])
        return out

    def start(self) -> np.ndarray:
        return np.concatenate([np.ones(self.n_sd), self.pattern_start()])

    def pattern_start(self) -> np.ndarray:
        """Parameters of the pattern to start from, (q,)."""
        return np.zeros(self.n_pattern)

    def naturals(self) -> Sequence[Natural | None]:
        """How each parameter of the pattern is read; none where it is not by itself."""
        return [None] * self.n_pattern

    def words(self) -> list[str]:
        """What is read of the pattern, in words."""
        return [
            f"parameter{j + 1}" if natural is None else natural.word
            for j, natural in enumerate(self.naturals())
        ]

    def pattern_read(self, pattern: np.ndarray) -> np.ndarray:
        """What is read of the pattern, (q,); of complex numbers too."""
        each = zip(self.naturals(), pattern, strict=True)
        return np.array([t if natural is None else natural.value(t) for natural, t in each])

    def pattern_of(self, values: np.ndarray) -> np.ndarray:
        """Parameters of the pattern from what is read of it."""
        each = zip(self.naturals(), values, strict=True)
        return np.array([v if natural is None else natural.inverse(v) for natural, v in each])

    def readings(self, names: tuple[str, ...]) -> list[Reading]:
        own = (self.name,) if self.homogeneous else names
        sd = [Reading("sd", (name,), (i, i)) for i, name in enumerate(own)]
        each = zip(self.words(), self.naturals(), strict=True)
        return sd + [
            Reading("pattern", (self.name,), (self.n_sd + j,), word, natural)
            for j, (word, natural) in enumerate(each)
        ]

    def read(self, theta: np.ndarray) -> np.ndarray:
        sd, pattern = theta[: self.n_sd], theta[self.n_sd :]
        sd = sd if np.iscomplexobj(sd) else np.abs(sd)
        return np.concatenate([sd, self.pattern_read(pattern)])

    def of_readings(self, values: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return np.concatenate([values[: self.n_sd], self.pattern_of(values[self.n_sd :])])

    def places(self, row: int) -> np.ndarray:
        return np.array([row])

    def boundary(
        self, theta: np.ndarray, shown: np.ndarray, names: tuple[str, ...], tolerance: float
    ) -> str:
        own = (f"the {self.name}() effects",) if self.homogeneous else names
        sds = zip(own, np.abs(theta[: self.n_sd]), strict=True)
        zero = [name for name, sd in sds if sd < tolerance]
        if zero:
            return f"the variance of {', '.join(zero)} by {{group}} is estimated as zero"
        return self.pattern_boundary(theta[self.n_sd :], tolerance)

    def pattern_boundary(self, pattern: np.ndarray, tolerance: float) -> str:
        """What of the pattern is on a boundary, in words as those of `boundary`."""
        for natural, angle in zip(self.naturals(), pattern, strict=True):
            if natural is not None and natural.bounded and abs(np.cos(angle)) < tolerance:
                end = float(natural.value(np.copysign(0.5 * np.pi, np.sin(angle))))
                return (
                    f"the correlation {natural.word} of the {self.name}() effects by {{group}} is "
                    f"estimated as {end:.4g}, where their covariance matrix has lost rank"
                )
        return ""

    def snapped(self, theta: np.ndarray, tolerance: float) -> np.ndarray:
        theta = super().snapped(theta, tolerance)
        for j, natural in enumerate(self.naturals(), self.n_sd):
            if natural is not None and natural.bounded and abs(np.cos(theta[j])) < tolerance:
                theta = theta.copy()
                theta[j] = np.copysign(0.5 * np.pi, np.sin(theta[j]))
        return theta

    def lower_bounds(self) -> np.ndarray:
        return np.concatenate([np.zeros(self.n_sd), np.full(self.n_pattern, -np.inf)])

    def theta_names(self, names: tuple[str, ...]) -> list[str]:
        own = [self.name] if self.homogeneous else list(names)
        return [*own, *(f"{self.name}.{name}" for name in self.pattern_names())]

    def pattern_names(self) -> list[str]:
        """Names of the parameters of the pattern on their unbounded scale."""
        return (
            ["angle"] if self.n_pattern == 1 else [f"angle{j + 1}" for j in range(self.n_pattern)]
        )

    def canonical(self, theta: np.ndarray) -> np.ndarray:
        return np.concatenate([np.abs(theta[: self.n_sd]), self.reduced(theta[self.n_sd :])])

    def reduced(self, pattern: np.ndarray) -> np.ndarray:
        """The equivalent angles of a pattern within a quarter turn."""
        return np.arcsin(np.sin(pattern))


class OneParameter(Patterned):
    """A pattern of one parameter, of which C is a function without matrices."""

    n_pattern = 1

    @abstractmethod
    def entries(self, parameter: float) -> Slopes:
        """C at the entries with its first two derivatives."""

    def unit(self, pattern: np.ndarray) -> Unit:
        c = self.entries(float(pattern[0]))
        return Unit(c.value, c.first[:, None])

    def bent(self, pattern: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.array([[weights @ self.entries(float(pattern[0])).second]])

    def far_ends(self) -> tuple[float, ...]:
        """Parameters of nearly the strongest correlations, either way."""
        return ()

    def far_patterns(self, theta: np.ndarray, sd: float, few: bool) -> list[np.ndarray]:
        if not self.n_pattern:
            return []
        own, here = np.maximum(np.abs(theta[:-1]), sd), self._strength(theta[-1])
        ends = self.far_ends()
        far = [np.append(own, end) for end in ends if abs(self._strength(end) - here) > FAR]
        # each of several standard deviations may be zero at a minimum, and is off it here
        level = np.full(self.n_sd, LEVEL * sd)
        return far + [np.append(level, end) for end in ends if self.n_sd > 1]

    def _strength(self, parameter: float) -> float:
        """The correlation of neighbours, (-1, 1)."""
        return float(np.sin(parameter))
