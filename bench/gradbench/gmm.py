"""Gaussian mixture with a Wishart prior: the points are scenarios of one recording.

The parameters are the same for all points, so whatever depends on them alone, as the exponentials of the diagonal, is
computed once per call.
"""

from functools import cache
from math import lgamma, log, pi

import numpy as np
from numba import njit

import fastad as fad


@njit
def logsumexp(v):
    """The shift cancels, and so needs no derivative."""
    top = v[0]
    for x in v:
        top = fad.maximum(top, x)
    top = fad.stop_gradient(top)
    total = fad.exp(v[0] - top)
    for x in v[1:]:
        total += fad.exp(x - top)
    return top + fad.log(total)


@njit
def log_density(alpha, mu, q, lower, x):
    """Of one point, but for the normalisation: logsumexp of alpha + log det Q - |Q (x - mu)|^2 / 2 over components.

    Q is lower triangular with the exponentials of q as its diagonal; lower fills the rest column by column.
    """
    components, d = mu.shape
    terms = []
    for k in range(components):
        term = alpha[k] + 0.0
        for i in range(d):
            y = fad.exp(q[k, i]) * (x[i] - mu[k, i])
            at = i - 1
            for j in range(i):
                y += lower[k, at] * (x[j] - mu[k, j])
                at += d - 2 - j
            term += q[k, i] - 0.5 * (y * y)
        terms.append(term)
    return logsumexp(terms)


def log_gamma_of_dimension(d, a):
    """Logarithm of the multivariate gamma function."""
    return 0.25 * d * (d - 1) * log(pi) + sum(lgamma(a - 0.5 * j) for j in range(d))


def rest(alpha, q, lower, n, m, gamma):
    """What does not depend on the points: the normalisation of the densities, and the prior."""
    k, d = q.shape
    freedom = d + m + 1
    constant = k * (freedom * d * log(gamma / 2.0**0.5) - log_gamma_of_dimension(d, 0.5 * freedom))
    norm = (np.exp(q) ** 2).sum() + (lower**2).sum()
    likelihood = -n * (0.5 * d * log(2.0 * pi) + fad.log(np.exp(alpha).sum()))
    return likelihood + constant - 0.5 * gamma**2 * norm + m * q.sum()


def prepared(data):
    params = tuple(np.array(data[name], float) for name in ("alpha", "mu", "q", "l"))
    x = np.array(data["x"], float)
    program = cache(lambda: fad.record(log_density, *params, x[0]))
    return params, x, (len(x), data["m"], data["gamma"]), program


def objective(data, threads):
    (alpha, mu, q, lower), x, constants, program = prepared(data)

    def call():
        points = program().batch(
            alpha, mu, q, lower, x, axes=(None,) * 4 + (0,), wrt=None, reduce="sum", threads=threads
        )
        return points.value + rest(alpha, q, lower, *constants)

    return call


def jacobian(data, threads):
    params, x, constants, program = prepared(data)
    alpha, _, q, lower = params

    def call():
        points = program().batch(*params, x, axes=(None,) * 4 + (0,), wrt=range(4), reduce="sum", threads=threads)
        by_alpha, by_mu, by_q, by_l = points.gradient
        also_by_alpha, also_by_q, also_by_l = fad.grad(rest, argnums=(0, 1, 2))(alpha, q, lower, *constants)
        return {"alpha": by_alpha + also_by_alpha, "mu": by_mu, "q": by_q + also_by_q, "l": by_l + also_by_l}

    return call
