"""The parameters of a model that have profiles and intervals: their names, values and scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...covariance import CovarianceModel
from ...errors import ArgumentError, ArgumentTypeError, brief, listing, suggestion
from ..components import component_of, parameter_links, parts
from ..names import name_in, r_name, spellings
from ..parameters import reading_name
from ..residual_covariance import residual_names

__all__ = ["KINDS", "Parameter", "chosen", "parameters_of"]

#: R's words for groups of parameters: what they select.
KINDS = {
    "theta_": ("sd", "cor", "pattern", "residual", "sigma"),
    "beta_": ("coefficient",),
    "disp_": ("family",),
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model.

    Attributes
    ----------
    name : str
        ``"sd_(Intercept)|Subject"``, ``"cor_Days.(Intercept)|Subject"``, ``"sigma"``, the name of a
        coefficient, that of a parameter of the family.
    r_name : str
        lme4's: ``".sig01"``, ``".sigma"``, ``"(Intercept)"``.
    kind : {"sd", "cor", "pattern", "residual", "sigma", "coefficient", "family"}
    component : str
        Of a coefficient the linear predictor that it belongs to: ``"cond"``, ``"zi"``, ….
    at : tuple
        What says where it is: the rows of a term, or a predictor and a column.
    natural : Natural or None
        Of a pattern of correlations: how it is read from theta.
    """

    name: str
    r_name: str
    kind: str
    component: str = "cond"
    at: tuple = ()
    natural: Any = None


def parameters_of(fit: Any) -> list[Parameter]:
    """All of them, in lme4's order: those of the random effects, sigma, coefficients, family's."""
    out: list[Parameter] = []
    if fit.theta.size:
        out += _of_covariance(fit.covariance)
    if fit.linear:
        names = residual_names(fit)
        out += [Parameter(name, name, "residual", "", (k,)) for k, name in enumerate(names)]
        out.append(Parameter("sigma", ".sigma", "sigma"))
    return [*out, *_of_coefficients(fit), *_of_family(fit)]


def _of_covariance(covariance: CovarianceModel) -> list[Parameter]:
    """Those of each term, in lme4's order where it is one of standard deviations alone."""
    out: list[Parameter] = []
    for b, (term, label) in enumerate(zip(covariance.terms, covariance.term_labels, strict=True)):
        readings = term.structure.readings(term.names)
        if not any(one.kind == "pattern" for one in readings):
            # by columns of T, as theta is
            readings.sort(key=lambda one: (one.at[-1], one.at[0]))
        for one in readings:
            name, at = reading_name(one, label), (b, *one.at)
            out.append(Parameter(name, f".sig{len(out) + 1:02d}", one.kind, "", at, one.natural))
    return out


def _of_coefficients(fit: Any) -> list[Parameter]:
    out = []
    for component, part in parts(fit).items():
        for j, name in enumerate(part.design.x_names):
            at = (part.design.current, j)
            names = name_in(component, name), name_in(component, r_name(name))
            out.append(Parameter(*names, "coefficient", component, at))
    return out


def _of_family(fit: Any) -> list[Parameter]:
    """The family's that are one number and no component; a dispersion by moments has no profile."""
    if fit.linear or fit.ordered or (fit.irls and fit.family.free_dispersion):
        return []
    shown, out = parts(fit), []
    for k, name in enumerate(fit.family.parameters):
        if not fit.several:
            out.append(Parameter(name, name, "family", "", (k,)))
            continue
        predictor = fit.family.predictor_names[1 + k]
        if component_of(predictor) not in shown:
            out.append(Parameter(name, name, "family", "", (predictor, 0)))
    return out


def parameter_link(fit: Any, parameter: Parameter) -> Any:
    """The link of a parameter of the family; none of one linear predictor's has any but the log."""
    return parameter_links(fit)[parameter.name] if fit.several else None


def chosen(parameters: Sequence[Parameter], parm: Any = None) -> list[Parameter]:
    """Those that a user names: by name, by R's, by R's word for a group."""
    if parm is None:
        return list(parameters)
    wanted = [parm] if isinstance(parm, (str, int, np.integer)) else parm
    try:
        wanted = list(wanted)
    except TypeError:
        raise ArgumentTypeError(
            f"parm must be names of parameters, got {brief(parm)}; the model has "
            f"{listing([repr(p.name) for p in parameters])}"
        ) from None
    places: dict[int, None] = {}
    for one in wanted:
        places.update(dict.fromkeys(_places(parameters, one)))
    return [parameters[i] for i in places]


def _places(parameters: Sequence[Parameter], one: Any) -> list[int]:
    if isinstance(one, str):
        if one in KINDS:
            return [i for i, p in enumerate(parameters) if p.kind in KINDS[one]]
        coefficients = [i for i, p in enumerate(parameters) if p.kind == "coefficient"]
        also = spellings([parameters[i].name for i in coefficients])
        if one in also:
            return [coefficients[also[one]]]
        own = [i for i, p in enumerate(parameters) if one in (p.name, p.r_name)]
        if own:
            return own
    elif isinstance(one, (int, np.integer)) and not isinstance(one, bool):
        raise ArgumentError(
            f"parm={brief(one)}: R counts from 1 and Python from 0; name the parameters: "
            f"{listing([repr(p.name) for p in parameters])}"
        )
    if isinstance(one, str) and one.lower() in ("profile", "wald", "boot"):
        raise ArgumentError(f"parm={one!r} names no parameter: write method={one!r}")
    names = [p.name for p in parameters]
    near = suggestion(one, [*names, *(p.r_name for p in parameters)])
    raise ArgumentError(
        f"parm={brief(one)}: the model has no such parameter; it has "
        f"{listing([repr(n) for n in names])}; 'theta_' are those of the random effects with "
        f"sigma, 'beta_' the coefficients.{near}"
    )
