"""Lookup tables of a tape: elements that a position picks anew in every scenario.

A TAKE row has the position as its first operand and, as its second, the element picked when it was recorded: a
sweep over the recording needs no more. A replay picks again, from the table that stands here: rows and values of
its elements, row -1 where an element is passive. A LOCATE row finds the cell of a sorted passive grid.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Tables:
    """Elements of all tables, one after the other, and which table each TAKE or LOCATE row looks into."""

    def __init__(self) -> None:
        self._rows: list[Sequence[NDArray[np.int32]]] = []  # of a table, one array after the other
        self._values: list[Sequence[NDArray[np.float64]]] = []
        self._first_users: list[int] = []  # row of each table; ascending, as tables are made when they are used
        self._known: dict[tuple[bytes, bytes], int] = {}
        self._users: list[tuple[int, int]] = []  # (row, table), ascending rows

    @classmethod
    def holding(cls, columns: dict[str, NDArray[Any]]) -> Tables:
        """Return the tables that `columns` gave."""
        tables = cls()
        starts = columns["table_starts"]
        tables._rows = [[columns["table_rows"][i:j]] for i, j in pairwise(starts)]
        tables._values = [[columns["table_values"][i:j]] for i, j in pairwise(starts)]
        tables._users = list(zip(columns["table_users"].tolist(), columns["table_used"].tolist()))
        tables._first_users = [0] * len(tables._rows)
        return tables

    def add(self, rows: NDArray[np.int32], values: NDArray[np.float64]) -> int:
        """Return the number of a table with these elements; equal tables are kept once."""
        key = (rows.tobytes(), values.tobytes())
        if key not in self._known:
            self._known[key] = self.add_arrays([rows.copy()], [values.copy()])
        return self._known[key]

    def add_arrays(self, rows: Sequence[NDArray[np.int32]], values: Sequence[NDArray[np.float64]]) -> int:
        """Return the number of a new table, of arrays that stay as they are; they are joined when somebody asks."""
        self._rows.append(rows)
        self._values.append(values)
        return len(self._rows) - 1

    def use(self, row: int, table: int, count: int = 1) -> None:
        """Note that rows, from one on, look into a table."""
        self._users += [(user, table) for user in range(row, row + count)]
        self._first_users += [row] * (table + 1 - len(self._first_users))  # an error may have left some unused

    def rewind(self, mark: int) -> None:
        """Forget the rows from a mark on, and the tables that no row before looks into."""
        while self._users and self._users[-1][0] >= mark:
            del self._users[-1]
        kept = bisect_left(self._first_users, mark)
        if kept < len(self._rows):
            del self._rows[kept:], self._values[kept:], self._first_users[kept:]
            self._known = {key: table for key, table in self._known.items() if table < kept}

    def used(self, stop: int, only: Collection[int] | None = None) -> tuple[NDArray[np.int32], ...]:
        """Starts and elements of all tables, and the table of each row up to ``stop``, -1 where there is none.

        Of all users, or of ``only`` some; the last array is empty where no row has one.
        """
        columns = self.columns()
        users = [(row, table) for row, table in self._users if row < stop and (only is None or row in only)]
        used = np.full(stop if users else 0, -1, np.int32)
        for row, table in users:
            used[row] = table
        return columns["table_starts"], columns["table_rows"], used

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that a replay reads."""
        users = np.array(self._users, np.int32).reshape(-1, 2)
        sizes = [sum(piece.size for piece in rows) for rows in self._rows]
        return {
            "table_starts": np.cumsum([0, *sizes]).astype(np.int32),
            "table_rows": _joined(self._rows, np.int32),
            "table_values": _joined(self._values, np.float64),
            "table_users": users[:, 0].copy(),
            "table_used": users[:, 1].copy(),
        }


def _joined(tables: Sequence[Sequence[NDArray[Any]]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *(piece.ravel() for table in tables for piece in table)])
