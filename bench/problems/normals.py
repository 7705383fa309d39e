"""Standard normal random numbers into an array: nanoseconds each."""

from __future__ import annotations

import numpy as np

from ..core import Problem


def cases(quick):
    n = 128_000 if quick else 4_096_000  # multiples of 64 x 20
    return {f"{n:,}": n}


def check(n, normals):
    """Four moments and two tail probabilities within 5 standard errors, on numbers that differ at each call."""
    x = np.asarray(normals).ravel()
    if len(x) != n or not np.all(np.isfinite(x)):
        return f"expected {n:,} finite numbers, got {np.isfinite(x).sum():,} of {len(x):,}"
    moments = {
        "mean": (x, 0.0),
        "variance": (x**2, 1.0),
        "third moment": (x**3, 0.0),
        "fourth moment": (x**4, 3.0),
        "P(x < -2)": (x < -2.0, 0.022750131948179195),
        "P(x > 1)": (x > 1.0, 0.15865525393145707),
    }
    for name, (sample, want) in moments.items():
        stderr = np.std(sample) / np.sqrt(n)
        if not abs(np.mean(sample) - want) <= 5.0 * stderr:
            return f"{name} is {np.mean(sample):.6g}, more than 5 standard errors ({stderr:.2g}) from {want:.6g}"
    return ""


PROBLEM = Problem(
    name="normals",
    section="random numbers",
    title="standard normals into an array",
    cases=cases,
    check=check,
    items=lambda n: n,
    unit="normal",
    baseline="numpy",
)
