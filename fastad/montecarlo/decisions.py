"""Decisions of a recording: where a payoff may jump, how far a path is from it, and what it pays on the other side.

A decision is a guard (``if``), the condition of a ``where``, or a row that rounds. Its *distance* is positive where
it holds, negative where it does not, 0 where it changes: ``x - y`` for ``x > y``, the smaller one for ``&``, and so on.
A *kink* is a decision inside an operation: which operand is the larger one, or the cell of an interpolation. It moves
no value, but derivatives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..ops import OPCODE
from ..packing import Vector
from ..program.recording import Point, Recording
from ..program.variants import Branch, Trie, Variant

_GUARD, _COND = OPCODE["guard"], OPCODE["cond"]
_AND, _OR, _NOT, _NOT_EQUAL = (OPCODE[name] for name in ("logical_and", "logical_or", "logical_not", "not_equal"))
_SIGN_OF = {
    OPCODE[n]: sign for n, sign in (("greater", 1.0), ("greater_equal", 1.0), ("less", -1.0), ("less_equal", -1.0))
}
_CONDITIONS = {_AND, _OR, _NOT, *_SIGN_OF}
# Where a rounding of x / y jumps, as a shift of whole numbers: floor at whole numbers, rint half-way between them.
_ROUNDINGS = {OPCODE[name]: 0.0 for name in ("floor", "ceil", "trunc", "floordiv", "mod")} | {OPCODE["rint"]: 0.5}
_SIGN, _MOD, _TRUNC = OPCODE["sign"], OPCODE["mod"], OPCODE["trunc"]
_LOCATE = OPCODE["locate"]
_CHOOSING = {OPCODE[name] for name in ("maximum", "minimum", "fmax", "fmin")}
_FOLDING = {OPCODE[name] for name in ("abs", "copysign")}
_KINKS = {*_CHOOSING, *_FOLDING, _LOCATE}


@dataclass(frozen=True)
class Decision:
    """A guard, the condition of a choice, a rounding row, or a kink."""

    row: int
    guard: int = -1  # its number among the guards, -1 for the others
    is_kink: bool = False


class Distance(NamedTuple):
    """Distance of a path from where a decision changes: its value, and the combination of rows that it is."""

    value: float
    rows: tuple[int, ...]
    factors: tuple[float, ...]


_NOWHERE = Distance(math.nan, (), ())


def decisions_of(recording: Recording) -> list[Decision]:
    """All decisions of a recording but those on frozen numbers, which have no two sides."""
    found = [
        Decision(row, guard)
        for guard, row in enumerate(recording.guard_rows.tolist())
        if not recording.freezes(guard) and _decides(recording, int(recording.arg0[row]))
    ]
    conditions = np.flatnonzero(recording.opcode == _COND)
    found += [Decision(int(row)) for row in conditions if _decides(recording, int(recording.arg0[row]))]
    rounding = np.isin(recording.opcode, [*_ROUNDINGS, _SIGN])
    return found + [Decision(int(row)) for row in np.flatnonzero(rounding)]


def kinks_of(recording: Recording) -> list[Decision]:
    """All decisions of a recording that stand inside an operation, and that only derivatives see."""
    rows = np.flatnonzero(np.isin(recording.opcode, list(_KINKS)))
    return [Decision(int(row), is_kink=True) for row in rows]


def _decides(r: Recording, condition: int) -> bool:
    return r.opcode[condition] in _CONDITIONS or _repeats(r, condition)


def _repeats(r: Recording, row: int) -> bool:
    """Whether a row only asks for the truth of another condition, as an element of an array of them does."""
    return bool(r.opcode[row] == _NOT_EQUAL and r.arg0[row] >= 0 and _decides(r, int(r.arg0[row])))


def distance(r: Recording, values: Vector, decision: Decision) -> Distance:
    """Return how far a point is from where the decision changes."""
    if decision.is_kink:
        return _of_kink(r, values, decision.row)
    condition = _condition_row(r, decision)
    return _of_rounding(r, values, decision.row) if condition < 0 else _of_condition(r, values, condition)


class Distances:
    """Distances of all decisions of a recording at once: a path takes thousands of comparisons of two rows."""

    def __init__(self, r: Recording, decisions: list[Decision]) -> None:
        self._recording = r
        self._decisions = decisions
        conditions = [_condition_row(r, decision) for decision in decisions]
        simple = [i for i, row in enumerate(conditions) if row >= 0 and int(r.opcode[row]) in _SIGN_OF]
        rows = np.array([conditions[i] for i in simple], np.int64)
        self._simple = np.array(simple, np.int64)
        self._others = sorted(set(range(len(decisions))) - set(simple))
        self._signs = np.array([_SIGN_OF[int(op)] for op in r.opcode[rows]])
        self._args = (r.arg0[rows], r.arg1[rows])
        self._passive = (r.partial0[rows], r.partial1[rows])

    def at(self, values: Vector) -> Vector:
        """Distances at a point, NaN where there is none."""
        found = np.empty(len(self._decisions))
        x, y = (np.where(arg >= 0, values[arg], passive) for arg, passive in zip(self._args, self._passive))
        with np.errstate(invalid="ignore"):
            found[self._simple] = self._signs * (x - y)
        for i in self._others:
            found[i] = distance(self._recording, values, self._decisions[i]).value
        return found


def _condition_row(r: Recording, decision: Decision) -> int:
    """Row of the condition that a guard or a choice asks for, -1 for a rounding."""
    if decision.guard >= 0 or r.opcode[decision.row] == _COND:
        return int(r.arg0[decision.row])
    return -1


def _operands(r: Recording, values: Vector, row: int) -> tuple[float, float]:
    a, b = int(r.arg0[row]), int(r.arg1[row])
    return (
        float(values[a] if a >= 0 else r.partial0[row]),
        float(values[b] if b >= 0 else r.partial1[row]),
    )


def _of_condition(r: Recording, values: Vector, row: int) -> Distance:
    op = int(r.opcode[row])
    if op in _SIGN_OF:
        x, y = _operands(r, values, row)
        return _combination(r, row, _SIGN_OF[op] * (x - y), _SIGN_OF[op], -_SIGN_OF[op])
    if op == _NOT_EQUAL:
        return _of_condition(r, values, int(r.arg0[row]))
    if op == _NOT:
        inner = _of_condition(r, values, int(r.arg0[row]))
        return Distance(-inner.value, inner.rows, tuple(-f for f in inner.factors))
    if op not in (_AND, _OR):
        return _NOWHERE
    parts = [_of_condition(r, values, int(arg[row])) for arg in (r.arg0, r.arg1) if arg[row] >= 0]
    finite = [part for part in parts if not math.isnan(part.value)]
    if not finite:
        return _NOWHERE
    return (min if op == _AND else max)(finite, key=lambda part: part.value)


def _combination(r: Recording, row: int, value: float, *factors: float) -> Distance:
    terms = [(int(arg[row]), f) for arg, f in zip((r.arg0, r.arg1), factors) if arg[row] >= 0]
    return Distance(value, tuple(a for a, _ in terms), tuple(f for _, f in terms))


def _of_rounding(r: Recording, values: Vector, row: int) -> Distance:
    """Distance of x from the nearest jump of the row: a multiple n of y, for ``x // y`` and ``x % y``, else of 1."""
    x, y = _operands(r, values, row)
    n = _jump(r, values, row)
    if r.arg1[row] >= 0 or r.opcode[row] in (OPCODE["floordiv"], _MOD):
        return _combination(r, row, x - n * y, 1.0, -n)
    return _combination(r, row, x - n, 1.0)


