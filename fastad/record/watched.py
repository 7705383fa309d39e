"""A tape that keeps the line of every row, knows values that outlived a rewind, and under debug refuses NaN.

All of it hangs on three attributes that the plain tape has anyway, so that the operators of ``active.py`` are the
same and a plain tape costs what it did: the stage, whose ``+=`` looks at the row; the position ``_next``, a float
whose fraction counts rewinds, so that every active carries the age of its row; and ``_active``, which makes an
Active of a row.
"""

from __future__ import annotations

import math
import sys
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TapeError
from ..kernels.bulk import highest
from ..nonfinite import origin_of_adjoint, origin_of_tangent, report
from . import sweep
from .active import Active
from .array import ActiveArray
from .lines import Lines, Place, debugging
from .storage import FIELDS_PER_STAGED_ROW
from .tape import Tape

_AGES = 2**20  # rewinds told apart: 31 bits of row and 20 of fraction fit in a float


class _Stage(list[float]):
    """Staged rows; each is looked at before it is added."""

    __slots__ = ("_tape",)

    def __init__(self, tape: WatchedTape) -> None:
        super().__init__()
        self._tape = weakref.ref(tape)

    def __iadd__(self, fields: Any) -> _Stage:  # type: ignore[override,misc]
        tape = self._tape()
        assert tape is not None
        tape._look_at(fields, sys._getframe(1))
        self.extend(fields)
        return self


