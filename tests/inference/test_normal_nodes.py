"""Quadrature over normal linear predictors, against closed forms and adaptive integration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit, ndtr

from interlace.inference.normal_nodes import COARSE, FINE, normal_blocks, root

SIZES = [0.0, 1e-4, 0.05, 0.3, 1.0, 3.0, 10.0]


def expectation(function, eta: float, sd: float, precision=FINE) -> float:
    (block,) = normal_blocks(np.array([[eta]]), np.array([[[sd * sd]]]), precision)
    return float(function(block.etas[0, 0]) @ block.weights)


@pytest.mark.parametrize("sd", SIZES)
def test_means_of_links_with_closed_forms(sd) -> None:
    assert expectation(np.exp, -0.7, sd) == pytest.approx(np.exp(-0.7 + sd**2 / 2), rel=1e-10)
    probit = ndtr(-0.7 / np.sqrt(1.0 + sd**2))
    assert expectation(ndtr, -0.7, sd) == pytest.approx(probit, rel=1e-11)
    assert expectation(lambda x: x, -0.7, sd) == pytest.approx(-0.7, rel=1e-11)
    assert expectation(lambda x: x * x, -0.7, sd) == pytest.approx(0.49 + sd**2, rel=1e-11)


@pytest.mark.parametrize("sd", SIZES)
@pytest.mark.parametrize(("precision", "error"), [(FINE, 1e-10), (COARSE, 1e-6)])
def test_the_logistic(sd, precision, error) -> None:
    def density(z: float) -> float:
        return expit(1.2 + sd * z) * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)

    pieces = [quad(density, a, a + 1.0, epsabs=1e-15)[0] for a in np.arange(-12.0, 12.0)]
    assert expectation(expit, 1.2, sd, precision) == pytest.approx(sum(pieces), rel=error)


def test_several_predictors_and_rows_of_different_spread() -> None:
    """E exp(a'eta) of correlated predictors, one of which does not move in some rows."""
    rng = np.random.default_rng(1)
    r = 40
    etas = rng.normal(size=(3, r))
    A = rng.normal(size=(3, 3, r)) * rng.choice([0.01, 0.3, 1.0], size=(1, 1, r))
    A[1, :, :10] = 0.0
    S = np.einsum("aer,ber->abr", A, A)
    L = root(S)
    np.testing.assert_allclose(np.einsum("aer,ber->abr", L, L), S, atol=1e-12)
    a = np.array([0.5, -0.4, 0.3])
    out = np.full(r, np.nan)
    for block in normal_blocks(etas, S, FINE):
        out[block.rows] = np.exp(np.einsum("k,kmN->mN", a, block.etas)) @ block.weights
    expected = np.exp(a @ etas + 0.5 * np.einsum("a,abr,b->r", a, S, a))
    np.testing.assert_allclose(out, expected, rtol=1e-10)


def test_the_width_makes_nodes_dense_enough_for_a_step() -> None:
    """P(eta < c) smoothed by a narrow logistic is the normal distribution function."""
    etas, S, width = np.zeros((1, 1)), np.ones((1, 1, 1)), 0.02
    (block,) = normal_blocks(etas, S, COARSE, width)
    found = expit((1.0 - block.etas[0, 0]) / width) @ block.weights
    smoothed = ndtr(1.0) - 0.5 * np.exp(-0.5) / np.sqrt(2 * np.pi) * width**2 * np.pi**2 / 3
    assert found == pytest.approx(smoothed, abs=1e-6)


def test_no_rows() -> None:
    assert not list(normal_blocks(np.zeros((2, 0)), np.zeros((2, 2, 0)), FINE))
