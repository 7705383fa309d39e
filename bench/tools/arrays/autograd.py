"""Autograd: the objectives in its own numpy."""

from __future__ import annotations

from functools import partial

import autograd.numpy as anp
import numpy as np
from autograd import grad, make_hvp
from autograd.scipy.special import logsumexp

from ...problems import elementwise, gmm, kmeans, llsq, lse, ode


def gradient(objective, case, threads):
    if len(case.params) == 1:  # by the array itself: a tuple around it costs autograd 40 us
        by_array = grad(lambda x: objective(anp, (x,), case.constants))
        return lambda: (by_array(*case.params),)
    f = grad(lambda params: objective(anp, params, case.constants))
    return lambda: f(case.params)


def newton(case, threads):
    def f(centroids):
        return kmeans.objective(anp, (centroids,), case.constants)

    by_centroids, everywhere = grad(f), np.ones_like(case.params[0])

    def call():
        (centroids,) = case.params
        product = make_hvp(f)(centroids)[0](everywhere)  # the Hessian is diagonal
        return (by_centroids(centroids) / product,)

    return call


WAYS = {
    "elementwise": lambda case, threads: gradient(*elementwise.named(case), threads),
    "lse": partial(gradient, lse.objective),
    "llsq": partial(gradient, llsq.objective),
    "ode": partial(gradient, ode.objective),
    "gmm": partial(gradient, partial(gmm.objective, logsumexp=logsumexp)),
    "kmeans": newton,
}
