"""Compiled rows of the built-in families against the families themselves, and the constants."""

import numpy as np
import pytest

from interlace.families import Gamma, Gaussian, InverseGaussian, NegativeBinomial, resolve
from interlace.objective.generalised.density import FamilyDensity

POSITIVE = ("log", "identity", "sqrt", "inverse", "inverse_square", "power(0.7)", "power(-0.5)")
LINKS = {
    "binomial": ("logit", "probit", "cloglog", "loglog", "cauchit", "log", "identity"),
    "poisson": POSITIVE,
    "negativebinomial": (*POSITIVE, "nbcanonical"),
    "gamma": POSITIVE,
    "inverse_gaussian": POSITIVE,
    "gaussian": POSITIVE,
}
PAIRS = [(family, link) for family, links in LINKS.items() for link in links]
ZETA = 0.3
# The families clip exponents at 700, where the kernels overflow to "outside the range".
LARGEST = 1e290
# Both sides are exact to rounding of the terms that are added up, of which the largest goes like
# 1 / eta^k in the k-th derivative of a power link.
ROUNDING = 2e-12
# log Phi: the exponent eta^2 / 2 costs eps eta^2 of the Mills ratio, and what is left of the
# terms of its second and third derivative is smaller than they are by eta^2: eps eta^4 up to the
# asymptotic series, at 30. Nearer to 0 it is scipy's log_ndtr that has 11 digits.
PROBIT = {"moderate": 1e-8, "tails": 2e-8}

each_pair = pytest.mark.parametrize(("family", "link"), PAIRS)


def response(name, n, rng):
    """y, weights and trials that suit a family."""
    ones = np.ones(n)
    if name == "binomial":
        trials = rng.integers(1, 9, n).astype(float)
        y = rng.integers(0, 9, n) % (trials + 1.0) / trials
        return y, trials * rng.choice([0.5, 1.0, 2.0], n), trials
    weights = rng.uniform(0.5, 2.0, n)
    if name in ("poisson", "negativebinomial"):
        return rng.poisson(3.0, n).astype(float), weights, ones
    return (rng.normal(size=n) if name == "gaussian" else rng.gamma(2.0, size=n)), weights, ones


def predictors(kind, rng):
    if kind == "moderate":
        return rng.uniform(-4.0, 4.0, 600)
    size = 10.0 ** rng.uniform(-8.0, 2.845, 300)
    sign = rng.choice([-1.0, 1.0], 300)
    return np.r_[np.linspace(-700.0, 700.0, 701), size * sign, rng.uniform(-40.0, 40.0, 299)]


def scale(link, eta, y, weights, order):
    """Size of the terms that make up a derivative of this order."""
    power = link in POSITIVE and link != "log"
    size = np.maximum(1.0, 1.0 / np.abs(np.where(eta == 0.0, 1.0, eta))) ** order if power else 1.0
    return weights * size * (1.0 + np.abs(y))


@pytest.mark.parametrize("expected", [True, False], ids=["expected", "observed"])
@pytest.mark.parametrize("kind", ["moderate", "tails"])
@each_pair
def test_rows_are_the_familys(family, link, kind, expected):
    rng = np.random.default_rng(5)
    made = resolve(family, link)
    eta = predictors(kind, rng)
    y, weights, trials = response(family, eta.size, rng)
    density = FamilyDensity(made, y, weights, trials)
    assert density.kernel is not None
    zeta = np.full(len(made.parameters), ZETA)
    truth = made.rows(eta, y, weights, zeta, expected)
    got, (value, score) = density.rows(eta, zeta, expected), density.values(eta, zeta)

    inside = np.isfinite(truth.loglik)
    assert inside.any()
    usual = usual_size(truth[:5]) & usual_size([value, *got[1:5]])
    np.testing.assert_array_equal(np.isfinite(value)[usual], inside[usual])
    pairs = [
        (value, truth.loglik, 0),
        (score, truth.score, 1),
        (got.score, truth.score, 1),
        (got.weight, truth.weight, 2),
        (got.observed, truth.observed, 2),
        (got.slope, truth.slope, 3),
    ]
    if zeta.size:
        pairs += list(zip(got.extra[0], truth.extra[0], (0, 1, 2), strict=True))
    rounding = PROBIT[kind] if link == "probit" else ROUNDING
    rows = usual & inside
    for mine, theirs, order in pairs:
        assert not np.isnan(mine).any()
        bar = rounding * (np.abs(theirs) + scale(link, eta, y, weights, order))[rows]
        share = np.abs(mine[rows] - theirs[rows]) / bar
        worst = np.argmax(share)
        assert share[worst] <= 1.0, (order, eta[rows][worst], mine[rows][worst])
    for mine, _, order in pairs:
        if order:
            np.testing.assert_array_equal(mine[usual & ~inside], 0.0)
    assert got.total == (pytest.approx(value.sum(), rel=1e-12) if inside.all() else -np.inf)


