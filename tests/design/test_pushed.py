"""Expressions that engines compute: the numbers of memory."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest
from helpers.lazy_engines import ENGINES

from interlace.design.pushed import pushed


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("by", ["0.3", "(-0.3)", "49", "z"])
def test_whole_parts_and_remainders_are_those_of_memory(engine: str, by: str) -> None:
    # multiples of what is divided by, and decimal fractions near to them
    x = np.concatenate([np.arange(-300, 300) / 10.0, 0.3 * np.arange(300), 49.0 * np.arange(300)])
    data = pd.DataFrame(
        {"row": np.arange(x.size), "x": x, "z": np.resize([0.1, -0.7, 3.0], x.size)}
    )
    rows = nw.from_native(ENGINES[engine](data))
    asked = {
        f"{i}": pushed(f"x {op} {by}", rows.collect_schema()) for i, op in enumerate(("//", "%"))
    }
    made = rows.select("row", *(own.value.alias(name) for name, own in asked.items())).collect()
    made = made.sort("row")
    divisor = data["z"] if by == "z" else float(by.strip("()"))
    np.testing.assert_array_equal(made["0"].to_numpy(), np.floor_divide(x, divisor))
    # 0 < remainder < divisor: NumPy's last addition, or the engine's, rounds it once
    near = np.finfo(float).eps * np.abs(divisor).max()
    np.testing.assert_allclose(made["1"].to_numpy(), np.remainder(x, divisor), rtol=0, atol=near)
