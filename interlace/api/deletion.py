"""Tests of single terms by models without them: `drop1` for fixed, `ranova` for random ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..calls import checked
from ..errors import ArgumentError, ArgumentTypeError, DataWarning, brief
from ..formula.formula import Formula, RandomTermSpec
from ..formula.terms import lhs_terms
from ..inference.criteria import aic
from ..inference.satterthwaite import satterthwaite_f
from ..inference.tails import chi2_pvalue, f_pvalue
from ..results.base import ModelResult
from ..results.lmm import LMMResult
from .functions import update

__all__ = ["drop1", "ranova"]

# A likelihood that falls by less, relative, when a term comes in, falls by rounding.
ROUNDING = 1e-7


@checked
def drop1(result: Any, *, test: Literal["Chisq", "F"] = "Chisq") -> pd.DataFrame:
    """Fit again without each fixed term that no other term contains, as R's ``drop1``.

    Parameters
    ----------
    result : LMMResult, GLMMResult or GLMResult
        A fit made in this process.
    test : {"Chisq", "F"}, default "Chisq"
        Likelihood-ratio tests by maximum likelihood; or, for linear mixed models, F tests of the
        terms' own coefficients with Satterthwaite's degrees of freedom, for which nothing is
        fitted.

    Returns
    -------
    DataFrame
        One row a term. With ``"Chisq"`` a first row ``<none>``, and columns ``npar, AIC, LRT,
        Pr(Chi)``, npar being the number of parameters that the term has; with ``"F"`` ``NumDF,
        DenDF, F value, Pr(>F)``.

    Raises
    ------
    ArgumentError
        If the result does not hold its data, a term may not be dropped alone, or missing values
        leave the smaller model other rows.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.drop1(m)["LRT"].round(3).tolist()
    [nan, 23.537]
    """
    _check(result, "drop1")
    terms = _droppable(result)
    if test == "F":
        return _f_tests(result, terms)
    whole = result.fit.as_ml() if result.fit.is_reml else result.fit
    method = {"method": "ML"} if isinstance(result, LMMResult) else {}
    rows = [(np.nan, aic(whole), np.nan, np.nan)]
    for term in terms:
        smaller = _updated(result, f". ~ . - {term}", **method)
        _check_rows(smaller, whole, term)
        df = whole.n_parameters - smaller.n_parameters
        statistic = _statistic(whole.llf_maximum, smaller.llf_maximum, term)
        p = float(chi2_pvalue(statistic, df)) if df else np.nan
        rows.append((df, aic(smaller), statistic, p))
    index = pd.Index(["<none>", *terms], name="term", dtype=object)
    return pd.DataFrame(rows, index=index, columns=["npar", "AIC", "LRT", "Pr(Chi)"])


def _check(result: Any, name: str) -> None:
    if not isinstance(result, ModelResult):
        raise ArgumentTypeError(
            f"{name} takes a fitted model of fit(), glmer() or glm(); got {brief(result)}"
        )
    if result.call is None:
        raise ArgumentError(
            f"{name} fits the model again, and this result does not hold its data (it was "
            "unpickled, refitted or made by modular.result()); fit it in this process"
        )


def _updated(result: ModelResult, formula: str, **changes: Any) -> Any:
    """The fit of another formula; what was said of the data when they were first used is known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return update(result, formula, **changes).fit


def _check_rows(smaller: Any, whole: Any, term: str) -> None:
    if smaller.n != whole.n:
        raise ArgumentError(
            f"without {term!r} there are {smaller.n} rows in place of {whole.n}, since values that "
            "only it needs are missing; leave these rows out of the data first"
        )


def _droppable(result: ModelResult) -> list[str]:
    """Terms of the mean that no other term contains."""
    terms = [t for t in result.fit.design.mean.terms.terms if t.name != "Intercept"]
    return [t.name for t in terms if not any(t.variables < other.variables for other in terms)]


def _f_tests(result: ModelResult, terms: list[str]) -> pd.DataFrame:
    fit: Any = result.fit
    if not isinstance(result, LMMResult):
        raise ArgumentError("test='F' is for linear mixed models; test='Chisq' fits others again")
    slices = dict(fit.design.x_terms)
    rows = []
    for term in terms:
        F, num_df, den_df = satterthwaite_f(fit, np.eye(fit.p)[slices[term]])
        rows.append((num_df, den_df, F, f_pvalue(F, num_df, den_df)))
    index = pd.Index(terms, name="term", dtype=object)
    return pd.DataFrame(rows, index=index, columns=["NumDF", "DenDF", "F value", "Pr(>F)"])


