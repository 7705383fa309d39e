"""Derivatives element by element: every row carries those by the inputs that it depends on, and no others.

One sweep whatever the number of colours, and no product that is known to be zero: where rows depend on few inputs
each, it costs what the derivatives of the rows are, and the memory of their indices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..kernels import sparse as kernels
from .pattern import Dependences, Pattern

_MOST = 2**31 - 2  # elements, which are numbered in 32 bits


class Direct:
    """A sweep prepared: which element of the operands each element of a row comes from.

    Attributes
    ----------
    pattern : Pattern
        Of the matrix.
    size : int
        Elements of all rows.
    elements_per_row : float
        What a row costs, in directions of a sweep.
    """

    def __init__(self, d: Dependences, pattern: Pattern, n_rows: int, size: int) -> None:
        self.pattern, self.size = pattern, size
        self._rows, self._begins, self._ends = np.empty(n_rows, np.int32), *np.empty((2, n_rows), np.int64)
        self._first, self._second = np.zeros((2, size + 1), np.int32)
        where = np.zeros(d.needed.size + 1, np.int32)  # the last one is that of passive outputs
        kernels.place_elements(
            *d.columns, d.column, d.needed, *d.sets,
            self._rows, self._begins, self._ends, self._first, self._second, where,
        )  # fmt: skip
        inside = d.inputs[d.inputs < d.needed.size]
        self._of_inputs = where[inside[d.needed[inside]]]
        lengths = np.diff(pattern.indptr)
        self._of_outputs = np.repeat(where[d.outputs] - pattern.indptr[:-1], lengths) + np.arange(pattern.nnz)
        self.elements_per_row = size / max(n_rows, 1)
        self._free: list[NDArray[np.float64]] = []  # room for the elements: a call takes one and puts it back

    @classmethod
    def prepared(cls, d: Dependences, pattern: Pattern, sweeps: int) -> Direct | None:
        """Prepare the sweep; None where it costs more than some sweeps of one direction.

        None, too, where a row depends on more inputs than are kept, or on whichever a lookup picks.
        """
        n_rows, size = kernels.count_elements(d.needed, d.column, d.sets[0], d.sets[1])
        table_of_row = d.tables[2][: d.needed.size]
        if not 0 <= size <= min(_MOST, sweeps * n_rows) or (table_of_row.size and (table_of_row[d.needed] >= 0).any()):
            return None
        return cls(d, pattern, n_rows, size)

    def differentiate(self, partial0: NDArray[np.float64], partial1: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the elements of the matrix, in the order of the pattern, from the partials of all rows."""
        try:
            elements = self._free.pop()
        except IndexError:
            elements = np.zeros(self.size + 1)
            elements[self._of_inputs] = 1.0
        steps = self._rows, self._begins, self._ends, self._first, self._second
        for masked in (False, True):  # a NaN never disappears on its way: without one, no mask was needed
            kernels.sweep_elements(*steps, partial0, partial1, masked, elements)
            data = elements[self._of_outputs]
            if not np.isnan(data).any():
                break
        self._free.append(elements)
        return data
