"""Linear hypotheses: a text, a vector with labels or a matrix as ``L beta = rhs``.

The grammar, over the names of the coefficients, of which the longest that fits is read::

    hypotheses = equation {("," | ";") equation}
    equation   = sum {("=" | "==") sum} | "(" equation ")"
    sum        = product {("+" | "-") product}
    product    = factor {["*"] factor | "/" factor}
    factor     = {"+" | "-"} (number | name | "`" name "`" | "(" sum ")")
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pandas as pd

from ..errors import (
    MAX_LISTED,
    ArgumentError,
    ArgumentTypeError,
    brief,
    listing,
    pointed,
    suggestion,
)
from ..frames.read import frame_of
from .names import row_labels, spellings

Parsed = tuple[np.ndarray, np.ndarray, list[str]]

_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])")
# In R's and Python's manner; a number may stand directly before a name, as in "2 a".
_COEFFICIENT = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[^\W\d][\w.]*|\S")
ONE_SIDED = ("<", ">", "!", "≤", "≥", "≠")


class _Sum(NamedTuple):
    """``weights @ beta + constant``."""

    weights: np.ndarray
    constant: float


class _Reader:
    """One pass over a text by recursive descent."""

    def __init__(self, text: str, names: Sequence[str], own: Mapping[str, int]):
        self.text, self.names, self.own = text, names, own
        self.position = 0
        squeezed = "".join(text.split())
        # Only names that occur in the text need be looked for, the longest first.
        squeezed_names = [name for name in own if "".join(name.split()) in squeezed]
        self.patterns = [
            (_pattern(name), own[name]) for name in sorted(squeezed_names, key=len, reverse=True)
        ]

    def fail(self, message: str, position: int | None = None) -> NoReturn:
        at = min(self.position if position is None else position, len(self.text))
        raise ArgumentError(f"cannot read the hypothesis: {message}{pointed(self.text, at)}")

    def peek(self) -> str:
        while self.text[self.position : self.position + 1].isspace():
            self.position += 1
        return self.text[self.position : self.position + 1]

    def take(self, characters: str) -> str:
        char = self.peek()
        if char and char in characters:
            self.position += 1
            return char
        return ""

    def equations(self) -> list[tuple[np.ndarray, float]]:
        if not self.peek():
            self.fail(f"it is empty; name coefficients, which are {listing(self.names)}")
        rows = self.equation()
        while self.peek():
            if not self.take(",;"):
                self.unexpected()
            if self.peek():  # a comma at the end is harmless
                rows += self.equation()
        return rows

    def equation(self) -> list[tuple[np.ndarray, float]]:
        start = self.position
        if self.peek() == "(":
            # "(a = b), (c = 1)", as statsmodels writes it; or brackets of a sum.
            inner = self.bracketed_equation()
            if inner is not None:
                return inner
        self.position = start
        sums = [self.sum()]
        while self.take("="):
            self.take("=")
            sums.append(self.sum())
        return self.rows(sums, start)

    def bracketed_equation(self) -> list[tuple[np.ndarray, float]] | None:
        close = _closing(self.text, self.position)
        if close is None or self.text[close + 1 :].lstrip()[:1] not in ("", ",", ";"):
            return None
        inside = self.text[self.position + 1 : close]
        if "=" not in inside or self.name_at(self.position) is not None:
            return None
        self.position += 1
        rows = self.equation()
        if not self.take(")"):
            self.unexpected()
        return rows

    def rows(self, sums: list[_Sum], start: int) -> list[tuple[np.ndarray, float]]:
        """Each sum equal to the constant among them, or to the next one; a single one to zero."""
        if len(sums) == 1:
            sums = [*sums, _Sum(np.zeros(len(self.names)), 0.0)]
        constants = [s for s in sums if not s.weights.any()]
        others = [s for s in sums if s.weights.any()]
        if not others:
            self.fail("there is no coefficient in it", start)
        if len({s.constant for s in constants}) > 1:
            self.fail("it sets the same thing to two different numbers", start)
        pairs = (
            [(s, constants[0]) for s in others]
            if constants
            else list(zip(others, others[1:], strict=False))
        )
        out = []
        for left, right in pairs:
            weights = left.weights - right.weights
            if not weights.any():
                self.fail("the two sides are the same", start)
            out.append((weights, right.constant - left.constant))
        return out

    def sum(self) -> _Sum:
        total = self.product()
        while sign := self.take("+-"):
            other = self.product()
            factor = 1.0 if sign == "+" else -1.0
            total = _Sum(
                total.weights + factor * other.weights, total.constant + factor * other.constant
            )
        return total

    def product(self) -> _Sum:
        value = self.factor()
        while True:
            self.peek()
            at = self.position
            if self.take("*"):
                if self.peek() == "*":
                    self.fail("powers of coefficients are not linear", at)
                value = self.times(value, self.factor(), at)
            elif self.take("/"):
                divisor = self.factor()
                if divisor.weights.any() or divisor.constant == 0.0:
                    self.fail("one can divide by a number other than 0 only", at)
                value = _Sum(value.weights / divisor.constant, value.constant / divisor.constant)
            elif not value.weights.any() and self.starts_factor():
                value = self.times(value, self.factor(), at)  # "2 a"
            else:
                return value

    def starts_factor(self) -> bool:
        char = self.peek()
        return char in ("(", "`") if char in ("", "(", "`") else self.name_at() is not None

    def times(self, a: _Sum, b: _Sum, at: int) -> _Sum:
        if a.weights.any() and b.weights.any():
            self.fail("a product of coefficients is not linear", at)
        return _Sum(a.weights * b.constant + b.weights * a.constant, a.constant * b.constant)

    def factor(self) -> _Sum:
        if sign := self.take("+-"):
            value = self.factor()
            return value if sign == "+" else _Sum(-value.weights, -value.constant)
        char = self.peek()
        if not char:
            self.fail("it ends where a coefficient or a number is missing")
        if char == "`":
            return self.quoted()
        number = _NUMBER.match(self.text, self.position) or (
            # "2Days": only where no coefficient is called so.
            _COEFFICIENT.match(self.text, self.position) if self.name_at() is None else None
        )
        known = self.name_at()
        if known is not None and not (number and known[1] <= number.end()):
            self.position = known[1]
            return self.unit(known[0])
        if number:
            self.position = number.end()
            return _Sum(np.zeros(len(self.names)), float(number[0]))
        if self.take("("):
            value = self.sum()
            if not self.take(")"):
                self.unexpected() if self.peek() else self.fail("a bracket is never closed")
            return value
        self.unknown()

    def quoted(self) -> _Sum:
        start = self.position
        end = self.text.find("`", start + 1)
        if end < 0:
            self.fail("a back-quote is never closed")
        # `a b`:`c`: formulas quote the factors of an interaction one by one.
        while self.text[end + 1 : end + 3] == ":`" and self.text.find("`", end + 3) > 0:
            end = self.text.index("`", end + 3)
        name = self.text[start : end + 1]
        for text in (name, name[1:-1], name.replace("`", "")):
            if text in self.own:
                self.position = end + 1
                return self.unit(self.own[text])
        self.no_coefficient(name.replace("`", ""), start)

    def name_at(self, position: int | None = None) -> tuple[int, int] | None:
        """The coefficient named here and where its name ends."""
        at = self.position if position is None else position
        for pattern, j in self.patterns:
            if match := pattern.match(self.text, at):
                return j, match.end()
        return None

    def unit(self, j: int) -> _Sum:
        weights = np.zeros(len(self.names))
        weights[j] = 1.0
        return _Sum(weights, 0.0)

    def unknown(self) -> NoReturn:
        char = self.peek()
        if char in ONE_SIDED:
            self.one_sided()
        if char in "=,;)*/^":
            self.fail(f"a coefficient or a number is missing before {char!r}")
        word = re.compile(r"[^\W\d][\w.]*(?:\([^()]*\))?(?:\[[^\[\]]*\])?(?::[\w.\[\]]+)*|\S")
        match = word.match(self.text, self.position)
        self.no_coefficient(match[0] if match else char, self.position)

    def no_coefficient(self, word: str, at: int) -> NoReturn:
        own = [name for name in self.names if name.startswith(f"{word}[")]
        if own:
            self.fail(
                f"{brief(word)} is a term, not a coefficient: anova() tests it, and so does the "
                f"list of its coefficients, {own[:MAX_LISTED]}",
                at,
            )
        near = suggestion(word, self.names) or suggestion(word, self.own)
        self.fail(
            f"{brief(word)} is not the name of a coefficient.{near} "
            f"The coefficients are {listing(self.names)}",
            at,
        )

    def one_sided(self) -> NoReturn:
        self.fail(
            "tests are two-sided: write '='; half the p-value is that of the side of the estimate"
        )

    def unexpected(self) -> NoReturn:
        char = self.peek()
        if char in ONE_SIDED or char == "~":
            self.one_sided()
        if char and (self.name_at() is not None or _WORD.match(self.text, self.position)):
            if char in ")]":
                self.fail(f"{char!r} closes no bracket that is open")
            if char == "^":
                self.fail("powers of coefficients are not linear")
            if char == ":":
                self.no_coefficient(self.text.strip(), self.position)
            if self.name_at() is None and char.isalpha():
                self.unknown()
        self.fail("an operator (+, -, *, /, = or a comma) is missing here")


def _pattern(name: str) -> re.Pattern[str]:
    """A name as it may be written: blanks inside calls and around ':' do not count."""
    free = any(char in name for char in "([:")
    gap = r"\s*" if free else ""
    pieces = re.findall(r"\s+|\w+|[^\w\s]", name)
    text, previous = "", ""
    for piece in pieces:
        blank = piece.isspace()
        if not blank:
            words = previous[-1:].isspace()
            text += (r"\s+" if words and not free else gap if text else "") + re.escape(piece)
        previous = piece
    return re.compile(text + (r"(?![\w.\[:(])" if name[-1:].isalnum() or name[-1:] == "_" else ""))


def _closing(text: str, start: int) -> int | None:
    """Position of the bracket that closes the one at `start`; None without one."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] in "([") - (text[i] in ")]")
        if depth == 0:
            return i
    return None


