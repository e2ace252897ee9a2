"""Predictions and their standard errors against the dense mixed-model equations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import ArgumentError, DataError

SLEEP = ("sleepstudy", "Reaction ~ Days + (Days | Subject)")


def dense_columns(fit) -> list[np.ndarray]:
    """Z of each grouping factor, (n, l_b k_b), level-major."""
    out = []
    for factor in fit.design.factors:
        Z = np.asarray(factor.Z)
        wide = np.zeros((fit.n, len(factor.levels), Z.shape[1]))
        wide[np.arange(fit.n), factor.codes] = Z
        out.append(wide.reshape(fit.n, -1))
    return out


def dense_se(fit) -> np.ndarray:
    """From the inverse of Henderson's equations for (b, beta)."""
    Z = np.hstack(dense_columns(fit))
    G = []
    for factor, T in zip(fit.design.factors, fit.T, strict=True):
        G.append(np.kron(np.eye(len(factor.levels)), np.linalg.inv(T @ T.T)))
    q = Z.shape[1]
    W = np.eye(fit.n) if fit.design.weights is None else np.diag(fit.design.weights)
    rows = np.hstack([Z, fit.design.X])
    H = rows.T @ W @ rows
    start = 0
    for block in G:
        H[start : start + len(block), start : start + len(block)] += block
        start += len(block)
    assert start == q
    return fit.sigma * np.sqrt(np.einsum("ri,ij,rj->r", rows, np.linalg.inv(H), rows))


@pytest.mark.parametrize(
    ("name", "formula", "weighted"),
    [
        (*SLEEP, False),
        (*SLEEP, True),
        ("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", False),
        ("Machines", "score ~ Machine + (1 | Worker/Machine)", True),
        ("Machines", "score ~ Machine + (Machine | Worker)", False),
    ],
)
def test_standard_errors(dataset, name, formula, weighted) -> None:
    data = dataset(name)
    weights = np.linspace(0.5, 2.0, len(data)) if weighted else None
    fit = interlace.fit(formula, data, weights=weights)
    found = fit.get_prediction().se
    np.testing.assert_allclose(found, dense_se(fit.fit), rtol=1e-7)
    # New rows take the same way.
    again = fit.get_prediction(data).se
    np.testing.assert_allclose(again, found, rtol=1e-10)


def test_standard_errors_of_a_singular_fit(fit_cache) -> None:
    m = fit_cache("Dyestuff2", "Yield ~ 1 + (1 | Batch)")
    np.testing.assert_allclose(m.get_prediction().se, m.fe_bse.iloc[0], rtol=1e-12)


def test_against_lme4(fit_cache, dataset) -> None:
    m = fit_cache(*SLEEP)
    # predict(m, se.fit = TRUE); lme4's theta is good to 1e-5.
    frame = m.get_prediction(dataset("sleepstudy").head(3)).summary_frame()
    np.testing.assert_allclose(frame["mean_se"], [12.25481, 10.54339, 9.11383], rtol=1e-5)
    np.testing.assert_allclose(frame["mean"], [253.6637, 273.3299, 292.9962], rtol=1e-6)
    names = "mean mean_se mean_ci_lower mean_ci_upper obs_ci_lower obs_ci_upper"
    assert list(frame.columns) == names.split()


def test_population_means(fit_cache, dataset) -> None:
    m = fit_cache(*SLEEP)
    new = pd.DataFrame({"Days": [0.0, 5.0]})  # no grouping column is needed
    prediction = m.get_prediction(new, include_re=False)
    x = np.array([[1.0, 0.0], [1.0, 5.0]])
    np.testing.assert_allclose(prediction.mean, x @ m.fe_params, rtol=1e-12)
    np.testing.assert_allclose(prediction.se**2, np.diag(x @ m.vcov() @ x.T), rtol=1e-10)
    frame = prediction.summary_frame()
    interval = m.t_test(x)
    np.testing.assert_allclose(frame["mean_ci_lower"], interval["conf_low"], rtol=1e-10)
    spread = (frame["obs_ci_upper"] - frame["obs_ci_lower"]) ** 2
    half = (frame["mean_ci_upper"] - frame["mean_ci_lower"]) ** 2
    # a new observation is one of a new subject
    S = m.variance_components["Subject"].to_numpy()
    total = prediction.se**2 + m.scale + np.diag(x @ S @ x.T)
    np.testing.assert_allclose(spread / half, total / prediction.se**2, rtol=1e-10)
    wide = prediction.summary_frame(alpha=0.01)
    assert (wide["mean_ci_upper"] > frame["mean_ci_upper"]).all()


