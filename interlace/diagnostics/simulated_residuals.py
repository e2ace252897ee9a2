"""Residuals by simulation: where each response lies among those that the model draws.

Uniform between 0 and 1 if the model is right, whatever its family (Dunn and Smyth 1996; Hartig's
DHARMa, whose definitions these are): with L the share of simulated values below the response and U
that of values not above it, L where the two agree, else drawn evenly between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..calls import one_of
from ..errors import ArgumentError, ArgumentTypeError, brief
from ..inference.simulate import check_draws, generator, simulate_array
from ..other_names import Answering
from ..pictured import Pictured
from .groups import Groups, column, groups_of
from .record import DiagnosticTest
from .residual_tests import (
    binomial_test,
    durbin_watson,
    kolmogorov_smirnov,
    moran,
    p_of_simulated,
    quantile_score,
)

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

ALTERNATIVES = ("two-sided", "greater", "less")
MARGINS = ("both", "upper", "lower")
# Simulated counts are k / trials times trials: whole but for rounding.
WHOLE = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedResiduals(Answering, Pictured):
    """Scaled residuals of a model, with tests of what they should be.

    Attributes
    ----------
    observed, fitted : ndarray, (n,)
        Responses, counts of successes for proportions of trials, and their means with the random
        effects at zero.
    simulated : ndarray, (n, nsim)
    discrete : bool
        Whether responses are counts.
    seed : int or None
        Of the draws.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.glm("TICKS ~ YEAR + cHEIGHT", il.load_dataset("grouseticks"), "poisson")
    >>> residuals = m.simulated_residuals(seed=1)
    >>> residuals.uniformity().p_value < 1e-10, residuals.dispersion().statistic > 2.0
    (True, True)
    >>> list(residuals.tests().index)
    ['uniformity', 'dispersion', 'outliers', 'zero inflation']
    """

    _u: pd.Series
    observed: np.ndarray
    fitted: np.ndarray
    simulated: np.ndarray
    discrete: bool
    seed: Any = None
    _rows: Any = None  # the design and the data of the fit, None of groups
    _ordered: bool = False  # categories are discrete, and the lowest is no zero

    @classmethod
    def of(
        cls,
        observed: Any,
        simulated: Any,
        fitted: Any = None,
        *,
        discrete: bool = False,
        seed: int | np.random.Generator | None = None,
    ) -> SimulatedResiduals:
        """Residuals from simulations of a model of any kind, as DHARMa's ``createDHARMa``.

        Parameters
        ----------
        observed : array, (n,)
        simulated : array, (n, nsim)
            A column for each draw of the responses.
        fitted : array, (n,), optional
            Means of the responses; default: those of the draws.
        discrete : bool, default False
            Whether responses are counts.
        seed : int or numpy Generator, optional
            Of the randomisation where responses and draws are equal.

        Returns
        -------
        SimulatedResiduals
        """
        y, draws = np.asarray(observed, dtype=float), np.asarray(simulated, dtype=float)
        if y.ndim != 1 or draws.ndim != 2 or len(draws) != len(y) or draws.shape[1] < 2:
            raise ArgumentError(
                f"simulated must have a row for each of the {y.size} responses and two columns or "
                f"more, got an array of shape {draws.shape}"
            )
        centre = draws.mean(axis=1) if fitted is None else np.asarray(fitted, dtype=float)
        index = observed.index if isinstance(observed, pd.Series) else pd.RangeIndex(y.size)
        return _made(y, draws, centre, discrete, seed, index, None)

    @property
    def scaled(self) -> pd.Series:
        """The residuals, (n,): uniform between 0 and 1 if the model is right.

        Missing in rows that are not used under ``na_action="exclude"``.
        """
        if self._rows is None:
            return self._u.copy()
        return self._rows[0].pad(self._u.to_numpy()).rename("scaled")

    @property
    def nsim(self) -> int:
        """Draws of each response."""
        return self.simulated.shape[1]

    def normal(self) -> pd.Series:
        """The residuals as quantiles of the standard normal distribution, (n,)."""
        from scipy.special import ndtri

        return pd.Series(ndtri(self.scaled.to_numpy()), self.scaled.index, name="normal")

    def by_group(
        self, by: Any, aggregate: Callable[[np.ndarray], float] | None = None
    ) -> SimulatedResiduals:
        """Residuals of the responses of groups together, as DHARMa's ``recalculateResiduals``.

        Parameters
        ----------
        by : str, sequence of str, array or Series
            As for ``influence``.
        aggregate : callable, optional
            Of an array of responses to a number; default: their sum.

        Returns
        -------
        SimulatedResiduals
            With a residual for each group.
        """
        if self._rows is None:
            groups = _plain_groups(by, self.observed.size)
        else:
            groups = groups_of(self._rows[0], by, self._rows[1])
        count = len(groups.labels)
        if aggregate is None:

            def total(values: np.ndarray) -> np.ndarray:
                return np.bincount(groups.codes, values, count)
        else:
            members, chosen = groups.members(), aggregate

            def total(values: np.ndarray) -> np.ndarray:
                return np.array([chosen(values[rows]) for rows in members], dtype=float)

        draws = np.stack([total(draw) for draw in self.simulated.T], axis=1)
        parts = total(self.observed), draws, total(self.fitted)
        made = _made(*parts, self.discrete, self.seed, groups.labels, None)
        return replace(made, _ordered=self._ordered)

    # -- tests -----------------------------------------------------------------------------------

    def tests(self) -> pd.DataFrame:
        """Uniformity, dispersion and outliers, and zero inflation of counts, not of categories.

        Returns
        -------
        DataFrame
            ``statistic, p_value``.
        """
        tests = [self.uniformity(), self.dispersion(), self.outliers()]
        if self.discrete and not self._ordered:
            tests.append(self.zero_inflation())
        return pd.concat([test.to_frame()[["statistic", "p_value"]] for test in tests])

    def uniformity(self, alternative: str = "two-sided") -> DiagnosticTest:
        """Kolmogorov and Smirnov's test of the residuals against the uniform distribution.

        Parameters
        ----------
        alternative : {"two-sided", "greater", "less"}

        Returns
        -------
        DiagnosticTest
        """
        side = _side(alternative)
        D, p = kolmogorov_smirnov(self._u.to_numpy(), side)
        return DiagnosticTest("uniformity", D, p, side)

    def dispersion(self, alternative: str = "two-sided") -> DiagnosticTest:
        """Standard deviation of responses about their means over that of simulated ones.

        Parameters
        ----------
        alternative : {"two-sided", "greater", "less"}
            ``"greater"`` is overdispersion.

        Returns
        -------
        DiagnosticTest
            ``statistic`` is the ratio to the mean of the simulated ones.
        """

        def spread(values: np.ndarray) -> float:
            return float(np.std(values - self.fitted, ddof=1))

        return replace(self.test(spread, alternative), name="dispersion")

    def zero_inflation(self, alternative: str = "two-sided") -> DiagnosticTest:
        """Number of zeros over that in simulated responses.

        Parameters
        ----------
        alternative : {"two-sided", "greater", "less"}
            ``"greater"`` is zero inflation.

        Returns
        -------
        DiagnosticTest
        """
        counted = self.test(lambda values: float(np.count_nonzero(values == 0.0)), alternative)
        return replace(counted, name="zero inflation")

    def test(
        self, statistic: Callable[[np.ndarray], float], alternative: str = "two-sided"
    ) -> DiagnosticTest:
        """A statistic of the responses against the same of simulated ones.

        Parameters
        ----------
        statistic : callable
            Of an array of n responses to a number.
        alternative : {"two-sided", "greater", "less"}

        Returns
        -------
        DiagnosticTest
            ``statistic`` is the ratio of the observed value to the mean of the simulated ones,
            ``details`` has both.
        """
        if not callable(statistic):
            raise ArgumentTypeError(
                f"statistic must be a function of the responses, got {brief(statistic)}"
            )
        side = _side(alternative)
        try:
            observed = float(statistic(self.observed))
            simulated = np.array([float(statistic(draw)) for draw in self.simulated.T])
        except (TypeError, ValueError):
            raise ArgumentTypeError(
                f"statistic must give a number of the responses, and {brief(statistic)} gives none"
            ) from None
        expected = float(simulated.mean())
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = float(np.float64(observed) / expected)
        p = p_of_simulated(simulated, observed, side)
        name = getattr(statistic, "__name__", "statistic").strip("<>")
        details = {"observed": observed, "expected": expected}
        return DiagnosticTest(name, ratio, p, side, details)

    def outliers(
        self,
        margin: str = "both",
        type: str | None = None,
        alternative: str = "two-sided",
        nboot: int = 100,
    ) -> DiagnosticTest:
        """The number of responses outside of all simulated ones.

        Parameters
        ----------
        margin : {"both", "upper", "lower"}
        type : {"binomial", "bootstrap"}, optional
            A binomial test, each margin having probability 1 / (nsim + 1), or a comparison with
            draws that stand for the responses. Default: the latter for counts, where the
            probability is not known.
        alternative : {"two-sided", "greater", "less"}
        nboot : int, default 100
            Draws that stand for the responses, at most nsim.

        Returns
        -------
        DiagnosticTest
            ``statistic`` is their number.
        """
        side, margin = _side(alternative), one_of("margin", margin, MARGINS)
        kind = "bootstrap" if self.discrete else "binomial"
        kind = kind if type is None else one_of("type", type, ("binomial", "bootstrap"))
        u, n = self._u.to_numpy(), self.observed.size
        if kind == "binomial":
            edge = 1.0 / (self.nsim + 1)
            number = int(_outside(u < edge, u > 1.0 - edge, margin).sum())
            chance = edge * (2.0 if margin == "both" else 1.0)
            p = binomial_test(number, n, chance, side)
            return DiagnosticTest("outliers", float(number), p, side, {"expected": chance * n})
        number = int(_outside(u == 0.0, u == 1.0, margin).sum())
        rng = np.random.default_rng(self.seed if isinstance(self.seed, int) else None)
        simulated = np.empty(min(nboot, self.nsim))
        for i in range(simulated.size):
            others = np.delete(np.arange(self.nsim), i)
            draws = self.simulated[:, rng.choice(others, self.nsim)]
            y = self.simulated[:, i]
            low, high = draws.min(axis=1), draws.max(axis=1)
            simulated[i] = _outside(y < low, y > high, margin).sum()
        p = p_of_simulated(simulated, number, side)
        details = {"expected": float(simulated.mean())}
        return DiagnosticTest("outliers", float(number), p, side, details)

    def temporal(self, time: Any = None, alternative: str = "two-sided") -> DiagnosticTest:
        """Durbin and Watson's test of autocorrelation along time.

        Parameters
        ----------
        time : str, array or Series
            A column of the data or values; each moment once. Default, of residuals by group: the
            groups.
        alternative : {"two-sided", "greater", "less"}
            ``"greater"`` is positive autocorrelation, a statistic below 2.

        Returns
        -------
        DiagnosticTest
        """
        moments = self._values(time, "time")
        if np.unique(moments).size < moments.size:
            raise ArgumentError(
                "several residuals have the same time, and no order; by_group(time) takes them "
                "together, and m.autocorrelation(by) has the correlation within series"
            )
        side = _side(alternative)
        ordered = self._u.to_numpy()[np.argsort(moments, kind="stable")]
        statistic, p = durbin_watson(ordered, side)
        return DiagnosticTest("temporal autocorrelation", statistic, p, side)

    def spatial(self, x: Any, y: Any = None, alternative: str = "two-sided") -> DiagnosticTest:
        """Moran's test of autocorrelation between places, by inverse distances.

        Parameters
        ----------
        x, y : str, array or Series
            Columns of the data or values; each place once.
        alternative : {"two-sided", "greater", "less"}

        Returns
        -------
        DiagnosticTest
            ``statistic`` is I, ``details`` has its expectation and standard deviation.
        """
        named = [("x", x)] if y is None else [("x", x), ("y", y)]
        axes = [self._values(position, name).astype(float) for name, position in named]
        points = np.column_stack(axes)
        if len(np.unique(points, axis=0)) < len(points):
            raise ArgumentError(
                "several residuals have the same place, and no distance; by_group() takes them "
                "together"
            )
        if len(points) < 4:
            raise ArgumentError(f"Moran's test needs four places or more, got {len(points)}")
        side = _side(alternative)
        statistic = moran(self._u.to_numpy(), points, side)
        details = {"expected": statistic["expected"], "sd": statistic["sd"]}
        name = "spatial autocorrelation"
        return DiagnosticTest(name, statistic["observed"], statistic["p_value"], side, details)

    def quantiles(
        self, predictor: Any = None, levels: Sequence[float] = (0.25, 0.5, 0.75)
    ) -> pd.DataFrame:
        """Whether quantiles of the residuals are level along a predictor.

        Score tests of quantile regressions on a cubic in its ranks; DHARMa, which fits smooth ones,
        has other p-values.

        Parameters
        ----------
        predictor : str, array or Series, optional
            A column of the data or values; default: the fitted means.
        levels : sequence of float, default (0.25, 0.5, 0.75)

        Returns
        -------
        DataFrame
            ``statistic, df, p_value`` of each level, and of all by Benjamini and Hochberg's
            adjustment.
        """
        if not all(0.0 < level < 1.0 for level in levels) or not len(levels):
            raise ArgumentError(f"levels must be numbers between 0 and 1, got {brief(levels)}")
        at = self.fitted if predictor is None else self._values(predictor, "predictor")
        codes = pd.factorize(at, sort=True)[0] if at.dtype.kind not in "biuf" else at
        scores = [quantile_score(self._u.to_numpy(), codes, q) for q in levels]
        p = np.sort([p for *_, p in scores])
        together = float(np.min(p * p.size / np.arange(1, p.size + 1)))
        index = pd.Index([*map(str, levels), "all"], name="quantile")
        rows = [*scores, (np.nan, np.nan, min(together, 1.0))]
        return pd.DataFrame(rows, index, ["statistic", "df", "p_value"])

    def _values(self, given: Any, name: str) -> np.ndarray:
        """A column of the data, values given, or the labels of groups."""
        n = self.observed.size
        if given is None:
            if self._rows is not None:
                raise ArgumentError(f"{name}= is needed: a column of the data or {n} values")
            return self._u.index.to_numpy()
        if isinstance(given, str):
            if self._rows is None:
                raise ArgumentError(
                    f"{name}={given!r}: residuals by group have no columns of the data; give "
                    "one value for each group"
                )
            return np.asarray(column(self._rows[0], given, self._rows[1], name))
        values = np.asarray(given)
        if self._rows is not None and self._rows[0].full_index is not None:
            design = self._rows[0]
            values = values[design.kept] if len(values) == len(design.full_index) else values
        if values.ndim != 1 or values.size != n:
            raise ArgumentError(f"{name} must have one value for each of {n} residuals")
        return values

    def __repr__(self) -> str:
        head = f"Residuals of {self.observed.size} responses among {self.nsim} simulated ones"
        return f"{head}\n{self.tests().round(4).to_string()}"

    def _repr_html_(self) -> str:
        return self.tests().round(4).to_html()


def simulated_residuals(
    fit: AnyFit, n: int, seed: Any, use_u: bool, data: Any = None
) -> SimulatedResiduals:
    """The residuals of a fit among n draws of its responses."""
    if n < 2:
        raise ArgumentError(f"n must be a number of draws of at least 2, got {n}")
    check_draws(fit, "n", n)
    rng = generator(seed)
    draws = simulate_array(fit, n, rng, use_u)
    if not np.isfinite(draws).all():
        raise ArgumentError(
            "some responses cannot be drawn: the link has a range, and linear predictors drawn "
            "leave it. use_u=True keeps the random effects at their modes"
        )
    y, centre = fit.observations.y, _population_means(fit)
    if fit.family.support == "proportion":
        trials = fit.observations.trials
        y, centre = _whole(y * trials), centre * trials
        draws = _whole(draws * trials[:, None])
    kept = seed if isinstance(seed, int) else None
    rows = fit.design, data
    made = _made(y, draws, centre, fit.family.discrete, rng, fit.design.index, rows, kept)
    return replace(made, _ordered=fit.ordered)


def _made(
    y: np.ndarray,
    draws: np.ndarray,
    centre: np.ndarray,
    discrete: bool,
    seed: Any,
    index: pd.Index,
    rows: Any,
    kept: Any = None,
) -> SimulatedResiduals:
    """The residuals; where draws equal the response they are drawn between its two shares."""
    low = np.mean(draws < y[:, None], axis=1)
    high = np.mean(draws <= y[:, None], axis=1)
    rng = generator(seed)
    u = np.where(low == high, low, low + (high - low) * rng.random(y.size))
    kept = seed if kept is None and isinstance(seed, int) else kept
    return SimulatedResiduals(
        pd.Series(u, index, name="scaled"), y, centre, draws, discrete, kept, rows
    )


def _whole(values: np.ndarray) -> np.ndarray:
    """Counts, without the rounding of proportions."""
    near = np.round(values)
    return np.where(np.abs(values - near) < WHOLE, near, values)


def _population_means(fit: AnyFit) -> np.ndarray:
    """Means of the responses with the random effects at zero, as DHARMa's, (n,)."""
    if not fit.T:
        return fit.mu
    from ..inference.prediction import predict

    if fit.ordered:
        own: Any = fit
        return own.family.mean(*own.standard(own.fixed_part))
    values = predict(fit, None, "response", False, "error", None, False, None)
    return np.asarray(values)[fit.design.kept] if len(values) != fit.n else np.asarray(values)


def _plain_groups(by: Any, n: int) -> Groups:
    values = np.asarray(by)
    if values.ndim != 1 or values.size != n:
        raise ArgumentError(f"by must have one value for each of {n} residuals")
    codes, labels = pd.factorize(values, sort=True)
    return Groups(codes, pd.Index(labels))


def _side(alternative: Any) -> str:
    text = alternative.replace(".", "-") if isinstance(alternative, str) else alternative
    return one_of("alternative", text, ALTERNATIVES)


def _outside(low: np.ndarray, high: np.ndarray, margin: str) -> np.ndarray:
    return {"both": low | high, "upper": high, "lower": low}[margin]
