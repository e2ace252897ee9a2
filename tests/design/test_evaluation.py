"""What expressions are worth: booleans, R's operators, and numbers kept for new data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.design.build import build
from interlace.errors import DataError, FormulaError
from interlace.formula.spelling import python_text


@pytest.fixture(scope="module")
def logical() -> pd.DataFrame:
    sleep = il.load_dataset("sleepstudy")
    return sleep.assign(
        a=sleep.Days > 5,
        b=sleep.Days > 7,
        nullable=(sleep.Days > 5).astype("boolean"),
        **{"a b": sleep.Days > 5, "class": sleep.Days},
    )


@pytest.fixture(scope="module")
def whole(logical) -> pd.DataFrame:
    names = ["a", "b", "nullable", "a b"]
    return logical.assign(**{name: logical[name].astype(int) for name in names})


def columns(text: str, data: pd.DataFrame) -> np.ndarray:
    return build(f"Reaction ~ {text} + (1 | Subject)", data).X


@pytest.mark.parametrize(
    "term",
    [
        "I(a + b)",
        "I(a - b)",
        "I(-a)",
        "I(a*b + a)",
        "I(a/2)",
        "I(2^a)",
        "I(a + nullable)",
        "I(`a b` + b)",
        "log(1 + a)",
        "exp(a)",
        "np.exp(a)",
        "sqrt(a + b)",
        "scale(a)",
        "poly(Days, 2) + I(a + b)",
        "I(a + b):Days",
        "pmax(a, 0.5)",
        "I(ifelse(a, 2, 3) + b)",
    ],
)
def test_booleans_count_as_whole_numbers_do(term, logical, whole):
    assert columns(term, logical) == pytest.approx(columns(term, whole), rel=1e-15)


def test_sums_of_comparisons():
    sleep = il.load_dataset("sleepstudy")
    assert columns("I((Days > 5) + (Days > 7))", sleep)[:, 1].max() == 2.0


@pytest.mark.parametrize("kind", ["bool", "boolean", "object"])
def test_boolean_responses_offsets_and_slopes(kind, logical, whole):
    d = logical.assign(a=logical.a.astype(kind), b=logical.b.astype(kind))
    for formula in (
        "a + b ~ Days + (1 | Subject)",
        "I(a + b) ~ Days + (1 | Subject)",
        "Reaction ~ Days + offset(a + b) + (1 | Subject)",
        "Reaction ~ Days + (0 + I(a + b) | Subject)",
        "cbind(a + b, 2 - (a + b)) ~ Days + (1 | Subject)",
    ):
        mine, numbers = (build(formula, data, linear=False) for data in (d, whole))
        assert np.array_equal(mine.y, numbers.y)
        assert np.array_equal(mine.factors[0].Z, numbers.factors[0].Z)
        if mine.offset is not None:
            assert np.array_equal(mine.offset, numbers.offset)


@pytest.mark.parametrize(
    "term, expected",
    [
        ("I(Days > 5 & Days < 8)", lambda d: (d.Days > 5) & (d.Days < 8)),
        ("I((Days > 5) & (Days < 8))", lambda d: (d.Days > 5) & (d.Days < 8)),
        ("I(5 < Days < 8)", lambda d: (d.Days > 5) & (d.Days < 8)),
        ("I(Days < 2 | !a)", lambda d: (d.Days < 2) | ~d.a),
        ("I(!a & !b)", lambda d: ~d.a & ~d.b),
        ("I(~a)", lambda d: ~d.a),
        ("I(not a)", lambda d: ~d.a),
        ("I(Days %in% c(2, 5))", lambda d: d.Days.isin([2, 5])),
        ("I(!Days %in% c(2, 5) & a)", lambda d: ~d.Days.isin([2, 5]) & d.a),
        ("I(Days in [2, 5])", lambda d: d.Days.isin([2, 5])),
        ("I(Days not in [2, 5])", lambda d: ~d.Days.isin([2, 5])),
        ("I(2 * Days %% 3)", lambda d: 2 * (d.Days % 3)),
        ("I(Days %/% 3)", lambda d: d.Days // 3),
        ("I(Days if a else 0)", lambda d: d.Days.where(d.a, 0)),
        ("I(`class`^2)", lambda d: d.Days**2),
        ("Q('a b')", lambda d: d.a),
        ("Q('class')", lambda d: d.Days),
        ("exp10(a)", lambda d: 10.0**d.a),
        ("I(Days * 2L)", lambda d: d.Days * 2),
        ("as.integer(I(Days / 2))", lambda d: d.Days // 2),
    ],
)
def test_r_and_python_operators(term, expected, logical):
    assert np.array_equal(columns(term, logical)[:, 1], expected(logical).to_numpy(float))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("x^2", "x**2"),
        ("!a", "not a"),
        ("a != b", "a != b"),
        ("f %in% c('a', 'b & c')", "(f in c('a', 'b & c'))"),
        ("a %in% b + c %in% d", "(a in b) + (c in d)"),
        ("`a & b` + 1", "`a & b` + 1"),
        ("f(x)[1] %in% -3", "(f(x)[1] in -3)"),
        ("x10L", "x10L"),
    ],
)
def test_spellings(text, expected):
    assert python_text(text) == expected
    assert python_text(expected) == expected


@pytest.mark.parametrize(
    "formula, error, message",
    [
        ("Reaction ~ max(Days)", DataError, "'max.Days.' is a single value"),
        ("Reaction ~ Days.mean()", DataError, "'Days.mean..' is a single value"),
        ("Reaction ~ quantile(Days, c(.2, .5))", DataError, "gives 2 values for 180 rows"),
        ("Reaction ~ Days %in% c(8, 10)", FormulaError, r"write I\(Days %in% c\(8, 10\)\)"),
        ("Reaction ~ 1/Days", FormulaError, r"write I\(1/Days\)"),
        ("Reaction ~ Days*2", FormulaError, r"write I\(Days\*2\)"),
        ("Reaction ~ Days + 7", FormulaError, "a column of that name is `7`"),
        ("Reaction ~ Days + (Days/10 | Subject)", FormulaError, r"write I\(Days/10\)"),
        ("Reaction ~ I(f + 1)", DataError, "calculates with a factor"),
        ("Reaction ~ I(f & Days)", DataError, "neither true nor false"),
        ("Reaction ~ I(Days + )", FormulaError, "cannot be read"),
        ("Reaction ~ Q(Days)", FormulaError, "takes the name of a column"),
        ("Reaction ~ I(Days * c(1, 2))", DataError, "different numbers of values"),
    ],
)
def test_refusals_say_what_to_write(formula, error, message):
    sleep = il.load_dataset("sleepstudy")
    d = sleep.assign(f=np.where(sleep.Days > 4, "x", "y"))
    with pytest.raises(error, match=message):
        build(f"{formula} + (1 | Subject)", d)


# --- numbers of the fit, on new data --------------------------------------------------------


def triple(x):
    return 3 * x


def clipped(x, low=2):
    return np.where(x > low, x, low)


def squeezed(x):
    return np.squeeze(np.asarray(x) * 2)


def cut_at(x, breaks):
    return pd.cut(x, breaks)


KEPT = [
    "I(Days / max(Days))",
    "I(Days - min(Days))",
    "I(Days - mean(Days))",
    "I((Days - mean(Days)) / sd(Days))",
    "I(Days - np.mean(Days))",
    "I(Days - Days.mean())",
    "I(Days - Days[0])",
    "I(Days / len(Days))",
    "I(Days - sum(Days) / length(Days))",
    "I(Days > quantile(Days, 0.6))",
    "I(Days > np.quantile(Days, [0.6])[0])",
    "I(Days - Days.agg('median'))",
    "triple(Days - mean(Days))",
    "I(var(Days) + triple(Days))",
    "bs(Days, knots=np.quantile(Days, [0.3, 0.6]))",
]

ROW_BY_ROW = [
    "triple(Days)",
    "clipped(Days)",
    "clipped(Days, low=5)",
    "cut_at(Days, [-1, 3, 6, 10])",
    "squeezed(Days)",
    "np.array([triple(v) for v in Days])",
    "Days.map(lambda v: triple(v) + max(v, 2))",
    "np.array([v if v > 3 else triple(v) for v in Days])",
    "np.where(Days > 3, 1, 0)",
    "np.clip(Days, 2, 5)",
    "Days.clip(2, 5)",
    "Days.map(lambda v: v + 1)",
    "np.vectorize(lambda v: v * 2)(Days)",
    "np.interp(Days, [0, 9], [0, 1])",
    "round(Days / 3, 1)",
    "abs(Days - 3)",
]

OF_ALL_ROWS = [
    "np.cumsum(Days)",
    "np.sort(Days)",
    "np.argsort(Days)",
    "Days.rank()",
    "Days.shift(1)",
    "Days[::-1]",
    "pd.cut(Days, 3)",
    "pd.qcut(Days, 2)",
    "np.gradient(Days)",
    "centred(Days)",
    "shares(Days)",
    "np.random.normal(size=len(Days))",
    "I(triple(np.cumsum(Days)))",
]


def centred(x):
    return x - x.mean()


def shares(x):
    return x / x.max()


@pytest.mark.parametrize("term", [*KEPT, *ROW_BY_ROW])
def test_new_data_are_computed_as_the_data_of_the_fit(term):
    sleep = il.load_dataset("sleepstudy")
    design = build(f"Reaction ~ {term} + (1 | Subject)", sleep, context=globals())
    for rows in ([1, 2], [5], [9, 0, 4]):
        new = {"Days": sleep.Days.to_numpy()[rows]}
        assert design.on(new, factors=()).X == pytest.approx(design.X[rows], rel=1e-12)


@pytest.mark.parametrize("place", ["{} ~ Days", "Reaction ~ Days + offset({})"])
def test_numbers_of_the_fit_are_kept_outside_the_fixed_part_too(place):
    sleep = il.load_dataset("sleepstudy")
    design = build(f"{place.format('I(Days / max(Days))')} + (1 | Subject)", sleep)
    new = design.on({"Days": [1.0, 2.0]}, factors=(), response=place.startswith("{"))
    found = new.y if new.offset is None else new.offset
    assert found == pytest.approx([1 / 9, 2 / 9])


def test_random_slopes_and_groups_keep_their_numbers():
    sleep = il.load_dataset("sleepstudy").assign(Subject=np.repeat(np.arange(18), 10))
    formula = "Reaction ~ 1 + (0 + I(Days / max(Days)) | factor(Subject > mean(Subject)))"
    design = build(formula, sleep, linear=False)
    new = design.on({"Days": [3.0, 1.0], "Subject": [1, 17]})
    codes, Z = new.factors[0]
    assert codes.tolist() == [0, 1] and Z.ravel() == pytest.approx([1 / 3, 1 / 9])


@pytest.mark.parametrize("term", OF_ALL_ROWS)
@pytest.mark.parametrize(
    "place",
    ["Reaction ~ {}", "Reaction ~ Days + offset({})", "Reaction ~ Days + (0 + {} | Subject)"],
)
def test_what_depends_on_other_rows_is_refused(term, place):
    with pytest.raises(DataError, match="depends on the other rows"):
        build(
            f"{place.format(term)} + (1 | Subject)",
            il.load_dataset("sleepstudy"),
            context=globals(),
        )


def test_a_response_may_look_at_all_rows():
    sleep = il.load_dataset("sleepstudy")
    y = build("Reaction.rank() ~ Days + (1 | Subject)", sleep).y
    assert np.array_equal(y, sleep.Reaction.rank())
    m = il.fit("Reaction.rank() ~ Days + (1 | Subject)", sleep)
    assert m.augment().shape[0] == 180


def test_functions_of_several_columns():
    sleep = il.load_dataset("sleepstudy").assign(z=np.arange(180) % 11)
    design = build("Reaction ~ np.hypot(Days, z) + (1 | Subject)", sleep)
    assert design.on({"Days": [3.0], "z": [4.0]}, factors=()).X[0, 1] == 5.0


def test_a_series_of_the_session_is_no_column():
    z = np.arange(180.0)
    sleep = il.load_dataset("sleepstudy")
    with pytest.raises(DataError, match="that does not come from data"):
        build("Reaction ~ I(Days * z) + (1 | Subject)", sleep, context={"z": z})
    with pytest.raises(DataError, match="variable of the session: add it to data"):
        build("Reaction ~ z + (1 | Subject)", sleep, context={"z": z})


# --- booleans as terms ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "right, names",
    [
        ("a", ["Intercept", "a"]),
        ("0 + a", ["a[False]", "a[True]"]),
        ("a * Days", ["Intercept", "a", "Days", "a:Days"]),
        ("a:Days", ["Intercept", "a[False]:Days", "a[True]:Days"]),
        ("0 + I(Days > 4)", ["I(Days > 4)[False]", "I(Days > 4)[True]"]),
        ("nullable:odd", ["Intercept", "odd", "nullable:odd[False]", "nullable:odd[True]"]),
        (
            "a:poly(z, 2)",
            ["Intercept", *(f"a[{v}]:poly(z, 2)[{k}]" for k in (1, 2) for v in (False, True))],
        ),
    ],
)
def test_a_boolean_is_a_factor_of_two_levels(right, names, logical):
    # as in R, where `0 + a` has the columns aFALSE and aTRUE
    d = logical.assign(z=np.arange(180) % 7, odd=logical.Days % 2 == 1)
    X = build(f"Reaction ~ {right} + (1 | Subject)", d)
    as_text = d.assign(**{name: d[name].astype(str) for name in ("a", "odd", "nullable")})
    fixed = X.recipe.fixed["mean"].recipe
    assert list(fixed.names) == names
    if "Days" not in right or "I(" not in right:
        same = (
            build(f"Reaction ~ {right} + (1 | Subject)", as_text).recipe.fixed["mean"].recipe.matrix
        )
        assert np.array_equal(fixed.matrix(_columns(d)), same(_columns(as_text)))


def _columns(data):
    from interlace.frames.read import read

    return read(data, [name for name in data if name != "class"])


def test_random_effects_of_a_boolean(logical):
    design = build("Reaction ~ Days + (0 + a | Subject)", logical)
    assert design.terms[0].names == ("a[False]", "a[True]")
    double = build("Reaction ~ Days + (a || Subject)", logical, linear=False)
    assert [term.names for term in double.terms] == [("Intercept",), ("a[False]", "a[True]")]


def test_new_data_for_a_boolean(logical):
    for right in ("a:Days", "a:poly(Days, 2)"):
        design = build(f"Reaction ~ {right} + (1 | Subject)", logical)
        rows = design.on({"a": [0, 1], "Days": [1, 8]}, factors=()).X
        assert np.array_equal(rows, design.X[[1, 8]])
        missing = pd.array([True, None], dtype="boolean")
        found = design.on({"a": missing, "Days": [8, 8]}, factors=()).X
        assert np.array_equal(found[0], design.X[8]) and np.isnan(found[1, 1:]).all()
        with pytest.raises(DataError, match="has the value 0.5.*boolean in the fit"):
            design.on({"a": [0.5], "Days": [1]}, factors=())


def test_type_three_tests_take_a_comparison_for_a_factor(logical):
    d = logical.assign(big=(logical.Days > 4).astype(str), z=np.arange(180) % 7)
    tables = [
        il.fit(f"Reaction ~ {term}*z + (1 | Subject)", d).anova(type=3)
        for term in ("big", "I(Days > 4)", "I(Days > 4 & z >= 0)")
    ]
    for table in tables[1:]:
        assert table["F value"].to_numpy() == pytest.approx(tables[0]["F value"].to_numpy())


# --- characters in names --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["µ", "ﬁ", "größe", "日", "x  y", "e\nf", "100%", "{x}", "a|b", "#"]
)
def test_names_are_taken_letter_by_letter(name):
    sleep = il.load_dataset("sleepstudy")
    d = sleep.assign(**{name: np.arange(180) % 7})
    design = build(f"Reaction ~ `{name}` + I(`{name}`^2) + (`{name}` | Subject)", d)
    assert np.array_equal(design.X[:, 1], d[name])
    assert np.array_equal(design.X[:, 2], d[name] ** 2)
    if name.isidentifier():
        assert np.array_equal(columns(f"I({name} + 1)", d)[:, 1], d[name] + 1)
        assert np.array_equal(build(f"I({name} + 1) ~ Days + (1 | Subject)", d).y, d[name] + 1)


@pytest.mark.parametrize("sign", "#@$?;&")
def test_signs_that_mean_nothing_between_terms(sign):
    with pytest.raises(FormulaError, match="stands between terms, where it means nothing"):
        build(f"Reaction ~ Days {sign} Subject + (1 | Subject)", il.load_dataset("sleepstudy"))


def test_the_base_of_a_logarithm():
    sleep = il.load_dataset("sleepstudy")
    assert columns("log(Days + 1, 2)", sleep) == pytest.approx(columns("log2(Days + 1)", sleep))


def test_a_response_of_the_session_is_refused():
    with pytest.raises(DataError, match="no column of data in it"):
        build("z ~ Days + (1 | Subject)", il.load_dataset("sleepstudy"), context={"z": [1.0] * 180})


# --- missing values in expressions ----------------------------------------------------------


def test_an_expression_of_a_missing_value_is_missing_in_new_data():
    sleep = il.load_dataset("sleepstudy")
    text = (
        "Reaction ~ Days + offset(ifelse(Days > 4, 1, 0)) + (1 | Subject) + (1 | factor(Days > 4))"
    )
    design = build(text, sleep, linear=False)
    new = {"Days": [np.nan, 6.0], "Subject": ["308", "308"]}
    found = design.on(new, new_levels="population")
    assert np.isnan(found.offset[0]) and found.offset[1] == 1.0
    groups = [factor.name for factor in design.factors]
    assert found.factors[groups.index("factor(Days > 4)")][0].tolist() == [-1, 1]


@pytest.mark.parametrize(
    "subset, rows",
    [
        ("a + b > 1", [8, 9]),
        ("Days > 2 & Days < 5", [3, 4]),
        ("2 < Days < 5", [3, 4]),
        ("Days %in% c(1, 3)", [1, 3]),
        ("Days in [1, 3]", [1, 3]),
        ("!a & Days > mean(Days)", [5]),
        ("`a b` | Days == 0", [0, 6, 7, 8, 9]),
        ("class > 8", [9]),
        ("a", [6, 7, 8, 9]),
    ],
)
def test_subsets_are_read_as_formulas_are(subset, rows, logical):
    subset = subset.replace("class", "`class`")
    design = build("Reaction ~ 1 + (1 | Subject)", logical, subset=subset, linear=False)
    assert sorted(set(design.index % 10)) == rows


def test_missing_values_are_in_no_subset():
    sleep = il.load_dataset("sleepstudy")
    d = sleep.assign(k=sleep.Days.astype("Int64").mask(sleep.Days == 2))
    design = build("Reaction ~ 1 + (1 | Subject)", d, subset="k < 5")
    assert sorted(set(design.index % 10)) == [0, 1, 3, 4]
    design = build("Reaction ~ 1 + (1 | Subject)", d, subset="!(k >= 5)")
    assert sorted(set(design.index % 10)) == [0, 1, 3, 4]


def test_factors_are_no_numbers():
    d = il.load_dataset("sleepstudy")
    for term in ("ns(Subject, 3)", "log(Subject)", "scale(Subject)", "I(Days - mean(Subject))"):
        with pytest.raises(DataError, match="calculates with a factor"):
            build(f"Reaction ~ {term} + (1 | Subject)", d)


@pytest.mark.parametrize(
    "term, message",
    [
        ("bool(Days)", "asks whether a whole column is true"),
        ("float(Days)", "takes single numbers, not columns"),
        ("I(Days=3)", r"write I\(Days == ...\)"),
        ("I()", "takes one expression, got 0"),
        ("(. | Subject)", "'.' stands for columns in the fixed part only"),
        ("np.ones(180)", "does not come from data"),
    ],
)
def test_more_refusals(term, message):
    with pytest.raises((DataError, FormulaError), match=message):
        build(f"Reaction ~ Days + {term} + (1 | Subject)", il.load_dataset("sleepstudy"))


def test_offsets_and_groups_of_the_session_are_refused():
    z = np.arange(180.0)
    sleep = il.load_dataset("sleepstudy")
    for text in ("offset(np.log(z + 1))", "(1 | factor(z > 90))"):
        with pytest.raises(DataError, match="does not come from data"):
            build(f"Reaction ~ Days + {text} + (1 | Subject)", sleep, context={"z": z})
    design = build("Reaction ~ Days + offset(np.log(k)) + (1 | Subject)", sleep, context={"k": 2.0})
    assert design.on({"Days": [1.0, 2.0]}, factors=()).offset.tolist() == [np.log(2.0)] * 2


def test_constants_of_numpy_are_numbers_not_data() -> None:
    sleep = il.load_dataset("sleepstudy")
    design = build("Reaction ~ np.sin(2 * np.pi * Days / 9) + (1 | Subject)", sleep)
    np.testing.assert_allclose(design.X[:, 1], np.sin(2.0 * np.pi * sleep.Days / 9.0), atol=1e-15)
    recipe = design.recipe.fixed["mean"].recipe
    assert type(recipe).__name__ == "PlainMatrix"
