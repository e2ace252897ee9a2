"""Estimated marginal means: predictions on a grid of the predictors' values, averaged.

The grid has all levels of the factors of the fixed part and the mean of each numeric variable (both
values of one that has two); means of factors are averages over the levels of the others (Searle,
Speed and Milliken 1980; Lenth's emmeans, whose defaults these are). With several linear predictors
it is that of the fit given.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..calls import level as checked_level
from ..calls import number, one_of
from ..design.predictor import MEAN
from ..errors import ArgumentError, ArgumentTypeError, brief, listing, suggestion
from ..frames.read import read
from ..linalg.information import covariance_of, variance_of
from .components import is_logarithm, own_link
from .multiplicity import ADJUSTMENTS, adjusted_pvalues, critical_value
from .wald import covariance_for, degrees_of_freedom, method_of

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

__all__ = ["Contrasts", "MarginalMeans", "marginal_means"]

WEIGHTS = ("equal", "proportional")
TYPES = ("link", "response")
# A share of the range of a variable, for differences that are exact up to squares of it.
TREND_STEP = 1e-4
# Numeric variables with so few values keep them, as in emmeans.
KEPT_VALUES = 2
# A combination of coefficients is estimable if columns left out agree with those kept so far.
ESTIMABLE = 1e-8
CONTRASTS = ("pairwise", "revpairwise", "trt.vs.ctrl", "eff", "consec", "poly")
# What emmeans adjusts each of them by.
DEFAULTS = {
    "pairwise": "tukey", "revpairwise": "tukey", "trt.vs.ctrl": "dunnett", "eff": "fdr",
    "consec": "sidak", "poly": "none",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Estimates(ABC):
    """Combinations L (r, p) of the coefficients plus an offset, with their tests."""

    fit: AnyFit
    labels: pd.DataFrame
    L: np.ndarray
    offset: np.ndarray
    method: str
    type: str
    level: float

    @property
    def estimate(self) -> np.ndarray:
        """On the scale of the linear predictor, (r,)."""
        return self.L @ self.fit.beta + self.offset

    @property
    def covariance(self) -> np.ndarray:
        """Of the estimates, (r, r)."""
        return covariance_of(self.L, covariance_for(self.fit, self.method))

    @property
    def df(self) -> np.ndarray:
        """Degrees of freedom of each, (r,)."""
        known = np.isfinite(self.L).all(axis=1)
        out = np.full(len(self.L), np.nan)
        if known.any():
            out[known] = degrees_of_freedom(self.fit, self.L[known], self.method)
        return out

    @property
    def std_error(self) -> np.ndarray:
        """On the scale of the linear predictor, (r,)."""
        return np.sqrt(variance_of(self.L, covariance_for(self.fit, self.method)))

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """The table, as a new data frame."""

    def __str__(self) -> str:
        return self.to_frame().to_string(index=False)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(index=False)


@dataclass(frozen=True, eq=False, repr=False)
class MarginalMeans(_Estimates):
    """Estimated marginal means.

    Attributes
    ----------
    specs, by : tuple of str
        Variables whose means they are, and those within whose levels they are compared.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
    >>> means = m.emmeans("Machine")
    >>> means.to_frame()["emmean"].round(3).tolist()
    [52.356, 60.322, 66.272]
    >>> means.pairs().to_frame()["contrast"].tolist()
    ['A - B', 'A - C', 'B - C']
    """

    specs: tuple[str, ...] = ()
    by: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """One row a mean.

        Returns
        -------
        DataFrame
            The variables, ``emmean`` (or ``response``), ``std_error, df, conf_low, conf_high``.
        """
        estimate, error, df = self.estimate, self.std_error, self.df
        half = critical_value(self.level, df, "none", 1, 1, 1) * error
        values = {
            "emmean": estimate, "std_error": error, "df": df,
            "conf_low": estimate - half, "conf_high": estimate + half,
        }  # fmt: skip
        if self.type == "response":
            mean, slope = _response(self.fit, estimate)
            low, high = (_response(self.fit, values[c])[0] for c in ("conf_low", "conf_high"))
            values = {
                "response": mean, "std_error": error * np.abs(slope), "df": df,
                "conf_low": np.minimum(low, high), "conf_high": np.maximum(low, high),
            }  # fmt: skip
        return pd.concat([self.labels, pd.DataFrame(values, index=self.labels.index)], axis=1)

    def contrast(
        self,
        method: str | Mapping[str, Sequence[float]] = "pairwise",
        adjust: str | None = None,
        ref: Any = None,
    ) -> Contrasts:
        """Contrasts of the means within each level of ``by``.

        Parameters
        ----------
        method : str or dict of str to sequence of float
            ``"pairwise"``, ``"revpairwise"``, ``"trt.vs.ctrl"`` (each with the reference ``ref``),
            ``"eff"`` (each with the mean of all), ``"consec"`` (each with the one before),
            ``"poly"`` (orthogonal polynomials); or weights of the means by label.
        adjust : str, optional
            ``"tukey"``, ``"dunnett"``, ``"sidak"``, ``"bonferroni"``, ``"holm"``, ``"fdr"``,
            ``"scheffe"`` or ``"none"``, for the number of tests in a level of ``by``. Default:
            Tukey's for pairs, Dunnett's (approximated) for a reference, ``"fdr"`` for ``"eff"``, as
            in emmeans; Sidak's for ``"consec"``, none for others.
        ref : optional
            Position, from 0, or label of the reference; default: the first.

        Returns
        -------
        Contrasts

        Raises
        ------
        ArgumentError
            If a method or an adjustment is not known, or weights are not one for each mean.
        """
        if isinstance(method, str):
            method = one_of("method", "trt.vs.ctrl" if method == "dunnett" else method, CONTRASTS)
        blocks, labels = [], []
        groups = self._groups()
        for rows in groups:
            names = self._names(rows)
            own, weights = _weights(method, names, ref)
            blocks.append(_embedded(weights, rows, len(self.L)))
            frame = pd.DataFrame({"contrast": own})
            for name in self.by:
                frame[name] = self.labels[name].iloc[rows[0]]
            labels.append(frame)
        W = np.concatenate(blocks)
        with np.errstate(invalid="ignore"):
            L = _products(W, self.L)
        default = DEFAULTS.get(method, "none") if isinstance(method, str) else "none"
        adjust = default if adjust is None else one_of("adjust", _spelled(adjust), ADJUSTMENTS)
        if adjust == "tukey" and method not in ("pairwise", "revpairwise"):
            raise ArgumentError(
                "adjust='tukey' is for all pairs; take 'sidak', 'holm', 'dunnett' or 'none'"
            )
        sizes = tuple(len(frame) for frame in labels)
        return Contrasts(
            self.fit, pd.concat(labels, ignore_index=True), L, W @ self.offset, self.method,
            self.type, self.level, adjust, len(groups[0]), sizes,
        )  # fmt: skip

    def pairs(self, adjust: str | None = None, reverse: bool = False) -> Contrasts:
        """All pairwise differences within each level of ``by``: see ``contrast``."""
        return self.contrast("revpairwise" if reverse else "pairwise", adjust)

    def _groups(self) -> list[np.ndarray]:
        """Rows of each level of ``by``."""
        if not self.by:
            return [np.arange(len(self.labels))]
        return list(self.labels.groupby(list(self.by), sort=False).indices.values())

    def _names(self, rows: np.ndarray) -> list[str]:
        shown = self.labels[list(self.specs)].iloc[rows]
        return [" ".join(_text(v) for v in row) for row in shown.itertuples(index=False)]


@dataclass(frozen=True, eq=False, repr=False)
class Contrasts(_Estimates):
    """Contrasts of marginal means with their tests.

    Attributes
    ----------
    adjust : str
        What p-values and intervals are adjusted by.
    """

    adjust: str = "none"
    means: int = 1
    sizes: tuple[int, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """One row a contrast.

        Returns
        -------
        DataFrame
            ``contrast``, variables of ``by``, ``estimate`` (or ``ratio``, ``odds_ratio``),
            ``std_error, df, statistic, p_value, conf_low, conf_high``; the last three adjusted.
        """
        estimate, error, df = self.estimate, self.std_error, self.df
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = estimate / error
        p, half = np.empty(len(df)), np.empty(len(df))
        start = 0
        for size in self.sizes:
            at = slice(start, start + size)
            L = self.L[at]
            rank = int(np.linalg.matrix_rank(L)) if np.isfinite(L).all() else size
            p[at] = adjusted_pvalues(statistic[at], df[at], self.adjust, self.means, rank)
            half[at] = critical_value(self.level, df[at], self.adjust, size, self.means, rank)
            start += size
        low, high = estimate - half * error, estimate + half * error
        name = _ratio(self.fit) if self.type == "response" else ""
        if name:
            estimate, low, high = np.exp(estimate), np.exp(low), np.exp(high)
            error = error * estimate
        values = {
            name or "estimate": estimate, "std_error": error, "df": df, "statistic": statistic,
            "p_value": p, "conf_low": low, "conf_high": high,
        }  # fmt: skip
        return pd.concat([self.labels, pd.DataFrame(values)], axis=1)


def marginal_means(
    fit: AnyFit,
    data: Any,
    specs: Any,
    by: Any = None,
    at: Mapping[str, Any] | None = None,
    weights: str = "equal",
    type: str = "link",
    ddf: str | None = None,
    level: float = 0.95,
    trend: str | None = None,
) -> MarginalMeans:
    """Estimated marginal means of the levels of ``specs`` within those of ``by``.

    ``data`` is that of the fit, of which numeric variables have means. With ``trend`` they are
    slopes in that variable.
    """
    specs, by = _variables(specs, by)
    weights = one_of("weights", weights, WEIGHTS)
    type = one_of("type", type, TYPES)
    level = checked_level("level", level)
    method = method_of(fit, ddf, "ddf")
    grid = _grid(fit, data, specs + by, dict(at or {}))
    L, offset = (_slopes if trend else _rows)(fit, data, grid, trend)
    share = _shares(fit, grid, specs + by) if weights == "proportional" else np.ones(len(grid))
    labels, means, constants = [], [], []
    values = [list(dict.fromkeys(grid[name])) for name in (*by, *reversed(specs))]
    for combination in product(*values):
        named = dict(zip((*by, *reversed(specs)), combination, strict=True))
        rows = np.all([grid[name] == value for name, value in named.items()], axis=0)
        own = share[rows] / share[rows].sum() if share[rows].sum() else share[rows] * np.nan
        labels.append([named[name] for name in specs + by])
        means.append(_products(own[None], L[rows])[0])
        constants.append(float(own @ offset[rows]))
    frame = pd.DataFrame(labels, columns=list(specs + by))
    return MarginalMeans(
        fit, frame, np.array(means), np.array(constants), method, type, level, specs, by
    )


# -- the grid --------------------------------------------------------------------------------


def _variables(specs: Any, by: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names, from a list or a text such as ``"f * g"``, ``"f | g"`` or ``"~ f"``."""
    within: list[str] = []
    if isinstance(specs, str):
        text = specs.strip()
        if "~" in text:
            left, _, text = text.partition("~")
            if left.strip():
                raise ArgumentError(
                    f"specs={specs!r}: the means come first, m.emmeans({text.strip()!r}), then "
                    f"their contrasts, .contrast({left.strip()!r})"
                )
        text, _, after = text.partition("|")
        specs, within = _split(text), _split(after)
    by = _split(by) if isinstance(by, str) else list(by or ())
    specs = list(specs) if isinstance(specs, Sequence) else specs
    if not isinstance(specs, list) or not all(isinstance(v, str) for v in (*specs, *by)):
        raise ArgumentTypeError(f"specs must name variables of the model, got {brief(specs)}")
    if not specs:
        raise ArgumentError("specs is empty; name the variables whose means are wanted")
    by = [*within, *(name for name in by if name not in within)]
    return tuple(name for name in dict.fromkeys(specs) if name not in by), tuple(by)


