"""Covariance structures of random-effect terms: theta <-> the templates T."""

from __future__ import annotations

from .model import CovarianceModel, CovarianceTerm
from .structures import STRUCTURES, Diagonal, Structure, Unstructured

__all__ = [
    "STRUCTURES",
    "CovarianceModel",
    "CovarianceTerm",
    "Diagonal",
    "Structure",
    "Unstructured",
]
