"""Families and links: the conditional distribution of a response given its linear predictor."""

from __future__ import annotations

from .base import Derivatives, Family, Rows
from .bell import Bell
from .beta import (
    Beta,
    BetaFamily,
    OrderedBeta,
    ZeroOneInflatedBeta,
    ZeroOneInflatedBetaFamily,
)
from .beta_binomial import BetaBinomial
from .binomial import Binomial
from .continuous import LogNormal, SkewNormal, StudentT
from .conway_maxwell_poisson import ConwayMaxwellPoisson
from .custom import CustomFamily, GLMMFamily
from .gamma import Gamma, GammaFamily
from .gaussian import Gaussian
from .generalised_poisson import GeneralisedPoisson
from .inverse_gaussian import InverseGaussian
from .links.base import Link
from .links.names import resolve_link
from .links.power import (
    Identity,
    Inverse,
    InverseSquare,
    Log,
    NegativeBinomialCanonical,
    Power,
    Sqrt,
)
from .links.probability import Cauchit, Cloglog, Logit, Loglog, Probit
from .names import resolve
from .negative_binomial import NegativeBinomial
from .negative_binomial1 import NegativeBinomial1, NegativeBinomial1Family
from .ordinal import Ordinal
from .poisson import Poisson
from .truncated import (
    Hurdle,
    HurdlePoissonFamily,
    Truncated,
    TruncatedNegativeBinomial,
    TruncatedNegativeBinomial1,
    TruncatedPoisson,
)
from .tweedie import Tweedie
from .zero_inflated import ZeroInflated, ZeroInflatedNB2Family, ZeroInflatedPoissonFamily

#: The same family under the name that tells it from NB1.
NegativeBinomial2Family = NegativeBinomial

__all__ = [
    "Bell",
    "Beta",
    "BetaBinomial",
    "BetaFamily",
    "Binomial",
    "Cauchit",
    "Cloglog",
    "ConwayMaxwellPoisson",
    "CustomFamily",
    "Derivatives",
    "Family",
    "GLMMFamily",
    "Gamma",
    "GammaFamily",
    "Gaussian",
    "GeneralisedPoisson",
    "Hurdle",
    "HurdlePoissonFamily",
    "Identity",
    "Inverse",
    "InverseGaussian",
    "InverseSquare",
    "Link",
    "Log",
    "LogNormal",
    "Logit",
    "Loglog",
    "NegativeBinomial",
    "NegativeBinomial1",
    "NegativeBinomial1Family",
    "NegativeBinomial2Family",
    "NegativeBinomialCanonical",
    "OrderedBeta",
    "Ordinal",
    "Poisson",
    "Power",
    "Probit",
    "Rows",
    "SkewNormal",
    "Sqrt",
    "StudentT",
    "Truncated",
    "TruncatedNegativeBinomial",
    "TruncatedNegativeBinomial1",
    "TruncatedPoisson",
    "Tweedie",
    "ZeroInflated",
    "ZeroInflatedNB2Family",
    "ZeroInflatedPoissonFamily",
    "ZeroOneInflatedBeta",
    "ZeroOneInflatedBetaFamily",
    "resolve",
    "resolve_link",
]
