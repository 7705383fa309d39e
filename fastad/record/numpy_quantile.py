"""Medians and quantiles, as data: a network of minimum and maximum sorts without asking anything.

So a replay follows every order, and one recording serves all scenarios. NaN spreads through the network to every
quantile, as in NumPy. About n log(n)^2 / 2 rows for n numbers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array import Axis
from .dispatch import ARRAY_FUNCTIONS, require_passive
from .functions import FUNCTIONS
from .numpy_ufuncs import lanes, lifted, lowered, with_axes


@lru_cache(maxsize=64)
def _network(count: int) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]:
    """Stages of Batcher's odd-even merge sort: pairs of places, lower and upper, of which no two meet in a stage."""
    stages = []
    run = 1
    while run < count:
        distance = run
        while distance >= 1:
            lower = np.arange(count - distance)
            offset = lower - distance % run
            paired = (offset >= 0) & (offset % (2 * distance) < distance)
            lower = lower[paired & (lower // (2 * run) == (lower + distance) // (2 * run))]
            stages.append((lower, lower + distance))
            distance //= 2
        run *= 2
    return tuple(stages)


def _sorted_as_data(a: Any) -> Any:
    """Sort the last axis. At a tie the minimum takes the first operand and the maximum the second: none is lost."""
    a = np.copy(a)
    for lower, upper in _network(a.shape[-1]):
        low, high = a[..., lower], a[..., upper]
        a[..., lower] = FUNCTIONS["minimum"](low, high)
        a[..., upper] = FUNCTIONS["maximum"](high, low)
    return a


def _median(a: Any, axis: Axis = None, *, overwrite_input: bool = False, keepdims: bool = False) -> Any:
    a = lifted(a)
    ordered = _sorted_as_data(_not_empty(lanes(a, axis)))
    count = ordered.shape[-1]
    low, high = ordered[..., (count - 1) // 2], ordered[..., count // 2]
    return with_axes(high if count % 2 else (low + high) / 2.0, axis, a.shape, keepdims)


def _not_empty(a: Any) -> Any:
    if a.shape[-1] == 0:
        raise ValueError("a quantile of an empty axis")
    return a


def _quantile(
    a: Any, q: Any, axis: Axis = None, *, overwrite_input: bool = False, method: str = "linear", keepdims: bool = False
) -> Any:
    require_passive("np.quantile", q)
    if method != "linear":
        raise TypeError(f"np.quantile of active values: method={method!r} is not available, only 'linear'")
    q = np.asarray(q, dtype=float)
    if not ((q >= 0.0) & (q <= 1.0)).all():
        raise ValueError("quantiles must be in the range [0, 1]")
    a = lifted(a)
    ordered = _sorted_as_data(_not_empty(lanes(a, axis)))
    results = [with_axes(_at(ordered, share), axis, a.shape, keepdims) for share in q.ravel().tolist()]
    return results[0] if q.ndim == 0 else np.stack(results).reshape(q.shape + np.shape(results[0]))


def _at(ordered: Any, share: float) -> Any:
    """Between two neighbours, from the nearer one, as NumPy does, so that both are met."""
    top = ordered.shape[-1] - 1
    below = int(share * top)
    low, high, weight = ordered[..., below], ordered[..., min(below + 1, top)], share * top - below
    step = high - low
    return lowered(low + step * weight if weight < 0.5 else high - step * (1.0 - weight))


def _percentile(a: Any, q: Any, axis: Axis = None, **more: Any) -> Any:
    require_passive("np.percentile", q)
    return _quantile(a, np.asarray(q, dtype=float) / 100.0, axis, **more)


ARRAY_FUNCTIONS.update({np.median: _median, np.percentile: _percentile, np.quantile: _quantile})
