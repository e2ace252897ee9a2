"""Draws and power from given parameters: of a fit, and of a formula without one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError

SLEEP = il.load_dataset("sleepstudy")
SLOPES = "Reaction ~ Days + (Days | Subject)"
# Parameters go through their scale of the search and back.
ROUNDING = 1e-9


@pytest.fixture(scope="module")
def m():
    return il.fit(SLOPES, SLEEP)


def ways(m):
    """The estimates, in each of the forms that parameters may have."""
    beta, covariances = m.fe_params, m.variance_components
    sd = np.sqrt(np.diag(covariances["Subject"]))
    cor = covariances["Subject"].iloc[0, 1] / sd.prod()
    one_by_one = {
        "(Intercept)": beta["Intercept"], "Days": beta["Days"],
        "sd_(Intercept)|Subject": sd[0], "sd_Days|Subject": sd[1],
        "cor_Days.(Intercept)|Subject": cor, "sigma": m.sigma,
    }  # fmt: skip
    return {
        "lme4": {"beta": beta.to_numpy(), "theta": m.theta.to_numpy(), "sigma": m.sigma},
        "labels": {"beta": beta[::-1], "theta": m.theta[::-1], "sigma": m.sigma},
        "dicts": {"fixef": dict(beta), "theta": dict(m.theta), "sigma": m.sigma},
        "simr": {"fixef": beta, "VarCorr": covariances, "sigma": m.sigma},
        "matrix": {"beta": beta, "VarCorr": {"Subject": covariances["Subject"].to_numpy().tolist()},
                   "sigma": m.sigma},
        "names": one_by_one,
        "series": pd.Series(one_by_one),
    }  # fmt: skip


@pytest.mark.parametrize("way", ["lme4", "labels", "dicts", "simr", "matrix", "names", "series"])
def test_parameters_in_all_their_forms(m, way) -> None:
    own = ways(m)[way]
    expected = m.simulate(3, seed=4)
    np.testing.assert_allclose(m.simulate(3, seed=4, params=own), expected, rtol=ROUNDING)
    np.testing.assert_allclose(il.simulate(m, 3, 4, newparams=own), expected, rtol=ROUNDING)
    # the same without a fit, from rows without a response and in other columns' order
    rows = SLEEP[["Subject", "Days"]]
    for formula in ("~ Days + (Days | Subject)", SLOPES):
        drawn = il.simulate(formula, 3, 4, params=own, data=rows)
        np.testing.assert_allclose(drawn, expected, rtol=ROUNDING)
    assert m.simulate(3, seed=4).equals(expected)  # the fit is as it was


def test_other_parameters_are_those_drawn_from(m) -> None:
    given = {"beta": {"Days": 0.0, "Intercept": 100.0}, "theta": [0.0, 0.0, 0.0], "sigma": 2.0}
    y = m.simulate(200, seed=1, params=given).to_numpy()
    n = y.size
    assert abs(y.mean() - 100.0) < 5.0 * 2.0 / n**0.5
    assert abs(y.std() - 2.0) < 5.0 * 2.0 / (2.0 * n) ** 0.5
    wide = {"beta": [0.0, 0.0], "VarCorr": {"Subject": [[9.0, -3.0], [-3.0, 4.0]]}, "sigma": 1e-6}
    y = m.simulate(4000, seed=1, params=wide).to_numpy().reshape(18, 10, -1)
    intercepts, slopes = y[:, 0].ravel(), (y[:, 1] - y[:, 0]).ravel()
    # standard errors of variances and covariances of normal variables
    k = intercepts.size
    found = np.cov(intercepts, slopes)
    assert found[0, 0] == pytest.approx(9.0, abs=5.0 * 9.0 * (2.0 / k) ** 0.5)
    assert found[1, 1] == pytest.approx(4.0, abs=5.0 * 4.0 * (2.0 / k) ** 0.5)
    assert found[0, 1] == pytest.approx(-3.0, abs=5.0 * ((36.0 + 9.0) / k) ** 0.5)


CBPP = il.load_dataset("cbpp")
FAMILIES = {
    "poisson": ("incidence ~ period + (1 | herd)", "poisson", {}, {}),
    "nbinom2": ("incidence ~ period + (1 | herd)", "nbinom2", {}, {"theta": 3.0}),
    "trials": ("incidence / size ~ period + (1 | herd)", "binomial", {}, {}),
    "cbind": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial", {}, {}),
    "weights": ("p ~ period + (1 | herd)", "binomial", {"weights": "size"}, {}),
    "gamma": ("y ~ period + (1 | herd)", "gamma(log)", {}, {"dispersion": 0.3}),
    "beta": ("u ~ period + (1 | herd)", "beta", {}, {"phi": 8.0}),
    "zeros": ("incidence ~ period + (1 | herd)", "poisson", {"ziformula": "~ 1"}, {}),
}


@pytest.mark.parametrize("kind", FAMILIES)
def test_families_without_a_fit_draw_as_with_one(kind) -> None:
    formula, family, others, own = FAMILIES[kind]
    rng = np.random.default_rng(3)
    data = CBPP.assign(
        p=CBPP["incidence"] / CBPP["size"], y=rng.gamma(3.0, size=56), u=rng.beta(2, 3, size=56)
    )
    m = il.glmer(formula, data, family, **others)
    names = list(m.bootstrap(2, seed=1).frame.columns)
    beta = {"Intercept": -1.0, "period[T.2]": 0.4, "period[T.3]": 0.2, "period[T.4]": 0.0}
    given = {"beta": beta, "VarCorr": {"herd": 0.25}}
    others_of = [n for n in names if n not in beta and not n.startswith("sd_")]
    given |= {name: own.get(name, 0.3) for name in others_of}
    expected = m.simulate(2, seed=5, params=given)
    rows = data.drop(columns=["incidence", "p", "y", "u"])
    drawn = il.simulate(formula, 2, 5, params=given, data=rows, family=family, **others)
    np.testing.assert_allclose(drawn, expected, rtol=ROUNDING)
    lacking = {k: v for k, v in given.items() if k != "VarCorr"}
    with pytest.raises(ArgumentError, match=r"params lacks 'sd_\(Intercept\)\|herd'"):
        il.simulate(formula, 2, params=lacking, data=rows, family=family, **others)


def test_models_without_random_effects_and_ordered_ones() -> None:
    rows = SLEEP[["Days"]]
    drawn = il.simulate("~ Days", 400, 2, params={"beta": [1.0, 2.0], "sigma": 0.5}, data=rows)
    np.testing.assert_allclose(drawn.mean(axis=1), 1.0 + 2.0 * rows["Days"], atol=5 * 0.5 / 20)
    wine = il.load_dataset("wine")
    for m in (il.clm("rating ~ temp", wine), il.clmm("rating ~ temp + (1 | judge)", wine)):
        same = m.simulate(2, seed=1, params={"beta": m.fe_params})
        assert same.equals(m.simulate(2, seed=1))
        up = m.simulate(50, seed=1, params={"beta": [20.0]})[wine["temp"] == "warm"]
        assert (up == "5").all(axis=None)
    # a variable called as the response would be
    renamed = rows.rename(columns={"Days": "response"})
    same = il.simulate("~ response", 2, 2, params={"beta": [1.0, 2.0], "sigma": 0.5}, data=renamed)
    np.testing.assert_allclose(same, drawn.iloc[:, :2], rtol=ROUNDING)
    assert il.glm("Reaction ~ Days", SLEEP).simulate(1, 3, {"sigma": 1e-9}).shape == (180, 1)


@pytest.mark.parametrize(
    "covariance",
    [
        {"correlation": "ar1(Days | Subject)"},
        {"variance": "power(fitted)"},
        {"correlation": "ar1(Days | Subject)", "variance": "~ late"},
    ],
)
def test_covariances_of_residuals_are_kept(covariance) -> None:
    data = SLEEP.assign(late=np.where(SLEEP["Days"] > 4, "b", "a"))
    mixed = il.fit("Reaction ~ Days + (1 | Subject)", data, **covariance)
    plain = il.gls("Reaction ~ Days", data, **covariance)
    for m in (mixed, plain):
        y = m.simulate(2, seed=1)
        own = {"beta": m.fe_params, "sigma": m.sigma}
        np.testing.assert_allclose(m.simulate(2, seed=1, params=own), y, rtol=ROUNDING)
        flat = m.simulate(2, seed=1, params={"Days": 0.0})
        slope = (m.fe_params["Days"] * data["Days"]).to_numpy()[:, None]
        np.testing.assert_allclose(y - flat, slope + 0.0 * y, atol=1e-8 * y.to_numpy().max())
        name = next(n for n in m.bootstrap(2, seed=1).frame if n not in ("Intercept", "Days")
                    and not n.startswith("sd_") and n != "sigma")  # fmt: skip
        with pytest.raises(ArgumentError, match="is kept as it was estimated"):
            m.simulate(params={name: 0.1})
    mean = plain.predict().to_numpy()[:, None]
    twice = plain.simulate(2, seed=1, params={"sigma": 2.0 * plain.sigma})
    np.testing.assert_allclose(twice - mean, 2.0 * (plain.simulate(2, seed=1) - mean), rtol=1e-6)
    wide = mixed.simulate(2, seed=1, params={"VarCorr": mixed.variance_components})
    np.testing.assert_allclose(wide, mixed.simulate(2, seed=1), rtol=ROUNDING)


def test_power_of_a_plan(m) -> None:
    given = ways(m)["simr"] | {"fixef": {"Intercept": 250.0, "Days": 5.0}}
    rows = SLEEP[["Subject", "Days"]]
    plan = il.power(SLOPES, "Days", 100, data=rows, params=given, seed=1)
    fitted = il.power(m, "Days", 100, params=given, seed=1)
    # draws are the same, searches begin elsewhere
    assert plan.truth == fitted.truth == 5.0
    assert abs(plan.power - fitted.power) <= 0.02
    sizes = il.power(SLOPES, "Days", 60, data=rows, params=given, along="Subject", sizes=[4, 30])
    assert sizes.frame["power"].is_monotonic_increasing
    counts = il.power(
        "~ x + (1 | g)", "x", 60, seed=1, family="poisson",
        data={"x": [0.0, 1.0] * 30, "g": np.repeat(np.arange(10), 6)},
        params={"beta": [1.0, 1.0], "theta": 0.3},
    )  # fmt: skip
    assert counts.power > 0.9


BETA = {"beta": [250.0, 5.0]}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"beta": [1.0]}, r"must have 2 numbers, for 'Intercept', 'Days'"),
        ({"beta": {"days": 1.0}}, r"'days', which is none of .* Did you mean 'Days'"),
        ({"beta": {"Days": "x"}}, "must be a number"),
        ({"theta": [1.0]}, r"params\['theta'\] must have 3 numbers"),
        ({"theta": {"Subject.Days": 1.0}}, "lacks 'Subject.Intercept'"),
        ({"theta": [-1.0, 0.0, 1.0]}, "must not be below 0"),
        ({"theta": [1.0, 0.0, 1.0], "sd_Days|Subject": 1.0}, "part of it: drop one"),
        ({"beta": [1.0, 2.0], "Days": 1.0}, "'Days' twice"),
        ({"VarCorr": {"Subject": 4.0}}, "must be a covariance matrix of Intercept, Days"),
        ({"VarCorr": {"Subject": [[1.0, 2.0], [2.0, 1.0]]}}, "must be a covariance matrix"),
        ({"VarCorr": {"Subject": [1.0, 2.0]}}, "2 rows of 2 numbers, variances on the diagonal"),
        ({"VarCorr": {"Subject": [["a", 0], [0, 1]]}}, "must be a covariance matrix of Intercept"),
        ({"VarCorr": {"Subject": [[1.0, 0.0], [1.0]]}}, "must be a covariance matrix of Intercept"),
        ({"VarCorr": {"Subject": [[1.0, 3.0], [3.0, 2.0]]}}, "covariances, which are too large"),
        ({"VarCorr": {"Subject": [[1.0, 0.1], [0.2, 1.0]]}}, "which is not symmetric"),
        ({"VarCorr": {"Subject": [[-1.0, 0], [0, 1.0]]}}, "which has a variance below zero"),
        ({"VarCorr": {"Subject": [[np.inf, 0], [0, 1]]}}, "a value that is not finite"),
        ({"varcorr": {"Subject": 4.0}}, "no parameter of the model. Did you mean 'VarCorr'"),
        ({"VarCorr": {"Subj": 4.0}}, "Did you mean 'Subject'"),
        ({"VarCorr": 4.0}, "must be a dict of grouping factors"),
        ({"sigma": -1.0}, "must be positive"),
        ([1.0, 2.0], "must be a dict of parameters"),
    ],
)
def test_what_are_no_parameters(m, params, said) -> None:
    with pytest.raises(ArgumentError, match=said):
        m.simulate(params=params)


def test_what_cannot_be_asked(m) -> None:
    with pytest.raises(ArgumentError, match="belong to the estimates"):
        m.simulate(use_u=True, params=BETA)
    with pytest.raises(ArgumentError, match="both given"):
        il.simulate(m, params=BETA, newparams=BETA)
    with pytest.raises(ArgumentError, match="takes data=, weights= with a formula"):
        il.simulate(m, data=SLEEP, weights="Days")
    with pytest.raises(ArgumentError, match="needs data="):
        il.simulate(SLOPES, data=SLEEP)
    with pytest.raises(ArgumentTypeError, match="a fitted model or a formula"):
        il.power(3, "Days")
    for wrong in ({"betas": [1.0, 2.0]}, {"beta": [1.0, 2.0], "fixeff": 1.0}):
        with pytest.raises(ArgumentError, match="which is no parameter of the model. Did you mean"):
            il.simulate(SLOPES, data=SLEEP, params=wrong)
    with pytest.raises(ArgumentError, match=r"params lacks 'sd_\(Intercept\)\|Subject'"):
        il.power(SLOPES, "Days", data=SLEEP, params=BETA)
    with pytest.raises(ArgumentError, match="newparams=; write params="):
        m.simulate(newparams=BETA)
    with pytest.raises(ArgumentError, match="functions of their own"):
        il.simulate("~ Days", params=BETA, data=SLEEP, family="ordinal")
