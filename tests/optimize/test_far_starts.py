"""Correlations of the other sign, and strong ones, are tried where they are nearly as good."""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.covariance import AR1, OrnsteinUhlenbeck, Unstructured
from interlace.covariance.names import make_structure
from interlace.objective import Evaluation, Objective
from interlace.objective.generalised.base import GeneralisedObjective
from interlace.optimize import minimise

# `interlace.optimize.minimise` is the function
minimise_module = import_module("interlace.optimize.minimise")

TERMS = {
    "ar1": "ar1(0 + t | g)",
    "hetar1": "hetar1(0 + t | g)",
    "ou": "ou(0 + pos | g)",
}
# (term, what is beside it, family, seed): the first search alone ends above the lowest minimum
SEVERAL = [
    ("ar1", "(1 | g)", "gaussian", 1),
    ("ou", "(1 | g)", "poisson", 20),
    ("hetar1", "(1 | g)", "gaussian", 1),
]


class Wells(Objective):
    """(x^2 - 1)^2 + tilt x: minima near -1 and 1."""

    def __init__(self, tilt, far):
        self.tilt, self.far = tilt, far
        self.evaluated = 0

    def start(self):
        return np.array([1.3])

    def far_starts(self, x):
        return [np.array([far]) for far in self.far]

    def evaluate(self, x, order=2):
        self.evaluated += 1
        value = (x[0] ** 2 - 1.0) ** 2 + self.tilt * x[0]
        slope = 4.0 * x * (x**2 - 1.0) + self.tilt
        return Evaluation(float(value), slope, np.array([12.0 * x**2 - 4.0]), True)

    def lower_bounds(self):
        return np.array([-np.inf])

    def canonical(self, x):
        return x

    snap = canonical

    def null_directions(self, x):
        return []


@pytest.mark.parametrize("optimizer", ["newton", "lbfgsb", "bobyqa"])
def test_the_lower_of_two_minima(optimizer):
    assert minimise(Wells(0.3, []), optimizer).x[0] > 0.0
    assert minimise(Wells(0.3, [-1.4]), optimizer).x[0] < 0.0
    # a far start that leads to a higher minimum changes nothing
    assert minimise(Wells(-0.3, [-1.4]), optimizer).x[0] > 0.0


def test_a_start_that_is_much_worse_costs_one_evaluation():
    once, more = (Wells(0.3, far) for far in ([], [-4.0]))
    found = [minimise(one) for one in (once, more)]
    np.testing.assert_array_equal(found[0].x, found[1].x)
    assert more.evaluated == once.evaluated + 1
    assert found[1].evaluations == found[0].evaluations + 1


def test_a_search_on_its_way_to_what_is_known_is_given_up(monkeypatch):
    own = Wells(0.3, [1.5])
    short = minimise(own).evaluations
    monkeypatch.setattr(minimise_module, "NEIGHBOUR", -np.inf)
    assert minimise(Wells(0.3, [1.5])).evaluations > short


@pytest.mark.parametrize("parameter", [-1.2, -0.3, 0.0, 0.6, 1.3])
def test_patterns_are_far_from_each_other(parameter):
    gaps = np.array([0.0, 0.4, 1.1, 2.0, 9.0])
    for structure in (AR1(4), OrnsteinUhlenbeck(5, gaps), make_structure("hetar1", 4)):
        chain, m = structure.chain, structure.n_theta - 1
        theta = np.append(np.linspace(0.0, 1.0, m), parameter)
        near = np.array([np.median(np.diff(chain.times))])
        here = chain.correlation(parameter, near).value
        starts = structure.far_patterns(theta, 0.2, few=False)
        assert starts
        for start in starts:
            assert (start[:-1] >= 0.2).all()
            there = chain.correlation(start[-1], near).value
            assert abs(there - here) > 0.3 or np.ptp(start[:-1]) == 0.0
            assert abs(there) < 0.96


def test_structures_without_such_a_pattern_have_none():
    for name in ("us", "diag", "homdiag"):
        structure = make_structure(name, 3)
        assert structure.far_patterns(structure.start(), 0.2, few=True) == []


