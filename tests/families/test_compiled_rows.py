"""Compiled rows of several predictors against their twins on jets."""

from __future__ import annotations

import numpy as np
import pytest

from interlace.families import (
    Beta,
    BetaBinomial,
    ConwayMaxwellPoisson,
    Gamma,
    Gaussian,
    GeneralisedPoisson,
    Hurdle,
    LogNormal,
    NegativeBinomial,
    NegativeBinomial1,
    Poisson,
    Truncated,
    Tweedie,
    ZeroInflated,
)
from interlace.families.gaussian import GaussianSigma
from interlace.families.jets import packed

BASES = [
    Poisson(),
    NegativeBinomial(),
    NegativeBinomial(theta=1.7),
    NegativeBinomial1(),
    NegativeBinomial1(phi=0.4),
]
FAMILIES = [
    *BASES,
    *(ZeroInflated(base) for base in BASES),
    *(Hurdle(base) for base in BASES),
    *(Truncated(base) for base in BASES),
    ZeroInflated(Poisson(), zi=0.2),
    Beta(),
    Beta(precision=4.0),
    ZeroInflated(Beta()),
    BetaBinomial(),
    ZeroInflated(BetaBinomial()),
    Gaussian(),
    GaussianSigma(),
    Gamma("log"),
    Gamma("log", shape=2.0),
    ZeroInflated(Gamma("log")),
    LogNormal(),
    LogNormal(sigma=0.8),
    ZeroInflated(LogNormal()),
    GeneralisedPoisson(),
    GeneralisedPoisson(phi=2.0),
    Hurdle(GeneralisedPoisson()),
    ConwayMaxwellPoisson(),
    ConwayMaxwellPoisson(phi=0.6),
    ZeroInflated(ConwayMaxwellPoisson()),
    Hurdle(ConwayMaxwellPoisson()),
    Truncated(ConwayMaxwellPoisson(phi=3.0)),
    Tweedie(),
    Tweedie(power=1.6),
    Tweedie(phi=0.7),
    Tweedie(power=1.2, phi=2.0),
]
each = pytest.mark.parametrize("family", FAMILIES, ids=repr)
EPS = np.finfo(float).eps
COUNTS = np.array([0.0, 1.0, 2.0, 7.0, 31.0, 33.0, 150.0, 4000.0, 2.5, 40.5])
POSITIVE = np.array([1e-6, 0.3, 1.0, 17.0, 2e4])
UNIT = np.array([1e-9, 0.02, 0.5, 0.98, 1.0 - 1e-9])


def jets_only(family):
    """The same family, asked itself."""

    class Itself(type(family)):
        def kernel_kind(self):
            return None

    twin = object.__new__(Itself)
    twin.__dict__.update(family.__dict__)
    twin.__dict__.pop("_kind", None)  # kept since the family was first asked
    return twin


def points(family, spread):
    rng, n = np.random.default_rng(12), 400
    K = 1 + len(family.parameters)
    trials = np.ones(n)
    support = family.support
    if support == "proportion":
        trials = np.resize([1.0, 5.0, 40.0, 900.0], n)
        y = np.rint(trials * rng.choice([0.0, 0.1, 0.6, 1.0], n)) / trials
    elif family.discrete:
        y = rng.choice(COUNTS[1:] if support == "positive count" else COUNTS, n)
    elif support in ("open unit", "half-open unit"):
        y = rng.choice(UNIT, n)
    else:
        y = rng.choice(POSITIVE, n)
    if support in ("half-open unit", "non-negative"):
        y[::3] = 0.0
    eta = spread * rng.normal(size=(K, n))
    if "conway" in family.name:  # no more counts than can be summed
        eta[:2] = np.clip(eta[:2], -6.0, 6.0)
    if "generalised" in family.name:  # counts far from means are out of range where phi < 1
        eta[1:2] = np.abs(eta[1:2])
    return eta, y, trials * rng.uniform(0.5, 2.0, n), trials


