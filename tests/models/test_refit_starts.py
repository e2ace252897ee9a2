"""Where the refits of generalised models start."""

import numpy as np
import pytest

import interlace as il
from interlace.linalg.information import inverse_where_determined, least_eigenvalue
from interlace.models import glmm
from interlace.models.density import first_density
from interlace.models.observations import observe

CALLS = {
    "one factor": ("incidence / size ~ period + (1 | herd)", "cbpp", "binomial"),
    "slopes": ("y ~ Age + Visit + (Visit | subject)", "epil2", "poisson"),
    "a parameter": ("y ~ Base * trt + (1 | subject)", "epil2", "negativebinomial"),
    "gamma": ("Reaction ~ Days + (1 | Subject)", "sleepstudy", il.Gamma(link="log")),
}


@pytest.fixture(params=CALLS)
def model(request):
    formula, data, family = CALLS[request.param]
    return il.glmer(formula, il.load_dataset(data), family)


def objective_of(fit, y):
    design = fit.design.with_response(y)
    observations = observe(design, fit.family, varying=True)
    return fit._shared.with_response(*first_density(design, fit.family, observations))


def test_the_same_response_starts_at_the_estimates(model):
    theta, beta, zeta = glmm._nearest(model.fit, model.fit.objective)
    np.testing.assert_allclose(theta, model.fit.theta, rtol=1e-12)
    np.testing.assert_allclose(beta, model.fit.beta, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(zeta, model.fit.zeta)


def test_no_start_is_higher_than_the_old_estimates(model):
    fit, draws, lower = model.fit, model.simulate(10, seed=1), 0
    for name in draws:
        objective = objective_of(fit, draws[name].to_numpy())
        at = [
            objective.fresh().evaluate(glmm._start(objective.fresh(), *start), 0).value
            for start in (glmm._nearest(fit, objective.fresh()), glmm._warm(fit))
        ]
        assert at[0] <= at[1] + 1e-9 * abs(at[1])
        lower += at[0] < at[1] - 0.1
    assert lower >= 3


def test_coefficients_far_from_those_without_random_effects_are_no_guide():
    ticks = il.load_dataset("grouseticks")
    m = il.glmer("TICKS ~ YEAR + scale(HEIGHT) + (1 | BROOD) + (1 | INDEX)", ticks, "poisson")
    y = m.simulate(1, seed=1).iloc[:, 0].to_numpy()
    assert glmm._nearest(m.fit, objective_of(m.fit, y))[1] is m.fit.solution.beta


def test_no_fixed_effects():
    data = il.load_dataset("epil2")
    m = il.glmer("y ~ 0 + (1 | subject)", data, "poisson")
    y = m.simulate(1, seed=1).iloc[:, 0].to_numpy()
    cold = il.glmer("y ~ 0 + (1 | subject)", data.assign(y=y), "poisson")
    np.testing.assert_allclose(m.refit(y).llf, cold.llf, rtol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_the_bound_is_below_all_eigenvalues(n):
    rng = np.random.default_rng(n)
    for size in (1e-6, 1e-2, 1.0):
        root = rng.normal(size=(n, n)) * size + rng.normal(size=(n, 1))
        A = root @ root.T
        scale = 1.0 / np.sqrt(np.diagonal(A))
        A = A * scale[:, None] * scale
        bound = least_eigenvalue(np.linalg.cholesky(A + 1e-12 * np.eye(n)).T)
        assert 0.0 <= bound <= np.linalg.eigvalsh(A)[0] + 2e-12


def test_inverses_of_well_and_ill_conditioned_matrices():
    rng = np.random.default_rng(3)
    A = rng.normal(size=(3, 4))
    for share in (1.0, 1e-4, 1e-7):
        H = np.diag(rng.uniform(1.0, 1e6, 4)) + 0.0
        H[1] = H[:, 1] = 0.0
        H[1, 1] = 3.0
        H[0, 1] = H[1, 0] = np.sqrt(H[0, 0] * 3.0 * (1.0 - share)) if share < 1.0 else 0.0
        out = inverse_where_determined(H, A)
        np.testing.assert_allclose(out, A @ np.linalg.inv(H) @ A.T, rtol=1e-6)
        np.testing.assert_allclose(out, out.T, rtol=1e-12)
