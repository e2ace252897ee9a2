"""Standardised columns that are made of those of the data against a copy of them."""

import numpy as np
import pytest
from helpers import numpy_kernels

from interlace.linalg.crossproducts.fixed import LARGE, CentredColumns, FixedColumns, columns_of
from interlace.linalg.crossproducts.standardise import standardise, standardised
from interlace.linalg.crossproducts.weighted import WeightedZ
from interlace.linalg.kernels import _centred

# Sums of some thousand products in another order.
CLOSE = {"rtol": 1e-11, "atol": 1e-11}


class Factor:
    def __init__(self, codes, levels, Z):
        self.codes, self.levels, self.Z = codes.astype(np.int32), np.arange(levels), Z


@pytest.fixture(scope="module")
def both():
    rng = np.random.default_rng(3)
    n = LARGE // 4 + 1
    X = np.c_[np.ones(n), 2000.0 + rng.standard_normal((n, 2)), rng.random(n) > 0.7]
    std = standardise(X, 0, np.sqrt(rng.random(n)), rng.standard_normal(n))
    centred = columns_of(X, std)
    assert isinstance(centred, CentredColumns)
    return centred, FixedColumns(standardised(X, std, None)), n


def test_products(both):
    centred, copied, n = both
    rng = np.random.default_rng(4)
    gammas, ts, w = rng.standard_normal((2, 4)), rng.standard_normal((2, n)), rng.random(n) - 0.1
    a = rng.standard_normal((n, 2))
    size = np.sqrt(n)
    assert (centred.p, centred.size) == (copied.p, copied.size)
    # columns of a length of one far from zero: 1e-16 of 2000 standard deviations
    np.testing.assert_allclose(centred.times(gammas[0]), copied.times(gammas[0]), atol=1e-12)
    np.testing.assert_allclose(centred.times_each(gammas), copied.times_each(gammas), atol=1e-12)
    out = np.empty(n)
    assert centred.times(gammas[0], out) is out
    base = rng.standard_normal(n)
    np.testing.assert_allclose(
        centred.predicted(gammas[0], base), copied.times(gammas[0]) + base, atol=1e-12
    )
    for ours, theirs in (
        (centred.transposed(ts[0]), copied.transposed(ts[0])),
        (centred.summed(ts[0]), copied.transposed(ts[0])),
        (centred.transposed_each(ts), copied.transposed_each(ts)),
        (centred.gram(w), copied.gram(w)),
        (size * centred.products(w, a / size), size * copied.products(w, a / size)),
        (centred.dense(), copied.dense()),
    ):
        np.testing.assert_allclose(ours, theirs, **CLOSE)
    rows = np.arange(n)[::7]
    np.testing.assert_allclose(centred.part(rows).dense(), copied.part(rows).dense(), **CLOSE)


def test_sums_by_level(both):
    centred, copied, n = both
    rng = np.random.default_rng(5)
    Z = np.c_[np.ones(n), rng.standard_normal(n)]
    crossed = [
        Factor(rng.integers(0, 30, n), 30, Z),
        Factor(rng.integers(0, 9, n), 9, np.broadcast_to(1.0, (n, 1))),
    ]
    weighted, w = WeightedZ(crossed), rng.random(n)
    np.testing.assert_allclose(centred.cross(weighted, w), copied.cross(weighted, w), **CLOSE)


@pytest.mark.parametrize("shape", [(0, 2), (3, 0), (1, 1), (1500, 3)])
def test_kernels(shape):
    rng = np.random.default_rng(6)
    n, p = shape
    X, mean, c, t = rng.random(shape), rng.random(p), rng.random(p), rng.random(n)
    out = np.full(n, np.nan)
    _centred.times(X, mean, c, out)
    np.testing.assert_allclose(out, numpy_kernels.centred_times(X, mean, c), rtol=1e-13)
    sums = np.full(p, np.nan)
    _centred.transposed(X, mean, t, sums)
    expected = numpy_kernels.centred_transposed(X, mean, t)
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-13)
    codes, Z, inverse = rng.integers(0, 4, n).astype(np.int32), rng.random((n, 2)), rng.random(2)
    out = np.full((4, 2, p), np.nan)
    _centred.by_level(codes, Z, inverse, t, X, mean, out)
    expected = numpy_kernels.centred_by_level(codes, Z, inverse, t, X, mean, 4)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-13)
    for order in (rng.permutation(n), np.arange(n), np.roll(np.arange(n), 1)):
        own, other = X.copy(), X.copy()
        _centred.reorder(own, order.astype(np.int32))
        numpy_kernels.reorder(other, order)
        np.testing.assert_array_equal(own, other)


def test_few_rows_and_columns_that_nearly_depend_have_a_copy():
    rng = np.random.default_rng(7)
    X = np.c_[np.ones(50), rng.standard_normal((50, 2))]
    assert isinstance(columns_of(X, standardise(X, 0, np.empty(0), X[:, 1])), FixedColumns)
    x = rng.standard_normal(LARGE // 3 + 1)
    for apart, kind in ((1e-1, CentredColumns), (1e-5, FixedColumns)):
        X = np.c_[np.ones(x.size), x, x + apart * rng.standard_normal(x.size)]
        assert type(columns_of(X, standardise(X, 0, np.empty(0), x))) is kind
