"""The components of a model: linear predictors with coefficients of their own; other parameters.

A component has broom.mixed's name, ``"cond"`` for the mean, ``"zi"``, ``"disp"``, ...; a parameter
of the family that is one number is no component, but for a probability: its coefficient is on the
logit scale, as R prints it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..design.predictor import MEAN, SCALE, WORDS
from ..errors import ArgumentError, ArgumentTypeError, brief, listing
from ..families.links.power import Log

if TYPE_CHECKING:
    from ..families.links.base import Link
    from ..models.glmm import GLMMFit
    from ..models.kinds import AnyFit

#: Component -> its linear predictor, in the order of printing.
PREDICTORS = {
    "cond": "mean",
    "zi": "zi",
    "zoi": "zoi",
    "coi": "coi",
    "disp": "dispersion",
    "shape": "shape",
    "threshold": "threshold",
    "scale": "scale",
}
#: Other spellings of components.
SYNONYMS = {
    "conditional": "cond",
    "mean": "cond",
    "zero_inflation": "zi",
    "zero_inflated": "zi",
    "dispersion": "disp",
    "location": "cond",
    "alpha": "threshold",
    "thresholds": "threshold",
    "nominal": "threshold",
}
#: Responses whose exponential is what was observed.
LOGARITHMS = ("log(", "np.log(")
#: Predictors of probabilities: coefficients even where they are one number.
PROBABILITIES = ("zi", "zoi", "coi")


def component_of(predictor: str) -> str:
    """The component's name of a linear predictor."""
    return next((name for name, own in PREDICTORS.items() if own == predictor), predictor)


def title_of(component: str) -> str:
    """``"Zero-inflation model"``."""
    word = WORDS.get(PREDICTORS.get(component, component))
    return f"Model of {component}" if word is None else f"{word.capitalize()} model"


def parts(fit: AnyFit) -> dict[str, AnyFit]:
    """Component -> the fit whose X, beta and covariances are its own, in the order of printing."""
    if fit.ordered:
        own = [name for name in fit.component_predictors if name != MEAN]
        return {"cond": fit, **{name: cast("Any", fit).part(name) for name in own}}
    if not fit.several:
        return {"cond": fit}
    several = cast("GLMMFit", fit)
    others = [
        name
        for name in list(fit.design.predictors)[1:]
        if name in PROBABILITIES or not several.is_number(name)
    ]
    order = list(PREDICTORS.values())
    others.sort(key=lambda name: order.index(name) if name in order else len(order))
    return {"cond": fit, **{component_of(name): several.part(name) for name in others}}


def has_components(fit: AnyFit) -> bool:
    """Whether tables need to say which component a row is of."""
    return (fit.several or fit.ordered) and len(parts(fit)) > 1


def predictor_of(fit: AnyFit, component: str) -> str:
    """The linear predictor of a component that a user names; refused if the model has none."""
    if not isinstance(component, str):
        raise ArgumentTypeError(f"component must be a text such as 'zi', got {brief(component)}")
    text = component.lower()
    text = SYNONYMS.get(text, text)
    predictor = PREDICTORS.get(text, text)
    if predictor not in fit.component_predictors:
        own = [repr(component_of(name)) for name in fit.component_predictors]
        raise ArgumentError(
            f"component={brief(component)}: this model has no such linear predictor; it has "
            f"{listing(own)}. A parameter of the family that is one number is in family_params"
        )
    return predictor


def part_of(fit: Any, component: str | None) -> Any:
    """The fit of a component that a user names; of the mean where none is named."""
    predictor = fit.design.current if component is None else predictor_of(fit, component)
    return fit if predictor == fit.design.current else fit.part(predictor)


# -- all coefficients ------------------------------------------------------------------------------


def coefficients(fit: AnyFit) -> dict[str, np.ndarray]:
    """Linear predictor -> its coefficients."""
    if not fit.several:
        return {fit.design.current: fit.beta}
    solution = cast("GLMMFit", fit).solution
    return {name: solution.beta[at] for name, at in solution.slices.items()}


