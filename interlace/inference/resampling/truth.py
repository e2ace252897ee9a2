"""Parameters by name in place of the estimates: the truth that draws are made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...calls import number
from ...errors import ArgumentError, ArgumentTypeError, brief, listing, suggestion
from ...models.assumed import with_truth
from ..components import coefficients, parameter_links, parts
from ..names import name_in, spellings
from ..parameters import (
    deviation_names,
    deviation_values,
    is_deviation,
    parameter_names,
    parameter_values,
)

if TYPE_CHECKING:
    from ...models.kinds import AnyFit, MixedFit

__all__ = ["assumed"]


def assumed(fit: AnyFit, like: AnyFit | None, params: Mapping[str, float] | None) -> AnyFit:
    """The fit with the parameters of another fit of the same model, some of them replaced by name.

    Names are those of ``m.bootstrap().frame``, and for coefficients R's.
    """
    like = fit if like is None else like
    names, values = parameter_names(like), parameter_values(like)
    if params is not None:
        values = _replaced(names, values, params)
    named = dict(zip(names, values.tolist(), strict=True))
    beta = {name: b.copy() for name, b in coefficients(fit).items()}
    for component, part in parts(fit).items():
        if fit.ordered and component != "cond":
            continue
        front = "" if component == "cond" else f"{component}~"
        for j, name in enumerate(part.design.x_names):
            beta[part.design.current if fit.several else "mean"][j] = named[f"{front}{name}"]
    sigma = named.get("sigma", like.sigma)
    theta = like.theta
    if fit.T:
        model = cast("MixedFit", like).covariance
        own_names = deviation_names(model)
        if not {*own_names, "sigma"}.isdisjoint(params or ()):
            own = np.array([named[name] for name in own_names])
            scale = sigma if fit.linear else like.re_scale
            relative = np.where(is_deviation(model), own / scale, own)
            theta = deviation_values(model, like.theta, relative)
    zeta = _zeta(fit, named) if not fit.linear else like.zeta
    if fit.several:
        _numbers(fit, named, beta)
    if not all(np.isfinite(values).all() for values in (zeta, theta, *beta.values())):
        raise ArgumentError(
            "params has a parameter of the family outside its range: "
            f"{listing(f'{name} = {named[name]:g}' for name in params or () if name in named)}"
        )
    return with_truth(fit, beta, theta, sigma, zeta)


def _replaced(names: list[str], values: np.ndarray, params: Any) -> np.ndarray:
    if not isinstance(params, Mapping):
        raise ArgumentTypeError(
            f"params must be a dict of parameters by name, such as {{{names[-1]!r}: 1.0}}, got "
            f"{brief(params)}"
        )
    values = values.copy()
    known = spellings(names)
    for name, value in params.items():
        if name not in known:
            near = suggestion(str(name), names)
            raise ArgumentError(
                f"params has {brief(name)}, which is no parameter of the model.{near} It has "
                f"{listing(map(repr, names))}"
            )
        value = number(f"params[{name!r}]", value)
        positive = names[known[name]] == "sigma"
        if positive and value <= 0.0:
            raise ArgumentError(f"params[{name!r}] must be positive, got {value:g}")
        if names[known[name]].startswith("sd_") and value < 0.0:
            raise ArgumentError(f"params[{name!r}] must not be negative, got {value:g}")
        values[known[name]] = value
    return values


def _zeta(fit: Any, named: Mapping[str, float]) -> np.ndarray:
    """The family's parameters, of one linear predictor, on the scale of logarithms."""
    if fit.ordered:
        own = parts(fit).items()
        names = {c: [name_in(c, name) for name in part.design.x_names] for c, part in own}
        wanted = [*names["threshold"], *names.get("scale", ())]
        return fit.zeta_of(np.array([named[name] for name in wanted]))
    if fit.several:
        return fit.zeta
    if fit.family.residual_variance:
        sigma = named.get("sigma", fit.sigma)
        return np.array([-2.0 * np.log(sigma)]) if fit.zeta.size else fit.zeta
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log([named[name] for name in fit.family.parameters])


def _numbers(fit: Any, named: Mapping[str, float], beta: dict[str, np.ndarray]) -> None:
    """Parameters that are one number, into the coefficients of their linear predictors."""
    links = parameter_links(fit)
    for parameter, name in zip(fit.family.parameters, list(fit.design.predictors)[1:], strict=True):
        if fit.is_number(name) and parameter in named:
            with np.errstate(invalid="ignore", divide="ignore"):
                beta[name][:] = float(links[parameter](np.array(named[parameter])))
