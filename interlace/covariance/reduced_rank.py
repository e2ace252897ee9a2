"""Reduced rank: effects that are combinations of a few latent factors."""

from __future__ import annotations

import numpy as np

from .structures import EntryStructure

__all__ = ["DEFAULT_RANK", "ReducedRank"]

#: glmmTMB's.
DEFAULT_RANK = 2


class ReducedRank(EntryStructure):
    """T has ``rank`` columns, the loadings of the effects on so many independent factors.

    Loadings are determined but for rotations: T is lower triangular, its diagonal not negative.

    Parameters
    ----------
    k : int
        Number of columns of the term.
    rank : int
        Number of factors.

    Examples
    --------
    >>> from interlace.covariance.reduced_rank import ReducedRank
    >>> T = ReducedRank(3, 1).template([1.0, 2.0, 0.5])
    >>> T @ T.T
    array([[1.  , 2.  , 0.5 ],
           [2.  , 4.  , 1.  ],
           [0.5 , 1.  , 0.25]])
    """

    name = "rr"
    unrestricted = True
    patterned = True
    ranked = True

    def __init__(self, k: int, rank: int = DEFAULT_RANK) -> None:
        self.k = k
        self.rank = rank = min(rank, k)
        cols, rows = np.triu_indices(k)
        kept = cols < rank
        self.rows, self.cols = rows[kept], cols[kept]
        self.n_theta = self.rows.size

    def started(self, sd: np.ndarray) -> np.ndarray:
        # loadings that differ from each other: cosines of growing frequency
        i, j = np.arange(self.k)[:, None], np.arange(self.rank)
        waves = np.cos(np.pi * (i + 0.5) * j / self.k)
        loadings = sd[:, None] * waves / np.sqrt((waves**2).sum(axis=1, keepdims=True))
        return self._triangular(loadings)

    def start(self) -> np.ndarray:
        return self.started(np.ones(self.k))

    def _triangular(self, loadings: np.ndarray) -> np.ndarray:
        """theta of loadings (k, rank) turned until they are lower triangular."""
        R = np.linalg.qr(loadings.T)[1]
        R = R * np.where(np.diagonal(R) < 0.0, -1.0, 1.0)[:, None]
        return R.T[self.rows, self.cols] + 0.0

    def canonical(self, theta: np.ndarray) -> np.ndarray:
        return self._triangular(self.template(np.asarray(theta, dtype=float))[:, : self.rank])

    def boundary(
        self, theta: np.ndarray, shown: np.ndarray, names: tuple[str, ...], tolerance: float
    ) -> str:
        loadings = self.template(theta)[:, : self.rank]
        rank = int((np.linalg.svd(loadings, compute_uv=False) >= tolerance).sum())
        if rank == self.rank:
            return ""
        return (
            f"the {self.k} effects by {{group}} have {rank} of {self.rank} latent factors: fewer "
            "are enough"
        )

    def of_readings(self, values: np.ndarray, theta: np.ndarray) -> np.ndarray:
        k = self.k
        R = self._correlations(values[k:])
        size, vectors = np.linalg.eigh(values[:k, None] * R * values[:k])
        kept = vectors[:, -self.rank :] * np.sqrt(np.maximum(size[-self.rank :], 0.0))
        return self._triangular(kept)

    def theta_names(self, names: tuple[str, ...]) -> list[str]:
        return [f"{names[i]}.factor{j + 1}" for i, j in zip(self.rows, self.cols, strict=True)]
