"""theta as the optimisers see it: for orthogonal covariates of unit root mean square."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from math import inf

import numpy as np
from scipy.linalg import lapack

from ..covariance import CovarianceModel
from ..covariance.structures import SINGULAR_TOLERANCE
from ..linalg.wide import WIDE, is_diagonal, product
from .directions import Directions, EntryDirections, PatternDirections, reached_entries

__all__ = ["SNAP_TOLERANCE", "ThetaScale"]

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

    Term by term: where parameters are entries of T, x holds those entries for standardised
    covariates, R T with Z = (standardised Z) R; standard deviations of other structures are
    multiplied by the size of the covariates that they belong to, what else they have is the same.
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
        sizes = [np.diagonal(R) for R in z_roots]
        self._unit, self._rows = _units(covariance, sizes)
        self._enlarged = None
        if enlarged is not None:
            before = [size * by for size, by in zip(sizes, enlarged, strict=True)]
            self._enlarged = _units(covariance, before)[0] / self._unit
            for own, b, i in self._entry_terms():
                self._enlarged[own] = enlarged[b][i]
        self._bounded = covariance.bounded
        self._free = (~self._bounded).tolist()

    def _entry_terms(self) -> Iterator[tuple[slice, int, np.ndarray]]:
        """Places in theta, factor and rows in its template of parameters that are entries of T."""
        cov = self.covariance
        for term, own, (i, _) in zip(cov.terms, cov.theta_slices, cov.entries, strict=True):
            if term.structure.identity:
                yield own, term.factor, i

    def theta(self, x: np.ndarray) -> np.ndarray:
        """theta of x, zero where x is but for rounding."""
        x = self.clean(np.asarray(x, dtype=float))
        return self._mapped(self._inverses, x, 1.0 / self._unit)

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
        return self._mapped(self.z_roots, np.asarray(theta, dtype=float), self._unit)

    def _mapped(
        self, roots: Sequence[np.ndarray], parameters: np.ndarray, units: np.ndarray
    ) -> np.ndarray:
        """Entries of R T from those of T, and other parameters in other units."""
        cov = self.covariance
        if cov.identity and max(cov.widths, default=1) == 1:
            return parameters * [roots[b].item() for b in cov.factor.tolist()]
        if cov.identity:
            templates = cov.templates(parameters)
            return reached_entries(cov, [R @ T for R, T in zip(roots, templates, strict=True)])
        out = parameters * units
        for term, own in zip(cov.terms, cov.theta_slices, strict=True):
            s = term.structure
            if s.identity:
                R = roots[term.factor][term.columns, term.columns]
                out[own] = (R @ s.template(parameters[own]))[s.rows, s.cols]
        return out

    def jacobian(self) -> np.ndarray:
        """d theta / d x, (n_theta, n_theta)."""
        cov = self.covariance
        if cov.identity and max(cov.widths, default=1) == 1:
            return np.diag([self._inverses[b].item() for b in cov.factor.tolist()])
        units = np.eye(cov.n_theta)
        return np.array([self.theta(unit) for unit in units]).reshape(units.shape).T

    def templates(self, x: np.ndarray) -> list[np.ndarray]:
        """T of every grouping factor, for standardised covariates."""
        templates = self.covariance.templates(x)
        if self.covariance.identity:
            return templates
        return [size[:, None] * T for size, T in zip(self._rows, templates, strict=True)]

    def sizes(self, x: np.ndarray) -> list[np.ndarray]:
        """Standard deviations of the effects of standardised covariates, (k_b,) per factor."""
        return [np.sqrt((T * T).sum(axis=1)) for T in self.templates(x)]

    def directions(self, x: np.ndarray) -> Directions:
        """The derivatives of `templates` at x."""
        if self.covariance.identity:
            return self._entries
        return PatternDirections(self.covariance, x, self._rows)

    @cached_property
    def _entries(self) -> EntryDirections:
        return EntryDirections(self.covariance)

    def natural(self, templates: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Templates on the scale of the data from those for standardised covariates."""
        return tuple(
            product(F, self.clean(T)) for F, T in zip(self._inverses, templates, strict=True)
        )

    def start(self, variances: np.ndarray) -> np.ndarray:
        """x of independent effects with these variances, one for each column of each factor."""
        cov = self.covariance
        sd = np.sqrt(variances)
        if cov.identity and max(cov.widths, default=1) == 1:
            return sd[cov.factor]
        starts = np.array(list(accumulate(cov.widths, initial=0)))
        if cov.identity:
            return np.where(cov.row == cov.col, sd[starts[cov.factor] + cov.row], 0.0)
        parts = []
        for term in cov.terms:
            own = sd[starts[term.factor] : starts[term.factor + 1]][term.columns]
            parts.append(term.structure.started(own))
        return np.concatenate(parts)

    def null_directions(self, x: np.ndarray) -> list[str]:
        """The parameters on a boundary at x, judged for standardised covariates, in words."""
        cov = self.covariance
        standard = self.standard(x)
        if cov.identity:
            if far_from_zero(standard, SINGULAR_TOLERANCE):
                return []
            if (np.abs(standard[self._bounded]) >= SINGULAR_TOLERANCE).all():
                return []
        return cov.null_directions(standard, self._mapped(self._units, x, np.ones(x.size)))

    def standard(self, x: np.ndarray) -> np.ndarray:
        """theta for covariates of unit root mean square, on which zero is judged."""
        return x if self._enlarged is None else x * self._enlarged

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
        if (
            self.covariance.identity
            and far_from_zero(x, NEGLIGIBLE)
            and all(value > 0.0 or free for value, free in zip(x.tolist(), self._free, strict=True))
        ):
            return x
        return self.covariance.canonical(self.clean(x))

    def snap(self, x: np.ndarray) -> np.ndarray:
        """x with what is negligibly far from a boundary put on it."""
        if not self.covariance.identity:
            return self.covariance.snapped(x, SNAP_TOLERANCE)
        if far_from_zero(x, SNAP_TOLERANCE):
            return x
        near = self._bounded & (np.abs(x) < SNAP_TOLERANCE)
        return np.where(near, 0.0, x) if near.any() else x


def _units(
    cov: CovarianceModel, sizes: Sequence[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Units of parameters that are no entries of T, and what is left to multiply rows of T by.

    ``sizes`` (k_b,) are those of the covariates; a standard deviation that several of them share
    has their root mean square.
    """
    unit, rows = np.ones(cov.n_theta), [np.ones(k) for k in cov.widths]
    if cov.identity:
        return unit, rows
    for term, own in zip(cov.terms, cov.theta_slices, strict=True):
        structure, size = term.structure, sizes[term.factor][term.columns]
        if structure.identity:
            continue
        of = structure.deviations
        if of is not None:
            count = np.bincount(of)
            shared = np.sqrt(np.bincount(of, weights=size * size) / count)
            by = structure.scaled_with
            unit[own] = np.where(by < 0, 1.0, shared[by])
            size = size / shared[of]
        rows[term.factor][term.columns] = size
    return unit, rows


def far_from_zero(x: np.ndarray, tolerance: float) -> bool:
    """Whether all of a few numbers are further than this from zero."""
    return min(map(abs, x.tolist()), default=inf) > tolerance  # numpy takes ten times longer


def _inverse(R: np.ndarray) -> np.ndarray:
    """Inverse of a lower triangular matrix."""
    if len(R) > WIDE and is_diagonal(R):
        return np.diag(1.0 / R.diagonal())
    return lapack.dtrtri(R, lower=1)[0]
