"""One interface to M = Λ'Z'WZΛ + I, whatever factorises it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np

from ...errors import NumericalError
from ..crossproducts.blocks import ZCross
from ..kernels import _blocks

__all__ = ["Factor"]

# I - (M^{-1})_ll summed over levels equals T' G T with G = `information`. Its error is some eps
# per level, so G = T^{-T}(.)T^{-1} is right to eps / BRACKET_FLOOR in every direction x
# (|x' dG x| <= (eps / BRACKET_FLOOR) x'Gx) as long as the smallest eigenvalue of T'GT per level is
# above the floor. Below, the exact form that never divides by T takes over. Where negative weights
# leave G indefinite the same holds of the sizes of the eigenvalues, with |T'GT| in place of T'GT;
# blocks of M^{-1} may then exceed I, and the error is some eps of their sum.
BRACKET_FLOOR = 1e-4


class Factor(ABC):
    """A factorisation of M = Λ'AΛ + I, A = Z'WZ, Λ = blockdiag(I ⊗ T_b).

    The constructor does the symbolic work, once per model; `refactor` is called at every new T.
    What `inverse_blocks` and `information` need is computed when first asked for after it.
    An object belongs to one user in one thread; `fresh` makes another one for the next, which
    shares what never changes and nothing else. A pickle or a deep copy keeps A alone: `refactor`
    must follow.
    Singular T is not special: zeros in T, or T = 0, give right answers everywhere. Weights may be
    negative in places: all that is asked of A is that M be positive definite.

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

    def fresh(self) -> Self:
        """Another factor of the same pattern: the symbolic work shared, numbers of its own.

        `refactor` must follow. It may be taken from a factor that another thread is using.
        """
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, T=())
        other._renew()
        return other

    def __reduce__(self) -> tuple:
        # numbers are views of each other's memory, or held by a library
        return type(self), (self.cross,)

    @abstractmethod
    def _renew(self) -> None:
        """Allocate anew the arrays that a `refactor` fills; symbolic parts stay."""

    @abstractmethod
    def set_cross(self, cross: ZCross) -> None:
        """Take new values of Z'WZ on the same pattern; `refactor` must follow."""

    @abstractmethod
    def refactor(self, T: Sequence[np.ndarray]) -> None:
        """Factorise at the templates T[b] (k_b, k_b).

        Raises
        ------
        NumericalError
            If M is not positive definite in working precision (|T| too large for its entries, or
            negative weights), or not finite. The next `refactor` starts afresh.
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
        """(l_b, k_b, k_b): the diagonal blocks of M^{-1} for the levels of factor b; read only."""

    @abstractmethod
    def inverse_pairs(self) -> dict[tuple[int, int], np.ndarray]:
        """Blocks of M^{-1} at the pairs of levels that share a row; read only.

        Returns
        -------
        dict of (b, c) to (nnz, k_b, k_c) arrays
            In the order of the blocks of ``cross.pairs[b, c]``. With `inverse_blocks` this is all
            that the diagonal of ZΛM^{-1}Λ'Z' needs.
        """

    @property
    def pattern(self) -> ZCross:
        """Z'WZ, whose blocks are at the pairs of levels that share a row."""
        return self.cross

    def information(self, b: int) -> np.ndarray:
        """G_b = Σ_l [A - AΛM^{-1}Λ'A]_ll, (k_b, k_b): Σ_l [Z_b'V^{-1}Z_b]_ll, V = W^{-1} + ZΛΛ'Z'.

        The derivative of log|M| with respect to T_b is 2 G_b T_b, for d log|M| = 2 tr(M^{-1}Λ'A dΛ)
        and GΛ = AΛM^{-1} hold for any symmetric A with M invertible. From Λ'GΛ = I - M^{-1},
        G_b = T_b^{-T} (Σ_l {I - (M^{-1})_ll}) T_b^{-1} where that is accurate; otherwise the back
        end's form without T_b^{-1}. G_b is positive semidefinite if A is.
        """
        T = self.T[b]
        k, levels = len(T), self.cross.n_levels[b]
        bracket = np.empty((k, k))
        _blocks.level_bracket(self.inverse_blocks(b), bracket)
        eigenvalues = bracket[0] if k == 1 else np.linalg.eigvalsh(bracket)
        # the inverses, whose roundings these are, add up to levels * I - bracket
        largest = max(levels, levels - eigenvalues[0])
        if np.abs(eigenvalues).min() < BRACKET_FLOOR * largest:
            return self._information_exact(b)
        if k == 1:
            return bracket / T[0, 0] ** 2
        half = np.linalg.solve(T.T, bracket)
        return np.linalg.solve(T.T, half.T)

    @abstractmethod
    def _information_exact(self, b: int) -> np.ndarray:
        """`information` without dividing by T_b, for (nearly) singular T_b."""


def as_templates(T: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """T as the kernels take it: C-contiguous float64."""
    return tuple(np.ascontiguousarray(t, dtype=np.float64) for t in T)


def level_information(A: np.ndarray, inner: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Σ_l {E A_l - E W_l E'}, E = (I + A_l TT')^{-1}, with A_l the leading (k, k) of each block.

    `A` is Z'V^{-1}Z of the levels without the factor's own variance and without that of the
    factors eliminated later; `inner` (l, k, k), or with 0 levels for none, is what those take away.
    """
    k = len(T)
    out = np.zeros((k, k))
    _blocks.level_information(A, k, inner, T @ T.T, out, np.empty(4 * k * k))
    return out


def not_positive_definite(T: Sequence[np.ndarray]) -> NumericalError:
    """The error of a failed factorisation."""
    largest = max(float(np.abs(t).max()) for t in T)
    return NumericalError(
        "the matrix of the random effects is not positive definite in double precision at these "
        f"covariance parameters (largest relative standard deviation {largest:.3g}); start nearer "
        "to 1, or rescale covariates of very large values"
    )
