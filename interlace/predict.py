"""Predictions and their standard errors, for the rows of the fit or new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .errors import ArgumentError, ArgumentTypeError, listing, suggestion
from .fit import Fit
from .inference.distributions import t_quantile
from .inference.modes import marginal_at_optimum
from .inference.satterthwaite import satterthwaite
from .inference.wald import check_level
from .tables import column_names

TYPES = ("response", "link")
NEW_LEVELS = ("error", "population")
# Right-hand sides of one solve: (q, CHUNK) doubles stay within some tens of MB.
CHUNK = 512


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


@dataclass(frozen=True)
class Prediction:
    """Predicted means with their standard errors.

    Attributes
    ----------
    mean : ndarray, shape (r,)
    se : ndarray, shape (r,)
        Standard error of the mean, given the variance parameters.
    df : ndarray, shape (r,)
        Degrees of freedom of its interval; infinite means normal.
    obs_se : ndarray, shape (r,)
        Standard error of a new observation.
    index : Index

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> m.get_prediction().summary_frame()["mean_se"].head(3).round(4).tolist()
    [12.2548, 10.5434, 9.1138]
    """

    mean: np.ndarray
    se: np.ndarray
    df: np.ndarray
    obs_se: np.ndarray
    index: pd.Index

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Means and intervals.

        Parameters
        ----------
        alpha : float, default 0.05
            One minus the level of the intervals.

        Returns
        -------
        DataFrame
            ``mean, mean_se, mean_ci_lower, mean_ci_upper, obs_ci_lower, obs_ci_upper``.
        """
        half = t_quantile(check_level(1.0 - alpha), self.df)
        columns = {
            "mean": self.mean,
            "mean_se": self.se,
            "mean_ci_lower": self.mean - half * self.se,
            "mean_ci_upper": self.mean + half * self.se,
            "obs_ci_lower": self.mean - half * self.obs_se,
            "obs_ci_upper": self.mean + half * self.obs_se,
        }
        return pd.DataFrame(columns, index=self.index)

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Intervals of the means: the columns ``lower, upper``."""
        frame = self.summary_frame(alpha)
        return pd.DataFrame({"lower": frame["mean_ci_lower"], "upper": frame["mean_ci_upper"]})


# -- which random effects ---------------------------------------------------------------------


def selection(fit: Fit, include_re: Any) -> list[np.ndarray]:
    """Which random effects enter, one boolean mask (k_b,) per grouping factor.

    Parameters
    ----------
    fit : Fit
    include_re : bool, None, str or sequence of str
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
    if include_re is None or isinstance(include_re, (bool, np.bool_)):
        return [np.full(k, bool(include_re)) for k in widths]
    masks = [np.zeros(k, dtype=bool) for k in widths]
    texts = [include_re] if isinstance(include_re, str) else include_re
    if not isinstance(texts, Sequence) or not all(isinstance(t, str) for t in texts):
        raise ArgumentTypeError(
            "include_re must be True, False, or names of grouping factors or terms such as "
            f"'(1 | Subject)'; got {include_re!r}"
        )
    for text in texts:
        for factor, columns in _selected(fit, text.strip()):
            masks[factor][columns] = True
    return masks


