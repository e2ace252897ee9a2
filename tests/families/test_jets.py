"""Jets: rules and functions against known series, and against differences in other predictors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from interlace.families import jets
from interlace.families.jets import Jet

X = np.array([0.3, 1.7, 4.0, 20.0])


def variables(*values, order=3):
    return Jet.variables(np.array(values), order)


def test_products_and_powers_of_two_variables():
    x, y = variables(X, 2.0 * X)
    f = x * x * y + 3.0 * x / y - 2.0
    a, b = X, 2.0 * X
    np.testing.assert_allclose(f.value, a * a * b + 3.0 * a / b - 2.0, rtol=1e-14)
    np.testing.assert_allclose(f.part(0), 2.0 * a * b + 3.0 / b, rtol=1e-14)
    np.testing.assert_allclose(f.part(1), a * a - 3.0 * a / b**2, rtol=1e-14)
    np.testing.assert_allclose(f.part(0, 0), 2.0 * b, rtol=1e-14)
    np.testing.assert_allclose(f.part(0, 1), 2.0 * a - 3.0 / b**2, rtol=1e-14)
    np.testing.assert_allclose(f.part(1, 1), 6.0 * a / b**3, rtol=1e-14)
    np.testing.assert_allclose(f.part(0, 0, 1), np.full(4, 2.0), rtol=1e-14)
    np.testing.assert_allclose(f.part(0, 1, 1), 6.0 / b**3, rtol=1e-14)
    np.testing.assert_allclose(f.part(1, 1, 1), -18.0 * a / b**4, rtol=1e-14)
    assert np.all(f.part(0, 0, 0) == 0.0)


def test_compositions_in_three_variables():
    """exp(x y z): every third derivative by hand."""
    x, y, z = variables(X, 0.1 * X, np.full(4, 0.2))
    f = jets.exp(x * y * z)
    a, b, c = X, 0.1 * X, 0.2
    t, e = a * b * c, np.exp(a * b * c)
    np.testing.assert_allclose(f.part(0, 1, 2), e * (1.0 + 3.0 * t + t * t), rtol=1e-13)
    np.testing.assert_allclose(f.part(0, 0, 1), e * (2.0 + t) * b * c * c, rtol=1e-13)
    np.testing.assert_allclose(f.part(2, 2, 2), e * (a * b) ** 3, rtol=1e-13)
    np.testing.assert_allclose(f.part(1, 2), e * (1.0 + t) * a, rtol=1e-13)


FUNCTIONS = {
    "exp": (jets.exp, np.exp, X),
    "expm1": (jets.expm1, np.expm1, X - 1.0),
    "log": (jets.log, np.log, X),
    "log1p": (jets.log1p, np.log1p, X - 1.0),
    "sqrt": (jets.sqrt, np.sqrt, X),
    "expit": (jets.expit, special.expit, X - 3.0),
    "log_expit": (jets.log_expit, special.log_expit, X - 3.0),
    "softplus": (jets.softplus, lambda x: np.logaddexp(0.0, x), X - 3.0),
    "log1mexp": (jets.log1mexp, lambda x: np.log(-np.expm1(x)), -X),
    "log_ndtr": (jets.log_ndtr, special.log_ndtr, X - 6.0),
    "lgamma": (jets.lgamma, special.gammaln, X),
    "binet": (
        jets.binet,
        lambda x: special.gammaln(x) - (x - 0.5) * np.log(x) + x - 0.5 * np.log(2.0 * np.pi),
        X,
    ),
    "log_multiset": (
        lambda x: jets.log_multiset(x, np.array([3.0, 0.0, 40.0, 2.0])),
        lambda x: (
            special.gammaln(x + [3.0, 0.0, 40.0, 2.0])
            - special.gammaln(x)
            - special.gammaln(np.array([4.0, 1.0, 41.0, 3.0]))
        ),
        X,
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_against_differences(name):
    """Each derivative is the difference of the one below it."""
    made, plain, x = FUNCTIONS[name]
    (at,) = variables(x)
    f = made(at)
    np.testing.assert_allclose(f.value, plain(x), rtol=1e-12, atol=1e-14)
    h = 1e-4 * np.maximum(np.abs(x), 0.1)
    for k in range(3):
        below, index = (0,) * k, (0,) * (k + 1)
        ends = [made(*variables(x + s * h)).part(*below) for s in (2.0, 1.0, -1.0, -2.0)]
        slope = (8.0 * (ends[1] - ends[2]) - (ends[0] - ends[3])) / (12.0 * h)
        scale = np.max(np.abs(f.part(*index)))
        np.testing.assert_allclose(f.part(*index), slope, rtol=1e-7, atol=1e-9 * scale)


def test_log_expit_keeps_its_digits_in_both_tails():
    (x,) = variables(np.array([-800.0, -40.0, 40.0, 800.0]))
    f = jets.log_expit(x)
    np.testing.assert_allclose(f.value[:3], [-800.0, -40.0, -np.exp(-40.0)], rtol=1e-14)
    np.testing.assert_allclose(f.part(0)[2], np.exp(-40.0), rtol=1e-14)
    np.testing.assert_allclose(f.part(0, 0)[1:3], -np.exp([-40.0, -40.0]), rtol=1e-14)


def test_sum_of_exponentials_keeps_what_a_small_one_adds():
    """log(e^a + e^b) with b - a = -50: the derivative in b is e^-50, not 0 or rounding."""
    a, b = variables(np.array([3.0, 3.0]), np.array([-47.0, 3.0]))
    f = jets.logaddexp(a, b)
    np.testing.assert_allclose(f.part(1), [np.exp(-50.0), 0.5], rtol=1e-13)
    np.testing.assert_allclose(f.part(0, 1), [-np.exp(-50.0), -0.25], rtol=1e-13)
    np.testing.assert_allclose(f.value, [3.0, 3.0 + np.log(2.0)], rtol=1e-14)


def test_log_multiset_of_a_large_number():
    """For large a it is k log a - log k! + k (k - 1) / (2 a): differences of psi do not cancel."""
    k, a = 3.0, np.array([1e6, 1e10])
    (x,) = variables(a)
    f = jets.log_multiset(x, np.full(2, k))
    np.testing.assert_allclose(f.part(0), 1.0 / a + 1.0 / (a + 1.0) + 1.0 / (a + 2.0), rtol=1e-14)
    exact = -(a**-2.0) - (a + 1.0) ** -2.0 - (a + 2.0) ** -2.0
    np.testing.assert_allclose(f.part(0, 0), exact, rtol=1e-14)
    exact = 2.0 * (a**-3.0 + (a + 1.0) ** -3.0 + (a + 2.0) ** -3.0)
    np.testing.assert_allclose(f.part(0, 0, 0), exact, rtol=1e-14)


def test_branches_compute_each_side_where_it_holds():
    (x,) = variables(np.array([-4.0, 9.0]))
    mask = x.value > 0.0
    root = jets.branches(
        mask, lambda rows: jets.sqrt(jets.take(x, rows)), lambda rows: 2.0 * jets.take(x, rows)
    )
    np.testing.assert_allclose(root.value, [-8.0, 3.0])
    np.testing.assert_allclose(root.part(0), [2.0, 1.0 / 6.0])
    np.testing.assert_allclose(root.part(0, 0), [0.0, -1.0 / 108.0])


def test_orders_below_three_do_no_more():
    x, y = variables(X, X, order=1)
    f = jets.exp(x * y)
    assert f.order == 1
    assert max(len(index) for index in f.parts) == 1
    (value,) = variables(X, order=0)
    assert list(jets.lgamma(value).parts) == [()]
