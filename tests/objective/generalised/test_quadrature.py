"""Quadrature against integrals, differences and lme4."""

import tracemalloc

import numpy as np
import pytest
from helpers import dense_lmm
from scipy.integrate import quad

import interlace as il
from interlace.covariance import CovarianceModel
from interlace.design.build import build
from interlace.errors import ArgumentError
from interlace.families import resolve
from interlace.objective.generalised.density import ConditionalDensity, FamilyDensity, RowSums
from interlace.objective.generalised.irls import IRLS
from interlace.objective.generalised.laplace import LaplaceObjective
from interlace.objective.generalised.problem import Problem
from interlace.objective.generalised.quadrature import (
    QuadratureModes,
    QuadratureObjective,
    normal_grid,
)
from interlace.optimize.quasi import quasi_newton

# Differences of fourth order with step 2e-3 leave 1e-8 of the largest gradient where the density
# bends most; the bar set for gradients is 1e-6.
DERIVATIVE = 1e-6
# The same sums in another order.
TWIN = 1e-10
# Of a log-likelihood, with 25 nodes.
INTEGRAL = 1e-6

POSITIVE = {"log": 0.7, "identity": 4.0, "inverse": 0.5, "sqrt": 2.0, "inverse_square": 0.25}
CENTRES = {
    "binomial": {"logit": -0.3, "probit": -0.2, "cloglog": -0.6, "loglog": 0.5, "cauchit": 0.2}
    | {"log": -1.5, "identity": 0.4},
    "poisson": {name: POSITIVE[name] for name in ("log", "identity", "sqrt")},
    "negativebinomial": {name: POSITIVE[name] for name in ("log", "identity", "sqrt")}
    | {"nbcanonical": -0.5},
    "gamma": POSITIVE,
    "inverse_gaussian": POSITIVE,
    "gaussian": POSITIVE,
}
PAIRS = [(family, link) for family, links in CENTRES.items() for link in links]
UNBOUNDED = [
    (family, link)
    for family, link in PAIRS
    if link in ("logit", "probit", "cloglog", "loglog", "cauchit")
    or (link == "log" and family != "binomial")
]
# Natural values of the families' parameters.
ZETA = {"negativebinomial": 0.5, "gamma": 1.5, "inverse_gaussian": 1.0, "gaussian": 1.0}


def small(family, link, k=1, levels=7, seed=1):
    """Levels of 1 to 6 rows, a covariate, k effects; responses of the family.

    Returns the design, the density and the scale of the effects.
    """
    rng = np.random.default_rng(seed)
    fam = resolve(family, link)
    centre = CENTRES[family][link]
    codes = np.repeat(np.arange(levels), 1 + np.arange(levels) % 6)
    n = codes.size
    X = np.c_[np.ones(n), rng.uniform(-1.0, 1.0, (n, 2))]
    unbounded = (family, link) in UNBOUNDED
    size = 0.5 if unbounded else 0.05 * abs(centre)
    Z = X[:, :k]
    eta = centre + size * (0.5 * X[:, 1] + (Z * rng.normal(size=(levels, k))[codes]).sum(axis=1))
    trials = rng.integers(1, 6, n).astype(float) if family == "binomial" else np.ones(n)
    zeta = np.full(len(fam.parameters), ZETA.get(family, 0.0))
    mu = fam.mean(eta, zeta)
    y = np.asarray(fam.sample(rng, mu, trials, trials, zeta), dtype=float)
    d = dense_lmm.design(y, X, ("Intercept", "x", "z"), [(codes, Z, ("1", "x", "z")[:k], "us")])
    d.beta = np.array([centre, 0.5 * size, 0.0])
    return d, FamilyDensity(fam, y, trials, trials), size


class Given(Problem):
    """First estimates are the coefficients that the responses were drawn with."""

    def _first_estimates(self, eta):
        gamma, p = self.gamma(self.design.beta), self.fixed.p
        return IRLS(gamma, eta, np.eye(p), np.ones(len(eta)), 0.0, 0, True)


