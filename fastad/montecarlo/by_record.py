"""Path by path inside compiled code: a jitted payoff recorded and reversed on a tape that is rewound for each path.

Replaying one recording over many paths is faster where paths branch alike. A payoff whose every path decides
something else would be recorded again for each of them; here that costs what recording in compiled code costs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
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
from ..packing import Packing, Vector
from ..program.batch import Output
from ..record import header
from ..record.array import ActiveArray
from ..record.context import activate, call, is_jitted, recording
from ..record.tape import Tape
from .source import Source

Shape = tuple[int, ...] | None
METHODS = ("auto", "replay", "record")
_PILOT_PATHS = 64
_MOST_BRANCHES = 8  # of the pilot's paths: with more, the variants of a whole run would hardly fill groups

_LENGTH, _ARG0, _PARTIAL0 = header.LENGTH, header.COLUMNS + 1, header.COLUMNS + 3


@dataclass(frozen=True)
class Payoff:
    """What is run: a payoff, its parameters, and where the random numbers of a path come from."""

    payoff: Callable[..., Any]
    args: tuple[Any, ...]
    params: Packing
    vector: Vector
    shapes: Sequence[Shape]  # of normals and of uniforms
    source: Source

    def arguments(self, tape: Tape) -> tuple[Any, tuple[Any, ...], list[NDArray[np.float64]]]:
        """Parameters as inputs of a tape, the other arguments, and the memory that a path's numbers go to."""
        params = activate(tape, self.params, self.vector)
        numbers = [np.zeros(shape or ()) for shape in self.shapes]
        arrays = [
            ActiveArray(array, np.full(array.shape, -1, np.int32), tape)
            for array, shape in zip(numbers, self.shapes)
            if shape is not None
        ]
        flat = [array.reshape(-1) if shape is not None else np.empty(0) for array, shape in zip(numbers, self.shapes)]
        return params, (*arrays, *self.args), flat


def chosen(method: str, job: Payoff, inputs: Packing, inputs_of: Callable[[int], Vector]) -> bool:
    """Whether to record path by path; ``auto`` counts branches among the first paths, and never looks at a clock."""
    if not is_jitted(job.payoff):
        if method == "record":
            raise TypeError("method='record' runs the payoff in compiled code: decorate it with @numba.njit")
        return False
    return method == "record" or (method == "auto" and _branches(job, inputs, inputs_of) > _MOST_BRANCHES)


def _branches(job: Payoff, inputs: Packing, inputs_of: Callable[[int], Vector]) -> int:
    """Different sequences of decisions among the pilot's paths, recorded as they would be for a replay."""
    tape = Tape()
    tape._freezing_guards = True
    found = set()
    for path in range(min(_PILOT_PATHS, job.source.paths)):
        tape.clear()
        call(tape, job.payoff, (*activate(tape, inputs, inputs_of(path)), *job.args), {})
        decided = tape._guard_rows
        conditions = tape.arg0[decided]
        found.add((tape.value[decided].tobytes(), conditions.tobytes(), tape.partial1[conditions].tobytes()))
    return len(found)


class RecordRunner:
    """Runs any range of groups on any thread, as ``program.batch.Runner`` does."""

    def __init__(self, job: Payoff, n_outputs: int, wrt: NDArray[np.int64], per_lane: bool) -> None:
        self._job = job
        self._n_outputs = n_outputs
        self._wrt = wrt
        self._per_lane = per_lane
        self._local = threading.local()

    def run(self, first: int, stop: int) -> Output:
        """Give the values and gradients of groups ``first`` to ``stop - 1``."""
        job = self._job
        # A group's gradients are added path by path, a replay adds them lane by lane: they agree to rounding, while
        # values, and gradients per path, have the same bits.
        positions = min(stop * GROUP, job.source.paths) - first * GROUP
        rows = positions if self._per_lane else stop - first
        output = Output(
            np.empty((positions, self._n_outputs)),
            np.zeros((rows, self._n_outputs, self._wrt.size)),
            np.full(positions, -1, np.int32),
        )
        tape, params, rest, numbers = self._thread()
        at = np.zeros(1, np.int64)
        random = (philox.key_of_seed(job.source.seed), job.source.antithetic, *numbers)
        results = (output.values, output.gradient, self._per_lane, self._wrt)
        try:
            with recording(tape):
                tape._lend(-1)
                assert tape._header is not None
                _loop()(
                    job.payoff, params, rest, random, (first, stop, job.source.paths), results, tape._header.fields, at
                )
        except Exception as error:
            error.add_note(f"raised by the payoff on path {at[0]} of {job.source.paths}, seed {job.source.seed}")
            raise
        return output

    def _thread(self) -> tuple[Tape, Any, tuple[Any, ...], list[NDArray[np.float64]]]:
        """Return the tape of this thread, with the parameters as its inputs; rewound to them."""
        if not hasattr(self._local, "state"):
            tape = Tape()
            tape._guards = False
            self._local.state = (tape, *self._job.arguments(tape))
        state = self._local.state
        state[0].rewind(self._job.vector.size)
        return state


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
        for masked in range(2):
            adjoint[: row + 2] = 0.0
            adjoint[row + 1] = 1.0
            if masked:
                reverse_masked(arg0, arg1, partial0, partial1, adjoint, row + 1)
            else:
                reverse(arg0, arg1, partial0, partial1, adjoint, row + 1)
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
