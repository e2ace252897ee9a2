"""Intervals of a new observation of generalised models, against draws and exact identities."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers.fitted_models import CBPP, fitted
from scipy.special import gammaincc, ndtr
from scipy.stats import t as student

import interlace as il
from interlace.errors import ArgumentError, DataError
from interlace.inference.prediction_rows import prediction_rows
from interlace.inference.predictive import Predictive, predictive, quantile, whole_quantile
from interlace.inference.which_effects import which_effects

N = 160
RNG = np.random.default_rng(7)
X = RNG.normal(size=N)
GROUP = RNG.integers(16, size=N)
EFFECT = 0.5 * RNG.normal(size=16)[GROUP]
MU = np.exp(0.6 + 0.4 * X + EFFECT)
P = 1.0 / (1.0 + np.exp(0.3 - 0.5 * X - EFFECT))
DATA = pd.DataFrame(
    {
        "x": X,
        "g": GROUP,
        "count": RNG.poisson(MU * RNG.gamma(3.0, 1.0 / 3.0, N)),
        "k": RNG.binomial(6, P),
        "m": 6,
        "share": np.clip(RNG.beta(6.0 * P, 6.0 * (1.0 - P)), 0.01, 0.99),
        "wait": RNG.gamma(3.0, MU / 3.0),
        "real": 2.0 * X + EFFECT + RNG.standard_t(6, N),
    }
)
DATA["zeros"] = DATA["wait"] * (RNG.random(N) > 0.25)
DATA["ends"] = np.where(RNG.random(N) < 0.1, 0.0, np.where(RNG.random(N) < 0.1, 1.0, DATA.share))
MODELS = {
    "poisson": ("count", "poisson", {}),
    "nb2": ("count", "nbinom2", {}),
    "nb1 disp": ("count", "nbinom1", {"dispformula": "~ x"}),
    "zip": ("count", "poisson", {"ziformula": "~ 1 + (1 | g)"}),
    "hurdle": ("count", "truncated_poisson", {"ziformula": "~ x"}),
    "binomial": ("cbind(k, m - k)", "binomial", {}),
    "betabinomial": ("cbind(k, m - k)", "betabinomial", {}),
    "beta": ("share", "beta", {}),
    "ordbeta": ("ends", "ordbeta", {}),
    "gamma": ("wait", "gamma(log)", {}),
    "inverse gaussian": ("wait", "inverse_gaussian(log)", {}),
    "lognormal": ("wait", "lognormal", {}),
    "tweedie": ("zeros", "tweedie", {}),
    "hurdle gamma": ("zeros", "gamma(log)", {"ziformula": "~ 1"}),
    "t": ("real", "t", {}),
    "gaussian disp": ("real", "gaussian", {"dispformula": "~ x"}),
}


def model(name: str):
    response, family, given = MODELS[name]
    return fitted_on_data(f"{response} ~ x + (1 | g)", family, **given)


def fitted_on_data(formula: str, family: str, **given):
    return il.glmer(formula, DATA, family, **given)


def distribution(m, include_re=False) -> Predictive:
    masks = which_effects(m.fit, include_re)
    names = list(m.fit.design.predictors)
    rows = prediction_rows(m.fit, None, masks, "error", spread=True, names=names)
    return predictive(m.fit, rows, masks, m.fit.observations.prior, m.fit.observations.trials)


def draws(made: Predictive, row: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Responses of one row, its linear predictors drawn."""
    family = made.fit.family
    etas = rng.multivariate_normal(made.etas[:, row], made.S[:, :, row], n, method="svd").T
    zeta = etas[1:] if made.fit.several else made.fit.zeta
    mu = family.mean(etas[0], zeta)
    return family.sample(rng, mu, made.prior[row], made.trials[row], zeta)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("include_re", [False, True])
