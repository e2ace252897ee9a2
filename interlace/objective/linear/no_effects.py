"""V = I: generalised least squares on whitened rows, without random effects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...covariance import CovarianceModel
from ...linalg.crossproducts.linear import CrossProducts
from .marginal import Marginal

__all__ = ["NoEffects", "NoEffectsMarginal"]

NOTHING = np.empty(0)


class NoEffects(CovarianceModel):
    """The covariance model of no random term."""

    def __init__(self) -> None:
        none = np.empty(0, dtype=int)
        self.terms, self.widths, self.group_names = (), (), ()
        self.theta_slices, self.n_theta, self.identity = [], 0, True
        self.factor = self.row = self.col = none
        self.theta_factor = none
        self.entries, self.entries_of = [], []

    def values(self, theta: np.ndarray) -> np.ndarray:
        return NOTHING

    def templates(self, theta: np.ndarray) -> list[np.ndarray]:
        return []

    def start(self) -> np.ndarray:
        return NOTHING

    def lower_bounds(self) -> np.ndarray:
        return NOTHING

    def canonical(self, theta: np.ndarray) -> np.ndarray:
        return NOTHING


class NoEffectsMarginal(Marginal):
    """What `Marginal` answers where there is no Z."""

    backend = "none"
    exact_is_cheap = True

    def __init__(self, cross: CrossProducts) -> None:
        self.cross = cross

    def update(self, T: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        return 0.0, self.cross.XyXy.copy()

    def level_sums(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        raise IndexError(b)

    def projected(self, b: int) -> np.ndarray:
        raise IndexError(b)

    def quadratic(self, D: Sequence[np.ndarray], c: np.ndarray) -> np.ndarray:
        return np.empty((0, 0))

    def traces(self, D: Sequence[np.ndarray], C: np.ndarray | None) -> np.ndarray:
        return np.empty((0, 0))

    def inverse_blocks(self, b: int) -> np.ndarray:
        raise IndexError(b)

    def inverse_pairs(self) -> dict[tuple[int, int], np.ndarray]:
        return {}

    def solve(self, R: np.ndarray) -> np.ndarray:
        return R

    def fresh(self) -> NoEffectsMarginal:
        return NoEffectsMarginal(self.cross)

    def with_cross(self, cross: CrossProducts) -> NoEffectsMarginal:
        return NoEffectsMarginal(cross)

    def reread(self) -> None:
        pass

    def renewed(self, cross: CrossProducts) -> NoEffectsMarginal:
        return NoEffectsMarginal(cross)
