"""Generalised linear models without random effects: the record of a fit, and how it is made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from time import perf_counter
from typing import ClassVar, Literal

import numpy as np

from ..design.design import Design
from ..families.base import Family
from ..linalg.crossproducts.standardise import intercept_column, standardise
from ..linalg.information import determined_root, inverse_where_determined, side_by_side
from ..objective.generalised.density import FamilyDensity
from .base import BaseFit, WithoutEffects, closed, others
from .glm_maximum import LOST_PIVOT, Maximum, maximise_coefficients, maximise_with_theta
from .observations import Observations, observe
from .separation import BORDER, Separation, family_separation

#: A direction with as good as no information is, beside means at the border of their range, the
#: sign of separation: IRLS ends there at a decrement of 1e-18, which is what the rows that are
#: predicted perfectly have left of both. Standardised columns have length one, so that information
#: is a mean of weights.
NO_INFORMATION = 1e-9


@dataclass(frozen=True, eq=False)
class GLMFit(WithoutEffects, BaseFit):
    """A fitted generalised linear model.

    Attributes
    ----------
    design : Design
    family : Family
    observations : Observations
    beta : (p,) ndarray
        Coefficients.
    unscaled : (p, p) ndarray
        Inverse of the expected information at dispersion one; infinite for coefficients with a
        share in a direction without information.
    root : (p, r) ndarray
        Root of that inverse, without these directions.
    zeta : (m,) ndarray
        Logarithms of the estimated family parameters: theta of the negative binomial, else the
        precision (one over `dispersion`); empty if there are none.
    se_zeta : (m,) ndarray
        Their standard errors, means held fixed; NaN for a precision.
    dispersion : float
        Pearson's X^2 over the residual degrees of freedom where it is free (NaN without any), else
        the family's.
    llf : float
        Log-likelihood; a free dispersion is deviance / n there, as in R's ``logLik``.
    deviance, null_deviance : float
    df_null, df_resid : int
    eta, mu : (n,) ndarray
        Linear predictor and fitted means.
    maximum : Maximum
        Where IRLS stopped, in standardised coordinates.
    verdict : {"converged", "separated", "not identified", "not converged"}
    message : str
        The verdict in words.
    separated : Separation or None
        Why the likelihood has no maximum.
    seconds : dict of str to float
    """

    design: Design
    family: Family
    observations: Observations
    beta: np.ndarray
    unscaled: np.ndarray
    root: np.ndarray
    zeta: np.ndarray
    se_zeta: np.ndarray
    dispersion: float
    llf: float
    deviance: float
    null_deviance: float
    df_null: int
    df_resid: int
    eta: np.ndarray
    mu: np.ndarray
    maximum: Maximum
    verdict: str
    message: str
    separated: Separation | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    linear: ClassVar[Literal[False]] = False
    irls: ClassVar[Literal[True]] = True
    several: ClassVar[Literal[False]] = False
    method = "ML"
    nAGQ = None
    expected = True
    re_scale = 1.0
    optimizer = "irls"
    backend = "cholesky"

    @property
    def cov_beta(self) -> np.ndarray:
        """Covariance matrix of the coefficients from the expected information, (p, p)."""
        return self.dispersion * self.unscaled

    @property
    def cov_all(self) -> np.ndarray:
        """Covariance matrix of (beta, zeta): these are orthogonal in expectation."""
        return side_by_side(self.cov_beta, np.diag(self.se_zeta**2))

    @property
    def parameter_names(self) -> list[str]:
        """Names of the rows of ``cov_all``."""
        return [*self.design.x_names, *(f"log({name})" for name in self.family.parameters)]

    @property
    def df_method(self) -> str:
        """n - p degrees of freedom where the dispersion is estimated apart, as ``summary.glm``."""
        return "residual" if self.family.free_dispersion else "normal"

    @property
    def llf_maximum(self) -> float:
        """As `llf`, at the likeliest dispersion; R's ``logLik`` is at the deviance over n."""
        if not self.family.parameters:
            return self.llf
        o = self.observations
        zeta = self.family.update_zeta(o.y, self.mu, o.weights, o.trials)
        return float(self.family.log_density(o.y, self.mu, o.weights, o.trials, zeta).sum())

    @property
    def criterion(self) -> float:
        """-2 log-likelihood."""
        return -2.0 * self.llf

    @property
    def sigma(self) -> float:
        """Root of the dispersion."""
        return float(np.sqrt(self.dispersion))

    @property
    def infinite(self) -> dict[str, int]:
        """Coefficients without a finite estimate, and which way they go: 1, -1, 0 for either."""
        return {} if self.separated is None else dict(self.separated.infinite)

    @property
    def converged(self) -> bool:
        """Whether a maximum was found."""
        return self.verdict == "converged"

    def without(self, gone: np.ndarray) -> GLMFit:
        """The fit without some of its rows."""
        design = self.design.of(others(self.n, gone))
        return fit_glm(design, observe(design, self.family), self.family)

    @cached_property
    def working_weights(self) -> np.ndarray:
        """mu'^2 / V(mu) times the weights, at dispersion one, (n,)."""
        observations = self.observations
        zeta = np.zeros_like(self.zeta) if self.family.free_dispersion else self.zeta
        # Rows stay exact where a mean is rounded to the border of its range.
        rows = self.family.rows(self.eta, observations.y, observations.weights, zeta)
        return rows.weight * self.family.dispersion(zeta)

    @cached_property
    def hat(self) -> np.ndarray:
        """Leverages, (n,): their sum is p, less the directions without information."""
        return self.working_weights * np.sum((self.design.X @ self.root) ** 2, axis=1)