def largest_parts(family, eta, y, weights):
    """Parts of Tweedie's density that cancel: j and lgamma(a j) at the series' largest term, (n,).

    j is y^{2-p} / (phi (2-p)), as large as the cumulant function from which the series is taken.
    """
    if not isinstance(family, Tweedie):
        return np.zeros(y.size)
    moving = iter(eta[1:])
    log_phi, psi = (
        np.broadcast_to(link(np.asarray(family.fixed[name])), y.shape)
        if name in family.fixed
        else next(moving)
        for name, link in family.all_parameters.items()
    )
    power, a = 1.0 + 1.0 / (1.0 + np.exp(-psi)), np.exp(-psi)
    with np.errstate(divide="ignore", over="ignore"):
        middle = y ** (2.0 - power) / (np.exp(log_phi) * (2.0 - power))
        return weights * middle * (1.0 + a * np.log(a * middle + 2.0))


@each
@pytest.mark.parametrize("spread", [1.0, 4.0, 12.0])
def test_compiled_rows_are_those_of_jets(family, spread):
    """To 1e-12 of each number and of the largest part that it is a difference of."""
    assert family.kernel_kind() is not None
    eta, y, weights, trials = points(family, spread)
    twin = jets_only(family)
    made = family.derivatives(eta, y, weights, trials)
    expected = twin.derivatives(eta, y, weights, trials)
    np.testing.assert_array_equal(np.isfinite(made.value), np.isfinite(expected.value))
    assert np.isfinite(made.value).mean() > 0.9
    # what terms of the density are at most, row by row: counts times logarithms, means, precisions
    inside = np.isfinite(expected.value)
    size = weights * (1.0 + y * (1.0 + np.abs(eta).sum(axis=0))) + np.abs(expected.value)
    size = np.where(inside, size, 1.0) + np.abs(expected.score).sum(axis=0)
    size = size + np.abs(expected.information).sum(axis=0)
    if y.max() > 1.0:
        size = size * np.maximum(np.log(y + 2.0), 1.0)

    rounding = EPS * largest_parts(family, eta, y, weights)

    def close(a, b, scale):
        a, b, scale = a[..., inside], b[..., inside], scale[..., inside]
        assert np.all(np.abs(a - b) <= 1e-12 * (np.abs(b) + scale) + rounding[inside])

    close(made.value, expected.value, size)
    close(made.score, expected.score, size)
    close(made.information, expected.information, size)
    K, n = eta.shape
    H = np.random.default_rng(1).normal(size=(len(packed(K)), n))
    third = family.contracted(eta, y, weights, trials, H)
    exact = twin.contracted(eta, y, weights, trials, H)
    close(third, exact, size * np.abs(H).sum(axis=0) + np.abs(exact).sum(axis=0))


@each
def test_lower_orders(family):
    eta, y, weights, trials = points(family, 1.0)
    full = family.derivatives(eta, y, weights, trials)
    first = family.derivatives(eta, y, weights, trials, 1)
    none = family.derivatives(eta, y, weights, trials, 0)
    np.testing.assert_allclose(none.value, full.value, rtol=1e-13)
    np.testing.assert_allclose(first.score, full.score, rtol=1e-13, atol=1e-14)
    assert first.information is None and none.score is None


def test_who_is_asked_itself():
    """Other links, and subclasses with a density of their own."""

    class Own(NegativeBinomial1):
        def log_density_of(self, etas, y, weights, trials=1.0):
            return super().log_density_of(etas, y, weights, trials)

    assert Own().kernel_kind() is None
    assert ZeroInflated(Own()).kernel_kind() is None
    assert NegativeBinomial1(link="sqrt").kernel_kind() is None
    assert Beta(link="probit").kernel_kind() is None
    assert NegativeBinomial1().kernel_kind() is not None


def test_no_rows():
    made = ZeroInflated(Poisson()).derivatives(np.empty((2, 0)), np.empty(0), np.empty(0))
    assert made.value.shape == (0,) and made.score.shape == (2, 0)
