"""Thresholds between ordered categories as functions of unbounded parameters."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np

from ..errors import ArgumentError, brief

Array: TypeAlias = np.ndarray

#: The structures that thresholds may have.
STRUCTURES = ("flexible", "symmetric", "symmetric2", "equidistant")
#: exp is finite, and so are its products with numbers of rows, up to here.
LARGEST_LOG = 300.0
#: Distances to begin with are no smaller than this.
LEAST_GAP = 1e-3


class Thresholds:
    """alpha = B w, increasing: w has a location and positive distances, whose logarithms are zeta.

    Attributes
    ----------
    structure : {"flexible", "symmetric", "symmetric2", "equidistant"}
        Any; symmetric about their centre; the same about zero; with equal distances.
    size : int
        Number of thresholds, one less than that of the categories.
    basis : array (size, m)
        B.
    logs : array (m,) of bool
        Which parameters are logarithms of distances.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families.thresholds import Thresholds
    >>> Thresholds("equidistant", 3).at(np.array([-1.0, np.log(2.0)])).round(12).tolist()
    [-1.0, 1.0, 3.0]
    """

    def __init__(self, structure: str, size: int) -> None:
        if not isinstance(structure, str) or structure not in STRUCTURES:
            raise ArgumentError(f"threshold must be one of {STRUCTURES}, got {brief(structure)}")
        if structure == "symmetric2" and size < 2:
            raise ArgumentError(
                "threshold='symmetric2' holds the only threshold of two categories at zero, and "
                "leaves nothing to estimate; take 'flexible'"
            )
        self.structure, self.size = structure, size
        j = np.arange(size)
        if structure == "flexible":
            B = (j[:, None] >= j).astype(float)
        elif structure == "equidistant":
            B = np.column_stack([np.ones(size), j])[:, : min(size, 2)]
        else:
            place = 2 * j - (size - 1)  # twice the distance from the centre
            ranks = np.arange(1, size // 2 + 1)
            beyond = (np.abs(place)[:, None] + 1) // 2 >= ranks
            B = np.sign(place)[:, None] * beyond.astype(float)
            if structure == "symmetric":
                B = np.column_stack([np.ones(size), B])
        self.basis = B
        self.logs = np.ones(B.shape[1], dtype=bool)
        if structure != "symmetric2":
            self.logs[0] = False
        self.basis.flags.writeable = self.logs.flags.writeable = False

    @property
    def count(self) -> int:
        """Number of parameters."""
        return self.basis.shape[1]

    def parts(self, zeta: Array) -> Array:
        """w: the location and the distances."""
        zeta = np.asarray(zeta, dtype=float)
        out = np.exp(np.minimum(zeta, LARGEST_LOG))
        if out.size and not self.logs[0]:
            out[0] = zeta[0]
        return out

    def at(self, zeta: Array) -> Array:
        """The thresholds, (size,)."""
        return self.basis @ self.parts(np.asarray(zeta, dtype=float))

    def with_slopes(self, zeta: Array) -> tuple[Array, Array]:
        """`at` and `jacobian` together."""
        w = self.parts(zeta)
        slopes = w.copy()
        if w.size and not self.logs[0]:
            slopes[0] = 1.0
        return self.basis @ w, self.basis * slopes

    def jacobian(self, zeta: Array) -> Array:
        """Their derivatives in zeta, (size, m)."""
        zeta = np.asarray(zeta, dtype=float)
        return self.basis * np.where(self.logs, self.parts(zeta), 1.0)

    def bend(self, zeta: Array, slope: Array) -> Array:
        """The diagonal second derivatives in zeta, summed with weights ``slope`` (size,), (m,)."""
        return np.where(self.logs, self.parts(np.asarray(zeta)), 0.0) * (self.basis.T @ slope)

    def nearest(self, alpha: Array) -> Array:
        """zeta of thresholds near to given ones."""
        w = self._inverse @ alpha
        return np.asarray(np.where(self.logs, np.log(np.maximum(w, LEAST_GAP)), w))

    @cached_property
    def _inverse(self) -> Array:
        return np.linalg.pinv(self.basis)

    @cached_property
    def reported(self) -> Array:
        """From w to the parameters that R reports, (m, m)."""
        m = self.count
        if self.structure == "flexible":
            return np.tril(np.ones((m, m)))
        out = np.eye(m)
        if self.structure == "equidistant":
            return out
        first = 0 if self.structure == "symmetric2" else 1
        if self.structure == "symmetric" and self.size % 2 == 0 and m > 1:
            out[0, 1], out[1, 0], first = -1.0, 1.0, 2  # both thresholds beside the centre
        out[first:, first:] = np.tril(np.ones((m - first, m - first)))
        return out

    def names(self, levels: Array) -> list[str]:
        """Names of the parameters that R reports."""
        if self.structure == "flexible":
            return threshold_names(levels)
        if self.structure == "equidistant":
            return ["threshold.1", "spacing"][: self.count]
        centre = []
        if self.structure == "symmetric":
            even = self.size % 2 == 0 and self.count > 1
            centre = ["central.1", "central.2"] if even else ["central"]
        rest = self.count - len(centre)
        return [*centre, *(f"spacing.{k}" for k in range(1, rest + 1))]

    @cached_property
    def linear(self) -> Array:
        """From the parameters that R reports to the thresholds, (size, m)."""
        return self.basis @ np.linalg.inv(self.reported)


@lru_cache(maxsize=64)
def thresholds_of(structure: str, size: int) -> Thresholds:
    """Thresholds of a structure, which models of as many categories share."""
    return Thresholds(structure, size)


def threshold_names(levels: Array) -> list[str]:
    """``"a|b"`` between neighbouring categories."""
    texts = [str(level) for level in np.asarray(levels).tolist()]
    return [f"{below}|{above}" for below, above in zip(texts, texts[1:], strict=False)]
