"""The Gaussian whose parameter is log sigma: the same distribution as the one of a precision."""

import numpy as np
import pytest

from interlace.families import Gaussian
from interlace.families.gaussian import GaussianSigma

RNG = np.random.default_rng(0)
Y, ETA, W = RNG.normal(size=8), RNG.normal(size=8), RNG.uniform(0.5, 2.0, 8)
SIGMA = RNG.uniform(0.5, 2.0, 8)
ONE, OTHER = GaussianSigma(), Gaussian()


def test_the_same_distribution():
    mine, its = np.log(SIGMA)[None], -2.0 * np.log(SIGMA)[None]
    for name in ("log_density", "cdf", "pearson", "deviance"):
        a = getattr(ONE, name)(Y, ETA, W, zeta=mine)
        np.testing.assert_allclose(a, getattr(OTHER, name)(Y, ETA, W, zeta=its), rtol=1e-12)
    rows, same = ONE.rows(ETA, Y, W, mine), OTHER.rows(ETA, Y, W, its)
    np.testing.assert_allclose(rows.loglik, same.loglik, rtol=1e-12)
    np.testing.assert_allclose(rows.extra, -2.0 * same.extra, rtol=1e-12)
    assert ONE.sigma(np.log([3.0])) == pytest.approx(3.0)


def test_estimates_at_given_means():
    for name in ("start_zeta", "update_zeta"):
        mine, its = getattr(ONE, name)(Y, ETA, W), getattr(OTHER, name)(Y, ETA, W)
        np.testing.assert_allclose(mine, -0.5 * its, rtol=1e-12)


def test_formulas_of_the_dispersion_are_of_log_sigma():
    assert Gaussian(link="log").for_formulas() == GaussianSigma(link="log")
    fixed = Gaussian(precision=2.0)
    assert fixed.for_formulas() is fixed
