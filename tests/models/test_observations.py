"""Responses against families: which weights and trials they become, and what is refused."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest

from interlace.design.build import build
from interlace.errors import ArgumentError, DataError, DataWarning
from interlace.families import resolve
from interlace.models.observations import observe

FAMILIES = ["binomial", "poisson", "negativebinomial", "gamma", "inverse_gaussian", "gaussian"]


def observed(formula, data, family="binomial", weights=None, **flags):
    design = build(f"{formula} ~ 1", data, weights=weights, linear=False)
    return observe(design, resolve(family), **flags)


def counts() -> pd.DataFrame:
    return pd.DataFrame({"k": [1.0, 0, 3], "n": [4.0, 2, 3], "w": [1.0, 2, 0.5]})


def test_successes_and_failures():
    found = observed("cbind(k, n - k)", counts())
    assert found.y.tolist() == [0.25, 0, 1] and found.trials.tolist() == [4, 2, 3]
    assert found.weights.tolist() == [4, 2, 3] and found.prior.tolist() == [1, 1, 1]


def test_weights_beside_successes_and_failures_are_prior():
    found = observed("cbind(k, n - k)", counts(), weights="w")
    assert found.weights.tolist() == [4, 4, 1.5]
    assert found.trials.tolist() == [4, 2, 3] and found.prior.tolist() == [1, 2, 0.5]


@pytest.mark.parametrize("weights", [None, "n"])
def test_successes_over_trials(weights):
    found = observed("k / n", counts(), weights=weights)
    assert found.y.tolist() == [0.25, 0, 1]
    assert found.weights.tolist() == found.trials.tolist() == [4, 2, 3]
    assert found.prior.tolist() == [1, 1, 1]


def test_other_weights_beside_successes_over_trials_are_refused():
    with pytest.raises(ArgumentError, match=r"weights differ from the trials in k / n.*0.*1 and 4"):
        observed("k / n", counts(), weights="w")


def test_proportions_with_weights_as_trials():
    data = counts().assign(p=lambda d: d["k"] / d["n"])
    found = observed("p", data, weights="n")
    assert found.trials.tolist() == [4, 2, 3] and found.prior.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "values",
    [
        [0, 1, 1], [False, True, True], ["no", "yes", "yes"],
        pd.Categorical(["b", "a", "a"], ["b", "a"]),
    ],
)  # fmt: skip
def test_two_outcomes(values):
    found = observed("y", {"y": values})
    assert found.y.tolist() == [0, 1, 1] and found.weights.tolist() == [1, 1, 1]


def test_weights_of_two_outcomes_need_not_be_whole():
    data = {"y": [0.0, 1, 1], "w": [0.3, 1, 2.5]}
    found = observed("y", data, weights="w")
    assert found.prior.tolist() == [0.3, 1, 2.5] and found.trials.tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", FAMILIES[1:])
def test_weights_multiply_the_log_density(kind):
    found = observed("k + 1", counts(), kind, weights="w")
    assert found.weights.tolist() == found.prior.tolist() == [1, 2, 0.5]
    assert found.trials.tolist() == [1, 1, 1] and found.y.tolist() == [2, 1, 4]


@pytest.mark.parametrize("kind", FAMILIES[3:])
def test_a_ratio_is_a_number_to_other_families(kind):
    found = observed("(k + 1) / n", counts().assign(n=[-4.0, -2, 3]).abs(), kind)
    assert found.weights.tolist() == [1, 1, 1]
    assert observed("k / n", counts().assign(n=-1.0), "gaussian").y.tolist() == [-1, 0, -3]


@pytest.mark.parametrize(
    ("formula", "values", "weights", "pattern"),
    [
        (
            "p",
            {"p": [0.25, 0.4]},
            None,
            "'p' does not stand for whole.*give the trials as weights=",
        ),
        ("p", {"p": [0.25, 0.4]}, [4.0, 3], r"row\(s\), such as 1 \(1.2 of 3\); weights times"),
        ("cbind(a, b)", {"a": [1.5, 2], "b": [2.0, 2]}, None, r"such as 0 \(1.5 of 3.5\)"),
    ],
)
def test_broken_successes_are_told(formula, values, weights, pattern):
    with pytest.warns(DataWarning, match=pattern):
        observed(formula, values, weights=weights)


def test_rounded_proportions_stand_for_whole_numbers():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        observed("p", {"p": [0.3333, 0.6667]}, weights=[3.0, 3])


@pytest.mark.parametrize("kind", FAMILIES[1:3])
def test_broken_counts_are_told(kind):
    with pytest.warns(DataWarning, match=r"'y' is not whole in 1 row.*1 \(0.5\).*offset\(log"):
        found = observed("y", {"y": [1.0, 0.5]}, kind)
    assert found.y.tolist() == [1, 0.5]


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_constant_response_is_refused_where_it_has_to_vary(kind):
    value = 1.0 if kind != "binomial" else 0.5
    data = {"y": [value, value]}
    weights = [2.0, 2] if kind == "binomial" else None
    assert observed("y", data, kind, weights).y.tolist() == [value, value]
    with pytest.raises(DataError, match=r"'y' is constant \(.*nothing to model"):
        observed("y", data, kind, weights, varying=True)


def test_equal_proportions_of_several_trials_may_vary():
    assert observed("k / n", {"k": [1.0, 2], "n": [2.0, 4]}, varying=True).y.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("family", "values", "message"),
    [
        ("truncated_poisson", [0.0, 1, 2], r"'y' is not positive in row\(s\) 0 .*ziformula"),
        ("truncated_nbinom2", [-1.0, 1, 2], "negative.*counts from 1 on.*family='gaussian'"),
        ("beta", [0.0, 0.5, 0.2], r"not between 0 and 1 in row\(s\) 0 \(0\).*family='ordbeta'"),
        ("ordbeta", [0.0, 1.5, 0.2], r"outside \[0, 1\] in row\(s\) 1 \(1.5\)"),
        ("zero-inflated beta", [0.0, 1.0, 0.2], r"outside \[0, 1\) in row\(s\) 1 \(1\)"),
        ("tweedie", [0.0, -2.0, 0.2], r"'y' is negative in row\(s\) 1 \(-2\)"),
        ("hurdle_lognormal", [0.0, -2.0, 0.2], r"'y' is negative in row\(s\) 1"),
        ("lognormal", [0.0, 2.0, 0.2], r"not positive in row\(s\) 0 \(0\)"),
        ("zip", [0.0, -1.0, 2], r"'y' is negative in row\(s\) 1 \(-1\).*needs counts\."),
    ],
)
def test_what_a_family_does_not_have_is_named(family, values, message):
    with pytest.raises(DataError, match=message):
        observed("y", pd.DataFrame({"y": values}), family)


def test_zeros_and_ones_where_a_family_has_them():
    for family in ("ordbeta", "zerooneinflated_beta"):
        found = observed("y", pd.DataFrame({"y": [0.0, 0.4, 1.0]}), family)
        assert found.y.tolist() == [0.0, 0.4, 1.0] and found.trials.tolist() == [1, 1, 1]
