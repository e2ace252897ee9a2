"""The printed summary of a model of ordered categories, in the order of R's ordinal."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...errors import listing
from ...inference.components import parts
from ...inference.criteria import aic, bic
from ...inference.wald import t_table
from ...printing import Table
from ..random_effects import term_covariances
from .mixed import approximation_text, effect_tables
from .numbers import format_numbers
from .parts import coefficient_table, coefficient_text, data_text
from .text import Summary

#: Titles of the tables of coefficients, in the order of printing.
TITLES = {
    "cond": "Coefficients:",
    "scale": "log-scale coefficients:",
    "threshold": "Threshold coefficients:",
}


def summarise_ordinal(fit: Any, table: pd.DataFrame, r_names: bool = False) -> Summary:
    """The summary of a fit; `table` has all its coefficients with their tests."""
    sections: list[str | Table] = [_header(fit), _criteria(fit)]
    if fit.T:
        sections += effect_tables(fit, r_names)
    known = parts(fit)
    for component, title in TITLES.items():
        if component in known and known[component].p:
            own = t_table(known[component])
            if component == "threshold":
                own = own.assign(p_value=float("nan"))
            sections.append(coefficient_table(own, r_names, title, with_df=False))
    if "cond" in known and not known["cond"].p:
        sections.insert(2, "No coefficients of the location")
    if fit.verdict != "converged":
        sections.append(f"Convergence: {fit.message}")
    return Summary(sections, table.copy())


def _header(fit: Any) -> str:
    kind = "Cumulative link model"
    how = "fit by maximum likelihood"
    if fit.T:
        kind, how = "Cumulative link mixed model", f"{how} ({approximation_text(fit)})"
    family, design = fit.family, fit.design
    shares = pd.Series(fit.observations.y).value_counts().sort_index()
    counts = listing(
        f"{level} {int(count)}" for level, count in zip(family.levels.tolist(), shares, strict=True)
    )
    lines = [
        f"{kind} {how}",
        f" Link: {family.link.name}; thresholds: {family.threshold}",
        f"Formula: {design.formula.text}",
        *(
            f"{name.capitalize()}: {own.formula.text}"
            for name, own in design.predictors.items()
            if name in ("nominal", "scale") and own.formula is not None
        ),
        f"   Data: {data_text(fit)}; {design.response_name}: {counts}",
    ]
    return "\n".join(lines)


def _criteria(fit: Any) -> Table:
    cells = [f"{v:.2f}" for v in (fit.llf, aic(fit), bic(fit))]
    cells.append(f"{fit.n - fit.n_parameters}")
    return Table(["logLik", "AIC", "BIC", "df.resid"], [cells], left=0)


def ordinal_text(fit: Any) -> str:
    """A few lines that say which fit it is."""
    family = fit.family
    lines = [
        f"Cumulative link {'mixed ' if fit.T else ''}model, {family.link.name}: "
        f"{fit.design.formula.text}",
        f"  {fit.n} rows, {len(family.levels)} categories; log-likelihood {fit.llf:.4f}, "
        f"{fit.verdict}",
        f"  coefficients: {coefficient_text(fit)}",
        *(
            f"  {name}: {coefficient_text(part)}"
            for name, part in parts(fit).items()
            if name != "cond"
        ),
    ]
    if fit.T:
        sds = (
            f"{t.group}{name and f' {name}'} {sd}"
            for t in term_covariances(fit)
            for name, sd in zip(t.names, format_numbers(t.sd.tolist()), strict=True)
        )
        lines.append(f"  sd: {listing(sds)}")
    return "\n".join(lines)
