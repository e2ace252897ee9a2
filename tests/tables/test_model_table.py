"""Models side by side: rows that are the same thing, and every way of writing them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from helpers.fitted_models import CBPP, EPIL, GAMMA, fitted

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError
from interlace.tables.model_table.entries import STATISTICS, Key, merged
from interlace.tables.model_table.grid import tex
from interlace.tables.model_table.table import BELOW_ESTIMATES, number

SLOPES = ("sleepstudy", "Reaction ~ Days + (Days | Subject)")
INTERCEPTS = ("sleepstudy", "Reaction ~ Days + (1 | Subject)")


@pytest.fixture(scope="module")
def three(fit_cache) -> dict[str, object]:
    plain = il.glm("Reaction ~ Days", il.load_dataset("sleepstudy"))
    return {"plain": plain, "one": fit_cache(*INTERCEPTS), "two": fit_cache(*SLOPES)}


@pytest.fixture(scope="module")
def kinds(fit_cache) -> list[object]:
    """A model of each kind."""
    wine, owls = il.load_dataset("wine"), il.load_dataset("epil2")
    sleep = il.load_dataset("sleepstudy")
    zeros = il.glmer("y ~ trt + (1 | subject)", owls, "nbinom2", ziformula="~ Base")
    return [
        fit_cache(*SLOPES),
        fitted(*CBPP),
        fitted(*EPIL),
        fitted(*GAMMA),
        zeros,
        il.glm("y ~ trt", owls, "poisson"),
        il.clm("rating ~ temp", wine, scale="~ contact"),
        il.clmm("rating ~ temp + (1 | judge)", wine),
        il.fit("Reaction ~ Days + ar1(0 + Days | Subject)", sleep),
        il.gls("Reaction ~ Days", sleep, "ar1(Days | Subject)", "power(fitted)"),
    ]


def test_numbers_are_those_of_the_models(three) -> None:
    frame = il.model_table(three).to_frame()
    assert list(frame) == list(three)
    for name, m in three.items():
        own = frame[name]
        for term, value in m.params.items():
            assert own["coefficients", term, "estimate"] == value
            assert own["coefficients", term, "std_error"] == m.bse[term]
            assert own["coefficients", term, "p_value"] == m.pvalues[term]
            interval = [own["coefficients", term, end] for end in ("conf_low", "conf_high")]
            np.testing.assert_allclose(interval, m.conf_int().loc[term], rtol=1e-12)
        assert own["random", "SD residual", "estimate"] == m.sigma
        assert own["fit", "AIC", "value"] == m.aic and own["fit", "BIC", "value"] == m.bic
        assert own["fit", "Log-likelihood", "value"] == m.llf
        assert own["fit", "Observations", "value"] == 180.0
    variances = three["two"].VarCorr()["sd_or_corr"]
    own = frame["two"]["random"].droplevel("statistic")
    names = ["SD Intercept | Subject", "SD Days | Subject", "Corr Intercept, Days | Subject"]
    np.testing.assert_array_equal(own[[*names, "SD residual"]], variances)
    assert frame["two"]["fit", "R² marginal", "value"] == three["two"].r2()["marginal"]
    assert frame["one"]["fit", "R² conditional", "value"] == three["one"].r2()["conditional"]
    assert np.isnan(frame["plain"]["fit", "R² marginal", "value"])
    assert np.isnan(frame["plain"]["fit", "Groups: Subject", "value"])


def test_every_kind_of_model_has_a_column(kinds) -> None:
    table = il.model_table(kinds, below=list(BELOW_ESTIMATES), fit_statistics=list(STATISTICS))
    frame = table.to_frame()
    for name, m in zip(frame, kinds, strict=True):
        own = frame[name].dropna()
        kinds_of_number = own.loc["coefficients"].index.get_level_values(1)
        assert (kinds_of_number == "estimate").sum() == len(m.tidy("fixed"))
        assert own["fit", "Observations", "value"] == m.nobs
    for text in (str(table), table.to_markdown(), table.to_html(), table.to_latex()):
        for piece in ("Conditional model", "Threshold model", "Zero-inflation model"):
            assert piece in text
        assert not re.search(r"\bnan\b", text)


def test_rows_of_several_predictors_do_not_mix(kinds) -> None:
    frame = il.model_table([kinds[4], kinds[7]]).to_frame()
    first = frame["(1)"].dropna()
    m = kinds[4]
    assert first["coefficients", "zi: Base", "estimate"] == m.params_of("zi")["Base"]
    assert first["coefficients", "trt[T.progabide]", "estimate"] == m.params["trt[T.progabide]"]
    assert first["parameters"].index.get_level_values(0)[0] in m.family_params
    thresholds = frame["(2)"].dropna().loc["coefficients"]
    assert ("threshold: 1|2", "estimate") in thresholds.index
    assert ("threshold: 1|2", "p_value") not in thresholds.index


def test_structures_and_residuals_have_rows(kinds) -> None:
    frame = il.model_table(kinds[-2:]).to_frame()
    first, second = (frame[name].dropna()["random"] for name in frame)
    rho = kinds[-2].VarCorr().query("term2 == 'rho'")["sd_or_corr"].iloc[0]
    assert first["rho, ar1 | Subject", "estimate"] == rho
    values = {*kinds[-1].correlation_params, *kinds[-1].variance_params}
    assert values <= {*second}
    assert "Residuals" in str(il.model_table(kinds[-1]))


def test_degrees_of_freedom_are_of_linear_models(three, kinds) -> None:
    both = il.model_table([three["one"], kinds[1]], ddf="Kenward-Roger").to_frame()
    expected = three["one"].summary(ddf="Kenward-Roger").coefficients
    assert both["(1)"]["coefficients", "Days", "p_value"] == expected["p_value"]["Days"]
    with pytest.raises(ArgumentError, match="ddf='Kenward-Roger' is for linear mixed models"):
        il.model_table(kinds[1], ddf="Kenward-Roger")
    with pytest.raises(ArgumentError, match="ddf='exact' is not known"):
        il.model_table(three, ddf="exact")


def test_exponentials_are_ratios(kinds) -> None:
    table = il.model_table(kinds[1], exponentiate=True, below="conf_int")
    own = table.to_frame()["(1)"]
    np.testing.assert_array_equal(
        own["coefficients", "period[T.2]", "estimate"], np.exp(kinds[1].params["period[T.2]"])
    )
    assert "95 % intervals in brackets; coefficients are exponentials" in str(table)
    with pytest.raises(ArgumentError, match=r"coefficients of this term are period\[T\.2\], "):
        il.model_table(kinds, coef_map=["period"])
    with pytest.raises(ArgumentError, match="exponentiate=True gives ratios"):
        il.model_table(kinds[:2], exponentiate=True)


def test_rows_are_chosen_ordered_and_named(three) -> None:
    def rows(**how) -> list[str]:
        frame = il.model_table(three, **how).to_frame()
        return list(dict.fromkeys(frame.loc["coefficients"].index.get_level_values(0)))

    assert rows() == ["Intercept", "Days"]
    assert rows(coef_map=["Days", "(Intercept)"]) == ["Days", "Intercept"]
    assert rows(coef_map={"Days": "Day"}) == ["Day"] == rows(coef_map={"cond: Days": "Day"})
    assert rows(omit="^Inter") == ["Days"] == rows(omit=["(Intercept)"])
    assert rows(r_names=True, labels={"Days": "Day"}) == ["(Intercept)", "Day"]
    with pytest.raises(
        ArgumentError, match="coef_map names 'Dyas', which no model has. Did you mean 'Days'"
    ):
        il.model_table(three, coef_map=["Dyas"])
    with pytest.raises(ArgumentError, match=r"no model has\. There are Intercept"):
        il.model_table(three, coef_map=["qqqqqqq"])
    with pytest.raises(ArgumentError, match="labels names 'sd'"):
        il.model_table(three, labels={"sd": "SD"})
    shown = il.model_table(three, labels={"SD residual": "Residual SD"}, random_effects=True)
    assert "Residual SD" in str(shown) and "SD residual" not in str(shown)
    bare = il.model_table(three, random_effects=False, fit_statistics=None).to_frame()
    assert bare.index.get_level_values(0).unique().tolist() == ["coefficients"]


def test_rows_follow_those_that_they_follow_in_their_model() -> None:
    keys = {n: Key("coefficients", "cond", n) for n in "abcd"}
    sequences = [[keys[n] for n in text] for text in ("ad", "abd", "acd")]
    assert "".join(key.name for key in merged(sequences)) == "acbd"
    residual = Key("random", "cond", "SD residual")
    effect = Key("random", "zi", "SD Intercept | g (zi)")
    assert merged([[residual], [effect, residual]]) == [effect, residual]


def test_stars_are_asked_for(three) -> None:
    assert "*" not in str(il.model_table(three))
    marked = il.model_table(three, stars=True)
    assert "10.467***" in str(marked) and "* p < 0.05, ** p < 0.01, *** p < 0.001" in str(marked)
    assert "10.467+" in str(il.model_table(three, stars={"+": 0.1}))
    assert r"10.467\*\*\*" in marked.to_markdown()
    with pytest.raises(ArgumentError, match="stars must be True, False or a dict"):
        il.model_table(three, stars={"*": "0.05"})
    with pytest.raises(ArgumentError, match="stars must be True or False"):
        il.model_table(three, stars="yes")


def test_likelihoods_that_do_not_compare_are_said(three) -> None:
    note = "Likelihoods by REML compare only"
    assert note in str(il.model_table(three))
    assert note not in str(il.model_table([three["one"], three["two"]]))
    assert note not in str(il.model_table(three, fit_statistics=["nobs"]))
    assert "Response" not in str(il.model_table(three))
    other = il.fit("log(Reaction) ~ Days + (1 | Subject)", il.load_dataset("sleepstudy"))
    assert "log(Reaction)" in str(il.model_table([three["one"], other]))


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 2, "0.00"),
        (12.345, 2, "12.35"),
        (0.004, 2, "0.004"),
        (-3.21e-9, 3, "-3.21e-09"),
        (9.9e9, 2, "9.9e+09"),
        (2.6, 0, "3"),
        (0.26, 0, "0.3"),
        (np.inf, 2, "inf"),
        (np.nan, 2, ""),
    ],
)
def test_numbers_show_something(value, digits, text) -> None:
    assert number(value, digits) == text


# -- formats ---------------------------------------------------------------------------------------


class Cells(HTMLParser):
    """Cells by row, spans counted; tags that do not close are an error."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.widths: list[int] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
            self.widths.append(0)
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.widths[-1] += int(dict(attrs).get("colspan") or 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.mark.parametrize("beside", [False, True])
def test_html_has_all_cells(three, beside) -> None:
    table = il.model_table(three, beside=beside, below=["std_error", "p_value"], title="<a & b>")
    reader = Cells()
    reader.feed(table._repr_html_())
    assert not reader.open and set(reader.widths) == {10 if beside else 4}
    assert "<caption>&lt;a &amp; b&gt;</caption>" in table.to_html()
    (days,) = [row for row in reader.rows if row[0] == "Days"]
    assert days[1] == "10.467" and len(days) == (10 if beside else 4)


@pytest.mark.parametrize("beside", [False, True])
def test_latex_has_as_many_cells_in_each_line(three, beside) -> None:
    text = il.model_table(three, beside=beside, below="conf_int").to_latex()
    columns = re.search(r"\\begin\{tabular\}\{(l r*|lr*)\}", text)
    assert columns is not None
    wide = len(columns[1])
    assert wide == (7 if beside else 4)
    for line in text.splitlines():
        if line.endswith(r"\\") and r"\multicolumn" not in line:
            assert len(re.findall(r"(?<!\\)&", line)) == wide - 1
    assert text.count("{") == text.count("}") and "±" not in text
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 3, 1]
    assert r"\begin{table}" not in text
    floating = il.model_table(three, title="A & B").to_latex("tab:days")
    assert r"\caption{A \& B}" in floating and r"\label{tab:days}" in floating


