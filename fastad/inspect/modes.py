"""Which mode should one choose? Counted, not guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .structure import colours, cone, dependencies, edges, transposed
from .table import Table, Tabular
from .view import view_of

_MOST_PATTERN_BITS = 10**9  # rows times inputs up to which sparsity is found: about a second
_MOST_COLUMNS = 4096


@dataclass(frozen=True, repr=False)
class Modes(Tabular):
    """Cost of the Jacobian by each mode.

    Attributes
    ----------
    inputs, outputs : int
        Columns and rows of the Jacobian.
    sweep : int
        Multiplications of one sweep: partials between the inputs and the outputs.
    sweeps : dict
        Directions or seeds that each mode needs; a compressed mode takes several columns (or rows) that never meet
        in one, and is left out where the Jacobian is too large to look at.
    nonzeros : int or None
        Elements of the Jacobian that can be other than zero.
    """

    inputs: int
    outputs: int
    sweep: int
    sweeps: dict[str, int]
    nonzeros: int | None

    @property
    def multiplications(self) -> dict[str, int]:
        """Multiplications of each mode."""
        return {mode: count * self.sweep for mode, count in self.sweeps.items()}

    @property
    def recommended(self) -> str:
        """The mode with the fewest sweeps; at a tie the first of forward, reverse and the compressed ones."""
        return min(self.sweeps, key=lambda mode: self.sweeps[mode])

    def table(self) -> Table:
        """Return one line per mode."""
        best = self.recommended
        lines = [
            [mode, str(count), str(count * self.sweep), "<- choose" if mode == best else ""]
            for mode, count in self.sweeps.items()
        ]
        title = f"Jacobian of {self.outputs} outputs by {self.inputs} inputs, {self.sweep} multiplications a sweep"
        if self.nonzeros is not None:
            title += f", {self.nonzeros} of {self.inputs * self.outputs} elements not always zero"
        return Table(["mode", "sweeps", "multiplications", ""], lines, title)


def modes(source: Any, outputs: Any = None, *, args: Sequence[Any] | None = None) -> Modes:
    """Count what the Jacobian costs by forward, reverse and compressed sweeps, and recommend one.

    Parameters
    ----------
    source : Tape or Program
        What to differentiate.
    outputs : structure of Active, or int, optional
        Of a tape, its outputs (the last row by default); of a Program, the number of one, all by default.
    args : sequence, optional
        Of a Program, the arguments whose branch is meant: by default where it was recorded.

    Returns
    -------
    Modes

    Notes
    -----
    Forward needs a sweep per input, reverse one per output. Compressed modes need one per colour of a greedy
    colouring of the sparsity pattern (Curtis, Powell & Reid 1974). Reverse mode has to keep the tape (33 bytes a
    row), forward mode need not.

    Examples
    --------
    >>> import fastad as fad
    >>> program = fad.record(lambda x: (x[1:] - x[:-1]) ** 2, np.ones(100))
    >>> fad.inspect.modes(program).recommended
    'forward, compressed'
    """
    view = view_of(source, outputs, args)
    operands = edges(view.rows)
    outs, ins = view.outputs.tolist(), view.rows.inputs.tolist()
    inside = cone(operands, outs)
    sweep = sum(len(args) for args, flag in zip(operands, inside) if flag)
    sweeps = {"forward": len(ins), "reverse": len(outs)}
    nonzeros = None
    if len(operands) * len(ins) <= _MOST_PATTERN_BITS and max(len(ins), len(outs)) <= _MOST_COLUMNS:
        patterns = dependencies(operands, ins, outs)
        nonzeros = sum(pattern.bit_count() for pattern in patterns)
        sweeps["forward, compressed"] = colours(patterns, len(ins))
        sweeps["reverse, compressed"] = colours(transposed(patterns, len(ins)), len(outs))
    return Modes(len(ins), len(outs), sweep, sweeps, nonzeros)
