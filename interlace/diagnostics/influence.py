"""Influence of rows and groups of rows on the estimates."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ..errors import ArgumentError, InterlaceError, InterlaceWarning
from ..inference.components import has_components, parts
from ..inference.joint_variance import joint_variance
from ..inference.prediction import prediction_rows
from ..inference.residual_covariance import check_independent, is_independent
from ..inference.which_effects import which_effects
from ..pictured import Pictured
from .deletion import Measures, one_step, working_model
from .groups import Groups, groups_of
from .residuals import residual_array

if TYPE_CHECKING:
    from ..models.glm import GLMFit
    from ..models.kinds import AnyFit, MixedFit
    from ..models.regression import RegressionFit

# What a column of X keeps of its length without a group, if it is one of the others then.
DEPENDENT = 1e-9


LEVERAGES = "leverages, and Cook's distances which are made of them, are"


def hat_values(fit: AnyFit) -> np.ndarray:
    """Diagonal of the matrix that maps y to the fitted values, given theta, (n,).

    Of a generalised model that of the weighted least squares problem at the modes; lme4, which
    warns, multiplies by prior weights there instead of the working ones.
    """
    if has_components(fit):
        raise ArgumentError(
            "leverages, and Cook's distances which are made of them, are for models with one "
            f"linear predictor; this one has {', '.join(parts(fit))}: a row moves several of "
            "them, and no single number says how much. influence(exact=True) "
            "fits again without each row"
        )
    check_independent(fit, LEVERAGES, "influence(exact=True) fits again without each row or group")
    if not fit.T:
        return cast("GLMFit | RegressionFit", fit).hat
    # Var(x'beta_hat + z'(b_hat - b)) / s^2 is the diagonal of [X Z] (normal equations)^{-1}
    # [X Z]': with the weight of the row, its leverage.
    mixed = cast("MixedFit", fit)
    everything = which_effects(mixed, True)
    rows = prediction_rows(fit, None, everything, "error")
    variance = joint_variance(mixed, rows, everything, [fit.design.current])
    return variance / (fit.re_scale or np.nan) ** 2 * fit.working_weights


def cooks_distance(fit: AnyFit, hat: np.ndarray | None = None) -> np.ndarray:
    """``(pearson / (1 - hat))^2 hat / (dispersion p)``, as R's, (n,)."""
    hat = hat_values(fit) if hat is None else hat
    residual = residual_array(fit, "pearson", scaled=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (residual / (1.0 - hat)) ** 2 * hat / fit.p


@dataclass(frozen=True, eq=False, repr=False)
class Influence(Pictured):
    """Influence of rows, or of groups of rows, on the estimates of a model.

    Attributes
    ----------
    by : str or None
        What the groups are levels of; None for rows one by one.
    exact : bool
        Whether the model was fitted again without each of them; else the variance parameters are
        held fixed and the coefficients follow in closed form.
    dfbeta : DataFrame, (g, p)
        Coefficients without the group less those with it, as lme4's ``dfbeta``.
    dfbetas : DataFrame, (g, p)
        The same in standard errors of the estimates without the group.
    variances : DataFrame or None
        Of exact ones: the variances and covariances of ``VarCorr()`` without the group.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> found = m.influence("Subject")
    >>> found.cooks_distance.nlargest(2).round(3).to_dict()
    {'309': 0.149, '335': 0.129}
    >>> found.to_frame().columns.tolist()
    ['hat', 'cooks_distance', 'mdffits', 'covratio', 'covtrace']
    """

    by: str | None
    exact: bool
    dfbeta: pd.DataFrame
    dfbetas: pd.DataFrame
    _table: pd.DataFrame
    variances: pd.DataFrame | None = None

    @property
    def cooks_distance(self) -> pd.Series:
        """Squared length of the change of the coefficients in their covariance, over p, (g,)."""
        return self._table["cooks_distance"].copy()

    @property
    def mdffits(self) -> pd.Series:
        """The same in the covariance of the estimates without the group, (g,)."""
        return self._table["mdffits"].copy()

    @property
    def covratio(self) -> pd.Series:
        """Determinant of the covariance without the group over that with it, (g,)."""
        return self._table["covratio"].copy()

    @property
    def covtrace(self) -> pd.Series:
        """``|trace(C^{-1} C_(i)) - p|`` of these covariances, (g,): 0 for no influence."""
        return self._table["covtrace"].copy()

    def to_frame(self) -> pd.DataFrame:
        """A row for each group, in the order of the data or of the levels.

        Returns
        -------
        DataFrame
            ``hat`` (the sum of the leverages of the rows; not of models with several components),
            ``cooks_distance, mdffits, covratio, covtrace``; of exact ones also ``rvc.sigma2`` and
            ``rvc.<group>.<term>``, the relative changes of the variances, and ``converged``.
        """
        return self._table.copy()

    def __repr__(self) -> str:
        kind = "by refits" if self.exact else "in one step, variance parameters held"
        what = "rows" if self.by is None else f"levels of {self.by}"
        return f"Influence of {len(self._table)} {what}, {kind}\n{self._head().to_string()}"

    def _repr_html_(self) -> str:
        return self._head().to_html()

    def _head(self) -> pd.DataFrame:
        """The most influential ones."""
        order = self._table["cooks_distance"].sort_values(ascending=False, kind="stable").index
        at = self._table.index.get_indexer(order[:10]) if self._table.index.is_unique else None
        table = self._table.iloc[at] if at is not None else self._table.head(10)
        return table.round(4)


def influence(fit: AnyFit, by: Any = None, exact: bool = False, data: Any = None) -> Influence:
    """The influence of each row, or of each group that ``by`` names, on the estimates."""
    groups = groups_of(fit.design, by, data)
    several = has_components(fit)
    if several and not exact:
        raise ArgumentError(
            "influence in one step is for models with one linear predictor, whose least squares "
            f"problem it takes apart; this one has {', '.join(parts(fit))}. exact=True fits "
            "again without each row or group"
        )
    if not fit.p:
        raise ArgumentError("influence is measured on the coefficients, and this model has none")
    columns: dict[str, Any] = {}
    if not several and is_independent(fit):
        sums = np.bincount(groups.codes, hat_values(fit), len(groups.labels))
        columns["hat"] = sums
    variances = None
    if exact:
        measures, variances, converged = _by_refits(fit, groups)
    else:
        measures = one_step(working_model(fit), groups)
    columns |= {name: getattr(measures, name) for name in Measures._fields[2:]}
    if variances is not None:
        known = _variances(fit)
        with np.errstate(divide="ignore", invalid="ignore"):
            columns |= {f"rvc.{name}": variances[name] / known[name] - 1.0 for name in known}
        columns["converged"] = converged
    names = list(fit.design.x_names)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = measures.change / measures.std_error

    def framed(values: Any, names: Any = None) -> pd.DataFrame:
        table = pd.DataFrame(values, groups.labels, names)
        return fit.design.pad_rows(table) if groups.single else table

    return Influence(
        None if groups.single else str(groups.labels.name or "group"),
        exact,
        framed(measures.change, names),
        framed(scaled, names),
        framed(columns),
        None if variances is None else framed(variances),
    )


def _by_refits(fit: AnyFit, groups: Groups) -> tuple[Measures, dict[str, np.ndarray], np.ndarray]:
    """Measures, variances and convergence from the fits without each group."""
    known = _variances(fit)
    change = np.full((len(groups.labels), fit.p), np.nan)
    covariances = np.full((*change.shape, fit.p), np.nan)
    variances = {name: np.full(len(change), np.nan) for name in known}
    converged = np.zeros(len(change), dtype=bool)
    members = [np.array([i]) for i in groups.codes] if groups.single else groups.members()
    columns = Columns(fit)
    if fit.linear:
        fit.prepare_deletions(len(members))
    for g, gone in enumerate(members):
        if columns.lost_without(gone):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InterlaceWarning)
            try:
                other = fit.without(gone)
            except InterlaceError:  # without these rows there is no such model
                continue
        change[g], covariances[g] = other.beta - fit.beta, other.cov_beta
        converged[g] = other.converged
        for name, value in _variances(other).items():
            variances[name][g] = value
    return _compared(change, covariances, fit.cov_beta), variances, converged


