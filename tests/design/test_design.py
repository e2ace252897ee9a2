"""Designs against R's model.matrix and lme4's lFormula, and what a design keeps for new data."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.frame_libraries import ALL_LIBRARIES

from interlace.design.build import build
from interlace.design.design import Design
from interlace.design.formulaic_matrix import through_formulaic
from interlace.design.model_matrix import model_matrix
from interlace.design.plain_matrix import PlainMatrix
from interlace.design.rank import independent_columns
from interlace.errors import DataError, DataWarning, FormulaError
from interlace.formula.parser import parse
from interlace.frames.read import read

R = json.loads(
    (Path(__file__).parents[2] / "r_parity" / "references" / "front_end.json").read_text()
)
# R's numbers are printed with 15 digits; entries are of order 1 to 1e3 and come from sums of a few
# dozen terms.
RTOL, ATOL = 1e-11, 1e-12


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    frame = pd.DataFrame(R["data"])
    frame["o"] = pd.Categorical(frame["o"], ["lo", "mid", "hi", "top"], ordered=True)
    return frame


def matrix(text: str, data: pd.DataFrame, **arguments) -> tuple[np.ndarray, Design]:
    """X as R's model.matrix gives it, dependent columns included."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        design = build(f"y ~ {text} + (1 | f)", data, **arguments)
    return design.recipe.fixed["mean"].recipe.matrix(read(data, data.columns)), design


# --- fixed part ------------------------------------------------------------------------------


# Interactions without their main effects: R codes all factors in full and lets the rank check drop
# a column; formulaic gives a full-rank coding of the same space.
SAME_SPACE = {"f:g", "f:o", "f + poly(x, 2):f"}


