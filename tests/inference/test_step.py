"""Backward elimination of terms, beside lmerTest's."""

import json
import pickle

import numpy as np
import pytest
from helpers.r_references import R_PARITY, frame_of

import interlace as il
from interlace.errors import ArgumentError, DataWarning

CASES = json.loads((R_PARITY / "references" / "step.json").read_text(encoding="utf-8"))
del CASES["versions"]
#: Criteria agree to 1e-6; degrees of freedom, which R differences, to 1e-4.
CRITERION, RELATIVE = 1e-6, 1e-4


def plain(label: str) -> str:
    """A label without spaces and without the intercept that R leaves out where it may."""
    label = label.replace(" ", "")
    return label if "(1|" in label else label.replace("(1+", "(")


def eliminated(table) -> list[tuple[str, int]]:
    rows = zip(table.index, table["Eliminated"], strict=True)
    return [(plain(label), int(order)) for label, order in rows if label != "<none>"]


@pytest.mark.parametrize("name", sorted(CASES))
def test_terms_go_in_the_order_of_lmertest(name):
    case = CASES[name]
    formula = case["formula"]
    response = formula.split(" ~ ")[0]
    frame = frame_of(case["data"])
    if response not in frame:
        formula = formula.replace(response, f"`{response}`", 1)
    frame = frame[frame[response].notna()]
    arguments = case["arguments"] or {}
    options = {key.replace(".", "_"): value for key, value in arguments.items()}
    reduction = il.fit(formula, frame).step(**options)
    for kind, table in (("random", reduction.random), ("fixed", reduction.fixed)):
        expected = case[kind]
        labels = [plain(label) for label in expected["labels"]]
        order = [0 if count is None else count for count in expected["Eliminated"]]
        rows = [row for row in zip(labels, order, strict=True) if row[0] != "<none>"]
        # what stays is in the order of the formula here
        gone = [row for row in rows if row[1]]
        own = eliminated(table)
        assert own[: len(gone)] == gone
        assert sorted(own) == sorted(rows)
        places = [labels.index(plain(label)) for label in table.index]
        for column in set(expected) - {"labels", "Eliminated"} if labels else ():
            values = np.array([expected[column][i] for i in places], dtype=float)
            tolerance = CRITERION if kind == "random" and column != "Pr(>Chisq)" else 0.0
            relative = 0.0 if tolerance else RELATIVE
            np.testing.assert_allclose(
                table[column].astype(float), values, rtol=relative, atol=tolerance or 1e-12,
                err_msg=column,
            )  # fmt: skip
    assert (type(reduction.model).__name__ == "GLMResult") == (case["kind"] == "lm")


def test_a_term_of_no_variance_leaves_a_linear_model():
    reduction = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff2")).step()
    assert reduction.formula == "Yield ~ 1" and reduction.model.summary() is not None
    assert "Random terms" in repr(reduction) and "Yield ~ 1" in reduction._repr_html_()


def test_fixed_terms_of_the_linear_model_left_have_its_f_tests():
    d = il.load_dataset("Dyestuff2").assign(x=np.tile([0.0, 1.0, 2.0], 10))
    reduction = il.fit("Yield ~ x + (1 | Batch)", d).step(alpha_fixed=1.0)
    F = il.glm("Yield ~ x", d).f_test("x")
    row = reduction.fixed.loc["x"]
    assert (row["F value"], row["DenDF"]) == pytest.approx((F.statistic, 28.0))
    assert row["Pr(>F)"] == pytest.approx(F.pvalue)


