"""A model as it is written in R, fitted here."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from ...calls import checked, checked_methods
from ...datasets import list_datasets, load_dataset
from ...design.expressions import CallerNames
from ...errors import ArgumentError, ArgumentTypeError, DataError, brief
from ...frames.read import data_columns, whole_frame
from ...r_language.nodes import (
    ASSIGNMENTS,
    Argument,
    Binary,
    Bracket,
    Call,
    Node,
    function_name,
    text_of,
)
from ...r_language.parser import parse_expression
from .code import Context
from .fits import fit_call

__all__ = ["ModelFromR", "from_r"]

#: Calls that may stand before the one that fits.
_LOADING = ("library", "require", "requireNamespace", "data", "suppressPackageStartupMessages")
#: Functions that hand on what they are called with.
_SHOWING = ("print", "invisible", "suppressWarnings", "suppressMessages")


@checked_methods
@dataclass(frozen=True, repr=False)
class ModelFromR:
    """A call of R that fits a model, and what it is here; made by :func:`from_r`.

    Attributes
    ----------
    r : str
        The call in R.
    code : str
        The call in Python, to be copied.
    notes : tuple of str
        What was left out of R's call, and why; what else differs.

    Examples
    --------
    >>> import interlace as il
    >>> call = il.from_r("lmer(Yield ~ 1 + (1 | Batch), Dyestuff, control = lmerControl())")
    >>> call.code
    'il.lmer("Yield ~ 1 + (1 | Batch)", Dyestuff)'
    >>> call.notes
    ('control= is dropped: settings of a search that is not used here',)
    >>> round(call.fit().reml_criterion, 2)
    319.65
    """

    r: str
    code: str
    notes: tuple[str, ...]
    _data_name: str
    _data: Any = None
    _names: Mapping[str, Any] = field(default_factory=dict)

    def fit(self, data: Any = None) -> Any:
        """The model fitted by ``code``.

        Parameters
        ----------
        data : data frame, optional
            What R's call names as data; default: that of :func:`from_r`, a variable of that name
            where :func:`from_r` was called, or the data set of that name in the package.

        Returns
        -------
        LMMResult, GLMMResult, GLMResult, CLMMResult or CLMResult
        """
        import numpy
        import pandas

        own: dict[str, Any] = {"il": _doors(), "np": numpy, "pd": pandas, "__name__": "__r__"}
        frame = self._frame(data)
        if any(f"{self._data_name}{mark}" in self.code for mark in "[."):
            known = whole_frame(frame)  # the code asks for columns as pandas has them
            frame = frame if known is None else known
        own[self._data_name] = frame
        names = {name: value for name, value in self._names.items() if name not in own}
        return eval(self.code, {**names, **own})

    def _frame(self, data: Any) -> Any:
        data = self._data if data is None else data
        if data is None and hasattr(self._names.get(self._data_name), "columns"):
            data = self._names[self._data_name]
        if data is None and self._data_name in list_datasets():
            data = load_dataset(self._data_name)
        if data is None:
            raise DataError(
                f"there are no data for {self._data_name!r}: no variable of that name has a data "
                "frame, and it is no data set of the package; write "
                f"from_r(…, data={self._data_name})"
            )
        return data

    def __repr__(self) -> str:
        return "\n".join([self.code, *(f"# {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        from html import escape

        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return f"<pre>{escape(self.code)}</pre>{f'<ul>{notes}</ul>' if notes else ''}"


def _doors() -> SimpleNamespace:
    """What the code of a call has under ``il``."""
    from ...api import generalised, glm, linear, ordinal
    from ...families import Gaussian, NegativeBinomial

    doors = (linear.fit, linear.lmer, linear.gls, generalised.glmer, glm.glm, ordinal.clm)
    names = {door.__name__: door for door in (*doors, ordinal.clmm)}
    return SimpleNamespace(**names, NegativeBinomial=NegativeBinomial, Gaussian=Gaussian)


@checked
def from_r(call: str, data: Any = None) -> ModelFromR:
    """Read a call of R that fits a model.

    Parameters
    ----------
    call : str
        A call of ``lmer`` (lme4's or lmerTest's), ``glmer``, ``glmer.nb``, ``lm``, ``glm``,
        ``glm.nb``, ``glmmTMB``, ``clm``, ``clmm``, ``polr``, ``lme`` or ``gls``, as it stands in a
        script: over several lines, assigned to a name, with comments, after ``library(lme4)``.
    data : data frame, optional
        The data that the call names; default: a variable of that name, or the data set of that
        name in the package.

    Returns
    -------
    ModelFromR
        With the call to make here as ``.code``, what was left out as ``.notes``, and ``.fit()``.

    Raises
    ------
    FormulaError
        If R would not read the text, with the place.
    ArgumentError
        If the call fits no model that there is here; arguments are named.

    Examples
    --------
    >>> import interlace as il
    >>> call = il.from_r("lmer(Reaction ~ Days + (Days | Subject), sleepstudy, REML = FALSE)")
    >>> call
    il.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy, REML=False)
    >>> round(call.fit().llf, 2)
    -875.97
    >>> il.from_r("lme(distance ~ age, Orthodont, ~ 1 | Subject, correlation = corAR1())").code
    'il.fit("distance ~ age + (1 | Subject)", Orthodont, correlation="ar1(1)")'
    """
    if not isinstance(call, str):
        raise ArgumentTypeError(
            "call must be a text such as 'lmer(y ~ x + (1 | g), d)', as it is written in R; got "
            f"{brief(call)}"
        )
    columns = None if data is None else data_columns(data)
    node, summarised = fitting_call(call)
    python = fit_call(node, {}, Context(columns=columns))
    if summarised:
        python.notes.append("summary() is left out: the fit has m.summary()")
    names = ChainMap({}, dict(CallerNames()))
    return ModelFromR(text_of(node), python.code, tuple(python.notes), python.frame, data, names)


def fitting_call(source: str) -> tuple[Call, bool]:
    """The one call of a text that fits a model, and whether it stands inside of ``summary()``."""
    statements = [s for s in parse_expression(source) if function_name(s) not in _LOADING]
    if len(statements) != 1:
        raise ArgumentError(
            f"from_r() reads one call that fits a model, and this text has {len(statements)} "
            "statements; `interlace translate file.R` reads scripts"
        )
    call, summarised = unwrapped(statements[0]), False
    if call is not None and function_name(call) == "summary" and call.arguments:
        call, summarised = unwrapped(call.arguments[0].value), True
    if call is None:
        raise ArgumentError(
            f"{text_of(statements[0])!r} is no call that fits a model, such as "
            "lmer(y ~ x + (1 | g), d); `interlace translate file.R` reads what comes after a fit"
        )
    return call, summarised


def unwrapped(node: Node | None) -> Call | None:
    """The call itself: without the name it is assigned to, brackets and ``with(d, …)``."""
    if isinstance(node, Bracket):
        return unwrapped(node.inner)
    if isinstance(node, Binary) and node.operator in ASSIGNMENTS:
        return unwrapped(node.right)
    if not isinstance(node, Call):
        return None
    if function_name(node) in _SHOWING and len(node.arguments) == 1:
        return unwrapped(node.arguments[0].value)
    if function_name(node) == "with" and len(node.arguments) == 2:
        inner = unwrapped(node.arguments[1].value)
        named = inner is not None and any(a.name == "data" for a in inner.arguments)
        if inner is None or named:
            return inner
        return Call(inner.function, (*inner.arguments, Argument("data", node.arguments[0].value)))
    return node
