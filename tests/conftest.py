"""Shared fixtures: data sets and fits are made once a session, frames in every library we test."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse to run what was not asked for: the wrong copy, or a suite without CHOLMOD."""
    if os.environ.get("INTERLACE_REQUIRE_CHOLMOD") == "1":
        try:
            importlib.import_module("sksparse.cholmod")
        except ImportError as error:
            raise pytest.UsageError(f"INTERLACE_REQUIRE_CHOLMOD=1, but {error}") from error
    if os.environ.get("INTERLACE_TEST_INSTALLED") == "1":
        import interlace

        checkout = Path(__file__).resolve().parents[1]
        if Path(interlace.__file__).resolve().is_relative_to(checkout / "interlace"):
            raise pytest.UsageError("INTERLACE_TEST_INSTALLED=1, but the source tree was imported")


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    """matplotlib warns of many open figures: those of a test end with it."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(scope="session")
def dataset() -> Callable[[str], pd.DataFrame]:
    """``dataset(name)``: a copy of a data set, read once a session."""
    import interlace

    load = cache(interlace.load_dataset)
    return lambda name: load(name).copy()


@pytest.fixture(scope="session")
def fit_cache() -> Callable[..., Any]:
    """``fit_cache(name, formula, **arguments)``: the fit to a data set, made once a session.

    Tests share the result: they must not change it.
    """
    import interlace

    @cache
    def fit(name: str, formula: str, **arguments: Any) -> Any:
        return interlace.fit(formula, interlace.load_dataset(name), **arguments)

    return fit


def _polars(frame: pd.DataFrame) -> Any:
    return pytest.importorskip("polars").from_pandas(frame)


def _pyarrow(frame: pd.DataFrame) -> Any:
    return pytest.importorskip("pyarrow").Table.from_pandas(frame, preserve_index=False)


@pytest.fixture(params=[pd.DataFrame.copy, _polars, _pyarrow], ids=["pandas", "polars", "pyarrow"])
def frame_library(request: pytest.FixtureRequest) -> Callable[[pd.DataFrame], Any]:
    """A converter from pandas to one of the data-frame libraries: a test runs once for each."""
    return request.param
