"""Kenward and Roger's variance of the coefficients and their degrees of freedom (pbkrtest's).

With V = I + sum_e delta_e G_e on the scale of the residual variance, G_0 = I and delta_0 = 1,
Phi = (X'V^{-1}X)^{-1} and r, s over all of them (Kenward and Roger 1997; Halekoh and Hojsgaard
2014):

    P_r = -X'V^{-1}G_r V^{-1}X,                      Q_rs = X'V^{-1}G_r V^{-1}G_s V^{-1}X,
    I_rs = [tr(V^{-1}G_r V^{-1}G_s) - 2 tr(Phi Q_rs) + tr(Phi P_r Phi P_s)] / 2,   W = I^{-1},
    Phi_A = Phi + 2 Phi { sum W_rs (Q_rs - P_r Phi P_s) } Phi.

V being linear in the delta, sums over all r are known, sum_r delta_r P_r = -X'V^{-1}X and alike:
what has G_0 in it follows from the rest, which are sums over levels, and no matrix has n columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..covariance import CovarianceModel
from ..errors import ArgumentError
from ..linalg.information import floored_inverse
from ..models.lmm import LMMFit
from ..objective.linear.marginal import Marginal
from .residual_covariance import check_independent

__all__ = ["KenwardRoger", "kenward_roger", "kenward_roger_df", "kenward_roger_f"]

# Eigenvalues of I below this share of the largest are variances that the data say nothing of.
NO_INFORMATION = 1e-13
# pbkrtest: F is not scaled where the degrees of freedom are so near 2.
NEAR_TWO = 1e-2


@dataclass(frozen=True)
class KenwardRoger:
    """Variances for coefficients of the data's own columns.

    Attributes
    ----------
    cov : ndarray, shape (p, p)
        Phi_A times the residual variance.
    P : ndarray, shape (r, p, p)
        Phi P_r Phi.
    W : ndarray, shape (r, r)
        The asymptotic covariance of the delta.
    unadjusted : ndarray, shape (p, p)
        Phi.
    """

    cov: np.ndarray
    P: np.ndarray
    W: np.ndarray
    unadjusted: np.ndarray


def kenward_roger(fit: LMMFit) -> KenwardRoger:
    """Phi_A and what degrees of freedom take; kept. ArgumentError unless it is a REML fit."""
    if not fit.is_reml:
        raise ArgumentError(
            "Kenward and Roger's degrees of freedom are those of fits by REML, and this one is by "
            "ML; take m.update(REML=True), or Satterthwaite's"
        )
    check_independent(
        fit, "Kenward and Roger's degrees of freedom are", "take Satterthwaite's", variance=True
    )
    if "kenward-roger" not in fit.memo:
        fit.memo["kenward-roger"] = _kenward_roger(fit)
    return fit.memo["kenward-roger"]


def _kenward_roger(fit: LMMFit) -> KenwardRoger:
    p = fit.p
    if not fit.sigma > 0.0:  # an exact fit has no distribution
        nothing = np.full((p, p), np.nan)
        return KenwardRoger(nothing, nothing[None], np.full((1, 1), np.nan), nothing)
    moments = _moments(fit)
    back = fit.objective.cross.standardisation.back
    Phi = np.linalg.inv(moments.information)
    PhiP = Phi @ moments.P
    own = np.einsum("rab,sba->rs", PhiP, PhiP)
    I = 0.5 * (moments.traces - 2.0 * np.einsum("ab,rsba->rs", Phi, moments.Q) + own)
    size = np.sqrt(np.maximum(np.diagonal(I), np.finfo(float).tiny))
    W = floored_inverse(I / size[:, None] / size, NO_INFORMATION) / size[:, None] / size
    change = np.einsum("rs,rsab->ab", W, moments.Q) - np.einsum(
        "rs,rab,sbc->ac", W, moments.P, PhiP, optimize=True
    )
    Phi_A = Phi + 2.0 * Phi @ change @ Phi
    Phi_A, Phi = (back @ (0.5 * (S + S.T)) @ back.T for S in (Phi_A, Phi))
    sandwiched = back @ (PhiP @ np.linalg.inv(moments.information)) @ back.T
    return KenwardRoger(fit.sigma**2 * Phi_A, sandwiched, W, Phi)


class _Moments(NamedTuple):
    """Of the standardised columns; r is over the entries of the covariances, then the residual."""

    information: np.ndarray  # X'V^{-1}X, (p, p)
    P: np.ndarray  # (r, p, p)
    Q: np.ndarray  # (r, r, p, p), symmetrised in the last two
    traces: np.ndarray  # tr(V^{-1}G_r V^{-1}G_s), (r, r)


def _moments(fit: LMMFit) -> _Moments:
    objective, covariance, p = fit.objective.dense(), fit.covariance, fit.p
    x = objective.x(fit.theta)
    marginal = objective.marginal_at(x)
    T = objective.scale.templates(x)
    _, corner = marginal.update(T)
    D, delta = _directions(covariance, T, objective.scale.directions(x).changes(T))
    owners = [b for b, own in enumerate(D) for _ in own]
    first, P = [], []
    for b, own in enumerate(D):
        S, BB = marginal.level_sums(b)
        k, m = S.shape[0], corner.shape[0]
        BB = np.asarray(BB).reshape(k, k, m, m)[:, :, :p, :p]
        first += [float(np.vdot(one, S)) for one in own]
        P += [-np.einsum("ij,ijab->ab", one, BB) for one in own]
    information = corner[:p, :p]
    count = len(owners)
    inner, Q = np.array(P).reshape(count, p, p), _quadratics(marginal, D, p, count)
    traces = marginal.variance_traces(D)
    # what has G_0 in it, from the sums over all r
    P0 = -information - np.tensordot(delta, inner, axes=1)
    Q0 = -inner - np.tensordot(delta, Q, axes=1)
    Q00 = -P0 - np.tensordot(delta, Q0, axes=1)
    traces0 = np.array(first) - traces @ delta
    traces00 = fit.n - delta @ np.array(first) - delta @ traces0
    whole = np.empty((count + 1, count + 1, p, p))
    whole[:count, :count], whole[count, count] = Q, Q00
    whole[:count, count] = whole[count, :count] = Q0
    sums = np.empty((count + 1, count + 1))
    sums[:count, :count], sums[count, count] = traces, traces00
    sums[:count, count] = sums[count, :count] = traces0
    return _Moments(information, np.concatenate([inner, P0[None]]), whole, sums)


def _directions(
    covariance: CovarianceModel, T: list[np.ndarray], changes: list[np.ndarray]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Directions G_r of each factor's T T', (r_b, k_b, k_b), and delta with T T' = sum delta_r G_r.

    Symmetric units for the entries of unstructured and diagonal covariances; those that parameters
    of other structures move it in, ``changes`` (n_b, k_b, k_b).
    """
    D: list[list[np.ndarray]] = [[] for _ in T]
    delta: list[list[float]] = [[] for _ in T]
    seen = [0] * len(T)
    terms = zip(covariance.terms, covariance.entries, strict=True)
    for term, (rows, columns) in terms:
        b, structure = term.factor, term.structure
        first, seen[b] = seen[b], seen[b] + structure.n_theta
        if structure.identity and not structure.ranked:
            for i, j in zip(rows, columns, strict=True):
                unit = np.zeros(T[b].shape)
                unit[i, j] = unit[j, i] = 1.0
                D[b].append(unit)
                delta[b].append(float(T[b][i] @ T[b][j]))
            continue
        own = changes[b][first : seen[b]]
        own = own[np.abs(own).max(axis=(1, 2), initial=0.0) > 0.0]
        at = np.zeros(T[b].shape)
        at[term.columns, term.columns] = 1.0
        target = (T[b] @ T[b].T * at).ravel()
        D[b] += list(own)
        delta[b] += np.linalg.lstsq(own.reshape(len(own), -1).T, target, rcond=None)[0].tolist()
    units = [np.array(own).reshape(-1, *t.shape) for own, t in zip(D, T, strict=True)]
    return units, np.concatenate(delta)