def test_rows_of_the_fit_and_new_rows_agree(fit_cache, dataset) -> None:
    m = fit_cache("Machines", "score ~ Machine + (1 | Worker/Machine)")
    data = dataset("Machines")
    pd.testing.assert_series_equal(m.predict(), m.fittedvalues, check_names=False)
    shuffled = data.sample(frac=1.0, random_state=1)
    found = m.predict(shuffled)
    assert list(found.index) == list(shuffled.index)
    np.testing.assert_allclose(found.loc[data.index], m.fittedvalues, rtol=1e-12)


def test_a_model_without_fixed_effects(dataset) -> None:
    m = interlace.fit("Reaction ~ 0 + (1 | Subject)", dataset("sleepstudy"))
    T = m.fit.T[0][0, 0]
    # One of ten observations: z*'M^{-1}z* = T^2 / (1 + 10 T^2).
    expected = m.sigma * T / np.sqrt(1.0 + 10.0 * T**2)
    np.testing.assert_allclose(m.get_prediction().se, expected, rtol=1e-10)
    population = m.predict(include_re=False, se=True)
    assert (population == 0.0).all(axis=None)
    assert len(m.anova()) == 0 and len(m.augment()) == 180 and str(m.summary())


def test_standard_errors_beside_the_predictions(fit_cache, dataset) -> None:
    m = fit_cache(*SLEEP)
    new = dataset("sleepstudy").head(3)
    for include_re in (True, False):
        found = m.predict(new, include_re=include_re, se=True)
        assert list(found.columns) == ["prediction", "se"]
        expected = m.get_prediction(new, include_re=include_re)
        np.testing.assert_allclose(found["prediction"], expected.mean, rtol=1e-12)
        np.testing.assert_allclose(found["se"], expected.se, rtol=1e-12)
    assert found.equals(m.predict(new, include_re=False, se=True, type="link"))


