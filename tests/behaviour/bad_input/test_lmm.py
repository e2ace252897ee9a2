"""Bad input, one line each: what is raised, and that it names the place and the remedy.

Everything here used to be a silent error, or a message from deep inside another package, in some
package that people use.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from interlace.design.build import build
from interlace.errors import (
    ArgumentError,
    ArgumentTypeError,
    DataError,
    DataWarning,
    FormulaError,
    InterlaceError,
)

N = 24


def table() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "y": rng.normal(size=N),
            "x": rng.normal(size=N),
            "z": rng.uniform(1, 2, N),
            "k": rng.integers(0, 5, N),
            "f": list("abc") * 8,
            "g": np.repeat(list("uvwxyz"), 4),
            "one": ["only"] * N,
            "row": np.arange(N),
            "flat": np.full(N, 3.0),
            "hole": np.full(N, np.nan),
            "day": pd.date_range("2024-01-01", periods=N),
            "flag": [True, False] * 12,
        }
    )


def infinite() -> pd.DataFrame:
    return table().assign(x=lambda d: d["x"].where(d.index != 3, np.inf))


def repeated() -> pd.DataFrame:
    data = table()
    return pd.concat([data, data[["x"]]], axis=1)


def mixed() -> pd.DataFrame:
    return table().assign(g=["a", 1] * 12)


F = "y ~ x + (1 | g)"

# id: (formula, data, arguments, exception, pattern)
CASES = {
    # columns
    "unknown covariate": (
        "y ~ xx + (1 | g)", table, {}, DataError,
        "formula names 'xx', which is no column of data. Did you mean 'x'.* Available: y, x",
    ),
    "unknown group": (
        "y ~ x + (1 | gg)", table, {}, DataError, r"\(1 \| gg\) names 'gg'.*Did you mean 'g'",
    ),
    "unknown slope": (
        "y ~ x + (w | g)", table, {}, DataError, r"\(w \| g\) names 'w', which is no column",
    ),
    "unknown response": ("why ~ x + (1 | g)", table, {}, DataError, "the response names 'why'"),
    "unknown column inside a call": (
        "y ~ log(zz) + (1 | g)", table, {}, DataError, "formula names 'zz'.*Did you mean 'z'",
    ),
    "unknown column in offset": (
        "y ~ x + offset(log(e)) + (1 | g)", table, {}, DataError, r"offset\(\) names 'e'",
    ),
    "built-in function as column": (
        "y ~ sum + (1 | g)", table, {}, DataError, "formula names 'sum', which is no column",
    ),
    "unknown function": (
        "y ~ spline(x) + (1 | g)", table, {}, FormulaError,
        r"calls spline\(\), which is no function known here.*Compute the column beforehand",
    ),
    "column named twice": (F, repeated, {}, DataError, "2 columns named 'x'; rename or drop"),
    "dates": ("y ~ day + (1 | g)", table, {}, DataError, "'day' holds dates.*convert it"),
    "mixed types": (F, mixed, {}, DataError, r"'g' mixes values of type int, str.*astype\(str\)"),
    "infinite": (F, infinite, {}, DataError, r"'x' has 1 infinite value\(s\), in row\(s\) 3;"),
    "logarithm of negatives": (
        "y ~ log(x) + (1 | g)", table, {}, DataError, r"'log\(x\)' is not finite in \d+ row.*drop",
    ),
    "logarithm of negatives in the response": (
        "log(y) ~ x + (1 | g)", table, {}, DataError, r"'log\(y\)' is not finite in",
    ),
    "fixed factor with one level": (
        "y ~ one + (1 | g)", table, {}, DataError, "factor 'one' has only one level, 'only'.*leave",
    ),
    "C() with one level": (
        "y ~ C(flat) + (1 | g)", table, {}, DataError, "has only one level, 3.*leave it out",
    ),
    "text that gives one column a row": (
        "y ~ C(row) + (1 | g)", table, {}, DataError, "24 fixed coefficients for 24 rows; leave",
    ),
    "wrong length from a function": (
        "y ~ x + offset(x[:3]) + (1 | g)", table, {}, DataError, r"gives shape \(3,\); one number",
    ),
    "impossible arithmetic": (
        "y ~ log(f) + (1 | g)", table, {}, DataError, r"the term 'log\(f\)' cannot be computed",
    ),
    # response
    "text as response": (
        "f ~ x + (1 | g)", table, {}, DataError,
        "response 'f' is not numeric but has the values 'a', 'b', 'c'; .*clmm.* are for ordered",
    ),
    "constant response": (
        "flat ~ x + (1 | g)", table, {}, DataError, r"response 'flat' is constant \(3\).*nothing",
    ),
    "cbind in a linear model": (
        "cbind(k, 5 - k) ~ x + (1 | g)", table, {}, DataError,
        'linear mixed model cannot use; give a response of one number per row',
    ),
    "trials of zero": (
        "flag / k ~ x + (1 | g)", table, {}, DataError, "number of trials in flag / k is not pos",
    ),
    "no response": ("~ x + (1 | g)", table, {}, FormulaError, "no response.*write 'y ~ x'"),
    # random terms
    "strata of aov": (
        "y ~ x + Error(g / f)", table, {}, FormulaError, r"Error\(a / b\) is \(1 \| a / b\)",
    ),
    "strata of aov beside a random term": (
        "y ~ x + Error(f) + (1 | g)", table, {}, FormulaError, r"Error\(a / b\) is \(1 \| a / b\)",
    ),
    "no random term": (
        "y ~ x", table, {}, FormulaError, r"needs a random term: add \(1 \| g\).*groups='g'",
    ),
    "group of one level": (
        "y ~ x + (1 | one)", table, {}, DataError, "'one' has only one level, 'only'.*leave",
    ),
    "a level for every row": (
        "y ~ x + (1 | row)", table, {}, DataError,
        r"'row' has as many levels as there are rows \(24\).*coarser",
    ),
    "more effects than rows": (
        "y ~ x + (f * x | g)", table, {}, DataError,
        r"\(f \* x \| g\) has 36 random effects for 24 rows.*Simplify",
    ),
    "structure not available": (
        "y ~ x + equalto(1 + x | g, A)", table, {}, FormulaError,
        r"equalto\(\) is not available: its covariances are known numbers",
    ),
    "random= with fixed effects": (
        "y ~ x", table, {"random": "z + (1 | g)"}, FormulaError, "random= takes random terms only",
    ),
    "groups= of a wrong type": (
        "y ~ x", table, {"groups": 3}, ArgumentTypeError, "groups must be a string or a list",
    ),
    "unknown groups=": ("y ~ x", table, {"groups": "G"}, DataError, r"\(1 \| G\) names 'G'"),
    # data
    "no data frame": (F, lambda: [1, 2], {}, ArgumentTypeError, "data must be a data frame.*list"),
    "an array": (
        F, lambda: np.zeros((3, 3)), {}, ArgumentTypeError, "ndarray. Give the columns names",
    ),
    "a file name": (F, lambda: "data.csv", {}, ArgumentTypeError, "data frame.*got str"),
    "no rows": (F, lambda: table().head(0), {}, DataError, "data has no rows"),
    "no rows in Polars": (
        F, lambda: pl.from_pandas(table()[["y", "x", "g"]]).head(0), {}, DataError, "no rows",
    ),
    "all rows missing": (
        "y ~ hole + (1 | g)", table, {}, DataError, r"every row.*hole \(24\). Leave out",
    ),
    "missing and na_action raise": (
        F, lambda: table().assign(x=lambda d: d["x"].mask(d.index == 5)), {"na_action": "raise"},
        DataError, r"missing values in x \(1\), row\(s\) 5; fill them, or let na_action='omit'",
    ),
    "na_action misspelt": (
        F, table, {"na_action": "drop"}, ArgumentError, "one of omit, exclude, raise, got 'drop'",
    ),
    "formula of a wrong type": (3, table, {}, ArgumentTypeError, "formula must be a string.*int"),
    # weights, offset, subset, contrasts
    "weights too short": (
        F, table, {"weights": [1.0, 2]}, ArgumentError, "weights has 2 values but data has 24 rows",
    ),
    "one weight": (
        F, table, {"weights": 2.0}, ArgumentError, r"weights must have one value per row.*24",
    ),
    "weights of two dimensions": (
        F, table, {"weights": np.ones((N, 1))}, ArgumentError, r"array of shape \(24, 1\)",
    ),
    "negative weights": (
        F, table, {"weights": -np.ones(N)}, ArgumentError, "must be positive and finite.* -1",
    ),
    "zero weights": (
        F, table, {"weights": np.r_[0, np.ones(N - 1)]}, ArgumentError, r"row\(s\) 0 .*subset=",
    ),
    "infinite weights": (
        F, table, {"weights": np.full(N, np.inf)}, ArgumentError, "positive and finite",
    ),
    "weights as text": (
        F, table, {"weights": ["a"] * N}, ArgumentTypeError, "weights must be numbers or the name",
    ),
    "weights of another table": (
        F, table, {"weights": pd.Series(1.0, index=range(100, 100 + N))}, ArgumentError,
        "row labels differ.*reindex",
    ),
    "unknown weights column": (F, table, {"weights": "w"}, DataError, "weights names 'w'"),
    "weights column of text": (F, table, {"weights": "f"}, ArgumentTypeError, "weights='f' names"),
    "a method as offset": (
        F, table, {"offset": table().le}, ArgumentTypeError,
        r"offset must be numbers or the name of a column, got the function le\(\)",
    ),
    "offset too short": (
        F, table, {"offset": np.zeros(3)}, ArgumentError, "offset has 3 values but data has 24",
    ),
    "infinite offset": (
        F, table, {"offset": np.r_[np.inf, np.zeros(N - 1)]}, ArgumentError,
        r"offset is infinite in row\(s\) 0; drop",
    ),
    "subset of numbers": (
        F, table, {"subset": [1, 2, 3]}, ArgumentTypeError, "subset must be booleans.*'Days > 2'",
    ),
    "subset too short": (F, table, {"subset": [True]}, ArgumentError, "subset has 1 values"),
    "subset of nothing": (F, table, {"subset": "x > 99"}, ArgumentError, "selects none of the 24"),
    "subset that is no condition": (
        F, table, {"subset": "x + 1"}, ArgumentError, "one truth value per row; write a comparison",
    ),
    "subset of unknown column": (F, table, {"subset": "w > 1"}, DataError, "subset names 'w'"),
    "subset by a bare text": (
        F, table, {"subset": "f == bare"}, DataError, "A text has quotes: 'bare'",
    ),
    "weights by an expression": (
        F, table, {"weights": pl.col("x")}, ArgumentTypeError, "a column, got Expr of polars",
    ),
    "unknown contrasts": (
        "y ~ f + (1 | g)", table, {"contrasts": {"f": "summ"}}, ArgumentError,
        "'summ'; known codings: treatment, sum.*Did you mean 'sum'",
    ),
    "contrasts of no dict": (
        "y ~ f + (1 | g)", table, {"contrasts": "sum"}, ArgumentTypeError, "must be a dict such as",
    ),
    "contrasts of an unused column": (
        F, table, {"contrasts": {"f": "sum"}}, DataError, "contrasts names 'f'.*Available: y, x, g",
    ),
    "contrasts of a number": (
        F, table, {"contrasts": {"x": "sum"}}, ArgumentError, r"'x', which is numeric; write C\(x",
    ),
    "contrast matrix of a wrong shape": (
        "y ~ f + (1 | g)", table, {"contrasts": {"f": np.eye(2)}}, ArgumentError,
        r"one row per level \(3\), got shape \(2, 2\)",
    ),
    "C() with an unknown coding": (
        "y ~ C(f, 'summ') + (1 | g)", table, {}, ArgumentError, "'summ'; known codings",
    ),
    "no such level": (
        "y ~ relevel(f, 'q') + (1 | g)", table, {}, DataError, "'q' is no level; levels: a, b, c",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_message_names_the_place_and_the_remedy(case):
    formula, data, arguments, exception, pattern = CASES[case]
    with pytest.raises(exception, match=pattern) as caught:
        build(formula, data(), **arguments)
    assert isinstance(caught.value, InterlaceError)
    shown = caught.value.__suppress_context__ or caught.value.__context__ is None
    assert shown, "the traceback of another package would be printed too"


# id: (formula, new data, arguments, exception, pattern)
PREDICTION = {
    "missing column": (
        F, lambda: table()[["y", "g"]], {}, DataError, r"newdata lacks the column\(s\) 'x'",
    ),
    "misspelt column": (
        F, lambda: table().rename(columns={"x": "X"}), {}, DataError, "'x'. Did you mean 'X'",
    ),
    "missing grouping column": (F, lambda: table()[["x"]], {}, DataError, "newdata lacks.*'g'"),
    "unseen level of a factor": (
        "y ~ f + (1 | g)", lambda: table().assign(f="d"), {}, DataError,
        "column 'f' of newdata has level.* 'd' .*levels with coefficients: 'a', 'b', 'c'",
    ),
    "unseen level of a factor, population": (
        "y ~ f + (1 | g)", lambda: table().assign(f="d"), {"new_levels": "population"}, DataError,
        "column 'f' of newdata has level",
    ),
    "unseen level inside C()": (
        "y ~ C(k) + (1 | g)", lambda: table().assign(k=9), {}, DataError,
        r"column 'k' of newdata has level\(s\) 9 that were not in the data of the fit",
    ),
    "unseen level in a random slope": (
        "y ~ x + (1 | g) + (0 + flag | g)", lambda: table().assign(flag="no"), {}, DataError,
        "column 'flag' of newdata is not numeric but has the values 'no'",
    ),
    "unseen group": (
        F, lambda: table().assign(g="new"), {}, DataError,
        "'g' of newdata has levels that the fit does not know: 'new'; new_levels='population'",
    ),
    "missing group": (
        F, lambda: table().assign(g=None), {}, DataError, "has missing labels; new_levels=",
    ),
    "text for a number": (
        F, lambda: table().assign(x="a"), {}, DataError, "column 'x' of newdata is not numeric",
    ),
    "no data frame": (F, lambda: 3, {}, ArgumentTypeError, "data must be a data frame"),
    "new_levels misspelt": (
        F, table, {"new_levels": "allow"}, ArgumentError, "one of error, population, got 'allow'",
    ),
    "offset too short": (
        F, table, {"offset": [1.0]}, ArgumentError, "offset has 1 values but data has 24 rows",
    ),
    "outside the knots of bs": (
        "y ~ bs(x, df = 4) + (1 | g)", lambda: table().assign(x=99.0), {}, DataError,
        r"the term 'bs\(x, df=4\)' cannot be computed: .*(bound|extrapolat)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PREDICTION)
def test_prediction_names_the_place_and_the_remedy(case):
    formula, newdata, arguments, exception, pattern = PREDICTION[case]
    design = build(formula, table())
    with pytest.raises(exception, match=pattern) as caught:
        design.on(newdata(), **arguments)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("text", ["id", "C(id)", "id:x", "log(z) + id"])
def test_text_that_would_fill_the_memory(text):
    n = 300_000
    data = {"y": np.arange(n), "x": np.ones(n), "z": np.ones(n), "g": np.arange(n) // 2}
    data["id"] = np.char.add("id", (np.arange(n) // 2).astype(str))
    with pytest.raises(DataError, match=r"'id' has 150000 different values.*numbers, or let it gr"):
        build(f"y ~ {text} + (1 | g)", data)


def test_offset_given_as_array_is_asked_for_again():
    design = build(F, table(), offset=np.ones(N))
    with pytest.raises(ArgumentError, match="fitted with an offset given as an array.*offset="):
        design.on(table())
    named = build(F, table(), offset="z")
    with pytest.raises(DataError, match="lacks the column 'z', the offset of the fit.*offset=0"):
        named.on(table().drop(columns="z"))
    assert (named.on(table().drop(columns="z"), offset=0).offset == 0).all()


def test_warnings_say_how_many_and_which():
    data = table()
    data.loc[2, "x"] = np.nan
    with pytest.warns(DataWarning) as seen:
        build("y ~ x + z + I(2 * z) + (1 | g)", data)
    texts = [str(w.message) for w in seen]
    assert len(texts) == 2
    assert all(w.filename == __file__ for w in seen)
    assert "dropped 1 row(s) with missing values in x (1); 23 rows are used" in texts[0]
    assert "rank deficient: dropped 1 column(s)" in texts[1] and "I(2 * z)" in texts[1]


def test_good_input_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build("y ~ x * f + log(z) + (1 + x | g)", table(), weights="z", offset="x")


# --- what formulaic alone takes without an error, and gets wrong -----------------------------


def test_ratio_on_the_left_is_a_quotient_and_not_nesting():
    data = table().assign(n=5)
    np.testing.assert_array_equal(build("k / n ~ x + (1 | g)", data).y, data["k"] / 5)


def test_a_bar_without_brackets_is_an_error_and_not_a_second_formula():
    with pytest.raises(FormulaError, match="stands in brackets"):
        build("y ~ x + 1 | g", table())


@pytest.mark.parametrize("dtype", ["string", "string[pyarrow]", object, "category"])
def test_strings_of_every_dtype_are_factors(dtype):
    data = table().astype({"f": dtype})
    assert build("y ~ f + (1 | g)", data).x_names == ("Intercept", "f[T.b]", "f[T.c]")


def test_text_made_by_a_call_is_a_factor():
    data = table()
    design = build("y ~ np.where(x > 0, 'p', 'n') + (1 | g)", data)
    np.testing.assert_array_equal(design.X[:, 1], data["x"] > 0)
    np.testing.assert_array_equal(design.on(data.iloc[:2]).X, design.X[:2])


def test_order_of_polars_categoricals_does_not_depend_on_the_rows():
    data = pl.from_pandas(table()[["y", "f", "g"]]).with_columns(pl.col("f").cast(pl.Categorical))
    names = build("y ~ f + (1 | g)", data.reverse()).x_names
    assert names == build("y ~ f + (1 | g)", data).x_names == ("Intercept", "f[T.b]", "f[T.c]")


def test_ordered_factors_are_polynomial_and_booleans_numeric():
    data = table()
    data["f"] = pd.Categorical(data["f"], ordered=True)
    assert build("y ~ f + flag + (1 | g)", data).x_names == (
        *("Intercept", "f[.L]", "f[.Q]"),
        "flag",
    )


def test_nan_is_missing_in_polars():
    data = pl.from_pandas(table()[["y", "x", "g"]])
    data = data.with_columns(
        pl.when(pl.int_range(pl.len()) == 4).then(float("nan")).otherwise(pl.col("x")).alias("x")
    )
    with pytest.warns(DataWarning, match="dropped 1 row"):
        assert len(build(F, data).y) == N - 1


def test_new_data_of_another_library():
    design = build("y ~ f + x + (1 | g)", table())
    new = pl.from_pandas(table()[["f", "x", "g"]])
    np.testing.assert_array_equal(design.on(new).X, design.X)
    np.testing.assert_array_equal(design.on(new).factors[0][0], design.factors[0].codes)
