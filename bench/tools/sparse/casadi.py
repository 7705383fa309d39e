"""CasADi: symbolic scalars, derivatives with sparsity and colouring of its own, evaluated by its virtual machine."""

from __future__ import annotations

from types import SimpleNamespace

import casadi as ca
import numpy as np


class Vector:
    """Symbols with NumPy's indexing and sums, for functions written for arrays."""

    def __init__(self, symbols):
        self.symbols = symbols

    @property
    def size(self):
        return self.symbols.shape[0]

    def __getitem__(self, at):
        if isinstance(at, np.ndarray):
            return Vector(self.symbols[at.tolist()])
        found = self.symbols[at]
        return found if isinstance(at, int) else Vector(found)

    def sum(self):
        return ca.sum1(self.symbols)


def _of(x):
    return x.symbols if isinstance(x, Vector) else x


def _operator(name):
    def apply(self, *others):
        found = getattr(self.symbols, name)(*map(_of, others))
        return Vector(found) if isinstance(found, ca.SX) else found

    return apply


for _name in ("add", "sub", "mul", "truediv", "radd", "rsub", "rmul", "neg"):
    setattr(Vector, f"__{_name}__", _operator(f"__{_name}__"))

LIBRARY = SimpleNamespace(
    exp=lambda x: Vector(ca.exp(_of(x))),
    sin=lambda x: Vector(ca.sin(_of(x))),
    join=lambda parts: Vector(ca.vertcat(*map(_of, parts))),
)


def _prepared(system, differentiate):
    """The call of a compiled derivative, straight into the memory of a matrix."""
    from scipy.sparse import csc_array

    x = ca.SX.sym("x", system.x.size)
    function = ca.Function("derivative", [x], [differentiate(_of(system.f(Vector(x), LIBRARY)), x)])
    shape = function.sparsity_out(0)
    elements, point = np.empty(shape.nnz()), np.ascontiguousarray(system.x)
    buffer, evaluate = function.buffer()
    buffer.set_arg(0, memoryview(point))
    buffer.set_res(0, memoryview(elements))
    rows, starts = np.array(shape.row()), np.array(shape.colind())
    alive = function, buffer, point  # the buffer holds addresses alone

    def call(alive=alive):
        evaluate()
        return csc_array((elements, rows, starts), shape=shape.shape)

    return call


def sparse_jacobian(system, threads):
    return _prepared(system, ca.jacobian)


def sparse_hessian(system, threads):
    return _prepared(system, lambda f, x: ca.hessian(f, x)[0])


WAYS = {"sparse_jacobian": sparse_jacobian, "sparse_hessian": sparse_hessian}
