"""Covariance structures of one random-effect term.

A structure maps the parameters theta of a term to the lower-triangular template T of its
relative covariance ``Sigma / sigma^2 = T T'``.  The numerics need T, where theta enters it,
and the derivatives of T; nothing else in the package knows a structure by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np

from ..errors import ArgumentError
from .readings import Reading, undivided

# A diagonal entry of T this small (relative to the residual standard deviation, lme4's scale)
# makes a fit singular: lme4's option lme4.singular.tolerance.
SINGULAR_TOLERANCE = 1e-4
# An eigenvalue of a correlation matrix this near zero is zero.
ROUNDING = 1e-12


class Structure(ABC):
    """theta <-> T for one term of width ``k``.

    Attributes
    ----------
    k : int
        Number of columns (effects per level) of the term.
    n_theta : int
        Number of parameters.
    rows, cols : ndarray of int, shape (n_entries,)
        The entries of T that theta reaches, lower triangle, in the order of ``values``.
    """

    name: str
    k: int
    n_theta: int
    rows: np.ndarray
    cols: np.ndarray
    #: True where ``values(theta)`` is theta itself (no Jacobian is then needed).
    identity: bool = False
    #: Whether effects of the term may be correlated.
    correlated: bool = True
    #: Whether every covariance has a theta: combinations of Z's columns may then replace them.
    unrestricted: bool = False
    #: Whether one effect a row can be told from independent residuals.
    patterned: bool = True
    #: For each row of T the place in theta of the standard deviation that multiplies it, if any.
    deviations: np.ndarray | None = None
    #: What the left side of a term says: the columns themselves, times (the levels of a factor or a
    #: numeric column) or positions (numeric coordinates).
    effects: Literal["columns", "times", "positions"] = "columns"
    #: Whether times that are numbers are counted in whole steps.
    whole_times: bool = True
    #: Whether the structure has a rank.
    ranked: bool = False

    @property
    def chain(self) -> Any:
        """The Markov chain of unit variance that standard deviations multiply, or None.

        It is a `Series`; theta are then these standard deviations and the chain's parameter.
        """
        return None

    @property
    def one(self) -> Structure:
        """The structure of the effects of one level: itself unless it is one of copies."""
        return self

    @property
    def scaled_with(self) -> np.ndarray:
        """The standard deviation, of `deviations`, whose unit each parameter has; -1 for none."""
        out = np.full(self.n_theta, -1)
        if self.deviations is not None:
            count = int(self.deviations.max()) + 1
            out[:count] = np.arange(count)
        return out

    @property
    def one_signed(self) -> np.ndarray:
        """Places of standard deviations that give another covariance with the other sign."""
        return np.empty(0, dtype=np.intp)

    @abstractmethod
    def values(self, theta: np.ndarray) -> np.ndarray:
        """Values of T at ``(rows, cols)``, shape (n_entries,)."""

    @abstractmethod
    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        """d values / d theta, shape (n_entries, n_theta)."""

    @abstractmethod
    def second(self, theta: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """sum_e weights_e d^2 values_e / d theta^2, shape (n_theta, n_theta)."""

    @abstractmethod
    def start(self) -> np.ndarray:
        """theta of ``T = I``."""

    @abstractmethod
    def lower_bounds(self) -> np.ndarray:
        """Lower bounds for optimisers that need them (0 for a standard deviation)."""

    @abstractmethod
    def theta_names(self, names: tuple[str, ...]) -> list[str]:
        """One name per parameter, from the names of the term's columns."""

    @abstractmethod
    def canonical(self, theta: np.ndarray) -> np.ndarray:
        """The representative with a non-negative diagonal and the same ``T T'``."""

    def template(self, theta: np.ndarray) -> np.ndarray:
        """T, shape (k, k)."""
        T = np.zeros((self.k, self.k))
        T[self.rows, self.cols] = self.values(np.asarray(theta, dtype=float))
        return T

    def readings(self, names: tuple[str, ...]) -> list[Reading]:
        """The parameters as they are read, of effects of these names."""
        pairs = [(i, j) for i in range(self.k) for j in range(i + 1, self.k)]
        sd = [Reading("sd", (name,), (i, i)) for i, name in enumerate(names)]
        if not self.correlated:
            return sd
        return [*sd, *(Reading("cor", (names[j], names[i]), (j, i)) for i, j in pairs)]

    def read(self, theta: np.ndarray) -> np.ndarray:
        """Values of `readings`, standard deviations relative to sigma; of complex theta too."""
        if np.iscomplexobj(theta):
            T = self.template(theta.real) + 1j * self._along(theta.real, theta.imag)
        else:
            T = self.template(theta)
        values = undivided([row[: i + 1] for i, row in enumerate(T)])
        return values if self.correlated else values[: self.k]

    def _along(self, theta: np.ndarray, move: np.ndarray) -> np.ndarray:
        """The derivative of T along a move of theta, (k, k)."""
        T = np.zeros((self.k, self.k))
        T[self.rows, self.cols] = self.jacobian(theta) @ move
        return T

    def of_readings(self, values: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """theta with these values of `readings`; theta itself where that cannot be told."""
        del values
        return theta

    def places(self, row: int) -> np.ndarray:
        """The places in theta of what makes the standard deviation of a row of T alone."""
        return np.flatnonzero(self.rows == row)

    def started(self, sd: np.ndarray) -> np.ndarray:
        """theta to start from, for effects with standard deviations of about sd (k,)."""
        theta = self.start()
        if self.deviations is not None:
            count = np.bincount(self.deviations)
            square = np.bincount(self.deviations, weights=sd * sd)
            theta[: count.size] = np.sqrt(square / count)
        return theta

    def far_patterns(self, theta: np.ndarray, sd: float, few: bool) -> list[np.ndarray]:
        """theta with correlations far from what they are, where there may be another minimum.

        Standard deviations are at least ``sd``, with which the correlations are of consequence.
        ``few`` says that rows are so few that minima are looked for that more of them rule out.
        """
        return []

    def snapped(self, theta: np.ndarray, tolerance: float) -> np.ndarray:
        """theta with what is nearer to a boundary than this put on it."""
        near = (self.lower_bounds() == 0.0) & (np.abs(theta) < tolerance)
        return np.where(near, 0.0, theta) if near.any() else theta

    def boundary(
        self, theta: np.ndarray, shown: np.ndarray, names: tuple[str, ...], tolerance: float
    ) -> str:
        """What is on a boundary, in words with ``{group}`` for the grouping factor; or nothing.

        Whether anything is says theta, of standardised covariates; what, ``shown``, of others.
        """
        T = self.template(theta)
        pivots = np.abs(np.diag(T))
        if not np.any(pivots < tolerance):
            return ""
        sd = np.linalg.norm(self.template(shown), axis=1)
        zero = [n for n, v in zip(names, sd, strict=True) if v < tolerance]
        if zero:
            return f"the variance of {', '.join(zero)} by {{group}} is estimated as zero"
        rank = int(np.sum(pivots >= tolerance))
        return (
            f"the covariance matrix of ({', '.join(names)}) by {{group}} has rank {rank} of "
            f"{len(names)}: some effects are perfectly correlated"
        )


class EntryStructure(Structure):
    """A structure whose parameters are themselves entries of T."""

    identity = True
    patterned = False

    def values(self, theta: np.ndarray) -> np.ndarray:
        return theta

    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        return np.eye(self.n_theta)

    def second(self, theta: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.zeros((self.n_theta, self.n_theta))

    def start(self) -> np.ndarray:
        return (self.rows == self.cols).astype(float)

    def started(self, sd: np.ndarray) -> np.ndarray:
        return np.where(self.rows == self.cols, sd[self.rows], 0.0)

    def lower_bounds(self) -> np.ndarray:
        return np.where(self.rows == self.cols, 0.0, -np.inf)

    def of_readings(self, values: np.ndarray, theta: np.ndarray) -> np.ndarray:
        k = self.k
        R = self._correlations(values[k:]) if self.correlated else np.eye(k)
        lowest = float(np.linalg.eigvalsh(R)[0])
        if lowest < -ROUNDING:
            raise ArgumentError(
                "no distribution has these correlations of {names}: their matrix is not "
                "positive definite"
            )
        if lowest < ROUNDING:  # singular ones have a factor too
            R += 2.0 * ROUNDING * np.eye(k)
        return (values[:k, None] * np.linalg.cholesky(R))[self.rows, self.cols]

    def _correlations(self, pairs: np.ndarray) -> np.ndarray:
        """The matrix (k, k) of the correlations of all pairs as they are read."""
        R = np.eye(self.k)
        i, j = np.triu_indices(self.k, 1)
        R[i, j] = R[j, i] = np.nan_to_num(pairs)
        return R

    def theta_names(self, names: tuple[str, ...]) -> list[str]:
        return [
            names[i] if i == j else f"{names[i]}.{names[j]}"
            for i, j in zip(self.rows, self.cols, strict=True)
        ]


class Unstructured(EntryStructure):
    """Any covariance: theta is the lower triangle of T column by column, as in lme4.

    Parameters
    ----------
    k : int
        Number of columns of the term.

    Examples
    --------
    >>> from interlace.covariance import Unstructured
    >>> Unstructured(2).template([1.0, 0.5, 2.0])
    array([[1. , 0. ],
           [0.5, 2. ]])
    """

    name = "us"
    unrestricted = True

    def __init__(self, k: int) -> None:
        self.k = k
        self.n_theta = k * (k + 1) // 2
        cols, rows = np.triu_indices(k)
        self.rows, self.cols = rows, cols

    def far_patterns(self, theta: np.ndarray, sd: float, few: bool) -> list[np.ndarray]:
        if not few or self.k != 2 or theta[2] != 0.0 or theta[1] == 0.0:
            return []
        # two perfectly correlated effects, tried with a correlation of the other sign
        return [np.array([theta[0], -theta[1], abs(theta[1])])]

    def canonical(self, theta: np.ndarray) -> np.ndarray:
        T = self.template(np.asarray(theta, dtype=float))
        for j in range(self.k):
            # Rotating a column with a zero diagonal into those after it keeps T T' and
            # leaves one representative of the flat direction.
            if T[j, j] == 0.0 and np.any(T[j + 1 :, j]):
                rest = T[j + 1 :, j:]
                T[j + 1 :, j + 1 :] = np.linalg.qr(rest.T)[1].T[:, : self.k - j - 1]
                T[j + 1 :, j] = 0.0
            if T[j, j] < 0.0:
                T[:, j] = -T[:, j]
        return T[self.rows, self.cols] + 0.0


class Diagonal(EntryStructure):
    """Independent effects with their own variances: theta is the diagonal of T.

    Parameters
    ----------
    k : int
        Number of columns of the term.

    Examples
    --------
    >>> from interlace.covariance import Diagonal
    >>> Diagonal(2).template([1.0, 2.0])
    array([[1., 0.],
           [0., 2.]])
    """

    name = "diag"
    correlated = False

    def __init__(self, k: int) -> None:
        self.k = k
        self.n_theta = k
        self.rows = self.cols = np.arange(k)

    def canonical(self, theta: np.ndarray) -> np.ndarray:
        return np.abs(theta)
