"""Names of the earlier package: each is there with its arguments and columns, or is answered."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import ArgumentError

SLEEP = "Reaction ~ Days + (Days | Subject)"


def test_classes_have_their_old_names(fit_cache) -> None:
    m = fit_cache("sleepstudy", SLEEP)
    assert isinstance(m, il.CrossedLMEResult)
    assert isinstance(m.bootMer(B=3, seed=1), il.BootResult)
    assert isinstance(m.all_fit(), il.AllFitResult)


def test_restricted_log_likelihood_and_degrees_of_freedom(fit_cache) -> None:
    m = fit_cache("sleepstudy", SLEEP)
    assert m.llf_restricted == m.llf and m.refit_ml().llf_restricted is None
    assert m.df_method == "satterthwaite"
    assert il.glm("Reaction ~ Days", il.load_dataset("sleepstudy")).df_method == "residual"


@pytest.mark.parametrize("formula", ["Reaction ~ Days + (1 | Subject)", SLEEP])
def test_intervals_of_random_effects(fit_cache, formula) -> None:
    m = fit_cache("sleepstudy", formula)
    table = m.random_effects_ci(level=0.9)["Subject"]
    modes, errors = m.random_effects["Subject"], m.random_effects_se["Subject"]
    for effect in modes:
        own = table if modes.shape[1] == 1 else table[effect]
        assert own.columns.tolist() == ["lower", "upper"]
        half = 1.6448536269514722 * errors[effect]
        np.testing.assert_allclose(own["lower"], modes[effect] - half, rtol=1e-12)
        np.testing.assert_allclose(own["upper"], modes[effect] + half, rtol=1e-12)


def test_standard_error_of_the_median_by_groups() -> None:
    # groups of one value each: a sample of groups is a sample of their values, each of size 5
    rng = np.random.default_rng(1)
    values = rng.normal(size=25)
    data = pd.DataFrame({"y": np.repeat(values, 5), "g": np.repeat(np.arange(25), 5)})
    data["y"] += 1e-9 * rng.normal(size=125)
    m = il.fit("y ~ 1 + (1 | g)", data)
    n = 4000
    drawn = rng.choice(values, (n, 25))
    for statistic, of in (("median", np.median), ("mean", np.mean)):
        expected = of(drawn, axis=1).std(ddof=1)
        ours = m.bootstrap_se(statistic, n, seed=2)
        # both have a relative error of sqrt((kurtosis - 1) / 4n), kurtosis below 5: five of them
        assert abs(ours / expected - 1.0) < 5.0 * np.sqrt(2.0 * 4.0 / (4.0 * n))
    assert m.bootstrap_se(seed=2) == m.bootstrap_se(np.median, seed=2)
    with pytest.raises(ArgumentError, match="statistic='mode' is not known"):
        m.bootstrap_se("mode")
    rows = m.bootstrap_se("mean", n, "observation", seed=2)  # a mean of 125 values, not of 25
    assert abs(rows / (values.std() / np.sqrt(125)) - 1.0) < 5.0 * np.sqrt(0.5 / n)


def test_standard_error_of_the_median_is_refused_without_groups(dataset) -> None:
    m = il.glm("Reaction ~ Days", dataset("sleepstudy"))
    with pytest.raises(ArgumentError, match="resample_level='observation'"):
        m.bootstrap_se()
    assert m.bootstrap_se(resample_level="observation", seed=1) > 0.0
    with pytest.raises(ArgumentError, match="at least 2"):
        m.bootstrap_se(n_bootstrap=1, resample_level="observation")


def test_influence_of_least_squares_is_that_of_deletions(dataset) -> None:
    sleep = dataset("sleepstudy").iloc[:40]
    m = il.glm("Reaction ~ Days", sleep, weights=np.linspace(1.0, 2.0, 40))
    measures = il.ols_influence_measures(m)
    np.testing.assert_array_equal(il.ols_dfbetas_qr(m), measures["dfbetas"])
    assert [*measures] == ["cooks", "hat", "dfbetas", "dffits", "residuals", "sigma"]
    for i in (0, 7, 39):
        rest = sleep.drop(sleep.index[i])
        other = il.glm("Reaction ~ Days", rest, weights=np.delete(np.linspace(1.0, 2.0, 40), i))
        size = other.sigma * np.sqrt(np.diagonal(m.fit.unscaled))
        change = (m.fe_params - other.fe_params) / size
        np.testing.assert_allclose(measures["dfbetas"][i], change, rtol=1e-8)
        row = np.array([1.0, sleep["Days"].iloc[i]])
        moved = row @ (m.fe_params - other.fe_params)
        error = other.sigma * np.sqrt(row @ m.fit.unscaled @ row)
        np.testing.assert_allclose(measures["dffits"][i], moved / error, rtol=1e-8)
    with pytest.raises(ArgumentError, match=r"m\.influence\(\)"):
        il.ols_influence_measures(il.glm("Days ~ Reaction", sleep, "poisson"))


def test_responses_are_drawn_by_a_function(fit_cache) -> None:
    m = fit_cache("sleepstudy", SLEEP)
    assert il.simulate(m, 2, seed=1).equals(m.simulate(2, seed=1))


@pytest.mark.parametrize(
    "name",
    [
        *("quantreg", "QuantRegResult", "quantreg_ker_se", "coxme", "CoxmeResult", "ols"),
        *("OLSResult", "crossed_structures", "statsmodels_structures"),
    ],
)
def test_what_is_not_here_is_answered(name) -> None:
    with pytest.raises(AttributeError, match=f"has no attribute '{name}': "):
        getattr(il, name)


@pytest.mark.parametrize("name", ["disp_method", "model"])
def test_attributes_that_are_not_here_are_answered(name, fit_cache) -> None:
    with pytest.raises(AttributeError, match=f"has no attribute '{name}': "):
        getattr(fit_cache("sleepstudy", SLEEP), name)