class Columns:
    """The columns of X of each linear predictor, orthogonal over all rows."""

    def __init__(self, fit: AnyFit) -> None:
        self._parts = [_orthogonal(p.X) for p in fit.design.predictors.values() if p.X.shape[1]]

    def lost_without(self, gone: np.ndarray) -> bool:
        """Whether a column is a combination of the others without some of the rows."""
        for X, root in self._parts:
            own = X[gone] @ root
            if np.linalg.eigvalsh(own.T @ own)[-1] > 1.0 - DEPENDENT:
                return True
        return False


def _orthogonal(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """X, and the matrix that makes its columns orthonormal."""
    norms = np.sqrt(np.einsum("ij,ij->j", X, X))
    values, vectors = np.linalg.eigh((X / norms).T @ (X / norms))
    return X, vectors / norms[:, None] / np.sqrt(np.maximum(values, np.finfo(float).tiny))


def _compared(change: np.ndarray, covariances: np.ndarray, cov: np.ndarray) -> Measures:
    """The measures from changes of the coefficients and their covariances, whole and without."""
    p = change.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        # in units of standard errors, which no determinant can over- or underflow
        size = np.sqrt(np.diagonal(cov))
        units, d = cov / size / size[:, None], change / size
        own = covariances / size / size[:, None]
        ratios = np.full(own.shape, np.nan)
        inner = np.full(d.shape, np.nan)
        fine = np.isfinite(own).all(axis=(1, 2)) & np.isfinite(d).all(axis=1)
        if np.isfinite(units).all() and fine.any():
            ratios[fine] = np.linalg.solve(units, own[fine])
            inner[fine] = np.linalg.solve(own[fine], d[fine][..., None])[..., 0]
            outer = np.linalg.solve(units, d.T).T
        else:
            outer = np.full(d.shape, np.nan)
        return Measures(
            change,
            np.sqrt(np.einsum("gii->gi", covariances)),
            np.einsum("gi,gi->g", d, outer) / p,
            np.einsum("gi,gi->g", d, inner) / p,
            np.linalg.det(ratios),
            np.abs(np.einsum("gii->g", ratios) - p),
        )


def _variances(fit: AnyFit) -> dict[str, float]:
    """Residual variance, then variances and covariances of the random effects, term by term."""
    out: dict[str, float] = {}
    if fit.linear or (fit.family.residual_variance and np.isfinite(fit.sigma)):
        out["sigma2"] = fit.sigma**2
    for term in fit.design.terms:
        factor = fit.design.factors[term.factor]
        T = fit.T[term.factor]
        S = fit.re_scale**2 * (T @ T.T)[term.columns, term.columns]
        where = ".".join(filter(None, (term.component, factor.name)))
        for j, second in enumerate(term.names):
            out[f"{where}.{second}"] = float(S[j, j])
        if term.structure not in ("diag",):
            for j, second in enumerate(term.names):
                for i, first in enumerate(term.names[:j]):
                    out[f"{where}.{first}.{second}"] = float(S[i, j])
    return out
