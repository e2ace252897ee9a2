"""A response against a family: counts, proportions and weights as the log-density takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError, DataError, DataWarning, listing, warn
from ..families.base import Family
from ..families.several import in_support
from ..frames.checks import row_labels
from ..frames.columns import repeated

if TYPE_CHECKING:
    from ..design.design import Design

#: How far from a whole number a count of successes may be: R's bar in binomial()$initialize, wide
#: enough for proportions that were rounded to some digits.
WHOLE_SUCCESSES = 1e-3
#: The same for counts, relative to max(1, |y|): R's in dpois.
WHOLE_COUNT = 1e-7
#: Trials given twice, as k / n and as weights, agree to rounding.
SAME_TRIALS = 1e-9
#: Values listed in a message.
SHOWN = 3

BINOMIAL_FORMS = (
    "a binomial response is 0/1, True/False, a factor of two levels, cbind(successes, failures), "
    "successes / trials, or proportions with weights=trials"
)


#: By `support`: what a response outside of it is, what is needed, and a remedy.
RANGES = {
    "positive": (
        "not positive",
        "positive values",
        "family='gaussian' with link='log'",
    ),
    "non-negative": (
        "negative",
        "values that are not negative",
        "family='gaussian'",
    ),
    "open unit": (
        "not between 0 and 1",
        "values above 0 and below 1",
        "family='ordbeta', which has zeros and ones",
    ),
    "half-open unit": (
        "outside [0, 1)",
        "values from 0 to below 1",
        "family='ordbeta', which has zeros and ones",
    ),
    "closed unit": (
        "outside [0, 1]",
        "values from 0 to 1",
        "family='gaussian'",
    ),
}


@dataclass(frozen=True, eq=False)
class Observations:
    """A response as the log-density takes it.

    Attributes
    ----------
    y : (n,) float64 ndarray
        Proportions of successes for binomial families, the response itself otherwise.
    weights : (n,) float64 ndarray
        What multiplies a row's log-density: ``prior * trials``.
    trials : (n,) float64 ndarray
        Ones, stored as one number, but for binomial families.
    prior : (n,) float64 ndarray
        Prior weights.

    Examples
    --------
    >>> from interlace.design.build import build
    >>> from interlace.families import resolve
    >>> from interlace.models.observations import observe
    >>> data = {"k": [1.0, 3.0], "n": [4.0, 4.0]}
    >>> observed = observe(build("cbind(k, n - k) ~ 1", data, linear=False), resolve("binomial"))
    >>> observed.y.tolist(), observed.weights.tolist()
    ([0.25, 0.75], [4.0, 4.0])
    """

    y: np.ndarray
    weights: np.ndarray
    trials: np.ndarray
    prior: np.ndarray


@dataclass(frozen=True)
class ResponseFacts:
    """What of a response and its weights is a matter of all rows, not of each.

    Attributes
    ----------
    n : int
    binary : bool
        Whether every number is 0 or 1.
    whole : bool
        Whether every weight is a whole number.
    low, high : float
        Its range, that of proportions where there are trials.
    """

    n: int
    binary: bool
    whole: bool
    low: float
    high: float

    @property
    def weights_are_priors(self) -> bool:
        """Whether weights can be no trials, as of single successes and failures."""
        return self.binary and not self.whole

    @classmethod
    def of(cls, design: Design) -> ResponseFacts:
        """Those of the rows of a design."""
        y, given = design.y, design.weights
        return cls(
            len(y),
            bool(np.isin(y, (0.0, 1.0)).all()),
            given is None or not (given != np.round(given)).any(),
            *_ends(y),
        )

    @classmethod
    def joined(cls, parts: Sequence[ResponseFacts]) -> ResponseFacts:
        """Those of all rows from those of parts."""
        return cls(
            sum(part.n for part in parts),
            all(part.binary for part in parts),
            all(part.whole for part in parts),
            min(part.low for part in parts),
            max(part.high for part in parts),
        )


def observe_part(design: Design, family: Family, facts: ResponseFacts) -> Observations:
    """`observe` of some of the rows, given what is a matter of all."""
    return _observed(design, family, facts, _ends(design.y))


def check_all(design: Any, family: Family, facts: ResponseFacts) -> None:
    """Refuse what only all rows can say: a response that is constant, an effect for each row."""
    if facts.n:
        _check_constant(design, family, facts.low, facts.high, facts.n, True)
    estimated = family.residual_variance and bool(family.parameters)
    if estimated and family.link.linear:
        _check_residual(design, facts.n)


def observe(design: Design, family: Family, *, varying: bool = False) -> Observations:
    """Check a response against a family, and tell trials from prior weights.

    `varying` refuses a constant response, from which no random effects can be estimated.
    """
    ends, n = _ends(design.y), len(design.y)
    observations = _observed(design, family, None, ends)
    if n:
        _check_constant(design, family, *ends, n, varying)
    estimated = family.residual_variance and bool(family.parameters)
    if estimated and family.link.linear:
        _check_residual(design, n)
    return observations


def _ends(y: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest value, infinite without rows."""
    return (
        float(np.minimum.reduce(y, initial=np.inf)),
        float(np.maximum.reduce(y, initial=-np.inf)),
    )


