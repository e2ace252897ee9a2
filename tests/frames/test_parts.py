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
