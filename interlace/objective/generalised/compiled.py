"""Criteria over all parameters by one kernel, for few rows: calls would cost more than algebra."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...linalg.kernels import _level_criterion
from .density import LARGEST_ZETA, FamilyDensity

__all__ = ["FEW_ENTRIES", "Levels", "kernel_of", "regression_kernel"]

# Rows times parameters up to which calls cost more than what the kernel does without BLAS.
FEW_ENTRIES = 50_000
NOWHERE = np.empty(0)


class Levels(NamedTuple):
    """The levels of a grouping factor, and the arrays of its modes that the kernel writes to.

    ``columns`` (n, k) of Z, or none of a column of ones; ``entries`` of the template that theta
    fills; ``at_mode`` (4, n) and ``t`` (n,) of the rows, ``S`` and ``H`` of the levels.
    """

    starts: np.ndarray
    columns: np.ndarray
    shrink: float
    entries: tuple[np.ndarray, np.ndarray]
    at_mode: np.ndarray
    t: np.ndarray
    S: np.ndarray
    H: np.ndarray


def kernel_of(
    density: FamilyDensity,
    X: np.ndarray,
    offset: np.ndarray,
    expected: bool,
    levels: Levels,
    grid: tuple | None = None,
) -> Any:
    """The kernel, or None where rows are many or it does not know the density."""
    size = levels.entries[0].size + X.shape[1] + density.n_zeta
    thresholds = density.compiled_thresholds()
    if density.n * size > FEW_ENTRIES or (density.by_row and thresholds is None):
        return None
    limit = density.zeta_limit if density.n_zeta else np.inf
    parameter = density.n_zeta, limit, LARGEST_ZETA, density.fixed_parameter
    constant = density.constant if density.n_zeta else density.constant(NOWHERE)[0]
    starts, columns, shrink, (rows, cols), *arrays = levels
    return _level_criterion.LevelCriterion(
        density.own_kernel(), expected, starts, columns, shrink, np.ascontiguousarray(X),
        np.ascontiguousarray(offset), np.ascontiguousarray(rows, np.int64),
        np.ascontiguousarray(cols, np.int64), *arrays, parameter, constant, thresholds, grid,
    )  # fmt: skip


def regression_kernel(density: FamilyDensity, X: np.ndarray, offset: np.ndarray) -> Any:
    """The same without random effects: one level whose template is zero.

    For densities with zeta that differs between rows its curvature is the Hessian.
    """
    n, none = density.n, np.empty(0, np.int64)
    if density.kernel is None:
        return None
    starts, work = np.array([0, n]), np.empty((5, n))
    levels = Levels(
        starts, np.empty((0, 1)), 1.0, (none, none), work[:4], work[4],
        np.empty((1, 1, 1)), np.empty((1, 1, 1)),
    )  # fmt: skip
    return kernel_of(density, X, offset, False, levels)
