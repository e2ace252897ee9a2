"""Profile likelihoods: coordinates, constrained fits by brute force, limits, their ends."""

import pickle
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq, minimize

import interlace as il
from interlace.errors import ArgumentError, InterlaceWarning
from interlace.inference.profile.likelihood import likelihood_of
from interlace.inference.profile.parameters import parameters_of
from interlace.inference.profile.profile import search_of
from interlace.inference.profile.search import ANCHOR
from interlace.inference.profile.target import coordinates_of, scale_of, values_at

SLEEP = "Reaction ~ Days + (Days | Subject)"
MODELS = {
    "linear": ("fit", "sleepstudy", SLEEP, {}),
    "three": ("fit", "Machines", "score ~ Machine + (0 + Machine | Worker)", {}),
    "crossed": ("fit", "Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", {}),
    "binomial": (
        "glmer", "Contraception", "use ~ age + urban + (1 + urban | district)",
        {"family": "binomial"},
    ),
    "several": (
        "glmer", "Salamanders", "count ~ mined + (1 | site)",
        {"family": "nbinom2", "ziformula": "~ mined"},
    ),
    "negative binomial": (
        "glmer", "Salamanders", "count ~ mined + (1 | site)", {"family": "nbinom2"},
    ),
    "glm": ("glm", "Salamanders", "count ~ mined + cover", {"family": "poisson"}),
    "glm nb": ("glm", "Salamanders", "count ~ mined", {"family": "nbinom2"}),
    "glm gamma": ("glm", "Dyestuff", "Yield ~ Batch", {"family": "Gamma(log)"}),
    "glm zi": (
        "glm", "Salamanders", "count ~ mined", {"family": "poisson", "ziformula": "~ mined"},
    ),
}  # fmt: skip


@cache
def fitted(name):
    door, data, formula, given = MODELS[name]
    return getattr(il, door)(formula, il.load_dataset(data), **given)


every_model = pytest.mark.parametrize("name", MODELS)


@every_model
def test_gradients_of_explicit_likelihoods_are_those_of_their_values(name):
    likelihood = likelihood_of(fitted(name).fit)
    se = np.sqrt(2.0 / np.diagonal(likelihood.curvature))
    y = likelihood.y + 0.3 * se * np.cos(np.arange(likelihood.y.size))
    gradient = likelihood.evaluate(y).gradient
    for i, step in enumerate(1e-4 * se):
        move = np.eye(y.size)[i] * step
        up, down = likelihood.evaluate(y + move, 0).value, likelihood.evaluate(y - move, 0).value
        assert (up - down) / (2.0 * step) * se[i] == pytest.approx(gradient[i] * se[i], abs=2e-5)


@every_model
def test_coordinates_are_those_of_the_parameter(name):
    m = fitted(name)
    likelihood, parameters = likelihood_of(m.fit), parameters_of(m.fit)
    rng = np.random.default_rng(1)
    for k, parameter in enumerate(parameters):
        coordinates, scale = coordinates_of(likelihood, parameter), scale_of(likelihood, parameter)
        np.testing.assert_allclose(coordinates.y(coordinates.start), likelihood.y, atol=1e-9)
        phi = coordinates.start + 0.1 * rng.normal(size=coordinates.start.size)
        value = values_at(likelihood, parameters, coordinates.y(phi))[k]
        assert value == pytest.approx(float(scale.value(phi[0])), rel=1e-9)
        assert float(scale.coordinate(value)) == pytest.approx(phi[0], rel=1e-8)
        J, h = coordinates.jacobian(phi), 1e-6
        for i in range(phi.size):
            move = h * np.eye(phi.size)[i]
            slope = (coordinates.y(phi + move) - coordinates.y(phi - move)) / (2.0 * h)
            np.testing.assert_allclose(J[:, i], slope, rtol=1e-6, atol=1e-7)
        slope = (scale.value(phi[0] + h) - scale.value(phi[0] - h)) / (2.0 * h)
        assert float(scale.slope(phi[0])) == pytest.approx(float(slope), rel=1e-5)


def fall_of(rest, search, at):
    e = search.evaluate(np.append(at, rest))
    return e.value - search.likelihood.value, e.gradient[1:]