def covariance_of_all(fit: AnyFit) -> np.ndarray:
    """Covariance matrix of the coefficients of all linear predictors, one after the other."""
    if fit.ordered:
        return cast("Any", fit).cov_coefficients
    if not fit.several:
        return fit.cov_beta
    first = fit.theta.size
    return cast("GLMMFit", fit).cov_all[first:, first:]


# -- parameters that are one number ----------------------------------------------------------------


def own_parameters(fit: AnyFit) -> dict[str, float]:
    """The parameters of the family that are one number, by name."""
    if fit.ordered:  # thresholds have tables of their own
        return {}
    if not fit.several:
        return dict(zip(fit.family.parameters, np.exp(fit.zeta).tolist(), strict=True))
    links = parameter_links(fit)
    several = cast("GLMMFit", fit).estimated_parameters.items()
    return {name: float(links[name].inverse(np.asarray(eta))) for name, (eta, _) in several}


def own_errors(fit: AnyFit) -> dict[str, float]:
    """Standard errors of these parameters, by the delta method; NaN where they are not known."""
    values = own_parameters(fit)
    logs = predictor_errors(fit)
    if not fit.several:
        return {name: value * logs[name] for name, value in values.items()}
    links = parameter_links(fit)
    several = cast("GLMMFit", fit).estimated_parameters.items()
    return {
        name: float(np.abs(links[name].inverse_derivatives(np.asarray(eta))[1]) * logs[name])
        for name, (eta, _) in several
    }


def predictor_errors(fit: Any) -> dict[str, float]:
    """Their standard errors on the scale of the predictors: of logarithms, or logits."""
    if fit.linear:
        return dict.fromkeys(fit.family.parameters, np.nan)
    if fit.irls:
        return dict(zip(fit.family.parameters, fit.se_zeta.tolist(), strict=True))
    return {name: float(error) for name, (_, error) in fit.estimated_parameters.items()}


def parameter_links(fit: AnyFit) -> dict[str, Link]:
    """Estimated parameter of the family -> its link."""
    return dict(zip(fit.family.parameters, fit.family.parameter_links, strict=True))


def family_numbers(fit: AnyFit) -> dict[str, float]:
    """The parameters that are one number and no component: probabilities of zeros are."""
    shown = parts(fit)
    return {
        name: value
        for name, value in own_parameters(fit).items()
        if not fit.several or parameter_component(fit, name) not in shown
    }


def dispersion_coefficients(fit: AnyFit) -> tuple[dict[str, float], dict[str, float]]:
    """Coefficients of the dispersion and their standard errors, where it has a formula.

    Else the parameters of the family that are one number, and the standard errors of their
    logarithms.
    """
    part = parts(fit).get("disp")
    if part is None:
        values = family_numbers(fit)
        errors = predictor_errors(fit)
        return values, {name: errors[name] for name in values}
    errors = np.sqrt(np.diagonal(part.cov_beta)).tolist()
    names = part.design.x_names
    return dict(zip(names, part.beta.tolist(), strict=True)), dict(zip(names, errors, strict=True))


def parameter_component(fit: AnyFit, parameter: str) -> str:
    """The component of a parameter of the family."""
    at = fit.family.parameters.index(parameter)
    return component_of(fit.family.predictor_names[1 + at])


def dispersion_by_row(fit: AnyFit) -> np.ndarray | float:
    """The dispersion of the family: one number, or (n,) where its predictor varies."""
    dispersion = fit.dispersion
    if fit.several and np.isnan(dispersion):
        return np.asarray(fit.family.dispersion(fit.zeta))
    return dispersion


def own_link(fit: AnyFit) -> Link:
    """The link of the linear predictor that the fit is about."""
    if fit.ordered:
        return Log() if fit.design.current == SCALE else fit.family.link
    links = [fit.family.link, *fit.family.parameter_links]
    return links[list(fit.design.predictors).index(fit.design.current)]


def is_logarithm(fit: AnyFit) -> bool:
    """Whether the response is the logarithm of a variable, and its mean the predictor itself."""
    logarithm = fit.design.response_name.startswith(LOGARITHMS)
    return logarithm and fit.design.current == MEAN and own_link(fit).linear
