"""The grammar of the table, its rewriting for the kernels, and that the checked-in kernels are the table's."""

import pytest

from fastad import codegen
from fastad.ops import BY_NAME, OPCODE, OPS, Op
from fastad.rules import check, functions_in, kernel_source, names_in

# The order of the table is a file format: rows may be added behind these, never moved.
ORDER = [
    *["input", "add", "sub", "mul", "div", "neg", "pow", "abs", "exp", "log", "sqrt", "sin", "cos", "tanh", "erf"],
    *["norm_pdf", "norm_cdf", "maximum", "minimum", "stop_gradient", "cond", "where", "less", "less_equal"],
    *["greater", "greater_equal", "equal", "not_equal", "same", "logical_and", "logical_or", "logical_not", "guard"],
]


def unary(value="x", partial="1.0"):
    return Op("trial", value, (partial,))


def binary(value="x + y", first="1.0", second="1.0"):
    return Op("trial", value, (first, second))


def test_opcodes_never_move():
    assert [op.name for op in OPS[: len(ORDER)]] == ORDER
    assert [OPCODE[op.name] for op in OPS] == list(range(len(OPS)))
    assert all(BY_NAME[op.name] is op for op in OPS)
    assert len(OPS) <= 256, "opcode is a uint8 column"


@pytest.mark.parametrize(
    "op",
    [
        unary("exp(x) * -x"),
        unary("x", "v + c"),
        binary("x / y", "1.0 / y", "-v / y"),
        binary("where((x >= y) | (x != x), x, y)"),
        binary("where((x < 1e-3) & (y == 0.0), 1.0, 0.0)"),
        binary("where(c != 0.0, x, y)"),
    ],
    ids=lambda op: op.value,
)
def test_rules_within_the_grammar(op):
    check(op)


BAD = {
    "unknown name": "x + z",
    "unknown function": "sinh_(x)",
    "operand that the row does not have": "x + y",
    "int constant": "x + 1",
    "bool constant": "x + True",
    "string": "'x'",
    "complex constant": "x + 1j",
    "lambda": "(lambda a: a)(x)",
    "attribute": "x.real",
    "method": "x.sin()",
    "subscript": "x[0.0]",
    "power operator": "x ** 2.0",
    "floor division": "x // 2.0",
    "remainder": "x % 2.0",
    "conditional expression": "x if x > 0.0 else 0.0",
    "and": "where(x > 0.0 and x < 1.0, x, 0.0)",
    "not": "where(not x > 0.0, x, 0.0)",
    "unary plus": "+x",
    "invert": "~x",
    "tuple": "(x, x)",
    "list": "[x]",
    "comprehension": "[x for x in x]",
    "walrus": "(x := 1.0)",
    "keyword argument": "exp(x=x)",
    "star argument": "exp(*x)",
    "f-string": "f'{x}'",
    "structure row as function": "input(x)",
    "is": "x is x",
}


@pytest.mark.parametrize("rule", BAD.values(), ids=BAD.keys())
def test_rules_outside_the_grammar(rule):
    with pytest.raises(ValueError, match="trial"):
        check(unary(value=rule))
    with pytest.raises(ValueError, match="trial"):
        check(unary(partial=rule))


def test_value_cannot_read_itself():
    check(unary(partial="v"))
    with pytest.raises(ValueError, match="unknown name 'v'"):
        check(unary(value="v"))


@pytest.mark.parametrize("rule", ["x(1.0)", "exp + exp(x)", "exp"])
def test_operands_are_not_called_and_functions_are(rule):
    with pytest.raises(ValueError, match="trial"):
        check(unary(value=rule))


@pytest.mark.parametrize("rule", ["exp(x, x)", "where(x > 0.0, x)", "pow(x)"])
def test_functions_take_as_many_arguments_as_their_row(rule):
    with pytest.raises(ValueError, match="trial"):
        check(unary(value=rule))


def test_table_is_closed_under_differentiation():
    for op in OPS:
        for partial in op.partials:
            kernels = {"select": "where", "fabs": "abs"}
            assert {kernels.get(name, name) for name in functions_in(partial)} <= set(BY_NAME), op.name


def test_kernel_source():
    assert kernel_source("where(abs(x) > 0.0, -x, exp(v))") == "select(fabs(x) > 0.0, -x, exp(v))"
    assert kernel_source("where(c != 0.0, x, v)", {"c": "c_", "v": "v_"}) == "select(c_ != 0.0, x, v_)"
    assert kernel_source("x * (y - 1.0)", {"x": "a + b"}) == "(a + b) * (y - 1.0)"
    assert names_in("where(c != 0.0, exp(x), 1.0)") == {"c", "x"}
    assert functions_in("where(c != 0.0, exp(abs(x)), 1.0)") == {"select", "exp", "fabs"}


def test_kernels_are_fresh():
    assert codegen.generate() == codegen.TARGET.read_text(), "stale: run python fastad/codegen.py"
