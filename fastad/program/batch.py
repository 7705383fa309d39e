"""Running a function over scenarios: plans bound to a call, threads, and scenarios that branch away.

Every scenario is first replayed on the root recording, 64 side by side. Those that decide a guard differently
are left out of its gradient, collected, and replayed on the variant that decides as they do; if there is none
yet, the function is recorded again at the first of them. Their contributions are added in the order of the
scenarios, so results depend neither on threads nor on which scenario was recorded first.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..kernels import batch as kernels
from ..ops import OPCODE
from ..packing import Vector
from ..record.lines import debugging
from . import by_blocks, point_by_point
from .plan import Plan, renumber
from .recording import Recording
from .variants import Branch, Trie, Variant
from .watch import require_output

T = TypeVar("T")
R = TypeVar("R")

GROUP = kernels.GROUP
_GUARD = OPCODE["guard"]
_CONSECUTIVE = np.empty(0, np.int64)
_MOST_SLOTS = 1 << 22  # of one thread: 2 GiB


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


@dataclass(frozen=True)
class Call:
    """What one call asks of every variant.

    Attributes
    ----------
    n : int
        Scenarios.
    per_lane : bool
        Gradients per scenario rather than summed over groups of 64.
    uniform_inputs : ndarray
        Inputs, of which those that do not vary are read.
    wrt : ndarray
        Inputs differentiated by, ascending.
    plan : callable
        ``plan(recording, per_lane)``.
    gathered, drawn : callable
        Where a plan's varying inputs come from.
    inputs_of : callable
        All inputs of one scenario, for recording again.
    describe : callable
        How to name a scenario in an error.
    on_divergence : {"rerecord", "raise", "ignore"}
        Whether to record again for branches that no variant takes, to raise, or to disregard guards.
    outputs : ndarray, optional
        Numbers of the outputs to differentiate; all by default.
    """

    n: int
    per_lane: bool
    uniform_inputs: Vector
    wrt: NDArray[np.int64]
    plan: Callable[[Recording, bool], Plan]
    gathered: Callable[[Plan], Gathered]
    drawn: Callable[[Plan], Drawn]
    inputs_of: Callable[[int], Vector]
    describe: Callable[[int], str]
    on_divergence: str = "rerecord"
    outputs: NDArray[np.int64] | None = None


@dataclass
class Output:
    """Values per scenario; gradients per scenario or per group; per scenario the guard it failed, or -1.

    ``ended`` counts the scenarios that ended in each variant: whoever uses the numbers adds it to the trie.
    ``unresolved`` has those that no variant takes where none may be recorded, for `check`.
    """

    values: NDArray[np.float64]
    gradient: NDArray[np.float64]
    failed: NDArray[np.int32]
    ended: Counter[Variant] = field(default_factory=Counter)
    unresolved: list[tuple[Variant, Branch, NDArray[np.int64]]] = field(default_factory=list)


class Scratch:
    """Memory of one thread, for any plan."""

    def __init__(self) -> None:
        self._arrays = [np.empty((0, GROUP)), np.empty((0, GROUP)), np.empty((0, 8))]
        self._work = aligned((3, GROUP))
        self._work[:] = 0.0
        self._seed = np.empty(GROUP)

    def arguments(self, plan: Plan) -> tuple[NDArray[np.float64], ...]:
        """Arrays for the kernel, grown where this plan needs more."""
        needed = [plan.n_slots, plan.n_adjoint_slots, plan.active_uniform_rows.size + 1]
        for i, (size, width) in enumerate(zip(needed, (GROUP, GROUP, 8))):
            if size > len(self._arrays[i]):
                self._arrays[i] = aligned((size, width))
        return (*(array[:size] for array, size in zip(self._arrays, needed)), self._work, self._seed)


class _Bound:
    """A variant's plan with the uniform values and the input addresses of one call."""

    def __init__(self, variant: Variant, call: Call, per_lane: bool) -> None:
        recording = variant.recording
        self.plan = plan = call.plan(recording, per_lane)
        self.per_lane = per_lane
        point = recording.evaluate(call.uniform_inputs, plan.uniform_rows)
        scalars = np.concatenate([point.values[plan.uniform_rows], plan.constants])
        table = aligned((scalars.size, 8))
        table[:] = scalars[:, None]
        self._tables = _with_numbers(plan.tables, scalars)
        rows = plan.active_uniform_rows
        second = renumber(point.arg1[rows], plan.active_uniform_slot)
        self._uniform = (table, plan.u_arg0, second, point.partial0[rows], point.partial1[rows])
        self._gathered = call.gathered(plan)
        self._drawn = call.drawn(plan).arguments()
        self._n = call.n
        ignore = call.on_divergence == "ignore"
        self._forward = _without_guards(plan.forward) if ignore else plan.forward
        # The number of the first uniform guard that fails: every scenario fails it, unless one before.
        self.all_failed = -1 if point.failed < 0 or ignore else int(np.searchsorted(recording.guard_rows, point.failed))

    def run(self, first: int, stop: int, scenarios: NDArray[np.int64], scratch: Scratch) -> Output:
        """Replay groups of consecutive scenarios, or of those listed."""
        plan = self.plan
        positions = min(stop * GROUP, scenarios.size or self._n) - first * GROUP
        output = Output(
            np.empty((positions, plan.outputs[0].size)),
            np.empty((positions if self.per_lane else stop - first, *plan.outputs[2].shape)),
            np.empty(positions, np.int32),
        )
        has_nan = np.zeros(stop - first, np.bool_)
        results = (first * GROUP, output.values, output.gradient, output.failed, has_nan, self.per_lane)

        def run(first: int, stop: int, masked: bool | None, special: bool | None) -> None:
            kernels.run_groups(
                self._forward, plan.reverse, plan.outputs, self._uniform, self._gathered.arguments(), self._drawn,
                scratch.arguments(plan), (first, stop, self._n, self.all_failed), scenarios, results, self._tables,
                special, masked,
            )  # fmt: skip

        run(first, stop, None, plan.special)
        for group in first + np.flatnonzero(has_nan):  # a NaN never disappears on its way: the others needed no mask
            run(int(group), int(group) + 1, True, True)  # one masked kernel: each takes 30 s to compile
        return output


