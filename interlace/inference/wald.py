"""Wald inference on the fixed effects.

t and F tests with Satterthwaite's degrees of freedom for linear models; z and chi-squared tests,
which is what infinite degrees of freedom mean throughout, for generalised ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import MAX_LISTED, ArgumentError, ArgumentTypeError, listing, suggestion
from ..fit import Fit
from ..tokens import split_outside
from .distributions import chi2_pvalue, f_pvalue, t_pvalue, t_quantile
from .satterthwaite import RANK_TOLERANCE, satterthwaite, satterthwaite_f

if TYPE_CHECKING:
    from .kinds import AnyFit

DF_METHODS = ("satterthwaite", "residual", "normal")
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


def check_level(level: float) -> float:
    """A confidence level strictly between 0 and 1.

    Raises
    ------
    ArgumentError
        Otherwise.
    """
    if not isinstance(level, (int, float, np.number)) or isinstance(level, bool):
        raise ArgumentTypeError(f"level must be a number between 0 and 1, got {level!r}")
    if not 0.0 < level < 1.0:
        raise ArgumentError(f"level must lie between 0 and 1, such as 0.95; got {level!r}")
    return float(level)


def default_df_method(fit: AnyFit) -> str:
    """Where t tests take their degrees of freedom unless told otherwise: R's choice.

    Satterthwaite's for linear mixed models, as lmerTest; ``n - p`` for a generalised linear model
    whose dispersion is estimated apart, as ``summary.glm``; none, the normal distribution, else.
    """
    if isinstance(fit, Fit):
        return "satterthwaite"
    return "residual" if getattr(fit, "free_dispersion", False) else "normal"


def degrees_of_freedom(
    fit: AnyFit, L: np.ndarray | None = None, method: str | None = None
) -> np.ndarray:
    """Denominator degrees of freedom of each row of L.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    L : ndarray, shape (r, p), optional
        Default: each coefficient.
    method : {"satterthwaite", "residual", "normal"}, optional
        Satterthwaite's, ``n - p``, or infinite (the normal distribution). Default: see
        :func:`default_df_method`.

    Returns
    -------
    ndarray, shape (r,)

    Raises
    ------
    ArgumentError
        If the method is not known, or not one for this model.
    """
    method = default_df_method(fit) if method is None else method
    allowed = DF_METHODS if isinstance(fit, Fit) else DF_METHODS[1:]
    if method not in DF_METHODS:
        raise ArgumentError(
            f"df_method={method!r} is not known; use one of {', '.join(map(repr, allowed))}"
        )
    rows = fit.p if L is None else len(L)
    if method == "residual":
        return np.full(rows, float(fit.n - fit.p))
    if method == "normal" or rows == 0:
        return np.full(rows, np.inf)
    if not isinstance(fit, Fit):
        raise ArgumentError(
            "df_method='satterthwaite' is for linear models; use 'normal' or 'residual'"
        )
    return satterthwaite(fit, L)


def t_table(
    fit: AnyFit,
    L: np.ndarray | None = None,
    rhs: np.ndarray | float = 0.0,
    index: Sequence[str] | None = None,
    df_method: str | None = None,
) -> pd.DataFrame:
    """t tests of each row of ``L beta = rhs``.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    L : ndarray, shape (r, p), optional
        Default: each coefficient.
    rhs : ndarray, shape (r,), or float
    index : sequence of str, optional
        Names of the rows.
    df_method : str, optional
        See :func:`degrees_of_freedom`.

    Returns
    -------
    DataFrame
        ``estimate, std_error, df, statistic, p_value``.
    """
    if L is None:
        estimate, variance = fit.beta, np.diagonal(fit.cov_beta)
        index = list(fit.design.x_names)
    else:
        estimate = L @ fit.beta
        variance = np.einsum("ri,ij,rj->r", L, fit.cov_beta, L)
    df = degrees_of_freedom(fit, L, df_method)
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
    half = t_quantile(check_level(level), table["df"].to_numpy()) * table["std_error"].to_numpy()
    estimate = table["estimate"].to_numpy()
    return table.assign(conf_low=estimate - half, conf_high=estimate + half)


def parse_hypothesis(fit: AnyFit, hypothesis: Any) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """A hypothesis on the coefficients as ``L beta = rhs``.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    hypothesis : str, sequence of str, mapping, or array
        A coefficient's name; equations such as ``"a - b = 0, c = 1"`` (names that hold ``:``
        in back-quotes); several of these; ``{"name": value}``; a matrix (r, p) or row (p,); or
        a pair ``(L, rhs)`` of arrays.

    Returns
    -------
    L : ndarray, shape (r, p)
    rhs : ndarray, shape (r,)
    labels : list of str

    Raises
    ------
    ArgumentError
        If a name is not that of a coefficient, the text cannot be read, or the shape is wrong.
    """
    names = list(fit.design.x_names)
    if isinstance(hypothesis, str):
        return _from_text(hypothesis, names)
    if isinstance(hypothesis, Mapping):
        parts = [_from_text(name, names) for name in hypothesis]
        rhs = np.array([float(v) for v in hypothesis.values()])
        labels = [f"{name} = {value:g}" for name, value in hypothesis.items()]
        return np.concatenate([p[0] for p in parts]), rhs, labels
    if (
        isinstance(hypothesis, Sequence)
        and len(hypothesis)
        and all(isinstance(h, str) for h in hypothesis)
    ):
        parts = [_from_text(h, names) for h in hypothesis]
        L, rhs = (np.concatenate([p[i] for p in parts]) for i in (0, 1))
        return L, rhs, [label for p in parts for label in p[2]]
    right: Any = 0.0
    if isinstance(hypothesis, tuple) and len(hypothesis) == 2 and np.ndim(hypothesis[0]) >= 1:
        hypothesis, right = hypothesis
    try:
        L = np.atleast_2d(np.asarray(hypothesis, dtype=float))
        rhs = np.broadcast_to(np.asarray(right, dtype=float), (L.shape[0],)).copy()
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            "a hypothesis must be a coefficient's name, an equation such as 'a - b = 0', a dict "
            f"of values or a matrix with {len(names)} columns; got {hypothesis!r}"
        ) from None
    if L.ndim != 2 or L.shape[1] != len(names) or not np.all(np.isfinite(L)):
        raise ArgumentError(
            f"the hypothesis has shape {L.shape}; it needs {len(names)} finite columns, one for "
            f"each coefficient: {listing(names)}"
        )
    return L, rhs, [_row_label(row, r, names) for row, r in zip(L, rhs, strict=True)]


def _from_text(text: str, names: list[str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    parts = split_outside(text, ",")
    if len(parts) > 1:
        read = [_from_text(part, names) for part in parts]
        L, rhs = (np.concatenate([r[i] for r in read]) for i in (0, 1))
        return L, rhs, [label for r in read for label in r[2]]
    # A coefficient's own name comes first: the parser would take the ":" of "a:b" for syntax.
    if text.strip() in names:
        row = np.zeros((1, len(names)))
        row[0, names.index(text.strip())] = 1.0
        return row, np.zeros(1), [f"{text.strip()} = 0"]
    left, equals, right = text.rpartition("=")
    value = _number(right) if equals else None
    if value:
        # The parser knows neither -1 nor 1e-3 on the right.
        L, rhs, _ = _from_text(left, names)
        rhs = rhs + value
        return L, rhs, [_row_label(row, r, names) for row, r in zip(L, rhs, strict=True)]
    from formulaic.utils.constraints import LinearConstraints

    try:
        parsed = LinearConstraints.from_spec(text, variable_names=names)
    except Exception as error:
        own = [name for name in names if name.startswith(f"{text.strip()}[")]
        if own:
            raise ArgumentError(
                f"{text.strip()!r} is a term, not a coefficient: anova() tests it, and so does the "
                f"list of its coefficients, {own[:MAX_LISTED]}"
            ) from error
        raise ArgumentError(
            f"cannot read the hypothesis {text!r}: {error}.{suggestion(text, names)} "
            f"The coefficients are {listing(names)}; put names with ':' in back-quotes"
        ) from error
    L = np.asarray(parsed.constraint_matrix, dtype=float)
    rhs = np.asarray(parsed.constraint_values, dtype=float)
    return L, rhs, [_row_label(row, r, names) for row, r in zip(L, rhs, strict=True)]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _row_label(row: np.ndarray, rhs: float, names: list[str]) -> str:
    parts: list[str] = []
    for value, name in zip(row, names, strict=True):
        if value == 0.0:
            continue
        size = "" if abs(value) == 1.0 else f"{abs(value):g} "
        sign = "-" if value < 0.0 else "+"
        parts.append(f"{sign} {size}{name}" if parts else f"{'-' if value < 0 else ''}{size}{name}")
    return f"{' '.join(parts) or '0'} = {rhs:g}"


def t_test(
    fit: AnyFit, hypothesis: Any, level: float = 0.95, df_method: str | None = None
) -> pd.DataFrame:
    """t tests of each row of a hypothesis, with intervals.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    hypothesis : str, sequence, mapping or array
        See :func:`parse_hypothesis`.
    level : float, default 0.95
    df_method : {"satterthwaite", "residual", "normal"}, optional
        See :func:`degrees_of_freedom`.

    Returns
    -------
    DataFrame
        One row per contrast: ``estimate, std_error, df, statistic, p_value, conf_low,
        conf_high``.
    """
    L, rhs, labels = parse_hypothesis(fit, hypothesis)
    return add_intervals(t_table(fit, L, rhs, labels, df_method), level)


def wald_test(fit: AnyFit, hypothesis: Any, test: str | None = None) -> WaldTest:
    """A joint test of all rows of a hypothesis.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    hypothesis : str, sequence, mapping or array
        See :func:`parse_hypothesis`.
    test : {"F", "Chisq"}, optional
        F, with the degrees of freedom of the t tests (:func:`default_df_method`), infinite where
        these are z tests; or the chi-squared test. Default: F for linear models, chi-squared for
        others.

    Returns
    -------
    WaldTest

    Raises
    ------
    ArgumentError
        If the test is not known or the rows contradict each other.
    """
    test = ("F" if isinstance(fit, Fit) else "Chisq") if test is None else test
    if test not in TESTS:
        raise ArgumentError(f"test={test!r} is not known; use 'F' or 'Chisq'")
    L, rhs, labels = parse_hypothesis(fit, hypothesis)
    if not np.any(L):
        raise ArgumentError("the hypothesis names no coefficient: every row of it is zero")
    if np.linalg.matrix_rank(np.c_[L, rhs]) > np.linalg.matrix_rank(L):
        raise ArgumentError(f"the rows of the hypothesis contradict each other: {listing(labels)}")
    value, rank = wald_chisq(fit, L, rhs)
    if test == "Chisq":
        p = float(chi2_pvalue(value, rank))
        return WaldTest(value, rank, np.inf, p, "chi2", tuple(labels))
    F = value / rank
    if isinstance(fit, Fit):
        den_df = satterthwaite_f(fit, L)[2]
    else:  # the same for every hypothesis
        den_df = float(degrees_of_freedom(fit, L)[0])
    return WaldTest(F, rank, den_df, f_pvalue(F, rank, den_df), "F", tuple(labels))


def wald_chisq(fit: AnyFit, L: np.ndarray, rhs: np.ndarray | float = 0.0) -> tuple[float, int]:
    """(L beta - rhs)'(L V L')^+ (L beta - rhs) and its degrees of freedom, the rank of L V L'.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    L : ndarray, shape (r, p)
    rhs : ndarray, shape (r,), or float

    Returns
    -------
    statistic : float
    df : int
    """
    distance = L @ fit.beta - rhs
    covariance = L @ fit.cov_beta @ L.T
    if not np.isfinite(covariance).all():
        return np.nan, int(np.linalg.matrix_rank(L))
    values, vectors = np.linalg.eigh(covariance)
    keep = values > RANK_TOLERANCE * values[-1]
    return float(np.sum((vectors[:, keep].T @ distance) ** 2 / values[keep])), int(keep.sum())
