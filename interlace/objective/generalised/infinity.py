"""Parameters of a family whose best value is not finite."""

from __future__ import annotations

import numpy as np

from .problem import Problem

__all__ = ["endless"]

# Predictors of a family's parameter that are nothing out of the ordinary.
USUAL = (0.0, 1.0)


def endless(
    problem: Problem,
    gamma: np.ndarray,
    zeta: np.ndarray,
    places: np.ndarray,
    curvature: np.ndarray,
) -> dict[int, str]:
    """Parameters whose best value is not finite, by their place in x, and why, with remedy.

    ``places`` are those of (gamma, zeta) in x, which the curvature of a criterion goes with.
    """
    numbers, zeta = problem.numbers(gamma, zeta)
    if not numbers:
        return {}
    infinite = problem.density.infinite
    places = places[list(numbers)]
    information = np.full(zeta.size, np.inf)
    information[list(numbers.values())] = _left_information(curvature, places)
    limits: dict[int, str] = {}
    while limit := infinite(zeta, information):
        # it is said of the parameter with whose usual values it is not
        for place, k in zip(places.tolist(), numbers.values(), strict=True):
            usual = [np.where(np.arange(zeta.size) == k, v, zeta) for v in USUAL]
            other = next((z for z in usual if infinite(z, information) != limit), None)
            if other is not None and place not in limits:
                limits[place], zeta = limit[0], other
                break
        else:
            limits.setdefault(int(places[-1]), limit[0])
            break
    return limits


def _left_information(curvature: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Information on some parameters that all others but these leave, one by one, (m,)."""
    others = np.setdiff1d(np.arange(len(curvature)), places)
    rest, cross = curvature[np.ix_(others, others)], curvature[np.ix_(others, places)]
    explained = np.einsum("im,im->m", cross, np.linalg.lstsq(rest, cross, rcond=None)[0])
    return 0.5 * (np.diagonal(curvature)[places] - explained)
