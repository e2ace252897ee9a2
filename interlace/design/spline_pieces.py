"""Splines for an engine: their knots, and their columns as polynomials between the knots."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from ..errors import DataWarning, warn
from .functions import CONTEXT
from .questions import Learning, Variable

__all__ = ["bounds", "pieces_of", "spline"]


def spline(name: str) -> Callable[..., Learning]:
    """What a spline keeps: that of its function on the extremes, and quantiles for its knots."""

    def learning(x: Variable, *rest: Any, **named: Any) -> Learning:
        answers = yield x.asked("min", "max")
        ends = np.array([answers[x.text]["min"], answers[x.text]["max"]])
        state = _state_of(name, ends, rest, named)
        low, high = bounds(state)
        given = _given(name, rest, named)
        if len(_inner(state, given)) and given.get("knots") is None:
            state = yield from _at_quantiles(name, x, state, given)
        if _outside(ends, low, high) and state.get("extrapolation", "extend") == "extend":
            _warn_of_rows_outside(name, named, low, high)
        if isinstance(given.get("constraints"), str):
            yield from _centred(name, x, rest, named, state)
        return state

    return learning


def _state_of(name: str, ends: np.ndarray, rest: Sequence[Any], named: Mapping) -> dict[str, Any]:
    """The state that the function itself makes of rows with these ends; its knots are no matter."""
    given = _given(name, rest, named)
    between = given.get("Boundary_knots")
    if between is None:
        between = [given.get("lower_bound"), given.get("upper_bound")]
        between = [end if own is None else own for own, end in zip(between, ends)]
    # bounds may lie within the data: rows there stand for those that they take in
    inside = np.clip([min(between), max(between)], *ends)
    state: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        CONTEXT[name](np.unique([*ends, *inside]), *rest, **named, _state=state)
    return state


def _given(name: str, rest: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a spline by name, with the degree of its polynomials."""
    places = ("df", "knots", "degree") if name == "bs" else ("df", "knots")
    return {"degree": 3, **dict(zip(places, rest)), **named}


def bounds(state: Mapping[str, Any]) -> tuple[float, float]:
    """Boundary knots."""
    if "boundary" in state:
        return state["boundary"]
    return float(state["lower_bound"]), float(state["upper_bound"])


def _inner(state: Mapping[str, Any], given: Mapping[str, Any]) -> np.ndarray:
    """Knots beside the bounds."""
    knots = np.asarray(state["knots"], dtype=float)
    if "boundary" in state:
        return knots
    outer = 1 if "cyclic" in state else given["degree"] + 1
    return knots[outer : len(knots) - outer]


def _at_quantiles(name: str, x: Variable, state: dict, given: Mapping[str, Any]) -> Learning:
    """The state with inner knots at quantiles of the values within the bounds."""
    import narwhals.stable.v2 as nw

    low, high = bounds(state)
    value, text = x.value, x.text
    if name != "bs" or given.get("extrapolation", "extend") not in ("extend", "raise"):
        value = nw.when(value >= low, value <= high).then(value)
        text = f"{text} from {low!r} to {high!r}"
    count = len(_inner(state, given))
    way = "distinct" if name in ("cr", "cs", "cc") else "quantile"
    ways = [(way, float(p)) for p in np.linspace(0.0, 1.0, count + 2)[1:-1]]
    answers = yield {text: (value, tuple(ways))}
    inner = [answers[text][own] for own in ways]
    if name == "ns":
        return {**state, "knots": np.sort(np.array(inner))}
    outer = (len(state["knots"]) - count) // 2
    return {**state, "knots": [low] * outer + inner + [high] * outer}


def _outside(ends: np.ndarray, low: float, high: float) -> bool:
    return bool(ends[0] < low or ends[1] > high)


def _warn_of_rows_outside(name: str, named: Mapping[str, Any], low: float, high: float) -> None:
    if name == "bs" and named.get("extrapolation", "extend") == "extend":
        warn(
            f"bs(): values lie beyond the boundary knots {low:g} and {high:g}; the polynomials at "
            "the ends go on there and soon say little. ns() goes on in straight lines",
            DataWarning,
        )


