"""Predicted effects: curves and bars are marginal means, points observations or residuals."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import ArgumentError

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def teeth():
    return il.fit("distance ~ age * Sex + (1 | Subject)", il.load_dataset("Orthodont"))


@pytest.fixture(scope="module")
def cbpp():
    return il.glmer(CBPP, il.load_dataset("cbpp"), family="binomial")


def band(ax, i: int) -> np.ndarray:
    """Lower and upper limits of a band, by x."""
    vertices = ax.collections[i].get_paths()[0].vertices
    x = np.unique(vertices[:, 0])
    return np.array([[f(vertices[vertices[:, 0] == v, 1]) for f in (np.min, np.max)] for v in x])


def test_curves_are_marginal_means_with_their_intervals(teeth) -> None:
    ax = teeth.plot.effect("age", "Sex", level=0.9)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["Male", "Female"]
    assert ax.get_legend().get_title().get_text() == "Sex"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("age", "distance")
    for i, (line, sex) in enumerate(zip(ax.lines, ("Male", "Female"), strict=True)):
        x, y = line.get_data()
        assert (x.min(), x.max(), x.size) == (8.0, 14.0, 101)
        at = {"age": x[::20].tolist()}
        table = teeth.emmeans("age", by="Sex", at=at, level=0.9).to_frame()
        own = table[table["Sex"] == sex]
        np.testing.assert_allclose(y[::20], own["emmean"], rtol=1e-10)
        np.testing.assert_allclose(band(ax, i)[::20], own[["conf_low", "conf_high"]], rtol=1e-10)
        assert ax.collections[i].get_facecolor()[0, 3] < 0.5


def test_levels_have_bars(cbpp) -> None:
    ax = cbpp.plot.effect("period")
    bars, means = ax.collections
    table = cbpp.emmeans("period", type="response").to_frame()
    np.testing.assert_allclose(means.get_offsets(), np.c_[np.arange(4), table["response"]])
    ends = [segment[:, 1] for segment in bars.get_segments()]
    np.testing.assert_allclose(ends, table[["conf_low", "conf_high"]])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "2", "3", "4"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("period", "Probability")
    ax = cbpp.plot.effect("period", type="link")
    table = cbpp.emmeans("period").to_frame()
    np.testing.assert_allclose(ax.collections[1].get_offsets()[:, 1], table["emmean"])
    assert ax.get_ylabel() == "Probability (logit scale)"


def test_points_are_observations(cbpp, teeth) -> None:
    data = il.load_dataset("cbpp")
    points = cbpp.plot.effect("period", points="data").collections[0].get_offsets()
    np.testing.assert_allclose(points[:, 1], data["incidence"] / data["size"])
    assert (np.abs(points[:, 0] - (data["period"].astype(int) - 1)) < 0.1).all()
    assert np.unique(points[:, 0]).size == len(data)
    data = il.load_dataset("Orthodont")
    first, second = teeth.plot.effect("age", "Sex", points="data").collections[:2]
    for drawn, sex in ((first, "Male"), (second, "Female")):
        own = data[data["Sex"] == sex]
        np.testing.assert_allclose(drawn.get_offsets(), own[["age", "distance"]])


def test_partial_residuals_are_the_line_and_the_residual(cbpp, teeth) -> None:
    data = il.load_dataset("Orthodont")
    points = teeth.plot.effect("age", points="partial").collections[0].get_offsets()
    means = teeth.emmeans("age", at={"age": [8, 10, 12, 14]}).to_frame().set_index("age")["emmean"]
    expected = means[data["age"]].to_numpy() + teeth.resid
    np.testing.assert_allclose(points, np.c_[data["age"], expected])
    points = cbpp.plot.effect("period", type="link", points="partial").collections[0].get_offsets()
    means = cbpp.emmeans("period").to_frame().set_index("period")["emmean"]
    expected = means[il.load_dataset("cbpp")["period"]].to_numpy() + cbpp.residuals("working")
    np.testing.assert_allclose(points[:, 1], expected)


def test_points_on_the_other_scale_are_refused(cbpp) -> None:
    with pytest.raises(ArgumentError, match="give type='link', or points='data'"):
        cbpp.plot.effect("period", points="partial")
    with pytest.raises(ArgumentError, match="give type='response', or points='partial'"):
        cbpp.plot.effect("period", points="data", type="link")


def test_a_numeric_variable_gives_few_lines(teeth) -> None:
    ax = teeth.plot.effect("Sex", by="age")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["8", "10", "12", "14"]
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {"x": rng.normal(size=90), "z": rng.normal(5.0, 2.0, 90), "g": [*"abc"] * 30}
    )
    data["y"] = data.x * data.z + rng.normal(size=90)
    m = il.fit("y ~ x * z + (1 | g)", data)
    ax = m.plot.effect("x", by="z", points="data")
    mean, sd = data.z.mean(), data.z.std()
    shown = [float(t.get_text()) for t in ax.get_legend().get_texts()]
    np.testing.assert_allclose(shown, [mean - sd, mean, mean + sd], rtol=0.005)
    assert sum(len(c.get_offsets()) for c in ax.collections[:3]) == 90
    ax = m.plot.effect("x", by="z", at={"z": [0.0, 10.0], "x": [-1.0, 1.0]})
    assert [line.get_xdata().tolist() for line in ax.lines] == [[-1.0, 1.0]] * 2


def test_logarithms_and_logical_variables() -> None:
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"f": rng.random(80) < 0.5, "g": [*"abcd"] * 20})
    data["t"] = np.exp(1.0 + data.f + rng.normal(size=80))
    m = il.fit("log(t) ~ f + (1 | g)", data)
    ax = m.plot.effect("f", points="data")
    assert ax.get_ylabel() == "t"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["False", "True"]
    np.testing.assert_allclose(ax.collections[0].get_offsets()[:, 1], data["t"])
    assert m.plot.effect("f", type="link", points="partial").get_ylabel() == "log(t)"


def test_other_predictors_and_models_without_random_effects() -> None:
    data = il.load_dataset("Salamanders")
    m = il.glm("count ~ mined", data, "poisson", ziformula="~ mined")
    ax = m.plot.effect("mined", component="zi")
    expected = m.emmeans("mined", component="zi", type="response").to_frame()["response"]
    np.testing.assert_allclose(ax.collections[1].get_offsets()[:, 1], expected)
    assert ax.get_ylabel() == "Zero-inflation model"
    with pytest.raises(ArgumentError, match="observations are of the mean"):
        m.plot.effect("mined", component="zi", points="data")


def test_unknown_variables_are_refused(teeth) -> None:
    with pytest.raises(ArgumentError, match="'Age' is no variable of the fixed part"):
        teeth.plot.effect("Age")
    with pytest.raises(ArgumentError, match="'Subject' is no variable of the fixed part"):
        teeth.plot.effect("age", by="Subject")
    logarithm = il.fit("distance ~ log(age) + Sex + (1 | Subject)", il.load_dataset("Orthodont"))
    with pytest.raises(ArgumentError, match="'age' is no variable.*after unpickling only"):
        pickle.loads(pickle.dumps(logarithm)).plot.effect("age")


def test_frames_of_other_libraries(frame_library) -> None:
    data = frame_library(il.load_dataset("Orthodont"))
    m = il.fit("distance ~ age + Sex + (1 | Subject)", data)
    ax = m.plot.effect("age", "Sex", points="data")
    assert sum(len(c.get_offsets()) for c in ax.collections[:2]) == 108


def test_numbers_that_the_formula_makes_a_factor_are_levels() -> None:
    m = il.fit("yield ~ Variety + C(nitro) + (1 | Block)", il.load_dataset("Oats"))
    ax = m.plot.effect("nitro", by="Variety", points="data")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.0", "0.2", "0.4", "0.6"]
    assert sum(len(c.get_offsets()) for c in ax.collections[:3]) == 72


def test_the_mean_of_the_response_has_all_linear_predictors() -> None:
    data = il.load_dataset("Salamanders")
    m = il.glm("count ~ mined", data, "poisson", ziformula="~ cover")
    # a variable of the zeros alone is one of the response
    ax = m.plot.effect("cover", component="response")
    at = [data["cover"].min(), data["cover"].max()]
    expected = m.emmeans("cover", at={"cover": at}, component="response").to_frame()["response"]
    np.testing.assert_allclose(ax.lines[0].get_ydata()[[0, -1]], expected, rtol=1e-10)
    assert ax.get_ylabel() == "count"
    m.plot.effect("mined", component="response", points="data")
    for wrong in ({"type": "link"}, {"points": "partial"}):
        with pytest.raises(ArgumentError, match="of all linear predictors"):
            m.plot.effect("mined", component="response", **wrong)
    with pytest.raises(ArgumentError, match="'cover' is no variable of the fixed part"):
        m.plot.effect("cover")


def test_means_of_ordered_categories_are_of_their_numbers() -> None:
    data = il.load_dataset("wine")
    m = il.clmm("rating ~ temp + contact + (1 | judge)", data)
    for how, mode in (({"points": "data"}, "mean.class"), ({"type": "link"}, "latent")):
        ax = m.plot.effect("temp", by="contact", **how)
        means = m.emmeans("temp", by="contact", mode=mode).to_frame()
        own = means[means["contact"] == "no"].iloc[:, 2]
        drawn = [c.get_offsets()[:, 1] for c in ax.collections if len(c.get_offsets()) == 2]
        np.testing.assert_allclose(drawn[0], own, rtol=1e-10)
        if "points" in how:
            assert ax.get_ylabel() == "Mean rating, categories 1 to 5"
            ys = np.concatenate([c.get_offsets()[:, 1] for c in ax.collections])
            seen = [int((ys == k).sum()) for k in range(1, 6)]
            assert seen == data["rating"].astype(int).value_counts().sort_index().tolist()
    assert ax.get_ylabel() == "rating (logit scale)"
    at = {"age": [20, 60]}
    data["age"] = np.arange(len(data)) % 40 + 20.0
    ax = il.clm("rating ~ age + temp", data).plot.effect("age", at=at)
    assert 1.0 < ax.lines[0].get_ydata().min() < ax.lines[0].get_ydata().max() < 5.0
    with pytest.raises(ArgumentError, match="is for linear mixed models"):
        m.plot.effect("temp", ddf="Satterthwaite")
    with pytest.raises(ArgumentError, match="type='prob' is not known"):
        m.plot.effect("temp", type="prob")
    with pytest.raises(ArgumentError, match="'tmp' is no variable"):
        m.plot.effect("tmp")
    wine = il.clm("rating ~ temp", il.load_dataset("wine"))
    with pytest.raises(ArgumentError, match="component='response'"):
        wine.plot.effect("temp", component="response")
