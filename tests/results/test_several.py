"""Results of models with several linear predictors: what users of glmmTMB ask of them."""

from __future__ import annotations

import copy
import json
import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest
from helpers.several import SeveralReference, several_reference

import interlace as il
from interlace.errors import ArgumentError, DataError
from interlace.families import NegativeBinomial1
from interlace.results.glmm import GLMMResult

COUNTS = "count ~ spp + mined + (1 | site)"
CALLS = "SiblingNegotiation ~ FoodTreatment + (1 | Nest)"
MODELS = {
    "zeros": ("Salamanders", COUNTS, "nbinom2", {"ziformula": "~ spp + mined"}),
    "dispersion": ("Salamanders", COUNTS, "nbinom2", {"dispformula": "~ DOY"}),
    "random zeros": ("Owls", CALLS, "poisson", {"ziformula": "~ SexParent + (1 | Nest)"}),
    "one number": ("Salamanders", COUNTS, NegativeBinomial1(), {}),
    "sigma": ("sleepstudy", "Reaction ~ Days + (Days | Subject)", "gaussian",
              {"dispformula": "~ Days"}),
}  # fmt: skip
REFERENCES = {"zeros": "T4_salamanders_zinb2", "dispersion": "T6_salamanders_dispersion"}
# Relative, of standard errors: they are differences of gradients, here and in R.
DIFFERENCES = 1e-4
# Of standard errors of predictions: modes, good to 1e-10, are differenced with steps of 1e-4.
MODE_DIFFERENCES = 2e-6


@cache
def model(name: str) -> GLMMResult:
    """Shared by the tests, which must not change it."""
    data, formula, family, formulas = MODELS[name]
    return il.glmer(formula, il.load_dataset(data), family, **formulas)


def reference(name: str) -> SeveralReference:
    return several_reference(REFERENCES[name])


# -- coefficients ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFERENCES)
def test_coefficients_of_each_component(name) -> None:
    m, r = model(name), reference(name)
    assert m.llf == pytest.approx(r["log_likelihood"], abs=1e-7)
    assert m.aic == pytest.approx(r["aic"], abs=1e-6) and m.nparams == r["df"]
    for component in m.components:
        se = r.standard_errors(component)
        np.testing.assert_allclose(m.params_of(component), r.coefficients(component), atol=2e-6)
        np.testing.assert_allclose(m.bse_of(component), se, rtol=DIFFERENCES)
        np.testing.assert_allclose(
            m.vcov(component=component), r.vcov(component), atol=DIFFERENCES * se.max() ** 2
        )
    assert m.params_of("cond").equals(m.fe_params)


def test_names_of_components_are_those_of_r_in_words_too() -> None:
    m = model("zeros")
    assert m.components == ("cond", "zi")
    for word in ("conditional", "mean", "COND"):
        assert m.params_of(word).equals(m.fe_params)
    assert m.params_of("zi").equals(m.zi_params) and m.bse_of("zi").equals(m.zi_bse)
    assert m.params_of("disp").to_dict() == pytest.approx({"Intercept": np.log(1.51164938)})
    with pytest.raises(ArgumentError, match="it has 'cond', 'disp', and 'zi'|'cond', 'disp'"):
        m.params_of("shape")
    with pytest.raises(ArgumentError, match="no such linear predictor"):
        model("dispersion").t_test("Intercept", component="zi")
    with pytest.raises(ArgumentError, match="no such linear predictor"):
        il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff")).vcov(component="zi")


def test_parameters_that_are_one_number_have_one_home() -> None:
    zeros, dispersion, one = model("zeros"), model("dispersion"), model("one number")
    assert zeros.family_params.to_dict() == pytest.approx({"theta": 1.51164938}, rel=1e-6)
    assert zeros.family_bse.to_dict() == pytest.approx({"theta": 0.3751288}, rel=DIFFERENCES)
    assert zeros.disp_params.equals(zeros.family_params)
    assert len(dispersion.family_params) == len(dispersion.zi_params) == 0
    assert dispersion.disp_params.equals(dispersion.params_of("disp"))
    assert dispersion.disp_bse.equals(dispersion.bse_of("disp"))
    assert one.family_params.to_dict() == pytest.approx({"phi": 2.0789677}, rel=1e-6)
    owls = il.glmer(CALLS, il.load_dataset("Owls"), "poisson", ziformula="~ 1")
    assert owls.family_params["zi"] == pytest.approx(1 / (1 + np.exp(-owls.zi_params.iloc[0])))
    assert len(owls.disp_params) == 0


