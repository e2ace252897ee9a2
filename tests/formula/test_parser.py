"""The grammar: lme4's random terms, responses, offsets, and what stays for formulaic."""

from __future__ import annotations

import pytest

from interlace.errors import ArgumentTypeError, FormulaError
from interlace.formula.edit import with_dot, with_random
from interlace.formula.parser import parse


def terms(text: str) -> list[tuple]:
    return [(t.lhs, t.group, t.structure) for t in parse(f"y ~ 1 + {text}").random]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(1 | g)", [("1", ("g",), "us")]),
        ("(x|g)", [("x", ("g",), "us")]),
        ("(1+x|g)", [("1 + x", ("g",), "us")]),
        ("(x - 1 | g)", [("x - 1", ("g",), "us")]),
        ("(0 + f | g)", [("0 + f", ("g",), "us")]),
        ("(x || g)", [("1", ("g",), "us"), ("0 + x", ("g",), "us")]),
        ("(0 + x || g)", [("0 + x", ("g",), "us")]),
        # lme4's `||` splits by term: a factor keeps the correlations of its levels.
        ("(f || g)", [("1", ("g",), "us"), ("0 + f", ("g",), "us")]),
        (
            "(f * x || g)",
            [(side, ("g",), "us") for side in ("1", "0 + f", "0 + x", "0 + f:x")],
        ),
        ("(1 | a/b)", [("1", ("b", "a"), "us"), ("1", ("a",), "us")]),
        (
            "(1 | a/b/c)",
            [("1", ("c", "b", "a"), "us"), ("1", ("b", "a"), "us"), ("1", ("a",), "us")],
        ),
        ("(1 | a:b)", [("1", ("a", "b"), "us")]),
        ("(1 | a:b:c)", [("1", ("a", "b", "c"), "us")]),
        ("(1 | a*b)", [("1", ("a",), "us"), ("1", ("b",), "us"), ("1", ("a", "b"), "us")]),
        ("(x | a + b)", [("x", ("a",), "us"), ("x", ("b",), "us")]),
        (
            "(x || a/b)",
            [(side, group, "us") for group in (("b", "a"), ("a",)) for side in ("1", "0 + x")],
        ),
        ("(1 | a/(b:c))", [("1", ("b", "c", "a"), "us"), ("1", ("a",), "us")]),
        ("(1 | `the group`:h)", [("1", ("the group", "h"), "us")]),
        ("(`x 1` || g)", [("1", ("g",), "us"), ("0 + `x 1`", ("g",), "us")]),
        ("(1 | factor(k))", [("1", ("factor(k)",), "us")]),
        ("us(1 + x | g)", [("1 + x", ("g",), "us")]),
        ("diag(1 + x | g)", [("1 + x", ("g",), "diag")]),
        ("diag(f || g)", [("f", ("g",), "diag")]),
        ("diag(x | a/b)", [("x", ("b", "a"), "diag"), ("x", ("a",), "diag")]),
        ("((1 | a) + (1 | b))", [("1", ("a",), "us"), ("1", ("b",), "us")]),
        ("(poly(x, 2) | g)", [("poly(x, 2)", ("g",), "us")]),
        ("(I(x^2) | g)", [("I(x**2)", ("g",), "us")]),
        ("(log(x | 2) | g)", [("log(x | 2)", ("g",), "us")]),
    ],
)
def test_random_terms(text, expected):
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("group", "labels"),
    [  # names(ngrps(lmer(...))) of lme4 1.1-31
        ("a/b", ["b:a", "a"]),
        ("a/b/c", ["c:(b:a)", "b:a", "a"]),
        ("a:b:c", ["a:b:c"]),
        ("a/(b:c)", ["(b:c):a", "a"]),
    ],
)
def test_labels_are_those_r_prints(group, labels):
    assert [t.label for t in parse(f"y ~ 1 + (1 | {group})").random] == labels


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("y ~ x", "x"),
        ("y ~ 1", "1"),
        ("y ~ (1 | g)", "1"),
        ("y ~ 0 + (1 | g)", "0"),
        ("y ~ -1 + x + (1 | g)", "-1 + x"),
        ("y ~ (1 | g) + x * z - x", "x * z - x"),
        ("y ~ x + (1 | g) + s(x | 2)", "x + s(x | 2)"),
        ("y ~ (x + z)^2 + I(x^2)", "(x + z)^2 + I(x**2)"),
        (
            "y ~ as.factor(k) + offset(z) + f(as.factor(k), 'a^b')",
            "factor(k) + f(factor(k), 'a^b')",
        ),
        ("y ~ (x + (1 | g))", "x"),
        ("y ~ `a | b` + (1 | g)", "`a | b`"),
        ("y ~ a %in% b", "a : b"),
        ("y ~ C(f, contr.sum) + {x ** 2} + (1|g)", "C(f, contr.sum) + {x ** 2}"),
    ],
)
def test_fixed_part(text, fixed):
    assert parse(text).fixed.replace(" ", "") == fixed.replace(" ", "")