def test_quantiles_are_those_of_draws(name, include_re) -> None:
    """P(Y <= q) >= p and P(Y < q) <= p, within five standard errors of 10,000 draws."""
    m = model(name)
    of_all = distribution(m, include_re)
    two = [0, 7]
    made = Predictive(
        m.fit, of_all.etas[:, two], of_all.S[:, :, two], of_all.prior[two], of_all.trials[two]
    )
    rng = np.random.default_rng(2)
    for p in (0.025, 0.6, 0.975):
        q = made.quantile(p)
        assert np.isfinite(q).all()
        for row in (0, 1):
            y = draws(made, row, 10_000, rng)
            error = 5.0 * np.sqrt(p * (1.0 - p) / y.size)
            near = 1e-7 * abs(q[row])
            assert np.mean(y <= q[row] + near) >= p - error
            assert np.mean(y < q[row] - near) <= p + error


@pytest.mark.parametrize("name", MODELS)
def test_densities_belong_to_the_distribution_function(name) -> None:
    m = model(name)
    made = distribution(m)
    y = m.fit.observations.y
    if m.fit.family.discrete:
        step = 1.0 / made.trials
        jumps = made.cdf(y) - made.cdf(y - step)
    else:
        smooth = (y > 0.0) & (y < (1.0 if y.max() <= 1.0 else np.inf)) | (y.min() < 0.0)
        step = 1e-5 * np.abs(y)
        jumps = (made.cdf(y + step) - made.cdf(y - step)) / (2.0 * step + 1e-300)
        jumps = np.where(smooth, jumps, made.cdf(y) - made.cdf(y - 1e-9))
    np.testing.assert_allclose(np.exp(made.log_density(y)), jumps, rtol=2e-5, atol=1e-9)


def test_poisson_by_brute_force() -> None:
    m = model("poisson")
    made = distribution(m)
    row = 3
    z = np.linspace(-9.0, 9.0, 4001)
    weights = np.exp(-0.5 * z * z)
    lam = np.exp(made.etas[0, row] + np.sqrt(made.S[0, 0, row]) * z)
    cumulative = [weights @ gammaincc(k + 1.0, lam) / weights.sum() for k in range(200)]
    table = m.get_prediction(include_re=False, interval="prediction").summary_frame(alpha=0.1)
    assert table["obs_ci_lower"][row] == np.argmax(np.array(cumulative) >= 0.05)
    assert table["obs_ci_upper"][row] == np.argmax(np.array(cumulative) >= 0.95)
    np.testing.assert_allclose(made.cdf(np.full(N, 4.0))[row], cumulative[4], rtol=1e-6)
    for k in (2, 12, 40):
        exact = weights @ gammaincc(k + 1.0, lam) / weights.sum()
        np.testing.assert_allclose(made.cdf(np.full(N, float(k)))[row], exact, atol=1e-6)
    # S: the variance of the estimate and that of a new group
    x = np.array([1.0, DATA.x[row]])
    total = x @ m.vcov().to_numpy() @ x + m.variance_components["g"]
    assert made.S[0, 0, row] == pytest.approx(total, rel=1e-9)


def test_large_counts_whose_means_are_steps_of_the_distribution_function() -> None:
    """lambda of 1e5: quantiles of the response are those of the mean to its standard deviation."""
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(20), 4)
    y = rng.poisson(np.exp(11.5 + 0.8 * rng.normal(size=20)[g]))
    m = il.glmer("y ~ 1 + (1 | g)", {"y": y, "g": g}, "poisson")
    made = distribution(m)
    sd = np.sqrt(made.S[0, 0, 0])
    for p, z in ((0.025, -1.959964), (0.5, 0.0), (0.975, 1.959964)):
        of_mean = np.exp(made.etas[0, 0] + z * sd)
        found = made.quantile(p)[0]
        # what the distribution function errs by where nodes are 1/64 of a deviation apart
        assert found == pytest.approx(of_mean, rel=0.03)


