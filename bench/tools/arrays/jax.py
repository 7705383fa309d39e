"""JAX: the objectives in jax.numpy under jit, the loop of the differential equation by scan."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

from ...problems import elementwise, gmm, kmeans, llsq, lse, ode


def waiting(f, *args):
    """The call of a jitted function on arrays that JAX already has."""
    args = jax.tree.map(jnp.asarray, args)
    return lambda: jax.block_until_ready(f(*args))


def gradient(objective, case, threads):
    return waiting(jax.jit(jax.grad(partial(objective, jnp))), case.params, case.constants)


def solution(params, start, steps):
    (x,) = params
    y, _ = jax.lax.scan(lambda y, _: (ode.step(jnp, x, y, ode.END / steps), None), start, length=steps)
    return y[-1]


def through_steps(case, threads):
    start, steps = case.constants
    return waiting(jax.jit(partial(jax.grad(solution), steps=steps)), case.params, start)


def newton(case, threads):
    @jax.jit
    def f(centroids, points):
        by_centroids = jax.grad(lambda c: kmeans.objective(jnp, (c,), (points,)))
        first, second = jax.jvp(by_centroids, (centroids,), (jnp.ones_like(centroids),))  # the Hessian is diagonal
        return (first / second,)

    return waiting(f, *case.params, *case.constants)


WAYS = {
    "elementwise": lambda case, threads: gradient(*elementwise.named(case), threads),
    "lse": partial(gradient, lse.objective),
    "llsq": partial(gradient, llsq.objective),
    "ode": through_steps,
    "gmm": partial(gradient, partial(gmm.objective, logsumexp=logsumexp)),
    "kmeans": newton,
}
