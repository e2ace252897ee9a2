"""A parameter of a likelihood: its coordinates, and its values on the scale that is reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...covariance import CovarianceModel
from ...design.predictor import THRESHOLD
from .coordinates import Bounded, Coordinates, Correlation, Deviation, Linear
from .likelihood import Likelihood
from .parameters import Parameter, parameter_link
from .residual import ResidualLink, residual_coordinates, residual_value
from .thresholds import Threshold

__all__ = [
    "Scale",
    "coordinates_of",
    "fixed",
    "scale_of",
    "term_value",
    "undetermined",
    "values_at",
]


@dataclass(frozen=True)
class Scale:
    """Values of a parameter from its coordinate.

    ``kind`` is that of the parameter; ``base`` is added to a coefficient; ``link`` is that of a
    parameter of the family, the logarithm where there is none, and how one of a pattern is read.
    """

    kind: str
    base: float = 0.0
    link: Any = None

    def value(self, at: Any) -> np.ndarray:
        """Values, of any shape."""
        at = np.asarray(at, dtype=float)
        if self.kind == "cor":
            return np.sin(at)
        if self.kind == "sigma" or (self.kind == "family" and self.link is None):
            with np.errstate(over="ignore"):
                return np.exp(at)
        if self.kind == "family":
            return np.asarray(self.link.inverse(at))
        if self.kind == "pattern":
            return np.asarray(self.link.value(at))
        return at + self.base

    def slope(self, at: Any) -> np.ndarray:
        """Derivatives of the values in the coordinate."""
        at = np.asarray(at, dtype=float)
        if self.kind == "cor":
            return np.cos(at)
        if self.kind == "sigma" or (self.kind == "family" and self.link is None):
            return np.exp(at)
        if self.kind == "family":
            return np.asarray(self.link.inverse_derivatives(at)[1])
        if self.kind == "pattern":
            return np.asarray(self.link.slope(at))
        return np.ones_like(at)

    def coordinate(self, value: Any) -> np.ndarray:
        """The coordinate of values."""
        value = np.asarray(value, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.kind == "cor":
                return np.arcsin(value)
            if self.kind == "sigma" or (self.kind == "family" and self.link is None):
                return np.log(value)
            if self.kind == "family":
                return np.asarray(self.link(value))
            if self.kind == "pattern":
                return np.asarray(self.link.inverse(value))
            return value - self.base


def scale_of(likelihood: Likelihood, parameter: Parameter) -> Scale:
    """The scale of a parameter."""
    if _is_threshold(likelihood, parameter):
        located = _located(likelihood, parameter.at[1])
        return Scale("coefficient") if located else Scale("sigma")
    if parameter.kind == "coefficient":
        name, j = parameter.at
        return Scale("coefficient", float(likelihood.coefficients[name][2][j]))
    if parameter.kind == "family":
        return Scale("family", 0.0, parameter_link(likelihood.fit, parameter))
    if parameter.kind == "residual":
        return Scale("family", 0.0, ResidualLink.of_parameter(likelihood.fit, parameter.at[0]))
    return Scale(parameter.kind, 0.0, parameter.natural)


def _is_threshold(likelihood: Likelihood, parameter: Parameter) -> bool:
    """Whether it is a parameter of thresholds that is no linear function of zeta."""
    return likelihood.thresholds is not None and parameter.at[:1] == (THRESHOLD,)


def _located(likelihood: Likelihood, j: int) -> bool:
    """Whether the location is part of parameter j of the thresholds."""
    assert likelihood.thresholds is not None
    structure = likelihood.thresholds.structure
    return bool(not structure.logs[0] and structure.reported[j, 0] != 0.0)


def _row(likelihood: Likelihood, b: int, i: int) -> np.ndarray:
    """Places in theta of what makes standard deviation i of term b alone."""
    covariance = likelihood.covariance
    assert covariance is not None
    structure, first = covariance.terms[b].structure, covariance.theta_slices[b].start
    return first + structure.places(i)


def undetermined(likelihood: Likelihood, parameter: Parameter) -> bool:
    """Whether it is a correlation of effects whose variance is zero."""
    if parameter.kind == "pattern":
        b, flat = parameter.at[0], likelihood.flat
        assert likelihood.covariance is not None
        structure = likelihood.covariance.terms[b].structure
        return not any(flat[_row(likelihood, b, i)].any() for i in range(structure.n_sd))
    if parameter.kind != "cor":
        return False
    b, i, j = parameter.at
    flat = likelihood.flat
    return not (flat[_row(likelihood, b, i)].any() and flat[_row(likelihood, b, j)].any())


def fixed(likelihood: Likelihood, parameter: Parameter) -> bool:
    """Whether it is the correlation of effects that have one loading each, on the same factor."""
    if parameter.kind != "cor":
        return False
    b, i, j = parameter.at
    return _row(likelihood, b, i).size == _row(likelihood, b, j).size == 1


def coordinates_of(likelihood: Likelihood, parameter: Parameter) -> Coordinates:
    """Coordinates of the likelihood, the first of which is the parameter's."""
    y = likelihood.y
    if parameter.kind == "sigma":
        place, phi = likelihood.log_sigma, likelihood.residual
        assert place is not None
        if not y[phi].size:
            return Linear(y, slice(place, place + 1), np.ones(1))
        shift = likelihood.fit.residual.shift
        return Linear(y, slice(phi.start, place + 1), np.append(-shift, 1.0))
    if parameter.kind == "residual":
        return residual_coordinates(likelihood, parameter.at[0])
    if _is_threshold(likelihood, parameter):
        thresholds, j = likelihood.thresholds, parameter.at[1]
        assert thresholds is not None
        structure, first = thresholds.structure, likelihood.zeta.start
        at = slice(first, first + structure.count)
        linear = np.zeros(y.size)
        if _located(likelihood, j):
            linear[thresholds.at] = thresholds.shift
        return Threshold(y, at, structure.reported[j], linear, not structure.logs[0])
    if parameter.kind in ("coefficient", "family"):
        if isinstance(parameter.at[0], str):
            name, j = parameter.at
            at, back, _ = likelihood.coefficients[name]
            return Linear(y, at, back[j])
        place = likelihood.zeta.start + parameter.at[0]
        return Linear(y, slice(place, place + 1), np.ones(1))
    flat, M = likelihood.flat, likelihood.from_flat
    if parameter.kind == "pattern":
        assert likelihood.covariance is not None
        b, own = parameter.at
        place = likelihood.covariance.theta_slices[b].start + own
        return Bounded(y, place, parameter.natural.lower, parameter.natural.upper)
    b, i, j = parameter.at
    if parameter.kind == "sd":
        return Deviation(flat, _row(likelihood, b, i), likelihood.log_sigma, M)
    return Correlation(flat, _row(likelihood, b, i), _row(likelihood, b, j), M)


