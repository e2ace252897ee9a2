"""Relationships of pedigrees against the recursion over animals, one by one."""

import numpy as np
import pytest

from interlace.linalg import pedigree
from interlace.linalg.pedigree import (
    generations,
    inbreeding,
    inverse_relationships,
    mendelian_variances,
    relationships,
)


def random_pedigree(seed, n=120, founders=4, window=25, unknown=0.1):
    """Parents before their children; some of one parent or none, some of selfing."""
    rng = np.random.default_rng(seed)
    sire, dam = np.full(n, -1), np.full(n, -1)
    for i in range(founders, n):
        for parent in (sire, dam):
            if rng.random() > unknown:
                parent[i] = rng.integers(max(0, i - window), i)
    return sire, dam


def one_by_one(sire, dam):
    n = sire.size
    A = np.zeros((n, n))

    def half(i, j):
        return 0.5 * sum(A[p, j] for p in (sire[i], dam[i]) if p >= 0)

    for i in range(n):
        for j in range(i):
            A[i, j] = A[j, i] = half(i, j)
        A[i, i] = 1.0 + (0.5 * A[sire[i], dam[i]] if min(sire[i], dam[i]) >= 0 else 0.0)
    return A


@pytest.mark.parametrize("seed", range(4))
def test_relationships_inbreeding_and_inverse(seed, monkeypatch):
    monkeypatch.setattr(pedigree, "AT_ONCE", 1000)  # several blocks
    sire, dam = random_pedigree(seed, unknown=0.1 * seed)
    A = one_by_one(sire, dam)
    assert np.diagonal(A).max() > 1.1 or seed == 3
    # animals in any order
    order = np.random.default_rng(seed).permutation(sire.size)
    place = np.append(np.argsort(order), -1)
    sire, dam, A = place[sire[order]], place[dam[order]], A[np.ix_(order, order)]
    of, rest = generations(sire, dam)
    assert not rest.size
    np.testing.assert_allclose(relationships(sire, dam, of), A, atol=1e-15)
    F = inbreeding(sire, dam, of)
    # sums of at most n terms of size one
    np.testing.assert_allclose(F, np.diagonal(A) - 1.0, atol=sire.size * 2e-16)
    D = mendelian_variances(sire, dam, F)
    assert (D > 0.0).all()
    Q = inverse_relationships(sire, dam, D)
    np.testing.assert_allclose((Q @ A), np.eye(sire.size), atol=1e-12)


def test_the_inverse_has_entries_of_relatives_alone():
    sire, dam = random_pedigree(7, 3000, 300, 600, 0.0)
    of, _ = generations(sire, dam)
    Q = inverse_relationships(sire, dam, mendelian_variances(sire, dam, inbreeding(sire, dam, of)))
    assert Q.nnz < 8 * sire.size
    assert abs(Q - Q.T).max() == 0.0


def test_animals_without_a_generation():
    sire, dam = np.array([1, 0, -1, 1, -1]), np.array([-1, -1, 4, 2, -1])
    of, rest = generations(sire, dam)
    assert [own.tolist() for own in of] == [[4], [2]]
    assert rest.tolist() == [0, 1, 3]


def test_no_animals():
    none = np.zeros(0, dtype=int)
    of, rest = generations(none, none)
    assert relationships(none, none, of).shape == (0, 0)
    assert not rest.size
