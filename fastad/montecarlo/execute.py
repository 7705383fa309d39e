"""Blocks computed by the workers of an executor. Tallies come in block order."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import closing
from typing import Any

from ..program.batch import Scratch, ahead
from .engine import Engine
from .statistics import Tally
from .worker import Travelling, run_block


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
    with closing(ahead(numbers, submit, 2 * workers)) as waiting:
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
