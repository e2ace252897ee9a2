"""All parameters of a model on the scale on which they are read: one vector, with names.

Coefficients, standard deviations and correlations of random effects by term, sigma, and the
parameters of the family that are one number. Names of the random effects' are lme4's newer ones,
``"sd_(Intercept)|Subject"``, ``"cor_Days.(Intercept)|Subject"``; coefficients of other linear
predictors than the mean's have the component in front, ``"zi~Intercept"``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import ArgumentError
from .components import family_numbers, parts
from .names import correlation_name, deviation_name, name_in

# An eigenvalue of a correlation matrix this near zero is zero.
ROUNDING = 1e-12

if TYPE_CHECKING:
    from ..covariance.model import CovarianceModel
    from ..models.kinds import AnyFit, MixedFit
    from ..models.lmm import LMMFit


def parameter_names(fit: AnyFit) -> list[str]:
    """Names of `parameter_values`."""
    out = []
    for component, part in parts(fit).items():
        out += [name_in(component, name) for name in part.design.x_names]
    if fit.T:
        out += deviation_names(cast("MixedFit", fit).covariance)
    return out + [*_numbers(fit)]


def parameter_values(fit: AnyFit) -> np.ndarray:
    """All parameters, in the order of their names; a correlation with a zero deviation is NaN."""
    values = [part.beta for part in parts(fit).values()]
    if fit.T:
        model = cast("MixedFit", fit).covariance
        relative = [S[None] for S in model.relative_covariances(fit.theta)]
        values += [_deviations(model, relative, fit.re_scale)[0]]
    return np.concatenate([*values, [*_numbers(fit).values()]])


def linear_parameters(
    fit: LMMFit, x: np.ndarray, beta: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    """`parameter_values` of many refits of a linear mixed model, (m, …), from x (m, q), ….

    x are parameters of the search, beta (m, p) and sigma (m,).
    """
    model = fit.covariance
    theta = fit.scale.clean(x) @ fit.scale.jacobian().T if model.identity else x
    relative = []
    for term, s in zip(model.terms, model.theta_slices, strict=True):
        structure, k = term.structure, len(term.names)
        entries = theta[:, s]
        if not model.identity:
            entries = np.array([structure.values(row) for row in entries])
        T = np.zeros((len(x), k, k))
        T[:, structure.rows, structure.cols] = entries
        relative.append(T @ T.transpose(0, 2, 1))
    deviations = _deviations(model, relative, sigma[:, None])
    return np.concatenate([beta, deviations, sigma[:, None]], axis=1)


def deviation_names(model: CovarianceModel) -> list[str]:
    """Names of standard deviations and correlations, term by term."""
    out = []
    for term, label in zip(model.terms, model.term_labels, strict=True):
        out += [deviation_name(name, label) for name in term.names]
        pairs = ((term.names[j], term.names[i]) for i, j in _pairs(term))
        out += [correlation_name(*pair, label) for pair in pairs]
    return out


def deviation_values(model: CovarianceModel, theta: np.ndarray, values: np.ndarray) -> np.ndarray:
    """theta of relative standard deviations and correlations in the order of their names.

    Entries of ``theta`` stay for structures whose parameters are not entries of templates.
    """
    out, start = np.array(theta, dtype=float), 0
    for term, s in zip(model.terms, model.theta_slices, strict=True):
        k, pairs = len(term.names), list(_pairs(term))
        sd, correlation = values[start : start + k], np.eye(k)
        for (i, j), value in zip(pairs, values[start + k : start + k + len(pairs)], strict=True):
            correlation[i, j] = correlation[j, i] = 0.0 if np.isnan(value) else value
        start += k + len(pairs)
        lowest = float(np.linalg.eigvalsh(correlation)[0])
        if lowest < -ROUNDING:
            raise ArgumentError(
                f"the correlations of {', '.join(term.names)} are those of no distribution: their "
                "matrix is not positive definite"
            )
        if lowest < ROUNDING:  # singular ones have a factor too
            correlation += 2.0 * ROUNDING * np.eye(k)
        T = sd[:, None] * np.linalg.cholesky(correlation)
        if term.structure.identity:
            out[s] = T[term.structure.rows, term.structure.cols]
    return out


def _deviations(model: CovarianceModel, relative: list[np.ndarray], scale: Any) -> np.ndarray:
    """Standard deviations and correlations of each term from T T' (m, k, k), (m, …)."""
    out = []
    for term, S in zip(model.terms, relative, strict=True):
        sd = np.sqrt(np.einsum("mkk->mk", S))
        out.append(sd * scale)
        pairs = np.array(list(_pairs(term)), dtype=int).reshape(-1, 2)
        i, j = pairs.T
        with np.errstate(divide="ignore", invalid="ignore"):
            out.append(S[:, i, j] / (sd[:, i] * sd[:, j]))
    return np.concatenate(out, axis=1)


def _pairs(term: Any) -> Iterator[tuple[int, int]]:
    """Pairs of effects that have a correlation, in lme4's order."""
    k = len(term.names) if term.structure.correlated else 0
    return ((i, j) for i in range(k) for j in range(i + 1, k))


def _numbers(fit: AnyFit) -> dict[str, float]:
    """sigma of a Gaussian model, else the family's parameters that are one number."""
    if fit.family.residual_variance:
        return {} if np.isnan(fit.sigma) else {"sigma": fit.sigma}
    return family_numbers(fit)
