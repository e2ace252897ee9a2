"""The result of a linear mixed model whose rows stayed with the engine of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..errors import ArgumentError
from ..frames.lazy import is_lazy
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

    def simulate(
        self,
        nsim: int = 1,
        seed: int | np.random.Generator | None = None,
        use_u: bool = False,
        newdata: Any = None,
    ) -> pd.DataFrame:
        """Draw responses of the rows of a frame in memory.

        Parameters
        ----------
        nsim : int, default 1
        seed : int or numpy Generator, optional
        use_u : bool, default False
            Keep the random effects at their conditional modes instead of drawing them.
        newdata : data frame
            Rows with the columns of the model, of levels that the fit knows; the response is not
            needed. Weights count as 1.

        Returns
        -------
        DataFrame, shape (r, nsim)

        Raises
        ------
        ArgumentError
            Without ``newdata``, or if it is lazy.

        Examples
        --------
        >>> import interlace as il
        >>> import polars as pl
        >>> sleep = il.load_dataset("sleepstudy")
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", pl.from_pandas(sleep).lazy())
        >>> m.simulate(2, seed=1, newdata=sleep.head(3)).shape
        (3, 2)
        """
        from ..inference.simulate import simulate_new_rows

        if newdata is None or is_lazy(newdata):
            raise ArgumentError(
                "this fit has the sums of its data and not their rows: simulate() draws responses "
                "of the rows of a frame in memory, simulate(newdata=frame); of a lazy frame "
                "collect the rows that it is to be for"
            )
        return simulate_new_rows(self.fit, newdata, nsim, seed, use_u)