def test_latex_prints_marks_as_they_are() -> None:
    assert tex("a_b & 5 % ^ ~ x|y \\ {z}") == (
        r"a\_b \& 5 \% \textasciicircum{} \textasciitilde{} x\textbar{}y \textbackslash{} \{z\}"
    )
    assert tex("-0.5") == "$-$0.5" and tex("[-0.5, -1e-05]") == "{[}$-$0.5, $-$1e-05{]}"
    assert tex("f[T.a-1]") == "f{[}T.a-1{]}" and tex("REML-fit") == "REML-fit"


@pytest.mark.parametrize("beside", [False, True])
def test_markdown_has_as_many_cells_in_each_line(three, beside) -> None:
    text = il.model_table(three, beside=beside, title="T", notes="n|o").to_markdown()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {8 if beside else 5}
    assert text.startswith("**T**") and text.endswith("n|o")


def test_text_has_one_width(three) -> None:
    names = ["a name that is far too long", "b", "c"]
    table = il.model_table(list(three.values()), names, beside=True, below=["df", "p_value"])
    lines = str(table).splitlines()
    rules = {line for line in lines if set(line) == {"-"}}
    assert len(rules) == 1 and max(map(len, lines[:-2])) == len(rules.pop())
    assert repr(table) == str(table)


