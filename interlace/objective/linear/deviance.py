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

from ...covariance import CovarianceModel
from ...errors import NumericalError
from ...linalg.crossproducts.linear import CrossProducts
from ..base import NOT_ASKED, Evaluation, Objective
from ..theta_scale import ThetaScale
from .exact import (
    EXACT,
    ExactFit,
    degrees_of_freedom,
    least_squares,
    roughly_unexplained,
    smallest_residual,
)
from .few_columns import DENSE_LIMIT
from .many_columns import FactorMarginal, make_marginal
from .marginal import Marginal
from .one_factor import OneFactorMarginal
from .start import LARGEST_START, SMALLEST_START, moment_start

LOG_2PI = float(np.log(2.0 * np.pi))
# Of 2053 random designs of 8 to 89 rows 14 had a lower minimum than the one found from the moments,
# 12 of these with fewer than 40 rows. Starting at this relative standard deviation found 11.
SMALL_SAMPLE = 50
LARGE_DEVIATION = 5.0
# Where less than this share of y'V^{-1}y is left by the coefficients, digits go: the response is
# then taken from other coefficients than those of least squares.
SHARE = 1e-4
# A residual sum of squares this far below that of least squares without random effects: either they
# explain all, or their variances are very large.
SUSPECT = 1e-8
# ... and where the search begins with variances as large as the data say.
DOMINATED = 1e-3
# Share of the variance that random effects explain by the moments from which on that is looked at:
# each grouping factor's residual variance has an error in proportion to the other variances.
DOUBTFUL = 0.8
# A share this small of the information on a factor is no more than rounding beside another one.
SPANNED = 1e-8


def _explained(sd: list[np.ndarray]) -> float:
    """Sum of the shares of grouping factors in the variance, each beside the rest alone."""
    squares = [float(s.max()) ** 2 for s in sd]
    return sum(square / (1.0 + square) for square in squares)


