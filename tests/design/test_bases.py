"""Bases of splines and polynomials: their columns, and what they give beyond the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from interlace.design.build import build
from interlace.errors import ArgumentError, DataWarning


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return pd.DataFrame(
        {"x": np.arange(40) / 4, "y": np.sin(np.arange(40)), "g": list("abcd") * 10}
    )


def made(term, data):
    return build(f"y ~ {term} + (1 | g)", data)


@pytest.mark.parametrize(
    "term", ["bs(x, 5)", "bs(x, degree=2, knots=[3])", "bs(x, Boundary_knots=c(0, 9.75))"]
)
def test_b_splines_go_on_beyond_their_boundary_knots_with_a_warning(term, data):
    design = made(term, data)
    with pytest.warns(DataWarning, match="2 value.s. lie beyond the boundary knots 0 and 9.75"):
        rows = design.on({"x": [-0.5, 5.0, 10.0]}, factors=()).X
    # a polynomial on each piece: the values on the last piece determine those behind it
    inside = np.array([8.0, 8.5, 9.0, 9.5])
    degree = 2 if "degree" in term else 3
    values = design.on({"x": inside}, factors=()).X
    for j in range(rows.shape[1]):
        line = np.polynomial.Polynomial.fit(inside, values[:, j], degree)
        assert line(10.0) == pytest.approx(rows[2, j], abs=1e-9)


def test_b_splines_are_silent_within(data):
    design = made("bs(x, 5)", data)
    assert np.array_equal(design.on({"x": [0.0, 9.75]}, factors=()).X, design.X[[0, -1]])


@pytest.mark.parametrize(
    "term", ["cr(x, df=4)", "cs(x, df=4)", "cc(x, df=4)", "bs(x, 5, intercept=TRUE)"]
)
def test_a_basis_that_adds_up_to_one_makes_room_for_the_intercept(term, data):
    with_intercept, without = made(term, data), made(f"0 + {term}", data)
    assert not with_intercept.dropped_columns
    assert with_intercept.X.shape == without.X.shape
    assert np.allclose(without.X.sum(axis=1), 1.0)
    both = np.linalg.matrix_rank(np.hstack([with_intercept.X, without.X]))
    assert both == without.X.shape[1]


def test_two_such_bases(data):
    design = made("cr(x, df=4) + cr(z, df=5)", data.assign(z=np.cos(np.arange(40))))
    assert design.X.shape[1] == 1 + 3 + 4 and not design.dropped_columns


def test_polynomials_are_numbered_from_one(data):
    for term in ("poly(x, 2)", "poly(x, 2, raw=TRUE)"):
        assert [name[-3:] for name in made(term, data).x_names[1:]] == ["[1]", "[2]"]
    assert np.array_equal(made("poly(x, 2, raw=TRUE)", data).X[:, 2], data.x**2)
    with pytest.raises(ArgumentError, match="whole number from 1"):
        made("poly(x, 0)", data)
