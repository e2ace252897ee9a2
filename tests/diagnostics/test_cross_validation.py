"""Cross-validation against fits of frames without the rows, and densities by brute force."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers.fitted_models import CBPP, fitted
from helpers.hand_families import HandPoisson
from scipy.stats import binom, norm, poisson

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError, DataWarning

SLEEP = "Reaction ~ Days + (Days | Subject)"
Z = np.linspace(-9.0, 9.0, 3001)
WEIGHTS = np.exp(-0.5 * Z * Z) / np.exp(-0.5 * Z * Z).sum()


@pytest.fixture(scope="module")
def sleep():
    return il.load_dataset("sleepstudy")


@pytest.fixture(scope="module")
def linear(sleep):
    return il.fit(SLEEP, sleep)


def test_subjects_left_out_of_a_linear_model(sleep, linear) -> None:
    cv = linear.cross_val("Subject", scoring=["rmse", "mae", "r2", "log_score"])
    table = cv.predictions
    for subject in ("308", "335"):
        out = sleep["Subject"] == subject
        other = il.fit(SLEEP, sleep[~out])
        made = other.get_prediction(sleep[out], include_re=False)
        np.testing.assert_allclose(table.loc[out, "predicted"], made.mean, rtol=1e-6)
        # mean, a new subject's effects, residual
        density = norm.logpdf(sleep.loc[out, "Reaction"], made.mean, made.obs_se)
        np.testing.assert_allclose(table.loc[out, "log_density"], density, rtol=1e-5)
        gap = sleep.loc[out, "Reaction"] - made.mean
        scores = cv.scores.loc[subject]
        assert scores["rmse"] == pytest.approx(np.sqrt((gap**2).mean()), rel=1e-6)
        assert scores["mae"] == pytest.approx(np.abs(gap).mean(), rel=1e-6)
        total = ((sleep.loc[out, "Reaction"] - sleep.loc[out, "Reaction"].mean()) ** 2).sum()
        assert scores["r2"] == pytest.approx(1.0 - (gap**2).sum() / total, rel=1e-6)
        assert scores["log_score"] == pytest.approx(density.mean(), rel=1e-6)
    assert list(cv.scores.index) == sorted(sleep["Subject"].unique())
    gap = table["observed"] - table["predicted"]
    assert cv.pooled["rmse"] == pytest.approx(np.sqrt((gap**2).mean()), rel=1e-12)
    assert cv.elpd == pytest.approx(table["log_density"].sum(), rel=1e-12)
    sums = table.groupby("group")["log_density"].sum()
    assert cv.elpd_se == pytest.approx(np.sqrt(18) * sums.std(ddof=1), rel=1e-12)
    assert cv.converged.all() and list(table.index) == list(sleep.index)


def test_rows_of_known_subjects(sleep, linear) -> None:
    cv = linear.cross_val("row", k=6, scoring=["rmse", "log_score"], seed=3)
    table = cv.predictions
    out = table["fold"] == 2
    other = il.fit(SLEEP, sleep[~out])
    made = other.get_prediction(sleep[out], theta_error="none")
    np.testing.assert_allclose(table.loc[out, "predicted"], made.mean, rtol=1e-6)
    density = norm.logpdf(sleep.loc[out, "Reaction"], made.mean, made.obs_se)
    np.testing.assert_allclose(table.loc[out, "log_density"], density, rtol=1e-5)
    assert cv.elpd_se == pytest.approx(np.sqrt(180) * table["log_density"].std(ddof=1), rel=1e-12)


def test_herds_left_out_of_a_binomial_model() -> None:
    data = il.load_dataset("cbpp")
    m = fitted(*CBPP)
    cv = m.cross_val("herd", scoring=["log_score", "brier"])
    table = cv.predictions
    out = (data["herd"].astype(str) == "4").to_numpy()
    other = il.glmer(CBPP[1], data[~out], "binomial")
    new = data[out]
    mean = other.predict(new, new_levels="population", marginal=True)
    np.testing.assert_allclose(table["predicted"][out], mean, rtol=1e-6)
    made = other.get_prediction(new, new_levels="population", new_level_variance=True)
    k, n = new["incidence"].to_numpy(), new["size"].to_numpy()
    for j, row in enumerate(np.flatnonzero(out)):
        p = 1.0 / (1.0 + np.exp(-made.linear[j] - made.linear_se[j] * Z))
        density = np.log(binom.pmf(k[j], n[j], p) @ WEIGHTS)
        assert table["log_density"].iloc[row] == pytest.approx(density, rel=1e-5)
    by_hand = (k * (1.0 - mean) ** 2 + (n - k) * mean**2).sum() / n.sum()
    assert cv.scores["brier"].loc["4"] == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize(
    "given", [{}, {"ziformula": "~ FoodTreatment"}, {"dispformula": "~ FoodTreatment"}]
)
def test_counts_with_several_predictors(given) -> None:
    data = il.load_dataset("Owls")
    formula, family = "SiblingNegotiation ~ FoodTreatment + (1 | Nest)", "nbinom2"
    m = il.glmer(formula, data, family, **given)
    cv = m.cross_val("Nest", scoring=["rmse", "log_score"], k=4)
    out = cv.predictions["fold"] == 1
    other = il.glmer(formula, data[~out], family, **given)
    mean = other.predict(data[out], new_levels="population", marginal=True)
    np.testing.assert_allclose(cv.predictions.loc[out, "predicted"], mean, rtol=1e-4)
    assert cv.predictions["log_density"].notna().all()
    # probabilities of counts, no densities
    assert (cv.predictions["log_density"] < 0.0).all()


def test_a_model_without_random_effects_with_weights_and_offset() -> None:
    rng = np.random.default_rng(1)
    n = 90
    data = pd.DataFrame({"x": rng.normal(size=n), "t": rng.uniform(1.0, 5.0, n)})
    data["y"] = rng.poisson(data.t * np.exp(0.3 + 0.5 * data.x))
    data["g"] = rng.integers(6, size=n)
    m = il.glm("y ~ x + offset(log(t))", data, "poisson")
    cv = m.cross_val("g", scoring="log_score")
    out = data["g"] == 2
    other = il.glm("y ~ x + offset(log(t))", data[~out], "poisson")
    made = other.get_prediction(data[out])
    np.testing.assert_allclose(cv.predictions.loc[out, "predicted"], made.mean, rtol=1e-8)
    mu = np.exp(made.linear[:, None] + made.linear_se[:, None] * Z)
    density = np.log(poisson.pmf(data.loc[out, "y"].to_numpy()[:, None], mu) @ WEIGHTS)
    np.testing.assert_allclose(cv.predictions.loc[out, "log_density"], density, rtol=1e-6)
    weights = rng.integers(1, 5, n)
    w = il.fit("y ~ x + (1 | g)", data, weights=weights)
    folds = w.cross_val("g", scoring="log_score").predictions
    other = il.fit("y ~ x + (1 | g)", data[~out], weights=weights[~out])
    made = other.get_prediction(data[out], new_levels="population")
    sd = np.sqrt(made.obs_se**2 - other.scale + other.scale / weights[out])
    density = norm.logpdf(data.loc[out, "y"], made.mean, sd)
    np.testing.assert_allclose(folds.loc[out, "log_density"], density, rtol=1e-4)


def test_folds_are_fixed_by_the_seed(linear) -> None:
    one = linear.cross_val(k=5).predictions["fold"]
    assert one.equals(linear.cross_val(k=5).predictions["fold"])
    assert not one.equals(linear.cross_val(k=5, seed=1).predictions["fold"])
    assert one.value_counts().tolist() == [36] * 5
    again = linear.cross_val(k=5, seed=np.random.default_rng(0)).predictions["fold"]
    assert one.equals(again)
    table = linear.cross_val(k=5, stratify="Subject").predictions
    subjects = linear.fit.design.factors[0].codes
    counts = pd.crosstab(subjects, table["fold"].to_numpy())
    assert (counts == 2).to_numpy().all()
    groups = linear.cross_val("Subject", k=4).predictions
    assert groups.groupby("group", observed=True)["fold"].nunique().eq(1).all()
    assert sorted(groups.drop_duplicates("group")["fold"].value_counts()) == [4, 4, 5, 5]


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    for m, by in ((il.fit(SLEEP, il.load_dataset("sleepstudy")), "Subject"), (fitted(*CBPP), None)):
        asked = {"scoring": ["rmse", "log_score"], "seed": 5}
        one = m.cross_val(by or "row", **asked)
        two = m.cross_val(by or "row", workers=3, **asked)
        pd.testing.assert_frame_equal(one.predictions, two.predictions)
        pd.testing.assert_frame_equal(one.scores, two.scores)


def test_the_function_with_the_arguments_of_the_earlier_package(sleep) -> None:
    cv = il.cross_val("Reaction ~ Days", sleep, "Subject", "logo", 5, "rmse", True)
    m = il.fit("Reaction ~ Days + (1 | Subject)", sleep)
    pd.testing.assert_series_equal(cv.scores, m.cross_val("Subject").scores)
    assert cv.mean == pytest.approx(np.mean(cv.scores)) and cv.std == np.std(cv.scores, ddof=1)
    assert len(cv.fold_results) == 18
    fold = cv.fold_results[3]
    assert fold["test_groups"] == [cv.scores.index[3]] and len(fold["train_groups"]) == 17
    assert isinstance(fold["model"], il.LMMResult) and fold["model"].nobs == 170
    score = np.sqrt(np.mean((fold["y_true"] - fold["y_pred"]) ** 2))
    assert cv.scores.iloc[3] == pytest.approx(score, rel=1e-12)
    folds = il.cross_val("Reaction ~ Days", sleep, "Subject", cv="kfold", k=3, scoring="mae")
    assert len(folds.scores) == 3 and folds.fold_results is None
    random = il.cross_val("Reaction ~ Days", sleep, "Subject", random="(Days | Subject)")
    assert random.mean == pytest.approx(il.fit(SLEEP, sleep).cross_val("Subject").mean, rel=1e-6)
    rows = il.cross_val(SLEEP, pl.from_pandas(sleep), "Subject", cv="rows", k=4)
    assert len(rows.scores) == 4
    counts = il.cross_val(
        "incidence / size ~ period", il.load_dataset("cbpp"), "herd", family="binomial",
        weights="size", scoring="brier",
    )  # fmt: skip
    assert 0.0 < counts.mean < 0.25


def test_own_scores(linear) -> None:
    def worst(observed, predicted):
        return np.abs(observed - predicted).max()

    cv = linear.cross_val("Subject", scoring=[worst, "rmse"])
    assert list(cv.scores.columns) == ["worst", "rmse"]
    table = cv.predictions
    gap = (table["observed"] - table["predicted"]).abs()
    assert cv.pooled["worst"] == pytest.approx(gap.max(), rel=1e-12)
    single = linear.cross_val("Subject", scoring=worst)
    assert isinstance(single.scores, pd.Series) and single.mean == single.scores.mean()


def test_two_models_compared() -> None:
    data = il.load_dataset("Salamanders")
    asked = {"by": "site", "scoring": "log_score"}
    p = il.glmer("count ~ mined + (1 | site)", data, "poisson").cross_val(**asked)
    n = il.glmer("count ~ mined + (1 | site)", data, "nbinom2").cross_val(**asked)
    found = n.compare(p).iloc[0]
    assert found["elpd_difference"] == pytest.approx(n.elpd - p.elpd, rel=1e-10)
    assert found["elpd_difference"] > 2.0 * found["std_error"]
    gap = n.predictions["log_density"] - p.predictions["log_density"]
    sums = gap.groupby(n.predictions["group"]).sum()
    assert found["std_error"] == pytest.approx(np.sqrt(23) * sums.std(ddof=1), rel=1e-10)
    with pytest.raises(ArgumentError, match="rows or folds of the two differ"):
        n.compare(
            il.glmer("count ~ 1 + (1 | site)", data, "poisson").cross_val(scoring="log_score")
        )
    with pytest.raises(ArgumentTypeError, match="another result of cross_val"):
        n.compare(3)


def test_folds_that_leave_no_model(sleep) -> None:
    """Without subject 308 the coefficient of a column of its own is not determined."""
    data = sleep.assign(odd=(sleep["Subject"] == "308") * 1.0)
    m = il.fit("Reaction ~ Days + odd + (1 | Subject)", data)
    with pytest.warns(DataWarning, match=r"1 of 18 folds have no fit \(308\)"):
        cv = m.cross_val("Subject", scoring=["rmse", "log_score"])
    gone = data["odd"] == 1.0
    assert cv.predictions["predicted"].isna().equals(gone)
    assert np.isnan(cv.scores.loc["308"]).all() and np.isfinite(cv.pooled).all()
    assert not cv.converged["308"] and np.isfinite(cv.elpd)
    assert "10 row(s) without a prediction" in repr(cv)


def test_dropped_rows_columns_of_the_data_and_pickles(sleep) -> None:
    data = sleep.assign(week=sleep["Days"] // 5)
    data.loc[[3, 40], "Reaction"] = np.nan
    with pytest.warns(DataWarning):
        m = il.fit(SLEEP, data)
    cv = m.cross_val("week")
    assert list(cv.scores.index) == [0, 1] and len(cv.predictions) == 178
    assert 3 not in cv.predictions.index
    values = m.cross_val(data["week"].loc[cv.predictions.index])
    np.testing.assert_allclose(values.scores, cv.scores)
    loaded = pickle.loads(pickle.dumps(m))
    np.testing.assert_allclose(loaded.cross_val("Subject").scores, m.cross_val("Subject").scores)
    with pytest.raises(ArgumentError, match="data of the fit are not known any more"):
        loaded.cross_val("week")


def test_tables(linear) -> None:
    cv = linear.cross_val("Subject", scoring=["rmse", "log_score"])
    frame = cv.to_frame()
    assert list(frame.columns) == ["pooled", "fold_mean", "fold_sd"]
    assert frame.loc["rmse", "fold_mean"] == cv.mean["rmse"] and cv.std["rmse"] > 0.0
    text = repr(cv)
    assert "by Subject: 18 folds" in text and "elpd -953.78, standard error 22.64" in text
    assert "<table" in cv._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"by": "Subjekt"}, "neither a grouping factor"),
        ({"k": 1}, "from 2 to the 180 rows, got 1"),
        ({"by": "Subject", "k": 19}, "from 2 to the 18 groups"),
        ({"scoring": "auc"}, "scoring must be one of 'rmse'|scoring must be one of rmse"),
        ({"scoring": []}, "scoring must be one of"),
        ({"scoring": 3}, "scoring must be one of"),
        ({"scoring": "brier"}, "for probabilities"),
        ({"by": "Subject", "stratify": "Days"}, "goes with by='row'"),
        ({"workers": 0}, "workers must be a whole number"),
        ({"seed": "a"}, "seed must be"),
    ],
)
def test_refusals(linear, arguments, match) -> None:
    with pytest.raises(ArgumentError, match=match):
        linear.cross_val(**arguments)
    with pytest.raises(ArgumentError, match=r"elpd needs scoring='log_score'"):
        _ = linear.cross_val(k=2).elpd


def test_families_of_functions_have_no_densities() -> None:
    data = il.load_dataset("Salamanders")
    own = il.glmer("count ~ mined + (1 | site)", data, HandPoisson())
    poisson_fit = il.glmer("count ~ mined + (1 | site)", data, "poisson")
    found = own.cross_val("site", k=3).scores
    np.testing.assert_allclose(found, poisson_fit.cross_val("site", k=3).scores, rtol=1e-5)
    with pytest.raises(ArgumentError, match="a quasi-likelihood only"):
        own.cross_val("site", scoring="log_score")


@pytest.mark.filterwarnings("ignore::interlace.errors.ConvergenceWarning")
def test_a_probability_without_end_takes_no_time() -> None:
    """Where few zeros are structural the logit of a fold has a standard error of 100 or more."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.poisson(3.0, 200), "z": rng.normal(size=200)})
    m = il.glm("y ~ 1", data, "poisson", ziformula="~ z")
    cv = m.cross_val(k=4, scoring="log_score")
    poisson_fit = il.glm("y ~ 1", data, "poisson").cross_val(k=4, scoring="log_score")
    assert cv.elpd == pytest.approx(poisson_fit.elpd, abs=3.0)


@pytest.mark.parametrize("group", ["batch", "batch:lot"])
def test_models_of_folds_know_the_levels_they_have_seen(group: str) -> None:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"batch": np.repeat(list("fgabcde"), 12), "lot": np.tile([3, 1, 2], 28)})
    data["y"] = rng.poisson(np.exp(0.2 * data.lot + (data.batch < "c")))
    formula = f"y ~ lot + (1 | {group})"
    m = il.glmer(formula, data, "poisson")
    cv = m.cross_val(group, k=3, seed=1, return_models=True)
    for label, kept in zip(cv.scores.index, cv.fold_results, strict=True):
        train = data[(cv.predictions["fold"] != label).to_numpy()]
        again = il.glmer(formula, train, "poisson")
        with pytest.raises(il.DataError, match="does not know"):
            kept["model"].predict(data)
        given = {"newdata": data, "new_levels": "population"}
        np.testing.assert_allclose(kept["model"].predict(**given), again.predict(**given), 1e-5)
