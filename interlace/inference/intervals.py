"""Intervals of all parameters of a model: by which method, and what users get."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..calls import level as checked_level
from ..linalg.information import side_by_side
from .components import part_of, parts, predictor_errors
from .parameters import deviation_names
from .profile.parameters import Parameter, chosen, parameter_link, parameters_of
from .profile.profile import interval_frame, profile_limits
from .profile.target import term_value
from .residual_covariance import residual_errors, residual_wald
from .tails import t_quantile
from .wald import add_intervals, t_table

if TYPE_CHECKING:
    from .resampling.bootstrap import Bootstrap

__all__ = ["METHODS", "coefficient_table", "intervals", "wald_limits"]

# Of the derivatives of analytic functions, by complex differences.
COMPLEX_STEP = 1e-30

Limits = tuple[np.ndarray, list[str]]


def wald_limits(fit: Any, parameters: Sequence[Parameter], level: float) -> Limits:
    """Estimates less and plus normal quantiles of their standard errors, on these scales.

    Coefficients as they are; standard deviations by logarithms, correlations by Fisher's z, as the
    delta method has their standard errors; the family's parameters on the scale of their links.
    """
    half = float(t_quantile(checked_level("level", level), np.inf))
    out = np.full((len(parameters), 2), np.nan)
    own, moved = parts(fit), None
    for k, parameter in enumerate(parameters):
        if parameter.kind == "coefficient":
            part = own[parameter.component]
            j = parameter.at[1]
            move = half * np.sqrt(part.cov_beta[j, j])
            out[k] = part.beta[j] - move, part.beta[j] + move
        elif parameter.kind == "family":
            out[k] = _of_family(fit, parameter, half)
        elif parameter.kind == "residual":
            out[k] = residual_wald(fit, level)[parameter.at[0]]
        else:
            moved = _Variances(fit) if moved is None else moved
            out[k] = moved.limits(parameter, half)
    return out, []


def _of_family(fit: Any, parameter: Parameter, half: float) -> np.ndarray:
    error = predictor_errors(fit)[parameter.name]
    if fit.several:
        eta = fit.estimated_parameters[parameter.name][0]
    else:
        eta = float(fit.zeta[fit.family.parameters.index(parameter.name)])
    link, ends = parameter_link(fit, parameter), eta + half * error * np.array([-1.0, 1.0])
    with np.errstate(over="ignore"):
        return np.sort(np.exp(ends) if link is None else np.asarray(link.inverse(ends)))


class _Variances:
    """Standard deviations and correlations as functions of (theta, phi, log sigma)."""

    def __init__(self, fit: Any) -> None:
        self.fit, q = fit, fit.theta.size + fit.phi.size
        scale = np.log(fit.re_scale) if fit.linear else 0.0
        self.at = np.concatenate([fit.theta, fit.phi, [scale]])
        self.cov = np.zeros((q + 1, q + 1))
        if fit.linear:
            from .satterthwaite import variance_derivatives

            blocks = [fit.scale.jacobian()] if fit.theta.size else []
            J = side_by_side(*blocks, np.eye(fit.phi.size), np.eye(1) / fit.re_scale)
            self.cov = J @ variance_derivatives(fit).A @ J.T
        else:
            self.cov[:q, :q] = fit.cov_all[:q, :q]

    def error(self, parameter: Parameter) -> float:
        """The standard error of one, by the delta method; NaN for a standard deviation of zero."""
        if parameter.kind == "sd" and self.value(parameter, self.at) == 0.0:
            return np.nan
        slope = np.empty(self.at.size)
        for i in range(slope.size):
            moved = self.at.astype(complex)
            moved[i] += 1j * COMPLEX_STEP
            slope[i] = self.value(parameter, moved).imag / COMPLEX_STEP
        used = slope != 0.0
        with np.errstate(all="ignore"):
            return float(np.sqrt(slope[used] @ self.cov[np.ix_(used, used)] @ slope[used]))

    def limits(self, parameter: Parameter, half: float) -> np.ndarray:
        """Limits of one."""
        value = float(self.value(parameter, self.at).real)
        ends = half * np.array([-1.0, 1.0]) * self.error(parameter)
        natural = parameter.natural
        correlation = natural is None or natural.bounded
        with np.errstate(all="ignore"):
            if parameter.kind == "cor" or (parameter.kind == "pattern" and correlation):
                limits = np.tanh(np.arctanh(value) + ends / (1.0 - value**2))
                return limits if np.isfinite(limits).all() else np.full(2, np.nan)
            return value * np.exp(ends / value) if value else np.full(2, np.nan)

    def value(self, parameter: Parameter, at: np.ndarray) -> Any:
        """The parameter at (theta, log sigma), for complex numbers too."""
        sigma = np.exp(at[-1])
        if parameter.kind == "sigma":
            phi = at[self.fit.theta.size : -1]
            return sigma * np.exp(-self.fit.residual.shift @ phi) if phi.size else sigma
        return term_value(self.fit.covariance, at[: self.fit.theta.size], sigma, parameter)


def variance_errors(fit: Any) -> np.ndarray:
    """Standard errors of what is read of the random terms, and of sigma where it is estimated.

    Then of the covariance of residuals.
    """
    variances = _Variances(fit)
    own = {p.name: p for p in parameters_of(fit) if p.kind in ("sd", "cor", "pattern", "sigma")}
    names = [*deviation_names(fit.covariance), *(["sigma"] if "sigma" in own else [])]
    errors = np.array([variances.error(own[name]) for name in names])
    return np.concatenate([errors, residual_errors(fit)])


def boot_limits(
    fit: Any,
    parameters: Sequence[Parameter],
    level: float,
    draw: Callable[[], Bootstrap],
    type: str,
) -> Limits:
    """Bootstrap intervals of the replicates that ``draw`` makes, of a type that they have."""
    b = draw()
    if "precision" in {p.name for p in parameters}.difference(b.frame):
        from .resampling.bootstrap import with_precision

        b = with_precision(b)  # of Gaussian models replicates have sigma
    names = [p.name for p in parameters]
    return b.conf_int(type, level).loc[names].to_numpy(), b.notes  # type: ignore[arg-type]


#: Method -> its function of a fit, parameters and a level: limits (r, 2), notes on them.
METHODS: dict[str, Callable[..., Limits]] = {
    "wald": wald_limits,
    "profile": profile_limits,
    "boot": boot_limits,
}


def intervals(
    fit: Any,
    method: str,
    level: float = 0.95,
    parm: Any = None,
    component: str | None = None,
    r_names: bool = False,
    df_method: str | None = "normal",
    options: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Intervals of the parameters that are named, of all by default: ``lower, upper``.

    Wald's of coefficients with the quantiles that the degrees of freedom ask for; ``options`` are
    further arguments of the method's own function.
    """
    parameters = parameters_of(fit)
    if component is not None:
        own = part_of(fit, component).design.current
        parameters = [p for p in parameters if p.kind == "coefficient" and p.at[0] == own]
    own = chosen(parameters, parm)
    limits, notes = METHODS[method](fit, own, level, **(options or {}))
    out = interval_frame(own, limits, r_names, notes)
    if method == "wald" and df_method != "normal":
        for name in {p.component for p in own if p.kind == "coefficient"}:
            table = coefficient_table(fit, level, df_method, name).to_numpy()
            for k, p in enumerate(own):
                if p.kind == "coefficient" and p.component == name:
                    out.iloc[k] = table[p.at[1]]
    return out


def coefficient_table(
    fit: Any,
    level: float,
    df_method: str | None,
    component: str | None,
    table: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Wald's intervals of the coefficients of a component; ``table`` are its t tests, if known."""
    if table is None:
        table = t_table(part_of(fit, component), df_method=df_method)
    table = add_intervals(table, level)
    return pd.DataFrame({"lower": table["conf_low"], "upper": table["conf_high"]})
