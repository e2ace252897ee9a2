"""Rows and columns of text, and how they are written: plain, Markdown, HTML, LaTeX, Word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any

from ...errors import MissingDependencyError

HEADING, ROW, BELOW = "heading", "row", "below"
GAP = "  "


@dataclass(frozen=True)
class Line:
    """A row of a table: its part, its kind, its label and a cell for each column."""

    part: str
    kind: str
    label: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """Text, ready to be written.

    Attributes
    ----------
    title : str
    models : tuple of str
        Names of the models, over `width` columns each.
    header : tuple of str
        Names of the columns below; empty where a model has one.
    lines : tuple of Line
    notes : tuple of str
    """

    title: str
    models: tuple[str, ...]
    header: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    @property
    def width(self) -> int:
        """Columns of a model."""
        return max(len(self.header), 1)

    @property
    def columns(self) -> tuple[str, ...]:
        """A name for each column but that of the labels."""
        if not self.header:
            return self.models
        return tuple(f"{model} {name}" for model in self.models for name in self.header)

    @property
    def heads(self) -> tuple[str, ...]:
        """The lowest name above each column but that of the labels."""
        return self.header * len(self.models) if self.header else self.models

    @property
    def parts(self) -> list[list[Line]]:
        """Lines between two rules."""
        return [list(lines) for _, lines in groupby(self.lines, lambda line: line.part)]


def text(grid: Grid) -> str:
    """Plain text, decimals below each other."""
    columns = [_aligned([line.cells[j] for line in grid.lines]) for j in range(len(grid.columns))]
    widths = [
        max(len(head), *(len(cell) for cell in cells))
        for head, cells in zip(grid.heads, columns, strict=True)
    ]
    k = grid.width
    for i, model in enumerate(grid.models):  # room for a name over several columns
        own = sum(widths[i * k : (i + 1) * k]) + len(GAP) * (k - 1)
        widths[i * k] += max(len(model) - own, 0)
    labels = [line.label for line in grid.lines]
    left = max(map(len, labels), default=0)
    rule = "-" * (left + sum(w + len(GAP) for w in widths))

    def row(label: str, cells: Sequence[str]) -> str:
        shown = (cell.rjust(w) for cell, w in zip(cells, widths, strict=True))
        return GAP.join([label.ljust(left), *shown]).rstrip()

    out = [grid.title] if grid.title else []
    out.append(rule)
    if grid.header:
        spans = [sum(widths[i : i + k]) + len(GAP) * (k - 1) for i in range(0, len(widths), k)]
        names = (name.center(span) for name, span in zip(grid.models, spans, strict=True))
        out.append(GAP.join([" " * left, *names]).rstrip())
    out.append(row("", grid.heads))
    at = 0
    for part in grid.parts:
        out.append(rule)
        for line in part:
            out.append(row(line.label, [cells[at] for cells in columns]))
            at += 1
    return "\n".join([*out, rule, *grid.notes])


def _aligned(cells: Sequence[str]) -> list[str]:
    """Cells with as much room behind the last digit as the longest tail of marks needs."""
    tails = [len(cell) - len(re.sub(r"[^0-9]+$", "", cell)) for cell in cells]
    numbers = [any(c.isdigit() for c in cell) for cell in cells]
    longest = max((t for t, number in zip(tails, numbers) if number), default=0)
    return [
        cell + " " * (longest - tail) if number else cell
        for cell, tail, number in zip(cells, tails, numbers)
    ]


def markdown(grid: Grid) -> str:
    """A pipe table, as GitHub, Quarto and pandoc read it."""

    def row(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    out = [f"**{grid.title}**", ""] if grid.title else []
    out += [row(["", *grid.columns]), "|:--|" + "--:|" * len(grid.columns)]
    for line in grid.lines:
        label = f"**{line.label}**" if line.kind == HEADING else line.label
        out.append(row([label, *(_literal(cell) for cell in line.cells)]))
    for note in grid.notes:
        out += ["", _literal(note)]
    return "\n".join(out)


def _literal(cell: str) -> str:
    """Stars as stars, not as marks of Markdown."""
    return cell.replace("*", "\\*")


def html(grid: Grid) -> str:
    """A table with its own caption, headings of parts and notes."""
    caption = f"<caption>{escape(grid.title)}</caption>" if grid.title else ""
    span = f' colspan="{grid.width}"' if grid.header else ""
    names = "".join(
        f'<th scope="col"{span} style="text-align: {"center" if span else "right"}">'
        f"{escape(model)}</th>"
        for model in grid.models
    )
    head = f"<tr><th></th>{names}</tr>"
    if grid.header:
        cells = "".join(_cell(name, "th") for name in grid.header) * len(grid.models)
        head += f"<tr><th></th>{cells}</tr>"
    wide = len(grid.columns) + 1
    bodies = "".join(
        "<tbody>" + "".join(_html_line(line, wide) for line in part) + "</tbody>"
        for part in grid.parts
    )
    notes = "<br>".join(escape(note) for note in grid.notes)
    foot = f'<tfoot><tr><td colspan="{wide}" style="text-align: left">{notes}</td></tr></tfoot>'
    return f"<table>{caption}<thead>{head}</thead>{bodies}{foot if notes else ''}</table>"


def _html_line(line: Line, wide: int) -> str:
    if line.kind == HEADING:
        label = escape(line.label)
        return f'<tr><th colspan="{wide}" style="text-align: left">{label}</th></tr>'
    label = f'<th scope="row" style="text-align: left; font-weight: normal">{escape(line.label)}'
    return f"<tr>{label}</th>{''.join(_cell(cell, 'td') for cell in line.cells)}</tr>"


def _cell(content: str, tag: str) -> str:
    return f'<{tag} style="text-align: right">{escape(content)}</{tag}>'


# -- LaTeX ----------------------------------------------------------------------------------------

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "²": r"\textsuperscript{2}",
    "[": "{[}",
    "]": "{]}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}


def tex(content: str) -> str:
    """A text whose marks LaTeX prints as they are; the minus of a number as a minus."""
    escaped = "".join(_SPECIAL.get(c, c) for c in content)
    return re.sub(r"(?<![\w.])-(?=[\d.])", "$-$", escaped)


def latex(grid: Grid, label: str = "") -> str:
    """A tabular with the rules of booktabs, within a table where it has a title or a label."""
    wide = len(grid.columns)
    k = grid.width
    out = [rf"\begin{{tabular}}{{l{'r' * wide}}}", r"\toprule"]
    if grid.header:
        spans = [rf"\multicolumn{{{k}}}{{c}}{{{tex(model)}}}" for model in grid.models]
        out.append(" & ".join(["", *spans]) + r" \\")
        ends = [(2 + i * k, 1 + (i + 1) * k) for i in range(len(grid.models))]
        out.append(" ".join(rf"\cmidrule(lr){{{a}-{b}}}" for a, b in ends))
    out.append(" & ".join(["", *map(tex, grid.heads)]) + r" \\")
    for part in grid.parts:
        out.append(r"\midrule")
        out += [_tex_line(line, wide + 1) for line in part]
    out.append(r"\bottomrule")
    for note in grid.notes:
        out.append(rf"\multicolumn{{{wide + 1}}}{{l}}{{\footnotesize {tex(note)}}} \\")
    out.append(r"\end{tabular}")
    if not (grid.title or label):
        return "\n".join(out)
    caption = [rf"\caption{{{tex(grid.title)}}}"] if grid.title else []
    named = [rf"\label{{{label}}}"] if label else []
    frame = [r"\begin{table}[htbp]", r"\centering", *caption, *named]
    return "\n".join([*frame, *out, r"\end{table}"])


def _tex_line(line: Line, wide: int) -> str:
    if line.kind == HEADING:
        return rf"\multicolumn{{{wide}}}{{l}}{{\textbf{{{tex(line.label)}}}}} \\"
    return " & ".join([tex(line.label), *map(tex, line.cells)]) + r" \\"


# -- Word and great_tables -------------------------------------------------------------------------


def docx(grid: Grid) -> Any:
    """A document of python-docx with the table in it."""
    library = _library("docx", "python-docx", "Word documents")
    document = library.Document()
    if grid.title:
        document.add_paragraph(grid.title, style="Caption")
    heads = 2 if grid.header else 1
    table = document.add_table(heads + len(grid.lines), 1 + len(grid.columns))
    for i, model in enumerate(grid.models):
        first = 1 + i * grid.width
        cell = table.cell(0, first)
        if grid.header:
            cell = cell.merge(table.cell(0, first + grid.width - 1))
        _write(cell, model, bold=True, align="CENTER" if grid.header else "RIGHT")
    for j, name in enumerate(grid.header * len(grid.models)):
        _write(table.cell(1, 1 + j), name, bold=True)
    for i, line in enumerate(grid.lines):
        cells = table.rows[heads + i].cells
        _write(cells[0], line.label, bold=line.kind == HEADING, align="LEFT")
        for cell, content in zip(cells[1:], line.cells, strict=True):
            _write(cell, content)
    for after in _last_rows(grid, heads):
        _underline(table.rows[after])
    for note in grid.notes:
        document.add_paragraph(note)
    return document


def _last_rows(grid: Grid, heads: int) -> list[int]:
    """The rows above a rule: those of the names, and the last of each part."""
    rows = [heads - 1]
    for part in grid.parts:
        rows.append(rows[-1] + len(part))
    return rows


def _write(cell: Any, content: str, bold: bool = False, align: str = "RIGHT") -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    paragraph = cell.paragraphs[0]
    paragraph.alignment = getattr(WD_ALIGN_PARAGRAPH, align)
    paragraph.paragraph_format.space_after = 0
    paragraph.add_run(content).bold = bold


def _underline(row: Any) -> None:
    """A rule below the cells of a row."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for cell in row.cells:
        borders = OxmlElement("w:tcBorders")
        bottom = OxmlElement("w:bottom")
        for name, value in (("val", "single"), ("sz", "6"), ("color", "auto")):
            bottom.set(qn(f"w:{name}"), value)
        borders.append(bottom)
        cell._tc.get_or_add_tcPr().append(borders)


