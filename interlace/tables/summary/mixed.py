"""The printed summary of a mixed model, in the order of lme4's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from ...diagnostics.residuals import residual_array
from ...errors import listing
from ...inference.components import family_numbers, has_components, parts, title_of
from ...inference.residual_covariance import ResidualPart, residual_parts
from ...inference.wald import t_table
from ...printing import Table
from ..random_effects import TermCovariance, term_covariances
from .numbers import format_numbers
from .parts import (
    coefficient_table,
    coefficient_text,
    correlation_table,
    data_text,
    family_text,
    formula_lines,
    likelihood_table,
    parameter_text,
    quartiles,
)
from .text import Summary

if TYPE_CHECKING:
    from ...models.kinds import MixedFit

# R prints the correlations of the fixed effects up to this many coefficients.
MOST_CORRELATED = 20
# Parameters of a structure that a line of the random effects has room for.
MOST_PATTERN = 4


# In the words of the heading.
DEGREES = {
    "satterthwaite": "Satterthwaite's",
    "kenward-roger": "Kenward-Roger's",
    "residual": "residual",
    "normal": "infinite",
}


def summarise(
    fit: MixedFit,
    table: pd.DataFrame,
    r_names: bool = False,
    correlation: bool = True,
    method: str = "satterthwaite",
) -> Summary:
    """The summary of a fit, in the order R users know; `table` and `method` go together."""
    sections: list[str | Table] = [
        _header(fit, method),
        _criterion(fit),
        *_scaled_residuals(fit),
        *effect_tables(fit, r_names),
        *_residual_covariance(fit),
    ]
    if family_numbers(fit) and not fit.family.residual_variance:
        sections.append(parameter_text(fit))
    for component, part in parts(fit).items():
        own = table if component == "cond" else t_table(part)
        title = f"{title_of(component)}:" if has_components(fit) else "Fixed effects:"
        if part.p:
            sections.append(coefficient_table(own, r_names, title, with_df=fit.linear))
        if correlation and component == "cond" and 1 < fit.p <= MOST_CORRELATED:
            sections.append(correlation_table(fit, r_names))
    if fit.verdict != "converged":
        sections.append(f"Convergence: {fit.message}")
    return Summary(sections, table.copy())


def _scaled_residuals(fit: MixedFit) -> list[Table]:
    """Their quartiles, where there are rows."""
    if not fit.has_rows:
        return []
    return [quartiles(residual_array(fit, "pearson", scaled=True), "Scaled residuals:")]


def _header(fit: MixedFit, method: str) -> str:
    """Method, formula, and what was left out of the data."""
    lines = [
        f"Formula: {fit.design.formula.text}",
        *formula_lines(fit),
        f"   Data: {data_text(fit)}",
    ]
    criterion = "REML" if fit.is_reml else "maximum likelihood"
    if fit.linear:
        kind = f"{_kind(fit)} fit by {criterion}; "
        lines.insert(0, f"{kind}t-tests use {DEGREES[method]} degrees of freedom")
    else:
        kind = f"Generalised linear mixed model fit by {criterion}"
        lines = [f"{kind} ({approximation_text(fit)})", f" Family: {family_text(fit)}", *lines]
    return "\n".join(lines)


def _kind(fit: MixedFit) -> str:
    return "Linear mixed model" if fit.T else "Linear model by generalised least squares"


def approximation_text(fit: MixedFit) -> str:
    """The approximation of the integral over the random effects, in words."""
    if fit.nAGQ == 1:
        return "Laplace approximation"
    if fit.nAGQ == 0:
        return "Laplace approximation, nAGQ = 0: coefficients from penalised least squares"
    return f"adaptive Gauss-Hermite quadrature, nAGQ = {fit.nAGQ}"


def _criterion(fit: MixedFit) -> str | Table:
    if fit.is_reml:
        return f"REML criterion at convergence: {fit.criterion:.1f}"
    return likelihood_table(fit)


def effect_tables(fit: MixedFit, r_names: bool) -> list[Table]:
    """A table for each component that has random effects."""
    terms = term_covariances(fit, r_names)
    sizes = "; ".join(f"{f.name}, {f.n_labels}" for f in fit.design.factors)
    note = f"Number of obs: {fit.n}" + (f", groups:  {sizes}" if sizes else "")
    shown = [c for c in parts(fit) if any(t.component == c for t in terms)]
    tables = []
    for component in shown:
        title = f"Random effects, {title_of(component).lower()}:"
        title = title if has_components(fit) else "Random effects:"
        title = title if fit.T else "Residuals:"
        own = [t for t in terms if t.component == component]
        tables.append(_effects_table(own, title, note if component == shown[-1] else ""))
    return tables


def _residual_covariance(fit: MixedFit) -> list[Table]:
    """A table for the correlation of residuals, and one for the functions of their variance."""
    tables = []
    for part in residual_parts(fit):
        title = f"{part.kind.capitalize()} of residuals: {part.text}"
        cells = format_numbers([float(v) for v in part.values])
        rows = [[name, cell] for name, cell in zip(part.names, cells, strict=True)]
        tables.append(Table(["Parameter", "Estimate"], rows, 1, title))
    return tables


def _effects_table(terms: list[TermCovariance], title: str, note: str) -> Table:
    variances = format_numbers([float(v) for t in terms for v in t.covariance.diagonal()])
    sds = format_numbers([float(v) for t in terms for v in t.sd])
    rows: list[list[str]] = []
    for t in terms:
        for i, name in enumerate(t.names):
            cells = [f"{c:.2f}" if c == c else "NaN" for c in t.correlation[i, :i]]
            cells = cells if t.correlated else []
            if t.pattern and not i:
                cells = _pattern_cells(t)
            shown = [variances[len(rows)], sds[len(rows)], *cells]
            rows.append(["" if i else t.group, name, *shown])
    width = max(len(row) for row in rows)
    head = ["Groups", "Name", "Variance", "Std.Dev.", "Corr"][:width]
    head += [""] * (width - len(head))
    rows = [row + [""] * (width - len(row)) for row in rows]
    return Table(head, rows, 2, title, note)


def _pattern_cells(term: TermCovariance) -> list[str]:
    """What a structure says of the correlations, as much as a line has room for."""
    cells = [f"{word} {value:.4g}" for word, value in term.pattern[:MOST_PATTERN]]
    return [*cells, "…"] if len(term.pattern) > MOST_PATTERN else cells


def repr_text(fit: MixedFit) -> str:
    """A few lines that say which fit it is."""
    groups = ", ".join(f"{f.name} ({f.n_labels})" for f in fit.design.factors)
    random = listing(
        f"{_of(t)}{name and f' {name}'} {sd:.4g}"
        for t in term_covariances(fit)
        for name, sd in zip(t.names, t.sd, strict=True)
    )
    kind = "REML criterion" if fit.is_reml else "log-likelihood"
    value = fit.criterion if fit.is_reml else fit.llf
    model = _kind(fit)
    if not fit.linear:
        model = f"Generalised linear mixed model, {family_text(fit)}"
    lines = [
        f"{model}: {fit.design.formula.text}",
        f"  {fit.n} rows{groups and f', groups {groups}'}; {kind} {value:.4f}, {fit.verdict}",
        f"  fixed: {coefficient_text(fit)}",
        *(f"  {c}: {coefficient_text(part)}" for c, part in list(parts(fit).items())[1:]),
        f"  sd: {random}",
        *(_residual_line(part) for part in residual_parts(fit)),
    ]
    return "\n".join(lines)


def _residual_line(part: ResidualPart) -> str:
    values = listing(f"{n} {v:.4g}" for n, v in zip(part.names, part.values, strict=True))
    return f"  {part.kind} {part.text}: {values}"


def _of(term: TermCovariance) -> str:
    """The group of a random term, with the component where it is not the mean's."""
    return term.group if term.component == "cond" else f"{term.component} {term.group}"
