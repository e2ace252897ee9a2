"""Profiled ML and REML deviance of a linear mixed model, with gradient and curvature.

The notation and the derivations are those of the mathematics page: V = I + Z Lambda Lambda' Z',
K = W'V^{-1}W for W = [X y], c = [-beta; 1], df = n (ML) or n - p (REML).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from ..covariance import CovarianceModel
from ..errors import NumericalError
from ..linalg.crossprod import CrossProducts
from ..linalg.factored import FactorMarginal, make_marginal
from ..linalg.marginal import Marginal
from ..linalg.moments import moment_start
from ..linalg.onefactor import OneFactorMarginal
from .base import NOT_ASKED, Evaluation, Objective
from .parameters import ThetaScale

LOG_2PI = float(np.log(2.0 * np.pi))
# Of 2053 random designs of 8 to 89 rows 14 had a lower minimum than the one found from the moments,
# 12 of these with fewer than 40 rows. Starting at this relative standard deviation found 11.
SMALL_SAMPLE = 50
LARGE_DEVIATION = 5.0


class _Profile(NamedTuple):
    """What the (p + 1)-square corner gives at one T."""

    value: float
    r2: float
    c: np.ndarray  # [-beta; 1] in standardised coordinates
    C: np.ndarray  # (X'V^{-1}X)^{-1}


@dataclass(frozen=True)
class Solution:
    """All estimates at one theta.

    Attributes
    ----------
    beta : ndarray, shape (p,)
    cov_beta : ndarray, shape (p, p)
        sigma^2 (X'V^{-1}X)^{-1}.
    sigma : float
    T : tuple of ndarray, shape (k_b, k_b)
        Relative templates on the scale of the data.
    u : tuple of ndarray, shape (l_b, k_b)
        Spherical conditional modes: b = u T'.
    criterion : float
    """

    beta: np.ndarray
    cov_beta: np.ndarray
    sigma: float
    T: tuple[np.ndarray, ...]
    u: tuple[np.ndarray, ...]
    criterion: float


def _not_positive_definite() -> NumericalError:
    return NumericalError(
        "the cross-products are numerically singular at these covariance parameters; check for a "
        "response that the model fits exactly, or start nearer to theta = 1"
    )


class LMMObjective(Objective):
    """Profiled deviance over ``x``, theta on the scale of unit-root-mean-square covariates.

    An object belongs to one user in one thread; `fresh` makes another.

    Parameters
    ----------
    cross : CrossProducts
    covariance : CovarianceModel
    reml : bool
        REML criterion instead of -2 log-likelihood.
    backend : str or None
        Forces a back end of the factorisation.
    marginal : Marginal, optional
        A factorisation of its own (same design).
    """

    def __init__(
        self,
        cross: CrossProducts,
        covariance: CovarianceModel,
        reml: bool,
        backend: str | None = None,
        marginal: Marginal | None = None,
    ) -> None:
        self.cross = cross
        self.covariance = covariance
        self.reml = reml
        self.marginal = make_marginal(cross, backend) if marginal is None else marginal
        self.df = cross.n - cross.p if reml else cross.n
        self.scale = ThetaScale(covariance, cross.z_scale)
        std = cross.standardisation
        self._constant = -cross.log_weights - (2.0 * std.logdet if reml else 0.0)
        self._fused = self._compiled()

    def _compiled(self):
        """The whole evaluation in one call, where there is such a thing."""
        cov = self.covariance
        if isinstance(self.marginal, OneFactorMarginal) and cov.identity:
            return self.marginal.fused(cov.row, cov.col, self.df, self.reml, self._constant)
        return None

    def with_response(self, y: np.ndarray) -> LMMObjective:
        """The same objective for another response less offset, (n,); no work twice."""
        cross = self.cross.with_response(y)
        return self._with(cross, self.marginal.with_cross(cross))

    def fresh(self) -> LMMObjective:
        """The same objective with numbers of its own, for another thread or another use."""
        return self._with(self.cross, self.marginal.fresh())

    def release(self) -> None:
        """Drop the numbers of the last evaluation, which may be many, and keep what is shared."""
        if isinstance(self.marginal, FactorMarginal):
            self.marginal = self.marginal.fresh()

    def _with(self, cross: CrossProducts, marginal: Marginal) -> LMMObjective:
        other = copy.copy(self)
        other.cross, other.marginal = cross, marginal
        other._fused = other._compiled()
        return other

    # -- parameters -------------------------------------------------------------------------

    def theta(self, x: np.ndarray) -> np.ndarray:
        """theta of x."""
        return self.scale.theta(x)

    def x(self, theta: np.ndarray) -> np.ndarray:
        """x of theta."""
        return self.scale.x(theta)

    def start(self) -> np.ndarray:
        if not self.covariance.identity:
            return self.scale.start(NOT_ASKED)
        return self.scale.start(np.concatenate(moment_start(self.cross)) ** 2)

    def other_starts(self) -> list[np.ndarray]:
        if self.cross.n >= SMALL_SAMPLE or not self.covariance.identity:
            return []
        return [self.scale.start(np.full(sum(self.covariance.widths), LARGE_DEVIATION**2))]

    def lower_bounds(self) -> np.ndarray:
        return self.scale.lower_bounds()

    def canonical(self, x: np.ndarray) -> np.ndarray:
        return self.scale.canonical(x)

    def snap(self, x: np.ndarray) -> np.ndarray:
        return self.scale.snap(x)

    def null_directions(self, x: np.ndarray) -> list[str]:
        return self.scale.null_directions(x)

    def changes(self, x: np.ndarray, directions: np.ndarray) -> np.ndarray:
        return self.scale.changes(x, directions)

    def _templates(self, x: np.ndarray) -> list[np.ndarray]:
        return self.scale.templates(x)

    # -- the criterion ----------------------------------------------------------------------

    def evaluate(self, x: np.ndarray, order: int = 2) -> Evaluation:
        if self._fused is not None:
            return self._evaluate_fused(x, order)
        return self._evaluate(x, order)

    def _evaluate_fused(self, x: np.ndarray, order: int) -> Evaluation:
        gradient, curvature = np.empty(x.size), np.empty((x.size, x.size))
        value = self._fused.evaluate(x, order, gradient, curvature)
        if value != value:
            raise _not_positive_definite()
        if order == 2:
            return Evaluation(value, gradient, curvature, self._fused.exact)
        return Evaluation(value, gradient if order else NOT_ASKED)

    def _evaluate(self, x: np.ndarray, order: int) -> Evaluation:
        T = self._templates(x)
        logdet, K = self.marginal.update(T)
        profile = self._profile(logdet, K)
        if order == 0:
            return Evaluation(profile.value)
        N, PP = self._level_matrices(profile)
        gradient = self._slope(T, N)
        curvature, exact = NOT_ASKED, False
        if order == 2:
            curvature, exact = self._curvature(T, profile, N, PP)
        gradient, curvature = self.scale.pull_back(x, gradient, curvature)
        return Evaluation(profile.value, gradient, curvature, exact)

    def _profile(self, logdet: float, K: np.ndarray) -> _Profile:
        """beta and sigma profiled out (section A)."""
        p, df = self.cross.p, self.df
        R, info = lapack.dpotrf(K)
        r2 = R[p, p] ** 2
        if info or not r2 > 0.0:
            raise _not_positive_definite()
        value = logdet + df * (1.0 + LOG_2PI + np.log(r2 / df)) + self._constant
        c = np.ones(p + 1)
        C = np.zeros((0, 0))
        if p:
            diagonal = np.diagonal(R)[:p]
            if self.reml:
                value += 2.0 * np.log(diagonal).sum()
            inverse, _ = lapack.dtrtri(R[:p, :p])
            inverse = np.triu(inverse)
            C = inverse @ inverse.T
            c[:p] = -(inverse @ R[:p, p])
        return _Profile(float(value), float(r2), c, C)

    def _level_matrices(self, profile: _Profile) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """N_b = sum_l [Z'QZ - (df / r^2) g g']_ll of section C, and the sums P_l (x) P_l."""
        p = self.cross.p
        Q = (self.df / profile.r2) * np.outer(profile.c, profile.c)
        if self.reml:
            Q[:p, :p] += profile.C
        N, PP = [], []
        for b, k in enumerate(self.cross.z.widths):
            G, pp = self.marginal.level_sums(b)
            N.append(G - (pp @ Q.ravel()).reshape(k, k))
            PP.append(pp)
        return N, PP

    def _curvature(
        self, T: list[np.ndarray], profile: _Profile, N: list[np.ndarray], PP: list[np.ndarray]
    ) -> tuple[np.ndarray, bool]:
        """A curvature over the entries of T, and whether it is the Hessian.

        The Hessian if it is cheap and positive definite, else average information + 2 N (x) I.
        """
        D = self._derivatives(T)
        a, Y = self._moments(D, PP, profile)
        AI = self._average_information(D, a, Y, profile)
        known = self._known_part(N)
        if self.marginal.exact_is_cheap:
            trace = self.marginal.traces(D, profile.C if self.reml else None)
            assert trace is not None
            exact = self._hessian_of(known, AI, a, trace, profile)
            if not lapack.dpotrf(exact)[1]:
                return exact, True
        return AI + known, False

    def _slope(self, T: Sequence[np.ndarray], N: Sequence[np.ndarray]) -> np.ndarray:
        """d/dT_b = 2 N_b T_b at the reached entries, in theta's order."""
        cov = self.covariance
        gradient = np.empty(cov.factor.size)
        for b, entries in enumerate(cov.entries_of):
            gradient[entries] = 2.0 * (N[b] @ T[b])[cov.row[entries], cov.col[entries]]
        return gradient

    def _hessian_of(self, known, AI, a, trace, profile: _Profile) -> np.ndarray:
        """H = 2 N (x) I + 2 AI + df aa'/r^4 - tr(QV_iQV_j), from its parts."""
        outer = (self.df / profile.r2**2) * np.outer(a, a)
        return known + 2.0 * AI + outer - self._reorder(trace)

    def _derivatives(self, T: Sequence[np.ndarray]) -> list[np.ndarray]:
        """D = dT T' + T dT' for each reached entry of each T."""
        out = []
        cov = self.covariance
        for b, entries in enumerate(cov.entries_of):
            i, j = cov.row[entries], cov.col[entries]
            D = np.zeros((entries.size, *T[b].shape))
            D[np.arange(entries.size), i] = T[b].T[j]
            out.append(D + D.transpose(0, 2, 1))
        return out

    def _moments(self, D, PP, profile: _Profile) -> tuple[np.ndarray, np.ndarray]:
        """a_i = y'PV_iPy and Y_i = W'V^{-1}V_iV^{-1}W, (n_entries, m, m)."""
        m = self.cross.p + 1
        Y = [(d.reshape(len(d), -1) @ pp).reshape(-1, m, m) for d, pp in zip(D, PP, strict=True)]
        stacked = Y[0] if len(Y) == 1 else np.concatenate(Y)
        if len(Y) > 1:
            order = np.concatenate(self.covariance.entries_of)
            stacked = stacked[np.argsort(order)]
        return stacked @ profile.c @ profile.c, stacked

    def _reorder(self, matrix: np.ndarray) -> np.ndarray:
        """From entries sorted by factor to the order of theta."""
        if len(self.covariance.entries_of) == 1:
            return matrix
        order = np.argsort(np.concatenate(self.covariance.entries_of))
        return matrix[np.ix_(order, order)]

    def _average_information(self, D, a, Y, profile: _Profile) -> np.ndarray:
        """AI_ij = df [ y'PV_iPV_jPy / r^2 - a_i a_j / r^4 ]."""
        p = self.cross.p
        quadratic = self._reorder(self.marginal.quadratic(D, profile.c))
        s = Y[:, :p, :] @ profile.c
        quadratic = quadratic - s @ profile.C @ s.T
        return self.df * (quadratic / profile.r2 - np.outer(a, a) / profile.r2**2)

    def _known_part(self, N: list[np.ndarray]) -> np.ndarray:
        """2 N_b[i, i'] for entries (i, j), (i', j) of the same column j."""
        cov = self.covariance
        out = np.zeros((cov.factor.size, cov.factor.size))
        for b, entries in enumerate(cov.entries_of):
            i, j = cov.row[entries], cov.col[entries]
            block = 2.0 * N[b][np.ix_(i, i)] * (j[:, None] == j)
            out[np.ix_(entries, entries)] = block
        return out

    # -- at the optimum ---------------------------------------------------------------------

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """The exact Hessian over x (section C), from traces or from differences of the gradient.

        Returns
        -------
        ndarray, shape (n, n)
        """
        T = self._templates(x)
        profile = self._profile(*self.marginal.update(T))
        D = self._derivatives(T)
        trace = self.marginal.traces(D, profile.C if self.reml else None)
        if trace is None:
            return super().hessian(x)
        N, PP = self._level_matrices(profile)
        a, Y = self._moments(D, PP, profile)
        AI = self._average_information(D, a, Y, profile)
        H = self._hessian_of(self._known_part(N), AI, a, trace, profile)
        return self.scale.pull_back(x, self._slope(T, N), H)[1]

    def variance_derivatives(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """d r^2 / d theta_i = -a_i, and X'V^{-1}V_iV^{-1}X, on the scale of the data.

        Returns
        -------
        slope : ndarray, shape (n_theta,)
        Y : ndarray, shape (n_theta, p, p)
            ``d (X'V^{-1}X)^{-1} / d x_i = C Y_i C`` in standardised coordinates.
        """
        T = self._templates(x)
        profile = self._profile(*self.marginal.update(T))
        _, PP = self._level_matrices(profile)
        a, Y = self._moments(self._derivatives(T), PP, profile)
        p = self.cross.p
        Y = Y[:, :p, :p]
        if not self.covariance.identity:
            a = self.scale.pull_back(x, a, NOT_ASKED)[0]
            flat = Y.reshape(len(Y), -1)
            columns = [self.scale.pull_back(x, column, NOT_ASKED)[0] for column in flat.T]
            Y = np.stack(columns, axis=1).reshape(-1, p, p)
        return -a, Y

    def as_ml(self) -> LMMObjective:
        """The ML deviance of the same data, sharing the symbolic factorisation."""
        marginal = self.marginal.fresh()
        return LMMObjective(self.cross, self.covariance, False, marginal=marginal)

    def marginal_at(self, x: np.ndarray) -> Marginal:
        """The products with V^{-1} at x, in an object of their own."""
        marginal = self.marginal.fresh()
        marginal.update(self._templates(x))
        return marginal

    def solution(self, x: np.ndarray) -> Solution:
        """Estimates at x on the scale of the data."""
        T = self._templates(x)
        if self._fused is None:
            profile = self._profile(*self.marginal.update(T))
        else:
            profile = _Profile(self._evaluate_fused(x, 0).value, *self._fused.corner())
        std = self.cross.standardisation
        p = self.cross.p
        sigma2 = profile.r2 / self.df
        beta = std.back @ (std.gamma - profile.c[:p])
        cov = sigma2 * (std.back @ profile.C @ std.back.T)
        scales = self.cross.z_scale
        u = tuple(
            (self.marginal.projected(b) @ profile.c) @ t for b, t in enumerate(T)
        )  # u = Lambda'Z'V^{-1}(y - X beta)
        return Solution(
            beta=beta,
            cov_beta=0.5 * (cov + cov.T),
            sigma=float(np.sqrt(sigma2)),
            T=tuple(t / s[:, None] for t, s in zip(T, scales, strict=True)),
            u=u,
            criterion=profile.value,
        )
