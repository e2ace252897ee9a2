"""The printed summary of a generalised linear model, in the order of R's ``summary.glm``."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...diagnostics.residuals import residual_array
from ...inference.criteria import aic, bic
from ...models.glm import GLMFit
from ...printing import Table
from .numbers import DIGITS, format_numbers
from .parts import coefficient_table, coefficient_text, data_text, family_text, quartiles
from .text import Summary


def summarise(fit: GLMFit, table: pd.DataFrame, r_names: bool = False) -> Summary:
    """The summary of a fit."""
    residuals = quartiles(residual_array(fit, "deviance"), "Deviance residuals:")
    parts: list[str | Table] = [_header(fit), residuals]
    if fit.p:
        parts.append(coefficient_table(table, r_names, "Coefficients:", with_df=False))
    parts += [_dispersion(fit), _deviances(fit)]
    if fit.verdict != "converged":
        parts.append(f"Convergence: {fit.message}")
    return Summary(parts, table.copy())


def _header(fit: GLMFit) -> str:
    lines = [
        f"Generalised linear model; family {family_text(fit)}",
        f"Formula: {fit.design.formula.text}",
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


def repr_text(fit: GLMFit) -> str:
    """A few lines that say which fit it is."""
    lines = [
        f"Generalised linear model: {fit.design.formula.text}",
        f"  {fit.n} rows, {family_text(fit)}; log-likelihood {fit.llf:.4f}, "
        f"deviance {fit.deviance:.4f} on {fit.df_resid} df, {fit.verdict}",
        f"  coefficients: {coefficient_text(fit)}",
    ]
    return "\n".join(lines)
