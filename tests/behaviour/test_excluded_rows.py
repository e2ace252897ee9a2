"""Under ``na_action="exclude"`` what has a row for each of the data has one for those left out."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import interlace as il

pytestmark = pytest.mark.filterwarnings("ignore:dropped . row:interlace.DataWarning")
GONE = [3, 17, 40]


def _gaps(name: str, column: str) -> pd.DataFrame:
    data = il.load_dataset(name).copy()
    data[column] = data[column].astype(float)
    data.loc[data.index[[i for i in GONE if i < len(data)]], column] = np.nan
    return data


@cache
def _models(action: str) -> dict[str, object]:
    sleep, cbpp = _gaps("sleepstudy", "Reaction"), _gaps("cbpp", "incidence")
    how = {"na_action": action}
    binomial = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    return {
        "linear": il.fit("Reaction ~ Days + (Days | Subject)", sleep, **how),
        "subset": il.fit("Reaction ~ Days + (1 | Subject)", sleep, subset="Days < 7", **how),
        "binomial": il.glmer(binomial, cbpp, "binomial", **how),
        "least squares": il.glm("Reaction ~ Days", sleep, **how),
    }


def _tables(m):
    yield "simulate", m.simulate(2, seed=1)
    yield "influence", m.influence().to_frame()
    yield "dfbeta", m.influence().dfbeta
    yield "dfbetas", m.influence().dfbetas
    yield "prediction", m.get_prediction(interval="prediction").summary_frame()
    yield "intervals of means", m.get_prediction().conf_int()
    yield "scaled", m.simulated_residuals(50, seed=1).scaled.to_frame()
    yield "leverage", m.leverage()
    yield "mdffits", il.mdffits(m).to_frame()
    if m.fit.T and m.fit.linear:
        yield "level residuals", m.level_residuals()
        measures = il.lmer_influence_measures(m, analytical=True)
        yield "measures", pd.DataFrame({k: v for k, v in measures.items() if v.ndim == 1})
    if not m.fit.T:
        measures = il.ols_influence_measures(m)
        yield "dfbetas of rows", pd.DataFrame(measures["dfbetas"])


def _with_data(m):
    yield "augment", m.augment()
    if m.fit.T and m.fit.linear:
        yield "hlm_resid", il.hlm_resid(m, type="conditional")
        yield "hlm_augment", il.hlm_augment(m)


@pytest.mark.parametrize("name", ["linear", "subset", "binomial", "least squares"])
def test_rows_left_out_are_missing(name) -> None:
    omitted, excluded = _models("omit")[name], _models("exclude")[name]
    index = excluded.fittedvalues.index
    gone = ~index.isin(omitted.fittedvalues.index)
    assert gone.sum() == (2 if name == "subset" else 3)
    for (what, ours), (_, reference) in zip(_tables(excluded), _tables(omitted), strict=True):
        if not isinstance(ours.index, pd.RangeIndex):
            assert ours.index.equals(index), what
        assert ours[gone].isna().all(axis=None), what
        rest = ours[~gone].astype(float).to_numpy()
        np.testing.assert_array_equal(rest, reference.astype(float).to_numpy(), what)


@pytest.mark.parametrize("name", ["linear", "subset", "binomial", "least squares"])
def test_rows_left_out_keep_their_data(name) -> None:
    omitted, excluded = _models("omit")[name], _models("exclude")[name]
    index = excluded.fittedvalues.index
    gone = ~index.isin(omitted.fittedvalues.index)
    for (what, ours), (_, reference) in zip(_with_data(excluded), _with_data(omitted), strict=True):
        assert ours.columns.tolist() == reference.columns.tolist()
        assert ours.index.equals(index), what
        pd.testing.assert_frame_equal(ours[~gone], reference, check_dtype=False)
        added = [c for c in ours if c.startswith(".") or c in ("cooksd", "mdffits", "covratio")]
        assert ours.loc[gone, added].isna().all(axis=None)
        data = [c for c in ours if c in ("Days", "Subject", "period", "herd")]
        source = excluded._data.loc[index[gone], data]
        assert data and ours.loc[gone, data].astype(str).equals(source.astype(str))


def test_data_given_come_with_all_columns() -> None:
    data = _gaps("sleepstudy", "Reaction").assign(note="kept")
    m = il.fit("Reaction ~ Days + (1 | Subject)", data, na_action="exclude")
    table = m.augment(data)
    assert len(table) == len(data) and (table["note"] == "kept").all()
    assert table[".fitted"].isna().sum() == 3


def test_draws_are_refitted() -> None:
    m = _models("exclude")["linear"]
    draws = m.simulate(1, seed=4)["sim_1"]
    again = m.refit(draws)
    assert again.fe_params.equals(_models("omit")["linear"].refit(draws.dropna()).fe_params)
    # the response of a refit is not that of the data, whose rows are missing then
    table = again.augment()
    assert table["Reaction"].isna().sum() == 3 and table["Days"].notna().all()


def test_refits_say_whether_they_converged() -> None:
    m = il.fit("Yield ~ 1 + (1 | Batch)", _gaps("Dyestuff", "Yield").iloc[:20], na_action="exclude")
    table = m.influence(exact=True).to_frame()
    assert table["converged"].isna().sum() == 2 and table[table["converged"]].shape[0] == 18


def test_values_of_all_rows_are_along_residuals() -> None:
    m = _models("exclude")["linear"]
    r = m.simulated_residuals(50, seed=1)
    whole, used = np.arange(180.0), np.delete(np.arange(180.0), GONE)
    assert r.temporal(whole).statistic == r.temporal(used).statistic
    assert (
        r.temporal(whole).statistic
        == _models("omit")["linear"].simulated_residuals(50, seed=1).temporal(used).statistic
    )
