"""The factorisations against dense numpy and against each other, singular templates included."""

import builtins
import copy
import importlib.util
import pickle
import sys
import types

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import random_designs as designs

from interlace.errors import (
    ArgumentError,
    InterlaceWarning,
    MissingDependencyError,
    NumericalError,
    TooLargeError,
)
from interlace.linalg import memory
from interlace.linalg.crossproducts.blocks import PairBlocks, ZCross
from interlace.linalg.factor import choose as choice
from interlace.linalg.factor import schur, sparse
from interlace.linalg.factor.cholmod import CholmodFactor
from interlace.linalg.factor.choose import choose_factor
from interlace.linalg.factor.dense import DenseFactor
from interlace.linalg.factor.nested import NestedFactor, is_nested
from interlace.linalg.factor.schur import SchurFactor
from interlace.linalg.factor.superlu import SuperLUFactor

EPS = np.finfo(float).eps
KINDS = [
    "random", "zero diagonal", "zero column", "zero first", "zero last", "all zero", "tiny",
    "mixed", "large",
]  # fmt: skip
has_cholmod = importlib.util.find_spec("sksparse") is not None
needs_cholmod = pytest.mark.skipif(not has_cholmod, reason="scikit-sparse is not installed")


def design(name):
    """ZCross of a named random design."""
    rng = np.random.default_rng(7)
    kind, n, levels, widths = (DESIGNS | WIDE)[name]
    if kind == "unbalanced":
        # a few levels of the first factor meet most of the second, the others one or two
        first = np.r_[np.repeat(np.arange(4), 60), np.arange(4, levels[0]).repeat(2)]
        second = np.r_[np.tile(np.arange(60), 4), rng.integers(0, levels[1], 2 * (levels[0] - 4))]
        second[: levels[1]] = np.arange(levels[1])
        Z = [designs.covariates(rng, len(first), k) for k in widths]
        return designs.cross_of([first, second], Z, list(levels))
    if kind == "touching":
        # two crossed halves that share a single level of the second factor
        first = np.r_[rng.integers(0, 8, 60), 8 + rng.integers(0, 8, 60)]
        second = np.r_[rng.integers(0, 5, 60), 4 + rng.integers(0, 5, 60)]
        first[:8], first[60:68] = np.arange(8), 8 + np.arange(8)
        second[:5], second[60:65] = np.arange(5), 4 + np.arange(5)
        Z = [designs.covariates(rng, 120, k) for k in widths]
        return designs.cross_of([first, second], Z, list(levels))
    codes, Z, levels = getattr(designs, kind)(rng, n, levels, widths)
    return designs.cross_of(codes, Z, levels)


DESIGNS = {
    "one, k=1": ("nested", 60, (12,), (1,)),
    "one, k=2": ("nested", 60, (12,), (2,)),
    "one, k=3": ("nested", 80, (12,), (3,)),
    "one row per level": ("nested", 25, (25,), (2,)),
    "nested 2": ("nested", 90, (20, 6), (1, 1)),
    "nested 2, wide": ("nested", 90, (20, 6), (2, 3)),
    "nested 3": ("nested", 120, (30, 10, 4), (2, 1, 2)),
    "nested 3, one root": ("nested", 120, (30, 10, 1), (3, 2, 1)),
    "crossed": ("crossed", 120, (20, 6), (1, 1)),
    "crossed, wide": ("crossed", 200, (20, 6), (2, 3)),
    "crossed, sparse": ("crossed", 120, (60, 50), (1, 1)),
    "crossed, sparse, wide": ("crossed", 150, (60, 40), (3, 2)),
    "crossed, one row per level": ("crossed", 70, (70, 30), (1, 1)),
    "crossed 3": ("crossed", 200, (30, 10, 4), (2, 1, 2)),
    "crossed 3, sparse": ("crossed", 150, (50, 40, 30), (1, 2, 1)),
    "crossed with one level": ("crossed", 100, (30, 1), (1, 2)),
    "unbalanced": ("unbalanced", 0, (60, 70), (2, 1)),
    "touching": ("touching", 0, (16, 9), (1, 1)),
}
WIDE = {
    "wide alone": ("nested", 150, (1,), (60,)),
    "wide beside": ("crossed", 150, (12, 1), (1, 60)),
}
BACKENDS = {"cholmod": CholmodFactor, "superlu": SuperLUFactor}
CASES = [
    (name, backend) for name in DESIGNS for backend in ("blocked", "cholmod", "superlu", "dense")
]


