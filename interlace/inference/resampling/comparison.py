"""Two nested models compared by simulation: likelihood ratios of responses from the smaller one.

With the statistic t of df parameters and its draws t*, of mean E and variance V (Halekoh and
Hojsgaard 2014, pbkrtest's PBmodcomp):

    PBtest    (1 + number of t* > t) / (1 + number of t*)
    Gamma     the tail of the Gamma distribution of mean E and variance V at t
    Bartlett  chi-squared of df at df t / E
    F         F(df, 2 E / (E - 1)) at t / df
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...errors import ArgumentError
from ...printing import Table
from ..lrt import ROUNDING, likelihood_ratio
from ..tails import chi2_pvalue, f_pvalue
from ..update import check_call, reduced
from .refits import refits_of
from .replicates import FAILED, Outcomes, checked_count, counts, replicates
from .sources import RowSource, pairs, parametric

__all__ = ["SimulatedComparison", "pb_modcomp", "five_tests"]

ROWS = ("LRT", "PBtest", "Gamma", "Bartlett", "F")


@dataclass(frozen=True, eq=False)
class SimulatedComparison:
    """A likelihood-ratio test whose distribution was simulated.

    Attributes
    ----------
    table : DataFrame
        Rows ``LRT`` (chi-squared), ``PBtest`` (the share of draws), ``Gamma``, ``Bartlett`` and
        ``F`` (distributions fitted to the draws); columns ``stat, df, ddf, p_value``.
    reference : ndarray
        Statistics of the responses drawn from the smaller model, NaN where a fit failed.
    large, small : str
        Formulas.
    failures : dict of str to int
        Why refits failed, and how often.

    Examples
    --------
    >>> import interlace as il
    >>> sleep = il.load_dataset("sleepstudy")
    >>> large = il.fit("Reaction ~ Days + (Days | Subject)", sleep)
    >>> small = il.fit("Reaction ~ Days + (1 | Subject)", sleep)
    >>> il.pb_modcomp(large, small, nsim=99, seed=1).p_value
    0.01
    """

    table: pd.DataFrame
    reference: np.ndarray
    large: str
    small: str
    failures: dict[str, int]

    @property
    def p_value(self) -> float:
        """That of ``PBtest``."""
        return float(self.table.loc["PBtest", "p_value"])

    def to_frame(self) -> pd.DataFrame:
        """The table, as a new data frame.

        Returns
        -------
        DataFrame
        """
        return self.table.copy()

    def _table(self) -> Table:
        rows = [
            [str(name), *("" if np.isnan(v) else f"{v:.5g}" for v in row)]
            for name, row in zip(self.table.index, self.table.to_numpy(), strict=True)
        ]
        used = int(np.isfinite(self.reference).sum())
        note = f"large: {self.large}\nsmall: {self.small}\n{used} responses drawn from the small"
        if self.failures:
            why = "; ".join(f"{count} times: {reason}" for reason, count in self.failures.items())
            note += f"\n{self.reference.size - used} others failed ({why})"
        header = ["", *self.table.columns]
        return Table(header, rows, title="Likelihood-ratio test by simulation", note=note)

    def __str__(self) -> str:
        return self._table().text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._table().html()


def pb_modcomp(
    large: Any, small: Any, nsim: int, seed: Any, workers: int | None, progress: bool | None
) -> SimulatedComparison:
    """The likelihood-ratio test of ``small`` within ``large``, its distribution simulated.

    ``small`` may be a formula, in which a ``.`` stands for that of ``large``.
    """
    nsim = checked_count("nsim", nsim)
    if isinstance(small, str):
        check_call(large, "pb_modcomp")
        small = reduced(large, small)
    table = likelihood_ratio([small.fit, large.fit])
    df = small.fit.n_parameters - large.fit.n_parameters
    if df >= 0 or np.isnan(table["Chisq"].iloc[1]):
        why = "; ".join(note for note in table.attrs["notes"] if note.startswith("no test"))
        swapped = "the first model must be the larger one: swap them" if df > 0 else ""
        raise ArgumentError(
            swapped
            or why
            or "both models have the same number of parameters, so that neither is within the "
            "other: compare m.aic"
        )
    first, whole = small.fit.as_ml(), large.fit.as_ml()

    def make() -> RowSource:
        small_refits = refits_of(first, type(small)._refit, largest=True)
        large_refits = refits_of(whole, type(large)._refit, largest=True)
        return RowSource(first, parametric, pairs(small_refits, large_refits, _statistics))

    outcomes = replicates(make, nsim, seed, workers, progress, "comparison")
    draws = outcomes.values[:, 0]
    tests = five_tests(float(table["Chisq"].iloc[1]), -df, draws[np.isfinite(draws)])
    formulas = large.fit.design.formula.text, small.fit.design.formula.text
    return SimulatedComparison(tests, draws, *formulas, counts(outcomes)[0])


def _statistics(small: Outcomes, large: Outcomes) -> Outcomes:
    """Twice the difference of the log-likelihoods of each response."""
    best = small.values[:, -1]
    with np.errstate(invalid="ignore"):
        gain = 2.0 * (large.values[:, -1] - best)
        lower = gain < -ROUNDING * np.maximum(1.0, np.abs(best))
    reasons = [a or b for a, b in zip(small.reasons, large.reasons, strict=True)]
    for i in np.flatnonzero(lower).tolist():
        reasons[i] = reasons[i] or "the larger model is at a lower maximum"
    failed = np.array([bool(reason) for reason in reasons], dtype=bool)
    gain = np.where(failed, np.nan, np.maximum(gain, 0.0))
    verdicts = [FAILED if r else v for r, v in zip(reasons, large.verdicts, strict=True)]
    return Outcomes(gain[:, None], verdicts, reasons)


def five_tests(statistic: float, df: int, draws: np.ndarray) -> pd.DataFrame:
    """The five tests of a statistic, given its draws."""
    from scipy.special import gammaincc

    out = pd.DataFrame(np.nan, index=list(ROWS), columns=["stat", "df", "ddf", "p_value"])
    out["stat"] = statistic
    out.loc["LRT", ["df", "p_value"]] = df, float(chi2_pvalue(statistic, df))
    extreme = int(np.count_nonzero(draws > statistic))
    out.loc["PBtest", "p_value"] = (1.0 + extreme) / (1.0 + draws.size)
    positive = draws[draws > 0.0]
    if positive.size < 2:
        return out
    mean, variance = float(positive.mean()), float(positive.var(ddof=1))
    out.loc["Gamma", "p_value"] = float(gammaincc(mean**2 / variance, statistic * mean / variance))
    corrected = df * statistic / mean
    p = float(chi2_pvalue(corrected, df))
    out.loc["Bartlett", ["stat", "df", "p_value"]] = corrected, df, p
    ddf = 2.0 * mean / (mean - 1.0) if mean != 1.0 else np.inf
    p = f_pvalue(statistic / df, df, ddf) if ddf > 0.0 else np.nan
    out.loc["F", ["stat", "df", "ddf", "p_value"]] = statistic / df, df, ddf, p
    return out
