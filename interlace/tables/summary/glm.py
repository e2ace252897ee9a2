"""The printed summary of a generalised linear model, in the order of R's ``summary.glm``."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...diagnostics.residuals import residual_array
from ...inference.components import family_numbers, has_components, title_of
from ...inference.components import parts as parts_of
from ...inference.criteria import aic, bic
from ...inference.wald import t_table
from ...models.glm import GLMFit
from ...models.regression import RegressionFit
from ...printing import Table
from .numbers import DIGITS, format_numbers
from .parts import (
    coefficient_table,
    coefficient_text,
    data_text,
    family_text,
    formula_lines,
    likelihood_table,
    parameter_text,
    quartiles,
)
from .text import Summary


def summarise(fit: GLMFit | RegressionFit, table: pd.DataFrame, r_names: bool = False) -> Summary:
    """The summary of a fit."""
    parts = _by_irls(fit, table, r_names) if fit.irls else _by_likelihood(fit, table, r_names)
    if fit.verdict != "converged":
        parts.append(f"Convergence: {fit.message}")
    return Summary(parts, table.copy())


def _by_irls(fit: GLMFit, table: pd.DataFrame, r_names: bool) -> list[str | Table]:
    residuals = quartiles(residual_array(fit, "deviance"), "Deviance residuals:")
    parts: list[str | Table] = [_header(fit), residuals]
    if fit.p:
        parts.append(coefficient_table(table, r_names, "Coefficients:", with_df=False))
    return [*parts, _dispersion(fit), _deviances(fit)]


def _by_likelihood(fit: RegressionFit, table: pd.DataFrame, r_names: bool) -> list[str | Table]:
    """As that of a mixed model, a block of coefficients for each component."""
    parts: list[str | Table] = [
        _header(fit),
        likelihood_table(fit),
        quartiles(residual_array(fit, "pearson", scaled=True), "Scaled residuals:"),
    ]
    if family_numbers(fit):
        parts.append(parameter_text(fit))
    for component, part in parts_of(fit).items():
        own = table if component == "cond" else t_table(part)
        title = f"{title_of(component)}:" if has_components(fit) else "Coefficients:"
        if part.p:
            parts.append(coefficient_table(own, r_names, title, with_df=False))
    return parts


def _header(fit: GLMFit | RegressionFit) -> str:
    how = "" if fit.irls else " fit by maximum likelihood"
    lines = [
        f"Generalised linear model{how}; family {family_text(fit)}",
        f"Formula: {fit.design.formula.text}",
        *formula_lines(fit),
        f"   Data: {data_text(fit)}",
    ]
    return "\n".join(lines)


def _dispersion(fit: GLMFit) -> str:
    name = fit.family.name
    if fit.family.free_dispersion:
        return f"(Dispersion parameter for {name} family taken to be {fit.dispersion:.7g})"
    text = f"(Dispersion parameter for {name} family taken to be {fit.dispersion:g})"
    for parameter, zeta, se in zip(fit.family.parameters, fit.zeta, fit.se_zeta):
        value = np.exp(zeta)
        text += f"\n{parameter}: {value:.5g}, std. error {value * se:.4g}"
    return text


def _deviances(fit: GLMFit) -> str:
    null, residual = format_numbers([fit.null_deviance, fit.deviance], DIGITS + 1)
    width = len(str(fit.df_null))
    return "\n".join(
        [
            f"    Null deviance: {null} on {fit.df_null:>{width}} degrees of freedom",
            f"Residual deviance: {residual} on {fit.df_resid:>{width}} degrees of freedom",
            f"AIC: {aic(fit):.5g}, BIC: {bic(fit):.5g}, log-likelihood: {fit.llf:.6g}",
            f"Number of Fisher scoring iterations: {fit.maximum.iterations}",
        ]
    )


def repr_text(fit: GLMFit | RegressionFit) -> str:
    """A few lines that say which fit it is."""
    deviance = f"deviance {fit.deviance:.4f} on {fit.df_resid} df, " if fit.irls else ""
    others = list(parts_of(fit).items())[1:]
    lines = [
        f"Generalised linear model: {fit.design.formula.text}",
        f"  {fit.n} rows, {family_text(fit)}; log-likelihood {fit.llf:.4f}, "
        f"{deviance}{fit.verdict}",
        f"  coefficients: {coefficient_text(fit)}",
        *(f"  {component}: {coefficient_text(part)}" for component, part in others),
    ]
    return "\n".join(lines)
