"""The record of an optimisation and its certificate."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..objective.base import Evaluation, Objective

# The criterion could still fall by this much (Newton decrement): far below what any estimate or
# test statistic shows. lme4 accepts 2e-3 in the same units of a scaled gradient.
DECREMENT_TOLERANCE = 1e-6
# An eigenvalue of the curvature below this share of the largest (after scaling to unit diagonal)
# means that the data do not determine that direction.
IDENTIFIED_SHARE = 1e-9
# The criterion's rounding error, relative: log|M| and the residual sum are sums of n terms.
VALUE_NOISE = 1e-12


@dataclass(frozen=True)
class Optimum:
    """Where an optimiser stopped and what is known about that point.

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
    verdict : str
        ``"converged"``, ``"singular"`` (converged on a boundary), ``"not identified"`` or
        ``"not converged"``.
    message : str
        The verdict in words, with what to do if something is wrong.
    decrement : float
        How much the criterion could still fall, by its curvature.
    gradient_norm : float
        Largest gradient in units of the parameters' standard errors.
    eigenvalues : ndarray, shape (n,)
        Of the curvature, ascending.
    boundary : tuple of str
        What lies on a boundary, in words.
    log : tuple of (ndarray, float)
        Every accepted point and its value.
    """

    x: np.ndarray
    value: float
    gradient: np.ndarray
    curvature: np.ndarray
    evaluations: int
    optimizer: str
    verdict: str
    message: str
    decrement: float
    gradient_norm: float
    eigenvalues: np.ndarray
    boundary: tuple[str, ...]
    log: tuple[tuple[np.ndarray, float], ...] = field(default=(), repr=False)

    @property
    def converged(self) -> bool:
        """An optimum was found, inside or on a boundary."""
        return self.verdict in ("converged", "singular")

    @property
    def singular(self) -> bool:
        """Some variance is zero or some correlation is +-1."""
        return bool(self.boundary)


def certify(
    objective: Objective,
    x: np.ndarray,
    evaluation: Evaluation,
    *,
    evaluations: int,
    optimizer: str,
    log: list[tuple[np.ndarray, float]],
) -> Optimum:
    """Judge a point from its gradient and curvature (evaluated at order 2).

    The Newton decrement says how far the criterion is from its minimum in the only units that
    matter, its own; it does not change with the scale of any covariate.
    """
    g, H = evaluation.gradient, evaluation.curvature
    boundary = tuple(objective.null_directions(x))
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diagonal(H)), np.finfo(float).tiny))
    eigenvalues, vectors = np.linalg.eigh(H * scale[:, None] * scale)
    along = vectors.T @ (g * scale)
    top = max(float(np.abs(eigenvalues).max(initial=0.0)), np.finfo(float).tiny)
    noise = VALUE_NOISE * max(1.0, abs(evaluation.value))
    flat = eigenvalues < IDENTIFIED_SHARE * top
    steep = eigenvalues < -np.sqrt(IDENTIFIED_SHARE) * top
    floor = np.maximum(np.abs(eigenvalues), IDENTIFIED_SHARE * top)
    decrement = float(0.5 * np.sum(along[~flat] ** 2 / floor[~flat]))
    norm = float(np.max(np.abs(along) / np.sqrt(floor), initial=0.0, where=~flat))
    if decrement > max(DECREMENT_TOLERANCE, noise) or np.any(steep):
        verdict = "not converged"
        message = (
            f"the optimiser {optimizer!r} stopped before the optimum: the criterion can still "
            f"fall by about {decrement:.2g}. Try optimizer='newton', another theta0, or look "
            "for terms that the data cannot support"
        )
        if np.any(steep):
            message = (
                f"the optimiser {optimizer!r} stopped at a saddle point of the criterion. Try "
                "another theta0 or optimizer='bobyqa'"
            )
    elif np.any(flat) and not boundary:
        verdict = "not identified"
        message = (
            "the criterion is flat in some direction of the variance parameters: the data do "
            "not determine them separately. Remove a random-effect term or a column of one"
        )
    elif boundary:
        verdict = "singular"
        message = "converged on the boundary (singular fit): " + "; ".join(boundary)
    else:
        verdict = "converged"
        message = (
            f"converged: the criterion is within {max(decrement, noise):.1g} of its minimum and "
            "every direction is curved"
        )
    return Optimum(
        x=x,
        value=evaluation.value,
        gradient=g,
        curvature=H,
        evaluations=evaluations,
        optimizer=optimizer,
        verdict=verdict,
        message=message,
        decrement=decrement,
        gradient_norm=norm,
        eigenvalues=np.linalg.eigvalsh(H),
        boundary=boundary,
        log=tuple(log),
    )
