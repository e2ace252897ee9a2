"""Tables of estimates: combinations of values with known covariance, their tests and intervals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..calls import checked_methods, number, one_of
from ..calls import level as checked_level
from ..errors import ArgumentError
from ..families.links.base import Link
from ..families.links.power import Log
from ..linalg.information import covariance_of, variance_of
from ..other_names import Answering
from .components import covariance_of_all, is_logarithm, own_link
from .multiplicity import ADJUSTMENTS, Together, adjusted_pvalues, critical_value
from .tails import f_pvalue
from .wald import covariance_for, degrees_of_freedom

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

__all__ = ["Basis", "Estimates", "Scale", "adjustment", "combined", "scale_of"]

# A combination is estimable if what no combination of the data gives has less of a share in it.
ESTIMABLE = 1e-8
# Contrasts whose weights sum to less are differences.
ZERO_SUM = 1e-6
# A direction of joint tests is lost below this share of the largest, as in R's qr.
DEPENDENT = 1e-7
#: What the alternatives of tests are called, R's numbers and words among them.
SIDES = {
    **dict.fromkeys((0, 2, "0", "2", "two-sided", "both", "equivalence", "!=", "=", "≠"), 0),
    **dict.fromkeys((1, "1", "+1", ">", "right", "greater", "noninferiority", "superiority"), 1),
    **dict.fromkeys((-1, "-1", "<", "left", "less", "nonsuperiority", "inferiority"), -1),
}


@dataclass(frozen=True, eq=False)
class Basis:
    """Values (b,) that tables combine: coefficients, or means on another scale.

    Attributes
    ----------
    fit : the fit that they are of
    values : ndarray, shape (b,)
    root : ndarray (b, p) or None
        Their derivatives in the coefficients; None for the coefficients themselves.
    method : str
        Of degrees of freedom.
    all_predictors : bool
        Whether the coefficients are those of all linear predictors.
    """

    fit: AnyFit
    values: np.ndarray
    root: np.ndarray | None
    method: str
    all_predictors: bool = False

    @cached_property
    def cov(self) -> np.ndarray:
        """Covariance of the coefficients."""
        if self.all_predictors:
            return covariance_of_all(self.fit)
        return covariance_for(self.fit, self.method)

    def split(self, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights of the values, and which rows can be estimated: further columns are lost."""
        b = self.values.size
        known = np.isfinite(L).all(axis=1) & (np.abs(L[:, b:]) <= ESTIMABLE).all(axis=1)
        return L[:, :b], known

    def slopes(self, W: np.ndarray) -> np.ndarray:
        """Derivatives in the coefficients of W times the values."""
        return W if self.root is None else _products(W, self.root)

    def estimates(self, L: np.ndarray) -> np.ndarray:
        """(r,), missing where they cannot be estimated."""
        W, known = self.split(L)
        out = np.full(len(L), np.nan)
        out[known] = np.where(W[known] == 0.0, 0.0, W[known] * self.values).sum(axis=1)
        return out

    def covariance(self, L: np.ndarray) -> np.ndarray:
        """(r, r), missing where they cannot be estimated."""
        W, known = self.split(L)
        out = np.full((len(L), len(L)), np.nan)
        out[np.ix_(known, known)] = covariance_of(self.slopes(W[known]), self.cov)
        return out

    def variance(self, L: np.ndarray) -> np.ndarray:
        """(r,), missing where they cannot be estimated."""
        W, known = self.split(L)
        out = np.full(len(L), np.nan)
        out[known] = variance_of(self.slopes(W[known]), self.cov)
        return out

    def df(self, L: np.ndarray) -> np.ndarray:
        """Degrees of freedom (r,), missing where they cannot be estimated."""
        W, known = self.split(L)
        out = np.full(len(L), np.nan)
        if known.any():
            with np.errstate(invalid="ignore", divide="ignore"):  # rows of zeros have no variance
                out[known] = degrees_of_freedom(self.fit, self.slopes(W[known]), self.method)
        return out


