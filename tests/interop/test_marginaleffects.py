"""The adapter for marginaleffects against emmeans of our own (held to R's) and differences.

The package needs Polars below 2, so that it is no part of the test dependencies:
``python -m nox -s marginaleffects`` installs it and runs these.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError

me = pytest.importorskip("marginaleffects")
pytestmark = pytest.mark.filterwarnings("ignore")  # of its own dependencies

from interlace.interop.marginaleffects import adapt  # noqa: E402

# Its own step for standard errors, 1e-8 of a coefficient, is lost in the rounding of slopes.
STEP = 1e-4
# Of probabilities it is not: forward differences with it are exact to about the step itself.
SHORT_STEP = 1e-6
# Means of a linear model are linear in its coefficients: a long step is exact, and rounds least.
LINEAR_STEP = 0.1


@pytest.fixture(scope="module")
def orthodont():
    return il.fit("distance ~ age * Sex + (age | Subject)", il.load_dataset("Orthodont"))


@pytest.fixture(scope="module")
def salamanders():
    d = il.load_dataset("Salamanders")
    return il.glmer("count ~ mined + cover + (1 | site)", d, "nbinom2", ziformula="~ mined")


def test_slopes_means_and_comparisons_of_a_linear_model(orthodont):
    model = adapt(orthodont)
    slopes = me.avg_slopes(model, variables="age", by="Sex", eps_vcov=LINEAR_STEP)
    expected = orthodont.emtrends("Sex", "age").to_frame()
    np.testing.assert_allclose(slopes["estimate"], expected["age.trend"], rtol=1e-7)
    np.testing.assert_allclose(slopes["std_error"], expected["std_error"], rtol=1e-6)
    means = me.avg_predictions(model, by="Sex", eps_vcov=LINEAR_STEP)
    expected = orthodont.emmeans("Sex").to_frame()
    np.testing.assert_allclose(means["estimate"], expected["emmean"], rtol=1e-9)
    np.testing.assert_allclose(means["std_error"], expected["std_error"], rtol=1e-6)
    difference = me.avg_comparisons(model, variables="Sex", eps_vcov=LINEAR_STEP)
    expected = orthodont.emmeans("Sex").pairs(reverse=True).to_frame()
    np.testing.assert_allclose(difference["estimate"], expected["estimate"], rtol=1e-9)
    np.testing.assert_allclose(difference["std_error"], expected["std_error"], rtol=1e-6)
    test = me.hypotheses(model, "age = 0.5", eps_vcov=LINEAR_STEP)
    own = orthodont.t_test("age = 0.5")
    np.testing.assert_allclose(test["statistic"], own["statistic"], rtol=1e-6)


def by_differences(m, value):
    """The delta method by differences in all coefficients, of a function of them."""
    from interlace.inference.components import coefficients, covariance_of_all

    beta = np.concatenate(list(coefficients(m.fit).values()))
    h = 1e-5
    slopes = [(value(beta + h * e) - value(beta - h * e)) / (2.0 * h) for e in np.eye(beta.size)]
    J = np.array(slopes)
    return float(value(beta)), float(np.sqrt(J @ covariance_of_all(m.fit) @ J))


def test_the_mean_of_all_linear_predictors(salamanders):
    """mu (1 - p) of each row, by hand."""
    d = il.load_dataset("Salamanders")

    def mean(beta, mined):
        no = (mined == "no").astype(float)
        eta = beta[0] + beta[1] * no + beta[2] * d["cover"]
        zero = 1.0 / (1.0 + np.exp(-(beta[4] + beta[5] * no)))
        return np.exp(eta) * (1.0 - zero)

    # coefficients of the mean, log dispersion, those of the zeros
    names = list(salamanders.fit.design.predictors)
    order = {"mean": [0, 1, 2], "dispersion": [3], "zi": [4, 5]}
    sizes = np.concatenate([order[name] for name in names])
    place = np.argsort(sizes)

    def averaged(beta, level):
        return mean(beta[place], pd.Series(np.full(len(d), level))).mean()

    model = adapt(salamanders)
    expected = by_differences(
        salamanders, lambda beta: averaged(beta, "no") - averaged(beta, "yes")
    )
    found = me.avg_comparisons(model, variables="mined", eps_vcov=STEP)
    assert found["estimate"].item() == pytest.approx(expected[0], rel=1e-8)
    assert found["std_error"].item() == pytest.approx(expected[1], rel=2e-4)


def test_random_effects_enter_when_asked_for(salamanders):
    d = il.load_dataset("Salamanders")
    for include in (False, True):
        found = me.avg_predictions(adapt(salamanders, include_re=include), by="mined")
        expected = salamanders.predict(include_re=include).groupby(d["mined"], observed=True).mean()
        assert dict(zip(found["mined"], found["estimate"])) == pytest.approx(expected.to_dict())


@pytest.mark.parametrize("kind", ["glm", "glmer", "offset", "polars", "trials"])
def test_kinds_of_models(kind):
    d = il.load_dataset("Salamanders").assign(t=lambda f: 1.0 + f["cover"] ** 2)
    if kind == "trials":
        c = il.load_dataset("cbpp")
        m = il.glmer("incidence / size ~ period + (1 | herd)", c, "binomial", weights="size")
        variable = "period"
    else:
        data = d
        if kind == "polars":
            data = pytest.importorskip("polars").from_pandas(d)
        text = "count ~ mined + cover" + (" + offset(log(t))" if kind == "offset" else "")
        fit = il.glm if kind in ("glm", "offset") else il.glmer
        m = fit(text + ("" if fit is il.glm else " + (1 | site)"), data, "poisson")
        variable = "mined"
    found = me.avg_predictions(adapt(m), by=variable)
    levels = np.asarray(m._data[variable])
    expected = pd.Series(np.asarray(m.predict() if fit_is_glm(m) else m.predict(include_re=False)))
    expected = expected.groupby(levels.astype(str)).mean()
    assert dict(zip(found[variable], found["estimate"])) == pytest.approx(expected.to_dict())
    link = me.avg_comparisons(adapt(m, type="link"), variables=variable, eps_vcov=STEP)
    own = m.emmeans(variable).contrast("trt.vs.ctrl", "none").to_frame()
    np.testing.assert_allclose(np.sort(link["estimate"]), np.sort(own["estimate"]), rtol=1e-7)
    np.testing.assert_allclose(np.sort(link["std_error"]), np.sort(own["std_error"]), rtol=1e-5)


def fit_is_glm(m) -> bool:
    return isinstance(m, il.GLMResult)


def test_plots_are_drawn(orthodont):
    assert me.plot_predictions(adapt(orthodont), condition=["age", "Sex"]) is not None
    points = me.slopes(
        adapt(orthodont), variables="age", newdata=me.datagrid(adapt(orthodont), Sex=["Male"])
    )
    assert points["estimate"].item() == pytest.approx(0.784375)


WINE = il.load_dataset("wine")
ORDERED = {
    "plain": lambda: il.clm("rating ~ temp * contact", WINE),
    "structured": lambda: il.clm("rating ~ temp", WINE, threshold="symmetric", link="probit"),
    "nominal": lambda: il.clm("rating ~ temp", WINE, nominal="~ contact"),
    "scale": lambda: il.clm("rating ~ temp", WINE, scale="~ contact", threshold="equidistant"),
    "mixed": lambda: il.clmm("rating ~ temp + (1 | judge)", WINE, nominal="~ contact"),
}


@pytest.mark.parametrize("kind", ORDERED)
def test_ordered_categories_have_a_probability_each(kind):
    m = ORDERED[kind]()
    own = m.predict(se=True, **({"include_re": False} if kind == "mixed" else {}))
    found = me.predictions(adapt(m), eps_vcov=SHORT_STEP).sort("group", "rowid")
    columns = [str(level) for level in m.fit.levels]
    assert found["group"].unique(maintain_order=True).to_list() == columns
    expected = np.concatenate([own["prediction"][level] for level in m.fit.levels])
    np.testing.assert_allclose(found["estimate"], expected, rtol=1e-10)
    errors = np.concatenate([own["se"][level] for level in m.fit.levels])
    np.testing.assert_allclose(found["std_error"], errors, rtol=1e-5)
    # averages of a category, and differences between them that add up to nothing
    means = me.avg_predictions(adapt(m), by="temp")
    assert means.filter(means["temp"] == "warm")["estimate"].sum() == pytest.approx(1.0)
    steps = me.avg_comparisons(adapt(m), variables="contact" if kind == "nominal" else "temp")
    assert steps["estimate"].sum() == pytest.approx(0.0, abs=1e-12)
    assert (steps["std_error"] > 0.0).all()


def test_other_types_of_ordered_categories():
    m = ORDERED["mixed"]()
    cumulative = me.avg_predictions(adapt(m, type="cum.prob"))
    expected = m.predict(type="cum.prob", include_re=False).mean()
    np.testing.assert_allclose(cumulative["estimate"], expected, rtol=1e-10)
    score = me.avg_predictions(adapt(m, type="mean.class", include_re=True))
    assert score["estimate"].item() == pytest.approx(m.predict(type="mean.class").mean())
    plain = ORDERED["plain"]()
    test = me.hypotheses(adapt(plain), "b0 = 0", eps_vcov=STEP)
    assert test["estimate"].item() == pytest.approx(plain.thresholds.iloc[0])


def test_zeros_have_a_probability_and_the_rest_a_mean(salamanders):
    d = il.load_dataset("Salamanders")
    for kind in ("zprob", "conditional"):
        found = me.avg_predictions(adapt(salamanders, type=kind), by="mined")
        own = salamanders.predict(type=kind, include_re=False)
        expected = own.groupby(d["mined"], observed=True).mean()
        assert dict(zip(found["mined"], found["estimate"])) == pytest.approx(expected.to_dict())


def test_models_without_rows_take_those_of_data(orthodont):
    d = il.load_dataset("Orthodont")
    summed = il.fit("distance ~ age * Sex + (age | Subject)", d, compress=True)
    stored = il.from_json(orthodont.to_json())
    expected = me.avg_slopes(adapt(orthodont), variables="age", by="Sex", eps_vcov=LINEAR_STEP)
    for m in (summed, stored):
        with pytest.raises(ArgumentError, match="give data="):
            adapt(m)
        found = me.avg_slopes(
            adapt(m, data=d.drop(columns="distance")), variables="age", by="Sex",
            eps_vcov=LINEAR_STEP,
        )  # fmt: skip
        np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=1e-6)
        np.testing.assert_allclose(found["std_error"], expected["std_error"], rtol=1e-5)
    with pytest.raises(ArgumentTypeError, match="data must be a data frame"):
        adapt(stored, data=3)


def test_numbers_made_factors_names_with_blanks_and_models_without_variables():
    d = il.load_dataset("sleepstudy").rename(columns={"Days": "the day"})
    m = il.fit("Reaction ~ factor(`the day`) + (1 | Subject)", d)
    found = me.avg_comparisons(adapt(m), variables="the day")
    np.testing.assert_allclose(found["estimate"], m.fe_params.iloc[1:], rtol=1e-8)
    straight = il.fit("Reaction ~ `the day` + (1 | Subject)", d)
    slope = me.avg_slopes(adapt(straight), variables="the day")["estimate"].item()
    assert slope == pytest.approx(straight.fe_params.iloc[1], rel=1e-6)
    alone = il.fit("Reaction ~ 1 + (1 | Subject)", d)
    mean = me.avg_predictions(adapt(alone), eps_vcov=LINEAR_STEP)
    assert mean["estimate"].item() == pytest.approx(alone.fe_params.iloc[0])
    assert mean["std_error"].item() == pytest.approx(alone.bse.iloc[0], rel=1e-8)


def test_an_offset_named_by_its_column_is_one_of_the_variables():
    d = il.load_dataset("Salamanders").assign(effort=lambda f: 0.1 * f["cover"] + 1.0)
    m = il.glm("count ~ mined", d, "poisson", offset="effort")
    assert me.avg_predictions(adapt(m))["estimate"].item() == pytest.approx(m.predict().mean())
    moved = me.predictions(adapt(m), newdata=me.datagrid(adapt(m), effort=[0.0, 1.0]))
    ratio = moved["estimate"][1] / moved["estimate"][0]
    assert ratio == pytest.approx(np.e)


def test_data_that_have_changed_are_not_averaged_over():
    d = il.load_dataset("sleepstudy")
    m = il.fit("Reaction ~ Days + (1 | Subject)", d)
    d["Days"] = d["Days"] + 1.0
    with pytest.raises(ArgumentError, match="other values"):
        adapt(m)
    assert me.avg_predictions(adapt(m, data=d))["estimate"].item() > m.predict().mean()


def test_what_is_refused():
    d = il.load_dataset("Salamanders")
    m = il.glm("count ~ mined", d, "poisson", offset=np.ones(len(d)))
    with pytest.raises(ArgumentError, match="offset was given as an array"):
        adapt(m)
    other = il.glm("count ~ mined", d, "poisson")
    with pytest.raises(ArgumentError, match="this model has the types"):
        adapt(other, type="mean.class")
    ordered = ORDERED["plain"]()
    with pytest.raises(ArgumentError, match="ordered categories have the types"):
        adapt(ordered, type="zprob")
    with pytest.raises(ArgumentError, match="all their parts together"):
        adapt(ordered, component="scale")
    with pytest.raises(ArgumentTypeError, match="adapt takes a fitted model"):
        adapt("m")
