"""Predictions and their standard errors, for the rows of the fit or new ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from .calls import checked_methods, one_of
from .errors import ArgumentError, ArgumentTypeError, listing, suggestion
from .fit import Fit
from .inference.distributions import t_quantile
from .inference.leverage import inverse_quadratic
from .inference.modes import factor_at_optimum
from .inference.wald import degrees_of_freedom
from .linalg.information import inverse_where_determined, variance_of
from .tables import column_names

if TYPE_CHECKING:
    from .inference.kinds import AnyFit, GeneralisedFit, MixedFit

TYPES = ("response", "link")
NEW_LEVELS = ("error", "population")


@dataclass(frozen=True)
class Rows:
    """What a prediction needs of its rows: those of the fit, or new ones.

    Attributes
    ----------
    X : ndarray, shape (r, p)
    offset : ndarray, shape (r,), or None
    index : Index
    factors : list of (codes, Z), one per grouping factor
        Codes are -1 for levels that the fit does not know.
    """

    X: np.ndarray
    offset: np.ndarray | None
    index: pd.Index
    factors: list[tuple[np.ndarray, np.ndarray]]


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
        Standard error of a new observation, of linear models.

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

    def __repr__(self) -> str:
        if not len(self.index):
            return "Predictions of no rows"
        parts = []
        for name, values in (("means", self.mean), ("standard errors", self.se)):
            known = values[~np.isnan(values)]
            limits = f"{known.min():.4g} to {known.max():.4g}" if known.size else "all missing"
            parts.append(f"{name} {limits}")
        rows = len(self.index)
        return f"Predictions of {rows} rows: {', '.join(parts)}; summary_frame() has them all"

    @property
    def mean(self) -> np.ndarray:
        """Predicted means, (r,)."""
        return self.linear if self.inverse is None else self.inverse(self.linear)

    @property
    def se(self) -> np.ndarray:
        """Standard errors of the means, (r,), by the delta method."""
        return self.linear_se * self.slope

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Means and intervals.

        Parameters
        ----------
        alpha : float, default 0.05
            One minus the level of the intervals.

        Returns
        -------
        DataFrame
            ``mean, mean_se, mean_ci_lower, mean_ci_upper`` and, of linear models,
            ``obs_ci_lower, obs_ci_upper``. Intervals of a generalised model are made on the scale
            of the link and transformed; a limit is missing where it leaves the range of the link.
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
        return pd.DataFrame(columns, index=self.index)

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Intervals of the means: the columns ``lower, upper``."""
        frame = self.summary_frame(alpha)
        return pd.DataFrame({"lower": frame["mean_ci_lower"], "upper": frame["mean_ci_upper"]})


# -- which random effects ---------------------------------------------------------------------


def selection(fit: AnyFit, include_re: Any) -> list[np.ndarray]:
    """Which random effects enter, one boolean mask (k_b,) per grouping factor.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    include_re : bool, str or sequence of str
        All, none, or those named: a grouping factor (``"Subject"``), or terms in lme4's way
        (``"(1 | Subject)"``; ``"~ (1 | a) + (1 | b)"`` as R's ``re.form``).

    Returns
    -------
    list of ndarray of bool

    Raises
    ------
    ArgumentError
        If a name is none of the model's.
    """
    widths = [T.shape[0] for T in fit.T]
    if include_re is None:
        raise ArgumentTypeError(
            "include_re=None is ambiguous (R's re.form = NULL means all random effects, NA none); "
            "use True for all, False for none, or names of grouping factors or terms"
        )
    if isinstance(include_re, (bool, np.bool_)):
        return [np.full(k, bool(include_re)) for k in widths]
    masks = [np.zeros(k, dtype=bool) for k in widths]
    texts = [include_re] if isinstance(include_re, str) else include_re
    if not isinstance(texts, Sequence) or not all(isinstance(t, str) for t in texts):
        raise ArgumentTypeError(
            "include_re must be True, False, or names of grouping factors or terms such as "
            f"'(1 | Subject)'; got {include_re!r}"
        )
    for text in texts:
        for factor, columns in _selected(cast("MixedFit", fit), text.strip()):
            masks[factor][columns] = True
    return masks


