"""The compiled kernels of the factorisations against their twins in numpy."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import numpy_kernels

from interlace.linalg.kernels import _blocks, _schur, _takahashi

# Both sides add the same few terms in different orders: some hundred roundings.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def blocks(rng, n, k, width=None):
    """Blocks Z'Z, the first of them zero; of `width` columns with k own ones."""
    Z = rng.normal(size=(n, 5, width or k))
    Z[0] = 0.0
    return np.ascontiguousarray(Z.transpose(0, 2, 1) @ Z)


def template(rng, k):
    T = np.tril(rng.normal(size=(k, k)))
    T[-1, -1] = 0.0 if k > 1 else T[-1, -1]
    return T


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_blocks_factor_solve_invert(rng, k):
    A, T = blocks(rng, 7, k), template(rng, k)
    L, work = np.empty_like(A), np.empty(4 * k * k)
    logdet = _blocks.factor_blocks(A, T, L, work)
    expected, expected_logdet = numpy_kernels.factor_blocks(A, T)
    np.testing.assert_allclose(L, expected, **CLOSE)
    np.testing.assert_allclose(logdet, expected_logdet, **CLOSE)
    for transposed in (False, True):
        B = rng.normal(size=(7, k, 4))
        X = B.copy()
        _blocks.solve_blocks(L, X, transposed)
        np.testing.assert_allclose(X, numpy_kernels.solve_blocks(L, B, transposed), **CLOSE)
    W, out = blocks(rng, 7, k), np.empty_like(A)
    _blocks.invert_blocks(L, W, out, work)
    np.testing.assert_allclose(out, numpy_kernels.invert_blocks(L, W), **CLOSE)
    _blocks.invert_blocks(L, np.empty((0, k, k)), out, work)
    np.testing.assert_allclose(out, numpy_kernels.invert_blocks(L, 0.0 * W), **CLOSE)


def test_blocks_log_determinant_neither_overflows_nor_underflows():
    A = np.full((5000, 1, 1), 1e8)
    logdet = _blocks.factor_blocks(A, np.eye(1), np.empty_like(A), np.empty(4))
    np.testing.assert_allclose(logdet, 5000 * np.log1p(1e8), rtol=1e-13)


def test_blocks_report_failure_as_nan():
    A = -10.0 * np.ones((2, 3, 3))
    assert np.isnan(_blocks.factor_blocks(A, np.eye(3), np.empty_like(A), np.empty(36)))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_blocks_fail_wherever_a_pivot_is_not_positive(rng, k):
    """Two failures must not cancel in the product of the pivots."""
    for bad in ([2], [2, 5], [1, 2, 5]):
        for last in (False, True):
            A = blocks(rng, 7, k)
            A[bad, -1 if last else 0, -1 if last else 0] -= 1e4
            assert np.isnan(_blocks.factor_blocks(A, np.eye(k), np.empty_like(A), np.empty(36)))
            F = blocks(rng, 7, k, k + 1)
            F[bad, k - 1 if last else 0, k - 1 if last else 0] -= 1e4
            rest = np.zeros((1, 1, 1)), np.empty((7, k, k)), np.empty((7, k, 1))
            parent = np.zeros(7, dtype=np.int32)
            assert np.isnan(_blocks.eliminate_fronts(F, np.eye(k), parent, *rest, np.empty(36)))


@pytest.mark.parametrize(("k", "above"), [(1, 1), (2, 1), (1, 3), (3, 2)])
def test_fronts(rng, k, above):
    K = k + above
    F, T = blocks(rng, 9, k, K), template(rng, k)
    parent = np.array([0, 0, 1, 2, 2, 2, 3, 3, 1], dtype=np.int32)
    F_up = blocks(rng, 4, above)
    L, H, up = np.empty((9, k, k)), np.empty((9, k, above)), F_up.copy()
    work = np.empty(4 * K**2)
    logdet = _blocks.eliminate_fronts(F, T, parent, up, L, H, work)
    for got, expected in zip(
        (L, H, up, logdet), numpy_kernels.eliminate_fronts(F, T, parent, F_up)
    ):
        np.testing.assert_allclose(got, expected, **CLOSE)
    S_up, S, T_up = blocks(rng, 4, above), np.empty_like(F), template(rng, above)
    _blocks.invert_fronts(L, H, T_up, parent, S_up, S, work)
    np.testing.assert_allclose(S, numpy_kernels.invert_fronts(L, H @ T_up, parent, S_up), **CLOSE)
    own, coupling = np.ascontiguousarray(F[:, :k, :k]), rng.normal(size=(9, k, 1))
    got = np.full_like(F, np.nan)
    _blocks.start_fronts(own, got)
    _blocks.couple_fronts(coupling, K - 1, got)
    assert (got == numpy_kernels.start_fronts(own, K, coupling, K - 1)).all()


