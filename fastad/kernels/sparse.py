"""Sparsity: which inputs a row depends on.

Patterns are in compressed rows: the columns of row i are ``indices[indptr[i]:indptr[i + 1]]``, ascending.
"""

from __future__ import annotations

import numpy as np

from ._jit import jit
from ._simd import fma
from .derivative_rows import _HAS_PARTIAL
from .sweeps import masked_fma

# Sets of more elements are not kept per row, but collected from the rows below when an output needs them: a sum of n
# terms would otherwise keep n sets of up to n elements.
_LARGEST = 32
_LARGE = -1  # in place of the length of such a set


@jit
def _united(pool, used, starts, lengths, row, other):
    """Unite the set of a row with that of another one; returns the pool, longer where needed, and its use."""
    a, n, b, m = starts[row], lengths[row], starts[other], lengths[other]
    if n == _LARGE or m == 0 or (a == b and n == m):
        return pool, used
    if n == 0 or m == _LARGE:
        starts[row], lengths[row] = b, m
        return pool, used
    if used + n + m > pool.size:
        longer = np.empty(2 * (used + n + m), pool.dtype)
        longer[:used] = pool[:used]
        pool = longer
    i, j, count = 0, 0, 0
    while i < n or j < m:
        if j == m or (i < n and pool[a + i] <= pool[b + j]):
            if j < m and pool[a + i] == pool[b + j]:
                j += 1
            pool[used + count] = pool[a + i]
            i += 1
        else:
            pool[used + count] = pool[b + j]
            j += 1
        count += 1
    if count > _LARGEST:
        lengths[row] = _LARGE
    elif count == m:
        starts[row], lengths[row] = b, m
    elif count > n:
        starts[row], lengths[row] = used, count
        used += count
    return pool, used


@jit
def index_sets(opcode, arg0, arg1, tables, column, needed):
    """Sets of inputs that each needed row depends on, as starts and lengths in a pool; shared where they are equal.

    ``column`` numbers the rows to differentiate by, -1 elsewhere. ``tables`` as in `derivative_rows.mark_active`.
    """
    first, elements, used_table = tables
    starts, lengths = np.zeros(opcode.size, np.int64), np.zeros(opcode.size, np.int64)
    pool = np.empty(opcode.size + 16, np.int32)
    used = 0
    for row in range(opcode.size):
        if not needed[row]:
            continue
        if column[row] >= 0:
            if used == pool.size:
                longer = np.empty(2 * used, pool.dtype)
                longer[:used] = pool
                pool = longer
            pool[used] = column[row]
            starts[row], lengths[row] = used, 1
            used += 1
            continue
        op = opcode[row]
        if used_table.size and used_table[row] >= 0:
            for k in range(first[used_table[row]], first[used_table[row] + 1]):
                if elements[k] >= 0:
                    pool, used = _united(pool, used, starts, lengths, row, elements[k])
            continue
        if arg0[row] >= 0 and _HAS_PARTIAL[op, 0]:
            pool, used = _united(pool, used, starts, lengths, row, arg0[row])
        if arg1[row] >= 0 and _HAS_PARTIAL[op, 1]:
            pool, used = _united(pool, used, starts, lengths, row, arg1[row])
    return starts, lengths, pool


@jit
def mark_needed(opcode, arg0, arg1, tables, needed):
    """Spread ``needed`` from the rows marked on entry along operands with a partial."""
    first, elements, used_table = tables
    for row in range(opcode.size - 1, -1, -1):
        if not needed[row]:
            continue
        op = opcode[row]
        if arg0[row] >= 0 and _HAS_PARTIAL[op, 0]:
            needed[arg0[row]] = True
        if arg1[row] >= 0 and _HAS_PARTIAL[op, 1]:
            needed[arg1[row]] = True
        if used_table.size and used_table[row] >= 0:
            for k in range(first[used_table[row]], first[used_table[row] + 1]):
                if elements[k] >= 0:
                    needed[elements[k]] = True


