"""The record of an optimisation and its certificate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

# The criterion could still fall by this much (Newton decrement): far below what any estimate or
# test statistic shows. lme4 accepts 2e-3 in the same units of a scaled gradient.
DECREMENT_TOLERANCE = 1e-6
# An eigenvalue of the curvature below this share of the largest (after scaling to unit diagonal)
# means that the data do not determine that direction.
IDENTIFIED_SHARE = 1e-8
# The criterion's rounding error, relative: log|M| and the residual sum are sums of n terms.
VALUE_NOISE = 1e-12


@dataclass(frozen=True)
class Certificate:
    """What gradient and curvature say of a point.

    Attributes
    ----------
    verdict : str
        ``"converged"``, ``"singular"`` (converged on a boundary), ``"not identified"``,
        ``"separated"`` (coefficients without a finite maximum) or ``"not converged"``.
    message : str
        The verdict in words, with what to do if something is wrong.
    decrement : float
        How much the criterion could still fall, by its curvature.
    gradient_norm : float
        Largest gradient in units of the parameters' standard errors.
    eigenvalues : ndarray, shape (n,)
        Of the curvature, ascending.
    boundary : tuple of str
        What lies on a boundary, in words.
    """

    verdict: str
    message: str
    decrement: float
    gradient_norm: float
    eigenvalues: np.ndarray
    boundary: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where an optimiser stopped; what is known about that point is judged when asked for.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Parameters as the objective takes them.
    value : float
        The criterion.
    gradient : ndarray, shape (n,)
    curvature : ndarray, shape (n, n)
    evaluations : int
        Evaluations of the objective, with or without derivatives.
    optimizer : str
    log : tuple of (ndarray, float)
        Every accepted point and its value.
    parameters : str
        What x holds, for messages.
    """

    x: np.ndarray
    value: float
    gradient: np.ndarray
    curvature: np.ndarray
    evaluations: int
    optimizer: str
    log: tuple[tuple[np.ndarray, float], ...] = field(repr=False)
    _describe: Callable[[np.ndarray], list[str]] | None = field(repr=False)
    _infinite: Callable[[np.ndarray, np.ndarray], list[str]] | None = field(
        default=None, repr=False
    )
    parameters: str = "variance parameters"

    def __getstate__(self) -> dict:
        return {
            **self.__dict__,
            "certificate": self.certificate,
            "_describe": None,
            "_infinite": None,
        }

    @cached_property
    def certificate(self) -> Certificate:
        """The judgement."""
        assert self._describe is not None
        infinite = () if self._infinite is None else self._infinite(self.x, self.curvature)
        return certify(self, tuple(self._describe(self.x)), tuple(infinite))

    def judged(self, verdict: str, message: str) -> Optimum:
        """The same point with a verdict from elsewhere."""
        other = replace(self)
        other.__dict__["certificate"] = replace(self.certificate, verdict=verdict, message=message)
        return other

    @property
    def verdict(self) -> str:
        """See `Certificate`."""
        return self.certificate.verdict

    @property
    def message(self) -> str:
        """The verdict in words."""
        return self.certificate.message

    @property
    def boundary(self) -> tuple[str, ...]:
        """What lies on a boundary, in words."""
        return self.certificate.boundary

    @property
    def converged(self) -> bool:
        """An optimum was found, inside or on a boundary."""
        return self.verdict in ("converged", "singular")

    @property
    def singular(self) -> bool:
        """Some variance is zero or some correlation is +-1."""
        return bool(self.boundary)


def certify(
    optimum: Optimum, boundary: tuple[str, ...], infinite: tuple[str, ...] = ()
) -> Certificate:
    """Judge a point from its gradient and curvature.

    The Newton decrement says how far the criterion is from its minimum in the only units that
    matter, its own; it does not change with the scale of any covariate.

    Parameters
    ----------
    optimum : Optimum
    boundary : tuple of str
        What lies on a boundary there.
    infinite : tuple of str
        Parameters whose best value is not finite, in words.

    Returns
    -------
    Certificate
    """
    g, H = optimum.gradient, optimum.curvature
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diagonal(H)), np.finfo(float).tiny))
    eigenvalues, vectors = np.linalg.eigh(H * scale[:, None] * scale)
    along = vectors.T @ (g * scale)
    top = max(float(np.abs(eigenvalues).max(initial=0.0)), np.finfo(float).tiny)
    noise = VALUE_NOISE * max(1.0, abs(optimum.value))
    flat = np.abs(eigenvalues) < IDENTIFIED_SHARE * top
    saddle = bool(np.any(eigenvalues < -np.sqrt(IDENTIFIED_SHARE) * top))
    floor = np.maximum(np.abs(eigenvalues), IDENTIFIED_SHARE * top)
    with np.errstate(over="ignore"):
        decrement = float(0.5 * np.sum(along[~flat] ** 2 / floor[~flat]))
        norm = float(np.max(np.abs(along) / np.sqrt(floor), initial=0.0, where=~flat))
    unfinished = decrement > max(DECREMENT_TOLERANCE, noise) or saddle
    verdict = _verdict(unfinished, flat, boundary)
    if infinite:
        verdict = "not identified"
    if infinite:
        message = "; ".join(infinite)
    elif verdict == "not converged":
        reason = (
            "stopped at a saddle point of the criterion"
            if saddle
            else "stopped before the optimum: the criterion can still fall by about "
            f"{decrement:.2g}"
        )
        message = (
            f"the optimiser {optimum.optimizer!r} {reason}. Try another optimizer= or theta0=, "
            "or remove random-effect terms that the data cannot support"
        )
    elif verdict == "not identified":
        message = (
            f"the criterion is flat in some direction of the {optimum.parameters}: the data do "
            "not determine them separately. Remove a random-effect term or a column of one"
        )
    elif verdict == "singular":
        message = "converged on the boundary (singular fit): " + "; ".join(boundary)
    else:
        message = (
            f"converged: the criterion is within {max(decrement, noise):.1g} of its minimum and "
            "every direction is curved"
        )
    return Certificate(verdict, message, decrement, norm, np.linalg.eigvalsh(H), boundary)


def _verdict(unfinished: bool, flat: np.ndarray, boundary: tuple[str, ...]) -> str:
    if unfinished:
        return "not converged"
    if np.any(flat) and not boundary:
        return "not identified"
    return "singular" if boundary else "converged"
