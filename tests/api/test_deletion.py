"""Tests of single terms by fits without them."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY, frame_of
from scipy.stats import chi2

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError

CASES = json.loads((R_PARITY / "references" / "deletions.json").read_text(encoding="utf-8"))
del CASES["versions"]
# As in test_lmm: criteria agree to 1e-6.
CRITERION = 1e-6


@pytest.mark.parametrize("name", sorted(CASES))
def test_ranova(name):
    case = CASES[name]
    frame = frame_of(case["data"])
    frame = frame[frame[case["formula"].split(" ~ ")[0]].notna()]
    table = il.ranova(il.fit(case["formula"], frame))
    assert sorted(table["npar"]) == sorted(case["npar"])
    np.testing.assert_allclose(np.sort(table["logLik"]), np.sort(case["log_lik"]), atol=CRITERION)
    assert table.index[0] == "<none>"
    lrt = 2.0 * (table["logLik"].iloc[0] - table["logLik"].iloc[1:])
    np.testing.assert_allclose(table["LRT"].iloc[1:], np.maximum(lrt, 0.0), atol=1e-12)
    np.testing.assert_allclose(
        table["Pr(>Chisq)"].iloc[1:], chi2.sf(table["LRT"].iloc[1:], table["Df"].iloc[1:])
    )
    labels = {label.replace(" ", "") for label in case["labels"]}
    assert {label.replace(" ", "") for label in table.index} == labels


def test_variances_are_on_their_boundary():
    table = il.ranova(il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff")))
    assert table["Pr(boundary)"].iloc[1] == pytest.approx(0.5 * table["Pr(>Chisq)"].iloc[1])
    none = il.ranova(il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff2")))
    assert none["LRT"].iloc[1] == 0.0 and none["Pr(boundary)"].iloc[1] == 1.0


def test_whole_terms():
    m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    table = il.ranova(m, reduce_terms=False)
    assert table.index.tolist() == ["<none>", "(Days | Subject)"]
    assert table["Df"].iloc[1] == 3 and np.isnan(table["Pr(boundary)"].iloc[1])


def test_terms_given_as_arguments_and_offsets_stay():
    d = il.load_dataset("sleepstudy")
    m = il.fit("Reaction ~ Days + offset(0.1 * Days)", d, random=["(1 + Days | Subject)"])
    plain = il.fit("Reaction ~ Days + (1 + Days | Subject)", d)
    np.testing.assert_allclose(il.ranova(m)["LRT"], il.ranova(plain)["LRT"], atol=1e-7)


def test_drop1_is_the_comparison_of_models():
    d = il.load_dataset("Orthodont")
    m = il.fit("distance ~ age * Sex + (age | Subject)", d)
    table = il.drop1(m)
    assert table.index.tolist() == ["<none>", "age:Sex"]  # what others contain stays
    smaller = il.update(m, ". ~ . - age:Sex")
    other = il.anova(smaller, m)
    assert table["LRT"].iloc[1] == pytest.approx(other["Chisq"].iloc[1], rel=1e-6)
    assert table["Pr(Chi)"].iloc[1] == pytest.approx(other["Pr(>Chisq)"].iloc[1], rel=1e-6)
    F = il.drop1(m, test="F")
    assert F["F value"].item() == pytest.approx(m.anova()["F value"].iloc[-1])
    assert F["DenDF"].item() == pytest.approx(m.anova()["DenDF"].iloc[-1])


def test_drop1_of_generalised_models():
    c = il.load_dataset("cbpp")
    m = il.glmer("incidence / size ~ period + (1 | herd)", c, "binomial", weights=c["size"])
    table = il.drop1(m)
    smaller = il.update(m, ". ~ . - period")
    assert table["LRT"].iloc[1] == pytest.approx(2.0 * (m.llf - smaller.llf))
    assert table["npar"].iloc[1] == 3
    s = il.load_dataset("Salamanders")
    g = il.glm("count ~ mined + spp", s, "poisson")
    assert il.drop1(g).index.tolist() == ["<none>", "mined", "spp"]


def test_what_is_refused():
    d = pd.DataFrame(il.load_dataset("sleepstudy"))
    m = il.fit("Reaction ~ Days + (Days | Subject)", d)
    with pytest.raises(ArgumentTypeError, match="drop1 takes a fitted model"):
        il.drop1("Reaction ~ Days")
    with pytest.raises(ArgumentError, match="which this result does not hold"):
        il.ranova(m.refit(d["Reaction"] + 1.0))
    c = il.load_dataset("cbpp")
    g = il.glmer("incidence / size ~ period + (1 | herd)", c, "binomial", weights=c["size"])
    with pytest.raises(ArgumentTypeError, match="ranova is for models with random effects"):
        il.ranova(il.glm("Reaction ~ Days", d))
    with pytest.raises(ArgumentError, match="test='F' is for linear models"):
        il.drop1(g, test="F")


@pytest.mark.filterwarnings("ignore:dropped .* row:interlace.DataWarning")
@pytest.mark.parametrize("action", ["omit", "exclude"])
def test_rows_without_values_of_what_is_left_out_stay_out(action):
    d = pd.DataFrame(il.load_dataset("sleepstudy"))
    n = np.arange(len(d))
    d["z"] = np.where(n < 5, np.nan, np.sin(n))
    d["h"] = (n % 7).astype(object)
    d.loc[d.index[[50, 60]], "h"] = None
    formula, weights = "Reaction ~ Days + z + (Days | Subject) + (1 | h)", 1.0 + n % 3
    m = il.fit(formula, d, weights=weights, subset="Days < 9", na_action=action)
    used = (d["Days"] < 9) & d["z"].notna() & d["h"].notna()
    own = il.fit(formula, d[used], weights=weights[used])
    assert m.nobs == own.nobs == used.sum()
    pd.testing.assert_frame_equal(il.drop1(m), il.drop1(own), rtol=1e-6)
    pd.testing.assert_frame_equal(il.ranova(m), il.ranova(own), rtol=1e-6)
    g = il.glm("Reaction ~ Days + z", d, na_action=action)
    whole = il.glm("Reaction ~ Days + z", d[d["z"].notna()])
    pd.testing.assert_frame_equal(il.drop1(g), il.drop1(whole), rtol=1e-9)
