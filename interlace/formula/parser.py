"""Formula text -> response, fixed part, random-effect terms and offsets.

The grammar is lme4's (and reformulas').  No data is seen here.  The fixed part and the left sides
of the random terms stay text for formulaic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from ..errors import ArgumentTypeError, FormulaError, brief, listing
from .spelling import marked, one_line, python_text, quoted, shown, unquoted
from .terms import (
    CACHE_SIZE,
    check_numbers,
    check_subtraction,
    formulaic_terms,
    has_dot,
    lhs_terms,
    term_key,
)
from .tokens import Token, arguments, call, has_bar, moved, source_text, split, tokens_of, unwrap

__all__ = ["Formula", "RandomTermSpec", "Response", "parse", "with_random"]

#: Covariance structures that a random term may be wrapped in, and whether they can be fitted.
STRUCTURES = {
    "us": True,
    "diag": True,
    "cs": False,
    "ar1": False,
    "homcs": False,
    "hetar1": False,
    "homdiag": False,
    "toep": False,
    "rr": False,
}


@dataclass(frozen=True)
class Response:
    """Left side of a formula.

    Attributes
    ----------
    kind : {"column", "cbind", "ratio"}
        A column or an expression of columns; ``cbind(successes, failures)``; ``successes / size``.
    text : str
        As written.
    parts : tuple of str
        The expressions: one for "column", two for the others.

    Examples
    --------
    >>> from interlace.formula import parse
    >>> parse("cbind(k, n - k) ~ x").response.parts
    ('k', 'n - k')
    """

    kind: str
    text: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class RandomTermSpec:
    """One random-effect term after ``||``, ``/``, ``*`` and ``+`` have been expanded.

    Attributes
    ----------
    lhs : str
        Left side, for formulaic; the intercept is implicit as in R.
    group : tuple of str
        Variables (or expressions) whose interaction makes the groups, in order.
    structure : str
        Covariance structure of the left side's columns: "us" or "diag".
    text : str
        The term as lme4 would print it: ``"(1 + Days | Subject)"``.
    label : str
        R's label of the grouping factor: ``"cask:batch"``, ``"c:(b:a)"``.

    Examples
    --------
    >>> from interlace.formula import parse
    >>> [term.text for term in parse("y ~ 1 + (1 | a/b)").random]
    ['(1 | b:a)', '(1 | a)']
    """

    lhs: str
    group: tuple[str, ...]
    structure: str
    text: str
    label: str


@dataclass(frozen=True)
class Formula:
    """A parsed formula.

    Attributes
    ----------
    text : str
        The whole formula, random terms given as arguments included.
    response : Response or None
        None for a one-sided formula.
    fixed : str
        Right side for formulaic: random terms and offsets removed, R's spellings translated.
    random : tuple of RandomTermSpec
        In the order of lme4 before it sorts them by their numbers of levels.
    offsets : tuple of str
        Expressions inside ``offset()``.
    written : tuple of str
        The random terms as written, before their expansion.

    Examples
    --------
    >>> from interlace.formula import parse
    >>> formula = parse("y ~ x + offset(log(z)) + (x || g)")
    >>> formula.fixed, formula.offsets, [term.lhs for term in formula.random]
    ('x', ('log(z)',), ['1', '0 + x'])
    """

    text: str
    response: Response | None
    fixed: str
    random: tuple[RandomTermSpec, ...]
    offsets: tuple[str, ...]
    written: tuple[str, ...] = ()


class Group(NamedTuple):
    variables: tuple[str, ...]
    label: str  # as R prints it
    text: str  # as a formula needs it: names quoted


# --- the parts ------------------------------------------------------------------------------


def _response(tokens: list[Token], source: str) -> Response | None:
    if not tokens:
        return None
    if has_bar(tokens):
        bar = next(token for token in tokens if token.text in ("|", "||"))
        raise FormulaError("a random term cannot stand left of '~'", source, bar.start)
    text = source_text(tokens, source)
    if len(tokens) == 1:
        called = call(tokens[0])
        if called and called[0] == "cbind":
            parts = tuple(python_text(part) for part in arguments(called[1]))
            if len(parts) != 2:
                raise FormulaError(
                    "cbind() on the left takes two arguments, the counts of successes and of "
                    f"failures: cbind(k, n - k); got {len(parts)}",
                    source,
                    tokens[0].start,
                )
            return Response("cbind", text, parts)
    if any((call(token) or ("",))[0] == "cbind" for token in tokens):
        raise FormulaError(
            "cbind() must be the whole left side: cbind(k, n - k) ~ x", source, tokens[0].start
        )
    sides = split(tokens, "/")
    if len(sides) == 2 and all(side and side[0].kind != "value" for _, side in sides):
        outer = [token for _, side in sides for token in unwrap(side)]
        if len(split(tokens, "+-*:^")) == 1 and outer:
            parts = tuple(python_text(source_text(side, source)) for _, side in sides)
            return Response("ratio", text, parts)
    return Response("column", text, (python_text(text),))


def _group(tokens: list[Token], source: str) -> list[Group]:
    """Right side of a bar -> grouping factors, in the order in which lme4 lists them."""
    pieces = split(tokens, "+")
    if len(pieces) > 1:
        return [group for _, piece in pieces for group in _group(piece, source)]
    pieces = split(tokens, "*/")
    if len(pieces) > 1:
        result = _group(pieces[0][1], source)
        for operator, piece in pieces[1:]:
            assert operator is not None
            other = _group(piece, source)
            if operator.text == "*":
                result = [*result, *other, *(_cross(a, b) for a in result for b in other)]
            else:
                result = [*(_cross(b, result[0]) for b in other), *result]
        return result
    pieces = split(tokens, ":")
    if len(pieces) > 1:
        result = _group(pieces[0][1], source)
        for _, piece in pieces[1:]:
            other = _group(piece, source)
            result = [_cross(a, b) for a in result for b in other]
        return result
    return _atom(tokens, source)


def _cross(a: Group, b: Group) -> Group:
    if len(b.variables) > 1 and not b.label.startswith("("):
        b = Group(b.variables, f"({b.label})", f"({b.text})")
    return Group(a.variables + b.variables, f"{a.label}:{b.label}", f"{a.text}:{b.text}")


def _atom(tokens: list[Token], source: str) -> list[Group]:
    if not tokens:
        raise FormulaError(
            "a random term needs a grouping factor right of the bar: (1 | g)", source
        )
    inner = unwrap(tokens)
    if len(inner) < len(tokens):
        groups = _group(inner, source)
        if len(groups) == 1 and len(groups[0].variables) > 1:
            variables, label, text = groups[0]
            return [Group(variables, f"({label})", f"({text})")]
        return groups
    if len(tokens) == 1 and tokens[0].kind in ("name", "python"):
        text = tokens[0].text
        if tokens[0].kind == "python":
            return [Group((python_text(text),), text, text)]
        return [Group((unquoted(text),), unquoted(text), text)]
    if len(tokens) == 1 and tokens[0].kind == "value":
        raise FormulaError(
            f"{tokens[0].text} is no grouping factor: right of the bar stands a column, "
            "as in (1 | g)",
            source,
            tokens[0].start,
        )
    bad = next((token for token in tokens if token.kind == "operator"), tokens[0])
    raise FormulaError(
        f"{bad.text!r} is not understood right of the bar; use g, a:b, a/b, a*b or a + b",
        source,
        bad.start,
    )


def _random(tokens: list[Token], source: str, structure: str | None) -> list[RandomTermSpec]:
    """One bracketed term -> its expansion."""
    pieces = split(tokens, ("|", "||"))
    if len(pieces) != 2:
        raise FormulaError(
            "a random term has one bar: (x | g)", source, (pieces[2][0] or tokens[0]).start
        )
    bar, right = pieces[1]
    left = pieces[0][1]
    assert bar is not None
    position = bar.start
    if not left:
        raise FormulaError(
            "a random term needs a left side: (1 | g) for an intercept", source, position
        )
    if not right:
        raise FormulaError(
            "a random term needs a grouping factor right of the bar: (1 | g)", source, position
        )
    groups = _group(right, source)
    check_numbers(left, source)
    lhs = source_text(left, source, marks=True)
    terms = lhs_terms(lhs, source)
    if not terms:
        raise FormulaError(
            f"({lhs} | {groups[0].label}) has no random effect left of the bar", source, position
        )
    if bar.text == "||" and structure is None:
        sides = ["1" if term == "1" else f"0 + {term}" for term in terms]
    else:
        sides = [lhs]
    if bar.text == "||" and structure == "us":
        raise FormulaError("us() and '||' contradict each other; keep one", source, position)
    kind = structure or "us"
    wrap = "" if structure is None else structure
    return [
        RandomTermSpec(
            side, group.variables, kind, f"{wrap}({shown(side)} | {group.text})", group.label
        )
        for group in groups
        for side in sides
    ]


def _structured(token: Token, source: str) -> list[RandomTermSpec] | None:
    """``diag(1 + x | g)`` and its kin; None for any other token."""
    called = call(token)
    if called is None or called[0] not in STRUCTURES:
        return None
    name, inside = called
    first, *rest = arguments(inside)
    shift = token.start + len(name) + 1 + inside.index(first)
    tokens = unwrap([moved(piece, shift) for piece in tokens_of(first)])
    if not has_bar(tokens):
        return None
    if not STRUCTURES[name]:
        available = listing(f"{key}()" for key, ready in STRUCTURES.items() if ready)
        raise FormulaError(
            f"the covariance structure {name}() is not available yet; available: {available}",
            source,
            token.start,
        )
    if rest:
        raise FormulaError(
            f"{name}() takes one random term, as in {name}(1 + x | g); got also {rest[0]!r}",
            source,
            token.start,
        )
    return _random(tokens, source, name)


@dataclass
class Parts:
    """A right side, piece by piece."""

    fixed: list[tuple[str, str]] = field(default_factory=list)  # sign, text
    written: list[tuple[str, list[RandomTermSpec]]] = field(default_factory=list)
    offsets: list[str] = field(default_factory=list)

    @property
    def random(self) -> list[RandomTermSpec]:
        """The random terms of all pieces."""
        return [term for _, terms in self.written for term in terms]

    def fixed_text(self) -> str:
        """The fixed part for formulaic.

        Raises
        ------
        FormulaError
            If a term is subtracted that is not there.
        """
        out = ""
        for sign, text in self.fixed:
            if sign == "-":
                check_subtraction(text, out or "1")
            if not out:
                out = text if sign == "+" else f"-{text}"
            else:
                out += f" {sign} {text}"
        return out or "1"


def _subtract(terms: list[RandomTermSpec], source: str, position: int, parts: Parts) -> None:
    """Take away random terms that stand further left, as R's ``update`` leaves them."""
    for term in terms:
        for i, (_, piece) in reversed(list(enumerate(parts.written))):
            same = [t for t in piece if _identity(t) == _identity(term)]
            if same:
                rest = [t for t in piece if t is not same[-1]]
                parts.written[i : i + 1] = [(t.text, [t]) for t in rest]
                break
        else:
            raise FormulaError(
                f"there is no random term {term.text} to subtract; leave it out", source, position
            )


