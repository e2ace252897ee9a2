"""The likelihood of ordered categories: derivatives, and both ways to the modes."""

from __future__ import annotations

import numpy as np
import pytest

from interlace.covariance import CovarianceModel
from interlace.design.build import build
from interlace.families import Ordinal
from interlace.families.intervals import INTERVALS
from interlace.families.thresholds import STRUCTURES
from interlace.models.density import problem_of
from interlace.models.observations import observe
from interlace.objective.generalised.laplace import LaplaceObjective
from interlace.objective.generalised.ordinal import OrdinalDensity
from interlace.objective.generalised.ordinal_regression import OrdinalRegression
from interlace.objective.generalised.quadrature import QuadratureObjective

RNG = np.random.default_rng(3)
N, J = 90, 4
LINKS = tuple(INTERVALS)
DATA = {
    "x": RNG.normal(size=N),
    "z": RNG.normal(size=N),
    "g": np.repeat(np.arange(9), 10),
    "h": np.tile(np.arange(6), 15),
}
LATENT = DATA["x"] + np.repeat(RNG.normal(size=9), 10) + RNG.logistic(size=N)
DATA["y"] = np.digitize(LATENT, [-1.0, 0.5, 2.0])
W = RNG.uniform(0.5, 2.0, N)
EXTRA = [{}, {"nominal": "~ z"}, {"scale": "~ x"}, {"nominal": "~ z", "scale": "~ x"}]
# Central differences of functions of size 1 at steps of 1e-5: 1e-10 by truncation, 1e-11 / 1e-5 by
# rounding of sums of a hundred rows.
H, CLOSE = 1e-5, 2e-6


def problem(formula: str, link: str = "logit", threshold: str = "flexible", **extra: str):
    design = build(formula, DATA, linear=False, ordered=True, weights=W, others=extra)
    family = Ordinal(design.response_levels, link, threshold)
    return design, problem_of(design, family, observe(design, family))


@pytest.mark.parametrize("extra", EXTRA)
@pytest.mark.parametrize("threshold", STRUCTURES)
@pytest.mark.parametrize("link", LINKS)
def test_second_derivatives_without_random_effects(link: str, threshold: str, extra: dict) -> None:
    _, own = problem("y ~ x", link, threshold, **extra)
    objective = OrdinalRegression(own)
    x = objective.start() + 0.02 * RNG.normal(size=objective.start().size)
    here = objective.evaluate(x, 2)
    for k, unit in enumerate(H * np.eye(x.size)):
        up, down = objective.evaluate(x + unit, 1), objective.evaluate(x - unit, 1)
        slope = (up.value - down.value) / (2.0 * H)
        np.testing.assert_allclose(here.gradient[k], slope, rtol=CLOSE, atol=10.0 * CLOSE)
        row = (up.gradient - down.gradient) / (2.0 * H)
        np.testing.assert_allclose(here.curvature[k], row, rtol=CLOSE, atol=30.0 * CLOSE)


@pytest.mark.parametrize("extra", EXTRA)
@pytest.mark.parametrize("link", LINKS)
def test_derivatives_of_the_rows(link: str, extra: dict) -> None:
    density: OrdinalDensity = problem("y ~ x", link, **extra)[1].density
    eta, zeta = RNG.normal(size=N), density.start(np.zeros(N), np.zeros(0))
    zeta = zeta + 0.02 * RNG.normal(size=zeta.size)
    rows, h = density.rows(eta, zeta, False), RNG.normal(size=N)
    up, down = density.rows(eta + H, zeta, False), density.rows(eta - H, zeta, False)
    for name, of, sign in (("observed", "score", -1.0), ("slope", "observed", 1.0)):
        difference = sign * (getattr(up, of) - getattr(down, of)) / (2.0 * H)
        np.testing.assert_allclose(getattr(rows, name), difference, rtol=CLOSE, atol=CLOSE)
    values = density.values(eta, zeta)
    np.testing.assert_allclose(values[0].sum(), rows.total, rtol=1e-12)
    np.testing.assert_allclose(values[1], rows.score, rtol=1e-12)
    weights = density.collapse(h * rows.extra[:, 2], zeta)
    changes = density.score_changes(rows, zeta)
    for k, unit in enumerate(H * np.eye(zeta.size)):
        up, down = (density.rows(eta, zeta + s * unit, False) for s in (1.0, -1.0))
        np.testing.assert_allclose(
            changes[k], (up.score - down.score) / (2.0 * H), rtol=CLOSE, atol=CLOSE
        )
        np.testing.assert_allclose(
            weights[k], h @ (up.weight - down.weight) / (2.0 * H), rtol=CLOSE, atol=10 * CLOSE
        )


