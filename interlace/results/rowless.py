"""What results without rows have in common: lazy frames of the engine of the data."""

from __future__ import annotations

from typing import Any

from ..calls import checked_methods
from ..errors import ArgumentError
from ..frames.lazy import is_lazy
from ..frames.parts import is_in_parts, scanned
from .mixed import MixedResult


@checked_methods
class RowlessResult(MixedResult):
    """A result whose rows are not in memory: fitted values and residuals are lazy frames."""

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
        newdata : data frame, or path or paths of Parquet files, optional
            A lazy one, or files, is answered with a lazy frame of its engine, whose column
            ``.fitted`` is missing in rows of levels that the fit does not know, unless
            ``new_levels`` is ``"population"``; any other as by results of rows.
        type, include_re, new_levels, *args, **named
            As of results of rows; of lazy frames the first three alone, ``type`` being
            ``"response"`` or ``"link"``.

        Returns
        -------
        lazy frame or Series
        """
        if newdata is not None and is_in_parts(newdata):
            recipe = self.fit.design.recipe
            newdata = scanned(newdata, () if recipe is None else recipe.variables())
        plain = type in ("response", "link", "conditional") and not args and not named
        if plain and (newdata is None or is_lazy(newdata)):
            kind = "link" if type == "link" else "response"
            return self._lazily(newdata, kind, include_re=include_re, new_levels=new_levels)
        return super().predict(newdata, type, include_re, new_levels, *args, **named)

    def _lazily(self, data: Any = None, type: str = "response", **asked: Any) -> Any:
        """A lazy frame with fitted values."""
        from ..inference.lazy_prediction import lazy_predictions, response_of_rows

        data = self._data if data is None else data
        if data is None:
            raise ArgumentError(
                "the lazy frame of the fit is not known any more (a result that was stored has "
                "none); m.predict(frame) takes it, or another"
            )
        if is_lazy(data):
            return lazy_predictions(self.fit, data, type, **asked)  # type: ignore[arg-type]
        fitted = super().predict(data, new_levels="population")
        if not asked.get("residuals"):
            return fitted
        return (response_of_rows(self.fit, data) - fitted).rename("residuals")  # type: ignore[arg-type]
