"""The interface of all fits, and what those of mixed models share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ..covariance import CovarianceModel
from ..design.design import Design
from ..design.indicators import row_products, row_spread
from ..design.predictor import MEAN
from ..frames.columns import read_only
from ..objective.theta_scale import ThetaScale
from ..optimize import Optimum

if TYPE_CHECKING:
    from ..families.base import Family
    from ..linalg.factor.base import Factor
    from ..objective.linear.marginal import Marginal
    from .observations import Observations


def weighted_sums(y: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """Sums of the weights w, of w y and of w y^2."""
    return float(weights.sum()), float(weights @ y), float(weights @ (y * y))


def moments_of(n: int, total: float, first: float, second: float) -> tuple[float, float, float]:
    """Rows, weighted mean and root mean square from `weighted_sums`."""
    return float(n), first / total, float(np.sqrt(second / total))


def closed(record: Any) -> Any:
    """The record, its arrays, alone or in tuples, closed to writers."""
    for value in vars(record).values():
        if isinstance(value, np.ndarray):
            read_only(value)
        elif isinstance(value, tuple):
            for part in value:
                if isinstance(part, np.ndarray):
                    read_only(part)
    return record


def others(n: int, gone: np.ndarray) -> np.ndarray:
    """Which of n rows remain, (n,) booleans, without those at some positions."""
    kept = np.ones(n, dtype=bool)
    kept[gone] = False
    return kept


class BaseFit(ABC):
    """A fitted model, whatever its kind: a record that nobody can write to.

    Attributes
    ----------
    design : Design
        Data and names.
    family : Family
        Distribution and link; of a linear model the Gaussian with the identity.
    observations : Observations
        The response as the family takes it, with weights and trials.
    beta : ndarray, shape (p,)
        Fixed-effects coefficients.
    cov_beta : ndarray, shape (p, p)
        Their covariance matrix.
    zeta : ndarray, shape (m,)
        Linear predictors, mostly logarithms, of the family's estimated parameters; (m, n) where
        they differ between rows.
    sigma, dispersion : float
        Of the family; 1 where it has none, NaN where they differ between rows.
    theta : ndarray, shape (n_theta,)
        Covariance parameters, lme4's order and scale; empty without random effects.
    T : tuple of ndarray, shape (k_b, k_b)
        Template of each grouping factor.
    b : tuple of ndarray, shape (l_b, k_b)
        Conditional modes.
    eta, mu : ndarray, shape (n,)
        Linear predictor, offset and random effects included, and fitted means.
    fixed_part, random_part : ndarray, shape (n,)
        X beta plus the offset, and Z b: together eta.
    working_weights : ndarray, shape (n,)
        Weights of the least squares problem at the estimates.
    deviance : float
        R's; not the criterion of a generalised model.
    llf, criterion : float
        Log-likelihood, or the restricted one, and minus twice it.
    converged : bool
    verdict, message : str
        The verdict, in one word and in full.
    linear : bool
        Whether it is a linear mixed model: sigma is that of a residual, theta is relative to it.
    irls : bool
        Whether it is a model without random effects that iteratively reweighted least squares fits:
        the dispersion is estimated apart, and deviances are what models differ by.
    ordered : bool
        Whether the response are ordered categories, between thresholds.
    has_rows : bool
        Whether the rows of the data are in memory, not sums of them alone.
    method : {"REML", "ML"}
    df_method : {"satterthwaite", "residual", "normal"}
        Where t tests take their degrees of freedom unless told otherwise: R's choice.
    nAGQ : int or None
        Nodes of the approximation of the likelihood; None where it is exact.
    expected : bool
        Whether expected information is in the determinant of that approximation.
    re_scale : float
        Standard deviations of random effects are this times those of T T'.
    phi : ndarray, shape (m,)
        Parameters of the covariance of residuals, of linear models that have one.
    seconds : dict
        Wall time by stage.
    optimizer, backend : str
    """

    design: Design
    method: str
    seconds: dict[str, float]
    optimizer: str
    backend: str
    nAGQ: int | None
    expected: bool
    linear: ClassVar[bool]
    irls: ClassVar[bool] = False
    #: Parameters of the covariance of residuals as the search has them, (m,).
    phi: ClassVar[np.ndarray] = np.zeros(0)
    ordered: ClassVar[bool] = False
    #: Whether the rows of the data are in memory, not sums of them alone.
    has_rows: ClassVar[bool] = True

    if TYPE_CHECKING:  # fields of some records, properties of others

        @property
        def family(self) -> Family: ...
        @property
        def observations(self) -> Observations: ...
        @property
        def df_method(self) -> str: ...
        @property
        def theta(self) -> np.ndarray: ...
        @property
        def llf(self) -> float: ...
        @property
        def mu(self) -> np.ndarray: ...
        @property
        def working_weights(self) -> np.ndarray: ...

    @property
    def is_reml(self) -> bool:
        """Whether it was fitted by REML."""
        return self.method == "REML"

    @property
    def n(self) -> int:
        """Rows used."""
        return self.design.shape[0]

    @property
    def p(self) -> int:
        """Fixed-effects coefficients."""
        return self.design.shape[1]

    @property
    def n_parameters(self) -> int:
        """Estimated parameters: coefficients, theta and those of the family (lme4's df)."""
        return self.p + self.theta.size + len(self.family.parameters)

    @property
    def component_predictors(self) -> tuple[str, ...]:
        """Linear predictors, and thresholds, that have coefficients."""
        return tuple(self.design.predictors)

    @property
    def llf_maximum(self) -> float:
        """The largest log-likelihood of all parameters, which likelihood ratios compare."""
        return self.llf

    @property
    def response_moments(self) -> tuple[float, float, float]:
        """Rows, weighted mean of the response, and its root mean square."""
        o = self.observations
        return moments_of(len(o.y), *weighted_sums(o.y, o.weights))

    def weighted(self, values: np.ndarray) -> np.ndarray:
        """Rows (n, c) times the inverse of their covariance, in units of the scale."""
        return values * self.working_weights[:, None]

    def as_ml(self) -> Self:
        """The fit by maximum likelihood: itself unless it is one by REML."""
        return self

    @abstractmethod
    def without(self, gone: np.ndarray) -> Self:
        """The fit without some of its rows, (r,) positions, started at the old estimates."""

    @property
    def fitted(self) -> np.ndarray:
        """Fitted means, random effects included, (n,)."""
        return self.mu


class AtOptimum:
    """The criterion of a fit and the verdict on it, those of its optimum."""

    if TYPE_CHECKING:

        @property
        def optimum(self) -> Optimum: ...

    @property
    def criterion(self) -> float:
        """-2 log-likelihood (ML) or REML criterion."""
        return self.optimum.value

    @property
    def llf(self) -> float:
        """Log-likelihood, or the restricted one (-criterion / 2)."""
        return -0.5 * self.criterion

    @property
    def converged(self) -> bool:
        """Whether an optimum was found that can be relied on."""
        return self.optimum.converged

    @property
    def verdict(self) -> str:
        """The verdict on the optimum."""
        return self.optimum.verdict

    @property
    def message(self) -> str:
        """The verdict in words."""
        return self.optimum.message


class WithoutEffects:
    """A fit without random effects, beside those that have some: ``eta`` is the fixed part."""

    if TYPE_CHECKING:

        @property
        def n(self) -> int: ...
        @property
        def eta(self) -> np.ndarray: ...

    @property
    def theta(self) -> np.ndarray:
        """No covariance parameters."""
        return np.zeros(0)

    @property
    def T(self) -> tuple[np.ndarray, ...]:
        """No templates."""
        return ()

    @property
    def b(self) -> tuple[np.ndarray, ...]:
        """No random effects."""
        return ()

    @property
    def fixed_part(self) -> np.ndarray:
        """X beta plus the offset, (n,)."""
        return self.eta

    @property
    def random_part(self) -> np.ndarray:
        """Zeros, (n,)."""
        return np.zeros(self.n)


class BaseMixedFit(AtOptimum, BaseFit):
    """A fitted mixed model, whatever its likelihood.

    Attributes
    ----------
    covariance : CovarianceModel
        theta <-> templates.
    optimum : Optimum
        What the optimiser did, with the certificate.
    scale : ThetaScale
        theta <-> the first parameters of the optimiser.
    """

    covariance: CovarianceModel
    optimum: Optimum
    scale: ThetaScale

    @property
    def predictor(self) -> str:
        """Name of the linear predictor that X, beta and eta belong to."""
        return MEAN

    @property
    def index(self) -> int:
        """The place of that linear predictor among all."""
        return 0

    @property
    def several(self) -> bool:
        """Whether parameters of the family have linear predictors of their own."""
        return False

    @property
    @abstractmethod
    def solution(self) -> Any:
        """All estimates at the optimum: T, beta, u and more."""

    @property
    def theta(self) -> np.ndarray:
        """Relative covariance parameters, lme4's order and scale, (n_theta,)."""
        return self.scale.theta(self.x[: self.covariance.n_theta])

    @property
    def T(self) -> tuple[np.ndarray, ...]:
        """Template of each grouping factor, (k_b, k_b)."""
        return self.solution.T

    @property
    def beta(self) -> np.ndarray:
        """Fixed-effects coefficients, (p,)."""
        return self.solution.beta

    @property
    def u(self) -> tuple[np.ndarray, ...]:
        """Spherical conditional modes, (l_b, k_b) per grouping factor."""
        return self.solution.u

    @property
    @abstractmethod
    def cov_beta(self) -> np.ndarray:
        """Their covariance matrix, (p, p)."""

    @property
    @abstractmethod
    def sigma(self) -> float:
        """Residual standard deviation, or what takes its place."""

    @property
    def x(self) -> np.ndarray:
        """The parameters as the objective takes them."""
        return self.optimum.x

    @property
    def theta_sizes(self) -> list[np.ndarray]:
        """Standard deviations of the effects of standardised covariates, (k_b,) per factor."""
        return self.scale.sizes(self.x[: self.covariance.n_theta])

    @cached_property
    def b(self) -> tuple[np.ndarray, ...]:
        """Conditional modes, (l_b, k_b) per grouping factor."""
        return tuple(read_only(u @ T.T) for u, T in zip(self.u, self.T, strict=True))

    @cached_property
    def fixed_part(self) -> np.ndarray:
        """X beta plus the offset, (n,)."""
        eta = self.design.X @ self.beta
        return read_only(eta if self.design.offset is None else eta + self.design.offset)

    @cached_property
    def random_part(self) -> np.ndarray:
        """Z b, (n,)."""
        out = np.zeros(self.n)
        for factor, b in zip(self.design.factors, self.b, strict=True):
            own = factor.predictor == self.index
            if factor.intercept_only and own[0]:
                out += b[:, 0][factor.codes]
            elif own.any():
                out += row_products(factor.Z[:, own], factor.codes, b[:, own])
        return read_only(out)

    @property
    def fixed_variance(self) -> float:
        """Variance of X beta over the rows."""
        predicted = self.design.X @ self.beta
        return float(np.var(predicted - predicted[0], ddof=1))  # exactly 0 of a constant

    def mean_spread(self, b: int) -> float:
        """Mean of z'TT'z over the rows, for the predictor's columns of one grouping factor."""
        factor, T = self.design.factors[b], self.T[b]
        own = factor.predictor == self.index
        return float(np.mean(row_spread(factor.Z[:, own], T[own])))

    @abstractmethod
    def factor_at_optimum(self) -> Marginal | Factor:
        """The factorisation of M = Lambda'Z'WZ Lambda + I at theta, W the working weights."""

    def series_effects(self) -> Any:
        """The random effects given all parameters where they are those of a long series."""
        return None

    @abstractmethod
    def cond_cov(self, b: int) -> np.ndarray:
        """Covariances of the modes given all parameters, (l_b, k_b, k_b): s^2 T (M^{-1})_ll T'.

        s is the scale of the random effects, `re_scale`.
        """

    def cond_variances(self, b: int) -> np.ndarray:
        """Variances of the modes given all parameters, (l_b, k_b)."""
        return np.diagonal(self.cond_cov(b), axis1=1, axis2=2)

    @property
    def theta_standard(self) -> np.ndarray:
        """theta for standardised covariates, in the unit of the predictors, (n_theta,).

        What is zero is judged on it, so that units of covariates do not matter.
        """
        return self.scale.standard(self.x[: self.covariance.n_theta])
