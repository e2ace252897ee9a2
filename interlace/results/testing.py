"""Tests of coefficients and terms, marginal means, and smaller models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from ..calls import checked_methods
from ..errors import ArgumentError, ArgumentTypeError, brief
from ..inference.components import part_of

# What no fit needs is imported by the method that does: a fresh process starts sooner.
if TYPE_CHECKING:
    from ..inference.marginal_means import MarginalMeans
    from ..inference.step import Step
    from ..inference.wald import WaldTest
    from ..models.kinds import AnyFit


@checked_methods
class Testing:
    """Tests of a fitted model, whatever its kind."""

    fit: AnyFit

    if TYPE_CHECKING:

        @property
        def _data(self) -> Any: ...

    def _compared(
        self, others: Sequence[Any], names: Sequence[str] | None, refit: bool
    ) -> pd.DataFrame:
        """Likelihood-ratio tests against fitted models of whatever kind."""
        for other in others:
            if not isinstance(other, Testing):
                raise ArgumentTypeError(f"anova compares fitted models, got {brief(other)}")
        from ..inference.lrt import likelihood_ratio

        return likelihood_ratio([m.fit for m in (self, *others)], names, refit)

    def t_test(
        self,
        hypothesis: Any,
        level: float = 0.95,
        df_method: str | None = None,
        component: str | None = None,
    ) -> pd.DataFrame:
        """t test of each row of a linear hypothesis; z test with infinite degrees of freedom.

        Parameters
        ----------
        hypothesis : str, sequence, dict, Series, data frame or array
            ``"Days"``, ``"Days = 10"``, ``"a = b = 0"``, ``"a; b - c = 1"``, ``{"Days": 10}``,
            ``{"label": "a - b"}``, weights with the names of coefficients as labels, or a matrix
            of contrasts (r, p). Names are those printed, or R's; names with ``:`` or brackets need
            no quotes.
        level : float, default 0.95
        df_method : {"satterthwaite", "kenward-roger", "residual", "normal"}, optional
            Default: as for ``conf_int``.
        component : str, optional
            As for ``conf_int``: whose coefficients the hypothesis is about.

        Returns
        -------
        DataFrame
            ``estimate, std_error, df, statistic, p_value, conf_low, conf_high``.

        Raises
        ------
        ArgumentError
            If the hypothesis cannot be read; the message points at the place.
        """
        from ..inference.wald import t_test

        return t_test(self._tested(component), hypothesis, level, df_method)

    def _tested(self, component: str | None) -> Any:
        """The fit whose coefficients hypotheses are about."""
        return part_of(self.fit, component)

    def wald_test(
        self,
        hypothesis: Any,
        test: Literal["F", "Chisq"] | None = None,
        component: str | None = None,
        df_method: str | None = None,
    ) -> WaldTest:
        """Joint test of a linear hypothesis.

        Parameters
        ----------
        hypothesis : str, sequence, dict, Series, data frame or array
            As for ``t_test``.
        test : {"F", "Chisq"}, optional
            Default: F where ``t_test`` makes t tests, chi-squared where it makes z tests.
        component, df_method : str, optional
            As for ``t_test``.

        Returns
        -------
        WaldTest
        """
        from ..inference.wald import wald_test

        return wald_test(self._tested(component), hypothesis, test, df_method)

    def f_test(
        self, hypothesis: Any, component: str | None = None, df_method: str | None = None
    ) -> WaldTest:
        """Joint F test of a linear hypothesis, under statsmodels' name.

        Parameters
        ----------
        hypothesis : str, sequence, dict, Series, data frame or array
            As for ``t_test``.
        component, df_method : str, optional
            As for ``t_test``.

        Returns
        -------
        WaldTest
        """
        return self.wald_test(hypothesis, "F", component, df_method)

    def emmeans(
        self,
        specs: str | Sequence[str],
        by: str | Sequence[str] | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        weights: str = "equal",
        type: Literal["link", "response"] = "link",
        ddf: str | None = None,
        level: float = 0.95,
        component: str | None = None,
        offset: Any = None,
        regrid: bool = False,
        bias_adjust: bool = False,
        sigma: float | None = None,
    ) -> MarginalMeans:
        """Estimated marginal means, as R's emmeans: predictions on a grid, averaged.

        The grid has all levels of the factors of the fixed part and the mean of each numeric
        variable (both values of one that has two); random effects are zero. A factor whose levels
        are each with one level of another is nested in it: its means are made and compared within
        that level, and it has equal weight whatever the number of levels in it.

        Parameters
        ----------
        specs : str or sequence of str
            Variables whose means are wanted: ``"f"``, ``["f", "g"]``, ``"f * g"``, ``"f | g"``.
        by : str or sequence of str, optional
            Variables within whose levels the means are compared.
        at : dict of str to value, sequence or callable, optional
            Values in the grid in place of the default ones, or a function of the column that gives
            them, such as ``numpy.median``.
        weights : {"equal", "proportional", "outer", "cells", "flat"}, default "equal"
            Of the levels averaged over: the same; as often as their combinations occur in the
            data, weighted by prior weights; as if factors were independent; as often as they occur
            in the cell; the same for those that occur in it.
        type : {"link", "response"}, default "link"
            Scale of the table: the linear predictor, or the response, averaged before it is
            transformed; standard errors by the delta method. Differences become ratios under log
            and logit.
        ddf : {"Satterthwaite", "Kenward-Roger"}, optional
            Degrees of freedom of a linear mixed model, as for ``summary``.
        level : float, default 0.95
        component : str, optional
            As for ``conf_int``; ``"response"``: the mean of the response that all linear
            predictors make, with zeros from ``ziformula`` among them.
        offset : float, optional
            The offset in the grid, in place of that at its mean.
        regrid : bool, default False
            Average responses instead of linear predictors; contrasts are differences of these.
        bias_adjust : bool, default False
            Means of the response over random effects and, of a logarithm, over residuals: to second
            order in their standard deviation ``sigma``, as emmeans's ``bias.adjust``.
        sigma : float, optional
            Default: the root of the sum of the variances of the random intercepts, and of the
            residual of a linear model.

        Returns
        -------
        MarginalMeans
            With ``to_frame()``, ``contrast(method, adjust)``, ``pairs(adjust)``, ``cld()``,
            ``test()``, ``conf_int()`` and ``regrid()``. Where the data do not determine a mean it
            is missing.

        Raises
        ------
        ArgumentError
            If a variable is none of the fixed part's, or a value is none of its levels.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
        >>> m.emmeans("Machine").pairs().to_frame()["estimate"].round(3).tolist()
        [-7.967, -13.917, -5.95]
        """
        from ..inference.bias import checked_sigma
        from ..inference.marginal_means import marginal_means

        whole = component == "response"
        part = self.fit if whole else part_of(self.fit, component)
        return marginal_means(
            part, self._data, specs, by, at, weights, type, ddf, level, offset=offset,
            regrid=regrid or whole, whole=whole and self.fit.several,
            sigma=checked_sigma(part, sigma, bias_adjust),
        )  # fmt: skip

    def emtrends(
        self,
        specs: str | Sequence[str],
        var: str,
        by: str | Sequence[str] | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        weights: str = "equal",
        ddf: str | None = None,
        level: float = 0.95,
        component: str | None = None,
    ) -> MarginalMeans:
        """Slopes of the linear predictor in a numeric variable, averaged as ``emmeans`` does.

        Parameters
        ----------
        specs : str or sequence of str
            As for ``emmeans``.
        var : str
            The numeric variable.
        by, at, weights, ddf, level, component
            As for ``emmeans``.

        Returns
        -------
        MarginalMeans
            Whose column of slopes has emmeans's name for it, ``"age.trend"`` of ``var="age"``.

        Raises
        ------
        ArgumentError
            If ``var`` is no numeric variable of the fixed part.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("distance ~ age * Sex + (1 | Subject)", il.load_dataset("Orthodont"))
        >>> m.emtrends("Sex", "age").to_frame()["age.trend"].round(4).tolist()
        [0.7844, 0.4795]
        """
        from ..inference.marginal_means import marginal_means

        part = part_of(self.fit, component)
        return marginal_means(
            part, self._data, specs, by, at, weights, "link", ddf, level, trend=var
        )

    def joint_tests(
        self,
        by: str | Sequence[str] | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        weights: str = "equal",
        ddf: str | None = None,
        component: str | None = None,
    ) -> pd.DataFrame:
        """F tests of the terms by their marginal means, as emmeans's ``joint_tests``.

        With all combinations of levels in the data they are tests of type III, of covariates at
        their means; with ``by`` those of the terms within each level.

        Parameters
        ----------
        by : str or sequence of str, optional
            Variables within whose levels to test.
        at, weights, ddf, component
            As for ``emmeans``.

        Returns
        -------
        DataFrame
            ``term``, variables of ``by``, ``df_num, df_denom, statistic, p_value``. Combinations
            that the data do not determine are left out of a term.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
        >>> m.joint_tests()["statistic"].round(2).tolist()
        [87.8]
        """
        from ..inference.joint_tests import joint_tests

        part = part_of(self.fit, component)
        return joint_tests(part, self._data, by, at, weights, ddf)

    def drop1(
        self, *, test: Literal["Chisq", "F"] = "Chisq", ddf: str | None = None
    ) -> pd.DataFrame:
        """Tests of the fixed terms that no other term contains, as R's ``drop1``.

        Parameters
        ----------
        test : {"Chisq", "F"}, default "Chisq"
            Likelihood-ratio tests by maximum likelihood; or, for linear models, F tests of the
            terms' own coefficients, for which nothing is fitted.
        ddf : {"Satterthwaite", "Kenward-Roger"}, optional
            Of the F tests of a linear mixed model; default: Satterthwaite's.

        Returns
        -------
        DataFrame
            One row a term. With ``"Chisq"`` a first row ``<none>``, and columns ``npar, AIC, LRT,
            Pr(Chi)``, npar being the number of parameters that the term has; with ``"F"`` ``Sum
            Sq, Mean Sq, NumDF, DenDF, F value, Pr(>F)``.

        Raises
        ------
        ArgumentError
            If the result does not hold its data, or a term may not be dropped alone.

        Examples
        --------
        >>> import interlace as il
        >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> m.drop1()["LRT"].round(3).tolist()
        [nan, 23.537]
        """
        from ..inference.deletion import without_terms

        return without_terms(self, test, ddf)

    def step(
        self,
        *,
        alpha_random: float = 0.1,
        alpha_fixed: float = 0.05,
        reduce_random: bool = True,
        reduce_fixed: bool = True,
        keep: str | Sequence[str] | None = None,
        ddf: str | None = None,
        criterion: Literal["test", "AIC"] = "test",
    ) -> Step:
        """Leave out terms one by one, random ones first, as lmerTest's ``step``.

        The p-values of what is left are those of terms that were chosen for being large: they say
        too much, as after any selection.

        Parameters
        ----------
        alpha_random, alpha_fixed : float, default 0.1 and 0.05
            The term with the largest p-value goes while that is above: random terms by ``ranova``
            (``Pr(>Chisq)``, as in R), then fixed ones by the F tests of ``drop1``, or by
            likelihood ratio where there are none.
        reduce_random, reduce_fixed : bool, default True
            False leaves these terms as they are.
        keep : str or sequence of str, optional
            Terms that stay whatever their tests say.
        ddf : {"Satterthwaite", "Kenward-Roger"}, optional
            Of the F tests of a linear mixed model; default: Satterthwaite's.
        criterion : {"test", "AIC"}, default "test"
            With ``"AIC"`` the term goes whose absence has the lowest AIC, while it is lower than
            that of the model; the levels are not used then.

        Returns
        -------
        Step
            With ``random`` and ``fixed``, the tables, and ``model``.

        Raises
        ------
        ArgumentError
            If the result does not hold its data, or a term to keep is none of the model's.

        Examples
        --------
        >>> import interlace as il
        >>> formula = "distance ~ age * Sex + (age | Subject)"
        >>> m = il.fit(formula, il.load_dataset("Orthodont"))
        >>> m.step().random["Eliminated"].tolist()
        [<NA>, 1, 0]
        """
        from ..inference.step import step

        alpha, reduce = (alpha_random, alpha_fixed), (reduce_random, reduce_fixed)
        return step(self, alpha, reduce, keep, ddf, criterion)


def check_no_type(type: str | int | None) -> None:
    """Refuse a type of tests of terms where models are compared."""
    if type is not None:
        raise ArgumentError(
            f"type={type!r} is for the tests of one model's terms; leave it out to compare models"
        )


def check_no_ddf(ddf: str | None) -> None:
    """Refuse degrees of freedom of F tests where models are compared by likelihood ratio."""
    if ddf is not None:
        raise ArgumentError(
            f"ddf={brief(ddf)} is for the tests of one model's terms; leave it out to compare "
            "models"
        )


def check_no_component(component: str | None) -> None:
    """Refuse a component where models are compared."""
    if component is not None:
        raise ArgumentError(
            f"component={brief(component)} is for the tests of one model's terms; leave it out to "
            "compare models"
        )


def check_one_model(names: Sequence[str] | None) -> None:
    """Refuse names of models where there is only one."""
    if names is not None:
        raise ArgumentError(
            "names= labels the models of a comparison, and there is only one; give the others first"
        )
