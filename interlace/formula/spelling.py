"""R's spellings in Python and back, and names that need quotes or a mark."""

from __future__ import annotations

import ast
import keyword
import re
import unicodedata
from functools import lru_cache, reduce

#: Names kept with their spellings: those of some wide tables.
NAMES_KEPT = 4096

#: Stands for the back-quotes of a name inside formulaic, where a column `1` would be the intercept.
MARK = "‵"

_QUOTED = re.compile(r"`[^`]*`|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
_HELD = re.compile("\ue000(\\d+)\ue001")
_ATOM = "[\\w.\ue000\ue001]"

#: R's functions with a dot in their name.
_DOTTED = r"\bas\.(factor|ordered|numeric|integer|character|logical)\b"

#: R's operators between percent signs, which bind more closely than all others but powers.
_BETWEEN = {"%in%": "in", "%%": "%", "%/%": "//"}


def python_text(text: str) -> str:
    """An R expression's spelling in Python: ``^`` is a power, ``!`` is ``not``.

    R's ``&`` and ``|`` bind less closely than comparisons: these get brackets.
    """
    held: list[str] = []

    def hold(found: re.Match) -> str:
        held.append(found[0])
        return f"\ue000{len(held) - 1}\ue001"

    text = _QUOTED.sub(hold, text)
    text = re.sub(_DOTTED, r"\1", text.replace("^", "**"))
    text = re.sub(r"\b(\d+)L\b", r"\1", text)
    text = re.sub(r"!(?!=)\s*", " not ", text).replace("( not ", "(not ").strip()
    found = re.search("%in%|%%|%/%", text)
    while found:
        text = _between(text, found)
        found = re.search("%in%|%%|%/%", text)
    if "&" in text or "|" in text:
        text = _bracketed(text)
    return _HELD.sub(lambda found: held[int(found[1])], text)


#: Python's spellings in R, outside quotes.
_TO_R = (
    (re.compile(r"\s*\*\*\s*"), "^"),
    (re.compile(r"(?<=[\w)\]]) in (?=[\w(\[-])"), " %in% "),
    (re.compile(r"\s//\s"), " %/% "),
    (re.compile(r"\s%\s"), " %% "),
    (re.compile(r"\bnot (?=[\w(])"), "!"),
    (re.compile(r"(?<=[\w)\]\"']) and (?=[\w(!\"'-])"), " & "),
    (re.compile(r"(?<=[\w)\]\"']) or (?=[\w(!\"'-])"), " | "),
    (re.compile(r"(?<![\w.])(numeric|integer|character|logical)(?=\()"), r"as.\1"),
)


def r_text(text: str) -> str:
    """The calls of a Python expression in R's spelling, as :func:`python_text` reads them."""
    at = text.find("(")
    if at < 1 or not re.match(r"\w", text[at - 1]):
        return text
    parts = re.split(f"({_QUOTED.pattern})", text)
    for pattern, r in _TO_R:
        parts[::2] = [pattern.sub(r, part) for part in parts[::2]]
    return "".join(parts)


def _bracketed(text: str) -> str:
    """Comparisons beside ``&`` and ``|`` in brackets; Python's words bind as R's signs do."""
    words = re.sub(r"\s*&&?\s*", " and ", re.sub(r"\s*\|\|?\s*", " or ", text))
    try:
        tree = ast.parse(_HELD.sub(r"_held_\1_", words), mode="eval")
    except SyntaxError:
        return text
    unparsed = ast.unparse(_Logical().visit(tree))
    return re.sub(r"\b_held_(\d+)_", "\ue000\\1\ue001", unparsed)


class _Logical(ast.NodeTransformer):
    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        operator = ast.BitAnd if isinstance(node.op, ast.And) else ast.BitOr
        return reduce(lambda left, right: ast.BinOp(left, operator(), right), node.values)


def _between(text: str, operator: re.Match) -> str:
    """``a %in% b`` as ``(a in b)``, each side a name, a number, a call or something in brackets."""
    start = len(text[: operator.start()].rstrip())
    stop = len(text) - len(text[operator.end() :].lstrip())
    left, right = _left(text, start), _right(text, stop)
    inner = (
        f"({text[left:start]} {_BETWEEN[operator[0]]} {text[stop:right]})"
        if left < start and stop < right
        else f"{text[left:start]} {text[stop:right]} ="  # no expression: refused as such
    )
    return text[:left] + inner + text[right:]


def _left(text: str, at: int) -> int:
    while at and text[at - 1] in ")]":
        depth = 0
        while at:
            at -= 1
            depth += (text[at] in ")]") - (text[at] in "([")
            if not depth:
                break
    while at and re.match(_ATOM, text[at - 1]):
        at -= 1
    return at


def _right(text: str, at: int) -> int:
    n = len(text)
    while at < n and text[at] == "-":
        at += 1
    while at < n and re.match(_ATOM, text[at]):
        at += 1
    while at < n and text[at] in "([":
        depth = 0
        while at < n:
            depth += (text[at] in "([") - (text[at] in ")]")
            at += 1
            if not depth:
                break
    return at


# --- names ----------------------------------------------------------------------------------


def quoted(name: str) -> str:
    """A column name as a formula needs it: back-quoted unless it is a plain name."""
    plain = re.fullmatch(r"[^\W\d][\w.]*", name) and name != "Intercept"
    return name if plain else f"`{name}`"


def unquoted(name: str) -> str:
    """A name without its back-quotes."""
    return name[1:-1] if name[:1] == "`" == name[-1:] else name


@lru_cache(maxsize=NAMES_KEPT)
def marked(name: str) -> str:
    """A column's name as formulaic may have it: with marks if it looks like something else.

    A number would be the intercept or a scale, ``Intercept`` the intercept's coefficient, a name
    with a colon an interaction.
    """
    odd = name == "Intercept" or ":" in name or re.fullmatch(r"[-+]?[\d.][\w.+-]*", name)
    return f"{MARK}{name}{MARK}" if odd else name


@lru_cache(maxsize=NAMES_KEPT)
def unmarked(name: str) -> str:
    """The column's own name."""
    if not name[:1] == MARK == name[-1:]:
        return name
    inner = name[1:-1]
    return inner.encode().decode("unicode_escape") if inner.isascii() and "\\" in inner else inner


@lru_cache(maxsize=NAMES_KEPT)
def shown(text: str) -> str:
    """A text of formulaic's with back-quotes where the marks are."""
    return re.sub(f"`?({MARK}[^{MARK}]*{MARK})`?", lambda found: f"`{unmarked(found[1])}`", text)


def mark_tokens(text: str) -> str:
    """An expression whose odd names are marked, so that formulaic leaves them alone.

    These are back-quoted keywords, and names that Python would spell otherwise (a micro sign as
    the letter mu).
    """

    def mark(found: re.Match) -> str:
        piece, name = found[0], found[0].strip("`")
        if piece[0] in "'\"" or MARK in piece:
            return piece
        if unicodedata.normalize("NFKC", name) != name:
            return f"`{MARK}{name.encode('unicode_escape').decode()}{MARK}`"
        quoted_word = piece != name and keyword.iskeyword(name)
        return f"`{MARK}{name}{MARK}`" if quoted_word else piece

    return re.sub(f"{_QUOTED.pattern}|[^\\W\\d]\\w*", mark, text)


def one_line(text: str) -> str:
    """`text` with single blanks outside quotes."""
    parts = re.split(f"({_QUOTED.pattern})", text)
    return "".join(
        part if i % 2 else re.sub(r"\s+", " ", part) for i, part in enumerate(parts)
    ).strip()
