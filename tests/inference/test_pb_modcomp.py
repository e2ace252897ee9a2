"""Comparison by simulation: pbkrtest's formulas, its distributions, and models of every kind."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.r_references import R_PARITY, frame_of
from scipy import stats

import interlace as il
from interlace.errors import ArgumentError
from interlace.inference.resampling.comparison import five_tests

REFERENCES = json.loads(
    (R_PARITY / "references" / "simulated_tests.json").read_text(encoding="utf-8")
)
DATA = {"sleepstudy": "sleepstudy", "slope": "sleepstudy", "cake": "cake"}


@pytest.mark.parametrize("name", DATA)
def test_tests_are_those_of_pbkrtest(name):
    case = REFERENCES[name]
    draws = np.array(case["ref"], dtype=float)
    # pbkrtest leaves out what is not positive
    table = five_tests(case["lrt"], case["df"], draws[draws > 0.0])
    assert table.index.tolist() == case["rows"]
    for column, key in (("stat", "stat"), ("df", "df_test"), ("ddf", "ddf"), ("p_value", "p")):
        expected = np.array(case[key], dtype=float)
        np.testing.assert_allclose(table[column], expected, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("name", DATA)
def test_draws_are_distributed_as_those_of_pbkrtest(name):
    case = REFERENCES[name]
    frame = frame_of(DATA[name])
    large, small = il.fit(case["large"], frame), il.fit(case["small"], frame)
    told = il.pb_modcomp(large, small, nsim=600, seed=3)
    assert told.table.loc["LRT", "stat"] == pytest.approx(case["lrt"], rel=1e-4)
    ref = np.array(case["ref"], dtype=float)
    if name == "slope":  # half are zero, but for rounding
        assert abs((told.reference < 1e-6).mean() - (ref < 1e-3).mean()) < 0.12
    far = [x[x > 1e-2] for x in (told.reference, ref)]
    assert stats.ks_2samp(*far).pvalue > 1e-3


def test_models_of_every_kind_and_formulas():
    cbpp = il.load_dataset("cbpp")
    formula = "incidence / size ~ period + (1 | herd)"
    large = il.glmer(formula, cbpp, "binomial", weights="size")
    small = il.update(large, ". ~ . - period")
    told = il.pb_modcomp(large, small, nsim=30, seed=1)
    assert told.p_value == pytest.approx(1.0 / 31.0)
    same = il.pb_modcomp(large, ". ~ . - period", nsim=30, seed=1, workers=2)
    np.testing.assert_array_equal(told.reference, same.reference)
    fixed = il.glm("incidence / size ~ period", cbpp, "binomial", weights="size")
    assert il.pb_modcomp(large, fixed, nsim=30, seed=1).p_value < 0.1
    poisson = il.glm("count ~ mined + cover", il.load_dataset("Salamanders"), "poisson")
    assert il.pb_modcomp(poisson, ". ~ . - cover", nsim=30, seed=1).table.notna().any().all()
    text = repr(told)
    assert "30 responses drawn from the small" in text and "PBtest" in text
    assert "<table>" in told._repr_html_()


def test_p_values_are_uniform_under_the_smaller_model():
    """Of few groups, where chi-squared is too small."""
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(6), 4)
    frame = {"g": g, "x": (g % 2).astype(float)}
    p, naive = [], []
    for i in range(60):
        frame["y"] = rng.normal(size=6)[g] + rng.normal(size=24)
        m = il.fit("y ~ x + (1 | g)", frame)
        told = il.pb_modcomp(m, ". ~ . - x", nsim=39, seed=i)
        p.append(told.p_value)
        naive.append(told.table.loc["LRT", "p_value"])
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    assert np.mean(naive) < np.mean(p)


def test_refusals():
    sleep = il.load_dataset("sleepstudy")
    large = il.fit("Reaction ~ Days + (Days | Subject)", sleep)
    small = il.fit("Reaction ~ Days + (1 | Subject)", sleep)
    with pytest.raises(ArgumentError, match="swap them"):
        il.pb_modcomp(small, large)
    with pytest.raises(ArgumentError, match="the same number of parameters"):
        il.pb_modcomp(large, large)
    with pytest.raises(ArgumentError, match="nsim must be"):
        il.pb_modcomp(large, small, nsim=0)
    with pytest.raises(ArgumentError, match="takes a fitted model"):
        il.pb_modcomp(large, 3)
