"""Any data frame -> the needed columns in one common form.

After this file nothing knows which data-frame library the user has.  A column becomes either a
numeric array (booleans stay boolean, since they are valid group labels) or
:class:`~interlace.frames.columns.Labels`: integer codes with our own order of levels.  Columns that
need no conversion are not copied.

The order of levels is that of the categories where the column has an order of its own (pandas
categoricals, Polars enums, Arrow dictionaries), and sorted otherwise: strings, and Polars
categoricals, whose order is that of first appearance.  NaN, NaT, None and null are missing in
every library.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..errors import ArgumentTypeError, DataError, brief, listing
from .checks import columns_of
from .columns import Column, Columns, Labels, plainly_finite, read_only
from .identity import ByIdentity
from .levels import category_labels, sorted_labels, text_labels

#: Columns of a frame up to which what a formula means of them is found by their names.
MOST_NAMES = 1000


class ColumnNames(dict[str, int]):
    """Names of columns with their places, and those of the levels of the index, which are none.

    ``key`` has the names in their order, unless they are very many.
    """

    key: tuple[str, ...] | None = None
    index: pd.Index | None = None

    @property
    def index_names(self) -> tuple[Any, ...]:
        """Names of the levels of the index."""
        return () if self.index is None else tuple(self.index.names)


class _PandasNames(NamedTuple):
    """Names of the columns of pandas frames as they print.

    ``places`` are those of the first of each name, ``twice`` the names of several columns with
    their numbers.
    """

    places: dict[str, int]
    twice: dict[str, int]
    key: tuple[str, ...]


def _pandas_names(index: pd.Index) -> _PandasNames:
    names = [str(name) for name in index]
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        places.setdefault(name, place)
    counts = Counter(names) if len(places) < len(names) else {}
    twice = {name: count for name, count in counts.items() if count > 1}
    return _PandasNames(places, twice, tuple(places))


#: By the index that is the columns of a frame, which pandas never changes in place.
_names_of = ByIdentity(_pandas_names)


def data_columns(data: Any) -> Collection[str]:
    """Names of the columns of `data`, which may be any frame narwhals reads, or a dict of arrays.

    Names that are no text, such as the numbers in a pivoted frame, are as they print.
    """
    if isinstance(data, pd.DataFrame):
        columns = data.columns
        if isinstance(columns, pd.MultiIndex):
            raise DataError(
                f"the columns of data have {columns.nlevels} levels of names; flatten them "
                "first: data.columns = ['_'.join(map(str, name)) for name in data.columns]"
            )
        known = _names_of(columns)
        names = ColumnNames(known.places)
        names.index = data.index
        if len(known.key) <= MOST_NAMES:
            names.key = known.key
        return names
    if isinstance(data, Mapping):
        return ColumnNames((str(name), place) for place, name in enumerate(data))
    frame = _narwhals(data)
    return list(columns_of(frame))


def with_text_names(data: pd.DataFrame) -> pd.DataFrame:
    """The frame with its columns' names as they print."""
    if data.columns.inferred_type == "string":
        return data
    return data.set_axis([str(name) for name in data.columns], axis=1)


def read(data: Any, names: Iterable[str], groups: Collection[str] = ()) -> Columns:
    """Read the columns `names` of any data frame that narwhals reads, or of a dict of arrays.

    `groups` are those that are grouping factors and nothing else: dates are allowed there alone.
    """
    if isinstance(data, Mapping):
        data = _from_mapping({str(name): value for name, value in data.items()}, names)
    if not isinstance(data, pd.DataFrame):
        frame = _narwhals(data).select(list(dict.fromkeys(names)))
        if hasattr(frame, "collect"):
            frame = frame.collect()
        if not frame.implementation.is_pandas_like():
            series = {name: _series(frame[name], name, name in groups) for name in frame.columns}
            return _collect(series, pd.RangeIndex(len(frame)))
        data = frame.to_pandas()
    known, series = _names_of(data.columns), {}
    for name in names:
        if name in known.twice:
            raise DataError(
                f"data has {known.twice[name]} columns named {name!r}; rename or drop all but one"
            )
        series[name] = _pandas_column(data, known.places[name], name, name in groups)
    return _collect(series, data.index)


