"""Same numbers in every process, and an import that needs nothing: each claim is tried in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

RUN = """
import json, sys
import numpy as np
import fastad as fad

def payoff(p, z, u):
    s = p["s"] * fad.exp(p["v"] * z[0]) + fad.sin(z[1]) * u[0]
    return {"call": fad.maximum(s - p["k"], 0.0), "s": fad.norm_cdf(s / 100.0) ** p["v"]}

at = {"s": 100.0, "k": 95.0, "v": 0.3}
threads = int(sys.argv[1])
result = fad.monte_carlo(payoff, at, normals=2, uniforms=1, paths=10_000, seed=12, threads=threads)
x = np.linspace(0.1, 3.0, 1000)
batch = fad.record(lambda x, y: fad.tanh(x) * y + fad.erf(y), 1.0, 2.0).batch(x, x[::-1], wrt=(0, 1), threads=threads)
numbers = [result.value, result.stderr, result.gradient, result.gradient_stderr]
print(json.dumps([*numbers, *(g.tolist() for g in batch.gradient)]))
"""


def run(code, *arguments, flags=(), **environment):
    process = subprocess.run(
        [sys.executable, *flags, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {name: str(value) for name, value in environment.items()},
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_bits_across_processes():
    """Another process, thread count and hash seed; JSON writes floats so that they come back to the bit."""
    runs = [run(RUN, str(threads), PYTHONHASHSEED=seed) for threads, seed in ((1, 0), (2, 1), (3, 12345))]
    assert json.loads(runs[0])
    assert runs[1] == runs[0]
    assert runs[2] == runs[0]


def test_import_compiles_nothing():
    """numba reports every compilation as an event; the first gradient shows that the recorder sees them."""
    code = """
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    import fastad as fad
    assert not recorder.buffer, recorder.buffer[0]
    import numba
    numba.njit(lambda x: x + 1.0)(1.0)
    assert recorder.buffer
"""
    run(code)


def test_import_warns_of_nothing():
    assert run("import fastad; print(fastad.__version__)", flags=("-W", "error")).strip() == "0.1.0"


UNWRITABLE = """
import tempfile
def refuse(*args, **kwargs):
    raise PermissionError("nothing is writable here")
tempfile.TemporaryFile = refuse  # how numba tries a cache directory
"""


@pytest.mark.parametrize("place", ["missing", "file"])
def test_import_without_a_writable_cache(place, tmp_path):
    """NUMBA_CACHE_DIR that cannot be made: its parent is a file (also for root, who may write anywhere)."""
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "cache" if place == "file" else tmp_path / "missing" / "cache"
    code = "import fastad as fad; x = fad.Tape().input(2.0); print((x * x).value)"
    assert run(code, NUMBA_CACHE_DIR=path).strip() == "4.0"


def test_first_use_without_any_cache(tmp_path):
    """No directory at all to write to: kernels are compiled and not kept."""
    code = UNWRITABLE + "import fastad as fad; tape = fad.Tape(); x = tape.input(3.0); print(tape.reverse(x * x))"
    assert run(code, NUMBA_CACHE_DIR=tmp_path).strip() == "[6.]"
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
