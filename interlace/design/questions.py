"""Questions about all rows: what functions of formulas keep, asked of the engine in rounds."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from ..frames.lazy import LazyRows
from .bases import check_degree

#: What is asked in one round: an expression by text, and its aggregates.
Asked = dict[str, tuple[Any, tuple[Any, ...]]]
Answers = Mapping[str, Mapping[Any, float]]
Learning = Generator[Asked, Answers, Any]

#: A square of a polynomial that is this small beside that of the degree below is rounding.
ROUNDING = 1e-20


class Variable(NamedTuple):
    """The first argument of a function: its text, what it is for the engine, and the rows."""

    text: str
    value: Any
    rows: LazyRows

    def asked(self, *ways: Any) -> Asked:
        """The question for aggregates of it."""
        return {self.text: (self.value, ways)}


# --- single numbers -------------------------------------------------------------------------


def aggregate(way: Any) -> Callable[..., Learning]:
    """One aggregate."""

    def learning(x: Variable) -> Learning:
        answers = yield x.asked(way)
        return answers[x.text][way]

    return learning


def sd(x: Variable) -> Learning:
    """R's ``sd(x)``."""
    return np.sqrt((yield from var(x)))


def var(x: Variable) -> Learning:
    """R's ``var(x)``."""
    answers = yield x.asked("std")
    return answers[x.text]["std"] ** 2


def quantile(x: Variable, probs: Any = (0.0, 0.25, 0.5, 0.75, 1.0)) -> Learning:
    """Quantiles between values, R's type 7."""
    ways = [("quantile", float(p)) for p in np.ravel(probs)]
    answers = yield x.asked(*ways)
    values = np.array([answers[x.text][way] for way in ways])
    return values if np.ndim(probs) else float(values[0])


def numpy_var(x: Variable, ddof: float = 0) -> Learning:
    """``np.var(x)``."""
    return (yield from var(x)) * (x.rows.n - 1) / (x.rows.n - ddof)


def numpy_sd(x: Variable, ddof: float = 0) -> Learning:
    """``np.std(x)``."""
    return np.sqrt((yield from numpy_var(x, ddof)))


# --- scales and polynomials -----------------------------------------------------------------


def scale(x: Variable, center: Any = True, scale: Any = True, ddof: float = 1) -> Learning:
    """What ``scale(x)`` keeps."""
    answers = yield x.asked("mean", "std")
    mean, sd, n = answers[x.text]["mean"], answers[x.text]["std"], x.rows.n
    middle = (mean if center else None) if isinstance(center, bool) else float(center)
    spread: float | None = None
    if isinstance(scale, bool) and scale:
        squares = (n - 1) * sd**2 + n * (mean - (middle or 0.0)) ** 2
        if isinstance(center, bool) and center:
            squares = (n - 1) * sd**2
        spread = float(np.sqrt(squares / (n - ddof)))
        if not spread > 0.0:
            raise DataError(f"scale(): the values of {x.text} are all equal")
    elif not isinstance(scale, bool):
        spread = float(scale)
    return {"ddof": ddof, "center": middle, "scale": spread}


def center(x: Variable) -> Learning:
    """What ``center(x)`` keeps."""
    return (yield from scale(x, scale=False))


def poly(x: Variable, degree: int = 1, raw: bool = False) -> Learning:
    """The monic three-term recurrence, one round for each degree."""
    check_degree(degree)
    if raw:
        return {}
    answers = yield x.asked("mean")
    alpha = {0: answers[x.text]["mean"]}
    norms2 = {0: float(x.rows.n)}
    for k in range(1, degree + 1):
        polynomial = monic(x.value, alpha, norms2, k)[-1]
        square = polynomial * polynomial
        own = f"{x.text}, orthogonal polynomial {k}"
        about = f"{own} by the distance from its mean"
        answers = yield {
            own: (square, ("sum",)),
            about: ((x.value - alpha[0]) * square, ("sum",)),
        }
        norms2[k] = answers[own]["sum"]
        if not norms2[k] > ROUNDING * norms2[k - 1] * norms2[1] / norms2[0]:
            raise DataError(
                f"poly(): {x.text} has too few different values for a polynomial of degree {degree}"
            )
        if k < degree:
            alpha[k] = alpha[0] + answers[about]["sum"] / norms2[k]
    return {"alpha": alpha, "norms2": norms2}


def monic(x: Any, alpha: Mapping[int, float], norms2: Mapping[int, float], degree: int) -> list:
    """Monic orthogonal polynomials of degree 1 and more, as expressions."""
    out: list[Any] = [x - float(alpha[0])]
    for k in range(1, degree):
        earlier = out[k - 2] if k > 1 else 1.0
        out.append((x - float(alpha[k])) * out[-1] - float(norms2[k] / norms2[k - 1]) * earlier)
    return out
