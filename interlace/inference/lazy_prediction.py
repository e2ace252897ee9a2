"""Predictions for lazy frames: expressions and joins for their engine, nothing collected."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import product as all_combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..design.learned import columns_of
from ..design.newdata import NewDataRecipe
from ..design.plain_matrix import PlainMatrix
from ..design.predictor import MEAN
from ..design.pushed import kind_of_type, pushed
from ..errors import ArgumentError, DataError, listing
from ..formula.spelling import unmarked
from ..frames.columns import Columns, Labels
from ..frames.lazy import LazyRows
from ..frames.levels import level_texts
from .which_effects import which_effects

if TYPE_CHECKING:
    from ..models.glmm_parted import PartedFit
    from ..models.lmm_summed import SummedFit

    RowlessFit = SummedFit | PartedFit

__all__ = ["FITTED", "RESIDUAL", "lazy_predictions", "response_of_rows"]

FITTED, RESIDUAL = ".fitted", ".resid"
#: Cells of factors that are told apart in one expression.
MOST_CELLS = 500


def lazy_predictions(
    fit: RowlessFit,
    data: Any,
    type: str = "response",
    include_re: Any = True,
    new_levels: str = "error",
    residuals: bool = False,
) -> Any:
    """The lazy frame with the column ``.fitted``, and ``.resid`` if asked for.

    ``type`` is ``"response"`` or ``"link"``. It is missing where a column of the model is, and
    where a level is not known to the fit unless ``new_levels`` is ``"population"``.
    """
    rows = LazyRows(data)
    recipe = fit.design.recipe
    assert recipe is not None
    absent = [name for name in recipe.variables() if name not in rows.schema]
    if absent:
        raise DataError(
            f"newdata lacks the column(s) {listing(map(repr, absent))}. It has "
            f"{listing(rows.schema)}"
        )
    side, work = recipe.fixed[MEAN], _Work(fit, rows)
    beta = np.zeros(len(side.recipe.names))
    beta[side.kept] = fit.beta
    recipes: list[Any] = [side.recipe, *(own.recipe for own in recipe.sides)]
    if not all(isinstance(own, PlainMatrix) for own in recipes):
        raise ArgumentError(
            "the model has terms that were made of all rows, or by functions that engines do not "
            "have; m.predict() of rows in memory has them"
        )
    total = work.product_of(recipes[0], beta.tolist()) + _offset(fit, rows)
    masks = which_effects(fit, include_re)
    for b, mask in enumerate(masks):
        if mask.any():
            total = total + work.effects(b, mask, new_levels == "population")
    if type == "response":
        total = _mean(fit, total)
    gone = [rows.missing(name) for name in _covariates(recipe, masks)]
    if gone:
        import narwhals.stable.v2 as nw

        total = nw.when(~reduce(operator.or_, gone)).then(total)
    made = {FITTED: total}
    if residuals:
        if recipe.response.kind != "column" or recipe.response_levels is not None:
            raise ArgumentError(
                f"residuals of {recipe.response.text!r} are not computed by engines; m.predict() "
                "gives fitted values"
            )
        response = recipe.response.parts[0]
        made[RESIDUAL] = pushed(response.text, rows.schema, response.state).number() - total
    return work.finished(made)


#: Means of the linear predictor, by link, as engines have them.
INVERSES: dict[str, Callable[[Any], Any]] = {
    "identity": lambda eta: eta,
    "log": lambda eta: eta.exp(),
    "logit": lambda eta: 1.0 / (1.0 + (-1.0 * eta).exp()),
    "cloglog": lambda eta: 1.0 - (-1.0 * eta.exp()).exp(),
    "inverse": lambda eta: 1.0 / eta,
    "sqrt": lambda eta: eta * eta,
}
#: Predictors at which a family's means are compared with those of its link alone.
POINTS = np.array([0.3, 0.7])


def _mean(fit: RowlessFit, eta: Any) -> Any:
    """The mean of a linear predictor."""
    if fit.linear:
        return eta
    family, link = fit.family, fit.family.link
    one = fit.zeta.ndim == 1 and not fit.several
    plain = one and np.allclose(family.mean(POINTS, fit.zeta), link.inverse(POINTS))
    if not plain or link.name not in INVERSES:
        raise ArgumentError(
            f"means of the family {family.name!r} with link {link.name!r} are not computed by "
            "engines here; type='link' gives the linear predictor of the mean"
        )
    return INVERSES[link.name](eta)


def _covariates(recipe: NewDataRecipe, masks: Sequence[np.ndarray]) -> list[str]:
    """Columns of which a missing value makes the prediction missing, whatever its expression."""
    fixed = recipe.fixed[MEAN]
    names = [*fixed.variables, *(name for own in fixed.offsets for name in own.variables)]
    names += [name for own in recipe.sides if masks[own.factor].any() for name in own.variables]
    return list(dict.fromkeys(names))


def _offset(fit: RowlessFit, rows: LazyRows) -> Any:
    """The offset of the formula, and that of the column named in the fit."""
    recipe, out = fit.design.recipe, 0.0
    assert recipe is not None
    for side in recipe.fixed[MEAN].offsets:
        out = out + pushed(side.text, rows.schema, side.state).number()
    if recipe.offset_column is not None:
        if recipe.offset_column not in rows.schema:
            raise DataError(f"newdata lacks the column {recipe.offset_column!r}, the offset")
        out = out + pushed(recipe.offset_column, rows.schema).number()
    return out


class _Work:
    """The frame with tables of effects beside it, and expressions of its columns."""

    def __init__(self, fit: RowlessFit, rows: LazyRows) -> None:
        self.fit, self.rows = fit, rows
        self.frame, self.added = rows.frame, []  # type: ignore[var-annotated]
        assert fit.design.recipe is not None
        fixed = fit.design.recipe.fixed[MEAN].recipe
        #: what expressions keep of the rows of the fit
        self.state = getattr(fixed, "state", {})

    def finished(self, columns: Mapping[str, Any]) -> Any:
        """The user's frame with more columns, without those that served."""
        frame = self.frame.with_columns(*(value.alias(name) for name, value in columns.items()))
        return frame.drop(*self.added).to_native() if self.added else frame.to_native()

    def effects(self, b: int, mask: np.ndarray, population: bool) -> Any:
        """Z b of one grouping factor, its modes joined on the keys of its levels."""
        import narwhals.stable.v2 as nw

        columns = self._join(b)
        values = [nw.col(name) for name in columns]
        if population:
            values = [nw.when(~value.is_null()).then(value).otherwise(0.0) for value in values]
        recipe, total = self.fit.design.recipe, 0.0
        assert recipe is not None
        for side in recipe.sides:
            if side.factor == b:
                own = [v if mask[j] else 0.0 for j, v in enumerate(values)][side.columns]
                total = total + self.product_of(side.recipe, own)
        return total

    def _join(self, b: int) -> list[str]:
        """Put the modes of a grouping factor beside the rows; the names of their columns."""
        fit, recipe = self.fit, self.fit.design.recipe
        assert recipe is not None
        made = recipe.groupings[b]
        table, keys = {}, {}
        for i, variable in enumerate(made.variables):
            if variable.text not in self.rows.schema:
                raise ArgumentError(
                    f"the grouping factor {made.label!r} is computed from columns, and engines "
                    "cannot join on it; make it a column, or collect the rows"
                )
            name = f"{self.rows.free}key{b}_{i}"
            keys[name], levels = self._key(variable.text, np.asarray(made.levels_of[i]))
            table[name] = _plain(levels)[made.cells[:, i]]
        names = [f"{self.rows.free}mode{b}_{j}" for j in range(fit.b[b].shape[1])]
        table |= dict(zip(names, fit.b[b].T, strict=True))
        self.frame = self.frame.with_columns(*(key.alias(name) for name, key in keys.items()))
        self.frame = self.rows.joined(self.frame, pd.DataFrame(table), list(keys))
        self.added += [*keys, *names]
        return names

    def _key(self, name: str, levels: np.ndarray) -> tuple[Any, np.ndarray]:
        """A column of the frame and the levels of the fit, of one type.

        Text and whole numbers are matched as they print, as in memory.
        """
        import narwhals.stable.v2 as nw

        dtype, column = self.rows.schema[name], nw.col(name)
        kind = kind_of_type(dtype)
        if isinstance(dtype, nw.Time | nw.Duration):
            raise ArgumentError(
                f"the grouping factor {name!r} is of type {dtype}, on which engines cannot join; "
                "make it text or a number in the lazy frame, and fit that"
            )
        if dtype.is_temporal():  # levels are their texts
            return self._moment(name, levels)
        if kind == "number" and len(levels) and isinstance(levels[0], str):
            if not dtype.is_integer():
                raise _other_type(name, "text", dtype)
            return column.cast(nw.String()), levels
        if kind == "number":
            whole = dtype.is_integer()
            if levels.dtype.kind == "u" and levels.max(initial=0) > np.iinfo(np.int64).max:
                return column.cast(nw.String()), level_texts(levels).astype(object)
            if levels.dtype.kind in "iuf":
                levels = levels.astype(np.int64 if whole else np.float64)
            return column.cast(nw.Int64() if whole else nw.Float64()), levels
        if kind == "text" and levels.dtype.kind == "f":
            raise _other_type(name, "a number", dtype)
        if kind == "text" and levels.dtype.kind in "iu":
            levels = level_texts(levels).astype(object)
        return pushed(name, self.rows.schema).value, levels

    def _moment(self, name: str, levels: np.ndarray) -> tuple[Any, Any]:
        """A date or time and the levels of the fit, in Greenwich's time.

        Where they have zones, engines but Polars compare moments as they are: a cast would be to
        the zone of the session.
        """
        import narwhals.stable.v2 as nw

        column, dtype = nw.col(name), self.rows.schema[name]
        moments = pd.to_datetime(levels, utc=True, format="ISO8601")
        zone = getattr(dtype, "time_zone", None)
        if zone and self.rows.engine != "polars":
            return column, moments.tz_convert(zone).as_unit(dtype.time_unit)
        return column.cast(nw.Datetime("us")), moments.tz_localize(None).to_numpy("datetime64[us]")

    def product_of(self, recipe: PlainMatrix, coefficients: Sequence[Any]) -> Any:
        """The columns of a matrix times coefficients, which are numbers or expressions."""
        total, at = 0.0, 0
        single, places = recipe.split()
        known = columns_of(recipe.bases, self.rows.schema, recipe.state)
        for scale, factors in single.products:
            coding = recipe.coding(factors)
            own = [coefficients[i] for i in places[at : at + len(coding.names)]]
            at += len(coding.names)
            value: Any = scale * self._of_cells(coding, own)
            for variable, _ in factors:
                if variable in known:
                    value = value * known[variable]
                elif variable not in recipe.codings:
                    text = unmarked(variable)
                    value = value * pushed(text, self.rows.schema, recipe.state).number()
            total = total + value
        import narwhals.stable.v2 as nw

        return total if isinstance(total, nw.Expr) else nw.lit(float(total))

    def _of_cells(self, coding: PlainMatrix, coefficients: Sequence[Any]) -> Any:
        """The coding of each row's cell times coefficients."""
        import narwhals.stable.v2 as nw

        names = [unmarked(v) for v, _ in coding.products[0][1]]
        if not names:
            return coefficients[0]
        levels = [self._levels(name) for name in names]
        cells = list(all_combinations(*(range(len(own)) for own in levels)))
        if len(cells) > MOST_CELLS:
            raise ArgumentError(
                f"the factors {listing(names)} have {len(cells)} cells, too many for one "
                "expression; collect the rows and predict for these"
            )
        rows = coding.matrix(_columns_of(names, levels, np.array(cells)))
        out = nw.lit(None, nw.Float64())
        for cell, row in zip(reversed(cells), rows[::-1], strict=True):
            inside = [
                self._is_at(name, own[level])
                for name, own, level in zip(names, levels, cell, strict=True)
            ]
            value: Any = 0.0
            for c, coefficient in zip(row.tolist(), coefficients, strict=True):
                if c:
                    value = value + c * coefficient
            out = nw.when(*inside).then(value).otherwise(out)
        return out

    def _levels(self, name: str) -> list[Any]:
        recipe = self.fit.design.recipe
        assert recipe is not None
        labels = recipe.levels.get(name)
        return [False, True] if labels is None else labels.levels.tolist()

    def _is_at(self, text: str, level: Any) -> Any:
        value = pushed(text, self.rows.schema, self.state).value
        if isinstance(level, bool):
            return value if level else ~value
        return value == level


def _columns_of(
    names: Sequence[str], levels: Sequence[Sequence[Any]], cells: np.ndarray
) -> Columns:
    """Columns of factors in cells of their levels."""
    columns: dict[str, Any] = {}
    for name, own, codes in zip(names, levels, cells.T, strict=True):
        labels = Labels(codes, np.array(own, dtype=object))
        columns[name] = codes == 1 if own == [False, True] else labels
    return Columns(columns, pd.RangeIndex(len(cells)))


def _other_type(name: str, was: str, now: Any) -> DataError:
    return DataError(
        f"the grouping factor {name!r} is {was} in the fit and {now} here, and engines do not "
        "print numbers alike; cast the column to what it was"
    )


def _plain(levels: np.ndarray) -> np.ndarray:
    """Labels as a type that joins: text, 64-bit numbers or truth values."""
    if levels.dtype.kind in "iu":
        return levels.astype(np.int64)
    return levels.astype(np.float64) if levels.dtype.kind == "f" else levels


def response_of_rows(fit: RowlessFit, data: Any) -> pd.Series:
    """The response of the rows of a frame in memory."""
    new = fit.design.on(data, factors=(), response=True)
    assert new.y is not None
    return pd.Series(new.y, index=new.index)
