"""Profiles and their limits: constrained fits along one parameter, each from the one before.

With D(v) the minimum of -2 log-likelihood over all other parameters and d its minimum,

    zeta(v) = sign(v - estimate) (D(v) - d)^(1/2),   zeta' = D' / (2 zeta),

and D' is the derivative of -2 log-likelihood in v alone, for the others are at their best.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...objective.base import Evaluation
from ...optimize.held import minimise_rest
from ...optimize.trust_region import LARGEST_RADIUS, trust_step
from .coordinates import Coordinates
from .likelihood import Likelihood

__all__ = ["Point", "Search", "Side"]

# A curvature below this share of the largest, scaled to unit diagonal, sets no unit of length.
FLOOR = 1e-8
# zeta is right to this where a limit is sought: its error is corrected by the slope, which squares
# it.
CLOSE = 1e-4
MAX_FITS = 60
MAX_POINTS = 100
# A step may be so many times as long as all before it.
GROWTH = 2.0
HALVINGS = 12
# A profile that gains less than this share of what is missing over as much again as the way from
# the estimate is level: there is no limit.
LEVEL = 1e-3
# Estimates at infinity are on a plateau of the likelihood, where zeta is rounding: so many units of
# length show on which side it ends.
PLATEAU, FAR = 1e-4, 1e3
# Steps in zeta this many times as long as wanted are taken again, shorter.
TOO_FAR = 2.0
# Where slopes at two ends tell the rise between them by more than this share wrong, or differ by
# more than this factor, points in between are fitted: so many halvings.
BENT, STEEPER, MAX_BENDS = 0.1, 1.6, 3
# A constrained fit that is this much nearer to zero is another minimum.
ANOTHER = 1e-5
# zeta of 95 % limits: a point of each profile, since splines know nothing of the corners that
# variances make when they leave zero.
ANCHOR = 1.959963984540054
# Deviance below the minimum that is no rounding.
LOWER = 1e-6
# Below this a template has a diagonal entry that is zero but for rounding.
NEAR_ZERO = 1e-3


class Point(NamedTuple):
    """A point of a profile: coordinate of the parameter, zeta, its slope, and whitened w.

    ``y`` are the likelihood's parameters where these are not those of w.
    """

    at: float
    zeta: float
    slope: float
    w: np.ndarray
    y: np.ndarray | None = None


class Side(NamedTuple):
    """One side of a profile, outwards from the estimate.

    Attributes
    ----------
    points : list of Point
    ends : {"", "bound", "level", "short"}
        Why it goes no further: it does; a bound of the parameter; it is level, so that there is no
        limit; no constrained fit was found beyond.
    """

    points: list[Point]
    ends: str


class Search:
    """Constrained fits of a likelihood along one coordinate.

    Work is in w, in which the curvature at the estimates is the identity but for the parameter:
    phi = start + unit w. Whatever the parameter, zeta is no further from zero than at ``most``: a y
    that all its values can have.
    """

    def __init__(
        self, likelihood: Likelihood, coordinates: Coordinates, most: np.ndarray | None = None
    ) -> None:
        self.likelihood, self.coordinates, self.most = likelihood, coordinates, most
        self.cap = np.inf
        if most is not None:
            fall = likelihood.evaluate(most, 0).value - likelihood.value
            self.cap = float(np.sqrt(max(fall, 0.0)))
        J = coordinates.jacobian(coordinates.start)
        H = J.T @ likelihood.curvature @ J
        self.unit = _units(H)
        self.B = self.unit.T @ H @ self.unit
        self.lowest = 0.0
        n = H.shape[0]
        self.here = float(coordinates.start[0])
        self.first = Point(self.here, 0.0, self._first_slope(), np.zeros(n))
        self._curvature = self.B
        theta = len(likelihood.to_theta)
        self._singular = theta > 0 and bool((np.abs(likelihood.y[:theta]) < NEAR_ZERO).any())

    def _first_slope(self) -> float:
        """d zeta / d coordinate at the estimate, from the curvature that the others leave."""
        B = self.B
        step, *_ = trust_step(B[1:, 0].copy(), B[1:, 1:], LARGEST_RADIUS)
        left = B[0, 0] + B[0, 1:] @ step
        if not left > FLOOR * B[0, 0]:  # not determined, or at infinity
            return 0.0
        return float(np.sqrt(0.5 * left) / self.unit[0, 0])

    # -- the constrained problem ---------------------------------------------------------------

    def phi(self, w: np.ndarray) -> np.ndarray:
        """Coordinates from whitened ones."""
        return self.coordinates.start + self.unit @ w

    def y(self, w: np.ndarray) -> np.ndarray:
        """Parameters of the likelihood."""
        return self.coordinates.y(self.phi(w))

    def evaluate(self, w: np.ndarray, order: int = 1) -> Evaluation:
        """The likelihood over w, with gradient."""
        phi = self.phi(w)
        e = self.likelihood.evaluate(self.coordinates.y(phi), order)
        if not order:
            return e
        gradient = self.unit.T @ (self.coordinates.jacobian(phi).T @ e.gradient)
        return e._replace(gradient=gradient)

    def fit(self, at: float, near: Point) -> Point | None:
        """The constrained fit at a coordinate, from a point near it; None if there is none."""
        move = np.zeros(near.w.size)
        move[0] = (at - near.at) / self.unit[0, 0]
        B = self._curvature
        if move.size > 1:
            step, *_ = trust_step(B[1:, 0] * move[0], B[1:, 1:], 2.0 + abs(move[0]))
            move[1:] = step
        for start in (near.w + move, np.append((near.w + move)[:1], near.w[1:])):
            fitted = minimise_rest(self, start, B)
            if fitted is not None:
                break
        else:
            return None
        w, here, self._curvature = fitted
        if self._singular:
            w, here = self._off_a_ridge(w, here)
        return self._point(at, w, here)

    def _point(self, at: float, w: np.ndarray, here: Evaluation) -> Point:
        fall = here.value - self.likelihood.value
        self.lowest = min(self.lowest, fall)
        sign = 1.0 if at >= self.here else -1.0
        zeta = sign * float(np.sqrt(max(fall, 0.0)))
        slope = float(here.gradient[0]) / self.unit[0, 0]
        slope = slope / (2.0 * zeta) if zeta else 0.0
        return Point(at, zeta, slope, w)

    def _off_a_ridge(self, w: np.ndarray, here: Evaluation) -> tuple[np.ndarray, Evaluation]:
        """Where a variance at zero ought not to be there any more the gradient does not say so."""
        n = w.size
        if n == 1:
            return w, here
        H, h = np.empty((n - 1, n)), 1e-3
        for i in range(1, n):
            move = np.zeros(n)
            move[i] = h
            up, down = self.evaluate(w + move), self.evaluate(w - move)
            H[i - 1] = (up.gradient - down.gradient) / (2.0 * h)
        values, vectors = np.linalg.eigh(0.5 * (H[:, 1:] + H[:, 1:].T))
        if values[0] > -1e-4 * max(values[-1], 1.0):
            return w, here
        B = self._curvature.copy()
        B[1:, 1:] = 0.5 * (H[:, 1:] + H[:, 1:].T)
        start = w.copy()
        start[1:] += 0.3 * vectors[:, 0]
        fitted = minimise_rest(self, start, B)
        if fitted is None or fitted[1].value > here.value:
            return w, here
        w, here, self._curvature = fitted
        return w, here

    # -- along one side ------------------------------------------------------------------------

    def _bound(self, sign: float) -> float:
        return self.coordinates.upper if sign > 0.0 else self.coordinates.lower

    def begin(self) -> None:
        """Start again from the estimates."""
        self._curvature = self.B

    def limit(self, sign: float, wanted: float) -> tuple[float, str]:
        """The coordinate at which zeta is sign times wanted, and why if it is none.

        At a bound that is reached before it is the bound; infinite where the profile is level.
        """
        self.begin()
        low, high, bound = self.first, None, self._bound(sign)
        if low.at == bound or wanted >= self.cap:
            return bound, "bound"
        for _ in range(MAX_FITS):
            at = self._proposal(low, high, sign, wanted)
            at = sign * min(sign * at, sign * bound)
            there = self._reached(at, low if high is None else _nearer(low, high, at))
            if there is None:
                return np.nan, "short"
            size = sign * there.zeta
            if abs(size - wanted) < CLOSE and there.slope > 0.0:
                return there.at + sign * (wanted - size) / there.slope, ""
            if size > wanted:
                high = there
            elif there.at == bound:
                return bound, "bound"
            elif self._is_level(low, there, wanted - size):
                return bound, "bound" if np.isfinite(bound) else "level"
            else:
                low = there
            if high is not None and abs(high.at - low.at) < 1e-10 * (1.0 + abs(high.at)):
                return high.at, ""
        return np.nan, "short"

    def _proposal(self, low: Point, high: Point | None, sign: float, wanted: float) -> float:
        """Where zeta may be sign times wanted: between the points, or beyond the only one."""
        if high is not None:
            at = _inverse(low, high, sign * wanted)
            inside = min(low.at, high.at) < at < max(low.at, high.at)
            return at if inside else 0.5 * (low.at + high.at)
        done = abs(low.at - self.here)
        most = GROWTH * done if done else np.inf
        rate = max(low.slope, 0.0)
        step = (wanted - sign * low.zeta) / rate if rate else np.inf
        step = min(step, most)
        return low.at + sign * (step if np.isfinite(step) else self.unit[0, 0])

    def _reached(self, at: float, near: Point) -> Point | None:
        """The constrained fit at a coordinate, or nearer to the point where there is none."""
        for _ in range(HALVINGS):
            there = self.fit(at, near)
            if there is not None and np.isfinite(there.zeta):
                return there
            at = near.at + 0.5 * (at - near.at)
            self.begin()
        return None

    def _is_level(self, before: Point, point: Point, missing: float) -> bool:
        """Whether zeta rises ever less; from estimates at infinity it rises ever more, inwards."""
        done = abs(point.at - self.here)
        if abs(point.zeta) < PLATEAU:
            return done > FAR * self.unit[0, 0]
        far = 2.0 / self.first.slope if self.first.slope else 2.0 * self.unit[0, 0]
        less = point.slope <= max(before.slope, 0.0)
        return done > far and less and max(point.slope, 0.0) * done < LEVEL * missing

    def side(self, sign: float, cutoff: float, spacing: float) -> Side:
        """Points about ``spacing`` apart in zeta until it is beyond the cutoff."""
        side = self._outwards(sign, cutoff, spacing)
        points = side.points
        for i in range(len(points) - 2, -1, -1):  # from minima that were found further out
            if abs(points[i].zeta) > abs(points[i + 1].zeta) + ANOTHER:
                again = self.fit(points[i].at, points[i + 1])
                if again is not None and abs(again.zeta) < abs(points[i].zeta):
                    points[i] = again
        return side

    def _outwards(self, sign: float, cutoff: float, spacing: float) -> Side:
        self.begin()
        here, bound = self.first, self._bound(sign)
        points: list[Point] = []
        if here.at == bound:
            return Side([], "bound")
        while len(points) < MAX_POINTS:
            there = self._next(here, sign, bound, spacing)
            if there is None:
                break
            if sign * here.zeta < ANCHOR < sign * there.zeta and ANCHOR < self.cap:
                points += self._between(here, there, sign * ANCHOR)
                here = points[-1] if points else here
            if sign * there.zeta > self.cap:
                return Side([*points, *self._level(here, there, sign, bound)], "bound")
            points += [*self._bend(here, there), there]
            before, here, size = here, there, sign * there.zeta
            if size >= cutoff:
                return Side(points, "")
            if here.at == bound:
                return Side(points, "bound")
            if self._is_level(before, here, cutoff - size):
                if not np.isfinite(bound):
                    return Side(points, "level")
                return Side([*points, here._replace(at=bound, slope=0.0)], "bound")
        return Side(points, "short")

    def _between(self, low: Point, high: Point, wanted: float) -> list[Point]:
        """The point between two others where zeta is about what is wanted."""
        at = _inverse(low, high, wanted)
        if not min(low.at, high.at) < at < max(low.at, high.at):
            return []
        there = self.fit(at, _nearer(low, high, at))
        if there is None or not min(low.zeta, high.zeta) < there.zeta < max(low.zeta, high.zeta):
            return []
        return [there]

    def _bend(self, low: Point, high: Point, halvings: int = MAX_BENDS) -> list[Point]:
        """Points between two whose slopes are not those of the rise between them."""
        rise, way = high.zeta - low.zeta, high.at - low.at
        steep, flat = sorted((low.slope, high.slope), reverse=True)
        smooth = abs(rise - 0.5 * (low.slope + high.slope) * way) <= BENT * abs(rise)
        if (smooth and steep <= STEEPER * flat) or not halvings:
            return []
        # there may be a minimum in the place of each
        both = [self.fit(low.at + 0.5 * way, near) for near in (low, high)]
        known = [point for point in both if point is not None]
        if not known:
            return []
        there = min(known, key=lambda point: abs(point.zeta))
        before = self._bend(low, there, halvings - 1)
        return [*before, there, *self._bend(there, high, halvings - 1)]

    def _level(self, low: Point, high: Point, sign: float, bound: float) -> list[Point]:
        """From where zeta is that of ``most`` it is level, up to the bound."""
        at = _inverse(low, high, sign * self.cap)
        at = at if np.isfinite(at) else high.at
        first = Point(at, sign * self.cap, 0.0, low.w, self.most)
        return [first] if at == bound else [first, first._replace(at=bound)]

    def _next(self, here: Point, sign: float, bound: float, spacing: float) -> Point | None:
        done = abs(here.at - self.here)
        step = spacing / here.slope if here.slope > 0.0 else np.inf
        step = min(step, GROWTH * done if done else np.inf)
        step = step if np.isfinite(step) else self.unit[0, 0]
        for _ in range(HALVINGS):
            at = sign * min(sign * here.at + step, sign * bound)
            there = self.fit(at, here)
            if there is not None and np.isfinite(there.zeta):
                if sign * (there.zeta - here.zeta) <= TOO_FAR * spacing:
                    return there
            else:
                self.begin()
            step = 0.5 * abs(at - here.at)
        return there


def _units(H: np.ndarray) -> np.ndarray:
    """U (n, n) with U'HU = 2 I of all but the first coordinate, which keeps to itself."""
    n = len(H)
    size = np.abs(np.diagonal(H))
    scale = np.sqrt(2.0 / np.where(size > np.finfo(float).tiny, size, 2.0))
    U = np.zeros((n, n))
    U[0, 0] = scale[0]
    if n > 1:
        own = scale[1:]
        values, vectors = np.linalg.eigh(H[1:, 1:] * own[:, None] * own)
        root = np.sqrt(2.0 / np.maximum(np.abs(values), FLOOR * np.abs(values).max()))
        U[1:, 1:] = own[:, None] * vectors * root
    return U


def _nearer(low: Point, high: Point, at: float) -> Point:
    return low if abs(low.at - at) <= abs(high.at - at) else high


def _inverse(low: Point, high: Point, wanted: float) -> float:
    """The coordinate at zeta = wanted by Hermite's cubic of the coordinate in zeta."""
    if not (low.slope > 0.0 and high.slope > 0.0) or high.zeta == low.zeta:
        return np.nan
    width = high.zeta - low.zeta
    t = (wanted - low.zeta) / width
    a, b = width / low.slope, width / high.slope
    return float(
        low.at * (1.0 + 2.0 * t) * (1.0 - t) ** 2
        + a * t * (1.0 - t) ** 2
        + high.at * t * t * (3.0 - 2.0 * t)
        + b * t * t * (t - 1.0)
    )
