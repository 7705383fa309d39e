"""Rows in the notation of the field: v_-1, v_0 for inputs, v_1 = log(v_-1) for what follows (Griewank & Walther)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ops import OPCODE, OPS, Op

_INPUT, _COND, _WHERE, _TAKE, _BLOCK, _PART = (
    OPCODE[name] for name in ("input", "cond", "where", "take", "block", "part")
)
INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "pow": "**",
    "floordiv": "//",
    "mod": "%",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
    "logical_and": "&",
    "logical_or": "|",
}
_PREFIX = {"neg": "-", "logical_not": "~"}


@dataclass(frozen=True)
class Rows:
    """Recorded rows at one point, as the views and the errors read them.

    Attributes
    ----------
    opcode, arg0, arg1, value : ndarray
        Columns.
    passive0, passive1 : ndarray
        Operands, where they are passive.
    partial0, partial1 : ndarray
        Partials, where operands are active.
    names : sequence of str
        Of the inputs; empty where an input has none.
    places : sequence
        Source place of every row, None where it is unknown.
    blocks : sequence
        Array operations recorded as one, ascending.
    """

    opcode: NDArray[np.uint8]
    arg0: NDArray[np.int32]
    arg1: NDArray[np.int32]
    passive0: NDArray[np.float64]
    passive1: NDArray[np.float64]
    partial0: NDArray[np.float64]
    partial1: NDArray[np.float64]
    value: NDArray[np.float64]
    names: Sequence[str] = ()
    places: Sequence[Any] = ()
    blocks: Sequence[Any] = ()

    def __len__(self) -> int:
        return self.opcode.size

    @cached_property
    def inputs(self) -> NDArray[np.int64]:
        """Rows of the inputs."""
        return np.flatnonzero(self.opcode == _INPUT)

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """Index i of v_i, per row."""
        is_input = self.opcode == _INPUT
        return np.where(is_input, np.cumsum(is_input) - self.inputs.size, np.cumsum(~is_input))

    def op(self, row: int) -> Op:
        """Operation of a row."""
        return OPS[self.opcode[row]]

    def name(self, row: int) -> str:
        """Return v_i."""
        return f"v_{self.numbers[row]}"

    def place(self, row: int) -> Any:
        """Source place of a row, or None."""
        return self.places[row] if row < len(self.places) else None

    def input_name(self, row: int) -> str:
        """Name of an input: its own, or x_k."""
        k = int(np.searchsorted(self.inputs, row))
        own = self.names[k] if k < len(self.names) else ""
        return own or f"x_{k + 1}"

    def operands(self, row: int) -> list[tuple[int, float, float]]:
        """Row (or -1), value and partial of each operand."""
        if self.opcode[row] == _INPUT:
            return []
        sides = ((self.arg0, self.passive0, self.partial0), (self.arg1, self.passive1, self.partial1))
        found = []
        for arg, passive, partial in sides[: self.op(row).arity]:
            i = int(arg[row])
            found.append((i, float(self.value[i] if i >= 0 else passive[row]), float(partial[row])))
        return found

    def expression(self, row: int) -> str:
        """What a row computes, such as ``v_1 * v_0``."""
        if self.opcode[row] == _INPUT:
            return self.input_name(row)
        texts = [self.name(i) if i >= 0 else number(x) for i, x, _ in self.operands(row)]
        name = self.op(row).name
        if self.opcode[row] == _WHERE:
            texts.insert(0, self.name(int(self.arg0[row - 1])))  # a COND row with the condition comes before
        if self.opcode[row] in (_BLOCK, _PART):
            return self._of_block(row)
        if self.opcode[row] == _TAKE:
            return f"table[{texts[0]}], here {texts[1]}"
        if name in INFIX:
            return f" {INFIX[name]} ".join(texts)
        if name in _PREFIX:
            return _PREFIX[name] + texts[0]
        return f"{name}({', '.join(texts)})"

    def _of_block(self, row: int) -> str:
        """A BLOCK row as its rule and the first and last row it reads, a PART row as an element of it."""
        if self.opcode[row] == _PART:
            first = int(self.arg0[row])
            return f"{self.name(first)}[{row - first - 1}]"
        block = next(block for block in self.blocks if block.row == row)
        rows = np.concatenate([operand.rows.ravel() for operand in block.operands])
        rows = np.unique(rows[rows >= 0])
        ends = (
            self.name(int(rows[0])) if rows.size == 1 else f"{self.name(int(rows[0]))} ... {self.name(int(rows[-1]))}"
        )
        return f"{block.rule.name}({ends})"


def number(x: float) -> str:
    """Return a number in few digits: its own text where that is short."""
    x = float(x)
    return repr(x) if len(repr(x)) <= 8 else f"{x:.6g}"