def test_parameters_of_families_that_have_one_predictor() -> None:
    data = il.load_dataset("Salamanders")
    m = il.glmer(COUNTS, data, "nbinom2")
    assert m.family_params.equals(m.disp_params)
    theta = m.family_params["theta"]
    assert m.family_bse["theta"] == pytest.approx(theta * m.disp_bse["theta"])
    assert m.predict(type="disp", se=True).iloc[0].tolist() == [theta, m.family_bse["theta"]]
    glm = il.glm("count ~ mined", data, "nbinom2")
    assert glm.family_params.equals(glm.disp_params)
    assert glm.family_bse["theta"] == glm.family_params["theta"] * glm.disp_bse["theta"]


def test_covariance_of_all_parameters() -> None:
    m = model("random zeros")
    full = m.vcov(full=True)
    assert full.columns.tolist() == m.fit.parameter_names
    zi = ["zi~Intercept", "zi~SexParent[T.Male]"]
    np.testing.assert_array_equal(full.loc[zi, zi], m.vcov(component="zi"))
    # glmmTMB's, between the means and the zeros.
    assert full.loc["Intercept", "zi~Intercept"] == pytest.approx(1.06988e-05, rel=1e-4)


# -- tests -----------------------------------------------------------------------------------------


def test_tests_of_a_component() -> None:
    m = model("zeros")
    table = m.t_test("mined[T.no]", component="zi")
    assert table["statistic"].item() == pytest.approx(-4.23968, rel=DIFFERENCES)
    joint = m.wald_test("mined[T.no] = 0; Intercept = 0", component="zi")
    b, V = m.zi_params.to_numpy(), m.vcov(component="zi").to_numpy()
    at = [7, 0]
    assert joint.statistic == pytest.approx(b[at] @ np.linalg.solve(V[np.ix_(at, at)], b[at]))
    assert m.f_test("Intercept", component="zi").df_denom == np.inf
    terms = m.anova(component="zi")
    assert terms.index.tolist() == ["spp", "mined"]
    assert terms.loc["mined", "Chisq"] == pytest.approx(4.23968**2, rel=2 * DIFFERENCES)
    limits = m.conf_int(component="zi").loc["Intercept"]
    assert limits.tolist() == pytest.approx([b[0] - 1.959964 * V[0, 0] ** 0.5,
                                             b[0] + 1.959964 * V[0, 0] ** 0.5])  # fmt: skip
    wald = m.confint(method="Wald", component="zi", r_names=False)
    np.testing.assert_array_equal(wald, m.conf_int(component="zi"))
    with pytest.raises(ArgumentError, match="leave it out"):
        m.anova(model("dispersion"), component="zi")


def test_models_with_and_without_zero_inflation() -> None:
    data = il.load_dataset("Salamanders")
    plain = il.glmer(COUNTS, data, "nbinom2")
    table = plain.anova(model("zeros"))
    assert table["Chisq"].iloc[1] == pytest.approx(18.1054, abs=1e-4)  # glmmTMB's anova
    assert table["Chi Df"].iloc[1] == 8 and table["Pr(>Chisq)"].iloc[1] == pytest.approx(
        0.02045, abs=5e-6
    )
    assert table.index.tolist()[1] == f"{COUNTS} [zi ~ spp + mined]"
    poisson = il.glmer(COUNTS, data, "poisson", ziformula="~ spp + mined")
    assert poisson.anova(model("zeros"))["Chi Df"].iloc[1] == 1
    other = plain.anova(model("one number"))
    assert "as many parameters" in other.attrs["notes"][0]
    with pytest.raises(ArgumentError, match="laplace='observed', which several predictors need"):
        il.glmer(COUNTS, data, "nbinom2", laplace="expected").anova(model("zeros"))
    larger = il.glmer(COUNTS, data, "nbinom2", ziformula="~ spp + mined", dispformula="~ DOY")
    assert model("zeros").anova(larger)["Pr(>Chisq)"].notna().sum() == 1
    linear = il.fit(MODELS["sigma"][1], il.load_dataset("sleepstudy"), method="ML")
    assert linear.anova(model("sigma"))["Chisq"].iloc[1] == pytest.approx(
        2 * (model("sigma").llf - linear.llf)
    )


# -- predictions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFERENCES)
def test_predictions_of_every_type(name) -> None:
    m, r = model(name), reference(name)
    for type, expected in r["predictions"].items():
        found = m.predict(type="disp" if type == "phi" else type).to_numpy()
        size = np.sqrt(expected["sum_of_squares"] * found.size)
        assert abs(found.sum() - expected["sum"]) < 1e-5 * size
        assert (found**2).sum() == pytest.approx(expected["sum_of_squares"], rel=2e-5)
        np.testing.assert_allclose(found[:12], expected["values"], rtol=2e-5, atol=1e-5)


