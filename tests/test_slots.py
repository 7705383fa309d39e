"""Values and adjoints that share slots: no number changes, and no slot is taken while it is needed."""

import itertools
import re

import numpy as np
import pytest
from helpers_core import assert_same_bits, assert_same_numbers, repeatable
from helpers_passes import ROWS, batch_under, codes, run
from hypothesis import example, given
from hypothesis import strategies as st

import fastad as fad
from fastad.kernels.batch import AHEAD, BAR, FIRST_X, FIRST_Y, OUT, TO_X, A
from fastad.ops import OPCODE, OPS
from fastad.program.build import PASSES, build
from fastad.program.plan import draft
from fastad.program.slots import read_ahead, share_adjoints, share_values
from fastad.structure import flatten

GUARD, LOCATE, TAKE = (OPCODE[name] for name in ("guard", "locate", "take"))
SHARING = (share_values, share_adjoints)
ORDERS = [order for k in range(len(SHARING) + 1) for order in itertools.permutations(SHARING, k)]
ORDERS += [PASSES, (read_ahead,), (read_ahead, share_values)]


def test_all_passes_are_on():
    assert set(PASSES) == {*SHARING, read_ahead}


# -------------------- no number changes --------------------


def assert_same_under_all_passes(program, *args, **options):
    """Every choice and order of passes gives the bits that the bare draft gives."""
    for reduce in (None, "sum"):
        bare = flat(batch_under((), program, *args, reduce=reduce, **options))
        for order in ORDERS:
            shared = flat(batch_under(order, program, *args, reduce=reduce, **options))
            assert len(shared) == len(bare)
            for a, b in zip(shared, bare):
                assert_same_bits(a, b, f"{order} {reduce}")


def flat(result):
    return flatten((result.value, result.gradient))[0]


@repeatable
@given(
    code=codes,
    varies=st.lists(st.booleans(), min_size=3, max_size=3).filter(any),
    wrt=st.sampled_from([0, 1, (0, 2), (2, 1, 0), None]),
    n=st.sampled_from([1, 63, 70]),
)
@example(code=[("take", 0, 1), ("take", 0, 0), ("mul", 0, 1)], varies=[True, False, True], wrt=(2, 1, 0), n=70)
@example(code=[("where", 0, 1), ("interp", 0, 2), ("branch", 0, 1)], varies=[True, True, False], wrt=(0, 2), n=70)
def test_random_programs(code, varies, wrt, n):
    """Results: two values of the program, an input, a constant; single calls agree."""

    def f(*inputs):
        values = run(code, inputs)
        return {"last": values[-1], "middle": values[len(values) // 2], "input": inputs[1], "constant": 2.5}

    rng = np.random.default_rng(len(code))
    start = rng.uniform(-1.5, 1.5, 3)
    args = [rng.uniform(-1.5, 1.5, n) if v else float(x) for x, v in zip(start, varies)]
    options = {"axes": [0 if v else None for v in varies], "wrt": wrt, "threads": 1}
    program = fad.record(f, *start)
    assert_same_under_all_passes(program, *args, **options)
    got = program.batch(*args, **options)
    for i in {0, n - 1}:
        x = [a[i] if v else a for a, v in zip(args, varies)]
        value = program(*x)
        for name in value:
            assert_same_bits(got.value[name][i], value[name], name)
            if wrt is not None:
                jacobian = program.jacobian(*x, argnums=wrt)[name]
                each = got.gradient[name] if isinstance(wrt, tuple) else [got.gradient[name]]
                assert_same_numbers([g[i] for g in each], np.reshape(jacobian, -1), name)


def walk(path, level):
    """Guards in a loop, a table of actives that grows out of the path, and several results."""
    alive, highest = 1.0, path[0]
    for s in path:
        alive = alive * fad.where(s > level, 0.5, 1.0)
        highest = fad.maximum(highest, s)
        if s < -1.5:
            break
    table = fad.array([alive, level * path[0], highest, path[-1]])
    return alive * highest, fad.interp(path[1], [-1.0, 0.0, 1.0, 2.0], table), table[2], 1.0, path


@pytest.mark.parametrize(("axes", "wrt"), [((0, 0), (0, 1)), ((0, None), (0, 1)), ((0, None), 1), ((None, 0), 0)])
def test_variants_tables_and_arrays(axes, wrt):
    rng = np.random.default_rng(1)
    program = fad.record(walk, rng.normal(size=6), 0.4)
    path, level = rng.normal(size=(200, 6)), rng.normal(size=200)
    args = [a if axis == 0 else a[0] for a, axis in zip((path, level), axes)]
    assert_same_under_all_passes(program, *args, axes=axes, wrt=wrt)
    assert axes[0] is None or len(program.variants) > 2


def doubled(x):
    """The last row to read x reads it twice; two values are alive after it."""
    twice = x + x
    return fad.sin(twice) * twice


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: doubled(doubled(x - y) - x),
        lambda x, y: (x, y, x),
        lambda x, y: (2.0, 3.0),
        lambda x, y: (x, x * x, y * x, x),
        lambda x, y: fad.take(fad.array([x, x, y, x]), y),
        lambda x, y: (fad.take(fad.array([x, y]), x), x * y),
        lambda x, y: fad.where(x > y, fad.sqrt(x), 0.0),
    ],
)
@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0)])
def test_results_that_are_inputs_constants_or_nan(f, axes):
    x, y = np.linspace(-1.0, 2.0, 65), np.linspace(3.0, -1.0, 65)
    x[3] = y[5] = 0.0
    args = [a if axis == 0 else float(a[3]) for a, axis in zip((x, y), axes)]
    program = fad.record(f, 0.7, 0.2)
    for wrt in (0, 1, (1, 0)):
        assert_same_under_all_passes(program, *args, axes=axes, wrt=wrt)


