"""fastad: record once, replay."""

from __future__ import annotations

from functools import partial
from inspect import getsource
from types import SimpleNamespace

import numpy as np
from numba import njit

import fastad as fad
from fastad.kernels import philox, vmath
from fastad.kernels._simd import address, load, store

from ..problems import asian, heston, jacobians
from ..problems import bundle as ba
from ..problems import cold_start as cold
from ..problems import libor as lmm
from ..problems import local_vol as dupire
from ..problems import long_tape as tapes
from ..problems import many_paths as million
from ..problems import record_loop as in_loop
from ..problems import record_operations as operations
from ..problems.down_and_out import payoff
from ..problems.record_mul import loop
from ..problems.rosenbrock import objective
from .arrays.fastad import WAYS as ARRAYS


def rosenbrock(x, threads):
    program = fad.record(objective, x)
    return lambda: program.value_and_grad(x)


def record_mul(data, threads):
    tape = fad.Tape()
    x, y = tape.input(data.x), tape.input(data.y)
    start = tape.mark()

    def call():
        tape.rewind(start)
        z = loop(x, y, data.n)
        # The sweep needs the rows in the columns, so it flushes them; itself it costs a few ns per product.
        return z.value, *tape.reverse(z)

    return call


def record_operations(data, threads):
    tape = fad.Tape()
    x = tape.input(operations.START)
    start = tape.mark()

    def call():
        tape.rewind(start)
        y = operations.loop(x, data, fad)
        return y.value, *tape.reverse(y)

    return call


def jacobian(data, threads):
    program = fad.record(lambda x: fad.array(jacobians.outputs(data.weights, x, fad.tanh)), data.x)
    return lambda: program.jacobian(data.x, mode="auto")


def break_even(data, threads):
    """From the plain function on: recorded at each call, then replayed over the paths."""
    params = tuple(data.params.tolist())

    def f(params, z):
        return payoff(params, z, fad.exp, fad.tanh, fad.maximum)

    def call():
        program = fad.record(f, params, data.z[0])
        return np.array(program.batch(params, data.z, axes=(None, 0), reduce="mean", threads=threads).gradient)

    return call


def record_loop(data, threads):
    tape = fad.Tape()
    x, y = tape.input(data.x), tape.input(data.y)
    start = tape.mark()
    compiled = njit(nogil=True)(in_loop.loop)

    def call():
        tape.rewind(start)
        z = compiled(x, y, data.n)
        return (z.value, *tape.reverse(z)) if data.reverse else (z.value,)

    return call


def down_and_out_call(params, z):
    return payoff(params, z, fad.exp, fad.tanh, fad.maximum)


def down_and_out(data, threads, wrt=0):
    return replayed(down_and_out_call, data, threads, wrt)


def replayed(payoff, data, threads, wrt=0):
    """A payoff of a tuple of parameters and the normals of a path."""
    params = tuple(data.params.tolist())
    program = fad.record(payoff, params, data.z[0])

    def call():
        r = program.batch(params, data.z, axes=(None, 0), wrt=wrt, reduce="mean", threads=threads)
        return r.value, None if wrt is None else np.array(r.gradient)

    return call


def asian_call(params, z):
    return asian.payoff(params, z, fad.exp, fad.sqrt, fad.maximum)


def heston_call(params, z):
    return heston.payoff(params, z, fad.exp, fad.sqrt, fad.maximum, abs)


def libor_payoff(params, z):
    return lmm.payoff(*params, z, fad.exp, fad.maximum)


def libor(data, threads, wrt=(0, 1)):
    def f(rates, vols, z):
        return libor_payoff((rates, vols), z)

    program = fad.record(f, data.rates, data.vols, data.z[0])

    def call():
        r = program.batch(data.rates, data.vols, data.z, axes=(None, None, 0), wrt=wrt, reduce="mean", threads=threads)
        return r.value, r.gradient

    return call


def local_vol(paths, threads, wrt=None):
    params = {"spot": dupire.SPOT, "vols": dupire.surface()}

    def call():
        f = partial(dupire.payoff, tool=fad)
        r = fad.monte_carlo(f, params, normals=dupire.STEPS, paths=paths, seed=1, wrt=wrt, threads=threads)
        return r.value, None if r.gradient is None else (r.gradient["spot"], r.gradient["vols"])

    return call


def end_to_end(data, threads):
    """One call of ``monte_carlo``: recorded anew, searched for jumps, with standard errors."""
    path = {"down-and-out": lambda params, z: down_and_out_call(params[0], z), "LIBOR": libor_payoff}[data.model]

    def call():
        r = fad.monte_carlo(path, data.params, normals=data.steps, paths=data.paths, seed=1, threads=threads)
        return r.value, r.gradient

    return call


