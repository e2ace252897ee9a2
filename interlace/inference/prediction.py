"""Predictions and their standard errors, for the rows of the fit or new ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..design.predictor import MEAN
from ..errors import DataError
from ..linalg.information import variance_of
from ..printing import paragraph
from .components import coefficients, covariance_of_all
from .joint_variance import joint_variance
from .prediction_rows import PredictionRows, prediction_rows
from .quantities import Quantity, quantity, type_of
from .tails import t_quantile
from .wald import degrees_of_freedom
from .which_effects import of_predictors, which_effects

if TYPE_CHECKING:
    from ..models.kinds import AnyFit, MixedFit

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
            ``mean, mean_se, mean_ci_lower, mean_ci_upper`` and, of linear models,
            ``obs_ci_lower, obs_ci_upper``: where a new observation may lie, which of a level that
            the fit does not know, or that the prediction leaves out, has the variance of its
            random effects too. Intervals of a generalised model are made on the scale of the link
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
            columns["obs_ci_lower"] = self.linear - half * self.obs_se
            columns["obs_ci_upper"] = self.linear + half * self.obs_se
        frame = pd.DataFrame(columns, index=self.index)
        frame.attrs["notes"] = self.notes
        return frame

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Intervals of the means: the columns ``lower, upper``."""
        frame = self.summary_frame(alpha)
        return pd.DataFrame({"lower": frame["mean_ci_lower"], "upper": frame["mean_ci_upper"]})


def linear_predictor(fit: AnyFit, rows: PredictionRows, masks: list[np.ndarray]) -> np.ndarray:
    """X beta + offset + the chosen part of Z b of the fit's own linear predictor, (r,)."""
    return _predictor(fit, fit.design.current, fit.beta, rows, masks)


def _predictor(
    fit: AnyFit, name: str, beta: np.ndarray, rows: PredictionRows, masks: list[np.ndarray]
) -> np.ndarray:
    X, offset = rows.predictors[name]
    eta = X @ beta
    if offset is not None:
        eta = eta + offset
    for (codes, Z), b, mask in zip(rows.factors, fit.b, of_predictors(fit, masks, [name])):
        if mask.any():
            known = codes >= 0
            part = np.einsum("ij,ij->i", Z, (b * mask)[np.where(known, codes, 0)])
            eta = eta + np.where(known, part, 0.0)
    return eta


def _all_predictors(fit: AnyFit, rows: PredictionRows, masks: list[np.ndarray]) -> np.ndarray:
    """Linear predictors, zero where they are not needed, (K, r)."""
    zero = np.zeros(len(rows.index))
    return np.stack(
        [
            _predictor(fit, name, beta, rows, masks) if name in rows.predictors else zero
            for name, beta in coefficients(fit).items()
        ]
    )


def inverse_link(fit: AnyFit, eta: np.ndarray) -> np.ndarray:
    """Means of linear predictors; missing where these leave the range of the link, (r,)."""
    return _where_valid(fit, fit.family.mean, eta)


def mean_slope(fit: AnyFit, eta: np.ndarray) -> np.ndarray:
    """|d mean / d linear predictor|, (r,); missing where :func:`inverse_link` is."""
    return np.abs(_where_valid(fit, fit.family.mean_slope, eta))


def _where_valid(fit: AnyFit, function: Callable[..., np.ndarray], eta: np.ndarray) -> np.ndarray:
    valid = fit.family.valid(eta)
    if valid.all():
        return function(eta, fit.zeta)
    out = np.full(eta.shape, np.nan)
    out[valid] = function(eta[valid], fit.zeta)
    return out


