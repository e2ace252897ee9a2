"""Marginal means: definitions, offsets, missing cells, scales, calls."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError, DataWarning


def frame(n=240, seed=3):
    rng = np.random.default_rng(seed)
    d = pd.DataFrame(
        {
            "f": rng.choice(list("abc"), n, p=[0.5, 0.3, 0.2]),
            "h": rng.choice(["u", "v"], n, p=[0.8, 0.2]),
            "x": rng.normal(2.0, 1.0, n),
            "two": rng.choice([1.0, 4.0], n),
            "flag": rng.random(n) < 0.3,
            "g": rng.integers(0, 20, n),
            "t": rng.uniform(1.0, 5.0, n),
        }
    )
    eta = 0.2 + 0.5 * (d.f == "b") + 0.3 * d.x * (d.h == "v") + rng.normal(size=20)[d.g] * 0.5
    d["y"] = eta + rng.normal(size=n)
    d["k"] = rng.poisson(d.t * np.exp(0.3 * eta))
    return d


def test_means_are_averages_of_predictions_on_the_grid():
    d = frame()
    m = il.fit("y ~ f * h + x + two + flag + (1 | g)", d)
    means = m.emmeans("f").to_frame().set_index("f")["emmean"]
    for f, mean in means.items():
        grid = pd.DataFrame(
            [
                {"f": f, "h": h, "x": d.x.mean(), "two": two, "flag": flag}
                for h in "uv"
                for two in (1.0, 4.0)
                for flag in (False, True)
            ]
        )
        assert mean == pytest.approx(m.predict(grid, include_re=False).mean(), rel=1e-12)


def test_proportional_weights_are_frequencies():
    d = frame()
    m = il.fit("y ~ f + h + (1 | g)", d)
    share = d.h.value_counts(normalize=True)
    own = m.emmeans("f", weights="proportional").to_frame()["emmean"]
    cells = m.emmeans(["f", "h"]).to_frame().set_index(["h", "f"])["emmean"]
    expected = sum(share[h] * cells[h].to_numpy() for h in "uv")
    np.testing.assert_allclose(own, expected, rtol=1e-12)


def test_offsets_are_at_their_means():
    d = frame()
    as_text = il.glmer("k ~ f + offset(log(t)) + (1 | g)", d, "poisson").emmeans("f")
    base = il.glmer("k ~ f + (1 | g)", d, "poisson", offset=np.log(d.t)).emmeans("f")
    slope = as_text.to_frame()["emmean"] - base.to_frame()["emmean"]
    np.testing.assert_allclose(slope, np.log(d.t.mean()) - np.log(d.t).mean(), rtol=1e-9)
    column = il.glmer("k ~ f + (1 | g)", d.assign(o=np.log(d.t)), "poisson", offset="o")
    np.testing.assert_allclose(
        column.emmeans("f").to_frame()["emmean"], base.to_frame()["emmean"], rtol=1e-12
    )


def test_cells_without_rows_have_no_means():
    d = frame()
    d = d[~((d.f == "c") & (d.h == "v"))]
    with pytest.warns(DataWarning, match="rank deficient"):
        m = il.fit("y ~ f * h + (1 | g)", d)
    cells = m.emmeans("f | h").to_frame().set_index(["h", "f"])["emmean"]
    assert np.isnan(cells["v", "c"]) and np.isfinite(cells.drop(("v", "c"))).all()
    means = m.emmeans("f").to_frame().set_index("f")["emmean"]
    assert np.isnan(means["c"]) and np.isfinite(means[["a", "b"]]).all()
    pairs = m.emmeans("f", by="h").pairs("none").to_frame()
    known = pairs.loc[pairs.h == "u", "estimate"]
    assert np.isfinite(known).all()
    gone = pairs[(pairs.h == "v") & pairs.contrast.str.contains("c")]
    assert gone[["estimate", "p_value", "conf_low"]].isna().all(axis=None)


def test_trends_are_slopes():
    d = frame()
    m = il.fit("y ~ h * (x + I(x ** 2)) + (1 | g)", d)
    slopes = m.emtrends("h", "x").to_frame().set_index("h")["x.trend"]
    b, mean = m.fe_params, d.x.mean()
    square = next(name for name in b.index if "**" in name and ":" not in name)
    assert slopes["u"] == pytest.approx(b["x"] + 2.0 * mean * b[square], rel=1e-7)
    at = m.emtrends("h", "x", at={"x": 0.0}).to_frame().set_index("h")["x.trend"]
    assert at["u"] == pytest.approx(b["x"], rel=1e-7)


def test_slopes_have_the_name_of_their_variable_everywhere():
    m = il.fit("y ~ h * x + (1 | g)", frame())
    slopes = m.emtrends("h", "x")
    assert (slopes.trend, slopes.column, m.emmeans("h").column) == ("x", "x.trend", "emmean")
    for table in (slopes.to_frame(), slopes.test(), slopes.conf_int(0.9), slopes.cld()):
        assert "x.trend" in table and "emmean" not in table
    assert "x.trend" in repr(slopes) and "x.trend" in slopes._repr_html_()
    assert "x.trend" in m.emtrends("h", "x").regrid().to_frame()
    difference = slopes.pairs().to_frame()["estimate"].iloc[0]
    given = slopes.to_frame()["x.trend"]
    assert difference == pytest.approx(given.iloc[0] - given.iloc[1], rel=1e-12)


def test_response_scale():
    c = il.load_dataset("cbpp")
    m = il.glmer("incidence / size ~ period + (1 | herd)", c, "binomial", weights=c["size"])
    link, response = (m.emmeans("period", type=t).to_frame() for t in ("link", "response"))
    for theirs, mine in (("emmean", "response"), ("conf_low", "conf_low")):
        np.testing.assert_allclose(response[mine], expit(link[theirs]), rtol=1e-12)
    ratios = m.emmeans("period", type="response").pairs().to_frame()
    differences = m.emmeans("period").pairs().to_frame()
    np.testing.assert_allclose(ratios["odds_ratio"], np.exp(differences["estimate"]), rtol=1e-12)
    np.testing.assert_array_equal(ratios["p_value"], differences["p_value"])
    logs = il.fit("log(Reaction) ~ Days + (1 | Subject)", il.load_dataset("sleepstudy"))
    means = logs.emmeans("Days", at={"Days": [0, 9]}, type="response")
    np.testing.assert_allclose(
        means.to_frame()["response"],
        np.exp(logs.predict({"Days": [0.0, 9.0]}, include_re=False)),
        rtol=1e-12,
    )
    assert "ratio" in means.pairs().to_frame()


def test_components_and_models_without_random_effects():
    s = il.load_dataset("Salamanders")
    m = il.glmer("count ~ mined + (1 | site)", s, "nbinom2", ziformula="~ mined")
    zi = m.emmeans("mined", component="zi").to_frame()
    levels = dict(zip(zi["mined"], zi["emmean"]))
    own = m.zi_params
    assert sorted(levels.values()) == pytest.approx(sorted([own.iloc[0], own.sum()]))
    g = il.glm("count ~ mined * spp", s, "poisson")
    assert len(g.emmeans("mined | spp").pairs().to_frame()) == s.spp.nunique()


def test_one_contrast_is_not_adjusted_and_others_name_themselves():
    m = il.fit("y ~ f + (1 | g)", frame())
    one = m.emmeans("f").contrast({"b with the rest": [-0.5, 1.0, -0.5]}, "bonferroni").to_frame()
    assert one["contrast"].tolist() == ["b with the rest"]
    t = m.t_test({"b with the rest": {"f[T.b]": 1.0, "f[T.c]": -0.5}})
    assert one["p_value"].item() == pytest.approx(t["p_value"].item(), rel=1e-9)
    ref = m.emmeans("f").contrast("trt.vs.ctrl", ref="b").to_frame()
    assert ref["contrast"].tolist() == ["a - b", "c - b"]
    assert "f" in str(m.emmeans("f")) and "<table" in m.emmeans("f")._repr_html_()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.emmeans("nothing"), "'nothing' is no variable of the fixed part"),
        (lambda m: m.emmeans("g"), "'g' is no variable of the fixed part.* It has 'f'|f, x"),
        (lambda m: m.emmeans("pairwise ~ f"), r"\.contrast\('pairwise'\)"),
        (lambda m: m.emmeans([]), "specs is empty"),
        (lambda m: m.emmeans("f", at={"f": "z"}), r"at\['f'\] has 'z'; its levels are"),
        (lambda m: m.emmeans("f", at={"x": "one"}), r"at\['x'\] must be a number"),
        (lambda m: m.emmeans("f", type="mean"), "type='mean' is not known"),
        (lambda m: m.emtrends("f", "f"), "var='f' is no numeric variable"),
        (lambda m: m.emmeans("f").contrast("all"), "method='all' is not known"),
        (lambda m: m.emmeans("f").contrast("eff", "tukey"), "adjust='tukey' is for all pairs"),
        (lambda m: m.emmeans("f").contrast({"a": [1, -1]}), "2 weights for 3 means"),
        (lambda m: m.emmeans("f").contrast("trt.vs.ctrl", ref="z"), "ref='z' is none"),
        (lambda m: m.emmeans("f").pairs(adjust="gabriel"), "adjust='gabriel' is not known"),
    ],
)
def test_what_is_refused(call, words):
    m = il.fit("y ~ f + x + (1 | g)", frame())
    with pytest.raises(ArgumentError, match=words):
        call(m)
    with pytest.raises(ArgumentTypeError, match="specs must name variables"):
        m.emmeans(3)


def test_a_coefficient_without_end_leaves_the_means_without_it():
    """Its variance is infinite, and so is that of its own mean alone."""
    d = frame()
    d["z"] = np.where(d.f == "c", 0, 1 + d.k)
    with pytest.warns(il.ConvergenceWarning, match=r"f\[T.c\]"):
        m = il.glm("z ~ f", d, "poisson")
    rest = il.glm("z ~ f", d[d.f != "c"], "poisson")
    means, other = (one.emmeans("f").to_frame().set_index("f") for one in (m, rest))
    np.testing.assert_allclose(means.loc[["a", "b"], "std_error"], other["std_error"], rtol=1e-6)
    assert not np.isfinite(means.loc["c", "std_error"])
    pairs = m.emmeans("f").pairs("none").to_frame().set_index("contrast")
    assert np.isfinite(pairs.loc["a - b", "p_value"])


@pytest.mark.filterwarnings("ignore::interlace.errors.DataWarning")  # nests are rank deficient
def test_nested_factors_have_their_own_cells_and_equal_weights():
    rng = np.random.default_rng(0)
    lot = rng.integers(0, 7, 300)
    d = pd.DataFrame({"lot": [f"L{i}" for i in lot], "source": np.array(list("aabbbcc"))[lot]})
    d["g"] = rng.integers(0, 15, 300)
    d["y"] = lot + rng.normal(size=300) + rng.normal(size=15)[d.g]
    m = il.fit("y ~ source + lot + (1 | g)", d)
    cells = d[["source", "lot"]].drop_duplicates()
    cells["mean"] = m.predict(cells, include_re=False).to_numpy()
    expected = cells.groupby("source")["mean"].mean()
    means = m.emmeans("source").to_frame().set_index("source")["emmean"]
    pd.testing.assert_series_equal(means, expected, check_names=False)
    pairs = m.emmeans("lot").pairs("none").to_frame()
    assert pairs["source"].value_counts().to_dict() == {"a": 1, "b": 3, "c": 1}
    table = m.joint_tests()
    assert table["term"].tolist() == ["source", "source:lot"]
    assert table["df_num"].tolist() == [2, 4]


def test_regrid_on_the_scale_of_the_logarithm_gives_ratios_of_responses():
    c = il.load_dataset("cbpp")
    m = il.glmer("incidence / size ~ period + (1 | herd)", c, "binomial", weights=c["size"])
    means = m.emmeans("period", type="response")
    response = means.to_frame()["response"]
    ratios = means.regrid("log").pairs("none").to_frame()
    assert ratios["ratio"].iloc[0] == pytest.approx(response[0] / response[1], rel=1e-12)
    differences = means.regrid().pairs("none").to_frame()
    assert differences["estimate"].iloc[0] == pytest.approx(response[0] - response[1], rel=1e-12)


@pytest.mark.filterwarnings("ignore::interlace.errors.DataWarning")
@pytest.mark.parametrize("names", [{"A": "A", "B": "B", "C": "C"}, {"A": "b", "B": "a", "C": "c"}])
def test_joint_tests_beside_empty_cells_do_not_depend_on_the_coding(names):
    cake = il.load_dataset("cake")
    cake = cake[~((cake.recipe == "B") & (cake.temp >= 205))]
    recipe = cake.recipe.astype(str).map(names)
    cake = cake.assign(temperature=cake.temperature.astype(str), recipe=recipe)
    m = il.fit("angle ~ temperature * recipe + (1 | replicate)", cake)
    interaction = m.joint_tests().iloc[-1]
    # as R's emmeans::joint_tests
    assert interaction["df_num"] == 7
    assert interaction["statistic"] == pytest.approx(1.1765, abs=1e-4)
    assert interaction["p_value"] == pytest.approx(0.3179, abs=1e-4)


def test_a_model_without_factors_has_no_least_squares_means():
    m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    with pytest.raises(ArgumentError, match="no terms of factors"):
        il.ls_means(m)


def test_numbers_that_the_formula_makes_a_factor_have_all_their_values():
    oats = il.load_dataset("Oats")
    named = oats.assign(nitro=oats["nitro"].astype(str))
    expected = il.fit("yield ~ Variety * nitro + (1 | Block)", named)
    for formula in ("yield ~ Variety * C(nitro) + (1 | Block)", "yield ~ Variety * factor(nitro)"):
        m = il.fit(formula, oats, groups="Block" if "|" not in formula else None)
        for specs in ("Variety", "nitro"):
            ours, theirs = m.emmeans(specs).to_frame(), expected.emmeans(specs).to_frame()
            np.testing.assert_allclose(ours["emmean"], theirs["emmean"], rtol=1e-8)
            np.testing.assert_allclose(ours["std_error"], theirs["std_error"], rtol=1e-6)
        # the terms of the tests too: R's are 3.513, 26.251, 0.211
        tests = m.joint_tests()
        assert tests["term"].tolist() == ["Variety", "nitro", "Variety:nitro"]
        np.testing.assert_allclose(tests["statistic"], [3.513427, 26.250969, 0.210940], rtol=1e-5)
        assert m.emmeans("nitro", at={"nitro": [0.6]}).to_frame()["nitro"].tolist() == [0.6]
        with pytest.raises(ArgumentError, match="no numeric variable"):
            m.emtrends("Variety", var="nitro")
    # beside itself as a number it is one
    both = il.fit("yield ~ Variety + C(nitro > 0.3) + nitro + (1 | Block)", oats)
    assert len(both.emmeans("Variety", at={"nitro": [0.2]}).to_frame()) == 3


def test_joint_tests_have_variables_of_expressions():
    d = frame()
    m = il.fit("y ~ f + log(t) + (1 | g)", d)
    tests = m.joint_tests().set_index("term")["statistic"]
    assert tests["t"] == pytest.approx(float(m.tvalues["log(t)"]) ** 2, rel=1e-8)


def test_a_number_that_is_a_factor_somewhere_has_its_levels_wherever_it_stands():
    d = frame().rename(columns={"t": "the t"}).assign(dose=lambda f: np.arange(len(f)) % 4 * 10)
    m = il.fit("y ~ dose + h + C(dose):x + (1 | g)", d)
    levels = [0, 10, 20, 30]
    assert m.emmeans("dose").to_frame()["dose"].tolist() == levels
    averaged = pd.concat([m.emmeans("h", at={"dose": [v]}).to_frame() for v in levels])
    expected = averaged.groupby("h")["emmean"].mean()
    own = m.emmeans("h").to_frame().set_index("h")["emmean"]
    np.testing.assert_allclose(own, expected, rtol=1e-10)
    odd = il.fit("y ~ log(`the t`) * factor(h) + poly(x, 2) + (1 | g)", d)
    assert odd.joint_tests()["term"].tolist() == ["the t", "h", "x", "the t:h"]


@pytest.mark.parametrize(
    ("adjust", "said"),
    [
        (None, "p-values and intervals are adjusted by tukey for 3 contrasts"),
        ("holm", "p-values are adjusted by holm, intervals by bonferroni for 3 contrasts"),
        ("none", ""),
    ],
)
def test_printed_contrasts_say_what_they_are_adjusted_by(adjust, said, dataset) -> None:
    means = il.fit("score ~ Machine + (1 | Worker)", dataset("Machines")).emmeans("Machine")
    pairs = means.pairs(adjust)
    assert (
        repr(pairs)
        == str(pairs)
        == pairs.to_frame().to_string(index=False) + (f"\n{said}" if said else "")
    )
    assert pairs._repr_html_().endswith(f"<p>{said}</p>" if said else "</table>")


def test_what_is_adjusted_in_each_level_is_said(dataset) -> None:
    cells = dataset("cake")
    means = il.fit("angle ~ recipe * temp + (1 | replicate)", cells).emmeans(
        "recipe | temp", at={"temp": [175, 225]}
    )
    assert str(means.pairs()).endswith("by tukey for 3 contrasts in each level of temp")
    one = {"first": [1.0, -1.0, 0.0]}
    assert "adjusted" not in str(means.contrast(one, "bonferroni"))
    assert str(means.contrast(one, "scheffe")).endswith("adjusted by scheffe in each level of temp")


def test_a_frame_edited_after_the_fit_leaves_the_means() -> None:
    data = il.load_dataset("Orthodont")
    m = il.fit("distance ~ age * Sex + (1 | Subject)", data)
    logarithm = il.fit("distance ~ log(age) + Sex + (1 | Subject)", data)
    means, slopes = m.emmeans("Sex").to_frame(), m.emtrends("Sex", var="age").to_frame()
    data["age"] = data["age"] * 100.0
    assert m.emmeans("Sex").to_frame().equals(means)
    np.testing.assert_allclose(
        m.emtrends("Sex", var="age").to_frame()["age.trend"], slopes["age.trend"], rtol=1e-9
    )
    del data["age"]
    assert m.emmeans("Sex").to_frame().equals(means)
    with pytest.raises(ArgumentError, match="not at hand for the mean of 'age'"):
        logarithm.emmeans("Sex")
