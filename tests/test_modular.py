"""The four steps one by one give what the front doors give, and refuse what does not fit."""

from __future__ import annotations

import pickle

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


@pytest.mark.parametrize(
    ("family", "formulas"),
    [
        ("nbinom2", {"ziformula": "~ mined", "dispformula": "~ DOY"}),
        ("poisson", {"ziformula": "~ 1"}),
        ("nbinom1", {}),
        ("gaussian", {"dispformula": "~ mined"}),
    ],
)
def test_steps_of_a_model_with_several_predictors(family, formulas) -> None:
    streams = il.load_dataset("Salamanders")
    formula = "count ~ mined + (1 | site)"
    design = modular.design(formula, streams, family, **formulas)
    objective = modular.objective(design, family)
    m = modular.result(design, objective, modular.minimise(objective))
    whole = il.glmer(formula, streams, family, **formulas)
    assert m.llf == whole.llf and m.components == whole.components
    np.testing.assert_array_equal(m.vcov(full=True), whole.vcov(full=True))
    for nodes in (0, 5):
        with pytest.raises(ArgumentError, match="one linear predictor; this one has mean"):
            modular.objective(design, family, nAGQ=nodes)
    with pytest.raises(ArgumentError, match="laplace='expected' is for models of one"):
        modular.objective(design, family, laplace="expected")


def test_formulas_and_families_that_do_not_go_together() -> None:
    streams = il.load_dataset("Salamanders")
    formula = "count ~ mined + (1 | site)"
    with pytest.raises(ArgumentError, match="dispformula='~ DOY' needs the family"):
        modular.design(formula, streams, dispformula="~ DOY")
    design = modular.design(formula, streams, "nbinom2", ziformula="~ mined")
    for other in ("poisson", "t", "gaussian"):
        with pytest.raises(ArgumentError, match="mean, dispersion, zi.*same family="):
            modular.objective(design, other)


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
    with pytest.raises(ArgumentError, match="from another design"):
        modular.result(two, objective, optimum)
    with pytest.raises(ArgumentError, match="to another objective"):
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


def test_designs_of_other_rows_or_columns_are_refused() -> None:
    formula = "Reaction ~ Days + (Days | Subject)"
    objective = modular.objective(modular.design(formula, SLEEP))
    optimum = modular.minimise(objective)
    others = [
        modular.design("Reaction ~ 1 + (Days | Subject)", SLEEP),
        modular.design("log(Reaction) ~ Days + (Days | Subject)", SLEEP),
        modular.design(formula, SLEEP, subset="Days > 2"),
        modular.design(formula, SLEEP, weights=SLEEP["Days"] + 1.0),
        modular.design(formula, SLEEP.iloc[::-1]),
    ]
    for other in others:
        with pytest.raises(ArgumentError, match="from another design"):
            modular.result(other, objective, optimum)
    assert modular.result(modular.design(formula, SLEEP), objective, optimum).converged
    binomial = modular.objective(modular.design(BINOMIAL, CBPP, "binomial"), "binomial")
    fewer = modular.design(BINOMIAL, CBPP.iloc[:40], "binomial")
    with pytest.raises(ArgumentError, match="from another design"):
        modular.result(fewer, binomial, modular.minimise(binomial))


def test_a_wild_start_leaves_earlier_optima_as_they_were() -> None:
    design = modular.design("Reaction ~ Days + (Days | Subject)", SLEEP)
    objective = modular.objective(design)
    optimum = modular.minimise(objective)
    modular.minimise(objective, theta0=[1e6, 0.0, 1.0])
    assert objective.evaluate(optimum.x).value == pytest.approx(optimum.value, abs=1e-9)
    assert modular.result(design, objective, optimum).fe_params["Days"] == pytest.approx(10.467286)


def test_points_that_are_none_are_refused() -> None:
    linear = modular.objective(modular.design("Reaction ~ Days + (Days | Subject)", SLEEP))
    binomial = modular.objective(modular.design(BINOMIAL, CBPP, "binomial"), "binomial")
    for bad in ([1.0], "x", None, np.ones((3, 3))):
        with pytest.raises(ArgumentError):
            linear.x(bad)
        with pytest.raises(ArgumentError):
            linear.theta(bad)
        with pytest.raises(ArgumentError):
            linear.evaluate(bad)
        with pytest.raises(ArgumentError):
            binomial.evaluate(bad)
    for order in (7, -1, 1.5, "2"):
        for objective in (linear, binomial):
            with pytest.raises(ArgumentError, match="order must be 0"):
                objective.evaluate(objective.start(), order)
    assert linear.evaluate([1, 0, 1]).value == linear.evaluate(np.array([1.0, 0.0, 1.0])).value
    with pytest.raises(ArgumentError, match="nAGQ= and laplace="):
        modular.objective(linear.design, nAGQ=9)
    for reml in (True, False):
        with pytest.raises(ArgumentError, match="REML=.* is for linear models"):
            modular.objective(binomial.design, "binomial", REML=reml)
    with pytest.raises(ArgumentError, match="design is for a generalised model"):
        modular.objective(binomial.design, REML=False)
    with pytest.raises(ArgumentTypeError, match=r"what modular\.minimise\(\) returns"):
        modular.result(linear.design, linear, None)


def test_a_result_of_steps_is_updated_with_formula_and_data() -> None:
    design = modular.design("Reaction ~ Days + (Days | Subject)", SLEEP)
    objective = modular.objective(design, REML=False)
    result = modular.result(design, objective, modular.minimise(objective))
    with pytest.raises(ArgumentError, match=r"made by modular\.result\(\)"):
        il.update(result, method="ML")
    again = il.update(result, ". ~ . - Days", data=SLEEP, method="ML")
    assert (again.formula, again.method) == ("Reaction ~ 1 + (Days | Subject)", "ML")


def test_objectives_outlive_a_pickle() -> None:
    design = modular.design("Reaction ~ Days + (Days | Subject)", SLEEP)
    objective = modular.objective(design)
    optimum = modular.minimise(objective)
    again = pickle.loads(pickle.dumps((design, objective, optimum)))
    assert again[1].evaluate(optimum.x).value == objective.evaluate(optimum.x).value
    np.testing.assert_array_equal(
        modular.result(*again).fe_bse, modular.result(design, objective, optimum).fe_bse
    )


def _crossed() -> dict:
    rng = np.random.default_rng(3)
    return {"y": rng.poisson(2.0, 60), "a": np.repeat(list("abc"), 20), "b": list("uvwxyz") * 10}


def test_the_package_has_the_steps_without_an_import_of_their_own() -> None:
    assert il.modular is modular
