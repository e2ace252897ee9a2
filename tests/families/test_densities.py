"""Densities, distribution functions, deviances and random numbers against scipy.stats."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from interlace.families import Binomial, Gamma, Gaussian, InverseGaussian, NegativeBinomial, Poisson
from interlace.families.one_parameter import Precision

MU = np.array([0.02, 0.3, 0.9, 1.0, 4.0, 30.0])
TRIALS = 7
FIXED = [
    Poisson(),
    NegativeBinomial(theta=1.7),
    NegativeBinomial(theta=40.0),
    Gamma(shape=0.6),
    Gamma(shape=40.0),
    InverseGaussian(lam=2.5),
    InverseGaussian(lam=80.0),
    Gaussian(precision=0.3),
]
each = pytest.mark.parametrize("family", FIXED, ids=repr)


def reference(family, mu):
    """The same distribution of scipy.stats."""
    if family.name == "poisson":
        return stats.poisson(mu)
    a = family.parameter
    return {
        "negativebinomial": lambda: stats.nbinom(a, a / (a + mu)),
        "gamma": lambda: stats.gamma(a, scale=mu / a),
        "inverse_gaussian": lambda: stats.invgauss(mu / a, scale=a),
        "gaussian": lambda: stats.norm(mu, 1.0 / np.sqrt(a)),
    }[family.name]()


def responses(family):
    if family.discrete:
        return np.array([0.0, 1.0, 2.0, 5.0, 31.0, 200.0])
    return np.array([0.01, 0.4, 1.0, 2.7, 33.0])


@each
def test_density_and_distribution_function(family):
    y, mu = (part.ravel() for part in np.meshgrid(responses(family), MU))
    exact = reference(family, mu)
    log = exact.logpmf(y) if family.discrete else exact.logpdf(y)
    np.testing.assert_allclose(family.log_density(y, mu), log, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(family.cdf(y, mu), exact.cdf(y), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(
        family.dispersion() * family.variance(MU), reference(family, MU).var(), rtol=1e-12
    )


def test_binomial():
    k, mu = (part.ravel() for part in np.meshgrid(np.arange(TRIALS + 1.0), [1e-9, 0.2, 0.5, 0.99]))
    family, exact = Binomial(), stats.binom(TRIALS, mu)
    y = k / TRIALS
    np.testing.assert_allclose(
        family.log_density(y, mu, trials=TRIALS), exact.logpmf(k), rtol=1e-12
    )
    np.testing.assert_allclose(family.cdf(y, mu, trials=TRIALS), exact.cdf(k), rtol=1e-12)
    np.testing.assert_allclose(family.variance(mu) / TRIALS, exact.var() / TRIALS**2, rtol=1e-12)
    # Prior weights multiply the log-density.
    twice = family.log_density(y, mu, weights=2.0 * TRIALS, trials=TRIALS)
    np.testing.assert_allclose(twice, 2.0 * exact.logpmf(k), rtol=1e-12)
    certain = family.log_density(np.array([0.0, 1.0, 0.5]), np.array([0.0, 1.0, 1.0]), trials=2)
    np.testing.assert_array_equal(certain, [0.0, 0.0, -np.inf])
    # Counts of a large number of trials come back from k / m.
    m = np.array([3.0, 49.0, 98.0, 1e6, 123456789.0])
    k = np.array([1.0, 1.0, 47.0, 333333.0, 61728394.0])
    assert (np.floor(m * (k / m)) < k).any()
    np.testing.assert_allclose(
        family.cdf(k / m, np.full(5, 0.5), trials=m), stats.binom(m, 0.5).cdf(k), rtol=1e-7
    )


@each
def test_weights_multiply_the_precision_or_else_the_log_density(family):
    y, mu = responses(family), np.full(responses(family).size, 1.3)
    weights = np.linspace(0.5, 3.0, y.size)
    found = family.log_density(y, mu, weights)
    if isinstance(family, Precision):
        each = zip(y, mu, weights, strict=True)
        value = family.parameter
        truth = [family.with_parameter(value * w).log_density(a, b) for a, b, w in each]
        np.testing.assert_allclose(found, np.array(truth), rtol=1e-12)
        # the estimate at given means is the maximum in the parameter, whatever the unit of weights
        free = family.with_parameter(None)
        for unit in (1e-9, 1.0, 1e9):
            zeta = free.update_zeta(y, mu, unit * weights)
            near = [
                free.log_density(y, mu, unit * weights, 1.0, zeta + h).sum()
                for h in (-0.01, 0.0, 0.01)
            ]
            assert near[1] > max(near[0], near[2])
            assert zeta + np.log(unit) == pytest.approx(free.update_zeta(y, mu, weights), rel=1e-9)
    else:
        np.testing.assert_allclose(found, weights * family.log_density(y, mu), rtol=1e-12)


@each
def test_density_sums_to_one(family):
    for mu in (0.3, 4.0):
        if family.discrete:
            y = np.arange(3000.0)
            total = np.exp(family.log_density(y, np.full(y.size, mu))).sum()
        else:
            exact = reference(family, mu)
            low, high = exact.ppf([1e-13, 1 - 1e-13])

            def density(x: float, mu: float = mu) -> float:
                return float(np.exp(family.log_density(np.array([x]), np.array([mu])))[0])

            points = exact.ppf([0.01, 0.2, 0.5, 0.8, 0.99])
            total = integrate.quad(density, low, high, points=points, limit=400, epsabs=1e-11)[0]
        assert total == pytest.approx(1.0, abs=1e-9)


@each
def test_outside_the_support(family):
    y = np.array([-1.0, 2.0, 2.0, 2.0])
    mu = np.array([1.0, 0.0, -1.0, np.inf])
    if family.name == "gaussian":
        assert np.isfinite(family.log_density(y[:3], mu[:3])).all()
        return
    assert (family.log_density(y, mu) == -np.inf).all()
    assert family.cdf(np.array([-0.5]), np.array([1.0])).tolist() == [0.0]
    if family.discrete:
        assert family.log_density(np.zeros(1), np.zeros(1)).tolist() == [0.0]


@each
def test_deviance_is_twice_the_gap_to_the_saturated_model(family):
    y, mu = (part.ravel() for part in np.meshgrid(responses(family), MU))
    weights = np.linspace(0.5, 2.0, y.size)
    gap = family.log_density(y, y) - family.log_density(y, mu)
    deviance = family.deviance(y, mu, weights)
    # The gap is a difference of log-densities, each good to 1e-15 of the terms in it.
    np.testing.assert_allclose(deviance, 2 * weights * family.dispersion() * gap, 1e-10, 1e-10)
    assert (family.deviance(y, np.maximum(y, 1e-8)) < 1e-6).all()
    # Near the response it is (y - mu)^2 / V, up to a relative 1e-6 here, and does not cancel.
    near, mu = np.array([3.0]), np.array([3.0 * (1.0 + 1e-6)])
    expected = (near - mu) ** 2 / family.variance(near)
    np.testing.assert_allclose(family.deviance(near, mu), expected, rtol=1e-5)


def test_deviance_of_the_binomial():
    family = Binomial()
    y, mu = np.array([0.0, 0.25, 1.0, 1.0, 0.0]), np.array([0.3, 0.6, 0.8, 1.0, 0.0])
    m = np.full(5, 4.0)
    gap = family.log_density(y, y, trials=m) - family.log_density(y, mu, trials=m)
    np.testing.assert_allclose(family.deviance(y, mu, m), 2.0 * gap, rtol=1e-12, atol=1e-14)


@each
def test_random_numbers_have_the_moments(family):
    n = 200_000
    rng = np.random.default_rng(7)
    for mu in (0.4, 6.0):
        y = family.sample(rng, np.full(n, mu))
        exact = reference(family, mu)
        variance, kurtosis = exact.var(), float(exact.stats("k"))
        # Five standard errors: a fair seed misses one in two million.
        assert abs(y.mean() - mu) < 5 * np.sqrt(variance / n)
        assert abs(y.var() - variance) < 5 * variance * np.sqrt((kurtosis + 2.0) / n)
        share = (y <= exact.median()).mean()
        assert abs(share - exact.cdf(exact.median())) < 5 * 0.5 / np.sqrt(n)


def test_random_proportions():
    rng = np.random.default_rng(8)
    trials = np.repeat([1.0, 5.0], 50_000)
    y = Binomial().sample(rng, np.full(trials.size, 0.3), trials=trials)
    assert set(np.unique(y[:50_000])) == {0.0, 1.0}
    np.testing.assert_allclose(y * trials, np.rint(y * trials), atol=1e-12)
    for part, m in ((y[:50_000], 1), (y[50_000:], 5)):
        assert abs(part.mean() - 0.3) < 5 * np.sqrt(0.21 / m / 50_000)


def test_weights_are_precisions_of_random_numbers():
    rng = np.random.default_rng(9)
    n = 100_000
    for family in (Gamma(shape=2.0), InverseGaussian(lam=3.0), Gaussian(precision=1.5)):
        y = family.sample(rng, np.full(n, 1.2), weights=4.0)
        expected = family.dispersion() * family.variance(np.array(1.2)) / 4.0
        # Kurtosis is at most 6 here: shape 8, lambda 12.
        assert abs(y.var() / expected - 1.0) < 5 * np.sqrt(8.0 / n)
        u = family.cdf(y, np.full(n, 1.2), weights=4.0)
        assert stats.kstest(u, "uniform").pvalue > 1e-4


def test_counts_of_any_mean():
    rng = np.random.default_rng(10)
    y = Poisson().sample(rng, np.array([0.0, 3.0, 1e12, 1e30]))
    assert y[0] == 0.0 and y[3] == pytest.approx(1e30, rel=1e-12)
    y = NegativeBinomial(theta=1e10).sample(rng, np.full(20_000, 4.0))
    assert abs(y.var() - 4.0) < 5 * np.sqrt((16 * 2 + 4) / 20_000)


def test_the_same_seed_gives_the_same_numbers(family, case):
    mu = family.mean(case.eta, case.zeta)
    first, second = (
        family.sample(np.random.default_rng(3), mu, 1.0, case.trials, case.zeta) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert first.shape == mu.shape
