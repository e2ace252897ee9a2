"""Memory that a fit takes above its data, in units of the matrix of its fixed part."""

import gc
import pickle
import tracemalloc

import numpy as np
import pytest

import interlace as il
from interlace.models import glmm

ROWS, LEVELS = 300_000, 1_500
FORMULA = "z ~ x1 + x2 + f + (1 | g)"
# Numbers a row, of which X has 4. In the search: X, the response as given and by level, levels of
# the rows twice and their order (1.5), predictors, weights, scores and slopes: 11.5; and blocks of
# rows.
MOST = 13.0
# In a result: X, the response, its levels and the order of its rows, predictors; and codes of `f`.
KEPT = 7.5


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    d = {"x1": rng.standard_normal(ROWS), "x2": 50.0 + rng.standard_normal(ROWS)}
    d["f"], d["g"] = rng.random(ROWS) > 0.5, rng.integers(0, LEVELS, ROWS)
    eta = 0.4 * d["x1"] + 0.3 * d["f"] + rng.standard_normal(LEVELS)[d["g"]]
    d["z"] = (rng.random(ROWS) < 1.0 / (1.0 + np.exp(-eta))).astype(float)
    return d


@pytest.fixture(scope="module")
def measured(data):
    """The fit, and numbers a row at the peak and kept."""
    before = {name: column.copy() for name, column in data.items()}
    il.glmer(FORMULA, {name: column[:2000] for name, column in data.items()}, "binomial")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glmm, "MOST_HELD", 0)
        gc.collect()
        tracemalloc.start()
        try:
            m = il.glmer(FORMULA, data, "binomial")
            peak = tracemalloc.get_traced_memory()[1]
            gc.collect()
            kept = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
    for name, column in before.items():
        np.testing.assert_array_equal(data[name], column)
    return m, peak / (8 * ROWS), kept / (8 * ROWS)


def test_memory_of_a_search(measured):
    assert measured[1] < MOST


def test_memory_of_a_result(measured):
    assert measured[2] < KEPT


def test_rows_stay_in_their_order(measured, data):
    m = measured[0]
    X = m.fit.design.X
    np.testing.assert_array_equal(X[:, 1], data["x1"])
    np.testing.assert_array_equal(X[:, 2], data["x2"])
    eta = X @ m.fe_params.to_numpy() + m.fit.b[0][:, 0][data["g"]]
    np.testing.assert_allclose(m.fit.eta, eta, rtol=0, atol=1e-11)
    mu = 1.0 / (1.0 + np.exp(-eta))
    np.testing.assert_allclose(m.fittedvalues, mu, rtol=1e-10)
    np.testing.assert_allclose(m.fit.working_weights, mu * (1.0 - mu), rtol=1e-9)


def test_ordered_categories_of_some_thousand_rows_have_weights_of_one(data):
    rows = {name: column[:3000] for name, column in data.items()}
    rows["q"] = np.digitize(rows["x1"] + rows["z"], [-1.0, 0.0, 1.0])
    plain, weighted = (il.clm("q ~ x2 + f", rows, weights=w) for w in (None, np.ones(3000)))
    assert plain.llf == pytest.approx(weighted.llf, rel=1e-12)


def test_what_was_let_go_is_made_again(measured, data):
    m = measured[0]
    flipped = 1.0 - data["z"]
    refit = m.refit(flipped)
    assert refit.llf == pytest.approx(m.llf, rel=1e-10)
    # the mirrored response has the estimates with the other sign
    np.testing.assert_allclose(refit.fe_params, -m.fe_params, rtol=1e-5, atol=1e-6)
    again = pickle.loads(pickle.dumps(m))
    np.testing.assert_array_equal(again.fit.design.X, m.fit.design.X)
    np.testing.assert_array_equal(again.fit.working_weights, m.fit.working_weights)
