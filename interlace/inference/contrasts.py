"""Weights of contrasts of means: pairs, references, effects, polynomials, and those of the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..calls import one_of
from ..errors import ArgumentError, ArgumentTypeError, brief, listing

__all__ = ["ContrastWeights", "contrast_weights", "interaction_weights"]

# What emmeans adjusts each of them by.
METHODS = {
    "pairwise": "tukey", "revpairwise": "tukey", "trt.vs.ctrl": "dunnett", "eff": "fdr",
    "del.eff": "fdr", "consec": "mvt", "mean_chg": "mvt", "poly": "none", "identity": "none",
}  # fmt: skip
# Other names, and the positions of references that are part of them.
SPELLINGS = {
    "tukey": "pairwise", "dunnett": "trt.vs.ctrl", "trt.vs.ctrl1": "trt.vs.ctrl",
    "trt.vs.ctrlk": "trt.vs.ctrl",
}  # fmt: skip
# The highest degree of polynomials, as in emmeans.
HIGHEST_DEGREE = 6


class ContrastWeights(NamedTuple):
    """Labels (c,), weights W (c, k), and what tests of them are adjusted by."""

    labels: list[str]
    W: np.ndarray
    adjust: str
    name: str

    @property
    def pairs(self) -> bool:
        """Whether they are all pairs, which Tukey's method is for."""
        return self.name in ("pairwise", "revpairwise")


def contrast_weights(
    method: Any, names: list[str], ref: Any = None, reverse: bool = False
) -> ContrastWeights:
    """Contrasts of means by a method's name, or by weights that are given."""
    if isinstance(method, str):
        return _by_name(method, names, ref, reverse)
    weights = method(list(names)) if callable(method) else method
    labels, rows = _given(weights, names)
    W = np.array(rows, dtype=float).reshape(len(labels), len(names))
    return ContrastWeights(labels, -W if reverse else W, "none", "custom")


