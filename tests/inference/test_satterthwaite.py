"""Satterthwaite's degrees of freedom against numerical derivatives of a dense implementation."""

from __future__ import annotations

import numpy as np
import pytest

from interlace.inference.satterthwaite import satterthwaite, satterthwaite_f, variance_derivatives

# Central differences of step h on the deviance d leave truncation h^4 after extrapolation and
# rounding eps |d| / h^2 = 2e-16 * 2e3 / 1e-6 = 4e-7 against curvatures of 1 to 100.
STEP = 1e-3
TOLERANCE = 1e-5

MODELS = {
    "slopes": ("sleepstudy", "Reaction ~ Days + (Days | Subject)", {}),
    "slopes, ML": ("sleepstudy", "Reaction ~ Days + (Days | Subject)", {"method": "ML"}),
    "uncorrelated": ("sleepstudy", "Reaction ~ Days + (Days || Subject)", {}),
    "nested": ("Machines", "score ~ Machine + (1 | Worker/Machine)", {}),
    "crossed": ("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", {}),
}


def relative_covariance(design, theta: np.ndarray) -> np.ndarray:
    """V / sigma^2 = W^{-1} + Z Lambda Lambda' Z', n x n, from the definition."""
    n = design.y.size
    V = np.eye(n) if design.weights is None else np.diag(1.0 / design.weights)
    start = 0
    for term in design.terms:
        factor = design.factors[term.factor]
        Z = np.asarray(factor.Z)[:, term.columns]
        k = Z.shape[1]
        T = np.zeros((k, k))
        cols, rows = np.triu_indices(k) if term.structure == "us" else (np.arange(k),) * 2
        T[rows, cols] = theta[start : start + rows.size]
        start += rows.size
        same = factor.codes[:, None] == factor.codes
        V += (Z @ T @ T.T @ Z.T) * same
    return V


def deviance(fit, phi: np.ndarray) -> float:
    """-2 log (restricted) likelihood at phi = (theta, sigma), beta profiled out."""
    d, sigma = fit.design, phi[-1]
    n, p = d.X.shape
    Vi = np.linalg.inv(relative_covariance(d, phi[:-1]))
    XVX = d.X.T @ Vi @ d.X
    beta = np.linalg.solve(XVX, d.X.T @ Vi @ d.y)
    e = d.y - d.X @ beta
    df = n - p if fit.is_reml else n
    value = -np.linalg.slogdet(Vi)[1] + df * np.log(2 * np.pi * sigma**2) + e @ Vi @ e / sigma**2
    return value + (np.linalg.slogdet(XVX)[1] if fit.is_reml else 0.0)


def covariance(fit, phi: np.ndarray) -> np.ndarray:
    d = fit.design
    return phi[-1] ** 2 * np.linalg.inv(
        d.X.T @ np.linalg.solve(relative_covariance(d, phi[:-1]), d.X)
    )


def extrapolated(difference):
    """Richardson: removes the h^2 term of a central difference."""
    return (4.0 * difference(STEP / 2.0) - difference(STEP)) / 3.0


def hessian(f, x: np.ndarray) -> np.ndarray:
    n, E = x.size, np.eye(x.size)

    def at(h):
        H = np.empty((n, n))
        for i in range(n):
            for j in range(n):
                u, v = h * E[i], h * E[j]
                H[i, j] = (f(x + u + v) - f(x + u - v) - f(x - u + v) + f(x - u - v)) / 4 / h**2
        return H

    return extrapolated(at)


def jacobian(f, x: np.ndarray) -> np.ndarray:
    E = np.eye(x.size)
    return extrapolated(lambda h: np.array([(f(x + h * e) - f(x - h * e)) / 2 / h for e in E]))


