"""Columns of Z that are held as places, read as arrays."""

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.design import indicators
from interlace.design.build import build
from interlace.design.indicators import (
    IndexedColumns,
    beside,
    row_products,
    row_scaled,
    row_spread,
)
from interlace.errors import DataError, NumericalError


@pytest.fixture
def columns():
    """Columns 1 to 3 are the indicators, beside two others."""
    rng = np.random.default_rng(0)
    place = np.array([0, 2, 1, 1, 0, 2])
    return IndexedColumns(place, slice(1, 4), rng.normal(size=(6, 2)))


def dense(columns):
    out = np.zeros((6, 5))
    out[np.arange(6), 1 + columns.place] = 1.0
    out[:, [0, 4]] = columns.rest
    return out


@pytest.mark.parametrize(
    "key",
    [
        np.array([0, 3]),
        np.array([True, False, True, True, False, True]),
        (slice(None), 2),
        (slice(None), 4),
        (slice(None), slice(1, 4)),
        (slice(None), slice(0, 3)),
        (slice(None), np.array([0, 4])),
        (slice(None), np.array([False, True, True, True, True])),
        (np.array([1, 2]), slice(1, 5)),
    ],
)
def test_they_are_indexed_as_the_dense_matrix(columns, key):
    np.testing.assert_array_equal(np.asarray(columns[key]), dense(columns)[key])


def test_they_are_multiplied_as_the_dense_matrix(columns):
    Z = dense(columns)
    np.testing.assert_array_equal(columns * 2.0, 2.0 * Z)
    np.testing.assert_allclose(columns @ np.ones((5, 2)), Z @ np.ones((5, 2)))
    b = np.random.default_rng(1).normal(size=(2, 5))
    codes = np.array([0, 1, 1, 0, 1, 0])
    expected = np.einsum("ij,ij->i", Z, b[codes])
    np.testing.assert_allclose(row_products(columns, codes, b), expected)
    np.testing.assert_allclose(row_products(Z, codes, b), expected)


def test_a_missing_time_is_missing():
    Z = IndexedColumns(np.array([1, -1]), slice(0, 2))
    np.testing.assert_array_equal(np.asarray(Z), [[0.0, 1.0], [np.nan, np.nan]])
    np.testing.assert_array_equal(Z[:, 0], [0.0, np.nan])
    out = row_products(Z, np.array([0, 0]), np.array([[3.0, 4.0]]))
    np.testing.assert_array_equal(out, [4.0, np.nan])


def test_blocks_beside_each_other(columns):
    other = np.arange(6.0)[:, None]
    both = beside([other, columns, other])
    assert isinstance(both, IndexedColumns)
    expected = np.concatenate([other, dense(columns), other], axis=1)
    np.testing.assert_array_equal(np.asarray(both), expected)
    two = beside([columns, columns])
    np.testing.assert_array_equal(two, np.tile(dense(columns), 2))


def test_a_dense_matrix_too_large_is_refused(columns, monkeypatch):
    monkeypatch.setattr(indicators, "MOST_DENSE", 10)
    with pytest.raises(NumericalError, match="all 5 columns of the times of a series for 6 rows"):
        np.asarray(columns)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(2)
    t = np.tile(np.arange(5), 8)
    return pd.DataFrame(
        {"y": rng.normal(size=40), "g": np.repeat(list("abcdefgh"), 5), "t": t,
         "f": pd.Categorical(t), "label": np.array(list("vwxyz"))[t], "z": rng.normal(size=40)}
    )  # fmt: skip


@pytest.mark.parametrize("time", ["t", "f", "label", "factor(t)", "C(t)", "factor(label)"])
def test_linear_designs_hold_times_as_places(data, time):
    design = build(f"y ~ 1 + ar1(0 + {time} | g) + (0 + z | g)", data)
    Z = design.factors[0].Z
    assert isinstance(Z, IndexedColumns)
    series = design.terms[0].columns
    np.testing.assert_array_equal(np.asarray(Z)[:, series], np.eye(5)[data["t"]])
    np.testing.assert_array_equal(np.delete(np.asarray(Z), series, axis=1)[:, 0], data["z"])
    assert design.terms[0].names == build(f"y ~ 0 + {time} + (1 | g)", data).x_names or time == "t"
    assert len(design.terms[0].names) == 5