@pytest.mark.parametrize("text", R["matrices"])
def test_matrix_is_that_of_r(text, data):
    X, _ = matrix(text, data)
    expected = np.asarray(R["matrices"][text])
    if text in SAME_SPACE:
        Q = np.linalg.qr(X)[0]
        assert np.linalg.matrix_rank(expected) == X.shape[1]
        np.testing.assert_allclose(Q @ (Q.T @ expected), expected, rtol=RTOL, atol=ATOL)
        return
    np.testing.assert_allclose(X, expected, rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("case", R["contrasts"])
def test_contrasts_argument_is_that_of_r(case, data):
    given = R["contrasts"][case]
    X, _ = matrix(f"x * {given['columns']}", data, contrasts={given["columns"]: given["coding"]})
    np.testing.assert_allclose(X, given["matrix"], rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("text", R["new"])
def test_transforms_are_replayed_on_new_data_also_outside_the_range(text, data):
    _, design = matrix(text, data)
    X = design.on(R["outside"], factors=()).X
    expected = np.asarray(R["new"][text])[:, design.recipe.fixed["mean"].kept]
    np.testing.assert_allclose(X, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("case", R["dependent"], ids=lambda case: " + ".join(case["parts"]))
def test_dependent_columns_dropped_are_those_of_r(case, data):
    text = " + ".join(case["parts"])
    with pytest.warns(DataWarning, match="rank deficient: dropped 1 column"):
        design = build(f"y ~ {text} + (1 | k)", data)
    names = design.recipe.fixed["mean"].recipe.names
    assert design.x_names == tuple(names[j] for j in case["kept"])
    assert design.dropped_columns == tuple(n for n in names if n not in design.x_names)
    assert sum(s.stop - s.start for _, s in design.x_terms) == len(design.x_names)
    np.testing.assert_array_equal(design.on(data).X, design.X)


PLAIN = """1;0;x;x + z;f;0 + f;f * g;f:g;
0 + f + g;0 + f:g;x:f;x * f - f;f / x;(x + f + g)^2;b;b * f;
f * g - f;0 + x:f;2:x + f;x * z * f;x * f * g;x * f * g - x:f:g;g + f:g;0 + f * g;x %in% f;f:x:g;
k + f:k;o * x;0 + o;f:o;s * f;b:f;f + f:x;x:z;x + x:f + g;log(z);I(x**2) + x;log(z) * f;sqrt(z):f;
I(x > 2) * g;np.exp(x) + log(z + 1):x;{x / z};0 + I(z * x):f;ifelse(b, x, z);pmin(x, z) + o;
I(b);log(z):log(x + 9);abs(x)""".replace("\n", "").split(";")


@pytest.mark.parametrize("text", PLAIN)
def test_direct_matrix_is_that_of_formulaic(text, data):
    columns = read(data, data.columns)
    names = tuple(n for n in data.columns if n in re.findall(r"\w+", text))
    X, recipe, terms = model_matrix(text, columns, names, {}, {})
    assert isinstance(recipe, PlainMatrix)
    if not names:
        return
    expected, other, same_terms = through_formulaic(text, columns, names, {}, {})
    np.testing.assert_array_equal(X, expected)
    assert (recipe.names, terms.slices) == (other.names, same_terms.slices)
    for term, same in zip(terms.codings(X), same_terms.codings(X), strict=True):
        assert (term.name, term.factors, term.n_levels) == (same.name, same.factors, same.n_levels)
        assert all(map(np.array_equal, term.codes, same.codes))
        np.testing.assert_array_equal(term.values, same.values)


def test_names_and_terms(data):
    design = build("y ~ x * f + log(z) + (1 | s)", data)
    assert design.x_names == (
        *("Intercept", "x", "f[T.b]", "f[T.c]", "log(z)"),
        *("x:f[T.b]", "x:f[T.c]"),
    )
    assert dict(design.x_terms) == {
        "Intercept": slice(0, 1),
        "x": slice(1, 2),
        "f": slice(2, 4),
        "log(z)": slice(4, 5),
        "x:f": slice(5, 7),
    }
    assert (design.X[:, 0] == 1.0).all()
    assert design.X.flags.c_contiguous and design.X.dtype == np.float64


def test_power_inside_a_call_is_a_square_and_outside_is_crossing(data):
    design = build("y ~ I(x^2) + (1 | f)", data)
    np.testing.assert_array_equal(design.X[:, 1], data["x"] ** 2)
    assert build("y ~ x^2 + (1 | f)", data).x_names == ("Intercept", "x")


def test_dot_is_all_columns_but_response_and_groups(data):
    design = build("y ~ . - z + (1 | s)", data[["y", "x", "z", "b", "s"]])
    assert design.x_names == ("Intercept", "x", "b")


def test_names_with_dots_and_blanks(data):
    odd = data.rename(columns={"x": "total.fruits", "z": "z 1", "f": "a/b"})
    plain = build("y ~ log(x + 9) * z + (z | f)", data)
    design = build("y ~ log(total.fruits + 9) * `z 1` + (`z 1` | `a/b`)", odd)
    np.testing.assert_array_equal(design.X, plain.X)
    np.testing.assert_array_equal(design.factors[0].codes, plain.factors[0].codes)
    assert design.factors[0].name == "a/b"
    assert build("y ~ x + (1 | `a/b`)", data.assign(**{"a/b": data["f"]})).factors[0].name == "a/b"
    assert build("y ~ x", data.assign(**{"a/b": data["f"]}), groups="a/b").factors[0].name == "a/b"
    np.testing.assert_array_equal(design.on(odd).X, design.X)


def test_contrast_matrix(data):
    coding = np.array([[1.0, 0], [0, 1], [-1, -1]])
    X = build("y ~ f + (1 | s)", data, contrasts={"f": coding}).X
    codes = data["f"].map({"a": 0, "b": 1, "c": 2}).to_numpy()
    np.testing.assert_array_equal(X[:, 1:], coding[codes])


def test_users_own_functions_and_their_loss():
    data = pd.DataFrame({"y": np.arange(12.0), "x": np.arange(12.0) ** 2, "g": list("aabbcc") * 2})
    design = build("y ~ half(x) + (1 | g)", data, context={"half": lambda x: x / 2})
    np.testing.assert_array_equal(design.X[:, 1], data["x"] / 2)
    np.testing.assert_array_equal(design.on(data).X, design.X)
    loaded = pickle.loads(pickle.dumps(design))
    np.testing.assert_array_equal(loaded.X, design.X)
    with pytest.raises(DataError, match="half.*could not be stored"):
        loaded.on(data)


def test_tiny_differences_of_large_numbers_are_kept_as_r_keeps_them():
    n = 50
    x = np.arange(n, dtype=float)
    for shift, kept in ((1e6, [0, 1]), (1e10, [0])):
        X = np.c_[np.ones(n), x / n + shift]
        # R: qr(cbind(1, (0:49)/50 + 1e6), tol = 1e-7)$rank is 2; with 1e10 it is 1.
        assert independent_columns(X).tolist() == kept


def test_rank_of_special_matrices():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 5))
    assert independent_columns(X).tolist() == [0, 1, 2, 3, 4]
    X[:, 2] = 0.0
    assert independent_columns(X).tolist() == [0, 1, 3, 4]
    X[:, 3] = X[:, 0] - 3 * X[:, 1]
    assert independent_columns(X).tolist() == [0, 1, 4]
    assert independent_columns(rng.normal(size=(3, 6))).tolist() == [0, 1, 2]


# --- random part -----------------------------------------------------------------------------


@pytest.fixture
def unchecked(monkeypatch):
    """R's references were made with its checks of the number of levels off."""
    monkeypatch.setattr("interlace.design.build.check_effects", lambda *a: None)
    monkeypatch.setattr("interlace.design.build.check_groups", lambda *a: None)


@pytest.mark.parametrize("text", R["random"])
def test_random_part_is_that_of_lme4(text, data, unchecked):
    expected = R["random"][text]
    design = build(text, data)
    groups = [design.factors[term.factor].name for term in design.terms]
    assert groups == np.atleast_1d(expected["groups"]).tolist()
    widths = [len(term.names) for term in design.terms]
    assert widths == np.atleast_1d(expected["widths"]).tolist()
    assert [f.name for f in design.factors] == np.atleast_1d(expected["factors"]).tolist()
    for factor, levels, codes in zip(design.factors, expected["levels"], expected["codes"]):
        levels = [level.replace("TRUE", "True").replace("FALSE", "False") for level in levels]
        assert [str(level) for level in factor.levels] == levels
        np.testing.assert_array_equal(factor.codes + 1, codes)
        assert factor.codes.dtype == np.int32


@pytest.mark.parametrize("text", R["left"])
def test_left_sides_are_those_of_lme4(text, data, unchecked):
    design = build(f"y ~ 1 + ({text} | g)", data)
    expected = np.asarray(R["left"][text])
    np.testing.assert_allclose(
        design.factors[0].Z, expected.reshape(len(data), -1), rtol=RTOL, atol=ATOL
    )


def test_terms_on_one_factor_share_its_covariates(data):
    design = build("y ~ x + (1 | f) + (0 + x | f) + (1 | k)", data)
    # f and k have three levels each, so the order is that of the formula.
    assert [(t.factor, t.columns, t.names) for t in design.terms] == [
        (0, slice(0, 1), ("Intercept",)),
        (0, slice(1, 2), ("x",)),
        (1, slice(0, 1), ("Intercept",)),
    ]
    both = design.factors[0]
    assert both.Z.shape == (len(data), 2)
    assert set(map(tuple, both.Z[:2].tolist())) == {(1.0, data["x"][0]), (1.0, data["x"][1])}


def test_sole_intercept_takes_no_memory(data):
    Z = build("y ~ x + (1 | f)", data).factors[0].Z
    assert Z.shape == (len(data), 1) and Z.strides == (0, 0) and Z[5, 0] == 1.0


def test_groups_and_random_arguments_mean_the_formula(data):
    inside = build("y ~ x + (1 + x | f) + (1 | k)", data)
    for design in (
        build("y ~ x", data, random=["(1 + x | f)", "1 | k"], groups="s"),
        build("y ~ x + (1 + x | f)", data, groups=["k"]),
    ):
        assert design.terms == inside.terms
        assert [f.name for f in design.factors] == [f.name for f in inside.factors]
        assert design.formula.text.replace(" | ", "|") == inside.formula.text.replace(" | ", "|")


def test_levels_keep_the_values_of_the_column(data):
    design = build("y ~ x + (1 | k) + (1 | b) + (1 | f)", data)
    levels = {f.name: f.levels for f in design.factors}
    assert levels["k"].tolist() == [1, 2, 10]  # numeric order
    assert levels["b"].tolist() == [False, True]
    assert levels["f"].tolist() == ["a", "b", "c"]
    gaps = data.assign(k=data["k"].where(data.index != 0))  # floats, since NaN
    with pytest.warns(DataWarning):
        assert build("y ~ x + (1 | k)", gaps).factors[0].levels.tolist() == [1, 2, 10]


def test_unused_levels_are_dropped(data):
    wide = data.assign(f=pd.Categorical(data["f"], ["z", "c", "b", "a", "q"]))
    design = build("y ~ f + (1 | f)", wide)
    assert design.x_names == ("Intercept", "f[T.b]", "f[T.a]")
    assert design.factors[0].levels.tolist() == ["c", "b", "a"]
    half = build("y ~ f + (1 | s)", data, subset=data["f"] != "c")
    assert half.x_names == ("Intercept", "f[T.b]")


def test_grouping_expressions(data):
    design = build("y ~ x + (1 | factor(k)) + (1 | np.where(x > 2, 'high', 'low'))", data)
    assert [len(f.levels) for f in design.factors] == [3, 2]
    new = design.on(data.head(4))
    for (codes, _), factor in zip(new.factors, design.factors):
        np.testing.assert_array_equal(codes, factor.codes[:4])


# --- offsets, weights, subset, missing values ------------------------------------------------


def test_offsets_of_formula_and_argument_add_up(data):
    design = build("y ~ x + offset(log(z)) + (1 | f) + offset(2 * x)", data, offset="k")
    expected = np.log(data["z"]) + 2 * data["x"] + data["k"]
    np.testing.assert_allclose(design.offset, expected, rtol=1e-14)
    np.testing.assert_allclose(design.on(data).offset, expected, rtol=1e-14)
    given = build("y ~ x + (1 | f)", data, offset=data["k"].to_numpy())
    np.testing.assert_array_equal(given.on(data.head(2), offset=[1, 2]).offset, [1.0, 2.0])


@pytest.mark.parametrize("how", ["column", "array", "series", "list"])
def test_weights(how, data):
    given = {
        "column": "z",
        "array": data["z"].to_numpy(),
        "series": data["z"],
        "list": data["z"].tolist(),
    }
    design = build("y ~ x + (1 | f)", data, weights=given[how])
    np.testing.assert_array_equal(design.weights, data["z"])


@pytest.mark.parametrize(
    "subset", ["x > 1.5 and f != 'c'", "x > 1.5 & f != 'c'", "mask", "array", "series"]
)
def test_subset(subset, data):
    mask = (data["x"] > 1.5) & (data["f"] != "c")
    given = {"array": mask.to_numpy(), "series": mask}.get(subset, subset)
    design = build("y ~ x + (1 | f)", data.assign(mask=mask), subset=given, weights=data["z"])
    assert design.index.equals(data.index[mask])
    np.testing.assert_array_equal(design.weights, data["z"][mask])
    assert design.n_missing == 0


@pytest.fixture
def gaps(data):
    gaps = data.copy()
    gaps.loc[3, "x"] = np.nan
    gaps.loc[[3, 5], "f"] = None
    gaps.loc[8, "z"] = np.nan  # not used
    gaps.index = [f"r{i}" for i in range(len(gaps))]
    return gaps


def test_rows_with_missing_values_are_dropped_and_counted(gaps):
    weights = gaps["z"].fillna(1.0).to_numpy(copy=True)
    weights[7] = np.nan
    text = r"dropped 3 row\(s\) with missing values in x \(1\), f \(2\), weights= \(1\); 33 rows"
    with pytest.warns(DataWarning, match=text) as seen:
        design = build("y ~ x + (1 | f)", gaps, weights=weights)
    assert len(seen) == 1
    assert (design.n_missing, design.missing_by) == (3, {"x": 1, "f": 2, "weights=": 1})
    assert "r3" not in design.index and "r8" in design.index
    assert len(design.y) == len(design.weights) == 33
    np.testing.assert_array_equal(design.rows, np.delete(np.arange(36), [3, 5, 7]))


def test_exclude_pads_with_nan(gaps):
    with pytest.warns(DataWarning):
        design = build("y ~ x + (1 | f)", gaps, na_action="exclude", subset=gaps["k"] > 1)
    padded = design.pad(design.y)
    assert padded.index.equals(gaps.index[gaps["k"] > 1])
    assert padded.isna().sum() == design.n_missing == 2
    np.testing.assert_array_equal(padded.dropna(), design.y)
    with pytest.warns(DataWarning):
        assert not build("y ~ x + (1 | f)", gaps).pad(np.zeros(34)).isna().any()


# --- the response ----------------------------------------------------------------------------


def test_responses(data):
    k = data.assign(r=data["k"] - 1)
    assert (build("log(z) ~ x + (1 | f)", k).y == np.log(k["z"])).all()
    assert (build("y / 2 ~ x + (1 | f)", k).y == k["y"] / 2).all()
    assert (build("z^2 ~ x + (1 | f)", k).y == k["z"] ** 2).all()
    ratio = build("r / k ~ x + (1 | f)", k)
    assert (ratio.y == k["r"] / k["k"]).all() and (ratio.trials == k["k"]).all()
    both = build("cbind(r, k - r) ~ x + (1 | f)", k, linear=False)
    assert (both.y == ratio.y).all() and (both.trials == k["k"]).all()
    assert (build("b ~ x + (1 | f)", k, linear=False).y == k["b"]).all()
    assert (build("g ~ x + (1 | f)", k, linear=False).y == (k["g"] == "v")).all()


@pytest.mark.parametrize(
    "response", ["cbind(r - min(r), max(k) - r)", "I(r - min(r)) / I(k * max(k))", "r / max(k)"]
)
def test_each_part_of_a_response_keeps_its_own_numbers_for_new_data(data, response):
    k = data.assign(r=1 + np.arange(len(data)) % 3, k=3 + np.arange(len(data)) % 5)
    design, half = build(f"{response} ~ x + (1 | f)", k, linear=False), k.k < 6
    new = design.on(k[half], response=True)
    np.testing.assert_array_equal(new.y, design.y[half.to_numpy()])


# --- new data --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "x * f + (x | s)",
        "o + poly(z, 2) + C(f, 'sum') + factor(k) + (0 + f | s) + (1 | g:s)",
        "scale(x) + ns(z, 3) + b + (poly(x, 2) | g) + offset(log(z))",
    ],
)
@pytest.mark.parametrize("library", ALL_LIBRARIES)
def test_new_rows_have_the_values_of_the_training_rows(text, library, data, unchecked):
    design = build(f"y ~ {text}", data)
    rows = np.array([35, 2, 17, 2])
    for model in (design, pickle.loads(pickle.dumps(design))):
        new = model.on(ALL_LIBRARIES[library](data.iloc[rows]), response=True)
        np.testing.assert_allclose(new.X, design.X[rows], rtol=1e-14, atol=1e-15)
        np.testing.assert_array_equal(new.y, design.y[rows])
        if design.offset is not None:
            np.testing.assert_array_equal(new.offset, design.offset[rows])
        for (codes, Z), factor in zip(new.factors, design.factors):
            np.testing.assert_array_equal(codes, factor.codes[rows])
            np.testing.assert_allclose(Z, factor.Z[rows], rtol=1e-14, atol=1e-15)


