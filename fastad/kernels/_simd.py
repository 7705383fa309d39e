"""Vectors of 8 doubles as numba types, so that one source compiles to scalar and to vector code.

``F64x8`` and ``I64x8`` are LLVM's ``<8 x double>`` and ``<8 x i64>``; comparisons of ``F64x8`` give a
``Mask8``. LLVM splits them to the width of the machine (two AVX2 registers, one AVX-512 register, four
NEON ones). A function written with the operators and the functions of this file accepts ``float64`` or
``F64x8`` and gives the same bits for both, because every step is one IEEE operation:

==================  ==================================================================
``+ - * /``         on F64x8 (a scalar operand is splat); ``+ - *  & | ^ <<`` on I64x8
``< <= > >= == !=`` on F64x8 and I64x8, giving Mask8; ``& | ^`` combine masks
``fma select``      ``select(mask, a, b)``; ``fma(a, b, c)`` is a*b + c rounded once
``fabs sqrt floor rint copysign``  one instruction each (rint: to nearest, ties to even)
``bits from_bits``  reinterpret double as int64 and back
``shr``             logical shift right of int64
``any_lane extract insert splat``  between lanes and scalars
``lane_sum``        sum of the eight lanes: halves, quarters, pairs
``whole pick``      doubles to indices, and the doubles at eight indices
``patch patch2``    replace the few lanes that need a slow scalar function (of two arguments)
``address load store peek poke``  64-bit addresses of array data; offsets count doubles
``peek_index prefetch``  an int32 of an array; ask for the cache lines of a slot
``transpose``       an 8 x 8 tile of doubles, from eight addresses to eight others
==================  ==================================================================

Explicit vectors rather than loops for LLVM to vectorise: destination and operands of a replay row lie in
one workspace, so the loop vectoriser must assume that they alias. An adjoint row of 64 doubles took
68-77 ns as a plain loop and 18-28 ns with these.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, overload, register_model

WIDTH = 8

_DOUBLE = ir.DoubleType()
_INT64 = ir.IntType(64)
_BIT = ir.IntType(1)


class Vector(types.Type):
    """A numba type of eight lanes of one LLVM element type."""

    def __init__(self, name: str, element: ir.Type, scalar: types.Type) -> None:
        self.element = element
        self.scalar = scalar
        self.llvm = ir.VectorType(element, WIDTH)
        super().__init__(name)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Vector) -> None:
        super().__init__(dmm, fe_type, fe_type.llvm)


F64x8 = Vector("F64x8", _DOUBLE, types.float64)
I64x8 = Vector("I64x8", _INT64, types.int64)
Mask8 = Vector("Mask8", _BIT, types.boolean)


def _splat(builder: ir.IRBuilder, scalar: ir.Value, vector: Vector) -> ir.Value:
    undefined = ir.Constant(vector.llvm, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(first, undefined, lanes)


def _widen(context: Any, builder: ir.IRBuilder, ty: types.Type, value: ir.Value, vector: Vector) -> ir.Value:
    if ty is vector:
        return value
    scalar = context.cast(builder, value, ty, vector.scalar)
    if vector is Mask8:
        scalar = builder.trunc(scalar, _BIT) if scalar.type != _BIT else scalar
    return _splat(builder, scalar, vector)


# -------------------- operators --------------------


def _register_binary(op: Callable[..., Any], vector: Vector, result: Vector, emit: Callable[..., ir.Value]) -> None:
    @infer_global(op)
    class _Typing(AbstractTemplate):
        def generic(self, args: tuple[types.Type, ...], kws: dict[str, Any]) -> Any:
            if len(args) != 2 or vector not in args:
                return None
            if all(a is vector or isinstance(a, types.Number | types.Boolean | types.Literal) for a in args):
                return signature(result, *(types.unliteral(a) for a in args))
            return None

    def lower(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        x, y = (_widen(context, builder, t, a, vector) for t, a in zip(sig.args, args, strict=True))
        return emit(builder, x, y)

    for pair in ((vector, vector), (vector, types.Any), (types.Any, vector)):
        lower_builtin(op, *pair)(lower)


def _method(name: str) -> Callable[..., ir.Value]:
    return lambda builder, x, y: getattr(builder, name)(x, y)


def _compare(family: str, symbol: str) -> Callable[..., ir.Value]:
    return lambda builder, x, y: getattr(builder, family)(symbol, x, y)


for _op, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _register_binary(_op, F64x8, F64x8, _method(_name))
for _op, _name in (
    (operator.add, "add"),
    (operator.sub, "sub"),
    (operator.mul, "mul"),
    (operator.and_, "and_"),
    (operator.or_, "or_"),
    (operator.xor, "xor"),
    (operator.lshift, "shl"),
):
    _register_binary(_op, I64x8, I64x8, _method(_name))
for _op, _name in ((operator.and_, "and_"), (operator.or_, "or_"), (operator.xor, "xor")):
    _register_binary(_op, Mask8, Mask8, _method(_name))
for _op, _symbol in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
):
    _register_binary(_op, F64x8, Mask8, _compare("fcmp_ordered", _symbol))
    _register_binary(_op, I64x8, Mask8, _compare("icmp_signed", _symbol))
_register_binary(operator.ne, F64x8, Mask8, _compare("fcmp_unordered", "!="))  # NaN != NaN is true
_register_binary(operator.ne, I64x8, Mask8, _compare("icmp_signed", "!="))


@infer_global(operator.neg)
class _NegTyping(AbstractTemplate):
    def generic(self, args: tuple[types.Type, ...], kws: dict[str, Any]) -> Any:
        return signature(F64x8, F64x8) if args == (F64x8,) else None


@lower_builtin(operator.neg, F64x8)
def _lower_neg(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    return builder.fneg(args[0])


# -------------------- functions of float64 or F64x8 --------------------


def _llvm_function(name: str, arity: int) -> Any:
    """One LLVM floating-point intrinsic, for float64 or F64x8 by the types of the operands."""

    def emit(operands: tuple[types.Type, ...]) -> Any:
        is_vector = F64x8 in operands
        result = F64x8 if is_vector else types.float64
        llvm_type = F64x8.llvm if is_vector else _DOUBLE
        symbol = f"llvm.{name}.{'v8f64' if is_vector else 'f64'}"
        parameters = [t if t is F64x8 else types.float64 for t in operands]

        def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            if is_vector:
                args = [_widen(context, builder, t, a, F64x8) for t, a in zip(sig.args, args, strict=True)]
            function_type = ir.FunctionType(llvm_type, [llvm_type] * arity)
            function = cgutils.get_or_insert_function(builder.module, function_type, symbol)
            return builder.call(function, args)

        return signature(result, *parameters), codegen

    return emit


@intrinsic
def fma(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    """x*y + z, rounded once."""
    return _llvm_function("fma", 3)((x, y, z))


@intrinsic
def fabs(typingctx: Any, x: Any) -> Any:
    """Clear the sign bit."""
    return _llvm_function("fabs", 1)((x,))


@intrinsic
def sqrt(typingctx: Any, x: Any) -> Any:
    """Correctly rounded square root; NaN below zero."""
    return _llvm_function("sqrt", 1)((x,))


@intrinsic
def floor(typingctx: Any, x: Any) -> Any:
    """Largest integer not above x."""
    return _llvm_function("floor", 1)((x,))


@intrinsic
def rint(typingctx: Any, x: Any) -> Any:
    """Nearest integer, ties to even."""
    return _llvm_function("rint", 1)((x,))


@intrinsic
def copysign(typingctx: Any, x: Any, y: Any) -> Any:
    """Magnitude of x with the sign bit of y."""
    return _llvm_function("copysign", 2)((x, y))


@intrinsic
def select(typingctx: Any, mask: Any, x: Any, y: Any) -> Any:
    """X where mask, else y; both are evaluated (for floats, or for I64x8)."""
    if mask is Mask8:
        vector = I64x8 if (x is I64x8 or y is I64x8) else F64x8
        parameters = [t if t is vector else vector.scalar for t in (x, y)]

        def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            a, b = (_widen(context, builder, t, v, vector) for t, v in zip(sig.args[1:], args[1:], strict=True))
            return builder.select(args[0], a, b)

        return signature(vector, mask, *parameters), codegen

    scalar = types.int64 if isinstance(x, types.Integer) and isinstance(y, types.Integer) else types.float64

    def codegen_scalar(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.select(context.cast(builder, args[0], types.boolean, types.boolean), args[1], args[2])

    return signature(scalar, types.boolean, scalar, scalar), codegen_scalar


def _reinterpret(source: Vector, target: Vector, x: types.Type) -> Any:
    is_vector = x is source
    result = target if is_vector else target.scalar
    llvm_type = target.llvm if is_vector else target.element

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.bitcast(args[0], llvm_type)

    return signature(result, source if is_vector else source.scalar), codegen


@intrinsic
def bits(typingctx: Any, x: Any) -> Any:
    """The bits of a double as a signed 64-bit integer."""
    return _reinterpret(F64x8, I64x8, x)


@intrinsic
def from_bits(typingctx: Any, x: Any) -> Any:
    """The double with these bits."""
    return _reinterpret(I64x8, F64x8, x)


@intrinsic
def shr(typingctx: Any, x: Any, count: Any) -> Any:
    """Logical shift right of a 64-bit integer by a scalar count."""
    is_vector = x is I64x8

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        shift = _splat(builder, args[1], I64x8) if is_vector else args[1]
        return builder.lshr(args[0], shift)

    return signature(I64x8 if is_vector else types.int64, x if is_vector else types.int64, types.int64), codegen


# -------------------- lanes --------------------


@intrinsic
def splat(typingctx: Any, x: Any) -> Any:
    """Eight copies of a scalar."""
    vector = I64x8 if isinstance(x, types.Integer) else F64x8

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return _splat(builder, args[0], vector)

    return signature(vector, vector.scalar), codegen


@intrinsic
def any_lane(typingctx: Any, mask: Any) -> Any:
    """True where at least one lane of a Mask8 is."""
    if mask is not Mask8:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        packed = builder.bitcast(args[0], ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", packed, ir.Constant(ir.IntType(WIDTH), 0))

    return signature(types.boolean, mask), codegen


@intrinsic
def lane_bits(typingctx: Any, mask: Any) -> Any:
    """The eight lanes of a Mask8 as the low bits of an int64, lane 0 lowest."""
    if mask is not Mask8:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.zext(builder.bitcast(args[0], ir.IntType(WIDTH)), _INT64)

    return signature(types.int64, mask), codegen


@intrinsic
def extract(typingctx: Any, vector: Any, lane: Any) -> Any:
    """The scalar in one lane."""
    if not isinstance(vector, Vector):
        return None

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.extract_element(args[0], args[1])

    return signature(vector.scalar, vector, types.int64), codegen


@intrinsic
def insert(typingctx: Any, vector: Any, lane: Any, value: Any) -> Any:
    """The vector with one lane replaced."""
    if not isinstance(vector, Vector):
        return None

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.insert_element(args[0], args[2], args[1])

    return signature(vector, vector, types.int64, vector.scalar), codegen


@intrinsic
def lane_sum(typingctx: Any, vector: Any) -> Any:
    """Sum of the eight lanes, in one fixed order: the upper half is added to the lower, three times."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        total, width = args[0], WIDTH
        while width > 1:
            undefined, width = ir.Constant(total.type, ir.Undefined), width // 2
            lanes = ir.VectorType(ir.IntType(32), width)
            lower, upper = (ir.Constant(lanes, list(range(start, start + width))) for start in (0, width))
            total = builder.fadd(
                builder.shuffle_vector(total, undefined, lower), builder.shuffle_vector(total, undefined, upper)
            )
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return signature(types.float64, F64x8), codegen


