"""Generalised linear mixed models of rows that workers read in parts, and that nobody else has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import fsum
from time import perf_counter
from typing import Any, NamedTuple, NoReturn, cast

import numpy as np

from ..covariance import CovarianceModel
from ..design.design import Design
from ..design.parted import (
    PartedDesign,
    PartedFrame,
    PartRecipe,
    Sampled,
    columns_kept,
    joined,
    with_kept,
)
from ..design.predictor import MEAN, WORDS
from ..errors import DataError, listing
from ..families import Family
from ..frames.columns import Columns
from ..frames.parts import PartOfRows
from ..linalg.tall import root_of_rows, spanning_rows
from ..linalg.threads import one_thread
from ..objective.generalised.modes import Point
from ..objective.generalised.quadrature import check_nodes
from ..objective.partitioned.engines import engine, parts_of
from ..objective.partitioned.parted import PartedObjective, places_of
from ..objective.partitioned.pieces import (
    Approximation,
    Levels,
    Piece,
    outermost,
    pieces_of_levels,
    split_at,
    words_of,
)
from ..objective.partitioned.questions import Question, Search
from ..objective.partitioned.workers import in_parts
from ..optimize import stage
from .base import closed, moments_of, weighted_sums
from .density import first_density, problem_of, with_parameters
from .glmm import GLMMFit, search
from .glmm_estimates import GLMMEstimates, _fixed_part, without_information
from .observations import ResponseFacts, check_all, observe_part
from .predictors import check_approximation
from .separation import BORDER, can_separate
from .verdicts import (
    HUGE,
    PREDICTED,
    Agreement,
    Effect,
    effects_verdict,
    endless_coefficients,
    variances_may_end,
)

__all__ = ["PartedFit", "fit_parts"]

_EMPTY = np.empty(0)


# -- what a worker does --------------------------------------------------------------------------


class How(NamedTuple):
    """How pieces are made of rows: what all of them have agreed upon."""

    kept: dict[str, np.ndarray]
    dropped: dict[str, tuple[str, ...]]
    facts: ResponseFacts
    family: Family
    coordinates: Any  # the problem of a sample, without rows
    approximation: Approximation


class NoObservations:
    """In place of observations: rows that are not there."""

    def __init__(self, design: PartedDesign) -> None:
        self._design = design

    def _refuse(self) -> NoReturn:
        self._design.needs_rows()

    y = weights = trials = prior = property(_refuse)


class Seen(NamedTuple):
    """What others need to know of the rows of a part."""

    roots: dict[str, np.ndarray]  # R of all columns of X, by predictor
    sums: dict[str, np.ndarray]  # sums of these columns
    z_roots: list[np.ndarray]  # R of Z, by grouping factor
    spanning: Columns  # rows that span what all span
    facts: ResponseFacts
    agreements: list[list[Agreement]]  # by grouping factor and column of Z; empty if no matter


@dataclass(eq=False)
class PartRows:
    """The rows of a part, with all columns of X."""

    design: Design
    spanning: Columns
    of_row: np.ndarray
    family: Family

    def _agreements(self) -> list[list[Agreement]]:
        """What levels show of binomial rows."""
        design = self.design
        if not variances_may_end(self.family):
            return []
        trials = next((w for w in (design.trials, design.weights) if w is not None), None)
        trials = np.ones(len(design.y)) if trials is None else trials
        return [
            [Agreement.of(f, j, design.y, trials) for j in range(f.Z.shape[1])]
            for f in design.factors
        ]

    def seen(self) -> Seen:
        """What others need to know of them."""
        design = self.design
        return Seen(
            {name: root_of_rows(own.X) for name, own in design.predictors.items()},
            {name: own.X.sum(axis=0) for name, own in design.predictors.items()},
            [root_of_rows(np.asarray(f.Z)) for f in design.factors],
            self.spanning,
            ResponseFacts.of(design),
            self._agreements(),
        )

    def pieces(self, how: How) -> list[Piece]:
        """Their pieces, in the coordinates of all."""
        design = with_kept(self.design, how.kept, how.dropped)
        every = np.ones(len(self.of_row), dtype=bool)
        design = replace(design, factors=tuple(f.of(every, False) for f in design.factors))
        observations = observe_part(design, how.family, how.facts)
        design = with_parameters(design, how.family)
        density, _ = first_density(design, how.family, observations)
        problem = how.coordinates.of_rows(design, density)
        outer = design.factors[-1]
        return split_at(problem, how.approximation, self.of_row - self.of_row.min(), outer)[0]


@dataclass(eq=False)
class Reading:
    """How the rows of a part are read.

    Attributes
    ----------
    source : PartOfRows
    recipe : PartRecipe
    family : Family
    first : int
        The first of its levels of the outermost grouping factor.
    of_level : (m,) int ndarray
        Pieces of its levels, one after another.
    n : int
        Rows that it should have.
    words : str
    """

    source: PartOfRows
    recipe: PartRecipe
    family: Family
    first: int
    of_level: np.ndarray
    n: int
    words: str

    @property
    def travels(self) -> bool:
        """Whether another process can read them."""
        return self.source.travels

    @property
    def n_pieces(self) -> int:
        """Pieces that they make."""
        return int(self.of_level[-1] - self.of_level[0]) + 1

    def rows(self) -> PartRows:
        """Read them."""
        given = self.recipe.given(self.source.collect())
        groupings = self.recipe.new.groupings
        level = groupings[-1].codes(given)[0].astype(np.intp) - self.first
        own = (level >= 0) & (level < len(self.of_level))
        if int(own.sum()) != self.n:
            raise DataError(
                f"{self.words}: {int(own.sum())} rows were read where {self.n} had been counted; "
                "the data changed in between, or their engine orders labels in a way of its own"
            )
        at = np.flatnonzero(own)
        if len(groupings) == 1:  # rows of a level side by side
            at = at[np.argsort(level[at], kind="stable")]
        if len(at) < given.n or len(groupings) == 1:
            given, level = given.take(at), level[at]
        design = self.recipe.design(given)
        few = [spanning_rows(np.asarray(own.X)) for own in design.predictors.values()]
        spanning = given.take(np.unique(np.concatenate(few)))
        return PartRows(design, spanning, self.of_level[level], self.family)


class Told(NamedTuple):
    """What some rows say at the optimum.

    The least and largest mean, whether each is its response, the deviance, and sums of weights,
    responses and their squares.
    """

    low: float
    high: float
    predicted: bool
    deviance: float
    sums: tuple[float, float, float]

    @classmethod
    def joined(cls, parts: Sequence[Told]) -> Told:
        """What all rows say."""
        return cls(
            min(part.low for part in parts),
            max(part.high for part in parts),
            all(part.predicted for part in parts),
            fsum(part.deviance for part in parts),
            tuple(map(fsum, zip(*(part.sums for part in parts), strict=True))),  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class ToldAt(Question):
    """What rows say at x."""

    x: np.ndarray

    def __call__(self, search: Search) -> Told:
        objective = search.objective
        density: Any = objective.problem.density
        family, eta = density.family, np.atleast_2d(objective.last_point(self.x).eta)
        zeta = eta[1:] if len(eta) > 1 else objective.split(self.x)[2]
        mu = family.mean(eta[0], zeta)
        deviance = 0.0
        if family.has_deviance:
            deviance = float(family.deviance(density.y, mu, density.weights, zeta).sum())
        return Told(
            float(mu.min()),
            float(mu.max()),
            bool((np.abs(mu - density.y) < PREDICTED).all()),
            deviance,
            weighted_sums(density.y, density.weights),
        )


# -- the fit ---------------------------------------------------------------------------------------


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
    fixed_part = random_part = objective = _shared = property(_refuse)
    first_estimates = property(_refuse)
    without = factor_at_optimum = mode_slopes = _refuse  # type: ignore[assignment]

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
        mean = float(design.sums[design.current] @ self.beta) / self.n
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
    sampled = Sampled.of(frame)
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
    made, codes = frame.table.groups[label]
    sizes = np.bincount(codes, weights=frame.table.rows, minlength=len(made.cells)).astype(int)
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
        self._check_zeros()
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
        self.rowless = rowless.changed(sums=sums, z_roots=self.z_roots)
        self.factors = frame.table.factors(sampled.labels)
        check_all(self.rowless, family, self.facts)

    def _check_zeros(self) -> None:
        for term in self.sampled.recipe.terms:
            moved = self.z_roots[term.factor][:, term.columns].any(axis=0)
            empty = np.flatnonzero(~moved)
            if empty.size:
                raise DataError(
                    f"the random term {term.text!r} has the covariate {term.names[empty[0]]!r}, "
                    "which is zero in every row used: its variance cannot be estimated. Leave it "
                    "out"
                )

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
        made, codes = frame.table.groups[self.sampled.labels[-1]]
        sizes = np.bincount(codes, weights=frame.table.rows, minlength=len(made.cells))
        of_level = pieces_of_levels(sizes.astype(int))
        places = places_of(self.factors, of_level[codes], Levels.of(self.factors, problem.Z.widths))
        return PartedObjective(
            problem, approximation, workers, places, self.factors, frame.n, frame.is_whole
        )

    def fit(self, objective: PartedObjective, optimum: Any, seconds: dict[str, float]) -> PartedFit:
        """The record of an optimum, with its verdict."""
        design = cast("PartedDesign", with_parameters(self.rowless, self.family))
        fit = PartedFit(
            design=design,
            covariance=objective.covariance,
            family=self.family,
            observations=NoObservations(self.rowless),  # type: ignore[arg-type]
            nAGQ=objective.nodes,
            expected=objective.expected,
            optimum=closed(optimum),
            seconds=seconds,
            optimizer=optimum.optimizer,
            backend=objective.modes.backend,
            scale=objective.scale,
        )
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
        for term in fit.covariance.terms:
            for j, name in enumerate(term.names, term.start):
                found = Agreement.joined([own[term.factor][j] for own in self.agreements])
                label = f"{name} by {self.factors[term.factor].name}"
                yield found.effect(label, float(fit.theta_sizes[term.factor][j]))


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
    point, beta, cov = _fixed_part(objective, x, H)
    assert isinstance(point, Point)
    T = scale.natural(scale.templates(theta))
    eta = problem.fixed.times(gamma) + problem.offset
    if eta.ndim == 2:  # predictors that random effects move are no number
        for k in {int(k) for f in problem.factors for k in f.predictor} - {0}:
            eta[k] = np.nan
    return GLMMEstimates(
        beta=beta,
        slices=problem.slices,
        zeta=problem.parameters(eta[..., :2], gamma, zeta),
        T=T,
        u=tuple(own.copy() for own in objective.spherical(point.u, theta)),
        eta=_EMPTY,
        weight=_EMPTY,
        cov_all=cov,
        cov_modes=tuple(objective.cov_modes(T)),
    )
