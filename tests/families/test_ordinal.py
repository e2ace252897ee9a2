"""Ordered categories: thresholds, probabilities of intervals, and the compiled rows."""

from __future__ import annotations

import numpy as np
import pytest

from interlace.errors import ArgumentError
from interlace.families import Ordinal, resolve_link
from interlace.families.intervals import INTERVALS, log_interval
from interlace.families.thresholds import STRUCTURES, Thresholds
from interlace.objective.generalised.ordinal import OrdinalDensity

LINKS = tuple(INTERVALS)
# Differences of second derivatives of l near the ends of a narrow interval, where l is curved most.
STEP = 1e-5
RNG = np.random.default_rng(5)
SIZES = [1, 2, 3, 4, 5, 8]


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("size", SIZES)
def test_thresholds_increase_and_have_their_derivatives(structure: str, size: int) -> None:
    if structure == "symmetric2" and size == 1:
        with pytest.raises(ArgumentError, match="leaves nothing to estimate"):
            Thresholds(structure, size)
        return
    own = Thresholds(structure, size)
    zeta = RNG.normal(size=own.count)
    alpha = own.at(zeta)
    assert (np.diff(alpha) > 0.0).all()
    slope = RNG.normal(size=size)
    for k, unit in enumerate(STEP * np.eye(own.count)):
        difference = (own.at(zeta + unit) - own.at(zeta - unit)) / (2.0 * STEP)
        np.testing.assert_allclose(own.jacobian(zeta)[:, k], difference, rtol=1e-8, atol=1e-9)
        bent = slope @ (own.jacobian(zeta + unit) - own.jacobian(zeta - unit)) / (2.0 * STEP)
        expected = np.zeros(own.count)
        expected[k] = own.bend(zeta, slope)[k]
        np.testing.assert_allclose(bent, expected, atol=1e-8)
    np.testing.assert_allclose(own.linear @ (own.reported @ own.parts(zeta)), alpha, atol=1e-12)
    np.testing.assert_allclose(own.at(own.nearest(alpha)), alpha, atol=1e-10)
    if structure.startswith("symmetric"):
        centre = 0.0 if structure == "symmetric2" else zeta[0]
        np.testing.assert_allclose(alpha + alpha[::-1], 2.0 * centre, atol=1e-12)
    if structure == "equidistant" and size > 2:
        np.testing.assert_allclose(np.diff(alpha), np.diff(alpha)[0], rtol=1e-12)


LIMITS = np.array(
    [(1.0, 0.0), (0.3, -0.2), (4.0, 3.9), (-4.0, -4.5), (2.0, -3.0), (0.008, 0.0), (-6.0, -7.0)]
)


@pytest.mark.parametrize("link", LINKS)
def test_probabilities_of_intervals_have_their_derivatives(link: str) -> None:
    own = resolve_link(link)
    a, b = LIMITS.T
    at = log_interval(own, a, b)
    np.testing.assert_allclose(
        np.exp(at.value), own.inverse(a) - own.inverse(b), rtol=1e-10, atol=1e-14
    )
    h = STEP
    up, down = log_interval(own, a + h, b + h), log_interval(own, a - h, b - h)
    for name, of in (("d1", "value"), ("d2", "d1"), ("d3", "d2")):
        difference = (getattr(up, of) - getattr(down, of)) / (2.0 * h)
        np.testing.assert_allclose(getattr(at, name), difference, rtol=1e-6, atol=1e-7)
    h = STEP * (a - b)
    up, down = log_interval(own, a + h, b), log_interval(own, a - h, b)
    for name, of in (("v", "value"), ("v1", "d1"), ("v2", "d2")):
        difference = (getattr(up, of) - getattr(down, of)) / (2.0 * h)
        np.testing.assert_allclose(getattr(at, name), difference, rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("link", LINKS)
def test_intervals_are_exact_far_in_the_tails(link: str) -> None:
    own = resolve_link(link)
    for sign in (-1.0, 1.0):
        low = sign * (25.0 if link != "cauchit" else 1e8)
        if (link, sign) in (("cloglog", 1.0), ("loglog", -1.0)):
            low = sign * 5.0  # beyond exp(-exp(5)) is nothing
        wide = log_interval(own, np.array([low + 1.0]), np.array([low]))
        halves = [
            log_interval(own, np.array([low + 0.5 * (k + 1)]), np.array([low + 0.5 * k]))
            for k in range(2)
        ]
        together = np.logaddexp(halves[0].value, halves[1].value)
        np.testing.assert_allclose(wide.value, together, rtol=1e-12)
        assert np.isfinite(np.array(wide)).all()


@pytest.mark.parametrize("link", LINKS)
def test_probabilities_sum_to_one(link: str) -> None:
    family = Ordinal(list("abcd"), link)
    zeta = np.array([-1.0, 0.2, -0.5])
    eta = RNG.normal(size=9)
    p = family.probabilities(eta, zeta)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-13)
    np.testing.assert_allclose(np.cumsum(p, axis=1), family.cumulative(eta, zeta), rtol=1e-12)
    np.testing.assert_allclose(p @ np.arange(4), family.mean(eta, zeta), rtol=1e-12)
    upto = family.cdf_of(np.ones(9), eta, zeta=zeta)
    np.testing.assert_allclose(upto, p[:, :2].sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("levels", [2, 3, 6])
def test_compiled_rows_are_the_families(link: str, levels: int) -> None:
    family = Ordinal(range(levels), link)
    n = 200
    y, w = RNG.integers(levels, size=n).astype(float), RNG.uniform(0.5, 2.0, n)
    eta = 3.0 * RNG.normal(size=n)
    zeta = np.concatenate([[-0.5], np.log(RNG.uniform(0.005, 1.5, levels - 2))])
    density = OrdinalDensity(family, y, w, np.ones(n))
    for expected in (False, True):
        own, other = density.rows(eta, zeta, expected), family.rows(eta, y, w, zeta, expected)
        value, slope = density.constant(zeta)
        np.testing.assert_allclose(own.total + value, other.loglik.sum(), rtol=1e-12)
        for name in ("score", "weight", "observed"):
            np.testing.assert_allclose(
                getattr(own, name), getattr(other, name), rtol=1e-7, atol=1e-9
            )
    own, other = density.rows(eta, zeta, False), family.rows(eta, y, w, zeta, False)
    np.testing.assert_allclose(own.slope, other.slope, rtol=1e-6, atol=1e-7)
    gradient = density.collapse(own.extra[:, 0], zeta) + slope
    np.testing.assert_allclose(gradient, other.extra[:, 0].sum(axis=1), rtol=1e-8, atol=1e-8)
    changes = density.score_changes(own, zeta)
    np.testing.assert_allclose(changes, other.extra[:, 1], rtol=1e-6, atol=1e-7)


def test_a_family_says_what_it_cannot() -> None:
    family = Ordinal(list("ab"))
    with pytest.raises(ArgumentError, match="no function of one mean"):
        family.variance(np.ones(1))
    with pytest.raises(ArgumentError, match="two or more"):
        Ordinal(["a"])
    with pytest.raises(ArgumentError, match="does not go with link='log'"):
        Ordinal(list("ab"), "log")
    assert Ordinal(list("ab")) == Ordinal(list("ab")) != Ordinal(list("ab"), "probit")
    assert len({Ordinal(list("ab")), Ordinal(list("ab"))}) == 1