@intrinsic
def whole(typingctx: Any, vector: Any) -> Any:
    """Doubles below 2**31 in magnitude, truncated to integers: by way of 32 bits, which AVX2 converts to."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.sext(builder.fptosi(args[0], ir.VectorType(ir.IntType(32), WIDTH)), I64x8.llvm)

    return signature(I64x8, F64x8), codegen


def patch(mask: Any, function: Any, x: Any, result: Any) -> Any:
    """``result`` with the lanes under ``mask`` replaced by the jitted scalar ``function(x)``.

    For the rare arguments whose vector code would be slow for all (huge angles). Scalar and
    vector callers run the same scalar function, hence the same bits.
    """
    raise NotImplementedError("patch is compiled, not interpreted")


@overload(patch, inline="always")
def _patch(mask: Any, function: Any, x: Any, result: Any) -> Any:
    if x is F64x8:

        def vector(mask: Any, function: Any, x: Any, result: Any) -> Any:
            if any_lane(mask):  # type: ignore[call-arg]
                for lane in range(WIDTH):
                    if extract(mask, lane):
                        result = insert(result, lane, function(extract(x, lane)))
            return result

        return vector

    def scalar(mask: Any, function: Any, x: Any, result: Any) -> Any:
        return function(x) if mask else result

    return scalar


def patch2(mask: Any, function: Any, x: Any, y: Any, result: Any) -> Any:
    """``patch`` for a function of two arguments; x and y are both vectors or both scalars."""
    raise NotImplementedError("patch2 is compiled, not interpreted")


@overload(patch2, inline="always")
def _patch2(mask: Any, function: Any, x: Any, y: Any, result: Any) -> Any:
    if x is F64x8:

        def vector(mask: Any, function: Any, x: Any, y: Any, result: Any) -> Any:
            if any_lane(mask):  # type: ignore[call-arg]
                for lane in range(WIDTH):
                    if extract(mask, lane):
                        result = insert(result, lane, function(extract(x, lane), extract(y, lane)))
            return result

        return vector

    def scalar(mask: Any, function: Any, x: Any, y: Any, result: Any) -> Any:
        return function(x, y) if mask else result

    return scalar


# -------------------- memory --------------------


@intrinsic
def address(typingctx: Any, array: Any) -> Any:
    """Address of the first element of an array; the caller keeps the array alive."""
    if not isinstance(array, types.Array):
        return None

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, _INT64)

    return signature(types.int64, array), codegen


def _pointer(builder: ir.IRBuilder, base: ir.Value, offset: ir.Value) -> ir.Value:
    byte = builder.add(base, builder.shl(offset, ir.Constant(_INT64, 3)))
    return builder.inttoptr(byte, F64x8.llvm.as_pointer())


@intrinsic
def load(typingctx: Any, base: Any, offset: Any) -> Any:
    """Eight doubles from ``base`` (an address) plus ``offset`` doubles."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.load(_pointer(builder, *args), align=8)

    return signature(F64x8, types.int64, types.int64), codegen


