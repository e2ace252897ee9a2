"""Formula and data -> `Design`, and what is refused of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..covariance.names import STRUCTURES
from ..errors import DataError, DataWarning, FormulaError, listing, warn
from ..formula.formula import Formula, RandomTermSpec
from ..formula.terms import term_key
from ..frames.columns import Columns, Labels, plainly_finite, read_only
from ..frames.read import data_columns
from .design import Design, GroupingFactor, RandomTerm
from .expressions import Resolved
from .formulas import formulas_of
from .grouping import Grouping, grouping
from .indicators import IndexedColumns, beside
from .known import KnownGrouping, KnownLevels, known_levels, spread
from .model_frame import ModelFrame
from .model_matrix import MatrixRecipe, model_matrix
from .newdata import FixedSide, NewDataRecipe, RandomSide
from .ordered import ordered_response, response_of
from .positions import levelled, positioned
from .predictor import MEAN, NOMINAL, LinearPredictor, argument_of
from .rank import independent_columns
from .response import check_size, numeric
from .terms import FixedTerms

if TYPE_CHECKING:
    from ..formula.residual import ResidualSpec
    from .residual import ResidualDesign


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
    others: Mapping[str, str | Formula | None] | None = None,
    residual: ResidualSpec | None = None,
    ordered: bool = False,
    levels: Any = None,
) -> Design:
    """The design of a formula and data, arguments as those of `interlace.modular.design`.

    ``linear`` models need random terms, a numeric response that varies, and more rows than random
    effects per term; ``mixed`` says whether others need random terms (True), refuse them (False) or
    take either (None). ``context`` has names besides the columns that formulas may use; ``others``
    one-sided formulas of the linear predictors beside the mean's, by name and in their order, None
    for ``"~ 1"``: a ``.`` stands for the right side of the mean's without its offsets. A
    response of ``ordered`` categories, in the order of ``levels`` or their own, is their numbers;
    the intercepts of the mean and of the scale are left out then, for thresholds stand for them.
    ``residual`` is the covariance of the residuals, with which a linear model need not have random
    terms.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace.design.build import build
    >>> design = build("y ~ x", {"y": [1.0, 2, 4, 3], "x": [0.0, 1, 0, 1], "g": list("aabb")},
    ...                groups="g")
    >>> design.factors[0].levels.tolist(), design.terms[0].text
    (['a', 'b'], '(1 | g)')
    """
    names = data_columns(data)
    frame = ModelFrame(
        formulas_of(
            formula, others, names, groups, random, linear and residual is None, mixed, ordered
        ),
        data,
        names,
        weights=weights,
        offset=offset,
        contrasts=contrasts,
        subset=subset,
        na_action=na_action,
        context={} if context is None else context,
        residual=residual,
    )
    y, trials = _response(frame, linear, ordered, levels)
    matrices = Matrices(frame)
    fixed = {name: _fixed_part(frame, name, matrices, linear) for name in frame.predictors}
    effects, sides = _random_part(frame, matrices, linear), [part.side for part in fixed.values()]
    return Design(
        y=_own(y),
        trials=None if trials is None else _own(trials),
        weights=None if frame.weights is None else _own(frame.weights),
        predictors={name: part.predictor for name, part in fixed.items()},
        factors=effects.factors,
        terms=effects.terms,
        formula=frame.formula,
        response_name=frame.response.text,
        index=frame.columns.index,
        rows=frame.rows,
        na_action=na_action,
        n_missing=frame.n_missing,
        missing_by=frame.missing_by,
        full_index=frame.full_index,
        kept=frame.kept,
        full_rows=frame.full_rows,
        recipe=new_data_recipe(frame, sides, effects.sides, effects.groupings, linear),
        residual=_residual_part(frame, effects),
    )


def _response(
    frame: ModelFrame, linear: bool, ordered: bool, levels: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """The response as numbers, that of ordered categories by their places, and trials if any."""
    if ordered:
        frame.response = ordered_response(frame.response, frame.columns, frame.unused, levels)
    return response_of(frame.response, frame.columns, linear)


def _residual_part(frame: ModelFrame, effects: _Random) -> ResidualDesign | None:
    if frame.residual is None:
        return None
    from .residual import residual_design

    return residual_design(frame.residual, frame.columns, effects.factors)


def new_data_recipe(
    frame: ModelFrame,
    fixed: Sequence[FixedSide],
    sides: tuple[RandomSide, ...],
    groupings: tuple[Grouping, ...],
    linear: bool,
) -> NewDataRecipe:
    """How a design is made of new data; ``fixed`` are of the linear predictors in their order."""
    return NewDataRecipe(
        fixed=dict(zip(frame.predictors, fixed, strict=True)),
        sides=sides,
        groupings=groupings,
        offset_column=frame.offset_column,
        offset_given=frame.offset is not None,
        response=frame.response,
        logical=frozenset(
            name
            for name, column in frame.columns.values.items()
            if isinstance(column, np.ndarray) and column.dtype == bool
        ),
        levels={
            name: column.without_rows() if isinstance(column, Labels) else None
            for name, column in frame.columns.values.items()
        },
        context=frame.context,
        linear=linear,
    )


# --- fixed part -----------------------------------------------------------------------------


class _Fixed(NamedTuple):
    """How the columns kept are made again, and what they make."""

    side: FixedSide
    predictor: LinearPredictor


class Matrices:
    """Model matrices of right sides by what they mean: the same ones are made once."""

    def __init__(self, frame: ModelFrame):
        self._frame = frame
        self._made: dict[tuple, tuple[np.ndarray, MatrixRecipe, FixedTerms]] = {}

    def of(self, side: Resolved) -> tuple[np.ndarray, MatrixRecipe, FixedTerms]:
        """Matrix, how to make it again, and the record of its terms."""
        key = term_key(side.text)
        if key not in self._made:
            self._made[key] = _matrix(self._frame, side)
        return self._made[key]


def _fixed_part(frame: ModelFrame, name: str, matrices: Matrices, linear: bool) -> _Fixed:
    no_intercept = frame.response.levels is not None and name != NOMINAL
    part, where = frame.predictors[name], "" if name == MEAN else f" of {argument_of(name)}"
    X, recipe, terms = matrices.of(part.fixed)
    kept, dropped = kept_columns(X, recipe.names, where)
    if linear and len(kept) >= len(X):
        raise DataError(
            f"{argument_of(name)} has {len(kept)} fixed coefficients for {len(X)} rows; leave out "
            "terms (a text column as covariate has one coefficient per value)"
        )
    left_out = bool(dropped)
    if name == NOMINAL and "Intercept" not in recipe.names:
        raise FormulaError(_NO_THRESHOLDS, part.formula.text)
    if no_intercept:
        kept = _without_intercept(recipe, kept, part.formula)
        left_out = True
    offset = total_offset(frame, name)
    if linear and offset is not None:
        check_size(offset, f"offset{where}")
    if dropped:
        terms = terms.keep(kept)
    if no_intercept:
        terms = terms.without("Intercept")
    if left_out:
        X = X.take(kept, axis=1)
    predictor = LinearPredictor(
        X=np.ascontiguousarray(X) if left_out or name == MEAN else X,
        names=tuple(recipe.names[j] for j in kept) if left_out else recipe.names,
        terms=terms,
        offset=None if offset is None else _own(offset),
        dropped=dropped,
        formula=part.formula,
    )
    return _Fixed(FixedSide(recipe, kept, part.fixed.variables, part.offsets), predictor)


def kept_columns(
    X: np.ndarray, names: Sequence[str], where: str = ""
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The columns of X that are kept, and the names of those that others make, with a warning."""
    kept = independent_columns(X) if X.shape[1] else np.arange(0)
    if len(kept) == X.shape[1]:
        return kept, ()
    dropped = tuple(np.delete(np.array(names, dtype=object), kept))
    if dropped:
        warn(
            f"the fixed-effects matrix{where} is rank deficient: dropped {len(dropped)} column(s) "
            f"that depend linearly on earlier ones: {listing(dropped)}. Leave out the term(s), or "
            "read the other coefficients with these at zero",
            DataWarning,
        )
    return kept, dropped


