"""Brownian paths from normals, the most important ones first: what makes few Sobol' points go a long way.

Sobol' points fill the first dimensions best. Built step by step, a path needs all of its normals alike; built by
bridges or by principal components, the first few decide most of it (Caflisch, Morokoff & Owen 1997; Acworth,
Broadie & Glasserman 1998). The law of the path is the same. Plain Python: for numbers, arrays, and actives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..structure import real_array

Times = Sequence[float] | NDArray[np.float64]


def brownian_bridge(z: Any, times: Times) -> list[Any]:
    """Brownian motion at given times: ``z[0]`` decides its end, ``z[1]`` the middle, and so on between them.

    Parameters
    ----------
    z : sequence of numbers or actives
        Independent standard normals, one per time.
    times : sequence of float
        Increasing and positive; the path starts from 0 at time 0.

    Returns
    -------
    list
        The path at the times.

    Examples
    --------
    >>> import fastad as fad
    >>> fad.brownian_bridge([1.0, 0.0], [1.0, 4.0])
    [0.5, 2.0]
    """
    t = [0.0, *_checked(z, times).tolist()]
    n = len(t) - 1
    path: list[Any] = [0.0] * (n + 1)
    path[n] = math.sqrt(t[n]) * z[0]
    gaps, used = [(0, n)], 1
    while gaps:  # breadth first: the widest gaps take the first normals
        left, right = gaps.pop(0)
        if right - left < 2:
            continue
        middle = (left + right) // 2
        before, after, whole = t[middle] - t[left], t[right] - t[middle], t[right] - t[left]
        mean = (after / whole) * path[left] + (before / whole) * path[right]
        path[middle] = mean + math.sqrt(before * after / whole) * z[used]
        used += 1
        gaps += [(left, middle), (middle, right)]
    return path[1:]


def brownian_pca(z: Any, times: Times) -> list[Any]:
    """Brownian motion at given times by principal components, the one of the largest variance first.

    No other linear construction gives the first normals more of the variance. It takes a product per normal and
    time, where bridges take three in all.

    Parameters
    ----------
    z : sequence of numbers or actives
        Independent standard normals, one per time.
    times : sequence of float
        Increasing and positive; the path starts from 0 at time 0.

    Returns
    -------
    list
        The path at the times.
    """
    t = _checked(z, times)
    variance, component = np.linalg.eigh(np.minimum.outer(t, t))
    loading = (component * np.sqrt(np.maximum(variance, 0.0)))[:, ::-1]
    loading = loading * np.where(loading.sum(axis=0) < 0.0, -1.0, 1.0)  # eigenvectors come with either sign
    return [sum((float(row[k]) * z[k] for k in range(1, t.size)), float(row[0]) * z[0]) for row in loading]


def _checked(z: Any, times: Times) -> NDArray[np.float64]:
    t = real_array(times, "times")
    if t.ndim != 1 or t.size == 0 or len(z) != t.size:
        raise ShapeError(f"expected one normal per time, got {len(z)} for times of shape {t.shape}")
    if not (t[0] > 0.0 and (np.diff(t) > 0.0).all()):
        raise ValueError(f"times={times}: expected increasing positive times")
    return t
