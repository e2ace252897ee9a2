"""Calls of R: what they are here, the numbers of the fits against R's, and what is refused."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY

import interlace as il
from interlace.errors import ArgumentError, DataError, FormulaError
from interlace.families.names import resolve
from interlace.interop.r.families import FAMILIES, family_of
from interlace.interop.r.fits import FITS, FORMALS
from interlace.interop.r.from_r import unwrapped
from interlace.r_language.nodes import Call, function_name, walk
from interlace.r_language.parser import parse_expression, parse_script
from interlace.tables import r_call

TUTORIAL = json.loads((R_PARITY / "references" / "tutorial.json").read_text(encoding="utf-8"))
del TUTORIAL["versions"]
#: Calls that are refused, and what for.
REFUSED = {"`factor(Days)` = ": "make it a column", "as.integer(dept)": "places of its levels"}
#: Calls whose log-likelihood lacks constants in R, lme4 1.1-31 with several nodes.
WITHOUT_CONSTANTS = re.compile(r"^(?!clmm).*glmer\(.*nAGQ = 9", re.S)


def unmatched(call: str) -> str | None:
    return next((why for part, why in REFUSED.items() if part in call), None)


def quietly(call: il.ModelFromR, **arguments: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call.fit(**arguments)


def test_there_are_as_many_calls_as_are_promised() -> None:
    script = (R_PARITY / "tutorial_calls.R").read_text(encoding="utf-8")
    statements, _ = parse_script(script)
    assert [script[s.start : s.end] for s in statements] == [r["call"] for r in TUTORIAL.values()]
    assert sum(unmatched(r["call"]) is None for r in TUTORIAL.values()) >= 90


@pytest.mark.parametrize("record", TUTORIAL.values(), ids=list(TUTORIAL))
def test_calls_of_tutorials_give_the_numbers_of_r(record) -> None:
    if why := unmatched(record["call"]):
        with pytest.raises((ArgumentError, DataError), match=why):
            il.from_r(record["call"]).fit()
        return
    m = quietly(il.from_r(record["call"]))
    table = m.tidy("fixed", r_names=True) if hasattr(m, "theta") else m.tidy(r_names=True)
    if "component" in table and not hasattr(m, "thresholds"):
        table = table[table["component"] == "cond"]
    terms = [term.replace(".Intercept", ".(Intercept)") for term in table["term"]]
    # of the location and of the scale: the location comes first
    own = dict(zip(terms[::-1], table["estimate"][::-1], strict=True))
    se = np.array(record["se"], float)
    names = [re.sub(r"\w+(::|\$)", "", name) for name in record["names"]]
    if not set(names) <= set(own):
        assert len(names) == len(own)
        own = dict(zip(names, reversed(own.values()), strict=True))
    apart = np.array([own[name] for name in names]) - record["estimate"]
    # R's searches stop within a hundredth of a standard error of the optimum
    known = np.isfinite(se) & (se < 1e3) & (record["log_lik"] is not None)
    assert (np.abs(apart[known]) < 0.01 * se[known]).all()
    if record["log_lik"] is None:
        assert "convergence problem" in record["messages"][0]
    elif not WITHOUT_CONSTANTS.match(record["call"]):
        assert -1e-3 < m.llf - record["log_lik"] < 5e-3
    assert m.nobs == record["nobs"] or "weights = Freq" in record["call"]


# -- scripts that make the references -------------------------------------------------------------

SCRIPTS = sorted(R_PARITY.glob("*.R"))
#: What calls of the scripts are refused for: parts that are variables of theirs.
OF_SCRIPTS = re.compile(
    r"is no formula|has no formula|is not known|has no translation|is not available here|"
    r"no one-sided formula|random= is missing|have no name|makes no fit|make it a column"
)


def fitting_calls(source: str) -> list[Call]:
    nodes = (node for statement in parse_expression(source) for node in walk(statement))
    return [n for n in nodes if isinstance(n, Call) and function_name(n) in FITS and n.arguments]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_calls_of_the_scripts_are_translated_or_refused(path) -> None:
    source = path.read_text(encoding="utf-8")
    for node in fitting_calls(source):
        text = source[node.start : node.end] if node.end > node.start else ""
        if not text.startswith(tuple(FITS)):  # the right side of a pipe
            continue
        try:
            code = il.from_r(text).code
        except (ArgumentError, FormulaError) as error:
            assert OF_SCRIPTS.search(str(error)), (text, str(error))
        else:
            compile(code, "", "eval")


def test_there_are_calls_in_the_scripts() -> None:
    assert sum(len(fitting_calls(p.read_text(encoding="utf-8"))) for p in SCRIPTS) > 120


# -- what a call says -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (
            "m <- lmer(y ~ x + (1|g), d, REML = T, control = lmerControl())",
            'il.lmer("y ~ x + (1 | g)", d)',
        ),
        ("lmer(data = d.long, y ~ x + (1|g))", 'il.lmer("y ~ x + (1 | g)", d_long)'),
        ("lmer(y ~ x + (1|g))", 'il.lmer("y ~ x + (1 | g)", data)'),
        ("lmer('y ~ x + (1|g)', d)", 'il.lmer("y ~ x + (1 | g)", d)'),
        ("lmer(as.formula(\"y ~ x + (1|g)\"), d)", 'il.lmer("y ~ x + (1 | g)", d)'),
        ("lmer(y ~ a:b %in% c + (1|g), d)", 'il.lmer("y ~ a:b %in% c + (1 | g)", d)'),
        ("lmer(y ~ yield + lambda + (1|g), d)", 'il.lmer("y ~ `yield` + `lambda` + (1 | g)", d)'),
        ("lmer(`my y` ~ x + (1|g), d)", 'il.lmer("`my y` ~ x + (1 | g)", d)'),
        ("lmer(größe ~ naïve + (1|β), d)", 'il.lmer("größe ~ naïve + (1 | β)", d)'),
        (
            'lmer(y ~ relevel(f, ref = "b") + (1|g), d)',
            "il.lmer('y ~ relevel(f, ref = \"b\") + (1 | g)', d)",
        ),
        (
            "lmer(y ~ x + (1|g), d[d$x > 3 & !is.na(d$z), ], wei = 1 / v)",
            'il.lmer("y ~ x + (1 | g)", d, weights=1 / d["v"], '
            'subset=(d["x"] > 3) & d["z"].notna())',
        ),
        (
            "lmer(y ~ x + (1|g), na.omit(d), subset = f == 'a')",
            "il.lmer(\"y ~ x + (1 | g)\", d.dropna(), subset='f == \"a\"')",
        ),
        (
            "glmer(y ~ x + (1|g), d, binomial(link = cauchit), nAGQ = 0L)",
            'il.glmer("y ~ x + (1 | g)", d, family="binomial(cauchit)", nAGQ=0)',
        ),
        (
            "glmer(y ~ x + (1|g), d, negative.binomial(2))",
            'il.glmer("y ~ x + (1 | g)", d, family=il.NegativeBinomial(theta=2), '
            'laplace="expected")',
        ),
        (
            "glmmTMB(y ~ x + (1|g), d, ziGamma(link = 'log'), zi = ~ 1)",
            'il.glmer("y ~ x + (1 | g)", d, family="gamma(log)", ziformula="~ 1")',
        ),
        (
            "glmmTMB(y ~ exp(numFactor(lon, lat) + 0 | g), d)",
            'il.fit("y ~ exp(lon + lat + 0 | g)", d, method="ML")',
        ),
        ("glmmTMB(y ~ x, d, REML = TRUE)", 'il.gls("y ~ x", d)'),
        ("glm(y ~ x, Gamma, d)", 'il.glm("y ~ x", d, family="gamma")'),
        ("glm(y ~ x, power(1/3), d)", None),
        (
            "glm(y ~ x, gaussian(power(1/3)), d)",
            'il.glm("y ~ x", d, family="gaussian(power(1 / 3))")',
        ),
        (
            "lme(y ~ x, d, list(a = ~ 1, b = pdDiag(~ x)), varIdent(c(u = 2), ~ 1 | f) -> w)",
            None,
        ),
        (
            "lme(y ~ x, d, list(a = ~ 1, b = pdDiag(~ x)), weights = varIdent(c(u = 2), ~ 1 | f))",
            'il.fit("y ~ x + (1 | a) + diag(x | a:b)", d, variance="ident(1 | f)")',
        ),
        (
            "lme(y ~ x, d, ~ 1 | g, weights = varComb(varIdent(form = ~ 1 | f), varPower()))",
            'il.fit("y ~ x + (1 | g)", d, variance="ident(1 | f) * power(fitted)")',
        ),
        (
            "lme(y ~ x, d, list(g = pdBlocked(list(pdIdent(~ f - 1), pdSymm(~ x)))))",
            'il.fit("y ~ x + homdiag(f - 1 | g) + (x | g)", d)',
        ),
        ("gls(y ~ x, d, weights = ~ z)", 'il.gls("y ~ x", d, variance="fixed(z)")'),
        (
            "gls(y ~ x, d, corExp(form = ~ lon + lat))",
            'il.gls("y ~ x", d, correlation="exp(lon + lat)")',
        ),
        (
            "gls(y ~ x, d, corExp(form = ~ lon, nugget = TRUE))",
            'il.gls("y ~ x", d, correlation="exp(lon, nugget=True)")',
        ),
        (
            "gls(y ~ x, d, corGaus(form = ~ lon | g, nugget = FALSE))",
            'il.gls("y ~ x", d, correlation="gau(lon | g, nugget=False)")',
        ),
        (
            "lme(y ~ x, d, ~ 1 | g, corARMA(form = ~ t | g, p = 2, q = 1L))",
            'il.fit("y ~ x + (1 | g)", d, correlation="arma(t | g, p=2, q=1)")',
        ),
        ("polr(y ~ x, d, method = 'cloglog')", 'il.clm("y ~ x", d, link="cloglog")'),
        (
            "library(lme4)\n# the data\ndata(d)\nlmer(y ~ x + # slope\n (1|g), d)",
            'il.lmer("y ~ x + (1 | g)", d)',
        ),
    ],
)  # fmt: skip
def test_code_of_calls(call, code) -> None:
    if code is None:
        with pytest.raises((ArgumentError, FormulaError)):
            il.from_r(call)
    else:
        assert il.from_r(call).code == code


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("lmer(form, d)", "formula=form is no formula: write the formula itself"),
        ("lmer(y ~ x + (1|g), d, devFunOnly = TRUE)", "devFunOnly=TRUE .* il.modular"),
        ("lmer(y ~ x + (1|g), d, REML = maybe)", "REML=maybe of lmer.* neither TRUE nor FALSE"),
        ("lmer(y ~ x + (1|g), d, lasso = 3)", "lasso= of lmer.* is not available here"),
        ("lmer(y ~ x + (1|g), d, na.action = na.pass)", "na.action=na.pass is not available"),
        ("lmer(y ~ x[1] + (1|g), d)", "make it a column of the data"),
        ("lmer(y ~ x + (1|g), merge(a, b))", r"merge\(\) has no translation"),
        ("glmer(y ~ x + (1|g), d, quasipoisson)", "quasi families have no likelihood"),
        ("glmer(y ~ x + (1|g), d, fam)", "family=fam: that family is not known"),
        ("glmer(y ~ x + (1|g), d, poisson, nAGQ = -1)", "nAGQ=-1 is not available"),
        ("glm(y ~ x, binomial, d, method = 'brglmFit')", "method=brglmFit of glm"),
        ("lm(cbind(a, b) ~ x, d)", "several responses"),
        ("glmmTMB(y ~ x + (1|g), d, weights = w)", "powers of the density"),
        ("glmmTMB(y ~ x + (1|g), d, poisson, REML = TRUE)", "REML=TRUE of glmmTMB"),
        ("glmmTMB(y ~ x + (1|g), d, dispformula = ~ 0)", "dispformula=~0"),
        ("glmmTMB(y ~ x + (1|g), d, map = list(a = 1))", "map= of glmmTMB"),
        ("lme(y ~ x, d, ~ 1)", "random=~ 1 has no grouping factor"),
        ("lme(y ~ x, d)", "random= is missing"),
        ("lme(y ~ x, d, ~ 1 | g, corAR1(0.3, ~ 1 | g, fixed = TRUE))", "fixed=TRUE of corAR1"),
        ("lme(y ~ x, d, ~ 1 | g, corLin(form = ~ x))", "correlation=corLin.* is not available"),
        ("lme(y ~ x, d, ~ 1 | g, control = lmeControl(sigma = 1))", "control= holds the residual"),
        ("gls(y ~ x, d, corAR1(form = ~ 1 | g, nugget = TRUE))", "nugget= of corAR1"),
        ("lme(y ~ x, d, list(g = pdBlocked()))", r"random=pdBlocked\(\) has no translation"),
        ("gls(y ~ x, d, corAR1(, ~ 1 | g))", "'corAR1.*' has an empty argument"),
        ("gls(y ~ x, d, weights = varConstProp())", "weights=varConstProp.. is not available"),
        ("polr(y ~ x, d, start = 1)\nsummary(m)", "this text has 2 statements"),
        ("summary(m)", "no call that fits a model"),
        ("blmer(y ~ x + (1|g), d)", r"blmer\(\) is not among"),
        ("3", "'3' is no call that fits a model"),
        ("lmer(y ~ x + (1|g, d)", "unexpected ','"),
        ("", "0 statements"),
    ],
)
def test_refusals_name_what_is_not_there(call, said) -> None:
    with pytest.raises((ArgumentError, FormulaError), match=said) as caught:
        il.from_r(call)
    assert "Traceback" not in str(caught.value)


def test_what_is_dropped_is_said() -> None:
    call = il.from_r(
        "lme(y ~ x, d, ~ 1 | g, corAR1(0.3), control = lmeControl(), keep.data = FALSE)"
    )
    assert call.code == 'il.fit("y ~ x + (1 | g)", d, correlation="ar1(1)")'
    assert [note.partition(" is dropped")[0] for note in call.notes] == [
        "value= of corAR1()", "control=", "keep.data=",
    ]  # fmt: skip
    assert repr(call).count("# ") == 3 and "<li>" in call._repr_html_()
    gamma = il.from_r("glmer(y ~ x + (1 | g), d, Gamma('log'))")
    assert any("leaves the dispersion" in note for note in gamma.notes)


# -- data -----------------------------------------------------------------------------------------


def test_data_are_those_of_the_call() -> None:
    r = "lmer(Reaction ~ Days + (1 | Subject), my.data, weights = w)"
    my_data = il.load_dataset("sleepstudy").assign(w=2.0)
    by_name, by_argument = il.from_r(r).fit(), il.from_r(r, data=my_data).fit()
    later = il.from_r(r).fit(my_data)
    assert by_name.llf == by_argument.llf == later.llf
    with pytest.raises(DataError, match="no data for 'elsewhere'"):
        il.from_r("lmer(y ~ x + (1 | g), elsewhere)").fit()


def test_names_that_are_no_columns_are_variables() -> None:
    d = il.load_dataset("sleepstudy")
    own_weights = np.linspace(1.0, 2.0, len(d))
    call = il.from_r("lmer(Reaction ~ Days + (1 | Subject), d, weights = own_weights)", data=d)
    assert call.code.endswith("weights=own_weights)")
    assert call.fit().llf == il.fit("Reaction ~ Days + (1 | Subject)", d, weights=own_weights).llf


def test_polars_and_dictionaries_of_columns() -> None:
    import polars

    d = il.load_dataset("sleepstudy")
    r = "print(m <- lmer(Reaction ~ Days + (1 | Subject), d[d$Days > 2 & !is.na(d$Days), ]))"
    expected = il.from_r(r, data=d).fit().llf
    assert expected == il.fit("Reaction ~ Days + (1 | Subject)", d, subset="Days > 2").llf
    for other in (polars.from_pandas(d.astype({"Subject": str})), d.to_dict("list")):
        assert quietly(il.from_r(r, data=other)).llf == pytest.approx(expected, abs=1e-9)


def test_families_have_the_links_of_r() -> None:
    links = {"gaussian": "identity", "binomial": "logit", "Gamma": "inverse",
             "beta_family": "logit", "inverse.gaussian": "inverse_square",
             "betabinomial": "logit", "ordbeta": "logit", "t_family": "identity",
             "skewnormal": "identity"}  # fmt: skip
    for name in FAMILIES:
        family = family_of(parse_expression(name)[0])
        assert family.own.link.name == links.get(name, "log"), name
        assert family.own == resolve(FAMILIES[name])


def test_every_function_takes_its_formula_first() -> None:
    for name in FITS:
        first = FORMALS[name].split()[0]
        assert first in ("formula", "fixed", "model")
        node = unwrapped(parse_expression(f"(m <- {name}(y ~ x, d))")[0])
        assert function_name(node) == name


def test_families_of_both_directions_are_the_same() -> None:
    back = {r: name for name, (r, _) in r_call.FAMILIES.items()}
    assert set(back) == set(FAMILIES)
    for r, name in back.items():
        assert resolve(FAMILIES[r]).name == name


# -- and back -------------------------------------------------------------------------------------


def cases() -> dict[str, Any]:
    """Fits of every kind, with their data."""
    sleep, wine, cbpp = (il.load_dataset(name) for name in ("sleepstudy", "wine", "cbpp"))
    pastes = il.load_dataset("Pastes")
    days = "Reaction ~ Days"
    fit = lambda *a, **k: (lambda: il.fit(*a, **k), a[1])  # noqa: E731
    glmer = lambda *a, **k: (lambda: il.glmer(*a, **k), a[1])  # noqa: E731
    glm = lambda *a, **k: (lambda: il.glm(*a, **k), a[1])  # noqa: E731
    gls = lambda *a, **k: (lambda: il.gls(*a, **k), a[1])  # noqa: E731
    share = "incidence / size ~ period"
    return {
        "double bar": fit(f"{days} + (Days || Subject)", sleep),
        "ml": fit(days, sleep, groups="Subject", method="ML"),
        "arguments": fit(
            "Reaction ~ poly(Days, 2) + I(Days**2 > 3) + (1 | Subject)", sleep, weights="Days",
            subset="Days > 2 and Days != 5", na_action="exclude", contrasts={"Subject": "sum"}),
        "diag": fit(f"{days} + diag(Days | Subject)", sleep, method="ML"),
        "ar1": fit(f"{days} + ar1(0 + Days | Subject)", sleep),
        "cs": fit(f"{days} + cs(Days | Subject)", sleep),
        "exp": fit(f"{days} + exp(0 + Days | Subject)", sleep),
        "dispersion": fit(days, sleep, random="(1 | Subject)", offset="Days",
                          dispformula="~ Days"),
        "nested": fit("strength ~ 1 + (1 | batch/cask)", pastes),
        "lme": fit("strength ~ 1 + (1 | batch/cask)", pastes, variance="~ batch"),
        "lme blocks": fit(f"{days} + (1 | Subject) + homdiag(0 + Days | Subject)", sleep,
                          variance="exp(Days)", method="ML"),
        "lme power": fit(f"{days} + (1 | Subject)", sleep, variance="power(fitted)",
                         correlation="ar1(Days | Subject)"),
        "gls": gls(days, sleep, "ar1(Days | Subject)", method="ML"),
        "gls arma": gls(days, sleep, "arma(Days | Subject, p=1, q=1)"),
        "gls nugget": gls(days, sleep, "exp(Days | Subject, nugget=True)"),
        "gls product": gls(days, sleep, variance="ident(1 | Subject) * exp(Days)"),
        "gls fixed": gls(days, sleep, variance="fixed(Days + 1)"),
        "gls cs": gls(days, sleep, "cs(1 | Subject)"),
        "clm offset": (lambda: il.clm("rating ~ temp", wine.assign(z=0.1), offset="z"),
                       wine.assign(z=0.1)),
        "lm": glm(days, sleep, weights="Days", subset="Days > 0"),
        "gamma": glm(days, sleep, "gamma(log)"),
        "inverse gaussian": glm(days, sleep, "inverse_gaussian"),
        "glm": glm(share, cbpp, "binomial(cloglog)", weights="size"),
        "glm nodes": glmer(share, cbpp, "binomial(probit)", "herd", weights="size", nAGQ=4),
        "observed": glmer("cbind(incidence, size - incidence) ~ period", cbpp, "binomial(probit)",
                          "herd", laplace="observed", contrasts={"period": "sum"}),
        "beta binomial": glmer(f"{share} + (1 | herd)", cbpp, "betabinomial", weights="size"),
        "nb": glmer("incidence ~ period + (1 | herd)", cbpp, "nbinom2", laplace="expected"),
        "nb observed": glmer("incidence ~ period + (1 | herd)", cbpp, "nbinom2", offset="size"),
        "zip": glmer("incidence ~ period + (1 | herd)", cbpp, "zip"),
        "hurdle": glm("incidence ~ period", cbpp, "hurdle_poisson"),
        "clm": (lambda: il.clm("rating ~ temp", wine, "probit", nominal="~ contact"), wine),
        "clm scale": (lambda: il.clm("rating ~ temp", wine, scale="~ contact"), wine),
        "clmm": (lambda: il.clmm("rating ~ temp + (1 | judge)", wine, nAGQ=5,
                                 threshold="symmetric"), wine),
    }  # fmt: skip


CASES = cases()


def assert_same_model(m: Any, data: Any) -> None:
    again = quietly(il.from_r(m.to_r("d"), data))
    assert again.llf == pytest.approx(m.llf, abs=1e-6)
    np.testing.assert_allclose(again.params, m.params, rtol=1e-4, atol=1e-5)
    assert again.nobs == m.nobs and type(again) is type(m)
    assert il.from_r(again.to_r("d"), data).code == il.from_r(m.to_r("d"), data).code


@pytest.mark.parametrize("name", CASES)
def test_what_a_fit_is_in_r_is_read_back(name) -> None:
    make, data = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_same_model(make(), data)


RELATED = pd.DataFrame(0.5 + 0.5 * np.eye(6), list("abcdef"), list("abcdef"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda d: il.fit("y ~ x + (1 | g)", d, weights=np.ones(60)), "weights= is .* no name"),
        (lambda d: il.fit("y ~ x + (1 | g)", d, subset=np.ones(60, bool)), "subset= is"),
        (lambda d: il.fit("y ~ x + (1 | g)", d, contrasts={"g": np.eye(6)[:, :5]}), "contrasts="),
        (lambda d: il.fit("y ~ x + (1 | g) + (1 | h)", d, variance="exp(x)"), "nested grouping"),
        (lambda d: il.fit("y ~ x + cs(x | g)", d, weights="w"), "powers of the density"),
        (lambda d: il.gls("y ~ x", d, "cs(1 | g)", offset="w"), "no offsets"),
        (lambda d: il.gls("y ~ x", d, "cs(1 | g)", weights="w"), "no argument of nlme's"),
        (lambda d: il.glm("p ~ x", d, il.Gamma(shape=2.0, link="log")), "holds shape"),
        (lambda d: il.glmer("p ~ x + (1 | g)", d, "Gamma(log)", laplace="expected"), "expected"),
        (
            lambda d: il.fit("y ~ x + (1 | g, cov=A)", d, matrices={"A": RELATED}),
            "levels have a known covariance",
        ),
        (
            lambda d: il.fit("y ~ x + (1 | g)", d).refit(d.y + d.x),
            "which this result does not hold",
        ),
    ],
)
def test_what_r_has_not_is_refused(make, said) -> None:
    rng = np.random.default_rng(2)
    d = pd.DataFrame({"x": rng.normal(size=60), "g": np.tile(list("abcdef"), 10), "w": 2.0})
    d["h"] = rng.choice(list("uvwxyz"), 60)
    d["y"] = rng.normal(size=60) + d.g.map(ord) / 2 + 3 * d.h.map(ord)
    d["p"] = np.exp(rng.normal(size=60) + d.g.map(ord) / 3 - 30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        m = make(d)
    with pytest.raises(ArgumentError, match=said):
        m.to_r()


@pytest.mark.parametrize(
    "call",
    [
        "summary(lmer(Reaction ~ Days + (1 | Subject), sleepstudy))",
        "lmer(Reaction ~ Days + (1 | Subject), sleepstudy) %>% summary()",
        "s <- summary(lmer(Reaction ~ Days + (1 | Subject), sleepstudy), correlation = FALSE)",
    ],
)
def test_the_fit_of_a_summary_is_read_and_the_summary_left_out(call):
    read = il.from_r(call)
    assert read.code == 'il.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy)'
    assert read.notes == ("summary() is left out: the fit has m.summary()",)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("brm(y ~ x + (1 | g), d)", "Bayesian models are not available"),
        ("glmmPQL(y ~ x, ~ 1 | g, binomial, d)", "Laplace's approximation"),
        ("mixed(y ~ x + (x | g), d)", "kenward-roger"),
    ],
)
def test_what_stands_near_is_answered(call, words):
    with pytest.raises(il.ArgumentError, match=words):
        il.from_r(call)