def sample(family, seed):
    rng = np.random.default_rng(seed)
    groups, times, of_each = (int(v) for v in rng.integers([6, 4, 1], [13, 8, 3]))
    g = np.repeat(np.arange(groups), times * of_each)
    t = np.tile(np.repeat(np.arange(times), of_each), groups)
    n, rho = g.size, rng.choice([-0.9, -0.5, 0.0, 0.6])
    a = rng.normal(size=(groups, times))
    for j in range(1, times):
        a[:, j] = rho * a[:, j - 1] + np.sqrt(1 - rho**2) * a[:, j]
    pos = np.cumsum(rng.choice([0.5, 1.0, 2.5], times))[t]
    data = pd.DataFrame({"g": g, "h": rng.integers(0, 5, n), "t": pd.Categorical(t), "pos": pos})
    eta = 0.3 + 0.6 * a[g, t] + 0.4 * rng.normal(size=groups)[g]
    data["y"] = {
        "gaussian": eta + rng.normal(size=n),
        "poisson": 1.0 * rng.poisson(np.exp(eta)),
        "binomial": 1.0 * (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))),
    }[family]
    return data


def fitted(term, beside, family, seed, **how):
    formula = f"y ~ 1 + {TERMS[term]} + {beside}"
    if family == "gaussian":
        return il.fit(formula, sample(family, seed), **how)
    return il.glmer(formula, sample(family, seed), family=family, **how)


@pytest.mark.filterwarnings("ignore::interlace.InterlaceWarning")
@pytest.mark.parametrize(("term", "beside", "family", "seed"), SEVERAL)
def test_series_of_few_rows_end_no_higher_than_their_dense_twins(
    term, beside, family, seed, monkeypatch
):
    case = term, beside, family, seed
    m, dense = fitted(*case), fitted(*case, backend="blocked")
    assert m.fit.backend == "series"
    assert m.fit.optimum.value < dense.fit.optimum.value + 1e-6
    monkeypatch.setattr(minimise_module, "NEAR", -np.inf)
    assert fitted(*case).fit.optimum.value > m.fit.optimum.value + 1e-4


@pytest.mark.filterwarnings("ignore::interlace.InterlaceWarning")
def test_a_refit_finds_what_a_fit_finds():
    case = SEVERAL[0]
    m = fitted(*case)
    y = sample(*case[2:])["y"].to_numpy()
    again = m.refit(np.random.default_rng(2).normal(size=len(y))).refit(y)
    # each search ends where a step promises less than 1e-8
    assert again.llf == pytest.approx(m.llf, abs=1e-8)


def nuggets(seed):
    rng = np.random.default_rng(seed)
    g, t = np.repeat(np.arange(10), 7), np.tile(np.arange(7.0), 10)
    x, level = rng.normal(size=70), 0.7 * rng.normal(size=10)
    return pd.DataFrame({"g": g, "t": t, "x": x, "y": x + level[g] + rng.normal(size=70)})


@pytest.mark.filterwarnings("ignore::interlace.InterlaceWarning")
def test_a_nugget_beside_a_long_range(monkeypatch):
    how = {"correlation": "exp(t | g, nugget=True)"}
    m = il.fit("y ~ x + (0 + x | g)", nuggets(1), **how)
    monkeypatch.setattr(minimise_module, "NEAR", -np.inf)
    assert il.fit("y ~ x + (0 + x | g)", nuggets(1), **how).llf < m.llf - 1e-4


def test_perfectly_correlated_effects_are_tried_with_the_other_sign(monkeypatch):
    """31 binary rows: at a correlation of -1 the deviance is 3.7 higher than at one of 0.8."""
    a = [-66, 15, 59, -125, 33, 8, 30, -104, -91, -29, -142, -211, 127, -83, 60, -42, 75, 91]
    a += [-16, -64, -1, -31, 1, 112, -53, 74, 17, 88, -52, 45, -83]
    z = [-97, -80, 28, 60, 12, 8, -41, -77, 19, 85, -54, 79, 19, 75, -91, -11, -84, -81]
    z += [-92, -60, -92, 65, -65, 13, -38, -44, 88, 30, -41, -26, 70]
    g = [int(c) for c in "0123456784766486875536530565183"]
    f = "abcababacaaaaaabaaaacabbbaacbba"
    y = [int(c) for c in "0011111101111101110011011011001"]
    d = pd.DataFrame({"x": a, "z": z, "g": g, "f": list(f), "y": y})
    d[["x", "z"]] /= 100.0

    def fit():
        return il.glmer("y ~ x + f + (z | g)", d, "binomial", link="cloglog")

    best = fit()
    monkeypatch.setattr(Unstructured, "far_patterns", lambda *_: [])
    first = fit()
    assert first.is_singular
    assert best.converged and not best.is_singular
    assert best.deviance < first.deviance - 3.0