@dataclass(frozen=True)
class Scale:
    """The response of a linear predictor, with Lenth's correction of bias when ``sigma`` > 0.

    E g(eta + sigma Z) = g(eta) + sigma^2/2 g''(eta) to second order, for a standard normal Z.
    """

    link: Link
    sigma: float = 0.0

    def response(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and their slopes in eta."""
        half = 0.5 * self.sigma**2
        with np.errstate(over="ignore"):
            if half == 0.0:
                mean = self.link.inverse(eta)
                return mean, 1.0 / self.link.derivative(mean)
            mean, first, second, third = self.link.inverse_derivatives(eta)
            return mean + half * second, first + half * third

    @property
    def ratio(self) -> str:
        """The name of exponentials of differences of predictors; empty if they mean nothing."""
        return self.link.ratio_name


def scale_of(fit: AnyFit, sigma: float = 0.0) -> Scale:
    """The scale of the response of a fit, of a logarithm that of its variable."""
    return Scale(Log() if is_logarithm(fit) else own_link(fit), sigma)


@checked_methods
@dataclass(frozen=True, eq=False)
class Estimates(Answering, ABC):
    """Combinations L (r, b) of the values of a basis plus an offset, with their tests."""

    basis: Basis
    labels: pd.DataFrame
    L: np.ndarray
    offset: np.ndarray
    scale: Scale | None
    level: float

    @property
    def estimate(self) -> np.ndarray:
        """On the scale of the linear predictor, (r,)."""
        return self.basis.estimates(self.L) + self.offset

    @property
    def covariance(self) -> np.ndarray:
        """Of the estimates, (r, r)."""
        return self.basis.covariance(self.L)

    @property
    def df(self) -> np.ndarray:
        """Degrees of freedom of each, (r,)."""
        return self.basis.df(self.L)

    @property
    def std_error(self) -> np.ndarray:
        """On the scale of the linear predictor, (r,)."""
        return np.sqrt(self.basis.variance(self.L))

    @property
    @abstractmethod
    def families(self) -> list[np.ndarray]:
        """Rows of each family of tests."""

    @property
    def means(self) -> int:
        """Estimates whose differences the rows of a family are, for Tukey's method."""
        return max(len(rows) for rows in self.families)

    default_adjust = "none"

    @abstractmethod
    def _shown(
        self, estimate: np.ndarray, error: np.ndarray, **others: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Columns on the scale of the table, limits of intervals among them."""

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """The table, as a new data frame."""

    def vcov(self) -> pd.DataFrame:
        """Covariance matrix of the estimates, on the scale of the linear predictor.

        Returns
        -------
        DataFrame
        """
        names = [" ".join(map(str, row)) for row in self.labels.itertuples(index=False)]
        return pd.DataFrame(self.covariance, names, names)

    def test(
        self,
        null: float = 0.0,
        side: Any = "two-sided",
        delta: float = 0.0,
        adjust: str | None = None,
        joint: bool = False,
    ) -> pd.DataFrame:
        """Tests of the estimates, as emmeans's ``test``: of equivalence or one side too.

        Parameters
        ----------
        null : float, default 0
            The value tested, on the scale of the linear predictor.
        side : {"two-sided", ">", "<"}, default "two-sided"
            Which alternatives; also ``"noninferiority"``, ``"nonsuperiority"``,
            ``"equivalence"``, or 1, -1, 0.
        delta : float, default 0
            A threshold: two-sided, whether the estimate is nearer than that to ``null``
            (equivalence, by two one-sided tests); ``">"``, whether it is not below by more
            (non-inferiority); ``"<"``, whether it is not above by more.
        adjust : str, optional
            As for ``contrast``; default: that of the table. Methods for two-sided tests are
            Sidak's for one-sided ones.
        joint : bool, default False
            One F test of all estimates of each level of ``by``.

        Returns
        -------
        DataFrame
            ``estimate`` (or as in the table), ``std_error, df, null, statistic, p_value``; of
            joint tests ``df_num, df_denom, statistic, p_value``.
        """
        null, delta = number("null", null), abs(number("delta", delta))
        if joint:
            return self._joint(null)
        sign = SIDES[one_of("side", side, SIDES)]
        estimate, error, df = self.estimate, self.std_error, self.df
        with np.errstate(divide="ignore", invalid="ignore"):
            if sign:
                statistic = (estimate - null + sign * delta) / error
            else:
                distance = estimate - null
                statistic = (np.abs(distance) - delta if delta else distance) / error
        tail = sign or (-1 if delta else 0)
        adjust = self._adjust(adjust)
        p = np.empty(len(df))
        for rows in self.families:
            family = self._together(rows, adjust)
            p[rows] = adjusted_pvalues(statistic[rows], df[rows], adjust, family, tail)
        columns = self._shown(estimate, error)
        columns |= {"df": df}
        if null:
            columns["null"] = self._shown(np.full(len(df), null), error)[next(iter(columns))]
        columns |= {"statistic": statistic, "p_value": p}
        return pd.concat([self.labels, pd.DataFrame(columns)], axis=1)

    def conf_int(
        self, level: float | None = None, adjust: str | None = None, side: Any = "two-sided"
    ) -> pd.DataFrame:
        """Intervals of the estimates.

        Parameters
        ----------
        level : float, optional
            Default: that of the table.
        adjust, side
            As for ``test``; intervals of one side have one end.

        Returns
        -------
        DataFrame
            ``estimate`` (or as in the table), ``std_error, df, conf_low, conf_high``.
        """
        level = self.level if level is None else checked_level("level", level)
        sign = SIDES[one_of("side", side, SIDES)]
        estimate, error, df = self.estimate, self.std_error, self.df
        adjust = self._adjust(adjust)
        half = np.empty(len(df))
        for rows in self.families:
            family = self._together(rows, adjust)
            half[rows] = critical_value(level, df[rows], adjust, len(rows), family, sign)
        low = np.full(len(df), -np.inf) if sign < 0 else estimate - half * error
        high = np.full(len(df), np.inf) if sign > 0 else estimate + half * error
        columns = self._shown(estimate, error, conf_low=low, conf_high=high)
        ends = {name: columns.pop(name) for name in ("conf_low", "conf_high")}
        return pd.concat([self.labels, pd.DataFrame({**columns, "df": df, **ends})], axis=1)

    def _adjust(self, adjust: str | None) -> str:
        return self.default_adjust if adjust is None else adjustment(adjust)

    def _together(self, rows: np.ndarray, adjust: str) -> Together:
        """The family of some rows."""
        L = self.L[rows]
        rank = int(np.linalg.matrix_rank(L)) if np.isfinite(L).all() else len(rows)
        if adjust != "mvt":
            return Together(self.means, rank)
        V = self.basis.covariance(L)
        se = np.sqrt(np.diagonal(V))
        if not (np.isfinite(V).all() and np.all(se > 0.0)):
            raise ArgumentError(
                "adjust='mvt' needs the covariances of all estimates, of which some cannot be "
                "estimated or have no finite variance; use 'sidak' or 'holm'"
            )
        return Together(self.means, rank, V / se / se[:, None])

    def _joint(self, null: float) -> pd.DataFrame:
        rows = []
        for family in self.families:
            names = {n: self.labels[n].iloc[family[0]] for n in self.labels if n in self.by}
            rows.append(
                {**names, **joint_test(self.basis, self.L[family], null - self.offset[family])}
            )
        return pd.DataFrame(rows)

    @property
    def by(self) -> tuple[str, ...]:
        """Variables within whose levels the estimates are compared."""
        return ()

    def __str__(self) -> str:
        return self.to_frame().to_string(index=False)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(index=False)


def joint_test(basis: Basis, L: np.ndarray, rhs: np.ndarray | float = 0.0) -> dict[str, float]:
    """F of all estimable combinations of the rows together.

    The denominator's degrees of freedom are the fewest of orthonormal combinations, as in emmeans.
    """
    b = basis.values.size
    value: np.ndarray = np.broadcast_to(np.asarray(rhs, dtype=float), len(L))
    kept = np.isfinite(L).all(axis=1) & (L != 0.0).any(axis=1)
    L, value = L[kept], value[kept]
    if L.shape[1] > b and (np.abs(L[:, b:]) > ESTIMABLE).any():
        N = _null_space(L[:, b:].T)  # combinations without a part that is lost
        L, value = N @ L, N @ value
        L[:, b:] = 0.0
    lost = {"df_num": 0, "df_denom": np.nan, "statistic": np.nan, "p_value": np.nan}
    if not len(L):
        return lost
    from scipy.linalg import qr

    Q, R, order = qr(L[:, :b].T, mode="economic", pivoting=True)
    size = np.abs(np.diagonal(R))
    rank = int((size > DEPENDENT * size[0]).sum()) if size[0] > 0.0 else 0
    if rank == 0:
        return lost
    if rank < len(L) and value.any():
        raise ArgumentError("null must be 0 in a joint test of estimates that depend on each other")
    if rank == len(L):  # in their own order, on which the degrees of freedom depend
        Q, R = qr(L[:, :b].T, mode="economic")
        order = np.arange(rank)
    rows = np.zeros((rank, L.shape[1]))
    rows[:, :b] = Q[:, :rank].T
    distance = basis.estimates(rows) - np.linalg.solve(R[:rank, :rank].T, value[order][:rank])
    F = float(distance @ np.linalg.solve(basis.covariance(rows), distance)) / rank
    df = float(basis.df(rows).min())
    return {"df_num": rank, "df_denom": df, "statistic": F, "p_value": f_pvalue(F, rank, df)}


def _null_space(A: np.ndarray) -> np.ndarray:
    """Rows w with A w = 0."""
    _, size, rows = np.linalg.svd(A)
    rank = int((size > ESTIMABLE).sum())
    return rows[rank:]


def combined(W: np.ndarray, L: np.ndarray) -> np.ndarray:
    """W L for rows of weights."""
    return _products(W, L)


def _products(W: np.ndarray, L: np.ndarray) -> np.ndarray:
    """W L in which rows without weight do not matter, whatever they hold."""
    lost = ~np.isfinite(L).all(axis=1)
    if not lost.any():
        return W @ L
    out = W @ np.where(lost[:, None], 0.0, L)
    out[(W[:, lost] != 0.0).any(axis=1)] = np.nan
    return out


def adjustment(adjust: Any) -> str:
    """An adjustment by its name, as R, statsmodels and scipy spell them too."""
    other = {
        "dunnettx": "dunnett", "bh": "fdr", "fdr_bh": "fdr", "bonf": "bonferroni",
        "single-step": "mvt", "tukey-hsd": "tukey", "hsd": "tukey",
    }  # fmt: skip
    if isinstance(adjust, str):
        adjust = other.get(
            adjust.lower(), adjust.lower() if adjust.lower() in ADJUSTMENTS else adjust
        )
    return one_of("adjust", adjust, ADJUSTMENTS)
