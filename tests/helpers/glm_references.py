"""The references of generalised linear models (r_parity/glm.R), paired with their data."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from helpers.r_references import R_PARITY, array, frame_of
from interlace import families
from interlace.api.glm import glm
from interlace.results.glm import GLMResult

GLM = R_PARITY / "references" / "glm"


@cache
def reference(id: str) -> dict[str, Any]:
    """A reference by its id, the name of its file."""
    return json.loads((GLM / f"{id}.json").read_text(encoding="utf-8"))


def reference_ids() -> list[str]:
    """The ids of all references."""
    return sorted(path.stem for path in GLM.glob("*.json"))


def data_of(record: dict[str, Any]) -> pd.DataFrame:
    """The data of a reference; not to be changed."""
    if "data" in record:
        return frame_of(record["data"])
    return pd.DataFrame({name: column["values"] for name, column in record["columns"].items()})


def family_of(record: dict[str, Any]) -> families.Family:
    """The family of a reference; a number as link is the exponent of a power link."""
    link = record["link"] if isinstance(record["link"], str) else families.Power(record["link"])
    if "fixed_theta" in record:
        return families.NegativeBinomial(theta=record["fixed_theta"], link=link)
    return families.resolve(record["family"], link)


def fit_of(record: dict[str, Any], data: Any = None, formula: str | None = None) -> GLMResult:
    """A fit of a reference's model by this package."""
    text = formula or record.get("python_formula") or record["formula"]
    arguments = {key: record[key] for key in ("weights", "offset") if key in record}
    return glm(text, data_of(record) if data is None else data, family_of(record), **arguments)


@cache
def fitted(id: str) -> GLMResult:
    """The fit of a reference, once a session; not to be changed."""
    return fit_of(reference(id))


def by_row(values: Any, record: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Values by row beside those of a reference, its sums last."""
    values, kept = np.asarray(values, dtype=float), len(record["values"])
    ours = np.r_[values[:kept], values.sum(), values @ values]
    return ours, array([*record["values"], record["sum"], record["sum_of_squares"]])
