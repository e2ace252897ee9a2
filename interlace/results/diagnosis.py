"""What results say of rows, groups and the model as a whole, beyond the estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from ..calls import checked_methods

# What no fit needs is imported by the method that does: a fresh process starts sooner.
if TYPE_CHECKING:
    from ..diagnostics.diagnosis import FitDiagnosis
    from ..diagnostics.influence import Influence
    from ..diagnostics.record import DiagnosticTest
    from ..diagnostics.simulated_residuals import SimulatedResiduals
    from ..models.kinds import AnyFit


@checked_methods
class Diagnosis:
    """Diagnosis of a fitted model, whatever its kind."""

    fit: AnyFit

    if TYPE_CHECKING:

        @property
        def _data(self) -> Any: ...
        def _by_row(self, values: Any, name: str) -> pd.Series: ...

    def diagnose(self, *, tests: bool = True) -> FitDiagnosis:
        """Everything that is wrong with the fit, and the model to try instead.

        Random effects without variance, as the combination of effects that has none; coefficients
        without a finite estimate, with the direction in which the likelihood rises for ever;
        columns left out; a search or an approximation that failed. Each with a reduced formula and
        its likelihood-ratio test, corrected where a variance is on its boundary.

        Parameters
        ----------
        tests : bool, default True
            Fit the reduced models; False names them only.

        Returns
        -------
        FitDiagnosis
            ``healthy``, ``findings``, and ``evidence``: what has been looked at; ``to_frame()``.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff2"))
        >>> m.diagnose().to_frame().loc[0, ["problem", "formula"]].tolist()
        ['singular', 'Yield ~ 1']
        """
        from ..diagnostics.diagnosis import diagnose

        return diagnose(self, tests)

    def hatvalues(self) -> pd.Series:
        """Leverage of each row, given theta; its sum is the effective number of parameters."""
        from ..diagnostics.influence import hat_values

        return self._by_row(hat_values(self.fit), "hat")

    def cooks_distance(self) -> pd.Series:
        """Cook's distance of each row as R's ``cooks.distance``, theta held fixed, (n,).

        Made of the row's residual and leverage, random effects included; ``influence()`` has the
        distance between the coefficients with a row, or a group, and without it.
        """
        from ..diagnostics.influence import cooks_distance

        return self._by_row(cooks_distance(self.fit), "cooksd")

    def leverage(self, level: int | str = 1) -> pd.DataFrame:
        """Leverages by their source, as HLMdiag's ``leverage``.

        Parameters
        ----------
        level : 1 or str, default 1
            Rows, or a grouping factor, of whose groups they are the means.

        Returns
        -------
        DataFrame
            ``overall``, that of ``hatvalues()``; ``fixef``, its part of the fixed effects, and
            ``ranef``, the rest; ``ranef.uc``, the variance of the random effects of the row
            relative to that of the residual.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> m.leverage("Subject").loc["308"].round(4).tolist()[:3]
        [0.1612, 0.0111, 0.1501]
        """
        from ..diagnostics.level_residuals import leverages

        return leverages(self.fit, level)

    def rstudent(self) -> pd.Series:
        """Studentised residuals, with sigma without the row, as R's ``rstudent``, (n,).

        Of models that iteratively reweighted least squares fits.
        """
        from ..diagnostics.glm_influence import glm_deletion

        return self._by_row(glm_deletion(self.fit).rstudent, "rstudent")

    def influence(self, by: Any = None, exact: bool = False) -> Influence:
        """What the estimates would be without each row, or without each group of rows.

        Parameters
        ----------
        by : str, sequence of str, array or Series, optional
            Groups that are left out one by one: a grouping factor of the model, a column of its
            data, several columns together, or one value for each row. Default: each row.
        exact : bool, default False
            Fit again without each of them, from the old estimates; of linear models by what the
            rows add to the cross-products. Else the variance parameters are held fixed, and the
            coefficients without the rows follow in closed form; of a generalised model those of the
            least squares problem that it solves at its estimates.

        Returns
        -------
        Influence
            With ``to_frame()``, and ``dfbeta, dfbetas, cooks_distance, mdffits, covratio,
            covtrace``; exact ones have ``variances`` too. A group without which a coefficient is
            not determined has NaN.

        Raises
        ------
        ArgumentError
            If ``by`` names no groups, or the model has several linear predictors and ``exact`` is
            not asked for.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> m.influence("Subject").cooks_distance.idxmax()
        '309'
        >>> m.influence("Subject", exact=True).to_frame()["rvc.sigma2"].round(3).min()
        np.float64(-0.274)
        """
        from ..diagnostics.influence import influence

        return influence(self.fit, by, exact, self._data)

    def overdispersion(self) -> DiagnosticTest:
        """Test of more variance than the family has: Pearson's X^2 over its degrees of freedom.

        Returns
        -------
        DiagnosticTest
            ``statistic`` is the ratio, ``details`` has ``chi2`` and ``df``.

        Raises
        ------
        ArgumentError
            If the family estimates its dispersion, or the responses are 0 and 1 alone.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.glm("TICKS ~ YEAR + cHEIGHT", il.load_dataset("grouseticks"), "poisson")
        >>> m.overdispersion()
        overdispersion: 12.484, chi2 = 4981.1, df = 399, p = 0 (greater)
        """
        from ..diagnostics.dispersion import overdispersion

        return overdispersion(self.fit)

    def autocorrelation(
        self,
        by: Any = None,
        max_lag: int | None = None,
        time: Any = None,
        type: Literal["normalized", "quantile", "response", "pearson", "deviance", "working"]
        | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Autocorrelation of the residuals within groups, by lag, as nlme's ``ACF``.

        The mean product of residuals of one group that are so many rows apart, over their mean
        square.

        Parameters
        ----------
        by : str, sequence of str, array or Series, optional
            Groups of rows that are series: a grouping factor, a column of the data, several, or one
            value for each row. Default: the groups of ``correlation=``, else the grouping factor
            with the most levels, else all rows in one.
        max_lag : int, optional
            Default: the smaller of 10 log10(r) and r - 1, with r rows in the longest series.
        time : str, array or Series, optional
            What the rows of a series are in order of: a column of the data, or one value for each
            row; numbers, dates or levels. Only the order counts. Default: the time of
            ``correlation=``, else that of the rows.
        type : str, optional
            Of the residuals, as for ``residuals``, or ``"quantile"``. Default: those that are
            independent if the model is right: ``"normalized"`` of linear models, which are
            Pearson's where there is no ``correlation=``, and randomised quantile ones of others.
        level : float, default 0.95
            Of the limits.

        Returns
        -------
        DataFrame, indexed by lag
            ``acf``; ``pairs`` of rows; ``limit``, which the size of a single autocorrelation of so
            many independent pairs stays below with the probability ``level``. Residuals of few
            rows a group are correlated a little by the fit itself.

        Raises
        ------
        ArgumentError
            If no group has two rows, or ``by`` or ``time`` name nothing.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("follicles ~ Time + (1 | Mare)", il.load_dataset("Ovary"))
        >>> m.autocorrelation(max_lag=3)["acf"].round(2).tolist()
        [1.0, 0.64, 0.45, 0.27]
        """
        from ..diagnostics.autocorrelation import autocorrelation

        return autocorrelation(self.fit, by, max_lag, time, type, level, self._data)

    def vif(self, component: str | None = None) -> pd.DataFrame:
        """Variance inflation of each term by collinearity, as car's ``vif``.

        Parameters
        ----------
        component : str, optional
            As for ``conf_int``: whose coefficients.

        Returns
        -------
        DataFrame
            One row a term: ``GVIF``, ``Df`` and ``GVIF^(1/(2*Df))``, the inflation of standard
            errors, whose square is to be compared between terms; 10 and more is much.

        Raises
        ------
        ArgumentError
            If there are fewer than two terms beside the intercept.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("distance ~ age * Sex + (1 | Subject)", il.load_dataset("Orthodont"))
        >>> m.vif()["GVIF"].round(2).to_dict()
        {'age': 1.69, 'Sex': 4.08, 'age:Sex': 4.76}
        """
        from ..diagnostics.collinearity import variance_inflation
        from ..inference.components import part_of

        return variance_inflation(part_of(self.fit, component))

    def simulated_residuals(
        self, n: int = 250, seed: int | np.random.Generator | None = None, use_u: bool = False
    ) -> SimulatedResiduals:
        """Residuals by simulation, uniform between 0 and 1 if the model is right, as DHARMa's.

        Parameters
        ----------
        n : int, default 250
            Draws of the responses.
        seed : int or numpy Generator, optional
        use_u : bool, default False
            Keep the random effects at their conditional modes instead of drawing them.

        Returns
        -------
        SimulatedResiduals
            ``scaled`` are the residuals; tests of ``uniformity``, ``dispersion``, ``outliers``,
            ``zero_inflation``, autocorrelation, ``quantiles``, and ``test`` of any statistic.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> residuals = m.simulated_residuals(seed=1)
        >>> residuals.uniformity().p_value > 0.05
        True
        """
        from ..diagnostics.simulated_residuals import simulated_residuals

        return simulated_residuals(self.fit, n, seed, use_u, self._data)
