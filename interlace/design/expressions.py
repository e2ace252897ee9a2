"""Expressions of columns: which names they use, and what these mean."""

from __future__ import annotations

import builtins
import pickle
import re
from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd
from formulaic.materializers.types import FactorValues

from ..errors import (
    DataError,
    FormulaError,
    InterlaceError,
    InterlaceWarning,
    outside,
    suggestion,
    warn,
)
from ..formula.spelling import unmarked, unquoted
from ..formula.terms import CACHE_SIZE, formulaic_terms
from ..frames.checks import unknown_column
from ..frames.columns import Column, Columns, Labels, as_float
from ..other_names import IN_FORMULAS
from .evaluation import RESERVED, Name, Values, expression_of, owners, value_of
from .functions import CONTEXT

#: Modules whose functions do what the package's of the same name do.
SAME_FUNCTIONS = ("builtins", "math", "cmath", "numpy", "formulaic", "interlace")

#: Names that an earlier fit used, while it is updated.
_earlier: ContextVar[Mapping[str, Any] | None] = ContextVar("earlier", default=None)


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


class CallerNames(Mapping):
    """The names that the line which called into this package sees: locals, then globals.

    What the fit that is being updated took from where it was made comes first. They are looked up
    when one is asked for, inside that call.
    """

    @cached_property
    def _names(self) -> Mapping[str, Any]:
        frame, _ = outside()
        return ChainMap(dict(_earlier.get() or {}), frame.f_locals, frame.f_globals)

    def __getitem__(self, name: str) -> Any:
        return self._names[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@contextmanager
def names_of(context: Mapping[str, Any]) -> Iterator[None]:
    """Let the names that a fit used be known to the fits made inside."""
    kept = {name: value for name, value in context.items() if not isinstance(value, Lost)}
    token = _earlier.set(kept)
    try:
        yield
    finally:
        _earlier.reset(token)


def _load_names(stored: dict[str, bytes]) -> UserNames:
    out = UserNames()
    for name, value in stored.items():
        try:
            out[name] = pickle.loads(value)
        except (pickle.UnpicklingError, AttributeError, ImportError, EOFError):
            out[name] = Lost(name)
    return out


def requote(text: str, names: Iterable[str]) -> str:
    """`text` with the dotted column names `names` (R's ``total.fruits``) back-quoted."""
    for name in sorted(names, key=len, reverse=True):
        pattern = rf"(`[^`]*`|'[^']*'|\"[^\"]*\")|(?<![\w.]){re.escape(name)}(?![\w.]|\()"
        text = re.sub(pattern, lambda found: found[1] or f"`{found[0]}`", text)
    return text


def reason(error: BaseException) -> str:
    """Why an evaluation failed, in one line."""
    quoted = re.search(r"\[\w+: (.*)\]", str(error), re.S)
    text = (quoted[1] if quoted else str(error)).strip().split("\n")[0] or type(error).__name__
    if "could not be broadcast" in text or "Lengths must match" in text:
        return f"its parts have different numbers of values ({text})"
    if "Contrasts.__init__()" in text:
        return (
            "a coding knows how many levels there are: write contr.sum, or "
            "contr.treatment(base='b') with the level of reference"
        )
    if "truth value of" in text:
        return "it asks whether a whole column is true; use ifelse(), pmin(), pmax(), & and |"
    if re.search("must be real number|string or a real number|string, a bytes|only length-1", text):
        return f"it takes single numbers, not columns ({text}); numpy's functions take columns"
    return text


def elementwise(
    expression: str, values: Mapping[str, np.ndarray], context: Mapping[str, Any]
) -> np.ndarray | None:
    """Value of a plain expression, without the search for what it keeps.

    None where there may be such a thing, where the user's own names enter, or where the value is
    not one number per row: then the general way applies, with its messages.
    """
    compiled = expression_of(expression)
    if not compiled.plain or any(name.name in context for name in compiled.names):
        return None
    n = len(next(iter(values.values()), ()))
    try:
        value = value_of(compiled, Values(values, {}, {}, n, False))
    except Exception:
        return None
    if not isinstance(value, np.ndarray) or value.shape != (n,) or value.dtype.kind not in "biuf":
        return None
    return value


def names_in(expression: str) -> tuple[Name, ...]:
    """Names that an expression uses, in order of appearance."""
    return expression_of(expression).names


def names_of_terms(text: str) -> tuple[Name, ...]:
    """Names that a right side uses, in order of appearance."""
    names: list[Name] = []
    for term in formulaic_terms(text):
        for factor in term.factors:
            if factor.eval_method.value == "lookup":
                name = unmarked(factor.expr)
                names.append(Name(name, name, False, True))
            elif factor.eval_method.value == "python":
                names += names_in(factor.expr)
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True, eq=False)
class Resolved:
    """A right side or an expression with its names settled, and what it keeps for new data.

    Attributes
    ----------
    text : str
        Dotted names of columns are quoted.
    variables : tuple of str
        The columns of data among its names.
    context : UserNames
        The user's own names among them.
    state : dict
        What an expression keeps for new data: filled at the first evaluation.
    """

    text: str
    variables: tuple[str, ...]
    context: UserNames = field(default_factory=UserNames)
    state: dict[str, Any] = field(default_factory=dict)

    def value(self, columns: Columns, strict: bool = True) -> Any:
        """The value of an expression; if ``strict``, none that depends on other rows of data."""
        try:
            compiled = expression_of(self.text)
            values = {name: _as_seen(column) for name, column in self._columns(columns).items()}
            if not compiled.plain:
                values = {name: pd.Series(column) for name, column in values.items()}
            fitting = "fitted" not in self.state
            value = value_of(
                compiled, Values(values, self.context, self.state, columns.n, fitting, strict)
            )
            self.state["fitted"] = True
        except InterlaceError:
            raise
        except Exception as error:
            raise DataError(f"{self.text!r} cannot be computed: {reason(error)}") from None
        return value.__wrapped__ if isinstance(value, FactorValues) else value

    def missing(self, columns: Columns) -> np.ndarray | None:
        """Rows (n,) where a column of it is missing, so that its value means nothing, or None."""
        gone = np.zeros(columns.n, dtype=bool)
        for name, column in self._columns(columns).items():
            if name in columns.missing:
                gone |= columns.missing[name]
            elif isinstance(column, Labels):
                gone |= column.codes < 0
            elif column.dtype.kind == "f":
                gone |= np.isnan(column)
        return gone if gone.any() else None

    def _columns(self, columns: Columns) -> dict[str, Column]:
        used = {reference.name for reference in names_in(self.text)} & columns.values.keys()
        return {name: columns.values[name] for name in used}


