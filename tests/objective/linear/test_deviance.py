"""The profiled deviance, its gradient and curvature against dense algebra and differences."""

import tracemalloc
import warnings

import numpy as np
import pytest
from helpers import dense_lmm

from interlace.covariance import CovarianceModel
from interlace.objective import LMMObjective
from interlace.objective.base import Objective
from interlace.objective.linear import start
from interlace.objective.linear.design_products import cross_products_of
from interlace.objective.linear.exact import ExactFit
from interlace.objective.linear.start import second_moments

# Central differences of fourth order with step 1e-4 are good to about 1e-9 of the largest
# gradient; the bar is 1e-7.
DERIVATIVE = 1e-7
EXACT = 1e-10

SHAPES = {
    "one scalar": ((1,), (12,), {}),
    "one vector": ((3,), (14,), {}),
    "one pair": ((2,), (14,), {}),
    "one of four": ((4,), (14,), {}),
    "one diagonal": ((2,), (14,), {"structure": "diag"}),
    "one wide": ((5,), (12,), {}),
    "crossed scalar": ((1, 1), (20, 7), {}),
    "crossed vector": ((2, 3), (15, 9), {}),
    "three crossed": ((2, 1, 1), (16, 9, 5), {}),
    "nested": ((2, 1), (24, 6), {"nested": True}),
    "weighted": ((2, 1), (15, 6), {"weights": True}),
    "large crossed": ((2, 2), (60, 30), {"n": 500}),
    "as many as are dense": ((1, 1), (110, 90), {"n": 500}),
    "three of slopes": ((3, 2, 1), (12, 10, 9), {"weights": True}),
}
BACKENDS = {name: [None] for name in SHAPES}
for name in ("crossed vector", "three crossed", "weighted", "large crossed"):
    BACKENDS[name] = [None, "schur", "cholmod", "superlu"]
BACKENDS["one vector"] = [None, "nested", "superlu"]
BACKENDS["nested"] = [None, "nested", "schur", "superlu"]


def objective(shape, reml, backend=None, seed=3):
    widths, levels, options = SHAPES[shape]
    if backend == "cholmod":
        pytest.importorskip("sksparse")
    d = dense_lmm.random_design(seed, widths, levels, **options)
    covariance = CovarianceModel.of(d)
    return d, LMMObjective(cross_products_of(d), covariance, reml, backend)


def interior(o, seed=0):
    rng = np.random.default_rng(seed)
    return np.where(o.lower_bounds() == 0.0, rng.uniform(0.3, 1.2, o.covariance.n_theta), 0.0) + (
        0.3 * rng.normal(size=o.covariance.n_theta)
    )


def singular(o, seed=0):
    """The last diagonal entry of T is zero: a rank-deficient term, or a zero variance."""
    x = interior(o, seed)
    x[-1] = 0.0
    return x


cases = [
    pytest.param(s, r, b, id=f"{s}-{'REML' if r else 'ML'}-{b or 'auto'}")
    for s in SHAPES
    for r in (True, False)
    for b in BACKENDS[s]
]


