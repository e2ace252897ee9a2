"""What expressions learn of all rows, asked of the engine that has them.

A function that looks at all rows (``scale(x)``, ``poly(x, 2)``, ``mean(x)``) is a question or a
few in rounds, and what it keeps is what the same function keeps of rows in memory. With it the
function is elementwise: the engine computes its columns, new data in memory go the ordinary way.
"""

from __future__ import annotations

import ast
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, DataError, InterlaceError
from ..formula.spelling import unquoted
from ..frames.lazy import LazyRows
from . import questions
from .evaluation import syntax_of, text_of
from .functions import CONTEXT
from .plain_matrix import BasisFields
from .pushed import CONSTANTS, Translator, beyond
from .questions import Answers, Asked, Learning, Variable, monic
from .response import not_finite
from .spline_pieces import bounds, pieces_of, spline

#: Functions of several columns, which are terms by themselves.
BASES = ("poly", "bs", "ns", "cr", "cs", "cc")


class Call(NamedTuple):
    """A call in a formula: its syntax, and the text of the expression that it is in."""

    node: ast.Call
    aliases: Mapping[str, str]
    text: str

    @property
    def name(self) -> str:
        """The function."""
        return ast.unparse(self.node.func)

    def arguments(self, state: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Those after the first: numbers, also numbers kept of all rows, and lists of them."""
        kept = state.get("kept", {})
        try:
            rest = [self._constant(item, kept) for item in self.node.args[1:]]
            named = {str(own.arg): self._constant(own.value, kept) for own in self.node.keywords}
        except ValueError:
            raise beyond(self.text, f"{ast.unparse(self.node)} has more than numbers") from None
        return rest, named

    def _constant(self, node: ast.expr, kept: Mapping[str, Any]) -> Any:
        if isinstance(node, ast.Name) and node.id in CONSTANTS:
            return CONSTANTS[node.id]
        if isinstance(node, ast.Call):
            key = text_of(node, self.aliases)
            if key in kept:
                return kept[key]
            if getattr(node.func, "id", "") == "c" and not node.keywords:
                return [self._constant(item, kept) for item in node.args]
        return ast.literal_eval(node)

    def inside(self) -> set[str]:
        """Texts of the calls among its arguments."""
        parts = [*self.node.args, *(word.value for word in self.node.keywords)]
        nodes = [node for part in parts for node in ast.walk(part)]
        return {text_of(node, self.aliases) for node in nodes if isinstance(node, ast.Call)}


class Learned:
    """What the expressions of a model keep of all rows.

    Attributes
    ----------
    state : dict
        As :class:`~interlace.design.evaluation.Values` keeps it.
    bases : dict of str -> BasisFields
        Of functions of several columns, by the text of the factor.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self.state: dict[str, Any] = {}
        self.bases: dict[str, BasisFields] = {}
        self._calls: dict[str, Call] = {}
        self._texts: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def read(self, text: str) -> None:
        """Find in an expression what looks at all rows."""
        if unquoted(text) in self.schema:
            return
        tree, aliases = syntax_of(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in LEARNERS and node.args:
                self._calls[text_of(node, aliases)] = Call(node, aliases, text)
                if node is tree.body and ast.unparse(node.func) in BASES:
                    self._texts[text] = text_of(node, aliases)

    def learn(self, lazy: LazyRows) -> None:
        """Ask round by round until everything is known."""
        running: dict[str, tuple[Learning, Asked]] = {}
        waiting = dict(self._calls)
        while waiting or running:
            for key in [key for key, call in waiting.items() if self._is_ready(call)]:
                learning = self._begun(waiting.pop(key), lazy)
                running |= self._step(key, learning, None)
            answers = answered(lazy, [asked for _, asked in running.values()])
            for key, (learning, _) in list(running.items()):
                del running[key]
                running |= self._step(key, learning, answers)
        for text, key in self._texts.items():
            self.bases[text] = _fields(text, self._calls[key], self.state)

    def columns(self) -> dict[str, Any]:
        """Columns of all bases, by name, as the engine computes them."""
        return columns_of(self.bases, self.schema, self.state)

    def _is_ready(self, call: Call) -> bool:
        return all(_has(self.state, key) for key in call.inside() & self._calls.keys())

    def _begun(self, call: Call, lazy: LazyRows) -> Learning:
        translator = Translator(call.text, self.schema, call.aliases, self.state)
        value = translator.visit(call.node.args[0])
        if value.kind == "text":
            raise beyond(call.text, "it calculates with text")
        variable = Variable(text_of(call.node.args[0], call.aliases), value.number(), lazy)
        rest, named = call.arguments(self.state)
        function = LEARNERS[call.name]
        try:
            inspect.signature(function).bind(variable, *rest, **named)
        except TypeError as error:
            raise ArgumentError(f"{text_of(call.node, call.aliases)}: {error}") from None
        return function(variable, *rest, **named)

    def _step(
        self, key: str, learning: Learning, answers: Answers | None
    ) -> dict[str, tuple[Learning, Asked]]:
        """Go on with what one call learns; empty when it knows all."""
        try:
            asked = next(learning) if answers is None else learning.send(answers)
        except StopIteration as ended:
            keeps = getattr(CONTEXT.get(self._calls[key].name), "__is_stateful_transform__", False)
            place = self.state if keeps else self.state.setdefault("kept", {})
            place[key] = ended.value
            return {}
        except InterlaceError:
            raise
        except (ValueError, TypeError, ArithmeticError, IndexError) as error:
            raise DataError(f"the term {key!r} cannot be computed: {error}") from None
        return {key: (learning, asked)}


def _has(state: Mapping[str, Any], key: str) -> bool:
    return key in state or key in state.get("kept", ())


def answered(lazy: LazyRows, questions: Sequence[Asked]) -> dict[str, dict[Any, float]]:
    """Answers to the questions of one round: one query, and one for each set of distinct values."""
    columns: dict[str, Any] = {}
    asked: dict[str, tuple[Any, ...]] = {}
    distinct: dict[str, tuple[Any, ...]] = {}
    for question in questions:
        for text, (value, ways) in question.items():
            columns[text] = value
            plain = [way for way in ways if way[0] != "distinct"]
            asked[text] = tuple(dict.fromkeys([*asked.get(text, ()), *plain]))
            distinct[text] = (*distinct.get(text, ()), *(w for w in ways if w[0] == "distinct"))
    asked = {text: ways for text, ways in asked.items() if ways}
    made = lazy.totals({text: columns[text] for text in asked}, asked) if asked else {}
    for text, found in made.items():
        if not np.isfinite([found.get(way, 0.0) for way in ("mean", "min", "max", "sum")]).all():
            raise DataError(not_finite(text))
    out: dict[str, dict[Any, float]] = {text: {**made.get(text, {})} for text in columns}
    for text, ways in distinct.items():
        if ways:
            own = lazy.distinct(columns[text]).totals(
                *_of_one(text, [("quantile", p) for _, p in ways])
            )
            out[text] |= {("distinct", p): own[text]["quantile", p] for _, p in ways}
    return out


def _of_one(text: str, ways: Sequence[Any]) -> tuple[dict[str, Any], dict[str, tuple[Any, ...]]]:
    import narwhals.stable.v2 as nw

    return {text: nw.col("value")}, {text: tuple(ways)}


LEARNERS: dict[str, Callable[..., Learning]] = {
    **{
        f"{root}{way}": questions.aggregate(way)
        for way in ("mean", "min", "max", "sum")
        for root in ("", "np.")
    },
    **{f"{root}median": questions.aggregate(("quantile", 0.5)) for root in ("", "np.")},
    "sd": questions.sd,
    "var": questions.var,
    "np.std": questions.numpy_sd,
    "np.var": questions.numpy_var,
    "quantile": questions.quantile,
    "np.quantile": questions.quantile,
    "scale": questions.scale,
    "center": questions.center,
    "poly": questions.poly,
    **{name: spline(name) for name in ("bs", "ns", "cr", "cs", "cc")},
}


# --- columns --------------------------------------------------------------------------------


def columns_of(
    bases: Mapping[str, BasisFields], schema: Mapping[str, Any], state: Mapping[str, Any]
) -> dict[str, Any]:
    """Columns of bases, by name, as expressions of the engine that has the columns of a schema."""
    out: dict[str, Any] = {}
    for text, fields in bases.items():
        tree, aliases = syntax_of(text)
        assert isinstance(tree.body, ast.Call)
        call = Call(tree.body, aliases, text)
        x = Translator(text, schema, aliases, state).visit(call.node.args[0]).number()
        out.update(zip(fields.names, _expressions(x, call, state)))
    return out


def _expressions(x: Any, call: Call, states: Mapping[str, Any]) -> Iterator[Any]:
    rest, named = call.arguments(states)
    state = states[text_of(call.node, call.aliases)]
    if call.name != "poly":
        yield from pieces_of(call.name, x, rest, named, state)
        return
    degree, raw = _poly_arguments(*rest, **named)
    if raw:
        power = x
        for _ in range(degree):
            yield power
            power = power * x
        return
    polynomials = monic(x, state["alpha"], state["norms2"], degree)
    for k, polynomial in enumerate(polynomials, 1):
        yield polynomial * float(1.0 / np.sqrt(state["norms2"][k]))


def _poly_arguments(degree: int = 1, raw: bool = False) -> tuple[int, bool]:
    return degree, raw


def _fields(text: str, call: Call, states: Mapping[str, Any]) -> BasisFields:
    """The columns of a basis, by the function itself on two rows."""
    rest, named = call.arguments(states)
    state = states[text_of(call.node, call.aliases)]
    inside = np.array([0.25, 0.75])
    if call.name != "poly":
        low, high = bounds(state)
        inside = low + (high - low) * inside
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = CONTEXT[call.name](inside, *rest, **named, _state=deepcopy(dict(state)))
    return BasisFields.of(text, made)
