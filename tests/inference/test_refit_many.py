"""Many responses at once: the numbers of refits one by one, whatever becomes of single ones."""

from __future__ import annotations

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError
from interlace.inference.parameters import parameter_names, parameter_values
from interlace.models.density import first_density
from interlace.models.glmm_many import LevelSearches
from interlace.models.lmm_many import LinearSearches
from interlace.models.many import Other
from interlace.models.observations import observe

SLEEP = "Reaction ~ Days + (Days | Subject)"
SALAMANDERS = "count ~ mined + (1 | site)"
CBPP = "incidence / size ~ period + (1 | herd)"
SIZES = {"weights": np.linspace(0.5, 2.0, 180), "offset": np.arange(180.0)}

#: Formula, data, what fits it, and its arguments.
MODELS = {
    "REML": (SLEEP, "sleepstudy", il.fit, {}),
    "ML": (SLEEP, "sleepstudy", il.fit, {"method": "ML"}),
    "independent": ("Reaction ~ Days + (Days || Subject)", "sleepstudy", il.fit, {}),
    "weights": ("Reaction ~ Days + (1 | Subject)", "sleepstudy", il.fit, SIZES),
    "few rows": ("Yield ~ 1 + (1 | Batch)", "Dyestuff", il.fit, {}),
    "singular": ("Yield ~ 1 + (1 | Batch)", "Dyestuff2", il.fit, {}),
    "three effects": ("score ~ Machine + (0 + Machine | Worker)", "Machines", il.fit, {}),
    "crossed": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", il.fit, {}),
    "nested": ("strength ~ 1 + (1 | batch / cask)", "Pastes", il.fit, {}),
    "crossed slopes": (
        "Reaction ~ Days + (Days | Subject) + (0 + Days | Days)", "sleepstudy", il.fit,
        {"weights": np.linspace(0.5, 2.0, 180), "offset": np.arange(180.0), "method": "ML"},
    ),
    "structured": ("Reaction ~ Days + cs(0 + Days | Subject)", "sleepstudy", il.fit, {}),
    "residuals": (
        "Reaction ~ Days + (1 | Subject)", "sleepstudy", il.fit,
        {"correlation": "ar1(Days | Subject)"},
    ),
    "linear": ("Reaction ~ Days", "sleepstudy", il.glm, {}),
    "glm": ("count ~ mined", "Salamanders", il.glm, {"family": "poisson"}),
    "zero-inflated": (
        SALAMANDERS, "Salamanders", il.glmer, {"family": "poisson", "ziformula": "~ mined"},
    ),
    "ordinal": ("rating ~ temp", "wine", il.clm, {}),
    "trials": (CBPP, "cbpp", il.glmer, {"family": "binomial"}),
    "prior weights": (
        "cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", il.glmer,
        {"family": "binomial", "weights": np.tile([1.0, 2.0], 28), "offset": np.linspace(0, 1, 56)},
    ),
    "counts": (SALAMANDERS, "Salamanders", il.glmer, {"family": "poisson"}),
    "overdispersed": (SALAMANDERS, "Salamanders", il.glmer, {"family": "nbinom2"}),
    "quadrature": (CBPP, "cbpp", il.glmer, {"family": "binomial", "nAGQ": 5}),
}  # fmt: skip


def fitted(name):
    formula, data, door, arguments = MODELS[name]
    return door(formula, il.load_dataset(data), **arguments)


@pytest.fixture(scope="module")
def sleep():
    return fitted("REML")


def numbers(refit):
    return np.append(parameter_values(refit.fit), refit.llf)


def agree(frame, refits, se=1.0):
    """Rows of a frame and refits one by one: eight digits, or as many of the standard errors."""
    for (_, row), refit in zip(frame.iterrows(), refits, strict=True):
        assert row["verdict"] == refit.fit.verdict and row["reason"] == ""
        assert row["converged"] == refit.converged
        expected = numbers(refit)
        got = row.iloc[: expected.size].to_numpy(float)
        np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-8 * se, equal_nan=True)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore::interlace.ConvergenceWarning")
def test_estimates_are_those_of_refits_one_by_one(name):
    m = fitted(name)
    few = name in ("zero-inflated", "residuals", "overdispersed", "quadrature", "counts")
    Y = m.simulate(4 if few else 12, seed=5)
    frame = m.refit_many(Y, workers=2)
    assert frame.columns.tolist() == [
        *parameter_names(m.fit), "llf", "converged", "verdict", "reason",
    ]  # fmt: skip
    assert frame.index.tolist() == Y.columns.tolist()
    agree(frame, [m.refit(y) for _, y in Y.items()])


