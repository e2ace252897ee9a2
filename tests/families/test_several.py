"""Log-densities of several predictors: derivatives, and agreement with the rows of one."""

from __future__ import annotations

import numpy as np
import pytest

from interlace.errors import ArgumentError
from interlace.families import ZeroInflated
from interlace.families.jets import packed


def test_derivatives_are_those_of_the_rows(family, case):
    """One predictor and its parameter, as today's models take them."""
    K = 1 + len(family.parameters)
    eta = np.vstack([case.eta, np.broadcast_to(case.zeta[:, None], (K - 1, case.eta.size))])
    d = family.derivatives(eta, case.y, case.weights, case.trials)
    rows = family.rows(case.eta, case.y, case.weights, case.zeta, expected=False)
    constant, slope = family.constant(case.y, case.weights, case.trials, case.zeta)
    first = np.zeros((len(d.information), case.eta.size))
    first[0] = 1.0
    third = family.contracted(eta, case.y, case.weights, case.trials, first)
    close = {"rtol": 1e-11, "atol": 1e-11}
    np.testing.assert_allclose(d.value, rows.loglik + constant, **close)
    np.testing.assert_allclose(d.score[0], rows.score, **close)
    np.testing.assert_allclose(d.information[0], rows.observed, **close)
    np.testing.assert_allclose(third[0], rows.slope, **close)
    for k in range(K - 1):
        np.testing.assert_allclose(d.score[k + 1], rows.extra[k, 0] + slope[k], **close)
        np.testing.assert_allclose(d.information[1], -rows.extra[k, 1], **close)
        np.testing.assert_allclose(third[k + 1], rows.extra[k, 2], **close)


def test_rows_out_of_range_have_no_derivatives():
    from interlace.families import Gamma

    eta = np.array([[-1.0, 1.0], [0.3, np.inf]])
    d = Gamma().derivatives(eta, np.ones(2), np.ones(2))
    np.testing.assert_array_equal(d.value, [-np.inf, -np.inf])
    assert not d.score.any() and not d.information.any()


def test_contraction_counts_entries_beside_the_diagonal_twice():
    from interlace.families import Gaussian

    rng = np.random.default_rng(3)
    eta, y, H = rng.normal(size=(2, 5)), rng.normal(size=5), rng.normal(size=(3, 5))
    h, ones = 1e-5, np.ones(5)
    twice = np.array([1.0 if a == b else 2.0 for a, b in packed(2)])[:, None]

    def sums(eta):
        return (twice * H * Gaussian().derivatives(eta, y, ones).information).sum(axis=0)

    for k, step in enumerate(np.eye(2)[:, :, None] * h):
        slope = (sums(eta + step) - sums(eta - step)) / (2.0 * h)
        made = Gaussian().contracted(eta, y, ones, 1.0, H)[k]
        np.testing.assert_allclose(made, slope, rtol=1e-7, atol=1e-8)


def test_zero_inflation_needs_responses_that_are_not_negative():
    from interlace.families import Gaussian

    with pytest.raises(ArgumentError, match="not negative"):
        ZeroInflated(Gaussian())
