"""Optimisers on functions whose minima are known, and on models."""

import pickle
import sys
from itertools import product

import numpy as np
import pandas as pd
import pytest
from helpers import dense_lmm

import interlace as il
from interlace.covariance import CovarianceModel
from interlace.linalg.kernels import _trust
from interlace.objective import Evaluation, LMMObjective, Objective
from interlace.objective.linear.design_products import cross_products_of
from interlace.optimize import minimise
from interlace.optimize.trust_region import FLAT_SHARE, SUSPECT_SHARE, trust_step


class Function(Objective):
    """value, gradient, Hessian given; the first ``bounded`` coordinates count as deviations."""

    def __init__(self, value, gradient, hessian, start, bounded=0):
        self.f, self.g, self.h = value, gradient, hessian
        self._start, self.bounded = np.asarray(start, float), bounded

    def start(self):
        return self._start

    def evaluate(self, x, order=2):
        return Evaluation(self.f(x), self.g(x), self.h(x))

    def lower_bounds(self):
        out = np.full(self._start.size, -np.inf)
        out[: self.bounded] = 0.0
        return out

    def canonical(self, x):
        return np.where(np.arange(x.size) < self.bounded, np.abs(x), x)

    def snap(self, x):
        return np.where((np.arange(x.size) < self.bounded) & (np.abs(x) < 1e-5), 0.0, x)

    def null_directions(self, x):
        return ["zero"] * int(np.any(x[: self.bounded] == 0.0))


def rosenbrock(start=(-1.2, 1.0)):
    return Function(
        lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2,
        lambda x: np.array(
            [-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)]
        ),
        lambda x: np.array(
            [[1200 * x[0] ** 2 - 400 * x[1] + 2, -400 * x[0]], [-400 * x[0], 200.0]]
        ),
        start,
    )


def even(start=(0.0, 1.0)):
    """Even in x0 with a saddle at 0: a variance started at zero that ought not to be there."""
    return Function(
        lambda x: (x[0] ** 2 - 1) ** 2 + (x[1] - 2) ** 2,
        lambda x: np.array([4 * x[0] * (x[0] ** 2 - 1), 2 * (x[1] - 2)]),
        lambda x: np.array([[12 * x[0] ** 2 - 4, 0.0], [0.0, 2.0]]),
        start,
        bounded=1,
    )


@pytest.mark.parametrize("optimizer", ["newton", "lbfgsb", "bobyqa"])
def test_curved_valley(optimizer):
    found = minimise(rosenbrock(), optimizer)
    np.testing.assert_allclose(found.x, [1.0, 1.0], atol=2e-5)
    assert found.verdict == "converged"


def test_newton_leaves_a_saddle_the_gradient_cannot_see():
    found = minimise(even(), "newton")
    np.testing.assert_allclose(found.x, [1.0, 2.0], atol=1e-6)
    assert found.verdict == "converged"


def test_bobyqa_leaves_a_boundary_that_is_no_minimum():
    found = minimise(even((0.0, 2.0)), "bobyqa")
    np.testing.assert_allclose(found.x, [1.0, 2.0], atol=1e-5)


def test_a_boundary_minimum_is_singular_and_says_so():
    f = Function(
        lambda x: x[0] ** 2 + (x[1] - 1) ** 2,
        lambda x: np.array([2 * x[0], 2 * (x[1] - 1)]),
        lambda x: 2 * np.eye(2),
        (1.0, 0.0),
        bounded=1,
    )
    found = minimise(f)
    assert found.verdict == "singular" and found.converged and found.singular
    assert found.x[0] == 0.0
    assert "zero" in found.message


def test_a_flat_direction_is_not_identified():
    f = Function(
        lambda x: (x[0] + x[1] - 1) ** 2,
        lambda x: 2 * (x.sum() - 1) * np.ones(2),
        lambda x: 2 * np.ones((2, 2)),
        (0.0, 0.0),
    )
    found = minimise(f)
    assert found.verdict == "not identified"
    assert "Remove a random-effect term" in found.message


def test_the_curvature_is_that_of_the_end_where_it_changes_in_the_last_step():
    """A last step of less than a standard error times 1e-4, and nearly as long as the parameter."""

    class Exact(Function):
        def evaluate(self, x, order=2):
            return super().evaluate(x, order)._replace(exact=True)

    def hessian(x):
        return np.diag([2.0, 2e-3 + 1200.0 * x[1] ** 2])

    valley = Exact(
        lambda x: x[0] ** 2 + 1e-3 * x[1] ** 2 + 100.0 * x[1] ** 4,
        lambda x: np.array([2.0 * x[0], 2e-3 * x[1] + 400.0 * x[1] ** 3]),
        hessian,
        (0.0, 2e-3),
    )
    found = minimise(valley)
    np.testing.assert_allclose(found.curvature, hessian(found.x), rtol=0.01)


def test_a_search_that_starts_at_its_end_computes_no_curvature_twice():
    f = il.fit("diameter ~ 1 + (1 | plate) + (1 | sample)", il.load_dataset("Penicillin")).fit
    asked = []

    class Counting:
        def __getattr__(self, name):
            return getattr(objective, name)

        def evaluate(self, x, order=2):
            asked.append(order)
            return objective.evaluate(x, order)

    objective = f.objective
    minimise(Counting(), start=f.optimum.x)
    assert asked == [2, 0]


@pytest.mark.parametrize("seed", range(12))
def test_the_curvature_of_two_variances_that_stand_for_each_other(seed):
    rng = np.random.default_rng(seed)
    g = np.arange(30) % 5
    x = 1000.0 + rng.normal(size=30)
    y = 0.3 * rng.normal(size=30) + 0.1 * rng.normal(size=5)[g]
    fit = il.fit("y ~ x + (x || g)", pd.DataFrame({"g": g, "x": x, "y": y})).fit
    truth = fit.objective.hessian(fit.optimum.x)
    size = np.sqrt(np.abs(np.diagonal(truth)))
    assert (np.abs(fit.optimum.curvature - truth) < 0.01 * size[:, None] * size).all()