def test_new_levels(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    new = pd.DataFrame({"Days": [2.0, 2.0], "Subject": ["308", "999"]})
    with pytest.raises(DataError, match="999"):
        m.predict(new)
    found = m.predict(new, new_levels="population")
    assert found.iloc[1] == pytest.approx(m.predict(new, include_re=False).iloc[1], rel=1e-12)
    assert found.iloc[0] == pytest.approx(m.predict(new.head(1)).iloc[0], rel=1e-12)
    with pytest.raises(ArgumentError, match="'error' or 'population'"):
        m.predict(new, new_levels="zero")
    # The variance of a new subject is left out, as in lme4, unless asked for.
    plain = m.get_prediction(new, new_levels="population")
    x = np.array([1.0, 2.0])
    assert plain.se[1] ** 2 == pytest.approx(x @ m.vcov().to_numpy() @ x, rel=1e-10)
    full = m.get_prediction(new, new_levels="population", new_level_variance=True)
    S = m.variance_components["Subject"].to_numpy()
    assert full.se[1] ** 2 == pytest.approx(plain.se[1] ** 2 + x @ S @ x, rel=1e-10)
    assert full.se[0] == plain.se[0]


def test_a_level_left_out_and_a_new_level_are_the_same(fit_cache, dataset) -> None:
    """Means, standard errors and limits, with and without the variance of its effects."""
    m = fit_cache(*SLEEP)
    new = pd.DataFrame({"Days": [2.0, 7.0], "Subject": ["998", "999"]})
    for drawn in (False, True):
        left_out = m.get_prediction(new, include_re=False, new_level_variance=drawn)
        unseen = m.get_prediction(new, new_levels="population", new_level_variance=drawn)
        pd.testing.assert_frame_equal(left_out.summary_frame(), unseen.summary_frame(), rtol=1e-9)
        assert left_out.notes == unseen.notes
    plain = m.get_prediction(new, include_re=False)
    x = np.array([[1.0, 2.0], [1.0, 7.0]])
    S = m.variance_components["Subject"].to_numpy()
    added = left_out.se**2 - plain.se**2
    np.testing.assert_allclose(added, np.diag(x @ S @ x.T), rtol=1e-9)
    # the interval of an observation has it either way, and once
    np.testing.assert_allclose(left_out.obs_se, plain.obs_se, rtol=1e-12)
    # for the rows of the fit, too
    rows = m.get_prediction(include_re=False, new_level_variance=True)
    assert (rows.se > 1.5 * m.get_prediction(include_re=False).se).all()
    # generalised models have no interval of an observation, and the same rule for means
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    g = interlace.glmer(formula, dataset("cbpp"), "binomial")
    two = pd.DataFrame({"period": ["2", "3"], "herd": ["98", "99"]})
    for drawn in (False, True):
        left_out = g.get_prediction(two, include_re=False, new_level_variance=drawn)
        unseen = g.get_prediction(two, new_levels="population", new_level_variance=drawn)
        pd.testing.assert_frame_equal(left_out.summary_frame(), unseen.summary_frame())
        np.testing.assert_allclose(left_out.linear_se, unseen.linear_se)
    share = left_out.linear_se**2 - g.get_prediction(two, include_re=False).linear_se ** 2
    np.testing.assert_allclose(share, g.variance_components["herd"], rtol=1e-9)


def test_observations_of_known_levels_have_the_residual_alone(fit_cache, dataset) -> None:
    m = fit_cache(*SLEEP)
    known = m.get_prediction(dataset("sleepstudy").head(3), theta_error="none")
    np.testing.assert_allclose(known.obs_se**2, known.se**2 + m.scale, rtol=1e-12)
    both = {"Days": [2.0, 2.0], "Subject": ["308", "x"]}
    mixed = m.get_prediction(both, new_levels="population")
    assert mixed.obs_se[0] < mixed.obs_se[1] and np.isinf(mixed.df[0]) and mixed.df[1] < 20.0
    # one of two factors, or some effects of one: the others are unknown
    crossed = fit_cache("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)")
    data = dataset("Penicillin").head(2)
    some = crossed.get_prediction(data, include_re="sample", theta_error="none")
    plate = crossed.variance_components["plate"]
    np.testing.assert_allclose(some.obs_se**2, some.se**2 + crossed.scale + plate, rtol=1e-10)
    dropped = data.drop(columns="plate")
    again = crossed.get_prediction(dropped, include_re="sample", theta_error="none")
    np.testing.assert_allclose(again.obs_se, some.obs_se, rtol=1e-12)
    one = {"Days": [3.0], "Subject": ["308"]}
    part = m.get_prediction(one, include_re="(1 | Subject)", theta_error="none")
    slope = m.variance_components["Subject"].to_numpy()[1, 1]
    np.testing.assert_allclose(part.obs_se**2, part.se**2 + m.scale + 9.0 * slope, rtol=1e-10)


def test_intervals_say_what_is_in_them(fit_cache, dataset) -> None:
    m = fit_cache(*SLEEP)
    known = m.get_prediction().summary_frame()
    assert known.attrs["notes"] == (
        "obs_ci: a new observation, with the variances of the mean and the residual",
    )
    mean, obs = m.get_prediction({"Days": [1.0]}, include_re=False).summary_frame().attrs["notes"]
    assert "left out or of unknown levels are zero" in mean
    assert "the mean, the residual and random effects left out" in obs
    drawn = m.get_prediction({"Days": [1.0]}, include_re=False, new_level_variance=True)
    assert "are drawn at random, mean_se has their variance" in drawn.notes[0]
    weighted = interlace.fit(SLEEP[1], dataset("sleepstudy"), weights=np.full(180, 2.0))
    found = weighted.get_prediction({"Days": [1.0]}, include_re=False)
    assert "a new observation of weight 1," in found.notes[-1]


def test_a_covariate_of_random_effects_alone_may_be_missing(dataset) -> None:
    sleep = dataset("sleepstudy").assign(late=lambda d: (d.Days > 4) * 1.0)
    m = interlace.fit("Reaction ~ Days + (late | Subject)", sleep)
    found = m.get_prediction({"Days": [1.0]}, include_re=False)
    assert np.isfinite(found.se).all() and np.isnan(found.obs_se).all()
    assert "obs_ci: missing, since newdata lacks the column(s) 'late'" in found.notes[-1]
    with pytest.raises(DataError, match="new_level_variance=True needs .*'late'"):
        m.get_prediction({"Days": [1.0]}, include_re=False, new_level_variance=True)
    whole = m.get_prediction({"Days": [1.0], "late": [0.0]}, include_re=False)
    S = m.variance_components["Subject"].iloc[0, 0]
    np.testing.assert_allclose(whole.obs_se**2, whole.se**2 + m.scale + S, rtol=1e-10)
    with pytest.raises(DataError, match="Days"):
        m.get_prediction({"late": [1.0]}, include_re=False)


@pytest.mark.parametrize("nAGQ", [0, 1, 9])
@pytest.mark.parametrize("include_re", [True, False, "herd"])
@pytest.mark.parametrize("drawn", [True, False])
def test_every_combination_for_generalised_models(dataset, nAGQ, include_re, drawn) -> None:
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    m = interlace.glmer(formula, dataset("cbpp"), "binomial", nAGQ=nAGQ)
    new = pd.DataFrame({"period": ["1", "4"], "herd": ["1", "new"]})
    arguments = {"include_re": include_re, "new_levels": "population"}
    prediction = m.get_prediction(new, new_level_variance=drawn, **arguments)
    frame = prediction.summary_frame()
    assert list(frame.columns) == ["mean", "mean_se", "mean_ci_lower", "mean_ci_upper"]
    assert (frame["mean_ci_lower"] < frame["mean"]).all()
    assert (frame["mean"] < frame["mean_ci_upper"]).all()
    np.testing.assert_allclose(frame["mean"], m.predict(new, **arguments))
    np.testing.assert_allclose(prediction.linear, m.predict(new, type="link", **arguments))
    x = np.array([1.0, 0.0, 0.0, 1.0])
    population = x @ m.vcov().to_numpy() @ x
    extra = m.variance_components["herd"] if drawn else 0.0
    assert prediction.linear_se[1] ** 2 == pytest.approx(population + extra, rel=1e-9)


def test_some_of_the_random_effects(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    modes = m.random_effects["Subject"]
    subjects = np.asarray(m.fit.design.factors[0].levels)[m.fit.design.factors[0].codes]
    fixed = m.predict(include_re=False)
    intercepts = fixed + modes.loc[subjects, "Intercept"].to_numpy()
    for text in ("(1 | Subject)", "~ (1|Subject)", ["(1 | Subject)"]):
        np.testing.assert_allclose(m.predict(include_re=text), intercepts, rtol=1e-12)
    for text in ("Subject", "(Days | Subject)", "(1 + Days || Subject)"):
        np.testing.assert_allclose(m.predict(include_re=text), m.fittedvalues, rtol=1e-12)
    np.testing.assert_allclose(m.predict(include_re=[]), fixed, rtol=1e-12)
    with pytest.raises(ArgumentError, match="Subject"):
        m.predict(include_re="Subjekt")
    with pytest.raises(ArgumentError, match="no random effect 'x'"):
        m.predict(include_re="(0 + x | Subject)")
    with pytest.raises(ArgumentError, match="include_re"):
        m.predict(include_re=3)


def test_one_of_two_grouping_factors(fit_cache, dataset) -> None:
    m = fit_cache("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)")
    data = dataset("Penicillin").drop(columns="plate")
    found = m.predict(data, include_re="sample")  # plate is not needed
    modes = m.random_effects["sample"]["Intercept"]
    expected = m.fe_params.iloc[0] + modes.loc[data["sample"].astype(str)].to_numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # Its standard error is that of the part alone.
    assert (m.get_prediction(data, include_re="sample").se > 0.0).all()


def test_arguments_that_are_wrong(fit_cache, dataset) -> None:
    m = fit_cache(*SLEEP)
    with pytest.raises(ArgumentError, match="one of 'response', 'link'"):
        m.predict(type="terms")
    with pytest.raises(ArgumentError, match="rows of the fit"):
        m.predict(offset=1.0)
    with pytest.raises(DataError, match="Days"):
        m.predict(dataset("sleepstudy").drop(columns="Days"))


def test_offset_of_the_formula_is_replayed(dataset) -> None:
    sleep = dataset("sleepstudy")
    sleep["known"] = 10.0 * sleep["Days"]
    m = interlace.fit("Reaction ~ Days + offset(known) + (1 | Subject)", sleep)
    np.testing.assert_allclose(m.predict(sleep.head(5)), m.fittedvalues.head(5), rtol=1e-12)
    sleep["known"] += 100.0
    np.testing.assert_allclose(m.predict(sleep), m.fittedvalues + 100.0, rtol=1e-12)


def test_missing_values_in_new_rows_stay_missing(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    new = pd.DataFrame({"Days": [1.0, np.nan], "Subject": ["308", "309"]}, index=["a", "b"])
    found = m.predict(new)
    assert found.notna().tolist() == [True, False] and list(found.index) == ["a", "b"]
    frame = m.get_prediction(new, include_re=False).summary_frame()
    assert frame.notna().all(axis=1).tolist() == [True, False]


def test_excluded_rows_are_padded(dataset) -> None:
    sleep = dataset("sleepstudy")
    sleep.loc[3, "Days"] = np.nan
    with pytest.warns(interlace.errors.DataWarning):
        m = interlace.fit(SLEEP[1], sleep, na_action="exclude")
    for values in (m.predict(), m.fittedvalues, m.resid, m.hatvalues()):
        assert len(values) == 180
        assert values.index[values.isna()].tolist() == [3]
    assert m.nobs == 179


def test_new_rows_of_any_library(fit_cache, dataset, frame_library) -> None:
    m = fit_cache(*SLEEP)
    new = dataset("sleepstudy").head(4)
    np.testing.assert_allclose(m.predict(frame_library(new)), m.fittedvalues.head(4), rtol=1e-12)
