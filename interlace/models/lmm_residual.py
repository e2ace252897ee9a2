"""`ResidualFit`: a linear model whose residuals are correlated or of unequal variance.

It may have no random effects: generalised least squares. Where the variance depends on the fitted
values (random effects included) these are held while the parameters are estimated, and taken anew
until they stay: nlme's definition. The criterion is then that of the last fitted values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Any, cast

import numpy as np

from ..covariance import CovarianceModel
from ..covariance.residual import ResidualModel, ResidualRoot
from ..design.design import Design
from ..design.residual import ResidualDesign, check_covariate
from ..frames.columns import read_only
from ..linalg.crossproducts.whitened import rows_to_whiten
from ..linalg.threads import one_thread
from ..objective.linear.design_products import linear_rows
from ..objective.linear.no_effects import NoEffects
from ..objective.linear.residual import ResidualObjective
from ..optimize import Optimum
from .base import closed, others
from .lmm import LMMFit, fit_objective
from .observations import Observations

__all__ = ["ResidualFit", "fit_residual"]

# Fitted values stay where none moves by more than this share of their root mean square.
SETTLED = 1e-9
MAX_ROUNDS = 60


@dataclass(frozen=True, eq=False)
class ResidualFit(LMMFit):
    """A fitted linear model with a covariance of its residuals.

    Attributes
    ----------
    anchor : ndarray, shape (n,), or None
        The fitted values that its variance was made of.
    """

    anchor: np.ndarray | None = None

    def __getstate__(self) -> dict:
        state = super().__getstate__()
        return {k: v for k, v in state.items() if k not in ("residual", "root", "sd")}

    @property
    def of_rows(self) -> ResidualDesign:
        """Times, groups and covariates of the rows."""
        assert self.design.residual is not None
        return self.design.residual

    @cached_property
    def residual(self) -> ResidualModel:
        """The covariance of the residuals, of the rows by group and time."""
        return self.of_rows.model(self.anchor)

    @cached_property
    def _shared(self) -> ResidualObjective:
        if self._objective is not None:
            return cast("ResidualObjective", self._objective)
        objective = objective_of(
            self.design, self.residual, self.covariance, self.is_reml, self.backend
        )
        if self.scale.units is not None:
            objective.enlarge(self.scale.units)
        return objective

    @property
    def phi(self) -> np.ndarray:  # type: ignore[override]
        """Parameters of the residual covariance as the search has them, (m,)."""
        return self.x[self.covariance.n_theta :]

    @property
    def n_parameters(self) -> int:
        return super().n_parameters + self.phi.size

    @property
    def re_scale(self) -> float:
        """sigma of the search: random effects are in units of it."""
        return self.solution.sigma

    @property
    def sigma(self) -> float:
        """Residual standard deviation where the functions of the variance are one."""
        return self.re_scale * float(np.exp(-self.residual.shift @ self.phi))

    @cached_property
    def root(self) -> ResidualRoot:
        """W, R = sigma^2 W^{-1}W^{-T}, sigma that of the search and rows by group and time."""
        return self.residual.at(self.phi)

    @cached_property
    def sd(self) -> np.ndarray:
        """Standard deviations of the residuals, prior weights aside, (n,)."""
        log_sd = self.residual.log_sd(self.phi)
        if log_sd is None:
            return read_only(np.full(self.n, self.sigma))
        return read_only(self.re_scale * self.unsorted(np.exp(log_sd)))

    def new_sd(self, newdata: Any, fitted: np.ndarray, phi: np.ndarray | None = None) -> np.ndarray:
        """Standard deviations of residuals of new rows, (r,), at their ``fitted`` values.

        Missing for levels that have none in the fit. With ``phi`` at other parameters than those of
        the fit, in units of the same `re_scale`.
        """
        own, model = self.of_rows, self.residual
        phi = self.phi if phi is None else phi
        out = np.full(len(fitted), np.log(self.re_scale) - model.shift @ phi)
        if not own.spec.variance:
            return np.exp(out)
        assert self.design.recipe is not None
        natural = model.natural(phi)
        parts = own.new_variance(self.design.recipe, newdata)
        for f, s, term, (v, codes) in zip(
            model.functions,
            model.natural_slices[model.first :],
            own.spec.variance,
            parts,
            strict=True,
        ):
            known = np.zeros(len(out), dtype=int) if codes is None else codes
            value = fitted if v is None and term.covariates else v
            with np.errstate(divide="ignore"):
                own_sd = f.log_sd_of(
                    natural[s], value, None if codes is None else np.maximum(known, 0)
                )
            out = out + np.where(known < 0, np.nan, own_sd)
        return np.exp(out)

    def unsorted(self, values: np.ndarray) -> np.ndarray:
        """Values of the rows by group and time in the order of the data."""
        order = self.of_rows.order
        if order is None:
            return values
        out = np.empty_like(values)
        out[order] = values
        return out

    def whitened(self, values: np.ndarray) -> np.ndarray:
        """W values, (n,) or (n, c), with the prior weights; rows by group and time."""
        weights = self.design.weights
        if weights is not None:
            values = (values.T * np.sqrt(weights)).T
        values = self.of_rows.sorted(values)
        return self.root.whiten(values.reshape(self.n, -1)).reshape(values.shape)

    def noise(self, draws: np.ndarray) -> np.ndarray:
        out = self.unsorted(self.root.colour(self.of_rows.sorted(draws.T)))
        if self.design.weights is not None:
            out = out / np.sqrt(self.design.weights)[:, None]
        return self.re_scale * out.T

    def normalised(self) -> np.ndarray:
        return self.unsorted(self.whitened(self.design.y - self.mu)) / (self.re_scale or np.nan)

    def weighted(self, values: np.ndarray) -> np.ndarray:
        root = 1.0 if self.design.weights is None else np.sqrt(self.design.weights)
        values = self.of_rows.sorted((values.T * root).T)
        return (self.unsorted(self.root.precision(values)).T * root).T

    @cached_property
    def observations(self) -> Observations:
        """The response, with weights that have the function of the variance in them."""
        ones, weights = np.ones(self.n), self.design.weights
        weights = ones if weights is None else weights
        weights = weights * (self.sigma / self.sd) ** 2
        return closed(Observations(self.design.y, weights, ones, weights))

    @property
    def working_weights(self) -> np.ndarray:
        """Inverse variances of the rows, (n,), times the square of `re_scale`."""
        return self.observations.weights * (self.re_scale / self.sigma) ** 2

    @property
    def hat(self) -> np.ndarray:
        """Leverages of a model without random effects and correlations, (n,)."""
        rows = self.design.X @ (self.cov_beta / self.re_scale**2)
        return self.working_weights * np.sum(rows * self.design.X, axis=1)

    def without(self, gone: np.ndarray) -> ResidualFit:
        design = self.design.of(others(self.n, gone), all_levels=True)
        return self._again(design)

    def refitted(self, y: np.ndarray) -> ResidualFit:
        if self.of_rows.spec.fitted:
            return self._again(self.design.with_response(y))
        return cast("ResidualFit", super().refitted(y))

    def as_ml(self) -> ResidualFit:
        if self.is_reml and self.of_rows.spec.fitted:
            return self._again(self.design, reml=False)
        return cast("ResidualFit", super().as_ml())

    def _again(self, design: Design, reml: bool | None = None) -> ResidualFit:
        """The same model of another design, started at these estimates."""
        start = (
            Start(self.theta, self.residual.natural(self.phi)) if self.warm is not None else None
        )
        reml = self.is_reml if reml is None else reml
        return _fit(design, reml, self.optimizer, start, self.backend, {})


@dataclass(frozen=True)
class Start:
    """Where a search starts: theta and the natural parameters of the residual covariance."""

    theta: np.ndarray | None
    natural: np.ndarray | None = None

    def x(self, objective: ResidualObjective) -> np.ndarray:
        """As the objective takes it."""
        phi = objective.residual.start()
        if self.natural is not None:
            phi = objective.residual.x_of(self.natural)
        if self.theta is None:
            return np.concatenate([objective.start()[: objective.q], phi])
        return np.concatenate([objective.x_in_units(self.theta)[: objective.q], phi])


def objective_of(
    design: Design,
    residual: ResidualModel,
    covariance: CovarianceModel,
    reml: bool,
    backend: str | None,
) -> ResidualObjective:
    """The objective of a design."""
    assert design.residual is not None
    with one_thread(design.size):
        rows = rows_to_whiten(linear_rows(design), design.residual.order)
    return ResidualObjective(rows, covariance, residual, reml, backend)


def fit_residual(
    design: Design,
    *,
    reml: bool,
    optimizer: str = "newton",
    theta0: Any = None,
    backend: str | None = None,
    seconds: dict[str, float] | None = None,
) -> ResidualFit:
    """Fit a linear model with a residual covariance: arguments as those of `fit_lmm`."""
    start = None
    if theta0 is not None and design.factors:
        theta = CovarianceModel.of(design).given_start(theta0)
        start = None if theta is None else Start(theta)
    return _fit(design, reml, optimizer, start, backend, dict(seconds or {}))


def _fit(
    design: Design,
    reml: bool,
    optimizer: str,
    start: Start | None,
    backend: str | None,
    seconds: dict[str, float],
) -> ResidualFit:
    assert design.residual is not None
    clock = perf_counter()
    backend = None if backend == "none" else backend
    covariance = CovarianceModel.of(design) if design.factors else NoEffects()
    if design.residual.spec.fitted:
        return _by_rounds(design, covariance, reml, optimizer, start, backend, seconds)
    objective = objective_of(design, design.residual.model(), covariance, reml, backend)
    seconds["cross-products"] = perf_counter() - clock
    x = None if start is None else start.x(objective)
    return fit_objective(design, objective, optimizer, x, seconds, ResidualFit)


def _by_rounds(
    design: Design,
    covariance: CovarianceModel,
    reml: bool,
    optimizer: str,
    start: Start | None,
    backend: str | None,
    seconds: dict[str, float],
) -> ResidualFit:
    """The fit at which the fitted values of the variance are those of the fit."""
    assert design.residual is not None
    # those of the model without what depends on them are near
    objective = objective_of(design, design.residual.model(), covariance, reml, backend)
    fit = fit_objective(design, objective, optimizer, None, seconds, ResidualFit)
    anchor = np.array(fit.mu)
    for _ in range(MAX_ROUNDS):
        _check_fitted(design, anchor)
        objective = objective.with_model(design.residual.model(anchor))
        x = None if start is None else start.x(objective)
        fit = fit_objective(design, objective, optimizer, x, seconds, ResidualFit)
        fit = replace(fit, anchor=read_only(anchor))
        moved = np.abs(fit.mu - anchor).max() / np.sqrt(np.mean(fit.mu**2))
        if moved <= SETTLED or not fit.converged:
            return fit
        anchor, start = np.array(fit.mu), None
        if fit.warm is not None and not fit.optimum.singular:
            start = Start(fit.theta, fit.residual.natural(fit.phi))
    text = (
        "the variance depends on the fitted values, and these have not settled in "
        f"{MAX_ROUNDS} rounds; take a covariate of the data in their place"
    )
    return replace(fit, optimum=_judged(fit.optimum, text))


def _judged(optimum: Optimum, text: str) -> Optimum:
    return closed(optimum.judged("not converged", text))


def _check_fitted(design: Design, anchor: np.ndarray) -> None:
    assert design.residual is not None
    for term, value in zip(design.residual.spec.variance, design.residual.values, strict=True):
        if value is None and term.covariates:
            check_covariate(term, anchor, design.index)