def test_word_documents_have_the_table(three, tmp_path) -> None:
    docx = pytest.importorskip("docx")
    for beside in (False, True):
        place = tmp_path / "table.docx"
        il.model_table(three, beside=beside, title="Sleep", notes="A note").to_docx(place)
        document = docx.Document(str(place))
        (table,) = document.tables
        cells = [[cell.text for cell in row.cells] for row in table.rows]
        (days,) = [row for row in cells if row[0] == "Days"]
        assert days[1] == "10.467"
        texts = [p.text for p in document.paragraphs]
        assert texts[0] == "Sleep" and texts[-1] == "A note"


def test_great_tables_have_the_table(three) -> None:
    great_tables = pytest.importorskip("great_tables")
    for beside in (False, True):
        table = il.model_table(three, beside=beside, title="Sleep", notes="A note").to_gt()
        assert isinstance(table, great_tables.GT)
        html = table.as_raw_html()
        for piece in ("Sleep", "A note", "10.467", "Random effects and residuals"):
            assert piece in html


def test_a_package_that_is_missing_is_named(three, monkeypatch, tmp_path) -> None:
    for module, package in (("docx", "python-docx"), ("great_tables", "great_tables")):
        monkeypatch.setitem(__import__("sys").modules, module, None)
        table = il.model_table(three)
        with pytest.raises(il.MissingDependencyError, match=f"pip install {package}"):
            table.to_docx(tmp_path / "a.docx") if module == "docx" else table.to_gt()


