"""Autocorrelations of residuals against nlme's ACF, and what they are by definition."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY

import interlace as il
from interlace.errors import ArgumentError, InterlaceError

CASES = json.loads((R_PARITY / "references" / "autocorrelation.json").read_text(encoding="utf-8"))
del CASES["versions"]
CYCLE = "follicles ~ np.sin(2 * np.pi * Time) + np.cos(2 * np.pi * Time) + (1 | Mare)"


@pytest.fixture(scope="module")
def mares():
    return il.load_dataset("Ovary")


@pytest.fixture(scope="module")
def m(mares):
    return il.fit(CYCLE, mares)


@pytest.mark.parametrize("name", sorted(CASES))
def test_against_nlme(name) -> None:
    case = CASES[name]
    data = il.load_dataset(case["data"])
    m = il.fit(case["formula"], data, correlation=case["correlation"] or None)
    lags = None if name in ("ovary", "ovary_ar1") else len(case["acf"]) - 1
    table = m.autocorrelation(max_lag=lags, type=case["type"])
    assert table.index.tolist() == list(range(len(case["acf"])))
    assert table["pairs"].tolist() == case["pairs"]
    # estimates of both packages agree to about 1e-6
    np.testing.assert_allclose(table["acf"], case["acf"], atol=5e-6)
    np.testing.assert_allclose(
        table["limit"][1:], 1.959963984540054 / np.sqrt(case["pairs"][1:]), rtol=1e-12
    )


def test_by_definition_for_unequal_groups_and_a_generalised_model() -> None:
    counts = il.load_dataset("Salamanders")
    g = il.glmer("count ~ mined + (1 | site)", counts, "nbinom2")
    e = g.residuals("pearson")
    table = g.autocorrelation("spp", 3, type="pearson")
    groups = [own.to_numpy() for _, own in e.groupby(counts["spp"].to_numpy())]
    for lag in range(4):
        products = np.concatenate([own[lag:] * own[: own.size - lag] for own in groups])
        assert table["pairs"][lag] == products.size
        assert table["acf"][lag] == pytest.approx(products.mean() / np.mean(e**2), rel=1e-12)
    # by default quantile residuals, and the grouping factor
    assert g.autocorrelation(max_lag=1)["pairs"][1] == 644 - 23


def test_rows_are_in_order_of_time_whatever_their_order_in_the_data(mares, m) -> None:
    expected = m.autocorrelation(max_lag=4)["acf"]
    shuffled = mares.sample(frac=1.0, random_state=1)
    other = il.fit(CYCLE, shuffled)
    for time in ("Time", shuffled["Time"], shuffled["Time"].to_numpy()):
        # a fit of shuffled rows has other rounding
        np.testing.assert_allclose(
            other.autocorrelation(max_lag=4, time=time)["acf"], expected, rtol=1e-8
        )
    assert abs(other.autocorrelation(max_lag=1)["acf"][1]) < 0.2
    # the time of the correlation, without being asked
    correlated = il.fit(CYCLE, shuffled, correlation="car1(Time | Mare)")
    same = il.fit(CYCLE, mares, correlation="car1(Time | Mare)")
    # sums are taken series by series in order of time: the same numbers but for a last digit
    np.testing.assert_allclose(
        correlated.autocorrelation(max_lag=4)["acf"],
        same.autocorrelation(max_lag=4)["acf"],
        atol=1e-12,
    )


def test_one_series_is_enough(mares) -> None:
    one = mares[mares["Mare"] == "4"]
    table = il.glm("follicles ~ Time", one, "gaussian").autocorrelation(max_lag=2)
    assert table["pairs"].tolist() == [len(one), len(one) - 1, len(one) - 2]


def test_what_has_no_answer_is_refused_in_words(mares, m) -> None:
    for arguments, words in (
        ({"max_lag": 0}, "1 at least"),
        ({"max_lag": 99}, "30 is the largest lag"),
        ({"by": "Mar"}, "Did you mean 'Mare'"),
        ({"time": "Tim"}, "Did you mean 'Time'"),
        ({"by": np.arange(308)}, "each group has one row"),
        ({"time": np.r_[np.nan, np.arange(307.0)]}, "missing"),
        ({"time": mares["Time"].astype(str)}, "ordered categorical"),
        ({"type": "some"}, "normalized"),
        ({"level": 2}, "level"),
    ):
        with pytest.raises(ArgumentError, match=words):
            m.autocorrelation(**arguments)
    summed = il.fit("follicles ~ Time + (1 | Mare)", mares, compress=True)
    with pytest.raises(InterlaceError, match="rows"):
        summed.autocorrelation()
    with pytest.raises(AttributeError, match=r"m\.autocorrelation"):
        m.acf  # noqa: B018


def test_the_picture_has_the_table(m) -> None:
    table = m.autocorrelation(max_lag=5)[1:]
    ax = m.plot.autocorrelation(max_lag=5)
    np.testing.assert_allclose(
        np.asarray(ax.collections[-1].get_offsets()), np.c_[table.index, table["acf"]]
    )
    band = ax.collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == (-table["limit"].max(), table["limit"].max())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Lag", "Autocorrelation")
    assert m.plot.autocorrelation(max_lag=1).get_xlabel() == "Lag"


@pytest.mark.parametrize("kind", ["column", "values", "Series", "dates"])
def test_levels_and_dates_are_times(kind, mares, m) -> None:
    # '10' before '2' in the alphabet
    places = mares.groupby("Mare", observed=True).cumcount()
    order = [f"day {k}" for k in range(31)]
    days = pd.Categorical("day " + places.astype(str), order)
    data = mares.assign(day=days, date=pd.Timestamp("2020-01-01") + pd.to_timedelta(places, "D"))
    shuffled = data.sample(frac=1.0, random_state=2)
    other = il.fit(CYCLE, shuffled)
    time = {"column": "day", "values": shuffled["day"].array, "dates": "date"}.get(
        kind, shuffled["day"]
    )
    np.testing.assert_allclose(
        other.autocorrelation(max_lag=3, time=time)["acf"],
        m.autocorrelation(max_lag=3)["acf"],
        rtol=1e-8,
    )
