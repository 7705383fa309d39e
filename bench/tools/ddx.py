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
from ..problems.end_to_end import draw
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


def stacked(params, z):
    """Blocks of inputs as a kernel takes them, (parameters and normals, paths)."""
    for part in np.split(z, range(BLOCK, len(z), BLOCK)):
        yield np.vstack([np.tile(np.asarray(params)[:, None], len(part)), part.T])


def mean_over_paths(path, params, z):
    """Mean of path(params, z) and of its gradient, over given normals."""
    blocks = list(stacked(params, z))
    return mean_over(path, len(params), z.shape[1], lambda: blocks)


def mean_over(path, count, steps, blocks):
    """The same for what ``blocks()`` gives in each call; normals are parameters that are not differentiated."""
    model = ddx.equation(
        lambda: path([ddx.var(f"p{i}") for i in range(count)], [ddx.param(f"z{i}") for i in range(steps)])
    ).compile(points=BLOCK)

    def call():
        total, gradient, paths = 0.0, np.zeros(count), 0
        for block in blocks():
            values, gradients = model.jacobian(block)
            total += values.sum()
            gradient += gradients.sum(axis=1)
            paths += block.shape[1]
        return total / paths, gradient / paths

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


def end_to_end(data, threads):
    """Normals by NumPy. LIBOR is left out, see above."""
    if data.model != "down-and-out":
        return None

    def path(p, z):
        return payoff(p, z, ddx.exp, ddx.tanh, ddx.max)

    (params,) = data.params
    inner = mean_over(path, len(params), data.steps, lambda: stacked(params, draw(data.paths, data.steps, 1, threads)))

    def call():
        value, gradient = inner()
        return value, (gradient,)

    return call


def cold_start(case, threads):
    source = getsource(objective) + getsource(value_and_gradient)
    answer = "answer = lambda x: value_and_gradient(objective, len(x)).jacobian(x)"
    return cold.child(case, "import ddx", source + answer)


WAYS = {
    "rosenbrock": rosenbrock,
    "down_and_out": down_and_out,
    "asian": asian_call,
    "heston": heston_call,
    "end_to_end": end_to_end,
    "jacobians": jacobian,
    "cold_start": cold_start,
}
