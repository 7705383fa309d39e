"""Which entries of the parameters are differentiated by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..packing import Packing
from ..structure import Spec


class Selected:
    """The part of the parameters to differentiate by: its layout, and a flag per element of all."""

    def __init__(self, packing: Packing, names: set[Any] | None) -> None:
        children = packing.spec.children
        keep = [names is None or name in names for name in packing.spec.names] if children else [True]
        flags = [flag for flag, child in zip(keep, children or (packing.spec,)) for _ in range(child.n_leaves)]
        spec = packing.spec
        if children:
            nothing = Spec("static", static=None)
            parts = tuple(child if flag else nothing for flag, child in zip(keep, children))
            spec = Spec(spec.kind, spec.cls, spec.names, parts)
        self.packing = Packing(spec, [shape for flag, shape in zip(flags, packing.shapes) if flag])
        self.elements = np.repeat(flags, packing.sizes)

    def names(self) -> list[str]:
        """Name of every element differentiated by."""
        return self.packing.names() if self.packing.spec.kind != "leaf" else self.packing.names("param")


def select(packing: Packing, wrt: Iterable[Any] | None) -> Selected | None:
    """Return what ``wrt`` names, None for nothing."""
    if wrt is None:
        return Selected(packing, None) if packing.size else None
    names = {wrt} if isinstance(wrt, str | int) else set(wrt)
    unknown = names - set(packing.spec.names)
    if unknown:
        raise ValueError(f"wrt={sorted(unknown, key=str)}: params has {list(packing.spec.names)} at its top level")
    return Selected(packing, names) if names else None