def test_standard_errors_without_random_effects_are_those_of_r() -> None:
    m, data = model("zeros"), il.load_dataset("Salamanders")
    # predict(m, data, type, se.fit = TRUE, re.form = NA), glmmTMB 1.1.5, rows 1 and 4
    expected = {
        "response": (0.06458939629, 0.3756693154),
        "conditional": (0.2200799181, 0.460752417),
        "zprob": (0.1284874828, 0.06932981585),
        "link": (0.4051948155, 0.2031384352),
    }
    for type, se in expected.items():
        found = m.predict(data, type=type, include_re=False, se=True)["se"]
        assert found.iloc[[0, 3]].tolist() == pytest.approx(se, rel=DIFFERENCES)
    assert m.predict(type="disp", se=True)["se"].iloc[0] == pytest.approx(
        0.3751297843, rel=DIFFERENCES
    )
    sigma = model("sigma").predict(type="disp", se=True)["se"].head(2)
    assert sigma.tolist() == pytest.approx([2.151304149, 1.958545353], rel=DIFFERENCES)


def test_standard_errors_with_random_effects_against_dense_algebra() -> None:
    m = model("random zeros")
    fit = m.fit
    X = [p.X for p in fit.design.predictors.values()]
    (factor,), (T,) = fit.design.factors, fit.T
    levels, k = len(factor.levels), T.shape[0]
    Z = np.zeros((2, fit.n, levels * k))
    for j, own in enumerate(factor.predictor):
        Z[own, np.arange(fit.n), factor.codes * k + j] = factor.Z[:, j]
    W = fit.solution.weight
    blocks = np.array([[W[0], W[1]], [W[1], W[2]]])
    A = np.zeros((2, fit.n, levels * k + sum(x.shape[1] for x in X)))
    A[:, :, : levels * k] = Z
    start = levels * k
    for own, x in enumerate(X):
        A[own, :, start : start + x.shape[1]] = x
        start += x.shape[1]
    H = np.einsum("anp,abn,bnq->pq", A, blocks, A)
    H[: levels * k, : levels * k] += np.kron(np.eye(levels), np.linalg.inv(T @ T.T))
    q = levels * k
    given = np.linalg.inv(H[:q, :q])  # of b - b_hat, all parameters given
    # b solves Z's = S^{-1} b, S = TT': its derivatives in theta and in the coefficients
    b = fit.b[0].ravel()
    step, slopes_of_b = 1e-5, []
    for j, value in enumerate(fit.theta):
        ends = []
        for moved in (value + step, value - step):
            theta = fit.theta.copy()
            theta[j] = moved
            (t,) = fit.covariance.templates(theta)
            ends.append(np.kron(np.eye(levels), np.linalg.inv(t @ t.T)))
        slopes_of_b.append(-given @ ((ends[0] - ends[1]) / (2.0 * step)) @ b)
    D = np.column_stack([*slopes_of_b, -given @ H[:q, q:]])
    p, mu = m.predict(type="zprob").to_numpy(), m.predict(type="conditional").to_numpy()
    slopes = {
        "response": ((1 - p) * mu, -p * (1 - p) * mu),
        "conditional": (mu, 0 * mu),
        "zprob": (0 * mu, p * (1 - p)),
        "link": (1 + 0 * mu, 0 * mu),
        "zlink": (0 * mu, 1 + 0 * mu),
    }
    for type, (first, second) in slopes.items():
        J = first[:, None] * A[0] + second[:, None] * A[1]
        P = J[:, :q] @ D
        P[:, fit.theta.size :] += J[:, q:]
        variance = np.einsum("np,pq,nq->n", J[:, :q], given, J[:, :q])
        variance += np.einsum("np,pq,nq->n", P, fit.cov_all, P)
        found = m.predict(type=type, se=True)["se"]
        np.testing.assert_allclose(found, np.sqrt(variance), rtol=MODE_DIFFERENCES)


def test_types_of_predictions_agree_with_each_other() -> None:
    m, data = model("random zeros"), il.load_dataset("Owls")
    p, mu = m.predict(type="zprob"), m.predict(type="conditional")
    np.testing.assert_allclose(m.predict(), (1 - p) * mu, rtol=1e-12)
    np.testing.assert_allclose(m.predict(), m.fittedvalues, rtol=1e-12)
    np.testing.assert_allclose(np.log(p / (1 - p)), m.predict(type="zlink"), rtol=1e-10)
    np.testing.assert_allclose(np.log(mu), m.predict(type="link"), rtol=1e-10)
    assert m.predict(type="link", component="zi").equals(m.predict(type="zlink"))
    for type in ("response", "conditional", "zprob", "zlink", "link"):
        inside, outside = m.predict(type=type, se=True), m.predict(data, type=type, se=True)
        np.testing.assert_allclose(inside, outside, rtol=1e-10)
        table = m.get_prediction(data.head(5), type=type)
        np.testing.assert_allclose(table.mean, inside["prediction"].head(5), rtol=1e-10)
        np.testing.assert_allclose(table.se, inside["se"].head(5), rtol=1e-7)
        frame = table.summary_frame()
        assert (frame["mean_ci_lower"] < frame["mean"]).all()
        assert (frame["mean"] < frame["mean_ci_upper"]).all()
        assert type != "zprob" or frame["mean_ci_upper"].max() < 1.0
    with pytest.raises(ArgumentError, match="goes with|type='link'"):
        m.predict(type="response", component="zi")
    with pytest.raises(ArgumentError, match="no dispersion"):
        m.predict(type="disp")


