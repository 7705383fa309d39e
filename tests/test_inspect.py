"""Views of tapes and Programs against tables and counts known from elsewhere."""

import doctest
import importlib
import math
import re
import shutil
import sys

import numpy as np
import pytest

import fastad as fad
from fastad import inspect
from fastad.errors import ShapeError, TapeError


@pytest.fixture
def baydin():
    """f(x1, x2) = ln x1 + x1 x2 - sin x2 at (2, 5), in the order of Baydin et al., arXiv 1502.05767."""
    tape = fad.Tape(lines=True)
    x1, x2 = tape.input(2.0, "x1"), tape.input(5.0, "x2")
    v1 = fad.log(x1)
    v2 = x1 * x2
    v3 = fad.sin(x2)
    v4 = v1 + v2
    v5 = v4 - v3
    return tape, v5


# Tables 2 and 3 of the paper, as printed: three decimals.
NAMES = ["v_-1", "v_0", "v_1", "v_2", "v_3", "v_4", "v_5"]
PRIMAL = [2, 5, 0.693, 10, -0.959, 10.693, 11.652]
TANGENT = [1, 0, 0.5, 5, 0, 5.5, 5.5]
ADJOINT = [5.5, 1.716, 1, 1, -1, 1, 1]
REVERSE_TRACE = [
    ("~v_5", 1), ("~v_4", 1), ("~v_3", -1), ("~v_1", 1), ("~v_2", 1), ("~v_0", -0.284), ("~v_-1", 5),
    ("~v_0", 1.716), ("~v_-1", 5.5),
]  # fmt: skip


