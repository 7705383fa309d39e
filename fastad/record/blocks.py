"""BLOCK rows: array operations and rules of one's own, recorded as one.

A BLOCK row is followed by a PART row for every element of its results. The row kernels pass over them: sweeps run the
kernels on the rows between blocks, and a block's rule on its arrays. A rule is written once, in operations that take
arrays and active arrays alike. Run on numbers it gives adjoints or tangents; run on actives it records the rows of the
derivative, so a block has the orders of derivative that its rule has.

Which rows a block depends on stands in the tape's tables, as for a TAKE row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..kernels.bulk import extent

Array = Any  # ndarray, or an ActiveArray where the derivative is being recorded
Arrays = list[Any]
Vector = NDArray[np.float64]

_NONE = np.array(-1, np.int32)
_NONE.setflags(write=False)


class Rule(Protocol):
    """What a block computes, and its derivatives. Arrays come and go in the shapes of operands and results.

    A rule that ``stacks`` gives values and adjoints of numbers also for arrays that all have one more axis in front; it
    returns new arrays, and leaves those that it gets as they are. Others get copies, and what they return is copied.
    """

    name: str
    stacks: bool

    def values(self, operands: Arrays) -> Arrays:
        """Results of the operands."""

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        """Adjoints of the operands that are wanted, for adjoints of the results."""

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        """Tangents of the results for tangents of the operands, None where one is zero."""


class Operand(NamedTuple):
    """Values where the block was recorded, and rows of the same shape, -1 where an element is passive.

    ``first`` is the first of consecutive rows, -1 where they are not; ``highest`` is the highest.
    """

    values: Vector
    rows: NDArray[np.int32]
    first: int
    highest: int

    @property
    def is_active(self) -> bool:
        """Whether any element is."""
        return self.highest >= 0

    @classmethod
    def of(cls, values: Vector, rows: NDArray[np.int32]) -> Operand:
        """Return an operand that some rows belong to."""
        low, high, consecutive = extent(rows.reshape(-1)) if rows.size else (-1, -1, False)
        return cls(values, rows, low if consecutive else -1, high)

    @classmethod
    def passive(cls, values: Vector) -> Operand:
        """Return numbers, as a copy: what the caller writes into his array later is not what was recorded.

        An array that nobody can write into (``array.setflags(write=False)``) is taken as it is.
        """
        kept = values if _is_immutable(values) else values.copy()
        # Minus one for every element; np.broadcast_to, which does the same, takes 5 us.
        rows: NDArray[np.int32] = np.ndarray(values.shape, np.int32, _NONE.data, strides=(0,) * values.ndim)
        return cls(kept, rows, -1, -1)

    def at(self, column: Vector) -> Vector:
        """Values where the values of all rows are these; a copy, unless passive."""
        if not self.is_active:
            return self.values
        if self.first >= 0:
            return column[self.first : self.first + self.rows.size].reshape(self.rows.shape).copy()
        return np.where(self.rows >= 0, column[self.rows], self.values)

    def add(self, bar: Any, adjoint: Vector) -> None:
        """Add adjoints to those of all rows, shape (rows + 1,)."""
        bar = np.broadcast_to(bar, self.rows.shape)
        if self.first >= 0:
            adjoint[self.first + 1 : self.first + 1 + self.rows.size] += bar.reshape(-1)
            return
        active = self.rows >= 0
        np.add.at(adjoint, self.rows[active] + 1, bar[active])


@dataclass(frozen=True, eq=False)
class Block:
    """One recorded block.

    Attributes
    ----------
    row : int
        Its BLOCK row; the PART rows follow.
    rule : Rule
    operands : tuple of Operand
    shapes : tuple of tuple
        Shapes of the results.
    """

    row: int
    rule: Rule
    operands: tuple[Operand, ...]
    shapes: tuple[tuple[int, ...], ...]

    @cached_property
    def stop(self) -> int:
        """Row behind the last PART row."""
        return self.row + 1 + sum(math.prod(shape) for shape in self.shapes)

    @cached_property
    def wanted(self) -> list[bool]:
        """Which operands are active."""
        return [operand.is_active for operand in self.operands]

    def operand_values(self, values: Vector) -> list[Vector]:
        """Operands, where the values of all rows are these."""
        return [operand.at(values) for operand in self.operands]

    def results(self, column: NDArray[Any], row: int | None = None) -> list[NDArray[Any]]:
        """Results, or anything else of which a column has one per row; its own row is elsewhere in a part of one."""
        parts, at = [], (self.row if row is None else row) + 1
        for shape in self.shapes:
            size = math.prod(shape)
            parts.append(column[at : at + size].reshape(shape + column.shape[1:]))
            at += size
        return parts

    def evaluate(self, values: Vector) -> None:
        """Fill in the values of its PART rows, from those of its operands."""
        found = self.rule.values(self.operand_values(values))
        for result, part in zip(found, self.results(values), strict=True):
            if np.shape(result) != part.shape:
                raise ShapeError(
                    f"{self.rule.name} gave a result of shape {np.shape(result)}, {part.shape} where it was recorded"
                )
            part[...] = result


class BlockAt:
    """A block at a point, for sweeps. Buffers have one leading row, as in ``kernels/sweeps.py``."""

    def __init__(self, block: Block, values: Vector) -> None:
        self.start, self.stop = block.row, block.stop
        self._block = block
        self._operands = block.operand_values(values)
        self._results = block.results(values)
        if not block.rule.stacks:
            self._results = [part.copy() for part in self._results]

    def reverse(self, adjoint: NDArray[np.float64]) -> None:
        """Add the adjoints of the operands; ``adjoint`` has shape (rows + 1,) or (rows + 1, k)."""
        if adjoint.ndim == 2:
            for k in range(adjoint.shape[1]):
                self.reverse(adjoint[:, k])
            return
        bars = self._block.results(adjoint[1:])
        if not any(bar.any() for bar in bars):  # a product with an exactly zero factor is zero
            return
        if not self._block.rule.stacks:
            bars = [bar.copy() for bar in bars]
        with np.errstate(all="ignore"):  # NaN and inf flow, as through rows
            found = self._block.rule.adjoints(self._operands, self._results, bars, self._block.wanted)
        for operand, bar in zip(self._block.operands, found, strict=True):
            if bar is not None and operand.is_active:
                operand.add(bar, adjoint)

    def forward(self, tangent: NDArray[np.float64]) -> None:
        """Fill in the tangents of the results, shape (rows + 1, k)."""
        for k in range(tangent.shape[1]):
            column = tangent[1:, k]
            dots: list[Any] = []
            for operand in self._block.operands:
                dot = np.where(operand.rows >= 0, column[operand.rows], 0.0) if operand.is_active else None
                dots.append(dot if dot is not None and dot.any() else None)
            parts = self._block.results(column)
            found = self._tangents(dots, parts)
            for part, result in zip(parts, found, strict=True):
                part[...] = result

    def _tangents(self, dots: list[Any], parts: list[Vector]) -> list[Any]:
        if all(dot is None for dot in dots):
            return [0.0] * len(parts)
        with np.errstate(all="ignore"):
            return self._block.rule.tangents(self._operands, self._results, dots)


def _is_immutable(array: Any) -> bool:
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        array = array.base
    return array is None or isinstance(array, bytes)


def blocks_at(blocks: Iterable[Block], values: Vector) -> list[BlockAt]:
    """Return blocks at a point."""
    return [BlockAt(block, values) for block in blocks]
