"""Calling a rule with arrays: plain numbers give plain numbers, actives leave a BLOCK row."""

from __future__ import annotations

from typing import Any

import numpy as np

from .array import ActiveArray, common_tape, operand
from .blocks import Operand, Rule


def call_rule(rule: Rule, *operands: Any) -> list[Any]:
    """Return the results of a rule as arrays, active ones where an operand is active."""
    parts = [operand(x) for x in operands]
    tape = common_tape(parts)
    results = [np.asarray(result, np.float64) for result in rule.values([value for value, _, _ in parts])]
    if tape is None:
        return results
    # Copies: what the caller writes into its arrays later is not what was recorded.
    recorded = [Operand(value.copy(), index.copy()) for value, index, _ in parts]
    block = tape._append_block(rule, recorded, results)
    rows = block.results(np.arange(block.row, block.stop, dtype=np.int32), 0)
    return [ActiveArray(result.copy(), index.copy(), tape) for result, index in zip(results, rows)]
