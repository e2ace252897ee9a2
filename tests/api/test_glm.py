"""glm() against R's glm and MASS, its invariances, and what its results offer."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers import glm_references as refs
from helpers.frame_libraries import ALL_LIBRARIES
from scipy import special

import interlace as il
from interlace import families as fam
from interlace.api.glm import glm
from interlace.errors import ArgumentError, ConvergenceWarning, DataError, FormulaError
from interlace.inference.names import names_as

IDS = refs.reference_ids()
# R's IRLS ends when the deviance repeats to the last digit, 2e-16 of it: coefficients are then
# good to the square root of that times the deviance in standard errors, 2e-8 sqrt(1e3), and where
# the link is not canonical only after a factor of about the rate of convergence on top.
COEFFICIENT = 2e-6  # standard errors
RELATIVE = 1e-7
CBPP = "cbind(incidence, size - incidence) ~ period"

each = pytest.mark.parametrize("id", IDS)


def close(ours, theirs, tolerance=RELATIVE, scale=None):
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    size = np.maximum(np.abs(theirs), 1e-3 if scale is None else scale)
    assert ours.shape == theirs.shape
    assert (np.abs(ours - theirs) <= tolerance * size).all(), np.abs(ours - theirs).max()


@each
def test_estimates_are_those_of_r(id):
    r, m = refs.reference(id), refs.fitted(id)
    assert m.converged
    assert [name.replace(" ** ", "^") for name in names_as(m.params.index, True)] == r["names"]
    se = refs.array(r["se"])
    assert (np.abs(m.params.to_numpy() - r["beta"]) <= COEFFICIENT * se).all()
    close(m.bse, se)
    V = refs.array(r["vcov"])
    assert (np.abs(m.vcov().to_numpy() - V) <= 10 * RELATIVE * np.outer(se, se)).all()
    assert (np.abs(m.zvalues - r["statistic"]) <= 2 * COEFFICIENT + RELATIVE * abs(m.zvalues)).all()
    interval = m.conf_int(df_method="normal").to_numpy()
    assert (np.abs(interval - r["confidence"]) <= 2 * COEFFICIENT * se[:, None]).all()


@each
def test_p_values_are_those_of_r(id):
    r, m = refs.reference(id), refs.fitted(id)
    # d log p / dz is about |z| in the tail.
    slack = 2 * COEFFICIENT * (1 + m.zvalues.abs()) * 10
    with np.errstate(divide="ignore"):
        ours, theirs = np.log(m.pvalues), np.log(refs.array(r["p"]))
    both = np.isfinite(ours) & np.isfinite(theirs)
    assert (np.abs(ours - theirs)[both] <= slack[both] * 10).all()
    assert (both | (np.isinf(ours) & np.isinf(theirs))).all()


@each
def test_likelihood_and_deviance_are_those_of_r(id):
    r, m = refs.reference(id), refs.fitted(id)
    for ours, theirs in (
        (m.llf, r["log_likelihood"]), (m.aic, r["aic"]), (m.bic, r["bic"]),
        (m.deviance, r["deviance"]), (m.null_deviance, r["null_deviance"]),
        (m.dispersion, r["dispersion"]),
    ):  # fmt: skip
        close(ours, theirs, 1e-9, scale=1.0)
    assert (m.df_resid, m.df_null, m.nparams) == (r["df_residual"], r["df_null"], r["df"])
    assert m.nobs == r["nobs"]


@pytest.mark.parametrize("id", [id for id in IDS if "theta" in refs.reference(id)])
def test_theta_and_its_standard_error_are_those_of_mass(id):
    r, m = refs.reference(id), refs.fitted(id)
    # theta.ml stops at 1e-14, alternation at 1e-13 of theta.
    close(m.disp_params["theta"], r["theta"], 1e-8)
    close(m.disp_params["theta"] * m.disp_bse["theta"], r["se_theta"], 1e-7)


@each
def test_values_by_row_are_those_of_r(id):
    r, m = refs.reference(id), refs.fitted(id)
    for ours, theirs in (
        (m.fittedvalues, r["fitted"]), (m.linear_predictor, r["linear_predictor"]),
        (m.weights("working"), r["working_weights"]), (m.hatvalues(), r["hat"]),
        *((m.residuals(type), r["residuals"][type]) for type in r["residuals"]),
    ):  # fmt: skip
        values, expected = refs.by_row(ours, theirs)
        # A response residual is a difference of numbers of the size of the mean.
        size = np.abs(expected).max()
        close(values, expected, 1e-6, scale=max(size, abs(r["fitted"]["values"][0])))
    values, expected = refs.by_row(m.cooks_distance(), r["cooks"])
    # A herd of one row has leverage one: R has no distance there, and no sum then.
    known = np.isfinite(expected)
    assert known.all() or id == "binomial_herd"
    close(values[known], expected[known], 1e-5, scale=np.abs(expected[known]).max())


@each
def test_predictions_are_those_of_r(id):
    r, m = refs.reference(id), refs.fitted(id)
    p, data = r["prediction"], refs.data_of(r)
    n = len(p["link"])
    offset = data[r["offset"]].to_numpy()[:n] if "offset" in r else None
    new = data.drop(columns=[c for c in ("incidence", "use", "deaths") if c in data]).head(n)
    if r.get("offset"):
        new = new.drop(columns=r["offset"])
    for type in ("link", "response"):
        found = m.predict(new, type=type, offset=offset, se=True)
        close(found["prediction"], p[type], 1e-6, scale=np.abs(p[type]).max())
        close(found["se"], p[f"{type}_se"], 1e-6)
        same = m.predict(type=type).head(n)
        close(same, found["prediction"], 1e-12)


@pytest.mark.parametrize("id", [id for id in IDS if "anova" in refs.reference(id)])
def test_analysis_of_deviance_is_that_of_r(id):
    r, m = refs.reference(id), refs.fitted(id)
    a = r["anova"]
    text = a["formula"].replace("^", "**")
    table = refs.fit_of(r, formula=text).anova(m)
    close(table["Resid. Df"], a["resid_df"])
    close(table["Resid. Dev"], a["resid_dev"], 1e-9, scale=1.0)
    close(table["Deviance"].iloc[1], a["deviance"], 1e-7, scale=1.0)
    assert table["Df"].iloc[1] == a["df"]
    free = a["f"] is not None
    close(table["Pr(>F)" if free else "Pr(>Chi)"].iloc[1], a["p"], 1e-5)
    if free:
        close(table["F"].iloc[1], a["f"])
        both = refs.fit_of(r, formula=text).anova(m, test="LRT")
        close(both["Pr(>Chi)"].iloc[1], a["p_lrt"], 1e-5)


def test_models_with_estimated_theta_are_compared_by_their_likelihood(dataset):
    data = dataset("epil2")
    small = glm("y ~ Base", data, "negativebinomial")
    large = glm("y ~ Base + trt + Visit", data, "negativebinomial")
    table = small.anova(large)
    assert table["LR stat"].iloc[1] == pytest.approx(2 * (large.llf - small.llf), rel=1e-12)
    assert table["Pr(>Chi)"].iloc[1] == pytest.approx(
        special.chdtrc(2, 2 * (large.llf - small.llf)), rel=1e-10
    )


# -- what must not matter ----------------------------------------------------------------------

INVARIANT = [
    ("binomial", "logit", "k"), ("binomial", "cloglog", "k"), ("poisson", "log", "count"),
    ("negativebinomial", "log", "count"), ("gamma", "inverse", "pos"), ("gamma", "log", "pos"),
    ("inverse_gaussian", "log", "pos"), ("gaussian", "identity", "pos"),
]  # fmt: skip
any_family = pytest.mark.parametrize(("family", "link", "y"), INVARIANT)


def table(n=90) -> pd.DataFrame:
    rng = np.random.default_rng(17)
    x, g = rng.normal(size=n), np.tile(list("abc"), n // 3)
    mean = np.exp(0.4 + 0.5 * x + 0.3 * (g == "b"))
    return pd.DataFrame(
        {
            "x": x,
            "z": rng.uniform(1, 2, n),
            "g": g,
            "k": rng.integers(0, 2, n).astype(float),
            "count": rng.negative_binomial(3, 3 / (3 + mean)).astype(float),
            "pos": rng.gamma(3, mean / 3),
            "w": rng.integers(1, 4, n).astype(float),
        }
    )


def same(a, b, order=slice(None)):
    """Two fits of one model agree to the rounding of their optima."""
    se = a.bse.to_numpy()
    assert (np.abs(a.params.to_numpy() - b.params.to_numpy()[order]) <= 1e-7 * se).all()
    close(b.bse.to_numpy()[order], se, 1e-7)
    close(b.llf, a.llf, 1e-10)
    close(b.deviance, a.deviance, 1e-10)


@any_family
def test_the_order_of_rows_does_not_matter(family, link, y):
    data = table()
    kind = fam.resolve(family, link)
    shuffled = data.sample(frac=1.0, random_state=3)
    a, b = glm(f"{y} ~ x + g", data, kind), glm(f"{y} ~ x + g", shuffled, kind)
    same(a, b)
    close(b.fittedvalues.loc[data.index], a.fittedvalues, 1e-7)


@any_family
def test_units_of_covariates_do_not_matter(family, link, y):
    data = table()
    kind = fam.resolve(family, link)
    a = glm(f"{y} ~ x + z + g", data, kind)
    b = glm(f"{y} ~ x + z + g", data.assign(x=data["x"] * 1e-6, z=data["z"] * 1e4 + 1e7), kind)
    # Centring 1e7 + 1e4 z leaves 1e-16 * 1e7 / 1e4 of z's digits.
    close(b.llf, a.llf, 1e-10)
    close(b.params["x"] * 1e-6, a.params["x"], 1e-6, scale=a.bse["x"])
    close(b.params["z"] * 1e4, a.params["z"], 1e-6, scale=a.bse["z"])
    close(b.bse["z"] * 1e4, a.bse["z"], 1e-6)


@any_family
def test_a_weight_of_two_is_two_rows(family, link, y):
    data = table()
    kind = fam.resolve(family, link)
    twice = data.loc[np.repeat(data.index, data["w"].astype(int))].reset_index(drop=True)
    a, b = glm(f"{y} ~ x + g", data, kind, weights="w"), glm(f"{y} ~ x + g", twice, kind)
    close(a.params, b.params, 1e-7, scale=a.bse.to_numpy())
    close(a.deviance, b.deviance, 1e-10)
    if a.fit.family.free_dispersion:
        # Rows are counted, not weights: X^2 is the same and its degrees of freedom are not.
        close(a.dispersion * a.df_resid, b.dispersion * b.df_resid, 1e-9)
    else:
        close(a.bse, b.bse)
        close(a.llf, b.llf, 1e-10)


@pytest.mark.parametrize("library", ALL_LIBRARIES)
def test_every_frame_gives_the_same_fit(library):
    data = table()
    a = glm("count ~ x + g", data, "poisson", weights="w")
    b = glm("count ~ x + g", ALL_LIBRARIES[library](data), "poisson", weights="w")
    assert (a.params == b.params).all() and a.llf == b.llf


def test_ways_to_write_a_binomial_response_are_one_model(dataset):
    cbpp = dataset("cbpp")
    cbpp["p"] = cbpp["incidence"] / cbpp["size"]
    one = glm(CBPP, cbpp, "binomial")
    for formula, arguments in (
        ("incidence / size ~ period", {}),
        ("incidence / size ~ period", {"weights": cbpp["size"]}),
        ("p ~ period", {"weights": "size"}),
    ):
        same(one, glm(formula, cbpp, "binomial", **arguments))
    rows = np.repeat(np.arange(len(cbpp)), cbpp["size"].astype(int))
    long = cbpp.iloc[rows].assign(
        ill=np.concatenate([np.arange(s) < k for k, s in zip(cbpp["incidence"], cbpp["size"])])
    )
    bernoulli = glm("ill ~ period", long, "binomial")
    close(bernoulli.params, one.params, 1e-8)
    close(bernoulli.bse, one.bse, 1e-8)
    labels = long.assign(ill=np.where(long["ill"], "yes", "no"))
    same(bernoulli, glm("ill ~ period", labels, "binomial"))
    same(bernoulli, glm("ill == 'yes' ~ period", labels, "binomial"))


def test_prior_weights_beside_trials_multiply_the_log_density(dataset):
    cbpp = dataset("cbpp").assign(w=2.0)
    one, two = glm(CBPP, cbpp, "binomial"), glm(CBPP, cbpp, "binomial", weights="w")
    close(two.llf, 2 * one.llf, 1e-12)
    close(two.bse * np.sqrt(2), one.bse, 1e-9)


def test_an_offset_shifts_the_intercept():
    data = table()
    a = glm("count ~ x", data, "poisson")
    b = glm("count ~ x", data, "poisson", offset=np.full(len(data), 5.0))
    close(b.params["Intercept"] + 5, a.params["Intercept"], 1e-9)
    close(b.null_deviance, a.null_deviance, 1e-10)
    c = glm("count ~ x + offset(z)", data, "poisson")
    d = glm("count ~ x", data, "poisson", offset="z")
    same(c, d)


def test_a_gaussian_model_is_least_squares():
    data = table()
    m = glm("pos ~ x + z", data, weights="w")
    X, w = m.fit.design.X, data["w"].to_numpy()
    beta = np.linalg.solve(X.T @ (X * w[:, None]), X.T @ (w * data["pos"].to_numpy()))
    close(m.params, beta, 1e-10)
    rss = np.sum(w * (data["pos"] - X @ beta) ** 2)
    close(m.dispersion, rss / (len(data) - 3), 1e-12)


@any_family
def test_the_score_vanishes_and_no_neighbour_is_better(family, link, y):
    data = table()
    m = glm(f"{y} ~ x + g", data, fam.resolve(family, link))
    fit, seen = m.fit, m.fit.observations
    zeta = fit.zeta
    rows = fit.family.rows(fit.eta, seen.y, seen.weights, zeta)
    assert (np.abs(fit.design.X.T @ rows.score) * m.bse <= 1e-6).all()
    for j in range(fit.p):
        for step in (-1e-3, 1e-3):
            eta = fit.eta + step * m.bse.iloc[j] * fit.design.X[:, j]
            there = fit.family.rows(eta, seen.y, seen.weights, zeta).loglik.sum()
            assert there < rows.loglik.sum()


# -- results -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cbpp_fit():
    return glm(CBPP, il.load_dataset("cbpp"), "binomial")


def test_summary_has_the_order_of_r(cbpp_fit):
    text = str(cbpp_fit.summary(r_names=True))
    parts = ["Formula", "Deviance residuals", "Coefficients", "period2", "Signif. codes",
             "Dispersion parameter for binomial family taken to be 1",
             "Null deviance: 154.82 on 55", "Residual deviance: 114.10 on 52", "AIC: 206.06",
             "iterations"]  # fmt: skip
    at = [text.index(part) for part in parts]
    assert at == sorted(at)
    assert "z value" in text and "t value" in str(glm("pos ~ x", table(), "gamma").summary())
    assert "theta: " in str(glm("count ~ x", table(), "negativebinomial").summary())
    assert "<table>" in cbpp_fit._repr_html_()
    assert "converged" in repr(cbpp_fit)


def test_tables_have_the_columns_of_broom(cbpp_fit):
    tidy = cbpp_fit.tidy(conf_int=True)
    assert list(tidy) == [
        "term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high",
    ]  # fmt: skip
    odds = cbpp_fit.tidy(exponentiate=True)["estimate"]
    close(np.log(odds), cbpp_fit.params, 1e-12)
    assert list(cbpp_fit.glance()) == [
        "null_deviance", "df_null", "log_lik", "aic", "bic", "deviance", "df_residual", "nobs",
    ]  # fmt: skip
    data = il.load_dataset("cbpp")
    rows = cbpp_fit.augment(data, type_predict="response", type_residuals="pearson")
    assert list(rows)[:4] == list(data)
    assert list(rows)[4:] == [".fitted", ".resid", ".hat", ".cooksd", ".std_resid"]
    close(rows[".std_resid"], rows[".resid"] / np.sqrt(1 - rows[".hat"]), 1e-12)


def test_intervals_of_means_stay_in_their_range(cbpp_fit):
    new = {"period": [1, 4]}
    frame = cbpp_fit.get_prediction(new).summary_frame(alpha=0.01)
    link = cbpp_fit.predict(new, type="link", se=True)
    half = special.ndtri(0.995) * link["se"]
    close(frame["mean_ci_upper"], special.expit(link["prediction"] + half), 1e-12)
    gamma = glm("pos ~ x", table(), "gamma").get_prediction({"x": [0.0, 0.5]})
    decreasing = gamma.summary_frame()
    assert (decreasing["mean_ci_lower"] < decreasing["mean"]).all()
    assert (decreasing["mean"] < decreasing["mean_ci_upper"]).all()


def test_simulated_responses_have_the_means_and_variances_of_the_model():
    data = table(30)
    for family, y in (("poisson", "count"), ("gamma", "pos"), ("negativebinomial", "count")):
        m = glm(f"{y} ~ x", data, family)
        draws = m.simulate(4000, seed=5).to_numpy()
        variance = m.dispersion * m.fit.family.variance(m.fit.mu, m.fit.zeta)
        error = (draws.mean(axis=1) - m.fittedvalues) / np.sqrt(variance / 4000)
        assert np.abs(error).max() < 4.5  # 30 normal deviates
        # The variance of a sample variance is (kurtosis - 1) / n of its square; kurtosis < 30 here.
        assert np.abs(draws.var(axis=1) / variance - 1).max() < 4.5 * np.sqrt(29 / 4000)
    trials = glm(CBPP, il.load_dataset("cbpp"), "binomial").simulate(2, seed=1)
    whole = trials.mul(il.load_dataset("cbpp")["size"].to_numpy(), axis=0)
    assert np.allclose(whole, whole.round())


def test_a_pickle_predicts_in_a_fresh_process(cbpp_fit, tmp_path):
    file = tmp_path / "fit.pickle"
    file.write_bytes(pickle.dumps(cbpp_fit))
    code = (
        f"import pickle; m = pickle.load(open({str(file)!r}, 'rb'));"
        "print(repr(m.predict({'period': [2]}).iloc[0].item()), repr(m.aic))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = cbpp_fit.predict({"period": [2]}).iloc[0].item(), cbpp_fit.aic
    assert out.stdout.split() == [repr(v) for v in ours]
    assert copy.copy(cbpp_fit).call is cbpp_fit.call


def test_missing_rows_are_padded_on_request():
    data = table()
    data.loc[3, "x"] = np.nan
    with pytest.warns(il.DataWarning, match="dropped 1 row"):
        m = glm("count ~ x", data, "poisson", na_action="exclude")
    assert np.isnan(m.fittedvalues[3]) and m.fittedvalues.notna().sum() == len(data) - 1
    assert np.isnan(m.predict(se=True).loc[3, "se"])


def test_hypotheses_are_tested(cbpp_fit):
    joint = cbpp_fit.wald_test(["period[T.2]", "period[T.3]", "period[T.4]"])
    V = cbpp_fit.vcov().to_numpy()[1:, 1:]
    b = cbpp_fit.params.to_numpy()[1:]
    assert joint.statistic == pytest.approx(b @ np.linalg.solve(V, b), rel=1e-10)
    row = cbpp_fit.t_test("period[T.2] - period[T.3] = 0").iloc[0]
    assert row["df"] == np.inf and row["estimate"] == pytest.approx(b[0] - b[1])


def test_convergence_is_told_in_words(cbpp_fit):
    told = cbpp_fit.convergence
    assert told.verdict == "converged" and "iterations" in told.message
    assert told.decrement < 1e-16 and cbpp_fit.infinite == {}


# -- at the edge -------------------------------------------------------------------------------


def test_no_coefficients():
    m = glm("count ~ 0 + offset(x)", table(), "poisson")
    assert len(m.params) == 0 and m.df_resid == m.nobs
    assert m.deviance == m.null_deviance


def test_a_perfect_fit_has_no_deviance():
    m = glm("flat ~ x", table().assign(flat=2.0))
    # Residuals are rounding errors of the response, or not even that.
    assert m.deviance < 90 * (10 * np.finfo(float).eps) ** 2 and m.llf > 90 * 30
    assert m.params["Intercept"] == pytest.approx(2.0)
    every = table(6).assign(row=list("abcdef"))
    saturated = glm("pos ~ row", every, "gamma")
    assert np.isnan(saturated.dispersion) and saturated.bse.isna().all()


def test_huge_offsets_and_counts():
    data = table()
    m = glm("count ~ x", data, "poisson", offset=np.full(len(data), 300.0))
    assert m.converged
    close(m.params["Intercept"] + 300, glm("count ~ x", data, "poisson").params["Intercept"], 1e-9)
    big = glm("many ~ x", data.assign(many=data["count"] * 1e9), "poisson")
    assert big.converged and np.isfinite(big.llf)


def test_starts_outside_the_range_of_the_mean_are_found_inside():
    """R asks for starting values here."""
    data = table()
    data["eta"] = 0.3 + data["z"] - data["x"].clip(-1, 1)
    m = glm("count ~ x + z", data, fam.Poisson("sqrt"), offset=np.full(len(data), -0.4))
    assert (m.linear_predictor > 0).all()


def test_a_maximum_on_the_border_of_the_range_is_told():
    data = table().assign(k=(np.arange(90) == 5) * 1.0)
    with pytest.warns(ConvergenceWarning, match="border of their range.*another link"):
        m = glm("k ~ x", data, fam.Binomial("identity"))
    assert m.fittedvalues.between(0, 1).all() and not m.converged
    with pytest.warns(ConvergenceWarning, match="border of their range"):
        glm("zero ~ g", table().assign(zero=(table()["g"] != "c") * 2.0), fam.Poisson("identity"))


def test_an_offset_that_no_coefficient_can_bring_inside():
    data = table()
    with pytest.raises(DataError, match="no coefficients give means within the range of family"):
        glm("pos ~ 0 + x", data, fam.Gamma("identity"), offset=np.full(len(data), -50.0))


def test_counts_without_overdispersion_have_no_theta():
    data = pd.DataFrame({"y": [4.0, 5, 4, 5, 6, 5], "x": [0.0, 1, 2, 3, 4, 5]})
    with pytest.warns(ConvergenceWarning, match="theta goes to infinity.*family='poisson'"):
        m = glm("y ~ x", data, "negativebinomial")
    close(m.params, glm("y ~ x", data, "poisson").params, 1e-6)
    assert not m.converged


def test_the_front_door_points_to_the_others():
    with pytest.raises(FormulaError, match=r"no random effects.*\(1 \| g\).*glmer\(\)"):
        glm("count ~ x + (1 | g)", table(), "poisson")
    with pytest.raises(ArgumentError, match="test='F' needs an estimated dispersion"):
        m = glm("count ~ x", table(), "poisson")
        m.anova(m, test="F")
    with pytest.raises(ArgumentError, match="must use the same rows"):
        m.anova(glm("count ~ x", table(60), "poisson"))
    with pytest.raises(ArgumentError, match="'LRT' compares models"):
        m.anova(test="LRT")
    with pytest.raises(ArgumentError, match="type='raw' is not known"):
        m.residuals("raw")
