"""Times, groups and covariates of the residual covariance, of the rows of the fit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..covariance.correlations import AutoRegressive, Groups
from ..covariance.residual import CORRELATIONS, ResidualModel
from ..covariance.variance_functions import (
    ConstantPower,
    Fixed,
    VarianceFunction,
    exponential,
    ident,
    power,
)
from ..errors import DataError, DataWarning, listing, warn
from ..formula.residual import FITTED, GroupSpec, ResidualSpec, ResidualTerm
from ..frames.checks import row_labels, unknown_column
from ..frames.columns import Columns, Labels
from ..frames.levels import level_texts
from .expressions import Resolved, resolve_names
from .grouping import Grouping, grouping
from .response import numeric

if TYPE_CHECKING:
    import pandas as pd

    from .newdata import NewDataRecipe

__all__ = ["ResidualDesign", "ResidualNames", "residual_design", "residual_names"]


class ResidualNames(NamedTuple):
    """The parts of the residual covariance with their names settled.

    `covariates` and `groups` are by term, the correlation first if there is one.
    """

    spec: ResidualSpec
    covariates: tuple[tuple[Resolved, ...], ...]
    groups: tuple[tuple[Resolved, ...], ...]

    @property
    def columns(self) -> list[str]:
        """Columns of the data that values are made of."""
        return _variables(self.covariates)

    @property
    def labels(self) -> list[str]:
        """Columns of the data that groups are made of."""
        return _variables(self.groups)


def _variables(terms: Iterable[Sequence[Resolved]]) -> list[str]:
    """Columns of the data in the expressions of terms."""
    return [name for pieces in terms for piece in pieces for name in piece.variables]


def residual_names(
    spec: ResidualSpec, columns: Collection[str], context: Mapping[str, Any]
) -> ResidualNames:
    """What the names of the residual covariance mean."""
    covariates, groups = [], []
    for term in spec.terms:
        where = "correlation" if term is spec.correlation else "variance"
        own = [text for text in term.covariates if text != FITTED]
        covariates.append(
            tuple(resolve_names(text, columns, context, where, expression=True) for text in own)
        )
        groups.append(_group_names(term.group, columns, context, where))
    return ResidualNames(spec, tuple(covariates), tuple(groups))


def _group_names(
    group: GroupSpec | None, columns: Collection[str], context: Mapping[str, Any], where: str
) -> tuple[Resolved, ...]:
    if group is None:
        return ()
    out = []
    for variable in group.variables:
        if variable in columns:
            out.append(Resolved(variable, (variable,)))
        elif variable.isidentifier():
            raise unknown_column(variable, columns, where)
        else:
            out.append(resolve_names(variable, columns, context, where, expression=True))
    return tuple(out)


class Strata(NamedTuple):
    """A factor of the variance: how to make it again, and the codes of the rows."""

    grouping: Grouping
    codes: np.ndarray


@dataclass(frozen=True, eq=False)
class ResidualDesign:
    """The residual covariance of the rows of a design.

    Attributes
    ----------
    names : ResidualNames
    label : str
        Of the groups; empty for all rows in one.
    grouping : Grouping or None
        How to make the groups of new data; None for those of a factor of the design, or one.
    factor : int or None
        That factor of the design.
    levels : ndarray
        Labels of the groups.
    codes : ndarray of int, shape (n,)
    times : ndarray, shape (n, d)
    time_levels : ndarray or None
        Levels of time where it is a factor, or `us` makes one of it.
    values : tuple of ndarray (n,) or None
        Covariate of each function of the variance; None for none or fitted values.
    strata : tuple of Strata or None
    """

    names: ResidualNames
    label: str = ""
    grouping: Grouping | None = None
    factor: int | None = None
    levels: np.ndarray = field(default_factory=lambda: np.array([""]))
    codes: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    times: np.ndarray = field(default_factory=lambda: np.empty((0, 1)))
    time_levels: np.ndarray | None = None
    values: tuple[np.ndarray | None, ...] = ()
    strata: tuple[Strata | None, ...] = ()

    @property
    def spec(self) -> ResidualSpec:
        """What was asked for."""
        return self.names.spec

    @cached_property
    def order(self) -> np.ndarray | None:
        """Rows by group and time, (n,); None where they are in that order."""
        if self.spec.correlation is None:
            return None
        order = np.lexsort([*self.times.T[::-1], self.codes])
        return None if np.array_equal(order, np.arange(order.size)) else order

    def sorted(self, values: np.ndarray) -> np.ndarray:
        """Values of the rows by group and time."""
        return values if self.order is None else values[self.order]

    @cached_property
    def groups(self) -> Groups:
        """The groups of the sorted rows."""
        return Groups(*_runs(self.sorted(self.codes)), self.sorted(self.times))

    def model(self, fitted: np.ndarray | None = None) -> ResidualModel:
        """The residual covariance of the sorted rows; ``fitted`` values (n,) where it has them.

        Without these it has none of the functions of them.
        """
        correlation = None
        n = len(self.codes)
        if self.spec.correlation is not None:
            structure = CORRELATIONS[self.spec.correlation.kind]
            names = [] if self.time_levels is None else level_texts(self.time_levels).tolist()
            correlation = structure(self.groups, names, **dict(self.spec.correlation.options))
        return ResidualModel(n, correlation, self._functions(fitted))

    def _functions(self, fitted: np.ndarray | None) -> list[VarianceFunction]:
        out: list[VarianceFunction] = []
        for term, value, strata in zip(self.spec.variance, self.values, self.strata, strict=True):
            codes, levels = None, []
            if strata is not None:
                codes = self.sorted(strata.codes)
                levels = level_texts(strata.grouping.levels).tolist()
            v = fitted if value is None else value
            v = None if v is None else self.sorted(v)
            if v is None and term.covariates:
                continue
            text = ", ".join(term.covariates)
            if term.kind == "ident":
                assert codes is not None
                out.append(ident(codes, levels))
                continue
            assert v is not None
            if term.kind == "power":
                out.append(power(text, v, codes, levels))
            elif term.kind == "exp":
                out.append(exponential(text, v, codes, levels))
            else:
                out.append(Fixed(v) if term.kind == "fixed" else ConstantPower(text, v))
        return out

    def new_variance(
        self, recipe: NewDataRecipe, newdata: Any
    ) -> list[tuple[np.ndarray | None, np.ndarray | None]]:
        """Covariate and stratum of each function of the variance in new data, (r,).

        Both None for one of fitted values; strata are -1, covariates missing where not known.
        """
        first = len(self.spec.terms) - len(self.spec.variance)
        covariates, groups = self.names.covariates[first:], self.names.groups[first:]
        columns, given = recipe.columns_of(newdata, _variables(covariates), _variables(groups))
        out = []
        for own, strata in zip(covariates, self.strata, strict=True):
            v = np.asarray(own[0].value(columns), dtype=float) if own else None
            codes = None if strata is None else strata.grouping.codes(given)[0]
            out.append((v, codes))
        return out

    def new_places(
        self, recipe: NewDataRecipe, newdata: Any, factors: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Groups (r,) and times (r, d) of new rows: -1 and missing where they are not known.

        ``factors`` are their codes in those of the design. By the order of the rows they follow
        those of the fit.
        """
        term, pieces = self.spec.correlation, self.names.covariates[0]
        assert term is not None
        structure = CORRELATIONS[term.kind]
        groups = self.names.groups[:1]
        columns, given = recipe.columns_of(newdata, _variables([pieces]), _variables(groups))
        codes = np.zeros(given.n, dtype=np.int64)
        if self.grouping is not None:
            codes = self.grouping.codes(given)[0].astype(np.int64)
        elif self.factor is not None:
            codes = factors[self.factor].astype(np.int64)
        if structure.exchangeable:
            return codes, np.zeros((codes.size, 1))
        if not pieces:
            after = np.bincount(self.codes, minlength=len(self.levels))[codes]
            times = (after + places_in_groups(codes)).astype(float)[:, None]
        else:
            times = np.column_stack([_new_time(piece, columns) for piece in pieces])
            if structure.levels and not isinstance(columns.values.get(pieces[0].text), Labels):
                times = _among(times, np.asarray(self.time_levels))
        _check_new_times(term, times, None if self.time_levels is None else len(self.time_levels))
        return codes, times

    def of(self, kept: np.ndarray) -> ResidualDesign:
        """Of some of the rows, (n,) booleans; their times stay what they are."""
        return replace(
            self,
            codes=self.codes[kept],
            times=self.times[kept] if len(self.times) else self.times,
            values=tuple(None if v is None else v[kept] for v in self.values),
            strata=tuple(
                None if s is None else Strata(s.grouping, s.codes[kept]) for s in self.strata
            ),
        )


