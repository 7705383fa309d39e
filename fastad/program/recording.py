"""One run of a function as rows that can be replayed: columns, inputs, outputs, guards."""

from __future__ import annotations

import dis
import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DivergenceError
from ..kernels import rows as kernels
from ..notation import Rows
from ..ops import OPCODE
from ..packing import Packing, Vector
from ..record import sweep
from ..record.blocks import Block, blocks_at
from ..record.context import Outputs, activate, call, refuse_nesting
from ..record.header import NativeSite
from ..record.lines import Place, debugging, position
from ..record.tape import Tape

_SAME, _GUARD = OPCODE["same"], OPCODE["guard"]
COLUMNS = ("opcode", "arg0", "arg1", "partial0", "partial1", "value")
TABLES = ("table_starts", "table_rows", "table_values", "table_users", "table_used")
FIELDS = (*COLUMNS, *TABLES, "output_rows", "output_constants")  # what a recording is made of


@dataclass(frozen=True)
class Site:
    """Where in the source a guard was decided, and how."""

    file: str
    line: int
    builtin: str  # "max" or "min" where a builtin compared, else empty
    outcome: bool

    def __str__(self) -> str:
        return f"{self.place} (recorded as {self.outcome})"

    @property
    def place(self) -> str:
        """File, line and text of the line."""
        return f"{self.file}:{self.line}{self.quoted}"

    @property
    def quoted(self) -> str:
        """The source line in backquotes, empty where there is no source."""
        text = linecache.getline(self.file, self.line).strip()
        return f" `{text}`" if text else ""

    @property
    def remedy(self) -> str:
        """What to write instead, where the comparison was made by a builtin."""
        if self.builtin:
            return f"; write fad.{self.builtin}imum instead of the builtin {self.builtin}, which branches"
        return "; write the choice as data with fad.where, fad.maximum or fad.minimum"


class Point(NamedTuple):
    """A recording evaluated: values, second operands with the elements picked, partials, first failing guard."""

    values: Vector
    arg1: NDArray[np.int32]
    partial0: Vector
    partial1: Vector
    failed: int