def by_irls(family: Family) -> bool:
    """Whether iteratively reweighted least squares fits a family with one linear predictor."""
    return family.has_deviance and not (family.own_predictors and family.parameters)


def fit_glm(
    design: Design,
    observations: Observations,
    family: Family,
    *,
    seconds: dict[str, float] | None = None,
) -> GLMFit:
    """Fit a generalised linear model by iteratively reweighted least squares, without random terms.

    McCullagh and Nelder (1989), Generalized Linear Models, chapter 2; for the negative binomial
    Venables and Ripley (2002), Modern Applied Statistics with S, section 7.4.
    """
    clock = perf_counter()
    X, intercept = design.X, intercept_column(design.x_names)
    back = standardise(X, intercept, np.zeros(0), np.zeros(len(X))).back
    density = FamilyDensity(family, observations.y, observations.weights, observations.trials)
    maximum, zeta, se_zeta = _maximise(density, X @ back, design)
    mu = family.mean(maximum.eta, zeta)
    phi = 1.0 if family.free_dispersion else float(family.dispersion(zeta))
    deviance = _deviance(family, observations, mu, zeta)
    df_resid = len(X) - X.shape[1]
    dispersion = _dispersion(family, observations, mu, zeta, df_resid)
    verdict, message = _verdict(maximum, family)
    fit = GLMFit(
        design=design,
        family=family,
        observations=observations,
        beta=back @ maximum.c,
        unscaled=inverse_where_determined(maximum.information * phi, back, LOST_PIVOT),
        root=determined_root(maximum.information * phi, back, LOST_PIVOT),
        zeta=-np.log([dispersion]) if family.free_dispersion and dispersion > 0 else zeta,
        se_zeta=se_zeta,
        dispersion=dispersion,
        llf=_log_likelihood(density, maximum.eta, deviance, zeta),
        deviance=deviance,
        null_deviance=_null_deviance(design, density, observations, zeta, intercept),
        df_null=len(X) - (intercept is not None),
        df_resid=df_resid,
        eta=maximum.eta,
        mu=mu,
        maximum=maximum,
        verdict=verdict,
        message=message,
        seconds={**(seconds or {}), "optimise": perf_counter() - clock},
    )
    return with_separation_verdict(closed(fit))


def refit_glm(fit: GLMFit, y: np.ndarray) -> GLMFit:
    """The same model for another response, (n,): numbers, or proportions where there are trials."""
    design = fit.design.with_response(y)
    return fit_glm(design, observe(design, fit.family), fit.family)


def with_separation_verdict(fit: GLMFit) -> GLMFit:
    """The fit, with the verdict "separated" where coefficients have no finite estimate.

    The linear program is solved only where the fit gives cause: means at the border of their
    range and a direction without information, or no maximum found.
    """
    if fit.converged and not _at_border(fit):
        return fit
    arguments = fit.design.X, fit.observations, fit.family, fit.design.x_names
    separated = family_separation(*arguments, fit.mu)
    if separated is None and not fit.converged:  # means may have stopped on their way to the border
        separated = family_separation(*arguments)
    if separated is None:
        return fit
    return replace(fit, verdict="separated", message=separated.message, separated=separated)


