"""Writes ``kernels/replay.py``, and the operations table of the README: ``python fastad/codegen.py``.

The file is checked in, because numba caches functions of real files only. A test regenerates it and
compares; stale machine code is the business of ``kernels/_jit.py``. Run as a file rather than a module: importing
the package imports the very kernels that may be out of date.
"""

from __future__ import annotations

import sys

if not __package__:
    __package__ = "fastad"
    sys.path.pop(0)  # this folder, whose inspect would hide Python's

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

if "fastad" not in sys.modules:
    bare = sys.modules["fastad"] = ModuleType("fastad")
    bare.__path__ = [str(Path(__file__).parent)]

from .ops import OPS, Op
from .rules import check, functions_in, kernel_source, names_in

_ROOT = Path(__file__).parent
TARGET = _ROOT / "kernels" / "replay.py"
README = _ROOT.parent / "README.md"
_TABLE_BEGIN = "<!-- operations: written by python fastad/codegen.py -->"
_TABLE_END = "<!-- end of operations -->"
_PRIMITIVES = frozenset({"copysign", "fabs", "floor", "rint", "select", "sqrt"})  # one instruction each, in _simd.py

_HEADER = '''"""GENERATED from ops.py by ``python fastad/codegen.py``; do not edit.

Values and partials by opcode. ``value``, ``partials`` and ``evaluated`` are for one point. ``value_row`` and
``adjoint_row`` are for 64 scenarios, eight vectors of eight: operands are addresses with a step of 8
(a slot of the workspace) or 0 (one vector read eight times: a uniform value).
"""

from __future__ import annotations

from ._jit import jit, jit_inlined
from ._simd import {primitives}
from .sweeps import masked_fma
from .vmath import {functions}
'''

_SCALAR_VALUE = '''

@jit_inlined
def value(op, x, y, c):
    """Value of one row; ``c`` is the value of the row before it."""
{branches}
    return x
'''

_SCALAR_PARTIALS = '''

@jit_inlined
def partials(op, x, y, v, c):
    """Both partials of one row; 0.0 for an operand that the operation does not have."""
{branches}
    return 0.0, 0.0
'''

_SCALAR_EVALUATED = '''

@jit_inlined
def evaluated(op, x, y, c):
    """``value`` and ``partials`` of one row by one jump."""
{branches}
    return x, 0.0, 0.0
'''

_VALUE_ROW = '''

@jit_inlined
def value_row{family}(op, a, a_step, b, b_step, c, c_step, out, vectors):
    """Values of one row for ``8 * vectors`` scenarios.{note}"""
{branches}
'''

_ADJOINT_ROW = '''

@jit_inlined
def adjoint_row{family}{suffix}(
    op, a, a_step, b, b_step, c, c_step, v, bar, x_to, x_from, x_step, y_to, y_from, y_step, vectors
):
    """Add ``bar`` times the partials to the adjoints of the operands.

    ``x_to`` is the address of the adjoint of x, 0 for a passive operand; ``x_from`` with ``x_step`` is
    what to add to: the same address, or zeros where this is the first contribution.{note}
    """
{branches}
'''

_ADJOINT_SUM = '''

# Operations whose partials are plain arithmetic, and whose adjoints of uniform operands ``adjoint_sum`` adds up.
SUMMED = {summed}


@jit_inlined
def adjoint_sum(op, is_x, a, a_step, b, b_step, v, bar, vectors):
    """Sum of ``bar`` times the partials by x, or by y, in registers: through memory it takes twice as long."""
    total = splat(0.0)
{branches}
    return lane_sum(total)
'''

_MASKED_NOTE = """

    A product with an exactly zero factor is zero: for tapes with partials or adjoints that are not finite."""


def _loads(rules: tuple[str, ...], indent: str) -> str:
    """Vector loads of the operands that the rules read."""
    sources = {
        "x": "load(a, k * a_step)",
        "y": "load(b, k * b_step)",
        "c": "load(c, k * c_step)",
        "v": "load(v, 8 * k)",
    }
    read = frozenset().union(*(names_in(rule) for rule in rules))
    return "".join(
        f"{indent}{name}{'_' if name in 'cv' else ''} = {sources[name]}\n" for name in "xycv" if name in read
    )


# In the row kernels the plain names c and v are addresses.
_VECTOR_NAMES = {"c": "c_", "v": "v_"}


def _cases(bodies: Iterator[tuple[int, Op, str]]) -> str:
    """An if-elif chain over opcodes, which LLVM turns into one jump table."""
    lines: list[str] = []
    for code, op, body in bodies:
        lines.append(f"    {'elif' if lines else 'if'} op == {code}:  # {op.name}\n{body}")
    return "".join(lines).rstrip("\n")


def _computed(op: Op) -> bool:
    """Whether replay computes the row from its rule: inputs are given, guards compared, tables and blocks apart."""
    return op.name not in ("input", "guard", "locate", "take", "block", "part")


