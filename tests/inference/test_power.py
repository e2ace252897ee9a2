"""Power by simulation against the noncentral t distribution; what is tested and extended."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY
from scipy import stats

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError
from interlace.inference.parameters import parameter_names, parameter_values
from interlace.inference.resampling.extension import extended
from interlace.inference.resampling.power import proportion_interval
from interlace.inference.resampling.truth import assumed

SLEEP = "Reaction ~ Days + (Days | Subject)"
REFERENCES = json.loads(
    (R_PARITY / "references" / "simulated_tests.json").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def sleep():
    return il.fit(SLEEP, il.load_dataset("sleepstudy"))


@pytest.fixture(scope="module")
def cbpp():
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    return il.glmer(formula, il.load_dataset("cbpp"), "binomial")


@pytest.mark.parametrize("case", REFERENCES["proportions"])
def test_intervals_are_those_of_r(case):
    arguments = case["k"], case["n"], case["level"]
    clopper = proportion_interval(*arguments, "clopper-pearson")
    np.testing.assert_allclose(clopper, case["clopper"], rtol=1e-10, atol=1e-14)
    wilson = proportion_interval(*arguments, "wilson")
    np.testing.assert_allclose(wilson, case["wilson"], rtol=1e-10, atol=1e-14)


def exact_power(slope, sd_slope, sigma, subjects):
    """Of a balanced design: the mean of the slopes of subjects, by Student's t."""
    days = np.arange(10) - 4.5
    error = np.sqrt((sd_slope**2 + sigma**2 / (days @ days)) / subjects)
    df = subjects - 1
    limit = stats.t.ppf(0.975, df)
    upper = stats.nct.sf(limit, df, slope / error)
    return upper + stats.nct.cdf(-limit, df, slope / error)


def test_power_is_that_of_the_noncentral_t_distribution(sleep):
    nsim, params = 1000, {"Days": 3.0, "sd_Days|Subject": 6.0, "sigma": 20.0}
    p = il.power(sleep, "Days", nsim, along="Subject", sizes=[9, 18, 30], params=params, seed=2)
    assert p.frame.index.tolist() == [9, 18, 30] and p.frame.index.name == "Subject"
    for size, row in p.frame.iterrows():
        expected = exact_power(3.0, 6.0, 20.0, size)
        assert abs(row["power"] - expected) < 4.5 * np.sqrt(expected * (1.0 - expected) / nsim)
        assert row["lower"] < row["power"] < row["upper"] and row["n"] == nsim
        assert row["significant"] == round(row["power"] * nsim)
    # significant estimates are too large the more, the less the power
    assert p.frame["type_m"].is_monotonic_decreasing and p.frame["type_m"].iloc[-1] > 1.0
    nothing = il.power(sleep, "Days", 800, params={"Days": 0.0}, seed=1)
    assert abs(nothing.power - 0.05) < 4.5 * np.sqrt(0.05 * 0.95 / 800)
    assert np.isnan(nothing.frame["type_m"].iloc[0])


def test_errors_are_those_of_the_replicates(sleep):
    p = il.power(sleep, "Days", 300, along="Subject", sizes=[6], params={"Days": 1.0}, seed=1)
    drawn = p.replicates[6]
    chosen = drawn.loc[drawn["p_value"] < 0.05, "estimate"]
    row = p.frame.loc[6]
    assert row["significant"] == len(chosen) > 5
    assert row["type_m"] == pytest.approx(chosen.abs().mean() / 1.0)
    assert row["type_s"] == pytest.approx((chosen < 0.0).mean())
    assert p.truth == 1.0


def test_numbers_do_not_depend_on_workers(sleep, cbpp):
    for m, test in ((sleep, "Days"), (cbpp, "period")):
        one = il.power(m, test, 60, seed=5)
        other = il.power(m, test, 60, seed=5, workers=2)
        pd.testing.assert_frame_equal(one.frame, other.frame)
        assert not one.replicates[m.nobs].equals(il.power(m, test, 60, seed=6).replicates[m.nobs])


