"""Generalised linear mixed models of rows that workers read in parts, and that nobody else has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, NoReturn, cast

import numpy as np

from ..covariance import CovarianceModel
from ..design.build import check_zeros
from ..design.design import Design
from ..design.parted import (
    PartedDesign,
    PartedFrame,
    Sampled,
    columns_kept,
    joined,
    sampled_of,
)
from ..design.predictor import MEAN, WORDS
from ..errors import DataError, listing
from ..families import Family
from ..linalg.tall import root_of_rows, spanning_rows
from ..linalg.threads import one_thread
from ..objective.generalised.modes import Point
from ..objective.generalised.quadrature import check_nodes
from ..objective.partitioned.engines import engine, parts_of
from ..objective.partitioned.parted import PartedObjective, places_of
from ..objective.partitioned.pieces import (
    Approximation,
    Levels,
    outermost,
    pieces_of_levels,
    words_of,
)
from ..objective.partitioned.workers import in_parts
from ..optimize import stage
from .base import closed, moments_of
from .density import problem_of, with_parameters
from .glmm import GLMMFit, fields_at, search
from .glmm_estimates import GLMMEstimates, fixed_estimates, without_information
from .observations import ResponseFacts, check_all, observe_part
from .part_rows import How, Reading, Seen, Told, ToldAt
from .predictors import check_approximation
from .separation import BORDER, can_separate
from .verdicts import (
    HUGE,
    Agreement,
    Effect,
    effects_verdict,
    endless_coefficients,
    variances_may_end,
)

__all__ = ["PartedFit", "fit_parts"]

_EMPTY = np.empty(0)


class NoObservations:
    """In place of observations: rows that are not there."""

    def __init__(self, design: PartedDesign) -> None:
        self._design = design

    def _refuse(self) -> NoReturn:
        self._design.needs_rows()

    y = weights = trials = prior = property(_refuse)


@dataclass(frozen=True, eq=False)
class PartedFit(GLMMFit):
    """A fitted generalised linear mixed model whose rows are not in memory."""

    design: PartedDesign
    told: Told = field(default_factory=lambda: Told(np.nan, np.nan, False, np.nan, (np.nan,) * 3))
    has_rows = False

    def __getstate__(self) -> dict:
        return {**super().__getstate__(), "_objective": None}

    @property
    def n(self) -> int:
        """Rows used."""
        return self.design.n_rows

    def _refuse(self, *_: Any) -> NoReturn:
        """Refuse what only the rows could answer."""
        self.design.needs_rows()

    eta = mu = etas = working_weights = property(_refuse)
    fixed_part = random_part = _shared = first_estimates = property(_refuse)
    without = mode_slopes = _refuse  # type: ignore[assignment]

    @property
    def objective(self) -> NoReturn:
        """Refuse what is searched again."""
        raise DataError(
            f"this fit {self.design.whereabouts}; profiles, bootstraps and refits search again and "
            "need them. Intervals by Wald, conf_int(), and likelihood ratios, m.anova(smaller), "
            "need none, m.update(formula) reads the rows again; or fit rows in memory"
        )

    def factor_at_optimum(self) -> NoReturn:
        """Refuse what random effects have to do with coefficients."""
        raise DataError(
            f"this fit {self.design.whereabouts}; standard errors of predictions with random "
            "effects that it knows need them. predict(frame) has their values, "
            "get_prediction(frame, include_re=False) the population with its standard errors"
        )

    @property
    def deviance(self) -> float:
        """Squared deviance residuals, summed; -2 log-likelihood where the family has none."""
        return self.told.deviance if self.family.has_deviance else self.criterion

    @property
    def response_moments(self) -> tuple[float, float, float]:
        """Rows, weighted mean of the response, and its root mean square."""
        return moments_of(self.n, *self.told.sums)

    @property
    def fixed_variance(self) -> float:
        """Variance of X beta over the rows."""
        design = self.design
        predicted = design.information_root @ self.beta
        mean = float(design.column_sums[design.current] @ self.beta) / self.n
        return max(float(predicted @ predicted) - self.n * mean**2, 0.0) / (self.n - 1)

    def mean_spread(self, b: int) -> float:
        """Mean of z'TT'z over the rows, for the predictor's columns of one grouping factor."""
        own = self.design.factors[b].predictor == self.index
        return float(np.sum((self.design.z_roots[b][:, own] @ self.T[b][own]) ** 2)) / self.n

    def series_effects(self) -> None:
        """There is no series."""


