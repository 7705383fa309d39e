"""XAD for Python: overloaded scalars on a C++ tape, recorded anew for each gradient, as its documentation does."""

from inspect import getsource

import numpy as np
import xad.adj_1st as xadj
import xad.math

from ..problems import cold_start as cold
from ..problems import record_operations as operations
from ..problems.down_and_out import payoff
from ..problems.record_mul import loop
from ..problems.rosenbrock import objective


def value_and_gradient(f, x):
    """One recording and one sweep; the README of xad, with an array of inputs."""
    with xadj.Tape() as tape:
        inputs = [xadj.Real(v) for v in x.tolist()]
        tape.registerInputs(inputs)
        tape.newRecording()
        y = f(inputs)
        tape.registerOutput(y)
        y.derivative = 1.0
        tape.computeAdjoints()
        return y.value, np.array([v.derivative for v in inputs])


def rosenbrock(x, threads):
    return lambda: value_and_gradient(objective, x)


def record_mul(data, threads):
    tape = xadj.Tape()

    def call():
        # Nothing is staged: a product is on the tape when it returns. What follows it belongs to the check and costs
        # nothing beside 20,000 products; activating and registering likewise.
        with tape:
            x, y = xadj.Real(data.x), xadj.Real(data.y)
            tape.registerInput(x)
            tape.registerInput(y)
            tape.newRecording()
            z = loop(x, y, data.n)
            tape.registerOutput(z)
            z.derivative = 1.0
            tape.computeAdjoints()
            return z.value, x.derivative, y.derivative

    return call


def record_operations(data, threads):
    tape = xadj.Tape()

    def call():
        with tape:
            x = xadj.Real(operations.START)
            tape.registerInput(x)
            tape.newRecording()
            y = operations.loop(x, data, xad.math)
            tape.registerOutput(y)
            y.derivative = 1.0
            tape.computeAdjoints()
            return y.value, x.derivative

    return call


def break_even(data, threads):
    """Each path recorded anew; the tape is not."""
    if len(data.z) > 1_000:
        return None  # minutes: a path takes some hundred microseconds

    def maximum(x, y):
        return xad.math.max(x, xadj.Real(y))

    def call():
        total = np.zeros(len(data.params))
        for z in data.z.tolist():
            total += value_and_gradient(lambda p, z=z: payoff(p, z, xad.math.exp, xad.math.tanh, maximum), data.params)[
                1
            ]
        return total / len(data.z)

    return call


def cold_start(case, threads):
    source = getsource(objective) + getsource(value_and_gradient)
    return cold.child(
        case, "import xad.adj_1st as xadj", source + "answer = lambda x: value_and_gradient(objective, x)"
    )


WAYS = {
    "rosenbrock": rosenbrock,
    "record_mul": record_mul,
    "record_operations": record_operations,
    "break_even": break_even,
    "cold_start": cold_start,
}