def predict(
    fit: AnyFit,
    newdata: Any = None,
    type: str = "response",
    include_re: Any = True,
    new_levels: str = "error",
    offset: Any = None,
    se: bool = False,
    component: str | None = None,
) -> pd.Series | pd.DataFrame:
    """Predicted values of a type, (r,), with ``se`` beside their standard errors.

    Indexed as the rows; missing where newdata has missing values. Standard errors are those of
    :func:`get_prediction`.
    """
    type = type_of(type, component)
    masks = which_effects(fit, include_re)
    if fit.several or type not in ("response", "link") or component is not None:
        index, columns = _values(fit, newdata, (type, component), masks, new_levels, offset, se)
    else:
        rows = prediction_rows(fit, newdata, masks, new_levels, offset)
        eta, index = linear_predictor(fit, rows, masks), rows.index
        columns = {"prediction": inverse_link(fit, eta) if type == "response" else eta}
        if se:
            error = np.sqrt(_variance(fit, rows, masks)[0])
            columns["se"] = error * mean_slope(fit, eta) if type == "response" else error
    series = {
        name: fit.design.pad(v) if newdata is None else pd.Series(v, index=index)
        for name, v in columns.items()
    }
    return pd.DataFrame(series) if se else series["prediction"].rename("prediction")


def _values(
    fit: AnyFit,
    newdata: Any,
    asked: tuple[str, str | None],
    masks: list[np.ndarray],
    new_levels: str,
    offset: Any,
    se: bool,
) -> tuple[pd.Index, dict[str, np.ndarray]]:
    """Values of a quantity, and standard errors where they are wanted."""
    target = quantity(fit, *asked)
    masks = of_predictors(fit, masks, target.predictors)
    rows = prediction_rows(fit, newdata, masks, new_levels, offset, names=target.predictors)
    values, slopes = _quantity(fit, target, rows, masks, se)
    columns = {"prediction": values}
    if se:
        columns["se"] = np.sqrt(_variances(fit, target, rows, masks, slopes)[0])
    return rows.index, columns


