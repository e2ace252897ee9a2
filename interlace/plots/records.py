"""``.plot`` of objects that are made of a fitted model: influence, profiles, …."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..calls import checked_methods
from .kinds import Plots

if TYPE_CHECKING:
    from ..diagnostics.influence import Influence


@checked_methods
class InfluencePlots(Plots):
    """Pictures of an :class:`Influence`: groups sorted, or rows in their order.

    Parameters
    ----------
    record : Influence

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> m.influence("Subject").plot().get_ylabel()
    'Subject'
    """

    _owner = "influence"
    _words = {"dotplot": "dots", "dot": "dots", "stem": "index", "cooks": "index"}

    def __init__(self, record: Influence) -> None:
        self._record = record

    def _draw_usual(self, *args: Any, **options: Any) -> Any:
        return (self.index if self._record.by is None else self.dots)(*args, **options)

    def index(
        self,
        diag: str = "cooks_distance",
        cutoff: Any = "internal",
        label: int = 3,
        ax: Any = None,
    ) -> Any:
        """A measure of each row or group, in their order.

        Parameters
        ----------
        diag : str, default "cooks_distance"
            A column of ``to_frame()``.
        cutoff : "internal", float, pair of float or None, default "internal"
            Where a line is drawn: three interquartile ranges beyond the quartiles, as HLMdiag, or
            your own.
        label : int, default 3
            How many of the most influential have their name beside them.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from .influence import influence_plot

        return influence_plot(self._record, diag, cutoff, label, ax, dots=False)

    def dots(
        self,
        diag: str = "cooks_distance",
        cutoff: Any = "internal",
        label: int = 3,
        ax: Any = None,
    ) -> Any:
        """A measure of each row or group, the largest on top.

        Parameters
        ----------
        diag, cutoff, label
            As for ``index``; names are beside the points where there are too many for the axis.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from .influence import influence_plot

        return influence_plot(self._record, diag, cutoff, label, ax, dots=True)


#: Class of an object -> its pictures.
PICTURES = {"Influence": InfluencePlots}


def pictures_of(record: Any) -> Plots:
    """The pictures of an object."""
    return PICTURES[type(record).__name__](record)