@intrinsic
def store(typingctx: Any, base: Any, offset: Any, value: Any) -> Any:
    """Eight doubles to ``base`` (an address) plus ``offset`` doubles."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        vector = _widen(context, builder, sig.args[2], args[2], F64x8)
        builder.store(vector, _pointer(builder, args[0], args[1]), align=8)
        return context.get_dummy_value()

    value_type = value if value is F64x8 else types.float64
    return signature(types.void, types.int64, types.int64, value_type), codegen


@intrinsic
def peek(typingctx: Any, base: Any, offset: Any) -> Any:
    """One double from ``base`` (an address) plus ``offset`` doubles."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        byte = builder.add(args[0], builder.shl(args[1], ir.Constant(_INT64, 3)))
        return builder.load(builder.inttoptr(byte, _DOUBLE.as_pointer()), align=8)

    return signature(types.float64, types.int64, types.int64), codegen


@intrinsic
def poke(typingctx: Any, base: Any, offset: Any, value: Any) -> Any:
    """Store one double at ``base`` (an address) plus ``offset`` doubles."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        byte = builder.add(args[0], builder.shl(args[1], ir.Constant(_INT64, 3)))
        builder.store(args[2], builder.inttoptr(byte, _DOUBLE.as_pointer()), align=8)
        return context.get_dummy_value()

    return signature(types.void, types.int64, types.int64, types.float64), codegen


@intrinsic
def peek_index(typingctx: Any, base: Any, offset: Any) -> Any:
    """One int32 from ``base`` (an address) plus ``offset`` of them, as int64."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        byte = builder.add(args[0], builder.shl(args[1], ir.Constant(_INT64, 2)))
        pointer = builder.inttoptr(byte, ir.IntType(32).as_pointer())
        return builder.sext(builder.load(pointer, align=4), _INT64)

    return signature(types.int64, types.int64, types.int64), codegen


