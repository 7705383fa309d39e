"""Imports go one way (design.md section 5). The oracle is the text of the sources."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "fastad"

# Lower to higher; a module may import from its own layer and from lower ones.
LAYERS = [
    {"ops", "errors"},
    {"rules", "structure", "templates", "notation"},
    {"nonfinite"},
    {"kernels"},
    {"packing", "sparse"},
    {"record"},
    {"nopython"},
    {"forward", "program", "recorded"},
    {"taylor", "transforms"},
    {"extend"},
    {"montecarlo", "inspect", "checking", "scipy"},
    {"smooth"},
    {"__init__"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
TOOLS = {"codegen": {"ops", "rules"}}  # run by hand, imported by nobody

MODULES = {
    "fastad." + ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
    if path != ROOT / "__init__.py"
} | {"fastad": ROOT / "__init__.py"}


def part_of(module):
    return module.split(".")[1] if "." in module else "__init__"


def imports_of(module):
    """Modules of fastad that a module imports anywhere, inside functions too; not what type checkers alone see."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = set()

    def visit(node):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for child in node.orelse:
                visit(child)
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names if alias.name.split(".")[0] == "fastad")
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                parts = parts[: len(parts) - node.level + 1]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            if base.split(".")[0] == "fastad":
                submodules = {f"{base}.{alias.name}" for alias in node.names} & set(MODULES)
                found.update(submodules or {base})
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


IMPORTS = {module: imports_of(module) for module in MODULES}


def test_the_parser_sees_what_is_there():
    """A test of the test: a few imports of each form that are known."""
    assert "fastad.ops" in IMPORTS["fastad.rules"]  # from .ops import
    assert "fastad.packing" in IMPORTS["fastad.transforms"]
    assert "fastad.kernels.batch" in IMPORTS["fastad.program.batch"]  # from ..kernels import batch
    assert "fastad.program.program" in IMPORTS["fastad"]
    assert "fastad.ops" in IMPORTS["fastad.kernels.rows"]
    assert set().union(*IMPORTS.values()) <= set(MODULES)


def test_every_part_has_a_layer():
    assert {part_of(module) for module in MODULES} == set(LEVEL) | set(TOOLS)


@pytest.mark.parametrize("module", MODULES)
def test_no_import_of_a_higher_layer(module):
    part = part_of(module)
    for imported in IMPORTS[module]:
        other = part_of(imported)
        if part in TOOLS:
            assert other in TOOLS[part], f"{module} imports {imported}"
        else:
            assert other not in TOOLS, f"{module} imports the tool {imported}"
            assert LEVEL[other] <= LEVEL[part], f"{module} imports {imported} of a higher layer"


def test_parts_of_one_layer_do_not_import_each_other_both_ways():
    graph = {}
    for module, imported in IMPORTS.items():
        graph.setdefault(part_of(module), set()).update(part_of(i) for i in imported)
    order(graph)


def test_no_cycle_between_modules():
    order(IMPORTS)


def order(graph):
    """Fail with the cycle where there is one; a module that imports itself is none."""
    try:
        TopologicalSorter({node: edges - {node} for node, edges in graph.items()}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