def frame_of(value: Any) -> pd.DataFrame | None:
    """A data frame of any library, lazy ones too, as pandas; None for what is none."""
    if isinstance(value, pd.DataFrame):
        return value
    if isinstance(value, (list, tuple, np.ndarray)) or not hasattr(type(value), "columns"):
        return None
    import narwhals.stable.v2 as nw

    try:
        return nw.from_native(value).lazy().collect("pandas").to_native()
    except (TypeError, AttributeError):
        return None


def whole_frame(data: Any) -> pd.DataFrame | None:
    """`frame_of`, of a dict of columns too; its columns are named as they print."""
    frame = pd.DataFrame(dict(data)) if isinstance(data, Mapping) else frame_of(data)
    return None if frame is None else with_text_names(frame)


def _collect(found: dict[str, tuple[Column, np.ndarray | None]], index: pd.Index) -> Columns:
    values, missing, complete = {}, {}, set()
    for name, (column, mask) in found.items():
        values[name] = column
        if mask is None:
            mask = _missing(column)
            if mask is None:
                complete.add(name)
                continue
        if mask.any():
            missing[name] = mask
    return Columns(values, index, missing, frozenset(complete))


def _missing(column: Column) -> np.ndarray | None:
    """Where a column may have missing values; None if it is complete, as `Columns` has it."""
    if isinstance(column, Labels):
        occurring = column.occurring()
        whole = np.count_nonzero(occurring) == len(column.levels) and not occurring[-1]
        return None if whole else column.codes < 0
    if column.dtype.kind != "f" or plainly_finite(column):
        return None
    return np.isnan(column)


