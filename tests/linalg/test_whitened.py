"""The kernel of whitened rows against NumPy, and its criterion against that of cross-products."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.linalg.kernels import _whitened


@pytest.mark.parametrize("k", [0, 1, 3])
def test_sums_and_slopes_by_their_definitions(k: int) -> None:
    rng = np.random.default_rng(k)
    n, p, levels = 40, 2, 5
    D = rng.normal(size=(n, 1 + p + k))
    codes = rng.integers(levels, size=n).astype(np.int32)
    T, m = np.tril(rng.normal(size=(k, k))), p + 1
    A, S, B, V = (np.zeros((levels, k, c)) for c in (k, k, m, m))
    G, K, work = np.zeros((k, k)), np.zeros((m, m)), np.empty(k * (3 * k + m) + 2 * m)
    logdet = _whitened.level_sums(D, codes, T, A, B, V, S, G, K, work)
    Xy, Z = np.column_stack([D[:, 1 : 1 + p], D[:, 0]]), D[:, 1 + p :]
    same = codes[:, None] == codes
    C = np.eye(n) + same * (Z @ T @ T.T @ Z.T)
    inverse = np.linalg.inv(C)
    assert logdet == pytest.approx(np.linalg.slogdet(C)[1], abs=1e-10)
    np.testing.assert_allclose(K, Xy.T @ inverse @ Xy, rtol=1e-10, atol=1e-10)
    for level in range(levels):
        own = codes == level
        np.testing.assert_allclose(B[level], (Z[own].T @ (inverse @ Xy)[own]), atol=1e-10)
    blocks = sum(
        Z[codes == i].T @ inverse[np.ix_(codes == i, codes == i)] @ Z[codes == i]
        for i in range(levels)
    )
    np.testing.assert_allclose(G, blocks, atol=1e-10)
    Q = rng.normal(size=(m, m))
    Q = Q @ Q.T
    rows = np.empty(D.shape)
    _whitened.row_slopes(D, codes, V, S, Q, rows, work)

    def value(D: np.ndarray) -> float:
        Xy, Z = np.column_stack([D[:, 1 : 1 + p], D[:, 0]]), D[:, 1 + p :]
        C = np.eye(n) + same * (Z @ T @ T.T @ Z.T)
        K = Xy.T @ np.linalg.solve(C, Xy)
        return float(np.linalg.slogdet(C)[1] + np.trace(Q @ K))

    h = 1e-6
    for i, j in [(0, 0), (3, 1), (17, p), (29, 1 + p + k - 1)]:
        up, down = D.copy(), D.copy()
        up[i, j] += h
        down[i, j] -= h
        assert rows[i, j] == pytest.approx(
            (value(up) - value(down)) / (2.0 * h), rel=1e-5, abs=1e-6
        )


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (x | g)"])
def test_rows_and_cross_products_say_the_same(formula: str) -> None:
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(10), 6)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=60), "t": np.tile(np.arange(6), 10)})
    data["y"] = 1e3 + data.x + rng.normal(size=10)[g] + rng.normal(size=60)
    for method in ("REML", "ML"):
        fit = il.fit(formula, data, correlation="ar1(t | g)", variance="exp(x)", method=method).fit
        objective = fit.objective
        x = objective.start() + 0.1
        one, other = objective._by_rows(x, 1), objective._by_products(x, 1)
        assert one.value == pytest.approx(other.value, rel=1e-12)
        np.testing.assert_allclose(one.gradient, other.gradient, rtol=1e-8, atol=1e-8)


def test_very_large_variances_are_left_to_cross_products() -> None:
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(10), 6)
    data = pd.DataFrame({"g": g, "y": 1e4 * rng.normal(size=10)[g] + rng.normal(size=60)})
    fit = il.fit("y ~ 1 + (1 | g)", data, correlation="ar1(1 | g)").fit
    assert fit.objective._by_rows(fit.x, 0) is None
    assert fit.converged
    # weighted means of a group's rows are as near to its mean as its rows are
    means = data.groupby("g").y.mean()
    spread = np.abs(data.y - means[data.g].to_numpy()).max()
    assert fit.re_scale * fit.T[0][0, 0] == pytest.approx(means.std(), abs=1.1 * spread)