@intrinsic
def pick(typingctx: Any, base: Any, offsets: Any) -> Any:
    """The doubles at eight offsets from ``base``. One load each: as fast as the gather instruction of AVX2."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        found = ir.Constant(F64x8.llvm, ir.Undefined)
        first = builder.inttoptr(args[0], _DOUBLE.as_pointer())
        for lane in (ir.Constant(ir.IntType(32), i) for i in range(WIDTH)):
            pointer = builder.gep(first, [builder.extract_element(args[1], lane)])
            found = builder.insert_element(found, builder.load(pointer, align=8), lane)
        return found

    return signature(F64x8, types.int64, I64x8), codegen


def _shuffle(builder: ir.IRBuilder, x: ir.Value, y: ir.Value, lanes: list[int]) -> ir.Value:
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), lanes))


def _prefetch(builder: ir.IRBuilder, pointer: ir.Value) -> None:
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag]), "llvm.prefetch.p0"
    )
    read, keep, data = (ir.Constant(flag, number) for number in (0, 3, 1))
    builder.call(function, [builder.bitcast(pointer, byte), read, keep, data])


@intrinsic
def prefetch(typingctx: Any, base: Any) -> Any:
    """Ask for the 512 bytes of a slot."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        first = builder.inttoptr(args[0], F64x8.llvm.as_pointer())
        for line in range(8):
            _prefetch(builder, builder.gep(first, [ir.Constant(_INT64, line)]))
        return context.get_dummy_value()

    return signature(types.void, types.int64), codegen


