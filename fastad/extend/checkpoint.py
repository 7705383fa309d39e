"""Memory for time: a function whose rows are not kept, and loops that keep few of their states."""

from __future__ import annotations

import functools
from collections.abc import Callable
from math import comb, isqrt
from typing import Any

from .. import transforms
from ..structure import Spec, flatten, is_active, is_input
from .rule import FunctionRule, Leaves, called, zeros_like

__all__ = ["checkpoint", "scan"]


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return f recorded as one BLOCK row; its own rows are recorded when a reverse sweep needs them, and dropped again.

    Parameters
    ----------
    f : callable
        Function of structures of numbers; actives that it uses must be among its arguments.

    Returns
    -------
    callable
        Same values and derivatives, of any order; memory for the result instead of for every operation, and one
        more evaluation of f per sweep.

    Raises
    ------
    TapeError
        f uses an active value that is not among its arguments.

    Notes
    -----
    Branches inside f leave no guard: a replay runs f itself. Arrays that f reads from outside its arguments must not
    change until the last sweep.

    Examples
    --------
    >>> import fastad as fad
    >>> fad.grad(lambda x: fad.checkpoint(lambda x: fad.exp(fad.sin(x)))(x) * x)(0.0)
    1.0
    """
    name = getattr(f, "__name__", type(f).__name__)

    @functools.wraps(f, updated=())
    def function(*args: Any) -> Any:
        return called(lambda spec: _Checkpoint(name, spec, f), f, args, f"checkpoint of {name}")

    return function


class _Checkpoint(FunctionRule):
    def __init__(self, name: str, spec: Spec, f: Callable[..., Any]) -> None:
        super().__init__(name, spec)
        self._f = f

    def value(self, leaves: Leaves) -> Any:
        return self._f(*self.arguments(leaves))

    def _of_leaves(self, *leaves: Any) -> Any:
        return self.value(list(leaves))

    def pull(self, leaves: Leaves, result: Any, bar: Any) -> Leaves:
        return list(transforms.vjp(self._of_leaves, *leaves)[1](bar))

    def push(self, leaves: Leaves, result: Any, dots: Leaves) -> Any:
        directions = [zeros_like(x) if dot is None else dot for x, dot in zip(leaves, dots)]
        return transforms.jvp(self._of_leaves, tuple(leaves), tuple(directions))[1]


def scan(step: Callable[..., Any], state: Any, n: int, snapshots: int | None = None) -> Any:
    """Return the state after n steps, recorded as one BLOCK row that keeps few of the states in between.

    Parameters
    ----------
    step : callable
        ``step(state, i)`` gives the next state, for i = 0 ... n - 1: a structure of numbers like ``state``. Parameters
        that are differentiated belong to the state.
    state : structure of numbers
        Before the first step.
    n : int
        Number of steps.
    snapshots : int, optional
        Largest number of states that a reverse sweep keeps besides the one it works on, the first one included; by
        default about the square root of n, with which a step is run twice or three times.

    Returns
    -------
    structure
        Like ``state``.

    Raises
    ------
    ValueError
        ``n`` is negative or ``snapshots`` less than one.
    TapeError
        ``step`` uses an active value that is not in the state.

    Notes
    -----
    The reverse sweep follows the binomial schedule, which is optimal: with s snapshots and each step run at most
    r + 1 times, binomial(s + r, s) steps can be reversed (Griewank and Walther, Algorithm 799: revolve, ACM TOMS 26,
    2000). A derivative taken inside another transform records all steps instead.

    Examples
    --------
    >>> import fastad as fad
    >>> fad.grad(lambda x: fad.scan(lambda x, i: x * 1.5 - x**3 / 10.0, x, 100, snapshots=5))(1.0) > 0.0
    False
    """
    if n < 0:
        raise ValueError(f"n={n}: expected a number of steps, at least 0")
    most = max(1, isqrt(n)) if snapshots is None else snapshots
    if most < 1:
        raise ValueError(f"snapshots={snapshots}: expected at least 1")
    name = f"scan of {getattr(step, '__name__', type(step).__name__)}"
    make = lambda spec: _Scan(name, spec, step, n, most)  # noqa: E731
    return called(make, lambda s: _steps(step, s, 0, n), (state,), name, is_input)


def _steps(step: Callable[..., Any], state: Any, first: int, stop: int) -> Any:
    for i in range(first, stop):
        state = step(state, i)
    return state


class _Scan(FunctionRule):
    def __init__(self, name: str, spec: Spec, step: Callable[..., Any], n: int, snapshots: int) -> None:
        super().__init__(name, spec)
        self._step, self._n, self._snapshots = step, n, snapshots

    def value(self, leaves: Leaves) -> Any:
        (state,) = self.arguments(leaves)
        return _steps(self._step, state, 0, self._n)

    def pull(self, leaves: Leaves, result: Any, bar: Any) -> Leaves:
        bars, _ = flatten(bar, is_input)
        most = self._n + 1 if any(map(is_active, [*leaves, *bars])) else self._snapshots
        kept = [(0, self.arguments(leaves)[0])]
        stop = self._n
        while stop > 0:
            first, state = kept[-1]
            while stop - first > 1:
                free = most - len(kept)
                steps = advance(stop - first, free + 1)
                state = _steps(self._step, state, first, first + steps)
                first += steps
                if free:
                    kept.append((first, state))
            numbers, function = self._of_leaves(state, first)
            bars = list(transforms.vjp(function, *numbers)[1](bars))
            stop = first
            if kept[-1][0] == stop:
                kept.pop()
        return bars

    def push(self, leaves: Leaves, result: Any, dots: Leaves) -> Any:
        (state,) = self.arguments(leaves)
        dots = [zeros_like(x) if dot is None else dot for x, dot in zip(leaves, dots)]
        for i in range(self._n):
            numbers, function = self._of_leaves(state, i)
            _, dots = transforms.jvp(function, numbers, dots)
            state = self._step(state, i)
        return flatten(state, is_input)[1].unflatten(dots)

    def _of_leaves(self, state: Any, i: int) -> tuple[Leaves, Callable[..., Leaves]]:
        """Numbers of a state, and the step as a function of them."""
        numbers, spec = flatten(state, is_input)
        return numbers, lambda *leaves: flatten(self._step(spec.unflatten(leaves), i), is_input)[0]


def advance(steps: int, snapshots: int) -> int:
    """Steps to run ahead before the next snapshot, of a stretch for which there are so many, its first state included.

    With s snapshots and r repeats, binomial(s + r, s) steps can be reversed. The fewest runs result where what comes
    before the next snapshot needs one repeat less, and what comes behind it as many with one snapshot less.
    """
    if snapshots == 1:
        return steps - 1
    repeats = 1
    while comb(snapshots + repeats, snapshots) < steps:
        repeats += 1
    return max(1, steps - comb(snapshots - 1 + repeats, snapshots - 1), comb(snapshots + repeats - 2, snapshots))
