"""What compiled code pays to record a row, and to reverse it: ``a = a * y + x`` in a loop, on memory in use."""

from __future__ import annotations

from typing import NamedTuple

from ..core import Problem


class Data(NamedTuple):
    x: float
    y: float
    n: int  # turns of the loop, two rows each
    reverse: bool


def loop(x, y, n):
    """Every row feeds the next one, as in a time stepping; two operands of two active ones."""
    a = x
    for _ in range(n):
        a = a * y + x
    return a


def check(data, answer):
    """The answer is z, and dz/dx, dz/dy where it is reversed; the loop is a geometric series long converged."""
    limit = data.x / (1.0 - data.y)
    want = (limit, 1.0 / (1.0 - data.y), limit / (1.0 - data.y)) if data.reverse else (limit,)
    wrong = len(answer) != len(want) or any(abs(a - w) > 1e-12 * abs(w) for a, w in zip(answer, want))
    return f"answer is {answer}, known {want}" if wrong else ""


def cases(quick):
    n = 50_000 if quick else 12_500_000
    return {f"{2 * n:,} rows, {what}": Data(0.3, 0.7, n, what != "recorded") for what in ("recorded", "and reversed")}


PROBLEM = Problem(
    name="record_loop",
    section="recording in compiled code",
    title="rows recorded inside @njit, and reversed",
    cases=cases,
    check=check,
    items=lambda data: 2 * data.n,
    unit="row",
    baseline="codipack",
)