def _selected(fit: MixedFit, text: str) -> list[tuple[int, list[int]]]:
    groups = [factor.name for factor in fit.design.factors]
    if text in groups:
        factor = groups.index(text)
        return [(factor, list(range(fit.T[factor].shape[0])))]
    if "|" not in text:
        raise ArgumentError(
            f"include_re names {text!r}, which is no grouping factor of the model."
            f"{suggestion(text, groups)} It has {listing(groups)}"
        )
    # Formula-like: the parser expands "||" and "a/b", formulaic the left side.
    from .formula import parse
    from .spelling import shown
    from .terms import lhs_terms

    right = text.lstrip("~ ")
    parsed = parse(f"~ {right}" if right.startswith("(") else f"~ ({right})")
    out = []
    for spec in parsed.random:
        if spec.label not in groups:
            raise ArgumentError(
                f"include_re has the term {spec.text!r}, but {spec.label!r} is no grouping factor "
                f"of the model. It has {listing(groups)}"
            )
        factor = groups.index(spec.label)
        names = column_names(fit, factor)
        columns: list[int] = []
        for term in lhs_terms(spec.lhs):
            wanted = "Intercept" if term == "1" else shown(term)
            found = [i for i, n in enumerate(names) if n == wanted or n.startswith(f"{wanted}[")]
            if not found:
                raise ArgumentError(
                    f"include_re has the term {spec.text!r}, but {spec.label!r} has no random "
                    f"effect {wanted!r} in the model: it has {listing(names)}"
                )
            columns += found
        out.append((factor, columns))
    return out


# -- rows ---------------------------------------------------------------------------------------


def rows_of(
    fit: AnyFit, newdata: Any, masks: list[np.ndarray], new_levels: str, offset: Any = None
) -> Rows:
    """The rows to predict.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    newdata : data frame or None
        None: the rows of the fit.
    masks : list of ndarray of bool
        Random effects that enter; of the grouping factors without any nothing is needed.
    new_levels : {"error", "population"}
    offset : array, shape (r,), or float, optional
        In place of the ``offset=`` argument of the fit.

    Returns
    -------
    Rows

    Raises
    ------
    ArgumentError
        If ``new_levels`` is not known or the offset does not fit.
    """
    new_levels = one_of("new_levels", new_levels, NEW_LEVELS)
    design = fit.design
    if newdata is None:
        if offset is not None:
            raise ArgumentError("offset= belongs to newdata; the rows of the fit have their own")
        factors = [(f.codes, f.Z) for f in design.factors]
        return Rows(design.X, design.offset, design.index, factors)
    used = [b for b, mask in enumerate(masks) if mask.any()]
    new = design.on(newdata, new_levels=new_levels, factors=used, offset=offset)
    return Rows(new.X, new.offset, new.index, list(new.factors))


def linear_predictor(fit: AnyFit, rows: Rows, masks: list[np.ndarray]) -> np.ndarray:
    """X beta + offset + the chosen part of Z b, (r,)."""
    eta = rows.X @ fit.beta
    if rows.offset is not None:
        eta = eta + rows.offset
    for (codes, Z), b, mask in zip(rows.factors, fit.b, masks, strict=True):
        if mask.any():
            known = codes >= 0
            part = np.einsum("ij,ij->i", Z, (b * mask)[np.where(known, codes, 0)])
            eta = eta + np.where(known, part, 0.0)
    return eta


def inverse_link(fit: AnyFit, eta: np.ndarray) -> np.ndarray:
    """Means of linear predictors; missing where these leave the range of the link.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    eta : ndarray, shape (r,)

    Returns
    -------
    ndarray, shape (r,)
    """
    return eta if isinstance(fit, Fit) else _where_valid(fit, fit.family.mean, eta)


