"""Likelihood-ratio and Wald tests of generalised models against lme4, car and dense formulas.

lme4's references are at its tight optimum (tolPwrss 1e-13, xtol and ftol 1e-12 and below).
"""

from __future__ import annotations

import numpy as np
import pytest
from helpers.fitted_models import CBPP, EPIL, GAMMA, TICKS, fitted

import interlace
from interlace.errors import ArgumentError, ArgumentTypeError, NumericalError
from interlace.inference.anova import _information_root

# lme4 takes its Hessian from second differences of the deviance with steps of 1e-4, which leaves
# errors of up to 2e-4 in standard errors, so twice that in Wald statistics.
SECOND_DIFFERENCE = 4e-4


def test_likelihood_ratio_against_lme4() -> None:
    m = fitted(*CBPP)
    none = fitted("cbpp", "cbind(incidence, size - incidence) ~ 1 + (1 | herd)", "binomial")
    table = m.anova(none)
    assert table["Df"].tolist() == [2, 5]
    last = table.iloc[1]
    assert last["Chisq"] == pytest.approx(25.61006, abs=1e-5)
    assert last["Pr(>Chisq)"] == pytest.approx(1.1509e-05, rel=1e-4)
    np.testing.assert_allclose(table["AIC"], [213.66263, 194.05256], atol=1e-5)
    np.testing.assert_allclose(table["deviance"], [209.66263, 184.05256], atol=1e-5)
    assert none.anova(m).equals(table)


def test_a_model_without_random_effects_can_be_compared() -> None:
    cbpp = interlace.load_dataset("cbpp")
    fixed = interlace.glm("cbind(incidence, size - incidence) ~ period", cbpp, family="binomial")
    for nodes in (1, 9):
        m = fitted(*CBPP, nAGQ=nodes)
        table = m.anova(fixed)
        assert table["Df"].tolist() == [4, 5]
        assert table["Chisq"].iloc[1] == pytest.approx(2.0 * (m.llf - fixed.llf), rel=1e-12)


def test_models_are_compared_in_any_order() -> None:
    cbpp = interlace.load_dataset("cbpp")
    fixed = interlace.glm("cbind(incidence, size - incidence) ~ period", cbpp, family="binomial")
    none = interlace.glm("cbind(incidence, size - incidence) ~ 1", cbpp, family="binomial")
    m = fitted(*CBPP)
    table = interlace.anova(m, fixed)
    assert table["Pr(>Chisq)"].iloc[1] < 1e-3
    for options in ({}, {"test": "LRT"}, {"refit": False}):
        assert interlace.anova(fixed, m, **options).equals(table)
    assert interlace.anova(none, fixed, m).equals(interlace.anova(m, none, fixed))
    assert interlace.anova(fixed, m, names=["b", "a"]).index.tolist() == ["b", "a"]
    with pytest.raises(ArgumentError, match="test='F' is for glms of one family alone"):
        interlace.anova(fixed, m, test="F")
    with pytest.raises(ArgumentTypeError, match="anova compares fitted models, got 3"):
        fixed.anova(m, 3)


def test_a_linear_model_and_its_mixed_one_in_any_order() -> None:
    sleep = interlace.load_dataset("sleepstudy")
    flat = interlace.glm("Reaction ~ Days", sleep, family="gaussian")
    mixed = interlace.lmer("Reaction ~ Days + (1 | Subject)", sleep)
    table = interlace.anova(flat, mixed)
    assert table.equals(interlace.anova(mixed, flat))
    # lme4: anova(lmer(...), lm(...)), refitting by maximum likelihood.
    assert table["Df"].tolist() == [3, 4]
    assert table["Chisq"].iloc[1] == pytest.approx(106.214413351, abs=1e-6)


def test_F_of_an_estimated_dispersion_has_residual_degrees_of_freedom() -> None:
    sleep = interlace.load_dataset("sleepstudy")
    m = interlace.glm("Reaction ~ Days", sleep, family="gamma")
    F = m.f_test("Days")
    assert (F.df_num, F.df_denom) == (1, 178.0)
    assert F.statistic == pytest.approx(m.tvalues["Days"] ** 2, rel=1e-12)
    assert F.pvalue == pytest.approx(m.pvalues["Days"], rel=1e-9)


def test_likelihoods_that_cannot_be_compared() -> None:
    m, data = fitted(*CBPP), interlace.load_dataset("cbpp")
    with pytest.raises(ArgumentError, match="nAGQ=9"):
        m.anova(fitted(*CBPP, nAGQ=9))
    data["p"] = data["incidence"] / data["size"]
    twice = 2.0 * data["size"]
    single = interlace.glmer("p ~ period + (1 | herd)", data, "binomial", weights=twice)
    with pytest.raises(ArgumentError, match="weights"):
        m.anova(single)
    counts = fitted(*TICKS)
    line = interlace.fit("TICKS ~ YEAR + (1 | BROOD)", interlace.load_dataset("grouseticks"))
    with pytest.raises(ArgumentError, match="probabilities of counts"):
        counts.anova(line)
    with pytest.raises(ArgumentError, match="fitted models"):
        m.anova("period")
    # Densities of one response are comparable, whatever the kind of model.
    normal = interlace.fit(GAMMA[1], interlace.load_dataset("sleepstudy"), method="ML")
    assert len(fitted(*GAMMA).anova(normal)) == 2


