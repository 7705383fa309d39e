"""PyTorch on the CPU, float64, eager: nothing compiled, vectorised over paths.

Its adjoints keep every intermediate array, so paths go in blocks; sizes by measurement.
"""

from __future__ import annotations

from functools import partial
from inspect import getsource

import numpy as np
import torch

from ..problems import asian, down_and_out, heston
from ..problems import cold_start as cold
from ..problems import libor as lmm
from ..problems.rosenbrock import objective_of_arrays
from .arrays.torch import WAYS as ARRAYS

BLOCK = 1_000
LIBOR_BLOCK = 500


def value_and_gradient(f, x):
    y = f(x)
    (x_bar,) = torch.autograd.grad(y, x)
    return y.item(), x_bar.numpy()


def rosenbrock(x, threads):
    start = torch.tensor(x, requires_grad=True)

    def call():
        torch.set_num_threads(threads)
        return value_and_gradient(objective_of_arrays, start)

    return call


def maximum(x, floor):
    return torch.clamp(x, min=floor)


def over_blocks(f, params, z, block, threads):
    """Mean over paths of f(params, block of paths), and of its gradients; ``f`` gives the sum of a block."""
    blocks = torch.tensor(np.ascontiguousarray(z)).split(block)
    return mean_over(f, params, lambda: blocks, len(z), threads)


def mean_over(f, params, blocks, paths, threads):
    """The same for what ``blocks()`` gives in each call."""
    inputs = [torch.tensor(p, requires_grad=True) for p in params]

    def call():
        torch.set_num_threads(threads)
        total, gradients = 0.0, [np.zeros(p.shape) for p in inputs]
        for z in blocks():
            value = f(inputs, z)
            total += value.item()
            for sums, part in zip(gradients, torch.autograd.grad(value, inputs)):
                sums += part.numpy()
        return total / paths, [sums / paths for sums in gradients]

    return call


def vectorised(payoff, data, threads):
    """A payoff of parameters, and of normals with the paths as their last axis."""
    inner = over_blocks(lambda p, z: payoff(p[0], z.movedim(0, -1)).sum(), [data.params], data.z, BLOCK, threads)

    def call():
        value, (gradient,) = inner()
        return value, gradient

    return call


def down_and_out_call(params, z):
    return down_and_out.payoff(params, z, torch.exp, torch.tanh, maximum)


def asian_call(params, z):
    return asian.payoff(params, z, torch.exp, torch.sqrt, maximum)


def heston_call(params, z):
    return heston.payoff(params, z, torch.exp, torch.sqrt, maximum, torch.abs)


def libor_paths(inputs, z):
    """Sum over a block of paths: a cumulative sum over rates in each step, as the other array tools have it."""
    rates, vols = inputs
    steps, count = z.shape[1], len(rates)
    x = (lmm.PERIOD * rates).expand(len(z), count)
    expired = []
    for n in range(steps):
        vol = vols[: count - 1 - n]
        alive = x[:, 1:]
        drift = lmm.PERIOD**0.5 * z[:, n, None] + torch.cumsum(lmm.PERIOD * vol * alive / (1.0 + alive), dim=1)
        expired.append(x[:, 0])
        x = alive * torch.exp(vol * (drift - 0.5 * lmm.PERIOD * vol))
    bonds = torch.cumprod(1.0 / (1.0 + x), dim=1)
    annuities = lmm.PERIOD * torch.cumsum(bonds, dim=1)
    last = torch.tensor(lmm.TENORS) - 1
    strikes = torch.tensor(lmm.STRIKES, dtype=torch.float64)
    worth = torch.clamp(1.0 - bonds[:, last, None] - strikes * annuities[:, last, None], min=0.0)
    value = lmm.NOTIONAL * worth.sum(dim=(1, 2)) / torch.prod(1.0 + torch.stack(expired, dim=1), dim=1)
    return value.sum()


def libor(data, threads):
    return over_blocks(libor_paths, [data.rates, data.vols], data.z, LIBOR_BLOCK, threads)


def end_to_end(data, threads):
    """Normals of a block are drawn when it is its turn."""
    f, block = {
        "down-and-out": (lambda p, z: down_and_out_call(p[0], z.T).sum(), BLOCK),
        "LIBOR": (libor_paths, LIBOR_BLOCK),
    }[data.model]

    def blocks():
        generator = torch.Generator().manual_seed(1)
        for _ in range(data.paths // block):
            yield torch.randn(block, data.steps, dtype=torch.float64, generator=generator)

    return mean_over(f, data.params, blocks, data.paths, threads)


def cold_start(case, threads):
    source = getsource(objective_of_arrays) + getsource(value_and_gradient)
    answer = "answer = lambda x: value_and_gradient(objective_of_arrays, torch.tensor(x, requires_grad=True))"
    return cold.child(case, "import torch", source + answer)


WAYS = {
    "rosenbrock": rosenbrock,
    "down_and_out": partial(vectorised, down_and_out_call),
    "asian": partial(vectorised, asian_call),
    "heston": partial(vectorised, heston_call),
    "libor": libor,
    "end_to_end": end_to_end,
    "cold_start": cold_start,
} | ARRAYS
