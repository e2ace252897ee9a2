"""A model fitted to many responses: all parameters, the log-likelihood and the verdict of each.

By compiled searches where there are any (linear models with one grouping factor or few random
effects, generalised ones with one grouping factor), others refit by refit. Bootstrap, power,
comparison by simulation and `refit_many` come here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from ...errors import InterlaceError
from ..parameters import aligned_values, family_values, mixed_parameters, parameter_names
from .replicates import CHUNK, FAILED, Outcomes

if TYPE_CHECKING:
    from ...models.glmm import GLMMFit
    from ...models.kinds import AnyFit
    from ...models.lmm import LMMFit
    from ...models.many import Estimates, Other

#: A fit -> the numbers wanted of it.
Statistic = Callable[[Any], np.ndarray]
#: A fit and a response (n,) -> the fit to it.
Refit = Callable[[Any, np.ndarray], Any]

# Words of a reason that is shown; errors name the numbers of one replicate.
LONGEST_REASON = 100


class Refits(Protocol):
    """Refits of a model to checked responses; for one thread.

    The numbers of each are all parameters, as `parameter_values` has them, and the log-likelihood,
    or its ``largest`` value where the dispersion is estimated apart.
    """

    #: Responses that are worth a call: an interrupt waits for its end.
    at_once: int

    def of(self, Y: np.ndarray) -> Outcomes:
        """Of responses (m, n), a row each."""


def refits_of(fit: AnyFit, refit: Refit, largest: bool = False) -> Refits:
    """The fastest way there is for this model."""
    if fit.linear and not fit.phi.size and fit.optimizer == "newton":
        from ...models.lmm_many import LinearSearches

        if LinearSearches.possible(fit):
            return LinearRefits(fit, refit)
    elif not fit.linear:
        from ...models.glmm_many import LevelSearches

        if LevelSearches.possible(fit):
            return LevelRefits(cast("GLMMFit", fit), refit)
    return RowRefits(fit, refit, largest)


class RowRefits:
    """One refit after the other, for any model."""

    at_once = 2

    def __init__(self, fit: AnyFit, refit: Refit, largest: bool) -> None:
        self._fit, self._refit, self._largest = fit, refit, largest
        self._names = parameter_names(fit)

    def of(self, Y: np.ndarray) -> Outcomes:
        return outcomes_of(self._fit, self._refit, self._values, Y, len(self._names) + 1)

    def _values(self, fit: AnyFit) -> np.ndarray:
        llf = fit.llf_maximum if self._largest else fit.llf
        return np.append(aligned_values(self._names, fit), llf)


class LinearRefits:
    """Compiled searches from the sums of responses."""

    at_once = CHUNK

    def __init__(self, fit: LMMFit, refit: Refit) -> None:
        from ...models.lmm_many import searches_of_rows

        self._fit, self._refit = fit, refit
        self._searches = searches_of_rows(fit)

    def of(self, Y: np.ndarray) -> Outcomes:
        from ...models.lmm_many import estimates_of_rows

        estimates = estimates_of_rows(self._searches, Y, partial(other, self._fit, self._refit, Y))
        return of_linear(self._fit, estimates)


class LevelRefits:
    """Compiled searches of a generalised model with one grouping factor."""

    at_once = CHUNK

    def __init__(self, fit: GLMMFit, refit: Refit) -> None:
        from ...models.glmm_many import LevelSearches

        self._fit, self._refit = fit, refit
        self._searches = LevelSearches(fit)

    def of(self, Y: np.ndarray) -> Outcomes:
        e = self._searches.estimates(Y, partial(other, self._fit, self._refit, Y))
        values = [mixed_parameters(self._fit, e.theta, e.beta, self._fit.re_scale)]
        if self._fit.family.parameters:
            values.append(e.sigma[:, None])
        return _outcomes(values, e)


def other(fit: Any, refit: Refit, Y: np.ndarray, i: int) -> Other:
    """Response i of Y (m, n), refitted."""
    from ...models.many import Other

    new = refit(fit, Y[i].copy())
    number = next(iter(family_values(new).values()), np.nan)
    return Other(new.theta, new.beta, number, new.criterion, new.verdict)


def of_linear(fit: LMMFit, e: Estimates) -> Outcomes:
    """All parameters and the log-likelihood from estimates of a linear mixed model."""
    sigma = e.sigma[:, None]
    return _outcomes([mixed_parameters(fit, e.theta, e.beta, sigma), sigma], e)


def _outcomes(values: list[np.ndarray], e: Estimates) -> Outcomes:
    reasons = ["" if error is None else reason_of(error) for error in e.errors]
    llf = -0.5 * e.criterion[:, None]
    return Outcomes(np.concatenate([*values, llf], axis=1), e.verdicts, reasons)


def outcomes_of(
    fit: AnyFit, refit: Refit, statistic: Statistic, Y: np.ndarray, size: int
) -> Outcomes:
    """A statistic, ``size`` numbers, of refits to responses (m, n)."""
    m = len(Y)
    out = Outcomes(np.full((m, size), np.nan), [FAILED] * m, [""] * m)
    for i in range(m):
        put_outcome(out, i, partial(refit, fit, Y[i].copy()), statistic)
    return out


def put_outcome(out: Outcomes, i: int, fitted: Callable[[], Any], statistic: Statistic) -> None:
    """Write the statistic of a refit to place i, or why there is none."""
    try:
        fit = fitted()
    except InterlaceError as error:
        out.reasons[i] = reason_of(error)
        return
    try:
        out.values[i] = statistic(fit)
    except Exception as error:  # a function of the user may fail on some responses
        out.reasons[i] = f"the statistic failed: {reason_of(error)}"
        return
    out.verdicts[i] = str(fit.verdict)


def reason_of(error: Exception) -> str:
    """An error in a few words, its first clause."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    text = text.partition(";")[0].partition(": ")[0]
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"
