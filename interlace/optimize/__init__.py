"""Optimisers and the certificate of convergence."""

from __future__ import annotations

from .minimise import OPTIMIZERS, minimise, minimise_from
from .optimum import Certificate, Optimum
from .watch import stage, watched

__all__ = ["OPTIMIZERS", "Certificate", "Optimum", "minimise", "minimise_from", "stage", "watched"]