@pytest.mark.parametrize(
    ("left", "kind", "parts"),
    [
        ("y", "column", ("y",)),
        ("`the y`", "column", ("`the y`",)),
        ("log(y)", "column", ("log(y)",)),
        ("y / 2", "column", ("y / 2",)),
        ("y^2", "column", ("y**2",)),
        ("a - b", "column", ("a - b",)),
        ("k/n", "ratio", ("k", "n")),
        ("k / (n + 1)", "ratio", ("k", "(n + 1)")),
        ("cbind(k, n - k)", "cbind", ("k", "n - k")),
        ("cbind(f(a, b), c)", "cbind", ("f(a, b)", "c")),
    ],
)
def test_responses(left, kind, parts):
    response = parse(f"{left} ~ x").response
    assert (response.kind, response.parts) == (kind, parts)


def test_offsets():
    assert parse("y ~ offset(log(z)) + x + offset(`w 1`)").offsets == ("log(z)", "`w 1`")


def test_one_sided_formula_has_no_response():
    assert parse("~ x").response is None


def test_arguments_and_formula_mean_the_same():
    inside = parse("y ~ x + (1 | a) + (1 | b)")
    by_groups = with_random(parse("y ~ x"), groups=["a", "b"])
    by_random = with_random(parse("y ~ x"), groups="ignored", random=["(1 | a)", "1 | b"])
    assert by_groups == inside
    assert by_random == inside
    assert with_random(inside) is inside
    assert with_random(parse("y ~ x"), groups="a/b").random == parse("y ~ x + (1 | a/b)").random
    literal = with_random(parse("y ~ x"), groups="a/b", columns=["a/b"]).random
    assert [t.group for t in literal] == [("a/b",)]
    assert literal[0].text == "(1 | `a/b`)"


def test_texts_read_back_as_the_same_terms():
    formula = parse("y ~ 1 + (x || a/`b 1`) + diag(0 + f | g:h) + (1 | u/v/w)")
    again = parse("y ~ 1 + " + " + ".join(term.text for term in formula.random))
    assert again.random == formula.random


def test_dot():
    formula = parse("log(y) ~ . - a + offset(e) + (1 | g)")
    columns = ("y", "a", "b 1", "g", "e")
    assert with_dot(formula, columns).fixed == "(a + `b 1`) - a"
    assert with_dot(parse("y ~ x"), columns).fixed == "x"


