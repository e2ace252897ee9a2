"""The result of a linear mixed model whose rows stayed with the engine of the data."""

from __future__ import annotations

from typing import Any

from ..calls import checked_methods
from ..errors import ArgumentError
from ..frames.lazy import is_lazy
from ..models.lmm_summed import SummedFit
from .lmm import LMMResult


@checked_methods
class SummedResult(LMMResult):
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

    @property
    def fittedvalues(self) -> Any:
        """The data with fitted values, random effects included, as a lazy frame."""
        return self._lazily()

    @property
    def resid(self) -> Any:
        """The data with fitted values and residuals as a lazy frame."""
        return self._lazily(residuals=True)

    def residuals(self, type: Any = None, scaled: bool = False) -> Any:
        """Residuals of the response, as ``resid``.

        Parameters
        ----------
        type : {"response"}, optional
            Others need the rows.
        scaled : bool, default False
            Needs the rows.

        Returns
        -------
        lazy frame
        """
        if type in (None, "response") and not scaled:
            return self.resid
        return super().residuals(type, scaled)

    def predict(
        self,
        newdata: Any = None,
        type: Any = "response",
        include_re: Any = True,
        new_levels: Any = "error",
        *args: Any,
        **named: Any,
    ) -> Any:
        """Predicted values: of a lazy frame, that of the fit by default, its column ``.fitted``.

        Parameters
        ----------
        newdata : data frame, optional
            A lazy one is answered with a lazy frame of its engine, whose column ``.fitted`` is
            missing in rows of levels that the fit does not know, unless ``new_levels`` is
            ``"population"``; any other as by ``LMMResult.predict``.
        type, include_re, new_levels, *args, **named
            As of ``LMMResult.predict``; of lazy frames the first three alone.

        Returns
        -------
        lazy frame or Series
        """
        plain = type in ("response", "link", "conditional") and not args and not named
        if plain and (newdata is None or is_lazy(newdata)):
            return self._lazily(newdata, include_re=include_re, new_levels=new_levels)
        return super().predict(newdata, type, include_re, new_levels, *args, **named)

    def _lazily(self, data: Any = None, **asked: Any) -> Any:
        """A lazy frame with fitted values."""
        from ..inference.lazy_prediction import lazy_predictions, response_of_rows

        data = self._data if data is None else data
        if data is None:
            raise ArgumentError(
                "the lazy frame of the fit is not known any more (a result that was stored has "
                "none); m.predict(frame) takes it, or another"
            )
        if is_lazy(data):
            return lazy_predictions(self.fit, data, **asked)
        fitted = super().predict(data, new_levels="population")
        if not asked.get("residuals"):
            return fitted
        return (response_of_rows(self.fit, data) - fitted).rename("residuals")
