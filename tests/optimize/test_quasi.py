"""The quasi-Newton optimiser on functions whose minima are known, and on generalised models."""

import numpy as np
import pytest
from helpers import dense_glmm as glmm

from interlace.errors import NumericalError
from interlace.objective.base import Evaluation, Objective, Stretch
from interlace.optimize import minimise
from interlace.optimize.boundary import minimum_where_zero
from interlace.optimize.quasi import MAX_ITERATIONS, quasi_newton, updated


class Function(Objective):
    """Value and gradient; the Hessian by differences. A model curvature comes with order 2."""

    curvature_is_cheap = False

    def __init__(self, value, gradient, start, curvature=None, bounded=0):
        self.f, self.g, self._start = value, gradient, np.asarray(start, dtype=float)
        self.model = np.eye(self._start.size) if curvature is None else curvature
        self.bounded, self.count, self.hessians = bounded, 0, 0

    def start(self):
        return self._start

    def evaluate(self, x, order=2):
        self.count += 1
        model = self.model if order == 2 else np.empty(0)
        return Evaluation(self.f(x), self.g(x), model)

    def hessian(self, x):
        self.hessians += 1
        return super().hessian(x)

    def lower_bounds(self):
        return np.where(np.arange(self._start.size) < self.bounded, 0.0, -np.inf)

    def canonical(self, x):
        return np.where(np.arange(x.size) < self.bounded, np.abs(x), x)

    def snap(self, x):
        return np.where((np.arange(x.size) < self.bounded) & (np.abs(x) < 1e-5), 0.0, x)

    def null_directions(self, x):
        return ["zero"] * int(np.any(x[: self.bounded] == 0.0))


def rosenbrock(start=(-1.2, 1.0)):
    return Function(
        lambda x: 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2,
        lambda x: np.array(
            [-400.0 * x[0] * (x[1] - x[0] ** 2) - 2.0 * (1.0 - x[0]), 200.0 * (x[1] - x[0] ** 2)]
        ),
        start,
    )


def quadratic(n, seed=0, spread=3.0):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    A = Q @ np.diag(np.logspace(0.0, spread, n)) @ Q.T
    best = rng.normal(size=n)
    made = Function(
        lambda x: 0.5 * (x - best) @ A @ (x - best), lambda x: A @ (x - best), np.zeros(n)
    )
    return made, A, best


def even(start):
    """Even in x0, lowest at x0 = +-1: a saddle at x0 = 0."""
    return Function(
        lambda x: (x[0] ** 2 - 1.0) ** 2 + (x[1] - 2.0) ** 2 + 0.1 * x[0] ** 2 * x[1],
        lambda x: np.array(
            [
                4.0 * x[0] * (x[0] ** 2 - 1.0) + 0.2 * x[0] * x[1],
                2.0 * (x[1] - 2.0) + 0.1 * x[0] ** 2,
            ]
        ),
        start,
        bounded=1,
    )


@pytest.mark.parametrize("start", [(-1.2, 1.0), (3.0, -2.0), (0.0, 5.0)])
def test_curved_valley(start):
    o = rosenbrock(start)
    x, e, log = quasi_newton(o, o.start())
    np.testing.assert_allclose(x, 1.0, atol=1e-7)
    assert e.exact and o.count - 2 * x.size * 2 * o.hessians <= 60
    values = [value for _, value in log]
    assert values == sorted(values, reverse=True)
    np.testing.assert_array_equal(log[-1][0], x)
    assert log[-1][1] == e.value


@pytest.mark.parametrize("well", [0.02, 0.2, 0.9])
def test_a_saddle_is_left_where_the_minimum_is_near(well):
    """A first step of length one goes past it, up the other side."""
    o = Function(
        lambda x: (x[0] ** 2 - well**2) ** 2 / well**2 + (x[1] - 2.0) ** 2,
        lambda x: np.array([4.0 * x[0] * (x[0] ** 2 - well**2) / well**2, 2.0 * (x[1] - 2.0)]),
        (0.0, 0.5),
    )
    x, e, _ = quasi_newton(o, o.start())
    np.testing.assert_allclose(np.abs(x), [well, 2.0], atol=1e-6)
    assert e.exact


@pytest.mark.parametrize("n", [1, 3, 8])
def test_quadratics_are_learnt_in_as_many_steps_as_they_have_directions(n):
    o, A, best = quadratic(n)
    x, e, log = quasi_newton(o, o.start())
    np.testing.assert_allclose(x, best, atol=1e-8)
    np.testing.assert_allclose(e.curvature, A, rtol=0.0, atol=1e-5 * np.abs(A).max())
    assert len(log) <= 3 * n + 6


