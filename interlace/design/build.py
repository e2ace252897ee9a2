"""Formula and data -> `Design`, and what is refused of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, DataWarning, FormulaError, listing, warn
from ..formula.edit import with_dot, with_random, without_response
from ..formula.formula import Formula
from ..formula.parser import parse
from ..formula.terms import term_key
from ..frames.columns import Labels, read_only
from ..frames.read import data_columns
from .design import Design, GroupingFactor, RandomTerm
from .expressions import Resolved, evaluate
from .grouping import Grouping, columns_used_by, grouping
from .model_frame import ModelFrame
from .model_matrix import MatrixRecipe, model_matrix
from .newdata import NewDataRecipe, RandomSide
from .predictor import MEAN, LinearPredictor
from .rank import independent_columns
from .response import check_size, numeric, response_values
from .terms import FixedTerms


def build(
    formula: str | Formula,
    data: Any,
    *,
    groups: str | Sequence[str] | None = None,
    random: str | Sequence[str] | None = None,
    weights: Any = None,
    offset: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    subset: Any = None,
    na_action: str = "omit",
    linear: bool = True,
    mixed: bool | None = None,
    context: Mapping[str, Any] | None = None,
) -> Design:
    """Make the design of a mixed model, or of one without random effects.

    Parameters
    ----------
    formula : str or Formula
        lme4's grammar.
    data : data frame
        pandas, Polars (lazy too), PyArrow, anything narwhals reads, or a dict of arrays.
    groups, random : str or sequence of str, optional
        Random terms as arguments; `random` wins.  See :func:`interlace.formula.edit.with_random`.
    weights, offset : array, Series or column name, optional
        One per row of `data`, before any row is dropped.
    contrasts : dict of column name to coding, optional
        ``"treatment"``, ``"sum"``, ``"helmert"``, ``"poly"``, ``"SAS"``, ``"diff"``, a matrix
        (levels x columns), or a formulaic contrast object.
    subset : array of bool, Series or str, optional
        Rows to use: a mask, a column of booleans, or an expression such as ``"Days > 2"``.
    na_action : {"omit", "exclude", "raise"}, default "omit"
        Rows with missing values: dropped with a warning; the same, and results padded; an error.
    linear : bool, default True
        Whether the model is a linear mixed model: it needs random terms, a numeric response that
        varies, and more rows than random effects per term.  Generalised models need none of it.
    mixed : bool, optional
        Whether random terms are needed (True), refused (False) or either (None); of a linear
        model they are needed.
    context : mapping, optional
        Names besides the columns that the formula may use, such as the caller's own functions.

    Returns
    -------
    Design

    Raises
    ------
    FormulaError
        If the formula cannot be read, lacks a response or a random term, or has one too many.
    DataError
        If columns or their values do not allow the model.
    ArgumentError
        If another argument is wrong.

    Warns
    -----
    DataWarning
        If rows or columns are dropped.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace.design.build import build
    >>> design = build("y ~ x", {"y": [1.0, 2, 4, 3], "x": [0.0, 1, 0, 1], "g": list("aabb")},
    ...                groups="g")
    >>> design.factors[0].levels.tolist(), design.terms[0].text
    (['a', 'b'], '(1 | g)')
    """
    frame = ModelFrame(
        _full_formula(formula, data, groups, random, linear, mixed),
        data,
        weights=weights,
        offset=offset,
        contrasts=contrasts,
        subset=subset,
        na_action=na_action,
        context=context or {},
    )
    states: dict[str, dict] = {}
    y, trials = response_values(
        frame.response_expressions, frame.columns, frame.context, states, linear
    )
    fixed = _fixed_part(frame, states, linear)
    effects = _random_part(frame, fixed, linear)
    return Design(
        y=_own(y),
        trials=None if trials is None else _own(trials),
        weights=None if frame.weights is None else _own(frame.weights),
        predictors={MEAN: fixed.predictor},
        factors=effects.factors,
        terms=effects.terms,
        formula=frame.formula,
        response_name=frame.response_expressions.text,
        index=frame.columns.index,
        rows=frame.rows,
        na_action=na_action,
        n_missing=frame.n_missing,
        missing_by=frame.missing_by,
        full_index=frame.full_index,
        kept=frame.kept,
        recipe=_recipe(frame, fixed, effects, states, linear),
    )


def _full_formula(
    formula: Any, data: Any, groups: Any, random: Any, linear: bool, mixed: bool | None
) -> Formula:
    names = data_columns(data)
    parsed = with_random(parse(formula), groups, random, names)
    if parsed.response is None:
        raise FormulaError("formula has no response left of '~'; write 'y ~ x'", parsed.text)
    if linear and not parsed.random:
        raise FormulaError(
            "a linear mixed model needs a random term: add (1 | g) to the formula or give "
            "groups='g'; glm() fits models without random effects",
            parsed.text,
        )
    if mixed and not parsed.random:
        raise FormulaError(
            "a mixed model needs a random term: add (1 | g) to the formula or give groups='g', or "
            "use glm(), which fits models without random effects",
            parsed.text,
        )
    if mixed is False and parsed.random:
        raise FormulaError(
            f"glm() has no random effects, but there is {listing(t.text for t in parsed.random)}; "
            "use glmer(), or fit() for a linear mixed model",
            parsed.text,
        )
    if "." in parsed.fixed:
        parsed = with_dot(parsed, tuple(names))
    made = without_response(parsed)
    if made.fixed != parsed.fixed and parsed.response:
        warn(
            f"the response {parsed.response.text} stands among the terms on the right and was "
            "dropped there, as in R; leave it out of the formula",
            DataWarning,
        )
    return made


def _recipe(
    frame: ModelFrame,
    fixed: _Fixed,
    effects: _Random,
    states: dict[str, dict],
    linear: bool,
) -> NewDataRecipe:
    return NewDataRecipe(
        fixed=fixed.recipe,
        kept=fixed.kept,
        fixed_variables=frame.fixed.variables,
        sides=effects.sides,
        groupings=effects.groupings,
        grouping_variables=tuple(
            tuple(name for piece in frame.groups[made.label] for name in piece.variables)
            for made in effects.groupings
        ),
        offsets=frame.offsets,
        offset_column=frame.offset_column,
        offset_given=frame.offset is not None,
        response=frame.response_expressions,
        response_variables=tuple(
            dict.fromkeys(name for piece in frame.response for name in piece.variables)
        ),
        logical=frozenset(
            name
            for name, column in frame.columns.values.items()
            if isinstance(column, np.ndarray) and column.dtype == bool
        ),
        levels={
            name: column[:0] if isinstance(column, Labels) else None
            for name, column in frame.columns.values.items()
        },
        context=frame.context,
        states=states,
        linear=linear,
    )


# --- fixed part -----------------------------------------------------------------------------


class _Fixed(NamedTuple):
    """The whole model matrix, how it is made again, the columns kept, and what they make."""

    X: np.ndarray
    recipe: MatrixRecipe
    kept: np.ndarray
    predictor: LinearPredictor


def _fixed_part(frame: ModelFrame, states: dict[str, dict], linear: bool) -> _Fixed:
    X, recipe, terms = _matrix(frame, frame.fixed)
    kept = independent_columns(X) if X.shape[1] else np.arange(0)
    dropped = tuple(np.delete(np.array(recipe.names, dtype=object), kept))
    if dropped:
        warn(
            f"the fixed-effects matrix is rank deficient: dropped {len(dropped)} column(s) that "
            f"depend linearly on earlier ones: {listing(dropped)}. Leave out the term(s), or read "
            "the other coefficients with these at zero",
            DataWarning,
        )
    if linear and len(kept) >= len(X):
        raise DataError(
            f"the formula has {len(kept)} fixed coefficients for {len(X)} rows; leave out terms "
            "(a text column as covariate has one coefficient per value)"
        )
    offset = _total_offset(frame, states)
    if linear and offset is not None:
        check_size(offset, "offset")
    predictor = LinearPredictor(
        X=np.ascontiguousarray(X[:, kept] if dropped else X),
        names=tuple(recipe.names[j] for j in kept),
        terms=terms.keep(kept) if dropped else terms,
        offset=None if offset is None else _own(offset),
        dropped=dropped,
    )
    return _Fixed(X, recipe, kept, predictor)


def _matrix(frame: ModelFrame, side: Resolved) -> tuple[np.ndarray, MatrixRecipe, FixedTerms]:
    X, recipe, terms = model_matrix(
        side.text, frame.columns, side.variables, frame.contrasts, side.context
    )
    if len(set(recipe.names)) < len(recipe.names):
        twice = next(name for name in recipe.names if recipe.names.count(name) > 1)
        raise DataError(
            f"two columns of the model matrix would have the name {twice!r}; rename the column of "
            "data that is named like a coefficient"
        )
    with np.errstate(all="ignore"):
        sums = X.sum(axis=0)
    if not np.isfinite(sums).all():
        bad = ~np.isfinite(X)
        for j in np.flatnonzero(bad.any(axis=0)):
            numeric(recipe.names[j], X[:, j], frame.columns)
    return X, recipe, terms


def _own(values: np.ndarray) -> np.ndarray:
    """A copy that nobody writes to: later edits of the data do not reach the fit."""
    return read_only(np.array(values, dtype=np.float64, order="C"))


def _total_offset(frame: ModelFrame, states: dict[str, dict]) -> np.ndarray | None:
    total = frame.offset
    for side in frame.offsets:
        state = states.setdefault(f"offset {side.text}", {})
        values = columns_used_by(frame.columns, side.text)
        value = evaluate(side.text, frame.columns.n, values, frame.context, state)
        part = numeric(f"offset({side.text})", value, frame.columns)
        total = part if total is None else total + part
    return total


# --- random part ----------------------------------------------------------------------------


class _Random(NamedTuple):
    factors: tuple[GroupingFactor, ...]
    terms: tuple[RandomTerm, ...]
    groupings: tuple[Grouping, ...]
    sides: tuple[RandomSide, ...]


def _random_part(frame: ModelFrame, fixed: _Fixed, linear: bool) -> _Random:
    specs = frame.formula.random
    groups = _groupings(frame, linear)
    matrices = _left_sides(frame, fixed)
    sizes = [len(groups[spec.label][0].cells) for spec in specs]
    order = _lme4_order(sizes)
    labels = list(dict.fromkeys(specs[i].label for i in order))
    blocks: dict[str, list[np.ndarray]] = {label: [] for label in labels}
    terms, sides = [], []
    for i in order:
        spec, side = specs[i], frame.sides[i]
        Z, recipe = matrices[term_key(side.text)]
        _check_zeros(spec.text, Z, recipe.names)
        if linear:
            _check_effects(spec.text, sizes[i] * Z.shape[1], len(Z))
        start = sum(block.shape[1] for block in blocks[spec.label])
        at = slice(start, start + Z.shape[1])
        blocks[spec.label].append(Z)
        factor = labels.index(spec.label)
        terms.append(RandomTerm(factor, at, recipe.names, spec.structure, spec.text))
        sides.append(RandomSide(recipe, side.variables, factor, at))
    factors = tuple(
        GroupingFactor(label, groups[label][0].levels, groups[label][1], _beside(blocks[label]))
        for label in labels
    )
    groupings = tuple(groups[label][0] for label in labels)
    return _Random(factors, tuple(terms), groupings, tuple(sides))


def _groupings(frame: ModelFrame, linear: bool) -> dict[str, tuple[Grouping, np.ndarray]]:
    """Grouping factors by label, each with the codes of the rows."""
    out = {}
    for label, pieces in frame.groups.items():
        variables = tuple(piece.text for piece in pieces)
        out[label] = grouping(label, variables, frame.columns, frame.context)
        _check_groups(*out[label], linear)
    return out


def _left_sides(frame: ModelFrame, fixed: _Fixed) -> dict[tuple, tuple[np.ndarray, MatrixRecipe]]:
    """Matrices of the left sides by what they mean: the same ones are made once."""
    out = {term_key(frame.fixed.text): (fixed.X, fixed.recipe)}
    for side in frame.sides:
        if term_key(side.text) not in out:
            out[term_key(side.text)] = _matrix(frame, side)[:2]
    return out


def _check_zeros(term: str, Z: np.ndarray, names: Sequence[str]) -> None:
    """Refuse a random effect whose covariate is zero in every row."""
    empty = np.flatnonzero(~Z.any(axis=0))
    if empty.size:
        raise DataError(
            f"the random term {term!r} has the covariate {names[empty[0]]!r}, which is zero in "
            "every row used: its variance cannot be estimated. Leave it out"
        )


def _lme4_order(sizes: Sequence[int]) -> list[int]:
    """Terms by decreasing number of levels, left alone when they are so already.

    lme4 reverses an ascending stable order, hence ties come out reversed when it re-orders.
    """
    if all(a >= b for a, b in zip(sizes, sizes[1:])):
        return list(range(len(sizes)))
    return sorted(range(len(sizes)), key=lambda i: sizes[i])[::-1]


def _beside(blocks: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0]


def _check_groups(made: Grouping, codes: np.ndarray, linear: bool) -> None:
    count, n = len(made.cells), len(codes)
    if count < 2:
        raise DataError(
            f"grouping factor {made.label!r} has only one level, "
            f"{listing(map(repr, made.levels.tolist()))}, in the rows used; its variance cannot "
            "be estimated: leave the random term out"
        )
    if count > n or (linear and count == n):
        raise DataError(
            f"grouping factor {made.label!r} has as many levels as there are rows ({n}): its "
            "variance cannot be told from the residual variance. Choose a coarser factor; if the "
            "variances of the rows are known, as in a meta-analysis, use glmer() with "
            "family=Gaussian(precision=1) and weights=1/variance"
        )


def _check_effects(text: str, effects: int, n: int) -> None:
    if effects >= n:
        raise DataError(
            f"the random term {text} has {effects} random effects for {n} rows: their variances "
            "cannot be told from the residual variance. Simplify its left side or choose a "
            "coarser grouping factor"
        )
