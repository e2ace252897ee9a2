"""The error of the approximation, beside integrals on dense grids."""

from __future__ import annotations

import pickle
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import brute_integral as brute
from scipy import stats
from scipy.special import expit, ndtr

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError


@cache
def data() -> pd.DataFrame:
    """Few rows for each level, three levels of one factor far apart."""
    rng = np.random.default_rng(11)
    g = np.repeat(np.arange(8), 9)
    h = np.tile(np.repeat(np.arange(3), 3), 8)
    x, t = rng.uniform(-1.0, 1.0, 72), rng.normal(size=72)
    eta = 0.2 + 0.5 * x + rng.normal(size=8)[g] + np.array([-1.2, 0.0, 1.3])[h]
    frame = pd.DataFrame({"x": x, "t": t, "g": g, "h": h, "s": 10 * g + h})
    frame["zero_one"] = (rng.random(72) < expit(eta)).astype(int)
    frame["k"] = rng.binomial(4, expit(eta))
    frame["m"] = 4
    frame["count"] = rng.poisson(np.exp(0.6 * eta))
    frame["over"] = rng.poisson(np.exp(0.6 * eta) * rng.gamma(2.0, 0.5, 72))
    frame["zeros"] = frame["count"] * (rng.random(72) > 0.3)
    frame["wait"] = rng.gamma(1.5, np.exp(0.6 * eta) / 1.5)
    frame["share"] = np.clip(rng.beta(3.0 * expit(eta), 3.0 * (1.0 - expit(eta))), 0.01, 0.99)
    frame["heavy"] = eta + rng.standard_t(3, 72)
    sloped = eta + 2.5 * rng.normal(size=8)[g] * t
    frame["sloped"] = (rng.random(72) < expit(sloped)).astype(int)
    frame["sloped_count"] = rng.poisson(np.exp(0.6 * sloped))
    frame["outlying"] = eta + rng.standard_t(2, 72)
    return frame


def parameter(fit: Any, name: str) -> float:
    """A parameter of the family, which is one number."""
    return float(np.exp(np.ravel(fit.zeta)[list(fit.family.parameters).index(name)]))


def zero_inflated(fit: Any, y: np.ndarray) -> brute.LogDensity:
    zero = float(expit(np.ravel(fit.zeta)[-1]))

    def log_density(rows, eta):
        counts = y[rows].reshape(-1, *[1] * (eta.ndim - 1))
        plain = (1.0 - zero) * stats.poisson.pmf(counts, np.exp(eta))
        return np.log(plain + zero * (counts == 0))

    return log_density


def negative_binomial(fit: Any, y: np.ndarray) -> brute.LogDensity:
    size = parameter(fit, "theta")
    return by_row(y, lambda v, eta: stats.nbinom.logpmf(v, size, size / (size + np.exp(eta))))


def gamma(fit: Any, y: np.ndarray) -> brute.LogDensity:
    shape = float(np.exp(np.ravel(fit.zeta)[0]))
    return by_row(y, lambda v, eta: stats.gamma.logpdf(v, shape, scale=np.exp(eta) / shape))


def beta(fit: Any, y: np.ndarray) -> brute.LogDensity:
    size = float(np.exp(np.ravel(fit.zeta)[0]))
    return by_row(y, lambda v, e: stats.beta.logpdf(v, size * expit(e), size * expit(-e)))


def by_row(y: np.ndarray, of: Any) -> brute.LogDensity:
    return lambda rows, eta: of(y[rows].reshape(-1, *[1] * (eta.ndim - 1)), eta)


def binomial(trials: int, inverse: Any) -> Any:
    return lambda _, y: by_row(y, lambda v, eta: stats.binom.logpmf(v, trials, inverse(eta)))


def poisson(_: Any, y: np.ndarray) -> brute.LogDensity:
    return by_row(y, lambda v, eta: stats.poisson.logpmf(v, np.exp(eta)))


