"""Models of planned studies: a formula, the rows and assumed parameters, without responses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, ArgumentTypeError, brief, listing
from ..families.names import resolve
from ..formula.formula import Formula
from ..formula.parser import parse
from ..frames.read import whole_frame
from ..inference.resampling.truth import lacking
from ..inference.update import quiet
from ..results.base import ModelResult

__all__ = ["model_of"]

#: Arguments of the functions that fit, which `model_of` hands on.
OTHERS = ("weights", "offset", "ziformula", "dispformula")
#: The left side that a formula without one is given.
RESPONSE = "response"


def model_of(
    function: str, model: Any, data: Any, family: Any, params: Any, others: Sequence[Any]
) -> ModelResult:
    """A result as it is, or the model of a formula with all its parameters assumed.

    Draws of it are from ``params`` alone: the responses that it was fitted to stand in for those
    that there are not yet. ``others`` are the values of the arguments `OTHERS`.
    """
    pairs = zip(OTHERS, others, strict=True)
    arguments = {name: value for name, value in pairs if value is not None}
    if isinstance(model, ModelResult):
        named = {"data": data, "family": family, **arguments}
        if given := [f"{name}=" for name, value in named.items() if value is not None]:
            raise ArgumentError(
                f"{function} takes {listing(given)} with a formula in place of a fitted model, "
                "which has its own"
            )
        return model
    if not isinstance(model, str):
        raise ArgumentTypeError(
            f"{function} takes a fitted model or a formula, such as '~ x + (1 | g)', as its first "
            f"argument; got {brief(model)}"
        )
    if params is None or data is None:
        raise ArgumentError(
            f"{function} of a formula needs data=, the rows of the planned study, and params=, "
            "all parameters: {'beta': …, 'theta': …, 'sigma': …}, or by name"
        )
    frame = whole_frame(data)
    if frame is None:
        raise ArgumentTypeError(f"data must be a data frame, got {brief(data)}")
    result = _fitted(model, frame, family, arguments)
    missing = lacking(result.fit, params)
    if missing:
        raise ArgumentError(
            f"params lacks {listing(map(repr, missing))}: without a fit there are no estimates to "
            "take them from"
        )
    return result


def _fitted(text: str, frame: pd.DataFrame, family: Any, others: dict[str, Any]) -> ModelResult:
    """The model of the formula, fitted to a response that stands in for those to be drawn."""
    from .generalised import glmer
    from .glm import glm
    from .linear import fit

    formula = parse(text)
    support = "real" if family is None else resolve(family).support
    if formula.response is None:
        name = RESPONSE
        while name in frame:
            name += "_"
        text, formula = f"{name} {text}", parse(f"{name} {text}")
    frame = _with_response(formula, frame, support, others.get("weights"))
    with quiet():
        if family is not None:
            return (glmer if formula.random else glm)(text, frame, family, **others)
        return (fit if formula.random else glm)(text, frame, **others)


def _with_response(
    formula: Formula, frame: pd.DataFrame, support: str | None, weights: Any
) -> pd.DataFrame:
    """The rows with a response; expressions are of what the data have."""
    assert formula.response is not None
    kind, parts = formula.response.kind, formula.response.parts
    name, n = parts[0].strip("`"), len(frame)
    if not name.isidentifier():
        return frame
    rng = np.random.default_rng(0)
    if kind == "column":
        size = frame[weights] if isinstance(weights, str) and weights in frame else weights
        return frame.assign(**{name: _stand_in(rng, n, support, size)})
    # successes out of a column of trials: k / n, cbind(k, n - k)
    trials = re.sub(rf"\s*-\s*{re.escape(name)}\s*$", "", parts[1]).strip("` ")
    if trials not in frame:
        return frame
    return frame.assign(**{name: rng.binomial(frame[trials].to_numpy().astype(int), 0.5)})


def _stand_in(rng: np.random.Generator, n: int, support: str | None, size: Any) -> np.ndarray:
    """Responses that a family takes."""
    if support == "proportion":
        trials = np.ones(n) if size is None else np.broadcast_to(np.asarray(size, float), n)
        return np.asarray(rng.binomial(trials.astype(int), 0.5) / trials)
    if support in ("count", "non-negative", "positive count"):
        return np.asarray(rng.poisson(2.0, n) + (support == "positive count"))
    if support == "positive":
        return rng.gamma(3.0, size=n)
    if support is not None and support.endswith("unit"):
        return rng.beta(2.0, 2.0, size=n)
    return rng.standard_normal(n)
