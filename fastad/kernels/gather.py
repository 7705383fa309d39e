"""Inputs that vary, from rows of the caller's arrays to slots of the workspace.

Each scenario is a row of doubles, each slot holds one element of 64 scenarios: a transposition. In tiles of
8 x 8, through registers, it takes 0.6-0.9 ns per double in cache and 1.5 from memory; element by element it took 2.9.
"""

from __future__ import annotations

import numpy as np

from ._jit import jit
from ._simd import address, peek, poke, transpose

_LANES = 64
_TILE = 8
_SLOT_BYTES = _LANES * 8


@jit
def gather(gathered, scenarios, group, count, workspace):
    """Copy the inputs of one group: array i fills slots[starts[i]:starts[i+1]] from rows of doubles.

    Lanes beyond ``count`` repeat the last scenario. Slots of -1 are inputs that nothing needs.
    """
    sources, strides, starts, slots = gathered
    rows = np.empty(_LANES, np.int64)
    targets = np.empty(_TILE, np.int64)
    base = address(workspace)
    for i in range(sources.size):
        for lane in range(_LANES):
            position = group * _LANES + min(lane, count - 1)
            scenario = scenarios[position] if scenarios.size else position
            rows[lane] = sources[i] + scenario * strides[i] * 8
        first, columns = starts[i], starts[i + 1] - starts[i]
        for tile in range(0, columns, _TILE):
            at = max(0, min(tile, columns - _TILE))  # the last tile may cover elements of the one before again
            if columns >= _TILE and _addresses(slots, first + at, base, targets):
                for lane in range(0, _LANES, _TILE):
                    transpose(address(rows) + lane * 8, at, address(targets), lane)
            else:
                for column in range(at, min(at + _TILE, columns)):
                    slot = np.int64(slots[first + column])
                    if slot >= 0:
                        for lane in range(_LANES):
                            poke(base + slot * _SLOT_BYTES, lane, peek(rows[lane], column))


@jit
def _addresses(slots, first, base, targets):
    """Addresses of eight slots; false if one of them is -1."""
    for j in range(_TILE):
        slot = np.int64(slots[first + j])
        if slot < 0:
            return False
        targets[j] = base + slot * _SLOT_BYTES
    return True
