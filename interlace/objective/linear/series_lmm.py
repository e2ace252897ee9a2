"""The objective of a linear mixed model one of whose terms is a series, whatever its length."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ...covariance import CovarianceModel
from ...linalg.crossproducts.linear import CrossProducts
from ..base import Evaluation, Objective
from .choose import choose_marginal
from .design_products import cross_products_of
from .deviance import Deviance, LevelSums, Profile
from .exact import LeastSquares, least_squares
from .lmm import LMMObjective, Solution
from .marginal import Marginal
from .series import SeriesMarginal
from .series_design import check_dense, series_parts
from .series_scale import Place, SeriesScale
from .series_start import series_start
from .series_variances import effect_variances, row_variances

__all__ = ["SeriesObjective"]

# Relative standard deviations of the series from which on, with so little information on their
# logarithms (standard errors of four and more), the residual variance counts as zero.
LARGE = 20.0
UNKNOWN = 0.1
# Relative standard deviation of the tail to start from.
TAIL_START = 0.5


class SeriesDeviance(Deviance):
    """The criterion as a function of theta of the series and the templates of the tail."""

    marginal: Any

    def corner(self, T: Any) -> tuple[float, np.ndarray]:
        return self.marginal.update(*T)

    def level_sums(self, profile: Profile) -> LevelSums:
        tail = self.marginal.tail
        return self.sums_of(self.weights(profile), () if tail is None else tail.widths)


class SeriesObjective(LMMObjective):
    """`LMMObjective` whose effort grows with the number of observed times, not with its cube.

    Gradients are exact; what else needs the dense templates of the series is left to ``dense``,
    the same model without regard to its structure.
    """

    curvature_is_cheap = False
    draws_sums = False
    scale: Any
    marginal: Any
    deviance: Any

    def __init__(self, design: Any, covariance: CovarianceModel, reml: bool, term: int) -> None:
        self.covariance, self.reml = covariance, reml
        self._own_design, self._gone = design, np.empty(0, dtype=np.intp)
        #: Levels of each grouping factor of the design.
        self.n_levels = [len(factor.levels) for factor in design.factors]
        self.parts = parts = series_parts(design, covariance, term)
        self.scale = SeriesScale(covariance, parts, parts.cross.z_roots[1:])
        self._set(parts.cross, SeriesMarginal(parts.cross, parts.chains))
        self._set_thresholds(parts.cross)

    def _set(self, cross: CrossProducts, marginal: Any) -> None:
        self.cross, self.marginal = cross, marginal
        self.deviance = SeriesDeviance(cross, marginal, self.reml)
        self.df, self._fused = self.deviance.df, None

    def as_ml(self) -> LMMObjective:
        other = self.fresh()
        other.reml = False
        other._set(other.cross, other.marginal)
        return other

    def without(self, gone: np.ndarray) -> LMMObjective:
        other = super().without(gone)
        kept = np.delete(np.arange(self.cross.n + self._gone.size), self._gone)
        other._gone = np.union1d(self._gone, kept[gone])  # type: ignore[attr-defined]
        return other

    def dense(self) -> LMMObjective:
        """The same model by dense templates; refused where these are too large."""
        check_dense(self.n_levels, self.covariance.widths)
        y = self.cross.response
        objective = LMMObjective(cross_products_of(self._own_design), self.covariance, self.reml)
        if self._gone.size:
            return objective.without(self._gone).with_response(y)
        return objective.with_response(y)

    # -- parameters -------------------------------------------------------------------------

    def start(self) -> np.ndarray:
        x = np.empty(self.covariance.n_theta)
        x[self.scale.series] = series_start(self.cross, self.parts.chains)
        if self.scale.tail is not None:
            width = sum(self.marginal.tail.widths)
            x[self.scale.rest] = self.scale.tail.start(np.full(width, TAIL_START**2))
        return x

    def x_in_units(self, theta: np.ndarray) -> np.ndarray:
        return self.x(theta)

    def other_starts(self, x: np.ndarray) -> list[np.ndarray]:
        return []

    def rounding(self, x: np.ndarray) -> float:
        return 0.0

    def at_infinity(self, x: np.ndarray, curvature: np.ndarray) -> list[str]:
        sd, at = x[self.scale.series][:-1], self.scale.series.start
        known = np.diagonal(curvature)[at : at + sd.size] * sd**2
        if not ((sd > LARGE) & (known < UNKNOWN)).any():
            return super().at_infinity(x, curvature)
        name = self.covariance.terms[self.parts.term].structure.name
        residual = "car1" if name == "ou" else "ar1"
        return [
            f"the residual variance is estimated as zero beside that of the {name}() effects, "
            "which explain each row: where a time has one row in a group, errors of its own cannot "
            "be told from a series without correlation. Leave the term out, or let it be the "
            f"correlation of the residuals, correlation='{residual}(time | g)'"
        ]

    def release(self) -> None:
        self._set(self.cross, self.marginal.fresh())

    # -- the criterion ----------------------------------------------------------------------

    def _templates(self, x: np.ndarray) -> Any:
        return self.scale.place(x)

    def brought_to(self, x: np.ndarray) -> tuple[Place, Profile]:
        """The place of x with its profile, the marginal brought to it."""
        place, profile = self._at(x)
        return cast("Place", place), profile

    def _least_squares(self) -> LeastSquares:
        # any effects will do that explain as much
        return least_squares(self.cross, choose_marginal(self.cross))

    def _evaluate(self, x: np.ndarray, order: int) -> Evaluation:
        place, profile = self.brought_to(x)
        if order == 0:
            return Evaluation(profile.value)
        gradient = self.gradient_at(x, place, self.deviance.weights(profile))
        if order == 1:
            return Evaluation(profile.value, gradient)
        return Evaluation(profile.value, gradient, self.hessian(x), True)

    def gradient_at(self, x: np.ndarray, place: Any, Q: np.ndarray) -> np.ndarray:
        out = np.empty(x.size)
        out[self.scale.series] = self.marginal.gradient(Q)
        if self.scale.tail is not None:
            sums = self.deviance.sums_of(Q, self.marginal.tail.widths)
            directions = self.scale.tail.directions(x[self.scale.rest])
            out[self.scale.rest] = self.deviance.gradient(place[1], directions, sums)
        return out

    def hessian(self, x: np.ndarray) -> np.ndarray:
        return Objective.hessian(self, x)

    def variance_derivatives(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        place, profile = self.brought_to(x)
        m, p = self.cross.p + 1, self.cross.p
        Y = np.empty((x.size, m, m))
        Y[self.scale.series] = self.marginal.moments()
        if self.scale.tail is not None:
            sums = self.deviance.level_sums(profile)
            directions = self.scale.tail.directions(x[self.scale.rest])
            own = self.deviance.variance_slopes(place[1], directions, profile, sums)[1]
            Y[self.scale.rest] = own
        return -(Y @ profile.c @ profile.c), Y[:, :p, :p]

    # -- at the optimum ---------------------------------------------------------------------

    def without_residual(self, x: np.ndarray) -> tuple[np.ndarray, Solution]:
        self._exact = True
        solution = self.dense().without_residual(self.scale.theta(x))[1]
        return self.scale.x(self.covariance.start()), solution

    def row_variances(self, x: np.ndarray, X: np.ndarray, factors: Any, masks: Any) -> np.ndarray:
        return row_variances(self, x, X, factors, masks)

    def effect_variances(self, x: np.ndarray, b: int) -> np.ndarray:
        return effect_variances(self, x, b)

    def marginal_at(self, x: np.ndarray) -> Marginal:
        dense = self.dense()
        return dense.marginal_at(dense.x(self.scale.theta(x)))

    def _effects(self, x: np.ndarray, place: Place, c: np.ndarray) -> tuple[np.ndarray, ...]:
        """u of all grouping factors at all times, (l_b, k_b) each."""
        chains, (theta, T) = self.parts.chains, place
        a = chains.modes_at_all_times(self.marginal.modes(c), theta)
        tail = [(self.marginal.projected(b) @ c) @ t for b, t in enumerate(T)]
        whole = chains.innovations(a, theta)
        return tuple(self.parts.by_factor(self.covariance, self.n_levels, whole, tail))

    def solution(self, x: np.ndarray) -> Solution:
        place, profile = self.brought_to(x)
        return self._solution(
            profile, tuple(self.scale.templates(x)), self._effects(x, place, profile.c)
        )
