"""Models of ordered categories: from the call to what is made of a fit."""

from __future__ import annotations

import inspect
import json
import pickle
import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY

import interlace as il
from interlace.errors import ArgumentError, DataError, DataWarning, FormulaError, InterlaceWarning

WINE = il.load_dataset("wine")


def reference_after() -> dict[str, Any]:
    """What R makes of fits."""
    path = R_PARITY / "references" / "ordinal_after.json"
    return json.loads(path.read_text(encoding="utf-8"))


MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "flexible": ("rating ~ temp + contact", {}),
    "probit": ("rating ~ temp + contact", {"link": "probit", "threshold": "equidistant"}),
    "symmetric": ("rating ~ temp + contact", {"link": "cloglog", "threshold": "symmetric"}),
    "nominal": ("rating ~ temp", {"nominal": "~ contact"}),
    "scale": ("rating ~ temp + contact", {"scale": "~ temp"}),
    "both": ("rating ~ temp", {"nominal": "~ contact", "scale": "~ temp", "link": "loglog"}),
}
CASES = [(name, mixed) for name in MODELS for mixed in (False, True)]
# Sums of a few hundred probabilities.
EXACT = 1e-10


@cache
def fitted(name: str, mixed: bool) -> Any:
    formula, given = MODELS[name]
    if mixed:
        return il.clmm(f"{formula} + (1 | judge)", WINE, **given)
    return il.clm(formula, WINE, **given)


# -- what is estimated ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "mixed"), CASES)
def test_the_likelihood_is_that_of_the_probabilities(name: str, mixed: bool) -> None:
    m = fitted(name, mixed)
    codes = m.fit.observations.y.astype(int)
    p = m.predict().to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=EXACT)
    own = p[np.arange(len(p)), codes]
    np.testing.assert_allclose(m.fittedvalues, own, rtol=EXACT)
    if not mixed:
        np.testing.assert_allclose(np.log(own).sum(), m.llf, rtol=EXACT)
    z = m.predict(type="linear.predictor").to_numpy()
    below = m.fit.family.link.inverse(z)
    np.testing.assert_allclose(m.predict(type="cum.prob"), below, rtol=EXACT)
    np.testing.assert_allclose(np.cumsum(p, axis=1)[:, :-1], below, rtol=1e-8)
    np.testing.assert_allclose(m.predict(type="mean.class"), p @ np.arange(1, 6), rtol=EXACT)
    assert (m.predict(type="class").cat.codes == p.argmax(axis=1)).all()


def test_a_binomial_model_is_one_of_two_categories() -> None:
    data = WINE.assign(good=WINE["rating"].cat.codes > 2, weight=np.arange(72) % 3 + 1.0)
    m = il.clm("good ~ temp + contact", data, weights="weight")
    other = il.glm("good ~ temp + contact", data, "binomial", weights="weight")
    np.testing.assert_allclose(m.fe_params, other.params[1:], rtol=1e-6)
    np.testing.assert_allclose(-m.thresholds.iloc[0], other.params.iloc[0], rtol=1e-6)
    np.testing.assert_allclose(m.llf, other.llf, rtol=EXACT)
    mixed = il.clmm("good ~ temp + contact + (1 | judge)", data, link="probit")
    glmm = il.glmer(
        "good ~ temp + contact + (1 | judge)", data, "binomial", link="probit", laplace="observed"
    )
    np.testing.assert_allclose(mixed.llf, glmm.llf, rtol=1e-9)
    np.testing.assert_allclose(mixed.fe_params, glmm.fe_params[1:], rtol=1e-4)
    np.testing.assert_allclose(mixed.theta, glmm.theta, rtol=1e-4)


def test_the_order_of_categories_mirrors_the_model() -> None:
    levels = list("54321")
    for link, other in (("logit", "logit"), ("probit", "probit"), ("cloglog", "loglog")):
        m = il.clmm("rating ~ temp + (1 | judge)", WINE, link=link)
        back = il.clmm("rating ~ temp + (1 | judge)", WINE, link=other, levels=levels)
        np.testing.assert_allclose(m.llf, back.llf, rtol=EXACT)
        np.testing.assert_allclose(m.fe_params, -back.fe_params, rtol=1e-4)
        np.testing.assert_allclose(m.thresholds, -back.thresholds[::-1], rtol=1e-3, atol=1e-4)