def test_parsing_is_cached():
    text = "y ~ x + (1 + x | g)"
    assert parse(text) is parse(text)
    assert parse(parse(text)) is parse(text)


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("y ~ x | g", "stands in brackets", 6),
        ("y ~ x + (1 | g", "never closed", 8),
        ("y ~ x)", "closes no bracket", 5),
        ("y ~ log(x", "closing '\\)'", 7),
        ("y ~ `x + (1 | g)", "closing '`'", 4),
        ("y ~ x * (1 | g)", "must be added", 11),
        ("y ~ x - (1 | g)", "no random term", 6),
        ("y ~ (1 | g | h)", "one bar", 11),
        ("y ~ ( | g)", "needs a left side", 6),
        ("y ~ (1 | )", "needs a grouping factor", 7),
        ("y ~ (1 | 2)", "2 is no grouping factor", 9),
        ("y ~ (1 | g^2)", r"'\^' is not understood", 10),
        ("y ~ (0 | g)", "no random effect", 7),
        ("y ~ x + ", "nothing follows", 6),
        ("y ~ x ~ z", "more than one '~'", 6),
        ("y ~ x + (x ~ z | g)", "'x ~ z' has a '~' of its own", None),
        ("(1 | g) ~ x", "left of '~'", 3),
        ("y ~ (1 | g, by=A)", "one argument, a known matrix", 10),
        ("y ~ (1 | g, cov=solve(A))", "a known matrix is named", 10),
        ("y ~ (1 | a/b, cov=A)", "is of one grouping factor, and there are b:a, a", 7),
        ("y ~ ar1(0 + t | g, cov=A)", r"ar1\(\) does not go with cov=A", 14),
        ("y ~ propto(1 + x | g, A)", r"the levels of one factor left of the bar", 4),
        ("y ~ equalto(0 + f | g, V)", r"equalto\(\) is not available: its covariances are", 4),
        ("y ~ x + rr(0 + f | g, d=0)", "a whole number of latent factors", 8),
        ("y ~ exp(0 + f | g, hom=TRUE)", "no choice between one variance", 4),
        ("y ~ us(x || g)", "contradict", 9),
        ("y ~ diag(x | g, 2)", "takes one random term", 4),
        ("cbind(k) ~ x", "two arguments", 0),
        ("cbind(k, m) / 2 ~ x", "whole left side", 0),
        ("y ~ x + offset(z):x", "term of its own", 8),
        ("y ~ x - offset(z)", "no offset.z. to take away", 6),
    ],
)
def test_errors_point_at_the_place(text, message, position):
    with pytest.raises(FormulaError, match=message) as caught:
        parse(text)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "formula is empty"),
        ("y", "no '~'"),
        ("y ~", "nothing stands right"),
        ("y ~ 'a'", "String literals"),
        ("y ~ a b", "Missing operator"),
        ("y ~ 2 * x", "nothing is calculated with 2"),
        ("y ~ x ** z", "positive integer"),
        ("y ~ (1 | g) + (1 | g)", "appears twice"),
        ("y ~ (x | g) + (1 + x | g)", "appears twice"),
    ],
)
def test_other_errors(text, message):
    with pytest.raises(FormulaError, match=message):
        parse(text)


def test_wrong_types():
    with pytest.raises(ArgumentTypeError, match="formula must be a string.*got int"):
        parse(3)
    with pytest.raises(ArgumentTypeError, match="groups must be a string or a list"):
        with_random(parse("y ~ x"), groups=3)
    with pytest.raises(ArgumentTypeError, match="random must be"):
        with_random(parse("y ~ x"), random=[1])
    with pytest.raises(FormulaError, match="random= takes random terms only"):
        with_random(parse("y ~ x"), random="x + (1 | g)")


def test_a_random_term_can_be_taken_away_again():
    left = parse("y ~ x + (1 + x | g) + (1 | h) - (x | g)").random
    assert [term.text for term in left] == ["(1 | h)"]
    assert parse("y ~ x + (1 | a/b) - (1 | a/b) + (1 | a)").random[0].label == "a"


@pytest.mark.parametrize(
    ("text", "structure", "rank", "written"),
    [
        ("cs(1 + x | g)", "cs", None, "cs(1 + x | g)"),
        ("cs(x | g, hom=TRUE)", "homcs", None, "homcs(x | g)"),
        ("diag(x | g, hom = True)", "homdiag", None, "homdiag(x | g)"),
        ("ar1(0 + f | g, het=TRUE)", "hetar1", None, "hetar1(0 + f | g)"),
        ("hetar1(0 + f | g, hom=T)", "ar1", None, "ar1(0 + f | g)"),
        ("toep(0 + f | g, hom=F)", "toep", None, "toep(0 + f | g)"),
        ("rr(0 + f | g, d=3)", "rr", 3, "rr(0 + f | g, d=3)"),
        ("rr(0 + f | g, 3L)", "rr", 3, "rr(0 + f | g, d=3)"),
        ("exp(a + b | g)", "exp", None, "exp(0 + a + b | g)"),
        ("exp(a + 0 | g)", "exp", None, "exp(0 + a | g)"),
    ],
)
def test_structures_by_name_and_with_options(text, structure, rank, written):
    (term,) = parse(f"y ~ 1 + {text}").random
    assert (term.structure, term.rank, term.text) == (structure, rank, written)
    assert parse(f"y ~ 1 + {term.text}").random == (term,)


def test_a_function_of_the_fixed_part_is_no_structure():
    formula = parse("y ~ exp(x) + (1 | g)")
    assert formula.fixed == "exp(x)" and len(formula.random) == 1
