"""Choose the factorisation of M with the least predicted work."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ...errors import ArgumentError, InterlaceWarning, MissingDependencyError, warn
from ..crossproducts.blocks import ZCross
from ..memory import check_memory
from ..wide import WIDE, WIDE_LIMIT
from .base import Factor
from .cholmod import CholmodFactor, cholmod_available
from .dense import DenseFactor
from .nested import NestedFactor, is_nested
from .schur import SchurFactor
from .superlu import SuperLUFactor
from .work import elimination_counts, elimination_flops, orderings, tail_density

BACKENDS = ("blocked", "nested", "schur", "cholmod", "superlu")
#: What forces none: the default of users, and the name that fits report whose levels a compiled
#: loop has taken one by one.
OPEN = (None, "auto", "levels")

# Crossed factors: below this many tail columns the dense tail takes a few milliseconds and
# nothing is looked into.
SMALL_TAIL = 400
# A complement filled to this share before any further fill is as good as dense.
DENSE_TAIL = 0.25
# Multiply-adds per second relative to the dense tail's (47e9 measured at q_t = 4000, one thread):
# CHOLMOD with the inverse on its pattern 23e9, SuperLU 2e9 to 3.5e9.
CHOLMOD_RATE = 0.5
SUPERLU_RATE = 0.05
DENSE_RATE = 47e9
# Bytes of the dense tail's two buffers beyond which a sparse factorisation is taken anyway.
DENSE_BYTES = 8e9
# Bytes for each entry of a sparse factor: the library's and ours, with indices, and the inverse.
ENTRY_BYTES = 40.0
# Pairs of tail columns, not all different, up to which their graph is made to look for orderings.
PAIRS_LOOKED_AT = 1e8
# ... and random effects for which any fill has room.
FEW_COLUMNS = 5_000
# Of one factorisation: what takes longer, or more memory, is said before it is begun.
LONG_SECONDS = 60.0
LARGE_BYTES = 6e9


def choose_factor(cross: ZCross, backend: str | None = None) -> Factor:
    """Choose the factorisation of M with the least predicted work, its symbolic work done.

    Groups of many columns make one dense matrix, up to WIDE_LIMIT random effects in all. One factor
    or a nested chain is factorised level by level. Crossed factors get a dense tail
    unless it would be large and mostly empty: then CHOLMOD if it is installed, else SuperLU where
    even that is faster; a warning says if the best that is left would take minutes or many
    gigabytes. ``backend`` forces one of BACKENDS; "blocked" is "nested" where the factors are
    nested, else "schur". Those of OPEN leave the choice.
    """
    if max(cross.widths) > WIDE and cross.q <= WIDE_LIMIT and backend in (*OPEN, "blocked"):
        return DenseFactor(cross)
    if backend in OPEN or backend == "blocked":
        if is_nested(cross):
            return NestedFactor(cross)
        return _for_crossed(cross) if backend in OPEN else _forced(SchurFactor, cross)
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
    return _forced(named[backend], cross)


def _forced(kind: Callable[[ZCross], Factor], cross: ZCross) -> Factor:
    """The factor that is asked for, if there is memory for it."""
    if kind is SchurFactor:
        _check_memory(_dense(cross), cross)
    factor = kind(cross)
    if isinstance(factor, CholmodFactor) and cross.q > FEW_COLUMNS:
        counts = elimination_counts(cross.matrix(), factor.permutation())
        _check_memory(_sparse("cholmod", CHOLMOD_RATE, counts), cross)
    return factor


def _dense(cross: ZCross) -> _Work:
    q_tail = float(cross.q - cross.n_levels[0] * cross.widths[0])
    return _Work("schur", q_tail**3, 16.0 * q_tail**2)


def _check_memory(work: _Work, cross: ZCross) -> None:
    """Refuse what would end for want of memory, by the fill that is predicted."""
    check_memory(
        work.memory,
        f"each factorisation for the {cross.q} random effects of crossed grouping factors "
        f"({work.name})",
        _remedy(),
    )


def _remedy() -> str:
    remedy = "leave out one of the grouping factors, or make its levels coarser"
    if cholmod_available():
        return remedy
    return f"install scikit-sparse for CHOLMOD (pip install 'interlace[cholmod]'), {remedy}"


def _for_crossed(cross: ZCross) -> Factor:
    q_tail = cross.q - cross.n_levels[0] * cross.widths[0]
    dense = _dense(cross)
    fits = dense.memory <= DENSE_BYTES
    if fits and (q_tail <= SMALL_TAIL or tail_density(cross) > DENSE_TAIL):
        return _with_warning(dense, SchurFactor, cross)
    # factorisation and inverse: q_t³ dense, 3 Σ c_j² sparse
    A = cross.matrix()
    if cholmod_available():
        try:
            factor = CholmodFactor(cross)
        except MissingDependencyError:  # installed, but its library does not load
            pass
        else:
            sparse = _sparse("cholmod", CHOLMOD_RATE, elimination_counts(A, factor.permutation()))
            if not fits or sparse.flops < dense.flops:
                return _with_warning(sparse, lambda _: factor, cross)
            return _with_warning(dense, SchurFactor, cross)
    sparse = _guess(cross, A, q_tail)
    better = SuperLUFactor if not fits or sparse.flops < dense.flops else SchurFactor
    return _with_warning(sparse if better is SuperLUFactor else dense, better, cross)


class _Work(NamedTuple):
    """The predicted work of one factorisation and inverse."""

    name: str
    flops: float  # as if dense
    memory: float


def _sparse(name: str, rate: float, counts: np.ndarray) -> _Work:
    return _Work(name, 3.0 * elimination_flops(counts) / rate, ENTRY_BYTES * float(counts.sum()))


def _guess(cross: ZCross, A: sp.csr_array, q_tail: int) -> _Work:
    """SuperLU's work, at most: under cheap orderings, or with a dense tail."""
    pairs = tail_density(cross) * float(q_tail) ** 2
    if pairs > PAIRS_LOOKED_AT:
        return _sparse("superlu", SUPERLU_RATE, np.arange(1.0, q_tail + 1.0))
    guesses = [elimination_counts(A, P) for P in orderings(A, cross.q - q_tail)]
    return _sparse("superlu", SUPERLU_RATE, min(guesses, key=elimination_flops))


def _with_warning(work: _Work, factor: Callable[[ZCross], Factor], cross: ZCross) -> Factor:
    """The factor; with a warning where it would be very much work, if there is memory for it."""
    _check_memory(work, cross)
    seconds = work.flops / DENSE_RATE
    if seconds > LONG_SECONDS or work.memory > LARGE_BYTES:
        warn(
            f"the grouping factors are crossed so much that each factorisation for their "
            f"{cross.q} random effects may take up to {_duration(seconds)} and "
            f"{work.memory / 1e9:.1f} GB ({work.name}), and a fit needs ten or more; {_remedy()}",
            InterlaceWarning,
        )
    return factor(cross)


def _duration(seconds: float) -> str:
    if seconds < 120.0:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60.0:.0f} minutes" if seconds < 7200.0 else f"{seconds / 3600.0:.0f} hours"