def test_only_needed_columns_are_asked_for(data):
    design = build("y ~ x + (z | f) + (1 | s)", data)
    assert design.on(data[["x"]], factors=()).X.shape == (36, 2)
    new = design.on(data[["x", "s"]], factors=[[f.name for f in design.factors].index("s")])
    unused = new.factors[[f.name for f in design.factors].index("f")]
    assert (unused[0] == -1).all() and (unused[1] == 0).all() and unused[1].shape == (36, 2)


def test_intercept_only_model_takes_the_length_of_new_data(data):
    design = build("y ~ 1 + (1 | f)", data)
    assert design.on(data[["z"]].head(5), factors=()).X.tolist() == [[1.0]] * 5


def test_unseen_levels_of_groups(data):
    design = build("y ~ x + (1 | f) + (1 | f:g)", data)
    new = data.head(3).assign(f=["a", "new", None])
    with pytest.raises(DataError, match="grouping factor 'f:g' .*'new:u'.*population"):
        design.on(new)
    seen = design.on(new, new_levels="population")
    assert seen.unseen == {"f:g": ("new:u",), "f": ("new",)}
    assert seen.factors[1][0].tolist() == [0, -1, -1]


def test_missing_values_of_covariates_give_nan(data):
    new = data.head(4).assign(f=["a", None, "b", "c"], z=[1.0, 2, np.nan, 3])
    for text in ("x + f + ns(z, 3)", "f * I(z > 1.5)", "ifelse(z > 2, x, 1) + f", "f:z"):
        design = build(f"y ~ {text} + (1 | s)", data)
        X = design.on(new).X
        assert np.isnan(X).any(axis=1).tolist() == [False, True, True, False]
        np.testing.assert_allclose(X[3], design.on(new.iloc[[3]]).X[0], rtol=1e-14)


