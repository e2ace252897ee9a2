"""Hypotheses on coefficients: the texts, vectors and tables they are read from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from interlace.errors import ArgumentError, ArgumentTypeError
from interlace.inference.hypotheses import parse_hypothesis
from interlace.inference.names import number_text

NAMES = (
    *("Intercept", "f[T.b]", "f[T.c]", "x", "x1", "poly(x, 2)[1]", "x:f[T.b]"),
    *("x - x1", "1", "bs(x, df=4)[2]", "I(x ** 2)"),
)
P = len(NAMES)


def row(**weights: float) -> np.ndarray:
    """A row of L from positions: ``row(_3=1)`` is x."""
    out = np.zeros(P)
    for key, value in weights.items():
        out[int(key[1:])] = value
    return out


@pytest.mark.parametrize(
    ("text", "rows", "rhs"),
    [
        # a chain is one equation for each sign: equal to the number, or to one another
        ("f[T.b] = f[T.c] = 0", [row(_1=1), row(_2=1)], [0, 0]),
        ("f[T.b] = f[T.c] = 5", [row(_1=1), row(_2=1)], [5, 5]),
        ("5 == x = f[T.c]", [row(_3=1), row(_2=1)], [5, 5]),
        ("f[T.b] = f[T.c] = x", [row(_1=1, _2=-1), row(_2=1, _3=-1)], [0, 0]),
        ("2 * f[T.b] + 1 = f[T.c] = 5", [row(_1=2), row(_2=1)], [4, 5]),
        # names with ":" and brackets need no quotes, inside expressions either
        ("f[T.b] + x:f[T.b] = 0", [row(_1=1, _6=1)], [0]),
        ("x : f[T.b] - f[T.b] = 1", [row(_6=1, _1=-1)], [1]),
        ("f[T.b]:x", [row(_6=1)], [0]),
        ("bs(x,df=4)[2] = 1, I(x**2)", [row(_9=1), row(_10=1)], [1, 0]),
        # the longest name is read; back-quotes keep names apart
        ("x1 - x", [row(_4=1, _3=-1)], [0]),
        ("x - x1 = 2", [row(_7=1)], [2]),
        ("`x` - `x1` = 2", [row(_3=1, _4=-1)], [2]),
        ("`1` = 1", [row(_8=1)], [1]),
        # R's names, statsmodels' and car's ways
        ("(Intercept) + fb", [row(_0=1, _1=1)], [0]),
        ("fb:x - poly(x, 2)1", [row(_6=1, _5=-1)], [0]),
        ("const = 1", [row(_0=1)], [1]),
        ("(x = 1), (f[T.b] = f[T.c])", [row(_3=1), row(_1=1, _2=-1)], [1, 0]),
        ("2 x - 3*x1 == 1e-3", [row(_3=2, _4=-3)], [1e-3]),
        # arithmetic
        ("-(x + x1) / 2 = -.5", [row(_3=-0.5, _4=-0.5)], [-0.5]),
        ("x - 10", [row(_3=1)], [10]),
        ("2 * (3 - 1) * x = 4 / 2", [row(_3=4)], [2]),
        ("x; x1;", [row(_3=1), row(_4=1)], [0, 0]),
    ],
)
def test_texts(text, rows, rhs) -> None:
    L, right, _ = parse_hypothesis(NAMES, text)
    np.testing.assert_array_equal(L, rows)
    np.testing.assert_array_equal(right, rhs)


@pytest.mark.parametrize(
    ("hypothesis", "rows", "rhs", "labels"),
    [
        (pd.Series({"x1": -1, "x": 1}), [row(_3=1, _4=-1)], [0], None),
        (pd.Series({"fb": 1.0}, dtype=object), [row(_1=1)], [0], ["f[T.b] = 0"]),
        (pd.Series(["x", "x1 = 2"]), [row(_3=1), row(_4=1)], [0, 2], None),
        (
            pd.DataFrame({"x": [1, 0], "Intercept": [0, 2]}, index=["one", "two"]),
            [row(_3=1), row(_0=2)],
            [0, 0],
            ["one", "two"],
        ),
        ({"x": 3, "f[T.b] - f[T.c]": 1}, [row(_3=1), row(_1=1, _2=-1)], [3, 1], None),
        ({"b or c": "f[T.b] = f[T.c]"}, [row(_1=1, _2=-1)], [0], ["b or c"]),
        ({"both": {"x": 1, "x1": 0.5}}, [row(_3=1, _4=0.5)], [0], ["both"]),
        (["x = 1", {"x1": 2}], [row(_3=1), row(_4=1)], [1, 2], None),
        ((pd.Series({"x": 1}), 4), [row(_3=1)], [4], ["x = 4"]),
        (np.array(["x", "x1"]), [row(_3=1), row(_4=1)], [0, 0], None),
    ],
)
def test_what_has_labels_is_read_by_them(hypothesis, rows, rhs, labels) -> None:
    L, right, found = parse_hypothesis(NAMES, hypothesis)
    np.testing.assert_array_equal(L, rows)
    np.testing.assert_array_equal(right, rhs)
    if labels is not None:
        assert found == labels


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_frames_of_other_libraries(library) -> None:
    frame = pd.DataFrame({"x": [1.0], "f[T.b]": [-1.0]})
    module = pytest.importorskip(library)
    given = module.from_pandas(frame) if library == "polars" else module.Table.from_pandas(frame)
    L, _, _ = parse_hypothesis(NAMES, given)
    np.testing.assert_array_equal(L, [row(_3=1, _1=-1)])


@pytest.mark.parametrize("seed", range(20))
def test_labels_read_back_as_what_they_name(seed) -> None:
    rng = np.random.default_rng(seed)
    L = rng.integers(-3, 4, (2, P)) / rng.choice([1.0, 3.0, 7.0, 1.0 + 1e-12])
    L[:, 0] = 1.0
    rhs = rng.choice([0.0, 1e-5, 2.0 / 3.0, -0.1], 2)
    labels = parse_hypothesis(NAMES, (L, rhs))[2]
    again, right, _ = parse_hypothesis(NAMES, "; ".join(labels))
    np.testing.assert_array_equal(again, L)
    np.testing.assert_array_equal(right, rhs)


def test_numbers_are_short_and_exact() -> None:
    assert [number_text(v) for v in (0.5, -1.0 / 3.0, 1e-300)] == ["0.5", "-1/3", "1e-300"]
    assert float(number_text(np.pi)) == np.pi


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("x + y = 0", "'y' is not the name of a coefficient", 4),
        ("x + f[T.d]", r"'f\[T.d\]' is not .*Did you mean 'f\[T.[bc]\]'", 4),
        ("x1[T.q] = 1", r"'x1\[T.q\]' is not", 0),
        ("f = 0", r"'f' is a term.*\['f\[T.b\]', 'f\[T.c\]'\]", 0),
        ("x = ", "ends where a coefficient or a number is missing", 4),
        ("= 3", "missing before '='", 0),
        ("x > 0", "two-sided: write '='", 2),
        ("x * x1", "not linear", 2),
        ("x ** 2", "powers of coefficients", 2),
        ("x ^ 2", "powers of coefficients", 2),
        ("1 / x", "divide by a number other than 0", 2),
        ("x x1", "operator .* is missing", 2),
        ("(x + x1", "never closed", 7),
        ("x)", "closes no bracket", 1),
        ("x = 1 = 2", "two different numbers", 0),
        ("3 = 3", "no coefficient", 0),
        ("x = x", "two sides are the same", 0),
        ("`x", "back-quote is never closed", 0),
        ("  ", "it is empty", 2),
    ],
)
def test_faults_are_pointed_at(text, message, column) -> None:
    with pytest.raises(ArgumentError, match=message) as caught:
        parse_hypothesis(NAMES, text)
    lines = str(caught.value).split("\n")
    assert lines[1] == f"    {text}" and lines[2] == f"    {' ' * column}^"


def test_messages_have_no_control_characters_and_an_end() -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_hypothesis(NAMES, "\x1b[31m" + "a" * 5000)
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("hypothesis", "exception", "message"),
    [
        (np.zeros(P), ArgumentError, "names no coefficient"),
        ([np.zeros(P), np.ones(P)], ArgumentError, "row 0 of it is zero"),
        (pd.Series({"q": 1}), ArgumentError, "label 'q'"),
        (pd.Series({"Intercept": 1, "const": 1}), ArgumentError, "two entries"),
        (pd.Series([1, 2]), ArgumentError, r"shape \(1, 2\)"),
        (pd.DataFrame(np.eye(P)[:, ::-1], columns=[*NAMES[1:], 9]), ArgumentError, "label 9"),
        ({"x": None}, ArgumentTypeError, "got 'x': None"),
        ({"x": np.nan}, ArgumentError, "must be finite"),
        ({}, ArgumentError, "is empty"),
        ([], ArgumentError, "is empty"),
        ((word for word in "x"), ArgumentTypeError, "got a generator"),
        ((np.eye(P), [1, 2, 3]), ArgumentError, rf"shape \(3,\); the hypothesis has {P}"),
        (3, ArgumentTypeError, "got 3"),
    ],
)
def test_what_is_no_hypothesis(hypothesis, exception, message) -> None:
    with pytest.raises(exception, match=message):
        parse_hypothesis(NAMES, hypothesis)


def test_a_chain_is_a_joint_test(fit_cache) -> None:
    m = fit_cache("cake", "angle ~ recipe + temp + (1 | recipe:replicate)")
    test = m.wald_test("recipe[T.B] = recipe[T.C] = 0")
    assert test.df_num == 2
    # R: anova(lmer(angle ~ recipe + temp + (1 | recipe:replicate), cake)) of recipe
    assert test.pvalue == pytest.approx(m.anova().loc["recipe", "Pr(>F)"], rel=1e-8)
    assert test.pvalue == pytest.approx(0.781, abs=5e-4)
    assert m.wald_test(str(test).split(": F(")[0].removeprefix("Wald test of ")) == test


def test_a_series_is_not_read_by_position(fit_cache) -> None:
    m = fit_cache("sleepstudy", "Reaction ~ Days + (Days | Subject)")
    table = m.t_test(pd.Series({"Days": 1.0, "Intercept": 0.0}))
    assert table["estimate"].item() == m.fe_params["Days"]
    with pytest.raises(ArgumentError, match="names no coefficient"):
        m.t_test([0, 0])
    assert list(m.t_test({"slope": [0, 1]}).index) == ["slope"]
