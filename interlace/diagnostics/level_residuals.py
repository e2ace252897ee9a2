"""Residuals level by level, and leverages by their source, as HLMdiag (Loy and Hofmann 2014).

Of rows: conditional y - X beta - Zb; marginal y - X beta, and these by the Cholesky factor of their
covariance matrix, uncorrelated; of least squares in each group of the finest factor apart. Of
groups: the conditional modes, and coefficients of least squares in each group less their mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pandas as pd

from ..design.rank import independent_columns
from ..errors import ArgumentError, brief
from ..inference.random_effects import conditional_sd, effect_predictors, modes
from ..inference.residual_covariance import check_independent
from .deletion import working_model
from .groups import Groups, factor_groups, groups_of
from .influence import hat_values

if TYPE_CHECKING:
    from ..models.kinds import AnyFit, MixedFit

# Rows that random effects join, whose covariance matrix is factorised as one: 0.8 GB.
MOST_JOINED = 10_000
# Columns of a group that the ones before leave less of are none.
DEPENDENT = 1e-10
# Residuals below this share of the response are zero.
ROUNDING = 16.0 * float(np.finfo(float).eps)


class WithinGroups(NamedTuple):
    """Least squares in each group: residuals, fitted values and leverages, (n,), and errors."""

    residual: np.ndarray
    fitted: np.ndarray
    hat: np.ndarray
    sigma: np.ndarray  # (n,), that of the row's group


def row_residuals(fit: MixedFit, standardize: Any, include_ls: bool) -> pd.DataFrame:
    """Residuals of the rows, with HLMdiag's names of columns."""
    y = fit.observations.y
    root = np.sqrt(fit.observations.weights)
    conditional, marginal = y - fit.mu, y - fit.fixed_part
    columns: dict[str, np.ndarray] = {}
    if standardize is True:
        with np.errstate(divide="ignore", invalid="ignore"):  # a fit without residuals
            columns[".std.resid"] = conditional * root / fit.sigma
    else:
        columns[".resid"] = conditional
    columns[".fitted"] = fit.mu
    if include_ls:
        within = _within_groups(fit)
        with np.errstate(divide="ignore", invalid="ignore"):
            semi = np.where(within.hat < 1.0 - DEPENDENT, within.residual * root, np.nan)
            semi = semi / np.sqrt(1.0 - within.hat)
            kinds = {
                True: (".std.ls.resid", semi / within.sigma),
                False: (".ls.resid", within.residual),
                "semi": (".semi.ls.resid", semi),
            }
        name, values = kinds[standardize]
        columns[name], columns[".ls.fitted"] = values, within.fitted
    if standardize is True:
        columns[".chol.mar.resid"] = _uncorrelated(fit, marginal)
    else:
        columns[".mar.resid"] = marginal
    columns[".mar.fitted"] = fit.fixed_part
    return fit.design.pad_rows(pd.DataFrame(columns, fit.design.index))


def _within_groups(fit: MixedFit) -> WithinGroups:
    """Least squares of the response on an intercept and X in each group of the finest factor."""
    design, n = fit.design, fit.n
    root = np.sqrt(fit.observations.weights)
    y = fit.observations.y if design.offset is None else fit.observations.y - design.offset
    out = WithinGroups(*(np.full(n, np.nan) for _ in range(4)))
    finest = design.factors[0]
    for rows in factor_groups(finest).members():
        w = root[rows, None]
        left = _basis(np.column_stack([np.ones(rows.size), design.X[rows]]) * w)
        fitted = left @ (left.T @ (y[rows] * w[:, 0])) / w[:, 0]
        residual = y[rows] - fitted
        # a group that is fitted exactly has residuals of rounding
        residual[np.abs(residual) < ROUNDING * np.abs(y[rows]).max()] = 0.0
        rest = rows.size - left.shape[1]
        out.residual[rows] = residual
        out.fitted[rows] = fitted if design.offset is None else fitted + design.offset[rows]
        out.hat[rows] = np.sum(left**2, axis=1)
        if rest > 0:
            out.sigma[rows] = np.sqrt(np.sum((residual * w[:, 0]) ** 2) / rest)
    return out


