"""The series of Tweedie densities that is kept while means move."""

import pickle

import numpy as np
import pytest

from interlace.families import Tweedie

RNG = np.random.default_rng(0)
Y = np.where(RNG.random(30) < 0.3, 0.0, RNG.gamma(2.0, 1.5, 30))
ONES = np.ones(30)


def predictors(phi=0.2, psi=-0.1):
    return np.stack([RNG.normal(size=30), np.full(30, phi), np.full(30, psi)])


@pytest.mark.parametrize("arguments", [{}, {"power": 1.4}, {"phi": 0.8}])
def test_what_is_kept_is_what_is_computed(arguments):
    used = Tweedie(**arguments)
    K = 1 + len(used.parameters)
    H = RNG.normal(size=(K * (K + 1) // 2, 30))
    for phi in (0.2, 0.3, 0.2, 0.5, 0.6, 0.7, 0.2):
        eta, fresh = predictors(phi)[:K], Tweedie(**arguments)
        for order in (0, 1, 2):
            one = used.derivatives(eta, Y, ONES, 1.0, order)
            other = fresh.derivatives(eta, Y, ONES, 1.0, order)
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)
        one = used.contracted(eta, Y, ONES, 1.0, H)
        np.testing.assert_array_equal(one, fresh.contracted(eta, Y, ONES, 1.0, H))


def test_another_response_is_not_the_one_before():
    family, eta = Tweedie(), predictors()
    family.derivatives(eta, Y, ONES)
    np.testing.assert_array_equal(
        family.derivatives(eta, 1.1 * Y, ONES).value,
        Tweedie().derivatives(eta, 1.1 * Y, ONES).value,
    )


def test_what_is_kept_is_no_part_of_the_family():
    family = Tweedie()
    family.derivatives(predictors(), Y, ONES)
    assert family == Tweedie()
    assert "_kept" not in vars(pickle.loads(pickle.dumps(family)))
