"""The public Program: a function recorded once, evaluated and differentiated many times."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NestingError, ShapeError, StaticArgumentError
from ..kernels.moments import ordered_sum
from ..packing import Packing, Vector, argument_numbers, nest, pack
from ..record.blocks import Rule
from ..record.dual import Dual, DualArray
from ..record.lines import debugging
from ..sparse import Coloring, Direct, scipy_sparse
from ..structure import Spec, flatten, flatten_like, is_active, is_input, is_result, leaf_shapes
from . import second, watch
from .arguments import BatchArguments
from .batch import GROUP, Call, Drawn, Output, Runner, check, checked_threads, ranges, run_in_order
from .build import build
from .files import from_bytes, to_bytes
from .plan import Plan
from .quick import Quick
from .recording import Point, Recording
from .variants import Branch, Trie, VariantInfo, checked_variants, variant_table

Argnums = int | Sequence[int]
_MOST_GROUPS = 256  # per task: enough scenarios for those that branch away alike to fill groups of their own
_PLANS_BESIDES = 64  # plans kept besides two for each variant: other arguments to vary or to differentiate by
_MODES = ("rerecord", "raise", "ignore")


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


def record(f: Callable[..., Any], *example_args: Any, max_variants: int = 1000) -> Program:
    """Run f once and return a Program that replays what it did.

    Parameters
    ----------
    f : callable
        Function of structures of numbers. Its float leaves and float arrays become inputs; integers, bools,
        strings, None and shapes are static: another value of them is recorded separately.
    *example_args
        Arguments to record at.
    max_variants : int
        Largest number of recordings, one per sequence of decisions that occurs.

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
    program = Program(f, max_variants)
    program._trie_for(*program._bind(example_args))
    return program


def _is_differentiated(x: Any) -> bool:
    return is_active(x) or isinstance(x, Dual | DualArray)


