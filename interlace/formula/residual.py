"""Texts of the residual covariance -> what they say: ``"ar1(time | g)"``, ``"power(fitted)"``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..covariance.residual import CORRELATIONS
from ..errors import ArgumentError, ArgumentTypeError, FormulaError, brief, listing, suggestion
from .parser import parse
from .spelling import one_line, python_text
from .tokens import arguments, split_outside

__all__ = ["FITTED", "VARIANCES", "GroupSpec", "ResidualSpec", "ResidualTerm"]

#: Functions of variance, with nlme's names of them.
VARIANCES = {
    "ident": "varIdent", "power": "varPower", "exp": "varExp", "constpower": "varConstPower",
    "fixed": "varFixed",
}  # fmt: skip
#: What else they are called.
ALSO = {"un": "us", "compsymm": "cs", "compound": "cs", "ou": "car1", "homcs": "cs"}
NOT_AVAILABLE = {
    "ma1": "write arma(time | g, q=1)", "ar": "write arma(time | g, p=2)",
    **dict.fromkeys(("corlin", "corratio", "corspher", "lin", "ratio", "spher", "sph", "mat"),
                    "exp() and gau() are there"),
    **dict.fromkeys(("toep", "homtoep", "toeplitz"), "us() has every correlation"),
    **dict.fromkeys(("hetar1", "ar1h", "arh1"), 'write ar1(time | g) and variance="~ time"'),
    **dict.fromkeys(("csh", "hetcs"), 'write cs(1 | g) and variance="~ time"'),
    "varconstprop": "constpower() is there",
}  # fmt: skip
#: The covariate that is the fitted values.
FITTED = "fitted"
_SPELLINGS_OF_FITTED = ("fitted", "fitted()", "fitted(.)", "mu", ".")


@dataclass(frozen=True)
class GroupSpec:
    """A grouping factor: its variables and R's label."""

    variables: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class ResidualTerm:
    """One structure: ``kind(covariates | group)``.

    Attributes
    ----------
    kind : str
        Of the structures of correlation or of `VARIANCES`.
    covariates : tuple of str
        Expressions; empty for the order of the rows, or none.
    group : GroupSpec or None
        Of a correlation, None for that of the random effects; of a variance its strata.
    text : str
        As it is printed.
    options : tuple of (str, value)
        What else is asked of a correlation: ``p=2``.
    """

    kind: str
    covariates: tuple[str, ...]
    group: GroupSpec | None
    text: str
    options: tuple[tuple[str, Any], ...] = ()

    def of_group(self, label: str) -> str:
        """The text with the group that stands for none."""
        if not label or self.group is not None:
            return self.text
        return _printed(self.kind, self.covariates, GroupSpec((), label), self.options)


@dataclass(frozen=True)
class ResidualSpec:
    """What ``correlation=`` and ``variance=`` say.

    Examples
    --------
    >>> from interlace.formula.residual import ResidualSpec
    >>> spec = ResidualSpec.of("ar1(time | g)", "ident(1 | f) * power(fitted)")
    >>> spec.correlation.covariates, [term.kind for term in spec.variance]
    (('time',), ['ident', 'power'])
    """

    correlation: ResidualTerm | None
    variance: tuple[ResidualTerm, ...]

    @classmethod
    def of(cls, correlation: Any, variance: Any) -> ResidualSpec | None:
        """The two arguments read; None if there is nothing."""
        own = None if correlation is None else _correlation(correlation)
        functions = () if variance is None else _variance(variance)
        return None if own is None and not functions else cls(own, functions)

    @property
    def terms(self) -> list[ResidualTerm]:
        """The correlation, if there is one, and the functions of variance."""
        own = [] if self.correlation is None else [self.correlation]
        return [*own, *self.variance]

    @property
    def fitted(self) -> bool:
        """Whether the variance depends on the fitted values."""
        return any(FITTED in term.covariates for term in self.variance)


