"""What names in a formula mean: columns, variables and functions of the session."""

from __future__ import annotations

import logging
import math
import pickle

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.design.build import build
from interlace.errors import DataError, FormulaError, InterlaceWarning

TERMS = [
    "C(Days)",
    "log(Days + 1)",
    "I(Days^2)",
    "scale(Days)",
    "exp(Days / 9)",
    "poly(Days, 2)",
    "factor(Days)",
    "C(Days, contr.sum)",
    "C(Days, Sum)",
    "np.log(Days + 1)",
    "I(Days - mean(Days))",
    "I(ifelse(Days > 2, TRUE, FALSE))",
]


def made(term, data=None, **context):
    sleep = il.load_dataset("sleepstudy") if data is None else data
    return build(f"Reaction ~ {term} + (1 | Subject)", sleep, context=context)


@pytest.mark.parametrize("term", TERMS)
def test_values_of_the_session_do_not_hide_functions(term):
    names = "C log I scale exp poly factor contr Sum np mean ifelse TRUE FALSE".split()
    values = [pd.DataFrame(), logging.getLogger(), 32, 2.0, None]
    for value in values:
        design = made(term, **dict.fromkeys(names, value))
        assert np.array_equal(design.X, made(term).X)
        assert design.x_names == made(term).x_names


@pytest.mark.parametrize("term", TERMS)
def test_columns_do_not_hide_functions(term):
    sleep = il.load_dataset("sleepstudy")
    names = "C log I scale exp poly factor contr np mean ifelse".split()
    d = sleep.assign(**{name: np.arange(180) % (i + 7) for i, name in enumerate(names)})
    assert np.array_equal(made(term, d).X, made(term).X)
    both = made(f"{term} + log + np + C(C) + I(mean - mean(mean))", d)
    assert {"log", "np", "I(mean - mean(mean))"} <= set(both.x_names)


def test_a_function_of_the_session_does_not_replace_one_of_the_package():
    def scale(x):
        return x - 100

    with pytest.warns(InterlaceWarning, match=r"scale\(\), which is this package's own"):
        design = made("scale(Days)", scale=scale)
    assert np.array_equal(design.X, made("scale(Days)").X)


def test_the_same_function_from_elsewhere_passes_without_a_word():
    made("log(Days + 1) + exp(Days)", log=math.log, exp=np.exp)
    made("C(Days)", C=type("Client", (), {}))


def test_the_session_comes_before_python():
    assert made("pow(Days, 2)").X[3, 1] == 9.0
    assert made("pow(Days, 2)", pow=lambda x, k: x + k).X[3, 1] == 5.0


def test_columns_come_before_the_session():
    assert np.array_equal(made("I(Days + 1)", Days=50.0).X, made("I(Days + 1)").X)
    assert made("I(Days > c)", c=5).X[:, 1].sum() == 72
    assert made("I(Days > log)", log=5).X[:, 1].sum() == 72


@pytest.mark.parametrize(
    "term, message",
    [
        ("Days(Reaction)", "a column of data, not a function"),
        ("five(Days)", "no function known here"),
        ("Days.foo()", "'Days' has no 'foo'"),
        ("np.foo(Days)", "'np' has no 'foo'"),
        ("mean", "no column of data"),
        ("five", "variable of the session"),
    ],
)
def test_names_that_mean_nothing_there(term, message):
    with pytest.raises((FormulaError, DataError), match=message):
        made(term, five=5)


def test_columns_named_like_modules_and_methods():
    d = il.load_dataset("sleepstudy").assign(stats=1.0 + np.arange(180) % 4)

    class stats:  # noqa: N801
        @staticmethod
        def double(x):
            return 2 * x

    assert np.array_equal(made("stats.double(stats)", d, stats=stats).X[:, 1], 2 * d["stats"])


def test_context_of_a_fit_survives_pickling():
    design = made("np.log(Days + 1) + I(Days > five)", five=5)
    again = pickle.loads(pickle.dumps(design))
    assert np.array_equal(again.on({"Days": [2.0, 7.0]}, factors=()).X[:, 2], [0, 1])


# --- columns that look like something else --------------------------------------------------


@pytest.fixture(scope="module")
def odd() -> pd.DataFrame:
    random = np.random.default_rng(8)
    names = ["1", "2", "0", "-1", "1.5", "Intercept", "a:b", "a", "b", "y"]
    d = pd.DataFrame({name: random.normal(size=60) for name in names})
    return d.assign(g=np.repeat(list("abcdef"), 10), f=list("uvw") * 20)


@pytest.fixture(scope="module")
def plain(odd) -> pd.DataFrame:
    return odd.rename(columns=PLAIN)


PLAIN = {"1": "one", "2": "two", "0": "zero", "-1": "less", "1.5": "half"}
PLAIN |= {"Intercept": "inter", "a:b": "pair"}


