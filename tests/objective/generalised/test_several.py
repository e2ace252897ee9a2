"""Laplace's approximation with several linear predictors against dense algebra and differences."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from interlace.covariance import CovarianceModel
from interlace.design.design import GroupingFactor, RandomTerm
from interlace.design.predictor import LinearPredictor, constant_predictor
from interlace.design.terms import FixedTerms
from interlace.errors import NumericalError
from interlace.families import (
    Beta,
    Gamma,
    Gaussian,
    Hurdle,
    NegativeBinomial,
    NegativeBinomial1,
    Poisson,
    TruncatedNegativeBinomial,
    ZeroInflated,
)
from interlace.families.gaussian import GaussianSigma
from interlace.objective.generalised.laplace import LaplaceObjective
from interlace.objective.generalised.level_modes import SeveralLevelModes
from interlace.objective.generalised.modes import PenalisedIRLS
from interlace.objective.generalised.several import SeveralDensity, SeveralProblem

FAMILIES = {
    "gaussian": Gaussian(),
    "sigma": GaussianSigma(),
    "gamma": Gamma(link="log"),
    "nb1": NegativeBinomial1(),
    "nb2": NegativeBinomial(),
    "zip": ZeroInflated(Poisson()),
    "zinb2": ZeroInflated(NegativeBinomial()),
    "zinb1": ZeroInflated(NegativeBinomial1()),
}


def small(family, widths=(1,), seed=1, n=90, formulas=True):
    """A design with effects of each factor in the predictors in turn, and responses."""
    rng = np.random.default_rng(seed)
    K = 1 + len(family.parameters)
    factors, terms = [], []
    x = rng.normal(size=n)
    for b, k in enumerate(widths):
        levels = 12 - 4 * b
        codes = rng.permutation(np.arange(n) % levels).astype(np.int32)
        Z = np.c_[np.ones(n), x, np.ones(n)][:, :k]
        of = np.array([0, 0, K - 1][:k] if k != 2 else [0, K - 1], dtype=np.int8)
        labels = np.array([str(v) for v in range(levels)], dtype=object)
        factors.append(GroupingFactor(f"g{b}", labels, codes, Z, of))
        for predictor in np.unique(of):
            at = np.flatnonzero(of == predictor)
            columns = slice(int(at[0]), int(at[-1]) + 1)
            names = tuple(f"v{j}" for j in at)
            terms.append(RandomTerm(b, columns, names, "us", f"({predictor} | g{b})"))
    X = np.c_[np.ones(n), x]
    offset = 0.1 * rng.normal(size=n)
    some = LinearPredictor(X, ("Intercept", "x"), FixedTerms((), {}), offset)
    one = constant_predictor(n)
    predictors = {name: some if formulas or not i else one for i, name in enumerate(range(K))}
    eta = np.stack([0.5 + 0.4 * x, *[0.3 - 0.3 * x] * (K - 1)])
    for factor in factors:
        b = 0.5 * rng.normal(size=(len(factor.levels), factor.Z.shape[1]))
        for j, k in enumerate(factor.predictor):
            eta[k] += factor.Z[:, j] * b[factor.codes, j]
    ones = np.ones(n)
    y = family.sample(rng, family.mean(eta[0], eta[1:]), ones, ones, eta[1:])
    if isinstance(family, Beta):
        y = np.clip(y, 1e-6, 1.0 - 1e-6)
    d = SimpleNamespace(
        y=y, X=X, x_names=("Intercept", "x"), factors=tuple(factors), terms=tuple(terms),
        predictors=predictors, offset=None, weights=None,
        X_in=lambda order, gather: gather(X, order),
    )  # fmt: skip
    density = SeveralDensity(family, y, rng.uniform(0.5, 2.0, n), ones)
    return d, density


def objective(d, density, backend=None):
    start = density.family.start_eta(density.y, density.weights)
    others = np.broadcast_to(density.centre()[1:], (density.K - 1, density.n))
    problem = SeveralProblem.of(d, density, np.concatenate([start[None], others]))
    return LaplaceObjective(problem, CovarianceModel.of(d), False, backend)


def inside(o, seed=0):
    rng = np.random.default_rng(seed)
    x = o.start()
    x[o.at.theta] = np.where(o.lower_bounds()[o.at.theta] == 0.0, 0.6, 0.2)
    return x + 0.05 * rng.normal(size=x.size)


def dense(o, x):
    """The criterion from dense matrices alone, its modes by another optimiser."""
    problem, density = o.problem, o.problem.density
    theta, gamma, _ = o.split(x)
    T = o.scale.templates(theta)
    n, K = density.n, density.K
    A = np.zeros((K, n, problem.Z.q))
    for j, e in enumerate(np.eye(problem.Z.q)):
        A[:, :, j] = problem.Z.times(T, e)
    base = problem.offset + problem.fixed.times(gamma)
    rows = (density.y, density.weights, density.trials)

    def penalised(u):
        d = density.family.derivatives(base + A @ u, *rows, 2)
        return -d.value.sum() + 0.5 * u @ u, -np.einsum("kn,knq->q", d.score, A) + u

    u = minimize(penalised, np.zeros(problem.Z.q), jac=True, options={"gtol": 1e-9}).x
    H = np.empty((u.size, u.size))
    for j, e in enumerate(np.eye(u.size)):
        H[j] = (penalised(u + 1e-5 * e)[1] - penalised(u - 1e-5 * e)[1]) / 2e-5
    return 2.0 * penalised(u)[0] + np.linalg.slogdet(H)[1]


SHAPES = {"one": (1,), "both predictors": (2,), "slopes and both": (3,), "crossed": (2, 1)}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", FAMILIES)
def test_criterion_is_that_of_dense_matrices(name, shape):
    o = objective(*small(FAMILIES[name], SHAPES[shape]))
    x = inside(o)
    assert o.evaluate(x, 0).value == pytest.approx(dense(o, x), rel=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", FAMILIES)
def test_gradient_and_hessian_are_those_of_differences(name, shape):
    o = objective(*small(FAMILIES[name], SHAPES[shape]))
    x = inside(o, 1)
    h, units = 2e-4, np.eye(x.size)
    gradient = o.evaluate(x, 1).gradient

    def value(x):
        return o.evaluate(x, 0).value

    differences = [
        (8.0 * (value(x + h * e) - value(x - h * e)) - value(x + 2 * h * e) + value(x - 2 * h * e))
        / (12.0 * h)
        for e in units
    ]
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-6)
    slopes = [
        (o.evaluate(x + h * e, 1).gradient - o.evaluate(x - h * e, 1).gradient) / (2 * h)
        for e in units
    ]
    H = o.hessian(x)
    np.testing.assert_allclose(H, slopes, rtol=1e-4, atol=1e-4 * np.abs(H).max())


@pytest.mark.parametrize("backend", ["nested", "schur", "superlu", "cholmod"])
def test_back_ends_agree(backend):
    if backend == "cholmod":
        pytest.importorskip("sksparse")
    widths = (2,) if backend == "nested" else (2, 1)
    case = small(FAMILIES["zinb2"], widths)
    default, other = objective(*case), objective(*case, backend)
    assert other.modes.backend == backend
    x = inside(default)
    one, two = default.evaluate(x, 1), other.evaluate(x, 1)
    assert one.value == pytest.approx(two.value, rel=1e-12)
    np.testing.assert_allclose(one.gradient, two.gradient, rtol=1e-8, atol=1e-8)


COMPILED = FAMILIES | {
    "beta": Beta(),
    "truncated": TruncatedNegativeBinomial(),
    "hurdle": Hurdle(NegativeBinomial()),
    "poisson": Poisson(),
}


@pytest.mark.parametrize("widths", [(1,), (2,), (3,)])
@pytest.mark.parametrize("name", COMPILED)
def test_levels_are_the_twin_of_the_general_search(name, widths):
    """Wherever the search starts, also where the information of rows is not definite."""
    case = small(COMPILED[name], widths, formulas=name != "poisson")
    fused, general = objective(*case), objective(*case, "nested")
    assert type(fused.modes) is SeveralLevelModes
    assert type(general.modes) is PenalisedIRLS
    x, rng = inside(fused), np.random.default_rng(4)
    T, eta0, zeta, u = fused.held_at(x)
    for size in (0.0, 1.0, 8.0):
        start = size * rng.normal(size=u.size)
        for order in (0, 1):
            one = fused.modes.find(T, eta0, zeta, start, order)
            two = general.modes.find(T, eta0, zeta, start, order)
            assert one.value == pytest.approx(two.value, rel=1e-12)
            np.testing.assert_allclose(one.u, two.u, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(one.t, two.t, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(one.dT[0], two.dT[0], rtol=1e-7, atol=1e-7)
        for mine, theirs in zip(
            (fused.modes.information(0), fused.modes.inverse_blocks(0), one.solve(start)),
            (general.modes.information(0), general.modes.inverse_blocks(0), two.solve(start)),
        ):
            np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["zinb2", "hurdle", "beta"])
def test_given_modes_are_taken_as_they_are(name):
    fused, general = (objective(*small(COMPILED[name], (3,)), b) for b in (None, "nested"))
    x, rng = inside(fused), np.random.default_rng(4)
    T, eta0, zeta, _ = fused.held_at(x)
    u = fused.point(x).u + 0.05 * rng.normal(size=(3, fused.problem.Z.q))
    given = [T] * 3, np.stack([eta0] * 3), np.empty((3, 0)), u
    one, two = fused.modes.displaced(*given), general.modes.displaced(*given)
    np.testing.assert_allclose(one[0], two[0], rtol=1e-10, atol=1e-10)
    for mine, theirs in zip(one[1], two[1]):
        np.testing.assert_allclose(mine[0], theirs[0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["zinb2", "beta"])
def test_what_is_no_maximum_is_no_mode(name):
    for backend in (None, "nested"):
        o = objective(*small(COMPILED[name], (3,)), backend)
        T, eta0, _, u = o.held_at(inside(o))
        far = -np.abs(np.random.default_rng(1).normal(size=(1, u.size)))
        with pytest.raises(NumericalError, match="conditional modes|positive definite"):
            o.modes.displaced([[5.0 * T[0]]], eta0[None], np.empty((1, 0)), far)


def integral(o, x):
    """-2 log-likelihood by quadrature of two effects a level, on a grid of 41 x 41 nodes."""
    problem, density = o.problem, o.problem.density
    theta, gamma, _ = o.split(x)
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    grid = np.stack(np.meshgrid(nodes, nodes), -1).reshape(-1, 2)
    log_w = np.add.outer(*[np.log(weights / weights.sum())] * 2).ravel()
    base = problem.offset + problem.fixed.times(gamma)
    T = o.scale.templates(theta)
    levels = problem.Z.n_levels[0]
    sums = np.empty((len(grid), levels))
    for i, node in enumerate(grid):
        eta = base + problem.Z.times(T, np.tile(node, levels))
        sums[i] = np.bincount(problem.factors[0].codes, density.values(eta, None)[0], levels)
    return -2.0 * logsumexp(sums + log_w[:, None], axis=0).sum()


def test_laplace_is_near_the_integral():
    """One scalar effect in each predictor of ZIP: the error falls faster than their variance."""
    d, density = small(FAMILIES["zip"], (2,), n=240)
    o = objective(d, density)
    errors = []
    for share in (0.4, 0.2, 0.1):
        x = inside(o, 2)
        x[o.at.theta] *= share
        errors.append(abs(o.evaluate(x, 0).value - integral(o, x)))
    assert errors[0] < 1e-3 * o.problem.Z.n_levels[0]
    assert errors[2] < errors[1] / 4.0


def test_gaussian_with_a_dispersion_model_is_exact():
    """Without random effects in the dispersion the integral is Gaussian."""
    d, density = small(FAMILIES["gaussian"], (1,))
    o = objective(d, density)
    x = inside(o, 3)
    problem, density = o.problem, o.problem.density
    theta, gamma, _ = o.split(x)
    mean, log_precision = problem.offset + problem.fixed.times(gamma)
    ZT = np.stack([problem.Z.times(o.scale.templates(theta), e)[0] for e in np.eye(problem.Z.q)], 1)
    V = np.diag(np.exp(-log_precision) / density.weights) + ZT @ ZT.T
    e = density.y - mean
    exact = e @ np.linalg.solve(V, e) + np.linalg.slogdet(2.0 * np.pi * V)[1]
    assert o.evaluate(x, 0).value == pytest.approx(exact, rel=1e-11)


def test_a_number_for_all_rows_is_a_column_of_ones():
    """NB2 with theta as zeta of one predictor, and as a predictor of its own."""
    from interlace.objective.generalised.density import FamilyDensity
    from interlace.objective.generalised.problem import Problem

    d, density = small(FAMILIES["nb2"], (1,), formulas=False)
    several = objective(d, density)
    single = FamilyDensity(density.family, density.y, density.weights, density.trials)
    problem = Problem.of(
        SimpleNamespace(**{**vars(d), "offset": d.predictors[0].offset}),
        single,
        density.family.start_eta(density.y, density.weights),
    )
    one = LaplaceObjective(problem, CovarianceModel.of(d), False)
    x = one.start()
    x[-1] = 0.4
    gamma = several.problem.gamma(np.concatenate([problem.beta(x[1:3]), x[-1:]]))
    theta = several.scale.x(one.scale.theta(x[:1]))
    there = several.evaluate(np.concatenate([theta, gamma]), 0).value
    assert there == pytest.approx(one.evaluate(x, 0).value, rel=1e-10)


def test_no_remedy_is_one_that_is_refused():
    from interlace.objective.generalised.breakdown import _words

    o = objective(*small(FAMILIES["zinb2"], (1,)))
    assert "laplace=" not in o.advice
    words = _words("there", 0.01, False, o.problem, 1)
    assert "nAGQ" not in words
    assert "laplace=" not in words
