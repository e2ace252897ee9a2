"""What results print: in a terminal, in a notebook, into a pipe that closes, in errors."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers.fitted_models import CBPP, EPIL, GAMMA, fitted

import interlace as il
from interlace.errors import MAX_SHOWN, ArgumentError, brief

SLEEP = "Reaction ~ Days + (Days | Subject)"


def test_lines_of_a_note_are_kept_apart_in_html(fit_cache) -> None:
    html = fit_cache("sleepstudy", SLEEP).summary()._repr_html_()
    assert "<p>---<br>Signif. codes" in html
    assert "\n" not in html


def test_what_prints_has_html(fit_cache) -> None:
    m = fit_cache("sleepstudy", SLEEP)
    test = m.wald_test("Days = 10; Intercept = 250")._repr_html_()
    assert "Days = 10; Intercept = 250" in test and "DenDF" in test
    assert "DenDF" not in fitted(*CBPP).wald_test("period[T.2]")._repr_html_()
    convergence = m.convergence
    for line in repr(convergence).splitlines()[1:]:
        name, value = line.strip().split("  ", 1)
        assert name in convergence._repr_html_() and value.strip() in convergence._repr_html_()
    shown = m.get_prediction()._repr_html_()
    assert "Predictions of 180 rows" in shown and "mean_ci_lower" in shown
    assert shown.count("<tr") < 30
    assert m.get_prediction(pd.DataFrame({"Days": []}), include_re=False)._repr_html_()


def test_data_sets_are_listed_a_line_each() -> None:
    listed = il.list_datasets()
    assert isinstance(listed, dict) and len(repr(listed).splitlines()) == len(listed)
    assert repr(listed).splitlines()[0].startswith(next(iter(listed)))
    assert listed._repr_html_().count("<tr>") == len(listed)


def test_a_closed_pipe_is_no_error() -> None:
    command = [sys.executable, "-m", "interlace", "demo"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode in (0, 1)  # it may have ended before the pipe did


# -- tidy ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effects", "columns"),
    [
        ("fixed", ["effect", "term", "estimate", "std_error", "statistic", "df", "p_value"]),
        ("ran_pars", ["effect", "group", "term", "estimate"]),
        ("ran_vals", ["effect", "group", "level", "term", "estimate", "std_error"]),
        ("ran_coefs", ["effect", "group", "level", "term", "estimate"]),
    ],
)
def test_tables_have_no_empty_columns(fit_cache, effects, columns) -> None:
    table = fit_cache("sleepstudy", SLEEP).tidy(effects)
    assert list(table) == columns
    assert not table.isna().any().any()


def test_one_kind_of_missing_value(fit_cache) -> None:
    for m in (fit_cache("sleepstudy", SLEEP), fitted(*EPIL)):
        missing = m.tidy()["group"][m.tidy()["group"].isna()]
        assert len(missing) and all(isinstance(value, float) for value in missing)


def test_the_parameter_of_a_negative_binomial_is_a_row() -> None:
    m = fitted(*EPIL)
    table = m.tidy()
    row = table[table["term"] == "theta"]
    assert row["estimate"].item() == m.disp_params["theta"] == m.glance()["theta"].item()
    assert row["effect"].item() == "ran_pars"
    for other in (CBPP, GAMMA):
        assert "theta" not in fitted(*other).tidy()["term"].tolist()


def test_intervals_are_not_promised_where_there_are_none(fit_cache) -> None:
    m = fit_cache("sleepstudy", SLEEP)
    with pytest.raises(ArgumentError, match="no intervals of 'ran_pars'"):
        m.tidy("ran_pars", conf_int=True)
    assert {"conf_low", "conf_high"} <= set(m.tidy(conf_int=True))


# -- values in errors ----------------------------------------------------------------------------


class Loud:
    """Prints more than anyone wants to read."""

    def __repr__(self) -> str:
        return "loud\n" * 1000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("abc", "'abc'"),
        (None, "None"),
        (1.5, "1.5"),
        (np.float64(1.5), "np.float64(1.5)"),
        ([1, "a"], "[1, 'a']"),
        ({"a": 1}, "{'a': 1}"),
        (list(range(100)), "a list of length 100"),
        (np.zeros((3, 4)), "an ndarray of shape (3, 4)"),
        (pd.Series([1, 2]), "a Series of shape (2,)"),
        (pd.DataFrame({"a": [1]}), "a DataFrame of shape (1, 1)"),
        (len, "the function len"),
        (pd.DataFrame.le, "the function le"),
        (il.LMMResult, "the class LMMResult"),
        ((x for x in "a"), "a generator"),
        (Loud(), "a Loud"),
        ([Loud()], "a list of length 1"),
        ({"a": pd.Series([1])}, "a dict of length 1"),
    ],
)
def test_values_are_brief(value, text) -> None:
    assert brief(value) == text


def test_long_texts_are_cut() -> None:
    assert len(brief("a" * 10_000)) <= MAX_SHOWN + 2


def test_an_array_in_the_wrong_place_is_not_printed(dataset) -> None:
    sleep = dataset("sleepstudy")
    for arguments in (
        {"groups": sleep["Subject"]},
        {"random": sleep},
        {"offset": sleep["Days"].le},
        {"weights": sleep["Days"].le},
        {"theta0": sleep["Subject"]},
        {"method": sleep},
        {"contrasts": sleep},
        {"subset": sleep["Days"].le},
        {"na_action": sleep["Days"]},
    ):
        with pytest.raises(il.InterlaceError) as caught:
            il.fit("Reaction ~ Days + (1 | Subject)", sleep, **arguments)
        assert len(str(caught.value)) < 300 and "\n" not in str(caught.value), arguments.keys()