def test_trials() -> None:
    m = fitted(*CBPP)
    new = pd.DataFrame({"period": ["1", "2", "4"], "size": [4, 9, 20]})
    asked = {"include_re": False, "interval": "prediction"}
    by_column = m.get_prediction(new, trials="size", **asked).summary_frame()
    by_array = m.get_prediction(new, trials=np.array([4, 9, 20]), **asked).summary_frame()
    pd.testing.assert_frame_equal(by_column, by_array)
    successes = by_column[["obs_ci_lower", "obs_ci_upper"]].mul(new["size"], axis=0)
    np.testing.assert_allclose(successes, np.round(successes), atol=1e-9)
    single = m.get_prediction(new, **asked)
    assert set(single.summary_frame()["obs_ci_upper"]) <= {0.0, 1.0}
    assert "of one trial, 0 or 1: trials= has others" in single.notes[-1]
    own = m.get_prediction(interval="prediction").summary_frame()
    size = il.load_dataset("cbpp")["size"]
    np.testing.assert_allclose(own["obs_ci_upper"] * size % 1.0 % 1.0, 0.0, atol=1.0)
    assert (own["obs_ci_upper"] < 1.0).any()
    gaps = pd.DataFrame({"period": ["1", "2"], "n": pd.array([5, None], dtype="Int64")})
    some = m.get_prediction(gaps, trials="n", **asked).summary_frame()
    assert some["obs_ci_upper"].notna().tolist() == [True, False]
    for wrong in (0, 2.5, [1, 2], "none"):
        with pytest.raises((ArgumentError, DataError), match="trials"):
            m.get_prediction(new, trials=wrong, **asked)
    with pytest.raises(ArgumentError, match="give interval='prediction'"):
        m.get_prediction(new, include_re=False, trials=3)
    with pytest.raises(ArgumentError, match="are for binomial families"):
        model("poisson").get_prediction(interval="prediction", trials=3)
    with pytest.raises(ArgumentError, match="is never observed"):
        m.get_prediction(interval="prediction", type="link")


def test_gaussian_responses_have_the_quantiles_of_t() -> None:
    """What R's predict.lm has; the same columns for every kind of linear model."""
    sleep = il.load_dataset("sleepstudy")
    m = il.glm("Reaction ~ Days", sleep, "gaussian")
    assert "obs_ci_lower" not in m.get_prediction().summary_frame()
    table = m.get_prediction({"Days": [4.0]}, interval="prediction").summary_frame()
    x = np.array([1.0, 4.0])
    se = np.sqrt(x @ m.vcov().to_numpy() @ x + m.scale)
    half = student.ppf(0.975, 178) * se
    expected = [x @ m.fe_params - half, x @ m.fe_params + half]
    np.testing.assert_allclose(table[["obs_ci_lower", "obs_ci_upper"]].iloc[0], expected)
    linear = il.fit("Reaction ~ Days + (Days | Subject)", sleep)
    pd.testing.assert_frame_equal(
        linear.get_prediction().summary_frame(),
        linear.get_prediction(interval="prediction").summary_frame(),
    )


def test_rows_with_missing_values_and_predictions_that_are_pickled() -> None:
    m = model("gamma")
    new = pd.DataFrame({"x": [0.0, np.nan, 1.0]}, index=["a", "b", "c"])
    made = m.get_prediction(new, include_re=False, interval="prediction")
    table = made.summary_frame()
    assert table["obs_ci_lower"].notna().tolist() == [True, False, True]
    again = pickle.loads(pickle.dumps(made)).summary_frame()
    pd.testing.assert_frame_equal(again, table)
    wide = made.summary_frame(alpha=0.01)
    assert (wide["obs_ci_upper"] > table["obs_ci_upper"])[["a", "c"]].all()


def test_covariates_of_random_effects_are_needed() -> None:
    m = fitted("epil2", "y ~ trt + (Visit | subject)", "poisson")
    with pytest.raises(DataError, match="interval='prediction' needs all covariates"):
        m.get_prediction({"trt": ["placebo"]}, include_re=False, interval="prediction")


