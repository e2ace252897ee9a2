"""Structures whose parameters are standard deviations and those of a pattern of correlations."""

from __future__ import annotations

import numpy as np
import pytest

from interlace.covariance.names import make_structure

THETA = {
    "ar1": [([1.3, 0.7], 5), ([0.4, -1.2], 4), ([2.0, 0.0], 3), ([0.0, 0.5], 4), ([1.0, 1.57], 4)],
}
CASES = [(name, theta, k) for name, cases in THETA.items() for theta, k in cases]
STEP = 1e-5


def _differences(f, theta):
    out = []
    for i in range(theta.size):
        h = np.zeros(theta.size)
        h[i] = STEP * max(1.0, abs(theta[i]))
        out.append((f(theta + h) - f(theta - h)) / (2.0 * h[i]))
    return np.stack(out, axis=-1)


def _power(theta, k):
    return theta[0] ** 2 * np.sin(theta[1]) ** np.abs(np.subtract.outer(np.arange(k), np.arange(k)))


COVARIANCES = {"ar1": _power}


@pytest.mark.parametrize(("name", "theta", "k"), CASES)
def test_the_covariance_is_that_of_the_name(name, theta, k):
    T = make_structure(name, k).template(np.array(theta))
    np.testing.assert_allclose(T @ T.T, COVARIANCES[name](theta, k), atol=1e-13)
    assert not np.triu(T, 1).any()


@pytest.mark.parametrize(("name", "theta", "k"), CASES)
def test_derivatives_are_those_of_differences(name, theta, k):
    structure, theta = make_structure(name, k), np.array(theta)
    J = structure.jacobian(theta)
    np.testing.assert_allclose(J, _differences(structure.values, theta), rtol=1e-8, atol=1e-9)
    w = np.random.default_rng(1).normal(size=structure.rows.size)
    second = _differences(lambda t: w @ structure.jacobian(t), theta)
    np.testing.assert_allclose(structure.second(theta, w), second, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("name", "theta", "k"), CASES)
def test_a_sign_of_a_standard_deviation_is_none(name, theta, k):
    structure = make_structure(name, k)
    turned = np.where(structure.lower_bounds() == 0.0, -1.0, 1.0) * np.array(theta)
    T = structure.template(turned)
    np.testing.assert_allclose(T @ T.T, COVARIANCES[name](theta, k), atol=1e-13)
    np.testing.assert_allclose(structure.canonical(turned), theta, atol=1e-12)


def test_a_correlation_of_one_is_a_place_like_others():
    structure = make_structure("ar1", 4)
    for angle, sign in ((np.pi / 2, 1.0), (-np.pi / 2, -1.0)):
        T = structure.template(np.array([1.5, angle]))
        signs = sign ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
        np.testing.assert_allclose(T @ T.T, 2.25 * signs, atol=1e-13)
    beyond = structure.canonical(np.array([1.5, np.pi / 2 + 0.1]))
    np.testing.assert_allclose(beyond, [1.5, np.pi / 2 - 0.1], atol=1e-12)
