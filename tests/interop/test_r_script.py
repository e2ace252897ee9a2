"""Scripts in R as scripts in Python: texts, that they run, and what is marked as not translated."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import random
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY

import interlace as il
from interlace.__main__ import main
from interlace.errors import InterlaceError
from interlace.interop.r.script import translate
from interlace.interop.r.words import EXAMPLES

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """\
# growth
library(lme4); library(lmerTest)
data("sleepstudy", package = "lme4")

sleepstudy$late <- ifelse(sleepstudy$Days > 5, "late", "early") # in two
d <- subset(sleepstudy, Days > 1 & !is.na(Reaction))
form <- Reaction ~ Days +
  # by subject
  (Days | Subject)
m <- lmer(form, data = d, REML = FALSE,
          control = lmerControl(optimizer = "bobyqa"))  # the fit
m0 <- update(m, . ~ . - Days)
(lr <- anova(m0, m))
slope <- fixef(m)["Days"]
sd(ranef(m)$Subject$Days)
new <- data.frame(Days = 2:4, Subject = "308")
new$fit <- predict(m, newdata = new, re.form = NA)
summary(gm <- NULL)
gm = glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial)
emmeans(gm, pairwise ~ period)$contrasts
eta <- predict(gm)
cbpp |>
  glmer(incidence / size ~ period + (1 | herd), data = _, weights = size, family = binomial) |>
  logLik()
"""

PYTHON = """\
import interlace as il
import numpy as np
import pandas as pd

# growth
sleepstudy = il.load_dataset("sleepstudy")

