"""Rules of the op table as LLVM instructions, for any arithmetic.

``evaluate`` walks the text of a rule and hands every step to an arithmetic: doubles here, duals in ``duals.py``. The
functions of doubles are the scalar kernels that replay and Python recording call, hence the same bits.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from ..kernels import vmath
from ..ops import BY_NAME

DOUBLE = ir.DoubleType()
_BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
_INSTRUCTIONS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "neg": "fneg"}
SYMBOL = {"less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!="}
_SYMBOLS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_INTRINSICS = {"abs": "fabs", "sqrt": "sqrt", "floor": "floor", "rint": "rint", "copysign": "copysign"}


@cache
def _parsed(rule: str) -> ast.expr:
    return ast.parse(rule, mode="eval").body


def evaluate(rule: str, names: Mapping[str, Any], arithmetic: Any) -> Any:
    """Emit a rule of the table; ``names`` holds the operands as values of the arithmetic."""
    return _emit(_parsed(rule), names, arithmetic)


def _emit(node: ast.expr, names: Mapping[str, Any], arithmetic: Any) -> Any:
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.Constant):
        return arithmetic.constant(node.value)
    if isinstance(node, ast.UnaryOp):
        return arithmetic.apply("neg", _emit(node.operand, names, arithmetic))
    if isinstance(node, ast.Compare):
        sides = (_emit(side, names, arithmetic) for side in (node.left, node.comparators[0]))
        return arithmetic.compare(_SYMBOLS[type(node.ops[0])], *sides)
    if isinstance(node, ast.BinOp):
        x, y = (_emit(side, names, arithmetic) for side in (node.left, node.right))
        if isinstance(node.op, ast.BitAnd):
            return arithmetic.builder.and_(x, y)
        if isinstance(node.op, ast.BitOr):
            return arithmetic.builder.or_(x, y)
        return arithmetic.apply(_BINARY[type(node.op)], x, y)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    operands = [_emit(argument, names, arithmetic) for argument in node.args]
    if node.func.id == "where":
        return arithmetic.where(*operands)
    return arithmetic.apply(node.func.id, *operands)


class Floats:
    """Arithmetic of doubles: one instruction, or one scalar kernel."""

    type = types.float64

    def __init__(self, context: Any, builder: ir.IRBuilder) -> None:
        self.context = context
        self.builder = builder

    def constant(self, number: float) -> ir.Value:
        """Return a number as a constant."""
        return ir.Constant(DOUBLE, number)

    def convert(self, numba_type: types.Type, value: ir.Value) -> ir.Value:
        """Return a real number of any type as a double."""
        return self.context.cast(self.builder, value, types.unliteral(numba_type), types.float64)

    def pack(self, value: ir.Value) -> ir.Value:
        """Return an operand as numba holds it."""
        return value

    def condition(self, numba_type: types.Type, value: ir.Value) -> ir.Value:
        """Return a plain boolean as the machine's bit."""
        return self.context.cast(self.builder, value, types.unliteral(numba_type), types.boolean)

    def compare_as(self, name: str, x: ir.Value, y: ir.Value) -> ir.Value:
        """Compare by an operation of the table, such as less."""
        return self.compare(SYMBOL[name], x, y)

    def test(self, name: str, x: ir.Value) -> ir.Value:
        """A condition of one operand, such as isnan."""
        return self.compare("!=", self.apply(name, x), self.constant(0.0))

    def truth(self, condition: ir.Value, site: Any) -> ir.Value:
        """A plain boolean is its own truth."""
        return condition

    def pack_condition(self, condition: ir.Value) -> ir.Value:
        """Return a plain boolean as numba holds it."""
        return condition

    def multiply_add(self, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
        """x*y + z, rounded once, where a product with an exactly zero factor is zero: as the masked sweeps do it."""
        zero = self.constant(0.0)
        nothing = self.builder.or_(self.compare("==", x, zero), self.compare("==", y, zero))
        return self.builder.select(nothing, z, self._intrinsic("fma", (x, y, z)))

    def where(self, condition: ir.Value, x: ir.Value, y: ir.Value) -> ir.Value:
        """Choose by a plain boolean."""
        return self.builder.select(condition, x, y)

    select = where

    def plain_number(self, x: ir.Value) -> ir.Value:
        """Return the number itself."""
        return x

    def primal(self, x: ir.Value) -> ir.Value:
        """Return the number itself."""
        return x

    def apply(self, name: str, *operands: ir.Value) -> ir.Value:
        """Value of an operation of the table, or of a function that its rules call."""
        if name in _INSTRUCTIONS:
            return getattr(self.builder, _INSTRUCTIONS[name])(*operands)
        if name in _INTRINSICS:
            return self._intrinsic(_INTRINSICS[name], operands)
        rule = BY_NAME[name].value
        if isinstance(_parsed(rule), ast.Call) and rule.startswith(f"{name}("):
            return self.call(getattr(vmath, name), *operands)
        return evaluate(rule, dict(zip("xy", operands)), self)

    def compare(self, symbol: str, x: ir.Value, y: ir.Value) -> ir.Value:
        """Compare two doubles as IEEE does: only ``!=`` holds for a NaN."""
        family = self.builder.fcmp_unordered if symbol == "!=" else self.builder.fcmp_ordered
        return family(symbol, x, y)

    def call(self, kernel: Any, *operands: ir.Value) -> ir.Value:
        """Call a jitted kernel of doubles, which raises nothing; LLVM inlines the short ones."""
        kernel.compile((types.float64,) * len(operands))
        compiled = kernel.overloads[(types.float64,) * len(operands)]
        self.context.add_linking_libs([compiled.library])
        _, result = self.context.call_internal_no_propagate(self.builder, compiled.fndesc, compiled.signature, operands)
        return result

    def _intrinsic(self, name: str, operands: tuple[ir.Value, ...]) -> ir.Value:
        function_type = ir.FunctionType(DOUBLE, [DOUBLE] * len(operands))
        function = cgutils.get_or_insert_function(self.builder.module, function_type, f"llvm.{name}.f64")
        return self.builder.call(function, operands)