def fit_parts(
    frame: PartedFrame,
    family: Family,
    *,
    nAGQ: int = 1,  # noqa: N803
    expected: bool | None = None,
    optimizer: str = "newton",
    theta0: Any = None,
    backend: str | None = None,
    seconds: dict[str, float] | None = None,
    executor: Any = None,
    partitions: int | None = None,
) -> PartedFit:
    """Fit a generalised linear mixed model to rows in parts, arguments as those of `fit_glmm`."""
    seconds, clock = dict(seconds or {}), perf_counter()
    labels = _labels(frame)
    frame.take_sample(labels[-1])
    sampled = sampled_of(frame)
    with engine(executor, partitions or 1) as workers:
        assert workers is not None
        readings, words = _readings(sampled, family, parts_of(executor, partitions))
        stage("reading")
        seen = workers.read(readings, words)
        seconds["reading"] = perf_counter() - clock
        clock = perf_counter()
        stage("first estimates")
        work = _Agreed(sampled, family, seen)
        _check_method(work.design, family, nAGQ, expected)
        if expected is None:
            expected = family.expected_by_default
        objective = work.objective(workers, (expected, nAGQ, backend))
        seconds["first estimates"] = perf_counter() - clock
        clock = perf_counter()
        theta = objective.covariance.given_start(theta0)
        with one_thread(frame.n):
            optimum = search(objective, optimizer, theta)
            fit = work.fit(objective, optimum, seconds)
        objective.release()
    seconds["optimise"] = perf_counter() - clock
    return fit


def _check_method(design: Design, family: Family, nAGQ: int, expected: bool | None) -> None:  # noqa: N803
    """Refuse an approximation that the model does not have."""
    if nAGQ > 1:
        check_nodes(nAGQ, design)
    check_approximation(nAGQ, "expected" if expected else None, with_parameters(design, family))


def _labels(frame: PartedFrame) -> list[str]:
    """Grouping factors by number of levels, most first; they are nested in the last."""
    groups = frame.table.groups
    labels = sorted(groups, key=lambda label: -len(groups[label][0].cells))
    outermost(frame.table.factors(labels))
    return labels


def _readings(sampled: Sampled, family: Family, count: int) -> tuple[list[Reading], list[str]]:
    """How each part is read, and words for every one of its pieces."""
    frame, label = sampled.frame, sampled.labels[-1]
    sizes = frame.table.sizes(label)
    of_level = pieces_of_levels(sizes)
    rows = np.bincount(of_level, weights=sizes).astype(int)
    outer, out, words = frame.table.factors([label])[0], [], []
    for part in in_parts(rows.tolist(), count):
        chosen = (of_level >= part.start) & (of_level < part.stop)
        own = np.flatnonzero(chosen)
        text = words_of(outer, own)
        condition = frame.table.condition(frame, label, chosen)
        source = frame.rows_of(condition)
        n = int(sizes[own].sum())
        first = int(own[0])
        out.append(Reading(source, sampled.recipe, family, first, of_level[own], n, text))
        words.append(text)
    return out, words