def values_at(likelihood: Likelihood, parameters: list[Parameter], y: np.ndarray) -> np.ndarray:
    """The values of parameters at y (n,), for complex y too."""
    theta = likelihood.to_theta @ y[: len(likelihood.to_theta)]
    sigma = 1.0 if likelihood.log_sigma is None else np.exp(y[likelihood.log_sigma])
    out = np.empty(len(parameters), dtype=y.dtype)
    beta = {n: base + back @ y[at] for n, (at, back, base) in likelihood.coefficients.items()}
    if likelihood.thresholds is not None:
        beta[THRESHOLD] = likelihood.thresholds.values(y, likelihood.zeta)
    for k, p in enumerate(parameters):
        if p.kind == "sigma":
            out[k] = sigma
            if y[likelihood.residual].size:
                out[k] = sigma * np.exp(-likelihood.fit.residual.shift @ y[likelihood.residual])
        elif p.kind == "residual":
            out[k] = residual_value(likelihood, p.at[0], y)
        elif p.kind == "coefficient":
            out[k] = beta[p.at[0]][p.at[1]]
        elif p.kind == "family":
            own = y[likelihood.zeta][p.at[0]] if p.at[0] not in beta else beta[p.at[0]][0]
            out[k] = _family_value(likelihood, p, own)
        else:
            out[k] = _of_term(likelihood, theta, sigma, p)
    return out


def _family_value(likelihood: Likelihood, parameter: Parameter, own: Any) -> Any:
    link = parameter_link(likelihood.fit, parameter)
    if link is None:
        return np.exp(own)
    value = float(link.inverse(np.asarray(own.real)))
    if not np.iscomplexobj(own):
        return value
    return value + 1j * own.imag * float(link.inverse_derivatives(np.asarray(own.real))[1])


def _of_term(likelihood: Likelihood, theta: np.ndarray, sigma: Any, parameter: Parameter) -> Any:
    assert likelihood.covariance is not None
    return term_value(likelihood.covariance, theta, sigma, parameter)


def term_value(
    covariance: CovarianceModel, theta: np.ndarray, sigma: Any, parameter: Parameter
) -> Any:
    """The value of a parameter of a random term, for complex numbers too."""
    b, *at = parameter.at
    term, own = covariance.terms[b], theta[covariance.theta_slices[b]]
    if term.structure.identity:
        return _of_rows(term.structure, own, sigma, parameter)
    readings = term.structure.readings(term.names)
    place = [(one.kind, list(one.at)) for one in readings].index((parameter.kind, at))
    value = term.structure.read(own)[place]
    return sigma * value if parameter.kind == "sd" else value


def _of_rows(structure: Any, theta: np.ndarray, sigma: Any, parameter: Parameter) -> Any:
    _, i, j = parameter.at
    row = theta[structure.places(i)]
    length = np.sqrt(np.sum(row * row))
    if parameter.kind == "sd":
        return sigma * length
    earlier = theta[structure.places(j)]
    other = np.sqrt(np.sum(earlier * earlier))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sum(row[: earlier.size] * earlier) / (length * other)
