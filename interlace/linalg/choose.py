"""Which factorisation a design gets, from the work each would be."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError, MissingDependencyError
from .cholmod import CholmodFactor, cholmod_available
from .factor import Factor
from .fill import elimination_flops, orderings, tail_density
from .nested import NestedFactor, is_nested
from .pattern import ZCross
from .schur import SchurFactor
from .superlu import SuperLUFactor

__all__ = ["BACKENDS", "choose"]

BACKENDS = ("blocked", "nested", "schur", "cholmod", "superlu")

# Crossed factors: below this many tail columns the dense tail takes a few milliseconds and
# nothing is looked into.
SMALL_TAIL = 400
# A complement filled to this share before any further fill is as good as dense.
DENSE_TAIL = 0.25
# Multiply-adds per second relative to the dense tail's (47e9 measured at q_t = 4000, one thread):
# CHOLMOD with the inverse on its pattern 23e9, SuperLU 2e9 to 3.5e9.
CHOLMOD_RATE = 0.5
SUPERLU_RATE = 0.05
# Bytes of the dense tail's two buffers beyond which a sparse factorisation is taken anyway.
DENSE_BYTES = 8e9


def choose(cross: ZCross, backend: str | None = None) -> Factor:
    """The factorisation for a design, symbolic work done.

    One factor or a nested chain is factorised level by level. Crossed factors get a dense tail
    unless it would be large and mostly empty: then CHOLMOD if it is installed, else SuperLU where
    even that is faster.

    Parameters
    ----------
    cross : ZCross
        Z'WZ, the factor with most levels first.
    backend : {None, "blocked", "nested", "schur", "cholmod", "superlu"}
        Force a back end; "blocked" is "nested" where the factors are nested, else "schur".

    Returns
    -------
    Factor

    Raises
    ------
    ArgumentError
        If `backend` is unknown, or "nested" for crossed factors, or "schur" for a single one.
    MissingDependencyError
        If `backend` is "cholmod" and scikit-sparse is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.linalg.choose import choose
    >>> from interlace.linalg.pattern import ZCross
    >>> choose(ZCross((2,), (1,), (np.ones((2, 1, 1)),), {})).name
    'nested'
    """
    if backend is None or backend == "blocked":
        if is_nested(cross):
            return NestedFactor(cross)
        return SchurFactor(cross) if backend else _for_crossed(cross)
    named = {f.name: f for f in (NestedFactor, SchurFactor, CholmodFactor, SuperLUFactor)}
    if backend not in named:
        raise ArgumentError(f"backend must be None or one of {BACKENDS}, not {backend!r}")
    if backend == "nested" and not is_nested(cross):
        raise ArgumentError(
            "backend='nested' needs one grouping factor or a chain of nested ones; these are "
            "crossed: use 'blocked' or None"
        )
    if backend == "schur" and len(cross.widths) == 1:
        raise ArgumentError(
            "backend='schur' needs two or more grouping factors; use 'blocked' or None"
        )
    return named[backend](cross)


def _for_crossed(cross: ZCross) -> Factor:
    q_tail = cross.q - cross.n_levels[0] * cross.widths[0]
    fits = 16.0 * q_tail**2 <= DENSE_BYTES
    if fits and (q_tail <= SMALL_TAIL or tail_density(cross) > DENSE_TAIL):
        return SchurFactor(cross)
    # factorisation and inverse: q_t³ dense, 3 Σ c_j² sparse
    budget = float(q_tail) ** 3 / 3.0 if fits else np.inf
    A = cross.matrix()
    if cholmod_available():
        try:
            factor = CholmodFactor(cross)
        except MissingDependencyError:  # installed, but its library does not load
            pass
        else:
            if elimination_flops(A, factor.permutation()) < CHOLMOD_RATE * budget:
                return factor
            return SchurFactor(cross)
    if not fits:
        return SuperLUFactor(cross)
    guesses = orderings(A, cross.q - q_tail)
    if min(elimination_flops(A, P) for P in guesses) < SUPERLU_RATE * budget:
        return SuperLUFactor(cross)
    return SchurFactor(cross)