def quadrature(d, density, nodes, expected=True, backend=None):
    problem = Given.of(d, density, d.X @ d.beta)
    return QuadratureObjective(problem, CovarianceModel.of(d), expected, nodes, backend)


def interior(o, size, shift=0.1):
    """Near the truth, T lower triangular of about `size`."""
    cov = o.covariance
    theta = size * np.where(cov.row == cov.col, 1.0 + 0.2 * cov.row, 0.3)
    gamma = o.problem.glm.beta + shift * size * np.sin(np.arange(o.p))
    return np.concatenate([o.scale.x(theta), gamma, o.problem.zeta + 0.1])


def differences(o, x, h):
    """Central differences of fourth order of the value."""
    g = np.empty_like(x)
    for i in range(x.size):
        step = np.zeros_like(x)
        step[i] = h
        f = [o.evaluate(x + s * step, 1).value for s in (-2, -1, 1, 2)]
        g[i] = (f[0] - 8.0 * f[1] + 8.0 * f[2] - f[3]) / (12.0 * h)
    return g


def assert_gradient(o, x, h=2e-3):
    gradient = o.evaluate(x, 1).gradient
    error = np.abs(gradient - differences(o, x, h)).max()
    assert error <= DERIVATIVE * np.abs(gradient).max()


def log_integrals(o, x, density, step=None):
    """Sum over levels of the logarithm of the integral, from the family's own log-density."""
    theta, gamma, zeta = o.split(x)
    T = o.scale.templates(theta)[0]
    problem, fam = o.problem, density.family
    Z = problem.factors[0].Z / problem.Z.scale[0]
    eta0 = problem.offset + problem.fixed.times(gamma)
    total = 0.0
    for level in range(problem.Z.n_levels[0]):
        rows = problem.factors[0].codes == level
        A, base, y = Z[rows] @ T, eta0[rows], density.y[rows]
        w, m = density.weights[rows], density.trials[rows]

        def log_joint(u, A=A, base=base, y=y, w=w, m=m):
            eta = base[:, None] + A @ u
            ok = fam.valid(eta).all(axis=0)
            eta = np.where(ok, eta, base[:, None])
            mu = fam.mean(eta.ravel(), zeta).reshape(eta.shape)
            columns = [np.repeat(v, eta.shape[1]) for v in (y, w, m)]
            values = fam.log_density(columns[0], mu.ravel(), columns[1], columns[2], zeta)
            values = np.where(ok, values.reshape(eta.shape).sum(axis=0), -np.inf)
            return values - 0.5 * (u * u).sum(axis=0) - 0.5 * len(u) * np.log(2.0 * np.pi)

        total += (_by_quad if len(T) == 1 else _by_trapezoids)(log_joint, len(T), step)
    return total


def _by_quad(log_joint, k, step):
    """Adaptive quadrature on either side of the maximum, as far as the density is not zero."""
    grid = np.linspace(-12.0, 12.0, 2401)
    for _ in range(5):
        values = log_joint(grid[None, :])
        top, at, gap = values.max(), grid[values.argmax()], grid[1] - grid[0]
        grid = np.linspace(at - gap, at + gap, 201)

    def density(u):
        return np.exp(log_joint(np.array([[u]]))[0] - top)

    total = 0.0
    for side in (-1.0, 1.0):
        width = 1e-6
        while density(at + side * width) > 1e-25:
            width *= 1.5
        ends = sorted((at, at + side * width))
        total += quad(density, *ends, epsabs=1e-13 * width, epsrel=1e-11, limit=200)[0]
    return top + np.log(total)


def _by_trapezoids(log_joint, k, step):
    """Trapezoids are exact to exp(-2 pi^2 (sd / step)^2) for densities as smooth as these."""
    axis = np.arange(-8.0, 8.0 + step, step)
    points = np.stack([a.ravel() for a in np.meshgrid(*[axis] * k)])
    values = log_joint(points)
    top = values.max()
    return top + np.log(np.exp(values - top).sum()) + k * np.log(step)