_NO_THRESHOLDS = (
    "nominal needs its intercept, which stands for the thresholds themselves: leave out '0 +' or "
    "'- 1'"
)


def _without_intercept(recipe: MatrixRecipe, kept: np.ndarray, formula: Formula) -> np.ndarray:
    """The columns kept but for the intercept, which factors are coded beside."""
    names = np.array(recipe.names, dtype=object)
    if "Intercept" not in recipe.names:
        raise FormulaError(
            "thresholds stand for the intercept of ordered categories, and factors are coded "
            "beside it: leave out '0 +' or '- 1'",
            formula.text,
        )
    return kept[names[kept] != "Intercept"]


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
    check_columns(X, recipe.names, frame.columns)
    return X, recipe, terms


def _own(values: np.ndarray) -> np.ndarray:
    """A copy that nobody writes to: later edits of the data do not reach the fit."""
    return read_only(np.array(values, dtype=np.float64, order="C"))


def check_columns(X: np.ndarray, names: Sequence[str], columns: Columns) -> None:
    """Refuse columns of X with values that are no numbers, or whose squares are none."""
    if plainly_finite(X):
        return
    bad = ~np.isfinite(X)
    for j in np.flatnonzero(bad.any(axis=0)).tolist():
        numeric(names[j], X[:, j], columns)
    largest = int(np.abs(X).max(axis=0).argmax())
    check_size(X[:, largest], f"the column {names[largest]!r} of the model matrix")


