"""Regressions: maximum likelihood without random effects, for all parameters of a family at once.

`glm` has those models that iteratively reweighted least squares fits, the textbook's; these are the
others: families with parameters beside mean and dispersion, and models in which such parameters
have linear predictors of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from time import perf_counter
from typing import ClassVar, Literal

import numpy as np

from ..design.design import Design
from ..design.predictor import MEAN, constant_predictor
from ..families.base import Family
from ..linalg.crossproducts.fixed import weighted_gram
from ..linalg.information import Information, determined_root
from ..linalg.threads import one_thread
from ..objective.generalised.regression import RegressionObjective
from ..optimize import Optimum, minimise
from .base import AtOptimum, WithoutEffects, closed, others
from .density import problem_of, with_parameters
from .glmm_estimates import without_information
from .observations import Observations, observe
from .predictors_fit import PredictorsEstimates, PredictorsFit
from .separation import explained
from .verdicts import coefficient_verdict, endless_coefficients


@dataclass(frozen=True, eq=False)
class RegressionFit(WithoutEffects, AtOptimum, PredictorsFit):
    """A model without random effects, fitted by maximum likelihood.

    With several linear predictors X, beta, eta and all that goes with them are those of the mean;
    `part` has the same of another one.
    """

    design: Design
    family: Family
    observations: Observations
    optimum: Optimum
    solution: PredictorsEstimates
    optimizer: str
    seconds: dict[str, float] = field(default_factory=dict)

    linear: ClassVar[Literal[False]] = False
    irls: ClassVar[Literal[False]] = False
    df_method = "normal"
    method = "ML"
    nAGQ = None
    expected = False
    re_scale = 1.0
    backend = "cholesky"

    @property
    def objective(self) -> RegressionObjective:
        """The criterion, a new one each time."""
        return make_objective(self.design, self.family, self.observations)

    @property
    def df_resid(self) -> int:
        """Rows less estimated parameters."""
        return self.n - self.n_parameters

    @property
    def df_null(self) -> int:
        """The same of the model whose mean has an intercept alone."""
        mean = self.design.predictors[MEAN]
        return self.df_resid + len(mean.names) - ("Intercept" in mean.names)

    @property
    def infinite(self) -> dict[str, int]:
        """Coefficients without a finite estimate, and which way they go: 1 or -1."""
        if self.verdict != "separated":
            return {}
        signs = np.sign(self.solution.beta).astype(int).tolist()
        known = dict(zip(self.parameter_names, signs, strict=True))
        lost = endless_coefficients(self).items()
        names = [n if name == MEAN else f"{name}~{n}" for name, own in lost for n in own]
        return {name: known[name] for name in names}

    def without(self, gone: np.ndarray) -> RegressionFit:
        """The fit without some of its rows."""
        design = self.design.of(others(self.n, gone))
        return fit_regression(design, self.family, observe(design, self.family))

    @cached_property
    def null_deviance(self) -> float:
        """Deviance of that model."""
        return _null(self).deviance

    @cached_property
    def hat(self) -> np.ndarray:
        """Leverages of the rows in the predictor of the mean, the others held, (n,)."""
        X, w = self.design.X, self.working_weights
        root = determined_root(weighted_gram(X, w))
        return w * np.sum((X @ root) ** 2, axis=1)


def make_objective(
    design: Design, family: Family, observations: Observations
) -> RegressionObjective:
    """The criterion of a design whose parameters have their predictors."""
    return RegressionObjective(problem_of(design, family, observations))


def fit_regression(
    design: Design,
    family: Family,
    observations: Observations,
    *,
    seconds: dict[str, float] | None = None,
) -> RegressionFit:
    """Fit a model without random terms by maximum likelihood, with the verdict on separation."""
    seconds = dict(seconds or {})
    clock = perf_counter()
    design = with_parameters(design, family)
    with explained(design, family, observations), one_thread(design.size):
        objective = make_objective(design, family, observations)
        optimum = minimise(objective)
    solution = closed(_estimates(objective, optimum))
    seconds["optimise"] = perf_counter() - clock
    fit = RegressionFit(
        design, family, observations, closed(optimum), solution, optimum.optimizer, seconds
    )
    verdict, message = coefficient_verdict(fit)
    return replace(fit, optimum=fit.optimum.judged(verdict, message)) if message else fit


def refit_regression(fit: RegressionFit, y: np.ndarray) -> RegressionFit:
    """The same model for another response, (n,): numbers, or proportions where there are trials."""
    design = fit.design.with_response(y)
    return fit_regression(design, fit.family, observe(design, fit.family, varying=True))


def _estimates(objective: RegressionObjective, optimum: Optimum) -> PredictorsEstimates:
    """All estimates, on the scale of the data."""
    x, problem = optimum.x, objective.problem
    eta, weight = objective.predictors(x), objective.rows(x).observed
    # the search leaves the curvature of the point before its last step
    H = 2.0 * problem.fixed.gram(weight)
    H = without_information(H, list(objective.endless(x, H)))
    return PredictorsEstimates(
        beta=problem.beta(x),
        slices=problem.slices,
        zeta=problem.parameters(eta, x, np.empty(0)),
        eta=eta,
        weight=weight,
        covariance=Information(H, problem.back),
    )


def _null(fit: RegressionFit) -> RegressionFit:
    """The fit with the intercept and the offset alone in the mean, or neither without intercept."""
    mean = fit.design.predictors[MEAN]
    ones = constant_predictor(fit.n)
    if "Intercept" not in mean.names:
        ones = replace(ones, X=ones.X[:, :0], names=())
    null = replace(mean, X=np.ascontiguousarray(ones.X), names=ones.names, terms=ones.terms)
    design = replace(fit.design, predictors={**fit.design.predictors, MEAN: null})
    return fit_regression(design, fit.family, fit.observations)
