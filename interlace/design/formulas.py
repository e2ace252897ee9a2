"""The formulas of a model, one for each linear predictor, and what is refused of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from ..covariance.names import STRUCTURES
from ..errors import ArgumentTypeError, DataWarning, FormulaError, brief, listing, warn
from ..formula.edit import stands_for_old, updated, with_dot, with_random, without_response
from ..formula.formula import Formula
from ..formula.parser import parse
from ..formula.terms import term_key
from ..other_names import IN_FORMULAS
from .predictor import MEAN, argument_of

#: What users of glmmTMB mean by dispformula = ~ 0 beside a structured term.
_NO_RESIDUAL = (
    ". Errors with a covariance alone, as glmmTMB has them with ~ 0, are in the linear models: "
    "fit(…, correlation='ar1(time | g)') or gls(…)"
)


def formulas_of(
    formula: Any,
    others: Mapping[str, Any] | None,
    names: Collection[str],
    groups: Any,
    random: Any,
    linear: bool,
    mixed: bool | None,
    ordered: bool = False,
) -> dict[str, Formula]:
    """The formulas of all linear predictors, that of the mean first; `names` are data's columns."""
    parsed = with_random(parse(formula), groups, random, names)
    if parsed.response is None:
        raise FormulaError("formula has no response left of '~'; write 'y ~ x'", parsed.text)
    mean = _of_mean(parsed, names)
    rest = {name: _one_sided(name, other, mean) for name, other in (others or {}).items()}
    _check_random({MEAN: parsed, **rest}, linear, mixed, ordered)
    return {MEAN: mean, **rest}


def _check_random(
    formulas: Mapping[str, Formula], linear: bool, mixed: bool | None, ordered: bool
) -> None:
    parsed, terms = formulas[MEAN], [t for f in formulas.values() for t in f.random]
    others = [f"{argument_of(name)}=" for name in formulas if name != MEAN]
    if linear and not terms:
        raise FormulaError(
            "a linear mixed model needs a random term: add (1 | g) to the formula or give "
            f"groups='g'; glm() fits models without random effects{_not_structured(parsed)}",
            parsed.text,
        )
    if mixed and not terms:
        too = f", {listing(others)} included" if others else ""
        raise FormulaError(
            "a mixed model needs a random term: add (1 | g) to the formula or give groups='g', or "
            f"use {'clm' if ordered else 'glm'}(), which fits models without random effects{too}"
            f"{_not_structured(parsed)}",
            parsed.text,
        )
    if mixed is False and terms:
        raise FormulaError(
            f"{'clm() has' if ordered else 'glm() and gls() have'} no random effects, but there is "
            f"{listing(t.text for t in terms)}; use "
            + ("clmm()" if ordered else "glmer(), or fit() for a linear mixed model"),
            parsed.text,
        )


def _not_structured(parsed: Formula) -> str:
    """Words on calls that are no random terms: ``foo(x | g)``, a function of data, and Error()."""
    if re.search(r"\bError\(", parsed.fixed):
        return f". {IN_FORMULAS['Error']}"
    names = [name for name in re.findall(r"(\w+)\([^|]*\|", parsed.fixed) if name != "I"]
    if not names:
        return ""
    return f". {names[0]}() is no covariance structure; there are {listing(sorted(STRUCTURES))}"


def _of_mean(parsed: Formula, names: Collection[str]) -> Formula:
    """The formula with its dot filled and without the response on the right."""
    if "." in parsed.fixed:
        parsed = with_dot(parsed, tuple(names))
    formula = without_response(parsed)
    if formula.fixed != parsed.fixed and parsed.response:
        warn(
            f"the response {parsed.response.text} stands among the terms on the right and was "
            "dropped there, as in R; leave it out of the formula",
            DataWarning,
        )
    return formula


def _one_sided(name: str, formula: Any, mean: Formula) -> Formula:
    """The formula of another predictor; a dot is the right side of the mean's, offsets aside."""
    text = "~ 1" if formula is None else getattr(formula, "text", formula)
    if not isinstance(text, str):
        raise ArgumentTypeError(
            f"{argument_of(name)} must be a string such as '~ x', got {brief(formula)}"
        )
    if "~" not in text:
        raise FormulaError(f"{argument_of(name)} has no '~'; write '~ {text.strip() or 'x'}'", text)
    if stands_for_old(text):
        text = updated(text, replace(mean, response=None, offsets=()))
    parsed = parse(text)
    if parsed.response is not None:
        raise FormulaError(
            f"{argument_of(name)} has a response, {parsed.response.text}; it describes a part of "
            f"the model of {mean.response.text if mean.response else 'the response'}: write "
            f"'~{text.partition('~')[2]}'",
            text,
        )
    if without_response(replace(parsed, response=mean.response)).fixed != parsed.fixed:
        raise FormulaError(
            f"{argument_of(name)} has the response among its terms; it cannot explain itself: "
            "leave it out",
            text,
        )
    if not (term_key(parsed.fixed) or parsed.random or parsed.offsets):
        raise FormulaError(
            f"{argument_of(name)} has no term: its linear predictor would be 0 in every row. "
            "Write '~ 1' for one number, or '~ 0 + offset(x)' for values that are known"
            f"{_NO_RESIDUAL if argument_of(name) == 'dispformula' else ''}",
            text,
        )
    return parsed