@every_model
def test_limits_are_where_a_minimum_over_the_others_is_at_the_quantile(name):
    m = fitted(name)
    likelihood, parameters = likelihood_of(m.fit), parameters_of(m.fit)
    limits = m.confint(r_names=False).to_numpy()
    assert np.isinf(limits).sum() == (name == "several")  # of zeros: level where there are none
    for parameter, pair in zip(parameters, limits):
        search = search_of(likelihood, parameter)
        scale = scale_of(likelihood, parameter)
        for value in pair[np.isfinite(pair)]:
            point = search.fit(float(scale.coordinate(value)), search.first)
            at = (float(scale.coordinate(value)) - search.here) / search.unit[0, 0]
            lowest = minimize(fall_of, point.w[1:] + 0.1, (search, at), jac=True, method="BFGS").fun
            assert np.sqrt(lowest) == pytest.approx(ANCHOR, abs=2e-5)


def test_the_likelihood_of_a_linear_model_by_dense_algebra(dataset):
    m = il.fit(SLEEP, dataset("sleepstudy"))
    d, days = dataset("sleepstudy"), dataset("sleepstudy")["Days"].to_numpy()
    same = d["Subject"].to_numpy()[:, None] == d["Subject"].to_numpy()

    def minus(values, beta=None):
        s1, angle, s2, log_sigma = values
        cov = np.sin(angle) * s1 * s2
        V = same * (s1**2 + cov * (days[:, None] + days) + s2**2 * np.outer(days, days))
        V = V + np.exp(2.0 * log_sigma) * np.eye(len(d))
        X = np.column_stack([np.ones(len(d)), days])
        y, W = d["Reaction"].to_numpy(), np.linalg.inv(V)
        b = np.linalg.solve(X.T @ W @ X, X.T @ W @ y)
        if beta is not None:
            y, X = y - beta * days, X[:, :1]
            b = np.linalg.solve(X.T @ W @ X, X.T @ W @ y)
        r = y - X @ b
        return np.linalg.slogdet(V)[1] + r @ W @ r + len(d) * np.log(2.0 * np.pi)

    start = np.array([23.8, 0.08, 5.7, 3.2])
    options = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000}
    best = minimize(minus, start, method="Nelder-Mead", options=options)
    sd, slope = m.confint([".sig03", "Days"])["upper"]

    def held(x, v):
        return minus([x[0], x[1], v, x[2]])

    fall = minimize(held, start[[0, 1, 3]], (sd,), method="Nelder-Mead", options=options).fun
    assert np.sqrt(fall - best.fun) == pytest.approx(ANCHOR, abs=1e-5)
    fall = minimize(minus, start, (slope,), method="Nelder-Mead", options=options).fun
    assert np.sqrt(fall - best.fun) == pytest.approx(ANCHOR, abs=1e-5)


@every_model
def test_a_profile_gives_the_limits_of_fits_at_the_limits(name):
    m = fitted(name)
    p, limits = m.profile(), m.confint(r_names=False)
    width = (limits["upper"] - limits["lower"]).to_numpy()[:, None]
    width = np.where(np.isfinite(width), width, 1.0)
    assert np.array_equal(np.isinf(p.conf_int()), np.isinf(limits))
    assert np.nanmax(np.abs((p.conf_int() - limits).to_numpy() / width)) < 2e-5
    assert p.conf_int(r_names=True).index.equals(m.confint().index)
    narrow = m.confint(level=0.8, r_names=False)
    assert np.nanmax(np.abs((p.conf_int(0.8) - narrow).to_numpy() / width)) < 2e-4
    np.testing.assert_allclose(p.estimates, values_of(m), rtol=1e-6, atol=1e-8)


def values_of(m):
    likelihood = likelihood_of(m.fit)
    return values_at(likelihood, parameters_of(m.fit), likelihood.y)


