"""Small samples whose criterion has several minima: none on a grid is below the one found."""

import itertools

import numpy as np
import pytest

import interlace as il
from interlace.objective.linear import lmm

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
