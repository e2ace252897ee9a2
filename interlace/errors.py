"""Exceptions and warnings.

Every text names the argument or column, the value received, and the remedy.
All exceptions but :class:`FitInterrupted` derive from :class:`InterlaceError`, and all also from
the built-in exception that a caller who knows nothing of this package would catch.
"""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Iterable
from types import FrameType
from typing import Any, Self

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "ConvergenceWarning",
    "DataError",
    "DataWarning",
    "FitInterrupted",
    "FormulaError",
    "InterlaceError",
    "InterlaceWarning",
    "MissingDependencyError",
    "NumericalError",
    "TooLargeError",
    "UnknownNameError",
    "WorkerError",
]

#: Names listed in one message before the rest is counted: a frame may have thousands of columns.
MAX_LISTED = 12
#: Characters of one value shown in a message.
MAX_SHOWN = 60
#: Characters of a whole message: a column may be called anything.
MAX_MESSAGE = 1000
#: Characters of a text that are shown before and after a faulty one.
MARGIN = 90


class InterlaceError(Exception):
    """Base class of every exception this package raises on purpose.

    Examples
    --------
    >>> import interlace as il
    >>> issubclass(il.errors.DataError, il.errors.InterlaceError)
    True
    """

    def __init__(self, *args: object):
        if args and isinstance(args[0], str) and len(args[0]) > MAX_MESSAGE:
            text = args[0]
            half = MAX_MESSAGE // 2
            args = (f"{text[:half]} … {text[-half:]}", *args[1:])
        super().__init__(*args)


class FormulaError(InterlaceError, ValueError):
    """The text of a formula is wrong.

    Parameters
    ----------
    message : str
        What is wrong and what to write instead.
    formula : str, optional
        The text in which the fault lies.
    position : int, optional
        Index of the faulty character in `formula`; the message then ends with the formula and a
        caret under that character.

    Examples
    --------
    >>> from interlace.errors import FormulaError
    >>> print(FormulaError("missing right side", "y ~", 2))
    missing right side
        y ~
          ^
    """

    def __init__(self, message: str, formula: str | None = None, position: int | None = None):
        self.reason = message
        self.formula = formula
        self.position = position
        super().__init__(message if formula is None else message + pointed(formula, position))

    def __reduce__(self) -> tuple:
        return type(self), (self.reason, self.formula, self.position)


class DataError(InterlaceError, ValueError):
    """The columns of a data frame, or the values in them, do not allow the model.

    Examples
    --------
    >>> from interlace.errors import DataError
    >>> issubclass(DataError, ValueError)
    True
    """


class ArgumentError(InterlaceError, ValueError):
    """An argument has a value that is not allowed.

    Examples
    --------
    >>> from interlace.errors import ArgumentError
    >>> issubclass(ArgumentError, ValueError)
    True
    """


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument is of the wrong type.

    Examples
    --------
    >>> from interlace.errors import ArgumentTypeError
    >>> issubclass(ArgumentTypeError, TypeError)
    True
    """


class MissingDependencyError(InterlaceError, ImportError):
    """An optional package is needed for what was asked and is not installed.

    Examples
    --------
    >>> from interlace.errors import MissingDependencyError
    >>> issubclass(MissingDependencyError, ImportError)
    True
    """


class NumericalError(InterlaceError, ArithmeticError):
    """A computation broke down: a matrix is not positive definite, a value is not finite.

    Examples
    --------
    >>> from interlace.errors import NumericalError
    >>> issubclass(NumericalError, ArithmeticError)
    True
    """


class TooLargeError(InterlaceError, MemoryError):
    """A computation needs more memory than there is; it was not begun.

    Examples
    --------
    >>> from interlace.errors import TooLargeError
    >>> issubclass(TooLargeError, MemoryError)
    True
    """

    def __new__(cls, *args: object) -> Self:
        # MemoryError has a __new__ that refuses classes with another base before it: what unpickles
        # errors with their tracebacks (tblib, in Dask) calls __new__ by name.
        return InterlaceError.__new__(cls, *args)


class UnknownNameError(InterlaceError, KeyError):
    """A name that a dict or a table of results does not have.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> try:
    ...     m.random_effects["batch"]
    ... except KeyError as error:
    ...     print(error)
    m.random_effects has no 'batch', only 'Batch'. Did you mean 'Batch'?
    """

    # KeyError shows its text as a Python literal, in quotes.
    __str__ = Exception.__str__


class WorkerError(InterlaceError, RuntimeError):
    """A worker that held a part of the rows is gone, or cannot do what it was asked.

    Examples
    --------
    >>> from interlace.errors import WorkerError
    >>> issubclass(WorkerError, RuntimeError)
    True
    """


class FitInterrupted(KeyboardInterrupt):  # noqa: N818
    """A fit was stopped, as by Ctrl-C; what its search had come to.

    It is a `KeyboardInterrupt`, so that no ``except Exception`` takes it for an error.

    Attributes
    ----------
    theta : ndarray, shape (n_theta,)
        Covariance parameters of the best point, a ``theta0`` to go on from.
    x : ndarray, shape (n,)
        All parameters there, as the search has them.
    criterion : float
        The criterion there; infinite if nothing was evaluated.
    evaluations : int
        Evaluations made.

    Examples
    --------
    >>> from interlace.errors import FitInterrupted
    >>> issubclass(FitInterrupted, KeyboardInterrupt)
    True
    """

    def __init__(self, x: Any, theta: Any, criterion: float, evaluations: int) -> None:
        super().__init__(
            f"stopped after {evaluations} evaluations, at a criterion of {criterion:.8g}; the "
            "attribute theta is a theta0= to go on from"
        )
        self.x, self.theta = x, theta
        self.criterion, self.evaluations = criterion, evaluations

    def __reduce__(self) -> Any:
        return FitInterrupted, (self.x, self.theta, self.criterion, self.evaluations)


class InterlaceWarning(UserWarning):
    """Base class of the warnings of this package.

    Examples
    --------
    >>> from interlace.errors import InterlaceWarning
    >>> issubclass(InterlaceWarning, UserWarning)
    True
    """


class ConvergenceWarning(InterlaceWarning):
    """The optimiser stopped short of an optimum, or the optimum is not identified.

    Examples
    --------
    >>> import warnings
    >>> from interlace.errors import ConvergenceWarning
    >>> warnings.simplefilter("error", ConvergenceWarning)  # treat as an error
    >>> warnings.resetwarnings()
    """


class DataWarning(InterlaceWarning):
    """Rows or columns of the data were left out of the fit, or values lie beyond what it saw.

    Examples
    --------
    >>> from interlace.errors import DataWarning, InterlaceWarning
    >>> issubclass(DataWarning, InterlaceWarning)
    True
    """


def warn(message: str, category: type[InterlaceWarning]) -> None:
    """Warn at the line that called into this package, however deep inside we are."""
    warnings.warn(message, category, stacklevel=outside()[1])


def warn_if_not_converged(outcome: Any) -> None:
    """One warning, with the verdict's own words, when an optimum cannot be relied on."""
    if not outcome.converged:
        warn(outcome.message, ConvergenceWarning)


