"""``monte_carlo``: record the payoff at path 0, replay it over blocks of paths, merge the blocks in their order.

A block's numbers are functions of the seed and the block number alone, and so the result depends neither on threads,
nor on workers, nor on a run having been interrupted and resumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..program.batch import checked_threads, on_threads
from ..record.lines import debugging
from .by_record import METHODS, NOT_EXAMINED, Payoff, RecordingEngine, chosen
from .checkpoint import Checkpoint, fingerprint
from .control import parse as parsed_control
from .discontinuity import examine
from .engine import Engine
from .execute import on_executor
from .gamma import HESSIANS
from .gather import gather
from .interrupts import plain_interrupts
from .prepare import (
    Inputs,
    checked_args,
    checked_choice,
    checked_executor,
    checked_hessian,
    checked_paths,
    job_of,
    sampled,
)
from .progress import reporter
from .recorded import GRADIENTS, record
from .result import MonteCarloResult, assemble, checkpoint_of
from .selection import select

_SAMPLERS = ("philox", "sobol")
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
    sampler: str = "philox",
    antithetic: bool = False,
    control: Any = None,
    per_path: bool = False,
    compare_with_bump: bool = False,
    find_jumps: bool = True,
    until: float | None = None,
    resume: Any = None,
    gradient: str = "each",
    hessian: bool | str = False,
    method: str = "auto",
    threads: int | None = None,
    executor: Any = None,
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
        0 to 2**64 - 1. The same seed gives the same numbers to the last bit for any number of threads, any
        executor, and any interruption and resumption.
    args : sequence
        Passive data handed to every path.
    wrt : iterable, optional
        Names (or positions) of the top-level entries of ``params`` to differentiate by; all by default,
        none for ``()``. The others are None in the gradient.
    sampler : {"philox", "sobol"}
        Independent paths, or 16 independent scrambles of Sobol' points (needs SciPy), whose spread gives the
        standard errors; ``paths`` is then rounded up to a power of two. The first entries of ``z`` are the best
        points: `brownian_bridge` and `brownian_pca` give them the most to decide.
    antithetic : bool
        Evaluate each draw with its mirror image (-z, 1 - u); standard errors are those of pair means.
    control : (f, mean), optional
        Control variates: ``f`` takes what the payoff takes and returns a number or a structure of them, ``mean``
        takes ``params`` and returns their expectations (or is the number itself, where it does not depend on
        ``params``). Both are differentiated, so sensitivities are controlled, too.
    per_path : bool
        Keep value and derivatives of every path: ``result.path_values``, ``result.path_gradients``.
    compare_with_bump : bool
        Also estimate every sensitivity by central differences on the same random numbers:
        ``result.bumped``, ``result.bump_scores``. Costs two more valuations per sensitivity.
    find_jumps : bool
        Look for jumps of the payoff, which pathwise derivatives miss, and warn of them: a second at most. False
        where they are known or have been smoothed.
    until : float, optional
        Stop at the first block after which the standard error of every value is at most this part of it;
        ``paths`` is the limit.
    resume : MonteCarloResult or path, optional
        Continue this run, or the one saved there, up to ``paths`` paths in all; same numbers as in one run.
    gradient : {"each", "sum"}
        Sensitivities of every payoff, or of their sum: one reverse sweep instead of one per payoff.
    hessian : {False, True, "bump"}
        Second derivatives with standard errors. True: the derivatives of the pathwise sensitivities, which are right
        for payoffs that can be differentiated twice; they miss the kinks of a call, of which ``result.warnings`` then
        names the line. ``"bump"``: central differences of pathwise sensitivities on the same random numbers, each
        parameter moved by a hundredth of itself (by a hundredth, where it is 0): right at kinks too, but noisier, and
        biased by a part that grows with the square of the step; two more gradients per parameter.
        Not together with ``control``.
    method : {"auto", "replay", "record"}
        Replay recordings over the paths, or record and reverse a jitted payoff path by path in compiled code:
        better where nearly every path branches differently. ``auto`` counts the branches of 64 paths.
    threads : int, optional
        All cores by default.
    executor : optional
        Anything with the interface of ``concurrent.futures``: its workers compute the blocks. They need fastad,
        not the payoff.
    progress : bool or callable
        True shows a bar with rate and time left (needs tqdm); a callable gets (paths done, paths).
    max_variants : int
        Largest number of recordings, one per sequence of branch decisions that occurs among the paths.

    Returns
    -------
    MonteCarloResult
        Standard errors of values are per path (per antithetic pair); those of sensitivities come from means of
        64 paths, or are per path below 4,096 paths and for ``per_path``. Ctrl-C returns what is finished.

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
    Sensitivities are pathwise derivatives (Giles & Glasserman, "Smoking adjoints", Risk 2006). Where a payoff
    jumps (a digital, a knock-out) they miss the jump: ``result.warnings`` names the line, the sensitivities
    and about how much is missing. `fastad.smooth` has the remedies. Second derivatives miss the kinks as well: those of
    a call, of which the delta jumps at the strike, are all of its gamma.

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
    checked_choice(sampler, _SAMPLERS, "sampler")
    checked_choice(gradient, GRADIENTS, "gradient")
    checked_choice(method, METHODS, "method")
    hessian, args = checked_choice(hessian, HESSIANS, "hessian"), checked_args(args)
    paths, threads = checked_paths(paths, antithetic, sampler), checked_threads(threads)
    executor = checked_executor(executor)
    control_of_path, control_mean = parsed_control(control)
    inputs = Inputs(params, normals, uniforms)
    selected = select(inputs.params, wrt)
    checked_hessian(hessian, selected, control)
    source = sampled(inputs.draws, sampler, seed, antithetic, paths)
    first = inputs.at(source.numbers(0))
    recorded = record(payoff, inputs.packing, first, args, control_of_path, gradient, max_variants, seed)
    job = job_of(inputs, recorded, source, selected, per_path, compare_with_bump, hessian, control_mean)
    path_by_path = Payoff(payoff, inputs, args)
    only_replayed = {
        "a sampler but philox": sampler != "philox",
        "control": control is not None,
        "gradient='sum'": gradient != "each",
        "hessian": bool(hessian),
        "an executor": executor is not None and method == "record",
        "fad.debug()": debugging(),
    }
    by_record = chosen(method, path_by_path, job.source, only_replayed)
    engine = RecordingEngine(recorded.trie, job, path_by_path) if by_record else Engine(recorded.trie, job)
    warnings: list[str] = []

    before = Checkpoint.begin(checkpoint_of(resume), fingerprint(job, recorded, by_record), job.source)
    numbers = range(before.blocks, job.source.blocks)
    if by_record and executor is not None:
        warnings.append("recorded path by path in this process: the executor was not used")
    with reporter(progress, paths) as report:
        if executor is None or by_record:
            blocks = on_threads(engine.block, numbers, threads)
        else:
            blocks = on_executor(engine, numbers, executor, warnings.append)
        after, tally = gather(before, blocks, job, until, report, warnings)

    result = assemble(
        recorded, selected, job, after, tally, threads=threads, seconds=0.0, seed=source.seed, sampler=sampler
    )
    if find_jumps and by_record and not compare_with_bump:
        warnings.append(NOT_EXAMINED)
    try:
        with plain_interrupts():
            warnings += examine(recorded.trie, job, result.estimates) if find_jumps and not by_record else []
    except KeyboardInterrupt:
        warnings.append("stopped by Ctrl-C while looking for jumps of the payoff")
    return result.finished(warnings, time.perf_counter() - started)