# -- nodes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [1, 2, 3, 9, 25, 60, 100])
def test_nodes_integrate_polynomials_and_their_weights_are_those_of_hermite_functions(nodes):
    z, log_weights = normal_grid(nodes)
    z = z[:, 0]
    assert np.exp(log_weights - z * z / 2.0).sum() == pytest.approx(1.0, abs=1e-13)
    np.testing.assert_array_equal(np.sort(z), -np.sort(z)[::-1])
    # w_i exp(x_i^2) = 1 / sum_m psi_m(x_i)^2 with the orthonormal Hermite functions, x = z / sqrt 2
    x = z / np.sqrt(2.0)
    before, here = np.zeros_like(x), np.pi**-0.25 * np.exp(-x * x / 2.0)
    total = here**2
    for m in range(1, nodes):
        before, here = here, np.sqrt(2.0 / m) * x * here - np.sqrt((m - 1) / m) * before
        total += here**2
    np.testing.assert_allclose(log_weights, -np.log(total) - 0.5 * np.log(np.pi), atol=1e-12)


def test_grid_of_three_dimensions_has_the_moments_of_a_normal_density():
    z, log_weights = normal_grid(4, 3)
    w = np.exp(log_weights - (z * z).sum(axis=1) / 2.0)
    assert z.shape == (64, 3)
    np.testing.assert_allclose(z.T @ (w[:, None] * z), np.eye(3), atol=1e-12)
    assert (w * z[:, 0] ** 4 * z[:, 2] ** 2).sum() == pytest.approx(3.0, rel=1e-12)


# -- the value --------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "link"), PAIRS)
@pytest.mark.parametrize("k", [1, 2])
def test_one_node_is_laplace(family, link, k):
    d, density, size = small(family, link, k)
    for expected in (True, False):
        for backend in (None, "nested"):
            one = quadrature(d, density, 1, expected, backend)
            laplace = LaplaceObjective(one.problem, one.covariance, expected, backend)
            x = interior(one, size)
            there, here = laplace.evaluate(x, 1), one.evaluate(x, 1)
            assert here.value == there.value
            np.testing.assert_array_equal(here.gradient, there.gradient)
            # the loops over nodes, run with one
            one.modes = QuadratureModes(one.modes, 1, one.problem.factors[0].codes)
            one._last, one._u = None, np.zeros(one.problem.Z.q)
            here = one.evaluate(x, 1)
            assert here.value == pytest.approx(there.value, rel=1e-12)
            scale = np.abs(there.gradient).max()
            np.testing.assert_allclose(here.gradient, there.gradient, atol=1e-8 * scale)


@pytest.mark.parametrize(("family", "link"), [*UNBOUNDED, ("gaussian", "identity")])
@pytest.mark.parametrize("expected", [True, False])
def test_25_nodes_are_the_integral(family, link, expected):
    d, density, size = small(family, link)
    o = quadrature(d, density, 25, expected)
    x = interior(o, size)
    exact = log_integrals(o, x, density)
    assert -0.5 * o.evaluate(x, 0).value == pytest.approx(exact, abs=INTEGRAL)


@pytest.mark.parametrize(("family", "link"), [*UNBOUNDED, ("gaussian", "identity")])
def test_two_dimensions_are_the_integral(family, link):
    d, density, size = small(family, link, k=2)
    # 25 leave 1.5e-6 where the density is furthest from normal
    o = quadrature(d, density, 40)
    x = interior(o, size)
    exact = log_integrals(o, x, density, step=0.08)
    assert -0.5 * o.evaluate(x, 0).value == pytest.approx(exact, abs=INTEGRAL)


