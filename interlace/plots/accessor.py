"""``m.plot``: the pictures of a fitted model, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from ..calls import checked_methods
from ..errors import ArgumentTypeError, brief
from ..other_names import PICTURED, PICTURES
from .kinds import Plots

if TYPE_CHECKING:
    from ..models.kinds import AnyFit, MixedFit

#: Other words for kinds of pictures.
OTHER_KINDS = PICTURES | PICTURED


@checked_methods
class ModelPlots(Plots):
    """Pictures of a fitted model: ``m.plot()`` is the panel, ``m.plot.qq()`` one of them.

    As with pandas' ``df.plot`` each picture is a method, and ``m.plot("qq")`` is another way to
    write ``m.plot.qq()``. Each draws into the Axes given as ``ax=``, or into a new figure, and
    returns the Axes; nothing is shown before ``matplotlib.pyplot.show()``. Colours are those of the
    Axes, so that style sheets hold, and no setting of matplotlib is changed.

    Parameters
    ----------
    fit : LMMFit, GLMMFit, GLMFit or RegressionFit
    data : data frame, optional
        That of the fit.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed: ``pip install "interlace[plots]"``.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> [ax.get_title() for ax in m.plot()][:2]
    ['Residuals vs fitted', 'Q-Q of residuals']
    >>> m.plot.residuals().get_xlabel()
    'Fitted values'
    """

    _owner = "m"
    _words = OTHER_KINDS

    def __init__(self, fit: AnyFit, data: Any = None) -> None:
        self._fit, self._data = fit, data

    def _draw_usual(self, *args: Any, **options: Any) -> Any:
        from .panel import panel

        return panel(self._fit, *args, **options)

    def _hint(self, name: str) -> str:
        hint = super()._hint(name)
        lost = OTHER_KINDS.get(name, name) in vars(MixedPlots) and not self._fit.T
        return ": the model has no random effects" if lost else hint

    # -- residuals -------------------------------------------------------------------------------

    def residuals(
        self,
        type: Literal["quantile", "response", "pearson", "deviance", "working"] | None = None,
        scale: Literal["link", "response"] = "link",
        label: int = 3,
        ax: Any = None,
    ) -> Any:
        """Residuals against fitted values, with a lowess line.

        Parameters
        ----------
        type : {"quantile", "response", "pearson", "deviance", "working"}, optional
            Default: Pearson's for linear models (``y - fitted`` without weights). For others
            randomised quantile residuals given the random effects (Dunn and Smyth 1996), which are
            standard normal whatever the family if the model is right; the same in every call.
        scale : {"link", "response"}, default "link"
            Of the fitted values, as R's ``plot`` of a glm; they are the same in a linear model.
        label : int, default 3
            How many of the largest residuals have the label of their row beside them.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from .residuals import residual_plot

        return residual_plot(self._fit, type, scale, label, ax)

    def qq(
        self,
        type: Literal["quantile", "response", "pearson", "deviance", "working"] | None = None,
        level: float = 0.95,
        label: int = 3,
        ax: Any = None,
    ) -> Any:
        """Residuals, over the root of the dispersion, against normal quantiles.

        With the line through their quartiles, and the band within which each order statistic of
        normal residuals lies with the probability ``level``.

        Parameters
        ----------
        type : {"quantile", "response", "pearson", "deviance", "working"}, optional
            Default: as for ``residuals``.
        level : float, default 0.95
            Of the band.
        label : int, default 3
            How many of those farthest from the line have the label of their row.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from .residuals import qq_plot

        return qq_plot(self._fit, type, level, label, ax)

    def scale_location(
        self,
        type: Literal["quantile", "response", "pearson", "deviance", "working"] | None = None,
        scale: Literal["link", "response"] = "link",
        label: int = 3,
        ax: Any = None,
    ) -> Any:
        """Roots of absolute residuals against fitted values: whether the spread is the same.

        Parameters
        ----------
        type, scale, label
            As for ``residuals``; residuals are over the root of the dispersion.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from .residuals import scale_location_plot

        return scale_location_plot(self._fit, type, scale, label, ax)

    def observed(self, label: int = 0, ax: Any = None) -> Any:
        """The response against fitted values, random effects included, and the line y = x.

        Parameters
        ----------
        label : int, default 0
            How many of those farthest from the line have the label of their row.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from .residuals import observed_plot

        return observed_plot(self._fit, label, ax)

    def autocorrelation(
        self,
        by: Any = None,
        max_lag: int | None = None,
        time: Any = None,
        type: Literal["normalized", "quantile", "response", "pearson", "deviance", "working"]
        | None = None,
        level: float = 0.95,
        ax: Any = None,
    ) -> Any:
        """Autocorrelation of the residuals by lag, with the limits of independent ones.

        As nlme's ``plot(ACF(m))``, from lag 1 on.

        Parameters
        ----------
        by, max_lag, time, type, level
            As for ``m.autocorrelation``.
        ax : Axes, optional

        Returns
        -------
        Axes

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("follicles ~ Time + (1 | Mare)", il.load_dataset("Ovary"))
        >>> m.plot.autocorrelation().get_ylabel()
        'Autocorrelation'
        """
        from ..diagnostics.autocorrelation import autocorrelation
        from .autocorrelation import autocorrelation_plot

        table = autocorrelation(self._fit, by, max_lag, time, type, level, self._data)
        return autocorrelation_plot(table, ax)

    # -- estimates -------------------------------------------------------------------------------

    def coefficients(
        self,
        *others: Any,
        names: Sequence[str] | None = None,
        intercept: bool = False,
        level: float = 0.95,
        exponentiate: bool = False,
        component: str | None = None,
        ax: Any = None,
    ) -> Any:
        """Coefficients with their intervals, of this model and others side by side.

        Parameters
        ----------
        *others : LMMResult, GLMMResult or GLMResult
        names : sequence of str, optional
            Of the models in the legend; default: their formulas, or numbers where these are long.
        intercept : bool, default False
            Whether the intercept is drawn too.
        level : float, default 0.95
            Of the intervals, which are those of ``m.conf_int()``.
        exponentiate : bool, default False
            Exponentials, on a logarithmic axis, for the links log, logit and cloglog.
        component : str, optional
            Coefficients of one linear predictor: ``"cond"``, ``"zi"``, …; default: all.
        ax : Axes, optional

        Returns
        -------
        Axes

        Examples
        --------
        >>> import interlace as il
        >>> sleep = il.load_dataset("sleepstudy")
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", sleep)
        >>> ax = m.plot.coefficients(il.fit("Reaction ~ Days + (1 | Subject)", sleep))
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['Days']
        """
        from .coefficients import coefficient_plot

        for other in others:
            if not hasattr(other, "fit"):
                raise ArgumentTypeError(f"a model to compare with must be one, got {brief(other)}")
        fits = [self._fit, *(other.fit for other in others)]
        return coefficient_plot(fits, names, intercept, level, exponentiate, component, ax)

    def effect(
        self,
        x: str,
        by: str | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        type: Literal["response", "link"] = "response",
        level: float = 0.95,
        points: Literal["data", "partial"] | None = None,
        ddf: str | None = None,
        component: str | None = None,
        ax: Any = None,
    ) -> Any:
        """Predicted means along a variable, with their intervals, random effects at zero.

        Curves with bands along a numeric variable, means with bars for a factor: they are those of
        ``m.emmeans``, averaged over the factors that are not named, other numbers at their means.

        Parameters
        ----------
        x : str
            Variable of the fixed part.
        by : str, optional
            Another, with a line for each of its levels; of a numeric one for each value if they are
            few, else for its mean and one standard deviation around it.
        at : dict of str to value or sequence, optional
            Values of variables in place of these, as for ``m.emmeans``.
        type : {"response", "link"}, default "response"
            Of ordered categories the mean number of the category, 1 for the first, or the latent
            variable.
        level : float, default 0.95
            Of the intervals, each for itself.
        points : {"data", "partial"}, optional
            The observations too; or partial residuals, the line plus the residual of each row on
            the scale of the linear predictor.
        ddf : {"Satterthwaite", "Kenward-Roger"}, optional
            Degrees of freedom of a linear mixed model, as for ``m.emmeans``.
        component : str, optional
            Linear predictor: ``"cond"`` (default), ``"zi"``, …; ``"response"``, the mean of the
            response that all of them make, as for ``m.emmeans``.
        ax : Axes, optional

        Returns
        -------
        Axes

        Raises
        ------
        ArgumentError
            If a variable is none of the fixed part's, or the data of the fit are not at hand.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("distance ~ age * Sex + (1 | Subject)", il.load_dataset("Orthodont"))
        >>> ax = m.plot.effect("age", by="Sex", points="data")
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['Male', 'Female']
        """
        from .effects import effect_plot

        values = dict(at or {})
        return effect_plot(
            self._fit, self._data, x, by, values, type, level, points, ddf, component, ax
        )

    # -- influence -------------------------------------------------------------------------------

    def influence(
        self,
        by: Any = None,
        diag: str = "cooks_distance",
        exact: bool = False,
        cutoff: Any = "internal",
        label: int = 3,
        ax: Any = None,
    ) -> Any:
        """A measure of influence, of rows in their order or of groups sorted by it.

        Parameters
        ----------
        by, exact
            As for ``m.influence``: a grouping factor, whether the model is fitted again without
            each.
        diag : str, default "cooks_distance"
            A column of ``m.influence().to_frame()``: ``"mdffits"``, ``"covratio"``, ….
        cutoff : "internal", float, pair of float or None, default "internal"
            Where a line is drawn: three interquartile ranges beyond the quartiles, as HLMdiag, or
            your own.
        label : int, default 3
            How many of the most influential have their name beside them.
        ax : Axes, optional

        Returns
        -------
        Axes

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> m.plot.influence("Subject").get_xlabel()
        "Cook's distance"
        """
        from ..diagnostics.influence import influence
        from .influence import influence_plot

        return influence_plot(influence(self._fit, by, exact, self._data), diag, cutoff, label, ax)

    def leverage(self, label: int = 3, ax: Any = None) -> Any:
        """Standardised residuals against leverages: R's fifth picture of an lm.

        Parameters
        ----------
        label : int, default 3
            How many rows of the largest Cook's distances have their label.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from .influence import leverage_plot

        return leverage_plot(self._fit, label, ax)


