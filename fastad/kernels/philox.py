"""Random numbers made inside kernels: Philox4x32-10, uniforms of 52 bits, normals by Box-Muller.

Philox4x32-10 (J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as
1, 2, 3", SC11) maps a counter of four 32-bit words to four random ones under a key of two words. A number is
thus a function of (seed, stream, path, dimension) and of nothing else: not of block size, of threads, or of
which other dimensions are drawn.

=========  ==========================================================================
key        seed, low and high 32 bits
counter 0  path, low 32 bits
counter 1  path, high 32 bits
counter 2  pair: dimensions 2*pair and 2*pair + 1 share one call, 64 bits each
counter 3  stream: ``NORMALS`` or ``UNIFORMS``
=========  ==========================================================================

A 32-bit word lies in the low half of a 64-bit lane, where one instruction multiplies the low halves of eight
lanes to 64 bits (``vpmuludq``, AVX2 and AVX-512). Path is ``int64``, or ``I64x8`` for eight paths at a time,
with the same bits: every step below is an integer operation or one IEEE operation.

Normals (G. E. P. Box, M. E. Muller, "A note on the generation of random normal deviates", 1958): a radius
sqrt(-2 log u) times a random point of the unit circle. The largest is sqrt(106 log 2) = 8.57.

Antithetic sampling: in each group of 64 paths the last 32 mirror the first 32 (normals -z, uniforms 1 - u).
The counter then counts mirrored pairs: lane i < 32 of group g is path 32*g + i of the counter.
"""

from __future__ import annotations

import operator
from typing import SupportsIndex

import numpy as np

from ._jit import jit
from ._simd import address, bits, fma, from_bits, insert, load, select, shr, splat, sqrt, store

NORMALS, UNIFORMS = 0, 1

_GROUP = 64
_HALF = _GROUP // 2
_WIDTH = 8

# -------------------- Philox4x32-10 --------------------

_LOW = 0xFFFFFFFF
_MULTIPLIER0, _MULTIPLIER1 = 0xD2511F53, 0xCD9E8D57  # the paper's constants
_WEYL0, _WEYL1 = 0x9E3779B9, 0xBB67AE85  # golden ratio and sqrt(3) - 1: steps of the key


@jit
def _round(c0, c1, c2, c3, k0, k1):
    # The masks on c0 and c2 tell LLVM that one 32-bit multiplication is enough; they cost no instruction.
    # High halves of other words are garbage on the way, never read.
    p0, p1 = (c0 & _LOW) * _MULTIPLIER0, (c2 & _LOW) * _MULTIPLIER1
    return shr(p1, 32) ^ (c1 ^ k0), p1, shr(p0, 32) ^ (c3 ^ k1), p0


@jit
def philox(c0, c1, c2, c3, k0, k1):
    """Four random words, whose high halves are to be ignored; words that are scalar stay so while they can."""
    a0, a1, a2, a3 = _round(c0, c1, c2, c3, k0, k1)
    b0, b1, b2, b3 = _round(a0, a1, a2, a3, k0 + _WEYL0, k1 + _WEYL1)
    d0, d1, d2, d3 = _round(b0, b1, b2, b3, k0 + 2 * _WEYL0, k1 + 2 * _WEYL1)
    d0, d1, d2, d3 = _round(d0, d1, d2, d3, k0 + 3 * _WEYL0, k1 + 3 * _WEYL1)
    d0, d1, d2, d3 = _round(d0, d1, d2, d3, k0 + 4 * _WEYL0, k1 + 4 * _WEYL1)
    d0, d1, d2, d3 = _round(d0, d1, d2, d3, k0 + 5 * _WEYL0, k1 + 5 * _WEYL1)
    d0, d1, d2, d3 = _round(d0, d1, d2, d3, k0 + 6 * _WEYL0, k1 + 6 * _WEYL1)
    d0, d1, d2, d3 = _round(d0, d1, d2, d3, k0 + 7 * _WEYL0, k1 + 7 * _WEYL1)
    d0, d1, d2, d3 = _round(d0, d1, d2, d3, k0 + 8 * _WEYL0, k1 + 8 * _WEYL1)
    return _round(d0, d1, d2, d3, k0 + 9 * _WEYL0, k1 + 9 * _WEYL1)


