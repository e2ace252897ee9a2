"""Least-squares means of the terms of factors, as lmerTest's ``ls_means``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, brief, listing
from .marginal_means import marginal_means

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

__all__ = ["ls_means"]


def ls_means(
    fit: AnyFit, data: Any, which: Any, level: float, ddf: str | None, pairwise: bool
) -> pd.DataFrame:
    """Means of terms with all numeric variables at their means, or their differences."""
    terms = {
        ":".join(term.factors): term.factors
        for term in fit.design.fixed_terms.terms
        if term.factors and not term.covariates
    }
    names = list(terms) if which is None else [which] if isinstance(which, str) else list(which)
    for name in names:
        if name not in terms:
            raise ArgumentError(
                f"which names {brief(name)}, which is no term of factors: {listing(terms)}"
            )
    recipe = fit.design.recipe
    assert recipe is not None
    variables = recipe.fixed[fit.design.current].variables
    numeric = [n for n in variables if recipe.levels[n] is None and n not in recipe.logical]
    at = dict.fromkeys(numeric, np.mean)
    tables = []
    if not names:
        raise ArgumentError(
            "the model has no terms of factors, whose levels have means; m.emmeans(variable, "
            "at={variable: [...]}) gives those at values of a number"
        )
    for name in names:
        means = marginal_means(fit, data, list(terms[name]), at=at, ddf=ddf, level=level)
        shown = means.pairs("none") if pairwise else means
        table = pd.concat([shown.test(), shown.conf_int()[["conf_low", "conf_high"]]], axis=1)
        levels = (
            table["contrast"]
            if pairwise
            else table[list(terms[name])].astype(str).agg(":".join, axis=1)
        )
        out = pd.DataFrame({"term": name, "levels": levels})
        for head, own in _COLUMNS.items():
            out[head] = table[own] if own in table else table["emmean"]
        tables.append(out)
    return pd.concat(tables, ignore_index=True)


_COLUMNS = {
    "Estimate": "estimate", "Std. Error": "std_error", "df": "df", "t value": "statistic",
    "lower": "conf_low", "upper": "conf_high", "Pr(>|t|)": "p_value",
}  # fmt: skip
