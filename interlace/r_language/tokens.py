"""R text -> tokens, comments among them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import FormulaError
from .nodes import WORDS

__all__ = ["Token", "tokens_of"]


class Token(NamedTuple):
    """A piece of R text; of strings and back-quoted names `text` is what they stand for."""

    kind: str  # "name", "number", "text", "operator", "word", "comment", "newline", "end"
    text: str
    start: int
    end: int


_PATTERNS = (
    ("blank", r"[^\S\n]+"),
    ("newline", r"\n"),
    ("comment", r"#[^\n]*"),
    ("raw", r"[rR](?P<quote>[\"'])(?P<dashes>-*)(?P<bracket>[(\[{])"),
    ("text", r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"),
    ("quoted", r"`(?:[^`\\]|\\.)+`"),
    ("number", r"0[xX][0-9a-fA-F]+[Li]?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[Li]?"),
    ("name", r"\.\.\.|(?:[^\W\d_]|\.(?!\d))[\w.]*|_(?!\w)"),
    (
        "operator",
        r"<<-|->>|:::|%[^%\n]*%|<-|->|<=|>=|==|!=|&&|\|\||\|>|::|:=|\[\[|\*\*"
        r"|[-+*/^=<>!&|~?:$@()\[\]{},;\\]",
    ),
)
_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _PATTERNS), re.S)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{1,2})|u\{?([0-9a-fA-F]{1,4})\}?|U\{?([0-9a-fA-F]{1,8})\}?"
    r"|([0-7]{1,3})|(.))",
    re.S,
)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
#: Quotes of word processors, which R does not read either.
_TYPOGRAPHIC = "“”‘’„«»"


def tokens_of(source: str) -> Iterator[Token]:
    """The tokens of R text; a FormulaError points at what R does not read."""
    position = 0
    while position < len(source):
        found = _TOKEN.match(source, position)
        if found is None:
            raise FormulaError(_unread(source[position]), source, position)
        kind, end = str(found.lastgroup), found.end()
        if kind in ("quote", "dashes", "bracket", "raw"):
            value, end = _raw(source, found)
            yield Token("text", value, position, end)
        elif kind != "blank":
            yield _token(kind, found[0], position, end)
        position = end
    yield Token("end", "", len(source), len(source))


def _token(kind: str, text: str, start: int, end: int) -> Token:
    if kind == "text":
        return Token("text", _unescaped(text[1:-1]), start, end)
    if kind == "quoted":
        return Token("name", _unescaped(text[1:-1]), start, end)
    if kind == "name" and text in WORDS:
        return Token("word", text, start, end)
    if kind == "operator" and text == "\\":
        return Token("word", "function", start, end)
    if text == "**":
        text = "^"
    return Token(kind, text, start, end)


def _raw(source: str, opening: re.Match) -> tuple[str, int]:
    """The text of a raw string such as ``r"(text)"``, and where it ends."""
    closing = f"{_CLOSING[opening['bracket']]}{opening['dashes']}{opening['quote']}"
    stop = source.find(closing, opening.end())
    if stop < 0:
        raise FormulaError(f"the raw string is never closed by {closing}", source, opening.start())
    return source[opening.end() : stop], stop + len(closing)


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text

    def char(found: re.Match) -> str:
        if found[5]:
            return _SIMPLE.get(found[5], found[5])
        digits = found[1] or found[2] or found[3]
        return chr(int(digits, 16) if digits else int(found[4], 8))

    return _ESCAPE.sub(char, text)


def _unread(char: str) -> str:
    if char in "\"'`":
        return f"the quote {char} is never closed"
    if char in _TYPOGRAPHIC:
        return f"{char!r} is a quotation mark of a word processor; write \" or '"
    return f"{char!r} is not read in R"
