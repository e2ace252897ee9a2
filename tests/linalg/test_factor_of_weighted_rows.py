"""What generalised models ask of every back end: the inverse where levels share a row, and weights
that change and may be negative in places."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import random_designs as designs

from interlace.errors import NumericalError
from interlace.linalg.crossproducts.weighted import WeightedZ
from interlace.linalg.factor import base as factors
from interlace.linalg.factor import schur, sparse
from interlace.linalg.factor.choose import choose_factor
from interlace.linalg.factor.superlu import SuperLUFactor

EPS = np.finfo(float).eps
has_cholmod = importlib.util.find_spec("sksparse") is not None
DESIGNS = {
    "one, k=1": ("nested", 60, (12,), (1,)),
    "one, k=3": ("nested", 80, (12,), (3,)),
    "nested 2": ("nested", 90, (20, 6), (1, 1)),
    "nested 2, wide": ("nested", 90, (20, 6), (2, 3)),
    "nested 3": ("nested", 120, (30, 10, 4), (2, 1, 2)),
    "nested 4": ("nested", 120, (30, 10, 4, 1), (1, 2, 1, 1)),
    "crossed": ("crossed", 120, (20, 6), (1, 1)),
    "crossed, wide": ("crossed", 200, (20, 6), (2, 3)),
    "crossed, sparse": ("crossed", 120, (60, 50), (1, 1)),
    "crossed, sparse, wide": ("crossed", 150, (60, 40), (3, 2)),
    "crossed 3": ("crossed", 200, (30, 10, 4), (2, 1, 2)),
    "crossed 3, sparse": ("crossed", 150, (50, 40, 30), (1, 2, 1)),
    "unbalanced": ("unbalanced", 358, (60, 70), (2, 1)),
}
KINDS = ["random", "zero diagonal", "zero column", "zero first", "zero last", "all zero", "tiny"]
CASES = [(name, backend) for name in DESIGNS for backend in ("blocked", "cholmod", "superlu")]
each_case = pytest.mark.parametrize(("name", "backend"), CASES)


def rows_of(name):
    """`WeightedZ` of a named random design, and weights that keep M positive definite."""
    kind, n, levels, widths = DESIGNS[name]
    rng = np.random.default_rng(23)
    if kind == "unbalanced":
        # a few levels of the first factor meet most of the second, the others one or two
        first = np.r_[
            np.repeat(np.arange(4), 60), np.arange(4, 60).repeat(2), rng.integers(0, 4, 6)
        ]
        second = np.r_[np.tile(np.arange(60), 4), rng.integers(0, 70, 118)]
        second[:70] = np.arange(70)
        codes, Z = [first, second], [designs.covariates(rng, n, k) for k in widths]
    else:
        codes, Z, _ = getattr(designs, kind)(rng, n, levels, widths)
    made = [
        SimpleNamespace(codes=c.astype(np.int32), Z=z, levels=np.arange(ell))
        for c, z, ell in zip(codes, Z, levels)
    ]
    return WeightedZ(made), rng


def make(name, backend):
    if backend == "cholmod" and not has_cholmod:
        pytest.skip("scikit-sparse is not installed")
    weighted, rng = rows_of(name)
    return choose_factor(weighted.cross, backend), weighted, rng


def mixed_weights(weighted, T, rng, lowest=0.2):
    """Weights of either sign with M positive definite: its smallest eigenvalue is `lowest`."""
    w = rng.normal(size=weighted.n) + 0.3
    shape = designs.Dense(weighted.set_weights(w), T)
    least = np.linalg.eigvalsh(shape.M)[0]
    if least < lowest:
        w *= (1.0 - lowest) / (1.0 - least)
    return w


def close(got, expected, tolerance):
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= tolerance * max(np.abs(expected).max(), 1e-300)


def dense_pairs(dense):
    cross, out = dense.cross, {}
    for (b, c), pair in cross.pairs.items():
        left = cross.offsets[b] + cross.widths[b] * pair.rows
        right = cross.offsets[c] + cross.widths[c] * pair.indices
        out[b, c] = np.array([
            dense.inverse[i : i + cross.widths[b], j : j + cross.widths[c]]
            for i, j in zip(left, right)
        ])  # fmt: skip
    return out


def gradient(dense, b):
    """d log|M| / dT_b = 2 Σ_l [AΛM^{-1}]_ll for any symmetric A, from tr(M^{-1} dM)."""
    return 2.0 * dense._blocks(dense.A @ dense.Lam @ dense.inverse, b).sum(axis=0)


def check(factor, dense, tolerance):
    rng = np.random.default_rng(3)
    np.testing.assert_allclose(factor.logdet, dense.logdet(), rtol=tolerance, atol=tolerance)
    R = rng.normal(size=(factor.cross.q, 3))
    for right in (R, R[:, 0]):
        close(factor.solve(right), dense.inverse @ right, tolerance)
    pairs, scale = factor.inverse_pairs(), np.abs(dense.inverse).max()
    expected = dense_pairs(dense)
    assert pairs.keys() == expected.keys()
    for key, blocks in expected.items():
        assert pairs[key].shape == blocks.shape
        # against the largest entry of M^{-1}: at T = 0 the blocks off the diagonal are zero
        assert np.abs(pairs[key] - blocks).max() <= tolerance * scale
    for b in range(len(factor.cross.widths)):
        close(factor.inverse_blocks(b), dense.inverse_blocks(b), tolerance)
        close(factor.information(b), dense.information(b), tolerance)
        got, expected_b = 2.0 * factor.information(b) @ factor.T[b], gradient(dense, b)
        assert np.abs(got - expected_b).max() <= tolerance * np.abs(dense.A).max() * dense.size


def answers(weighted, w, T):
    dense = designs.Dense(weighted.set_weights(w), T)
    dense.size = len(dense.A) * max(np.abs(t).max() for t in T) * np.abs(dense.inverse).max()
    # 1e-10 is what BRACKET_FLOOR promises at its worst; roundings grow with the condition of M
    return dense, 1e-10 + 50 * EPS * np.linalg.cond(dense.M)


@pytest.mark.parametrize("kind", KINDS)
@each_case
def test_weights_of_either_sign(name, backend, kind):
    factor, weighted, rng = make(name, backend)
    T = designs.templates(rng, weighted.widths, kind)
    for w in (rng.uniform(0.1, 2.0, weighted.n), mixed_weights(weighted, T, rng)):
        dense, tolerance = answers(weighted, w, T)
        factor.set_cross(weighted.cross)
        factor.refactor(T)
        check(factor, dense, tolerance)
        blocks = [factor.inverse_blocks(b) for b in range(len(T))]
        h = weighted.quadratic(T, blocks, factor.inverse_pairs())
        Z = row_matrix(weighted)
        expected = np.einsum("ij,jk,ik->i", Z @ dense.Lam, dense.inverse, Z @ dense.Lam)
        assert np.abs(h - expected).max() <= tolerance * max(np.abs(expected).max(), EPS)


def row_matrix(weighted):
    """Z (n, q) from products with unit vectors."""
    T = [np.eye(k) for k in weighted.widths]
    return np.column_stack([weighted.times(T, e) for e in np.eye(weighted.q)])


@pytest.mark.parametrize("share", [0.0, 1.1])
@pytest.mark.parametrize("name", ["crossed, wide", "crossed 3, sparse", "crossed, sparse, wide"])
def test_pairs_from_sparse_and_from_dense_coupling(name, share, monkeypatch):
    monkeypatch.setattr(schur, "DENSE_SHARE", share)
    monkeypatch.setattr(schur, "CHUNK", 7)
    factor, weighted, rng = make(name, "schur")
    for kind in ("random", "zero diagonal", "zero first", "zero last"):
        T = designs.templates(rng, weighted.widths, kind)
        dense, tolerance = answers(weighted, mixed_weights(weighted, T, rng), T)
        factor.set_cross(weighted.cross)
        factor.refactor(T)
        check(factor, dense, tolerance)


@pytest.mark.parametrize("backend", ["blocked", "cholmod", "superlu"])
@pytest.mark.parametrize("name", ["crossed 3", "unbalanced", "nested 3", "crossed, sparse"])
def test_pairs_and_blocks_in_any_order(name, backend):
    factor, weighted, rng = make(name, backend)
    T = designs.templates(rng, weighted.widths)
    dense, tolerance = answers(weighted, rng.uniform(0.1, 1.0, weighted.n), T)
    factor.set_cross(weighted.cross)
    for first in (True, False):
        factor.refactor(T)
        pairs = factor.inverse_pairs() if first else None
        blocks = [factor.inverse_blocks(b) for b in range(len(T))]
        pairs = pairs or factor.inverse_pairs()
        for b, block in enumerate(blocks):
            close(block, dense.inverse_blocks(b), tolerance)
        for key, expected in dense_pairs(dense).items():
            close(pairs[key], expected, tolerance)


@each_case
def test_an_indefinite_matrix_is_refused_and_forgotten(name, backend):
    """A single bad level, two (whose negative pivots multiply to a positive number), all of them,
    the last factor only; and the next matrix is factorised as if nothing had happened."""
    factor, weighted, rng = make(name, backend)
    T = designs.templates(rng, weighted.widths)
    good = rng.uniform(0.1, 1.0, weighted.n)
    dense, tolerance = answers(weighted, good, T)
    design_codes = weighted._codes
    for b, bad in [(0, [3]), (0, [3, 5]), (0, range(12)), (-1, [0]), (-1, range(4))]:
        w = good.copy()
        w[np.isin(design_codes[b], list(bad))] = -1e6
        assert np.linalg.eigvalsh(designs.Dense(weighted.set_weights(w), T).M)[0] < 0.0
        factor.set_cross(weighted.cross)
        with pytest.raises(NumericalError, match="not positive definite"):
            factor.refactor(T)
        factor.set_cross(weighted.set_weights(good))
        factor.refactor(T)
        check(factor, dense, tolerance)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("backend", ["blocked", "cholmod", "superlu"])
@pytest.mark.parametrize("name", ["one, k=1", "nested 3", "crossed", "crossed 3, sparse"])
def test_weights_that_are_not_finite_leave_no_trace(name, backend, bad):
    factor, weighted, rng = make(name, backend)
    T = designs.templates(rng, weighted.widths)
    good = rng.uniform(0.1, 1.0, weighted.n)
    w = good.copy()
    w[7] = bad
    factor.set_cross(weighted.set_weights(w))
    with pytest.raises(NumericalError, match="not positive definite"):
        factor.refactor(T)
    dense, tolerance = answers(weighted, good, T)
    factor.set_cross(weighted.cross)
    factor.refactor(T)
    check(factor, dense, tolerance)


@pytest.mark.parametrize("kind", ["zero diagonal", "zero last", "all zero"])
@pytest.mark.parametrize("name", ["crossed, wide", "nested 3", "crossed 3, sparse", "one, k=3"])
def test_extrapolated_information_with_weights_of_either_sign(name, kind, monkeypatch):
    monkeypatch.setattr(sparse, "EXACT_COLUMNS", 0)
    weighted, rng = rows_of(name)
    factor = SuperLUFactor(weighted.cross)
    T = designs.templates(rng, weighted.widths, kind)
    for lowest in (0.2, 1e-4):
        w = mixed_weights(weighted, T, rng, lowest)
        dense, _ = answers(weighted, w, T)
        factor.set_cross(weighted.cross)
        factor.refactor(T)
        before = factor.logdet
        tolerance = 1e-9 + 50 * EPS * np.linalg.cond(dense.M)
        for b in range(len(T)):
            # levels cancel in the sum; the error is relative to what a level can have
            size = np.abs(weighted.cross.diagonal[b]).sum(axis=0).max()
            error = factor.information(b) - dense.information(b)
            assert np.abs(error).max() <= tolerance * size
        assert factor.logdet == before


def test_bracket_of_either_sign_is_divided_when_it_is_accurate(monkeypatch):
    """Negative information is not taken for a small one."""
    factor, weighted, _ = make("one, k=1", "blocked")
    factor.set_cross(weighted.set_weights(np.full(weighted.n, -0.01)))
    factor.refactor([np.eye(1)])
    monkeypatch.setattr(factor, "_information_exact", lambda b: pytest.fail("not divided"))
    expected = designs.Dense(weighted.cross, [np.eye(1)]).information(0)
    assert expected[0, 0] < 0.0
    close(factor.information(0), expected, EPS / factors.BRACKET_FLOOR)
