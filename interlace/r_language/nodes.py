"""The tree of an R expression, and its text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

__all__ = [
    "ASSIGNMENTS",
    "Argument",
    "Binary",
    "Bracket",
    "Call",
    "Construct",
    "Index",
    "Name",
    "Node",
    "Number",
    "Text",
    "Unary",
    "function_name",
    "text_of",
    "walk",
]

#: Words that begin or join statements.
WORDS = {"if", "else", "for", "while", "repeat", "function", "in", "next", "break"}
#: Operators of assignments in trees: the parser turns those to the right round.
ASSIGNMENTS = ("<-", "<<-", "=")
_PLAIN = re.compile(r"(?:[^\W\d_]|\.(?!\d))[\w.]*|\.{3}|\.")
#: Operators that R prints without blanks.
_TIGHT = {"^", ":", "$", "@", "::", ":::"}


@dataclass(frozen=True)
class Node:
    """A piece of an R expression: from `start` to one before `end` of its source."""

    start: int = field(default=0, kw_only=True, compare=False)
    end: int = field(default=0, kw_only=True, compare=False)


@dataclass(frozen=True)
class Name(Node):
    """A name or one of R's constants; `quoted` where it is back-quoted without need."""

    text: str
    quoted: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Number(Node):
    """A number as it is written: ``1e-3``, ``2L``, ``0x1F``."""

    text: str

    @property
    def value(self) -> float | int:
        """Its value; whole numbers are integers."""
        text = self.text.rstrip("Li")
        value = float(int(text, 16)) if text[:2].lower() == "0x" else float(text)
        return int(value) if value.is_integer() and abs(value) < 2**53 else value


@dataclass(frozen=True)
class Text(Node):
    """A string, without its quotes."""

    value: str


@dataclass(frozen=True)
class Argument:
    """An argument of a call; None as value where nothing stands, as in ``d[1, ]``."""

    name: str | None
    value: Node | None


@dataclass(frozen=True)
class Call(Node):
    """``function(arguments)``."""

    function: Node
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Index(Node):
    """``object[arguments]``, or ``object[[arguments]]`` if `double`."""

    object: Node
    arguments: tuple[Argument, ...]
    double: bool


@dataclass(frozen=True)
class Binary(Node):
    """``left operator right``."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Unary(Node):
    """``operator operand``."""

    operator: str
    operand: Node


@dataclass(frozen=True)
class Bracket(Node):
    """``(inner)``."""

    inner: Node


@dataclass(frozen=True)
class Construct(Node):
    """``{ }``, ``if``, ``for``, ``while``, ``repeat`` and ``function``, with what they enclose.

    `arguments` are those of a function.
    """

    word: str
    parts: tuple[Node, ...]
    arguments: tuple[Argument, ...] = ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, from the left to the right."""
    yield node
    for child in _children(node):
        yield from walk(child)


def _children(node: Node) -> Sequence[Node]:
    match node:
        case Call(function, arguments) | Index(function, arguments):
            return [function, *(a.value for a in arguments if a.value is not None)]
        case Binary(_, left, right):
            return [left, right]
        case Unary(_, inner) | Bracket(inner):
            return [inner]
        case Construct(_, parts):
            return parts
    return []


def function_name(node: Node | None) -> str:
    """The name of the function of a call, its package aside; empty for other nodes."""
    if not isinstance(node, Call):
        return ""
    function = node.function
    if isinstance(function, Binary) and function.operator in ("::", ":::"):
        function = function.right
    return function.text if isinstance(function, Name) else ""


def quoted_name(name: str) -> str:
    """A name as R needs it: back-quoted unless it is a plain one."""
    return name if _PLAIN.fullmatch(name) and name not in WORDS else f"`{name}`"


def quoted_text(value: str) -> str:
    """A string as R writes it, in double quotes."""
    for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        value = value.replace(char, escape)
    return f'"{value}"'


def text_of(node: Node | None) -> str:
    """R's text of a tree on one line, blanks set as ``deparse`` sets them."""
    match node:
        case None:
            return ""
        case Name(name, quoted):
            return f"`{name}`" if quoted else quoted_name(name)
        case Number(text):
            return text
        case Text(value):
            return quoted_text(value)
        case Call(function, arguments):
            return f"{text_of(function)}({_arguments(arguments)})"
        case Index(inner, arguments, double):
            opened, closed = ("[[", "]]") if double else ("[", "]")
            return f"{text_of(inner)}{opened}{_arguments(arguments)}{closed}"
        case Binary(operator, left, right):
            blank = "" if operator in _TIGHT else " "
            return f"{text_of(left)}{blank}{operator}{blank}{text_of(right)}"
        case Unary(operator, operand):
            return f"{operator}{' ' if operator == '~' else ''}{text_of(operand)}"
        case Bracket(inner):
            return f"({text_of(inner)})"
        case Construct():
            return _construct(node)
    raise TypeError(type(node).__name__)


def _construct(node: Construct) -> str:
    texts = [text_of(part) for part in node.parts]
    match node.word:
        case "{":
            return f"{{ {'; '.join(texts)} }}" if texts else "{}"
        case "function":
            return f"function({_arguments(node.arguments)}) {texts[0]}"
        case "for":
            return f"for ({texts[0]} in {texts[1]}) {texts[2]}"
        case "if":
            return f"if ({texts[0]}) {' else '.join(texts[1:])}"
        case "while":
            return f"while ({texts[0]}) {texts[1]}"
    return " ".join([node.word, *texts])


def _arguments(arguments: Sequence[Argument]) -> str:
    pieces = [
        f"{quoted_name(a.name)} = {text_of(a.value)}" if a.name else text_of(a.value)
        for a in arguments
    ]
    return ", ".join(pieces)