@every_model
def test_the_frame_the_splines_and_the_densities_agree(name):
    p = fitted(name).profile()
    frame = p.frame()
    for own, block in frame.groupby("parameter"):
        np.testing.assert_allclose(block["value"], block[own], rtol=1e-7, atol=1e-9)
        inside = block.iloc[1:-1]
        np.testing.assert_allclose(p.zeta(own, inside["value"]), inside["zeta"], atol=1e-6)
        rises = np.diff(block["zeta"]) > 1e-3  # where it is level it is that of many values
        inside = inside[rises[1:] & rises[:-1]]
        back = p.value(own, inside["zeta"])
        scale = np.ptp(block["value"])
        np.testing.assert_allclose(back / scale, inside["value"] / scale, atol=1e-5)
        density = p.density(own, 4001)
        area = np.trapezoid(density["density"], density["value"])
        ends = np.sort(p._trace(own).zeta[[0, -1]])
        from scipy.special import ndtr

        assert area == pytest.approx(ndtr(ends[1]) - ndtr(ends[0]), abs=2e-3)
        curve = p.curves(own, 11)
        assert len(curve) == 11 and curve["value"].is_monotonic_increasing


def test_reml_fits_have_the_profiles_of_maximum_likelihood(fit_cache):
    reml, ml = fit_cache("sleepstudy", SLEEP), fit_cache("sleepstudy", SLEEP, method="ML")
    np.testing.assert_allclose(reml.confint(), ml.confint(), rtol=1e-6)
    assert reml.profile("sigma").estimates["sigma"] == pytest.approx(ml.sigma, rel=1e-7)
    by_name = reml.conf_int(method="profile")
    np.testing.assert_array_equal(by_name, reml.confint())
    assert by_name.index[0] == "sd_(Intercept)|Subject" and by_name.index[-1] == "Days"


def test_names_and_groups_of_names(fit_cache):
    m = fit_cache("sleepstudy", SLEEP)
    rows = [".sig01", ".sig02", ".sig03", ".sigma", "(Intercept)", "Days"]
    assert m.confint(method="Wald").index.tolist() == rows
    assert m.confint("theta_", method="Wald").index.tolist() == rows[:4]
    assert m.confint("beta_", method="Wald").index.tolist() == rows[4:]
    assert m.confint(["Days", "sigma"], method="Wald").index.tolist() == ["Days", ".sigma"]
    with pytest.raises(ArgumentError, match="R counts from 1"):
        m.confint(-1, method="Wald")
    names = m.confint(method="Wald", r_names=False).index.tolist()
    assert names[:4] == [
        "sd_(Intercept)|Subject", "cor_Days.(Intercept)|Subject", "sd_Days|Subject", "sigma",
    ]  # fmt: skip
    assert m.confint(names[1], method="Wald").index.tolist() == [".sig02"]
    for wrong in ("Dyas", 6, 1.5, True, None.__class__):
        with pytest.raises(Exception, match="parm"):
            m.confint(wrong)
    apart = fit_cache("sleepstudy", "Reaction ~ Days + (Days || Subject)")
    names = apart.confint("theta_", method="Wald", r_names=False).index.tolist()
    assert names == ["sd_(Intercept)|Subject", "sd_Days|Subject.1", "sigma"]


def test_wald_intervals_of_variances_are_made_on_scales_without_ends(fit_cache):
    m = fit_cache("sleepstudy", SLEEP)
    wald = m.conf_int(parm=["sd_Days|Subject", "cor_Days.(Intercept)|Subject", "sigma", "Days"])
    sd, cor, sigma = wald.to_numpy()[:3]
    d = il.load_dataset("sleepstudy")
    estimate = m.VarCorr().set_index(["term1", "term2"])["sd_or_corr"]
    assert np.sqrt(sd.prod()) == pytest.approx(m.VarCorr()["sd_or_corr"].iloc[1], rel=1e-7)
    assert np.tanh(np.arctanh(cor).mean()) == pytest.approx(m.VarCorr()["sd_or_corr"].iloc[2])
    assert np.sqrt(sigma.prod()) == pytest.approx(m.sigma, rel=1e-9)
    assert len(estimate) == 4 and len(d) == 180
    np.testing.assert_array_equal(wald.loc["Days"], m.conf_int().loc["Days"])
    # the standard error of log sigma from differences of the restricted likelihood
    from interlace.inference.satterthwaite import variance_derivatives

    half = ANCHOR * np.sqrt(variance_derivatives(m.fit).A[-1, -1]) / m.sigma
    assert np.log(sigma[1] / sigma[0]) / 2.0 == pytest.approx(half, rel=1e-6)


