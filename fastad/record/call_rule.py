"""Calling a rule with arrays: plain numbers give plain numbers, actives leave a BLOCK row."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..structure import is_active, real_array
from .array import ActiveArray, common_tape, operand
from .blocks import Operand, Rule


def call_rule(rule: Rule, *operands: Any) -> list[Any]:
    """Return the results of a rule as arrays, active ones where an operand is active."""
    arrays = [operand(x) if is_active(x) else real_array(x, "operand", copy=False) for x in operands]
    tape = common_tape([x for x in arrays if isinstance(x, tuple)])
    if tape is None:
        return [np.asarray(result, np.float64) for result in rule.values(arrays)]
    recorded = [Operand.of(x[0].copy(), x[1].copy()) if isinstance(x, tuple) else Operand.passive(x) for x in arrays]
    # Of the copies, which lie in memory as in a replay: BLAS rounds the product of a view and its array differently.
    results = [np.asarray(result, np.float64) for result in rule.values([x.values for x in recorded])]
    block = tape._append_block(rule, recorded, results)
    rows = block.results(np.arange(block.row, block.stop, dtype=np.int32), 0)
    if not rule.stacks:
        results = [result.copy() for result in results]
    return [ActiveArray(result, index, tape) for result, index in zip(results, rows)]