# Three rounds of pairing vectors that are 1, 2 and 4 apart; the k-th pair of lists takes the even and odd blocks.
_ROUNDS = (
    (1, [0, 8, 2, 10, 4, 12, 6, 14], [1, 9, 3, 11, 5, 13, 7, 15]),
    (2, [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]),
    (4, [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]),
)


@intrinsic
def transpose(typingctx: Any, sources: Any, source_offset: Any, targets: Any, target_offset: Any) -> Any:
    """Transpose an 8 x 8 tile of doubles.

    ``sources`` and ``targets`` are addresses of eight addresses each, of the rows read and of those written;
    offsets count doubles from each of these. Asks for the cache lines four tiles on: the hardware does
    not foresee 64 rows read side by side.
    """

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        def row(addresses: ir.Value, number: int, offset: ir.Value) -> ir.Value:
            at = builder.inttoptr(addresses, _INT64.as_pointer())
            base = builder.load(builder.gep(at, [ir.Constant(_INT64, number)]), align=8)
            return _pointer(builder, base, offset)

        pointers = [row(args[0], i, args[1]) for i in range(WIDTH)]
        for pointer in pointers:
            ahead = builder.gep(pointer, [ir.Constant(_INT64, 4)])
            _prefetch(builder, ahead)
        rows = [builder.load(pointer, align=8) for pointer in pointers]
        for distance, even, odd in _ROUNDS:
            for i in range(WIDTH):
                if i & distance == 0:
                    x, y = rows[i], rows[i + distance]
                    rows[i], rows[i + distance] = _shuffle(builder, x, y, even), _shuffle(builder, x, y, odd)
        for i in range(WIDTH):
            builder.store(rows[i], row(args[2], i, args[3]), align=8)
        return context.get_dummy_value()

    return signature(types.void, types.int64, types.int64, types.int64, types.int64), codegen
