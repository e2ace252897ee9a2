"""Draws from a linear mixed model and their fits, by the sums that the criterion is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import lapack

from ..linalg.crossproducts.drawn import DrawnSums, drawn_sums
from ..objective import LMMObjective
from ..optimize import Optimum
from .lmm import LMMFit, fit_at, search

__all__ = ["LinearDraws", "LinearEstimates"]

# Relative standard deviations of random effects from which on sums may lose digits that rows keep.
LARGE = 10.0
# Plain Newton steps from the estimates drawn from: so many, none longer than this, each lower than
# the one before, until what is promised is as little as in the search. Then no entry of a template
# that may be zero is near it, and the Hessian is positive definite: a minimum as the search finds.
STEPS = 12
LONGEST = 0.5
PROMISE = 1e-7
CLEAR = 0.02


@dataclass(frozen=True)
class LinearEstimates:
    """What a refit is read for: parameters of the search, beta, sigma, and the verdict."""

    x: np.ndarray
    beta: np.ndarray
    sigma: float
    verdict: str


class LinearDraws:
    """Responses drawn from a fit, refitted one after the other; for one thread.

    ``draw`` makes the sums of several, ``fitted(i)`` fits the model to one of them. ``use_u`` keeps
    the random effects at their modes.
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
        plain = self.objective.is_fused and not self.objective.other_starts(fit.x)
        self._plain = plain and self._start is not None
        self._bounded = fit.scale.lower_bounds() == 0.0
        self._drawn: tuple[Any, ...] = ()

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
        self._drawn = self._sums.draw(rng, m, sigma, b)

    def fitted(self, i: int) -> LinearEstimates:
        """Estimates from response i of those drawn."""
        x, verdict = self._search(i)
        return LinearEstimates(x, *self.objective.profiled(x), verdict)

    def refit(self, i: int) -> LMMFit:
        """The whole record for response i, valid until the next is fitted: it has no rows."""
        self._sums.load(self._drawn, i)
        self.objective.reread()
        return fit_at(self.fit.design, self.objective, self._optimum(), {}, type(self.fit))

    def _search(self, i: int) -> tuple[np.ndarray, str]:
        self._sums.load(self._drawn, i)
        self.objective.reread()
        x = self._newton() if self._plain else None
        if x is not None:
            return x, "converged"
        optimum = self._optimum()
        return optimum.x, optimum.verdict

    def _optimum(self) -> Optimum:
        return search(self.objective, "newton", self._start)

    def _newton(self) -> np.ndarray | None:
        """The minimum that plain Newton steps lead to, None where they would not do."""
        x, value, plain = self._start, np.inf, self.objective.plain
        assert x is not None
        gradient, H = np.empty(x.size), np.empty((x.size, x.size))
        for _ in range(STEPS):
            here = plain(x, gradient, H)
            if here is None or not here[0] <= value:
                return None
            step = lapack.dposv(H, gradient)[1]
            promise = 0.5 * float(step @ gradient)
            length = float(step @ step) ** 0.5
            x, value = x - min(1.0, LONGEST / max(length, LONGEST)) * step, here[0]
            if not promise > PROMISE:
                clear = here[1] and float(x[self._bounded].min(initial=np.inf)) > CLEAR
                return x if clear else None
        return None
