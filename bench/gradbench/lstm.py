"""Long short-term memory with diagonal weights, predicting the next character: one compiled loop that records.

The initial state is recorded as an input too, so that the loop has actives from the first step on.
"""

import numpy as np
from numba import njit

import fastad as fad


@njit
def layer(weights, biases, hidden, cell, x):
    """One step of one layer: updates its state, and returns its output."""
    size = len(x)
    for i in range(size):
        forget = fad.expit(x[i] * weights[i] + biases[i])
        ingate = fad.expit(hidden[i] * weights[size + i] + biases[size + i])
        outgate = fad.expit(x[i] * weights[2 * size + i] + biases[2 * size + i])
        change = fad.tanh(hidden[i] * weights[3 * size + i] + biases[3 * size + i])
        cell[i] = cell[i] * forget + ingate * change
        hidden[i] = outgate * fad.tanh(cell[i])
    return hidden


@njit
def log_likelihood(output, gold):
    """Of the next character; the eval adds 2 to the sum of exponentials."""
    total, size = fad.exp(output[0]) + 2.0, len(output)
    for i in range(1, size):
        total += fad.exp(output[i])
    normalisation = fad.log(total)
    result = gold[0] * (output[0] - normalisation)
    for i in range(1, size):
        result += gold[i] * (output[i] - normalisation)
    return result


@njit
def loss(main, extra, state, sequence):
    """Mean over characters and bits: main has weights and biases of each layer, extra those of input and output."""
    layers, size = len(main) // 2, extra.shape[1]
    hidden = [list(state[2 * k]) for k in range(layers)]
    cell = [list(state[2 * k + 1]) for k in range(layers)]
    total = 0.0 * extra[0, 0]
    for t in range(len(sequence) - 1):
        x = [sequence[t, i] * extra[0, i] for i in range(size)]
        for k in range(layers):
            x = layer(main[2 * k], main[2 * k + 1], hidden[k], cell[k], x)
        output = [x[i] * extra[1, i] + extra[2, i] for i in range(size)]
        total += log_likelihood(output, sequence[t + 1])
    return -total / ((len(sequence) - 1) * size)


def prepared(data):
    return [np.array(data[name], float) for name in ("main_params", "extra_params", "state", "sequence")]


def objective(data, threads):
    args = prepared(data)
    return lambda: loss(*args)


def jacobian(data, threads):
    *inputs, sequence = prepared(data)
    tape = fad.Tape()  # kept from run to run: to touch new memory would cost more than the derivative
    main, extra, state = (tape.inputs(array) for array in inputs)
    start = tape.mark()

    def call():
        tape.rewind(start)
        by_main, by_extra = tape.reverse(loss(main, extra, state, sequence), wrt=(main, extra))
        return np.concatenate([by_main.ravel(), by_extra.ravel()])

    return call
