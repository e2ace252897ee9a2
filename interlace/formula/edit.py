"""Formulas made from others: random terms added, dots filled, the response taken out, updates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from ..errors import ArgumentTypeError, FormulaError, brief
from .formula import Formula, RandomTermSpec
from .parser import Parts, distinct_terms, right_side
from .spelling import marked, one_line, quoted, shown, unquoted
from .terms import CACHE_SIZE, check_numbers, formulaic_terms, has_dot, lhs_terms, term_key
from .tokens import Token, source_text, split, tokens_of


def with_random(
    formula: Formula,
    groups: str | Sequence[str] | None = None,
    random: str | Sequence[str] | None = None,
    columns: Iterable[str] = (),
) -> Formula:
    """Add the random terms given as arguments behind those of the formula, also in its text.

    `groups` are names, ``"a:b"`` or ``"a/b"``: a random intercept for each, a name among `columns`
    being taken literally. `random` are terms such as ``"(1 + x | g)"`` and wins.
    """
    if random is not None:
        terms = _strings(random, "random", '["(1 + x | g)"]')
        texts = tuple(_bracketed(text) for text in terms)
    elif groups is not None:
        names = _strings(groups, "groups", '["site", "year"]')
        literal = set(columns) if any(quoted(name) != name for name in names) else ()
        texts = tuple(f"(1 | {f'`{name}`' if name in literal else name})" for name in names)
    else:
        return formula
    return _with_random(formula, texts)


@lru_cache(maxsize=CACHE_SIZE)
def _with_random(formula: Formula, texts: tuple[str, ...]) -> Formula:
    added: list[RandomTermSpec] = []
    written: list[str] = []
    for text in texts:
        parts = Parts()
        right_side(tokens_of(text), text, parts)
        if parts.fixed or parts.offsets or not parts.random:
            raise FormulaError(
                "random= takes random terms only, such as '(1 + x | g)'; "
                "fixed effects go into formula",
                text,
            )
        added += parts.random
        written += [piece for piece, _ in parts.written]
    whole = " + ".join([formula.text, *texts])
    return replace(
        formula,
        text=whole,
        random=distinct_terms([*formula.random, *added], whole),
        written=(*formula.written, *written),
    )


def _strings(value: object, argument: str, example: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ArgumentTypeError(
        f"{argument} must be a string or a list of strings, such as {example}; got {brief(value)}"
    )


def _bracketed(text: str) -> str:
    """`text` with the brackets that ``"1 + x | g"`` lacks."""
    text = " ".join(text.split())
    bars = [bar for bar, _ in split(tokens_of(text), ("|", "||")) if bar]
    return f"({text})" if len(bars) == 1 else text


# --- data ----------------------------------------------------------------------------------


def with_dot(formula: Formula, columns: tuple[str, ...]) -> Formula:
    """Replace ``.`` in the fixed part by all columns that the formula does not use elsewhere.

    Columns of the response, of offsets and of grouping factors are left out; R leaves out the
    response alone, but a grouping factor as fixed effect takes all that its random effect has.
    """
    if not has_dot(formula.fixed):
        return formula
    used = {name for term in formula.random for name in term.group}
    texts = [*formula.offsets, *(formula.response.parts if formula.response else ())]
    for text in texts:
        used |= {unquoted(token.text) for token in tokens_of(text) if token.kind == "name"}
        used |= set(re.findall(r"[^\W\d][\w.]*", text))
    rest = [quoted(marked(name)) for name in columns if name not in used]
    if not rest:
        raise FormulaError("'.' stands for no column: the formula uses all of them", formula.text)
    inside = f"({' + '.join(rest)})"
    fixed = "".join(
        inside if token.text == "." else f" {token.text} " if token.text in "+-" else token.text
        for token in tokens_of(formula.fixed)
    ).strip()
    formulaic_terms(fixed, formula.text)
    return replace(formula, fixed=fixed)


@lru_cache(maxsize=CACHE_SIZE)
def without_response(formula: Formula) -> Formula:
    """The formula itself, or without the response among its fixed terms, as R drops it."""
    if formula.response is None or formula.response.kind != "column":
        return formula
    text = source_text(tokens_of(formula.response.text), formula.response.text, marks=True)
    try:
        own = term_key(f"0 + {text}")
    except FormulaError:  # an expression with operators is no term
        return formula
    if len(own) != 1 or own == ("1",):
        return formula
    for spec in formula.random:
        if own[0] in term_key(spec.lhs):
            raise FormulaError(
                f"the response {formula.response.text} is a covariate of the random term "
                f"{spec.text}; it cannot explain itself: leave it out there",
                formula.text,
            )
    if own[0] not in term_key(formula.fixed):
        return formula
    return replace(formula, fixed=f"{formula.fixed} - {text}")


# --- update --------------------------------------------------------------------------------


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
    random terms and offsets of the old formula stay. Without left side the old one stays. The
    result is written term by term, as R simplifies it.
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
    return before.lstrip() + _updated_right(right, old)


def _updated_right(right: str, old: Formula) -> str:
    terms = [shown(term) for term in lhs_terms(old.fixed)]
    fixed = [term for term in terms if term != "1"]
    tokens = tokens_of(right)
    _check_dots(tokens, right, bool(fixed))
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
    summands = [term for term in pieces if term != "1"]
    if "1" not in pieces:
        summands.insert(0, "0")
    summands = summands or ["1"]
    summands += [written for written, _ in parts.written]
    summands += [f"offset({offset})" for offset in parts.offsets]
    return " + ".join(summands)


def _check_dots(tokens: list[Token], right: str, terms: bool) -> None:
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
