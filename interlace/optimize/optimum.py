"""The record of an optimisation and its certificate."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from ..errors import listing
from ..objective.base import Objective
from .curvature import Axes
from .trust_region import VALUE_NOISE, try_evaluate

# The criterion could still fall by this much (Newton decrement): far below what any estimate or
# test statistic shows. lme4 accepts 2e-3 in the same units of a scaled gradient.
DECREMENT_TOLERANCE = 1e-6
# ... and be off by this much.
ROUNDING_TOLERANCE = 1e-5
# An eigenvalue of the curvature below this share of the largest (after scaling to unit diagonal)
# means that the data do not determine that direction.
IDENTIFIED_SHARE = 1e-8
# Below minus this share the criterion falls on both sides.
SADDLE_SHARE = 1e-6
# A slope in a flat direction, for a unit of a standardised parameter.
SLOPE_TOLERANCE = 1e-5
# How much a unit step along a flat direction changes the model if it changes it at all.
CHANGED = 1e-4
# ... and what the criterion may change by along all of it, relative, and be flat.
LEVEL = 1e-10
# On a way that bends away from a flat direction: the step along it, and those back to it.
CURVE_STEP, CURVE_STEPS = 0.1, 20
# A share of a unit step with which a parameter is named.
SHARE_TO_NAME = 0.1


@dataclass(frozen=True)
class Certificate:
    """The judgement of a point by its gradient and curvature.

    Attributes
    ----------
    verdict : str
        ``"converged"``, ``"singular"`` (converged on a boundary), ``"not identified"``,
        ``"separated"`` (coefficients without a finite maximum), ``"breaks down"`` (the criterion
        approximates no likelihood there) or ``"not converged"``.
    message : str
        The verdict in words, with what to do if something is wrong.
    decrement : float
        How much the criterion could still fall, by its curvature.
    gradient : ndarray, shape (n,)
    curvature : ndarray, shape (n, n)
    boundary : tuple of str
        What lies on a boundary, in words.
    """

    verdict: str
    message: str
    decrement: float
    gradient: np.ndarray
    curvature: np.ndarray
    boundary: tuple[str, ...]

    @property
    def gradient_norm(self) -> float:
        """Largest gradient along an axis of curvature, in units of the standard error."""
        shares, _ = _shares(Axes(self.curvature), self.gradient)
        return float(np.sqrt(shares.max(initial=0.0)))

    @property
    def saddle(self) -> bool:
        """Whether the criterion falls on both sides of the point."""
        return _falls_away(Axes(self.curvature))

    @property
    def eigenvalues(self) -> np.ndarray:
        """Eigenvalues of the curvature, ascending, (n,)."""
        return np.linalg.eigvalsh(self.curvature)


@dataclass(frozen=True, eq=False)
class Optimum:
    """The point where an optimiser stopped; it is judged when that is asked for.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Parameters as the objective takes them.
    value : float
        The criterion.
    gradient : ndarray, shape (n,)
    curvature : ndarray, shape (n, n)
    evaluations : int
        Evaluations of the objective, with or without derivatives.
    optimizer : str
    log : tuple of (ndarray, float)
        Every accepted point and its value.
    exact : bool
        The curvature is the Hessian.
    certified : bool
        The curvature was computed at x, exactly or as a model of the Hessian; otherwise it is what
        the search made of its gradients.
    parameters : str
        What x holds, for messages.
    """

    x: np.ndarray
    value: float
    gradient: np.ndarray
    curvature: np.ndarray
    evaluations: int
    optimizer: str
    log: tuple[tuple[np.ndarray, float], ...] = field(repr=False)
    exact: bool = True
    certified: bool = True
    parameters: str = "variance parameters"
    _objective: Objective | None = field(default=None, repr=False)
    _axes: Axes | None = field(default=None, repr=False)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "certificate": self.certificate, "_objective": None, "_axes": None}

    @cached_property
    def certificate(self) -> Certificate:
        """The judgement."""
        assert self._objective is not None
        return certify(self, self._objective)

    def judged(self, verdict: str, message: str) -> Optimum:
        """The same point with a verdict from elsewhere."""
        other = replace(self)
        other.__dict__["certificate"] = replace(self.certificate, verdict=verdict, message=message)
        return other

    def counted(self, evaluations: int, optimizer: str) -> Optimum:
        """The same point with the evaluations of all searches, and the optimiser asked for."""
        other = replace(self, evaluations=evaluations, optimizer=optimizer)
        other.__dict__["certificate"] = self.certificate
        return other

    def at_rest(self) -> Optimum:
        """The same point, judged, without its objective."""
        other = replace(self, _objective=None)
        other.__dict__["certificate"] = self.certificate
        return other

    @property
    def verdict(self) -> str:
        """See `Certificate`."""
        return self.certificate.verdict

    @property
    def message(self) -> str:
        """The verdict in words."""
        return self.certificate.message

    @property
    def boundary(self) -> tuple[str, ...]:
        """The parameters on a boundary, in words."""
        return self.certificate.boundary

    @property
    def converged(self) -> bool:
        """An optimum was found, inside or on a boundary."""
        return self.verdict in ("converged", "singular")

    @property
    def singular(self) -> bool:
        """Some variance is zero or some correlation is +-1."""
        return bool(self.boundary)


def certify(optimum: Optimum, objective: Objective) -> Certificate:
    """Judge a point from its gradient and curvature, and from what its objective knows of it.

    The Newton decrement says how far the criterion is from its minimum in the only units that
    matter, its own; it does not change with the scale of any covariate.
    """
    shape = _shape(optimum)
    boundary = tuple(objective.null_directions(optimum.x))
    verdict, message = _judgement(optimum, objective, shape, boundary)
    return Certificate(
        verdict, message, shape.decrement, optimum.gradient, optimum.curvature, boundary
    )


class _Shape(NamedTuple):
    """The criterion around a point, by its gradient and curvature.

    ``noise`` is the rounding of its value, ``decrement`` what it could still fall by, ``slope`` the
    largest along ``directions`` (n, m) without curvature.
    """

    noise: float
    decrement: float
    saddle: bool = False
    directions: np.ndarray = np.empty((0, 0))
    slope: float = 0.0


def _shape(optimum: Optimum) -> _Shape:
    g = optimum.gradient
    axes = Axes(optimum.curvature) if optimum._axes is None else optimum._axes
    noise = VALUE_NOISE * max(1.0, abs(optimum.value))
    if not g.size:
        return _Shape(noise, 0.0)
    if axes.root is not None:
        scaled = g * axes.scale
        return _Shape(noise, 0.5 * float(scaled @ lapack.dpotrs(axes.root, scaled)[0]))
    shares, flat = _shares(axes, g)
    directions = _flat_directions(axes, flat)
    slope = float(np.abs(directions.T @ g).max(initial=0.0))
    return _Shape(noise, 0.5 * float(shares.sum()), _falls_away(axes), directions, slope)


def _falls_away(axes: Axes) -> bool:
    return axes.root is None and bool(axes.lowest < -SADDLE_SHARE * axes.top)


def _judgement(
    optimum: Optimum, objective: Objective, shape: _Shape, boundary: tuple[str, ...]
) -> tuple[str, str]:
    """The verdict, and it in words: the first that applies, the gravest first."""
    x, decrement, noise = optimum.x, shape.decrement, shape.noise
    if infinite := objective.at_infinity(x, optimum.curvature):
        return "not identified", "; ".join(infinite)
    if doubts := objective.doubts(x, optimum.value):
        return "breaks down", "; ".join(doubts)
    rounding = objective.rounding(x)
    if rounding > max(ROUNDING_TOLERANCE, noise):
        return "not converged", (
            f"the criterion has lost its digits, it is good to {rounding:.1g}: several grouping "
            "factors that can stand for each other have variances too large beside the residual "
            f"one. {objective.exact_advice}"
        )
    if reason := _stopped_short(optimum, shape):
        return "not converged", (
            f"the optimiser {optimum.optimizer!r} {reason}. Try {objective.advice}"
        )
    if _unidentified(objective, optimum, shape.directions):
        return "not identified", (
            f"the criterion is flat in some direction of the {optimum.parameters}"
            f"{_named(objective, shape.directions)}: the data do "
            f"not determine them separately. {objective.simpler}"
        )
    if boundary:
        return "singular", "converged on the boundary (singular fit): " + "; ".join(boundary)
    curved = "every direction is curved" if optimum.exact else "so its average information says"
    within = max(decrement, noise, rounding)
    return (
        "converged",
        f"converged: the criterion is within {within:.1g} of its minimum and {curved}",
    )


def _stopped_short(optimum: Optimum, shape: _Shape) -> str:
    """Why the point is no optimum, in words; empty if it is one."""
    if not optimum.certified:
        return "stopped where the criterion has no derivatives around it"
    if shape.saddle:
        return "stopped at a saddle point of the criterion"
    if shape.decrement > max(DECREMENT_TOLERANCE, shape.noise):
        return (
            "stopped before the optimum: the criterion can still fall by about "
            f"{shape.decrement:.2g}"
        )
    if shape.slope > max(SLOPE_TOLERANCE, shape.noise):
        return "stopped where the criterion still falls along a direction without curvature"
    return ""


def _shares(axes: Axes, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Twice the fall of the criterion along each axis, none along flat ones; which are flat."""
    size = np.abs(axes.values)
    flat = size < IDENTIFIED_SHARE * axes.top
    along = axes.vectors.T @ (gradient * axes.scale)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return np.where(flat, 0.0, along**2 / size), flat


