"""The run itself: blocks merged one after the other until they are all there, good enough, or interrupted."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing

import numpy as np

from .checkpoint import Checkpoint
from .engine import Job
from .interrupts import plain_interrupts
from .statistics import Tally


def gather(
    before: Checkpoint,
    blocks: Generator[Tally, None, None],
    job: Job,
    until: float | None,
    report: Callable[[int], None],
    warnings: list[str],
) -> tuple[Checkpoint, Tally]:
    """Return what a later run may go on from, and the tally of everything.

    A tally is replaced, never changed, so that Ctrl-C finds either the one before a block or the one after it.
    """
    if until is not None and not 0.0 < until < np.inf:
        raise ValueError(f"until={until}: expected a positive relative error")
    checkpoint, tally = before, before.tally
    if tally is not None:
        report(tally.paths)
    try:
        with plain_interrupts(), closing(blocks):
            while until is None or tally is None or not _reached(tally, job, until):
                block = next(blocks, None)
                if block is None:
                    break
                tally = block if tally is None else tally.merge(block)
                if checkpoint.blocks < job.source.full_blocks:
                    checkpoint = checkpoint.followed_by(tally)
                report(block.paths)
    except KeyboardInterrupt:
        if tally is None:
            raise
        warnings.append(f"stopped by Ctrl-C after {tally.paths:,} of {job.source.paths:,} paths")
    assert tally is not None  # there is at least one block
    if until is not None and not _relative(tally, job) <= until and tally.paths == job.source.paths:
        relative = _relative(tally, job)
        warnings.append(
            f"until={until:g} was not reached in {tally.paths:,} paths: the relative error is {relative:.2g}"
        )
    return checkpoint, tally


def _reached(tally: Tally, job: Job, until: float) -> bool:
    balanced = job.source.label == "philox" or tally.paths & (tally.paths - 1) == 0
    return balanced and _relative(tally, job) <= until


def _relative(tally: Tally, job: Job) -> float:
    """Largest relative standard error of a value; 0 for one that is certain."""
    error = tally.values.standard_error[: job.n_values]
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(error == 0.0, 0.0, error / np.abs(tally.values.mean[: job.n_values]))
    return float(relative.max(initial=0.0))
