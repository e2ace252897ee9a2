"""Cells of text, laid out for a terminal or a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape


def paragraph(text: str) -> str:
    """Lines of text as an HTML paragraph that keeps them apart."""
    return f"<p>{escape(text).replace(chr(10), '<br>')}</p>"


@dataclass(frozen=True)
class Table:
    """Cells of text under an optional title.

    Attributes
    ----------
    header : list of str
    rows : list of list of str
    left : int
        Leading columns aligned to the left.
    title, note : str
        Lines above and below.
    """

    header: list[str]
    rows: list[list[str]]
    left: int = 1
    title: str = ""
    note: str = ""

    def text(self) -> str:
        """Aligned columns."""
        cells = [self.header, *self.rows]
        widths = [max(len(row[j]) for row in cells) for j in range(len(self.header))]
        lines = [self.title] if self.title else []
        for row in cells:
            aligned = [
                c.ljust(w) if j < self.left else c.rjust(w)
                for j, (c, w) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append(" ".join(aligned).rstrip())
        if self.note:
            lines.append(self.note)
        return "\n".join(lines)

    def html(self) -> str:
        """An HTML table, the note in a paragraph below."""
        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        head = "".join(f"<th>{escape(c)}</th>" for c in self.header)
        body = "".join(
            "<tr>"
            + "".join(
                f'<td style="text-align: {"left" if j < self.left else "right"}">{escape(c)}</td>'
                for j, c in enumerate(row)
            )
            + "</tr>"
            for row in self.rows
        )
        note = paragraph(self.note) if self.note else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"