def test_every_replicate_is_the_test_of_its_refit(sleep, cbpp):
    """p-values are those that the methods of results give for the same responses."""
    for method in ("satterthwaite", "kenward-roger", "normal"):
        sums = il.power(sleep, "Days", 300, method=method, params={"Days": 5.0}, seed=1)
        rows = il.power(
            sleep, lambda m, d=method: m.t_test("Days", df_method=d)["p_value"].iloc[0], 120,
            params={"Days": 5.0}, seed=2,
        )  # fmt: skip
        p = sums.power
        assert abs(p - rows.power) < 4.5 * np.sqrt(p * (1.0 - p) * (1.0 / 300 + 1.0 / 120))
    z = il.power(cbpp, "period[T.4]", 40, seed=3)
    drawn = il.power(cbpp, lambda m: m.fe_pvalues["period[T.4]"], 40, seed=3)
    np.testing.assert_allclose(
        z.replicates[56]["p_value"], drawn.replicates[56]["p_value"], rtol=1e-10
    )
    joint = il.power(cbpp, "period", 40, seed=3)
    drawn = il.power(cbpp, lambda m: m.anova()["Pr(>Chisq)"].iloc[0], 40, seed=3)
    np.testing.assert_allclose(
        joint.replicates[56]["p_value"], drawn.replicates[56]["p_value"], rtol=1e-8
    )
    assert "type_m" not in joint.frame


def test_likelihood_ratios(sleep, cbpp):
    lrt = il.power(sleep, "Days", 60, method="lrt", params={"Days": 4.0}, seed=1)
    small = il.update(sleep, ". ~ . - Days")
    same = il.power(sleep, small, 60, params={"Days": 4.0}, seed=1)
    p_values = lrt.replicates[180]["p_value"], same.replicates[180]["p_value"]
    np.testing.assert_allclose(*p_values, rtol=1e-8)
    t = il.power(sleep, "Days", 400, params={"Days": 4.0}, seed=2)
    assert abs(lrt.power - t.power) < 0.2
    drawn = il.power(
        sleep,
        lambda m: il.anova(m, small.refit(m.fit.design.y))["Pr(>Chisq)"].iloc[1],
        20,
        params={"Days": 4.0},
        seed=1,
    )
    np.testing.assert_allclose(
        drawn.replicates[180]["p_value"], lrt.replicates[180]["p_value"][:20], rtol=1e-4
    )
    assert il.power(cbpp, "period", 20, method="lrt", seed=1).power > 0.5


def test_the_only_term_is_the_default(sleep):
    m = il.fit("angle ~ recipe * temp + (1 | recipe:replicate)", il.load_dataset("cake"))
    assert il.power(sleep, nsim=5, seed=1).test.startswith("Days = 0, t test (Satterthwaite)")
    with pytest.raises(ArgumentError, match="the terms are recipe, temp, recipe:temp"):
        il.power(m)
    assert il.power(m, "recipe", 30, seed=1).test.startswith("the term 'recipe'")
    assert "temp" in repr(il.power(m, "temp = 0.1", 5, seed=1))
    assert "<table>" in il.power(m, "temp", 5, seed=1)._repr_html_()


# -- the truth ---------------------------------------------------------------------------------