@pytest.mark.parametrize("zero", [[0], [1, 3], [0, 1, 2, 3, 4]])
def test_parameters_are_held_at_zero(zero):
    o, A, best = quadratic(5, spread=1.0)
    free = np.setdiff1d(np.arange(5), zero)
    x, value, count = minimum_where_zero(o, np.ones(5), np.array(zero))
    expected = np.zeros(5)
    expected[free] = np.linalg.solve(A[np.ix_(free, free)], (A @ best)[free])
    np.testing.assert_allclose(x, expected, atol=1e-4)
    assert (x[zero] == 0.0).all() and value == o.f(x)
    assert o.hessians == 0 and count <= o.count


def test_the_right_curvature_needs_one_step():
    o, A, best = quadratic(5)
    o.model = A
    x, _, log = quasi_newton(o, o.start())
    np.testing.assert_allclose(x, best, atol=1e-8)
    assert len(log) <= 4 and o.hessians == 1


def test_rank_one_updates_find_a_hessian_that_is_not_definite():
    rng = np.random.default_rng(3)
    H = rng.normal(size=(5, 5))
    H = H + H.T
    B = np.eye(5)
    for _ in range(7):
        step = rng.normal(size=5)
        B = updated(B, step, H @ step)
        np.testing.assert_allclose(B @ step, H @ step, atol=1e-9)
    np.testing.assert_allclose(B, H, atol=1e-8)


def test_an_update_without_a_denominator_is_left_out():
    B = np.eye(2)
    # B step - change is orthogonal to the step
    assert updated(B, np.array([1.0, 0.0]), np.array([1.0, 1.0])) is B
    assert updated(B, np.array([1.0, 0.0]), np.array([1.0, 0.0])) is B


@pytest.mark.parametrize("start", [(0.0, 1.0), (1e-9, 2.0), (-1e-4, 2.0)])
def test_a_saddle_on_the_boundary_is_left(start):
    """No gradient leads away from x0 = 0: only the Hessian, formed at what seems the end, tells."""
    found = minimise(even(start))
    assert found.verdict == "converged"
    assert found.x[0] == pytest.approx(np.sqrt(1.0 - 0.05 * found.x[1]), abs=1e-6)


def test_a_flat_boundary_is_the_end():
    o = Function(
        lambda x: x[0] ** 4 + x[0] ** 2 + (x[1] - 3.0) ** 2,
        lambda x: np.array([4.0 * x[0] ** 3 + 2.0 * x[0], 2.0 * (x[1] - 3.0)]),
        (0.7, 0.0),
        bounded=1,
    )
    found = minimise(o)
    assert found.verdict == "singular" and found.x[0] == 0.0
    assert found.x[1] == pytest.approx(3.0, abs=1e-8)


def test_where_there_is_no_value_the_step_is_shorter():
    def value(x):
        if x[0] <= 0.5:
            raise NumericalError("outside")
        return x[0] - np.log(x[0] - 0.5) + x[1] ** 2

    made = Function(value, lambda x: np.array([1.0 - 1.0 / (x[0] - 0.5), 2.0 * x[1]]), (9.0, 1.0))
    made.model = 0.01 * np.eye(2)
    x, _, _ = quasi_newton(made, made.start())
    np.testing.assert_allclose(x, [1.5, 0.0], atol=1e-6)


def test_the_number_of_evaluations_can_be_bounded():
    o = rosenbrock()
    x, e, log = quasi_newton(o, o.start(), max_evaluations=3)
    assert len(log) <= 4 and e.exact
    assert e.value == o.f(x)


MODELS = [
    ("binomial", "logit", "one scalar"),
    ("binomial", "logit", "one vector"),
    ("binomial", "logit", "crossed"),
    ("binomial", "logit", "nested vectors"),
    ("binomial", "probit", "one diagonal"),
    ("binomial", "cloglog", "crossed"),
    ("binomial", "cauchit", "one scalar"),
    ("poisson", "log", "one wide"),
    ("poisson", "log", "three"),
    ("poisson", "sqrt", "one scalar"),
    ("negativebinomial", "log", "one scalar"),
    ("negativebinomial", "log", "nested"),
    ("gamma", "log", "crossed diagonal"),
    ("gamma", "inverse", "one scalar"),
    ("inverse_gaussian", "log", "one vector"),
    ("gaussian", "identity", "crossed"),
]


def large(family, link, shape, seed):
    return glmm.model(family, link, shape, seed=seed, n=360)


