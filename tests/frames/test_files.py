"""Parquet files of several kinds, folders with other files, and parts of other kinds."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from interlace.errors import DataError
from interlace.frames.parts import scanned

pl = pytest.importorskip("polars")

FIRST, SECOND = [3, 1, 2], [9, 1, 7]


def files(folder: Path, *columns: Any) -> str:
    for i, column in enumerate(columns):
        frame = pl.DataFrame({"g": column, f"only_{i}": [0] * len(column)})
        frame.write_parquet(folder / f"{i}.parquet")
    return f"{folder}/*.parquet"


DAY = datetime.date(2020, 5, 4)
NOON = datetime.datetime(2020, 5, 4, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (pl.Int32, pl.Int64, pl.Int64),
        (pl.Int64, pl.Int8, pl.Int64),
        (pl.UInt8, pl.UInt16, pl.UInt16),
        (pl.UInt8, pl.Int8, pl.Int16),
        (pl.UInt32, pl.Int16, pl.Int64),
        (pl.Float32, pl.Float64, pl.Float64),
        (pl.Int64, pl.Float64, pl.Float64),
        (pl.Decimal(12, 2), pl.Int64, pl.Float64),
        (pl.String, pl.Int64, pl.String),
        (pl.Int32, pl.String, pl.String),
        (pl.Categorical, pl.String, pl.String),
        (pl.Enum(["1", "2", "3"]), pl.Enum(["9", "1", "7"]), pl.String),
    ],
)
def test_a_type_that_holds_those_of_all_files(one, other, together, tmp_path) -> None:
    def column(values: list[int], dtype: Any) -> Any:
        numbers = pl.Series(values)
        return (numbers if dtype.is_numeric() else numbers.cast(pl.String)).cast(dtype)

    found = scanned(files(tmp_path, column(FIRST, one), column(SECOND, other)), ["y ~ (1 | g)"])
    rows = found.collect()
    assert rows.schema == {"g": together}
    texts = rows["g"].cast(pl.Int64 if together.is_numeric() else pl.String).cast(pl.String)
    assert texts.to_list() == [str(v) for v in FIRST + SECOND]


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (pl.Series([None, None]), pl.Series([1.5]), pl.Float64),
        (pl.Series([None, None]), pl.Series([None]), pl.Float64),
        (pl.Series([DAY]), pl.Series([NOON]).dt.replace_time_zone(None), pl.Datetime("us")),
        (
            pl.Series([NOON]).dt.convert_time_zone("Asia/Tokyo"),
            pl.Series([NOON]).dt.cast_time_unit("ns"),
            pl.Datetime("ns", "UTC"),
        ),
    ],
)
def test_moments_and_columns_without_values(one, other, together, tmp_path) -> None:
    rows = scanned(files(tmp_path, one, other)).collect()
    assert rows["g"].dtype == together
    if together == pl.Datetime("ns", "UTC"):
        assert rows["g"].to_list() == [NOON, NOON]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pl.Series([1]), pl.Series([2**63 + 1], dtype=pl.UInt64)),
        (pl.Series([True]), pl.Series([1])),
        (pl.Series(["a"]), pl.Series([1.5])),
        (pl.Series([DAY]), pl.Series([1])),
        (pl.Series([NOON]), pl.Series([DAY])),
    ],
)
def test_types_that_none_holds_are_refused_where_they_are_named(one, other, tmp_path) -> None:
    path = files(tmp_path, one, other)
    with pytest.raises(DataError, match=r"'g' is of type .* in '.*0\.parquet' and of .*1\.parq"):
        scanned(path, ["y ~ x + (1 | g)"])
    assert scanned(path, ["y ~ x + (1 | gg)"]).collect_schema().names() == []


def test_columns_that_some_files_lack(tmp_path) -> None:
    path = files(tmp_path, FIRST, SECOND)
    with pytest.raises(DataError, match=r"'only_1' is in '.*1\.parquet' and not in '.*0\.parq"):
        scanned(path, ["y ~ only_1"])
    with pytest.raises(DataError, match=r"'only_0' is in '.*0\.parquet' and not in '.*1\.parq"):
        scanned(path, ["y ~ only_0"])
    assert scanned(path, ["y ~ g"]).collect().to_dict(as_series=False) == {"g": FIRST + SECOND}


@pytest.mark.parametrize(
    "others",
    [
        ("README.md", "notes"),
        ("_SUCCESS", "_metadata", "._SUCCESS.crc"),
        (".0.parquet.crc", "_temporary/0/part.parquet", ".hidden/1.parquet", "_2.parquet"),
        ("more/table.csv",),
    ],
)
def test_other_files_in_a_folder(others, tmp_path) -> None:
    files(tmp_path, FIRST, FIRST)
    pl.DataFrame({"g": [5]}).write_parquet(tmp_path / "part-2")  # writers may leave endings out
    for name in others:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("not Parquet")
    for path in (tmp_path, f"{tmp_path}/", f"{tmp_path}/*", [tmp_path], f"{tmp_path}/**/*"):
        assert scanned(path).collect()["g"].to_list() == [*FIRST, *FIRST, 5]


def test_folders_that_are_named_by_values(tmp_path) -> None:
    for i, site in enumerate("ba"):
        (tmp_path / f"site={site}").mkdir()
        dtype = [pl.Int32, pl.Int64][i]
        rows = pl.DataFrame({"g": pl.Series(FIRST, dtype=dtype)})
        rows.write_parquet(tmp_path / f"site={site}" / "0.parquet")
    rows = scanned(tmp_path, ["y ~ site + (1 | g)"]).collect()
    assert rows.to_dict(as_series=False) == {"g": FIRST * 2, "site": ["a"] * 3 + ["b"] * 3}


def test_paths_without_rows_to_read(tmp_path) -> None:
    with pytest.raises(DataError, match="no Parquet files: it has nothing"):
        scanned(tmp_path)
    (tmp_path / "README").write_text("none yet")
    with pytest.raises(DataError, match="no Parquet files: it has README"):
        scanned(tmp_path)
    with pytest.raises(DataError, match="there is no such file"):
        scanned(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"there is no such file.*duckdb\.sql"):
        scanned("SELECT * FROM rows")
    path = Path(files(tmp_path, FIRST, SECOND)).with_name("1.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"1\.parquet' cannot be read: it is damaged"):
        scanned(tmp_path)


def test_lists_of_frames_have_types_of_their_own() -> None:
    one = pl.DataFrame({"x": [1.0], "g": [1], "more": [1]}).lazy()
    other = pl.DataFrame({"g": ["b"], "x": [2.0]}).lazy()
    asked = ["y ~ x + (1 | g)"]
    assert scanned([one, other], asked).collect().rows() == [(1.0, "1"), (2.0, "b")]
    for parts, lacking in (([one, other.drop("g")], 1), ([other.drop("g"), one], 0)):
        with pytest.raises(DataError, match=rf"data\[{lacking}\] lacks the column\(s\) g"):
            scanned(parts, asked)
    with pytest.raises(DataError, match=r"'x' is of type .* in 'data\[0\]' and of .* 'data\[1\]'"):
        scanned([one, other.cast({"x": pl.String})], asked)