def _with_numbers(tables: tuple[NDArray[Any], ...], scalars: Vector) -> tuple[NDArray[Any], ...]:
    """Tables with the numbers that do not vary in this call: those that do are read from their slots."""
    starts, _, references, *more = tables
    values = scalars[np.where(references < 0, ~references, 0)]
    return (starts, values, references, *more)


def _without_guards(forward: NDArray[np.int32]) -> NDArray[np.int32]:
    return forward[forward[:, kernels.OP] != _GUARD]


class _BoundByPoint:
    """A variant bound to a call, scenario after scenario.

    For tapes so long that 64 scenarios side by side do not fit: of ten million rows the values kept for the reverse
    pass take 5 GB a thread, one scenario's 0.3 GB. Sums over scenarios differ in rounding. And for BLOCK rows of arrays
    so large that LAPACK takes the time.
    """

    def __init__(self, variant: Variant, call: Call, per_lane: bool) -> None:
        self._asked = variant.recording, call, per_lane
        self._n = call.n

    def run(self, first: int, stop: int, scenarios: NDArray[np.int64], scratch: Scratch) -> Output:
        """Replay groups of consecutive scenarios, or of those listed."""
        last = min(stop * GROUP, scenarios.size or self._n)
        chosen = scenarios[first * GROUP : last] if scenarios.size else np.arange(first * GROUP, last)
        return Output(*point_by_point.run(*self._asked, chosen, GROUP))


class _BoundByBlocks:
    """A variant with BLOCK rows bound to a call."""

    def __init__(self, variant: Variant, call: Call, per_lane: bool) -> None:
        self._bound = by_blocks.BoundByBlocks(variant.recording, call, per_lane)

    def run(self, first: int, stop: int, scenarios: NDArray[np.int64], scratch: Scratch) -> Output:
        """Replay groups of consecutive scenarios, or of those listed."""
        return Output(*self._bound.run(first, stop, scenarios, scratch))


