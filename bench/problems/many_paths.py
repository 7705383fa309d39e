"""Ten million paths of an Asian call, price and 5 sensitivities: time and peak memory of a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

from ..core import Problem, Timed

STEPS = 252
# Exact expectation of the estimator: recursion of densities. The deviations of one path scale the tolerance only.
ORACLE = {
    "price": (5.781824407928, 8.0),
    "spot": (0.589157543, 0.6),
    "strike": (-0.531339299, 0.55),
    "rate": (24.5790102, 30.0),
    "sigma": (21.7553090, 60.0),
    "maturity": (3.4044814, 10.0),
}

CHILD = """
import json, resource, sys
import fastad as fad
from time import perf_counter

paths, threads, steps = map(int, sys.argv[1:])

def asian(p, z):
    dt = p["maturity"] / steps
    drift, vol = (p["rate"] - 0.5 * p["sigma"] * p["sigma"]) * dt, p["sigma"] * fad.sqrt(dt)
    level, total = p["spot"], 0.0
    for normal in z:
        level = level * fad.exp(drift + vol * normal)
        total = total + level
    return fad.exp(-p["rate"] * p["maturity"]) * fad.maximum(total / steps - p["strike"], 0.0)

params = dict(spot=100.0, strike=100.0, rate=0.05, sigma=0.2, maturity=1.0)
start = perf_counter()
r = fad.monte_carlo(asian, params, normals=steps, paths=paths, seed=10, threads=threads)
seconds = perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
deviations = {name: se * paths**0.5 for name, se in r.gradient_stderr.items()}
print(json.dumps(dict(seconds=seconds, peak=peak, answer=dict(price=r.value, **r.gradient))))
"""


def child(paths, threads):
    """The call: time of the run without imports, with the loading of kernels; memory with everything."""

    def call():
        command = [sys.executable, "-c", CHILD, str(paths), str(threads), str(STEPS)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        result = json.loads(done.stdout.splitlines()[-1])
        return Timed(result["seconds"], result["answer"], result["peak"])

    return call


def check(paths, answer):
    for name, (true, deviation) in ORACLE.items():
        if not abs(answer[name] - true) <= 4.0 * deviation / paths**0.5:
            return f"{name} is {answer[name]!r}, more than 4 standard errors from the oracle {true}"
    return ""


def cases(quick):
    sizes = (50_000,) if quick else (1_000_000, 10_000_000)
    return {f"{paths:,} x {STEPS}": paths for paths in sizes}


PROBLEM = Problem(
    name="many_paths",
    section="Monte Carlo",
    title="Asian call, price + 5 sensitivities, time and memory of ten million paths",
    cases=cases,
    check=check,
    baseline="fastad",
    threads=(1, 2),
    self_timed=True,
)
