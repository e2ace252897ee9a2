"""Cross-validation: rows predicted by fits that have not seen them, and scores of the predictions.

A row is predicted by its mean, averaged over the random effects of levels that the fit without the
fold does not know. The log score is the logarithm of its predictive density or probability, which
is mixed over the linear predictors as they are estimated and over those effects: a proper score,
whose sum over the rows is the expected log pointwise predictive density (elpd; Vehtari, Gelman and
Gabry 2017, Statistics and Computing 27).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..design.newdata import NewPredictor
from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    DataWarning,
    InterlaceError,
    InterlaceWarning,
    brief,
    listing,
    warn,
)
from ..inference.averaged import averaged
from ..inference.linear_predictors import all_predictors, linear_predictor
from ..inference.ordinal import averaged as averaged_categories
from ..inference.ordinal import rows_at
from ..inference.prediction_rows import PredictionRows
from ..inference.prediction_variance import unknown_covariance
from ..inference.predictive import predictive
from ..inference.quantities import quantity
from ..inference.resampling.replicates import checked_workers, mapped
from ..inference.simulate import generator
from ..printing import Table
from .groups import Groups, groups_of
from .influence import Columns

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

#: Folds of rows unless told otherwise.
FOLDS = 10
ROW = "row"


class Held(NamedTuple):
    """Rows held out: responses, means and log-densities (r,), and trials."""

    y: np.ndarray
    mean: np.ndarray
    log_density: np.ndarray
    trials: np.ndarray


def _rmse(rows: Held) -> float:
    return float(np.sqrt(np.mean((rows.y - rows.mean) ** 2)))


def _mae(rows: Held) -> float:
    return float(np.mean(np.abs(rows.y - rows.mean)))


def _r2(rows: Held) -> float:
    total = np.sum((rows.y - rows.y.mean()) ** 2)
    return float(1.0 - np.sum((rows.y - rows.mean) ** 2) / total) if total > 0.0 else np.nan


def _log_score(rows: Held) -> float:
    return float(np.mean(rows.log_density))


def _brier(rows: Held) -> float:
    """Mean over the trials of (outcome - probability)^2."""
    p = rows.mean
    each = rows.y * (1.0 - p) ** 2 + (1.0 - rows.y) * p**2
    return float(np.average(each, weights=rows.trials))


def _own_score(score: Callable[[np.ndarray, np.ndarray], Any], rows: Held) -> float:
    try:
        return float(score(rows.y, rows.mean))
    except Exception as error:
        raise ArgumentError(
            f"scoring={brief(score)} must give a number of observed and predicted values; it "
            f"fails: {type(error).__name__}: {brief(str(error))}"
        ) from error


SCORES: dict[str, Callable[[Held], float]] = {
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
    "log_score": _log_score,
    "brier": _brier,
}


@checked_methods
@dataclass(frozen=True, eq=False)
class CVResult:
    """Scores of predictions by fits that have not seen the rows.

    Attributes
    ----------
    scores : Series or DataFrame
        By fold; of several scorings a column each.
    predictions : DataFrame
        By row: ``fold, observed, predicted`` and, with the log score, ``log_density``.
    pooled : Series
        The scores of all rows together, by scoring.
    fold_results : list of dict or None
        With ``return_models=True``, by fold: ``model``, ``train_groups``, ``test_groups``,
        ``y_true`` and ``y_pred``.
    converged : Series
        By fold: whether its fit converged; False where there is none.
    by : str
        What folds are made of.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> cv = m.cross_val("Subject")
    >>> len(cv.scores), round(cv.mean, 1), round(cv.std, 1)
    (18, 43.5, 24.6)
    """

    scores: pd.Series | pd.DataFrame
    predictions: pd.DataFrame
    pooled: pd.Series
    fold_results: list[dict[str, Any]] | None = field(default=None, repr=False)
    converged: pd.Series | None = field(default=None, repr=False)
    by: str = ROW

    @property
    def mean(self) -> Any:
        """Mean over the folds; of several scorings a Series."""
        mean = self.scores.mean()
        return mean if isinstance(mean, pd.Series) else float(mean)

    @property
    def std(self) -> Any:
        """Standard deviation over the folds; of several scorings a Series."""
        std = self.scores.std(ddof=1)
        return std if isinstance(std, pd.Series) else float(std)

    @property
    def elpd(self) -> float:
        """Sum of the log predictive densities of the rows; with the scoring ``"log_score"``."""
        return float(self._log_densities().sum(skipna=False))

    @property
    def elpd_se(self) -> float:
        """Standard error of ``elpd``: sums of rows, or of the groups held out, vary independently.

        NaN if there are fewer than two.
        """
        return _sum_error(self._units(self._log_densities()))

    def compare(self, other: CVResult) -> pd.DataFrame:
        """The difference in elpd from another model's on the same rows and folds.

        Parameters
        ----------
        other : CVResult
            With the log score, too.

        Returns
        -------
        DataFrame
            One row: ``elpd_difference``, this one's less the other's, and its ``std_error``, that
            of differences row by row (group by group).

        Raises
        ------
        ArgumentError
            If rows or folds are others.
        """
        if not isinstance(other, CVResult):
            raise ArgumentTypeError(
                f"compare takes another result of cross_val(), got {brief(other)}"
            )
        if not self.predictions["fold"].equals(other.predictions["fold"]):
            raise ArgumentError(
                "rows or folds of the two differ: cross-validate both models on the same rows, "
                "with the same by=, k= and seed="
            )
        gap = self._log_densities() - other._log_densities()
        columns = {"elpd_difference": gap.sum(), "std_error": _sum_error(self._units(gap))}
        return pd.DataFrame(columns, index=[0])

    def _log_densities(self) -> pd.Series:
        if "log_density" not in self.predictions:
            raise ArgumentError("elpd needs scoring='log_score', or a list with it")
        return self.predictions.loc[self.predictions["predicted"].notna(), "log_density"]

    def _units(self, values: pd.Series) -> np.ndarray:
        """Sums of what varies independently: of rows, or of groups."""
        if "group" not in self.predictions:
            return values.to_numpy()
        return values.groupby(self.predictions["group"], observed=True).sum().to_numpy()

    def to_frame(self) -> pd.DataFrame:
        """By scoring: the score of all rows together, and mean and SD of the folds' scores."""
        folds = self.scores if isinstance(self.scores, pd.DataFrame) else self.scores.to_frame()
        columns = {"pooled": self.pooled, "fold_mean": folds.mean(), "fold_sd": folds.std(ddof=1)}
        return pd.DataFrame(columns, index=folds.columns)

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()

    def _table(self) -> Table:
        frame = self.to_frame()
        rows = [[str(name), *(f"{value:.4g}" for value in row)] for name, row in frame.T.items()]
        notes = []
        if "log_density" in self.predictions:
            notes.append(f"elpd {self.elpd:.2f}, standard error {self.elpd_se:.2f}")
        if gone := int(self.predictions["predicted"].isna().sum()):
            notes.append(f"{gone} row(s) without a prediction")
        title = f"Cross-validation by {self.by}: {len(self.scores)} folds"
        return Table(["", *frame.columns], rows, title=title, note="; ".join(notes))