class _Profile(NamedTuple):
    """What the (p + 1)-square corner gives at one T."""

    value: float
    r2: float
    c: np.ndarray  # [-beta; 1] in standardised coordinates
    C: np.ndarray  # (X'V^{-1}X)^{-1}
    share: float = 1.0  # r2 over y'V^{-1}y


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
        self.scale = ThetaScale(covariance, cross.z_roots)
        std = cross.standardisation
        self._constant = -cross.rows.log_weights - (2.0 * std.logdet if reml else 0.0)
        self._take(cross)
        self._fused = self._compiled()

    def _take(self, cross: CrossProducts) -> None:
        """What depends on the response alone."""
        self._smallest = smallest_residual(cross)
        self._without = float(cross.WW[-1, -1])  # residual sum of squares without random effects
        self._looked_at = self._exact = False

    def _compiled(self):
        """The whole evaluation in one call, where there is such a thing."""
        cov = self.covariance
        if isinstance(self.marginal, OneFactorMarginal) and cov.identity:
            return self.marginal.fused(cov.row, cov.col, self.df, self.reml, self._constant)
        return None

    def with_response(self, y: np.ndarray) -> LMMObjective:
        """The same objective for another response less offset, (n,); no work twice."""
        cross = self.cross.with_response(y)
        other = self._with(cross, self.marginal.with_cross(cross))
        other._take(cross)
        return other

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
        found = moment_start(self.cross)
        if found is None or _explained(found) >= DOUBTFUL:
            found = self._beyond(found)
        return self.scale.start(np.concatenate(found) ** 2)

    def _beyond(self, found: list[np.ndarray] | None) -> list[np.ndarray]:
        """Where to start from variances far above the residual one, of which moments know little.

        The covariates are then measured in units that bring the entries of T near one.
        """
        found = found or [np.ones(k) for k in self.cross.z.widths]
        left = degrees_of_freedom(self.cross)
        if left <= 0:
            return found
        least = DOMINATED * self._without
        if roughly_unexplained(self.cross, self.marginal) >= least:
            return found
        residual = least_squares(self.cross, self.marginal.fresh()).residual
        if not self._smallest < residual < least:
            return found
        sd = moment_start(self.cross, residual / left)
        if sd is None:
            return found
        sd = self._beside_the_largest(sd, residual / left)
        by = [np.where(s > LARGEST_START, s, 1.0) for s in sd]
        self.enlarge(by)
        return [s / unit for s, unit in zip(sd, by, strict=True)]

    def enlarge(self, by: list[np.ndarray]) -> None:
        """Measure the standardised covariates in these units, (k_b,): x is then another."""
        self.cross = self.cross.enlarged(by)
        self.marginal = self.marginal.renewed(self.cross)
        self.scale = ThetaScale(self.covariance, self.cross.z_roots, by)
        self._fused = self._compiled()

    def x_in_units(self, theta: np.ndarray) -> np.ndarray:
        """x of theta to start from, in units that bring very large entries of T near one."""
        if self.covariance.identity:
            templates = self.scale.templates(self.scale.x(theta))
            sd = [np.abs(np.diagonal(T)) for T in templates]
            if max(float(s.max()) for s in sd) > LARGEST_START:
                self.enlarge([np.where(s > LARGEST_START, s, 1.0) for s in sd])
        return self.scale.x(theta)

    @property
    def exact_advice(self) -> str:  # type: ignore[override]
        dense = self.cross.z.q <= DENSE_LIMIT
        return "Leave backend='auto', which keeps them" if dense else Objective.exact_advice

    def rounding(self, x: np.ndarray) -> float:
        return self.marginal.rounding(self._templates(x))

    def _beside_the_largest(self, sd: list[np.ndarray], variance: float) -> list[np.ndarray]:
        """Standard deviations again, all but the largest given this one.

        Where others are zero g_l = Z_l'V^{-1}(y - X beta) has variance sigma^2 (G_l + s^2 G_l^2);
        smaller ones are lost in the errors of plain moments. Those of a factor whose columns the
        largest one spans (nested ones) can only be seen beside it.
        """
        top = max(float(s.max()) for s in sd)
        profile = self._profile(*self.marginal.update([np.diag(s * (s == top)) for s in sd]))
        out = []
        for b, s in enumerate(sd):
            G = np.diagonal(self.marginal.level_sums(b)[0])
            g = self.marginal.projected(b) @ profile.c
            square = np.sum(g * g, axis=0) / variance
            ratio = np.maximum(square - G, 0.0) * len(g) / np.maximum(G * G, np.finfo(float).tiny)
            spanned = np.einsum("lkk->k", self.cross.z.diagonal[b]) * SPANNED > G
            out.append(np.where((s == top) | spanned, s, np.maximum(ratio**0.5, SMALLEST_START)))
        return out

    def other_starts(self) -> list[np.ndarray]:
        if self.cross.n >= SMALL_SAMPLE or not self.covariance.identity:
            return []
        return [self.scale.start(np.full(sum(self.covariance.widths), LARGE_DEVIATION**2))]

    def names(self) -> list[str]:
        return self.covariance.theta_names

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
        return self._evaluate_fused(x, order) if self._fused else self._evaluate(x, order)

    def _evaluate_fused(self, x: np.ndarray, order: int) -> Evaluation:
        gradient, curvature = np.empty(x.size), np.empty((x.size, x.size))
        for again in (True, False):
            fused = self._fused
            value = fused.evaluate(x, order, gradient, curvature)
            if not self._lost(x, fused.r2, fused.share, again):
                break
            self._recentre(fused.corner()[1])
        if value != value:
            raise _not_positive_definite()
        if order == 2:
            return Evaluation(value, gradient, curvature, fused.exact)
        return Evaluation(value, gradient if order else NOT_ASKED)

    def _lost(self, x: np.ndarray, r2: float, share: float, again: bool) -> bool:
        """Whether r^2 lost digits that another centre of the response saves.

        Raises
        ------
        ExactFit
            If there is no residual.
        """
        if r2 <= self._smallest:
            raise ExactFit(x)
        if r2 < SUSPECT * self._without and not self._looked_at:
            self._looked_at = True
            if degrees_of_freedom(self.cross) > 0:
                found = least_squares(self.cross, self.marginal.fresh())
                if found.residual <= self._smallest:
                    raise ExactFit(x)
        return again and share < SHARE

    def _recentre(self, c: np.ndarray) -> None:
        """Take the response as residual of these coefficients, not of those of least squares."""
        gamma = self.cross.standardisation.gamma - c[:-1]
        self.cross = self.cross.with_response(self.cross.response, gamma)
        self.marginal = self.marginal.with_cross(self.cross)
        self._fused = self._compiled()

    def _at(self, x: np.ndarray) -> tuple[list[np.ndarray], _Profile]:
        """The templates, and beta and sigma profiled out, with the marginal at x."""
        T = self._templates(x)
        for again in (True, False):
            profile = self._profile(*self.marginal.update(T))
            if not self._lost(x, profile.r2, profile.share, again):
                break
            self._recentre(profile.c)
        return T, profile

    def _evaluate(self, x: np.ndarray, order: int) -> Evaluation:
        T, profile = self._at(x)
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
        """beta and sigma profiled out (section 2 of the mathematics page)."""
        p, df = self.cross.p, self.df
        R, info = lapack.dpotrf(K)
        r2 = R[p, p] ** 2
        if info == p + 1:  # all but the response was factorised
            r2 = float(R[p, p])
        elif info or not r2 > 0.0:
            raise _not_positive_definite()
        with np.errstate(invalid="ignore", divide="ignore"):
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
        return _Profile(float(value), float(r2), c, C, float(r2 / K[p, p]))

    def _level_matrices(self, profile: _Profile) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """N_b = sum_l [Z'QZ - (df / r^2) g g']_ll (section 4), and the sums P_l (x) P_l."""
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
        """The exact Hessian over x (section 4), from traces or from differences of the gradient.

        Returns
        -------
        ndarray, shape (n, n)
        """
        if self._fused is not None:
            self._evaluate_fused(x, 0)
            return self._fused.hessian(x)
        T, profile = self._at(x)
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
        T, profile = self._at(x)
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

    def at_infinity(self, x: np.ndarray, curvature: np.ndarray) -> list[str]:
        return [EXACT] if self._exact else []

    def without_residual(self, x: np.ndarray) -> tuple[np.ndarray, Solution]:
        """Parameters and estimates where the model fits the response exactly, noticed at x.

        Without a residual variance there are no standard errors; the variances of random effects,
        if these are needed for the fit, are not known either.
        """
        self._exact = True
        if self._without <= self._smallest:
            x = np.zeros_like(x)
            gamma, sigma = self.cross.standardisation.gamma, 0.0
            u = [np.zeros(zw.shape[:2]) for zw in self.cross.ZW]
        else:
            found = least_squares(self.cross, self.marginal.fresh())
            gamma, sigma, u = found.gamma, np.nan, found.b
            x = self.scale.start(np.ones(sum(self.cross.z.widths)))  # any that can make b of u
            if self.covariance.identity:
                u = found.b
        return x, Solution(
            beta=self.cross.standardisation.back @ gamma,
            cov_beta=np.full((gamma.size, gamma.size), np.nan),
            sigma=sigma,
            T=self.scale.natural(self._templates(x)),
            u=tuple(u),
            criterion=-np.inf,
        )

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
        if self._fused is None:
            T, profile = self._at(x)
        else:
            T = self._templates(x)
            value = self._evaluate_fused(x, 0).value
            profile = _Profile(value, *self._fused.corner())
        std = self.cross.standardisation
        p = self.cross.p
        sigma2 = profile.r2 / self.df
        beta = std.back @ (std.gamma - profile.c[:p])
        cov = sigma2 * (std.back @ profile.C @ std.back.T)
        u = tuple(
            (self.marginal.projected(b) @ profile.c) @ t for b, t in enumerate(T)
        )  # u = Lambda'Z'V^{-1}(y - X beta)
        return Solution(
            beta=beta,
            cov_beta=0.5 * (cov + cov.T),
            sigma=float(np.sqrt(sigma2)),
            T=self.scale.natural(T),
            u=u,
            criterion=profile.value,
        )