def predicted_rows():
    """38 binary rows, of which random slopes of the other sign and without limit predict all."""
    x = [37, -164, 59, -13, 187, -61, -97, -82, -190, 45, 128, 85, 76, 128, 2, 56, 88, -113, 75]
    x += [-143, -184, -51, -137, 42, 111, -158, -6, 48, -75, 126, -116, 86, 7, 77, -98, -71, 17, 96]
    z = [-103, 33, 40, -106, 0, 46, -105, -72, -112, 19, 80, -203, 92, -30, 0, -110, 216, 65, 16]
    z += [-4, 39, 153, -93, 108, -46, 49, 53, 34, 124, 74, 91, 26, -132, -90, -107, 136, 187, 4]
    g = list("01111112233445667778889999aaabbccddeef")
    y = [int(c) for c in "01111110010100000000011111000000001000"]
    d = pd.DataFrame({"x": x, "z": z, "g": g, "y": y})
    return d.assign(x=d.x / 10.0, z=d.z / 100.0)


def test_what_random_effects_that_predict_all_rows_gain_is_no_gain(monkeypatch):
    """Laplace's approximation is 11 lower there, the likelihood itself 0.5 higher."""
    d = predicted_rows()
    m = il.glmer("y ~ x * z + (z | g)", d, "binomial")
    assert m.is_singular and m.fit.verdict == "singular"
    with ThreadPoolExecutor(2) as pool:
        parts = il.glmer("y ~ x * z + (z | g)", d, "binomial", executor=pool, partitions=3)
    assert parts.fit.verdict == "singular"
    assert parts.deviance == pytest.approx(m.deviance, abs=1e-7)
    monkeypatch.setattr(GeneralisedObjective, "overfits", lambda *_: False)
    with pytest.warns(il.errors.InterlaceWarning, match="predict every row"):
        other = il.glmer("y ~ x * z + (z | g)", d, "binomial")
    assert other.deviance < m.deviance - 10.0


def test_a_lower_value_of_an_overfit_counts_beside_another_one():
    wells = Wells(0.3, [-1.4])
    wells.overfits = lambda x: x[0] < 0.0
    assert minimise(wells).x[0] > 0.0
    wells.overfits = lambda x: True
    assert minimise(wells).x[0] < 0.0


def counts(overdispersed):
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(15), 6)
    mu = np.exp(1.5 + 0.5 * rng.normal(size=15)[g])
    y = rng.poisson(mu * rng.gamma(0.5, 2.0, size=90)) if overdispersed else np.round(mu)
    return pd.DataFrame({"g": g, "y": y})


@pytest.mark.filterwarnings("ignore::interlace.InterlaceWarning")
def test_a_dispersion_that_a_step_took_to_infinity_comes_back(monkeypatch):
    m = il.glmer("y ~ 1 + (1 | g)", counts(True), "negativebinomial")
    objective = m.fit.objective
    lost = m.fit.x.copy()
    lost[-1] = objective.problem.density.zeta_limit + 1.0
    (start,) = objective.far_starts(lost)
    assert start[-1] < 3.0 and np.array_equal(start[:-1], lost[:-1])
    found = minimise(objective, start=lost)
    assert found.value == pytest.approx(m.fit.criterion, abs=1e-8)
    assert found.verdict == "converged"
    monkeypatch.setattr(GeneralisedObjective, "far_starts", lambda *_: [])
    assert minimise(objective, start=lost).value > m.fit.criterion + 10.0


@pytest.mark.filterwarnings("ignore::interlace.InterlaceWarning")
def test_a_dispersion_without_a_finite_estimate_is_left_alone():
    m = il.glmer("y ~ 1 + (1 | g)", counts(False), "negativebinomial")
    assert m.fit.verdict == "not identified"
    assert m.fit.objective.far_starts(m.fit.x) == []
    inside = il.glmer("y ~ 1 + (1 | g)", counts(True), "negativebinomial").fit
    assert inside.objective.far_starts(inside.x) == []
