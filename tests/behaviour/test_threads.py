"""One result used from several threads, or by two users in one: nobody sees another's numbers."""

from __future__ import annotations

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.linalg.factor.cholmod import cholmod_available

SPARSE = ["superlu"] + ["cholmod"] * cholmod_available()
LINEAR = {
    "one": ("y ~ x + (x | a)", ["auto", "nested", *SPARSE]),
    "dense": ("y ~ x + (1 | c) + (1 | h)", ["auto", "schur"]),
    "crossed": ("y ~ x + (1 | a) + (x | b)", ["auto", "schur", *SPARSE]),
    "nested": ("y ~ x + (1 | c / a)", ["auto", "nested", "schur", *SPARSE]),
}
GENERALISED = {
    "one": ("k ~ x + (1 | a)", [("auto", 1), ("nested", 1), ("superlu", 1), ("auto", 5)]),
    "crossed": ("k ~ x + (1 | a) + (1 | b)", [("auto", 1), ("superlu", 1), ("auto", 0)]),
}


@pytest.fixture(autouse=True)
def often_switched():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    n = 900
    a, b, x = rng.integers(0, 120, n), rng.integers(0, 100, n), rng.normal(size=n)
    eta = 0.5 * x + rng.normal(size=120)[a] * 0.6 + rng.normal(size=100)[b] * 0.4
    y, k = eta + rng.normal(size=n), rng.poisson(np.exp(eta))
    return pd.DataFrame({"a": a, "b": b, "c": a // 12, "h": b // 10, "x": x, "y": y, "k": k})


def cases(models):
    return [
        pytest.param(formula, one, id=f"{shape}-{one}")
        for shape, (formula, how) in models.items()
        for one in how
    ]


def numbers(m):
    """All that a fit has found, bit for bit."""
    fit = m.fit
    return b"".join(part.tobytes() for part in (fit.x, fit.beta, fit.cov_beta, *fit.u))


def compare_with_serial(m):
    responses = [m.simulate(seed=seed)["sim_1"].to_numpy() for seed in range(6)]
    serial = [numbers(m.refit(y)) for y in responses]
    whole = numbers(m)
    with ThreadPoolExecutor(4) as threads:
        beside = [
            threads.submit(call)
            for call in (m.summary, m.predict, lambda: m.ranef(cond_sd=True), m.hatvalues)
        ]
        beside += [threads.submit(pickle.dumps, m)]
        again = list(threads.map(lambda y: numbers(m.refit(y)), responses))
        for other in beside:
            other.result()
    assert again == serial
    assert numbers(m) == whole


@pytest.mark.parametrize(("formula", "backend"), cases(LINEAR))
def test_linear_models_refitted_in_threads(data, formula, backend):
    compare_with_serial(il.fit(formula, data, backend=backend))


@pytest.mark.parametrize(("formula", "how"), cases(GENERALISED))
def test_generalised_models_refitted_in_threads(data, formula, how):
    backend, nAGQ = how
    compare_with_serial(il.glmer(formula, data, "poisson", backend=backend, nAGQ=nAGQ))


@pytest.mark.parametrize("family", ["negativebinomial", "gamma"])
def test_families_with_a_parameter_refitted_in_threads(data, family):
    some = data.assign(k=data.k + 1.0).head(400)
    compare_with_serial(il.glmer("k ~ x + (1 | c) + (1 | h)", some, family, link="log"))


@pytest.mark.parametrize("formula", ["k ~ x + (1 | a)", "k ~ x + (1 | c) + (1 | h)"])
def test_a_fit_asked_for_the_first_time_by_many(data, formula):
    """Estimates are made when first asked for: here by several threads at once."""
    alone = numbers(il.glmer(formula, data, "poisson"))
    m = il.glmer(formula, data, "poisson")
    with ThreadPoolExecutor(4) as threads:
        seen = list(threads.map(numbers, [m] * 4))
    assert seen == [alone] * 4


@pytest.mark.parametrize(("formula", "backend"), cases(LINEAR))
def test_objectives_of_a_fit_in_turns(data, formula, backend):
    """What two threads would do at the worst moment, in one."""
    m = il.fit(formula, data, backend=backend)
    fit, other = m.fit, m.refit(m.simulate(seed=1)["sim_1"]).fit
    x = fit.x
    held = fit.objective.marginal_at(x)
    users = fit.objective, fit.objective.as_ml(), fit.objective.with_response(data.y.to_numpy())
    b = len(fit.design.factors) - 1
    before = held.inverse_blocks(b).copy(), held.level_sums(b)[0].copy()
    alone = [user.fresh().evaluate(x) for user in users]
    marginals = [user.marginal for user in users]
    for user, marginal in zip(users, marginals, strict=True):
        marginal.update(user._templates(2.0 * x))
        user.evaluate(3.0 * x + 1.0)
    other.objective.evaluate(x + 0.5)
    np.testing.assert_array_equal(held.inverse_blocks(b), before[0])
    np.testing.assert_array_equal(held.level_sums(b)[0], before[1])
    for user, first in zip(users, alone, strict=True):
        again = user.evaluate(x)
        assert again.value == first.value
        np.testing.assert_array_equal(again.gradient, first.gradient)


@pytest.mark.parametrize(("formula", "how"), cases(GENERALISED))
def test_points_of_a_generalised_fit_stay(data, formula, how):
    m = il.glmer(formula, data, "poisson", backend=how[0], nAGQ=how[1])
    mine, yours = m.fit.objective, m.fit.objective
    x = m.fit.x
    point = mine.point(x)
    eta, value, blocks = point.eta.copy(), point.value, mine.modes.inverse_blocks(0).copy()
    yours.evaluate(x + 0.3)
    m.refit(m.simulate(seed=1)["sim_1"])
    np.testing.assert_array_equal(point.eta, eta)
    np.testing.assert_array_equal(mine.modes.inverse_blocks(0), blocks)
    assert point.value == value


def test_a_refit_is_the_fit_of_its_response(data):
    """With the rows, the pattern and the analysis of another."""
    for formula, family, link in [
        ("k ~ x + (1 | a) + (1 | b)", "poisson", None),
        ("k ~ x + (x | a)", "poisson", None),
        ("k ~ x + (1 | a)", "gamma", "inverse"),
    ]:
        some = data.assign(k=data.k + 1.0)
        m = il.glmer(formula, some, family, link=link)
        y = np.asarray(m.fit.design.y)[::-1] * 3.0
        fresh = il.glmer(formula, some.assign(k=y), family, link=link)
        again = m.refit(y)
        assert again.llf == pytest.approx(fresh.llf, abs=1e-6)
        np.testing.assert_allclose(again.theta, fresh.theta, atol=1e-4)
        np.testing.assert_allclose(again.fe_params, fresh.fe_params, atol=1e-4)
