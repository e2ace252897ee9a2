"""Minima where some parameters are zero, as the variances of one grouping factor."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import NumericalError
from ..objective.base import Approach, Evaluation, Objective
from .quasi import quasi_newton

__all__ = ["minimum_where_zero"]

# Evaluations of such a search: it is to tell whether a lower minimum is near.
MAX_EVALUATIONS = 60


class _Held:
    """An objective of the parameters that are not held at zero; it has no Hessian."""

    curvature_is_cheap = False

    def __init__(self, objective: Objective, x: np.ndarray, zero: np.ndarray) -> None:
        self._objective, self._x = objective, x.copy()
        self._x[zero] = 0.0
        self.free = np.setdiff1d(np.arange(x.size), zero)

    def all(self, free: np.ndarray) -> np.ndarray:
        x = self._x.copy()
        x[self.free] = free
        return x

    def evaluate(self, free: np.ndarray, order: int = 2) -> Evaluation:
        e, own = self._objective.evaluate(self.all(free), order), self.free
        curvature = e.curvature[np.ix_(own, own)] if order == 2 else e.curvature
        return Evaluation(e.value, e.gradient[own], curvature, e.exact)

    def steps_from(self, at: Approach, enough: float, last: float) -> None:
        """None are taken at once."""

    def hessian(self, free: np.ndarray) -> np.ndarray:
        raise NumericalError("not asked for")


def minimum_where_zero(
    objective: Objective, x: np.ndarray, zero: np.ndarray
) -> tuple[np.ndarray, float, int]:
    """The lowest point found from x with the parameters ``zero`` held there; value, evaluations."""
    face: Any = _Held(objective, x, zero)
    if not face.free.size:
        corner = face.all(np.empty(0))
        return corner, objective.evaluate(corner, 0).value, 1
    free, here, log = quasi_newton(face, x[face.free], MAX_EVALUATIONS)
    return face.all(free), here.value, len(log)