def _selected(fit: Fit, text: str) -> list[tuple[int, list[int]]]:
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
    from .formula import lhs_terms, parse

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
            wanted = "Intercept" if term == "1" else term
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
    fit: Fit, newdata: Any, masks: list[np.ndarray], new_levels: str, offset: Any = None
) -> Rows:
    """The rows to predict.

    Parameters
    ----------
    fit : Fit
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
    if new_levels not in NEW_LEVELS:
        raise ArgumentError(f"new_levels={new_levels!r} is not known; use 'error' or 'population'")
    design = fit.design
    if newdata is None:
        if offset is not None:
            raise ArgumentError("offset= belongs to newdata; the rows of the fit have their own")
        factors = [(f.codes, f.Z) for f in design.factors]
        return Rows(design.X, design.offset, design.index, factors)
    used = [b for b, mask in enumerate(masks) if mask.any()]
    new = design.on(newdata, new_levels=new_levels, factors=used, offset=offset)
    return Rows(new.X, new.offset, new.index, list(new.factors))


def linear_predictor(fit: Fit, rows: Rows, masks: list[np.ndarray]) -> np.ndarray:
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


def predict(
    fit: Fit,
    newdata: Any = None,
    type: str = "response",
    include_re: Any = True,
    new_levels: str = "error",
    offset: Any = None,
) -> pd.Series:
    """Predicted values.

    Parameters
    ----------
    fit : Fit
    newdata : data frame, optional
        Default: the rows of the fit.
    type : {"response", "link"}
        The same for a linear model.
    include_re : bool, str or sequence of str, default True
        See :func:`selection`.
    new_levels : {"error", "population"}, default "error"
        What an unseen level of a grouping factor is: an error, or a level with no random effect.
    offset : array, shape (r,), or float, optional

    Returns
    -------
    Series, shape (r,)
        Indexed as the rows; missing where newdata has missing values.
    """
    if type not in TYPES:
        raise ArgumentError(f"type={type!r} is not known; use 'response' or 'link'")
    masks = selection(fit, include_re)
    rows = rows_of(fit, newdata, masks, new_levels, offset)
    eta = linear_predictor(fit, rows, masks)
    values = fit.design.pad(eta) if newdata is None else pd.Series(eta, index=rows.index)
    return values.rename("prediction")


# -- standard errors ------------------------------------------------------------------------------


def get_prediction(
    fit: Fit,
    newdata: Any = None,
    include_re: Any = True,
    new_levels: str = "error",
    offset: Any = None,
    new_level_variance: bool = False,
) -> Prediction:
    """Predictions with standard errors and intervals.

    Parameters
    ----------
    fit : Fit
    newdata, include_re, new_levels, offset
        As for :func:`predict`.
    new_level_variance : bool, default False
        Add the variance of the random effects of unseen levels, which lme4 leaves out.

    Returns
    -------
    Prediction
        Intervals use Satterthwaite's degrees of freedom for population means
        (``include_re=False``) and the normal distribution otherwise.
    """
    masks = selection(fit, include_re)
    rows = rows_of(fit, newdata, masks, new_levels, offset)
    if any(mask.any() for mask in masks):
        variance = joint_variance(fit, rows, masks)
        df = np.full(len(rows.index), np.inf)
    else:
        variance = np.einsum("ri,ij,rj->r", rows.X, fit.cov_beta, rows.X)
        df = satterthwaite(fit, rows.X)
        df = np.where(np.isnan(df), np.inf, df)
    if new_level_variance:
        variance = variance + _unseen_variance(fit, rows, masks)
    noise = np.full(len(rows.index), fit.sigma**2)
    if newdata is None and fit.design.weights is not None:
        noise = noise / fit.design.weights
    mean = linear_predictor(fit, rows, masks)
    return Prediction(mean, np.sqrt(variance), df, np.sqrt(variance + noise), rows.index)


def joint_variance(fit: Fit, rows: Rows, masks: list[np.ndarray]) -> np.ndarray:
    """Variance of x'beta_hat + z'(b_hat - b) given the variance parameters.

    With z* = Lambda'z and U = M^{-1}Lambda'Z'WX it is

        sigma^2 z*'M^{-1}z* + (x - U'z*)' Cov(beta_hat) (x - U'z*).

    Parameters
    ----------
    fit : Fit
    rows : Rows
    masks : list of ndarray of bool

    Returns
    -------
    ndarray, shape (r,)
    """
    marginal = marginal_at_optimum(fit)
    stars = [
        (codes, (Z * mask) @ T)
        for (codes, Z), T, mask in zip(rows.factors, fit.T, masks, strict=True)
    ]
    U = marginal.solve(_scaled_crossproduct(fit))
    starts = np.cumsum([0, *(u.size for u in fit.u)])
    distance = np.array(rows.X)
    for (codes, star), u, start in zip(stars, fit.u, starts, strict=False):
        blocks = U[start : start + u.size].reshape(*u.shape, -1)
        known = codes >= 0
        part = np.einsum("rk,rkp->rp", star, blocks[np.where(known, codes, 0)])
        distance -= np.where(known[:, None], part, 0.0)
    fixed = np.einsum("ri,ij,rj->r", distance, fit.cov_beta, distance)
    return np.maximum(fit.sigma**2 * _quadratic(marginal, stars, fit) + fixed, 0.0)


def _scaled_crossproduct(fit: Fit) -> np.ndarray:
    """Lambda'Z'WX, (q, p)."""
    design = fit.design
    WX = design.X if design.weights is None else design.X * design.weights[:, None]
    parts = []
    for factor, T in zip(design.factors, fit.T, strict=True):
        shape = (len(factor.levels), T.shape[0], WX.shape[1])
        ZX = np.zeros(shape)
        for j in range(T.shape[0]):
            for i in range(WX.shape[1]):
                products = factor.Z[:, j] * WX[:, i]
                ZX[:, j, i] = np.bincount(factor.codes, products, len(factor.levels))
        parts.append((T.T @ ZX).reshape(-1, WX.shape[1]))
    return np.concatenate(parts)


def _quadratic(marginal, stars: list[tuple[np.ndarray, np.ndarray]], fit: Fit) -> np.ndarray:
    """z*'M^{-1}z* of each row."""
    if len(stars) == 1:
        codes, star = stars[0]
        known = codes >= 0
        blocks = marginal.inverse_blocks(0)[np.where(known, codes, 0)]
        return np.where(known, np.einsum("ri,rij,rj->r", star, blocks, star), 0.0)
    # Rows that agree in levels and covariates share one solve.
    table = np.concatenate(
        [np.column_stack([codes, np.where(codes[:, None] >= 0, s, 0.0)]) for codes, s in stars],
        axis=1,
    )
    distinct, inverse = np.unique(table, axis=0, return_inverse=True)
    starts = np.cumsum([0, *(u.size for u in fit.u)])
    out = np.empty(len(distinct))
    for first in range(0, len(distinct), CHUNK):
        chunk = distinct[first : first + CHUNK]
        R = np.zeros((starts[-1], len(chunk)))
        position = 0
        for (_, star), start in zip(stars, starts, strict=False):
            k = star.shape[1]
            codes = chunk[:, position].astype(np.int64)
            at = np.flatnonzero(codes >= 0)
            for j in range(k):
                R[start + codes[at] * k + j, at] = chunk[at, position + 1 + j]
            position += 1 + k
        out[first : first + CHUNK] = np.einsum("qr,qr->r", R, marginal.solve(R))
    return out[inverse.ravel()]


def _unseen_variance(fit: Fit, rows: Rows, masks: list[np.ndarray]) -> np.ndarray:
    """sigma^2 z'TT'z of the rows whose level is new."""
    out = np.zeros(len(rows.index))
    for (codes, Z), T, mask in zip(rows.factors, fit.T, masks, strict=True):
        star = (Z * mask) @ T
        out += np.where(codes < 0, np.einsum("rk,rk->r", star, star), 0.0)
    return fit.sigma**2 * out
