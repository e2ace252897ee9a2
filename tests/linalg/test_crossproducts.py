"""Cross-products and their kernels against numpy, row by row."""

import numpy as np
import pytest
from helpers import dense_lmm
from scipy.linalg import block_diag

from interlace.linalg.crossproducts import blocks
from interlace.linalg.crossproducts import standardise as standard
from interlace.linalg.kernels import _crossprod, _onefactor
from interlace.objective.linear.design_products import cross_products_of
from interlace.objective.linear.start import moment_start


def dense_z(d):
    parts = []
    for f in d.factors:
        Z = np.zeros((d.y.size, len(f.levels), f.Z.shape[1]))
        Z[np.arange(d.y.size), f.codes] = f.Z
        parts.append(Z.reshape(d.y.size, -1))
    return parts


@pytest.mark.parametrize("chunk", [7, 10_000])
@pytest.mark.parametrize("weights", [False, True])
def test_cross_products_are_those_of_the_standardised_columns(monkeypatch, weights, chunk):
    monkeypatch.setattr(standard, "CHUNK_ROWS", chunk)
    monkeypatch.setattr(standard, "FEW_PRODUCTS", 0 if chunk == 7 else 100_000)
    monkeypatch.setattr(blocks, "DENSE_PAIRS", 10 if chunk == 7 else 100_000)
    d = dense_lmm.random_design(1, (2, 3, 1), (11, 6, 4), n=60, weights=weights)
    c = cross_products_of(d)
    root = np.ones(60) if d.weights is None else np.sqrt(d.weights)
    s = c.standardisation
    X = (d.X - s.mean) @ s.R_inverse * root[:, None]
    np.testing.assert_allclose(X.T @ X, np.eye(3), atol=1e-12)
    W = np.c_[X, d.y * root - X @ s.gamma]
    np.testing.assert_allclose(c.XyXy, W.T @ W, atol=1e-10)
    assert np.abs(c.XyXy[-1, :-1]).max() < 1e-10  # the response is residual on X
    Z = np.concatenate(dense_z(d), axis=1) * root[:, None]
    Z = Z @ block_diag(
        *[np.linalg.inv(R) for R, f in zip(c.z_roots, d.factors, strict=True) for _ in f.levels]
    )
    np.testing.assert_allclose(c.z.matrix().toarray(), Z.T @ Z, atol=1e-12)
    ZXy = np.concatenate([b.reshape(-1, 4) for b in c.ZXy])
    np.testing.assert_allclose(ZXy, Z.T @ W, atol=1e-11)
    np.testing.assert_allclose(
        s.back @ (s.gamma + [1.0, 2.0, 3.0]),
        np.linalg.lstsq(d.X * root[:, None], X @ (s.gamma + [1.0, 2.0, 3.0]), rcond=None)[0],
        rtol=1e-9,
    )


