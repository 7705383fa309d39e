"""Autograd: array operations on its own numpy, nothing compiled."""

from functools import partial
from inspect import getsource

import autograd.numpy as anp
from autograd import jacobian, value_and_grad

from ..problems import cold_start as cold
from ..problems.jacobians import outputs_of_arrays
from ..problems.rosenbrock import objective_of_arrays
from .arrays.autograd import WAYS as ARRAYS


def rosenbrock(x, threads):
    f = value_and_grad(objective_of_arrays)
    return lambda: f(x)


def jacobian_of_arrays(data, threads):
    f = jacobian(partial(outputs_of_arrays, anp, data.weights))
    return lambda: f(data.x)


def cold_start(case, threads):
    answer = getsource(objective_of_arrays) + "answer = value_and_grad(objective_of_arrays)"
    return cold.child(case, "from autograd import value_and_grad", answer)


WAYS = {"rosenbrock": rosenbrock, "jacobians": jacobian_of_arrays, "cold_start": cold_start} | ARRAYS
