"""Predicted quantities: functions of the linear predictors, with slopes and a scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..calls import one_of
from ..design.predictor import MEAN
from ..errors import ArgumentError, brief
from ..families.links.base import Link
from ..families.links.power import Log
from ..families.links.probability import Logit
from .components import PREDICTORS, parameter_links, predictor_errors, predictor_of

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

#: glmmTMB's types of predictions.
TYPES = ("response", "link", "conditional", "zprob", "zlink", "disp")
# Central differences with this step, relative to a linear predictor beyond 1, are exact to 1e-10.
STEP = float(np.cbrt(np.finfo(float).eps))

Values = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Quantity:
    """A function of all linear predictors.

    Attributes
    ----------
    predictors : tuple of str
        Those that it needs: others need not be known.
    value : callable
        (K, r) -> (r,).
    slopes : callable
        (K, r) -> (K, r).
    link : Link or None
        To the scale on which intervals are made; None for that of the quantity itself.
    error : float or None
        Standard error in all rows where it does not come from the linear predictors.
    """

    predictors: tuple[str, ...]
    value: Values
    slopes: Values
    link: Link | None = None
    error: float | None = None


def type_of(type: str, component: str | None) -> str:
    """The type of prediction that is meant; a component goes with linear predictors only."""
    type = one_of("type", type, TYPES)
    if component is not None and type != "link":
        raise ArgumentError(
            f"component={brief(component)} chooses the linear predictor of type='link'; with "
            f"type={type!r} leave it out"
        )
    return type


def quantity(fit: AnyFit, type: str, component: str | None = None) -> Quantity:
    """The quantity that a type of prediction is of."""
    family, names = fit.family, tuple(fit.design.predictors)
    if type == "link" or (type == "zlink" and "zi" in names):
        predictor = "zi" if type == "zlink" else component
        name = fit.design.current if predictor is None else predictor_of(fit, predictor)
        at = names.index(name)
        return Quantity((name,), lambda etas: etas[at], partial(_unit, at))
    if type == "disp":
        return _dispersion(fit, names)
    if type == "response":
        mean: Values = lambda etas: family.mean(etas[0], _zeta(fit, etas))  # noqa: E731
        slopes = lambda etas: family.mean_derivatives(etas)[1]  # noqa: E731
        return Quantity(_needed(fit, slopes), mean, slopes, family.link)
    link: Link | None = family.link
    value = family.conditional_mean
    if type in ("zprob", "zlink"):
        value = family.zero_probability
        link = Logit() if value(fit.eta, fit.zeta).any() else None  # it may be 0 by definition
    of_all: Values = lambda etas: np.array(value(etas[0], _zeta(fit, etas)))  # noqa: E731
    slopes = partial(differences, of_all)
    names = _needed(fit, slopes)
    if type == "zlink":  # of a family whose zeros have no linear predictor, or that has none
        return Quantity(names, lambda etas: _logit(of_all(etas)), _logit_slopes(of_all))
    return Quantity(names, of_all, slopes, link)


def _needed(fit: AnyFit, slopes: Values) -> tuple[str, ...]:
    """The linear predictors that a quantity depends on; the mean's if on none."""
    names = list(fit.design.predictors)
    # any point will do at which nothing is saturated: what is no variable there is none anywhere
    probe = fit.family.inside + 0.1 * np.arange(len(names), dtype=float)[:, None]
    moved = slopes(probe)[:, 0] != 0.0
    return tuple(name for name, own in zip(names, moved, strict=True) if own) or (MEAN,)


def _zeta(fit: AnyFit, etas: np.ndarray) -> np.ndarray:
    """Predictors of the family's parameters: those of the rows, or the fit's where there is one."""
    return etas[1:] if fit.several else fit.zeta


def _dispersion(fit: AnyFit, names: tuple[str, ...]) -> Quantity:
    """R's ``sigma``: the root of a dispersion, else the parameter that stands for it."""
    family = fit.family
    parameter = family.dispersion_parameter
    if parameter not in family.parameters:
        raise ArgumentError(
            f"type='disp': the family {family.name!r} estimates no dispersion; family_params has "
            "the parameters that it estimates"
        )
    at = family.parameters.index(parameter)
    link, root = parameter_links(fit)[parameter], family.free_dispersion

    def value(etas: np.ndarray) -> np.ndarray:
        zeta = etas[1:] if fit.several else np.repeat(fit.zeta[:, None], etas.shape[1], axis=1)
        return np.sqrt(family.dispersion(zeta)) if root else np.array(link.inverse(zeta[at]))

    slopes = partial(differences, value)
    if fit.several:
        return Quantity((PREDICTORS["disp"],), value, slopes, Log())
    one = float(value(np.zeros((1, 1)))[0])
    error = predictor_errors(fit)[parameter] * one * (0.5 if root else 1.0)
    return Quantity((fit.design.current,), value, slopes, Log(), error)


def _logit(p: np.ndarray) -> np.ndarray:
    """Logits; -inf of 0."""
    with np.errstate(divide="ignore"):
        return Logit()(p)


def _logit_slopes(probability: Values) -> Values:
    """Slopes of the logit of a probability; nan where that is 0."""

    def slopes(etas: np.ndarray) -> np.ndarray:
        p = probability(etas)
        with np.errstate(divide="ignore", invalid="ignore"):
            return differences(probability, etas) / (p * (1.0 - p))

    return slopes


def _unit(at: int, etas: np.ndarray) -> np.ndarray:
    """Slopes of one linear predictor."""
    out = np.zeros_like(etas)
    out[at] = 1.0
    return out


def differences(value: Values, etas: np.ndarray) -> np.ndarray:
    """Slopes (K, r) by central differences."""
    out = np.empty_like(etas)
    for k, eta in enumerate(etas):
        step = STEP * np.maximum(1.0, np.abs(eta))
        up, down = etas.copy(), etas.copy()
        up[k], down[k] = eta + step, eta - step
        out[k] = (value(up) - value(down)) / (up[k] - down[k])
    return out
