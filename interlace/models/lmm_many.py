"""A linear mixed model fitted to many responses by compiled searches, where there are any."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..covariance.structures import SINGULAR_TOLERANCE
from ..linalg.crossproducts.drawn import with_own_response
from ..linalg.threads import one_thread
from ..objective import LMMObjective
from ..objective.linear.lmm import Minima
from ..objective.theta_scale import SNAP_TOLERANCE
from ..optimize import Optimum
from ..optimize.minimise import LOWER
from ..optimize.trust_region import PROMISE_EXACT
from .lmm import LMMFit
from .many import Estimates, Other, filled, verdicts_of

__all__ = ["LinearSearches", "estimates_of_rows", "searches_of_rows"]

RULE = SNAP_TOLERANCE, PROMISE_EXACT, LOWER


class LinearSearches:
    """Refits of a model whose criterion is compiled from the sums of responses; for one thread.

    ``objective`` has cross-products of its own for these sums: they are written to.
    """

    def __init__(self, fit: LMMFit, objective: LMMObjective) -> None:
        self.fit, self.objective = fit, objective
        self._bounded = fit.scale.lower_bounds() == 0.0
        self._jacobian = fit.scale.jacobian()

    @staticmethod
    def possible(fit: LMMFit) -> bool:
        """Whether an evaluation is one call of a kernel, and searches start at the estimates."""
        return fit.warm is not None and fit.scale.units is None and fit._shared.is_fused

    def minima(self, sums: tuple[np.ndarray, ...], least: np.ndarray | None = None) -> Minima:
        """See `LMMObjective.minima`; started at the estimates of the fit."""
        return self.objective.minima(sums, least, self.fit.x, RULE)

    def estimates(
        self,
        sums: tuple[np.ndarray, ...],
        gamma: np.ndarray,
        least: np.ndarray | None,
        other: Callable[[int], Other],
    ) -> Estimates:
        """Estimates for each response; ``gamma`` (m, p) or (p,) were taken from them.

        ``other`` fits response i where a compiled search is not sure of its minimum.
        """
        found = self.minima(sums, least)
        x, objective = found.x, self.objective
        sure = found.sure.astype(bool)
        verdicts = verdicts_of(objective, x, self._bounded, sure)
        back = objective.cross.standardisation.back
        with np.errstate(invalid="ignore"):
            sigma = np.sqrt(found.r2 / objective.df)
        theta = self.fit.scale.clean(x) @ self._jacobian.T
        beta = (gamma - found.coefficients) @ back.T
        out = Estimates(theta, beta, sigma, found.value, verdicts, [None] * len(x))
        return filled(out, sure, other)

    def optimum(self, found: Minima, i: int) -> Optimum | None:
        """The record of one of the searches, while the objective has the sums of its response."""
        if not found.sure[i] or (found.x[i, self._bounded] < SINGULAR_TOLERANCE).any():
            return None
        return Optimum(
            x=found.x[i].copy(),
            value=float(found.value[i]),
            gradient=found.gradient[i].copy(),
            curvature=found.curvature[i].copy(),
            evaluations=1,
            optimizer="newton",
            log=(),
            parameters=self.objective.parameters,
            _objective=self.objective,
        )


def searches_of_rows(fit: LMMFit) -> LinearSearches:
    """Searches whose sums are made of rows."""
    objective = fit.objective
    own = with_own_response(objective.cross, objective.cross.standardisation.gamma)
    return LinearSearches(fit, objective.with_sums(own))


def estimates_of_rows(
    searches: LinearSearches, Y: np.ndarray, other: Callable[[int], Other]
) -> Estimates:
    """Estimates for responses Y (m, n)."""
    fit, objective = searches.fit, searches.objective
    offset = fit.design.offset
    with one_thread(Y.size):
        turned = fit._shared.cross.turned_responses(Y if offset is None else Y - offset)
    least = objective.least_residuals(turned.total, turned.rest)
    sums = turned.effects, turned.within, turned.squares
    return searches.estimates(sums, turned.gamma, least, other)
