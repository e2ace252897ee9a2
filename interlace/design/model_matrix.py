"""Text of a right side + columns -> model matrix, and the same again on new data.

Two ways, one result.  Terms made of columns and of elementwise expressions of numbers (numbers,
factors, ``log(x)``, products of them) are filled in directly (`plain_matrix`): formulaic decides
once per formula, on two rows, which factors are coded in full and which in contrasts, and that
answer is kept.  Everything else goes through formulaic itself (`formulaic_matrix`).  Names of
columns are formulaic's in both.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from ..formula.spelling import marked, shown, unmarked
from ..formula.terms import CACHE_SIZE, formulaic_terms
from ..frames.columns import Column, Columns, Labels
from ..frames.levels import label_numbers
from .codings import Coding, coding_of, logical_coding
from .expressions import names_in
from .formulaic_matrix import FormulaicMatrix, read_structure, through_formulaic
from .plain_matrix import BasisFields, PlainMatrix, computed_values, kind_of
from .terms import FixedTerm, FixedTerms, fixed_term

# the two classes are found here too: files of stored models name them so
__all__ = [
    "FormulaicMatrix",
    "MatrixRecipe",
    "PlainMatrix",
    "calls_of",
    "learned_matrix",
    "model_matrix",
    "terms_on",
]

# Levels of a factor above which its coding is not kept: that of 32 levels takes 8 kB.
MOST_KEPT = 32

MatrixRecipe = PlainMatrix | FormulaicMatrix


def model_matrix(
    text: str,
    columns: Columns,
    variables: tuple[str, ...],
    contrasts: Mapping[str, Any],
    context: Mapping[str, Any],
) -> tuple[np.ndarray, MatrixRecipe, FixedTerms]:
    """X (n, p), C-contiguous, of a right side, how to make it on new data, and its terms.

    ``columns`` have no missing values and no unused levels, ``variables`` are those that the text
    uses; ``contrasts`` are formulaic's objects or matrices by factor, ``context`` the user's names.
    """
    calls = _calls(text, variables)
    if calls and (context or computed_values(calls, columns) is None):
        return through_formulaic(text, columns, variables, contrasts, context)
    kinds = tuple((name, *_described(columns.values[name])) for name in variables)
    if all(_is_kept(*kind) and kind[0] not in contrasts for kind in kinds):
        recipe, terms = _known_recipe(text, kinds, calls)
    else:
        recipe, terms = _plain_recipe(text, kinds, calls, columns.values, contrasts)
    return recipe.matrix(columns), recipe, FixedTerms(terms, _factors(recipe, columns))


def learned_matrix(
    text: str,
    columns: Columns,
    variables: tuple[str, ...],
    contrasts: Mapping[str, Any],
    state: dict[str, Any],
    bases: Mapping[str, BasisFields],
) -> PlainMatrix:
    """How X is made where an engine was asked for what expressions keep of all rows."""
    kinds = tuple((name, *_described(columns.values[name])) for name in variables)
    calls = _calls(text, variables)
    own = {name: bases[name] for name, _ in calls if name in bases}
    recipe, _ = _plain_recipe(text, kinds, calls, columns.values, contrasts, own)
    return replace(recipe, state=state)


def _described(column: Column) -> tuple:
    """All that a recipe depends on of a column: its kind, and the levels of a factor."""
    if isinstance(column, Labels):
        return "factor", column.ordered, tuple([f"{level}" for level in column.levels])
    return (kind_of(column),)


def _is_kept(name: str, kind: str, ordered: bool = False, levels: tuple[str, ...] = ()) -> bool:
    """Whether the recipe for a column of this kind is kept; factors of one level are refused."""
    return kind != "factor" or 1 < len(levels) <= MOST_KEPT


@lru_cache(maxsize=CACHE_SIZE)
def _known_recipe(text: str, kinds: tuple, calls: tuple) -> tuple[PlainMatrix, tuple]:
    """`_plain_recipe` of factors that are coded as is usual, found again by their levels."""
    columns: dict[str, Column] = {}
    for name, kind, *of_factor in kinds:
        if kind == "factor":
            ordered, levels = of_factor
            none = np.empty(0, dtype=np.int32)
            columns[name] = Labels(none, np.array(levels, dtype=object), ordered)
    return _plain_recipe(text, kinds, calls, columns, {})


def _plain_recipe(
    text: str,
    kinds: tuple,
    calls: tuple,
    labels: Mapping[str, Column],
    contrasts: Mapping[str, Any],
    bases: Mapping[str, BasisFields] | None = None,
) -> tuple[PlainMatrix, tuple[FixedTerm, ...]]:
    """How the matrix of columns of some kinds is made, and its terms.

    ``labels`` are the factors by name.
    """
    named = tuple((marked(name), kind) for name, kind, *_ in kinds)
    bases = dict(bases or {})
    structure, logicals = read_structure(text, named, bases)
    codings = {name: logical_coding(shown(name)) for name in logicals}
    for name, kind, *_ in kinds:
        if kind == "factor":
            column = labels[name]
            assert isinstance(column, Labels)
            codings[marked(name)] = coding_of(shown(marked(name)), column, contrasts.get(name))
    scoped = [factors for _, _, products in structure for _, factors in products]
    recipe = PlainMatrix(
        names=tuple(name for factors in scoped for name in _product_names(factors, codings, bases)),
        products=tuple(product for _, _, products in structure for product in products),
        codings=codings,
        calls=calls,
        logicals=frozenset(shown(name) for name in logicals),
        bases=bases,
    )
    return recipe, _terms(structure, recipe)


def terms_on(
    text: str, variables: tuple[str, ...], like: Columns, recipe: PlainMatrix, columns: Columns
) -> FixedTerms:
    """The terms of a right side, read on columns of the kinds of others, on rows of its own."""
    kinds = tuple((marked(name), kind_of(like.values[name])) for name in variables)
    return FixedTerms(
        _terms(read_structure(text, kinds, recipe.bases)[0], recipe), _factors(recipe, columns)
    )


def _terms(structure: tuple, recipe: PlainMatrix) -> tuple[FixedTerm, ...]:
    return tuple(
        fixed_term(
            name,
            variables,
            [[(v, recipe.width(v, reduced)) for v, reduced in product] for _, product in products],
            recipe.codings,
        )
        for name, variables, products in structure
    )


def _factors(recipe: PlainMatrix, columns: Columns) -> dict[str, Labels]:
    """The levels of the rows in the factors of a matrix."""
    if not recipe.codings:
        return {}
    computed = computed_values(recipe.calls, columns, recipe.state) or {}
    factors = {}
    for name in recipe.codings:
        column = computed[name] if name in computed else columns.values[unmarked(name)]
        labels = column if isinstance(column, Labels) else label_numbers(column != 0)
        small = np.int8 if len(labels.levels) <= np.iinfo(np.int8).max else np.int32
        factors[name] = Labels(labels.codes.astype(small), labels.levels, labels.ordered)
    return factors


@lru_cache(maxsize=CACHE_SIZE)
def _calls(text: str, variables: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Expressions among the factors of a formula, each with the columns it uses."""
    return tuple(
        (text, tuple({name.name for name in names_in(text)} & set(variables)))
        for text in calls_of(text)
    )


def calls_of(text: str) -> list[str]:
    """Expressions among the factors of a right side."""
    expressions = dict.fromkeys(
        factor.expr
        for term in formulaic_terms(text)
        for factor in term.factors
        if factor.eval_method.value == "python"
    )
    return list(expressions)


def _product_names(
    factors: tuple[tuple[str, bool], ...],
    codings: Mapping[str, Coding],
    bases: Mapping[str, BasisFields],
) -> list[str]:
    if not factors:
        return ["Intercept"]
    fields: list[tuple[str, ...]] = []
    for name, reduced in factors:
        coding = codings.get(name)
        if name in bases:
            own = bases[name]
            fields.append(tuple(own.names[i] for i in own.reduced) if reduced else own.names)
        elif coding is None:
            fields.append((shown(name),))
        else:
            fields.append(coding.reduced_names if reduced else coding.full_names)
    return [":".join(reversed(product)) for product in itertools.product(*reversed(fields))]
