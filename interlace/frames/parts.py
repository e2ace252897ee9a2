"""Rows in parts: files and lazy frames of which each worker collects what is its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from threading import Lock
from typing import Any

from ..errors import ArgumentTypeError, DataError, brief, first_line, listing
from .files import is_named, joined_frames, scanned_files
from .lazy import is_lazy
from .read import refuse_formula, without_notice

__all__ = ["PartOfRows", "is_in_parts", "part_of", "scanned"]

#: Queries of DuckDB, and plans of Dask, are made in one thread of this process at a time.
_one_at_a_time = Lock()


def is_in_parts(data: Any) -> bool:
    """Whether data are a path, a lazy frame, or a list of such."""
    if isinstance(data, list | tuple):
        return bool(data) and all(_is_path(part) or is_lazy(part) for part in data)
    return _is_path(data) or is_lazy(data)


def _is_path(data: Any) -> bool:
    return isinstance(data, str | os.PathLike)


def scanned(data: Any, texts: Iterable[str] | None = None) -> Any:
    """One lazy frame of what `is_in_parts` is true of; paths are Parquet, read by Polars.

    A column may be of several types that one type holds: narrower numbers, whole numbers beside
    text. ``texts`` are formulas and other arguments that name columns: all parts must have
    those named here, and others are left where some part has not got them.
    """
    refuse_formula(data)
    if _is_path(data):
        return scanned_files([data], texts or ())
    if not isinstance(data, list | tuple):
        return data
    if all(map(_is_path, data)):
        return scanned_files(data, texts or ())
    kinds = {type(part).__module__.partition(".")[0] for part in data}
    if len(kinds) > 1 or any(map(_is_path, data)):
        raise ArgumentTypeError(
            "the parts of data are of different kinds; give paths of Parquet files alone, or lazy "
            "frames of one library"
        )
    kind = kinds.pop()
    if kind not in JOINED:
        raise ArgumentTypeError(
            f"a list of frames of {kind} cannot be put together here; do it in the engine, and "
            f"give one frame instead of {brief(data)}"
        )
    return _joined(data, JOINED[kind], texts)


def _joined(
    frames: Sequence[Any],
    join: Callable[[list[Any], Iterable[str]], Any],
    texts: Iterable[str] | None,
) -> Any:
    """Frames of one library below each other, their columns by name."""
    import narwhals.stable.v2 as nw

    with without_notice():
        parts = [nw.from_native(frame) for frame in frames]
        known = [dict(part.collect_schema()) for part in parts]
    asked = None if texts is None else list(texts)
    for at, first in enumerate(known):
        wanted = [n for n in first if (at == 0 if asked is None else is_named(n, asked))]
        for i, own in enumerate(known):
            if lacking := [name for name in wanted if name not in own]:
                raise DataError(
                    f"data[{i}] lacks the column(s) {listing(lacking)} of data[{at}]; give all "
                    "parts the columns that the model names, or leave such parts out"
                )
    common = [name for name in known[0] if all(name in own for own in known)]
    casts: dict[str, Any] = {}
    if join is not joined_frames:  # which knows its own types
        casts = _casts({name: [own[name] for own in known] for name in common}, asked)
        common = list(casts)
    try:
        with without_notice():
            # engines go by the place of a column, or fill what is not there with missing values
            columns = list(casts.values()) or common
            chosen = [part.select(columns).to_native() for part in parts]
            whole = join(chosen, common if asked is None else asked)
            nw.from_native(whole).collect_schema()
        return whole
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"the parts of data cannot be put together: {first_line(error)}. Give frames of "
            "one connection, whose columns have the same types"
        ) from error


def _casts(types: dict[str, list[Any]], asked: Sequence[str] | None) -> dict[str, Any]:
    """Columns as all parts can have them, by name, of their types in each part.

    Where no type holds those of a column, that is left, and refused if it is ``asked`` for.
    """
    import narwhals.stable.v2 as nw

    casts = {}
    for name, own in types.items():
        kinds = [_kind(dtype) for dtype in own]
        pairs = combinations(dict.fromkeys(kinds), 2)
        odd = next((pair for pair in pairs if not _together(*pair)), None)
        if odd is None:
            as_text = "text" in kinds and len(set(own)) > 1
            casts[name] = nw.col(name).cast(nw.String) if as_text else nw.col(name)
        elif asked is None or is_named(name, asked):
            one, other = map(kinds.index, odd)
            raise DataError(
                f"the column {name!r} is of type {own[one]} in data[{one}] and of {own[other]} in "
                f"data[{other}], and no type holds both; cast it in one of them"
            )
    return casts


def _kind(dtype: Any) -> str | None:
    """What values are of which columns of one type are made; None if that is not known."""
    import narwhals.stable.v2 as nw

    if dtype.is_integer():
        return "whole"
    if dtype.is_numeric():
        return "number"
    if dtype.is_temporal():
        return "time"
    if dtype == nw.Boolean:
        return "truth"
    return "text" if dtype in (nw.String, nw.Categorical, nw.Enum) else None


def _together(one: str | None, other: str | None) -> bool:
    """Whether a column of one type holds values of both kinds as they print."""
    if one is None or other is None or one == other:
        return True
    return {one, other} in ({"whole", "number"}, {"whole", "text"})


def _joined_dask(frames: list[Any], _: Iterable[str]) -> Any:
    import dask.dataframe

    return dask.dataframe.concat(frames)


def _joined_duckdb(frames: list[Any], _: Iterable[str]) -> Any:
    return reduce(lambda whole, part: whole.union(part), frames)


#: How frames are put below each other, by the first part of the module of their classes.
JOINED: dict[str, Callable[[list[Any], Iterable[str]], Any]] = {
    "polars": joined_frames,
    "duckdb": _joined_duckdb,
    "_duckdb": _joined_duckdb,
    "dask": _joined_dask,
    "dask_expr": _joined_dask,
}


@dataclass(frozen=True)
class PartOfRows:
    """Some rows of a lazy frame, which are collected where they are wanted.

    Attributes
    ----------
    native : lazy frame, or str
        Of its own library; of DuckDB the query, where files are all that it reads.
    engine : str
    travels : bool
        Whether another process can collect them.
    """

    native: Any
    engine: str
    travels: bool

    def collect(self) -> Any:
        """The rows as an eager frame of some library."""
        try:
            with without_notice():
                return self._collected()
        except Exception as error:
            raise DataError(f"{self.engine} could not read a part: {first_line(error)}") from error

    def _collected(self) -> Any:
        import narwhals.stable.v2 as nw

        if self.engine == "polars":
            return self.native.collect(engine="streaming")
        if self.engine == "dask":
            with _one_at_a_time:
                return self.native.compute(scheduler=_beside_plans)
        if isinstance(self.native, str):
            import duckdb

            with duckdb.connect() as connection:
                return connection.sql(self.native).to_arrow_table()
        with _one_at_a_time:
            return nw.from_native(self.native).collect().to_native()


def _beside_plans(plan: Any, keys: Any, **_: Any) -> Any:
    """A scheduler of Dask in this thread; others may plan while it is at work, and wait until then.

    What plans have in common waits for itself where two threads ask for it at once (Python 3.11:
    its cached properties hold a lock for all objects).
    """
    import dask

    graph = plan.__dask_graph__() if hasattr(plan, "__dask_graph__") else plan
    _one_at_a_time.release()
    try:
        return dask.get(graph, keys)
    finally:
        _one_at_a_time.acquire()


def part_of(frame: Any, engine: str) -> PartOfRows:
    """A part that a narwhals frame is."""
    native = frame.to_native()
    if engine == "duckdb":
        text = native.sql_query()
        return (
            PartOfRows(text, engine, True)
            if _is_of_files(text)
            else PartOfRows(native, engine, False)
        )
    return PartOfRows(native, engine, engine in ("polars", "dask"))


def _is_of_files(query: str) -> bool:
    """Whether any connection can answer a query of DuckDB."""
    import duckdb

    try:
        with duckdb.connect() as connection:
            # replacement scans would find frames of this process by their names
            connection.execute("SET python_enable_replacements = false")
            connection.sql(f"SELECT * FROM ({query}) LIMIT 0")
    except Exception:
        return False
    return True