def _statistic(larger: float, smaller: float, term: str) -> float:
    """Twice the difference of log-likelihoods; an error if the larger model's is lower."""
    statistic = 2.0 * (larger - smaller)
    if statistic < -ROUNDING * max(1.0, abs(larger)):
        raise ArgumentError(
            f"without {term!r} the likelihood is higher, so the search for the maximum of the "
            "model ended elsewhere; fit it from another theta0= or with another optimizer="
        )
    return max(statistic, 0.0)


@checked
def ranova(result: Any, *, reduce_terms: bool = True) -> pd.DataFrame:
    """Likelihood-ratio tests of the random terms of a linear mixed model, as lmerTest's ``ranova``.

    Parameters
    ----------
    result : LMMResult
        A fit made in this process; REML fits are compared by REML.
    reduce_terms : bool, default True
        Take one variable at a time out of a term with several effects, ``(Days | Subject)`` to
        ``(1 | Subject)``; False takes out the whole term.

    Returns
    -------
    DataFrame
        One row ``<none>`` and one a deletion: ``npar, logLik, AIC, LRT, Df, Pr(>Chisq)``, and
        ``Pr(boundary)``: the variance tested lies on its boundary, where the statistic is a mixture
        of chi-squared distributions with Df - 1 and Df degrees of freedom in equal parts when one
        effect is removed (Stram and Lee 1994), and the p-value of chi-squared too large.

    Raises
    ------
    ArgumentError
        If the model is not linear, or does not hold its data.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.ranova(m)["LRT"].round(3).tolist()
    [nan, 42.837]
    """
    _check(result, "ranova")
    if not isinstance(result, LMMResult):
        raise ArgumentError(
            "ranova is for linear mixed models; compare others with il.anova(smaller, m)"
        )
    whole: Any = result.fit
    formula = whole.design.formula
    rows = [(whole.n_parameters, whole.llf, aic(whole), np.nan, np.nan, np.nan, np.nan)]
    labels = ["<none>"]
    for label, random, removed in _deletions(formula, reduce_terms):
        llf, npar = _without(result, formula, random)
        df, statistic = whole.n_parameters - npar, _statistic(whole.llf, llf, label)
        plain = float(chi2_pvalue(statistic, df))
        mixed = np.nan
        if removed == 1:
            below = float(chi2_pvalue(statistic, df - 1)) if df > 1 else float(statistic == 0.0)
            mixed = 0.5 * (plain + below)
        rows.append((npar, llf, 2.0 * npar - 2.0 * llf, statistic, df, plain, mixed))
        labels.append(label)
    columns = ["npar", "logLik", "AIC", "LRT", "Df", "Pr(>Chisq)", "Pr(boundary)"]
    index = pd.Index(labels, name="term", dtype=object)
    return pd.DataFrame(rows, index=index, columns=columns)


def _deletions(formula: Formula, reduce: bool) -> list[tuple[str, list[str], int]]:
    """Label, random terms that stay, and number of effects removed (0: not known)."""
    out = []
    for i, spec in enumerate(formula.random):
        others = [one.text for j, one in enumerate(formula.random) if j != i]
        terms = lhs_terms(spec.lhs)
        slopes = [term for term in terms if term != "1"]
        if not reduce or not slopes:
            out.append((spec.text, others, 1 if len(terms) == 1 and not slopes else 0))
            continue
        for slope in slopes:
            rest = [term for term in terms if term != slope]
            kept = [_written(spec, rest)] if rest else []
            out.append((f"{slope} in {spec.text}", [*others, *kept], 1))
    return out


def _written(spec: RandomTermSpec, terms: Sequence[str]) -> str:
    left = " + ".join(terms if "1" in terms else ["0", *terms])
    bar = "||" if spec.structure == "diag" and len(terms) > 1 else "|"
    return f"({left} {bar} {spec.text.rstrip(')').rpartition('|')[2].strip()})"


def _without(result: LMMResult, formula: Formula, random: list[str]) -> tuple[float, int]:
    """Log-likelihood and number of parameters with other random terms."""
    whole: Any = result.fit
    if not random:  # no variance left: the criterion at zero
        x = np.zeros_like(whole.x)
        return -0.5 * whole.objective.evaluate(x, 0).value, whole.n_parameters - whole.theta.size
    offsets = [f"offset({text})" for text in formula.offsets]
    right = " + ".join([formula.fixed or "1", *offsets, *random])
    assert formula.response is not None
    text = f"{formula.response.text} ~ {right}"
    fit = _updated(result, text, groups=None, random=None, theta0=None)
    _check_rows(fit, whole, " + ".join(random))
    return fit.llf, fit.n_parameters