def _centred(name: str, x: Variable, rest: Sequence[Any], named: Mapping, state: dict) -> Learning:
    """Constraints that centre the columns: their means, kept in the state."""
    free = {**state, "constraints": None}
    columns = pieces_of(name, x.value, rest, {**named, "constraints": None}, free)
    # two splines of one variable are asked about in one round: all arguments are in their texts
    own = ", ".join(
        [x.text, *map(repr, rest), *(f"{key}={value!r}" for key, value in named.items())]
    )
    texts = [f"{name}({own}), column {i} without constraints" for i in range(len(columns))]
    answers = yield {text: (column, ("mean",)) for text, column in zip(texts, columns)}
    state["constraints"] = np.array([[answers[text]["mean"] for text in texts]])


def pieces_of(
    name: str, x: Any, rest: Sequence[Any], named: Mapping[str, Any], state: Mapping[str, Any]
) -> list[Any]:
    """Columns of a spline as expressions: a polynomial in each interval between knots.

    Its coefficients are those that meet the function itself at as many places.
    """
    low, high = bounds(state)
    given = _given(name, rest, named)
    degree, breaks = given["degree"], np.unique([low, *_inner(state, given), high])
    if name == "cc":
        x = _wrapped(x, low, high)
    width = high - low
    edges = np.array([breaks[0] - width, *breaks, breaks[-1] + width])
    # within (-1, 1): an interval's own ends belong to its neighbours
    at = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    inverse = np.linalg.inv(np.vander(at, increasing=True))
    pieces = []
    for a, b in zip(edges, edges[1:]):
        values = _values(name, (a + b) / 2 + at * (b - a) / 2, rest, named, state)
        pieces.append((float(a + b) / 2, 2.0 / float(b - a), values))
    counts = [len(values[0]) for *_, values in pieces if values is not None]
    return [
        _piecewise(
            x,
            breaks,
            [
                None if values is None else (middle, scale, inverse @ values[:, c])
                for middle, scale, values in pieces
            ],
        )
        for c in range(counts[0])
    ]


def _wrapped(x: Any, low: float, high: float) -> Any:
    """Values of a period within its ends."""
    import narwhals.stable.v2 as nw

    turns = ((x - low) * (1.0 / (high - low))).floor()
    return (
        nw.when(x < low)
        .then(x - turns * (high - low))
        .otherwise(nw.when(x > high).then(x - turns * (high - low)).otherwise(x))
    )


def _values(
    name: str, at: np.ndarray, rest: Sequence[Any], named: Mapping, state: Mapping[str, Any]
) -> np.ndarray | None:
    """Values of the function itself, (places, columns); None where it gives none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = CONTEXT[name](at, *rest, **named, _state=deepcopy(dict(state)))
        except ValueError:  # beyond the bounds, where it is told to raise
            return None
    out = _matrix(made)
    return None if np.isnan(out).any() else out


def _matrix(value: Any) -> np.ndarray:
    """Columns of a basis, (n, k), of what its function gives."""
    plain = getattr(value, "__wrapped__", value)
    if isinstance(plain, Mapping):
        plain = np.stack([np.asarray(column, dtype=float) for column in plain.values()], axis=1)
    return np.asarray(plain, dtype=float)


def _piecewise(x: Any, breaks: np.ndarray, pieces: Sequence[Any]) -> Any:
    """Polynomials between breaks, the last one and the first without end."""
    import narwhals.stable.v2 as nw

    made = [_polynomial(x, piece) for piece in pieces]
    out = made[-1]
    ends = [*breaks.tolist()]
    # the last interval has its upper end
    out = nw.when(x <= ends[-1]).then(made[-2]).otherwise(out)
    for end, piece in zip(reversed(ends[:-1]), reversed(made[:-2]), strict=True):
        out = nw.when(x < end).then(piece).otherwise(out)
    return out


def _polynomial(x: Any, piece: Any) -> Any:
    import narwhals.stable.v2 as nw

    if piece is None:
        return nw.lit(None, nw.Float64())
    middle, scale, coefficients = piece
    if not coefficients[1:].any():
        return x * 0.0 + float(coefficients[0])  # of a missing value nothing is known
    at = (x - middle) * scale
    out = float(coefficients[-1])
    for coefficient in coefficients[-2::-1].tolist():
        out = at * out + coefficient
    return out