@jit
def _two_words(key, low, high, pair, stream):
    """128 random bits as two 64-bit integers."""
    stream = np.int64(stream)  # to numba an int constant is a type of its own, and what is handed it compiled anew
    w0, w1, w2, w3 = philox(low, high, pair, stream, key & _LOW, shr(key, 32))
    return (w0 << 32) | (w1 & _LOW), (w2 << 32) | (w3 & _LOW)


# -------------------- doubles from bits --------------------

_ONE = 0x3FF0000000000000  # bits of 1.0; with 52 random bits below, a double in [1, 2)
_MANTISSA = 0x000FFFFFFFFFFFFF
_SIGN = -(2**63)
_ONE_LESS_HALF_STEP = 1.0 - 2.0**-53


@jit
def _uniform(word):
    """(n + 1/2) / 2^52 from the high 52 bits n: exact, never 0 or 1, and 1 - u is a number of the same form."""
    return from_bits(shr(word, 12) | _ONE) - _ONE_LESS_HALF_STEP


@jit
def _polynomial(c, y):
    """Degree 6, by Horner's scheme (Estrin's needs more registers and was slower)."""
    p = fma(fma(fma(c[6], y, c[5]), y, c[4]), y, c[3])
    return fma(fma(fma(p, y, c[2]), y, c[1]), y, c[0])


_SQRT_HALF = 0x3FE6A09E667F3BCD  # bits of sqrt(1/2)
_TWO52 = 0x4330000000000000  # bits of 2^52; an integer below 2^52 or-ed in is added
_MINUS_2_LN2 = -2.0 * 0.6931471805599453

# 2*atanh(s) = s*(2 + z*P(z)) with z = s^2; these are -2*P, interpolated at Chebyshev nodes for |s| < 0.1716.
_LOG = (
    -1.333333333333334,
    -0.7999999999979889,
    -0.5714285725200654,
    -0.44444422260519756,
    -0.36365778911349894,
    -0.30663421236421545,
    -0.29233170849777246,
)


@jit
def _minus_two_log(u):
    """-2*log(u) for normal u in (0, 1), within 2 ulp; no special case of vmath.log can occur here."""
    # u = 2^k m with m from sqrt(1/2) to sqrt(2); k + 1023 is read as the low bits of 2^52 + (k + 1023).
    shifted = bits(u) + (_ONE - _SQRT_HALF)
    k = from_bits(shr(shifted, 52) | _TWO52) - (2.0**52 + 1023.0)
    f = from_bits((shifted & _MANTISSA) + _SQRT_HALF) - 1.0
    s = f / (2.0 + f)
    z = s * s
    return fma(k, _MINUS_2_LN2, s * fma(_polynomial(_LOG, z), z, -4.0))


# sin(pi/2 t) = t*P(t^2) and cos(pi/2 t) = Q(t^2) for |t| <= 1/2, interpolated at Chebyshev nodes: errors
# 1e-16 before rounding.
_SIN = (
    1.5707963267948966,
    -0.6459640975062443,
    0.07969262624604301,
    -0.004681754132340976,
    0.0001604411507421909,
    -3.59864335298231e-06,
    5.633933781537854e-08,
)
_COS = (
    1.0,
    -1.2337005501361513,
    0.25366950789986475,
    -0.02086348073494657,
    0.000919259950041661,
    -2.520013526428479e-05,
    4.6552961874867623e-07,
)


@jit
def _radius_times_circle_point(radius, word):
    """A random point of the circle.

    52 bits give an angle within 45 degrees of the x axis, bit 63 an optional reflection at the diagonal, bit
    62 one at the origin: no angle to be reduced, one sign for both coordinates.
    """
    t = from_bits((word & _MANTISSA) | _ONE) - 1.5
    y = t * t
    sine, cosine = t * _polynomial(_SIN, y), _polynomial(_COS, y)
    signed = from_bits(bits(radius) ^ ((word << 1) & _SIGN))
    swap = word < 0
    return signed * select(swap, sine, cosine), signed * select(swap, cosine, sine)


