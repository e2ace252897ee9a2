"""Draws have the mean and covariance of the model."""

from __future__ import annotations

import numpy as np
import pytest

import interlace
from interlace.errors import ArgumentError

SLEEP = ("sleepstudy", "Reaction ~ Days + (Days | Subject)")
DRAWS = 4000
# Five standard errors of a mean or of a variance of DRAWS normal draws.
MARGIN = 5.0 / np.sqrt(DRAWS)


def test_shape_and_seed(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    draws = m.simulate(3, seed=1)
    assert list(draws.columns) == ["sim_1", "sim_2", "sim_3"]
    assert list(draws.index) == list(m.fittedvalues.index)
    assert draws.equals(m.simulate(3, seed=1))
    assert not draws.equals(m.simulate(3, seed=2))
    rng = np.random.default_rng(1)
    assert draws.equals(m.simulate(3, seed=rng))


def test_marginal_moments(dataset) -> None:
    sleep = dataset("sleepstudy").iloc[:40]
    weights = np.linspace(0.5, 4.0, 40)
    m = interlace.fit(SLEEP[1], sleep, weights=weights)
    draws = m.simulate(DRAWS, seed=7).to_numpy()
    factor, T = m.fit.design.factors[0], m.fit.T[0]
    Z = np.asarray(factor.Z)
    same = factor.codes[:, None] == factor.codes
    V = m.scale * ((Z @ T @ T.T @ Z.T) * same + np.diag(1.0 / weights))
    sd = np.sqrt(np.diag(V))
    mean = (draws.mean(axis=1) - m.predict(include_re=False)) / sd
    assert np.abs(mean).max() < MARGIN
    correlation = np.cov(draws) / np.outer(sd, sd)
    # Var of a sample covariance is (1 + rho^2) / DRAWS, at most 2 / DRAWS.
    assert np.abs(correlation - V / np.outer(sd, sd)).max() < np.sqrt(2.0) * MARGIN


def test_conditional_moments(fit_cache) -> None:
    m = fit_cache("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)")
    draws = m.simulate(DRAWS, seed=3, use_u=True).to_numpy()
    mean = (draws.mean(axis=1) - m.fittedvalues) / m.sigma
    assert np.abs(mean).max() < MARGIN
    assert np.abs(draws.var(axis=1) / m.scale - 1.0).max() < np.sqrt(2.0) * MARGIN


def test_crossed_factors_vary_together(fit_cache) -> None:
    m = fit_cache("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)")
    draws = m.simulate(DRAWS, seed=5).to_numpy()
    total = m.scale + sum(m.variance_components.values())
    assert np.abs(draws.var(axis=1) / total - 1.0).max() < np.sqrt(2.0) * MARGIN


def test_a_draw_can_be_refitted(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    again = m.refit(m.simulate(1, seed=1)["sim_1"])
    assert again.converged and again.sigma != m.sigma


@pytest.mark.parametrize("nsim", [0, -1, 1.5, "3", True])
def test_numbers_of_draws_that_are_none(fit_cache, nsim) -> None:
    with pytest.raises(ArgumentError, match="nsim"):
        fit_cache(*SLEEP).simulate(nsim)
