"""One entry to all optimisers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import FitInterrupted, NumericalError
from ..objective.base import NOWHERE, Approach, Evaluation, Objective, Stretch
from .boundary import minimum_where_zero
from .curvature import Axes, final_hessian, second_look
from .one_signed import OneSigned
from .optimum import Optimum
from .quasi import quasi_newton
from .trust_region import LARGEST_RADIUS, PROMISE_TOLERANCE, Log, Run, newton, trust_step
from .watch import now, stage

# L-BFGS-B stops on the gradient of the criterion, which is exact: values are too noisy to ask.
LBFGSB_GRADIENT = 1e-7
# lme4 asks xtol_abs = ftol_abs = 1e-8 but stops at a relative 1e-4; these are the former, meant.
BOBYQA_XTOL = 1e-10
BOBYQA_FTOL = 1e-12
MAX_EVALUATIONS = 10_000
# Of two minima the first stays unless the second is lower by this, relatively.
LOWER = 1e-9
# Another correlation is searched from where the criterion is at most so much higher there: of 22
# lower minima of random models, all but three were found from excesses below 11.
NEAR = 12.0
# Such a search is given up where the criterion is within this of what is known, and as a parabola
# says but for this share of it.
NEIGHBOUR = 1.0
LIKE_A_PARABOLA = 0.1
SAME = 1e-6
# lme4's restart_edge, with curvature: BOBYQA starts again where a step away from its answer
# promises a fall that is no rounding.
MAX_RESTARTS = 5
RESTART_RADIUS = 0.5
RESTART_PROMISE = 1e-7
# Searches for one fit: another where the modes of its optimum are not the best ones.
MAX_RECONSIDERED = 3
MOST_BEGINNINGS = 5


def minimise(
    objective: Objective, optimizer: str = "newton", start: np.ndarray | None = None
) -> Optimum:
    """Minimise an objective and certify the best of what its starts lead to.

    "newton" and "lbfgsb" use exact gradients; "bobyqa" none (Powell 2009, through NLopt). `start`
    (n,) stands in for the objective's own; those that it wants tried besides are tried too, and so
    are the boundaries where it may have other minima, both with gradients.
    """
    best = minimise_from(objective, optimizer, objective.start() if start is None else start)
    # hundreds of evaluations without gradients are for the first search alone
    gradients = "newton" if optimizer == "bobyqa" else optimizer
    evaluations = best.evaluations
    for kind, x, zero in _further(objective, best.x):
        other = objective.anew()  # what the first search left in hand belongs to its optimum
        stage("other starts")
        try:
            if kind == "far":
                evaluations += 1
                if not other.evaluate(x, 0).value < best.value + NEAR:
                    continue
            if kind == "boundary":
                x, value, count = minimum_where_zero(other, x, zero)
                evaluations += count
                if not _lower(value, best.value):
                    continue
            known = best if kind == "far" else None
            other_optimum = minimise_from(other, gradients, x, known)
        except _Known as known_again:
            evaluations += known_again.count
            continue
        except NumericalError:
            continue
        except KeyboardInterrupt:  # what was found first is as good as any
            raise _interrupted(objective, best.x, best.value, evaluations) from None
        evaluations += other_optimum.evaluations
        if _lower(other_optimum.value, best.value) and _is_worth_more(
            other, other_optimum, objective, best
        ):
            best = other_optimum
            objective.resume(other)
    return best if evaluations == best.evaluations else best.counted(evaluations, optimizer)


def _further(objective: Objective, x: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """What is tried after a first optimum x: the kind of it, where from, what is held at zero."""
    for start in objective.other_starts(x):
        yield "start", start, NOWHERE
    for start in objective.far_starts(x):
        yield "far", start, NOWHERE
    for zero in objective.boundaries(x):
        yield "boundary", x, zero


def _is_worth_more(other: Objective, lower: Optimum, objective: Objective, best: Optimum) -> bool:
    """Whether an optimum of a lower value is the better one: none is where a criterion breaks down.

    Each is asked of the objective that found it.
    """
    if lower.verdict == "breaks down":
        return False
    return not other.overfits(lower.x) or objective.overfits(best.x)


def _lower(value: float, than: float) -> bool:
    """Whether a value is lower than that of another minimum."""
    return value < than - LOWER * (1.0 + abs(than))


def minimise_from(
    objective: Objective, optimizer: str, start: np.ndarray, known: Optimum | None = None
) -> Optimum:
    """The optimum that a search from one start finds.

    It is given up, by `_Known`, where it is on its way to the optimum ``known``.
    """
    counted: Any = _Counted(objective, start, known)
    stage("search")
    try:
        return _searched(counted, objective, optimizer, start)
    except KeyboardInterrupt:
        x, value = counted.best
        raise _interrupted(objective, x, value, counted.count) from None


def _interrupted(
    objective: Objective, x: np.ndarray, value: float, evaluations: int
) -> FitInterrupted:
    """What says of an interrupt how far the search had come."""
    return FitInterrupted(x.copy(), objective.theta(x), value, evaluations)


def _searched(counted: Any, objective: Objective, optimizer: str, start: np.ndarray) -> Optimum:
    """The same, its evaluations counted."""
    places = objective.one_signed
    if not places.size:
        x, here, axes, log = _search(counted, objective, optimizer, np.asarray(start, dtype=float))
    else:
        bent = OneSigned(objective, places)
        z, here, _, log = _search(OneSigned(counted, places), bent, optimizer, bent.start(start))
        x, here, axes = bent.x(z), bent.of_parameters(z, here), None
        log = [(bent.x(point), value) for point, value in log]
    return Optimum(
        x=x,
        value=here.value,
        gradient=here.gradient,
        curvature=here.curvature,
        evaluations=counted.count,
        optimizer=optimizer,
        log=tuple(log),
        exact=here.exact,
        certified=here.exact or objective.curvature_is_cheap,
        _objective=objective,
        _axes=axes,
        parameters=objective.parameters,
    )


def _search(
    counted: Any, objective: Any, optimizer: str, x: np.ndarray
) -> tuple[np.ndarray, Evaluation, Axes | None, Log]:
    """Where a search ends, what holds there, the axes of its curvature, and the way."""
    log: Log = []
    for _ in range(MAX_RECONSIDERED):
        x, here, own = OPTIMIZERS[optimizer](counted, x)
        log += own
        if not objective.reconsider(x):
            break
    else:
        here = counted.evaluate(x, 2)
    canonical = objective.canonical(x)
    if canonical is not x and (canonical != x).any():
        x, here = canonical, _mirrored(counted, here, x, canonical)
    if not (here.exact or objective.curvature_is_cheap):
        H = final_hessian(objective, x)
        if H is not None:
            here = here._replace(curvature=H, exact=True)
    axes = None
    if here.exact or objective.curvature_is_cheap:
        x, here, axes = second_look(counted, x, here)
        if not (here.exact or _settled(here)):
            H = final_hessian(objective, x)
            if H is not None:
                here, axes = here._replace(curvature=H, exact=True), None
    return x, here, axes, log


def _settled(here: Evaluation) -> bool:
    """Whether a model of the curvature will do: the search ended by its own test, at no limit."""
    return trust_step(here.gradient, here.curvature, LARGEST_RADIUS)[1] <= PROMISE_TOLERANCE


def _mirrored(objective: Objective, here: Evaluation, x: np.ndarray, there: np.ndarray):
    """The evaluation at an equivalent of x: that of x, signs changed, if only these differ."""
    if not np.array_equal(np.abs(x), np.abs(there)):
        return objective.evaluate(there)
    sign = np.where(np.signbit(x) == np.signbit(there), 1.0, -1.0)
    return here._replace(
        gradient=here.gradient * sign, curvature=here.curvature * sign[:, None] * sign
    )


class _Known(Exception):
    """A search is where it can only end in an optimum that is known."""

    def __init__(self, count: int) -> None:
        self.count = count


def _leads_to(known: Optimum, x: np.ndarray, value: float) -> bool:
    """Whether a point is so near to an optimum that the parabola there says its value."""
    step = x - known.x
    rise = 0.5 * float(step @ known.curvature @ step)
    return rise < NEIGHBOUR and abs(value - known.value - rise) < LIKE_A_PARABOLA * abs(rise) + SAME


class _Counted:
    """An objective that counts its evaluations, and knows the best of them."""

    def __init__(
        self, objective: Objective, start: np.ndarray, known: Optimum | None = None
    ) -> None:
        self._objective, self.count, self._watch = objective, 0, now()
        self._known = known
        self.best = np.asarray(start, dtype=float), np.inf
        self.curvature_is_cheap, self.snap = objective.curvature_is_cheap, objective.snap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objective, name)

    def evaluate(self, x: np.ndarray, order: int = 2) -> Evaluation:
        self.count += 1
        here = self._objective.evaluate(x, order)
        if here.value < self.best[1]:
            self.best = x, here.value
            if self._known is not None and _leads_to(self._known, x, here.value):
                raise _Known(self.count)
        if self._watch is not None:
            self._watch.evaluated(here.value)
        return here

    def steps_from(self, at: Approach, enough: float, last: float) -> Stretch | None:
        if self._known is not None:  # which each evaluation is compared with
            return None
        stretch = self._objective.steps_from(at, enough, last)
        if stretch is None:
            return None
        self.count += stretch.evaluations
        value = stretch.end.here.value
        if value < self.best[1]:
            self.best = stretch.end.x, value
        if self._watch is not None:
            for _ in range(stretch.evaluations):
                self._watch.evaluated(value)
        return stretch


def _lbfgsb(objective: Objective, x0: np.ndarray) -> Run:
    from scipy.optimize import minimize

    log: Log = []

    def value_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
        try:
            e = objective.evaluate(x, 1)
        except NumericalError:
            return _beyond(log), np.zeros_like(x)
        log.append((x.copy(), e.value))
        return e.value, e.gradient

    options = {"maxfun": MAX_EVALUATIONS, "maxiter": MAX_EVALUATIONS, "gtol": LBFGSB_GRADIENT}
    options["ftol"] = np.finfo(float).eps
    solution = minimize(value_and_gradient, x0, jac=True, method="L-BFGS-B", options=options)
    if not objective.curvature_is_cheap:
        # a range that the means must not leave can end the line search early
        x, here, more = _from_the_best(objective, log, x0)
        return x, here, log + more
    x = objective.snap(solution.x)
    return x, objective.evaluate(x), log


def _from_the_best(objective: Objective, log: Log, x0: np.ndarray) -> Run:
    """A quasi-Newton search from the lowest point that can be found again, or from the start."""
    for x, _ in sorted(log, key=lambda point: point[1])[:MOST_BEGINNINGS]:
        try:
            return quasi_newton(objective, x)
        except NumericalError:  # its modes were found on the way to it alone
            continue
    return quasi_newton(objective, x0)


def _beyond(log: Log) -> float:
    """A value for a point where there is none: worse than all seen, not beyond comparison."""
    worst = max((value for _, value in log), default=0.0)
    return worst + 1e3 + abs(worst)


def _bobyqa(objective: Objective, x0: np.ndarray) -> Run:
    log: Log = []
    lower = objective.lower_bounds()
    x, here = _bobyqa_once(objective, np.maximum(x0, lower), lower, log)
    for _ in range(MAX_RESTARTS):
        step, promise, *_ = trust_step(here.gradient, here.curvature, RESTART_RADIUS)
        if promise < RESTART_PROMISE:
            break
        moved = np.where(lower == 0.0, np.abs(x + step), x + step)
        again, there = _bobyqa_once(objective, moved, lower, log)
        gained = here.value - there.value
        if gained > 0.0:
            x, here = again, there
        if gained < RESTART_PROMISE:
            break
    return x, here, log


def _bobyqa_once(
    objective: Objective, x0: np.ndarray, lower: np.ndarray, log: Log
) -> tuple[np.ndarray, Evaluation]:
    """The lowest point from x0, bounds kept, and what the objective says there.

    Where none can be found again a search with gradients goes on, as after L-BFGS-B.
    """
    import nlopt

    def value(x: np.ndarray, _gradient: np.ndarray) -> float:
        try:
            v = objective.evaluate(np.array(x), 0).value
        except NumericalError:
            return _beyond(log)
        log.append((np.array(x), v))
        return v

    opt = nlopt.opt(nlopt.LN_BOBYQA, x0.size)
    opt.set_min_objective(value)
    opt.set_lower_bounds(lower)
    opt.set_xtol_abs(BOBYQA_XTOL)
    opt.set_ftol_abs(BOBYQA_FTOL)
    opt.set_maxeval(MAX_EVALUATIONS)
    try:
        ends = [np.asarray(opt.optimize(x0))]
    except nlopt.RoundoffLimited:
        ends = []
    ends += [x for x, _ in sorted(log, key=lambda point: point[1])[:MOST_BEGINNINGS]]
    for x in map(objective.snap, ends):
        try:
            return x, objective.evaluate(x)
        except NumericalError:  # its modes were found on the way to it alone
            continue
    x, here, more = quasi_newton(objective, x0)
    log += more
    return x, here


def _newton(objective: Objective, x0: np.ndarray) -> Run:
    return (newton if objective.curvature_is_cheap else quasi_newton)(objective, x0)


OPTIMIZERS: dict[str, Callable[[Objective, np.ndarray], Run]] = {
    "newton": _newton,
    "lbfgsb": _lbfgsb,
    "bobyqa": _bobyqa,
}