def _identity(term: RandomTermSpec) -> tuple:
    return term.label, term_key(term.lhs)


def right_side(tokens: list[Token], source: str, parts: Parts) -> None:
    for operator, raw in split(tokens, "+-"):
        sign = operator.text if operator else "+"
        position = operator.start if operator else (tokens[0].start if tokens else len(source))
        if not raw:
            if operator is None:
                continue
            raise FormulaError(f"nothing follows {sign!r}", source, position)
        item = unwrap(raw)
        special = _structured(item[0], source) if len(item) == 1 else None
        if special is None and has_bar(item):
            if not any(t.text in ("|", "||") for t, _ in split(item, ("|", "||")) if t):
                if len(item) == len(raw) or sign == "-":
                    _refuse_bar(item, source)
                right_side(item, source, parts)
                continue
            if len(item) == len(raw):
                bar = next(token for token in item if token.text in ("|", "||"))
                raise FormulaError("a random term needs brackets: (x | g)", source, bar.start)
            special = _random(item, source, None)
        if special is not None:
            if sign == "-":
                _subtract(special, source, position, parts)
            else:
                parts.written.append((source_text(raw, source), special))
            continue
        called = call(item[0]) if len(item) == 1 else None
        if called and called[0] == "offset":
            offset = python_text(called[1])
            if sign == "+":
                parts.offsets.append(offset)
            elif offset in parts.offsets:
                parts.offsets.remove(offset)
            else:
                raise FormulaError(
                    f"there is no offset({offset}) to take away; to subtract its values write "
                    f"offset(-({offset}))",
                    source,
                    position,
                )
            continue
        for token in raw:
            inner = call(token)
            if inner and inner[0] == "offset":
                raise FormulaError(
                    "offset() must be a term of its own: y ~ x + offset(z)", source, token.start
                )
        check_numbers(raw, source)
        parts.fixed.append((sign, source_text(raw, source, marks=True)))


