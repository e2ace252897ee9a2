"""Laplace's approximation against dense algebra and differences, for every family and back end."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import dense_glmm as glmm
from helpers import dense_lmm
from scipy.special import ndtr, ndtri, xlogy

from interlace.families import NegativeBinomial
from interlace.objective.generalised.level_modes import LevelModes
from interlace.objective.generalised.modes import PenalisedIRLS
from interlace.optimize import minimise

# Sums of some hundred terms of order one in another order.
EXACT = 1e-10
# Central differences of fourth order with step 1e-4: rounding of a criterion of some hundreds,
# 1e-13, over the step is 1e-9; truncation is below it. The bar for gradients is 1e-6.
DERIVATIVE = 1e-6
# Newton's method in numpy stops at a decrement of 1e-18 of the criterion: the modes, and with them
# the gradient, have errors of the root of that.
MODES = 3e-8

BACKENDS = {
    "one scalar": ("nested", "superlu", "cholmod"),
    "one vector": ("nested", "superlu"),
    "one wide": ("nested", "superlu"),
    "one diagonal": ("nested", "cholmod"),
    "crossed": ("schur", "superlu", "cholmod"),
    "crossed vectors": ("schur", "superlu", "cholmod"),
    "crossed diagonal": ("schur", "superlu"),
    "nested": ("nested", "schur", "superlu", "cholmod"),
    "nested vectors": ("nested", "schur", "superlu"),
    "three": ("schur", "superlu", "cholmod"),
}
SHAPES = tuple(BACKENDS)
FORCED = [(shape, backend) for shape, backends in BACKENDS.items() for backend in backends]
# A canonical link; one whose informations differ, with either; families with a parameter; a link
# that can leave its range.
FEW = [
    ("binomial", "logit", True),
    ("binomial", "probit", True),
    ("binomial", "probit", False),
    ("negativebinomial", "log", True),
    ("gamma", "inverse", False),
]
few = pytest.mark.parametrize(("family", "link", "expected"), FEW)
information = pytest.mark.parametrize("expected", [True, False], ids=["expected", "observed"])


def skip_without(backend):
    if backend == "cholmod":
        pytest.importorskip("sksparse")


def assert_value(m, o, x, expected):
    theta, gamma, zeta = o.split(x)
    truth = glmm.laplace(m, o.scale.theta(theta), o.problem.beta(gamma), zeta, expected)
    assert o.evaluate(x, 0).value == pytest.approx(truth.value, rel=EXACT)
    here = o.point(x)
    np.testing.assert_allclose(here.u, truth.u, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(o.problem.unsorted(here.eta), truth.eta, rtol=1e-8, atol=1e-8)
    weight = o.problem.unsorted(here.weight)
    np.testing.assert_allclose(weight, truth.weight, rtol=1e-6, atol=1e-8)


def assert_gradient(o, x):
    gradient = o.evaluate(x, 1).gradient
    # of values to second order in what the modes lack, which come with the gradient
    numeric = dense_lmm.differences(lambda x: o.evaluate(x, 1).value, x)
    assert np.abs(gradient - numeric).max() <= DERIVATIVE * np.abs(numeric).max()


def assert_same(mine, theirs):
    assert mine.value == pytest.approx(theirs.value, rel=EXACT)
    largest = np.abs(theirs.gradient).max()
    np.testing.assert_allclose(mine.gradient, theirs.gradient, rtol=0.0, atol=MODES * largest)


@information
@pytest.mark.parametrize(("family", "link"), glmm.PAIRS)
def test_every_family_and_link(family, link, expected):
    """Compiled levels: value by dense algebra, gradient by differences, the twin in numpy."""
    m = glmm.model(family, link)
    o, twin = glmm.objective(m, expected), glmm.objective(m, expected, "nested")
    assert isinstance(o.modes, LevelModes) and isinstance(twin.modes, PenalisedIRLS)
    x = glmm.point(m, o)
    assert_value(m, o, x, expected)
    assert_gradient(o, x)
    assert_gradient(twin, x)
    assert_same(o.evaluate(x, 1), twin.evaluate(x, 1))


@pytest.mark.parametrize("kind", ["inside", "singular", "zero"])
@few
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape(shape, family, link, expected, kind):
    m = glmm.model(family, link, shape)
    o = glmm.objective(m, expected)
    x = glmm.point(m, o, kind)
    assert_value(m, o, x, expected)
    assert_gradient(o, x)
    if kind == "zero":
        # the criterion is even in theta: nothing but rounding there
        assert np.abs(o.evaluate(x, 1).gradient[: o.covariance.n_theta]).max() <= 1e-9


@pytest.mark.parametrize("kind", ["inside", "singular"])
@few
@pytest.mark.parametrize(("shape", "backend"), FORCED)
def test_every_back_end(shape, backend, family, link, expected, kind):
    skip_without(backend)
    m = glmm.model(family, link, shape)
    a, b = glmm.objective(m, expected), glmm.objective(m, expected, backend)
    assert b.modes.backend == backend
    x = glmm.point(m, a, kind)
    assert_same(b.evaluate(x, 1), a.evaluate(x, 1))
    # rows of zeta are forward differences of the gradient with step 1e-4
    one, two = a.evaluate(x, 2).curvature, b.evaluate(x, 2).curvature
    np.testing.assert_allclose(two, one, rtol=0.0, atol=1e-5 * np.abs(one).max())
    b.evaluate(x, 1)
    a.evaluate(x, 1)
    for c in range(len(a.problem.Z.widths)):
        for name in ("inverse_blocks", "information"):
            mine, theirs = getattr(b.modes, name)(c), getattr(a.modes, name)(c)
            np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-7 * np.abs(theirs).max())


@few
@pytest.mark.parametrize("shape", ["one scalar", "one diagonal", "crossed", "nested vectors"])
def test_hessian_at_the_optimum(shape, family, link, expected):
    """Modes of the displaced points are those along the tangent, which costs no digits."""
    m = glmm.model(family, link, shape)
    o = glmm.objective(m, expected)
    x = minimise(o).x
    H = o.hessian(x)
    np.testing.assert_array_equal(H, H.T)
    numeric = dense_lmm.differences(lambda x: o.evaluate(x, 1).gradient, x, 1e-3)
    scale = 1.0 / np.sqrt(np.abs(np.diagonal(numeric)))
    error = np.abs(H - numeric) * scale[:, None] * scale
    # both are differences; 1e-4 in standard errors is the bar for them
    assert error.max() <= 2e-5


@few
@pytest.mark.parametrize("shape", ["one vector", "crossed vectors", "one diagonal"])
def test_curvature_is_symmetric_and_steers_downhill(shape, family, link, expected):
    m = glmm.model(family, link, shape)
    o = glmm.objective(m, expected)
    x = glmm.point(m, o)
    e = o.evaluate(x, 2)
    assert not e.exact
    np.testing.assert_allclose(e.curvature, e.curvature.T, rtol=1e-10, atol=1e-10)
    values, vectors = np.linalg.eigh(e.curvature)
    step = -vectors @ (vectors.T @ e.gradient / np.abs(values))
    short = 0.1 * step
    fall = e.value - o.evaluate(x + short, 0).value
    assert fall > 0.05 * -(e.gradient @ short)


def test_curvature_of_a_gaussian_model_is_exact_in_the_coefficients():
    m = glmm.model("gaussian", "identity", "crossed")
    o = glmm.objective(m, False)
    x = glmm.point(m, o)
    B, H = o.evaluate(x, 2).curvature, o.hessian(x)
    k, bar = o.covariance.n_theta, 1e-6 * np.abs(H).max()
    np.testing.assert_allclose(B[k:-1, k:-1], H[k:-1, k:-1], rtol=0.0, atol=bar)
    np.testing.assert_allclose(B[:k, k:-1], H[:k, k:-1], rtol=0.0, atol=bar)


@few
@pytest.mark.parametrize("shape", ["one scalar", "one vector", "crossed"])
def test_the_answer_does_not_depend_on_what_was_asked_before(shape, family, link, expected):
    m = glmm.model(family, link, shape)
    o, fresh = glmm.objective(m, expected), glmm.objective(m, expected)
    x = glmm.point(m, o)
    rng = np.random.default_rng(0)
    first = fresh.evaluate(x, 1)
    for order in (1, 0, 2, 0, 1):
        o.evaluate(x + 0.3 * glmm.size_of(family, link) * rng.normal(size=x.size), order)
    o.hessian(x)
    again = o.evaluate(x, 1)
    assert again.value == pytest.approx(first.value, rel=1e-12)
    largest = np.abs(first.gradient).max()
    np.testing.assert_allclose(again.gradient, first.gradient, atol=1e-8 * largest)


@few
@pytest.mark.parametrize("shape", ["one scalar", "one vector", "crossed", "nested"])
def test_order_of_rows(shape, family, link, expected):
    m = glmm.model(family, link, shape)
    order = np.random.default_rng(4).permutation(m.design.y.size)
    o = glmm.objective(m, expected)
    moved = glmm.objective(glmm.reordered(m, order), expected)
    x = glmm.point(m, o)
    # the standardised columns are rotated by what depends on the order only in rounding
    y = glmm.vector(moved, m.theta, m.beta, m.zeta + 0.1)
    a, b = o.evaluate(x, 1), moved.evaluate(y, 1)
    assert b.value == pytest.approx(a.value, rel=1e-12)
    k = o.covariance.n_theta
    np.testing.assert_allclose(b.gradient[:k], a.gradient[:k], rtol=1e-8, atol=1e-8)
    eta = o.problem.unsorted(o.point(x).eta)
    np.testing.assert_allclose(moved.problem.unsorted(moved.point(y).eta), eta[order], rtol=1e-9)


@pytest.mark.parametrize("theta", [0.5, 3.0, 1e6])
def test_negative_binomial_with_theta_fixed(theta):
    """The same value as with theta free at that theta, and the same derivatives of the rest."""
    free = glmm.model("negativebinomial", "log", "one vector")
    fixed = glmm.model("negativebinomial", "log", "one vector")
    fixed.family = NegativeBinomial(theta=theta)
    a, b = glmm.objective(free, True), glmm.objective(fixed, True)
    x = glmm.vector(a, free.theta, free.beta, [np.log(theta)])
    y = glmm.vector(b, free.theta, free.beta, [])
    one, two = a.evaluate(x, 1), b.evaluate(y, 1)
    assert two.value == pytest.approx(one.value, rel=1e-11)
    # coefficients are those of columns that were standardised with other weights
    k = a.covariance.n_theta
    np.testing.assert_allclose(two.gradient[:k], one.gradient[:k], rtol=1e-8, atol=1e-8)
    assert_gradient(b, y)


def test_a_large_theta_is_poisson():
    m = glmm.model("poisson", "log", "one vector")
    a = glmm.objective(m, True)
    value = a.evaluate(glmm.point(m, a), 0).value
    m.family = glmm.resolve("negativebinomial")
    b = glmm.objective(m, True)
    x = glmm.vector(b, m.theta, m.beta, [20.0])
    # NB2 differs from Poisson by terms of order sum(mu^2) / theta = 1e3 / 5e8
    assert b.evaluate(x, 0).value == pytest.approx(value, abs=1e-5)
    x[-1] = 23.0
    assert np.abs(b.evaluate(x, 1).gradient[-1]) <= 1e-6
    assert_gradient(b, glmm.vector(b, m.theta, m.beta, [2.0]))


@pytest.mark.parametrize("backend", [None, "superlu"])
@pytest.mark.parametrize("shape", ["one vector", "crossed"])
@information
def test_a_family_of_ones_own(shape, backend, expected):
    """Derivatives that are taken numerically row by row lead to the same exact gradient."""
    m = glmm.model("binomial", "probit", shape)
    built_in = glmm.objective(m, expected, backend)
    m.family = glmm.resolve(
        SimpleNamespace(
            link=ndtri, linkinv=ndtr, mu_eta=lambda e: np.exp(-0.5 * e * e) / np.sqrt(2.0 * np.pi),
            variance=lambda mu: mu * (1.0 - mu),
            dev_resids=lambda y, mu, w: -2.0 * w * (xlogy(y, mu) + xlogy(1.0 - y, 1.0 - mu)),
        )
    )  # fmt: skip
    o = glmm.objective(m, expected, backend)
    assert isinstance(o.modes, PenalisedIRLS)
    mine, theirs = ([f.evaluate(glmm.point(m, f, kind), 1) for kind in ("inside", "singular")]
                    for f in (o, built_in))  # fmt: skip
    # a constant of the response is left out
    assert mine[0].value - mine[1].value == pytest.approx(
        theirs[0].value - theirs[1].value, rel=1e-8
    )
    # the scales of theta and of the columns are those of other starts: natural theta is compared
    k, bar = o.covariance.n_theta, 1e-8 * np.abs(theirs[0].gradient).max()
    for a, b in zip(mine, theirs, strict=True):
        pairs = (a, o), (b, built_in)
        natural = [np.linalg.solve(f.scale.jacobian().T, e.gradient[:k]) for e, f in pairs]
        np.testing.assert_allclose(*natural, rtol=0.0, atol=bar)
    assert_gradient(o, glmm.point(m, o))
