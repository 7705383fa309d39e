"""Rule text checked and turned into kernel source.

``check`` enforces the grammar stated in ``ops.py``; ``kernel_source`` rewrites a rule in the words of the
kernels: ``where`` becomes ``select``, ``abs`` becomes ``fabs``, operands become whatever the caller loads.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from .ops import OPS, Op

# Table functions whose kernel goes by another name; the kernels avoid the names of builtins.
_KERNEL_NAMES = {"where": "select", "abs": "fabs"}

# Functions that a rule may call, and how many arguments they take.
_ARITY = {op.name: op.arity for op in OPS if op.kind != "structure"} | {"where": 3}

_ALLOWED = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.Call,
    ast.Name,
    ast.Constant,
    ast.Load,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.BitAnd,
    ast.BitOr,
    ast.USub,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.Eq,
    ast.NotEq,
)


def names_in(rule: str) -> frozenset[str]:
    """Operand names (x, y, v, c) that a rule reads."""
    tree = ast.parse(rule, mode="eval")
    return frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name)) & {"x", "y", "v", "c"}


def check(op: Op) -> None:
    """Raise ValueError where a row of the table leaves the grammar."""
    operands = {"x", "y"} if op.arity == 2 else {"x"}
    for rule, extra in [(op.value, {"c"}), *((p, {"c", "v"}) for p in op.partials)]:
        tree = ast.parse(rule, mode="eval")
        for node in ast.walk(tree):
            if not isinstance(node, _ALLOWED):
                raise ValueError(f"{op.name}: {type(node).__name__} is not part of the rule grammar: {rule!r}")
            if isinstance(node, ast.Constant) and not isinstance(node.value, float):
                raise ValueError(f"{op.name}: write constants as floats: {rule!r}")
            if isinstance(node, ast.Call):
                _check_call(op, node, rule)
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and id(node) not in called and node.id not in operands | extra:
                raise ValueError(f"{op.name}: unknown name {node.id!r} in {rule!r}")


def _check_call(op: Op, node: ast.Call, rule: str) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in _ARITY or node.keywords:
        raise ValueError(f"{op.name}: {name or 'an expression'} is not a function of the table: {rule!r}")
    if len(node.args) != _ARITY[name]:
        raise ValueError(f"{op.name}: {name} takes {_ARITY[name]} arguments: {rule!r}")


class _Rewrite(ast.NodeTransformer):
    def __init__(self, operands: Mapping[str, str]) -> None:
        self.operands = operands

    def visit_Call(self, node: ast.Call) -> ast.AST:
        assert isinstance(node.func, ast.Name)
        name = _KERNEL_NAMES.get(node.func.id, node.func.id)
        arguments = [self.visit(a) for a in node.args]
        return ast.Call(ast.Name(name, ast.Load()), arguments, [])

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.parse(self.operands.get(node.id, node.id), mode="eval").body


def kernel_source(rule: str, operands: Mapping[str, str] | None = None) -> str:
    """Return the rule as source for the kernels, with operand names replaced by the given expressions."""
    tree = _Rewrite(operands or {}).visit(ast.parse(rule, mode="eval"))
    return ast.unparse(ast.fix_missing_locations(tree))


def functions_in(rule: str) -> frozenset[str]:
    """Kernel functions that a rule calls."""
    tree = ast.parse(rule, mode="eval")
    names = (n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name))
    return frozenset(_KERNEL_NAMES.get(name, name) for name in names)