def test_weights_repeat_rows_and_offsets_move_the_latent_variable() -> None:
    count = np.arange(72) % 3 + 1
    repeated = WINE.loc[WINE.index.repeat(count)].reset_index(drop=True)
    m = il.clm("rating ~ temp", WINE, weights=count)
    other = il.clm("rating ~ temp", repeated)
    np.testing.assert_allclose(m.llf, other.llf, rtol=EXACT)
    np.testing.assert_allclose(m.bse, other.bse, rtol=1e-6)
    shift = 0.3 * np.sin(np.arange(72.0))
    moved = il.clm("rating ~ temp", WINE, offset=shift + 2.0)
    base = il.clm("rating ~ temp", WINE, offset=shift)
    np.testing.assert_allclose(moved.llf, base.llf, rtol=EXACT)
    np.testing.assert_allclose(moved.thresholds, base.thresholds + 2.0, rtol=1e-6)


def test_units_and_places_of_covariates_do_not_matter() -> None:
    x = np.random.default_rng(1).normal(size=72)
    m = il.clmm("rating ~ x + temp + (1 | judge)", WINE.assign(x=x))
    for scale, place in ((1e6, 0.0), (1e-6, 0.0), (1.0, 2000.0)):
        other = il.clmm("rating ~ x + temp + (1 | judge)", WINE.assign(x=scale * x + place))
        np.testing.assert_allclose(other.llf, m.llf, rtol=1e-9)
        np.testing.assert_allclose(other.fe_params["x"] * scale, m.fe_params["x"], rtol=1e-4)
        np.testing.assert_allclose(other.bse["x"] * scale, m.bse["x"], rtol=1e-4)


def test_standard_errors_of_probabilities_are_those_of_draws() -> None:
    m = fitted("both", False)
    rng = np.random.default_rng(1)
    fit = m.fit
    at = np.concatenate([fit.location, fit.zeta])
    draws = rng.multivariate_normal(at, 1e-6 * fit.cov_coefficients, 4000)
    from dataclasses import replace

    values = []
    for draw in draws:
        solution = replace(fit.solution, beta=draw[: fit.location.size], zeta=draw[fit.p :])
        moved = replace(fit, solution=solution)
        values.append(il.CLMResult(moved).predict(WINE.head(1)).to_numpy()[0])
    se = m.predict(WINE.head(1), se=True)["se"].to_numpy()[0]
    np.testing.assert_allclose(np.std(values, axis=0) * 1e3, se, rtol=0.06)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("type", ["prob", "cum_prob", "linear.predictor", "mean.class", "link"])
def test_predictions_are_objects_as_those_of_other_models(mixed: bool, type: str) -> None:
    m, new = fitted("flexible", mixed), WINE.head(3)[["temp", "contact"]].assign(judge=["1"] * 3)
    asked: dict[str, Any] = {"include_re": False} if mixed else {}
    p = m.get_prediction(new, type, **asked)
    plain = m.predict(new, type, se=True, interval=True, level=0.9, **asked)
    frame, ends = p.summary_frame(alpha=0.1), p.conf_int(0.1)
    names = ("mean", "mean_se", "mean_ci_lower", "mean_ci_upper")
    for name, other in zip(names, ("prediction", "se", "lower", "upper"), strict=True):
        np.testing.assert_array_equal(frame[name], plain[other])
        assert frame[[name]].shape == plain[[other]].shape and frame.index.equals(new.index)
    np.testing.assert_array_equal(ends["upper"], plain["upper"])
    np.testing.assert_array_equal(p.mean.squeeze(), np.squeeze(plain["prediction"]))
    assert "3 rows" in repr(p) and "mean_ci_upper" in p._repr_html_()
    again = pickle.loads(pickle.dumps(p))
    pd.testing.assert_frame_equal(again.summary_frame(0.1), frame)


def test_predictions_of_rows_left_out_are_missing() -> None:
    lost = WINE.assign(temp=WINE["temp"].where(WINE.index != WINE.index[2]))
    with pytest.warns(DataWarning):
        m = il.clm("rating ~ temp", lost, na_action="exclude")
    frame = m.get_prediction().summary_frame()
    assert len(frame) == len(WINE) and frame.iloc[2].isna().all()
    assert frame.drop(index=frame.index[2]).notna().all(axis=None)
    with pytest.raises(ArgumentError, match="has no standard error"):
        m.get_prediction(type="class")
    with pytest.raises(ArgumentError, match=r"summary_frame\(\)"):
        m.get_prediction(interval="prediction")


