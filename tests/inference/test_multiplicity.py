"""Adjusted p-values against scipy's studentised range and by hand."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control, studentized_range, t

from interlace.inference.multiplicity import (
    adjusted_pvalues,
    critical_value,
    studentised_range_tail,
)


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
    found = {m: adjusted_pvalues(statistic, df, m, 4, 3) for m in ("bonferroni", "holm", "sidak")}
    np.testing.assert_allclose(found["bonferroni"], np.minimum(4.0 * p, 1.0))
    np.testing.assert_allclose(found["sidak"], 1.0 - (1.0 - p) ** 4)
    order = np.argsort(p)
    holm = np.maximum.accumulate(np.minimum(np.array([4, 3, 2, 1]) * p[order], 1.0))
    np.testing.assert_allclose(found["holm"][order], holm)
    np.testing.assert_allclose(
        adjusted_pvalues(statistic, df, "fdr", 4, 3), false_discovery_control(p)
    )


@pytest.mark.parametrize("method", ["tukey", "dunnett", "scheffe", "sidak", "bonferroni"])
def test_intervals_end_where_p_values_do(method):
    df = np.array([7.0, 7.0, 22.5])
    half = critical_value(0.9, df, method, 3, 3, 2)
    p = adjusted_pvalues(half, df, method, 3, 2)
    np.testing.assert_allclose(p, 0.1, rtol=1e-7)
