"""What has row labels is matched by them or refused: responses of a refit, data of augment."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.fitted_models import CBPP, fitted
from helpers.frame_libraries import ALL_LIBRARIES

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError, DataError

SLEEP = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture
def sleep(dataset) -> pd.DataFrame:
    return dataset("sleepstudy")


@pytest.fixture
def m(fit_cache) -> il.LMMResult:
    return fit_cache("sleepstudy", SLEEP)


# -- refit ------------------------------------------------------------------------------------


def same(a: il.LMMResult, b: il.LMMResult) -> bool:
    return a.llf == pytest.approx(b.llf, abs=1e-8)


def test_a_shuffled_series_is_refused(m, sleep) -> None:
    shuffled = sleep["Reaction"].sample(frac=1, random_state=0)
    with pytest.raises(ArgumentError, match="in another order.*m.resid.index.*to_numpy"):
        m.refit(shuffled)
    with pytest.raises(ArgumentError, match="data frame whose row labels are in another order"):
        m.refit(shuffled.to_frame())
    assert same(m.refit(shuffled.loc[m.resid.index]), m)
    assert m.refit(shuffled.to_numpy()).llf < m.llf - 1.0


def test_labels_of_a_shuffled_fit_are_labels_too(m, sleep) -> None:
    """The labels 0, 1, … stand for positions only where they can stand for nothing else."""
    data = sleep.sample(frac=1, random_state=1)
    other = il.fit(SLEEP, data)
    with pytest.raises(ArgumentError, match="in another order"):
        other.refit(sleep["Reaction"])
    assert same(other.refit(sleep["Reaction"][other.resid.index]), m)
    assert same(other.refit(data["Reaction"].reset_index(drop=True).set_axis(data.index)), m)
    with pytest.raises(ArgumentError, match="weights is a Series whose row labels differ"):
        il.fit(SLEEP, data, weights=sleep["Days"] + 1.0)
    text = sleep.set_axis([f"row{i}" for i in range(len(sleep))])
    assert same(il.fit(SLEEP, text).refit(sleep["Reaction"]), m)
    with pytest.raises(ArgumentError, match="others than those of the fit"):
        m.refit(text["Reaction"])


@pytest.mark.parametrize("library", ALL_LIBRARIES)
def test_one_column_of_any_frame(m, sleep, library) -> None:
    frame = ALL_LIBRARIES[library](sleep[["Reaction"]])
    if isinstance(frame, dict):
        with pytest.raises(ArgumentTypeError, match="got a dict"):
            m.refit(frame)
        frame = frame["Reaction"]
    assert same(m.refit(frame), m)


def test_a_simulated_frame_is_a_response(m) -> None:
    drawn = m.simulate(2, seed=1)
    assert same(m.refit(drawn[["sim_1"]]), m.refit(drawn["sim_1"]))
    with pytest.raises(ArgumentError, match=r"shape \(180, 2\).*frame.apply\(m.refit\)"):
        m.refit(drawn)
    assert [r.llf for r in drawn.apply(lambda y: m.refit(y))] == [
        m.refit(drawn[name]).llf for name in drawn
    ]


def test_all_rows_of_the_data_where_some_were_dropped(sleep) -> None:
    data = sleep.copy()
    data.loc[[3, 50], "Reaction"] = np.nan
    with pytest.warns(il.DataWarning):
        padded = il.fit(SLEEP, data, na_action="exclude")
    for response in (data["Reaction"], sleep["Reaction"], sleep["Reaction"].to_numpy()):
        assert same(padded.refit(response), padded)
    assert padded.refit(padded.simulate(1, seed=2)).converged
    with pytest.raises(ArgumentError, match="in another order"):
        padded.refit(sleep["Reaction"].sample(frac=1, random_state=0))
    with pytest.warns(il.DataWarning):
        dropped = il.fit(SLEEP, data)
    for fit in (dropped, il.fit(SLEEP, sleep, subset="Days > 2")):
        with pytest.raises(ArgumentError, match=r"new_y.loc\[m.resid.index\].*'exclude'"):
            fit.refit(sleep["Reaction"])
        assert same(fit.refit(sleep["Reaction"].loc[fit.resid.index]), fit)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y.astype(str), "must hold numbers.*got '249.56'"),
        (lambda y: y.astype(complex), "must hold numbers"),
        (lambda y: pd.Series(pd.date_range("2020", periods=len(y))), "must hold numbers"),
        (lambda y: y.astype("Float64").mask(y.index == 3), "missing or not finite"),
        (lambda y: y * 0.0, r"constant \(0\)"),
        (lambda y: None, "got None"),
        (lambda y: (v for v in y), "got a generator"),
        (lambda y: "Reaction", "got 'Reaction'"),
        (lambda y: y.head(3), r"shape \(3,\)"),
    ],
)
def test_what_is_no_response(m, sleep, change, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        m.refit(change(sleep["Reaction"]))


def test_a_response_that_the_family_does_not_allow(dataset) -> None:
    m = il.glm("incidence ~ period", dataset("cbpp"), "poisson")
    with pytest.raises(DataError, match="negative"):
        m.refit(np.full(56, -1.0))
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        fitted(*CBPP).refit(dataset("cbpp")["incidence"])


# -- augment ----------------------------------------------------------------------------------


def test_augment_is_not_of_rows_in_another_order(m, sleep) -> None:
    shuffled = sleep.sample(frac=1, random_state=0)
    with pytest.raises(ArgumentError, match="index does not match"):
        m.augment(shuffled)
    with pytest.raises(ArgumentError, match="other values of Reaction, Days, Subject"):
        m.augment(shuffled.reset_index(drop=True))
    with pytest.raises(ArgumentError, match="other values of Reaction:"):
        m.augment(sleep.assign(Reaction=1.0))
    with pytest.raises(ArgumentError, match="not those of the fit.*'x'"):
        m.augment(sleep.assign(Subject="x"))
    again = m.refit(m.simulate(1, seed=1)).augment(sleep)
    assert again["Reaction"].equals(sleep["Reaction"])
    extra = m.augment(sleep.assign(more=range(180)))
    assert extra["more"].tolist() == list(range(180))


def test_augment_of_a_glm_too(dataset) -> None:
    data = dataset("cbpp")
    m = il.glm("incidence / size ~ period", data, "binomial")
    assert len(m.augment(data)) == 56
    with pytest.raises(ArgumentError, match="other values of incidence / size, period"):
        m.augment(data.iloc[::-1].reset_index(drop=True))


@pytest.mark.parametrize("data", [5, "a", [1], np.eye(3), {"a": [1, 2], "b": [1]}])
def test_augment_takes_data_frames(m, data) -> None:
    with pytest.raises(ArgumentError, match="^data "):
        m.augment(data)
