"""Pictures of frames: residuals and measures of influence, by the earlier package's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ..calls import checked

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["dotplot_diag", "plot_influence", "plot_resid"]


@checked
def plot_resid(
    resid_df: pd.DataFrame, type: Literal["resid_vs_fitted", "qq"] = "resid_vs_fitted",
    ax: Any = None,
) -> Any:  # fmt: skip
    """Residuals of a frame against fitted values, or against normal quantiles.

    ``m.plot.residuals()`` and ``m.plot.qq()`` need no frame.

    Parameters
    ----------
    resid_df : DataFrame
        With the columns ``.resid`` and ``.fitted``, as ``m.augment()``.
    type : {"resid_vs_fitted", "qq"}, default "resid_vs_fitted"
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If a column is missing.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.plot_resid(m.augment(), "qq").get_xlabel()
    'Normal quantiles'
    """
    from ..plots.residuals import frame_plot

    return frame_plot(resid_df, type, ax)


@checked
def plot_influence(influence_df: pd.DataFrame, diag: str = "cooksd", ax: Any = None) -> Any:
    """A measure of influence in the order of the rows of a frame.

    ``m.plot.influence()`` needs no frame.

    Parameters
    ----------
    influence_df : DataFrame
        As ``m.influence().to_frame()`` or ``m.augment()``.
    diag : str, default "cooksd"
        Its column: ``"cooksd"`` (also where it is called ``cooks_distance``), ``"mdffits"``, ….
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If there is no such column.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.plot_influence(m.augment()).get_ylabel()
    "Cook's distance"
    """
    from ..plots.influence import column_of, index_plot

    name, values = column_of(influence_df, diag)
    return index_plot(values, name, "internal", 3, ax)


@checked
def dotplot_diag(
    influence_df: pd.DataFrame,
    diag: str = "cooksd",
    cutoff: Any = "internal",
    name: str | None = None,
    ax: Any = None,
) -> Any:
    """A measure of influence of groups, the largest on top, as HLMdiag's ``dotplot_diag``.

    Parameters
    ----------
    influence_df : DataFrame
        As ``m.influence("Subject").to_frame()``.
    diag : str, default "cooksd"
        As for ``plot_influence``.
    cutoff : "internal", float, pair of float or None, default "internal"
        Where a line is drawn: three interquartile ranges beyond the quartiles, or your own.
    name : str, optional
        Of the groups, on the axis; default: that of the index.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.dotplot_diag(m.influence("Subject").to_frame(), "mdffits").get_xlabel()
    'MDFFITS'
    """
    from ..plots.influence import column_of, dot_plot

    own, values = column_of(influence_df, diag)
    return dot_plot(values, own, cutoff, 3, str(name or values.index.name or "group"), ax)
