"""From the arguments of ``monte_carlo`` to what the engine runs: inputs, source, job."""

from __future__ import annotations

import dataclasses
import operator
from typing import Any

import numpy as np

from ..kernels import philox
from ..packing import Packing, Vector
from ..program.batch import GROUP, Scratch
from ..structure import Spec, is_result
from . import bump, gamma
from .control import PILOT_PATHS, Control, exact_means, fit, pilot_seed
from .engine import Engine, Job
from .recorded import Recorded
from .selection import Selected
from .sobol import Sobol, rounded_up
from .source import BLOCK_GROUPS, Draws, Philox, Source
from .statistics import Samples, pair_means

PER_PATH_BELOW = 4096
_BLOCK_DOUBLES = 2**22  # of gradients in a block, 32 MiB; of Sobol' points twice that
_BLOCK_ROWS = 1 << 20  # rows times groups of a block: some 25 ms, so that threads share a run of few paths, too
Shape = int | tuple[int, ...]


def checked_choice(value: Any, choices: tuple[Any, ...], name: str) -> Any:
    """Return the choice that a value is equal to (1 is True); raise ValueError where there is none."""
    if value not in choices:
        raise ValueError(f"{name}={value!r}: expected {' or '.join(map(repr, choices))}")
    return choices[choices.index(value)]


def checked_args(args: Any) -> tuple[Any, ...]:
    """Return what a payoff gets besides its numbers."""
    if not isinstance(args, tuple | list):
        raise TypeError(f"args={args!r}: expected a tuple; for a single one args=(x,)")
    return tuple(args)


def checked_executor(executor: Any) -> Any:
    """Return what takes tasks, or None; raise TypeError for anything else."""
    if executor is None or callable(getattr(executor, "submit", None)):
        return executor
    raise TypeError(
        f"executor={executor!r}: expected an object with the interface of concurrent.futures, such as "
        "ProcessPoolExecutor(4) or a Dask client's get_executor(); threads=4 needs none"
    )


def _whole(number: Any, name: str) -> int:
    try:
        return operator.index(number)
    except TypeError:
        raise TypeError(f"{name}: expected a whole number, got {number!r}") from None


def checked_paths(paths: float, antithetic: bool, sampler: str) -> int:
    """Return the number of paths as an int that the sampler can draw."""
    if not float(paths).is_integer():  # 1e6 is welcome
        raise ValueError(f"paths={paths}: expected a whole number")
    number = int(paths)
    if number < 2 or (antithetic and number % 2):
        raise ValueError(f"paths={paths}: expected at least 2{', an even number of antithetic paths' * antithetic}")
    if sampler == "sobol" and antithetic:
        raise ValueError('antithetic=True: Sobol\' points are balanced already; use sampler="philox" for pairs')
    return rounded_up(number) if sampler == "sobol" else number


def checked_hessian(hessian: bool | str, selected: Selected | None, control: Any) -> None:
    """Raise ValueError for second derivatives by nothing, or with control variates."""
    if hessian and selected is None:
        raise ValueError(f"hessian={hessian!r}: there is nothing to differentiate by; name parameters in wrt")
    if hessian and control is not None:
        raise ValueError(
            f"hessian={hessian!r} does not go with control: second derivatives would need coefficients of their own; "
            "leave out one of them, or use antithetic=True"
        )


class Inputs:
    """Inputs of a path: the parameters, the same for all, and random numbers."""

    def __init__(self, params: Any, normals: Shape, uniforms: Shape) -> None:
        self.params, self.vector = Packing.of(params, is_result)
        shapes = [_shape(normals, "normals"), _shape(uniforms, "uniforms")]
        kinds = [(kind, shape) for kind, shape in zip((philox.NORMALS, philox.UNIFORMS), shapes) if shape is not None]
        self.draws: Draws = tuple((kind, int(np.prod(shape))) for kind, shape in kinds)
        leaves = tuple(Spec("leaf") for _ in kinds)
        spec = Spec("tuple", tuple, tuple(range(1 + len(kinds))), (self.params.spec, *leaves))
        self.packing = Packing(spec, [*self.params.shapes, *(shape for _, shape in kinds)])

    def at(self, numbers: Vector) -> Vector:
        """All inputs of a path with these random numbers."""
        return np.concatenate([self.vector, numbers])


def _shape(shape: Shape, name: str) -> tuple[int, ...] | None:
    """Return the shape of the random numbers of a path, None for none of them."""
    if isinstance(shape, tuple | list):
        dims = tuple(_whole(n, name) for n in shape)
    else:
        dims = (_whole(shape, name),)
        if dims == (0,):
            return None
    if any(n < 0 for n in dims):
        raise ValueError(f"{name}={shape}: expected a number or a shape of numbers per path")
    return dims


def sampled(draws: Draws, sampler: str, seed: int, antithetic: bool, paths: int) -> Source:
    """Return the source of a run's random numbers."""
    seed = _whole(seed, "seed")
    philox.key_of_seed(seed)  # a bad seed is refused before anything is recorded
    return Sobol(draws, seed, paths) if sampler == "sobol" else Philox(draws, seed, antithetic, paths)


def job_of(
    inputs: Inputs,
    recorded: Recorded,
    source: Source,
    selected: Selected | None,
    per_path: bool,
    compare_with_bump: bool,
    hessian: bool | str,
    control_mean: Any,
) -> Job:
    """Return what the engine runs, the coefficients of controls fitted to a pilot."""
    elements = np.flatnonzero(selected.elements) if selected is not None else np.empty(0, np.int64)
    per_lane = per_path or (source.label == "philox" and source.paths < PER_PATH_BELOW)
    root = recorded.trie.root.recording
    most = BLOCK_GROUPS if root.guard_rows.size else _BLOCK_ROWS // max(len(root), 1)
    doubles = max(recorded.differentiated.size * elements.size * (GROUP if per_lane else 1), 1)
    doubles *= max(elements.size, 1) if hessian else 1
    if source.label == "sobol":  # points are kept, where the counter's numbers are made in the kernel
        doubles = max(doubles, GROUP // 2 * sum(count for _, count in source.draws))
    job = Job(
        vector=inputs.vector,
        source=dataclasses.replace(source, block_groups=max(1, min(BLOCK_GROUPS, _BLOCK_DOUBLES // doubles, most))),  # type: ignore[type-var]
        selected=elements,
        differentiated=recorded.differentiated,
        n_values=recorded.results.size,
        per_lane=per_lane,
        keep=per_path,
        steps=bump.steps(inputs.vector, elements) if compare_with_bump and elements.size else None,
        hessian=hessian,
        hessian_steps=gamma.steps(inputs.vector, elements) if hessian == "bump" else None,
    )
    if recorded.controls is None:
        return job
    exact = exact_means(control_mean, inputs.params, inputs.vector, recorded.controls, elements)
    return dataclasses.replace(job, control=_fitted(exact, recorded, job))


def _fitted(exact: tuple[Samples, Samples], recorded: Recorded, job: Job) -> Control:
    source = job.source
    pilot = Philox(source.draws, pilot_seed(source.seed), source.antithetic, PILOT_PATHS)
    engine = Engine(recorded.trie, dataclasses.replace(job, source=pilot, per_lane=True, keep=False, steps=None))
    output = engine.output(pilot.block(0), Scratch())
    values, gradients = output.values, output.gradient.reshape(PILOT_PATHS, -1)
    if source.antithetic:
        values, gradients = pair_means(values), pair_means(gradients)
    gradients = gradients.reshape(len(gradients), *output.gradient.shape[1:])
    return fit(exact, job.vector[job.selected], values, gradients, job.n_values)