def test_so_do_generalised_ones(data):
    design = build("y ~ 1 + ar1(0 + f | g)", data, linear=False)
    assert isinstance(design.factors[0].Z, IndexedColumns)


def test_generalised_models_of_very_long_series_are_refused():
    data = pd.DataFrame({"g": np.repeat(np.arange(60), 1200), "t": np.tile(np.arange(1200), 60)})
    data["y"] = 1.0 * (data["t"] % 2)
    with pytest.raises(DataError, match="1200 times in 60 groups.*would take hours"):
        il.glmer("y ~ 1 + ar1(0 + t | g)", data, "binomial", nAGQ=0)


@pytest.mark.parametrize("time", ["t", "f", "label", "factor(t)", "C(t)", "factor(label)"])
def test_predictions_of_new_rows(data, time):
    formula = f"y ~ z + ar1(0 + {time} | g) + (1 | g)"
    m = il.fit(formula, data)
    assert m.fit.backend == "series"
    new = data.sample(frac=0.5, random_state=1)
    np.testing.assert_allclose(m.predict(new), m.fittedvalues[new.index], atol=1e-12)
    missing = new.head(3).astype({"t": float, "f": object, "label": object})
    missing.loc[missing.index[0], ["t", "f", "label"]] = [np.nan, None, None]
    predicted = m.predict(missing)
    assert predicted.isna().tolist() == [True, False, False]


def test_a_time_unknown_to_the_fit_is_refused(data):
    m = il.fit("y ~ z + ar1(0 + t | g)", data)
    with pytest.raises(DataError, match="no effect at the position 7"):
        m.predict(data.head(2).assign(t=[0, 7]))
    m = il.fit("y ~ z + ar1(0 + factor(t) | g)", data)
    with pytest.raises(DataError, match="level"):
        m.predict(data.head(2).assign(t=[0, 7]))
    m = il.fit("y ~ z + ar1(0 + label | g)", data)
    with pytest.raises(DataError, match="'label' of newdata has level"):
        m.predict(data.head(1).assign(label="new"))


def test_variances_of_rows(columns):
    T = np.tril(np.random.default_rng(3).normal(size=(5, 5)))
    expected = np.sum((dense(columns) @ T) ** 2, axis=1)
    np.testing.assert_allclose(row_spread(columns, T), expected)
    np.testing.assert_allclose(row_spread(dense(columns), T), expected)


def test_rows_multiplied_stay_places(data):
    Z = build("y ~ 1 + ar1(0 + t | g) + (0 + z | g)", data).factors[0].Z
    rng = np.random.default_rng(2)
    sizes, T = rng.normal(size=(2, len(data))), rng.normal(size=(6, 6))
    of = np.array([1, 1, 1, 1, 1, 0])
    codes, b = rng.integers(0, 3, len(data)), rng.normal(size=(3, 6))
    products = [(row_scaled(Z, sizes, of), row_scaled(np.asarray(Z), sizes, of))]
    for by in (rng.normal(size=6), rng.normal(size=Z.shape), rng.random(6) < 0.5):
        products += [(Z * by, np.asarray(Z) * by), (by * Z, np.asarray(Z) * by)]
    for own, dense in products:
        assert isinstance(own, IndexedColumns)
        np.testing.assert_array_equal(np.asarray(own), dense)
        np.testing.assert_allclose(row_products(own, codes, b), (dense * b[codes]).sum(axis=1))
        np.testing.assert_allclose(row_spread(own, T), ((dense @ T) ** 2).sum(axis=1))
        np.testing.assert_array_equal(np.asarray(own[:5, :5]), dense[:5, :5])
        np.testing.assert_array_equal(own[3:9, 2], dense[3:9, 2])