def great_table(grid: Grid) -> Any:
    """A ``GT`` of great_tables, with spanners, headings of parts and notes."""
    library = _library("great_tables", "great_tables", "its tables")
    import pandas as pd

    names = [f"column_{j}" for j in range(len(grid.columns))]
    heading, rows = "", []
    for line in grid.lines:
        if line.kind == HEADING:
            heading = line.label
        else:
            rows.append([_group(line.part, heading), line.label, *line.cells])
    frame = pd.DataFrame(rows, columns=["part", "term", *names])
    table = library.GT(frame, rowname_col="term", groupname_col="part")
    table = table.cols_label(**dict(zip(names, grid.heads, strict=True))).cols_align("right", names)
    if grid.header:
        for i, model in enumerate(grid.models):
            own = names[i * grid.width : (i + 1) * grid.width]
            table = table.tab_spanner(label=model, columns=own, id=f"model_{i}")
    if grid.title:
        table = table.tab_header(title=grid.title)
    for note in grid.notes:
        table = table.tab_source_note(note)
    return table


def _group(part: str, heading: str) -> str:
    """Name of a group of rows; of statistics of the fit, that have no heading, their part's."""
    return "Fit" if part == "fit" else heading


def _library(module: str, package: str, what: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"{what} need the package {package}: pip install {package}, or interlace[tables]"
        ) from error