def _correlation(value: Any) -> ResidualTerm:
    text = _text("correlation", value, "ar1(time | g)")
    call, given = _without_options(text)
    name, inside = _call("correlation", call, _of_nlme(), "ar1(time | g)")
    structure = CORRELATIONS[name]
    options = _options(structure, given, text)
    left, group = _sides(inside, text)
    pieces = [one_line(piece) for piece in split_outside(left, "+")]
    covariates = tuple(python_text(p) for p in pieces if p not in ("", "0", "1", "-1"))
    if structure.exchangeable:  # cs(g): no time is asked for
        if group is None and len(covariates) == 1:
            group = _group(covariates[0], text)
        covariates = ()
    if len(covariates) > 1 and not structure.spatial:
        raise FormulaError(
            f"correlation={text!r} has {len(covariates)} times, {listing(covariates)}; "
            f"{name}() has one",
            text,
        )
    if not (covariates or structure.counts or structure.levels or structure.exchangeable):
        raise FormulaError(
            f"correlation={text!r} has no time; write {name}(time | g), with a column of data, or "
            "ar1(1 | g) for the order of the rows",
            text,
        )
    printed = _printed(name, covariates, group, options)
    return ResidualTerm(name, covariates, group, printed, options)


def _of_nlme() -> dict[str, str]:
    """nlme's names of the structures of correlation."""
    return {name: structure.nlme for name, structure in CORRELATIONS.items()}