def test_inverting_distribution_functions() -> None:
    """Those of normal, exponential and mixed responses, with known quantiles."""
    scale = np.array([1e-6, 1.0, 1e8])
    normal = quantile(lambda y: ndtr(y / scale - 3.0), 0.3, np.zeros(3), scale, -np.inf, np.inf)
    np.testing.assert_allclose(normal, scale * (3.0 - 0.52440051270804), rtol=1e-8)

    def exponential(y: np.ndarray) -> np.ndarray:
        return -np.expm1(-y / scale)

    for p in (1e-6, 0.5, 1.0 - 1e-6):
        found = quantile(exponential, p, scale, scale, 0.0, np.inf)
        np.testing.assert_allclose(found, -np.log1p(-p) * scale, rtol=1e-7)

    def with_atoms(y: np.ndarray) -> np.ndarray:  # a third at 0, a third at 1
        return np.where(y < 0.0, 0.0, np.where(y >= 1.0, 1.0, (1.0 + y) / 3.0))

    for p, expected in ((0.2, 0.0), (0.5, 0.5), (0.9, 1.0)):
        found = quantile(with_atoms, p, np.full(2, 0.4), np.full(2, 0.2), 0.0, 1.0)
        np.testing.assert_allclose(found, expected, atol=1e-8)
    means = np.array([0.01, 3.0, 1e6])
    whole = whole_quantile(lambda k: gammaincc(k + 1.0, means), 0.975, 3, None)
    below = gammaincc(np.maximum(whole, 1e-9), means) * (whole > 0)
    assert (gammaincc(whole + 1.0, means) >= 0.975).all() and (below < 0.975).all()


def coverage(seed: int) -> tuple[float, float]:
    """How often new observations of new and of known groups are in their 90 % intervals."""
    rng = np.random.default_rng(seed)
    groups, size, sd, shape = 30, 6, 0.6, 4.0
    g = np.repeat(np.arange(groups), size)
    b = sd * rng.normal(size=groups)
    data = {"g": g, "y": rng.gamma(shape, np.exp(1.0 + b)[g] / shape)}
    m = il.glmer("y ~ 1 + (1 | g)", data, "gamma(log)")
    out = []
    for known in (False, True):
        level = b if known else sd * rng.normal(size=groups)
        y = rng.gamma(shape, np.exp(1.0 + level) / shape)
        one = {"g": np.arange(groups)}
        made = m.get_prediction(one, include_re=known, interval="prediction")
        table = made.summary_frame(alpha=0.1)
        out.append(((y >= table["obs_ci_lower"]) & (y <= table["obs_ci_upper"])).mean())
    return out[0], out[1]


def test_coverage() -> None:
    """Nominal 90 % within three standard errors of 60 simulated studies, and 1 % for theta given.

    Quantiles have sigma of the random effects and the shape as estimated: their uncertainty, of
    order one over the number of groups, is not in the intervals.
    """
    found = np.array([coverage(seed) for seed in range(60)])
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - 0.9) < 3.0 * error + 0.01).all()


def linear_coverage(seed: int) -> list[float]:
    """The same of a linear model with slopes: of new groups and of known ones."""
    rng = np.random.default_rng(seed)
    groups, size = 20, 6
    g, x = np.repeat(np.arange(groups), size), np.tile(np.arange(size), groups) - 2.5
    b = rng.normal(size=(groups, 2)) * [1.0, 0.4]
    data = {"g": g, "x": x, "y": 1.0 + b[g, 0] + (0.5 + b[g, 1]) * x + rng.normal(size=g.size)}
    m = il.fit("y ~ x + (x | g)", data)
    out = []
    for known in (False, True):
        level = b if known else rng.normal(size=(groups, 2)) * [1.0, 0.4]
        y = 1.0 + level[:, 0] + (0.5 + level[:, 1]) * 3.5 + rng.normal(size=groups)
        new = {"g": np.arange(groups), "x": np.full(groups, 3.5)}
        table = m.get_prediction(new, include_re=known).summary_frame(alpha=0.1)
        out.append(((y >= table["obs_ci_lower"]) & (y <= table["obs_ci_upper"])).mean())
    return out


@pytest.mark.filterwarnings("ignore::interlace.errors.ConvergenceWarning")
def test_coverage_of_linear_models() -> None:
    found = np.array([linear_coverage(seed) for seed in range(150)])
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - 0.9) < 3.0 * error + 0.01).all()
