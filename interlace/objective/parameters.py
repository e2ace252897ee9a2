"""theta as the optimisers see it: on the scale of covariates of unit root mean square."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..covariance import CovarianceModel
from ..covariance.structures import SINGULAR_TOLERANCE

__all__ = ["SNAP_TOLERANCE", "ThetaScale"]

# A diagonal entry of the scaled template this near zero is put on it if that does not raise the
# criterion: lme4's boundary.tol.
SNAP_TOLERANCE = 1e-5
# Of differences of T T', which is quadratic where T is linear.
CHANGE_STEP = 1e-4


class ThetaScale:
    """theta <-> x, the templates of x, and their derivatives.

    For structures whose parameters are entries of T, x holds those entries for standardised
    covariates; other structures keep their own parameters.

    Parameters
    ----------
    covariance : CovarianceModel
    z_scale : sequence of ndarray, shape (k_b,)
        Root mean squares of the covariates of each grouping factor.
    """

    def __init__(self, covariance: CovarianceModel, z_scale: Sequence[np.ndarray]) -> None:
        self.covariance = covariance
        entries = np.concatenate(z_scale)
        starts = np.cumsum([0, *(len(s) for s in z_scale)])
        self.entry_scale = entries[starts[covariance.factor] + covariance.row]
        self.x_scale = self.entry_scale if covariance.identity else np.ones(covariance.n_theta)
        self._bounded = covariance.lower_bounds() == 0.0

    def theta(self, x: np.ndarray) -> np.ndarray:
        """theta of x."""
        return x / self.x_scale

    def x(self, theta: np.ndarray) -> np.ndarray:
        """x of theta."""
        return np.asarray(theta, dtype=float) * self.x_scale

    def templates(self, x: np.ndarray) -> list[np.ndarray]:
        """T of every grouping factor, for standardised covariates."""
        if self.covariance.identity:
            return self.covariance.templates(x)
        return self.covariance.templates(self.theta(x), self.entry_scale)

    def start(self, variances: np.ndarray) -> np.ndarray:
        """x of independent effects with these variances, one for each column of each factor."""
        cov = self.covariance
        if not cov.identity:
            return self.x(cov.start())
        starts = np.cumsum([0, *cov.widths])
        return np.where(cov.row == cov.col, np.sqrt(variances)[starts[cov.factor] + cov.row], 0.0)

    def gradient(self, dT: Sequence[np.ndarray]) -> np.ndarray:
        """Derivatives in the reached entries of the templates, in theta's order."""
        cov = self.covariance
        out = np.empty(cov.factor.size)
        for b, entries in enumerate(cov.entries_of):
            out[entries] = dT[b][cov.row[entries], cov.col[entries]]
        return out

    def pull_back(
        self, x: np.ndarray, gradient: np.ndarray, curvature: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """From entries of the templates to x."""
        cov, scale = self.covariance, self.entry_scale
        if cov.identity:
            return gradient, curvature
        if curvature.size:
            curvature = curvature * scale[:, None] * scale
        return cov.pull_back(self.theta(x), gradient * scale, curvature)

    def null_directions(self, x: np.ndarray) -> list[str]:
        """What lies on a boundary at x, judged for standardised covariates, in words."""
        cov = self.covariance
        if cov.identity and (np.abs(x[self._bounded]) >= SINGULAR_TOLERANCE).all():
            return []
        return cov.null_directions(x if cov.identity else self.theta(x))

    def changes(self, x: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """What unit steps along directions (n_theta, m) change in the T T', (c, m)."""
        h = CHANGE_STEP
        out = []
        for d in directions.T:
            ends = zip(self.templates(x + h * d), self.templates(x - h * d), strict=True)
            # d(TT') from the ends of the step: exact where T is linear in x
            changed = [(up @ up.T - down @ down.T) / (2.0 * h) for up, down in ends]
            out.append(np.concatenate([c.ravel() for c in changed]))
        return np.array(out).T.reshape(-1, directions.shape[1])

    def lower_bounds(self) -> np.ndarray:
        """Lower bounds of x."""
        return self.covariance.lower_bounds() * self.x_scale

    def canonical(self, x: np.ndarray) -> np.ndarray:
        """The equivalent x with non-negative diagonals of T; x itself if it is that."""
        if self.covariance.identity and (x[self._bounded] > 0.0).all():
            return x
        return self.x(self.covariance.canonical(self.theta(x)))

    def snap(self, x: np.ndarray) -> np.ndarray:
        """x with what is negligibly far from a boundary put on it."""
        near = self._bounded & (np.abs(x) < SNAP_TOLERANCE)
        return np.where(near, 0.0, x) if near.any() else x
