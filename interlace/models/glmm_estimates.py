"""The optimum of a generalised linear mixed model, back on the scale of the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..linalg.crossproducts.fixed import CentredColumns
from ..linalg.information import Information, inverse_where_determined, side_by_side
from ..objective.generalised.joint_modes import JointModeObjective, JointPoint
from ..objective.generalised.laplace import LaplaceObjective
from ..objective.generalised.modes import Point
from ..objective.generalised.problem import Problem
from ..objective.generalised.restricted import RestrictedLaplace
from ..objective.layout import Layout, Predictor
from ..optimize import Optimum
from .predictors_fit import PredictorsEstimates


@dataclass(frozen=True)
class GLMMEstimates(PredictorsEstimates):
    """All estimates at the optimum, on the scale of the data.

    Attributes
    ----------
    T : tuple of ndarray, shape (k_b, k_b)
        Templates; the covariance matrix of the effects is T T'.
    u : tuple of ndarray, shape (l_b, k_b)
        Spherical conditional modes: b = u T'.
    cov_modes : tuple of ndarray, shape (l_b, k_b, k_b)
        Conditional covariances of the modes b; () where there are too many, those of a series.
    """

    T: tuple[np.ndarray, ...]
    u: tuple[np.ndarray, ...]
    cov_modes: tuple[np.ndarray, ...]


def estimates(objective: LaplaceObjective | JointModeObjective, optimum: Optimum) -> GLMMEstimates:
    """All estimates at the optimum of an objective."""
    x, H = optimum.x, optimum.curvature
    theta, gamma, zeta = objective.split(x)
    H = without_information(H, list(objective.endless(x, H)))
    problem, scale = objective.problem, objective.scale
    point, beta, cov = fixed_estimates(objective, x, H)
    T = scale.natural(scale.templates(theta))
    many = isinstance(problem.fixed, CentredColumns)
    if many and isinstance(objective, LaplaceObjective) and isinstance(point, Point):
        objective.forget_slopes(point)
    eta = problem.natural_eta(_own(problem.unsorted(point.eta), point.eta), gamma)
    return GLMMEstimates(
        beta=beta,
        slices=problem.slices,
        zeta=problem.parameters(eta, gamma, zeta),
        T=T,
        u=tuple(own.copy() for own in objective.spherical(point.u, theta)),
        eta=eta,
        weight=_weight(problem, point),
        covariance=cov,
        cov_modes=tuple(objective.cov_modes(T)),
    )


def _weight(problem: Problem, point: Point | JointPoint) -> np.ndarray | None:
    """Information of the rows; none of many of one predictor, where it follows from eta."""
    if isinstance(problem.fixed, CentredColumns) and not problem.density.by_row:
        return None
    return _own(problem.unsorted(point.weight), point.weight)


def _own(values: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Values that are no array of the search's."""
    return values.copy() if values is source else values


def fixed_estimates(
    objective: LaplaceObjective | JointModeObjective, x: np.ndarray, H: np.ndarray
) -> tuple[Point | JointPoint, np.ndarray, np.ndarray | Information]:
    """The modes at x, coefficients, and the covariance matrix of all parameters."""
    problem, to_theta = objective.problem, objective.scale.jacobian()
    theta, gamma, zeta = objective.split(x)
    if isinstance(objective, LaplaceObjective):
        point = objective.last_point(x)
        information = Information(H, side_by_side(to_theta, problem.natural(zeta.size)))
        if not isinstance(objective, RestrictedLaplace):
            return point, problem.beta(gamma), information
        return point, *_with_mean(objective, x, H, information.covariance)
    back, logs = problem.back, np.eye(zeta.size)
    joint = objective.point(x)
    layout = Layout([Predictor("mean", theta.size, len(back), zeta.size)])
    at, cov = layout.of["mean"], np.zeros((layout.size, layout.size))
    others = np.r_[at.theta, at.zeta]
    cov[np.ix_(others, others)] = 2.0 * inverse_where_determined(H, side_by_side(to_theta, logs))
    cov[at.beta, at.beta] = inverse_where_determined(joint.information, back)
    return joint, problem.beta(joint.gamma), cov


def _with_mean(
    objective: RestrictedLaplace, x: np.ndarray, H: np.ndarray, cov: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """All coefficients, the mean's first, and the covariance matrix of all parameters (REML)."""
    theta, gamma, _ = objective.split(x)
    mean, covariance, D = objective.mean_coefficients(x)
    C = 2.0 * inverse_where_determined(H, np.eye(len(H)))
    C[~np.isfinite(C)] = 0.0
    to_data = side_by_side(objective.scale.jacobian(), objective.problem.back)
    cross = D @ C @ to_data.T
    m, p = theta.size, mean.size
    out = np.empty((m + p + len(cov) - m,) * 2)
    own, others = np.r_[m : m + p], np.r_[:m, m + p : len(out)]
    out[np.ix_(own, own)] = covariance + D @ C @ D.T
    out[np.ix_(own, others)], out[np.ix_(others, own)] = cross, cross.T
    out[np.ix_(others, others)] = cov
    return np.concatenate([mean, objective.problem.beta(gamma)]), out


def without_information(H: np.ndarray, lost: list[int]) -> np.ndarray:
    """H with some parameters apart from the others, and without information."""
    if not lost:
        return H
    out = H.copy()
    out[lost] = out[:, lost] = 0.0
    return out