def _observed(
    design: Design, family: Family, facts: ResponseFacts | None, ends: tuple[float, float]
) -> Observations:
    """The observations, each row checked; ``ends`` are those of the response."""
    ones = repeated(1.0, len(design.y))  # one number
    weights = ones if design.weights is None else design.weights
    if family.support == "proportion":
        observations = _binomial(design, weights, ones, facts, ends)
    elif design.formula.response is not None and design.formula.response.kind == "cbind":
        if family.support is not None:
            raise DataError(
                f"{design.response_name} counts successes and failures, which the family "
                f"{family.name!r} cannot use; family='binomial' does"
            )
        assert design.trials is not None
        product = _product(weights, design.trials, ones)
        observations = Observations(design.y, product, design.trials, weights)
    else:
        observations = Observations(design.y, weights, ones, weights)
        _check_values(design, family)
    return observations


def _binomial(
    design: Design,
    given: np.ndarray,
    ones: np.ndarray,
    facts: ResponseFacts | None,
    ends: tuple[float, float],
) -> Observations:
    y, kind = design.y, _kind(design)
    if not (ends[0] >= 0.0 and ends[1] <= 1.0) and len(y):
        raise DataError(_outside(design, kind, ~((y >= 0) & (y <= 1))))
    if kind == "cbind":
        assert design.trials is not None
        trials, prior = design.trials, given
    elif kind == "ratio":
        assert design.trials is not None
        trials, prior = design.trials, ones
        if design.weights is not None:
            _check_same_trials(design, given)
    elif given is not ones and _are_priors(y, given, facts):
        # The likelihood is the same either way; only here can trials not be what is meant.
        trials, prior = ones, given
    else:
        trials, prior = given, ones
    _warn_if_broken(design, kind, _product(y, trials, ones), trials)
    return Observations(y, _product(trials, prior, ones), trials, prior)


def _are_priors(y: np.ndarray, given: np.ndarray, facts: ResponseFacts | None) -> bool:
    """Whether weights can be no trials, as of single successes and failures."""
    if facts is not None:
        return facts.weights_are_priors
    return bool((given != np.rint(given)).any() and np.isin(y, (0.0, 1.0)).all())


def _product(a: np.ndarray, b: np.ndarray, ones: np.ndarray) -> np.ndarray:
    """a b without a new array where either is ``ones``."""
    if a is ones:
        return b
    return a if b is ones else a * b


def _kind(design: Design) -> str:
    return "column" if design.formula.response is None else design.formula.response.kind


def _outside(design: Design, kind: str, bad: np.ndarray) -> str:
    name, y, rows = design.response_name, design.y, row_labels(design.index, bad)
    if kind == "cbind":
        return f"{name} has negative counts in row(s) {rows}; correct or drop them"
    if kind == "ratio":
        assert design.trials is not None
        if (design.trials <= 0).any():
            rows = row_labels(design.index, design.trials <= 0)
            return (
                f"the number of trials in {name} is not positive in row(s) {rows}; drop these rows "
                "with subset="
            )
        return (
            f"{name} has more successes than trials, or negative ones, in row(s) {rows}; the "
            "denominator must be the number of trials"
        )
    remedy = BINOMIAL_FORMS
    if set(np.unique(y)) == {1.0, 2.0}:
        remedy = f"subtract 1 to have 0/1: {remedy}"
    return f"the response {name!r} is outside [0, 1] in row(s) {rows} ({_values(y, bad)}); {remedy}"


def _check_same_trials(design: Design, given: np.ndarray) -> None:
    assert design.trials is not None
    differ = np.abs(given - design.trials) > SAME_TRIALS * design.trials
    if differ.any():
        rows = row_labels(design.index, differ)
        first = int(np.flatnonzero(differ)[0])
        raise ArgumentError(
            f"weights differ from the trials in {design.response_name} in row(s) {rows} "
            f"({given[first]:g} and {design.trials[first]:g}). With successes / trials, weights "
            "are the trials and need not be given; for prior weights write "
            "cbind(successes, failures)"
        )


