"""The parameters of a structure as they are read: standard deviations, correlations, ranges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Natural", "Reading", "exponential", "sine", "undivided"]

#: Reads a number, or an array of any shape, complex ones too.
Function = Callable[[Any], Any]


@dataclass(frozen=True)
class Natural:
    """A parameter of a pattern, read from one parameter of theta.

    Attributes
    ----------
    word : str
        ``"rho"``, ``"range"``.
    value, slope, inverse : function
        What is read from the parameter, its derivative, and the parameter from what is read.
    lower, upper : float
        Bounds of the parameter of theta.
    """

    word: str
    value: Function
    slope: Function
    inverse: Function
    lower: float = -np.inf
    upper: float = np.inf

    @property
    def bounded(self) -> bool:
        """Whether it is a correlation; others are positive."""
        return np.isfinite(self.lower)


def sine(word: str, lowest: float = -1.0) -> Natural:
    """A correlation from an angle: a sine moved to the range from ``lowest`` to 1."""
    half = 0.5 * (1.0 - lowest)
    return Natural(
        word,
        lambda a: 1.0 - half * (1.0 - np.sin(a)),
        lambda a: half * np.cos(a),
        lambda v: np.arcsin(np.clip(1.0 - (1.0 - v) / half, -1.0, 1.0)),
        -0.5 * np.pi,
        0.5 * np.pi,
    )


def exponential(word: str) -> Natural:
    """A positive parameter from its logarithm."""
    return Natural(word, np.exp, np.exp, np.log)


@dataclass(frozen=True)
class Reading:
    """One of the parameters that are read.

    Attributes
    ----------
    kind : {"sd", "cor", "pattern"}
        A standard deviation, the correlation of two effects, or a parameter of a pattern.
    effects : tuple of str
        Names of the effects that it is of; of a pattern the structure's.
    at : tuple of int
        The rows of T whose it is, or its place among the parameters of theta of a pattern.
    word : str
        Of a pattern: ``"rho"``.
    natural : Natural or None
        Of a pattern: how it is read where it is a function of one parameter of theta.
    """

    kind: str
    effects: tuple[str, ...]
    at: tuple[int, ...]
    word: str = ""
    natural: Natural | None = None


def undivided(rows: list[np.ndarray]) -> np.ndarray:
    """Standard deviations, and correlations of the pairs (i, j), i < j, of rows of T.

    Rows of different lengths go on with zeros. Complex numbers are read too.
    """
    k = len(rows)
    sd = [np.sqrt(np.sum(row * row)) for row in rows]
    out = list(sd)
    with np.errstate(invalid="ignore", divide="ignore"):
        for i in range(k):
            for j in range(i + 1, k):
                m = min(rows[i].size, rows[j].size)
                out.append(np.sum(rows[i][:m] * rows[j][:m]) / (sd[i] * sd[j]))
    return np.array(out)
