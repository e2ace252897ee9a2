"""Joint tests of the terms of a model by its marginal means, as emmeans's ``joint_tests``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..design.expressions import names_in
from ..errors import ArgumentError, ArgumentTypeError, brief
from ..formula.spelling import shown, unmarked
from .estimates import joint_test
from .marginal_means import marginal_means
from .reference_grid import named_variables, reference_grid

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

__all__ = ["joint_tests"]

# How far below and above its mean a numeric variable is, as emmeans's ``meanint``.
SPREAD = 1.0


def joint_tests(
    fit: AnyFit,
    data: Any,
    by: Any = None,
    at: Mapping[str, Any] | None = None,
    weights: str = "equal",
    ddf: str | None = None,
) -> pd.DataFrame:
    """F tests of the interaction contrasts of the means of each term, within the levels of ``by``.

    With all combinations of the levels at hand they are tests of type III.
    """
    within = () if by is None else named_variables(by, None)[0]
    if not (at is None or isinstance(at, Mapping)):
        raise ArgumentTypeError(f"at must be a dict of variables and values, got {brief(at)}")
    values = reference_grid(fit, data, within, dict({} if at is None else at), spread=SPREAD)
    free = [n for n in values if n not in within and values[n].nunique() > 1]
    if not free:
        raise ArgumentError("no variable is left to test; name fewer of them in by")
    terms = [
        {used for name in (*term.factors, *term.covariates) for used in _variables(name, values)}
        for term in fit.design.fixed_terms.terms
    ]
    rows = []
    for size in range(1, len(free) + 1):
        for names in combinations(free, size):
            if not any(own.issuperset(names) for own in terms):
                continue
            means = marginal_means(
                fit, data, list(names), list(within), at, weights, ddf=ddf, spread=SPREAD
            )
            nested = [name for name in means.by if name not in within]
            table = _tested(means, within, nested)
            table.insert(0, "term", ":".join((*nested, *means.specs)))
            rows.append(table)
    out = pd.concat(rows, ignore_index=True).drop_duplicates(["term", *within])
    return out[out["df_num"] > 0].reset_index(drop=True)


def _variables(name: str, values: pd.DataFrame) -> list[str]:
    """A variable, or those of an expression: ``C(x)``, ``log(x)``."""
    own = unmarked(name)
    return [own] if own in values else [used.name for used in names_in(shown(name))]


def _tested(means: Any, within: tuple[str, ...], nested: list[str]) -> pd.DataFrame:
    """One test in each level of ``within``, of nested terms over all that hold them."""
    contrasts = means.contrast("consec", "none", interaction="consec" if not nested else False)
    if not nested:
        return contrasts.test(joint=True)
    if not within:
        return pd.DataFrame([joint_test(contrasts.basis, contrasts.L)])
    groups = contrasts.labels.groupby(list(within), sort=False).indices
    rows = []
    for key, at in groups.items():
        level = dict(zip(within, key if isinstance(key, tuple) else (key,), strict=True))
        rows.append({**level, **joint_test(contrasts.basis, contrasts.L[at])})
    return pd.DataFrame(rows)