TRUTHS = {
    "one factor": (il.fit, SLEEP, "sleepstudy", {}),
    "nested": (il.fit, "strength ~ 1 + (1 | batch / cask)", "Pastes", {}),
    "binomial": (
        il.glmer, "incidence / size ~ period + (1 | herd)", "cbpp",
        {"family": "binomial", "weights": "size"},
    ),
    "zero-inflated": (
        il.glmer, "count ~ mined + (1 | site)", "Salamanders",
        {"family": "nbinom2", "ziformula": "~ mined"},
    ),
    "negative binomial": (
        il.glmer, "count ~ mined + (1 | site)", "Salamanders", {"family": "nbinom2"},
    ),
    "without random effects": (il.glm, "count ~ mined", "Salamanders", {"family": "nbinom2"}),
    "zeros alone": (
        il.glm, "count ~ mined", "Salamanders", {"family": "poisson", "ziformula": "~ mined"},
    ),
    "least squares": (il.glm, "Reaction ~ Days", "sleepstudy", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", TRUTHS)
def test_parameters_by_name_are_what_is_drawn_from(name):
    door, formula, data, arguments = TRUTHS[name]
    m = door(formula, il.load_dataset(data), **arguments)
    names, values = parameter_names(m.fit), parameter_values(m.fit)
    wanted = np.where([name.startswith("cor_") for name in names], -0.4, values * 1.25)
    truth = assumed(m.fit, None, dict(zip(names, wanted.tolist(), strict=True)))
    np.testing.assert_allclose(parameter_values(truth), wanted, rtol=1e-9)
    np.testing.assert_array_equal(parameter_values(m.fit), values)
    b = type(m)(truth).bootstrap(60, seed=1)
    first = b.frame.iloc[:, 0]
    assert abs(first.mean() - wanted[0]) < 6.0 * first.std() / np.sqrt(60) + 0.2 * abs(wanted[0])
    assert b.n_failed == 0


def test_a_truth_is_what_is_estimated(sleep):
    params = {"Days": -4.0, "sd_Days|Subject": 12.0, "sigma": 10.0}
    params["cor_Days.(Intercept)|Subject"] = -0.5
    truth = assumed(sleep.fit, None, params)
    frame = type(sleep)(truth).bootstrap(600, seed=1).frame
    for name, value in params.items():
        error = frame[name].std() / np.sqrt(600)
        assert abs(frame[name].mean() - value) < 5.0 * error + 0.03 * abs(value), name


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"Dys": 1.0}, "Did you mean 'Days'"),
        ({"sigma": 0.0}, "must be positive"),
        ({"sd_Days|Subject": -1.0}, "must not be negative"),
        ({"Days": "x"}, "must be a number"),
        ([1.0], "must be a dict"),
        ({"cor_Days.(Intercept)|Subject": 1.5}, "not positive definite"),
    ],
)
def test_what_is_no_truth_is_refused(sleep, params, said):
    with pytest.raises(ArgumentError, match=said):
        il.power(sleep, "Days", 3, params=params)


def test_parameters_of_families_have_ranges():
    sal = il.load_dataset("Salamanders")
    m = il.glm("count ~ mined", sal, "nbinom2")
    with pytest.raises(ArgumentError, match="theta = -1"):
        il.power(m, nsim=3, params={"theta": -1.0})
    m = il.glm("count ~ mined", sal, "nbinom2", ziformula="~ mined")
    with pytest.raises(ArgumentError, match="theta = -1"):
        il.power(m, nsim=3, params={"theta": -1.0})


# -- extension ---------------------------------------------------------------------------------


def test_levels_are_copied_with_what_is_nested_within_them():
    pastes = il.load_dataset("Pastes")
    m = il.fit("strength ~ 1 + (1 | batch / cask)", pastes)
    more = extended(m, "batch", None, 25)
    sizes = {f.name: len(f.levels) for f in more.fit.design.factors}
    assert sizes == {"batch": 25, "cask:batch": 75} or sizes == {"batch": 25, "batch:cask": 75}
    assert more.nobs == 150
    unique = il.fit("strength ~ 1 + (1 | batch) + (1 | sample)", pastes)
    more = extended(unique, "batch", None, 25)
    assert {f.name: len(f.levels) for f in more.fit.design.factors} == {"batch": 25, "sample": 75}
    crossed = il.fit("diameter ~ 1 + (1 | plate) + (1 | sample)", il.load_dataset("Penicillin"))
    more = extended(crossed, "plate", None, 30)
    assert {f.name: len(f.levels) for f in more.fit.design.factors} == {"plate": 30, "sample": 6}
    fewer = extended(crossed, "plate", None, 5)
    assert fewer.nobs == 30


