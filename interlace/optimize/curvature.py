"""The Hessian where a search ends, with what differences leave open looked at again."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.linalg import lapack

from ..errors import NumericalError
from ..linalg.information import least_eigenvalue
from ..linalg.kernels import _trust
from ..objective.base import Evaluation, Objective
from .watch import stage

__all__ = ["Axes", "final_hessian", "second_look", "to_unit_diagonal"]

# Eigenvalues below this share of the largest (of the Hessian scaled to unit diagonal) are smaller
# than what differences with one step may be off by.
DOUBTFUL_SHARE = 1e-3
# ... and so is this information on a standardised parameter.
DOUBTFUL = 0.05
ALREADY_ZERO = 1e-13
# Where two directions or more are in doubt all is computed anew, and what then is left of doubt.
DOUBTFUL_ANEW = 1e-6
# Steps along their eigenvectors, in units of the scaled parameters and at most so long in their
# own: with two of them what is left of the truncation is of the order of h^4, rounding of the
# gradient 1e-11 / h.
STEP = 4e-3
LONGEST = 2e-3
# A curvature is no more than noise below this share of the largest, and below this share of what
# the second step corrected.
NOISE_SHARE = 3e-8
NOISE_OF_CORRECTION = 1e-2
# A smallest eigenvalue below this share of the largest is looked at again where the rest of the
# gradient vanishes: at most so often, until its decrement is below ..., by steps that do not raise
# the criterion by more than its rounding.
SUSPECT_SHARE = 1e-4
# Pivots of a matrix of unit diagonal that are larger leave no eigenvalue so small.
SURE_PIVOT = 0.1
LOOKS = 3
VANISHED = 1e-22
LEVEL = 1e-11
# A standard error of 1e5 of a standardised parameter; and what rounding leaves beside the others.
NO_INFORMATION = 1e-10
ROUNDING = 1e-14
TINY = float(np.finfo(float).tiny)


def final_hessian(objective: Objective, x: np.ndarray) -> np.ndarray | None:
    """The Hessian at x, (n, n), or None where there are no derivatives around x.

    Directions in which it is nearly flat get their curvature from four more gradients each, with
    Richardson's extrapolation; curvatures that cannot be told from zero become zero.
    """
    stage("curvature")
    try:
        H = objective.hessian(x)
    except NumericalError:
        return None
    if not np.isfinite(H).all():
        return None
    if objective.curvature_is_cheap or not H.size:
        return H
    doubtful = _doubtful(H)
    if not doubtful:
        return H
    if doubtful > 1:  # their mixtures are in doubt, too
        H = _anew(objective, x, H)
        return _refined(objective, x, H, to_unit_diagonal(H)[0], DOUBTFUL_ANEW)
    # first in the parameters' own units, where a standard error of several is a doubt of its own
    for scale, share in ((np.ones(x.size), 0.0), (to_unit_diagonal(H)[0], DOUBTFUL_SHARE)):
        H = _refined(objective, x, H, scale, share)
    return H


def _doubtful(H: np.ndarray) -> int:
    """Number of directions in which H is nearly flat, in its own units or of unit diagonal."""
    unit_diagonal = to_unit_diagonal(H)[1]
    root, failed = lapack.dpotrf(unit_diagonal, clean=0)
    least = 0.0 if failed else least_eigenvalue(root)
    # eigenvalues of unit diagonal are at most their sum
    if least > DOUBTFUL_SHARE * len(H) and least * float(H.diagonal().min()) > DOUBTFUL:
        return 0
    own, scaled = np.linalg.eigvalsh(H), np.linalg.eigvalsh(unit_diagonal)
    return int(max((own < DOUBTFUL).sum(), (scaled < DOUBTFUL_SHARE * np.abs(scaled).max()).sum()))


def _anew(objective: Objective, x: np.ndarray, H: np.ndarray) -> np.ndarray:
    """The Hessian by differences of gradients with modes of their own, extrapolated."""
    size = np.maximum(np.abs(np.diagonal(H)), TINY)
    out = np.empty_like(H)
    for i, step in enumerate(np.minimum(STEP / np.sqrt(size), LONGEST * (1.0 + np.abs(x)))):
        move = np.zeros(x.size)
        move[i] = step
        change = _extrapolated(objective, x, move)
        if change is None:
            return H
        out[i] = change[0] / step
    return 0.5 * (out + out.T) if np.isfinite(out).all() else H


def _refined(
    objective: Objective, x: np.ndarray, H: np.ndarray, scale: np.ndarray, share: float
) -> np.ndarray:
    """H with the doubtful eigenvalues of its scaled form computed anew."""
    known = np.flatnonzero(scale)
    values, vectors = np.linalg.eigh((H * scale[:, None] * scale)[np.ix_(known, known)])
    top = float(np.abs(values).max(initial=0.0))
    doubtful = max(share * top, 0.0 if share else DOUBTFUL)
    for value, vector in zip(values, vectors.T, strict=True):
        if not ALREADY_ZERO * top < abs(value) < doubtful:
            continue
        direction, back = np.zeros(x.size), np.zeros(x.size)
        direction[known], back[known] = scale[known] * vector, vector / scale[known]
        along = _along(objective, x, direction)
        if along is None:
            continue
        curvature, noise = along
        if abs(curvature) <= max(NOISE_SHARE * top, noise):
            curvature = 0.0
        H = H + (curvature - value) * np.outer(back, back)
    return H


class Axes:
    """Axes of a curvature, scaled to unit diagonal by ``scale`` (see `to_unit_diagonal`).

    ``root`` is the upper Cholesky factor of the scaled curvature if its pivots say that it is far
    from flat in any direction, else None: with it nobody need ask for the axes themselves.
    """

    def __init__(self, H: np.ndarray) -> None:
        self.scale, self._scaled = to_unit_diagonal(H)
        root, failed = lapack.dpotrf(self._scaled, clean=0)
        sure = not failed and min(root.diagonal().tolist(), default=1.0) > SURE_PIVOT
        self.root = root if sure else None

    @cached_property
    def _axes(self) -> tuple[np.ndarray, np.ndarray]:
        return np.linalg.eigh(self._scaled)

    @property
    def values(self) -> np.ndarray:
        """Eigenvalues, ascending, (n,)."""
        return self._axes[0]

    @property
    def vectors(self) -> np.ndarray:
        """Eigenvectors in columns, (n, n)."""
        return self._axes[1]

    @property
    def lowest(self) -> float:
        """The smallest eigenvalue."""
        return float(self.values[0]) if self.values.size else 0.0

    @property
    def top(self) -> float:
        """The largest absolute eigenvalue."""
        if not self.values.size:
            return TINY
        return max(-float(self.values[0]), float(self.values[-1]), TINY)


def to_unit_diagonal(H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Factors that bring H to unit diagonal, (n,), 0 where that is as good as zero; H times them.

    Parameters are standardised: `NO_INFORMATION` on one is as good as none.
    """
    scale, scaled = np.empty(len(H)), np.empty(H.shape)
    _trust.to_unit_diagonal(np.ascontiguousarray(H), NO_INFORMATION, ROUNDING, scale, scaled)
    return scale, scaled