def _sum_error(values: np.ndarray) -> float:
    """Standard error of the sum of independent values."""
    return float(np.sqrt(values.size) * values.std(ddof=1)) if values.size > 1 else float("nan")


# -- folds -----------------------------------------------------------------------------------------


class Folds(NamedTuple):
    """The fold of each row (n,), labels of the folds, and the groups held out whole, or None."""

    codes: np.ndarray
    labels: list[Any]
    groups: Groups | None


def folds_of(fit: AnyFit, by: Any, k: int | None, stratify: Any, seed: Any, data: Any) -> Folds:
    """Folds of rows or of whole groups, dealt out in a random order that the seed fixes."""
    rng = generator(seed)
    if isinstance(by, str) and by == ROW and ROW not in [f.name for f in fit.design.factors]:
        strata = None if stratify is None else groups_of(fit.design, stratify, data, "stratify")
        return _folds_of_rows(fit.n, FOLDS if k is None else k, strata, rng)
    if stratify is not None:
        raise ArgumentError(
            "stratify= spreads rows of the same kind over the folds; it goes with by='row', not "
            "with folds of whole groups"
        )
    groups = groups_of(fit.design, by, data)
    levels = len(groups.labels)
    if k is None or k == levels:
        return Folds(groups.codes, list(groups.labels), groups)
    _check_k(k, levels, "groups")
    fold = np.empty(levels, dtype=np.intp)
    fold[rng.permutation(levels)] = np.arange(levels) % k
    return Folds(fold[groups.codes], list(range(k)), groups)


