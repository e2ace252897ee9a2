"""Z and X of several linear predictors: every product against dense matrices of all rows."""

import numpy as np
import pytest

from interlace.linalg.crossproducts.fixed import PredictorColumns, packed_product
from interlace.linalg.crossproducts.predictors import PredictorZ, unpacked
from tests.helpers.numpy_kernels import predictor_columns


class Factor:
    def __init__(self, rng, n, levels, k, K):
        self.codes = rng.integers(0, levels, n).astype(np.int32)
        self.codes[:levels] = np.arange(levels)
        self.levels = np.arange(levels)
        self.Z = rng.normal(size=(n, k))
        self.predictor = rng.integers(0, K, k).astype(np.int8)


@pytest.fixture(params=[(2, (3,)), (3, (2, 1)), (3, (1, 2, 3)), (4, (5,))])
def case(request):
    K, widths = request.param
    rng, n = np.random.default_rng(3), 60
    factors = [Factor(rng, n, 9 - 2 * b, k, K) for b, k in enumerate(widths)]
    Z = PredictorZ(factors, [f.predictor for f in factors], K)
    dense = np.concatenate(
        [
            predictor_columns(f.codes, f.Z, 1.0 / s, f.predictor, len(f.levels), K)
            for f, s in zip(factors, Z.scale, strict=True)
        ],
        axis=2,
    )
    root = rng.normal(size=(n, K, K))
    row, column = np.tril_indices(K)
    w = (root + root.transpose(0, 2, 1))[:, row, column].T.copy()
    return rng, factors, Z, dense, w


def test_weights_fill_the_blocks(case):
    _, _, Z, dense, w = case
    expected = np.einsum("iaq,iab,ibr->qr", dense, unpacked(w), dense)
    np.testing.assert_allclose(Z.set_weights(w).matrix().toarray(), expected, atol=1e-12)


def test_products_with_effects_scores_and_columns(case):
    rng, _, Z, dense, w = case
    T = [np.tril(rng.normal(size=(k, k))) for k in Z.widths]
    Lambda = np.zeros((Z.q, Z.q))
    for b, (t, ell) in enumerate(zip(T, Z.n_levels, strict=True)):
        at = slice(Z.offsets[b], Z.offsets[b + 1])
        Lambda[at, at] = np.kron(np.eye(ell), t)
    u, K = rng.normal(size=Z.q), Z.count
    np.testing.assert_allclose(Z.times(T, u), (dense @ (Lambda @ u)).T, atol=1e-12)
    s = rng.normal(size=(K, Z.n))
    np.testing.assert_allclose(Z.transposed(s), np.einsum("iaq,ai->q", dense, s), atol=1e-12)
    many = rng.normal(size=(K, Z.n, 4))
    expected = np.einsum("iaq,aic->qc", dense, many)
    np.testing.assert_allclose(Z.transposed(many), expected, atol=1e-12)
    fixed = PredictorColumns([rng.normal(size=(Z.n, 1 + k)) for k in range(K)])
    X = np.zeros((Z.n, K, fixed.p))
    for k, (block, at) in enumerate(zip(fixed.blocks, fixed.slices, strict=True)):
        X[:, k, at] = block
    W = unpacked(w)
    expected = np.einsum("iaq,iab,ibp->qp", dense, W, X)
    np.testing.assert_allclose(fixed.cross(Z, w), expected, atol=1e-12)
    expected = np.einsum("iap,iab,ibr->pr", X, W, X)
    np.testing.assert_allclose(fixed.gram(w), expected, atol=1e-12)
    gamma = rng.normal(size=fixed.p)
    np.testing.assert_allclose(fixed.times(gamma), (X @ gamma).T, atol=1e-12)
    np.testing.assert_allclose(fixed.times_each(np.stack([gamma]))[0], (X @ gamma).T, atol=1e-12)
    np.testing.assert_allclose(fixed.transposed(s), np.einsum("iap,ai->p", X, s), atol=1e-12)
    both = np.concatenate([many.transpose(1, 0, 2), X], axis=2)
    expected = np.einsum("iap,iab,ibr->pr", both, W, both)
    np.testing.assert_allclose(fixed.products(w, many), expected, atol=1e-11)
    np.testing.assert_allclose(packed_product(w, s), np.einsum("iab,bi->ai", W, s), atol=1e-12)


def test_blocks_of_a_quadratic_form(case):
    rng, _, Z, dense, w = case
    T = [np.tril(rng.normal(size=(k, k))) for k in Z.widths]
    S = rng.normal(size=(Z.q, Z.q))
    S = S + S.T
    Lambda = np.zeros((Z.q, Z.q))
    starts = Z.offsets
    for b, (t, ell) in enumerate(zip(T, Z.n_levels, strict=True)):
        Lambda[starts[b] : starts[b + 1], starts[b] : starts[b + 1]] = np.kron(np.eye(ell), t)
    blocks = [
        np.stack([S[i : i + k, i : i + k] for i in range(starts[b], starts[b + 1], k)])
        for b, k in enumerate(Z.widths)
    ]
    pairs = {}
    for (b, c), pair in Z.cross.pairs.items():
        kb, kc = Z.widths[b], Z.widths[c]
        pairs[b, c] = np.stack(
            [
                S[starts[b] + i * kb :, starts[c] + j * kc :][:kb, :kc]
                for i, j in zip(pair.rows, pair.indices, strict=True)
            ]
        )
    A = dense @ Lambda
    full = np.einsum("iaq,qr,ibr->iab", A, S, A)
    row, column = np.tril_indices(Z.count)
    h = Z.quadratic(T, blocks, pairs)
    np.testing.assert_allclose(h, full[:, row, column].T, atol=1e-10)
