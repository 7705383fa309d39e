"""AADC, Community Edition: recorded once, compiled for the vector lanes, evaluated in batches by its thread pool.

As its guide (``aadc.llms_txt()``) says for batches: ``compile("auto")``, then ``evaluate``. That edition lacks AVX-512
and is for non-commercial use, so it is no part of the ``bench`` extra: ``pip install aadc``.
"""

from __future__ import annotations

from inspect import getsource

import aadc
import numpy as np

from ..problems import asian, heston
from ..problems import cold_start as cold
from ..problems import libor as lmm
from ..problems.down_and_out import payoff
from ..problems.end_to_end import draw
from ..problems.rosenbrock import objective

exp, sqrt, tanh = aadc.math.exp, aadc.math.sqrt, aadc.math.tanh


def maximum(x, y):
    return aadc.math.max(x, aadc.idouble(y))


def value_and_gradient(f, n):
    """A workspace of one lane, as its guide shows for single points."""
    with aadc.record_kernel() as kernel:
        x = [aadc.idouble(1.0 + 0.1 * i) for i in range(n)]
        inputs = [v.mark_as_input() for v in x]
        output = f(x).mark_as_output()
    kernel.compile("scalar")
    at = kernel.create_workspace(kind="scalar")

    def answer(x):
        for argument, value in zip(inputs, x):
            at.set_val(argument, value)
        at.forward()
        at.set_diff(output, 1.0)
        at.reverse()
        return at.val(output), np.array([at.diff(argument) for argument in inputs])

    return answer


def rosenbrock(x, threads):
    call = value_and_gradient(objective, len(x))
    return lambda: call(x)


def mean_over_paths(path, params, z, threads):
    """Mean of path(params, z) and of its gradient, over given normals."""
    return mean_over(path, params, z.shape[1], lambda: z, threads)


def mean_over(path, params, steps, draw, threads):
    """The same for the normals (paths, steps) of ``draw()``: inputs that are not differentiated."""
    with aadc.record_kernel() as kernel:
        p = [aadc.idouble(float(x)) for x in params]
        parameters = [x.mark_as_input() for x in p]
        normals = [aadc.idouble(0.1) for _ in range(steps)]
        random = [x.mark_as_input_no_diff() for x in normals]
        price = path(p, normals).mark_as_output()
    kernel.compile("auto")
    pool = aadc.ThreadPool(threads)

    def call():
        inputs = dict(zip(parameters, map(float, params))) | dict(zip(random, draw().T))
        values, gradients, _ = aadc.evaluate(kernel, {price: parameters}, inputs, pool)
        return values[price].mean(), np.array([gradients[price][x].mean() for x in parameters])

    return call


def down_and_out(data, threads):
    return mean_over_paths(lambda p, z: payoff(p, z, exp, tanh, maximum), data.params, data.z, threads)


def asian_call(data, threads):
    return mean_over_paths(lambda p, z: asian.payoff(p, z, exp, sqrt, maximum), data.params, data.z, threads)


def heston_call(data, threads):
    def path(p, z):
        return heston.payoff(p, list(zip(z[::2], z[1::2])), exp, sqrt, maximum, abs)

    return mean_over_paths(path, data.params, data.z.reshape(len(data.z), -1), threads)


def libor_path(p, z):
    return lmm.payoff(p[: lmm.RATES], p[lmm.RATES :], z, exp, maximum)


def halves(call):
    """Deltas and vegas apart."""

    def answer():
        value, gradient = call()
        return value, np.split(gradient, 2)

    return answer


def libor(data, threads):
    return halves(mean_over_paths(libor_path, np.concatenate([data.rates, data.vols]), data.z, threads))


def end_to_end(data, threads):
    """Normals by NumPy."""

    def normals():
        return draw(data.paths, data.steps, 1, threads)

    if data.model == "LIBOR":
        return halves(mean_over(libor_path, np.concatenate(data.params), data.steps, normals, threads))
    inner = mean_over(lambda p, z: payoff(p, z, exp, tanh, maximum), data.params[0], data.steps, normals, threads)

    def call():
        value, gradient = inner()
        return value, (gradient,)

    return call


def cold_start(case, threads):
    source = getsource(objective) + getsource(value_and_gradient)
    answer = "answer = lambda x: value_and_gradient(objective, len(x))(x)"
    return cold.child(case, "import aadc\nimport numpy as np", source + answer)


WAYS = {
    "rosenbrock": rosenbrock,
    "down_and_out": down_and_out,
    "asian": asian_call,
    "heston": heston_call,
    "libor": libor,
    "end_to_end": end_to_end,
    "cold_start": cold_start,
}
