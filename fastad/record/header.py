"""What compiled code sees of a tape: one int64 per field, in an array of its own.

Rows are appended either by Python (staged, see ``storage.py``) or by compiled code (straight into the columns),
never by both at once. Whoever does not hold the tape finds its limit at 0 and has to ask for room first, which
hands the tape over: ``Storage._lend`` to compiled code, ``Storage._reclaim`` back to Python. So neither looks at
more than one number per row, and an exception in between leaves nothing to repair.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LENGTH = 0  # rows recorded
LIMIT = 1  # row at which compiled code must ask for room; 0 while Python records
COLUMNS = 2  # addresses of the six columns, in the order of storage._COLUMNS
FLAGS = 8
GUARDS = 9  # guards recorded since the tape was lent
GUARD_LIMIT = 10
GUARD_LIST = 11  # address of (row, address of the site's text) per guard
OWNER = 12  # the Tape object, a borrowed reference
FIELDS = 13

RECORDS_GUARDS = 1  # the truth of a condition leaves a guard
FREEZES = 2  # reading a value leaves an equality guard

_FIRST_GUARDS = 1024


class NativeSite(NamedTuple):
    """Where in a jitted function a guard was decided."""

    file: str
    line: int
    builtin: str  # "max" or "min" where a builtin compared, else empty

    @classmethod
    def at(cls, address: int) -> NativeSite:
        """Read the text that compiled code holds at an address: ``line builtin file``; numba never unloads code."""
        line, builtin, file = ctypes.string_at(address).decode().split(" ", 2)
        return cls(file, int(line), builtin)


class Header:
    """The header of one tape, and the list of guards that compiled code appends to."""

    def __init__(self, owner: Any) -> None:
        self.fields: NDArray[np.int64] = np.zeros(FIELDS, np.int64)
        self.fields[OWNER] = id(owner)
        self.address: int = self.fields.ctypes.data
        self._guards = np.empty((0, 2), np.int64)

    def open(self, length: int, limit: int, columns: NDArray[np.int64], flags: int) -> None:
        """Let compiled code append rows from ``length`` on, to columns at these addresses."""
        fields = self.fields
        fields[LENGTH], fields[LIMIT], fields[FLAGS] = length, limit, flags
        fields[COLUMNS : COLUMNS + len(columns)] = columns
        fields[GUARDS], fields[GUARD_LIMIT], fields[GUARD_LIST] = 0, len(self._guards), self._guards.ctypes.data

    def close(self) -> tuple[int, NDArray[np.int64], list[NativeSite]]:
        """Take the rows back: their number, and the rows and sites of new guards."""
        count = int(self.fields[GUARDS])
        guards = self._guards[:count]
        self.fields[LIMIT] = self.fields[GUARD_LIMIT] = self.fields[GUARDS] = 0
        length = int(self.fields[LENGTH])
        if count == len(self._guards):
            self._guards = np.empty((max(_FIRST_GUARDS, 2 * count), 2), np.int64)
        if not count:
            return length, guards[:, 0], []
        addresses, which = np.unique(guards[:, 1], return_inverse=True)
        sites = [NativeSite.at(address) for address in addresses.tolist()]
        return length, guards[:, 0], [sites[i] for i in which.tolist()]
