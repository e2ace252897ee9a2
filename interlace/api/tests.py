"""Tests under R's names: car's `Anova`, lmerTest's `contest`, and the types of tests of terms."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd

from ..calls import checked
from ..results.base import ModelResult
from .arguments import check_result

__all__ = ["Anova", "anova_type2", "anova_type3", "contest", "contest1D", "contestMD"]


@checked
def Anova(  # noqa: N802
    model: ModelResult,
    type: Literal["II", "III", 2, 3] = "III",
    test: Literal["F", "Chisq"] | None = None,
) -> pd.DataFrame:
    """Tests of the terms as R's car makes them.

    Type III tests the coefficients of each term as they are coded, the intercept among them: under
    treatment contrasts a main effect beside an interaction is that at the other's first level.
    ``m.anova(type="III")`` does not depend on the coding.

    Parameters
    ----------
    model : LMMResult, GLMMResult or GLMResult
    type : {"III", "II"} or {3, 2}, default "III"
    test : {"F", "Chisq"}, optional
        Of linear mixed models F is Kenward and Roger's, as in car, and the default; Wald's
        chi-squared is that of others.

    Returns
    -------
    DataFrame
        ``F, Df, Df.res, Pr(>F)`` or ``Chisq, Df, Pr(>Chisq)``.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
    >>> il.Anova(m, type="II", test="Chisq")["Chisq"].round(2).tolist()
    [175.6]
    """
    check_result(model, "Anova")
    from ..inference.anova import car_table

    return car_table(model.fit, type, test)


@checked
def anova_type2(result: ModelResult) -> pd.DataFrame:
    """Tests of type II of the terms: ``m.anova(type="II")``.

    Parameters
    ----------
    result : LMMResult, GLMMResult or GLMResult

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
    >>> il.anova_type2(m)["F value"].round(2).tolist()
    [87.8]
    """
    check_result(result, "anova_type2")
    return result.anova(type="II")


@checked
def anova_type3(result: ModelResult) -> pd.DataFrame:
    """Tests of type III of the terms: ``m.anova(type="III")``.

    Parameters
    ----------
    result : LMMResult, GLMMResult or GLMResult

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
    >>> il.anova_type3(m)["DenDF"].round(2).tolist()
    [46.0]
    """
    check_result(result, "anova_type3")
    return result.anova(type="III")


@checked
def contest(
    model: ModelResult,
    L: Any,  # noqa: N803
    rhs: Any = 0.0,
    joint: bool = True,
    confint: bool = True,
    level: float = 0.95,
    ddf: str | None = None,
) -> pd.DataFrame:
    """Tests of linear hypotheses on the coefficients, as lmerTest's ``contest``.

    Parameters
    ----------
    model : LMMResult, GLMMResult or GLMResult
    L : array, text, dict, …
        As for ``m.t_test``: a row or matrix of weights of the coefficients, or a hypothesis.
    rhs : float or sequence, default 0
        What L times the coefficients is compared with.
    joint : bool, default True
        One F test of all rows, otherwise a t test of each.
    confint : bool, default True
        Intervals beside t tests.
    level : float, default 0.95
    ddf : {"Satterthwaite", "Kenward-Roger"}, optional

    Returns
    -------
    DataFrame
        ``Sum Sq, Mean Sq, NumDF, DenDF, F value, Pr(>F)``, or
        ``Estimate, Std. Error, df, t value, lower, upper, Pr(>|t|)``.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.contest(m, [0, 1], joint=False)["t value"].round(3).tolist()
    [6.771]
    """
    check_result(model, "contest")
    from ..inference.contest import joint_table, single_table

    if joint:
        return joint_table(model.fit, L, rhs, ddf)
    return single_table(model.fit, L, rhs, confint, level, ddf)


@checked
def contest1D(  # noqa: N802
    model: ModelResult,
    L: Any,  # noqa: N803
    rhs: Any = 0.0,
    ddf: str | None = None,
    confint: bool = False,
    level: float = 0.95,
) -> pd.DataFrame:
    """t tests of linear hypotheses: ``contest(joint=False)``, under lmerTest's name.

    Parameters
    ----------
    model, L, rhs, ddf, confint, level
        As for ``contest``.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.contest1D(m, [0, 1])["df"].round(3).tolist()
    [17.0]
    """
    return contest(model, L, rhs, False, confint, level, ddf)


@checked
def contestMD(  # noqa: N802
    model: ModelResult,
    L: Any,  # noqa: N803
    rhs: Any = 0.0,
    ddf: str | None = None,
) -> pd.DataFrame:
    """An F test of linear hypotheses together: ``contest``, under lmerTest's name.

    Parameters
    ----------
    model, L, rhs, ddf
        As for ``contest``.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.contestMD(m, [[1, 0], [0, 1]])["NumDF"].tolist()
    [2]
    """
    return contest(model, L, rhs, True, ddf=ddf)
