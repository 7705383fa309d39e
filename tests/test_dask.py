"""Dask's executor: workers in processes of their own, reached over TCP; one is killed and the numbers stay."""

import os
import signal

import pytest

import fastad as fad

distributed = pytest.importorskip("distributed")


def knock_out(p, z):
    s = p["s"]
    for i in range(4):
        s = s * fad.exp(p["v"] * z[i] - 0.5 * p["v"] * p["v"])
        if s < 60.0:
            return 0.0 * s
    return fad.maximum(s - 100.0, 0.0)


@pytest.fixture
def client():
    """Two processes of one thread each."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, protocol="tcp://", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_worker_killed_in_the_middle(client):
    run = dict(normals=4, paths=150_000, seed=3)
    workers = client.run(os.getpid)
    assert all(address.startswith("tcp://") for address in workers)
    assert len({*workers.values(), os.getpid()}) == 3
    victims = [*workers.values()][:1]

    def kill_once(done, total):
        if victims and done < total:
            os.kill(victims.pop(), signal.SIGKILL)

    result = fad.monte_carlo(
        knock_out, {"s": 100.0, "v": 0.2}, executor=client.get_executor(), progress=kill_once, **run
    )
    assert not victims
    here = fad.monte_carlo(knock_out, {"s": 100.0, "v": 0.2}, **run)
    assert (result.value, result.stderr) == (here.value, here.stderr)
    assert (result.gradient, result.gradient_stderr) == (here.gradient, here.gradient_stderr)
    assert result.paths == here.paths == 150_000
    assert not any("executor" in warning for warning in result.warnings)
