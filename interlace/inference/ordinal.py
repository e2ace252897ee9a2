"""Predictions of ordered categories: probabilities, categories and scores, with standard errors.

With z_j = (alpha_j - eta) / sigma the probabilities are differences of C_j = F(z_j); derivatives
are taken in eta and in the parameters zeta of thresholds and scale, and eta moves with the
coefficients and the modes of the random effects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pandas as pd

from ..calls import level as checked_level
from ..calls import one_of
from ..design.newdata import NewPredictor
from ..design.predictor import MEAN, NOMINAL, SCALE
from ..errors import ArgumentError
from ..linalg.information import variance_of
from ..objective.generalised.quadrature import normal_grid
from .averaged import theta_slopes
from .joint_variance import by_row, conditional_effects
from .linear_predictors import linear_predictor
from .prediction_rows import PredictionRows, prediction_rows
from .prediction_variance import unknown_variance, with_known_effects
from .tails import t_quantile
from .which_effects import which_effects

if TYPE_CHECKING:
    from ..models.ordinal import OrdinalFit, OrdinalMixedFit

    AnyOrdinal = OrdinalFit | OrdinalMixedFit

#: What is predicted; R's words and those of other results of this package.
TYPES = {
    "prob": "prob",
    "response": "prob",
    "probs": "prob",
    "class": "class",
    "cum.prob": "cum.prob",
    "cum_prob": "cum.prob",
    "linear.predictor": "linear.predictor",
    "linear_predictor": "linear.predictor",
    "mean.class": "mean.class",
    "mean_class": "mean.class",
    "link": "link",
    "latent": "link",
}
# Nodes of averages over random effects: as good as exact for standard deviations of several units.
NODES = 61


@dataclass(frozen=True)
class OrdinalRows:
    """Rows to predict: predictors, thresholds and scales, with what they move with.

    Attributes
    ----------
    eta, tau : ndarray, shape (r,)
        1 / sigma is tau.
    alpha : ndarray, shape (r, size)
    nominal, scale : ndarray, shape (r, a), (r, s)
        Covariates of thresholds and of log sigma.
    """

    fit: AnyOrdinal
    rows: PredictionRows | None
    masks: list[np.ndarray]
    eta: np.ndarray
    tau: np.ndarray
    alpha: np.ndarray
    nominal: np.ndarray
    scale: np.ndarray

    @property
    def z(self) -> np.ndarray:
        """(alpha - eta) / sigma, (r, size)."""
        return (self.alpha - self.eta[:, None]) * self.tau[:, None]


class Quantity(NamedTuple):
    """Values (r, q), their slopes in eta (r, q) and in zeta (r, q, m)."""

    values: np.ndarray
    in_eta: np.ndarray
    in_zeta: np.ndarray


def ordinal_rows(
    fit: AnyOrdinal,
    newdata: Any = None,
    include_re: Any = True,
    new_levels: str = "error",
    offset: Any = None,
    spread: bool = False,
) -> OrdinalRows:
    """The rows of newdata, or of the fit, with the random effects that enter."""
    masks = which_effects(fit, include_re) if fit.T else []
    names = [name for name in (MEAN, NOMINAL, SCALE) if name in fit.design.predictors]
    rows = prediction_rows(fit, newdata, masks, new_levels, offset, spread, names)
    if spread and rows.lacking is not None:
        raise ArgumentError(f"marginal=True needs all covariates: {rows.lacking}")
    return rows_at(fit, linear_predictor(fit, rows, masks), rows.predictors, rows, masks)


def rows_at(
    fit: AnyOrdinal,
    eta: np.ndarray,
    predictors: Mapping[str, NewPredictor],
    rows: PredictionRows | None = None,
    masks: list[np.ndarray] | None = None,
) -> OrdinalRows:
    """The rows at given predictors of the location, with the covariates of the others."""
    r = len(eta)
    nominal, scale, tau = np.ones((r, 1)), np.zeros((r, 0)), np.ones(r)
    if NOMINAL in predictors:
        nominal = predictors[NOMINAL].X
    if SCALE in predictors:
        own = predictors[SCALE]
        scale, tau = own.X, np.exp(-fit.log_scale_of(own))
    return OrdinalRows(fit, rows, masks or [], eta, tau, nominal @ fit.alpha, nominal, scale)


def cumulative(own: OrdinalRows, slopes: bool = True) -> Quantity:
    """P(y <= j) for all but the last category."""
    z, link = own.z, own.fit.family.link
    C, f = link.inverse_derivatives(z)[:2]
    if not slopes:
        return Quantity(C, np.empty(0), np.empty(0))
    return Quantity(C, -f * own.tau[:, None], f[:, :, None] * _in_zeta(own, z))


def _in_zeta(own: OrdinalRows, z: np.ndarray) -> np.ndarray:
    """Slopes of z in zeta, (r, size, m)."""
    fit = own.fit
    a, size = own.nominal.shape[1], z.shape[1]
    J = fit.alpha_jacobian.reshape(a, size, -1)
    out = np.einsum("ra,ajm->rjm", own.nominal, J) * own.tau[:, None, None]
    if own.scale.shape[1]:
        out[:, :, fit.n_thresholds :] = -z[:, :, None] * own.scale[:, None, :]
    return out


def probabilities(own: OrdinalRows, slopes: bool = True) -> Quantity:
    """P(y = j), exact in both tails."""
    family = own.fit.family
    values = family.probabilities(own.eta * own.tau, (own.alpha * own.tau[:, None]).T)
    values[np.isnan(values).any(axis=1)] = np.nan  # thresholds out of order
    if not slopes:
        return Quantity(values, np.empty(0), np.empty(0))
    C = cumulative(own)
    return Quantity(values, _differences(C.in_eta), _differences(C.in_zeta))


def _differences(values: np.ndarray) -> np.ndarray:
    """Along the second axis, with zeros before the first and after the last."""
    zero = np.zeros((len(values), 1, *values.shape[2:]))
    return np.diff(np.concatenate([zero, values, zero], axis=1), axis=1)


def mean_class(own: OrdinalRows, slopes: bool = True) -> Quantity:
    """The expected number of the category, from 1 on: 1 + sum_j P(y > j)."""
    C = cumulative(own, slopes)
    values = 1.0 + (1.0 - C.values).sum(axis=1, keepdims=True)
    if not slopes:
        return Quantity(values, C.in_eta, C.in_zeta)
    return Quantity(
        values, -C.in_eta.sum(axis=1, keepdims=True), -C.in_zeta.sum(axis=1, keepdims=True)
    )


def cumulative_predictors(own: OrdinalRows, slopes: bool = True) -> Quantity:
    """(alpha_j - eta) / sigma."""
    z = own.z
    return Quantity(z, np.repeat(-own.tau[:, None], z.shape[1], axis=1), _in_zeta(own, z))


def latent(own: OrdinalRows, slopes: bool = True) -> Quantity:
    """eta itself."""
    r, m = len(own.eta), own.fit.zeta.size
    return Quantity(own.eta[:, None], np.ones((r, 1)), np.zeros((r, 1, m)))


FUNCTIONS = {
    "prob": probabilities,
    "class": probabilities,
    "cum.prob": cumulative,
    "linear.predictor": cumulative_predictors,
    "mean.class": mean_class,
    "link": latent,
}


def columns_of(fit: AnyOrdinal, type: str) -> list[Any] | None:
    """Names of the columns of a type; None where it has one."""
    if type == "prob":
        return fit.levels.tolist()
    if type == "cum.prob":
        return fit.levels[:-1].tolist()
    return fit.family.threshold_names if type == "linear.predictor" else None


# -- variances ---------------------------------------------------------------------------------


def variances(own: OrdinalRows, quantity: Quantity) -> np.ndarray:
    """Variances of the estimates, by the delta method on all parameters, (r, q).

    Where known random effects enter, their variance given the parameters is in it, and the modes
    move with all parameters, as in TMB; else that of coefficients, thresholds and scale.
    """
    return _by_delta(own, quantity.in_eta, quantity.in_zeta)


def _by_delta(
    own: OrdinalRows, in_eta: np.ndarray, in_zeta: np.ndarray, in_theta: Any = None
) -> np.ndarray:
    """Variances, (r, q), by slopes in eta, in zeta and, beside that of eta, in theta."""
    fit = own.fit
    moves, given = _moves(own)
    m, out = fit.zeta.size, np.empty(in_eta.shape)
    for k in range(in_eta.shape[1]):
        slopes = in_eta[:, k, None] * moves
        slopes[:, slopes.shape[1] - m :] += in_zeta[:, k]
        if in_theta is not None:
            slopes[:, : fit.theta.size] += in_theta[:, k]
        out[:, k] = variance_of(slopes, fit.cov_all) + in_eta[:, k] ** 2 * given
    return out


def _moves(own: OrdinalRows) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of eta in (theta, beta, zeta), (r, P), and its variance at given ones, (r,)."""
    fit: Any = own.fit
    rows = own.rows
    assert rows is not None
    X = rows.predictors[MEAN].X
    q = fit.theta.size
    out = np.zeros((len(X), len(fit.cov_all)))
    out[:, q : q + X.shape[1]] = X
    if not with_known_effects(rows, own.masks).any():
        return out, np.zeros(len(X))
    for (codes, Z), mask, blocks in zip(
        rows.factors, own.masks, fit.all_mode_slopes(), strict=True
    ):
        out += by_row(codes, Z, mask[:, None] * blocks.transpose(1, 2, 0))
    # what lies on a boundary, where it has no variance, is given
    out[:, :q][:, ~np.isfinite(np.diagonal(fit.cov_all)[:q])] = 0.0
    return out, conditional_effects(fit).row_variances(rows.factors, own.masks)


