"""Intervals of a new observation of a generalised model, as they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..calls import number
from ..design.vectors import per_row_argument
from ..errors import ArgumentError, DataError
from ..frames.read import data_columns, read
from .prediction_rows import PredictionRows, prediction_rows
from .predictive import predictive

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

#: Random effects that a prediction does not have, in words.
UNKNOWN = "random effects left out or of unknown levels"


def check_observed(fit: AnyFit, type: str, observed: bool, trials: Any) -> None:
    """Refuse what makes no interval of an observation."""
    if observed and type != "response":
        raise ArgumentError(
            f"interval='prediction' is for responses, and type={type!r} is never observed"
        )
    if trials is None:
        return
    if not observed:
        raise ArgumentError(
            "trials= are those of a new observation: give interval='prediction' with them"
        )
    if fit.family.support != "proportion":
        raise ArgumentError(
            "trials= are for binomial families, and the family of this model is "
            f"{fit.family.name!r}: leave them out"
        )


def observation(
    fit: AnyFit,
    newdata: Any,
    masks: list[np.ndarray],
    new_levels: str,
    offset: Any,
    trials: Any,
) -> tuple[Callable[[float], np.ndarray], str]:
    """Quantiles of a new observation by probability, and what it is in words."""
    names = list(fit.design.predictors)
    rows = prediction_rows(fit, newdata, masks, new_levels, offset, spread=True, names=names)
    if rows.lacking is not None:
        raise DataError(f"interval='prediction' needs all covariates: {rows.lacking}")
    prior, number_of_trials, note = np.ones(1), np.ones(1), "obs_ci: quantiles of a new observation"
    if newdata is None:
        prior, number_of_trials = fit.observations.prior, fit.observations.trials
    if trials is not None:
        number_of_trials = _trials(newdata, rows, trials)
    if fit.family.support == "proportion":
        one = newdata is not None and trials is None
        note += ", a proportion" + (" of one trial, 0 or 1: trials= has others" if one else "")
    parts = f"the mean and {UNKNOWN}" if fit.T else "the mean"
    distribution = predictive(fit, rows, masks, prior, number_of_trials)
    return distribution.quantile, f"{note}, with the variances of {parts}"


def _trials(newdata: Any, rows: PredictionRows, trials: Any) -> np.ndarray:
    """Trials of new observations, (r,) or (1,): a number, an array or a column."""
    if isinstance(trials, str):
        if newdata is None or trials not in data_columns(newdata):
            raise DataError(f"trials={trials!r} is no column of newdata")
        columns = read(newdata, [trials], [])
        array = np.array(columns.values[trials], dtype=float)
        if trials in columns.missing:
            array[columns.missing[trials]] = np.nan
    elif isinstance(trials, int | float | np.number):
        array = np.array([number("trials", trials)])
    else:
        array = per_row_argument(trials, "trials", rows.index)
    whole = np.isnan(array) | ((array >= 1.0) & (array == np.floor(array)))
    if not whole.all():
        raise ArgumentError(f"trials must be whole numbers of at least 1, got {array[~whole][0]:g}")
    return array
