"""Power by simulation: draw responses from an assumed truth, fit the model, test, count.

With k of n tests significant the interval of the power is Clopper and Pearson's,

    Beta^{-1}(a / 2; k, n - k + 1),  Beta^{-1}(1 - a / 2; k + 1, n - k)

or Wilson's. Of significant estimates the share of the wrong sign is the type S error, the mean of
their sizes over that of the truth the type M error (Gelman and Carlin 2014).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ...errors import ArgumentError, ArgumentTypeError, brief, listing
from ...pictured import Pictured
from ...printing import Table
from ..hypotheses import parse_hypothesis
from ..lrt import likelihood_ratio
from ..tails import chi2_pvalue, t_pvalue
from ..update import check_call, reduced
from ..wald import covariance_for, degrees_of_freedom, method_of, wald_test
from .extension import extended, sizes_of
from .replicates import Outcomes, Source, checked_count, counts, replicates
from .sources import LinearFits, RowSource, by_sums, parametric, statistics
from .truth import assumed

if TYPE_CHECKING:
    from ...models.kinds import AnyFit
    from ...models.lmm import LMMFit

__all__ = ["Power", "power", "proportion_interval"]

COLUMNS = ("power", "lower", "upper", "significant", "n", "failed", "singular", "type_m", "type_s")


@dataclass(frozen=True, eq=False)
class Power(Pictured):
    """Power of a test, at one size of the data or at several.

    Attributes
    ----------
    frame : DataFrame
        One row a size: ``power`` with its limits ``lower, upper``, ``significant`` of ``n`` tests,
        ``failed`` refits (counted as not significant), ``singular`` ones; for tests of one number
        ``type_m``, how many times too large significant estimates are in the mean, and ``type_s``,
        the share of them that have the wrong sign.
    test : str
        What is tested, in words.
    truth : float
        What the test is of, under the assumed parameters; NaN for joint tests.
    formula : str
    alpha, level : float
        Of the test, and of the intervals.
    replicates : dict of int to DataFrame
        ``p_value`` and ``estimate`` of each replicate, by size.
    failures : dict of int to dict
        Why refits failed, and how often, by size.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> p = il.power(m, "Days", nsim=100, params={"Days": 5.0}, seed=1)
    >>> bool(p.lower < p.power < p.upper)
    True
    """

    frame: pd.DataFrame
    test: str
    truth: float
    formula: str
    alpha: float
    level: float
    replicates: dict[int, pd.DataFrame]
    failures: dict[int, dict[str, int]]

    @property
    def power(self) -> float:
        """The share of significant tests, at the last size."""
        return float(self.frame["power"].iloc[-1])

    @property
    def lower(self) -> float:
        """Its lower limit."""
        return float(self.frame["lower"].iloc[-1])

    @property
    def upper(self) -> float:
        """Its upper limit."""
        return float(self.frame["upper"].iloc[-1])

    def to_frame(self) -> pd.DataFrame:
        """The table, as a new data frame.

        Returns
        -------
        DataFrame
        """
        return self.frame.copy()

    def _table(self) -> Table:
        name = self.frame.index.name or ""
        shown = [c for c in self.frame if c in ("power", "lower", "upper", "type_m", "type_s")]
        rows = []
        for size, row in self.frame.iterrows():
            share = [f"{row[c]:.3f}" for c in shown]
            rows.append([str(size), *share, f"{row['significant']:.0f} of {row['n']:.0f}"])
        title = f"Power of {self.test}, alpha = {self.alpha:g}: {self.formula}"
        note = f"{100 * self.level:g} % intervals"
        for column in ("failed", "singular"):
            if count := int(self.frame[column].sum()):
                what = "failed and count as not significant" if column == "failed" else column
                note += f"\n{count} refits {'' if column == 'failed' else 'are '}{what}"
        return Table([name, *shown, "significant"], rows, title=title, note=note)

    def __str__(self) -> str:
        return self._table().text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._table().html()


@dataclass(frozen=True)
class Test:
    """A test of a fit: its words, and the p-value and estimate (NaN for joint ones) of a fit."""

    words: str
    of: Callable[[Any], np.ndarray]
    #: Whether it needs the response itself, row by row.
    rows: bool = False
    #: The combination of coefficients that it is of, and what it is compared with.
    of_one: tuple[np.ndarray, float] | None = None

    def value(self, fit: AnyFit) -> float:
        """The number that is tested, of a fit; NaN for tests of several."""
        if self.of_one is None:
            return np.nan
        L, rhs = self.of_one
        return float(L[0] @ fit.beta) - rhs


def power(
    result: Any,
    test: Any,
    nsim: int,
    along: str | None,
    within: Any,
    sizes: int | Sequence[int] | None,
    params: Any,
    method: str | None,
    options: tuple[float, float, str],
    run: tuple[Any, int | None, bool | None],
) -> Power:
    """The power of a test at each size; ``options`` are alpha, level and the kind of interval."""
    nsim = checked_count("nsim", nsim)
    alpha, level, interval = options
    truth = assumed(result.fit, None, params)
    own = test_of(result, test, method)
    names = _checked_sizes(result, along, within, sizes)
    replicates_of, failures, rows = {}, {}, []
    for size in names:
        model, here, of = result, truth, own
        if along is not None or within is not None:
            model = extended(result, along, within, size)
            here, of = assumed(model.fit, truth, None), test_of(model, test, method)
        title = f"{along or 'rows'} {size}"
        outcomes = _outcomes(model, here, of, nsim, run, title)
        failures[size], verdicts = counts(outcomes)
        values = outcomes.values
        replicates_of[size] = pd.DataFrame(values, columns=["p_value", "estimate"])
        k = int(np.count_nonzero(values[:, 0] < alpha))
        limits = proportion_interval(k, nsim, level, interval)
        bad = sum(failures[size].values()), verdicts.get("singular", 0)
        rows.append((k / nsim, *limits, k, nsim, *bad, *_errors(values, alpha, own.value(truth))))
    index = pd.Index(names, name=along or "rows")
    frame = pd.DataFrame(rows, columns=list(COLUMNS), index=index)
    value, text = own.value(truth), result.fit.design.formula.text
    if np.isnan(value):
        frame = frame.drop(columns=["type_m", "type_s"])
    return Power(frame, own.words, value, text, alpha, level, replicates_of, failures)


def _outcomes(
    result: Any, truth: AnyFit, test: Test, nsim: int, run: tuple, title: str
) -> Outcomes:
    seed, workers, progress = run
    make: Callable[[], Source]
    if not test.rows and by_sums(truth):
        make = partial(LinearFits, cast("LMMFit", truth), test.of, 2)
    else:
        of = statistics(truth, type(result)._refit, test.of, 2)
        make = partial(RowSource, truth, parametric, of)
    return replicates(make, nsim, seed, workers, progress, title)


def _checked_sizes(
    result: Any, along: str | None, within: Any, sizes: int | Sequence[int] | None
) -> list[int]:
    """Sizes that are asked for; of the data themselves if none are."""
    if along is None and within is None:
        if sizes is not None:
            raise ArgumentError(
                f"sizes={brief(sizes)} needs along=, the variable that has so many levels, or "
                "within=, the cells that have so many rows"
            )
        return [result.fit.n]
    if along is not None and within is not None:
        raise ArgumentError("along= and within= are both given; extend by one at a time")
    if sizes is None:
        return [sizes_of(result, along, within)]
    numbers = np.atleast_1d(np.asarray(sizes)).tolist()
    if not numbers or not all(isinstance(s, int) and s > 0 for s in numbers):
        raise ArgumentTypeError(f"sizes must be positive whole numbers, got {brief(sizes)}")
    sizes_of(result, along, within)
    return numbers


def proportion_interval(k: int, n: int, level: float, kind: str) -> tuple[float, float]:
    """Limits of a probability of which n trials gave k successes."""
    from scipy.special import betaincinv, ndtri

    tail = 0.5 * (1.0 - level)
    if kind == "wilson":
        z, share = float(ndtri(1.0 - tail)), k / n
        middle = (share + 0.5 * z * z / n) / (1.0 + z * z / n)
        half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + (0.5 * z / n) ** 2) ** 0.5
        return max(middle - half, 0.0), min(middle + half, 1.0)
    lower = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
    upper = float(betaincinv(k + 1, n - k, 1.0 - tail)) if k < n else 1.0
    return lower, upper


def _errors(values: np.ndarray, alpha: float, truth: float) -> tuple[float, float]:
    """Type M and type S errors of significant estimates."""
    significant = values[values[:, 0] < alpha, 1]
    if not significant.size or np.isnan(truth) or truth == 0.0:
        return np.nan, np.nan
    exaggeration = float(np.mean(np.abs(significant))) / abs(truth)
    return exaggeration, float(np.mean(np.sign(significant) != np.sign(truth)))


# -- tests -------------------------------------------------------------------------------------


def test_of(result: Any, test: Any, method: str | None) -> Test:
    """The test that is meant: of a coefficient, a term, a hypothesis, a smaller model, a function.

    ``method`` are degrees of freedom, or ``"lrt"`` for a likelihood ratio with the term left out.
    """
    fit = result.fit
    if callable(test):
        return _own(result, test)
    if hasattr(test, "fit"):
        return _against(result, test)
    if test is None:
        terms = [name for name, at in fit.design.x_terms if name not in ("Intercept", "1")]
        if len(terms) != 1:
            raise ArgumentError(
                "test= says what is tested: a coefficient, a term or a hypothesis, a smaller "
                f"fitted model, or a function of a result; the terms are {listing(terms)}"
            )
        test = terms[0]
    if isinstance(method, str) and method.lower() in ("lrt", "lr", "chisq"):
        return _left_out(result, test)
    of_term = dict(fit.design.x_terms)
    df_method = method_of(fit, method, "method")
    if isinstance(test, str) and test in of_term and test not in fit.design.x_names:
        L, rhs = np.eye(fit.p)[of_term[test]], np.zeros(1)
        words = f"the term {test!r}"
    else:
        L, rhs, labels = parse_hypothesis(fit.design.x_names, test)
        words = "; ".join(labels)
    if len(L) == 1:
        words += ", t test" if np.isfinite(degrees_of_freedom(fit, L, df_method)[0]) else ", z test"
        one = L, float(rhs[0])
        return Test(f"{words}{_by(df_method)}", partial(_single, *one, df_method), of_one=one)
    return Test(f"{words}, Wald test{_by(df_method)}", partial(_joint, L, rhs, df_method))


def _by(method: str) -> str:
    names = {"satterthwaite": "Satterthwaite", "kenward-roger": "Kenward-Roger"}
    return f" ({names[method]})" if method in names else ""


def _single(L: np.ndarray, rhs: float, method: str, fit: Any) -> np.ndarray:
    """p-value of a t or z test of one combination, and its estimate less the hypothesis."""
    estimate = float(L[0] @ fit.beta) - rhs
    variance = float(L[0] @ covariance_for(fit, method) @ L[0])
    df = degrees_of_freedom(fit, L, method)
    p = float(t_pvalue(np.array([estimate / variance**0.5]), df)[0])
    return np.array([p, estimate])


def _joint(L: np.ndarray, rhs: np.ndarray, method: str, fit: Any) -> np.ndarray:
    """p-value of a joint test of several combinations."""
    names = fit.design.x_names
    rows = [(dict(zip(names, row, strict=True))) for row in L]
    hypothesis = pd.DataFrame(rows) if not np.any(rhs) else (L, rhs)
    return np.array([wald_test(fit, hypothesis, None, method).pvalue, np.nan])


def _own(result: Any, function: Callable[[Any], Any]) -> Test:
    def values(fit: Any) -> np.ndarray:
        try:
            p = float(function(result._wrap(fit)))
        except (TypeError, ValueError):
            raise ArgumentTypeError("test must be a function that gives a p-value") from None
        if not 0.0 <= p <= 1.0:
            raise ArgumentError(f"it gives {p:g}, which is no p-value")
        return np.array([p, np.nan])

    values(result.fit)
    return Test("a test of the user's", values, rows=True)


def _left_out(result: Any, term: Any) -> Test:
    check_call(result, "power")
    if not isinstance(term, str):
        raise ArgumentError("method='lrt' leaves out a term: name it, or give a smaller model")
    term = _term_of(result.fit.design, term)
    smaller = reduced(result, f". ~ . - {term}", **({"method": "ML"} if result.fit.is_reml else {}))
    test = _against(result, smaller)
    return Test(f"the term {term!r}, likelihood-ratio test", test.of, rows=True)


def _term_of(design: Any, name: str) -> str:
    """A term of the formula, or that of its only coefficient."""
    terms = {term: np.arange(len(design.x_names))[at] for term, at in design.x_terms}
    if name in terms or name not in design.x_names:
        return name
    place = list(design.x_names).index(name)
    term = next(term for term, at in terms.items() if place in at)
    if terms[term].size > 1:
        raise ArgumentError(
            f"method='lrt' leaves out a term, and {name!r} is one of {terms[term].size} "
            f"coefficients of {term!r}; test that term, or leave method= out for a test of {name!r}"
        )
    return term


def _against(result: Any, smaller: Any) -> Test:
    """Likelihood-ratio test against a smaller model, both fitted to each response."""
    table = likelihood_ratio([result.fit, smaller.fit])
    if np.isnan(table["Chisq"].iloc[1]):
        raise ArgumentError("; ".join(table.attrs["notes"]))
    fixed = {*smaller.fit.design.x_names} != {*result.fit.design.x_names}
    first = smaller.fit.as_ml() if fixed else smaller.fit
    df = result.fit.n_parameters - first.n_parameters
    refit = type(smaller)._refit

    def values(fit: Any) -> np.ndarray:
        large = fit.as_ml() if fixed else fit
        small = refit(first, fit.design.y)
        statistic = max(2.0 * (large.llf_maximum - small.llf_maximum), 0.0)
        return np.array([float(chi2_pvalue(statistic, df)), np.nan])

    words = f"likelihood-ratio test against {smaller.fit.design.formula.text}"
    return Test(words, values, rows=True)
