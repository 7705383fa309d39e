"""A hypothesis state machine drives a tape against a slow model: a list of rows, and the chain rule in Python.

Small caps and thousands of staged rows, marks and rewinds, values used after they are gone: whatever the order,
the tape has the model's rows and sweeps, or raises what the model says.
"""

from math import inf

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

import fastad as fad
from fastad.errors import TapeError, TapeFullError
from fastad.ops import OPCODE

# Dyadic numbers and piecewise linear operations keep every float exact: the model needs no tolerance.
UNARY = {
    "neg": (lambda x: -x, lambda x: -1.0),
    "abs": (abs, lambda x: float(x > 0.0) - float(x < 0.0)),
    "floor": (lambda x: float(np.floor(x)), lambda x: 0.0),
    "stop_gradient": (lambda x: x, lambda x: 0.0),
}
BINARY = {
    "add": (lambda x, y: x + y, lambda x, y: (1.0, 1.0)),
    "sub": (lambda x, y: x - y, lambda x, y: (1.0, -1.0)),
    "mul": (lambda x, y: x * y, lambda x, y: (y, x)),
    "maximum": (lambda x, y: x if x >= y else y, lambda x, y: (1.0, 0.0) if x >= y else (0.0, 1.0)),
    "minimum": (lambda x, y: x if x <= y else y, lambda x, y: (1.0, 0.0) if x <= y else (0.0, 1.0)),
}
OPERATORS = {"neg": lambda x: -x, "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y}
NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 0.25])
LARGEST = 2.0**20  # beyond it an operation is skipped, so that products stay exact


class Model:
    """Rows (name, row or None, row or None, partial, partial, value); None where an operand is passive."""

    def __init__(self):
        self.rows = []
        self.inputs = []
        self.cap = inf

    def add(self, name, i=None, j=None, p=0.0, q=0.0, value=0.0):
        if name == "input":
            self.inputs.append(len(self.rows))
        self.rows.append((name, i, j, p, q, value))

    def rewind(self, mark):
        del self.rows[mark:]
        self.inputs = [row for row in self.inputs if row < mark]

    def reverse(self, row, wrt):
        adjoint = [0.0] * len(self.rows)
        adjoint[row] = 1.0
        for k in reversed(range(row + 1)):
            _, i, j, p, q, _ = self.rows[k]
            if i is not None:
                adjoint[i] += adjoint[k] * p
            if j is not None:
                adjoint[j] += adjoint[k] * q
        return [adjoint[k] for k in wrt]

    def forward(self, row, directions):
        tangent = [0.0] * len(self.rows)
        for k, direction in zip(self.inputs, directions):
            tangent[k] = direction
        for k, (_, i, j, p, q, _) in enumerate(self.rows):
            if i is not None:
                tangent[k] += p * tangent[i]
            if j is not None:
                tangent[k] += q * tangent[j]
        return tangent[row]


