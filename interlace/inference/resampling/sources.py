"""What replicates are drawn from: the sums of a linear mixed model, or rows of any model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..simulate import simulate_array
from .refits import Refit, Refits, Statistic, of_linear, outcomes_of, put_outcome
from .replicates import FAILED, Outcomes

if TYPE_CHECKING:
    from ...models.kinds import AnyFit
    from ...models.lmm import LMMFit

#: A fit, a generator, how many -> responses (n, m).
Draw = Callable[[Any, np.random.Generator, int], np.ndarray]

OUTSIDE = "a drawn linear predictor is outside the range of the link"


class LinearSource:
    """All parameters and the log-likelihood from the sums of drawn responses."""

    def __init__(self, fit: LMMFit, use_u: bool) -> None:
        from ...models.lmm_draws import LinearDraws

        self._fit, self._draws = fit, LinearDraws(fit, use_u)
        self.size = 2 * sum(b.size for b in fit.b)

    def outcomes(self, rng: np.random.Generator, drawn: int, count: int) -> Outcomes:
        self._draws.draw(rng, drawn)
        return of_linear(self._fit, self._draws.estimates(count))


class LinearFits:
    """A statistic of the records of refits, from the sums of drawn responses: it needs no rows."""

    def __init__(self, fit: LMMFit, statistic: Statistic, width: int) -> None:
        from ...models.lmm_draws import LinearDraws

        self._draws, self._statistic, self._width = LinearDraws(fit), statistic, width
        self.size = 2 * sum(b.size for b in fit.b)

    def outcomes(self, rng: np.random.Generator, drawn: int, count: int) -> Outcomes:
        self._draws.draw(rng, drawn)
        out = Outcomes(np.full((count, self._width), np.nan), [FAILED] * count, [""] * count)
        for i in range(count):
            put_outcome(out, i, partial(self._draws.refit, i), self._statistic)
        return out


class RowSource:
    """What ``of`` makes of responses (m, n) that are drawn row by row."""

    def __init__(self, fit: AnyFit, draw: Draw, of: Callable[[np.ndarray], Outcomes]) -> None:
        self._fit, self._draw, self._of = fit, draw, of
        self.size = fit.n

    def outcomes(self, rng: np.random.Generator, drawn: int, count: int) -> Outcomes:
        Y = np.ascontiguousarray(self._draw(self._fit, rng, drawn).T[:count])
        there = np.isfinite(Y).all(axis=1)
        if there.all():
            return self._of(Y)
        outside = [OUTSIDE] * len(Y)
        return Outcomes.spread(len(Y), np.flatnonzero(there), self._of(Y[there]), outside)


def statistics(
    fit: AnyFit, refit: Refit, statistic: Statistic, width: int
) -> Callable[[np.ndarray], Outcomes]:
    """A statistic, ``width`` numbers, of refits to the rows that are drawn."""
    return lambda Y: outcomes_of(fit, refit, statistic, Y, width)


def pairs(small: Refits, large: Refits, of: Callable[[Outcomes, Outcomes], Outcomes]) -> Any:
    """What is made of the refits of two models to the same rows."""
    return lambda Y: of(small.of(Y), large.of(Y))


def by_sums(fit: Any) -> bool:
    """Whether the sums of a linear mixed model do for what is drawn."""
    if not fit.linear:
        return False
    from ...models.lmm_draws import LinearDraws

    return LinearDraws.possible(fit)


def parametric(fit: AnyFit, rng: np.random.Generator, m: int) -> np.ndarray:
    """Responses from the fitted model, random effects and all, (n, m)."""
    return simulate_array(fit, m, rng)


def parametric_given_modes(fit: AnyFit, rng: np.random.Generator, m: int) -> np.ndarray:
    """Responses from the fitted model with its random effects at their modes, (n, m)."""
    return simulate_array(fit, m, rng, use_u=True)


def semiparametric(fit: AnyFit, rng: np.random.Generator, m: int) -> np.ndarray:
    """Fitted values plus residuals drawn with replacement, in units of their weights, (n, m)."""
    if fit.linear and fit.phi.size:
        drawn = fit.normalised()[rng.integers(fit.n, size=(m, fit.n))]
        return (fit.mu + fit.noise(drawn)).T
    root = np.sqrt(fit.observations.weights)
    residuals = root * (fit.observations.y - fit.mu)
    drawn = residuals[rng.integers(fit.n, size=(m, fit.n))] / root
    return (fit.mu + drawn).T