def usual_size(parts):
    """Rows outside the range, or well within the range of a double."""
    parts = np.array(parts)
    parts[0, np.isinf(parts[0])] = 0.0
    return np.abs(parts).max(axis=0) < LARGEST


@each_pair
def test_without_order_there_is_no_slope(family, link):
    rng = np.random.default_rng(5)
    made = resolve(family, link)
    y, weights, trials = response(family, 40, rng)
    density = FamilyDensity(made, y, weights, trials)
    eta = np.full(40, made.inside)
    zeta = np.full(len(made.parameters), ZETA)
    full, bare = density.rows(eta, zeta, True), density.rows(eta, zeta, True, order=0)
    assert bare.slope.size == 0 and bare.extra.size == 0
    for a, b in zip(full[:4], bare[:4], strict=True):
        np.testing.assert_array_equal(a, b)


@each_pair
def test_derivatives_are_derivatives(family, link):
    """Score, observed information, slopes and derivatives in zeta against differences."""
    rng = np.random.default_rng(8)
    made = resolve(family, link)
    y, weights, trials = response(family, 50, rng)
    density = FamilyDensity(made, y, weights, trials)
    m = len(made.parameters)
    zeta = np.full(m, ZETA)
    sign = np.sign(made.inside)
    eta = sign * rng.uniform(0.2, 0.8, 50)
    h = 1e-4

    def differ(function):
        return (8.0 * (function(h) - function(-h)) - (function(2 * h) - function(-2 * h))) / 12e-4

    close = {
        "rtol": 1e-8,
        "atol": 1e-8 * (1.0 + np.abs(density.rows(eta, zeta, False).slope).max()),
    }
    for expected in (True, False):
        rows = density.rows(eta, zeta, expected)
        value = differ(lambda e: density.values(eta + e, zeta)[0])
        score = differ(lambda e: density.rows(eta + e, zeta, True).score)
        weight = differ(lambda e, x=expected: density.rows(eta + e, zeta, x).weight)
        np.testing.assert_allclose(rows.score, value, **close)
        np.testing.assert_allclose(rows.observed, -score, **close)
        np.testing.assert_allclose(rows.slope, weight, **close)
        if not expected:
            np.testing.assert_array_equal(rows.weight, rows.observed)
        for j in range(m):
            value = differ(lambda e: density.values(eta, zeta + e)[0])
            score = differ(lambda e: density.rows(eta, zeta + e, True).score)
            weight = differ(lambda e, x=expected: density.rows(eta, zeta + e, x).weight)
            for mine, numeric in zip(rows.extra[j], (value, score, weight), strict=True):
                np.testing.assert_allclose(mine, numeric, **close)


@each_pair
def test_constant(family, link):
    """The sum of the family's constants, with its derivative; kept between calls."""
    rng = np.random.default_rng(6)
    made = resolve(family, link)
    y, weights, trials = response(family, 300, rng)
    density = FamilyDensity(made, y, weights, trials)
    for z in (ZETA, -1.0, ZETA):
        zeta = np.full(len(made.parameters), z)
        value, slope = made.constant(y, weights, trials, zeta)
        mine, derivative = density.constant(zeta)
        assert mine == pytest.approx(value.sum(), rel=1e-12)
        assert derivative.shape == zeta.shape
        np.testing.assert_allclose(derivative, slope.sum(axis=1), rtol=1e-12)


