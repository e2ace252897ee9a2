"""The dense criteria themselves: their rows are derivatives, their precisions agree."""

from __future__ import annotations

import adversaries
import dense
import numpy as np
import pytest
from checks import attempt
from random_models import LINKS, draw

PAIRS = [(family, link) for family, links in LINKS.items() for link in dict.fromkeys(links)]


@pytest.mark.parametrize(("family", "link"), PAIRS)
def test_rows_are_derivatives_of_the_log_density(family, link):
    rng = np.random.default_rng(3)
    n, h = 40, 1e-4
    eta = rng.uniform(0.3, 2.0, n)
    trials = rng.integers(1, 6, n).astype(float) if family == "binomial" else np.ones(n)
    y = rng.binomial(trials.astype(int), 0.4) / trials if family == "binomial" else None
    y = rng.poisson(3.0, n).astype(float) + 0.0 if y is None else y
    y = y + 0.5 if family in ("gamma", "inverse_gaussian") else y
    prior, zeta = rng.uniform(0.5, 2.0, n), np.array([0.4])

    def at(eta):
        return dense.rows(family, link, eta, y, trials, prior, zeta)

    near, far = at(eta + h), at(eta - h)
    # central differences: h^2 / 6 times the third derivative, and rounding over h
    np.testing.assert_allclose(
        at(eta).score, (near.value - far.value) / (2 * h), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        at(eta).observed, -(near.score - far.score) / (2 * h), rtol=1e-5, atol=1e-5
    )


def test_expected_information_is_the_mean_of_the_observed():
    eta = np.full(200_000, 0.3)
    y = np.random.default_rng(0).poisson(np.exp(0.3) * np.ones(len(eta))).astype(float)
    one = np.ones(len(eta))
    rows = dense.rows("negativebinomial", "log", eta, y, one, one, np.array([50.0]))
    # a standard error of 1 / sqrt(n) of 1.3
    assert rows.observed.mean() == pytest.approx(rows.expected[0], abs=0.02)


@pytest.mark.parametrize("seed", [s for s in range(60) if draw(s).family is None][:6])
def test_precisions_agree(seed, monkeypatch):
    """V formed, M with a projection, and extended precision: three roads to one criterion."""
    model = draw(seed)
    problem = model.problem(attempt(model).result.fit)
    S = dense.loadings(problem, np.full(problem.n_theta, 0.7))
    monkeypatch.setattr(dense, "LARGEST_ORDINARY", 0)
    small = dense.linear(problem, S)[0]
    monkeypatch.setattr(dense, "LARGEST_ORDINARY", 10**6)
    large = dense.linear(problem, S)[0]
    assert small == pytest.approx(large, rel=1e-11)
    if len(problem.y) < 150:
        assert dense.extended(problem, S) == pytest.approx(large, rel=1e-11)


def test_one_seed_is_one_model():
    for seed in (3, 4, 8, 9):
        a, b = draw(seed), draw(seed)
        assert a.text == b.text
        assert a.data.equals(b.data)


def test_every_maker_is_drawn():
    kinds = {draw(seed).kind for seed in range(4, 5 * len(adversaries.MAKERS), 5)}
    assert len(kinds) == len(adversaries.MAKERS)
