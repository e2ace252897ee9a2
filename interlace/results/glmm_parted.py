"""The result of a generalised linear mixed model whose rows workers read."""

from __future__ import annotations

from ..calls import checked_methods
from ..models.glmm_parted import PartedFit
from .glmm import GLMMResult
from .rowless import RowlessResult


@checked_methods
class PartedResult(RowlessResult, GLMMResult):
    """A fitted generalised linear mixed model of rows in parts: all that needs no rows.

    Fitted values and predictions of lazy frames are lazy frames of the same engine, with a column
    ``.fitted``; nothing is computed before it is asked to.

    Parameters
    ----------
    fit : PartedFit
        The frozen record, from which everything is computed when asked for.

    Examples
    --------
    >>> import interlace as il
    >>> import polars as pl
    >>> cbpp = pl.from_pandas(il.load_dataset("cbpp")).lazy()
    >>> m = il.glmer("incidence / size ~ period + (1 | herd)", cbpp, "binomial", partitions=2)
    >>> round(m.llf, 4)
    -92.0263
    """

    fit: PartedFit