@contextmanager
def without_notice() -> Iterator[None]:
    """Without narwhals' notice that its support of Dask will be a package of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Dask support is moving", FutureWarning)
        yield


def _narwhals(data: Any) -> Any:
    import narwhals.stable.v2 as nw

    try:
        with without_notice():
            return nw.from_native(data)
    except TypeError:
        hint = ""
        if isinstance(data, list | tuple) and any(hasattr(type(part), "columns") for part in data):
            hint = f" Put the frames together first: {_concat(data)}."
        elif type(data).__module__.partition(".")[0] == "pyarrow":
            hint = _of_pyarrow(data)
        elif isinstance(data, np.ndarray | list | tuple):
            hint = " Give the columns names first: pandas.DataFrame(data, columns=[...])."
        elif isinstance(data, str | os.PathLike):
            hint = (
                " Read it first: polars.read_parquet(path). Functions that fit models take paths "
                "of Parquet files as they are."
            )
        refuse_formula(data)
        raise ArgumentTypeError(
            "data must be a data frame (pandas, Polars, PyArrow, ... or a dict of arrays), "
            f"got {type(data).__name__}.{hint}"
        ) from None


def _concat(frames: Any) -> str:
    library = type(frames[0]).__module__.partition(".")[0]
    return {"polars": "polars.concat(data)", "pyarrow": "pyarrow.concat_tables(data)"}.get(
        library, "pandas.concat(data)"
    )


def _of_pyarrow(data: Any) -> str:
    """How what PyArrow has beside tables becomes one."""
    kind = type(data).__name__
    if "Dataset" in kind and hasattr(data, "scanner"):
        return (
            " data.to_table() has its rows in memory; polars.scan_pyarrow_dataset(data) leaves "
            "them where they are, for fit(), and for glmer() with partitions= or executor=."
        )
    ways = {
        "RecordBatch": "pyarrow.Table.from_batches([data])",
        "RecordBatchReader": "data.read_all()",
        "Scanner": "data.to_table()",
        "ParquetFile": "data.read()",
        "ParquetDataset": "data.read()",
    }
    return f" Make it a table first: {ways[kind]}." if kind in ways else ""


def refuse_formula(data: Any) -> None:
    """Says where the formula stands if it is where data are; a path may have a tilde too.

    Raises
    ------
    ArgumentTypeError
        If ``data`` is a formula.
    """
    if not isinstance(data, str) or "~" not in data or data.startswith("~/"):
        return
    if not data.endswith((".parquet", ".pq")) and not os.path.exists(data):
        raise ArgumentTypeError(
            f"data={brief(data)} is a formula: the formula comes first, then the data"
        )


def _from_mapping(data: Mapping, names: Iterable[str]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    single: list[str] = []
    for name in names:
        value = data[name]
        if np.ndim(value) > 1:
            raise DataError(
                f"data[{name!r}] must be one-dimensional, got {np.ndim(value)} dimensions"
            )
        if np.ndim(value) == 0:
            single.append(name)
            value = [value]
        columns[name] = value if isinstance(value, pd.Categorical) else np.asarray(value)
        if isinstance(value, pd.Series):
            columns[name] = value.array
    many = [len(value) for name, value in columns.items() if name not in single]
    if many:  # a single value stands in every row
        for name in single:
            columns[name] = np.repeat(columns[name], many[0])
    lengths = {name: len(value) for name, value in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = listing(f"{name!r} has {length}" for name, length in lengths.items())
        raise DataError(f"the arrays in data differ in length: {shown}")
    if columns:
        return pd.DataFrame(columns, copy=False)
    first = next(iter(data.values()), ())
    return pd.DataFrame(index=pd.RangeIndex(len(first) if np.ndim(first) else 1))


# --- one column -----------------------------------------------------------------------------


def _pandas_column(
    data: pd.DataFrame, place: int, name: str, group: bool
) -> tuple[Column, np.ndarray | None]:
    """A column of a pandas frame; the usual kinds without making a Series, which takes longer."""
    values = data._get_column_array(place) if hasattr(data, "_get_column_array") else None
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return read_only(values.view()), None
    if isinstance(values, pd.Categorical):
        return category_labels(values), None
    return _pandas_series(data.iloc[:, place], name, group)


def _pandas_series(series: pd.Series, name: str, group: bool) -> tuple[Column, np.ndarray | None]:
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind in "biuf":
            return series.to_numpy(), None
        if dtype.kind == "O":
            return _objects(series.to_numpy(), name, group)
        if dtype.kind in "Mm":
            return _dates(series, name, group, str(dtype)), None
        raise _unusable(name, str(dtype))
    if isinstance(dtype, pd.CategoricalDtype):
        return category_labels(series.array), None
    if isinstance(dtype, pd.StringDtype):
        return text_labels(series.array), None
    text = str(dtype)
    if text.startswith("dictionary"):
        return category_labels(series.astype("category").array), None
    if "string" in text:
        return text_labels(series.array), None
    kind = "f" if "decimal" in text else getattr(dtype, "kind", "O")
    if kind in "biuf":
        mask = series.isna().to_numpy()
        if kind == "f":
            return series.to_numpy(dtype=np.float64, na_value=np.nan), None
        zero = False if kind == "b" else 0
        values = series.to_numpy(
            dtype={"b": bool, "i": np.int64, "u": np.uint64}[kind], na_value=zero
        )
        return values, (mask if mask.any() else None)
    if kind in "Mm" or any(word in text for word in ("period", "date", "time")):
        return _dates(series, name, group, text), None
    return _objects(series.to_numpy(dtype=object), name, group)


def _series(series: Any, name: str, group: bool) -> tuple[Column, np.ndarray | None]:
    """A narwhals series."""
    import narwhals.stable.v2 as nw

    dtype = series.dtype
    if isinstance(dtype, nw.Decimal):
        series, dtype = series.cast(nw.Float64), nw.Float64()
    if dtype.is_numeric() or isinstance(dtype, nw.Boolean):
        if not series.null_count():
            return series.to_numpy(), None
        if dtype.is_float():
            return series.fill_null(float("nan")).to_numpy(), None
        mask = series.is_null().to_numpy()
        zero = False if isinstance(dtype, nw.Boolean) else 0
        return series.fill_null(zero).to_numpy(), mask
    if isinstance(dtype, nw.Enum | nw.Categorical | nw.String):
        levels = list(dtype.categories) if isinstance(dtype, nw.Enum) else None
        return _narwhals_labels(series, levels), None
    if dtype.is_temporal():
        return _dates(_with_zone(series), name, group, str(dtype)), None
    if isinstance(dtype, nw.Object | nw.Unknown):
        return _objects(np.array(series.to_list(), dtype=object), name, group)
    raise _unusable(name, str(dtype))


def _with_zone(series: Any) -> pd.Series:
    """A narwhals series of times as pandas; PyArrow hands over the moments without their zone."""
    out, zone = series.to_pandas(), getattr(series.dtype, "time_zone", None)
    if zone is None or getattr(out.dtype, "tz", None) is not None:
        return out
    return out.dt.tz_localize("UTC").dt.tz_convert(zone)


def _narwhals_labels(series: Any, levels: list[str] | None) -> Labels:
    """A narwhals series of text, its levels sorted unless given."""
    native = series.to_native()
    if series.implementation.is_polars():
        import polars as pl

        arranged = levels is not None
        if levels is None:
            native = native.cast(pl.String)
            levels = native.unique().drop_nulls().sort().to_list()
        codes = native.cast(pl.Enum(levels)).to_physical().cast(pl.Int32).fill_null(-1)
        return Labels(codes.to_numpy(), np.array(levels, dtype=object), arranged=arranged)
    if series.implementation.is_pyarrow():
        if str(native.type).startswith("dictionary"):
            chunk = native.unify_dictionaries().combine_chunks()
            codes = chunk.indices.cast("int32").fill_null(-1).to_numpy(zero_copy_only=False)
            levels = chunk.dictionary.to_pylist()
            return Labels(codes, np.array(levels, dtype=object), bool(native.type.ordered))
        chunk = native.dictionary_encode().combine_chunks()
        codes = chunk.indices.cast("int32").fill_null(-1).to_numpy(zero_copy_only=False)
        return sorted_labels(codes, np.array(chunk.dictionary.to_pylist(), dtype=object))
    if levels is None:
        return text_labels(np.array(series.to_list(), dtype=object))
    texts = text_labels(np.array(series.to_list(), dtype=object))
    position = {level: i for i, level in enumerate(levels)}
    new = np.array([position[level] for level in texts.levels] + [-1], dtype=np.int32)
    return Labels(new[texts.codes], np.array(levels, dtype=object))


def _objects(values: np.ndarray, name: str, group: bool) -> tuple[Column, np.ndarray | None]:
    """A column of Python objects, told apart by what is in it."""
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind == "string":
        return text_labels(values), None
    if kind in ("boolean", "integer"):
        mask = pd.isna(values)
        plain = np.where(mask, 0, values).astype(bool if kind == "boolean" else np.int64)
        return plain, (mask if mask.any() else None)
    if kind in ("floating", "mixed-integer-float", "decimal"):
        return np.where(pd.isna(values), np.nan, values).astype(np.float64), None
    if kind == "empty":
        return np.full(len(values), np.nan), None
    if kind in ("categorical", "interval"):
        return category_labels(pd.Categorical(values)), None
    if "date" in kind or "time" in kind or kind == "period":
        return _dates(pd.Series(values), name, group, kind), None
    types = sorted({type(value).__name__ for value in values[~pd.isna(values)][:10_000]})
    what, into = ("mixes", "one type, e.g.") if len(types) > 1 else ("has", "numbers or text, e.g.")
    raise DataError(
        f"column {name!r} {what} values of type {listing(types)}; convert it to {into} "
        f"data[{name!r}].astype(str)"
    )


def _dates(series: pd.Series, name: str, group: bool, shown: str) -> Labels:
    if not group:
        raise DataError(
            f"column {name!r} holds dates or times ({shown}), which are not numbers; convert it "
            "to a number of days or years first, or to text for a factor"
        )
    return text_labels(np.where(series.isna(), None, series.astype(str).astype(object)))


def _unusable(name: str, dtype: str) -> DataError:
    return DataError(
        f"column {name!r} is of type {dtype}; a model needs numbers, booleans, strings or "
        "categories"
    )
