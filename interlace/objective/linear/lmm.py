"""The objective of a linear mixed model: its deviance over the parameters of a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...covariance import CovarianceModel
from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.threads import blas_threads
from ..base import NOT_ASKED, OF_CONSEQUENCE, Evaluation, Objective
from ..theta_scale import ThetaScale
from .choose import choose_marginal
from .deviance import Deviance, Profile, not_positive_definite
from .exact import (
    EXACT,
    ExactFit,
    LeastSquares,
    degrees_of_freedom,
    least_squares,
    rounding_of,
    smallest_residual,
)
from .few_columns import DENSE_LIMIT
from .many_columns import FactorMarginal
from .marginal import Marginal
from .start import LARGEST_START, start_deviations

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


class Minima(NamedTuple):
    """Minima for m responses by compiled searches; those that are not ``sure`` mean nothing.

    With x (m, q) and the criterion its gradient and Hessian of the point before the last step,
    coefficients less those taken from the responses, and profiled residual sums of squares.
    """

    x: np.ndarray
    value: np.ndarray
    gradient: np.ndarray
    curvature: np.ndarray
    coefficients: np.ndarray
    r2: np.ndarray
    sure: np.ndarray


class LMMObjective(Objective):
    """Profiled deviance over ``x``, theta on the scale of unit-root-mean-square covariates.

    An object belongs to one user in one thread; `fresh` makes another. ``backend`` forces that of
    the factorisation; ``marginal`` is one of the same design, for this objective alone.
    """

    #: Whether sums of drawn responses can stand for their rows.
    draws_sums: bool = True
    #: What the exact Hessian has over the model of it, at the optimum of nearly the same data.
    hessian_excess: np.ndarray | None = None

    def __init__(
        self,
        cross: CrossProducts,
        covariance: CovarianceModel,
        reml: bool,
        backend: str | None = None,
        marginal: Marginal | None = None,
    ) -> None:
        self.covariance = covariance
        self.reml = reml
        self.scale = ThetaScale(covariance, cross.z_roots)
        self._set(cross, choose_marginal(cross, backend) if marginal is None else marginal)
        self._set_thresholds(cross)

    def _set(self, cross: CrossProducts, marginal: Marginal) -> None:
        """Take other cross-products, with their marginal."""
        self.cross, self.marginal = cross, marginal
        self.deviance = deviance = Deviance(cross, marginal, self.reml)
        self.df = deviance.df
        self._fused: Any = None  # the compiled evaluation, where there is such a thing
        self._response_sums: list[np.ndarray] = []  # where a response is written to for it
        cov = self.covariance
        if cov.identity:
            entries = cov.factor, cov.row, cov.col
            compiled = marginal.fused(entries, self.df, self.reml, deviance.constant)
            if compiled is not None:
                self._fused, *self._response_sums = compiled

    def _set_thresholds(self, cross: CrossProducts) -> None:
        """Set the sums of squares below which a response is looked at again."""
        self._smallest = smallest_residual(cross)
        # residual sum of squares without random effects
        self._fixed_residual = float(cross.XyXy[-1, -1])
        self._tried_exact = self._exact = False
        # r^2 above it needs no look
        self._plain = max(self._smallest, SUSPECT * self._fixed_residual)

    def with_response(self, y: np.ndarray) -> LMMObjective:
        """The same objective for another response less offset, (n,); no work twice."""
        cross = self.cross.with_response(y)
        other = self._with(cross, self.marginal.with_cross(cross))
        other._set_thresholds(cross)
        return other

    def without(self, gone: np.ndarray) -> LMMObjective:
        """The objective without some rows, (r,) positions, in the same parameters."""
        cross = self.cross.without(gone)
        other = self._with(cross, self.marginal.renewed(cross))
        other._set_thresholds(cross)
        return other

    def with_sums(self, cross: CrossProducts) -> LMMObjective:
        """The same objective for other sums of the same columns, as they are when it is asked.

        Where they are written anew in place, `reread` follows.
        """
        return self._with(cross, self.marginal.with_cross(cross))

    def reread(self) -> None:
        """Take notice of sums of the response that were written in place."""
        self.marginal.reread()

    def fresh(self) -> LMMObjective:
        """The same objective with numbers of its own, for another thread or another use."""
        return self._with(self.cross, self.marginal.fresh())

    def release(self) -> None:
        """Drop the numbers of the last evaluation, which may be many, and keep what is shared."""
        if isinstance(self.marginal, FactorMarginal):
            self._set(self.cross, self.marginal.fresh())

    def _with(self, cross: CrossProducts, marginal: Marginal) -> LMMObjective:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._set(cross, marginal)
        return other

    def __getstate__(self) -> dict[str, Any]:
        # compiled evaluations hold views of memory, which no pickle keeps
        return {**self.__dict__, "_fused": None, "_response_sums": [], "deviance": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._set(self.cross, self.marginal)

    # -- parameters -------------------------------------------------------------------------

    def theta(self, x: np.ndarray) -> np.ndarray:
        """theta of x."""
        return self.scale.theta(self.checked_x(x, self.covariance.n_theta))

    def x(self, theta: np.ndarray) -> np.ndarray:
        """x of theta."""
        return self.scale.x(self.covariance.given_theta(theta, "theta"))

    def start(self) -> np.ndarray:
        sd = self._in_units(start_deviations(self.deviance, self._smallest))
        return self.scale.start(np.concatenate(sd) ** 2)

    def x_in_units(self, theta: np.ndarray) -> np.ndarray:
        """x of theta to start from, in units that bring very large entries of T near one."""
        self._in_units([np.abs(np.diagonal(T)) for T in self._templates(self.x(theta))])
        return self.x(theta)

    def _in_units(self, sd: list[np.ndarray]) -> list[np.ndarray]:
        """Standard deviations (k_b,) in units, taken from here on, where they are very large."""
        if max(float(s.max()) for s in sd) <= LARGEST_START:
            return sd
        units = [np.where(s > LARGEST_START, s, 1.0) for s in sd]
        self.enlarge(units)
        return [s / unit for s, unit in zip(sd, units, strict=True)]

    def enlarge(self, units: list[np.ndarray]) -> None:
        """Measure the covariates of now in these units, (k_b,): x is then another."""
        cross = self.cross.enlarged(units)
        if self.scale.units is not None:
            units = [old * new for old, new in zip(self.scale.units, units, strict=True)]
        self.scale = ThetaScale(self.covariance, cross.z_roots, units)
        self._set(cross, self.marginal.renewed(cross))

    @property
    def exact_advice(self) -> str:  # type: ignore[override]
        dense = self.cross.z.q <= DENSE_LIMIT
        return "Leave backend='auto', which keeps them" if dense else Objective.exact_advice

    def rounding(self, x: np.ndarray) -> float:
        if isinstance(self.marginal, FactorMarginal):
            return self.marginal.rounding(self._templates(x))
        return 0.0

    def other_starts(self, x: np.ndarray) -> list[np.ndarray]:
        if self.cross.n >= SMALL_SAMPLE:
            return []
        return [self.scale.start(np.full(sum(self.covariance.widths), LARGE_DEVIATION**2))]

    def far_starts(self, x: np.ndarray) -> list[np.ndarray]:
        return self.covariance.far_patterns(x, OF_CONSEQUENCE, self.cross.n < SMALL_SAMPLE)

    def names(self) -> list[str]:
        return self.covariance.theta_names

    def lower_bounds(self) -> np.ndarray:
        return self.scale.lower_bounds()

    @property
    def one_signed(self) -> np.ndarray:
        return self.covariance.one_signed

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
        x = self.checked_x(x, self.covariance.n_theta, order)
        return self._evaluate_fused(x, order) if self._fused else self._evaluate(x, order)

    def _evaluate_fused(self, x: np.ndarray, order: int) -> Evaluation:
        gradient, curvature = np.empty(x.size), np.empty((x.size, x.size))
        for again in (True, False):
            fused = self._fused
            with blas_threads(self.marginal.dense_columns):
                value = fused.evaluate(x, order, gradient, curvature)
            if fused.beyond:
                return self._evaluate(x, order)
            plain = fused.r2 > self._plain and fused.share >= SHARE
            if plain or not self._lost(x, fused.r2, fused.share, again):
                break
            self._recentre(fused.corner()[1])
        if value != value:
            raise not_positive_definite()
        if order == 2:
            return Evaluation(value, gradient, curvature, fused.exact)
        return Evaluation(value, gradient if order else NOT_ASKED)

    @property
    def is_fused(self) -> bool:
        """Whether an evaluation is one call of a kernel."""
        return self._fused is not None

    def minima(
        self,
        sums: tuple[np.ndarray, ...],
        least: np.ndarray | None,
        start: np.ndarray,
        rule: tuple[float, float, float],
    ) -> Minima:
        """The minimum for each of m responses by compiled searches from x, where that is sure.

        ``sums`` are Z'y (m, q), X'y (m, p) and y'y (m,), with one grouping factor Q_l'y (m, l, k)
        and what is left of the others within the levels; they overwrite those of this objective,
        whose cross-products are to be its own. Responses with a residual sum of squares below
        ``least`` (m,) are left to other searches; None for the bound that this objective has.
        """
        assert self._fused is not None
        effects, *rest = map(np.ascontiguousarray, sums)
        m, q, p = len(sums[0]), start.size, self.cross.p
        starts = np.array([start, *self.other_starts(start)])
        least = np.full(m, self._plain) if least is None else least
        out = Minima(
            np.empty((m, q)), np.empty(m), np.empty((m, q)), np.empty((m, q, q)),
            np.empty((m, p)), np.empty(m), np.empty(m, dtype=np.uint8),
        )  # fmt: skip
        bounded = (self.lower_bounds() == 0.0).astype(np.uint8)
        effects = effects.reshape(m, *self._response_sums[0].shape[:2])
        with blas_threads(self.marginal.dense_columns):
            self._fused.searched(
                effects, *rest, least, SHARE, *self._response_sums, starts, bounded, rule, *out
            )
        return out

    def least_residuals(self, total: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Residual sums of squares above which responses need no second look, (m,).

        ``total`` (m,) are their sums of squares, ``rest`` (m,) what the columns of X leave of them.
        """
        return np.maximum(rounding_of(self.cross, total), SUSPECT * rest)

    def _lost(self, x: np.ndarray, r2: float, share: float, again: bool) -> bool:
        """Whether r^2 lost digits that another centre of the response saves; `ExactFit` if all."""
        if r2 <= self._smallest:
            raise ExactFit(x)
        if r2 < SUSPECT * self._fixed_residual and not self._tried_exact:
            self._tried_exact = True
            if degrees_of_freedom(self.cross) > 0:
                if self._least_squares().residual <= self._smallest:
                    raise ExactFit(x)
        return again and share < SHARE

    def _least_squares(self) -> LeastSquares:
        """Least squares on fixed and random effects together."""
        return least_squares(self.cross, self.marginal.fresh())

    def _recentre(self, c: np.ndarray) -> None:
        """Take the response as residual of these coefficients, not of those of least squares."""
        gamma = self.cross.standardisation.gamma - c[:-1]
        cross = self.cross.with_response(self.cross.response, gamma)
        self._set(cross, self.marginal.with_cross(cross))

    def _at(self, x: np.ndarray) -> tuple[list[np.ndarray], Profile]:
        """The templates, and beta and sigma profiled out, with the marginal at x."""
        T = self._templates(x)
        for again in (True, False):
            profile = self.deviance.profile(T)
            if not self._lost(x, profile.r2, profile.share, again):
                break
            self._recentre(profile.c)
        return T, profile

    def _evaluate(self, x: np.ndarray, order: int) -> Evaluation:
        T, profile = self._at(x)
        if order == 0:
            return Evaluation(profile.value)
        sums, directions = self.deviance.level_sums(profile), self.scale.directions(x)
        gradient = self.deviance.gradient(T, directions, sums)
        curvature, exact = NOT_ASKED, False
        if order == 2:
            curvature, exact = self.deviance.curvature(T, directions, profile, sums)
            if self.hessian_excess is not None and not exact:
                curvature, exact = curvature + self.hessian_excess, True
        return Evaluation(profile.value, gradient, curvature, exact)

    def at(self, x: np.ndarray) -> tuple[list[np.ndarray], float, np.ndarray]:
        """Templates of x, log|V| and [X y]'V^{-1}[X y]; the marginal is brought to x."""
        T = self._templates(x)
        return T, *self.deviance.corner(T)

    def gradient_at(self, x: np.ndarray, T: list[np.ndarray], Q: np.ndarray) -> np.ndarray:
        """tr(V^{-1}V_j) - tr(Q [X y]'V^{-1}V_jV^{-1}[X y]) of the parameters x, after `at`."""
        sums = self.deviance.sums_of(Q, self.cross.z.widths)
        return self.deviance.gradient(T, self.scale.directions(x), sums)

    # -- at the optimum ---------------------------------------------------------------------

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """The exact Hessian over x, (n, n), from traces or from differences of the gradient."""
        if self._fused is not None:
            self._evaluate_fused(x, 0)
            if not self._fused.beyond:
                with blas_threads(self.marginal.dense_columns):
                    return self._fused.hessian(x)
        T, profile = self._at(x)
        sums = self.deviance.level_sums(profile)
        H = self.deviance.hessian(T, self.scale.directions(x), profile, sums)
        return super().hessian(x) if H is None else H

    def variance_derivatives(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """d r^2 / d x_i = -a_i, (n_theta,), and Y_i = X'V^{-1}V_iV^{-1}X, (n_theta, p, p).

        In standardised coordinates of beta d (X'V^{-1}X)^{-1} / d x_i = C Y_i C.
        """
        T, profile = self._at(x)
        sums, directions = self.deviance.level_sums(profile), self.scale.directions(x)
        a, Y = self.deviance.variance_slopes(T, directions, profile, sums)
        p = self.cross.p
        return -a, Y[:, :p, :p]

    def at_infinity(self, x: np.ndarray, curvature: np.ndarray) -> list[str]:
        return [EXACT] if self._exact else []

    def without_residual(self, x: np.ndarray) -> tuple[np.ndarray, Solution]:
        """Parameters and estimates where the model fits the response exactly, noticed at x.

        Without a residual variance there are no standard errors; the variances of random effects,
        if these are needed for the fit, are not known either.
        """
        self._exact = True
        if self._fixed_residual <= self._smallest:
            x = np.zeros_like(x)
            gamma, sigma = self.cross.standardisation.gamma, 0.0
            u = [np.zeros(zxy.shape[:2]) for zxy in self.cross.ZXy]
        else:
            fit = self._least_squares()
            gamma, sigma, u = fit.gamma, np.nan, fit.b
            x = self.scale.start(np.ones(sum(self.cross.z.widths)))  # any that can make b of u
        return x, Solution(
            beta=self.cross.standardisation.back @ gamma,
            cov_beta=np.full((gamma.size, gamma.size), np.nan),
            sigma=sigma,
            T=self.scale.natural(self._templates(x)),
            u=tuple(u),
            criterion=-np.inf,
        )

    def dense(self) -> LMMObjective:
        """The same objective with a template for each grouping factor: itself."""
        return self

    def as_ml(self) -> LMMObjective:
        """The ML deviance of the same data, sharing the symbolic factorisation."""
        marginal = self.marginal.fresh()
        return LMMObjective(self.cross, self.covariance, False, marginal=marginal)

    def centred(self, x: np.ndarray) -> LMMObjective:
        """The same objective, of what generalised least squares at x leaves of the response."""
        other = self.fresh()
        other._recentre(other._at(x)[1].c)
        return other

    def row_variances(
        self, x: np.ndarray, X: np.ndarray, factors: Any, masks: Any
    ) -> np.ndarray | None:
        """Variances of rows' predictions, (r,), where there is a way without blocks of M^{-1}."""
        return None

    def effect_variances(self, x: np.ndarray, b: int) -> np.ndarray | None:
        """Conditional variances of effects, (l_b, k_b), where there is a way without blocks."""
        return None

    def marginal_at(self, x: np.ndarray) -> Marginal:
        """The products with V^{-1} at x, in an object of their own."""
        marginal = self.marginal.fresh()
        marginal.update(self._templates(x))
        return marginal

    def profiled(self, x: np.ndarray) -> tuple[np.ndarray, float]:
        """beta on the scale of the data, and sigma, at x."""
        _, profile = self._profile(x)
        std = self.cross.standardisation
        beta = std.back @ (std.gamma - profile.c[: self.cross.p])
        return beta, (profile.r2 / self.df) ** 0.5

    def _profile(self, x: np.ndarray) -> tuple[list[np.ndarray], Profile]:
        """`_at`, by the compiled evaluation where there is one; not all bring the marginal to x."""
        if self._fused is not None:
            value = self._evaluate_fused(x, 0).value
            if not self._fused.beyond:
                return self._templates(x), Profile(value, *self._fused.corner())
        return self._at(x)

    def solution(self, x: np.ndarray) -> Solution:
        """Estimates at x on the scale of the data."""
        T, profile = (self._profile if self.marginal.fused_updates else self._at)(x)
        # u = Lambda'Z'V^{-1}(y - X beta)
        u = tuple((self.marginal.projected(b) @ profile.c) @ t for b, t in enumerate(T))
        return self._solution(profile, self.scale.natural(T), u)

    def _solution(
        self, profile: Profile, T: tuple[np.ndarray, ...], u: tuple[np.ndarray, ...]
    ) -> Solution:
        """The estimates with these templates of the data and spherical modes."""
        std, p = self.cross.standardisation, self.cross.p
        sigma2 = profile.r2 / self.df
        cov = sigma2 * (std.back @ profile.C @ std.back.T)
        return Solution(
            beta=std.back @ (std.gamma - profile.c[:p]),
            cov_beta=0.5 * (cov + cov.T),
            sigma=float(np.sqrt(sigma2)),
            T=T,
            u=u,
            criterion=profile.value,
        )