def test_predictions_need_only_what_they_are_made_of() -> None:
    m = model("random zeros")
    link = m.predict({"FoodTreatment": ["Deprived"]}, type="link", include_re=False)
    assert link.item() == pytest.approx(m.fe_params["Intercept"])
    zeros = m.predict({"SexParent": ["Male"], "Nest": ["Bochet"]}, type="zlink")
    own = m.random_effects["Nest"].loc["Bochet", "zi.Intercept"]
    assert zeros.item() == pytest.approx(m.zi_params.sum() + own)
    nest = {"SexParent": ["Male"], "Nest": ["Bochet"]}
    share = m.get_prediction(nest, type="zprob")
    assert share.mean.item() == pytest.approx(1 / (1 + np.exp(-zeros.item())))
    assert share.se.item() > 0.0
    number = model("zeros").predict({"spp": ["GP", "PR"]}, type="disp")
    assert number.tolist() == [model("zeros").family_params["theta"]] * 2
    with pytest.raises(il.errors.DataError, match="FoodTreatment"):
        m.predict(nest)
    new = {"SexParent": ["Male"], "FoodTreatment": ["Deprived"], "Nest": ["elsewhere"]}
    population = m.predict(new, new_levels="population")
    assert population.item() == pytest.approx(m.predict(new, include_re=False).item())
    drawn = m.get_prediction(new, new_levels="population", new_level_variance=True)
    fixed = m.get_prediction(new, new_levels="population")
    p = m.predict(new, type="zprob", include_re=False).item()
    sd = m.VarCorr()["sd_or_corr"].to_numpy()
    mean = population.item()
    extra = (mean * sd[0]) ** 2 + (p * mean * sd[1]) ** 2
    assert drawn.se.item() ** 2 - fixed.se.item() ** 2 == pytest.approx(extra)


def test_random_effects_of_a_predictor_enter_it_alone() -> None:
    m = model("random zeros")
    for type in ("link", "zlink"):  # a term is meant wherever it stands
        assert m.predict(type=type, include_re="(1 | Nest)").equals(m.predict(type=type))
    b = m.random_effects["Nest"].loc[il.load_dataset("Owls")["Nest"]]
    for type, name in (("link", "Intercept"), ("zlink", "zi.Intercept")):
        moved = m.predict(type=type) - m.predict(type=type, include_re=False)
        np.testing.assert_allclose(moved, b[name], rtol=1e-10, atol=1e-12)


def test_other_predictors_do_not_ask_for_a_mean_in_range() -> None:
    # the identity link takes no zero, which stands for a mean that is not needed
    r = several_reference("nb1_identity")
    m = il.glmer(r.formula, r.frame, NegativeBinomial1(link="identity"))
    found = m.predict(type="disp", se=True)
    np.testing.assert_allclose(found["prediction"], r["predictions"]["phi"]["values"][0], rtol=1e-5)
    assert found["se"].iloc[0] == pytest.approx(m.family_bse["phi"], rel=1e-6)


# -- random effects --------------------------------------------------------------------------------


def test_random_effects_of_all_components() -> None:
    m = model("random zeros")
    table = m.VarCorr()
    assert table["component"].tolist() == ["cond", "zi"] and table["group"].tolist() == ["Nest"] * 2
    assert table["sd_or_corr"].tolist() == pytest.approx([0.25398328, 0.82677138], rel=2e-5)
    assert il.VarCorr(m).equals(table)
    modes = m.random_effects["Nest"]
    assert modes.columns.tolist() == ["Intercept", "zi.Intercept"]
    first = modes.loc["AutavauxTV"].tolist()  # glmmTMB's
    assert first == pytest.approx([-0.21302976, 0.18872820], rel=1e-4)
    long = m.ranef(cond_sd=True)
    assert long["component"].unique().tolist() == ["cond", "zi"]
    assert long["term"].unique().tolist() == ["Intercept"]
    assert long.loc[27, "value"] == first[1]
    levels = m.coef()["Nest"].loc["Bochet"]
    assert levels["Intercept"] == pytest.approx(2.335181265, rel=1e-5)
    assert levels["zi.Intercept"] == pytest.approx(-0.02206346, rel=1e-3)
    assert levels["zi.SexParent[T.Male]"] == m.zi_params["SexParent[T.Male]"]
    assert m.theta.index.tolist() == ["Nest.Intercept", "zi.Nest.Intercept"]
    assert m.rePCA()["group"].tolist() == ["Nest", "zi.Nest"]
    assert m.rePCA()["sd"].tolist() == pytest.approx(table["sd_or_corr"].tolist())
    assert "component" not in model("one number").VarCorr()
    assert "component" in model("zeros").VarCorr()