def _flat_directions(axes: Axes, flat: np.ndarray) -> np.ndarray:
    """Unit vectors along which there is no curvature, in the parameters themselves, (n, m)."""
    if not flat.any():
        return np.empty((flat.size, 0))
    out = axes.vectors[:, flat] * np.where(axes.scale > 0.0, axes.scale, 1.0)[:, None]
    return out / np.linalg.norm(out, axis=0)


def _unidentified(objective: Objective, optimum: Optimum, directions: np.ndarray) -> bool:
    """Whether the model changes along directions (n, m) in which the criterion does not."""
    if not directions.size:
        return False
    x = optimum.x
    directions = np.linalg.qr(directions)[0]
    if np.linalg.norm(objective.changes(x, directions), 2) > CHANGED:
        return True
    # from a variance of zero the model moves with the square of the step: flat is what stays so
    # over a whole unit
    objective = objective.fresh()
    here = objective.evaluate(x, 0).value
    for d in directions.T:
        if np.linalg.norm(objective.changes(x + d, d[:, None])) > CHANGED:
            there = objective.evaluate(x + d, 0).value
            if abs(there - here) < LEVEL * (1.0 + abs(here)):
                return True
            if _level_along_a_curve(objective, optimum, directions, d, here):
                return True
    return False


def _level_along_a_curve(
    objective: Objective, optimum: Optimum, flat: np.ndarray, d: np.ndarray, here: float
) -> bool:
    """Whether the criterion keeps its value ``here`` along d where the other parameters give way.

    A variance may take over what another gives up, along a circle: from a step along d Newton
    steps across the directions ``flat`` (n, m), with the curvature of the optimum, lead back to it.
    """
    across = np.linalg.qr(flat, mode="complete")[0][:, flat.shape[1] :]
    H = across.T @ optimum.curvature @ across
    x = optimum.x + CURVE_STEP * d
    for _ in range(CURVE_STEPS):
        e = try_evaluate(objective, x, 1)
        if e is None:
            return False
        if abs(e.value - here) < LEVEL * (1.0 + abs(here)):
            return True
        x = x - across @ np.linalg.lstsq(H, across.T @ e.gradient, rcond=None)[0]
    return False


def _named(objective: Objective, directions: np.ndarray) -> str:
    """The parameters with a share in flat directions, as far as they have names."""
    size = np.abs(directions).max(axis=1, initial=0.0)
    shares = zip(objective.names(), size, strict=False)
    names = [name for name, share in shares if share > SHARE_TO_NAME]
    return f" ({listing(names)})" if names else ""
