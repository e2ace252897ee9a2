"""Satterthwaite's degrees of freedom from exact derivatives (lmerTest's definitions).

With phi = (theta, sigma) and f the REML or ML deviance with sigma explicit, A = 2 H_f^{-1} is
the asymptotic covariance of phi, and for a contrast l the degrees of freedom are
2 (l'V l)^2 / (g'A g), g_k = l' dV/dphi_k l, V = sigma^2 (X'V^{-1}X)^{-1}
(Kuznetsova et al. 2017; Fai and Cornelius 1996 for several rows).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..linalg.information import floored_inverse
from ..models.lmm import LMMFit

# lmerTest drops eigenvalues of H_f below this: directions on a boundary carry no information.
EIGENVALUE_FLOOR = 1e-8
# Eigenvalues of L V L' below this share of the largest count as zero (lmerTest).
ZERO_SHARE = 1.5e-8
# Equal eigen-degrees of freedom within this are averaged, not combined (lmerTest).
EQUAL_DF = 1e-8


@dataclass(frozen=True)
class VarianceDerivatives:
    """Covariance of (theta, sigma) and the derivatives of cov(beta).

    Attributes
    ----------
    A : ndarray, shape (n_theta + 1, n_theta + 1)
        Asymptotic covariance of (x, sigma), x being theta on the optimiser's scale.
    jacobian : ndarray, shape (n_theta + 1, p, p)
        d cov(beta) / d (x, sigma).
    hessian : ndarray, shape (n_theta + 1, n_theta + 1)
        Of the deviance with sigma explicit.
    """

    A: np.ndarray
    jacobian: np.ndarray
    hessian: np.ndarray


def variance_derivatives(fit: LMMFit) -> VarianceDerivatives:
    """Exact derivatives of cov(beta), and the covariance of the variance parameters; kept."""
    if "variance derivatives" not in fit.memo:
        fit.memo["variance derivatives"] = _variance_derivatives(fit)
    return fit.memo["variance derivatives"]


def _variance_derivatives(fit: LMMFit) -> VarianceDerivatives:
    if not fit.sigma > 0.0:  # an exact fit has no distribution
        q = fit.theta.size + 1
        nothing = np.full((q, q), np.nan)
        return VarianceDerivatives(nothing, np.full((q, fit.p, fit.p), np.nan), nothing)
    objective = fit.objective
    H = objective.hessian(fit.x)
    slope, Y = objective.variance_derivatives(fit.x)
    sigma, df = fit.re_scale, objective.df
    q = slope.size
    # f = log|M| [+ log|X'V^{-1}X|] + df log(2 pi sigma^2) + r^2(x) / sigma^2, and profiling
    # sigma out subtracts f_xs f_ss^{-1} f_sx from its Hessian.
    full = np.empty((q + 1, q + 1))
    f_ss = 4.0 * df / sigma**2
    f_xs = -2.0 * slope / sigma**3
    full[:q, :q] = H + np.outer(f_xs, f_xs) / f_ss
    full[:q, q] = full[q, :q] = f_xs
    full[q, q] = f_ss
    back = objective.cross.standardisation.back
    C_back = fit.cov_beta / sigma**2
    inverse_back = np.linalg.inv(back) if fit.p else back
    half = C_back @ inverse_back.T
    jacobian = np.empty((q + 1, fit.p, fit.p))
    jacobian[:q] = sigma**2 * (half @ Y @ half.T)
    jacobian[q] = 2.0 * sigma * C_back
    return VarianceDerivatives(2.0 * floored_inverse(full, EIGENVALUE_FLOOR), jacobian, full)


def satterthwaite(fit: LMMFit, L: np.ndarray | None = None) -> np.ndarray:
    """Degrees of freedom of each contrast in L (r, p), default of each coefficient, (r,)."""
    d = variance_derivatives(fit)
    L = np.eye(fit.p) if L is None else np.atleast_2d(np.asarray(L, dtype=float))
    variance = np.sum((L @ fit.cov_beta) * L, axis=1)
    gradient = np.sum((L @ d.jacobian) * L, axis=2).T
    spread = np.sum((gradient @ d.A) * gradient, axis=1)
    with np.errstate(divide="ignore"):
        return 2.0 * variance**2 / spread


def satterthwaite_f(fit: LMMFit, L: np.ndarray) -> tuple[float, int, float]:
    """F test of ``L beta = 0``: F, the rank of L V L', and denominator degrees of freedom."""
    L = np.atleast_2d(np.asarray(L, dtype=float))
    if not fit.sigma > 0.0:
        return np.nan, int(np.linalg.matrix_rank(L)), np.nan
    values, vectors = np.linalg.eigh(L @ fit.cov_beta @ L.T)
    keep = values > ZERO_SHARE * values[-1]
    rows = vectors[:, keep].T @ L
    t2 = (rows @ fit.beta) ** 2 / values[keep]
    q = int(keep.sum())
    nu = satterthwaite(fit, rows)
    return float(t2.sum() / q), q, _combine(nu)


def _combine(nu: np.ndarray) -> float:
    """Denominator degrees of freedom of an F with independent t^2 components."""
    q = nu.size
    if q == 1:
        return float(nu[0])
    if np.all(np.abs(np.diff(nu)) < EQUAL_DF):
        return float(nu.mean())
    if np.any(nu <= 2.0):
        return 2.0
    E = float(np.sum(nu / (nu - 2.0)))
    return 2.0 * E / (E - q)
