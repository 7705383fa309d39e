"""``monte_carlo``: record the payoff at path 0, replay it over all paths, reverse each group of 64.

Paths are cut into blocks of 16,384, the unit of work for threads. A block's numbers are functions of the seed
and the path numbers alone, blocks are merged in their order, and so the result does not depend on threads.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import philox
from ..kernels.batch import locate_draw
from ..packing import Packing, Vector
from ..program.batch import GROUP, Call, Drawn, Gathered, Output, Runner, checked_threads, ranges, run_in_order
from ..program.plan import Plan, build
from ..program.recording import Recording
from ..program.variants import Trie, variant_table
from ..structure import Spec, is_result
from .by_record import Job, RecordRunner, chosen
from .progress import reporter
from .result import MonteCarloResult, assemble
from .statistics import Accumulator, per_group, per_path

BLOCK_PATHS = 16384  # paths of a block that branch alike fill groups of their own: at 4,096 half of them were empty
PER_PATH_BELOW = 4096
_BLOCK_GROUPS = BLOCK_PATHS // GROUP
Shape = int | tuple[int, ...]


def monte_carlo(
    payoff: Callable[..., Any],
    params: Any,
    *,
    normals: Shape = 0,
    uniforms: Shape = 0,
    paths: int = 100_000,
    seed: int = 0,
    args: Sequence[Any] = (),
    wrt: Iterable[Any] | None = None,
    antithetic: bool = False,
    method: str = "auto",
    threads: int | None = None,
    progress: bool | Callable[[int, int], None] = False,
    max_variants: int = 1000,
) -> MonteCarloResult:
    """Expected value of a payoff and its sensitivities to all parameters, with standard errors.

    Parameters
    ----------
    payoff : callable
        ``payoff(params, z, u, *args)``: one path in plain Python, returning a number or a structure of
        numbers (several payoffs at once). ``z`` is left out where ``normals`` is 0, ``u`` where ``uniforms`` is.
    params : structure of numbers
        What to differentiate by: a number, an array, or a nesting of tuples, lists, dicts, namedtuples and
        dataclasses of them. Integers are taken as floats.
    normals, uniforms : int or tuple of int
        Shape of the independent standard normals ``z`` and of the uniforms in (0, 1) ``u`` of one path.
    paths : int
        Payoff evaluations; an antithetic pair is two.
    seed : int
        0 to 2**64 - 1. The same seed gives the same numbers to the last bit for any number of threads.
    args : sequence
        Passive data handed to every path.
    wrt : iterable, optional
        Names (or positions) of the top-level entries of ``params`` to differentiate by; all by default,
        none for ``()``. The others are None in the gradient.
    antithetic : bool
        Evaluate each draw with its mirror image (-z, 1 - u); standard errors are those of pair means.
    method : {"auto", "replay", "record"}
        Replay one recording over the paths, or record and reverse a jitted payoff path by path in compiled code:
        better where nearly every path branches differently. ``auto`` counts the branches of 64 paths.
    threads : int, optional
        All cores by default.
    progress : bool or callable
        True shows a bar (needs tqdm); a callable gets (paths done, paths).
    max_variants : int
        Largest number of recordings, one per sequence of branch decisions that occurs among the paths.

    Returns
    -------
    MonteCarloResult
        Standard errors of values are per path (per antithetic pair); those of sensitivities come from means of
        64 paths, or are per path below 4,096 paths.

    Raises
    ------
    DivergenceError
        The paths take more than ``max_variants`` different branches.
    PurityError
        The payoff depends on something other than its arguments.
    ShapeError, TypeError, ValueError
        Bad parameters, or a payoff that returns something else than numbers.

    Notes
    -----
    Sensitivities are pathwise derivatives (Giles & Glasserman, "Smoking adjoints", Risk 2006): a payoff that
    jumps (a digital) needs smoothing, or its pathwise derivative misses the jump.

    Examples
    --------
    >>> import fastad as fad
    >>> def call(p, z):
    ...     s = p["spot"] * fad.exp(-0.5 * p["vol"] * p["vol"] + p["vol"] * z[0])
    ...     return fad.maximum(s - 100.0, 0.0)
    >>> result = fad.monte_carlo(call, {"spot": 100.0, "vol": 0.2}, normals=1, paths=4096, seed=1)
    >>> abs(result.value - 7.966) < 4 * result.stderr
    True
    """
    started = time.perf_counter()
    paths, threads = _checked_paths(paths, antithetic), checked_threads(threads)
    philox.key_of_seed(seed)  # a bad seed is refused before anything is recorded
    shapes = [_shape(normals, "normals"), _shape(uniforms, "uniforms")]
    packing, vector = Packing.of(params, is_result)
    selected = _selected(packing, wrt)
    per_lane = paths < PER_PATH_BELOW
    source = _Source(packing, vector, shapes, seed, antithetic, paths)
    trie = _record(payoff, source, tuple(args), max_variants)
    outputs = trie.root.recording.outputs
    call = source.call(None if selected is None else selected.elements, per_lane)
    job = Job(payoff, tuple(args), packing, vector, shapes, seed, antithetic, paths)
    by_record = chosen(method, job, source.packing, source.inputs_of)
    runner = RecordRunner(job, outputs.size, call.wrt, per_lane) if by_record else Runner(trie, call)

    n_outputs, n_wrt = outputs.size, call.wrt.size
    values, gradients = Accumulator(n_outputs), Accumulator(n_outputs * n_wrt)

    with reporter(progress, paths) as report:

        def consume(first: int, output: Output) -> None:
            values.add(*per_path(output.values, antithetic))
            flat = output.gradient.reshape(len(output.gradient), -1)
            gradients.add(*(per_path(flat, antithetic) if per_lane else per_group(flat, len(output.values))))
            report(len(output.values))

        pieces = ranges(-(-paths // GROUP), _BLOCK_GROUPS)
        run_in_order(runner, pieces, threads, consume)

    shape = (n_outputs, n_wrt)
    return assemble(
        outputs,
        None if selected is None else selected.packing,
        (values.mean, values.standard_error()),
        (gradients.mean.reshape(shape), gradients.standard_error().reshape(shape)),
        paths=paths,
        seconds=time.perf_counter() - started,
        threads=threads,
        seed=int(seed),
        warnings=_warnings(values, gradients),
        variants=() if by_record else variant_table([trie]),
    )


def _checked_paths(paths: float, antithetic: bool) -> int:
    number = int(paths)  # 1e6 is welcome
    if number != paths:
        raise ValueError(f"paths={paths}: expected a whole number")
    if number < 2 or (antithetic and number % 2):
        raise ValueError(f"paths={paths}: expected at least 2{', an even number of antithetic paths' * antithetic}")
    return number


def _shape(shape: Shape, name: str) -> tuple[int, ...] | None:
    """Return the shape of the random numbers of a path, None for none of them."""
    if isinstance(shape, tuple):
        dims = tuple(operator.index(n) for n in shape)
    else:
        dims = (operator.index(shape),)
        if dims == (0,):
            return None
    if any(n < 0 for n in dims):
        raise ValueError(f"{name}={shape}: expected a number or a shape of numbers per path")
    return dims


class _Selected:
    """The part of the parameters to differentiate by: its layout, and a flag per element of all."""

    def __init__(self, packing: Packing, names: set[Any] | None) -> None:
        children = packing.spec.children
        keep = [names is None or name in names for name in packing.spec.names] if children else [True]
        flags = [flag for flag, child in zip(keep, children or (packing.spec,)) for _ in range(child.n_leaves)]
        spec = packing.spec
        if children:
            nothing = Spec("static", static=None)
            parts = tuple(child if flag else nothing for flag, child in zip(keep, children))
            spec = Spec(spec.kind, spec.cls, spec.names, parts)
        self.packing = Packing(spec, [shape for flag, shape in zip(flags, packing.shapes) if flag])
        self.elements = np.repeat(flags, packing.sizes)


def _selected(packing: Packing, wrt: Iterable[Any] | None) -> _Selected | None:
    if wrt is None:
        return _Selected(packing, None) if packing.size else None
    names = {wrt} if isinstance(wrt, str | int) else set(wrt)
    unknown = names - set(packing.spec.names)
    if unknown:
        raise ValueError(f"wrt={sorted(unknown, key=str)}: params has {list(packing.spec.names)} at its top level")
    return _Selected(packing, names) if names else None


class _Source:
    """Where the inputs of a path come from: parameters, the same for all, and numbers drawn by path number."""

    def __init__(
        self,
        params: Packing,
        vector: Vector,
        shapes: list[tuple[int, ...] | None],
        seed: int,
        antithetic: bool,
        paths: int,
    ) -> None:
        self._vector, self._seed, self._antithetic, self._paths = vector, seed, antithetic, paths
        kinds = [(kind, shape) for kind, shape in zip((philox.NORMALS, philox.UNIFORMS), shapes) if shape is not None]
        self._draws = [(kind, int(np.prod(shape))) for kind, shape in kinds]
        leaves = tuple(Spec("leaf") for _ in kinds)
        spec = Spec("tuple", tuple, tuple(range(1 + len(kinds))), (params.spec, *leaves))
        self.packing = Packing(spec, [*params.shapes, *(shape for _, shape in kinds)])

    def inputs_of(self, path: int) -> Vector:
        """All inputs of one path."""
        path, sign = locate_draw(path, self._paths, self._antithetic)
        parts = [self._vector]
        for kind, count in self._draws:
            numbers = philox.fill(self._seed, path, 1, count, False, kind)[0]
            parts.append(numbers if sign > 0.0 else (-numbers if kind == philox.NORMALS else 1.0 - numbers))
        return np.concatenate(parts)

    def call(self, selected: NDArray[np.bool_] | None, per_lane: bool) -> Call:
        """What the run asks of every variant."""
        n_params = self._vector.size
        differentiated = np.zeros(self.packing.size, np.bool_)
        if selected is not None:
            differentiated[:n_params] = selected
        random = np.arange(self.packing.size) >= n_params

        def plan(recording: Recording, per_lane: bool) -> Plan:
            return build(recording, random | differentiated if per_lane else random, differentiated)

        return Call(
            n=self._paths,
            per_lane=per_lane,
            uniform_inputs=np.concatenate([self._vector, np.zeros(self.packing.size - n_params)]),
            wrt=np.flatnonzero(differentiated),
            plan=plan,
            gathered=self._gathered,
            drawn=self._drawn,
            inputs_of=self.inputs_of,
            describe=lambda path: f"path {path} of {self._paths}, seed {self._seed}",
        )

    def _gathered(self, plan: Plan) -> Gathered:
        """Parameters that the plan wants per lane: the same row for every path."""
        slots = plan.input_slots[: self._vector.size]
        wanted = slots.size > 0 and slots.max() >= 0
        arrays = [self._vector] if wanted else []
        starts = np.array([0, slots.size] if wanted else [0])
        return Gathered(arrays, np.zeros(len(arrays), np.int64), starts, slots if wanted else slots[:0])

    def _drawn(self, plan: Plan) -> Drawn:
        slots = plan.input_slots[self._vector.size :]
        n_normals = sum(count for kind, count in self._draws if kind == philox.NORMALS)
        return Drawn(philox.key_of_seed(self._seed), self._antithetic, slots[:n_normals], slots[n_normals:])


def _record(payoff: Callable[..., Any], source: _Source, args: tuple[Any, ...], max_variants: int) -> Trie:
    """Record the payoff at path 0: its own random numbers, so that zeros do not decide its branches."""
    try:
        return Trie.record(payoff, source.packing, lambda inputs: (*inputs, *args), max_variants, source.inputs_of(0))
    except Exception as error:
        error.add_note(f"raised by the payoff on path 0 of seed {source._seed}, where fastad.monte_carlo records it")
        raise


def _warnings(values: Accumulator, gradients: Accumulator) -> tuple[str, ...]:
    warnings = []
    for what, accumulator in (("value", values), ("sensitivity", gradients)):
        count = int((~np.isfinite(accumulator.mean + accumulator.squares)).sum())
        if count and accumulator.count > 1:
            verb = "s are" if count > 1 else " is"
            warnings.append(f"{count} {what} estimate{verb} not finite: some path gave NaN, inf or an overflow")
    return tuple(warnings)
