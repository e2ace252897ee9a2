"""Every data-frame library, every dtype: the same arrays."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers.frame_libraries import ALL_LIBRARIES

import interlace as il
from interlace.design.build import build
from interlace.errors import ArgumentTypeError, DataError, DataWarning
from interlace.frames.columns import Labels
from interlace.frames.levels import label_numbers, recode, whole_codes
from interlace.frames.read import data_columns, read


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 48
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n).astype(np.float32),
            "i": rng.integers(-3, 4, n),
            "b": rng.random(n) > 0.4,
            "f": rng.choice(["z", "ä", "B", "a"], n),
            "c": pd.Categorical(rng.choice(["lo", "mid", "hi"], n), ["lo", "mid", "hi", "never"]),
            "g": rng.integers(100, 106, n),
        }
    )


FORMULA = "y ~ x + i + b + f + c + (1 + x | g) + (1 | f:b)"


@pytest.mark.parametrize("library", ALL_LIBRARIES)
def test_same_design_from_every_library(library, table):
    expected = build(FORMULA, table)
    design = build(FORMULA, ALL_LIBRARIES[library](table))
    assert design.x_names == expected.x_names
    assert "f[T.a]" in design.x_names and "f[T.B]" not in design.x_names  # sorted: B a z ä
    assert "c[T.mid]" in design.x_names and "c[T.never]" not in design.x_names
    np.testing.assert_array_equal(design.y, expected.y)
    np.testing.assert_array_equal(design.X, expected.X)
    for mine, theirs in zip(design.factors, expected.factors):
        np.testing.assert_array_equal(mine.codes, theirs.codes)
        np.testing.assert_array_equal(mine.levels, theirs.levels)
        np.testing.assert_array_equal(mine.Z, theirs.Z)


@pytest.mark.parametrize("library", ALL_LIBRARIES)
def test_missing_values_of_every_kind(library, table):
    table = table.astype({"x": float, "b": object})
    for row, name in enumerate(["y", "x", "f", "c", "b"]):
        table.loc[row, name] = None
    table.loc[5, "x"] = np.nan
    with pytest.warns(DataWarning, match=r"dropped 6 row\(s\)"):
        design = build(FORMULA, ALL_LIBRARIES[library](table))
    assert len(design.y) == len(table) - 6
    assert design.missing_by == {"y": 1, "x": 2, "b": 1, "f": 1, "c": 1}
    np.testing.assert_array_equal(design.y, table["y"].iloc[6:])
    assert design.factors[0].levels.tolist()[:2] == ["B:False", "B:True"]


def test_nan_and_null_in_one_polars_column():
    frame = pl.DataFrame({"x": [1.0, float("nan"), None], "g": ["a", None, "b"]})
    columns = read(frame, ["x", "g"])
    assert columns.missing["x"].tolist() == [False, True, True]
    assert columns.missing["g"].tolist() == [False, True, False]


def test_order_of_levels():
    values = ["mid", "hi", "lo", "hi"]
    order = ["lo", "mid", "hi"]
    kept = {
        "pandas": pd.DataFrame({"f": pd.Categorical(values, order)}),
        "enum": pl.DataFrame({"f": values}, schema={"f": pl.Enum(order)}),
        "arrow": pa.table({"f": pa.DictionaryArray.from_arrays([1, 2, 0, 2], order)}),
    }
    for frame in kept.values():
        assert read(frame, ["f"]).values["f"].levels.tolist() == order
    sorted_ = {
        "strings": pl.DataFrame({"f": values}),
        "categorical": pl.DataFrame({"f": values}, schema={"f": pl.Categorical}),
        "arrow strings": pa.table({"f": values}),
        "object": pd.DataFrame({"f": np.array(values, dtype=object)}),
    }
    for frame in sorted_.values():
        labels = read(frame, ["f"]).values["f"]
        assert labels.levels.tolist() == ["hi", "lo", "mid"]
        assert labels.codes.tolist() == [2, 0, 1, 0]


def test_ordered_categoricals_are_coded_by_polynomials(table):
    table["c"] = table["c"].cat.as_ordered()
    for frame in (table, pa.Table.from_pandas(table)):
        assert "c[.L]" in build("y ~ c + (1 | g)", frame).x_names


@pytest.mark.parametrize(
    "values",
    [
        [decimal.Decimal("1.5"), decimal.Decimal(2), None],
        pd.array([1.5, 2, None], dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
        np.array([1.5, 2, None], dtype=object),
        pd.array([1.5, 2, None], dtype="Float32"),
        pd.arrays.SparseArray([1.5, 2, np.nan]),
    ],
    ids=["decimal", "arrow decimal", "object", "Float32", "sparse"],
)
def test_numbers_in_disguise(values):
    columns = read(pd.DataFrame({"x": values}), ["x"])
    np.testing.assert_array_equal(columns.values["x"], [1.5, 2.0, np.nan])
    assert columns.missing["x"].tolist() == [False, False, True]


def test_columns_that_need_no_conversion_are_not_copied(table):
    columns = read(table, ["y", "x", "i", "b"])
    for name, column in columns.values.items():
        assert np.shares_memory(column, table[name].to_numpy())


def test_dates_are_labels_of_groups_only(table):
    table["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(table["g"] - 100, unit="D")
    design = build("y ~ x + (1 | day)", table)
    assert design.factors[0].levels[:2].tolist() == ["2024-01-01", "2024-01-02"]
    for frame in (table, pl.from_pandas(table), pa.Table.from_pandas(table)):
        with pytest.raises(DataError, match="'day' holds dates or times .* convert it"):
            build("y ~ day + (1 | g)", frame)
    objects = pd.DataFrame({"d": [datetime.date(2024, 1, 1)] * 2})
    with pytest.raises(DataError, match="dates or times"):
        read(objects, ["d"])


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"x": [1 + 2j, 0]}),
        pl.DataFrame({"x": [[1], [2]]}),
        pl.DataFrame({"x": [{"a": 1}, {"a": 2}]}),
        pd.DataFrame({"x": [1, "a"]}),
        pd.DataFrame({"x": [{}, []]}),
    ],
    ids=["complex", "list", "struct", "mixed", "objects"],
)
def test_unusable_types(frame):
    with pytest.raises(DataError, match="column 'x' (is of type|mixes)"):
        read(frame, ["x"])


@pytest.mark.parametrize("bad", [3, "a.csv", np.zeros((3, 2)), [[1, 2]], None])
def test_no_data_frame(bad):
    with pytest.raises(ArgumentTypeError, match=f"data must be a data frame.*{type(bad).__name__}"):
        data_columns(bad)


def test_dict_of_arrays():
    with pytest.raises(DataError, match="differ in length: 'a' has 2, 'b' has 3"):
        read({"a": [1, 2], "b": [1, 2, 3]}, ["a", "b"])
    with pytest.raises(DataError, match=r"data\['a'\] must be one-dimensional"):
        read({"a": np.zeros((2, 2))}, ["a"])
    assert read({"a": (1, 2), "b": "junk"}, ["a"]).n == 2


@pytest.mark.parametrize(
    ("values", "levels", "codes"),
    [
        ([3, 1, 3, 10], [1, 3, 10], [1, 0, 1, 2]),
        ([3_000_000_000, -5, 0], [-5, 0, 3_000_000_000], [2, 0, 1]),
        ([2.0, 1.0, 2.0], [1, 2], [1, 0, 1]),
        ([2.5, 1.0, np.nan], [1.0, 2.5], [1, 0, -1]),
        ([True, False], [False, True], [1, 0]),
        (np.array([255, 0, 7], dtype=np.uint8), [0, 7, 255], [2, 0, 1]),
        (np.array([127, -128], dtype=np.int8), [-128, 127], [1, 0]),
    ],
)
def test_numbers_as_labels(values, levels, codes):
    labels = label_numbers(np.asarray(values))
    assert labels.levels.tolist() == levels
    assert labels.codes.tolist() == codes


def test_small_integers_do_not_overflow():
    values = np.tile(np.array([127, -128, 0], dtype=np.int8), 50)
    labels = label_numbers(values)
    np.testing.assert_array_equal(labels.levels[labels.codes], values)
    assert labels.levels.tolist() == [-128, 0, 127]


def test_used_levels():
    labels = Labels(np.array([2, -1, 0], dtype=np.int8), np.array(["a", "b", "c"], dtype=object))
    used = labels.used()
    assert (used.levels.tolist(), used.codes.tolist()) == (["a", "c"], [1, -1, 0])
    assert used.used() is used


def test_recode():
    labels = Labels(np.array([0, 1, -1, 0]), np.array(["x", "new"], dtype=object))
    codes, unseen = recode(labels, np.array(["w", "x"], dtype=object))
    assert codes.tolist() == [1, -1, -1, 1]
    assert unseen.tolist() == ["new"]
    assert recode(np.array([2.0, 1.0]), np.array([1, 2]))[0].tolist() == [1, 0]
    texts = np.array(["308", "309"], dtype=object)
    assert recode(np.array([309, 308, 1]), texts)[0].tolist() == [1, 0, -1]
    as_text = Labels(np.array([0, 1]), texts)
    assert recode(as_text, np.array([308, 309]))[0].tolist() == [0, 1]


def test_intervals_are_levels(table):
    edges = [-9, -0.5, 0.5, 9]
    cut = table.assign(c=pd.cut(table.x, edges))
    design = build("y ~ c + (1 | g)", cut.assign(g=table.f))
    assert design.x_names == ("Intercept", "c[.L]", "c[.Q]")  # pandas' cut has an order
    for c in (cut.c.astype(object), pd.Series(cut.c.to_numpy(), dtype="interval[float64, right]")):
        plain = build("y ~ c + (1 | g)", cut.assign(g=table.f, c=c))
        assert plain.x_names == ("Intercept", "c[T.(-0.5, 0.5]]", "c[T.(0.5, 9.0]]")


def test_values_of_one_wrong_type_are_not_called_mixed(table):
    with pytest.raises(DataError, match="'x' has values of type tuple; convert it to numbers"):
        build("y ~ x + (1 | f)", table.assign(x=[(1, 2)] * len(table)))
    with pytest.raises(DataError, match="mixes values of type int, str; convert it to one type"):
        build("y ~ x + (1 | f)", table.assign(x=[1, "1"] * (len(table) // 2)))


@pytest.mark.parametrize("term", ["factor(when.dt.month)", "when.dt.year"])
def test_parts_of_dates_as_groups(table, term):
    d = table.assign(when=pd.date_range("2020-01-01", periods=len(table), freq="12D"))
    with pytest.raises(DataError, match="'when' holds dates or times"):
        build(f"y ~ x + (1 | {term})", d)
    d["when"] = d.when.dt.floor("60D")
    design = build("y ~ x + (1 | factor(when))", d)
    assert len(np.unique(design.factors[0].codes)) == d.when.nunique()


def test_a_part_of_a_column_as_a_term(table):
    with pytest.raises(DataError, match=r"computed from the column 'x' goes into I\(\)"):
        build("y ~ x.values + (1 | f)", table)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64"])
def test_whole_numbers_are_codes_by_a_table(dtype):
    levels = np.array([3, 5, 9], dtype=dtype)
    values = np.array([5, 9, 3, 5], dtype=dtype)
    codes = whole_codes(values, levels)
    assert codes.dtype == np.int32 and codes.tolist() == [1, 2, 0, 1]
    assert codes.tolist() == recode(values, levels)[0].tolist()
    for other in ([4, 5], [2, 5], [3, 10], []):  # between levels, below, above, none
        assert whole_codes(np.array(other, dtype=dtype), levels) is None
    assert whole_codes(values.astype(float), levels) is None
    assert whole_codes(values, np.array([0, 100])) is None  # a table of more than the rows
    top = np.array([2**63 - 1, 2**63 + 2], dtype=np.uint64)
    assert whole_codes(top, top) is None


def test_what_pyarrow_has_beside_tables_is_answered(table, tmp_path) -> None:
    from pyarrow import dataset, parquet

    rows = pa.Table.from_pandas(table)
    parquet.write_table(rows, tmp_path / "rows.parquet")
    for given, words in (
        (dataset.dataset(tmp_path), r"scan_pyarrow_dataset\(data\)"),
        (rows.to_batches()[0], r"Table\.from_batches\(\[data\]\)"),
        (rows.to_reader(), r"data\.read_all\(\)"),
        (parquet.ParquetFile(tmp_path / "rows.parquet"), r"data\.read\(\)"),
        ([rows, rows], r"pyarrow\.concat_tables\(data\)"),
    ):
        with pytest.raises(ArgumentTypeError, match=words):
            data_columns(given)


def test_pyarrow_times_have_their_zone() -> None:
    times = pd.Series(pd.date_range("2020-03-28", periods=4, freq="12h", tz="Europe/Berlin"))
    found = read(pa.table({"t": pa.array(times)}), ["t"], ["t"]).values["t"]
    assert isinstance(found, Labels) and found.levels.tolist() == times.astype(str).tolist()
    others = times.dt.tz_convert("UTC")[::-1].astype(str).to_numpy(dtype=object)
    codes, unknown = recode(Labels(np.arange(4), others), found.levels)
    assert codes.tolist() == [3, 2, 1, 0] and not len(unknown)
    without = np.array([text[:-6] for text in others], dtype=object)
    assert (recode(Labels(np.arange(4), without), found.levels)[0] < 0).all()


def test_lazy_frames_that_cannot_be_computed_are_refused() -> None:
    impossible = pl.LazyFrame({"x": [1.0]}).with_columns(x=pl.lit("a").cast(pl.Float64))
    with pytest.raises(DataError, match="polars cannot say which columns data has: conversion"):
        data_columns(impossible)
    for fit in (il.fit, il.clmm):
        with pytest.raises(DataError, match="polars cannot say which columns data has.*none.csv"):
            fit("y ~ x + (1 | g)", pl.scan_csv("none.csv"))
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    relation = connection.sql("SELECT 1 AS x")
    connection.close()
    with pytest.raises(DataError, match="duckdb cannot say .*already been closed"):
        data_columns(relation)
