"""t and F tests of the coefficients, and how hypotheses are read."""

from __future__ import annotations

import numpy as np
import pytest

from interlace.errors import ArgumentError
from interlace.inference.hypotheses import parse_hypothesis
from interlace.inference.wald import f_pvalue, t_pvalue, t_quantile, t_table, t_test, wald_test

SLEEP = ("sleepstudy", "Reaction ~ Days + (Days | Subject)")
HAM = ("Machines", "score ~ Machine + (1 | Worker/Machine)")


def test_tails_agree_with_tables() -> None:
    # R: 2 * pt(-6.771, 17), 2 * pnorm(-1.96), pf(3.829149, 3, 240, lower = FALSE), and
    # pchisq(6, 2, lower = FALSE).
    assert t_pvalue(np.array([6.771]), np.array([17.0]))[0] == pytest.approx(
        3.266741982e-06, rel=1e-8
    )
    assert t_pvalue(np.array([-1.96]), np.array([np.inf]))[0] == pytest.approx(0.04999579, rel=1e-6)
    assert f_pvalue(3.829149, 3, 240.0) == pytest.approx(0.01047588828, rel=1e-8)
    assert f_pvalue(3.0, 2, np.inf) == pytest.approx(0.04978707, rel=1e-6)
    quantiles = t_quantile(0.95, np.array([17.0, np.inf]))
    np.testing.assert_allclose(quantiles, [2.109815578, 1.959963985], rtol=1e-9)


def test_table_of_coefficients(fit_cache) -> None:
    table = t_table(fit_cache(*SLEEP).fit)
    assert list(table.index) == ["Intercept", "Days"]
    np.testing.assert_allclose(table["estimate"], [251.405105, 10.467286], rtol=1e-7)
    np.testing.assert_allclose(table["std_error"], [6.8245563, 1.5457889], rtol=2e-6)
    # lmerTest prints 3.26e-06.
    assert table["p_value"]["Days"] == pytest.approx(3.264e-06, rel=1e-3)
    residual = t_table(fit_cache(*SLEEP).fit, df_method="residual")
    assert residual["df"].tolist() == [178.0, 178.0]


@pytest.mark.parametrize(
    ("hypothesis", "L", "rhs"),
    [
        ("Days", [[0, 1]], [0]),
        ("Days = 10", [[0, 1]], [10]),
        ("Days = -1", [[0, 1]], [-1]),
        ("2 * Days = 1e-3, Intercept=-2.5", [[0, 2], [1, 0]], [1e-3, -2.5]),
        ("Intercept - 2 * Days = 1, Days = 3", [[1, -2], [0, 1]], [1, 3]),
        (["Intercept = 250", "Days"], [[1, 0], [0, 1]], [250, 0]),
        ({"Days": 10, "Intercept": 250}, [[0, 1], [1, 0]], [10, 250]),
        ([0, 1], [[0, 1]], [0]),
        (np.eye(2), [[1, 0], [0, 1]], [0, 0]),
        ((np.eye(2), [250, 10]), [[1, 0], [0, 1]], [250, 10]),
    ],
)
def test_hypotheses_are_read(fit_cache, hypothesis, L, rhs) -> None:
    found, right, labels = parse_hypothesis(("Intercept", "Days"), hypothesis)
    np.testing.assert_array_equal(found, L)
    np.testing.assert_array_equal(right, rhs)
    assert len(labels) == len(L)


def test_names_with_brackets_and_colons(fit_cache) -> None:
    fit = fit_cache("Orthodont", "distance ~ age * Sex + (1 | Subject)").fit
    name = next(n for n in fit.design.x_names if ":" in n)
    for text in (name, f"`{name}` = 0"):
        L, _, _ = parse_hypothesis(fit.design.x_names, text)
        assert L[0].tolist() == [float(n == name) for n in fit.design.x_names]


@pytest.mark.parametrize(
    ("hypothesis", "message"),
    [
        ("Dayz = 3", "Intercept, Days"),
        (np.eye(3), "2 finite columns"),
        ([[0.0, np.nan]], "2 finite columns"),
        (None, "coefficient's name.*got None"),
        (object(), "coefficient's name"),
        ("Days = ", "cannot read"),
    ],
)
def test_what_cannot_be_read_is_refused(fit_cache, hypothesis, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        parse_hypothesis(("Intercept", "Days"), hypothesis)


def test_t_test_against_a_value(fit_cache) -> None:
    fit = fit_cache(*SLEEP).fit
    row = t_test(fit, "Days = 10").iloc[0]
    t = (fit.beta[1] - 10.0) / np.sqrt(fit.cov_beta[1, 1])
    assert row["statistic"] == pytest.approx(t, rel=1e-12)
    assert row["estimate"] == pytest.approx(fit.beta[1], rel=1e-12)
    half = 2.109815578 * np.sqrt(fit.cov_beta[1, 1])
    np.testing.assert_allclose(
        row[["conf_low", "conf_high"]].astype(float), fit.beta[1] + np.array([-half, half]), 1e-7
    )


def test_wald_test_is_the_quadratic_form(fit_cache) -> None:
    fit = fit_cache(*HAM).fit
    L, rhs = np.eye(3)[1:], np.array([8.0, 14.0])
    test = wald_test(fit, (L, rhs), test="Chisq")
    d = L @ fit.beta - rhs
    expected = d @ np.linalg.solve(L @ fit.cov_beta @ L.T, d)
    assert test.statistic == pytest.approx(expected, rel=1e-10)
    assert (test.df_num, test.df_denom) == (2, np.inf)
    assert test.pvalue == pytest.approx(np.exp(-expected / 2.0), rel=1e-10)
    F = wald_test(fit, (L, rhs))
    assert F.statistic == pytest.approx(expected / 2.0, rel=1e-10)
    assert F.df_denom == pytest.approx(10.0, rel=1e-6)
    assert "F(2, 10)" in str(F)


def test_contradictions_and_nothing_are_refused(fit_cache) -> None:
    fit = fit_cache(*SLEEP).fit
    with pytest.raises(ArgumentError, match="contradict"):
        wald_test(fit, "Days = 1, 2 * Days = 3")
    with pytest.raises(ArgumentError, match="no coefficient"):
        wald_test(fit, [[0.0, 0.0]])
    with pytest.raises(ArgumentError, match="'F' or 'Chisq'"):
        wald_test(fit, "Days", test="t")


@pytest.mark.parametrize("level", [0.0, 1.0, 95, "0.95", True])
def test_levels_that_are_none(fit_cache, level) -> None:
    with pytest.raises(ArgumentError, match="level"):
        t_test(fit_cache(*SLEEP).fit, "Days", level=level)
