"""fastad: as it does them in GradBench, but for llsq, which gets its matrix of powers there and makes it here."""

import numpy as np

import fastad as fad

from ...gradbench import gmm, kmeans, lse, ode
from ...problems import elementwise, llsq
from ...problems.gmm import FREEDOM, GAMMA, NAMES


def of_elementwise(case, threads):
    """Recorded anew in every call, as code that is run as it stands."""
    objective, case = elementwise.named(case)
    gradient = fad.grad(lambda x: objective(np, (x,), ()))
    return lambda: (gradient(*case.params),)


def of_lse(case, threads):
    call = lse.gradient({"x": case.params[0]}, threads)
    return lambda: (call(),)


def of_llsq(case, threads):
    (x,), constants = case.params, tuple(array.copy() for array in case.constants)
    for array in constants:
        array.setflags(write=False)  # fastad copies what somebody could write into
    program = fad.record(lambda x: llsq.objective(np, (x,), constants), x)
    return lambda: (program.grad(x),)


def of_ode(case, threads):
    call = ode.gradient({"x": case.params[0], "s": case.constants[1]}, threads)
    return lambda: (call(),)


def of_kmeans(case, threads):
    call = kmeans.dir({"points": case.constants[0], "centroids": case.params[0]}, threads)
    return lambda: (call(),)


def of_gmm(case, threads):
    data = dict(zip(NAMES, case.params)) | {"x": case.constants[0], "m": FREEDOM, "gamma": GAMMA}
    call = gmm.jacobian(data, threads)

    def by_name():
        found = call()
        return tuple(found[name] for name in NAMES)

    return by_name


WAYS = {
    "elementwise": of_elementwise,
    "lse": of_lse,
    "llsq": of_llsq,
    "ode": of_ode,
    "kmeans": of_kmeans,
    "gmm": of_gmm,
}
