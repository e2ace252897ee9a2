"""The printed summary: one list of parts, rendered as text or HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...diagnostics.residuals import residual_array
from ...errors import listing
from ...inference.names import names_as
from ...inference.wald import t_table
from ...models.lmm import LMMFit
from ...printing import Table, paragraph
from ..tidy import aic, bic, distribution, named_matrix, varcorr

if TYPE_CHECKING:
    from ...models.glmm import GLMMFit
    from ...models.kinds import AnyFit, GeneralisedFit, MixedFit

# R's summaries show this many significant digits.
DIGITS = 4
# R prints the correlations of the fixed effects up to this many coefficients.
MOST_CORRELATED = 20
VOWELS = "aeiou"
SMALLEST_P = 2.2e-16
STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"), (0.1, "."))
LEGEND = "Signif. codes:  0 '***' 0.001 '**' 0.01 '*' 0.05 '.' 0.1 ' ' 1"


@dataclass(frozen=True)
class Summary:
    """A summary that prints itself, as text or in a notebook.

    Attributes
    ----------
    parts : list of str or Table
        In order of printing.
    coefficients : DataFrame
        The fixed effects: ``estimate, std_error, df, statistic, p_value``.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> print(str(m.summary()).splitlines()[0])
    Linear mixed model fit by REML; t-tests use Satterthwaite's degrees of freedom
    """

    parts: list[str | Table]
    coefficients: pd.DataFrame = field(repr=False)

    def __str__(self) -> str:
        return "\n\n".join(part if isinstance(part, str) else part.text() for part in self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [paragraph(part) if isinstance(part, str) else part.html() for part in self.parts]
        return f"<div>{''.join(parts)}</div>"

    def _repr_pretty_(self, printer, cycle: bool) -> None:
        printer.text(str(self))


# -- numbers as R prints them ------------------------------------------------------------------


def _shape(value: float, digits: int) -> tuple[int, int]:
    """Significant digits needed (trailing zeros dropped) and decimal exponent."""
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    return len(mantissa.rstrip("0").replace(".", "")), int(exponent)


def format_numbers(values: Sequence[float], digits: int = DIGITS) -> list[str]:
    """Numbers in one common format, as R's ``format(x, digits)``.

    Parameters
    ----------
    values : sequence of float
    digits : int, default 4
        Significant digits that every number shows at least, as far as it has them.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from interlace.show import format_numbers
    >>> format_numbers([612.10016, 35.071714])
    ['612.10', ' 35.07']
    """
    finite = [v for v in values if np.isfinite(v)]
    if not finite:
        return ["" if np.isnan(v) else f"{v:g}" for v in values]
    shapes = [_shape(v, digits) for v in finite if v != 0.0] or [(1, 0)]
    decimals = max(0, *(s - 1 - e for s, e in shapes))
    most = max(s for s, _ in shapes)
    fixed_width = max(max(e for _, e in shapes) + 1, 1) + (decimals + 1 if decimals else 0)
    if fixed_width <= most + (most > 1) + 4:
        texts = [f"{v:.{decimals}f}" for v in finite]
    else:
        texts = [f"{v:.{most - 1}e}" for v in finite]
    width = max(len(t) for t in texts)
    shown = iter(texts)
    return [
        (next(shown) if np.isfinite(v) else "" if np.isnan(v) else f"{v:g}").rjust(width)
        for v in values
    ]


def format_pvalues(p: np.ndarray, digits: int = DIGITS - 1) -> list[str]:
    """p-values as R's ``format.pval``: ``< 2e-16``, small ones in scientific form.

    Parameters
    ----------
    p : ndarray
    digits : int, default 3

    Returns
    -------
    list of str
    """
    p = np.asarray(p, dtype=float)
    plain = [v for v in p if v >= 1e-3]
    small = [v for v in p if SMALLEST_P <= v < 1e-3]
    fixed, scientific = (
        iter(format_numbers(plain, digits)),
        iter(f"{v:.{max((_shape(w, digits)[0] for w in small), default=1) - 1}e}" for v in small),
    )
    out = []
    for v in p:
        if np.isnan(v):
            out.append("")
        elif v < SMALLEST_P:
            out.append("< 2e-16")
        else:
            out.append(next(fixed) if v >= 1e-3 else next(scientific))
    return out


def stars(p: float) -> str:
    """R's significance codes."""
    return next((mark for limit, mark in STARS if p <= limit), "")