def _refuse_bar(tokens: list[Token], source: str) -> None:
    bar = next(token for token in tokens if token.text in ("|", "||"))
    raise FormulaError(
        "a random term must be added to the formula: y ~ x + (1 | g)", source, bar.start
    )


# --- public ---------------------------------------------------------------------------------


def parse(formula: str) -> Formula:
    """Read an lme4 formula.

    Parameters
    ----------
    formula : str
        ``"y ~ x + (1 + x | g)"``: the whole grammar of lme4, and formulaic's on the fixed side.

    Returns
    -------
    Formula

    Raises
    ------
    FormulaError
        If the text cannot be read; the message points at the place.
    ArgumentTypeError
        If `formula` is not a string.

    Examples
    --------
    >>> from interlace.formula import parse
    >>> formula = parse("Reaction ~ Days + (Days | Subject)")
    >>> formula.response.text, formula.fixed, formula.random[0].group
    ('Reaction', 'Days', ('Subject',))
    """
    if isinstance(formula, Formula):
        return formula
    if not isinstance(formula, str):
        raise ArgumentTypeError(
            f"formula must be a string such as 'y ~ x + (1 | g)', got {type(formula).__name__}"
        )
    return _parse(formula)


@lru_cache(maxsize=CACHE_SIZE)
def _parse(formula: str) -> Formula:
    text = one_line(formula)
    if not text:
        raise FormulaError("formula is empty; write 'y ~ x + (1 | g)'")
    tokens = tokens_of(text)
    sides = split(tokens, "~")
    if len(sides) == 1:
        raise FormulaError("formula has no '~'; write 'y ~ x + (1 | g)'", text)
    if len(sides) > 2:
        tilde = sides[2][0]
        raise FormulaError("formula has more than one '~'", text, tilde.start if tilde else None)
    right = sides[1][1]
    if not right:
        raise FormulaError(
            "nothing stands right of '~'; write '~ 1' for an intercept only", text, len(text) - 1
        )
    parts = Parts()
    right_side(right, text, parts)
    fixed = parts.fixed_text()
    if not has_dot(fixed):
        formulaic_terms(fixed, text)
    return Formula(
        text=text,
        response=_response(sides[0][1], text),
        fixed=fixed,
        random=_distinct(parts.random, text),
        offsets=tuple(parts.offsets),
        written=tuple(text for text, _ in parts.written),
    )


