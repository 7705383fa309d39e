"""Memory of a call of a Program at one point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..kernels.frame import COLUMNS
from .recording import Recording


class Frame:
    """Arrays of a call and their address, valid as long as they are."""

    def __init__(self, r: Recording, runs: NDArray[np.int64]) -> None:
        n = len(r)
        self.value, self.adjoint = np.empty(n), np.empty(n + 1)
        # Zeros: a replay writes no partials of inputs, guards and look-ups, and a sweep reads them.
        self.partial0, self.partial1, self.picked = np.zeros(n), np.zeros(n), r.arg1.copy()
        arrays = {
            "opcode": r.opcode,
            "arg0": r.arg0,
            "arg1": r.arg1,
            "passive0": r.partial0,
            "passive1": r.partial1,
            "rows": np.arange(n, dtype=np.int32),
            "table_starts": r.table_starts,
            "table_rows": r.table_rows,
            "table_values": r.table_values,
            "table_of_row": r.table_of_row,
            "output_rows": r.output_rows,
            "output_constants": r.output_constants,
            "value": self.value,
            "partial0": self.partial0,
            "partial1": self.partial1,
            "picked": self.picked,
            "adjoint": self.adjoint,
            "runs": runs,
        }
        self._arrays = [np.ascontiguousarray(arrays[name], dtype) for name, dtype in COLUMNS]
        self._table = np.array([(column.ctypes.data, column.size) for column in self._arrays], np.int64)
        self.address = int(self._table.ctypes.data)
