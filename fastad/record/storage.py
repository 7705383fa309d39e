"""Structure-of-arrays storage of recorded rows: record, grow, mark, rewind. No arithmetic of its own.

Row i defines slot i (a Wengert list). The columns, 33 bytes a row:

=============  =======  =====================================================================
``opcode``     uint8    position in ``ops.OPS``
``arg0/1``     int32    row of the operand, -1 where it is passive
``partial0/1`` float64  partial with respect to the operand; the operand's value where it is passive
``value``      float64  value of the row
=============  =======  =====================================================================

A reverse or forward sweep reads arguments and partials; a replay reads opcodes, arguments and the passive
operands. Rows recorded from Python wait in a flat list of floats (five per row) until something needs the
columns; a kernel then computes their partials, so recording costs no derivative in Python.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import TapeError, TapeFullError
from ..kernels import bulk as bulk_kernels
from ..kernels import row_calls
from ..kernels import rows as kernels
from ..ops import OPCODE
from .blocks import Block, Operand, Rule
from .bulk import Bulk, Elementwise, Inputs, Side, Sums
from .header import FREEZES, LENGTH, RECORDS_GUARDS, Header, NativeSite
from .lines import caller
from .tables import Tables

BYTES_PER_ROW = 33
FIELDS_PER_STAGED_ROW = 5
_STAGED_ROWS = 4096  # long enough to amortise a flush (20 us), short enough to stay in cache
_FIRST_CAPACITY = 1024
_ROOM = 16384  # rows for compiled code at least: it fills them in 50 us, and asking costs as much
_PAGE, _CACHE_LINE = 4096, 64
_STAGGERED_FROM = 65536  # rows; smaller columns are in cache, and making them should cost nothing
_BULK_FROM = 768  # elements; shorter operations cost less as rows, 15 ns each, than the 12 us to describe them
_MAX_ROWS = 2**31 - 2  # int32 rows, and one more for the leading row of the sweeps' buffers

_COLUMNS = (
    ("opcode", np.uint8),
    ("arg0", np.int32),
    ("arg1", np.int32),
    ("partial0", np.float64),
    ("partial1", np.float64),
    ("value", np.float64),
)
_GUARD = float(OPCODE["guard"])


def _column(number: int, rows: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """One of six columns, begun at a sixth of a page of its own.

    Large arrays begin at the same place in a page, and six columns written side by side then compete for the same
    cache lines: 3 to 9 ns a row, as luck has it, instead of 2.7 to 3.3.
    """
    size = rows * dtype.itemsize
    if rows < _STAGGERED_FROM:
        return np.empty(rows, dtype)
    raw = np.empty(size + _PAGE, np.uint8)
    start = -raw.ctypes.data % _CACHE_LINE + number * (_PAGE // len(_COLUMNS) // _CACHE_LINE * _CACHE_LINE)
    return raw[start : start + size].view(dtype)


class _RowCap:
    """Largest number of rows; tests lower it. Setting it makes the next row ask for room, and so for the cap."""

    def __get__(self, tape: Any, owner: Any = None) -> int:
        return _MAX_ROWS if tape is None else tape.__dict__.get("_max_rows", _MAX_ROWS)

    def __set__(self, tape: Any, rows: int) -> None:
        tape.__dict__["_max_rows"] = rows
        tape._reclaim()
        tape._limit = 0.0
        tape._room = 0


class Storage:
    """Columns of recorded rows, and the rows that Python recording has staged for them."""

    # What every operator touches are slots. Row numbers are floats there, because the stage is a list of floats
    # and converting ints costs 35 ns a row (of 500 for the whole operation).
    __slots__ = ("__dict__", "__weakref__", "_limit", "_next", "_stage")

    _max_rows = _RowCap()
    _active: Any  # makes an Active of a value and its row; the tape knows what an Active is

    def __init__(self, max_bytes: int | None = None) -> None:
        if max_bytes is not None and max_bytes < BYTES_PER_ROW:
            raise ValueError(f"max_bytes={max_bytes} holds no row; a row takes {BYTES_PER_ROW} bytes")
        self._max_bytes = max_bytes
        self._columns: dict[str, NDArray[Any]] = {name: np.empty(0, dtype) for name, dtype in _COLUMNS}
        self._addresses = np.zeros(len(_COLUMNS), np.int64)  # of the columns, for kernels
        self._address: int = self._addresses.ctypes.data
        self._capacity = 0
        self._epoch = 0  # counts rewinds: what caches a row asks whether it may be gone
        self._next = 0.0  # row that the next operation defines
        self._flushed = 0  # rows that stand in the columns; the rest is staged
        self._stage: list[float] = []
        self._limit = 0.0  # row at which recording must call _make_room
        self._room = 0  # rows that the columns take, and the cap allows
        self._inputs: list[tuple[int, int, str | None]] = []  # first row, number of rows, name; of a scalar 0 rows
        self._guard_rows: list[int] = []
        self._guard_sites: list[tuple[CodeType, int] | NativeSite] = []
        self._header: Header | None = None  # made when compiled code first sees the tape
        self._lent = False  # whether compiled code appends rows at present; see header.py
        self._tables = Tables()
        self._blocks: list[Block] = []
        self._bulks: list[Bulk] = []  # whose rows are not in the columns yet
        self._guards = True  # whether the truth of a Condition leaves a guard row
        self._freezing_guards = False  # whether reading a value leaves one (recording for replay)

    @classmethod
    def holding(
        cls, columns: dict[str, NDArray[Any]], tables: dict[str, NDArray[Any]], blocks: Iterable[Block]
    ) -> Self:
        """Return a storage with copies of rows that were recorded before; it has no inputs and no guard sites."""
        storage = cls()
        storage._reserve(columns["opcode"].size)
        for name, column in columns.items():
            storage._columns[name][: column.size] = column
        storage._tables = Tables.holding(tables)
        storage._blocks = list(blocks)
        return storage

    # -------------------- appending rows --------------------

    def _append_staged(self, code: float, arg0: float, arg1: float, passive: float, value: float) -> int:
        """One row from Python. The overloaded operators do the same inline."""
        if self._next >= self._limit:
            self._make_room()
        row = self._next
        self._stage += (code, arg0, arg1, passive, value)  # first, for a watched tape raises here
        self._next = row + 1.0
        return int(row)

    def _check(self, i: float, j: float) -> float:
        """Off the fast path of an operator: raise for a stale operand, or make room for one row and return it."""
        self._check_operands(i, j)
        self._make_room()
        return self._next

    def _check_operands(self, i: float, j: float = -1) -> None:
        """Raise for rows that a rewind has dropped."""
        self._reclaim()
        if i >= self._next or j >= self._next:
            raise TapeError(
                f"row {int(max(i, j))} is used on a tape that was rewound or cleared to {len(self)} rows; "
                "values recorded after a mark are gone once the tape is rewound to it"
            )

    def _make_room(self, rows: int = 1) -> None:
        """Write the stage, and grow the columns to take ``rows`` more and a stage; raise where the cap forbids."""
        self._flush_stage()
        length = len(self)
        needed = length + rows
        cap = self._cap
        if needed > cap:
            raise TapeFullError(
                f"the tape is full: {length} rows ({length * BYTES_PER_ROW} bytes) recorded, {rows} more "
                f"asked for, the cap is {cap} rows ({cap * BYTES_PER_ROW} bytes). Rewind or clear the tape, raise "
                "max_bytes, or record once and replay with fastad.record"
            )
        if needed > self._capacity:
            # Memory that no row touches costs nothing, rows that move to longer columns do.
            self._grow(
                min(cap, max(2 * needed if rows > _STAGED_ROWS else needed, 2 * self._capacity, _FIRST_CAPACITY))
            )
        self._room = min(self._capacity, cap)
        self._limit = float(min(self._room, length + max(rows, _STAGED_ROWS)))

    @property
    def _cap(self) -> int:
        """Rows that the tape may hold."""
        return self._max_rows if self._max_bytes is None else min(self._max_rows, self._max_bytes // BYTES_PER_ROW)

    def _grow(self, capacity: int) -> None:
        """Move to longer columns; views handed out before keep the old ones alive."""
        for number, (name, old) in enumerate(self._columns.items()):
            column = _column(number, capacity, old.dtype)
            for rows in [slice(0, self._flushed)] if name == "value" else self._written():
                column[rows] = old[rows]
            self._columns[name] = column
            self._addresses[number] = column.ctypes.data
        self._capacity = capacity

    def _written(self) -> list[slice]:
        """Rows that stand in the columns."""
        ends = [0, *(end for bulk in self._bulks for end in (bulk.start, bulk.stop)), self._flushed]
        return [slice(start, stop) for start, stop in zip(ends[::2], ends[1::2])]

    def _flush(self) -> None:
        """Write all rows that wait: nobody but the storage itself reads the columns before."""
        self._flush_stage()
        bulks, self._bulks = self._bulks, []
        for bulk in bulks:
            bulk.write(self._columns, self._address)

    def _flush_stage(self) -> None:
        """Move staged rows into the columns, with their partials."""
        self._reclaim()
        if not self._stage:
            return
        stage, self._stage = self._stage, []
        staged = np.fromiter(stage, np.float64, len(stage)).reshape(-1, FIELDS_PER_STAGED_ROW)
        kernels.write_staged(staged, self._flushed, self._address)
        self._flushed += len(staged)

    def _append_elementwise(
        self,
        code: int,
        arg0: NDArray[np.int32],
        x: NDArray[np.float64],
        arg1: NDArray[np.int32],
        y: NDArray[np.float64],
    ) -> int:
        """One row per element of 1-D operands; returns the first row."""
        start = self._reserve(x.size)
        kernels.write_elementwise(code, arg0, x, arg1, y, start, self._address)
        return start

    def _append_inputs(self, x: NDArray[np.float64]) -> int:
        """One INPUT row per number; returns the first."""
        start = self._reserve(x.size)
        if self._takes_bulk(x.size):
            self._columns["value"][start : start + x.size] = x
            self._bulks.append(Inputs(start, start + x.size))
        else:
            kernels.write_inputs(x, start, self._address)
        return start

    def _takes_bulk(self, size: int) -> bool:
        """Whether the rows of an operation of so many elements are written later."""
        return size >= _BULK_FROM and not self._freezing_guards  # a recording for replay reads the columns anyway

    def _record_elementwise(
        self,
        code: int,
        arg0: NDArray[np.int32],
        x: NDArray[np.float64],
        arg1: NDArray[np.int32],
        y: NDArray[np.float64],
        out: NDArray[np.float64],
        index: NDArray[np.int32],
    ) -> None:
        """One row per element of 1-D arrays that has an active operand; fills in values and rows of the result.

        Operands of one element belong to every element of the other.
        """
        if self._takes_bulk(out.size) and self._record_bulk(code, arg0, x, arg1, y, out, index):
            return
        start = self._reserve(out.size)
        count = kernels.record_elementwise(code, arg0, x, arg1, y, start, self._address, out, index)
        if count < out.size:  # passive elements, or a row that is no more
            self._give_back(start + max(count, 0))
            if count < 0:
                self._check_operands(int(arg0.max()), int(arg1.max()))

    def _record_bulk(self, code: int, arg0: Any, x: Any, arg1: Any, y: Any, out: Any, index: Any) -> bool:
        """``_record_elementwise`` with the rows to be written later; false where that would not be the same."""
        first, second = Side.of(arg0, x), Side.of(arg1, y)
        if first is None or second is None or max(first.high, second.high) < 0:
            return False
        self._check_operands(first.high, second.high)
        bulk = Elementwise.of(len(self), out.size, code, first, second)
        if bulk is None:
            return False
        self._reserve(out.size)
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)  # the kernel reads vectors
        bulk_kernels.evaluate(row_calls.values(code), code, x, y, bulk.start, self._columns["value"], out, index)
        self._bulks.append(bulk)
        return True

    def _give_back(self, stop: int) -> None:
        """End the rows reserved last at ``stop``."""
        self._flushed = stop
        self._next = float(stop)

    def _append_where(
        self,
        condition: NDArray[np.int32],
        arg0: NDArray[np.int32],
        x: NDArray[np.float64],
        arg1: NDArray[np.int32],
        y: NDArray[np.float64],
    ) -> int:
        """A COND and a WHERE row per element of 1-D operands; returns the first COND row."""
        start = self._reserve(2 * x.size)
        kernels.write_where(condition, arg0, x, arg1, y, start, self._address)
        return start

    def _append_sum(self, index: NDArray[np.int32], x: NDArray[np.float64]) -> tuple[float, int]:
        """Sum of 1-D elements in order; returns its value and its row, -1 where all are passive."""
        if self._takes_bulk(x.size):
            out, rows = self._append_sums(index[None], x[None])
            return float(out[0]), int(rows[0])
        start = self._reserve(max(x.size - 1, 0))
        count, row, total = kernels.write_sum(index, x, start, self._address)
        self._give_back(start + max(count, 0))
        if count < 0:
            self._check_operands(bulk_kernels.highest(index))
        return total, row

    def _append_sums(
        self, index: NDArray[np.int32], x: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Sums of the rows of a matrix, each in order; their values and rows, -1 where all elements are passive."""
        self._check_operands(bulk_kernels.highest(index))
        start = self._reserve(len(x) * max(x.shape[1] - 1, 0))
        side = Side.of(index.reshape(-1), x.reshape(-1)) if self._takes_bulk(x.size) and x.shape[1] > 1 else None
        if side is not None and side.high >= 0:
            bulk = Sums(start, self._flushed, x.shape[1], side)
            bulk_kernels.sums(x, out := np.empty(len(x)))
            self._columns["value"][bulk.last_rows] = out
            self._bulks.append(bulk)
            return out, bulk.last_rows.astype(np.int32)
        out, rows = np.empty(len(x)), np.empty(len(x), np.int32)
        self._give_back(start + kernels.write_sums(index, x, start, self._address, out, rows))
        return out, rows

    def _append_block(self, rule: Rule, operands: Sequence[Operand], results: Sequence[NDArray[np.float64]]) -> Block:
        """A BLOCK row, and a PART row for every element of the results; returns the block."""
        self._check_operands(max((x.highest for x in operands), default=-1))
        parts = np.concatenate([np.empty(0), *(result.reshape(-1) for result in results)])
        start = self._reserve(1 + parts.size)
        block = Block(start, rule, tuple(operands), tuple(result.shape for result in results))
        kernels.write_block(parts, start, self._address)
        self._tables.use(start, self._tables.add_arrays([x.rows for x in operands], [x.values for x in operands]))
        self._blocks.append(block)
        return block

    @contextmanager
    def _appending(self, most: int) -> Iterator[NDArray[np.int64]]:
        """At most so many rows by a kernel; its cursor holds the next row, and two rows for the kernel's own use."""
        start = self._reserve(most)
        cursor = np.array([start, -1, start])
        yield cursor
        self._give_back(int(cursor[0]))

    def _reserve(self, count: int) -> int:
        """Take the next ``count`` rows for a kernel to write, behind everything staged."""
        start = self._flushed
        if self._lent or self._stage or start + count > self._room:
            start = len(self)
            self._make_room(count)
        self._flushed = start + count
        self._next = float(self._flushed)
        return start

    def _append_guard(self, condition_row: int, outcome: bool, frame: FrameType | None) -> None:
        """A comparison whose outcome decided something in Python, with the line that asked."""
        row = self._append_staged(_GUARD, condition_row, -1, float(outcome), float(outcome))
        self._guard_rows.append(row)
        site = caller(frame) or sys._getframe()
        self._guard_sites.append((site.f_code, site.f_lasti))

    # -------------------- recording by compiled code --------------------

    def _lend(self, row: int) -> int:
        """Hand recording over to compiled code, for an operand at this row; returns the address of the header."""
        if not self._lent:
            self._check_operands(row)
            self._flush()
            if self._header is None:
                self._header = Header(self)
            flags = RECORDS_GUARDS * self._guards | FREEZES * self._freezing_guards
            limit = min(self._capacity, self._cap)
            self._header.open(self._flushed, limit, self._addresses, flags)
            self._lent = True
            self._limit = 0.0
        header = self._header
        assert header is not None
        if row >= header.fields[LENGTH]:
            self._check_operands(row)
        return header.address

    def _reclaim(self) -> None:
        """Take recording back from compiled code, with what it has recorded."""
        if not self._lent:
            return
        assert self._header is not None
        self._lent = False
        self._flushed, rows, sites = self._header.close()
        self._next = float(self._flushed)
        self._guard_rows += rows.tolist()
        self._guard_sites += sites

    def _room_for_compiled(self) -> None:
        """Compiled code has met its limit: grow the columns and the list of guards."""
        self._make_room(max(1, min(_ROOM, self._cap - len(self))))
        self._lend(-1)

    # -------------------- inputs --------------------

    @property
    def _n_inputs(self) -> int:
        """Number of independents."""
        return sum(max(count, 1) for _, count, _ in self._inputs)

    @property
    def _input_rows(self) -> NDArray[np.int32]:
        """Rows of the independents, in the order of their creation."""
        ranges = [np.arange(first, first + max(count, 1), dtype=np.int32) for first, count, _ in self._inputs]
        return ranges[0] if len(ranges) == 1 else np.concatenate([np.empty(0, np.int32), *ranges])

    @property
    def _input_names(self) -> list[str | None]:
        """Their names."""
        names: list[str | None] = []
        for _, count, name in self._inputs:
            names += [name] if count == 0 else [name and f"{name}[{i}]" for i in range(count)]
        return names

    # -------------------- positions --------------------

    def mark(self) -> int:
        """Return the present position, for `rewind`."""
        return len(self)

    def rewind(self, mark: int) -> None:
        """Drop every row recorded after ``mark``; memory is kept for the next recording."""
        mark = operator.index(mark)
        if not 0 <= mark <= len(self):
            raise TapeError(f"rewind to {mark}: not a mark of this tape, which has {len(self)} rows")
        if self._bulks:
            self._rewind_bulks(mark)
        if mark < self._flushed:
            self._stage = []
            self._flushed = mark
        else:
            del self._stage[FIELDS_PER_STAGED_ROW * (mark - self._flushed) :]
        self._next = float(mark)
        self._epoch += 1
        self._limit = min(self._limit, float(mark + _STAGED_ROWS))
        while self._inputs and self._inputs[-1][0] >= mark:
            del self._inputs[-1]
        self._tables.rewind(mark)
        while self._blocks and self._blocks[-1].row >= mark:
            del self._blocks[-1]
        while self._guard_rows and self._guard_rows[-1] >= mark:
            del self._guard_rows[-1], self._guard_sites[-1]

    def _rewind_bulks(self, mark: int) -> None:
        if any(bulk.start < mark < bulk.stop for bulk in self._bulks):
            self._flush()
        while self._bulks and self._bulks[-1].start >= mark:
            del self._bulks[-1]

    def clear(self) -> None:
        """Drop all rows and inputs; values recorded before must not be used again."""
        self.rewind(0)

    def __len__(self) -> int:
        self._reclaim()
        return int(self._next)

    @property
    def nbytes(self) -> int:
        """Bytes of the allocated columns."""
        return self._capacity * BYTES_PER_ROW

    def __repr__(self) -> str:
        return f"<fastad.Tape at {id(self):#x}: {len(self)} rows, {self._n_inputs} inputs>"

    def _view(self, name: str) -> NDArray[Any]:
        self._flush()
        view = self._columns[name][: len(self)]
        view.flags.writeable = False
        return view

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Array operations recorded as one, in ascending rows."""
        return tuple(self._blocks)

    @property
    def opcode(self) -> NDArray[np.uint8]:
        """Read-only view: position in the op table, per row."""
        return self._view("opcode")

    @property
    def arg0(self) -> NDArray[np.int32]:
        """Read-only view: row of the first operand, -1 where passive."""
        return self._view("arg0")

    @property
    def arg1(self) -> NDArray[np.int32]:
        """Read-only view: row of the second operand, -1 where passive or absent."""
        return self._view("arg1")

    @property
    def partial0(self) -> NDArray[np.float64]:
        """Read-only view: partial in the first operand, or its value where passive."""
        return self._view("partial0")

    @property
    def partial1(self) -> NDArray[np.float64]:
        """Read-only view: partial in the second operand, or its value where passive."""
        return self._view("partial1")

    @property
    def value(self) -> NDArray[np.float64]:
        """Read-only view: value per row."""
        return self._view("value")