def _as_seen(column: Column) -> Any:
    """A column as expressions see it: a float64 or boolean array, or a categorical."""
    if isinstance(column, Labels):
        return column.categorical()
    return column if column.dtype.kind == "b" else as_float(column)


def resolve_names(
    text: str,
    columns: Collection[str],
    context: Mapping[str, Any],
    where: str,
    expression: bool = False,
) -> Resolved:
    """What the names of a right side, or of an ``expression``, mean; ``where`` it is, for messages.

    ``columns`` are those of the data, ``context`` the user's names. It warns of a function of the
    session that has the name of one of the package's, which is used.
    """
    if expression and unquoted(text) in columns:
        return Resolved(text, (unquoted(text),))
    bare = None if expression else bare_names(text)
    if bare is not None and all(name in columns for name in bare):
        return Resolved(text, bare)
    if expression and text[:1] == "`" == text[-1:] and "`" not in text[1:-1]:
        raise unknown_column(unquoted(text), columns, where)
    names = names_in(text) if expression else names_of_terms(text)
    variables: dict[str, None] = {}
    dotted: list[str] = []
    used = UserNames()
    for name in names:
        column = _longest(name.path, columns) if name.path != name.name else None
        if column is not None and column != name.name:
            dotted.append(column)
            variables[column] = None
        elif name.path != name.name:
            place = _owner(name, columns, context, where)
            if place is columns:
                variables[name.name] = None
            elif place is context:
                used[name.name] = context[name.name]
        elif name.called:
            _check_function(name.name, columns, context, where, text)
            if name.name not in CONTEXT and callable(context.get(name.name)):
                used[name.name] = context[name.name]
        elif name.name in columns:
            variables[name.name] = None
        elif not name.term and name.name in context and name.name not in RESERVED:
            used[name.name] = context[name.name]
        elif name.term or not (name.name in CONTEXT or _is_value(name.name)):
            raise unknown_column(name.name, columns, where, name.name in context)
    return Resolved(requote(text, dotted) if dotted else text, tuple(variables), used)


@lru_cache(maxsize=CACHE_SIZE)
def bare_names(text: str) -> tuple[str, ...] | None:
    """Names of a right side that has no calls and no dots in them; None if it has."""
    names = names_of_terms(text)
    if any(name.called or name.path != name.name for name in names):
        return None
    return tuple(dict.fromkeys(name.name for name in names))


def _owner(name: Name, columns: Collection[str], context: Mapping[str, Any], where: str) -> Any:
    """The namespace in which the first part of ``np.log`` or ``x.mean`` is found."""
    attribute = name.path.split(".")[1]
    places = owners(name.name, attribute, columns, context)
    if places:
        return places[0]
    if name.name in columns or name.name in context or name.name in CONTEXT:
        raise FormulaError(
            f"{where} uses {name.path}, but {name.name!r} has no {attribute!r}. Compute the column "
            "beforehand"
        )
    raise unknown_column(name.path, columns, where)


def _check_function(
    name: str, columns: Collection[str], context: Mapping[str, Any], where: str, text: str
) -> None:
    mine = context.get(name)
    if name in CONTEXT:
        module = (getattr(mine, "__module__", None) or "builtins").partition(".")[0]
        plain = isinstance(mine, type | np.ufunc) or module in SAME_FUNCTIONS
        if callable(mine) and not plain:
            warn(
                f"{where} calls {name}(), which is this package's own; the function {name} of the "
                f"session ({mine.__module__}) is not used. Give yours another name to use it",
                InterlaceWarning,
            )
    elif not callable(mine) and not callable(getattr(builtins, name, None)):
        if name in columns:
            kind = "a column of data, not a function"
        elif name in IN_FORMULAS:
            kind = f"no function known here: {IN_FORMULAS[name]}"
        else:
            known = [key for key, value in CONTEXT.items() if callable(value)]
            kind = f"no function known here.{suggestion(name, known)} Compute the column beforehand"
        raise FormulaError(f"{where} calls {name}(), which is {kind}", text)


def _longest(path: str, columns: Collection[str]) -> str | None:
    parts = path.split(".")
    for end in range(len(parts), 1, -1):
        if ".".join(parts[:end]) in columns:
            return ".".join(parts[:end])
    return None


def _is_value(name: str) -> bool:
    """Whether a word of Python's may stand alone: a type passed on, but no function."""
    return hasattr(builtins, name) and not isinstance(getattr(builtins, name), type(len))
