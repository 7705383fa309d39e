"""The square of a number and its derivative."""

import fastad as fad


def f(x):
    return x * x


def square(x, threads):
    return lambda: f(x)


def double(x, threads):
    derivative = fad.grad(f)
    return lambda: derivative(x)
