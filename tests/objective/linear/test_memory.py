"""What comes after the cross-products of many levels takes little more memory than they do."""

import tracemalloc

import numpy as np

from interlace.design.build import build
from interlace.objective.linear import start as moments
from interlace.objective.linear.choose import choose_marginal
from interlace.objective.linear.design_products import cross_products_of
from interlace.objective.linear.many_columns import FactorMarginal


def test_moments_of_many_columns_take_little_memory(monkeypatch):
    rng = np.random.default_rng(2)
    n, p = 4000, 30
    data = {f"x{j}": rng.normal(size=n) for j in range(p)} | {"y": rng.normal(size=n)}
    data |= {"g": rng.integers(0, 900, n), "h": rng.integers(0, 800, n)}
    right = " + ".join(f"x{j}" for j in range(p))
    c = cross_products_of(build(f"y ~ {right} + (x0 | g) + (1 | h)", data))
    monkeypatch.setattr(moments, "GATHERED", 9_000)
    tracemalloc.start()
    found = np.concatenate(moments.moment_start(c))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    gathered = len(c.z.pairs[0, 1].indices) * 3 * (p + 1) * 8
    assert 10 * peak < gathered
    monkeypatch.setattr(moments, "GATHERED", 10**9)
    np.testing.assert_allclose(found, np.concatenate(moments.moment_start(c)), rtol=1e-9)


def test_a_sparse_marginal_keeps_one_matrix():
    rng = np.random.default_rng(3)
    n = 3000
    data = {"y": rng.normal(size=n), "x": rng.normal(size=n), "g": rng.integers(0, 900, n)}
    data["h"] = rng.integers(0, 700, n)
    marginal = choose_marginal(
        cross_products_of(build("y ~ x + (x | g) + (1 | h)", data)), "superlu"
    )
    assert isinstance(marginal, FactorMarginal)
    for other in (marginal, marginal.fresh()):
        for columns, part in zip(other._A_columns, other.slices, strict=True):
            assert np.shares_memory(columns.data, marginal._A.data)
            assert np.shares_memory(columns.indices, marginal._A.indices)
            np.testing.assert_array_equal(columns.toarray(), marginal._A.toarray()[:, part])
