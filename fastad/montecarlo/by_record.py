"""Path by path inside compiled code: a jitted payoff recorded and reversed on a tape that is rewound for each path.

Replaying one recording over many paths is faster where paths branch alike. A payoff whose every path decides
something else would be recorded again for each of them; here that costs what recording in compiled code costs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.core.typing.templates import signature
from numba.extending import intrinsic
from numpy.typing import NDArray

from ..kernels import philox, sweeps
from ..kernels.batch import GROUP, lane_of
from ..packing import Vector
from ..program.batch import Output, Scratch
from ..program.variants import Trie
from ..record import header
from ..record.array import ActiveArray
from ..record.context import activate, call, is_jitted, recording
from ..record.tape import Tape
from .engine import Engine, Job
from .prepare import Inputs
from .source import Block, Source

METHODS = ("auto", "replay", "record")
NOT_EXAMINED = (
    "recorded path by path, and so jumps of the payoff were not looked for: compare_with_bump=True shows whether "
    "pathwise derivatives miss something"
)
_PILOT_PATHS = 64
_MOST_BRANCHES = 8  # of the pilot's paths: with more, the variants of a whole run would hardly fill groups

_LENGTH, _ARG0, _PARTIAL0 = header.LENGTH, header.COLUMNS + 1, header.COLUMNS + 3


@dataclass(frozen=True)
class Payoff:
    """A payoff with the layout of its inputs and its other arguments."""

    function: Callable[..., Any]
    inputs: Inputs
    args: tuple[Any, ...]

    def arguments(self, tape: Tape, vector: Vector) -> tuple[Any, tuple[Any, ...], list[NDArray[np.float64]]]:
        """Parameters as inputs of a tape, the other arguments, and the memory of a path's normals and uniforms."""
        params = activate(tape, self.inputs.params, vector)
        memory = {philox.NORMALS: np.empty(0), philox.UNIFORMS: np.empty(0)}
        arrays = []
        shapes = self.inputs.packing.shapes[len(self.inputs.params.shapes) :]
        for (kind, count), shape in zip(self.inputs.draws, shapes):
            memory[kind] = np.zeros(count)
            arrays.append(ActiveArray(memory[kind].reshape(shape), np.full(shape, -1, np.int32), tape))
        return params, (*arrays, *self.args), [memory[philox.NORMALS], memory[philox.UNIFORMS]]


def chosen(method: str, payoff: Payoff, source: Source, obstacles: dict[str, bool]) -> bool:
    """Whether to record path by path; ``auto`` counts branches among the first paths, and never looks at a clock.

    ``obstacles`` names what only a replay can do, and whether it is asked for.
    """
    asked = [name for name, present in obstacles.items() if present]
    if method == "record" and not is_jitted(payoff.function):
        raise TypeError("method='record' runs the payoff in compiled code: decorate it with @numba.njit")
    if method == "record" and asked:
        raise ValueError(f"method='record' does not go with {', '.join(asked)}: use method='replay'")
    if method != "auto" or asked or not is_jitted(payoff.function):
        return method == "record"
    return _branches(payoff, source) > _MOST_BRANCHES


def _branches(payoff: Payoff, source: Source) -> int:
    """Different sequences of decisions among the pilot's paths, recorded as they would be for a replay."""
    tape = Tape()
    tape._freezing_guards = True
    found = set()
    for path in range(min(_PILOT_PATHS, source.paths)):
        tape.clear()
        inputs = activate(tape, payoff.inputs.packing, payoff.inputs.at(source.numbers(path)))
        call(tape, payoff.function, (*inputs, *payoff.args), {})
        decided = tape._guard_rows
        conditions = tape.arg0[decided]
        found.add((tape.value[decided].tobytes(), conditions.tobytes(), tape.partial1[conditions].tobytes()))
    return len(found)


class RecordingEngine(Engine):
    """Computes any block on any thread, with a tape per thread and no recordings but the first."""

    def __init__(self, trie: Trie, job: Job, payoff: Payoff) -> None:
        super().__init__(trie, job)
        self._payoff = payoff
        self._local = threading.local()

    def output(self, block: Block, scratch: Scratch, vector: Vector | None = None) -> Output:
        """Values and gradients of a block; values alone at other parameters than the job's own."""
        job, source = self.job, self.job.source
        wrt = job.selected if vector is None else job.selected[:0]
        positions = min(block.stop * GROUP, block.n) - block.first * GROUP
        # A group's gradients are added path by path, a replay adds them lane by lane: they agree to rounding, while
        # values, and gradients per path, have the same bits.
        rows = positions if job.per_lane else block.stop - block.first
        output = Output(
            np.empty((positions, job.n_values)),
            np.zeros((rows, job.n_values, wrt.size)),
            np.full(positions, -1, np.int32),
        )
        tape = self._tape()
        params, rest, numbers = self._payoff.arguments(tape, job.vector if vector is None else vector)
        at = np.zeros(1, np.int64)
        random = (philox.key_of_seed(source.seed), source.antithetic, *numbers)
        results = (output.values, output.gradient, job.per_lane, wrt)
        extent = (block.first, block.stop, block.n)
        try:
            with recording(tape):
                tape._lend(-1)
                assert tape._header is not None
                _loop()(self._payoff.function, params, rest, random, extent, results, tape._header.fields, at)
        except Exception as error:
            error.add_note(f"raised by the payoff on path {at[0]} of {source.paths}, seed {source.seed}")
            raise
        return output

    def _tape(self) -> Tape:
        """Return the tape of this thread, empty."""
        if not hasattr(self._local, "tape"):
            self._local.tape = Tape()
            self._local.tape._guards = False
        self._local.tape.clear()
        return self._local.tape


