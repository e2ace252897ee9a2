"""SciPy's own sparse LU used as a Cholesky factorisation: always there, slower than CHOLMOD."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from .factor import not_positive_definite
from .sparse import SparseFactor

__all__ = ["SuperLUFactor"]


class SuperLUFactor(SparseFactor):
    """M = LU with rows and columns permuted alike and no pivoting, hence U = D L'.

    Parameters
    ----------
    cross : ZCross
        Z'WZ; any number of factors, nested or crossed.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.linalg.pattern import ZCross
    >>> from interlace.linalg.superlu import SuperLUFactor
    >>> factor = SuperLUFactor(ZCross((2,), (1,), (np.array([[[3.0]], [[8.0]]]),), {}))
    >>> factor.refactor([np.eye(1)])
    >>> round(float(np.exp(factor.logdet)), 6)
    36.0
    """

    name = "superlu"

    def _factorise(self, M: sp.csc_array) -> None:
        try:
            self._lu = splu(
                M,
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
        except RuntimeError as error:
            raise not_positive_definite(self.T) from error
        self._pivots = self._lu.U.diagonal()
        # without pivoting the two permutations agree; a row exchange means a zero pivot
        if not np.array_equal(self._lu.perm_r, self._lu.perm_c) or not (self._pivots > 0).all():
            raise not_positive_definite(self.T)
        self._logdet = float(np.log(self._pivots).sum())

    @property
    def logdet(self) -> float:
        return self._logdet

    def solve(self, R: np.ndarray) -> np.ndarray:
        return self._lu.solve(np.asarray(R, dtype=np.float64))

    def permutation(self) -> np.ndarray:
        return np.argsort(self._lu.perm_c)

    def _lower(self) -> sp.csc_array:
        L = sp.csc_array(self._lu.L)
        L.sort_indices()
        L.data *= np.repeat(np.sqrt(self._pivots), np.diff(L.indptr))
        return L
