"""Parameters of the covariance of residuals as they are read: names, values, errors, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from .tails import t_quantile

if TYPE_CHECKING:
    from ..models.lmm_residual import ResidualFit

__all__ = [
    "ResidualPart",
    "check_independent",
    "is_independent",
    "parameters_of_kind",
    "residual_errors",
    "residual_names",
    "residual_parts",
    "residual_values",
    "residual_wald",
]


class ResidualPart(NamedTuple):
    """One structure of the residual covariance with its parameters.

    Attributes
    ----------
    kind : {"correlation", "variance"}
    text : str
        As in the call: ``"ar1(time | g)"``.
    group : str
        Of a correlation; empty for all rows, and for a variance.
    names : list of str
    values : ndarray
    """

    kind: str
    text: str
    group: str
    names: list[str]
    values: np.ndarray


def is_independent(fit: Any) -> bool:
    """Whether residuals have no correlations with each other."""
    own = fit.design.residual if fit.linear else None
    return own is None or own.spec.correlation is None


def check_independent(fit: Any, what: str, instead: str, variance: bool = False) -> None:
    """Refuse what is of independent residuals; with ``variance``, of one variance too."""
    own = fit.design.residual if fit.linear else None
    if own is None:
        return
    if own.spec.correlation is not None:
        argument = f"correlation={own.spec.correlation.text!r}"
    elif variance:
        argument = f"variance={own.spec.variance[0].text!r}"
    else:
        return
    raise ArgumentError(
        f"{what} for models of independent residuals{' of one variance' if variance else ''}, and "
        f"this one has {argument}; {instead}"
    )


def residual_parts(fit: Any) -> list[ResidualPart]:
    """The structures of the residual covariance; none of most models."""
    own = fit.design.residual if fit.linear else None
    if own is None:
        return []
    model, values = fit.residual, residual_values(fit)
    kinds = ["correlation"] * (own.spec.correlation is not None)
    kinds += ["variance"] * len(own.spec.variance)
    out = []
    for kind, term, s in zip(kinds, own.spec.terms, model.natural_slices, strict=True):
        group = own.label if kind == "correlation" else ""
        text = term.of_group(group)  # without any that of the random effects
        out.append(ResidualPart(kind, text, group, model.names[s], values[s]))
    return out


def parameters_of_kind(fit: Any, kind: str) -> pd.Series:
    """Estimates of the parameters of the correlation, or of the variance, by name."""
    own = [part for part in residual_parts(fit) if part.kind == kind]
    names = [name for part in own for name in part.names]
    values = np.concatenate([np.zeros(0), *(part.values for part in own)])
    return pd.Series(values, pd.Index(names, dtype=object), name=kind)


def residual_names(fit: Any) -> list[str]:
    """Names of the parameters of the residual covariance."""
    return fit.residual.names if fit.phi.size else []


def residual_values(fit: Any) -> np.ndarray:
    """Their estimates."""
    return fit.residual.natural(fit.phi) if fit.phi.size else np.zeros(0)


def residual_covariance(fit: ResidualFit) -> np.ndarray:
    """Covariance matrix of their estimates, by the delta method."""
    from .satterthwaite import variance_derivatives

    q = fit.covariance.n_theta
    own = slice(q, q + fit.phi.size)
    J = fit.residual.jacobian(fit.phi)
    return J @ variance_derivatives(fit).A[own, own] @ J.T


def residual_errors(fit: Any) -> np.ndarray:
    """Standard errors of their estimates."""
    return np.sqrt(np.diagonal(residual_covariance(fit))) if fit.phi.size else np.zeros(0)


def residual_wald(fit: ResidualFit, level: float) -> np.ndarray:
    """Limits (r, 2): on the logit scale of bounded parameters, the log scale of positive ones."""
    half = float(t_quantile(level, np.inf)) * np.array([-1.0, 1.0])
    errors = residual_errors(fit)
    out = np.empty((errors.size, 2))
    with np.errstate(all="ignore"):
        for k, (value, error, (low, high)) in enumerate(
            zip(residual_values(fit), errors, fit.residual.bounds, strict=True)
        ):
            if np.isfinite(low) and np.isfinite(high):
                slope = (high - low) / ((value - low) * (high - value))
                ends = np.log((value - low) / (high - value)) + half * error * slope
                out[k] = low + (high - low) / (1.0 + np.exp(-ends))
            elif np.isfinite(low):
                out[k] = low + (value - low) * np.exp(half * error / (value - low))
            else:
                out[k] = value + half * error
    return out
