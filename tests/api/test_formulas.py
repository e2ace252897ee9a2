"""Formulas of dispersion and zeros from the call to the fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError, DataWarning, FormulaError

FORMULA = "y ~ x + (1 | g)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 800
    frame = pd.DataFrame({"x": rng.normal(size=n), "f": rng.choice(list("ab"), n)})
    frame["g"] = rng.permutation(np.arange(n) % 40)
    effects = 0.5 * rng.normal(size=40)
    zero = rng.random(n) < 1.0 / (1.0 + np.exp(0.5 - 1.2 * (frame.f == "b")))
    mu = np.exp(1.0 + 0.5 * frame.x + effects[frame.g])
    counts = rng.negative_binomial(2.0, 2.0 / (2.0 + mu))
    frame["y"] = np.where(zero, 0, counts)
    return frame


def test_predictors_and_parameters_of_a_fit(data):
    m = il.glmer(FORMULA, data, "nbinom2", dispformula="~ f", ziformula="~ f + (1 | g)")
    design = m.fit.design
    assert list(design.predictors) == ["mean", "dispersion", "zi"]
    assert design.predictors["zi"].names == ("Intercept", "f[T.b]")
    assert design.factors[0].predictor.tolist() == [0, 2]
    assert m.theta.index.tolist() == ["g.Intercept", "zi.g.Intercept"]
    assert list(m.fe_params.index) == ["Intercept", "x"]


def test_one_number_is_the_model_without_the_formula(data):
    plain = il.glmer(FORMULA, data, il.NegativeBinomial2Family())
    assert il.glmer(FORMULA, data, "nbinom2", dispformula="~ 1", ziformula="~ 0").llf == plain.llf
    more = il.glmer(FORMULA, data, "poisson", ziformula="~ 1")
    same = il.glmer(FORMULA, data, il.families.ZeroInflated(il.Poisson()))
    assert more.llf == same.llf > il.glmer(FORMULA, data, "poisson").llf


def test_a_dot_is_the_formula_of_the_mean_and_update_changes_the_others(data):
    m = il.glmer(FORMULA, data, "poisson", ziformula="~ . - (1 | g)")
    assert m.fit.design.predictors["zi"].names == ("Intercept", "x")
    other = il.update(m, ziformula="~ f")
    assert other.fit.design.predictors["zi"].names == ("Intercept", "f[T.b]")
    assert list(il.update(m, ". ~ . + f").fit.design.predictors["zi"].names) == [
        *("Intercept", "x", "f[T.b]")
    ]
    assert list(il.update(m, ziformula=None).fit.design.predictors) == ["mean"]


def test_missing_values_of_other_formulas_drop_rows(data):
    holed = data.assign(f=data.f.where(data.index != 7))
    with pytest.warns(DataWarning, match="dropped 1 row.* f .1."):
        m = il.glmer(FORMULA, holed, "poisson", ziformula="~ f")
    assert m.nobs == 799


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"ziformula": "y ~ x"}, FormulaError, "ziformula has a response"),
        ({"ziformula": 3}, ArgumentTypeError, "ziformula must be a string"),
        ({"dispformula": "~ x"}, ArgumentError, "'poisson' does not estimate"),
        ({"ziformula": "~ 1", "nAGQ": 3}, ArgumentError, "this one has mean, zi"),
        ({"ziformula": "~ x", "laplace": "expected"}, ArgumentError, "this one has mean, zi"),
    ],
)
def test_what_is_refused(arguments, error, words, data):
    with pytest.raises(error, match=words):
        il.glmer(FORMULA, data, "poisson", **arguments)


def test_a_linear_model_has_a_formula_of_its_variance(data):
    with pytest.raises(FormulaError, match="dispformula has a response"):
        il.fit(FORMULA, data, dispformula="y ~ x")
    assert il.fit(FORMULA, data, dispformula="~ 1").llf == il.fit(FORMULA, data).llf
    m = il.glmer(FORMULA, data, "gaussian", dispformula="~ x")
    assert list(m.fit.design.predictors) == ["mean", "dispersion"]
    same = il.fit(FORMULA, data, dispformula="~ x", method="ML")
    assert same.llf == pytest.approx(m.llf, abs=1e-9)


def test_nodes_other_than_one_are_refused_with_several_predictors():
    data = il.load_dataset("Salamanders")
    for nodes in (0, 5):
        with pytest.raises(ArgumentError, match=f"nAGQ={nodes} is for models of one linear"):
            il.glmer("count ~ mined + (1 | site)", data, "nbinom1", nAGQ=nodes)
