"""Tests of single terms by models without them: fixed ones, and random ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..errors import ArgumentError, brief
from ..formula.formula import Formula, RandomTermSpec
from ..formula.terms import lhs_terms
from .criteria import aic
from .kenward_roger import kenward_roger_f
from .lrt import likelihood_ratio
from .satterthwaite import satterthwaite_f
from .tails import chi2_pvalue, f_pvalue
from .update import check_call, reduced, with_terms
from .wald import method_of, wald_test

__all__ = [
    "Deletion",
    "boundary_test",
    "fixed_deletions",
    "random_deletions",
    "without_random",
    "without_terms",
    "written",
]

# A likelihood that falls by less, relative, when a term comes in, falls by rounding.
ROUNDING = 1e-7


def without_terms(result: Any, test: str, ddf: str | None) -> pd.DataFrame:
    """Tests of the fixed terms that no other term contains, by smaller models or by F."""
    if test == "F":
        return _f_tests(result, ddf)
    if ddf is not None:
        raise ArgumentError(f"ddf={brief(ddf)} is for test='F'; test='Chisq' has none")
    check_call(result, "drop1")
    terms = fixed_deletions(result)
    whole = result.fit.as_ml() if result.fit.is_reml else result.fit
    method = {"method": "ML"} if result.fit.linear else {}
    rows = [(np.nan, aic(whole), np.nan, np.nan)]
    for term in terms:
        smaller = reduced(result, f". ~ . - {term}", **method).fit
        _check_rows(smaller, whole, term)
        df = whole.n_parameters - smaller.n_parameters
        statistic = _statistic(whole.llf_maximum, smaller.llf_maximum, term)
        p = float(chi2_pvalue(statistic, df)) if df else np.nan
        rows.append((df, aic(smaller), statistic, p))
    index = pd.Index(["<none>", *terms], name="term", dtype=object)
    return pd.DataFrame(rows, index=index, columns=["npar", "AIC", "LRT", "Pr(Chi)"])


def _check_rows(smaller: Any, whole: Any, term: str) -> None:
    if smaller.n != whole.n:
        raise ArgumentError(
            f"without {term!r} there are {smaller.n} rows in place of {whole.n}, since values that "
            "only it needs are missing; leave these rows out of the data first"
        )


def fixed_deletions(result: Any) -> list[str]:
    """Terms of the mean that no other term contains."""
    terms = [t for t in result.fit.design.mean.terms.terms if t.name != "Intercept"]
    return [t.name for t in terms if not any(t.variables < other.variables for other in terms)]


def _f_tests(result: Any, ddf: str | None) -> pd.DataFrame:
    """F tests of the terms' own coefficients; nothing is fitted."""
    fit: Any = result.fit
    if not (fit.linear or (fit.irls and fit.df_method == "residual")):
        raise ArgumentError("test='F' is for linear models; test='Chisq' fits others again")
    method = method_of(fit, ddf, "ddf")
    slices, terms = dict(fit.design.x_terms), fixed_deletions(result)
    rows = []
    for term in terms:
        L = np.eye(fit.p)[slices[term]]
        F, num_df, den_df = _f_of(fit, L, method) if len(L) else (np.nan, 0, np.nan)
        square = F * num_df * fit.dispersion
        mean = F * fit.dispersion
        rows.append((square, mean, num_df, den_df, F, f_pvalue(F, num_df, den_df)))
    index = pd.Index(terms, name="term", dtype=object)
    columns = ["Sum Sq", "Mean Sq", "NumDF", "DenDF", "F value", "Pr(>F)"]
    return pd.DataFrame(rows, index=index, columns=columns)


def _f_of(fit: Any, L: np.ndarray, method: str) -> tuple[float, int, float]:
    if method == "satterthwaite":
        return satterthwaite_f(fit, L)
    if method == "kenward-roger":
        return kenward_roger_f(fit, L)
    test = wald_test(fit, L, "F", method)
    return test.statistic, test.df_num, test.df_denom


def _statistic(larger: float, smaller: float, term: str) -> float:
    """Twice the difference of log-likelihoods; an error if the larger model's is lower."""
    statistic = 2.0 * (larger - smaller)
    if statistic < -ROUNDING * max(1.0, abs(larger)):
        raise ArgumentError(
            f"without {term!r} the likelihood is higher, so the search for the maximum of the "
            "model ended elsewhere; fit it from another theta0= or with another optimizer="
        )
    return max(statistic, 0.0)


class Deletion(NamedTuple):
    """A random term, or one variable of it, that may be left out.

    Attributes
    ----------
    label : str
    random : list of str
        The random terms that stay.
    removed : int
        Effects removed; 0 where that is not known.
    """

    label: str
    random: list[str]
    removed: int


