"""JAX on the CPU: jit, float64. First calls include tracing and XLA's compilation."""

from __future__ import annotations

import math
import os
from functools import partial
from inspect import getsource
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from fastad.sparse import Pattern

from ..problems import bundle as ba
from ..problems import cold_start as cold
from ..problems import heston as hest
from ..problems import libor as lmm
from ..problems import local_vol as dupire
from ..problems.down_and_out import SMOOTHING
from ..problems.jacobians import outputs_of_arrays
from ..problems.rosenbrock import objective_of_arrays
from .arrays.jax import WAYS as ARRAYS

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", os.cpu_count())
jax.devices()  # starts the thread pool now: started under timing.on_cores(1), it would have one thread for good

# Paths whose residuals fit in the cache, by measurement.
BLOCK = 256  # twice as fast as one vmap over all paths
LIBOR_BLOCK = 25
LOCAL_VOL_BLOCK = 1_000


def rosenbrock(x, threads):
    f = jax.jit(jax.value_and_grad(objective_of_arrays))

    def call():
        value, gradient = f(x)
        return np.asarray(value), np.asarray(gradient)  # which wait; float(value) would take twice as long

    return call


def down_and_out_path(params, z):
    """One path: lax.scan over the steps, as JAX's documentation asks of long loops."""
    spot, strike, rate, maturity, sigma, barrier = params
    dt = maturity / (len(z) + 1)
    drift = (rate - 0.5 * sigma * sigma) * dt
    vol = sigma * jnp.sqrt(dt)

    def step(carry, normal):
        log_return, alive, _ = carry
        log_return = log_return + (drift + vol * normal)
        level = spot * jnp.exp(log_return)
        return (log_return, alive * (0.5 * (1.0 + jnp.tanh(SMOOTHING * (level - barrier)))), level), None

    alive = 0.5 * (1.0 + jnp.tanh(SMOOTHING * (spot - barrier)))
    (_, alive, level), _ = jax.lax.scan(step, (jnp.zeros_like(spot), alive, spot), z)
    return jnp.exp(-rate * maturity) * jnp.maximum(level - strike, 0.0) * alive


def asian_path(params, z):
    spot, strike, rate, sigma, maturity = params
    dt = maturity / len(z)
    drift, vol = (rate - 0.5 * sigma * sigma) * dt, sigma * jnp.sqrt(dt)

    def step(carry, normal):
        level, total = carry
        level = level * jnp.exp(drift + vol * normal)
        return (level, total + level), None

    (_, total), _ = jax.lax.scan(step, (spot, jnp.zeros_like(spot)), z)
    return jnp.exp(-rate * maturity) * jnp.maximum(total / len(z) - strike, 0.0)


def heston_path(params, z):
    spot, strike, maturity, rate, variance, kappa, theta, xi = params
    dt = maturity / len(z)

    def step(carry, normals):
        level, v = carry
        q = jnp.sqrt(jnp.abs(v) + 1e-10) * jnp.sqrt(dt)
        correlated = hest.RHO * normals[0] + (1.0 - hest.RHO**2) ** 0.5 * normals[1]
        return (level * (1.0 + rate * dt + q * normals[0]), v + kappa * (theta - v) * dt + xi * q * correlated), None

    (level, _), _ = jax.lax.scan(step, (spot, variance), z)
    return jnp.exp(-rate * maturity) * jnp.maximum(level - strike, 0.0)


def mapped(path, data, threads):
    """Blocks of paths one after another by lax.map, its batch_size being the vmap inside.

    XLA runs that on one core whatever the size of its pool, so each part of the paths has a device of its own, which
    computes while the others do.
    """
    devices = jax.devices()[:threads]
    parts = [
        (jax.device_put(data.params, device), jax.device_put(z, device))
        for device, z in zip(devices, np.array_split(data.z, threads))
    ]

    @jax.jit
    def f(params, z):
        both = jax.value_and_grad(path)
        values, gradients = jax.lax.map(lambda row: both(params, row), z, batch_size=BLOCK)
        return values.sum(), gradients.sum(axis=0)

    def call():
        started = [f(params, z) for params, z in parts]
        values, gradients = zip(*[(np.asarray(value), np.asarray(gradient)) for value, gradient in started])
        return sum(values) / len(data.z), sum(gradients) / len(data.z)

    return call


