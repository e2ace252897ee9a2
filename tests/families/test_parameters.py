"""Dispersions and shapes: constants for extreme values, starts, and estimates at given means."""

from __future__ import annotations

from fractions import Fraction
from math import log

import numpy as np
import pytest
from helpers.dense_lmm import differences

from interlace.errors import ArgumentError, ArgumentTypeError
from interlace.families import Binomial, Gamma, Gaussian, InverseGaussian, NegativeBinomial, Poisson

ESTIMATED = [NegativeBinomial(), Gamma("log"), InverseGaussian("log"), Gaussian()]
each = pytest.mark.parametrize("family", ESTIMATED, ids=repr)


def total(family, y, mu, weights, zeta):
    return float(np.sum(family.log_density(y, mu, weights, 1.0, zeta)))


def sample(family, n=400, value=3.0):
    rng = np.random.default_rng(5)
    mu = np.exp(rng.normal(1.0, 0.7, n))
    y = family.sample(rng, mu, zeta=np.log([value]))
    return y, mu, rng.uniform(0.5, 2.0, n)


@each
def test_estimates_maximise_the_likelihood(family):
    y, mu, weights = sample(family)
    zeta = family.update_zeta(y, mu, weights)
    slope = differences(lambda z: np.array([total(family, y, mu, weights, z)]), zeta, 1e-3)
    # Differences of a sum of about 1e3: rounding 1e-13 / step.
    assert abs(slope[0, 0]) < 1e-8
    for step in (-0.1, 0.1):
        assert total(family, y, mu, weights, zeta + step) < total(family, y, mu, weights, zeta)
    # From afar Newton's steps leave the bracket and are replaced.
    for start in (-12.0, 0.0, 15.0):
        again = family.update_zeta(y, mu, weights, zeta=[start])
        np.testing.assert_allclose(again, zeta, rtol=0, atol=1e-8)


@each
def test_moments_are_near(family):
    """Starts are within a factor of 1.5 of the truth for 20 000 responses."""
    y, mu, _ = sample(family, 20_000)
    assert abs(family.start_zeta(y, mu)[0] - log(3.0)) < log(1.5)


@each
def test_exact_fits_have_bounds(family):
    """Without residuals the parameter is infinite: a large finite one instead."""
    mu = np.array([1.0, 2.0, 5.0])
    for estimate in (family.start_zeta(mu, mu), family.update_zeta(mu, mu)):
        assert np.isfinite(estimate).all() and estimate[0] > 4.0


def test_no_counts_at_all():
    y, mu = np.zeros(5), np.full(5, 0.5)
    estimate = NegativeBinomial().update_zeta(y, mu)
    assert np.isfinite(estimate).all()
    assert np.isfinite(NegativeBinomial().start_zeta(y, mu)).all()


def test_nothing_to_estimate():
    y = np.array([0.0, 1.0])
    for family in (Binomial(), Poisson(), NegativeBinomial(theta=2.0)):
        assert family.parameters == ()
        assert family.start_zeta(y, y + 0.1).shape == (0,)
        assert family.update_zeta(y, y + 0.1).shape == (0,)
        assert family.dispersion() == 1.0 and family.sigma() == 1.0


def test_dispersion_and_sigma():
    zeta = np.log([4.0])
    assert Gaussian().dispersion(zeta) == pytest.approx(0.25)
    assert Gaussian().sigma(zeta) == pytest.approx(0.5)
    assert Gamma().sigma(zeta) == pytest.approx(0.5)
    assert InverseGaussian().dispersion(zeta) == pytest.approx(0.25)
    assert NegativeBinomial().dispersion(zeta) == 1.0
    assert Gamma(shape=4.0).dispersion() == 0.25


def rising(theta: int, y: int) -> Fraction:
    """Gamma(theta + y) / (Gamma(theta) y!) / theta^y, exactly."""
    product = Fraction(1)
    for j in range(y):
        product *= Fraction(theta + j, theta * (j + 1))
    return product


