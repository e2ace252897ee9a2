"""Parameters of the covariance of residuals in profiles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...errors import NumericalError
from .coordinates import Coordinates, Linear
from .likelihood import Likelihood

__all__ = ["ResidualLink", "residual_coordinates", "residual_value"]


class ResidualLink(NamedTuple):
    """A parameter that is read as a function of its coordinate, in the form of a link.

    The coordinate is the parameter of the search where each structure has its own, ``of`` the
    place among those; the parameter itself where it depends on several.
    """

    part: Any
    of: int | None

    @classmethod
    def of_parameter(cls, fit: Any, k: int) -> ResidualLink:
        """That of the k-th of the parameters that are read."""
        part, own, _ = _place(fit, k)
        return cls(part, own if _one_to_one(part) else None)

    def inverse(self, at: Any) -> np.ndarray:
        """Values at coordinates, of any shape."""
        at = np.asarray(at, dtype=float)
        if self.of is None:
            return at
        values = [self._natural(v) for v in at.ravel()]
        return np.array(values).reshape(at.shape)

    def _natural(self, v: float) -> float:
        x = self.part.start()
        x[self.of] = v
        with np.errstate(over="ignore"):
            return float(self.part.natural(x)[self.of])

    def inverse_derivatives(self, at: Any) -> tuple[np.ndarray, np.ndarray]:
        """Values, and their slopes."""
        at = np.asarray(at, dtype=float)
        if self.of is None:
            return at, np.ones_like(at)
        slopes = []
        for v in at.ravel():
            x = self.part.start()
            x[self.of] = v
            slopes.append(float(self.part.jacobian(x)[self.of, self.of]))
        return self.inverse(at), np.array(slopes).reshape(at.shape)

    def __call__(self, values: Any) -> np.ndarray:
        """Coordinates of values."""
        values = np.asarray(values, dtype=float)
        if self.of is None:
            return values
        out = []
        for v in values.ravel():
            natural = self.part.natural(self.part.start())
            natural[self.of] = v
            with np.errstate(divide="ignore", invalid="ignore"):
                out.append(float(self.part.x_of(natural)[self.of]))
        return np.array(out).reshape(values.shape)


def _one_to_one(part: Any) -> bool:
    """Whether each natural parameter is a function of one x alone."""
    J = part.jacobian(part.start())
    return J.shape[0] == J.shape[1] and not np.any(J - np.diag(np.diagonal(J)))


def _place(fit: Any, k: int) -> tuple[Any, int, slice]:
    """The structure of the k-th parameter that is read, its place there, and the structure's x."""
    model = fit.residual
    for part, natural, own in zip(model.parts, model.natural_slices, model.slices, strict=True):
        if natural.start <= k < natural.stop:
            return part, k - natural.start, own
    raise IndexError(k)


class _Natural(Coordinates):
    """The parameters that are read of one structure, in place of those of the search."""

    lower, upper = -1.0, 1.0

    def __init__(self, y: np.ndarray, part: Any, at: slice, first: int) -> None:
        self._part = part
        self._places = np.arange(y.size)[at]
        self._others = np.delete(np.arange(y.size), self._places)
        m = self._places.size
        self._order = np.append(first, np.delete(np.arange(m), first))
        self.start = np.concatenate([part.natural(y[at])[self._order], y[self._others]])

    def _x(self, phi: np.ndarray) -> np.ndarray:
        natural = np.empty(self._order.size)
        natural[self._order] = phi[: self._order.size]
        try:
            return self._part.x_of(natural)
        except np.linalg.LinAlgError:
            raise NumericalError("correlations of no distribution") from None

    def y(self, phi: np.ndarray) -> np.ndarray:
        out = np.empty(phi.size)
        out[self._places], out[self._others] = self._x(phi), phi[self._order.size :]
        return out

    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        m = self._order.size
        J = np.zeros((phi.size, phi.size))
        J[self._others, np.arange(m, phi.size)] = 1.0
        inverse = np.linalg.inv(self._part.jacobian(self._x(phi)))
        J[np.ix_(self._places, np.arange(m))] = inverse[:, self._order]
        return J


def residual_coordinates(likelihood: Likelihood, k: int) -> Coordinates:
    """Coordinates of the likelihood, the first of which is the k-th parameter's."""
    part, own, at = _place(likelihood.fit, k)
    first = likelihood.residual.start + at.start
    if _one_to_one(part):
        place = first + own
        return Linear(likelihood.y, slice(place, place + 1), np.ones(1))
    return _Natural(likelihood.y, part, slice(first, first + at.stop - at.start), own)


def residual_value(likelihood: Likelihood, k: int, y: np.ndarray) -> Any:
    """The k-th parameter at y (n,), for complex steps in y too."""
    phi, model = y[likelihood.residual], likelihood.fit.residual
    value = model.natural(phi.real)[k]
    if not np.iscomplexobj(y):
        return value
    return value + 1j * float(model.jacobian(phi.real)[k] @ phi.imag)
