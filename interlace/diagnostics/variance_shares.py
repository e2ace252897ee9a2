"""Shares of the variance of the linear predictor: R^2 and intraclass correlations.

Nakagawa, Johnson and Schielzeth (2017): with the variance of X beta over the rows, the mean of
z'Sigma z for random effects (Johnson 2014), and the variance that the family has on the scale of
the link at the mean mu of the model without predictors,

    marginal = fixed / (fixed + random + family),   conditional = (fixed + random) / the same.

The family's is sigma^2 of a Gaussian; that of the latent variable of a binomial (pi^2 / 3 of the
logit, 1 of the probit, pi^2 / 6 of cloglog); else from v = Var(y) / mu^2 log(1 + v) or the trigamma
function at 1 / v under the log link, or Var(y) g'(mu)^2 by the delta method. Effects of single rows
belong to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ..calls import one_of
from ..design.predictor import MEAN, NOMINAL, constant_predictor
from ..errors import ArgumentError, DataError
from ..inference.components import parts

if TYPE_CHECKING:
    from ..models.glmm import GLMMFit
    from ..models.kinds import MixedFit
    from ..models.lmm_residual import ResidualFit

APPROXIMATIONS = ("lognormal", "delta", "trigamma", "theoretical")
#: Variances of the latent variable of a binomial response, or of ordered categories.
LATENT = {
    "logit": np.pi**2 / 3.0,
    "probit": 1.0,
    "cloglog": np.pi**2 / 6.0,
    "loglog": np.pi**2 / 6.0,
}
# Nodes of the mean over the random effects of the model without predictors.
NODES = 61


@dataclass(frozen=True)
class VarianceParts:
    """Variances of the parts of the linear predictor.

    Attributes
    ----------
    fixed : float
        Of X beta over the rows.
    random : dict of str to float
        By grouping factor; those with a level for each row are in ``observation``.
    observation, family : float
        Of effects of single rows, and of the family on the scale of the link.
    """

    fixed: float
    random: dict[str, float]
    observation: float
    family: float

    @property
    def residual(self) -> float:
        """What is left within the groups."""
        return self.observation + self.family


def variance_parts(fit: MixedFit, approximation: str | None = None) -> VarianceParts:
    """The variances of a mixed model whose mean is the only predictor of the rows' means."""
    constant = {"cond", "disp"}
    if fit.ordered and NOMINAL not in fit.design.predictors:
        constant.add("threshold")
    others = [name for name in parts(fit) if name not in constant]
    if others:
        raise ArgumentError(
            "shares of variance are for models with one linear predictor, and "
            f"{', '.join(others)} of this model move the mean as well; they are not defined here"
        )
    random, observation = _random(fit)
    family = _family_variance(fit, approximation)
    return VarianceParts(fit.fixed_variance, random, observation, family)


def _random(fit: MixedFit) -> tuple[dict[str, float], float]:
    """Means of z'Sigma z over the rows, by factor; and of factors with a level for each row."""
    out: dict[str, float] = {}
    single = 0.0
    for b, factor in enumerate(fit.design.factors):
        if not (factor.predictor == fit.index).any():
            continue
        value = float(fit.re_scale**2 * fit.mean_spread(b))
        if factor.n_labels == fit.n and factor.known is None:
            single += value
        else:
            out[factor.name] = value
    return out, single


