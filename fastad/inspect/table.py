"""A table of texts: plain, Markdown, HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Table:
    """Columns with a heading each.

    Attributes
    ----------
    head : sequence of str
        One per column.
    rows : sequence of sequence of str
        As many texts as there are columns.
    title : str
        A line above.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""

    def __str__(self) -> str:
        lines = [self.head, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.head))]
        right = [self._is_numeric(i) for i in range(len(self.head))]
        text = [
            "  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(line, widths, right)).rstrip()
            for line in lines
        ]
        return "\n".join([self.title] * bool(self.title) + text)

    __repr__ = __str__

    def markdown(self) -> str:
        """Return the table in Markdown."""
        rule = ["---:" if self._is_numeric(i) else "---" for i in range(len(self.head))]
        lines = [
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
            for line in (self.head, rule, *self.rows)
        ]
        return "\n".join([self.title, ""] * bool(self.title) + lines)

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_html_(self) -> str:
        align = ["right" if self._is_numeric(i) else "left" for i in range(len(self.head))]

        def line(tag: str, cells: Sequence[str]) -> str:
            pairs = zip(cells, align)
            return "<tr>" + "".join(f'<{tag} style="text-align:{a}">{escape(c)}</{tag}>' for c, a in pairs) + "</tr>"

        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        body = "".join(line("td", row) for row in self.rows)
        return f"<table>{caption}<thead>{line('th', self.head)}</thead><tbody>{body}</tbody></table>"

    def _is_numeric(self, column: int) -> bool:
        cells = [row[column] for row in self.rows if row[column]]
        return bool(cells) and all(cell.lstrip("-+")[:1].isdigit() or cell in ("nan", "inf", "-inf") for cell in cells)


class Tabular:
    """What is shown as one table."""

    def table(self) -> Table:
        """Return what is shown."""
        raise NotImplementedError

    def __str__(self) -> str:
        return str(self.table())

    __repr__ = __str__

    def markdown(self) -> str:
        """Return it in Markdown."""
        return self.table().markdown()

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()
