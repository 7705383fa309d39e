"""Kernels that Python calls per operation, loaded when first needed: importing fastad compiles nothing."""

from __future__ import annotations

_scalar_value = None


def scalar_value(code: int, x: float, y: float) -> float:
    """Value of an operation of floats by its compiled rule."""
    global _scalar_value
    if _scalar_value is None:
        from .rows import scalar_value as compiled

        _scalar_value = compiled
    return _scalar_value(code, x, y)