def plainly(text: str) -> str:
    for name, new in PLAIN.items():
        text = text.replace(f"`{name}`", new)
    return text


@pytest.mark.parametrize(
    "right",
    [
        "`1` + `2`",
        "`1`:`2`",
        "`1`*a",
        "0 + `1`",
        "`0` + `-1` + `1.5`",
        "0 + `Intercept`",
        "`Intercept`*f",
        "`a:b` + a*b",
        "`1`:f + `2`",
        "log(exp(`1`)) + `Intercept`",
        "I(`1` + `2`) + `1`",
        "poly(`1`, 2) + `2`",
        "`1` - 1",
        "`1` + `2` - `1`",
        "scale(`Intercept`) + `1`",
    ],
)
@pytest.mark.parametrize("slope", ["1", "`1`", "0 + `1`", "`Intercept`", "f:`2`"])
def test_quoted_names_are_columns(right, slope, odd, plain):
    formula = f"y ~ {right} + ({slope} | g)"
    design = build(formula, odd, linear=False)
    same = build(plainly(formula), plain, linear=False)
    assert np.array_equal(design.X, same.X)
    assert np.array_equal(design.factors[0].Z, same.factors[0].Z)
    assert [plainly(name) for name in design.x_names] == list(same.x_names)
    assert [plainly(term.text) for term in design.terms] == [term.text for term in same.terms]
    assert [(plainly(name), place) for name, place in design.x_terms] == list(same.x_terms)
    assert len(set(design.x_names)) == len(design.x_names)
    rows = odd.iloc[[3, 40]]
    assert np.array_equal(design.on(rows, factors=()).X, design.X[[3, 40]])


def test_a_bare_intercept_is_a_column_when_there_is_one(odd):
    assert build("y ~ Intercept + (1 | g)", odd).x_names == ("Intercept", "`Intercept`")


def test_one_hot_and_pivoted_frames(odd):
    dummies = pd.get_dummies(pd.Series(np.arange(60) % 3))
    d = pd.concat([dummies, odd[["y", "g"]]], axis=1)
    assert list(d.columns) == [0, 1, 2, "y", "g"]
    design = build("y ~ `1` + `2` + (1 | g)", d)
    assert np.array_equal(design.X[:, 1:], dummies[[1, 2]])
    dot = build("y ~ . + (1 | g)", d[[1, 2, "y", "g"]])
    assert np.array_equal(dot.X, design.X)
    assert build("y ~ a", odd.assign(**{"1": odd.g}), groups="1").terms[0].text == "(1 | `1`)"
    new = design.on({1: [1.0], 2: [0.0]}, factors=())
    assert new.X.tolist() == [[1.0, 1.0, 0.0]]
    m = il.fit("y ~ `1` + (1 | g)", d)
    assert "y" in m.augment()


def test_factors_named_like_numbers(odd):
    d = odd.assign(**{"1": odd.f, "Intercept": odd.f})
    assert build("y ~ `1` + (1 | g)", d).x_names == ("Intercept", "`1`[T.v]", "`1`[T.w]")
    design = build("y ~ Intercept + (1 | g)", d, contrasts={"Intercept": "sum"})
    assert design.x_names == ("Intercept", "`Intercept`[S.u]", "`Intercept`[S.v]")


@pytest.mark.parametrize(
    "right, name", [("f + `f[T.v]`", "f[T.v]"), ("poly(a, 2) + `poly(a, 2)[1]`", "poly(a, 2)[1]")]
)
def test_no_two_coefficients_have_one_name(right, name, odd):
    d = odd.assign(a=odd.a**2 + 1, **{name: np.arange(60) % 7})
    with pytest.raises(DataError, match="two columns of the model matrix would have the name"):
        build(f"y ~ {right} + (1 | g)", d)
    assert name in build(f"y ~ `{name}` + (1 | g)", d).x_names


def test_effects_named_like_numbers_in_results(odd):
    m = il.fit("y ~ `2` + Intercept + (`1` || g)", odd)
    assert list(m.fe_params.index) == ["Intercept", "`2`", "`Intercept`"]
    assert il.update(m, ". ~ . - Intercept").formula == "y ~ `2` + (`1` || g)"
    part = m.predict(odd, include_re="(0 + `1` | g)")
    assert part.shape == (60,)


def test_several_levels_of_column_names():
    d = il.load_dataset("sleepstudy")
    d.columns = pd.MultiIndex.from_product([["x"], d.columns])
    with pytest.raises(DataError, match="2 levels of names; flatten them"):
        build("Reaction ~ Days + (1 | Subject)", d)


@pytest.mark.parametrize("term", ["(1 | `Patient XX`)", "(1 | Subject)", "Days:`Patient XX`"])
def test_names_that_are_no_columns(term):
    sleep = il.load_dataset("sleepstudy").rename(columns={"Subject": "Patient"})
    with pytest.raises(DataError, match="which is no column of data"):
        build(f"Reaction ~ Days + {term} + (1 | Patient)", sleep)


