"""Running a plan over scenarios: buffers, threads, and the public result of a batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import batch as kernels
from ..packing import Vector
from .plan import Plan
from .recording import Recording

GROUP = kernels.GROUP


@dataclass(frozen=True)
class Gathered:
    """Inputs that are read from arrays: data (kept alive), doubles per scenario, and slots to fill."""

    arrays: list[NDArray[np.float64]]
    strides: NDArray[np.int64]
    starts: NDArray[np.int64]
    slots: NDArray[np.int32]

    def arguments(self) -> tuple[NDArray[Any], ...]:
        """Arrays for the kernel."""
        addresses = np.array([array.ctypes.data for array in self.arrays], np.int64)
        return addresses, self.strides, self.starts, self.slots


@dataclass(frozen=True)
class Drawn:
    """Inputs that are made in the kernel: key of the seed, antithetic pairs, and slots to fill."""

    key: int = 0
    antithetic: bool = False
    normal_slots: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    uniform_slots: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    def arguments(self) -> tuple[Any, ...]:
        """Arrays and scalars for the kernel."""
        return np.int64(self.key), self.antithetic, self.normal_slots, self.uniform_slots


@dataclass
class Output:
    """What one range of groups gives."""

    values: NDArray[np.float64]
    gradient: NDArray[np.float64]
    failed: NDArray[np.int32]


class Runner:
    """A plan bound to the uniform inputs of one call; runs any range of groups on any thread."""

    def __init__(
        self, recording: Recording, plan: Plan, uniform_inputs: Vector, gathered: Gathered, drawn: Drawn
    ) -> None:
        self.plan = plan
        self.gathered = gathered
        self._recording = recording
        self._uniform = self._uniform_part(uniform_inputs)
        self._gathered = gathered.arguments()
        self._drawn = drawn.arguments()

    def _uniform_part(self, inputs: Vector) -> tuple[Any, ...]:
        plan = self.plan
        values, partial0, partial1, failed = self._recording.evaluate(inputs, plan.uniform_rows)
        if failed >= 0:
            raise self._recording.divergence(failed)
        scalars = np.concatenate([values[plan.uniform_rows], plan.constants])
        table = aligned((scalars.size, 8))
        table[:] = scalars[:, None]
        rows = plan.active_uniform_rows
        return table, plan.u_arg0, plan.u_arg1, partial0[rows], partial1[rows]

    def buffers(self) -> tuple[NDArray[np.float64], ...]:
        """Scratch memory for one thread."""
        n_uniform = self.plan.active_uniform_rows.size
        work = aligned((3, GROUP))
        work[:] = 0.0
        return (
            aligned((self.plan.n_slots, GROUP)),
            aligned((self.plan.n_adjoint_slots, GROUP)),
            aligned((n_uniform, 8)),
            np.empty(n_uniform + 1),
            work,
            np.empty(GROUP),
        )

    def run(self, first: int, stop: int, n: int, per_lane: bool, buffers: tuple[NDArray[np.float64], ...]) -> Output:
        """Replay groups ``first`` to ``stop - 1`` of n scenarios."""
        plan = self.plan
        paths = min(stop * GROUP, n) - first * GROUP
        n_outputs, n_wrt = plan.outputs[2].shape
        output = Output(
            np.empty((paths, n_outputs)),
            np.empty((paths if per_lane else stop - first, n_outputs, n_wrt)),
            np.empty(paths, np.int32),
        )
        results = (first * GROUP, output.values, output.gradient, output.failed, per_lane)
        kernels.run_groups(
            plan.forward, plan.reverse, plan.outputs, self._uniform, self._gathered, self._drawn, buffers, first, stop,
            n, results, plan.special,
        )  # fmt: skip
        return output

    def check(self, first: int, failed: NDArray[np.int32]) -> None:
        """Raise DivergenceError where a scenario of a range that starts at group ``first`` branched away."""
        diverged = np.flatnonzero(failed >= 0)
        if diverged.size:
            guard = failed[diverged].min()
            at = diverged[failed[diverged] == guard]
            recording = self._recording
            raise recording.divergence(int(recording.guard_rows[guard]), first * GROUP + at)


def aligned(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Uninitialised doubles that start on a cache line: a vector across two lines loads twice."""
    size = shape[0] * shape[1]
    raw = np.empty(size + 8)
    start = (-raw.ctypes.data // 8) % 8
    return raw[start : start + size].reshape(shape)


def checked_threads(threads: int | None) -> int:
    """Return the number of threads asked for, by default the cores that this process may use."""
    if threads is not None:
        if threads < 1:
            raise ValueError(f"threads={threads}: expected at least 1")
        return threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ranges(n_groups: int, size: int) -> list[tuple[int, int]]:
    """Consecutive ranges of at most ``size`` groups."""
    return [(first, min(first + size, n_groups)) for first in range(0, n_groups, size)]


def run_in_order(
    runner: Runner, pieces: Iterable[tuple[int, int]], n: int, per_lane: bool, threads: int,
    consume: Callable[[int, Output], None],
) -> None:  # fmt: skip
    """Run ranges of groups on threads and consume their results in order, a few ranges ahead at most."""
    pieces = list(pieces)
    if threads == 1 or len(pieces) == 1:
        buffers = runner.buffers()
        for first, stop in pieces:
            consume(first, runner.run(first, stop, n, per_lane, buffers))
        return
    free = [runner.buffers() for _ in range(threads)]

    def task(first: int, stop: int) -> Output:
        buffers = free.pop()
        try:
            return runner.run(first, stop, n, per_lane, buffers)
        finally:
            free.append(buffers)

    ahead = 2 * threads
    with ThreadPoolExecutor(threads) as pool:
        waiting = [(first, pool.submit(task, first, stop)) for first, stop in pieces[:ahead]]
        try:
            for at in range(len(pieces)):
                first, future = waiting.pop(0)
                output = future.result()
                if at + ahead < len(pieces):
                    following = pieces[at + ahead]
                    waiting.append((following[0], pool.submit(task, *following)))
                consume(first, output)
        finally:
            for _, future in waiting:
                future.cancel()
