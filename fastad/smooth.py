"""Jumps made into ramps, so that pathwise derivatives see them; and what a ramp costs in bias and saves in noise.

A payoff that jumps by J where a distance crosses 0 has a sensitivity that no path shows. Spread over a width, the jump
has a slope that the paths near it do show: the wider, the more of them and the less noise, but the more bias, which
goes with the square of the width. `table` shows both. (Desks know `step` as the call-spread of a digital.)
"""

from __future__ import annotations

from typing import Any

from .montecarlo.widths import Widths as Widths
from .montecarlo.widths import table as table
from .record.active import Active
from .record.functions import FUNCTIONS, clip

_maximum, _square = FUNCTIONS["maximum"], FUNCTIONS["square"]


def step(x: Any, width: Any) -> Any:
    """Ramp from 0 to 1 over a width around 0, in place of ``where(x > 0, 1, 0)``.

    Parameters
    ----------
    x : number, array or active
        Distance from the jump.
    width : positive number
        From where the ramp begins to where it ends; the same units as x.

    Examples
    --------
    >>> import fastad as fad
    >>> [fad.smooth.step(x, 2.0) for x in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    return clip(x / _checked(width) + 0.5, 0.0, 1.0)


def where(x: Any, a: Any, b: Any, width: Any) -> Any:
    """Return a where x is positive, b where it is negative, and a mixture within half a width of 0.

    Unlike `fastad.where` it takes the distance x itself, not a condition: ``where(s - k, a, b, width)`` for
    ``fastad.where(s > k, a, b)``.
    """
    return b + step(x, width) * (a - b)


def maximum(a: Any, b: Any, width: Any) -> Any:
    """Return the larger of a and b, its kink rounded off by a parabola within half a width of the tie.

    The derivative is that of `where`: continuous, so that second derivatives by bumping, or of a payoff averaged
    over few paths, do not jump either. It is larger than the maximum by at most an eighth of the width.
    """
    width = _checked(width)
    d = a - b
    ramp = clip(d + 0.5 * width, 0.0, width)
    # At the end of the ramp, a tie, the first operand has the slope: the parabola has it already.
    return b + _square(ramp) / (2.0 * width) + _maximum(0.0, d - 0.5 * width)


def barrier(path: Any, level: Any, width: Any, kind: str = "down") -> Any:
    """Part of a path that survives a knock-out barrier: the product of a `step` at every date.

    Parameters
    ----------
    path : sequence of numbers or actives
        Prices at the dates of observation.
    level : number or active
        The barrier.
    width : positive number
        Width of each ramp, in units of the price.
    kind : {"down", "up"}
        Knocked out below the barrier, or above.

    Returns
    -------
    number or active
        1 for a path that stays clear of the barrier, 0 for one that goes beyond it; a knock-in is 1 minus that.
    """
    if kind not in ("down", "up"):
        raise ValueError(f"kind={kind!r}: expected 'down' or 'up'")
    sign = 1.0 if kind == "down" else -1.0
    alive: Any = 1.0
    for price in path:
        alive = alive * step(sign * (price - level), width)
    return alive


def _checked(width: Any) -> Any:
    if not isinstance(width, Active) and not width > 0.0:
        raise ValueError(f"width={width}: expected a positive number; without smoothing use fastad.where")
    return width


__all__ = ["Widths", "barrier", "maximum", "step", "table", "where"]
