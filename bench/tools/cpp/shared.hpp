// What the tools share: the problems' formulas, and the entry points but for the differentiating itself.
#pragma once
#include <cmath>
#include <cstdint>

#define ENTRY extern "C" __attribute__((visibility("default")))

constexpr int CAMERA = 11, POINT = 3, INPUTS = CAMERA + POINT + 1;

// x, y, their loop and, if asked for, both derivatives of its result: out has 1 or 3 numbers. Each tool has its own.
ENTRY void record_loop(double x, double y, int64_t n, int reverse, double* out);

template <class Real>
Real loop(const Real& x, const Real& y, int64_t n) {
    Real a = x;
    for (int64_t i = 0; i < n; ++i) {
        // One statement a row, as a tape of elementary operations has them: expression templates would store
        // a * y + x as one.
        Real product = a * y;
        a = product + x;
    }
    return a;
}

template <class Real, class Number>
void residuals(const Real* x, const Number* feature, Real* e) {
    using std::cos, std::sin, std::sqrt;
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

struct Observations {
    int64_t n;
    const double *cameras, *points, *weights, *features;
    const int64_t *camera_of, *point_of;

    void inputs(int64_t i, double* x) const {
        for (int j = 0; j < CAMERA; ++j) x[j] = cameras[CAMERA * camera_of[i] + j];
        for (int j = 0; j < POINT; ++j) x[CAMERA + j] = points[POINT * point_of[i] + j];
        x[INPUTS - 1] = weights[i];
    }

    void by_weights(double* elements) const {
        for (int64_t i = 0; i < n; ++i) elements[2 * INPUTS * n + i] = -2.0 * weights[i];
    }
};

// All errors, two an observation, and the elements of their Jacobian: 2 * INPUTS an observation, then by_weights. Each
// tool has its own.
ENTRY void bundle(const Observations* seen, double* errors, double* elements);

// The same, for tools that take one observation after the other: errors[2] and J[2][INPUTS] of each.
template <class Differentiate>
void one_by_one(const Observations* seen, double* errors, double* elements, Differentiate observation) {
    double x[INPUTS];
    for (int64_t i = 0; i < seen->n; ++i) {
        seen->inputs(i, x);
        observation(x, seen->features + 2 * i, errors + 2 * i, elements + 2 * INPUTS * i);
    }
    seen->by_weights(elements);
}
