"""CoDiPack, operator overloading in C++: compiled here, when there is a compiler and its headers are given."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

# One statement a row, as a tape of elementary operations has them: CoDiPack would store a * y + x as one statement.
LOOP = r"""
#include <codi.hpp>
using Real = codi::RealReverse;
extern "C" __attribute__((visibility("default"))) void run(double x0, double y0, long n, int reverse, double* out) {
    auto& tape = Real::getTape();
    tape.reset();
    tape.setActive();
    Real x = x0, y = y0;
    tape.registerInput(x);
    tape.registerInput(y);
    Real a = x;
    for (long i = 0; i < n; ++i) {
        Real product = a * y;
        a = product + x;
    }
    out[0] = a.getValue();
    tape.registerOutput(a);
    tape.setPassive();
    if (reverse) {
        a.setGradient(1.0);
        tape.evaluate();
        out[1] = x.getGradient();
        out[2] = y.getGradient();
    }
}
"""

# A tape per observation, both residuals reversed at once; whole expressions are one statement, which suits CoDiPack.
BUNDLE = r"""
#include <codi.hpp>
using Real = codi::RealReverseVec<2>;
static void residuals(const Real* x, const double* feature, Real* e) {
    Real v0 = x[11] - x[3], v1 = x[12] - x[4], v2 = x[13] - x[5];
    Real angle = sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
    Real c = cos(angle), s = sin(angle);
    Real k0 = x[0] / angle, k1 = x[1] / angle, k2 = x[2] / angle;
    Real along = (k0 * v0 + k1 * v1 + k2 * v2) * (1.0 - c);
    Real p0 = v0 * c + (k1 * v2 - k2 * v1) * s + k0 * along;
    Real p1 = v1 * c + (k2 * v0 - k0 * v2) * s + k1 * along;
    Real p2 = v2 * c + (k0 * v1 - k1 * v0) * s + k2 * along;
    Real q0 = p0 / p2, q1 = p1 / p2;
    Real square = q0 * q0 + q1 * q1;
    Real scale = x[6] * (1.0 + square * (x[9] + square * x[10]));
    e[0] = x[14] * (q0 * scale + x[7] - feature[0]);
    e[1] = x[14] * (q1 * scale + x[8] - feature[1]);
}
extern "C" __attribute__((visibility("default"))) void run(
    long n, const double* cameras, const double* points, const double* weights, const double* features,
    const long* camera_of, const long* point_of, double* errors, double* elements
) {
    auto& tape = Real::getTape();
    for (long i = 0; i < n; ++i) {
        Real x[15], e[2];
        for (int j = 0; j < 11; ++j) x[j] = cameras[11 * camera_of[i] + j];
        for (int j = 0; j < 3; ++j) x[11 + j] = points[3 * point_of[i] + j];
        x[14] = weights[i];
        tape.reset();
        tape.setActive();
        for (auto& input : x) tape.registerInput(input);
        residuals(x, features + 2 * i, e);
        for (int k = 0; k < 2; ++k) tape.registerOutput(e[k]);
        tape.setPassive();
        for (int k = 0; k < 2; ++k) {
            errors[2 * i + k] = e[k].getValue();
            e[k].gradient()[k] = 1.0;
        }
        tape.evaluate();
        for (int k = 0; k < 2; ++k)
            for (int j = 0; j < 15; ++j) elements[30 * i + 15 * k + j] = x[j].getGradient()[k];
        elements[30 * n + i] = -2.0 * weights[i];
    }
}
"""


def _compiler() -> str | None:
    return next(
        (found for name in (os.environ.get("CXX", ""), "g++", "clang++") if (found := shutil.which(name))), None
    )


def _headers() -> Path | None:
    folders = [os.environ.get("CODIPACK_INCLUDE", ""), "/usr/include", "/usr/local/include"]
    return next((Path(folder) for folder in folders if folder and (Path(folder) / "codi.hpp").exists()), None)


def found() -> str | None:
    """Version of the headers, None where they or a compiler are missing."""
    folder = _headers()
    if folder is None or _compiler() is None:
        return None
    version = re.search(r'CODI_VERSION "([^"]+)"', (folder / "codi.hpp").read_text())
    return version[1] if version else "unknown"


@cache
def _library(text: str) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "loop.cpp", Path(folder) / "loop.so"
        source.write_text(text)
        # Hidden, or every access to the tape goes through the table of a shared library: 8.4 ns a row instead of 5.6.
        options = ["-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fvisibility=hidden", f"-I{_headers()}"]
        subprocess.run([_compiler(), *options, str(source), "-o", str(library)], check=True)
        return ctypes.CDLL(str(library))


def record_loop(data, threads):
    run = _library(LOOP).run
    run.argtypes = [ctypes.c_double, ctypes.c_double, ctypes.c_long, ctypes.c_int, ctypes.POINTER(ctypes.c_double)]
    out = (ctypes.c_double * 3)()

    def call():
        run(data.x, data.y, data.n, data.reverse, out)
        return tuple(out) if data.reverse else (out[0],)

    return call


def bundle(data, threads):
    inputs = [np.ascontiguousarray(x) for x in (data.cameras, data.points, data.weights, data.features)]
    which = [x.astype(np.int64) for x in (data.camera_of, data.point_of)]
    errors, elements = np.empty((data.n, 2)), np.empty(31 * data.n)
    run = _library(BUNDLE).run
    run.argtypes = [ctypes.c_long, *[ctypes.c_void_p] * 8]

    def call():
        run(data.n, *(x.ctypes.data for x in (*inputs, *which, errors, elements)))
        return errors, elements

    return call


WAYS = {"record_loop": record_loop, "bundle": bundle}
