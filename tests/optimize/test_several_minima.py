"""Small samples whose criterion has several minima: none on a grid is below the one found."""

import itertools
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

import interlace as il
from interlace.errors import NumericalError
from interlace.objective.generalised import base as generalised
from interlace.objective.linear import lmm

# `interlace.optimize.minimise` is the function
minimise_module = import_module("interlace.optimize.minimise")

SEVERAL = [
    ("y ~ x + z + x:z + (1 | g)", 107, "ML"),
    ("y ~ x + z + x:z + (1 | g)", 160, "REML"),
    ("y ~ x + (1 | g)", 348, "ML"),
    ("y ~ x + (x || g)", 445, "ML"),
    ("y ~ x + z + (1 | g) + (1 | h)", 264, "REML"),
]


def sample(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(9, 50))
    k = int(rng.integers(4, max(5, n // 2)))
    data = {"x": rng.normal(size=n), "z": rng.normal(size=n), "g": rng.integers(0, k, n)}
    data["h"] = rng.integers(0, 3, n)
    data["y"] = rng.normal(size=n) + rng.normal(size=k)[data["g"]]
    return data, rng.normal(size=n)


@pytest.mark.filterwarnings("ignore::interlace.InterlaceWarning")
@pytest.mark.parametrize("optimizer", ["newton", "lbfgsb"])
@pytest.mark.parametrize(("formula", "seed", "method"), SEVERAL)
def test_the_lowest_of_several_minima(formula, seed, method, optimizer):
    data, noise = sample(seed)
    m = il.fit(formula, data, method=method, optimizer=optimizer)
    objective = m.fit.objective
    axis = np.concatenate((np.linspace(0.0, 4.0, 21), np.linspace(4.5, 12.0, 11)))
    grid = itertools.product(axis, repeat=m.theta.size)
    lowest = min(objective.evaluate(np.array(x), 0).value for x in grid)
    assert m.fit.criterion < lowest + 1e-6
    # in a refit too, which begins where another response had its minimum
    other = il.fit(formula, {**data, "y": noise}, method=method, optimizer=optimizer)
    assert other.refit(data["y"]).llf == pytest.approx(m.llf, abs=1e-6)


def test_large_samples_are_searched_once(monkeypatch):
    data = il.load_dataset("sleepstudy")
    once = il.fit("Reaction ~ Days + (Days | Subject)", data).fit.optimum.evaluations
    monkeypatch.setattr(lmm, "SMALL_SAMPLE", 1000)
    assert il.fit("Reaction ~ Days + (Days | Subject)", data).fit.optimum.evaluations > once


def scattered(seed):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(60, 200)), int(rng.integers(4, 12))
    data = {"x": rng.normal(size=n), "g": rng.integers(0, k, n), "h": rng.integers(0, 5, n)}
    eta = 0.4 * data["x"] + rng.normal(size=k)[data["g"]]
    data["y"] = rng.wald(np.exp(eta), rng.choice([0.05, 0.2, 1.0]))
    return data


@pytest.mark.filterwarnings("ignore::interlace.InterlaceWarning")
@pytest.mark.parametrize(
    ("formula", "seed"), [("y ~ x + (1 | g)", 12), ("y ~ x + (1 | g) + (1 | h)", 34)]
)
def test_the_lowest_minimum_where_rows_are_not_log_concave(formula, seed, monkeypatch):
    data = scattered(seed)

    def fitted(**more):
        return il.glmer(formula, data, "inverse_gaussian", link="log", **more)

    m = fitted()
    assert m.converged
    for theta in (0.0, 0.1, 0.3, 1.0, 3.0):
        other = fitted(theta0=np.full(m.theta.size, theta))
        assert not other.converged or m.fit.criterion < other.fit.criterion + 1e-5
    # modes and coefficients are those of that minimum, whichever search came last
    fresh = m.fit.objective.fresh()
    fresh.hold(np.concatenate([u.ravel() for u in m.fit.u]))
    assert fresh.evaluate(m.fit.optimum.x, 0).value == pytest.approx(m.fit.criterion, abs=1e-7)
    monkeypatch.setattr(generalised, "SEVERAL_MINIMA", 0)
    assert fitted().fit.criterion > m.fit.criterion + 1.0


@pytest.mark.parametrize(("family", "link"), [("poisson", "log"), ("gamma", "log")])
def test_log_concave_samples_are_searched_once(family, link):
    data = scattered(12)
    data["y"] = np.ceil(np.minimum(data["y"], 50.0))
    fit = il.glmer("y ~ x + (1 | g)", data, family, link=link).fit
    assert not fit.objective.other_starts(fit.x) and not fit.objective.boundaries(fit.x)


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ("converged", "singular", 1.0),
        ("converged", "breaks down", 2.0),
        ("breaks down", "converged", 1.0),
        ("breaks down", "breaks down", 2.0),
    ],
)
def test_a_criterion_that_breaks_down_has_no_better_minimum(first, second, taken, monkeypatch):
    found = {0: (2.0, first), 1: (1.0, second)}

    def optimum(objective, optimizer, x, known=None):
        value, verdict = found[int(x[0])]
        out = SimpleNamespace(value=value, verdict=verdict, evaluations=1, x=x)
        out.counted = lambda evaluations, optimizer: out
        return out

    monkeypatch.setattr(minimise_module, "minimise_from", optimum)
    objective = SimpleNamespace(
        start=lambda: np.zeros(1),
        other_starts=lambda x: [np.ones(1)],
        far_starts=lambda x: [],
        boundaries=lambda x: [],
        resume=lambda other: None,
        overfits=lambda x: False,
    )
    objective.anew = lambda: objective
    assert il.optimize.minimise(objective).value == taken


