"""Nested tuples, lists, dicts, namedtuples and dataclasses of numbers: flattened, rebuilt, compared.

A *leaf* is what a predicate accepts; everything else at the ends is *static*: it belongs to the `Spec`, is
compared with it, and comes back as it was.
"""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Leaf = Any
_LEAF = "leaf"
_STATIC = "static"
_MASKED = (
    "a masked array, whose mask would be lost; use .filled(value), .compressed(), or np.where(m.mask, other, m.data)"
)


@dataclasses.dataclass(frozen=True)
class Spec:
    """The shape of a structure without its leaves."""

    kind: str
    cls: type | None = None
    names: tuple[Any, ...] = ()
    children: tuple[Spec, ...] = ()
    static: Any = None

    def unflatten(self, leaves: Sequence[Any], *, keep_static: bool = True) -> Any:
        """Return the structure with these leaves; static ends become None unless kept."""
        if self.kind == _LEAF:
            return leaves[0]
        return self._build(iter(leaves), keep_static)

    def _build(self, leaves: Iterator[Any], keep_static: bool) -> Any:
        if self.kind == _LEAF:
            return next(leaves)
        if self.kind == _STATIC:
            return self.static if keep_static else None
        parts = [child._build(leaves, keep_static) for child in self.children]
        return _REBUILD[self.kind](self, parts)

    def detached(self) -> Spec:
        """Return the same with copies of static arrays: what is written into them later does not count."""
        static = self.static.copy() if isinstance(self.static, np.ndarray) else self.static
        return dataclasses.replace(self, static=static, children=tuple(child.detached() for child in self.children))

    def key(self) -> Hashable:
        """Return a hashable that is equal for structures with equal static parts."""
        return (self.kind, self.cls, self.names, _static_key(self.static), tuple(c.key() for c in self.children))

    def statics(self) -> Iterator[Any]:
        """Give the static ends in order."""
        if self.kind == _STATIC:
            yield self.static
        for child in self.children:
            yield from child.statics()

    def refuse_foreign(self, what: str) -> None:
        """Raise TypeError where a static end is a masked or labelled array: the user thinks of it as numbers."""
        if self.kind == _LEAF:
            return
        for static in self.statics():
            refuse_foreign(static, what)

    @property
    def n_leaves(self) -> int:
        """Number of leaves."""
        return 1 if self.kind == _LEAF else sum(child.n_leaves for child in self.children)

    def paths(self, prefix: str = "") -> list[str]:
        """Name of every leaf, such as ``vols`` or ``curve[2]``."""
        if self.kind == _LEAF:
            return [prefix]
        joined = []
        for name, child in zip(self.names, self.children):
            piece = f"[{name}]" if isinstance(name, int) else (f".{name}" if prefix else str(name))
            joined += child.paths(prefix + piece)
        return joined


def _static_key(value: Any) -> Hashable:
    if isinstance(value, np.ndarray):
        return ("array", value.shape, value.dtype.str, value.tobytes())
    try:
        hash(value)
    except TypeError:
        return ("object", id(value))
    return (type(value), value)


def _rebuild_dataclass(spec: Spec, parts: list[Any]) -> Any:
    # Not through __init__: derivatives must not meet the validation of the user's class.
    assert spec.cls is not None
    instance: Any = object.__new__(spec.cls)
    for name, part in zip(spec.names, parts):
        object.__setattr__(instance, name, part)
    return instance


_REBUILD: dict[str, Callable[[Spec, list[Any]], Any]] = {
    "tuple": lambda spec, parts: tuple(parts),
    "list": lambda spec, parts: parts,
    "dict": lambda spec, parts: dict(zip(spec.names, parts)),
    "namedtuple": lambda spec, parts: spec.cls._make(parts),  # type: ignore[union-attr]
    "dataclass": _rebuild_dataclass,
}


def open_node(node: Any) -> tuple[str, tuple[Any, ...], list[Any]] | None:
    """Kind, child names and children of a container, or None for an end."""
    if isinstance(node, tuple):
        kind = "namedtuple" if hasattr(node, "_fields") else "tuple"
        return kind, getattr(node, "_fields", tuple(range(len(node)))), list(node)
    if isinstance(node, list):
        return "list", tuple(range(len(node))), node
    if isinstance(node, dict):
        return "dict", tuple(node), list(node.values())
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        names = tuple(field.name for field in dataclasses.fields(node))
        return "dataclass", names, [getattr(node, name) for name in names]
    return None


