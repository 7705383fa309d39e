"""Import, and the first gradient, in fresh processes that time themselves: the interpreter's start is left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

import numpy as np

from ..core import Problem, Timed
from .rosenbrock import check as check_gradient

X = [-1.2, -0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9, 1.2, 1.5]

CASES = {
    "import": "import",
    "first gradient": "gradient",
    "first gradient ever, no cache": "ever",
}

# A tool gives two pieces of source: its imports, and a definition of answer(x) -> (value, gradient). The fresh process
# imports nothing of ours: inspect.getsource carries the objective over.
CHILD = """
import json, sys
from time import perf_counter
start = perf_counter()
import numpy as np
{imports}
imported = perf_counter()
{answer}
value, gradient = answer(np.array({x}))
value, gradient = float(value), np.asarray(gradient, float).tolist()
print(json.dumps(dict(imported=imported - start, answered=perf_counter() - imported, value=value, gradient=gradient)))
"""


def child(case, imports, answer):
    """The call of one case, in a fresh process."""
    source = CHILD.format(imports=imports, answer=answer, x=X)

    def call():
        with tempfile.TemporaryDirectory() as empty:
            environment = dict(os.environ, NUMBA_CACHE_DIR=empty) if case == "ever" else None
            done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        result = json.loads(done.stdout.splitlines()[-1])
        seconds = result["imported" if case == "import" else "answered"]
        return Timed(seconds, (result["value"], result["gradient"]), None)

    return call


PROBLEM = Problem(
    name="cold_start",
    section="cold start",
    title="import with NumPy, and the first gradient, in a fresh process",
    cases=lambda quick: {name: case for name, case in CASES.items() if not (quick and case == "ever")},
    check=lambda case, answer: check_gradient(np.array(X), answer),
    baseline="fastad",
    unit="process",
    self_timed=True,
)
