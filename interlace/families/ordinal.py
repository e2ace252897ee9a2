"""The family of ordered categories: cumulative link models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, brief
from . import compiled
from .base import Array, Family, PerRow, Rows, Zeta, gathered
from .intervals import log_interval
from .links.base import Link
from .links.power import Identity, Log
from .thresholds import threshold_names, thresholds_of


class Ordinal(Family):
    """Ordered categories: P(y <= j) = F(alpha_j - eta), F the inverse of the link.

    The response is the number of the category, 0, 1, ..., and `mean` its expectation. The linear
    predictor has no intercept. Wherever ``zeta`` is asked for, thresholds themselves will do, as an
    array (size, n) with those of each row.

    Parameters
    ----------
    levels : sequence
        The categories from the lowest to the highest.
    link : str or Link, default "logit"
        logit, probit, cloglog, loglog or cauchit.
    threshold : {"flexible", "symmetric", "symmetric2", "equidistant"}, default "flexible"
        Structure of the thresholds.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import Ordinal
    >>> family = Ordinal(["low", "middle", "high"])
    >>> family.probabilities(np.zeros(1), np.array([0.0, np.log(1.0)])).round(3).tolist()
    [[0.5, 0.231, 0.269]]
    """

    name = "ordinal"
    support = "category"
    discrete = True
    expected_by_default = False
    compiled = compiled.ORDINAL
    written_twice = ("rows", "valid", "_intervals")
    links = ("logit", "probit", "cloglog", "loglog", "cauchit")
    concave_links = frozenset({"logit", "probit", "cloglog", "loglog"})

    def __init__(
        self, levels: Sequence[Any], link: str | Link = "logit", threshold: str = "flexible"
    ) -> None:
        super().__init__(link)
        self.levels = _categories(levels)
        if len(self.levels) < 2:
            raise ArgumentError(
                f"ordered categories are two or more, got {len(self.levels)}: "
                f"{self.levels.tolist()}"
            )
        known = threshold if isinstance(threshold, str) else brief(threshold)
        self.thresholds = thresholds_of(known, len(self.levels) - 1)
        names = zip(self.thresholds.logs.tolist(), range(self.thresholds.count), strict=True)
        self.parameters = tuple(f"distance.{k}" if log else "location" for log, k in names)

    @property
    def threshold(self) -> str:
        """The structure of the thresholds."""
        return self.thresholds.structure

    @property
    def threshold_names(self) -> list[str]:
        """``"low|middle"``: names of the thresholds."""
        return threshold_names(self.levels)

    @property
    def parameter_links(self) -> tuple[Link, ...]:
        return tuple(Log() if log else Identity() for log in self.thresholds.logs)

    def _arguments(self) -> dict[str, Any]:
        return {"levels": self.levels.tolist(), "link": self.link, "threshold": self.threshold}

    def __hash__(self) -> int:
        return hash((self.name, *map(str, self.levels), self.link, self.threshold))

    def alpha(self, zeta: Zeta) -> Array:
        """Thresholds of their parameters.

        Parameters
        ----------
        zeta : array (m,), or (size, n)
            Parameters, or thresholds, which stay as they are.

        Returns
        -------
        array (size,), or (size, n)
        """
        zeta = np.asarray(zeta, dtype=float)
        if zeta.ndim == 2:
            return zeta
        if zeta.size != self.thresholds.count:
            raise ArgumentError(
                "with nominal= or scale= the thresholds differ between rows, and the family "
                "alone does not know them; predict() has the probabilities of the categories"
            )
        return self.thresholds.at(zeta)

    def _columns(self, zeta: Zeta) -> Array:
        """Thresholds, (size, 1) or (size, n)."""
        alpha = self.alpha(zeta)
        return alpha[:, None] if alpha.ndim == 1 else alpha

    def limits(self, y: Array, zeta: Zeta) -> tuple[Array, Array]:
        """Upper and lower threshold of the category of each row, infinite beyond the ends.

        Parameters
        ----------
        y : array (n,)
            Numbers of categories.
        zeta
            As in `alpha`.

        Returns
        -------
        tuple of two arrays (n,)
        """
        alpha, y = self.alpha(zeta), np.asarray(y).astype(np.intp)
        ends = np.full((1, *alpha.shape[1:]), np.inf)
        every = np.concatenate([-ends, alpha, ends])
        if alpha.ndim == 1:
            return every[y + 1], every[y]
        rows = np.arange(alpha.shape[1])
        return every[y + 1, rows], every[y, rows]

    def _intervals(self, eta: Array, y: Array, zeta: Zeta) -> Any:
        upper, lower = self.limits(y, zeta)
        return log_interval(self.link, upper - eta, lower - eta)

    def rows(
        self, eta: Array, y: Array, weights: Array, zeta: Zeta = (), expected: bool = True
    ) -> Rows:
        eta = np.asarray(eta, dtype=float)
        at = self._intervals(eta, y, zeta)
        codes = np.asarray(y).astype(np.intp)
        value, score, observed, slope = at.value, -at.d1, -at.d2, at.d3
        upper = np.array([at.v, -at.v1, -at.v2])
        # a shift of both limits is one of -eta
        lower = -np.array([score, -observed, slope]) - upper
        extra = np.zeros((len(self.parameters), 3, eta.size))
        if np.ndim(zeta) == 1 and len(self.parameters):
            J = self.thresholds.jacobian(np.asarray(zeta))
            ends = np.zeros((1, J.shape[1]))
            every = np.concatenate([ends, J, ends])
            extra = every[codes + 1].T[:, None, :] * upper + every[codes].T[:, None, :] * lower
        weight = np.maximum(observed, at.d1**2) if expected and not self.log_concave else observed
        w = np.asarray(weights, dtype=float)
        parts = w * value, w * score, w * weight, w * observed, w * slope, w * extra
        return gathered(np.isfinite(value), *parts)

    def constant(
        self, y: Array, weights: Array, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> tuple[Array, Array]:
        return np.zeros(np.size(y)), np.zeros((len(self.parameters), np.size(y)))

    # -- probabilities ----------------------------------------------------------------------

    def log_probabilities(self, eta: Array, zeta: Zeta = ()) -> Array:
        """log P(y = j) of each row, (n, categories).

        Parameters
        ----------
        eta, zeta
            As in `rows`; thresholds themselves, (size, n), do for zeta.

        Returns
        -------
        array (n, categories)
        """
        eta = np.asarray(eta, dtype=float)
        out = np.empty((eta.size, len(self.levels)))
        for j in range(len(self.levels)):
            out[:, j] = self._intervals(eta, np.full(eta.size, j), zeta).value
        return out

    def probabilities(self, eta: Array, zeta: Zeta = ()) -> Array:
        """P(y = j) of each row, (n, categories).

        Parameters
        ----------
        eta, zeta
            As in `rows`; thresholds themselves, (size, n), do for zeta.

        Returns
        -------
        array (n, categories)
        """
        return np.exp(self.log_probabilities(eta, zeta))

    def cumulative(self, eta: Array, zeta: Zeta = ()) -> Array:
        """P(y <= j) of each row, (n, categories); the last is one.

        Parameters
        ----------
        eta, zeta
            As in `rows`; thresholds themselves, (size, n), do for zeta.

        Returns
        -------
        array (n, categories)
        """
        eta = np.asarray(eta, dtype=float)
        alpha = self._columns(zeta)
        out = np.ones((eta.size, len(self.levels)))
        out[:, :-1] = self.link.inverse(alpha - eta).T
        return out

    def slopes(self, eta: Array, zeta: Zeta) -> tuple[Array, Array]:
        """Densities of F at the thresholds: dP(y <= j) is f_j (d alpha_j - d eta), (n, size).

        Parameters
        ----------
        eta, zeta
            As in `rows`; thresholds themselves, (size, n), do for zeta.

        Returns
        -------
        tuple of two arrays: densities (n, size), thresholds
        """
        alpha = self._columns(zeta)
        return self.link.inverse_derivatives(alpha - np.asarray(eta, dtype=float))[1].T, alpha

    def valid(self, eta: Array) -> Array:
        return np.isfinite(np.asarray(eta, dtype=float))

    def mean(self, eta: Array, zeta: Zeta = ()) -> Array:
        # the sum of P(y > j)
        alpha = self._columns(zeta)
        logs = self.link.log_probabilities(alpha - np.asarray(eta, dtype=float))
        return np.exp(logs[4]).sum(axis=0)

    def mean_slope(self, eta: Array, zeta: Zeta = ()) -> Array:
        return self.slopes(eta, zeta)[0].sum(axis=1)

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        raise ArgumentError(_NO_MEAN)

    def deviance(self, y: Array, mu: Array, weights: PerRow = 1.0, zeta: Zeta = ()) -> Array:
        raise ArgumentError(_NO_MEAN)

    @property
    def has_deviance(self) -> bool:
        return False

    def log_density_at(
        self, y: Array, eta: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        return weights * self._intervals(eta, y, zeta).value

    def log_density(
        self,
        y: Array,
        mu: Array,
        weights: PerRow | None = None,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        raise ArgumentError(_NO_MEAN)

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        raise ArgumentError(_NO_MEAN)

    def cdf_of(
        self, y: Array, eta: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        y, eta = np.broadcast_arrays(np.floor(y), eta)
        last = len(self.levels) - 1
        within = np.clip(y, 0, last)
        upper, _ = self.limits(within.ravel(), zeta)
        out = np.ones(y.size)
        finite = np.isfinite(upper)
        out[finite] = self.link.inverse((upper - eta.ravel())[finite])
        return np.where(y < 0, 0.0, out.reshape(y.shape))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        raise ArgumentError(_NO_MEAN)

    def sample_of(
        self,
        rng: np.random.Generator,
        eta: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        eta = np.asarray(eta, dtype=float)
        below = self.cumulative(eta.ravel(), zeta)[:, :-1]
        u = rng.random(eta.size)
        return (u[:, None] > below).sum(axis=1).astype(float).reshape(eta.shape)

    # -- where searches begin ---------------------------------------------------------------

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        return np.asarray(y, dtype=float)

    def start_eta(self, y: Array, weights: PerRow = 1.0) -> Array:
        return np.zeros(np.size(y))

    def start_zeta(self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0) -> Array:
        # of the thresholds that the shares of the categories have
        codes = np.asarray(y).astype(np.intp)
        w = np.broadcast_to(np.asarray(weights, dtype=float), codes.shape)
        counts = np.bincount(codes, weights=w, minlength=len(self.levels)) + 0.5
        share = np.cumsum(counts)[:-1] / counts.sum()
        return self.thresholds.nearest(self.link(share))


def _categories(levels: Any) -> Array:
    """The levels as an array of one dimension; texts and what has no order are refused."""
    if isinstance(levels, np.ndarray) and levels.ndim == 1:
        return levels
    ordered = isinstance(levels, Iterable) and not isinstance(levels, (str, bytes, Set, Mapping))
    out = np.empty(0)
    if ordered:
        with suppress(TypeError, ValueError):  # of pieces of different lengths
            out = np.asarray(list(levels))
            ordered = out.ndim == 1
    if not ordered or not out.size:
        raise ArgumentTypeError(
            "levels must be a sequence of the categories from the lowest to the highest, such as "
            f"['low', 'middle', 'high']; got {brief(levels)}"
        )
    return out


_NO_MEAN = (
    "the probabilities of ordered categories are no function of one mean: this is not defined for "
    "ordinal models. Take predict(type='prob'), residuals of type 'surrogate' or 'quantile', or "
    "score an average category with predict(type='mean.class')"
)