def test_singular_refits_and_saddles_are_those_of_the_search():
    # a small variance between groups: half of the refits lose it, some in one direction alone
    rng = np.random.default_rng(2)
    g, x = np.repeat(np.arange(12), 6), np.tile(np.arange(6.0), 12)
    y = 0.4 * rng.normal(size=12)[g] + 0.3 * x * rng.normal(size=12)[g] + rng.normal(size=72)
    m = il.fit("y ~ x + (x | g)", {"y": y, "x": x, "g": g})
    assert m.fit.verdict == "converged"
    Y = m.simulate(60, seed=1)
    frame = m.refit_many(Y)
    assert frame["verdict"].value_counts()["singular"] > 10
    agree(frame, [m.refit(y) for _, y in Y.items()])


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_binary_responses_with_random_slopes_and_hard_ones(link):
    rng = np.random.default_rng(4)
    g, x = np.repeat(np.arange(15), 8), np.tile(np.linspace(-1.0, 1.0, 8), 15)
    eta = rng.normal(size=15)[g] + x * (1.0 + rng.normal(size=15)[g])
    y = (rng.random(120) < 1.0 / (1.0 + np.exp(-eta))).astype(float)
    m = il.glmer("y ~ x + (x || g)", {"y": y, "x": x, "g": g}, il.Binomial(link))
    Y = m.simulate(8, seed=1).to_numpy().copy()
    Y[:, 1] = x > 0.2  # separated
    Y[:, 2] = g % 2  # all rows of each level agree
    Y[:, 3], Y[:, 4] = 0.0, 1.0
    Y[5, 5] = 2.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", il.ConvergenceWarning)
        frame = m.refit_many(Y, workers=2)
        kept = [0, 1, 2, 6, 7]
        refits = [m.refit(Y[:, j]) for j in kept]
    assert frame["verdict"].tolist()[1:6] == ["separated", "separated", *["failed"] * 3]
    assert "failure in all" in frame["reason"][3] and "success in all" in frame["reason"][4]
    assert "proportions of successes" in frame["reason"][5]
    good = [0, 3, 4]
    # the standard deviation of the slopes is known to three units or so
    agree(frame.iloc[[kept[i] for i in good]], [refits[i] for i in good], se=3.0)
    for i in (1, 2):  # of these the numbers mean nothing
        assert refits[i].fit.verdict == "separated"
        assert frame["llf"][kept[i]] == pytest.approx(refits[i].llf, rel=1e-6)


def test_compiled_searches_are_sure_of_nearly_all_responses():
    m = fitted("trials")
    searches = LevelSearches(m.fit)
    Y = np.ascontiguousarray(m.simulate(40, seed=3).to_numpy().T)
    refitted = []
    estimates = searches.estimates(Y, lambda i: refitted.append(i) or other(m, Y, i))
    assert len(refitted) < 4
    assert LinearSearches.possible(fitted("REML").fit)
    assert LevelSearches.possible(fitted("overdispersed").fit)
    for name in ("quadrature", "zero-inflated", "linear"):
        assert not LevelSearches.possible(fitted(name).fit)
    x, value, H, sure = searches._searched(Y[:1], [])
    objective = m.fit._shared.with_response(*first_density(*observed(m, Y[0])))
    # the kernel has other columns than a problem of this response: theta and beta are the same
    T, beta = m.fit.scale.theta(x[0, :1]), searches.objective.problem.beta(x[0, 1:])
    there = np.concatenate([objective.scale.x(T), objective.problem.gamma(beta)])
    assert sure[0]
    here = objective.evaluate(there, 1)
    np.testing.assert_allclose(-2.0 * searches._constants(Y[:1])[0] + value[0], here.value)
    np.testing.assert_allclose(here.gradient, 0.0, atol=1e-6)
    np.testing.assert_allclose(estimates.theta[0], T, rtol=1e-7)
    near = objective.hessian(there)
    scale = near[0, 0] / H[0, 0, 0]
    expected = (objective.scale.jacobian() / m.fit.scale.jacobian())[0, 0] ** 2
    assert scale == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("family", ["nbinom2", "gamma"])
