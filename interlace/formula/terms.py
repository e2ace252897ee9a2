"""The terms of a right side, as formulaic reads them, and what is refused of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ..errors import FormulaError, first_line, listing, suggestion
from .spelling import quoted, shown
from .tokens import Token, source_text, tokens_of

#: Formulas, right sides and expressions kept, of each: a session that fits many models to one table
#: uses few texts.
CACHE_SIZE = 512

#: Operators between terms that look like arithmetic.
_JOINING = ("*", "/", ":", "%in%")


def lhs_terms(lhs: str, source: str | None = None) -> list[str]:
    """Texts of the terms of a one-sided formula, the intercept as ``"1"``."""
    return [
        ":".join(_factor_text(factor) for factor in term.factors)
        for term in formulaic_terms(lhs, source)
    ]


def _factor_text(factor: Any) -> str:
    if factor.eval_method.value == "lookup":
        return quoted(factor.expr)
    if factor.eval_method.value == "python" and len(tokens_of(factor.expr)) > 1:
        return f"{{{factor.expr}}}"
    return factor.expr


class Reading(NamedTuple):
    """formulaic's reading of a right side."""

    formula: Any
    terms: tuple  # ``Term`` objects, sorted by degree
    key: tuple[str, ...]  # shared by right sides of the same matrix: ``"x"`` and ``"1 + x"``


def reading(text: str, source: str | None = None) -> Reading:
    """formulaic's reading of a right side; ``source`` is the formula that errors show."""
    try:
        return _reading(text)
    except FormulaError as error:
        raise FormulaError(error.reason, source) from None
    except _not_read() as error:
        reason = re.sub(r"[⧛⧚]", "", first_line(error)) or "syntax error"
        if "numerical scaling" in reason:
            reason = "a 1 in brackets that are multiplied; leave it out there"
        reason = reason.replace("has insuffient arguments and/or is misplaced", "lacks a term")
        text = shown(text)
        raise FormulaError(f"{text!r} cannot be read ({reason}){_remedy(text)}", source) from None


@lru_cache(maxsize=CACHE_SIZE)
def _reading(text: str) -> Reading:
    from formulaic import Formula as FormulaicFormula

    if has_dot(text):
        raise FormulaError("'.' stands for columns in the fixed part only; name them here")
    if any(token.text == "~" for token in tokens_of(text)):
        raise FormulaError(f"{shown(text)!r} has a '~' of its own; a formula has one, not in terms")
    formula = FormulaicFormula(text)
    terms = tuple(formula)
    return Reading(formula, terms, tuple(str(term) for term in terms))


def _not_read() -> tuple[type[Exception], ...]:
    """The errors of formulaic: asked for where there is one, because of the import."""
    from formulaic.errors import FormulaicError

    return FormulaicError, SyntaxError, ValueError, TypeError


def term_key(text: str) -> tuple[str, ...]:
    """A key that right sides of the same matrix share: ``"x"`` and ``"1 + x"``."""
    return reading(text).key


def formulaic_terms(text: str, source: str | None = None) -> tuple:
    """formulaic's terms of a right side; ``source`` is the formula that errors show."""
    return reading(text, source).terms


def _remedy(text: str) -> str:
    """Advice on what to write instead; empty where there is none."""
    if re.search(r"[<>!=]", text):
        return "; put a comparison in I(), as in I(x > 10)"
    return ""


def has_dot(text: str) -> bool:
    """Whether a ``.`` stands for terms."""
    return any(token.text == "." for token in tokens_of(text))


def check_numbers(tokens: Sequence[Token], source: str) -> None:
    """Refuse numbers among terms, where nothing is calculated: ``1/x``, ``x + 2``."""
    if any(token.text in ("<", ">", "=", "!") for token in tokens):
        return  # a comparison, which is refused as such
    for i, token in enumerate(tokens):
        after = tokens[i + 1].text if i + 1 < len(tokens) else ""
        if token.text == "%in%" and re.match(r"c\(", after):
            text = source[tokens[0].start : tokens[-1].end]
            raise FormulaError(
                f"%in% nests terms in a formula; for a comparison write I({text})",
                source,
                token.start,
            )
        if token.kind != "value" or not re.match(r"\.?\d", token.text):
            continue
        before = tokens[i - 1].text if i else ""
        power = before in ("^", "**")
        joined = not power and (before in _JOINING or after in (*_JOINING, "^", "**"))
        if joined or (not power and token.text not in ("0", "1")):
            text = source_text(tokens, source)
            column = f"; a column of that name is `{token.text}`" if not joined else ""
            raise FormulaError(
                f"nothing is calculated with {token.text} in {text!r}, where operators combine "
                f"terms; write I({text}) for the arithmetic{column}",
                source,
                token.start,
            )
        if before == "%in%" or after == "%in%":
            break


def check_subtraction(text: str, before: str) -> None:
    """Refuse to take away a term that does not stand further left."""
    if has_dot(before) or has_dot(text):
        return
    there = {str(term) for term in formulaic_terms(before)}
    gone = [str(term) for term in formulaic_terms(f"0 + {text}")]
    if gone and text not in ("0", "1") and not there.intersection(gone):
        left = [shown(name) for name in lhs_terms(before) if name != "1"]
        raise FormulaError(
            f"there is no term {shown(text)} to take away; the terms there are "
            f"{listing(left) if left else 'the intercept alone'}."
            f"{suggestion(shown(text), left)} Leave it out"
        )