@pytest.mark.parametrize("intercept", [0, 2, None])
@pytest.mark.parametrize("weights", [False, True])
def test_few_rows_are_standardised_by_one_kernel(monkeypatch, weights, intercept):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 4)) * [1.0, 1e-3, 1e4, 1.0] + [0.0, 5.0, 1e4, -2.0]
    if intercept is not None:
        X[:, intercept] = 1.0
    X.flags.writeable = False
    root = np.sqrt(rng.uniform(0.1, 3.0, 40)) if weights else np.empty(0)
    y = rng.normal(size=40) + 7.0
    few = standard.standardise(X, intercept, root, y)
    monkeypatch.setattr(standard, "FEW_PRODUCTS", 0)
    for name, value in vars(standard.standardise(X, intercept, root, y)).items():
        np.testing.assert_allclose(getattr(few, name), value, rtol=1e-9, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_the_kernel_leaves_columns_without_a_root_to_others(bad):
    X = np.c_[np.ones(10), np.arange(10.0), np.full(10, bad)]
    made = np.empty(3), np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    assert np.isnan(_crossprod.standardise(X, 0, np.empty(0), np.ones(10), 1e-6, *made))


def test_nearly_collinear_columns_are_orthonormalised_by_qr():
    d = dense_lmm.random_design(1, (1,), (11,), n=60)
    d.X[:, 2] = d.X[:, 1] + 1e-7 * np.random.default_rng(0).normal(size=60)
    s = cross_products_of(d).standardisation
    X = (d.X - s.mean) @ s.R_inverse
    # P is right to cond(X) eps; the Cholesky factor of X'X would have lost it squared.
    np.testing.assert_allclose(X.T @ X, np.eye(3), atol=1e-6)


def test_row_kernels_against_numpy():
    rng = np.random.default_rng(2)
    n, k, m = 40, 3, 4
    codes, other = (rng.integers(0, q, n).astype(np.int32) for q in (5, 6))
    Z, Zc, W, root = rng.normal(size=(n, k)), rng.normal(size=(n, 2)), rng.normal(size=(n, m)), None
    for root in (np.empty(0), rng.uniform(0.5, 2.0, n)):
        r = np.ones(n) if root.size == 0 else root
        A, B, y = np.zeros((5, k, k)), np.zeros((5, k, m)), np.zeros((5, k))
        _crossprod.accumulate(codes, Z, root, W, A, B)
        _crossprod.accumulate_response(codes, Z, root, np.ascontiguousarray(W[:, 0]), y)
        for level in range(5):
            rows = codes == level
            Zl = Z[rows] * r[rows, None]
            np.testing.assert_allclose(np.tril(A[level]), np.tril(Zl.T @ Zl), atol=1e-12)
            np.testing.assert_allclose(B[level], Zl.T @ W[rows], atol=1e-12)
            np.testing.assert_allclose(y[level], Zl.T @ W[rows, 0], atol=1e-12)
        indptr, indices = blocks.pair_pattern(codes, other, 5, 6)
        values = np.zeros((indices.size, k, 2))
        _crossprod.accumulate_pairs(codes, other, Z, Zc, root, indptr, indices, values)
        for level in range(5):
            for at in range(indptr[level], indptr[level + 1]):
                rows = (codes == level) & (other == indices[at])
                expected = (Z[rows] * r[rows, None] ** 2).T @ Zc[rows]
                np.testing.assert_allclose(values[at], expected, atol=1e-12)


@pytest.mark.parametrize("dense", [True, False])
def test_pairs_of_levels_that_share_a_row(dense, monkeypatch):
    rng = np.random.default_rng(6)
    b, c = rng.integers(0, 7, 30).astype(np.int32), rng.integers(0, 40, 30).astype(np.int32)
    b[b == 3] = 2  # a level without rows
    monkeypatch.setattr(blocks, "DENSE_PAIRS", 400 if dense else 100)
    indptr, indices = blocks.pair_pattern(b, c, 7, 40)
    shared = np.zeros((7, 40), dtype=bool)
    shared[b, c] = True
    assert (indptr.dtype, indices.dtype) == (np.int64, np.int32)
    np.testing.assert_array_equal(indptr, np.append(0, np.cumsum(shared.sum(axis=1))))
    np.testing.assert_array_equal(indices, shared.nonzero()[1])


def test_columns_are_brought_to_unit_mean_square():
    rng = np.random.default_rng(7)
    Z = rng.normal(size=(9, 5, 3)) * [1e-8, 1.0, 1e6]
    Z[:, :, 1] = 0.0
    A, ZXy = Z.transpose(0, 2, 1) @ Z, rng.normal(size=(9, 3, 2))
    values = rng.normal(size=(4, 3, 2))
    scale, right = np.empty(3), np.array([2.0, 1e-3])
    parts = [part.copy() for part in (A, ZXy, values)]
    _crossprod.to_unit(parts[0], parts[1], 45.0, scale)
    _crossprod.divide_pairs(parts[2], scale, right)
    mean_square = np.einsum("lkk->k", A) / 45.0
    expected = np.sqrt(np.where(mean_square > 0.0, mean_square, 1.0))
    np.testing.assert_allclose(scale, expected, rtol=1e-14)
    np.testing.assert_allclose(parts[0], A / (expected[:, None] * expected), rtol=1e-14)
    np.testing.assert_allclose(parts[1], ZXy / expected[:, None], rtol=1e-14)
    np.testing.assert_allclose(parts[2], values / expected[:, None] / right, rtol=1e-14)


@pytest.mark.parametrize("weighted", [False, True])
def test_rotations_keep_every_product_and_leave_what_is_within_levels(weighted):
    rng = np.random.default_rng(4)
    n, k, m = 40, 3, 2
    codes = rng.integers(0, 9, n).astype(np.int32)
    codes[:2] = 9, 10  # levels with fewer rows than columns
    Z, W = rng.normal(size=(n, k)), rng.normal(size=(n, m))
    Z[codes == 3] = Z[codes == 3][0]  # ... and one with linearly dependent rows
    root = rng.uniform(0.5, 2.0, n) if weighted else np.empty(0)
    r = root[:, None] if weighted else 1.0
    R, b, left = np.zeros((11, k, k)), np.zeros((11, k, m)), W.copy()
    for rows in (slice(0, 17), slice(17, n)):
        part = left[rows]
        _crossprod.rotate(codes[rows], Z[rows], root[rows], part, R, b)
    A, B = np.empty_like(R), np.empty_like(b)
    _crossprod.gram(R, b, A, B)
    assert np.array_equal(R, np.triu(R))
    within = np.zeros((m, m))
    for level in range(11):
        rows = codes == level
        Zl = (Z * r)[rows]
        np.testing.assert_allclose(A[level], Zl.T @ Zl, atol=1e-12)
        np.testing.assert_allclose(B[level], Zl.T @ W[rows], atol=1e-12)
        residual = W[rows] - Zl @ np.linalg.lstsq(Zl, W[rows], rcond=1e-12)[0]
        within += residual.T @ residual
    np.testing.assert_allclose(left.T @ left, within, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_rotations_that_were_kept_turn_another_column_alike(weighted):
    rng = np.random.default_rng(5)
    n, k = 60, 3
    codes = rng.integers(0, 9, n).astype(np.int32)
    Z, both = rng.normal(size=(n, k)), rng.normal(size=(n, 2))
    Z[codes == 3] = Z[codes == 3][0]  # linearly dependent rows
    Z[::7, 1] = 0.0  # no rotation
    root = rng.uniform(0.5, 2.0, n) if weighted else np.empty(0)
    y, turns = both[:, 1].copy(), np.zeros((n, k, 2))
    several, ends = np.stack([y, 2.0 * y]), np.zeros((2, 9, k))
    turns[:, :, 0] = 1.0
    R, b = np.zeros((9, k, k)), np.zeros((9, k, 2))
    _crossprod.rotate(codes, Z, root, both, R, b, turns)
    again = np.zeros((9, k, 2))
    _crossprod.turn(codes, turns, y, again[:, :, 1])
    np.testing.assert_array_equal(again[:, :, 1], b[:, :, 1])
    np.testing.assert_array_equal(y, both[:, 1])
    _crossprod.turn_each(codes, turns, several, ends)
    np.testing.assert_array_equal(ends, [b[:, :, 1], 2.0 * b[:, :, 1]])
    np.testing.assert_array_equal(several, [y, 2.0 * y])


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("singular", [False, True])
def test_whitening_against_numpy(singular, k):
    rng = np.random.default_rng(3)
    levels, m = 6, 3
    R = np.triu(rng.normal(size=(levels, k, k)))
    R[0, -1] = 0.0
    b = rng.normal(size=(levels, k, m))
    T = np.tril(rng.normal(size=(k, k)))
    if singular:
        T[-1, -1] = 0.0
    LR, Lb, K = np.empty_like(R), np.empty_like(b), np.zeros((m, m))
    logdet = _onefactor.whiten(T, R, b, LR, Lb, K, np.empty(2 * k * k))
    S = np.eye(k) + R @ T @ T.T @ R.transpose(0, 2, 1)
    inverse, Rt, bt = np.linalg.inv(S), R.transpose(0, 2, 1), b.transpose(0, 2, 1)
    np.testing.assert_allclose(logdet, np.linalg.slogdet(S)[1].sum(), rtol=1e-12)
    np.testing.assert_allclose(LR.transpose(0, 2, 1) @ LR, Rt @ inverse @ R, atol=1e-12)
    np.testing.assert_allclose(LR.transpose(0, 2, 1) @ Lb, Rt @ inverse @ b, atol=1e-12)
    np.testing.assert_allclose(K, np.tril((bt @ inverse @ b).sum(axis=0)), atol=1e-12)


def test_moments_solve_the_equations_they_state():
    d = dense_lmm.random_design(4, (2, 1), (12, 7), n=80, weights=True)
    c = cross_products_of(d)
    root = np.sqrt(d.weights)
    X = d.X * root[:, None]
    Q = np.eye(80) - X @ np.linalg.solve(X.T @ X, X.T)
    y = Q @ (d.y * root)
    columns = []
    for Z, f, R in zip(dense_z(d), d.factors, c.z_roots, strict=True):
        k = f.Z.shape[1]
        Z = Z @ block_diag(*[np.linalg.inv(R)] * len(f.levels))
        columns += [Z[:, j::k] * root[:, None] for j in range(k)]
    S = [Z @ Z.T for Z in columns] + [np.eye(80)]
    lhs = np.array([[np.trace(Q @ a @ Q @ b) for b in S] for a in S])
    solution = np.linalg.solve(lhs, [y @ s @ y for s in S])
    expected = np.clip(np.sqrt(np.maximum(solution[:-1] / solution[-1], 0.0)), 0.1, 10.0)
    np.testing.assert_allclose(np.concatenate(moment_start(c)), expected, rtol=1e-8)
