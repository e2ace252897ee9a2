"""Results for the package marginaleffects: slopes, comparisons and predictions, averaged.

marginaleffects takes objects of its own abstract class: matrices of new rows, predictions from
coefficients that it moves to differentiate them, and the covariance of these.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..api.arguments import check_result
from ..calls import checked
from ..errors import ArgumentError, MissingDependencyError
from ..inference.components import coefficients, covariance_of_all
from ..inference.prediction_rows import prediction_rows
from ..inference.quantities import quantity
from ..inference.which_effects import of_predictors, which_effects
from ..results.base import ModelResult

__all__ = ["adapt"]


@checked
def adapt(
    result: ModelResult,
    type: Literal["response", "link"] = "response",
    include_re: Any = False,
    component: str | None = None,
) -> Any:
    """A result as a model that marginaleffects takes.

    Parameters
    ----------
    result : LMMResult, GLMMResult or GLMResult
    type : {"response", "link"}, default "response"
        Scale of predictions: the mean of the response, of which all linear predictors are part, or
        a linear predictor.
    include_re : bool or str or sequence of str, default False
        Random effects that predictions have, as for ``predict``; levels that the fit does not know
        have none. Standard errors are those of the coefficients given the effects, as in R.
    component : str, optional
        Of ``type="link"``: which linear predictor.

    Returns
    -------
    marginaleffects' ModelAbstract
        For ``avg_slopes``, ``avg_comparisons``, ``avg_predictions``, ``predictions``, ``slopes``,
        ``comparisons``, ``hypotheses`` and the plots; tests are z tests.

    Raises
    ------
    MissingDependencyError
        If marginaleffects 0.6 is not installed: ``pip install interlace[marginaleffects]``.
    ArgumentError
        If the offset of the fit is no column of the data.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace.interop.marginaleffects import adapt  # doctest: +SKIP
    >>> from marginaleffects import avg_slopes  # doctest: +SKIP
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> avg_slopes(adapt(m))["estimate"].round(3).to_list()  # doctest: +SKIP
    [10.467]
    """
    check_result(result, "adapt")
    try:
        from marginaleffects.classes.model import ModelAbstract, ModelVault
    except ImportError as error:
        raise MissingDependencyError(
            "adapt needs marginaleffects 0.6 with Polars below 2: "
            "pip install 'interlace[marginaleffects]'"
        ) from error
    rows = _Rows(result, type, include_re, component)

    class Adapted(ModelAbstract):
        """A fit of interlace."""

        df_resid = None  # z tests: with it all would be t tests of one number

        def get_exog(self, newdata: Any) -> np.ndarray:
            """Model matrices with offsets, side by side, (r, .)."""
            return rows.matrix(newdata)

        def get_predict(self, params: np.ndarray, newdata: Any) -> Any:
            """Predictions at coefficients."""
            return rows.predictions(np.asarray(params, dtype=float), np.asarray(newdata))

    vault = ModelVault(
        coef=rows.coef,
        coefnames=np.array(rows.names, dtype=object),
        vcov=rows.cov,
        formula=f"{rows.response} ~ {' + '.join(rows.variables) or '1'}",
        variable_names=[rows.response, *rows.variables],
        modeldata=rows.data(),
        package="interlace",
    )
    return Adapted(result, vault)


class _Rows:
    """Predictions of new rows as functions of all coefficients."""

    def __init__(self, result: Any, type: str, include_re: Any, component: str | None):
        fit = result.fit
        self.fit, self.source = fit, result._data
        recipe = fit.design.recipe
        if recipe is None or self.source is None:
            raise ArgumentError("adapt needs the data of the fit, which are not at hand: fit again")
        if recipe.offset_given:
            raise ArgumentError(
                "the offset was given as an array, which new rows do not have; make it a column of "
                "the data and fit with offset='column' or offset(column) in the formula"
            )
        self.recipe = recipe
        self.quantity = quantity(fit, type, component)
        self.betas = coefficients(fit)
        self.masks = of_predictors(fit, which_effects(fit, include_re), self.quantity.predictors)
        self.coef = np.concatenate(list(self.betas.values()))
        self.cov = covariance_of_all(fit)
        own = fit.design.x_names
        self.names = own if not fit.several else [
            f"{name}: {label}" if name != fit.design.current else label
            for name, beta in self.betas.items()
            for label in self._labels(name, beta.size)
        ]  # fmt: skip
        sides = [recipe.fixed[n] for n in self.quantity.predictors if n in recipe.fixed]
        offsets = [v for side in sides for piece in side.offsets for v in piece.variables]
        names = [v for side in sides for v in side.variables] + offsets
        self.variables = list(dict.fromkeys(names))
        self.response = "response_"

    def _labels(self, name: str, size: int) -> list[str]:
        fit = self.fit
        if name == fit.design.current:
            return list(fit.design.x_names)
        return [name] if size == 1 and fit.is_number(name) else list(fit.part(name).design.x_names)

    def data(self) -> Any:
        """The rows of the fit in Polars: factors as Enums, as marginaleffects wants them."""
        import narwhals.stable.v2 as nw
        import polars as pl

        frame = nw.from_native(self.source, pass_through=False)
        frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
        rows = self.fit.design.rows
        columns = {}
        for name in frame.columns:
            values = np.asarray(frame[name].to_numpy())
            values = values if rows is None else values[rows]
            columns[name] = self._column(name, values)
        columns[self.response] = pl.Series(np.asarray(self.fit.design.y, dtype=float))
        return pl.DataFrame(columns)

    def _column(self, name: str, values: np.ndarray) -> Any:
        import polars as pl

        known = self.recipe.levels.get(name)
        if known is not None:
            labels = [str(level) for level in known.levels]
        elif values.dtype.kind in "biuf":
            return pl.Series(values)
        else:
            labels = sorted({str(v) for v in values})
        return pl.Series([str(v) for v in values], dtype=pl.Enum(labels))

    def matrix(self, newdata: Any) -> np.ndarray:
        """X of each predictor that is needed, with a column of its offset and random effects."""
        import pandas as pd

        columns: dict[str, Any] = {}
        for name in newdata.columns:
            values = newdata[name].to_list()
            known = self.recipe.levels.get(name)
            if known is not None:
                labels = {str(level): level for level in known.levels}
                values = [labels.get(v, v) for v in values]
            columns[name] = values
        frame = pd.DataFrame(columns)
        needed = self.quantity.predictors
        rows = prediction_rows(self.fit, frame, self.masks, "population", names=needed)
        parts = []
        for name in needed:
            X, offset = rows.predictors[name]
            fixed = np.zeros(len(X)) if offset is None else np.asarray(offset)
            effects = of_predictors(self.fit, self.masks, [name])
            for (codes, Z), b, mask in zip(rows.factors, self.fit.b, effects):
                if mask.any():
                    inside = codes >= 0
                    part = np.einsum("ij,ij->i", Z, (b * mask)[np.where(inside, codes, 0)])
                    fixed = fixed + np.where(inside, part, 0.0)
            parts += [X, fixed[:, None]]
        return np.concatenate(parts, axis=1)

    def predictions(self, params: np.ndarray, matrix: np.ndarray) -> Any:
        """The quantity at coefficients, as marginaleffects wants it."""
        import polars as pl

        etas, start, at = [], 0, 0
        for name, beta in self.betas.items():
            own = params[start : start + beta.size]
            start += beta.size
            if name in self.quantity.predictors:
                X, fixed = matrix[:, at : at + beta.size], matrix[:, at + beta.size]
                at += beta.size + 1
                etas.append(X @ own + fixed)
            else:
                etas.append(np.zeros(len(matrix)))
        values = self.quantity.value(np.stack(etas))
        rows = pl.Series(range(len(values)), dtype=pl.Int32)
        return pl.DataFrame({"rowid": rows, "estimate": np.asarray(values, dtype=float)})