# -- what is refused -------------------------------------------------------------------------------


def test_what_is_no_model_is_refused(three) -> None:
    m = three["one"]
    for wrong in (None, "m", [m, 3], pd.DataFrame({"a": [1]}), {"a": m.summary()}):
        with pytest.raises(ArgumentTypeError, match="model_table takes fitted models"):
            il.model_table(wrong)
    with pytest.raises(ArgumentError, match="at least one"):
        il.model_table([])
    with pytest.raises(ArgumentError, match="names must be 2 different texts"):
        il.model_table([m, m], names=["a", "a"])
    with pytest.raises(ArgumentError, match="leave one out"):
        il.model_table(three, names=["a", "b", "c"])
    with pytest.raises(ArgumentError, match="below='sd' is not known"):
        il.model_table(m, below="sd")
    with pytest.raises(ArgumentError, match="fit_statistics='rmse' is not known"):
        il.model_table(m, fit_statistics=["rmse"])
    with pytest.raises(ArgumentTypeError, match="labels must be a dict"):
        il.model_table(m, labels=["a"])
    with pytest.raises(ArgumentError, match="digits must be between"):
        il.model_table(m, digits=99)
    with pytest.raises(ArgumentTypeError, match="below= says what stands below"):
        il.model_table(m, statistic="conf.int")


def test_singular_fits_and_pickles_are_shown(fit_cache) -> None:
    import pickle

    m = fit_cache("Dyestuff2", "Yield ~ 1 + (1 | Batch)")
    table = il.model_table([m, pickle.loads(pickle.dumps(m))])
    assert str(table).count("0.000") >= 2
    assert str(pickle.loads(pickle.dumps(table))) == str(table)


@pytest.mark.parametrize("form", ["to_markdown", "to_html", "to_latex"])
def test_texts_are_written_to_files(three, form, tmp_path):
    write = getattr(il.model_table(three, title="Kürze"), form)
    text = write(path=tmp_path / "table")
    assert text == write() and (tmp_path / "table").read_text(encoding="utf-8") == text + "\n"


def test_the_label_of_latex_is_no_file(three):
    with pytest.raises(il.ArgumentTypeError, match=r"a file is path='t\.tex'"):
        il.model_table(three).to_latex("t.tex")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *((n, "conf_int") for n in ("ci", "confint", "conf.int", "CI")),
        *((n, "std_error") for n in ("se", "std.error", "SE", "bse")),
        *((n, "statistic") for n in ("t", "z", "tstat", "t.value")),
        *((n, "p_value") for n in ("p", "p.value", "pvalue", "P")),
        (["se", "std_error", "p"], ["std_error", "p_value"]),
        ((), None),
    ],
)
def test_what_stands_below_by_the_words_of_other_packages(three, name, meant):
    m = next(iter(three.values()))
    assert str(il.model_table(m, below=name)) == str(il.model_table(m, below=meant))
