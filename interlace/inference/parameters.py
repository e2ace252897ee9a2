"""All parameters of a model on the scale on which they are read: one vector, with names.

Coefficients, standard deviations and correlations of random effects by term, sigma, and the
parameters of the family that are one number. Names of the random effects' are lme4's newer ones,
``"sd_(Intercept)|Subject"``, ``"cor_Days.(Intercept)|Subject"``, and of structures
``"rho_ar1|Subject"``; coefficients of other linear
predictors than the mean's have the component in front, ``"zi~Intercept"``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import ArgumentError
from .components import family_numbers, parts
from .names import correlation_name, deviation_name, name_in
from .residual_covariance import residual_names, residual_values

if TYPE_CHECKING:
    from ..covariance.model import CovarianceModel
    from ..covariance.readings import Reading
    from ..models.kinds import AnyFit, MixedFit


def parameter_names(fit: AnyFit) -> list[str]:
    """Names of `parameter_values`."""
    out = []
    for component, part in parts(fit).items():
        out += [name_in(component, name) for name in part.design.x_names]
    if fit.T:
        out += deviation_names(cast("MixedFit", fit).covariance)
    return out + residual_names(fit) + [*family_values(fit)]


def parameter_values(fit: AnyFit) -> np.ndarray:
    """All parameters, in the order of their names; a correlation with a zero deviation is NaN."""
    values = [part.beta for part in parts(fit).values()]
    if fit.T:
        model = cast("MixedFit", fit).covariance
        values += [_deviations(model, fit.theta[None], fit.re_scale)[0]]
    return np.concatenate([*values, residual_values(fit), [*family_values(fit).values()]])


def mixed_parameters(fit: MixedFit, theta: np.ndarray, beta: np.ndarray, scale: Any) -> np.ndarray:
    """Coefficients and deviations of many refits, (m, …), from theta (m, q) and beta (m, p).

    ``scale``, a number or (m, 1), is that of the random effects. What `parameter_values` has beyond
    them is the caller's to add.
    """
    return np.concatenate([beta, _deviations(fit.covariance, theta, scale)], axis=1)


def aligned_values(names: list[str], fit: AnyFit) -> np.ndarray:
    """`parameter_values` of a refit in the order of the names of another fit, NaN for none."""
    values = parameter_values(fit)
    if values.size == len(names):
        return values
    own = dict(zip(parameter_names(fit), values.tolist(), strict=True))
    return np.array([own.get(name, np.nan) for name in names])


def deviation_names(model: CovarianceModel) -> list[str]:
    """Names of standard deviations, correlations and parameters of patterns, term by term."""
    return [reading_name(one, label) for one, label in _readings(model)]


def reading_name(one: Reading, label: str) -> str:
    """``"sd_(Intercept)|Subject"``, ``"cor_Days.(Intercept)|Subject"``, ``"rho_ar1|Subject"``."""
    if one.kind == "sd":
        return deviation_name(one.effects[0], label)
    if one.kind == "cor":
        return correlation_name(one.effects[0], one.effects[1], label)
    return f"{one.word}_{one.effects[0]}|{label}"


def _readings(model: CovarianceModel) -> Iterator[tuple[Reading, str]]:
    for term, label in zip(model.terms, model.term_labels, strict=True):
        for one in term.structure.readings(term.names):
            yield one, label


def is_deviation(model: CovarianceModel) -> np.ndarray:
    """Which of the names are standard deviations, which sigma multiplies."""
    return np.array([one.kind == "sd" for one, _ in _readings(model)], dtype=bool)


def deviation_values(model: CovarianceModel, theta: np.ndarray, values: np.ndarray) -> np.ndarray:
    """theta of relative standard deviations and what else there is in the order of their names."""
    out, start = np.array(theta, dtype=float), 0
    for term, s in zip(model.terms, model.theta_slices, strict=True):
        count = len(term.structure.readings(term.names))
        own = values[start : start + count]
        start += count
        try:
            out[s] = term.structure.of_readings(own, out[s])
        except ArgumentError as error:
            raise ArgumentError(str(error).replace("{names}", ", ".join(term.names))) from None
    return out


def _deviations(model: CovarianceModel, theta: np.ndarray, scale: Any) -> np.ndarray:
    """Standard deviations, correlations and parameters of patterns from theta (m, n), (m, …)."""
    out = []
    for term, s in zip(model.terms, model.theta_slices, strict=True):
        structure, own = term.structure, theta[:, s]
        if structure.identity:
            out.append(_of_templates(structure, own, scale))
            continue
        values = np.array([structure.read(row) for row in own])
        sd = [one.kind == "sd" for one in structure.readings(term.names)]
        out.append(np.where(sd, values * scale, values))
    return np.concatenate(out, axis=1)


def _of_templates(structure: Any, theta: np.ndarray, scale: Any) -> np.ndarray:
    k = structure.k
    T = np.zeros((len(theta), k, k))
    T[:, structure.rows, structure.cols] = theta
    S = T @ T.transpose(0, 2, 1)
    sd = np.sqrt(np.einsum("mkk->mk", S))
    if not structure.correlated:
        return sd * scale
    i, j = np.triu_indices(k, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.concatenate([sd * scale, S[:, i, j] / (sd[:, i] * sd[:, j])], axis=1)


def family_values(fit: AnyFit) -> dict[str, float]:
    """sigma of a Gaussian model, else the family's parameters that are one number."""
    if fit.family.residual_variance:
        return {} if np.isnan(fit.sigma) else {"sigma": fit.sigma}
    return family_numbers(fit)
