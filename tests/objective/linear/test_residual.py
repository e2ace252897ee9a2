"""The criterion of linear models with a residual covariance against dense algebra."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.covariance import CovarianceModel
from interlace.design.build import build
from interlace.formula.residual import ResidualSpec
from interlace.models.lmm_residual import objective_of
from interlace.objective.linear.explicit import ExplicitDeviance
from interlace.objective.linear.no_effects import NoEffects
from interlace.objective.linear.residual import FORWARD_STEP

RNG = np.random.default_rng(3)
SUBJECTS, TIMES = 12, 6
N = SUBJECTS * TIMES
DATA = pd.DataFrame(
    {
        "s": np.repeat(np.arange(SUBJECTS), TIMES),
        "t": np.tile(np.arange(TIMES), SUBJECTS),
        "x": RNG.normal(size=N),
        "f": np.array(list("ab"))[RNG.integers(2, size=N)],
        "w": RNG.uniform(0.5, 2.0, N),
    }
)
DATA["site"] = DATA.s // 3
DATA["v"] = DATA.x.abs() + 1.0
DATA["y"] = (
    10.0
    + DATA.x
    + RNG.normal(size=N)
    + 0.7 * RNG.normal(size=SUBJECTS)[DATA.s]
    + 0.8 * RNG.normal(size=4)[DATA.site]
)
DATA = DATA.sample(frac=0.8, random_state=1)  # not in order, with gaps

FORMULAS = ["y ~ x + (1 + t | s)", "y ~ x + (1 | s) + (1 | site)"]
CORRELATIONS = ["ar1(t | s)", "car1(t | s)", "cs(1 | s)", "us(t | s)", "exp(t + x | s)"]
CASES = [(formula, correlation) for formula in FORMULAS for correlation in CORRELATIONS]
CASES += [("y ~ x", "ar1(t | s)"), ("y ~ x", "us(t | s)")]


def fitted(formula: str, correlation: str, method: str, weights: str | None) -> Any:
    """As much of a fit as a design has, with its objective at the start."""
    spec = ResidualSpec.of(correlation, "ident(1 | f) * power(v)")
    design = build(formula, DATA, weights=weights, residual=spec)
    covariance = CovarianceModel.of(design) if design.factors else NoEffects()
    reml = method == "REML"
    objective = objective_of(design, design.residual.model(), covariance, reml, None)
    return SimpleNamespace(
        design=design, objective=objective, is_reml=reml, n=len(design.y), x=objective.start()
    )


@pytest.mark.parametrize(("method", "weights"), [("REML", "w"), ("ML", None)])
@pytest.mark.parametrize(("formula", "correlation"), CASES)
def test_the_criterion_and_its_derivatives(
    formula: str, correlation: str, method: str, weights: str | None
) -> None:
    fit = fitted(formula, correlation, method, weights)
    objective = fit.objective
    x = objective.start() + 0.2 * np.random.default_rng(1).normal(size=fit.x.size)
    here = objective.evaluate(x, 2)
    value, beta, cov = dense(fit, x)
    assert here.value == pytest.approx(value, rel=1e-10)
    solution = objective.solution(x)
    np.testing.assert_allclose(solution.beta, beta, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(solution.cov_beta, cov, rtol=1e-8, atol=1e-12)
    h, units = 1e-5, np.eye(x.size)
    slopes = [
        (objective.evaluate(x + h * u, 0).value - objective.evaluate(x - h * u, 0).value) / (2 * h)
        for u in units
    ]
    np.testing.assert_allclose(here.gradient, slopes, rtol=1e-6, atol=1e-6)
    curved = [
        (objective.evaluate(x + h * u, 1).gradient - objective.evaluate(x - h * u, 1).gradient)
        / (2.0 * h)
        for u in units
    ]
    size = np.abs(curved).max()
    np.testing.assert_allclose(objective.hessian(x), curved, atol=1e-6 * size)
    # forward differences are off by h / 2 times third derivatives, of up to 20 times the size here
    np.testing.assert_allclose(here.curvature, curved, atol=10.0 * FORWARD_STEP * size)


def dense(fit: Any, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The criterion, beta and its covariance by n by n matrices."""
    design, objective, own = fit.design, fit.objective, fit.design.residual
    n, X = fit.n, design.X
    V = np.zeros((n, n))
    T = objective.scale.natural(objective.scale.templates(x[: objective.q])) if objective.q else ()
    for factor, t in zip(design.factors, T, strict=True):
        same = factor.codes[:, None] == factor.codes
        V += same * (factor.Z @ t @ t.T @ factor.Z.T)
    W = objective.residual.at(x[objective.q :]).whiten(np.eye(n))
    order = np.arange(n) if own.order is None else own.order
    R = np.empty((n, n))
    R[np.ix_(order, order)] = np.linalg.inv(W.T @ W)
    w = np.ones(n) if design.weights is None else design.weights
    V += R / np.sqrt(w[:, None] * w)
    inverse = np.linalg.inv(V)
    information = X.T @ inverse @ X
    beta = np.linalg.solve(information, X.T @ inverse @ design.y)
    e = design.y - X @ beta
    df = n - X.shape[1] if fit.is_reml else n
    r2 = e @ inverse @ e
    value = np.linalg.slogdet(V)[1] + df * (1.0 + np.log(2.0 * np.pi * r2 / df))
    if fit.is_reml:
        value += np.linalg.slogdet(information)[1]
    return value, beta, np.linalg.inv(information) * r2 / df


