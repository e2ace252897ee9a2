"""Families and links: the conditional distribution of a response given its linear predictor."""

from __future__ import annotations

from .base import Family, Rows
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
from .poisson import Poisson

#: The same family under the name that tells it from NB1.
NegativeBinomial2Family = NegativeBinomial

__all__ = [
    "Binomial",
    "Cauchit",
    "Cloglog",
    "CustomFamily",
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
    "NegativeBinomial2Family",
    "NegativeBinomial2Family",
    "NegativeBinomialCanonical",
    "Poisson",
    "Power",
    "Probit",
    "Rows",
    "Sqrt",
    "resolve",
    "resolve_link",
]