def make(name, backend):
    if backend == "cholmod" and not has_cholmod:
        pytest.skip("scikit-sparse is not installed")
    if backend == "dense":
        return DenseFactor(design(name))
    return choose_factor(design(name), backend)


def check(factor, dense, tolerance, information=True):
    """All answers of a factor; tolerance is relative to the largest entry of each answer.

    `information` sums terms of either sign of the size of its entries in Z'WZ where T is singular.
    """
    rng = np.random.default_rng(3)
    np.testing.assert_allclose(factor.logdet, dense.logdet(), rtol=tolerance, atol=tolerance)
    R = rng.normal(size=(factor.cross.q, 3))
    for right in (R, R[:, 0]):
        close(factor.solve(right), dense.inverse @ right, tolerance)
    for b in range(len(factor.cross.widths)):
        close(factor.inverse_blocks(b), dense.inverse_blocks(b), tolerance)
        if information:
            close(factor.information(b), dense.information(b), tolerance)


def close(got, expected, tolerance):
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "backend"), CASES)
def test_against_dense(name, backend, kind):
    factor = make(name, backend)
    T = designs.templates(np.random.default_rng(11), factor.cross.widths, kind)
    dense = designs.Dense(factor.cross, T)
    factor.refactor(T)
    # roundings grow with the condition of M; 1e-10 is what BRACKET_FLOOR promises at its worst
    # (eps / 1e-4 times a few dozen roundings)
    check(factor, dense, 1e-10 + 50 * EPS * np.linalg.cond(dense.M))


@pytest.mark.parametrize("kind", ["random", "zero diagonal", "zero last", "tiny", "mixed"])
@pytest.mark.parametrize("name", ["crossed, wide", "nested 3", "crossed 3, sparse", "unbalanced"])
def test_backends_agree(name, kind):
    cross = design(name)
    names = ["blocked", "superlu"] + ["cholmod"] * has_cholmod
    factors = [choose_factor(cross, backend) for backend in names]
    T = designs.templates(np.random.default_rng(5), cross.widths, kind)
    for factor in factors:
        factor.refactor(T)
    first, *others = factors
    for other in others:
        np.testing.assert_allclose(other.logdet, first.logdet, rtol=1e-9, atol=1e-9)
        for b in range(len(cross.widths)):
            close(other.inverse_blocks(b), first.inverse_blocks(b), 1e-9)
            close(other.information(b), first.information(b), 1e-9)


@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize("name", ["wide alone", "wide beside"])
def test_groups_of_many_columns(name, diagonal):
    factor = choose_factor(design(name))
    assert isinstance(factor, DenseFactor)
    rng, k = np.random.default_rng(2), max(factor.cross.widths)
    for size in (1.0, 1e-4):
        T = designs.templates(rng, factor.cross.widths, "random")
        if diagonal:
            T[-1] = size * np.eye(k)
        factor.refactor(T)
        dense = designs.Dense(factor.cross, T)
        check(factor, dense, 1e-10 + 50 * EPS * np.linalg.cond(dense.M))