@pytest.mark.parametrize("r", [1, 3])
@pytest.mark.parametrize(("k", "above"), [(1, 1), (2, 1), (1, 3), (3, 2), (2, 0)])
def test_solves_on_fronts(rng, k, above, r):
    T = template(rng, k)
    L = np.ascontiguousarray(np.linalg.cholesky(blocks(rng, 9, k) + np.eye(k)))
    H, X = rng.normal(size=(9, k, above)), rng.normal(size=(9, k, r))
    parent = np.array([0, 0, 1, 2, 2, 2, 3, 3, 1], dtype=np.int32)
    for carried in (rng.normal(size=(9, k + above, r)), np.zeros((9, k + above, r))):
        x, up = X.copy(), rng.normal(size=(4, above, r))
        expected = numpy_kernels.solve_up(L, H, T, carried, parent, X, up)
        _blocks.solve_up(L, H, T, carried if carried.any() else carried[:0], parent, x, up)
        np.testing.assert_allclose(x, expected[0], **CLOSE)
        np.testing.assert_allclose(up, expected[1], **CLOSE)
    x, full, full_up = X.copy(), np.empty((9, k + above, r)), rng.normal(size=(4, above, r))
    expected = numpy_kernels.solve_down(L, H, T, parent, full_up, X)
    _blocks.solve_down(L, H, T, parent, full_up, x, full)
    np.testing.assert_allclose(x, expected[0], **CLOSE)
    np.testing.assert_allclose(full, expected[1], **CLOSE)
    x = X.copy()
    _blocks.solve_down(L, H, T, parent, full_up, x, full[:0])
    np.testing.assert_allclose(x, expected[0], **CLOSE)


@pytest.mark.parametrize("k", [1, 3])
def test_level_bracket(rng, k):
    S, out = blocks(rng, 8, k + 1)[:, :k, :k], np.empty((k, k))
    _blocks.level_bracket(S, out)
    np.testing.assert_allclose(out, (np.eye(k) - S).sum(axis=0), **CLOSE)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_level_information(rng, k):
    A, W, T = blocks(rng, 6, k), 1e-3 * blocks(rng, 6, k), template(rng, k)
    for inner in (W, np.empty((0, k, k))):
        out = np.zeros((k, k))
        _blocks.level_information(A, k, inner, T @ T.T, out, np.empty(4 * k * k))
        expected = numpy_kernels.level_information(A, inner if len(inner) else 0.0 * W, T)
        np.testing.assert_allclose(out, expected, **CLOSE)


def flat_coupling(rng, levels, q, k0):
    """indptr, cols (increasing in a level), J; level 0 touches nothing, level 1 everything."""
    rows = [np.sort(rng.choice(q, rng.integers(0, q), replace=False)) for _ in range(levels)]
    rows[0], rows[1] = np.array([], dtype=int), np.arange(q)
    indptr = np.concatenate(([0], np.cumsum([len(r) for r in rows]))).astype(np.int64)
    cols = np.concatenate(rows).astype(np.int32)
    return indptr, cols, rng.normal(size=(len(cols), k0))


