"""Where the random numbers of a path come from: counters, a function of the seed and the path number alone.

A *source* cuts the paths into blocks, the unit of work for threads and workers. It says where the kernel finds the
numbers of a block, what they are for one path, and which samples are independent of each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..kernels import philox
from ..kernels.batch import locate_draw
from ..packing import Vector
from ..program.batch import GROUP, Drawn, Gathered
from ..program.plan import Plan
from .statistics import Moments, Samples, Statistic, per_group, per_path

BLOCK_GROUPS = 256  # paths of a block that branch alike fill groups of their own: with 64 half of them were empty
Draws = tuple[tuple[int, int], ...]  # kind and count of the random numbers of a path, in the order of the inputs


@dataclass(frozen=True)
class Block:
    """Scenarios of a block: how many the kernel is to count, which groups of them, and where inputs come from."""

    n: int
    first: int
    stop: int
    offset: int  # path number of scenario 0
    gathered: Callable[[Plan, Vector], Gathered]
    drawn: Callable[[Plan], Drawn]


class Source(Protocol):
    """What a run asks of a source of random numbers."""

    @property
    def draws(self) -> Draws:
        """Kind and count of the random numbers of a path."""

    @property
    def paths(self) -> int:
        """Paths of the run."""

    @property
    def antithetic(self) -> bool:
        """Whether paths come in pairs of mirror images."""

    @property
    def seed(self) -> int:
        """What reproduces the numbers."""

    @property
    def label(self) -> str:
        """Name of the sampler."""

    @property
    def blocks(self) -> int:
        """Number of blocks."""

    @property
    def full_blocks(self) -> int:
        """How many of them, from the first on, a longer run has too."""

    def block(self, number: int) -> Block:
        """Return the scenarios of a block."""

    def numbers(self, path: int) -> Vector:
        """Random numbers of one path."""

    def of_paths(self, samples: Samples) -> Statistic:
        """Statistic of values per path of a block."""

    def of_groups(self, sums: Samples, paths: int) -> Statistic:
        """Statistic of sums over groups of 64 paths of a block."""


@dataclass(frozen=True)
class Philox:
    """Counter-based random numbers of independent paths, or of independent antithetic pairs."""

    draws: Draws
    seed: int
    antithetic: bool
    paths: int
    block_groups: int = BLOCK_GROUPS
    label = "philox"

    def __post_init__(self) -> None:
        philox.key_of_seed(self.seed)  # a bad seed is refused before anything is recorded

    @property
    def _groups(self) -> int:
        return -(-self.paths // GROUP)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self._groups // self.block_groups)

    @property
    def full_blocks(self) -> int:
        """How many of them, from the first on, a longer run has too."""
        return self.paths // (GROUP * self.block_groups)

    def block(self, number: int) -> Block:
        """Return the scenarios of a block; all blocks count the paths of the whole run."""
        first = number * self.block_groups
        stop = min(first + self.block_groups, self._groups)
        return Block(self.paths, first, stop, 0, gathered_parameters, self._drawn)

    def _drawn(self, plan: Plan) -> Drawn:
        slots = plan.input_slots[plan.input_slots.size - sum(count for _, count in self.draws) :]
        n_normals = sum(count for kind, count in self.draws if kind == philox.NORMALS)
        return Drawn(philox.key_of_seed(self.seed), self.antithetic, slots[:n_normals], slots[n_normals:])

    def numbers(self, path: int) -> Vector:
        """Random numbers of one path."""
        path, sign = locate_draw(path, self.paths, self.antithetic)
        parts = [np.empty(0)]
        for kind, count in self.draws:
            drawn = philox.fill(self.seed, path, 1, count, False, kind)[0]
            parts.append(drawn if sign > 0.0 else (-drawn if kind == philox.NORMALS else 1.0 - drawn))
        return np.concatenate(parts)

    def of_paths(self, samples: Samples) -> Moments:
        """Statistic of values per path of a block."""
        return Moments.of(*per_path(samples, self.antithetic))

    def of_groups(self, sums: Samples, paths: int) -> Moments:
        """Statistic of sums over groups of 64 paths of a block."""
        return Moments.of(*per_group(sums, paths))


def gathered_parameters(plan: Plan, vector: Vector, *more: NDArray[np.float64]) -> Gathered:
    """Parameters that the plan wants per lane, the same row for every path; and arrays of a row per scenario."""
    arrays, strides, starts, slots = [], [], [0], []
    at = 0
    for array, stride in ((vector, 0), *((a, a.shape[1]) for a in more)):
        width = array.shape[-1]
        own = plan.input_slots[at : at + width]
        at += width
        if own.size and own.max() >= 0:
            arrays.append(array)
            strides.append(stride)
            slots.append(own)
            starts.append(starts[-1] + own.size)
    empty = np.empty(0, np.int32)
    return Gathered(arrays, np.array(strides, np.int64), np.array(starts), np.concatenate([empty, *slots]))
