"""Covariance structures of random-effect terms: theta <-> the templates T."""

from __future__ import annotations

from .model import CovarianceModel, CovarianceTerm, EarlierStart
from .names import STRUCTURES
from .series import AR1, OrnsteinUhlenbeck, Series
from .structures import Diagonal, Structure, Unstructured

__all__ = [
    "AR1",
    "STRUCTURES",
    "CovarianceModel",
    "CovarianceTerm",
    "Diagonal",
    "Series",
    "EarlierStart",
    "OrnsteinUhlenbeck",
    "Structure",
    "Unstructured",
]
