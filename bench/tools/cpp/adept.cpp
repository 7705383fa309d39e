// One thread: looking up the stack of a thread takes a sixth of the time of an observation.
#define ADEPT_STACK_THREAD_UNSAFE 1
#include <adept_source.h>  // the whole library, as its documentation offers for programs that link to none

#include "shared.hpp"

// One stack for all calls, so that its memory is; there may only be one active at a time.
static adept::Stack stack;

void record_loop(double x0, double y0, int64_t n, int reverse, double* out) {
    adept::adouble x = x0, y = y0;
    stack.new_recording();
    adept::adouble a = loop(x, y, n);
    out[0] = a.value();
    if (reverse) {
        a.set_gradient(1.0);
        stack.compute_adjoint();
        out[1] = x.get_gradient();
        out[2] = y.get_gradient();
    }
}

// A recording per observation, as algorithm2_jacobian of the documentation: Stack::jacobian reverses both residuals in
// one pass.
static void observation(const double* at, const double* feature, double* errors, double* J) {
    adept::adouble x[INPUTS], e[2];
    adept::set_values(x, INPUTS, at);
    stack.new_recording();
    residuals(x, feature, e);
    stack.independent(x, INPUTS);
    stack.dependent(e, 2);
    stack.jacobian(J, INPUTS, 1);  // row after row
    for (int k = 0; k < 2; ++k) errors[k] = e[k].value();
}

void bundle(const Observations* seen, double* errors, double* elements) {
    one_by_one(seen, errors, elements, observation);
}
