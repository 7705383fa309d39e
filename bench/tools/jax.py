"""JAX on the CPU: jit, float64. First calls include tracing and XLA's compilation."""

from __future__ import annotations

import os
from inspect import getsource

import jax
import jax.numpy as jnp
import numpy as np

from bench.problems import cold_start as cold
from bench.problems.down_and_out import COLUMNS, SMOOTHING
from bench.problems.rosenbrock import objective_of_arrays

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", os.cpu_count())
jax.devices()  # starts the thread pool now: started under timing.on_cores(1), it would have one thread for good

BLOCK = 256  # paths whose residuals fit in the cache: twice as fast as one vmap over all paths


def rosenbrock(x, threads):
    f = jax.jit(jax.value_and_grad(objective_of_arrays))

    def call():
        value, gradient = f(x)
        return np.asarray(value), np.asarray(gradient)  # which wait; float(value) would take twice as long

    return call


def down_and_out_path(params, z):
    """One path: lax.scan over the steps, as JAX's documentation asks of long loops."""
    spot, strike, rate, maturity, sigma, barrier = params
    dt = maturity / COLUMNS
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


def down_and_out(data, threads):
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
        path = jax.value_and_grad(down_and_out_path)
        values, gradients = jax.lax.map(lambda row: path(params, row), z, batch_size=BLOCK)
        return values.sum(), gradients.sum(axis=0)

    def call():
        started = [f(params, z) for params, z in parts]
        values, gradients = zip(*[(np.asarray(value), np.asarray(gradient)) for value, gradient in started])
        return sum(values) / len(data.z), sum(gradients) / len(data.z)

    return call


def cold_start(case, threads):
    imports = "import jax\njax.config.update('jax_enable_x64', True)\njax.config.update('jax_platforms', 'cpu')"
    answer = getsource(objective_of_arrays) + "answer = jax.jit(jax.value_and_grad(objective_of_arrays))"
    return cold.child(case, imports, answer)


WAYS = {"rosenbrock": rosenbrock, "down_and_out": down_and_out, "cold_start": cold_start}