def test_new_data_of_other_types_mean_the_same(data):
    design = build("y ~ factor(k) + b + (1 | k)", data)
    new = pd.DataFrame({"k": [10.0, 2.0], "b": [1, 0]})
    same = design.on(pd.DataFrame({"k": [10, 2], "b": [True, False]}))
    np.testing.assert_array_equal(design.on(new).X, same.X)
    np.testing.assert_array_equal(design.on(new).factors[0][0], same.factors[0][0])


def test_formula_object_is_accepted(data):
    assert build(parse("y ~ x + (1 | f)"), data).x_names == ("Intercept", "x")
    with pytest.raises(FormulaError):
        build(parse("~ x + (1 | f)"), data)


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(
    ("coding", "first"),
    [
        ("Treatment('b')", [1.0, 0.0]),
        ("Sum", [1.0, 0.0]),
        ("contr.helmert", [-1.0, -1.0]),
        ("'poly'", [-(0.5**0.5), 6.0**-0.5]),
    ],
)
def test_c_codes_as_it_is_told(coding, first, as_text):
    f = pd.Series(list("abcabcab"))
    data = {"y": np.arange(8.0), "f": f if as_text else f.astype("category"), "g": list("ppppqqqq")}
    design = build(f"y ~ C(f, {coding}) + (1 | g)", data)
    np.testing.assert_allclose(design.X[0, 1:], first, atol=1e-12)