@pytest.mark.parametrize("point", [interior, singular])
@pytest.mark.parametrize(("shape", "reml", "backend"), cases)
def test_value_and_estimates_are_those_of_dense_algebra(shape, reml, backend, point):
    d, o = objective(shape, reml, backend)
    x = point(o)
    truth = dense_lmm.solve(d, o.theta(x), reml)
    assert o.evaluate(x, 0).value == pytest.approx(truth.value, rel=EXACT)
    s = o.solution(x)
    assert s.criterion == pytest.approx(truth.value, rel=EXACT)
    np.testing.assert_allclose(s.beta, truth.beta, rtol=1e-9, atol=1e-10)
    assert s.sigma == pytest.approx(truth.sigma, rel=EXACT)
    np.testing.assert_allclose(s.cov_beta, truth.sigma**2 * truth.C, rtol=1e-8, atol=1e-12)
    # u = Lambda'Z'V^{-1}(y - X beta)
    g = np.linalg.solve(truth.V, truth.e)
    for factor, T, u in zip(d.factors, dense_lmm.templates(d, o.theta(x)), s.u, strict=True):
        Zg = np.zeros((len(factor.levels), T.shape[0]))
        np.add.at(Zg, factor.codes, factor.Z * g[:, None])
        np.testing.assert_allclose(u, Zg @ T, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("point", [interior, singular])
@pytest.mark.parametrize(("shape", "reml", "backend"), cases)
def test_gradient_is_the_derivative_of_the_value(shape, reml, backend, point):
    _, o = objective(shape, reml, backend)
    x = point(o)
    gradient = o.evaluate(x, 1).gradient
    numeric = dense_lmm.differences(lambda x: o.evaluate(x, 0).value, x)
    assert np.abs(gradient - numeric).max() <= DERIVATIVE * np.abs(numeric).max()


@pytest.mark.parametrize("point", [interior, singular])
@pytest.mark.parametrize(("shape", "reml", "backend"), cases)
def test_hessian_is_the_derivative_of_the_gradient(shape, reml, backend, point):
    _, o = objective(shape, reml, backend)
    x = point(o)
    numeric = dense_lmm.differences(lambda x: o.evaluate(x, 1).gradient, x)
    assert np.abs(o.hessian(x) - numeric).max() <= DERIVATIVE * np.abs(numeric).max()
    # ... and by differences of the gradient, which replace the traces in large models.
    assert np.abs(Objective.hessian(o, x) - numeric).max() <= 1e-6 * np.abs(numeric).max()


@pytest.mark.parametrize("point", [interior, singular])
@pytest.mark.parametrize(("shape", "reml", "backend"), cases)
def test_curvature_is_the_hessian_or_average_information_plus_n(shape, reml, backend, point):
    d, o = objective(shape, reml, backend)
    x = point(o)
    e = o.evaluate(x)
    if e.exact:
        expected = o.hessian(x)
    else:
        expected = dense_curvature(d, o, x, reml)
    assert np.abs(e.curvature - expected).max() <= DERIVATIVE * np.abs(expected).max()


def dense_curvature(d, o, x, reml):
    """AI + 2 (N (x) I) from n x n matrices, on the optimiser's scale."""
    theta = o.theta(x)
    n, p = d.X.shape
    truth = dense_lmm.solve(d, theta, reml)
    Vi = np.linalg.inv(truth.V)
    P = Vi - Vi @ d.X @ truth.C @ d.X.T @ Vi
    Q = P if reml else Vi
    df = n - p if reml else n
    y = d.y
    Py = P @ y
    r2 = y @ Py
    T = dense_lmm.templates(d, theta)
    cov = o.covariance
    dV = []
    for b, i, j in zip(cov.factor, cov.row, cov.col, strict=True):
        E = np.zeros_like(T[b])
        E[i, j] = 1.0
        S = E @ T[b].T + T[b] @ E.T
        f = d.factors[b]
        dV.append((f.Z @ S @ f.Z.T) * (f.codes[:, None] == f.codes))
    a = np.array([Py @ V @ Py for V in dV])
    quad = np.array([[Py @ V @ P @ W @ Py for W in dV] for V in dV])
    H = df * (quad / r2 - np.outer(a, a) / r2**2)
    inner = Q - (df / r2) * np.outer(Py, Py)
    for e, (b, i, j) in enumerate(zip(cov.factor, cov.row, cov.col, strict=True)):
        for f, (c, k, m) in enumerate(zip(cov.factor, cov.row, cov.col, strict=True)):
            if b == c and j == m:
                fac = d.factors[b]
                same = fac.codes[:, None] == fac.codes
                H[e, f] += 2.0 * fac.Z[:, i] @ (inner * same) @ fac.Z[:, k]
    J = o.scale.jacobian()
    return J.T @ H @ J


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("point", [interior, singular])
def test_compiled_evaluation_is_the_readable_one(shape, reml, point):
    _, o = objective(shape, reml)
    assert o.is_fused
    x = point(o)
    fused, plain = o._evaluate_fused(x, 2), o._evaluate(x, 2)
    assert fused.value == pytest.approx(plain.value, rel=1e-13)
    np.testing.assert_allclose(fused.gradient, plain.gradient, rtol=1e-9, atol=1e-9)
    assert fused.exact == plain.exact
    np.testing.assert_allclose(fused.curvature, plain.curvature, rtol=1e-9, atol=1e-7)
    H = o.hessian(x)
    o._fused = None
    np.testing.assert_allclose(H, o.hessian(x), rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("shape", ["crossed scalar", "crossed vector", "three crossed", "nested"])
@pytest.mark.parametrize("large", [1, 2])
def test_large_variances_are_left_to_formulas_without_loss(shape, reml, large):
    d, o = objective(shape, reml)
    x = interior(o)
    for b in range(large):
        x[(o.covariance.factor == b) & (o.covariance.row == o.covariance.col)] = 1e3
    plain = o.fresh()
    plain._fused = None
    here, there = o.evaluate(x), plain.evaluate(x)
    assert o._fused.beyond
    assert here.value == there.value
    np.testing.assert_array_equal(here.curvature, there.curvature)
    np.testing.assert_array_equal(o.hessian(x), plain.hessian(x))
    np.testing.assert_array_equal(o.profiled(x)[0], plain.profiled(x)[0])
    # ... and the next evaluation is none the worse for it
    near = interior(o)
    value = dense_lmm.solve(d, o.theta(near), reml).value
    assert o.evaluate(near, 0).value == pytest.approx(value, rel=EXACT)
    assert not o._fused.beyond


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if not shape.startswith("one ")])
def test_compiled_sums_that_searches_start_from_are_the_readable_ones(shape):
    _, o = objective(shape, True)
    marginal, plain = o.marginal, o.marginal.fresh()
    for information in (1.0, 5e4, 1e6):  # the last one is left to formulas without loss
        K = marginal.corner_beside(information)
        np.testing.assert_allclose(K, plain.corner_beside(information), rtol=1e-9, atol=1e-9)
    squares, response = marginal.moments()
    S, v = second_moments(o.cross)
    np.testing.assert_allclose(squares, S, rtol=1e-11, atol=1e-11 * S.max())
    np.testing.assert_allclose(response, v, rtol=1e-12)


