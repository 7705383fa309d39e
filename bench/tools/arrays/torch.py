"""PyTorch: the objectives in its functions, which take NumPy's names and axes, but for maxima and minima."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import torch

from ...problems import elementwise, gmm, kmeans, llsq, lse, ode

numpy_names = SimpleNamespace(
    exp=torch.exp,
    log=torch.log,
    sin=torch.sin,
    sum=torch.sum,
    max=torch.max,
    min=lambda x, axis: torch.amin(x, axis),
    concatenate=torch.cat,
    einsum=torch.einsum,
)


def tensor(x, active=False):
    return torch.tensor(x, requires_grad=active) if hasattr(x, "shape") else x


def gradient(objective, case, threads):
    params = tuple(tensor(x, active=True) for x in case.params)
    constants = tuple(map(tensor, case.constants))

    def call():
        torch.set_num_threads(threads)
        found = torch.autograd.grad(objective(numpy_names, params, constants), params)
        return tuple(x.numpy() for x in found)

    return call


def newton(case, threads):
    centroids, constants = tensor(case.params[0]), tuple(map(tensor, case.constants))
    everywhere = torch.ones_like(centroids)

    def f(c):
        return kmeans.objective(numpy_names, (c,), constants)

    def call():
        torch.set_num_threads(threads)
        _, first = torch.autograd.functional.vjp(f, centroids)
        _, second = torch.autograd.functional.vhp(f, centroids, everywhere)  # the Hessian is diagonal
        return ((first / second).numpy(),)

    return call


WAYS = {
    "elementwise": lambda case, threads: gradient(*elementwise.named(case), threads),
    "lse": partial(gradient, lse.objective),
    "llsq": partial(gradient, llsq.objective),
    "ode": partial(gradient, ode.objective),
    "gmm": partial(gradient, partial(gmm.objective, logsumexp=torch.logsumexp)),
    "kmeans": newton,
}
