"""Fixed effects alone: the likelihood's equations, starts, separation, ranges."""

import numpy as np
import pytest
from helpers import dense_glmm as glmm

from interlace.errors import NumericalError
from interlace.families import resolve
from interlace.linalg.crossproducts.fixed import weighted_gram
from interlace.linalg.crossproducts.standardise import CHUNK_ROWS
from interlace.linalg.row_threads import PIECE_ROWS
from interlace.objective.generalised import irls as module
from interlace.objective.generalised.density import FamilyDensity
from interlace.objective.generalised.irls import irls


def parts(m):
    o = m.observations
    density = FamilyDensity(m.family, o.y, o.weights, o.trials)
    X = m.design.X.copy()
    # columns of unit size, as the objectives hand them over
    X[:, 2] = (X[:, 2] - 20.0) / 20.0
    return density, X, m.design.offset, m.family.start_eta(o.y, o.weights)


@pytest.mark.parametrize(("family", "link"), glmm.PAIRS)
def test_the_score_is_zero_and_the_information_is_that_of_the_weights(family, link):
    m = glmm.model(family, link)
    density, X, offset, eta = parts(m)
    fit = irls(density, X, offset, m.zeta, eta)
    assert fit.converged and fit.iterations <= 30
    np.testing.assert_allclose(fit.eta, offset + X @ fit.beta, rtol=1e-12, atol=1e-12)
    rows = density.rows(fit.eta, m.zeta, True)
    assert fit.total == pytest.approx(rows.total, rel=1e-12)
    np.testing.assert_allclose(fit.weight, rows.weight, rtol=1e-12)
    information = X.T @ (rows.weight[:, None] * X)
    np.testing.assert_allclose(fit.information, information, rtol=1e-10)
    score = X.T @ rows.score
    # in standard errors: the root of the decrement that it stops at, 1e-18 of a total of hundreds
    assert score @ np.linalg.solve(information, score) <= 1e-16 * max(1.0, abs(fit.total))
    for direction in np.r_[np.eye(3), -np.eye(3)]:
        moved = fit.eta + X @ (1e-3 * direction)
        assert density.rows(moved, m.zeta, True).total < fit.total


@pytest.mark.parametrize(("family", "link"), [("binomial", "logit"), ("poisson", "log")])
def test_an_offset_only_shifts_the_intercept(family, link):
    m = glmm.model(family, link, plain=True)
    density, X, _, eta = parts(m)
    none = irls(density, X, None, m.zeta, eta)
    for shift in (0.7, -5.0, 1e3, -1e6):
        fit = irls(density, X, np.full(density.n, shift), m.zeta, eta)
        assert fit.total == pytest.approx(none.total, rel=1e-9)
        bar = 1e-8 + 1e-9 * abs(shift)
        np.testing.assert_allclose(fit.beta, none.beta - [shift, 0.0, 0.0], rtol=0.0, atol=bar)


def test_gaussian_identity_is_least_squares_in_one_step():
    m = glmm.model("gaussian", "identity")
    density, X, offset, eta = parts(m)
    fit = irls(density, X, offset, m.zeta, eta)
    root = np.sqrt(density.weights)
    beta = np.linalg.lstsq(root[:, None] * X, root * (density.y - offset), rcond=None)[0]
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-10, atol=1e-12)
    assert fit.iterations <= 2


def test_looser_and_fewer():
    m = glmm.model("binomial", "probit")
    density, X, offset, eta = parts(m)
    full = irls(density, X, offset, m.zeta, eta)
    loose = irls(density, X, offset, m.zeta, eta, decrement=1e-4)
    assert loose.converged and loose.iterations < full.iterations
    assert abs(loose.total - full.total) <= 1e-3 * abs(full.total)
    once = irls(density, X, offset, m.zeta, eta, max_iterations=1, decrement=0.0)
    assert not once.converged and once.iterations == 1


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchit"])
def test_separated_data_end_with_finite_numbers(link):
    rng = np.random.default_rng(2)
    x = rng.normal(size=80)
    y = (x > 0.0) * 1.0
    density = FamilyDensity(resolve("binomial", link), y, np.ones(80), np.ones(80))
    X = np.c_[np.ones(80), x]
    fit = irls(density, X, None, np.empty(0), density.family.start_eta(y, np.ones(80)))
    assert np.isfinite(fit.beta).all() and np.isfinite(fit.eta).all()
    assert -1e-3 < fit.total <= 0.0 or link == "cauchit"
    assert ((fit.eta > density.family.link(0.5)) == (y == 1.0)).mean() > 0.95


def test_no_columns():
    m = glmm.model("poisson", "log")
    density, _, offset, eta = parts(m)
    fit = irls(density, np.empty((density.n, 0)), offset, m.zeta, eta)
    assert fit.beta.shape == (0,) and fit.information.shape == (0, 0) and fit.converged
    np.testing.assert_allclose(fit.eta, offset)


def test_coefficients_that_cannot_be_are_an_error_in_words():
    density = FamilyDensity(resolve("poisson", "identity"), np.ones(4), np.ones(4), np.ones(4))
    X = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    with pytest.raises(NumericalError, match="every mean is within its range"):
        irls(density, X, None, np.empty(0), np.ones(4))
    # nothing but an offset, and that is out of range
    with pytest.raises(NumericalError, match="every mean is within its range"):
        irls(density, np.empty((4, 0)), -np.ones(4), np.empty(0), np.ones(4))