def _folds_of_rows(n: int, k: int, strata: Groups | None, rng: np.random.Generator) -> Folds:
    _check_k(k, n, "rows")
    order = rng.permutation(n)
    if strata is not None:
        order = order[np.argsort(strata.codes[order], kind="stable")]
    codes = np.empty(n, dtype=np.intp)
    codes[order] = np.arange(n) % k
    return Folds(codes, list(range(k)), None)


def _check_k(k: int, most: int, what: str) -> None:
    if not 2 <= k <= most:
        raise ArgumentError(
            f"k must be a whole number of folds from 2 to the {most} {what}, got {k}"
        )


# -- predictions of what is held out ---------------------------------------------------------------


def held_out(fit: AnyFit, other: AnyFit, rows: np.ndarray, density: bool) -> Held:
    """Rows of a fit as another fit, without them, predicts them."""
    there, masks = _rows_for(fit, other, rows)
    mean = _means(other, there, masks)
    observations = fit.observations
    y, prior, trials = observations.y[rows], observations.prior[rows], observations.trials[rows]
    values = np.full(len(rows), np.nan)
    if density:
        values = predictive(other, there, masks, prior, trials).log_density(y)
    return Held(y, mean, values, trials)


def _means(other: AnyFit, there: PredictionRows, masks: list[np.ndarray]) -> np.ndarray:
    """Means of the rows over the random effects that the fit does not know, (r,)."""
    if other.ordered:  # categories are numbered from 0 on
        own = rows_at(
            cast("Any", other),
            linear_predictor(other, there, masks),
            there.predictors,
            there,
            masks,
        )
        return averaged_categories(own, "mean.class")[:, 0] - 1.0
    etas = all_predictors(other, there, masks)
    target = quantity(other, "response")
    return averaged(other, target, etas, unknown_covariance(other, there, masks))


def _rows_for(
    fit: AnyFit, other: AnyFit, rows: np.ndarray
) -> tuple[PredictionRows, list[np.ndarray]]:
    """The rows of a fit for another one, whose levels are those that it saw, and all effects."""
    predictors = {
        name: NewPredictor(p.X[rows], None if p.offset is None else p.offset[rows])
        for name, p in fit.design.predictors.items()
    }
    factors = []
    for own, theirs in zip(fit.design.factors, other.design.factors, strict=True):
        place = np.full(len(own.levels), -1)
        left = np.unique(np.delete(own.codes, rows))
        place[left] = left if len(theirs.levels) == len(own.levels) else np.arange(left.size)
        factors.append((place[own.codes[rows]], own.Z[rows]))
    masks = [np.ones(T.shape[0], dtype=bool) for T in other.T]
    return PredictionRows(predictors, fit.design.index[rows], factors), masks


