"""Diagnosis of fits by the names of R and of the earlier package."""

from __future__ import annotations

from typing import Any

from ..calls import checked
from ..diagnostics.influence import Influence
from ..errors import ArgumentTypeError, brief
from ..results.base import ModelResult

__all__ = ["influence"]


@checked
def influence(model: Any, groups: Any = None, *, exact: bool | None = None) -> Influence:
    """Influence of each row or group, under R's name: ``influence(model, groups)`` of lme4.

    Parameters
    ----------
    model : LMMResult, GLMMResult or GLMResult
    groups : str, sequence of str, array or Series, optional
        What is left out one by one: see the method ``influence``. Default: each row.
    exact : bool, optional
        Fit again without each of them. Default, as in R: for mixed models, not for others.

    Returns
    -------
    Influence

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.influence(m, "Subject").dfbeta.loc["308"].round(3).tolist()
    [0.424, -0.665]
    """
    checked_result(model, "influence")
    return model.influence(groups, bool(model.fit.T) if exact is None else exact)


def checked_result(model: Any, name: str) -> Any:
    """The fitted model; anything else is refused."""
    if not isinstance(model, ModelResult):
        raise ArgumentTypeError(
            f"{name} takes a fitted model first, of fit(), glmer() or glm(); got {brief(model)}"
        )
    return model