# -- averages over random effects ----------------------------------------------------------------


def averaged(own: OrdinalRows, type: str, T: Any = None) -> np.ndarray:
    """Means of a quantity over the random effects that do not enter, (r, q)."""
    total: Any = 0.0
    for moved, weight in _at_nodes(own, T):
        total = total + weight * FUNCTIONS[type](moved, False).values
    return total


def averaged_variances(own: OrdinalRows, type: str) -> np.ndarray:
    """Variances of these, theta among the parameters, (r, q)."""
    in_eta: Any = 0.0
    in_zeta: Any = 0.0
    for moved, weight in _at_nodes(own):
        one = FUNCTIONS[type](moved)
        in_eta, in_zeta = in_eta + weight * one.in_eta, in_zeta + weight * one.in_zeta
    fit: Any = own.fit
    in_theta = theta_slopes(fit, lambda T: averaged(own, type, T), in_eta.shape)
    return _by_delta(own, in_eta, in_zeta, in_theta)


def _at_nodes(own: OrdinalRows, T: Any = None) -> Iterator[tuple[OrdinalRows, float]]:
    """The rows at each node of the effects that do not enter, with its weight."""
    assert own.rows is not None
    sd = np.sqrt(unknown_variance(own.fit, own.rows, own.masks, T))
    grid = normal_grid(NODES)
    weights = np.exp(grid.log_weights - 0.5 * grid.nodes[:, 0] ** 2)
    for node, weight in zip(grid.nodes[:, 0], weights, strict=True):
        yield replace(own, eta=own.eta + sd * node), weight


