"""The partials of the table as rows of the table: what makes the derivative of a tape a tape.

Every partial is parsed once into a *template*, a short list of operations whose operands are the row's own
operands, its value, its condition, a constant, or an earlier entry of the list. Templates of all operations stand
one after the other in flat arrays, as the kernel of ``kernels/derivative_rows.py`` reads them.
"""

from __future__ import annotations

import ast

import numpy as np
from numpy.typing import NDArray

from .ops import OPCODE, OPS

X, Y, V, C = -1, -2, -3, -4  # references to the operands, the value and the condition of the row
FIRST_CONSTANT = -5  # constant k is FIRST_CONSTANT - k

_NAMES = {"x": X, "y": Y, "v": V, "c": C}
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.USub: "neg",
    ast.BitAnd: "logical_and",
    ast.BitOr: "logical_or",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
}


class _Template:
    """One partial as a list of (opcode, first operand, second operand, condition); equal entries are made once."""

    def __init__(self, rule: str, constants: list[float]) -> None:
        self.entries: list[tuple[int, int, int, int]] = []
        self._constants = constants
        self.result = self._visit(ast.parse(rule, mode="eval").body)

    def _visit(self, node: ast.AST) -> int:
        if isinstance(node, ast.Name):
            return _NAMES[node.id]
        if isinstance(node, ast.Constant):
            return self._constant(float(str(node.value)))
        if isinstance(node, ast.UnaryOp):
            if isinstance(node.operand, ast.Constant):
                return self._constant(-float(str(node.operand.value)))
            return self._entry(_OPERATORS[type(node.op)], self._visit(node.operand))
        if isinstance(node, ast.BinOp):
            return self._entry(_OPERATORS[type(node.op)], self._visit(node.left), self._visit(node.right))
        if isinstance(node, ast.Compare):
            return self._entry(_OPERATORS[type(node.ops[0])], self._visit(node.left), self._visit(node.comparators[0]))
        assert isinstance(node, ast.Call)  # the grammar, which rules.py has checked, ends here
        assert isinstance(node.func, ast.Name)
        arguments = [self._visit(argument) for argument in node.args]
        if node.func.id == "where":
            return self._entry("where", arguments[1], arguments[2], arguments[0])
        return self._entry(node.func.id, *arguments)

    def _constant(self, number: float) -> int:
        if number not in self._constants:
            self._constants.append(number)
        return FIRST_CONSTANT - self._constants.index(number)

    def _entry(self, name: str, a: int, b: int | None = None, condition: int | None = None) -> int:
        zero = self._constant(0.0)
        entry = (OPCODE[name], a, zero if b is None else b, zero if condition is None else condition)
        if entry not in self.entries:
            self.entries.append(entry)
        return self.entries.index(entry)


_constants: list[float] = []
_templates = [_Template(rule, _constants) for op in OPS for rule in (*op.partials, "0.0", "0.0")[:2]]

# Template 2 * opcode + operand: its entries are STARTS[t] to STARTS[t + 1], its value is RESULTS[t].
STARTS = np.cumsum([0, *(len(template.entries) for template in _templates)]).astype(np.int32)
ENTRIES = np.array([entry for template in _templates for entry in template.entries], np.int32)
RESULTS = np.array([template.result for template in _templates], np.int32)
CONSTANTS = np.array(_constants)
LONGEST = int(np.diff(STARTS).max())

_IS_WHERE = ENTRIES[:, 0] == OPCODE["where"]  # with its COND row it is two rows
_ROWS = np.add.reduceat(np.append(1 + _IS_WHERE, 0), np.minimum(STARTS[:-1], len(ENTRIES)))
_ROWS[np.diff(STARTS) == 0] = 0
# Rows that one row of an operation adds at most to a derivative: partials, products with them, sums.
MOST_ROWS = (_ROWS + 2).reshape(-1, 2).sum(axis=1)


def chain_rows(expanded: NDArray[np.bool_], order: int) -> NDArray[np.int64]:
    """Most rows, per operation, of its partials, the partials of those of them to be expanded, and so on."""
    own = np.where(expanded, _ROWS.reshape(-1, 2).sum(axis=1), 0)
    template = np.repeat(np.arange(len(RESULTS)), np.diff(STARTS))
    rows = np.zeros_like(own)
    for _ in range(order):
        below = np.bincount(template, rows[ENTRIES[:, 0]], len(RESULTS)).astype(np.int64)
        rows = np.where(expanded, own + below.reshape(-1, 2).sum(axis=1), 0)
    return rows