def test_averages_over_random_effects() -> None:
    m = fitted("flexible", True)
    new = pd.DataFrame({"temp": ["warm"], "contact": ["no"]})
    b = m.theta.iloc[0] * np.random.default_rng(1).normal(size=400_000)
    z = m.predict(new, type="linear.predictor", include_re=False).to_numpy()[0]
    below = [(1.0 / (1.0 + np.exp(-(own - b)))).mean() for own in z]
    average = m.predict(new, type="cum.prob", marginal=True).to_numpy()[0]
    np.testing.assert_allclose(average, below, atol=2e-3)
    table = m.predict(new, marginal=True, se=True)
    assert (table["se"].to_numpy() > 0.0).all()
    np.testing.assert_allclose(table["prediction"].sum(axis=1), 1.0, rtol=EXACT)


# -- after the fit -------------------------------------------------------------------------------

#: Arguments of the methods that need some, given a result.
ARGUMENTS: dict[str, Any] = {
    "refit": lambda m: (m.simulate(seed=3)["sim_1"],),
    "refit_many": lambda m: (m.simulate(2, seed=3),),
    "simulate_refit": lambda m: (2,),
    "params_of": lambda m: ("cond",),
    "bse_of": lambda m: ("threshold",),
    "t_test": lambda m: ("temp[T.warm]",),
    "wald_test": lambda m: ("temp[T.warm]",),
    "f_test": lambda m: ("temp[T.warm]",),
    "emmeans": lambda m: ("temp",),
    "bootstrap": lambda m: (2,),
    "bootMer": lambda m: (None, 2, 1),
    "cross_val": lambda m: ("row", 3),
}
REFUSED = {
    "level_residuals": "linear mixed model",
    "influence": "exact=True",
    "dfbeta": "exact=True",
    "dfbetas": "exact=True",
    "emtrends": None,
    "overdispersion": "categories",
    "vif": "beside the intercept",
}


# categories drawn from a model need not be in all groups
@pytest.mark.filterwarnings("ignore::interlace.errors.ConvergenceWarning")
@pytest.mark.parametrize(("name", "mixed"), CASES)
def test_every_name_answers_or_says_why_not(name: str, mixed: bool) -> None:
    m = fitted(name, mixed)
    for attribute in dir(type(m)):
        if attribute.startswith("_") or REFUSED.get(attribute, "") is None:
            continue
        try:
            value = getattr(m, attribute)
            if inspect.ismethod(value):
                arguments = ARGUMENTS[attribute](m) if attribute in ARGUMENTS else ()
                assert value(*arguments) is not None, attribute
        except ArgumentError as error:
            assert len(str(error)) > 40, attribute


@pytest.mark.parametrize(("name", "mixed"), CASES)
def test_results_survive_a_pickle_and_a_refit(name: str, mixed: bool) -> None:
    m = fitted(name, mixed)
    other = pickle.loads(pickle.dumps(m))
    for kind in ("prob", "class", "mean.class"):
        assert np.all(other.predict(WINE.head(4), kind) == m.predict(WINE.head(4), kind))
    assert str(other.summary()) == str(m.summary())
    again = m.refit(WINE["rating"])
    assert type(again) is type(m) and type(again.fit) is type(m.fit)
    np.testing.assert_allclose(again.llf, m.llf, rtol=1e-9)
    np.testing.assert_allclose(again.params, m.params, rtol=1e-3, atol=1e-3)


def test_intervals_by_profile_are_where_the_likelihood_ratio_is() -> None:
    m = fitted("symmetric", False)
    half = 0.5 * 3.841458820694124
    interval = m.confint("spacing.1", r_names=False).loc["spacing.1"]
    for end in interval:
        # fitted with the distance held: the weight on the others is all that is left
        def below(other: np.ndarray, end: float = end) -> float:
            w = np.array([other[0], np.exp(other[1]), end])
            zeta = np.array([w[0], other[1], np.log(end)])
            x = np.concatenate([other[2:], zeta])
            return float(m.fit.objective.evaluate(x, 0).value)

        from scipy.optimize import minimize

        x = m.fit.optimum.x
        start = np.concatenate([x[2:4], x[:2]])
        value = minimize(below, start, method="BFGS", options={"gtol": 1e-6}).fun
        np.testing.assert_allclose(0.5 * value + m.llf, half, rtol=2e-4)


