"""The model of a result fitted again, with another formula, other data or other arguments."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..covariance import EarlierStart
from ..design.expressions import names_of
from ..errors import ArgumentError, ConvergenceWarning, DataWarning
from ..formula.edit import stands_for_old, updated
from ..formula.formula import Formula
from ..formula.parser import parse
from ..frames.read import whole_frame

__all__ = ["Doors", "again", "by_row", "check_call", "quiet", "reduced", "with_terms"]


class Doors(NamedTuple):
    """The functions that fit a formula with random terms, and one without."""

    mixed: Callable[..., Any]
    fixed: Callable[..., Any]


def check_call(result: Any, name: str) -> None:
    """Refuse a result that does not know how it was made, in a function that needs it."""
    if result.call is None:
        raise ArgumentError(
            f"{name} needs the call of the fit with its data, which this result does not hold (it "
            "was stored, unpickled, refitted or made by modular.result()); fit it in this process"
        )


def again(
    result: Any,
    door: Callable[..., Any],
    formula: str | None = None,
    data: Any = None,
    changes: Mapping[str, Any] | None = None,
) -> Any:
    """The result of the same call with some arguments changed, made by ``door``.

    A ``.`` in the formula stands for that side of the old one. A ``theta0`` of the old call is
    kept where the new model has the same covariance parameters.
    """
    changes = dict(changes or {})
    arguments = dict(result.call or {})
    design = result.fit.design
    if formula is not None:
        arguments |= _new_formula(formula, design.formula, arguments, changes)
    if data is not None:
        arguments["data"] = data
    if "REML" in changes and "method" not in changes:
        arguments.pop("method", None)
    start = arguments.get("theta0")
    if start is not None:
        arguments["theta0"] = EarlierStart(start, result.theta.index.tolist())
    with names_of(design.user_names):
        new = door(**{**arguments, **changes})
    if isinstance(new.call.get("theta0"), EarlierStart):
        same = new.theta.index.tolist() == new.call["theta0"].names
        new.call["theta0"] = start if same else None
    return new


def _new_formula(
    formula: str, old: Formula, arguments: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """The formula with its dots filled; random terms given apart become part of it."""
    of_terms: dict[str, Any] = {}
    if stands_for_old(formula):
        if "groups" in changes or "random" in changes:
            written = parse(arguments["formula"]).written if "formula" in arguments else ()
            old = replace(old, written=written)
        else:
            of_terms = {name: None for name in ("groups", "random") if name in arguments}
    return {**of_terms, "formula": updated(formula, old)}


def with_terms(formula: Formula, random: list[str]) -> str:
    """The text of a formula with these random terms in place of its own."""
    assert formula.response is not None
    offsets = [f"offset({text})" for text in formula.offsets]
    right = " + ".join([formula.fixed or "1", *offsets, *random])
    return f"{formula.response.text} ~ {right}"


def reduced(result: Any, formula: str, **changes: Any) -> Any:
    """The result of a smaller model on the same rows, without warnings that its table makes good.

    Rows that only what is left out has no values for stay out of it, as in R's model frame.
    Without random terms it is made by the door of models that have none.
    """
    smaller = updated(formula, result.fit.design.formula)
    others = any(term.component for term in result.fit.design.terms)
    door = result._doors.mixed
    if result.fit.design.terms and not (parse(smaller).random or others):
        return _without_random_terms(result, smaller)
    cleared = {name: None for name in ("groups", "random") if name in result.call}
    rows = _own_rows(result)
    with quiet():
        return again(result, door, smaller, rows.pop("data", None), {**cleared, **rows, **changes})


def _without_random_terms(result: Any, formula: str) -> Any:
    door = result._doors.fixed
    known = inspect.signature(door).parameters
    arguments = {name: value for name, value in result.call.items() if name in known}
    arguments |= {"formula": formula, **_own_rows(result)}
    with quiet(), names_of(result.fit.design.user_names):
        return door(**arguments)


def _own_rows(result: Any) -> dict[str, Any]:
    """The data of the call and what is one value a row of them, where not all rows are used."""
    design, frame = result.fit.design, whole_frame(result.call["data"])
    rows = None if frame is None or design.rows is None else design.rows_in(frame)
    if frame is None or rows is None:
        return {}
    return {"data": frame.iloc[rows], **by_row(result, np.arange(len(rows)))}


def by_row(result: Any, rows: np.ndarray) -> dict[str, Any]:
    """Arguments of the call that are one value a row of the data, for the rows that are taken."""
    kept, changes = result.fit.design.rows, {"subset": None}
    chosen = rows if kept is None else np.asarray(kept)[rows]
    for name in ("weights", "offset"):
        value = result.call.get(name)
        if value is not None and not isinstance(value, str) and np.ndim(value) == 1:
            changes[name] = np.asarray(value)[chosen]
    return {name: value for name, value in changes.items() if name in result.call}


class quiet(warnings.catch_warnings):  # noqa: N801
    """No warnings on the data, which the first fit gave, nor on fits whose verdict is shown."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore", DataWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
