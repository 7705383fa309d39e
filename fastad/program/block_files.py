"""BLOCK rows in files: which of fastad's own rules they have, and the shapes of their arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ProgramFormatError
from ..ops import OPCODE
from ..record import algebra, contraction, fourier, singular
from ..record.blocks import Block, Operand, Rule

_BLOCK, _PART = OPCODE["block"], OPCODE["part"]
_RULES: tuple[Rule, ...] = (*algebra.RULES, *contraction.RULES, *singular.RULES, *fourier.RULES)
_NAMED = {rule.name: rule for rule in _RULES}


def blocks_to_json(blocks: Iterable[Block], rules: list[Rule] | None) -> list[Any]:
    """Return blocks as JSON can hold them; what they read stands in the tables of the recording.

    Rules that are not fastad's own are appended to ``rules``, and raise TypeError where that is None.
    """
    return [
        [block.row, _key(block.rule, rules), [list(o.rows.shape) for o in block.operands], [*map(list, block.shapes)]]
        for block in blocks
    ]


def _key(rule: Rule, rules: list[Rule] | None) -> str | int:
    if _NAMED.get(rule.name) is rule:
        return rule.name
    if rules is None:
        raise TypeError(
            f"{rule.name} is a rule of one's own, which a file cannot hold; pickle the Program where the functions of "
            "the rule can be imported, or record again"
        )
    if rule not in rules:
        rules.append(rule)
    return rules.index(rule)


def blocks_from_json(items: Any, columns: Mapping[str, NDArray[Any]], rules: Sequence[Rule]) -> list[Block]:
    """Return blocks that `blocks_to_json` wrote; raise ProgramFormatError for what does not fit the columns."""
    opcode, starts = columns["opcode"], columns["table_starts"]
    tables = dict(zip(columns["table_users"].tolist(), columns["table_used"].tolist()))
    expected = np.zeros(opcode.size, np.uint8)
    blocks: list[Block] = []
    for row, key, operand_shapes, shapes in items:
        check(isinstance(row, int) and 0 <= row < opcode.size and opcode[row] == _BLOCK, "a block at no BLOCK row")
        check(not blocks or row >= blocks[-1].stop, "blocks out of order")
        table = tables[row]
        elements = slice(int(starts[table]), int(starts[table + 1]))
        operands = _operands(operand_shapes, columns["table_rows"][elements], columns["table_values"][elements])
        block = Block(row, _rule(key, rules), operands, tuple(map(_shape, shapes)))
        check(block.stop <= opcode.size, "a block without its results")
        expected[row], expected[row + 1 : block.stop] = _BLOCK, _PART
        check((columns["arg0"][row + 1 : block.stop] == row).all(), "a result of no block")
        blocks.append(block)
    is_block = (opcode == _BLOCK) | (opcode == _PART)
    check(np.array_equal(np.where(is_block, opcode, 0), expected), "BLOCK rows that no block describes")
    return blocks


def _rule(key: Any, rules: Sequence[Rule]) -> Rule:
    if isinstance(key, str):
        check(key in _NAMED, f"this fastad has no rule {key}")
        return _NAMED[key]
    check(isinstance(key, int) and 0 <= key < len(rules), "a rule that is not there")
    return rules[key]


def _shape(shape: Any) -> tuple[int, ...]:
    sizes = tuple(int(n) for n in shape)
    check(all(n >= 0 for n in sizes) and math.prod(sizes) < 2**31, "a shape that does not fit")
    return sizes


def _operands(shapes: Any, rows: NDArray[np.int32], values: NDArray[np.float64]) -> tuple[Operand, ...]:
    operands, at = [], 0
    for shape in map(_shape, shapes):
        stop = at + math.prod(shape)
        check(stop <= rows.size, "operands that do not fit")
        operands.append(Operand.of(values[at:stop].reshape(shape), rows[at:stop].reshape(shape)))
        at = stop
    check(at == rows.size, "operands that do not fit")
    return tuple(operands)


def check(condition: Any, message: str) -> None:
    """Raise ProgramFormatError unless a condition holds."""
    if not condition:
        raise ProgramFormatError(f"not a readable Program file: {message}")