def _at_border(fit: GLMFit) -> bool:
    """Whether means are at the border of their range and a direction is without information."""
    if not fit.p or np.linalg.eigvalsh(fit.maximum.information)[0] > NO_INFORMATION:
        return False
    ends = {"proportion": (0.0, 1.0), "count": (0.0,)}.get(fit.family.support or "", ())
    return any(bool((np.abs(fit.mu - end) < BORDER).any()) for end in ends)


def _maximise(
    density: FamilyDensity, Q: np.ndarray, design: Design
) -> tuple[Maximum, np.ndarray, np.ndarray]:
    """The maximum in the coefficients of Q, with zeta and its standard errors."""
    family = density.family
    start = family.start_mean(density.y, density.weights)
    if family.parameters and not family.free_dispersion:
        return maximise_with_theta(density, Q, design, start)
    zeta = np.zeros(len(family.parameters))
    eta = family.linear_predictor(start, zeta)
    return maximise_coefficients(density, Q, design, zeta, eta), zeta, np.full(len(zeta), np.nan)


def _deviance(
    family: Family, observations: Observations, mu: np.ndarray, zeta: np.ndarray
) -> float:
    return float(np.sum(family.deviance(observations.y, mu, observations.weights, zeta)))


def _dispersion(
    family: Family, observations: Observations, mu: np.ndarray, zeta: np.ndarray, df_resid: int
) -> float:
    """Pearson's X^2 over its degrees of freedom where free, as R's ``summary.glm``."""
    if not family.free_dispersion:
        return float(family.dispersion(zeta))
    if df_resid == 0:
        return float("nan")
    return float(np.sum(family.pearson(observations.y, mu, observations.weights, zeta))) / df_resid


def _log_likelihood(
    density: FamilyDensity, eta: np.ndarray, deviance: float, zeta: np.ndarray
) -> float:
    """As R's ``logLik.glm`` without weights: a free dispersion is deviance / n, there."""
    if density.family.free_dispersion:
        if deviance <= 0.0:
            return float("inf")
        zeta = np.log(np.array([density.n / deviance]))
    return density.rows(eta, zeta, True, order=0).total + density.constant(zeta)[0]


def _null_deviance(
    design: Design, density: FamilyDensity, o: Observations, zeta: np.ndarray, intercept: int | None
) -> float:
    """Deviance of the model with the intercept and the offset alone, as R has it."""
    family = density.family
    if intercept is None:
        eta = np.zeros(density.n) if design.offset is None else design.offset
        if not np.all(family.valid(eta)):
            return float("nan")
    elif design.offset is None:
        return _deviance(family, o, np.full(density.n, o.weights @ o.y / o.weights.sum()), zeta)
    else:
        start = family.linear_predictor(family.start_mean(o.y, o.weights), zeta)
        eta = maximise_coefficients(density, np.ones((density.n, 1)), design, zeta, start).eta
    return _deviance(family, o, family.mean(eta, zeta), zeta)


def _verdict(maximum: Maximum, family: Family) -> tuple[str, str]:
    limited = not np.all(family.valid(np.array([-1.0, 2.0])))
    if maximum.endless:
        return "not identified", (
            "the responses vary no more than a Poisson distribution lets them: theta goes to "
            "infinity and its value means nothing. Use family='poisson'"
        )
    if limited and (maximum.lost or not maximum.stopped):
        return "not converged", (
            "fitted means went to the border of their range, which the link "
            f"{family.link.name!r} does not keep them from: the likelihood still rises there and "
            "standard errors mean nothing. Try another link="
        )
    if maximum.lost:
        return "not identified", (
            "the data do not determine all coefficients: their information matrix is singular at "
            "the estimates. Leave out terms, or look for cells of the covariates where all "
            "responses agree"
        )
    if not maximum.stopped:
        return "not converged", (
            "iteratively reweighted least squares stopped before the maximum: the log-likelihood "
            f"can still rise by about {maximum.decrement:.2g}. Look for outliers, rescale the "
            "covariates, or try another link="
        )
    return "converged", f"converged in {maximum.iterations} iterations"