class TestTrace:
    def test_tables_2_and_3_of_baydin(self, baydin):
        trace = inspect.trace(*baydin, direction=[1.0, 0.0])
        assert [trace.rows.name(row) for row in range(7)] == NAMES
        np.testing.assert_allclose(trace.rows.value, PRIMAL, atol=5e-4)
        np.testing.assert_allclose(trace.tangent, TANGENT, atol=5e-4)
        np.testing.assert_allclose(trace.adjoint, ADJOINT, atol=5e-4)

    def test_table_2_with_formulas(self, baydin):
        text = [
            re.split(r"\s{2,}", line) for line in str(inspect.trace(*baydin, direction=[1.0, 0.0]).forward).split("\n")
        ]
        assert text[4] == ["v_1", "log(v_-1)", "0.693147", "v_1'", "(1.0 / v_-1) * v_-1'", "0.5"]
        assert text[5] == ["v_2", "v_-1 * v_0", "10.0", "v_2'", "v_0 * v_-1' + v_-1 * v_0'", "5.0"]
        assert text[6][3:] == ["v_3'", "cos(v_0) * v_0'", "0.0"]
        assert text[8][3:] == ["v_5'", "v_4' - v_3'", "5.5"]

    def test_table_3_with_formulas(self, baydin):
        lines = inspect.trace(*baydin).reverse.rows
        assert [line[0] for line in lines] == [name for name, _ in REVERSE_TRACE]
        np.testing.assert_allclose([float(line[2]) for line in lines], [v for _, v in REVERSE_TRACE], atol=5e-4)
        assert [line[1] for line in lines[-2:]] == ["~v_0 + v_-1 * ~v_2", "~v_-1 + (1.0 / v_-1) * ~v_1"]

    def test_the_last_line_of_the_reverse_trace_is_the_gradient(self, baydin):
        """Accumulated in the trace's own loop; the sweep is the oracle."""
        tape, y = baydin
        last = {line[0]: float(line[2]) for line in inspect.trace(tape, y).reverse.rows}
        np.testing.assert_allclose([last["~v_-1"], last["~v_0"]], tape.reverse(y), rtol=1e-5)

    def test_text_markdown_and_html(self, baydin):
        trace = inspect.trace(*baydin)
        assert re.search(r"^v_2 +v_-1 \* v_0 +10\.0 +1\.0 +test_inspect\.py:\d+$", str(trace), re.MULTILINE)
        assert "| v_2 | v_-1 * v_0 | 10.0 | 1.0 | test_inspect.py:" in trace.markdown()
        assert '<td style="text-align:left">v_-1 * v_0</td>' in trace._repr_html_()
        escaped = inspect.Table(["a<b"], [["x & y"]])._repr_html_()
        assert "a&lt;b" in escaped
        assert "x &amp; y" in escaped
        assert inspect.Table(["a"], [["x | y"]]).markdown().endswith("| x \\| y |")

    def test_programs_by_argument_names_and_at_any_point(self):
        program = fad.record(lambda p, z: p["spot"] * fad.exp(z[1]), {"spot": 100.0}, np.zeros(2))
        here = inspect.trace(program)
        assert [here.rows.expression(row) for row in range(5)] == ["p.spot", "z[0]", "z[1]", "exp(v_0)", "v_-2 * v_1"]
        there = inspect.trace(program, args=({"spot": 10.0}, np.array([0.0, 1.0])), direction=[0.0, 0.0, 1.0])
        assert there.tangent[-1] == there.adjoint[2] == pytest.approx(10.0 * math.e, rel=1e-15)

    def test_the_variant_of_the_arguments_is_shown(self):
        def f(x):
            return fad.sqrt(x) if x > 0.0 else -x

        program = fad.record(f, 1.0)
        assert inspect.trace(program).rows.expression(3) == "sqrt(v_0)"
        assert inspect.trace(program, args=(-1.0,)).rows.expression(3) == "-v_0"

    def test_every_kind_of_row_has_a_text(self):
        tape = fad.Tape()
        x, v = tape.input(0.5), tape.inputs([1.0, 2.0, 3.0])
        y = fad.where((x > 0.0) & ~(x > 2.0), fad.take(v, x), 1.0) + fad.interp(x, [0.0, 1.0], [0.0, 4.0])
        if y > 0.0:
            y = -y % 3.0 // 1.0 + fad.maximum(y, x)
        text = str(inspect.trace(tape, y))
        for part in ("where(v_5, v_4, 1.0)", "table[v_", "~v_", " & ", " % 3.0", " // 1.0", "guard(", "maximum("):
            assert part in text, part

    def test_long_traces_are_cut_in_the_middle(self):
        program = fad.record(lambda x: (x * x).sum(), np.ones(500))
        text = str(inspect.trace(program, max_rows=10)).split("\n")
        assert len(text) == 12
        assert text[6].startswith("... 1489 rows")
        assert text[-1].startswith("v_999")

    def test_bad_requests_name_the_fix(self, baydin):
        tape, y = baydin
        with pytest.raises(ShapeError, match=r"expected shape \(2,\), one per input, got \(3,\)"):
            inspect.trace(tape, y, direction=np.ones(3))
        with pytest.raises(TypeError, match=r"fad\.record"):
            inspect.trace(lambda x: x)
        with pytest.raises(TypeError, match="args= is for"):
            inspect.trace(tape, args=(1.0,))
        program = fad.record(lambda x: (x, x * x), 1.0)
        with pytest.raises(TapeError, match="expected a number below 2"):
            inspect.trace(program, 2)
        with pytest.raises(ValueError, match="needs one output"):
            _ = inspect.trace(program).reverse
        with pytest.raises(ValueError, match="needs a direction"):
            _ = inspect.trace(program, 1).forward


