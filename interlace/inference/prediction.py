"""Predictions and their standard errors, for the rows of the fit or new ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..design.predictor import MEAN
from ..errors import ArgumentError, DataError
from ..printing import paragraph
from .averaged import averaged, averaged_slopes, averaged_variance
from .forecast import check_forecast, forecast_rows
from .linear_predictors import all_predictors, inverse_link, linear_predictor, mean_slope
from .observation import UNKNOWN, check_observed, observation
from .prediction_rows import PredictionRows, prediction_rows
from .prediction_variance import (
    estimate_df,
    estimate_variance,
    theta_share,
    unknown_covariance,
    unknown_variance,
    with_known_effects,
)
from .quantities import Quantity, quantity, type_of
from .tails import t_quantile
from .theta_slopes import residual_df, theta_variance
from .which_effects import of_predictors, which_effects

if TYPE_CHECKING:
    from ..design.design import Design
    from ..models.kinds import AnyFit, MixedFit
    from ..models.lmm_residual import ResidualFit

# Rows of predictions shown in a notebook.
SHOWN_ROWS = 10


@checked_methods
@dataclass(frozen=True)
class Prediction:
    """Predicted means with their standard errors.

    Attributes
    ----------
    linear : ndarray, shape (r,)
        Linear predictor.
    linear_se : ndarray, shape (r,)
        Its standard error.
    df : ndarray, shape (r,)
        Degrees of freedom of its interval; infinite means normal.
    index : Index
    inverse : callable or None
        The mean of a linear predictor; None for a linear model, where they are the same.
    slope : ndarray, shape (r,), or float
        |d mean / d linear predictor|.
    obs_se : ndarray, shape (r,), or None
        Standard error of a new observation, of linear models: it has the variances of the mean, of
        the random effects that are not known, and of the residual.
    notes : tuple of str
        What means and intervals are of, in words.
    obs_df : ndarray, shape (r,), or None
        Degrees of freedom of its interval; None: those of the mean's.
    quantiles : callable or None
        Of a generalised model with ``interval="prediction"``: the quantile of a new observation
        that belongs to a probability, (r,).

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> m.get_prediction().summary_frame()["mean_se"].head(3).round(4).tolist()
    [12.2548, 10.5434, 9.1138]
    """

    linear: np.ndarray
    linear_se: np.ndarray
    df: np.ndarray
    index: pd.Index
    inverse: Callable[[np.ndarray], np.ndarray] | None = None
    slope: np.ndarray | float = 1.0
    obs_se: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    quantiles: Callable[[float], np.ndarray] | None = None
    obs_df: np.ndarray | None = None

    def __repr__(self) -> str:
        if not len(self.index):
            return "Predictions of no rows"
        parts = []
        for name, values in (("means", self.mean), ("standard errors", self.se)):
            known = values[~np.isnan(values)]
            limits = f"{known.min():.4g} to {known.max():.4g}" if known.size else "all missing"
            parts.append(f"{name} {limits}")
        rows = "1 row" if len(self.index) == 1 else f"{len(self.index)} rows"
        return f"Predictions of {rows}: {', '.join(parts)}; summary_frame() has them all"

    def _repr_html_(self) -> str:
        # pandas shows the first and last rows of many.
        return paragraph(repr(self)) + self.summary_frame().to_html(max_rows=SHOWN_ROWS)

    @property
    def mean(self) -> np.ndarray:
        """Predicted means, (r,)."""
        return self.linear if self.inverse is None else self.inverse(self.linear)

    @property
    def se(self) -> np.ndarray:
        """Standard errors of the means, (r,), by the delta method."""
        return self.linear_se * self.slope

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Means with intervals, and intervals for a new observation.

        Parameters
        ----------
        alpha : float, default 0.05
            One minus the level of the intervals.

        Returns
        -------
        DataFrame
            ``mean, mean_se, mean_ci_lower, mean_ci_upper`` and, of linear models and with
            ``interval="prediction"``, ``obs_ci_lower, obs_ci_upper``: where a new observation may
            lie, which of a level that the fit does not know, or that the prediction leaves out, has
            the variance of its random effects too. Those of the mean of a generalised model are
            made on the scale of the link
            and transformed; a limit is missing where it leaves the range of the link.
            ``attrs["notes"]`` says what they are of.
        """
        half = t_quantile(1.0 - alpha, self.df)
        lower, upper = self.linear - half * self.linear_se, self.linear + half * self.linear_se
        if self.inverse is not None:
            ends = self.inverse(lower), self.inverse(upper)
            # A link may be decreasing.
            lower, upper = np.minimum(*ends), np.maximum(*ends)
        columns = {
            "mean": self.mean,
            "mean_se": self.se,
            "mean_ci_lower": lower,
            "mean_ci_upper": upper,
        }
        if self.obs_se is not None:
            if self.obs_df is not None:
                half = t_quantile(1.0 - alpha, self.obs_df)
            columns["obs_ci_lower"] = self.linear - half * self.obs_se
            columns["obs_ci_upper"] = self.linear + half * self.obs_se
        elif self.quantiles is not None:
            columns["obs_ci_lower"] = self.quantiles(0.5 * alpha)
            columns["obs_ci_upper"] = self.quantiles(1.0 - 0.5 * alpha)
        frame = pd.DataFrame(columns, index=self.index)
        frame.attrs["notes"] = self.notes
        return frame

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Intervals of the means: the columns ``lower, upper``."""
        frame = self.summary_frame(alpha)
        return pd.DataFrame({"lower": frame["mean_ci_lower"], "upper": frame["mean_ci_upper"]})


class Asked(NamedTuple):
    """What a prediction is of: see `predict` of the results."""

    newdata: Any
    masks: list[np.ndarray]
    new_levels: str
    offset: Any
    type: str
    component: str | None
    marginal: bool
    theta_error: str | None = None
    forecast: bool = False


def _asked(
    fit: AnyFit,
    newdata: Any,
    type: str,
    include_re: Any,
    new_levels: str,
    offset: Any,
    component: str | None,
    marginal: bool,
    theta_error: str | None = None,
    forecast: bool = False,
) -> Asked:
    """The arguments, judged together."""
    type = type_of(type, component)
    if marginal and include_re is True and new_levels == "error":
        include_re = False  # what is averaged over does not enter
    masks = which_effects(fit, include_re)
    if marginal and new_levels == "error" and all(mask.all() for mask in masks):
        raise ArgumentError(
            "marginal=True averages over the random effects that do not enter, and all of them "
            "do: include_re=False averages over all, include_re=[names] over the others, "
            "new_levels='population' over those of new levels"
        )
    # the mean of a linear predictor is the predictor at effects of zero
    marginal = marginal and not fit.linear
    if forecast:
        check_forecast(fit, newdata, masks, type)
    return Asked(
        newdata, masks, new_levels, offset, type, component, marginal, theta_error, forecast
    )


def predict(
    fit: AnyFit,
    newdata: Any = None,
    type: str = "response",
    include_re: Any = True,
    new_levels: str = "error",
    offset: Any = None,
    se: bool = False,
    component: str | None = None,
    marginal: bool = False,
    forecast: bool = False,
) -> pd.Series | pd.DataFrame:
    """Predicted values of a type, (r,), with ``se`` beside their standard errors.

    Indexed as the rows; missing where newdata has missing values. Standard errors are those of
    :func:`get_prediction`.
    """
    how = new_levels, offset, component, marginal, None, forecast
    request = _asked(fit, newdata, type, include_re, *how)
    if _is_quantity(fit, request):
        index, columns = _values(fit, request, se)
    else:
        rows = prediction_rows(fit, newdata, request.masks, new_levels, offset)
        if forecast:
            rows = _forecast(fit, request, rows)[0]
        eta, index = linear_predictor(fit, rows, request.masks), rows.index
        of_mean = request.type == "response"
        columns = {"prediction": inverse_link(fit, eta) if of_mean else eta}
        if se:
            error = np.sqrt(estimate_variance(fit, rows, request.masks))
            columns["se"] = error * mean_slope(fit, eta) if of_mean else error
    series = {
        name: fit.design.pad(v) if newdata is None else pd.Series(v, index=index)
        for name, v in columns.items()
    }
    return pd.DataFrame(series) if se else series["prediction"].rename("prediction")


def _forecast(fit: AnyFit, asked: Asked, rows: PredictionRows) -> tuple[PredictionRows, np.ndarray]:
    """The rows of a forecast, and the variances of what is left of their residuals."""
    eta = linear_predictor(fit, rows, asked.masks)
    return forecast_rows(cast("ResidualFit", fit), rows, asked.newdata, eta)


def _is_quantity(fit: AnyFit, asked: Asked) -> bool:
    """Whether it is more than the mean or the linear predictor of a model that has one."""
    plain = asked.type in ("response", "link") and asked.component is None
    return fit.several or not plain or asked.marginal


def _values(fit: AnyFit, asked: Asked, se: bool) -> tuple[pd.Index, dict[str, np.ndarray]]:
    """Values of a quantity, and standard errors where they are target."""
    target = quantity(fit, asked.type, asked.component)
    rows, masks = _rows_of(fit, target, asked, asked.marginal)
    values, variances = _quantity(fit, target, rows, masks, se, asked)
    columns = {"prediction": values}
    if se:
        columns["se"] = np.sqrt(variances[0])
    return rows.index, columns


def _rows_of(
    fit: AnyFit, target: Quantity, asked: Asked, spread: bool
) -> tuple[PredictionRows, list[np.ndarray]]:
    """The rows, and which of the effects that matter enter; all of Z if it has to be known."""
    masks = of_predictors(fit, asked.masks, target.predictors)
    names = target.predictors
    rows = prediction_rows(
        fit, asked.newdata, masks, asked.new_levels, asked.offset, spread, names=names
    )
    if spread and rows.lacking is not None:
        word = "marginal=True" if asked.marginal else "new_level_variance=True"
        raise DataError(f"{word} needs all covariates: {rows.lacking}")
    return rows, masks


Variances = tuple[np.ndarray, np.ndarray, np.ndarray]


def _quantity(
    fit: AnyFit,
    target: Quantity,
    rows: PredictionRows,
    masks: list[np.ndarray],
    se: bool,
    asked: Asked,
) -> tuple[np.ndarray, Variances]:
    """Values of a quantity, (r,), and three times (r,) for the standard errors.

    These are its variance, degrees of freedom, and the variance of the effects left out. Values
    are missing where the mean is out of range.
    """
    etas = all_predictors(fit, rows, masks)
    r = etas.shape[1]
    none = np.zeros(r)
    if target.error is not None:
        return target.value(etas), (none + target.error**2, none + np.inf, none)
    if asked.marginal:
        S = unknown_covariance(fit, rows, masks)
        values = averaged(fit, target, etas, S)
        if not se:
            return values, (none, none, none)
        slopes = averaged_slopes(fit, target, etas, S)
        variance = averaged_variance(cast("MixedFit", fit), target, rows, masks, etas, slopes)
        return values, (variance, none + np.inf, none)
    valid = np.isfinite(etas).all(axis=0)
    if MEAN in target.predictors:
        valid &= fit.family.valid(etas[0])
    values, slopes = np.full(r, np.nan), np.full(etas.shape, np.nan)
    values[valid] = target.value(etas[:, valid])
    if not se:
        return values, (none, none, none)
    slopes[:, valid] = target.slopes(etas[:, valid])
    bent, own = rows.sloped(fit, slopes), _that_matter(fit, masks, slopes)
    share = theta_share(fit, asked.theta_error, "none")
    variance, df = estimate_variance(fit, bent, own, share), estimate_df(fit, bent, own)
    return values, (variance, df, unknown_variance(fit, bent, own))


def _that_matter(fit: AnyFit, masks: list[np.ndarray], slopes: np.ndarray) -> list[np.ndarray]:
    """The masks without the effects that a quantity does not depend on."""
    used = zip(fit.design.predictors, slopes, strict=True)
    return of_predictors(fit, masks, [name for name, own in used if own.any()])


def get_prediction(
    fit: AnyFit,
    newdata: Any = None,
    include_re: Any = True,
    new_levels: str = "error",
    offset: Any = None,
    new_level_variance: bool = False,
    type: str = "response",
    component: str | None = None,
    marginal: bool = False,
    interval: str = "confidence",
    trials: Any = None,
    theta_error: str | None = None,
    forecast: bool = False,
) -> Prediction:
    """Predictions with standard errors, and intervals of means and of new observations.

    Intervals of means without any known random effect use the degrees of freedom of the
    coefficients' tests: Satterthwaite's for linear models, residual ones for a generalised linear
    model with an estimated dispersion. All others use the normal distribution.

    Standard errors of means without any known random effect come from the covariance of the
    coefficients, ``vcov()``; those of others, as lme4's, from the joint covariance of coefficients
    and random effects given theta (:func:`joint_variance`). Both refer to the linear predictor;
    those of a mean are multiplied by its slope.

    A new observation of a linear model differs from the mean by its residual, and by the random
    effects that are not known: of all levels with ``include_re=False``, of new levels otherwise.
    Its interval has the variances of all of them, whatever ``new_level_variance`` says of the mean.
    Of effects left out of a level that is known, their whole variance counts. With known effects
    the variance of the mean has that from theta twice, unless ``theta_error`` says otherwise, and
    quantiles are those of t with the degrees of freedom of sigma^2; without them those of the
    mean's interval.

    With several linear predictors coefficients and random effects of all of them are in these
    covariances, theta is not given, and standard errors are by the delta method on what the
    ``type`` makes of them.

    With ``marginal`` means are averaged over the random effects that are not known, by quadrature
    (:func:`averaged`), and theta is not given in any model. ``interval="prediction"`` makes the
    interval of an observation in all models: of a linear one as above, of others from quantiles of
    the family's distribution mixed over the linear predictors (:class:`Predictive`).
    """
    how = component, marginal, theta_error, forecast
    request = _asked(fit, newdata, type, include_re, new_levels, offset, *how)
    if marginal and new_level_variance:
        raise ArgumentError(
            "marginal=True is the mean over levels, new_level_variance=True that of one level "
            "drawn at random: drop one"
        )
    observed = interval == "prediction"
    check_observed(fit, request.type, observed, trials)
    if not forecast and (request.type != "response" or _is_quantity(fit, request)):
        prediction = _prediction_of(fit, request, new_level_variance)
    else:
        prediction = _plain_prediction(fit, request, new_level_variance, observed)
    if observed and prediction.obs_se is None:
        quantiles, note = observation(fit, newdata, request.masks, new_levels, offset, trials)
        prediction = replace(prediction, quantiles=quantiles, notes=(*prediction.notes, note))
    return _padded(prediction, fit.design) if newdata is None else prediction


def _padded(prediction: Prediction, design: Design) -> Prediction:
    """Of the rows of the fit: missing for those that were not used under ``"exclude"``."""
    if design.full_index is None:
        return prediction

    def pad(values: Any) -> Any:
        return design.pad(values).to_numpy() if isinstance(values, np.ndarray) else values

    quantiles = prediction.quantiles
    return replace(
        prediction,
        linear=pad(prediction.linear),
        linear_se=pad(prediction.linear_se),
        df=pad(prediction.df),
        index=design.full_index,
        slope=pad(prediction.slope),
        obs_se=pad(prediction.obs_se),
        obs_df=pad(prediction.obs_df),
        quantiles=None if quantiles is None else partial(_padded_quantiles, quantiles, design),
    )


def _padded_quantiles(
    quantiles: Callable[[float], np.ndarray], design: Design, p: float
) -> np.ndarray:
    return design.pad(quantiles(p)).to_numpy()


def _plain_prediction(fit: AnyFit, asked: Asked, drawn: bool, observed: bool) -> Prediction:
    """The mean of a model with one linear predictor."""
    gaussian = fit.family.residual_variance and fit.family.link.linear
    observed = fit.linear or (observed and gaussian)
    masks, newdata = asked.masks, asked.newdata
    rows = prediction_rows(
        fit, newdata, masks, asked.new_levels, asked.offset, spread=observed or drawn
    )
    if drawn and rows.lacking is not None:
        raise DataError(f"new_level_variance=True needs all covariates: {rows.lacking}")
    left = None
    if asked.forecast:
        rows, left = _forecast(fit, asked, rows)
    eta = linear_predictor(fit, rows, masks)
    share = theta_share(fit, asked.theta_error, "none")
    variance, df = estimate_variance(fit, rows, masks, share), estimate_df(fit, rows, masks)
    unknown = unknown_variance(fit, rows, masks)
    se = np.sqrt(variance + unknown if drawn else variance)
    obs_se = obs_df = None
    if left is not None:
        noise = left
    elif observed:
        noise, rows = _noise(fit, rows, newdata, eta)
    notes = _notes(fit, rows, unknown, newdata is not None, drawn, observed)
    if observed:
        own, obs_df = _of_observations(fit, rows, asked, variance, share, df)
        obs_se = np.sqrt(own + unknown + noise)
    if fit.linear:
        return Prediction(eta, se, df, rows.index, obs_se=obs_se, notes=notes, obs_df=obs_df)
    inverse, slope = partial(inverse_link, fit), mean_slope(fit, eta)
    return Prediction(eta, se, df, rows.index, inverse, slope, obs_se, notes, obs_df=obs_df)


def _of_observations(
    fit: AnyFit,
    rows: PredictionRows,
    asked: Asked,
    variance: np.ndarray,
    share: float,
    df: np.ndarray,
) -> tuple[np.ndarray, np.ndarray | None]:
    """The variance of the mean in that of an observation, and degrees of freedom of the whole.

    Beside known random effects the residual is the largest part of it, and it has those of its
    variance; elsewhere the mean's.
    """
    known = with_known_effects(rows, asked.masks)
    if rows.forecast is not None:
        known = known | rows.forecast
    if not (fit.linear and known.any()):
        return variance, None
    more = theta_share(fit, asked.theta_error, "corrected") - share
    if more:
        added = more * theta_variance(fit, rows, asked.masks)
        variance = np.where(known, variance + added, variance)
    return variance, np.where(known, residual_df(fit), df)


def _noise(
    fit: AnyFit, rows: PredictionRows, newdata: Any, eta: np.ndarray
) -> tuple[np.ndarray, PredictionRows]:
    """Residual variances (r,), missing where rows lack what an observation is made of."""
    noise = np.full(len(rows.index), fit.dispersion)
    if newdata is None:
        noise = noise / fit.observations.weights
    elif fit.linear and fit.design.residual is not None and rows.lacking is None:
        try:
            noise = cast("ResidualFit", fit).new_sd(newdata, eta) ** 2
        except DataError as error:
            rows = replace(rows, lacking=str(error))
    return (noise if rows.lacking is None else np.full_like(noise, np.nan)), rows


def _prediction_of(fit: AnyFit, asked: Asked, drawn: bool) -> Prediction:
    """A quantity with standard errors, and intervals on its own scale."""
    target = quantity(fit, asked.type, asked.component)
    rows, masks = _rows_of(fit, target, asked, drawn or asked.marginal)
    values, (variance, df, unknown) = _quantity(fit, target, rows, masks, True, asked)
    se = np.sqrt(variance + unknown if drawn else variance)
    if asked.marginal:
        notes: tuple[str, ...] = (f"mean: the average over {UNKNOWN}",)
    else:
        notes = _notes(fit, rows, unknown, asked.newdata is not None, drawn, False)
    if target.link is None:
        return Prediction(values, se, df, rows.index, notes=notes)
    link = target.link
    with np.errstate(divide="ignore", invalid="ignore"):
        linear = link(values)
        slope = np.abs(link.inverse_derivatives(linear)[1])
        return Prediction(linear, se / slope, df, rows.index, link.inverse, slope, notes=notes)


def _notes(
    fit: AnyFit,
    rows: PredictionRows,
    unknown: np.ndarray,
    new: bool,
    drawn: bool,
    observed: bool,
) -> tuple[str, ...]:
    """The meaning of the columns of the table, in words."""
    out = []
    open_ends = bool((unknown > 0.0).any()) or rows.lacking is not None
    if open_ends:
        how = "are drawn at random, mean_se has" if drawn else "are zero, mean_se has nothing of"
        out.append(f"mean: {UNKNOWN} {how} their variance")
    if not observed:
        return tuple(out)
    if rows.lacking is not None:
        return (*out, f"obs_ci: missing, since {rows.lacking}")
    parts = "the mean and the residual"
    if open_ends:
        parts = f"the mean, the residual and {UNKNOWN}"
    one = " of weight 1" if new and fit.design.weights is not None else ""
    return (*out, f"obs_ci: a new observation{one}, with the variances of {parts}")