def test_three_dimensions_are_the_integral():
    d, density, size = small("poisson", "log", k=3, levels=4)
    o = quadrature(d, density, 15)
    x = interior(o, size)
    exact = log_integrals(o, x, density, step=0.25)
    assert -0.5 * o.evaluate(x, 0).value == pytest.approx(exact, abs=INTEGRAL)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_normal_integrand_is_exact_with_any_number_of_nodes(k):
    d, density, size = small("gaussian", "identity", k)
    o = quadrature(d, density, 4)
    x = interior(o, size)
    theta, gamma, zeta = o.split(x)
    T = o.scale.templates(theta)[0]
    codes, Z = o.problem.factors[0].codes, o.problem.factors[0].Z / o.problem.Z.scale[0]
    V = (Z @ T @ T.T @ Z.T) * (codes[:, None] == codes) + np.exp(-zeta[0]) * np.eye(codes.size)
    r = density.y - o.problem.fixed.times(gamma)
    exact = r @ np.linalg.solve(V, r) + np.linalg.slogdet(2.0 * np.pi * V)[1]
    assert o.evaluate(x, 0).value == pytest.approx(exact, rel=1e-12)


# -- the gradient -----------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "link"), PAIRS)
@pytest.mark.parametrize(("k", "nodes"), [(1, 2), (1, 7), (2, 3), (3, 2)])
@pytest.mark.parametrize("expected", [True, False])
def test_gradient_against_differences(family, link, k, nodes, expected):
    d, density, size = small(family, link, k)
    o = quadrature(d, density, nodes, expected)
    assert o.modes.backend == "levels"
    assert_gradient(o, interior(o, size), h=2e-3 * min(1.0, 4.0 * size))


@pytest.mark.parametrize("expected", [True, False])
@pytest.mark.parametrize("family", [("binomial", "probit"), ("poisson", "log"), ("gamma", "log")])
def test_gradient_without_any_variance(family, expected):
    d, density, size = small(*family)
    o = quadrature(d, density, 5, expected)
    x = interior(o, size)
    x[0] = 0.0
    assert o.evaluate(x, 1).gradient[0] == pytest.approx(0.0, abs=1e-10)
    assert_gradient(o, x)


@pytest.mark.parametrize("expected", [True, False])
@pytest.mark.parametrize("family", [("binomial", "probit"), ("poisson", "log"), ("gamma", "log")])
@pytest.mark.parametrize(("k", "zeros"), [(2, [2]), (2, [0]), (3, [5]), (3, [3, 4, 5])])
def test_gradient_at_singular_templates(family, expected, k, zeros):
    d, density, size = small(*family, k=k)
    o = quadrature(d, density, 3, expected)
    x = interior(o, size)
    x[zeros] = 0.0
    assert_gradient(o, x)


@pytest.mark.parametrize(("family", "link"), [("binomial", "cloglog"), ("gamma", "log")])
@pytest.mark.parametrize("k", [1, 2])
def test_hessian_against_differences_of_converged_gradients(family, link, k):
    d, density, size = small(family, link, k)
    o = quadrature(d, density, 5)
    x, h = interior(o, size), 1e-3
    H = o.hessian(x)
    for i in range(x.size):
        step = np.zeros_like(x)
        step[i] = h
        g = [o.evaluate(x + s * step, 1).gradient for s in (-2, -1, 1, 2)]
        row = (g[0] - 8.0 * g[1] + 8.0 * g[2] - g[3]) / (12.0 * h)
        # central differences of second order over a thousandth of a standard error
        np.testing.assert_allclose(H[i], row, atol=1e-5 * np.abs(H).max())


# -- densities that the kernels do not know ---------------------------------------------------


@pytest.mark.parametrize(("family", "link"), PAIRS)
@pytest.mark.parametrize("k", [1, 2])
def test_loop_over_nodes_is_the_kernel(family, link, k):
    d, density, size = small(family, link, k)
    compiled, loop = (quadrature(d, density, 4, True, b) for b in (None, "nested"))
    assert (compiled.modes.backend, loop.modes.backend) == ("levels", "nested")
    x = interior(compiled, size)
    a, b = compiled.evaluate(x, 1), loop.evaluate(x, 1)
    assert a.value == pytest.approx(b.value, rel=TWIN)
    # the modes of the loop are converged to 1e-9, and so is the gradient
    scale = np.abs(a.gradient).max()
    np.testing.assert_allclose(a.gradient, b.gradient, atol=1e-7 * scale)
    assert loop.evaluate(x, 0).value == pytest.approx(b.value, rel=TWIN)


