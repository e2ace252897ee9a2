"""The compiled series against sums of all their terms, in the tails and where steps are long."""

import math

import numpy as np
import pytest

from interlace.families import ConwayMaxwellPoisson, Tweedie
from interlace.families.kernels import _several

#: Sums are good to this share of the largest of what they are made of.
CLOSE = 1e-12


def conway_maxwell_sum(theta, nu, extra):
    """K(theta, nu), the mean of the count and its variance."""
    top = math.exp(theta / nu)
    # terms far from the largest are below 1e-30 of it
    reach = 12.0 * (math.sqrt(top / nu) + 1.0 / nu + 1.0) + extra
    j = np.arange(max(0.0, math.floor(top - reach)), math.ceil(top + reach) + 200.0 / nu)
    logs = np.array([math.lgamma(i + 1.0) for i in j])
    terms = j * theta - nu * logs
    peak = terms.max()
    p = np.exp(terms - peak)
    total = math.fsum(p)
    p /= total
    mean = math.fsum(p * j)
    variance = math.fsum(p * (j - mean) ** 2)
    return peak + math.log(total), mean, variance


COUNTS = [
    # theta, nu: Poisson, much and little dispersion, few and very many counts
    (1.0, 1.0), (-2.0, 1.0), (0.3, 0.2), (-0.05, 0.01), (3.0, 4.0), (60.0, 40.0), (7.0, 1.0),
    (9.2, 1.0), (4.6, 0.5), (12.0, 2.0), (-30.0, 0.5), (-30.0, 8.0), (0.0, 1e-3),
]  # fmt: skip


@pytest.mark.parametrize(("theta", "nu"), COUNTS)
def test_conway_maxwell_counts_are_the_sums_of_their_terms(theta, nu):
    K, mean, variance = conway_maxwell_sum(theta, nu, 30.0)
    y = np.rint(mean + np.sqrt(variance) * np.array([-3.0, -1.0, 0.0, 1.0, 3.0, 8.0]))
    y = np.maximum(y, 0.0)
    factorials = np.array([math.lgamma(i + 1.0) for i in y])
    out = np.empty((10, 6))
    at = np.full(6, math.log(mean)), np.full(6, math.log(nu))
    _several.conway_maxwell(3, *at, y, out)
    size = np.abs(y * theta) + nu * factorials + abs(K)
    assert np.all(np.abs(out[0] - (y * theta - nu * factorials - K)) <= 1e-13 + CLOSE * size)
    # with the mean kept, theta moves by mean / variance with log of the mean
    score = (y - mean) * mean / variance
    assert np.all(np.abs(out[1] - score) <= 1e-9 * (1.0 + np.abs(score) + y))
    assert np.isfinite(out).all()


def test_means_and_dispersions_over_a_wide_range():
    log_mu, log_phi = (
        x.ravel()
        for x in np.meshgrid([-9.0, -1.0, 0.7, 2.0, 6.0, 9.0], [-6.0, -3.0, 0.0, 2.0, 4.0])
    )
    variance = ConwayMaxwellPoisson().variance(np.exp(log_mu), log_phi[None])
    rows = variance < 5e5
    assert rows.mean() > 0.8
    for m, phi, v in zip(np.exp(log_mu)[rows], log_phi[rows], variance[rows], strict=True):
        y = np.arange(np.floor(max(0.0, m - 40.0 * np.sqrt(v))), m + 80.0 * np.sqrt(v) + 20.0)
        p = np.exp(ConwayMaxwellPoisson().log_density(y, np.full(y.size, m), zeta=[phi]))
        assert math.fsum(p) == pytest.approx(1.0, rel=1e-11)
        assert math.fsum(p * y) == pytest.approx(m, rel=1e-11)
        assert math.fsum(p * (y - m) ** 2) == pytest.approx(v, rel=1e-9)


def test_two_neighbouring_counts_when_there_is_next_to_no_dispersion():
    """Between two counts the probabilities are those that the mean says."""
    family = ConwayMaxwellPoisson(phi=1e-5)
    y, mu = np.array([14.0, 15.0, 0.0, 1.0, 2.0, 3.0]), np.array([14.3, 14.3, 0.2, 0.2, 2.9, 2.9])
    expected = np.log([0.7, 0.3, 0.8, 0.2, 0.1, 0.9])
    np.testing.assert_allclose(family.log_density(y, mu), expected, rtol=1e-9)


