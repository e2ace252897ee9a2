"""First estimates of families whose information falls with the mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.covariance import CovarianceModel
from interlace.design.build import build
from interlace.families import resolve
from interlace.models.glmm import make_objective
from interlace.models.observations import observe
from interlace.objective.generalised import problem


def skewed(seed: int, family: str, size: float) -> pd.DataFrame:
    """Means over many orders of magnitude, by level."""
    rng = np.random.default_rng(seed)
    n, levels = 240, 24
    g = np.arange(n) % levels
    x = rng.normal(size=n)
    mu = np.exp(0.5 + 0.5 * x + size * rng.normal(size=levels)[g])
    y = rng.wald(mu, 0.5 * mu) if family == "inverse_gaussian" else rng.gamma(0.7, mu / 0.7)
    return pd.DataFrame({"y": np.maximum(y, 1e-8), "x": x, "g": g, "h": rng.integers(0, 8, n)})


@pytest.mark.parametrize("nAGQ", [0, 1])
@pytest.mark.parametrize("family", ["inverse_gaussian", "gamma"])
@pytest.mark.parametrize("seed", range(4))
def test_first_estimates_stay_where_the_responses_are(seed, family, nAGQ):
    data = skewed(seed, family, 1.5)
    made = resolve(family, "log")
    design = build("y ~ x + (1 | g) + (1 | h)", data, linear=False, mixed=True)
    objective = make_objective(
        design, CovarianceModel.of(design), made, observe(design, made), nAGQ, False, None
    )
    eta, y = objective.problem.glm.eta, np.log(data["y"])
    assert eta.min() > y.min() - 10.0
    assert eta.max() < y.max() + 10.0
    # the start is a point of the model
    assert np.isfinite(objective.evaluate(objective.start(), 1).value)


@pytest.mark.parametrize("seed", range(4))
def test_an_inverse_gaussian_of_a_wide_range_is_fitted(seed):
    m = il.glmer("y ~ x + (1 | g)", skewed(seed, "inverse_gaussian", 1.5), "inverse_gaussian(log)")
    assert m.converged
    # the truth, within four standard errors
    assert abs(m.fe_params["x"] - 0.5) < 4.0 * m.fe_bse["x"]


@pytest.mark.parametrize("few", [0, 1000])
def test_rows_are_sorted_by_level_and_stay_in_order_within(monkeypatch, few):
    monkeypatch.setattr(problem, "FEW_ROWS", few)
    data = pd.DataFrame({"g": np.random.default_rng(2).integers(0, 30, 300), "y": 1.0})
    design = build("y ~ 1 + (1 | g)", data, linear=False, mixed=True)
    codes = design.factors[0].codes
    made = problem.Problem(design)
    np.testing.assert_array_equal(made.order, np.argsort(codes, kind="stable"))
    np.testing.assert_array_equal(made.factors[0].codes, np.sort(codes))
    data = data.sort_values("g")
    assert problem.Problem(build("y ~ 1 + (1 | g)", data, linear=False, mixed=True)).order is None
