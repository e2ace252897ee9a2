"""Formula text -> response, fixed part, random-effect terms and offsets.

The grammar is lme4's (and reformulas').  No data is seen here.  The fixed part and the left sides
of the random terms stay text for formulaic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from ..covariance.names import HOMOGENEOUS, STRUCTURES
from ..covariance.structures import Unstructured
from ..errors import ArgumentTypeError, FormulaError, listing
from .formula import Formula, MatrixSpec, RandomTermSpec, ResponseSpec
from .spelling import one_line, python_text, shown, unquoted
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

#: Covariance structures of other packages that are read and refused, and why.
NOT_AVAILABLE = {
    "equalto": "its covariances are known numbers: glmer() with family=Gaussian(precision=1) and "
    "weights=1/variance serves where they are those of the rows",
}
#: glmmTMB's name of a known matrix, and the arguments that name one.
PROPORTIONAL = "propto"
MATRICES = ("cov", "precision")
#: Structures of the effects of one group that a known matrix multiplies.
WITH_MATRIX = ("us", "diag", "homdiag", "cs", "homcs")


def parse(formula: str) -> Formula:
    """Read a formula: the whole grammar of lme4, and formulaic's on the fixed side.

    A FormulaError points at the place that cannot be read.
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
        random=distinct_terms(parts.random, text),
        offsets=tuple(parts.offsets),
        written=tuple(text for text, _ in parts.written),
    )


def distinct_terms(terms: Sequence[RandomTermSpec], text: str) -> tuple[RandomTermSpec, ...]:
    """The terms themselves; an error where two are the same."""
    keys = set()
    for term in terms:
        key = term_key(term.lhs), term.group, term.matrix
        if key in keys:
            raise FormulaError(
                f"the random term {term.text} appears twice; its variance could not be split "
                "between the two",
                text,
            )
        keys.add(key)
    return tuple(terms)


# --- response ------------------------------------------------------------------------------


def _response(tokens: list[Token], source: str) -> ResponseSpec | None:
    if not tokens:
        return None
    if has_bar(tokens):
        position = _first_bar(tokens).start
        raise FormulaError("a random term cannot stand left of '~'", source, position)
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
            return ResponseSpec("cbind", text, parts)
    if any((call(token) or ("",))[0] == "cbind" for token in tokens):
        raise FormulaError(
            "cbind() must be the whole left side: cbind(k, n - k) ~ x", source, tokens[0].start
        )
    sides = split(tokens, "/")
    if len(sides) == 2 and all(side and side[0].kind != "value" for _, side in sides):
        outer = [token for _, side in sides for token in unwrap(side)]
        if len(split(tokens, "+-*:^")) == 1 and outer:
            parts = tuple(python_text(source_text(side, source)) for _, side in sides)
            return ResponseSpec("ratio", text, parts)
    return ResponseSpec("column", text, (python_text(text),))


# --- right side ----------------------------------------------------------------------------


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
        """The fixed part for formulaic."""
        out = ""
        for sign, text in self.fixed:
            if sign == "-":
                check_subtraction(text, out or "1")
            if not out:
                out = text if sign == "+" else f"-{text}"
            else:
                out += f" {sign} {text}"
        return out or "1"


class Piece(NamedTuple):
    """One summand of a right side with its sign; `item` is without outer brackets."""

    sign: str
    position: int
    raw: list[Token]
    item: list[Token]

    def call(self) -> tuple[str, str]:
        """Name and inside of a piece that is one call, else two empty texts."""
        return (call(self.item[0]) if len(self.item) == 1 else None) or ("", "")


def right_side(tokens: list[Token], source: str, parts: Parts) -> None:
    """Add the pieces of a right side to `parts`."""
    for operator, raw in split(tokens, "+-"):
        sign = operator.text if operator else "+"
        position = operator.start if operator else (tokens[0].start if tokens else len(source))
        if raw:
            piece = Piece(sign, position, raw, unwrap(raw))
            next(add for is_kind, add in _KINDS if is_kind(piece))(piece, source, parts)
        elif operator is not None:
            raise FormulaError(f"nothing follows {sign!r}", source, position)


def _is_structured(piece: Piece) -> bool:
    name, inside = piece.call()
    if name not in STRUCTURES and name not in NOT_AVAILABLE and name != PROPORTIONAL:
        return False
    return has_bar(tokens_of(arguments(inside)[0]))


def _is_sum_with_bars(piece: Piece) -> bool:
    bars = (operator for operator, _ in split(piece.item, ("|", "||")) if operator)
    return has_bar(piece.item) and next(bars, None) is None


def _add_structured(piece: Piece, source: str, parts: Parts) -> None:
    _add_terms(_structured(piece.item[0], source), piece, source, parts)