class Handmade:
    """Binomial with probit link in R's functions."""

    name = "by hand"

    def __init__(self):
        fam = resolve("binomial", "probit")
        self.link, self.linkinv, self.mu_eta = fam.linear_predictor, fam.mean, fam.mean_slope
        self.variance, self.dev_resids = fam.variance, fam.deviance


def test_family_of_functions():
    d, density, size = small("binomial", "probit", k=2)
    fam = resolve(Handmade())
    own = FamilyDensity(fam, density.y, density.weights, density.trials)
    assert own.kernel is None
    o, known = quadrature(d, own, 4), quadrature(d, density, 4)
    assert_gradient(o, interior(o, size))
    # apart from a constant they are the same
    at = [[v.evaluate(interior(v, s, 0.0), 0).value for v in (o, known)] for s in (size, 0.3)]
    assert at[0][0] - at[0][1] == pytest.approx(at[1][0] - at[1][1], abs=1e-8)


class Halves(ConditionalDensity):
    """Gamma densities of two shapes, one for odd, one for even rows: two further predictors."""

    canonical, kernel, scale_free = False, None, True
    n_extra = n_zeta = 2

    def __init__(self, density):
        self.density, self.n, self.family = density, density.n, density.family
        self.y, self.weights = density.y, density.weights
        self.odd = np.arange(self.n) % 2 == 1

    def _mixed(self, zeta):
        return np.where(self.odd, zeta[1], zeta[0])[None, :]

    def rows(self, eta, zeta, expected, order=1):
        r = self.family.rows(eta, self.y, self.weights, self._mixed(zeta), expected)
        extra = np.stack([r.extra[0] * ~self.odd, r.extra[0] * self.odd])
        return RowSums(r.loglik.sum(), r.score, r.weight, r.observed, r.slope, extra)

    def values(self, eta, zeta):
        r = self.family.rows(eta, self.y, self.weights, self._mixed(zeta), True)
        return r.loglik, r.score

    def constant(self, zeta):
        value, slope = self.family.constant(self.y, self.weights, 1.0, self._mixed(zeta))
        return float(value.sum()), np.array([slope[0, ~self.odd].sum(), slope[0, self.odd].sum()])

    def start(self, eta, _):
        return np.array([1.0, 1.5])

    def take(self, rows):
        return Halves(self.density.take(rows))

    def level(self, zeta):
        return self.density.level(zeta[:1])


@pytest.mark.parametrize("expected", [True, False])
def test_several_further_predictors(expected):
    d, density, size = small("gamma", "log", k=2)
    o = quadrature(d, Halves(density), 4, expected)
    x = interior(o, size)
    assert o.evaluate(x, 1).gradient.size == 3 + 3 + 2
    assert_gradient(o, x)


def test_rows_in_any_order():
    d, density, size = small("poisson", "log", k=2)
    codes, x = d.factors[0].codes, d.X[:, 1]
    order = np.random.default_rng(5).permutation(density.n)
    values = []
    for rows in (np.arange(density.n), order):
        data = {"y": d.y[rows], "x": x[rows], "g": codes[rows]}
        design = build("y ~ x + (x | g)", data, linear=False)
        problem = Problem.of(design, density.take(rows), np.zeros(density.n))
        o = QuadratureObjective(problem, CovarianceModel.of(design), True, 5)
        values.append(o.evaluate(np.array([0.5, 0.2, 0.4, 0.7, 0.3]), 1))
    assert values[0].value == pytest.approx(values[1].value, rel=TWIN)
    np.testing.assert_allclose(values[0].gradient, values[1].gradient, atol=1e-8)


