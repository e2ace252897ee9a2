"""Families of a user's own functions, those of R's families."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..errors import ArgumentError
from .base import Array, Family, PerRow, Rows, Zeta, gathered
from .links.base import Link
from .links.names import resolve_link
from .special_functions import central_differences, shrunk_proportions

#: What an object must have to serve as a family.
PROTOCOL = ("link", "linkinv", "mu_eta", "variance", "dev_resids")

#: Step of the central differences, in units of the scale on which the mean changes. Fourth-order
#: differences on five points then have errors of about 1e-12 (first) and 1e-10 (second derivative).
STEP = 2e-3

#: Functions of the linear predictor, whose values are checked.
CHECKED = ("linkinv", "mu_eta")

#: Where the inverse link is looked at to learn the range of the mean, as far as eta may go there.
PROBES = np.array([-30.0, -3.0, -0.3, 0.3, 3.0, 30.0])


#: A derivative that differs by this share of it from central differences is another function.
DERIVATIVE_SHARE = 1e-3
#: Rounding of a function's values, relative; and slopes too small to be told from zero.
ROUNDING = 1e-13
TINY = 1e-9


class GLMMFamily(Protocol):
    """The functions that an object needs to serve as ``family=``; it need not inherit from this.

    They take and return arrays, as in an R family object; see `CustomFamily`.

    Examples
    --------
    >>> import numpy as np
    >>> import interlace as il
    >>> class PoissonLog:
    ...     def link(self, mu): return np.log(mu)
    ...     def linkinv(self, eta): return np.exp(eta)
    ...     def mu_eta(self, eta): return np.exp(eta)
    ...     def variance(self, mu): return mu
    ...     def dev_resids(self, y, mu, weights):
    ...         ratio = np.where(y > 0, y, mu) / mu
    ...         return 2.0 * weights * (y * np.log(ratio) - (y - mu))
    >>> m = il.glmer("TICKS ~ YEAR + (1 | BROOD)", il.load_dataset("grouseticks"), PoissonLog())
    >>> m.fe_params.round(3).iloc[0]
    np.float64(0.351)
    """

    def link(self, mu: Array) -> Array:
        """Linear predictors of means.

        Parameters
        ----------
        mu : array (n,)
            Means.

        Returns
        -------
        array (n,)
            eta.
        """

    def linkinv(self, eta: Array) -> Array:
        """Means of linear predictors.

        Parameters
        ----------
        eta : array (n,)
            Linear predictors.

        Returns
        -------
        array (n,)
            mu.
        """

    def mu_eta(self, eta: Array) -> Array:
        """The derivative of the mean with respect to the linear predictor.

        Parameters
        ----------
        eta : array (n,)
            Linear predictors.

        Returns
        -------
        array (n,)
            d mu / d eta.
        """

    def variance(self, mu: Array) -> Array:
        """The variance function.

        Parameters
        ----------
        mu : array (n,)
            Means.

        Returns
        -------
        array (n,)
            V(mu).
        """

    def dev_resids(self, y: Array, mu: Array, weights: Array) -> Array:
        """Deviances of the rows.

        Parameters
        ----------
        y : array (n,)
            Response; proportions, if it has trials.
        mu : array (n,)
            Means.
        weights : array (n,)
            Prior weights, times the numbers of trials.

        Returns
        -------
        array (n,)
            Unit deviances times the weights.
        """


class CustomFamily(Family):
    """A family made of an object with the functions of R's families.

    The object has five functions of arrays: ``link(mu)``, ``linkinv(eta)``, ``mu_eta(eta)`` (the
    derivative of the mean), ``variance(mu)`` and ``dev_resids(y, mu, weights)``. It may also have
    ``name``, ``valideta(eta)`` and ``validmu(mu)`` (True, False, or an array of them),
    ``mustart(y, weights)``, ``cdf(y, mu)`` and ``sample(rng, mu)``.

    The score is ``weights * (y - mu) * mu_eta / variance``, the expected weight
    ``weights * mu_eta**2 / variance``. Observed weights and slopes are derivatives of these,
    taken numerically row by row. The log-density is ``-dev_resids / 2``: log-likelihoods lack a
    constant that depends on the response alone, and can be compared between models of one family
    only. The dispersion is 1.

    Parameters
    ----------
    functions : object
        What has the five functions.
    link : Link, optional
        A link to use instead of the object's ``link``, ``linkinv`` and ``mu_eta``.

    Raises
    ------
    ArgumentError
        If one of the five functions is missing.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from interlace.families import resolve
    >>> functions = SimpleNamespace(
    ...     name="poisson by hand",
    ...     link=np.log,
    ...     linkinv=np.exp,
    ...     mu_eta=np.exp,
    ...     variance=lambda mu: mu,
    ...     dev_resids=lambda y, mu, wt: 2 * wt * (y * np.log(np.where(y > 0, y, 1) / mu) - y + mu),
    ... )
    >>> family = resolve(functions)
    >>> family
    CustomFamily('poisson by hand')
    >>> rows = family.rows(np.zeros(2), np.array([1.0, 3.0]), np.ones(2))
    >>> rows.score
    array([0., 2.])
    """

    links = ()
    normalised = False

    def __init__(self, functions: object, link: str | Link | None = None):
        missing = [name for name in PROTOCOL if not callable(getattr(functions, name, None))]
        if missing:
            raise ArgumentError(
                f"a family of your own needs the functions {', '.join(PROTOCOL)}; "
                f"{type(functions).__name__!r} has no {', '.join(missing)}"
            )
        self.functions: Any = functions
        self._own_link = link is None
        self.link = _OwnLink(functions) if link is None else resolve_link(link)
        name = getattr(functions, "name", None) or getattr(functions, "family", None)
        self.label = name if isinstance(name, str) else type(functions).__name__
        # Nothing that knows the families of this package by name may take this one for its own.
        self.name = f"custom({self.label})"
        if self._own_link:
            _check_link(functions)
        means = self._means(PROBES)[self.valid(PROBES)]
        self._positive = bool(np.all(means >= 0.0))
        self._bounded = self._positive and bool(np.all(means <= 1.0))

    def _arguments(self) -> dict[str, Any]:
        own = {} if self._own_link else {"link": self.link}
        return {"functions": self.functions, **own}

    def __repr__(self) -> str:
        return f"CustomFamily({self.label!r})"

    def __hash__(self) -> int:
        # Equal families have the same functions, but what holds them need not be hashable.
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)

    def valid(self, eta: Array) -> Array:
        eta = np.asarray(eta, dtype=float)
        ok = self.link.valid(eta) if not self._own_link else np.isfinite(eta)
        mu = self._means(eta)
        for name, value in (("valideta", eta), ("validmu", mu)):
            check = getattr(self.functions, name, None)
            if callable(check) and (name == "validmu" or self._own_link):
                ok = ok & _each_row(check, value)
        return ok & np.isfinite(mu)

    def _means(self, eta: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.link.inverse(eta), dtype=float)

    def _unit(self, eta: Array, y: Array) -> Array:
        """Score and expected weight at weight 1, (2, n); 0 where they are not numbers."""
        with np.errstate(all="ignore"):
            mu, slope = self._means(eta), self.mean_slope(eta)
            ratio = slope / np.asarray(self.functions.variance(mu), dtype=float)
            score, weight = (y - mu) * ratio, slope * ratio
        both = np.array([score, weight])
        return np.where(np.isfinite(both), both, 0.0)

    def _step(self, eta: Array) -> Array:
        """Steps for the differences: a small part of the way in eta on which the mean changes."""
        whole = np.maximum(1.0, np.abs(eta))
        if not self._positive:
            return STEP * whole
        with np.errstate(all="ignore"):
            mu = self._means(eta)
            near = np.minimum(mu, 1.0 - mu) if self._bounded else mu
            scale = np.abs(near / self.mean_slope(eta))
        return STEP * np.where(np.isfinite(scale) & (scale > 0.0), np.minimum(scale, whole), 1.0)

    def rows(
        self, eta: Array, y: Array, weights: Array, zeta: Zeta = (), expected: bool = True
    ) -> Rows:
        eta = np.asarray(eta, dtype=float)
        ok = self.valid(eta)
        values, first, second = central_differences(
            lambda x: self._unit(x, y), eta, self._step(eta)
        )
        score, observed = values[0], -first[0]
        weight, slope = (values[1], first[1]) if expected else (observed, -second[0])
        with np.errstate(all="ignore"):
            loglik = -0.5 * self.deviance(y, self._means(eta), weights)
            return gathered(
                ok,
                loglik,
                score * weights,
                weight * weights,
                observed * weights,
                slope * weights,
                np.empty((0, 3, eta.size)),
            )

    def constant(
        self, y: Array, weights: Array, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> tuple[Array, Array]:
        return np.zeros(np.shape(y)), np.empty((0, np.size(y)))

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        mu = np.asarray(mu, dtype=float)
        return np.broadcast_to(np.asarray(self.functions.variance(mu), dtype=float), mu.shape)

    def deviance(self, y: Array, mu: Array, weights: PerRow = 1.0, zeta: Zeta = ()) -> Array:
        y = np.asarray(y, dtype=float)
        with np.errstate(all="ignore"):
            weights = np.broadcast_to(np.asarray(weights, dtype=float), y.shape)
            return np.asarray(self.functions.dev_resids(y, mu, weights), dtype=float)

    def log_density(
        self,
        y: Array,
        mu: Array,
        weights: PerRow | None = None,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        return -0.5 * self.deviance(y, mu, trials if weights is None else weights)

    def _optional(self, name: str, purpose: str) -> Callable[..., Any]:
        function = getattr(self.functions, name, None)
        if not callable(function):
            raise ArgumentError(
                f"family {self.label!r} is one of your own without {name}(...): {purpose} needs it"
            )
        return function

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        return self._optional("cdf", "the distribution function, cdf(y, mu),")(y, mu)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        return self._optional("sample", "simulation, by sample(rng, mu),")(rng, mu)

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        y = np.asarray(y, dtype=float)
        if callable(getattr(self.functions, "mustart", None)):
            weights = np.broadcast_to(np.asarray(weights, dtype=float), y.shape)
            return np.asarray(self.functions.mustart(y, weights), dtype=float)
        if self._bounded:
            return shrunk_proportions(y, weights)
        return np.where(y <= 0.0, 0.1, y) if self._positive else y.copy()


class _OwnLink(Link):
    """The link of a user's functions."""

    ratios = True  # it may be a logarithm: the user knows

    def __init__(self, functions: Any):
        self.functions = functions
        self.name = "custom"

    def __call__(self, mu: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.functions.link(np.asarray(mu, dtype=float)), dtype=float)

    def derivative(self, mu: Array) -> Array:
        with np.errstate(all="ignore"):
            return 1.0 / np.asarray(self.functions.mu_eta(self(mu)), dtype=float)

    def inverse(self, eta: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.functions.linkinv(np.asarray(eta, dtype=float)), dtype=float)

    def inverse_derivatives(self, eta: Array) -> tuple[Array, Array, Array, Array]:
        """Mean and first derivative are the user's, the others central differences of them."""
        eta = np.asarray(eta, dtype=float)
        h = STEP * np.maximum(1.0, np.abs(eta))

        def slope(x: Array) -> Array:
            value = np.asarray(self.functions.mu_eta(x), dtype=float)
            return np.broadcast_to(value, x.shape).astype(float)

        with np.errstate(all="ignore"):
            return self.inverse(eta), *central_differences(slope, eta, h)

    def __repr__(self) -> str:
        return "a link of your own"


