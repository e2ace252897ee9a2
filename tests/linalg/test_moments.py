"""Where searches start: as cheap in memory as the cross-products they come from."""

import tracemalloc

import numpy as np

from interlace.design import build
from interlace.linalg import moments
from interlace.linalg.crossprod import cross_products


def test_moments_of_many_columns_take_little_memory(monkeypatch):
    rng = np.random.default_rng(2)
    n, p = 4000, 30
    data = {f"x{j}": rng.normal(size=n) for j in range(p)} | {"y": rng.normal(size=n)}
    data |= {"g": rng.integers(0, 900, n), "h": rng.integers(0, 800, n)}
    right = " + ".join(f"x{j}" for j in range(p))
    c = cross_products(build(f"y ~ {right} + (x0 | g) + (1 | h)", data))
    monkeypatch.setattr(moments, "GATHERED", 9_000)
    tracemalloc.start()
    found = np.concatenate(moments.moment_start(c))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    gathered = len(c.z.pairs[0, 1].indices) * 3 * (p + 1) * 8
    assert 10 * peak < gathered
    monkeypatch.setattr(moments, "GATHERED", 10**9)
    np.testing.assert_allclose(found, np.concatenate(moments.moment_start(c)), rtol=1e-9)