def test_values_that_need_no_slot():
    """A table that no result reads, and a varying argument that none depends on: nothing stands in a slot."""

    def f(x, t):
        fad.take(fad.array([t, 2.0 * t, x]), x)
        return t * 3.0

    program = fad.record(f, 0.0, 1.0)
    result = program.batch(np.zeros(70), 2.0, axes=(0, None), wrt=1, reduce="sum")
    assert (result.value, result.gradient) == (70 * 6.0, 70 * 3.0)
    assert_same_under_all_passes(program, np.zeros(70), 2.0, axes=(0, None), wrt=(0, 1))


# -------------------- no slot is taken while it is needed --------------------


def names_read(partial):
    return set(re.findall(r"\b[xycv]\b", partial))


class Memory:
    """Slots that hold the names of what was stored last."""

    def __init__(self, size):
        self.slots = [None] * size

    def store(self, slot, name):
        assert 0 <= slot < len(self.slots), (slot, name)
        self.slots[slot] = name

    def check(self, slot, name):
        assert slot >= 0, (slot, name)
        assert self.slots[slot] == name, f"slot {slot} holds {self.slots[slot]}, not {name}"

    def check_reference(self, slot, name):
        """Slots may be others than in the draft; uniform values stay where they are."""
        if name >= 0:
            self.check(slot, name)
        else:
            assert slot == name


def elements(plan, table):
    starts = plan.tables[0]
    return range(starts[table], starts[table + 1])


def simulate_values(bare, shared):
    """Run the forward pass on names, which are the slots of the draft; returns the memory after it."""
    memory = Memory(shared.n_slots)
    for slot, name in zip(shared.input_slots, bare.input_slots):
        assert (slot < 0) == (name < 0)
        if name >= 0:
            memory.store(slot, name)
    for row, names in zip(shared.forward, bare.forward):
        op, out, a, b, c = row
        assert op == names[0]
        memory.check_reference(a, names[2])
        if op in (GUARD, LOCATE, TAKE):
            assert b == names[3]  # an outcome, or a table
        else:
            memory.check_reference(b, names[3])
        memory.check_reference(c, names[4])
        if op == TAKE:
            for at in elements(bare, b):
                memory.check_reference(shared.tables[2][at], bare.tables[2][at])
                assert shared.tables[2][at] != out  # lane by lane, an element would be lost to the lanes after it
        if op == GUARD:
            assert out == names[1]
        else:
            memory.store(out, names[1])
    for slot, name in zip(shared.outputs[0], bare.outputs[0]):
        memory.check_reference(slot, name)
    return memory


