"""Families and links of a user's that inherit from those of the package: what is theirs is used."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.design.build import build
from interlace.families import (
    Binomial,
    Gamma,
    GammaFamily,
    Gaussian,
    Log,
    Logit,
    NegativeBinomial,
    Poisson,
)
from interlace.families.compiled import code
from interlace.models.observations import observe
from interlace.models.separation import family_separation
from interlace.objective.generalised.density import FamilyDensity


class Halved(Poisson):
    """Poisson counts of which each has half the weight."""

    name = "halved"

    def rows(self, eta, y, weights, zeta=(), expected=True):
        return super().rows(eta, y, 0.5 * weights, zeta, expected)

    def constant(self, y, weights, trials=1.0, zeta=()):
        return super().constant(y, 0.5 * weights, trials, zeta)


class Doubled(Log):
    """eta = 2 log(mu)."""

    def __call__(self, mu):
        return 2.0 * super().__call__(mu)

    def derivative(self, mu):
        return 2.0 * super().derivative(mu)

    def inverse_derivatives(self, eta):
        mu = np.exp(0.5 * eta)
        return mu, mu / 2.0, mu / 4.0, mu / 8.0

    def log_mean(self, eta):
        zero = np.zeros(np.shape(eta))
        return 0.5 * eta, zero + 0.5, zero, zero


class Renamed(Poisson):
    """Nothing of its own but a name."""

    name = "renamed"


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(12), 8)
    x = rng.normal(size=96)
    y = rng.poisson(np.exp(0.8 + 0.4 * x + rng.normal(size=12)[g] * 0.6))
    return pd.DataFrame({"y": y, "x": x, "g": g, "half": 0.5})


@pytest.mark.parametrize(
    ("formula", "nAGQ"),
    [("y ~ x + (1 | g)", 0), ("y ~ x + (1 | g)", 1), ("y ~ x + (x | g)", 1), ("y ~ x", 1)],
)
def test_rows_of_its_own_are_used(counts, formula, nAGQ):
    if "|" in formula:
        mine = il.glmer(formula, counts, Halved(), nAGQ=nAGQ)
        same = il.glmer(formula, counts, "poisson", nAGQ=nAGQ, weights="half")
    else:
        mine = il.glm(formula, counts, Halved())
        same = il.glm(formula, counts, "poisson", weights="half")
    assert mine.llf == pytest.approx(same.llf, abs=1e-7)
    np.testing.assert_allclose(mine.fe_params, same.fe_params, rtol=1e-5)
    np.testing.assert_allclose(mine.fe_bse, same.fe_bse, rtol=1e-5)


def test_a_link_of_its_own_is_used(counts):
    mine = il.glmer("y ~ x + (1 | g)", counts, Poisson(Doubled()))
    same = il.glmer("y ~ x + (1 | g)", counts, "poisson")
    assert mine.llf == pytest.approx(same.llf, abs=1e-7)
    np.testing.assert_allclose(mine.fe_params, 2.0 * same.fe_params, rtol=1e-5)
    np.testing.assert_allclose(mine.fe_bse, 2.0 * same.fe_bse, rtol=1e-5)
    np.testing.assert_allclose(mine.fittedvalues, same.fittedvalues, rtol=1e-5)
    glm = il.glm("y ~ x", counts, Poisson(Doubled()))
    np.testing.assert_allclose(glm.fe_params, 2.0 * il.glm("y ~ x", counts, "poisson").fe_params)


def test_the_kernels_stand_for_what_they_are_written_for():
    class Instance(Poisson):
        def __init__(self):
            super().__init__()
            self.rows = None

    class Mean(Gamma):
        def _in_log_mean(self, nu, y, zeta):
            return super()._in_log_mean(nu, y, zeta)

    class Range(Binomial):
        def valid(self, eta):
            return super().valid(eta)

    class Starts(Poisson):
        def start_mean(self, y, weights=1.0):
            return y + 1.0

    assert code(Poisson()) == code(Renamed()) == code(Starts()) == 1
    assert code(GammaFamily()) == code(Gamma()) == 3
    assert [code(made()) for made in (Halved, Instance, Mean, Range)] == [None] * 4
    assert code(Doubled()) is None and code(Log()) == 5
    assert Poisson().canonical and Renamed().canonical and Binomial().canonical
    assert Gaussian().canonical and NegativeBinomial(link="nbcanonical").canonical
    assert Poisson().log_concave and Renamed().log_concave
    assert not Halved().log_concave and not Poisson(Doubled()).log_concave
    others = Halved(), Poisson(Doubled()), Range(), Poisson("sqrt"), Gamma()
    assert not any(made.canonical for made in others)


def test_constants_may_depend_on_weights_as_they_like():
    class Own(NegativeBinomial):
        def constant(self, y, weights, trials=1.0, zeta=()):
            value, slope = super().constant(y, weights, trials, zeta)
            return value + np.log(weights), slope

    class Continuous(Gamma):
        def constant(self, y, weights, trials=1.0, zeta=()):
            value, slope = super().constant(y, weights, trials, zeta)
            return value + weights**2 * y, slope

    rng = np.random.default_rng(1)
    y, ones = rng.poisson(2.0, 50) + 1.0, np.ones(50)
    for family in (Own(), Continuous()):
        for weights in (ones, 2.0 * ones, rng.choice([0.5, 3.0], 50)):
            density = FamilyDensity(family, y, weights, ones)
            zeta = np.array([0.3])
            value, slope = family.constant(y, weights, 1.0, zeta)
            assert density.constant(zeta)[0] == pytest.approx(value.sum())
            np.testing.assert_allclose(density.constant(zeta)[1], slope.sum(axis=1))


def test_responses_are_checked_by_what_they_may_be_not_by_name():
    design = build("y ~ 1", {"y": [-1.0, 2.0]}, linear=False)
    with pytest.raises(il.DataError, match="negative in row.*'renamed' needs counts"):
        observe(design, Renamed())

    class Waiting(Gamma):
        name = "waiting"

    with pytest.raises(il.DataError, match="not positive in row.*'waiting'"):
        observe(design, Waiting())

    class Share(Binomial):
        name = "share"

    design = build("cbind(k, n - k) ~ 1", {"k": [1.0, 3.0], "n": [4.0, 4.0]}, linear=False)
    assert observe(design, Share()).trials.tolist() == [4.0, 4.0]
    with pytest.raises(il.DataError, match="which the family 'waiting' cannot use"):
        observe(design, Waiting())


def test_separation_is_found_whatever_the_name():
    class Share(Binomial):
        name = "share"

    design = build("y ~ x", {"y": [0.0, 0, 1, 1], "x": [1.0, 2, 3, 4]}, linear=False)
    seen = observe(design, Share())
    for family in (Share(), Share(Logit())):
        assert family_separation(design.X, seen, family, design.x_names).kind == "complete"
    assert family_separation(design.X, seen, Share("identity"), design.x_names) is None
    d = pd.DataFrame({"y": [3.0, 1, 0, 0], "x": [0.0, 0, 1, 1]})
    design = build("y ~ x", d, linear=False)
    found = family_separation(design.X, observe(design, Renamed()), Renamed(), design.x_names)
    assert found.infinite == {"x": -1}


def test_a_dispersion_is_told_from_a_shape_whatever_the_name():
    class Normal(Gaussian):
        name = "normal of mine"

    rng = np.random.default_rng(2)
    d = pd.DataFrame({"x": rng.normal(size=40), "g": np.repeat(np.arange(8), 5)})
    d["y"] = d.x + rng.normal(size=8)[d.g] + rng.normal(size=40)
    mine, same = il.glm("y ~ x", d, Normal()), il.glm("y ~ x", d, "gaussian")
    assert mine.llf == pytest.approx(same.llf) and mine.dispersion == pytest.approx(same.dispersion)
    mine = il.glmer("y ~ x + (1 | g)", d, Normal())
    assert "Residual" in mine.VarCorr()["group"].tolist()
    with pytest.raises(il.DataError, match="as many levels as there are rows"):
        il.glmer("y ~ x + (1 | i)", d.assign(i=np.arange(40)), Normal())


def test_equal_means_the_same_distribution():
    assert Halved() != Poisson() and Renamed() != Poisson()
    assert GammaFamily() == Gamma("log") and hash(GammaFamily()) == hash(Gamma("log"))
    assert Poisson(Doubled()) != Poisson()


def test_a_parameter_at_infinity_is_told_in_the_familys_words(counts):
    class Own(NegativeBinomial):
        def infinite(self, zeta, unit, information):
            said = super().infinite(zeta, unit, information)
            return said and "no clumping"

    rng = np.random.default_rng(0)
    d = counts.assign(y=rng.poisson(3.0, 96))
    with pytest.warns(il.ConvergenceWarning, match="no clumping"):
        il.glmer("y ~ x + (1 | g)", d, Own())


def test_constants_of_distinct_observations(monkeypatch):
    """Whatever varies, and where the codes of observations would be too large for one number."""
    from interlace.objective.generalised import density as module

    rng = np.random.default_rng(3)
    trials = rng.integers(1, 5, 60) * 1.0
    y = rng.binomial(trials.astype(int), 0.5) / trials
    prior = rng.choice([0.5, 1.0], 60)
    ones, zeros = np.ones(60), np.zeros(60)
    bits = np.where(rng.random(60) < 0.5, 1.0, 0.0)
    cases = [(y, trials, trials), (y, trials * prior, trials), (bits, ones, ones)]
    cases += [(bits, prior, ones), (zeros, ones, ones), (ones, 2.0 * ones, ones)]
    for largest in (module.LARGEST_CODE, 1):
        monkeypatch.setattr(module, "LARGEST_CODE", largest)
        for case in cases:
            found = FamilyDensity(Binomial(), *case).constant(np.empty(0))[0]
            exact = Binomial().constant(*case)[0].sum()
            assert found == pytest.approx(exact, rel=1e-12, abs=1e-12)