def test_a_standard_deviation_of_zero_is_a_bound(fit_cache):
    m = fit_cache("Pastes", "strength ~ 1 + (1 | batch/cask)")
    limits = m.confint("theta_", r_names=False)
    assert limits.loc["sd_(Intercept)|batch", "lower"] == 0.0
    assert "lower limit is at a bound of sd_(Intercept)|batch, 0" in limits.attrs["notes"][0]
    p = m.profile("theta_")
    assert p.conf_int().loc["sd_(Intercept)|batch", "lower"] == 0.0
    without = il.fit("strength ~ 1 + (1 | batch:cask)", il.load_dataset("Pastes"), method="ML")
    ml = il.fit("strength ~ 1 + (1 | batch/cask)", il.load_dataset("Pastes"), method="ML")
    zeta = p.zeta("sd_(Intercept)|batch", 0.0)
    assert zeta == pytest.approx(-np.sqrt(2.0 * (ml.llf - without.llf)), abs=1e-5)
    assert "is at a bound" in repr(p) and "<table>" in p._repr_html_()


def test_a_singular_fit_leaves_the_boundary_where_that_is_better(fit_cache):
    m = fit_cache("Dyestuff2", "Yield ~ 1 + (1 | Batch)")
    d = il.load_dataset("Dyestuff2")
    limits = m.confint()
    assert limits.loc[".sig01", "lower"] == 0.0
    best = il.fit("Yield ~ 1 + (1 | Batch)", d, method="ML").llf

    def fall(v):
        held = il.fit("Yield ~ 0 + (1 | Batch)", d.assign(Yield=d["Yield"] - v), method="ML")
        return 2.0 * (best - held.llf) - ANCHOR**2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = brentq(fall, 6.0, 8.0, xtol=1e-10)
    width = limits.loc["(Intercept)"] @ [-1.0, 1.0]
    assert abs(limits.loc["(Intercept)", "upper"] - root) < 1e-5 * width
    assert abs(m.profile().conf_int().loc["Intercept", "upper"] - root) < 2e-5 * width


def test_walds_interval_of_a_perfect_correlation_has_neither_end():
    rng = np.random.default_rng(5)
    d = pd.DataFrame({"g": np.repeat(np.arange(12), 8), "x": np.tile(np.arange(8.0), 12)})
    slopes = np.repeat(rng.normal(size=12), 8)
    d["y"] = slopes * (1.0 + d["x"]) + rng.normal(size=96)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        m = il.fit("y ~ x + (x | g)", d)
        wald = m.confint("theta_", method="Wald")
    assert m.VarCorr()["sd_or_corr"][2] > 1.0 - 1e-6
    assert wald.loc[".sig02"].isna().all()
    assert wald.loc[[".sig01", ".sig03"]].notna().all(axis=None)


def test_correlations_with_an_effect_of_no_variance_are_not_determined():
    rng = np.random.default_rng(5)
    d = pd.DataFrame({"g": np.repeat(np.arange(12), 8), "x": np.tile(np.arange(8.0), 12)})
    d["y"] = np.repeat(rng.normal(size=12), 8) + rng.normal(size=96) * (1.0 + 0.0 * d["x"])
    slopes = np.repeat(0.3 * rng.normal(size=12), 8)
    d["z"] = slopes * d["x"] + rng.normal(size=96)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for y in ("y", "z"):
            m = il.fit(f"{y} ~ x + (x | g)", d)
            limits = m.confint("theta_")
            assert (limits["lower"] <= limits["upper"]).all() and limits.notna().all(axis=None)
            p = m.profile("theta_").conf_int(r_names=True)
            inside = np.abs(limits.loc[".sig02"]) < 1.0
            difference = np.abs(p.loc[".sig02"] - limits.loc[".sig02"])
            assert (difference[inside] < 1e-4).all() and (difference[~inside] == 0.0).all()


