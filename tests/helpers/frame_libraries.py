"""One table in every data-frame library, and in every dtype a library has for it."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa


def _objects(frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.copy()
    for name in frame.columns:
        if not isinstance(frame[name].dtype, pd.CategoricalDtype) and frame[name].dtype.kind == "O":
            out[name] = frame[name].astype(object)
    return out


def _arrow_strings(frame: pd.DataFrame) -> pd.DataFrame:
    texts = [name for name in frame.columns if isinstance(frame[name].dtype, pd.StringDtype)]
    return frame.astype(dict.fromkeys(texts, "string[pyarrow]"))


def _polars(frame: pd.DataFrame) -> pl.DataFrame:
    """Categoricals with levels in an order of their own are enums in Polars."""
    enums = {
        name: pl.Enum([str(level) for level in frame[name].cat.categories])
        for name in frame.columns
        if isinstance(frame[name].dtype, pd.CategoricalDtype)
    }
    return pl.from_pandas(frame.reset_index(drop=True)).cast(enums)


def _dict(frame: pd.DataFrame) -> dict:
    return {name: frame[name].array for name in frame.columns}


ALL_LIBRARIES = {
    "pandas": pd.DataFrame.copy,
    "objects": _objects,
    "nullable": lambda frame: frame.convert_dtypes(),
    "arrow dtypes": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "arrow strings": _arrow_strings,
    "polars": _polars,
    "polars lazy": lambda frame: _polars(frame).lazy(),
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "dict": _dict,
}
