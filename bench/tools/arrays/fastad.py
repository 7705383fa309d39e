"""fastad: as it does them in GradBench."""

from bench.gradbench import gmm, kmeans, llsq, lse, ode
from bench.problems.gmm import FREEDOM, GAMMA, NAMES


def of_lse(case, threads):
    call = lse.gradient({"x": case.params[0]}, threads)
    return lambda: (call(),)


def of_llsq(case, threads):
    call = llsq.gradient({"x": case.params[0], "n": len(case.constants[1])}, threads)
    return lambda: (call(),)


def of_ode(case, threads):
    call = ode.gradient({"x": case.params[0], "s": case.constants[1]}, threads)
    return lambda: (call(),)


def of_kmeans(case, threads):
    call = kmeans.dir({"points": case.constants[0], "centroids": case.params[0]}, threads)
    return lambda: (call(),)


def of_gmm(case, threads):
    call = gmm.jacobian(dict(zip(NAMES, case.params)) | {"x": case.constants[0], "m": FREEDOM, "gamma": GAMMA}, threads)
    return lambda: tuple(call()[name] for name in NAMES)


WAYS = {"lse": of_lse, "llsq": of_llsq, "ode": of_ode, "kmeans": of_kmeans, "gmm": of_gmm}