CROSSED, NESTED = "(1 | g) + (1 | h)", "(1 | h) + (1 | h:g)"
#: name -> response, formula's right side, arguments, log-density of a fit, the grid.
MODELS: dict[str, tuple[str, str, dict[str, Any], Any, Any]] = {
    "bernoulli": ("zero_one", CROSSED, {"family": "binomial"}, binomial(1, expit), brute.crossed),
    "probit, expected": (
        "zero_one", CROSSED, {"family": "binomial(probit)", "laplace": "expected"},
        binomial(1, ndtr), brute.crossed,
    ),
    "binomial": ("cbind(k, m - k)", CROSSED, {"family": "binomial"}, binomial(4, expit),
                 brute.crossed),
    "poisson": ("count", CROSSED, {"family": "poisson"}, poisson, brute.crossed),
    "negative binomial": ("over", CROSSED, {"family": "nbinom2"}, negative_binomial,
                          brute.crossed),
    "gamma": ("wait", CROSSED, {"family": "Gamma(log)"}, gamma, brute.crossed),
    "zero-inflated": ("zeros", CROSSED, {"family": "poisson", "ziformula": "~ 1"}, zero_inflated,
                      brute.crossed),
    "beta": ("share", CROSSED, {"family": "beta"}, beta, brute.crossed),
    "nested": ("zero_one", NESTED, {"family": "binomial"}, binomial(1, expit), brute.nested),
    "nested counts": ("count", NESTED, {"family": "poisson"}, poisson, brute.nested),
    "slopes": ("sloped", "(1 + t | g)", {"family": "binomial"}, binomial(1, expit),
               brute.one_factor),
    "slopes of counts": ("sloped_count", "(1 + t | g)", {"family": "poisson"}, poisson,
                         brute.one_factor),
}  # fmt: skip
COLUMN = {"cbind(k, m - k)": "k"}


@cache
def fitted(name: str) -> Any:
    response, random, arguments, *_ = MODELS[name]
    return il.glmer(f"{response} ~ x + {random}", data(), **arguments)


@cache
def truth(name: str) -> float:
    response, _, _, density, grid = MODELS[name]
    fit = fitted(name).fit
    log_density = density(fit, data()[COLUMN.get(response, response)].to_numpy(float))
    fine, coarse = (grid(fit, log_density, count) for count in (40, 35))
    assert abs(fine - coarse) < 1e-5
    return fine - fit.llf


@cache
def drawn(name: str) -> Any:
    return fitted(name).laplace_error(4000, seed=1, method="importance")


@pytest.mark.parametrize("name", MODELS)
def test_the_error_is_that_of_the_integral(name: str) -> None:
    m = fitted(name)
    assert all((np.linalg.norm(T, axis=1) > 0.05).all() for T in m.fit.T)
    error = drawn(name)
    assert error.method == "importance" and error.reliable and error.points == 4000
    # of a normal error of 12 models one in 200 times any is further off
    assert abs(error.error - truth(name)) < 3.5 * error.std_error
    assert error.std_error < 0.1 and error.integral == m.llf + error.error


def test_standard_errors_are_neither_too_small_nor_too_large() -> None:
    z = [(drawn(name).error - truth(name)) / drawn(name).std_error for name in MODELS]
    assert sum(abs(one) < 2.0 for one in z) >= 10
    # the root of a mean of 12 squares
    assert 0.55 < np.sqrt(np.mean(np.square(z))) < 1.5
    errors = [fitted("slopes").laplace_error(600, seed=i, method="importance") for i in range(20)]
    z = [(error.error - truth("slopes")) / error.std_error for error in errors]
    assert 0.6 < np.sqrt(np.mean(np.square(z))) < 1.4


@pytest.mark.parametrize("name", ["slopes", "slopes of counts"])
def test_quadrature_is_as_good_as_the_integral(name: str) -> None:
    error = fitted(name).laplace_error()
    assert error.method == "quadrature" and error.effective == np.inf
    assert error.error == pytest.approx(truth(name), abs=2e-5)


def test_the_shift_is_where_a_fit_with_many_nodes_ends() -> None:
    formula, cbpp = "cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp"
    m = il.glmer(formula, il.load_dataset(cbpp), "binomial")
    many = il.glmer(formula, il.load_dataset(cbpp), "binomial", nAGQ=25)
    shifts = m.laplace_error().shifts
    moved = np.concatenate([many.theta - m.theta, many.fe_params - m.fe_params])
    # one Newton step with the curvature of the one, where the other's leads to its optimum: they
    # differ by so much in standard errors
    R = np.linalg.cholesky(m.fit.cov_all)
    other = np.linalg.solve(R, np.linalg.solve(R, many.fit.cov_all).T)
    curvature = np.linalg.norm(other - np.eye(len(R)), 2)
    assert curvature < 0.03
    np.testing.assert_allclose(shifts["shift"], moved, rtol=curvature)
    np.testing.assert_allclose(shifts["in_std_errors"], moved / shifts["std_error"], rtol=curvature)
    by_draws = m.laplace_error(8000, seed=3, method="importance").shifts
    z = (by_draws["shift"] - shifts["shift"]) / by_draws["shift_error"]
    assert z.abs().max() < 3.0