def test_rows_within_cells_and_values_of_a_variable(sleep):
    twice = extended(sleep, None, "Subject + Days", 2)
    assert twice.nobs == 360
    longer = extended(sleep, "Days", None, 15)
    days = longer.fit.design.X[:, 1]
    assert longer.nobs == 18 * 15 and days.max() == 14.0
    shorter = extended(sleep, "Days", None, 4)
    assert sorted(set(shorter.fit.design.X[:, 1])) == [0.0, 1.0, 2.0, 3.0]
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(il.load_dataset("sleepstudy"))
    assert extended(il.fit(SLEEP, frame), "Subject", None, 20).nobs == 200
    some = il.load_dataset("sleepstudy").astype({"Reaction": float})
    some.loc[3, "Reaction"] = np.nan
    with pytest.warns(il.DataWarning):
        m = il.fit(SLEEP, some, weights=np.linspace(1, 2, 180))
    assert extended(m, "Subject", None, 36).nobs == 2 * 179


def test_more_rows_give_more_power(sleep, cbpp):
    p = il.power(
        sleep, "Days", 200, within="Subject + Days", sizes=[1, 4],
        params={"Days": 1.5, "sd_Days|Subject": 1.0}, seed=1,
    )  # fmt: skip
    assert p.frame["power"].is_monotonic_increasing and p.frame.index.name == "rows"
    p = il.power(cbpp, "period[T.2]", 40, along="herd", sizes=[8, 45], seed=1)
    assert p.frame.loc[45, "power"] > p.frame.loc[8, "power"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"sizes": [5]}, "needs along="),
        ({"along": "Subject", "within": "Days"}, "both given"),
        ({"along": "Subjct"}, "Did you mean 'Subject'"),
        ({"along": "Subject", "sizes": [0]}, "positive whole numbers"),
        ({"test": "Dys"}, "Dys"),
        ({"test": lambda m: 2.0}, "no p-value"),
        ({"method": "lrt", "test": 3}, "leaves out a term"),
        ({"nsim": 0}, "nsim must be"),
        ({"interval": "wald"}, "clopper-pearson"),
    ],
)
def test_refusals(sleep, arguments, said):
    with pytest.raises(ArgumentError, match=said):
        il.power(sleep, **{"test": "Days", "nsim": 3, **arguments})


def test_other_refusals(sleep):
    with pytest.raises(ArgumentTypeError, match="power takes a fitted model"):
        il.power(5)
    with pytest.raises(ArgumentError, match="which this result does not hold"):
        drawn = sleep.refit(sleep.simulate(seed=1)["sim_1"])
        il.power(drawn, "Days", 3, along="Subject", sizes=[5])
    m = il.fit("angle ~ recipe + (1 | recipe:replicate)", il.load_dataset("cake"))
    with pytest.raises(ArgumentError, match="has other coefficients"):
        il.power(m, "recipe[T.B]", 3, along="recipe", sizes=[4])
    with pytest.raises(ArgumentError, match="has other coefficients"):
        il.power(m, "recipe[T.B]", 3, along="recipe", sizes=[2])


def test_data_that_changed_since_the_fit_are_not_copied():
    data = il.load_dataset("sleepstudy")
    m = il.fit("Reaction ~ Days + (1 | Subject)", data)
    data.index = data.index[::-1]  # rows are known by their labels
    with pytest.raises(ArgumentError, match="the data have changed since the fit"):
        il.power(m, "Days", nsim=2, along="Subject", sizes=[4])


def test_the_only_coefficient_of_a_term_names_it():
    teeth = il.load_dataset("Orthodont")
    m = il.fit("distance ~ age * Sex + (1 | Subject)", teeth)
    p, same = (
        il.power(m, test, 3, method="lrt", seed=1).replicates[108]["p_value"]
        for test in ("age:Sex[T.Female]", "age:Sex")
    )
    np.testing.assert_allclose(p, same)


def test_one_of_several_coefficients_is_no_term(cbpp):
    with pytest.raises(ArgumentError, match=r"one of 3 coefficients of 'period'"):
        il.power(cbpp, "period[T.2]", 3, method="lrt")
