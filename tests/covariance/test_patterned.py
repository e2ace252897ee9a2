"""Structures whose parameters are standard deviations and those of a pattern of correlations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import gamma, kv

import interlace as il
from interlace.covariance.names import STRUCTURES, make_structure
from interlace.covariance.pattern import Patterned, Unit

PLACES = np.array([[0.0, 0.0], [1.0, 0.5], [2.5, 0.0], [3.0, 2.0]])
TIMES = np.array([[0.0], [0.3], [2.5], [3.0], [7.0]])
# theta, and columns or positions
THETA = {
    "homdiag": [([1.3], 3), ([0.0], 2)],
    "cs": [([1.3, 0.4, 2.0, 0.5], 3), ([0.7, 1.1, -1.0], 2), ([0.7], 1)],
    "homcs": [([1.3, 0.6], 4), ([1.3, np.pi / 2], 3), ([1.3, -np.pi / 2], 3), ([0.0, 0.3], 3)],
    "ar1": [([1.3, 0.7], 5), ([0.4, -1.2], 4), ([2.0, 0.0], 3), ([0.0, 0.5], 4), ([1.0, 1.57], 4)],
    "hetar1": [([1.3, 0.3, 2.0, 0.7], 3)],
    "toep": [([1.3, 0.3, 2.0, 0.7, -0.4], 3), ([1.0, 2.0, 0.1], 2)],
    "homtoep": [([1.3, 0.7, -0.4, 0.2, 0.1], 5)],
    "ou": [([1.3, -0.5], TIMES), ([1.3, 2.0], TIMES), ([0.0, 0.5], TIMES)],
    "exp": [([1.3, -0.5], PLACES), ([1.3, 2.0], PLACES)],
    "gau": [([1.3, -0.5], PLACES), ([1.3, 1.0], PLACES)],
    "mat": [([1.3, -0.5, 0.2], PLACES), ([1.3, 1.0, -0.7], PLACES)],
}
CASES = [(name, theta, k) for name, cases in THETA.items() for theta, k in cases]
STEP = 1e-5


def _structure(name, k):
    return make_structure(name, k) if isinstance(k, int) else make_structure(name, len(k), k)


def _differences(f, theta, step=STEP):
    out = []
    for i in range(theta.size):
        h = np.zeros(theta.size)
        h[i] = step * max(1.0, abs(theta[i]))
        out.append((f(theta + h) - f(theta - h)) / (2.0 * h[i]))
    return np.stack(out, axis=-1)


def _correlations(name, pattern, k):
    """The correlation matrix of a structure by its definition."""
    n = k if isinstance(k, int) else len(k)
    lag = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    if name == "homdiag":
        return np.eye(n)
    if name.endswith("cs"):
        low = -1.0 / max(n - 1, 1)
        rho = low + (1.0 - low) * 0.5 * (1.0 + np.sin(pattern[0])) if n > 1 else 1.0
        return np.where(lag == 0, 1.0, rho)
    if name.endswith("ar1"):
        return np.sin(pattern[0]) ** lag
    if name.endswith("toep"):
        return _toeplitz(np.sin(pattern))[lag]
    d = np.linalg.norm(k[:, None] - k[None], axis=-1) / np.exp(pattern[0])
    if name == "mat":
        s = np.exp(pattern[1])
        with np.errstate(invalid="ignore"):
            return np.where(d == 0.0, 1.0, 2 ** (1 - s) / gamma(s) * d**s * kv(s, d))
    return np.exp(-d) if name in ("exp", "ou") else np.exp(-d * d)


def _toeplitz(partial):
    """Correlations by lag whose partial ones are these, by solving for each in turn."""
    rho = [1.0]
    for p in partial:
        n = len(rho)
        R = np.array([[rho[abs(i - j)] for j in range(n)] for i in range(n)])
        inner, ahead = R[1:, 1:], R[1:, 0]
        w = np.linalg.solve(inner, ahead) if n > 1 else np.zeros(0)
        left = 1.0 - (w @ ahead if n > 1 else 0.0)
        rho.append(float(p * left + (w @ ahead[::-1] if n > 1 else 0.0)))
    return np.array(rho)


def _covariance(name, theta, k):
    structure = _structure(name, k)
    sd = np.array(theta)[structure.deviations]
    return np.outer(sd, sd) * _correlations(
        name, np.array(theta)[structure.deviations.max() + 1 :], k
    )


@pytest.mark.parametrize(("name", "theta", "k"), CASES)
def test_the_covariance_is_that_of_the_name(name, theta, k):
    T = _structure(name, k).template(np.array(theta))
    np.testing.assert_allclose(T @ T.T, _covariance(name, theta, k), atol=1e-9)
    assert not np.triu(T, 1).any()


@pytest.mark.parametrize(("name", "theta", "k"), CASES)
def test_derivatives_are_those_of_differences(name, theta, k):
    structure, theta = _structure(name, k), np.array(theta)
    J = structure.jacobian(theta)
    np.testing.assert_allclose(J, _differences(structure.values, theta), rtol=1e-7, atol=1e-8)
    w = np.random.default_rng(1).normal(size=structure.rows.size)
    second = _differences(lambda t: w @ structure.jacobian(t), theta)
    # Matern's in its smoothness are differences themselves
    off = 1e-5 if name == "mat" else 1e-7
    np.testing.assert_allclose(structure.second(theta, w), second, rtol=off, atol=off)


@pytest.mark.parametrize(("name", "theta", "k"), CASES)
def test_a_sign_of_a_standard_deviation_is_none(name, theta, k):
    structure = _structure(name, k)
    turned = np.where(structure.lower_bounds() == 0.0, -1.0, 1.0) * np.array(theta)
    T = structure.template(turned)
    np.testing.assert_allclose(T @ T.T, _covariance(name, theta, k), atol=1e-9)
    np.testing.assert_allclose(structure.canonical(turned), theta, atol=1e-12)


def test_a_correlation_of_one_is_a_place_like_others():
    structure = make_structure("ar1", 4)
    for angle, sign in ((np.pi / 2, 1.0), (-np.pi / 2, -1.0)):
        T = structure.template(np.array([1.5, angle]))
        signs = sign ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
        np.testing.assert_allclose(T @ T.T, 2.25 * signs, atol=1e-13)
    beyond = structure.canonical(np.array([1.5, np.pi / 2 + 0.1]))
    np.testing.assert_allclose(beyond, [1.5, np.pi / 2 - 0.1], atol=1e-12)


def test_a_series_counts_the_steps_between_its_times():
    times = np.array([[1.0], [2.0], [5.0], [6.0]])
    for name, theta in (("ar1", [1.3, 0.7]), ("hetar1", [1.0, 2.0, 0.5, 1.5, -0.6])):
        structure, theta = make_structure(name, 4, times), np.array(theta)
        T = structure.template(theta)
        apart = np.abs(times - times.T)
        sd = theta[structure.deviations]
        expected = np.outer(sd, sd) * np.sin(theta[-1]) ** apart
        np.testing.assert_allclose(T @ T.T, expected, atol=1e-12)
        J = _differences(structure.values, theta)
        np.testing.assert_allclose(structure.jacobian(theta), J, rtol=1e-7, atol=1e-9)
        w = np.random.default_rng(1).normal(size=structure.rows.size)
        second = _differences(lambda t, s=structure, w=w: w @ s.jacobian(t), theta)
        np.testing.assert_allclose(structure.second(theta, w), second, rtol=1e-7, atol=1e-8)


def test_reduced_rank_is_any_covariance_of_its_rank():
    structure = make_structure("rr", 5, rank=2)
    loadings = np.random.default_rng(3).normal(size=(5, 2))
    theta = structure._triangular(loadings)
    T = structure.template(theta)
    np.testing.assert_allclose(T @ T.T, loadings @ loadings.T, atol=1e-12)
    assert not T[:, 2:].any() and (np.diag(T)[:2] >= 0.0).all()
    np.testing.assert_allclose(structure.canonical(theta), theta, atol=1e-12)
    sd = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    T = structure.template(structure.started(sd))
    np.testing.assert_allclose(np.sqrt((T * T).sum(axis=1)), sd)


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


class Equal(Patterned):
    """A structure of a test: one standard deviation, all correlations tanh(t)^2."""

    name = "equal"
    homogeneous = True
    n_pattern = 1

    def _C(self, t):
        R = np.full((self.k, self.k), np.tanh(t) ** 2)
        np.fill_diagonal(R, 1.0)
        return np.linalg.cholesky(R)[self.rows, self.cols]

    def unit(self, pattern):
        h = 1e-5
        slope = (self._C(pattern[0] + h) - self._C(pattern[0] - h)) / (2.0 * h)
        return Unit(self._C(pattern[0]), slope[:, None])

    def bent(self, pattern, weights):
        h = 1e-4
        ends = self._C(pattern[0] + h) + self._C(pattern[0] - h) - 2.0 * self._C(pattern[0])
        return np.array([[weights @ ends / h**2]])

    def pattern_start(self):
        return np.array([0.5])

    def reduced(self, pattern):
        return np.abs(pattern)


def test_a_structure_is_one_class(monkeypatch):
    monkeypatch.setitem(STRUCTURES, "equal", Equal)
    d = _series(np.random.default_rng(4))
    own = il.fit("y ~ x + equal(0 + f | g)", d)
    m = il.fit("y ~ x + homcs(0 + f | g)", d)
    assert own.converged
    assert own.llf == pytest.approx(m.llf, abs=1e-8)
