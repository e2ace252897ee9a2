"""CHOLMOD through scikit-sparse, whichever of its two interfaces is installed.

scikit-sparse 0.4 has `analyze` and `Factor.cholesky_inplace`; 0.5 renamed everything around
`CholeskyFactor`. In both, the ordering is found once and the factorisation is supernodal where
CHOLMOD thinks it pays. Both turn a factor into a simplicial one when its entries are read (0.5 at
every `factorize`), after which a new factorisation of the same object is simplicial too and many
times slower; hence the copies.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from threading import Lock
from typing import Any

import numpy as np
import scipy.sparse as sp

from ...errors import MissingDependencyError
from ..crossproducts.blocks import ZCross
from .base import not_positive_definite
from .sparse import SparseFactor

__all__ = ["CholmodFactor", "cholmod_available"]

_copying = Lock()


def cholmod_available() -> bool:
    """Whether scikit-sparse can be imported, without importing it."""
    from importlib.util import find_spec

    return find_spec("sksparse") is not None


class CholmodFactor(SparseFactor):
    """M = LL' by CHOLMOD: the symbolic analysis once, a supernodal factorisation at each T."""

    name = "cholmod"

    def __init__(self, cross: ZCross) -> None:
        super().__init__(cross)
        self._cholmod = _interface(self._M)

    def _renew(self) -> None:
        super()._renew()
        self._cholmod = self._cholmod.fresh()

    def _factorise(self, M: sp.csc_array) -> None:
        try:
            self._cholmod.factorise(M)
        except self._cholmod.not_positive_definite as error:
            raise not_positive_definite(self.T) from error

    @property
    def logdet(self) -> float:
        return self._cholmod.logdet

    def solve(self, R: np.ndarray) -> np.ndarray:
        return self._cholmod.solve(np.asarray(R, dtype=np.float64))

    def permutation(self) -> np.ndarray:
        return self._cholmod.permutation

    def _lower(self) -> sp.csc_array:
        L = sp.csc_array(self._cholmod.lower())
        L.sort_indices()
        return L


class _Interface(ABC):
    """The calls needed of either version: `numeric` is its factor object."""

    numeric: Any
    logdet: float
    permutation: np.ndarray
    not_positive_definite: type[Exception]

    @abstractmethod
    def fresh(self) -> _Interface:
        """Another one on the same analysis."""

    @abstractmethod
    def factorise(self, M: sp.csc_array) -> None:
        """Set `numeric` and `logdet`."""

    @abstractmethod
    def solve(self, R: np.ndarray) -> np.ndarray:
        """M^{-1} R."""

    @abstractmethod
    def lower(self) -> sp.spmatrix:
        """L of LL' = M[P][:, P]."""


class _Version04(_Interface):
    """scikit-sparse up to 0.4."""

    def __init__(self, cholmod, M: sp.csc_array) -> None:
        self.not_positive_definite = cholmod.CholmodNotPositiveDefiniteError
        self._symbolic = cholmod.analyze(_matrix(M), mode="auto")
        self.permutation = np.array(self._symbolic.P(), dtype=np.int64)
        self.numeric = self._symbolic.copy()

    def fresh(self) -> _Version04:
        other = copy(self)
        other.numeric = self._symbolic.copy()
        return other

    def factorise(self, M: sp.csc_array) -> None:
        self.numeric.cholesky_inplace(_matrix(M))
        pivots = self.numeric.D()
        if not (pivots > 0.0).all():  # small matrices are factorised as LDL', which takes any sign
            raise self.not_positive_definite("a pivot is not positive")
        self.logdet = float(np.log(pivots).sum())

    def solve(self, R: np.ndarray) -> np.ndarray:
        return np.array(self.numeric.solve_A(R))

    def lower(self) -> sp.spmatrix:
        return self.numeric.copy().L()


class _Version05(_Interface):
    """scikit-sparse from 0.5 on."""

    def __init__(self, cholmod, M: sp.csc_array) -> None:
        self.not_positive_definite = cholmod.CholmodNotPositiveDefiniteError
        self._symbolic = cholmod.CholeskyFactor(
            M, lower=True, order="default", supernodal_mode="auto"
        )
        self.permutation = np.array(self._symbolic.perm, dtype=np.int64)

    def fresh(self) -> _Version05:
        other = copy(self)
        with _copying:
            other._symbolic = self._symbolic.copy()
        other.numeric = None
        return other

    def factorise(self, M: sp.csc_array) -> None:
        self.numeric = self._symbolic.copy()
        self.numeric.factorize(M)
        self.logdet = float(self.numeric.logdet())

    def solve(self, R: np.ndarray) -> np.ndarray:
        return np.array(self.numeric.solve(R))

    def lower(self) -> sp.csc_array:
        return self.numeric.get_factor(kind="LL", lower=True)


def _matrix(M: sp.csc_array) -> sp.csc_matrix:
    """0.4 knows sparse matrices only; nothing is copied."""
    return sp.csc_matrix((M.data, M.indices, M.indptr), shape=M.shape)


def _interface(M: sp.csc_array) -> _Interface:
    try:
        from sksparse import cholmod
    except ImportError as error:
        raise MissingDependencyError(
            "backend='cholmod' needs scikit-sparse, which is not installed or cannot find its "
            "library.\nInstall SuiteSparse, then the extra:\n"
            "  Debian, Ubuntu:  apt install libsuitesparse-dev\n"
            "  macOS:           brew install suite-sparse\n"
            "  then             pip install 'interlace[cholmod]'\n"
            "  or with conda:   conda install -c conda-forge scikit-sparse\n"
            "Without it, leave backend=None: the built-in factorisations need nothing else."
        ) from error
    version = _Version05 if hasattr(cholmod, "CholeskyFactor") else _Version04
    return version(cholmod, M)
