"""What the results of all models offer under the same names, and what they refuse."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from helpers.fitted_models import CBPP, EPIL, GAMMA, fitted
from helpers.frame_libraries import ALL_LIBRARIES

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError
from interlace.families import resolve
from interlace.tables.summary.parts import abbreviate

SLEEP = "Reaction ~ Days + (Days | Subject)"
COUNTS = "cbind(incidence, size - incidence) ~ period"


def of_rows(table: pd.DataFrame) -> list[str]:
    return [name for name in table if not name.startswith(".")]


# -- augment ---------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ALL_LIBRARIES)
def test_augment_has_the_variables_of_the_formula(library) -> None:
    data = il.load_dataset("grouseticks")
    given = ALL_LIBRARIES[library](data)
    m = il.glm("TICKS ~ YEAR + scale(HEIGHT)", given, "poisson")
    table = m.augment()
    assert of_rows(table) == ["TICKS", "YEAR", "HEIGHT"]
    np.testing.assert_array_equal(table["HEIGHT"], data["HEIGHT"])
    assert table["YEAR"].astype(str).tolist() == data["YEAR"].astype(str).tolist()


def test_augment_of_mixed_models_has_response_and_groups(fit_cache, dataset) -> None:
    table = fitted(*CBPP).augment()
    counts = "cbind(incidence, size - incidence)"
    assert of_rows(table) == [counts, "incidence", "size", "period", "herd"]
    pd.testing.assert_series_equal(table["period"], dataset("cbpp")["period"])
    np.testing.assert_allclose(table[counts], table["incidence"] / table["size"], rtol=1e-14)
    assert of_rows(fit_cache("sleepstudy", SLEEP).augment()) == ["Reaction", "Days", "Subject"]
    binary = il.glmer("y ~ trt + (1 | ID)", dataset("bacteria"), "binomial").augment()
    assert set(binary["y"]) == {"n", "y"}


def test_augment_keeps_the_rows_used(dataset) -> None:
    data = dataset("sleepstudy")
    m = il.fit(SLEEP, data, subset="Days > 2")
    pd.testing.assert_frame_equal(
        m.augment()[["Reaction", "Days", "Subject"]],
        data.loc[data["Days"] > 2, ["Reaction", "Days", "Subject"]],
    )


def test_augment_after_a_refit_has_the_new_response(dataset) -> None:
    m = il.fit(SLEEP, dataset("sleepstudy"))
    again = m.refit(m.simulate(seed=3)["sim_1"])
    table = again.augment()
    assert of_rows(table) == ["Reaction", "Days", "Subject"]
    np.testing.assert_array_equal(table["Reaction"], again.fit.design.y)


def test_augment_does_not_show_data_that_have_changed(dataset) -> None:
    data = dataset("sleepstudy")
    m = il.fit(SLEEP, data)
    data["Days"] -= 4.0
    assert m.augment()["Days"].tolist() == dataset("sleepstudy")["Days"].tolist()
    groups = dataset("sleepstudy")
    m = il.fit(SLEEP, groups)
    groups["Subject"] = groups["Subject"].to_numpy()[::-1]
    assert m.augment()["Subject"].iloc[0] == dataset("sleepstudy")["Subject"].iloc[0]


def test_augment_of_a_pickle_has_the_columns_of_the_model_matrix(dataset) -> None:
    m = pickle.loads(pickle.dumps(il.glm(COUNTS, dataset("cbpp"), "binomial")))
    assert of_rows(m.augment())[1:] == ["period[T.2]", "period[T.3]", "period[T.4]"]


# -- the same names on all results ------------------------------------------------------------


def test_a_glm_has_the_names_of_the_mixed_models(dataset) -> None:
    m = il.glm(COUNTS, dataset("cbpp"), "binomial")
    pd.testing.assert_frame_equal(m.tidy(effects="fixed"), m.tidy())
    pd.testing.assert_frame_equal(m.tidy(["fixed"]), m.tidy())
    with pytest.raises(ArgumentError, match="'ran_pars': .* write effects='fixed'"):
        m.tidy("ran_pars")
    found = json.loads(json.dumps(m.to_dict(), allow_nan=False))
    assert found["fe_params"] == m.params.to_dict() and found["deviance"] == m.deviance
    assert found["convergence"]["verdict"] == "converged" and found["link"] == "logit"
    saturated = il.glm("y ~ x", {"y": [1.0, 2.0], "x": [0.0, 1.0]})
    assert json.loads(json.dumps(saturated.to_dict(), allow_nan=False))["dispersion"] is None
    assert (m.df_model, m.nparams) == (3, 4)


def test_terms_of_a_glm_are_tested_as_those_of_a_mixed_model(dataset) -> None:
    m = il.glm("y ~ Base * trt + Age", dataset("epil2"), "poisson")
    table = m.anova()
    assert list(table) == ["Chisq", "Df", "Pr(>Chisq)"]
    own = m.wald_test("Age", "Chisq")
    assert table.loc["Age", "Chisq"] == pytest.approx(own.statistic, rel=1e-10)
    three = m.anova(type="III")
    assert not np.isclose(three.loc["Base", "Chisq"], table.loc["Base", "Chisq"])
    with pytest.raises(ArgumentError, match="test='F' needs an estimated dispersion"):
        m.anova(test="F")


def test_a_glm_is_refitted(dataset) -> None:
    data = dataset("cbpp")
    m = il.glm(COUNTS, data, "binomial")
    other = m.simulate(seed=1)["sim_1"]
    again = il.glm("other ~ period", data.assign(other=other), "binomial", weights="size")
    np.testing.assert_allclose(m.refit(other).params, again.params, rtol=1e-10)


def test_the_link_of_a_glm_is_an_argument(dataset) -> None:
    m = il.glm(COUNTS, dataset("cbpp"), "binomial", link="probit")
    same = il.glm(COUNTS, dataset("cbpp"), "binomial(probit)")
    assert m.link == "probit" and m.params.equals(same.params)
    assert il.update(m, ". ~ 1").link == "probit"


# -- responses of a refit ---------------------------------------------------------------------


def test_refit_takes_what_the_fit_took(dataset) -> None:
    data = dataset("bacteria")
    m = il.glmer("y ~ trt + (1 | ID)", data, "binomial")
    for response in (data["y"], data["y"].astype(str).tolist(), data["y"] == "y"):
        assert m.refit(response).llf == pytest.approx(m.llf, abs=1e-8)
    with pytest.raises(ArgumentError, match="levels of the fit's response: 'n', 'y'"):
        m.refit(["maybe"] * len(data))
    cows = dataset("cbpp")
    counts = np.column_stack([cows["incidence"], cows["size"] - cows["incidence"]])
    assert fitted(*CBPP).refit(counts).llf == pytest.approx(fitted(*CBPP).llf, abs=1e-8)
    with pytest.raises(ArgumentError, match="add up to the trials"):
        fitted(*CBPP).refit(counts + 1)
    with pytest.raises(ArgumentError, match="two columns of successes and failures"):
        fitted(*CBPP).refit(cows["incidence"])


# -- tidy and glance --------------------------------------------------------------------------


def test_exponentials_are_for_links_of_logarithms(fit_cache, dataset) -> None:
    with pytest.raises(ArgumentError, match="the link here is 'identity'"):
        fit_cache("sleepstudy", SLEEP).tidy(exponentiate=True)
    with pytest.raises(ArgumentError, match="the link here is 'probit'"):
        il.glm(COUNTS, dataset("cbpp"), "binomial(probit)").tidy(exponentiate=True)
    logs = fit_cache("sleepstudy", "log(Reaction) ~ Days + (1 | Subject)")
    ratio = logs.tidy("fixed", exponentiate=True)["estimate"]
    np.testing.assert_allclose(ratio, np.exp(logs.fe_params), rtol=1e-14)
    assert len(fitted(*GAMMA).tidy(exponentiate=True))


def test_the_dispersion_is_in_tidy_and_glance(dataset) -> None:
    m = fitted(*GAMMA)
    last = m.tidy().iloc[-1]
    assert (last["group"], last["term"]) == ("Residual", "sd__Observation")
    assert last["estimate"] == m.sigma
    assert m.glance()["dispersion"].item() == m.dispersion
    gaussian = il.glmer("Reaction ~ Days + (1 | Subject)", dataset("sleepstudy"), "gaussian(log)")
    assert (gaussian.tidy()["term"] == "sd__Observation").sum() == 1
    assert fitted(*EPIL).glance()["theta"].item() == fitted(*EPIL).disp_params["theta"]
    assert "sd__Observation" not in fitted(*EPIL).tidy()["term"].tolist()
    assert not {"theta", "dispersion"} & set(fitted(*CBPP).glance())
    nb = il.glm("y ~ Base", dataset("epil2"), "negativebinomial")
    assert nb.glance()["theta"].item() == nb.disp_params["theta"]


def test_missing_names_of_effects_are_missing_alike(fit_cache) -> None:
    for table in (fitted(*CBPP).VarCorr(), fit_cache("sleepstudy", SLEEP).VarCorr()):
        missing = table["term2"][table["term2"].isna()]
        assert all(isinstance(value, float) for value in missing)


# -- texts ------------------------------------------------------------------------------------


def test_abbreviations_are_distinct_and_keep_what_tells_levels_apart() -> None:
    assert abbreviate(["Intercept", "YEAR[T.96]", "YEAR[T.97]"]) == ["Intrcp", "Y[T.96", "Y[T.97"]
    long = ["trt[T.placebo]", "trt[T.progabide]", "x1234567", "x1234568"]
    short = abbreviate(long)
    assert len(set(short)) == 4 and short[2:] == long[2:]


def test_a_prediction_prints_a_line(fit_cache) -> None:
    text = repr(fitted(*CBPP).get_prediction())
    assert text.startswith("Predictions of 56 rows: means ") and len(text.splitlines()) == 1
    missing = fit_cache("sleepstudy", SLEEP).get_prediction({"Days": [np.nan]}, include_re=False)
    assert "all missing" in repr(missing)


def test_refusals_name_what_there_is(fit_cache, dataset) -> None:
    m = fitted(*CBPP)
    with pytest.raises(ArgumentTypeError, match="True for all, False for none"):
        m.predict(include_re=None)
    with pytest.raises(ArgumentTypeError, match=r"seed must be a whole number.*'a'"):
        m.simulate(seed="a")
    with pytest.raises(ArgumentError) as caught:
        m.confint(method="profit")
    assert "Satterthwaite" not in str(caught.value)
    with pytest.raises(ArgumentError) as caught:
        m.conf_int(df_method="containment")
    assert "satterthwaite" not in str(caught.value)
    with pytest.raises(ArgumentError, match="'satterthwaite'"):
        fit_cache("sleepstudy", SLEEP).conf_int(df_method="containment")
    with pytest.raises(ArgumentError, match=r"'period' is a term.*\['period\[T\.2\]'"):
        m.wald_test("period")


def of_statsmodels(name: str, link: str) -> object:
    """An object such as statsmodels' families are: only its class and link tell what it is."""
    module = {"__module__": "statsmodels.genmod.families"}
    return type(name, (), module | {"link": type(link, (), module)()})()


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("nbinom2(theta=2)", r"il.NegativeBinomial\(theta=2\)"),
        (of_statsmodels("Poisson", "Log"), "write family='poisson', link='log'"),
        (of_statsmodels("Gamma", "InversePower"), "write family='gamma', link='inverse'"),
        (of_statsmodels("NegativeBinomial", "Log"), r"theta=1/alpha"),
        (of_statsmodels("Tweedie", "Log"), "write family='tweedie', link='log'"),
        (of_statsmodels("Wishart", "Log"), "not among the families here"),
    ],
)
def test_families_of_other_programs(family, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        resolve(family)


def test_a_data_frame_as_family_is_not_printed(dataset) -> None:
    with pytest.raises(ArgumentTypeError, match="are family and data swapped") as caught:
        resolve(dataset("cbpp"))
    assert "\n" not in str(caught.value)


def test_what_was_dropped_is_counted():
    sleep = il.load_dataset("sleepstudy")
    sleep.loc[[2, 5], "Days"] = np.nan
    sleep["twice"] = 2.0 * sleep["Days"]
    with pytest.warns(il.DataWarning):
        models = [
            il.fit("Reaction ~ Days + twice + (1 | Subject)", sleep),
            il.glmer("Reaction ~ Days + twice + (1 | Subject)", sleep, "Gamma(log)"),
            il.glm("Reaction ~ Days + twice", sleep),
        ]
    for m in models:
        assert (m.n_missing, m.nobs, m.dropped_columns) == (2, 178, ("twice",))
        assert m.missing_by["Days"] == 2


def test_questions_about_random_effects_need_some():
    m = il.glm("Reaction ~ Days", il.load_dataset("sleepstudy"))
    for ask in (il.isSingular, il.VarCorr):
        with pytest.raises(il.ArgumentTypeError, match="random effects"):
            ask(m)


NAMES = {
    "I(Days^2)": ("I(Days ** 2)", "I(Days^2)"),
    "as.numeric(Days > 3)": ("numeric(Days > 3)", "as.numeric(Days > 3)"),
    "I(Days %in% c(2, 4))": ("I(Days in c(2, 4))", "I(Days %in% c(2, 4))"),
    "I(!(Days > 3))": ("I(not Days > 3)", "I(!Days > 3)"),
    "I(Days %/% 2)": ("I(Days // 2)", "I(Days %/% 2)"),
    "I(Days %% 2)": ("I(Days % 2)", "I(Days %% 2)"),
    "factor(Days > 3)": ("factor(Days > 3)[T.True]", "factor(Days > 3)True"),
}


@pytest.mark.parametrize("term", NAMES)
def test_expressions_have_r_names_that_serve_in_hypotheses(term):
    m = il.glm(f"Reaction ~ {term} + {term}:log(Days + 1)", il.load_dataset("sleepstudy"))
    _, r = NAMES[term]
    assert m.tidy(r_names=True)["term"].iloc[1] == r
    own = m.t_test(m.fe_params.index[1])
    pd.testing.assert_frame_equal(m.t_test(f"{r} = 0"), own)


def test_levels_and_texts_keep_their_spelling():
    data = pd.DataFrame({"f": ["u", "a ** b", "x in y"] * 4, "y": np.arange(12.0) ** 2})
    data["z ** 2"] = np.arange(12) % 5
    data["g(x ** 2)"] = np.arange(12) % 4
    m = il.glm("y ~ relevel(f, ref='x in y') + `z ** 2` + `g(x ** 2)`", data)
    assert m.tidy(r_names=True)["term"].tolist() == [
        "(Intercept)",
        "relevel(f, ref='x in y')a ** b",
        "relevel(f, ref='x in y')u",
        "z ** 2",
        "g(x^2)",  # read as a call: a column of such a name is none in R
    ]


def test_one_row_no_coefficient():
    sleep = il.load_dataset("sleepstudy")
    m = il.lmer("Reaction ~ 0 + (1 | Subject)", sleep)
    assert "\n  fixed: none\n" in repr(m)
    assert repr(m.get_prediction(sleep.head(1))).startswith("Predictions of 1 row: means")
