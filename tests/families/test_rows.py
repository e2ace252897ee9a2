"""Rows against numerical derivatives, out of range, and against the log-density."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.dense_lmm import differences

from interlace.errors import ArgumentError
from interlace.families import Binomial, Gamma, NegativeBinomial, Poisson

# Fourth-order differences with a step of 1e-3 on ranges where the functions vary on a scale of 0.2
# or more: truncation (h / 0.2)^4 = 6e-10, rounding 1e-16 / h = 1e-13, both relative to the largest
# derivative.
STEP = 1e-3
BAR = 1e-8


def along_eta(function, eta):
    """d function / d eta, row by row."""
    return differences(lambda shift: function(eta + shift[0]), [0.0], STEP)[0]


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=BAR * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("expected", [True, False])
def test_rows_are_derivatives(family, case, expected):
    def rows(eta, zeta=case.zeta):
        return family.rows(eta, case.y, case.weights, zeta, expected)

    here = rows(case.eta)
    close(here.score, along_eta(lambda eta: rows(eta).loglik, case.eta))
    close(here.observed, -along_eta(lambda eta: rows(eta).score, case.eta))
    close(here.slope, along_eta(lambda eta: rows(eta).weight, case.eta))
    assert here.extra.shape == (len(family.parameters), 3, case.eta.size)
    if family.parameters:
        slopes = differences(lambda z: np.stack(rows(case.eta, z)[:3]), case.zeta, STEP)
        close(here.extra, slopes)
    if not expected:
        np.testing.assert_array_equal(here.weight, here.observed)


def test_expected_weight_is_the_variance_of_the_score(family, case):
    """weights mu'^2 / (V phi), in the textbook's form."""
    here = family.rows(case.eta, case.y, case.weights, case.zeta, True)
    mu = family.mean(case.eta, case.zeta)
    slope = family.mean_slope(case.eta, case.zeta)
    textbook = case.weights * slope**2 / family.variance(mu, case.zeta)
    np.testing.assert_allclose(here.weight, textbook / family.dispersion(case.zeta), rtol=1e-12)
    score = case.weights * (case.y - mu) * slope / family.variance(mu, case.zeta)
    scale = np.abs(score).max()
    np.testing.assert_allclose(
        here.score * family.dispersion(case.zeta), score, rtol=1e-12, atol=1e-13 * scale
    )


def test_working_weights_are_those_of_irls(family, case):
    mu, derivative, weight = family.working(case.eta, case.y, case.weights, case.zeta)
    np.testing.assert_allclose(
        weight, case.weights / (family.variance(mu, case.zeta) * derivative**2), rtol=1e-11
    )
    np.testing.assert_allclose(family.linear_predictor(mu, case.zeta), case.eta, rtol=1e-12)


def test_rows_and_constant_make_the_log_density(family, case):
    rows = family.rows(case.eta, case.y, case.weights, case.zeta)
    constant, derivative = family.constant(case.y, case.weights, case.trials, case.zeta)
    mu = family.mean(case.eta, case.zeta)
    density = family.log_density(case.y, mu, case.weights, case.trials, case.zeta)
    np.testing.assert_allclose(rows.loglik + constant, density, rtol=1e-12, atol=1e-13)
    assert derivative.shape == (len(family.parameters), case.y.size)
    if family.parameters:
        slope = differences(
            lambda z: family.constant(case.y, case.weights, case.trials, z)[0], case.zeta, STEP
        )
        close(derivative, slope)


def test_one_zeta_for_each_row(family, case):
    """zeta of shape (m, n) is what a model of the dispersion needs."""
    zeta = np.linspace(-1.0, 1.5, case.eta.size)[None, :][: len(family.parameters)]
    together = family.rows(case.eta, case.y, case.weights, zeta, False)
    constant = family.constant(case.y, case.weights, case.trials, zeta)
    for i in range(0, case.eta.size, 5):
        at = slice(i, i + 1)
        alone = family.rows(case.eta[at], case.y[at], case.weights[at], zeta[:, i], False)
        for whole, part in zip(together, alone, strict=True):
            np.testing.assert_allclose(whole[..., at], part, rtol=1e-13)
        one = family.constant(case.y[at], case.weights[at], case.trials[at], zeta[:, i])
        np.testing.assert_allclose(constant[0][at], one[0], rtol=1e-13)
        np.testing.assert_allclose(constant[1][:, at], one[1], rtol=1e-13)


@pytest.mark.parametrize("expected", [True, False])
def test_nothing_breaks_from_minus_700_to_700(family, expected):
    """Every number is finite, or the row says by its log-density that it is out of range."""
    eta = np.r_[np.linspace(-700.0, 700.0, 1401), 1e-90, -1e-90, np.inf, -np.inf, np.nan]
    zeta = np.full(len(family.parameters), 1.0)
    responses = {"binomial": [0.0, 0.4, 1.0], "poisson": [0.0, 3.0, 1e6]}
    responses["negativebinomial"] = responses["poisson"]
    for y in responses.get(family.name, [1e-3, 1.0, 1e5]):
        for weight in (0.25, 1.0, 1e5):
            full = np.full(eta.size, y), np.full(eta.size, weight)
            rows = family.rows(eta, *full, zeta, expected)
            assert not np.isnan(rows.loglik).any()
            for part in rows[1:]:
                assert np.isfinite(part).all()
            lost = rows.loglik == -np.inf
            assert lost[~family.valid(eta)].all()
            for part in (rows.score, rows.weight, rows.observed, rows.slope):
                assert (part[lost] == 0.0).all()
            if expected:
                assert (rows.weight >= 0.0).all()


def test_ranges():
    eta = np.array([-1.0, 0.5, 1.5])
    assert Binomial("log").valid(eta).tolist() == [True, False, False]
    assert Binomial("identity").valid(eta).tolist() == [False, True, False]
    assert Poisson("identity").valid(eta).tolist() == [False, True, True]
    assert Poisson("log").valid(eta).all()
    assert Gamma("inverse").valid(eta).tolist() == [False, True, True]
    assert NegativeBinomial(link="nbcanonical").valid(eta).tolist() == [True, False, False]
    rows = Poisson("identity").rows(eta, np.ones(3), np.ones(3))
    alone = Poisson("identity").rows(eta[1:], np.ones(2), np.ones(2))
    assert rows.loglik[0] == -np.inf
    np.testing.assert_array_equal(rows.score, [0.0, *alone.score])


def test_a_parameter_that_is_estimated_must_be_given():
    with pytest.raises(ArgumentError, match="estimates its theta.*got 0 values"):
        NegativeBinomial().rows(np.zeros(1), np.ones(1), np.ones(1))