def _of_kink(r: Recording, values: Vector, row: int) -> Distance:
    """Distance of the operands from each other, of the one that folds from 0, of a place from the nearest knot."""
    x, y = _operands(r, values, row)
    if r.opcode[row] in _CHOOSING:
        return _combination(r, row, x - y, 1.0, -1.0)
    return _combination(r, row, x - (_nearest_knot(r, row, x)[0] if r.opcode[row] == _LOCATE else 0.0), 1.0)


def _nearest_knot(r: Recording, row: int, x: float) -> tuple[float, int]:
    """The inner knot nearest to x, at which two cells meet, and its number; NaN where there is one cell."""
    table = int(r.table_of_row[row])
    inner = r.table_values[r.table_starts[table] + 1 : r.table_starts[table + 1] - 1]
    if not inner.size or math.isnan(x):
        return math.nan, 0
    nearest = int(np.argmin(np.abs(inner - x)))
    return float(inner[nearest]), nearest + 1


def _jump(r: Recording, values: Vector, row: int) -> float:
    op = int(r.opcode[row])
    x, y = _operands(r, values, row)
    if op == _SIGN:
        return 0.0
    q = x / y if op in (OPCODE["floordiv"], _MOD) and y else x
    if not math.isfinite(q):
        return math.nan
    nearest = round(q - _ROUNDINGS[op]) + _ROUNDINGS[op]
    return math.copysign(1.0, q) if op == _TRUNC and nearest == 0.0 else nearest  # it does not jump at 0