@checked_methods
class MixedPlots(ModelPlots):
    """Pictures of a fitted model with random effects.

    Parameters
    ----------
    fit : LMMFit or GLMMFit
    data : data frame, optional
        That of the fit.
    """

    @property
    def _mixed(self) -> MixedFit:
        return cast("MixedFit", self._fit)

    def caterpillar(
        self,
        group: str | None = None,
        term: str | None = None,
        level: float = 0.95,
        sort: bool = True,
        component: str | None = None,
        ax: Any = None,
        fig: Any = None,
    ) -> Any:
        """Conditional modes of the random effects with their intervals, level by level.

        As lattice's ``dotplot(ranef(m))``. Intervals are the mode and a normal quantile times the
        conditional standard deviation, given the parameters.

        Parameters
        ----------
        group, term : str, optional
            One grouping factor, one random effect; default: all, a panel for each.
        level : float, default 0.95
        sort : bool, default True
            Levels in the order of their first effect, instead of their own.
        component : str, optional
            Random effects of one linear predictor: ``"cond"``, ``"zi"``, ….
        ax : Axes or sequence of Axes, optional
            One for each panel.
        fig : Figure or SubFigure, optional
            In place of `ax`: where panels are made.

        Returns
        -------
        Axes, or array of Axes where there are several panels

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> m.plot.caterpillar("Subject", "Days").get_xlabel()
        'Random effect: Days'
        """
        from .random_effects import caterpillar_plot

        return caterpillar_plot(self._mixed, group, term, level, sort, component, ax, fig)

    def random_effects_qq(
        self,
        group: str | None = None,
        term: str | None = None,
        level: float = 0.95,
        label: int = 2,
        component: str | None = None,
        ax: Any = None,
        fig: Any = None,
    ) -> Any:
        """Conditional modes against normal quantiles, with their intervals.

        Parameters
        ----------
        group, term, level, component, ax, fig
            As for ``caterpillar``.
        label : int, default 2
            How many of those farthest from the line have the name of their level.

        Returns
        -------
        Axes, or array of Axes where there are several panels
        """
        from .random_effects import effects_qq_plot

        return effects_qq_plot(self._mixed, group, term, level, label, component, ax, fig)

    def groups(
        self,
        x: str | None = None,
        group: str | None = None,
        levels: Sequence[Any] | None = None,
        panels: bool | None = None,
        ax: Any = None,
        fig: Any = None,
    ) -> Any:
        """Data and fitted lines of the levels of a grouping factor.

        As lattice's ``xyplot(y ~ x | g)``: a panel for each level with its data, its line and,
        dashed, that without random effects; or, of many levels, all their lines in one Axes. A line
        joins the means of the fitted values at each value of x.

        Parameters
        ----------
        x : str, optional
            Variable along the axis; default: that of the first random slope, else the first of the
            fixed part. A grouping factor, alone, is taken for `group`.
        group : str, optional
            Grouping factor; default: the first.
        levels : sequence, optional
            Those of its levels that are drawn, in this order; default: all.
        panels : bool, optional
            Whether each has a panel; default: of up to 24 levels.
        ax : Axes or sequence of Axes, optional
            One for each panel.
        fig : Figure or SubFigure, optional
            In place of `ax`: where panels are made.

        Returns
        -------
        Axes, or array of Axes with panels

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> [ax.get_title() for ax in m.plot.groups()][:2]
        ['308', '309']
        """
        from .groups import group_plot

        return group_plot(self._mixed, self._data, x, group, levels, panels, ax, fig)