def check_gradient(objective: LaplaceObjective) -> None:
    x = objective.start()
    x = x + 0.05 * RNG.normal(size=x.size)
    x[objective.at.theta] = np.abs(x[objective.at.theta]) + 0.3
    gradient = objective.evaluate(x, 1).gradient
    for k, unit in enumerate(1e-4 * np.eye(x.size)):
        values = [objective.evaluate(x + s * unit, 0).value for s in (-2, -1, 1, 2)]
        slope = (values[0] - 8.0 * values[1] + 8.0 * values[2] - values[3]) / 12e-4
        np.testing.assert_allclose(gradient[k], slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("extra", EXTRA)
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("random", ["(1 | g)", "(x | g)", "(1 | g) + (1 | h)"])
def test_the_gradient_of_laplaces_approximation(random: str, link: str, extra: dict) -> None:
    design, own = problem(f"y ~ x + {random}", link, **extra)
    objective = LaplaceObjective(own, CovarianceModel.of(design), False)
    fused = len(design.factors) == 1 and "scale" not in extra
    assert (objective.modes.backend == "levels") == fused
    check_gradient(objective)


@pytest.mark.parametrize("extra", EXTRA)
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("random", ["(1 | g)", "(x | g)"])
def test_the_gradient_of_quadrature(random: str, link: str, extra: dict) -> None:
    design, own = problem(f"y ~ x + {random}", link, **extra)
    check_gradient(QuadratureObjective(own, CovarianceModel.of(design), False, 5))


@pytest.mark.parametrize("nodes", [1, 4])
@pytest.mark.parametrize("link", LINKS)
def test_levels_by_themselves_and_all_together_agree(link: str, nodes: int) -> None:
    design, own = problem("y ~ x + (1 | g)", link, nominal="~ z")
    covariance = CovarianceModel.of(design)
    fused = QuadratureObjective(own, covariance, False, nodes)
    other = QuadratureObjective(own.fresh(), covariance, False, nodes, "superlu")
    x = fused.start() + 0.05
    one, two = fused.evaluate(x, 1), other.evaluate(x, 1)
    np.testing.assert_allclose(one.value, two.value, rtol=1e-12)
    np.testing.assert_allclose(one.gradient, two.gradient, rtol=1e-7, atol=1e-8)
    if nodes == 1:
        np.testing.assert_allclose(fused.hessian(x), other.hessian(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("extra", EXTRA)
def test_quadrature_is_the_integral(extra: dict) -> None:
    """Against the integral of each level over a fine grid of equal steps."""
    design, own = problem("y ~ x + (1 | g)", **extra)
    objective = QuadratureObjective(own, CovarianceModel.of(design), False, 40)
    x = objective.start()
    value = objective.evaluate(x, 0).value
    T, eta0, zeta, _ = objective.held_at(x)
    u = np.linspace(-9.0, 9.0, 4001)
    z = own.Z.times([np.eye(1)], np.ones(own.Z.q))
    logs = np.array([own.density.values(eta0 + z * T[0][0, 0] * v, zeta)[0] for v in u])
    codes = own.factors[0].codes
    by_level = np.array([logs[:, codes == k].sum(axis=1) for k in range(9)])
    density = np.exp(by_level - 0.5 * u * u) / np.sqrt(2.0 * np.pi)
    log_likelihood = np.log(density.sum(axis=1) * (u[1] - u[0])).sum()
    log_likelihood += own.density.constant(zeta)[0]
    np.testing.assert_allclose(value, -2.0 * log_likelihood, rtol=1e-10)
