"""Steps of a search that the compiled criterion takes at once, against the same one by one."""

import numpy as np
import pytest

import interlace as il
from interlace.objective.base import Approach
from interlace.objective.generalised.density import FamilyDensity
from interlace.objective.generalised.laplace import LaplaceObjective
from interlace.optimize import quasi
from interlace.optimize.minimise import minimise_from
from interlace.optimize.quasi import LAST_PROMISE, PROMISE, quasi_newton

# Points differ by where their modes end; what is left of a step is a share of it.
POINT, VALUE = 1e-7, 1e-11
PROMISES = PROMISE, LAST_PROMISE

CLMM = "rating ~ temp + contact + (1 | judge)"
CBPP = "incidence / size ~ period + (1 | herd)"


def one_by_one(monkeypatch):
    monkeypatch.setattr(LaplaceObjective, "steps_from", lambda *_: None)


def drawn(seed):
    """A random model of few rows: its formula, data, family and arguments."""
    rng = np.random.default_rng(seed)
    levels = int(rng.integers(4, 12))
    g = np.repeat(np.arange(levels), rng.integers(3, 8))
    n = g.size
    x, z = rng.normal(size=n) * rng.choice([0.1, 1.0, 10.0]), rng.normal(size=n)
    eta = (
        0.4 * z + rng.choice([-1.0, 0.5]) + rng.choice([0.2, 1.0, 3.0]) * rng.normal(size=levels)[g]
    )
    random = ("(1 | g)", "(z | g)", "(x || g)")[seed % 3]
    data = {"x": x, "z": z, "g": g}
    kind = ("binary", "probit", "poisson", "nbinom2", "ordinal", "nodes")[seed // 3 % 6]
    how = {"nAGQ": 5} if kind == "nodes" else {}
    if kind == "ordinal":
        data["y"] = np.digitize(eta + rng.logistic(size=n), [-1.0, 0.5]).astype(str)
        return lambda: il.clmm(f"y ~ z + {random}", data)
    if kind == "poisson":
        data["y"], family = rng.poisson(np.exp(eta)), "poisson"
    elif kind == "nbinom2":
        data["y"], family = rng.poisson(rng.gamma(1.5, np.exp(eta) / 1.5)), "nbinom2"
    else:
        data["y"] = (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(float)
        family = il.Binomial("probit" if kind == "probit" else "logit")
    return lambda: il.glmer(f"y ~ z + {random}", data, family, offset=0.1 * x, **how)


def record(fit):
    """The optimum, or the error in its place."""
    try:
        return fit().fit.optimum
    except il.InterlaceError as error:
        return str(error)


@pytest.mark.filterwarnings("ignore::interlace.InterlaceWarning")
def test_searches_go_the_same_way(monkeypatch):
    seeds, stretches, ends = range(90), [], []
    taken = quasi._taken_at_once

    def counted(objective, at, log):
        end, ended, evaluations = taken(objective, at, log)
        stretches.append(end.refreshed - at.refreshed if end is not at else None)
        ends.append(ended)
        return end, ended, evaluations

    monkeypatch.setattr(quasi, "_taken_at_once", counted)
    together = [record(drawn(seed)) for seed in seeds]
    known = [number for number in stretches if number is not None]
    assert len(known) > 60 and sum(known) > 10  # models of the curvature are made anew in some
    assert 20 < sum(ends) < len(known) - 20  # and of others the last Hessian is looked at again
    one_by_one(monkeypatch)
    for seed, one in zip(seeds, together, strict=True):
        other = record(drawn(seed))
        if isinstance(one, str):
            assert one == other
            continue
        assert one.verdict == other.verdict, seed
        settled = one.verdict in ("converged", "singular")
        assert one.value == pytest.approx(other.value, rel=VALUE if settled else 1e-6)
        if one.verdict == "converged" and np.linalg.cond(other.curvature) < 1e3:
            assert one.evaluations == other.evaluations, seed
            assert [v for _, v in one.log] == pytest.approx([v for _, v in other.log], rel=1e-9)
            np.testing.assert_allclose(one.x, other.x, rtol=POINT, atol=POINT)
            np.testing.assert_allclose(one.gradient, other.gradient, atol=1e-6)
            scale = np.sqrt(np.diagonal(other.curvature))
            off = (one.curvature - other.curvature) / np.outer(scale, scale)
            assert np.abs(off).max() < 1e-6


class Misled:
    """An objective whose first curvature is next to nothing: a step goes far out."""

    def __init__(self, objective, trusted):
        self._objective, self._first, self._trusted = objective, True, trusted

    def __getattr__(self, name):
        return getattr(self._objective, name)

    def evaluate(self, x, order=2):
        here = self._objective.evaluate(x, order)
        if order == 2 and self._first:
            self._first = False
            return here._replace(curvature=1e-9 * np.eye(x.size))
        return here

    def steps_from(self, at, *promises):
        if self._trusted is not None:
            at, self._trusted = at._replace(radius=self._trusted), None
        return self._objective.steps_from(at, *promises)


@pytest.mark.parametrize("radius", [None, 1e3, 1e9])
@pytest.mark.parametrize("family", ["poisson", "nbinom2"])
def test_points_without_a_value_are_left(monkeypatch, radius, family):
    m = il.glmer("count ~ mined + (1 | site)", il.load_dataset("Salamanders"), family)
    objective, tried = m.fit.objective, []
    x = objective.start()
    start = objective.evaluate(x, 2)
    with np.errstate(over="ignore"):
        far = objective.steps_from(
            Approach(x, start, 1e-12 * np.eye(x.size), radius or 1.0, 4), *PROMISES
        )
        tried.append(far)
        found, here, _ = quasi_newton(Misled(m.fit.objective, radius), x)
    assert far.stopped is None and far.end.here.value <= start.value
    values = [start.value, *(value for _, value in far.log)]
    assert (np.diff(values) < 1e-11 * start.value).all()  # but for rounding, no step is uphill
    assert here.value == pytest.approx(m.fit.criterion, rel=1e-10)
    np.testing.assert_allclose(found, m.fit.x, atol=1e-5)


def test_a_stretch_has_an_end():
    m = il.glmer(CBPP, il.load_dataset("cbpp"), "binomial")
    objective = m.fit.objective
    x = objective.start() + 0.5
    here = objective.evaluate(x, 2)
    at = Approach(x, here, here.curvature, 1.0, 0)
    stretch = objective.steps_from(at, -1.0, -1.0)  # no step promises so little
    assert 5 < stretch.evaluations < 20  # until steps are too short to be any
    np.testing.assert_allclose(stretch.end.x, m.fit.x, atol=1e-6)
    assert at.here.value == here.value and (at.x == objective.start() + 0.5).all()
    # what was handed over belongs to who has it, and the next stretch to others
    kept = [
        part.copy() for part in (stretch.end.x, stretch.end.here.gradient, stretch.end.curvature)
    ]
    objective.evaluate(x, 1)
    objective.steps_from(at, *PROMISES)
    for part, copy in zip((stretch.end.x, stretch.end.here.gradient, stretch.end.curvature), kept):
        np.testing.assert_array_equal(part, copy)
    # the objective is where the last step ended: the same as evaluated there from nowhere
    fresh = m.fit.objective
    end = stretch.end
    assert fresh.evaluate(end.x, 0).value == pytest.approx(end.here.value, rel=1e-13)
    np.testing.assert_allclose(objective.hessian(m.fit.x), fresh.hessian(m.fit.x), rtol=1e-6)


def test_who_takes_steps_at_once():
    wine = il.load_dataset("wine")
    several = [
        il.clmm(CLMM, wine, link="cauchit"),  # not log-concave
        il.clmm("rating ~ contact + cs(temp | judge)", wine),
        il.glmer("incidence / size ~ period + (1 | herd) + (1 | obs)",
                 il.load_dataset("cbpp").assign(obs=np.arange(56)), "binomial"),
    ]  # fmt: skip
    for m in [*several, il.clmm(CLMM, wine), il.clmm(CLMM, wine, nAGQ=5)]:
        objective, x = m.fit.objective, m.fit.x
        here = objective.evaluate(x, 2)
        at = Approach(x, here, here.curvature, 1.0, 0)
        stretch = objective.steps_from(at, *PROMISES)
        assert (stretch is None) == any(m is one for one in several)
        # nothing is known of a point that was not evaluated
        assert m.fit.objective.steps_from(at, *PROMISES) is None


def test_a_search_that_is_compared_at_each_point_takes_none(monkeypatch):
    m = il.glmer(CBPP, il.load_dataset("cbpp"), "binomial")
    known = m.fit.optimum
    monkeypatch.setattr(LaplaceObjective, "steps_from", lambda *_: pytest.fail("taken"))
    from interlace.optimize.minimise import _Known

    with pytest.raises(_Known):
        minimise_from(m.fit.objective, "newton", known.x + 0.01, known)


@pytest.mark.parametrize("at_call", [3, 5])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, il.NumericalError])
def test_what_is_raised_within_a_stretch(monkeypatch, at_call, kind):
    """Of an interrupt the best point is told, as of one between two evaluations."""
    data = il.load_dataset("Salamanders")
    whole = il.glmer("count ~ mined + (1 | site)", data, "nbinom2")
    objective = whole.fit.objective
    x = objective.start()
    constant, calls = FamilyDensity.constant, []

    def stop(self, zeta):
        calls.append(None)
        if len(calls) == at_call:
            raise kind("stopped")
        return constant(self, zeta)

    here = objective.evaluate(x, 2)
    monkeypatch.setattr(FamilyDensity, "constant", stop)
    objective = whole.fit._shared.anew()  # whose kernel has the constant that is raised in
    objective.evaluate(x, 1)
    stretch = objective.steps_from(Approach(x, here, here.curvature, 1.0, 0), *PROMISES)
    assert isinstance(stretch.stopped, kind)
    # one for the first point, and one for a curvature made anew
    assert at_call - 3 < stretch.evaluations < at_call and len(stretch.log) <= stretch.evaluations
    calls.clear()
    search = whole.fit._shared.anew()
    if kind is not KeyboardInterrupt:
        found = minimise_from(search, "newton", x)
        assert found.value == pytest.approx(whole.fit.criterion, rel=1e-10)
        return
    with pytest.raises(il.FitInterrupted) as caught:
        minimise_from(search, "newton", x)
    stopped = caught.value
    assert stopped.evaluations >= 1 and stopped.criterion <= here.value * (1.0 + 1e-12)
    assert whole.fit.objective.evaluate(stopped.x, 0).value == pytest.approx(stopped.criterion)


def test_evaluations_are_shown_and_counted(monkeypatch, capsys):
    from interlace.optimize import watch

    monkeypatch.setattr(watch, "INTERVAL", 0.0)
    seen = []
    monkeypatch.setattr(watch.Watch, "evaluated", lambda self, value: seen.append(value))
    m = il.glmer(CBPP, il.load_dataset("cbpp"), "binomial", progress=True)
    assert len(seen) == m.fit.optimum.evaluations
    assert min(seen) == pytest.approx(m.fit.criterion, rel=1e-12)