def test_random_effects_of_one_component() -> None:
    m = model("random zeros")
    zeros = m.random_effects_of("zi")["Nest"]
    assert zeros.columns.tolist() == ["Intercept"]
    assert zeros["Intercept"].tolist() == m.random_effects["Nest"]["zi.Intercept"].tolist()
    assert m.disp_random_effects == m.disp_variance_components == {}
    assert model("zeros").random_effects_of("zi") == {}
    sleep = il.load_dataset("sleepstudy")
    s = il.fit("Reaction ~ Days + (1 | Subject)", sleep, dispformula="~ Days + (1 | Subject)")
    sd = s.VarCorr().query("component == 'disp'")["sd_or_corr"].item()
    assert s.disp_variance_components == pytest.approx({"Subject": sd**2})
    assert s.disp_random_effects["Subject"].shape == (18, 1)
    both = s.random_effects_of("cond")["Subject"].columns.tolist()
    assert both == ["Intercept"]


# -- residuals and draws ---------------------------------------------------------------------------


def test_residuals() -> None:
    m = model("zeros")
    y = il.load_dataset("Salamanders")["count"].to_numpy()
    pearson = [-0.2980529411, -0.3529995281, -0.2617745097, -0.02920245636]  # glmmTMB's
    assert m.residuals("pearson").head(4).tolist() == pytest.approx(pearson, rel=1e-4)
    np.testing.assert_allclose(m.residuals("response"), y - m.fittedvalues, rtol=1e-12)
    assert m.resid.equals(m.residuals("response"))
    with pytest.raises(ArgumentError, match="no deviance"):
        m.residuals("deviance")
    assert m.deviance == m.glance()["deviance"].item() == -2.0 * m.llf
    sigma = model("sigma")
    scaled = sigma.residuals("response") / sigma.predict(type="disp")
    np.testing.assert_allclose(sigma.residuals("pearson"), scaled, rtol=1e-10)
    np.testing.assert_allclose(sigma.residuals("deviance", scaled=True), scaled, rtol=1e-10)
    assert np.isnan(sigma.sigma) and np.isnan(sigma.dispersion)
    assert model("dispersion").residuals().abs().sum() > 0.0


def test_leverages_are_of_one_predictor() -> None:
    for name in ("zeros", "dispersion"):
        with pytest.raises(ArgumentError, match="one linear predictor"):
            model(name).hatvalues()
        assert ".hat" not in model(name).augment()
    hat = model("one number").hatvalues()
    # information of single rows may be negative under NB1
    assert 9.0 < hat.sum() < 8 + 23 and hat.min() > -0.1


def test_draws_have_the_moments_of_the_model() -> None:
    m = model("random zeros")
    draws = m.simulate(4000, seed=1, use_u=True).to_numpy()
    p, mu = m.predict(type="zprob").to_numpy(), m.predict(type="conditional").to_numpy()
    share = (draws == 0).mean(axis=1)
    expected = p + (1 - p) * np.exp(-mu)
    assert np.abs(share - expected).max() < 5 * 0.5 / np.sqrt(4000)
    sd = np.sqrt((1 - p) * (mu + p * mu**2))
    assert np.abs((draws.mean(axis=1) - m.predict()) / sd).max() < 5 / np.sqrt(4000)
    fresh = m.simulate(2000, seed=2).to_numpy()
    # nests drawn anew: more zeros in some draws of a nest, and in others fewer
    nest = il.load_dataset("Owls")["Nest"].to_numpy() == "Oleyes"
    kept = (draws[nest] == 0).mean(axis=0).std()
    assert (fresh[nest] == 0).mean(axis=0).std() > 1.5 * kept
    assert m.simulate(seed=3).equals(m.simulate(seed=3))


# -- tables and text -------------------------------------------------------------------------------


