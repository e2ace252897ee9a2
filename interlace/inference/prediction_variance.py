"""Variances of linear predictors: of their estimates, and of the random effects left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..design.indicators import row_spread
from ..errors import ArgumentError
from ..linalg.information import variance_of
from .components import covariance_of_all
from .joint_variance import joint_variance
from .random_effects import effect_places, effect_predictors
from .theta_slopes import theta_variance
from .wald import degrees_of_freedom
from .which_effects import of_predictors

if TYPE_CHECKING:
    from ..models.kinds import AnyFit, MixedFit
    from ..models.lmm import LMMFit
    from .prediction_rows import PredictionRows


#: How often the variance from theta counts in that of a linear predictor with known effects.
THETA_SHARES = {"none": 0.0, "delta": 1.0, "corrected": 2.0}


def theta_share(fit: AnyFit, error: str | None, default: str) -> float:
    """The share of the variance from theta that is asked for; refused where it is not defined."""
    given, error = error is not None, default if error is None else error
    if fit.linear:
        return THETA_SHARES[error] if fit.T or fit.phi.size else 0.0
    if not fit.T:
        return 0.0
    if error == "corrected":
        raise ArgumentError(
            "theta_error='corrected' is for linear mixed models; 'delta' has the uncertainty of "
            "the covariance parameters to first order"
        )
    if fit.several or fit.family.own_predictors:
        if error == "none" and given:
            raise ArgumentError(
                "theta_error='none' is for models with one linear predictor and a family that lme4 "
                "has; standard errors of this one come from all parameters together"
            )
        return 0.0  # they have it anyway
    return THETA_SHARES[error]


def estimate_variance(
    fit: AnyFit, rows: PredictionRows, masks: list[np.ndarray], share: float = 0.0
) -> np.ndarray:
    """Variance of the linear predictor's estimate, (r,), with a share of that from theta."""
    out = np.zeros(len(rows.index))
    known = with_known_effects(rows, masks)
    if known.any():
        mixed = cast("MixedFit", fit)
        by_theta = np.zeros((known.size, fit.theta.size)) if share and not fit.linear else None
        out = joint_variance(mixed, rows, masks, theta_slopes=by_theta)
        if share and fit.linear:
            out = out + share * theta_variance(fit, rows, masks)
        if rows.rest:
            out = out + _rest_covariance(fit, rows, masks, True).sum(axis=(0, 1))
    if not known.all():
        out[~known] = variance_of(rows.X[~known], covariance_of_all(fit))
    if share and rows.forecast is not None:
        alone = rows.forecast & ~known  # without random effects
        out = out + np.where(alone, share * theta_variance(cast("LMMFit", fit), rows, masks), 0.0)
    return out


def estimate_df(fit: AnyFit, rows: PredictionRows, masks: list[np.ndarray]) -> np.ndarray:
    """Degrees of freedom of that variance, (r,); infinite with known random effects."""
    df = np.full(len(rows.index), np.inf)
    known = with_known_effects(rows, masks)
    if rows.forecast is not None:
        known = known | rows.forecast
    if not known.all():
        with np.errstate(invalid="ignore"):  # rows of zeros have no variance
            own = degrees_of_freedom(fit, rows.X[~known])
        df[~known] = np.where(np.isnan(own), np.inf, own)
    return df


def with_known_effects(rows: PredictionRows, masks: list[np.ndarray]) -> np.ndarray:
    """Whether a random effect that the fit knows enters a row, (r,)."""
    known = np.zeros(len(rows.index), dtype=bool)
    for (codes, _), mask in zip(rows.factors, masks, strict=True):
        if mask.any():
            known |= codes >= 0
    return known


def unknown_variance(
    fit: AnyFit,
    rows: PredictionRows,
    masks: list[np.ndarray],
    T: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """s^2 z'TT'z of the random effects that do not enter, or whose level is new, (r,).

    ``T`` are templates in place of those of the fit.
    """
    out = np.zeros(len(rows.index))
    for (codes, Z), template, mask in zip(rows.factors, fit.T if T is None else T, masks):
        entering = mask & (codes >= 0)[:, None]
        if not entering.all():
            out += row_spread(Z * ~entering, template)
    rest = _rest_covariance(fit, rows, masks, False, T).sum(axis=(0, 1)) if rows.rest else 0.0
    return fit.re_scale**2 * out + rest


def unknown_covariance(
    fit: AnyFit,
    rows: PredictionRows,
    masks: list[np.ndarray],
    T: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Covariances in all linear predictors of what :func:`unknown_variance` is of, (K, K, r).

    ``T`` are templates in place of those of the fit.
    """
    K = len(fit.design.predictors)
    out = np.zeros((K, K, len(rows.index)))
    parts = zip(rows.factors, fit.T if T is None else T, masks, fit.design.factors, strict=True)
    for (codes, Z), template, mask, factor in parts:
        left_out = Z * ~(mask & (codes >= 0)[:, None])
        stars = [(left_out * (factor.predictor == a)) @ template for a in range(K)]
        _add_products(out, stars)
    out *= fit.re_scale**2
    return out + _rest_covariance(fit, rows, masks, False, T) if rows.rest else out


def _rest_covariance(
    fit: AnyFit,
    rows: PredictionRows,
    masks: list[np.ndarray],
    entering: bool,
    T: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Covariances in all predictors of known levels given those with rows, (K, K, r).

    Of the effects that enter, or of those that do not. ``T`` are templates in place of those of
    the fit.
    """
    K = len(fit.design.predictors)
    out = np.zeros((K, K, len(rows.index)))
    for b, rest in rows.rest.items():
        mixed = cast("MixedFit", fit)
        at, of = effect_places(mixed, b), effect_predictors(mixed, b)
        template = (fit.T if T is None else T)[b][np.ix_(at, at)]
        own = rest * (masks[b][at] == entering)
        stars = [(own * (of == a)) @ template for a in range(K)]
        _add_products(out, stars)
    return fit.re_scale**2 * out


def _add_products(out: np.ndarray, stars: Sequence[np.ndarray]) -> None:
    """Add the products of the rows (r, k) of each two predictors to (K, K, r)."""
    for a, left in enumerate(stars):
        for b, right in enumerate(stars):
            out[a, b] += np.einsum("rk,rk->r", left, right)


def estimate_covariance(fit: AnyFit, rows: PredictionRows, masks: list[np.ndarray]) -> np.ndarray:
    """Covariances of the estimates of all linear predictors, (K, K, r): see `estimate_variance`.

    0 for those that are one number: the parameter is given, as sigma is in a linear model. They are
    made of the variances of single predictors and of sums of two.
    """
    if not fit.several:
        return estimate_variance(fit, rows, masks)[None, None]
    names = list(fit.design.predictors)
    K, r = len(names), len(rows.index)

    def variance(*which: int) -> np.ndarray:
        slopes = np.zeros((K, r))
        slopes[list(which)] = 1.0
        own = of_predictors(fit, masks, [names[k] for k in which])
        return estimate_variance(fit, rows.sloped(fit, slopes), own)

    out = np.zeros((K, K, r))
    free = [k for k, name in enumerate(names) if k == 0 or not cast("Any", fit).is_number(name)]
    for place, a in enumerate(free):
        out[a, a] = variance(a)
        for b in free[:place]:
            with np.errstate(invalid="ignore"):
                out[a, b] = out[b, a] = 0.5 * (variance(a, b) - out[a, a] - out[b, b])
    return out