# -- what may be given ------------------------------------------------------------------------


def parse_hypothesis(names: Sequence[str], hypothesis: Any) -> Parsed:
    """A hypothesis on the coefficients `names` (p,) as ``L beta = rhs``, with labels of its rows.

    It is a text of equations, a mapping, a Series or data frame of weights with coefficients as
    labels or columns, a matrix (r, p) or row (p,), a pair ``(L, rhs)``, or a list of these.
    """
    names = list(names)
    L, rhs, labels = _read(names, hypothesis)
    empty = np.flatnonzero(~L.any(axis=1))
    if empty.size or not len(L):
        which = f"row {empty[0]} of it is zero" if len(L) > 1 else "it is zero throughout"
        raise ArgumentError(
            f"the hypothesis names no coefficient: {which if len(L) else 'it is empty'}"
        )
    return L, rhs, labels


def _read(names: list[str], hypothesis: Any) -> Parsed:
    if isinstance(hypothesis, str):
        return _from_text(hypothesis, names)
    if isinstance(hypothesis, Mapping):
        return _stacked([_entry(names, key, value) for key, value in hypothesis.items()], names)
    if isinstance(hypothesis, pd.Series):
        return _from_series(hypothesis, names)
    frame = frame_of(hypothesis)
    if frame is not None:
        return _from_frame(frame, names)
    if not isinstance(hypothesis, (Sequence, np.ndarray)) and _ndim(hypothesis) == 0:
        raise _wrong_kind(hypothesis, names)
    if isinstance(hypothesis, (pd.Index, np.ndarray)) and hypothesis.dtype.kind not in "biuf":
        hypothesis = np.asarray(hypothesis).tolist()
    if isinstance(hypothesis, tuple) and len(hypothesis) == 2:
        labelled = isinstance(hypothesis[0], (Mapping, pd.Series))
        if labelled or (not isinstance(hypothesis[0], str) and _ndim(hypothesis[0]) >= 1):
            return _pair(names, *hypothesis)
    if isinstance(hypothesis, Sequence) and (
        not len(hypothesis) or any(isinstance(h, (str, Mapping, pd.Series)) for h in hypothesis)
    ):
        return _stacked([_read(names, part) for part in hypothesis], names)
    return _from_array(names, hypothesis)