@pytest.mark.parametrize("k0", [1, 2, 3])
@pytest.mark.parametrize("tile", [1, 4, 64])
def test_scatter_and_gather(rng, k0, tile):
    q, levels = 23, 12
    indptr, cols, J = flat_coupling(rng, levels, q, k0)
    pointers = np.empty((levels, -(-q // tile) + 1), dtype=np.int64)
    _schur.tile_pointers(indptr, cols, tile, pointers)
    assert (pointers[:, 0] == indptr[:-1]).all() and (pointers[:, -1] == indptr[1:]).all()
    rows = numpy_kernels.rows_of_flat(indptr, cols, J, q)
    flat = rows.reshape(-1, q)
    C = np.asfortranarray(rng.normal(size=(q, q)))
    _schur.scatter(C, tile, pointers, cols, J)
    np.testing.assert_allclose(np.tril(C), np.tril(-flat.T @ flat), **CLOSE)
    S = rng.normal(size=(q, q))
    S = S + S.T
    W = np.zeros((levels, k0, k0))
    lower = np.asfortranarray(np.tril(S) + np.triu(np.full((q, q), np.nan), 1))
    _schur.gather(lower, pointers, cols, J, W, np.empty(k0))
    np.testing.assert_allclose(W, rows @ S @ rows.transpose(0, 2, 1), **CLOSE)


@pytest.mark.parametrize("k0", [1, 3])
def test_coupling_products(rng, k0):
    q, levels, r = 11, 8, 2
    indptr, cols, J = flat_coupling(rng, levels, q, k0)
    rows = numpy_kernels.rows_of_flat(indptr, cols, J, q)
    X, out = rng.normal(size=(q, r)), np.empty((levels, k0, r))
    _schur.couple(indptr, cols, J, X, out)
    np.testing.assert_allclose(out, rows @ X, **CLOSE)
    x, start = rng.normal(size=(levels, k0, r)), rng.normal(size=(q, r))
    out = start.copy()
    _schur.couple_transposed(indptr, cols, J, x, out)
    np.testing.assert_allclose(out, start - np.einsum("lkq,lkr->qr", rows, x), **CLOSE)
    G, scaled = rng.normal(size=(levels, k0, k0)), np.empty_like(J)
    _schur.scale_head(indptr, G, J, scaled)
    np.testing.assert_allclose(
        numpy_kernels.rows_of_flat(indptr, cols, scaled, q), G @ rows, **CLOSE
    )


@pytest.mark.parametrize(("k0", "k"), [(1, 1), (2, 1), (1, 3), (3, 2)])
def test_scale_tail(rng, k0, k):
    values, T = rng.normal(size=(5, k0, k)), np.tril(rng.normal(size=(k, k)))
    position = k * rng.permutation(5).astype(np.int64)
    out = np.zeros((5 * k, k0))
    _schur.scale_tail(values, T, position, out)
    np.testing.assert_allclose(out, numpy_kernels.scale_tail(values, T, position, 5 * k), **CLOSE)


@pytest.mark.parametrize("k0", [1, 2, 3])
@pytest.mark.parametrize("tile", [1, 4, 64])
def test_rows_of_the_inverse(rng, k0, tile):
    q, levels = 23, 12
    indptr, cols, J = flat_coupling(rng, levels, q, k0)
    pointers = np.empty((levels, -(-q // tile) + 1), dtype=np.int64)
    _schur.tile_pointers(indptr, cols, tile, pointers)
    S = rng.normal(size=(q, q))
    S = S + S.T
    lower = np.asfortranarray(np.tril(S) + np.triu(np.full((q, q), np.nan), 1))
    Y, W = np.full_like(J, np.nan), np.empty((levels, k0, k0))
    _schur.gather_rows(lower, pointers, cols, J, Y)
    rows = numpy_kernels.rows_of_flat(indptr, cols, J, q)
    level = np.repeat(np.arange(levels), np.diff(indptr))
    np.testing.assert_allclose(Y, (rows @ S)[level, :, cols], **CLOSE)
    _schur.flat_products(indptr, Y, J, W)
    np.testing.assert_allclose(W, rows @ S @ rows.transpose(0, 2, 1), **CLOSE)
    L = np.linalg.cholesky(blocks(rng, levels, k0) + np.eye(k0))
    expected = np.linalg.solve(L.transpose(0, 2, 1)[level], Y[:, :, None])[:, :, 0]
    _schur.solve_flat(indptr, L, Y)
    np.testing.assert_allclose(Y, expected, **CLOSE)
    out, chosen = np.empty((4, k0, 2)), np.array([2, 0, 3], dtype=np.int64)
    _schur.flat_pairs(Y, np.array([4, 9, 0], dtype=np.int64), chosen, out)
    np.testing.assert_array_equal(out[chosen], -np.stack([Y[4:6].T, Y[9:11].T, Y[:2].T]))


@pytest.mark.parametrize(("k0", "k"), [(1, 1), (2, 1), (1, 3), (3, 2)])
def test_dense_coupling_rows(rng, k0, k):
    start, shape = 3, (4, k0, 3 + 5 * k)
    values, heads = rng.normal(size=(8, k0, k)), rng.normal(size=(4, 1, 1))
    chosen = np.array([1, 2, 5, 6, 7], dtype=np.int64)
    row, level = np.array([0, 0, 1, 3, 3]), np.array([0, 3, 4, 1, 2], dtype=np.int32)
    for own in (heads[:0], heads) if k0 == 1 else (heads[:0],):
        J = np.zeros(shape)
        _schur.dense_rows(values, chosen, row, level, start, 1.7, own, J)
        scaled = 1.7 * values[chosen] * (heads[row] if len(own) else 1.0)
        np.testing.assert_allclose(
            J, numpy_kernels.dense_rows(scaled, row, level, start, shape), **CLOSE
        )
    W, Y = np.empty((4, k0, k0)), J @ np.diag(rng.uniform(1.0, 2.0, shape[2]))
    _schur.dense_products(Y, J, W)
    np.testing.assert_allclose(W, Y @ J.transpose(0, 2, 1), **CLOSE)
    out = np.zeros(values.shape)
    _schur.dense_pairs(Y, row, level, start, chosen, out)
    assert (numpy_kernels.dense_rows(-out[chosen], row, level, start, shape) == Y).all()
    assert not out[[0, 3, 4]].any()


@pytest.mark.parametrize(("kb", "kc"), [(1, 1), (2, 1), (1, 3), (3, 2)])
def test_tail_blocks(rng, kb, kc):
    start_c = 4 * kb
    q = start_c + 3 * kc
    Tb, Tc = template(rng, kb), template(rng, kc)
    A, start = blocks(rng, 4, kb), rng.normal(size=(q, q))
    C = np.asfortranarray(start)
    _schur.add_diagonal(A, Tb, 0, C)
    full = np.zeros((q, q))
    for i, block in enumerate(Tb.T @ A @ Tb):
        full[i * kb : (i + 1) * kb, i * kb : (i + 1) * kb] = block
    np.testing.assert_allclose(C, start + np.tril(full), **CLOSE)
    out = np.empty_like(A)
    _schur.take_diagonal(np.asfortranarray(np.tril(full)), 0, out)
    assert (out == np.array([full[i : i + kb, i : i + kb] for i in kb * np.arange(4)])).all()
    indptr = np.array([0, 2, 2, 3, 5], dtype=np.int64)
    indices = np.array([0, 2, 1, 0, 1], dtype=np.int32)
    values, C = rng.normal(size=(5, kb, kc)), np.asfortranarray(start)
    _schur.add_pair(indptr, indices, values, Tb, Tc, 0, start_c, C)
    scaled = Tb.T @ values @ Tc
    added = numpy_kernels.tail_pair(indptr, indices, scaled, 0, start_c, q)
    np.testing.assert_allclose(C, start + added, **CLOSE)
    out = np.empty_like(values)
    _schur.take_pair(np.asfortranarray(added), indptr, indices, 0, start_c, out)
    assert (out == scaled).all()


def test_copy_lower(rng):
    source, target = np.asfortranarray(rng.normal(size=(6, 6))), np.zeros((6, 6), order="F")
    _schur.copy_lower(source, target)
    assert (target == np.tril(source)).all()


@pytest.mark.parametrize("density", [0.02, 0.15, 0.6])
def test_elimination_and_selected_inverse(rng, density):
    q = 40
    B = sp.random_array((q, q), density=density, rng=rng).toarray()
    M = B @ B.T + np.eye(q)
    pattern = sp.csc_array(M)
    pattern.sort_indices()
    indptr, indices = pattern.indptr.astype(np.int64), pattern.indices.astype(np.int32)
    parent, mark = np.empty(q, np.int32), np.empty(q, np.int32)
    counts = np.empty(q, np.int64)
    _takahashi.elimination(indptr, indices, parent, mark, counts)
    expected_parent, expected = numpy_kernels.elimination(M != 0.0)
    assert (parent == expected_parent).all() and (counts == expected.sum(0)).all()
    L_indptr = np.concatenate(([0], np.cumsum(counts)))
    L_indices = np.empty(L_indptr[-1], np.int32)
    _takahashi.factor_pattern(indptr, indices, parent, mark, L_indptr[:-1].copy(), L_indices)
    found = sp.csc_array((np.ones(len(L_indices)), L_indices, L_indptr), shape=(q, q))
    assert ((found.toarray() != 0.0) == expected).all()

    own = sp.csc_array(np.linalg.cholesky(M))  # without its zeros
    L = np.empty(len(L_indices))
    _takahashi.embed(L_indptr, L_indices, own.indptr.astype(np.int64), own.indices, own.data, L)
    found.data[:] = L
    np.testing.assert_allclose(found.toarray(), np.linalg.cholesky(M), **CLOSE)

    runs = (parent[:-1] == np.arange(1, q)) & (counts[:-1] == counts[1:] + 1)
    for joined in (runs, np.zeros(q - 1, bool)):  # supernodes, then single columns
        starts = np.concatenate(([0], np.flatnonzero(~joined) + 1, [q])).astype(np.int32)
        member = np.repeat(np.arange(len(starts) - 1), np.diff(starts)).astype(np.int32)
        S, work = np.empty(len(L)), [np.zeros(q * q) for _ in range(4)]
        place = np.empty(q, np.int32)
        _takahashi.takahashi(L_indptr, L_indices, L, starts, member, S, *work, place)
        found.data[:] = S
        np.testing.assert_allclose(found.toarray(), np.linalg.inv(M) * expected, **CLOSE)
