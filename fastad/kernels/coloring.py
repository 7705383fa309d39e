"""Colourings that let one direction serve many columns, and the elements read off their products.

Patterns are in compressed rows: the columns of row i are ``indices[indptr[i]:indptr[i + 1]]``, ascending. All are
greedy, after Gebremedhin, Manne & Pothen, "What color is your Jacobian?", SIAM Review 2005; acyclic colouring with the
trees of Gebremedhin, Tarafdar, Manne & Pothen, "New acyclic and star coloring algorithms", SIAM J. Sci. Comput. 2007.
"""

from __future__ import annotations

import numpy as np

from ._jit import jit


@jit
def color_columns(indptr, indices, column_ptr, column_rows, order, most):
    """Partial distance-2 colouring: columns of one colour share no row. Returns colours and their number.

    Greedy in the given order; gives up, with the number ``most`` + 1, once it needs more than ``most``.
    """
    n = column_ptr.size - 1
    colors = np.full(n, -1, np.int32)
    forbidden = np.full(most + 2, -1, np.int64)
    count = 0
    for j in order:
        for k in range(column_ptr[j], column_ptr[j + 1]):
            i = column_rows[k]
            for other in range(indptr[i], indptr[i + 1]):
                color = colors[indices[other]]
                if color >= 0:
                    forbidden[color] = j
        color = 0
        while color < count and forbidden[color] == j:
            color += 1
        if color == most:
            return colors, most + 1
        colors[j] = color
        count = max(count, color + 1)
    return colors, count


@jit
def color_star(indptr, indices, order, dense):
    """Star colouring of a symmetric pattern: no path of four vertices has two colours. Returns colours, their number.

    Vertices of more than ``dense`` neighbours, which come first in the order, get colours of their own: no path
    through such a vertex has two colours, so their neighbours need not be visited, and an arrow-head costs O(n).
    """
    n = indptr.size - 1
    colors = np.full(n, -1, np.int32)
    forbidden = np.full(n + 1, -1, np.int64)
    count = own = 0
    for v in order:
        if indptr[v + 1] - indptr[v] > dense:
            colors[v] = count
            count += 1
            own = count
            continue
        for kw in range(indptr[v], indptr[v + 1]):
            w = indices[kw]
            if w == v:
                continue
            if colors[w] >= 0:
                forbidden[colors[w]] = v
                if colors[w] < own:
                    continue
            for kx in range(indptr[w], indptr[w + 1]):
                x = indices[kx]
                if x == v or x == w or colors[x] < 0 or forbidden[colors[x]] == v:
                    continue
                if colors[w] < 0:
                    forbidden[colors[x]] = v
                    continue
                if colors[x] < own:
                    continue
                for ky in range(indptr[x], indptr[x + 1]):
                    y = indices[ky]
                    if y != w and y != x and colors[y] == colors[w]:
                        forbidden[colors[x]] = v
                        break
        color = own
        while color < count and forbidden[color] == v:
            color += 1
        colors[v] = color
        count = max(count, color + 1)
    return colors, count


@jit
def recover_star(indptr, indices, colors, compressed, data):
    """Elements of a symmetric matrix from its products with the sums of the columns of each colour."""
    seen = np.zeros((compressed.shape[1], 2), np.int64)  # row of the last visit, and how often
    for i in range(indptr.size - 1):
        for k in range(indptr[i], indptr[i + 1]):
            color = colors[indices[k]]
            if seen[color, 0] != i + 1:
                seen[color, 0], seen[color, 1] = i + 1, 0
            seen[color, 1] += 1
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            data[k] = compressed[i, colors[j]] if seen[colors[j], 1] == 1 else compressed[j, colors[i]]


@jit
def mirrored(indptr, indices):
    """Position of the mirror image of every element of a symmetric pattern, itself on the diagonal."""
    at = indptr[:-1].copy()
    mirror = np.empty(indices.size, np.int64)
    for i in range(indptr.size - 1):
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            mirror[k] = at[j]  # rows come in order, and so do the elements of row j
            at[j] += 1
    return mirror