@pytest.mark.parametrize("model", MODELS)
def test_against_numerical_derivatives(fit_cache, model: str) -> None:
    name, formula, options = MODELS[model]
    fit = fit_cache(name, formula, **options).fit
    phi = np.r_[fit.theta, fit.sigma]
    A = 2.0 * np.linalg.inv(hessian(lambda x: deviance(fit, x), phi))
    J = jacobian(lambda x: covariance(fit, x), phi)
    p = fit.p
    L = np.concatenate([np.eye(p), np.ones((1, p)), np.arange(1.0, p + 1)[None]])
    v = np.einsum("ri,ij,rj->r", L, fit.cov_beta, L)
    g = np.einsum("ri,kij,rj->rk", L, J, L)
    expected = 2.0 * v**2 / np.einsum("rk,kl,rl->r", g, A, g)
    np.testing.assert_allclose(satterthwaite(fit, L), expected, rtol=TOLERANCE)


def test_known_degrees_of_freedom(fit_cache) -> None:
    # Balanced data: the exact t distribution has 18 - 1 degrees of freedom.
    slopes = fit_cache("sleepstudy", "Reaction ~ Days + (Days | Subject)")
    np.testing.assert_allclose(satterthwaite(slopes.fit), [17.0, 17.0], rtol=1e-6)
    nested = fit_cache("Machines", "score ~ Machine + (1 | Worker/Machine)")
    np.testing.assert_allclose(satterthwaite(nested.fit), [8.52170, 10.0, 10.0], rtol=1e-5)
    # lmerTest, whose derivatives are finite differences at a loose optimum: 1e-3.
    full = fit_cache("Machines", "score ~ Machine + (Machine | Worker)")
    expected = [5.00061, 4.99894, 4.99850]
    np.testing.assert_allclose(satterthwaite(full.fit), expected, rtol=1e-3)


def test_f_of_several_rows(fit_cache) -> None:
    fit = fit_cache("Machines", "score ~ Machine + (1 | Worker/Machine)").fit
    F, num_df, den_df = satterthwaite_f(fit, np.eye(3)[1:])
    assert num_df == 2
    # lmerTest at the tight optimum.
    np.testing.assert_allclose([F, den_df], [20.57608, 10.0], rtol=1e-6)
    # Redundant and rescaled rows state the same hypothesis.
    again = satterthwaite_f(fit, np.array([[0, 2.0, 0], [0, 0, -1.0], [0, 1.0, 1.0]]))
    np.testing.assert_allclose(again, (F, 2, den_df), rtol=1e-8)


def test_one_row_of_f_is_the_square_of_t(fit_cache) -> None:
    fit = fit_cache("sleepstudy", "Reaction ~ Days + (Days || Subject)").fit
    F, num_df, den_df = satterthwaite_f(fit, np.array([[0.0, 1.0]]))
    t = fit.beta[1] / np.sqrt(fit.cov_beta[1, 1])
    np.testing.assert_allclose([F, num_df, den_df], [t**2, 1, satterthwaite(fit)[1]], rtol=1e-10)


def test_scale_of_a_covariate_does_not_matter(dataset) -> None:
    import interlace

    sleep = dataset("sleepstudy")
    plain = interlace.fit("Reaction ~ Days + (Days | Subject)", sleep)
    sleep["Days"] = sleep["Days"] * 1e-4
    scaled = interlace.fit("Reaction ~ Days + (Days | Subject)", sleep)
    np.testing.assert_allclose(satterthwaite(scaled.fit), satterthwaite(plain.fit), rtol=1e-5)


def test_a_singular_fit_drops_the_boundary(fit_cache) -> None:
    # Dyestuff2: the batch variance is zero, which leaves ordinary least squares: n - 1 = 29.
    fit = fit_cache("Dyestuff2", "Yield ~ 1 + (1 | Batch)").fit
    assert fit.theta == 0.0
    d = variance_derivatives(fit)
    assert np.all(np.isfinite(d.A))
    np.testing.assert_allclose(satterthwaite(fit), [29.0], rtol=1e-8)
