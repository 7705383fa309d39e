"""``np.einsum`` of active arrays: one pair of operands after the other, each a product of matrices."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

from .contraction import contract
from .numpy_shape import moved
from .numpy_ufuncs import lifted, lowered


def einsum(*operands: Any, optimize: Any = False) -> Any:
    """Sum products of elements over labelled axes, as ``np.einsum`` does, from left to right.

    Parameters
    ----------
    *operands
        Subscripts and arrays, or arrays and lists of labels in turn.
    optimize
        Accepted as in NumPy, and not used.
    """
    subscripts, arrays = _split(operands)
    labels, output = _labels(subscripts, arrays)
    sizes = _sizes(labels, arrays)
    label, result = _prepared(labels[0], arrays[0], sizes, _needed(labels[1:], output))
    for n in range(1, len(arrays)):
        needed = _needed(labels[n + 1 :], output)
        second, array = _prepared(labels[n], arrays[n], sizes, label + needed)
        first, left = _prepared(label, result, sizes, second + needed)
        label, result = _pair(first, left, second, array, needed, sizes)
    return lowered(np.transpose(result, [label.index(name) for name in output]))


def _split(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), [lifted(x) for x in operands[1:]]
    pairs = len(operands) // 2
    texts = [_text(labels) for labels in operands[1 : 2 * pairs : 2]]
    output = "->" + _text(operands[-1]) if len(operands) % 2 else ""
    return ",".join(texts) + output, [lifted(x) for x in operands[0 : 2 * pairs : 2]]


def _text(labels: Any) -> str:
    return "".join("..." if label is Ellipsis else string.ascii_letters[label] for label in labels)


def _labels(subscripts: str, arrays: list[Any]) -> tuple[list[str], str]:
    """Labels of every operand and of the result, with names instead of an ellipsis."""
    inputs, arrow, output = subscripts.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(arrays):
        raise ValueError(f"np.einsum: {len(terms)} terms in {subscripts!r} for {len(arrays)} operands")
    spare = [name for name in string.ascii_letters if name not in subscripts]
    hidden = [array.ndim - len(term.replace("...", "")) for term, array in zip(terms, arrays)]
    for term, array, count in zip(terms, arrays, hidden):
        if count < 0 or (count and "..." not in term):
            raise ValueError(f"np.einsum: {term!r} for an operand with {array.ndim} axes")
    most = max([count for term, count in zip(terms, hidden) if "..." in term], default=0)
    names = "".join(spare[:most])
    labels = [term.replace("...", names[most - count :]) for term, count in zip(terms, hidden)]
    if arrow:
        return labels, output.replace("...", names)
    every = "".join(terms).replace(".", "")
    return labels, names + "".join(sorted(name for name in set(every) if every.count(name) == 1))


def _sizes(labels: list[str], arrays: list[Any]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for label, array in zip(labels, arrays):
        for name, length in zip(label, array.shape):
            if sizes.setdefault(name, length) == 1:
                sizes[name] = length
            if length not in (1, sizes[name]):
                raise ValueError(f"np.einsum: axis {name!r} has lengths {sizes[name]} and {length}")
    return sizes


def _needed(later: list[str], output: str) -> str:
    return "".join(later) + output


def _prepared(label: str, array: Any, sizes: dict[str, int], needed: str) -> tuple[str, Any]:
    """Axes of a repeated label as their diagonal; axes that nothing else needs summed; axes of length 1 spread."""
    unique = "".join(dict.fromkeys(label))
    if unique != label:
        array = moved(lambda x: np.einsum(f"{label}->{unique}", x), array)
    shape = tuple(sizes[name] for name in unique)
    array = array if array.shape == shape else np.broadcast_to(array, shape)
    summed = tuple(n for n, name in enumerate(unique) if name not in needed)
    if summed:
        array = lifted(np.sum(array, axis=summed))
    return "".join(name for name in unique if name in needed), array


def _pair(first: str, a: Any, second: str, b: Any, needed: str, sizes: dict[str, int]) -> tuple[str, Any]:
    """Contract two operands: axes of both that are needed later are those of a stack of matrices."""
    shared = [name for name in first if name in second]
    stacked = [name for name in shared if name in needed]
    summed = [name for name in shared if name not in needed]
    left = [name for name in first if name not in shared]
    right = [name for name in second if name not in shared]

    def matrices(label: str, array: Any, *groups: list[str]) -> Any:
        turned = lifted(np.transpose(array, [label.index(name) for group in groups for name in group]))
        return turned.reshape([math.prod(sizes[name] for name in group) for group in groups])

    product = contract(matrices(first, a, stacked, left, summed), matrices(second, b, stacked, summed, right))
    label = "".join([*stacked, *left, *right])
    return label, product.reshape([sizes[name] for name in label])
