"""Draws from a linear mixed model and their fits, by the sums that the criterion is made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..linalg.crossproducts.drawn import DrawnSums, drawn_sums
from ..objective import LMMObjective
from ..objective.linear.lmm import Minima
from ..optimize import Optimum
from .lmm import LMMFit, fit_at, search
from .lmm_many import LinearSearches
from .many import Estimates, Other, filled

__all__ = ["LinearDraws"]

# Relative standard deviations of random effects from which on sums may lose digits that rows keep.
LARGE = 10.0


class LinearDraws:
    """Responses drawn from a fit, refitted one after the other; for one thread.

    ``draw`` makes the sums of several, ``estimates`` fits the model to all of them and ``refit(i)``
    makes the record of one. ``use_u`` keeps the random effects at their modes.
    """

    def __init__(self, fit: LMMFit, use_u: bool = False) -> None:
        self.fit, self.use_u = fit, use_u
        objective = fit.objective
        std = objective.cross.standardisation
        gamma = np.linalg.solve(std.back, fit.beta) if fit.p else std.gamma
        sums = drawn_sums(objective.cross, gamma)
        assert sums is not None
        self._sums: DrawnSums = sums
        self._templates = objective.scale.templates(fit.x)
        self.objective: LMMObjective = objective.with_sums(sums.cross)
        self._start = fit.x if fit.scale.inside(fit.x) else None
        self._searches: LinearSearches | None = None
        if LinearSearches.possible(fit):
            self._searches = LinearSearches(fit, self.objective)
        self._gamma = gamma
        self._drawn: tuple[Any, ...] = ()
        self._minima: Minima | None = None

    @staticmethod
    def possible(fit: LMMFit) -> bool:
        """Whether sums are worth drawing, and lose nothing that rows would keep."""
        if not fit.sigma > 0.0 or fit.scale.units is not None or fit.phi.size or not fit.T:
            return False
        if max((float(s.max()) for s in fit.theta_sizes), default=0.0) > LARGE:
            return False
        objective = fit.objective
        if not objective.draws_sums:
            return False
        cross = objective.cross
        return drawn_sums(cross, cross.standardisation.gamma) is not None

    def draw(self, rng: np.random.Generator, m: int) -> None:
        """Draw m responses."""
        sigma, z = self.fit.sigma, self.objective.cross.z
        b = []
        for factor, T in enumerate(self._templates):
            shape = z.n_levels[factor], z.widths[factor]
            if self.use_u:
                u = self.fit.u[factor] @ T.T
                b.append(np.broadcast_to(u, (m, *shape)))
            else:
                b.append(sigma * rng.standard_normal((m, *shape)) @ T.T)
        self._drawn, self._minima = self._sums.draw(rng, m, sigma, b), None

    def estimates(self, count: int) -> Estimates:
        """Estimates from the first ``count`` of the responses drawn."""
        if self._searches is not None:
            return self._searches.estimates(self._of(count), self._gamma, None, self._other)
        out = Estimates.empty(count, self.fit.theta.size, self.fit.p)
        return filled(out, np.zeros(count, dtype=bool), self._other)

    def refit(self, i: int) -> LMMFit:
        """The whole record for response i, valid until the next is fitted: it has no rows."""
        searches, optimum = self._searches, None
        if searches is not None and self._minima is None:
            self._minima = searches.minima(self._of(len(self._drawn[0])))
        self._load(i)
        if searches is not None and self._minima is not None:
            optimum = searches.optimum(self._minima, i)
        optimum = self._optimum() if optimum is None else optimum
        return fit_at(self.fit.design, self.objective, optimum, {}, type(self.fit))

    def _of(self, count: int) -> tuple[np.ndarray, ...]:
        return tuple(part[:count] for part in self._drawn[:3])

    def _load(self, i: int) -> None:
        self._sums.load(self._drawn, i)
        self.objective.reread()

    def _other(self, i: int) -> Other:
        self._load(i)
        optimum, objective = self._optimum(), self.objective
        theta = self.fit.scale.theta(optimum.x)
        return Other(theta, *objective.profiled(optimum.x), optimum.value, optimum.verdict)

    def _optimum(self) -> Optimum:
        return search(self.objective, "newton", self._start)
