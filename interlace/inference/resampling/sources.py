"""What replicates are drawn from: the sums of a linear mixed model, or rows of any model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InterlaceError
from ..simulate import simulate_array
from .replicates import Outcome

if TYPE_CHECKING:
    from ...models.kinds import AnyFit
    from ...models.lmm import LMMFit

#: A fit -> the numbers wanted of it.
Statistic = Callable[[Any], np.ndarray]
#: A fit and a response (n,) -> the fit to it.
Refit = Callable[[Any, np.ndarray], Any]
#: A fit, a generator, how many -> responses (n, m).
Draw = Callable[[Any, np.random.Generator, int], np.ndarray]

# Words of a reason that is shown; errors name the numbers of one replicate.
LONGEST_REASON = 100


class LinearSource:
    """Estimates from the sums of drawn responses: x, beta, sigma, one after the other."""

    def __init__(self, fit: LMMFit, use_u: bool) -> None:
        from ...models.lmm_draws import LinearDraws

        self._draws = LinearDraws(fit, use_u)
        self.size = 2 * sum(b.size for b in fit.b)

    def outcomes(self, rng: np.random.Generator, drawn: int, count: int) -> list[Outcome]:
        self._draws.draw(rng, drawn)
        return [self._one(i) for i in range(count)]

    def _one(self, i: int) -> Outcome:
        try:
            e = self._draws.fitted(i)
        except InterlaceError as error:
            return Outcome(None, reason=reason_of(error))
        return Outcome(np.concatenate([e.x, e.beta, [e.sigma]]), e.verdict)


class LinearFits:
    """A statistic of the records of refits, from the sums of drawn responses: it needs no rows."""

    def __init__(self, fit: LMMFit, statistic: Statistic) -> None:
        from ...models.lmm_draws import LinearDraws

        self._draws, self._statistic = LinearDraws(fit), statistic
        self.size = 2 * sum(b.size for b in fit.b)

    def outcomes(self, rng: np.random.Generator, drawn: int, count: int) -> list[Outcome]:
        self._draws.draw(rng, drawn)
        refits = (partial(self._draws.refit, i) for i in range(count))
        return [outcome(refit, self._statistic) for refit in refits]


class RowSource:
    """A statistic of refits to rows that are drawn."""

    def __init__(self, fit: AnyFit, refit: Refit, draw: Draw, statistic: Statistic) -> None:
        self._fit, self._refit, self._draw, self._statistic = fit, refit, draw, statistic
        self.size = fit.n

    def outcomes(self, rng: np.random.Generator, drawn: int, count: int) -> list[Outcome]:
        Y = self._draw(self._fit, rng, drawn)
        return [self._one(np.ascontiguousarray(Y[:, i])) for i in range(count)]

    def _one(self, y: np.ndarray) -> Outcome:
        if not np.isfinite(y).all():
            text = "a drawn linear predictor is outside the range of the link"
            return Outcome(None, reason=text)
        return outcome(lambda: self._refit(self._fit, y), self._statistic)


def by_sums(fit: Any) -> bool:
    """Whether the sums of a linear mixed model do for what is drawn."""
    if not fit.linear:
        return False
    from ...models.lmm_draws import LinearDraws

    return LinearDraws.possible(fit)


def outcome(fitted: Callable[[], Any], statistic: Statistic) -> Outcome:
    """The statistic of a refit, or why there is none."""
    try:
        fit = fitted()
    except InterlaceError as error:
        return Outcome(None, reason=reason_of(error))
    try:
        values = statistic(fit)
    except Exception as error:  # a function of the user may fail on some responses
        return Outcome(None, reason=f"the statistic failed: {reason_of(error)}")
    return Outcome(values, verdict_of(fit))


def verdict_of(fit: AnyFit) -> str:
    """The verdict on a refit."""
    return str(fit.verdict)


def reason_of(error: Exception) -> str:
    """An error in a few words, its first clause."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    text = text.partition(";")[0].partition(": ")[0]
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"


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
