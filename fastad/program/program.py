"""The public Program: a function recorded once, evaluated and differentiated many times."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..kernels import sweeps
from ..kernels.moments import ordered_sum
from ..packing import Packing, Vector, argument_numbers, nest, pack, refuse_actives
from ..structure import Spec, flatten, flatten_like, is_input, is_result, leaf_shapes
from .batch import Drawn, Gathered, Output, Runner, checked_threads, ranges, run_in_order
from .plan import Plan, build
from .recording import Recording

Argnums = int | Sequence[int]


@dataclass(frozen=True)
class BatchResult:
    """Values and gradients of a batch of scenarios.

    Attributes
    ----------
    value
        Structure of the function's result; leading axis scenario, unless reduced.
    gradient
        The result's structure with the structure of ``wrt`` at each leaf; leading axis scenario, unless
        reduced. None where nothing was differentiated.
    """

    value: Any
    gradient: Any


def record(f: Callable[..., Any], *example_args: Any) -> Program:
    """Run f once and return a Program that replays what it did.

    Parameters
    ----------
    f : callable
        Function of structures of numbers. Its float leaves and float arrays become inputs; integers, bools,
        strings, None and shapes are static: another value of them is recorded separately.
    *example_args
        Arguments to record at.

    Returns
    -------
    Program

    Raises
    ------
    NestingError
        Called inside a function that is being differentiated.

    Examples
    --------
    >>> import fastad as fad
    >>> program = fad.record(lambda x, y: x * fad.exp(y), 1.0, 0.0)
    >>> program(3.0, 0.0)
    3.0
    >>> program.batch(np.array([1.0, 2.0]), 0.0, axes=(0, None)).gradient
    array([1., 1.])
    """
    program = Program(f)
    program._recording_for(*program._bind(example_args))
    return program


class Program:
    """A recorded function. Made by `record`.

    Calls with other static arguments or shapes record f again and keep both recordings. A call whose
    arguments decide a recorded comparison differently raises `DivergenceError`.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self._f = f
        self._recordings: dict[Hashable, Recording] = {}
        self._plans: dict[tuple[int, bytes, bytes], Plan] = {}
        self._like: Packing | None = None

    def __repr__(self) -> str:
        name = getattr(self._f, "__name__", type(self._f).__name__)
        rows = ", ".join(f"{len(r)} rows" for r in self._recordings.values())
        return f"<fastad.Program {name}: {rows}>"

    # -------------------- arguments --------------------

    def _bind(self, args: tuple[Any, ...]) -> tuple[Packing, Vector]:
        """Layout and numbers of the arguments, with ints where floats were recorded taken as floats."""
        if self._like is None:
            return Packing.of(args, is_input)
        leaves, spec = flatten_like(self._like.spec, args, is_input)
        return Packing(spec, leaf_shapes(leaves)), pack(leaves)

    def _recording_for(self, packing: Packing, vector: Vector) -> Recording:
        key = (packing.spec.key(), tuple(packing.shapes))
        recording = self._recordings.get(key)
        if recording is None:
            recording = Recording.record(self._f, packing, vector, lambda args: args)
            self._recordings[key] = recording
            self._like = self._like or packing
        return recording

    def _argument(self, recording: Recording, argnums: Argnums) -> tuple[Packing, NDArray[np.int64]]:
        """Layout of the arguments to differentiate by, and which inputs they are."""
        packing = recording.inputs
        counts = [child.n_leaves for child in packing.spec.children]
        ends = np.cumsum([0, *counts])
        single = isinstance(argnums, int)
        parts: list[Spec] = []
        leaves: list[int] = []
        for number in argument_numbers(argnums, len(counts)):
            parts.append(packing.spec.children[number])
            leaves += range(ends[number], ends[number + 1])
        if not leaves and parts:
            raise TypeError(
                f"the argument at {argnums} was recorded without a float in it: nothing to differentiate by"
            )
        spec = parts[0] if single else Spec("tuple", tuple, tuple(range(len(parts))), tuple(parts))
        elements = [np.arange(packing.ends[leaf], packing.ends[leaf + 1]) for leaf in leaves]
        return Packing(spec, [packing.shapes[leaf] for leaf in leaves]), np.concatenate(
            [np.empty(0, np.int64), *elements]
        )

    # -------------------- one point --------------------

    def _at(self, args: tuple[Any, ...]) -> tuple[Recording, Vector, Vector, Vector]:
        packing, vector = self._bind(args)
        recording = self._recording_for(packing, vector)
        values, partial0, partial1, failed = recording.evaluate(vector)
        if failed >= 0:
            raise recording.divergence(failed)
        return recording, values, partial0, partial1

    def __call__(self, *args: Any) -> Any:
        """Value at these arguments, of the structure of f's result."""
        recording, values, _, _ = self._at(args)
        return recording.outputs.unpack(recording.output_values(values))

    def value_and_grad(self, *args: Any, argnums: Argnums = 0) -> tuple[Any, Any]:
        """Value and gradient at these arguments, for a function that returns one number."""
        value, jacobian = self._value_and_jacobian(args, argnums)
        if not isinstance(value, float):
            raise ShapeError("a gradient needs a program that returns one number; use program.jacobian")
        return value, jacobian

    def grad(self, *args: Any, argnums: Argnums = 0) -> Any:
        """Gradient at these arguments."""
        return self.value_and_grad(*args, argnums=argnums)[1]

    def jacobian(self, *args: Any, argnums: Argnums = 0) -> Any:
        """Jacobian at these arguments: the result's structure with the argument's at each leaf."""
        return self._value_and_jacobian(args, argnums)[1]

    def _value_and_jacobian(self, args: tuple[Any, ...], argnums: Argnums) -> tuple[Any, Any]:
        recording, values, partial0, partial1 = self._at(args)
        inputs, elements = self._argument(recording, argnums)
        seeds = np.eye(recording.output_rows.size)
        adjoints = _adjoints(recording, partial0, partial1, seeds)[elements].T
        value = recording.outputs.unpack(recording.output_values(values))
        return value, nest(recording.outputs, inputs, adjoints)

    def vjp(self, args: Sequence[Any], seeds: Any) -> tuple[Any, tuple[Any, ...]]:
        """Value, and adjoints of all arguments for seeds of the result's structure."""
        recording, values, partial0, partial1 = self._at(tuple(args))
        vector = recording.outputs.matches(seeds)
        adjoints = _adjoints(recording, partial0, partial1, vector[:, None])[:, 0]
        return recording.outputs.unpack(recording.output_values(values)), recording.inputs.unpack(adjoints)

    def jvp(self, args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Value, and its derivative in the direction of tangents of the arguments' structure."""
        recording, values, partial0, partial1 = self._at(tuple(args))
        direction = recording.inputs.matches(tuple(tangents), is_input)
        y_dot = _tangents(recording, partial0, partial1, direction)
        outputs = recording.outputs
        return outputs.unpack(recording.output_values(values)), outputs.unpack(y_dot)

    # -------------------- many scenarios --------------------

    def batch(
        self,
        *args: Any,
        axes: int | Sequence[int | None] | None = 0,
        wrt: Argnums | None = 0,
        reduce: str | None = None,
        threads: int | None = None,
    ) -> BatchResult:
        """Values and gradients of many scenarios.

        Parameters
        ----------
        *args
            Arguments; where the axis is 0, every leaf has a leading scenario axis.
        axes : 0, None or a sequence of them
            Per argument (or for all): 0 where it differs per scenario, None where it is the same for all.
        wrt : int, sequence of int or None
            Arguments to differentiate by; None for values only.
        reduce : {None, "mean", "sum"}
            Per scenario, or the mean or sum over scenarios of values and of gradients.
        threads : int, optional
            All cores by default. The numbers do not depend on it.

        Returns
        -------
        BatchResult

        Raises
        ------
        ShapeError
            Scenario axes of different lengths, or leaves of another shape than recorded.
        DivergenceError
            A scenario decides a recorded comparison differently.
        """
        if reduce not in (None, "mean", "sum"):
            raise ValueError(f"reduce={reduce!r}: expected None, 'mean' or 'sum'")
        flags = list(axes) if isinstance(axes, Sequence) else [axes] * len(args)
        if len(flags) != len(args) or any(axis not in (0, None) for axis in flags):
            raise ShapeError(f"axes={axes!r}: expected 0 or None for each of the {len(args)} arguments")
        bound = _BatchArguments(args, [axis == 0 for axis in flags])
        packing, vector = self._bind(bound.scenario(0))
        recording = self._recording_for(packing, vector)
        inputs, elements = self._argument(recording, () if wrt is None else wrt)
        differentiated = np.zeros(recording.n_inputs, np.bool_)
        differentiated[elements] = True
        varies = bound.leaf_varies(packing)
        varying = np.repeat(varies, packing.sizes)
        per_lane = reduce is None
        plan = self._plan(recording, varying | differentiated if per_lane else varying, differentiated)
        runner = Runner(recording, plan, vector, bound.gather(plan, packing, vector, varies), Drawn())
        values, gradient = _run(runner, bound.n, per_lane, checked_threads(threads))
        gradient = gradient[..., np.searchsorted(np.flatnonzero(differentiated), elements)]  # the plan has row order
        if reduce is not None:
            scale = 1.0 / bound.n if reduce == "mean" else 1.0
            values, gradient = ordered_sum(values) * scale, _ordered(gradient) * scale
        value = recording.outputs.unpack(values)
        return BatchResult(value, None if wrt is None else nest(recording.outputs, inputs, gradient))

    def _plan(self, recording: Recording, varying: NDArray[np.bool_], wrt: NDArray[np.bool_]) -> Plan:
        key = (id(recording), varying.tobytes(), wrt.tobytes())
        if key not in self._plans:
            self._plans[key] = build(recording, varying, wrt)
        return self._plans[key]


def _adjoints(recording: Recording, partial0: Vector, partial1: Vector, seeds: Vector) -> Vector:
    """Adjoints of all inputs, shape (inputs, k), for seeds of the outputs, shape (outputs, k)."""
    active = np.flatnonzero(recording.output_rows >= 0)
    stop = int(recording.output_rows.max(initial=-1)) + 1
    size = max(stop, recording.n_inputs) + 1
    for masked in (False, True):
        adjoint = np.zeros((size, seeds.shape[1]))
        np.add.at(adjoint, recording.output_rows[active] + 1, seeds[active])
        sweeps.reverse_many(recording.arg0, recording.arg1, partial0, partial1, adjoint, stop, masked)
        result = adjoint[1 : recording.n_inputs + 1]
        if not np.isnan(result).any():
            break
    return result


def _tangents(recording: Recording, partial0: Vector, partial1: Vector, direction: Vector) -> Vector:
    """Tangents of the outputs for one direction of all inputs."""
    active = recording.output_rows >= 0
    is_input = np.arange(len(recording)) < recording.n_inputs
    y_dot = np.zeros(recording.output_rows.size)
    for masked in (False, True):
        tangent = np.zeros((len(recording) + 1, 1))
        tangent[1 : recording.n_inputs + 1, 0] = direction
        columns = (recording.arg0, recording.arg1, partial0, partial1, is_input)
        sweeps.forward_many(*columns, tangent, len(recording), masked)
        y_dot[active] = tangent[recording.output_rows[active] + 1, 0]
        if not np.isnan(y_dot).any():
            break
    return y_dot


class _BatchArguments:
    """Arguments of a batch: which leaves carry a scenario axis, and how long it is."""

    def __init__(self, args: tuple[Any, ...], carries_axis: list[bool]) -> None:
        self._carries_axis = carries_axis
        self._arrays: list[NDArray[np.float64]] = []
        self._parts: list[tuple[Any, Any]] = []
        lengths = set()
        for number, (arg, varies) in enumerate(zip(args, carries_axis)):
            leaves, spec = flatten(arg, is_result)
            refuse_actives(leaves)
            if varies:
                if any(isinstance(static, np.ndarray) for static in spec.statics()):
                    raise TypeError(
                        f"argument {number}: an array of bools or objects is static, it cannot vary by scenario"
                    )
                leaves = [np.asarray(leaf, dtype=np.float64, order="C") for leaf in leaves]
                if any(leaf.ndim == 0 for leaf in leaves) or not leaves:
                    raise ShapeError(f"argument {number} has axis 0 but a leaf without a scenario axis; pass axes=None")
                lengths |= {leaf.shape[0] for leaf in leaves}
                self._arrays += leaves
            self._parts.append((arg, (leaves, spec) if varies else None))
        if len(lengths) != 1:
            raise ShapeError(
                f"scenario axes of different lengths: {sorted(lengths)}" if lengths else "no scenario axis"
            )
        self.n = lengths.pop()
        if self.n == 0:
            raise ShapeError("a batch of no scenarios")

    def scenario(self, number: int) -> tuple[Any, ...]:
        """Arguments of one scenario."""
        args = []
        for arg, varying in self._parts:
            if varying is None:
                args.append(arg)
            else:
                leaves, spec = varying
                args.append(spec.unflatten([_item(leaf[number]) for leaf in leaves]))
        return tuple(args)

    def leaf_varies(self, packing: Packing) -> list[bool]:
        """Whether each leaf of the bound arguments carries the scenario axis."""
        pairs = zip(packing.spec.children, self._carries_axis)
        return [varies for child, varies in pairs for _ in range(child.n_leaves)]

    def gather(self, plan: Plan, packing: Packing, vector: Vector, leaf_varies: list[bool]) -> Gathered:
        """Where the kernel reads the inputs that vary; the others have step 0 if the plan wants them per lane."""
        arrays, strides, starts, slots = [], [], [0], []
        own = iter(self._arrays)
        for i, j, size, varies in zip(packing.ends, packing.ends[1:], packing.sizes, leaf_varies):
            array = next(own) if varies else vector[i:j]
            if not size or plan.input_slots[i:j].max() < 0:
                continue
            arrays.append(array)
            strides.append(size if varies else 0)
            slots.append(plan.input_slots[i:j])
            starts.append(starts[-1] + size)
        empty = np.empty(0, np.int32)
        return Gathered(arrays, np.array(strides, np.int64), np.array(starts), np.concatenate([empty, *slots]))


def _item(x: Any) -> Any:
    return float(x) if np.ndim(x) == 0 else x


def _run(runner: Runner, n: int, per_lane: bool, threads: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Run all groups; values per scenario, gradients per scenario or per group."""
    n_groups = -(-n // 64)
    outputs: list[Output] = []

    def consume(first: int, output: Output) -> None:
        outputs.append(output)

    size = max(1, min(64, -(-n_groups // (4 * threads))))
    run_in_order(runner, ranges(n_groups, size), n, per_lane, threads, consume)
    runner.check(0, np.concatenate([o.failed for o in outputs]))
    return np.concatenate([o.values for o in outputs]), np.concatenate([o.gradient for o in outputs])


def _ordered(gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over the leading axis in order."""
    return ordered_sum(gradient.reshape(gradient.shape[0], -1)).reshape(gradient.shape[1:])