def _ndim(value: Any) -> int:
    try:
        return np.ndim(value)
    except ValueError:  # rows of unequal length
        return 1


def _stacked(parts: list[Parsed], names: list[str]) -> Parsed:
    if not parts:
        raise ArgumentError(
            f"the hypothesis is empty; name coefficients, which are {listing(names)}"
        )
    L, rhs = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    return L, rhs, [label for part in parts for label in part[2]]


def _from_text(text: str, names: list[str]) -> Parsed:
    own = spellings(names)
    if text.strip() in own:  # also one that alone could be read as something else
        L = np.zeros((1, len(names)))
        L[0, own[text.strip()]] = 1.0
        return L, np.zeros(1), row_labels(L, np.zeros(1), names)
    rows = _Reader(text, names, own).equations()
    L = np.array([weights for weights, _ in rows])
    rhs = np.array([value for _, value in rows])
    return L, rhs, row_labels(L, rhs, names)


def _entry(names: list[str], key: Any, value: Any) -> Parsed:
    """One entry of a mapping: a value of an expression, or a contrast under its label."""
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if number and isinstance(key, str):
        L, rhs, _ = _from_text(key, names)
        if not np.isfinite(value):
            raise ArgumentError(f"the value of {key!r} must be finite, got {value!r}")
        rhs = rhs + float(value)
        return L, rhs, row_labels(L, rhs, names)
    if value is None or isinstance(value, bool) or not isinstance(key, str):
        raise ArgumentTypeError(
            "a dict of hypotheses has texts as keys, with numbers ({'a - b': 1}) or contrasts "
            f"({{'label': 'a - b'}}) as values; got {brief(key)}: {brief(value)}"
        )
    if isinstance(value, Mapping):  # {"label": {"a": 1, "b": -1}}: weights
        value = pd.Series(dict(value), dtype=object)
    L, rhs, labels = _read(names, value)
    return L, rhs, [key] if len(L) == 1 else [f"{key}: {label}" for label in labels]