def _quadratics(marginal: Marginal, D: list[np.ndarray], p: int, count: int) -> np.ndarray:
    """(Q_rs + Q_rs') / 2 of the entries, (r, r, p, p): quadratic forms at sums of columns."""
    m = p + 1
    squares, out = np.empty((p, count, count)), np.empty((count, count, p, p))
    for a in range(p):
        squares[a] = marginal.quadratic(D, np.eye(m)[a])
        out[:, :, a, a] = squares[a]
        for b in range(a):
            both = marginal.quadratic(D, np.eye(m)[a] + np.eye(m)[b])
            out[:, :, a, b] = out[:, :, b, a] = 0.5 * (both - squares[a] - squares[b])
    return out


def kenward_roger_df(fit: LMMFit, L: np.ndarray | None = None) -> np.ndarray:
    """Degrees of freedom of each contrast in L (r, p), default of each coefficient, (r,)."""
    adjusted = kenward_roger(fit)
    L = np.eye(fit.p) if L is None else np.atleast_2d(np.asarray(L, dtype=float))
    # of one row A_1 = A_2 = A, and the formula for q rows comes to 2 / A
    a = (
        np.einsum("ia,rab,ib->ir", L, adjusted.P, L)
        / np.sum((L @ adjusted.unadjusted) * L, axis=1)[:, None]
    )
    with np.errstate(divide="ignore"):
        return 2.0 / np.einsum("ir,rs,is->i", a, adjusted.W, a)