@pytest.mark.parametrize("family, high", [("poisson", np.inf), ("binomial", 1.0)])
def test_a_start_is_found_where_no_constant_is_near(family, high):
    """Neither the regression, nor zero, nor anything on the way to a constant is in the range."""
    rng = np.random.default_rng(0)
    x = np.r_[rng.uniform(-2.5, 2.5, 60), 0.1, -0.1]
    y = np.where(np.abs(x) < 1.0, 1.0, 0.0)
    made = resolve(family, "identity")
    ones = np.ones(x.size)
    density = FamilyDensity(made, y, ones, ones)
    assert density.interval == (0.0, high)
    X = np.c_[x, x * x]
    fit = irls(density, X, None, np.empty(0), made.start_eta(y, ones))
    assert (fit.eta > 0.0).all() and (fit.eta < high).all() and np.isfinite(fit.total)


@pytest.mark.parametrize("link", ["identity", "sqrt", "inverse"])
def test_steps_stay_within_the_range(link):
    """Rates near zero at one end of a steep covariate."""
    rng = np.random.default_rng(5)
    x = np.linspace(0.0, 1.0, 300)
    made = resolve("poisson", link)
    y = rng.poisson(0.05 + 6.0 * x).astype(float)
    density = FamilyDensity(made, y, np.ones(300), np.ones(300))
    X = np.c_[np.ones(300), x]
    fit = irls(density, X, None, np.empty(0), made.start_eta(y, np.ones(300)))
    assert np.isfinite(fit.total) and (fit.eta > 0.0).all()


def test_one_huge_offset_is_no_accident():
    """A row whose weight vanishes, or explodes, wherever the coefficients are."""
    rng = np.random.default_rng(6)
    y = rng.integers(0, 2, 50).astype(float)
    X = np.c_[np.ones(50), rng.normal(size=50)]
    for link in ("logit", "probit", "cloglog"):
        density = FamilyDensity(resolve("binomial", link), y, np.ones(50), np.ones(50))
        start = density.family.start_eta(y, np.ones(50))
        for size in (-1e6, -1e3, -40.0, 40.0, 1e3, 1e6):
            offset = np.where(np.arange(50) == 3, size, 0.0)
            try:
                fit = irls(density, X, offset, np.empty(0), start)
            except NumericalError:
                continue
            assert np.isfinite(fit.beta).all() and np.isfinite(fit.total)


def test_weighted_gram_in_chunks():
    rng, n = np.random.default_rng(0), 2 * PIECE_ROWS + CHUNK_ROWS + 7
    # sums of whole numbers are exact
    X, w = rng.integers(-9, 10, (n, 3)).astype(float), rng.integers(-9, 10, n).astype(float)
    np.testing.assert_array_equal(weighted_gram(X, w), X.T @ (w[:, None] * X))


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize(("family", "link"), glmm.PAIRS)
def test_few_rows_go_the_same_way_in_the_kernel(monkeypatch, family, link, ahead):
    m = glmm.model(family, link)
    density, X, offset, eta = parts(m)
    for base in (offset, None):
        for how in ({}, {"decrement": 1e-3}, {"max_iterations": 1}, {"max_iterations": 0}):
            arguments = density, X, base, m.zeta, eta
            with monkeypatch.context() as patch:
                patch.setattr(module, "FEW_PRODUCTS", 0)
                arrays = irls(*arguments, ahead=ahead, **how)
            kernel = compiled(*arguments, how, ahead)
            if kernel is None:  # a mean was out of its range, or the information not definite
                continue
            assert (kernel.iterations, kernel.converged) == (arrays.iterations, arrays.converged)
            assert kernel.total == pytest.approx(arrays.total, rel=1e-12)
            for name in ("beta", "eta", "information", "weight"):
                one, other = getattr(kernel, name), getattr(arrays, name)
                assert np.abs(one - other).max() <= 1e-9 * np.abs(other).max(), name


def compiled(density, X, base, zeta, eta, how, ahead):
    base = np.zeros(density.n) if base is None else base
    decrement = how.get("decrement", module.DECREMENT)
    iterations = how.get("max_iterations", module.MAX_ITERATIONS)
    return module._compiled(density, X, base, zeta, eta, decrement, iterations, ahead)


def test_who_goes_to_the_kernel(monkeypatch):
    known = []
    kernel = module._compiled
    monkeypatch.setattr(module, "_compiled", lambda *a: known.append(kernel(*a)) or known[-1])
    m = glmm.model("binomial", "logit")
    density, X, offset, eta = parts(m)
    fit = irls(density, np.asfortranarray(X), offset, m.zeta, eta)
    assert fit is known[-1]
    # separated rows lose their information on the way: arrays know what to do
    y = (X[:, 2] > np.median(X[:, 2])).astype(float)
    ones = np.ones(density.n)
    apart = FamilyDensity(m.family, y, ones, ones)
    fit = irls(apart, 1e3 * X, None, m.zeta, m.family.start_eta(y, ones))
    assert np.isfinite(fit.beta).all() and fit.total > -1e-3
    count = len(known)
    irls(density, X[:, :0], offset, m.zeta, eta)
    monkeypatch.setattr(module, "FEW_PRODUCTS", X.size * X.shape[1] - 1)
    irls(density, X, offset, m.zeta, eta)
    assert len(known) == count == 2