def _add_sum(piece: Piece, source: str, parts: Parts) -> None:
    """Random terms among others in brackets: ``(x + (1 | g))``."""
    if len(piece.item) == len(piece.raw) or piece.sign == "-":
        raise FormulaError(
            "a random term must be added to the formula: y ~ x + (1 | g)",
            source,
            _first_bar(piece.item).start,
        )
    right_side(piece.item, source, parts)


def _add_random(piece: Piece, source: str, parts: Parts) -> None:
    if len(piece.item) == len(piece.raw):
        position = _first_bar(piece.item).start
        raise FormulaError("a random term stands in brackets: write (x | g)", source, position)
    _add_terms(_random(piece.item, source, None), piece, source, parts)


def _add_terms(terms: list[RandomTermSpec], piece: Piece, source: str, parts: Parts) -> None:
    if piece.sign == "-":
        _subtract(terms, source, piece.position, parts)
    else:
        parts.written.append((source_text(piece.raw, source), terms))


def _add_offset(piece: Piece, source: str, parts: Parts) -> None:
    offset = python_text(piece.call()[1])
    if piece.sign == "+":
        parts.offsets.append(offset)
    elif offset in parts.offsets:
        parts.offsets.remove(offset)
    else:
        raise FormulaError(
            f"there is no offset({offset}) to take away; to subtract its values write "
            f"offset(-({offset}))",
            source,
            piece.position,
        )


def _add_fixed(piece: Piece, source: str, parts: Parts) -> None:
    for token in piece.raw:
        if (call(token) or ("",))[0] == "offset":
            raise FormulaError(
                "offset() must be a term of its own: y ~ x + offset(z)", source, token.start
            )
    check_numbers(piece.raw, source)
    parts.fixed.append((piece.sign, source_text(piece.raw, source, marks=True)))


#: Kinds of pieces, the first that fits: how to recognise one, how to add it to the parts.
_KINDS: tuple[tuple[Callable[[Piece], bool], Callable[[Piece, str, Parts], None]], ...] = (
    (_is_structured, _add_structured),
    (_is_sum_with_bars, _add_sum),
    (lambda piece: has_bar(piece.item), _add_random),
    (lambda piece: piece.call()[0] == "offset", _add_offset),
    (lambda piece: True, _add_fixed),
)


def _first_bar(tokens: list[Token]) -> Token:
    return next(token for token in tokens if token.text in ("|", "||"))


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
    return term.factor, term_key(term.lhs)


def _structured(token: Token, source: str) -> list[RandomTermSpec]:
    """Terms of ``diag(1 + x | g)`` and its kin."""
    name, inside = call(token) or ("", "")
    first, *rest = arguments(inside)
    if name == PROPORTIONAL:
        return [_proportional(first, rest, source, token.start)]
    if name not in STRUCTURES:
        raise FormulaError(
            f"the covariance structure {name}() is not available: {NOT_AVAILABLE[name]}",
            source,
            token.start,
        )
    kind, rank, matrix = name, None, None
    for text in rest:
        if text.partition("=")[0].strip() in MATRICES:
            matrix = _matrix(text, source, token.start)
            continue
        try:
            kind, rank = _with_option(kind, rank, text)
        except ValueError as error:
            raise FormulaError(str(error), source, token.start) from None
    shift = token.start + len(name) + 1 + inside.index(first)
    pieces = unwrap([moved(piece, shift) for piece in tokens_of(first)])
    return _random(pieces, source, kind, rank, matrix)


def _proportional(first: str, rest: list[str], source: str, position: int) -> RandomTermSpec:
    """glmmTMB's ``propto(0 + g | 1, A)``, effects of g's levels with covariances known to scale."""
    left, _, right = first.partition("|")
    sides = lhs_terms(left.strip(), source)
    if len(sides) != 1 or sides == ["1"] or len(rest) != 1 or not right.strip():
        raise FormulaError(
            "propto() has the levels of one factor left of the bar, one group right of it, and a "
            "matrix: propto(0 + g | 1, A), which is (1 | g, cov=A)",
            source,
            position,
        )
    as_factor = call(tokens_of(sides[0].strip("{}"))[0])
    group = as_factor[1] if as_factor and as_factor[0] in ("factor", "C") else sides[0]
    within = "" if right.strip() == "1" else unquoted(right.strip())
    matrix = _matrix(rest[0], source, position)._replace(within=within)
    return _random(tokens_of(f"1 | {group}"), source, None, matrix=matrix)[0]


def _matrix(text: str, source: str, position: int) -> MatrixSpec:
    """The matrix of ``cov=A`` or of a name alone."""
    key, equals, name = (part.strip() for part in text.partition("="))
    if not equals:
        key, name = "cov", key
    if key not in MATRICES or not name.isidentifier():
        raise FormulaError(
            "a known matrix is named, as a variable or in matrices={'A': A}: (1 | g, cov=A), or "
            f"(1 | g, precision=Q) for an inverse; got {text.strip()!r}",
            source,
            position,
        )
    return MatrixSpec(key, name)


