"""The result of a linear mixed model whose rows stayed with the engine of the data."""

from __future__ import annotations

from ..calls import checked_methods
from ..models.lmm_summed import SummedFit
from .lmm import LMMResult
from .rowless import RowlessResult


@checked_methods
class SummedResult(RowlessResult, LMMResult):
    """A fitted linear mixed model of a lazy frame: all that needs no rows, and lazy frames of rows.

    Fitted values and residuals are columns ``.fitted`` and ``.resid`` of a lazy frame of the same
    engine, with all columns of the data; nothing is computed before it is asked to.

    Parameters
    ----------
    fit : SummedFit
        The frozen record, from which everything is computed when asked for.

    Examples
    --------
    >>> import interlace as il
    >>> import polars as pl
    >>> sleep = pl.from_pandas(il.load_dataset("sleepstudy")).lazy()
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", sleep)
    >>> m.fittedvalues.select(".fitted").head(2).collect().to_series().round(3).to_list()
    [253.664, 273.33]
    """

    fit: SummedFit
