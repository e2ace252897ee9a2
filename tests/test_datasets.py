"""The data sets come back as R has them."""

from __future__ import annotations

import csv
import gzip
import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from interlace import datasets
from interlace.errors import ArgumentError, ArgumentTypeError

DATA = Path(__file__).resolve().parents[1] / "data"
METADATA = json.loads((DATA / "metadata.json").read_text(encoding="utf-8"))

# Facts printed by R: number of rows, and mean of one numeric column.
IN_R = {
    "sleepstudy": (180, "Reaction", 298.507891666667),
    "Dyestuff": (30, "Yield", 1527.5),
    "Penicillin": (144, "diameter", 22.9722222222222),
    "InstEval": (73421, "y", 3.2057449503548),
    "Chem97": (31022, "score", 5.81258461736832),
    "Exam": (4059, "normexam", -0.00011380542005421),
    "carrots": (1236, "sens2", -7.49999877740909e-11),
    "epil2": (236, "Base", 1.76795470039604),
}


@pytest.mark.parametrize("name", sorted(METADATA))
def test_every_field_of_the_file_is_in_the_frame(name):
    entry = METADATA[name]
    raw = (DATA / entry["file"]).read_bytes()
    text = (gzip.decompress(raw) if entry["file"].endswith(".gz") else raw).decode("utf-8")
    header, *rows = csv.reader(text.splitlines())
    frame = datasets.load_dataset(name)
    assert list(frame.columns) == header == list(entry["columns"])
    assert len(frame) == len(rows) == entry["rows"]
    for column, fields in zip(header, zip(*rows, strict=True), strict=True):
        values = frame[column]
        empty = np.array([field == "" for field in fields])
        np.testing.assert_array_equal(values.isna(), empty)
        kept = [field for field in fields if field]
        if entry["columns"][column]["kind"] == "factor":
            assert list(values[~empty]) == kept
        else:
            np.testing.assert_array_equal(values[~empty].astype(float), np.array(kept, float))


@pytest.mark.parametrize(("name", "facts"), IN_R.items())
def test_size_and_mean_are_those_in_r(name, facts):
    rows, column, mean = facts
    frame = datasets.load_dataset(name)
    assert len(frame) == rows
    # R prints 15 digits and sums in long double; the sum here loses at most n ulp of max|x|.
    ulp = np.finfo(float).eps * np.abs(frame[column]).max()
    assert frame[column].mean() == pytest.approx(mean, rel=1e-14, abs=ulp)


@pytest.mark.parametrize(
    ("name", "column", "levels", "ordered"),
    [
        ("cake", "temperature", ["175", "185", "195", "205", "215", "225"], True),
        ("Machines", "Worker", ["6", "2", "4", "1", "3", "5"], True),
        ("cbpp", "period", ["1", "2", "3", "4"], False),
        ("Oats", "Block", ["VI", "V", "III", "IV", "II", "I"], True),
        ("wine", "rating", ["1", "2", "3", "4", "5"], True),
        ("bacteria", "trt", ["placebo", "drug", "drug+"], False),
    ],
)
def test_levels_are_strings_in_the_order_of_r(name, column, levels, ordered):
    values = datasets.load_dataset(name)[column]
    assert list(values.cat.categories) == levels
    assert values.cat.ordered is ordered


def test_missing_values_of_factors_and_integers():
    carrots = datasets.load_dataset("carrots")
    missing = carrots.isna().sum()
    assert missing[missing > 0].to_dict() == {
        "Income": 72,
        "Preference": 3,
        "Sweetness": 3,
        "Crisp": 3,
    }
    assert carrots["Preference"].dtype == np.float64
    assert carrots["Bitter"].dtype == np.int64


def test_kinds_that_no_shipped_set_has():
    text = "flag,seen,word\nTrue,True,é\nFalse,,NA\n"
    kinds = {"flag": "logical", "seen": "logical", "word": "string"}
    frame = datasets.read_frame(text.encode(), {n: {"kind": k} for n, k in kinds.items()})
    assert frame["flag"].dtype == bool
    assert frame["seen"].dtype == object
    assert list(frame["seen"].isna()) == [False, True]
    assert list(frame["word"]) == ["é", "NA"]


def test_changing_a_frame_leaves_the_next_one_alone():
    first = datasets.load_dataset("Dyestuff")
    first["Yield"] = 0.0
    assert datasets.load_dataset("Dyestuff")["Yield"].mean() == 1527.5


def test_frames_pickle():
    frame = datasets.load_dataset("cake")
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(frame)), frame)


def test_listing_names_every_set_and_its_source():
    listed = datasets.list_datasets()
    assert sorted(listed) == sorted(METADATA)
    assert all(line.startswith(("R package", "simulated by")) for line in listed.values())


def test_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ArgumentError, match=r"'SleepStudi'.*Did you mean 'sleepstudy'.*wine"):
        datasets.load_dataset("SleepStudi")
    with pytest.raises(ArgumentTypeError, match="name must be a string"):
        datasets.load_dataset(3)  # type: ignore[arg-type]
