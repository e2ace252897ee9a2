"""R's syntax: trees against R's own reading, texts, scripts with parts that R would not read."""

from __future__ import annotations

import json

import pytest
from helpers.r_references import R_PARITY

from interlace.errors import FormulaError
from interlace.r_language.nodes import (
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
    text_of,
)
from interlace.r_language.parser import MOST_NESTED, parse_expression, parse_script

SYNTAX = json.loads((R_PARITY / "references" / "syntax.json").read_text(encoding="utf-8"))
del SYNTAX["versions"]


def prefix(node: Node | None) -> str:
    """A tree in Polish notation, as syntax.R writes R's."""
    match node:
        case None:
            return "_"
        case Name(name):
            return name
        case Number():
            return repr(float(node.value))
        case Text(value):
            return json.dumps(value, ensure_ascii=False)
        case Call(function, arguments):
            return _call(prefix(function), arguments)
        case Index(inner, arguments, double):
            return _call("[[" if double else "[", arguments, prefix(inner))
        case Binary(operator, left, right):
            return f"({operator} {prefix(left)} {prefix(right)})"
        case Unary(operator, operand):
            return f"({operator} {prefix(operand)})"
        case Bracket(inner):
            return f"(( {prefix(inner)})"
        case Construct(word, parts, arguments):
            names = [a.name or prefix(a.value) for a in arguments]
            return f"({' '.join([word, *names, *map(prefix, parts)])})"
    raise AssertionError


def _call(head: str, arguments, first: str = "") -> str:
    pieces = [f"{a.name}={prefix(a.value)}" if a.name else prefix(a.value) for a in arguments]
    return f"({' '.join([head, *([first] if first else []), *pieces])})"


@pytest.mark.parametrize("record", SYNTAX.values(), ids=[r["text"] for r in SYNTAX.values()])
def test_trees_are_those_of_r(record) -> None:
    source = record["text"]
    if record["tree"] is None:
        with pytest.raises(FormulaError):
            parse_expression(source)
        return
    nodes = parse_expression(source)
    assert [prefix(node) for node in nodes] == record["tree"]
    again = parse_expression("\n".join(map(text_of, nodes)))
    assert [prefix(node) for node in again] == record["tree"]


@pytest.mark.parametrize(
    ("source", "said", "position"),
    [
        ("lmer(y ~ x + (1 | g, d)", "unexpected ','; '\\)' is expected", 19),
        ("lmer(y ~ x", "'\\(' is never closed", 4),
        ("lmer(y ~ x))", "unexpected '\\)'", 11),
        ("f(“x”)", "quotation mark of a word processor", 2),
        ('f("x)', 'the quote " is never closed', 2),
        ("x <- ", "ends too early", 5),
        ("{ a", "'{' is never closed", 0),
        ("a b", "unexpected 'b'", 2),
        ('r"(abc', "raw string is never closed", 0),
    ],
)
def test_faults_are_pointed_at(source, said, position) -> None:
    with pytest.raises(FormulaError, match=said) as caught:
        parse_expression(source)
    assert caught.value.position == position


def test_deep_nesting_is_refused() -> None:
    parse_expression("(" * 100 + "x" + ")" * 100)
    with pytest.raises(FormulaError, match=f"more than {MOST_NESTED}"):
        parse_expression("(" * 10_000 + "x" + ")" * 10_000)


def test_scripts_go_on_after_what_cannot_be_read() -> None:
    source = "a <- 1 # one\nb <- )\n“x”\nc <- 3\nd <- f(\n"
    statements, comments = parse_script(source)
    assert [source[s.start : s.end] for s in statements] == [
        "a <- 1", "b <- )", "“x”", "c <- 3", "d <- f(",
    ]  # fmt: skip
    assert [s.node is None for s in statements] == [False, True, True, False, True]
    assert [c.text for c in comments] == ["# one"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("d %>% subset(x > 3) %>% lmer(y ~ x + (1 | g), data = .)",
         "lmer(y ~ x + (1 | g), data = subset(d, x > 3))"),
        ("m %>% summary", "summary(m)"),
        ("if (a) b else c", "if (a) b else c"),
        ("f <- function(x, y = 2) { x; y }", "f <- function(x, y = 2) { x; y }"),
        ("for(i in 1:3) print(i)", "for (i in 1:3) print(i)"),
    ],
)  # fmt: skip
def test_texts_of_trees(source, text) -> None:
    assert text_of(parse_expression(source)[0]) == text