sleepstudy["late"] = np.where(sleepstudy["Days"] > 5, "late", "early")  # in two
d = sleepstudy[(sleepstudy["Days"] > 1) & sleepstudy["Reaction"].notna()]
# by subject
form = "Reaction ~ Days + (Days | Subject)"
# control= is dropped: settings of a search that is not used here
m = il.lmer(form, d, REML=False)  # the fit
m0 = m.update(". ~ . - Days")
lr = il.anova(m0, m)
print(lr)
slope = m.fe_params["Days"]
print(m.ranef()["Subject"]["Days"].std())
new = pd.DataFrame({"Days": np.arange(2, 5), "Subject": "308"})
new["fit"] = m.predict(new, include_re=False)
# not translated: the assignment inside of an expression, 'gm <- NULL', has no translation
# R: summary(gm <- NULL)
cbpp = il.load_dataset("cbpp")
gm = il.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", cbpp, family="binomial")
print(gm.emmeans("period").contrast("pairwise"))
eta = gm.predict(type="link")
print(il.glmer("incidence / size ~ period + (1 | herd)", cbpp, family="binomial", \
weights="size").llf)
"""


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as printed:
        warnings.simplefilter("ignore")
        exec(compile(code, "<script>", "exec"), names)
    names["printed"] = printed.getvalue()
    return names


def test_a_script_is_translated_and_runs() -> None:
    assert translate(SCRIPT) == PYTHON
    names = run(PYTHON)
    d = il.load_dataset("sleepstudy").query("Days > 1")
    m = il.fit("Reaction ~ Days + (Days | Subject)", d, method="ML")
    assert names["m"].llf == m.llf and names["slope"] == m.fe_params["Days"]
    np.testing.assert_allclose(names["new"]["fit"], m.fe_params.iloc[0] + np.array([2, 3, 4])
                               * m.fe_params["Days"])  # fmt: skip
    assert names["printed"].split()[-1].startswith("-92.02628")  # as in R
    assert np.ptp(names["eta"]) > 1.0 and (names["eta"] < 0).any()


@pytest.mark.parametrize(
    ("r", "lines"),
    [
        ("library(ggplot2)", ["# not translated: the package ggplot2 is not read here",
                              "# R: library(ggplot2)"]),
        ("suppressPackageStartupMessages(library(lme4))", []),
        ("ggplot(d, aes(x)) +\n  geom_line()", ["# not translated: ggplot() has no translation",
                                               "# R: ggplot(d, aes(x)) +", "# R:   geom_line()"]),
        ("x <- foo(1)\nmean(x)\nx <- 2\nmean(x)",
         ["# not translated: foo() has no translation", "# R: x <- foo(1)",
          "# not translated: it uses x, whose line above has no translation", "# R: mean(x)",
          "x = 2", "print(x.mean())"]),
        ("f <- function(x) {\n  x\n}", ["# not translated: 'function(x) { x }' has no translation",
                                      "# R: f <- function(x) {", "# R:   x", "# R: }"]),
        ("set.seed(1)", ["# not translated: there is no seed for all that follows: give "
                         "seed= to simulate(), bootMer() and power()", "# R: set.seed(1)"]),
        ("m <- lmer(y ~ x + (1 | g), d", ["# not translated: R does not read this: '(' is never "
                                        "closed", "# R: m <- lmer(y ~ x + (1 | g), d"]),
        ("m <- blmer(y ~ x + (1 | g), d)\nsummary(m)",
         ["# not translated: blmer() has no translation", "# R: m <- blmer(y ~ x + (1 | g), d)",
          "# not translated: it uses m, whose line above has no translation", "# R: summary(m)"]),
        ('d <- read.table("a.txt", header = TRUE, sep = ";", dec = ",")',
         ['d = pd.read_csv("a.txt", sep=";", decimal=",")']),
        ('d <- read.csv("a.csv")\nsummary(d)\nd$g <- relevel(factor(d$g), ref = "b")',
         ['d = pd.read_csv("a.csv")', "print(d.describe())",
          'd["g"] = d["g"].astype("category").cat.reorder_categories(["b", '
          '*d["g"].astype("category").cat.categories.drop("b")])']),
        ("d$z <- scale(d$x)", ['d["z"] = (d["x"] - d["x"].mean()) / d["x"].std()']),
        ("d$z <- -d$x^2 / (1 + d$y)", ['d["z"] = -d["x"] ** 2 / (1 + d["y"])']),
        ("d$z <- a - (b - c)", ['d["z"] = a - (b - c)']),
        ("levels(d$f) <- c('u', 'v')", ['d["f"] = d["f"].cat.rename_categories(["u", "v"])']),
        ("d$f <- NULL", ['del d["f"]']),
        ("d2 <- d[1:10, ]", ["d2 = d.iloc[:10]"]),
        ("class <- 1; lambda = class", ["class_ = 1", "lambda_ = class_"]),
        ("my.model <- lmer(y ~ x + (1 | g), d)\nsummary(my.model)",
         ['my_model = il.lmer("y ~ x + (1 | g)", d)', "print(my_model.summary())"]),
        ("rm(list = ls())", []),
        ("m = lme(y ~ x, d, ~ 1 | g)\nupdate(m, weights = varPower(), correlation = NULL)",
         ['m = il.fit("y ~ x + (1 | g)", d)',
          'print(m.update(variance="power(fitted)", correlation=None))']),
        ("m <- glmmTMB(y ~ x + (1 | g), d, poisson)\nm2 <- update(m, family = nbinom2)",
         ['m = il.glmer("y ~ x + (1 | g)", d, family="poisson")',
          'm2 = m.update(family="negativebinomial")']),
        ("d <- read.csv('a.csv')\nd <- foo(d)\nmean(d$x)",
         ['d = pd.read_csv("a.csv")',
          "# not translated: foo() has no translation; d stays as it is above", "# R: d <- foo(d)",
          'print(d["x"].mean())']),
        ("m <- lm(y ~ x, d)\nr <- simulateResiduals(m, n = 500)\nplot(r)",
         ['m = il.glm("y ~ x", d)', "r = m.simulated_residuals(500)",
          "# not translated: r is no fit; pictures of other things have no translation",
          "# R: plot(r)"]),
        ("plot(ranef(m))", ["m.plot.caterpillar()"]),
        ("m <- lme(y ~ x, d, ~ 1 | g)\nplot(ACF(m, maxLag = 5))\nacf(resid(m))",
         ['m = il.fit("y ~ x + (1 | g)", d)', 'm.plot.autocorrelation(max_lag=5, type="pearson")',
          "# not translated: acf() of something else than a fit has no translation",
          "# R: acf(resid(m))"]),
        ("lmer(y ~ x + (1 | g), d)", ['print(il.lmer("y ~ x + (1 | g)", d))']),
        ("with(d, mean(x))", ['print(d["x"].mean())']),
        ("m <- update(m0, . ~ . - x, REML = FALSE)", ['m = m0.update(". ~ . - x", REML=False)']),
        ("summary(lme(y ~ x, d, ~ 1 | g))$tTable",
         ["# not translated: tTable of a summary has no translation",
          "# R: summary(lme(y ~ x, d, ~ 1 | g))$tTable"]),
        ("m <- lme(y ~ x, d, ~ 1 | g); n <- gls(y ~ x, d)\nanova(m, n)",
         ['m = il.fit("y ~ x + (1 | g)", d)', 'n = il.gls("y ~ x", d)',
          "print(il.anova(m, n, refit=False))"]),
        ("new <- data.frame(x = 1, f = 'p', g = NA)\nnew2 <- data.frame(x = -1, y = a)",
         ['new = pd.DataFrame({"x": [1], "f": "p", "g": np.nan})',
          'new2 = pd.DataFrame({"x": -1, "y": a})']),
        ("m <- lmer(y ~ x + (1 | g), d)\nqqnorm(resid(m)); qqline(resid(m))\n"
         "plot(fitted(m), resid(m))\nplot(resid(m) ~ fitted(m))\nqqnorm(d$x)\n"
         "plot(fitted(m), resid(n))",
         ['m = il.lmer("y ~ x + (1 | g)", d)', "m.plot.qq()", "m.plot.residuals()",
          "m.plot.residuals()", "# not translated: 'qqnorm(d$x)' has no translation",
          "# R: qqnorm(d$x)",
          "# not translated: 'plot(fitted(m), resid(n))' has no translation",
          "# R: plot(fitted(m), resid(n))"]),
        ("e <- emtrends(m, pairwise ~ f, var = 'x')\ne$contrasts\ne$emtrends\ne <- 1\ne$contrasts",
         ['e = m.emtrends("f", "x").contrast("pairwise")', "print(e)",
          'print(m.emtrends("f", "x"))', "e = 1", 'print(e["contrasts"])']),
        ("contrast(emmeans(m, 'f'), 'trt.vs.ctrl', ref = 2, reverse = FALSE)",
         ['print(m.emmeans("f").contrast("trt.vs.ctrl", ref=1))']),
        ("library(dplyr)\nd <- d %>% filter(x > 1 | x < 0, !is.na(y)) %>%\n"
         "  mutate(z = x^2, w = z + 1)",
         ['d = d[((d["x"] > 1) | (d["x"] < 0)) & d["y"].notna()].assign('
          'z=lambda rows: rows["x"] ** 2, w=lambda rows: rows["z"] + 1)']),
        ("s <- filter(x, rep(1, 3))",
         ["# not translated: rep(1, 3) of filter() has no translation",
          "# R: s <- filter(x, rep(1, 3))"]),
        ("e <- group_by(d, g) %>% mutate(z = x - mean(x))",
         ["# not translated: group_by() has no translation",
          "# R: e <- group_by(d, g) %>% mutate(z = x - mean(x))"]),
        ("options(digits = 4, contrasts = c('contr.treatment', 'contr.poly'))", []),
        ("options(contrasts = c('contr.sum', 'contr.poly'))",
         ["# not translated: fits here code factors by treatment, and those below have other "
          "coefficients than in R: give each of them contrasts={'factor': 'sum'}",
          "# R: options(contrasts = c('contr.sum', 'contr.poly'))"]),
        ("contrasts(d$f) <- contr.sum(2)\nd2 <- subset(d, x > 0)\nform <- y ~ f + (1 | g)\n"
         "m <- lmer(form, d2)\nn <- lmer(y ~ x + (1 | g), d2)\n"
         "d$f <- factor(d$f)\nlm(y ~ f, d)",
         ['d2 = d[d["x"] > 0]', 'form = "y ~ f + (1 | g)"',
          'm = il.lmer(form, d2, contrasts={"f": "contr.sum"})',
          'n = il.lmer("y ~ x + (1 | g)", d2)', 'd["f"] = d["f"].astype("category")',
          'print(il.glm("y ~ f", d))']),
        ("contrasts(d$f) <- c(-0.5, 0.5)\nlmer(y ~ f + (1 | g), d)",
         ['print(il.lmer("y ~ f + (1 | g)", d, contrasts={"f": np.array([[-0.5], [0.5]])}))']),
        ("contrasts(d$f) <- contr.treatment(3, base = 2)",
         ["# not translated: contrasts 'contr.treatment(3, base = 2)' have no translation; fits "
          "take contrasts= by factor, and code others by treatment",
          "# R: contrasts(d$f) <- contr.treatment(3, base = 2)"]),
        ("predict(m, interval = 'confidence')",
         ["# not translated: interval= and random.only= of predict() have no translation; "
          "m.get_prediction(new, interval='prediction') has intervals",
          "# R: predict(m, interval = 'confidence')"]),
    ],
)  # fmt: skip
def test_statements(r, lines) -> None:
    text = translate(r)
    body = [line for line in text.split("\n") if line and not line.startswith("import ")]
    assert body == lines
    ast.parse(text)


def test_comments_and_empty_lines_stay() -> None:
    text = translate("# one\n\n\n# two\nx <- 1 # three\n\n# four\n")
    assert text == "import interlace as il\n\n# one\n\n# two\nx = 1  # three\n\n# four\n"
    assert translate("") == "import interlace as il\n\n\n"
    assert translate("\ufeffx <- 1\r\ny <- 2\r\n").endswith("x = 1\ny = 2\n")


def test_a_hash_inside_of_a_string_is_no_comment() -> None:
    assert 'x = "a # b"' in translate('x <- "a # b" # c') and "# c" in translate('x <- "#" # c')


@pytest.mark.parametrize("path", sorted(R_PARITY.glob("*.R")), ids=lambda path: path.stem)
def test_every_script_becomes_python(path) -> None:
    ast.parse(translate(path.read_text(encoding="utf-8")))


def test_data_tidied_by_dplyr_and_factors_coded_before_the_fit_are_read() -> None:
    names = run(
        translate("""\
