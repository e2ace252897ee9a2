"""Where Laplace's approximation breaks down: modes of little information, several modes.

Where rows are not log-concave the penalised likelihood of a level can have several modes, and the
observed information at a mode can be as little as one likes: at a fold, where a mode meets a
saddle, log|M| tends to minus infinity. A criterion made of one mode says little there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ...errors import NumericalError
from .modes import Modes, Point
from .problem import Problem

__all__ = [
    "ModeSearch",
    "information_words",
    "least_information",
    "little_information",
    "predicts",
]

# Random effects that predict every row this well are too large for an approximation.
PREDICTED = 0.02
# Information of a mode below this share of its expectation: fits that hold have 0.2 to 1, those
# whose search runs into a fold 1e-5 to 0.08 (44 small samples with log links).
LEAST_SHARE = 0.1
# A second mode matters if it adds this share to what Laplace's approximation takes of the first,
# and one with a penalised log-likelihood higher by this share of it is the better one.
SECOND_MASS = 0.01
HIGHER = 1e-7
# Modes closer than this, relative to their size, are the same.
SAME_MODE = 1e-4
# A start that no search can leave, as out of the range of the means, is brought nearer to the modes
# in hand by half of the way, this often.
HALVINGS = 4
# Samples of fewer rows are searched from so many draws of the random effects too.
FEW_ROWS = 500
DRAWS = 4
# Nodes that are advised where one is not enough.
MANY_NODES = 25


def predicts(mu: np.ndarray, y: np.ndarray) -> bool:
    """Whether means (n,) are their responses (n,), all of them."""
    return bool((np.abs(mu - y) < PREDICTED).all())


class _Level(NamedTuple):
    """A grouping factor and one of its levels, by number."""

    factor: int
    level: int


def _named(problem: Problem, at: _Level) -> str:
    if at.factor >= len(problem.factors):  # a restricted likelihood has them as one more level
        return "the coefficients"
    factor = problem.factors[at.factor]
    if factor.known is not None:
        return f"the levels of {factor.name}"
    return f"level {str(factor.levels[at.level])!r} of {factor.name}"


def little_information(
    problem: Problem,
    modes: Modes,
    T: Sequence[np.ndarray],
    eta: np.ndarray,
    zeta: np.ndarray,
    expected: bool,
    nodes: int,
) -> list[str]:
    """The defect of the information of the modes at these predictors, in words; empty if none."""
    least, where = least_information(problem, modes, T, eta, zeta)
    named = "" if where is None else _named(problem, where)
    return information_words(least, named, expected, problem, nodes)


def least_information(
    problem: Problem, modes: Modes, T: Sequence[np.ndarray], eta: np.ndarray, zeta: np.ndarray
) -> tuple[float, _Level | None]:
    """The least share of the information expected that a level has, and which; none at no mode.

    Compared are the blocks of H^{-1} and of its twin with the expected information, level by
    level: the share is the least one of any direction of a level.
    """
    density, inverses = problem.density, []
    for information in (False, True):
        rows = density.rows(eta, zeta, information, order=0)
        try:
            inverses.append(modes.blocks_of(rows.weight if information else rows.observed, T))
        except NumericalError:
            return 0.0, None
    least, where = 1.0, _Level(0, 0)
    for b, (own, twin) in enumerate(zip(*inverses, strict=True)):
        share = np.linalg.eigvals(np.linalg.solve(own, twin)).real.min(axis=1)
        if share.min() < least:
            least, where = float(share.min()), _Level(b, int(share.argmin()))
    return least, where


def information_words(
    least: float, named: str, expected: bool, problem: Problem, nodes: int
) -> list[str]:
    """Words on the least share of information, which the level ``named`` has; none if enough."""
    if least >= LEAST_SHARE:
        return []
    where = f"at {named}" if named else "at a point that is no mode"
    return [_words(where, least, expected, problem, nodes)]


def _remedies(problem: Problem, nodes: int) -> list[str]:
    """Remedies for several modes, or one of little information."""
    scalar = len(problem.factors) == 1 and problem.Z.widths[0] == 1
    scalar = scalar and not (problem.density.several or problem.chained)
    others = "take another link or family, or leave out a random-effect term"
    more = [f"integrate with nAGQ={MANY_NODES}"] if scalar and nodes < MANY_NODES else []
    return [*more, others]


def _method(nodes: int) -> str:
    return "quadrature around the modes" if nodes > 1 else "Laplace's approximation"


def _words(where: str, share: float, expected: bool, problem: Problem, nodes: int) -> str:
    other = expected or problem.density.several
    ways = [*([] if other else ["take laplace='expected'"]), *_remedies(problem, nodes)]
    return (
        f"{_method(nodes)} breaks down: {where} the mode of the random effects has "
        f"{100.0 * share:.2g} % of the information expected there, so the estimates mean little; "
        f"{', '.join(ways[:-1])}{', or ' if len(ways) > 1 else ''}{ways[-1]}"
    )


class ModeSearch:
    """Modes from other starts, compared with those in hand.

    With one grouping factor levels are compared one by one, else all effects together.
    """

    def __init__(self, problem: Problem, modes: Modes) -> None:
        self.problem, self.modes = problem, modes
        sole = len(problem.Z.widths) == 1 and modes.by_level
        self.codes = problem.factors[0].codes if sole else np.zeros(problem.Z.n, dtype=np.intp)
        self.parts = problem.Z.n_levels[0] if sole else 1

    def values(self, point: Point, zeta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Modes, penalised log-likelihoods and log-determinants by part."""
        rows = self.problem.density.values(point.eta, zeta)[0]
        u = point.u.reshape(self.parts, -1).copy()
        if self.parts == 1:
            return u, np.array([rows.sum() - 0.5 * point.penalty]), np.array([point.logdet])
        f = np.bincount(self.codes, weights=rows, minlength=self.parts)
        f -= 0.5 * (u * u).sum(axis=1)
        return u, f, -np.linalg.slogdet(self.modes.inverse_blocks(0))[1]

    def starts(self, u: np.ndarray) -> Iterator[tuple[np.ndarray, bool]]:
        """Zero, modes u (q,) turned, and draws from N(0, I); whether u itself is left behind.

        Of several factors each is turned alone too: the others stay.
        """
        yield np.zeros(u.size), True
        yield -u, True
        if self.parts > 1:
            return
        offsets = self.problem.Z.offsets
        for b in range(len(offsets) - 1 if len(offsets) > 2 else 0):
            start = u.copy()
            start[offsets[b] : offsets[b + 1]] *= -1.0
            yield start, False
        # levels cannot be turned one by one where they share rows
        if self.problem.Z.n < FEW_ROWS and self.modes.by_level:
            rng = np.random.default_rng(u.size)
            for draw in rng.normal(size=(DRAWS, u.size)):
                yield draw, True
                yield -draw, True

    def _from(
        self,
        T: Sequence[np.ndarray],
        eta0: np.ndarray,
        zeta: np.ndarray,
        start: np.ndarray,
        u: np.ndarray,
    ) -> Point | None:
        """The end of a search from ``start`` or, where it fails, from nearer to u (q,)."""
        for _ in range(1 + HALVINGS):
            try:
                return self.modes.find(T, eta0, zeta, start, 0)
            except NumericalError:
                start = 0.5 * (start + u)
        return None

    def compare(
        self, T: Sequence[np.ndarray], eta0: np.ndarray, zeta: np.ndarray, here: Point
    ) -> tuple[np.ndarray | None, np.ndarray]:
        """Better modes (q,) if there are any, and the parts whose modes are in doubt.

        These have a second one that matters, or one that is found again from no other start.
        """
        u, f, logdet = self.values(here, zeta)
        own, second = u.copy(), np.zeros(self.parts, dtype=bool)
        better, again = np.zeros(self.parts, dtype=bool), np.zeros(self.parts, dtype=bool)
        for start, independent in self.starts(own.ravel()):
            there = self._from(T, eta0, zeta, start, own.ravel())
            if there is None:
                continue
            v, g, other = self.values(there, zeta)
            far = np.abs(v - own).max(axis=1) > SAME_MODE * (1.0 + np.abs(own).max(axis=1))
            mass = g - f - 0.5 * (other - logdet)
            again |= ~far & independent
            second |= far & (mass > np.log(SECOND_MASS))
            higher = far & (g > f + HIGHER * (1.0 + np.abs(f)))
            u[higher], f = v[higher], np.where(higher, g, f)
            logdet = np.where(higher, other, logdet)
            better |= higher
        return (u.ravel() if better.any() else None), np.flatnonzero(second | ~again)

    def words(self, second: np.ndarray, depends: bool, nodes: int) -> list[str]:
        """The meaning of a second mode of these parts, in words; empty without one.

        ``depends`` says that the search for modes ended at others than before.
        """
        if not second.size and not depends:
            return []
        where = "of the model"
        if second.size and self.parts > 1:
            where = f"at {_named(self.problem, _Level(0, int(second[0])))}"
            if second.size > 1:
                where += f" and {second.size - 1} more"
        return [
            f"{_method(nodes)} breaks down: the conditional modes are not unique, the random "
            f"effects {where} have several that matter, and the criterion takes one; "
            + ", ".join(_remedies(self.problem, nodes))
        ]