class Forgetful(SimpleNamespace):
    """A bowl whose points, but for its start, have derivatives only on the way from there."""

    def evaluate(self, x, order=2):
        x = np.asarray(x, dtype=float)
        if order == 2 and not np.array_equal(x, self.from_here):
            raise NumericalError("no joint modes")
        return minimise_module.Evaluation(float(x @ x), 2.0 * x, 2.0 * np.eye(x.size))

    def hessian(self, x):
        return 2.0 * np.eye(x.size)

    def steps_from(self, at, enough, last):
        return None

    def snap(self, x):
        return x


def test_bobyqa_whose_points_are_not_found_again_has_an_answer():
    start = np.array([0.7, -0.4])
    objective = Forgetful(from_here=start, curvature_is_cheap=False)
    log = []
    x, here = minimise_module._bobyqa_once(objective, start, np.full(2, -np.inf), log)
    np.testing.assert_allclose(x, 0.0, atol=1e-6)
    assert here.exact and len(log) > 10


@pytest.mark.filterwarnings("ignore::interlace.InterlaceWarning")
def test_starts_besides_are_searched_with_gradients_after_bobyqa(monkeypatch):
    data, formula = scattered(34), "y ~ x + (1 | g) + (1 | h)"

    def fitted(optimizer):
        return il.glmer(formula, data, "inverse_gaussian", link="log", optimizer=optimizer).fit

    both, alone = fitted("bobyqa"), fitted("newton")
    assert both.criterion == pytest.approx(alone.criterion, abs=1e-6)
    monkeypatch.setattr(generalised, "SEVERAL_MINIMA", 0)
    once, first = fitted("bobyqa"), fitted("newton")
    # the searches besides are those of a search with gradients
    more = both.optimum.evaluations - once.optimum.evaluations
    # (from points that agree to some digits a search may take a step more or less)
    assert abs(more - (alone.optimum.evaluations - first.optimum.evaluations)) <= 2
    assert once.optimizer == both.optimizer == both.optimum.optimizer == "bobyqa"


@pytest.mark.filterwarnings("ignore::interlace.InterlaceWarning")
@pytest.mark.parametrize("optimizer", ["newton", "lbfgsb"])
def test_a_minimum_without_variance_below_one_with(optimizer, monkeypatch):
    rng = np.random.default_rng(139)
    n, k = int(rng.integers(25, 60)), int(rng.integers(5, 13))
    data = {"x": rng.normal(size=n), "g": rng.integers(0, k, n)}
    mean = np.maximum(1.5 + 0.3 * data["x"] + 0.6 * rng.normal(size=k)[data["g"]], 0.15)
    shape = rng.choice([1.0, 2.0, 5.0])
    data["y"] = rng.gamma(shape, mean / shape)

    def fitted():
        return il.glmer("y ~ x + (1 | g)", data, "gamma", link="identity", optimizer=optimizer)

    m = fitted()
    assert m.theta.iloc[0] == 0.0 and m.convergence.verdict == "singular"
    monkeypatch.setattr(generalised.GeneralisedObjective, "boundaries", lambda *_: [])
    assert fitted().fit.criterion > m.fit.criterion + 0.01


@pytest.mark.filterwarnings("ignore::interlace.InterlaceWarning")
def test_a_minimum_without_one_factor_of_few_levels(monkeypatch):
    rng = np.random.default_rng(34)
    n, k = int(rng.integers(40, 120)), int(rng.integers(4, 9))
    g = rng.integers(0, k, n)
    data = {"x": rng.normal(size=n), "g": g, "h": g % 2}
    eta = rng.normal(size=k)[g] * rng.choice([0.5, 1.0, 2.0]) + rng.normal(size=2)[g % 2] * 2.0
    data["y"] = rng.gamma(2.0, np.exp(eta) / 2.0)

    def fitted():
        return il.glmer("y ~ x + (x | g) + (1 | h)", data, "gamma", link="log").fit

    fit = fitted()
    assert fit.optimum.verdict == "singular"
    monkeypatch.setattr(generalised.GeneralisedObjective, "boundaries", lambda *_: [])
    assert fitted().criterion > fit.criterion + 0.1
