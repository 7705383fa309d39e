"""`executor=`: whoever computes the blocks, the bits are those of this process; a worker that dies costs a block."""

import contextlib
import multiprocessing
import os
import pickle
import signal
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from helpers_core import assert_same_bits

import fastad as fad
from fastad.montecarlo import worker

AT = {"s": 100.0, "v": 0.3}
RUN = dict(normals=3, uniforms=1, paths=100_000, seed=8)


def payoffs(p, z, u):
    """A knock-out and a smooth one; a lambda or a local function would do, since workers never see it."""
    s = p["s"]
    for i in range(3):
        s = s * fad.exp(p["v"] * z[i] - 0.5 * p["v"] * p["v"])
        if s < 70.0:
            return (0.0 * s, s * u[0])
    return (fad.maximum(s - 100.0, 0.0), s * u[0])


OPTIONS = [
    {},
    {"antithetic": True},
    {"sampler": "sobol"},
    {"control": (lambda p, z, u: p["s"] * u[0], lambda p: 0.5 * p["s"])},
    {"compare_with_bump": True, "gradient": "sum"},
    {"per_path": True, "until": 2e-2},
]


def plain(options):
    return fad.monte_carlo(payoffs, AT, **RUN, **options)


def assert_same(a, b):
    for name in ("value", "stderr", "gradient", "gradient_stderr", "bumped", "bump_scores", "path_gradients"):
        assert_same_bits(leaves(getattr(a, name)), leaves(getattr(b, name)), name)
    assert a.paths == b.paths
    # Which path was recorded first shapes the trie, and so the deciding lines, but neither counts nor rows.
    assert sorted(v[:3] for v in a.variants) == sorted(v[:3] for v in b.variants)


def leaves(x):
    if isinstance(x, dict | tuple):
        return [leaf for item in (x.values() if isinstance(x, dict) else x) for leaf in leaves(item)]
    return [] if x is None else np.ravel(x).tolist()


@pytest.fixture(scope="module", params=["fork", "spawn"])
def processes(request):
    if request.param not in multiprocessing.get_all_start_methods():
        pytest.skip("no fork here")
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(request.param)) as pool:
        yield pool


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: " ".join(o) or "plain")
def test_process_pools_bit_for_bit(options, processes):
    result = fad.monte_carlo(payoffs, AT, executor=processes, **RUN, **options)
    assert_same(result, plain(options))
    assert result.warnings == plain(options).warnings


def test_threads_as_executor():
    with ThreadPoolExecutor(3) as pool:
        assert_same(fad.monte_carlo(payoffs, AT, executor=pool, **RUN), plain({}))


class Recorder:
    """Runs everything at once, through pickle, and keeps what travelled."""

    def __init__(self, fail=lambda number, attempt: None):
        self.sent, self.attempts, self.fail = [], {}, fail

    def submit(self, function, *args):
        number = args[-1]
        attempt = self.attempts[number] = self.attempts.get(number, 0) + 1
        self.sent.append(len(pickle.dumps((function, args))))
        future = Future()
        error = self.fail(number, attempt)
        if error is not None:
            future.set_exception(error)
        else:
            function, args = pickle.loads(pickle.dumps((function, args)))
            future.set_result(pickle.loads(pickle.dumps(function(*args))))
        return future


def test_blocks_travel_in_kilobytes():
    def asian(p, z):
        s, total = p, 0.0
        for i in range(252):
            s = s * fad.exp(0.01 * z[i])
            total = total + s
        return total

    recorder = Recorder()
    result = fad.monte_carlo(asian, 100.0, normals=252, paths=70_000, executor=recorder)
    assert len(recorder.sent) == 5
    assert max(recorder.sent) < 40_000
    assert result.value == fad.monte_carlo(asian, 100.0, normals=252, paths=70_000).value
    recorder = Recorder()
    fad.monte_carlo(lambda p, z: p * z[0], 1.0, normals=200, paths=2**16, sampler="sobol", executor=recorder)
    assert max(recorder.sent) < 40_000  # not the points: workers make their own


def test_a_worker_that_dies_costs_its_block():
    """The first attempt at block 2 fails; it is submitted again, and nobody hears of it."""
    recorder = Recorder(lambda number, attempt: RuntimeError("killed") if (number, attempt) == (2, 1) else None)
    result = fad.monte_carlo(payoffs, AT, executor=recorder, **RUN)
    assert recorder.attempts[2] == 2
    assert result.warnings == plain({}).warnings
    assert_same(result, plain({}))


def test_an_executor_that_fails_for_good():
    recorder = Recorder(lambda number, attempt: RuntimeError("gone") if number >= 3 else None)
    result = fad.monte_carlo(payoffs, AT, executor=recorder, **RUN)
    assert any("executor failed (RuntimeError: gone); blocks from 3 on" in w for w in result.warnings)
    assert_same(result, plain({}))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
def test_killed_processes(tmp_path):
    """Every worker of a real pool is killed once the first block is back: the driver finishes."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:

        def kill(done, total):
            for process in list((pool._processes or {}).values()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)

        run = RUN | {"paths": 400_000}
        result = fad.monte_carlo(payoffs, AT, executor=pool, progress=kill, **run)
    assert any("executor failed (BrokenProcessPool" in w for w in result.warnings)
    assert_same(result, fad.monte_carlo(payoffs, AT, **run))


def test_a_pool_that_is_shut_down():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    result = fad.monte_carlo(payoffs, AT, executor=pool, **RUN)
    assert any("executor failed" in w for w in result.warnings)
    assert_same(result, plain({}))


def test_a_worker_records_nothing():
    """A branch that is new to a worker comes back as None, and the driver records it."""
    answers = []

    class Watching(Recorder):
        def submit(self, function, *args):
            future = super().submit(function, *args)
            answers.append(future.result())
            return future

    result = fad.monte_carlo(payoffs, AT, executor=Watching(), **RUN)
    assert answers[0] is None  # the first block left with the recording of path 0 alone
    assert answers[-1] is not None
    assert_same(result, plain({}))


def test_engines_are_kept_and_forgotten():
    worker._engines.clear()
    for level in range(6):
        fad.monte_carlo(lambda p, z, level=level: p * z[0] + level, 1.0, normals=1, paths=200, executor=Recorder())
    assert 0 < len(worker._engines) <= 4
