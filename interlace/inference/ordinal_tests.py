"""Tests of proportional odds and of equal scales, term by term, as R's ordinal has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..design.predictor import NOMINAL, SCALE
from ..errors import InterlaceError
from .criteria import aic
from .tails import chi2_pvalue
from .update import again, check_call, quiet


def nominal_test(result: Any) -> pd.DataFrame:
    """Each term of the location with a coefficient for each threshold, against one for all."""
    return _table(result, "nominal_test", NOMINAL)


def scale_test(result: Any) -> pd.DataFrame:
    """Each term of the location, and of the thresholds, in log sigma as well."""
    return _table(result, "scale_test", SCALE)


def _table(result: Any, name: str, argument: str) -> pd.DataFrame:
    """Likelihood-ratio tests of models with a term more in an argument; missing without one."""
    check_call(result, name)
    fit = result.fit
    own = fit.design.predictors.get(argument)
    old = "" if own is None or own.formula is None else own.formula.text.partition("~")[2].strip()
    terms = [term for term, at in fit.design.x_terms if at.stop > at.start]
    if argument == SCALE and NOMINAL in fit.design.predictors:
        terms += [t for t, _ in fit.design.predictors[NOMINAL].terms.slices if t != "Intercept"]
    rows: dict[str, tuple[float, ...]] = {}
    rows["<none>"] = np.nan, fit.llf, aic(fit), np.nan, np.nan
    for term in terms:
        rows[term] = _with_term(result, argument, old, term)
    columns = ["Df", "logLik", "AIC", "LRT", "Pr(>Chi)"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _with_term(result: Any, argument: str, old: str, term: str) -> tuple[float, ...]:
    fit, right = result.fit, f"{old} + {term}" if old else term
    formula = f". ~ . - {term}" if argument == NOMINAL else None
    try:
        with quiet():
            other = again(result, result._doors.mixed, formula, None, {argument: f"~ {right}"})
    except InterlaceError:  # a term that others contain, or that is there already
        return (np.nan,) * 5
    df = other.fit.n_parameters - fit.n_parameters
    if df <= 0:
        return (np.nan,) * 5
    statistic = 2.0 * (other.fit.llf - fit.llf)
    return df, other.fit.llf, aic(other.fit), statistic, float(chi2_pvalue(statistic, df))
