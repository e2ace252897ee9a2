"""R's ``update`` of a formula: dots filled with the old terms, and the result written out."""

from __future__ import annotations

import re

from ..errors import ArgumentTypeError, FormulaError
from .parser import Formula, Parts, right_side
from .spelling import one_line, shown
from .terms import check_numbers, lhs_terms
from .tokens import Token, split, tokens_of

#: A dot that stands for something: none of ``1.5``, ``a.b``, ``x.mean()``; quotes come apart.
_DOT = re.compile(r"(`[^`]*`|\"[^\"]*\"|'[^']*')|(?<![\w.)\]`])\.(?![\w.`])")


def stands_for_old(formula: str) -> bool:
    """Whether the right side of a new formula takes anything from an old one."""
    if not isinstance(formula, str):
        raise ArgumentTypeError(
            f"formula must be a string such as '. ~ . - x', got {type(formula).__name__}"
        )
    _, tilde, right = formula.partition("~")
    return bool(tilde) and _filled(right, "\0") != right


def updated(formula: str, old: Formula) -> str:
    """The text of a formula in which ``.`` stands for what `old` has on that side.

    The right dot is the old fixed part, in brackets, wherever it stands; where there is one the
    random terms and offsets of the old formula stay.  Without left side the old one stays.  The
    result is written term by term, as R simplifies it.

    Parameters
    ----------
    formula : str
        ``". ~ . - x"``, ``"log(.) ~ .:z"``, ``"~ . + (1 | h)"``.
    old : Formula

    Raises
    ------
    FormulaError
        If the formula cannot be read, or takes away a term that is not there.
    ArgumentTypeError
        If it is no text.

    Examples
    --------
    >>> from interlace.formula import parse
    >>> from interlace.updating import updated
    >>> updated(". ~ . * c", parse("y ~ a + b + (1 | g)"))
    'y ~ a + b + c + a:c + b:c + (1 | g)'
    """
    takes_from_old = stands_for_old(formula)
    text = one_line(formula)
    sides = split(tokens_of(text), "~")
    if len(sides) != 2:
        raise FormulaError("an update of a formula has one '~', as in '. ~ . - x'", text)
    left, right = text[: sides[1][0].start].strip(), text[sides[1][0].end :].strip()  # type: ignore
    if not right:
        raise FormulaError("nothing stands right of '~'; write '. ~ .' to keep it", text, len(text))
    response = "" if old.response is None else old.response.text
    before = f"{_filled(left, response) if left else response} ~ "
    if not takes_from_old:
        return before.lstrip() + right
    return before.lstrip() + _right(right, old)


def _right(right: str, old: Formula) -> str:
    terms = [shown(term) for term in lhs_terms(old.fixed)]
    fixed = [term for term in terms if term != "1"]
    tokens = tokens_of(right)
    _check(tokens, right, bool(fixed))
    kept = [*old.written, *(f"offset({offset})" for offset in old.offsets)]
    if "1" not in terms and any(token.text == "." for token in tokens):
        kept.append("0")
    filled, last = "", 0
    for token in tokens:
        if token.text == ".":  # terms; inside a call, the text
            piece = _filled(".", " + ".join(fixed) or ("1" if "1" in terms else "0"))
            piece = f"({piece})" if len(fixed) > 1 else piece
        else:
            piece = _filled(token.text, shown(old.fixed)) if token.kind == "python" else token.text
        filled += right[last : token.start] + piece
        last = token.end
    filled += right[last:]
    start = " + ".join(kept)
    text = f"{start} {filled}" if filled[:1] == "-" else " + ".join([*kept, filled])
    parts = Parts()
    right_side(tokens_of(text), text, parts)
    pieces = [shown(term) for term in lhs_terms(parts.fixed_text(), text)]
    made = [term for term in pieces if term != "1"]
    if "1" not in pieces:
        made.insert(0, "0")
    made = made or ["1"]
    made += [written for written, _ in parts.written]
    made += [f"offset({offset})" for offset in parts.offsets]
    return " + ".join(made)


def _check(tokens: list[Token], right: str, terms: bool) -> None:
    check_numbers(tokens, right)
    for i, token in enumerate(tokens):
        beside = {tokens[i - 1].text if i else "", *(t.text for t in tokens[i + 1 : i + 2])}
        if token.text == "." and not terms and beside & {"*", ":", "/", "^", "**", "%in%"}:
            raise FormulaError(
                "'.' stands for the intercept alone here, which makes no products: add terms with "
                "'. + x'",
                right,
                token.start,
            )


def _filled(text: str, old: str) -> str:
    """`text` with `old` for its dots, in brackets unless it is all there is between commas."""

    def fill(found: re.Match) -> str:
        if found[1]:
            return found[1]
        before, after = text[: found.start()].rstrip()[-1:], text[found.end() :].lstrip()[:1]
        alone = before in ("", "(", ",") and after in ("", ")", ",")
        single = re.fullmatch(r"[\w.]+|`[^`]*`", old)
        return old if alone or single else f"({old})"

    return _DOT.sub(fill, text)