def _variance(value: Any) -> tuple[ResidualTerm, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(term for piece in value for term in _variance(piece))
    text = _text("variance", value, "power(fitted)")
    if text.lower().startswith("varcomb"):
        inside = text[text.index("(") + 1 : text.rindex(")")]
        return tuple(term for piece in arguments(inside) for term in _variance(piece))
    pieces = [one_line(piece) for piece in split_outside(text, "*")]
    if text.startswith("~") and "(" not in text:
        pieces = [text]
    return tuple(_function(piece, text) for piece in pieces)


def _function(text: str, whole: str) -> ResidualTerm:
    """One factor of a product of standard deviations."""
    if text.startswith("~"):
        group = _group(text[1:].strip(), whole)
        return ResidualTerm("ident", (), group, _printed("ident", (), group))
    name, inside = _call("variance", text, VARIANCES, "power(fitted)")
    left, group = _sides(inside, text)
    covariate = python_text(left) if left not in ("", "1", "0") else ""
    if name == "ident":
        if group is None and covariate:
            group, covariate = _group(covariate, whole), ""  # ident(f)
        if group is None or covariate:
            raise FormulaError(
                f"variance={whole!r}: ident() needs a factor and nothing else; write ident(1 | f)",
                whole,
            )
        return ResidualTerm("ident", (), group, _printed("ident", (), group))
    covariate = covariate or FITTED
    if covariate.replace(" ", "") in _SPELLINGS_OF_FITTED:
        covariate = FITTED
    if group is not None and name in ("constpower", "fixed"):
        raise FormulaError(f"variance={whole!r}: {name}() has no strata; leave out '| …'", whole)
    if covariate == FITTED and name == "fixed":
        raise FormulaError(
            f"variance={whole!r}: fixed() has a column of data; power(fitted) has fitted values",
            whole,
        )
    return ResidualTerm(name, (covariate,), group, _printed(name, (covariate,), group))


def _printed(
    name: str,
    covariates: tuple[str, ...],
    group: GroupSpec | None,
    options: tuple[tuple[str, Any], ...] = (),
) -> str:
    inside = " + ".join(covariates) or "1"
    if group:
        inside += f" | {group.label}"
    return f"{name}({', '.join([inside, *(f'{key}={value}' for key, value in options)])})"


def _without_options(text: str) -> tuple[str, dict[str, str]]:
    """A call without its arguments ``p=``, ``q=`` and ``nugget=``, and these."""
    match = re.fullmatch(r"([^()]*)\((.*)\)", text)
    if not match:
        return text, {}
    kept, given = [], {}
    for argument in arguments(match[2]):
        key, equals, value = argument.partition("=")
        if equals and key.strip() in OPTIONS:
            given[key.strip()] = value.strip()
        else:
            kept.append(argument)
    return f"{match[1]}({', '.join(kept)})", given


def _options(structure: Any, given: Mapping[str, str], text: str) -> tuple[tuple[str, Any], ...]:
    """The options of a structure, read; those that are as by default are left out."""
    out = []
    for key, value in given.items():
        kind = structure.options.get(key)
        if kind is None and value not in FALSE:
            own = list(structure.options)
            instead = f"it takes {listing(own)}" if own else "leave it out"
            raise FormulaError(
                f"correlation={text!r}: {structure.name}() has no {key}=; {instead}", text
            )
        if kind is int:
            if not re.fullmatch(r"\d+L?", value):
                raise FormulaError(
                    f"correlation={text!r}: {key}={value} is not a whole number", text
                )
            if int(value.rstrip("L")):
                out.append((key, int(value.rstrip("L"))))
        elif kind is bool and value not in FALSE:
            if value not in TRUE:
                raise FormulaError(
                    f"correlation={text!r}: {key}= is True or False, got {value}", text
                )
            out.append((key, True))
    if int in structure.options.values() and not out:
        raise FormulaError(
            f"correlation={text!r} has no order; write {structure.name}(time | g, p=1, q=1)", text
        )
    return tuple(sorted(out))


#: Arguments of correlations besides times and groups, and how their values are written.
OPTIONS = frozenset(key for structure in CORRELATIONS.values() for key in structure.options)
TRUE, FALSE = ("True", "TRUE", "T"), ("False", "FALSE", "F")


def _text(argument: str, value: Any, example: str) -> str:
    value = getattr(value, "text", value)
    if not isinstance(value, str):
        raise ArgumentTypeError(
            f"{argument} must be a text such as {example!r}, got {brief(value)}"
        )
    if not value.strip():
        raise ArgumentError(f"{argument} is empty; write {example!r}, or leave it out")
    return one_line(value.strip())


def _call(argument: str, text: str, names: Mapping[str, str], example: str) -> tuple[str, str]:
    """Name and inside of ``name(inside)``, in R's spelling too."""
    match = re.fullmatch(r"(?:nlme::)?([A-Za-z_][\w.]*)\s*(?:\((.*)\))?", text)
    if not match:
        raise FormulaError(
            f"{argument}={text!r} cannot be read; write it as {example!r} with one of "
            f"{listing(names)}",
            text,
        )
    word, inside = match[1].lower(), (match[2] or "").strip()
    spelled = {r.lower(): name for name, r in names.items()}
    name = spelled.get(word, ALSO.get(word, word))
    if name not in names:
        instead = f": {NOT_AVAILABLE[word]}" if word in NOT_AVAILABLE else ""
        near = "" if instead else f".{suggestion(word, names)}"
        raise FormulaError(
            f"{argument}={text!r}: {match[1]}() is not one of {listing(names)}{instead}{near}", text
        )
    return name, _form(inside, text) if word in spelled else inside


def _form(inside: str, text: str) -> str:
    """The formula among R's arguments."""
    form = ""
    for argument in arguments(inside):
        key, equals, value = argument.partition("=")
        if equals and key.strip() == "form":
            form = value.strip()
        elif argument.startswith("~"):
            form = argument
        elif argument and not (equals and key.strip() in ("fixed", "nugget") and "F" in value):
            raise FormulaError(
                f"{argument!r} in {text!r}: parameters are estimated, from a start of their own; "
                "give the form alone",
                text,
            )
    return form.removeprefix("~").strip()


def _sides(inside: str, text: str) -> tuple[str, GroupSpec | None]:
    """Left side and group of ``left | group``."""
    sides = [one_line(side) for side in split_outside(inside.removeprefix("~"), "|")]
    if len(sides) > 2:
        raise FormulaError(f"{text!r} has more than one bar", text)
    return sides[0], _group(sides[1], text) if len(sides) == 2 else None


def _group(group: str, text: str) -> GroupSpec | None:
    """The grouping factor of a text such as ``"a/b"``, the innermost one; ``"1"`` for none."""
    if group.strip() == "1":
        return None
    group = group.replace("*", ":")
    terms = parse(f"y ~ 1 + (1 | {group})").random
    if len(terms) > 1 and "/" not in group:
        raise FormulaError(
            f"{text!r} has several grouping factors, {listing(t.label for t in terms)}; residuals "
            "have one: write a:b for the combinations of two columns",
            text,
        )
    return GroupSpec(terms[0].group, terms[0].label)