@njit(nogil=True)
def fill_groups(key, slots, out):
    """What a block of a Monte Carlo run does, without the payoff: 20 normals for each of 64 paths at a time."""
    for group in range(len(out)):
        philox.normals_group(key, group, False, slots, out[group])


def normals(n, threads):
    dimensions = 20
    out = np.empty((n // (64 * dimensions), dimensions, 64))
    key, slots = philox.key_of_seed(1), np.arange(dimensions)

    def call():
        fill_groups(key, slots, out)
        return out

    return call


def in_vectors(name, operands):
    """The call of a function on arrays of a multiple of 8 elements."""
    function, out = getattr(vmath, name), np.empty_like(operands[0])

    @njit(nogil=True, error_model="numpy")
    def of_one(x, out):
        for i in range(0, x.size, 8):
            store(address(out), i, function(load(address(x), i)))

    @njit(nogil=True, error_model="numpy")
    def of_two(x, y, out):
        for i in range(0, x.size, 8):
            store(address(out), i, function(load(address(x), i), load(address(y), i)))

    def call():
        (of_one if len(operands) == 1 else of_two)(*operands, out)
        return out

    return call


def vmath_accuracy(data, threads):
    calls = {
        name: in_vectors(name, [np.resize(x, -(-x.size // 8) * 8) for x in operands])
        for name, operands in data.operands.items()
    }
    return lambda: {name: call()[: data.operands[name][0].size] for name, call in calls.items()}


def long_tape(data, threads):
    """Each kind of sweep over one long recording."""
    if data.what in ("record", "reverse"):
        tape = fad.Tape()
        x, y = tape.input(data.x), tape.input(data.y)
        start = tape.mark()

        def record():
            tape.rewind(start)
            tapes.f(x, y, data.n)
            return (float(tape.value[-1]),)  # the column, so what is staged has been flushed to it

        if data.what == "record":
            return record
        z = tapes.f(x, y, data.n)
        return lambda: (z.value, *tape.reverse(z))
    program = fad.record(lambda x, y: tapes.f(x, y, data.n), data.x, data.y)
    if data.what == "call":
        return lambda: (program(data.x, data.y),)

    def value_and_grad():
        value, gradient = program.value_and_grad(data.x, data.y, argnums=(0, 1))
        return value, *gradient

    return value_and_grad


def bundle(data, threads):
    """One observation recorded, replayed over all of them: the blocks are the rows of the Jacobian."""

    def f(x, feature):
        return fad.stack(ba.residuals(x, feature, fad.sqrt, fad.cos, fad.sin))

    program = fad.record(f, data.inputs[0], data.features[0])

    def call():
        r = program.batch(data.inputs, data.features, axes=0, wrt=0, threads=threads)
        return r.value, np.concatenate([r.gradient.ravel(), -2.0 * data.weights])

    return call


LIBRARY = SimpleNamespace(exp=fad.exp, sin=fad.sin, join=lambda parts: fad.stack(parts).reshape(-1))


def sparse_jacobian(system, threads):
    program = fad.record(lambda x: system.f(x, LIBRARY), system.x)
    return lambda: program.jacobian(system.x, sparse=True)


def sparse_hessian(system, threads):
    program = fad.record(lambda x: system.f(x, LIBRARY), system.x)
    return lambda: program.hessian(system.x, sparse=True)


def many_paths(paths, threads):
    return million.child(paths, threads)


def cold_start(case, threads):
    return cold.child(case, "import fastad as fad", getsource(objective) + "answer = fad.value_and_grad(objective)")


WAYS = {
    "rosenbrock": rosenbrock,
    "record_mul": record_mul,
    "record_operations": record_operations,
    "record_loop": record_loop,
    "long_tape": long_tape,
    "down_and_out": down_and_out,
    "asian": partial(replayed, asian_call),
    "heston": partial(replayed, heston_call),
    "scaling": down_and_out,
    "libor": libor,
    "sensitivities": libor,
    "local_vol": local_vol,
    "end_to_end": end_to_end,
    "bundle": bundle,
    "sparse_jacobian": sparse_jacobian,
    "sparse_hessian": sparse_hessian,
    "many_paths": many_paths,
    "break_even": break_even,
    "jacobians": jacobian,
    "normals": normals,
    "cold_start": cold_start,
    "vmath_accuracy": vmath_accuracy,
} | ARRAYS