@pytest.mark.parametrize("formula", ["y ~ x + (1 | s) + (1 | site)", "y ~ x"])
def test_slopes_of_the_variance_of_coefficients(formula: str) -> None:
    objective = fitted(formula, "ar1(t | s)", "REML", "w").objective
    x = objective.start() + 0.1
    slope, Y = objective.variance_derivatives(x)
    back = objective.cross.standardisation.back

    def parts(x: np.ndarray) -> tuple[float, np.ndarray]:
        own = objective.solution(x)
        return own.sigma**2 * objective.df, np.linalg.inv(own.cov_beta / own.sigma**2)

    h = 1e-5
    for j, unit in enumerate(np.eye(x.size)):
        (up, above), (down, below) = parts(x + h * unit), parts(x - h * unit)
        assert slope[j] == pytest.approx((up - down) / (2.0 * h), rel=1e-5, abs=1e-6)
        change = -back.T @ ((above - below) / (2.0 * h)) @ back
        np.testing.assert_allclose(Y[j], change, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("formula", ["y ~ x + (1 + t | s)", "y ~ x"])
def test_the_likelihood_with_nothing_profiled_out(formula: str) -> None:
    fit = fitted(formula, "car1(t | s)", "ML", None)
    profiled, unit = fit.objective.evaluate(fit.x, 0).value, fit.objective.solution(fit.x).sigma
    explicit = ExplicitDeviance(fit.objective, fit.x, unit)
    y = explicit.start
    assert explicit.evaluate(y, 0).value == pytest.approx(profiled, rel=1e-12)
    y = y + 0.1 * np.random.default_rng(2).normal(size=y.size)
    gradient, h = explicit.evaluate(y).gradient, 1e-5
    slopes = [
        (explicit.evaluate(y + h * u, 0).value - explicit.evaluate(y - h * u, 0).value) / (2.0 * h)
        for u in np.eye(y.size)
    ]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-5)


def test_another_response_is_another_fit() -> None:
    fit = fitted("y ~ x + (1 | s)", "ar1(t | s)", "REML", "w")
    y = fit.design.y[::-1].copy()
    x = fit.objective.start() + 0.1
    design = fit.design.with_response(y)
    model, covariance = design.residual.model(), CovarianceModel.of(design)
    again = objective_of(design, model, covariance, True, None)
    expect = again.evaluate(x, 1)
    here = fit.objective.with_response(y).evaluate(x, 1)
    assert here.value == pytest.approx(expect.value, rel=1e-12)
    np.testing.assert_allclose(here.gradient, expect.gradient, rtol=1e-8, atol=1e-9)