def interaction_weights(
    methods: Sequence[Any], levels: Mapping[str, list[str]]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Contrasts of contrasts: labels by variable, and the weights of their product."""
    own = [contrast_weights(m, names) for m, names in zip(methods, levels.values(), strict=True)]
    heads = [f"{name}_{one.name}" for name, one in zip(levels, own, strict=True)]
    rows = [row[::-1] for row in product(*(one.labels for one in reversed(own)))]
    return pd.DataFrame(rows, columns=heads), reduce(
        lambda A, one: np.kron(one.W, A), own, np.eye(1)
    )


def _by_name(method: str, names: list[str], ref: Any, reverse: bool) -> ContrastWeights:
    known = one_of("method", method, (*METHODS, *SPELLINGS))
    if known == "trt.vs.ctrlk" and ref is None:
        ref = len(names) - 1
    name = SPELLINGS.get(known, known)
    if name in ("pairwise", "revpairwise") and reverse:
        name = "revpairwise" if name == "pairwise" else "pairwise"
        reverse = False
    labels, W = FAMILIES[name](names, ref) if name == "trt.vs.ctrl" else FAMILIES[name](names)
    if reverse and name in ("consec", "mean_chg", "trt.vs.ctrl"):
        W = -W
        labels = [" - ".join(label.split(" - ")[::-1]) for label in labels]
    return ContrastWeights(labels, W.reshape(-1, len(names)), METHODS[name], name)


def _differences(names: list[str], pairs: list[tuple[int, int]]) -> tuple[list[str], np.ndarray]:
    unit = np.eye(len(names))
    labels = [f"{names[i]} - {names[j]}" for i, j in pairs]
    return labels, np.array([unit[i] - unit[j] for i, j in pairs]).reshape(-1, len(names))


def _pairwise(names: list[str]) -> tuple[list[str], np.ndarray]:
    return _differences(
        names, [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
    )


def _revpairwise(names: list[str]) -> tuple[list[str], np.ndarray]:
    return _differences(names, [(j, i) for j in range(len(names)) for i in range(j)])


def _consecutive(names: list[str]) -> tuple[list[str], np.ndarray]:
    return _differences(names, [(i + 1, i) for i in range(len(names) - 1)])


def _against_reference(names: list[str], ref: Any) -> tuple[list[str], np.ndarray]:
    first = _reference(ref, names)
    return _differences(names, [(i, first) for i in range(len(names)) if i != first])


def _effects(names: list[str]) -> tuple[list[str], np.ndarray]:
    """Each with the mean of all."""
    return [f"{name} effect" for name in names], np.eye(len(names)) - 1.0 / len(names)


def _deleted_effects(names: list[str]) -> tuple[list[str], np.ndarray]:
    """Each with the mean of the others."""
    labels, W = _effects(names)
    return labels, W / np.diagonal(W)[:, None] if len(names) > 1 else W


def _mean_changes(names: list[str]) -> tuple[list[str], np.ndarray]:
    """The mean of those after with the mean of those up to each."""
    k = len(names)
    rows = [np.r_[np.full(i, -1.0 / i), np.full(k - i, 1.0 / (k - i))] for i in range(1, k)]
    return [f"{names[i - 1]}|{names[i]}" for i in range(1, k)], np.array(rows)


def _identity(names: list[str]) -> tuple[list[str], np.ndarray]:
    return list(names), np.eye(len(names))


def _polynomials(names: list[str]) -> tuple[list[str], np.ndarray]:
    """Orthogonal polynomials of equidistant levels, in whole numbers where these are small."""
    k = len(names)
    x = np.arange(k) - 0.5 * (k - 1)
    Q = np.linalg.qr(np.vander(x, k, increasing=True))[0].T[1 : HIGHEST_DEGREE + 1]
    rows = []
    for q in Q:
        q = q * np.sign(q[-1])
        scaled = q / np.abs(q[np.abs(q) > 1e-10]).min()
        for multiple in range(1, 25):
            whole = np.round(scaled * multiple)
            if np.abs(scaled * multiple - whole).max() < 1e-6:
                scaled = whole
                break
        rows.append(scaled)
    words = ("linear", "quadratic", "cubic", "quartic")
    return [words[i] if i < 4 else f"degree {i + 1}" for i in range(len(rows))], np.array(rows)


FAMILIES: dict[str, Callable[..., tuple[list[str], np.ndarray]]] = {
    "pairwise": _pairwise, "revpairwise": _revpairwise, "trt.vs.ctrl": _against_reference,
    "eff": _effects, "del.eff": _deleted_effects, "consec": _consecutive,
    "mean_chg": _mean_changes, "poly": _polynomials, "identity": _identity,
}  # fmt: skip


def _reference(ref: Any, names: list[str]) -> int:
    if ref is None:
        return 0
    if isinstance(ref, str):
        if ref not in names:
            raise ArgumentError(f"ref={ref!r} is none of the means: {listing(names)}")
        return names.index(ref)
    if not isinstance(ref, (int, np.integer)) or not -len(names) <= ref < len(names):
        raise ArgumentError(f"ref={brief(ref)} is no position among {len(names)} means")
    return int(ref) % len(names)


def _given(columns: Any, names: list[str]) -> tuple[list[str], list[np.ndarray]]:
    """Labels and rows of weights: of a dict, columns of a frame, rows of a matrix or list."""
    if isinstance(columns, pd.DataFrame):
        columns = {str(name): columns[name].to_numpy() for name in columns}
    if not isinstance(columns, Mapping):
        try:
            matrix = np.atleast_2d(np.asarray(columns, dtype=float))
        except (TypeError, ValueError) as error:
            raise ArgumentTypeError(
                "method must be the name of contrasts, or weights of the means: a dict of lists by "
                f"label, a list of lists, a data frame or a matrix; got {brief(columns)}"
            ) from error
        columns = {f"({', '.join(f'{w:.4g}' for w in row)})": row for row in matrix}
    rows = [np.asarray(weights, dtype=float) for weights in columns.values()]
    for label, row in zip(columns, rows, strict=True):
        if row.shape != (len(names),):
            raise ArgumentError(
                f"the contrast {label!r} has {row.size} weights for {len(names)} means: "
                f"{listing(names)}"
            )
    return list(columns), rows
