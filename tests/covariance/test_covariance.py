"""theta <-> T, and the canonical representative."""

import numpy as np
import pytest

from interlace.covariance import CovarianceModel, CovarianceTerm, Diagonal, Structure, Unstructured
from interlace.covariance.names import make_structure
from interlace.errors import ArgumentError


def term(factor, start, structure, names):
    return CovarianceTerm(factor, slice(start, start + structure.k), names, structure)


def model():
    """(1 + x | g), and (1 | h) + diag(0 + y + z | h) on one factor."""
    terms = [
        term(0, 0, Unstructured(2), ("Intercept", "x")),
        term(1, 0, Unstructured(1), ("Intercept",)),
        term(1, 1, Diagonal(2), ("y", "z")),
    ]
    return CovarianceModel(terms, (2, 3), ("g", "h"))


def test_theta_fills_the_lower_triangles_column_by_column():
    g, h = model().templates(np.array([1.0, 0.2, 2.0, 3.0, 4.0, 5.0]))
    np.testing.assert_array_equal(g, [[1.0, 0.0], [0.2, 2.0]])
    np.testing.assert_array_equal(h, np.diag([3.0, 4.0, 5.0]))


def test_names_bounds_and_start():
    m = model()
    assert m.theta_names == ["g.Intercept", "g.x.Intercept", "g.x", "h.Intercept", "h.y", "h.z"]
    np.testing.assert_array_equal(m.start(), [1, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(m.lower_bounds(), [0, -np.inf, 0, 0, 0, 0])


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_canonical_keeps_the_covariance_and_has_a_non_negative_diagonal(k):
    rng = np.random.default_rng(k)
    s = Unstructured(k)
    for zeros in (0, 1, 2):
        theta = rng.normal(size=s.n_theta)
        T = s.template(theta)
        for j in rng.choice(k, size=min(zeros, k), replace=False):
            theta[(s.rows == j) & (s.cols == j)] = 0.0
        T = s.template(theta)
        C = s.template(s.canonical(theta))
        np.testing.assert_allclose(C @ C.T, T @ T.T, atol=1e-14)
        assert np.all(np.diag(C) >= 0.0)
        for j in np.flatnonzero(np.diag(C) == 0.0):
            assert np.all(C[j + 1 :, j] == 0.0)


def test_singular_terms_are_named():
    m = model()
    theta = np.array([1.0, 0.5, 0.0, 3.0, 0.0, 5.0])
    assert m.singular(theta) == [True, False, True]
    first, second = m.null_directions(theta)
    assert "perfectly correlated" in first and "by g" in first and "rank 1 of 2" in first
    assert "variance of y by h is estimated as zero" in second


class LogDiagonal(Structure):
    """A structure whose parameters are not entries of T: log standard deviations."""

    name = "log"

    def __init__(self, k):
        self.k = self.n_theta = k
        self.rows = self.cols = np.arange(k)

    def values(self, theta):
        return np.exp(theta)

    def jacobian(self, theta):
        return np.diag(np.exp(theta))

    def second(self, theta, weights):
        return np.diag(weights * np.exp(theta))

    def start(self):
        return np.zeros(self.k)

    def lower_bounds(self):
        return np.full(self.k, -np.inf)

    def theta_names(self, names):
        return list(names)

    def canonical(self, theta):
        return theta


@pytest.mark.parametrize("backend", [None, "nested"])
def test_a_structure_with_its_own_parameters_runs_through_the_whole_objective(backend):
    from helpers import dense_lmm

    from interlace.objective import LMMObjective
    from interlace.objective.linear.design_products import cross_products_of
    from interlace.optimize import minimise

    d = dense_lmm.random_design(3, (2,), (14,), structure="diag")
    plain = CovarianceModel.of(d)
    own = CovarianceModel(
        [term(0, 0, LogDiagonal(2), ("Intercept", "x"))], plain.widths, plain.group_names
    )
    for reml in (True, False):
        o = LMMObjective(cross_products_of(d), own, reml, backend)
        x = np.array([-0.3, 0.2])
        truth = dense_lmm.solve(d, np.exp(x), reml)
        assert o.evaluate(x, 0).value == pytest.approx(truth.value, rel=1e-10)
        numeric = dense_lmm.differences(lambda x, o=o: o.evaluate(x, 0).value, x)
        np.testing.assert_allclose(o.evaluate(x, 1).gradient, numeric, rtol=1e-7, atol=1e-7)
        numeric = dense_lmm.differences(lambda x, o=o: o.evaluate(x, 1).gradient, x)
        np.testing.assert_allclose(o.hessian(x), numeric, rtol=1e-6, atol=1e-6)
        reference = minimise(LMMObjective(cross_products_of(d), plain, reml))
        assert minimise(o).value == pytest.approx(reference.value, abs=1e-7)


def test_an_unknown_structure_is_refused_by_name():
    with pytest.raises(ArgumentError, match="'nested'.*available: us, diag"):
        make_structure("nested", 2)