def test_stopping_short_is_called_so():
    f = rosenbrock((-1.2, 1.0))
    from interlace.optimize.optimum import Optimum

    e = f.evaluate(f.start())
    stopped = Optimum(f.start(), e.value, e.gradient, e.curvature, 1, "newton", (), _objective=f)
    assert stopped.verdict == "not converged"
    assert not stopped.converged
    assert "can still fall" in stopped.message or "saddle" in stopped.message


def test_an_optimum_survives_pickling_with_its_judgement():
    found = minimise(rosenbrock())
    again = pickle.loads(pickle.dumps(found.__getstate__()))
    assert again["certificate"].verdict == "converged"


def test_trust_step_kernel_against_numpy():
    rng, bounds = np.random.default_rng(0), 0
    for n in (1, 2, 5, 9):
        for radius, floor in product((0.1, 1.0, 1e3), (None, 1e-6, 1.0)):
            A = rng.normal(size=(n, n))
            H, g = A + A.T, rng.normal(size=n)
            if floor is not None:
                H = A @ A.T + floor * np.eye(n)
            step, promise, length, free, share = trust_step(g, H, radius)
            values, vectors = np.linalg.eigh(H)
            exact = values[0] / np.abs(values).max()
            bound = SUSPECT_SHARE <= share < exact  # by Cholesky's factor
            bounds += bound
            assert share == pytest.approx(exact) or (bound and length < radius)
            curved = np.maximum(np.abs(values), FLAT_SHARE * np.abs(values).max())
            B = vectors * curved @ vectors.T
            np.testing.assert_allclose(free, -np.linalg.solve(B, g), rtol=1e-8, atol=1e-10)
            assert length == pytest.approx(np.linalg.norm(step))
            if np.linalg.norm(free) <= radius:
                np.testing.assert_allclose(step, free)
            else:
                assert length == pytest.approx(radius, rel=2e-3)
                # optimal on the sphere: (B + mu I) s = -g
                residual = -g - B @ step
                mu = residual @ step / (step @ step)
                assert mu > 0.0
                np.testing.assert_allclose(residual, mu * step, atol=1e-6 * np.abs(g).max())
            assert promise == pytest.approx(-(g @ step + 0.5 * step @ B @ step), rel=1e-8)
    assert 6 <= bounds < 24


def test_trust_step_says_when_the_curvature_is_not_finite():
    out = np.empty(1), np.empty(1), np.empty((4, 3))
    promise, *_ = _trust.trust_step(np.ones(1), np.full((1, 1), np.nan), 1.0, 1e-10, *out)
    assert promise != promise


MODELS = {
    "one vector": ((3,), (14,), {}),
    "crossed": ((2, 1), (20, 9), {}),
    "three": ((2, 1, 1), (16, 9, 5), {}),
    "nested": ((1, 1), (24, 6), {"nested": True}),
}


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", range(4))
def test_optimisers_agree_and_newton_is_quick(model, reml, seed):
    widths, levels, options = MODELS[model]
    d = dense_lmm.random_design(seed, widths, levels, **options)
    o = LMMObjective(cross_products_of(d), CovarianceModel.of(d), reml)
    newton = minimise(o, "newton")
    assert newton.converged
    assert newton.evaluations <= 25
    for other in ("lbfgsb", "bobyqa"):
        found = minimise(o, other)
        # Newton is never the worse one; the others may end in a local minimum.
        assert newton.value <= found.value + 1e-7
    truth = dense_lmm.solve(d, o.theta(newton.x), reml)
    assert newton.value == pytest.approx(truth.value, rel=1e-11)


def test_a_search_that_its_limit_ended_is_judged_by_the_hessian():
    """By its own model, a million times too curved, there would be 5e-10 to gain: it is 5e-4."""
    slow = Function(lambda x: 5e-4 * x @ x, lambda x: 1e-3 * x, lambda x: 1e3 * np.eye(1), [1.0])
    found = minimise(slow)
    assert found.exact
    assert found.verdict == "not converged"
    assert "can still fall by about 0.0005" in found.message


@pytest.mark.parametrize("optimizer", ["newton", "lbfgsb"])
def test_crossed_models_at_the_limit(optimizer, monkeypatch):
    for name, limit in (("trust_region", "MAX_ITERATIONS"), ("minimise", "MAX_EVALUATIONS")):
        monkeypatch.setattr(sys.modules[f"interlace.optimize.{name}"], limit, 2)
    d = dense_lmm.random_design(4, (2, 1), (25, 12))
    covariance = CovarianceModel.of(d)
    o = LMMObjective(cross_products_of(d), covariance, True, "schur")
    found = minimise(o, optimizer)
    assert found.evaluations < 8 and found.exact
    assert found.verdict == "not converged"
    np.testing.assert_allclose(found.curvature, o.hessian(found.x), rtol=1e-6)


def test_bobyqa_says_what_holds_at_its_own_point():
    """A curvature that promises a fall for ever does not move the point from its value."""
    f = Function(
        lambda x: float((x - 1.0) @ (x - 1.0)),
        lambda x: 2.0 * (x - 1.0),
        lambda x: -np.eye(x.size),
        [3.0, -2.0],
    )
    found = minimise(f, "bobyqa")
    assert found.value == f.evaluate(found.x).value < 1e-12
    np.testing.assert_allclose(found.x, 1.0, atol=1e-6)
    assert found.evaluations < 500
