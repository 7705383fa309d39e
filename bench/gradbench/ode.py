"""Runge-Kutta steps of y_0' = x_0, y_i' = x_i y_(i-1): reversed step by step, from stored states."""

from functools import cache

import numpy as np

import fastad as fad

END = 2.0


def slope(x, y):
    z = fad.zeros(len(x), like=x)
    z[0] = x[0]
    z[1:] = x[1:] * y[:-1]
    return z


def step(x, y, h):
    k1 = slope(x, y)
    k2 = slope(x, y + (0.5 * h) * k1)
    k3 = slope(x, y + (0.5 * h) * k2)
    k4 = slope(x, y + h * k3)
    return y + (h / 6.0) * (k1 + 2.0 * (k2 + k3) + k4)


def states(x, steps):
    """The state before each step, and the last one."""
    y = [np.zeros(len(x))]
    for _ in range(steps):
        y.append(step(x, y[-1], END / steps))
    return y


def primal(data, threads):
    x = np.array(data["x"], float)
    return lambda: states(x, data["s"])[-1]


def gradient(data, threads):
    x, steps = np.array(data["x"], float), data["s"]
    program = cache(lambda: fad.record(lambda x, y: step(x, y, END / steps), x, np.zeros(len(x))))

    def call():
        x_bar, y_bar = np.zeros(len(x)), np.zeros(len(x))
        y_bar[-1] = 1.0
        for y in reversed(states(x, steps)[:-1]):
            _, (more, y_bar) = program().vjp((x, y), y_bar)
            x_bar += more
        return x_bar

    return call