def _variances(
    fit: AnyFit,
    wanted: Quantity,
    rows: PredictionRows,
    masks: list[np.ndarray],
    slopes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variance of a quantity, degrees of freedom, variance of the effects left out, (r,) each."""
    if wanted.error is not None:
        zero = np.zeros(len(rows.index))
        return zero + wanted.error**2, zero + np.inf, zero
    bent, own = rows.sloped(fit, slopes), _that_matter(fit, masks, slopes)
    return *_variance(fit, bent, own), _unknown_variance(fit, bent, own)


def _that_matter(fit: AnyFit, masks: list[np.ndarray], slopes: np.ndarray) -> list[np.ndarray]:
    """The masks without the effects that a quantity does not depend on."""
    used = zip(fit.design.predictors, slopes, strict=True)
    return of_predictors(fit, masks, [name for name, own in used if own.any()])


def _quantity(
    fit: AnyFit, wanted: Quantity, rows: PredictionRows, masks: list[np.ndarray], sloped: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Values (r,) and slopes (K, r) of a quantity; missing where the mean is out of range."""
    etas = _all_predictors(fit, rows, masks)
    valid = np.isfinite(etas).all(axis=0)
    if MEAN in wanted.predictors:
        valid &= fit.family.valid(etas[0])
    values, slopes = np.full(valid.size, np.nan), np.full(etas.shape, np.nan)
    values[valid] = wanted.value(etas[:, valid])
    if sloped:
        slopes[:, valid] = wanted.slopes(etas[:, valid])
    return values, slopes


def get_prediction(
    fit: AnyFit,
    newdata: Any = None,
    include_re: Any = True,
    new_levels: str = "error",
    offset: Any = None,
    new_level_variance: bool = False,
    type: str = "response",
    component: str | None = None,
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
    Of effects left out of a level that is known, their whole variance counts. Quantiles are those
    of the mean's interval.

    With several linear predictors coefficients and random effects of all of them are in these
    covariances, theta is not given, and standard errors are by the delta method on what the
    ``type`` makes of them.
    """
    type = type_of(type, component)
    masks = which_effects(fit, include_re)
    if fit.several or type != "response":
        arguments = (newdata, masks, new_levels, offset, new_level_variance)
        return _prediction_of(fit, quantity(fit, type, component), *arguments)
    rows = prediction_rows(
        fit, newdata, masks, new_levels, offset, spread=fit.linear or new_level_variance
    )
    if new_level_variance and rows.lacking is not None:
        raise DataError(f"new_level_variance=True needs all covariates: {rows.lacking}")
    eta, (variance, df) = linear_predictor(fit, rows, masks), _variance(fit, rows, masks)
    unknown = _unknown_variance(fit, rows, masks)
    se = np.sqrt(variance + unknown if new_level_variance else variance)
    notes = _notes(fit, rows, unknown, newdata is not None, new_level_variance)
    if not fit.linear:
        inverse = partial(inverse_link, fit)
        return Prediction(eta, se, df, rows.index, inverse, mean_slope(fit, eta), notes=notes)
    noise = np.full(len(rows.index), fit.dispersion)
    if newdata is None:
        noise = noise / fit.observations.weights
    if rows.lacking is not None:
        noise = np.full_like(noise, np.nan)
    obs_se = np.sqrt(variance + unknown + noise)
    return Prediction(eta, se, df, rows.index, obs_se=obs_se, notes=notes)


def _prediction_of(
    fit: AnyFit,
    wanted: Quantity,
    newdata: Any,
    masks: list[np.ndarray],
    new_levels: str,
    offset: Any,
    drawn: bool,
) -> Prediction:
    """A quantity with standard errors, and intervals on its own scale."""
    masks = of_predictors(fit, masks, wanted.predictors)
    rows = prediction_rows(
        fit, newdata, masks, new_levels, offset, spread=drawn, names=wanted.predictors
    )
    if drawn and rows.lacking is not None:
        raise DataError(f"new_level_variance=True needs all covariates: {rows.lacking}")
    values, slopes = _quantity(fit, wanted, rows, masks, True)
    variance, df, unknown = _variances(fit, wanted, rows, masks, slopes)
    se = np.sqrt(variance + unknown if drawn else variance)
    notes = _notes(fit, rows, unknown, newdata is not None, drawn)[:1]
    if wanted.link is None:
        return Prediction(values, se, df, rows.index, notes=notes)
    link = wanted.link
    with np.errstate(divide="ignore", invalid="ignore"):
        linear = link(values)
        slope = np.abs(link.inverse_derivatives(linear)[1])
        return Prediction(linear, se / slope, df, rows.index, link.inverse, slope, notes=notes)


def _notes(
    fit: AnyFit, rows: PredictionRows, unknown: np.ndarray, new: bool, drawn: bool
) -> tuple[str, ...]:
    """The meaning of the columns of the table, in words."""
    out = []
    without = "random effects left out or of unknown levels"
    open_ends = bool((unknown > 0.0).any()) or rows.lacking is not None
    if open_ends:
        how = "are drawn at random, mean_se has" if drawn else "are zero, mean_se has nothing of"
        out.append(f"mean: {without} {how} their variance")
    if not fit.linear:
        return tuple(out)
    if rows.lacking is not None:
        return (*out, f"obs_ci: missing, since {rows.lacking}")
    parts = "the mean and the residual"
    if open_ends:
        parts = f"the mean, the residual and {without}"
    one = " of weight 1" if new and fit.design.weights is not None else ""
    return (*out, f"obs_ci: a new observation{one}, with the variances of {parts}")


def _variance(
    fit: AnyFit, rows: PredictionRows, masks: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the linear predictor's estimate and degrees of freedom, (r,) each."""
    r = len(rows.index)
    known, out, df = np.zeros(r, dtype=bool), np.zeros(r), np.full(r, np.inf)
    for (codes, _), mask in zip(rows.factors, masks, strict=True):
        if mask.any():
            known |= codes >= 0
    if known.any():
        out = joint_variance(cast("MixedFit", fit), rows, masks)
    if not known.all():
        X = rows.X[~known]
        with np.errstate(invalid="ignore"):  # rows of zeros have no variance
            degrees = degrees_of_freedom(fit, X)
        df[~known] = np.where(np.isnan(degrees), np.inf, degrees)
        out[~known] = variance_of(X, covariance_of_all(fit))
    return out, df


def _unknown_variance(fit: AnyFit, rows: PredictionRows, masks: list[np.ndarray]) -> np.ndarray:
    """s^2 z'TT'z of the random effects that do not enter, or whose level is new, (r,)."""
    out = np.zeros(len(rows.index))
    for (codes, Z), T, mask in zip(rows.factors, fit.T, masks, strict=True):
        entering = mask & (codes >= 0)[:, None]
        if not entering.all():
            star = (Z * ~entering) @ T
            out += np.einsum("rk,rk->r", star, star)
    return fit.re_scale**2 * out
