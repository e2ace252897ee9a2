"""Faults that users of mixed-model software have met elsewhere, each held off by a test."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import interlace as il

SLEEP = "Reaction ~ Days + (Days | Subject)"


def test_a_slope_has_its_intercept_unless_told_otherwise(fit_cache):
    assert fit_cache("sleepstudy", SLEEP).llf == pytest.approx(-871.81414, abs=1e-4)
    without = fit_cache("sleepstudy", "Reaction ~ Days + (0 + Days | Subject)")
    assert without.llf == pytest.approx(-883.2625, abs=1e-3)


def test_the_printed_criterion_and_formula_are_the_fits(fit_cache):
    text = str(fit_cache("sleepstudy", SLEEP).summary())
    assert "REML criterion at convergence: 1743.6" in text
    assert f"Formula: {SLEEP}" in text
    assert "3.26e-06" in text and "0.0000" not in text


@pytest.mark.parametrize("backend", ["auto", "schur", "superlu", "cholmod"])
def test_maximum_likelihood_moves_from_its_start_with_every_back_end(fit_cache, backend):
    if backend == "cholmod":
        pytest.importorskip("sksparse")
    # two grouping factors, so that each back end has something to factorise
    formula = "strength ~ 1 + (1 | batch/cask)"
    m = fit_cache("Pastes", formula, method="ML", backend=backend)
    assert -2.0 * m.llf == pytest.approx(247.99447, abs=1e-4)


def test_likelihood_ratio_of_a_fixed_effect(fit_cache):
    none = fit_cache("sleepstudy", "Reaction ~ 1 + (Days | Subject)", method="ML")
    full = fit_cache("sleepstudy", SLEEP, method="ML")
    assert full.llf == pytest.approx(-875.96967, abs=1e-4)
    row = il.anova(none, full).iloc[1]
    assert row["Chisq"] == pytest.approx(23.53654, abs=1e-4)
    assert row["Pr(>Chisq)"] == pytest.approx(1.226e-06, rel=1e-3)


def test_degrees_of_freedom_with_a_random_intercept_alone(fit_cache):
    df = fit_cache("sleepstudy", "Reaction ~ Days + (1 | Subject)").df
    np.testing.assert_allclose(df, [22.81, 161.0], rtol=1e-3)


def test_information_criteria_are_numbers_and_agree(fit_cache):
    m = fit_cache("sleepstudy", SLEEP)
    assert m.aic == pytest.approx(1755.628272, abs=1e-5)
    assert m.glance()["aic"].iloc[0] == m.aic
    ml = fit_cache("sleepstudy", SLEEP, method="ML")
    assert f"{ml.aic:.1f}" in str(ml.summary())


def test_three_crossed_factors_and_many_rows(fit_cache):
    m = fit_cache("InstEval", "y ~ service + (1 | s) + (1 | d) + (1 | dept:service)")
    assert m.llf == pytest.approx(-118830.767860, abs=1e-5)
    assert m.ngroups == {"s": 2972, "d": 1128, "dept:service": 28}


def test_slopes_of_a_factor_and_interactions_as_groups(fit_cache):
    m = fit_cache("Machines", "score ~ Machine + (Machine | Worker)")
    assert list(m.random_effects["Worker"]) == ["Intercept", "Machine[T.B]", "Machine[T.C]"]
    nested = fit_cache("Machines", "score ~ Machine + (1 | Worker) + (1 | Worker:Machine)")
    # levels of Worker in their own order, 6 2 4 1 3 5
    assert nested.random_effects["Worker:Machine"].index[0] == "6:A"


def test_each_factor_has_its_own_correlations(fit_cache):
    slopes = "(1 + x1 | subj) + (1 + x1 | item)"
    m = fit_cache("maximal", f"y ~ x1 + {slopes}")
    table = m.VarCorr().dropna(subset="term2")
    assert table["group"].tolist() == ["subj", "item"]
    a, b = table["sd_or_corr"]
    assert a != b


def test_estimates_are_not_rounded_and_the_repr_is_short(fit_cache):
    m = fit_cache("sleepstudy", SLEEP)
    assert m.fe_params["Days"] == pytest.approx(10.46728595959594, rel=1e-10)
    assert len(repr(m)) < 500


@pytest.fixture
def sleep(dataset):
    return dataset("sleepstudy")


def test_rows_with_missing_values_are_dropped_and_said(sleep):
    sleep.loc[[3, 70], "Days"] = np.nan
    with pytest.warns(il.DataWarning, match="dropped 2 row"):
        m = il.fit(SLEEP, sleep)
    assert m.nobs == 178 and len(m.fittedvalues) == 178


def test_nulls_of_polars_and_its_nans_are_missing(sleep):
    pl = pytest.importorskip("polars")
    days = sleep["Days"].tolist()
    frame = pl.DataFrame(
        {
            "Reaction": [None, *sleep["Reaction"][1:]],
            "Days": [*days[:5], float("nan"), *days[6:]],
            "Subject": sleep["Subject"].astype(str).tolist(),
        }
    )
    with pytest.warns(il.DataWarning, match="dropped 2 row"):
        assert il.fit(SLEEP, frame).nobs == 178


def test_rank_deficiency_gives_finite_numbers_and_a_name(sleep):
    sleep["twice"] = 2.0 * sleep["Days"]
    with pytest.warns(il.DataWarning, match="twice"):
        m = il.fit("Reaction ~ Days + twice + (1 | Subject)", sleep)
    assert np.isfinite(m.fe_params).all() and np.isfinite(m.fe_bse).all()
    assert "twice" not in m.fe_params.index


CASES = {
    "text as response": (lambda d: d.assign(Reaction="fast"), "Reaction"),
    "infinite response": (lambda d: d.assign(Reaction=d.Reaction.where(d.Days > 0, np.inf)),
                          "Reaction"),
    "infinite covariate": (lambda d: d.assign(Days=d.Days.replace(3.0, -np.inf)), "Days"),
    "one level": (lambda d: d.assign(Subject="a"), "Subject"),
    "a level per row": (lambda d: d.assign(Subject=np.arange(len(d))), "Subject"),
    "constant response": (lambda d: d.assign(Reaction=1.0), "Reaction"),
    "no rows": (lambda d: d.iloc[:0], "no rows"),
    "nothing but missing values": (lambda d: d.assign(Days=np.nan), "Days"),
    "misspelt column": (lambda d: d.rename(columns={"Days": "Day"}), "Did you mean 'Day'"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_data_are_refused_before_any_fitting(sleep, case):
    change, named = CASES[case]
    with pytest.raises(il.DataError, match=named):
        il.fit(SLEEP, change(sleep))


def test_unseen_levels_are_refused_by_name_unless_allowed(fit_cache):
    m = fit_cache("sleepstudy", SLEEP)
    new = pd.DataFrame({"Days": [0.0, 5.0, 5.0], "Subject": ["308", "308", "999"]})
    with pytest.raises(il.DataError, match="'Subject'.*'999'.*new_levels='population'"):
        m.predict(new)
    predicted = m.predict(new, new_levels="population")
    np.testing.assert_allclose(predicted, [253.6637, 351.9950, 303.7415], atol=1e-3)


def test_coefficients_keep_the_names_of_levels(fit_cache):
    m = fit_cache("cake", "angle ~ recipe + (1 | replicate)")
    assert list(m.fe_params.index) == ["Intercept", "recipe[T.B]", "recipe[T.C]"]
    assert "recipeB" in str(m.summary(r_names=True))


def test_wald_intervals_are_asked_for_as_in_r(fit_cache):
    m = fit_cache("sleepstudy", SLEEP)
    np.testing.assert_allclose(m.confint(method="Wald").loc["Days"], [7.43759, 13.49698], atol=1e-3)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_any_number_of_blas_threads_gives_the_same_fit(fit_cache, threads):
    program = (
        "import interlace as il\n"
        "m = il.fit('diameter ~ 1 + (1 | plate) + (1 | sample)', il.load_dataset('Penicillin'))\n"
        "print(repr(m.llf))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
    )
    here = fit_cache("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)").llf
    assert float(done.stdout) == pytest.approx(here, rel=1e-12)