@each_pair
def test_rows_and_constant_are_the_log_density(family, link):
    rng = np.random.default_rng(7)
    made = resolve(family, link)
    y, weights, trials = response(family, 60, rng)
    density = FamilyDensity(made, y, weights, trials)
    zeta = np.full(len(made.parameters), ZETA)
    eta = np.sign(made.inside) * rng.uniform(0.2, 0.8, 60)
    whole = made.log_density(y, made.mean(eta, zeta), weights, trials, zeta).sum()
    parts = density.rows(eta, zeta, True).total + density.constant(zeta)[0]
    assert parts == pytest.approx(whole, rel=1e-12)


FIXED = [
    NegativeBinomial(theta=2.5),
    NegativeBinomial(theta=2.5, link="nbcanonical"),
    Gamma(link="log", shape=3.0),
    InverseGaussian(link="log", lam=0.4),
    Gaussian(precision=7.0),
]


@pytest.mark.parametrize("made", FIXED, ids=repr)
def test_a_fixed_parameter_is_used_as_given(made):
    rng = np.random.default_rng(9)
    y, weights, trials = response(made.name, 50, rng)
    density = FamilyDensity(made, y, weights, trials)
    assert density.n_zeta == 0
    eta, none = np.sign(made.inside) * rng.uniform(0.2, 0.8, 50), np.empty(0)
    for expected in (True, False):
        got, truth = density.rows(eta, none, expected), made.rows(eta, y, weights, none, expected)
        for mine, theirs in zip(got[1:5], truth[1:5], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(density.values(eta, none)[0], truth.loglik, rtol=1e-12)
    constant = made.constant(y, weights, trials, none)[0].sum()
    assert density.constant(none)[0] == pytest.approx(constant, rel=1e-12)
    assert density.constant(none)[1].shape == (0,)


@each_pair
def test_canonical_means_that_the_informations_agree(family, link):
    rng = np.random.default_rng(3)
    made = resolve(family, link)
    y, weights, trials = response(family, 40, rng)
    density = FamilyDensity(made, y, weights, trials)
    eta, zeta = np.sign(made.inside) * rng.uniform(0.2, 0.8, 40), np.full(len(made.parameters), 0.3)
    rows = density.rows(eta, zeta, True)
    same = np.allclose(rows.weight, rows.observed, rtol=1e-12)
    assert same if density.canonical else (not same or link in ("inverse", "inverse_square"))


def test_rows_in_another_order():
    rng = np.random.default_rng(3)
    y, weights, trials = response("binomial", 40, rng)
    density = FamilyDensity(resolve("binomial"), y, weights, trials)
    order = rng.permutation(40)
    eta = rng.normal(size=40)
    taken = density.take(order)
    np.testing.assert_array_equal(
        taken.rows(eta[order], np.empty(0), True).score,
        density.rows(eta, np.empty(0), True).score[order],
    )
    assert taken.constant(np.empty(0))[0] == pytest.approx(density.constant(np.empty(0))[0])


@pytest.mark.parametrize(("link", "sign"), [("cloglog", 1.0), ("loglog", -1.0)])
def test_certain_outcomes_beyond_the_range_of_exp(link, sign):
    """What has happened at eta = 1000 with probability 1 says nothing, and is no accident."""
    y = np.array([1.0, 1.0]) if sign > 0.0 else np.zeros(2)
    density = FamilyDensity(resolve("binomial", link), y, np.ones(2), np.ones(2))
    for expected in (True, False):
        rows = density.rows(sign * np.array([710.0, 1e6]), np.empty(0), expected)
        for part in rows[:5]:
            np.testing.assert_array_equal(part, 0.0)


@pytest.mark.parametrize("made", ["negativebinomial", "gamma", "inverse_gaussian", "gaussian"])
@pytest.mark.parametrize("zeta", [-6000.0, 6000.0])
def test_a_parameter_beyond_the_doubles_warns_of_nothing(made, zeta):
    rng = np.random.default_rng(3)
    y, weights, trials = response(made, 40, rng)
    density = FamilyDensity(resolve(made, "log"), y, weights, trials)
    assert density.constant(np.array([zeta]))[1].shape == (1,)
    rows = density.rows(np.zeros(40), np.array([zeta]), True)
    assert not any(np.isnan(part).any() for part in rows)
