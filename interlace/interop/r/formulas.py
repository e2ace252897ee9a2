"""Formulas of R as the formulas here need them: hardly changed, for the grammar is R's."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from functools import reduce
from typing import TypeGuard

from ...errors import ArgumentError
from ...r_language.nodes import (
    Argument,
    Binary,
    Bracket,
    Call,
    Index,
    Name,
    Node,
    Text,
    Unary,
    function_name,
    text_of,
)
from ...r_language.parser import parse_expression

__all__ = ["formula_node", "formula_text", "one_sided", "plain_columns", "sides", "with_offset"]

#: Functions that only say that their argument is a formula.
_WRAPPERS = ("as.formula", "formula", "asOneSidedFormula")


def formula_node(node: Node | None, formulas: Mapping[str, Node]) -> Node | None:
    """The formula itself: out of ``as.formula("…")``, of a text or of a variable that is known."""
    if isinstance(node, Bracket):
        return formula_node(node.inner, formulas)
    if isinstance(node, Call) and function_name(node) in _WRAPPERS and node.arguments:
        return formula_node(node.arguments[0].value, formulas)
    if isinstance(node, Text):
        statements = parse_expression(node.value)
        return formula_node(statements[0], formulas) if len(statements) == 1 else None
    if isinstance(node, Name):
        return formulas.get(node.text)
    tilde = isinstance(node, Binary | Unary) and node.operator == "~"
    return node if tilde else None


def formula_text(node: Node) -> str:
    """A formula as it is written here, with the brackets round a bar that R can do without."""
    plain = plain_columns(node)
    if isinstance(plain, Binary) and plain.operator == "~":
        right = plain.right
        if isinstance(right, Binary) and right.operator in ("|", "||"):
            plain = Binary("~", plain.left, Bracket(right))
    return text_of(plain)


def one_sided(node: Node | None) -> TypeGuard[Unary]:
    """Whether it is a formula with a right side alone."""
    return isinstance(node, Unary) and node.operator == "~"


def sides(node: Node) -> tuple[Node | None, Node]:
    """Left and right side; None for the left one of a one-sided formula."""
    if isinstance(node, Binary):
        return node.left, node.right
    assert isinstance(node, Unary)
    return None, node.operand


def with_offset(formula: str, offset: Node) -> str:
    """The formula with an offset that stood in an argument."""
    return f"{formula} + offset({formula_text(offset)})"


def plain_columns(node: Node) -> Node:
    """A tree without packages and data frames before names, and with long words for T and F.

    Names that mean something in Python are back-quoted, which R reads too.
    """
    match node:
        case Binary(("::" | ":::"), _, right):
            return right
        case Binary("$", Name(), Name() as column):
            return plain_columns(column)
        case Binary(operator, left, right):
            return Binary(operator, plain_columns(left), plain_columns(right))
        case Unary(operator, operand):
            return Unary(operator, plain_columns(operand))
        case Bracket(inner):
            return Bracket(plain_columns(inner))
        case Call(function, arguments):
            return _plain_call(plain_columns(function), arguments)
        case Index():
            raise ArgumentError(
                f"{text_of(node)!r} in a formula has no translation; make it a column of the data"
            )
        case Name(("T" | "F") as short):
            return Name("TRUE" if short == "T" else "FALSE")
        case Name(name) if keyword.iskeyword(name):
            return Name(name, quoted=True)
    return node


def _plain_call(function: Node, arguments: tuple[Argument, ...]) -> Node:
    inner = tuple(
        Argument(a.name, None if a.value is None else plain_columns(a.value)) for a in arguments
    )
    places = [a.value for a in inner if a.value is not None]
    if function == Name("numFactor") and 0 < len(places) == len(inner):
        # places of glmmTMB are columns here
        return reduce(lambda left, right: Binary("+", left, right), places)
    return Call(function, inner)
