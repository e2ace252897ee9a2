"""Residuals by simulation: against R on the same draws, and what they are of models known."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY

import interlace as il
from interlace.diagnostics import residual_tests as tests
from interlace.diagnostics.simulated_residuals import SimulatedResiduals
from interlace.errors import ArgumentError, ArgumentTypeError

PATH = R_PARITY / "references" / "simulated_residuals.json"
CASES = json.loads(PATH.read_text(encoding="utf-8"))
WITHOUT_TIES = CASES.pop("without_ties")
del CASES["versions"]
# R sums the series of Kolmogorov's distribution to its first term where sqrt(n) D is below 1.
FIRST_TERM = 2e-5
SIDES = {"two.sided": "two-sided", "greater": "greater", "less": "less"}
SLEEP = "Reaction ~ Days + (Days | Subject)"


def residuals_of(case, discrete=False) -> SimulatedResiduals:
    simulated = np.reshape(case["simulated"], (len(case["observed"]), -1))
    return SimulatedResiduals.of(case["observed"], simulated, discrete=discrete, seed=1)


@pytest.mark.parametrize("name", sorted(CASES))
def test_residuals_on_the_draws_of_r(name) -> None:
    case = CASES[name]
    found = residuals_of(case)
    u, low, high = found.scaled.to_numpy(), np.array(case["lower"]), np.array(case["upper"])
    assert ((u >= low - 1e-12) & (u <= high + 1e-12)).all()
    same = low == high
    np.testing.assert_allclose(u[same], low[same], rtol=1e-12)
    assert same.all() == (name in ("normal", "wide"))
    grouped = found.by_group(case["group"]).scaled.to_numpy()
    low, high = np.array(case["grouped_lower"]), np.array(case["grouped_upper"])
    assert ((grouped >= low - 1e-12) & (grouped <= high + 1e-12)).all()


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("side", SIDES)
def test_tests_against_r(name, side) -> None:
    case = CASES[name]
    found, ours = residuals_of(case), SIDES[side]
    u = np.array(case["u"])
    D, p = tests.kolmogorov_smirnov(u, ours)
    assert D == pytest.approx(case["ks"][side][0], abs=1e-12)
    assert p == pytest.approx(case["ks"][side][1], abs=FIRST_TERM)
    dw, p = tests.durbin_watson(u, ours)
    assert dw == pytest.approx(case["dw"][side][0], rel=1e-10)
    # lmtest's p-value is summed with 15 terms
    assert p == pytest.approx(case["dw"][side][1], abs=1e-6)
    place = np.reshape(case["place"], (-1, 2))
    moran = tests.moran(u, place, ours)
    np.testing.assert_allclose(list(moran.values()), case["moran"][side], rtol=1e-8)
    for ours_of, there in (
        (found.dispersion, case["dispersion"]),
        (found.zero_inflation, case["zeros"]),
    ):
        if there["ratio"] is None or not np.isfinite(np.float64(there["ratio"])):
            continue
        test = ours_of(ours)
        assert test.statistic == pytest.approx(there["ratio"], rel=1e-10)
        assert test.p_value == pytest.approx(there["p"][side], abs=1e-12)
    outliers = case["outliers"]
    chance = 2.0 / (found.nsim + 1)
    p = tests.binomial_test(outliers["number"], u.size, chance, ours)
    assert p == pytest.approx(outliers["p"][side], rel=1e-9)


@pytest.mark.parametrize("i", range(len(WITHOUT_TIES)))
@pytest.mark.parametrize("side", SIDES)
def test_exact_uniformity_against_r(i, side) -> None:
    case = WITHOUT_TIES[i]
    D, p = tests.kolmogorov_smirnov(np.array(case["u"]), SIDES[side])
    assert D == pytest.approx(case["ks"][side][0], abs=1e-12)
    exact = len(case["u"]) < tests.EXACT_KS
    assert p == pytest.approx(case["ks"][side][1], rel=1e-9, abs=0.0 if exact else FIRST_TERM)


def test_signed_sums_of_squares_against_an_f_distribution() -> None:
    from scipy.special import fdtr

    # P(z_1^2 + .. + z_4^2 < c (z_5^2 + .. + z_10^2)): an F distribution

    c = 0.7
    weights = np.concatenate([np.ones(4), -c * np.ones(6)])
    assert tests._imhof(weights) == pytest.approx(fdtr(4, 6, c * 6 / 4), abs=1e-8)


@pytest.mark.parametrize("family", ["poisson", "binomial", "gaussian", "Gamma(log)"])
def test_residuals_of_a_right_model_are_uniform(family) -> None:
    rng = np.random.default_rng(8)
    n = 2000
    d = pd.DataFrame({"x": rng.normal(size=n), "g": rng.integers(60, size=n), "size": 6})
    eta = 0.4 + 0.5 * d.x
    d["y"] = {
        "poisson": lambda: rng.poisson(np.exp(eta)),
        "binomial": lambda: rng.binomial(6, 1.0 / (1.0 + np.exp(-eta))) / 6.0,
        "gaussian": lambda: eta + rng.normal(size=n),
        "Gamma(log)": lambda: rng.gamma(3.0, np.exp(eta) / 3.0),
    }[family]()
    weights = {"weights": "size"} if family == "binomial" else {}
    m = il.glm("y ~ x", d, family, **weights)
    found = m.simulated_residuals(n=250, seed=4)
    assert found.discrete == (family in ("poisson", "binomial"))
    assert found.uniformity().p_value > 0.01 and found.dispersion().p_value > 0.01
    assert found.quantiles("x")["p_value"].min() > 0.01
    # and of a wrong one are not
    wrong = il.glm("y ~ 1", d, family, **weights).simulated_residuals(n=250, seed=4)
    assert wrong.quantiles("x").loc["all", "p_value"] < 1e-6


def test_overdispersion_and_zeros_are_found() -> None:
    d = il.load_dataset("Salamanders")
    m = il.glmer("count ~ mined + spp + (1 | site)", d, "poisson")
    found = m.simulated_residuals(seed=3, use_u=True)
    assert found.dispersion("greater").p_value < 0.05
    assert found.zero_inflation("greater").p_value < 0.05
    better = il.glmer("count ~ mined + spp + (1 | site)", d, "nbinom2").simulated_residuals(seed=3)
    assert better.zero_inflation().p_value > 0.05
    assert list(found.tests().index)[-1] == "zero inflation"


def test_seeds_groups_and_conditional_draws() -> None:
    d = il.load_dataset("sleepstudy")
    m = il.fit(SLEEP, d)
    one, two = m.simulated_residuals(50, seed=7), m.simulated_residuals(50, seed=7)
    pd.testing.assert_series_equal(one.scaled, two.scaled)
    pd.testing.assert_frame_equal(one.tests(), two.tests())
    assert one.scaled.index.equals(d.index)
    kept = m.simulated_residuals(50, seed=7, use_u=True)
    assert kept.simulated.std() < one.simulated.std()
    groups = one.by_group("Subject")
    assert len(groups.scaled) == 18 and groups.scaled.index.name == "Subject"
    np.testing.assert_allclose(groups.observed, d.groupby("Subject", observed=True).Reaction.sum())
    means = one.by_group("Subject", np.mean)
    np.testing.assert_allclose(means.observed, groups.observed / 10.0)
    assert 0.0 <= one.by_group("Days").temporal().p_value <= 1.0
    assert pickle.loads(pickle.dumps(one)).nsim == 50
    assert "18 responses" in repr(groups) and "<table" in one._repr_html_()
    assert one.normal().between(-4, 4).mean() > 0.9


def test_every_family_draws_what_it_takes() -> None:
    d = il.load_dataset("cbpp")
    m = il.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", d, "binomial")
    found = m.simulated_residuals(60, seed=2)
    np.testing.assert_array_equal(found.observed, d["incidence"])
    assert np.array_equal(found.simulated, np.round(found.simulated))
    # a factor of two levels as well
    d = il.load_dataset("VerbAgg").head(600)
    m = il.glmer("r2 ~ Anger + (1 | id)", d, "binomial")
    assert set(np.unique(m.simulated_residuals(20, seed=2).observed)) == {0.0, 1.0}


def test_refusals() -> None:
    m = il.fit(SLEEP, il.load_dataset("sleepstudy"))
    found = m.simulated_residuals(20, seed=1)
    with pytest.raises(ArgumentError, match="at least 2"):
        m.simulated_residuals(1)
    with pytest.raises(ArgumentTypeError, match="seed"):
        m.simulated_residuals(seed="a")
    with pytest.raises(ArgumentError, match="several residuals"):
        found.temporal("Days")
    with pytest.raises(ArgumentError, match="time= is needed"):
        found.temporal()
    with pytest.raises(ArgumentError, match="several residuals have the same place"):
        found.spatial("Days")
    with pytest.raises(ArgumentError, match="alternative"):
        found.uniformity("bigger")
    with pytest.raises(ArgumentTypeError, match="function of the responses"):
        found.test(3)
    with pytest.raises(ArgumentError, match="levels"):
        found.quantiles(levels=[2.0])
    with pytest.raises(ArgumentError, match="a row for each"):
        SimulatedResiduals.of(np.zeros(3), np.zeros((2, 5)))
    assert found.uniformity("two.sided").alternative == "two-sided"


def test_the_lowest_category_is_no_zero(dataset) -> None:
    m = il.clm("rating ~ temp", dataset("wine"))
    residuals = m.simulated_residuals(20, seed=1)
    rows = ["uniformity", "dispersion", "outliers"]
    assert residuals.discrete and list(residuals.tests().index) == rows
    assert list(residuals.by_group("judge").tests().index) == rows
    assert residuals.zero_inflation().details["observed"] == (m.fit.observations.y == 0.0).sum()
