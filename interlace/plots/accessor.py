"""``m.plot``: the pictures of a fitted model, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ..calls import checked_methods

if TYPE_CHECKING:
    from ..models.kinds import AnyFit


@checked_methods
class ModelPlots:
    """Pictures of a fitted model, as pandas' ``df.plot``: each is a method.

    Each draws into the Axes given as ``ax=``, or into a new figure, and returns the Axes. Nothing
    is shown before ``matplotlib.pyplot.show()``, and colours are those of the style in use.

    Parameters
    ----------
    fit : LMMFit, GLMMFit, GLMFit or RegressionFit
    data : data frame, optional
        That of the fit.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> m.plot.residuals().get_xlabel()
    'Fitted values'
    """

    def __init__(self, fit: AnyFit, data: Any = None) -> None:
        self._fit, self._data = fit, data

    def residuals(
        self,
        type: Literal["response", "pearson", "deviance", "working"] | None = None,
        scale: Literal["link", "response"] = "link",
        label: int = 3,
        ax: Any = None,
    ) -> Any:
        """Residuals against fitted values, with a lowess line.

        Parameters
        ----------
        type : {"response", "pearson", "deviance", "working"}, optional
            Default: Pearson's for linear models (``y - fitted`` without weights), deviance
            residuals for others where the family has them, else Pearson's.
        scale : {"link", "response"}, default "link"
            Of the fitted values; they are the same in a linear model.
        label : int, default 3
            How many of the largest residuals have the label of their row beside them.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from .residuals import residual_plot

        return residual_plot(self._fit, type, scale, label, ax)
