"""The covariance structures by the names that formulas give them."""

from __future__ import annotations

from functools import cache

import numpy as np

from ..errors import ArgumentError
from .copies import Copies
from .patterned import (
    CompoundSymmetry,
    HeterogeneousAR1,
    HomogeneousCompoundSymmetry,
    HomogeneousDiagonal,
    HomogeneousToeplitz,
    Toeplitz,
)
from .reduced_rank import ReducedRank
from .series import AR1, OrnsteinUhlenbeck
from .spatial import Exponential, Gaussian, Matern
from .structures import Diagonal, Structure, Unstructured

__all__ = ["HOMOGENEOUS", "STRUCTURES", "make_structure"]

STRUCTURES: dict[str, type[Structure]] = {
    structure.name: structure
    for structure in (
        Unstructured, Diagonal, HomogeneousDiagonal, CompoundSymmetry, HomogeneousCompoundSymmetry,
        AR1, HeterogeneousAR1, OrnsteinUhlenbeck, Toeplitz, HomogeneousToeplitz, Exponential,
        Gaussian, Matern, ReducedRank,
    )
}  # fmt: skip
#: Name -> those of the structure with one standard deviation and with one for each effect.
HOMOGENEOUS: dict[str, tuple[str, str]] = {
    "diag": ("homdiag", "diag"),
    "cs": ("homcs", "cs"),
    "toep": ("homtoep", "toep"),
    "ar1": ("ar1", "hetar1"),
}


def make_structure(
    name: str,
    k: int,
    positions: np.ndarray | None = None,
    rank: int | None = None,
    copies: int = 1,
) -> Structure:
    """The structure called ``name`` for a term of width ``k``.

    ``positions`` (k, dimensions) are those of its effects, ``rank`` the one asked for; the effects
    may stand beside each other in ``copies``.
    """
    if copies > 1:
        return Copies(make_structure(name, k, positions, rank), copies)
    if name not in STRUCTURES:
        raise ArgumentError(
            f"unknown covariance structure {name!r}; available: {', '.join(STRUCTURES)}"
        )
    kind = STRUCTURES[name]
    if positions is not None:
        return kind(positions) if kind.effects == "positions" else kind(k, positions[:, 0])  # type: ignore[call-arg]
    return _plain(kind, k, rank)


@cache
def _plain(kind: type[Structure], k: int, rank: int | None) -> Structure:
    return kind(k) if rank is None else kind(k, rank)  # type: ignore[call-arg]