# -- tables --------------------------------------------------------------------------------------


def predict(
    fit: AnyOrdinal,
    newdata: Any = None,
    type: str = "prob",
    include_re: Any = True,
    new_levels: str = "error",
    offset: Any = None,
    se: bool = False,
    interval: bool = False,
    level: float = 0.95,
    marginal: bool = False,
) -> Any:
    """Predictions of a type: a frame with a column for each category or threshold, or a Series.

    With standard errors or intervals the columns stand below ``prediction, se, lower, upper``.
    """
    kind, own, values, averages = _asked(
        fit, newdata, type, include_re, new_levels, offset, marginal, se or interval
    )
    padded = newdata is None
    if kind == "class":
        return _classes(fit, own, values, padded)
    blocks = {"prediction": values}
    if se or interval:
        blocks["se"] = _errors(own, kind, averages)
    if interval:
        blocks["lower"], blocks["upper"] = limits(kind, values, blocks["se"], level)
    return _framed(fit, own, kind, blocks, padded, se or interval)


def _asked(
    fit: AnyOrdinal,
    newdata: Any,
    type: str,
    include_re: Any,
    new_levels: str,
    offset: Any,
    marginal: bool,
    errors: bool,
) -> tuple[str, OrdinalRows, np.ndarray, bool]:
    """The type meant, the rows, the values (r, q), and whether these are averages."""
    kind = TYPES[one_of("type", type, TYPES)]
    if kind == "class" and errors:
        raise ArgumentError(
            "type='class' is the most probable category, which has no standard error; those of its "
            "probability are in type='prob'"
        )
    if marginal and include_re is True and new_levels == "error":
        include_re = False
    own = ordinal_rows(fit, newdata, include_re, new_levels, offset, spread=marginal)
    averages = marginal and kind not in ("link", "linear.predictor") and bool(fit.T)
    values = averaged(own, kind) if averages else FUNCTIONS[kind](own, False).values
    return kind, own, values, averages


