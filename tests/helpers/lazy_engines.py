"""The same table in each engine whose frames are lazy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest


def _polars(data: pd.DataFrame) -> Any:
    return pytest.importorskip("polars").from_pandas(data).lazy()


def _duckdb(data: pd.DataFrame) -> Any:
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    connection.register("rows_in_memory", data)
    connection.execute("create table data as select * from rows_in_memory")
    return connection.table("data")


def _dask(data: pd.DataFrame) -> Any:
    frames = pytest.importorskip("dask.dataframe")
    whole = frames.from_pandas(data, npartitions=3)
    empty = frames.from_pandas(data[:0], npartitions=1)  # a partition without rows
    return frames.concat([whole, empty])


def _ibis(data: pd.DataFrame) -> Any:
    ibis = pytest.importorskip("ibis")
    connection = ibis.duckdb.connect()
    # its own create_table() is at odds with some releases of DuckDB
    connection.con.register("rows_in_memory", data)
    connection.con.execute("create table data as select * from rows_in_memory")
    return connection.table("data")


def _spark(data: pd.DataFrame) -> Any:
    sql = pytest.importorskip("pyspark.sql")
    options = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2"}
    builder = sql.SparkSession.builder.master("local[2]")
    for name, value in options.items():
        builder = builder.config(name, value)
    # missing texts are None: of NaN Spark makes the text
    texts = data.select_dtypes(exclude=["number", "bool"])
    texts = texts.astype(object).where(texts.notna(), None)
    return builder.getOrCreate().createDataFrame(data.assign(**dict(texts.items())))


ENGINES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "polars": _polars,
    "duckdb": _duckdb,
    "dask": _dask,
    "ibis": _ibis,
    "spark": _spark,
}
