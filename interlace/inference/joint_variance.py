"""The joint variance of coefficients and random effects, given the variance parameters."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..design.indicators import IndexedColumns, row_products
from ..linalg.crossproducts.predictors import place
from ..linalg.information import inverse_where_determined, variance_of
from .inverse_quadratic import inverse_quadratic

if TYPE_CHECKING:
    from ..models.glmm import GLMMFit
    from ..models.kinds import MixedFit
    from ..models.lmm_summed import SummedFit
    from .prediction_rows import PredictionRows


def joint_variance(
    fit: MixedFit,
    rows: PredictionRows,
    masks: list[np.ndarray],
    free: Collection[str] | None = None,
    theta_slopes: np.ndarray | None = None,
) -> np.ndarray:
    """Variance of x'beta_hat + z'(b_hat - b) given the variance parameters.

    With z* = Lambda'z, U = M^{-1}Lambda'Z'WX and the scale s of the random effects it is

        s^2 { z*'M^{-1}z* + (x - U'z*)' (X'WX - X'WZ Lambda U)^{-1} (x - U'z*) },

    W the prior weights of a linear model (s is sigma) or the working weights of another (s = 1).
    Of each row (r,), with the effects that the masks, (k_b,) per grouping factor, let enter. With
    several linear predictors beta and X are those of all of them, and W is the information of a
    row in all; ``free`` are those whose coefficients are not given, by default all. Then theta is
    not given either in these models, nor in others of families that lme4 has not: x - U'z* and the
    slope of z'b_hat in theta go with the covariance matrix of all parameters, as in TMB; so they
    do with ``theta_slopes`` (r, n_theta), what else of the prediction moves with theta.
    """
    if fit.linear:
        own = fit.objective.row_variances(fit.x, rows.X, rows.factors, masks)
        if own is not None:
            return fit.sigma**2 * np.maximum(own, 0.0)
    effects = conditional_effects(fit)
    variance = effects.row_variances(rows.factors, masks)
    if rows.X.shape[1] or _theta_counts(fit, free) or theta_slopes is not None:
        variance = variance + _parameter_share(effects, fit, rows, masks, free, theta_slopes)
    return np.maximum(variance, 0.0)


def conditional_effects(fit: MixedFit) -> Any:
    """The random effects given all parameters, with ``row_variances`` and ``of_columns``."""
    own = fit.series_effects()
    return ConditionalEffects(fit) if own is None else own


class ConditionalEffects:
    """The random effects of a fit given all parameters, by a factorisation of M."""

    def __init__(self, fit: MixedFit) -> None:
        self.fit, self._factor = fit, fit.factor_at_optimum()

    def row_variances(
        self, factors: list[tuple[np.ndarray, Any]], masks: list[np.ndarray]
    ) -> np.ndarray:
        """Variance of z'b of rows, (r,), for the effects that masks let enter."""
        stars = [
            (codes, (Z * mask) @ T)
            for (codes, Z), T, mask in zip(factors, self.fit.T, masks, strict=True)
        ]
        return self.fit.re_scale**2 * inverse_quadratic(self._factor, stars)

    def of_columns(self, WX: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
        """Lambda M^{-1}Lambda'Z'WX, (l_b, k_b, p) each, and X'WZ times it, (p, p)."""
        return self.of_crossproduct(scaled_crossproduct(self.fit, WX))

    def of_crossproduct(self, crossproduct: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """The same of Lambda'Z'WX."""
        U = self._factor.solve(crossproduct)
        starts = np.cumsum([0, *(u.size for u in self.fit.u)])
        parts = zip(self.fit.T, self.fit.u, starts, strict=False)
        blocks = [T @ U[start : start + u.size].reshape(*u.shape, -1) for T, u, start in parts]
        return blocks, crossproduct.T @ U


def _parameter_share(
    effects: Any,
    fit: MixedFit,
    rows: PredictionRows,
    masks: list[np.ndarray],
    free: Collection[str] | None,
    theta_slopes: np.ndarray | None,
) -> np.ndarray:
    """(x - U'z*)' Cov(beta_hat given theta) (x - U'z*) of each row; or theta with beta_hat."""
    predictors = fit.design.predictors if free is None else free
    given = not _theta_counts(fit, free) and theta_slopes is None
    unit = _units(fit) if given else None
    WX: list[np.ndarray] = []
    if fit.linear and not fit.has_rows:
        blocks, moved = effects.of_crossproduct(cast("SummedFit", fit).fixed_crossproduct())
    else:
        WX = weighted_columns(fit, predictors)
        WX = WX if unit is None else [W @ unit for W in WX]
        blocks, moved = effects.of_columns(WX)
    distance = np.array(rows.X) if unit is None else rows.X @ unit
    for (codes, Z), mask, block in zip(rows.factors, masks, blocks, strict=True):
        distance -= by_row(codes, Z, mask[:, None] * block)
    if given:
        return variance_of(distance, _cov_beta_given_theta(fit, WX, moved, predictors, unit))
    own_fit = cast("GLMMFit", fit)
    slopes = np.zeros((len(distance), fit.theta.size)) if theta_slopes is None else theta_slopes
    for (codes, Z), mask, own in zip(rows.factors, masks, own_fit.mode_slopes(), strict=True):
        slopes = slopes + by_row(codes, Z, mask[:, None] * own.transpose(1, 2, 0))
    # what lies on a boundary, where it has no variance, is given
    slopes[:, ~np.isfinite(np.diagonal(own_fit.cov_all)[: fit.theta.size])] = 0.0
    m = slopes.shape[1] + distance.shape[1]
    return variance_of(np.concatenate([slopes, distance], axis=1), own_fit.cov_all[:m, :m])


def _units(fit: MixedFit) -> np.ndarray | None:
    """Some C (p, p) for which X C has columns without correlation; None where X serves.

    Far from their means columns of X have sums of which a difference keeps no digits.
    """
    if fit.linear or fit.several or not fit.p:
        return None
    try:
        return np.linalg.cholesky(fit.cov_beta)
    except np.linalg.LinAlgError:  # coefficients without an end
        return None


def _theta_counts(fit: MixedFit, free: Collection[str] | None) -> bool:
    """Whether variances are those with theta estimated, as glmmTMB's, not with theta given."""
    return free is None and (fit.several or fit.family.own_predictors)


def by_row(codes: np.ndarray, z: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """z'B of each row, (r, p), for B (k, p) of its level, (l, k, p); 0 where that is not known."""
    known = codes >= 0
    own = np.where(known, codes, 0)
    if isinstance(z, IndexedColumns):
        each = [row_products(z, own, blocks[:, :, p]) for p in range(blocks.shape[2])]
        part = np.array(each).reshape(-1, len(codes)).T
    else:
        part = np.einsum("rk,rkp->rp", z, blocks[own])
    return np.where(known[:, None], part, 0.0)


def _cov_beta_given_theta(
    fit: MixedFit,
    WX: list[np.ndarray],
    moved: np.ndarray,
    free: Collection[str],
    unit: np.ndarray | None,
) -> np.ndarray:
    """(X'WX - X'WZ Lambda U)^{-1}, of X ``unit``; of a linear model, times sigma^2, it is known."""
    if fit.linear:
        return fit.cov_beta
    own = zip(fit.design.predictors.items(), WX, strict=True)
    if unit is None:
        XWX = np.concatenate([predictor.X.T @ W for (name, predictor), W in own if name in free])
    else:
        XWX = (fit.design.X @ unit).T @ WX[0]
    return inverse_where_determined(XWX - moved)


def weighted_columns(fit: MixedFit, free: Collection[str]) -> list[np.ndarray]:
    """WX by linear predictor, (n, p) each, for the columns of the free ones side by side."""
    if not fit.several:
        return [fit.weighted(fit.design.X)]
    weight = cast("np.ndarray", cast("GLMMFit", fit).solution.weight)
    columns = [
        (k, p.X) for k, (name, p) in enumerate(fit.design.predictors.items()) if name in free
    ]
    return [
        np.concatenate([X * weight[place(a, k)][:, None] for k, X in columns], axis=1)
        for a in range(len(fit.design.predictors))
    ]


def scaled_crossproduct(fit: MixedFit, WX: list[np.ndarray]) -> np.ndarray:
    """Lambda'Z'WX, (q, p)."""
    parts = []
    for factor, T in zip(fit.design.factors, fit.T, strict=True):
        shape = (len(factor.levels), T.shape[0], WX[0].shape[1])
        ZX = np.zeros(shape)
        if shape[0] == 1:
            for own in np.unique(factor.predictor):
                at = factor.predictor == own
                ZX[0, at] = np.asarray(factor.Z[:, at]).T @ WX[own]
            parts.append((T.T @ ZX).reshape(-1, shape[2]))
            continue
        for j, own in enumerate(factor.predictor):
            for i in range(shape[2]):
                products = factor.Z[:, j] * WX[own][:, i]
                ZX[:, j, i] = np.bincount(factor.codes, products, len(factor.levels))
        parts.append((T.T @ ZX).reshape(-1, shape[2]))
    return np.concatenate(parts)
