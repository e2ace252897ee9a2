"""Standard deviations of patterns of correlations stay positive, and zero is an ordinary place."""

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.covariance.names import make_structure
from interlace.objective import Evaluation, Objective
from interlace.optimize import minimise
from interlace.optimize.one_signed import BEND, OneSigned

H = 1e-5


class Function(Objective):
    """A cubic in (s, t), whose gradient at s = 0 is any."""

    curvature_is_cheap = True

    def __init__(self, a, b, start=(0.7, 0.2)):
        self.a, self.b, self.begin = a, b, np.array(start)

    @property
    def one_signed(self):
        return np.array([0])

    def start(self):
        return self.begin

    def evaluate(self, x, order=2):
        s, t = x
        value = self.a * s + self.b * s * t + s * s + 2.0 * t * t + 0.1 * s**3
        slopes = np.array([self.a + self.b * t + 2.0 * s + 0.3 * s * s, self.b * s + 4.0 * t])
        return Evaluation(value, slopes, self.hessian(x), True)

    def hessian(self, x):
        return np.array([[2.0 + 0.6 * x[0], self.b], [self.b, 4.0]])

    def lower_bounds(self):
        return np.array([0.0, -np.inf])

    def canonical(self, x):
        return np.array([abs(x[0]), x[1]])

    def snap(self, x):
        return np.where((np.abs(x) < 1e-5) & [True, False], 0.0, x)

    def null_directions(self, x):
        return ["zero"] * int(x[0] == 0.0)


@pytest.mark.parametrize("s", [0.0, 1e-3, 0.05, 0.8, -0.4])
def test_derivatives_are_those_of_differences(s):
    bent = OneSigned(Function(0.3, -0.7), np.array([0]))
    z = np.array([s, 0.4])
    here = bent.evaluate(z, 2)
    for i, step in enumerate(H * np.eye(2)):
        up, down = bent.evaluate(z + step), bent.evaluate(z - step)
        # third derivatives are below 3 / BEND^2
        error = H**2 / BEND**2 + 1e-10
        assert here.gradient[i] == pytest.approx((up.value - down.value) / (2 * H), abs=error)
        slopes = (up.gradient - down.gradient) / (2 * H)
        np.testing.assert_allclose(here.curvature[i], slopes, atol=50 * error / BEND)
    np.testing.assert_allclose(bent.hessian(z), here.curvature, rtol=1e-14)


def test_coordinates_go_there_and_back():
    bent = OneSigned(Function(0.3, -0.7), np.array([0]))
    for s in (0.0, 1e-9, 1e-4, 0.1, 3.0, 1e6):
        np.testing.assert_allclose(bent.x(bent.z(np.array([s, -2.0]))), [s, -2.0], rtol=1e-14)
    np.testing.assert_allclose(bent.x(bent.z(np.array([-0.3, 1.0]))), [0.3, 1.0])


def test_what_holds_at_an_inner_point_is_that_of_the_parameters():
    function = Function(-1.0, 0.5)
    bent = OneSigned(function, np.array([0]))
    z = bent.z(np.array([0.05, 0.3]))
    back, there = bent.of_parameters(z, bent.evaluate(z, 2)), function.evaluate(bent.x(z))
    np.testing.assert_allclose(back.gradient, there.gradient, rtol=1e-12)
    np.testing.assert_allclose(back.curvature, there.curvature, rtol=1e-10)


@pytest.mark.parametrize("optimizer", ["newton", "lbfgsb", "bobyqa"])
def test_the_minimum_of_positive_values_is_found(optimizer):
    at_zero = minimise(Function(0.5, 0.0), optimizer)  # else at s = -0.26
    assert at_zero.verdict == "singular"
    np.testing.assert_allclose(at_zero.x, 0.0, atol=1e-6)
    inside = minimise(Function(-0.5, 0.3, (0.0, 0.2)), optimizer)
    assert inside.verdict == "converged"
    assert inside.x[0] > 0.2
    np.testing.assert_allclose(Function(-0.5, 0.3).evaluate(inside.x).gradient, 0.0, atol=1e-5)


@pytest.mark.parametrize("name", ["cs", "hetar1", "toep", "us", "diag", "homcs", "ar1", "homtoep"])
def test_the_other_sign_is_another_covariance_only_where_it_is_said(name):
    structure = make_structure(name, 3)
    theta = np.random.default_rng(1).uniform(0.3, 1.2, structure.n_theta)
    T = structure.template(theta)
    for place in range(3 if name in ("cs", "hetar1", "toep", "diag") else 1):
        other = theta.copy()
        other[place] *= -1.0
        moved = structure.template(other)
        same = np.allclose(moved @ moved.T, T @ T.T)
        if name != "us":  # entries of one column change their sign together
            assert same == (place not in structure.one_signed)


def small():
    """Few rows of six times: standard deviations of either sign would fit better."""
    rng = np.random.default_rng(7)
    g, t = np.repeat(np.arange(10), 12), np.tile(np.repeat(np.arange(6), 2), 10)
    a = rng.normal(size=(10, 6))
    data = pd.DataFrame({"g": g.astype(str), "t": pd.Categorical(t), "x": rng.normal(size=g.size)})
    data["count"] = rng.poisson(np.exp(0.3 * data.x + 0.5 * a[g, t]))
    data["size"] = data.x + 0.7 * a[g, t] + rng.normal(size=g.size)
    return data


@pytest.mark.parametrize(
    ("term", "backend"),
    [
        ("hetar1(0 + t | g)", "auto"),
        ("hetar1(0 + t | g)", "blocked"),
        ("cs(0 + t | g)", "auto"),
        ("toep(0 + t | g)", "auto"),
    ],
)
@pytest.mark.parametrize("response", ["count", "size"])
def test_the_criterion_is_that_of_the_estimates(term, backend, response):
    how = {"family": "poisson"} if response == "count" else {}
    fit = il.glmer if how else il.fit
    m = fit(f"{response} ~ x + {term}", small(), backend=backend, **how)
    objective, x = m.fit.objective.anew(), m.fit.optimum.x.copy()
    x[: m.fit.theta.size] = objective.scale.x(m.fit.theta)
    # modes are sought anew, until a step of theirs promises next to nothing
    assert objective.evaluate(x, 0).value == pytest.approx(m.fit.optimum.value, rel=1e-12)
    assert m.fit.verdict in ("converged", "singular")
    assert (m.fit.theta[:6] >= 0.0).all()