def simulate_adjoints(bare, shared, values):
    """Run the reverse pass of every output on names."""
    starts, bare_rows, zero_starts, bare_zeroed = bare.reverse
    _, rows, _, zeroed = shared.reverse
    for k, (seed, seed_name) in enumerate(zip(shared.outputs[1], bare.outputs[1])):
        memory = Memory(shared.n_adjoint_slots)
        for i in range(zero_starts[k], zero_starts[k + 1]):
            memory.store(zeroed[i], bare_zeroed[i])
        assert np.sign(seed) == np.sign(seed_name)
        if seed > 0:
            memory.store(seed - 1, seed_name - 1)
        for i in range(starts[k], starts[k + 1]):
            code, value, a, b, c, bar, to_x, to_y, first, _ = rows[i]
            name_of_op, v_name, a_name, b_name, c_name, bar_name, x_name, y_name, _, _ = bare_rows[i]
            assert code == name_of_op
            op = OPS[code]
            memory.check(bar, bar_name)
            if code == TAKE:
                values.check_reference(a, a_name)
                for at in elements(bare, b):
                    target, name = shared.tables[3][at], bare.tables[3][at]
                    assert (target <= 0) == (name <= 0)
                    if name > 0:
                        memory.check(target - 1, name - 1)
                continue
            stored = []
            targets = zip((to_x, to_y), (x_name, y_name), (FIRST_X, FIRST_Y), (*op.partials, "0.0"))
            for target, name, bit, partial in targets:
                if name == 0:
                    assert target == 0
                    continue
                read = names_read(partial)
                for letter, slot, value_name in (("x", a, a_name), ("y", b, b_name), ("c", c, c_name)):
                    if letter in read:
                        values.check_reference(slot, value_name)
                if "v" in read:
                    values.check(value, v_name)
                if name < 0:
                    assert target == name
                    continue
                assert target - 1 != bar  # the row reads its own adjoint after it stores the first one
                if not first & bit:
                    memory.check(target - 1, name - 1)
                assert (target - 1, name - 1) in stored or target - 1 not in [slot for slot, _ in stored]
                memory.store(target - 1, name - 1)
                stored.append((target - 1, name - 1))
        for target, name in zip(shared.outputs[2][k], bare.outputs[2][k]):
            if name > 0:
                memory.check(target - 1, name - 1)
            else:
                assert target == name


def assert_sound(recording, varying, wrt):
    bare = draft(recording, varying, wrt)
    for order in ORDERS:
        shared = bare
        for improve in order:
            shared = improve(shared)
        simulate_adjoints(bare, shared, simulate_values(bare, shared))
        assert shared.n_slots <= bare.n_slots
        assert shared.n_adjoint_slots <= bare.n_adjoint_slots