@pytest.mark.parametrize("name", ["negative binomial", "zero-inflated", "gamma", "beta"])
def test_the_gradient_is_that_of_the_integral(name: str) -> None:
    """By draws that are the same on both sides of a difference."""
    from interlace.objective.generalised.integral import by_draws

    fit = fitted(name).fit
    objective, x = fit.objective, np.array(fit.x)

    def value(at: np.ndarray, draws: int = 1000) -> Any:
        return by_draws(objective, at, draws, np.random.default_rng(5))

    here = value(x)
    for i in range(x.size):
        step = np.zeros(x.size)
        step[i] = 1e-3
        slope = (value(x + step).value - value(x - step).value) / 2e-3
        # both are estimates by draws
        assert abs(slope - here.gradient[i]) < 4.0 * here.gradient_error[i] + 1e-4


def test_fits_by_other_approximations() -> None:
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    whole = [
        il.glmer(formula, il.load_dataset("cbpp"), "binomial", nAGQ=nodes).laplace_error()
        for nodes in (0, 5, 25)
    ]
    assert whole[1].error == pytest.approx(6.6e-4, abs=1e-4)
    assert abs(whole[2].error) < 1e-7 and "nothing needs to be done" in whole[2].advice
    assert whole[0].largest_shift > 0.1 and "fit with nAGQ=" in whole[0].advice


def test_gaussian_responses_are_exact() -> None:
    m = il.glmer("heavy ~ x + (1 | g)", data(), "gaussian")
    assert abs(m.laplace_error().error) < 1e-8
    m = il.fit("heavy ~ x + (1 | g)", data(), method="ML", dispformula="~ x")
    assert abs(m.laplace_error().error) < 1e-8
    t = il.glmer("outlying ~ x + (1 | g)", data(), "t").laplace_error()
    assert 1e-4 < abs(t.error) < 0.5


def test_random_effects_in_the_dispersion_are_integrated() -> None:
    m = il.fit("heavy ~ x + (1 | g)", data(), method="ML", dispformula="~ 1 + (1 | g)")
    nodes, draws = m.laplace_error(), m.laplace_error(4000, seed=2, method="importance")
    assert abs(nodes.error - draws.error) < 2.0 * draws.std_error
    assert nodes.shifts.index.tolist() == m.vcov(full=True).index.tolist()


def test_variances_of_zero_have_no_shift() -> None:
    frame = data().assign(flat=np.tile([0, 1], 36))
    m = il.glmer("flat ~ 1 + (1 | g)", frame, "binomial")
    assert m.is_singular
    error = m.laplace_error()
    assert abs(error.error) < 1e-9 and error.shifts["in_std_errors"].iloc[0] == 0.0


def test_the_same_seed_gives_the_same_numbers() -> None:
    m = pickle.loads(pickle.dumps(fitted("poisson")))
    one, other = m.laplace_error(400, seed=7), fitted("poisson").laplace_error(400, seed=7)
    assert one.error == pytest.approx(other.error, rel=1e-9)
    assert "draws, worth" in repr(one) and "<table" in one._repr_html_()
    pd.testing.assert_frame_equal(one.to_frame(), one.shifts)


def test_what_does_not_settle_is_said() -> None:
    """All rows of a level agree: the variance is as large as one likes."""
    frame = pd.DataFrame({"y": np.repeat([0, 1] * 5, 6), "g": np.repeat(np.arange(10), 6)})
    with pytest.warns(il.ConvergenceWarning):
        m = il.glmer("y ~ 1 + (1 | g)", frame, "binomial")
    error = m.laplace_error()
    assert not error.reliable and "has not settled" in error.advice


def test_refusals() -> None:
    m = fitted("poisson")
    with pytest.raises(ArgumentError, match="n=10 draws are too few"):
        m.laplace_error(10)
    with pytest.raises(ArgumentTypeError, match="seed must be a whole number"):
        m.laplace_error(seed="a")
    with pytest.raises(ArgumentError, match="method='quadrature' is for one grouping factor"):
        m.laplace_error(method="quadrature")
    restricted = il.fit("heavy ~ x + (1 | g)", data(), dispformula="~ x")
    with pytest.raises(ArgumentError, match="fit it with method='ML'"):
        restricted.laplace_error()
    linear = il.fit("heavy ~ x + (1 | g)", data())
    with pytest.raises(ArgumentError, match="the likelihood of a linear one is exact"):
        linear.laplace_error()
    with pytest.raises(AttributeError, match="is of results with random effects"):
        il.glm("count ~ x", data(), "poisson").laplace_error()