def test_what_has_no_compiled_evaluation():
    for widths, levels in [((7, 1), (9, 5)), ((1, 1), (120, 81))]:
        d = dense_lmm.random_design(2, widths, levels, n=400)
        o = LMMObjective(cross_products_of(d), CovarianceModel.of(d), True)
        assert not o.is_fused
        assert np.isfinite(o.evaluate(o.start()).value)


def test_many_effects_of_one_factor_take_no_more_memory_than_their_hessian():
    d = dense_lmm.random_design(1, (30,), (5,), n=200)
    o = LMMObjective(cross_products_of(d), CovarianceModel.of(d), True)
    x = o.start()
    tracemalloc.start()
    o.fresh().evaluate(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # two matrices over the entries of T; one over pairs of entries of k x k would be 6.5 MB
    assert peak < 3 * 8 * x.size**2


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("shape", ["one vector", "crossed vector", "nested", "weighted"])
def test_another_response_on_the_same_design(shape, reml):
    d, o = objective(shape, reml)
    x = interior(o)
    y = d.y + np.random.default_rng(7).normal(size=d.y.size) * 3.0
    cross = o.cross.with_response(y)
    other = LMMObjective(cross, o.covariance, reml, marginal=o.marginal.with_cross(cross))
    d.y = y
    truth = dense_lmm.solve(d, o.theta(x), reml)
    assert other.evaluate(x, 0).value == pytest.approx(truth.value, rel=EXACT)
    np.testing.assert_allclose(other.solution(x).beta, truth.beta, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_large_means_and_scales_cost_no_digits(shift):
    d, o = objective("crossed vector", True)
    x = interior(o)
    value = o.evaluate(x, 0).value
    d.y = d.y + shift
    d.X = d.X.copy()
    d.X[:, 2] = d.X[:, 2] * 1e6 + shift
    moved = LMMObjective(cross_products_of(d), o.covariance, True)
    # REML changes by log|X'X|: by the scale of the column, nothing else.
    expected = value + 2.0 * np.log(1e6)
    assert moved.evaluate(x, 0).value == pytest.approx(expected, rel=1e-9)


def test_no_fixed_effects_at_all():
    d, _ = objective("one vector", True)
    d.X, d.x_names = d.X[:, :0], ()
    for reml in (True, False):
        o = LMMObjective(cross_products_of(d), CovarianceModel.of(d), reml)
        x = interior(o)
        truth = dense_lmm.solve(d, o.theta(x), False)
        assert o.evaluate(x, 0).value == pytest.approx(truth.value, rel=EXACT)
        numeric = dense_lmm.differences(lambda x, o=o: o.evaluate(x, 1).gradient, x)
        assert np.abs(o.hessian(x) - numeric).max() <= DERIVATIVE * np.abs(numeric).max()


def test_a_response_the_model_fits_exactly_has_no_criterion():
    d, _ = objective("one scalar", True)
    d.y = np.zeros_like(d.y)
    o = LMMObjective(cross_products_of(d), CovarianceModel.of(d), True)
    with pytest.raises(ExactFit, match="fits the response exactly"):
        o.evaluate(np.ones(1), 0)


def test_start_solves_balanced_one_way_models():
    """MINQUE(0) is the analysis-of-variance estimate there, and that is REML."""
    rng = np.random.default_rng(5)
    codes = np.repeat(np.arange(8), 6)
    y = rng.normal(size=8)[codes] + rng.normal(size=48)
    d = dense_lmm.design(
        y, np.ones((48, 1)), ("Intercept",), [(codes, np.ones((48, 1)), ("Intercept",), "us")]
    )
    o = LMMObjective(cross_products_of(d), CovarianceModel.of(d), True)
    assert abs(o.evaluate(o.start(), 1).gradient[0]) < 1e-9


def test_moments_that_leave_nothing_but_rounding_make_a_start(monkeypatch):
    d = dense_lmm.random_design(3, [1], [8])
    o = LMMObjective(cross_products_of(d), CovarianceModel.of(d), True)
    monkeypatch.setattr(start, "_solved", lambda *_: np.array([1.0, 1e-310]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (ratio,) = start.moment_start(o.deviance.cross)
    assert ratio.tolist() == [start.LARGEST_START]