class WatchedTape(Tape):
    """What ``Tape(lines=True)`` and every tape made under ``fad.debug()`` is."""

    _age = 0.0  # fraction of the rows being recorded

    def __init__(self, max_bytes: int | None = None, lines: bool = False) -> None:
        self._lines = Lines()
        self._ages: list[float] = []  # fraction of every row
        self._raises = debugging()
        super().__init__(max_bytes)

    # -------------------- what the operators use --------------------

    @property
    def _stage(self) -> list[float]:
        return self.__dict__["_staged"]

    @_stage.setter
    def _stage(self, stage: list[float]) -> None:
        self.__dict__["_staged"] = stage if isinstance(stage, _Stage) else _Stage(self)

    @property
    def _next(self) -> float:
        return self.__dict__["_position"]

    @_next.setter
    def _next(self, row: float) -> None:
        self.__dict__["_position"] = math.floor(row) + self._age

    def _look_at(self, fields: tuple[float, float, float, float, float], frame: Any) -> None:
        """Check the operands of a row about to be staged, and its value; note its line."""
        _, i, j, _, value = fields
        row = self._flushed + len(self._stage) // FIELDS_PER_STAGED_ROW
        ages = self._ages
        if len(ages) < row:
            self._pad(row)
        for operand in (i, j):
            if operand >= 0 and type(operand) is float:  # an int has been checked where it was made
                at = int(operand)
                if ages[at] != operand - at:
                    raise self._stale(at)
        self._lines.note(row, 1, frame)
        ages.append(self._age)
        if self._raises and not math.isfinite(value):
            error = self._error_of(fields)
            self._cut(row)
            raise error

    def _error_of(self, fields: tuple[float, float, float, float, float]) -> Exception:
        """Return the error for a row that is not finite: the row is described from a tape that holds it."""
        list.extend(self._stage, fields)
        self._next = self._next + 1.0
        rows = self._rows_now()
        row = len(self) - 1
        error = report(rows, row, "value", fields[4]).error()
        self._flushed -= 1
        self._next = float(row)
        return error

    def _active(self, value: float, row: int) -> Active:
        """An active for a value that comes from an array or from compiled code: its row is known by the number."""
        self._pad(row + 1)
        if row < len(self):
            at = row - self._flushed
            now = self._stage[FIELDS_PER_STAGED_ROW * at + 4] if at >= 0 else self._columns["value"][row]
            if now != value and not (now != now and value != value):
                raise self._stale(row)
        active = super()._active(value, row)
        active._row += self._ages[row] if row < len(self._ages) else 0.0
        return active

    def _require_age(self, row: float) -> None:
        at = int(row)
        self._pad(at + 1)
        if at < len(self._ages) and self._ages[at] != row - at:
            raise self._stale(at)

    def _stale(self, row: int) -> TapeError:
        place = self._lines.places()[row]
        return TapeError(
            f"row {row} is used, but the tape was rewound since: there is another row in its place now"
            f"{f', recorded at {place}' if place else ''}; values recorded after a mark are gone once the tape is "
            "rewound to it"
        )

    # -------------------- rows written by kernels --------------------

    def _pad(self, length: int) -> None:
        """Rows that compiled code has recorded have the age of now, and no line."""
        length = min(length, len(self))
        self._lines.pad(length)
        self._ages += [self._age] * (length - len(self._ages))

    def _cut(self, length: int) -> None:
        self._lines.cut(length)
        del self._ages[length:]

    def _reserve(self, count: int) -> int:
        start = super()._reserve(count)
        self._pad(start)
        self._lines.note(start, count, sys._getframe(1))
        self._ages += [self._age] * count
        return start

    def _reclaim(self) -> None:
        start, lent = self._flushed, self._lent
        super()._reclaim()
        if lent:
            self._require_finite(start)

    def _append_elementwise(self, code: int, arg0: Any, x: Any, arg1: Any, y: Any) -> int:
        self._require_values(arg0, x)
        self._require_values(arg1, y)
        start = super()._append_elementwise(code, arg0, x, arg1, y)
        self._require_finite(start)
        return start

    def _record_elementwise(self, code: int, arg0: Any, x: Any, arg1: Any, y: Any, out: Any, index: Any) -> None:
        self._require_values(arg0, x)
        self._require_values(arg1, y)
        start = len(self)
        super()._record_elementwise(code, arg0, x, arg1, y, out, index)
        self._require_finite(start)

    def _give_back(self, stop: int) -> None:
        super()._give_back(stop)
        self._cut(len(self))

    def _takes_bulk(self, size: int) -> bool:
        return False  # what keeps lines looks at every row

    def _append_inputs(self, x: NDArray[np.float64]) -> int:
        start = super()._append_inputs(x)
        self._require_finite(start)
        return start

    def _gradient(self, row: int, n_inputs: int) -> NDArray[np.float64]:
        if row < 0:
            return np.zeros(n_inputs)
        return self._adjoints(np.array([row], np.int32), np.ones(1), np.arange(n_inputs, dtype=np.int32))

    def _append_where(self, condition: Any, arg0: Any, x: Any, arg1: Any, y: Any) -> int:
        self._require_values(arg0, x)
        self._require_values(arg1, y)
        start = super()._append_where(condition, arg0, x, arg1, y)
        self._require_finite(start)
        return start

    def _append_sum(self, index: NDArray[np.int32], x: NDArray[np.float64]) -> tuple[float, int]:
        self._check_operands(highest(index))
        self._require_values(index, x)
        start = len(self)
        total = super()._append_sum(index, x)
        self._require_finite(start)
        return total

    def _append_sums(self, index: NDArray[np.int32], x: NDArray[np.float64]) -> Any:
        self._check_operands(highest(index))
        self._require_values(index, x)
        start = len(self)
        sums = super()._append_sums(index, x)
        self._require_finite(start)
        return sums

    def _require_values(self, index: NDArray[np.int32], x: NDArray[np.float64]) -> None:
        """Raise where elements of an array are not what their rows hold."""
        self._flush()
        active = (index >= 0) & (index < len(self))
        rows, mine = index[active], x[active]
        now = self._columns["value"][rows]
        other = (now != mine) & ~(np.isnan(now) & np.isnan(mine))
        if other.any():
            self._pad(len(self))
            raise self._stale(int(rows[other][0]))

    def _require_finite(self, start: int) -> None:
        if not self._raises:
            return
        bad = np.flatnonzero(~np.isfinite(self.value[start:]))
        if bad.size:
            row = start + int(bad[0])
            raise report(self._rows_now(), row, "value", self.value[row]).error()

    # -------------------- positions, sweeps --------------------

    def rewind(self, mark: int) -> None:
        """Drop every row recorded after ``mark``; memory is kept for the next recording."""
        self._pad(len(self))
        super().rewind(mark)
        self._age = self._epoch % _AGES / _AGES
        self._next = float(mark)
        self._cut(mark)

    def _rows_of(self, leaf: Any, role: str) -> NDArray[np.int32]:
        rows = super()._rows_of(leaf, role)
        if isinstance(leaf, Active):
            self._require_age(leaf._row)
        elif isinstance(leaf, ActiveArray):
            self._require_values(rows, np.ravel(leaf._value))
        return rows

    def _places(self) -> list[Place | None]:
        self._pad(len(self))
        return self._lines.places()

    def _adjoints(
        self, rows: NDArray[np.int32], seeds: NDArray[np.float64], picked: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        result = super()._adjoints(rows, seeds, picked)
        if self._raises and not np.isfinite(result).all():
            each = seeds.reshape(rows.size, -1)
            at = int(np.argwhere(~np.isfinite(result.reshape(picked.size, -1)).all(axis=0))[0, 0])
            every = np.arange(int(rows.max()) + 1)
            adjoint = sweep.adjoints(self._sweep_columns(), rows, each[:, at], every)
            found = origin_of_adjoint(self._rows_now(), adjoint)
            if found is not None:
                raise found.error(". The derivative by an input is not finite")
        return result

    def _tangents(self, rows: NDArray[np.int32], directions: NDArray[np.float64]) -> NDArray[np.float64]:
        result = super()._tangents(rows, directions)
        if self._raises and not np.isfinite(result).all():
            at = np.argwhere(~np.isfinite(result))[0]
            every = np.arange(int(rows[at[0]]) + 1, dtype=np.int32)
            inputs = self._input_rows.astype(np.int64)
            tangent = sweep.tangents(self._sweep_columns(), every, inputs, directions[:, at[1] : at[1] + 1])[:, 0]
            found = origin_of_tangent(self._rows_now(), tangent)
            if found is not None:
                raise found.error()
        return result


Tape._watched = WatchedTape