def test_levels_of_the_index_are_named():
    d = il.load_dataset("sleepstudy").set_index("Subject")
    with pytest.raises(DataError, match=r"level of the index: data.reset_index\(\)"):
        build("Reaction ~ Days + (1 | Subject)", d)


# --- shapes of arguments --------------------------------------------------------------------


def test_a_single_value_in_a_dict_stands_in_every_row():
    m = il.fit("Reaction ~ Days + (1 | Subject)", il.load_dataset("sleepstudy"))
    three = m.predict({"Days": [3.0, 4.0], "Subject": [308, 308]})
    assert m.predict({"Days": [3.0, 4.0], "Subject": 308}).tolist() == three.tolist()
    assert m.predict({"Days": 3.0, "Subject": "308"}).tolist() == three.tolist()[:1]
    with pytest.raises(DataError, match="2 dimensions"):
        m.predict({"Days": [[3.0]], "Subject": 308})


@pytest.mark.parametrize("coding", [[-0.5, 0.5], (-0.5, 0.5), np.array([[-0.5], [0.5]])])
def test_one_column_of_a_coding(coding):
    sleep = il.load_dataset("sleepstudy")
    d = sleep.assign(f=np.where(sleep.Days > 4, "b", "a"))
    X = build("Reaction ~ f + (1 | Subject)", d, contrasts={"f": coding}).X
    assert np.array_equal(X[:, 1], np.where(sleep.Days > 4, 0.5, -0.5))
    call = build("Reaction ~ C(f, c(-.5, .5)) + (1 | Subject)", d).X
    assert np.array_equal(call, X)
    with pytest.raises(DataError, match="3 row.s. for 2 levels"):
        build("Reaction ~ C(f, [1, 2, 3]) + (1 | Subject)", d)


def test_missing_values_in_a_subset():
    sleep = il.load_dataset("sleepstudy")
    chosen = pd.Series([True, None] * 90, dtype="boolean")
    for subset, data in ((chosen, sleep), ("ok", sleep.assign(ok=chosen))):
        with pytest.raises(il.errors.ArgumentError, match="missing in 90 row"):
            build("Reaction ~ Days + (1 | Subject)", data, subset=subset)


@pytest.mark.parametrize("ref", ["3", 3])
@pytest.mark.parametrize("dtype", [float, int, str])
def test_levels_are_named_as_they_print(ref, dtype):
    sleep = il.load_dataset("sleepstudy")
    d = sleep.assign(Days=sleep.Days.astype(int).astype(dtype))
    for coding in ("relevel(f, ref={})", "C(f, Treatment({}))", "C(f, contr.treatment(base={}))"):
        term = coding.format(repr(ref)).replace("f,", "factor(Days),")
        found = [name.rpartition("[")[2] for name in made(term, d).x_names[1:]]
        assert found == [f"T.{i}]" for i in (0, 1, 2, 4, 5, 6, 7, 8, 9)], term
    assert made(f"dummy(factor(Days), {ref!r})", d).x_names[1].endswith("[3]")


def test_a_reference_written_as_text_is_kept_for_new_data():
    m = il.fit("Reaction ~ C(Days, Treatment('3')) + (1 | Subject)", il.load_dataset("sleepstudy"))
    fitted = m.predict({"Days": [3, 4]}, include_re=False)
    assert fitted.iloc[0] == m.fe_params.iloc[0]
    assert fitted.iloc[1] == pytest.approx(m.fe_params.iloc[[0, 4]].sum(), rel=1e-14)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("relevel(factor(Days), 'x')", r"relevel\(\): 'x' is no level; levels: 0, 1"),
        ("C(Days, Treatment('x'))", "the coding of Days: 'x' is no level; levels: 0, 1"),
        ("C(Days, contr.treatment(10, base=3))", "a coding knows how many levels there are"),
        ("C(Days, contr.sum(10))", r"write contr.sum, or contr.treatment\(base='b'\)"),
    ],
)
def test_codings_that_cannot_be(term, message):
    with pytest.raises(DataError, match=message):
        made(term)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("s(Days)", r"s\(\), which is no function known here: penalised smooths are not available"),
        ("te(Days, Days)", r"ns\(x, df=4\) and bs\(x, df=5\)"),
        ("interaction(Days, Subject)", "write a:b"),
        ("cut(Days, 3)", "pandas.cut and edges of your own"),
    ],
)
def test_functions_of_other_formulas_are_answered(term, message):
    with pytest.raises(FormulaError, match=message):
        made(term)
    own = made(term, **{term.partition("(")[0]: lambda x, *_: np.asarray(x, dtype=float) + 1.0})
    assert own.X[:, 1].tolist() == (il.load_dataset("sleepstudy").Days + 1.0).tolist()
