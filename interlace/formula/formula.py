"""Records of a parsed formula: response, fixed part, random terms, offsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class MatrixSpec(NamedTuple):
    """The matrix that a random term names: ``cov=A``, or ``precision=Q``, an inverse.

    ``within`` is the one group that glmmTMB's ``propto`` names.
    """

    argument: str
    name: str
    within: str = ""

    @property
    def text(self) -> str:
        """As a formula has it."""
        return f"{self.argument}={self.name}"


@dataclass(frozen=True)
class ResponseSpec:
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
    >>> from interlace.formula.parser import parse
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
        Covariance structure of the left side's columns: "us", "diag", "ar1", ….
    text : str
        The term as lme4 would print it: ``"(1 + Days | Subject)"``.
    label : str
        R's label of the grouping factor: ``"cask:batch"``, ``"c:(b:a)"``.
    rank : int or None
        The number of latent factors of a structure that has them.
    matrix : MatrixSpec or None
        Where the covariances between groups are known.

    Examples
    --------
    >>> from interlace.formula.parser import parse
    >>> [term.text for term in parse("y ~ 1 + (1 | a/b)").random]
    ['(1 | b:a)', '(1 | a)']
    """

    lhs: str
    group: tuple[str, ...]
    structure: str
    text: str
    label: str
    rank: int | None = None
    matrix: MatrixSpec | None = None

    @property
    def factor(self) -> str:
        """The key of its grouping factor, which those with a known matrix have for themselves."""
        return self.label if self.matrix is None else f"{self.label}, {self.matrix.text}"


@dataclass(frozen=True)
class Formula:
    """A parsed formula.

    Attributes
    ----------
    text : str
        The whole formula, random terms given as arguments included.
    response : ResponseSpec or None
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
    >>> from interlace.formula.parser import parse
    >>> formula = parse("y ~ x + offset(log(z)) + (x || g)")
    >>> formula.fixed, formula.offsets, [term.lhs for term in formula.random]
    ('x', ('log(z)',), ['1', '0 + x'])
    """

    text: str
    response: ResponseSpec | None
    fixed: str
    random: tuple[RandomTermSpec, ...]
    offsets: tuple[str, ...]
    written: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash(self.text)
