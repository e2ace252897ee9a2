"""Names of coefficients: formulaic's, R's, which of them a text means, and texts made of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations

import numpy as np

from ..formula.spelling import r_text
from ..formula.tokens import split_outside

# "period[T.2]", "poly(x, 2)[1]", "f[.L]": formulaic's brackets around a level or a basis column.
_LEVEL = re.compile(r"\[(?:[TS]\.)?([^\[\]]*)\]")
# The intercept elsewhere: R, statsmodels' arrays, Stata.
INTERCEPTS = ("(Intercept)", "const", "_cons")
# More factors than this in an interaction are looked for in their own order only.
MOST_REORDERED = 4
# Outside brackets these would be read as syntax of a hypothesis.
_SYNTAX = re.compile(r"[-+*/=,;`]")
# Denominators of fractions shown as such: 1/3 and not 0.333333.
LARGEST_DENOMINATOR = 999


def deviation_name(effect: str, label: str) -> str:
    """lme4's newer name of a standard deviation: ``sd_(Intercept)|Subject``."""
    return f"sd_{_bracketed(effect)}|{label}"


def correlation_name(effect: str, other: str, label: str) -> str:
    """lme4's newer name of a correlation: ``cor_Days.(Intercept)|Subject``."""
    return f"cor_{_bracketed(effect)}.{_bracketed(other)}|{label}"


def _bracketed(effect: str) -> str:
    return "(Intercept)" if effect == "Intercept" else effect


def name_in(component: str, name: str) -> str:
    """The name of a coefficient among those of all components: ``zi~Intercept``, ``1|2``."""
    return name if component in ("cond", "threshold") else f"{component}~{name}"


def r_name(name: str) -> str:
    """R's name of a coefficient: ``period2`` for formulaic's ``period[T.2]``."""
    if name == "Intercept":
        return "(Intercept)"
    parts = _LEVEL.split(name)
    parts[::2] = map(r_text, parts[::2])
    return "".join(parts)


def names_as(names: Sequence[str], r_names: bool) -> list[str]:
    """The names, or R's for them."""
    return [r_name(n) for n in names] if r_names else list(names)


def spellings(names: Sequence[str]) -> dict[str, int]:
    """Each way to write a coefficient's name -> its position.

    Their own names; R's; the factors of an interaction in another order; the intercept as other
    programs call it. What two coefficients would share is left out.
    """
    own = {name: j for j, name in reversed(list(enumerate(names)))}
    others: dict[str, int | None] = {}
    for j, name in enumerate(names):
        texts = {r_name(name), *(INTERCEPTS if name == "Intercept" else ())}
        for text in (name, r_name(name)):
            parts = split_outside(text, ":")
            if 1 < len(parts) <= MOST_REORDERED:
                texts |= {":".join(order) for order in permutations(parts)}
        for text in texts:
            others[text] = j if others.get(text, j) == j else None
    return {text: j for text, j in others.items() if j is not None} | own


def number_text(value: float) -> str:
    """A number in few characters that reads back as the same: ``0.1``, ``1/3``."""
    if float(f"{value:g}") == value:
        return f"{value:g}"
    near = Fraction(value).limit_denominator(LARGEST_DENOMINATOR)
    if near.numerator / near.denominator == value:
        return f"{near.numerator}/{near.denominator}"
    return repr(float(value))


def row_labels(L: np.ndarray, rhs: np.ndarray, names: Sequence[str]) -> list[str]:
    """Rows of a hypothesis as one would write them: they read back as the same."""
    odd = {name for name in names if _is_odd(name)}
    labels = []
    for row, value in zip(L, rhs, strict=True):
        text = _row_text(row, names, odd)
        if any(name in re.sub("`[^`]*`", "", text) for name in odd):
            text = _row_text(row, names, set(names))  # "a" - "b" beside a coefficient "a - b"
        labels.append(f"{text} = {number_text(float(value))}")
    return labels


def _row_text(row: np.ndarray, names: Sequence[str], quoted: set[str]) -> str:
    parts: list[str] = []
    for j in np.flatnonzero(row).tolist():
        value = float(row[j])
        name = f"`{names[j]}`" if names[j] in quoted and "`" not in names[j] else names[j]
        size = "" if abs(value) == 1.0 else f"{number_text(abs(value))} "
        sign = "-" if value < 0.0 else "+"
        parts.append(f"{sign} {size}{name}" if parts else f"{'-' if value < 0 else ''}{size}{name}")
    return " ".join(parts)


def _is_odd(name: str) -> bool:
    """Whether a name would be read as something else."""
    outside, depth = "", 0
    for char in name:
        depth -= char in ")]"
        outside += char if depth == 0 else ""
        depth += char in "(["
    return bool(_SYNTAX.search(outside)) or name[:1].isdigit() or not outside.strip("()[]")