def jacobian(data, threads):
    """Forward or reverse, by the smaller number of sweeps, as JAX's documentation advises."""
    outputs, inputs = data.weights.shape
    f = jax.jit((jax.jacfwd if inputs <= outputs else jax.jacrev)(partial(outputs_of_arrays, jnp, data.weights)))
    return lambda: np.asarray(f(data.x))


def break_even(data, threads):
    """From the plain function on: traced and compiled at each call, for which JAX has to forget what it compiled."""

    def call():
        jax.clear_caches()
        path = jax.value_and_grad(down_and_out_path)
        mean = jax.jit(
            lambda params, z: jax.lax.map(lambda row: path(params, row), z, batch_size=BLOCK)[1].mean(axis=0)
        )
        return np.asarray(mean(data.params, data.z))

    return call


def libor_path(rates, vols, z):
    """One path: a scan over the steps, each a cumulative sum over all rates; expired ones have no volatility."""
    half = 0.5 * lmm.PERIOD

    def step(carry, normal):
        x, vol = carry
        drift = math.sqrt(lmm.PERIOD) * normal + jnp.cumsum(lmm.PERIOD * vol * x / (1.0 + x))
        x = x * jnp.exp(vol * (drift - half * vol))
        return (x, jnp.concatenate([jnp.zeros(1), vol[:-1]])), None

    start = lmm.PERIOD * rates, jnp.concatenate([jnp.zeros(1), vols[:-1]])
    (x, _), _ = jax.lax.scan(step, start, z)
    bonds = jnp.cumprod(1.0 / (1.0 + x[len(z) :]))
    last = np.array(lmm.TENORS) - 1
    bond, annuity = bonds[last], lmm.PERIOD * jnp.cumsum(bonds)[last]
    worth = jnp.maximum(1.0 - bond[:, None] - np.array(lmm.STRIKES) * annuity[:, None], 0.0)
    return lmm.NOTIONAL * worth.sum() / jnp.prod(1.0 + x[: len(z)])


def libor(data, threads):
    """Sums over blocks, so that a block has one gradient; blocks and devices as in ``mapped``."""
    parts = [
        [jax.device_put(array, device) for array in (data.rates, data.vols, z.reshape(-1, LIBOR_BLOCK, z.shape[1]))]
        for device, z in zip(jax.devices(), np.array_split(data.z, threads))
    ]

    def block(rates, vols, z):
        return jax.vmap(libor_path, (None, None, 0))(rates, vols, z).sum()

    @jax.jit
    def f(rates, vols, blocks):
        gradient = jax.value_and_grad(block, (0, 1))
        return jax.tree.map(lambda a: a.sum(axis=0), jax.lax.map(lambda z: gradient(rates, vols, z), blocks))

    def call():
        return _mean([f(*part) for part in parts], len(data.z))

    return call


def _mean(started, paths):
    """Wait for the sums of all devices; their total over the number of paths."""
    sums = [jax.tree.map(np.asarray, part) for part in jax.block_until_ready(started)]
    return jax.tree.map(lambda *parts: sum(parts) / paths, *sums)


def local_vol_block(spot, vols, key):
    """Sum over a block of paths, with normals of its own."""
    dt = dupire.MATURITY / dupire.STEPS
    column, weight = dupire.time_weights()

    def step(carry, now):
        log_spot, level, alive = carry
        j, w, key = now
        slice_ = vols[:, j] * (1.0 - w) + vols[:, j + 1] * w
        sigma = jnp.interp(level, dupire.SPOTS, slice_)
        z = jax.random.normal(key, level.shape)
        log_spot = log_spot - 0.5 * dt * sigma * sigma + math.sqrt(dt) * sigma * z
        level = jnp.exp(log_spot)
        left = jnp.clip((dupire.BARRIER + dupire.EPS - level) / (2.0 * dupire.EPS), 0.0, 1.0)
        return (log_spot, level, alive * left), None

    start = jnp.full(LOCAL_VOL_BLOCK, jnp.log(spot)), jnp.full(LOCAL_VOL_BLOCK, spot), jnp.ones(LOCAL_VOL_BLOCK)
    keys = jax.random.split(key, dupire.STEPS)
    (_, level, alive), _ = jax.lax.scan(step, start, (column, weight, keys))
    return (alive * jnp.maximum(level - dupire.STRIKE, 0.0)).sum()