def _from_series(series: pd.Series, names: list[str]) -> Parsed:
    if series.dtype.kind == "O" and len(series) and all(isinstance(v, str) for v in series):
        return _read(names, series.tolist())
    return _from_frame(series.to_frame().T.reset_index(drop=True), names)


def _from_frame(frame: pd.DataFrame, names: list[str]) -> Parsed:
    """Columns by name: those of coefficients that are not there are zero."""
    plain = isinstance(frame.columns, pd.RangeIndex)
    if plain:
        L, rhs, labels = _from_array(names, frame.to_numpy())
    else:
        own = spellings(names)
        places = [own.get(name) if isinstance(name, str) else None for name in frame.columns]
        unknown = [c for c, j in zip(frame.columns, places, strict=True) if j is None]
        if unknown:
            raise ArgumentError(
                f"the hypothesis has the label {brief(unknown[0])}, which is not the name of a "
                f"coefficient.{suggestion(unknown[0], names)} The coefficients are {listing(names)}"
            )
        if len(set(places)) < len(places):
            raise ArgumentError("the hypothesis has two entries for one coefficient")
        part = _numbers(frame.to_numpy(), names)
        L = np.zeros((len(frame), len(names)))
        L[:, np.array(places, dtype=np.intp)] = part
        rhs = np.zeros(len(L))
        labels = row_labels(L, np.zeros(len(L)), names)
    if not isinstance(frame.index, pd.RangeIndex) and all(isinstance(i, str) for i in frame.index):
        labels = list(frame.index)
    return L, rhs, labels


def _pair(names: list[str], left: Any, right: Any) -> Parsed:
    L, rhs, labels = _read(names, left)
    if isinstance(right, pd.Series) and isinstance(left, pd.DataFrame):
        if not right.index.equals(left.index):
            raise ArgumentError(
                "the right side has other row labels than the contrasts; reindex it to them"
            )
    values = _numbers(right, names)
    if values.ndim > 1 or values.shape not in ((), (1,), (len(L),)):
        raise ArgumentError(
            f"the right side has shape {values.shape}; the hypothesis has {len(L)} row(s)"
        )
    rhs = rhs + values
    default_labels = row_labels(L, np.zeros(len(L)), names)
    if labels == default_labels:
        labels = row_labels(L, rhs, names)
    return L, rhs, labels


def _numbers(value: Any, names: list[str]) -> np.ndarray:
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise _wrong_kind(value, names) from None
    if not np.isfinite(array).all():
        raise ArgumentError(
            "the hypothesis has values that are missing or infinite; it needs "
            f"{len(names)} finite columns, one for each coefficient: {listing(names)}"
        )
    return array


def _wrong_kind(value: Any, names: list[str]) -> ArgumentTypeError:
    return ArgumentTypeError(
        "a hypothesis must be a coefficient's name, an equation such as 'a - b = 0', a dict "
        f"of values or a matrix with {len(names)} columns; got {brief(value)}"
    )


def _from_array(names: list[str], value: Any) -> Parsed:
    L = np.atleast_2d(_numbers(value, names))
    if L.ndim != 2 or L.shape[1] != len(names):
        raise ArgumentError(
            f"the hypothesis has shape {L.shape}; it needs {len(names)} finite columns, one for "
            f"each coefficient: {listing(names)}"
        )
    return L.copy(), np.zeros(len(L)), row_labels(L, np.zeros(len(L)), names)
