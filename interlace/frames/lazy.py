"""Rows that stay where they are: sums of a lazy frame, computed by its own engine.

Polars (lazy), DuckDB, Dask, Ibis, PySpark: all that narwhals calls lazy. Queries keep to what every
one of them can do: expressions made as columns first, then plain sums of columns by group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import DataError, InterlaceError, MissingDependencyError, first_line
from .checks import columns_of
from .columns import Columns
from .read import read, without_notice

#: Libraries whose frames are lazy, by the first part of the module of their classes.
ENGINES = ("polars", "duckdb", "_duckdb", "dask", "dask_expr", "ibis", "pyspark", "sqlframe")

#: Sums that Polars may hold at once.
MOST_BYTES = 0.9e9
#: So few groups are summed without holding more.
FEW_GROUPS = 20_000
#: What DuckDB holds of a sum and of a group beside its sums, in each of its threads.
DUCKDB_SUM, DUCKDB_GROUP = 16, 24
#: The share of its memory that DuckDB fills with groups before it writes them to disk, less what
#: the rows being read need.
DUCKDB_SHARE = 0.75
UNITS = {"bytes": 1.0, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}


def is_lazy(data: Any) -> bool:
    """Whether data are a frame whose rows are not in memory yet."""
    module = type(data).__module__.partition(".")[0]
    if module == "narwhals":
        module = ENGINES[0]
    if module not in ENGINES:
        return False
    import narwhals.stable.v2 as nw

    with without_notice():
        return isinstance(nw.from_native(_native(data), pass_through=True), nw.LazyFrame)


def _native(data: Any) -> Any:
    import narwhals as nw

    return nw.to_native(data, pass_through=True)


class LazyRows:
    """A frame, as a rule a lazy one, perhaps some of its rows, and what its engine sums over them.

    ``schema`` has narwhals' types of the columns by name.
    """

    def __init__(self, data: Any) -> None:
        import narwhals.stable.v2 as nw

        data = pd.DataFrame(dict(data)) if isinstance(data, Mapping) else _native(data)
        with without_notice():
            self.frame = nw.from_native(data)
            self.schema = columns_of(self.frame)
        if self.engine == "dask":
            self.schema |= _moments_of_dask(data)
        #: Rows, as far as they have been counted.
        self.n = 0

    def missing(self, name: str) -> Any:
        """Whether a column is missing, or not a number."""
        import narwhals.stable.v2 as nw

        column = nw.col(name)
        if not self.schema[name].is_float():
            return column.is_null()
        # DuckDB takes isnan() for false in files whose statistics leave NaN out
        if self.engine == "duckdb":
            return column.is_null() | (~column.is_finite() & (column.abs() != float("inf")))
        if self.engine == "ibis":  # where finite is what is neither infinite nor isnan()
            return column.is_null() | ((column - column != 0.0) & (column.abs() != float("inf")))
        return column.is_null() | column.is_nan()

    def where(self, condition: Any) -> LazyRows:
        """The rows for which an expression is true."""
        other = object.__new__(LazyRows)
        with without_notice():
            other.__dict__.update(self.__dict__, frame=self.frame.filter(condition))
        return other

    def count(self) -> int:
        """Rows, by a query."""
        import narwhals.stable.v2 as nw

        with without_notice():
            frame = self.frame.select(nw.len().alias("rows"))
        return int(_collected(frame).rows()[0][0])

    def distinct(self, expression: Any) -> LazyRows:
        """The different values of an expression, as the column ``value``."""
        other = object.__new__(LazyRows)
        with without_notice():
            frame = self.frame.select(expression.alias("value")).unique()
        other.__dict__.update(self.__dict__, frame=frame)
        return other

    def totals(
        self, columns: Mapping[str, Any], asked: Mapping[str, Sequence[Any]], kept: Any = None
    ) -> dict[str, dict[Any, float]]:
        """Aggregates, ``asked`` by column.

        They are ``"mean"``, ``"std"``, ``"min"``, ``"max"``, ``"sum"`` and ``("quantile", p)``, of
        the rows for which ``kept`` is true; ``"count"`` is a sum over all rows. Columns are
        expressions. Without a row an aggregate is NaN.
        """
        import narwhals.stable.v2 as nw

        places = {name: f"_c{i}" for i, name in enumerate(asked)}
        names = {pair: f"_m{i}" for i, pair in enumerate(_pairs(asked))}
        with without_notice():
            own = {places[name]: value for name, value in columns.items()}
            kept = nw.lit(True) if kept is None else kept
            frame = self.frame.select(kept.alias("_kept"), *_named(own))
            whole = [name for name, ways in asked.items() if ways[0] == "count"]
            frame = frame.select(
                *(nw.col(places[name]) for name in whole),
                *(
                    nw.when(nw.col("_kept")).then(nw.col(place)).alias(place)
                    for name, place in places.items()
                    if name not in whole
                ),
            )
            frame = self._aggregated(frame, {name: pair for pair, name in names.items()}, places)
        row = _collected(frame).rows(named=True)[0]
        out: dict[str, dict[Any, float]] = {name: {} for name in asked}
        for (column, what), name in names.items():
            out[column][what] = float("nan") if row[name] is None else float(row[name])
        return out

    def _aggregated(self, frame: Any, names: Mapping[str, Any], places: Mapping[str, str]) -> Any:
        import narwhals.stable.v2 as nw

        made = {name: _aggregate(nw.col(places[own]), what) for name, (own, what) in names.items()}
        try:
            return frame.select(*_named(made))
        except RuntimeError as error:  # what narwhals says of engines that lack it
            raise DataError(
                f"{self.engine} cannot compute what a term of the formula needs of all rows: "
                f"{error} Give the knots of splines (knots=), or make the term columns of the "
                "lazy frame"
            ) from None

    def sums(
        self,
        first: Mapping[str, Any],
        keys: Sequence[str],
        products: Mapping[str, Any],
        labels: Sequence[str] = (),
    ) -> Columns:
        """Sums of products, expressions of columns made ``first``, for each combination of keys.

        ``labels`` are keys that may be dates. Without keys there is one row.
        """
        import narwhals.stable.v2 as nw

        columns = [*map(nw.col, keys), *_named(products)]
        sums = [nw.col(name).sum() for name in products]
        tables = []
        for part in self._parts(_named(first), columns, keys, len(products)):
            with without_notice():
                frame = part.group_by(*keys).agg(*sums) if keys else part.select(*sums)
            tables.append(_collected(frame))
        table = tables[0] if len(tables) == 1 else nw.concat(tables)
        del tables
        return read(table.to_native(), [*keys, *products], labels)

    def _parts(
        self, first: list[Any], columns: list[Any], keys: Sequence[str], sums: int
    ) -> Iterator[Any]:
        """The columns of the rows, or of parts of them by the hash of a key where sums are many."""
        with without_notice():
            frame = self.frame.select(*first).select(*columns)
        if keys and self.engine == "duckdb":
            yield from _duckdb_parts(frame, keys, self.n, sums)
        elif keys and self.engine == "polars" and hasattr(self.frame, "collect"):
            for rows in self._polars_parts(keys, sums):
                yield rows.select(*first).select(*columns)
        else:
            yield frame

    def _polars_parts(self, keys: Sequence[str], sums: int) -> Iterator[Any]:
        """Polars holds what it has summed of groups that it leaves for others.

        In rows of no order this is as much as one row of sums for each row.
        """
        own = [name for name in keys if name in self.schema]
        count = int(self.n * (sums + len(keys)) * 8 / MOST_BYTES) + 1
        if count == 1 or not own:
            yield self.frame
            return
        import narwhals.stable.v2 as nw
        import polars as pl

        rows = self.frame.to_native()
        distinct = rows.select(pl.col(own).approx_n_unique()).collect(engine="streaming").row(0)
        if np.prod(distinct, dtype=float) < FEW_GROUPS:
            yield self.frame
            return
        key = pl.col(own[int(np.argmax(distinct))]).hash() % count
        for part in range(count):
            yield nw.from_native(rows.filter(key == part))

    def joined(self, frame: Any, table: pd.DataFrame, keys: Sequence[str]) -> Any:
        """A frame of this engine with the columns of a small table, missing where it has no row.

        Polars keeps the order of the rows; others have none.
        """
        import narwhals.stable.v2 as nw

        other = self._of_same_engine(table)
        if self.engine == "polars":
            how = {"on": list(keys), "how": "left", "maintain_order": "left"}
            return nw.from_native(frame.to_native().join(other.to_native(), **how))
        with without_notice():
            return frame.join(other, on=list(keys), how="left")

    def _of_same_engine(self, table: pd.DataFrame) -> Any:
        """A small table as a lazy frame of the same engine and session."""
        import narwhals.stable.v2 as nw

        native, engine = self.frame.to_native(), self.engine
        if engine == "polars":
            import polars as pl

            made: Any = pl.from_pandas(table).lazy()
        elif engine == "duckdb":
            levels_beside = table  # noqa: F841
            # found by its name in the query, in the connection of the relation
            made = native.query("_rows", "SELECT levels_beside.* FROM levels_beside")
        elif engine == "dask":
            import dask.dataframe

            made = dask.dataframe.from_pandas(table, npartitions=1)
        elif engine == "ibis":
            import ibis

            made = ibis.memtable(table)
        elif engine == "pyspark":
            made = native.sparkSession.createDataFrame(table)
        else:
            raise DataError(f"tables cannot be handed to {engine}; collect the rows")
        with without_notice():
            return nw.from_native(made)

    @property
    def free(self) -> str:
        """What no name of a column begins with, whatever its case."""
        start = "_"
        while any(name.lower().startswith(start) for name in self.schema):
            start += "_"
        return start

    @property
    def engine(self) -> str:
        """Name of the library."""
        return str(self.frame.implementation.value)


def _moments_of_dask(data: Any) -> dict[str, Any]:
    """Types of times with zones, of which narwhals does not read those with an underscore."""
    import narwhals.stable.v2 as nw

    return {
        str(name): nw.Datetime(dtype.unit, str(dtype.tz))
        for name, dtype in data.dtypes.items()
        if isinstance(dtype, pd.DatetimeTZDtype)
    }


def _duckdb_parts(frame: Any, keys: Sequence[str], n: int, sums: int) -> Iterator[Any]:
    """DuckDB holds the sums of all groups in each thread, and is slow once they go to disk."""
    import duckdb
    import narwhals.stable.v2 as nw

    rows, width = frame.to_native(), DUCKDB_SUM * sums + DUCKDB_GROUP + 8 * len(keys)
    memory, threads = rows.query(
        "_rows", "SELECT current_setting('memory_limit'), current_setting('threads')"
    ).fetchall()[0]
    size, _, unit = memory.partition(" ")
    room = DUCKDB_SHARE * float(size) * UNITS.get(unit, 1.0)
    each = width * (threads + 2.0)  # two more: where they are joined, and what is handed over
    count = 1
    hashed = duckdb.FunctionExpression("hash", *map(duckdb.ColumnExpression, keys))
    if n * each > room:
        groups = rows.select(duckdb.FunctionExpression("approx_count_distinct", hashed)).fetchall()
        count = int(groups[0][0] * each / room) + 1
    if count == 1:
        yield frame
        return
    places = hashed % duckdb.ConstantExpression(count)
    for part in range(count):
        with without_notice():
            yield nw.from_native(rows.filter(places == duckdb.ConstantExpression(part)))


def _named(expressions: Mapping[str, Any]) -> list[Any]:
    return [expression.alias(name) for name, expression in expressions.items()]


def _aggregate(column: Any, what: Any) -> Any:
    if isinstance(what, tuple):
        return column.quantile(what[1], interpolation="linear")
    return getattr(column, "sum" if what == "count" else what)()


def _pairs(asked: Mapping[str, Sequence[Any]]) -> list[tuple[str, Any]]:
    return [(column, what) for column, ways in asked.items() for what in ways]


def _collected(frame: Any) -> Any:
    """The rows of a small result, computed now."""
    try:
        if not hasattr(frame, "collect"):
            return frame
        if frame.implementation.is_polars():
            import narwhals.stable.v2 as nw

            native = nw.from_native(frame.to_native().collect(engine="streaming"))
        else:
            with without_notice():
                native = frame.collect()
    except InterlaceError:
        raise
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"results of {frame.implementation.value} are handed over by a package that is not "
            f"installed: {error.name}; pip install {error.name}"
        ) from None
    except Exception as error:
        raise DataError(
            f"{frame.implementation.value} could not compute the sums of this model: "
            f"{first_line(error)}"
        ) from error
    return native
