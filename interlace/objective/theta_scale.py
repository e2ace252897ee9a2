"""theta as the optimisers see it: for orthogonal covariates of unit root mean square."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import inf

import numpy as np
from scipy.linalg import lapack

from ..covariance import CovarianceModel
from ..covariance.structures import SINGULAR_TOLERANCE

__all__ = ["SNAP_TOLERANCE", "ThetaScale", "reached_entries", "within_columns"]

# A diagonal entry of the scaled template this near zero is put on it if that does not raise the
# criterion: lme4's boundary.tol.
SNAP_TOLERANCE = 1e-5
# An entry of the scaled template this near zero cannot be told from it: at an optimum the criterion
# changes with its square.
NEGLIGIBLE = 1e-8
# Of differences of T T', which is quadratic where T is linear.
CHANGE_STEP = 1e-4


class ThetaScale:
    """theta <-> x, the templates of x, and their derivatives.

    For structures whose parameters are entries of T, x holds those entries for standardised
    covariates, R T with Z = (standardised Z) R; other structures keep their own parameters.
    ``z_roots`` are these R (k_b, k_b), lower triangular and block diagonal by term; ``enlarged``
    (k_b,) says how many times unity the root mean squares of the standardised covariates are.
    """

    def __init__(
        self,
        covariance: CovarianceModel,
        z_roots: Sequence[np.ndarray],
        enlarged: Sequence[np.ndarray] | None = None,
    ) -> None:
        self.covariance = covariance
        self.z_roots = list(z_roots)
        self._inverses = [_inverse(R) for R in z_roots]
        self.units = None if enlarged is None else list(enlarged)
        self._enlarged = None
        if enlarged is not None:
            starts = np.cumsum([0, *covariance.widths])
            self._enlarged = np.concatenate(enlarged)[starts[covariance.factor] + covariance.row]
        self._bounded = covariance.lower_bounds() == 0.0
        self._free = (~self._bounded).tolist()

    def theta(self, x: np.ndarray) -> np.ndarray:
        """theta of x, zero where x is but for rounding."""
        x = np.asarray(x, dtype=float)
        return self._mapped(self._inverses, self.clean(x)) if self.covariance.identity else x

    @staticmethod
    def clean(x: np.ndarray) -> np.ndarray:
        """x with zeros for the entries of templates that cannot be told from zero."""
        return np.where(np.abs(x) > NEGLIGIBLE, x, 0.0)

    @staticmethod
    def inside(x: np.ndarray) -> bool:
        """Whether no entry of templates is zero but for rounding."""
        return far_from_zero(x, NEGLIGIBLE)

    def x(self, theta: np.ndarray) -> np.ndarray:
        """x of theta."""
        theta = np.asarray(theta, dtype=float)
        return self._mapped(self.z_roots, theta) if self.covariance.identity else theta

    def _mapped(self, roots: Sequence[np.ndarray], entries: np.ndarray) -> np.ndarray:
        """Entries of R T from those of T."""
        templates = self.covariance.templates(entries)
        return self.gradient([R @ T for R, T in zip(roots, templates, strict=True)])

    def jacobian(self) -> np.ndarray:
        """d theta / d x, (n_theta, n_theta)."""
        return np.array([self.theta(unit) for unit in np.eye(self.covariance.n_theta)]).T

    def templates(self, x: np.ndarray) -> list[np.ndarray]:
        """T of every grouping factor, for standardised covariates."""
        templates = self.covariance.templates(x)
        if self.covariance.identity:
            return templates
        return [R @ T for R, T in zip(self.z_roots, templates, strict=True)]

    def natural(self, templates: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Templates on the scale of the data from those for standardised covariates."""
        return tuple(F @ self.clean(T) for F, T in zip(self._inverses, templates, strict=True))

    def start(self, variances: np.ndarray) -> np.ndarray:
        """x of independent effects with these variances, one for each column of each factor."""
        cov = self.covariance
        if not cov.identity:
            return self.x(cov.start())
        starts = np.cumsum([0, *cov.widths])
        return np.where(cov.row == cov.col, np.sqrt(variances)[starts[cov.factor] + cov.row], 0.0)

    def gradient(self, dT: Sequence[np.ndarray]) -> np.ndarray:
        """Derivatives in the reached entries of the templates, in theta's order."""
        return reached_entries(self.covariance, dT)

    def pull_back(
        self, x: np.ndarray, gradient: np.ndarray, curvature: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and curvature in x from those in the entries of the templates."""
        cov = self.covariance
        if cov.identity:
            return gradient, curvature
        J = self._entries
        if curvature.size:
            curvature = J.T @ curvature @ J
        return cov.pull_back(x, J.T @ gradient, curvature)

    @cached_property
    def _entries(self) -> np.ndarray:
        """d entries of R T / d entries of T."""
        return within_columns(self.covariance, self.z_roots)

    def null_directions(self, x: np.ndarray) -> list[str]:
        """The parameters on a boundary at x, judged for standardised covariates, in words."""
        cov = self.covariance
        if not cov.identity:
            return cov.null_directions(x)
        standard = self.standard(x)
        if far_from_zero(standard, SINGULAR_TOLERANCE):
            return []
        if (np.abs(standard[self._bounded]) >= SINGULAR_TOLERANCE).all():
            return []
        return cov.null_directions(standard, self._mapped(self._units, x))

    def standard(self, x: np.ndarray) -> np.ndarray:
        """theta for covariates of unit root mean square, on which zero is judged."""
        if not self.covariance.identity or self._enlarged is None:
            return x
        return x * self._enlarged

    @cached_property
    def _units(self) -> list[np.ndarray]:
        """Maps (k_b, k_b) from orthogonal covariates to those of the data scaled to unit size."""
        sizes = [np.sqrt(np.sum(R * R, axis=0)) for R in self.z_roots]
        return [s[:, None] * F for s, F in zip(sizes, self._inverses, strict=True)]

    def changes(self, x: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Changes of the T T' by unit steps along directions (n_theta, m), (c, m)."""
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
        return self.covariance.lower_bounds()

    def canonical(self, x: np.ndarray) -> np.ndarray:
        """The equivalent x with non-negative diagonals of T; x itself if it is that.

        Entries that are zero but for rounding are zero in it.
        """
        if not self.covariance.identity:
            return self.covariance.canonical(x)
        if far_from_zero(x, NEGLIGIBLE) and all(
            value > 0.0 or free for value, free in zip(x.tolist(), self._free, strict=True)
        ):
            return x
        return self.covariance.canonical(self.clean(x))

    def snap(self, x: np.ndarray) -> np.ndarray:
        """x with what is negligibly far from a boundary put on it."""
        if far_from_zero(x, SNAP_TOLERANCE):
            return x
        near = self._bounded & (np.abs(x) < SNAP_TOLERANCE)
        return np.where(near, 0.0, x) if near.any() else x


def far_from_zero(x: np.ndarray, tolerance: float) -> bool:
    """Whether all of a few numbers are further than this from zero."""
    return min(map(abs, x.tolist()), default=inf) > tolerance  # numpy takes ten times longer


def reached_entries(cov: CovarianceModel, templates: Sequence[np.ndarray]) -> np.ndarray:
    """The entries of matrices (k_b, k_b) that theta reaches in templates, in its order."""
    out = np.empty(cov.factor.size)
    for b, at in enumerate(cov.entries_of):
        out[at] = templates[b][cov.row[at], cov.col[at]]
    return out


def within_columns(cov: CovarianceModel, N: Sequence[np.ndarray]) -> np.ndarray:
    """N_b (x) I over the entries: N_b[i, i'] for (i, j), (i', j) of one column j of T_b, else 0."""
    out = np.zeros((cov.factor.size, cov.factor.size))
    for b, at in enumerate(cov.entries_of):
        i, j = cov.row[at], cov.col[at]
        out[at[:, None], at] = N[b][i[:, None], i] * (j[:, None] == j)
    return out


def _inverse(R: np.ndarray) -> np.ndarray:
    """Inverse of a lower triangular matrix."""
    return lapack.dtrtri(R, lower=1)[0]
