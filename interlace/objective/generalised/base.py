"""The base class of the objectives of generalised models: x made of its parts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from copy import copy
from functools import lru_cache
from typing import Self

import numpy as np

from ...covariance import CovarianceModel
from ...errors import NumericalError
from ..base import NOWHERE, OF_CONSEQUENCE, Objective
from ..layout import Layout, Predictor
from ..theta_scale import ThetaScale
from .breakdown import ModeSearch, little_information, predicts
from .density import ConditionalDensity
from .infinity import endless
from .modes import Modes
from .problem import START_VARIANCES, Problem

__all__ = ["GeneralisedObjective"]


# A criterion that does not come back to this, relative, depends on where its modes came from.
SAME_VALUE = 1e-7
# Fewer rows than this are searched from more starts where they are not log-concave: of 102 random
# samples ten had a lower minimum that way, the largest of 338 rows.
SEVERAL_MINIMA = 500
# ... and than this where there are several predictors.
SMALL_SAMPLE = 50
# Variances of these starts, beside those of the moments: hardly any, and a large one.
OTHER_VARIANCES = (START_VARIANCES[0], 2.0)
# Where rows are log-concave, and one factor has taken what is another's.
FAR_VARIANCE = 10.0
# What a finite parameter of the family gains where none is plainly no optimum.
UNREASONABLE = 10.0
# The standard deviation of a start beside a minimum without it.
LIFT = 0.3
# Where rows are log-concave a factor of fewer levels may have two: without its variance, and with.
FEW_LEVELS = 5


@lru_cache(maxsize=64)
def _layout(n_theta: int, p: int, n_zeta: int) -> Layout:
    """That of one linear predictor, which models alike share."""
    return Layout([Predictor("mean", n_theta, p, n_zeta)])


class GeneralisedObjective(Objective):
    """A criterion over x = (theta, p coefficients, zeta).

    An object belongs to one user in one thread; `fresh` makes another. theta is on the scale of
    standardised covariates, coefficients are those of the standardised columns of X (none of them
    where they are profiled out). The determinant takes ``expected`` or observed information.
    """

    curvature_is_cheap = False
    parameters = "parameters"
    modes: Modes
    #: nAGQ: nodes of the quadrature in each dimension; 1 for Laplace, 0 for joint modes.
    nodes: int = 1
    #: Whether the coefficients of the mean are integrated out.
    restricted: bool = False
    _lowest = np.inf  # criterion where the next search for modes starts
    #: Where modes were last compared with those from other starts, they, and which are in doubt.
    _compared: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def __init__(
        self, problem: Problem, covariance: CovarianceModel, expected: bool, p: int
    ) -> None:
        self.problem, self.covariance, self.expected = problem, covariance, expected
        self.scale = self._scale()
        self.p, self.layout = p, _layout(covariance.n_theta, p, problem.density.n_zeta)
        self.at = self.layout.of["mean"]
        density = problem.density
        if not (expected or density.log_concave or density.several):
            self.advice = f"laplace='expected', {Objective.advice}"

    def _scale(self) -> ThetaScale:
        """Of the problem in hand."""
        return ThetaScale(self.covariance, self.problem.z_roots)

    @abstractmethod
    def _begin(self, at: Self | None = None) -> None:
        """Set the start of the first search for modes: that of another objective, if given."""

    def fresh(self) -> Self:
        """The same objective with work space of its own, for another thread or another use."""
        other = self._with(self.problem.fresh())
        other._begin(self)
        return other

    def anew(self) -> Self:
        other = self._with(self.problem.fresh())
        other._begin()
        other._compared = None
        return other

    def resume(self, other: Self) -> None:
        self._begin(other)
        self._compared = other._compared

    def with_response(self, density: ConditionalDensity, eta: np.ndarray) -> Self:
        """The same criterion of another response; arguments as those of `Problem`."""
        other = self._with(self.problem.with_response(density, eta))
        other._begin()
        other._compared = None
        return other

    def release(self) -> None:
        """Drop the numbers of the last evaluation, which may be many, and keep what is shared."""
        if not self.modes.is_small:
            self.modes = self.modes.fresh(self.problem.Z, self.problem.density)
        self._begin(self)

    def _with(self, problem: Problem) -> Self:
        other = copy(self)
        other.problem = problem
        other.scale = other._scale()
        other.modes = self.modes.fresh(problem.Z, problem.density)
        return other

    def split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """theta as the optimiser sees it, coefficients of standardised columns, zeta."""
        at = self.at
        theta, gamma, zeta = x[at.theta], x[at.beta], x[at.zeta]
        if zeta.size:
            zeta = np.minimum(zeta, self.problem.density.zeta_limit)
        return theta, gamma, zeta

    def assembled(
        self, x: np.ndarray, dT: Sequence[np.ndarray], fixed: np.ndarray, zeta: np.ndarray
    ) -> np.ndarray:
        """The gradient from its parts.

        ``dT``, (k_b, k_b), are derivatives in the templates; zeta's is zero beyond its limit.
        """
        theta = self.scale.directions(x[self.at.theta]).gradient(dT)
        if zeta.size:
            zeta = zeta * (x[self.at.zeta] < self.problem.density.zeta_limit)
        return np.concatenate([theta, fixed, zeta])

    def start(self) -> np.ndarray:
        problem = self.problem
        theta = self.scale.start(problem.start_variances())
        return np.concatenate([theta, problem.glm.beta[: self.p], problem.zeta])

    @property
    def _is_small(self) -> bool:
        few = SEVERAL_MINIMA if self.problem.offset.ndim == 1 else SMALL_SAMPLE
        return self.problem.density.n < few

    def other_starts(self, x: np.ndarray) -> list[np.ndarray]:
        return [*self._other_beginnings(x), *self._lifted(x)]

    def far_starts(self, x: np.ndarray) -> list[np.ndarray]:
        own, few = x[self.at.theta], self._is_small
        far = self.covariance.far_patterns(own, OF_CONSEQUENCE, few)
        return [*(self._with_theta(x, theta) for theta in far), *self._finite(x)]

    def _finite(self, x: np.ndarray) -> list[np.ndarray]:
        """x with the family's parameter as the residuals have it, where it has none for no reason.

        A long step may have taken it to where it has no derivative any more.
        """
        density, at = self.problem.density, self.at.zeta
        if len(self.layout.of) > 1 or x[at].size != 1 or not self.modes.is_here:
            return []
        if not density.infinite(x[at], np.zeros(1)):
            return []
        other, start = self.anew(), x.copy()
        try:
            before = other.evaluate(x, 0).value
            T, eta0, zeta, u = other.held_at(x)
            start[at] = density.start(eta0 + other.modes.random_part(T, u), zeta)
            lower = other.evaluate(start, 0).value < before - UNREASONABLE
        except NumericalError:
            return []
        return [start] if lower else []

    def _other_beginnings(self, x: np.ndarray) -> list[np.ndarray]:
        """The usual start with other signs, and with other variances."""
        signed, variances = self.problem.signed, self._other_variances(x)
        if signed is None and not variances:
            return []
        own, out = self.start(), []
        if signed is not None:
            start = own.copy()
            start[self.at.beta][signed] *= -1.0
            out.append(start)
        for variance in variances:
            start = own.copy()
            start[self.at.theta] = self.scale.start(np.full(sum(self.covariance.widths), variance))
            if (start != own).any():
                out.append(start)
        return out

    def _lifted(self, x: np.ndarray) -> list[np.ndarray]:
        """x with its variances of zero a little larger: a lower minimum may be beside it."""
        density = self.problem.density
        few = density.n < SEVERAL_MINIMA and not density.log_concave
        if not few:
            return []
        bounded = self.covariance.lower_bounds() == 0.0
        places = np.arange(x.size)[self.at.theta][bounded]
        zero = places[x[places] == 0.0]
        if not zero.size:
            return []
        start = x.copy()
        start[zero] = LIFT
        return [start]

    def _other_variances(self, x: np.ndarray) -> tuple[float, ...]:
        """Variances that further searches start from, where x is what the first one found."""
        if not self._is_small:
            return ()
        if not self.problem.density.log_concave:
            return OTHER_VARIANCES
        # one factor may have taken what is another's
        return (FAR_VARIANCE,) if self._vie and self.null_directions(x) else ()

    @property
    def _vie(self) -> bool:
        """Whether several grouping factors may have a variance in each other's place."""
        return len(self.covariance.widths) > 1

    @property
    def _n_levels(self) -> tuple[int, ...]:
        """Levels of each grouping factor of the design."""
        return self.problem.Z.n_levels[: len(self.covariance.widths)]

    def boundaries(self, x: np.ndarray) -> list[np.ndarray]:
        levels = self._n_levels
        concave = self.problem.density.log_concave
        if not self._is_small:
            return []
        if concave and not (self._vie and min(levels) < FEW_LEVELS):
            return []
        factor, places = self.covariance.theta_factor, np.arange(x.size)[self.at.theta]
        sets = [places[factor == b] for b in range(len(levels))] if self._vie else []
        return [zero for zero in (*sets, *([] if concave else [places])) if x[zero].any()]

    def theta(self, x: np.ndarray) -> np.ndarray:
        return self.scale.theta(x[self.at.theta])

    def names(self) -> list[str]:
        return self.covariance.theta_names

    def lower_bounds(self) -> np.ndarray:
        lower = np.full(self.layout.size, -np.inf)
        lower[self.at.theta] = self.scale.lower_bounds()
        return lower

    @property
    def one_signed(self) -> np.ndarray:
        return self.at.theta.start + self.covariance.one_signed

    def canonical(self, x: np.ndarray) -> np.ndarray:
        old = x[self.at.theta]
        theta = self.scale.canonical(old)
        return x if theta is old else self._with_theta(x, theta)

    def snap(self, x: np.ndarray) -> np.ndarray:
        return self._with_theta(x, self.scale.snap(x[self.at.theta]))

    def _with_theta(self, x: np.ndarray, theta: np.ndarray) -> np.ndarray:
        out = x.copy()
        out[self.at.theta] = theta
        return out

    def null_directions(self, x: np.ndarray) -> list[str]:
        return self.scale.null_directions(x[self.at.theta])

    def changes(self, x: np.ndarray, directions: np.ndarray) -> np.ndarray:
        theta, *others = (directions[at] for at in self.at)
        return np.concatenate([self.scale.changes(x[self.at.theta], theta), *others])

    def _leads_on(self, value: float, zeta: np.ndarray) -> bool:
        """Whether the next search for modes starts at those of this criterion without constants.

        Where there may be several modes only the best point's own may: a step that is rejected
        can end in other ones, and from these a search does not come back.
        """
        if self.problem.density.log_concave:
            return True
        value -= 2.0 * self.problem.density.constant(zeta)[0]
        if not value <= self._lowest:
            return False
        self._lowest = value
        return True

    def place(self, theta: np.ndarray) -> list[np.ndarray]:
        """What `Modes` take for theta of a search: templates for standardised covariates."""
        return self.scale.templates(theta)

    def spherical(self, u: np.ndarray, theta: np.ndarray) -> list[np.ndarray]:
        """The u of each grouping factor of the design, (l_b, k_b), from those of a search, (q,)."""
        parts = zip(self.problem.Z.offsets, self.covariance.widths, self._n_levels, strict=False)
        return [u[start : start + n * k].reshape(n, k) for start, k, n in parts]

    def cov_modes(self, T: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Covariances of the effects at the last point for T of the data, (l_b, k_b, k_b) each."""
        return [t @ self.modes.inverse_blocks(b) @ t.T for b, t in enumerate(T)]

    # -- whether the approximation holds --------------------------------------------------------

    @abstractmethod
    def modes_at(
        self, x: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
        """Templates, X beta plus offset (n,), zeta, and the modes u (q,) that the search holds."""

    @abstractmethod
    def held_at(self, x: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
        """As `modes_at`, with the modes that the next search starts at and no search."""

    @abstractmethod
    def hold(self, u: np.ndarray) -> None:
        """Start the next search for modes at u (q,)."""

    def _other_modes(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Modes in hand, better ones if there are any, parts whose modes are in doubt."""
        T, eta0, zeta, u = self.modes_at(x)
        search = ModeSearch(self.problem, self.modes)
        return u, *search.compare(T, eta0, zeta, self.modes.find(T, eta0, zeta, u, 0))

    def reconsider(self, x: np.ndarray) -> bool:
        if self.problem.density.log_concave:
            return False
        self._compared = None
        try:
            u, better, doubtful = self._other_modes(x)
        except NumericalError:  # modes that were found on the way to x alone: see `doubts`
            return False
        self.hold(u if better is None else better)
        if better is None:
            self._compared = x.copy(), u, doubtful
        return better is not None

    def doubts(self, x: np.ndarray, value: float) -> list[str]:
        if self.problem.density.log_concave:
            return []
        # asked for at any time: the work space of a search is not its own
        other = self.fresh()
        try:
            return other._doubts(x, value)
        except NumericalError:  # no modes are found again
            T, eta0, zeta, u = self.held_at(x)
            eta = eta0 + self.modes.random_part(T, u)
            words = little_information(
                other.problem, other.modes, T, eta, zeta, self.expected, self.nodes
            )
            return words or ModeSearch(other.problem, other.modes).words(NOWHERE, True, self.nodes)

    def overfits(self, x: np.ndarray) -> bool:
        density = self.problem.density
        # elsewhere the first of several minima is not the one that is meant
        if not density.log_concave or density.family.support != "proportion":
            return False
        if len(self.layout.of) > 1:
            return False
        with_effects, without = self.predicts(x)
        return with_effects and not without

    def predicts(self, x: np.ndarray) -> tuple[bool, bool]:
        """Whether all rows' means are their responses at x, by the modes in hand and without."""
        density, (T, eta0, zeta, u) = self.problem.density, self.held_at(x)

        def by(eta: np.ndarray) -> bool:
            return predicts(density.family.mean(eta, zeta), density.y)

        return by(eta0 + self.modes.random_part(T, u)), by(eta0)

    def _doubts(self, x: np.ndarray, value: float) -> list[str]:
        known = self._compared
        if known is not None and (known[0] == x).all():
            _, u, second = known
            T, eta0, zeta, _ = self.held_at(x)
        else:
            u, _, second = self._other_modes(x)
            T, eta0, zeta, _ = self.modes_at(x)
        eta = eta0 + self.modes.random_part(T, u)
        words = little_information(
            self.problem, self.modes, T, eta, zeta, self.expected, self.nodes
        )
        self.hold(u)
        again = self.evaluate(x, 0).value
        depends = abs(again - value) > SAME_VALUE * (1.0 + abs(value))
        return words or ModeSearch(self.problem, self.modes).words(second, depends, self.nodes)

    def at_infinity(self, x: np.ndarray, curvature: np.ndarray) -> list[str]:
        return list(self.endless(x, curvature).values())

    def endless(self, x: np.ndarray, curvature: np.ndarray) -> dict[int, str]:
        """Parameters whose best value is not finite, by their place in x, and why, with remedy."""
        places = np.arange(self.at.beta.start, self.at.zeta.stop)
        return endless(self.problem, x[self.at.beta], x[self.at.zeta], places, curvature)