# -- the parts -----------------------------------------------------------------------------------


def summarise(
    fit: MixedFit,
    table: pd.DataFrame | None = None,
    r_names: bool = False,
    correlation: bool = True,
) -> Summary:
    """The summary of a fit, in the order R users know.

    Parameters
    ----------
    fit : LMMFit or GLMMFit
    table : DataFrame, optional
        The fixed-effects table if made already.
    r_names : bool, default False
        ``(Intercept)``, ``period2`` as in R.
    correlation : bool, default True
        Correlations of the fixed effects, for at most 20 coefficients.

    Returns
    -------
    Summary
    """
    table = t_table(fit) if table is None else table.copy()
    parts: list[str | Table] = [
        header(fit),
        _criterion(fit),
        quartiles(residual_array(fit, "pearson", scaled=True), "Scaled residuals:"),
        _random_effects(fit, r_names),
    ]
    if not isinstance(fit, LMMFit) and fit.family.parameters and not fit.family.residual_variance:
        parts.append(_parameters(fit))
    if fit.p:
        linear = isinstance(fit, LMMFit)
        parts.append(coefficient_table(table, r_names, "Fixed effects:", with_df=linear))
    if correlation and 1 < fit.p <= MOST_CORRELATED:
        parts.append(_correlations(fit, r_names))
    if fit.optimum.verdict != "converged":
        parts.append(f"Convergence: {fit.optimum.message}")
    return Summary(parts, table)


def header(fit: MixedFit) -> str:
    """Method, formula, and what was left out of the data."""
    lines = [f"Formula: {fit.design.formula.text}", f"   Data: {data_text(fit)}"]
    if isinstance(fit, LMMFit):
        method = "REML" if fit.is_reml else "maximum likelihood"
        kind = f"Linear mixed model fit by {method}; "
        lines.insert(0, f"{kind}t-tests use Satterthwaite's degrees of freedom")
    else:
        kind = "Generalised linear mixed model fit by maximum likelihood"
        lines = [f"{kind} ({approximation(fit.nAGQ)})", f" Family: {family_text(fit)}", *lines]
    return "\n".join(lines)


def approximation(nAGQ: int) -> str:
    """How the likelihood was integrated over the random effects, in words."""
    if nAGQ == 1:
        return "Laplace approximation"
    if nAGQ == 0:
        return "Laplace approximation, nAGQ = 0: coefficients from penalised least squares"
    return f"adaptive Gauss-Hermite quadrature, nAGQ = {nAGQ}"


def family_text(fit: GeneralisedFit) -> str:
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
    if design.dropped_columns:
        text += (
            f"; {len(design.dropped_columns)} coefficients dropped, columns of X that depend on "
            f"others: {listing(design.dropped_columns)}"
        )
    given = (("weights", design.weights), ("offset", design.offset))
    extra = [name for name, values in given if values is not None]
    return f"{text}; with {' and '.join(extra)}" if extra else text


def _criterion(fit: MixedFit) -> str | Table:
    if fit.is_reml:
        return f"REML criterion at convergence: {fit.criterion:.1f}"
    values = [aic(fit), bic(fit), fit.llf, fit.criterion, float(fit.n - fit.n_parameters)]
    cells = [f"{v:.1f}" for v in values[:4]] + [f"{values[4]:.0f}"]
    return Table(["AIC", "BIC", "logLik", "-2*log(L)", "df.resid"], [cells], left=0)


def quartiles(residuals: np.ndarray, title: str) -> Table:
    """Range and quartiles of residuals."""
    with np.errstate(invalid="ignore"):  # residuals of means on the border are infinite
        quantiles = np.quantile(residuals, [0, 0.25, 0.5, 0.75, 1])
    cells = [f"{v:.{DIGITS}f}" for v in quantiles]
    return Table(["Min", "1Q", "Median", "3Q", "Max"], [cells], 0, title)


