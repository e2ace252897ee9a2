"""The likelihood without random effects against summed densities and differences."""

import numpy as np
import pandas as pd
import pytest

from interlace.design.build import build
from interlace.errors import ArgumentError
from interlace.families import resolve
from interlace.models.density import first_density, with_parameters
from interlace.models.observations import observe
from interlace.models.predictors import predictors_of
from interlace.objective.generalised.problem import Problem
from interlace.objective.generalised.regression import RegressionObjective
from interlace.objective.generalised.several import SeveralProblem

FORMULA = "y ~ x + offset(o)"
MODELS = {
    "zinb2": ("nbinom2", {"ziformula": "~ x", "dispformula": "~ z + offset(o)"}),
    "hurdle": ("truncated_nbinom1", {"ziformula": "~ z + offset(o)"}),
    "beta": ("beta", {"dispformula": "~ z"}),
    "t": ("t", {"dispformula": "~ z", "shapeformula": "~ x"}),
    "zoib": ("zoib", {"zoiformula": "~ z", "coiformula": "~ x", "dispformula": "~ x"}),
    "truncated": ("truncated_poisson", {}),
}


def made(name):
    """The objective, the family, y and weights, and the design of random responses."""
    spelt, formulas = MODELS[name]
    rng = np.random.default_rng(3)
    n = 60
    data = {key: rng.normal(size=n) for key in ("x", "z")} | {"o": 0.2 * rng.normal(size=n)}
    data["w"] = rng.uniform(0.5, 2.0, n)
    start = "zero_one_inflated_beta" if spelt == "zoib" else spelt
    family, others = predictors_of(resolve(start), formulas)
    count = rng.poisson(2.0, n).astype(float)
    share = rng.beta(2.0, 2.0, n)
    data["y"] = {
        "count": count,
        "positive count": count + 1.0,
        "open unit": share,
        "closed unit": np.where(count < 1.0, 0.0, np.where(count > 3.0, 1.0, share)),
    }.get(family.support, rng.normal(size=n))
    design = build(FORMULA, pd.DataFrame(data), linear=False, others=others, weights="w")
    design = with_parameters(design, family)
    observations = observe(design, family)
    kind = SeveralProblem if len(design.predictors) > 1 else Problem
    problem = kind.of(design, *first_density(design, family, observations))
    return RegressionObjective(problem), family, observations, design


@pytest.mark.parametrize("name", MODELS)
def test_the_value_is_minus_twice_the_log_density(name):
    objective, family, o, design = made(name)
    rng = np.random.default_rng(1)
    x = objective.start() + 0.1 * rng.normal(size=objective.start().size)
    beta = objective.problem.beta(x)
    etas = [
        p.X @ beta[at] + (0.0 if p.offset is None else p.offset)
        for p, at in zip(design.predictors.values(), objective.problem.slices.values(), strict=True)
    ]
    zeta = np.array(etas[1:]).reshape(-1, len(o.y))
    value = family.log_density(o.y, family.mean(etas[0], zeta), o.weights, o.trials, zeta).sum()
    assert objective.evaluate(x, 0).value == pytest.approx(-2.0 * value, rel=1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_gradient_and_hessian_are_those_of_differences(name):
    objective, *_ = made(name)
    rng = np.random.default_rng(2)
    x = objective.start() + 0.1 * rng.normal(size=objective.start().size)
    here = objective.evaluate(x)
    assert here.exact
    step = 1e-5
    for j in range(x.size):
        e = np.zeros(x.size)
        e[j] = step
        up, down = objective.evaluate(x + e, 1), objective.evaluate(x - e, 1)
        slope = (up.value - down.value) / (2.0 * step)
        assert here.gradient[j] == pytest.approx(slope, rel=1e-6, abs=1e-6)
        bend = (up.gradient - down.gradient) / (2.0 * step)
        np.testing.assert_allclose(here.curvature[j], bend, rtol=1e-5, atol=1e-5)


def test_x_is_checked():
    objective, *_ = made("beta")
    with pytest.raises(ArgumentError, match="shape"):
        objective.evaluate(np.zeros(2))
