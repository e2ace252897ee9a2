"""Parts of a summary that models of all kinds have."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...design.predictor import MEAN
from ...errors import listing
from ...inference.components import family_numbers, parts, title_of
from ...inference.criteria import aic, bic
from ...inference.names import names_as
from ...printing import Table
from ..names import named_matrix
from .numbers import DIGITS, LEGEND, format_numbers, format_pvalues, stars

if TYPE_CHECKING:
    from ...models.kinds import AnyFit

VOWELS = "aeiou"


def family_text(fit: AnyFit) -> str:
    """``"binomial (logit)"``."""
    return f"{fit.family.name} ({fit.family.link.name})"


def data_text(fit: AnyFit) -> str:
    """Rows used, rows and columns left out, weights and offset, in words."""
    design = fit.design
    text = f"{fit.n} rows"
    if design.n_missing:
        by = ", ".join(f"{name} {count}" for name, count in design.missing_by.items())
        text += f"; {design.n_missing} dropped for missing values"
        text += f" ({by})" if by else ""
    dropped = [
        name if predictor == MEAN else f"{predictor}~{name}"
        for predictor, own in design.predictors.items()
        for name in own.dropped
    ]
    if dropped:
        text += (
            f"; {len(dropped)} coefficients dropped, columns of X that depend on others: "
            f"{listing(dropped)}"
        )
    arguments = (("weights", design.weights), ("offset", design.offset))
    extra = [name for name, values in arguments if values is not None]
    return f"{text}; with {' and '.join(extra)}" if extra else text


def formula_lines(fit: AnyFit) -> list[str]:
    """The formulas of the other linear predictors, a line each."""
    shown = list(parts(fit).items())[1:]
    formulas = [(c, fit.design.predictors[part.design.current].formula) for c, part in shown]
    return [
        f"{title_of(c).removesuffix(' model')}: {'~ 1' if formula is None else formula.text}"
        for c, formula in formulas
    ]


def likelihood_table(fit: AnyFit) -> Table:
    """Log-likelihood and criteria made of it, as lme4 prints them."""
    values = [aic(fit), bic(fit), fit.llf, fit.criterion, float(fit.n - fit.n_parameters)]
    cells = [f"{v:.1f}" for v in values[:4]] + [f"{values[4]:.0f}"]
    return Table(["AIC", "BIC", "logLik", "-2*log(L)", "df.resid"], [cells], left=0)


def parameter_text(fit: AnyFit) -> str:
    """The family's own parameters, and the dispersion that they make."""
    values = family_numbers(fit).items()
    text = ", ".join(f"{name} {value:.{DIGITS}g}" for name, value in values)
    text = f"Parameters of the {fit.family.name} family: {text}"
    return text if fit.dispersion == 1.0 else f"{text}; dispersion {fit.dispersion:.{DIGITS}g}"


def quartiles(residuals: np.ndarray, title: str) -> Table:
    """Range and quartiles of residuals."""
    with np.errstate(invalid="ignore"):  # residuals of means on the border are infinite
        quantiles = np.quantile(residuals, [0, 0.25, 0.5, 0.75, 1])
    cells = [f"{v:.{DIGITS}f}" for v in quantiles]
    return Table(["Min", "1Q", "Median", "3Q", "Max"], [cells], 0, title)


def coefficient_table(table: pd.DataFrame, r_names: bool, title: str, with_df: bool) -> Table:
    """Coefficients as R's ``printCoefmat``, with significance codes.

    ``estimate, std_error, df, statistic, p_value``: z tests where df is infinite. p-values that are
    all missing, of parameters whose zero means nothing, have no column.
    """
    both = np.concatenate([table["estimate"].to_numpy(), table["std_error"].to_numpy()])
    sizes = np.abs(both[np.isfinite(both) & (both != 0.0)])
    # The smallest of estimates and standard errors sets the decimals.
    digits = max(1, DIGITS - 1 - int(np.floor(np.log10(sizes.min())))) if sizes.size else DIGITS
    shown = format_numbers(np.round(both, digits).tolist())
    n = len(table)
    p = table["p_value"].to_numpy()
    columns = [names_as(table.index, r_names), shown[:n], shown[n:]]
    if with_df:
        columns.append(format_numbers(np.round(table["df"].to_numpy(), DIGITS).tolist()))
    columns.append(["" if np.isnan(v) else f"{v:.3f}" for v in table["statistic"]])
    tested = not n or not np.isnan(p).all()
    marks = [stars(v) for v in p] if tested else []
    if tested:
        columns += [format_pvalues(p), [mark.ljust(3) for mark in marks]]
    letter = "t" if with_df or np.isfinite(table["df"]).any() else "z"
    head = ["", "Estimate", "Std. Error", *(["df"] if with_df else [])]
    head += [f"{letter} value", *([f"Pr(>|{letter}|)", ""] if tested else [])]
    note = f"---\n{LEGEND}" if any(marks) else ""
    rows = [[str(c) for c in row] for row in zip(*columns, strict=True)]
    return Table(head, rows, 1, title, note)


def correlation_table(fit: AnyFit, r_names: bool) -> Table:
    """Correlations of the coefficients, the lower triangle."""
    R = named_matrix(fit.cov_beta, fit.design.x_names, correlation=True).to_numpy()
    names = names_as(fit.design.x_names, r_names)
    rows = [
        [names[i], *(f"{R[i, j]:.3f}" if j < i else "" for j in range(fit.p - 1))]
        for i in range(1, fit.p)
    ]
    return Table(["", *abbreviate(names[:-1])], rows, 1, "Correlation of fixed effects:")


def abbreviate(names: Sequence[str], length: int = 6) -> list[str]:
    """Short, distinct names: vowels go first, then other letters, small ones before capitals."""
    sizes = [length] * len(names)
    while True:
        out = [_shorten(name, size) for name, size in zip(names, sizes, strict=True)]
        again = [out.count(s) > 1 and size < len(n) for s, size, n in zip(out, sizes, names)]
        if not any(again):
            return out
        sizes = [size + more for size, more in zip(sizes, again, strict=True)]


def _shorten(name: str, length: int) -> str:
    letters = list(name)
    for droppable in (VOWELS, ascii_lowercase, VOWELS.upper(), ascii_uppercase):
        for i in range(len(letters) - 1, 0, -1):
            if len(letters) <= length:
                return "".join(letters)
            if letters[i] in droppable and letters[i - 1].isalnum():
                del letters[i]
    return "".join(letters[:length])


def coefficient_text(fit: AnyFit) -> str:
    """Coefficients in one line, the first ones where there are many."""
    pairs = zip(fit.design.x_names, fit.beta, strict=True)
    return listing(f"{name} {value:.4g}" for name, value in pairs) or "none"