def total_offset(frame: ModelFrame, name: str) -> np.ndarray | None:
    """The offset of a linear predictor: that of its formula, and the argument."""
    total = frame.offset if name == MEAN else None
    for side in frame.predictors[name].offsets:
        part = numeric(f"offset({side.text})", side.value(frame.columns), frame.columns)
        total = part if total is None else total + part
    return total


# --- random part ----------------------------------------------------------------------------


class _Random(NamedTuple):
    factors: tuple[GroupingFactor, ...]
    terms: tuple[RandomTerm, ...]
    groupings: tuple[Grouping, ...]
    sides: tuple[RandomSide, ...]


def _random_part(frame: ModelFrame, matrices: Matrices, linear: bool) -> _Random:
    groups = _groupings(frame, linear)
    known = _known(frame, groups)
    sizes = {key: len(grouped.cells) for key, (grouped, _) in groups.items()}
    ordered = in_order(frame, sizes)
    keys = list(dict.fromkeys(spec.factor for _, spec, _ in ordered))
    # the levels of a known covariance are effects of one group
    keys.sort(key=lambda key: -1 if key in known else -sizes[key])
    parts = {key: FactorParts(known.get(key), [], [], []) for key in keys}
    index = {name: k for k, name in enumerate(frame.predictors)}
    terms, sides = [], []
    for name, spec, side in ordered:
        Z, recipe, positions = _columns(frame, spec, side, matrices)
        if linear and not STRUCTURES[spec.structure].patterned and spec.matrix is None:
            check_effects(spec.text, sizes[spec.factor] * Z.shape[1], len(Z))
        own, at = parts[spec.factor].add(Z, index[name])
        factor = keys.index(spec.factor)
        terms.append(
            RandomTerm(
                *(factor, at, recipe.names, spec.structure, spec.text, name, positions, spec.rank),
                copies=parts[spec.factor].copies,
            )
        )
        sides.append(RandomSide(recipe, side.variables, factor, own, name))
    names = _names(frame, {key: groups[key][0].label for key in keys})
    factors = [parts[key].factor(names[key], *groups[key]) for key in keys]
    groupings = tuple(parts[key].grouping(groups[key][0]) for key in keys)
    return _Random(tuple(factors), tuple(terms), groupings, tuple(sides))


class FactorParts(NamedTuple):
    """The columns of all random terms on one grouping factor."""

    known: KnownLevels | None
    blocks: list[Any]
    owners: list[int]
    covariates: list[slice]

    @property
    def copies(self) -> int:
        """How many columns each covariate makes."""
        return 1 if self.known is None else self.known.rank

    def add(self, Z: Any, owner: int) -> tuple[slice, slice]:
        """Add a term's covariates: their places among those of all, and those of their columns."""
        start, k = len(self.owners) // self.copies, Z.shape[1]
        own = slice(start, start + k)
        if self.known is not None:
            Z = spread(self.known.root[self.known.codes], np.asarray(Z))
        self.blocks.append(Z)
        at = slice(len(self.owners), len(self.owners) + Z.shape[1])
        self.owners.extend([owner] * Z.shape[1])
        self.covariates.append(own)
        return own, at

    def factor(self, label: str, grouped: Grouping, codes: np.ndarray) -> GroupingFactor:
        """The grouping factor with all columns."""
        Z, of = beside(self.blocks), np.array(self.owners, dtype=np.int8)
        if self.known is None:
            return GroupingFactor(label, grouped.levels, codes, Z, of)
        levels = np.array(["all"], dtype=object)
        return GroupingFactor(label, levels, np.zeros_like(codes), Z, of, self.known)

    def grouping(self, grouped: Grouping) -> Grouping:
        """What is kept of the factor for new data."""
        if self.known is None:
            return grouped
        own = grouped.label, grouped.variables, grouped.levels_of, grouped.cells
        return KnownGrouping(*own, self.known.of(np.arange(0)), tuple(self.covariates))