def other_value(r: Recording, row: int, values: Vector) -> float:
    """Value of a rounding row, a condition or a kink on the other side of where it changes."""
    op, v = int(r.opcode[row]), float(values[row])
    if op == _COND:
        return 1.0 - v
    x, y = _operands(r, values, row)
    if op in _CHOOSING:
        return y if _takes_first(op, x, y) else x
    if op in _FOLDING:
        return -v
    if op == _LOCATE:
        number = _nearest_knot(r, row, x)[1]
        return float(number - 1 if v >= number else number)
    above = x - _jump(r, values, row) * (y if op in (OPCODE["floordiv"], _MOD) else 1.0) >= 0.0
    step = -1.0 if above else 1.0
    if op == _SIGN:
        return -v
    if op == _MOD:
        return v - step * abs(y)
    return v + (step if y >= 0.0 or op != OPCODE["floordiv"] else -step)


def resolve(trie: Trie, vector: Vector) -> tuple[Variant, Point] | None:
    """Return the variant that decides as these inputs do, and its point; None if it has not been recorded."""
    variant = trie.root
    while True:
        recording = variant.recording
        point = recording.evaluate(vector)
        if point.failed < 0:
            return variant, point
        guard = int(np.searchsorted(recording.guard_rows, point.failed))
        branch = Branch(guard, recording.frozen_at(guard, point.values) if recording.freezes(guard) else 0)
        if branch not in variant.children:
            return None
        variant = variant.children[branch]


def _takes_first(op: int, x: float, y: float) -> bool:
    return x >= y if op in (OPCODE["maximum"], OPCODE["fmax"]) else x <= y


def on_the_other_side(variant: Variant, vector: Vector, decision: Decision) -> tuple[Recording, Point] | None:
    """The point where one decision is the other way round and all else as these inputs say; None where not recorded."""
    turned = variant if decision.guard < 0 else _turned(variant, decision.guard)
    return None if turned is None else _other_point(turned, vector, decision)


def _turned(variant: Variant, guard: int) -> Variant | None:
    """The node of the trie where one guard of a leaf was decided the other way."""
    node = variant
    while node.branch is not None and node.parent is not None and node.branch.guard > guard:
        node = node.parent
    if node.branch is not None and node.branch.guard == guard:
        return node.parent
    return node.children.get(Branch(guard))


def _other_point(variant: Variant | None, vector: Vector, decision: Decision) -> tuple[Recording, Point] | None:
    while variant is not None:
        r = variant.recording
        soft = decision.guard < 0
        point = r.evaluate_forced(vector, decision.row, other_value) if soft else r.evaluate(vector)
        if decision.is_kink:
            _turn_partials(int(r.opcode[decision.row]), decision.row, point)
        values = point.values
        failed = values[r.guard_rows] != r.value[r.guard_rows]
        if decision.guard >= 0:
            failed[decision.guard] = False
        if not failed.any():
            return r, point
        guard = int(np.argmax(failed))
        variant = None if r.freezes(guard) else variant.children.get(Branch(guard))
    return None


def _turn_partials(op: int, row: int, point: Point) -> None:
    """Give a kink the partials of its other side."""
    if op in _CHOOSING:
        point.partial0[row], point.partial1[row] = 1.0 - point.partial0[row], 1.0 - point.partial1[row]
    elif op in _FOLDING:
        point.partial0[row] *= -1.0
