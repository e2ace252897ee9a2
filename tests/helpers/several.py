"""The references of models with several linear predictors (r_parity/several.R)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from helpers.r_references import R_PARITY, Reference, array

SEVERAL = R_PARITY / "references" / "several"

COMPONENTS = ("cond", "zi", "disp")
PREDICTORS = {"cond": "mean", "zi": "zi", "disp": "dispersion", "zoi": "zoi", "coi": "coi"}

# Coefficients of these components in glmmTMB's order of parameters.
COEFFICIENTS = {"cond": "beta", "zi": "betazi", "disp": "betad"}


@dataclass(frozen=True)
class SeveralReference(Reference):
    """One model: ``reference["log_likelihood"]`` and so on are the entries of the JSON file."""

    @property
    def formulas(self) -> dict[str, str]:
        """Formulas by the component they model; those that R was not given are absent."""
        others = {key: self.get(key) for key in ("zi", "disp", "zoi", "coi")}
        return {"cond": self.formula} | {key: text for key, text in others.items() if text}

    @property
    def components(self) -> list[str]:
        """Components that have coefficients, in the order of the likelihood."""
        return [key for key in COMPONENTS if key in self["components"]]

    def coefficients(self, component: str) -> np.ndarray:
        """Coefficients (p,) of a component."""
        return array(self["components"][component]["values"])

    def standard_errors(self, component: str) -> np.ndarray:
        """Standard errors (p,) of a component's coefficients."""
        return array(self["components"][component]["se"])

    def vcov(self, component: str) -> np.ndarray:
        """Covariance matrix (p, p) of a component's coefficients."""
        entry = self["components"][component]
        if "vcov" in entry:  # restricted likelihood: the coefficients are integrated out
            return array(entry["vcov"])
        at = [i for i, name in enumerate(self["parameters"]) if name == COEFFICIENTS[component]]
        return array(self["vcov"])[np.ix_(at, at)]

    @property
    def predictors(self) -> dict[str, dict[str, Any]]:
        """Linear predictor -> its coefficients: ``names``, ``values`` and standard errors, ``se``.

        A model whose likelihood is a product, one factor for each of ``parts``, was fitted part by
        part.
        """
        if "parts" not in self.record:
            return {PREDICTORS[key]: entry for key, entry in self["components"].items()}
        return {
            PREDICTORS.get(part, PREDICTORS[key]): entry
            for part, record in self["parts"].items()
            for key, entry in record["components"].items()
        }

    @property
    def random_terms(self) -> list[tuple[str, dict[str, Any]]]:
        """Random terms with the linear predictor of each, in the order of the likelihood."""
        if "parts" not in self.record:
            return [(PREDICTORS[c], term) for c in COMPONENTS for term in self.terms(c)]
        return [
            (PREDICTORS.get(part, "mean"), term)
            for part in ("rest", "zoi", "coi")
            for term in self["parts"][part]["terms"]
        ]

    def terms(self, component: str) -> list[dict[str, Any]]:
        """Random terms of a component, in the order of its formula."""
        return [term for term in self["terms"] if term["component"] == component]

    @property
    def psi(self) -> np.ndarray:
        """Further parameters of the family, as glmmTMB estimates them."""
        entry = self.get("family_parameters")
        return array(self["family"].get("fixed_psi", [])) if entry is None else array(entry["psi"])


def several_ids(edge: bool = False) -> list[str]:
    """The ids of all references; with ``edge`` those without an ordinary optimum alone."""
    paths = sorted(SEVERAL.glob("*.json"))
    return [path.stem for path in paths if edge == ("edge" in _record(path.stem))]


@cache
def _record(id: str) -> dict[str, Any]:
    return json.loads((SEVERAL / f"{id}.json").read_text(encoding="utf-8"))


def several_reference(id: str) -> SeveralReference:
    """A reference by its id, the name of its file."""
    return SeveralReference(id, _record(id))