def outside() -> tuple[FrameType, int]:
    """The nearest frame outside this package, and its `stacklevel` for the function that asks.

    formulaic, and the dispatch of its transforms, stand between a transform and its caller, and
    the methods of collections between a mapping and who asks it.
    """
    inside = (__name__.partition(".")[0], "formulaic", "functools", "collections")
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] not in inside:
            break
        frame, level = frame.f_back, level + 1
    return frame, level


def pointed(text: str, position: int | None) -> str:
    """Lines for the end of a message: the text, and a caret under the faulty character."""
    first = 0 if position is None else max(0, position - MARGIN)
    line = text[first : first + 2 * MARGIN]
    if len(line) < len(text) - first:
        line += "…"
    line = "".join(c if c.isprintable() else " " for c in line)
    caret = "" if position is None else f"\n    {' ' * (position - first)}^"
    return f"\n    {line}{caret}"


def listing(names: Iterable[object], limit: int = MAX_LISTED) -> str:
    """Names joined by commas, the tail counted when there are more than `limit`."""
    items = [str(name) for name in names]
    if len(items) <= limit:
        return ", ".join(items)
    return f"{', '.join(items[:limit])}, … ({len(items) - limit} more)"


def first_line(error: BaseException) -> str:
    """What an error of another package says is wrong, without what it has below it."""
    return str(error).strip().split("\n")[0]


def brief(value: object) -> str:
    """A value in a message: short ones as Python writes them, large ones by kind and size."""
    if isinstance(value, str):
        return repr(value if len(value) <= MAX_SHOWN else f"{value[: MAX_SHOWN - 1]}…")
    if value is None or isinstance(value, (bool, int, float, complex)):
        return repr(value)
    kind = type(value).__name__
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value) and hasattr(value, "__name__"):
        return f"the function {value.__name__}"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"{_article(kind)} {kind} of shape {shape}"
    if isinstance(value, (list, tuple, dict, set, frozenset)):
        items = list(value.items()) if isinstance(value, dict) else list(value)
        plain = all(isinstance(v, (str, int, float, complex, type(None))) for v in _flat(items))
        text = repr(value) if plain and len(items) <= MAX_LISTED else ""
        if 0 < len(text) <= MAX_SHOWN:
            return text
        return f"{_article(kind)} {kind} of length {len(items)}"
    try:
        text = repr(value) if shape == () or type(value).__repr__ is not object.__repr__ else ""
    except Exception:  # half made objects of a user's
        text = ""
    if 0 < len(text) <= MAX_SHOWN and "\n" not in text and not text.startswith("<"):
        return text
    return f"{_article(kind)} {kind}"


def _flat(items: Iterable[object]) -> Iterable[object]:
    """Entries, those of pairs and lists one level down apart."""
    for item in items:
        yield from item if isinstance(item, (list, tuple)) else (item,)


def _article(kind: str) -> str:
    # As one says them: an LMMResult, an ndarray.
    return "an" if kind[:1] in "AEIOaeio" or kind[:2] in ("LM", "nd") else "a"


def suggestion(name: object, allowed: Iterable[object]) -> str:
    """`" Did you mean 'Days'?"` for a near miss, else the empty string."""
    candidates = [str(item) for item in allowed]
    by_lower = {item.lower(): item for item in reversed(candidates)}
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean {by_lower[near[0]]!r}?" if near else ""
