"""Autograd: array operations on its own numpy, nothing compiled."""

from inspect import getsource

from autograd import value_and_grad

from ..problems import cold_start as cold
from ..problems.rosenbrock import objective_of_arrays
from .arrays.autograd import WAYS as ARRAYS


def rosenbrock(x, threads):
    f = value_and_grad(objective_of_arrays)
    return lambda: f(x)


def cold_start(case, threads):
    answer = getsource(objective_of_arrays) + "answer = value_and_grad(objective_of_arrays)"
    return cold.child(case, "from autograd import value_and_grad", answer)


WAYS = {"rosenbrock": rosenbrock, "cold_start": cold_start} | ARRAYS