def mean_slope(fit: AnyFit, eta: np.ndarray) -> np.ndarray:
    """|d mean / d linear predictor|, (r,); missing where :func:`inverse_link` is."""
    if isinstance(fit, Fit):
        return np.ones_like(eta)
    return np.abs(_where_valid(fit, fit.family.mean_slope, eta))


def _where_valid(
    fit: GeneralisedFit, function: Callable[..., np.ndarray], eta: np.ndarray
) -> np.ndarray:
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
) -> pd.Series | pd.DataFrame:
    """Predicted values.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    newdata : data frame, optional
        Default: the rows of the fit.
    type : {"response", "link"}
        Means or linear predictors, the same for a linear model.
    include_re : bool, str or sequence of str, default True
        See :func:`selection`.
    new_levels : {"error", "population"}, default "error"
        What an unseen level of a grouping factor is: an error, or a level with no random effect.
    offset : array, shape (r,), or float, optional
    se : bool, default False
        With the standard errors of :func:`get_prediction`.

    Returns
    -------
    Series, shape (r,)
        Indexed as the rows; missing where newdata has missing values. With ``se=True`` a
        DataFrame ``prediction, se``.
    """
    type = one_of("type", type, TYPES)
    masks = selection(fit, include_re)
    rows = rows_of(fit, newdata, masks, new_levels, offset)
    eta = linear_predictor(fit, rows, masks)
    values = inverse_link(fit, eta) if type == "response" else eta
    columns = {"prediction": values}
    if se:
        error = np.sqrt(_variance(fit, rows, masks)[0])
        columns["se"] = error * mean_slope(fit, eta) if type == "response" else error
    series = {
        name: fit.design.pad(v) if newdata is None else pd.Series(v, index=rows.index)
        for name, v in columns.items()
    }
    return pd.DataFrame(series) if se else series["prediction"].rename("prediction")


# -- standard errors ------------------------------------------------------------------------------


def get_prediction(
    fit: AnyFit,
    newdata: Any = None,
    include_re: Any = True,
    new_levels: str = "error",
    offset: Any = None,
    new_level_variance: bool = False,
) -> Prediction:
    """Predictions with standard errors and intervals.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    newdata, include_re, new_levels, offset
        As for :func:`predict`.
    new_level_variance : bool, default False
        Add the variance of the random effects of unseen levels, which lme4 leaves out.

    Returns
    -------
    Prediction
        Intervals of population means (``include_re=False``) use the degrees of freedom of the
        coefficients' tests: Satterthwaite's for linear models, residual ones for a generalised
        linear model with an estimated dispersion. All others use the normal distribution.

    Notes
    -----
    Standard errors of population means come from the covariance of the coefficients,
    ``vcov()``; those of predictions with random effects, as lme4's, from the joint covariance of
    coefficients and random effects given theta (:func:`joint_variance`). Both refer to the linear
    predictor; those of a mean are multiplied by its slope.
    """
    masks = selection(fit, include_re)
    rows = rows_of(fit, newdata, masks, new_levels, offset)
    variance, df = _variance(fit, rows, masks)
    if new_level_variance:
        variance = variance + _unseen_variance(fit, rows, masks)
    eta, se = linear_predictor(fit, rows, masks), np.sqrt(variance)
    if not isinstance(fit, Fit):
        inverse = partial(inverse_link, fit)
        return Prediction(eta, se, df, rows.index, inverse, mean_slope(fit, eta))
    noise = np.full(len(rows.index), fit.sigma**2)
    if newdata is None and fit.design.weights is not None:
        noise = noise / fit.design.weights
    return Prediction(eta, se, df, rows.index, obs_se=np.sqrt(variance + noise))