def random_deletions(formula: Formula, reduce: bool) -> list[Deletion]:
    """The deletions from the random part of a formula."""
    out = []
    for i, spec in enumerate(formula.random):
        others = [one.text for j, one in enumerate(formula.random) if j != i]
        terms = lhs_terms(spec.lhs)
        slopes = [term for term in terms if term != "1"]
        if not reduce or not slopes or spec.structure not in ("us", "diag"):
            removed = 1 if len(terms) == 1 and not slopes else 0
            out.append(Deletion(spec.text, others, removed))
            continue
        for slope in slopes:
            rest = [term for term in terms if term != slope]
            kept = [written(spec, rest)] if rest else []
            out.append(Deletion(f"{slope} in {spec.text}", [*others, *kept], 1))
    return out


def written(spec: RandomTermSpec, terms: Sequence[str]) -> str:
    """A random term with other terms on its left side, the intercept as ``"1"``."""
    left = " + ".join(terms if "1" in terms else ["0", *terms])
    bar = "||" if spec.structure == "diag" and len(terms) > 1 else "|"
    return f"({left} {bar} {spec.text.rstrip(')').rpartition('|')[2].strip()})"


def without_random(result: Any, reduce_terms: bool) -> pd.DataFrame:
    """Likelihood-ratio tests of the random terms of a mixed model."""
    check_call(result, "ranova")
    whole: Any = result.fit
    if not whole.design.terms:
        raise ArgumentError("ranova is for models with random effects; il.drop1(m) tests others")
    formula = whole.design.formula
    rows = [(whole.n_parameters, whole.llf, aic(whole), np.nan, np.nan, np.nan, np.nan)]
    labels = ["<none>"]
    for label, random, removed in random_deletions(formula, reduce_terms):
        llf, npar = _without(result, formula, random)
        df, statistic = whole.n_parameters - npar, _statistic(whole.llf, llf, label)
        plain, mixed = lrt_pvalues(statistic, df, removed)
        rows.append((npar, llf, 2.0 * npar - 2.0 * llf, statistic, df, plain, mixed))
        labels.append(label)
    columns = ["npar", "logLik", "AIC", "LRT", "Df", "Pr(>Chisq)", "Pr(boundary)"]
    index = pd.Index(labels, name="term", dtype=object)
    return pd.DataFrame(rows, index=index, columns=columns)


def lrt_pvalues(statistic: float, df: int, removed: int) -> tuple[float, float]:
    """p-values by chi-squared, and with the variance of one effect removed on its boundary.

    There the statistic is a mixture in equal parts of chi-squared with df - 1 and df degrees of
    freedom (Stram and Lee 1994); NaN where other than one effect is removed.
    """
    plain = float(chi2_pvalue(statistic, df)) if df else np.nan
    if removed != 1 or not df:
        return plain, np.nan
    below = float(chi2_pvalue(statistic, df - 1)) if df > 1 else float(statistic == 0.0)
    return plain, 0.5 * (plain + below)


def boundary_test(one: Any, other: Any, refit: bool = True) -> pd.DataFrame:
    """`likelihood_ratio` of two fits, with ``Pr(boundary)``, that of `lrt_pvalues`."""
    table = likelihood_ratio([one, other], refit=refit)
    small, large = sorted((one, other), key=lambda fit: fit.n_parameters)
    p = np.nan
    if _same_but_one(small, large):
        statistic, df = float(table["Chisq"].iloc[1]), large.n_parameters - small.n_parameters
        p = lrt_pvalues(statistic, df, 1)[1]
    table["Pr(boundary)"] = [np.nan, p]
    return table


def _same_but_one(small: Any, large: Any) -> bool:
    """Whether fits have the same fixed part and family, and one has one random effect more."""
    if large.family.name != small.family.name or large.n_parameters == small.n_parameters:
        return False
    names = [{k: tuple(v.names) for k, v in f.design.predictors.items()} for f in (small, large)]
    effects = [
        [(f.design.factors[t.factor].name, name) for t in f.design.terms for name in t.names]
        for f in (small, large)
    ]
    more = [effect for effect in effects[1] if effect not in effects[0]]
    return names[0] == names[1] and len(more) == 1 == len(effects[1]) - len(effects[0])


def _without(result: Any, formula: Formula, random: list[str]) -> tuple[float, int]:
    """Log-likelihood and number of parameters with other random terms."""
    whole: Any = result.fit
    if not random and whole.linear:  # no variance left: the criterion at zero
        x = np.zeros_like(whole.x)
        return -0.5 * whole.objective.evaluate(x, 0).value, whole.n_parameters - whole.theta.size
    fit = reduced(result, with_terms(formula, random)).fit
    _check_rows(fit, whole, " + ".join(random) or "random terms")
    return fit.llf_maximum, fit.n_parameters
