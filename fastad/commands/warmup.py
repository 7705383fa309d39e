"""``fastad warmup``: compile all kernels ahead of their first use."""

from __future__ import annotations

import time

import numpy as np

import fastad as fad


def warmup() -> float:
    """Compile and cache every kernel, by using each once; returns the seconds it took."""
    started = time.perf_counter()

    def f(x: np.ndarray) -> float:
        return fad.exp(x[0]) * x[1] + x.sum() + (fad.where(x > 0.0, x, 1.0) * x).sum()

    x = np.array([0.5, 2.0])
    fad.grad(f)(x)
    fad.exp(x)
    fad.exp2(x)
    fad.record(fad.log2, 0.5).batch(x)
    # A NaN in the adjoints brings in the masked kernel.
    fad.record(lambda v: fad.where(v > 0.0, fad.sqrt(v), 0.0), 0.5).batch(x - 0.5)
    fad.interp(0.5, x, x)
    for mode in ("forward", "reverse"):
        fad.jacobian(lambda v: v * v[0], mode=mode)(x)
    fad.hessian(lambda v: fad.jvp(f, (v,), (v,))[1])(x)
    fad.taylor(f, x, x, 2)
    fad.sparsity(f, x, hessian=True).color_star()
    fad.sparsity(f, x).color_columns()
    program = fad.record(f, x)
    program.value_and_grad(x)
    program.batch(np.ones((2, 2)), reduce="mean")
    tape = fad.Tape()
    tape.reverse(tape.input(1.0) * 2.0)
    fad.monte_carlo(lambda p, z: p * fad.exp(z[0]), 1.0, normals=1, paths=64)
    return time.perf_counter() - started
