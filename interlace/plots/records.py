"""``.plot`` of objects that are made of a fitted model: influence, profiles, …."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ..calls import checked_methods
from .kinds import Plots

if TYPE_CHECKING:
    from ..diagnostics.influence import Influence
    from ..diagnostics.simulated_residuals import SimulatedResiduals
    from ..inference.profile.profile import Profile
    from ..inference.resampling.bootstrap import Bootstrap
    from ..inference.resampling.power import Power


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


@checked_methods
class BootstrapPlots(Plots):
    """Pictures of a :class:`Bootstrap`: a panel for each number that was replicated.

    Parameters
    ----------
    record : Bootstrap

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> m.bootstrap(100, seed=1).plot("histogram", "Days").get_xlabel()
    'Days'
    """

    _owner = "bootstrap"
    _usual = "histogram"
    _words = {"hist": "histogram", "density": "histogram", "qqnorm": "qq"}

    def __init__(self, record: Bootstrap) -> None:
        self._record = record

    def histogram(
        self,
        parm: Any = None,
        method: Literal["percentile", "basic", "normal", "perc", "norm"] = "percentile",
        level: float = 0.95,
        ax: Any = None,
        fig: Any = None,
    ) -> Any:
        """Histograms of the replicates, with the estimate and, dashed, an interval.

        Parameters
        ----------
        parm : str or sequence of str, optional
            Numbers that are drawn; default: all.
        method, level
            Of the interval, as for ``conf_int``.
        ax : Axes or sequence of Axes, optional
            One for each panel.
        fig : Figure or SubFigure, optional
            In place of `ax`: where panels are made.

        Returns
        -------
        Axes, or array of Axes where there are several panels
        """
        from .resampling import histogram_plot

        return histogram_plot(self._record, parm, method, level, ax, fig)

    def qq(self, parm: Any = None, level: float = 0.95, ax: Any = None, fig: Any = None) -> Any:
        """Replicates against normal quantiles, with a band as that of ``m.plot.qq()``.

        Parameters
        ----------
        parm, ax, fig
            As for ``histogram``.
        level : float, default 0.95
            Of the band.

        Returns
        -------
        Axes, or array of Axes where there are several panels
        """
        from .resampling import replicate_qq_plot

        return replicate_qq_plot(self._record, parm, level, ax, fig)


@checked_methods
class SimulatedPlots(Plots):
    """Pictures of :class:`SimulatedResiduals`: a call draws both, as DHARMa's ``plot``.

    Parameters
    ----------
    record : SimulatedResiduals

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> [ax.get_title() for ax in m.simulated_residuals(seed=1).plot()]
    ['Q-Q of scaled residuals', 'Scaled residuals vs predicted']
    """

    _owner = "residuals"
    _words = {
        **dict.fromkeys(("plotQQunif", "qqunif", "plot_qq"), "qq"),
        **dict.fromkeys(("plotResiduals", "resid", "plot_residuals"), "residuals"),
    }

    def __init__(self, record: SimulatedResiduals) -> None:
        self._record = record

    def _draw_usual(self, *args: Any, **options: Any) -> Any:
        from .simulated import panel

        return panel(self._record, *args, **options)

    def qq(self, level: float = 0.95, ax: Any = None) -> Any:
        """Scaled residuals against uniform quantiles.

        Parameters
        ----------
        level : float, default 0.95
            Of the band of each order statistic of uniform numbers.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from .simulated import uniform_qq_plot

        return uniform_qq_plot(self._record, level, ax)

    def residuals(self, x: Any = None, rank: bool = True, ax: Any = None) -> Any:
        """Scaled residuals along predictions or a variable, with their quartiles.

        The quartiles, local ones along numbers, are level at 0.25, 0.5 and 0.75 if the model is
        right.

        Parameters
        ----------
        x : str, or array or Series of n values, optional
            A variable of the model or others; default: the predicted values.
        rank : bool, default True
            Numbers by their ranks, which spreads them evenly.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from .simulated import along_plot

        return along_plot(self._record, x, rank, ax)


@checked_methods
class ProfilePlots(Plots):
    """Pictures of a :class:`Profile`: a panel for each parameter; a call draws zeta.

    Parameters
    ----------
    record : Profile

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> m.profile("sigma").plot.density().get_xlabel()
    'sigma'
    """

    _owner = "profile"
    _usual = "zeta"
    _words = {"xyplot": "zeta", "densityplot": "density"}

    def __init__(self, record: Profile) -> None:
        self._record = record

    def zeta(self, parm: Any = None, ax: Any = None, fig: Any = None) -> Any:
        """zeta against the parameter, as lme4's ``xyplot``: a straight line where Wald is right.

        With the intervals of the levels 50, 80, 90, 95 and 99 %.

        Parameters
        ----------
        parm : str or sequence of str, optional
            Parameters that are drawn; default: all that were profiled.
        ax : Axes or sequence of Axes, optional
            One for each panel.
        fig : Figure or SubFigure, optional
            In place of `ax`: where panels are made.

        Returns
        -------
        Axes, or array of Axes where there are several panels
        """
        from .profiles import zeta_plot

        return zeta_plot(self._record, parm, ax, fig)

    def density(
        self, parm: Any = None, level: float = 0.95, ax: Any = None, fig: Any = None
    ) -> Any:
        """The density that the profile implies, as lme4's ``densityplot``, and an interval.

        Parameters
        ----------
        parm, ax, fig
            As for ``zeta``.
        level : float, default 0.95
            Of the interval, which is shaded.

        Returns
        -------
        Axes, or array of Axes where there are several panels
        """
        from .profiles import density_plot

        return density_plot(self._record, parm, level, ax, fig)


@checked_methods
class PowerPlots(Plots):
    """Pictures of a :class:`Power`: its curve.

    Parameters
    ----------
    record : Power

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> p = il.power(m, "Days", nsim=50, along="Subject", sizes=[4, 8], seed=1)
    >>> p.plot().get_xlabel()
    'Number of levels of Subject'
    """

    _owner = "power"
    _usual = "curve"
    _words = {"powerCurve": "curve", "power": "curve"}

    def __init__(self, record: Power) -> None:
        self._record = record

    def curve(self, target: float | None = 0.8, ax: Any = None) -> Any:
        """The share of significant tests at each size, with its intervals, as simr's ``plot``.

        Parameters
        ----------
        target : float or None, default 0.8
            Power at which a line is drawn.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from .power import power_plot

        return power_plot(self._record, target, ax)


#: Class of an object -> its pictures.
PICTURES: dict[str, type[Plots]] = {
    "Influence": InfluencePlots,
    "Bootstrap": BootstrapPlots,
    "SimulatedResiduals": SimulatedPlots,
    "Profile": ProfilePlots,
    "Power": PowerPlots,
}


def pictures_of(record: Any) -> Plots:
    """The pictures of an object."""
    return PICTURES[type(record).__name__](record)  # type: ignore[call-arg]
