"""Operations on long arrays, forward and reverse, without rows: the row kernels run along the elements.

Same numbers to the last bit as rows recorded one by one and swept: the row kernels are the same, and contributions to
an adjoint are added in the same order, last element first.
"""

from __future__ import annotations

import numpy as np

from ._call import call
from ._jit import jit
from ._simd import WIDTH, address, fma

_PART = 512  # elements at a time: their partials stay in the cache
_MOST_SCATTERED = 8192  # rows of a run whose operands are looked up: these stay in the cache, too


@jit
def evaluate(values, op, x, y, start, column, out, index):
    """Values of an operation, to rows from ``start`` of the column and to ``out``, and the rows to ``index``.

    Operands of one element belong to every element of the other. An empty ``index`` asks for the column alone, of which
    ``out`` is then the part. ``values`` is ``row_calls.values`` of the operation.
    """
    x_step = WIDTH if x.size > 1 else 0
    y_step = WIDTH if y.size > 1 else 0
    vectors = np.empty((3, WIDTH))
    single_x, single_y, last = vectors[0], vectors[1], vectors[2]
    single_x[:], single_y[:] = x[0], y[0]
    whole = out.size // WIDTH * WIDTH
    for begin in range(0, whole, _PART):  # copied while it is in the cache: long arrays take as long as memory does
        end = min(begin + _PART, whole)
        a = address(x) + 8 * begin if x_step else address(single_x)
        b = address(y) + 8 * begin if y_step else address(single_y)
        to = address(column) + 8 * (start + begin)
        call(values, (op, a, x_step, b, y_step, to, (end - begin) // WIDTH))
        if index.size:
            out[begin:end] = column[start + begin : start + end]
    if whole < out.size:
        for k in range(out.size - whole):
            single_x[k] = x[whole + k] if x_step else x[0]
            single_y[k] = y[whole + k] if y_step else y[0]
        call(values, (op, address(single_x), WIDTH, address(single_y), WIDTH, address(last), 1))
        for k in range(out.size - whole):
            column[start + whole + k] = out[whole + k] = last[k]
    for k in range(index.size):
        index[k] = start + k


@jit
def reverse(adjoints, op, x, y, v, x_rows, y_rows, x_first, y_first, x_fresh, y_fresh, together, bar, adjoint):
    """Add the adjoints of the operands of an operation on arrays.

    Parameters
    ----------
    adjoints : int
        ``row_calls.adjoints`` of the operation.
    op : int
    x, y, v : ndarray
        Operands and values; operands of one element belong to every element.
    x_rows, y_rows : int32 array
        Rows of the operands, one per element, or one for all; empty where they are passive or consecutive.
    x_first, y_first : int
        First of consecutive rows, -1 where they are not.
    x_fresh, y_fresh : bool
        Whether the adjoints of these consecutive rows are to be written, whatever stands there.
    together : bool
        Add to both adjoints element by element: they may be the same in any order. Needs the rows, one per element.
    bar : ndarray
        Adjoints of the results.
    adjoint : ndarray, shape (rows + 1,)
    """
    whole = v.size // WIDTH * WIDTH
    part = min(_PART, (v.size + WIDTH - 1) // WIDTH * WIDTH)
    work = np.empty(4 * WIDTH + 3 * part)  # one piece of memory: an array of its own for each takes 40 ns
    a, b, c = work[:WIDTH], work[WIDTH : 2 * WIDTH], work[2 * WIDTH : 3 * WIDTH]
    zeros, ones = work[3 * WIDTH : 4 * WIDTH], work[4 * WIDTH : 4 * WIDTH + part]
    partial, partial_y = work[4 * WIDTH + part : 4 * WIDTH + 2 * part], work[4 * WIDTH + 2 * part :]
    zeros[:] = 0.0
    ones[:] = 1.0
    x_step = WIDTH if x.size > 1 else 0
    y_step = WIDTH if y.size > 1 else 0
    # Consecutive operands may overlap. A row is both x of one element and y of another then; the later comes first.
    y_leads = np.int64(0 <= y_first < x_first)
    end = v.size
    while end > 0:
        begin = whole if end > whole else (end - 1) // _PART * _PART
        fills = begin < whole  # its vectors
        if not (fills and x_step):
            _fill(a, x, begin, end)
        if not (fills and y_step):
            _fill(b, y, begin, end)
        if not fills:
            _fill(c, v, begin, end)
        from_x = address(x) + 8 * begin if fills and x_step else address(a)
        from_y = address(y) + 8 * begin if fills and y_step else address(b)
        from_v = address(v) + 8 * begin if fills else address(c)
        vectors_here = (end - begin + WIDTH - 1) // WIDTH
        if together:
            row = (
                op, from_x, x_step, from_y, y_step, from_v, address(ones), address(partial), address(zeros), 0,
                address(partial_y), address(zeros), 0, vectors_here,
            )  # fmt: skip
            call(adjoints, row)
            _scatter_both(partial, partial_y, begin, end, x_rows, y_rows, bar, adjoint)
            end = begin
            continue
        for turn in range(2):
            side = turn ^ y_leads
            rows, first, fresh = (x_rows, x_first, x_fresh) if side == 0 else (y_rows, y_first, y_fresh)
            if first < 0 and rows.size == 0:
                continue
            straight = fills and first >= 0  # into the adjoints themselves
            to = address(adjoint) + 8 * (first + 1 + begin) if straight else address(partial)
            reads = straight and not fresh
            base = to if reads else address(zeros)
            base_step = WIDTH if reads else 0
            row = (
                op, from_x, x_step, from_y, y_step, from_v, address(bar) + 8 * begin if straight else address(ones),
                to if side == 0 else 0, base, base_step, to if side == 1 else 0, base, base_step, vectors_here,
            )  # fmt: skip
            call(adjoints, row)
            if not straight:
                if fresh:
                    adjoint[first + 1 + begin : first + 1 + end] = 0.0
                _scatter(partial, begin, end, rows, first, bar, adjoint)
        end = begin


@jit
def _fill(vector, source, begin, end):
    """One vector of an operand from an element on, the last one repeated; or of its one element."""
    for k in range(WIDTH):
        vector[k] = source[min(begin + k, end - 1) if source.size > 1 else 0]


@jit
def _scatter(partial, begin, end, rows, first, bar, adjoint):
    """Add adjoints times partials to those of the operands, last element first."""
    if first >= 0:
        for k in range(begin, end):
            at = np.uint64(first + k + 1)
            adjoint[at] = fma(bar[k], partial[k - begin], adjoint[at])
        return
    for k in range(end - 1, begin - 1, -1):
        at = np.uint64(rows[k if rows.size > 1 else 0] + 1)
        adjoint[at] = fma(bar[k], partial[k - begin], adjoint[at])


@jit
def choose(arg0, arg1, passive0, passive1, start, stop, value):
    """Values of COND and WHERE rows in turn."""
    for row in range(start, stop, 2):
        c, a, b = value[np.uint64(arg0[row])], arg0[row + 1], arg1[row + 1]
        x = value[np.uint64(a)] if a >= 0 else passive0[row + 1]
        y = value[np.uint64(b)] if b >= 0 else passive1[row + 1]
        value[row], value[row + 1] = c, (x if c != 0.0 else y)


@jit
def reverse_choose(arg0, arg1, start, stop, value, adjoint):
    """Add the adjoints of the operands of WHERE rows, last first."""
    for row in range(stop - 2, start - 1, -2):
        bar, chosen = adjoint[row + 2], 1.0 if value[row] != 0.0 else 0.0
        a, b = np.uint64(arg0[row + 1] + 1), np.uint64(arg1[row + 1] + 1)
        adjoint[a] = fma(bar, chosen, adjoint[a])
        adjoint[b] = fma(bar, 1.0 - chosen, adjoint[b])


@jit
def _scatter_both(x_partial, y_partial, begin, end, x_rows, y_rows, bar, adjoint):
    """The same for both operands, that of x first."""
    for k in range(end - 1, begin - 1, -1):
        at = np.uint64(x_rows[k] + 1)
        adjoint[at] = fma(bar[k], x_partial[k - begin], adjoint[at])
        at = np.uint64(y_rows[k] + 1)
        adjoint[at] = fma(bar[k], y_partial[k - begin], adjoint[at])


@jit
def sums(x, out):
    """Sums of the rows of a matrix, each in order."""
    for i in range(x.shape[0]):
        out[i] = total(x[i, 0], x[i, 1:])


@jit
def total(x, y):
    """Sum of x, y[0], y[1], ..., in order."""
    for k in range(y.size):
        x = x + y[k]
    return x


@jit
def reverse_sums(rows, first, count, fresh, bar, adjoint):
    """Add the adjoints of sums of ``count`` elements each to those of the elements, last first.

    Adjoints of consecutive rows are written where they are ``fresh``, whatever stands there.
    """
    if first >= 0:
        for i in range(bar.size):
            part = adjoint[first + 1 + i * count : first + 1 + (i + 1) * count]
            if fresh:
                part[:] = bar[i] + 0.0  # as adding to zero does: no -0.0
            else:
                part += bar[i]
        return
    for i in range(bar.size - 1, -1, -1):
        for k in range(count - 1, -1, -1):
            to = np.uint64(rows[i * count + k] + 1)
            adjoint[to] = adjoint[to] + bar[i]


@jit
def chain(x, y, out):
    """Partial sums of x[0], y[0], y[1], ..., in order; a y of one element is added again and again."""
    total = x[0]
    for k in range(out.size):
        total = total + y[k if y.size > 1 else 0]
        out[k] = total


@jit
def reverse_chain(x_row, y_rows, y_first, start, stop, adjoint):
    """Add the adjoints of partial sums, rows ``start`` to ``stop - 1``, to those of what is summed, last first."""
    bar = adjoint[stop]
    for k in range(stop - start - 1, -1, -1):
        if k == 0 and x_row >= 0:
            adjoint[np.uint64(x_row + 1)] += bar
        if y_first >= 0:
            adjoint[np.uint64(y_first + k + 1)] += bar
        elif y_rows.size:
            adjoint[np.uint64(y_rows[k if y_rows.size > 1 else 0] + 1)] += bar
        if k > 0:
            bar = adjoint[np.uint64(start + k)] + bar


ONE, NEXT, ANY = (np.int64(mode) for mode in range(3))  # where operands of a run are: one row, each in turn, any


@jit
def find_runs(opcode, arg0, arg1, passive0, passive1, allowed, add, cond, where, shortest, out):
    """Rows that are one operation on rows recorded before; chains of additions; pairs of COND and WHERE rows.

    Fills ``out`` with stretches of ``shortest`` and more rows, whose operands are consecutive where that makes so many,
    and returns their number. A stretch is its first row, the row behind the last, the opcode of the last (less than
    zero for a chain), and for x and y where they are, as `_operand` says. Passive numbers are given as their bits.
    """
    count, start = 0, 0
    while start < opcode.size:
        what = np.int64(opcode[start])
        stop = start + 1
        if what == cond:
            stop = _pairs(opcode, arg0, arg1, cond, where, start)
            what = where
        elif allowed[what]:
            if what == add and stop < opcode.size and opcode[stop] == add and arg0[stop] == start:
                stop = _chain(opcode, arg0, arg1, start, shortest)
                what = np.int64(-1)
            else:
                stop = _consecutive(opcode, arg0, arg1, start)
                if stop - start < shortest:
                    stop = _scattered(opcode, arg0, arg1, start, shortest)
        if stop - start >= shortest:
            out[count, 0], out[count, 1], out[count, 2] = start, stop, what
            if what == where:
                out[count, 3], out[count, 4], out[count, 5] = _hull(arg0, start + 1, stop, 2)
                out[count, 6], out[count, 7], out[count, 8] = _hull(arg1, start + 1, stop, 2)
            else:
                x_stop = stop if what >= 0 else start + 1
                out[count, 3], out[count, 4], out[count, 5] = _operand(arg0, passive0, start, x_stop)
                out[count, 6], out[count, 7], out[count, 8] = _operand(arg1, passive1, start, stop)
            count += 1
        start = max(stop, start + 1)
    return count


@jit
def _operand(arg, passive, start, stop):
    """First row and number of rows that an operand is among, and how it goes through them; (-1, 0) if it is passive."""
    same, next_one = True, True
    for row in range(start + 1, stop):
        same &= arg[row] == arg[start]
        next_one &= arg[row] - arg[start] == row - start
    if arg[start] >= 0:
        if same:
            return np.int64(arg[start]), 1, ONE
        return (np.int64(arg[start]), stop - start, NEXT) if next_one else _hull(arg, start, stop, 1)
    for row in range(start + 1, stop):
        same &= passive[row] == passive[start]
    return np.int64(-1), 0, (ONE if same else NEXT)


@jit
def _hull(arg, start, stop, step):
    low, high = np.int64(2**31), np.int64(-1)
    for row in range(start, stop, step):
        if arg[row] >= 0:
            low, high = min(low, arg[row]), max(high, arg[row])
    return (low, high - low + 1, ANY) if high >= 0 else (np.int64(-1), 0, ONE)


@jit
def _consecutive(opcode, arg0, arg1, start):
    """End of the rows from ``start`` on whose operands are the next ones, or the same, each time."""
    stop = start + 1
    while stop < opcode.size and opcode[stop] == opcode[start]:
        if not _follows(arg0, start, stop) or not _follows(arg1, start, stop):
            break
        stop += 1
    return stop


@jit
def _chain(opcode, arg0, arg1, start, shortest):
    """End of the rows from ``start`` on that add to the sum before them, consecutive rows where they are many."""
    stop, consecutive = start + 1, True
    while stop < opcode.size and opcode[stop] == opcode[start] and arg0[stop] == stop - 1:
        if consecutive and not _follows(arg1, start, stop):
            if stop - start >= shortest:
                break
            consecutive = False
        if not _is_alike(arg1, start, stop):
            break
        stop += 1
    return stop


@jit
def _scattered(opcode, arg0, arg1, start, shortest):
    """End of the rows from ``start`` on that do not depend on each other, before ``shortest`` consecutive ones."""
    stop, streak = start + 1, start
    while stop < opcode.size and opcode[stop] == opcode[start] and stop - start < _MOST_SCATTERED:
        if not _is_alike(arg0, start, stop) or not _is_alike(arg1, start, stop):
            break
        if not (_follows(arg0, streak, stop) and _follows(arg1, streak, stop)):
            streak = stop - 1 if _follows(arg0, stop - 1, stop) and _follows(arg1, stop - 1, stop) else stop
        stop += 1
        if stop - streak >= shortest:
            return streak
    return stop


@jit
def _pairs(opcode, arg0, arg1, cond, where, start):
    """End of the COND and WHERE rows from ``start`` on that do not depend on each other."""
    stop = start
    while stop + 1 < opcode.size and opcode[stop] == cond and opcode[stop + 1] == where:
        if arg0[stop] >= start or arg0[stop + 1] >= start or arg1[stop + 1] >= start:
            break
        stop += 2
    return stop


@jit
def _is_alike(arg, start, row):
    """Whether an operand is active if that of ``start`` is, and no row from there on."""
    return arg[row] < start and (arg[row] < 0) == (arg[start] < 0)


@jit
def _follows(arg, start, row):
    """Whether the operand of a row is that of the row before, or the next one, as from ``start`` on."""
    step = arg[row] - arg[row - 1]
    if arg[start] < 0 and step != 0:
        return False
    return (step == 0 or step == 1) and step == arg[start + 1] - arg[start] and arg[row] < start


@jit
def extent(index):
    """Lowest and highest row, and whether they are consecutive."""
    first, last = index[0], index[index.size - 1]
    if last - first == index.size - 1:
        differs = np.int32(0)
        for k in range(index.size):  # no way out on the first difference, and so eight at a time
            differs |= index[k] ^ np.int32(first + k)
        if differs == 0:
            return first, last, True
    low, high = first, first
    for k in range(1, index.size):
        low, high = min(low, index[k]), max(high, index[k])
    return low, high, False


def highest(rows):
    """Highest of some rows, -1 if there are none; ``rows.max()`` takes five times as long where there are few."""
    return int(extent(rows.ravel())[1]) if rows.size else -1
