"""The printed summary: R's order and R's digits."""

from __future__ import annotations

import numpy as np
import pytest

import interlace
from interlace.printing import Table
from interlace.tables.summary.numbers import format_numbers, format_pvalues, stars
from interlace.tables.summary.parts import abbreviate

SLEEP = """\
Linear mixed model fit by REML; t-tests use Satterthwaite's degrees of freedom
Formula: Reaction ~ Days + (Days | Subject)
   Data: 180 rows

REML criterion at convergence: 1743.6

Scaled residuals:
    Min      1Q Median     3Q    Max
-3.9536 -0.4634 0.0231 0.4634 5.1793

Random effects:
Groups   Name        Variance Std.Dev. Corr
Subject  (Intercept)   612.09   24.740
         Days           35.07    5.922 0.07
Residual               654.94   25.592
Number of obs: 180, groups:  Subject, 18

Fixed effects:
            Estimate Std. Error df t value Pr(>|t|)
(Intercept)  251.405      6.825 17  36.838  < 2e-16 ***
Days          10.467      1.546 17   6.771 3.26e-06 ***
---
Signif. codes:  0 '***' 0.001 '**' 0.01 '*' 0.05 '.' 0.1 ' ' 1

Correlation of fixed effects:
     (Intr)
Days -0.138"""


def test_summary_of_sleepstudy(fit_cache) -> None:
    m = fit_cache("sleepstudy", "Reaction ~ Days + (Days | Subject)")
    assert str(m.summary(r_names=True)) == SLEEP
    assert "Correlation" not in str(m.summary(correlation=False))


def test_coefficients_of_a_glm_as_r_prints_them(dataset) -> None:
    m = interlace.glm("Reaction ~ Days", dataset("sleepstudy"), family="gamma")
    r = """\
Coefficients:
              Estimate Std. Error t value Pr(>|t|)
(Intercept)  3.914e-03  7.834e-05  49.961  < 2e-16 ***
Days        -1.177e-04  1.346e-05  -8.749 1.61e-15 ***
---
Signif. codes:  0 '***' 0.001 '**' 0.01 '*' 0.05 '.' 0.1 ' ' 1
"""
    assert r in str(m.summary(r_names=True))


def test_maximum_likelihood_has_a_table_of_criteria(fit_cache) -> None:
    m = fit_cache("sleepstudy", "Reaction ~ Days + (Days | Subject)", method="ML")
    lines = str(m.summary()).splitlines()
    assert lines[0].startswith("Linear mixed model fit by maximum likelihood")
    at = next(i for i, line in enumerate(lines) if "AIC" in line)
    # lme4: 1763.9 1783.1 -876.0 1751.9 174
    assert lines[at + 1].split() == ["1763.9", "1783.1", "-876.0", "1751.9", "174"]


def test_what_is_not_plainly_converged_is_said(fit_cache) -> None:
    m = fit_cache("Dyestuff2", "Yield ~ 1 + (1 | Batch)")
    last = str(m.summary()).splitlines()[-1]
    assert last.startswith("Convergence: ") and "Batch" in last


def test_what_was_left_out_is_said(dataset) -> None:
    sleep = dataset("sleepstudy")
    sleep.loc[3, "Days"] = np.nan
    sleep["twice"] = 2.0 * sleep["Days"]
    with pytest.warns(interlace.errors.DataWarning):
        m = interlace.fit("Reaction ~ Days + twice + (1 | Subject)", sleep)
    line = next(t for t in str(m.summary()).splitlines() if "Data:" in t)
    assert "179 rows" in line and "1 dropped for missing values" in line
    assert "twice" in line


def test_weights_are_said(dataset) -> None:
    weights = np.linspace(1.0, 2.0, 180)
    m = interlace.fit("Reaction ~ Days + (1 | Subject)", dataset("sleepstudy"), weights=weights)
    assert "with weights" in str(m.summary())


def test_three_correlated_effects_fill_a_triangle(fit_cache) -> None:
    m = fit_cache("Machines", "score ~ Machine + (0 + Machine | Worker)")
    lines = str(m.summary()).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("Groups"))
    widths = [len(line.split()) for line in lines[at + 1 : at + 4]]
    # Group, name, variance, SD; then no group but one and two correlations.
    assert widths == [4, 4, 5]
    # lme4: 0.80, 0.62 0.77
    assert lines[at + 2].split()[-1] == "0.80"
    assert lines[at + 3].split()[-2:] == ["0.62", "0.77"]


def test_html_has_the_same_cells_and_is_escaped(fit_cache) -> None:
    m = fit_cache("sleepstudy", "Reaction ~ Days + (Days | Subject)")
    html = m._repr_html_()
    for text in ("251.405", "10.467", "Residual", "REML criterion at convergence: 1743.6"):
        assert text in html
    assert "Pr(&gt;|t|)" in html and "&lt; 2e-16" in html
    summary = m.summary()
    strange = type(summary)([Table(["<b>"], [["a & b"]])], summary.coefficients)
    assert "&lt;b&gt;" in strange._repr_html_() and "a &amp; b" in strange._repr_html_()


def test_repr_is_short(fit_cache) -> None:
    text = repr(fit_cache("sleepstudy", "Reaction ~ Days + (Days | Subject)"))
    assert len(text.splitlines()) == 4
    assert "180 rows" in text and "Subject (18)" in text and "converged" in text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # R: format(x, digits = 4)
        ((612.10016, 35.071714), ["612.10", " 35.07"]),
        ((1234567.0, 0.001), ["1.235e+06", "1.000e-03"]),
        ((1.234e-05, 0.5), ["1.234e-05", "5.000e-01"]),
        ((1.0, 2.0, 3.0), ["1", "2", "3"]),
        ((251.405, 1e-9), ["2.514e+02", "1.000e-09"]),
        ((1e5, 1e15), ["1e+05", "1e+15"]),
        ((3.16224, 0.3736, 1.66747), ["3.1622", "0.3736", "1.6675"]),
        ((0.0, 0.25), ["0.00", "0.25"]),
        ((1e5,), ["1e+05"]),
        ((123456.7,), ["123457"]),
        ((1.5, np.nan), ["1.5", "   "]),
        ((np.inf, 2.0), ["inf", "2"]),
    ],
)
def test_numbers_as_r_formats_them(values, expected) -> None:
    assert format_numbers(values) == expected


def test_pvalues_as_r_formats_them() -> None:
    found = format_pvalues(np.array([0.0171, 0.6682, 1e-20, 3.264e-6, 0.00101, 1.0]))
    assert found == ["0.01710", "0.66820", "< 2e-16", "3.26e-06", "0.00101", "1.00000"]
    assert format_pvalues(np.array([0.05, 2e-10, 4.123e-5])) == ["0.05", "2.00e-10", "4.12e-05"]
    assert format_pvalues(np.array([np.nan, 0.0])) == ["", "< 2e-16"]
    assert [stars(p) for p in (0.0005, 0.005, 0.02, 0.07, 0.5)] == ["***", "**", "*", ".", ""]


def test_names_as_r_abbreviates_them() -> None:
    names = ["(Intercept)", "Product2", "Information2", "Product2:Information2"]
    assert abbreviate(names) == ["(Intr)", "Prdct2", "Infrm2", "Pr2:I2"]
    assert len(set(abbreviate(["variable_a", "variable_b", "variable_c"]))) == 3