def second_look(
    objective: Objective, x: np.ndarray, here: Evaluation
) -> tuple[np.ndarray, Evaluation, Axes]:
    """The optimum nearer to x, what holds there with curvature, and the axes of that.

    A gradient hides how flat a criterion is: along a curved valley it adds its size over the
    radius. Where the curvature is suspiciously small, Newton steps in the curved directions alone
    make it vanish.
    """
    axes = Axes(here.curvature)
    fresh = objective.curvature_is_cheap
    for _ in range(LOOKS):
        if axes.root is not None or axes.lowest > SUSPECT_SHARE * axes.top:
            break
        scale, values, vectors = axes.scale, axes.values, axes.vectors
        curved = values > SUSPECT_SHARE * axes.top
        along = (vectors.T @ (here.gradient * scale))[curved]
        if not along.any() or (along**2 / values[curved]).sum() < VANISHED:
            if fresh:
                break
            along = np.zeros_like(along)  # the curvature is that of the point before the last step
        step = -scale * (vectors[:, curved] @ (along / values[curved]))
        there = _evaluated(objective, x + step)
        if there is None or there.value > here.value + LEVEL * (1.0 + abs(here.value)):
            break
        x, here, fresh = x + step, there, True
        axes = Axes(here.curvature)
    return x, here, axes


def _evaluated(objective: Objective, x: np.ndarray) -> Evaluation | None:
    """The evaluation at x with the Hessian, or with a curvature that is cheap; None if neither."""
    try:
        if objective.curvature_is_cheap:
            return objective.evaluate(x, 2)
        there = objective.evaluate(x, 1)
    except NumericalError:
        return None
    H = final_hessian(objective, x)
    return None if H is None else there._replace(curvature=H, exact=True)


def _along(
    objective: Objective, x: np.ndarray, direction: np.ndarray
) -> tuple[float, float] | None:
    """Second derivative along a direction, and how far it may be off."""
    length = float(np.linalg.norm(direction))
    step = min(STEP, LONGEST * (1.0 + abs(float(x @ direction)) / length) / length)
    change = _extrapolated(objective, x, step * direction)
    if change is None:
        return None
    best, once = (float(direction @ part) / step for part in change)
    return best, NOISE_OF_CORRECTION * abs(best - once)


def _extrapolated(
    objective: Objective, x: np.ndarray, move: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """H times a move by differences of gradients: extrapolated from two, and of the nearer one."""
    try:
        one, two = (
            (
                objective.evaluate(x + k * move, 1).gradient
                - objective.evaluate(x - k * move, 1).gradient
            )
            / (2.0 * k)
            for k in (1.0, 2.0)
        )
    except NumericalError:
        return None
    return (4.0 * one - two) / 3.0, one