class TapeMachine(RuleBasedStateMachine):
    """Values are (active, its row in the model, its number); a rewind makes the later ones stale."""

    values = Bundle("values")
    marks = Bundle("marks")

    @initialize()
    def start(self):
        self.tape = fad.Tape()
        self.model = Model()
        self.views = []

    def record(self, count, act, describe):
        """Do it on both, unless the cap forbids it: then neither changes."""
        if len(self.model.rows) + count > self.model.cap:
            with pytest.raises(TapeFullError, match=rf"the cap is {self.model.cap} rows"):
                act()
            return None
        result = act()
        describe()
        return result

    def forget(self, mark):
        self.model.rewind(mark)
        for kept in self.views:
            del kept[1][mark:]

    def is_stale(self, *operands):
        """As the tape can know it: the row is not there (one recorded anew in its place counts as there)."""
        return any(row >= len(self.model.rows) for _, row, _ in operands)

    def is_gone(self, operand):
        """The row is there, but it is another one."""
        _, row, number = operand
        return row < len(self.model.rows) and self.model.rows[row][-1] != number

    # -------------------- recording --------------------

    @rule(target=values, value=NUMBERS)
    def input(self, value):
        row = len(self.model.rows)
        x = self.record(1, lambda: self.tape.input(value), lambda: self.model.add("input", value=value))
        return multiple() if x is None else (x, row, value)

    @rule(target=values, numbers=st.lists(NUMBERS, max_size=4))
    def inputs(self, numbers):
        row = len(self.model.rows)
        array = self.record(
            len(numbers),
            lambda: self.tape.inputs(numbers),
            lambda: [self.model.add("input", value=v) for v in numbers],
        )
        return multiple() if array is None else multiple(*((array[k], row + k, v) for k, v in enumerate(numbers)))

    @rule(target=values, name=st.sampled_from(sorted(UNARY)), x=values)
    def unary(self, name, x):
        value, partial = UNARY[name]
        apply = OPERATORS.get(name, getattr(fad, name))
        return self.operation(name, apply, (x,), lambda a: value(a), lambda a: (partial(a), 0.0))

    @rule(target=values, name=st.sampled_from(sorted(BINARY)), x=values, y=values)
    def binary(self, name, x, y):
        return self.operation(name, OPERATORS.get(name, getattr(fad, name)), (x, y), *BINARY[name])

    @rule(target=values, name=st.sampled_from(sorted(BINARY)), x=values, number=NUMBERS, first=st.booleans())
    def binary_with_a_number(self, name, x, number, first):
        passive = (number, None, number)
        operands = (passive, x) if first else (x, passive)
        return self.operation(name, OPERATORS.get(name, getattr(fad, name)), operands, *BINARY[name])

    def operation(self, name, apply, operands, value, partials):
        active = [o for o in operands if o[1] is not None]
        arguments = [o[0] for o in operands]
        if self.is_stale(*active):
            with pytest.raises(TapeError, match="rewound or cleared"):
                apply(*arguments)
            return multiple()
        numbers = [o[2] for o in operands]
        if any(map(self.is_gone, active)) or abs(value(*numbers)) > LARGEST:
            return multiple()
        row, rows = len(self.model.rows), [o[1] for o in operands] + [None]
        # The column of a passive operand holds its value; the model keeps what the columns hold.
        p, q = (n if i is None else d for n, i, d in zip([*numbers, 0.0], rows, partials(*numbers)))
        out = self.record(
            1,
            lambda: apply(*arguments),
            lambda: self.model.add(name, rows[0], rows[1], p, q, value(*numbers)),
        )
        return multiple() if out is None else (out, row, value(*numbers))

    @rule(x=values, count=st.integers(1000, 5000))
    def growth(self, x, count):
        """More rows than a stage or the first columns hold, dropped again so that the model stays fast."""
        if self.is_stale(x) or self.is_gone(x):
            return
        before = len(self.model.rows)
        fits = int(min(count, self.model.cap - before))
        active, row, number = x
        y = active
        for _ in range(fits):
            y = y + 1.0
        if fits < count:
            with pytest.raises(TapeFullError):
                y + 1.0
        assert (len(self.tape), y.value, y.index) == (before + fits, number + fits, before + fits - 1 if fits else row)
        assert self.tape.reverse(y, wrt=active) == 1.0
        self.tape.rewind(before)

    # -------------------- positions --------------------

    @rule(target=marks)
    def mark(self):
        mark = self.tape.mark()
        assert mark == len(self.model.rows)
        return mark

    @rule(mark=marks)
    def rewind(self, mark):
        if mark > len(self.model.rows):
            with pytest.raises(TapeError, match="not a mark of this tape"):
                self.tape.rewind(mark)
        else:
            self.tape.rewind(mark)
            self.forget(mark)

    @rule()
    def clear(self):
        self.tape.clear()
        self.forget(0)

    @rule(room=st.integers(0, 8))
    def lower_the_cap(self, room):
        """The instance's own cap, as the int32 limit or max_bytes would set it; at work from the next room made."""
        self.tape._flush()
        self.tape._max_rows = self.model.cap = len(self.model.rows) + room
        self.tape._limit = min(self.tape._limit, float(self.model.cap))

    @rule()
    def lift_the_cap(self):
        self.tape._max_rows, self.model.cap = fad.Tape._max_rows, inf

    # -------------------- sweeps --------------------

    @rule(y=values, x=values)
    def reverse(self, y, x):
        if self.is_stale(y):
            with pytest.raises(TapeError, match="rewound or cleared"):
                self.tape.reverse(y[0])
        elif not self.is_gone(y):
            assert self.tape.reverse(y[0]).tolist() == self.model.reverse(y[1], self.model.inputs)
            many = self.tape.reverse(y[0], [[1.0, 0.0, -2.0]])
            assert many.T.tolist() == [[s * g for g in self.tape.reverse(y[0])] for s in (1.0, 0.0, -2.0)]
            if self.is_stale(x):
                with pytest.raises(TapeError, match="rewound or cleared"):
                    self.tape.reverse(y[0], wrt=x[0])
            else:
                assert [self.tape.reverse(y[0], wrt=x[0])] == self.model.reverse(y[1], [x[1]])

    @rule(y=values, numbers=st.lists(NUMBERS, min_size=1, max_size=5))
    def forward(self, y, numbers):
        directions = [numbers[k % len(numbers)] for k in range(len(self.model.inputs))]
        if self.is_stale(y):
            with pytest.raises(TapeError, match="rewound or cleared"):
                self.tape.forward(y[0], directions)
        elif not self.is_gone(y):
            assert self.tape.forward(y[0], directions) == self.model.forward(y[1], directions)

    # -------------------- what always holds --------------------

    @rule()
    def look(self):
        """The columns are the model's rows."""
        rows = self.model.rows
        assert self.tape.opcode.tolist() == [OPCODE[name] for name, *_ in rows]
        assert self.tape.arg0.tolist() == [-1 if i is None else i for _, i, *_ in rows]
        assert self.tape.arg1.tolist() == [-1 if j is None else j for _, _, j, *_ in rows]
        assert self.tape.value.tolist() == [row[-1] for row in rows]
        columns = zip(rows, self.tape.partial0.tolist(), self.tape.partial1.tolist())
        for (name, i, j, p, q, _), first, second in columns:
            if name != "input":
                assert first == p
                assert second == q or (j is None and name in UNARY)
            assert i is None or i < len(rows)

    @rule()
    def keep_a_view(self):
        """A view shows the rows that are not dropped since, whatever grows later."""
        view = self.tape.value
        assert not view.flags.writeable
        assert view.size == len(self.model.rows)
        self.views.append([view, view.tolist()])

    @rule()
    def look_at_old_views(self):
        for view, expected in self.views:
            assert view[: len(expected)].tolist() == expected

    @invariant()
    def lengths_agree(self):
        if hasattr(self, "tape"):
            assert len(self.tape) == len(self.model.rows)
            assert len(self.tape._input_rows) == len(self.model.inputs)
            assert f"{len(self.model.rows)} rows, {len(self.model.inputs)} inputs" in repr(self.tape)


TestTape = TapeMachine.TestCase
TestTape.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, database=None)
