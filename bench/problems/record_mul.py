"""What Python pays to record one multiplication: ``z = x * y`` in a loop, everything written to the tape at the end."""

from __future__ import annotations

from typing import NamedTuple

from ..core import Problem


class Data(NamedTuple):
    x: float
    y: float
    n: int


def loop(x, y, n):
    """Keep only the last product, as most code does with its intermediate values."""
    for _ in range(n):
        z = x * y
    return z


def check(data, answer):
    """The answer is (z, dz/dx, dz/dy) of the last product."""
    want = data.x * data.y, data.y, data.x
    return "" if tuple(answer) == want else f"answer is {answer}, known {want}"


PROBLEM = Problem(
    name="record_mul",
    section="recording overhead",
    title="x * y recorded from Python, flush included",
    cases=lambda quick: {"20,000 in a loop": Data(1.25, -0.5, 20_000)},
    check=check,
    items=lambda data: data.n,
    unit="x * y",
    baseline="xad",
)