class Program:
    """A recorded function. Made by `record`.

    Calls with other static arguments or shapes record f again and keep both recordings. So do arguments and
    scenarios that decide a recorded comparison differently: each sequence of decisions is a *variant*.
    """

    def __init__(self, f: Callable[..., Any] | None, max_variants: int = 1000) -> None:
        self._f = f
        self._max_variants = checked_variants(max_variants)
        self._on_divergence = "rerecord" if f is not None else "raise"
        self._tries: dict[Hashable, Trie] = {}
        self._plans: dict[tuple[int, bytes, bytes], Plan] = {}
        self._gradients: dict[tuple[int, bytes], Recording] = {}
        self._compressions: dict[tuple[int, bytes], Coloring | Direct] = {}
        self._like: Packing | None = None
        self._quick: Quick | None = None  # for the arguments of the last call

    def __repr__(self) -> str:
        name = "without function" if self._f is None else getattr(self._f, "__name__", type(self._f).__name__)
        rows = ", ".join(f"{len(v.recording)} rows" for trie in self._tries.values() for v in trie.variants()[:4])
        count = len(self.variants)
        return f"<fastad.Program {name}: {count} variant{'s' if count != 1 else ''}, {rows}>"

    @property
    def variants(self) -> tuple[VariantInfo, ...]:
        """Recordings of the program: scenarios that ended in each, their share, rows, and deciding lines."""
        return variant_table(list(self._tries.values()))

    @property
    def on_divergence(self) -> str:
        """What to do with arguments that decide a recorded comparison differently.

        ``"rerecord"`` (the default) records f for them where no variant decides alike yet; ``"raise"`` raises
        `DivergenceError` then; ``"ignore"`` replays the first recording regardless, which is wrong where the
        branches differ.
        """
        return self._on_divergence

    @on_divergence.setter
    def on_divergence(self, mode: str) -> None:
        if mode not in _MODES:
            raise ValueError(f"on_divergence={mode!r}: expected one of {', '.join(map(repr, _MODES))}")
        if mode == "rerecord" and self._f is None:
            raise ValueError("this program was loaded without its function: it cannot record again")
        self._on_divergence = mode

    # -------------------- files --------------------

    def save(self, path: Any) -> None:
        """Write all recordings to an ``.npz`` file; the function itself is not saved.

        Raises
        ------
        TypeError
            A static argument is not a number, string, bool or None; or a rule of one's own was recorded.
        """
        Path(path).write_bytes(to_bytes(list(self._tries.values())))

    def __reduce__(self) -> Any:
        try:
            pickle.dumps(self._f)
            f = self._f
        except (pickle.PicklingError, AttributeError, TypeError):
            f = None  # a lambda or a local function: the copy replays, but cannot record again
        rules: list[Rule] = []
        data = to_bytes(list(self._tries.values()), rules=rules)
        return _restore, (data, f, self._max_variants, self._on_divergence, rules)

    # -------------------- arguments --------------------

    def _bind(self, args: tuple[Any, ...]) -> tuple[Packing, Vector]:
        """Layout and numbers of the arguments, with ints where floats were recorded taken as floats."""
        if self._like is None:
            return Packing.of(args, is_input)
        leaves, spec = flatten_like(self._like.spec, args, is_input)
        return Packing(spec, leaf_shapes(leaves)), pack(leaves)

    def _trie_for(self, packing: Packing, vector: Vector) -> Trie:
        key = (packing.spec.key(), tuple(packing.shapes))
        if key not in self._tries:
            packing.spec.refuse_foreign("argument")
            if self._f is None:
                known = ", ".join(trie.root.recording.inputs.describe() for trie in self._tries.values())
                raise StaticArgumentError(
                    f"this program was loaded without its function and knows {known}; it cannot record "
                    f"{packing.describe()}"
                )
            self._tries[key] = Trie.record(self._f, packing, _as_they_are, self._max_variants, vector)
            self._like = self._like or packing
        trie = self._tries[key]
        if self._quick is None or self._quick.trie is not trie:
            self._quick = Quick(trie, packing, self._like or packing)
        return trie

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

    def _at(self, args: tuple[Any, ...]) -> tuple[Recording, Point]:
        """Evaluate the variant that these arguments belong to."""
        packing, vector = self._bind(args)
        trie = self._trie_for(packing, vector)
        variant = trie.root
        while True:
            recording = variant.recording
            point = recording.evaluate(vector)
            if point.failed < 0 or self._on_divergence == "ignore":
                trie.count(variant, 1)
                watch.require_values(recording, point)
                return recording, point
            guard = int(np.searchsorted(recording.guard_rows, point.failed))
            branch = Branch(guard, recording.frozen_at(guard, point.values) if recording.freezes(guard) else 0)
            if self._on_divergence == "raise" and branch not in variant.children:
                raise recording.divergence(point.failed)
            variant, _ = trie.child(variant, branch, lambda: vector)

    def __call__(self, *args: Any) -> Any:
        """Value at these arguments, of the structure of f's result.

        Inside a transform or another recording, where arguments are active, f itself runs there: its rows become part
        of the outer recording, and so ``fad.grad(program)`` is what ``fad.grad(f)`` is. It runs on duals, too.

        Raises
        ------
        NestingError
            Active arguments or duals, and no function: the program was loaded.
        """
        quick = self._quick
        if quick is not None and not debugging() and (value := quick.value(args)) is not None:
            return value
        if any(map(_is_differentiated, flatten(args, lambda x: is_result(x) or _is_differentiated(x))[0])):
            return self._nested(args)
        recording, point = self._at(args)
        return recording.outputs.unpack(recording.output_values(point.values))

    def _nested(self, args: tuple[Any, ...]) -> Any:
        if self._f is None:
            raise NestingError(
                "this program was loaded without its function: it cannot run inside another transform or recording; "
                "call the function itself there"
            )
        return self._f(*args)

    def value_and_grad(self, *args: Any, argnums: Argnums = 0, out: Vector | None = None) -> tuple[float, Any]:
        """Value and gradient at these arguments, for a function that returns one number.

        Parameters
        ----------
        *args
            Arguments.
        argnums : int or sequence of int
            Arguments to differentiate by.
        out : ndarray, optional
            Where the gradient by one array goes, which is then returned: for loops that allocate nothing. Unchanged if
            an error is raised.

        Raises
        ------
        ShapeError
            The result is not one number, or ``out`` does not have the shape of the gradient.
        """
        quick = self._quick
        if quick is not None and not debugging() and (answer := quick.value_and_grad(args, argnums, out)) is not None:
            return answer
        value, jacobian = self._value_and_jacobian(args, argnums)
        if not isinstance(value, float):
            raise ShapeError("a gradient needs a program that returns one number; use program.jacobian")
        return value, jacobian if out is None else _written(jacobian, out)

    def grad(self, *args: Any, argnums: Argnums = 0, out: Vector | None = None) -> Any:
        """Gradient at these arguments; see `value_and_grad`."""
        return self.value_and_grad(*args, argnums=argnums, out=out)[1]

    def jacobian(self, *args: Any, argnums: Argnums = 0, sparse: bool = False, mode: str = "reverse") -> Any:
        """Jacobian at these arguments: the result's structure with the argument's at each leaf.

        Parameters
        ----------
        *args
            Arguments.
        argnums : int or sequence of int
            Arguments to differentiate by.
        sparse : bool
            Return one ``scipy.sparse.csr_array`` of all result elements by all argument elements; pattern and
            the cheapest way to its elements are found once per recording.
        mode : {"reverse", "forward", "auto"}
            Sweep direction of a dense one. Reverse gives the bits of `batch`; auto takes the smaller number of
            directions or seeds.
        """
        if mode not in ("reverse", "forward", "auto"):
            raise ValueError(f"mode={mode!r}: expected 'reverse', 'forward' or 'auto'")
        if sparse:
            scipy_sparse()
            recording, point = self._at(args)
            elements = self._argument(recording, argnums)[1]
            return second.compressed(recording, point, elements, self._compression(recording, elements, False))
        return self._value_and_jacobian(args, argnums, mode)[1]

    def _value_and_jacobian(self, args: tuple[Any, ...], argnums: Argnums, mode: str = "reverse") -> tuple[Any, Any]:
        recording, point = self._at(args)
        inputs, elements = self._argument(recording, argnums)
        if self._quick is not None:
            self._quick.learn(recording, argnums, inputs, elements)
        value = recording.outputs.unpack(recording.output_values(point.values))
        backward = mode == "reverse" or (mode == "auto" and recording.output_rows.size <= elements.size)
        jacobian = second.reverse if backward else second.forward
        return value, nest(recording.outputs, inputs, jacobian(recording, point, elements))

    def vjp(self, args: Sequence[Any], seeds: Any) -> tuple[Any, tuple[Any, ...]]:
        """Value, and adjoints of all arguments: one reverse sweep.

        Parameters
        ----------
        args : sequence
            Arguments.
        seeds : structure of numbers
            Adjoints of the result, of its structure and shapes.

        Returns
        -------
        tuple
            The value, and a tuple of the adjoints, of the arguments' structures and shapes.

        Raises
        ------
        ShapeError
            The seeds have another structure than the result.

        Examples
        --------
        >>> import fastad as fad
        >>> program = fad.record(lambda x, y: [x * y, x + y], 2.0, 3.0)
        >>> program.vjp((2.0, 3.0), [1.0, 10.0])
        ([6.0, 5.0], (13.0, 12.0))
        """
        quick = self._quick
        if quick is not None and not debugging() and (answer := quick.vjp(tuple(args), seeds)) is not None:
            return answer
        recording, point = self._at(tuple(args))
        vector = recording.outputs.matches(seeds)
        adjoints = watch.adjoints(recording, point, vector[:, None])[:, 0]
        return recording.outputs.unpack(recording.output_values(point.values)), recording.inputs.unpack(adjoints)

    def jvp(self, args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Value, and its derivative in one direction: one forward sweep.

        Parameters
        ----------
        args, tangents : sequence
            Arguments, and the direction, of their structures and shapes.

        Returns
        -------
        tuple
            The value, and its tangent, of the result's structure and shapes.

        Raises
        ------
        ShapeError
            The tangents have another structure than the arguments.

        Examples
        --------
        >>> import fastad as fad
        >>> program = fad.record(lambda x, y: [x * y, x + y], 2.0, 3.0)
        >>> program.jvp((2.0, 3.0), (1.0, 10.0))
        ([6.0, 5.0], [23.0, 11.0])
        """
        recording, point = self._at(tuple(args))
        direction = recording.inputs.matches(tuple(tangents), is_input)
        y_dot = watch.tangents(recording, point, direction[:, None])[:, 0]
        outputs = recording.outputs
        return outputs.unpack(recording.output_values(point.values)), outputs.unpack(y_dot)

    def hessian(self, *args: Any, argnums: Argnums = 0, sparse: bool = False) -> Any:
        """Hessian at these arguments, for a program that returns one number.

        Parameters
        ----------
        *args
            Arguments.
        argnums : int or sequence of int
            Arguments to differentiate by.
        sparse : bool
            Return one ``scipy.sparse.csr_array`` of all argument elements by themselves.

        Returns
        -------
        structure
            That of the argument, with the argument's structure at each leaf.

        Raises
        ------
        ShapeError
            The result is not one number.
        ImportError
            ``sparse`` without SciPy.
        """
        if sparse:
            scipy_sparse()
        recording, _ = self._at(args)
        inputs, elements = self._argument(recording, argnums)
        gradient = self._gradient(recording, inputs, elements)
        point = gradient.evaluate(self._bind(args)[1])
        if sparse:
            return second.compressed(gradient, point, elements, self._compression(gradient, elements, True))
        return nest(inputs, inputs, second.forward(gradient, point, elements))

    def hvp(self, args: Sequence[Any], v: Sequence[Any]) -> tuple[Any, tuple[Any, ...]]:
        """Value, and the product of the Hessian by all arguments with v: one forward sweep over the gradient's rows.

        Parameters
        ----------
        args, v : sequence
            Arguments, and a direction, of their structures and shapes.

        Returns
        -------
        tuple
            The value, and a tuple of the products, of the arguments' structures and shapes.

        Raises
        ------
        ShapeError
            The result is not one number, or v has another structure than the arguments.
        """
        recording, at = self._at(tuple(args))
        direction = recording.inputs.matches(tuple(v), is_input)
        product = self._hessian_map(recording, tuple(args))(direction)
        return recording.outputs.unpack(recording.output_values(at.values)), recording.inputs.unpack(product)

    def _hessian_map(self, recording: Recording, args: tuple[Any, ...]) -> Callable[[Vector], Vector]:
        """Product of the Hessian by all arguments, at a point that this recording decides, with a vector."""
        gradient = self._gradient(recording, recording.inputs, np.arange(recording.n_inputs))
        point = gradient.evaluate(self._bind(args)[1])
        return lambda v: watch.tangents(gradient, point, v[:, None])[:, 0]

    def _gradient(self, recording: Recording, inputs: Packing, elements: NDArray[np.int64]) -> Recording:
        """Return the recording of the gradient by these elements, made when first asked for."""
        key = (id(recording), elements.tobytes())
        if key not in self._gradients:
            self._gradients[key] = second.gradient_recording(recording, inputs, elements)
        return self._gradients[key]

    def _compression(self, recording: Recording, elements: NDArray[np.int64], symmetric: bool) -> Coloring | Direct:
        key = (id(recording), elements.tobytes())
        if key not in self._compressions:
            self._compressions[key] = second.compression(recording, elements, symmetric)
        return self._compressions[key]

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
            Scenario axes of different lengths, or none. (Leaves of another shape than recorded are recorded anew.)
        DivergenceError
            A scenario decides a recorded comparison differently.
        """
        if reduce not in (None, "mean", "sum"):
            raise ValueError(f"reduce={reduce!r}: expected None, 'mean' or 'sum'")
        flags = list(axes) if isinstance(axes, Sequence) else [axes] * len(args)
        if len(flags) != len(args) or any(axis is not None and (type(axis) is not int or axis != 0) for axis in flags):
            raise ShapeError(f"axes={axes!r}: expected 0 or None for each of the {len(args)} arguments")
        bound = BatchArguments(args, [axis == 0 for axis in flags])
        packing, vector = self._bind(bound.scenario(0))
        trie = self._trie_for(packing, vector)
        recording = trie.root.recording
        inputs, elements = self._argument(recording, () if wrt is None else wrt)
        call = self._call(bound, packing, vector, elements, reduce is None)
        values, gradient = _run(trie, call, checked_threads(threads))
        if not np.array_equal(call.wrt, elements):  # the plan lists inputs in row order
            gradient = gradient[..., np.searchsorted(call.wrt, elements)]
        if reduce is not None:
            scale = 1.0 / bound.n if reduce == "mean" else 1.0
            values, gradient = ordered_sum(values) * scale, _ordered(gradient) * scale
        value = recording.outputs.unpack(values)
        return BatchResult(value, None if wrt is None else nest(recording.outputs, inputs, gradient))

    def _call(
        self, bound: BatchArguments, packing: Packing, vector: Vector, elements: NDArray[np.int64], per_lane: bool
    ) -> Call:
        """What the batch asks of every variant."""
        varies = bound.leaf_varies(packing)
        varying = np.repeat(varies, packing.sizes)
        differentiated = np.zeros(packing.size, np.bool_)
        differentiated[elements] = True

        def plan(recording: Recording, per_lane: bool) -> Plan:
            return self._plan(recording, varying | differentiated if per_lane else varying, differentiated)

        return Call(
            n=bound.n,
            per_lane=per_lane,
            uniform_inputs=vector,
            wrt=np.flatnonzero(differentiated),
            plan=plan,
            gathered=lambda plan: bound.gather(plan, packing, vector, varies),
            drawn=lambda plan: Drawn(),
            inputs_of=lambda scenario: self._bind(bound.scenario(scenario))[1],
            describe=lambda scenario: f"scenario {scenario} of {bound.n}",
            on_divergence=self._on_divergence,
        )

    def _plan(self, recording: Recording, varying: NDArray[np.bool_], wrt: NDArray[np.bool_]) -> Plan:
        key = (id(recording), varying.tobytes(), wrt.tobytes())
        plan = self._plans.pop(key, None)
        if plan is None:
            plan = build(recording, varying, wrt)
        self._plans[key] = plan  # last, so that the one least recently used comes first
        while len(self._plans) > 2 * self._max_variants + _PLANS_BESIDES:
            self._plans.pop(next(iter(self._plans)), None)
        return plan


def _written(gradient: Any, out: Any) -> Any:
    """Return ``out`` with the gradient in it."""
    if not isinstance(gradient, np.ndarray) or not isinstance(out, np.ndarray) or out.shape != gradient.shape:
        shape = gradient.shape if isinstance(gradient, np.ndarray) else type(gradient).__name__
        raise ShapeError(f"out={out!r}: expected an array of the gradient's shape, {shape}")
    np.copyto(out, gradient, casting="no")
    return out


def _restore(
    data: bytes, f: Callable[..., Any] | None, max_variants: int, on_divergence: str, rules: Sequence[Rule] = ()
) -> Program:
    program = Program(f, max_variants)
    for trie in from_bytes(data, f, _as_they_are, max_variants, rules):
        inputs = trie.root.recording.inputs
        program._tries[inputs.spec.key(), tuple(inputs.shapes)] = trie
        program._like = program._like or inputs
    if f is not None or on_divergence != "rerecord":
        program.on_divergence = on_divergence
    return program


def load(path: Any) -> Program:
    """Return a Program saved by `Program.save`.

    It replays and differentiates as before. It has no function to record again with: arguments that branch
    where no recording does raise `DivergenceError`, other static arguments or shapes `StaticArgumentError`.

    Raises
    ------
    ProgramFormatError
        The file is truncated, damaged, foreign, or of a newer fastad. Nothing in it is executed or unpickled.
    """
    return _restore(Path(path).read_bytes(), None, 1000, "raise")


def _as_they_are(args: Any) -> Any:
    return args


def _run(trie: Trie, call: Call, threads: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Run all groups; values per scenario, gradients per scenario or per group."""
    n_groups, runner = -(-call.n // GROUP), Runner(trie, call)
    outputs: list[Output] = []
    shares = 4 * threads if threads > 1 else 1  # several for each, so that none waits long for the last
    size = max(1, min(_MOST_GROUPS, -(-n_groups // shares)))
    run_in_order(runner, ranges(n_groups, size), threads, lambda first, output: outputs.append(output))
    for output in outputs:
        trie.count_all(output.ended)
    check(outputs)
    return np.concatenate([o.values for o in outputs]), np.concatenate([o.gradient for o in outputs])


def _ordered(gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over the leading axis in order."""
    return ordered_sum(gradient.reshape(gradient.shape[0], -1)).reshape(gradient.shape[1:])