def _known(
    frame: ModelFrame, groups: Mapping[str, tuple[Grouping, np.ndarray]]
) -> dict[str, KnownLevels]:
    """Levels with a known covariance by the key of their grouping factor."""
    return {
        key: known_levels(*groups[key], matrix, frame.columns)
        for key, matrix in frame.matrices.items()
    }


def _names(frame: ModelFrame, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of grouping factors, with the name of the matrix where others have the same."""
    out = dict(labels)
    counts = Counter(labels.values()) if frame.matrices else {}
    for key, matrix in frame.matrices.items():
        if counts[labels[key]] > 1:
            out[key] = f"{labels[key]}[{matrix.spec.name}]"
    return out


def _columns(
    frame: ModelFrame, spec: RandomTermSpec, side: Resolved, matrices: Matrices
) -> tuple[Any, Any, np.ndarray | None]:
    """Columns of a random term, how to make them again, and positions."""
    recipe = levelled(spec.structure, spec.text, spec.lhs, frame.columns)
    if recipe is not None:
        return recipe.indexed(frame.columns), recipe, None
    Z, *rest = positioned(spec.structure, spec.text, *matrices.of(side))
    if not isinstance(Z, IndexedColumns):
        check_zeros(spec.text, Z, rest[0].names)
    return Z, *rest


def in_order(
    frame: ModelFrame, sizes: Mapping[str, int]
) -> list[tuple[str, RandomTermSpec, Resolved]]:
    """Random terms with their predictors and left sides: by predictor, then in lme4's order."""
    out = []
    for name, part in frame.predictors.items():
        terms = list(zip(part.formula.random, part.sides, strict=True))
        order = _lme4_order([sizes[spec.factor] for spec, _ in terms])
        out += [(name, *terms[i]) for i in order]
    return out


def _groupings(frame: ModelFrame, linear: bool) -> dict[str, tuple[Grouping, np.ndarray]]:
    """Grouping factors by key, each with the codes of the rows."""
    out = {}
    patterned = {
        spec.factor
        for part in frame.predictors.values()
        for spec in part.formula.random
        if STRUCTURES[spec.structure].patterned
    }
    for key, pieces in frame.groups.items():
        matrix = frame.matrices.get(key)
        label = key if matrix is None else key.removesuffix(f", {matrix.spec.text}")
        out[key] = grouping(label, pieces, frame.columns)
        made, codes = out[key]
        check_groups(made, len(codes), linear and matrix is None, key in patterned)
    return out


def check_zeros(term: str, Z: np.ndarray, names: Sequence[str]) -> None:
    """Refuse a random effect whose covariate is zero in every row."""
    if Z.strides == (0, 0):
        return
    moved = Z.any(axis=0)
    if not moved.all():
        raise DataError(
            f"the random term {term!r} has the covariate {names[int(moved.argmin())]!r}, which is "
            "zero in every row used: its variance cannot be estimated. Leave it out"
        )


def _lme4_order(sizes: Sequence[int]) -> list[int]:
    """Terms by decreasing number of levels, left alone when they are so already.

    lme4 reverses an ascending stable order, hence ties come out reversed when it re-orders.
    """
    if all(a >= b for a, b in zip(sizes, sizes[1:])):
        return list(range(len(sizes)))
    return sorted(range(len(sizes)), key=lambda i: sizes[i])[::-1]


def check_groups(made: Grouping, n: int, linear: bool, patterned: bool) -> None:
    """Refuse a grouping factor of one level, or of as many as there are rows."""
    count = len(made.cells)
    if count < 2 and not patterned:
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


def check_effects(text: str, effects: int, n: int) -> None:
    """Refuse a term that has as many effects as there are rows."""
    if effects >= n:
        raise DataError(
            f"the random term {text} has {effects} random effects for {n} rows: their variances "
            "cannot be told from the residual variance. Simplify its left side or choose a "
            "coarser grouping factor; numbers stored as text are a factor, with an effect for each "
            "level: convert them, e.g. with pandas.to_numeric"
        )
