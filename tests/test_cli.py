"""The command line, in a process of its own with an empty kernel cache where that matters."""

import subprocess
import sys

import pytest
from numba.core.caching import NullCache

import fastad as fad
from fastad.cli import main
from fastad.kernels.point import point


def test_warmup_reports_its_time(capsys):
    assert main(["warmup"]) == 0
    assert "all kernels compiled and cached" in capsys.readouterr().out


def test_warmup_says_where_there_is_no_cache(monkeypatch, capsys):
    """It would take its minutes, and nothing would be left of them."""
    monkeypatch.setattr(point, "_cache", NullCache())
    assert main(["warmup"]) == 2
    assert "NUMBA_CACHE_DIR" in capsys.readouterr().err


def test_a_command_is_required(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "warmup" in capsys.readouterr().err


def test_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "fastad", "--version"], capture_output=True, text=True, check=True)
    assert fad.__version__ in done.stdout


def test_after_warmup_nothing_compiles():
    """Each kernel is loaded from the cache: a new process compiles none of fastad's, as numba counts it."""
    code = (
        "import numba, fastad as fad; from numba.core import event; seen = []\n"
        "class Count(event.Listener):\n"
        "    def on_start(self, e): seen.append(e.data['dispatcher'].py_func.__name__)\n"
        "    def on_end(self, e): pass\n"
        "event.register('numba:compile', Count())\n"
        "from fastad.cli import warmup; warmup(); print('compiled:', seen)"
    )
    assert main(["warmup"]) == 0
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "compiled: []" in done.stdout


def test_bench_hands_its_arguments_on(capsys):
    assert main(["bench", "list"]) == 0
    assert "rosenbrock" in capsys.readouterr().out
    with pytest.raises(SystemExit) as error:
        main(["bench", "--help"])
    assert error.value.code == 0
    assert "usage: fastad bench" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["info", "--paths", "3"])
    assert "unrecognized arguments: --paths 3" in capsys.readouterr().err


def test_bench_without_its_package(monkeypatch, capsys):
    monkeypatch.setattr("fastad.commands.bench.find_spec", lambda name: None)
    assert main(["bench", "list"]) == 2
    assert "fastad[bench]" in capsys.readouterr().err