def _variance(fit: AnyFit, rows: Rows, masks: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the linear predictor's estimate and degrees of freedom, (r,) each."""
    if any(mask.any() for mask in masks):
        return joint_variance(cast("MixedFit", fit), rows, masks), np.full(len(rows.index), np.inf)
    with np.errstate(invalid="ignore"):  # rows of zeros have no variance
        df = degrees_of_freedom(fit, rows.X)
    df = np.where(np.isnan(df), np.inf, df)
    return variance_of(rows.X, fit.cov_beta), df


def joint_variance(fit: MixedFit, rows: Rows, masks: list[np.ndarray]) -> np.ndarray:
    """Variance of x'beta_hat + z'(b_hat - b) given the variance parameters.

    With z* = Lambda'z, U = M^{-1}Lambda'Z'WX and the scale s of the random effects it is

        s^2 { z*'M^{-1}z* + (x - U'z*)' (X'WX - X'WZ Lambda U)^{-1} (x - U'z*) },

    W the prior weights of a linear model (s is sigma) or the working weights of another (s = 1).

    Parameters
    ----------
    fit : Fit or GLMMFit
    rows : Rows
    masks : list of ndarray of bool

    Returns
    -------
    ndarray, shape (r,)
    """
    factor = factor_at_optimum(fit)
    stars = [
        (codes, (Z * mask) @ T)
        for (codes, Z), T, mask in zip(rows.factors, fit.T, masks, strict=True)
    ]
    variance = fit.re_scale**2 * inverse_quadratic(factor, stars)
    if fit.p:
        variance = variance + _fixed_share(factor, stars, fit, rows.X)
    return np.maximum(variance, 0.0)


def _fixed_share(
    factor: Any, stars: list[tuple[np.ndarray, np.ndarray]], fit: MixedFit, X: np.ndarray
) -> np.ndarray:
    """(x - U'z*)' Cov(beta_hat given theta) (x - U'z*) of each row."""
    WX = _weighted_columns(fit)
    crossproduct = _scaled_crossproduct(fit, WX)
    U = factor.solve(crossproduct)
    starts = np.cumsum([0, *(u.size for u in fit.u)])
    distance = np.array(X)
    for (codes, star), u, start in zip(stars, fit.u, starts, strict=False):
        blocks = U[start : start + u.size].reshape(*u.shape, -1)
        known = codes >= 0
        part = np.einsum("rk,rkp->rp", star, blocks[np.where(known, codes, 0)])
        distance -= np.where(known[:, None], part, 0.0)
    C = _cov_beta_given_theta(fit, WX, crossproduct, U)
    return variance_of(distance, C)


def _cov_beta_given_theta(
    fit: MixedFit, WX: np.ndarray, crossproduct: np.ndarray, U: np.ndarray
) -> np.ndarray:
    """(X'WX - X'WZ Lambda U)^{-1}; of a linear model, times sigma^2, it is known."""
    if isinstance(fit, Fit):
        return fit.cov_beta
    return inverse_where_determined(fit.design.X.T @ WX - crossproduct.T @ U)


def _weighted_columns(fit: MixedFit) -> np.ndarray:
    """WX, (n, p)."""
    weights = fit.design.weights if isinstance(fit, Fit) else fit.working_weights
    return fit.design.X if weights is None else fit.design.X * weights[:, None]


def _scaled_crossproduct(fit: MixedFit, WX: np.ndarray) -> np.ndarray:
    """Lambda'Z'WX, (q, p)."""
    parts = []
    for factor, T in zip(fit.design.factors, fit.T, strict=True):
        shape = (len(factor.levels), T.shape[0], WX.shape[1])
        ZX = np.zeros(shape)
        for j in range(T.shape[0]):
            for i in range(WX.shape[1]):
                products = factor.Z[:, j] * WX[:, i]
                ZX[:, j, i] = np.bincount(factor.codes, products, len(factor.levels))
        parts.append((T.T @ ZX).reshape(-1, WX.shape[1]))
    return np.concatenate(parts)


def _unseen_variance(fit: AnyFit, rows: Rows, masks: list[np.ndarray]) -> np.ndarray:
    """s^2 z'TT'z of the rows whose level is new."""
    out = np.zeros(len(rows.index))
    for (codes, Z), T, mask in zip(rows.factors, fit.T, masks, strict=True):
        star = (Z * mask) @ T
        out += np.where(codes < 0, np.einsum("rk,rk->r", star, star), 0.0)
    return fit.re_scale**2 * out
