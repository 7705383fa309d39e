"""A derivative is a sum over paths; a sweep is the same sum, factored.

A chain of stages, each joined to the next by three edges: 3**k paths from one end to the other, but only 7 k
partials. The sum over paths multiplies along each path, a sweep once at each partial (C. Olah, "Calculus on
computational graphs").
"""

from math import prod

from picture import folder, save

import fastad as fad


def chain(x, stages):
    """Each stage is x -> 0.5 x + 0.3 x + 0.1 x: three edges."""
    for _ in range(stages):
        x = (0.5 * x + 0.3 * x) + 0.1 * x
    return x


def sum_over_paths(tape, row):
    """All products of partials from the input to a row, one by one."""
    ways = {0: [[]]}
    for k in range(1, row + 1):
        ways[k] = []
        for arg, partial in ((tape.arg0[k], tape.partial0[k]), (tape.arg1[k], tape.partial1[k])):
            if arg >= 0:
                ways[k] += [[*way, float(partial)] for way in ways[arg]]
    return sum(prod(way) for way in ways[row]), len(ways[row])


def main():
    pictures = folder(__doc__)
    counted, lines = [], []
    for stages in (1, 2, 4, 8, 16, 64):
        tape = fad.Tape()
        y = chain(tape.input(1.0), stages)
        stats = fad.inspect.stats(tape, y)
        sweep = float(tape.reverse(y)[0])
        by_paths = f"{sum_over_paths(tape, y.index)[0]:.6g}" if stages <= 8 else "too many"
        lines.append([str(stages), str(stats.paths), str(stats.multiplications), by_paths, f"{sweep:.6g}"])
        counted.append((stages, stats.paths, stats.multiplications))
    head = ["stages", "paths", "multiplications of a sweep", "dy/dx by paths", "dy/dx by a sweep"]
    print(fad.inspect.Table(head, lines))

    def draw(axes):
        stages, paths, edges = zip(*counted)
        axes.loglog(stages, [float(p) for p in paths], "o-", label="products of a sum over paths")
        axes.loglog(stages, edges, "s-", label="multiplications of a sweep")
        axes.set(xlabel="stages", title="sum over paths against factoring")
        axes.legend()

    if pictures:
        save(pictures / "paths.svg", draw)


if __name__ == "__main__":
    main()
