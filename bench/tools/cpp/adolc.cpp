#include <adolc/adolc.h>

#include "shared.hpp"

constexpr short LOOP = 0, OBSERVATION = 1;  // tags of traces

void record_loop(double x0, double y0, int64_t n, int reverse, double* out) {
    // Keeping the values while tracing spares the reverse sweep a forward one. Buffers that are too small go to files:
    // two operations a turn, with three locations each.
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

static void trace(const double* at, const double* feature) {
    double value;
    trace_on(OBSERVATION);
    {
        adouble x[INPUTS], e[2];
        for (int j = 0; j < INPUTS; ++j) x[j] <<= at[j];
        const pdouble measured[] = {mkparam(feature[0]), mkparam(feature[1])};
        residuals(x, measured, e);
        for (auto& error : e) error >>= value;
    }
    trace_off();
}

// Traced once, as there are no branches; features are parameters of the trace. What follows is the driver jacobian(),
// whose forward sweep gives the errors as well.
static void observation(const double* at, const double* feature, double* errors, double* J) {
    static bool traced = false;
    if (!traced) trace(at, feature);
    traced = true;
    double parameters[] = {feature[0], feature[1]};
    set_param_vec(OBSERVATION, 2, parameters);
    double one[][2] = {{1.0, 0.0}, {0.0, 1.0}};
    double *seeds[] = {one[0], one[1]}, *rows[] = {J, J + INPUTS};
    zos_forward(OBSERVATION, 2, INPUTS, 1, at, errors);
    fov_reverse(OBSERVATION, 2, INPUTS, 2, seeds, rows);
}