@jit
def gathered(rows, opcode, arg0, arg1, tables, n_columns, starts, lengths, pool):
    """Index sets of some rows, -1 for an empty one, as a pattern (indptr, indices)."""
    indptr = np.zeros(rows.size + 1, np.int64)
    indices = np.empty(max(rows.size, 16), np.int32)
    visited, seen = np.full(opcode.size, -1, np.int32), np.full(n_columns, -1, np.int32)
    found, stack = np.empty(n_columns, np.int32), np.empty(16, np.int32)
    for i in range(rows.size):
        count = 0
        if rows[i] >= 0:
            stack[0] = rows[i]
            depth = 1
            while depth:
                depth -= 1
                row = stack[depth]
                if lengths[row] != _LARGE:
                    for k in range(starts[row], starts[row] + lengths[row]):
                        if seen[pool[k]] != i:
                            seen[pool[k]] = i
                            found[count] = pool[k]
                            count += 1
                    continue
                stack, depth = _below(row, i, opcode, arg0, arg1, tables, visited, stack, depth)
        indptr[i + 1] = indptr[i] + count
        if indptr[i + 1] > indices.size:
            longer = np.empty(2 * indptr[i + 1], indices.dtype)
            longer[: indptr[i]] = indices[: indptr[i]]
            indices = longer
        indices[indptr[i] : indptr[i + 1]] = np.sort(found[:count])
    return indptr, indices[: indptr[-1]].copy()


@jit
def _below(row, stamp, opcode, arg0, arg1, tables, visited, stack, depth):
    """Push the rows that a row is computed from and that have not been met; returns the stack and its depth."""
    first, elements, used_table = tables
    op = opcode[row]
    in_table = used_table.size > 0 and used_table[row] >= 0
    begin, end = (first[used_table[row]], first[used_table[row] + 1]) if in_table else (0, 2)
    if depth + end - begin > stack.size:
        longer = np.empty(2 * (depth + end - begin), stack.dtype)
        longer[:depth] = stack[:depth]
        stack = longer
    for k in range(begin, end):
        below = elements[k] if in_table else (arg0[row] if k == 0 else arg1[row])
        if below >= 0 and visited[below] != stamp and (in_table or _HAS_PARTIAL[op, k]):
            visited[below] = stamp
            stack[depth] = below
            depth += 1
    return stack, depth


@jit
def transposed(indptr, indices, n_columns):
    """Return the pattern of the transpose."""
    counts = np.zeros(n_columns + 1, np.int64)
    for j in indices:
        counts[j + 1] += 1
    out_ptr = np.cumsum(counts)
    at = out_ptr[:-1].copy()
    out = np.empty(indices.size, np.int32)
    for i in range(indptr.size - 1):
        for k in range(indptr[i], indptr[i + 1]):
            out[at[indices[k]]] = i
            at[indices[k]] += 1
    return out_ptr, out


@jit
def count_elements(needed, column, starts, lengths):
    """Rows that an element-by-element sweep computes, and elements in all; -1 where a set was not kept."""
    rows, elements = 0, np.int64(0)
    for row in range(needed.size):
        if needed[row] and lengths[row] == _LARGE:
            return 0, np.int64(-1)
        if needed[row] and lengths[row] > 0:
            rows += column[row] < 0
            elements += lengths[row]
    return rows, elements


@jit
def place_elements(opcode, arg0, arg1, column, needed, starts, lengths, pool, rows, begins, ends, first, second, where):
    """Number the elements of all needed rows from 1, and find each in the sets of its row's operands.

    Fills, for the rows to compute, ``rows`` and where their elements begin and end; for every element ``first`` and
    ``second``, the numbers of the operands' elements of the same column, 0 where there is none; and ``where``, the
    first element of every row.
    """
    at, count = 1, 0
    for row in range(opcode.size):
        if not needed[row] or lengths[row] == 0:
            continue
        where[row] = at
        if column[row] >= 0:
            first[at] = second[at] = 0
            at += 1
            continue
        for which in range(2):
            arg, found = (arg0[row], first) if which == 0 else (arg1[row], second)
            has = arg >= 0 and _HAS_PARTIAL[opcode[row], which]
            k, stop = (starts[arg], starts[arg] + lengths[arg]) if has else (0, 0)
            begin = k
            for j in range(lengths[row]):
                own = pool[starts[row] + j]
                while k < stop and pool[k] < own:
                    k += 1
                found[at + j] = where[arg] + k - begin if k < stop and pool[k] == own else 0
        rows[count], begins[count], ends[count] = row, at, at + lengths[row]
        at += lengths[row]
        count += 1


@jit
def sweep_elements(rows, begins, ends, first, second, partial0, partial1, masked, elements):
    """Derivatives of rows by the inputs that they depend on; ``elements`` holds 0 and those of the inputs on entry."""
    for i in range(rows.size):
        x, y = partial0[rows[i]], partial1[rows[i]]
        if masked:
            for k in range(begins[i], ends[i]):
                elements[k] = masked_fma(elements[second[k]], y, masked_fma(elements[first[k]], x, 0.0))
        else:
            for k in range(begins[i], ends[i]):
                elements[k] = fma(elements[second[k]], y, elements[first[k]] * x)
