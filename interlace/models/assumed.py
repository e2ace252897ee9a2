"""A fit with other parameters than the estimates, to draw from: an assumed truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .base import closed

if TYPE_CHECKING:
    from .kinds import AnyFit


def with_truth(
    fit: AnyFit,
    beta: Mapping[str, np.ndarray],
    theta: np.ndarray,
    sigma: float,
    zeta: np.ndarray,
) -> AnyFit:
    """The fit as if these were its estimates: for draws and as the start of refits, no more.

    ``beta`` are the coefficients of each linear predictor, theta on the scale of the data, sigma
    that of a linear mixed model, zeta the family's parameters on the scale of their links; random
    effects are zero.
    """
    if fit.linear:
        return _linear(fit, beta["mean"], theta, sigma)
    if fit.irls:
        return _least_squares(fit, beta["mean"], zeta)
    new: Any = fit
    solution = new.solution
    changes: dict[str, Any] = {}
    if fit.T:
        start = np.concatenate([new.scale.x(theta), new.x[theta.size :]])
        changes["optimum"] = closed(replace(new.optimum, x=start))
        templates = new.scale.natural(new.scale.templates(start[: theta.size]))
        moved = {"T": templates, "u": tuple(np.zeros_like(u) for u in new.u)}
        solution = replace(solution, **moved)
    coefficients = np.concatenate([beta[name] for name in solution.slices])
    other = replace(new, **changes)
    other.__dict__["solution"] = solution = replace(solution, beta=coefficients)
    if not new.several:
        eta = other.fixed_part if fit.T else _fixed(new.design, beta["mean"])
        other.__dict__["solution"] = replace(solution, eta=eta, zeta=zeta)
        return other
    etas = [_fixed(replace(new.design, current=name), b) for name, b in beta.items()]
    other.__dict__["solution"] = replace(solution, eta=np.array(etas), zeta=np.array(etas[1:]))
    return other


def _fixed(design: Any, beta: np.ndarray) -> np.ndarray:
    eta = design.X @ beta
    return eta if design.offset is None else eta + design.offset


def _linear(fit: Any, beta: np.ndarray, theta: np.ndarray, sigma: float) -> Any:
    # with a covariance of residuals its parameters follow those of the random effects
    x = np.concatenate([fit.scale.x(theta), fit.x[theta.size :]])
    other = replace(fit, optimum=closed(replace(fit.optimum, x=x)), memo={})
    other.__dict__["solution"] = closed(
        replace(
            fit.solution,
            beta=beta,
            sigma=sigma,
            T=fit.scale.natural(fit.scale.templates(x[: theta.size])),
            u=tuple(np.zeros_like(u) for u in fit.u),
        )
    )
    return other


def _least_squares(fit: Any, beta: np.ndarray, zeta: np.ndarray) -> Any:
    eta = _fixed(fit.design, beta)
    scale = float(fit.family.dispersion(zeta)) if zeta.size else fit.dispersion
    mu = fit.family.mean(eta, zeta)
    return replace(fit, beta=beta, eta=eta, mu=mu, zeta=zeta, dispersion=scale)
