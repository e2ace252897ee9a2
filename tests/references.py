"""The references made by R (r_parity/): loaded, paired with their data, fitted once a session."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import interlace
from interlace import datasets

R_PARITY = Path(__file__).resolve().parents[1] / "r_parity"
LMM = R_PARITY / "references" / "lmm"


@cache
def _simulated() -> dict[str, dict[str, Any]]:
    return json.loads((R_PARITY / "data" / "metadata.json").read_text(encoding="utf-8"))


def columns_of(name: str) -> dict[str, dict[str, Any]]:
    """Kind, and levels, of each column of a data set."""
    if name.startswith("sim:"):
        return _simulated()[name.removeprefix("sim:")]["columns"]
    return datasets._metadata()[name]["columns"]


@cache
def frame_of(name: str) -> pd.DataFrame:
    """A data set of the package, or after ``"sim:"`` one made for the references; do not change."""
    if not name.startswith("sim:"):
        return interlace.load_dataset(name)
    entry = _simulated()[name.removeprefix("sim:")]
    return datasets.read_frame((R_PARITY / "data" / entry["file"]).read_bytes(), entry["columns"])


def array(values: Any) -> np.ndarray:
    """Numbers of a reference; R's NA is NaN here."""
    return np.array(values, dtype=float)


@dataclass(frozen=True)
class Reference:
    """One model as R fits it: ``reference["sigma"]`` and so on are the entries of the JSON file."""

    id: str
    record: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.record[key]

    def get(self, key: str) -> Any:
        return self.record.get(key)

    @property
    def formula(self) -> str:
        """The formula for this package."""
        return self.get("python_formula") or self["formula"]

    @property
    def frame(self) -> pd.DataFrame:
        """The data of the fit; shared, not to be changed."""
        return frame_of(self["data"])

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of the fit besides formula and data."""
        given = {key: self.get(key) for key in ("method", "weights", "offset", "contrasts")}
        return {key: value for key, value in given.items() if value is not None}

    @cached_property
    def newdata(self) -> pd.DataFrame:
        """The rows on which R predicts, the last one with groups that the fit has not seen."""
        kinds = columns_of(self["data"])
        new = {}
        for name, column in self["prediction"]["columns"].items():
            values = column["values"]
            if kinds[name]["kind"] == "factor":
                seen = datasets.categories(kinds[name])
                extra = [v for v in dict.fromkeys(values) if v not in set(seen.categories)]
                values = pd.Categorical(values, [*seen.categories, *extra], seen.ordered)
            new[name] = values
        return pd.DataFrame(new)

    def r_name(self, name: str) -> str:
        """R's name of a coefficient or random effect that this package names in its own way."""
        return ":".join(_r_factor(part, self["data"]) for part in _split(name))

    def r_term(self, name: str) -> str:
        """R's name of a term of the fixed part."""
        return ":".join(_r_expression(part, self["data"]) for part in _split(name))


# One factor of a product: an expression, and in brackets a level or the number of a basis column.
_PART = re.compile(r"^(?P<expression>.*?)(?:\[(?:(?P<coding>[TSH])\.)?(?P<label>[^\[\]]*)\])?$")


def _split(name: str) -> list[str]:
    """Split at the colons that are outside brackets and parentheses."""
    parts, depth = [""], 0
    for character in name:
        depth += (character in "[(") - (character in "])")
        if character == ":" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _r_factor(part: str, data: str) -> str:
    if part == "Intercept":
        return "(Intercept)"
    match = _PART.match(part)
    assert match is not None
    expression, coding, label = match["expression"], match["coding"], match["label"] or ""
    kind = columns_of(data).get(expression, {}).get("kind")
    if coding in ("S", "H"):  # R numbers the columns of sum and Helmert contrasts
        levels = list(frame_of(data)[expression].cat.categories)
        label = str(levels.index(label) + (coding == "S"))
    if kind == "logical":
        label = "TRUE"
    return _r_expression(expression, data) + label


def _r_expression(expression: str, data: str) -> str:
    """An expression as R writes it: names quoted where they must be, its spaces, its power."""
    if expression in columns_of(data) and not re.fullmatch(r"[A-Za-z.][\w.]*", expression):
        return f"`{expression}`"
    return re.sub(r" \*\* ", "^", re.sub(r"\b(\w+)=", r"\1 = ", expression))


def r_level(label: Any) -> str:
    """A level of a grouping factor as R prints it."""
    text = f"{label:.15g}" if isinstance(label, float | np.floating) else str(label)
    return re.sub(r"(?<![^:])(?:True|False)(?![^:])", lambda m: m[0].upper(), text)


@cache
def reference(id: str) -> Reference:
    """A reference by its id, the name of its file."""
    return Reference(id, json.loads((LMM / f"{id}.json").read_text(encoding="utf-8")))


def reference_ids() -> list[str]:
    """The ids of all references of linear mixed models."""
    return sorted(path.stem for path in LMM.glob("*.json"))


@dataclass(frozen=True)
class Fitted:
    """A fit of this package and the warnings it gave."""

    model: Any
    warnings: tuple[warnings.WarningMessage, ...]


@cache
def fitted(id: str) -> Fitted:
    """The fit of a reference's model by this package, once a session; not to be changed."""
    r = reference(id)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = interlace.fit(r.formula, r.frame, **r.arguments)
    return Fitted(model, tuple(caught))