def _errors(own: OrdinalRows, kind: str, averages: bool) -> np.ndarray:
    if averages:
        return np.sqrt(averaged_variances(own, kind))
    return np.sqrt(variances(own, FUNCTIONS[kind](own)))


def with_errors(
    fit: AnyOrdinal,
    newdata: Any,
    type: str,
    include_re: Any,
    new_levels: str,
    offset: Any,
    marginal: bool,
) -> tuple[str, list[Any] | None, pd.Index, np.ndarray, np.ndarray]:
    """The type meant, labels of the columns, index, values (r, q) and standard errors (r, q)."""
    kind, own, values, averages = _asked(
        fit, newdata, type, include_re, new_levels, offset, marginal, True
    )
    blocks = {"prediction": values, "se": _errors(own, kind, averages)}
    frame = _framed(fit, own, kind, blocks, newdata is None, True)
    found = [frame[[name]].to_numpy() for name in blocks]
    return kind, columns_of(fit, kind), frame.index, found[0], found[1]


def limits(
    kind: str, values: np.ndarray, se: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Normal limits; of probabilities those of their logits, as in R."""
    half = float(t_quantile(checked_level("level", level), np.inf))
    if kind not in ("prob", "cum.prob"):
        return values - half * se, values + half * se
    with np.errstate(divide="ignore", invalid="ignore"):
        logit, error = np.log(values) - np.log1p(-values), se / (values * (1.0 - values))
        ends = [1.0 / (1.0 + np.exp(-(logit + s * half * error))) for s in (-1.0, 1.0)]
    return ends[0], ends[1]


def _classes(fit: AnyOrdinal, own: OrdinalRows, values: np.ndarray, padded: bool) -> pd.Series:
    known = np.isfinite(values).all(axis=1)
    codes = np.where(known, np.nan_to_num(values).argmax(axis=1), -1)
    assert own.rows is not None
    series = pd.Series(codes, index=own.rows.index)
    if padded:
        series = fit.design.pad(codes.astype(float)).fillna(-1).astype(int)
    return pd.Series(categories(fit, series.to_numpy()), index=series.index, name="prediction")


def categories(fit: AnyOrdinal, codes: np.ndarray) -> pd.Categorical:
    """Numbers of categories as ordered categoricals; -1 is missing."""
    return pd.Categorical.from_codes(codes, categories=pd.Index(fit.levels), ordered=True)


def _framed(
    fit: AnyOrdinal,
    own: OrdinalRows,
    kind: str,
    blocks: dict[str, np.ndarray],
    padded: bool,
    several: bool,
) -> Any:
    names, index = columns_of(fit, kind), cast("PredictionRows", own.rows).index

    def series(values: np.ndarray) -> pd.Series:
        return fit.design.pad(values) if padded else pd.Series(values, index=index)

    if names is None:
        out = pd.DataFrame({name: series(values[:, 0]) for name, values in blocks.items()})
        return out if several else out["prediction"]
    frames = {
        block: pd.DataFrame({name: series(values[:, j]) for j, name in enumerate(names)})
        for block, values in blocks.items()
    }
    return pd.concat(frames, axis=1) if several else frames["prediction"]


def observed_probabilities(fit: AnyOrdinal) -> np.ndarray:
    """Fitted probabilities of the categories that were observed, (n,)."""
    eta, thresholds = fit.standard(fit.eta)
    return np.exp(fit.family.log_density_at(fit.observations.y, eta, zeta=thresholds))
