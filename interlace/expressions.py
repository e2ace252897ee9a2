"""Expressions of columns: which names they use, and what they are worth."""

from __future__ import annotations

import ast
import builtins
import pickle
import re
from collections import ChainMap
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from formulaic.materializers.types import FactorValues
from formulaic.utils.code import sanitize_variable_names
from formulaic.utils.layered_mapping import LayeredMapping
from formulaic.utils.stateful_transforms import stateful_eval

from .errors import DataError, FormulaError, InterlaceError, outside, suggestion
from .formula import formulaic_terms
from .frame import unknown_column
from .tokens import python_text, unquoted
from .transforms import CONTEXT


class UserNames(dict):
    """The user's own names that a formula uses; it pickles even when they do not.

    Each value is pickled apart.  One that cannot be stored, or not be found again where it is
    loaded, becomes a placeholder that says so when it is called.
    """

    def __reduce__(self) -> tuple:
        stored = {}
        for name, value in self.items():
            try:
                stored[name] = pickle.dumps(value)
            except (pickle.PicklingError, AttributeError, TypeError):
                stored[name] = b""
        return _load_names, (stored,)

    def __deepcopy__(self, memo: dict) -> UserNames:
        return self


class Lost:
    """Stands for a function that did not survive pickling."""

    def __init__(self, name: str):
        self.name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Raise: there is nothing to call."""
        raise DataError(
            f"the formula uses {self.name}(), which could not be stored with the model; import it "
            "from a module, or fit again where it is defined"
        )


def caller_names() -> Mapping[str, Any]:
    """The names that the line which called into this package sees: locals, then globals."""
    frame, _ = outside()
    return ChainMap(frame.f_locals, frame.f_globals)


def _load_names(stored: dict[str, bytes]) -> UserNames:
    out = UserNames()
    for name, value in stored.items():
        try:
            out[name] = pickle.loads(value)
        except (pickle.UnpicklingError, AttributeError, ImportError, EOFError):
            out[name] = Lost(name)
    return out


class Name(NamedTuple):
    """A name in an expression: `path` is ``total.fruits`` where `name` is ``total``."""

    name: str
    path: str
    called: bool


@lru_cache(maxsize=512)
def names_in(expression: str) -> tuple[Name, ...]:
    """Names that a Python expression uses, in order of appearance.

    Raises
    ------
    FormulaError
        If it is no expression.
    """
    aliases: dict[str, str] = {}
    try:
        tree = ast.parse(sanitize_variable_names(expression.strip("{}"), {}, aliases), mode="eval")
    except SyntaxError:
        raise FormulaError(f"{expression!r} is no valid expression", expression) from None
    called: set[int] = set()
    paths: dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called.add(id(node.func))
        if isinstance(node, ast.Attribute):
            parts, inner = [node.attr], node.value
            while isinstance(inner, ast.Attribute):
                parts, inner = [inner.attr, *parts], inner.value
            if isinstance(inner, ast.Name) and id(inner) not in paths:
                paths[id(inner)] = ".".join([inner.id, *parts])
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            name = aliases.get(node.id, node.id)
            found.append(Name(name, paths.get(id(node), name), id(node) in called))
    return tuple(dict.fromkeys(found))


def requote(text: str, names: Iterable[str]) -> str:
    """`text` with the dotted column names `names` (R's ``total.fruits``) back-quoted."""
    for name in sorted(names, key=len, reverse=True):
        pattern = rf"(`[^`]*`|'[^']*'|\"[^\"]*\")|(?<![\w.]){re.escape(name)}(?![\w.]|\()"
        text = re.sub(pattern, lambda found: found[1] or f"`{found[0]}`", text)
    return text


def evaluate(
    expression: str, values: Mapping[str, Any], context: Mapping[str, Any], state: dict
) -> Any:
    """The value of an expression of columns.

    Raises
    ------
    DataError
        If it cannot be evaluated; the message has the expression and the reason.
    """
    try:
        with np.errstate(all="ignore"):
            value = stateful_eval(
                python_text(expression),
                LayeredMapping(dict(values), context, CONTEXT),
                None,
                state,
                None,
            )
    except InterlaceError:
        raise
    except Exception as error:
        raise DataError(f"{expression!r} cannot be computed: {reason(error)}") from None
    return value.__wrapped__ if isinstance(value, FactorValues) else value


def reason(error: BaseException) -> str:
    """Why an evaluation failed, in one line."""
    found = re.search(r"\[\w+: (.*)\]", str(error), re.S)
    return (found[1] if found else str(error)).strip().split("\n")[0] or type(error).__name__


#: Functions that work row by row on numbers and keep nothing for new data.
ELEMENTWISE = frozenset(
    "log log2 log10 log1p exp exp2 expm1 sqrt sin cos tan tanh floor ceiling sign I ifelse pmin "
    "pmax numeric abs round".split()
)


@lru_cache(maxsize=512)
def _compiled(expression: str) -> tuple[Any, dict[str, str]] | None:
    """Code of an expression of columns and elementwise functions; None for any other."""
    for name in names_in(expression):
        if name.called and not (name.name in ELEMENTWISE or name.path.startswith("np.")):
            return None
    aliases: dict[str, str] = {}
    text = sanitize_variable_names(expression.strip("{}"), {}, aliases)
    return compile(text, expression, "eval"), aliases


def elementwise(
    expression: str, values: Mapping[str, np.ndarray], context: Mapping[str, Any]
) -> np.ndarray | None:
    """Value of a plain expression, without the search for transforms that keep a state.

    None where there may be one, where the user's own names enter, or where the value is not one
    number per row: then the general way applies, with its messages.
    """
    found = _compiled(expression)
    if found is None or any(name.name in context for name in names_in(expression)):
        return None
    code, aliases = found
    names = {**CONTEXT, **values, **{alias: values.get(name) for alias, name in aliases.items()}}
    try:
        with np.errstate(all="ignore"):
            value = eval(code, {}, names)
    except Exception:
        return None
    n = len(next(iter(values.values()), ()))
    if not isinstance(value, np.ndarray) or value.shape != (n,) or value.dtype.kind not in "biuf":
        return None
    return value


@lru_cache(maxsize=512)
def names_of_terms(text: str) -> tuple[Name, ...]:
    """Names that a right side uses, in order of appearance."""
    found: list[Name] = []
    for term in formulaic_terms(text):
        for factor in term.factors:
            if factor.eval_method.value == "lookup":
                found.append(Name(factor.expr, factor.expr, False))
            elif factor.eval_method.value == "python":
                found += names_in(factor.expr)
    return tuple(dict.fromkeys(found))


class Resolved(NamedTuple):
    """A text with its column names settled: dotted ones quoted, columns listed."""

    text: str
    variables: tuple[str, ...]
    context: UserNames


def resolve(
    text: str,
    columns: Collection[str],
    context: Mapping[str, Any],
    where: str,
    expression: bool = False,
) -> Resolved:
    """Settle what the names of a right side, or of an expression, mean.

    Parameters
    ----------
    text : str
    columns : collection of str
        Names of the data's columns; they win over all other meanings.
    context : mapping
        The user's names.
    where : str
        What the text is, for messages: ``"formula"``, ``"offset"``.
    expression : bool
        Whether `text` is an expression rather than the right side of a formula.

    Raises
    ------
    DataError
        For a name that means nothing, with the nearest column.
    FormulaError
        For a function that does not exist.
    """
    if expression and unquoted(text) in columns:
        return Resolved(text, (unquoted(text),), UserNames())
    names = names_in(text) if expression else names_of_terms(text)
    variables: dict[str, None] = {}
    dotted: list[str] = []
    used = UserNames()
    for name in names:
        column = _longest(name.path, columns) if name.path != name.name else None
        if column is not None and column != name.name:
            dotted.append(column)
        elif name.name in columns and not name.called:
            column = name.name
        if column is not None:
            variables[column] = None
        elif name.name in context:
            used[name.name] = context[name.name]
        elif not (name.name in CONTEXT or hasattr(builtins, name.name)):
            if name.called:
                known = [key for key, value in CONTEXT.items() if callable(value)]
                raise FormulaError(
                    f"{where} calls {name.name}(), which is no function known here."
                    f"{suggestion(name.name, known)} Compute the column beforehand",
                    text,
                )
            raise unknown_column(name.path, columns, where)
        elif not name.called and name.name == name.path and not _is_value(name.name):
            raise unknown_column(name.name, columns, where)
    return Resolved(requote(text, dotted) if dotted else text, tuple(variables), used)


def _longest(path: str, columns: Collection[str]) -> str | None:
    parts = path.split(".")
    for end in range(len(parts), 1, -1):
        if ".".join(parts[:end]) in columns:
            return ".".join(parts[:end])
    return None


def _is_value(name: str) -> bool:
    """Whether a known name may stand alone: ``TRUE``, a contrast, a function passed on."""
    return True if name in CONTEXT else not isinstance(getattr(builtins, name), type(len))
