"""Lazy frames of several parts: columns go by their names, whatever the engine does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from time import sleep
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest
from helpers.lazy_engines import ENGINES

from interlace.errors import DataError
from interlace.frames.parts import PartOfRows, part_of, scanned
from interlace.frames.read import without_notice

ROWS = pd.DataFrame({"x": [0.5, 1.5], "z": [1.0, 2.0], "s": ["a", "b"]})


@pytest.mark.parametrize("engine", ["polars", "duckdb", "dask"])
def test_parts_are_put_together_by_the_names_of_their_columns(engine: str) -> None:
    make = ENGINES[engine]
    if engine == "duckdb":  # relations of one connection
        make = pytest.importorskip("duckdb").from_df
    other = ROWS[["s", "z", "x"]].assign(z=[3, 4], more=[True, False])
    with without_notice():
        whole = nw.from_native(scanned([make(ROWS), make(other)])).collect().to_pandas()
    assert list(whole) == ["x", "z", "s"]
    assert sorted(whole["x"]) == [0.5, 0.5, 1.5, 1.5]
    assert sorted(whole["z"]) == [1.0, 2.0, 3.0, 4.0]
    with pytest.raises(DataError, match=r"data\[1\] lacks the column\(s\) z of data\[0\]"):
        scanned([make(ROWS), make(ROWS.drop(columns="z"))])


@pytest.mark.parametrize("engine", ["polars", "duckdb", "dask"])
def test_columns_of_parts_that_differ_are_refused_where_they_are_named(engine: str) -> None:
    make = ENGINES[engine]
    if engine == "duckdb":
        make = pytest.importorskip("duckdb").from_df
    texts = ["y ~ s", "np.z(s)"]
    others = {
        "x": ROWS.assign(x=["a", "b"]),  # fractions and text: DuckDB made text of both
        "z": ROWS.assign(z=pd.Timestamp("2020-01-01")),
        "more": ROWS.assign(more=1).drop(columns="z"),
        "x.z": ROWS.rename(columns={"x": "x.z"}),
    }
    for name, other in others.items():
        for parts in ([make(ROWS), make(other)], [make(other), make(ROWS)]):
            with without_notice():
                whole = nw.from_native(scanned(parts, texts)).collect().to_pandas()
            assert name not in whole.columns
            assert sorted(whole["s"]) == ["a", "a", "b", "b"]
            with pytest.raises(DataError, match=r"and no type holds both; cast|lacks the column"):
                scanned(parts, [f"y ~ s + {name}"])


@pytest.mark.parametrize("engine", ["polars", "duckdb", "dask"])
def test_whole_numbers_and_categories_beside_text_are_text(engine: str) -> None:
    make = ENGINES[engine]
    if engine == "duckdb":
        make = pytest.importorskip("duckdb").from_df
    for values in ([1, 2], pd.Categorical(["1", "2"])):
        parts = [make(ROWS.assign(s=["1", "3"])), make(ROWS.assign(s=values))]
        for turn in (parts, parts[::-1]):
            with without_notice():
                whole = nw.from_native(scanned(turn, ["y ~ s"])).collect().to_pandas()
            assert sorted(whole["s"]) == ["1", "1", "2", "3"]


def test_types_of_all_parts_go_together_not_those_of_the_first_with_each() -> None:
    make = ENGINES["dask"]
    parts = [make(ROWS.assign(z=z)) for z in ([1, 2], [0.5, 1.5], ["a", "b"])]
    with pytest.raises(DataError, match=r"Float64 in data\[1\] and of String in data\[2\]"):
        scanned(parts, ["y ~ z"])
    assert list(scanned(parts, ["y ~ s"]).columns) == ["x", "s"]


def test_types_that_do_not_go_together_are_refused() -> None:
    make = ENGINES["polars"]
    with pytest.raises(DataError, match="'z' is of type .* and no type holds both"):
        scanned([make(ROWS), make(ROWS.assign(z=[np.array([1.0]), np.array([2.0])]))])


class Plan:
    """A frame of Dask of which it is known whether others are planned while it is."""

    def __init__(self, at_work: Barrier) -> None:
        self.planning, self.together, self.at_work = Lock(), [], at_work

    def compute(self, scheduler: Any) -> Any:
        self.together.append(not self.planning.acquire(blocking=False))
        sleep(0.02)
        self.planning.release()
        (out,) = scheduler({"rows": (self.at_work.wait, 10.0)}, ["rows"])
        return out


def test_plans_of_dask_are_made_one_at_a_time_and_computed_at_once() -> None:
    # plans that share columns waited for each other for ever, in Python 3.11
    pytest.importorskip("dask")
    plan = Plan(Barrier(3))
    part = PartOfRows(plan, "dask", True)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: part.collect(), range(3)))
    assert sorted(found) == [0, 1, 2]  # they passed the barrier together
    assert plan.together == [False] * 3


def test_parts_of_dask_that_share_columns_are_collected_by_threads() -> None:
    make = ENGINES["dask"]
    with without_notice():
        whole = nw.from_native(scanned([make(ROWS), make(ROWS.assign(z=4.0))]))
        limits = [0.1, 0.2, 1.0]
        parts = [part_of(whole.filter(nw.col("x") > a).select("z", "x"), "dask") for a in limits]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda part: sorted(part.collect()["z"]), parts))
    assert found == [[1.0, 2.0, 4.0, 4.0]] * 2 + [[2.0, 4.0]]