def cross_validation(
    fit: AnyFit,
    by: Any,
    k: int | None,
    scoring: Any,
    stratify: Any,
    seed: Any,
    workers: int | None,
    data: Any,
    result: Callable[[Any], Any] | None,
) -> CVResult:
    """Cross-validate a fit; ``result`` makes a result of a fold's fit where these are wanted."""
    if not fit.has_rows:
        fit.design.needs_rows()  # type: ignore[attr-defined]
    scorers = _scorers(fit, scoring)
    folds = folds_of(fit, by, k, stratify, seed, data)
    density = "log_score" in scorers
    threads, columns = checked_workers(workers), Columns(fit)

    def one(fold: int) -> tuple[Any, Held | None]:
        rows = np.flatnonzero(folds.codes == fold)
        other = _without(fit, rows, columns)
        return other, None if other is None else held_out(fit, other, rows, density)

    places = range(len(folds.labels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterlaceWarning)
        results = list(mapped(one, places, threads))
    return _collected(fit, folds, results, scorers, scoring, result)


def _without(fit: AnyFit, rows: np.ndarray, columns: Columns) -> Any:
    """The fit without some rows; None if there is no such model."""
    if len(rows) == fit.n or columns.lost_without(rows):
        return None
    try:
        return fit.without(rows)
    except InterlaceError:
        return None


def _scorers(fit: AnyFit, scoring: Any) -> dict[str, Callable[[Held], float]]:
    """Scoring -> the score of rows held out."""
    scorers = [scoring] if isinstance(scoring, str) or callable(scoring) else scoring
    if not isinstance(scorers, Sequence) or not scorers:
        raise ArgumentTypeError(
            f"scoring must be one of {listing(SCORES)}, a function of observed and predicted "
            f"values, or a list of these; got {brief(scoring)}"
        )
    out: dict[str, Callable[[Held], float]] = {}
    for one in scorers:
        if callable(one):
            out[getattr(one, "__name__", "score")] = partial(_own_score, one)
            continue
        name = one.lower() if isinstance(one, str) else ""
        if name not in SCORES:
            raise ArgumentError(
                f"scoring must be one of {listing(SCORES)} or a function of observed and predicted "
                f"values, got {brief(one)}"
            )
        if name == "log_score" and not fit.family.normalised:
            raise ArgumentError(
                f"scoring='log_score' needs a density, and the family {fit.family.name!r} of "
                "your own has a quasi-likelihood only; take 'rmse' or 'mae'"
            )
        if name == "brier" and fit.family.support != "proportion":
            raise ArgumentError(
                "scoring='brier' is for probabilities, the means of binomial families; the family "
                f"is {fit.family.name!r}"
            )
        out[name] = SCORES[name]
    return out


def _collected(
    fit: AnyFit,
    folds: Folds,
    made: list[tuple[Any, Held | None]],
    scorers: dict[str, Callable[[Held], float]],
    scoring: Any,
    result: Callable[[Any], Any] | None,
) -> CVResult:
    """All folds together."""
    n, nothing = fit.n, np.full(fit.n, np.nan)
    mean, log_density = nothing.copy(), nothing.copy()
    table = np.full((len(made), len(scorers)), np.nan)
    for fold, (_, rows) in enumerate(made):
        if rows is None:
            continue
        at = folds.codes == fold
        mean[at], log_density[at] = rows.mean, rows.log_density
        table[fold] = [score(rows) for score in scorers.values()]
    observations = fit.observations
    index = pd.Index(folds.labels, name="fold")
    scores = pd.DataFrame(table, index=index, columns=list(scorers))
    known = ~np.isnan(mean)
    everything = Held(
        observations.y[known], mean[known], log_density[known], observations.trials[known]
    )
    pooled = {name: score(everything) for name, score in scorers.items()} if known.any() else {}
    columns: dict[str, Any] = {"fold": [folds.labels[fold] for fold in folds.codes]}
    by = ROW if folds.groups is None else str(folds.groups.labels.name or "group")
    if folds.groups is not None:
        columns["group"] = folds.groups.labels.to_numpy()[folds.groups.codes]
    columns |= {"observed": observations.y, "predicted": mean}
    if "log_score" in scorers:
        columns["log_density"] = log_density
    _warn_of_lost(folds, made, n - int(known.sum()))
    converged = [other is not None and bool(other.converged) for other, _ in made]
    kept = None
    if result is not None:
        kept = [_kept(fit, folds, fold, *own, result) for fold, own in enumerate(made)]
    return CVResult(
        scores.iloc[:, 0] if isinstance(scoring, str) or callable(scoring) else scores,
        pd.DataFrame(columns, index=fit.design.index),
        pd.Series(pooled, index=list(scorers), dtype=float, name="pooled"),
        kept,
        pd.Series(converged, index=index, name="converged"),
        by,
    )


def _warn_of_lost(folds: Folds, made: list[tuple[Any, Held | None]], rows: int) -> None:
    """Name the folds that have no fit."""
    lost = [str(label) for label, (other, _) in zip(folds.labels, made, strict=True) if not other]
    if lost:
        warn(
            f"{len(lost)} of {len(made)} folds have no fit ({listing(lost[:5])}): without their "
            "rows a coefficient is not determined, or there is no such model; the "
            f"{rows} rows are not predicted",
            DataWarning,
        )


def _kept(
    fit: AnyFit,
    folds: Folds,
    fold: int,
    other: Any,
    rows: Held | None,
    result: Callable[[Any], Any],
) -> dict[str, Any]:
    """What is kept of a fold with its model."""
    inside = folds.codes == fold
    groups = folds.groups
    train, test = [], []
    if groups is not None:
        train = groups.labels[np.unique(groups.codes[~inside])].tolist()
        test = groups.labels[np.unique(groups.codes[inside])].tolist()
    return {
        "model": None if other is None else result(other),
        "train_groups": train,
        "test_groups": test,
        "y_true": fit.observations.y[inside],
        "y_pred": np.full(int(inside.sum()), np.nan) if rows is None else rows.mean,
    }