class TestStats:
    def test_counts_of_a_small_tape(self, baydin):
        counted = inspect.stats(*baydin)
        assert (counted.rows, counted.inputs, counted.outputs) == (7, 2, 1)
        assert dict(counted.ops) == {"input": 2, "log": 1, "mul": 1, "sin": 1, "add": 1, "sub": 1}
        assert sum(counted.bytes.values()) == 33 * 7
        assert (counted.depth, counted.width) == (3, 3)  # {x1, x2}, {v1, v2, v3}, {v4}, {v5}
        assert counted.multiplications == 8  # edges of the graph
        assert counted.paths == 4  # x1 by v1, by v2; x2 by v2, by v3
        assert sum(counted.lines.values()) == 7
        text = str(counted)
        for part in ("products of a sum over paths     4", "v4 = v1 + v2", "Hessian of one output"):
            assert part in text

    def test_paths_are_exact_integers_of_any_size(self):
        def f(x):
            for _ in range(200):
                x = x * fad.sin(x)
            return x

        counted = inspect.stats(fad.record(f, 1.0))
        assert counted.paths == 2**200
        assert counted.multiplications == 600
        assert "about 10^60" in str(counted)

    def test_paths_by_listing_them(self):
        """Against depth-first search on a random program."""
        rng = np.random.default_rng(4)
        tape = fad.Tape()
        values = [tape.input(0.5), tape.input(0.25)]
        for _ in range(12):
            i, j = rng.integers(0, len(values), 2)
            values.append(values[i] * values[j] if rng.random() < 0.7 else fad.sin(values[i]))

        def ways(row):
            args = [a for a in (tape.arg0[row], tape.arg1[row]) if a >= 0]
            return sum(ways(a) for a in args) if args else 1

        assert inspect.stats(tape, values[-1]).paths == ways(values[-1].index)

    def test_what_carries_no_derivative_is_no_multiplication(self):
        counted = inspect.stats(fad.record(lambda x: fad.floor(x) + fad.where(x > 0.0, x, 2.0 * x) + 0.0 * x, 1.5))
        # floor carries nothing; where has two operands, 2 * x one, 0 * x one, and two sums have two operands each
        assert counted.multiplications == 8

    def test_lines_are_a_profile(self):
        with fad.debug():
            program = fad.record(lambda x: (fad.exp(x) * 2.0).sum(), np.ones(10))
        (place, count), *rest = inspect.stats(program).lines.most_common()
        assert place.file == __file__
        assert sum(count for _, count in rest) + count == 39


class TestModes:
    def test_one_output_is_for_reverse(self):
        modes = inspect.modes(fad.record(lambda x: (x * x).sum(), np.ones(100)))
        assert modes.recommended == "reverse"
        assert modes.sweeps["forward"] == 100
        assert modes.multiplications["reverse"] == 100 * 2 + 99 * 2

    def test_one_input_is_for_forward(self):
        modes = inspect.modes(fad.record(lambda x: fad.exp(x * np.arange(20.0)), 1.0))
        assert (modes.recommended, modes.sweeps["forward"], modes.sweeps["reverse"]) == ("forward", 1, 20)

    def test_a_tridiagonal_jacobian_needs_three_sweeps(self):
        """Curtis, Powell & Reid (1974): columns i, i + 3, i + 6, ... of a tridiagonal matrix never meet."""
        modes = inspect.modes(fad.record(lambda x: x[:-2] + x[1:-1] * x[2:], np.ones(62)))
        assert modes.sweeps["forward, compressed"] == 3
        assert modes.nonzeros == 180
        assert modes.recommended == "forward, compressed"
        assert re.search(r"forward, compressed +3 +\d+ +<- choose", str(modes))

    def test_an_arrow_needs_all_columns_but_two_rows(self):
        """A dense row forbids to compress columns, and a dense column rows."""
        rows = inspect.modes(fad.record(lambda x: fad.stack([x.sum(), *(x[i] * 2.0 for i in range(30))]), np.ones(30)))
        assert rows.sweeps["forward, compressed"] == 30
        assert rows.sweeps["reverse, compressed"] == 2

    def test_unused_inputs_cost_nothing_when_compressed(self):
        modes = inspect.modes(fad.record(lambda x: x[:2] * 2.0, np.ones(10)))
        assert modes.sweeps["forward, compressed"] == 1


