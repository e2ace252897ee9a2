"""Analysis of deviance of generalised linear models."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from ..calls import one_of
from ..errors import ArgumentError
from ..models.glm import GLMFit
from ..models.regression import RegressionFit
from .comparison import Comparison, check_offsets, check_same_data, labels_of, same_distribution
from .tails import chi2_pvalue, f_pvalue

TESTS = ("LRT", "Chisq", "F")


def analysis_of_deviance(
    fits: Sequence[GLMFit], names: Sequence[str] | None = None, test: str | None = None
) -> Comparison:
    """Compare nested models as R's ``anova`` of several glms, of negative binomials as MASS.

    Differences are divided by the dispersion of the model with fewest residual degrees of freedom.
    """
    labels = labels_of(fits, names)
    test = _checked(fits, labels, test)
    estimated = any(len(f.zeta) and not f.family.free_dispersion for f in fits)
    df = np.array([f.df_resid for f in fits], dtype=float)
    values = np.array([f.criterion if estimated else f.deviance for f in fits])
    full = fits[int(np.argmin(df))]
    steps = np.r_[np.nan, -np.diff(df)]
    change = np.r_[np.nan, -np.diff(values)]
    heads = ("-2 log-lik", "LR stat") if estimated else ("Resid. Dev", "Deviance")
    table = Comparison(
        {"Resid. Df": df, heads[0]: values, "Df": steps, heads[1]: change},
        index=pd.Index(labels, name="model", dtype=object),
    )
    scale = full.dispersion
    unlike = [a.family.link != b.family.link for a, b in pairwise(fits)]
    change = np.where([False, *unlike], np.nan, change)
    table.attrs["notes"] = tuple(
        f"no test of {labels[i]!r} against {labels[i + 1]!r}: their links differ; compare AIC"
        for i in np.flatnonzero(unlike)
    )
    if test == "F":
        F = change / np.where(steps == 0.0, np.nan, steps) / scale
        table["F"] = F
        table["Pr(>F)"] = [_f_tail(v, abs(k), full.df_resid) for v, k in zip(F, steps)]
        return table
    table["Pr(>Chi)"] = [
        np.nan if np.isnan(v) or k == 0 else float(chi2_pvalue(max(v / np.sign(k), 0.0), abs(k)))
        for v, k in zip(change / scale, steps)
    ]
    return table


def _f_tail(F: float, num_df: float, den_df: float) -> float:
    if np.isnan(F) or num_df == 0 or den_df == 0:
        return float("nan")
    return f_pvalue(max(F, 0.0), num_df, den_df)


def check_dispersion(fit: GLMFit | RegressionFit, test: str | None) -> None:
    """Refuse F tests where no dispersion is estimated.

    Raises
    ------
    ArgumentError
    """
    if test == "F" and not fit.irls:
        raise ArgumentError(
            "test='F' needs a dispersion that is estimated apart from the coefficients; this model "
            "was fitted by maximum likelihood for all parameters: use test='Chisq'"
        )
    if test == "F" and not fit.family.free_dispersion:
        raise ArgumentError(
            f"test='F' needs an estimated dispersion, which the family {fit.family.name!r} does "
            "not have; use test='Chisq'"
        )


def _checked(fits: Sequence[GLMFit], labels: Sequence[str], test: str | None) -> str:
    first = fits[0]
    if test is None:
        test = "F" if first.family.free_dispersion else "LRT"
    test = one_of("test", test, TESTS)
    check_dispersion(first, test)
    check_same_data(fits, labels)
    for other, label in zip(fits[1:], labels[1:], strict=True):
        if not same_distribution(first.family, other.family):
            raise ArgumentError(
                f"models of family {first.family!r} and {other.family!r} cannot be compared by "
                "deviance; compare their aic"
            )
        check_offsets(first, other, f"{labels[0]!r} and {label!r}")
    return test