def _split(text: str) -> list[str]:
    for sign in "*:+":
        text = text.replace(sign, " ")
    return text.split()


def _grid(fit: AnyFit, data: Any, named: tuple[str, ...], at: dict[str, Any]) -> pd.DataFrame:
    """All combinations of the values of the variables, the first varying fastest."""
    side = fit.design.recipe.fixed.get(fit.design.current) if fit.design.recipe else None
    variables = [] if side is None else list(
        dict.fromkeys([*side.variables, *(v for piece in side.offsets for v in piece.variables)])
    )  # fmt: skip
    for name in (*named, *at):
        if name not in variables:
            near = suggestion(name, variables)
            raise ArgumentError(
                f"{brief(name)} is no variable of the fixed part.{near} It has {listing(variables)}"
            )
    values = {name: _values(fit, data, name, at) for name in variables}
    if not values:
        raise ArgumentError("the fixed part has no variables, so there are no means to estimate")
    combined = product(*reversed(values.values()))
    rows = [row[::-1] for row in combined]
    return pd.DataFrame({name: [row[i] for row in rows] for i, name in enumerate(values)})


def _values(fit: AnyFit, data: Any, name: str, at: dict[str, Any]) -> list[Any]:
    """The values of a variable in the grid."""
    recipe = fit.design.recipe
    assert recipe is not None
    known = recipe.levels[name]
    if name in at:
        values = at[name]
        values = [values] if isinstance(values, str) or np.ndim(values) == 0 else list(values)
        if known is not None:
            for value in values:
                if value not in list(known.levels):
                    raise ArgumentError(
                        f"at[{name!r}] has {brief(value)}; its levels are {listing(known.levels)}"
                    )
        elif name not in recipe.logical:
            values = [number(f"at[{name!r}]", value) for value in values]
        if not values:
            raise ArgumentError(f"at[{name!r}] is empty; give one value at least")
        return values
    if known is not None:
        return list(known.levels)
    if name in recipe.logical:
        return [False, True]
    column = _column(fit, data, name)
    distinct = np.unique(column)
    return distinct.tolist() if distinct.size <= KEPT_VALUES else [float(column.mean())]