@lru_cache(maxsize=CACHE_SIZE)
def with_dot(formula: Formula, columns: tuple[str, ...]) -> Formula:
    """Replace ``.`` in the fixed part by all columns that the formula does not use elsewhere.

    Columns of the response, of offsets and of grouping factors are left out; R leaves out the
    response alone, but a grouping factor as fixed effect takes all that its random effect has.

    Parameters
    ----------
    formula : Formula
    columns : tuple of str
        Names of the data's columns.

    Examples
    --------
    >>> from interlace.formula import parse, with_dot
    >>> with_dot(parse("y ~ . + (1 | g)"), ("y", "a", "b", "g")).fixed
    '(a + b)'
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
    """The formula without the response among its fixed terms, as R drops it.

    Parameters
    ----------
    formula : Formula
        The same object comes back where there is nothing to drop.

    Raises
    ------
    FormulaError
        If the response is the covariate of a random effect.

    Examples
    --------
    >>> from interlace.formula import parse, without_response
    >>> without_response(parse("y ~ y + x")).fixed
    'y + x - y'
    """
    if formula.response is None or formula.response.kind != "column":
        return formula
    text = source_text(tokens_of(formula.response.text), formula.response.text, marks=True)
    try:
        found = term_key(f"0 + {text}")
    except FormulaError:  # an expression with operators is no term
        return formula
    if len(found) != 1 or found == ("1",):
        return formula
    for spec in formula.random:
        if found[0] in term_key(spec.lhs):
            raise FormulaError(
                f"the response {formula.response.text} is a covariate of the random term "
                f"{spec.text}; it cannot explain itself: leave it out there",
                formula.text,
            )
    if found[0] not in term_key(formula.fixed):
        return formula
    return replace(formula, fixed=f"{formula.fixed} - {text}")


def _distinct(terms: Sequence[RandomTermSpec], text: str) -> tuple[RandomTermSpec, ...]:
    seen = set()
    for term in terms:
        key = term_key(term.lhs), term.group
        if key in seen:
            raise FormulaError(
                f"the random term {term.text} appears twice; its variance could not be split "
                "between the two",
                text,
            )
        seen.add(key)
    return tuple(terms)


def with_random(
    formula: Formula,
    groups: str | Sequence[str] | None = None,
    random: str | Sequence[str] | None = None,
    columns: Iterable[str] = (),
) -> Formula:
    """Add the random terms given as arguments.

    Parameters
    ----------
    formula : Formula
    groups : str or sequence of str, optional
        Column names (or ``"a:b"``, ``"a/b"``): a random intercept for each.
    random : str or sequence of str, optional
        Terms in lme4's notation, ``"(1 + x | g)"``.  Wins over `groups`.
    columns : iterable of str, optional
        Names of the data's columns: a group name among them is taken literally, whatever
        characters it has.

    Returns
    -------
    Formula
        With the terms behind those of the formula, also in its text.

    Raises
    ------
    FormulaError, ArgumentTypeError

    Examples
    --------
    >>> from interlace.formula import parse, with_random
    >>> with_random(parse("y ~ x"), groups="g").text
    'y ~ x + (1 | g)'
    """
    if random is not None:
        given = _strings(random, "random", '["(1 + x | g)"]')
        texts = tuple(_bracketed(text) for text in given)
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
        random=_distinct([*formula.random, *added], whole),
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