def _random_effects(fit: MixedFit, r_names: bool) -> Table:
    table = varcorr(fit, r_names)
    second = table["term2"].to_numpy()
    is_variance = pd.isna(second)
    variances = table[is_variance]
    shown = format_numbers(variances["variance"].tolist())
    shown_sd = format_numbers(variances["sd_or_corr"].tolist())
    groups, first = table["group"].tolist(), table["term1"].tolist()
    correlations = {
        (groups[i], first[i], second[i]): table["sd_or_corr"].iat[i]
        for i in np.flatnonzero(~is_variance)
    }
    rows: list[list[str]] = []
    previous: str | None = None
    above: list[str] = []
    for group, name, variance, sd in zip(
        variances["group"], variances["term1"], shown, shown_sd, strict=True
    ):
        above = [] if group != previous else above
        found = [correlations.get((group, other, name)) for other in above]
        cells = [f"{c:.2f}" if c == c else "NaN" for c in found if c is not None]
        label = "" if pd.isna(name) else str(name)
        rows.append(["" if group == previous else group, label, variance, sd, *cells])
        previous, above = group, [*above, name]
    width = max(len(row) for row in rows)
    head = ["Groups", "Name", "Variance", "Std.Dev."]
    head += ["Corr" if j == 0 else "" for j in range(width - 4)]
    rows = [row + [""] * (width - len(row)) for row in rows]
    sizes = "; ".join(f"{f.name}, {len(f.levels)}" for f in fit.design.factors)
    note = f"Number of obs: {fit.n}, groups:  {sizes}"
    return Table(head, rows, 2, "Random effects:", note)


def _parameters(fit: GLMMFit) -> str:
    """The family's own parameters, and the dispersion that they make."""
    values = distribution(fit)["disp_params"].items()
    text = ", ".join(f"{name} {value:.{DIGITS}g}" for name, value in values)
    text = f"Parameters of the {fit.family.name} family: {text}"
    return text if fit.dispersion == 1.0 else f"{text}; dispersion {fit.dispersion:.{DIGITS}g}"


def coefficient_table(table: pd.DataFrame, r_names: bool, title: str, with_df: bool) -> Table:
    """Coefficients as R's ``printCoefmat``, with significance codes.

    Parameters
    ----------
    table : DataFrame
        ``estimate, std_error, df, statistic, p_value``; z tests where df is infinite.
    r_names : bool
    title : str
    with_df : bool
        With the column of degrees of freedom.

    Returns
    -------
    Table
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
    marks = [stars(v) for v in p]
    columns += [format_pvalues(p), [mark.ljust(3) for mark in marks]]
    letter = "t" if with_df or np.isfinite(table["df"]).any() else "z"
    head = ["", "Estimate", "Std. Error", *(["df"] if with_df else [])]
    head += [f"{letter} value", f"Pr(>|{letter}|)", ""]
    note = f"---\n{LEGEND}" if any(marks) else ""
    rows = [[str(c) for c in row] for row in zip(*columns, strict=True)]
    return Table(head, rows, 1, title, note)


def _correlations(fit: MixedFit, r_names: bool) -> Table:
    R = named_matrix(fit.cov_beta, fit.design.x_names, correlation=True).to_numpy()
    names = names_as(fit.design.x_names, r_names)
    rows = [
        [names[i], *(f"{R[i, j]:.3f}" if j < i else "" for j in range(fit.p - 1))]
        for i in range(1, fit.p)
    ]
    return Table(["", *abbreviate(names[:-1])], rows, 1, "Correlation of fixed effects:")


def abbreviate(names: Sequence[str], length: int = 6) -> list[str]:
    """Short, distinct names: vowels go first, then other letters, small ones before capitals.

    Parameters
    ----------
    names : sequence of str
    length : int, default 6

    Returns
    -------
    list of str
    """
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


def short(fit: MixedFit) -> str:
    """A few lines that say which fit it is.

    Parameters
    ----------
    fit : LMMFit or GLMMFit

    Returns
    -------
    str
    """
    groups = ", ".join(f"{f.name} ({len(f.levels)})" for f in fit.design.factors)
    table = varcorr(fit)
    sds = table[pd.isna(table["term2"])]
    random = listing(
        f"{row.group}{'' if pd.isna(row.term1) else f' {row.term1}'} {row.sd_or_corr:.4g}"
        for row in sds.itertuples()
    )
    kind = "REML criterion" if fit.is_reml else "log-likelihood"
    value = fit.criterion if fit.is_reml else fit.llf
    model = "Linear mixed model"
    if not isinstance(fit, LMMFit):
        model = f"Generalised linear mixed model, {family_text(fit)}"
    lines = [
        f"{model}: {fit.design.formula.text}",
        f"  {fit.n} rows, groups {groups}; {kind} {value:.4f}, {fit.optimum.verdict}",
        f"  fixed: {coefficient_text(fit)}",
        f"  sd: {random}",
    ]
    return "\n".join(lines)
