"""Coefficients without a finite estimate: separated binomial responses, counts that are all zero.

A direction along which no row's likelihood falls, and some row's rises, is one of recession: the
maximum lies at infinity.  For binomial rows that are all failures (successes) the linear predictor
must not rise (fall) along it, for rows with both, or with a positive count, it must not move.  One
linear program finds all rows that some such direction moves.

References
----------
Albert and Anderson (1984), Biometrika 71, 1-10.  Konis (2007), Linear programming algorithms for
detecting separated data in binary logistic regression models, DPhil thesis, Oxford.  Correia,
Guimarães and Zylkin (2019), Verifying the existence of maximum likelihood estimates for
generalized linear models, arXiv:1903.01633.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ..design.design import Design
from ..design.rank import independent_columns
from ..errors import NumericalError, listing
from ..families.base import Family
from .observations import Observations

#: A row counts as moved when its linear predictor moves by more than this share of the least that
#: a moved row moves by; HiGHS holds constraints to 1e-7.
MOVED = 0.5
#: How far a coefficient must be able to move, relative to the largest, to have a direction.
DIRECTION_SHARE = 1e-6
#: Means farther than this from the border of their range stay inside: on the way to infinity IRLS
#: passes it early.
INSIDE = 1e-3
#: Two linear programs for each coefficient say whether it can only rise or only fall; past this
#: many the direction that was found answers alone.
MOST_DIRECTIONS = 60
#: Means this near to the border of their range are on their way to it, if information is lost.
BORDER = 1e-6


@dataclass(frozen=True, eq=False)
class Separation:
    """Why a likelihood has no maximum.

    Attributes
    ----------
    kind : {"complete", "quasi-complete", "zero"}
        Every row can be predicted perfectly; some can; counts are zero wherever a combination of
        covariates is not.
    infinite : dict of str to int
        Coefficients without a finite estimate: 1 rises without bound, -1 falls, 0 may do either.
    rows : (n,) bool ndarray
        Rows whose fitted means reach the border of their range.
    direction : (p,) ndarray
        One direction along which the likelihood rises without end.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.models.separation import find_separation
    >>> X = np.column_stack([np.ones(4), [1.0, 2, 3, 4]])
    >>> found = find_separation(X, np.array([0.0, 0, 1, 1]), np.ones(4), ("Intercept", "x"))
    >>> found.kind, found.infinite
    ('complete', {'Intercept': -1, 'x': 1})
    """

    kind: str
    infinite: dict[str, int]
    rows: np.ndarray
    direction: np.ndarray

    @property
    def message(self) -> str:
        """The verdict in words, with the remedy."""
        words = {1: "rises without bound", -1: "falls without bound", 0: "is not determined"}
        limits = listing(f"{name} {words[sign]}" for name, sign in self.infinite.items())
        count, n = int(self.rows.sum()), len(self.rows)
        if self.kind == "complete":
            what = "complete separation: the covariates predict every row perfectly"
        elif self.kind == "zero":
            what = f"the counts of {count} of {n} rows are all zero in a cell of the covariates"
        else:
            what = (
                f"quasi-complete separation: the covariates predict {count} of {n} rows perfectly"
            )
        return (
            f"{what}, so that the likelihood has no maximum: {limits}. Estimates and standard "
            "errors of these coefficients mean nothing, fitted values and deviance do. Leave out "
            "or merge the terms or levels, or test them by likelihood ratio"
        )


def find_separation(
    X: np.ndarray,
    y: np.ndarray,
    trials: np.ndarray | None,
    names: Sequence[str],
    interior: np.ndarray | None = None,
) -> Separation | None:
    """Find the coefficients without a finite maximum-likelihood estimate; None if there are none.

    y (n,) are proportions of `trials`, or counts (trials None) whose mean is zero at one end of the
    linear predictor alone. X is of full column rank; the linear program has a constraint for each
    row but those of `interior`, whose means are known to stay inside their range.
    """
    failures, successes = y <= 0.0, (y >= 1.0 if trials is not None else np.zeros(len(y), bool))
    sign = np.where(successes, 1.0, np.where(failures, -1.0, 0.0))
    if interior is not None:
        sign = np.where(interior, 0.0, sign)
    scale = np.abs(X).max(axis=0, initial=0.0)
    scale[scale == 0.0] = 1.0
    # Rows that agree in covariates and outcome are one constraint.
    distinct, place = np.unique(np.column_stack([sign, X / scale]), axis=0, return_inverse=True)
    sign, A = distinct[:, 0], distinct[:, 1:]
    direction = _direction(A, sign)
    moved = sign * (A @ direction) > MOVED
    if not moved.any():
        return None
    fixed = _fixed(A[~moved])
    infinite = {}
    for j in np.flatnonzero(~fixed).tolist():
        infinite[names[j]] = _sign(A, sign, moved, j, direction, int((~fixed).sum()))
    kind = "zero" if trials is None else "complete" if moved.all() else "quasi-complete"
    return Separation(kind, infinite, moved[place.ravel()], direction / scale)


def can_separate(family: Family) -> bool:
    """Whether a family's mean and link have an end that coefficients without limit may reach."""
    return family.support in ("proportion", "count") and bool(family.link.ends[0])


