"""The four steps one by one give what the front doors give, and refuse what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

import interlace as il
from interlace import modular
from interlace.errors import ArgumentError, ArgumentTypeError, ConvergenceWarning, DataError

SLEEP = il.load_dataset("sleepstudy")
CBPP = il.load_dataset("cbpp")
BINOMIAL = "incidence / size ~ period + (1 | herd)"


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("optimizer", ["newton", "bobyqa"])
def test_steps_of_a_linear_model(reml, optimizer) -> None:
    formula = "Reaction ~ Days + (Days | Subject)"
    design = modular.design(formula, SLEEP)
    objective = modular.objective(design, REML=reml)
    m = modular.result(design, objective, modular.minimise(objective, optimizer))
    whole = il.fit(formula, SLEEP, REML=reml, optimizer=optimizer)
    np.testing.assert_array_equal(m.theta, whole.theta)
    np.testing.assert_array_equal(m.fe_df, whole.fe_df)
    assert m.llf == whole.llf and type(m) is type(whole)


@pytest.mark.parametrize("nodes", [0, 1, 9])
def test_steps_of_a_generalised_model(nodes) -> None:
    design = modular.design(BINOMIAL, CBPP, "binomial")
    objective = modular.objective(design, "binomial", nAGQ=nodes)
    m = modular.result(design, objective, modular.minimise(objective))
    whole = il.glmer(BINOMIAL, CBPP, "binomial", nAGQ=nodes)
    assert m.llf == whole.llf and m.fit.nAGQ == nodes
    np.testing.assert_array_equal(m.fe_bse, whole.fe_bse)
    again = m.refit(m.simulate(seed=1)["sim_1"])
    assert again.converged


def test_an_objective_goes_on_beside_its_result() -> None:
    design = modular.design("Reaction ~ Days + (Days | Subject)", SLEEP)
    objective = modular.objective(design)
    m = modular.result(design, objective, modular.minimise(objective))
    before = m.fe_df.copy()
    objective.evaluate(objective.x([9.0, 0.3, 0.1]))
    np.testing.assert_array_equal(m.fe_df, before)
    assert objective.evaluate(objective.x(m.theta)).value == pytest.approx(m.reml_criterion)


def test_a_start_and_exact_fits_are_as_in_whole_fits() -> None:
    data = SLEEP.assign(Reaction=1.0 * SLEEP["Days"])
    design = modular.design("Reaction ~ Days + (1 | Subject)", data)
    objective = modular.objective(design)
    optimum = modular.minimise(objective, theta0=[0.5])
    with pytest.warns(ConvergenceWarning, match="exactly"):
        m = modular.result(design, objective, optimum)
    assert not m.converged and np.isnan(m.fe_bse).all()


def test_separation_is_told_as_in_whole_fits() -> None:
    data = CBPP.assign(none=(CBPP["incidence"] == 0).astype(float))
    formula = "incidence / size ~ none + (1 | herd)"
    design = modular.design(formula, data, "binomial")
    objective = modular.objective(design, "binomial")
    with pytest.warns(ConvergenceWarning, match="separation"):
        m = modular.result(design, objective, modular.minimise(objective))
    assert m.fit.optimum.verdict == "separated"


def test_what_does_not_belong_together_is_refused() -> None:
    one = modular.design("Reaction ~ Days + (1 | Subject)", SLEEP)
    two = modular.design("Reaction ~ Days + (Days | Subject)", SLEEP)
    objective = modular.objective(one)
    optimum = modular.minimise(objective)
    with pytest.raises(ArgumentError, match="not of this design"):
        modular.result(two, objective, optimum)
    with pytest.raises(ArgumentError, match="not of this objective"):
        modular.result(one, modular.objective(one), optimum)
    with pytest.raises(ArgumentTypeError, match=r"what modular\.design\(\) returns"):
        modular.objective(SLEEP)
    with pytest.raises(ArgumentTypeError, match=r"what modular\.objective\(\) returns"):
        modular.minimise(one)
    with pytest.raises(ArgumentError, match="one grouping factor"):
        crossed = modular.design("y ~ 1 + (1 | a) + (1 | b)", _crossed(), "poisson")
        modular.objective(crossed, "poisson", nAGQ=5)
    with pytest.raises(DataError):
        modular.design("Reaction ~ Days + (1 | Subject)", SLEEP, "binomial")


def _crossed() -> dict:
    rng = np.random.default_rng(3)
    return {"y": rng.poisson(2.0, 60), "a": np.repeat(list("abc"), 20), "b": list("uvwxyz") * 10}


def test_the_package_has_the_steps_without_an_import_of_their_own() -> None:
    assert il.modular is modular
