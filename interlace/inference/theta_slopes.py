"""What the estimation of the variance parameters adds to the variance of predictions.

The estimates beta(theta) and b(theta) = Lambda u(theta) of a linear model solve, with W the
weights and r = y - X beta - Zb,

    Lambda'Z'W r = u,    X'W r = 0.

Differentiated in one parameter, of which Lambda has the derivative D, with M = Lambda'Z'WZ Lambda
+ I, U = M^{-1}Lambda'Z'WX and P = X'WX - X'WZ Lambda U,

    g = D'Z'W r - Lambda'Z'W (Z D u),
    d beta = -P^{-1} (X'W (Z D u) + U'g),
    d u = M^{-1} g - U d beta,    d b = D u + Lambda d u,

and x'beta + z'b has a variance from theta of (slopes)' Cov(theta) (slopes): the delta method, as
glmmTMB's standard errors have it. The estimate of the rest, the variance given theta, is too small
by as much on average, with theta by REML: twice the share makes up for it (Kackar and Harville
1984; Prasad and Rao 1990).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..design.indicators import row_products
from ..linalg.information import variance_of
from .joint_variance import by_row, scaled_crossproduct, weighted_columns
from .satterthwaite import variance_derivatives

# Of differences of templates in x: they are exact where these are linear, good to 1e-9 elsewhere.
STEP = 3e-5

if TYPE_CHECKING:
    from ..models.lmm import LMMFit
    from .prediction_rows import PredictionRows


class EstimateSlopes(NamedTuple):
    """Derivatives of the estimates in x, theta on the optimiser's scale.

    Attributes
    ----------
    beta : (p, n_theta) ndarray
    b : list of (l_b, k_b, n_theta) ndarray
    """

    beta: np.ndarray
    b: list[np.ndarray]


def residual_df(fit: LMMFit) -> float:
    """Degrees of freedom of the residual variance: 2 sigma^4 over the variance of its estimate."""
    if not fit.sigma > 0.0:
        return np.inf
    variance = variance_derivatives(fit).A[-1, -1]  # of sigma
    return float(fit.re_scale**2 / (2.0 * variance)) if variance > 0.0 else np.inf


def theta_variance(fit: LMMFit, rows: PredictionRows, masks: list[np.ndarray]) -> np.ndarray:
    """Variance of x'beta + z'b from theta, (r,): nothing of directions on a boundary."""
    if not fit.sigma > 0.0:
        return np.zeros(len(rows.index))
    of = estimate_slopes(fit)
    slopes = rows.X @ of.beta
    for (codes, Z), mask, b in zip(rows.factors, masks, of.b, strict=True):
        slopes = slopes + by_row(codes, Z, mask[:, None] * b)
    if rows.moves is not None:
        slopes = slopes + rows.moves
    m = slopes.shape[1]
    return variance_of(slopes, variance_derivatives(fit).A[:m, :m])


def estimate_slopes(fit: LMMFit) -> EstimateSlopes:
    """The derivatives of beta and b; kept."""
    if "estimate slopes" not in fit.memo:
        fit.memo["estimate slopes"] = _estimate_slopes(fit)
    return fit.memo["estimate slopes"]


def _by_differences(fit: LMMFit) -> EstimateSlopes:
    """In the parameters of a residual covariance too, and without rows."""
    objective, beta = fit.objective, []
    b: list[list[np.ndarray]] = [[] for _ in fit.u]
    for unit in np.eye(fit.x.size):
        up, down = objective.solution(fit.x + STEP * unit), objective.solution(fit.x - STEP * unit)
        beta.append((up.beta - down.beta) / (2.0 * STEP))
        for own, *of in zip(b, up.u, up.T, down.u, down.T, strict=True):
            own.append((of[0] @ of[1].T - of[2] @ of[3].T) / (2.0 * STEP))
    slopes = np.array(beta).reshape(fit.x.size, fit.p).T
    return EstimateSlopes(slopes, [np.stack(own, axis=2) for own in b])


def _estimate_slopes(fit: LMMFit) -> EstimateSlopes:
    if fit.phi.size or not fit.has_rows:
        return _by_differences(fit)
    factor, design, w = fit.factor_at_optimum(), fit.design, fit.working_weights
    ends = np.cumsum([0, *(u.size for u in fit.u)])
    Wr = w * (design.y - fit.mu)
    templates = _template_slopes(fit)
    moved = np.zeros((fit.n, len(templates)))  # Z D u
    g = np.zeros((ends[-1], len(templates)))
    for j, (b, D) in enumerate(templates):
        f = design.factors[b]
        moved[:, j] = row_products(f.Z, f.codes, fit.u[b] @ D.T)
        sums = [np.bincount(f.codes, f.Z[:, i] * Wr, len(f.levels)) for i in range(len(D))]
        g[ends[b] : ends[b + 1], j] = (np.array(sums).T @ D).ravel()
    g -= scaled_crossproduct(fit, [w[:, None] * moved])
    du, beta = factor.solve(g), np.zeros((0, len(templates)))
    if fit.p:
        U = factor.solve(scaled_crossproduct(fit, weighted_columns(fit, [design.current])))
        beta = -(fit.cov_beta / fit.sigma**2) @ (design.X.T @ (w[:, None] * moved) + U.T @ g)
        du = du - U @ beta
    slopes = [
        np.einsum("ij,ljm->lim", T, du[a:e].reshape(*u.shape, -1))
        for T, u, a, e in zip(fit.T, fit.u, ends, ends[1:], strict=False)
    ]
    for j, (b, D) in enumerate(templates):
        slopes[b][:, :, j] += fit.u[b] @ D.T
    return EstimateSlopes(beta, slopes)


def _template_slopes(fit: LMMFit) -> list[tuple[int, np.ndarray]]:
    """Grouping factor and derivative of its template, on the scale of the data, by parameter."""
    out = []
    for b, unit in zip(fit.covariance.theta_factor, np.eye(fit.x.size), strict=True):
        ends = [
            fit.covariance.templates(fit.scale.theta(fit.x + side * STEP * unit))[b]
            for side in (1.0, -1.0)
        ]
        out.append((int(b), (ends[0] - ends[1]) / (2.0 * STEP)))
    return out
