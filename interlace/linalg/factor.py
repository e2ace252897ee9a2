"""One interface to M = Λ'Z'WZΛ + I, whatever factorises it, and the choice of what does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from ..errors import ArgumentError, MissingDependencyError, NumericalError
from .kernels import _blocks
from .pattern import ZCross

__all__ = ["BACKENDS", "Factor", "choose"]

BACKENDS = ("blocked", "nested", "schur", "cholmod", "superlu")

# I - (M^{-1})_ll summed over levels equals T' N T with N = `information`. Its error is some eps
# per level, so N = T^{-T}(.)T^{-1} is right to eps / BRACKET_FLOOR in every direction x
# (|x' dN x| <= (eps / BRACKET_FLOOR) x'Nx) as long as the smallest eigenvalue of T'NT per level is
# above the floor. Below, the exact form that never divides by T takes over.
BRACKET_FLOOR = 1e-4


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


class Factor(ABC):
    """A factorisation of M = Λ'AΛ + I, A = Z'WZ, Λ = blockdiag(I ⊗ T_b).

    The constructor does the symbolic work, once per model; `refactor` is called at every new T.
    What `inverse_blocks` and `information` need is computed when first asked for after it.
    Singular T is not special: zeros in T, or T = 0, give right answers everywhere.

    Parameters
    ----------
    cross : ZCross
        Z'WZ, the factor with most levels first.
    """

    name: str = ""
    # columns of the largest matrix factorised as dense, for `blas_threads`
    dense_columns: int = 0

    def __init__(self, cross: ZCross) -> None:
        self.cross = cross
        self.T: tuple[np.ndarray, ...] = ()

    @abstractmethod
    def set_cross(self, cross: ZCross) -> None:
        """Take new values of Z'WZ on the same pattern; `refactor` must follow."""

    @abstractmethod
    def refactor(self, T: Sequence[np.ndarray]) -> None:
        """Factorise at the templates T[b] (k_b, k_b).

        Raises
        ------
        NumericalError
            If M is not positive definite in working precision (|T| too large for its entries).
        """

    @property
    @abstractmethod
    def logdet(self) -> float:
        """log|M|."""

    @abstractmethod
    def solve(self, R: np.ndarray) -> np.ndarray:
        """M^{-1} R for R (q,) or (q, r), in a new array of the same shape."""

    @abstractmethod
    def inverse_blocks(self, b: int) -> np.ndarray:
        """(l_b, k_b, k_b): the diagonal blocks of M^{-1} for the levels of factor b."""

    def information(self, b: int) -> np.ndarray:
        """N_b = Σ_l [Z_b'V^{-1}Z_b]_ll, (k_b, k_b), V = W^{-1} + ZΛΛ'Z'.

        The derivative of log|M| with respect to T_b is 2 N_b T_b. From Λ'Z'V^{-1}ZΛ = I - M^{-1},
        N_b = T_b^{-T} (Σ_l {I - (M^{-1})_ll}) T_b^{-1} where that is accurate; otherwise the back
        end's form without T_b^{-1}.
        """
        T = self.T[b]
        bracket = (np.eye(len(T)) - self.inverse_blocks(b)).sum(axis=0)
        if np.linalg.eigvalsh(bracket)[0] < BRACKET_FLOOR * self.cross.n_levels[b]:
            return self._information_exact(b)
        half = np.linalg.solve(T.T, bracket)
        return np.linalg.solve(T.T, half.T)

    @abstractmethod
    def _information_exact(self, b: int) -> np.ndarray:
        """`information` without dividing by T_b, for (nearly) singular T_b."""


def as_templates(T: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """T as the kernels take it: C-contiguous float64."""
    return tuple(np.ascontiguousarray(t, dtype=np.float64) for t in T)


def level_information(A: np.ndarray, W: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Σ_l {E A_l - E W_l E'}, E = (I + A_l TT')^{-1}, with A_l the leading (k, k) of each block.

    `A` is Z'V^{-1}Z of the levels without the factor's own variance and without that of the
    factors eliminated later; `W` (l, k, k), or with 0 levels for none, is what those take away.
    """
    k = len(T)
    out = np.zeros((k, k))
    _blocks.level_information(A, k, W, T @ T.T, out, np.empty(4 * k * k))
    return out


def not_positive_definite(T: Sequence[np.ndarray]) -> NumericalError:
    """The error of a failed factorisation."""
    largest = max(float(np.abs(t).max()) for t in T)
    return NumericalError(
        "the matrix of the random effects is not positive definite in double precision at these "
        f"covariance parameters (largest relative standard deviation {largest:.3g}); start nearer "
        "to 1, or rescale covariates of very large values"
    )


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
    >>> from interlace.linalg.factor import choose
    >>> from interlace.linalg.pattern import ZCross
    >>> choose(ZCross((2,), (1,), (np.ones((2, 1, 1)),), {})).name
    'nested'
    """
    from .cholmod import CholmodFactor
    from .nested import NestedFactor, is_nested
    from .schur import SchurFactor
    from .superlu import SuperLUFactor

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
    from .cholmod import CholmodFactor, cholmod_available
    from .fill import elimination_flops, orderings, tail_density
    from .schur import SchurFactor
    from .superlu import SuperLUFactor

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