def test_tidy_has_a_column_of_components() -> None:
    m = model("random zeros")
    table = m.tidy(["fixed", "ran_pars", "ran_vals", "ran_coefs"], conf_int=True)
    assert table.columns.tolist()[:5] == ["effect", "component", "group", "level", "term"]
    fixed = table[table["effect"] == "fixed"].set_index(["component", "term"])
    assert fixed["estimate"].tolist() == [*m.fe_params, *m.zi_params]
    assert fixed["std_error"].tolist() == [*m.fe_bse, *m.zi_bse]
    assert (table["component"] == "zi").sum() == (table["component"] == "cond").sum() + 27 * 0
    only = m.tidy("fixed", component="zi")
    assert only["term"].tolist() == m.zi_params.index.tolist()
    odds = m.tidy("fixed", exponentiate=True)
    np.testing.assert_allclose(odds["estimate"], np.exp(fixed["estimate"]))
    assert m.tidy("fixed", r_names=True)["term"].tolist()[-1] == "SexParentMale"
    assert "component" not in model("one number").tidy()
    theta = model("zeros").tidy("ran_pars").iloc[-1]
    assert (theta["component"], theta["group"], theta["term"]) == ("disp", "Residual", "theta")
    assert theta["std_error"] == pytest.approx(0.3751288, rel=DIFFERENCES)
    assert model("one number").tidy("ran_pars")["term"].tolist() == ["sd__Intercept", "phi"]
    assert model("zeros").glance()["theta"].item() == model("zeros").family_params["theta"]
    assert model("one number").glance()["phi"].item() == model("one number").family_params["phi"]


def test_summary_has_a_block_for_each_predictor() -> None:
    text = str(model("zeros").summary())
    wanted = ["Zero-inflation: ~ spp + mined", "Random effects, conditional model:", "theta 1.512",
              "Conditional model:", "Zero-inflation model:"]  # fmt: skip
    places = [text.index(part) for part in wanted]
    assert places == sorted(places) and text.count("theta") == 1
    assert "-2.5630     0.6045  -4.240" in text
    assert "Zero-inflation model:" in model("zeros").summary()._repr_html_()
    both = str(model("random zeros").summary())
    assert both.index("Random effects, zero-inflation model:") < both.index("Number of obs")
    assert both.count("Number of obs") == 1
    assert "zi: Intercept -0.8559" in repr(model("random zeros"))
    assert "sd: Nest Intercept 0.254, zi Nest Intercept 0.8268" in repr(model("random zeros"))
    assert "Dispersion: ~ DOY" in str(model("dispersion").summary())
    assert "Dispersion model:" in str(model("dispersion").summary())
    one = str(model("one number").summary())
    assert "Fixed effects:" in one and "phi 2.079" in one and "model:" not in one


def test_tables_for_other_packages() -> None:
    table = model("zeros").__maketables_coef_table__
    assert table.index.tolist()[0] == "Intercept" and table.index.tolist()[-1] == "zi~mined[T.no]"
    assert table["b"].iloc[-1] == model("zeros").zi_params.iloc[-1]


FAMILIES = [
    *("beta_disp", "beta_zeros", "tweedie", "t_disp", "lognormal_hurdle", "ordbeta"),
    *("genpois_zeros", "hurdle_nb2", "truncated_poisson", "gamma_hurdle_disp", "bell_zeros"),
    *("betabinomial_disp", "zip_only_zeros_random", "zinb2_all_three", "gaussian_spread"),
]


@pytest.mark.parametrize("id", FAMILIES)
def test_every_family_has_all_of_it(id) -> None:
    r = several_reference(id)
    formulas = {f"{key}formula": r[key] for key in ("zi", "disp") if r.get(key)}
    name, link = r["family"]["name"], r["family"]["link"]
    name = {"ziGamma": "Gamma"}.get(name, name)
    given = {key: value for key, value in r.arguments.items() if key != "method"}
    m = il.glmer(r.formula, r.frame, name, link=link, **given, **formulas)
    if id != "ordbeta":  # which has ones apart, too
        p = m.predict(type="zprob").to_numpy()
        np.testing.assert_allclose(m.predict(), (1 - p) * m.predict(type="conditional"), rtol=1e-9)
    types = ["response", "conditional", "link", *(["zlink"] if "zi" in m.components else [])]
    for type in types:
        found = m.predict(type=type, se=True)
        assert np.isfinite(found["se"]).all()
        expected = r["predictions"].get(type)
        if expected and id != "ordbeta":  # R's is the mean of the beta distribution alone
            np.testing.assert_allclose(
                found["prediction"].head(12), expected["values"], rtol=1e-4, atol=1e-4
            )
    assert 0.7 < m.residuals("pearson", scaled=True).std() < 1.3
    draws = m.simulate(200, seed=5, use_u=True)
    sd = m.residuals("response") / m.residuals("pearson", scaled=True)
    z = (draws.mean(axis=1) - m.predict()) / sd.abs() * np.sqrt(200)
    assert np.sqrt((z**2).mean()) < 1.3
    shown = str(m.summary())
    for parameter in m.family_params.index.difference(["zi"]):
        assert shown.count(f"{parameter} {m.family_params[parameter]:.4g}") == 1
    assert len(m.tidy()) == len(m.tidy("fixed")) + len(m.tidy("ran_pars"))
    assert m.nparams == r["df"] == len(m.vcov(full=True))
    assert json.dumps(m.to_dict()) and m.glance()["nobs"].item() == m.nobs


