"""``fastad warmup``: compile all kernels ahead of their first use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.util import find_spec
from typing import Any

import numpy as np
from numba.core.caching import NullCache

import fastad as fad

from ..kernels.point import point
from ..program.batch import checked_threads
from .errors import CommandError

_X = np.array([0.5, 2.0])
_IN_ANOTHER_PROCESS = "from fastad.commands.warmup import batches; batches()"


def warmup() -> float:
    """Compile and cache every kernel, by using each once; returns the seconds it took.

    LLVM takes one core. The batch kernels are half of the work, so another process compiles them where there is a core
    for it. What it has cached is loaded here, and what it has not for some reason is compiled.

    Raises
    ------
    CommandError
        There is no cache.
    """
    if isinstance(point._cache, NullCache):
        raise CommandError("numba finds no directory to cache kernels in; set NUMBA_CACHE_DIR to one it can write to")
    started = time.perf_counter()
    recording()  # first: the other process then finds it in the cache
    beside = _other_process() if checked_threads(None) > 1 else None
    points()
    arrays()
    derivatives()
    if beside is not None:
        beside.wait()
    batches()
    return time.perf_counter() - started


def _other_process() -> subprocess.Popen[bytes] | None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        return subprocess.Popen(
            [sys.executable, "-c", _IN_ANOTHER_PROCESS], env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:  # no processes here
        return None


def _function(x: Any) -> Any:
    return fad.exp(x[0]) * x[1] + x.sum() + (fad.where(x > 0.0, x, 1.0) * x).sum()


def _neighbours(x: Any) -> Any:
    return x[1:] * x[:-1]


def recording() -> None:
    """Recording, and a reverse sweep."""
    fad.grad(_function)(_X)
    tape = fad.Tape()
    tape.reverse(tape.input(1.0) * 2.0)


def points() -> None:
    """One point of a Program."""
    program = fad.record(_function, _X)
    for _ in range(2):  # the first call learns what the second needs
        program.value_and_grad(_X)
    program.vjp((_X,), 1.0)


def batches() -> None:
    """Scenarios side by side, and random numbers."""
    fad.record(_function, _X).batch(np.ones((2, 2)), reduce="mean")
    fad.record(fad.log2, 0.5).batch(_X)
    # A NaN in the adjoints brings in the masked kernel.
    fad.record(lambda v: fad.where(v > 0.0, fad.sqrt(v), 0.0), 0.5).batch(_X - 0.5)
    fad.monte_carlo(lambda p, z: p * fad.exp(z[0]), 1.0, normals=1, paths=64)
    solution = fad.record(lambda a: np.linalg.solve(a, a[0]).sum(), np.eye(3))
    solution.batch(np.stack([np.eye(3)] * 2))


def arrays() -> None:
    """Arrays of numbers, long ones, and matrices."""
    fad.exp(_X)
    fad.exp2(_X)
    fad.interp(0.5, _X, _X)
    long = np.linspace(0.1, 1.0, 4096)
    for take in (lambda x: np.sum(x * fad.exp2(x)), lambda x: np.sum((x * x[::-1]).reshape(2, -1).sum(axis=1) * x[0])):
        fad.grad(take)(long)
        program = fad.record(take, long)
        for _ in range(2):
            program.grad(long)
    fad.grad(lambda x: np.linalg.solve(x, x[0]).sum())(np.eye(3))
    fad.grad(lambda x: np.where(x > 0.0, np.sqrt(x), 0.0).sum())(0.0 * long)  # a NaN on the way: the masked sweep


def derivatives() -> None:
    """Jacobians, second and higher derivatives, patterns."""
    for mode in ("forward", "reverse"):
        fad.jacobian(lambda v: v * v[0], mode=mode)(_X)
    fad.hessian(lambda v: fad.jvp(_function, (v,), (v,))[1])(_X)
    fad.taylor(_function, _X, _X, 2)
    eight = np.ones(8)
    fad.sparsity(_neighbours, eight).color_columns()
    fad.sparsity(lambda v: _neighbours(v).sum(), eight, hessian=True).color_star()
    if find_spec("scipy") is not None:
        fad.jacobian(_neighbours, sparse=True)(eight)
        fad.hessian(lambda v: _neighbours(v).sum(), sparse=True)(eight)
