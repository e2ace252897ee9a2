"""Means over the random effects, with standard errors, against brute force."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.fitted_models import CBPP, EPIL, fitted
from scipy.special import expit, ndtr

import interlace as il
from interlace.errors import ArgumentError, DataError

Z, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
OWLS = "SiblingNegotiation ~ FoodTreatment + (1 | Nest)"


def gradient(function, at: np.ndarray) -> np.ndarray:
    """Central differences of a function of all parameters."""
    out = []
    for j in range(at.size):
        step = 1e-5 * np.eye(at.size)[j] * max(1.0, abs(at[j]))
        out.append((function(at + step) - function(at - step)) / (2.0 * step[j]))
    return np.array(out)


def parameters(m) -> tuple[np.ndarray, np.ndarray]:
    """(theta, coefficients) with their covariance matrix."""
    solution = m.fit.solution
    at = np.concatenate([m.fit.theta, solution.beta])
    return at, m.fit.cov_all[: at.size, : at.size]


@pytest.mark.parametrize(
    ("link", "inverse"), [("logit", expit), ("probit", ndtr), ("cloglog", None)]
)
def test_a_binomial_model(link, inverse) -> None:
    inverse = inverse or (lambda eta: -np.expm1(-np.exp(eta)))
    m = fitted(CBPP[0], CBPP[1], f"binomial({link})")
    new = pd.DataFrame({"period": ["1", "3"]})

    def mean(at: np.ndarray, row: int) -> float:
        eta = at[1] + (at[3] if row else 0.0)
        return float(inverse(eta + at[0] * Z) @ WEIGHTS)

    at, cov = parameters(m)
    table = m.get_prediction(new, include_re=False, marginal=True).summary_frame()
    both = m.predict(new, include_re=False, marginal=True, se=True)
    for row in (0, 1):
        g = gradient(lambda at, row=row: mean(at, row), at)
        assert table["mean"][row] == pytest.approx(mean(at, row), rel=1e-9)
        assert table["mean_se"][row] == pytest.approx(np.sqrt(g @ cov @ g), rel=1e-6)
    np.testing.assert_allclose(both["prediction"], table["mean"], rtol=1e-12)
    np.testing.assert_allclose(both["se"], table["mean_se"], rtol=1e-9)
    if link == "probit":
        sd = m.fit.theta[0]
        closed = ndtr(at[1] / np.sqrt(1.0 + sd**2))
        assert table["mean"][0] == pytest.approx(closed, rel=1e-10)
    # towards a half, as every average of probabilities below it
    assert (table["mean"] > m.predict(new, include_re=False)).all()


def test_a_log_link_with_slopes() -> None:
    """exp(x'beta + z'Sigma z / 2), each row with its own variance."""
    m = fitted("epil2", "y ~ trt + Visit + (Visit | subject)", "poisson")
    new = pd.DataFrame({"trt": ["placebo", "progabide"], "Visit": [-0.3, 0.3]})
    S = m.variance_components["subject"].to_numpy()
    z = np.array([[1.0, -0.3], [1.0, 0.3]])
    expected = m.predict(new, include_re=False) * np.exp(0.5 * np.einsum("ri,ij,rj->r", z, S, z))
    found = m.get_prediction(new, include_re=False, marginal=True)
    np.testing.assert_allclose(found.mean, expected, rtol=1e-10)

    def mean(at: np.ndarray) -> float:
        T = np.array([[at[0], 0.0], [at[1], at[2]]])
        star = z[1] @ T
        return float(np.exp(at[3:] @ x + 0.5 * star @ star))

    x = m.fit.design.on(new, factors=()).X[1]
    at, cov = parameters(m)
    g = gradient(mean, at)
    assert mean(at) == pytest.approx(found.mean[1], rel=1e-10)
    assert found.se[1] == pytest.approx(np.sqrt(g @ cov @ g), rel=1e-6)
    frame = found.summary_frame()
    assert (frame["mean_ci_lower"] > 0.0).all()
    assert frame.attrs["notes"] == (
        "mean: the average over random effects left out or of unknown levels",
    )


def test_zeros_with_effects_of_their_own() -> None:
    """E[(1 - p) mu], both of which vary between nests: a sum over a grid of both effects."""
    m = il.glmer(OWLS, il.load_dataset("Owls"), "nbinom2", ziformula="~ 1 + (1 | Nest)")
    new = pd.DataFrame({"FoodTreatment": ["Deprived", "Satiated"]})
    at, cov = parameters(m)
    names = list(m.fit.solution.slices)
    places = m.fit.solution.slices
    assert names[0] == "mean" and m.fit.theta.size == 2

    def parts(at: np.ndarray, row: int) -> tuple[float, float, float]:
        beta = at[2:]
        eta = beta[places["mean"]] @ [1.0, float(row)]
        mu = np.exp(eta + at[0] * Z)
        p = expit(beta[places["zi"]][0] + at[1] * Z)
        both = WEIGHTS @ np.outer(mu, 1.0 - p) @ WEIGHTS
        return float(both), float(mu @ WEIGHTS), float(p @ WEIGHTS)

    for k, kind in enumerate(("response", "conditional", "zprob")):
        found = m.get_prediction(new, include_re=False, marginal=True, type=kind)
        for row in (0, 1):
            g = gradient(lambda at, row=row, k=k: parts(at, row)[k], at)
            assert found.mean[row] == pytest.approx(parts(at, row)[k], rel=1e-8)
            assert found.se[row] == pytest.approx(np.sqrt(g @ cov @ g), rel=1e-5)


def test_against_a_large_simulation() -> None:
    """Means of responses drawn for many new levels: within five standard errors of the mean."""
    rng = np.random.default_rng(8)
    m = il.glmer(OWLS, il.load_dataset("Owls"), "nbinom2", ziformula="~ 1 + (1 | Nest)")
    columns = m.simulate(800, seed=rng).to_numpy()
    rows = il.load_dataset("Owls")["FoodTreatment"] == "Deprived"
    by_draw = columns[rows].mean(axis=0)  # draws are independent, nests within one are not
    expected = m.predict(include_re=False, marginal=True)[rows].iloc[0]
    error = by_draw.std(ddof=1) / np.sqrt(by_draw.size)
    assert abs(by_draw.mean() - expected) < 5.0 * error
    assert abs(by_draw.mean() - m.predict(include_re=False)[rows].iloc[0]) > 3.0 * error


def test_one_factor_kept_and_another_averaged() -> None:
    data = il.load_dataset("Salamanders")
    m = il.glmer("count ~ mined + (1 | site) + (1 | spp)", data, "poisson")
    new = data.iloc[[0, 100]]
    found = m.get_prediction(new, include_re="site", marginal=True)
    sd = m.VarCorr().set_index("group")["sd_or_corr"]
    at_zero = m.get_prediction(new, include_re="site")
    np.testing.assert_allclose(found.mean, at_zero.mean * np.exp(sd["spp"] ** 2 / 2), rtol=1e-9)
    # levels of spp need not be known
    again = m.get_prediction(new.drop(columns="spp"), include_re="site", marginal=True)
    np.testing.assert_allclose(again.se, found.se, rtol=1e-10)
    # log of the mean: the predictor, plus half a variance that is estimated
    relative = found.se / found.mean
    assert (relative > at_zero.se / at_zero.mean).all()
    everything = m.get_prediction(new, include_re=False, marginal=True).mean
    total = m.predict(new, include_re=False) * np.exp((sd["spp"] ** 2 + sd["site"] ** 2) / 2)
    np.testing.assert_allclose(everything, total, rtol=1e-9)


def test_new_levels_are_averaged_and_known_ones_kept() -> None:
    m = fitted(*CBPP)
    new = pd.DataFrame({"period": ["1", "1"], "herd": ["1", "other"]})
    found = m.predict(new, new_levels="population", marginal=True)
    assert found[0] == pytest.approx(m.predict(new.head(1))[0], rel=1e-12)
    average = m.predict(new.tail(1), include_re=False, marginal=True)
    assert found[1] == pytest.approx(average.iloc[0], rel=1e-12)
    se = m.get_prediction(new, new_levels="population", marginal=True).se
    alone = m.get_prediction(new.tail(1), include_re=False, marginal=True).se
    assert se[1] == pytest.approx(alone[0], rel=1e-9)


def test_models_in_which_it_is_the_same() -> None:
    sleep = il.load_dataset("sleepstudy")
    m = il.fit("Reaction ~ Days + (Days | Subject)", sleep)
    plain = m.get_prediction(include_re=False).summary_frame()
    average = m.get_prediction(include_re=False, marginal=True).summary_frame()
    pd.testing.assert_frame_equal(plain, average)
    g = il.glmer("Reaction ~ Days + (Days | Subject)", sleep, "gaussian")
    values = g.predict(include_re=False, marginal=True, se=True)
    np.testing.assert_allclose(values, g.predict(include_re=False, se=True), rtol=1e-9)
    link = fitted(*CBPP).get_prediction(include_re=False, marginal=True, type="link")
    expected = fitted(*CBPP).get_prediction(include_re=False, type="link")
    np.testing.assert_allclose(link.mean, expected.mean, rtol=1e-12)
    np.testing.assert_allclose(link.se, expected.se, rtol=1e-8)


def test_a_variance_of_zero_has_no_average() -> None:
    data = pd.DataFrame({"y": np.tile([1, 2, 2, 3, 4], 12), "g": np.repeat(np.arange(12), 5)})
    m = il.glmer("y ~ 1 + (1 | g)", data, "poisson")
    assert m.is_singular
    average = m.get_prediction(include_re=False, marginal=True)
    plain = m.get_prediction(include_re=False)
    np.testing.assert_allclose(average.mean, plain.mean, rtol=1e-12)
    np.testing.assert_allclose(average.se, plain.se, rtol=1e-6)


def test_refusals_and_missing_rows() -> None:
    m = fitted(*CBPP)
    # nothing that enters is averaged over: the default is to enter none
    assert m.predict(marginal=True).equals(m.predict(include_re=False, marginal=True))
    with pytest.raises(ArgumentError, match="all of them do: include_re=False"):
        m.predict(include_re=["herd"], marginal=True)
    with pytest.raises(ArgumentError, match="drop one"):
        m.get_prediction(include_re=False, marginal=True, new_level_variance=True)
    slopes = fitted(*EPIL[:1], "y ~ trt + (Visit | subject)", "poisson")
    with pytest.raises(DataError, match="marginal=True needs all covariates: .*'Visit'"):
        slopes.predict({"trt": ["placebo"]}, include_re=False, marginal=True)
    found = m.predict({"period": ["1", None]}, include_re=False, marginal=True)
    assert found.notna().tolist() == [True, False]


def test_a_link_whose_range_the_effects_leave() -> None:
    """The mean of 1 / eta does not exist where eta is negative with a positive probability."""
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(20), 10)
    eta = 1.0 + 0.35 * rng.normal(size=20)[g]
    data = pd.DataFrame({"y": rng.gamma(4.0, 1.0 / (4.0 * np.abs(eta))), "g": g})
    m = il.glmer("y ~ 1 + (1 | g)", data, "gamma(inverse)")
    assert m.predict(include_re=False, marginal=True).isna().all()
    assert m.predict(include_re=False).notna().all()
