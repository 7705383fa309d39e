"""The computational graph: values on nodes, partials on edges, tangents and adjoints in two colours."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from ..notation import Rows, number
from ..ops import OPCODE
from .drawing import FILL, FORWARD, REVERSE, draw
from .view import View, view_of

_INPUT = OPCODE["input"]
_LONGEST_TEXT = 60


@dataclass
class Node:
    """A row, or the rows of one source line."""

    kind: str  # input, row or output
    text: str
    value: str = ""
    tangent: str = ""
    adjoint: str = ""


@dataclass
class Graph:
    """Nodes and edges, drawn by ``save`` or by a notebook.

    Attributes
    ----------
    nodes : dict
        By key; in the order of the tape.
    edges : list of (from, to, label)
        The label is the partial, or the number of operands where rows are collapsed.
    """

    nodes: dict[Any, Node] = field(default_factory=dict)
    edges: list[tuple[Any, Any, str]] = field(default_factory=list)
    collapsed: bool = False

    @property
    def dot(self) -> str:
        """The graph in the language of graphviz; needs nothing installed."""
        names = {key: f"n{k}" for k, key in enumerate(self.nodes)}
        lines = [
            "digraph tape {",
            f"  rankdir={'TB' if self.collapsed else 'LR'};",
            '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11];',
            '  edge [fontname="Helvetica", fontsize=9, color="#555555"];',
        ]
        for key, node in self.nodes.items():
            label = "<br/>".join(self._html(node))
            lines.append(f'  {names[key]} [label=<{label}>, fillcolor="{FILL[node.kind]}"];')
        for start, end, label in self.edges:
            style = "" if label else ", style=dashed"
            lines.append(f'  {names[start]} -> {names[end]} [label="{label}"{style}];')
        return "\n".join([*lines, "}"])

    def _html(self, node: Node) -> list[str]:
        parts = [*map(escape, node.text.split("\n")), f"<b>{node.value}</b>" if node.value else ""]
        parts.append(f'<font color="{FORWARD}">tangent {node.tangent}</font>' if node.tangent else "")
        parts.append(f'<font color="{REVERSE}">adjoint {node.adjoint}</font>' if node.adjoint else "")
        return [part for part in parts if part]

    def save(self, path: Any, engine: str | None = None) -> Path:
        """Draw the graph into a file: ``.svg`` or ``.png``, or ``.dot`` for its text.

        Parameters
        ----------
        path : str or Path
            The ending says the format.
        engine : {"graphviz", "matplotlib"}, optional
            graphviz's ``dot`` program where it is on the path, else matplotlib.

        Raises
        ------
        ImportError
            Neither is installed.
        """
        path = Path(path)
        kind = path.suffix[1:]
        if kind == "dot":
            path.write_text(self.dot, encoding="utf-8")
            return path
        if kind not in ("svg", "png"):
            raise ValueError(f"{path.name}: expected a file that ends in .svg, .png or .dot")
        path.write_bytes(self._drawn(kind, engine))
        return path

    def _drawn(self, kind: str, engine: str | None) -> bytes:
        if engine not in (None, "graphviz", "matplotlib"):
            raise ValueError(f"engine={engine!r}: expected 'graphviz' or 'matplotlib'")
        dot = shutil.which("dot")
        if dot is None and engine == "graphviz":
            raise ImportError("the program dot of graphviz is not on the path; install graphviz, or use matplotlib")
        if dot is not None and engine != "matplotlib":
            arguments = [dot, f"-T{kind}", *(["-Gdpi=110"] if kind == "png" else [])]
            done = subprocess.run(arguments, input=self.dot.encode(), capture_output=True, check=True)
            return done.stdout
        return draw(self, kind)

    def _repr_svg_(self) -> str:
        return self._drawn("svg", None).decode()

    def __repr__(self) -> str:
        what = "lines" if self.collapsed else "rows"
        return f"<fastad.inspect.Graph: {len(self.nodes)} {what}, {len(self.edges)} edges; .save('graph.svg'), .dot>"


def graph(
    source: Any,
    output: Any = None,
    *,
    direction: ArrayLike | None = None,
    args: Sequence[Any] | None = None,
    max_rows: int = 60,
) -> Graph:
    """Return the graph of a tape or a Program.

    Parameters
    ----------
    source : Tape or Program
        What to draw.
    output : Active or int, optional
        Adjoints are those of this output: of a tape, a value on it (the last row by default); of a Program, the
        number of one of its outputs, needed where it has several.
    direction : array_like, shape (inputs,), optional
        Tangents are those in this direction of the inputs.
    args : sequence, optional
        Of a Program, the arguments to evaluate at: by default where it was recorded.
    max_rows : int
        A longer recording is collapsed: a node per source line (record on ``Tape(lines=True)`` or under
        ``fad.debug()``), one per input array.

    Returns
    -------
    Graph
        ``.save("graph.svg")`` draws it by graphviz or matplotlib (pip extra ``plot``), ``.dot`` is its text, and a
        notebook shows it.

    Raises
    ------
    ValueError
        The recording is longer than ``max_rows`` and no lines were kept.
    """
    view = view_of(source, output, args)
    if len(view.rows) > max_rows:
        return _by_line(view)
    tangent = None if direction is None else view.tangents(direction)
    adjoint = view.adjoints(view.one_output()) if view.outputs.size == 1 else None
    rows, drawn = view.rows, Graph()
    outputs = dict(zip(view.outputs.tolist(), view.output_names))
    for row in range(len(rows)):
        is_input = rows.opcode[row] == _INPUT
        text = f"{rows.name(row)} = {rows.expression(row)}"
        if row in outputs:
            text = f"{outputs[row]} = {text}"
        drawn.nodes[row] = Node(
            "output" if row in outputs else "input" if is_input else "row",
            text,
            number(rows.value[row]),
            "" if tangent is None else number(tangent[row]),
            "" if adjoint is None else number(adjoint[row]),
        )
        for k, (i, _, partial) in enumerate(rows.operands(row)):
            if i >= 0:
                carries = rows.op(row).partials[k] != "0.0"
                drawn.edges.append((i, row, number(partial) if carries else ""))
    return drawn


def _by_line(view: View) -> Graph:
    """One node per source line, and one per input array."""
    rows = view.rows
    if sum(place is not None for place in rows.places) <= len(rows) // 2:
        raise ValueError(
            f"{len(rows)} rows are too many for a picture, and their lines were not kept; record on "
            "fad.Tape(lines=True) or under fad.debug() to draw a node per line, or raise max_rows"
        )
    keys = [_key(rows, row) for row in range(len(rows))]
    drawn, counts = Graph(collapsed=True), Counter(keys)
    outputs = {keys[row] for row in view.outputs.tolist()}
    for row, key in enumerate(keys):
        if key not in drawn.nodes:
            kind = "output" if key in outputs else "input" if rows.opcode[row] == _INPUT else "row"
            drawn.nodes[key] = Node(kind, _caption(key), f"{counts[key]} row{'s' if counts[key] > 1 else ''}")
    between: Counter[tuple[Any, Any]] = Counter()
    for row, key in enumerate(keys):
        for i, _, _ in rows.operands(row):
            if i >= 0 and keys[i] != key:
                between[keys[i], key] += 1
    drawn.edges = [(start, end, str(count)) for (start, end), count in between.items()]
    return drawn


def _key(rows: Rows, row: int) -> Any:
    if rows.opcode[row] == _INPUT:
        return rows.input_name(row).split("[")[0]
    return rows.place(row)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."


def _caption(key: Any) -> str:
    if key is None:
        return "no line"
    return key if isinstance(key, str) else f"{key.short}\n{_shortened(key.text)}"