def test_generalised_models_go_by_likelihood_ratio():
    owls = il.load_dataset("cbpp").assign(x=np.random.default_rng(1).normal(size=56))
    formula = "cbind(incidence, size - incidence) ~ period + x + (1 + x | herd)"
    m = il.glmer(formula, owls, "binomial")
    reduction = m.step()
    assert eliminated(reduction.random)[0] == ("xin(x|herd)", 1)
    assert reduction.model.formula.endswith("~ period + (1 | herd)")
    smaller = il.update(m, f"{formula.split(' ~ ')[0]} ~ period + (1 | herd)")
    assert reduction.model.llf == pytest.approx(smaller.llf, abs=1e-6)
    whole = il.update(m, f"{formula.split(' ~ ')[0]} ~ period + x + (1 | herd)")
    lrt = 2.0 * (whole.llf - smaller.llf)
    assert reduction.fixed.loc["x", "LRT"] == pytest.approx(lrt, abs=1e-6)
    by_aic = m.step(criterion="AIC")
    assert by_aic.model.aic == min(by_aic.model.aic, m.aic, whole.aic)
    assert by_aic.fixed["Eliminated"].notna().sum() == len(by_aic.fixed) - 1


def test_random_terms_of_generalised_models_are_tested_against_glm():
    formula = "cbind(incidence, size - incidence) ~ period"
    d = il.load_dataset("cbpp")
    table = il.glmer(f"{formula} + (1 | herd)", d, "binomial").ranova()
    assert table["logLik"].iloc[1] == pytest.approx(il.glm(formula, d, "binomial").llf)
    counts = il.load_dataset("Salamanders")
    m = il.glmer("count ~ mined + (1 | site)", counts, "nbinom2", ziformula="~ mined")
    table = m.ranova()
    without = il.glm("count ~ mined", counts, "nbinom2", ziformula="~ mined")
    assert table["logLik"].iloc[1] == pytest.approx(without.llf, abs=1e-6)
    assert table["Pr(boundary)"].iloc[1] == pytest.approx(0.5 * table["Pr(>Chisq)"].iloc[1])


def test_what_is_kept_stays():
    m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    reduction = m.step(keep="Days", alpha_fixed=0.0, reduce_random=False)
    assert reduction.formula == m.formula
    with pytest.raises(ArgumentError, match="keep has 'days', which is no term .* 'Days'"):
        m.step(keep="days")


def test_refusals():
    m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    with pytest.raises(ArgumentError, match="step needs the call of the fit"):
        pickle.loads(pickle.dumps(m)).step()
    g = il.glm("Reaction ~ Days", il.load_dataset("sleepstudy"))
    with pytest.raises(ArgumentError, match="ddf='Kenward-Roger' is for linear mixed models"):
        g.step(ddf="Kenward-Roger")


def test_adjusted_covariances():
    m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
    adjusted = m.cov_params(ddf="KR")
    errors = m.summary(ddf="Kenward-Roger")
    assert np.sqrt(adjusted.loc["Intercept", "Intercept"]) == pytest.approx(
        float(m.t_test("Intercept", df_method="kenward-roger")["std_error"].iloc[0])
    )
    assert errors is not None
    assert m.cov_params().equals(m.vcov())
    assert np.diagonal(m.vcov(True, ddf="Kenward-Roger")) == pytest.approx(np.ones(3))


def test_a_row_without_the_label_of_a_random_term_is_left_out_of_the_smaller_model_too():
    cbpp = il.load_dataset("cbpp")
    cbpp["herd"] = cbpp["herd"].astype(str)
    cbpp.loc[3, "herd"] = None
    offset = np.log(cbpp["size"].to_numpy())
    with pytest.warns(DataWarning):
        m = il.glmer("incidence ~ period + (1 | herd)", cbpp, "poisson", offset=offset)
    kept = cbpp.drop(index=3)
    same = il.glm("incidence ~ period", kept, "poisson", offset=np.delete(offset, 3))
    assert m.ranova()["logLik"].iloc[-1] == pytest.approx(same.llf, abs=1e-9)
    columns = {name: cbpp[name].to_numpy() for name in cbpp}
    with pytest.warns(DataWarning):
        m = il.glmer("incidence ~ period + (1 | herd)", columns, "poisson", offset=offset)
    assert m.ranova()["logLik"].iloc[-1] == pytest.approx(same.llf, abs=1e-9)
