"""A matrix of many rows is one array at a time, whatever order it is asked for in."""

import gc
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from weakref import ref

import numpy as np
import pytest

from interlace.design.build import build
from interlace.design.held import FEW, HeldColumns
from interlace.linalg import row_threads


@pytest.fixture
def values():
    return np.random.default_rng(1).standard_normal((FEW // 2, 2))


@pytest.fixture
def order(values):
    return np.random.default_rng(2).permutation(len(values)).astype(np.int32)


def test_sorted_rows_are_what_is_held(values, order):
    held = HeldColumns(values.copy())
    own = ref(held.rows)
    assert held.rows is held.rows
    in_order = held.in_order(order)
    np.testing.assert_array_equal(in_order, values[order])
    gc.collect()
    assert own() is None
    assert held.in_order(order.copy()) is in_order
    assert held.shape == values.shape


def test_rows_in_their_own_order_last_as_long_as_they_are_needed(values, order):
    held = HeldColumns(values)
    held.in_order(order)
    rows = held.rows
    np.testing.assert_array_equal(rows, values)
    assert rows is held.rows
    with pytest.raises(ValueError, match="read-only"):
        rows[0, 0] = 1.0
    made = ref(rows)
    del rows
    gc.collect()
    assert made() is None
    np.testing.assert_array_equal(held.rows, values)


def test_another_order_takes_its_place(values, order):
    held, other = HeldColumns(values), order[::-1].copy()
    held.in_order(order)
    np.testing.assert_array_equal(held.in_order(other), values[other])
    np.testing.assert_array_equal(held.in_order(order), values[order])
    np.testing.assert_array_equal(held.rows, values)


def test_few_rows_stay_as_they_are():
    values = np.arange(6.0).reshape(3, 2)
    held = HeldColumns(values)
    np.testing.assert_array_equal(held.in_order(np.array([2, 0, 1])), values[[2, 0, 1]])
    assert held.rows is values


@pytest.fixture
def wide(monkeypatch):
    """Matrices from two columns on are put in order where they are."""
    monkeypatch.setattr(row_threads, "WIDE", 2)
    monkeypatch.setattr(row_threads, "MANY", FEW)


def test_an_array_that_nobody_else_has_is_put_in_order_where_it_is(values, order, wide):
    held = HeldColumns(values.copy())
    place = held.rows.ctypes.data
    in_order = held.in_order(order, row_threads.gathered_rows)
    assert in_order.ctypes.data == place
    np.testing.assert_array_equal(in_order, values[order])
    np.testing.assert_array_equal(held.rows, values)
    # another order is made of the rows, which somebody may have
    other = order[::-1].copy()
    again = held.in_order(other, row_threads.gathered_rows)
    np.testing.assert_array_equal(again, values[other])
    np.testing.assert_array_equal(in_order, values[order])


@pytest.mark.parametrize("look", [lambda X: X, lambda X: X[:, 1], memoryview, lambda X: X.T])
def test_what_somebody_else_has_is_not_touched(values, order, wide, look):
    held = HeldColumns(values.copy())
    seen = look(held.rows)
    before = np.array(seen)
    np.testing.assert_array_equal(held.in_order(order, row_threads.gathered_rows), values[order])
    np.testing.assert_array_equal(np.asarray(seen), before)


def test_views_and_read_only_arrays(values, order, wide):
    twice = np.concatenate([values, values])
    held = HeldColumns(twice[: len(values)])
    held.in_order(order, row_threads.gathered_rows)
    np.testing.assert_array_equal(twice[: len(values)], values)
    own = values.copy()
    own.flags.writeable = False
    held = HeldColumns(own)
    del own
    in_order = held.in_order(order, row_threads.gathered_rows)
    assert not in_order.flags.writeable
    np.testing.assert_array_equal(in_order, values[order])


def test_threads_with_a_matrix_that_is_put_in_order_where_it_is(values, order, wide):
    orders = [order, order[::-1].copy(), None]

    def look(held: HeldColumns, i: int) -> bool:
        own = orders[i % 3]
        if own is None:
            return np.array_equal(held.rows, values)
        return np.array_equal(held.in_order(own, row_threads.gathered_rows), values[own])

    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            held = HeldColumns(values.copy())
            assert all(pool.map(look, [held] * 12, range(12)))


def test_pickles(values, order):
    held = HeldColumns(values)
    held.in_order(order)
    rows = held.rows  # made, and no part of the pickle
    again = pickle.dumps(held)
    assert len(again) < 1.5 * values.nbytes
    np.testing.assert_array_equal(pickle.loads(again).rows, rows)


def test_threads_see_the_same_matrix(values, order):
    held, orders = HeldColumns(values), [order, order[::-1].copy(), None]

    def look(i: int) -> bool:
        own = orders[i % 3]
        if own is None:
            return np.array_equal(held.rows, values)
        return np.array_equal(held.in_order(own), values[own])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(look, range(24)))


def test_the_field_of_a_linear_predictor():
    data = {"y": [1.0, 2.0, 4.0], "x": [0.0, 1.0, 3.0]}
    mean = build("y ~ x", data, linear=False).mean
    assert mean.shape == (3, 2)
    other = replace(mean, X=np.ones((3, 1)))
    assert other.X.tolist() == [[1.0]] * 3
    assert mean.X[:, 1].tolist() == data["x"]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(mean)).X, mean.X)