def _warn_if_broken(design: Design, kind: str, successes: np.ndarray, trials: np.ndarray) -> None:
    distance = np.abs(successes - np.rint(successes))
    if np.maximum.reduce(distance, initial=0.0) <= WHOLE_SUCCESSES:
        return
    broken = distance > WHOLE_SUCCESSES
    remedy = "check the counts"
    if kind == "column":
        remedy = (
            "each row counts as one trial: give the trials as weights=, or write successes / trials"
            if design.weights is None
            else "weights times the response must give the number of successes"
        )
    warn(
        f"the response {design.response_name!r} does not stand for whole numbers of successes in "
        f"{broken.sum()} row(s), such as {row_labels(design.index, broken)} "
        f"({_values(successes, broken)} of {_values(trials, broken)}); {remedy}",
        DataWarning,
    )


def _check_values(design: Design, family: Family) -> None:
    name, y = design.response_name, design.y
    if family.support == "category":
        return
    if family.support is not None and design.response_levels is not None:
        raise DataError(
            f"the response {name!r} is a factor, which the family {family.name!r} cannot use; "
            "family='binomial' models its second level against the first"
        )
    if family.support in ("count", "positive count"):
        zeros = family.support == "count"
        bad = ~in_support(family.support, y)
        if bad.any():
            what = "negative" if zeros or (y[bad] < 0.0).all() else "not positive"
            needs = "counts" if zeros else "counts from 1 on"
            raise DataError(
                f"the response {name!r} is {what} in row(s) {row_labels(design.index, bad)} "
                f"({_values(y, bad)}); the family {family.name!r} needs {needs}. Correct or "
                f"drop these rows, or choose {_for_zeros(family, y, bad)}"
            )
        broken = np.abs(y - np.round(y)) > WHOLE_COUNT * np.maximum(1.0, y)
        if broken.any():
            warn(
                f"the response {name!r} is not whole in {broken.sum()} row(s), such as "
                f"{row_labels(design.index, broken)} ({_values(y, broken)}): the fit is one of "
                "quasi-likelihood and its log-likelihood no probability. For rates model the "
                "counts, with offset(log(exposure))",
                DataWarning,
            )
    elif family.support in RANGES:
        what, needs, instead = RANGES[family.support]
        bad = ~in_support(family.support, y)
        if bad.any():
            raise DataError(
                f"the response {name!r} is {what} in row(s) {row_labels(design.index, bad)} "
                f"({_values(y, bad)}); the family {family.name!r} needs {needs}. Correct "
                f"or drop these rows, or choose {instead}"
            )


def _for_zeros(family: Family, y: np.ndarray, bad: np.ndarray) -> str:
    """The family to take for counts that another does not have, in words."""
    if family.support == "positive count" and (y[bad] == 0.0).all():
        return "a family with zeros: ziformula='~ 1', or the family that is not truncated"
    return "family='gaussian'"


def _check_constant(
    design: Design, family: Family, low: float, high: float, n: int, varying: bool
) -> None:
    """Refuse a response whose n values, from low to high, are one."""
    name = design.response_name
    if low != high:
        return
    value = low
    if family.support == "count" and value == 0.0:
        raise DataError(
            f"the response {name!r} is zero in all {n} rows used: the likelihood has no "
            "maximum, the mean goes to zero. There is nothing to model"
        )
    if family.support == "proportion" and value in (0.0, 1.0):
        what = "success" if value else "failure"
        raise DataError(
            f"the response {name!r} is a {what} in all {n} rows used: the likelihood has no "
            f"maximum, the probability goes to {value:g}. There is nothing to model"
        )
    if varying and _kind(design) == "column":
        raise DataError(
            f"the response {name!r} is constant ({value:g}) in the {n} row(s) used; there is "
            "nothing to model"
        )


def _check_residual(design: Design, n: int) -> None:
    """Refuse an effect for each row beside a residual for each row."""
    for factor in design.factors:
        if len(factor.levels) >= n:
            raise DataError(
                f"grouping factor {factor.name!r} has as many levels as there are rows "
                f"({n}): its variance cannot be told from the residual variance. Leave "
                "the term out; if the variances of the rows are known, as in a meta-analysis, hold "
                "it fixed: family=Gaussian(precision=1), weights=1/variance"
            )


def _values(values: np.ndarray, mask: np.ndarray) -> str:
    return listing((f"{v:g}" for v in values[mask]), SHOWN)
