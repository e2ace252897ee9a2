"""The printed summary of a mixed model, in the order of lme4's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from ...diagnostics.residuals import residual_array
from ...errors import listing
from ...inference.criteria import aic, bic, own_parameters
from ...printing import Table
from ..random_effects import term_covariances
from .numbers import DIGITS, format_numbers
from .parts import (
    coefficient_table,
    coefficient_text,
    correlation_table,
    data_text,
    family_text,
    quartiles,
)
from .text import Summary

if TYPE_CHECKING:
    from ...models.kinds import MixedFit

# R prints the correlations of the fixed effects up to this many coefficients.
MOST_CORRELATED = 20


def summarise(
    fit: MixedFit,
    table: pd.DataFrame,
    r_names: bool = False,
    correlation: bool = True,
) -> Summary:
    """The summary of a fit, in the order R users know."""
    parts: list[str | Table] = [
        _header(fit),
        _criterion(fit),
        quartiles(residual_array(fit, "pearson", scaled=True), "Scaled residuals:"),
        _random_effects(fit, r_names),
    ]
    if fit.family.parameters and not fit.family.residual_variance:
        parts.append(_parameters(fit))
    if fit.p:
        parts.append(coefficient_table(table, r_names, "Fixed effects:", with_df=fit.linear))
    if correlation and 1 < fit.p <= MOST_CORRELATED:
        parts.append(correlation_table(fit, r_names))
    if fit.verdict != "converged":
        parts.append(f"Convergence: {fit.message}")
    return Summary(parts, table.copy())


def _header(fit: MixedFit) -> str:
    """Method, formula, and what was left out of the data."""
    lines = [f"Formula: {fit.design.formula.text}", f"   Data: {data_text(fit)}"]
    if fit.linear:
        method = "REML" if fit.is_reml else "maximum likelihood"
        kind = f"Linear mixed model fit by {method}; "
        lines.insert(0, f"{kind}t-tests use Satterthwaite's degrees of freedom")
    else:
        kind = "Generalised linear mixed model fit by maximum likelihood"
        lines = [f"{kind} ({_approximation(fit)})", f" Family: {family_text(fit)}", *lines]
    return "\n".join(lines)


def _approximation(fit: MixedFit) -> str:
    """The approximation of the integral over the random effects, in words."""
    if fit.nAGQ == 1:
        return "Laplace approximation"
    if fit.nAGQ == 0:
        return "Laplace approximation, nAGQ = 0: coefficients from penalised least squares"
    return f"adaptive Gauss-Hermite quadrature, nAGQ = {fit.nAGQ}"


def _criterion(fit: MixedFit) -> str | Table:
    if fit.is_reml:
        return f"REML criterion at convergence: {fit.criterion:.1f}"
    values = [aic(fit), bic(fit), fit.llf, fit.criterion, float(fit.n - fit.n_parameters)]
    cells = [f"{v:.1f}" for v in values[:4]] + [f"{values[4]:.0f}"]
    return Table(["AIC", "BIC", "logLik", "-2*log(L)", "df.resid"], [cells], left=0)


def _random_effects(fit: MixedFit, r_names: bool) -> Table:
    terms = term_covariances(fit, r_names)
    variances = format_numbers([float(v) for t in terms for v in t.covariance.diagonal()])
    sds = format_numbers([float(v) for t in terms for v in t.sd])
    rows: list[list[str]] = []
    for t in terms:
        for i, name in enumerate(t.names):
            cells = [f"{c:.2f}" if c == c else "NaN" for c in t.correlation[i, :i]]
            shown = [variances[len(rows)], sds[len(rows)], *(cells if t.correlated else [])]
            rows.append(["" if i else t.group, name, *shown])
    width = max(len(row) for row in rows)
    head = ["Groups", "Name", "Variance", "Std.Dev.", "Corr"][:width]
    head += [""] * (width - len(head))
    rows = [row + [""] * (width - len(row)) for row in rows]
    sizes = "; ".join(f"{f.name}, {len(f.levels)}" for f in fit.design.factors)
    note = f"Number of obs: {fit.n}, groups:  {sizes}"
    return Table(head, rows, 2, "Random effects:", note)


def _parameters(fit: MixedFit) -> str:
    """The family's own parameters, and the dispersion that they make."""
    values = own_parameters(fit).items()
    text = ", ".join(f"{name} {value:.{DIGITS}g}" for name, value in values)
    text = f"Parameters of the {fit.family.name} family: {text}"
    return text if fit.dispersion == 1.0 else f"{text}; dispersion {fit.dispersion:.{DIGITS}g}"


def repr_text(fit: MixedFit) -> str:
    """A few lines that say which fit it is."""
    groups = ", ".join(f"{f.name} ({len(f.levels)})" for f in fit.design.factors)
    random = listing(
        f"{t.group}{name and f' {name}'} {sd:.4g}"
        for t in term_covariances(fit)
        for name, sd in zip(t.names, t.sd, strict=True)
    )
    kind = "REML criterion" if fit.is_reml else "log-likelihood"
    value = fit.criterion if fit.is_reml else fit.llf
    model = "Linear mixed model"
    if not fit.linear:
        model = f"Generalised linear mixed model, {family_text(fit)}"
    lines = [
        f"{model}: {fit.design.formula.text}",
        f"  {fit.n} rows, groups {groups}; {kind} {value:.4f}, {fit.verdict}",
        f"  fixed: {coefficient_text(fit)}",
        f"  sd: {random}",
    ]
    return "\n".join(lines)
