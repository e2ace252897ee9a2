"""Parameters by name in place of the estimates: the truth that draws are made from.

By the names of `parameter_names`, or together as lme4's ``newparams`` has them: ``beta``, the
coefficients of the mean, ``theta``, the relative covariance parameters, and ``sigma``; covariances
of random effects by grouping factor as simr's ``VarCorr``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

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
    reading_name,
)
from ..residual_covariance import residual_names

if TYPE_CHECKING:
    from ...models.kinds import AnyFit, MixedFit
    from ...models.lmm_residual import ResidualFit

__all__ = ["assumed", "lacking"]

#: What several parameters are called together, here, in lme4 and in simr.
COEFFICIENTS = ("beta", "fixef", "fe_params")
COVARIANCES = ("VarCorr", "variance_components")
#: Eigenvalues of a covariance matrix may be as far below zero by rounding.
ZERO = 1e-9


def assumed(fit: AnyFit, like: AnyFit | None, params: Mapping[str, float] | None) -> AnyFit:
    """The fit with the parameters of another fit of the same model, some of them replaced by name.

    Names are those of ``m.bootstrap().frame``, and for coefficients R's.
    """
    like = fit if like is None else like
    names, values = parameter_names(like), parameter_values(like)
    params, given_theta = (None, None) if params is None else by_name(like, params)
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
    if kept := [name for name in residual_names(like) if name in (params or ())]:
        raise ArgumentError(
            f"params has {kept[0]!r}: the covariance of residuals is kept as it was estimated"
        )
    if fit.linear and like.phi.size:  # sigma of the search, in units of which random effects are
        sigma *= cast("ResidualFit", like).re_scale / like.sigma
    theta = like.theta if given_theta is None else given_theta
    if fit.T and given_theta is None:
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


def lacking(fit: AnyFit, params: Mapping[str, Any]) -> list[str]:
    """Parameters of the fit that ``params`` do not have."""
    named, theta = by_name(fit, params)
    known, names = spellings(parameter_names(fit)), parameter_names(fit)
    for name in named:
        _check_known(name, known, names)
    given = {names[known[name]] for name in named if name in known}
    if theta is not None:
        given |= {*deviation_names(cast("MixedFit", fit).covariance)}
    return [name for name in names if name not in given]


def by_name(fit: AnyFit, params: Any) -> tuple[dict[str, Any], np.ndarray | None]:
    """Parameters by their own names, and theta (n_theta,) where it is given as a whole."""
    if isinstance(params, pd.Series):
        params = params.to_dict()
    if not isinstance(params, Mapping):
        name = parameter_names(fit)[-1]
        raise ArgumentTypeError(
            f"params must be a dict of parameters by name, such as {{{name!r}: 1.0}}, got "
            f"{brief(params)}"
        )
    out: dict[str, Any] = {}
    theta = None
    own = parameter_names(fit)
    for name, value in params.items():
        several = np.ndim(value) > 0 or isinstance(value, (Mapping, pd.DataFrame))
        if name in own and not several:
            found = {name: value}
        elif name in COEFFICIENTS:
            found = _labelled(f"params[{name!r}]", list(parts(fit)["cond"].design.x_names), value)
        elif name == "theta" and fit.T:
            theta = _theta(cast("MixedFit", fit), value)
            continue
        elif name in COVARIANCES and fit.T:
            found = _deviations_of(cast("MixedFit", fit), value)
        else:
            found = {name: value}
        if twice := [key for key in found if key in out]:
            raise ArgumentError(f"params has {listing(map(repr, twice))} twice")
        out |= found
    if theta is not None and (other := [n for n in out if n.startswith(("sd_", "cor_", "rho_"))]):
        raise ArgumentError(f"params has theta and {other[0]!r}, which is part of it: drop one")
    return out, theta


def _labelled(what: str, names: list[str], values: Any) -> dict[str, Any]:
    """Values by name: a dict or Series by its labels, of a list all of them in their order."""
    if isinstance(values, pd.Series) and not isinstance(values.index, pd.RangeIndex):
        values = values.to_dict()
    if isinstance(values, Mapping):
        known = spellings(names)
        for name in values:
            if name not in known:
                raise ArgumentError(
                    f"{what} has {brief(name)}, which is none of {listing(map(repr, names))}."
                    f"{suggestion(str(name), names)}"
                )
        return {names[known[name]]: value for name, value in values.items()}
    listed = np.atleast_1d(np.asarray(values, dtype=object))
    if listed.shape != (len(names),):
        raise ArgumentError(
            f"{what} must have {len(names)} numbers, for {listing(map(repr, names))}; got "
            f"{brief(values)}"
        )
    return dict(zip(names, listed.tolist(), strict=True))


def _theta(fit: MixedFit, value: Any) -> np.ndarray:
    """theta as a whole, checked."""
    names = list(fit.covariance.theta_names)
    named = _labelled("params['theta']", names, value)
    if missing := [name for name in names if name not in named]:
        raise ArgumentError(f"params['theta'] lacks {listing(map(repr, missing))}")
    theta = np.array([number(f"theta[{name!r}]", named[name]) for name in names])
    lower = fit.covariance.lower_bounds()
    if (theta < lower).any():
        at = int(np.flatnonzero(theta < lower)[0])
        raise ArgumentError(f"theta[{names[at]!r}] must not be below {lower[at]:g}")
    return theta


def _deviations_of(fit: MixedFit, value: Any) -> dict[str, float]:
    """Standard deviations and correlations, of variances or covariance matrices by factor."""
    if not isinstance(value, Mapping):
        raise ArgumentTypeError(
            "VarCorr must be a dict of grouping factors and variances, or covariance matrices, as "
            f"m.variance_components is; got {brief(value)}"
        )
    factors = [factor.name for factor in fit.design.factors]
    out: dict[str, float] = {}
    for group, given in _labelled("params['VarCorr']", factors, value).items():
        b = factors.index(group)
        effects = fit.covariance.effect_names(b)
        k = len(effects)
        try:
            S = np.atleast_2d(np.asarray(given, dtype=float))
        except (TypeError, ValueError):  # texts, or rows of several lengths
            S = np.empty((0, 0))
        if why := _no_covariance(S, k):
            raise ArgumentError(
                f"VarCorr[{group!r}] must be {'a variance' if k == 1 else 'a covariance matrix'} "
                f"of {listing(effects)}, got {brief(given)}{why}"
            )
        out |= _of_matrix(fit, b, S)
    return out


def _no_covariance(S: np.ndarray, k: int) -> str:
    """Why an array is no covariance matrix of k effects; empty if it is one."""
    if S.shape != (k, k):
        return f": {k} rows of {k} numbers, variances on the diagonal" if k > 1 else ": one number"
    if not np.isfinite(S).all():
        return ", which has a value that is not finite"
    if not np.allclose(S, S.T):
        return ", which is not symmetric"
    if (np.diagonal(S) < 0.0).any():
        return ", which has a variance below zero"
    if np.linalg.eigvalsh(S)[0] < -ZERO:
        return ": with these variances no effects have these covariances, which are too large"
    return ""


def _of_matrix(fit: MixedFit, b: int, S: np.ndarray) -> dict[str, float]:
    """What `parameter_names` calls the elements of the covariance matrix of a factor's effects."""
    out, start = {}, 0
    label_of = dict(zip(map(id, fit.covariance.terms), fit.covariance.term_labels, strict=True))
    for term in fit.covariance.terms_of(b):
        names = list(term.names)
        own = S[start : start + len(names), start : start + len(names)]
        start += len(names)
        sd = np.sqrt(np.diagonal(own))
        for one in term.structure.readings(term.names):
            if one.kind not in ("sd", "cor"):
                raise ArgumentError(
                    f"VarCorr does not say what {one.word!r} of {label_of[id(term)]} is: give the "
                    "parameters of the structure by name"
                )
            i, j = one.at[0], one.at[-1]
            scale = 1.0 if one.kind == "sd" else sd[i] * sd[j]
            value = sd[i] if one.kind == "sd" else own[i, j] / (scale or np.inf)
            out[reading_name(one, label_of[id(term)])] = float(value)
    return out


def _check_known(name: Any, known: Mapping[str, int], names: list[str]) -> None:
    """Refuse the name of a parameter that the model does not have."""
    if name not in known:
        near = suggestion(str(name), [*names, *COEFFICIENTS, *COVARIANCES])
        raise ArgumentError(
            f"params has {brief(name)}, which is no parameter of the model.{near} It has "
            f"{listing(map(repr, names))}"
        )


def _replaced(names: list[str], values: np.ndarray, params: Any) -> np.ndarray:
    values = values.copy()
    known = spellings(names)
    for name, value in params.items():
        _check_known(name, known, names)
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