def is_active(value: Any) -> bool:
    """Whether a value is recorded on a tape."""
    return hasattr(value, "_plain")


def is_number(value: Any) -> bool:
    """Whether a value is a leaf of a differentiated argument: a real number or an array of them."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiu"
    if type(value) is float:  # numbers.Real is a slow question
        return True
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)


def is_float(value: Any) -> bool:
    """Whether a value is an input of a recording: a float or an array of floats (integers are static)."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind == "f"
    return isinstance(value, float | np.floating)


def is_input(value: Any) -> bool:
    """Whether a value is a leaf of a Program's argument: a float input, or an active, which it will refuse."""
    return is_float(value) or is_active(value)


def is_result(value: Any) -> bool:
    """Whether a value is a leaf of a result: active, or a number."""
    return is_active(value) or is_number(value)


def real_array(x: Any, what: str, *, copy: bool = True) -> NDArray[np.float64]:
    """Return numbers as an array of float64; raise TypeError for what NumPy would convert without asking.

    Parameters
    ----------
    x
        Numbers, or an array of them.
    what
        How to name them in the error.
    copy
        False to return the array itself where it is one already: scenarios may be gigabytes.
    """
    if type(x) is np.ndarray and (x.dtype is _FLOAT64 or x.dtype == _FLOAT64):  # the comparison takes 0.4 us
        return x.astype(np.float64, order="C", copy=copy)
    refuse_foreign(x, what)
    array = np.asarray(float(x) if type(x) is int else x)  # NumPy makes an object of an int beyond 64 bits
    if array.dtype.kind not in "fiub" and array.size:
        raise TypeError(f"{what}: expected real numbers, got {array.dtype} ({type(x).__name__})")
    return array.astype(np.float64, order="C", copy=copy)


def refuse_foreign(x: Any, what: str) -> None:
    """Raise TypeError for arrays that know more than their numbers: masks; labels, by which pandas aligns."""
    if isinstance(x, np.ma.MaskedArray):
        raise masked_array(what)
    if hasattr(x, "to_numpy") and hasattr(x, "shape"):
        raise TypeError(
            f"{what} of type {type(x).__name__}: its labels would be lost; use .to_numpy(), or in an argument "
            ".to_dict() for derivatives by label"
        )


def masked_array(what: str) -> TypeError:
    """Return the error for a masked array."""
    return TypeError(f"{what}: {_MASKED}")


_ONE_LEAF = Spec(_LEAF)
_FLOAT64 = np.dtype(np.float64)


def flatten(structure: Any, is_leaf: Callable[[Any], bool] = is_result) -> tuple[list[Leaf], Spec]:
    """Return the leaves in order, and the `Spec` that puts them back."""
    return flatten_like(None, structure, is_leaf)


def flatten_like(spec: Spec | None, structure: Any, is_leaf: Callable[[Any], bool]) -> tuple[list[Leaf], Spec]:
    """Flatten, but take any number as a leaf where ``spec`` has one: 2 is welcome where 2.0 was recorded."""
    if type(structure) is np.ndarray and structure.dtype is _FLOAT64:  # a leaf to all who ask
        return [structure], _ONE_LEAF
    leaves: list[Leaf] = []
    return leaves, _visit(spec, structure, is_leaf, leaves)


# Not a closure: one that calls itself is a cycle, which would keep the leaves, and so their tape, until collected.
def _visit(like: Spec | None, node: Any, is_leaf: Callable[[Any], bool], leaves: list[Leaf]) -> Spec:
    if is_leaf(node) or (like is not None and like.kind == _LEAF and is_number(node)):
        leaves.append(node)
        return _ONE_LEAF
    opened = open_node(node)
    if opened is None:
        return Spec(_STATIC, static=node)
    kind, names, children = opened
    if kind == "dict" and like is not None and set(like.names) == set(names):  # keys in any order
        names, children = like.names, [node[name] for name in like.names]
    twins = like.children if like is not None and len(like.children) == len(children) else (None,) * len(children)
    parts = tuple(_visit(t, child, is_leaf, leaves) for t, child in zip(twins, children))
    return Spec(kind, type(node), names, parts)


def leaf_shapes(leaves: Iterable[Leaf]) -> list[tuple[int, ...]]:
    """Shape of every leaf, () for scalars."""
    return [tuple(getattr(leaf, "shape", ())) for leaf in leaves]
