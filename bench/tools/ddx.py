"""ddx: expressions compiled through LLVM, over batches of points (one thread).

No LIBOR market model: its 19,000 operations with their adjoints compile for more than a minute.
"""

from __future__ import annotations

from inspect import getsource

import ddx
import numpy as np

from ..problems import asian, heston, jacobians
from ..problems import cold_start as cold
from ..problems.down_and_out import PARAMS, payoff
from ..problems.rosenbrock import objective

BLOCK = 512  # points of a call, for which the kernel is built: larger ones fall out of the cache


def value_and_gradient(f, n):
    return ddx.equation(lambda: f([ddx.var(f"x{i}") for i in range(n)])).compile(points=1)


def rosenbrock(x, threads):
    """By ``buffer``, its documentation's way to call in a loop."""
    call = value_and_gradient(objective, len(x)).buffer(x.copy())

    def answer():
        call.x[:] = x
        call()
        return float(call.value), call.jacobian.copy()

    return answer


def jacobian(data, threads):
    names = [f"x{i}" for i in range(len(data.x))]
    model = ddx.equation(lambda: tuple(jacobians.outputs(data.weights, [ddx.var(name) for name in names], ddx.tanh)))
    call = model.compile(points=1).buffer(data.x.copy())

    def answer():
        call.x[:] = data.x
        call()
        return call.jacobian.copy()

    return answer


def mean_over_paths(path, params, z):
    """Mean of path(params, z) and of its gradient, normals being parameters that are not differentiated."""
    names = [f"p{i}" for i in range(len(params))]
    model = ddx.equation(
        lambda: path([ddx.var(name) for name in names], [ddx.param(f"z{i}") for i in range(z.shape[1])])
    ).compile(points=BLOCK)
    blocks = [
        np.vstack([np.tile(np.asarray(params)[:, None], len(part)), part.T])
        for part in np.split(z, range(BLOCK, len(z), BLOCK))
    ]

    def call():
        total, gradient = 0.0, np.zeros(len(params))
        for block in blocks:
            values, gradients = model.jacobian(block)
            total += values.sum()
            gradient += gradients.sum(axis=1)
        return total / len(z), gradient / len(z)

    return call


def down_and_out(data, threads):
    params = [data.params[i] for i in range(len(PARAMS))]
    return mean_over_paths(lambda p, z: payoff(p, z, ddx.exp, ddx.tanh, ddx.max), params, data.z)


def asian_call(data, threads):
    return mean_over_paths(lambda p, z: asian.payoff(p, z, ddx.exp, ddx.sqrt, ddx.max), data.params, data.z)


def heston_call(data, threads):
    def path(p, z):
        pairs = list(zip(z[::2], z[1::2]))
        return heston.payoff(p, pairs, ddx.exp, ddx.sqrt, ddx.max, abs)

    return mean_over_paths(path, data.params, data.z.reshape(len(data.z), -1))


def cold_start(case, threads):
    source = getsource(objective) + getsource(value_and_gradient)
    answer = "answer = lambda x: value_and_gradient(objective, len(x)).jacobian(x)"
    return cold.child(case, "import ddx", source + answer)


WAYS = {
    "rosenbrock": rosenbrock,
    "down_and_out": down_and_out,
    "asian": asian_call,
    "heston": heston_call,
    "jacobians": jacobian,
    "cold_start": cold_start,
}