# -- what lasts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_a_result_lasts(name) -> None:
    m = model(name)
    loaded = pickle.loads(pickle.dumps(m))
    assert loaded.predict().equals(m.predict()) and str(loaded.summary()) == str(m.summary())
    there, here = loaded.predict(se=True), m.predict(se=True)
    np.testing.assert_allclose(there, here, rtol=MODE_DIFFERENCES)
    last = m.components[-1]
    assert copy.copy(m).params_of(last).equals(copy.deepcopy(m).params_of(last))
    found = json.loads(json.dumps(m.to_dict()))
    assert found["fe_params"] == m.fe_params.to_dict()
    assert found["disp_params"] == m.disp_params.to_dict()
    assert found["family_params"] == m.family_params.to_dict()
    for component, own in found.get("components", {}).items():
        assert own["params"] == m.params_of(component).to_dict()
    assert list(found.get("components", {})) == list(m.components[1:])
    assert isinstance(m.augment(), pd.DataFrame) and m.convergence.verdict == "converged"


def test_rows_with_missing_values_of_any_formula() -> None:
    data = il.load_dataset("Owls")
    data.loc[3, "SexParent"] = None
    call = CALLS, data, "poisson"
    with pytest.warns(il.errors.DataWarning):
        m = il.glmer(*call, ziformula="~ SexParent + (1 | Nest)", na_action="exclude")
    assert m.missing_by == {"SexParent": 1} and m.nobs == 598
    for values in (m.predict(), m.predict(type="zprob"), m.residuals("pearson")):
        assert len(values) == 599 and values.isna().sum() == 1
    # a row of new data lacks only what it does not have
    new = pd.DataFrame({"FoodTreatment": ["Deprived", None], "SexParent": [None, "Male"]})
    found = {t: m.predict(new, type=t, include_re=False).isna().tolist() for t in ("link", "zprob")}
    assert found == {"link": [False, True], "zprob": [True, False]}
    assert m.predict(new, include_re=False, se=True).isna().to_numpy().all()


def test_refit_and_update_keep_the_formulas() -> None:
    m = model("random zeros")
    again = m.refit(m.simulate(seed=4)["sim_1"])
    assert again.converged and again.components == m.components
    same = m.refit(il.load_dataset("Owls")["SiblingNegotiation"])
    assert same.llf == pytest.approx(m.llf, abs=1e-6)
    smaller = il.update(m, ". ~ . - FoodTreatment", ziformula="~ 1")
    assert smaller.components == ("cond", "zi") and smaller.nparams == 3
    assert il.update(m).llf == pytest.approx(m.llf, abs=1e-8)
    assert m.update(". ~ . - FoodTreatment", ziformula="~ 1").llf == smaller.llf


def test_restricted_likelihood_of_a_formula_of_sigma() -> None:
    formula, data = MODELS["sigma"][1], il.load_dataset("sleepstudy")
    m = il.fit(formula, data, dispformula="~ Days")
    assert m.method == "REML" and "fit by REML" in str(m.summary())
    assert "reml_crit" in m.glance()
    # with one sigma for all: the linear mixed model
    flat = m.predict(se=True)
    assert (flat["se"] > 0.0).all()
    assert m.get_prediction(data.head(3), include_re=False).se[0] == m.fe_bse["Intercept"]


# -- edges of predictions --------------------------------------------------------------------------


def test_predictions_ask_for_the_columns_they_depend_on() -> None:
    m = model("dispersion")
    rows = il.load_dataset("Salamanders").head(3)
    whole = m.predict(rows, se=True)
    pd.testing.assert_frame_equal(m.predict(rows.drop(columns="DOY"), se=True), whole)
    holed = rows.assign(DOY=[np.nan, *rows["DOY"].iloc[1:]])
    pd.testing.assert_frame_equal(m.predict(holed, se=True), whole)
    assert m.predict(holed, type="disp").isna().tolist() == [True, False, False]
    with pytest.raises(DataError, match="lacks the column.*DOY"):
        m.predict(rows.drop(columns="DOY"), type="disp")
    zeros = model("zeros")
    without = rows.drop(columns="mined")
    with pytest.raises(DataError, match="lacks the column.*mined"):
        zeros.predict(without, type="zprob")
    numbered = il.glm("count ~ mined", il.load_dataset("Salamanders"), "poisson", ziformula="~ spp")
    with pytest.raises(DataError, match="lacks the column.*spp"):
        numbered.predict(rows[["mined"]])
    assert numbered.predict(rows[["mined"]], type="conditional").notna().all()