@pytest.mark.parametrize("again", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
@pytest.mark.parametrize(("name", "backend"), CASES)
def test_copies_and_pickles_answer_alike(name, backend, again):
    factor = make(name, backend)
    first, second = (
        designs.templates(np.random.default_rng(seed), factor.cross.widths, "random")
        for seed in (5, 6)
    )
    factor.refactor(first)
    factor.inverse_pairs()
    other = again(factor)
    assert type(other) is type(factor)
    for T in (first, second):  # the second fills the same memory again
        factor.refactor(T)
        other.refactor(T)
        assert other.logdet == factor.logdet
        R = np.ones(factor.cross.q)
        np.testing.assert_array_equal(other.solve(R), factor.solve(R))
        np.testing.assert_array_equal(other.inverse_blocks(0), factor.inverse_blocks(0))


@pytest.mark.parametrize("share", [0.0, 1.1])
@pytest.mark.parametrize("name", ["crossed, wide", "crossed 3, sparse", "crossed, sparse, wide"])
def test_sparse_and_dense_coupling_agree_with_dense_numpy(name, share, monkeypatch):
    monkeypatch.setattr(schur, "DENSE_SHARE", share)
    monkeypatch.setattr(schur, "CHUNK", 7)
    factor = SchurFactor(design(name))
    for kind in ("random", "zero diagonal", "zero first", "zero last"):
        T = designs.templates(np.random.default_rng(2), factor.cross.widths, kind)
        factor.refactor(T)
        dense = designs.Dense(factor.cross, T)
        check(factor, dense, 1e-10 + 50 * EPS * np.linalg.cond(dense.M))


def test_unbalanced_design_has_sparse_and_dense_coupling():
    kinds = [type(part).__name__ for part in SchurFactor(design("unbalanced"))._couplings]
    assert kinds == ["SparseCoupling", "DenseCoupling"]


@pytest.mark.parametrize("kind", ["zero diagonal", "zero column", "zero last", "all zero"])
@pytest.mark.parametrize("name", ["crossed, wide", "nested 3", "crossed 3, sparse"])
def test_information_by_extrapolation(name, kind, monkeypatch):
    monkeypatch.setattr(sparse, "EXACT_COLUMNS", 0)
    factor = SuperLUFactor(design(name))
    T = designs.templates(np.random.default_rng(4), factor.cross.widths, kind)
    factor.refactor(T)
    before = factor.logdet
    dense = designs.Dense(factor.cross, T)
    for b in range(len(T)):
        # 2.4e-11 of the cubic and 3e-12 of rounding times the imbalance of the levels (below 30)
        close(factor.information(b), dense.information(b), 2e-10)
    assert factor.logdet == before


@pytest.mark.parametrize("name", ["nested 3", "crossed 3", "unbalanced"])
@pytest.mark.parametrize("backend", ["blocked", "cholmod", "superlu"])
def test_exact_and_divided_information_agree(name, backend):
    factor = make(name, backend)
    factor.refactor(designs.templates(np.random.default_rng(9), factor.cross.widths))
    for b in range(len(factor.cross.widths)):
        close(factor._information_exact(b), factor.information(b), 1e-9)


@pytest.mark.parametrize(("name", "backend"), CASES)
def test_new_values_on_the_same_pattern(name, backend):
    factor = make(name, backend)
    T = designs.templates(np.random.default_rng(1), factor.cross.widths)
    factor.refactor(T)
    factor.inverse_blocks(0)
    old, rng = factor.cross, np.random.default_rng(6)
    # D A D with a random diagonal D is another Z'WZ on the same pattern
    scale = [rng.uniform(0.5, 2.0, size=(ell, k)) for ell, k in zip(old.n_levels, old.widths)]
    diagonal = tuple(s[:, :, None] * A * s[:, None, :] for s, A in zip(scale, old.diagonal))
    pairs = {
        (b, c): PairBlocks(
            pair.indptr,
            pair.indices,
            scale[b][pair.rows][:, :, None] * pair.values * scale[c][pair.indices][:, None, :],
        )
        for (b, c), pair in old.pairs.items()
    }
    factor.set_cross(ZCross(old.n_levels, old.widths, diagonal, pairs))
    factor.refactor(T)
    dense = designs.Dense(factor.cross, T)
    check(factor, dense, 1e-10 + 50 * EPS * np.linalg.cond(dense.M))


@pytest.mark.parametrize("backend", ["blocked", "cholmod", "superlu"])
def test_answers_do_not_depend_on_what_was_asked_before(backend):
    factor = make("crossed 3, sparse", backend)
    rng = np.random.default_rng(8)
    regular = designs.templates(rng, factor.cross.widths)
    singular = designs.templates(rng, factor.cross.widths, "zero diagonal")
    factor.refactor(singular)
    for b in (2, 0, 1):
        factor.information(b)
    factor.refactor(regular)
    got = [factor.information(b) for b in range(3)] + [factor.inverse_blocks(1)]
    fresh = make("crossed 3, sparse", backend)
    fresh.refactor(regular)
    expected = [fresh.inverse_blocks(1)] + [fresh.information(b) for b in (2, 1, 0)]
    for a, b in zip(got, expected[::-1]):
        np.testing.assert_array_equal(a, b)


def test_nesting_is_seen_from_the_pattern():
    assert is_nested(design("one, k=2")) and is_nested(design("nested 3"))
    assert not is_nested(design("crossed"))


def test_matrix_is_the_full_cross_product():
    rng = np.random.default_rng(0)
    codes, Z, levels = designs.crossed(rng, 50, (8, 5), (2, 1))
    dense = np.zeros((50, 8 * 2 + 5))
    for i in range(50):
        dense[i, 2 * codes[0][i] : 2 * codes[0][i] + 2] = Z[0][i]
        dense[i, 16 + codes[1][i]] = Z[1][i, 0]
    cross = designs.cross_of(codes, Z, levels)
    assert cross.q == 21 and cross.offsets.tolist() == [0, 16, 21]
    np.testing.assert_allclose(cross.matrix().toarray(), dense.T @ dense, atol=1e-13)


@pytest.mark.parametrize("name", ["one, k=3", "crossed, wide"])
@pytest.mark.parametrize("backend", ["blocked", "cholmod", "superlu"])
def test_indefinite_matrix_is_refused(name, backend):
    factor = make(name, backend)
    old = factor.cross
    factor.set_cross(ZCross(old.n_levels, old.widths, tuple(-A for A in old.diagonal), old.pairs))
    with pytest.raises(NumericalError, match="not positive definite"):
        factor.refactor([np.eye(k) for k in old.widths])


class TestChoice:
    def test_one_factor_and_chains(self):
        assert isinstance(choose_factor(design("one, k=2")), NestedFactor)
        assert isinstance(choose_factor(design("nested 3")), NestedFactor)
        assert choose_factor(design("nested 3"), "schur").name == "schur"

    def test_small_or_dense_tails(self, monkeypatch):
        assert choose_factor(design("crossed")).name == "schur"
        assert choose_factor(design("unbalanced"), "blocked").name == "schur"
        monkeypatch.setattr(choice, "SMALL_TAIL", 0)
        assert choose_factor(design("crossed, wide")).name == "schur"

    def test_large_sparse_tails(self, monkeypatch):
        rng = np.random.default_rng(0)
        codes, Z, levels = designs.crossed(rng, 2000, (1800, 1500), (1, 1))
        cross = designs.cross_of(codes, Z, levels)
        monkeypatch.setattr("interlace.linalg.factor.choose.cholmod_available", lambda: False)
        assert choose_factor(cross).name == "superlu"
        assert choose_factor(cross, "blocked").name == "schur"
        if has_cholmod:
            monkeypatch.undo()
            assert choose_factor(cross).name == "cholmod"

    def test_a_tail_too_large_for_memory(self, monkeypatch):
        monkeypatch.setattr(choice, "DENSE_BYTES", 1e3)
        monkeypatch.setattr("interlace.linalg.factor.choose.cholmod_available", lambda: False)
        assert choose_factor(design("crossed, sparse")).name == "superlu"

    @pytest.mark.parametrize("looked_at", [1e8, 0.0])
    @pytest.mark.parametrize("fits", [True, False])
    def test_very_much_work_is_said(self, monkeypatch, fits, looked_at):
        monkeypatch.setattr("interlace.linalg.factor.choose.cholmod_available", lambda: False)
        monkeypatch.setattr(choice, "PAIRS_LOOKED_AT", looked_at)
        monkeypatch.setattr(choice, "SMALL_TAIL", 0)
        cross = design("crossed, sparse")
        if not fits:
            monkeypatch.setattr(choice, "DENSE_BYTES", 1e3)
        choose_factor(cross)  # in silence
        monkeypatch.setattr(choice, "DENSE_RATE", 1e-1)
        with pytest.warns(InterlaceWarning, match="may take up to .* hours and 0.0 GB") as caught:
            factor = choose_factor(cross)
        assert f"({factor.name})" in str(caught[0].message)
        assert "scikit-sparse" in str(caught[0].message)
        monkeypatch.setattr(choice, "DENSE_RATE", 47e9)
        monkeypatch.setattr(choice, "LARGE_BYTES", 1e3)
        with pytest.warns(InterlaceWarning, match="may take up to 0 seconds"):
            choose_factor(cross)
        choose_factor(cross, "blocked")  # asked for by name: in silence

    @pytest.mark.parametrize("backend", [None, "blocked", "schur", "cholmod"])
    def test_what_memory_is_too_small_for_is_not_begun(self, monkeypatch, backend):
        if backend == "cholmod" and not has_cholmod:
            pytest.skip("no CHOLMOD")
        cross = design("crossed, sparse")
        monkeypatch.setattr(choice, "FEW_COLUMNS", 0)
        choose_factor(cross, backend)
        monkeypatch.setattr(memory, "available_memory", lambda: 1e3)
        for name in ("SchurFactor", "SuperLUFactor"):
            monkeypatch.setattr(getattr(choice, name), "__init__", lambda *_: pytest.fail("begun"))
        words = r"grouping factors \((schur|cholmod|superlu)\) needs about .* 1e-06 GB are free"
        with pytest.raises(TooLargeError, match=words) as caught:
            choose_factor(cross, backend)
        assert "leave out one of the grouping factors" in str(caught.value)

    def test_one_factor_is_never_too_large(self, monkeypatch):
        monkeypatch.setattr(memory, "available_memory", lambda: 0.0)
        choose_factor(design("one, k=1"))

    def test_refused(self):
        with pytest.raises(ArgumentError, match="'umfpack'"):
            choose_factor(design("crossed"), "umfpack")
        with pytest.raises(ArgumentError, match="crossed"):
            choose_factor(design("crossed"), "nested")
        with pytest.raises(ArgumentError, match="two or more"):
            choose_factor(design("one, k=1"), "schur")

    def test_cholmod_missing(self, monkeypatch):
        real = builtins.__import__

        def without(name, *args, **kwargs):
            if name.startswith("sksparse"):
                raise ImportError(name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(MissingDependencyError) as caught:
            choose_factor(design("crossed"), "cholmod")
        for remedy in ("libsuitesparse-dev", "brew install", "conda install", "interlace[cholmod]"):
            assert remedy in str(caught.value)


class NotPositiveDefinite(Exception):
    """CholmodNotPositiveDefiniteError of the stand-in."""


class StandInFactor:
    """`CholeskyFactor` of scikit-sparse 0.5 by dense numpy, with the documented behaviour.

    Keyword-only options; analysis in the constructor; a deep `copy`; only the lower triangle is
    read; `get_factor` drops exact zeros; nothing but `copy` and `perm` works before `factorize`.
    """

    def __init__(self, A, *, lower=True, order=None, sym_kind=None, supernodal_mode=None):
        assert sp.issparse(A) and A.format == "csc"
        assert order in (None, "default", "best", "natural", "metis", "nesdis", "amd", "colamd")
        assert supernodal_mode in (None, "auto", "simplicial", "supernodal") and lower
        self.perm = np.random.default_rng(A.shape[0]).permutation(A.shape[0]).astype(np.int32)
        self.perm.setflags(write=False)
        self._L = None

    def copy(self):
        other = StandInFactor.__new__(StandInFactor)
        other.perm, other._L = self.perm, self._L
        return other

    def factorize(self, A, ldl=None, beta=0.0):
        assert self._L is None, "an object factorised before is simplicial: slow"
        lower = np.tril(A.toarray())
        full = lower + np.tril(lower, -1).T + beta * np.eye(len(lower))
        try:
            self._L = np.linalg.cholesky(full[np.ix_(self.perm, self.perm)])
        except np.linalg.LinAlgError as error:
            raise NotPositiveDefinite from error
        return self

    def solve(self, b):
        x = np.empty_like(b)
        x[self.perm] = np.linalg.solve(self._L @ self._L.T, b[self.perm])
        return x

    def logdet(self):
        return 2.0 * np.log(np.diag(self._L)).sum()

    def get_factor(self, kind=None, lower=None):
        assert kind == "LL" and lower
        return sp.csc_array(self._L)


@pytest.fixture
def version_05(monkeypatch):
    cholmod = types.ModuleType("sksparse.cholmod")
    cholmod.CholeskyFactor = StandInFactor
    cholmod.CholmodNotPositiveDefiniteError = NotPositiveDefinite
    package = types.ModuleType("sksparse")
    package.cholmod = cholmod
    monkeypatch.setitem(sys.modules, "sksparse", package)
    monkeypatch.setitem(sys.modules, "sksparse.cholmod", cholmod)


@pytest.mark.parametrize("kind", ["random", "zero diagonal", "zero first", "all zero"])
@pytest.mark.parametrize("name", ["one, k=2", "crossed 3", "crossed, sparse, wide"])
def test_interface_of_scikit_sparse_05(name, kind, version_05):
    factor = CholmodFactor(design(name))
    T = designs.templates(np.random.default_rng(11), factor.cross.widths, kind)
    for _ in range(2):
        factor.refactor(T)
        dense = designs.Dense(factor.cross, T)
        check(factor, dense, 1e-10 + 50 * EPS * np.linalg.cond(dense.M))
    factor.set_cross(
        ZCross(factor.cross.n_levels, factor.cross.widths,
               tuple(-A for A in factor.cross.diagonal), factor.cross.pairs)
    )  # fmt: skip
    with pytest.raises(NumericalError):
        factor.refactor([np.eye(k) for k in factor.cross.widths])
