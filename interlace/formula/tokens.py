"""Formula text -> tokens, and the cutting of token lists.

The only file that touches formulaic's tokenizer, which already separates what is needed: a call
such as ``s(x | 2)`` is one token, brackets are tokens of their own, a back-quoted name is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..errors import FormulaError
from .spelling import mark_tokens, marked, python_text, unquoted


class Token(NamedTuple):
    """A piece of a formula; `text` is the source's, quotes included, `end` is one past it."""

    kind: str  # "name", "python", "value", "operator", "context"
    text: str
    start: int
    end: int


def tokens_of(source: str) -> list[Token]:
    """Tokens of formulaic, with operators split apart and brackets checked."""
    from formulaic.errors import FormulaSyntaxError
    from formulaic.parser.algos.tokenize import tokenize

    try:
        raw = list(tokenize(source))
    except FormulaSyntaxError as error:
        raise FormulaError(_syntax_text(error), source, _unclosed(source)) from None
    tokens: list[Token] = []
    for token in raw:
        start, last = token.source_start, token.source_end
        if start is None or last is None or token.kind is None:
            raise FormulaError("the formula cannot be read", source)
        if source[start] == "`" and token.kind.value == "name":
            last = source.index("`", start + 1)
        elif source[start] == "{":
            last += 1
        elif source[start] == "%":
            last = source.index("%", start + 1)
        elif token.kind.value == "operator":
            for match in re.finditer(r"\|\||\*\*|\S", source[start : last + 1]):
                if match[0] in "#@$?;&\\":
                    raise FormulaError(
                        f"{match[0]!r} stands between terms, where it means nothing; logic and "
                        "arithmetic go into I()",
                        source,
                        start + match.start(),
                    )
                tokens.append(
                    Token("operator", match[0], start + match.start(), start + match.end())
                )
            continue
        tokens.append(Token(token.kind.value, source[start : last + 1], start, last + 1))
    _check_brackets(tokens, source)
    return tokens


def _syntax_text(error: Exception) -> str:
    match = re.search(r"Expected: (.)", str(error))
    if match:
        return f"the formula ends before a closing {match[1]!r}"
    match = re.search(r"Unexpected character (.+) following", str(error))
    if match:
        return f"unexpected character {match[1]}"
    return "the formula cannot be read"


def _unclosed(source: str) -> int | None:
    """Position of the first bracket or quote that is never closed."""
    stack: list[tuple[str, int]] = []
    closing = {"(": ")", "[": "]", "{": "}"}
    quote: tuple[str, int] | None = None
    for position, char in enumerate(source):
        if quote:
            if char == quote[0]:
                quote = None
        elif char in "`'\"":
            quote = (char, position)
        elif char in closing:
            stack.append((closing[char], position))
        elif stack and char == stack[-1][0]:
            stack.pop()
    if quote:
        return quote[1]
    return stack[0][1] if stack else None


def _check_brackets(tokens: Sequence[Token], source: str) -> None:
    opened: list[Token] = []
    for token in tokens:
        if token.kind != "context":
            continue
        if token.text in "([":
            opened.append(token)
        elif not opened:
            raise FormulaError(
                f"{token.text!r} closes no bracket that is open", source, token.start
            )
        else:
            opened.pop()
    if opened:
        raise FormulaError(f"{opened[-1].text!r} is never closed", source, opened[-1].start)


def split(tokens: Sequence[Token], operators: Iterable[str]) -> list[tuple[Token | None, list]]:
    """Pieces between the operators that stand outside brackets, each with the one before it."""
    separators = set(operators)
    pieces: list[tuple[Token | None, list]] = [(None, [])]
    depth = 0
    for token in tokens:
        if token.kind == "context":
            depth += 1 if token.text in "([" else -1
        if depth == 0 and token.kind == "operator" and token.text in separators:
            pieces.append((token, []))
        else:
            pieces[-1][1].append(token)
    return pieces


def unwrap(tokens: Sequence[Token]) -> list[Token]:
    """The tokens without brackets that enclose all of them."""
    tokens = list(tokens)
    while len(tokens) >= 2 and tokens[0].kind == "context" and tokens[0].text == "(":
        if _closing(tokens) != len(tokens) - 1:
            break
        tokens = tokens[1:-1]
    return tokens


def _closing(tokens: Sequence[Token]) -> int:
    """Position of the bracket that closes the one at the start; the length where none does."""
    depth = 0
    for i, token in enumerate(tokens):
        if token.kind == "context":
            depth += 1 if token.text in "([" else -1
        if depth == 0:
            return i
    return len(tokens)


def has_bar(tokens: Sequence[Token]) -> bool:
    """Whether a bar stands among them, at any depth."""
    return any(token.kind == "operator" and token.text in ("|", "||") for token in tokens)


def call(token: Token) -> tuple[str, str] | None:
    """Name and inside of a call token: ``offset(log(z))`` -> ("offset", "log(z)")."""
    if token.kind == "python" and token.text.endswith(")"):
        name, _, inside = token.text.partition("(")
        return name, inside[:-1]
    return None


def source_text(tokens: Sequence[Token], source: str, marks: bool = False) -> str:
    """Text of the tokens, blanks around ``+ - ~ |`` set as R prints them.

    With `marks` it is for formulaic: names that it would take for something else are marked.

    R's spellings are translated inside calls only: there ``^`` is a power; outside it crosses
    terms, in R as in formulaic.
    """
    out = ""
    previous: Token | None = None
    for token in tokens:
        text = python_text(token.text) if token.kind == "python" else token.text
        if marks and token.kind == "python":
            text = mark_tokens(text)
        elif marks and token.kind == "name" and marked(unquoted(text)) != unquoted(text):
            text = f"`{marked(unquoted(text))}`"
        if token.text == "%in%":
            text = ":"  # R's b %in% a is a:b; formulaic's is a/b, which adds a
        if previous is not None and token.kind == "operator" and token.text in "+-|":
            text = f" {text} "
        elif previous is not None and token.start > previous.end and not out.endswith(" "):
            text = f" {text}"
        out += text if not out.endswith(" ") else text.lstrip()
        previous = token
    return out.strip()


def moved(token: Token, shift: int) -> Token:
    """The token of a text that begins `shift` characters into another one."""
    return token._replace(start=token.start + shift, end=token.end + shift)


def split_outside(text: str, separator: str) -> list[str]:
    """The pieces between the separators that are outside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "`'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == separator and depth == 0:
            parts.append("")
            continue
        parts[-1] += char
    return parts


def arguments(inside: str) -> list[str]:
    """The arguments of a call, split at the commas outside brackets and quotes."""
    return [part.strip() for part in split_outside(inside, ",")]
