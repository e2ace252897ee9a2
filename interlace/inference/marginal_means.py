"""Estimated marginal means: predictions on a grid of the predictors' values, averaged.

Means of factors are averages over the levels of the others (Searle, Speed and Milliken 1980;
Lenth's emmeans, whose defaults these are). With several linear predictors it is that of the fit
given, or the mean of the response, of which they all are part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from string import ascii_letters
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..calls import checked_methods, number, one_of
from ..calls import level as checked_level
from ..errors import ArgumentError, brief, listing
from ..families.links.power import Log
from ..printing import paragraph
from .components import coefficients
from .contrasts import contrast_weights, interaction_weights
from .estimates import ZERO_SUM, Basis, Estimates, Scale, adjustment, combined, scale_of
from .letters import compact_letters
from .multiplicity import BY_STEPS
from .quantities import quantity
from .reference_grid import (
    WEIGHTS,
    GridRows,
    cells_of_nests,
    grid_rows,
    named_variables,
    nested_in,
    reference_grid,
    shares,
)
from .wald import method_of

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

__all__ = ["Contrasts", "MarginalMeans", "averaged_over", "marginal_means"]

TYPES = ("link", "response")
# The contrast that compact letters are made of: of each mean with those below.
LETTER_PAIRS = "revpairwise"


@checked_methods
@dataclass(frozen=True, eq=False, repr=False)
class MarginalMeans(Estimates):
    """Estimated marginal means.

    Attributes
    ----------
    specs, by : tuple of str
        Variables whose means they are, and those within whose levels they are compared.
    trend : str or None
        The variable in which they are slopes, of ``emtrends``.
    column : str
        The column of ``to_frame()`` that has them.

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

    type: str = "link"
    specs: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    trend: str | None = None

    @property
    def column(self) -> str:
        """The column of the estimates: ``emmean``, ``response``, or ``x.trend`` of slopes in x."""
        if self.trend is not None:
            return f"{self.trend}.trend"
        by_link = self.type == "link" or self.scale is None
        on_response = self.basis.root is not None and self.scale is None
        return "emmean" if by_link and not on_response else "response"

    @property
    def families(self) -> list[np.ndarray]:
        """Rows of each level of ``by``."""
        if not self.by:
            return [np.arange(len(self.labels))]
        return list(self.labels.groupby(list(self.by), sort=False).indices.values())

    def _shown(
        self, estimate: np.ndarray, error: np.ndarray, **others: np.ndarray
    ) -> dict[str, np.ndarray]:
        """``emmean``, or as `column` says, with ``std_error`` and limits on the same scale."""
        if self.type == "link" or self.scale is None:
            return {self.column: estimate, "std_error": error, **others}
        mean, slope = self.scale.response(estimate)
        ends = {name: self.scale.response(value)[0] for name, value in others.items()}
        if len(ends) == 2:  # a link may be decreasing
            (one, low), (other, high) = ends.items()
            ends = {one: np.minimum(low, high), other: np.maximum(low, high)}
        return {self.column: mean, "std_error": error * np.abs(slope), **ends}

    def to_frame(self) -> pd.DataFrame:
        """One row a mean.

        Returns
        -------
        DataFrame
            The variables, ``emmean`` (or ``response``; of slopes in x ``x.trend``),
            ``std_error, df, conf_low, conf_high``.
        """
        return self.conf_int()

    def contrast(
        self,
        method: Any = "pairwise",
        adjust: str | None = None,
        ref: Any = None,
        *,
        by: str | Sequence[str] | None = None,
        simple: str | Sequence[str] | None = None,
        interaction: Any = False,
        reverse: bool = False,
        ratios: bool = True,
    ) -> Contrasts:
        """Contrasts of the means within each level of ``by``.

        Parameters
        ----------
        method : str, dict, data frame, matrix, list or callable, default "pairwise"
            ``"pairwise"``, ``"revpairwise"``, ``"trt.vs.ctrl"`` (each with the reference ``ref``;
            ``"trt.vs.ctrlk"`` with the last), ``"eff"`` (each with the mean of all),
            ``"del.eff"`` (each with the mean of the others), ``"consec"`` (each with the one
            before), ``"mean_chg"`` (those after with those before), ``"poly"`` (orthogonal
            polynomials), ``"identity"``; or weights of the means: ``{"label": [..]}``, the
            columns of a frame, the rows of a matrix, or a function of the labels that gives them.
        adjust : str, optional
            ``"tukey"``, ``"dunnett"``, ``"mvt"``, ``"sidak"``, ``"bonferroni"``, ``"holm"``,
            ``"fdr"``, ``"scheffe"`` or ``"none"``, for the tests in a level of ``by``. Default:
            Tukey's for pairs, Dunnett's (approximated) for a reference, ``"fdr"`` for effects,
            the multivariate t for ``"consec"`` and ``"mean_chg"``, as in emmeans; none for others.
        ref : optional
            Position, from 0, or label of the reference; default: the first.
        by : str or sequence of str, optional
            Variables within whose levels to compare, in place of those of the means.
        simple : str or sequence of str, optional
            Variables to compare, within the levels of all others.
        interaction : bool, str, sequence or dict, default False
            Contrasts of contrasts: a method for each variable, or ``True`` for ``method``.
        reverse : bool, default False
            Pairs and differences the other way round.
        ratios : bool, default True
            Whether differences of logarithms and logits are shown as ratios, with
            ``type="response"``.

        Returns
        -------
        Contrasts

        Raises
        ------
        ArgumentError
            If a method or an adjustment is not known, or weights are not one for each mean.
        """
        means = self._within(by, simple)
        if interaction is not False and interaction is not None:
            return means._interaction(
                method if interaction is True else interaction, adjust, ratios
            )
        blocks, labels, pairs, default = [], [], False, "none"
        for rows in means.families:
            own = contrast_weights(method, means._names(rows), ref, reverse)
            pairs, default = own.pairs, own.adjust
            blocks.append(_embedded(own.W, rows, len(means.L)))
            labels.append(means._beside(pd.DataFrame({"contrast": own.labels}), rows))
        adjust = default if adjust is None else adjustment(adjust)
        if adjust == "tukey" and not pairs:
            raise ArgumentError(
                "adjust='tukey' is for all pairs; take 'sidak', 'mvt', 'holm' or 'none'"
            )
        return means._contrasts(labels, blocks, adjust, ratios)

    def pairs(self, adjust: str | None = None, reverse: bool = False, **others: Any) -> Contrasts:
        """All pairwise differences within each level of ``by``: see ``contrast``."""
        return self.contrast("revpairwise" if reverse else "pairwise", adjust, **others)

    def cld(
        self,
        alpha: float = 0.05,
        adjust: str | None = None,
        letters: str = ascii_letters,
        reversed: bool = False,
        delta: float = 0.0,
    ) -> pd.DataFrame:
        """Compact letters: means of a level of ``by`` that share one are not shown to differ.

        Parameters
        ----------
        alpha : float, default 0.05
            Level of the tests of pairs.
        adjust : str, optional
            As for ``pairs``; default: Tukey's.
        letters : str
            Symbols, in their order; emmeans's are ``"1234567890"``.
        reversed : bool, default False
            The largest mean first.
        delta : float, default 0
            Means that share a letter are then shown to be within so much of each other.

        Returns
        -------
        DataFrame
            The table in the order of the means, with ``.group`` (``.equiv.set`` with ``delta``).
        """
        alpha, delta = 1.0 - checked_level("alpha", 1.0 - alpha), abs(number("delta", delta))
        table = self.contrast(LETTER_PAIRS, adjust).test(delta=delta)["p_value"].to_numpy()
        frame, estimate = self.to_frame(), self.estimate
        head = ".equiv.set" if delta else ".group"
        parts, start = [], 0
        for rows in self.families:
            k = len(rows)
            size = k * (k - 1) // 2
            p = table[start : start + size]
            start += size
            different = np.zeros((k, k), dtype=bool)
            different[np.tril_indices(k, -1)] = ~(p < alpha) if delta else p < alpha
            order = np.argsort(-estimate[rows] if reversed else estimate[rows], kind="stable")
            either = different | different.T
            marks = compact_letters(either[np.ix_(order, order)], letters)
            known = np.isfinite(estimate[rows][order])
            part = frame.iloc[rows[order]]
            parts.append(part.assign(**{head: np.where(known, np.array(marks, dtype=object), "")}))
        return pd.concat(parts, ignore_index=True)

    def regrid(self, transform: str = "response") -> MarginalMeans:
        """The means as estimates on another scale, so that contrasts are differences there.

        Parameters
        ----------
        transform : {"response", "log"}, default "response"
            The response, or its logarithm: contrasts are then ratios of responses, whatever the
            link, with ``type="response"``.

        Returns
        -------
        MarginalMeans
            Degrees of freedom are those of the linear combinations of coefficients that contrasts
            of the means are to first order.
        """
        transform = one_of("transform", transform, ("response", "log"))
        estimate = self.estimate
        mean, slope = estimate, np.ones(len(estimate))
        if self.scale is not None:
            mean, slope = self.scale.response(estimate)
        W, known = self.basis.split(self.L)
        root = (
            self.basis.slopes(np.where(known[:, None], W, 0.0))
            * np.where(known, slope, 0.0)[:, None]
        )
        if transform == "log":
            if np.any(mean[known] <= 0.0):
                raise ArgumentError("transform='log' needs means of the response above zero")
            root, mean = root / np.where(known, mean, 1.0)[:, None], np.log(mean)
        basis = replace(self.basis, values=np.where(known, mean, 0.0), root=root)
        L = np.where(np.diag(known) | ~np.eye(len(known), dtype=bool), np.eye(len(known)), np.nan)
        scale = Scale(Log()) if transform == "log" else None
        return replace(self, basis=basis, L=L, offset=np.zeros(len(L)), scale=scale)

    def _within(self, by: Any, simple: Any) -> MarginalMeans:
        """The means with other variables within whose levels they are compared."""
        every = (*self.by, *self.specs)
        if simple is not None:
            if by is not None:
                raise ArgumentError("simple names what is compared and by the rest: give one")
            compared, _ = named_variables(simple, None)
            by = [name for name in every if name not in compared]
        elif by is None:
            return self
        else:
            by = [by] if isinstance(by, str) else list(by)
            compared = ()
        for name in (*by, *compared):
            if name not in every:
                raise ArgumentError(f"{brief(name)} is no variable of the means: {listing(every)}")
        order = tuple(name for name in self.labels if name not in by)
        return replace(self, by=tuple(by), specs=order)

    def _interaction(self, methods: Any, adjust: str | None, ratios: bool) -> Contrasts:
        """Contrasts of contrasts, not adjusted unless that is asked for, as in emmeans."""
        names = list(self.specs)
        if isinstance(methods, Mapping):
            chosen = [methods.get(name, "identity") for name in names]
        else:
            listed = list(methods) if isinstance(methods, (list, tuple)) else [methods]
            chosen = [listed[i % len(listed)] for i in range(len(names))]
        blocks, labels = [], []
        for rows in self.families:
            shown = self.labels.iloc[rows]
            levels = {name: [_text(v) for v in dict.fromkeys(shown[name])] for name in names}
            if np.prod([len(v) for v in levels.values()]) != len(rows):
                raise ArgumentError(
                    "interaction contrasts need all combinations of the levels, which nested "
                    "factors do not have; contrast them within the levels of by"
                )
            frame, W = interaction_weights(chosen, levels)
            # the first variable varies fastest in the weights
            order = np.lexsort([pd.factorize(shown[name])[0] for name in names])
            blocks.append(_embedded(W, rows[order], len(self.L)))
            labels.append(self._beside(frame, rows))
        return self._contrasts(
            labels, blocks, "none" if adjust is None else adjustment(adjust), ratios
        )

    def _contrasts(
        self, labels: list[pd.DataFrame], blocks: list[np.ndarray], adjust: str, ratios: bool
    ) -> Contrasts:
        W = np.concatenate(blocks)
        true = bool(
            (
                np.abs(W.sum(axis=1)) <= ZERO_SUM * (ZERO_SUM + np.abs(W).max(axis=1, initial=0.0))
            ).all()
        )
        exponentials = self.type == "response" and ratios and true
        scale = self.scale if exponentials and self.scale and self.scale.ratio else None
        frame = pd.concat(labels, ignore_index=True)
        if scale is not None:
            heads = [name for name in frame if name not in self.by]
            frame[heads] = frame[heads].replace(" - ", " / ", regex=True)
        with np.errstate(invalid="ignore"):
            L = combined(W, self.L)
        sizes = tuple(len(block) for block in blocks)
        return Contrasts(
            self.basis, frame, L, W @ self.offset, scale, self.level, adjust,
            len(self.families[0]), sizes, self.by,
        )  # fmt: skip

    def _beside(self, frame: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
        """Labels of contrasts with the level of ``by`` that they are in."""
        for name in self.by:
            frame[name] = self.labels[name].iloc[rows[0]]
        return frame

    def _names(self, rows: np.ndarray) -> list[str]:
        shown = self.labels[list(self.specs)].iloc[rows]
        return [" ".join(_text(v) for v in row) for row in shown.itertuples(index=False)]


@checked_methods
@dataclass(frozen=True, eq=False, repr=False)
class Contrasts(Estimates):
    """Contrasts of marginal means with their tests.

    Attributes
    ----------
    adjust : str
        What p-values and intervals are adjusted by.
    """

    adjust: str = "none"
    compared: int = 1
    sizes: tuple[int, ...] = ()
    by: tuple[str, ...] = ()

    @property
    def default_adjust(self) -> str:  # type: ignore[override]
        """That of the table."""
        return self.adjust

    @property
    def means(self) -> int:
        """Means whose differences they are, of a level of ``by``."""
        return self.compared

    @property
    def families(self) -> list[np.ndarray]:
        """Rows of each level of ``by``."""
        ends = np.cumsum(self.sizes)
        return [np.arange(end - size, end) for size, end in zip(self.sizes, ends, strict=True)]

    def _shown(
        self, estimate: np.ndarray, error: np.ndarray, **others: np.ndarray
    ) -> dict[str, np.ndarray]:
        """``estimate``, or ``ratio`` or ``odds_ratio``, and limits on the same scale."""
        if self.scale is None:
            return {"estimate": estimate, "std_error": error, **others}
        with np.errstate(over="ignore"):
            ratio = np.exp(estimate)
            ends = {name: np.exp(value) for name, value in others.items()}
            return {self.scale.ratio: ratio, "std_error": error * ratio, **ends}

    def to_frame(self) -> pd.DataFrame:
        """One row a contrast.

        Returns
        -------
        DataFrame
            ``contrast``, variables of ``by``, ``estimate`` (or ``ratio``, ``odds_ratio``),
            ``std_error, df, statistic, p_value, conf_low, conf_high``; the last three adjusted.
        """
        ends = self.conf_int()[["conf_low", "conf_high"]]
        return pd.concat([self.test(), ends], axis=1)

    def _adjusted(self) -> str:
        """What is said of the adjustment below the table; nothing where there is none."""
        count = max(self.sizes, default=1)
        if self.adjust == "none" or (count == 1 and self.adjust != "scheffe"):
            return ""
        own = "p-values" if self.adjust in BY_STEPS else "p-values and intervals"
        other = ", intervals by bonferroni" if self.adjust in BY_STEPS else ""
        same = count > 1 and len(set(self.sizes)) == 1
        number = f" for {count} contrasts" if same else ""
        each = f" in each level of {', '.join(self.by)}" if self.by else ""
        return f"{own} are adjusted by {self.adjust}{other}{number}{each}"

    def __str__(self) -> str:
        note = self._adjusted()
        return super().__str__() + (f"\n{note}" if note else "")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        note = self._adjusted()
        return super()._repr_html_() + (paragraph(note) if note else "")


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
    offset: float | None = None,
    regrid: bool = False,
    whole: bool = False,
    sigma: float = 0.0,
    spread: float = 0.0,
) -> MarginalMeans:
    """Estimated marginal means of the levels of ``specs`` within those of ``by``.

    ``data`` is that of the fit, of which numeric variables have means. With ``trend`` they are
    slopes in that variable; with ``regrid`` averages of responses, with ``whole`` of those that
    all linear predictors make; ``spread`` is that of `reference_grid`.
    """
    specs, by = named_variables(specs, by)
    weights = one_of("weights", weights, WEIGHTS)
    type = one_of("type", type, TYPES)
    level = checked_level("level", level)
    method = method_of(fit, ddf, "ddf")
    predictors = list(fit.design.predictors) if whole else [fit.design.current]
    grid = reference_grid(fit, data, specs + by, dict(at or {}), predictors, spread)
    nests = nested_in(fit, grid)
    if nests:
        grid = grid[cells_of_nests(fit, grid, nests)].reset_index(drop=True)
        holders = [n for name in specs for n in nests.get(name, ()) if n not in by]
        by = (*by, *dict.fromkeys(holders))
        specs = tuple(name for name in specs if name not in by)
    if whole:
        basis, rows = _of_all(fit, data, grid, method, offset)
    else:
        basis = Basis(fit, fit.beta, None, method)
        rows = grid_rows(fit, data, grid, trend, offset)
    scale = None if whole or trend else scale_of(fit, sigma)
    L = np.concatenate([rows.X, rows.lost], axis=1)
    every = MarginalMeans(basis, grid, L, rows.offset, scale, level, type, tuple(grid), trend=trend)
    if regrid and not whole:
        every = every.regrid()
    share = shares(fit, data, grid, specs + by, weights, nests)
    return averaged_over(every, specs, by, share)


