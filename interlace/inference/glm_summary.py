"""The printed summary of a generalised linear model, in the order of R's ``summary.glm``."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd

from ..diagnostics import residual_array
from ..errors import listing
from ..fit_glm import GLMFit
from ..show import (
    DIGITS,
    LEGEND,
    Summary,
    Table,
    dropped,
    family_text,
    format_numbers,
    format_pvalues,
    stars,
)
from ..tables import aic, bic, names_as


def summarise(fit: GLMFit, table: pd.DataFrame, r_names: bool = False) -> Summary:
    """The summary of a fit.

    Parameters
    ----------
    fit : GLMFit
    table : DataFrame
        Coefficients: ``estimate, std_error, df, statistic, p_value``.
    r_names : bool, default False
        ``(Intercept)``, ``period2`` as in R.

    Returns
    -------
    Summary
    """
    parts: list[str | Table] = [_header(fit), _residuals(fit)]
    if fit.p:
        parts.append(_coefficients(fit, table, r_names))
    parts += [_dispersion(fit), _deviances(fit)]
    if fit.verdict != "converged":
        parts.append(f"Convergence: {fit.message}")
    return Summary(parts, table)


def _header(fit: GLMFit) -> str:
    design = fit.design
    data = f"   Data: {dropped(cast(Any, fit))}"
    extra = [
        name
        for name, values in (("weights", design.weights), ("offset", design.offset))
        if values is not None
    ]
    data += f"; with {' and '.join(extra)}" if extra else ""
    return "\n".join(
        [
            f"Generalised linear model; family {family_text(fit)}",
            f"Formula: {design.formula.text}",
            data,
        ]
    )


def _residuals(fit: GLMFit) -> Table:
    quantiles = np.quantile(residual_array(fit, "deviance"), [0, 0.25, 0.5, 0.75, 1])
    cells = [f"{v:.{DIGITS}f}" for v in quantiles]
    return Table(["Min", "1Q", "Median", "3Q", "Max"], [cells], 0, "Deviance residuals:")


def _coefficients(fit: GLMFit, table: pd.DataFrame, r_names: bool) -> Table:
    p = table["p_value"].to_numpy()
    marks = [stars(v) for v in p]
    both = format_numbers([*table["estimate"], *table["std_error"]])
    columns = [
        names_as(table.index, r_names),
        both[: len(table)],
        both[len(table) :],
        [f"{v:.3f}" for v in table["statistic"]],
        format_pvalues(p),
        [mark.ljust(3) for mark in marks],
    ]
    letter = "t" if fit.free_dispersion else "z"
    head = ["", "Estimate", "Std. Error", f"{letter} value", f"Pr(>|{letter}|)", ""]
    note = f"---\n{LEGEND}" if any(marks) else ""
    rows = [[str(c) for c in row] for row in zip(*columns, strict=True)]
    return Table(head, rows, 1, "Coefficients:", note)


def _dispersion(fit: GLMFit) -> str:
    name = fit.family.name
    if fit.free_dispersion:
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


def short(fit: GLMFit) -> str:
    """A few lines that say which fit it is.

    Parameters
    ----------
    fit : GLMFit

    Returns
    -------
    str
    """
    names = zip(fit.design.x_names, fit.beta, strict=True)
    lines = [
        f"Generalised linear model: {fit.design.formula.text}",
        f"  {fit.n} rows, {family_text(fit)}; log-likelihood {fit.llf:.4f}, "
        f"deviance {fit.deviance:.4f} on {fit.df_resid} df, {fit.verdict}",
        f"  coefficients: {listing(f'{name} {value:.4g}' for name, value in names)}",
    ]
    return "\n".join(lines)