def test_terms_against_car() -> None:
    m = fitted(*TICKS)
    table = m.anova()
    assert list(table.columns) == ["Chisq", "Df", "Pr(>Chisq)"]
    assert list(table.index) == ["YEAR", "cHEIGHT"] and table["Df"].tolist() == [2, 1]
    for type in ("II", 3):
        found = m.anova(type=type)["Chisq"]
        np.testing.assert_allclose(found, [78.05331, 47.75038], rtol=SECOND_DIFFERENCE)
    assert table["Pr(>Chisq)"].iloc[1] == pytest.approx(4.8409e-12, rel=1e-3)
    with pytest.raises(ArgumentError, match="'I', 'II', 'III'"):
        m.anova(type="IV")


def test_terms_of_an_interaction_against_car() -> None:
    m = fitted("epil2", EPIL[1], "poisson")
    expected = {
        "II": [107.5049458, 4.5017380, 1.9279842, 8.5073741, 2.7930742],
        # Under sum contrasts of trt.
        "III": [110.29800, 5.44975, 1.92805, 8.50736, 2.79309],
    }
    for type, values in expected.items():
        found = m.anova(type=type)["Chisq"]
        np.testing.assert_allclose(found, values, rtol=SECOND_DIFFERENCE)


def test_types_are_differences_of_wald_statistics() -> None:
    m = fitted(*EPIL)
    V, beta, slices = m.vcov().to_numpy(), m.fe_params.to_numpy(), dict(m.fit.design.x_terms)

    def wald(*names: str) -> float:
        j = np.concatenate([np.arange(len(beta))[slices[n]] for n in names])
        return beta[j] @ np.linalg.solve(V[np.ix_(j, j)], beta[j])

    expected = {
        "Base": wald("Base", "Base:trt") - wald("Base:trt"),
        "trt": wald("trt", "Base:trt") - wald("Base:trt"),
        "Age": wald("Age"),
        "Visit": wald("Visit"),
        "Base:trt": wald("Base:trt"),
    }
    assert m.anova()["Chisq"].to_dict() == pytest.approx(expected, rel=1e-8)
    order = [n for n in slices if n != "Intercept"]
    sequential = {
        n: wald(*order[i:]) - (wald(*order[i + 1 :]) if order[i + 1 :] else 0.0)
        for i, n in enumerate(order)
    }
    assert m.anova(type="I")["Chisq"].to_dict() == pytest.approx(sequential, rel=1e-8)


def test_terms_of_coefficients_without_covariance() -> None:
    for V in (np.diag([1.0, 0.0]), np.ones((2, 2)), np.diag([1.0, np.nan])):
        with pytest.raises(NumericalError, match="positive definite"):
            _information_root(V)
    R = _information_root(np.array([[4.0, 1e-6], [1e-6, 1e-12]]))
    np.testing.assert_allclose(R.T @ R @ [[4.0, 1e-6], [1e-6, 1e-12]], np.eye(2), atol=1e-9)


def test_hypotheses() -> None:
    m = fitted(*CBPP)
    names = list(m.fit.design.x_names)[1:]
    test = m.wald_test(names)
    # car
    assert (test.distribution, test.df_num, test.df_denom) == ("chi2", 3, np.inf)
    assert test.statistic == pytest.approx(24.94859, rel=SECOND_DIFFERENCE)
    assert test.pvalue == pytest.approx(1.5827e-05, rel=1e-3)
    F = m.f_test(names)
    assert F.statistic == pytest.approx(test.statistic / 3.0, rel=1e-12)
    assert F.pvalue == pytest.approx(test.pvalue, rel=1e-9)
    row = m.t_test("period[T.2] = -1").iloc[0]
    z = (m.fe_params["period[T.2]"] + 1.0) / m.fe_bse["period[T.2]"]
    assert row["statistic"] == pytest.approx(z, rel=1e-9) and row["df"] == np.inf


def test_a_gamma_model_against_one_without_its_effects_that_are_zero():
    """The same likelihood: R's logLik of the glm has another dispersion than the maximum's."""
    sleep = interlace.load_dataset("sleepstudy")
    sleep["y"] = np.random.default_rng(0).gamma(5.0, size=len(sleep))
    without = interlace.glm("y ~ Days", sleep, "Gamma(log)")
    mixed = interlace.glmer("y ~ Days + (1 | Subject)", sleep, "Gamma(log)")
    assert mixed.theta.iloc[0] == 0.0
    table = interlace.anova(without, mixed)
    assert table["Chisq"].iloc[1] == pytest.approx(0.0, abs=1e-6)
    assert table["Pr(>Chisq)"].iloc[1] == pytest.approx(1.0, abs=1e-3)
