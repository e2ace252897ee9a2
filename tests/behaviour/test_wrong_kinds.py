"""Values of every wrong kind for every argument of every public call: errors of the package alone.

Nothing is said here about what is refused: what is not refused must be an answer, and what is must
be an error of the package in a line or two.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.fitted_models import CBPP, fitted

import interlace as il
from interlace.errors import MAX_MESSAGE

SLEEP = "Reaction ~ Days + (Days | Subject)"

WRONG: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "text": lambda: "x",
    "empty text": lambda: "",
    "half a character": lambda: "\ud800",
    "long text": lambda: "a" * 10_000,
    "bytes": lambda: b"x",
    "minus one": lambda: -1,
    "large": lambda: 10**30,
    "half": lambda: 0.5,
    "nan": lambda: np.nan,
    "infinite": lambda: np.inf,
    "complex": lambda: 1j,
    "NumPy's true": lambda: np.True_,
    "NA": lambda: pd.NA,
    "date": lambda: pd.Timestamp("2020-01-01"),
    "list": lambda: [1, "a"],
    "empty list": lambda: [],
    "uneven": lambda: [[1], [2, 3]],
    "texts": lambda: ["a", "b"],
    "tuple": lambda: (1, 2),
    "set": lambda: {1},
    "dict": lambda: {"a": 1},
    "empty dict": lambda: {},
    "frame": lambda: pd.DataFrame({"a": [1.0, 2.0]}),
    "empty frame": pd.DataFrame,
    "series": lambda: pd.Series([1.0, 2.0]),
    "array": lambda: np.zeros((2, 2, 2)),
    "objects": lambda: np.array([None, object()], dtype=object),
    "model": lambda: fitted(*CBPP),
    "class": lambda: il.LMMResult,
    "function": lambda: len,
    "generator": lambda: (x for x in "ab"),
    "object": object,
}


def first_arguments(name: str, dataset: Callable) -> dict[str, Any]:
    """What a call needs besides the argument that is wrong."""
    if name in ("fit", "lmer"):
        return {"formula": "Reaction ~ Days + (1 | Subject)", "data": dataset("sleepstudy")}
    if name == "glmer":
        formula = "incidence / size ~ period + (1 | herd)"
        return {"formula": formula, "data": dataset("cbpp"), "family": "binomial"}
    return {"formula": "incidence / size ~ period", "data": dataset("cbpp"), "family": "binomial"}


def arguments_of(function: Callable) -> Iterator[str]:
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            yield parameter.name


def check(function: Callable, *args: Any, **kwargs: Any) -> None:
    try:
        repr(function(*args, **kwargs))
    except il.InterlaceError as error:
        text = str(error)
        assert len(text) <= MAX_MESSAGE + 10 and text.count("\n") <= 2, text
        assert error.__suppress_context__ or error.__context__ is None


pytestmark = pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
each_kind = pytest.mark.parametrize("kind", WRONG)


@each_kind
@pytest.mark.parametrize("name", ["fit", "glmer", "glm"])
def test_fits(name, kind, dataset) -> None:
    function = getattr(il, name)
    for argument in arguments_of(function):
        check(function, **first_arguments(name, dataset) | {argument: WRONG[kind]()})


@each_kind
def test_functions_of_results(kind, fit_cache) -> None:
    m = fit_cache("sleepstudy", SLEEP)
    for function in (il.update, il.anova, il.isSingular, il.VarCorr, il.load_dataset):
        check(function, WRONG[kind]())
        check(function, m, WRONG[kind]())
    for argument in ("formula", "data", "method", "REML", "theta0", "bogus"):
        check(il.update, m, **{argument: WRONG[kind]()})


#: Replicates take time.
FEW = {"bootstrap": {"n": 2}, "bootMer": {"B": 2}, "simulated_residuals": {"n": 9}}


@each_kind
@pytest.mark.parametrize("which", ["linear", "mixed", "fixed", "predictions"])
def test_methods(which, kind, fit_cache, dataset, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # where a text is the path of a document, it is written
    linear = fit_cache("sleepstudy", SLEEP)
    owner = {
        "linear": lambda: linear,
        "mixed": lambda: fitted(*CBPP),
        "fixed": lambda: il.glm("incidence / size ~ period", dataset("cbpp"), "binomial"),
        "predictions": lambda: linear.get_prediction(),
    }[which]()
    for name, method in inspect.getmembers(owner, inspect.ismethod):
        if name.startswith("_"):
            continue
        hypothesis = {"hypothesis": "Intercept"} if name in ("t_test", "wald_test") else {}
        hypothesis |= FEW.get(name, {})
        for argument in arguments_of(method):
            check(method, **hypothesis | {argument: WRONG[kind]()})
            if name in ("predict", "get_prediction") and argument != "newdata":
                check(method, dataset("sleepstudy").head(2), **{argument: WRONG[kind]()})
            if name == "anova":
                check(method, owner, **{argument: WRONG[kind]()})
        if name == "anova":
            check(method, WRONG[kind]())
        check(method, *[WRONG[kind]() for _ in range(12)])
        check(method, bogus=WRONG[kind]())


@each_kind
def test_families(kind) -> None:
    for name in il.__all__:
        family = getattr(il, name)
        if not (inspect.isclass(family) and hasattr(family, "with_link")):
            continue
        needs = {"base": il.Poisson(), "levels": ["low", "high"]}
        made_of = {name: value for name, value in needs.items() if name in arguments_of(family)}
        for argument in arguments_of(family):
            check(family, **made_of | {argument: WRONG[kind]()})


def test_what_is_silently_nothing_is_refused(fit_cache, dataset) -> None:
    m, sleep = fit_cache("sleepstudy", SLEEP), dataset("sleepstudy")
    for call, message in (
        (lambda: m.predict(sleep, offset=np.inf), "offset must be finite"),
        (lambda: m.predict(sleep, offset=np.full(180, np.inf)), "offset is infinite"),
        (lambda: m.anova(names=["a"]), "there is only one"),
        (lambda: m.simulate(seed=True), "seed must be"),
        (lambda: m.simulate(10**30), "do not fit into memory"),
    ):
        with pytest.raises(il.ArgumentError, match=message):
            call()
    assert np.array_equal(m.predict(sleep, include_re="~ 0"), m.predict(sleep, include_re=False))


def test_long_messages_and_formulas_are_cut() -> None:
    error = il.FormulaError("wrong", "y ~ " + "x + " * 1000 + "?", 4004)
    lines = str(error).split("\n")
    assert len(lines) == 3 and len(str(error)) < 500
    assert lines[1][len(lines[2]) - 1] == "?" and error.formula.endswith("?")
    assert len(str(il.DataError("a" * 10**6))) <= MAX_MESSAGE + 10
