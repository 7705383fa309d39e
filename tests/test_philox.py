"""Random numbers of the kernels: published vectors, distribution, independence of blocks, mirrored halves."""

import itertools
import math

import numba
import numpy as np
import pytest

from fastad.kernels._simd import extract, insert, splat
from fastad.kernels.philox import (
    NORMALS,
    UNIFORMS,
    _minus_two_log,
    _normals_from,
    _radius_times_circle_point,
    _uniform,
    fill,
    key_of_seed,
    normal_pair,
    normals_group,
    philox,
    uniform_pair,
    uniforms_group,
)

N = 1 << 20
LOW = 0xFFFFFFFF
BOTH_KINDS = pytest.mark.parametrize("kind", [NORMALS, UNIFORMS])
GROUP_KERNEL = {NORMALS: normals_group, UNIFORMS: uniforms_group}

# Random123, kat_vectors, philox4x32 with 10 rounds: counter, key, answer.
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return [int(word, 16) for word in text.split()]


def reference_words(counter, key):
    """Philox4x32-10 in Python integers."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & LOW, (p0 >> 32) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + 0x9E3779B9) & LOW, (k1 + 0xBB67AE85) & LOW
    return [c0, c1, c2, c3]


def group_numbers(kind, seed, group, antithetic, n_dims):
    """The 64 x n_dims numbers of one group, by the kernel that replays use."""
    workspace = np.full((n_dims, 64), np.nan)
    GROUP_KERNEL[kind](key_of_seed(seed), group, antithetic, np.arange(n_dims, dtype=np.int32), workspace)
    return workspace.T


# -------------------- the generator and its counter --------------------


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_published_vectors(counter, key, answer):
    assert [word & LOW for word in philox(*words(counter), *words(key))] == words(answer)
    assert reference_words(words(counter), words(key)) == words(answer)


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 + 7, 2**63, 2**64 - 1])
@pytest.mark.parametrize("path", [0, 63, 2**31, 2**32 - 1, 2**32, 2**40 + 5])
def test_counter_layout(seed, path):
    for pair in (0, 1, 1000):
        expected, other = (
            reference_words([path & LOW, path >> 32, pair, stream], [seed & LOW, seed >> 32])
            for stream in (UNIFORMS, NORMALS)
        )
        bits = [expected[0] << 32 | expected[1], expected[2] << 32 | expected[3]]
        assert uniform_pair(key_of_seed(seed), path, pair) == tuple(((b >> 12) + 0.5) / 2**52 for b in bits)

        # Box-Muller by hand: an angle within 45 degrees of the axis, reflected by the two top bits.
        radius_bits, angle_bits = other[0] << 32 | other[1], other[2] << 32 | other[3]
        radius = math.sqrt(-2.0 * math.log(((radius_bits >> 12) + 0.5) / 2**52))
        angle = math.pi / 2 * ((angle_bits & (2**52 - 1)) / 2**52 - 0.5)
        x, y = radius * math.cos(angle), radius * math.sin(angle)
        if angle_bits >> 62 & 1:
            x, y = -x, -y
        if angle_bits >> 63:
            x, y = y, x
        assert normal_pair(key_of_seed(seed), path, pair) == pytest.approx((x, y), rel=1e-14, abs=2e-15)


def test_seeds():
    assert len({fill(seed, 0, 1, 1)[0, 0] for seed in (0, 1, 2**32, 2**63, 2**64 - 1)}) == 5
    assert fill(np.uint64(2**63), 0, 1, 1) == fill(2**63, 0, 1, 1)
    for bad in (-1, 2**64):
        with pytest.raises(ValueError, match="seed must be a non-negative integer below"):
            fill(bad, 0, 1, 1)
    with pytest.raises(TypeError):
        fill(1.5, 0, 1, 1)


# -------------------- bits do not depend on blocks --------------------


@BOTH_KINDS
@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("group", [0, 1, 2**26 - 1, 2**26, 2**27 + 3])  # 2^26 groups of 64 fill the low word
def test_group_kernel_equals_fill(kind, antithetic, group):
    expected = fill(2**63 + 99, 64 * group, 64, 7, antithetic, kind)
    assert np.array_equal(group_numbers(kind, 2**63 + 99, group, antithetic, 7), expected)


@pytest.mark.parametrize("pair_of", [normal_pair, uniform_pair])
def test_eight_paths_equal_one(pair_of):
    @numba.njit
    def eight(key, paths, pair, out):
        vector = splat(0)
        for lane in range(8):
            vector = insert(vector, lane, paths[lane])
        x, y = pair_of(key, vector, pair)
        for lane in range(8):
            out[lane, 0], out[lane, 1] = extract(x, lane), extract(y, lane)

    paths = np.array([0, 7, 2**32 - 1, 2**32, 2**40 + 3, 2**63 - 1, 12, 11])
    out = np.empty((8, 2))
    eight(77, paths, 5, out)
    assert [tuple(row) for row in out.tolist()] == [pair_of(77, path, 5) for path in paths]


@BOTH_KINDS
@pytest.mark.parametrize("antithetic", [False, True])
def test_fill_in_pieces(kind, antithetic):
    whole = fill(5, 10, 300, 6, antithetic, kind)
    cuts = [0, 1, 64, 77, 300]
    pieces = [fill(5, 10 + a, b - a, 6, antithetic, kind) for a, b in itertools.pairwise(cuts)]
    assert np.array_equal(np.concatenate(pieces), whole)
    assert np.array_equal(fill(5, 10, 300, 3, antithetic, kind), whole[:, :3])


@BOTH_KINDS
@pytest.mark.parametrize("antithetic", [False, True])
def test_unused_dimensions_are_skipped(kind, antithetic):
    slots = np.array([3, -1, -1, -1, -1, 0, 5, 4, 2], np.int32)
    workspace = np.full((7, 64), np.nan)
    GROUP_KERNEL[kind](key_of_seed(8), 2, antithetic, slots, workspace)
    expected = fill(8, 128, 64, 9, antithetic, kind)
    for dimension, slot in enumerate(slots):
        if slot >= 0:
            assert np.array_equal(workspace[slot], expected[:, dimension])
    assert np.isnan(workspace[[1, 6]]).all()


def test_no_dimension():
    workspace = np.full((1, 64), np.nan)
    normals_group(key_of_seed(8), 0, True, np.empty(0, np.int32), workspace)
    assert np.isnan(workspace).all()
    assert fill(8, 0, 3, 0).shape == (3, 0)


@BOTH_KINDS
def test_antithetic_halves(kind):
    numbers = np.concatenate([group_numbers(kind, 3, group, True, 5) for group in range(4)]).reshape(4, 2, 32, 5)
    plain = fill(3, 0, 128, 5, False, kind).reshape(4, 32, 5)
    assert np.array_equal(numbers[:, 0], plain)
    assert np.array_equal(numbers[:, 1], -plain if kind == NORMALS else 1.0 - plain)
    assert np.array_equal(plain, -numbers[:, 1] if kind == NORMALS else 1.0 - numbers[:, 1])


# -------------------- functions --------------------


def test_minus_two_log():
    ends = [2.0**-53, 3 * 2.0**-53, 0.5, 1 - 2.0**-53, 1 - 3 * 2.0**-53, math.sqrt(0.5)]
    for u in [*ends, *fill(1, 0, 500, 4, False, UNIFORMS).ravel()]:
        assert _minus_two_log(u) == pytest.approx(-2.0 * math.log(u), rel=5e-16, abs=0)


def test_circle_points():
    lattice = [round(i * 2**52 / 64) for i in range(64)] + [2**52 - 1]
    for top in range(4):
        for low in lattice:
            word = top << 62 | low
            x, y = _radius_times_circle_point(1.0, word - 2**64 if top >= 2 else word)
            angle = math.pi / 2 * (low / 2**52 - 0.5)
            sign = -1 if top & 1 else 1
            c, s = sign * math.cos(angle), sign * math.sin(angle)
            assert max(abs(x - (s if top & 2 else c)), abs(y - (c if top & 2 else s))) <= 5e-16


# -------------------- distribution --------------------


@pytest.fixture(scope="module")
def normals():
    return fill(20240229, 0, N // 4, 4)


@pytest.fixture(scope="module")
def uniforms():
    return fill(20240229, 0, N // 4, 4, False, UNIFORMS)


def test_moments_of_normals(normals):
    z = normals.ravel()
    # Variances of z, z^2, z^3 and z^4: 1, 2, 15, 96.
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - moment) < 4.5 * math.sqrt(variance / N)
    assert 4.4 < np.abs(z).max() < 6.5


def test_moments_of_uniforms(uniforms):
    u = uniforms.ravel()
    assert (u > 0.0).all()
    assert (u < 1.0).all()
    for power in (1, 2, 3, 4):
        variance = 1 / (2 * power + 1) - 1 / (power + 1) ** 2
        assert abs((u**power).mean() - 1 / (power + 1)) < 4.5 * math.sqrt(variance / N)


def kolmogorov(sorted_probabilities):
    """Largest distance to the uniform law, times sqrt(n); above 2.2 with probability 1e-4."""
    n = sorted_probabilities.size
    steps = np.arange(n + 1) / n
    return math.sqrt(n) * max((steps[1:] - sorted_probabilities).max(), (sorted_probabilities - steps[:-1]).max())


@pytest.mark.parametrize("dimension", range(4))
def test_kolmogorov_smirnov(normals, uniforms, dimension):
    z = np.sort(normals[:50_000, dimension])
    assert kolmogorov(np.array([0.5 * math.erfc(-x / math.sqrt(2.0)) for x in z])) < 2.2
    assert kolmogorov(np.sort(uniforms[:, dimension])) < 2.2


def test_no_correlation(normals, uniforms):
    bound = 4.5 / math.sqrt(N // 4)
    for x in (normals, uniforms - 0.5, normals**2 - 1.0):
        scaled = x / np.sqrt((x * x).mean(axis=0))
        between_dimensions = scaled.T @ scaled / scaled.shape[0] - np.eye(4)
        assert np.abs(between_dimensions).max() < bound
        for lag in (1, 8, 32, 64):
            assert np.abs(scaled[:-lag].T @ scaled[lag:] / scaled.shape[0]).max() < bound
    cross = normals.T @ ((uniforms - 0.5) * math.sqrt(12.0)) / normals.shape[0]
    assert np.abs(cross).max() < bound


def test_neighbouring_seeds_do_not_correlate(normals):
    other = fill(20240230, 0, N // 4, 4)
    assert np.abs(normals.T @ other / other.shape[0]).max() < 4.5 / math.sqrt(N // 4)


def test_extreme_bits_stay_inside():
    low, high = _uniform(0), _uniform(-1)
    assert (low, high) == (2.0**-53, 1 - 2.0**-53)
    assert 1.0 - low == high
    assert 1.0 - high == low
    for word in (0, -1, 2**62, -(2**63)):
        assert max(map(abs, _normals_from(0, word))) <= math.sqrt(106 * math.log(2)) * (1 + 1e-15)
        assert all(map(math.isfinite, _normals_from(-1, word)))
