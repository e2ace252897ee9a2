"""Shares of variance, overdispersion and collinearity against R."""

import json

import numpy as np
import pytest
from helpers.r_references import R_PARITY, frame_of

import interlace as il
from interlace.errors import ArgumentError

CASES = json.loads((R_PARITY / "references" / "explained.json").read_text(encoding="utf-8"))
RTOL = 1e-5


def compared_vif(m, case) -> None:
    table = m.vif()
    assert table.index.tolist() == case["terms"]
    for ours, theirs in (("GVIF", "gvif"), ("Df", "df"), ("GVIF^(1/(2*Df))", "adjusted")):
        np.testing.assert_allclose(table[ours], case[theirs], rtol=RTOL)


@pytest.mark.parametrize("name", sorted(CASES["linear"]))
def test_linear_models(name) -> None:
    case = CASES["linear"][name]
    m = il.fit(case["formula"], frame_of(case["data"]))
    r2, icc = m.r2(), m.icc()
    assert r2["marginal"] == pytest.approx(case["marginal"], rel=RTOL, abs=1e-12)
    assert r2["conditional"] == pytest.approx(case["conditional"], rel=RTOL)
    assert icc["adjusted"] == pytest.approx(case["icc_adjusted"], rel=RTOL)
    assert icc["conditional"] == pytest.approx(case["icc_conditional"], rel=RTOL)
    assert m.icc(by_group=True).sum() == pytest.approx(icc["adjusted"])
    if "vif" in case:
        compared_vif(m, case["vif"])


@pytest.mark.parametrize("name", sorted(CASES["generalised"]))
def test_generalised_models(name) -> None:
    case = CASES["generalised"][name]
    m = il.glmer(case["formula"], frame_of(case["data"]), case["family"])
    for i, kind in enumerate(case["kinds"]):
        r2 = m.r2(kind)
        assert r2["marginal"] == pytest.approx(case["marginal"][i], rel=RTOL)
        assert r2["conditional"] == pytest.approx(case["conditional"][i], rel=RTOL)
        assert m.icc(approximation=kind)["adjusted"] == pytest.approx(case["adjusted"][i], rel=RTOL)
    assert m.r2().equals(m.r2(case["kinds"][0]))
    test = m.overdispersion()
    assert test.details["chi2"] == pytest.approx(case["chisq"], rel=RTOL)
    assert test.details["df"] == case["df"]
    assert test.p_value == pytest.approx(case["p"], rel=1e-4)


@pytest.mark.parametrize("name", sorted(CASES["glm"]))
def test_generalised_linear_models(name) -> None:
    case = CASES["glm"][name]
    m = il.glm(case["formula"], frame_of(case["data"]), case["family"])
    test = m.overdispersion()
    assert test.details["chi2"] == pytest.approx(case["chisq"], rel=1e-8)
    assert test.statistic == pytest.approx(case["chisq"] / case["df"], rel=1e-8)
    assert test.p_value == pytest.approx(case["p"], rel=1e-6)
    if "vif" in case:
        compared_vif(m, case["vif"])
    else:
        with pytest.raises(ArgumentError, match="1 beside the intercept"):
            m.vif()


def test_effects_of_single_rows_are_not_between_groups() -> None:
    d = il.load_dataset("grouseticks")
    m = il.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX)", d, "poisson")
    assert m.icc(by_group=True).index.tolist() == ["BROOD"]
    v = m.variance_components
    r2 = m.r2()
    total = v["BROOD"] / (r2["conditional"] - r2["marginal"])
    assert r2["marginal"] * total == pytest.approx(np.var(m.fit.design.X @ m.fe_params, ddof=1))
    assert total > v["BROOD"] + v["INDEX"]


def test_slopes_have_their_share_by_the_rows_they_have() -> None:
    d = il.load_dataset("sleepstudy")
    m = il.fit("Reaction ~ Days + (Days | Subject)", d)
    moved = il.fit("Reaction ~ Days + (Days | Subject)", d.assign(Days=d.Days - 4.5))
    np.testing.assert_allclose(m.r2(), moved.r2(), rtol=1e-6)
    np.testing.assert_allclose(m.icc(), moved.icc(), rtol=1e-6)


def test_families_with_a_dispersion() -> None:
    d = il.load_dataset("grouseticks")
    m = il.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", d, "nbinom2")
    mu = il.glmer("TICKS ~ 1 + (1 | BROOD)", d, "nbinom2")
    mean = np.exp(mu.fe_params.iloc[0] + 0.5 * mu.variance_components["BROOD"])
    family = np.log1p(1.0 / mean + 1.0 / m.family_params["theta"])
    fixed = np.var(m.fit.design.X @ m.fe_params, ddof=1)
    random = m.variance_components["BROOD"]
    assert m.r2()["conditional"] == pytest.approx((fixed + random) / (fixed + random + family))
    # the Gaussian family by Laplace's approximation is the linear model by ML
    sleep = il.load_dataset("sleepstudy")
    formula = "Reaction ~ Days + (1 | Subject)"
    own = il.glmer(formula, sleep, "gaussian").r2()
    np.testing.assert_allclose(own, il.fit(formula, sleep, method="ML").r2(), rtol=1e-6)


def test_refusals() -> None:
    d = il.load_dataset("Salamanders")
    m = il.glmer("count ~ mined + (1 | site)", d, "poisson", ziformula="~ 1")
    with pytest.raises(ArgumentError, match="one linear predictor"):
        m.r2()
    sleep = il.load_dataset("sleepstudy")
    linear = il.fit("Reaction ~ Days + (Days | Subject)", sleep)
    with pytest.raises(ArgumentError, match="Gaussian"):
        linear.r2("delta")
    with pytest.raises(ArgumentError, match="estimates its own dispersion"):
        linear.overdispersion()
    with pytest.raises(ArgumentError, match="1 beside the intercept"):
        linear.vif()
    cbpp = il.glmer(
        "cbind(incidence, size - incidence) ~ period + (1 | herd)",
        il.load_dataset("cbpp"),
        "binomial",
    )
    with pytest.raises(ArgumentError, match="log link"):
        cbpp.r2("trigamma")
    verb = il.glm("r2 ~ Anger", il.load_dataset("VerbAgg"), "binomial")
    with pytest.raises(ArgumentError, match="0 and 1 cannot"):
        verb.overdispersion()
    with pytest.raises(AttributeError, match="random effects"):
        _ = verb.r2
