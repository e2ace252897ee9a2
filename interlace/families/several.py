"""Families given by their log-density: derivatives of any number of parameters follow from it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, brief
from . import jets
from .base import Array, Family, PerRow, Rows, Zeta, gathered, rowwise
from .jets import Jet
from .links.base import Link
from .links.power import Log

#: Moment estimates of what has no unit are kept so far from the ends of their range.
FARTHEST_START = 12.0
#: Newton's iteration for all parameters at given predictors of the mean.
UPDATE_STEP = 1e-9
UPDATES = 50


class SeveralParameters(Family):
    """A family with parameters beside the mean, each estimated unless its value is given.

    Weights multiply the log-density. Curvatures are observed ones, whatever `expected` asks for.

    Attributes
    ----------
    all_parameters : dict of str to Link
        The parameters in order with their links, fixed ones included.
    fixed : dict of str to float
        Values of those that are fixed.
    """

    expected_by_default = False
    own_predictors = True
    #: Parameters and links of a class; `all_parameters` of an object may depend on its parts.
    parameter_scales: Mapping[str, Link] = {}

    def __init__(self, link: str | Link, **values: float | None):
        self.all_parameters = self._scales()
        super().__init__(link)
        self.fixed = {
            name: self._checked(name, value) for name, value in values.items() if value is not None
        }
        self.parameters = tuple(name for name in self.all_parameters if name not in self.fixed)

    def _scales(self) -> dict[str, Link]:
        return dict(self.parameter_scales)

    def _checked(self, name: str, value: float) -> float:
        call = f"{type(self).__name__}({name}=...)"
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise ArgumentTypeError(
                f"{call} must be a number, or None to estimate it; got {brief(value)}"
            )
        with suppress(OverflowError):  # of whole numbers that no double holds
            value = float(value)
        link = self.all_parameters[name]
        with np.errstate(all="ignore"):
            fine = isinstance(value, float) and np.isfinite(link(np.asarray(value)))
        if not fine or not np.isfinite(value):
            raise ArgumentError(f"{call} is out of its range; got {brief(value)}")
        return float(value)

    @property
    def parameter_links(self) -> tuple[Link, ...]:
        return tuple(self.all_parameters[name] for name in self.parameters)

    def values(self, zeta: Zeta = ()) -> tuple[Any, ...]:
        """All parameters themselves, estimated ones from their predictors and fixed ones.

        Parameters
        ----------
        zeta : array (m,) or (m, n)
            Linear predictors of the estimated parameters.

        Returns
        -------
        tuple of float or array (n,)
            Parameters in the order of `all_parameters`.

        Raises
        ------
        ArgumentError
            If there are not as many predictors as estimated parameters.
        """
        if len(zeta) != len(self.parameters):
            raise ArgumentError(
                f"family {self.name!r} estimates {', '.join(self.parameters) or 'no parameter'}: "
                f"zeta must hold {len(self.parameters)} predictors; got {len(zeta)}"
            )
        moving = iter(zeta)
        return tuple(
            self.fixed[name] if name in self.fixed else link.inverse(np.asarray(next(moving)))
            for name, link in self.all_parameters.items()
        )

    def fixed_predictor(self) -> float:
        for name, link in self.all_parameters.items():
            return float(link(np.asarray(self.fixed[name]))) if name in self.fixed else 0.0
        return 0.0

    def all_etas(self, etas: Sequence[Jet]) -> list[Jet]:
        """Predictors of the mean and of all parameters, fixed ones as constants.

        Parameters
        ----------
        etas : sequence of Jet
            Predictors of the mean and of the parameters that are estimated.

        Returns
        -------
        list of Jet
            One more than `all_parameters`.

        Raises
        ------
        ArgumentError
            If there are more or fewer.
        """
        if len(etas) != 1 + len(self.parameters):
            raise ArgumentError(
                f"family {self.name!r} has {1 + len(self.parameters)} linear predictors: of the "
                f"mean and of {', '.join(self.parameters) or 'no parameter'}; got {len(etas)}"
            )
        moving = iter(etas[1:])
        return [
            etas[0],
            *(
                jets.constant(link(np.asarray(self.fixed[name])))
                if name in self.fixed
                else next(moving)
                for name, link in self.all_parameters.items()
            ),
        ]

    def rows(
        self, eta: Array, y: Array, weights: Array, zeta: Zeta = (), expected: bool = True
    ) -> Rows:
        etas = stacked(eta, zeta)
        trials = weights if self.support == "proportion" else 1.0
        jet, ok = self._jet(etas, y, weights, trials, 3)
        first = [jet.part(k) for k in range(len(etas))]
        second = [jet.part(0, k) for k in range(len(etas))]
        slopes = [jet.part(0, 0, k) for k in range(len(etas))]
        zero = np.zeros(etas.shape[1])
        extra = np.zeros((len(etas) - 1, 3, etas.shape[1]))
        for k, out in enumerate(extra, 1):
            out[0], out[1], out[2] = first[k], second[k], -slopes[k]
        parts = (first[0] + zero, zero - second[0], zero - second[0], zero - slopes[0])
        return gathered(ok, jet.value + zero, *parts, extra)

    def constant(
        self, y: Array, weights: Array, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> tuple[Array, Array]:
        return np.zeros(np.size(y)), np.zeros((len(self.parameters), np.size(y)))

    def possible(self, y: Array) -> Array:
        """Whether responses are in the support.

        Parameters
        ----------
        y : array (n,)
            Responses.

        Returns
        -------
        array (n,) of bool
        """
        return in_support(self.support, y)

    def log_density(
        self,
        y: Array,
        mu: Array,
        weights: PerRow | None = None,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        weights = trials if weights is None else weights
        y, mu, weights, trials = rowwise(y, mu, weights, trials)
        shape = y.shape
        y, mu, weights, trials = (np.ravel(x) for x in (y, mu, weights, trials))
        possible = self.possible(y)
        typical = 0.5 if self.support and self.support.endswith("unit") else 1.0
        etas = stacked(self.linear_predictor(mu, zeta), zeta)
        inside = np.where(possible, y, typical)
        value = self.derivatives(etas, inside, weights, trials, 0).value
        return np.where(possible, value, -np.inf).reshape(shape)

    def mean(self, eta: Array, zeta: Zeta = ()) -> Array:
        return self._mean_jet(eta, zeta, 0).value

    def mean_slope(self, eta: Array, zeta: Zeta = ()) -> Array:
        return self._mean_jet(eta, zeta, 1).part(0) + np.zeros(np.shape(eta))

    def _mean_jet(self, eta: Array, zeta: Zeta, order: int) -> Jet:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self.response_mean_of(Jet.variables(stacked(eta, zeta), order))

    @property
    def has_deviance(self) -> bool:
        return False

    def deviance(self, y: Array, mu: Array, weights: PerRow = 1.0, zeta: Zeta = ()) -> Array:
        raise ArgumentError(
            f"the family {self.name!r} has no deviance of single observations: its log-density "
            "need not be highest where the mean is the response. Take residuals of type 'pearson'"
        )

    def start_zeta(self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0) -> Array:
        y, mu, weights, trials = rowwise(y, mu, weights, trials)
        moments = self._moments(y, mu, weights / trials, trials) if self.parameters else {}
        with np.errstate(all="ignore"):
            zeta = [
                self.all_parameters[name](np.asarray(moments[name])) for name in self.parameters
            ]
        far = [np.inf if link == LOGARITHM else FARTHEST_START for link in self.parameter_links]
        return np.clip(np.nan_to_num(zeta), np.negative(far), far)

    @abstractmethod
    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        """Estimates of all parameters at given means, from moments; (n,) each and prior weights."""

    def update_zeta(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        if not self.parameters:
            return np.empty(0)
        y, mu, weights, trials = rowwise(y, mu, weights, trials)
        at = np.array(zeta if len(zeta) else self.start_zeta(y, mu, weights, trials), dtype=float)
        eta = self.linear_predictor(mu, at)
        return _likeliest(self, eta, y, weights, trials, at)

    def _arguments(self) -> dict[str, Any]:
        return {"link": self.link, **{name: self.fixed.get(name) for name in self.all_parameters}}


def _likeliest(
    family: SeveralParameters, eta: Array, y: Array, weights: Array, trials: Array, zeta: Array
) -> Array:
    """The maximum over zeta at given eta, by Newton steps that are halved until they climb."""

    def at(zeta: Array, order: int) -> Any:
        return family.derivatives(stacked(eta, zeta), y, weights, trials, order)

    m = len(zeta)
    best = at(zeta, 0).value.sum()
    for _ in range(UPDATES):
        there = at(zeta, 2)
        score = there.score[1:].sum(axis=1)
        information = np.empty((m, m))
        for (b, a), row in zip(jets.packed(m + 1), there.information, strict=True):
            if b > 0:
                information[a - 1, b - 1] = information[b - 1, a - 1] = row.sum()
        values, vectors = np.linalg.eigh(information)
        values = np.maximum(np.abs(values), 1e-8 * max(1.0, float(np.abs(values).max())))
        step = np.clip(vectors @ ((vectors.T @ score) / values), -2.0, 2.0)
        while np.abs(step).max() > UPDATE_STEP:
            new = at(zeta + step, 0).value.sum()
            if new > best:
                break
            step = 0.5 * step
        else:
            return zeta
        zeta, best = zeta + step, new
    return zeta


def stacked(eta: Array, zeta: Zeta) -> Array:
    """Predictors (K, n) of the mean's, (n,), and the parameters', (m,) or (m, n)."""
    eta = np.atleast_1d(np.asarray(eta, dtype=float))
    return np.stack([eta, *(np.broadcast_to(np.asarray(z, dtype=float), eta.shape) for z in zeta)])


def in_support(support: str | None, y: Array) -> Array:
    """Whether responses are what a family's `support` says."""
    y = np.asarray(y, dtype=float)
    if support == "proportion" or support == "closed unit":
        return (y >= 0.0) & (y <= 1.0)
    if support in ("open unit", "half-open unit"):
        return (y > 0.0 if support == "open unit" else y >= 0.0) & (y < 1.0)
    if support in ("count", "non-negative"):
        return y >= 0.0
    if support == "positive count":
        return y >= 1.0
    return y > 0.0 if support == "positive" else np.isfinite(y)


LOGARITHM = Log()
