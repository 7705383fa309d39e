"""Determinant by expansion along rows: all minors of one size are scenarios of one recording."""

from functools import cache
from itertools import permutations

import numpy as np

import fastad as fad

LARGEST = 7  # side of a minor that is recorded: 20,000 rows


def by_minors(rows, columns):
    """Determinant of these columns of the rows, expanded along the first one."""
    first, below = rows[0], rows[1:]
    if not below:
        return first[columns[0]]
    total = 0.0
    for place, column in enumerate(columns):
        term = first[column] * by_minors(below, columns[:place] + columns[place + 1 :])
        total = total + term if place % 2 == 0 else total - term
    return total


def term(factors, minor):
    """Elements of the rows above with the sign of their order, times a minor of the rows below."""
    rows = [list(row) for row in minor]
    total = by_minors(rows, tuple(range(len(rows))))
    for factor in factors:
        total = total * factor
    return total


class Expansion:
    """Expansion along the rows above the last ``LARGEST``: columns chosen there, in order, and those left over."""

    def __init__(self, n):
        self.above = max(n - LARGEST, 0)
        chosen = list(permutations(range(n), self.above))
        self.left = np.array([[c for c in range(n) if c not in head] for head in chosen])
        self.chosen = np.array(chosen, int).reshape(len(chosen), self.above)
        # Removing column c from those still there costs a sign for each column before it that is.
        before = [sum(c - sum(d < c for d in head[:i]) for i, c in enumerate(head)) for head in chosen]
        self.signs = np.where(np.array(before) % 2, -1.0, 1.0)
        self.program = cache(lambda factors, side: fad.record(term, np.ones(factors), np.eye(side) + 1.0))

    def batch(self, a, wrt, threads):
        factors = a[np.arange(self.above), self.chosen]
        minors = a[self.above :, self.left].transpose(1, 0, 2)
        program = self.program(self.above, minors.shape[1])
        return program.batch(factors, minors, axes=0, wrt=wrt, threads=threads)

    def value(self, a, threads):
        return float(self.signs @ self.batch(a, None, threads).value)

    def gradient(self, a, threads):
        by_factors, by_minors = self.batch(a, (0, 1), threads).gradient
        a_bar = np.zeros_like(a)
        np.add.at(a_bar, (np.arange(self.above), self.chosen), self.signs[:, None] * by_factors)
        below = np.arange(self.above, len(a))[:, None]
        np.add.at(a_bar, (below, self.left[:, None, :]), self.signs[:, None, None] * by_minors)
        return a_bar.ravel()


def prepared(data):
    a = np.array(data["A"], float).reshape(data["ell"], data["ell"])
    return a, Expansion(len(a))


def primal(data, threads):
    a, expansion = prepared(data)
    return lambda: expansion.value(a, threads)


def gradient(data, threads):
    a, expansion = prepared(data)
    return lambda: expansion.gradient(a, threads)
