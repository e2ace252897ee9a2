"""Verdicts that gradient and curvature do not give: mixed models without finite estimates.

Of coefficients see `separation`. Of variances: if in every level of a grouping factor all binary
rows agree, the likelihood of a random intercept rises with its variance without end: the wider its
distribution, the surer all rows of a level are the same. Of ordered categories it does so with
thresholds as far apart, and of a random slope where rows agree that are signed by their covariate.
Laplace's approximation and quadrature have a maximum all the same, at a variance that means
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..covariance import CovarianceModel
from ..design.design import Design
from ..design.predictor import WORDS
from ..errors import listing
from ..families.base import Family
from ..objective.generalised.breakdown import predicts
from .base import BaseMixedFit
from .observations import Observations
from .separation import BORDER, can_separate, family_separation

# As good as infinite: a standard deviation, or a standard error, that moves the predictors by this
# much, and of variances where every row is predicted.
HUGE = 20.0


class Effect(NamedTuple):
    """One random effect: its name, standard deviation, and what its levels show.

    `agreed` levels have rows that all agree; `endless` says that all do, some having several rows,
    and that levels differ.
    """

    label: str
    size: float
    levels: int
    agreed: int
    endless: bool


def mixed_verdict(fit: BaseMixedFit) -> tuple[str, str]:
    """The verdict in place of that of the search, and it in words; or two blanks.

    The linear program is solved only where the fit gives cause: means at the border of their
    range or an optimum that is none, and coefficients whose standard errors are huge on the scale
    of the predictors.
    """
    own = coefficient_verdict(fit)
    if own[0]:
        return own
    verdict, message = variance_verdict(
        fit.design,
        fit.covariance,
        fit.theta_sizes,
        fit.observations,
        fit.family,
        (lambda: fit.mu) if fit.family.support == "proportion" else None,
    )
    return ("", "") if verdict == "breaks down" and not fit.converged else (verdict, message)


def coefficient_verdict(fit: Any) -> tuple[str, str]:
    """The verdict on coefficients without a finite estimate, and it in words; or two blanks."""
    message = (_endless_predictors if fit.several else _separated_coefficients)(fit)
    if message and fit.several and (limit := _at_limit(fit)):
        return "not identified", limit
    return ("separated", message) if message else ("", "")


def _at_limit(fit: Any) -> str:
    """The family's words on a parameter that is beyond its limit in every row, by its value."""
    family, o = fit.family, fit.observations
    zeta = np.asarray(fit.zeta).reshape(len(family.parameters), -1)
    unit, certain = family.parameter_unit(o.y, o.weights), np.full(len(zeta), np.inf)
    verdicts = {
        family.infinite(ends, unit, certain) for ends in (zeta.min(axis=1), zeta.max(axis=1))
    }
    return (verdicts.pop() or "") if len(verdicts) == 1 else ""


def _separated_coefficients(fit: Any) -> str:
    if not fit.p or not can_separate(fit.family):
        return ""
    # links with long tails bring no mean to the border before all curvature is lost
    if fit.converged and not _at_border(fit):
        return ""
    spread = _spread(fit)
    if np.isfinite(spread).all() and spread.max() < HUGE:
        return ""
    separated = family_separation(fit.design.X, fit.observations, fit.family, fit.design.x_names)
    return "" if separated is None else separated.message


def _at_border(fit: Any) -> bool:
    """Whether some mean is at the border of its range: that of an extreme predictor."""
    eta = fit.eta
    extremes = np.array([np.minimum.reduce(eta), np.maximum.reduce(eta)])
    ends = fit.family.mean(extremes, fit.zeta).tolist()
    return min(ends) < BORDER or max(ends) > 1.0 - BORDER


def _endless_predictors(fit: Any) -> str:
    """Coefficients of any linear predictor that nothing holds, in words.

    A predictor that is one number is judged by its family.
    """
    lost = endless_coefficients(fit).items()
    texts = [f"{listing(names)} of the {WORDS.get(own, own)} model" for own, names in lost]
    if not texts:
        return ""
    return (
        f"the coefficients {listing(texts)} have no finite estimate: some rows are predicted the "
        "better the larger they are, as where all rows of a group are zero, none is, or no more "
        "than the family explains, and their standard errors mean nothing. Join such groups, or "
        "take a simpler formula"
    )


def endless_coefficients(fit: Any) -> dict[str, list[str]]:
    """Linear predictor -> its coefficients that nothing holds, of those that have any.

    At a saddle standard errors say nothing.
    """
    out: dict[str, list[str]] = {}
    if fit.optimum.certificate.saddle:
        return out
    for name, predictor in fit.design.predictors.items():
        part = fit.part(name)
        if predictor.is_constant or not part.scale_free:
            continue
        lost = ~(_spread(part) < HUGE)
        if lost.any():
            out[name] = [n for n, gone in zip(predictor.names, lost, strict=True) if gone]
    return out