def _with_option(kind: str, rank: int | None, text: str) -> tuple[str, int | None]:
    """Structure and rank as another argument of the call says."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        key, value = "d" if STRUCTURES[kind].ranked else "", key
    if key in ("d", "rank") and STRUCTURES[kind].ranked:
        if not value.rstrip("L").isdigit() or int(value.rstrip("L")) < 1:
            raise ValueError(f"{kind}() has a whole number of latent factors, d=2; got {text!r}")
        return kind, int(value.rstrip("L"))
    if key in ("hom", "het") and value in ("TRUE", "FALSE", "True", "False", "T", "F"):
        pair = next((own for own in HOMOGENEOUS.values() if kind in own), None)
        if pair is not None:
            one = (value[0] == "T") == (key == "hom")
            return pair[0 if one else 1], rank
        raise ValueError(
            f"{kind}() has no choice between one variance and several, {text!r}; these have: "
            f"{listing(f'{key}()' for key in HOMOGENEOUS)}"
        )
    own = "and d=, the number of latent factors" if STRUCTURES[kind].ranked else "and hom="
    raise ValueError(
        f"{kind}() takes one random term, as in {kind}(1 + x | g), {own}; got also {text!r}"
    )


def _random(
    tokens: list[Token],
    source: str,
    structure: str | None,
    rank: int | None = None,
    matrix: MatrixSpec | None = None,
) -> list[RandomTermSpec]:
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
    right, own = _with_matrix(right, source)
    matrix = own or matrix
    groups = _group(right, source)
    check_numbers(left, source)
    lhs = source_text(left, source, marks=True)
    terms = lhs_terms(lhs, source)
    if not terms:
        raise FormulaError(
            f"({lhs} | {groups[0].label}) has no random effect left of the bar", source, position
        )
    sides = [lhs]
    if bar.text == "||":
        if structure is None:
            sides = ["1" if term == "1" else f"0 + {term}" for term in terms]
        elif STRUCTURES[structure].correlated:
            text = f"{structure}() and '||' contradict each other; keep one"
            raise FormulaError(text, source, position)
    if structure is not None and STRUCTURES[structure].effects == "positions":
        sides = [f"0 + {' + '.join(term for term in terms if term != '1')}"]
    if matrix is not None:
        _check_matrix(structure, groups, matrix, source, position)
    return [_spec(side, group, structure, rank, matrix) for group in groups for side in sides]


def _with_matrix(right: list[Token], source: str) -> tuple[list[Token], MatrixSpec | None]:
    """The grouping factor and the known matrix of ``g, cov=A`` or ``gr(g, cov=A)``."""
    called = call(right[0]) if len(right) == 1 else None
    if called and called[0] == "gr":
        inside, start = called[1], right[0].start + len("gr(")
        right = [moved(token, start) for token in tokens_of(inside)]
    (_, group), *options = split(right, ",")
    matrix = None
    for comma, tokens in options:
        assert comma is not None
        text = source_text(tokens, "")
        if text.partition("=")[0].strip() not in MATRICES:
            raise FormulaError(
                "a random term has one argument, a known matrix, (x | g, cov=A) or "
                "(x | g, precision=Q); a structure stands in front: ar1(0 + time | g)",
                source,
                comma.start,
            )
        matrix = _matrix(text, source, comma.start)
    return group, matrix


def _check_matrix(
    structure: str | None, groups: list[Group], matrix: MatrixSpec, source: str, position: int
) -> None:
    """Refuse structures that a known matrix does not multiply, and several groups of one."""
    if structure not in (None, *WITH_MATRIX):
        raise FormulaError(
            f"{structure}() does not go with {matrix.text}: effects of a group may have "
            f"{listing(f'{name}()' for name in WITH_MATRIX)}, as in diag(1 + x | g, cov=A)",
            source,
            position,
        )
    if len(groups) > 1:
        raise FormulaError(
            f"{matrix.text} is of one grouping factor, and there are "
            f"{listing(group.label for group in groups)}; write a term for each",
            source,
            position,
        )


def _spec(
    side: str,
    group: Group,
    structure: str | None,
    rank: int | None,
    matrix: MatrixSpec | None,
) -> RandomTermSpec:
    after = "" if rank is None else f", d={rank}"
    after += "" if matrix is None else f", {matrix.text}"
    return RandomTermSpec(
        side,
        group.variables,
        structure or Unstructured.name,
        f"{structure or ''}({shown(side)} | {group.text}{after})",
        group.label,
        rank,
        matrix,
    )


# --- groups ---------------------------------------------------------------------------------


class Group(NamedTuple):
    """A grouping factor right of a bar."""

    variables: tuple[str, ...]
    label: str  # as R prints it
    text: str  # as a formula needs it: names quoted


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
