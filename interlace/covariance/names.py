"""The covariance structures by the names that formulas give them."""

from __future__ import annotations

from functools import cache

from ..errors import ArgumentError
from .series import AR1
from .structures import Diagonal, Structure, Unstructured

__all__ = ["STRUCTURES", "make_structure"]

STRUCTURES: dict[str, type[Structure]] = {"us": Unstructured, "diag": Diagonal, "ar1": AR1}


@cache
def make_structure(name: str, k: int) -> Structure:
    """The structure called ``name`` for a term of width ``k``."""
    if name not in STRUCTURES:
        raise ArgumentError(
            f"unknown covariance structure {name!r}; available: {', '.join(STRUCTURES)}"
        )
    return STRUCTURES[name](k)  # type: ignore[call-arg]