# -------------------- the loop --------------------


@intrinsic
def _pointer(typingctx: Any, address: Any, like: Any) -> Any:
    """An address as a pointer to items of the type of ``like``."""
    result = types.CPointer(types.unliteral(like))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(result))

    return signature(result, types.int64, like), codegen


@cache
def _loop() -> Any:
    """Return the compiled loop; made when first needed, with all that importing fastad should not load."""
    from ..nopython.outputs import outputs_of

    reverse, reverse_masked = sweeps.reverse, sweeps.reverse_masked
    normals_group, uniforms_group = philox.normals_group, philox.uniforms_group

    @numba.njit(error_model="numpy")
    def columns(fields: Any, rows: int) -> Any:
        arg0 = numba.carray(_pointer(fields[_ARG0], np.int32(0)), (rows,))  # type: ignore[call-arg]
        arg1 = numba.carray(_pointer(fields[_ARG0 + 1], np.int32(0)), (rows,))
        partial0 = numba.carray(_pointer(fields[_PARTIAL0], 0.0), (rows,))
        partial1 = numba.carray(_pointer(fields[_PARTIAL0 + 1], 0.0), (rows,))
        return arg0, arg1, partial0, partial1

    @numba.njit(error_model="numpy")
    def adjoints(fields: Any, row: int, wrt: Any, adjoint: Any, gradient: Any) -> None:
        """Add the adjoints of the inputs to the gradient: plain first, masked where that gave a NaN."""
        arg0, arg1, partial0, partial1 = columns(fields, row + 1)
        stop = max(row, wrt[-1]) + 1  # an output may be an input before the others: theirs are read, too
        for masked in range(2):
            adjoint[: stop + 1] = 0.0
            adjoint[row + 1] = 1.0
            if masked:
                reverse_masked(arg0, arg1, partial0, partial1, adjoint, 0, row + 1)
            else:
                reverse(arg0, arg1, partial0, partial1, adjoint, 0, row + 1)
            found = False
            for i in wrt:
                found |= adjoint[i + 1] != adjoint[i + 1]
            if not found:
                break
        for i in range(wrt.size):
            gradient[i] += adjoint[wrt[i] + 1]

    @numba.njit(nogil=True, error_model="numpy")
    def loop(payoff: Any, params: Any, rest: Any, random: Any, extent: Any, results: Any, fields: Any, at: Any) -> None:
        key, antithetic, normals, uniforms = random
        first, stop, paths = extent
        values, gradient, per_lane, wrt = results
        mark = fields[_LENGTH]
        normal_slots, uniform_slots = (
            np.arange(normals.size).astype(np.int32),
            np.arange(uniforms.size).astype(np.int32),
        )
        drawn_normals, drawn_uniforms = np.empty((normals.size, GROUP)), np.empty((uniforms.size, GROUP))
        adjoint = np.empty(1024)
        for group in range(first, stop):
            if normals.size:
                normals_group(key, group, antithetic, normal_slots, drawn_normals)
            if uniforms.size:
                uniforms_group(key, group, antithetic, uniform_slots, drawn_uniforms)
            count = min(GROUP, paths - group * GROUP)
            for position in range(count):
                lane = lane_of(position, count, antithetic)
                normals[:] = drawn_normals[:, lane]
                uniforms[:] = drawn_uniforms[:, lane]
                at[0] = group * GROUP + position
                row = at[0] - first * GROUP
                fields[_LENGTH] = mark
                outputs = outputs_of(payoff(params, *rest))
                if adjoint.size < fields[_LENGTH] + 2:
                    adjoint = np.empty(2 * (fields[_LENGTH] + 2))
                for k in range(len(outputs)):
                    values[row, k] = outputs[k].value
                    if wrt.size and outputs[k].index >= 0:
                        target = gradient[row if per_lane else group - first, k]
                        adjoints(fields, outputs[k].index, wrt, adjoint, target)
        fields[_LENGTH] = mark

    return loop