class Recording:
    """Columns of one recording. Inputs are rows 0 to n_inputs - 1, in the order of the packing."""

    def __init__(
        self,
        columns: dict[str, NDArray[Any]],
        inputs: Packing,
        outputs: Packing,
        sites: list[Site],
        blocks: Sequence[Block] = (),
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.n_inputs = inputs.size
        self.opcode = columns["opcode"]
        self.arg0 = columns["arg0"]
        self.arg1 = columns["arg1"]
        self.partial0 = columns["partial0"]
        self.partial1 = columns["partial1"]
        self.value = columns["value"]
        self.table_starts = columns["table_starts"]
        self.table_rows = columns["table_rows"]
        self.table_values = columns["table_values"]
        self.table_users = columns["table_users"]
        self.table_used = columns["table_used"]
        self.output_rows = columns["output_rows"]
        self.output_constants = columns["output_constants"]
        self.guard_rows = np.flatnonzero(self.opcode == _GUARD).astype(np.int32)
        self.sites = sites
        self.blocks = tuple(blocks)
        self.places: list[Place | None] = [None] * self.opcode.size
        for row, site in zip(self.guard_rows, sites):
            self.places[row] = Place(site.file, site.line)
        self._all_rows = np.arange(self.opcode.size, dtype=np.int32)
        self.table_of_row = np.full(self.opcode.size, -1, np.int32)
        self.table_of_row[self.table_users] = self.table_used

    @classmethod
    def record(cls, f: Callable[..., Any], inputs: Packing, vector: Vector, to_args: Callable[[Any], Any]) -> Recording:
        """Run f at these inputs; ``to_args`` makes its arguments from the structure of actives."""
        refuse_nesting()
        tape = Tape()
        tape._freezing_guards = True
        result = call(tape, f, to_args(activate(tape, inputs, vector)), {})
        outputs = Outputs(tape, result)
        columns = {name: getattr(tape, name).copy() for name in COLUMNS} | tape._tables.columns()
        columns["output_rows"] = outputs.rows
        columns["output_constants"] = np.where(outputs.rows < 0, outputs.values, 0.0)
        recording = cls(columns, inputs, outputs.packing, sites_of(tape), tape._blocks)
        if debugging():
            recording.places = tape._places()
        return recording

    def __len__(self) -> int:
        return self.opcode.size

    @property
    def pass_tables(self) -> tuple[NDArray[np.int32], ...]:
        """Tables as the passes read them: starts, element rows, table of each row."""
        return self.table_starts, self.table_rows, self.table_of_row

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return the lookup tables as columns."""
        return {name: getattr(self, name) for name in TABLES}

    def evaluate(self, vector: Vector, rows: NDArray[np.int32] | None = None) -> Point:
        """Values and partials at one point, of all rows or those listed; and the first failing guard or -1."""
        point = self._blank(vector)
        return point._replace(failed=self._replay(point, self._all_rows if rows is None else rows))

    def _blank(self, vector: Vector) -> Point:
        """A point at which only the inputs have values."""
        values = np.empty(self.opcode.size)
        values[: self.n_inputs] = vector
        picked = self.arg1.copy() if self.table_users.size else self.arg1
        return Point(values, picked, np.zeros_like(values), np.zeros_like(values), -1)

    def _replay(self, point: Point, rows: NDArray[np.int32]) -> int:
        """Fill in ascending rows of a point, by kernel between the blocks; returns the first failing guard or -1."""
        at, failed = 0, -1
        for block in self.blocks:
            start, stop = np.searchsorted(rows, (block.row, block.stop))
            before = self._replay_rows(point, rows[at:start])
            failed = before if failed < 0 else failed
            at = stop
            try:
                if start < stop:
                    block.evaluate(point.values)
            except Exception:
                if failed < 0:
                    raise
                return failed  # this point belongs to another branch, where it may not be asked at all
        last = self._replay_rows(point, rows[at:])
        return last if failed < 0 else failed

    def _replay_rows(self, point: Point, rows: NDArray[np.int32]) -> int:
        columns = (self.opcode, self.arg0, self.arg1, self.partial0, self.partial1)
        tables = (self.table_starts, self.table_rows, self.table_values, self.table_of_row)
        return kernels.replay_point(*columns, rows, tables, point.values, point.partial0, point.partial1, point.arg1)

    def rows(self, point: Point, names: Sequence[str] = ()) -> Rows:
        """Rows at a point, for a view or an error."""
        partials = (point.partial0, point.partial1, point.values)
        passive = (self.partial0, self.partial1)
        columns = (self.opcode, self.arg0, point.arg1, *passive, *partials)
        return Rows(*columns, names or self.inputs.names(), self.places, self.blocks)

    def evaluate_forced(self, vector: Vector, row: int, force: Callable[[Recording, int, Vector], float]) -> Point:
        """Evaluate one point where a row has another value, given the recording, the row and the values up to it."""
        point = self._blank(vector)
        self._replay(point, self._all_rows[: row + 1])
        point.values[row] = force(self, row, point.values)
        return point._replace(failed=self._replay(point, self._all_rows[row + 1 :]))

    def sweep_columns(self, point: Point) -> sweep.Columns:
        """What sweeps read at a point."""
        columns = (self.arg0, point.arg1, point.partial0, point.partial1)
        return sweep.Columns(*columns, blocks_at(self.blocks, point.values))

    def slopes(self, point: Point, rows: NDArray[np.int32], seeds: Vector, inputs: NDArray[np.int64]) -> Vector:
        """Derivatives of a combination of rows by the inputs listed."""
        return sweep.adjoints(self.sweep_columns(point), rows, seeds, inputs)

    def output_values(self, values: Vector) -> Vector:
        """Outputs among the values of all rows."""
        outputs = self.output_constants.copy()
        active = self.output_rows >= 0
        outputs[active] = values[self.output_rows[active]]
        return outputs

    def freezes(self, guard: int) -> bool:
        """Whether a guard holds a number that was frozen while recording."""
        return guard < self.guard_rows.size and bool(self.opcode[self.arg0[self.guard_rows[guard]]] == _SAME)

    def frozen_at(self, guard: int, values: Vector) -> int:
        """Bits of the number that a frozen one would be, from the values of all rows."""
        return int(values[self.arg0[self.arg0[self.guard_rows[guard]]]].view(np.int64))

    def recorded(self) -> Point:
        """The point at which it was recorded."""
        return Point(self.value, self.arg1, self.partial0, self.partial1, -1)

    def adjoints(self, point: Point, seeds: Vector) -> Vector:
        """Adjoints of all inputs, shape (inputs, k), for seeds of the outputs, shape (outputs, k)."""
        active = np.flatnonzero(self.output_rows >= 0)
        return sweep.adjoints(
            self.sweep_columns(point), self.output_rows[active], seeds[active], np.arange(self.n_inputs)
        )

    def tangents(self, point: Point, directions: Vector) -> Vector:
        """Tangents of the outputs, shape (outputs, k), for directions of all inputs, shape (inputs, k)."""
        active = self.output_rows >= 0
        y_dot = np.zeros((self.output_rows.size, directions.shape[1]))
        inputs = np.arange(self.n_inputs)
        y_dot[active] = sweep.tangents(self.sweep_columns(point), self.output_rows[active], inputs, directions)
        return y_dot

    def recorded_outputs(self, wrt: NDArray[np.int64], outputs: NDArray[np.int64] | None) -> tuple[Vector, Vector]:
        """Outputs where it was recorded, and derivatives of those listed (or all) by the inputs listed."""
        seeds = np.eye(self.output_rows.size)
        gradient = self.adjoints(self.recorded(), seeds if outputs is None else seeds[:, outputs])[wrt].T
        return self.output_values(self.value), gradient

    def divergence(self, row: int, scenarios: NDArray[np.int64] | None = None) -> DivergenceError:
        """Return the error for scenarios that decide the guard at a row differently."""
        site = self.sites[int(np.searchsorted(self.guard_rows, row))]
        who = "these arguments" if scenarios is None else _listed(scenarios)
        verb = "decides" if scenarios is not None and scenarios.size == 1 else "decide"
        if self.freezes(int(np.searchsorted(self.guard_rows, row))):
            condition = self.arg0[row]
            return DivergenceError(
                f"a number frozen while recording is another one for {who}: {site.place} "
                f"(recorded as {float(self.partial1[condition])!r}); let it follow the scenario with fad.stop_gradient"
            )
        return DivergenceError(f"{who} {verb} a recorded comparison differently: {site}{site.remedy}")


def _listed(scenarios: NDArray[np.int64]) -> str:
    shown = ", ".join(str(s) for s in scenarios[:8])
    more = f" and at least {scenarios.size - 8} more" if scenarios.size > 8 else ""
    return f"scenario{'s' if scenarios.size > 1 else ''} {shown}{more}"


def sites_of(tape: Tape) -> list[Site]:
    """Where the guards of a tape were decided."""
    places = (site if isinstance(site, NativeSite) else _place(*site) for site in tape._guard_sites)
    return [Site(*place, bool(outcome)) for place, outcome in zip(places, tape.value[tape._guard_rows])]


@lru_cache(maxsize=4096)  # a payoff with a branch per step asks for the same place again and again
def _place(code: CodeType, at: int) -> tuple[str, int, str]:
    """File, line and comparing builtin of an instruction; a call there means that a builtin compared."""
    line, column = position(code, at)
    builtin = ""
    if at >= 0 and "CALL" in dis.opname[code.co_code[at]]:
        called = linecache.getline(code.co_filename, line).encode()[column:]  # columns count bytes
        builtin = next((name for name in ("max", "min") if called.startswith(f"{name}(".encode())), "")
    return code.co_filename, line, builtin
