"""Quantities averaged over the random effects that are not known.

With S the covariance matrix of the random part of the linear predictors eta, as theta has it,

    E q = integral of q(eta_0 + v) over v ~ N(0, S(theta)).

Its variance is by the delta method on all parameters, theta among them: S moves with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from ..design.predictor import MEAN
from ..linalg.information import variance_of
from .joint_variance import joint_variance
from .normal_nodes import FINE, normal_blocks
from .prediction_variance import unknown_covariance, with_known_effects
from .quantities import Quantity, differences

if TYPE_CHECKING:
    from ..models.glmm import GLMMFit
    from ..models.kinds import AnyFit, MixedFit
    from .prediction_rows import PredictionRows

# Of central differences in theta, relative to it: what is averaged is good to 1e-12.
THETA_STEP = 1e-4
# A predictor out of the range of the link with a probability below this does not count.
NEGLIGIBLE = 1e-9


def averaged(fit: AnyFit, target: Quantity, etas: np.ndarray, S: np.ndarray) -> np.ndarray:
    """The mean of a quantity over linear predictors N(etas, S), for (K, r) and (K, K, r), (r,).

    Missing where these leave the range of the link.
    """
    if not fit.several and fit.family.link.linear:
        return target.value(etas)
    used = _used(fit, target)
    S = np.where(used[:, None, None] & used[:, None], S, 0.0)
    bounded = MEAN in target.predictors
    out = np.full(etas.shape[1], np.nan)
    usable = np.flatnonzero(np.isfinite(etas).all(axis=0) & np.isfinite(S).all(axis=(0, 1)))
    for block in normal_blocks(etas[:, usable], S[:, :, usable], FINE):
        K, m, N = block.etas.shape
        flat = block.etas.reshape(K, m * N)
        inside = np.ones((m, N), dtype=bool)
        if bounded:
            inside = fit.family.valid(flat[0]).reshape(m, N)
            flat[0] = np.where(inside.ravel(), flat[0], fit.family.inside)
        weights = np.where(inside, block.weights, 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            means = np.einsum("mN,mN->m", target.value(flat).reshape(m, N), weights)
        lost = np.where(inside, 0.0, block.weights).sum(axis=1) > NEGLIGIBLE
        out[usable[block.rows]] = np.where(lost, np.nan, means)
    return out


def _used(fit: AnyFit, target: Quantity) -> np.ndarray:
    """Whether a quantity depends on each linear predictor, (K,)."""
    return np.array([name in target.predictors for name in fit.design.predictors])


def averaged_slopes(fit: AnyFit, target: Quantity, etas: np.ndarray, S: np.ndarray) -> np.ndarray:
    """Slopes in the linear predictors of :func:`averaged`, (K, r)."""
    used = np.flatnonzero(_used(fit, target))
    out = np.zeros_like(etas)

    def value(own: np.ndarray) -> np.ndarray:
        moved = etas.copy()
        moved[used] = own
        return averaged(fit, target, moved, S)

    out[used] = differences(value, etas[used])
    return out


def averaged_variance(
    fit: MixedFit,
    target: Quantity,
    rows: PredictionRows,
    masks: list[np.ndarray],
    etas: np.ndarray,
    slopes: np.ndarray,
) -> np.ndarray:
    """Variance of :func:`averaged` with random effects, coefficients and theta estimated, (r,)."""
    bent = rows.sloped(fit, slopes)
    by_theta = theta_slopes(
        fit,
        lambda T: averaged(fit, target, etas, unknown_covariance(fit, rows, masks, T)),
        (len(rows.index),),
    )
    if with_known_effects(bent, masks).any():
        return joint_variance(fit, bent, masks, theta_slopes=by_theta)
    m = by_theta.shape[1] + bent.X.shape[1]
    cov = cast("GLMMFit", fit).cov_all[:m, :m]
    return variance_of(np.concatenate([by_theta, bent.X], axis=1), cov)


def theta_slopes(
    fit: MixedFit, mean: Callable[[Sequence[np.ndarray]], np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    """Slopes in theta, (..., n_theta), of a function of templates whose values have a shape.

    They are 0 where theta is on a boundary, where it has no variance.
    """
    theta, cov = fit.theta, cast("GLMMFit", fit).cov_all
    out = np.zeros((*shape, theta.size))
    for j in np.flatnonzero(np.isfinite(np.diagonal(cov)[: theta.size])):
        step = THETA_STEP * max(abs(theta[j]), THETA_STEP)
        ends = []
        for moved in (theta[j] + step, theta[j] - step):
            at = theta.copy()
            at[j] = moved
            ends.append(mean(fit.covariance.templates(at)))
        out[..., j] = (ends[0] - ends[1]) / (2.0 * step)
    return out
