"""Passes over the rows for changing weights against Z written out."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import numpy_kernels
from helpers import random_designs as designs

from interlace.linalg.crossproducts import blocks
from interlace.linalg.crossproducts.weighted import WeightedZ
from interlace.linalg.factor.choose import choose_factor
from interlace.linalg.kernels import _weighted
from interlace.objective.linear.design_products import cross_products_of

# Sums of at most some hundred products in another order.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
SHAPES = {
    "one intercept": ("crossed", (12,), (1,)),
    "one, k=2": ("crossed", (12,), (2,)),
    "one, k=3": ("crossed", (12,), (3,)),
    "crossed intercepts": ("crossed", (20, 6), (1, 1)),
    "crossed, wide": ("crossed", (20, 6), (2, 3)),
    "crossed 3": ("crossed", (30, 10, 4), (2, 1, 3)),
    "one group of many": ("nested", (1,), (60,)),
    "one group of many, beside": ("crossed", (12, 1), (2, 60)),
    "nested 3": ("nested", (30, 10, 4), (1, 1, 2)),
    "nested intercepts": ("nested", (30, 10, 4), (1, 1, 1)),
}
each_shape = pytest.mark.parametrize("shape", SHAPES)


def make(shape, n=150, sole="broadcast"):
    """A design-like object, its Z (n, q) written out in columns of the default scale."""
    kind, levels, widths = SHAPES[shape]
    rng = np.random.default_rng(17)
    codes, Z, levels = getattr(designs, kind)(rng, n, levels, widths)
    for z in Z:
        if z.shape[1] > 1:
            z *= rng.uniform(0.3, 30.0, z.shape[1])
        elif sole == "covariate":
            z[:] = rng.normal(size=z.shape)
    if sole == "broadcast":
        Z = [np.broadcast_to(1.0, z.shape) if z.shape[1] == 1 else z for z in Z]
    factors = [
        SimpleNamespace(codes=code.astype(np.int32), Z=z, levels=np.arange(ell))
        for code, z, ell in zip(codes, Z, levels)
    ]
    scale = [np.sqrt((z**2).mean(axis=0)) for z in Z]
    parts = [
        numpy_kernels.dense_z(f.codes, f.Z, s, len(f.levels))
        for f, s in zip(factors, scale, strict=True)
    ]
    return SimpleNamespace(factors=factors), np.concatenate(parts, axis=1), scale, rng


def lam(cross, T):
    out, start = np.zeros((cross.q, cross.q)), 0
    for ell, t in zip(cross.n_levels, T):
        block = np.kron(np.eye(ell), t)
        out[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    return out


@pytest.mark.parametrize("sole", ["broadcast", "ones", "covariate"])
@each_shape
def test_setting_weights(shape, sole):
    design, Z, scale, rng = make(shape, sole=sole)
    weighted = WeightedZ(design.factors)
    for got, expected in zip(weighted.scale, scale, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-14)
    np.testing.assert_allclose(weighted.cross.matrix().toarray(), Z.T @ Z, **CLOSE)
    assert (weighted.n, weighted.q) == Z.shape
    assert weighted.offsets.tolist() == weighted.cross.offsets.tolist()
    arrays = [id(A) for A in weighted.cross.diagonal]
    arrays += [id(pair.values) for pair in weighted.cross.pairs.values()]
    for w in (rng.uniform(0.1, 2.0, 150), rng.normal(size=150)):
        cross = weighted.set_weights(w)
        np.testing.assert_allclose(cross.matrix().toarray(), Z.T @ (w[:, None] * Z), **CLOSE)
        again = [id(A) for A in cross.diagonal] + [id(p.values) for p in cross.pairs.values()]
        assert again == arrays


@pytest.mark.parametrize("sole", ["broadcast", "covariate"])
@each_shape
def test_products_with_vectors(shape, sole):
    design, Z, _, rng = make(shape, sole=sole)
    weighted = WeightedZ(design.factors)
    T = designs.templates(rng, weighted.widths, "zero diagonal" if "wide" in shape else "random")
    u, s, w = rng.normal(size=weighted.q), rng.normal(size=150), rng.normal(size=150)
    X = rng.normal(size=(150, 4))
    expected = Z @ lam(weighted.cross, T) @ u
    np.testing.assert_allclose(weighted.times(T, u), expected, **CLOSE)
    out = np.full(150, np.nan)
    assert weighted.times(T, u, out) is out
    np.testing.assert_allclose(out, expected, **CLOSE)
    np.testing.assert_allclose(weighted.transposed(s), Z.T @ s, **CLOSE)
    np.testing.assert_allclose(weighted.transposed(X), Z.T @ X, **CLOSE)
    np.testing.assert_allclose(weighted.transposed(X[:, ::2]), Z.T @ X[:, ::2], **CLOSE)
    expected = Z.T @ (w[:, None] * X)
    np.testing.assert_allclose(weighted.transposed_weighted_X(w, X), expected, **CLOSE)
    assert weighted.transposed_weighted_X(w, X[:, :0]).shape == (weighted.q, 0)


@pytest.mark.parametrize("sole", ["broadcast", "covariate"])
@each_shape
def test_quadratic_needs_only_the_pattern(shape, sole):
    design, Z, _, rng = make(shape, sole=sole)
    weighted = WeightedZ(design.factors)
    cross = weighted.cross
    T = designs.templates(rng, weighted.widths)
    S = rng.normal(size=(cross.q, cross.q))
    S = S + S.T
    blocks = [
        np.array([S[i : i + k, i : i + k] for i in o + k * np.arange(ell)])
        for ell, k, o in zip(cross.n_levels, cross.widths, cross.offsets)
    ]
    pairs = {
        (b, c): np.array([
            S[i : i + cross.widths[b], j : j + cross.widths[c]]
            for i, j in zip(cross.offsets[b] + cross.widths[b] * pair.rows,
                            cross.offsets[c] + cross.widths[c] * pair.indices)
        ])
        for (b, c), pair in cross.pairs.items()
    }  # fmt: skip
    loadings = Z @ lam(cross, T)
    expected = np.einsum("ij,jk,ik->i", loadings, S, loadings)
    np.testing.assert_allclose(weighted.quadratic(T, blocks, pairs), expected, **CLOSE)


@pytest.mark.parametrize("dense", [0, 100_000])
def test_places_of_rows(dense, monkeypatch):
    monkeypatch.setattr(blocks, "DENSE_PAIRS", dense)
    rng = np.random.default_rng(0)
    b, c = rng.integers(0, 9, 80, dtype=np.int32), rng.integers(0, 7, 80, dtype=np.int32)
    indptr, indices = blocks.pair_pattern(b, c, 9, 7)
    place = np.empty(80, dtype=np.int32)
    _weighted.places(b, c, indptr, indices, place)
    assert (place == numpy_kernels.places(b, c, indptr, indices)).all()


def test_a_given_scale_and_a_column_of_zeros():
    design, _, _, _ = make("one, k=2")
    design.factors[0].Z[:, 1] = 0.0
    assert WeightedZ(design.factors).scale[0].tolist()[1] == 1.0
    given = WeightedZ(design.factors, [np.array([2.0, 5.0])])
    np.testing.assert_allclose(
        given.cross.diagonal[0][:, 0, 0] * 4.0,
        np.bincount(design.factors[0].codes, design.factors[0].Z[:, 0] ** 2), **CLOSE
    )  # fmt: skip


def test_weights_of_one_give_the_cross_products_of_a_linear_model():
    from helpers import dense_lmm

    d = dense_lmm.random_design(1, (2, 3, 1), (11, 6, 4), n=60)
    ours, linear = WeightedZ(d.factors), cross_products_of(d)
    assert ours.cross.n_levels == linear.z.n_levels
    np.testing.assert_allclose(ours.cross.matrix().toarray(), linear.z.matrix().toarray(), **CLOSE)
    factor = choose_factor(ours.cross)
    factor.set_cross(ours.set_weights(np.full(60, 2.0)))
    factor.refactor([np.eye(k) for k in ours.widths])
    M = 2.0 * linear.z.matrix().toarray() + np.eye(ours.q)
    np.testing.assert_allclose(factor.logdet, np.linalg.slogdet(M)[1], rtol=1e-12)
