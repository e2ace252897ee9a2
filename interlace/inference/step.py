"""Backward elimination of the terms of a model, random ones first, as lmerTest's ``step``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..calls import texts
from ..errors import ArgumentError, brief, listing, suggestion
from ..formula.terms import lhs_terms
from .deletion import random_deletions, without_random, without_terms
from .update import check_call, reduced, with_terms

__all__ = ["Step", "step"]

# Of two AICs the smaller one, unless they differ by less, which is rounding of two searches.
SAME_AIC = 1e-6


@dataclass(frozen=True, eq=False)
class Step:
    """The terms that a backward elimination left out, and the model that it ended with.

    Attributes
    ----------
    random, fixed : DataFrame
        The tests by which terms were left out, in that order, numbered in ``Eliminated``, and
        those of the terms that stay, where it is 0; the columns of ``ranova`` and ``drop1``.
    model : LMMResult, GLMMResult or GLMResult
        The last model; without random terms a GLMResult.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> m.step().random["Eliminated"].tolist()
    [<NA>, 0]
    """

    random: pd.DataFrame
    fixed: pd.DataFrame
    model: Any

    @property
    def formula(self) -> str:
        """The formula of the last model."""
        return self.model.formula

    def _parts(self) -> list[tuple[str, pd.DataFrame]]:
        parts = [("Random terms, one left out at a time", self.random)]
        parts += [("Fixed terms, one left out at a time", self.fixed)]
        return [(title, table) for title, table in parts if len(table)]

    def __repr__(self) -> str:
        blocks = [f"{title}\n{table.to_string(na_rep='')}" for title, table in self._parts()]
        return "\n\n".join([*blocks, f"Model: {self.formula}"])

    def _repr_html_(self) -> str:
        from html import escape

        blocks = [f"<p>{title}</p>{table.to_html(na_rep='')}" for title, table in self._parts()]
        return "".join([*blocks, f"<p>Model: {escape(self.formula)}</p>"])


def step(
    result: Any,
    alpha: tuple[float, float],
    reduce: tuple[bool, bool],
    keep: Any,
    ddf: str | None,
    criterion: str,
) -> Step:
    """Leave out random terms, then fixed ones, while tests or AIC allow it.

    ``alpha`` and ``reduce`` are those of random and of fixed terms.
    """
    check_call(result, "step")
    if ddf is not None and not result.fit.linear:
        raise ArgumentError(
            f"ddf={brief(ddf)} is for linear mixed models; terms of others are tested by "
            "likelihood ratio"
        )
    kept = [] if keep is None else texts("keep", [keep] if isinstance(keep, str) else keep)
    _check_kept(result, kept)
    by_aic = criterion == "AIC"
    random, model = _eliminated(
        result, _random_table, _without_random_term, alpha[0] if reduce[0] else 1.0, kept, by_aic
    )
    test = "Chisq" if by_aic or not _has_f_tests(model) else "F"

    def tests(model: Any) -> pd.DataFrame:
        return without_terms(model, test, ddf if model.fit.linear else None)

    fixed, model = _eliminated(
        model, tests, _without_fixed_term, alpha[1] if reduce[1] else 1.0, kept, by_aic
    )
    return Step(random, fixed, model)


def _has_f_tests(model: Any) -> bool:
    return model.fit.linear or (model.fit.irls and model.fit.df_method == "residual")


def _check_kept(result: Any, kept: Sequence[str]) -> None:
    terms = [t.name for t in result.fit.design.mean.terms.terms]
    known = [*terms, *(one.label for one in random_deletions(result.fit.design.formula, True))]
    for name in kept:
        if name not in known:
            raise ArgumentError(
                f"keep has {name!r}, which is no term of the model; its terms are "
                f"{listing(known)}.{suggestion(name, known)}"
            )


def _random_table(model: Any) -> pd.DataFrame:
    return without_random(model, True) if model.fit.design.formula.random else pd.DataFrame()


def _without_random_term(model: Any, term: str) -> Any:
    formula = model.fit.design.formula
    deletion = next(one for one in random_deletions(formula, True) if one.label == term)
    return reduced(model, with_terms(formula, deletion.random))


def _without_fixed_term(model: Any, term: str) -> Any:
    return reduced(model, f". ~ . - {term}")


def _eliminated(
    model: Any,
    tests: Callable[[Any], pd.DataFrame],
    without: Callable[[Any, str], Any],
    alpha: float,
    kept: Sequence[str],
    by_aic: bool,
) -> tuple[pd.DataFrame, Any]:
    """The table of what was left out and of what stays, and the model left."""
    table = tests(model)
    out = [table[table.index == "<none>"].assign(Eliminated=np.nan)]
    for count in range(1, 1 + len(lhs_terms(model.fit.design.formula.fixed)) + _many(model)):
        term = _worst(table, alpha, kept, by_aic)
        if term is None:
            break
        out.append(table.loc[[term]].assign(Eliminated=count))
        model = without(model, term)
        table = tests(model)
    out.append(table[table.index != "<none>"].assign(Eliminated=0))
    whole = pd.concat([part for part in out if len(part)] or out[-1:])
    names = [name for name in whole if name != "Eliminated"]
    return whole[["Eliminated", *names]].astype({"Eliminated": "Int64"}), model


def _many(model: Any) -> int:
    """No fewer than the random effects that can be left out."""
    return len(model.fit.design.formula.random) + sum(map(len, model.fit.T))


def _worst(table: pd.DataFrame, alpha: float, kept: Sequence[str], by_aic: bool) -> str | None:
    """The term to leave out next, if any."""
    terms = table[(table.index != "<none>") & ~table.index.isin(kept)]
    if not len(terms):
        return None
    if by_aic:
        if alpha >= 1.0:
            return None
        better = terms["AIC"] < table["AIC"].loc["<none>"] - SAME_AIC
        return str(terms["AIC"].idxmin()) if better.any() else None
    column = next(name for name in ("Pr(>Chisq)", "Pr(Chi)", "Pr(>F)") if name in terms)
    p = terms[column].dropna()
    return str(p.idxmax()) if len(p) and p.max() > alpha else None
