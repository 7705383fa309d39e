#include <codi.hpp>

#include "shared.hpp"

void record_loop(double x0, double y0, int64_t n, int reverse, double* out) {
    using Real = codi::RealReverse;
    auto& tape = Real::getTape();
    tape.reset();
    tape.setActive();
    Real x = x0, y = y0;
    tape.registerInput(x);
    tape.registerInput(y);
    Real a = loop(x, y, n);
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

// A tape per observation, both residuals reversed at once (CoDiPack's vector mode).
static void observation(const double* at, const double* feature, double* errors, double* J) {
    using Real = codi::RealReverseVec<2>;
    auto& tape = Real::getTape();
    Real x[INPUTS], e[2];
    for (int j = 0; j < INPUTS; ++j) x[j] = at[j];
    tape.reset();
    tape.setActive();
    for (auto& input : x) tape.registerInput(input);
    residuals(x, feature, e);
    for (auto& output : e) tape.registerOutput(output);
    tape.setPassive();
    for (int k = 0; k < 2; ++k) {
        errors[k] = e[k].getValue();
        e[k].gradient()[k] = 1.0;
    }
    tape.evaluate();
    for (int k = 0; k < 2; ++k)
        for (int j = 0; j < INPUTS; ++j) J[INPUTS * k + j] = x[j].getGradient()[k];
}

void bundle(const Observations* seen, double* errors, double* elements) {
    one_by_one(seen, errors, elements, observation);
}