def test_limits_without_end():
    x, y = np.repeat([0.0, 1.0], 10), np.r_[np.tile([0, 1], 5), np.ones(10)]
    d = pd.DataFrame({"x": x, "y": y})
    with pytest.warns(il.ConvergenceWarning):
        m = il.glm("y ~ x", d, family="binomial")
    limits = m.confint()
    assert limits.loc["x", "upper"] == np.inf and np.isfinite(limits.loc["x", "lower"])
    assert "infinite: the likelihood is level there" in limits.attrs["notes"][0]
    p = m.profile("x")
    assert p.conf_int().loc["x", "upper"] == np.inf
    assert p.conf_int().loc["x", "lower"] == pytest.approx(limits.loc["x", "lower"], abs=1e-3)
    # counts hardly more dispersed than Poisson's: theta may be infinite
    d = pd.DataFrame({"y": np.random.default_rng(2).poisson(3.0, 200)})
    d.loc[:9, "y"] += 4
    m = il.glm("y ~ 1", d, family="nbinom2")
    limits = m.confint("theta")
    assert limits.loc["theta", "upper"] == np.inf and limits.loc["theta", "lower"] > 1.0


def test_profiles_of_every_unit_of_the_response(fit_cache):
    d = il.load_dataset("sleepstudy")
    own = fit_cache("sleepstudy", SLEEP).confint(r_names=False)
    for unit in (1e-7, 1e7):
        m = il.fit(SLEEP, d.assign(Reaction=d["Reaction"] * unit))
        scaled = m.confint(r_names=False)
        factor = np.where(scaled.index.str.startswith("cor"), 1.0, unit)
        np.testing.assert_allclose(scaled.to_numpy() / factor[:, None], own, rtol=1e-5)
    years = il.fit("Reaction ~ Year + (Year | Subject)", d.assign(Year=d["Days"] + 2000.0))
    np.testing.assert_allclose(years.confint("Year"), own.loc[["Days"]], rtol=1e-5)
    limits = years.confint(["sd_Year|Subject", ".sigma"], r_names=False).to_numpy()
    np.testing.assert_allclose(limits, own.loc[["sd_Days|Subject", "sigma"]], rtol=1e-4)


def test_a_lower_deviance_on_the_way_is_said(monkeypatch, fit_cache):
    from interlace.inference.profile import profile as module

    m = fit_cache("sleepstudy", SLEEP)
    whole = module.likelihood_of

    def poor(fit):
        from dataclasses import replace

        found = whole(fit)
        return replace(found, value=found.value + 8.0)

    monkeypatch.setattr(module, "likelihood_of", poor)
    with pytest.warns(
        InterlaceWarning, match="-2 log-likelihood was .* lower than at the estimates"
    ):
        m.confint("Days")
    with pytest.warns(InterlaceWarning, match="these are not the best ones"):
        assert "not the best" in m.profile("Days").notes[0]


def test_refusals():
    d = il.load_dataset("cbpp")
    m = il.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", d, "binomial", nAGQ=0)
    with pytest.raises(ArgumentError, match="nAGQ=0 the coefficients have no likelihood.*nAGQ=1"):
        m.profile()
    assert m.confint("beta_", method="Wald").shape == (4, 2)
    m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    with pytest.raises(ArgumentError, match="spacing must be positive"):
        m.profile(spacing=-1.0)
    with pytest.raises(ArgumentError, match="name one parameter"):
        m.profile().zeta("theta_", 1.0)


def test_pickles_and_rows_that_a_fit_has_left():
    d = il.load_dataset("sleepstudy")
    d.loc[3, "Reaction"] = np.nan
    with pytest.warns(il.DataWarning):
        m = il.fit(SLEEP, d)
    again = pickle.loads(pickle.dumps(m))
    np.testing.assert_allclose(again.confint(), m.confint(), rtol=1e-7)
    p = pickle.loads(pickle.dumps(m.profile("Days")))
    assert p.conf_int().loc["Days", "lower"] < p.estimates["Days"]
    c = il.load_dataset("cbpp")
    g = il.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", c, "binomial")
    again = pickle.loads(pickle.dumps(g))
    np.testing.assert_allclose(again.confint(), g.confint(), rtol=1e-6)
    nine = il.glmer(
        "cbind(incidence, size - incidence) ~ period + (1 | herd)", c, "binomial", nAGQ=9
    )
    assert nine.confint().loc[".sig01", "upper"] > g.confint().loc[".sig01", "upper"] - 0.01


def test_places_are_refused():
    m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    with pytest.raises(ArgumentError, match="R counts from 1 and Python from 0"):
        m.confint(1)