def averaged_over(
    every: MarginalMeans, specs: tuple[str, ...], by: tuple[str, ...], share: np.ndarray
) -> MarginalMeans:
    """Means over the rows of each combination of the variables named."""
    grid = every.labels
    labels, weights = [], []
    names = (*by, *reversed(specs))
    for combination in product(*(list(dict.fromkeys(grid[name])) for name in names)):
        named = dict(zip(names, combination, strict=True))
        rows = np.all([grid[name] == value for name, value in named.items()], axis=0)
        if not rows.any():
            continue
        own = np.where(rows, share, 0.0)
        labels.append([named[name] for name in specs + by])
        weights.append(own / own.sum() if own.any() else np.where(rows, np.nan, 0.0))
    W = np.array(weights)
    empty = np.isnan(W).any(axis=1)
    L = combined(np.where(empty[:, None], 0.0, W), every.L)
    L[empty] = np.nan
    frame = pd.DataFrame(labels, columns=list(specs + by))
    offset = np.where(empty, np.nan, np.where(empty[:, None], 0.0, W) @ every.offset)
    return replace(every, labels=frame, L=L, offset=offset, specs=specs, by=by)


def _of_all(
    fit: AnyFit, data: Any, grid: pd.DataFrame, method: str, offset: float | None
) -> tuple[Basis, GridRows]:
    """Means of the response of which all linear predictors are part, as a basis and its rows."""
    wanted = quantity(fit, "response")
    r, etas, products, lost = len(grid), [], [], []
    for name, beta in coefficients(fit).items():
        own = None
        if name in wanted.predictors:
            own = _rows_of(fit, name, data, grid, offset)
            lost.append(own.lost)
        etas.append(np.zeros(r) if own is None else own.X @ beta + own.offset)
        products.append(np.zeros((r, beta.size)) if own is None else own.X)
    stacked = np.stack(etas)
    slopes = wanted.slopes(stacked)
    root = np.concatenate(
        [X * slope[:, None] for X, slope in zip(products, slopes, strict=True)], axis=1
    )
    basis = Basis(fit, wanted.value(stacked), root, method, all_predictors=True)
    return basis, GridRows(np.eye(r), np.zeros(r), np.concatenate(lost, axis=1))


def _rows_of(fit: Any, name: str, data: Any, grid: pd.DataFrame, offset: float | None) -> GridRows:
    """Rows of a linear predictor; a parameter that is one number has a column of ones."""
    if name != fit.design.current and fit.is_number(name):
        return GridRows(np.ones((len(grid), 1)), np.zeros(len(grid)), np.zeros((len(grid), 0)))
    own = fit if name == fit.design.current else fit.part(name)
    return grid_rows(own, data, grid, offset=offset if own is fit else None)


def _embedded(W: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    out = np.zeros((len(W), n))
    out[:, rows] = W
    return out


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