def _spread(fit: Any) -> np.ndarray:
    """Standard errors of the coefficients times the size of their columns, (p,)."""
    sizes = fit.design.column_sizes
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.diagonal(fit.cov_beta)) * sizes


def variance_verdict(
    design: Design,
    covariance: CovarianceModel,
    sizes: Sequence[np.ndarray],
    observations: Observations,
    family: Family,
    mu: Callable[[], np.ndarray] | None,
) -> tuple[str, str]:
    """The verdict on standard deviations `sizes`, and it in words with the remedy; or two blanks.

    It is "separated" where they have no finite estimate, and "breaks down" where they are finite
    but too large for the approximations.
    """
    ordered = family.support == "category"
    if not variances_may_end(family):
        return "", ""
    effects = list(_effects(design, covariance, sizes, observations, ordered))

    def predicted() -> bool:
        return mu is not None and predicts(mu(), observations.y)

    return effects_verdict(effects, predicted, ordered)


def variances_may_end(family: Family) -> bool:
    """Whether a variance without limit predicts rows of a family."""
    return family.support in ("category", "proportion") and all(family.link.ends)


def effects_verdict(
    effects: Sequence[Effect], predicted: Callable[[], bool], ordered: bool
) -> tuple[str, str]:
    """The verdict on random effects, ``predicted`` says if every row's mean is its response."""
    if endless := [e for e in effects if e.endless]:
        return "separated", _endless_text(endless, ordered)
    huge = [e for e in effects if e.size > HUGE]
    if huge and predicted():
        return "breaks down", _predicting_text(huge)
    # Where most levels have rows that agree, the conditional density of their effects is half a
    # normal one, as wide as it is: neither a mode nor nodes around it are like it.
    for effect in effects:
        if effect.size > HUGE and 2 * effect.agreed > effect.levels:
            return "breaks down", _too_wide_text(effect, ordered)
    return "", ""


def _effects(
    design: Design,
    covariance: CovarianceModel,
    sizes: Sequence[np.ndarray],
    observations: Observations,
    ordered: bool,
) -> Iterator[Effect]:
    for term in covariance.terms:
        factor, size = design.factors[term.factor], sizes[term.factor]
        # those of copies have the same variances
        for j, name in enumerate(term.names, term.start):
            if factor.intercept_only and size[j] <= HUGE and _differ(factor.codes, observations):
                continue
            column = factor.Z[:, j]
            moved = column != 0.0
            # of the rows that it moves: a place or a group of the columns of one term
            own = float(size[j]) * np.sqrt(len(moved) / max(moved.sum(), 1))
            pull = _pull(observations.y, column[moved], moved, ordered)
            # A row with successes and failures pulls both ways.
            if own <= HUGE and np.isnan(pull).any():
                continue
            found = _agreement(factor.codes, len(factor.levels), pull, moved, observations.trials)
            yield found.effect(f"{name} by {factor.name}", float(size[j]))


def _differ(codes: np.ndarray, observations: Observations) -> bool:
    """Whether responses of some level plainly differ: those of rows beside each other do."""
    y = observations.y
    return bool(np.count_nonzero((codes[1:] == codes[:-1]) & (y[1:] != y[:-1])))


