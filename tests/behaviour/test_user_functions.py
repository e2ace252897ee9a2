"""Functions of the user's that give no number or fail: errors of the package."""

import pytest

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError


@pytest.fixture(scope="module")
def m():
    return il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))


@pytest.mark.parametrize("score", [lambda y, mean: "x", lambda y, mean: y - mean, len])
def test_scores_are_numbers(m, score):
    with pytest.raises(ArgumentError, match="must give a number of observed and predicted"):
        m.cross_val("Subject", scoring=score)


@pytest.mark.parametrize("function", [lambda result: result.nothing, len])
def test_statistics_of_the_bootstrap_do_not_fail_on_the_fit(m, function):
    with pytest.raises(ArgumentError, match="fails on this fit"):
        m.bootstrap(2, function)


def test_tests_give_p_values_and_statistics_numbers(m):
    with pytest.raises(ArgumentTypeError, match="a function that gives a p-value"):
        il.power(m, lambda result: "x", nsim=3)
    with pytest.raises(ArgumentTypeError, match="statistic must give a number"):
        m.simulated_residuals(n=9, seed=1).test(lambda y: "a")
