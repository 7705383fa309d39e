#include <adolc/adolc.h>

#include <algorithm>

#include "shared.hpp"

constexpr short LOOP = 0, OBSERVATIONS = 1;  // tags of traces

void record_loop(double x0, double y0, int64_t n, int reverse, double* out) {
    // Keeping the values while tracing spares the reverse sweep a forward one (detexam.cpp in the manual). Buffers that
    // are too small go to files: two operations a turn, with three locations each.
    const unsigned operations = 2 * n + 1024;
    trace_on(LOOP, 1, operations, 3 * operations, 1024, operations);
    {
        adouble x, y;
        x <<= x0;
        y <<= y0;
        adouble a = loop(x, y, n);
        a >>= out[0];
    }
    trace_off();
    if (reverse) {
        double one = 1.0;
        fos_reverse(LOOP, 1, 2, &one, out + 1);
    }
}

// 64 observations, each with inputs of its own: to open a trace takes longer than to differentiate one. Features are
// independent as well, which is cheaper here than parameters of the trace are (set_param_vec).
constexpr int BLOCK = 64, NUMBERS = INPUTS + 2;

static void trace_block(const double* at) {
    double value;
    trace_on(OBSERVATIONS);
    for (int i = 0; i < BLOCK; ++i, at += NUMBERS) {
        adouble x[NUMBERS], e[2];
        for (int j = 0; j < NUMBERS; ++j) x[j] <<= at[j];
        residuals(x, x + INPUTS, e);
        for (auto& error : e) error >>= value;
    }
    trace_off();
}

// Traced once, as there are no branches. What follows is the driver jacobian(), whose forward sweep gives the errors as
// well, with two seeds for all observations at once, as no two of them share an input.
void bundle(const Observations* seen, double* errors, double* elements) {
    static double at[BLOCK][NUMBERS], e[BLOCK][2], seeds[2][BLOCK][2], rows[2][BLOCK][NUMBERS];
    double *U[] = {seeds[0][0], seeds[1][0]}, *Z[] = {rows[0][0], rows[1][0]};
    for (int i = 0; i < BLOCK; ++i) seeds[0][i][0] = seeds[1][i][1] = 1.0;
    for (int64_t first = 0; first < seen->n; first += BLOCK) {
        const int64_t count = std::min<int64_t>(BLOCK, seen->n - first);
        for (int i = 0; i < BLOCK; ++i) {
            const int64_t which = first + std::min<int64_t>(i, count - 1);  // a short block repeats its last
            seen->inputs(which, at[i]);
            std::copy_n(seen->features + 2 * which, 2, at[i] + INPUTS);
        }
        static bool traced = false;
        if (!traced) trace_block(at[0]);
        traced = true;
        zos_forward(OBSERVATIONS, 2 * BLOCK, NUMBERS * BLOCK, 1, at[0], e[0]);
        fov_reverse(OBSERVATIONS, 2 * BLOCK, NUMBERS * BLOCK, 2, U, Z);
        std::copy_n(e[0], 2 * count, errors + 2 * first);
        for (int i = 0; i < count; ++i)
            for (int k = 0; k < 2; ++k) std::copy_n(rows[k][i], INPUTS, elements + INPUTS * (2 * (first + i) + k));
    }
    seen->by_weights(elements);
}
