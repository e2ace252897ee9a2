"""Wald inference on the fixed effects.

t and F tests with Satterthwaite's degrees of freedom, or Kenward and Roger's, for linear models; z
and chi-squared tests, which is what infinite degrees of freedom mean throughout, for generalised
ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ..calls import level as checked_level
from ..calls import one_of
from ..errors import ArgumentError, listing
from ..linalg.information import covariance_of, variance_of
from ..printing import Table
from .hypotheses import parse_hypothesis
from .kenward_roger import kenward_roger, kenward_roger_df, kenward_roger_f
from .satterthwaite import ZERO_SHARE, satterthwaite, satterthwaite_f
from .tails import chi2_pvalue, f_pvalue, t_pvalue, t_quantile

if TYPE_CHECKING:
    from ..models.kinds import AnyFit
    from ..models.lmm import LMMFit

DF_METHODS = ("satterthwaite", "kenward-roger", "residual", "normal")
OF_LINEAR = DF_METHODS[:2]
# As other packages write them.
SPELLINGS = {"kr": DF_METHODS[1], "kenward_roger": DF_METHODS[1], "kenward roger": DF_METHODS[1]}
TESTS = ("F", "Chisq")


@dataclass(frozen=True)
class WaldTest:
    """A joint test of ``L beta = rhs``.

    Attributes
    ----------
    statistic : float
        F, or the chi-squared statistic.
    df_num : int
        Rank of the hypothesis.
    df_denom : float
        Denominator degrees of freedom; infinite for the chi-squared test.
    pvalue : float
    distribution : {"F", "chi2"}
    hypothesis : tuple of str
        The rows tested, in words.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> test = m.wald_test("Days = 10")
    >>> round(test.statistic, 4), test.df_num, round(test.df_denom, 3)
    (0.0914, 1, 17.0)
    """

    statistic: float
    df_num: int
    df_denom: float
    pvalue: float
    distribution: str
    hypothesis: tuple[str, ...]

    def __str__(self) -> str:
        name = "F" if self.distribution == "F" else "Chisq"
        df = f"{self.df_num}, {self.df_denom:.4g}" if name == "F" else f"{self.df_num}"
        return (
            f"Wald test of {'; '.join(self.hypothesis)}: "
            f"{name}({df}) = {self.statistic:.4g}, p = {self.pvalue:.3g}"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        name = "F" if self.distribution == "F" else "Chisq"
        df = [f"{self.df_num}", *([f"{self.df_denom:.4g}"] if name == "F" else [])]
        head = ["", name, *["NumDF", "DenDF"][: len(df)], f"Pr(>{name})"]
        cells = ["; ".join(self.hypothesis), f"{self.statistic:.4g}", *df, f"{self.pvalue:.3g}"]
        return Table(head, [cells], title="Wald test").html()


def default_test(fit: AnyFit) -> str:
    """The joint test that goes with the t or z tests of the fit's own ``df_method``."""
    return "Chisq" if fit.df_method == "normal" else "F"


def degrees_of_freedom(
    fit: AnyFit, L: np.ndarray | None = None, method: str | None = None
) -> np.ndarray:
    """Denominator degrees of freedom of each row of L (r, p), default of each coefficient, (r,).

    The method is Satterthwaite's, Kenward and Roger's, "residual" for n - p, or "normal" for
    infinite ones (the normal distribution); default: the fit's own ``df_method``.
    """
    method = method_of(fit, method)
    rows = fit.p if L is None else len(L)
    if method == "residual":
        return np.full(rows, float(fit.n - fit.p))
    if method == "normal" or rows == 0:
        return np.full(rows, np.inf)
    linear = cast("LMMFit", fit)
    return (kenward_roger_df if method == OF_LINEAR[1] else satterthwaite)(linear, L)


def method_of(fit: AnyFit, method: Any = None, name: str = "df_method") -> str:
    """The method of degrees of freedom that is asked for; default: the fit's own ``df_method``.

    An ArgumentError says that it is not known, or not one for this model.
    """
    if method is None:
        return fit.df_method
    mixed = fit.df_method == OF_LINEAR[0]
    if isinstance(method, str):
        method = SPELLINGS.get(method.lower(), method)
        if method.lower() in OF_LINEAR and not mixed:
            raise ArgumentError(
                f"{name}={method!r} is for linear mixed models; use 'normal' or 'residual'"
            )
    return one_of(name, method, DF_METHODS if mixed else DF_METHODS[2:])


