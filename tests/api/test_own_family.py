"""A family with three predictors is one class with one log-density: all else follows."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln, softmax
from scipy.stats import poisson

import interlace as il
from interlace.families import jets
from interlace.families.links.power import Identity
from interlace.families.positive_mean import POSITIVE_LINKS
from interlace.families.several import SeveralParameters


class ZeroOneInflatedPoisson(SeveralParameters):
    """Counts with zeros and ones of their own: shares softmax(0, zeros, ones)."""

    name = "zero-one-inflated poisson"
    support = "count"
    links = POSITIVE_LINKS
    discrete = True
    parameter_scales = {"zeros": Identity(), "ones": Identity()}

    def __init__(self, link="log"):
        super().__init__(link)

    def log_density_of(self, etas, y, weights, trials=1.0):
        eta, zeros, ones = self.all_etas(etas)
        total = jets.log1p(jets.exp(zeros) + jets.exp(ones))
        log_mu = self.log_mean_of(eta)
        poisson = y * log_mu - jets.exp(log_mu) - gammaln(y + 1.0)
        at_zero, at_one = jets.logaddexp(zeros, poisson), jets.logaddexp(ones, poisson)
        inner = jets.where(y == 0.0, at_zero, jets.where(y == 1.0, at_one, poisson))
        return weights * (inner - total)

    def _shares(self, zeta):
        zeta = np.asarray(zeta, dtype=float)
        return softmax(np.stack([np.zeros_like(zeta[0]), *zeta]), axis=0)

    def response_mean_of(self, etas):
        eta, zeros, ones = self.all_etas(etas)
        total = jets.log1p(jets.exp(zeros) + jets.exp(ones))
        return jets.exp(self.log_mean_of(eta) - total) + jets.exp(ones - total)

    def linear_predictor(self, mu, zeta=()):
        p, _, one = self._shares(zeta)
        return np.log(np.maximum(mu - one, 1e-3) / p)

    def variance(self, mu, zeta=()):
        p, _, one = self._shares(zeta)
        inner = np.maximum(mu - one, 0.0) / p
        return p * (inner + inner**2) + one - mu**2

    def cdf(self, y, mu, weights=1.0, trials=1.0, zeta=()):
        p, zero, one = self._shares(zeta)
        y = np.floor(y)
        inner = poisson.cdf(y, np.maximum(mu - one, 0.0) / p)
        return p * inner + zero * (y >= 0.0) + one * (y >= 1.0)

    def sample(self, rng, mu, weights=1.0, trials=1.0, zeta=()):
        p, zero, one = self._shares(zeta)
        y = rng.poisson(np.maximum(mu - one, 0.0) / p).astype(float)
        u = rng.random(y.shape)
        return np.where(u < zero, 0.0, np.where(u < zero + one, 1.0, y))

    def start_mean(self, y, weights=1.0):
        return np.asarray(y, dtype=float) + 0.5

    def _moments(self, y, mu, prior, trials):
        return {"zeros": -1.0, "ones": -1.0}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    n, groups = 1200, 40
    x, g = rng.normal(size=n), np.arange(n) % groups
    eta = 1.5 + 0.4 * x + 0.5 * rng.normal(size=groups)[g]
    family = ZeroOneInflatedPoisson()
    zeta = np.full((2, n), [[-1.0], [-1.5]])
    y = family.sample(rng, family.mean(eta, zeta), 1.0, 1.0, zeta)
    return pd.DataFrame({"y": y, "x": x, "g": g.astype(str)})


@pytest.fixture(scope="module")
def fitted(data):
    return il.glmer("y ~ x + (1 | g)", data, ZeroOneInflatedPoisson())


def test_it_is_fitted(fitted):
    assert fitted.converged
    # the truth is within four standard errors of each estimate
    assert (np.abs(fitted.fe_params - [1.5, 0.4]) < 4.0 * fitted.fe_bse).all()
    errors = [fitted.fit.estimated_parameters[name][1] for name in ("zeros", "ones")]
    assert (np.abs(fitted.fit.zeta - [-1.0, -1.5]) < 4.0 * np.array(errors)).all()


def test_it_predicts_simulates_and_is_kept(fitted, data):
    mean = fitted.predict(data.head(3))
    np.testing.assert_allclose(mean, fitted.fittedvalues[:3], rtol=1e-12)
    drawn = fitted.simulate(2, seed=1)
    assert drawn.shape == (len(data), 2)
    assert fitted.refit(drawn["sim_1"]).converged
    kept = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_allclose(kept.predict(data.head(3)), mean, rtol=1e-12)


def test_it_is_summarised(fitted):
    text = str(fitted.summary())
    assert "zero-one-inflated poisson" in text
    assert "zeros" in text
    assert {"Intercept", "x"} <= set(fitted.tidy()["term"])
