"""Formula and data -> `Design`: everything the numerics see."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, DataError, DataWarning, FormulaError, listing, warn
from ..formula.parser import Formula, parse, with_dot, with_random, without_response
from ..formula.terms import term_key
from ..frames.read import Labels, column_names, read_only
from .expressions import Resolved, evaluate
from .grouping import Grouping, grouping, vectors
from .model_frame import ModelFrame
from .model_matrix import MatrixRecipe, Terms, model_matrix
from .newdata import NewDesign, Replay, Side
from .rank import independent_columns
from .response import check_size, numeric, response

__all__ = ["Design", "GroupingFactor", "NewDesign", "RandomTerm", "build"]


@dataclass(frozen=True, eq=False)
class GroupingFactor:
    """A grouping factor with the covariates of all random terms on it.

    Attributes
    ----------
    name : str
        R's label: ``"Subject"``, ``"cask:batch"``.
    levels : (l,) ndarray
        Labels: the values of the column, or texts ``"1:a"`` for an interaction.
    codes : (n,) int32 ndarray
        Level of each row, in [0, l); every level occurs.
    Z : (n, k) float64 ndarray
        Covariates of the terms side by side.  For a sole intercept a read-only broadcast of 1.0.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace.design import build
    >>> design = build("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> design.factors[0].name, len(design.factors[0].levels), design.factors[0].Z.shape
    ('Subject', 18, (180, 2))
    """

    name: str
    levels: np.ndarray
    codes: np.ndarray
    Z: np.ndarray

    @property
    def intercept_only(self) -> bool:
        """Whether Z is a sole intercept, stored as one number."""
        return self.Z.strides == (0, 0)


@dataclass(frozen=True)
class RandomTerm:
    """One random-effect term.

    Attributes
    ----------
    factor : int
        Index of its grouping factor in ``Design.factors``.
    columns : slice
        Its columns of that factor's Z.
    names : tuple of str
        Names of these columns: ``("Intercept", "Days")``.
    structure : {"us", "diag"}
        Covariance structure.
    text : str
        ``"(1 + Days | Subject)"``.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace.design import build
    >>> design = build("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> design.terms[0].names
    ('Intercept', 'Days')
    """

    factor: int
    columns: slice
    names: tuple[str, ...]
    structure: str
    text: str


@dataclass(frozen=True, eq=False)
class Design:
    """Everything the numerics see of formula and data.

    Attributes
    ----------
    y : (n,) float64 ndarray
        Response.
    X : (n, p) float64 ndarray
        Fixed-effects model matrix, C-contiguous, of full column rank.
    x_names : tuple of str
        Names of its columns (formulaic's).
    factors : tuple of GroupingFactor
        One per distinct grouping factor, decreasing number of levels.
    terms : tuple of RandomTerm
        In lme4's order, which theta follows.
    weights, offset : (n,) float64 ndarray or None
    formula : Formula
        Random terms given as arguments included.
    response_name : str
    index : pandas.Index
        Labels of the rows used.
    x_terms : tuple of (str, slice)
        Fixed term -> its columns of X (an empty slice where all of them were dropped).
    n_missing : int
        Rows dropped for missing values.
    missing_by : dict of str -> int
        Missing values by column, in the rows of the subset.
    dropped_columns : tuple of str
        Columns of X left out because they depend on earlier ones.
    trials : (n,) float64 ndarray or None
        Denominators of a response ``cbind(k, n - k)`` or ``k / n``.
    na_action : str
    full_index : pandas.Index or None
        Under ``na_action="exclude"``, when rows were dropped: labels of all rows of the subset.
    kept : (n,) int ndarray or None
        Then: positions of the rows used among these.
    rows : (n,) int ndarray or None
        Positions of the rows used, among the rows of `data`; None when all are.
    replay : Replay or None
        State for :meth:`on`.

    Examples
    --------
    >>> import interlace as il
    >>> from interlace.design import build
    >>> design = build("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> design.X.shape, design.x_names
    ((180, 2), ('Intercept', 'Days'))
    """

    y: np.ndarray
    X: np.ndarray
    x_names: tuple[str, ...]
    factors: tuple[GroupingFactor, ...]
    terms: tuple[RandomTerm, ...]
    weights: np.ndarray | None
    offset: np.ndarray | None
    formula: Formula
    response_name: str
    index: pd.Index
    x_terms: tuple[tuple[str, slice], ...]
    n_missing: int = 0
    missing_by: dict[str, int] = field(default_factory=dict)
    dropped_columns: tuple[str, ...] = ()
    trials: np.ndarray | None = None
    na_action: str = "omit"
    full_index: pd.Index | None = None
    kept: np.ndarray | None = None
    rows: np.ndarray | None = None
    replay: Replay | None = field(default=None, repr=False)

    def pad(self, values: np.ndarray) -> pd.Series:
        """Values of the rows used as a Series; with NaN elsewhere under ``"exclude"``."""
        series = pd.Series(np.array(values), index=self.index)
        if self.full_index is None:
            return series
        full = np.full(len(self.full_index), np.nan)
        full[self.kept] = values
        return pd.Series(full, index=self.full_index)

    def on(
        self,
        newdata: Any,
        *,
        new_levels: str = "error",
        factors: Collection[int] | None = None,
        offset: Any = None,
        response: bool = False,
        spread: Collection[int] = (),
    ) -> NewDesign:
        """Make the design on new data: same transforms, contrasts and levels.

        Parameters
        ----------
        newdata : data frame
            Of any library; only the columns needed for what is asked.
        new_levels : {"error", "population"}, default "error"
            What happens to grouping levels that the fit does not know (or that are missing):
            an error, or the code -1.
        factors : collection of int, optional
            Indices of the grouping factors that are needed; default all.  Columns of the others
            need not be there.
        offset : float, array, Series or column name, shape (r,), optional
            In place of the offset that was given to the fit as an argument; one that was given as
            an array has to be given again.  Offsets in the formula are computed from `newdata`.
        response : bool, default False
            Whether to make `y` too.
        spread : collection of int, optional
            Indices of grouping factors whose Z is needed though their levels are not.

        Returns
        -------
        NewDesign

        Raises
        ------
        DataError
            For missing columns, unseen levels of factors, values of the wrong type.
        ArgumentError
            If an offset is needed, or an argument is wrong.

        Examples
        --------
        >>> import interlace as il
        >>> from interlace.design import build
        >>> design = build("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
        >>> design.on({"Days": [3.0, 4.0]}, factors=()).X
        array([[1., 3.],
               [1., 4.]])
        """
        if self.replay is None:
            raise ArgumentError("this design was made from arrays; it has no formula to repeat")
        widths = tuple(factor.Z.shape[1] for factor in self.factors)
        return self.replay.on(newdata, widths, new_levels, factors, offset, response, spread)


# --- building -------------------------------------------------------------------------------


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
        Random terms as arguments; `random` wins.  See :func:`interlace.formula.parser.with_random`.
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
    >>> from interlace.design import build
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
    y, trials = response(frame.response_parts, frame.columns, frame.context, states, linear)
    X, fixed = _matrix(frame, frame.fixed)
    kept = independent_columns(X) if X.shape[1] else np.arange(0)
    _report_dependent(fixed, kept)
    if linear and len(kept) >= len(y):
        raise DataError(
            f"the formula has {len(kept)} fixed coefficients for {len(y)} rows; leave out terms "
            "(a text column as covariate has one coefficient per value)"
        )
    factors, terms, groupings, sides = _random_part(frame, X, fixed, linear)
    offset = _total_offset(frame, states)
    if linear and offset is not None:
        check_size(offset, "offset")
    return Design(
        y=_own(y),
        X=_contiguous(X, kept),
        x_names=tuple(fixed.names[j] for j in kept),
        factors=factors,
        terms=terms,
        weights=None if frame.weights is None else _own(frame.weights),
        offset=None if offset is None else _own(offset),
        formula=frame.formula,
        response_name=frame.response_parts.text,
        index=frame.columns.index,
        x_terms=_kept_terms(fixed.terms, kept),
        n_missing=frame.n_missing,
        missing_by=frame.missing_by,
        dropped_columns=tuple(np.delete(np.array(fixed.names, dtype=object), kept)),
        trials=None if trials is None else _own(trials),
        na_action=na_action,
        full_index=frame.full_index,
        kept=frame.kept,
        rows=frame.rows,
        replay=_replay(frame, fixed, kept, groupings, sides, states, linear),
    )


def _full_formula(
    formula: Any, data: Any, groups: Any, random: Any, linear: bool, mixed: bool | None
) -> Formula:
    names = column_names(data)
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


# --- fixed part -----------------------------------------------------------------------------


def _matrix(frame: ModelFrame, side: Resolved) -> tuple[np.ndarray, MatrixRecipe]:
    X, recipe = model_matrix(
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
    return X, recipe


def _own(values: np.ndarray) -> np.ndarray:
    """A copy that nobody writes to: later edits of the data do not reach the fit."""
    return read_only(np.array(values, dtype=np.float64, order="C"))


def _contiguous(X: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(X if len(kept) == X.shape[1] else X[:, kept])


def _report_dependent(fixed: MatrixRecipe, kept: np.ndarray) -> None:
    gone = np.delete(np.array(fixed.names, dtype=object), kept)
    if len(gone):
        warn(
            f"the fixed-effects matrix is rank deficient: dropped {len(gone)} column(s) that "
            f"depend linearly on earlier ones: {listing(gone)}. Leave out the term(s), or read the "
            "other coefficients with these at zero",
            DataWarning,
        )


def _kept_terms(terms: Terms, kept: np.ndarray) -> Terms:
    """Term -> its columns among the kept ones."""
    return tuple(
        (name, slice(*np.searchsorted(kept, [columns.start, columns.stop]).tolist()))
        for name, columns in terms
    )


def _total_offset(frame: ModelFrame, states: dict[str, dict]) -> np.ndarray | None:
    total = frame.offset
    for side in frame.offsets:
        state = states.setdefault(f"offset {side.text}", {})
        values = vectors(frame.columns, side.text)
        value = evaluate(side.text, frame.columns.n, values, frame.context, state)
        part = numeric(f"offset({side.text})", value, frame.columns)
        total = part if total is None else total + part
    return total


# --- random part ----------------------------------------------------------------------------


def _random_part(
    frame: ModelFrame, X: np.ndarray, fixed: MatrixRecipe, linear: bool
) -> tuple[
    tuple[GroupingFactor, ...], tuple[RandomTerm, ...], tuple[Grouping, ...], tuple[Side, ...]
]:
    specs = frame.formula.random
    made: dict[str, tuple[Grouping, np.ndarray]] = {}
    for spec in specs:
        if spec.label not in made:
            variables = tuple(piece.text for piece in frame.groups[spec.label])
            made[spec.label] = grouping(spec.label, variables, frame.columns, frame.context)
            _check_groups(*made[spec.label], linear)
    matrices: dict[tuple, tuple[np.ndarray, MatrixRecipe]] = {
        term_key(frame.fixed.text): (X, fixed)
    }
    for side in frame.sides:
        if term_key(side.text) not in matrices:
            matrices[term_key(side.text)] = _matrix(frame, side)
    sizes = [len(made[spec.label][0].cells) for spec in specs]
    order = _lme4_order(sizes)
    labels = list(dict.fromkeys(specs[i].label for i in order))
    widths = dict.fromkeys(labels, 0)
    blocks: dict[str, list[np.ndarray]] = {label: [] for label in labels}
    terms, sides = [], []
    for i in order:
        spec, side = specs[i], frame.sides[i]
        Z, recipe = matrices[term_key(side.text)]
        _check_zeros(spec.text, Z, recipe.names)
        width = len(recipe.names)
        if linear:
            _check_effects(spec.text, sizes[i] * width, len(X))
        at = slice(widths[spec.label], widths[spec.label] + width)
        widths[spec.label] = at.stop
        blocks[spec.label].append(Z)
        factor = labels.index(spec.label)
        terms.append(RandomTerm(factor, at, recipe.names, spec.structure, spec.text))
        sides.append(Side(recipe, side.variables, factor, at))
    factors = tuple(
        GroupingFactor(label, made[label][0].levels, made[label][1], _side_by_side(blocks[label]))
        for label in labels
    )
    return factors, tuple(terms), tuple(made[label][0] for label in labels), tuple(sides)


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


def _side_by_side(blocks: list[np.ndarray]) -> np.ndarray:
    if len(blocks) > 1:
        return np.concatenate(blocks, axis=1)
    return blocks[0]


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


def _replay(
    frame: ModelFrame,
    fixed: MatrixRecipe,
    kept: np.ndarray,
    groupings: tuple[Grouping, ...],
    sides: tuple[Side, ...],
    states: dict[str, dict],
    linear: bool,
) -> Replay:
    return Replay(
        fixed=fixed,
        kept=kept,
        fixed_variables=frame.fixed.variables,
        sides=sides,
        groupings=groupings,
        grouping_variables=tuple(
            tuple(name for piece in frame.groups[made.label] for name in piece.variables)
            for made in groupings
        ),
        offsets=frame.offsets,
        offset_column=frame.offset_column,
        offset_given=frame.offset is not None,
        response=frame.response_parts,
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
