"""The evaluation trace: values down, tangents down, adjoints up."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..notation import Rows, number
from ..ops import OPCODE, OPS
from .table import Table, Tabular
from .view import View, view_of

_SHOWN = 200
_PLAIN_PARTIALS = {"1.0": "", "-1.0": "-"}
_INPUT, _WHERE = OPCODE["input"], OPCODE["where"]


def trace(
    source: Any,
    output: Any = None,
    *,
    direction: ArrayLike | None = None,
    args: Sequence[Any] | None = None,
    max_rows: int = _SHOWN,
) -> Trace:
    """Return the evaluation trace of a tape or a Program.

    Parameters
    ----------
    source : Tape or Program
        What to look at.
    output : Active or int, optional
        Adjoints are those of this output: of a tape, a value on it (the last row by default); of a Program, the
        number of one of its outputs, needed where it has several.
    direction : array_like, shape (inputs,), optional
        Tangents are those in this direction of the inputs.
    args : sequence, optional
        Of a Program, the arguments to evaluate at: by default where it was recorded.
    max_rows : int
        Longer traces are shown by their beginning and end.

    Returns
    -------
    Trace
        Prints as a table; ``.forward`` and ``.reverse`` are the two traces of the textbooks with their formulas.

    Examples
    --------
    >>> import fastad as fad
    >>> program = fad.record(lambda x, y: x * y + fad.sin(x), 2.0, 3.0)
    >>> fad.inspect.trace(program, direction=[1.0, 0.0])
    name  expression     value    tangent  adjoint
    v_-1  x                2.0        1.0  2.58385
    v_0   y                3.0        0.0      2.0
    v_1   v_-1 * v_0       6.0        3.0      1.0
    v_2   sin(v_-1)   0.909297  -0.416147      1.0
    v_3   v_1 + v_2     6.9093    2.58385      1.0
    """
    view = view_of(source, output, args)
    tangent = None if direction is None else view.tangents(direction)
    adjoint = view.adjoints(view.one_output()) if view.outputs.size == 1 else None
    return Trace(view, tangent, adjoint, max_rows)


@dataclass(frozen=True, repr=False)
class Trace(Tabular):
    """Rows of an evaluation trace.

    Attributes
    ----------
    view : View
        The rows, and the output.
    tangent, adjoint : ndarray or None
        Per row, where a direction was given and where there is one output.
    """

    view: View
    tangent: NDArray[np.float64] | None
    adjoint: NDArray[np.float64] | None
    max_rows: int = _SHOWN

    @property
    def rows(self) -> Rows:
        """Names, expressions, values, places."""
        return self.view.rows

    def table(self) -> Table:
        """Return row by row: name, expression, value, tangent, adjoint, line."""
        rows = self.rows
        columns: dict[str, Any] = {"name": rows.name, "expression": rows.expression}
        for name, numbers in (("value", rows.value), ("tangent", self.tangent), ("adjoint", self.adjoint)):
            if numbers is not None:
                columns[name] = _texts(numbers)
        if any(rows.places):
            columns["line"] = lambda row: getattr(rows.place(row), "short", "")
        return Table(list(columns), self._elided([[of(row) for of in columns.values()] for row in self._shown]))

    @cached_property
    def _shown(self) -> list[int]:
        count = len(self.rows)
        if count <= self.max_rows:
            return list(range(count))
        half = self.max_rows // 2
        return [*range(half), *range(count - half, count)]

    def _elided(self, lines: list[list[str]]) -> list[list[str]]:
        """Say how many rows are left out, between the beginning and the end."""
        left_out = len(self.rows) - len(self._shown)
        if left_out:
            middle = self.max_rows // 2
            lines.insert(middle, [f"... {left_out} rows", *[""] * (len(lines[0]) - 1)])
        return lines

    # -------------------- the textbook's two traces --------------------

    @property
    def forward(self) -> Table:
        """The primal trace beside the tangent trace, with formulas: both run downwards."""
        if self.tangent is None:
            raise ValueError("the forward trace needs a direction: trace(..., direction=[1.0, 0.0])")
        rows, lines = self.rows, []
        for row in self._shown:
            name, value = rows.name(row), number(float(self.tangent[row]))
            terms = [
                f"{_factor(partial)}{rows.name(i)}'" for i, partial in _terms(rows, row) if i >= 0 and partial != "0.0"
            ]
            formula = _sum(terms) if rows.opcode[row] != _INPUT else f"{rows.input_name(row)}'"
            lines.append([name, rows.expression(row), number(float(rows.value[row])), f"{name}'", formula, value])
        head = ["primal", "=", "value", "tangent", "= ", "value "]
        return Table(head, self._elided(lines), "forward: tangents, downwards")

    @property
    def reverse(self) -> Table:
        """The primal trace downwards, then the adjoint trace: from the output back, one line per contribution."""
        if self.adjoint is None:
            raise ValueError("the reverse trace needs one output: trace(..., output=y)")
        rows, bar = self.rows, np.zeros(len(self.rows))
        output = self.view.one_output()
        bar[output] = 1.0
        lines = [[f"~{rows.name(output)}", "1", "1.0"]]
        for row in range(output, -1, -1):
            for (i, text), (_, _, partial) in zip(_terms(rows, row), rows.operands(row)):
                if i < 0 or bar[row] == 0.0 or partial == 0.0:
                    continue
                first = bar[i] == 0.0
                bar[i] += bar[row] * partial
                target = f"~{rows.name(i)}"
                term = f"{_factor(text)}~{rows.name(row)}"
                lines.append([target, term if first else _sum([target, term]), number(float(bar[i]))])
            if len(lines) > self.max_rows:
                lines.append(["...", "", ""])
                break
        return Table(["adjoint", "=", "value"], lines, "reverse: adjoints, from the output back")


def _texts(numbers: NDArray[np.float64]) -> Callable[[int], str]:
    return lambda row: number(float(numbers[row]))


def _terms(rows: Rows, row: int) -> list[tuple[int, str]]:
    """Operand rows, and the rules of the partials in the names of the trace."""
    op = OPS[rows.opcode[row]]
    operands = rows.operands(row)
    texts = [rows.name(i) if i >= 0 else number(x) for i, x, _ in operands]
    words = dict(zip("xy", texts)) | {"v": rows.name(row)}
    if rows.opcode[row] == _WHERE:
        words["c"] = rows.name(int(rows.arg0[row - 1]))
    return [(i, _renamed(rule, words)) for (i, _, _), rule in zip(operands, op.partials)]


def _renamed(rule: str, words: dict[str, str]) -> str:
    """A rule with its operands renamed; names of the trace are no Python names, so they go in at the end."""
    tree = ast.parse(rule, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in words:
            node.id = f"\0{node.id}\0"
    text = ast.unparse(tree)
    for name, word in words.items():
        text = text.replace(f"\0{name}\0", word)
    return text


def _factor(partial: str) -> str:
    if partial in _PLAIN_PARTIALS:
        return _PLAIN_PARTIALS[partial]
    tree = partial.replace("v_-", "v_")  # the index of an input is no minus
    return f"({partial}) * " if " " in tree or tree.startswith("-") else f"{partial} * "


def _sum(terms: list[str]) -> str:
    return " + ".join(terms).replace("+ -", "- ") or "0"