_AnyBound = _Bound | _BoundByPoint | _BoundByBlocks


class Runner:
    """One call over all variants; runs any range of groups on any thread."""

    def __init__(self, trie: Trie, call: Call) -> None:
        self._trie = trie
        self._call = call
        self._bound: dict[Variant, _AnyBound] = {}
        self._lock = threading.Lock()
        self._debugging = debugging()
        self.root = self._bind(trie.root, call.per_lane)

    def _bind(self, variant: Variant, per_lane: bool) -> _AnyBound:
        with self._lock:
            if variant not in self._bound:
                self._bound[variant] = self._way(variant.recording, per_lane)(variant, self._call, per_lane)
            return self._bound[variant]

    def _way(self, recording: Recording, per_lane: bool) -> Callable[[Variant, Call, bool], _AnyBound]:
        if recording.blocks:
            return _BoundByBlocks if len(recording) <= by_blocks.MOST_ROWS else _BoundByPoint
        if len(recording) <= _MOST_SLOTS:
            return _Bound
        plan = self._call.plan(recording, per_lane)
        return _BoundByPoint if plan.n_slots + plan.n_adjoint_slots > _MOST_SLOTS else _Bound

    def run(self, first: int, stop: int, scratch: Scratch) -> Output:
        """Give the values and gradients of groups ``first`` to ``stop - 1``, every branch resolved."""
        output = self.root.run(first, stop, _CONSECUTIVE, scratch)
        ended_at_root = int((output.failed < 0).sum())
        output.ended[self._trie.root] = ended_at_root
        if ended_at_root < output.failed.size:
            self._resolve(output, first * GROUP, scratch)
        if self._debugging:
            require_output(self._trie, self._call, output, first * GROUP, GROUP)
        return output

    def _resolve(self, output: Output, first: int, scratch: Scratch) -> None:
        """Replay the scenarios that failed a guard on the variants that decide as they do."""
        positions: list[NDArray[np.int64]] = []
        gradients: list[NDArray[np.float64]] = []

        def add(variant: Variant, at: NDArray[np.int64], values: NDArray[Any], gradient: NDArray[Any]) -> None:
            output.values[at] = values
            positions.append(at)
            gradients.append(gradient)
            output.ended[variant] += at.size

        work = [(self._trie.root, np.arange(output.failed.size), output.failed)]
        while work:
            variant, tried, failed = work.pop()
            for branch, here in self._branches(variant.recording, tried, failed, first):
                child, fresh = self._child(variant, branch, first + int(here[0]))
                if child is None:
                    output.unresolved.append((variant, branch, first + here))
                    continue
                if fresh:  # its recording already has the numbers of this scenario
                    values, gradient = child.recording.recorded_outputs(self._call.wrt, self._call.outputs)
                    add(child, here[:1], values[None], gradient[None])
                    here = here[1:]
                if here.size:
                    replayed = self._bind(child, True).run(0, -(-here.size // GROUP), first + here, scratch)
                    ended = replayed.failed < 0
                    add(child, here[ended], replayed.values[ended], replayed.gradient[ended])
                    work.append((child, here, replayed.failed))
        if positions:
            self._add_gradients(output, np.concatenate(positions), np.concatenate(gradients))

    def _add_gradients(self, output: Output, positions: NDArray[np.int64], gradients: NDArray[np.float64]) -> None:
        """Put gradients of scenarios where they belong, in ascending order: variants come in any order."""
        if self._call.per_lane:
            output.gradient[positions] = gradients
            return
        order = np.argsort(positions)
        np.add.at(output.gradient, positions[order] // GROUP, gradients[order])  # adds in the order given

    def _branches(
        self, recording: Recording, positions: NDArray[np.int64], failed: NDArray[np.int32], first: int
    ) -> Iterator[tuple[Branch, NDArray[np.int64]]]:
        """Give the branches out of a recording in order, with the positions that take them."""
        for guard in np.unique(failed[failed >= 0]).tolist():
            here = positions[failed == guard]
            if not recording.freezes(guard):
                yield Branch(guard), here
                continue
            points = (recording.evaluate(self._call.inputs_of(int(s))).values for s in first + here)
            frozen = np.array([recording.frozen_at(guard, values) for values in points])
            for number in np.unique(frozen).tolist():
                yield Branch(guard, number), here[frozen == number]

    def _child(self, variant: Variant, branch: Branch, scenario: int) -> tuple[Variant | None, bool]:
        """The variant that takes a branch, None where it may not be recorded; and whether it is new."""
        if self._call.on_divergence == "raise":
            return variant.children.get(branch), False
        try:
            return self._trie.child(variant, branch, lambda: self._call.inputs_of(scenario))
        except Exception as error:
            error.add_note(f"raised while recording {self._call.describe(scenario)}")
            raise


def check(outputs: Iterable[Output]) -> None:
    """Raise DivergenceError for the first branch that no variant takes and none may be recorded for."""
    unresolved = [item for output in outputs for item in output.unresolved]
    if not unresolved:
        return
    variant, branch = min(((v, b) for v, b, _ in unresolved), key=lambda item: (item[0].path(), item[1]))
    scenarios = [s for v, b, s in unresolved if (v, b) == (variant, branch)]
    recording = variant.recording
    raise recording.divergence(int(recording.guard_rows[branch.guard]), np.sort(np.concatenate(scenarios)))


def aligned(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Uninitialised doubles that start on a cache line: a vector across two lines loads twice."""
    size = shape[0] * shape[1]
    raw = np.empty(size + 8)
    start = (-raw.__array_interface__["data"][0] // 8) % 8  # `ctypes.data` makes an object, 1 us
    return raw[start : start + size].reshape(shape)


def checked_threads(threads: int | None) -> int:
    """Return the number of threads asked for, by default the cores that this process may use.

    One under ``fad.debug()``: the first scenario found is then the first there is.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads={threads}: expected at least 1")
    if debugging():
        return 1
    if threads is not None:
        return threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ranges(n_groups: int, size: int) -> list[tuple[int, int]]:
    """Consecutive ranges of at most ``size`` groups."""
    return [(first, min(first + size, n_groups)) for first in range(0, n_groups, size)]


def run_in_order(
    runner: Any, pieces: Iterable[tuple[int, int]], threads: int, consume: Callable[[int, Output], None]
) -> None:
    """Run ranges of groups on threads and consume their results in order, a few ranges ahead at most."""
    pieces = list(pieces)
    with closing(on_threads(lambda piece, scratch: runner.run(*piece, scratch), pieces, threads)) as outputs:
        for (first, _), output in zip(pieces, outputs):
            consume(first, output)


def on_threads(task: Callable[[T, Scratch], R], items: Sequence[T], threads: int) -> Generator[R, None, None]:
    """Give the answers of a task for these items in order, computed by threads, a few items ahead at most."""
    if threads == 1 or len(items) <= 1:
        scratch = Scratch()
        yield from (task(item, scratch) for item in items)
        return
    free = [Scratch() for _ in range(threads)]

    def run(item: T) -> R:
        scratch = free.pop()
        try:
            return task(item, scratch)
        finally:
            free.append(scratch)

    with (
        ThreadPoolExecutor(threads) as pool,
        closing(ahead(items, lambda item: pool.submit(run, item), 2 * threads)) as waiting,
    ):
        for _, future in waiting:
            yield future.result()


def ahead(
    items: Iterable[T], submit: Callable[[T], Future[R]], count: int
) -> Generator[tuple[T, Future[R]], None, None]:
    """Submit items a few ahead and give each with its future, in order; cancel the rest if nobody wants them."""
    waiting: deque[tuple[T, Future[R]]] = deque()
    remaining = iter(items)
    try:
        for item in remaining:
            waiting.append((item, submit(item)))
            if len(waiting) > count:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        for _, future in waiting:
            future.cancel()
