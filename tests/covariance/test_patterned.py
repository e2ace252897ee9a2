"""Structures whose parameters are standard deviations and those of a pattern of correlations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.covariance.names import make_structure

THETA = {
    "ar1": [([1.3, 0.7], 5), ([0.4, -1.2], 4), ([2.0, 0.0], 3), ([0.0, 0.5], 4), ([1.0, 1.57], 4)],
}
CASES = [(name, theta, k) for name, cases in THETA.items() for theta, k in cases]
STEP = 1e-5


def _differences(f, theta, step=STEP):
    out = []
    for i in range(theta.size):
        h = np.zeros(theta.size)
        h[i] = step * max(1.0, abs(theta[i]))
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


def _series(rng, k=5, groups=25, copies=2):
    """Rows of a series in each group beside a slope by another factor."""
    g, t = np.repeat(np.arange(groups), copies * k), np.tile(np.arange(k), copies * groups)
    x, h = rng.normal(size=g.size), rng.integers(0, 12, g.size)
    R = 0.7 ** np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    b = 1.5 * rng.normal(size=(groups, k)) @ np.linalg.cholesky(R).T
    y = 1.0 + 0.5 * x + b[g, t] + 0.5 * rng.normal(size=12)[h] * x + rng.normal(size=g.size)
    count = rng.poisson(np.exp(0.3 + 0.3 * b[g, t]))
    return pd.DataFrame({"y": y, "count": count, "x": x, "g": g, "h": h, "f": pd.Categorical(t)})


def test_a_structure_leaves_units_and_starts_to_the_other_terms():
    d = _series(np.random.default_rng(0))
    fits = []
    for unit in (1.0, 1e-3, 1e3):
        data = d.assign(x=unit * d.x, y=unit**2 * d.y)
        m = il.fit("y ~ x + ar1(0 + f | g) + (0 + x | h)", data)
        assert m.converged
        fits.append(([*m.theta[:2], m.theta.iloc[2] * unit], m.fit.optimum.evaluations))
    for theta, evaluations in fits:
        np.testing.assert_allclose(theta, fits[0][0], rtol=1e-6)
        assert abs(evaluations - fits[0][1]) <= 1 and evaluations <= 12


@pytest.mark.parametrize("backend", ["auto", "superlu"])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_a_linear_criterion_has_the_derivatives_of_its_differences(backend, method):
    d = _series(np.random.default_rng(1))
    m = il.fit("y ~ x + ar1(0 + f | g) + (x | h)", d, method=method, backend=backend)
    objective = m.fit.objective
    x = m.fit.x + np.array([0.3, -0.4, 0.2, 0.3, 0.1])
    gradient = _differences(lambda x: objective.evaluate(x, 0).value, x)
    here = objective.evaluate(x, 2)
    np.testing.assert_allclose(here.gradient, gradient, rtol=1e-6, atol=1e-5)
    curved = _differences(lambda x: objective.evaluate(x, 1).gradient, x)
    np.testing.assert_allclose(objective.hessian(x), curved, rtol=1e-6, atol=1e-5)


def test_a_criterion_by_laplace_has_the_gradient_of_its_differences():
    d = _series(np.random.default_rng(2))
    m = il.glmer("count ~ x + ar1(0 + f | g) + (x | h)", d, "poisson")
    objective = m.fit.objective
    x = m.fit.x + 0.1
    gradient = _differences(lambda x: objective.evaluate(x, 0).value, x)
    np.testing.assert_allclose(objective.evaluate(x, 1).gradient, gradient, rtol=1e-5, atol=1e-5)
    # the modes are good to 1e-9: longer steps
    curved = _differences(lambda x: objective.evaluate(x, 1).gradient, x, 3e-4)
    np.testing.assert_allclose(objective.hessian(x), curved, atol=1e-5 * np.abs(curved).max())