def _check_link(functions: Any) -> None:
    """Refuse functions that do not fit together, before a search goes astray with them."""
    with np.errstate(all="ignore"):
        values = {name: np.asarray(getattr(functions, name)(PROBES)) for name in CHECKED}
        for name, value in values.items():
            if value.shape not in ((), PROBES.shape) or value.dtype.kind not in "fiu":
                raise ArgumentError(
                    f"the family's {name} gives {value.dtype} of shape {value.shape} for an array "
                    f"of {PROBES.size} numbers; it must give one number for each"
                )
        if values["linkinv"].shape == ():
            raise ArgumentError(
                "the family's linkinv gives a single number for an array; it must give one mean "
                "for each linear predictor"
            )
        h = 1e-5 * np.maximum(1.0, np.abs(PROBES))
        up, down = (np.asarray(functions.linkinv(PROBES + s * h), float) for s in (1.0, -1.0))
        numeric = (up - down) / (2.0 * h)
        derivative = np.broadcast_to(values["mu_eta"], PROBES.shape).astype(float)
        known = np.isfinite(numeric) & np.isfinite(derivative)
        size = np.maximum(np.abs(numeric), np.abs(values["linkinv"]) * ROUNDING / h)
        wrong = known & (np.abs(derivative - numeric) > DERIVATIVE_SHARE * size + TINY)
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        raise ArgumentError(
            f"the family's mu_eta is not the derivative of its linkinv: at eta = {PROBES[i]:g} it "
            f"gives {derivative[i]:.6g}, differences of linkinv {numeric[i]:.6g}"
        )


def _each_row(check: Callable[..., Any], value: Array) -> Array:
    """The answer of a check of all rows, or of each."""
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(check(value), dtype=bool), value.shape)
