"""Bases of splines and polynomials, whose knots and coefficients are kept for new data."""

from __future__ import annotations

from typing import Any

import numpy as np
from formulaic.materializers.types import FactorValues
from formulaic.transforms import basis_spline, cyclic_cubic_spline, natural_cubic_spline
from formulaic.transforms.poly import poly as orthogonal
from formulaic.utils.stateful_transforms import stateful_transform

from ..errors import ArgumentError, DataError, DataWarning, warn


@stateful_transform
def poly(x: Any, degree: int = 1, raw: bool = False, _state: dict = {}) -> FactorValues:  # noqa: B006
    """R's ``poly``: orthogonal polynomials, or plain powers; columns numbered from 1."""
    check_degree(degree)
    if raw:
        x = np.asarray(x, dtype=np.float64)
        values: Any = np.stack([x**k for k in range(1, degree + 1)], axis=1)
    else:
        values = orthogonal(x, degree, _state=_state)
        values = values.__wrapped__ if isinstance(values, FactorValues) else values
    return FactorValues(values, column_names=tuple(str(k) for k in range(1, degree + 1)))


def check_degree(degree: Any) -> None:
    """Refuse what is no degree of a polynomial."""
    if not (isinstance(degree, int | np.integer) and degree >= 1):
        raise ArgumentError(f"poly(): degree must be a whole number from 1, got {degree!r}")


@stateful_transform
def bs(
    x: Any,
    df: int | None = None,
    knots: Any = None,
    degree: int = 3,
    intercept: bool = False,
    Boundary_knots: Any = None,  # noqa: N803
    *,
    include_intercept: bool = False,
    lower_bound: float | None = None,
    upper_bound: float | None = None,
    extrapolation: str = "extend",
    _state: dict = {},  # noqa: B006
) -> FactorValues:
    """B-spline, the basis of R's ``splines::bs``: beyond the boundary knots its pieces go on."""
    x = np.asarray(x, dtype=np.float64)
    if Boundary_knots is not None:
        lower_bound, upper_bound = float(min(Boundary_knots)), float(max(Boundary_knots))
    values = basis_spline(
        x,
        df=df,
        knots=None if knots is None else np.atleast_1d(knots),
        degree=degree,
        include_intercept=intercept or include_intercept,
        lower_bound=lower_bound,
        upper_bound=upper_bound,
        extrapolation=extrapolation,
        _state=_state,
    )
    low, high = float(_state["lower_bound"]), float(_state["upper_bound"])
    outside = int(((x < low) | (x > high)).sum())
    if outside and extrapolation == "extend":
        warn(
            f"bs(): {outside} value(s) lie beyond the boundary knots {low:g} and {high:g}; the "
            "polynomials at the ends go on there and soon say little. ns() goes on in straight "
            "lines",
            DataWarning,
        )
    return values


@stateful_transform
def cr(x: Any, *args: Any, constraints: Any = None, _state: dict = {}, **named: Any) -> Any:  # noqa: B006
    """Natural cubic regression spline of mgcv's kind."""
    return _spanning(natural_cubic_spline, x, args, constraints, _state, named)


@stateful_transform
def cc(x: Any, *args: Any, constraints: Any = None, _state: dict = {}, **named: Any) -> Any:  # noqa: B006
    """Cyclic cubic regression spline of mgcv's kind."""
    return _spanning(cyclic_cubic_spline, x, args, constraints, _state, named)


def _spanning(
    transform: Any, x: Any, args: tuple, constraints: Any, state: dict, named: dict
) -> FactorValues:
    """Without constraints the columns add up to 1: the first goes where there is an intercept."""
    spanning = transform(x, *args, constraints=constraints, _state=state, **named)
    return FactorValues(
        spanning.__wrapped__,
        kind="numerical",
        spans_intercept=constraints is None,
        drop_field=1,
        format="{name}[{field}]",
    )


@stateful_transform
def ns(
    x: Any,
    df: int | None = None,
    knots: Any = None,
    intercept: bool = False,
    Boundary_knots: Any = None,  # noqa: N803
    _state: dict = {},  # noqa: B006
) -> FactorValues:
    """Natural cubic spline, the basis of R's ``splines::ns``.

    The cubic B-spline basis on the knots is projected on the null space of its second derivatives
    at the boundary knots; beyond these it continues in a straight line.
    """
    x = np.asarray(x, dtype=np.float64)
    if not _state:
        _state["boundary"], _state["knots"] = _ns_knots(x, df, knots, intercept, Boundary_knots)
    columns = _ns_basis(x, _state["boundary"], _state["knots"], 0 if intercept else 1)
    return FactorValues(
        {i + 1: columns[:, i] for i in range(columns.shape[1])},
        kind="numerical",
        spans_intercept=False,
        format="{name}[{field}]",
    )


def _ns_knots(
    x: np.ndarray, df: int | None, knots: Any, intercept: bool, boundary: Any
) -> tuple[tuple[float, float], np.ndarray]:
    """Boundary knots and inner knots, by default at quantiles of the values within."""
    present = x[~np.isnan(x)]
    if boundary is None:
        low, high = float(present.min()), float(present.max())
    else:
        low, high = float(min(boundary)), float(max(boundary))
    if knots is None:
        inner = 0 if df is None else int(df) - 1 - int(intercept)
        if inner < 0:
            raise ArgumentError(f"ns(): df must be at least {1 + int(intercept)}, got {df}")
        within = present[(present >= low) & (present <= high)]
        knots = np.quantile(within, np.linspace(0, 1, inner + 2)[1:-1])
    knots = np.atleast_1d(np.asarray(knots, dtype=np.float64))
    if low >= high:
        raise DataError("ns(): the values are all equal")
    return (low, high), np.sort(knots)


def _ns_basis(
    x: np.ndarray, boundary: tuple[float, float], knots: np.ndarray, first: int
) -> np.ndarray:
    """Values of the basis, (n, k), from the B-splines after the `first` ones."""
    low, high = boundary
    t = np.concatenate([[low] * 4, knots, [high] * 4])
    curvature = _bspline(t, np.array([low, high]), 2)[:, first:]
    complement = np.linalg.qr(curvature.T, mode="complete")[0][:, 2:]
    basis = np.empty((len(x), len(t) - 4))
    inside = (x >= low) & (x <= high)
    basis[inside] = _bspline(t, x[inside], 0)
    for outside, pivot in ((x < low, low), (x > high, high)):
        if outside.any():
            end = np.array([pivot])
            line = (x[outside] - pivot)[:, None] * _bspline(t, end, 1)
            basis[outside] = _bspline(t, end, 0) + line
    basis[np.isnan(x)] = np.nan
    return basis[:, first:] @ complement


def _bspline(t: np.ndarray, x: np.ndarray, derivative: int) -> np.ndarray:
    from scipy.interpolate import BSpline

    return BSpline(t, np.eye(len(t) - 4), 3)(x, nu=derivative)
