"""Who computes blocks: threads of this process, or the workers of an executor. Tallies come in block order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

from ..program.batch import Scratch
from .engine import Engine
from .statistics import Tally
from .worker import Travelling, run_block

T = TypeVar("T")


def on_threads(engine: Engine, numbers: range, threads: int) -> Generator[Tally, None, None]:
    """Give the tallies of these blocks in order, computed by threads, a few blocks ahead at most."""
    if threads == 1 or len(numbers) <= 1:
        scratch = Scratch()
        yield from (engine.block(number, scratch) for number in numbers)
        return
    free = [Scratch() for _ in range(threads)]

    def task(number: int) -> Tally:
        scratch = free.pop()
        try:
            return engine.block(number, scratch)
        finally:
            free.append(scratch)

    with (
        ThreadPoolExecutor(threads) as pool,
        closing(_ahead(numbers, lambda number: pool.submit(task, number), 2 * threads)) as waiting,
    ):
        for _, future in waiting:
            yield future.result()


def on_executor(
    engine: Engine, numbers: range, executor: Any, warn: Callable[[str], None]
) -> Generator[Tally, None, None]:
    """Give the tallies of these blocks in order, computed by the workers of an executor.

    A block whose worker died is submitted once more, then computed here; so is one that takes a branch that was
    not recorded when it was submitted, since workers have recordings but not the payoff.
    """
    travelling = Travelling(engine)
    scratch = Scratch()

    def submit(number: int) -> Future[Any]:
        try:
            return executor.submit(run_block, *travelling.packed(), number)
        except Exception as error:  # a broken or shut down executor; the block is computed here
            refused: Future[Any] = Future()
            refused.set_exception(error)
            return refused

    workers = getattr(executor, "_max_workers", None) or os.cpu_count() or 1
    broken = False
    with closing(_ahead(numbers, submit, 2 * workers)) as waiting:
        for number, future in waiting:
            if broken:
                yield engine.block(number, scratch)
                continue
            answer, failure = _answer(future)
            if failure is not None:
                answer, failure = _answer(submit(number))
            if failure is not None:
                broken = True
                warn(
                    f"the executor failed ({type(failure).__name__}: {failure}); blocks from {number} on were "
                    "computed in this process, with the same numbers"
                )
            yield engine.block(number, scratch) if answer is None else travelling.unpacked(answer)


def _answer(future: Future[Any]) -> tuple[Any, Exception | None]:
    try:
        return future.result(), None
    except Exception as error:
        return None, error


def _ahead(
    items: Iterable[int], submit: Callable[[int], Future[T]], ahead: int
) -> Generator[tuple[int, Future[T]], None, None]:
    """Submit items a few ahead and give each with its future, in order; cancel the rest if nobody wants them."""
    waiting: deque[tuple[int, Future[T]]] = deque()
    remaining = iter(items)
    try:
        for item in remaining:
            waiting.append((item, submit(item)))
            if len(waiting) > ahead:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        for _, future in waiting:
            future.cancel()
