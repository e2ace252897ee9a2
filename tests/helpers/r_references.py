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

R_PARITY = Path(__file__).resolve().parents[2] / "r_parity"
LMM = R_PARITY / "references" / "lmm"
GLMM = R_PARITY / "references" / "glmm"


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
        return _new_frame(self["data"], self["prediction"]["columns"])

    def r_name(self, name: str) -> str:
        """R's name of a coefficient or random effect that this package names in its own way."""
        return ":".join(_r_factor(part, self["data"]) for part in _split(name))

    def r_term(self, name: str) -> str:
        """R's name of a term of the fixed part."""
        return ":".join(_r_expression(part, self["data"]) for part in _split(name))


def _new_frame(data: str, columns: dict[str, Any]) -> pd.DataFrame:
    kinds = columns_of(data)
    new = {}
    for name, column in columns.items():
        values = column["values"]
        if kinds[name]["kind"] == "factor":
            seen = datasets.categories(kinds[name])
            extra = [v for v in dict.fromkeys(values) if v not in set(seen.categories)]
            values = pd.Categorical(values, [*seen.categories, *extra], seen.ordered)
        new[name] = values
    return pd.DataFrame(new)


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
    if kind == "logical" or re.match(r"I\(.*[<>]", expression):
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


# -- generalised models ----------------------------------------------------------------------------

FAMILIES = {
    "binomial": "Binomial",
    "poisson": "Poisson",
    "negativebinomial": "NegativeBinomial",
    "gamma": "Gamma",
    "inverse_gaussian": "InverseGaussian",
    "gaussian": "Gaussian",
}


@dataclass(frozen=True)
class GLMMReference(Reference):
    """One approximation to one generalised model: ``reference["beta"]`` is that of the fit.

    Entries of the model itself (``data``, ``family``, …) are found as well.
    """

    key: str

    def __getitem__(self, key: str) -> Any:
        fit = self.record["fits"][self.key]
        return fit[key] if key in fit else self.record[key]

    def get(self, key: str) -> Any:
        return self.record["fits"][self.key].get(key, self.record.get(key))

    @property
    def family(self) -> Any:
        """The family as a user makes it."""
        entry = self["family"]
        known = {} if entry.get("theta") is None else {"theta": entry["theta"]}
        return getattr(interlace, FAMILIES[entry["name"]])(link=entry["link"], **known)

    @property
    def canonical(self) -> bool:
        """Whether expected and observed information are the same."""
        return "laplace" in self.record["fits"]

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of the fit besides formula, data and family."""
        given = {key: self.get(key) for key in ("weights", "offset", "contrasts")}
        given["nAGQ"] = self["nAGQ"]
        if self.key in ("expected", "observed"):
            given["laplace"] = self.key
        elif self["system"] == "lme4":  # spreads its nodes by the expected information
            given["laplace"] = "expected"
        return {key: value for key, value in given.items() if value is not None}


@cache
def glmm_reference(id: str, key: str) -> GLMMReference:
    """An approximation ("laplace", "expected", "observed", "agq", "pirls0") to a model."""
    record = json.loads((GLMM / f"{id}.json").read_text(encoding="utf-8"))
    return GLMMReference(id, record, key)


def glmm_ids() -> list[tuple[str, str]]:
    """Model and approximation of all references of generalised models."""
    return [
        (path.stem, key)
        for path in sorted(GLMM.glob("*.json"))
        for key in json.loads(path.read_text(encoding="utf-8"))["fits"]
    ]


@cache
def glmm_fitted(id: str, key: str, nAGQ: int | None = None) -> Fitted:
    """The fit of a reference's model by this package, once a session; not to be changed.

    ``nAGQ`` in place of the reference's: quadrature where the reference is Laplace's.
    """
    r = glmm_reference(id, key)
    arguments = r.arguments if nAGQ is None else r.arguments | {"nAGQ": nAGQ}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = interlace.glmer(r.formula, r.frame, r.family, **arguments)
    return Fitted(model, tuple(caught))
