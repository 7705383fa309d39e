"""Forward and reverse mode side by side: the traces of f(x1, x2) = ln x1 + x1 x2 - sin x2 at (2, 5).

Tables 2 and 3 of Baydin, Pearlmutter, Radul & Siskind, "Automatic differentiation in machine learning: a survey"
(arXiv 1502.05767). A tangent v' is the derivative of a row by the input; an adjoint ~v that of the output by a row.
"""

from picture import folder

import fastad as fad


def record():
    tape = fad.Tape(lines=True)
    x1, x2 = tape.input(2.0, "x1"), tape.input(5.0, "x2")
    v1 = fad.log(x1)
    v2 = x1 * x2
    v3 = fad.sin(x2)
    v4 = v1 + v2
    y = v4 - v3
    return tape, y


def main():
    pictures = folder(__doc__)
    tape, y = record()
    trace = fad.inspect.trace(tape, y, direction=[1.0, 0.0])
    print(trace, trace.forward, trace.reverse, sep="\n\n")
    print("\none forward sweep gave dy/dx1 alone; one reverse sweep gave both:", tape.reverse(y))
    if pictures:
        fad.inspect.graph(tape, y, direction=[1.0, 0.0]).save(pictures / "traces.svg")


if __name__ == "__main__":
    main()
