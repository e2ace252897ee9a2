"""R text -> trees, by the precedence of R's operators (``?Syntax``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..errors import FormulaError
from .nodes import (
    Argument,
    Binary,
    Bracket,
    Call,
    Construct,
    Index,
    Name,
    Node,
    Number,
    Text,
    Unary,
)
from .tokens import Token, tokens_of

__all__ = ["Statement", "parse_expression", "parse_script"]

Read = TypeVar("Read")

#: Left and right binding powers of operators between two operands, the loosest first.
_LEVELS = (
    (("?",), "left"),
    (("=",), "right"),
    (("<-", "<<-", ":="), "right"),
    (("->", "->>"), "left"),
    (("~",), "left"),
    (("||", "|"), "left"),
    (("&&", "&"), "left"),
    ((), "left"),  # the unary !
    (("==", "!=", "<", ">", "<=", ">="), "left"),
    (("+", "-"), "left"),
    (("*", "/"), "left"),
    (("%%", "|>"), "left"),
    ((":",), "left"),
    ((), "left"),  # unary + and -
    (("^",), "right"),
    (("(", "[", "[["), "left"),
    (("$", "@"), "left"),
    (("::", ":::"), "left"),
)
_INFIX = {
    operator: (2 * level, 2 * level + (side == "left"))
    for level, (operators, side) in enumerate(_LEVELS)
    for operator in operators
}
_PREFIX = {"?": 0, "~": _INFIX["~"][1], "!": 14, "-": 26, "+": 26}
_CLOSES = {"(": ")", "[": "]", "[[": "]"}
_ATOMS: dict[str, Callable[..., Node]] = {"name": Name, "number": Number, "text": Text}
#: How deep expressions may nest: Python's own stack is not much deeper.
MOST_NESTED = 150


@dataclass(frozen=True)
class Statement:
    """A statement of a script, or a part that R would not read: then `node` is None."""

    node: Node | None
    start: int
    end: int
    error: str = ""


def parse_expression(source: str) -> list[Node]:
    """The statements of R text; a FormulaError points at the first that cannot be read."""
    parser = _Parser(source, list(tokens_of(source)))
    nodes = []
    while (statement := parser.statement()) is not None:
        nodes.append(statement)
    return nodes


def parse_script(source: str) -> tuple[list[Statement], list[Token]]:
    """The statements of a script and its comments; a part that cannot be read ends with its line.

    After such a part reading goes on at the next line.
    """
    statements: list[Statement] = []
    comments: list[Token] = []
    offset = 0
    while offset < len(source):
        rest = source[offset:]
        tokens = _readable(rest)
        parser = _Parser(rest, tokens)
        failed: Statement | None = None
        while failed is None:
            start = parser.position_of_next()
            try:
                node = parser.statement()
            except FormulaError as error:
                end = rest.find("\n", start)
                end = len(rest) if end < 0 else end
                failed = Statement(None, offset + start, offset + end, error.reason)
                break
            if node is None:
                break
            statements.append(Statement(node, offset + node.start, offset + node.end))
        stop = len(source) if failed is None else failed.end
        comments += [
            token._replace(start=token.start + offset, end=token.end + offset)
            for token in tokens
            if token.kind == "comment" and token.start + offset < (failed.start if failed else stop)
        ]
        if failed is None:
            break
        statements.append(failed)
        offset = stop + 1
    return statements, comments


def _readable(source: str) -> list[Token]:
    """The tokens up to a place that is not read, which ends them as something R refuses."""
    tokens: list[Token] = []
    try:
        for token in tokens_of(source):
            tokens.append(token)
    except FormulaError as error:
        at = error.position or 0
        tokens.append(Token("bad", source[at], at, at + 1))
    return tokens


class _Parser:
    def __init__(self, source: str, tokens: Sequence[Token]):
        self.source = source
        self.tokens = [token for token in tokens if token.kind != "comment"]
        self.at = 0
        self.depth = 0
        self.newlines = [True]  # whether a newline ends an expression, by enclosing bracket

    # -- tokens ----------------------------------------------------------------------------------

    def peek(self) -> Token:
        """The next token, newlines skipped where they mean nothing."""
        while not self.newlines[-1] and self.tokens[self.at].kind == "newline":
            self.at += 1
        return self.tokens[self.at]

    def next(self) -> Token:
        token = self.peek()
        if token.kind not in ("end", "bad"):
            self.at += 1
        return token

    def skip_newlines(self) -> None:
        while self.tokens[self.at].kind == "newline":
            self.at += 1

    def is_next(self, text: str) -> bool:
        token = self.peek()
        return token.kind in ("operator", "word") and token.text == text

    def expect(self, text: str, opened: Token | None = None) -> Token:
        if not self.is_next(text):
            if opened is not None and self.peek().kind == "end":
                raise FormulaError(f"{opened.text!r} is never closed", self.source, opened.start)
            raise self.unexpected(self.peek(), f"; {text!r} is expected")
        return self.next()

    def unexpected(self, token: Token, more: str = "") -> FormulaError:
        if token.kind == "end":
            return FormulaError(f"the R text ends too early{more}", self.source, token.start)
        what = "the line ends" if token.kind == "newline" else f"unexpected {token.text!r}"
        return FormulaError(f"{what}{more}", self.source, token.start)

    def position_of_next(self) -> int:
        """Where the next statement begins."""
        while self.tokens[self.at].kind == "newline" or self.is_next(";"):
            self.at += 1
        return self.tokens[self.at].start

    # -- statements ------------------------------------------------------------------------------

    def statement(self) -> Node | None:
        """The next statement, None at the end."""
        self.newlines, self.depth = [True], 0
        self.position_of_next()
        if self.peek().kind == "end":
            return None
        node = self.expression(0)
        token = self.peek()
        if token.kind not in ("newline", "end") and not self.is_next(";"):
            raise self.unexpected(token)
        return node

    def expression(self, power: int) -> Node:
        """An expression of operators that bind at least as closely as `power`."""
        self.depth += 1
        if self.depth > MOST_NESTED:
            raise FormulaError(
                f"more than {MOST_NESTED} expressions are nested", self.source, self.peek().start
            )
        left = self.prefix()
        while True:
            token = self.peek()
            operator = "%%" if token.text[:1] == "%" else token.text
            powers = _INFIX.get(operator) if token.kind == "operator" else None
            if powers is None or powers[0] < power:
                self.depth -= 1
                return left
            self.next()
            if operator in _CLOSES:
                left = self.applied(left, token)
                continue
            self.skip_newlines()
            right = self.expression(powers[1])
            left = _joined(token.text, left, right)

    def prefix(self) -> Node:
        token = self.next()
        atom = _ATOMS.get(token.kind)
        if atom is not None:
            return atom(token.text, start=token.start, end=token.end)
        if token.kind == "word":
            return self.construct(token)
        if token.kind == "operator" and token.text in _PREFIX:
            self.skip_newlines()
            operand = self.expression(_PREFIX[token.text])
            return Unary(token.text, operand, start=token.start, end=operand.end)
        if token.kind == "operator" and token.text == "(":
            inner = self.enclosed(lambda: self.expression(0))
            close = self.expect(")", token)
            return Bracket(inner, start=token.start, end=close.end)
        if token.kind == "operator" and token.text == "{":
            return self.block(token)
        raise self.unexpected(token)

    def enclosed(self, read: Callable[[], Read]) -> Read:
        """What `read` reads while newlines mean nothing."""
        self.newlines.append(False)
        try:
            return read()
        finally:
            self.peek()
            self.newlines.pop()

    def block(self, opened: Token) -> Construct:
        self.newlines.append(True)
        parts = []
        while True:
            self.position_of_next()
            if self.is_next("}"):
                break
            if self.peek().kind == "end":
                raise FormulaError("'{' is never closed", self.source, opened.start)
            parts.append(self.expression(0))
        self.newlines.pop()
        close = self.next()
        return Construct("{", tuple(parts), start=opened.start, end=close.end)

    # -- calls -----------------------------------------------------------------------------------

    def applied(self, function: Node, opened: Token) -> Node:
        """The call or the index that begins with `opened`."""
        arguments = self.enclosed(lambda: self.arguments(opened))
        close = self.expect(_CLOSES[opened.text], opened)
        if opened.text == "[[":
            close = self.expect("]", opened)
        span = {"start": function.start, "end": close.end}
        if opened.text == "(":
            return Call(function, arguments, **span)
        return Index(function, arguments, opened.text == "[[", **span)

    def arguments(self, opened: Token) -> tuple[Argument, ...]:
        closing = _CLOSES[opened.text]
        if self.is_next(closing):
            return ()
        arguments = [self.argument(closing)]
        while not self.is_next(closing):
            if not self.is_next(","):
                self.expect(closing, opened)
            self.next()
            empty = self.is_next(closing)
            arguments.append(Argument(None, None) if empty else self.argument(closing))
        return tuple(arguments)

    def argument(self, closing: str) -> Argument:
        if self.is_next(","):
            return Argument(None, None)
        token, mark = self.peek(), self.at
        if token.kind in ("name", "text") or (token.kind == "word" and token.text == "function"):
            self.next()
            if self.is_next("="):
                self.next()
                empty = self.is_next(",") or self.is_next(closing)
                return Argument(token.text, None if empty else self.expression(_INFIX["<-"][0]))
            self.at = mark
        return Argument(None, self.expression(_INFIX["<-"][0]))

    # -- constructs ------------------------------------------------------------------------------

    def construct(self, token: Token) -> Node:
        """``if``, ``for``, ``while``, ``repeat``, ``function``, ``next`` and ``break``."""
        word = token.text
        parts: list[Node] = []
        arguments: tuple[Argument, ...] = ()
        if word in ("next", "break"):
            return Construct(word, (), start=token.start, end=token.end)
        if word not in ("if", "for", "while", "repeat", "function"):
            raise self.unexpected(token)
        if word != "repeat":
            opened = self.expect("(")
            if word == "function":
                arguments = self.enclosed(lambda: self.arguments(opened))
            else:
                parts += self.enclosed(lambda: self.head(word))
            self.expect(")", opened)
        self.skip_newlines()
        parts.append(self.expression(_INFIX["="][0]))
        if word == "if" and self.has_else():
            self.next()
            self.skip_newlines()
            parts.append(self.expression(_INFIX["="][0]))
        return Construct(word, tuple(parts), arguments, start=token.start, end=parts[-1].end)

    def head(self, word: str) -> list[Node]:
        """What stands in the brackets of a construct."""
        if word == "for":
            name = self.next()
            self.expect("in")
            return [Name(name.text, start=name.start, end=name.end), self.expression(0)]
        return [self.expression(0)]

    def has_else(self) -> bool:
        mark = self.at
        self.skip_newlines()
        if self.is_next("else"):
            return True
        self.at = mark
        return False


def _joined(operator: str, left: Node, right: Node) -> Node:
    """Two operands and their operator; ``->`` is turned round, pipes become calls."""
    span = {"start": left.start, "end": right.end}
    if operator in ("->", "->>"):
        return Binary("<-", right, left, **span)
    if operator in ("|>", "%>%") and isinstance(right, Call):
        return Call(right.function, _piped(left, right, operator), **span)
    if operator == "%>%" and isinstance(right, Name):
        return Call(right, (Argument(None, left),), **span)
    return Binary(operator, left, right, **span)


def _piped(left: Node, right: Call, operator: str) -> tuple[Argument, ...]:
    """The arguments of a call that a pipe goes into: at its place holder, else the first."""
    holder = "_" if operator == "|>" else "."
    arguments = [
        Argument(a.name, left) if isinstance(a.value, Name) and a.value.text == holder else a
        for a in right.arguments
    ]
    if any(a.value is left for a in arguments):
        return tuple(arguments)
    return (Argument(None, left), *arguments)
