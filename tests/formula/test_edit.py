"""Formulas with dots: what R's ``update`` makes of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import ArgumentTypeError, DataWarning, FormulaError
from interlace.formula.edit import updated
from interlace.formula.parser import parse

# right sides of R 4.2, update(old, new), for fixed effects alone
R_UPDATES = [
    ("y~a+b", ". ~ . * c", "y ~ a + b + c + a:c + b:c"),
    ("y~a+b", ". ~ .:c", "y ~ a:c + b:c"),
    ("y~a+b", ". ~ .^2", "y ~ a + b + a:b"),
    ("y~a+b", ". ~ 0 + .", "y ~ 0 + a + b"),
    ("y~a+b", ". ~ c*.", "y ~ c + a + b + c:a + c:b"),
    ("y~a+b", "log(.) ~ .", "log(y) ~ a + b"),
    ("y~a+b", "sqrt(.) ~ log(.)", "sqrt(y) ~ log(a + b)"),
    ("y~0+a", ". ~ . + b", "y ~ 0 + a + b"),
    ("y~0+a", ". ~ . * b", "y ~ 0 + a + b + a:b"),
    ("y~0+a", ". ~ . + 1", "y ~ a"),
    ("y~1", ". ~ . - 1", "y ~ 0"),
    ("y~a*b", ". ~ . - a", "y ~ b + a:b"),
    ("y~a*b", ". ~ . - a:b", "y ~ a + b"),
    ("y~a*b", ". ~ . - a*b", "y ~ 1"),
    ("y~a", "~ b", "y ~ b"),
    ("y~a", "z ~ .", "z ~ a"),
    ("y~a*b*c", ". ~ . - a:b:c - a:b", "y ~ a + b + c + a:c + b:c"),
    ("y~a", ". ~ . %in% b", "y ~ a:b"),
    ("y~a", ". ~ ./b", "y ~ a + a:b"),
    ("y~a", ". ~ b/.", "y ~ b + b:a"),
    ("y~a + I(a^2)", ". ~ . - I(a^2)", "y ~ a"),
    ("y~`my x`+a", ". ~ . - `my x`", "y ~ a"),
    ("cbind(k,n)~a", ". ~ . + b", "cbind(k,n) ~ a + b"),
    ("y~a+b-1", ". ~ (.)^2", "y ~ 0 + a + b + a:b"),
    ("y~a + offset(log(w))", ". ~ b", "y ~ b"),
    ("y~a + offset(log(w))", ". ~ . + b", "y ~ a + b + offset(log(w))"),
    ("y~a", "I(.-1) ~ .", "I(y-1) ~ a"),
    ("y~a*b", ". ~ (. - b)*c", "y ~ a + c + a:b + a:c + a:b:c"),
    ("y~a", ". ~ I(1.5*a) + .", "y ~ I(1.5 * a) + a"),
    ("y~a*b", ". ~ log(.) + z", "y ~ log(a * b) + z"),
    ("y~a-1", ". ~ I(.)", "y ~ I(a - 1)"),
]


@pytest.mark.parametrize("old, new, expected", R_UPDATES)
def test_dots_stand_where_r_has_them(old, new, expected):
    assert updated(new, parse(old)) == expected


@pytest.mark.parametrize("old, new, expected", R_UPDATES)
def test_what_is_written_means_the_same_when_read_again(old, new, expected):
    once = updated(new, parse(old))
    assert updated(". ~ .", parse(once)) == expected


@pytest.mark.parametrize("place", ["y ~ (1 | g) + a + b", "y ~ a + (1 | g) + b", "y ~ a+b+(1 | g)"])
def test_random_terms_stay_wherever_they_stand(place):
    assert updated(". ~ . * c", parse(place)) == "y ~ a + b + c + a:c + b:c + (1 | g)"
    assert updated(". ~ .:c + (1 | h)", parse(place)) == "y ~ a:c + b:c + (1 | g) + (1 | h)"
    assert updated(". ~ . - (1 | g) + (a || g)", parse(place)) == "y ~ a + b + (a || g)"
    assert updated(". ~ a", parse(place)) == "y ~ a"


def test_a_part_of_an_expanded_random_term_goes():
    assert updated(". ~ . - (1 | b:a)", parse("y ~ x + (1 | a/b)")) == "y ~ x + (1 | a)"
    assert updated(". ~ . + z", parse("y ~ x + (1 | a/b)")) == "y ~ x + z + (1 | a/b)"


def test_a_dot_in_a_random_term_is_the_fixed_part():
    assert updated(". ~ . + (. | h)", parse("y ~ a + b + (1 | g)")) == (
        "y ~ a + b + (1 | g) + ((a + b) | h)"
    )


def test_dots_that_stand_for_nothing():
    assert updated(". ~ . + I(a*.5) + `p.q` + x.y", parse("y ~ b")) == (
        "y ~ b + I(a * 0.5) + p.q + x.y"
    )
    assert updated(". ~ . + f(a, '. ~ .')", parse("y ~ b")) == "y ~ b + f(a, '. ~ .')"


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("y ~ a + b", ". ~ . - Foo", "no term Foo to take away; the terms there are a, b"),
        ("y ~ abcd", ". ~ . - abce", "Did you mean 'abcd'"),
        ("y ~ a", ". ~ . - (1 | g)", "no random term"),
        ("y ~ a", ". ~ . - offset(w)", "no offset.w. to take away"),
        ("y ~ a + b", ". ~ -a + .", "no term a to take away"),
        ("y ~ 1", ". ~ . * z", "stands for the intercept alone"),
        ("y ~ a", ". ~ . + 1/b", "nothing is calculated with 1"),
        ("y ~ a", ". ~", "nothing stands right"),
        ("y ~ a", "a", "one '~'"),
    ],
)
def test_what_cannot_be_updated_is_said(old, new, message):
    with pytest.raises(FormulaError, match=message):
        updated(new, parse(old))


def test_a_formula_that_takes_nothing_away_is_refused_when_fitted_too():
    with pytest.raises(FormulaError, match="no term b to take away"):
        parse("y ~ a - b + (1 | g)")
    assert parse("y ~ a*b - a:b - 1").fixed == "a*b - a:b - 1"


@pytest.mark.parametrize("formula", [5, None, ["y ~ x"], pd.DataFrame()])
def test_a_formula_is_text(formula):
    with pytest.raises(ArgumentTypeError, match="formula must be a string"):
        updated(formula, parse("y ~ a"))


def test_an_updated_fit_is_the_fit_of_the_formula(fit_cache):
    m = fit_cache("sleepstudy", "Reaction ~ (Days | Subject) + Days")
    squared = il.update(m, ". ~ . + I(Days^2) - Days")
    assert squared.formula == "Reaction ~ I(Days ** 2) + (Days | Subject)"
    assert squared.llf == il.fit(squared.formula, il.load_dataset("sleepstudy")).llf


def test_random_terms_given_apart_can_be_taken_away():
    m = il.fit("Reaction ~ Days", il.load_dataset("sleepstudy"), groups="Subject")
    assert il.update(m, ". ~ . - (1 | Subject) + (Days | Subject)").formula == (
        "Reaction ~ Days + (Days | Subject)"
    )
    assert il.update(m, ". ~ . - Days", random="(0 + Days | Subject)").formula == (
        "Reaction ~ 1 + (0 + Days | Subject)"
    )
    assert il.update(m, "Reaction ~ 1").formula == "Reaction ~ 1 + (1 | Subject)"


def test_all_columns_are_written_out():
    d = il.load_dataset("sleepstudy").assign(z=np.arange(180) % 7)
    m = il.fit("Reaction ~ . + (1 | Subject)", d)
    assert il.update(m, ". ~ . - Days").formula == "Reaction ~ z + (1 | Subject)"


def fit_with_local_names():
    limit = 5  # noqa: F841 (the formula reads it)

    def half(x):
        return x / 2

    sleep = il.load_dataset("sleepstudy")
    return il.fit("Reaction ~ half(Days) + I(Days > limit) + (1 | Subject)", sleep)


def test_an_update_knows_the_names_of_the_fit():
    m = fit_with_local_names()
    assert il.update(m, method="ML").converged
    assert il.update(m, ". ~ . - half(Days)").formula == (
        "Reaction ~ I(Days > limit) + (1 | Subject)"
    )

    def third(x):
        return x / 3

    again = il.update(m, ". ~ . - half(Days) + third(Days)")
    assert "third(Days)" in again.fe_params.index


def test_names_of_one_update_are_gone_in_the_next_fit():
    il.update(fit_with_local_names(), method="ML")
    with pytest.raises(FormulaError, match=r"half\(\), which is no function"):
        il.fit("Reaction ~ half(Days) + (1 | Subject)", il.load_dataset("sleepstudy"))


# --- the response on both sides -------------------------------------------------------------


@pytest.mark.parametrize(
    "formula, plain",
    [
        ("Reaction ~ Reaction + Days + (1 | Subject)", "Reaction ~ Days + (1 | Subject)"),
        ("Reaction ~ `Reaction` + (1 | Subject)", "Reaction ~ 1 + (1 | Subject)"),
        (
            "log(Reaction) ~ Days + log( Reaction ) + (1 | Subject)",
            "log(Reaction) ~ Days + (1 | Subject)",
        ),
        (
            "Reaction ~ Reaction*Days + (1 | Subject)",
            "Reaction ~ Days + Reaction:Days + (1 | Subject)",
        ),
    ],
)
def test_the_response_is_no_term_of_its_own_model(formula, plain):
    sleep = il.load_dataset("sleepstudy")
    with pytest.warns(DataWarning, match="was dropped there, as in R"):
        m = il.fit(formula, sleep)
    assert m.llf == il.fit(plain, sleep).llf


def test_the_response_of_a_glm_and_as_random_slope():
    d = pd.DataFrame({"y": np.arange(12) % 5, "x": np.arange(12.0), "g": list("abc") * 4})
    with pytest.warns(DataWarning, match="was dropped there"):
        m = il.glm("y ~ x + y", d, "poisson")
    assert list(m.fe_params.index) == ["Intercept", "x"]
    with pytest.raises(FormulaError, match="covariate of the random term"):
        il.fit("y ~ x + (0 + y | g)", d)


def test_a_transformed_response_and_its_raw_self_are_two_things():
    m = il.fit("log(Reaction) ~ Reaction + (1 | Subject)", il.load_dataset("sleepstudy"))
    assert "Reaction" in m.fe_params.index