AFTER = reference_after()["models"]


@pytest.mark.parametrize("id", AFTER)
def test_what_r_makes_of_a_fit(id: str) -> None:
    expected = AFTER[id]
    given = {name: expected[name] for name in ("link", "threshold")}
    m = il.clm(expected["formula"], WINE, **given)
    table = m.predict(expected["rows"], se=True, interval=True)
    for block, name in (
        ("prediction", "prob"), ("se", "se"), ("lower", "lower"), ("upper", "upper"),
    ):  # fmt: skip
        np.testing.assert_allclose(table[block], expected[name], rtol=1e-5, atol=1e-8)
    assert m.predict(expected["rows"], type="class").tolist() == expected["class"]
    # R's limits are interpolated between the points of its profiles
    limits = m.confint(expected["confint_names"])
    np.testing.assert_allclose(limits, expected["confint"], atol=2e-3)
    for name, table in (expected.get("tests") or {}).items():
        own = getattr(m, name)().iloc[1:]
        assert own.index.tolist() == table["terms"] and own["Df"].tolist() == table["df"]
        np.testing.assert_allclose(own["LRT"], table["lrt"], atol=1e-6)
        np.testing.assert_allclose(own["Pr(>Chi)"], table["p"], atol=1e-6)
    for mode, means in expected["means"].items():
        own = m.emmeans("temp", mode=mode)
        np.testing.assert_allclose(own.estimate, means["estimate"], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(own.std_error, means["se"], rtol=1e-5)


def test_residuals_are_centred_and_of_their_kinds() -> None:
    m = fitted("scale", True)
    own = m.residuals()
    p, codes = m.predict().to_numpy(), m.fit.observations.y.astype(int)
    below = np.concatenate([np.zeros((72, 1)), np.cumsum(p, axis=1)], axis=1)
    rows = np.arange(72)
    np.testing.assert_allclose(own, below[rows, codes] + below[rows, codes + 1] - 1.0, atol=1e-10)
    for kind in ("surrogate", "quantile"):
        values = m.residuals(kind)
        assert np.isfinite(values).all() and abs(values.mean()) < 0.5
        assert (values == m.residuals(kind)).all()
        assert (values != m.residuals(kind, seed=2)).any()
    with pytest.raises(ArgumentError, match="no difference from a mean"):
        il.diagnostics.ordinal_residuals.ordinal_residuals(m.fit, "pearson")


def test_names_and_order_are_rs() -> None:
    m = fitted("flexible", True)
    names = ["1|2", "2|3", "3|4", "4|5", "temp[T.warm]", "contact[T.yes]"]
    assert m.params.index.tolist() == m.bse.index.tolist() == m.vcov().index.tolist() == names
    assert m.conf_int().index.tolist() == names
    assert m.thresholds.index.tolist() == names[:4] == m.threshold_bse.index.tolist()
    np.testing.assert_allclose(np.sqrt(np.diagonal(m.vcov())), m.bse, rtol=EXACT)
    np.testing.assert_allclose(m.threshold_bse, m.bse[:4], rtol=1e-8)
    tidy = m.tidy()
    assert set(tidy["component"].dropna()) == {"cond", "threshold"}


# -- data and what is refused --------------------------------------------------------------------


def test_frames_of_all_kinds() -> None:
    pl = pytest.importorskip("polars")
    m = fitted("flexible", True)
    kinds = {
        "numbers": WINE.assign(rating=WINE["rating"].astype(int)),
        "texts of numbers": WINE.assign(rating=WINE["rating"].astype(str)),
        "floats": WINE.assign(rating=WINE["rating"].astype(float) / 2.0),
        "enum": pl.DataFrame(
            {
                name: WINE[name].astype(str).to_list()
                for name in ("rating", "temp", "contact", "judge")
            },
            schema_overrides={"rating": pl.Enum(list("12345"))},
        ),
    }
    for data in kinds.values():
        other = il.clmm("rating ~ temp + contact + (1 | judge)", data)
        np.testing.assert_allclose(other.llf, m.llf, rtol=1e-10)
    words = dict(zip("12345", ["awful", "bad", "fair", "good", "great"], strict=True))
    data = WINE.assign(rating=WINE["rating"].astype(str).map(words))
    other = il.clmm("rating ~ temp + contact + (1 | judge)", data, levels=list(words.values()))
    np.testing.assert_allclose(other.llf, m.llf, rtol=1e-10)
    assert other.predict(type="class").cat.categories.tolist() == list(words.values())
    own = {name: WINE[name].astype(str).to_list() for name in ("temp", "contact", "judge")}
    own["rating"] = data["rating"].to_list()
    enum = pl.DataFrame(own, schema_overrides={"rating": pl.Enum(list(words.values()))})
    other = il.clmm("rating ~ temp + contact + (1 | judge)", enum)
    np.testing.assert_allclose(other.llf, m.llf, rtol=1e-10)
    assert other.predict(type="class").cat.categories.tolist() == list(words.values())
    with pytest.raises(DataError, match="have no order: give it as levels="):
        il.clm("rating ~ temp", data)
    with pytest.raises(ArgumentError, match="lacks 'awful'"):
        il.clm("rating ~ temp", data, levels=["bad", "fair", "good", "great"])


def test_rows_without_a_value_and_categories_without_a_row() -> None:
    data = WINE.copy()
    data.loc[[3, 9], "rating"] = np.nan
    with pytest.warns(DataWarning, match="missing values"):
        m = il.clm("rating ~ temp", data, na_action="exclude")
    assert m.nobs == 70 and m.predict().isna().all(axis=1).sum() == 2
    assert m.predict(type="class").isna().sum() == 2
    few = WINE[WINE["rating"] != "3"]
    with pytest.warns(DataWarning, match="'3' of rating have no row"):
        m = il.clm("rating ~ temp", few)
    assert m.levels == ["1", "2", "4", "5"]
    with pytest.raises(DataError, match="one category only"):
        il.clm("rating ~ temp", WINE[WINE["rating"] == "3"])
    with pytest.raises(DataError, match="measurements rather than categories"):
        il.clm("response ~ temp", WINE.assign(response=np.arange(72.0)))


def test_separation_is_said() -> None:
    data = WINE.assign(low=(WINE["rating"].cat.codes < 2).astype(float))
    with pytest.warns(il.ConvergenceWarning, match="low have no finite estimate|low"):
        m = il.clm("rating ~ low + temp", data)
    assert not m.converged and "low" in m.infinite


def test_separation_is_said_of_mixed_models_too() -> None:
    x = np.random.default_rng(1).normal(size=200)
    data = {"y": np.digitize(3.0 * x, [-2.0, 0.0, 2.0]), "x": x, "g": np.arange(200) % 10}
    with pytest.warns(il.ConvergenceWarning, match="no finite estimate"):
        m = il.clmm("y ~ x + (1 | g)", data)
    assert m.fit.verdict == "separated"


def test_thresholds_that_cross_have_no_probabilities() -> None:
    m = il.clm("rating ~ 1", WINE.assign(z=np.sin(np.arange(72.0))), nominal="~ z")
    p = m.predict({"z": [0.0, 500.0]})
    assert np.isfinite(p.iloc[0]).all() and p.iloc[1].isna().all()


def test_power_of_a_difference_and_of_named_thresholds() -> None:
    m = fitted("flexible", True)
    truth = {"contact[T.yes]": 0.0, "1|2": -3.0}
    power = il.power(m, "contact[T.yes]", nsim=4, params=truth, seed=1)
    assert power.to_frame().shape[0] == 1
    drawn = m.bootstrap(3, seed=1).frame
    assert {"1|2", "4|5", "temp[T.warm]"} <= set(drawn)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: il.clm("rating ~ 0 + temp", WINE), FormulaError, "thresholds stand for"),
        (lambda: il.clm("rating ~ temp + (1 | judge)", WINE), FormulaError, "no random effects"),
        (lambda: il.clmm("rating ~ temp", WINE), FormulaError, "needs a random term"),
        (lambda: il.clm("rating ~ temp", WINE, link="log"), ArgumentError, "links that do"),
        (lambda: il.clm("rating ~ temp", WINE, threshold="free"), ArgumentError, "threshold"),
        (
            lambda: il.clm("rating ~ temp", WINE, nominal="~ temp"),
            ArgumentError,
            "leave them out of formula",
        ),
        (
            lambda: il.clmm("rating ~ (1 | judge)", WINE, scale="~ (1 | judge)"),
            ArgumentError,
            "no random effects",
        ),
        (lambda: il.glmer("rating ~ (1 | judge)", WINE, "ordinal"), ArgumentError, "il.clmm"),
        (lambda: il.glm("rating ~ temp", WINE, il.Ordinal(list("12345"))), ArgumentError, "il.clm"),
        (
            lambda: il.clmm("rating ~ (1 | judge)", WINE, nAGQ=0),
            ArgumentError,
            "whose thresholds it cannot estimate",
        ),
        (lambda: il.clm("rating ~ 1", WINE, nominal="~ 0 + temp"), FormulaError, "its intercept"),
        (lambda: il.clm("cbind(rating, temp) ~ 1", WINE), DataError, "two columns"),
        (lambda: fitted("scale", False).predict(type="class", se=True), ArgumentError, "class"),
    ],
)
def test_what_is_refused(call: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize(("name", "mixed"), CASES)
def test_hypotheses_are_about_all_coefficients(name: str, mixed: bool) -> None:
    m = fitted(name, mixed)
    names, V = list(m.params.index), m.vcov().to_numpy()
    table = m.t_test(np.eye(len(names)))
    np.testing.assert_allclose(table["estimate"], m.params, rtol=EXACT)
    np.testing.assert_allclose(table["std_error"], m.bse, rtol=EXACT)
    first, last = names[0], names[-1]
    row = m.t_test(f"{last} - `{first}` = 1").iloc[0]
    np.testing.assert_allclose(row["estimate"], m.params[last] - m.params[first], rtol=EXACT)
    variance = V[0, 0] + V[-1, -1] - 2.0 * V[0, -1]
    np.testing.assert_allclose(row["std_error"], np.sqrt(variance), rtol=EXACT)
    joint = m.wald_test([first, last])
    b, C = m.params[[first, last]].to_numpy(), V[np.ix_([0, -1], [0, -1])]
    np.testing.assert_allclose(joint.statistic, b @ np.linalg.solve(C, b), rtol=1e-8)
    only = m.t_test("temp[T.warm]", component="cond")
    np.testing.assert_allclose(only["estimate"], m.params["temp[T.warm]"], rtol=EXACT)


@pytest.mark.parametrize("by", ["row", "judge"])
@pytest.mark.parametrize(("name", "mixed"), CASES)
def test_rows_held_out_have_the_probabilities_of_a_normal_predictor(
    name: str, mixed: bool, by: str
) -> None:
    """P(y) = E F((alpha_j - eta) / sigma), eta normal: estimates and unknown judges vary."""
    m = fitted(name, mixed)
    if by == "judge" and not mixed:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterlaceWarning)  # of folds without all categories
        cv = m.cross_val(by, k=3, seed=4, scoring=["rmse", "log_score"], return_models=True)
    nodes, weights = np.polynomial.hermite_e.hermegauss(81)
    compared = 0
    for label, kept in zip(cv.scores.index, cv.fold_results, strict=True):
        other, own = kept["model"], cv.predictions["fold"] == label
        rows, y = WINE[own.to_numpy()], cv.predictions.loc[own, "observed"].astype(int)
        if not other.converged or not np.isfinite(other.vcov().to_numpy()).all():
            continue
        eta = other.predict(rows, type="link", se=True, new_levels="population")
        z = other.predict(rows, type="linear.predictor", new_levels="population").to_numpy()
        between = other.fit.T[0][0, 0] ** 2 if by == "judge" else 0.0
        warm = 1.0 * (rows["temp"] == "warm").to_numpy()
        tau = np.exp(-warm * other.scale_params.sum())
        step = tau * np.sqrt(eta["se"].to_numpy() ** 2 + between)
        below = other.fit.family.link.inverse(z[:, :, None] - step[:, None, None] * nodes)
        below = below @ weights / weights.sum()
        p = np.diff(np.c_[np.zeros(len(z)), below, np.ones(len(z))], axis=1)
        np.testing.assert_allclose(
            np.exp(cv.predictions.loc[own, "log_density"]), p[np.arange(len(p)), y], rtol=1e-6
        )
        compared += 1
    assert compared