def test_memory_does_not_grow_with_the_nodes():
    rng = np.random.default_rng(0)
    n = 20_000
    codes = np.arange(n) // 10
    X = np.c_[np.ones(n), rng.normal(size=n)]
    fam = resolve("poisson", "log")
    y = rng.poisson(1.0, n).astype(float)
    d = dense_lmm.design(y, X, ("Intercept", "x"), [(codes, X[:, :1], ("1",), "us")])
    d.beta = np.zeros(2)
    for backend in (None, "nested"):
        o = quadrature(d, FamilyDensity(fam, y, np.ones(n), np.ones(n)), 60, backend=backend)
        x = o.start()
        o.evaluate(x, 1)
        tracemalloc.start()
        o.evaluate(x + 0.01, 1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # some thirty vectors of n numbers, of which the modes need most
        assert peak < 40 * 8 * n


# -- extremes ---------------------------------------------------------------------------------


def extreme(y, codes, family, link, nodes, weights=None):
    y, n = np.asarray(y, dtype=float), len(y)
    weights = np.ones(n) if weights is None else weights
    X = np.ones((n, 1))
    d = dense_lmm.design(y, X, ("Intercept",), [(codes, X, ("1",), "us")])
    d.beta = np.zeros(1)
    return quadrature(d, FamilyDensity(resolve(family, link), y, weights, weights), nodes)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchit"])
@pytest.mark.parametrize("nodes", [2, 25, 100])
def test_tiny_groups_of_successes(link, nodes):
    """Nearly flat integrands, spread over the whole width of the nodes."""
    for beta in (-3.0, 0.0, 4.0, 30.0):
        for theta in (0.0, 1e-8, 0.5, 5.0, 100.0):
            o = extreme(np.ones(30), np.arange(30) * 2 // 3, "binomial", link, nodes)
            e = o.evaluate(np.array([theta, beta]), 1)
            assert np.isfinite(e.value)
            assert np.isfinite(e.gradient).all()
            if nodes > 2:
                # no probability is above 1, but for the error of the quadrature
                assert e.value > -1e-2


def test_bernoulli_pairs_against_the_integral():
    y = np.array([1.0, 1.0, 1.0, 0.0, 1.0])
    o = extreme(y, [0, 0, 1, 2, 2], "binomial", "logit", 100)
    x = np.array([3.0, 1.0])
    exact = log_integrals(o, x, o.problem.density)
    assert -0.5 * o.evaluate(x, 0).value == pytest.approx(exact, abs=INTEGRAL)
    assert_gradient(o, x)


@pytest.mark.parametrize(("family", "link"), [("poisson", "log"), ("negativebinomial", "log")])
@pytest.mark.parametrize("nodes", [2, 25, 100])
def test_counts_of_a_million_beside_zero(family, link, nodes):
    zeta = [0.7] * (family == "negativebinomial")
    for beta in (-2.0, 5.0, 13.8):
        for theta in (0.0, 1e-6, 0.3, 4.0, 200.0):
            o = extreme([1e6, 1e6 + 900.0, 0.0, 3.0, 0.0], [0, 0, 1, 1, 2], family, link, nodes)
            e = o.evaluate(np.array([theta, beta, *zeta]), 1)
            assert np.isfinite(e.value)
            assert np.isfinite(e.gradient).all()


def test_counts_of_a_million_against_the_integral():
    o = extreme([1e6, 1e6 + 900.0, 0.0, 3.0, 0.0], [0, 0, 1, 1, 2], "poisson", "log", 50)
    x = np.array([4.0, 5.0])
    # a hundred sums of terms of 1e7 each lose some 1e-8
    exact = log_integrals(o, x, o.problem.density)
    assert -0.5 * o.evaluate(x, 0).value == pytest.approx(exact, abs=INTEGRAL)


def test_binomial_with_a_million_trials():
    trials = np.full(3, 1e6)
    for theta in (0.0, 1e-3, 1.0, 50.0):
        o = extreme([0.25, 1.0, 0.0], [0, 1, 2], "binomial", "logit", 25, trials)
        e = o.evaluate(np.array([theta, 0.0]), 1)
        assert np.isfinite(e.value)
        assert np.isfinite(e.gradient).all()


# -- what cannot be asked for -----------------------------------------------------------------


@pytest.mark.parametrize("nodes", [0, -1, 101, 2.0, "9", True])
def test_number_of_nodes(nodes):
    d, density, _ = small("poisson", "log")
    with pytest.raises(ArgumentError, match=f"nAGQ must be .* 1 to 100 .*{nodes}"):
        quadrature(d, density, nodes)


def test_several_grouping_factors():
    d, density, _ = small("poisson", "log")
    other = np.arange(density.n) % 3
    ones = np.ones((density.n, 1))
    groups = [(d.factors[0].codes, ones, ("1",), "us"), (other, ones, ("1",), "us")]
    two = dense_lmm.design(d.y, d.X, d.x_names, groups)
    two.beta = d.beta
    with pytest.raises(ArgumentError, match=r"one grouping factor.* has 2 \(g0, g1\).*nAGQ=1"):
        quadrature(two, density, 9)
    assert np.isfinite(quadrature(two, density, 1).evaluate(np.array([0.5] * 2 + [0.0] * 3)).value)


def test_more_than_three_effects():
    d, density, _ = small("poisson", "log")
    Z = np.random.default_rng(0).normal(size=(density.n, 4))
    four = dense_lmm.design(d.y, d.X, d.x_names, [(d.factors[0].codes, Z, tuple("abcd"), "us")])
    four.beta = d.beta
    with pytest.raises(ArgumentError, match="at most 3 random effects per level, but 'g0' has 4"):
        quadrature(four, density, 9)


# -- lme4 -------------------------------------------------------------------------------------

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
CONTRACEPTION = "use ~ age + I(age**2) + urban + livch + (1 | district)"
BACTERIA = "y ~ trt + I(week > 2) + (1 | ID)"
CBPP_BETA = (-1.3992304, -0.99140369, -1.1278195, -1.5794708)


@pytest.mark.parametrize(
    ("data", "formula", "link", "nodes", "llf", "sd", "beta"),
    [
        ("cbpp", CBPP, "logit", 9, -91.9833718, None, ()),
        ("cbpp", CBPP, "logit", 25, -91.9833690, 0.64751849, CBPP_BETA),
        # few nodes, so that the information which spreads them matters: the expected one
        ("cbpp", CBPP, "probit", 5, -92.5673951, 0.3396367, ()),
        ("cbpp", CBPP, "cloglog", 3, -91.8029375, 0.585402, ()),
        ("Contraception", CONTRACEPTION, "logit", 25, -1186.2294425, 0.47863663, ()),
        ("bacteria", BACTERIA, "logit", 25, -95.8970569, 1.3043161, ()),
    ],
)
def test_optimum_is_that_of_lme4_with_tight_tolerances(data, formula, link, nodes, llf, sd, beta):
    d, fam = build(formula, il.load_dataset(data), linear=False), resolve("binomial", link)
    trials = np.ones(len(d.y)) if d.trials is None else d.trials
    problem = Problem.of(d, FamilyDensity(fam, d.y, trials, trials), fam.start_eta(d.y, trials))
    o = QuadratureObjective(problem, CovarianceModel.of(d), True, nodes)
    x, e, _ = quasi_newton(o, o.start())
    # the last digit printed
    assert -0.5 * e.value == pytest.approx(llf, abs=1e-7)
    theta, gamma, _ = o.split(x)
    if sd is not None:
        assert o.scale.theta(theta)[0] == pytest.approx(sd, rel=1e-6)
    if beta:
        np.testing.assert_allclose(o.problem.beta(gamma), beta, rtol=1e-6)
