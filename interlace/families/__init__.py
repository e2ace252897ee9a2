"""Families and links: the conditional distribution of a response given its linear predictor."""

from __future__ import annotations

from .base import Derivatives, Family, Rows
from .binomial import Binomial
from .custom import CustomFamily, GLMMFamily
from .gamma import Gamma, GammaFamily
from .gaussian import Gaussian
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
from .poisson import Poisson
from .zero_inflated import ZeroInflated, ZeroInflatedNB2Family, ZeroInflatedPoissonFamily

#: The same family under the name that tells it from NB1.
NegativeBinomial2Family = NegativeBinomial

__all__ = [
    "Binomial",
    "Cauchit",
    "Cloglog",
    "CustomFamily",
    "Derivatives",
    "Family",
    "GLMMFamily",
    "Gamma",
    "GammaFamily",
    "Gaussian",
    "Identity",
    "Inverse",
    "InverseGaussian",
    "InverseSquare",
    "Link",
    "Log",
    "Logit",
    "Loglog",
    "NegativeBinomial",
    "NegativeBinomial1",
    "NegativeBinomial1Family",
    "NegativeBinomial2Family",
    "NegativeBinomialCanonical",
    "Poisson",
    "Power",
    "Probit",
    "Rows",
    "Sqrt",
    "ZeroInflated",
    "ZeroInflatedNB2Family",
    "ZeroInflatedPoissonFamily",
    "resolve",
    "resolve_link",
]
