"""The covariance of residuals, R = S C S sigma^2: a correlation C and standard deviations S."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import block_diag

from .arma import AutoRegressiveMovingAverage
from .correlations import (
    AutoRegressive,
    CompoundSymmetry,
    ContinuousAutoRegressive,
    Correlation,
    Root,
)
from .dense_correlations import Exponential, GaussianDecay, Unstructured
from .variance_functions import VarianceFunction

__all__ = ["CORRELATIONS", "ResidualModel", "ResidualRoot"]

#: Structures of correlation by name: the one table of them.
CORRELATIONS: dict[str, type[Correlation]] = {
    structure.name: structure
    for structure in (
        AutoRegressive,
        AutoRegressiveMovingAverage,
        ContinuousAutoRegressive,
        CompoundSymmetry,
        Unstructured,
        Exponential,
        GaussianDecay,
    )
}


class ResidualRoot:
    """W = C^{-1/2} S^{-1} at some parameters, those of C first.

    Attributes
    ----------
    logdet : float
        log|R / sigma^2|.
    logdet_slopes : ndarray, shape (m,)
    """

    def __init__(
        self,
        root: Root | None,
        log_sd: np.ndarray | None = None,
        slopes: np.ndarray | None = None,
    ) -> None:
        self._root, self._slopes = root, slopes
        self._scale = None if log_sd is None else np.exp(-log_sd)[:, None]
        self.logdet = 0.0 if root is None else root.logdet
        self.logdet_slopes = np.empty(0) if root is None else root.logdet_slopes
        if log_sd is not None:
            self.logdet += 2.0 * float(log_sd.sum())
        if slopes is not None:
            self.logdet_slopes = np.concatenate([self.logdet_slopes, 2.0 * slopes.sum(axis=0)])

    def whiten(self, D: np.ndarray) -> np.ndarray:
        """W D, (n, c)."""
        if self._scale is not None:
            D = D * self._scale
        return D if self._root is None else self._root.whiten(D)

    def precision(self, D: np.ndarray) -> np.ndarray:
        """W'W D = sigma^2 R^{-1}D, (n, c)."""
        D = self.whiten(D)
        if self._root is not None:
            D = self._root.transposed(D)
        return D if self._scale is None else D * self._scale

    def slopes(self, D: np.ndarray) -> list[np.ndarray]:
        """dW D for each parameter, (n, c) each."""
        if self._scale is not None:
            D = D * self._scale
        out = [] if self._root is None else self._root.slopes(D)
        for h in () if self._slopes is None else self._slopes.T:
            moved = -h[:, None] * D
            out.append(moved if self._root is None else self._root.whiten(moved))
        return out

    def inner(self, D: np.ndarray, G: np.ndarray) -> np.ndarray:
        """tr(G'dW D) for each parameter, (m,), without dW D."""
        if self._scale is not None:
            D = D * self._scale
        own = np.empty(0) if self._root is None else self._root.inner(D, G)
        if self._slopes is None:
            return own
        back = G if self._root is None else self._root.transposed(G)
        return np.concatenate([own, -(np.einsum("ij,ij->i", D, back) @ self._slopes)])

    def colour(self, D: np.ndarray) -> np.ndarray:
        """W^{-1} D, (n, c): residuals in units of sigma from independent ones."""
        if self._root is not None:
            D = self._root.colour(D)
        return D if self._scale is None else D / self._scale