def _family_variance(fit: MixedFit, approximation: str | None) -> float:
    family = fit.family
    if fit.linear or (family.residual_variance and family.link.linear):
        if approximation is not None:
            raise ArgumentError(
                "approximation= is for families other than the Gaussian, whose residual variance "
                "is known on the scale of the predictor"
            )
        if fit.linear and fit.phi.size:
            return float(np.mean(cast("ResidualFit", fit).sd ** 2))
        return float(fit.sigma**2) if np.isfinite(fit.sigma) else _by_row(fit)
    link = family.link.name
    default = "delta"
    if fit.ordered or (family.support == "proportion" and not family.parameters):
        default = "theoretical"
    elif link == "log":
        default = "lognormal"
    kind = (
        default if approximation is None else one_of("approximation", approximation, APPROXIMATIONS)
    )
    _check_kind(kind, family, link)
    if kind == "theoretical":
        return LATENT[link]
    mu = np.full(fit.n, _null_mean(fit))
    variance = family.dispersion(fit.zeta) * family.variance(mu, fit.zeta)
    if kind == "delta":
        eta = family.link(mu)
        slope = family.link.inverse_derivatives(eta)[1]
        return float(np.mean(variance / slope**2))
    ratio = variance / mu**2
    if kind == "lognormal":
        return float(np.mean(np.log1p(ratio)))
    from scipy.special import polygamma

    return float(np.mean(polygamma(1, 1.0 / ratio)))


def _by_row(fit: Any) -> float:
    """The mean residual variance where it has a formula."""
    return float(np.mean(fit.family.dispersion(fit.zeta)))


def _check_kind(kind: str, family: Any, link: str) -> None:
    latent = family.support in ("proportion", "category")
    if kind == "theoretical" and not (latent and link in LATENT):
        raise ArgumentError(
            "approximation='theoretical' is the variance of the latent variable of a binomial "
            f"response, or of ordered categories, with link {', '.join(LATENT)}; this model is "
            f"{family.name} with {link}. 'delta' is for all"
        )
    if kind in ("lognormal", "trigamma") and link != "log":
        raise ArgumentError(
            f"approximation={kind!r} is for the log link, and this model has {link}; 'delta' "
            "is for all"
        )


def _null_mean(fit: GLMMFit) -> float:
    """The mean response of the model with an intercept alone beside the random effects."""
    from ..models.glmm import fit_glmm

    if not fit.has_rows:
        raise DataError(
            f"the residual variance of the family {fit.family.name!r} is that at the mean of the "
            "model with an intercept alone, which is fitted to the rows, and this fit has none. "
            "Fit rows in memory; VarCorr() has the variances of the random effects"
        )
    ones = constant_predictor(fit.n)
    mean = fit.design.predictors[MEAN]
    null = replace(mean, X=np.ascontiguousarray(ones.X), names=ones.names, terms=ones.terms)
    design = replace(fit.design, predictors={**fit.design.predictors, MEAN: null})
    nothing = fit_glmm(design, fit.family, fit.observations, nAGQ=fit.nAGQ, expected=fit.expected)
    random, single = _random(nothing)
    centre = float(np.mean(nothing.fixed_part))
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    eta = centre + np.sqrt(sum(random.values()) + single) * nodes
    valid = fit.family.valid(eta)
    eta = np.where(valid, eta, centre)
    one = np.ndim(fit.zeta) == 1
    means = fit.family.mean(eta, fit.zeta) if one else fit.family.link.inverse(eta)
    return float(np.sum(weights * means) / np.sum(weights))


def r2(fit: MixedFit, approximation: str | None = None) -> pd.Series:
    """``marginal`` and ``conditional``."""
    v = variance_parts(fit, approximation)
    between = sum(v.random.values())
    total = v.fixed + between + v.residual
    values = {"marginal": v.fixed / total, "conditional": (v.fixed + between) / total}
    return pd.Series(values, name="r2")


def icc(fit: MixedFit, by_group: bool = False, approximation: str | None = None) -> pd.Series:
    """``adjusted`` and ``conditional``, or the adjusted share of each grouping factor."""
    v = variance_parts(fit, approximation)
    between = sum(v.random.values())
    within = between + v.residual
    if by_group:
        return pd.Series({name: value / within for name, value in v.random.items()}, name="icc")
    values = {"adjusted": between / within, "conditional": between / (within + v.fixed)}
    return pd.Series(values, name="icc")
