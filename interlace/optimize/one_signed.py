"""Standard deviations that have to be positive, as unbounded coordinates of a search.

Where effects are correlated by a pattern a standard deviation of the other sign is another model,
with correlations that the pattern does not have. With s for it and

    s = sqrt(z^2 + e^2) - e,   s' = z / sqrt(z^2 + e^2),   s'' = e^2 / (z^2 + e^2)^{3/2},

the criterion is even in z and smooth, and where it falls towards s = 0 there is an ordinary
minimum at z = 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..objective.base import Approach, Evaluation

__all__ = ["OneSigned"]

# Standard deviations, relative ones of standardised covariates, below which s bends.
BEND = 0.1
# ... and at which one counts as zero: there what is known of it is its curvature in z.
ZERO = 1e-10
# No search starts nearer to zero.
OFF_ZERO = 0.1 * BEND


class _Bent(NamedTuple):
    """s of some z with its first two derivatives, of the coordinates that are no s: themselves."""

    value: np.ndarray
    first: np.ndarray
    second: np.ndarray


class OneSigned:
    """An objective in coordinates of which some, ``places``, are z."""

    def __init__(self, objective: Any, places: np.ndarray) -> None:
        self._objective, self._places = objective, places
        self.curvature_is_cheap = objective.curvature_is_cheap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objective, name)

    def z(self, x: np.ndarray) -> np.ndarray:
        """The coordinates of x, those of |s| for a negative s."""
        z = np.array(x, dtype=float)
        s = np.abs(z[self._places])
        z[self._places] = np.sqrt(s * (s + 2.0 * BEND))
        return z

    def start(self, x: np.ndarray) -> np.ndarray:
        """Coordinates to start from: at z = 0 a search by gradients would stay for ever."""
        z = self.z(x)
        z[self._places] = np.maximum(z[self._places], OFF_ZERO)
        return z

    def x(self, z: np.ndarray) -> np.ndarray:
        """The parameters at coordinates z."""
        return self._bent(z).value

    def _bent(self, z: np.ndarray) -> _Bent:
        value, first, second = np.array(z, dtype=float), np.ones(z.size), np.zeros(z.size)
        own = value[self._places]
        root = np.hypot(own, BEND)
        value[self._places] = own * own / (root + BEND)
        first[self._places], second[self._places] = own / root, BEND**2 / root**3
        return _Bent(value, first, second)

    def steps_from(self, at: Approach, enough: float, last: float) -> None:
        """None are taken at once."""

    def evaluate(self, z: np.ndarray, order: int = 2) -> Evaluation:
        x, first, second = self._bent(z)
        here = self._objective.evaluate(x, order)
        if order == 0:
            return here
        gradient = first * here.gradient
        if order == 1:
            return here._replace(gradient=gradient)
        H = first[:, None] * here.curvature * first
        H[np.diag_indices_from(H)] += second * here.gradient
        return here._replace(gradient=gradient, curvature=H)

    def hessian(self, z: np.ndarray) -> np.ndarray:
        x, first, second = self._bent(z)
        slopes = second * self._objective.evaluate(x, 1).gradient
        H = first[:, None] * self._objective.hessian(x) * first
        H[np.diag_indices_from(H)] += slopes
        return H

    def of_parameters(self, z: np.ndarray, here: Evaluation) -> Evaluation:
        """The evaluation at z in the parameters themselves.

        Of one that is zero it keeps gradient and curvature in z: its own gradient says that the
        criterion falls towards zero, its curvature nothing.
        """
        x, first, second = self._bent(z)
        inside = np.ones(z.size, dtype=bool)
        inside[self._places] = x[self._places] > ZERO
        by = np.where(inside, first, 1.0)
        gradient, H = here.gradient / by, here.curvature.copy()
        H[np.diag_indices_from(H)] -= np.where(inside, second * gradient, 0.0)
        return here._replace(gradient=gradient, curvature=H / (by[:, None] * by))

    # -- what an objective knows of x -------------------------------------------------------------

    def canonical(self, z: np.ndarray) -> np.ndarray:
        x = self.x(z)
        return self._moved(np.abs(z), x, self._objective.canonical(x), z)

    def snap(self, z: np.ndarray) -> np.ndarray:
        x = self.x(z)
        return self._moved(z, x, self._objective.snap(x), z)

    def _moved(
        self, signed: np.ndarray, x: np.ndarray, to: np.ndarray, z: np.ndarray
    ) -> np.ndarray:
        """z where x has become ``to``; of those in places that have not, ``signed``."""
        out = self.z(to)
        same = self._places[to[self._places] == x[self._places]]
        out[same] = signed[same]
        return z if np.array_equal(out, z) else out

    def reconsider(self, z: np.ndarray) -> bool:
        return self._objective.reconsider(self.x(z))