@pytest.fixture(scope="module")
def optima():
    """Every model, twice: its objective and where the optimiser went."""
    found = []
    for family, link, shape in MODELS:
        for seed in (1, 2):
            m = large(family, link, shape, seed)
            o = glmm.objective(m, m.family.expected_by_default)
            found.append(((family, link, shape, seed), o, minimise(o)))
    return found


def test_models_converge_or_say_that_they_are_on_a_boundary(optima):
    for name, _, optimum in optima:
        assert optimum.verdict in ("converged", "singular"), (name, optimum.message)
        assert (optimum.verdict == "singular") == bool(optimum.boundary), name
        assert optimum.certificate.gradient_norm <= 1e-4, name
        assert optimum.certificate.decrement <= 1e-8, name


def test_models_take_few_evaluations(optima):
    # of each search: small samples of rows that are not log-concave are searched from more starts
    counts = [
        optimum.evaluations / (1 + len(o.other_starts(optimum.x))) for _, o, optimum in optima
    ]
    assert np.median(counts) <= 15 and max(counts) <= 40, sorted(counts)


def test_no_point_nearby_is_lower(optima):
    for name, o, optimum in optima:
        rng = np.random.default_rng(0)
        scale = 1.0 / np.sqrt(np.maximum(np.diagonal(optimum.curvature), 1e-3))
        for size in (1e-3, 1e-1, 1.0):
            x = optimum.x + size * scale * rng.normal(size=scale.size)
            try:
                there = o.evaluate(x, 1).value
            except NumericalError:
                continue
            assert there >= optimum.value - 1e-9, (name, size)


def test_other_starts_lead_to_the_same_optimum(optima):
    for name, o, optimum in optima[::5]:
        for theta in (0.0, 3.0 * glmm.size_of(*name[:2])):
            x = o.start()
            x[: o.covariance.n_theta] = np.where(
                o.lower_bounds()[: o.covariance.n_theta] == 0.0, theta, 0.0
            )
            again = minimise(o, "newton", x)
            assert again.value == pytest.approx(optimum.value, abs=1e-7), (name, theta)


@pytest.mark.parametrize("shape", ["one scalar", "one vector", "crossed"])
def test_theta_zero_is_left_where_the_data_want_a_variance(shape):
    m = large("poisson", "log", shape, 1)
    o = glmm.objective(m, True)
    x = o.start()
    x[: o.covariance.n_theta] = 0.0
    found = minimise(o, "newton", x)
    assert found.verdict == "converged"
    assert np.abs(found.x[: o.covariance.n_theta]).max() > 0.1
    assert found.value == pytest.approx(minimise(o).value, abs=1e-8)


@pytest.mark.parametrize(("family", "link"), [("binomial", "logit"), ("poisson", "log")])
def test_no_variance_is_a_singular_fit(family, link):
    m = large(family, link, "one vector", 4)
    obs = m.observations
    # every level has the same responses: less variable than by chance
    obs.y[:] = 0.5 if family == "binomial" else 2.0
    obs.y[::2] = 0.25 if family == "binomial" else 3.0
    m.design.factors[0].codes[:] = np.arange(obs.y.size) // 2 % 12
    m.design.factors[0].Z[:, 1] = np.arange(obs.y.size) // 24 - 7.0
    o = glmm.objective(m, True)
    found = minimise(o)
    assert found.verdict == "singular" and found.converged
    assert "estimated as zero" in found.message
    assert (np.abs(found.x[: o.covariance.n_theta]) <= 1e-10).all()


@pytest.mark.parametrize("size", [1e200, 1e300])
def test_gradients_out_of_range_change_nothing(size):
    B = np.eye(2)
    assert updated(B, np.array([1.0, 0.5]), np.array([size, -size])) is B


def test_steps_taken_at_once_count_as_steps():
    class Endless(Function):
        """A minimum far away, fifty short steps at once."""

        def steps_from(self, at, *promises):
            x = at.x - 50.0
            log = [(at.x - i, self.f(at.x - i)) for i in range(1, 51)]
            end = at._replace(x=x, here=Evaluation(self.f(x), self.g(x)))
            return Stretch(end, False, log, 50, None)

    far = 1e9
    objective = Endless(
        lambda x: 0.5 * float(x[0] + far) ** 2 / far, lambda x: (x + far) / far, [0.0]
    )
    log = quasi_newton(objective, np.zeros(1))[2]
    assert MAX_ITERATIONS <= len(log) < MAX_ITERATIONS + 60
    assert 120 < len(quasi_newton(objective, np.zeros(1), 120)[2]) < 180
