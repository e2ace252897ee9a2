"""Formula and data -> the needed columns of the rows that are used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    DataError,
    DataWarning,
    FormulaError,
    listing,
    warn,
)
from ..formula.formula import Formula, RandomTermSpec
from ..formula.spelling import unquoted
from ..formula.terms import CACHE_SIZE
from ..frames.checks import check_finite, row_labels, unknown_column
from ..frames.columns import Columns, Labels, as_float, plainly_finite
from ..frames.read import read
from .codings import contrasts_of
from .expressions import Resolved, UserNames, bare_names, names_in, resolve_names
from .predictor import MEAN, argument_of
from .response import Response
from .vectors import check_weights, per_row_argument, subset_rows

if TYPE_CHECKING:
    from ..formula.residual import ResidualSpec
    from .matrices import NamedMatrix
    from .residual import ResidualNames

NA_ACTIONS = ("omit", "exclude", "raise")


class PredictorNames(NamedTuple):
    """The formula of one linear predictor, with the names in its parts settled."""

    formula: Formula
    fixed: Resolved
    offsets: tuple[Resolved, ...]
    sides: tuple[Resolved, ...]


class ModelFrame:
    """The columns that the names of formulas mean, and the rows that are used.

    Attributes
    ----------
    formula : Formula
        That of the mean.
    columns : Columns
        The needed columns, rows used only, unused levels dropped.
    response : Response
        Names settled.
    predictors : dict of str -> PredictorNames
        By name of the linear predictor, in the order of the formulas.
    groups : dict of str -> list of Resolved
        By key of the grouping factor: of its variables.
    matrices : dict of str -> NamedMatrix
        Those of grouping factors with a known covariance, by the same key.
    weights, offset : (n,) ndarray or None
        Arguments, rows used only.
    residual : ResidualNames or None
        Of the residual covariance.
    contrasts : dict of str -> coding
    context : UserNames
        The user's names that the formulas use.
    unused : dict of str -> list
        By column: levels without a row.
    n_missing, missing_by, na_action, full_index, kept, rows
        As in :class:`interlace.design.design.Design`.
    """

    def __init__(
        self,
        formulas: Mapping[str, Formula],
        data: Any,
        names: Collection[str],
        *,
        weights: Any,
        offset: Any,
        contrasts: Any,
        subset: Any,
        na_action: str,
        context: Mapping[str, Any],
        residual: ResidualSpec | None = None,
    ):
        if na_action not in NA_ACTIONS:
            raise ArgumentError(
                f"na_action must be one of {listing(NA_ACTIONS)}, got {na_action!r}"
            )
        self.formula, self.na_action = formulas[MEAN], na_action
        self.residual = None
        if residual is not None:
            from .residual import residual_names

            self.residual = residual_names(residual, names, context)
        self._resolve(formulas, names, context)
        self._read(data, weights, offset, subset)
        self.contrasts = self._contrasts(contrasts)

    def _resolve(
        self,
        formulas: Mapping[str, Formula],
        names: Collection[str],
        context: Mapping[str, Any],
    ) -> None:
        self.names, key = names, getattr(names, "key", None)
        settled = None
        if key is not None and self.residual is None:
            settled = _of_columns(tuple(formulas.items()), key)
        if settled is None:
            settled = _settled(formulas, names, context, self.residual)
        self.response, self.predictors, self.groups, self.matrices, _, self.used, _ = settled
        self.context, self.group_only = UserNames(settled.context), settled.group_only

    def _read(self, data: Any, weights: Any, offset: Any, subset: Any) -> None:
        extra = []
        for value, argument in ((weights, "weights"), (offset, "offset")):
            if isinstance(value, str):
                if value not in self.names:
                    raise unknown_column(value, self.names, argument)
                extra.append(value)
        extra += self._subset_names(subset)
        every = list(dict.fromkeys([*self.used, *extra]))
        columns = read(data, every, self.group_only)
        if not columns.n:
            raise DataError("data has no rows: there is nothing to fit")
        self.weights = self._vector(weights, "weights", columns)
        self.offset = self._vector(offset, "offset", columns)
        self.offset_column = offset if isinstance(offset, str) else None
        self._keep_rows(columns, None if subset is None else subset_rows(subset, columns))

    def _subset_names(self, subset: Any) -> list[str]:
        if not isinstance(subset, str):
            return []
        return list(resolve_names(subset, self.names, {}, "subset", expression=True).variables)

    def _vector(self, value: Any, argument: str, columns: Columns) -> np.ndarray | None:
        if value is None:
            return None
        if not isinstance(value, str):
            return per_row_argument(value, argument, columns.index)
        column = columns.values[value]
        if isinstance(column, Labels):
            raise ArgumentTypeError(f"{argument}={value!r} names a column that is not numeric")
        missing = columns.missing.get(value)
        return as_float(column) if missing is None else np.where(missing, np.nan, column)

    def _keep_rows(self, columns: Columns, chosen: np.ndarray | None) -> None:
        """Drop the rows outside the subset and those with missing values."""
        missing = self._missing_masks(columns, chosen)
        keep, where = chosen, ""
        if self.missing_by:
            gone = np.logical_or.reduce(list(missing.values()))
            where = f", row(s) {row_labels(columns.index, gone)}"
            keep = ~gone if chosen is None else chosen & ~gone
        in_subset = columns.n if chosen is None else int(chosen.sum())
        self.n_missing = 0 if keep is None else in_subset - int(keep.sum())
        self._report_missing(in_subset - self.n_missing, where)
        self.kept, self.full_index, self.full_rows = None, None, None
        if self.n_missing and self.na_action == "exclude":
            whole = np.ones(columns.n, dtype=bool) if chosen is None else chosen
            assert keep is not None
            self.full_index, self.kept = columns.index[whole], np.flatnonzero(keep[whole])
            self.full_rows = np.flatnonzero(whole)
        self.rows = None if keep is None or keep.all() else np.flatnonzero(keep)
        self.unused: dict[str, list[Any]] = {}
        own = {name: columns.values[name] for name in self.used}
        self.columns = Columns(own, columns.index, complete=columns.complete)
        if self.rows is not None:
            self.columns = self.columns.take(self.rows)
            self.weights = None if self.weights is None else self.weights[self.rows]
            self.offset = None if self.offset is None else self.offset[self.rows]
        self._drop_levels()
        self._check_values()

    def _drop_levels(self) -> None:
        """Drop the levels that no row has."""
        for name, column in self.columns.values.items():
            if isinstance(column, Labels) and name not in self.columns.complete:
                used = column.used()
                self.columns.values[name] = used
                if used is not column:
                    own = used.levels.tolist()
                    self.unused[name] = [v for v in column.levels.tolist() if v not in own]

    def _missing_masks(self, columns: Columns, chosen: np.ndarray | None) -> dict[str, np.ndarray]:
        """Masks of missing values in the subset, by column or argument; counts them."""
        missing = {k: v for k, v in columns.missing.items() if k in self.used}
        for name, values in (("weights", self.weights), ("offset", self.offset)):
            if values is None or plainly_finite(values):
                continue
            if (gone := np.isnan(values)).any():
                missing[f"{name}="] = gone
        if chosen is not None:
            missing = {k: v & chosen for k, v in missing.items()}
        self.missing_by = {k: int(v.sum()) for k, v in missing.items() if v.any()}
        return missing

    def _check_values(self) -> None:
        """Refuse infinite values, and weights that are not positive, in the rows used."""
        check_finite(self.columns)
        if self.weights is not None:
            check_weights(self.weights, self.columns.index)
        if self.offset is None or plainly_finite(self.offset):
            return
        if not np.isfinite(self.offset).all():
            bad = row_labels(self.columns.index, ~np.isfinite(self.offset))
            raise ArgumentError(f"offset is infinite in row(s) {bad}; drop them with subset=")

    def _report_missing(self, n: int, where: str = "") -> None:
        """Say, or refuse, that rows are left out for their missing values; n are used."""
        if not self.missing_by:
            return
        counts = listing(f"{name} ({count})" for name, count in self.missing_by.items())
        if self.na_action == "raise":
            raise DataError(
                f"missing values in {counts}{where}; fill them, or let na_action='omit' drop "
                "these rows"
            )
        if not n:
            raise DataError(
                f"every row has a missing value; missing by column: {counts}. Leave out the "
                "column(s) that are mostly missing"
            )
        warn(
            f"dropped {self.n_missing} row(s) with missing values in {counts}; {n} rows "
            "are used. na_action='raise' makes this an error",
            DataWarning,
        )

    def _contrasts(self, given: Any) -> dict[str, Any]:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            raise ArgumentTypeError(
                f'contrasts must be a dict such as {{"f": "sum"}}, got {type(given).__name__}'
            )
        out = {}
        for name, value in given.items():
            column = self.columns.values.get(name)
            if column is None:
                raise unknown_column(name, self.used, "contrasts")
            if not isinstance(column, Labels):
                raise ArgumentError(
                    f"contrasts names {name!r}, which is numeric; write C({name}, ...) in the "
                    "formula or make it a category first"
                )
            coding = contrasts_of(value, f"contrasts[{name!r}]")
            if isinstance(coding, np.ndarray):
                if coding.ndim != 2 or len(coding) != len(column.levels):
                    raise ArgumentError(
                        f"contrasts[{name!r}] must have one row per level "
                        f"({len(column.levels)}), got shape {coding.shape}"
                    )
            out[name] = coding
        return out


class _Settled(NamedTuple):
    """What the names of formulas mean: attributes of a `ModelFrame`."""

    response: Response
    predictors: dict[str, PredictorNames]
    groups: dict[str, list[Resolved]]
    matrices: dict[str, NamedMatrix]
    context: UserNames
    used: list[str]
    group_only: list[str]


@lru_cache(maxsize=CACHE_SIZE)
def _of_columns(
    formulas: tuple[tuple[str, Formula], ...], names: tuple[str, ...]
) -> _Settled | None:
    """`_settled` of formulas of nothing but columns, found again; None if there is more in them.

    What variables the caller has makes no difference then, and nothing computed is kept.
    """
    columns = frozenset(names)
    for _, formula in formulas:
        parts = () if formula.response is None else formula.response.parts
        if formula.offsets or not columns.issuperset(map(unquoted, parts)):
            return None
        for spec in formula.random:
            if spec.matrix is not None or not columns.issuperset(spec.group):
                return None
        for side in (formula.fixed, *(spec.lhs for spec in formula.random)):
            bare = bare_names(side)
            if bare is None or not columns.issuperset(bare):
                return None
    return _settled(dict(formulas), dict.fromkeys(names), {}, None)


def _settled(
    formulas: Mapping[str, Formula],
    names: Collection[str],
    context: Mapping[str, Any],
    residual: ResidualNames | None,
) -> _Settled:
    response = _response_names(formulas[MEAN], names, context)
    predictors = {
        name: _predictor_names(name, own, names, context) for name, own in formulas.items()
    }
    specs = [spec for own in formulas.values() for spec in own.random]
    groups = {
        spec.factor: [_group_names(v, names, context, spec) for v in spec.group] for spec in specs
    }
    matrices = _matrices(specs, context)
    sides = [*response.parts]
    for part in predictors.values():
        sides += [part.fixed, *part.offsets, *part.sides]
    labels = [piece for group in groups.values() for piece in group]
    labels += _constant(matrices.values(), names)
    if residual is not None:
        sides += [piece for own in residual.covariates for piece in own]
        labels += [piece for own in residual.groups for piece in own]
    mine = UserNames()
    for piece in [*sides, *labels]:
        mine.update(piece.context)
    mine |= {m.spec.name: context[m.spec.name] for m in matrices.values()}
    covariates = dict.fromkeys(name for piece in sides for name in piece.variables)
    by_label = dict.fromkeys(name for piece in labels for name in piece.variables)
    computed = _computed_labels(labels, names)
    only = [n for n in by_label if n not in covariates and n not in computed]
    return _Settled(response, predictors, groups, matrices, mine, list(covariates | by_label), only)


def _response_names(
    formula: Formula, names: Collection[str], context: Mapping[str, Any]
) -> Response:
    assert formula.response is not None
    parts = tuple(
        resolve_names(part, names, context, "the response", expression=True)
        for part in formula.response.parts
    )
    response = Response(formula.response.kind, formula.response.text, parts)
    if not response.variables:
        raise DataError(
            f"the response {response.text!r} has no column of data in it; add its values to data "
            "as a column"
        )
    return response


def _computed_labels(groups: list[Resolved], names: Collection[str]) -> set[str]:
    """Columns of which a part is asked for, ``day.dt.year``: dates are no labels there."""
    return {
        name.name
        for piece in groups
        if piece.text not in names
        for name in names_in(piece.text)
        if name.path != name.name
    }


def _group_names(
    variable: str, names: Collection[str], context: Mapping[str, Any], spec: RandomTermSpec
) -> Resolved:
    if variable in names:
        return Resolved(variable, (variable,))
    try:
        names_in(variable)
    except FormulaError:  # a name that needs quotes
        raise unknown_column(variable, names, spec.text) from None
    return resolve_names(variable, names, context, spec.text, expression=True)


def _matrices(
    specs: Iterable[RandomTermSpec], context: Mapping[str, Any]
) -> dict[str, NamedMatrix]:
    """Known matrices by the key of their grouping factor."""
    with_matrix = {s.factor: (s.matrix, s.text) for s in specs if s.matrix is not None}
    if not with_matrix:
        return {}
    from .matrices import named_matrix

    return {key: named_matrix(*own, context) for key, own in with_matrix.items()}


def _constant(matrices: Iterable[NamedMatrix], names: Collection[str]) -> Iterator[Resolved]:
    """The columns of one level that ``propto`` names as groups."""
    for within in {matrix.spec.within for matrix in matrices} - {""}:
        if within not in names:
            raise unknown_column(within, names, "propto()")
        yield Resolved(within, (within,))


def _predictor_names(
    name: str, formula: Formula, names: Collection[str], context: Mapping[str, Any]
) -> PredictorNames:
    whole, offset = "formula", "offset()"
    if name != MEAN:
        whole, offset = argument_of(name), f"offset() of {argument_of(name)}"
    return PredictorNames(
        formula,
        resolve_names(formula.fixed, names, context, whole),
        tuple(resolve_names(t, names, context, offset, expression=True) for t in formula.offsets),
        tuple(resolve_names(s.lhs, names, context, s.text) for s in formula.random),
    )
