"""The response: numbers of the left side, and trials."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, listing
from ..formula.spelling import unquoted
from ..frames.checks import row_labels
from ..frames.columns import Columns, Labels, as_float
from .expressions import Resolved

# Criteria have fourth powers of residuals, times rows and weights: within 1e308 either way.
LARGEST = 1e60


class Response(NamedTuple):
    """`ResponseSpec` with the names in its parts settled; of ordered categories their levels."""

    kind: str
    text: str
    parts: tuple[Resolved, ...]
    levels: np.ndarray | None = None

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of the data in it."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.variables))


def response_values(
    spec: Response, columns: Columns, linear: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Values of the left side, (n,), and trials (n,) or None: ``cbind`` and ``k / n`` have them.

    A linear response is numeric and varies. Others may also be ``cbind()`` or factors of two
    levels, the second of which counts as success.
    """
    if spec.kind == "cbind" and linear:
        raise DataError(
            f"{spec.text} counts successes and failures, which a linear mixed model cannot use; "
            "give a response of one number per row, or fit glmer(..., family='binomial')"
        )
    parts = [_numbers(part, columns, linear) for part in spec.parts]
    trials = None
    if spec.kind == "column":
        y = parts[0]
    else:
        trials = parts[0] + parts[1] if spec.kind == "cbind" else parts[1]
        # Of a ratio it is the family that says whether its denominator counts trials.
        bad = trials <= 0 if spec.kind == "cbind" else trials == 0
        if bad.any():
            raise DataError(
                f"the number of trials in {spec.text} is not positive in row(s) "
                f"{row_labels(columns.index, bad)}; drop these rows with subset="
            )
        y = parts[0] / trials
    if linear and len(y):
        low, high = float(np.minimum.reduce(y)), float(np.maximum.reduce(y))
        if low == high:
            raise DataError(
                f"the response {spec.text!r} is constant ({low:g}) in the {len(y)} row(s) used; "
                "there is nothing to model"
            )
        check_largest(max(-low, high), f"the response {spec.text!r}")
    return y, trials


def check_size(values: np.ndarray, what: str, error: type[Exception] = DataError) -> None:
    """Refuse numbers of a linear model whose fourth powers are none, by the error given."""
    check_largest(float(np.abs(values).max(initial=0.0)), what, error)


def check_largest(largest: float, what: str, error: type[Exception] = DataError) -> None:
    """`check_size` of numbers of which the largest, whatever its sign, is known."""
    if largest > LARGEST or 0.0 < largest < 1.0 / LARGEST:
        raise error(
            f"{what} has values up to {largest:.3g}, which leave the range of numbers when they "
            f"are squared and multiplied; divide by {10.0 ** np.floor(np.log10(largest)):.0e}"
        )


def not_finite(text: str) -> str:
    """What is said of an expression that an engine computed and that is not finite."""
    return (
        f"{text!r} is not finite in some rows; the logarithm or root of values that are not "
        "positive, or an infinite value? Leave these rows out with subset="
    )


def _numbers(part: Resolved, columns: Columns, linear: bool) -> np.ndarray:
    expression = part.text
    column = columns.values.get(unquoted(expression))
    if isinstance(column, Labels):
        if not linear and len(column.levels) == 2:
            return (column.codes == 1).astype(np.float64)
        shown = listing(map(repr, column.levels.tolist()), 5)
        remedy = (
            f"a factor as response has two levels (the second counts as success): compare it, "
            f"{expression} == {column.levels.tolist()[-1]!r}, or leave the others out with subset="
        )
        if linear:
            remedy = (
                "fit glmer(..., family='binomial') to its two levels"
                if len(column.levels) == 2
                else "clmm() and clm() are for ordered categories"
            )
            remedy += "; numbers as text are converted, e.g. with pandas.to_numeric"
        raise DataError(
            f"the response {expression!r} is not numeric but has the values {shown}; {remedy}"
        )
    if column is not None:
        return as_float(column)
    # new data have no response to be computed: it may look at all rows, as rank(y) does
    return numeric(expression, part.value(columns, strict=False), columns)


def numeric(expression: str, value: Any, columns: Columns) -> np.ndarray:
    """The value of an expression as float64 numbers, one per row and finite."""
    array = np.asarray(value)
    if array.ndim == 0 and array.dtype.kind in "biuf":
        array = np.full(columns.n, array)
    if array.shape != (columns.n,) or array.dtype.kind not in "biuf":
        what = f"shape {array.shape}" if array.dtype.kind in "biuf" else "no numbers"
        raise DataError(f"{expression!r} gives {what}; one number per row is needed")
    array = as_float(array)
    bad = ~np.isfinite(array)
    if bad.any():
        raise DataError(
            f"{expression!r} is not finite in {bad.sum()} row(s): "
            f"{row_labels(columns.index, bad)}; the logarithm or root of values that are not "
            "positive, or a number too large? Change the expression or drop the rows"
        )
    return array
