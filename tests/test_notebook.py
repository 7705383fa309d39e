"""The notebook runs headless from top to bottom, and is kept without outputs."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples" / "dax_barrier_ladder.ipynb"


def test_it_is_kept_without_outputs():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.filterwarnings("ignore")  # of Jupyter's
def test_it_runs_and_shows_what_it_says():
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    text = "".join(output.get("text", "") for output in outputs)
    assert float(re.search(r"sum of squared errors (\S+)", text)[1]) == pytest.approx(177.2, abs=0.05)
    assert len(re.findall(r"^ [3-5]\d00 .*\d$", text, re.MULTILINE)) == 13
    ladder, bump = map(float, re.search(r"by fastad (\S+), bumped (\S+)", text).groups())
    assert ladder == pytest.approx(bump, rel=0.05)
    shown = [set(output.data) for output in outputs if "data" in output]
    assert sum("text/html" in kinds for kinds in shown) == 3  # trace, stats, modes
    assert sum(bool(kinds & {"image/png", "image/svg+xml"}) for kinds in shown) == 2  # heat map, graph
