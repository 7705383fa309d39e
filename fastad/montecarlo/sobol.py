"""Sobol' points by SciPy, scrambled 16 times independently, and any block of them at once.

A scrambled Sobol' sequence in Gray code order is linear over bits: point n is the scramble's shift XOR one direction
per bit of n XOR (n >> 1). So the points of a block of a power of two are those of the first block XOR the same
number each, which gives every thread and worker its block without the ones before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import philox
from ..packing import Vector
from ..program.batch import GROUP, Drawn
from ..program.plan import Plan
from .source import BLOCK_GROUPS, Block, Draws, gathered_parameters
from .statistics import Replicates, Samples

REPLICATES = 16
_BITS = 32  # with 64, SciPy 1.17 cannot fast-forward
_FEWEST = REPLICATES * GROUP
Words = NDArray[np.uint32]


@dataclass(frozen=True)
class Sobol:
    """Randomised quasi-Monte Carlo: 16 scrambles of one sequence, a power of two of points each.

    A block holds the next points of every scramble, scramble after scramble, in whole groups of 64.
    """

    draws: Draws
    seed: int
    paths: int
    block_groups: int = BLOCK_GROUPS
    antithetic: bool = field(default=False, init=False)
    label = "sobol"

    def __post_init__(self) -> None:
        philox.key_of_seed(self.seed)
        if not self._dimensions:
            raise ValueError('sampler="sobol" needs random numbers: normals or uniforms')
        if self._dimensions > _qmc().Sobol.MAXDIM:
            raise ValueError(
                f'sampler="sobol": {self._dimensions} random numbers per path, but there are direction numbers for '
                f"{_qmc().Sobol.MAXDIM}"
            )

    @property
    def _dimensions(self) -> int:
        return sum(count for _, count in self.draws)

    @property
    def _longest_stretch(self) -> int:
        """Points of one scramble in a block of a long run: a power of two of groups."""
        return GROUP * 2 ** (max(self.block_groups // REPLICATES, 1).bit_length() - 1)

    @property
    def _stretch(self) -> int:
        """Points of one scramble in a block."""
        return min(self._longest_stretch, self.paths // REPLICATES)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return self.paths // (REPLICATES * self._stretch)

    @property
    def full_blocks(self) -> int:
        """How many of them, from the first on, a longer run has too."""
        return self.blocks if self._stretch == self._longest_stretch else 0

    def block(self, number: int) -> Block:
        """Return the scenarios of a block, counted from 0."""
        points = self._points(number)

        def gathered(plan: Plan, vector: Vector) -> Any:
            return gathered_parameters(plan, vector, points)

        n = len(points)
        return Block(n, 0, n // GROUP, number * n, gathered, lambda plan: Drawn())

    def numbers(self, path: int) -> Vector:
        """Random numbers of one path."""
        number, at = divmod(path, REPLICATES * self._stretch)
        replicate, point = divmod(at, self._stretch)
        return self._transform(self._words[0][replicate, point] ^ self._jump(number)[replicate])[None][0]

    def of_paths(self, samples: Samples) -> Replicates:
        """Statistic of values per path of a block."""
        return self._replicates(samples, self._stretch)

    def of_groups(self, sums: Samples, paths: int) -> Replicates:
        """Statistic of sums over groups of 64 paths of a block."""
        return self._replicates(sums, paths / REPLICATES)

    def _replicates(self, samples: Samples, points: float) -> Replicates:
        with np.errstate(over="ignore", invalid="ignore"):
            return Replicates(float(points), samples.reshape(REPLICATES, -1, samples.shape[1]).sum(axis=1))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_words"}  # workers make their own

    @cached_property
    def _words(self) -> tuple[Words, Words]:
        """First points of every scramble (16, stretch, dimensions), and the points where block 2^j begins."""
        first, jumps = [], []
        doublings = max(self.blocks - 1, 0).bit_length()
        for replicate in range(REPLICATES):
            rng = np.random.default_rng([self.seed, replicate])
            engine = _qmc().Sobol(self._dimensions, scramble=True, bits=_BITS, rng=rng)
            first.append(_words(engine.random(self._stretch)))
            jumps.append(np.zeros((doublings, self._dimensions), np.uint32))
            for j in range(doublings):
                engine.fast_forward(self._stretch * 2**j - engine.num_generated)
                jumps[-1][j] = _words(engine.random(1))[0] ^ first[-1][0]
        return np.array(first), np.array(jumps)

    def _jump(self, number: int) -> Words:
        """What to XOR the first points with, per scramble."""
        jumps = self._words[1]
        total = np.zeros((REPLICATES, self._dimensions), np.uint32)
        for j in range(jumps.shape[1]):
            if number >> j & 1:
                total ^= jumps[:, j]
        return total

    def _points(self, number: int) -> NDArray[np.float64]:
        """Random numbers of a block, (paths, dimensions)."""
        words = self._words[0] ^ self._jump(number)[:, None, :]
        return self._transform(words.reshape(-1, self._dimensions))

    def _transform(self, words: Words) -> NDArray[np.float64]:
        from scipy.special import ndtri

        uniforms = (words.astype(np.float64) + 0.5) * 2.0**-_BITS  # the middle of a cell: never 0 or 1
        n_normals = sum(count for kind, count in self.draws if kind == philox.NORMALS)
        uniforms[..., :n_normals] = ndtri(uniforms[..., :n_normals])
        return uniforms


def _words(points: NDArray[np.float64]) -> Words:
    return (points * 2.0**_BITS).astype(np.uint32)


def rounded_up(paths: int) -> int:
    """Return the paths of the next run that Sobol' points are balanced in: a power of two, of at least 16 x 64."""
    return max(_FEWEST, 1 << (paths - 1).bit_length())


def _qmc() -> Any:
    try:
        from scipy.stats import qmc
    except ImportError:
        raise ImportError("sampler=\"sobol\" needs SciPy: pip install 'fastad[scipy]'") from None
    return qmc
