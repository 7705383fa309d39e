"""What Python pays to record one operation of each common kind, flush included: a chain of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from ..core import Problem

COUNT = 20_000
START = 0.7


class Data(NamedTuple):
    """A chain x = step(x, tool), ``n`` times; ``tool`` has the functions."""

    step: Callable[[Any, Any], Any]
    n: int


# Each step keeps x in reach of the next one and has a derivative by it that is not 0.
CHAINS = {
    "x + 0.5": lambda x, tool: x + 0.5,
    "x * x": lambda x, tool: x * x,
    "0.5 / x": lambda x, tool: 0.5 / x,
    "-x": lambda x, tool: -x,
    "exp(x)": lambda x, tool: tool.exp(x),
    "log(x)": lambda x, tool: tool.log(x),
    "sqrt(x)": lambda x, tool: tool.sqrt(x),
    "sin(x)": lambda x, tool: tool.sin(x),
    "tanh(x)": lambda x, tool: tool.tanh(x),
}


def loop(x, data, tool):
    """The same operation of the same operand, over and over: the last one is returned."""
    for _ in range(data.n):
        y = data.step(x, tool)
    return y


def check(data, answer):
    """The answer is y, dy/dx; oracle: math, and a central difference."""
    value = data.step(START, math)
    slope = (data.step(START + 1e-6, math) - data.step(START - 1e-6, math)) / 2e-6
    right = abs(answer[0] - value) <= 1e-14 * abs(value) and abs(answer[1] - slope) <= 1e-8
    return "" if right else f"answer is {answer}, known {value, slope}"


PROBLEM = Problem(
    name="record_operations",
    section="recording overhead",
    title="one operation recorded from Python, flush included",
    cases=lambda quick: {name: Data(step, 1_000 if quick else COUNT) for name, step in CHAINS.items()},
    check=check,
    items=lambda data: data.n,
    unit="operation",
    baseline="xad",
)