def tweedie_sum(y, phi, power):
    """The part of the density of y > 0 that has no mean, every term."""
    a = (2.0 - power) / (power - 1.0)
    w = a * math.log(y) - a * math.log(power - 1.0) - (1.0 + a) * math.log(phi)
    w -= math.log(2.0 - power)
    middle = y ** (2.0 - power) / (phi * (2.0 - power))
    reach = 14.0 * math.sqrt(middle / (1.0 + a)) + 60.0
    j = np.arange(max(1.0, math.floor(middle - reach)), math.ceil(middle + reach))
    terms = np.array([i * w - math.lgamma(i + 1.0) - math.lgamma(a * i) for i in j])
    peak = terms.max()
    size = middle * (abs(w) + math.log(middle + 1.0) + a * abs(math.log(a * middle + 1e-300)))
    return peak + math.log(math.fsum(np.exp(terms - peak))) - math.log(y), size


SUMS = [
    (1.0, 1.0, 1.5), (1e-3, 0.3, 1.2), (200.0, 0.1, 1.5), (5e3, 0.02, 1.7), (3.0, 1.0, 1.02),
    (0.4, 2.0, 1.98), (7.0, 0.5, 1.999), (1.0, 1.0, 1.99999), (40.0, 50.0, 1.6), (1e-8, 1.0, 1.9),
    (6.0, 1.0, 1.0005), (2.0, 1e-3, 1.4),
]  # fmt: skip


@pytest.mark.parametrize(("y", "phi", "power"), SUMS)
def test_tweedie_densities_are_the_sums_of_their_terms(y, phi, power):
    exact, size = tweedie_sum(y, phi, power)
    out = np.empty((10, 1))
    psi = math.log((power - 1.0) / (2.0 - power))
    _several.tweedie_series(3, *(np.array([x]) for x in (math.log(y), math.log(phi), psi)), out)
    assert abs(out[0, 0] - exact) <= 1e-13 + 4.0 * CLOSE * size


@pytest.mark.parametrize(("y", "phi", "power"), SUMS)
def test_derivatives_of_the_tweedie_series(y, phi, power):
    """Each order is the difference of the one before, by Richardson's rule."""
    psi = math.log((power - 1.0) / (2.0 - power))

    def at(a, b):
        out = np.empty((10, 1))
        _several.tweedie_series(3, *(np.array([x]) for x in (math.log(y), a, b)), out)
        return out[:, 0]

    h = 1e-3
    order = [(0, 1, 2), (1, 3, 4), (2, 4, 5), (3, 6, 7), (4, 7, 8), (5, 8, 9)]
    log_phi, here = math.log(phi), at(math.log(phi), psi)
    _, size = tweedie_sum(y, phi, power)
    for k, moves in enumerate([(1.0, 0.0), (0.0, 1.0)]):
        ends = [at(log_phi + s * h * moves[0], psi + s * h * moves[1]) for s in (-2, -1, 1, 2)]
        slope = (8.0 * (ends[2] - ends[1]) - (ends[3] - ends[0])) / (12.0 * h)
        for low, *high in order:
            scale = abs(here[low]) + abs(here[high[k]]) + 1.0
            error = 1e-14 * size * (1.0 + (2.0 - power) / (power - 1.0)) ** 3 / h
            assert slope[low] == pytest.approx(here[high[k]], abs=1e-8 * scale + error)


@pytest.mark.parametrize("arguments", [{}, {"power": 1.4}, {"phi": 0.8}])
def test_rows_do_not_depend_on_those_before(arguments):
    """Gamma functions are kept while the power stays."""
    rng = np.random.default_rng(0)
    family = Tweedie(**arguments)
    y = np.where(rng.random(30) < 0.3, 0.0, rng.gamma(2.0, 1.5, 30))
    K = 1 + len(family.parameters)
    eta = np.stack([rng.normal(size=30), rng.normal(size=30), rng.normal(size=30)])[:K]
    whole = family.derivatives(eta, y, np.ones(30))
    for i in reversed(range(30)):
        alone = family.derivatives(np.ascontiguousarray(eta[:, [i]]), y[[i]], np.ones(1))
        assert alone.value[0] == whole.value[i]
        np.testing.assert_array_equal(alone.information[:, 0], whole.information[:, i])
