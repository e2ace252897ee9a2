"""The criterion of nAGQ = 0 against dense algebra and differences."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import dense_glmm as glmm
from helpers import dense_lmm

from interlace.objective.generalised.joint_modes import JointModeObjective
from interlace.objective.generalised.newton import damped_newton
from interlace.optimize import minimise

EXACT = 1e-10
DERIVATIVE = 1e-6
# The joint mode is found to a decrement of 1e-20 of the criterion.
MODES = 1e-8
FEW = [
    ("binomial", "logit", True),
    ("binomial", "probit", True),
    ("binomial", "cloglog", False),
    ("negativebinomial", "log", True),
    ("gamma", "log", False),
    ("gaussian", "identity", False),
]
few = pytest.mark.parametrize(("family", "link", "expected"), FEW)
SHAPES = {
    "one scalar": ("nested", "superlu"),
    "one vector": ("nested",),
    "one diagonal": ("nested",),
    "crossed": ("schur", "superlu", "cholmod"),
    "nested vectors": ("nested", "schur"),
    "three": ("schur",),
}


def make(family, link, shape, expected, backend=None):
    m = glmm.model(family, link, shape)
    o = glmm.objective(m, expected, backend, nAGQ=0)
    assert isinstance(o, JointModeObjective)
    return m, o


def at(m, o, kind="inside"):
    theta = m.theta.copy()
    if kind == "singular":
        theta[-1] = 0.0
    elif kind == "zero":
        theta[:] = 0.0
    return np.concatenate([o.scale.x(theta), m.zeta + 0.1])


def joint(m, theta, zeta, expected):
    """The criterion with u and beta at their joint mode: Newton on both by dense algebra."""
    A, obs, family = glmm.random_part(m, theta), m.observations, m.family
    q, X = A.shape[1], m.design.X.copy()
    X[:, 2] = (X[:, 2] - 20.0) / 20.0
    W, offset = np.c_[A, X], m.design.offset
    ridge = np.r_[np.ones(q), np.zeros(X.shape[1])]
    v = np.r_[np.zeros(q), m.beta]

    def rows(v):
        return family.rows(offset + W @ v, obs.y, obs.weights, zeta, expected)

    r = rows(v)
    value = r.loglik.sum()
    for _ in range(100):
        H = W.T @ (np.maximum(r.observed, 0.0)[:, None] * W) + np.diag(ridge)
        step = np.linalg.solve(H, W.T @ r.score - ridge * v)
        while True:
            moved = rows(v + step)
            there = moved.loglik.sum() - 0.5 * ridge @ (v + step) ** 2
            if there >= value - 1e-12 * abs(value):
                break
            step = 0.5 * step
        v, r, value = v + step, moved, there
        if np.abs(step).max() < 1e-9:
            break
    M = A.T @ (r.weight[:, None] * A) + np.eye(q)
    eta = offset + W @ v
    density = family.log_density(obs.y, family.mean(eta, zeta), obs.weights, obs.trials, zeta)
    return -2.0 * density.sum() + v[:q] @ v[:q] + np.linalg.slogdet(M)[1], v[:q], eta


@pytest.mark.parametrize("kind", ["inside", "singular", "zero"])
@few
@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_gradient(shape, family, link, expected, kind):
    m, o = make(family, link, shape, expected)
    x = at(m, o, kind)
    k = o.covariance.n_theta
    value, u, eta = joint(m, o.scale.theta(x[:k]), x[k:], expected)
    e, point = o.evaluate(x, 1), o.point(x)
    assert e.value == pytest.approx(value, rel=EXACT)
    np.testing.assert_allclose(point.u, u, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(o.problem.unsorted(point.eta), eta, rtol=1e-7, atol=1e-7)
    numeric = dense_lmm.differences(lambda x: o.evaluate(x, 0).value, x)
    assert np.abs(e.gradient - numeric).max() <= DERIVATIVE * max(1.0, np.abs(numeric).max())


@few
@pytest.mark.parametrize(("shape", "backend"), [(s, b) for s, all_ in SHAPES.items() for b in all_])
def test_every_back_end(shape, backend, family, link, expected):
    if backend == "cholmod":
        pytest.importorskip("sksparse")
    m, a = make(family, link, shape, expected)
    _, b = make(family, link, shape, expected, backend)
    assert b.modes.backend == backend
    x = at(m, a)
    one, two = a.evaluate(x, 1), b.evaluate(x, 1)
    assert two.value == pytest.approx(one.value, rel=EXACT)
    bar = MODES * np.abs(one.gradient).max()
    np.testing.assert_allclose(two.gradient, one.gradient, rtol=0.0, atol=bar)


def test_a_linear_model_has_its_maximum_likelihood():
    """No approximation at all with the Gaussian family and the identity link."""
    m, o = make("gaussian", "identity", "crossed", False)
    both = glmm.objective(m, False)
    x = minimise(o).x
    k = o.covariance.n_theta
    full = np.concatenate([x[:k], o.point(x).gamma, x[k:]])
    assert both.evaluate(full, 1).value == pytest.approx(o.evaluate(x, 0).value, rel=1e-11)
    # the coefficients are at their optimum given theta
    assert np.abs(both.evaluate(full, 1).gradient[k : k + both.p]).max() < 1e-6


@few
def test_the_fast_fit_is_a_point_near_that_of_laplace(family, link, expected):
    """At its coefficients the criteria are the same number; Laplace goes on from there."""
    m, o = make(family, link, "one scalar", expected)
    laplace = glmm.objective(m, expected)
    fast, full = minimise(o), minimise(laplace)
    k = o.covariance.n_theta
    start = np.concatenate([fast.x[:k], o.point(fast.x).gamma, fast.x[k:]])
    assert laplace.evaluate(start, 0).value == pytest.approx(fast.value, rel=1e-9)
    assert full.value <= fast.value + 1e-8
    assert fast.value - full.value < 1.0


def test_steps_that_are_halved_to_nothing_end_the_search():
    """As where the next mean out of its range is nearer than any gain."""
    taken = []

    def step_from(here):
        taken.append(here)
        return SimpleNamespace(move=np.ones(1), decrement=1e-3, definite=True)

    def moved(here, move):  # one way up only, and not far
        value = here.value + 1e-12 if move[0] < 1e-9 else -np.inf
        return SimpleNamespace(value=value)

    assert damped_newton(SimpleNamespace(value=1.0), step_from, moved, 1e-18) is None
    assert len(taken) < 50


def test_steps_of_length_one_towards_infinity_go_on():
    """-exp(-x), whose decrement falls by e each time."""

    def step_from(x):
        slope = np.exp(-x.at)
        return SimpleNamespace(move=1.0, decrement=slope, definite=True)

    def moved(x, move):
        return SimpleNamespace(at=x.at + move, value=-np.exp(-(x.at + move)))

    here, _ = damped_newton(SimpleNamespace(at=0.0, value=-1.0), step_from, moved, 1e-18)
    assert here.at > 30.0