def test_parameters_of_families_are_searched_with_the_others(family):
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(15), 6), rng.normal(size=90)
    mu = np.exp(0.5 + 0.3 * x + 0.5 * rng.normal(size=15)[g])
    y = {
        "nbinom2": rng.poisson(rng.gamma(1.5, mu / 1.5)),
        "gamma": rng.gamma(3.0, mu / 3.0),
    }[family]
    link = "log" if family == "gamma" else None
    m = il.glmer("y ~ x + (1 | g)", {"y": y, "x": x, "g": g}, family, link=link)
    assert LevelSearches.possible(m.fit)
    Y = m.simulate(12, seed=2)
    frame = m.refit_many(Y, workers=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", il.ConvergenceWarning)
        refits = [m.refit(column) for _, column in Y.items()]
    told = [i for i, refit in enumerate(refits) if refit.fit.verdict != "not identified"]
    assert len(told) > 6  # of the others the parameter has no finite value
    # a standard deviation near zero is known to some units
    agree(frame.iloc[told], [refits[i] for i in told], se=3.0)
    assert frame["verdict"].tolist() == [refit.fit.verdict for refit in refits]


@pytest.mark.parametrize("name", ["trials", "counts", "overdispersed"])
def test_responses_of_which_none_can_be_searched(name):
    m = fitted(name)
    frame = m.refit_many(np.zeros((m.nobs, 2)))
    assert frame["verdict"].tolist() == ["failed", "failed"]
    assert frame["reason"].str.contains("in all").all()
    assert frame.iloc[:, :-3].isna().all(axis=None)


def test_an_interrupt_within_a_search_is_raised():
    class Interrupted:
        zeta_limit = np.inf

        def constant(self, zeta):
            raise KeyboardInterrupt

    m = fitted("overdispersed")
    searches = LevelSearches(m.fit)
    searches._densities = lambda Y: [Interrupted()] * len(Y)
    with pytest.raises(KeyboardInterrupt):
        searches.estimates(np.ascontiguousarray(m.simulate(3, seed=1).to_numpy().T), None)


def other(m, Y, i):
    new = m.refit(Y[i]).fit
    return Other(new.theta, new.beta, new.sigma, new.criterion, new.verdict)


def observed(m, y):
    design = m.fit.design.with_response(y)
    return design, m.fit.family, observe(design, m.fit.family)


def test_forms_of_responses(sleep):
    Y = sleep.simulate(3, seed=1)
    expected = sleep.refit_many(Y).to_numpy()
    values = Y.to_numpy()
    for form in (
        np.ascontiguousarray(values), np.asfortranarray(values), values.tolist(),
        pl.from_pandas(Y), values.astype(object), np.repeat(values, 2, axis=1)[:, ::2],
    ):  # fmt: skip
        np.testing.assert_array_equal(sleep.refit_many(form).to_numpy(), expected)
    one = sleep.refit_many(values[:, 0])
    assert one.index.tolist() == [0] and one.index.name == "response"
    np.testing.assert_allclose(one["llf"], expected[:1, 6].astype(float), rtol=1e-13)
    assert sleep.refit_many(Y["sim_2"]).index.tolist() == ["sim_2"]
    single = sleep.refit_many(values.astype(np.float32))
    np.testing.assert_allclose(single["llf"], expected[:, 6].astype(float), rtol=1e-5)
    whole = sleep.refit_many(np.round(values).astype(int))
    agree(whole, [sleep.refit(np.round(y)) for y in values.T])


def test_single_responses_fail_alone(sleep):
    Y = sleep.simulate(7, seed=1).to_numpy()
    good = sleep.refit_many(Y).to_numpy()
    bad = Y.copy()
    bad[3, 1], bad[0, 2], bad[:, 4] = np.nan, np.inf, 7.0
    exact = sleep.fe_params["Intercept"] + sleep.fe_params["Days"] * sleep.fit.design.X[:, 1]
    bad[:, 5] = exact
    frame = sleep.refit_many(bad, workers=2)
    assert frame["verdict"].tolist() == [
        "converged", "failed", "failed", "converged", "failed", "not identified", "converged",
    ]  # fmt: skip
    kept = [0, 3, 6]
    got, expected = (values[kept, :7].astype(float) for values in (frame.to_numpy(), good))
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert frame.iloc[[1, 2, 4], :7].isna().all(axis=None)
    assert "missing or not finite" in frame["reason"][1]
    assert "constant" in frame["reason"][4]
    assert not frame["converged"][[1, 2, 4, 5]].any()
    assert frame.attrs["notes"] == [
        "2 of 7 refits failed: new_y has values that are missing or not finite",
        "1 of 7 refits failed: new_y is constant (7)",
        "1 of 7 refits are not identified",
    ]
    none = sleep.refit_many(np.full((180, 2), np.nan))
    assert none["verdict"].tolist() == ["failed", "failed"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda Y: Y.T, "give new_y.T"),
        (lambda Y: Y[:-1], "has 180 rows and needs one value each"),
        (lambda Y: Y[:, :0], "there is no response in it"),
        (lambda Y: Y[None], "one column for each response"),
        (lambda Y: 3.0, "one column for each response"),
        (lambda Y: pd.DataFrame(Y, index=np.arange(180)[::-1]), "row labels are in another order"),
    ],
)
def test_refusals(sleep, wrong, said):
    with pytest.raises(ArgumentError, match=said):
        sleep.refit_many(wrong(sleep.simulate(3, seed=1).to_numpy()))