class ResidualModel:
    """x of the residual covariance <-> its natural parameters, and the root at x.

    Parameters
    ----------
    n : int
        Rows.
    correlation : Correlation, optional
    functions : sequence of VarianceFunction
        Whose product the standard deviations are.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.residual import ResidualModel
    >>> from interlace.covariance.variance_functions import ident
    >>> model = ResidualModel(2, functions=[ident(np.array([0, 1]), ["a", "b"])])
    >>> model.at(np.log([2.0])).whiten(np.ones((2, 1))).ravel()
    array([1. , 0.5])
    """

    def __init__(
        self,
        n: int,
        correlation: Correlation | None = None,
        functions: Sequence[VarianceFunction] = (),
    ) -> None:
        self.n, self.correlation, self.functions = n, correlation, tuple(functions)
        self.parts: list[Correlation | VarianceFunction] = [
            *([] if correlation is None else [correlation]),
            *self.functions,
        ]
        stops = np.cumsum([0, *(part.n_parameters for part in self.parts)])
        self.slices = [slice(a, b) for a, b in zip(stops[:-1], stops[1:], strict=True)]
        self.n_parameters = int(stops[-1])
        naturals = np.cumsum([0, *(len(part.parameters) for part in self.parts)])
        self.natural_slices = [slice(a, b) for a, b in zip(naturals[:-1], naturals[1:])]
        self.first = len(self.parts) - len(self.functions)  # place of the functions in the parts

    @property
    def names(self) -> list[str]:
        """Of the natural parameters."""
        return [name for part in self.parts for name in part.parameters]

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Ranges of the natural parameters."""
        return [bound for part in self.parts for bound in part.bounds]

    def start(self) -> np.ndarray:
        """x to start from, (n_parameters,)."""
        return np.concatenate([np.empty(0), *(part.start() for part in self.parts)])

    def strong_start(self) -> np.ndarray | None:
        """x of a strong correlation; None without any."""
        if self.correlation is None:
            return None
        out = self.start()
        out[self.slices[0]] = self.correlation.strong_start()
        return out

    def far_start(self, x: np.ndarray) -> np.ndarray | None:
        """x with a correlation that may be another minimum's; None where there is none to try."""
        far = None if self.correlation is None else self.correlation.far_start()
        if far is None:
            return None
        out = x.copy()
        out[self.slices[0]] = far
        return out

    def natural(self, x: np.ndarray) -> np.ndarray:
        """The parameters that are read."""
        parts = zip(self.parts, self.slices, strict=True)
        return np.concatenate([np.empty(0), *(part.natural(x[s]) for part, s in parts)])

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Their derivatives in x, (natural, n_parameters)."""
        parts = zip(self.parts, self.slices, strict=True)
        return block_diag(*(part.jacobian(x[s]) for part, s in parts))

    def x_of(self, natural: np.ndarray) -> np.ndarray:
        """x of the parameters that are read."""
        parts = zip(self.parts, self.natural_slices, strict=True)
        return np.concatenate([np.empty(0), *(part.x_of(natural[s]) for part, s in parts)])

    @property
    def shift(self) -> np.ndarray:
        """log sigma as it is read less that of the search is ``-shift @ x``."""
        out = np.zeros(self.n_parameters)
        for part, s in zip(self.parts, self.slices, strict=True):
            if isinstance(part, VarianceFunction):
                out[s] = part.shift
        return out

    def log_sd(self, x: np.ndarray) -> np.ndarray | None:
        """Logarithms of the rows' standard deviations in units of the search's sigma, (n,)."""
        if not self.functions:
            return None
        own = zip(self.functions, self.slices[self.first :], strict=True)
        return np.sum([f.log_sd(x[s]) for f, s in own], axis=0)

    def at(self, x: np.ndarray) -> ResidualRoot:
        """The root at x."""
        root = None if self.correlation is None else self.correlation.at(x[self.slices[0]])
        if not self.functions:
            return ResidualRoot(root)
        own = zip(self.functions, self.slices[self.first :], strict=True)
        slopes = np.concatenate([f.slopes(x[s]) for f, s in own], axis=1)
        return ResidualRoot(root, self.log_sd(x), slopes)

    def at_end(self, x: np.ndarray) -> list[str]:
        """What lies at the end of its range at x, in words."""
        parts = zip(self.parts, self.slices, strict=True)
        return [text for part, s in parts if (text := part.at_end(x[s]))]