@pytest.mark.parametrize(
    "right, expected",
    [
        ("x:z + f:x", ["x:z", "f[a]:x", "f[b]:x", "f[c]:x"]),
        ("f:x + x:z", ["f[a]:x", "f[b]:x", "f[c]:x", "x:z"]),
        ("x + x:z + f:x", ["x", "x:z", "f[T.b]:x", "f[T.c]:x"]),
    ],
)
def test_an_interaction_without_its_main_effect_keeps_the_full_span(right, expected):
    # R's model.matrix codes f by contrasts in the first, whose model then lacks a column
    random = np.random.default_rng(4)
    d = pd.DataFrame({name: random.normal(size=24) for name in "yxz"})
    d = d.assign(f=list("abc") * 8, g=np.repeat(list("uvw"), 8))
    assert list(build(f"y ~ {right} + (1 | g)", d).x_names[1:]) == expected


def test_a_call_with_a_bar_that_is_no_structure_is_named():
    frame = {"y": [1.0, 2.0, 4.0, 3.0], "x": [0.0, 1.0, 0.0, 1.0], "g": list("aabb")}
    with pytest.raises(FormulaError, match=r"ar2\(\) is no covariance structure; there are ar1"):
        build("y ~ 1 + ar2(0 + x | g)", frame)
    with pytest.raises(FormulaError) as error:
        build("y ~ I((x > 0) | (y > 1))", frame)
    assert "covariance structure" not in str(error.value)


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ 1 + (x | g)", "y ~ I(x * 1e10)"])
def test_covariates_whose_squares_are_no_numbers_are_refused(formula):
    data = {"y": [1.0, 2, 4, 3, 1, 2], "x": 1e190 * np.arange(6), "g": list("aabbcc")}
    with pytest.raises(DataError, match=r"the column '.*' of the model matrix has .* divide by"):
        build(formula, data, linear=False)
