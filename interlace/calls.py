"""Calls of public functions: what is no argument is answered, flags, choices and numbers checked.

What an argument may be is read from its annotation, so that a new one is checked like the others:
``bool`` is a flag, ``Literal[...]`` a choice (in any case of letters), ``int`` and ``float`` are
numbers; ``level``, ``conf_level`` and ``alpha`` are levels of intervals wherever they stand.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from operator import index
from typing import Any, TypeVar

import numpy as np

from .errors import ArgumentError, ArgumentTypeError, brief, listing, suggestion
from .other_names import keyword_hint, value_hint

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)
Rule = Callable[[str, Any], Any]

LEVELS = ("level", "conf_level")
#: The annotation of a level that is no probability: that of rows, 1, or a grouping factor.
LEVEL_OF_GROUPS = "int | str"
ALPHA = "alpha"
#: Intervals less sure than this are a level taken for its complement, 0.05 for 0.95.
LOWEST_LEVEL = 0.5

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def checked(function: F) -> F:
    """The function, with its arguments checked before it is entered."""
    arguments: _Arguments | None = None
    free = range(0)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal arguments, free
        if not kwargs and len(args) in free:
            return function(*args)
        if arguments is None:  # read at the first call: importing the package stays cheap
            arguments = _Arguments(function)
            free = arguments.unruled()
        return function(*arguments.checked(args, kwargs), **kwargs)

    return call  # type: ignore[return-value]


class _Arguments:
    """What a function takes, and the rules of its arguments."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._name, self._signature = function.__name__, inspect.signature(function)
        parameters = list(self._signature.parameters.values())
        by_position = [p for p in parameters if p.kind in _BY_POSITION]
        self._order = tuple(p.name for p in by_position)
        self._names = frozenset(p.name for p in parameters if p.kind in _BY_NAME)
        self._needed = frozenset(
            p.name
            for p in parameters
            if p.kind in (*_BY_POSITION, *_BY_NAME) and p.default is p.empty
        )
        self._any_name = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self._rules = [
            (name, self._order.index(name) if name in self._order else sys.maxsize, rule)
            for name, rule in rules_of(self._signature)
        ]

    def checked(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Sequence[Any]:
        """The arguments by position as the rules make them; those by name are changed in place."""
        if not self._plainly_fit(args, kwargs):
            try:
                self._signature.bind(*args, **kwargs)
            except TypeError:
                raise _refusal(self._name, self._signature, args, kwargs) from None
        count = len(args)
        for name, place, rule in self._rules:
            if name in kwargs:
                kwargs[name] = self._ruled(name, rule, kwargs[name])
            elif place < count:
                args = [*args[:place], self._ruled(name, rule, args[place]), *args[place + 1 :]]
        return args

    def _plainly_fit(self, args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
        """Whether a call fits the signature, as far as that is seen without binding it."""
        names, count = kwargs.keys(), len(args)
        if count > len(self._order) or not (self._any_name or names <= self._names):
            return False
        given = self._order[:count]
        return names.isdisjoint(given) and self._needed.issubset([*given, *names])

    def _ruled(self, name: str, rule: Rule, value: Any) -> Any:
        try:
            return rule(name, value)
        except ArgumentError as error:
            hint = value_hint(self._name, name, value)
            raise (type(error)(f"{error}. {hint}") if hint else error) from None

    def unruled(self) -> range:
        """The numbers of arguments by position with which a call has nothing to check."""
        if not self._needed.issubset(self._order):
            return range(0)
        ruled = [place for _, place, _ in self._rules]
        return range(len(self._needed), min([len(self._order), *ruled]) + 1)


def checked_methods(cls: C) -> C:
    """The class, with all public methods that it defines :func:`checked`."""
    for name, value in list(vars(cls).items()):
        if not name.startswith("_") and inspect.isfunction(value):
            setattr(cls, name, checked(value))
    return cls


# -- rules --------------------------------------------------------------------------------------


def rules_of(signature: inspect.Signature) -> list[tuple[str, Rule]]:
    """The rule of each argument that has one."""
    rules = ((p.name, rule_of(p)) for p in signature.parameters.values())
    return [(name, rule) for name, rule in rules if rule is not None]


def rule_of(parameter: inspect.Parameter) -> Rule | None:
    """The check of an argument by its name and annotation; None where its function checks it."""
    text = str(parameter.annotation)
    rule: Rule | None = None
    if parameter.name in LEVELS and text != LEVEL_OF_GROUPS:
        rule = level
    elif parameter.name == ALPHA:
        rule = alpha
    elif choices := re.match(r"Literal\[(.*?)\]", text):
        rule = _choice_rule(ast.literal_eval(f"({choices[1]},)"))
    else:
        kind = text.removesuffix(" | None")
        rules: dict[str, Rule] = {"bool": flag, "int": whole, "float": number}
        rule = texts if kind == "Sequence[str]" else rules.get(kind)
    if rule is not None and text.endswith("| None"):
        return _optional(rule)
    return rule


def _optional(rule: Rule) -> Rule:
    return lambda name, value: None if value is None else rule(name, value)


def _choice_rule(allowed: Sequence[Any]) -> Rule:
    def rule(name: str, value: Any) -> Any:
        return value if type(value) is str and value in allowed else one_of(name, value, allowed)

    return rule


def flag(name: str, value: Any) -> bool:
    """True or False, NumPy's too.

    Raises
    ------
    ArgumentTypeError
        If it is anything else.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise ArgumentTypeError(f"{name} must be True or False, got {brief(value)}")


def one_of(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """The choice among those allowed that is meant, whatever the case of its letters.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    allowed = tuple(allowed)
    if isinstance(value, str):
        for choice in allowed:
            if value.lower() == str(choice).lower():
                return choice
    elif isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        if int(value) in allowed:
            return int(value)
    listed = ", ".join(map(repr, allowed))
    if len(allowed) == 2:
        listed = listed.replace(", ", " or ")
    several = "one of " if len(allowed) > 2 else ""
    text = f"{name}={brief(value)} is not known; use {several}{listed}"
    if not isinstance(value, str):
        raise ArgumentTypeError(text)
    near = suggestion(value, allowed)
    raise ArgumentError(f"{text}.{near}" if near else text)


def whole(name: str, value: Any) -> int:
    """A whole number.

    Raises
    ------
    ArgumentTypeError
        If it is anything else.
    """
    if not isinstance(value, (bool, np.bool_)):
        try:
            return index(value)
        except TypeError:
            pass
    raise ArgumentTypeError(f"{name} must be a whole number, got {brief(value)}")


def number(name: str, value: Any) -> float:
    """A finite number.

    Raises
    ------
    ArgumentError
        If it is anything else.
    """
    if not isinstance(value, (int, float, np.integer, np.floating)) or isinstance(value, bool):
        raise ArgumentTypeError(f"{name} must be a number, got {brief(value)}")
    if not -sys.float_info.max <= value <= sys.float_info.max:
        raise ArgumentError(f"{name} must be finite, got {brief(value)}")
    return float(value)


def level(name: str, value: Any) -> float:
    """A confidence level, at least 0.5 and below 1.

    Raises
    ------
    ArgumentError
        If it is anything else.
    """
    value = _share(name, value, "0.95")
    if value < LOWEST_LEVEL:
        raise ArgumentError(
            f"{name}={value:g} asks for {100 * value:g} % intervals; {name}={1.0 - value:g} is "
            f"that of {100 * (1.0 - value):g} % ones"
        )
    return value


def alpha(name: str, value: Any) -> float:
    """One minus a confidence level.

    Raises
    ------
    ArgumentError
        If it is not in (0, 0.5].
    """
    value = _share(name, value, "0.05")
    if 1.0 - value < LOWEST_LEVEL:
        raise ArgumentError(
            f"{name}={value:g} asks for {100 * (1.0 - value):g} % intervals, one minus their "
            f"level; {name}={1.0 - value:g} is that of {100 * value:g} % ones"
        )
    return value


def _share(name: str, value: Any, example: str) -> float:
    if not isinstance(value, (int, float, np.integer, np.floating)) or isinstance(value, bool):
        raise ArgumentTypeError(f"{name} must be a number between 0 and 1, got {brief(value)}")
    if not 0.0 < value < 1.0:
        raise ArgumentError(
            f"{name} must lie between 0 and 1, such as {example}; got {brief(value)}"
        )
    return float(value)


def texts(name: str, value: Any) -> list[str]:
    """A list of texts.

    Raises
    ------
    ArgumentTypeError
        If it is anything else, a single text too.
    """
    listed = isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) == 1
    if listed and all(isinstance(item, str) for item in value):
        return list(value)
    raise ArgumentTypeError(f"{name} must be a list of texts, got {brief(value)}")


# -- what is no argument --------------------------------------------------------------------------


def _refusal(
    function: str, signature: inspect.Signature, args: Sequence[Any], kwargs: dict[str, Any]
) -> ArgumentTypeError:
    """The error of a call that does not fit a signature."""
    parameters = [p for p in signature.parameters.values() if p.name != "self"]
    own = "self" in signature.parameters
    names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    by_position = [p.name for p in parameters if p.kind in _BY_POSITION]
    takes = f"its arguments are {listing(names, 20)}" if names else "it takes no arguments"
    for key, value in kwargs.items():
        if key not in names:
            hint = keyword_hint(function, key, value, names)
            near = suggestion(key, names)
            said = f"; {hint}" if hint else f".{near} {takes[:1].upper()}{takes[1:]}"
            return ArgumentTypeError(f"{function}() has no argument {key}={said}")
    count = len(args) - own
    if count > len(by_position):
        rest = [name for name in names if name not in by_position]
        text = f"{function}() takes {len(by_position)} arguments by position"
        text += f" ({', '.join(by_position)})" if by_position else ""
        return ArgumentTypeError(
            f"{text}, got {count}" + (f"; write by name: {', '.join(rest)}" if rest else "")
        )
    twice = [name for name in by_position[:count] if name in kwargs]
    if twice:
        return ArgumentTypeError(f"{function}() got {twice[0]} twice, by position and by name")
    missing = [
        p.name
        for i, p in enumerate(parameters)
        if p.default is p.empty
        and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        and p.name not in kwargs
        and not (p.name in by_position and by_position.index(p.name) < count)
    ]
    return ArgumentTypeError(f"{function}() needs {' and '.join(missing)}; {takes}")