def kenward_roger_f(
    fit: LMMFit, L: np.ndarray, rhs: np.ndarray | float = 0.0
) -> tuple[float, int, float]:
    """The scaled F of ``L beta = rhs``, the rank of L, and its denominator degrees of freedom."""
    adjusted = kenward_roger(fit)
    L = np.atleast_2d(np.asarray(L, dtype=float))
    distance = L @ fit.beta - rhs
    if not np.isfinite(adjusted.cov).all():
        return np.nan, int(np.linalg.matrix_rank(L)), np.nan
    # rows that say the same once: any basis of the hypothesis gives the same test
    left, values, _ = np.linalg.svd(L, full_matrices=False)
    keep = values > len(values) * np.finfo(float).eps * values[0]
    L, distance = left[:, keep].T @ L, left[:, keep].T @ distance
    q = len(L)
    F = float(distance @ np.linalg.solve(L @ adjusted.cov @ L.T, distance)) / q
    half = np.linalg.solve(L @ adjusted.unadjusted @ L.T, L @ adjusted.P @ L.T)
    single = np.einsum("raa->r", half)
    A1 = float(single @ adjusted.W @ single)
    A2 = float(np.einsum("rs,rab,sba->", adjusted.W, half, half, optimize=True))
    df, scale = _approximation(q, A1, A2)
    return scale * F, q, df


def _approximation(q: int, A1: float, A2: float) -> tuple[float, float]:
    """Degrees of freedom and scale of F, whose first two moments they match."""
    if q == 1:
        return (2.0 / A2 if A2 > 0.0 else np.inf), 1.0
    B = (A1 + 6.0 * A2) / (2.0 * q)
    g = ((q + 1.0) * A1 - (q + 4.0) * A2) / ((q + 2.0) * A2)
    c1, c2, c3 = np.array([g, q - g, q + 2.0 - g]) / (3.0 * q + 2.0 * (1.0 - g))
    with np.errstate(divide="ignore"):  # an infinite rho has 4 degrees of freedom
        rho = ((1.0 - A2 / q) / (1.0 - c2 * B)) ** 2 * (1.0 + c1 * B) / (1.0 - c3 * B) / q
    df = 4.0 + (q + 2.0) / (q * rho - 1.0)
    scale = 1.0 if abs(df - 2.0) < NEAR_TWO else df * (1.0 - A2 / q) / (df - 2.0)
    return float(df), float(scale)