def residual_design(
    names: ResidualNames, columns: Columns, factors: Sequence[Any]
) -> ResidualDesign:
    """The residual covariance of the rows of columns; refused where it cannot be estimated."""
    out = ResidualDesign(names, codes=np.zeros(columns.n, dtype=np.int64))
    first = 0
    if names.spec.correlation is not None:
        out = _correlated(out, columns, factors)
        first = 1
    values, strata = [], []
    for term, pieces, group in zip(
        names.spec.variance, names.covariates[first:], names.groups[first:], strict=True
    ):
        values.append(_covariate(term, pieces, columns) if pieces else None)
        strata.append(_strata(term, group, columns) if group else None)
    return replace(out, values=tuple(values), strata=tuple(strata))


def _correlated(out: ResidualDesign, columns: Columns, factors: Sequence[Any]) -> ResidualDesign:
    term = out.spec.correlation
    assert term is not None
    pieces = out.names.groups[0]
    if pieces:
        assert term.group is not None
        own, codes = grouping(term.group.label, pieces, columns)
        out = replace(out, label=own.label, grouping=own, levels=own.levels, codes=codes)
    elif factors:
        b = _innermost(term, factors)
        out = replace(
            out, label=factors[b].name, factor=b, levels=factors[b].levels, codes=factors[b].codes
        )
    for factor in factors:
        _check_nested(term, out, factor)
    structure = CORRELATIONS[term.kind]
    times, levels = _times(term, out.names.covariates[0], columns)
    if times is None:
        times = places_in_groups(out.codes)[:, None].astype(float)
        if structure.levels:
            levels = np.arange(1, int(times.max()) + 2)
    out = replace(out, times=times, time_levels=levels)
    _check_times(term, out, columns.index)
    if term.kind == AutoRegressive.name:
        _warn_of_sign(term, out.groups)
    return out