library(dplyr)
d <- cake %>% filter(temp > 175, !is.na(angle)) %>% mutate(warm = (temp - 205) / 10, hot = warm > 0)
contrasts(d$recipe) <- contr.sum(3)
m <- lmer(angle ~ recipe * warm + (1 | replicate), d)
e <- emmeans(m, pairwise ~ recipe)
k <- e$contrasts
new <- data.frame(recipe = "A", warm = 0)
p <- predict(m, new, re.form = NA)
""")
    )
    cake = il.load_dataset("cake").query("temp > 175")
    cake["warm"] = (cake.temp.astype(float) - 205) / 10
    m = il.lmer("angle ~ recipe * warm + (1 | replicate)", cake, contrasts={"recipe": "sum"})
    assert names["m"].llf == m.llf and (names["d"]["hot"] == (cake.warm > 0)).all()
    assert list(names["m"].fe_params.index)[1] == "recipe[S.A]"
    assert len(names["p"]) == 1 and len(names["k"].to_frame()) == 3


# -- the vocabulary -------------------------------------------------------------------------------


@cache
def models() -> dict[str, Any]:
    rng = np.random.default_rng(4)
    n = 240
    d = pd.DataFrame({"x": rng.normal(size=n), "f": rng.choice(list("pq"), n),
                      "g": [f"g{i:02d}" for i in rng.integers(12, size=n)],
                      "a": rng.normal(size=n), "b": rng.normal(size=n)})  # fmt: skip
    u = dict(zip(sorted(d.g.unique()), rng.normal(size=12), strict=True))
    d["y"] = 1.0 + d.x + d.g.map(u) + rng.normal(size=n)
    d["count"] = rng.poisson(np.exp(0.5 + 0.3 * d.x + 0.5 * d.g.map(u))) * (rng.random(n) > 0.3)
    right = "x + f + a + b + (1 | g)"
    linear = il.fit(f"y ~ {right}", d)
    return {
        "data": d,
        "linear": linear,
        "smaller": il.fit("y ~ x + f + (1 | g)", d),
        "slopes": il.fit("y ~ x + f + a + b + (x | g)", d),
        "zip": il.glmer(f"count ~ {right}", d, "poisson", ziformula="~ 1"),
        "poisson": il.glmer(f"count ~ {right}", d, "poisson"),
        "glm": il.glm("y ~ x + f + a + b", d),
    }


@pytest.mark.parametrize("r", [r for group in EXAMPLES.values() for r in group])
def test_words_are_answered(r) -> None:
    have = models()
    code = translate(r).strip().split("\n")[-1]
    assert not code.startswith("# R:"), code
    d = have["data"]
    names = {
        "il": il,
        "np": np,
        "d2": d,
        "y2": d.y + 0.1 * d.x,
        "L": [0, 1, 0, 0, 0],
        "new": d.head(3),
        "m1": have["linear"],
        "m0": have["smaller"],
        "m2": have["slopes"],
    }
    code = code.replace("nsim=500", "nsim=20").replace(", 200)", ", 5)").replace("f | g", "f")
    errors = []
    for kind in ("linear", "zip", "poisson", "glm"):
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                exec(code, {**names, "m": have[kind]})
                break
            except (InterlaceError, AttributeError) as error:
                errors.append(str(error))
    else:
        raise AssertionError(errors)


def test_the_page_of_words_is_that_of_the_tables() -> None:
    spec = importlib.util.spec_from_file_location("words", ROOT / "tools" / "r_vocabulary.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    same = tool.PAGE.read_text(encoding="utf-8") == tool.page()
    assert same, "run python tools/r_vocabulary.py"


# -- the command ----------------------------------------------------------------------------------


def test_the_command_prints_a_script(tmp_path, capsys, monkeypatch) -> None:
    file = tmp_path / "größe.R"
    file.write_text("größe <- 1\nm <- lmer(Yield ~ 1 + (1 | Batch), Dyestuff)\n", encoding="utf-8")
    main(["translate", str(file)])
    printed = capsys.readouterr().out
    assert run(printed)["größe"] == 1
    monkeypatch.setattr("sys.stdin", io.StringIO("x <- 2"))
    main(["translate", "-"])
    assert capsys.readouterr().out.endswith("x = 2\n")
    with pytest.raises(SystemExit, match="cannot be read"):
        main(["translate", str(tmp_path / "none.R")])
    file.write_bytes(b"x <- '\xff'")
    with pytest.raises(SystemExit, match="cannot be read"):
        main(["translate", str(file)])


# -- damaged texts --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_damaged_texts_are_refused_or_translated(seed) -> None:
    rng = random.Random(seed)
    calls = (R_PARITY / "tutorial_calls.R").read_text(encoding="utf-8").split("\n")
    pool = "()[]{},~|+-*/^:=<>!&$@\\'\"`#%;. \n0aTλ“"
    for _ in range(25):
        text = list("\n".join(rng.sample(calls, 3)))
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(text) + 1)
            if rng.random() < 0.5 and at < len(text):
                del text[at]
            else:
                text.insert(at, rng.choice(pool))
        damaged = "".join(text)
        ast.parse(translate(damaged))
        with contextlib.suppress(InterlaceError):
            ast.parse(il.from_r(damaged).code)