def test_the_mean_of_a_truncated_family_depends_on_its_dispersion() -> None:
    streams = il.load_dataset("Salamanders")
    m = il.glm("count ~ mined", streams, "truncated_nbinom2", ziformula="~ 1", dispformula="~ DOY")
    with pytest.raises(DataError, match="lacks the column.*DOY"):
        m.predict(streams[["mined"]].head(2))


def test_zeros_of_a_model_without_any_have_logit_minus_infinity() -> None:
    table = model("dispersion").predict(type="zlink", se=True)
    assert (table["prediction"] == -np.inf).all() and table["se"].isna().all()
    zeros = model("zeros")
    p = zeros.predict(type="zprob")
    np.testing.assert_allclose(zeros.predict(type="zlink"), np.log(p / (1.0 - p)), rtol=1e-12)


def test_zeros_of_the_ordered_beta_family_have_no_predictor_of_their_own() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=300)
    y = np.clip(rng.beta(2.0, 2.0 * np.exp(-0.5 * x)), 0.1, 0.9)
    y = np.where(rng.random(300) < 0.2, 0.0, np.where(rng.random(300) < 0.2, 1.0, y))
    m = il.glm("y ~ x", {"y": y, "x": x}, "ordbeta")
    p, conditional = m.predict(type="zprob"), m.predict(type="conditional")
    np.testing.assert_allclose(m.predict(type="zlink"), np.log(p / (1.0 - p)), rtol=1e-12)
    np.testing.assert_allclose(conditional, 1.0 / (1.0 + np.exp(-m.linear_predictor)), rtol=1e-12)
    # by hand: P(0) = 1 - F(eta - cut1), P(1) = F(eta - cut2)
    eta, cuts = m.linear_predictor, m.family_params
    low, high = (1.0 / (1.0 + np.exp(cuts[name] - eta)) for name in ("cut1", "cut2"))
    np.testing.assert_allclose(p, 1.0 - low, rtol=1e-10)
    np.testing.assert_allclose(m.predict(), high + (low - high) * conditional, rtol=1e-10)
    assert m.predict().mean() == pytest.approx(y.mean(), abs=0.02)


def test_latent_predictions_are_the_random_effects() -> None:
    m = model("random zeros")
    latent, told = m.predict(type="latent", se=True), m.ranef(cond_sd=True)
    np.testing.assert_array_equal(latent["prediction"], told["value"])
    np.testing.assert_array_equal(latent["se"], told["cond_sd"])
    assert latent.index.names == ["component", "group", "level", "term"]
    assert m.predict(type="latent").equals(latent["prediction"])
    sleep = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    assert sleep.predict(type="latent").index.names == ["group", "level", "term"]
    with pytest.raises(ArgumentError, match="leave out newdata"):
        m.predict(il.load_dataset("Owls"), type="latent")


@pytest.mark.parametrize("family", ["binomial", "betabinomial"])
def test_pearson_residuals_of_proportions_with_zeros_know_their_trials(family) -> None:
    rng = np.random.default_rng(8)
    n = 200
    x, m = rng.normal(size=n), rng.integers(1, 30, n)
    p = rng.beta(3.0, 3.0 * np.exp(-x))
    k = rng.binomial(m, p if family == "betabinomial" else 1.0 / (1.0 + np.exp(-x)))
    data = {"x": x, "m": m, "k": k * (rng.random(n) > 0.3)}
    fit = il.glm("cbind(k, m - k) ~ x", data, family, ziformula="~ 1")
    y = fit.fit.observations.y
    moments = np.zeros((2, n))  # of the fitted distribution, by summation over its support
    for j in range(30):
        at = np.where(j <= m, j / m, 0.0)
        family_of = fit.fit.family
        log = family_of.log_density(at, fit.fit.mu, None, m, fit.fit.zeta)
        moments += np.where(j <= m, np.exp(log), 0.0) * np.array([at, at**2])
    mean, variance = moments[0], moments[1] - moments[0] ** 2
    np.testing.assert_allclose(fit.fittedvalues, mean, rtol=1e-9)
    expected = (y - mean) / np.sqrt(variance)
    np.testing.assert_allclose(fit.residuals("pearson"), expected, rtol=1e-8, atol=1e-9)
