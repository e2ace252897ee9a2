"""The kernels of Markov chains against dense algebra."""

import numpy as np
import pytest

from interlace.linalg.kernels import _bands


def chains(seed, r_of=lambda rng, n: rng.uniform(-0.9, 0.9, n)):
    """Three chains of different lengths: h, r, v, starts, and L and R as dense matrices."""
    rng = np.random.default_rng(seed)
    starts = np.array([0, 5, 6, 13])
    n = starts[-1]
    r = r_of(rng, n)
    r[starts[:-1]] = 0.0
    v = 1.0 - r**2
    L = np.zeros((n, n))
    for first, end in zip(starts[:-1], starts[1:], strict=True):
        for j in range(first, end):
            L[j:end, j] = np.concatenate([[1.0], np.cumprod(r[j + 1 : end])])
    h = rng.uniform(0.0, 3.0, n) * (rng.random(n) < 0.8)
    return h, r, v, starts, L, L @ np.diag(v) @ L.T


CASES = {
    "inside": lambda rng, n: rng.uniform(-0.9, 0.9, n),
    "no innovations": lambda rng, n: np.ones(n),
    "alternating": lambda rng, n: -np.ones(n),
    "independent": lambda rng, n: np.zeros(n),
}


@pytest.mark.parametrize("case", CASES)
def test_filter_smooth_and_spread_are_dense_algebra(case):
    h, r, v, starts, L, R = chains(3, CASES[case])
    n, H = len(h), np.diag(h)
    M = np.eye(n) + H @ R
    p, f = np.empty(n), np.empty(n)
    logdet = _bands.filter(h, r, v, p, f)
    assert logdet == pytest.approx(np.linalg.slogdet(M)[1], abs=1e-13)
    W = np.random.default_rng(5).normal(size=(n, 3))
    X, K = W.copy(), np.empty_like(W)
    _bands.smooth(h, r, p, f, X, K)
    posterior = R @ np.linalg.inv(M)  # (R^{-1} + H)^{-1}
    np.testing.assert_allclose(X, posterior @ W, atol=1e-13)
    np.testing.assert_allclose(K, L.T @ (W - H @ posterior @ W), atol=1e-12)
    G = H - H @ posterior @ H
    innovations, states, between = np.empty(n), np.empty(n), np.empty(n)
    _bands.spread(h, r, p, f, innovations, states, between)
    np.testing.assert_allclose(innovations, np.diag(L.T @ G @ L), atol=1e-12)
    np.testing.assert_allclose(states, np.diag(posterior), atol=1e-13)
    expected = np.diag(L.T @ G @ R, -1).copy()
    expected[starts[1:-1] - 1] = 0.0
    np.testing.assert_allclose(between[1:], expected * (r[1:] != 0.0), atol=1e-12)
    assert between[0] == 0.0


def test_information_that_makes_the_precision_indefinite_is_noticed():
    h, r, v, *_ = chains(1)
    h[4] = -10.0
    assert np.isnan(_bands.filter(h, r, v, np.empty_like(h), np.empty_like(h)))


def test_many_small_factors_neither_overflow_nor_underflow():
    n = 1000
    h, r, v = np.full(n, 1e5), np.zeros(n), np.ones(n)
    logdet = _bands.filter(h, r, v, np.empty(n), np.empty(n))
    assert logdet == pytest.approx(n * np.log(1e5 + 1.0), rel=1e-13)


def test_products_and_contractions_of_groups():
    rng = np.random.default_rng(0)
    starts = np.array([0, 4, 5, 11])
    A, X, K, G = rng.normal(size=(4, 11, 3))
    A[:] = X @ np.diag([1.0, 2.0, 0.5])  # A'X is symmetric
    out = np.empty((3, 3, 3))
    _bands.products(starts, A, X, out)
    omega = rng.normal(size=(3, 3, 3))
    omega += omega.transpose(0, 2, 1)
    of_k, of_x, between = np.empty(11), np.empty(11), np.empty(11)
    _bands.contract(starts, X, K, G, omega, of_k, of_x, between)
    for s, (first, end) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
        expected = np.tril(A[first:end].T @ X[first:end])
        np.testing.assert_allclose(np.tril(out[s]), expected, atol=1e-13)
        np.testing.assert_array_equal(out[s], out[s].T)
        for i in range(first, end):
            assert of_k[i] == pytest.approx(K[i] @ omega[s] @ K[i])
            assert of_x[i] == pytest.approx(X[i] @ omega[s] @ G[i])
            before = K[i] @ omega[s] @ X[i - 1] if i > first else 0.0
            assert between[i] == pytest.approx(before)
