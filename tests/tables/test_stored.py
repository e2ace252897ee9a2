"""Fits as JSON and back: the same numbers from every kind of model, and nothing run."""

from __future__ import annotations

import json
import pickle
import warnings
from base64 import b64decode
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.hand_families import HandPoisson
from test_public_methods import CASES
from test_public_methods import DATA as SEVERAL
from test_public_methods import fitted as several

import interlace as il
from interlace.design.closed import outside
from interlace.errors import ArgumentError, ArgumentTypeError, DataError
from interlace.tables.export import versions
from interlace.tables.stored.document import SCHEMA

SLEEP = il.load_dataset("sleepstudy")
SLEEP["half"] = np.where(SLEEP.Days < 5, "first", "second")
SLEEP["total.days"] = SLEEP.Days
WINE = il.load_dataset("wine")
CBPP = il.load_dataset("cbpp")
A = pd.DataFrame(
    0.5 * np.eye(18) + 0.5, index=SLEEP.Subject.unique(), columns=SLEEP.Subject.unique()
)
factor_of_two = 2.0  # a number that a formula uses


def square(x: Any) -> Any:
    return x**2


def dated() -> pd.DataFrame:
    frame = SLEEP.copy()
    frame["when"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(frame.Days, unit="D")
    return frame.set_index(pd.date_range("2021-01-01", periods=180, tz="Europe/Berlin"))


#: How far modes that are found again may move standard errors; predictions do not move.
MODES = 1e-7

DESIGN = "Reaction ~ {} + (1 | Subject)"
#: How a model is fitted, and the data that it predicts.
MODELS: dict[str, Any] = {
    "slopes": lambda: il.fit("Reaction ~ Days + (Days | Subject)", SLEEP),
    "polynomial": lambda: il.fit(DESIGN.format("poly(Days, 2) + C(half, 'sum')"), SLEEP),
    "splines": lambda: il.fit(DESIGN.format("bs(Days, df=4)"), SLEEP),
    "natural": lambda: il.fit(DESIGN.format("ns(Days, df=3) * half"), SLEEP),
    "cyclic": lambda: il.fit(DESIGN.format("cc(Days, df=4)"), SLEEP),
    "scaled": lambda: il.fit(DESIGN.format("scale(Days) + I(Days**2) + np.log(Days + 1)"), SLEEP),
    "kept": lambda: il.fit(
        DESIGN.format("I(Days - mean(Days)) + I((Days * factor_of_two) ** 2)"), SLEEP
    ),
    "dotted": lambda: il.fit(DESIGN.format("total.days"), SLEEP),
    "contrasts": lambda: il.fit(DESIGN.format("half"), SLEEP, contrasts={"half": "sum"}),
    "factor": lambda: il.fit(DESIGN.format("factor(Days)"), SLEEP),
    "aliased": lambda: il.fit(DESIGN.format("Days + I(2 * Days)"), SLEEP),
    "weights": lambda: il.fit(DESIGN.format("Days"), SLEEP, weights=SLEEP.Days + 1.0),
    "offset": lambda: il.fit(DESIGN.format("Days + offset(Days * 2)"), SLEEP),
    "nested": lambda: il.fit("Reaction ~ Days + (1 | Subject/half)", SLEEP),
    "singular": lambda: il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff2")),
    "missing": lambda: il.fit(
        DESIGN.format("Days"), SLEEP.assign(Days=SLEEP.Days.where(SLEEP.index % 7 > 0))
    ),
    "dates": lambda: il.fit("Reaction ~ Days + (1 | Subject) + (1 | when)", dated()),
    "ml": lambda: il.fit("log(Reaction) ~ Days + (Days || Subject)", SLEEP, method="ML"),
    "diag": lambda: il.fit("Reaction ~ Days + diag(half | Subject)", SLEEP),
    "cs": lambda: il.fit("Reaction ~ Days + cs(0 + half | Subject)", SLEEP),
    "ar1": lambda: il.fit("Reaction ~ Days + ar1(0 + Days | Subject)", SLEEP),
    "ou": lambda: il.fit("Reaction ~ Days + ou(0 + Days | Subject)", SLEEP),
    "known": lambda: il.fit("Reaction ~ Days + (1 | Subject, cov=A)", SLEEP, matrices={"A": A}),
    "residuals": lambda: il.fit(
        DESIGN.format("Days"), SLEEP, correlation="ar1(Days | Subject)", variance="power(fitted)"
    ),
    "gls": lambda: il.gls("Reaction ~ Days", SLEEP, "cs(1 | Subject)", "~ half"),
    "binomial": lambda: il.glmer(
        "cbind(incidence, size - incidence) ~ period + (1 | herd)", CBPP, "binomial"
    ),
    "quadrature": lambda: il.glmer(
        "incidence / size ~ period + (1 | herd)", CBPP, "binomial", weights="size", nAGQ=5
    ),
    "gamma": lambda: il.glmer("Reaction ~ Days + (1 | Subject)", SLEEP, "gamma(log)"),
    "glm": lambda: il.glm("Reaction ~ poly(Days, 2)", SLEEP),
    "clm": lambda: il.clm("rating ~ temp", WINE, scale="~ contact"),
    "nominal": lambda: il.clm("rating ~ temp", WINE, nominal="~ contact", link="probit"),
    "clmm": lambda: il.clmm("rating ~ temp + contact + (1 | judge)", WINE),
    "clmm structured": lambda: il.clmm(
        "rating ~ temp + (1 | judge)", WINE, threshold="equidistant"
    ),
}
NAMES = [*MODELS, *(f"{name}, {'mixed' if mixed else 'plain'}" for name, mixed in CASES)]


@cache
def pair(name: str) -> tuple[Any, Any]:
    """A model and what was read of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", il.errors.InterlaceWarning)  # of aliased columns
        mixed = name.endswith("mixed")
        m = MODELS[name]() if name in MODELS else several(name.split(", ")[0], mixed)
    text = m.to_json()
    json.loads(text, parse_constant=lambda word: pytest.fail(word))  # no NaN, which is no JSON
    return m, il.from_json(text)


def frame_of(name: str) -> pd.DataFrame:
    """New data of a model."""
    if name not in MODELS:
        return SEVERAL.sample(9, random_state=1)
    if name in ("clm", "nominal") or name.startswith("clmm"):
        return WINE.iloc[::7]
    if name in ("binomial", "quadrature"):
        return CBPP.iloc[::5]
    return il.load_dataset("Dyestuff2") if name == "singular" else dated().iloc[::11]


def numbers(value: Any) -> np.ndarray:
    """What can be compared of a prediction."""
    return np.asarray(value, dtype=float)


@pytest.mark.parametrize("name", NAMES)
def test_predictions_are_the_same(name) -> None:
    m, again = pair(name)
    new = frame_of(name)
    np.testing.assert_array_equal(numbers(again.predict()), numbers(m.predict()))
    ways: list[dict[str, Any]] = [{}, {"type": "link"}] if "clm" not in name else [{}]
    if name == "nominal":
        ways = [{}]
    if m.fit.T:
        ways.append({"include_re": False})
    for how in ways:
        own, other = numbers(m.predict(new, **how)), numbers(again.predict(new, **how))
        assert np.isfinite(own).any()
        np.testing.assert_allclose(other, own, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("name", NAMES)
def test_standard_errors_and_intervals_are_the_same(name) -> None:
    m, again = pair(name)
    new = frame_of(name)
    own, other, unpickled = (
        intervals(model, new) for model in (m, again, pickle.loads(pickle.dumps(m)))
    )
    assert list(own) == list(other) and own.index.equals(other.index)
    np.testing.assert_array_equal(other, unpickled)
    # modes are found again, as far as their search goes
    np.testing.assert_allclose(other, own, rtol=MODES, atol=1e-300)


def intervals(m: Any, new: pd.DataFrame) -> pd.DataFrame:
    """Numbers of predictions with standard errors and intervals."""
    out = m.get_prediction(new)
    frame = out if isinstance(out, pd.DataFrame) else out.summary_frame()
    return frame.select_dtypes("number")


@pytest.mark.parametrize("name", NAMES)
def test_tables_are_the_same(name) -> None:
    m, again = pair(name)
    assert type(again) is type(m)
    assert str(again.summary()) == str(m.summary()) and repr(again) == repr(m)
    pd.testing.assert_frame_equal(again.conf_int(), m.conf_int())
    pd.testing.assert_frame_equal(again.vcov(), m.vcov())
    pd.testing.assert_frame_equal(again.glance(), m.glance())
    pd.testing.assert_frame_equal(again.tidy(), m.tidy())
    assert again.to_dict() == m.to_dict()
    if m.fit.T:
        pd.testing.assert_frame_equal(again.VarCorr(), m.VarCorr())
        for group, table in m.ranef().items() if isinstance(m.ranef(), dict) else ():
            pd.testing.assert_frame_equal(again.ranef()[group], table)
        pd.testing.assert_frame_equal(again.tidy("ran_vals"), m.tidy("ran_vals"))


@pytest.mark.parametrize("name", ["slopes", "natural", "binomial", "clmm", "ar1", "zinb2, mixed"])
def test_a_document_of_a_document_is_the_same(name) -> None:
    m, again = pair(name)
    first, second = json.loads(m.to_json()), json.loads(again.to_json())
    assert first["estimates"] == second["estimates"]
    new = frame_of(name)
    third = il.from_json(again.to_json())
    np.testing.assert_array_equal(numbers(third.predict(new)), numbers(m.predict(new)))


def test_files_are_written_and_read(tmp_path) -> None:
    m, _ = pair("slopes")
    for place in (tmp_path / "model.json", str(tmp_path / "other.json")):
        assert m.to_json(place) is None
        assert il.from_json(place).llf == m.llf
    document = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    assert document["schema"] == SCHEMA and document["kind"] == "LMMResult"
    assert document["versions"] == versions()
    assert document["estimates"]["fe_params"] == m.fe_params.to_dict()


def test_what_was_read_takes_part_in_further_work() -> None:
    m, again = pair("binomial")
    assert again.refit(again.fit.design.y).llf == pytest.approx(m.llf, abs=1e-6)
    assert again.simulate(seed=1).equals(m.simulate(seed=1))
    small = il.glmer("cbind(incidence, size - incidence) ~ 1 + (1 | herd)", CBPP, "binomial")
    pd.testing.assert_frame_equal(il.anova(again, small), il.anova(m, small))
    with pytest.raises(ArgumentError, match="does not hold its data"):
        il.update(again, ". ~ 1 + (1 | herd)")
    pickled = pickle.loads(pickle.dumps(again))
    assert pickled.llf == m.llf


# -- what is refused -------------------------------------------------------------------------------


def test_means_slopes_and_pictures_need_no_data_again() -> None:
    """Means of numbers that stand in the formula are those of the model matrix."""
    cake = il.load_dataset("cake")
    cake["temp"] = cake["temp"].astype(float)
    linear = il.fit("angle ~ recipe * temp + (1 | recipe:replicate)", cake)
    zeros = il.glm("count ~ mined", il.load_dataset("Salamanders"), "poisson", ziformula="~ cover")
    for m in (linear, zeros):
        for again in (pickle.loads(pickle.dumps(m)), il.from_json(m.to_json())):
            of = {} if m is linear else {"component": "response"}
            name = "recipe" if m is linear else "mined"
            own, read = (k.emmeans(name, **of).to_frame() for k in (m, again))
            assert read.equals(own)
            if m is linear:
                own, read = (k.emtrends("recipe", var="temp").to_frame() for k in (m, again))
                np.testing.assert_allclose(read["temp.trend"], own["temp.trend"], rtol=1e-9)
                axes = [k.plot.effect("temp", by="recipe", points="data") for k in (m, again)]
                lines = [np.stack([line.get_ydata() for line in ax.lines]) for ax in axes]
                np.testing.assert_allclose(*lines, rtol=1e-10)
                assert len(lines[0]) == 3
    logarithm = il.fit("angle ~ recipe + log(temp) + (1 | recipe:replicate)", cake)
    with pytest.raises(ArgumentError, match=r"mean of 'temp'; give at="):
        il.from_json(logarithm.to_json()).emmeans("recipe")


def test_functions_of_the_user_are_refused() -> None:
    m = il.fit(DESIGN.format("square(Days)"), SLEEP)
    with pytest.raises(ArgumentError, match="to_json cannot hold square"):
        m.to_json()
    own = il.glm("incidence ~ period", CBPP, HandPoisson())
    with pytest.raises(ArgumentError, match="to_json cannot hold"):
        own.to_json()


@pytest.mark.parametrize(
    ("text", "strange"),
    [
        ("log(x) + poly(z, 2)", None),
        ("np.log1p(x) * np.pi", None),
        ("C(f, contr.sum)", None),
        ("C(f, Treatment('a'))", None),
        ("`a b` + total.fruits", None),
        ("x.mean() - pmax(x, 0)", None),
        ("a %in% b", None),
        ("__import__('os').system('true')", "__import__"),
        ("open('file')", "open"),
        ("eval('1')", "eval"),
        ("np.load('file')", "np.load"),
        ("np.random.seed(1)", "np.random"),
        ("x.to_csv('file')", "x.to_csv"),
        ("x.__class__", "__class__"),
        ("(lambda: 1)()", "lambda"),
        ("[y for y in x]", "ListComp"),
        ("log(x).to_pickle('file')", "to_pickle"),
        ("getattr(x, 'to_csv')('file')", "getattr"),
        ("f'{x}'", "JoinedStr"),
        ("(x := 1)", "NamedExpr"),
        ("log.__globals__", "__globals__"),
    ],
)
def test_expressions_may_call_the_functions_of_formulas(text, strange) -> None:
    answer = outside(text)
    assert answer is None if strange is None else strange in (answer or "")


def changed(name: str, old: str, new: str) -> str:
    text = pair(name)[0].to_json()
    assert old in text
    return text.replace(old, new)


def test_a_document_cannot_run_anything(tmp_path) -> None:
    """Expressions, classes and modules that are not of models are refused, and left alone."""
    place = tmp_path / "touched"
    wicked = f"__import__('pathlib').Path('{place}').touch()"
    for text in (
        changed("scaled", "scale(Days)", wicked),
        changed("scaled", "np.log(Days + 1)", "np.save('file', Days)"),
        changed("kept", "Days - mean(Days)", wicked),
        changed("slopes", "interlace.design.design:Design", "subprocess:Popen"),
        changed("slopes", "interlace.design.design:Design", "interlace.__main__:main"),
        changed("slopes", "interlace.design.design:Design", "interlace.design.design:np.ndarray"),
        changed("slopes", "interlace.design.design:Design", "interlace.results.lmm:LMMResult"),
        changed("slopes", "interlace.design.design:Design", "interlace.design.build:build"),
    ):
        with pytest.raises(DataError, match="(is|was) not read|does not have"):
            il.from_json(text)
    assert not place.exists()


def test_documents_that_are_none_are_refused(tmp_path) -> None:
    text = pair("slopes")[0].to_json()
    document = json.loads(text)
    later = {**document, "schema": SCHEMA + 1}
    later["versions"] = {**document["versions"], "interlace": "9.1"}
    with pytest.raises(DataError, match="written by interlace 9.1, with schema"):
        il.from_json(json.dumps(later))
    with pytest.raises(DataError, match="does not say which schema"):
        il.from_json(json.dumps({**document, "schema": "a"}))
    with pytest.raises(DataError, match="is not JSON"):
        il.from_json(text[:-9])
    with pytest.raises(ArgumentError, match="no model that to_json"):
        il.from_json("{}")
    with pytest.raises(DataError, match="kind of model that this version"):
        il.from_json(json.dumps({**document, "kind": "Model"}))
    with pytest.raises(DataError, match="kind of model that this version"):
        il.from_json(json.dumps({**document, "fit": 3}))
    with pytest.raises(DataError, match="damaged"):
        il.from_json(json.dumps({**document, "fit": {"same": 3}}))
    with pytest.raises(DataError, match="' cannot be read: No such file or directory$"):
        il.from_json(tmp_path / "none.json")
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(3))
    with pytest.raises(DataError, match="it is no text.*pickle.load"):
        il.from_json(tmp_path / "m.pkl")
    with pytest.raises(ArgumentTypeError, match="takes the text of a document"):
        il.from_json(3)


def test_versions_are_read_once_and_handed_out_as_copies(monkeypatch) -> None:
    first = versions()
    monkeypatch.setattr("importlib.metadata.version", lambda name: pytest.fail(name))
    versions()["interlace"] = "another"
    assert versions() == first


def test_pickles_of_later_versions_are_refused() -> None:
    m, _ = pair("slopes")
    state = m.__getstate__()
    earlier = il.LMMResult.__new__(il.LMMResult)
    earlier.__setstate__({"fit": m.fit})  # those of the first version had no number
    assert earlier.llf == m.llf
    with pytest.raises(DataError, match="written by a later version of interlace"):
        il.LMMResult.__new__(il.LMMResult).__setstate__({**state, "layout": 99})


# -- models of earlier versions --------------------------------------------------------------------

FILES = sorted((Path(__file__).parent / "stored_models").glob("*.json"))
STORED = [
    pytest.param(models[name], id=f"{place.stem} {name}")
    for place in FILES
    for models in [json.loads(place.read_text(encoding="utf-8"))]
    for name in models
]


@pytest.mark.parametrize("stored", STORED)
def test_models_that_earlier_versions_stored_predict(stored) -> None:
    """Written by tools/store_models.py; of each version that is released one file stays."""
    for m in (pickle.loads(b64decode(stored["pickle"])), il.from_json(stored["document"])):
        assert m.llf == pytest.approx(stored["llf"], rel=1e-12)
        predictions = numbers(m.predict(pd.DataFrame(stored["new"]))).ravel()
        np.testing.assert_allclose(predictions, stored["predictions"], rtol=1e-10)
        assert str(m.summary())
        m.get_prediction(pd.DataFrame(stored["new"]))


def test_models_are_stored_of_this_version() -> None:
    assert f"{il.__version__}.json" in [place.name for place in FILES]
