"""Lazy frames of several parts: columns go by their names, whatever the engine does."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest
from helpers.lazy_engines import ENGINES

from interlace.errors import DataError
from interlace.frames.parts import scanned
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
