"""Coordinates of the thresholds of ordered categories, the first of which is profiled."""

from __future__ import annotations

import numpy as np

from .coordinates import Coordinates

__all__ = ["Threshold"]


class Threshold(Coordinates):
    """One parameter of the thresholds of ordered categories, in place of one of zeta.

    ``weights`` (m,) are its parts w, of which the first is a location where ``located`` and the
    others are exponentials of zeta. With the location, phi is y with the parameter in its place,
    which moves with ``linear @ y`` as well; else it is the logarithm of a sum of distances, and
    their ratios.
    """

    def __init__(
        self, y: np.ndarray, at: slice, weights: np.ndarray, linear: np.ndarray, located: bool
    ) -> None:
        self.linear = linear
        places = np.arange(y.size)[at]
        self.located = located and weights[0] != 0.0
        if self.located:
            self.own, self.last = places[1:], int(places[0])
            self.weights = weights[1:]
        else:
            used = places[: weights.size][weights != 0.0]
            self.own, self.last = used[:-1], int(used[-1])
            self.weights = np.ones(self.own.size)
        self.others = np.delete(np.arange(y.size), self.last)
        inner = np.exp(y[self.own])
        if self.located:
            first = y[self.last] + self.weights @ inner + linear @ y
            rest = y[self.others]
        else:
            first = np.log(inner.sum() + np.exp(y[self.last]))
            moved = y.copy()
            moved[self.own] -= y[self.last]
            rest = moved[self.others]
        self.start = np.concatenate([[first], rest])

    def y(self, phi: np.ndarray) -> np.ndarray:
        out = np.empty(phi.size)
        out[self.others] = phi[1:]
        inner = np.exp(out[self.own])
        if self.located:
            out[self.last] = 0.0
            out[self.last] = phi[0] - self.weights @ inner - self.linear @ out
            return out
        out[self.last] = phi[0] - np.log1p(inner.sum())
        out[self.own] += out[self.last]
        return out

    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        n = phi.size
        J = np.zeros((n, n))
        J[self.others, np.arange(1, n)] = 1.0
        column = {place: 1 + k for k, place in enumerate(self.others.tolist())}
        columns = [column[place] for place in self.own.tolist()]
        inner = np.exp(phi[columns])
        J[self.last, 0] = 1.0
        if self.located:
            J[self.last, columns] = -self.weights * inner
            J[self.last, 1:] -= self.linear[self.others]
            return J
        J[self.last, columns] = -inner / (1.0 + inner.sum())
        J[self.own] += J[self.last]
        return J
