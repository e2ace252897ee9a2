"""Adjusted p-values against scipy's studentised range and by hand."""

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import false_discovery_control, studentized_range, t

from interlace.inference import multivariate_t
from interlace.inference.multiplicity import (
    Together,
    adjusted_pvalues,
    critical_value,
    studentised_range_tail,
)
from interlace.inference.multivariate_t import LargestT


@pytest.mark.parametrize("df", [1.2, 4.0, 30.0, 49.0, 51.0, 3000.0])
@pytest.mark.parametrize("k", [2, 3, 10, 40])
def test_studentised_range(k, df):
    for q in (0.3, 2.0, 4.0, 9.0):
        expected = studentized_range.sf(q, k, df)
        assert studentised_range_tail(q, k, df) == pytest.approx(expected, rel=1e-7, abs=1e-10)


def test_two_means_are_a_t_test():
    for df in (2.0, 17.0, 1e5):
        own = studentised_range_tail(np.sqrt(2.0) * 2.3, 2, df)
        assert own == pytest.approx(2.0 * t.sf(2.3, df), rel=1e-9)
    assert studentised_range_tail(3.0, 4, np.inf) == pytest.approx(
        studentised_range_tail(3.0, 4, 1e9), rel=1e-7
    )


def test_by_hand():
    statistic, df = np.array([1.0, 2.5, 3.0, 0.2]), np.full(4, 12.0)
    p = 2.0 * t.sf(statistic, df)
    found = {
        m: adjusted_pvalues(statistic, df, m, Together(4, 3))
        for m in ("bonferroni", "holm", "sidak")
    }
    np.testing.assert_allclose(found["bonferroni"], np.minimum(4.0 * p, 1.0))
    np.testing.assert_allclose(found["sidak"], 1.0 - (1.0 - p) ** 4)
    order = np.argsort(p)
    holm = np.maximum.accumulate(np.minimum(np.array([4, 3, 2, 1]) * p[order], 1.0))
    np.testing.assert_allclose(found["holm"][order], holm)
    np.testing.assert_allclose(
        adjusted_pvalues(statistic, df, "fdr", Together(4, 3)), false_discovery_control(p)
    )


@pytest.mark.parametrize("method", ["tukey", "dunnett", "scheffe", "sidak", "bonferroni"])
def test_intervals_end_where_p_values_do(method):
    df = np.array([7.0, 7.0, 22.5])
    half = critical_value(0.9, df, method, 3, Together(3, 2))
    p = adjusted_pvalues(half, df, method, Together(3, 2))
    np.testing.assert_allclose(p, 0.1, rtol=1e-7)


@pytest.mark.parametrize("df", [3.3, 17.0, np.inf])
@pytest.mark.parametrize(("k", "error"), [(2, 1e-12), (3, 1e-7), (5, 2e-5), (8, 1e-4)])
def test_multivariate_t_of_all_pairs_is_the_studentised_range(k, error, df):
    W = np.array([np.eye(k)[i] - np.eye(k)[j] for i in range(k) for j in range(i)])
    largest = LargestT(W @ W.T / 2.0)
    for value in (0.5, 1.5, 2.5, 4.0):
        expected = studentised_range_tail(np.sqrt(2.0) * value, k, df)
        assert largest.tail(value, df) == pytest.approx(expected, rel=1e-5, abs=error)


@pytest.mark.parametrize("k", [4, 5, 6])
def test_the_lattice_serves_in_any_basis(k, monkeypatch):
    W = np.array([np.eye(k)[i] - np.eye(k)[j] for i in range(k) for j in range(i)]) / np.sqrt(2.0)
    turn = np.linalg.qr(np.random.default_rng(k).standard_normal((k - 1, k - 1)))[0]
    root = multivariate_t._root(W @ W.T)
    np.testing.assert_allclose(root @ root.T, W @ W.T, atol=1e-12)
    monkeypatch.setattr(multivariate_t, "_root", lambda _: root @ turn)
    for value in (0.5, 1.5, 2.5, 4.0):
        expected = studentised_range_tail(np.sqrt(2.0) * value, k, 17.0)
        assert LargestT(W @ W.T).tail(value, 17.0) == pytest.approx(expected, abs=1.5e-5)


def test_multivariate_t_of_independent_normal_statistics():
    one_sided, two_sided = LargestT(np.eye(3), one_sided=True), LargestT(np.eye(3))
    for value in (-1.2, 0.0, 0.7, 2.1):
        below = ndtr(value)
        assert one_sided.tail(value, np.inf) == pytest.approx(1.0 - below**3, abs=2e-5)
        if value > 0.0:
            both = 2.0 * below - 1.0
            assert two_sided.tail(value, np.inf) == pytest.approx(1.0 - both**3, abs=2e-5)


@pytest.mark.parametrize(("k", "values"), [(6, (3.0, 5.0, 7.0)), (10, (3.0, 4.0))])
def test_small_tails_of_independent_statistics_keep_two_digits(k, values):
    for sides, one_sided in ((1.0, True), (2.0, False)):
        largest = LargestT(np.eye(k), one_sided)
        for value in values:
            expected = -np.expm1(k * np.log1p(-sides * ndtr(-value)))
            assert largest.tail(value, np.inf) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("tail", [-1, 1])
def test_one_sided(tail):
    statistic, df = np.array([1.4, -0.3, 2.2]), np.array([5.0, 9.0, np.inf])
    single = t.sf(tail * statistic, df)
    family = Together(3, 2)
    for method in ("none", "tukey", "scheffe", "dunnett", "sidak"):
        expected = single if method == "none" else 1.0 - (1.0 - single) ** 3
        p = adjusted_pvalues(statistic, df, method, family, tail)
        np.testing.assert_allclose(p, expected, rtol=1e-10)
        half = critical_value(0.9, df, method, 3, family, tail)
        at = adjusted_pvalues(tail * half, df, method, family, tail)
        np.testing.assert_allclose(at, 0.1, rtol=1e-8)