@repeatable
@given(
    code=codes,
    varies=st.lists(st.booleans(), min_size=3, max_size=3).filter(any),
    wrt=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_slots_of_random_programs(code, varies, wrt):
    def f(*inputs):
        values = run(code, inputs)
        return [values[-1], values[len(values) // 2], values[-1] * inputs[0], inputs[2], 1.0]

    recording = recording_of(fad.record(f, 0.3, -0.6, 1.1))
    assert_sound(recording, np.array(varies), np.array(wrt))


@pytest.mark.parametrize("wrt", [(False, False, False), (True, False, False), (True, True, True)], ids=str)
@pytest.mark.parametrize("name", sorted(ROWS))
def test_slots_of_every_row(name, wrt):
    """Each kind of row where its operands, and elements, are read for the last time; with and without derivatives."""

    def f(*inputs):
        return run([(name, 0, 1), ("mul", 0, 1), (name, 1, 0), (name, 0, 0)], inputs)[-1]

    recording = recording_of(fad.record(f, 0.3, -0.6, 1.1))
    for varying in ((True, True, True), (True, False, True), (False, True, False)):
        assert_sound(recording, np.array(varying), np.array(wrt))


def recording_of(program):
    (trie,) = program._tries.values()
    return trie.root.recording


def staircase(x):
    """More guards than values: their numbers are no slots."""
    s = x
    for step in range(12):
        if x > 0.1 * step:
            s = s + x * step
    return s


def test_guards_are_not_moved():
    program = fad.record(staircase, 0.95)
    recording = recording_of(program)
    for wrt in (False, True):
        assert_sound(recording, np.ones(1, np.bool_), np.array([wrt]))
    x = np.linspace(-0.1, 1.3, 150)
    assert_same_under_all_passes(program, x)
    assert len(program.variants) == 13
    np.testing.assert_array_equal(program.batch(x).value, [staircase(v) for v in x])


def test_slots_of_a_walk():
    recording = recording_of(fad.record(walk, np.linspace(-1.0, 1.0, 6), 0.4))
    for last in (False, True):
        varying = np.ones(7, np.bool_)
        varying[-1] = last
        assert_sound(recording, varying, np.ones(7, np.bool_))


def test_the_simulation_notices():
    """A slot given to another value while it is needed fails the checks above."""
    recording = recording_of(fad.record(lambda x, y: fad.exp(x * y) * (x + y), 0.3, 0.4))
    both = np.ones(2, np.bool_)
    bare = draft(recording, both, both)
    for column in (OUT, A):
        shared = share_values(bare)
        shared.forward[1, column] = 0
        with pytest.raises(AssertionError):
            simulate_adjoints(bare, shared, simulate_values(bare, shared))
    for column in (BAR, TO_X):
        shared = share_adjoints(bare)
        shared.reverse[1][1, column] = 0
        with pytest.raises(AssertionError):
            simulate_adjoints(bare, shared, simulate_values(bare, shared))


# -------------------- slots are asked for before they are read --------------------


def test_what_a_reverse_pass_asks_for():
    """Every slot that it reads, once and before; but for those of its first rows, which come too soon."""

    def path(z, mu):
        s = 1.0
        for u in z:
            s = s * fad.exp(mu * u)
        return s, fad.sin(s)

    recording = recording_of(fad.record(path, np.zeros(50), 0.1))
    varying = np.arange(51) < 50
    plan = read_ahead(share_values(draft(recording, varying, ~varying)))
    starts, rows, *_ = plan.reverse
    for start, stop in itertools.pairwise(starts):
        part = rows[start:stop]
        asked = {int(slot): at for at, slot in enumerate(part[:, AHEAD]) if slot >= 0}
        assert len(asked) == (part[:, AHEAD] >= 0).sum()
        first_read = {}
        for at, (code, value, a, b, *_) in enumerate(part):
            partials = [p for p, to in zip(OPS[code].partials, part[at, TO_X:]) if to]
            read = {name for partial in partials for name in names_read(partial)}
            for name, slot in (("x", a), ("y", b), ("v", value)):
                if name in read and slot >= 0:
                    first_read.setdefault(int(slot), at)
        assert set(asked) <= set(first_read)
        for slot, at in first_read.items():
            assert at < 8 or asked[slot] < at


# -------------------- how many slots are needed --------------------


def counts(f, *args, varying=None, wrt=True):
    recording = recording_of(fad.record(f, *args))
    varies = np.ones(recording.n_inputs, np.bool_) if varying is None else np.array(varying)
    flags = np.full(recording.n_inputs, wrt)
    bare, shared = draft(recording, varies, flags), build(recording, varies, flags)
    return (bare.n_slots, bare.n_adjoint_slots), (shared.n_slots, shared.n_adjoint_slots)


def chain(x, y):
    for _ in range(1000):
        x = fad.sin(x) + y
    return x


def test_a_long_chain():
    """Values only: one slot beside the inputs. With derivatives: each sine reads its argument, each sum nothing."""
    assert counts(chain, 0.3, 0.1, wrt=False) == ((2002, 0), (2, 0))
    assert counts(chain, 0.3, 0.1) == ((2002, 2002), (1002, 3))


def test_sums_need_no_values_in_reverse():
    (_, _), (values, adjoints) = counts(lambda x: x.sum() - 0.5 * x[0], np.ones(50))
    assert values <= 51
    assert adjoints <= 53


def test_a_walk_in_time():
    """Three inputs per step: what a step makes for itself is given back; the running state is not piled up."""

    def path(z, mu, sigma):
        s = 1.0
        for u in z:
            s = s * fad.exp(mu + sigma * u)
        return fad.maximum(s - 1.0, 0.0)

    short = counts(path, np.zeros(20), 0.1, 0.2)
    long = counts(path, np.zeros(120), 0.1, 0.2)
    per_step = [(b - a) / 100 for a, b in zip(short[1], long[1])]
    assert per_step[0] <= 3.0  # the draw, the factor and the product are read in reverse
    assert per_step[1] <= 1.0  # the adjoint of the draw is a result
    assert all(b < a for a, b in zip(long[0], long[1]))
