"""The README is true: its Python blocks run in order, its operations table is the op table."""

import re
from pathlib import Path

import pytest

from fastad import codegen

README = Path(__file__).parents[1] / "README.md"
CI = Path(__file__).parents[1] / ".ci" / "run"


def test_python_blocks_run_in_order(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) >= 3
    namespace = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), namespace)
    assert "spot" in capsys.readouterr().out
    assert namespace["tape"].reverse(namespace["z"]).tolist() == pytest.approx([5.5, 1.7163378145367738], rel=1e-14)
    assert namespace["deltas"].shape == namespace["vegas"].shape == (1000,)


def test_operations_table_is_current():
    assert codegen.readme_with_operations(README.read_text()) == README.read_text()


def test_ci_runs_the_commands_of_the_readme():
    commands = [line for line in README.read_text().splitlines() if line.startswith("python -m pip install ")]
    assert len(commands) == 2
    assert "examples/dax_barrier_ladder.py" in commands[0]
    assert "pytest" in commands[1]
    assert "README.md" in CI.read_text()
