"""Families of a user's own functions against the built-in families of the same functions."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.hand_families import HandPoisson
from scipy import special, stats

from interlace.errors import ArgumentError, ArgumentTypeError
from interlace.families import Binomial, CustomFamily, Gaussian, Poisson, Power, resolve
from interlace.families.custom import STEP


class HandProbit:
    def link(self, mu):
        return special.ndtri(mu)

    def linkinv(self, eta):
        return special.ndtr(eta)

    def mu_eta(self, eta):
        return stats.norm.pdf(eta)

    def variance(self, mu):
        return mu * (1.0 - mu)

    def dev_resids(self, y, mu, weights):
        gap = special.xlogy(y, y / mu) + special.xlogy(1.0 - y, (1.0 - y) / (1.0 - mu))
        return 2.0 * weights * gap


class HandIdentity:
    """Gaussian of precision 1 with a scalar variance and a scalar mu_eta, as R allows."""

    def link(self, mu):
        return mu

    def linkinv(self, eta):
        return eta

    def mu_eta(self, eta):
        return 1.0

    def variance(self, mu):
        return 1.0

    def dev_resids(self, y, mu, weights):
        return weights * (y - mu) ** 2


class HandCount(HandPoisson):
    """Poisson with the identity, which restricts eta."""

    def link(self, mu):
        return mu

    def linkinv(self, eta):
        return eta

    def mu_eta(self, eta):
        return np.ones_like(eta)

    def validmu(self, mu):
        return mu > 0


TWINS = [
    (HandPoisson(), Poisson(), np.linspace(-6.0, 12.0, 37)),
    (HandProbit(), Binomial("probit"), np.linspace(-5.0, 5.0, 41)),
    (HandIdentity(), Gaussian(precision=1.0), np.linspace(-50.0, 1e3, 41)),
    (HandCount(), Poisson("identity"), np.geomspace(1e-4, 1e5, 28)),
]


@pytest.mark.parametrize("expected", [True, False])
@pytest.mark.parametrize(("functions", "twin", "eta"), TWINS, ids=["log", "probit", "id", "count"])
def test_rows_equal_those_of_the_twin(functions, twin, eta, expected):
    custom = resolve(functions)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, eta.size).astype(float)
    weights = rng.integers(1, 5, eta.size).astype(float)
    found = custom.rows(eta, y, weights, (), expected)
    exact = twin.rows(eta, y, weights, (), expected)
    # The log-density is that of the twin less that of the saturated model, which eta is not in.
    saturated = exact.loglik + 0.5 * twin.deviance(y, twin.mean(eta), weights)
    np.testing.assert_allclose(found.loglik, exact.loglik - saturated, rtol=1e-9, atol=1e-12)
    scale = custom._step(eta) / STEP
    noise = 1e-15
    if twin.name == "binomial":
        # The user's formula divides by 1 - mu, which has lost digits.
        noise = noise / np.minimum(twin.mean(eta), twin.mean(-eta))
    # y and mu in the score, in units in which the differences have steps of STEP
    parts = np.abs(exact.score) + exact.observed.clip(0) * scale + found.weight.clip(0) * scale
    # h^4 f^(5) / 30 and h^4 f^(6) / 90 with f^(k) at most k! as for 1 / eta, and noise
    first = parts / scale * (STEP**4 * 120 / 30 + 1.5 * noise / STEP)
    second = parts / scale**2 * (STEP**4 * 720 / 90 + 5.3 * noise / STEP**2)
    assert (np.abs(found.score - exact.score) <= 4 * noise * parts).all()
    assert (np.abs(found.observed - exact.observed) <= first).all()
    if expected:
        assert (np.abs(found.weight - exact.weight) <= 4 * noise * exact.weight).all()
        assert (np.abs(found.slope - exact.slope) <= first / scale).all()
    else:
        np.testing.assert_array_equal(found.weight, found.observed)
        assert (np.abs(found.slope - exact.slope) <= second).all()


def test_it_names_itself_apart():
    custom = resolve(HandPoisson())
    assert isinstance(custom, CustomFamily)
    assert custom.name == "custom(poisson)"
    assert repr(custom) == "CustomFamily('poisson')"
    assert repr(resolve(HandProbit)) == "CustomFamily('HandProbit')"
    assert custom != Poisson() and custom == resolve(custom.functions)
    assert len({custom, resolve(custom.functions)}) == 1


def test_what_it_offers_beside_rows():
    custom = resolve(HandPoisson())
    y, mu = np.array([0.0, 2.0, 5.0]), np.array([0.5, 2.0, 4.0])
    twin = Poisson()
    np.testing.assert_allclose(custom.deviance(y, mu), twin.deviance(y, mu), atol=1e-14)
    np.testing.assert_allclose(custom.log_density(y, mu), -0.5 * twin.deviance(y, mu), atol=1e-14)
    np.testing.assert_allclose(custom.variance(mu), mu)
    assert custom.constant(y, np.ones(3))[0].tolist() == [0.0] * 3
    assert custom.parameters == () and custom.dispersion() == 1.0
    np.testing.assert_allclose(custom.start_mean(y), [0.1, 2.0, 5.0])
    np.testing.assert_allclose(resolve(HandProbit()).start_mean(np.array([0.0, 1.0])), [0.25, 0.75])
    np.testing.assert_allclose(resolve(HandIdentity()).start_mean(y - 3.0), y - 3.0)
    for value, link in zip(
        custom.link.inverse_derivatives(np.zeros(2)), twin.link.inverse_derivatives(np.zeros(2))
    ):
        np.testing.assert_allclose(value, link, rtol=1e-9)
    np.testing.assert_allclose(custom.link.derivative(mu), 1.0 / mu)


def test_another_link():
    custom = resolve(HandPoisson(), link="sqrt")
    eta, y = np.linspace(0.5, 3.0, 9), np.arange(9.0)
    found = custom.rows(eta, y, np.ones(9))
    exact = Poisson("sqrt").rows(eta, y, np.ones(9))
    np.testing.assert_allclose(found.score, exact.score, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.slope, exact.slope, atol=1e-9)
    assert custom.with_link(Power(0.5)).link == Power(0.5)
    assert custom != resolve(HandPoisson())


def test_out_of_range_and_far_out():
    custom = resolve(HandCount())
    rows = custom.rows(np.array([-1.0, 2.0]), np.ones(2), np.ones(2))
    assert rows.loglik[0] == -np.inf and rows.weight[0] == 0.0 and np.isfinite(rows.loglik[1])
    eta = np.r_[np.linspace(-700.0, 700.0, 281), np.nan, np.inf]
    for functions in (HandPoisson(), HandProbit()):
        for expected in (True, False):
            rows = resolve(functions).rows(eta, np.ones(eta.size), np.ones(eta.size), (), expected)
            assert not np.isnan(rows.loglik).any()
            for part in rows[1:]:
                assert np.isfinite(part).all()


def test_optional_functions():
    class Full(HandPoisson):
        def valideta(self, eta):
            return True

        def mustart(self, y, weights):
            return y + 0.3

        def sample(self, rng, mu):
            return rng.poisson(mu)

        def cdf(self, y, mu):
            return stats.poisson.cdf(y, mu)

    custom = resolve(Full())
    mu = np.array([1.0, 2.0])
    assert custom.valid(mu).all()
    np.testing.assert_allclose(custom.start_mean(mu), mu + 0.3)
    np.testing.assert_allclose(custom.cdf(mu, mu), stats.poisson.cdf(mu, mu))
    assert custom.sample(np.random.default_rng(0), mu).shape == (2,)
    bare = resolve(HandPoisson())
    with pytest.raises(ArgumentError, match=r"without sample\(\.\.\.\): simulation, by sample"):
        bare.sample(np.random.default_rng(0), mu)
    with pytest.raises(ArgumentError, match=r"without cdf\(\.\.\.\)"):
        bare.cdf(mu, mu)


def test_what_is_missing_is_named():
    class Half:
        link = linkinv = staticmethod(np.exp)

    with pytest.raises(ArgumentError, match="'Half' has no mu_eta, variance, dev_resids"):
        resolve(Half())
    with pytest.raises(ArgumentTypeError, match="or an object with the methods link, linkinv"):
        resolve(object())


def test_functions_that_do_not_fit_together_are_refused():
    def family(**other):
        own = {
            "link": np.log, "linkinv": np.exp, "mu_eta": np.exp, "variance": lambda mu: mu,
            "dev_resids": lambda y, mu, w: w * (y - mu) ** 2,
        }  # fmt: skip
        return SimpleNamespace(**{**own, **other})

    with pytest.raises(ArgumentError, match="mu_eta is not the derivative"):
        resolve(family(mu_eta=lambda eta: np.exp(2.0 * eta)))
    with pytest.raises(ArgumentError, match="linkinv gives a single number"):
        resolve(family(linkinv=lambda eta: 1.0))
    with pytest.raises(ArgumentError, match="mu_eta gives"):
        resolve(family(mu_eta=lambda eta: np.exp(eta)[:2]))
