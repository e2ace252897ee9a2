"""The criterion over pieces is that of all rows, with its derivatives, whatever the workers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import interlace as il
from interlace.errors import NumericalError
from interlace.objective.partitioned.objective import PartitionedObjective
from interlace.objective.partitioned.pieces import Approximation
from interlace.objective.partitioned.workers import ThreadWorkers

MODELS = {
    "Laplace": ("incidence / size ~ period + (1 | herd)", "cbpp", {"family": "binomial"}),
    "quadrature": ("incidence / size ~ period + (1 | herd)", "cbpp", {"nAGQ": 5}),
    "several modes": (
        "count ~ mined + (1 | site)",
        "Salamanders",
        {"family": "poisson", "ziformula": "~ mined"},
    ),
    "one more parameter": ("count ~ mined + (1 | site)", "Salamanders", {"family": "nbinom2"}),
}


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


@pytest.fixture(scope="module", params=MODELS)
def both(request, pool) -> tuple[Any, Any]:
    formula, name, kw = MODELS[request.param]
    fit = il.glmer(formula, il.load_dataset(name), **{"family": "binomial", **kw}).fit
    whole = fit.objective
    how = Approximation(fit.covariance, fit.expected, fit.nAGQ, None)
    return fit, PartitionedObjective(whole.problem, how, ThreadWorkers(pool))


def near(fit: Any) -> np.ndarray:
    return fit.x + 0.05 * np.cos(np.arange(fit.x.size))


def test_value_gradient_and_curvature(both) -> None:
    fit, sums = both
    whole, x = fit.objective, near(fit)
    one, other = whole.evaluate(x, 2), sums.evaluate(x, 2)
    scale = np.abs(np.diagonal(one.curvature)).max()
    assert other.value == pytest.approx(one.value, rel=1e-12)
    np.testing.assert_allclose(other.gradient, one.gradient, rtol=1e-8, atol=1e-8 * scale)
    np.testing.assert_allclose(other.curvature, one.curvature, rtol=1e-7, atol=1e-5 * scale)


def test_gradient_by_central_differences(both) -> None:
    fit, sums = both
    x, h = near(fit), 1e-5
    gradient = sums.evaluate(x, 1).gradient
    for i, step in enumerate(h * np.eye(x.size)):
        slope = (sums.evaluate(x + step, 0).value - sums.evaluate(x - step, 0).value) / (2 * h)
        assert slope == pytest.approx(gradient[i], rel=1e-5, abs=1e-4)


def test_hessian(both) -> None:
    fit, sums = both
    H = fit.objective.hessian(fit.x)
    np.testing.assert_allclose(sums.hessian(fit.x), H, rtol=1e-5, atol=1e-6 * np.abs(H).max())


def test_what_is_gathered_for_the_record(both) -> None:
    fit, sums = both
    one, other = fit.objective.last_point(fit.x), sums.last_point(fit.x)
    for name in ("u", "eta", "weight"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-5, atol=1e-7)
    whole = fit.objective
    whole.last_point(fit.x)
    np.testing.assert_allclose(
        sums.modes.inverse_blocks(0), whole.modes.inverse_blocks(0), rtol=1e-5
    )


def test_verdicts_on_modes_are_those_of_all_rows(both) -> None:
    fit, sums = both
    value = sums.evaluate(fit.x, 1).value
    assert sums.doubts(fit.x, value) == fit.objective.doubts(fit.x, value) == []
    assert not sums.reconsider(fit.x)


def test_several_modes_are_found_piece_by_piece(pool) -> None:
    """Rows that are not log-concave: from other modes the best ones are found, and said to be."""
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(20), 6)
    eta = 1.0 + 1.5 * rng.normal(size=20)[g]
    data = {"y": eta**3 / 10 + 0.01 * rng.normal(size=120) + 2.0, "g": g}
    data["y"] = np.abs(data["y"]) + 0.1
    fit = il.glmer("y ~ 1 + (1 | g)", data, "gaussian", link="inverse").fit
    how = Approximation(fit.covariance, fit.expected, 1, None)
    whole = fit.objective
    sums = PartitionedObjective(whole.problem, how, ThreadWorkers(pool))
    for objective in (whole, sums):
        objective.evaluate(fit.x, 1)
    assert sums.reconsider(fit.x) == whole.reconsider(fit.x)
    assert sums.evaluate(fit.x, 0).value == pytest.approx(whole.evaluate(fit.x, 0).value, rel=1e-9)
    value = whole.evaluate(fit.x, 0).value
    assert bool(sums.doubts(fit.x, value)) == bool(whole.doubts(fit.x, value))


def test_where_a_piece_has_no_modes_there_is_no_value(pool) -> None:
    rng = np.random.default_rng(4)
    data = {"y": rng.gamma(5.0, 2.0, 200), "g": np.repeat(np.arange(20), 10)}
    fit = il.glmer("y ~ 1 + (1 | g)", data, "gamma", link="identity").fit
    how = Approximation(fit.covariance, fit.expected, 1, None)
    sums = PartitionedObjective(fit.objective.problem, how, ThreadWorkers(pool))
    x = fit.x + np.array([0.0, -1e3, 0.0])
    words = []
    for objective in (fit.objective, sums):
        with pytest.raises(NumericalError) as caught:
            objective.evaluate(x, 1)
        words.append(str(caught.value))
    assert words[0] == words[1]
    assert sums.evaluate(fit.x, 0).value == pytest.approx(fit.criterion, rel=1e-10)