class _Agreed:
    """What follows from what was seen of all parts."""

    def __init__(self, sampled: Sampled, family: Family, seen: Sequence[Seen]) -> None:
        self.sampled, self.family = sampled, family
        frame = sampled.frame
        names = {name: own.names for name, own in sampled.recipe.predictors.items()}
        self.roots = {
            name: root_of_rows(np.concatenate([own.roots[name] for own in seen])) for name in names
        }
        self.z_roots = [
            root_of_rows(np.concatenate(own))
            for own in zip(*(part.z_roots for part in seen), strict=True)
        ]
        self.kept, self.dropped = columns_kept(self.roots, names)
        self.facts = ResponseFacts.joined([own.facts for own in seen])
        self.agreements = [own.agreements for own in seen]
        for term in sampled.recipe.terms:
            check_zeros(term.text, self.z_roots[term.factor][:, term.columns], term.names)
        if not frame.is_whole:
            frame.use(joined([frame.given, *(own.spanning for own in seen)]))
        self.design = sampled.design(self.kept, self.dropped)
        few = [spanning_rows(np.asarray(own.X)) for own in self.design.predictors.values()]
        sums = {
            name: np.sum([own.sums[name] for own in seen], axis=0)[self.kept[name]]
            for name in names
        }
        rowless = sampled.rowless(
            self.design, self.kept, self.roots, np.unique(np.concatenate(few))
        )
        self.rowless = rowless.changed(column_sums=sums, z_roots=self.z_roots)
        self.factors = frame.table.factors(sampled.labels)
        check_all(self.rowless, family, self.facts)

    def objective(self, workers: Any, how: tuple[bool, int, str | None]) -> PartedObjective:
        """The criterion of all rows."""
        frame, family = self.sampled.frame, self.family
        observations = observe_part(self.design, family, self.facts)
        sample = with_parameters(self.design, family)
        with one_thread(sample.X.size):
            problem = problem_of(sample, family, observations)
        covariance = CovarianceModel.of(sample)
        expected, nodes, backend = how
        approximation = Approximation(covariance, expected, nodes, backend)
        workers.prepare(
            How(self.kept, self.dropped, self.facts, family, problem.coordinates(), approximation)
        )
        outer = self.sampled.labels[-1]
        of_level = pieces_of_levels(frame.table.sizes(outer))
        of_row = of_level[frame.table.groups[outer][1]]
        places = places_of(self.factors, of_row, Levels.of(self.factors, problem.Z.widths))
        return PartedObjective(
            problem, approximation, workers, places, self.factors, frame.n, frame.is_whole
        )

    def fit(self, objective: PartedObjective, optimum: Any, seconds: dict[str, float]) -> PartedFit:
        """The record of an optimum, with its verdict."""
        design = cast("PartedDesign", with_parameters(self.rowless, self.family))
        observations = NoObservations(self.rowless)
        fit = PartedFit(**fields_at(design, observations, objective, optimum, seconds))
        estimated = closed(_estimates(objective, optimum))
        fit.__dict__["solution"] = estimated
        told = objective.ask_each(ToldAt(fit.x))
        verdict, message = self._verdict(fit, told)
        optimum = optimum.judged(verdict, message) if message else optimum
        fit = replace(fit, optimum=optimum.at_rest(), told=Told.joined(told))
        fit.__dict__["solution"] = estimated
        return fit

    def _verdict(self, fit: PartedFit, told: Sequence[Told]) -> tuple[str, str]:
        """As `mixed_verdict`, of what workers say of their rows."""
        lost, family = self._lost(fit, told), self.family
        if lost:
            names = (f"{', '.join(own)} of the {WORDS[name]} model" for name, own in lost.items())
            return "separated", _SEPARATED.format(listing(names))
        if not variances_may_end(family):
            return "", ""
        effects = list(self._effects(fit))
        verdict = effects_verdict(effects, lambda: all(own.predicted for own in told), False)
        return ("", "") if verdict[0] == "breaks down" and not fit.converged else verdict

    def _lost(self, fit: PartedFit, told: Sequence[Told]) -> dict[str, list[str]]:
        """Coefficients that nothing holds, by linear predictor."""
        if fit.several:
            return endless_coefficients(fit)
        if not fit.p or not can_separate(self.family):
            return {}
        whole = Told.joined(told)
        at_border = whole.low < BORDER
        if self.family.support == "proportion":
            at_border = at_border or whole.high > 1.0 - BORDER
        with np.errstate(invalid="ignore"):
            held = np.sqrt(np.diagonal(fit.cov_beta)) * fit.design.column_sizes < HUGE
        if (fit.converged and not at_border) or held.all():
            return {}
        return {MEAN: [name for name, own in zip(fit.design.x_names, held, strict=True) if not own]}

    def _effects(self, fit: PartedFit) -> Iterator[Effect]:
        single = self.facts.weights_are_priors and self.design.trials is None
        for term in fit.covariance.terms:
            for j, name in enumerate(term.names, term.start):
                found = Agreement.joined([own[term.factor][j] for own in self.agreements])
                label = f"{name} by {self.factors[term.factor].name}"
                yield found.effect(label, float(fit.theta_sizes[term.factor][j]), single)


_SEPARATED = (
    "the coefficients {} have no finite estimate: means reach the border of their range, and "
    "standard errors mean nothing. Leave out or merge the terms or levels, or test them by "
    "likelihood ratio"
)


def _estimates(objective: PartedObjective, optimum: Any) -> GLMMEstimates:
    """All estimates at the optimum but those of rows."""
    x, H = optimum.x, optimum.curvature
    theta, gamma, zeta = objective.split(x)
    H = without_information(H, list(objective.endless(x, H)))
    problem, scale = objective.problem, objective.scale
    point, beta, cov = fixed_estimates(objective, x, H)
    assert isinstance(point, Point)
    T = scale.natural(scale.templates(theta))
    eta = problem.fixed.times(gamma) + problem.offset
    if eta.ndim == 2:  # predictors that random effects move are no number
        for k in {int(k) for f in problem.factors for k in f.predictor} - {0}:
            eta[k] = np.nan
    return GLMMEstimates(
        beta=beta,
        slices=problem.slices,
        zeta=problem.parameters(_two_rows(eta), gamma, zeta),
        T=T,
        u=tuple(own.copy() for own in objective.spherical(point.u, theta)),
        eta=_EMPTY,
        weight=_EMPTY,
        covariance=cov,
        cov_modes=tuple(objective.cov_modes(T)),
    )


def _two_rows(eta: np.ndarray) -> np.ndarray:
    """Predictors of a row and of the one that differs most: they tell which are one number."""
    if eta.ndim == 1:
        return eta
    gaps = np.abs(eta[1:] - eta[1:, :1]).max(axis=0)
    return eta[:, [0, int(gaps.argmax())]]
