"""Families and links: the conditional distribution of a response given its linear predictor."""

from __future__ import annotations

from .base import Family, Rows
from .binomial import Binomial
from .custom import CustomFamily, GLMMFamily
from .gamma import Gamma, GammaFamily
from .gaussian import Gaussian
from .inverse_gaussian import InverseGaussian
from .link import Link
from .link_names import resolve_link
from .links import Identity, Inverse, InverseSquare, Log, NegativeBinomialCanonical, Power, Sqrt
from .negative_binomial import NegativeBinomial
from .poisson import Poisson
from .probability_links import Cauchit, Cloglog, Logit, Loglog, Probit
from .resolve import resolve

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