def _basis(X: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span those of X."""
    size = np.linalg.norm(X, axis=0)
    left, values, _ = np.linalg.svd(X[:, size > 0.0] / size[size > 0.0], full_matrices=False)
    return left[:, values > DEPENDENT * values[0]]


def _uncorrelated(fit: MixedFit, marginal: np.ndarray) -> np.ndarray:
    """L^{-1}(y - X beta) with LL' the covariance matrix of the response, row by row."""
    from scipy.linalg import solve_triangular

    out = np.empty(fit.n)
    stars = [(f.codes, f.Z @ T) for f, T in zip(fit.design.factors, fit.T, strict=True)]
    for rows in _joined(fit):
        if rows.size > MOST_JOINED:
            raise ArgumentError(
                f"marginal residuals are made uncorrelated by a matrix of {rows.size} rows and "
                "columns, which the crossed factors of this model join; take them as they are, "
                "with standardize=False"
            )
        V = np.diag(1.0 / fit.observations.weights[rows])
        for codes, star in stars:
            same = codes[rows, None] == codes[rows]
            V += np.where(same, star[rows] @ star[rows].T, 0.0)
        L = np.linalg.cholesky(V)
        out[rows] = solve_triangular(L, marginal[rows], lower=True)
    with np.errstate(divide="ignore", invalid="ignore"):  # a fit without residuals
        return out / fit.sigma


def _joined(fit: MixedFit) -> Iterator[np.ndarray]:
    """The rows that share no level with any others, in their order."""
    import scipy.sparse as sp
    from scipy.sparse.csgraph import connected_components

    factors, n = fit.design.factors, fit.n
    offsets = np.cumsum([0, *(len(f.levels) for f in factors)])
    columns = np.concatenate([f.codes + at for f, at in zip(factors, offsets, strict=False)])
    rows = np.tile(np.arange(n), len(factors))
    graph = sp.coo_array((np.ones(rows.size), (rows, columns + n)), shape=(n + offsets[-1],) * 2)
    _, labels = connected_components(graph, directed=False)
    codes = pd.factorize(labels[:n])[0]
    yield from Groups(codes, pd.RangeIndex(codes.max() + 1)).members()


def group_residuals(fit: MixedFit, level: str, standardize: Any, include_ls: bool) -> pd.DataFrame:
    """Residuals of the groups of one factor: modes, and those of least squares."""
    b = _factor(fit, level)
    factor = fit.design.factors[b]
    own = effect_predictors(fit, b) == fit.index
    names = [name for term in fit.covariance.terms_of(b) for name in term.names]
    names = [name for name, mine in zip(names, own, strict=True) if mine]
    values = modes(fit, b)[:, own]
    prefix = ".ranef."
    if standardize is True:
        prefix = ".std.ranef."
        with np.errstate(divide="ignore", invalid="ignore"):
            values = values / conditional_sd(fit, b)[:, own]
    columns = {prefix + name: values[:, j] for j, name in enumerate(names)}
    if include_ls:
        prefix = ".std.ls." if standardize is True else ".ls."
        coefficients = _group_coefficients(fit, b)
        for name in names:
            if name not in fit.design.x_names:
                continue
            own_values = coefficients[:, list(fit.design.x_names).index(name)]
            own_values = own_values - _higher_means(fit, b, own_values)
            if standardize is True:
                own_values = own_values / np.nanstd(own_values, ddof=1)
            columns[prefix + name] = own_values
    return pd.DataFrame(columns, pd.Index(factor.labels, name=factor.name))


def _group_coefficients(fit: MixedFit, b: int) -> np.ndarray:
    """Coefficients of least squares in each group, (l, p); NaN of columns that it has not, as R."""
    design = fit.design
    root = np.sqrt(fit.observations.weights)
    y = fit.observations.y if design.offset is None else fit.observations.y - design.offset
    factor = design.factors[b]
    out = np.full((len(factor.labels), fit.p), np.nan)
    groups = factor_groups(factor)
    for g, rows in zip(np.unique(factor.label_codes), groups.members(), strict=True):
        X, w = design.X[rows] * root[rows, None], root[rows]
        kept = independent_columns(X)
        out[g, kept] = np.linalg.lstsq(X[:, kept], y[rows] * w, rcond=None)[0]
    return out


def _higher_means(fit: MixedFit, b: int, values: np.ndarray) -> np.ndarray:
    """The mean over the groups, or over those in the same group of the next higher factor."""
    codes = fit.design.factors[b].label_codes
    for higher in fit.design.factors[b + 1 :]:
        above = np.zeros(values.size, dtype=np.intp)
        above[codes] = higher.label_codes
        if (above[codes] == higher.label_codes).all():
            return pd.Series(values).groupby(above).transform("mean").to_numpy()
    return np.full(values.size, np.nanmean(values))


def _factor(fit: MixedFit, level: Any) -> int:
    names = [factor.name for factor in fit.design.factors]
    for b, name in enumerate(names):
        if isinstance(level, str) and sorted(level.split(":")) == sorted(name.split(":")):
            return b
    raise ArgumentError(
        f"level={brief(level)} is neither 1 nor a grouping factor of the model: {', '.join(names)}"
    )


def level_residuals(
    fit: AnyFit, level: Any = 1, standardize: Any = False, include_ls: bool = True
) -> pd.DataFrame:
    """Residuals of rows (level 1) or of the groups of a factor of a linear mixed model."""
    if not fit.linear:
        raise ArgumentError(
            "residuals by level are for linear mixed models, whose response is a sum of the "
            "levels' parts; for this one use m.simulated_residuals() and m.ranef(cond_sd=True)"
        )
    check_independent(
        fit, "residuals by level are", "m.residuals('normalized') has those", variance=True
    )
    if not fit.T:
        raise ArgumentError(
            "the model has no random effects, and its residuals no levels: use m.residuals()"
        )
    semi = isinstance(standardize, str) and standardize == "semi"
    if not (isinstance(standardize, (bool, np.bool_)) or semi):
        raise ArgumentError(f"standardize must be True, False or 'semi', got {brief(standardize)}")
    kind = "semi" if semi else bool(standardize)
    if isinstance(level, (int, np.integer)) and not isinstance(level, bool) and level == 1:
        return row_residuals(fit, kind, include_ls)
    return group_residuals(fit, level, kind, include_ls)


def leverages(fit: AnyFit, level: Any = 1) -> pd.DataFrame:
    """Leverages of rows by their source, or their means by group, as HLMdiag's ``leverage``.

    ``overall`` is the leverage, ``fixef`` its part of the fixed effects, diag X C X'V^{-1}, and
    ``ranef`` the rest (Demidenko and Stukel 2005); ``ranef.uc`` is diag Z Lambda Lambda'Z', the
    variance of the row's random effects in that of the residual (Nobre and Singer 2011).
    """
    overall = hat_values(fit)
    work = working_model(fit)
    C = np.linalg.solve(work.information, work.rest.T).T
    fixed = work.weights * np.sum(fit.design.X * C, axis=1)
    between = np.zeros(fit.n)
    for _, star in work.stars:
        between += np.sum(star**2, axis=1)
    columns = {"overall": overall, "fixef": fixed, "ranef": overall - fixed, "ranef.uc": between}
    table = pd.DataFrame(columns, fit.design.index)
    if isinstance(level, (int, np.integer)) and level == 1:
        return fit.design.pad_rows(table)
    if not fit.T:
        raise ArgumentError(
            f"level={brief(level)}: the model has no grouping factors; level=1 is rows"
        )
    mixed = cast("MixedFit", fit)
    groups = groups_of(fit.design, fit.design.factors[_factor(mixed, level)].name)
    return table.groupby(groups.codes).mean().set_axis(groups.labels)