def _column(fit: AnyFit, data: Any, name: str) -> np.ndarray:
    """A numeric column of the data in the rows of the fit."""
    if data is None:
        raise ArgumentError(
            f"the data of the fit are not at hand for the mean of {name!r}; give at={{{name!r}: …}}"
        )
    column = np.asarray(read(data, [name]).values[name], dtype=float)
    rows = fit.design.rows
    return column if rows is None else column[rows]


def _rows(
    fit: AnyFit, data: Any, grid: pd.DataFrame, trend: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """X of the grid, NaN where a combination cannot be estimated, and its offset."""
    design = fit.design
    recipe = design.recipe
    assert recipe is not None
    argument = None
    if design.current == MEAN and recipe.offset_column is not None:
        argument = float(_column(fit, data, recipe.offset_column).mean())
    elif design.current == MEAN and recipe.offset_given and design.offset is not None:
        argument = float(design.offset.mean())
    new = design.on(grid, factors=(), offset=argument, predictors=[design.current])
    predictor = new.predictors[design.current]
    X = np.array(predictor.X)
    if design.dropped_columns:
        X[~_estimable(fit, data, grid)] = np.nan
    return X, np.zeros(len(X)) if predictor.offset is None else np.asarray(predictor.offset)


def _estimable(fit: AnyFit, data: Any, grid: pd.DataFrame) -> np.ndarray:
    """Which rows are combinations of those of the data, (r,): columns left out depend as there."""
    design = fit.design
    assert design.recipe is not None
    if data is None:
        raise ArgumentError(
            "columns of the fixed part were left out for dependence, and which means can be "
            "estimated is not known without the data of the fit; fit the model again"
        )
    whole = design.recipe.whole(data, design.current)
    whole = whole if design.rows is None else whole[design.rows]
    kept = design.recipe.fixed[design.current].kept
    rest = np.setdiff1d(np.arange(whole.shape[1]), kept)
    relation = np.linalg.lstsq(whole[:, kept], whole[:, rest], rcond=None)[0]
    new = design.recipe.whole(grid, design.current)
    distance = np.abs(new[:, rest] - new[:, kept] @ relation)
    return (distance <= ESTIMABLE * np.maximum(1.0, np.abs(new).max())).all(axis=1)


def _slopes(
    fit: AnyFit, data: Any, grid: pd.DataFrame, trend: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of X in one variable, by central differences."""
    assert trend is not None
    if trend not in grid or grid[trend].dtype.kind != "f":
        raise ArgumentError(f"var={trend!r} is no numeric variable of the fixed part")
    spread = float(np.ptp(_column(fit, data, trend))) if data is not None else 1.0
    h = TREND_STEP * (spread or 1.0)
    (up, high), (down, low) = (
        _rows(fit, data, grid.assign(**{trend: grid[trend] + step})) for step in (h, -h)
    )
    return (up - down) / (2.0 * h), (high - low) / (2.0 * h)


def _shares(fit: AnyFit, grid: pd.DataFrame, named: tuple[str, ...]) -> np.ndarray:
    """How often the levels of the factors averaged over occur in the data, (r,)."""
    factors = fit.design.fixed_terms.factors
    over = [name for name in factors if name in grid and name not in named]
    if not over:
        return np.ones(len(grid))
    rows = pd.DataFrame(
        {name: np.asarray(factors[name].levels)[factors[name].codes] for name in over}
    )
    counts = rows.value_counts().to_dict()
    keys = grid[over].itertuples(index=False, name=None)
    return np.array([float(counts.get(key, 0)) for key in keys])


# -- contrasts -------------------------------------------------------------------------------


def _weights(
    method: str | Mapping[str, Sequence[float]], names: list[str], ref: Any
) -> tuple[list[str], np.ndarray]:
    """Labels of contrasts and their weights (c, k)."""
    k = len(names)
    unit = np.eye(k)
    if not isinstance(method, str):
        rows = [np.asarray(w, dtype=float) for w in method.values()]
        for label, row in zip(method, rows, strict=True):
            if row.shape != (k,):
                raise ArgumentError(
                    f"the contrast {label!r} has {row.size} weights for {k} means: {listing(names)}"
                )
        return list(method), np.array(rows)
    if method in ("pairwise", "revpairwise"):
        pairs = [(i, j) for i in range(k) for j in range(i + 1, k)]
        pairs = [(j, i) for i, j in pairs] if method == "revpairwise" else pairs
    elif method == "trt.vs.ctrl":
        first = _reference(ref, names)
        pairs = [(i, first) for i in range(k) if i != first]
    elif method == "consec":
        pairs = [(i + 1, i) for i in range(k - 1)]
    elif method == "eff":
        return [f"{name} effect" for name in names], unit - 1.0 / k
    else:
        return _polynomials(k)
    labels = [f"{names[i]} - {names[j]}" for i, j in pairs]
    return labels, np.array([unit[i] - unit[j] for i, j in pairs]).reshape(-1, k)


def _reference(ref: Any, names: list[str]) -> int:
    if ref is None:
        return 0
    if isinstance(ref, str):
        if ref not in names:
            raise ArgumentError(f"ref={ref!r} is none of the means: {listing(names)}")
        return names.index(ref)
    if not isinstance(ref, (int, np.integer)) or not -len(names) <= ref < len(names):
        raise ArgumentError(f"ref={brief(ref)} is no position among {len(names)} means")
    return int(ref) % len(names)


def _polynomials(k: int) -> tuple[list[str], np.ndarray]:
    """Orthogonal polynomials of equidistant levels, in whole numbers where these are small."""
    x = np.arange(k) - 0.5 * (k - 1)
    Q = np.linalg.qr(np.vander(x, k, increasing=True))[0].T[1:]
    rows = []
    for q in Q:
        q = q * np.sign(q[-1])
        scaled = q / np.abs(q[np.abs(q) > 1e-10]).min()
        for multiple in range(1, 25):
            whole = np.round(scaled * multiple)
            if np.abs(scaled * multiple - whole).max() < 1e-6:
                scaled = whole
                break
        rows.append(scaled)
    words = ("linear", "quadratic", "cubic", "quartic")
    return [words[i] if i < 4 else f"degree {i + 1}" for i in range(k - 1)], np.array(rows)


def _embedded(W: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    out = np.zeros((len(W), n))
    out[:, rows] = W
    return out


def _products(W: np.ndarray, L: np.ndarray) -> np.ndarray:
    """W L in which rows without weight do not matter, whatever they hold."""
    lost = ~np.isfinite(L).all(axis=1)
    out = W @ np.where(lost[:, None], 0.0, L)
    out[(W[:, lost] != 0.0).any(axis=1)] = np.nan
    return out


def _spelled(adjust: Any) -> Any:
    """Names of adjustments as R, statsmodels and scipy spell them."""
    other = {"dunnettx": "dunnett", "bh": "fdr", "fdr_bh": "fdr", "bonf": "bonferroni"}
    return other.get(adjust.lower(), adjust) if isinstance(adjust, str) else adjust


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _response(fit: AnyFit, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The response at predictors of the mean, and its slope."""
    with np.errstate(over="ignore"):
        if is_logarithm(fit):
            return np.exp(eta), np.exp(eta)
        link = own_link(fit)
        return link.inverse(eta), 1.0 / link.derivative(link.inverse(eta))


def _ratio(fit: AnyFit) -> str:
    """The name of exponentials of differences of predictors; empty if they mean nothing."""
    return "ratio" if is_logarithm(fit) else own_link(fit).ratio_name
