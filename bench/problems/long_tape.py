"""Tapes of 100,000 to 10 million rows, recorded from Python and swept: time per row, which should not change."""

from __future__ import annotations

from typing import NamedTuple

from ..core import Problem

SWEEPS = ("record", "reverse", "call", "value_and_grad")


class Data(NamedTuple):
    x: float
    y: float
    n: int  # turns of the loop, two rows each
    what: str


def f(x, y, n):
    """x (y + y^2 + ... + y^n) by Horner; with y = 1 - 1/n the first row still counts for the result."""
    z = 0.0
    for _ in range(n):
        z = (z + x) * y
    return z


def known(x, y, n):
    """Value and both derivatives in closed form."""
    total = y * (1.0 - y**n) / (1.0 - y)
    slope = (1.0 - (n + 1) * y**n + n * y ** (n + 1)) / (1.0 - y) ** 2
    return x * total, total, x * slope


def cases(quick):
    sizes = (5_000, 50_000) if quick else (50_000, 500_000, 5_000_000)
    return {f"{what}, {2 * n:,} rows": Data(1.5, 1.0 - 1.0 / n, n, what) for what in SWEEPS for n in sizes}


def check(data, answer):
    """The answer is the value, and both derivatives where the tape is reversed; rounding adds up over the rows."""
    reversed_ = data.what in ("reverse", "value_and_grad")
    want = known(data.x, data.y, data.n)[: 3 if reversed_ else 1]
    wrong = len(answer) != len(want) or any(abs(a - w) > 1e-9 * abs(w) for a, w in zip(answer, want))
    return f"answer is {answer}, known {want}" if wrong else ""


PROBLEM = Problem(
    name="long_tape",
    section="long tapes",
    title="a loop of two operations, recorded from Python, reversed, replayed",
    cases=cases,
    check=check,
    items=lambda data: 2 * data.n,
    unit="row",
    baseline="fastad",
)