def _innermost(term: ResidualTerm, factors: Sequence[Any]) -> int:
    """The factor that is nested in all others: nlme's groups where none are said."""
    for b, inner in enumerate(factors):
        if all(_nested(inner.codes, outer.codes) for outer in factors):
            return b
    raise DataError(
        f"correlation={term.text!r} does not say in which groups, and none of "
        f"{listing(f.name for f in factors)} is nested in the others; write it as "
        f"{term.text[:-1]} | g)"
    )


def _nested(inner: np.ndarray, outer: np.ndarray) -> bool:
    """Whether each level of inner lies in one of outer."""
    of = np.zeros(int(inner.max(initial=0)) + 1, dtype=outer.dtype)
    of[inner] = outer
    return bool((of[inner] == outer).all())


def _check_nested(term: ResidualTerm, out: ResidualDesign, factor: Any) -> None:
    if not _nested(out.codes, factor.codes):
        groups = f"groups of {out.label!r}" if out.label else "all rows, its only group,"
        raise DataError(
            f"correlation={term.text!r}: {groups} have rows of several levels of the grouping "
            f"factor {factor.name!r} of the random effects; they have to lie in one. Write the "
            f"correlation as {term.kind}(… | {factor.name}), or as a random effect in the formula"
        )


def _runs(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First row and number of rows of each run of equal codes."""
    starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
    return starts, np.diff(np.append(starts, codes.size))


def places_in_groups(codes: np.ndarray) -> np.ndarray:
    """How many rows of its group come before each row, (n,)."""
    order = np.argsort(codes, kind="stable")
    starts, sizes = _runs(codes[order])
    out = np.empty(codes.size, dtype=np.int64)
    out[order] = np.arange(codes.size) - np.repeat(starts, sizes)
    return out


def _times(
    term: ResidualTerm, pieces: Sequence[Resolved], columns: Columns
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Times (n, d), None for the order of rows; and the levels of time, where it has some."""
    structure = CORRELATIONS[term.kind]
    if structure.exchangeable:
        return np.zeros((columns.n, 1)), None
    if not pieces:
        return None, None
    out = []
    for piece in pieces:
        column = columns.values.get(piece.text)
        if isinstance(column, Labels):
            if not (structure.counts or structure.levels):
                raise DataError(
                    f"correlation={term.text!r}: {piece.text!r} is not numeric, and {term.kind}() "
                    "asks for distances; make it numbers, or use ar1() or us() for its levels"
                )
            return column.codes[:, None].astype(float), column.levels
        out.append(numeric(piece.text, piece.value(columns), columns))
    times = np.column_stack(out)
    if structure.levels:
        levels, codes = np.unique(times[:, 0], return_inverse=True)
        return codes.reshape(-1, 1).astype(float), levels
    return times, None


def _new_time(piece: Resolved, columns: Columns) -> np.ndarray:
    """Times of new rows, codes of levels (r,); missing where they are."""
    column = columns.values.get(piece.text)
    if isinstance(column, Labels):
        return np.where(column.codes < 0, np.nan, column.codes)
    return np.asarray(piece.value(columns), dtype=float)


def _among(times: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Places of times (r, 1) among levels; their number for one that is not among them."""
    at = np.minimum(np.searchsorted(levels, times), len(levels) - 1)
    places = np.where(levels[at] == times, at, len(levels))
    return np.where(np.isnan(times), np.nan, places)


def _warn_of_sign(term: ResidualTerm, groups: Groups) -> None:
    if AutoRegressive.even(groups):
        warn(
            f"correlation={term.text!r}: all steps of time are even, so that rho and -rho fit "
            "alike; the positive one is taken. Number the times 1, 2, ..., or take car1(), which "
            "has no other",
            DataWarning,
        )


def _check_new_times(term: ResidualTerm, times: np.ndarray, n_levels: int | None) -> None:
    structure = CORRELATIONS[term.kind]
    if structure.levels and n_levels is not None and (times >= n_levels).any():
        raise DataError(
            f"correlation={term.text!r}: newdata has times that the fit does not, of which us() "
            "knows no correlation; ar1(), car1() or exp() have one for any time"
        )
    if structure.counts and (times != np.round(times))[~np.isnan(times)].any():
        raise DataError(
            f"correlation={term.text!r}: {term.kind}() counts steps of time, which are whole "
            "numbers, and newdata has others; car1() takes any times"
        )


def _check_times(term: ResidualTerm, out: ResidualDesign, index: pd.Index) -> None:
    structure = CORRELATIONS[term.kind]
    if structure.counts and (out.times != np.round(out.times)).any():
        bad = (out.times != np.round(out.times)).any(axis=1)
        raise DataError(
            f"correlation={term.text!r}: {term.kind}() counts steps of time, which are whole "
            f"numbers, but row(s) {row_labels(index, bad)} have others; car1() takes any times"
        )
    sizes = out.groups.sizes
    if sizes.max() < 2:
        raise DataError(
            f"correlation={term.text!r}: each group has one row only, so that there is nothing to "
            "correlate; choose a coarser grouping factor"
        )
    if structure.exchangeable:
        return
    times, rows = out.groups.times, np.arange(len(index)) if out.order is None else out.order
    same = np.append(False, (times[1:] == times[:-1]).all(axis=1)) & ~out.groups.first
    if same.any():
        at = int(np.flatnonzero(same)[0])
        pair = listing(map(str, index[rows[at - 1 : at + 1]]))
        where = f"group {out.levels[out.codes[rows[at]]]!r}" if out.label else "the data"
        shown = listing(f"{t:g}" for t in times[at])
        if out.time_levels is not None:
            shown = repr(out.time_levels[int(times[at, 0])])
        raise DataError(
            f"correlation={term.text!r}: rows {pair} of {where} have the same time, {shown}; one "
            "observation has one time: use a finer grouping factor, or cs() for no time at all"
        )
    if structure.levels and out.time_levels is not None and len(out.time_levels) > MOST_LEVELS:
        raise DataError(
            f"correlation={term.text!r} has {len(out.time_levels)} times, and a correlation for "
            "each pair of them; car1() and exp() need one parameter"
        )


#: Of the times of an unstructured correlation: 435 parameters.
MOST_LEVELS = 30


def _covariate(term: ResidualTerm, pieces: Sequence[Resolved], columns: Columns) -> np.ndarray:
    piece = pieces[0]
    column = columns.values.get(piece.text)
    if isinstance(column, Labels):
        raise DataError(
            f"variance={term.text!r}: {piece.text!r} is not numeric; write '~ {piece.text}' for a "
            "variance of each level"
        )
    v = numeric(piece.text, piece.value(columns), columns)
    check_covariate(term, v, columns.index)
    return v


def check_covariate(term: ResidualTerm, v: np.ndarray, index: pd.Index) -> None:
    """Refuse zeros of a power, and a covariate that is the same in all rows."""
    if term.kind != "exp" and (v == 0.0).any():
        raise DataError(
            f"variance={term.text!r}: {term.covariates[0]} is 0 in row(s) "
            f"{row_labels(index, v == 0.0)}, where the variance would be none; use exp(), or add a "
            "constant inside"
        )
    if term.kind != "fixed" and not np.ptp(np.abs(v) if term.kind != "exp" else v) > 0.0:
        raise DataError(
            f"variance={term.text!r}: {term.covariates[0]} is the same in all rows, so that its "
            "effect on the variance cannot be estimated; leave it out"
        )


def _strata(term: ResidualTerm, pieces: Sequence[Resolved], columns: Columns) -> Strata:
    assert term.group is not None
    for piece in pieces:
        column = columns.values.get(piece.text)
        if term.kind == "ident" and not isinstance(column, Labels) and column is not None:
            if column.dtype.kind == "f" and (column != np.round(column)).any():
                raise DataError(
                    f"variance='~ {piece.text}' has a variance for each level of a factor, and "
                    f"{piece.text!r} has numbers; write exp({piece.text}) or power({piece.text})"
                )
    own, codes = grouping(term.group.label, pieces, columns)
    if len(own.levels) < 2:
        raise DataError(f"variance={term.text!r}: {own.label!r} has one level only; leave it out")
    if 2 * len(own.levels) > len(codes):
        raise DataError(
            f"variance={term.text!r}: {own.label!r} has {len(own.levels)} levels in {len(codes)} "
            "rows; variances need several rows of each. Write exp(x) or power(x) for numbers"
        )
    return Strata(own, codes)
