"""Functions whose models need their rows: they read what they need, if it fits into memory."""

from __future__ import annotations

import pandas as pd
import pytest

import interlace as il
from interlace.linalg import memory

pl = pytest.importorskip("polars")


@pytest.fixture(scope="module")
def wine() -> pd.DataFrame:
    data = il.load_dataset("wine")
    return data.assign(rating=data.rating.astype(int), contact=data.contact.astype(str))


def test_models_that_need_rows_read_files_and_lazy_frames(wine, tmp_path) -> None:
    formula = "rating ~ contact + (1 | judge)"
    calls = (
        lambda data: il.clmm(formula, data),
        lambda data: il.clmm(formula, data, partitions=2),
        lambda data: il.clm("rating ~ contact", data),
        lambda data: il.glm("rating ~ contact", data, "poisson"),
        lambda data: il.gls("rating ~ contact", data),
    )
    pl.from_pandas(wine[:30]).write_parquet(tmp_path / "0.parquet")
    pl.from_pandas(wine[30:]).write_parquet(tmp_path / "1.parquet")
    lazy = pl.scan_parquet(tmp_path)
    for call in calls:
        alone = call(wine)
        for data in (tmp_path, lazy, [lazy.head(30), lazy.slice(30)]):
            m = call(data)
            assert m.llf == pytest.approx(alone.llf, rel=1e-10)
            assert len(m.augment()) == len(wine)
    m = il.clmm(formula, tmp_path)
    assert m.update(". ~ . - contact").llf < m.llf


def test_rows_that_memory_does_not_hold_are_refused_before_they_are_read(wine, monkeypatch) -> None:
    lazy = pl.from_pandas(wine).lazy()
    needed = 16 * 3 * len(wine)
    monkeypatch.setattr(memory, "available_memory", lambda: needed - 1.0)
    read = pl.LazyFrame.collect
    heights = []

    def collect(self, *args, **named):
        heights.append((out := read(self, *args, **named)).height)
        return out

    monkeypatch.setattr(pl.LazyFrame, "collect", collect)
    with pytest.raises(il.TooLargeError, match="reading 3 columns of data .*workers of executor="):
        il.clmm("rating ~ contact + (1 | judge)", lazy)
    assert set(heights) == {1}
    monkeypatch.setattr(memory, "available_memory", lambda: float(needed))
    assert il.clmm("rating ~ contact + (1 | judge)", lazy).nobs == len(wine)


def test_sums_of_generalised_models_are_answered(wine) -> None:
    with pytest.raises(TypeError, match=r"no argument compress=; sums over the rows .*partitions="):
        il.glmer("rating ~ contact + (1 | judge)", wine, "poisson", compress=True)
    with pytest.raises(TypeError, match=r"no argument compress=; sums over the rows .*partitions="):
        il.clmm("rating ~ contact + (1 | judge)", wine, compress=True)
