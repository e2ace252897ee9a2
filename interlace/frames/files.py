"""Parquet files and lazy frames of Polars, of one kind or several: one lazy frame of all rows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from glob import glob, has_magic
from typing import Any, NamedTuple

from ..errors import DataError, MissingDependencyError, brief, first_line, listing

__all__ = ["is_named", "joined_frames", "scanned_files"]

#: What names of Parquet files end in; others in a folder are if they begin so.
ENDINGS, MAGIC = (".parquet", ".pq", ".parq"), b"PAR1"
#: What names begin with that writers keep for themselves: _SUCCESS, _metadata, .part-0.crc.
HIDDEN = ("_", ".")


def scanned_files(paths: Sequence[Any], texts: Iterable[str] = ()) -> Any:
    """One lazy frame of Polars of paths, folders and patterns.

    Its columns are those that all files have, of types that hold those of every file. ``texts``
    are those in which columns are named: such a one that some file lacks is refused.
    """
    try:
        import polars as pl
    except ImportError:
        raise MissingDependencyError(
            "Parquet files are read with Polars: pip install interlace[polars]; or give a lazy "
            "frame of another engine"
        ) from None
    files: list[str] = []
    hive = False
    for path in (os.path.expanduser(os.fspath(path)) for path in paths):
        own = [path] if "://" in path else _files_of(path)
        files += own
        base = len(path if os.path.isdir(path) else _base(path))
        hive = hive or any("=" in os.path.dirname(file[base:]) for file in own)
    if len(files) == 1 or any("://" in file for file in files):
        return _scan(files, hive)
    parts = [_Part(file, _schema_of(file), [file]) for file in files]
    runs = _runs(parts, texts)
    if len(runs) == 1 and runs[0].whole:
        return _scan(files, hive)
    frames = [_scan(run.sources, hive).select([*run.casts, *_beside(run, hive)]) for run in runs]
    return pl.concat(frames, how="vertical_relaxed" if hive else "vertical")


def joined_frames(frames: Sequence[Any], texts: Iterable[str] = ()) -> Any:
    """The rows of several lazy frames of Polars below each other, by the names of columns."""
    import polars as pl

    parts = []
    for i, frame in enumerate(frames):
        try:
            parts.append(_Part(f"data[{i}]", dict(frame.collect_schema()), [frame]))
        except Exception as error:
            raise DataError(f"data[{i}] cannot be read: {first_line(error)}") from error
    runs = _runs(parts, texts)
    return pl.concat([frame.select(run.casts) for run in runs for frame in run.sources])


# --- files ----------------------------------------------------------------------------------


def _files_of(path: str) -> list[str]:
    """The Parquet files of a folder or a pattern, sorted; a path of a file as it is."""
    if os.path.isdir(path):
        found, what = list(_walk(path)), "folder"
    elif has_magic(path) and not os.path.exists(path):
        base = len(_base(path))
        asked = "/_" in f"/{path[base:]}"
        names = [
            name
            for name in glob(path, recursive=True)
            if asked or not any(map(_is_hidden, name[base:].split(os.sep)))
        ]
        found = [n for name in names for n in (_walk(name) if os.path.isdir(name) else [name])]
        found, what = list(dict.fromkeys(found)), "pattern"
    else:
        return [path]
    files = sorted(filter(_is_parquet, found))
    if not found and what == "pattern":
        raise DataError(f"{brief(path)} cannot be read: there is no such file{_of_query(path)}")
    if not files:
        others = listing(sorted(map(os.path.basename, found)), 5) if found else "nothing"
        raise DataError(
            f"the {what} {brief(path)} has no Parquet files: it has {others}. Give a lazy frame of "
            "files of other kinds, polars.scan_csv(path) for CSV"
        )
    return files


def _base(path: str) -> str:
    """The folder in which a pattern begins, with its slash."""
    plain = re.split(r"[*?\[]", path)[0]
    return plain[: plain.rfind("/") + 1]


def _walk(folder: str) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        yield from (os.path.join(root, name) for name in names if not _is_hidden(name))


def _is_hidden(path: str) -> bool:
    return os.path.basename(path).startswith(HIDDEN)


def _is_parquet(path: str) -> bool:
    if path.lower().endswith(ENDINGS):
        return True
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _scan(files: Sequence[str], hive: bool) -> Any:
    import polars as pl

    try:
        rows = pl.scan_parquet(
            list(files),
            extra_columns="ignore",
            cast_options=pl.ScanCastOptions(integer_cast="upcast", float_cast="upcast"),
            hive_partitioning=hive or None,
            glob="://" in files[0],
        )
        rows.collect_schema()
        return rows
    except Exception as error:
        raise _unreadable(files[0], error) from error


def _schema_of(file: str) -> dict[str, Any]:
    import polars as pl

    try:
        return dict(pl.read_parquet_schema(file))
    except Exception as error:
        raise _unreadable(file, error) from error


def _unreadable(path: str, error: Exception) -> DataError:
    said = first_line(error)
    if isinstance(error, FileNotFoundError) or "os error 2" in said:
        said = "there is no such file" + _of_query(path)
    elif "Parquet" in said or "PAR1" in said:
        said = "it is not Parquet. Give a lazy frame of it: polars.scan_csv(path) for CSV"
        if path.lower().endswith(ENDINGS):
            said = "it is damaged, still being written, or not Parquet"
    return DataError(f"{path!r} cannot be read: {said}")


def _of_query(text: str) -> str:
    if not re.match(r"\s*(select|from|with)\s", text, re.IGNORECASE):
        return ""
    return ". Text is a path of Parquet files; give the relation of a query, duckdb.sql(query)"


# --- columns --------------------------------------------------------------------------------


class _Part(NamedTuple):
    """Rows with their columns: the name of a part, its types, and what it is read from."""

    name: str
    schema: Mapping[str, Any]
    sources: list[Any]


class _Run(NamedTuple):
    """Neighbouring parts of the same types, and how they come to the types of all."""

    sources: list[Any]
    casts: list[Any]
    whole: bool  # whether nothing is cast
    schema: Mapping[str, Any]


def _runs(parts: Sequence[_Part], texts: Iterable[str]) -> list[_Run]:
    """Parts in their order, neighbours of the same types together."""
    import polars as pl

    texts = list(texts)
    common: dict[str, Any] = {}
    for name in dict.fromkeys(name for part in parts for name in part.schema):
        absent = [part.name for part in parts if name not in part.schema]
        dtypes = dict.fromkeys(part.schema[name] for part in parts if name in part.schema)
        dtype = None if absent else _common_type(list(dtypes))
        if dtype is not None:
            common[name] = dtype
        elif is_named(name, texts):
            raise _at_odds(name, parts)
    runs: list[_Run] = []
    last: list[Any] = []
    for part in parts:
        types = [part.schema[name] for name in common]
        if runs and types == last:
            runs[-1].sources.extend(part.sources)
            continue
        same = [own == dtype for own, dtype in zip(types, common.values(), strict=True)]
        casts = [
            pl.col(name) if is_it else _cast(pl.col(name), own, dtype)
            for (name, dtype), own, is_it in zip(common.items(), types, same, strict=True)
        ]
        whole = all(same) and len(types) == len(part.schema)
        runs.append(_Run(list(part.sources), casts, whole, part.schema))
        last = types
    return runs


def is_named(name: str, texts: Sequence[str]) -> bool:
    """Whether a column is named in a formula or another argument."""
    word = re.compile(rf"(?<![\w.]){re.escape(name)}(?!\w)")
    return any(word.search(text) for text in texts)


def _at_odds(name: str, parts: Sequence[_Part]) -> DataError:
    absent = next((part.name for part in parts if name not in part.schema), None)
    first = next(part for part in parts if name in part.schema)
    if absent is not None:
        return DataError(
            f"the column {name!r} is in {first.name!r} and not in {absent!r}; leave "
            "such parts out, or give polars.scan_parquet(paths, missing_columns='insert'), whose "
            "first file has all columns: rows of the others are missing then"
        )
    other = next(
        part for part in parts if _common_type([first.schema[name], part.schema[name]]) is None
    )
    remedy = "cast it in one of them"
    if isinstance(first.sources[0], str):
        remedy = (
            "give a list of lazy frames: "
            f"polars.scan_parquet(path).with_columns(polars.col({name!r}).cast(type))"
        )
    return DataError(
        f"the column {name!r} is of type {first.schema[name]} in {first.name!r} and of "
        f"{other.schema[name]} in {other.name!r}, and no type holds both; {remedy}"
    )


def _common_type(dtypes: Sequence[Any]) -> Any:
    """The type that holds all values of several types as they print; None if there is none."""
    import polars as pl

    own = [dtype for dtype in dict.fromkeys(dtypes) if dtype != pl.Null]
    if len(own) < 2:
        return own[0] if own else pl.Float64
    text = [d == pl.String or d == pl.Categorical or d == pl.Enum for d in own]
    if any(text):
        rest = [dtype for dtype, is_it in zip(own, text, strict=True) if not is_it]
        return pl.String if all(dtype.is_integer() for dtype in rest) else None
    if all(dtype.is_integer() for dtype in own):
        return _common_integer(own)
    if all(dtype.is_numeric() for dtype in own):
        return pl.Float64
    if all(dtype == pl.Date or dtype == pl.Datetime for dtype in own):
        return _common_moment(own)
    return None


def _common_integer(dtypes: Sequence[Any]) -> Any:
    import polars as pl

    signed = [pl.Int8, pl.Int16, pl.Int32, pl.Int64]
    unsigned = [pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64]
    if not all(dtype in [*signed, *unsigned] for dtype in dtypes):
        return None
    largest = max((unsigned.index(d) for d in dtypes if d in unsigned), default=-1)
    if largest >= 0 and all(dtype in unsigned for dtype in dtypes):
        return unsigned[largest]
    place = max(largest + 1, *(signed.index(d) for d in dtypes if d in signed))
    return signed[place] if place < len(signed) else None


def _common_moment(dtypes: Sequence[Any]) -> Any:
    import polars as pl

    moments = [dtype for dtype in dtypes if dtype == pl.Datetime]
    zones = {getattr(dtype, "time_zone", None) for dtype in dtypes}
    if len(zones) > 1 and None in zones:
        return None
    units: tuple[Any, ...] = ("ns", "us", "ms")
    unit = next(u for u in units if u in [dtype.time_unit for dtype in moments])
    return pl.Datetime(unit, zones.pop() if len(zones) == 1 else "UTC")


def _cast(column: Any, own: Any, dtype: Any) -> Any:
    import polars as pl

    if own == pl.Datetime and own.time_zone not in (None, dtype.time_zone):
        column = column.dt.convert_time_zone(dtype.time_zone)
    return column.cast(dtype)


def _beside(run: _Run, hive: bool) -> list[Any]:
    """Columns that the names of folders make."""
    import polars as pl

    return [pl.exclude(list(run.schema))] if hive else []
