"""Bad input of generalised models: what is raised names the place and the remedy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from interlace import families as fam
from interlace.api.glm import glm
from interlace.design.build import build
from interlace.errors import (
    ArgumentError,
    ConvergenceWarning,
    DataError,
    FormulaError,
    InterlaceError,
)

N = 24


def table() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "x": rng.normal(size=N),
            "k": rng.integers(0, 5, N),
            "n": np.full(N, 5),
            "n0": np.r_[0, np.full(N - 1, 5)],
            "two": np.tile([1, 2], 12),
            "f": list("abc") * 8,
            "yes": ["yes", "no"] * 12,
            "one": ["only"] * N,
            "zero": np.zeros(N),
            "ones": np.ones(N),
            "pos": rng.gamma(2, 1, N),
            "neg": -rng.gamma(2, 1, N),
            "g": np.repeat(list("uvwxyz"), 4),
        }
    )


# id: (formula, arguments, exception, pattern)
CASES = {
    "random term": (
        "k ~ x + (1 | g)", {"family": "poisson"}, FormulaError,
        r"glm\(\) and gls\(\) have no random effects.*\(1 \| g\); use glmer\(\), or fit\(\)",
    ),
    "outside zero and one": (
        "k ~ x", {"family": "binomial"}, DataError,
        r"'k' is outside \[0, 1\] in row\(s\) .*\(\d.*cbind\(successes, failures\)",
    ),
    "one and two": (
        "two ~ x", {"family": "binomial"}, DataError, r"1, 3, 5.*\(2, 2, 2, … .*subtract 1 to have",
    ),
    "three levels": (
        "f ~ x", {"family": "binomial"}, DataError,
        "'f' is not numeric but has the values 'a', 'b', 'c'.*two levels.*f == 'c', or leave",
    ),
    "one level": ("one ~ x", {"family": "binomial"}, DataError, "'one' is not numeric.*two levels"),
    "negative failures": (
        "cbind(k, 2 - k) ~ x", {"family": "binomial"}, DataError,
        r"number of trials|cbind\(k, 2 - k\) has negative counts in row\(s\) \d.*drop them",
    ),
    "no trials": (
        "cbind(k * 0, n0) ~ x", {"family": "binomial"}, DataError,
        r"trials in .* is not positive in row\(s\) 0; drop these rows with subset=",
    ),
    "no trials in a ratio": (
        "k / n0 ~ x", {"family": "binomial"}, DataError, "trials in k / n0 is not positive.* 0;",
    ),
    "negative trials": (
        "k / neg ~ x", {"family": "binomial"}, DataError, "trials in k / neg is not positive",
    ),
    "more successes than trials": (
        "n / (k + 1) ~ x", {"family": "binomial"}, DataError, "more successes than trials",
    ),
    "weights beside trials": (
        "k / n ~ x", {"family": "binomial", "weights": "ones"}, ArgumentError,
        r"weights differ from the trials in k / n in row.*\(1 and 5\).*write cbind",
    ),
    "only failures": (
        "zero ~ x", {"family": "binomial"}, DataError, "'zero' is a failure in all 24.*nothing",
    ),
    "only successes": (
        "ones ~ x", {"family": "binomial"}, DataError, "'ones' is a success in all.*goes to 1",
    ),
    "only zeros": (
        "zero ~ x", {"family": "poisson"}, DataError, "'zero' is zero in all 24 rows.*no maximum",
    ),
    "negative counts": (
        "neg ~ x", {"family": "poisson"}, DataError,
        r"'neg' is negative in row\(s\) 0, 1.*needs counts. Correct or drop.*family='gaussian'",
    ),
    "negative counts, negative binomial": (
        "neg ~ x", {"family": "negativebinomial"}, DataError, "'negativebinomial' needs counts",
    ),
    "zero of a positive family": (
        "k ~ x", {"family": "gamma"}, DataError, r"'k' is not positive.*\(0.*link='log'",
    ),
    "negative inverse Gaussian": (
        "neg ~ x", {"family": "inverse_gaussian"}, DataError, "'neg' is not positive in row",
    ),
    "labels of a count": (
        "yes ~ x", {"family": "poisson"}, DataError, "'yes' is a factor, which the.* 'poisson'",
    ),
    "labels of a Gaussian response": (
        "yes ~ x", {}, DataError, "'yes' is a factor.*family='binomial' models its second level",
    ),
    "successes of a count": (
        "cbind(k, n - k) ~ x", {"family": "poisson"}, DataError,
        r"cbind\(k, n - k\) counts successes.*'poisson' cannot use; family='binomial' does",
    ),
    "unknown family": ("k ~ x", {"family": "poison"}, ArgumentError, "poison"),
    "family of another kind": ("k ~ x", {"family": 3}, ArgumentError, "family"),
    "offset out of range": (
        "pos ~ 0 + x", {"family": fam.Gamma("identity"), "offset": np.full(N, -99.0)}, DataError,
        "no coefficients give means within the range of family 'gamma' with link 'identity'",
    ),
    "nothing but an offset out of range": (
        "pos ~ 0", {"family": fam.Gamma("identity"), "offset": np.full(N, -1.0)}, DataError,
        "no coefficients give means within",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_message_names_the_place_and_the_remedy(case):
    formula, arguments, exception, pattern = CASES[case]
    with pytest.raises(exception, match=pattern) as caught:
        glm(formula, table(), **arguments)
    assert isinstance(caught.value, InterlaceError)
    shown = caught.value.__suppress_context__ or caught.value.__context__ is None
    assert shown, "the traceback of another package would be printed too"


@pytest.mark.parametrize(
    ("formula", "arguments", "exception", "pattern"),
    [
        ("yes ~ x + (1 | g)", {}, DataError, r"fit glmer\(..., family='binomial'\)"),
        ("cbind(k, n - k) ~ x + (1 | g)", {}, DataError, r"glmer\(..., family='binomial'\)"),
        ("x ~ k", {}, FormulaError, r"glm\(\) fits models without random effects"),
        ("x ~ k", {"linear": False, "mixed": True}, FormulaError, r"needs a random term.*glm\(\)"),
    ],
)
def test_messages_of_other_models_point_to_where_they_belong(
    formula, arguments, exception, pattern
):
    with pytest.raises(exception, match=pattern):
        build(formula, table(), **arguments)


def test_a_ratio_with_negative_denominators_is_a_number_to_a_linear_model():
    design = build("x / neg ~ k + (1 | g)", table())
    assert np.array_equal(design.y, (table()["x"] / table()["neg"]).to_numpy())


def test_one_warning_for_one_failure():
    data = table().assign(y=(table()["x"] > 0) * 1.0)
    with pytest.warns(ConvergenceWarning) as caught:
        glm("y ~ x", data, "binomial")
    assert len(caught) == 1 and caught[0].filename == __file__
