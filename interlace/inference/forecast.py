"""Predictions of new rows of known groups with what the residuals of their rows tell.

With R the covariance of the residuals e of the fit's rows and R* that of new residuals with them,
a new residual is A e + innovation, A = R* R^{-1}, so that the expectation of a new response given
all responses is

    x*'beta + z*'b + A (y - X beta - Zb) = (x* - A X)'beta + (z* - A Z)'b + A y,

a prediction of other rows, (x* - A X, z* - A Z), of coefficients and random effects; the variance
of the innovation, R** - A R*', is that of an observation around it. A has a row's own group alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..design.newdata import NewPredictor
from ..design.residual import places_in_groups
from ..errors import ArgumentError, DataError

if TYPE_CHECKING:
    from ..covariance.residual import ResidualModel
    from ..models.lmm_residual import ResidualFit
    from .prediction_rows import PredictionRows

__all__ = ["check_forecast", "forecast_rows"]

# Of differences of A in the parameters of the residual covariance.
STEP = 3e-5
# Numbers of rows times columns that are whitened at once.
AT_ONCE = 4_000_000


def check_forecast(fit: Any, newdata: Any, masks: list[np.ndarray], type: str) -> None:
    """Refuse a forecast where the residuals of known rows tell nothing, or of something else."""
    own = fit.design.residual if fit.linear else None
    if own is None or own.spec.correlation is None:
        raise ArgumentError(
            "forecast=True predicts new rows from the residuals of known rows of their group: "
            "it is for models with correlation=, and in this one residuals are independent"
        )
    if newdata is None:
        raise ArgumentError(
            "forecast=True predicts new rows of known groups: give newdata; the rows of the fit "
            "have their responses"
        )
    if not all(mask.all() for mask in masks):
        raise ArgumentError(
            "forecast=True takes known groups with all their random effects: leave out include_re="
        )
    if type not in ("response", "link"):
        raise ArgumentError(f"forecast=True predicts responses, not type={type!r}: leave out type=")


class _Known(NamedTuple):
    """New rows of known groups beside the rows of the fit by group and time.

    Attributes
    ----------
    new : ndarray of int, shape (k,)
        Which of the new rows.
    group : ndarray of int, shape (k,)
        Place of its group among those of the fit.
    times : ndarray, shape (k, d)
    """

    new: np.ndarray
    group: np.ndarray
    times: np.ndarray


def forecast_rows(
    fit: ResidualFit, rows: PredictionRows, newdata: Any, eta: np.ndarray
) -> tuple[PredictionRows, np.ndarray]:
    """The rows whose prediction is the forecast, and variances of what is left of residuals, (r,).

    ``eta`` (r,) are the fitted values of the new rows.
    """

    def sd(phi: np.ndarray) -> np.ndarray:
        return fit.new_sd(newdata, eta, phi)

    noise = fit.new_sd(newdata, eta) ** 2
    known, lost = _known_rows(fit, rows, newdata, np.isfinite(noise) & (noise > 0.0))
    shift = np.where(lost, np.nan, 0.0)
    if not known.new.size:
        return _shifted(rows, rows.X, shift), noise
    own_sd = np.sqrt(noise[known.new])
    A, explained = _weights(fit, fit.phi, known, own_sd)
    noise[known.new] *= np.maximum(1.0 - explained / own_sd**2, 0.0)
    own, design = fit.of_rows, fit.design
    y = design.y if design.offset is None else design.y - design.offset
    X = np.array(rows.X)
    X[known.new] -= A.times(own.sorted(design.X))
    shift[known.new] = A.times(own.sorted(y)[:, None])[:, 0]
    factors = [
        (codes, _less(Z, known.new, A.times(own.sorted(f.Z))))
        for (codes, Z), f in zip(rows.factors, design.factors, strict=True)
    ]
    moves = np.zeros((len(shift), fit.x.size))
    moves[known.new] = _moves(
        fit, known, own.sorted(design.y - fit.mu), lambda phi: sd(phi)[known.new]
    )
    moved = replace(
        _shifted(rows, X, shift),
        factors=factors,
        moves=moves,
        forecast=np.isin(np.arange(len(shift)), known.new),
    )
    return moved, noise


def _shifted(rows: PredictionRows, X: np.ndarray, shift: np.ndarray) -> PredictionRows:
    """The rows with other columns and something more in their offset."""
    ((name, predictor),) = rows.predictors.items()
    offset = shift if predictor.offset is None else predictor.offset + shift
    return replace(rows, predictors={name: NewPredictor(X, offset)})


def _less(Z: np.ndarray, places: np.ndarray, by: np.ndarray) -> np.ndarray:
    out = np.array(Z)
    out[places] -= by
    return out


def _known_rows(
    fit: ResidualFit, rows: PredictionRows, newdata: Any, possible: np.ndarray
) -> tuple[_Known, np.ndarray]:
    """The new rows of groups of the fit with a time and a deviation, and whether these lack, (r,).

    ``possible`` (r,) says whether there is a deviation.
    """
    own, recipe = fit.of_rows, fit.design.recipe
    assert recipe is not None
    codes, times = own.new_places(recipe, newdata, [c for c, _ in rows.factors])
    present = np.unique(own.codes)
    place = np.full(len(own.levels) + 1, -1)
    place[present] = np.arange(present.size)
    group = place[codes]
    possible = possible & ~np.isnan(times).any(axis=1)
    new = np.flatnonzero((group >= 0) & possible)
    out = _Known(new, group[new], times[new])
    first = own.groups.starts[out.group]
    for (own_codes, _), factor in zip(rows.factors, fit.design.factors, strict=True):
        if (own_codes[new] != own.sorted(factor.codes)[first]).any():
            raise DataError(
                f"newdata has rows of a group of {own.label!r} in another level of {factor.name!r} "
                "than the data of the fit: no residuals are known of them"
            )
    return out, (group >= 0) & ~possible


class _Weights(NamedTuple):
    """A: weights of the rows of the fit in new residuals, those of a group side by side."""

    values: np.ndarray  # of all pairs, (m,)
    rows: np.ndarray  # sorted rows of the fit, (m,)
    starts: np.ndarray  # first pair of each new row, (k,)

    def times(self, D: np.ndarray) -> np.ndarray:
        """A D, (k, c), of D (n, c) by group and time."""
        columns = [np.add.reduceat(self.values * column[self.rows], self.starts) for column in D.T]
        return np.stack(columns, axis=1) if columns else np.zeros((self.starts.size, 0))


def _weights(
    fit: ResidualFit, phi: np.ndarray, known: _Known, sd: np.ndarray
) -> tuple[_Weights, np.ndarray]:
    """A at other parameters phi, with ``sd`` (k,) of the new residuals, and A R*', (k,)."""
    own, model = fit.of_rows, fit.residual
    groups, root = own.groups, model.at(phi)
    sizes = groups.sizes[known.group]
    starts = np.cumsum(np.append(0, sizes[:-1]))
    pair = np.repeat(np.arange(sizes.size), sizes)
    rows = np.arange(pair.size) - starts[pair] + groups.starts[known.group][pair]
    weights = fit.design.weights
    prior = np.ones(fit.n) if weights is None else np.sqrt(own.sorted(weights))
    # covariances of the new residuals with those of the rows, prior weights aside
    covariances = _correlations(model, phi, known, pair, rows) * (sd / fit.re_scale)[pair]
    log_sd = model.log_sd(phi)
    if log_sd is not None:
        covariances *= np.exp(log_sd)[rows]
    column = places_in_groups(known.group)
    solved = np.empty(pair.size)
    width = max(1, AT_ONCE // fit.n)
    for low in range(0, int(column.max()) + 1, width):
        some = (column[pair] >= low) & (column[pair] < low + width)
        D = np.zeros((fit.n, min(width, int(column.max()) + 1 - low)))
        place = rows[some], column[pair[some]] - low
        D[place] = covariances[some]
        solved[some] = root.precision(D)[place]
    explained = fit.re_scale**2 * np.add.reduceat(solved * covariances, starts)
    return _Weights(solved * prior[rows], rows, starts), explained


def _correlations(
    model: ResidualModel, phi: np.ndarray, known: _Known, pair: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    correlation = model.correlation
    assert correlation is not None
    left, right = known.times[pair], correlation.groups.times[rows]
    return correlation.between(phi[model.slices[0]], left, right)


def _moves(
    fit: ResidualFit, known: _Known, e: np.ndarray, sd: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Derivatives of A e, residuals e held, in theta and phi, (k, n_x): none in theta."""
    q = fit.x.size - fit.phi.size
    out = np.zeros((known.new.size, fit.x.size))

    def at(phi: np.ndarray) -> np.ndarray:
        return _weights(fit, phi, known, sd(phi))[0].times(e[:, None])[:, 0]

    for j, unit in enumerate(np.eye(fit.phi.size)):
        up, down = at(fit.phi + STEP * unit), at(fit.phi - STEP * unit)
        out[:, q + j] = (up - down) / (2.0 * STEP)
    return out
