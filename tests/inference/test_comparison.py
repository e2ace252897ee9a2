"""Which models may be compared, what is said of the comparison, and what it looks like."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers.hand_families import HandPoisson

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError
from interlace.families import Poisson


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(20), 6)
    d = pd.DataFrame({"g": g, "x": rng.normal(size=120), "z": rng.normal(size=120)})
    d["w"] = rng.choice([1.0, 2.0], 120)
    eta = 0.5 + 0.3 * d.x + 0.5 * rng.normal(size=20)[g]
    d["count"] = rng.negative_binomial(2.0, 2.0 / (2.0 + np.exp(eta)))
    d["bin"] = (rng.random(120) < 1.0 / (1.0 + np.exp(-eta))) * 1
    d["y"] = np.exp(eta) * rng.gamma(5.0, size=120) / 5.0
    return d


def test_refits_are_said_in_the_table_and_in_print(data):
    reml, ml = il.lmer("y ~ x + (1 | g)", data), il.lmer("y ~ 1 + (1 | g)", data, method="ML")
    table = il.anova(reml, ml)
    assert table.attrs["notes"] == (
        "refitted by maximum likelihood instead of REML: y ~ x + (1 | g)",
    )
    assert repr(table).startswith("refitted by maximum likelihood instead of REML: y ~ x")
    assert "<p>refitted by maximum likelihood instead of REML" in table._repr_html_()
    assert isinstance(table, pd.DataFrame) and type(table.iloc[:1]) is pd.DataFrame
    again = pickle.loads(pickle.dumps(table))
    assert repr(again) == repr(table)
    quiet = il.anova(il.lmer("y ~ x + (1 | g)", data, method="ML"), ml)
    assert quiet.attrs["notes"] == ()
    assert repr(quiet) == pd.DataFrame(quiet).to_string(na_rep="")
    same = il.anova(reml, il.lmer("y ~ x + (x | g)", data), refit=False)
    assert same.attrs["notes"] == ()


def test_models_of_the_same_formula_are_told_apart(data):
    formula = "count ~ x + (1 | g)"
    p, nb = il.glmer(formula, data, "poisson"), il.glmer(formula, data, "negativebinomial")
    held = il.glmer(formula, data, il.NegativeBinomial(theta=2.5))
    assert il.anova(p, nb).index.tolist() == [
        f"{formula} [poisson (log)]",
        f"{formula} [negativebinomial (log)]",
    ]
    assert f"{formula} [negativebinomial (log), theta=2.5]" in il.anova(held, nb).index
    assert il.anova(p, p).index.tolist() == [f"{formula} (1)", f"{formula} (2)"]
    other = il.glmer("count ~ 1 + (1 | g)", data, "poisson")
    three = il.anova(p, nb, other).index.tolist()
    # what tells two of them apart is said of the third as well
    assert three == [
        "count ~ 1 + (1 | g) [poisson (log)]",
        f"{formula} [poisson (log)]",
        f"{formula} [negativebinomial (log)]",
    ]
    kept = il.anova({"Poisson": p, "NB": nb})
    pd.testing.assert_frame_equal(kept, il.anova(p, nb, names=["Poisson", "NB"]))
    pd.testing.assert_frame_equal(il.anova([p, nb]), il.anova(p, nb))
    assert il.anova({"one": p}).equals(p.anova())
    glms = il.anova(il.glm("y ~ x", data, "gamma"), il.glm("y ~ x", data, "gamma(log)"))
    assert glms.index.tolist() == ["y ~ x [gamma (inverse)]", "y ~ x [gamma (log)]"]
    assert glms["F"].isna().all() and "their links differ" in glms.attrs["notes"][0]
    linear = il.lmer("y ~ x + (1 | g)", data, method="ML")
    gaussian = il.glmer("y ~ x + (1 | g)", data, "gaussian")
    table = il.anova(linear, gaussian)
    assert [label.split("[")[1] for label in table.index] == ["linear]", "gaussian (identity)]"]
    assert table["logLik"].iloc[0] == pytest.approx(table["logLik"].iloc[1], abs=1e-7)
    named = il.anova(p, nb, names=["P", "NB"])
    assert named.index.tolist() == ["P", "NB"]
    for call in (p.anova, il.glm("count ~ x", data, "poisson").anova):
        with pytest.raises(ArgumentTypeError, match="names must be a list"):
            call(nb if call == p.anova else il.glm("count ~ 1", data, "poisson"), names="ab")
        with pytest.raises(ArgumentError, match="1 entries for 2 models"):
            call(nb if call == p.anova else il.glm("count ~ 1", data, "poisson"), names=["a"])


def test_long_formulas_are_numbered_in_print(data):
    terms = " + ".join(f"I(x**{k})" for k in range(2, 9))
    large = il.lmer(f"y ~ x + {terms} + (1 | g)", data, method="ML")
    table = il.anova(il.lmer("y ~ x + (1 | g)", data, method="ML"), large)
    lines = repr(table).splitlines()
    assert lines[:2] == ["[1] y ~ x + (1 | g)", f"[2] {large.formula}"]
    assert max(map(len, lines[2:])) < 100
    assert table.index.tolist() == ["y ~ x + (1 | g)", large.formula]


def test_other_weights_are_refused(data):
    plain, weighted = (il.lmer("y ~ x + (1 | g)", data, weights=w) for w in (None, "w"))
    with pytest.raises(ArgumentError, match=r"different weights.*only .* is without"):
        il.anova(plain, weighted)
    with pytest.raises(ArgumentError, match="different weights"):
        il.anova(weighted, il.glmer("y ~ x + (1 | g)", data, "gaussian"))
    with pytest.raises(ArgumentError, match="fit both with the same weights"):
        il.anova(weighted, il.lmer("y ~ x + (1 | g)", data, weights=data.w + 1.0))
    same = il.glmer("y ~ 1 + (1 | g)", data, "gaussian", weights="w")
    assert il.anova(weighted, same)["Chi Df"].iloc[1] == 1
    glms = [il.glm("y ~ x", data, "gamma", weights=w) for w in (None, "w")]
    with pytest.raises(ArgumentError, match="different weights"):
        il.anova(*glms)
    ones = il.lmer("y ~ 1 + (1 | g)", data, weights=np.ones(120))
    assert il.anova(plain, ones).shape[0] == 2


def test_other_approximations_are_refused(data):
    formula = "bin ~ x + (1 | g)"
    expected = il.glmer(formula, data, "binomial(cloglog)", laplace="expected")
    observed = il.glmer("bin ~ 1 + (1 | g)", data, "binomial(cloglog)", laplace="observed")
    with pytest.raises(ArgumentError, match=r"laplace='expected' and .*laplace='observed'"):
        il.anova(expected, observed)
    # with a canonical link there is but one
    logit = [
        il.glmer(f, data, "binomial", laplace=kind)
        for f, kind in ((formula, "expected"), ("bin ~ 1 + (1 | g)", "observed"))
    ]
    assert il.anova(*logit)["Chi Df"].iloc[1] == 1
    with pytest.raises(ArgumentError, match="nAGQ"):
        il.anova(expected, il.glmer("bin ~ 1 + (1 | g)", data, "binomial(cloglog)", nAGQ=7))


def test_other_orders_of_rows_are_said(data):
    m = il.lmer("y ~ x + (1 | g)", data)
    other = il.lmer("y ~ 1 + (1 | g)", data.sample(frac=1.0, random_state=1))
    with pytest.raises(ArgumentError, match="in another order"):
        il.anova(m, other)
    with pytest.raises(ArgumentError, match="in another order"):
        il.glm("y ~ x", data).anova(il.glm("y ~ 1", data.iloc[::-1]))
    with pytest.raises(ArgumentError, match="different responses"):
        il.anova(m, il.lmer("log(y) ~ 1 + (1 | g)", data))


def test_categories_and_numbers_are_not_compared():
    wine = il.load_dataset("wine")
    wine["rating"] = wine["rating"].astype(int)
    categories = il.clm("rating ~ temp", wine)
    numbers = il.glm("rating ~ temp + contact", wine)
    for pair in ((categories, numbers), (numbers, categories)):
        with pytest.raises(ArgumentError, match="one has probabilities of ordered categories"):
            il.anova(*pair)


def test_offsets_have_to_be_within_the_larger_model(data):
    plain = il.glmer("count ~ x + (1 | g)", data, "poisson")
    fixed = il.glmer("count ~ 1 + (1 | g)", data, "poisson", offset="x")
    assert il.anova(fixed, plain)["Chi Df"].iloc[1] == 1  # x with a coefficient of one
    other = il.glmer("count ~ 1 + (1 | g)", data, "poisson", offset="z")
    with pytest.raises(ArgumentError, match="different offsets"):
        il.anova(other, plain)
    with pytest.raises(ArgumentError, match="different offsets"):
        il.glm("count ~ x", data, "poisson").anova(il.glm("count ~ 1 + offset(z)", data, "poisson"))


def test_no_test_where_models_are_not_nested(data):
    gamma = il.glmer("y ~ x + (1 | g)", data, il.Gamma("log"))
    table = il.anova(gamma, il.lmer("y ~ 1 + (1 | g)", data, method="ML"))
    assert table["Pr(>Chisq)"].isna().all() and table["Chisq"].isna().all()
    assert "gaussian (identity) is no special case of gamma (log)" in table.attrs["notes"][0]
    assert np.isfinite(table["AIC"]).all()
    logit = il.glmer("bin ~ x + (1 | g)", data, "binomial")
    probit = il.glmer("bin ~ 1 + (1 | g)", data, "binomial(probit)")
    assert il.anova(logit, probit)["Pr(>Chisq)"].isna().all()
    counts = [il.glmer("count ~ x + (1 | g)", data, f) for f in ("poisson", "negativebinomial")]
    assert il.anova(*counts)["Pr(>Chisq)"].iloc[1] < 0.05
    held = il.glmer("count ~ x + (1 | g)", data, il.NegativeBinomial(theta=2.0))
    assert np.isfinite(il.anova(held, counts[1])["Pr(>Chisq)"].iloc[1])


def test_a_larger_model_that_fits_worse_is_no_larger_model(data):
    rng = np.random.default_rng(0)
    d = data.assign(a=rng.normal(size=120), b=rng.normal(size=120))
    good, bad = il.lmer("y ~ x + (1 | g)", d), il.lmer("y ~ a + b + (1 | g)", d)
    table = il.anova(good, bad)
    assert table["Pr(>Chisq)"].isna().all()
    assert "smaller log-likelihood" in table.attrs["notes"][1]
    assert "no test of" in repr(table)


def test_families_without_constants_stand_alone(data):
    own = HandPoisson()
    mine = il.glmer("count ~ x + (1 | g)", data, own)
    with pytest.raises(ArgumentError, match="lack a constant"):
        il.anova(mine, il.glmer("count ~ 1 + (1 | g)", data, "poisson"))
    assert il.anova(mine, il.glmer("count ~ 1 + (1 | g)", data, own))["Chi Df"].iloc[1] == 1


def test_families_of_models_without_random_effects_are_compared_by_likelihood(data):
    class Halved(Poisson):
        def deviance(self, y, mu, weights=1.0, zeta=()):
            return super().deviance(y, mu, 0.5 * weights, zeta)

    m, nb = il.glm("count ~ x", data, "poisson"), il.glm("count ~ x", data, "negativebinomial")
    for table in (m.anova(nb), nb.anova(m, test="LRT")):
        assert table["Chisq"].iloc[1] == pytest.approx(2.0 * (nb.llf - m.llf), abs=1e-6)
        assert table["Chi Df"].iloc[1] == 1 and table["Pr(>Chisq)"].iloc[1] < 0.05
        assert table.index[0] == "count ~ x [poisson (log)]"
    with pytest.raises(ArgumentError, match="test='F' is for glms of one family"):
        m.anova(nb, test="F")
    other = m.anova(il.glm("count ~ 1", data, Halved()))
    assert other["Pr(>Chisq)"].isna().all() and "no special case" in other.attrs["notes"][0]
    pairs = (("count ~ x", 1.0), ("count ~ 1", 2.0))
    held = [il.glm(f, data, il.NegativeBinomial(theta=t)) for f, t in pairs]
    assert held[0].anova(held[1])["Pr(>Chisq)"].isna().all()


def test_as_many_parameters_are_no_test(data):
    a, b = il.lmer("y ~ x + (1 | g)", data), il.lmer("y ~ z + (1 | g)", data)
    table = il.anova(a, b)
    assert np.isnan(table["Chisq"].iloc[1]) and "as many parameters" in table.attrs["notes"][1]


@pytest.mark.parametrize("fit", [il.lmer, il.glm])
def test_a_type_is_for_terms(data, fit):
    m = fit("y ~ x" if fit is il.glm else "y ~ x + (1 | g)", data)
    with pytest.raises(ArgumentError, match="type=3 is for the tests of one model's terms"):
        m.anova(m, type=3)


def test_tests_of_type_three_do_not_depend_on_the_coding(data):
    d = data.assign(f=np.array(list("abc"))[data.g % 3])
    for fit in (il.lmer, lambda *a, **k: il.glmer(*a, "poisson", **k)):
        name = "y" if fit is il.lmer else "count"
        formula = f"{name} ~ f * x + (1 | g)"
        treatment = fit(formula, d).anova(type=3)
        summed = fit(formula, d, contrasts={"f": "sum"}).anova(type=3)
        for column in treatment.columns:
            np.testing.assert_allclose(treatment[column], summed[column], rtol=1e-4)


def test_every_column_is_printed_on_narrow_screens(data):
    table = il.lmer("y ~ x + (1 | g)", data, method="ML").anova(
        il.lmer("y ~ 1 + (1 | g)", data, method="ML")
    )
    with pd.option_context("display.width", 40, "display.max_columns", 0):
        header = repr(table).splitlines()[0]
    assert header.split() == "Df AIC BIC logLik deviance Chisq Chi Df Pr(>Chisq)".split()
    assert "NaN" not in repr(table) and "NaN" not in table._repr_html_()


def test_models_that_differ_in_their_residuals_alone_are_told_apart():
    data = il.load_dataset("Ovary")
    ways = ({}, {"correlation": "ar1(1 | Mare)"}, {"variance": "power(fitted)"})
    fits = [il.fit("follicles ~ Time + (1 | Mare)", data, **way) for way in ways]
    labels = il.anova(*fits, refit=False).index
    assert [label.partition(" [")[2] for label in labels] == [
        "independent residuals]",
        "ar1(1 | Mare)]",
        "power(fitted)]",
    ]
