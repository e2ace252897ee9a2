"""Example data sets: read with the column types and factor levels that they have in R."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from .calls import checked
from .errors import ArgumentError, ArgumentTypeError, brief, suggestion

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["list_datasets", "load_dataset"]

METADATA = "metadata.json"

#: pandas types in which the kinds of column are read; factors become categoricals.
#: Numbers are read as text first: not every pandas version parses to the nearest double.
READ_TYPES = {"numeric": "object", "integer": "Int64", "logical": "boolean"}
#: What they become afterwards: without missing values, and with them.
PLAIN_TYPES = {
    "object": ("float64", "float64"),
    "Int64": ("int64", "float64"),
    "boolean": ("bool", "object"),
}


@cache
def _folder() -> Traversable:
    """The folder of the CSV files: inside an installed package, beside it in a source checkout."""
    installed = files("interlace").joinpath("_data")
    if installed.joinpath(METADATA).is_file():
        return installed
    return Path(__file__).resolve().parent.parent / "data"


@cache
def _metadata() -> dict[str, dict[str, Any]]:
    return json.loads(_folder().joinpath(METADATA).read_text(encoding="utf-8"))


def categories(entry: Mapping[str, Any]) -> pd.CategoricalDtype:
    """Make the categorical type of a factor described by an entry of the metadata.

    Parameters
    ----------
    entry : mapping
        With ``levels``, the labels in order or a count k that stands for "1", "2", …, "k", and
        ``ordered``.
    """
    levels = entry["levels"]
    if isinstance(levels, int):
        levels = [str(label) for label in range(1, levels + 1)]
    return pd.CategoricalDtype(levels, ordered=entry["ordered"])


def read_frame(content: bytes, columns: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Make a data frame from the bytes of a CSV file and the metadata of its columns.

    Parameters
    ----------
    content : bytes
        UTF-8 text, gzipped or not; an empty field is a missing value.
    columns : mapping
        For each column its ``kind``: "numeric", "integer", "logical", "string", or "factor" with
        ``levels`` and ``ordered``. Integers and logicals that have missing values become floats
        and objects, as pandas does when it reads them.
    """
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    types: dict[str, Any] = {}
    for name, entry in columns.items():
        kind = entry["kind"]
        types[name] = categories(entry) if kind == "factor" else READ_TYPES.get(kind, "str")
    frame = pd.read_csv(
        io.BytesIO(content),
        dtype=types,
        keep_default_na=False,
        na_values=[""],
    )
    for name, kind in types.items():
        if isinstance(kind, str) and kind in PLAIN_TYPES:
            complete, incomplete = PLAIN_TYPES[kind]
            frame[name] = frame[name].astype(incomplete if frame[name].hasnans else complete)
    return frame


class Datasets(dict[str, str]):
    """Names of data sets with what they are; prints a line for each.

    Examples
    --------
    >>> from interlace.datasets import Datasets
    >>> Datasets({"a": "one", "longer": "two"})
    a       one
    longer  two
    """

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:<{width}}  {source}" for name, source in self.items())

    def _repr_html_(self) -> str:
        rows = (f"<tr><td>{escape(k)}</td><td>{escape(v)}</td></tr>" for k, v in self.items())
        return f"<table>{''.join(rows)}</table>"


@checked
def list_datasets() -> Datasets:
    """List the data sets that :func:`load_dataset` knows.

    Returns
    -------
    Datasets
        A dict, printed a line each: name to what the data are and where they come from.

    Examples
    --------
    >>> import interlace as il
    >>> "sleepstudy" in il.list_datasets()
    True
    >>> il.list_datasets()["Dyestuff"].split(":")[1].split(".")[0]
    ' Yield of dyestuff by batch'
    """
    return Datasets({name: entry["source"] for name, entry in sorted(_metadata().items())})


@checked
def load_dataset(name: str) -> pd.DataFrame:
    """Load one of the data sets that the literature on mixed models uses.

    Rows, columns and values are those of the R package that holds the data set. A factor becomes
    a categorical whose categories are R's labels, always strings, in R's order; an ordered factor
    becomes an ordered categorical, whose contrasts are polynomial.

    Parameters
    ----------
    name : str
        A name from :func:`list_datasets`, as in R: "sleepstudy", "Penicillin", "InstEval", …

    Returns
    -------
    pandas.DataFrame
        Read anew at each call, so the caller may change it.

    Raises
    ------
    ArgumentError
        If there is no data set of that name.
    ArgumentTypeError
        If `name` is not a string.

    Examples
    --------
    >>> import interlace as il
    >>> sleepstudy = il.load_dataset("sleepstudy")
    >>> sleepstudy.shape
    (180, 3)
    >>> list(sleepstudy["Subject"].cat.categories[:3])
    ['308', '309', '310']
    """
    if not isinstance(name, str):
        raise ArgumentTypeError(
            f"name must be a string such as 'sleepstudy', got {brief(name)} "
            f"of type {type(name).__name__}."
        )
    known = _metadata()
    if name not in known:
        raise ArgumentError(
            f"name: there is no data set {brief(name)}.{suggestion(name, known)} "
            f"Available: {', '.join(sorted(known, key=str.lower))}."
        )
    entry = known[name]
    return read_frame(_folder().joinpath(entry["file"]).read_bytes(), entry["columns"])