@jit
def _root(tree, edge):
    while tree[edge] != edge:
        tree[edge] = tree[tree[edge]]
        edge = tree[edge]
    return edge


@jit
def _edge(k, mirror):
    """Number of an edge: the smaller one of its two positions."""
    return min(k, mirror[k])


@jit
def color_acyclic(indptr, indices, mirror, order, dense):
    """Acyclic colouring of a symmetric pattern: no cycle has two colours. Returns colours and their number.

    The edges between two colours are trees, which are kept as disjoint sets: a vertex that meets one tree in two
    neighbours would close a cycle with the colour of the others. Vertices of more than ``dense`` neighbours, which come
    first in the order, get colours of their own: no cycle through such a vertex has two colours.
    """
    n = indptr.size - 1
    colors = np.full(n, -1, np.int32)
    forbidden = np.full(n + 1, -1, np.int64)
    tree = np.arange(indices.size)
    visitor, entrance = np.full(indices.size, -1, np.int64), np.full(indices.size, -1, np.int64)  # of a tree
    last, through = np.full(n + 1, -1, np.int64), np.full(n + 1, -1, np.int64)  # vertex to see a colour, and its edge
    count = own = 0
    for v in order:
        if indptr[v + 1] - indptr[v] > dense:
            colors[v] = count
            count += 1
            own = count
            continue
        for kw in range(indptr[v], indptr[v + 1]):
            w = indices[kw]
            if w != v and colors[w] >= 0:
                forbidden[colors[w]] = v
        for kw in range(indptr[v], indptr[v + 1]):
            w = indices[kw]
            if w == v or colors[w] < own:
                continue
            for kx in range(indptr[w], indptr[w + 1]):
                x = indices[kx]
                if x == v or x == w or colors[x] < own or forbidden[colors[x]] == v:
                    continue
                root = _root(tree, _edge(kx, mirror))
                if visitor[root] != v:
                    visitor[root], entrance[root] = v, w
                elif entrance[root] != w:
                    forbidden[colors[x]] = v
        color = own
        while color < count and forbidden[color] == v:
            color += 1
        colors[v] = color
        count = max(count, color + 1)
        for kw in range(indptr[v], indptr[v + 1]):
            w = indices[kw]
            if w == v or colors[w] < own:
                continue
            edge = _edge(kw, mirror)
            if last[colors[w]] != v:
                last[colors[w]], through[colors[w]] = v, edge
            else:
                tree[_root(tree, edge)] = _root(tree, through[colors[w]])
            for kx in range(indptr[w], indptr[w + 1]):
                x = indices[kx]
                if x != v and colors[x] == color:
                    tree[_root(tree, _edge(kx, mirror))] = _root(tree, edge)
    return colors, count


@jit
def recover_acyclic(indptr, indices, mirror, colors, compressed, data):
    """Elements of a symmetric matrix by substitution; NaN where the colouring is not acyclic. Spoils ``compressed``.

    Row i of the product says what the elements of row i in columns of one colour add up to. Where one of them is not
    known yet, it becomes known, and so does its mirror image: a leaf of a tree is cut off.
    """
    n, count = compressed.shape
    left, which = np.zeros((n, count), np.int32), np.zeros((n, count), np.int64)  # unknowns; exclusive or of them
    for i in range(n):
        for k in range(indptr[i], indptr[i + 1]):
            color = colors[indices[k]]
            left[i, color] += 1
            which[i, color] ^= k
    work = np.empty(n * count, np.int64)
    size = 0
    for i in range(n):
        for color in range(count):
            if left[i, color] == 1:
                work[size] = i * count + color
                size += 1
    data[:] = np.nan
    while size:
        size -= 1
        i, color = work[size] // count, work[size] % count
        if left[i, color] != 1:
            continue
        k = which[i, color]
        j, other = indices[k], mirror[k]
        data[k] = data[other] = compressed[i, color]
        left[i, color] = 0
        if j == i:
            continue
        back = colors[i]
        left[j, back] -= 1
        which[j, back] ^= other
        compressed[j, back] -= data[k]
        if left[j, back] == 1:
            work[size] = j * count + back
            size += 1
