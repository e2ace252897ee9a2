"""Results for the package marginaleffects: slopes, comparisons and predictions, averaged.

marginaleffects takes objects of its own abstract class: matrices of new rows, predictions from
coefficients that it moves to differentiate them, and the covariance of these.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from ..api.arguments import check_result
from ..calls import checked
from ..errors import MissingDependencyError
from ..results.base import ModelResult
from .predicted_rows import PredictedRows, predicted_rows

__all__ = ["adapt"]


#: Name of the column of responses in the rows handed over.
RESPONSE = "response_"
#: Name of a variable that a model without any is given, since the package needs one.
CONSTANT = "constant_"


@checked
def adapt(
    result: ModelResult,
    type: Literal[
        "response", "link", "conditional", "zprob", "prob", "cum.prob", "mean.class"
    ] = "response",
    include_re: Any = False,
    component: str | None = None,
    data: Any = None,
) -> Any:
    """A result as a model that marginaleffects takes.

    Parameters
    ----------
    result : fitted model
        Of any kind: of ``fit``, ``gls``, ``glmer``, ``glm``, ``clm`` or ``clmm``, with any random
        effects, structures, residual covariances and formulas of further predictors.
    type : str, default "response"
        ``"response"``: the mean of the response, of which all linear predictors are part; of
        ordered categories the probability of each, with the category in the column ``group``.
        ``"link"``: a linear predictor. ``"conditional"``, ``"zprob"``: the mean without the zeros
        that a zero inflation adds, and the probability of these. ``"prob"``, ``"cum.prob"``,
        ``"mean.class"`` of ordered categories: probabilities, those of at most a category, and the
        expected number of the category.
    include_re : bool or str or sequence of str, default False
        Random effects that predictions have, as for ``predict``; levels that the fit does not know
        have none. Standard errors are those of the coefficients given the effects, as in R.
    component : str, optional
        Of ``type="link"``: which linear predictor.
    data : data frame, optional
        Rows that averages are taken over, by default those of the fit. Needed by models that were
        stored, or fitted to a lazy frame or with ``compress=True``.

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
        If the offset of the fit is no column of the data, if the rows of the fit are not known or
        have changed since and ``data`` is not given, or if the model has no such type.

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
    rows = predicted_rows(result, type, include_re, component, data)

    class Adapted(ModelAbstract):
        """A fit of interlace."""

        df_resid = None  # z tests: with it all would be t tests of one number

        def get_exog(self, newdata: Any) -> np.ndarray:
            """Model matrices with offsets, side by side, (r, .)."""
            return rows.matrix(_columns_of(newdata, rows))

        def get_predict(self, params: np.ndarray, newdata: Any) -> Any:
            """Predictions at coefficients."""
            values = rows.predictions(np.asarray(params, dtype=float), np.asarray(newdata))
            return _estimates(values, rows.groups)

    names = rows.variables or [CONSTANT]
    vault = ModelVault(
        coef=rows.coef,
        coefnames=np.array(rows.names, dtype=object),
        vcov=rows.cov,
        formula=f"{RESPONSE} ~ {' + '.join(f'`{name}`' for name in names)}",
        variable_names=[RESPONSE, *names],
        modeldata=_polars(rows, data is None),
        package="interlace",
    )
    return Adapted(result, vault)


def _polars(rows: PredictedRows, own: bool) -> Any:
    """The rows to average over in Polars: factors as Enums, as marginaleffects wants them."""
    import polars as pl

    columns = {name: _column(rows, str(name), rows.frame[name]) for name in rows.frame.columns}
    n = len(rows.frame)
    # of other rows than those of the fit the response may not be known, and is not used
    columns[RESPONSE] = np.asarray(rows.fit.design.y, dtype=float) if own else np.zeros(n)
    if not rows.variables:
        columns[CONSTANT] = np.ones(n)
    return pl.DataFrame(columns)


def _column(rows: PredictedRows, name: str, values: pd.Series) -> Any:
    import polars as pl

    labels = rows.labels(name)
    if labels is None and values.dtype.kind in "biuf":
        return pl.Series(values.to_numpy())
    known = {level: text for text, level in (labels or {}).items()}
    texts = [None if pd.isna(value) else known.get(value, str(value)) for value in values]
    if labels is not None and set(texts) <= {None, *labels}:
        return pl.Series(texts, dtype=pl.Enum(list(labels)))
    return pl.Series(texts, dtype=pl.Enum(sorted({text for text in texts if text is not None})))


def _columns_of(newdata: Any, rows: PredictedRows) -> pd.DataFrame:
    """Rows in Polars as pandas, factors with the levels that the fit knows."""
    columns = {}
    for name in newdata.columns:
        values, labels = newdata[name].to_list(), rows.labels(name)
        columns[name] = values if labels is None else [labels.get(v, v) for v in values]
    return pd.DataFrame(columns)


def _estimates(values: np.ndarray, groups: list[str] | None) -> Any:
    """Predictions as marginaleffects wants them: a row each, one category after the other."""
    import polars as pl

    numbers = np.arange(len(values))
    if groups is None:
        columns = {"rowid": pl.Series(numbers, dtype=pl.Int32), "estimate": values}
        return pl.DataFrame(columns)
    rowid = pl.Series(np.tile(numbers, len(groups)), dtype=pl.Int32)
    names = pl.Series(np.repeat(groups, len(values)).tolist(), dtype=pl.Enum(groups))
    return pl.DataFrame({"rowid": rowid, "group": names, "estimate": values.T.ravel()})
