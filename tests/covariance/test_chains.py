"""Series as Markov chains against their dense templates."""

import numpy as np
import pytest

from interlace.covariance import AR1, OrnsteinUhlenbeck
from interlace.covariance.chains import Chains

THETAS = {"inside": (1.3, 0.6), "negative": (0.7, -0.9), "one": (1.0, np.pi / 2)}


def unequal(structure, seed=0):
    """Series of one to six of eight times, with gaps."""
    rng = np.random.default_rng(seed)
    own = [np.sort(rng.choice(structure.k, m, replace=False)) for m in (4, 1, 6, 8)]
    starts = np.cumsum([0, *map(len, own)]).astype(np.int64)
    return Chains(structure, np.concatenate(own), starts), own


@pytest.mark.parametrize("name", THETAS)
def test_the_effects_at_observed_times_have_the_covariance_of_the_template(name):
    structure, theta = AR1(8), np.array(THETAS[name])
    chains, own = unequal(structure)
    scale, r, v, *_ = chains.steps(theta)
    T = structure.template(theta)
    S = T @ T.T
    for times, start in zip(own, chains.starts[:-1], strict=True):
        a = np.zeros((len(times), len(times)))  # rows: effects by independent innovations
        for i in range(len(times)):
            a[i] = r[start + i] * a[i - 1] if i else 0.0
            a[i, i] += np.sqrt(v[start + i])
        D = np.diag(scale[start : start + len(times)])
        np.testing.assert_allclose(D @ a @ a.T @ D, S[np.ix_(times, times)], atol=1e-14)


def test_slopes_of_the_steps():
    chains, _ = unequal(AR1(8))
    theta, h = np.array([1.0, 0.7]), 1e-6
    here = chains.steps(theta)
    up, down = chains.steps(theta + [0.0, h]), chains.steps(theta - [0.0, h])
    np.testing.assert_allclose(here.r_slope, (up.r - down.r) / (2 * h), atol=1e-9)
    np.testing.assert_allclose(here.v_slope, (up.v - down.v) / (2 * h), atol=1e-9)


@pytest.mark.parametrize("name", ["inside", "negative"])
def test_modes_at_times_without_rows_are_conditional_expectations(name):
    structure, theta = AR1(8), np.array(THETAS[name])
    chains, own = unequal(structure)
    a = np.random.default_rng(2).normal(size=chains.column.size)
    whole = chains.modes_at_all_times(a, theta)
    T = structure.template(np.array([1.0, theta[1]]))
    R = T @ T.T
    for g, times in enumerate(own):
        mine = a[chains.starts[g] : chains.starts[g + 1]]
        expected = R[:, times] @ np.linalg.solve(R[np.ix_(times, times)], mine)
        np.testing.assert_allclose(whole[g], expected, atol=1e-12)
    u = chains.innovations(whole, theta)
    np.testing.assert_allclose(u @ T.T, whole, atol=1e-12)


def test_a_start_has_the_correlation_asked_for():
    chains, _ = unequal(AR1(8))
    theta = chains.start(1.5, -0.5)
    assert theta[0] == 1.5
    assert np.sin(theta[1]) == pytest.approx(-0.5)


def test_chains_in_continuous_time():
    times = np.array([0.0, 0.3, 1.0, 2.5, 2.6, 5.0, 7.0, 7.5])
    structure, theta = OrnsteinUhlenbeck(8, times), np.array([1.3, 0.4])
    chains, own = unequal(structure)
    a = np.random.default_rng(3).normal(size=chains.column.size)
    R = np.exp(-np.abs(times[:, None] - times) / np.exp(0.4))
    for g, at in enumerate(own):
        mine = a[chains.starts[g] : chains.starts[g + 1]]
        expected = R[:, at] @ np.linalg.solve(R[np.ix_(at, at)], mine)
        whole = chains.modes_at_all_times(a, theta)[g]
        np.testing.assert_allclose(whole, expected, atol=1e-12)
    h = [0.0, 1e-6]
    here, up, down = (chains.steps(theta + d) for d in ([0.0, 0.0], h, np.negative(h)))
    np.testing.assert_allclose(here.r_slope, (up.r - down.r) / 2e-6, atol=1e-9)
    np.testing.assert_allclose(here.v_slope, (up.v - down.v) / 2e-6, atol=1e-9)