class TestGraph:
    def test_nodes_and_edges(self, baydin):
        graph = inspect.graph(*baydin, direction=[1.0, 0.0])
        assert len(graph.nodes) == 7
        assert sorted(label for _, _, label in graph.edges) == sorted(
            ["0.5", "5.0", "2.0", "0.283662", "1.0", "1.0", "1.0", "-1.0"]
        )
        assert graph.nodes[6].text == "y = v_5 = v_4 - v_3"
        assert "tangent 5.5" in graph.dot
        assert "adjoint 1.71634" in graph.dot

    def test_collapsed_by_line(self):
        def f(x):
            total = 0.0
            for x_i in x:
                total = total + x_i * x_i
            return total

        with fad.debug():
            graph = inspect.graph(fad.record(f, np.ones(200)))
        assert [node.kind for node in graph.nodes.values()] == ["input", "output"]
        assert [node.value for node in graph.nodes.values()] == ["200 rows", "400 rows"]
        assert "total = total + x_i * x_i" in graph.nodes[list(graph.nodes)[1]].text
        assert graph.edges[0][2] == "400"

    def test_too_long_without_lines(self):
        with pytest.raises(ValueError, match="their lines were not kept"):
            inspect.graph(fad.record(lambda x: (x * x).sum(), np.ones(200)))

    @pytest.mark.parametrize("kind", ["svg", "png"])
    def test_pictures_by_matplotlib(self, baydin, tmp_path, kind):
        pytest.importorskip("matplotlib")
        data = inspect.graph(*baydin).save(tmp_path / f"graph.{kind}", engine="matplotlib").read_bytes()
        assert data.startswith(b"\x89PNG" if kind == "png" else b"<?xml")

    @pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
    @pytest.mark.parametrize("kind", ["svg", "png"])
    def test_pictures_by_graphviz(self, baydin, tmp_path, kind):
        graph = inspect.graph(*baydin)
        data = graph.save(tmp_path / f"graph.{kind}", engine="graphviz").read_bytes()
        assert data.startswith(b"\x89PNG" if kind == "png" else b"<?xml")
        assert "v_2 = v_" in graph._repr_svg_()

    def test_missing_packages_are_named(self, baydin, tmp_path, monkeypatch):
        monkeypatch.setattr(shutil, "which", lambda name: None)
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        graph = inspect.graph(*baydin)
        with pytest.raises(ImportError, match=r"pip install 'fastad\[plot\]'"):
            graph.save(tmp_path / "graph.svg")
        with pytest.raises(ImportError, match="install graphviz"):
            graph.save(tmp_path / "graph.svg", engine="graphviz")
        assert graph.save(tmp_path / "graph.dot").read_text().startswith("digraph")
        with pytest.raises(ValueError, match=r"\.svg, \.png or \.dot"):
            graph.save(tmp_path / "graph.gif")


class TestFirstNonfinite:
    def test_nothing_to_find(self, baydin):
        assert inspect.first_nonfinite(*baydin) is None

    def test_a_value(self):
        tape = fad.Tape(lines=True)
        x = tape.input(0.0)
        y = fad.log(x) * x
        found = inspect.first_nonfinite(tape, y)
        assert (found.row, found.quantity, found.number) == (1, "value", -np.inf)
        assert "at " + __file__ in str(found)

    def test_a_partial_a_tangent_an_adjoint(self):
        tape = fad.Tape()
        x = tape.input(0.0)
        y = fad.sqrt(x) * 2.0
        assert inspect.first_nonfinite(tape).quantity == "partial"
        assert "fad.debug()" in str(inspect.first_nonfinite(tape))
        tape = fad.Tape()
        x = tape.input(1e200)
        y = x * x * 1e-300
        assert inspect.first_nonfinite(tape).quantity == "value"
        tape = fad.Tape()
        x = tape.input(1.0)
        y = x * 1e300
        assert inspect.first_nonfinite(tape, y) is None
        assert inspect.first_nonfinite(tape, direction=[1e30]).quantity == "tangent"

    def test_an_adjoint_that_overflows(self):
        tape = fad.Tape()
        x = tape.input(1e-300)
        y = (x * 1e200) * 1e200
        found = inspect.first_nonfinite(tape, y)
        assert (found.row, found.quantity, found.number) == (0, "adjoint", np.inf)

    def test_a_scenario(self):
        program = fad.record(lambda p, z: fad.log(p["a"] + z[0]) * z[1], {"a": 1.0}, np.zeros(2))
        z = np.zeros((500, 2))
        z[321] = -3.0, 1.0
        found = inspect.first_nonfinite(program, args=({"a": 1.0}, z), axes=(None, 0))
        assert (found.scenario, found.row, found.operands) == (321, 4, (("v_1", -2.0),))
        z[321] = 1.0
        assert inspect.first_nonfinite(program, args=({"a": 1.0}, z), axes=(None, 0)) is None
        with pytest.raises(TypeError, match="axes="):
            inspect.first_nonfinite(program, axes=0)


@pytest.mark.parametrize("module", ["inspect.trace", "inspect.stats", "inspect.modes", "inspect.debugging"])
def test_examples_of_the_docstrings(module):
    found = doctest.testmod(importlib.import_module(f"fastad.{module}"), extraglobs={"np": np})
    assert found.attempted
    assert not found.failed
