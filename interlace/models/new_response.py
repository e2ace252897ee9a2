"""Another response for the rows of a fit: matched by label where it has labels."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..design.response import LARGEST, check_size
from ..design.vectors import other_labels
from ..errors import ArgumentError, ArgumentTypeError, brief, listing
from ..frames.read import frame_of

if TYPE_CHECKING:
    from ..design.design import Design
    from .kinds import AnyFit


def checked_response(fit: AnyFit, new_y: Any) -> np.ndarray:
    """Another response for the rows of the fit, as new numbers (n,).

    Two columns are successes and failures. What has row labels must have those of the fit, in their
    order, or 0, 1, …, n - 1; under ``na_action="exclude"`` it may have all rows of the data.
    """
    binomial = fit.family.support == "proportion"
    values = _values(fit.design, new_y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and not (binomial and values.shape[1] == 2):
        one = "; refit one column after the other, as in frame.apply(m.refit)"
        raise ArgumentError(
            f"new_y has shape {values.shape}; the fit has {fit.n} rows and needs one value each"
            f"{one if values.shape[1] > 1 else ''}"
        )
    values = _rows_used(fit.design, values)
    if binomial or fit.ordered:
        values = _successes(fit, values)
    y = _as_numbers(values, binomial)
    if y.ndim == 2:
        y = _share(fit, y)
    least, most = float(y.min()), float(y.max())
    if not (isfinite(least) and isfinite(most)):
        raise ArgumentError("new_y has values that are missing or not finite")
    if binomial and (least < 0.0 or most > 1.0):
        outside = y[(y < 0.0) | (y > 1.0)]
        raise ArgumentError(
            "new_y must hold proportions of successes, between 0 and 1 (counts divided by the "
            "trials), as simulate() gives them, or two columns of successes and failures; got "
            f"{listing(f'{v:g}' for v in outside[:3])}"
        )
    if fit.linear:  # families have checks of their own, `observe`
        if least == most:
            raise ArgumentError(f"new_y is constant ({y[0]:g}); there is nothing to model")
        check_size(y, "new_y", ArgumentError)
    return y


def checked_responses(
    fit: AnyFit, new_y: Any
) -> tuple[pd.Index | None, np.ndarray, list[ArgumentError | None]]:
    """Many responses, (m, n), their labels if they have any, and what is wrong with each of them.

    ``new_y`` has them in its columns; of an array (n, 2, m) successes and failures.
    """
    labels, columns = _responses(fit, new_y)
    if isinstance(columns, np.ndarray):
        Y = np.ascontiguousarray(columns.T, dtype=float)
        errors: list[ArgumentError | None] = [None] * len(Y)
        for i in np.flatnonzero(_suspect(fit, Y)).tolist():
            errors[i] = _error(fit, Y[i])[1]
        return labels, Y, errors
    checked = [_error(fit, column) for column in columns]
    nothing = np.full(fit.n, np.nan)
    Y = np.array([nothing if y is None else y for y, _ in checked])
    return labels, Y, [error for _, error in checked]


def _responses(fit: AnyFit, new_y: Any) -> tuple[pd.Index | None, np.ndarray | list[Any]]:
    """Columns of numbers as one array (n, m), others one by one; and their labels."""
    if isinstance(new_y, pd.Series):
        new_y = new_y.to_frame()
    frame = frame_of(new_y)
    labels = None
    if frame is not None:
        _check_labels(fit.design, frame.index, "data frame")
        labels = frame.columns
        _check_rows(fit, frame.shape)
        if not all(_is_numeric(dtype) for dtype in frame.dtypes):
            return labels, [frame.iloc[:, j] for j in range(frame.shape[1])]
        values = frame.to_numpy(dtype=float, na_value=np.nan)
    else:
        values = _array(fit, new_y)
        _check_rows(fit, values.shape)
    if values.ndim == 3:
        return None, [values[:, :, j] for j in range(values.shape[2])]
    spec = fit.design.formula.response
    coded = spec is None or (spec.kind == "column" and fit.design.response_levels is not None)
    if fit.ordered or coded or values.dtype.kind not in "biuf":
        return labels, [values[:, j] for j in range(values.shape[1])]
    return labels, _rows_used(fit.design, values)


def _is_numeric(dtype: Any) -> bool:
    return not isinstance(dtype, pd.CategoricalDtype) and dtype.kind in "biuf"


def _array(fit: AnyFit, new_y: Any) -> np.ndarray:
    """An array of two dimensions, or of three with successes and failures."""
    try:
        values = np.asarray(new_y)
    except (TypeError, ValueError):
        values = np.empty(())
    if values.ndim == 1 and len(values):
        values = values[:, None]
    pairs = values.ndim == 3 and values.shape[1] == 2 and fit.family.support == "proportion"
    if values.ndim != 2 and not pairs:
        raise ArgumentTypeError(
            f"new_y must have one column for each response and the {fit.n} rows of the fit, got "
            f"{brief(new_y)}"
        )
    return values


def _check_rows(fit: AnyFit, shape: tuple[int, ...]) -> None:
    full = fit.design.full_index
    known = (fit.n,) if full is None else (fit.n, len(full))
    if shape[0] not in known and shape[1] in known:
        raise ArgumentError(
            f"new_y has shape {shape}, and responses are its columns, of {fit.n} rows: give new_y.T"
        )
    if shape[0] not in known:
        _rows_used(fit.design, np.empty(shape))
    if not shape[-1]:
        raise ArgumentError(f"new_y has shape {shape}: there is no response in it")


def _suspect(fit: AnyFit, Y: np.ndarray) -> np.ndarray:
    """Responses (m, n) that `checked_response` may refuse, (m,)."""
    if not Y.shape[1]:
        return np.ones(len(Y), dtype=bool)
    least, most = Y.min(axis=1), Y.max(axis=1)
    bad = ~(np.isfinite(least) & np.isfinite(most))
    if fit.family.support == "proportion":
        return bad | (least < 0.0) | (most > 1.0)
    if fit.linear:
        with np.errstate(invalid="ignore"):
            size = np.maximum(np.abs(least), np.abs(most))
            bad |= (least == most) | (size > LARGEST) | (size < 1.0 / LARGEST)
    return bad


def _error(fit: AnyFit, y: Any) -> tuple[np.ndarray | None, ArgumentError | None]:
    """A checked response, or what is wrong with it."""
    try:
        return checked_response(fit, y), None
    except ArgumentError as error:
        return None, error


def _values(design: Design, new_y: Any) -> np.ndarray:
    """The values as an array of one or two dimensions, their labels checked."""
    frame = frame_of(new_y)
    if frame is not None and frame.shape[1]:
        _check_labels(design, frame.index, "data frame")
        # A column at a time: pandas' missing values become NaN.
        return np.column_stack([_of_series(frame.iloc[:, j]) for j in range(frame.shape[1])])
    if isinstance(new_y, pd.Series):
        _check_labels(design, new_y.index, "Series")
        return _of_series(new_y)
    try:
        values = np.asarray(new_y)
    except (TypeError, ValueError):
        values = np.empty(())
    if values.ndim not in (1, 2):
        raise ArgumentTypeError(
            f"new_y must hold one value for each of the {design.y.size} rows of the fit, got "
            f"{brief(new_y)}"
        )
    return values


def _of_series(series: pd.Series) -> np.ndarray:
    if isinstance(series.dtype, pd.CategoricalDtype) or series.dtype.kind not in "biuf":
        return series.to_numpy(dtype=object, na_value=np.nan)
    return series.to_numpy(dtype=float, na_value=np.nan)


def _check_labels(design: Design, index: pd.Index, kind: str) -> None:
    """Refuse labels of other rows, or of the same ones in another order."""
    every = design.index if design.full_index is None else design.full_index
    known = every if len(index) == len(every) else design.index
    differ = other_labels(index, known) if len(index) == len(known) else ""
    if not differ:
        return
    if differ == "order":
        difference = "in another order; new_y.loc[m.resid.index] puts them in that of the fit"
    else:
        difference = "others than those of the fit; give it these, those of m.resid.index"
    raise ArgumentError(
        f"new_y is a {kind} whose row labels are {difference}, and new_y.to_numpy() takes "
        "the values as they stand, row by row"
    )


def _rows_used(design: Design, values: np.ndarray) -> np.ndarray:
    """The rows of the fit, out of all rows of its data where these are known."""
    n = design.y.size
    if len(values) == n:
        return values
    if design.full_index is not None and design.kept is not None:
        if len(values) == len(design.full_index):
            return values[design.kept]
    remedy = ""
    if design.rows is not None and len(values) > n:
        remedy = (
            ". Is it a response for all rows of the data? The fit leaves out some of them: "
            "new_y.loc[m.resid.index] has those it uses, or fit with na_action='exclude'"
        )
    raise ArgumentError(
        f"new_y has shape {values.shape}; the fit has {n} rows and needs one value each{remedy}"
    )


def _as_numbers(values: np.ndarray, binomial: bool) -> np.ndarray:
    kind = values.dtype.kind
    try:
        if kind in "biufO" and not (kind == "O" and any(isinstance(v, str) for v in values.flat)):
            return np.array(values, dtype=float)
    except (TypeError, ValueError):
        pass
    what = " or the two levels of the fit's factor" if binomial else ""
    first = brief(values.ravel()[0]) if values.size else "nothing"
    raise ArgumentTypeError(
        f"new_y must hold numbers{what}, one for each row of the fit; got {first}"
    )


def _successes(fit: AnyFit, values: np.ndarray) -> np.ndarray:
    """Labels of a factor as 0 and 1, by the levels that the response of the fit had."""
    spec, levels = fit.design.formula.response, fit.design.response_levels
    if values.ndim != 1 or spec is None or spec.kind != "column" or levels is None:
        return values
    codes = pd.Index(levels).get_indexer(pd.Index(values.astype(object)))
    if fit.ordered and (codes < 0).any():
        codes = pd.Index([str(level) for level in levels]).get_indexer(
            pd.Index([str(value) for value in values])
        )
    if not (codes < 0).any():
        return codes.astype(float)
    if fit.ordered or any(isinstance(v, str) for v in values.astype(object)):
        raise ArgumentError(
            "new_y has labels that are not the levels of the fit's response: "
            f"{listing(map(repr, levels))}"
        )
    return values


def _share(fit: AnyFit, counts: np.ndarray) -> np.ndarray:
    """Proportions of successes from the counts of both kinds."""
    trials = fit.observations.trials
    if not (np.isfinite(counts).all() and np.array_equal(counts.sum(axis=1), trials)):
        raise ArgumentError(
            "the two columns of new_y, successes and failures, must add up to the trials of the "
            "fit in each row; update() fits the model to other trials"
        )
    return counts[:, 0] / trials
