"""Correctness first; then all tools in turn, run by run, so that a drifting machine drifts for all of them."""

from __future__ import annotations

import gc
import math
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

from .core import Problem, Roughly, Row, Way

SHORTEST_SAMPLE = 0.02  # seconds; shorter calls are repeated within a sample
AGAIN_BELOW = 1.0  # seconds; shorter calls are warmed up by one more
ROUNDS = {False: 15, True: 3}  # by --quick
LONGEST_CASE = 120.0  # seconds; slow cases get fewer rounds, but at least 5


def say(line: str) -> None:
    """Progress, on stderr: stdout is for the table."""
    print(line, file=sys.stderr, flush=True)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float:
    """Busy cores over the last minute, by whoever else."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


@contextmanager
def on_cores(threads: int) -> Iterator[None]:
    """Hold every thread of this process to the first ``threads`` cores, where the system can (Linux).

    JAX fixes its thread pool when it starts and offers no number per call; this makes the stated number true for all.
    BLAS is told the number as well: two of its threads on one core wait for each other, and take ten times as long.
    """
    with _blas_threads(threads):
        if not hasattr(os, "sched_setaffinity"):
            yield
            return
        allowed = os.sched_getaffinity(0)
        try:
            _hold(set(sorted(allowed)[:threads]))
            yield
        finally:
            _hold(allowed)


def _blas_threads(threads: int) -> AbstractContextManager[Any]:
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    return threadpool_limits(threads)


def _hold(cores: set[int]) -> None:
    for thread in os.listdir("/proc/self/task"):
        try:
            os.sched_setaffinity(int(thread), cores)
        except ProcessLookupError:  # it has ended since
            continue


class Peak:
    """Highest resident memory since the start, above the level at the start; None where the system does not tell."""

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
            self.start = self._status("VmRSS")
        except OSError:
            self.start = None

    def bytes(self) -> int | None:
        return None if self.start is None else max(self._status("VmHWM") - self.start, 0)

    @staticmethod
    def _status(field: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


@dataclass
class Runner:
    """A tool's prepared call, and the row that its times go to."""

    row: Row
    call: Callable[[], Any]
    items: int
    self_timed: bool
    repeats: int = 1
    warm: float = 0.0

    def once(self) -> tuple[float, Any]:
        """Seconds and answer of one call."""
        start = perf_counter()
        answer = self.call()
        seconds = perf_counter() - start
        if not self.self_timed:
            return seconds, answer
        self.row.peak_bytes = answer.peak_bytes
        return answer.seconds, answer.answer

    def sample(self) -> None:
        """Time ``repeats`` calls, with the collector off, as timeit does."""
        with on_cores(self.row.threads):
            gc.collect()
            gc.disable()
            try:
                start = perf_counter()
                for _ in range(self.repeats):
                    answer = self.call()
                seconds = answer.seconds if self.self_timed else (perf_counter() - start) / self.repeats
            finally:
                gc.enable()
        self.row.samples.append(seconds / self.items)


def start(problem: Problem, data: Any, row: Row, way: Way, fresh: bool) -> Runner | None:
    """Prepare, call for the first time, check the answer, call again as a warm-up.

    None where the tool declines the case, or where any of it fails: then the row says how.
    """
    check = problem.rough if isinstance(way, Roughly) and problem.rough else problem.check
    try:
        with on_cores(row.threads):
            peak, begin = Peak(), perf_counter()
            call = way(data, row.threads)
            if call is None:
                return None
            runner = Runner(row, call, problem.items(data), problem.self_timed)
            prepare = perf_counter() - begin
            first, answer = runner.once()
            if fresh:
                row.prepare, row.first = prepare, first
                row.peak_bytes = row.peak_bytes if problem.self_timed else peak.bytes()
            row.failure = check(data, answer)
            runner.warm, answer = runner.once()
            row.failure = row.failure or check(data, answer)
            if runner.warm < AGAIN_BELOW:  # a second call may still load what the first had no need of
                runner.warm = min(runner.warm, runner.once()[0])
    except Exception as error:  # whatever a tool raises is its result; the others still get their turn
        row.failure = f"{type(error).__name__}: {error}".splitlines()[0]
        say(traceback.format_exc())
    if row.failure:
        return None
    if not problem.self_timed:
        runner.repeats = max(1, math.ceil(SHORTEST_SAMPLE / max(runner.warm, 1e-9)))
    return runner


def measure(problem: Problem, ways: dict[str, Way], quick: bool, threads: tuple[int, ...] | None) -> Iterator[Row]:
    """Run every tool on every case of a problem."""
    if find_spec(problem.needs) is None:
        say(f"{problem.name}: skipped, {problem.needs} is not installed")
        return
    counts = threads or [n for n in problem.threads if n <= cores()]
    for case, data in problem.cases(quick).items():
        runners = []
        for tool, way in ways.items():
            for n in counts:
                say(f"{problem.name} {case}: {tool}, {n} thread{'s'[: n > 1]}")
                row = Row(problem.name, case, tool, n, problem.unit, items=problem.items(data))
                runner = start(problem, data, row, way, fresh=n == counts[0])
                if runner is not None:
                    runners.append(runner)
                elif row.failure:
                    say(f"  {row.failure}")
                    yield row
        once_around = sum(max(runner.warm, SHORTEST_SAMPLE) for runner in runners)
        rounds = min(ROUNDS[quick], max(5, int(LONGEST_CASE / max(once_around, 1e-9))))
        for i in range(rounds):
            say(f"{problem.name} {case}: round {i + 1} of {rounds}")
            for runner in runners if i % 2 == 0 else reversed(runners):
                runner.sample()
        yield from (runner.row for runner in runners)