class Agreement(NamedTuple):
    """What the levels of one random effect show.

    Of ``rows`` rows it moves ``moved``; of ``levels`` levels ``agreed`` have rows that all agree,
    and ``all_agree`` says that all with moved rows do. These want the effect to be from ``low`` to
    ``high``; ``several`` says that a level has more than one trial, and ``several_rows`` that one
    has more than one row.
    """

    rows: int
    moved: int
    levels: int
    agreed: int
    all_agree: bool
    low: float
    high: float
    several: bool
    several_rows: bool

    @classmethod
    def of(cls, factor: Any, j: int, y: np.ndarray, trials: np.ndarray) -> Agreement:
        """That of the j-th effect of a grouping factor, of a binomial response."""
        column, codes = factor.Z[:, j], factor.codes
        codes = codes - codes.min(initial=len(factor.levels))  # some of the levels
        sizes = np.bincount(codes)
        if factor.intercept_only:
            return cls._of_levels(codes, sizes, y, trials)
        moved = column != 0.0
        pull = _pull(y, column[moved], moved, False)
        found = _agreement(codes, len(sizes), pull, moved, trials)
        return found._replace(levels=int(np.count_nonzero(sizes)))

    @classmethod
    def _of_levels(
        cls, codes: np.ndarray, sizes: np.ndarray, y: np.ndarray, trials: np.ndarray
    ) -> Agreement:
        """That of an intercept, which moves all rows of a level, up or down."""
        up, down = y >= 1.0, y <= 0.0
        agree = [np.bincount(codes, weights=own) == sizes for own in (up, down)]
        occurs = sizes > 0
        agreed = np.count_nonzero((agree[0] | agree[1]) & occurs)
        levels = np.count_nonzero(occurs)
        ends = [end for end, own in ((-1.0, down), (1.0, up)) if own.any()]
        return cls(
            len(y),
            len(y),
            int(levels),
            int(agreed),
            bool(agreed == levels),
            min(ends, default=np.inf),
            max(ends, default=-np.inf),
            bool((np.bincount(codes, weights=trials) > 1.0).any()),
            bool((sizes > 1).any()),
        )

    @classmethod
    def joined(cls, parts: Sequence[Agreement]) -> Agreement:
        """That of all levels from those of parts that share none."""
        rows, moved, levels, agreed = (sum(own) for own in list(zip(*parts, strict=True))[:4])
        return cls(
            rows,
            moved,
            levels,
            agreed,
            all(part.all_agree for part in parts),
            min(part.low for part in parts),
            max(part.high for part in parts),
            any(part.several for part in parts),
            any(part.several_rows for part in parts),
        )

    def effect(self, label: str, size: float, single: bool = False) -> Effect:
        """The effect of a standard deviation on the scale of the predictor.

        ``single`` says that each row is one trial, whatever was taken for trials.
        """
        own = size * np.sqrt(self.rows / max(self.moved, 1))
        several = self.several_rows if single else self.several
        endless = self.all_agree and several and self.low != self.high
        return Effect(label, own, self.levels, self.agreed, endless)


def _agreement(
    codes: np.ndarray, levels: int, pull: np.ndarray, moved: np.ndarray, trials: np.ndarray
) -> Agreement:
    n, codes = len(codes), codes[moved]
    agreed = _agreed(codes, pull, levels)
    finite = pull[~np.isnan(pull)]
    return Agreement(
        n,
        len(codes),
        levels,
        int(agreed.sum()),
        bool(agreed[np.bincount(codes, minlength=levels) > 0].all()),
        float(finite.min(initial=np.inf)),
        float(finite.max(initial=-np.inf)),
        bool((np.bincount(codes, weights=trials[moved]) > 1.0).any()),
        bool((np.bincount(codes) > 1).any()),
    )


def _pull(y: np.ndarray, column: np.ndarray, moved: np.ndarray, ordered: bool) -> np.ndarray:
    """Where each of the moved rows wants its effect to be: rows agree that want the same.

    Missing where a row wants no one end: of several trials that differ, or of a category between
    others whose covariate varies.
    """
    y = y[moved]
    if ordered and (column == column[:1]).all():
        return y
    highest = y.max(initial=1.0) if ordered else 1.0
    end = np.where(y >= highest, 1.0, np.where(y <= 0.0, -1.0, np.nan))
    return end * np.sign(column)


def _agreed(codes: np.ndarray, pull: np.ndarray, levels: int) -> np.ndarray:
    """Whether a level has rows and all of them agree, (levels,)."""
    first = np.full(levels, np.nan)
    first[codes[::-1]] = pull[::-1]
    differ = np.bincount(codes, weights=pull != first[codes], minlength=levels) > 0.0
    return ~differ & ~np.isnan(first)


def _endless_text(effects: Sequence[Effect], ordered: bool) -> str:
    variances, tend = _variances(effects)
    return (
        f"the random effects predict every row: all rows of a level agree, so that the {variances} "
        f"of {listing(e.label for e in effects)} {tend} to infinity and the likelihood has no "
        f"maximum. Estimates mean nothing; analyse one row for each level with {_door(ordered)}, "
        "or leave the term out"
    )


def _predicting_text(effects: Sequence[Effect]) -> str:
    variances, tend = _variances(effects)
    return (
        "the approximation of the likelihood breaks down: the random effects predict every row, "
        f"and the {variances} of {listing(e.label for e in effects)} {tend} to infinity in the "
        "approximation, whatever the likelihood does. Estimates mean nothing; leave the term out, "
        "or start nearer to no variance with theta0="
    )


def _variances(effects: Sequence[Effect]) -> tuple[str, str]:
    return ("variance", "tends") if len(effects) == 1 else ("variances", "tend")


def _too_wide_text(effect: Effect, ordered: bool) -> str:
    return (
        f"the approximation of the likelihood breaks down: all rows agree in {effect.agreed} of "
        f"{effect.levels} levels, so that the standard deviation of {effect.label}, "
        f"{effect.size:.3g} on the scale of the predictor, is too large for Laplace's "
        "approximation and for quadrature, and estimates mean little; leave the term out, or "
        f"analyse one row for each level with {_door(ordered)}"
    )


def _door(ordered: bool) -> str:
    return "clm()" if ordered else "glm()"
