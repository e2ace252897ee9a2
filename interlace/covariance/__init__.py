"""Covariance structures of random-effect terms: theta <-> the templates T."""

from __future__ import annotations

from .model import CovarianceModel, CovarianceTerm, EarlierStart
from .structures import STRUCTURES, Diagonal, Structure, Unstructured

__all__ = [
    "STRUCTURES",
    "CovarianceModel",
    "CovarianceTerm",
    "Diagonal",
    "EarlierStart",
    "Structure",
    "Unstructured",
]
