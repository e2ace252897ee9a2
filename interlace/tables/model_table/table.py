"""One or several models side by side, as numbers and as a table in several formats."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...calls import checked_methods
from ...errors import ArgumentError, ArgumentTypeError, brief, listing, suggestion
from ...inference.components import title_of
from ...inference.names import names_as
from ...other_names import Answering
from . import grid as writing
from .entries import (
    COEFFICIENTS,
    FIT,
    PARAMETERS,
    RANDOM,
    Entry,
    Key,
    Wanted,
    entries,
    is_residual,
    merged,
)
from .grid import BELOW, HEADING, ROW, Grid, Line

if TYPE_CHECKING:
    from ...models.kinds import AnyFit

#: What can stand below an estimate, or beside it: the head of its column.
BELOW_ESTIMATES = {
    "std_error": "SE",
    "conf_int": "interval",
    "statistic": "statistic",
    "df": "df",
    "p_value": "p",
}
#: The same as other packages call it: broom, modelsummary, texreg, statsmodels, pyfixest.
BELOW_ALIASES = {
    **dict.fromkeys(("se", "std.error", "std_err", "bse", "stderr", "s.e."), "std_error"),
    **dict.fromkeys(("ci", "confint", "conf.int", "interval", "ci95"), "conf_int"),
    **dict.fromkeys(("t", "z", "tstat", "zstat", "t_value", "z_value", "t.value"), "statistic"),
    **dict.fromkeys(("p", "pvalue", "p.value", "p_val", "pr"), "p_value"),
}
#: Marks of ``stars=True`` and the p-values below which they stand, as in most journals.
STARS = {"*": 0.05, "**": 0.01, "***": 0.001}
#: From here on numbers are written with powers of ten.
LARGE = 1e7
#: Decimals of p-values, if others have fewer.
P_DIGITS = 3


def _written(text: str, path: Any) -> str:
    """The text, which is written to a file if there is a path."""
    if path is not None:
        Path(path).write_text(f"{text}\n", encoding="utf-8")
    return text


@dataclass(frozen=True)
class Form:
    """How the numbers are written."""

    below: tuple[str, ...]
    beside: bool
    digits: int
    stars: dict[str, float]
    conf_level: float
    exponentiate: bool


@checked_methods
@dataclass(frozen=True, eq=False, repr=False)
class ModelTable(Answering):
    """Models side by side: coefficients, variance components, parameters, statistics of the fit.

    ``print`` shows it as text, a notebook as HTML.

    Attributes
    ----------
    names : tuple of str
        Of the models.
    title : str
    notes : tuple of str
        Lines below the table.

    Examples
    --------
    >>> import interlace as il
    >>> sleep = il.load_dataset("sleepstudy")
    >>> small = il.fit("Reaction ~ Days + (1 | Subject)", sleep)
    >>> large = il.fit("Reaction ~ Days + (Days | Subject)", sleep)
    >>> table = il.model_table({"intercepts": small, "slopes": large}, digits=1)
    >>> print(table.to_markdown().splitlines()[2])
    | Intercept | 251.4 | 251.4 |
    >>> table.to_frame().loc[("fit", "AIC", "value")].round(1).tolist()
    [1794.5, 1755.6]
    """

    names: tuple[str, ...]
    title: str
    notes: tuple[str, ...]
    _keys: tuple[Key, ...]
    _labels: Mapping[Key, str]
    _entries: tuple[Mapping[Key, Entry], ...]
    _form: Form

    def to_frame(self) -> pd.DataFrame:
        """The numbers, unrounded: rows ``(part, term, statistic)``, a column for each model.

        Parts are ``"coefficients"``, ``"random"``, ``"parameters"`` and ``"fit"``; terms of other
        linear predictors than that of the mean have its name in front. Rows of words are left out.

        Returns
        -------
        DataFrame
        """
        rows = {}
        for key in self._keys:
            held = [own.get(key, Entry({})).numbers for own in self._entries]
            for name in dict.fromkeys(name for numbers in held for name in numbers):
                term = self._labels[key]
                if key.part == COEFFICIENTS and key.component != "cond":
                    term = f"{key.component}: {term}"
                shown = "value" if name == "count" else name
                rows[key.part, term, shown] = [numbers.get(name, np.nan) for numbers in held]
        index = pd.MultiIndex.from_tuples(rows, names=["part", "term", "statistic"])
        return pd.DataFrame(list(rows.values()), index=index, columns=list(self.names))

    def to_markdown(self, path: Any = None) -> str:
        """The table in Markdown, with pipes.

        Parameters
        ----------
        path : str or path, optional
            Where a file with the text goes too.

        Returns
        -------
        str
        """
        return _written(writing.markdown(self._grid()), path)

    def to_html(self, path: Any = None) -> str:
        """The table in HTML.

        Parameters
        ----------
        path : str or path, optional
            Where a file with the text goes too.

        Returns
        -------
        str
        """
        return _written(writing.html(self._grid()), path)

    def to_latex(self, label: str = "", path: Any = None) -> str:
        r"""The table in LaTeX, with the rules of its package ``booktabs``.

        Parameters
        ----------
        label : str, optional
            For ``\ref``. With a title or a label the tabular stands in a floating ``table``.
        path : str or path, optional
            Where a file with the text goes too.

        Returns
        -------
        str

        Raises
        ------
        ArgumentTypeError
            If ``label`` is the name of a file.
        """
        if not isinstance(label, str) or label.endswith(".tex"):
            raise ArgumentTypeError(
                f"label={brief(label)} must be a word for \\ref; a file is path={brief(label)}"
            )
        return _written(writing.latex(self._grid(), label), path)

    def to_docx(self, path: Any) -> None:
        """Write a Word document with the table.

        Parameters
        ----------
        path : str or path
            Where the file goes.

        Raises
        ------
        MissingDependencyError
            If ``python-docx`` is not installed.
        """
        writing.docx(self._grid()).save(str(Path(path)))

    def to_gt(self) -> Any:
        """The table as a ``GT`` of the package great_tables, for further design.

        Returns
        -------
        great_tables.GT

        Raises
        ------
        MissingDependencyError
            If ``great_tables`` is not installed.
        """
        return writing.great_table(self._grid())

    def __str__(self) -> str:
        return writing.text(self._grid())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.to_html()

    def _grid(self) -> Grid:
        form = self._form
        header = ("estimate", *(BELOW_ESTIMATES[name] for name in form.below))
        lines = []
        part, component = "", ""
        several = len({key.component for key in self._keys if key.part == COEFFICIENTS}) > 1
        for key in self._keys:
            heading = self._heading(key, several)
            if heading and (key.part, heading) != (part, component):
                blanks = len(self.names) * (len(header) if form.beside else 1)
                lines.append(Line(_rule(key), HEADING, heading, ("",) * blanks))
            part, component = key.part, heading
            lines += self._lines(key)
        shown = header if form.beside else ()
        return Grid(self.title, self.names, shown, tuple(lines), self.notes)

    def _heading(self, key: Key, several: bool) -> str:
        if key.part == COEFFICIENTS:
            return title_of(key.component) if several else ""
        if key.part == PARAMETERS:
            return "Parameters of the family"
        if key.part == FIT:
            return ""
        residual = {is_residual(own) for own in self._keys if own.part == RANDOM}
        effects = "Random effects and residuals" if True in residual else "Random effects"
        return effects if False in residual else "Residuals"

    def _lines(self, key: Key) -> list[Line]:
        """The row of a key, and those below it."""
        form, label = self._form, self._labels[key]
        held = [own.get(key) for own in self._entries]
        first = [_estimate(entry, form) for entry in held]
        others = [[_below(entry, name, form) for entry in held] for name in form.below]
        if form.beside:
            cells = (cell for column in zip(first, *others, strict=True) for cell in column)
            return [Line(_rule(key), ROW, label, tuple(cells))]
        return [
            Line(_rule(key), ROW, label, tuple(first)),
            *(Line(_rule(key), BELOW, "", tuple(cells)) for cells in others if any(cells)),
        ]


def _rule(key: Key) -> str:
    """Lines of one such text stand between two rules."""
    return f"{key.part} {key.component}" if key.part == COEFFICIENTS else key.part


# -- cells -----------------------------------------------------------------------------------------


def _estimate(entry: Entry | None, form: Form) -> str:
    if entry is None:
        return ""
    if not entry.numbers:
        return entry.text
    if "count" in entry.numbers:
        return f"{entry.numbers['count']:.0f}"
    value = entry.numbers["value"] if "value" in entry.numbers else entry.numbers["estimate"]
    p = entry.numbers.get("p_value", np.nan)
    marks = [mark for mark, limit in form.stars.items() if p < limit]
    return number(value, form.digits) + max(marks, key=len, default="")


def _below(entry: Entry | None, name: str, form: Form) -> str:
    """A cell below an estimate, in the brackets or after the letter that say what it is."""
    if entry is None or not _has(entry, name):
        return ""
    values, digits = entry.numbers, form.digits
    if name == "conf_int":
        ends = (number(values[end], digits) for end in ("conf_low", "conf_high"))
        return f"[{', '.join(ends)}]"
    if name == "p_value":
        digits = max(digits, P_DIGITS)
        least = 10.0**-digits
        p = f"< {least:.{digits}f}" if values[name] < least else f"{values[name]:.{digits}f}"
        return p if form.beside else f"p {p}" if p.startswith("<") else f"p = {p}"
    shown = number(values[name], digits)
    if form.beside:
        return shown
    if name == "statistic":
        return f"{'t' if np.isfinite(values.get('df', np.inf)) else 'z'} = {shown}"
    return f"({shown})" if name == "std_error" else f"{name} = {shown}"


def _has(entry: Entry, name: str) -> bool:
    ends = ("conf_low", "conf_high") if name == "conf_int" else (name,)
    return not any(np.isnan(entry.numbers.get(end, np.nan)) for end in ends)


def number(value: float, digits: int) -> str:
    """A number with so many decimals; with so many digits where these would show nothing of it.

    Examples
    --------
    >>> from interlace.tables.model_table.table import number
    >>> number(-0.5, 3), number(0.00012, 3), number(1.5e9, 3)
    ('-0.500', '0.00012', '1.5e+09')
    """
    if np.isnan(value):
        return ""
    size = abs(value)
    shows = size == 0.0 or size >= 0.5 * 10.0**-digits
    if not np.isfinite(value) or (shows and size < LARGE):
        return f"{value:.{digits}f}"
    return f"{value:.{max(digits, 1)}g}"


# -- making one ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chosen:
    """Which coefficients are shown, in which order and under which names."""

    coef_map: Any
    omit: Any
    labels: Mapping[str, str]


def side_by_side(
    fits: Sequence[AnyFit],
    names: Sequence[str],
    wanted: Wanted,
    chosen: Chosen,
    form: Form,
    title: str,
    notes: Sequence[str],
) -> ModelTable:
    """The table of some fits."""
    held = tuple(entries(fit, wanted) for fit in fits)
    keys = merged([list(own) for own in held])
    keys, labels = _mapped(keys, chosen)
    lines = (*_explanations(form), *_warnings(fits, wanted), *notes)
    return ModelTable(tuple(names), title, lines, tuple(keys), labels, held, form)


def _mapped(keys: list[Key], chosen: Chosen) -> tuple[list[Key], dict[Key, str]]:
    """Rows left out, ordered and renamed as the user says."""
    known = list(dict.fromkeys(name for key in keys for name in _names_of(key)))
    renamed = dict(chosen.labels)
    _check_known("labels", renamed, known)
    own = [key for key in keys if key.part == COEFFICIENTS]
    if chosen.coef_map is not None:
        order = _as_mapping(chosen.coef_map)
        _check_known("coef_map", order, [n for key in own for n in _names_of(key)])
        at = {name: i for i, name in enumerate(order)}
        places = {key: [at[n] for n in _names_of(key) if n in at] for key in own}
        own = sorted((key for key in own if places[key]), key=lambda key: places[key][0])
        components = list(dict.fromkeys(key.component for key in own))
        own = sorted(own, key=lambda key: components.index(key.component))
        renamed |= {name: new for name, new in order.items() if new}
    own = [key for key in own if not _omitted(key, chosen.omit)]
    kept = own + [key for key in keys if key.part != COEFFICIENTS]
    labels = {key: key.name for key in kept}
    for key in kept:
        for name in _names_of(key):
            labels[key] = renamed.get(name, labels[key])
    return kept, labels


def _names_of(key: Key) -> list[str]:
    """What a user may call a row: its name, R's, and the component in front."""
    names = [key.name]
    if key.part == COEFFICIENTS:
        names += names_as([key.name], True)
        names += [f"{key.component}: {name}" for name in list(names)]
    return list(dict.fromkeys(names))