@jit
def _normals_from(word0, word1):
    return _radius_times_circle_point(sqrt(_minus_two_log(_uniform(word0))), word1)


# -------------------- pairs of dimensions --------------------


@jit
def normal_pair(key, path, pair):
    """Independent normals of dimensions ``2*pair`` and ``2*pair + 1``; ``path`` is int64 or I64x8."""
    word0, word1 = _two_words(key, path, shr(path, 32), pair, NORMALS)
    return _normals_from(word0, word1)


@jit
def uniform_pair(key, path, pair):
    """Independent uniforms of dimensions ``2*pair`` and ``2*pair + 1``; ``path`` is int64 or I64x8."""
    word0, word1 = _two_words(key, path, shr(path, 32), pair, UNIFORMS)
    return _uniform(word0), _uniform(word1)


# -------------------- groups of 64 paths --------------------


@jit
def _lanes():
    """The vector 0, 1, ... 7."""
    lanes = splat(0)
    for lane in range(_WIDTH):
        lanes = insert(lanes, lane, lane)
    return lanes


@jit
def _slot(slots, dimension):
    return np.int64(slots[dimension]) if dimension < slots.size else np.int64(-1)


@jit
def _store_pair(rows, even, odd, lane, x, y):
    store(rows, even * _GROUP + lane, x)
    store(rows, odd * _GROUP + lane, y)


@jit
def _store_used(rows, even, odd, lane, x, y):
    if even >= 0:
        store(rows, even * _GROUP + lane, x)
    if odd >= 0:
        store(rows, odd * _GROUP + lane, y)


