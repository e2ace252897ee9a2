"""What refits of a mixed model to many responses are read for, and their verdicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..covariance.structures import SINGULAR_TOLERANCE
from ..errors import InterlaceError
from ..objective import Objective

__all__ = ["Estimates", "Other", "filled", "verdicts_of"]


class Other(NamedTuple):
    """One response that was fitted otherwise: theta, beta, sigma, the criterion, the verdict."""

    theta: np.ndarray
    beta: np.ndarray
    sigma: float
    criterion: float
    verdict: str


class Estimates(NamedTuple):
    """What m refits are read for; rows of NaN for those that failed, with the error in its place.

    theta (m, q), beta (m, p), sigma and the criterion (m,); verdicts and errors (m,) of them.
    """

    theta: np.ndarray
    beta: np.ndarray
    sigma: np.ndarray
    criterion: np.ndarray
    verdicts: list[str]
    errors: list[InterlaceError | None]

    @classmethod
    def empty(cls, m: int, q: int, p: int) -> Estimates:
        """Of m responses of which nothing is known."""
        arrays = np.empty((m, q)), np.empty((m, p)), np.empty(m), np.empty(m)
        return cls(*arrays, ["converged"] * m, [None] * m)


def filled(out: Estimates, sure: np.ndarray, other: Callable[[int], Other]) -> Estimates:
    """The estimates, with what ``other`` makes of the responses that are not ``sure`` (m,)."""
    for i in np.flatnonzero(~sure).tolist():
        try:
            e = other(i)
        except InterlaceError as error:
            for values in out[:4]:
                values[i] = np.nan
            out.verdicts[i], out.errors[i] = "failed", error
            continue
        out.theta[i], out.beta[i] = e.theta, e.beta
        out.sigma[i], out.criterion[i], out.verdicts[i] = e.sigma, e.criterion, e.verdict
    return out


def verdicts_of(
    objective: Objective, x: np.ndarray, bounded: np.ndarray, sure: np.ndarray
) -> list[str]:
    """Verdicts on minima x (m, n), which are made canonical, where they are ``sure`` (m,).

    ``bounded`` (n,) parameters may be zero; a negative one is another way to write its template.
    """
    verdicts = ["converged"] * len(x)
    near = sure & (x[:, bounded] < SINGULAR_TOLERANCE).any(axis=1)
    for i in np.flatnonzero(near).tolist():
        x[i] = objective.canonical(x[i])
        if objective.null_directions(x[i]):
            verdicts[i] = "singular"
    return verdicts