def _as_mapping(coef_map: Any) -> dict[str, str]:
    if isinstance(coef_map, Mapping):
        return dict(coef_map)
    if isinstance(coef_map, str):
        return {coef_map: ""}
    return dict.fromkeys(coef_map, "")


def _check_known(argument: str, names: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            own = [other for other in known if other.startswith(f"{name}[")]
            raise ArgumentError(
                f"{argument} names {name!r}, which no model has."
                + (f" The coefficients of this term are {listing(own)}" if own else "")
                + ("" if own else suggestion(str(name), known) or f" There are {listing(known)}")
            )


def _omitted(key: Key, omit: Any) -> bool:
    """Whether a row is named in a list, or a pattern is in its name."""
    if omit is None:
        return False
    if isinstance(omit, str):
        return any(re.search(omit, name) for name in _names_of(key))
    return any(name in omit for name in _names_of(key))


def _explanations(form: Form) -> list[str]:
    """What is below the estimates, and what the stars are."""
    words = {
        "std_error": "standard errors in parentheses",
        "conf_int": f"{100 * form.conf_level:g} % intervals in brackets",
    }
    shown = [] if form.beside else [words[name] for name in form.below if name in words]
    if form.beside and "conf_int" in form.below:
        shown.append(f"{100 * form.conf_level:g} % intervals")
    if form.exponentiate:
        shown.append("coefficients are exponentials")
    text = "; ".join(shown)
    lines = [text[0].upper() + text[1:]] if text else []
    if form.stars:
        marks = sorted(form.stars.items(), key=lambda item: -item[1])
        lines.append(", ".join(f"{mark} p < {limit:g}" for mark, limit in marks))
    return lines


def _warnings(fits: Sequence[AnyFit], wanted: Wanted) -> list[str]:
    """What does not compare from column to column."""
    if not {"log_lik", "aic", "bic"} & set(wanted.statistics):
        return []
    restricted = [fit for fit in fits if getattr(fit, "is_reml", False)]
    columns = {tuple(fit.design.x_names) for fit in restricted}
    if restricted and (len(columns) > 1 or len(restricted) < len(fits)):
        return ["Likelihoods by REML compare only with those of the same fixed effects by REML"]
    return []