@jit
def normals_group(key, group, antithetic, slots, workspace):
    """Write normals of dimension d for the 64 paths of a group to ``workspace[slots[d], 0:64]``.

    Parameters
    ----------
    key : int64
        ``key_of_seed(seed)``.
    group : int64
        Paths 64*group to 64*group + 63.
    antithetic : bool
        Lanes 32 to 63 mirror lanes 0 to 31.
    slots : int32 array
        Row of each dimension; one with a negative slot is skipped.
    workspace : float64 array (rows, 64), C-contiguous
        Destination.
    """
    rows = address(workspace)
    n_lanes = _HALF if antithetic else _GROUP
    first, high = group * n_lanes, shr(group * n_lanes, 32)  # one high word, as n_lanes divides 2^32
    for pair in range((slots.size + 1) // 2):
        even, odd = _slot(slots, 2 * pair), _slot(slots, 2 * pair + 1)
        if even < 0 and odd < 0:
            continue
        if even >= 0 and odd >= 0:
            # Three short loops, which park their numbers where the normals will be: in one, the chain of dependent
            # operations is too long for the processor to overlap (2.9 rather than 2.2 ns per normal). The division
            # of the logarithm and the root are not in the same loop, as one unit does both.
            for lane in range(0, n_lanes, _WIDTH):
                word0, word1 = _two_words(key, _lanes() + (first + lane), high, pair, NORMALS)
                _store_pair(rows, even, odd, lane, from_bits(word0), from_bits(word1))
            for lane in range(0, n_lanes, _WIDTH):
                word = bits(load(rows, even * _GROUP + lane))
                store(rows, even * _GROUP + lane, _minus_two_log(_uniform(word)))
            for lane in range(0, n_lanes, _WIDTH):
                radius = sqrt(load(rows, even * _GROUP + lane))
                x, y = _radius_times_circle_point(radius, bits(load(rows, odd * _GROUP + lane)))
                _store_pair(rows, even, odd, lane, x, y)
        else:
            for lane in range(0, n_lanes, _WIDTH):
                word0, word1 = _two_words(key, _lanes() + (first + lane), high, pair, NORMALS)
                x, y = _normals_from(word0, word1)
                _store_used(rows, even, odd, lane, x, y)
    if antithetic:
        for dimension in range(slots.size):
            slot = _slot(slots, dimension)
            if slot >= 0:
                for at in range(slot * _GROUP, slot * _GROUP + _HALF, _WIDTH):
                    store(rows, at + _HALF, -load(rows, at))


@jit
def uniforms_group(key, group, antithetic, slots, workspace):
    """Write uniforms in (0, 1); parameters as for ``normals_group``."""
    rows = address(workspace)
    n_lanes = _HALF if antithetic else _GROUP
    first, high = group * n_lanes, shr(group * n_lanes, 32)
    for pair in range((slots.size + 1) // 2):
        even, odd = _slot(slots, 2 * pair), _slot(slots, 2 * pair + 1)
        if even < 0 and odd < 0:
            continue
        for lane in range(0, n_lanes, _WIDTH):
            word0, word1 = _two_words(key, _lanes() + (first + lane), high, pair, UNIFORMS)
            _store_used(rows, even, odd, lane, _uniform(word0), _uniform(word1))
    if antithetic:
        for dimension in range(slots.size):
            slot = _slot(slots, dimension)
            if slot >= 0:
                for at in range(slot * _GROUP, slot * _GROUP + _HALF, _WIDTH):
                    store(rows, at + _HALF, 1.0 - load(rows, at))


# -------------------- any 64 paths --------------------


@jit
def numbers_at(key, kind, paths, signs, slots, workspace):
    """``normals_group`` or ``uniforms_group`` for 64 paths of any numbers.

    Parameters
    ----------
    key, slots, workspace
        As for ``normals_group``.
    kind : int
        NORMALS or UNIFORMS.
    paths : int64 array (64,)
        Path of the counter, per lane.
    signs : float64 array (64,)
        -1.0 for a lane that mirrors its path, else 1.0.
    """
    rows = address(workspace)
    for pair in range((slots.size + 1) // 2):
        even, odd = _slot(slots, 2 * pair), _slot(slots, 2 * pair + 1)
        if even < 0 and odd < 0:
            continue
        for lane in range(0, _GROUP, _WIDTH):
            path, sign = bits(load(address(paths), lane)), load(address(signs), lane)
            word0, word1 = _two_words(key, path, shr(path, 32), pair, kind)
            if kind == NORMALS:
                x, y = _normals_from(word0, word1)
                _store_used(rows, even, odd, lane, x * sign, y * sign)
            else:
                x, y = _uniform(word0), _uniform(word1)
                x, y = select(sign < 0.0, 1.0 - x, x), select(sign < 0.0, 1.0 - y, y)
                _store_used(rows, even, odd, lane, x, y)


# -------------------- from Python --------------------


def key_of_seed(seed: SupportsIndex) -> int:
    """The seed's 64 bits as the signed integer that kernels take."""
    value = operator.index(seed)
    if not 0 <= value < 2**64:
        raise ValueError(f"seed must be a non-negative integer below 2**64, got {value}")
    return value - 2**64 if value >= 2**63 else value


@jit
def _fill(key, first_path, antithetic, kind, out):
    for i in range(out.shape[0]):
        path = first_path + i
        mirrored = antithetic and path % _GROUP >= _HALF
        if antithetic:
            path = path // _GROUP * _HALF + path % _HALF
        for pair in range((out.shape[1] + 1) // 2):
            if kind == NORMALS:
                x, y = normal_pair(key, path, pair)
                if mirrored:
                    x, y = -x, -y
            else:
                x, y = uniform_pair(key, path, pair)
                if mirrored:
                    x, y = 1.0 - x, 1.0 - y
            out[i, 2 * pair] = x
            if 2 * pair + 1 < out.shape[1]:
                out[i, 2 * pair + 1] = y


def fill(
    seed: SupportsIndex, first_path: int, n_paths: int, n_dims: int, antithetic: bool = False, kind: int = NORMALS
) -> np.ndarray:
    """The numbers that groups get, bit for bit, as an array (n_paths, n_dims).

    Path p is lane p % 64 of group p // 64. One path at a time: for recording, messages and tests.
    """
    out = np.empty((n_paths, n_dims))
    _fill(key_of_seed(seed), first_path, antithetic, kind, out)
    return out
