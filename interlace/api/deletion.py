"""Tests of single terms by models without them: `drop1`, `ranova`; backward elimination: `step`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from ..calls import checked
from ..errors import ArgumentTypeError
from ..results.mixed import MixedResult
from .arguments import check_result

if TYPE_CHECKING:
    from ..inference.step import Step

__all__ = ["drop1", "ranova", "step"]


@checked
def drop1(
    result: Any, *, test: Literal["Chisq", "F"] = "Chisq", ddf: str | None = None
) -> pd.DataFrame:
    """Fit again without each fixed term that no other term contains: :meth:`LMMResult.drop1`.

    Parameters
    ----------
    result : LMMResult, GLMMResult or GLMResult
        A fit made in this process.
    test : {"Chisq", "F"}, default "Chisq"
        Likelihood-ratio tests by maximum likelihood; or, for linear models, F tests of the
        terms' own coefficients, for which nothing is fitted.
    ddf : {"Satterthwaite", "Kenward-Roger"}, optional
        Of the F tests of a linear mixed model; default: Satterthwaite's.

    Returns
    -------
    DataFrame
        One row a term. With ``"Chisq"`` a first row ``<none>``, and columns ``npar, AIC, LRT,
        Pr(Chi)``, npar being the number of parameters that the term has; with ``"F"`` ``Sum Sq,
        Mean Sq, NumDF, DenDF, F value, Pr(>F)``.

    Raises
    ------
    ArgumentError
        If the result does not hold its data, or a term may not be dropped alone.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.drop1(m)["LRT"].round(3).tolist()
    [nan, 23.537]
    """
    check_result(result, "drop1")
    return result.drop1(test=test, ddf=ddf)


@checked
def ranova(result: Any, *, reduce_terms: bool = True) -> pd.DataFrame:
    """Likelihood-ratio tests of the random terms of a mixed model, as lmerTest's ``ranova``.

    Parameters
    ----------
    result : LMMResult or GLMMResult
        A fit made in this process; REML fits are compared by REML.
    reduce_terms : bool, default True
        Take one variable at a time out of a term with several effects, ``(Days | Subject)`` to
        ``(1 | Subject)``; False takes out the whole term.

    Returns
    -------
    DataFrame
        As :meth:`LMMResult.ranova`.

    Raises
    ------
    ArgumentError
        If the model has no random effects, or does not hold its data.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.ranova(m)["LRT"].round(3).tolist()
    [nan, 42.837]
    """
    check_result(result, "ranova")
    if not isinstance(result, MixedResult):
        raise ArgumentTypeError("ranova is for models with random effects; il.drop1(m) tests terms")
    return result.ranova(reduce_terms=reduce_terms)


@checked
def step(result: Any, **arguments: Any) -> Step:
    """Leave out terms of a model one by one, as lmerTest's ``step``: :meth:`LMMResult.step`.

    Parameters
    ----------
    result : LMMResult, GLMMResult or GLMResult
        A fit made in this process.
    **arguments
        Of the result's own ``step``: ``alpha_random``, ``alpha_fixed``, ``reduce_random``,
        ``reduce_fixed``, ``keep``, ``ddf``, ``criterion``.

    Returns
    -------
    Step

    Raises
    ------
    ArgumentError
        If the result does not hold its data.

    Examples
    --------
    >>> import interlace as il
    >>> formula = "distance ~ age * Sex + (age | Subject)"
    >>> il.step(il.fit(formula, il.load_dataset("Orthodont"))).formula
    'distance ~ age * Sex + (1 | Subject)'
    """
    check_result(result, "step")
    return result.step(**arguments)