def covariance_for(fit: AnyFit, method: str) -> np.ndarray:
    """The covariance matrix of the coefficients that goes with degrees of freedom."""
    return kenward_roger(cast("LMMFit", fit)).cov if method == OF_LINEAR[1] else fit.cov_beta


def t_table(
    fit: AnyFit,
    L: np.ndarray | None = None,
    rhs: np.ndarray | float = 0.0,
    index: Sequence[str] | None = None,
    df_method: str | None = None,
) -> pd.DataFrame:
    """t tests of each row of ``L beta = rhs``; by default of each coefficient.

    The table has columns ``estimate, std_error, df, statistic, p_value`` and rows named `index`.
    """
    method = method_of(fit, df_method)
    covariance = covariance_for(fit, method)
    if L is None:
        estimate, variance = fit.beta, np.diagonal(covariance)
        index = list(fit.design.x_names)
    else:
        estimate = L @ fit.beta
        variance = variance_of(L, covariance)
    df = degrees_of_freedom(fit, L, method)
    with np.errstate(divide="ignore", invalid="ignore"):
        std_error = np.sqrt(variance)
        statistic = (estimate - rhs) / std_error
    columns = {
        "estimate": estimate,
        "std_error": std_error,
        "df": df,
        "statistic": statistic,
        "p_value": t_pvalue(statistic, df),
    }
    return pd.DataFrame(columns, index=pd.Index(index, dtype=object))


def add_intervals(table: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """The table with columns ``conf_low, conf_high`` from its estimates, SEs and df."""
    half = (
        t_quantile(checked_level("level", level), table["df"].to_numpy())
        * table["std_error"].to_numpy()
    )
    estimate = table["estimate"].to_numpy()
    return table.assign(conf_low=estimate - half, conf_high=estimate + half)


def t_test(
    fit: AnyFit, hypothesis: Any, level: float = 0.95, df_method: str | None = None
) -> pd.DataFrame:
    """t tests of each row of a hypothesis, with intervals, a row each: see `parse_hypothesis`."""
    L, rhs, labels = parse_hypothesis(fit.design.x_names, hypothesis)
    return add_intervals(t_table(fit, L, rhs, labels, df_method), level)


def wald_test(
    fit: AnyFit, hypothesis: Any, test: str | None = None, df_method: str | None = None
) -> WaldTest:
    """Test all rows of a hypothesis together; ArgumentError if they contradict each other.

    By default by F where the fit's own tests of coefficients are t tests, else by chi-squared.
    """
    method = method_of(fit, df_method)
    degrees = fit.df_method if df_method is None else method
    default = "Chisq" if degrees == "normal" else "F"
    test = default if test is None else one_of("test", test, TESTS)
    L, rhs, labels = parse_hypothesis(fit.design.x_names, hypothesis)
    if np.linalg.matrix_rank(np.c_[L, rhs]) > np.linalg.matrix_rank(L):
        raise ArgumentError(f"the rows of the hypothesis contradict each other: {listing(labels)}")
    if method == OF_LINEAR[1] and test == "F":
        F, rank, den_df = kenward_roger_f(cast("LMMFit", fit), L, rhs)
        return WaldTest(F, rank, den_df, f_pvalue(F, rank, den_df), "F", tuple(labels))
    value, rank = wald_chisq(fit, L, rhs)
    if test == "Chisq":
        p = float(chi2_pvalue(value, rank))
        return WaldTest(value, rank, np.inf, p, "chi2", tuple(labels))
    F = value / rank
    if method == OF_LINEAR[0]:
        den_df = satterthwaite_f(cast("LMMFit", fit), L)[2]
    else:  # the same for every hypothesis
        den_df = float(degrees_of_freedom(fit, L, method)[0])
    return WaldTest(F, rank, den_df, f_pvalue(F, rank, den_df), "F", tuple(labels))


def wald_chisq(fit: AnyFit, L: np.ndarray, rhs: np.ndarray | float = 0.0) -> tuple[float, int]:
    """(L beta - rhs)'(L V L')^+ (L beta - rhs) and its degrees of freedom, the rank of L V L'."""
    distance = L @ fit.beta - rhs
    covariance = covariance_of(L, fit.cov_beta)
    if not np.isfinite(covariance).all():
        return np.nan, int(np.linalg.matrix_rank(L))
    values, vectors = np.linalg.eigh(covariance)
    keep = values > ZERO_SHARE * values[-1]
    return float(np.sum((vectors[:, keep].T @ distance) ** 2 / values[keep])), int(keep.sum())
