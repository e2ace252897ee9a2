"""Which linear predictors a family has when formulas are given for its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..design.design import Design
from ..design.predictor import ARGUMENTS
from ..errors import ArgumentError, listing
from ..families.base import Family
from ..families.zero_inflated import ZeroInflated

ZI = "zi"

#: Arguments that take a formula: the predictor that each is of.
FORMULAS = {argument: predictor for predictor, argument in ARGUMENTS.items()}
#: What a predictor models, in words.
MODELLED = {
    "dispersion": "the dispersion",
    ZI: "the probability of a structural zero",
    "shape": "a shape",
    "zoi": "the probability of a zero or one",
    "coi": "the probability of a one among zeros and ones",
}


def predictors_of(
    family: Family, arguments: Mapping[str, Any]
) -> tuple[Family, dict[str, Any] | None]:
    """The family with what the formulas among `arguments` model, and its formulas by predictor.

    ``ziformula`` gives zeros to a family that has none of its own.  ``"~ 0"`` there and ``"~ 1"``
    for the dispersion are the same as no formula.  Formulas are for all predictors beside the
    mean's, in the order of the family, with None for those that are one number; None if all are.
    """
    requests = {name: arguments[name] for name in FORMULAS if arguments.get(name) is not None}
    if _is(requests.get("dispformula"), "~1"):
        del requests["dispformula"]
    if _is(requests.get("ziformula"), "~0", "~-1"):
        if ZI in family.predictor_names:
            raise ArgumentError(
                f"ziformula={requests['ziformula']!r} means no structural zeros, which the family "
                f"{family.name!r} has; give the family without them"
            )
        del requests["ziformula"]
    if "ziformula" in requests and ZI not in family.predictor_names:
        if isinstance(family, ZeroInflated):
            raise _lacking("ziformula", family)
        try:
            family = ZeroInflated(family)
        except ArgumentError as error:
            raise ArgumentError(f"ziformula={requests['ziformula']!r}: {error}") from None
    if "dispformula" in requests:
        family = family.for_formulas()
    formulas: dict[str, Any] = dict.fromkeys(family.predictor_names[1:])
    for argument, formula in requests.items():
        predictor = FORMULAS[argument]
        if predictor not in formulas:
            raise _lacking(argument, family)
        formulas[predictor] = None if _is(formula, "~1") else formula
    varying = any(formula is not None for formula in formulas.values())
    return family, formulas if varying else None


def family_of(family: Family, design: Design) -> Family:
    """The family with what the formulas of a design model.

    An ArgumentError says that the design was made for another family.
    """
    names = list(design.predictors)
    formulas = {ARGUMENTS[name]: "~ ." for name in names if name in ARGUMENTS}
    with suppress(ArgumentError):
        combined = predictors_of(family, formulas)[0]
        if len(names) == 1 or list(combined.predictor_names) == names:
            return combined
    raise ArgumentError(
        f"design has linear predictors of {listing(names)}, which is not what the family "
        f"{family.name!r} has; give both the same family="
    )


def _is(formula: Any, *texts: str) -> bool:
    """Whether a formula is one of these, written without spaces."""
    return isinstance(formula, str) and "".join(formula.split()) in texts


def _lacking(argument: str, family: Family) -> ArgumentError:
    estimated, modelled = ", ".join(family.parameters) or "none", MODELLED[FORMULAS[argument]]
    return ArgumentError(
        f"{argument}= models {modelled}, which the family {family.name!r} does not estimate (its "
        f"parameters beside the mean: {estimated}); leave it out or take another family"
    )


def check_approximation(nAGQ: int, laplace: str | None, design: Design) -> None:  # noqa: N803
    """Refuse what only models of one linear predictor have."""
    names = listing(design.predictors)
    if nAGQ != 1 and len(design.predictors) > 1:
        raise ArgumentError(
            f"nAGQ={nAGQ} is for models of one linear predictor; this one has {names}. Take "
            "nAGQ=1 (Laplace's approximation)"
        )
    if laplace == "expected" and len(design.predictors) > 1:
        raise ArgumentError(
            f"laplace='expected' is for models of one linear predictor; this one has {names}. "
            "Leave it out: the information of several is the observed one"
        )