def family_separation(
    X: np.ndarray,
    observations: Observations,
    family: Family,
    names: Sequence[str],
    mu: np.ndarray | None = None,
) -> Separation | None:
    """:func:`find_separation` of what a family's mean and link can do; None for others.

    Rows whose fitted means mu are far from the border of their range stay there.
    """
    at_zero, at_one = family.link.ends
    proportion = family.support == "proportion"
    if proportion and at_zero and at_one:
        inside = None if mu is None else (mu > INSIDE) & (mu < 1.0 - INSIDE)
        return find_separation(X, observations.y, observations.trials, names, inside)
    if (proportion or family.support == "count") and at_zero and not at_one:
        inside = None if mu is None else mu > INSIDE
        return find_separation(X, observations.y, None, names, inside)
    return None


def _direction(A: np.ndarray, sign: np.ndarray) -> np.ndarray:
    """The direction that moves most rows: max sum t, 0 <= t <= 1, t <= sign A d, A d = 0 elsewhere.

    The directions of recession are a convex cone: the sum of two of them moves the rows of both,
    and a multiple moves each by at least one. So t is one in every row that can be moved at all.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, eye_array, hstack

    free, fixed = sign != 0.0, sign == 0.0
    pure = A[free] * sign[free, None]
    rows, p = pure.shape
    if not rows:
        return np.zeros(p)
    cost = np.concatenate([np.zeros(p), -np.ones(rows)])
    bounds = [(None, None)] * p + [(0.0, 1.0)] * rows
    upper = hstack([csr_array(-pure), eye_array(rows)], format="csr")
    equal = None
    if fixed.any():
        # Held rows span few dimensions: as many constraints as their rank.
        R = np.asarray(np.linalg.qr(A[fixed], mode="r"))
        equal = hstack([csr_array(R), csr_array((R.shape[0], rows))], format="csr")
    solution = linprog(
        cost, upper, np.zeros(rows), equal, None if equal is None else np.zeros(equal.shape[0]),
        bounds, method="highs",
    )  # fmt: skip
    return np.zeros(p) if solution.x is None else solution.x[:p]


def _fixed(A: np.ndarray) -> np.ndarray:
    """Mask of the coefficients that the rows of A determine, (p,)."""
    p = A.shape[1]
    if not len(A):
        return np.zeros(p, dtype=bool)
    R = np.asarray(np.linalg.qr(A, mode="r"))
    # Unit vector j is in the row space when column j is independent of the others.
    everything = len(independent_columns(R))
    out = np.zeros(p, dtype=bool)
    for j in range(p):
        others = np.delete(R, j, axis=1)
        rank = len(independent_columns(others)) if others.size else 0
        out[j] = rank < everything
    return out


def _sign(
    A: np.ndarray, sign: np.ndarray, moved: np.ndarray, j: int, direction: np.ndarray, count: int
) -> int:
    """Whether coefficient j can only rise (1), only fall (-1) or do either (0) to infinity."""
    from scipy.optimize import linprog

    p = A.shape[1]
    if count > MOST_DIRECTIONS:
        return int(np.sign(direction[j]))
    upper = -A[moved] * sign[moved, None]
    rest = A[~moved]
    R = np.asarray(np.linalg.qr(rest, mode="r")) if len(rest) else None
    ends = []
    for way in (1.0, -1.0):
        cost = np.zeros(p)
        cost[j] = way
        solution = linprog(
            cost, upper, np.zeros(len(upper)), R, None if R is None else np.zeros(len(R)),
            [(-1.0, 1.0)] * p, method="highs",
        )  # fmt: skip
        ends.append(0.0 if solution.x is None else float(solution.x[j]))
    low, high = ends
    if high > DIRECTION_SHARE and low < -DIRECTION_SHARE:
        return 0
    return 1 if high > DIRECTION_SHARE else -1 if low < -DIRECTION_SHARE else 0


@contextmanager
def explained(design: Design, family: Family, observations: Observations) -> Iterator[None]:
    """Let an error that ends the fit of separated responses name the coefficients."""
    try:
        yield
    except NumericalError as error:
        separated = family_separation(design.X, observations, family, design.x_names)
        raise (error if separated is None else NumericalError(separated.message)) from None
