"""The interface of all families: distributions of the response given the linear predictor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..errors import ArgumentError
from .compiled import Kind, changed, code, several
from .jets import Jet, packed
from .links.base import Link
from .links.names import resolve_link
from .links.power import Log

Array: TypeAlias = np.ndarray
#: Logarithms of the estimated parameters: (m,), or (m, n) with one for every row.
Zeta: TypeAlias = Sequence[float] | np.ndarray
#: One number for each row, (n,), or one for all.
PerRow: TypeAlias = np.ndarray | float


class Rows(NamedTuple):
    """Log-density of each row, with its derivatives, at given linear predictors.

    Where the mean would be outside its range, or a number larger than a double, `loglik` is
    minus infinity and everything else is 0.

    Attributes
    ----------
    loglik : array (n,)
        The part of the log-density that depends on eta, times the weights.
    score : array (n,)
        d loglik / d eta.
    weight : array (n,)
        The weight asked for: expected (Fisher) or observed.
    observed : array (n,)
        - d2 loglik / d eta2.
    slope : array (n,)
        d weight / d eta.
    extra : array (m, 3, n)
        For each estimated parameter, on its log scale: the derivatives of `loglik`, `score` and
        `weight` at fixed eta.
    """

    loglik: Array
    score: Array
    weight: Array
    observed: Array
    slope: Array
    extra: Array


class Derivatives(NamedTuple):
    """Log-density of each row with its derivatives in K linear predictors.

    Where a predictor is outside its range, or a number larger than a double, `value` is minus
    infinity and everything else is 0.

    Attributes
    ----------
    value : array (n,)
        The log-density with all its constants, times the weights where they multiply it.
    score : array (K, n)
        Its derivatives; None at order 0.
    information : array (K (K + 1) / 2, n)
        Minus its second derivatives, as the lower triangle row by row: (0, 0), (1, 0), (1, 1),
        (2, 0), ...; None below order 2.
    """

    value: Array
    score: Array | None = None
    information: Array | None = None


class Family(ABC):
    """The conditional distribution of the response given the linear predictor eta.

    Parameters that are estimated enter as ``zeta``, the logarithms of the parameters named in
    `parameters`. `weights` divide the dispersion, ``Var(y) = dispersion * V(mu) / weights``, as
    those of means of that many observations; where the family has none they multiply the
    log-density. For the binomial they are the prior weights times the numbers of trials, and `y`
    is the proportion of successes.

    Attributes
    ----------
    name : str
        The name by which ``family="..."`` finds it.
    link : Link
        The link.
    parameters : tuple of str
        Names of the parameters that are estimated, in the order of ``zeta``; empty if none.
    parameter : float or None
        The value at which a parameter is fixed; None where it is estimated, or there is none.
    expected_by_default : bool
        Whether the Laplace approximation takes Fisher weights unless told otherwise.
    discrete : bool
        Whether the response is a count (or a proportion of one).
    support : str or None
        What a response may be: "proportion" (of trials), "count", "positive count", "positive",
        "non-negative", "open unit" (between 0 and 1), "half-open unit" (0 too), "closed unit" (0
        and 1 too) or "real"; None if that is not known.
    free_dispersion : bool
        Whether the parameter that is estimated is one over the dispersion.
    residual_variance : bool
        Whether the dispersion is the variance of a residual.
    normalised : bool
        Whether `log_density` has all its constants: those of other families compare with it then.
    limit : type of Family, or None
        The family that this one tends to as its parameter goes to infinity.
    log_concave : bool
        Whether the log-density is concave in eta whatever the response: conditional modes are
        unique then, and their observed information is positive.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import Poisson
    >>> rows = Poisson().rows(np.zeros(2), np.array([0.0, 3.0]), np.ones(2))
    >>> rows.score
    array([-1.,  2.])
    """

    name: str
    link: Link
    parameters: tuple[str, ...] = ()
    parameter: float | None = None
    expected_by_default: bool = True
    discrete: bool = False
    support: str | None = None
    residual_variance: bool = False
    normalised: bool = True
    limit: type[Family] | None = None
    #: Whether parameters have linear predictors of their own even where each is one number.
    own_predictors: bool = False
    #: Names of the parameters that the formulas of dispersion and shape model; None: there is none.
    dispersion_parameter: str | None = None
    shape_parameter: str | None = None

    #: The link with which expected and observed information are the same.
    canonical_link: type[Link] | None = None
    #: The number of the family in the kernels, and what they have of it: see `compiled.code`.
    compiled: int | None = None
    written_twice: tuple[str, ...] = (
        "rows", "valid", "value", "_in_range", "_in_log_mean", "_canonical_rows",
    )  # fmt: skip
    #: For the compiled rows of several predictors: the number of the family in them, the name of
    #: its link, and what their parameter is of its predictor; see `compiled.several`.
    compiled_several: tuple[int, str, float] | None = None
    #: Whether the kernels read log y.
    reads_log_y: bool = False
    #: Names of the links that make sense; "power" stands for power(p).
    links: tuple[str, ...]
    #: Names of those with which the log-density is concave in eta.
    concave_links: frozenset[str] = frozenset()
    #: A linear predictor that every link of the family takes: it stands in for those out of range.
    inside: float = 0.5

    def __init__(self, link: str | Link):
        self.link = resolve_link(link)
        kind = self.link.name.partition("(")[0]
        if kind not in self.links:
            allowed = ", ".join("power(p)" if name == "power" else name for name in self.links)
            raise ArgumentError(
                f"family {self.name!r} does not go with link={self.link.name!r}; "
                f"links that do: {allowed}"
            )

    @property
    def predictor_names(self) -> tuple[str, ...]:
        """Names of the linear predictors: the mean's, and for each parameter what it models."""
        models = {self.dispersion_parameter: "dispersion", self.shape_parameter: "shape"}
        return ("mean", *(models.get(name, name) for name in self.parameters))

    def for_formulas(self) -> Family:
        """The family of models in which the parameter has a formula; itself as a rule.

        Returns
        -------
        Family
            With the parameter on the scale that such models have.
        """
        return self

    @property
    def parameter_links(self) -> tuple[Link, ...]:
        """The links of the estimated parameters, in their order; logarithms by default."""
        return tuple(Log() for _ in self.parameters)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        """The log-density as a function of all its linear predictors, written on jets.

        Parameters
        ----------
        etas : sequence of K Jet
            Linear predictors: of the mean, then of `parameters` in their order.
        y, weights
            As in `rows`.
        trials : array (n,) or float
            Numbers of trials (binomial and beta-binomial only).

        Returns
        -------
        Jet
            The log-density with all its constants, times the weights where they multiply it.

        Raises
        ------
        ArgumentError
            If the family is not written in this way.
        """
        raise ArgumentError(
            f"the family {self.name!r} has no log-density of several predictors: it serves models "
            "without dispformula, ziformula and shapeformula"
        )

    def derivatives(
        self, eta: Array, y: Array, weights: Array, trials: PerRow = 1.0, order: int = 2
    ) -> Derivatives:
        """Log-density, score and observed information in all linear predictors.

        Parameters
        ----------
        eta : array (K, n)
            Linear predictors: of the mean, then of `parameters` in their order.
        y, weights, trials
            As in `log_density_of`.
        order : {0, 1, 2}
            Up to which order derivatives are wanted.

        Returns
        -------
        Derivatives
            New arrays.

        Examples
        --------
        >>> import numpy as np
        >>> from interlace.families import NegativeBinomial
        >>> family = NegativeBinomial()
        >>> eta = np.array([[0.0, 1.0], [0.5, 0.5]])
        >>> family.derivatives(eta, np.array([1.0, 4.0]), np.ones(2)).score.shape
        (2, 2)
        """
        K, n = eta.shape
        if (kind := self._kind) is not None:
            return _compiled_derivatives(kind, eta, y, weights, trials, order)
        jet, ok = self._jet(eta, y, weights, trials, order)
        value = np.where(ok, jet.value, -np.inf)
        if order == 0:
            return Derivatives(value)
        score = _filled(jet, [(k,) for k in range(K)], ok)
        if order == 1:
            return Derivatives(value, score)
        return Derivatives(value, score, -_filled(jet, packed(K), ok))

    def contracted(self, eta: Array, y: Array, weights: Array, trials: PerRow, H: Array) -> Array:
        """The derivatives of the information, each contracted with a symmetric matrix of its row.

        Parameters
        ----------
        eta, y, weights, trials
            As in `derivatives`.
        H : array (K (K + 1) / 2, n)
            Lower triangles of symmetric matrices, packed as `Derivatives.information`.

        Returns
        -------
        array (K, n)
            Of each predictor a the sum over b and c of d information_bc / d eta_a times H_bc.
        """
        K, n = eta.shape
        out = np.zeros((K, n))
        if (kind := self._kind) is not None:
            from .kernels import _several

            rows = _kernel_rows(eta, y, weights, trials)
            _several.contract(tuple(kind), *rows, np.ascontiguousarray(H, dtype=float), out)
            return out
        jet, ok = self._jet(eta, y, weights, trials, 3)
        for a in range(K):
            for (b, c), h in zip(packed(K), H, strict=True):
                third = jet.parts.get(tuple(sorted((a, b, c))))
                if third is not None:
                    out[a] -= (1.0 if b == c else 2.0) * third * h
        return np.where(ok, out, 0.0)

    @cached_property
    def _kind(self) -> Kind | None:
        return self.kernel_kind()

    def kernel_kind(self) -> Kind | None:
        """The kernels' description of the family; None if they do not have it."""
        return several(self)

    def fixed_predictor(self) -> float:
        """The predictor of the first parameter where that is fixed."""
        return 0.0

    def _jet(
        self, eta: Array, y: Array, weights: Array, trials: PerRow, order: int
    ) -> tuple[Jet, Array]:
        """The log-density up to an order, and in which rows all of it is a number."""
        inside = np.array(eta, dtype=float)
        inside[0], ok = self._in_range(eta[0])
        ok = ok & np.isfinite(inside[1:]).all(axis=0)
        with np.errstate(all="ignore"):
            jet = self.log_density_of(Jet.variables(inside, order), y, weights, trials)
            for part in jet.parts.values():
                ok = ok & np.isfinite(part)
        return jet, ok

    def response_mean_of(self, etas: Sequence[Jet]) -> Jet:
        """The mean of the response as a function of all linear predictors: see `mean`.

        Parameters
        ----------
        etas
            As in `log_density_of`.

        Returns
        -------
        Jet
            Means of the rows.
        """
        return self.mean_of(etas[0])

    def mean_derivatives(self, eta: Array) -> tuple[Array, Array]:
        """The mean of the response and its derivatives in all linear predictors.

        Parameters
        ----------
        eta : array (K, n)
            As in `derivatives`.

        Returns
        -------
        mean : array (n,)
            As `mean` gives it.
        gradient : array (K, n)
            Its derivatives.
        """
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            jet = self.response_mean_of(Jet.variables(eta, 1))
        everywhere = np.ones(eta.shape[1], dtype=bool)
        return jet.value, _filled(jet, [(k,) for k in range(len(eta))], everywhere)

    def conditional_mean(self, eta: Array, zeta: Zeta = ()) -> Array:
        """The mean of responses that are no structural zeros.

        Parameters
        ----------
        eta, zeta
            As in `mean`.

        Returns
        -------
        array (n,)
            The same as `mean` where there is no zero inflation.
        """
        return self.mean(eta, zeta)

    def zero_probability(self, eta: Array, zeta: Zeta = ()) -> Array:
        """The probability of a structural zero.

        Parameters
        ----------
        eta, zeta
            As in `mean`.

        Returns
        -------
        array (n,)
            0 where there is no zero inflation.
        """
        return np.zeros(np.shape(eta))

    def log_mean_of(self, eta: Jet) -> Jet:
        """The logarithm of a positive mean.

        Parameters
        ----------
        eta : Jet
            Linear predictors.

        Returns
        -------
        Jet
            log mu.
        """
        return eta.compose(*self.link.log_mean(eta.value))

    def log_probabilities_of(self, eta: Jet) -> tuple[Jet, Jet]:
        """The logarithms of a mean between 0 and 1 and of its complement.

        Parameters
        ----------
        eta : Jet
            Linear predictor of the mean.

        Returns
        -------
        tuple of two Jet
            log mu and log(1 - mu).
        """
        logs = self.link.log_probabilities(eta.value)
        return eta.compose(*logs[:4]), eta.compose(*logs[4:])

    def mean_of(self, eta: Jet) -> Jet:
        """The mean, that of responses that are no structural zeros.

        Parameters
        ----------
        eta : Jet
            Linear predictors.

        Returns
        -------
        Jet
            mu.
        """
        return eta.compose(*self.link.inverse_derivatives(eta.value))

    @property
    def log_concave(self) -> bool:
        """See the class; not known of functions that a subclass has of its own."""
        known = code(self) is not None and code(self.link) is not None
        return known and self.link.name in self.concave_links

    @abstractmethod
    def rows(
        self, eta: Array, y: Array, weights: Array, zeta: Zeta = (), expected: bool = True
    ) -> Rows:
        """Log-density, score, weights and their derivatives at linear predictors.

        Parameters
        ----------
        eta : array (n,)
            Linear predictor.
        y : array (n,)
            Response; proportions for the binomial.
        weights : array (n,)
            Prior weights; for the binomial times the numbers of trials.
        zeta : array (m,) or (m, n)
            Logarithms of the estimated parameters, one value each or one for every row.
        expected : bool
            Whether `Rows.weight` is the expected (Fisher) or the observed weight.

        Returns
        -------
        Rows
            New arrays.
        """

    @abstractmethod
    def constant(
        self, y: Array, weights: Array, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> tuple[Array, Array]:
        """The part of the log-density that does not depend on eta: the rest of `Rows.loglik`.

        Parameters
        ----------
        y, weights, zeta
            As in `rows`.
        trials : array (n,) or float
            Numbers of trials (binomial only).

        Returns
        -------
        value : array (n,)
            Constants: with `Rows.loglik` they make the log-density at these weights.
        derivative : array (m, n)
            Their derivatives with respect to `zeta`.
        """

    @abstractmethod
    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        """The variance function V(mu): the variance is ``dispersion * V(mu) / weights``.

        Parameters
        ----------
        mu : array (n,)
            Means.
        zeta
            As in `rows`.

        Returns
        -------
        array (n,)
            V(mu).
        """

    def pearson(
        self,
        y: Array,
        mu: Array,
        weights: PerRow = 1.0,
        zeta: Zeta = (),
        trials: PerRow | None = None,
    ) -> Array:
        """The squares of Pearson's residuals.

        Parameters
        ----------
        y, mu, weights, zeta
            As in `rows` and `variance`.
        trials : array (n,) or float, optional
            Numbers of trials of proportions; all of the weights, where not given.

        Returns
        -------
        array (n,)
            ``weights * (y - mu)**2 / V(mu)``.
        """
        return weights * (np.asarray(y, dtype=float) - mu) ** 2 / self.variance(mu, zeta)

    def mean(self, eta: Array, zeta: Zeta = ()) -> Array:
        """The mean that belongs to a linear predictor.

        Parameters
        ----------
        eta, zeta
            As in `rows`; the link "nbcanonical" alone uses zeta.

        Returns
        -------
        array (n,)
            mu.
        """
        return self.link.inverse(eta)

    def linear_predictor(self, mu: Array, zeta: Zeta = ()) -> Array:
        """The linear predictor that belongs to a mean.

        Parameters
        ----------
        mu, zeta
            As in `variance`; the link "nbcanonical" alone uses zeta.

        Returns
        -------
        array (n,)
            eta.
        """
        return self.link(mu)

    def mean_slope(self, eta: Array, zeta: Zeta = ()) -> Array:
        """The derivative of the mean with respect to the linear predictor.

        Parameters
        ----------
        eta, zeta
            As in `mean`.

        Returns
        -------
        array (n,)
            d mu / d eta.
        """
        return self.link.inverse_derivatives(eta)[1]

    @abstractmethod
    def deviance(self, y: Array, mu: Array, weights: PerRow = 1.0, zeta: Zeta = ()) -> Array:
        """The deviance of each row: twice the gap between the log-density and its maximum over mu.

        Parameters
        ----------
        y, mu, weights, zeta
            As in `rows` and `variance`.

        Returns
        -------
        array (n,)
            Unit deviances times the weights, not divided by the dispersion; R's ``dev.resids``.
        """

    @abstractmethod
    def log_density(
        self,
        y: Array,
        mu: Array,
        weights: PerRow | None = None,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        """The log-density of the response with all its constants.

        Parameters
        ----------
        y, mu, trials, zeta
            As in `constant` and `variance`.
        weights : array (n,) or float, optional
            As in `rows`; by default `trials`, which is prior weights of 1.

        Returns
        -------
        array (n,)
            Log-densities, times the prior weights where the family has no dispersion; minus
            infinity outside the support.
        """

    @abstractmethod
    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        """The probability of a response of at most `y`.

        Parameters
        ----------
        y, mu, trials, zeta
            As in `log_density`.
        weights : array (n,) or float
            Prior weights: they multiply the precision of continuous families, and do not matter
            to the others.

        Returns
        -------
        array (n,)
            Probabilities.
        """

    def cdf_of(
        self, y: Array, eta: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        """`cdf` for linear predictors of the mean in place of means.

        Parameters
        ----------
        y, weights, trials, zeta
            As in `cdf`.
        eta : array (n,)
            Linear predictors.

        Returns
        -------
        array (n,)
            Probabilities.
        """
        return self.cdf(y, self.mean(eta, zeta), weights, trials, zeta)

    @abstractmethod
    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        """Random responses.

        Parameters
        ----------
        rng : numpy.random.Generator
            The source of randomness.
        mu, weights, trials, zeta
            As in `cdf`.

        Returns
        -------
        array (n,)
            One response for each mean; proportions for the binomial.
        """

    def sample_of(
        self,
        rng: np.random.Generator,
        eta: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        """`sample` for linear predictors of the mean in place of means.

        Parameters
        ----------
        rng, weights, trials, zeta
            As in `sample`.
        eta : array (n,)
            Linear predictors.

        Returns
        -------
        array (n,)
            One response for each predictor.
        """
        return self.sample(rng, self.mean(eta, zeta), weights, trials, zeta)

    def log_density_at(
        self, y: Array, eta: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        """`log_density` for linear predictors of the mean in place of means.

        Parameters
        ----------
        y, weights, trials, zeta
            As in `log_density`.
        eta : array (n,)
            Linear predictors.

        Returns
        -------
        array (n,)
            Log-densities.
        """
        return self.log_density(y, self.mean(eta, zeta), weights, trials, zeta)

    @abstractmethod
    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        """Means to start an iteration from, near the response and inside the range; R's mustart.

        Parameters
        ----------
        y, weights
            As in `rows`.

        Returns
        -------
        array (n,)
            Means.
        """

    def start_eta(self, y: Array, weights: PerRow = 1.0) -> Array:
        """Linear predictors to start an iteration from: the link of `start_mean`.

        Parameters
        ----------
        y, weights
            As in `rows`.

        Returns
        -------
        array (n,)
            Linear predictors.
        """
        return self.link(self.start_mean(y, weights))

    def start_zeta(self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0) -> Array:
        """Moment estimates of the estimated parameters at given means.

        Parameters
        ----------
        y, mu, weights, trials
            As in `constant` and `variance`.

        Returns
        -------
        array (m,)
            zeta, the logarithms of the parameters.
        """
        return np.empty(0)

    def update_zeta(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        """Maximum-likelihood estimates of the estimated parameters at given means.

        Parameters
        ----------
        y, mu, weights, trials
            As in `start_zeta`.
        zeta : array (m,)
            Where to start; by default the moment estimates.

        Returns
        -------
        array (m,)
            zeta, the logarithms of the parameters.
        """
        return np.empty(0)

    def parameter_unit(self, y: Array, weights: PerRow = 1.0) -> float:
        """A value of the estimated parameter at which it shows in such a response.

        Parameters
        ----------
        y, weights
            As in `rows`.

        Returns
        -------
        float
            Positive; what the search takes for near and far is relative to it.
        """
        return 1.0

    def zeta_limit(self, unit: float) -> float:
        """The zeta from which on the densities no longer change.

        Parameters
        ----------
        unit : float
            Of `parameter_unit`.

        Returns
        -------
        float
            Infinite if there is none.
        """
        return np.inf

    @property
    def has_deviance(self) -> bool:
        """Whether `deviance` is defined; it raises ArgumentError otherwise."""
        return True

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        """A text on an estimated parameter that is as good as infinite, with the remedy.

        Parameters
        ----------
        zeta : array (m,)
            The estimate.
        unit : float
            Of `parameter_unit`.
        information : array (m,)
            Curvature of minus the log-likelihood there.

        Returns
        -------
        str or None
            None if it is not infinite.
        """
        return None

    @property
    def free_dispersion(self) -> bool:
        """Whether the parameter that is estimated is one over the dispersion."""
        return False

    @property
    def canonical(self) -> bool:
        """Whether expected and observed information are the same."""
        home: Any = next(c for c in type(self).__mro__ if "canonical_link" in vars(c))
        link = home.canonical_link
        return (
            link is not None
            and isinstance(self.link, link)
            and not changed(self.link, link, link.written_twice)
            and not changed(self, home, home.written_twice)
        )

    def dispersion(self, zeta: Zeta = ()) -> float:
        """The dispersion phi: the variance is ``phi * V(mu) / weights``.

        Parameters
        ----------
        zeta : array (m,)
            Logarithms of the estimated parameters.

        Returns
        -------
        float
            1 for binomial, Poisson and negative binomial; 1 / shape, 1 / lambda, 1 / precision.
        """
        return 1.0

    def sigma(self, zeta: Zeta = ()) -> float:
        """The square root of the dispersion, as R's ``sigma()``.

        Parameters
        ----------
        zeta : array (m,)
            Logarithms of the estimated parameters.

        Returns
        -------
        float
            sigma of the Gaussian, the coefficient of variation of the gamma.
        """
        return float(np.sqrt(self.dispersion(zeta)))

    def working(
        self, eta: Array, y: Array, weights: Array, zeta: Zeta = ()
    ) -> tuple[Array, Array, Array]:
        """The ingredients of a step of iteratively reweighted least squares.

        Parameters
        ----------
        eta, y, weights, zeta
            As in `rows`.

        Returns
        -------
        mu : array (n,)
            Means.
        derivative : array (n,)
            d eta / d mu.
        weight : array (n,)
            ``weights / (V(mu) * derivative**2)``, R's working weights, exact also in the tails.
        """
        rows = self.rows(eta, y, weights, zeta, expected=True)
        with np.errstate(divide="ignore", over="ignore"):
            derivative = 1.0 / self.mean_slope(eta, zeta)
        return self.mean(eta, zeta), derivative, rows.weight * self.dispersion(zeta)

    def valid(self, eta: Array) -> Array:
        """Whether linear predictors give means in the range of the family.

        Parameters
        ----------
        eta
            As in `rows`.

        Returns
        -------
        array (n,) of bool
            False also where `eta` is not finite.
        """
        return self.link.valid(eta)

    def _in_range(self, eta: Array) -> tuple[Array, Array]:
        """Linear predictors that can be computed with, and which of them were so from the start."""
        eta = np.asarray(eta, dtype=float)
        ok = self.valid(eta)
        return (eta if ok.all() else np.where(ok, eta, self.inside)), ok

    def _arguments(self) -> dict[str, Any]:
        """Arguments with which the constructor makes an equal family."""
        return {"link": self.link}

    def with_link(self, link: str | Link) -> Family:
        """The same family with another link.

        Parameters
        ----------
        link : str or Link
            The link.

        Returns
        -------
        Family
            A new family.
        """
        return type(self)(**{**self._arguments(), "link": link})

    def __repr__(self) -> str:
        def shown(value: Any) -> str:
            simple = isinstance(value, Link) and not value.__dict__
            return repr(value.name) if simple else repr(value)

        arguments = [f"{k}={shown(v)}" for k, v in self._arguments().items() if v is not None]
        return f"{type(self).__name__}({', '.join(arguments)})"

    def _distribution(self) -> type[Family]:
        """The class that says which distribution this is."""
        return type(self)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Family)
            and self._distribution() is other._distribution()
            and self._arguments() == other._arguments()
        )

    def __hash__(self) -> int:
        return hash((self.name, *self._arguments().items()))


def _kernel_rows(
    eta: Array, y: Array, weights: Array, trials: PerRow
) -> tuple[Array, Array, Array, Array]:
    """Arrays as the kernels take them."""
    eta = np.ascontiguousarray(eta, dtype=float)
    shape, rows = eta.shape[1:], []
    for values in (y, weights, trials):
        row = np.ascontiguousarray(values, dtype=float)
        rows.append(row if row.shape == shape else np.broadcast_to(row, shape).copy())
    return eta, rows[0], rows[1], rows[2]


def _compiled_derivatives(
    kind: Kind, eta: Array, y: Array, weights: Array, trials: PerRow, order: int
) -> Derivatives:
    """`Family.derivatives` in one pass over the rows."""
    from .kernels import _several

    K, n = eta.shape
    value = np.empty(n)
    score = np.empty((K if order > 0 else 0, n))
    information = np.empty((K * (K + 1) // 2 if order > 1 else 0, n))
    rows = _kernel_rows(eta, y, weights, trials)
    _several.fill(tuple(kind), order, *rows, value, score, information)
    return Derivatives(value, score if order > 0 else None, information if order > 1 else None)


def _filled(jet: Jet, indices: Sequence[tuple[int, ...]], ok: Array) -> Array:
    """Derivatives of a jet, (len(indices), n), 0 where a row is not a number."""
    out = np.zeros((len(indices), ok.size))
    for row, index in zip(out, indices, strict=True):
        row[:] = np.where(ok, jet.part(*index), 0.0)
    return out


def rowwise(*values: Any) -> tuple[Array, ...]:
    """Numbers and arrays as arrays of doubles of one shape."""
    return tuple(np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values)))


def gathered(
    ok: Array,
    loglik: Array,
    score: Array,
    weight: Array,
    observed: Array,
    slope: Array,
    extra: Array,
) -> Rows:
    """`Rows` in which rows outside the range, or beyond the doubles, are marked as such."""
    with np.errstate(over="ignore", invalid="ignore"):
        ok = ok & np.isfinite(loglik + score + weight + observed + slope)
    if not ok.all():
        loglik = np.where(ok, loglik, -np.inf)
        score, weight, observed, slope = (
            np.where(ok, part, 0.0) for part in (score, weight, observed, slope)
        )
        extra = np.where(ok, extra, 0.0)
    return Rows(loglik, score, weight, observed, slope, extra)
