"""Scenarios 64 side by side where a recording holds BLOCK rows: row kernels between the blocks, rules on stacks.

A rule that stacks takes the arrays of all lanes at once, with the lanes as their leading axis; another one is asked
lane by lane. What is not plain goes scenario by scenario (`point_by_point`): a group in which a rule raises (a
singular matrix, which may belong to another branch) or in which a gradient has a NaN (the zero-factor rule). The
numbers are the same to the last bit either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..kernels import batch as kernels
from ..kernels import passes
from ..kernels.gather import gather
from ..ops import OPCODE
from ..record.blocks import Block
from . import point_by_point
from .plan import beside, element_tables, passive_references
from .recording import Recording

if TYPE_CHECKING:
    from .batch import Call, Scratch

Samples = NDArray[np.float64]
Lanes = NDArray[np.int64]
MOST_ROWS = 1 << 16  # 64 MB a thread; a 150 x 150 system, of 45,000 rows, takes as long one by one
_GROUP = kernels.GROUP
_GUARD, _TAKE = OPCODE["guard"], OPCODE["take"]
_APART = [OPCODE[name] for name in ("input", "cond", "block", "part")]  # which the row kernels do not compute


class Layout:
    """A plan without savings: every row has a slot of its own for its values and one for its adjoints.

    It has the names of a `Plan` where others read them: where inputs go, how much memory is needed.
    """

    def __init__(self, r: Recording) -> None:
        count = len(r)
        everything, slot = np.ones(count, np.bool_), np.arange(count, dtype=np.int32)
        nowhere = np.full(count, -1, np.int32)
        (a, b, c, elements), constants = passive_references(r, everything, slot, nowhere, 0)
        b[r.table_users] = r.table_used
        self.input_slots = slot[: r.n_inputs]
        self.n_slots = self.n_adjoint_slots = count
        self.active_uniform_rows = np.empty(0, np.int32)
        self.constants = np.append(constants, 0.0)
        self.special = True if kernels.IS_SPECIAL[r.opcode].any() else None

        rows = np.flatnonzero(~np.isin(r.opcode, _APART)).astype(np.int32)
        self.forward = beside(rows, r.opcode, slot, a, b, c)
        guards = np.flatnonzero(r.opcode[rows] == _GUARD)
        self.forward[guards, kernels.OUT] = np.searchsorted(r.guard_rows, rows[guards])
        self.forward[guards, kernels.B] = r.value[rows[guards]]
        self.forward_cuts = np.searchsorted(rows, [block.row for block in r.blocks])

        to_x, to_y = (
            np.where(has[r.opcode] & (arg >= 0), arg + 1, 0)
            for has, arg in ((passes.HAS_PARTIAL_X, r.arg0), (passes.HAS_PARTIAL_Y, r.arg1))
        )
        rows = rows[(to_x[rows] > 0) | (to_y[rows] > 0) | (r.opcode[rows] == _TAKE)][::-1].copy()
        self.reverse = beside(rows, r.opcode, slot, a, b, c, slot, to_x, to_y, more=2)
        self.reverse[:, kernels.FIRST], self.reverse[:, kernels.AHEAD] = 0, -1
        self.reverse_cuts = np.searchsorted(-rows, [-block.row for block in r.blocks])
        self.tables = element_tables(r, elements, everything, everything, slot, nowhere)


_layouts: WeakKeyDictionary[Recording, Layout] = WeakKeyDictionary()


def _layout(recording: Recording) -> Layout:
    if recording not in _layouts:
        _layouts[recording] = Layout(recording)
    return _layouts[recording]


class _Stretches:
    """Rows of a recording between its blocks, and the blocks, for the kernels and the rules to take turns."""

    def __init__(self, recording: Recording) -> None:
        self.layout = layout = _layout(recording)
        self._blocks = recording.blocks
        self._table = np.repeat(layout.constants[:, None], 8, axis=1)
        starts, _, references, *more = layout.tables
        numbers = layout.constants[np.where(references < 0, ~references, 0)]
        self._tables = (starts, numbers, references, *more)

    def evaluate(self, values: Samples, lanes: Lanes) -> NDArray[np.int32]:
        """Fill in values (rows, 64), of which those of the inputs stand there; the first failing guard of each lane."""
        failed = np.full(_GROUP, -1, np.int32)
        layout, at = self.layout, 0
        stretches = zip([*layout.forward_cuts, len(layout.forward)], [*self._blocks, None])
        for stop, block in stretches:
            part = layout.forward[at:stop]
            addresses = values.ctypes.data, self._table.ctypes.data
            kernels.values_of_group(part, layout.special, self._tables, *addresses, failed)
            at = stop
            if block is not None:
                _evaluate(block, values, lanes)
        return failed

    def reverse(self, values: Samples, adjoint: Samples, work: Samples, lanes: Lanes) -> None:
        """Sweep adjoints (rows, 64) from those that are seeded down to the inputs."""
        layout, sums, at = self.layout, np.zeros((1, 8)), 0
        stretches = zip([*layout.reverse_cuts[::-1], len(layout.reverse)], [*self._blocks[::-1], None])
        for stop, block in stretches:
            kernels.adjoints_of_group(
                layout.reverse, at, int(stop), layout.special, None, self._tables, values.ctypes.data,
                self._table.ctypes.data, adjoint.ctypes.data, sums.ctypes.data, work.ctypes.data,
            )  # fmt: skip
            at = int(stop)
            if block is not None:
                _reverse(block, values, adjoint, lanes)


class BoundByBlocks:
    """A variant with BLOCK rows bound to a call."""

    def __init__(self, recording: Recording, call: Call, per_lane: bool) -> None:
        self._recording, self._call, self._per_lane = recording, call, per_lane
        self._stretches = _Stretches(recording)
        plan: Any = self._stretches.layout
        self._plan, self._gathered, self._drawn = plan, call.gathered(plan), call.drawn(plan).arguments()
        outputs = np.arange(recording.output_rows.size) if call.outputs is None else call.outputs
        self._differentiated = recording.output_rows[outputs]

    def run(self, first: int, stop: int, scenarios: Lanes, scratch: Scratch) -> point_by_point.Numbers:
        """Values, gradients per scenario or group, and failed guards of groups of consecutive scenarios, or listed."""
        parts = [self._run(group, scenarios, scratch) for group in range(first, stop)]
        values, gradients, failed = (np.concatenate(part) for part in zip(*parts))
        return values, gradients, failed

    def _run(self, group: int, scenarios: Lanes, scratch: Scratch) -> point_by_point.Numbers:
        size = scenarios.size or self._call.n
        count = min(_GROUP, size - group * _GROUP)
        try:
            with np.errstate(all="ignore"):
                answer = self._side_by_side(group, count, scenarios, scratch)
        except Exception:  # which of the scenarios it was, and whether it matters, is found one by one
            answer = None
        if answer is not None:
            return answer
        chosen = np.arange(group * _GROUP, group * _GROUP + count)
        chosen = scenarios[chosen] if scenarios.size else chosen
        return point_by_point.run(self._recording, self._call, self._per_lane, chosen, _GROUP)

    def _side_by_side(
        self, group: int, count: int, scenarios: Lanes, scratch: Scratch
    ) -> point_by_point.Numbers | None:
        """Answer of one group; None where a gradient has a NaN."""
        r, wrt = self._recording, self._call.wrt
        values, adjoint, _, work, _ = scratch.arguments(self._plan)
        antithetic = self._drawn[1] and not scenarios.size
        lanes = np.array([kernels.lane_of(position, count, antithetic) for position in range(count)])
        gather(self._gathered.arguments(), scenarios, group, count, values)
        kernels.draw_group(self._drawn, scenarios, group, count, self._call.n, values)
        failed = self._stretches.evaluate(values, lanes)[lanes]
        if self._call.on_divergence == "ignore":
            failed[:] = -1
        outputs = np.repeat(r.output_constants[None], count, axis=0)
        active = np.flatnonzero(r.output_rows >= 0)
        outputs[:, active] = values[r.output_rows[active]][:, lanes].T
        gradient = np.zeros((count if self._per_lane else 1, self._differentiated.size, wrt.size))
        for k, row in enumerate(self._differentiated.tolist() if wrt.size else ()):
            if row < 0:
                continue
            adjoint[:] = 0.0
            adjoint[row, lanes[failed < 0]] = 1.0
            self._stretches.reverse(values, adjoint, work, lanes)
            slopes = adjoint[wrt][:, lanes]
            gradient[:, k] = slopes.T if self._per_lane else slopes.cumsum(axis=1)[:, -1]  # in the order of lanes
        return None if np.isnan(gradient).any() else (outputs, gradient, failed)


def _evaluate(block: Block, values: Samples, lanes: Lanes) -> None:
    """Fill in the values of the PART rows; lanes of no scenario repeat the first that is one."""
    rule, operands = block.rule, _operands(block, values, lanes)
    found = rule.values(operands) if rule.stacks else _one_by_one(rule.values, lanes.size, operands)
    at = block.row + 1
    for result, shape in zip(found, block.shapes, strict=True):
        if np.shape(result) != (lanes.size, *shape):
            raise ValueError("another shape than recorded")  # which `point_by_point` will say in full
        part = np.reshape(result, (lanes.size, -1)).T
        rows = slice(at, at + len(part))
        values[rows] = part[:, :1]
        values[rows, lanes] = part
        at += len(part)


def _reverse(block: Block, values: Samples, adjoint: Samples, lanes: Lanes) -> None:
    """Add the adjoints of the operands, for lanes in which a result has one: 0 times infinity is 0."""
    rows = slice(block.row + 1, block.stop)
    lanes = lanes[adjoint[rows][:, lanes].any(axis=0)]
    if not lanes.size:
        return
    operands = _operands(block, values, lanes)
    results, bars = (list(_results(block, column[rows][:, lanes])) for column in (values, adjoint))

    def adjoints(operands: Any, results: Any, bars: Any) -> Any:
        return block.rule.adjoints(operands, results, bars, block.wanted)

    arrays = operands, results, bars
    found = adjoints(*arrays) if block.rule.stacks else _one_by_one(adjoints, lanes.size, *arrays)
    for operand, bar in zip(block.operands, found, strict=True):
        if bar is not None and operand.is_active:
            active = operand.rows >= 0
            contribution = np.broadcast_to(bar, (lanes.size, *active.shape))[:, active].T
            np.add.at(adjoint, (operand.rows[active][:, None], lanes[None]), contribution)


def _operands(block: Block, values: Samples, lanes: Lanes) -> list[Samples]:
    """Operands with the lanes in front."""
    found = []
    for operand in block.operands:
        if operand.is_active:
            part = values[np.maximum(operand.rows, 0)][..., lanes]
            part = np.where(operand.rows[..., None] >= 0, part, operand.values[..., None])
            found.append(np.ascontiguousarray(np.moveaxis(part, -1, 0)))
        else:
            found.append(np.broadcast_to(operand.values, (lanes.size, *operand.values.shape)))
    return found


def _results(block: Block, column: Samples) -> Iterator[Samples]:
    """Results, or their adjoints, with the lanes in front, from those of the PART rows."""
    at = 0
    for shape in block.shapes:
        size = int(np.prod(shape, dtype=int))
        yield np.ascontiguousarray(column[at : at + size].T).reshape(-1, *shape)
        at += size


def _one_by_one(function: Callable[..., Any], count: int, *stacked: list[Samples]) -> list[Any]:
    """Results of a function of lists of arrays, lane by lane and then stacked; None stays."""
    found = [function(*([x[lane].copy() for x in part] for part in stacked)) for lane in range(count)]
    return [None if part[0] is None else np.stack([np.asarray(x, np.float64) for x in part]) for part in zip(*found)]
