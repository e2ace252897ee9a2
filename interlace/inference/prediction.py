"""Predictions and their standard errors, for the rows of the fit or new ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ..calls import checked_methods, one_of
from ..errors import ArgumentError, ArgumentTypeError, DataError, brief, listing, suggestion
from ..linalg.information import inverse_where_determined, variance_of
from ..models.lmm import LMMFit
from ..printing import paragraph
from .leverage import inverse_quadratic
from .random_effects import factor_at_optimum
from .tails import t_quantile
from .wald import degrees_of_freedom

if TYPE_CHECKING:
    from ..models.kinds import AnyFit, GeneralisedFit, MixedFit

TYPES = ("response", "link")
NEW_LEVELS = ("error", "population")
# Rows of predictions shown in a notebook.
SHOWN_ROWS = 10


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
    lacking : str or None
        Why Z is not known of the factors that do not enter.
    """

    X: np.ndarray
    offset: np.ndarray | None
    index: pd.Index
    factors: list[tuple[np.ndarray, np.ndarray]]
    lacking: str | None = None


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


# -- which random effects ---------------------------------------------------------------------


def selection(fit: AnyFit, include_re: Any) -> list[np.ndarray]:
    """Which random effects enter, one boolean mask (k_b,) per grouping factor.

    Parameters
    ----------
    fit : LMMFit, GLMMFit or GLMFit
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
    if isinstance(include_re, str) and "".join(include_re.split()) == "~0":
        return masks  # R's re.form = ~0
    texts = [include_re] if isinstance(include_re, str) else include_re
    if not isinstance(texts, Sequence) or not all(isinstance(t, str) for t in texts):
        raise ArgumentTypeError(
            "include_re must be True, False, or names of grouping factors or terms such as "
            f"'(1 | Subject)'; got {brief(include_re)}"
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
    from ..formula.parser import parse
    from ..formula.spelling import shown
    from ..formula.terms import lhs_terms

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
        names = fit.covariance.effect_names(factor)
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
    fit: AnyFit,
    newdata: Any,
    masks: list[np.ndarray],
    new_levels: str,
    offset: Any = None,
    spread: bool = False,
) -> Rows:
    """The rows to predict.

    Parameters
    ----------
    fit : LMMFit, GLMMFit or GLMFit
    newdata : data frame or None
        None: the rows of the fit.
    masks : list of ndarray of bool
        Random effects that enter; of the grouping factors without any nothing is needed.
    new_levels : {"error", "population"}
    offset : array, shape (r,), or float, optional
        In place of the ``offset=`` argument of the fit.
    spread : bool, default False
        Whether Z is wanted of all grouping factors, if newdata has what it is made of.

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
    rest = [b for b in range(len(masks)) if b not in used] if spread else []
    lacking = None
    try:
        new = design.on(newdata, new_levels=new_levels, factors=used, offset=offset, spread=rest)
    except DataError as error:
        if not rest:
            raise
        # an error of the others is said where they are needed
        new = design.on(newdata, new_levels=new_levels, factors=used, offset=offset)
        lacking = str(error)
    return Rows(new.X, new.offset, new.index, list(new.factors), lacking)


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
    fit : LMMFit, GLMMFit or GLMFit
    eta : ndarray, shape (r,)

    Returns
    -------
    ndarray, shape (r,)
    """
    return eta if isinstance(fit, LMMFit) else _where_valid(fit, fit.family.mean, eta)


def mean_slope(fit: AnyFit, eta: np.ndarray) -> np.ndarray:
    """|d mean / d linear predictor|, (r,); missing where :func:`inverse_link` is."""
    if isinstance(fit, LMMFit):
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
    fit : LMMFit, GLMMFit or GLMFit
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
    """Predictions with standard errors, and intervals of means and of new observations.

    Parameters
    ----------
    fit : LMMFit, GLMMFit or GLMFit
    newdata, include_re, new_levels, offset
        As for :func:`predict`.
    new_level_variance : bool, default False
        Whether the mean of a level that is not known, or whose effects are left out, is that of a
        level drawn at random: then its standard error has the variance of the random effects.
        Otherwise it is the mean of a level whose random effects are zero, as lme4's.

    Returns
    -------
    Prediction
        Intervals of means without any known random effect use the degrees of freedom of the
        coefficients' tests: Satterthwaite's for linear models, residual ones for a generalised
        linear model with an estimated dispersion. All others use the normal distribution.

    Raises
    ------
    DataError
        If ``new_level_variance`` needs a column that newdata lacks.

    Notes
    -----
    Standard errors of means without any known random effect come from the covariance of the
    coefficients, ``vcov()``; those of others, as lme4's, from the joint covariance of coefficients
    and random effects given theta (:func:`joint_variance`). Both refer to the linear predictor;
    those of a mean are multiplied by its slope.

    A new observation of a linear model differs from the mean by its residual, and by the random
    effects that are not known: of all levels with ``include_re=False``, of new levels otherwise.
    Its interval has the variances of all of them, whatever ``new_level_variance`` says of the mean.
    Of effects left out of a level that is known, their whole variance counts. Quantiles are those
    of the mean's interval.
    """
    masks = selection(fit, include_re)
    linear = isinstance(fit, LMMFit)
    rows = rows_of(fit, newdata, masks, new_levels, offset, spread=linear or new_level_variance)
    if new_level_variance and rows.lacking is not None:
        raise DataError(f"new_level_variance=True needs all covariates: {rows.lacking}")
    eta, (variance, df) = linear_predictor(fit, rows, masks), _variance(fit, rows, masks)
    unknown = _unknown_variance(fit, rows, masks)
    se = np.sqrt(variance + unknown if new_level_variance else variance)
    notes = _notes(fit, rows, unknown, newdata is not None, new_level_variance)
    if not isinstance(fit, LMMFit):
        inverse = partial(inverse_link, fit)
        return Prediction(eta, se, df, rows.index, inverse, mean_slope(fit, eta), notes=notes)
    noise = np.full(len(rows.index), fit.sigma**2)
    if newdata is None and fit.design.weights is not None:
        noise = noise / fit.design.weights
    if rows.lacking is not None:
        noise = np.full_like(noise, np.nan)
    obs_se = np.sqrt(variance + unknown + noise)
    return Prediction(eta, se, df, rows.index, obs_se=obs_se, notes=notes)


def _notes(fit: AnyFit, rows: Rows, unknown: np.ndarray, new: bool, drawn: bool) -> tuple[str, ...]:
    """What the columns of the table are, in words."""
    out = []
    without = "random effects left out or of unknown levels"
    open_ends = bool((unknown > 0.0).any()) or rows.lacking is not None
    if open_ends:
        how = "are drawn at random, mean_se has" if drawn else "are zero, mean_se has nothing of"
        out.append(f"mean: {without} {how} their variance")
    if not isinstance(fit, LMMFit):
        return tuple(out)
    if rows.lacking is not None:
        return (*out, f"obs_ci: missing, since {rows.lacking}")
    parts = "the mean and the residual"
    if open_ends:
        parts = f"the mean, the residual and {without}"
    one = " of weight 1" if new and fit.design.weights is not None else ""
    return (*out, f"obs_ci: a new observation{one}, with the variances of {parts}")


def _variance(fit: AnyFit, rows: Rows, masks: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
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
            found = degrees_of_freedom(fit, X)
        df[~known] = np.where(np.isnan(found), np.inf, found)
        out[~known] = variance_of(X, fit.cov_beta)
    return out, df


def _unknown_variance(fit: AnyFit, rows: Rows, masks: list[np.ndarray]) -> np.ndarray:
    """s^2 z'TT'z of the random effects that do not enter, or whose level is new, (r,)."""
    out = np.zeros(len(rows.index))
    for (codes, Z), T, mask in zip(rows.factors, fit.T, masks, strict=True):
        entering = mask & (codes >= 0)[:, None]
        if not entering.all():
            star = (Z * ~entering) @ T
            out += np.einsum("rk,rk->r", star, star)
    return fit.re_scale**2 * out


def joint_variance(fit: MixedFit, rows: Rows, masks: list[np.ndarray]) -> np.ndarray:
    """Variance of x'beta_hat + z'(b_hat - b) given the variance parameters.

    With z* = Lambda'z, U = M^{-1}Lambda'Z'WX and the scale s of the random effects it is

        s^2 { z*'M^{-1}z* + (x - U'z*)' (X'WX - X'WZ Lambda U)^{-1} (x - U'z*) },

    W the prior weights of a linear model (s is sigma) or the working weights of another (s = 1).

    Parameters
    ----------
    fit : LMMFit or GLMMFit
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
    if isinstance(fit, LMMFit):
        return fit.cov_beta
    return inverse_where_determined(fit.design.X.T @ WX - crossproduct.T @ U)


def _weighted_columns(fit: MixedFit) -> np.ndarray:
    """WX, (n, p)."""
    weights = fit.design.weights if isinstance(fit, LMMFit) else fit.working_weights
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