def _value_bodies() -> Iterator[tuple[int, Op, str]]:
    for code, op in enumerate(OPS):
        if _computed(op):
            yield code, op, f"        return {kernel_source(op.value)}\n"


def _partials_bodies() -> Iterator[tuple[int, Op, str]]:
    for code, op in enumerate(OPS):
        if set(op.partials) != {"0.0"}:
            first, second = (*map(kernel_source, op.partials), "0.0")[:2]
            yield code, op, f"        return {first}, {second}\n"


def _evaluated_bodies() -> Iterator[tuple[int, Op, str]]:
    for code, op in enumerate(OPS):
        if _computed(op):
            value, first, second = (*map(kernel_source, (op.value, *op.partials)), "0.0")[:3]
            yield code, op, f"        v = {value}\n        return v, {first}, {second}\n"


def _value_row_bodies(special: bool) -> Iterator[tuple[int, Op, str]]:
    for code, op in enumerate(OPS):
        if _computed(op) and op.special == special:
            rule = kernel_source(op.value, _VECTOR_NAMES)
            loop = f"        for k in range(vectors):\n{_loads((op.value,), ' ' * 12)}"
            yield code, op, f"{loop}            store(out, 8 * k, {rule})\n"


def _adjoint_bodies(special: bool, accumulate: str) -> Iterator[tuple[int, Op, str]]:
    for code, op in enumerate(OPS):
        body = ""
        if op.special != special or not _computed(op):
            continue
        for operand, partial in zip("xy", op.partials):
            if partial == "0.0":
                continue
            rule = kernel_source(partial, _VECTOR_NAMES)
            addend = f"load({operand}_from, k * {operand}_step)"
            body += (
                f"        if {operand}_to != 0:\n"
                f"            for k in range(vectors):\n{_loads((partial,), ' ' * 16)}"
                f"                t = {accumulate}(load(bar, 8 * k), {rule}, {addend})\n"
                f"                store({operand}_to, 8 * k, t)\n"
            )
        if body:
            yield code, op, body


def _is_summed(op: Op) -> bool:
    """Whether each partial is plain arithmetic: for the others, the sum costs little beside what is added."""
    return _computed(op) and set(op.partials) != {"0.0"} and not any(map(functions_in, op.partials))


def _sum_bodies() -> Iterator[tuple[int, Op, str]]:
    for code, op in enumerate(OPS):
        if not _is_summed(op):
            continue
        body = ""
        for test, partial in zip(("if is_x", "else"), op.partials):
            rule = kernel_source(partial, _VECTOR_NAMES)
            body += (
                f"        {test}:\n            for k in range(vectors):\n{_loads((partial,), ' ' * 16)}"
                f"                total = fma(load(bar, 8 * k), {rule}, total)\n"
            )
        yield code, op, body


def generate() -> str:
    """Return the text of ``kernels/replay.py``."""
    for op in OPS:
        check(op)
    rules = [rule for op in OPS for rule in (op.value, *op.partials)]
    functions = frozenset().union(*map(functions_in, rules))
    imports = {
        "primitives": ", ".join(sorted(functions & _PRIMITIVES | {"fma", "lane_sum", "load", "splat", "store"})),
        "functions": ", ".join(sorted(functions - _PRIMITIVES)),
    }
    parts = [
        _HEADER.format(**imports),
        _SCALAR_VALUE.format(branches=_cases(_value_bodies())),
        _SCALAR_PARTIALS.format(branches=_cases(_partials_bodies())),
        _SCALAR_EVALUATED.format(branches=_cases(_evaluated_bodies())),
    ]
    for special, family in ((False, ""), (True, "_special")):
        branches = _cases(_value_row_bodies(special))
        parts.append(_VALUE_ROW.format(family=family, note=" Special functions." * special, branches=branches))
        for suffix, accumulate, note in (("", "fma", ""), ("_masked", "masked_fma", _MASKED_NOTE)):
            branches = _cases(_adjoint_bodies(special, accumulate))
            parts.append(_ADJOINT_ROW.format(family=family, suffix=suffix, note=note, branches=branches))
    summed = tuple(code for code, op in enumerate(OPS) if _is_summed(op))
    parts.append(_ADJOINT_SUM.format(summed=summed, branches=_cases(_sum_bodies())))
    return "".join(parts)


def operations_table() -> str:
    """Return the op table as Markdown."""
    lines = ["| operation | value | partials | at the edges |", "|---|---|---|---|"]
    for op in OPS:
        if op.kind == "smooth" or op.name == "where":
            cells = (op.name, f"`{op.value}`", ", ".join(f"`{p}`" for p in op.partials), op.edge)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def readme_with_operations(text: str) -> str:
    """Return the README with the table of operations between its two markers."""
    head, rest = text.split(_TABLE_BEGIN, 1)
    tail = rest.split(_TABLE_END, 1)[1]
    return f"{head}{_TABLE_BEGIN}\n\n{operations_table()}\n\n{_TABLE_END}{tail}"


if __name__ == "__main__":
    TARGET.write_text(generate())
    README.write_text(readme_with_operations(README.read_text()))