def local_vol(paths, threads):
    blocks = paths // LOCAL_VOL_BLOCK
    numbers = [jax.device_put(part, d) for d, part in zip(jax.devices(), np.array_split(np.arange(blocks), threads))]

    @jax.jit
    def f(vols, seed, numbers):
        gradient = jax.value_and_grad(local_vol_block, (0, 1))
        key = jax.random.key(seed)

        def add(total, number):
            return jax.tree.map(jnp.add, total, gradient(dupire.SPOT, vols, jax.random.fold_in(key, number))), None

        nothing = jnp.zeros(()), (jnp.zeros(()), jnp.zeros_like(vols))
        return jax.lax.scan(add, nothing, numbers)[0]

    return lambda: _mean([f(dupire.surface(), 1, part) for part in numbers], blocks * LOCAL_VOL_BLOCK)


def end_to_end(data, threads):
    """Blocks with a key each, folded from their number; blocks and devices as in ``mapped`` and ``libor``."""
    path, block = {"down-and-out": (down_and_out_path, BLOCK), "LIBOR": (libor_path, LIBOR_BLOCK)}[data.model]
    count = -(-data.paths // block)
    numbers = [jax.device_put(part, d) for d, part in zip(jax.devices(), np.array_split(np.arange(count), threads))]

    def total(params, z):
        return jax.vmap(lambda row: path(*params, row))(z).sum()

    @jax.jit
    def f(params, seed, numbers):
        key = jax.random.key(seed)

        def of_block(number):
            z = jax.random.normal(jax.random.fold_in(key, number), (block, data.steps))
            return jax.value_and_grad(total)(params, z)

        return jax.tree.map(lambda a: a.sum(axis=0), jax.lax.map(of_block, numbers))

    return lambda: _mean([f(data.params, 1, part) for part in numbers], count * block)


def bundle(data, threads):
    def f(x, feature):
        return jnp.stack(ba.residuals(x, feature, jnp.sqrt, jnp.cos, jnp.sin))

    @jax.jit
    def g(cameras, points, weights, features):
        x = jnp.concatenate([cameras[data.camera_of], points[data.point_of], weights[:, None]], axis=1)
        slopes = jax.vmap(jax.jacrev(f))(x, features)
        return jax.vmap(f)(x, features), jnp.concatenate([slopes.ravel(), -2.0 * weights])

    arrays = [jnp.asarray(x) for x in (data.cameras, data.points, data.weights, data.features)]
    return lambda: tuple(np.asarray(x) for x in g(*arrays))


LIBRARY = SimpleNamespace(exp=jnp.exp, sin=jnp.sin, join=jnp.concatenate)


def _compressed(system, colored, derivative):
    """JAX has no sparse derivatives: pattern and colouring are given to it, the elements are picked with NumPy."""
    import scipy.sparse

    known = system.known
    coloring = colored(Pattern(known.shape, known.indptr.astype(np.int64), known.indices.astype(np.int32)))
    x, directions = jnp.asarray(system.x), jnp.asarray(np.eye(coloring.count)[:, coloring.colors])
    products = jax.jit(jax.vmap(lambda v: jax.jvp(derivative, (x,), (v,))[1]))

    def call():
        data = coloring.recover(np.asarray(products(directions)).T)
        return scipy.sparse.csr_array((data, known.indices, known.indptr), shape=known.shape)

    return call


def sparse_jacobian(system, threads):
    return _compressed(system, Pattern.color_columns, lambda x: system.f(x, LIBRARY))


def sparse_hessian(system, threads):
    return _compressed(system, Pattern.color_star, jax.grad(lambda x: system.f(x, LIBRARY)))


def cold_start(case, threads):
    imports = "import jax\njax.config.update('jax_enable_x64', True)\njax.config.update('jax_platforms', 'cpu')"
    answer = getsource(objective_of_arrays) + "answer = jax.jit(jax.value_and_grad(objective_of_arrays))"
    return cold.child(case, imports, answer)


WAYS = {
    "rosenbrock": rosenbrock,
    "down_and_out": partial(mapped, down_and_out_path),
    "scaling": partial(mapped, down_and_out_path),
    "asian": partial(mapped, asian_path),
    "heston": partial(mapped, heston_path),
    "libor": libor,
    "sensitivities": libor,
    "local_vol": local_vol,
    "end_to_end": end_to_end,
    "bundle": bundle,
    "sparse_jacobian": sparse_jacobian,
    "sparse_hessian": sparse_hessian,
    "break_even": break_even,
    "jacobians": jacobian,
    "cold_start": cold_start,
} | ARRAYS
