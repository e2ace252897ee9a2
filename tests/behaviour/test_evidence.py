"""The evidence itself: it finds what it is to find, and does not find what is not there."""

from __future__ import annotations

from types import SimpleNamespace

import checks
import dense
import evidence
import numpy as np
import pytest
from random_models import draw

S, NO_COEFFICIENT, PRECISION = [np.eye(1)], np.zeros(1), np.array([1.0])


def two_modes() -> dense.Problem:
    """One effect whose search from zero ends at the lower of two modes, 1.2 and -5.1."""
    one, x = np.ones(4), np.array([1.0, 1.0, -0.4, -0.4])
    y = np.array([4.0, 4.0, 8.0, 8.0])
    term = dense.Term(np.zeros(4, dtype=int), x[:, None], "us")
    more = {"family": "gaussian", "link": "log", "expected": False, "n_zeta": 1}
    return dense.Problem(y, one[:, None], [term], 0.0 * one, one, one, **more)


def fit_at(problem: dense.Problem, u: float) -> SimpleNamespace:
    """A fit that took this mode."""
    problem.starts["here"] = np.array([u])
    value = dense.at(problem, S, NO_COEFFICIENT, PRECISION, "here")
    optimum = SimpleNamespace(verdict="converged", message="")
    return SimpleNamespace(
        theta=np.ones(1), beta=NO_COEFFICIENT, zeta=PRECISION, cov_all=np.eye(3) * 1e-2,
        u=(np.array([[u]]),), criterion=value, optimum=optimum,
    )  # fmt: skip


def test_the_highest_mode_is_found_from_either():
    problem = two_modes()
    zero = dense.search(problem, dense.columns(problem, S), problem.offset, PRECISION)[0]
    assert zero[0] == pytest.approx(1.22, abs=0.01)
    for own in (1.22, -5.1):
        found = evidence.highest_mode(problem, S, NO_COEFFICIENT, PRECISION, np.array([own]))
        assert found[0] == pytest.approx(-5.1, abs=0.01)


def test_only_a_fit_that_took_the_lower_mode_disagrees():
    def kinds(u):
        problem = two_modes()
        return [kind for kind, _ in checks.truth(problem, fit_at(problem, u), False)]

    assert "criterion" in kinds(1.22)
    assert "criterion" not in kinds(-5.1)


def test_effects_widened_by_none_give_the_same_criterion():
    model = draw(27)
    fit = checks.attempt(model).result.fit
    problem = model.problem(fit)
    place = evidence.place(problem, fit)
    loadings, beta, zeta = place.parts(place.v)
    for i, own in enumerate(loadings):
        more = list(loadings)
        more[i] = np.column_stack([own, np.zeros(len(own))])
        problem.starts["more"] = evidence.widened(problem, i, problem.starts["here"])
        value = dense.at(problem, more, beta, zeta, "more")
        assert value == pytest.approx(place.value, abs=1e-7)


def flat(seed: int) -> bool:
    model = draw(seed)
    fit = checks.attempt(model).result.fit
    return evidence.flat_along_a_curve(evidence.place(model.problem(fit), fit))


def test_identical_factors_are_flat_along_a_circle():
    assert flat(979)


@pytest.mark.parametrize("seed", [27, 37, 52])
def test_a_minimum_is_not_flat_along_any_curve(seed):
    assert not flat(seed)


@pytest.mark.parametrize(("keeps", "depends"), [(True, True), (False, False)])
def test_a_value_that_needs_the_way_to_it_is_not_there_on_its_own(keeps, depends):
    starts = {}

    def f(v):  # between 0.5 and 1 modes are found that are kept from there on
        lower = starts.get("here", False) and keeps or 0.5 < v[0] < 1.0
        starts["here"] = lower
        return float((v[0] - 2.0) ** 2 - lower)

    place = SimpleNamespace(problem=SimpleNamespace(starts=starts), v=np.array([0.2]), f=f)
    if not keeps:
        place.v = np.array([1.5])
    assert evidence.depends_on_the_way(place) == depends


@pytest.mark.parametrize("seed", [2000, 2044, 2054])
def test_a_minimum_of_one_mode_needs_no_way(seed):
    model = draw(seed)
    fit = checks.attempt(model).result.fit
    assert not evidence.depends_on_the_way(evidence.place(model.problem(fit), fit))