def test_refusals_of_other_arguments(sleep):
    Y = sleep.simulate(2, seed=1)
    with pytest.raises(ArgumentError, match="workers must be"):
        sleep.refit_many(Y, workers=0)
    with pytest.raises(ArgumentError, match="write workers=2"):
        sleep.refit_many(Y, n_jobs=2)
    with pytest.raises(ArgumentTypeError, match="progress"):
        sleep.refit_many(Y, progress="yes")
    with pytest.raises(ArgumentError, match="nsim must be a positive"):
        sleep.simulate_refit(0)
    with pytest.raises(ArgumentTypeError, match="seed must be"):
        sleep.simulate_refit(2, seed=True)


def test_text_and_numbers_of_binary_factors():
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(10), 8)
    y = np.where(rng.normal(size=10)[g] + rng.normal(size=80) > 0.0, "yes", "no")
    m = il.glmer("y ~ 1 + (1 | g)", {"y": y, "g": g}, "binomial")
    drawn = m.simulate(3, seed=1)
    named = pd.DataFrame({c: np.where(v == 1.0, "yes", "no") for c, v in drawn.items()})
    np.testing.assert_array_equal(m.refit_many(named).to_numpy(), m.refit_many(drawn).to_numpy())
    named["sim_2"] = "maybe"
    frame = m.refit_many(named)
    assert frame["verdict"].tolist() == ["converged", "failed", "converged"]
    assert "not the levels" in frame["reason"]["sim_2"]


def test_threads_pickles_and_a_second_call(sleep):
    Y = sleep.simulate(130, seed=2)
    expected = sleep.refit_many(Y)
    pd.testing.assert_frame_equal(sleep.refit_many(Y, workers=3), expected)
    again = pickle.loads(pickle.dumps(sleep))
    pd.testing.assert_frame_equal(again.refit_many(Y), expected)
    with ThreadPoolExecutor(2) as pool:
        for frame in pool.map(lambda k: sleep.refit_many(Y, workers=k), (1, 2)):
            pd.testing.assert_frame_equal(frame, expected)


def test_rows_left_out_of_the_fit():
    frame = il.load_dataset("sleepstudy")
    frame.loc[[3, 50], "Reaction"] = np.nan
    with pytest.warns(il.DataWarning, match="dropped 2 row"):
        m = il.fit(SLEEP, frame, na_action="exclude")
    Y = m.simulate(3, seed=1)
    assert len(Y) == 180 and Y.isna().any(axis=None)
    used = Y.dropna()
    pd.testing.assert_frame_equal(m.refit_many(Y), m.refit_many(used))
    agree(m.refit_many(Y.to_numpy()), [m.refit(y) for _, y in Y.items()])


# -- drawn responses -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["REML", "crossed", "glm", "ordinal"])
def test_draws_are_those_of_the_bootstrap(name):
    m = fitted(name)
    frame = m.simulate_refit(60 if name == "REML" else 4, seed=3, workers=2)
    b = m.bootstrap(len(frame), seed=3)
    own = frame.drop(columns=["llf", "converged", "verdict", "reason"])
    pd.testing.assert_frame_equal(own, b.frame)
    assert frame["verdict"].value_counts().to_dict() == b.verdicts
    if name == "REML":
        one = m.simulate_refit(1, seed=3)
        pd.testing.assert_frame_equal(one, frame.head(1), check_index_type=False)
        kept = m.simulate_refit(5, use_u=True, seed=3)
        pd.testing.assert_series_equal(
            kept["sigma"], m.bootstrap(5, use_u=True, seed=3).frame["sigma"]
        )


def test_log_likelihoods_of_draws_are_distributed_as_those_of_rows(sleep):
    sums = sleep.simulate_refit(400, seed=1)["llf"]
    rows = sleep.refit_many(sleep.simulate(400, seed=2))["llf"]
    error = np.sqrt(sums.var() / 400 + rows.var() / 400)
    assert abs(sums.mean() - rows.mean()) < 4.0 * error


def test_progress_goes_to_the_error_stream(sleep, capsys):
    sleep.refit_many(sleep.simulate(60, seed=1), progress=True)
    out, err = capsys.readouterr()
    assert out == "" and "60/60" in err