@pytest.mark.parametrize("theta", [1, 14, 15, 16, 10**4, 10**10])
@pytest.mark.parametrize("y", [0, 1, 13, 40])
def test_constants_of_the_negative_binomial_do_not_cancel(theta, y):
    at, zeta = np.array([float(y)]), np.log([float(theta)])
    value, slope = NegativeBinomial().constant(at, np.ones(1), 1.0, zeta)
    ratio = rising(theta, y)
    exact = log(ratio.numerator) - log(ratio.denominator) if y else 0.0
    found = value[0] - y * log(theta)
    # What is left after y log(theta) carries the rounding of that.
    assert found == pytest.approx(exact, rel=1e-12, abs=4e-16 * max(1.0, y * log(theta)) * 4)
    exact_slope = sum(Fraction(theta, theta + j) for j in range(y))
    assert slope[0, 0] == pytest.approx(float(exact_slope), rel=1e-13)


def test_the_negative_binomial_tends_to_poisson():
    y, mu = np.array([0.0, 3.0, 12.0]), np.array([0.7, 4.0, 9.0])
    limit = NegativeBinomial(theta=1e10).log_density(y, mu)
    # They differ by ((y - mu)^2 - y) / (2 theta).
    np.testing.assert_allclose(limit, Poisson().log_density(y, mu), rtol=0, atol=1e-9)


@pytest.mark.parametrize("shape", [1e-3, 0.5, 14.999, 15.001, 1e4, 1e9])
def test_constants_of_the_gamma_do_not_cancel(shape):
    family, one, zeta = Gamma(), np.ones(1), np.log([shape])
    value, slope = family.constant(one, one, 1.0, zeta)
    if shape >= 1e4:
        # a log a - a - log-gamma(a) is log(a / 2 pi) / 2 - 1/(12 a) + ...
        assert value[0] == pytest.approx(
            0.5 * log(shape / (2 * np.pi)) - 1 / (12 * shape), rel=1e-13
        )
        assert slope[0, 0] == pytest.approx(0.5 + 1 / (12 * shape), rel=1e-13)
    near = differences(lambda z: family.constant(one, one, 1.0, z)[0], zeta, 1e-3)
    assert slope[0, 0] == pytest.approx(near[0, 0], rel=1e-9)


def test_parameters_are_fixed_and_freed():
    fixed = Gamma("log").with_parameter(3.0)
    assert fixed == Gamma("log", shape=3.0) and fixed.parameters == () and fixed.shape == 3.0
    assert fixed.with_parameter(None).parameters == ("shape",)
    assert NegativeBinomial(theta=2).theta == 2.0
    assert NegativeBinomial(2.0, link="nbcanonical").link.theta == 2.0
    assert NegativeBinomial(2.0).with_link("nbcanonical").link.theta == 2.0
    assert InverseGaussian(lam=2.0).lam == 2.0 and Gaussian(precision=2.0).precision == 2.0


def test_what_a_parameter_cannot_be():
    with pytest.raises(ArgumentError, match=r"NegativeBinomial\(theta=...\) must be positive"):
        NegativeBinomial(theta=-1.0)
    with pytest.raises(ArgumentError, match="must be positive and finite.*got nan"):
        Gamma(shape=float("nan"))
    with pytest.raises(ArgumentTypeError, match="must be a number, or None.*got 'log'"):
        NegativeBinomial("log")


def test_start_means_are_in_range(family, case):
    eta = family.start_eta(case.y, case.weights)
    assert family.valid(eta).all()
    ends = np.array([0.0, 1.0, 1.0, 0.0])
    if family.discrete:
        assert family.valid(family.start_eta(ends, np.ones(4))).all()
    elif family.name == "gaussian" and family.link.name != "identity":
        assert family.valid(family.start_eta(ends - 0.5, np.ones(4))).all()
        assert family.valid(family.start_eta(np.zeros(4), np.ones(4))).all()
    zeta = family.start_zeta(case.y, family.mean(eta, case.zeta), case.weights, case.trials)
    assert zeta.shape == (len(family.parameters),) and np.isfinite(zeta).all()
