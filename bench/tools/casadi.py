"""CasADi: symbolic scalars (SX), functions evaluated by its virtual machine, mapped over paths."""

from __future__ import annotations

from inspect import getsource

import casadi as ca
import numpy as np

from ..problems import asian, heston, jacobians
from ..problems import cold_start as cold
from ..problems import libor as lmm
from ..problems.down_and_out import payoff
from ..problems.rosenbrock import objective
from .sparse.casadi import WAYS as SPARSE

BLOCK = 500  # paths of one call: its work arrays hold all of them


def value_and_gradient(f, n):
    x = ca.SX.sym("x", n)
    y = f(x)
    return ca.Function("f", [x], [y, ca.gradient(y, x)])


class Buffered:
    """A call without conversions, by FunctionBuffer, as the user's guide has it for small functions."""

    def __init__(self, function, x):
        self.x, self.value, self.gradient = x.copy(), np.zeros(1), np.zeros(len(x))
        self.buffer, self.evaluate = function.buffer()
        self.buffer.set_arg(0, memoryview(self.x))
        self.buffer.set_res(0, memoryview(self.value))
        self.buffer.set_res(1, memoryview(self.gradient))

    def __call__(self, x):
        self.x[:] = x
        self.evaluate()
        return self.value[0], self.gradient.copy()


def rosenbrock(x, threads):
    # A vector of SX has shape (n, 1); len of it is not defined, and a list of its elements is what the objective takes.
    call = Buffered(value_and_gradient(lambda v: objective(ca.vertsplit(v)), len(x)), x)
    return lambda: call(x)


def jacobian(data, threads):
    x = ca.SX.sym("x", len(data.x))
    y = ca.vertcat(*jacobians.outputs(data.weights, ca.vertsplit(x), ca.tanh))
    f = ca.Function("f", [x], [ca.densify(ca.jacobian(y, x))])
    return lambda: np.asarray(f(data.x))


def mean_over_paths(path, params, z, threads):
    """Mean of path(params, z) and of its gradient: one function of a path, mapped over blocks of them."""
    p, normals = ca.SX.sym("p", len(params)), ca.SX.sym("z", z.shape[1])
    y = path(ca.vertsplit(p), ca.vertsplit(normals))
    one = ca.Function("one", [p, normals], [y, ca.gradient(y, p)])
    mapped = one.map(BLOCK, "thread", threads) if threads > 1 else one.map(BLOCK)
    count = len(z) // BLOCK * BLOCK
    blocks = [np.asfortranarray(z[i : i + BLOCK].T) for i in range(0, count, BLOCK)]
    repeated = np.asfortranarray(np.tile(np.asarray(params)[:, None], BLOCK))

    def call():
        total, gradient = 0.0, np.zeros(len(params))
        for block in blocks:
            values, gradients = mapped(repeated, block)
            total += float(ca.sum2(values))
            gradient += np.asarray(ca.sum2(gradients))[:, 0]
        for path_ in z[count:]:
            value, part = one(params, path_)
            total, gradient = total + float(value), gradient + np.asarray(part)[:, 0]
        return total / len(z), gradient / len(z)

    return call


def down_and_out(data, threads):
    return mean_over_paths(lambda p, z: payoff(p, z, ca.exp, ca.tanh, ca.fmax), data.params, data.z, threads)


def asian_call(data, threads):
    return mean_over_paths(lambda p, z: asian.payoff(p, z, ca.exp, ca.sqrt, ca.fmax), data.params, data.z, threads)


def heston_call(data, threads):
    def path(p, z):
        pairs = list(zip(z[::2], z[1::2]))
        return heston.payoff(p, pairs, ca.exp, ca.sqrt, ca.fmax, ca.fabs)

    return mean_over_paths(path, data.params, data.z.reshape(len(data.z), -1), threads)


def libor(data, threads):
    rates = len(data.rates)

    def path(p, z):
        return lmm.payoff(p[:rates], p[rates:], z, ca.exp, ca.fmax)

    inner = mean_over_paths(path, np.concatenate([data.rates, data.vols]), data.z, threads)

    def call():
        value, gradient = inner()
        return value, (gradient[:rates], gradient[rates:])

    return call


def cold_start(case, threads):
    source = getsource(objective) + getsource(value_and_gradient)
    answer = "answer = lambda x: value_and_gradient(lambda v: objective(ca.vertsplit(v)), len(x))(x)"
    return cold.child(case, "import casadi as ca", source + answer)


WAYS = {
    "rosenbrock": rosenbrock,
    "down_and_out": down_and_out,
    "asian": asian_call,
    "heston": heston_call,
    "libor": libor,
    "jacobians": jacobian,
    "cold_start": cold_start,
} | SPARSE
